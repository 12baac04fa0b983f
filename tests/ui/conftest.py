"""What every test of a part of a page shares."""

from tests.pages.conftest import packages_scanned_once

__all__ = ["packages_scanned_once"]

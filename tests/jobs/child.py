"""The child process of these tests: the product's runner with the tests' own handler."""

import os
import sys

from lamsim_core.errors import LamsimError
from lamsim_core.jobs.runner import REFUSED, run_job
from lamsim_core.settings import get_settings

MODULE = "tests.jobs.child"
HANDLERS = dict.fromkeys(("explore", "train", "evaluate"), "tests.jobs.handlers")


def main() -> int:
    grace = os.environ.get("TEST_GRACE")
    try:
        return run_job(get_settings(), sys.argv[1], handlers=HANDLERS, grace=None if grace is None else float(grace))
    except LamsimError as error:
        print(error, file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())

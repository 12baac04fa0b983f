"""The tools agents call: one module per category, discovered. A module holds its tools, its world, and its makers of values."""

from lamsim_core.tools.category import Category, categories, every_category, get_category

__all__ = ["Category", "categories", "every_category", "get_category"]

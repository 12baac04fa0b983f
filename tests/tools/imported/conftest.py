"""Until the categories know that the package ``imported`` is none, they are told here."""

from lamsim_core.tools import category

category.NOT_CATEGORIES = category.NOT_CATEGORIES | {"imported"}

"""Driving a page through AppTest: the app is entered at app.py, as a browser would, then the page is opened."""

from streamlit.testing.v1 import AppTest

from lamsim_core.settings import REPOSITORY

SECONDS = 60
"""Patience with a slow machine."""


def open_page(page: str = "", **query: str) -> AppTest:
    """Run Home, or go on to a file of pages/ with this query string, and run it."""
    app = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=SECONDS)
    if page:
        app.switch_page(f"pages/{page}")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All plain words of the page, for looking something up in."""
    kinds = ("title", "subheader", "caption", "text", "markdown", "code", "info", "warning", "error", "metric")
    parts = [str(getattr(element, "value", "")) for kind in kinds for element in app.get(kind)]
    labels = [
        str(getattr(element, "label", "")) for kind in ("button", "metric", "expander") for element in app.get(kind)
    ]
    return "\n".join(parts + labels)

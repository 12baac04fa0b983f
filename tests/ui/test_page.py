"""Every page says who it is in one literal call, the navigation follows, and the shipped configuration is safe."""

import ast
import tomllib

import pytest
from streamlit import config
from streamlit.material_icon_names import ALL_MATERIAL_ICONS

from lamsim_core.settings import REPOSITORY
from lamsim_core.ui.page import PageLink, page_links

CONFIG = tomllib.loads((REPOSITORY / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def test_home_comes_first_and_every_page_is_listed() -> None:
    links = page_links()
    assert links[0].path == "app.py"
    assert [link.path for link in links[1:]] == [
        f"pages/{path.name}" for path in sorted((REPOSITORY / "pages").glob("[0-9]*.py"))
    ]


@pytest.mark.parametrize("link", page_links(), ids=lambda link: link.path)
def test_a_page_introduces_itself(link: PageLink) -> None:
    assert link.intro, f"{link.path} needs start_page(title, icon, intro) with literal texts"
    assert link.icon.removeprefix(":material/").removesuffix(":") in ALL_MATERIAL_ICONS
    text = (REPOSITORY / link.path).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert ast.get_docstring(ast.parse(text))


def flat(table: dict[str, object], prefix: str = "") -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in table.items():
        made |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return made


def test_every_configured_key_exists_in_this_streamlit() -> None:
    assert set(flat(CONFIG)) <= set(config.get_config_options())


def test_only_this_machine_reaches_the_app() -> None:
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert set(CONFIG["server"]["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert CONFIG["browser"] == {"serverAddress": "localhost", "gatherUsageStats": False}
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["server"]["enableStaticServing"] is False
    assert CONFIG["server"]["maxUploadSize"] == 5


def test_no_font_or_theme_comes_from_elsewhere() -> None:
    assert not [value for value in flat(CONFIG).values() if "://" in str(value)]


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out(mode: str) -> None:
    theme = CONFIG["theme"][mode]
    for surface in ("backgroundColor", "secondaryBackgroundColor", "codeBackgroundColor"):
        assert contrast(theme["textColor"], theme[surface]) >= 7
    assert contrast(theme["codeTextColor"], theme["codeBackgroundColor"]) >= 7
    assert contrast(theme["linkColor"], theme["backgroundColor"]) >= 4.5
    assert contrast("#ffffff", theme["primaryColor"]) >= 4
    for name in ("red", "orange", "yellow", "green", "blue", "violet", "gray"):
        assert contrast(theme[f"{name}TextColor"], theme[f"{name}BackgroundColor"]) >= 4.5, name


def test_no_script_run_waits_for_all_garbage() -> None:
    assert CONFIG["runner"]["postScriptGC"] is False  # half a second after every run once torch is in memory

"""The architecture, kept true: layers, lazy imports, sizes, and the calls that are never made."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lamsim_core"
LAYERS: list[set[str]] = [
    {"canonical", "errors", "files", "settings", "records"},
    {"environment", "store", "models", "jobs"},
    {"tools", "tasks", "feedback", "agent"},
    {"explore"},
    {"curate"},
    {"train"},
    {"evaluate"},
    {"review"},
    {"flywheel"},
    {"ui", "shell"},
    {"__main__"},
]
HEAVY = {
    "torch": ("models", "train"),
    "transformers": ("models", "train"),
    "trl": ("models", "train"),
    "peft": ("models", "train"),
    "bitsandbytes": ("models", "train"),
    "datasets": ("models", "train"),
    "safetensors": ("models", "train"),
    "duckdb": ("store",),
    "pyarrow": ("store",),
    "streamlit": ("ui",),
    "plotly": ("ui",),
    "mcp": ("tools",),
    "openai": ("models",),
    "llguidance": ("models",),
    "tenacity": ("models",),
    "ray": ("explore/ray_pool.py", "explore/ray_cluster.py"),
}
"""Who may import what is slow or has one home: a part of the core, or one file of it."""

SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"])
MODULES = [path for path in SOURCES if PACKAGE in path.parents]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes: Iterator[ast.AST] = iter(tree.body) if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "lamsim_core":
                yield from (f"lamsim_core.{alias.name}" for alias in node.names)
            yield node.module


@pytest.mark.parametrize("path", [p for p in MODULES if p != PACKAGE / "__init__.py"], ids=name_of)
def test_dependencies_point_one_way(path: Path) -> None:
    mine = layer_of(part_of(path))
    for target in imports(path):
        parts = target.split(".")
        if parts[0] == "lamsim_core" and len(parts) > 1 and parts[1] != "__version__":
            assert layer_of(parts[1]) <= mine, f"{name_of(path)} imports {target}, which lies above it"


def test_feedback_and_agent_share_nothing_but_records_and_environment() -> None:
    for path in MODULES:
        banned = {"feedback": "agent", "agent": "feedback"}.get(part_of(path))
        if banned:
            assert not [t for t in imports(path) if t.startswith(f"lamsim_core.{banned}")], name_of(path)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_slow_libraries_have_one_home(path: Path) -> None:
    home = part_of(path) if PACKAGE in path.parents else "ui"
    for target in imports(path):
        allowed = HEAVY.get(target.split(".")[0])
        at_home = allowed is None or home in allowed or any(name_of(path).endswith(f"/{file}") for file in allowed)
        assert at_home, f"{name_of(path)} imports {target}"


OUTSIDE_MEASURE = "lamsim_core.evaluate.bfcl"
"""The benchmark from outside, which nothing may train on."""


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_benchmark_from_outside_stays_where_it_is(path: Path) -> None:
    """Only what measures by it and what shows results knows of it, and its own package is never imported by name."""
    inside = PACKAGE / "evaluate" / "bfcl" in path.parents
    for target in imports(path):
        assert target.split(".")[0] != "bfcl_eval", name_of(path)
        if target.startswith(OUTSIDE_MEASURE):
            allowed = inside or (PACKAGE in path.parents and part_of(path) in ("flywheel", "shell", "ui"))
            assert allowed, f"{name_of(path)} imports {target}"
        if inside:
            part = target.split(".")[1] if target.startswith("lamsim_core.") else ""
            assert part not in ("store", "curate", "train", "explore"), f"{name_of(path)} imports {target}"
    if PACKAGE in path.parents and part_of(path) in ("store", "curate", "train", "explore", "tasks"):
        assert "bfcl_eval" not in path.read_text(encoding="utf-8"), name_of(path)


def test_nothing_slow_is_imported_before_it_is_needed() -> None:
    """Neither torch nor DuckDB nor Streamlit comes along with the core."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if part_of(path) not in ("ui", "train", "__main__") and "__main__" not in path.name
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "slow = {'torch', 'transformers', 'trl', 'peft', 'bitsandbytes', 'datasets', 'streamlit', 'duckdb', 'ray'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_stay_small(path: Path) -> None:
    limit = 400 if PACKAGE in path.parents else 150
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= limit, f"{name_of(path)} has {lines} lines; is it still about one thing?"


def test_no_module_is_a_drawer_for_everything() -> None:
    assert not [name_of(p) for p in SOURCES if p.stem in {"utils", "util", "helpers", "common", "misc"}]


BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
BANNED_ATTRIBUTES = {
    ("st", "html"),
    ("components", "html"),
    ("pickle", "load"),
    ("pickle", "loads"),
    ("torch", "load"),
    ("os", "system"),
    ("marshal", "loads"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
}
BANNED_KEYWORDS = {"shell", "unsafe_allow_html", "unsafe_allow_javascript", "trust_remote_code"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_runs_text(path: Path) -> None:
    """No call that could execute what a model, a file or a page says."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        where = f"{name_of(path)}:{node.lineno}"
        if isinstance(node.func, ast.Name):
            assert node.func.id not in BANNED_CALLS, where
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            assert (node.func.value.id, node.func.attr) not in BANNED_ATTRIBUTES, where
        for keyword in node.keywords:
            if keyword.arg in BANNED_KEYWORDS:
                assert isinstance(keyword.value, ast.Constant) and keyword.value.value is False, where


WRITERS_OF_MARKDOWN = {
    "markdown", "write", "caption", "title", "header", "subheader", "info", "success", "warning", "error", "toast"
}  # fmt: skip
CLEANERS = {"clean", "label"}
UNTRUSTED = {
    "instruction", "closing", "answer", "reply", "raw", "content", "message", "note", "tags", "got", "expected", "error",
    "description", "arguments", "text", "name", "say", "source",
}  # fmt: skip
"""Fields of records that hold what a model, a tool, a task, an import or a person wrote."""


def untrusted_parts(node: ast.AST) -> Iterator[str]:
    """Untrusted fields within an expression that did not pass a cleaner."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in CLEANERS or name == "len":
            return
    if isinstance(node, ast.Attribute) and node.attr in UNTRUSTED:
        yield ast.unparse(node)
    children = [node.body, node.orelse] if isinstance(node, ast.IfExp) else ast.iter_child_nodes(node)
    for child in children:
        yield from untrusted_parts(child)


@pytest.mark.parametrize("path", [p for p in SOURCES if PACKAGE not in p.parents or part_of(p) == "ui"], ids=name_of)
def test_markdown_is_never_written_from_data(path: Path) -> None:
    """Text that is not ours passes ``clean`` or ``label`` before Streamlit may read markup in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in WRITERS_OF_MARKDOWN
        ):
            for argument in node.args[:1]:
                assert not list(untrusted_parts(argument)), f"{name_of(path)}:{node.lineno} writes markdown from data"


@pytest.mark.parametrize(
    ("expression", "caught"),
    [("t.instruction", True), ("f'{t.answer}'", True), ("label(t.answer)", False), ("f'{len(t.tags)}'", False)],
)
def test_the_rule_above_catches(expression: str, caught: bool) -> None:
    assert bool(list(untrusted_parts(ast.parse(expression, mode="eval").body))) == caught

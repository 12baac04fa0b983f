"""Documentation that fails the build when it lies: the examples in docs/ are taken out, loaded and held to the contracts."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter

from lamsim_core.feedback import Check, action_checks, final_checks
from lamsim_core.models.endpoint_entry import OwnEndpoint
from lamsim_core.records import ErrorClass
from lamsim_core.settings import REPOSITORY
from lamsim_core.tasks import verify_template
from lamsim_core.tasks.template import parse_templates
from lamsim_core.tools import Category, category, get_category
from lamsim_core.train.presets import PRESETS

DOCS = REPOSITORY / "docs"
SEEDS = (*range(8), *range(100_000, 100_004))


def blocks(name: str, language: str) -> list[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def loaded(source: str, content: dict[str, Any], folder: Path) -> Category:
    path = folder / "library.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("library_of_the_docs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return category.from_module(module, "library", content)


def test_the_category_of_the_documentation_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = blocks("categories.md", "python")
    content, tasks = blocks("categories.md", "yaml")
    library = loaded(source, yaml.safe_load(content), tmp_path)
    known = {**category.categories(), "library": library}
    monkeypatch.setattr(category, "categories", lambda: known)
    category._world.cache_clear()
    assert library.title == "Library" and set(library.tools) == {"find_books", "borrow_book"}
    for template in parse_templates(tasks, "docs/categories.md", library):
        report = verify_template(template, SEEDS)
        assert report.problems == () and report.distinct == len(SEEDS)
        assert len(template.say) >= 5


def test_the_tasks_of_the_documentation_work() -> None:
    examples = [block for block in blocks("tasks.md", "yaml") if block.startswith("- id:")]
    templates = [t for block in examples for t in parse_templates(block, "docs/tasks.md", get_category("shopping"))]
    assert [bool(t.solve) for t in templates] == [True, False, False]
    for template in templates:
        assert verify_template(template, SEEDS).problems == (), template.id


@pytest.mark.parametrize("path", sorted([REPOSITORY / "README.md", *DOCS.rglob("*.md")]), ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_tree_of_the_readme_is_there() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    tree = text[text.index("## The tree") :].split("```")[1]
    entries = [match for line in tree.splitlines() if (match := re.match(r"( {0,2})([\w.]+/?) {2,}", line))]
    assert len(entries) > 15
    for indent, name in (match.groups() for match in entries):
        path = REPOSITORY / ("lamsim_core" if indent else "") / name
        assert name == "var/" or path.exists(), f"README names {name}"


def test_every_error_class_and_every_check_is_in_the_table() -> None:
    text = (DOCS / "feedback.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    assert [row[1].strip(" `") for row in rows] == [*get_args(ErrorClass)]
    checks: dict[str, Check[Any]] = {**action_checks(), **final_checks()}
    in_table = {name for row in rows for name in re.findall(r"`([a-z._]+)`", row[2])}
    assert in_table <= set(checks)
    without_class = set(checks) - in_table
    assert without_class == {"path.progress", "path.cost"} and all(f"`{name}`" in text for name in without_class)
    for row in rows:
        kinds = {"gate" if checks[name].gate else "diagnostic" for name in re.findall(r"`([a-z._]+)`", row[2])}
        assert all(kind in row[2] + row[3] or "both" in row[3] for kind in kinds), row[1]


def test_the_entries_of_the_documentation_are_taken() -> None:
    (text,) = blocks("endpoints.md", "yaml")
    entries = TypeAdapter(list[OwnEndpoint]).validate_python(yaml.safe_load(text))
    assert [entry.name for entry in entries if not entry.is_local] == ["a-service"]
    described = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ", (DOCS / "endpoints.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name for row in described for name in re.findall(r"\w+", row)} == set(OwnEndpoint.model_fields)


def test_the_presets_of_the_documentation_are_those_of_the_code() -> None:
    text = (DOCS / "training.md").read_text(encoding="utf-8")
    for name, preset in PRESETS.items():
        for method, recipe in preset.recipes.items():
            row = (
                f"| `{name}` | `{method}` | {recipe.epochs:g} | {recipe.learning_rate:g} | {recipe.batch_size} x"
                f" {recipe.gradient_accumulation} | {recipe.lora_rank} | {recipe.max_length:,} |"
            )
            assert row in text, row

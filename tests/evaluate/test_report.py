"""The report says what was measured, and holds no markup but its own."""

import re
import shlex
from html.parser import HTMLParser

import pytest
import typer

from lamsim_core.errors import InvalidInputError
from lamsim_core.evaluate.metrics import compare, evaluation_row
from lamsim_core.evaluate.report import command, report, sentence
from lamsim_core.records import Comparison, Evaluation, PolicyInfo, Trials
from lamsim_core.shell.program import program
from lamsim_core.tasks import plan_tasks
from tests.evaluate import test_parts

HOSTILE = "evil|name\n# <img src=x> ![a](http://b) `c` $x$ :red[d] \x1b[31m"


def evaluation(names: tuple[str, ...] = ("base", "trained"), split: str = "unseen_instances") -> Evaluation:
    tasks = plan_tasks("unseen_instances", 4)
    found = [{(task.key, 0): number == 1 for task in tasks} for number in range(len(names))]
    rows = tuple(
        evaluation_row(PolicyInfo(kind="model", name=name), f"run_{number}", tasks, 1, [])
        for number, name in enumerate(names)
    )
    pairs = (compare(names[0], names[1], found[0], found[1]),) if len(names) > 1 else ()
    return Evaluation(
        id="evl_x",
        name="My evaluation",
        created="2026-01-01T00:00:00.000+00:00",
        split=split,
        task_keys=tuple(task.key for task in tasks),
        attempts=1,
        rows=rows,
        comparisons=pairs,
        seconds=1.0,
    )


def test_a_report_has_results_comparisons_and_how_to_read_them() -> None:
    text = report(evaluation())
    assert text.startswith("# My evaluation\n")
    for part in (
        "4 new instances of trained tasks, 1 attempt each",
        "## Results",
        "Wilson",
        "## Comparisons",
        "McNemar",
    ):
        assert part in text
    assert "| base | 0 of 4 | 0.0% |" in text
    assert "| base | trained | 0 | 0 | 4 | 0 | +100.0 points | +100.0 to +100.0 | 0.1250 |" in text
    assert "No action failed a check." in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, "every line of a table has the same cells"


def test_one_policy_needs_no_comparison() -> None:
    assert "## Comparisons" not in report(evaluation(("alone",)))


def test_training_tasks_are_called_what_they_are() -> None:
    assert "NOT held out" in report(evaluation(split="train"))


def test_names_cannot_become_markup() -> None:
    text = report(evaluation((HOSTILE, "trained")))
    assert "\x1b" not in text
    assert "\n# <img" not in text
    for live in ("<img", "![a]", "`c`", "$x$", ":red[", "|name"):
        assert not re.search(rf"(?<!\\){re.escape(live)}", text), live


@pytest.mark.parametrize(
    ("difference", "low", "high", "says"),
    [
        (
            0.125,
            0.02,
            0.2,
            "b passes 12.5 points more often than a. The interval leaves out 0, but p is not below 0.05",
        ),
        (-0.125, -0.2, 0.02, "b passes 12.5 points less often than a. The interval holds 0: this may be chance."),
        (0.0, -0.1, 0.1, "b passes as often as a."),
    ],
)
def test_a_comparison_in_a_sentence(difference: float, low: float, high: float, says: str) -> None:
    comparison = Comparison(
        first="a", second="b", both=1, only_first=1, only_second=1, neither=1,
        difference=difference, low=low, high=high, p_value=0.5,
    )  # fmt: skip
    assert sentence(comparison).startswith(says)


def several() -> Evaluation:
    """Two splits, sampled attempts, mistakes, and what was asked for."""
    made = test_parts.evaluation(*test_parts.PARTS)
    trials = Trials(
        run="run_t", sampling=None, attempts=2, passes=(2, 1), finished=4, pass_rate=0.75, low=0.5, high=1.0,
        all_pass=(0.75, 0.5),
    )  # fmt: skip
    wrong = {"errors": {"tool_name": 3, "structure": 5}, "actions": 40, "errors_per_100": 17.5, "trials": trials}
    asked = {
        "models": ["a", "b c", "noop"], "categories": ["calendar"], "tasks": 2, "seed": 3, "attempts": 1, "trials": 2,
        "trial_tasks": 1, "trial_temperature": 0.7, "temperature": 0.0, "constrained": True, "quantisation": None,
    }  # fmt: skip
    rows = tuple(row.model_copy(update=wrong) for row in made.rows)
    return made.model_copy(update={"rows": rows, "asked": asked, "versions": {"checks": "9"}})


def test_several_splits_are_reported_together_and_each() -> None:
    text = report(several())
    for title in ("### All together", "### Unseen tools", "### Unseen categories"):
        assert title in text
    assert "4 tasks, 2 of each" in text
    assert "- Unseen tools: b passes as often as a." in text
    assert "| All together | a | 2 | 2 each | 75.0% | 50.0% to 100.0% | 50.0% |" in text
    assert "| structure | 12.5 (5) | 12.5 (5) | 12.5 (5) |" in text
    assert text.index("| structure") < text.index("| tool name"), "the most frequent first"
    assert "checks 9" in text


def test_the_command_is_one_the_shell_takes() -> None:
    said = command(several())
    assert said.startswith("python -m lamsim_core evaluate --model a --model 'b c' --model noop --split unseen_tools")
    assert "--seed 3" in said and "--attempts" not in said and said.endswith("--constrained")
    words = shlex.split(said)[4:]
    shell = typer.main.get_command(program()).commands["evaluate"]  # type: ignore[attr-defined]
    found = shell.make_context("evaluate", words).params
    assert (found["model"], found["split"]) == (["a", "b c", "noop"], ["unseen_tools", "unseen_categories"])
    assert (found["trials"], found["trial_tasks"], found["constrained"]) == (2, 1, True)


class Reader(HTMLParser):
    """The elements and the text of a page; every element is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["trained", HOSTILE, "</svg><script>alert(1)</script>", '" onload="x'])
def test_a_page_loads_and_runs_nothing_whatever_a_name_says(name: str) -> None:
    infos = [PolicyInfo(kind="model", name="base"), PolicyInfo(kind="model", name=name)]
    made = test_parts.evaluation(*test_parts.PARTS, policies=infos)
    wrong = {"errors": {"tool_name": 3}, "actions": 40, "errors_per_100": 7.5}
    made = made.model_copy(update={"name": name, "rows": tuple(row.model_copy(update=wrong) for row in made.rows)})
    reader = Reader()
    reader.feed(report(made, ".html"))
    assert reader.open == [] and {"svg", "circle", "rect", "table"} < reader.names
    assert not reader.names & {"script", "img", "iframe", "link", "a", "object", "image", "use"}
    addresses = [value for attribute, value in reader.attributes if value and "//" in value]
    assert addresses == ["http://www.w3.org/2000/svg"] * 2
    assert not any(attribute.startswith("on") or attribute in ("href", "src") for attribute, _ in reader.attributes)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in reader.attributes


def test_other_forms_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"written as \.md or \.html"):
        report(evaluation(), ".pdf")

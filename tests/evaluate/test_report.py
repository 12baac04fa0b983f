"""The Markdown report says what was measured, and holds no markup but its own."""

import re

import pytest

from lamsim_core.evaluate.metrics import compare, evaluation_row
from lamsim_core.evaluate.report import report, sentence
from lamsim_core.records import Comparison, Evaluation, PolicyInfo
from lamsim_core.tasks import plan_tasks

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
    assert "**not** held out" in report(evaluation(split="train"))


def test_names_cannot_become_markup() -> None:
    text = report(evaluation((HOSTILE, "trained")))
    assert "\x1b" not in text
    assert "\n# <img" not in text
    for live in ("<img", "![a]", "`c`", "$x$", ":red[", "|name"):
        assert not re.search(rf"(?<!\\){re.escape(live)}", text), live


@pytest.mark.parametrize(
    ("difference", "low", "high", "says"),
    [
        (0.125, 0.02, 0.2, "b passes 12.5 points more often than a; the interval leaves out 0"),
        (-0.125, -0.2, 0.02, "b passes 12.5 points less often than a; the interval holds 0"),
        (0.0, -0.1, 0.1, "b passes as often as a."),
    ],
)
def test_a_comparison_in_a_sentence(difference: float, low: float, high: float, says: str) -> None:
    comparison = Comparison(
        first="a", second="b", both=1, only_first=1, only_second=1, neither=1,
        difference=difference, low=low, high=high, p_value=0.5,
    )  # fmt: skip
    assert sentence(comparison).startswith(says)

"""An evaluation as a Markdown report that can be read, kept and handed on."""

from collections.abc import Sequence

from lamsim_core.records import Comparison, Evaluation, EvaluationRow

_SPLITS = {
    "train": "training tasks (**not** held out: these numbers say nothing about new tasks)",
    "unseen_instances": "new instances of trained tasks",
    "unseen_tools": "tasks with tools never seen in training",
    "unseen_categories": "tasks of categories never seen in training",
}


def report(evaluation: Evaluation) -> str:
    """The whole report. Names of models and checks are escaped, so that they cannot become markup."""
    parts = [
        f"# {_plain(evaluation.name)}",
        f"{len(evaluation.task_keys)} {_SPLITS[evaluation.split]}, {_count(evaluation.attempts, 'attempt')} each. "
        f"Evaluation `{evaluation.id}`, {evaluation.created}, {evaluation.seconds:.0f} s of agents at work.",
        "## Results",
        _results(evaluation.rows),
        "The interval is the 95 % Wilson interval of the pass rate. Every planned attempt counts; one that did not finish or "
        "could not be scored counts as not passed. Errors are actions with a failed check per 100 actions.",
    ]
    if evaluation.comparisons:
        parts += [
            "## Comparisons",
            _comparisons(evaluation.comparisons),
            "The same attempts with the same seeds. The difference is second minus first, with its 95 % paired bootstrap "
            "interval over tasks; p is the exact two-sided McNemar test.",
            "\n".join(f"- {_plain(sentence(comparison))}" for comparison in evaluation.comparisons),
        ]
    parts += ["## By category", _categories(evaluation.rows), "## Errors by kind", _errors(evaluation.rows)]
    parts += ["## Who acted", _policies(evaluation.rows)]
    return "\n\n".join(parts) + "\n"


def sentence(comparison: Comparison) -> str:
    """What a comparison says, in one sentence of plain text. It holds the names of the policies as they are."""
    points = 100 * comparison.difference
    if points == 0:
        return f"{comparison.second} passes as often as {comparison.first}."
    which = "more" if points > 0 else "less"
    sure = (
        "the interval leaves out 0, which luck alone rarely does"
        if comparison.low > 0 or comparison.high < 0
        else "the interval holds 0, so this may be luck"
    )
    return f"{comparison.second} passes {abs(points):.1f} points {which} often than {comparison.first}; {sure}."


def _results(rows: Sequence[EvaluationRow]) -> str:
    return _table(
        (
            "policy",
            "passed",
            "pass rate",
            "95 % interval",
            "finished",
            "actions",
            "errors per 100",
            "seconds per attempt",
        ),
        [
            (
                _plain(row.policy.label),
                f"{row.passed} of {row.planned}",
                f"{row.pass_rate:.1%}",
                f"{row.low:.1%} to {row.high:.1%}",
                str(row.finished),
                str(row.actions),
                _number(row.errors_per_100, 1),
                _number(row.mean_seconds, 2),
            )
            for row in rows
        ],
    )


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    return _table(
        ("first", "second", "both", "only first", "only second", "neither", "difference", "95 % interval", "p"),
        [
            (
                _plain(each.first),
                _plain(each.second),
                str(each.both),
                str(each.only_first),
                str(each.only_second),
                str(each.neither),
                f"{100 * each.difference:+.1f} points",
                f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
                "< 0.0001" if each.p_value < 0.0001 else f"{each.p_value:.4f}",
            )
            for each in comparisons
        ],
    )


def _categories(rows: Sequence[EvaluationRow]) -> str:
    names = sorted({name for row in rows for name in row.by_category})
    return _table(
        ("policy", *(_plain(name) for name in names)),
        [
            (_plain(row.policy.label), *("{} of {}".format(*row.by_category.get(name, (0, 0))) for name in names))
            for row in rows
        ],
    )


def _errors(rows: Sequence[EvaluationRow]) -> str:
    names = sorted({name for row in rows for name in row.errors})
    if not names:
        return "No action failed a check."
    return _table(
        ("policy", *(_plain(name) for name in names)),
        [(_plain(row.policy.label), *(str(row.errors.get(name, 0)) for name in names)) for row in rows],
    )


def _policies(rows: Sequence[EvaluationRow]) -> str:
    return _table(
        ("policy", "kind", "model", "adapter", "weights", "temperature", "run"),
        [
            (
                _plain(row.policy.label),
                row.policy.kind,
                f"`{row.policy.model_hash[:12]}`" if row.policy.model_hash else "none",
                f"`{row.policy.adapter_hash[:12]}`" if row.policy.adapter_hash else "none",
                row.policy.quantisation or "none",
                f"{row.policy.sampling.temperature:g}" if row.policy.sampling else "none",
                f"`{row.run}`",
            )
            for row in rows
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text with every character that Markdown could read as markup escaped, on one line."""
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+!|~$:" else letter for letter in flat)


def _number(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

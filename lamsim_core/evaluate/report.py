"""An evaluation as a report that can be read, kept and handed on."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lamsim_core.errors import InvalidInputError
from lamsim_core.evaluate.blocks import Block, Code, Grid, Heading, Items, Plot, Text, markdown, page
from lamsim_core.evaluate.parts import is_model, rows_of, telling
from lamsim_core.evaluate.plots import Mark, bars, intervals
from lamsim_core.records import Comparison, Evaluation, EvaluationRow, Split

WRITERS = {".md": markdown, ".html": page}
"""How a report is written, by the ending of its file."""
_TITLES: Mapping[Split, str] = {
    "train": "Training tasks",
    "unseen_instances": "Unseen instances",
    "unseen_tools": "Unseen tools",
    "unseen_categories": "Unseen categories",
}
_SPLITS: Mapping[Split, str] = {
    "train": "training tasks (NOT held out: these numbers say nothing about new tasks)",
    "unseen_instances": "new instances of trained tasks",
    "unseen_tools": "tasks with tools never seen in training",
    "unseen_categories": "tasks of categories never seen in training",
}
_OPTIONS = (
    ("tasks", None),
    ("attempts", 1),
    ("trials", 0),
    ("trial_tasks", None),
    ("trial_temperature", None),
    ("temperature", 0.0),
    ("seed", 0),
    ("max_steps", None),
    ("max_new_tokens", None),
    ("quantisation", None),
)
"""Options of the shell by the names of parameters, with what they are when not given."""


def report(evaluation: Evaluation, ending: str = ".md") -> str:
    """The whole report, as Markdown or as one HTML page. Names of models and checks cannot become markup in it.

    Raises:
        InvalidInputError: there is no such form.
    """
    return WRITERS[ending_of(Path(f"report{ending}"))](blocks(evaluation))


def ending_of(path: Path) -> str:
    """Which form a file's name asks for.

    Raises:
        InvalidInputError: none.
    """
    if path.suffix not in WRITERS:
        raise InvalidInputError(f"A report is written as {' or '.join(WRITERS)}, not as {path.name!r}.")
    return path.suffix


def blocks(evaluation: Evaluation) -> list[Block]:
    """The report, form aside: the answer first, what it rests on after it."""
    overall = rows_of(evaluation)
    parts: list[Block] = [
        Heading(evaluation.name, 1),
        Text(
            f"{_tasks(evaluation)}, {_count(evaluation.attempts, 'attempt')} each. "
            f"Evaluation {evaluation.id}, {evaluation.created}, {evaluation.seconds:.0f} s of agents at work."
        ),
    ]
    comparisons = telling(evaluation)
    if comparisons:
        parts += [Heading("What differs"), Items([sentence(each) for each in comparisons])]
    parts += [Heading("Results"), _rates_plot(evaluation)]
    for title, rows in _by_split(evaluation):
        parts += [*([Heading(title, 3)] if title else []), _results(rows)]
    parts.append(
        Text(
            "The interval is the 95 % Wilson interval of the pass rate. Every planned attempt counts; one that did not finish "
            "or could not be scored counts as not passed. Errors are actions with a failed check per 100 actions."
        )
    )
    parts += _reliability(evaluation)
    if comparisons:
        parts += [
            Heading("Comparisons"),
            _comparisons(comparisons),
            Text(
                "The same attempts with the same seeds. The difference is second minus first, with its 95 % paired bootstrap "
                "interval over tasks; p is the exact two-sided McNemar test."
            ),
        ]
    parts += [Heading("Errors by kind"), *_errors(overall)]
    parts += [Heading("By category"), _categories(overall)]
    return [*parts, Heading("Who acted"), _policies(overall), *_how(evaluation)]


def sentence(comparison: Comparison) -> str:
    """What a comparison says, in plain sentences. It holds the names of the policies as they are."""
    where = f"{_TITLES[comparison.split]}: " if comparison.split else ""
    points = 100 * comparison.difference
    if points == 0:
        return f"{where}{comparison.second} passes as often as {comparison.first}."
    which = "more" if points > 0 else "less"
    said = f"{comparison.second} passes {abs(points):.1f} points {which} often than {comparison.first}."
    return f"{where}{said} {comparison.sure}"


def _tasks(evaluation: Evaluation) -> str:
    each = len(evaluation.task_keys) // len(evaluation.parts)
    if len(evaluation.parts) == 1:
        return f"{each} {_SPLITS[evaluation.split]}"
    return (
        f"{len(evaluation.task_keys)} tasks, {each} of each: {'; '.join(_SPLITS[split] for split in evaluation.parts)}"
    )


def _by_split(evaluation: Evaluation) -> list[tuple[str, list[EvaluationRow]]]:
    if len(evaluation.parts) == 1:
        return [("", rows_of(evaluation))]
    split = [(_TITLES[split], rows_of(evaluation, split)) for split in evaluation.parts]
    return [("All together", rows_of(evaluation)), *split]


def _rates_plot(evaluation: Evaluation) -> Plot:
    groups = {
        title: [Mark(row.policy.label, row.pass_rate, row.low, row.high, place) for place, row in enumerate(rows)]
        for title, rows in _by_split(evaluation)
    }
    return Plot(intervals(groups, title="Pass rates with 95 % intervals"))


def _results(rows: Sequence[EvaluationRow]) -> Grid:
    head = ("policy", "passed", "pass rate", "95 % interval", "finished", "actions", "errors per 100", "seconds each")
    return Grid(
        head,
        [
            (
                row.policy.label,
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


def _reliability(evaluation: Evaluation) -> list[Block]:
    """Sampled attempts: how often one passes, and how often all of k do."""
    sampled = [
        (title, row.policy.label, row.trials)
        for title, rows in _by_split(evaluation)
        for row in rows
        if row.trials is not None
    ]
    if not sampled:
        return []
    most = max(trials.attempts for *_, trials in sampled)
    return [
        Heading("Several attempts at a task"),
        Grid(
            (
                *("tasks", "policy", "number", "attempts", "one passes", "95 % interval"),
                *(f"all of {k} pass" for k in range(2, most + 1)),
            ),
            [
                (
                    title or "All",
                    who,
                    str(len(trials.passes)),
                    f"{trials.attempts} each",
                    f"{trials.pass_rate:.1%}",
                    f"{trials.low:.1%} to {trials.high:.1%}",
                    *(f"{share:.1%}" for share in trials.all_pass[1:]),
                )
                for title, who, trials in sampled
            ],
        ),
        Text(
            f"Replies are drawn{_drawn(evaluation)}, at the first tasks of each split. Attempts at one task resemble each "
            "other, so the interval is a bootstrap over tasks. All of k pass: pass^k, the chance that k attempts all pass."
        ),
    ]


def _drawn(evaluation: Evaluation) -> str:
    found = {
        f"{row.trials.sampling.temperature:g}"
        for row in evaluation.rows
        if row.trials and row.trials.sampling is not None
    }
    return f" at temperature {', '.join(sorted(found))}" if found else ""


def _comparisons(comparisons: Sequence[Comparison]) -> Grid:
    several = any(each.split for each in comparisons)
    head = ("first", "second", "both", "only first", "only second", "neither", "difference", "95 % interval", "p")
    return Grid(
        (*(["tasks"] if several else []), *head),
        [
            (
                *([_TITLES[each.split] if each.split else "All together"] if several else []),
                each.first,
                each.second,
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


def _errors(rows: Sequence[EvaluationRow]) -> list[Block]:
    """For each kind of error how often each policy makes it per 100 actions; the most frequent first."""
    names = {name: sum(row.errors.get(name, 0) for row in rows) for row in rows for name in row.errors}
    if not names:
        return [Text("No action failed a check.")]
    order = sorted(names, key=lambda name: (-names[name], name))
    acting = [row for row in rows if row.actions]
    per_hundred = {
        name: {row.policy.label: 100 * row.errors.get(name, 0) / row.actions for row in acting} for name in order
    }
    models = {row.policy.label for row in acting if is_model(row.policy)} or {row.policy.label for row in acting}
    drawn = {
        name.replace("_", " "): {who: value for who, value in amounts.items() if who in models}
        for name, amounts in per_hundred.items()
    }
    table = Grid(
        ("kind", *(row.policy.label for row in rows)),
        [
            (
                name.replace("_", " "),
                *(
                    f"{per_hundred[name][row.policy.label]:.1f} ({row.errors.get(name, 0)})" if row.actions else "none"
                    for row in rows
                ),
            )
            for name in order
        ],
    )
    told = Text(
        "Actions with an error of the kind per 100 actions, and in brackets how many. An action can have several."
    )
    return [Plot(bars(drawn, title="Errors per 100 actions, by kind")), table, told]


def _categories(rows: Sequence[EvaluationRow]) -> Grid:
    names = sorted({name for row in rows for name in row.by_category})
    return Grid(
        ("category", *(row.policy.label for row in rows)),
        [(name, *("{} of {}".format(*row.by_category.get(name, (0, 0))) for row in rows)) for name in names],
    )


def _policies(rows: Sequence[EvaluationRow]) -> Grid:
    return Grid(
        ("policy", "kind", "model", "adapter", "template", "weights", "device", "temperature", "runs"),
        [
            (
                row.policy.label,
                row.policy.kind,
                _hash(row.policy.model_hash),
                _hash(row.policy.adapter_hash),
                _hash(row.policy.template_hash),
                row.policy.quantisation or "none",
                row.policy.device or "none",
                f"{row.policy.sampling.temperature:g}" if row.policy.sampling else "none",
                ", ".join([row.run, *([row.trials.run] if row.trials else [])]),
            )
            for row in rows
        ],
    )


def _how(evaluation: Evaluation) -> list[Block]:
    """What to type to measure the same again, and what it was measured with; nothing where that was not kept."""
    if not evaluation.asked:
        return []
    versions = ", ".join(f"{name} {version}" for name, version in sorted(evaluation.versions.items()))
    return [
        Heading("How it was obtained"),
        Code(command(evaluation)),
        Text(
            "Tasks are drawn by the seed, so this gives the same tasks and the same seeds for replies. No model judges: "
            "programs compare the final state and the answer with what the task demands."
        ),
        *([Text(f"Made with {versions}.")] if versions else []),
    ]


def command(evaluation: Evaluation) -> str:
    """What to type to make the evaluation again."""
    asked = evaluation.asked
    words = ["python", "-m", "lamsim_core", "evaluate"]

    def several(name: str) -> list[str]:
        found = asked.get(name)
        return [str(each) for each in found] if isinstance(found, list) else []

    for option, given in (
        ("model", several("models")),
        ("split", list(evaluation.parts)),
        ("category", several("categories")),
        ("template", several("templates")),
    ):
        words += [word for each in given for word in (f"--{option}", each)]
    for name, usual in _OPTIONS:
        value = asked.get(name)
        if value is None or value == usual or (name.startswith("trial_") and not asked.get("trials")):
            continue
        words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join([*words, *(["--constrained"] if asked.get("constrained") is True else [])])


def _hash(value: str | None) -> str:
    return value[:16] if value else "none"


def _number(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""A dataset's card: what is in it, where it comes from, what was left out."""

from collections.abc import Mapping

from lamsim_core.records import Dataset, Selection

_TITLES = {
    "category": "Rows by category",
    "template": "Rows by template",
    "policy": "Rows by who acted",
    "calls": "Rows by number of calls",
    "left_out": "Trajectories left out, by reason",
}


def card(dataset: Dataset) -> str:
    """The card as Markdown. Names that came with the trajectories stand in code spans, so that they stay text."""
    parts = [
        f"# {_code(dataset.name)}",
        f"{dataset.rows} rows for supervised fine-tuning of tool-calling agents, frozen {dataset.created} by LAM Simulator.",
        f"- id: `{dataset.id}`\n- hash of the rows (BLAKE2b, 128 bits): `{dataset.hash}`\n"
        f"- earlier version: {f'`{dataset.parent}`' if dataset.parent else 'none'}",
        "Each line of `rows.jsonl` is one trajectory on a training task: `messages` and `tools` in the form TRL reads. Held-out "
        "tasks never enter. This version is never changed; a changed one is refused when it is read.",
        "## How the trajectories were chosen",
        _rules(dataset.selection),
    ]
    for key, title in _TITLES.items():
        parts += [f"## {title}", _counts(dataset.counts.get(key, {}))]
    return "\n\n".join(parts) + "\n"


def _rules(selection: Selection) -> str:
    rules = {
        "only passed": "yes" if selection.passed_only else "no",
        "decisions let in": ", ".join(selection.decisions) or "none",
        "policies": _names(selection.policies),
        "categories": _names(selection.categories),
        "templates": _names(selection.templates),
        "runs": _names(selection.runs),
        "tags": _names(selection.tags),
        "most per template": _limit(selection.max_per_template),
        "most failed actions": _limit(selection.max_errors),
    }
    return "\n".join(f"- {name}: {value}" for name, value in rules.items())


def _counts(counts: Mapping[str, int]) -> str:
    return "\n".join(f"- {_code(name)}: {number}" for name, number in counts.items()) or "none"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(_code(name) for name in names) or "any"


def _limit(number: int | None) -> str:
    return "any number" if number is None else str(number)


def _code(text: str) -> str:
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"`{flat.replace('`', chr(39))}`"

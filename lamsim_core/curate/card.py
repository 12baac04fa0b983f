"""A dataset's card: what is in it, where it comes from, what was left out, and all that is needed to make it again."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from lamsim_core.canonical import canonical_json
from lamsim_core.curate.rules import shortage
from lamsim_core.curate.select import funnel
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Dataset, DatasetKind, Selection, Weigh

_TITLES = {
    "pair": "Pairs by kind",
    "label": "Messages by label",
    "chosen_by": "Pairs by who wrote the chosen message",
    "category": "Rows by category",
    "kind": "Rows by what the task demands (a task counts for each of its kinds)",
    "template": "Rows by template",
    "policy": "Rows by who acted",
    "calls": "Rows by number of calls",
    "dropped": "Rows found and left out, by reason",
    "left_out": "Trajectories left out, by reason",
}
_WHAT: dict[DatasetKind, str] = {
    "sft": "rows for supervised fine-tuning",
    "preference": "preference pairs for training (DPO)",
    "labels": "messages labelled right or wrong for training (KTO)",
}
_LINE: dict[DatasetKind, str] = {
    "sft": "one trajectory on a training task: `messages` and `tools` in the form TRL reads.",
    "preference": "two messages at the same place of a training task, of which `chosen` is the better one: `prompt`, `chosen`, "
    "`rejected` and `tools` in the form TRL reads, and why, by which verdicts, from which attempts.",
    "labels": "one message at a place of a training task and whether it was right: `prompt`, `completion`, `label` and "
    "`tools` in the form TRL reads, and why, by which verdicts, from which attempt.",
}
_ORIGIN = re.compile(r"```json\n(?P<selection>\{[^`]*\})\n```")
_FROZEN = re.compile(r"^- frozen: `(?P<created>[^`]*)`$", re.MULTILINE)
_KIND = re.compile(r"^- rows are: `(?P<kind>sft|preference|labels)`$", re.MULTILINE)
_HASH = re.compile(r"^- hash of the rows \(BLAKE2b, 128 bits\): `(?P<hash>[0-9a-f]{32})`$", re.MULTILINE)

WEIGHED: dict[Weigh, str] = {
    "verified": "what was verified: failed actions, messages answered with feedback and ends of failed attempts are context only",
    "all": "UNFILTERED: everything the agent said, failed or not",
}
"""What of a row is trained on, in words."""


class Origin(NamedTuple):
    """What a card says a dataset was made from."""

    selection: Selection
    created: str
    hash: str
    kind: DatasetKind


def card(dataset: Dataset) -> str:
    """The card as Markdown. Names that came with the trajectories stand in code spans, so that they stay text."""
    parts = [
        f"# {_code(dataset.name)}",
        f"{dataset.rows} {_WHAT[dataset.kind]} of tool-calling agents, frozen {dataset.created} by LAM Simulator.",
        f"- id: `{dataset.id}`\n- rows are: `{dataset.kind}`\n- frozen: `{dataset.created}`\n"
        f"- hash of the rows (BLAKE2b, 128 bits): `{dataset.hash}`\n"
        f"- earlier version: {f'`{dataset.parent}`' if dataset.parent else 'none'}",
        f"Each line of `rows.jsonl` is {_LINE[dataset.kind]} Held-out tasks never enter. "
        "This version is never changed; a changed one is refused when it is read.",
        *_warnings(dataset),
        "## How the trajectories were chosen",
        _rules(dataset.selection, dataset.kind),
        "## How many were left after each stage",
        _counts(funnel(len(dataset.members), dataset.counts.get("left_out", {}))),
    ]
    for key, title in _TITLES.items():
        if key in dataset.counts:
            parts += [f"## {title}", _counts(dataset.counts[key])]
    parts += [
        "## To make it again",
        "`dataset rebuild ID --check` reads the following from this card and makes the rows again from the store.",
        f"```json\n{_json(dataset.selection)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def read_card(text: str) -> Origin:
    """What a dataset was made from, as its card says.

    Raises:
        InvalidInputError: the card does not say it: it was written by an earlier version, or changed.
    """
    made, frozen, rows = _ORIGIN.search(text), _FROZEN.search(text), _HASH.search(text)
    if made is None or frozen is None or rows is None:
        raise InvalidInputError("The card does not say what the dataset was made from; an earlier version wrote it.")
    try:
        said = _KIND.search(text)
        kind = TypeAdapter(DatasetKind).validate_python(said["kind"] if said else "sft")
        return Origin(Selection.model_validate_json(made["selection"]), frozen["created"], rows["hash"], kind)
    except ValidationError as error:
        raise InvalidInputError(
            "What the card says the dataset was made from cannot be read; it was changed."
        ) from error


def rules_of(selection: Selection, kind: DatasetKind = "sft") -> dict[str, str]:
    """Every rule of a selection that counts for datasets of a kind, in words, names in code spans."""
    rules = _general_rules(selection)
    if kind == "sft":
        return rules
    for name in ("outcomes", "most failed actions", "near-duplicates", "kept first", "trained on"):
        del rules[name]
    rules["drawn by seed"] = str(selection.seed)
    if kind == "preference":
        rules["kinds of pairs"] = ", ".join(selection.pair_kinds) or "all"
        rules["most per kind of pair"] = _limit(selection.max_per_pair_kind)
    else:
        balance = selection.label_balance
        rules["most of one label for each of the other"] = "any number" if balance is None else f"{balance:g}"
    return rules


def _general_rules(selection: Selection) -> dict[str, str]:
    watched = (*selection.decontaminate, *(each.name for each in selection.outside))
    outcomes = selection.outcomes or (("passed",) if selection.passed_only else ())
    return {
        "outcomes": ", ".join(outcomes) or "any",
        "decisions let in": ", ".join(selection.decisions) or "none",
        "policies": _names(selection.policies),
        "categories": _names(selection.categories),
        "kinds": _names(selection.kinds),
        "templates": _names(selection.templates),
        "runs": _names(selection.runs),
        "tags": _names(selection.tags),
        "from the start or forked": " or ".join(selection.origins) or "both",
        "made": f"from {_code(selection.since or 'ever')} to {_code(selection.until or 'ever')}",
        "steps": f"{selection.min_steps or 0} to {_limit(selection.max_steps)}",
        "tools offered": f"{selection.min_tools or 0} to {_limit(selection.max_tools)}",
        "looks of the tools": {"any": "any", "plain": "as they are", "varied": "varied"}[selection.looks],
        "most failed actions": _limit(selection.max_errors),
        "question": _code(selection.sql.strip()) if selection.sql.strip() else "none",
        "included by hand": str(len(selection.include)),
        "excluded by hand": str(len(selection.exclude)),
        "kept first": f"by seed {selection.seed}" if selection.keep == "seeded" else f"the {selection.keep}",
        "near-duplicates": "kept" if selection.alike is None else f"from {selection.alike:g} of the words on",
        "most per template": _limit(selection.max_per_template),
        "shares of categories": _shares(selection.category_shares),
        "shares of kinds": _shares({str(kind): share for kind, share in selection.kind_shares.items()}),
        "shares of who acted": _shares(selection.policy_shares),
        "decontaminated against": ", ".join(map(_code, watched)) or "nothing",
        "most rows": _limit(selection.rows),
        "tools a row shows": "all"
        if selection.spare_tools is None
        else f"the needed and up to {selection.spare_tools} more",
        "rows of one world": "each with tools of its own"
        if selection.share_tools is None
        else f"up to {selection.share_tools} with the same tools",
        "trained on": WEIGHED[selection.weigh],
    }


def _warnings(dataset: Dataset) -> list[str]:
    """What nobody should overlook."""
    unfiltered = WEIGHED["all"] if dataset.selection.weigh == "all" and dataset.kind == "sft" else None
    return [f"**{each}**" for each in (unfiltered, shortage(dataset.selection, dataset.rows)) if each]


def _rules(selection: Selection, kind: DatasetKind) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in rules_of(selection, kind).items())


def _json(selection: Selection) -> str:
    """Without backticks, so that nothing in it can end the block."""
    return canonical_json(selection.model_dump(mode="json")).replace("`", "\\u0060")


def _counts(counts: Mapping[str, int]) -> str:
    return "\n".join(f"- {_code(name)}: {number}" for name, number in counts.items()) or "none"


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{_code(name)} {share:g}" for name, share in shares.items()) or "as they come"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(_code(name) for name in names) or "any"


def _limit(number: int | None) -> str:
    return "any number" if number is None else str(number)


def _code(text: str) -> str:
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"`{flat.replace('`', chr(39))}`"

"""Pickers that pages share: who acts, on which tasks, how replies are drawn."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import streamlit as st

from lamsim_core.agent.policy import PLAIN_POLICIES
from lamsim_core.errors import InvalidInputError
from lamsim_core.models.registry import ModelEntry, adapter_folders, list_models
from lamsim_core.records import Adapter, Split
from lamsim_core.settings import Settings
from lamsim_core.store import Index
from lamsim_core.store.queries import TrajectoryFilter, find_trajectories
from lamsim_core.tasks import SPLITS, templates_of
from lamsim_core.ui.draw import clean
from lamsim_core.ui.terms import category_option, policy_name, template_title
from lamsim_core.ui.wording import SPLIT_HELP, SPLIT_NAMES, amount, between, duration

SEED_HELP = "Another seed draws other instances of the same kinds of tasks."
RECENT = 200
"""Newest attempts of a policy that its pace is taken from."""
PLAIN_SECONDS = 0.01
"""About what an attempt takes that needs no model."""


class Choice(NamedTuple):
    """Something that can be chosen by name."""

    name: str
    title: str
    why_not: str | None
    """Why it cannot be used now and what to do, or None."""
    constrainable: bool = False
    """Whether its calls can be held to their form."""
    shipped: bool = False
    """Whether it is an adapter that came with the product: what a newcomer should see first."""


class Scope(NamedTuple):
    """Which tasks."""

    split: Split
    categories: tuple[str, ...]
    templates: tuple[str, ...]


def model_choices(settings: Settings, *, plain: bool = True, adapters: bool = True) -> dict[str, Choice]:
    """Who can act, by name: models that can be used, policies without a model, then the others.

    The adapter that came with the product is the first, the default model the next. Without ``adapters`` only base
    models whose weights can be trained.
    """
    entries: dict[str, ModelEntry] = {}
    for entry in list_models(settings):
        if adapters or entry.kind not in ("adapter", "endpoint"):
            entries.setdefault(entry.name, entry)
    ranked = sorted(entries.values(), key=lambda e: (not e.available, not e.default, e.kind != "adapter"))
    models = [
        Choice(
            e.name,
            e.title,
            None if e.available else e.why_not or "It is not available.",
            e.constrainable,
            e.shipped and e.default,
        )
        for e in ranked
    ]
    others = [Choice(name, policy_name(name), None) for name in PLAIN_POLICIES] if plain else []
    usable = [choice for choice in models if choice.why_not is None]
    missing = [choice for choice in models if choice.why_not is not None]
    return {choice.name: choice for choice in (*usable, *others, *missing)}


def adapters_of(settings: Settings, base: str) -> dict[str, Adapter]:
    """The adapters of a base model by their ids, the newest first."""
    found = [record for _, record in adapter_folders(settings) if record.base == base]
    return {record.id: record for record in sorted(found, key=lambda record: record.created, reverse=True)}


def choice_title(choices: Mapping[str, Choice], name: str) -> str:
    """What an option says."""
    choice = choices.get(name)
    if choice is None:
        return clean(name)
    return clean(choice.title if choice.why_not is None else f"{choice.title} (not available)")


def pick_model(choices: Mapping[str, Choice], key: str, *, text: str = "Who acts", help: str | None = None) -> Choice:
    """Choose one; the first is the default."""
    name = st.selectbox(
        text,
        list(choices),
        format_func=lambda name: choice_title(choices, name),
        key=key,
        persist_state="session",
        help=help,
    )
    return choices.get(str(name)) or next(iter(choices.values()))


def open_splits() -> list[Split]:
    """The splits that have tasks."""
    found: list[Split] = []
    for split in SPLITS:
        try:
            templates_of(split)
        except InvalidInputError:
            continue
        found.append(split)
    return found


def pick_split(key: str) -> Split:
    """Choose a split that has tasks."""
    options = open_splits()
    split = st.selectbox(
        "Tasks from",
        options,
        format_func=lambda split: SPLIT_NAMES[split],
        key=key,
        persist_state="session",
        help=SPLIT_HELP,
    )
    return split if split in options else options[0]


def pick_splits(key: str) -> tuple[Split, ...]:
    """Choose among the splits never trained on; all of them at first. Empty when a person took the last one away."""
    options = [split for split in open_splits() if split != "train"]
    chosen = st.pills(
        "Tasks from",
        options,
        selection_mode="multi",
        default=options,
        format_func=lambda split: SPLIT_NAMES[split],
        key=key,
        persist_state="session",
        wrap=True,
        help=SPLIT_HELP,
    )
    return tuple(split for split in options if split in chosen)


def pick_scope(split: Split, key: str) -> Scope:
    """Narrow a split down to categories and templates; both empty means all of it."""
    return Scope(split, *narrow_down((split,), key))


def narrow_down(splits: Sequence[Split], key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose categories and templates of some splits; both empty means all of them."""
    known = [template for split in splits for template in templates_of(split)]
    left, right = st.columns(2)
    chosen = left.multiselect(
        "Categories",
        sorted({template.category for template in known}),
        format_func=category_option,
        placeholder="All",
        key=f"{key}.categories",
        persist_state="session",
    )
    offered = [template.id for template in known if not chosen or template.category in chosen]
    templates = right.multiselect(
        "Kinds of tasks",
        offered,
        format_func=lambda template: f"{template_title(template)} ({template.partition('.')[0]})",
        placeholder="All",
        key=f"{key}.templates",
        persist_state="session",
    )
    return tuple(chosen), tuple(name for name in templates if name in offered)


def pick_number(text: str, value: int, key: str, *, least: int = 1, most: int = 10_000, help: str | None = None) -> int:
    """Choose a whole number."""
    chosen = st.number_input(
        text, min_value=least, max_value=most, value=value, step=1, key=key, persist_state="session", help=help
    )
    return value if chosen is None else max(least, min(most, int(chosen)))


def pick_temperature(key: str, value: float = 0.7, *, disabled: bool = False) -> float:
    """Choose how much chance there is in replies."""
    chosen = st.slider(
        "Temperature",
        0.0,
        1.5,
        value,
        0.1,
        key=key,
        persist_state="session",
        disabled=disabled,
        help="0 takes the likeliest token each time, so several attempts at a task are the same. "
        "Policies without a model ignore it.",
    )
    return float(chosen)


CONSTRAINED_HELP = (
    "A call can then only come out in its right form: a tool that is offered, its arguments by name and type. What the model "
    "says beside calls, which tool it picks and which values it gives stay its own. For models that run on this machine; a "
    "policy without a model ignores it."
)


def pick_constrained(key: str, value: bool = False, *, disabled: bool = False) -> bool:
    """Choose whether calls are held to their form."""
    return bool(
        st.toggle(
            "Constrained calls", value, key=key, persist_state="session", disabled=disabled, help=CONSTRAINED_HELP
        )
    )


def pace(index: Index, policy: str) -> float | None:
    """Seconds an attempt of a policy takes, of its newest ones; None when there are none and it is a model.

    Attempts made together take longer each and less in all: what counts is the time between the first and the last of
    their run, unless the run was interrupted.
    """
    rows = find_trajectories(index, TrajectoryFilter(policies=(policy,)), limit=RECENT)
    if not rows:
        return PLAIN_SECONDS if policy in PLAIN_POLICIES else None
    mean = sum(row.seconds for row in rows) / len(rows)
    together = [row for row in rows if row.run == rows[0].run]
    spread = between(together[-1].created, together[0].created)
    if spread is None or len(together) < 2:
        return mean
    return min(mean, (spread + together[-1].seconds) / len(together))


def estimate(attempts: int, paces: Sequence[float | None]) -> str:
    """How many attempts there will be and how long they may take, in a sentence.

    Args:
        attempts: planned for each policy.
        paces: seconds per attempt of each policy, where known.
    """
    known = [seconds for seconds in paces if seconds is not None]
    total = amount(attempts * len(paces), "attempt")
    if len(known) < len(paces):
        return f"{total}. How long they take shows after the first few: nothing is stored yet to tell it from."
    took = duration(sum(seconds * attempts for seconds in known))
    return f"{total}, about {took} at the pace of earlier attempts."

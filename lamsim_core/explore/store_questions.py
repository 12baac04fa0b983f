"""What the Trajectories page asks of the store, as questions that can be timed."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lamsim_core.store import Index
from lamsim_core.store.branches import branches_of, same_task
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import (
    count_trajectories,
    facets,
    find_trajectories,
    get_trajectory,
    neighbours,
    outcome_by,
    runs_over_time,
)
from lamsim_core.store.rejudged import rejudgements_of
from lamsim_core.store.similar import similar_steps

Ask = Callable[[], object]
PAGE = 50
"""Rows of one page of the list."""


def questions(index: Index, most: int, seed: int = 0) -> dict[str, list[Ask]]:
    """Questions by name, each in up to ``most`` forms: about other values or other attempts.

    Args:
        index: whom to ask.
        most: forms of one question.
        seed: which attempts are asked about.
    """
    rng = random.Random(seed)
    filters = _filters(facets(index), rng, most)
    found: dict[str, list[Ask]] = {"values to filter by": [partial(facets, index)]}
    for name, each in filters.items():
        found[f"list, {name}"] = [partial(find_trajectories, index, flt, limit=PAGE) for flt in each]
        found[f"count, {name}"] = [partial(count_trajectories, index, flt) for flt in each]
    total = count_trajectories(index)
    pages = [rng.randrange(max(1, total // PAGE)) * PAGE for _ in range(most)]
    found["list, a later page"] = [partial(find_trajectories, index, limit=PAGE, offset=first) for first in pages]
    ids = [row["id"] for row in index.query("SELECT id FROM trajectories ORDER BY hash(id) LIMIT $n", {"n": most})]
    found["open: the attempt"] = [partial(get_trajectory, index, each) for each in ids]
    found["open: before and after"] = [partial(neighbours, index, TrajectoryFilter(), each) for each in ids]
    found["open: how it was judged"] = [partial(rejudgements_of, index, each) for each in ids]
    found["open: its branches"] = [partial(branches_of, index, each) for each in ids]
    found["open: others at the same task"] = [partial(same_task, index, each) for each in ids]
    shown = [TrajectoryFilter(), *(flt for each in filters.values() for flt in each[:1])]
    for column in ("category", "n_steps", "error_classes"):
        found[f"plot, {column}"] = [partial(outcome_by, index, flt, column) for flt in shown]  # type: ignore[arg-type]
    found["plot, runs over time"] = [partial(runs_over_time, index, flt) for flt in shown]
    for name, where in _STEPS.items():
        steps = index.query(
            f"SELECT trajectory, step FROM steps WHERE {where} ORDER BY hash(trajectory || step) LIMIT $n", {"n": most}
        )
        found[f"similar, {name}"] = [partial(similar_steps, index, row["trajectory"], row["step"]) for row in steps]
    return {name: asks for name, asks in found.items() if asks}


_STEPS: Mapping[str, str] = {
    "a call that ran": "ok AND len(error_classes) = 0",
    "a call with a mistake": "tool IS NOT NULL AND len(error_classes) > 0",
    "a message": "tool IS NULL",
}
"""Kinds of steps that similar ones are looked for."""


def _filters(known: Mapping[str, Sequence[str]], rng: random.Random, most: int) -> dict[str, list[TrajectoryFilter]]:
    """Filters by what they filter, over the values there are."""
    found: dict[str, list[TrajectoryFilter]] = {"everything": [TrajectoryFilter()]}
    for name, values in known.items():
        chosen = rng.sample(list(values), min(most, len(values)))
        if chosen:
            found[name] = [_filter(**{name: (value,)}) for value in chosen]
    found["passed"] = [_filter(passed=True), _filter(passed=False), _filter(unscored=True)]
    found["lengths"] = [_filter(lengths=(length,)) for length in range(2, 12)]
    found["text"] = [_filter(text=word) for word in ("meeting", "the", "9001", "no such words", "Please move")]
    combined = _filter(passed=False, error_classes=("execution",), categories=tuple(known.get("categories", ()))[:3])
    return {**found, "three at once": [combined]}


def _filter(**given: Any) -> TrajectoryFilter:
    return TrajectoryFilter.model_validate(given)

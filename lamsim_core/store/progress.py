"""How policies did, run by run: before and after training."""

from collections.abc import Mapping, Sequence
from typing import Any

from lamsim_core.records import PolicyKind, Record, Split
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.index import Index
from lamsim_core.store.mistakes import MODELS, chosen
from lamsim_core.store.queries import evaluations

_EVERYTHING = TrajectoryFilter()


class RunResult(Record):
    """What one policy did in one run: an exploration, an evaluation or a live session."""

    run: str
    first: str
    """When the oldest of its attempts was made."""
    evaluation: bool
    """Whether a finished evaluation rests on it."""
    splits: tuple[Split, ...]
    attempts: int
    passed: int
    actions: int
    failed_actions: int
    """Actions with a mistake that counts."""

    @property
    def pass_rate(self) -> float:
        """Share of all attempts that passed; one that was not scored did not."""
        return self.passed / self.attempts

    @property
    def failed_per_hundred(self) -> float | None:
        """Failed actions per 100; None when there was no action."""
        return 100 * self.failed_actions / self.actions if self.actions else None


class PolicyProgress(Record):
    """One policy over time."""

    policy: str
    kind: PolicyKind
    adapter: str | None
    """Id of its adapter."""
    base: str | None
    """The model the adapter was trained on, where the adapter is on record."""
    trained: str | None
    """When its adapter was made."""
    runs: tuple[RunResult, ...]
    """The oldest first."""

    @property
    def first(self) -> str:
        """When it first acted."""
        return self.runs[0].first


def progress(
    index: Index,
    flt: TrajectoryFilter = _EVERYTHING,
    kinds: Sequence[PolicyKind] = MODELS,
    bases: Mapping[str, str] | None = None,
) -> tuple[PolicyProgress, ...]:
    """Every policy with attempts that fit, in the order in which they first acted; an adapter stands after its base.

    Args:
        index: whom to ask.
        flt: which attempts.
        kinds: kinds of policies whose attempts are looked at; none for all.
        bases: id -> base of adapters that are on no record here, as those that came with the product are.
    """
    attempts, params = chosen(flt, kinds)
    rows = index.query(
        f"WITH {attempts}, wrong AS (SELECT c.id, count(DISTINCT v.step) AS n FROM verdicts v "
        "JOIN chosen c ON v.source = c.source WHERE v.counts AND v.step IS NOT NULL GROUP BY c.id) "
        "SELECT policy, policy_kind AS kind, adapter, a.base, a.created AS trained, run, min(c.created) AS first, "
        "list_sort(list(DISTINCT split)) AS splits, count(*) AS attempts, count(*) FILTER (passed) AS passed, "
        "sum(n_steps)::BIGINT AS actions, coalesce(sum(w.n), 0)::BIGINT AS failed_actions "
        "FROM chosen c LEFT JOIN wrong w ON w.id = c.id LEFT JOIN adapters a ON a.id = c.adapter "
        "GROUP BY ALL ORDER BY first, run",
        params,
    )
    rows_made = [row for evaluation in evaluations(index) for row in evaluation.rows]
    evaluated = {row.run for row in rows_made} | {row.trials.run for row in rows_made if row.trials is not None}
    policies: dict[tuple[str, str | None], dict[str, Any]] = {}
    runs: dict[tuple[str, str | None], list[RunResult]] = {}
    for row in rows:
        key = (row["policy"], row["adapter"])
        who = {name: row.pop(name) for name in ("policy", "kind", "adapter", "base", "trained")}
        policies.setdefault(key, {**who, "base": who["base"] or (bases or {}).get(who["adapter"])})
        fields = {name: row[name] for name in RunResult.model_fields if name in row}
        runs.setdefault(key, []).append(RunResult(**fields, evaluation=row["run"] in evaluated))
    found = [PolicyProgress(**policy, runs=tuple(runs[key])) for key, policy in policies.items()]
    begun: dict[str, str] = {}
    for each in found:  # The oldest first, so the first of a family dates it.
        begun.setdefault(each.base or each.policy, each.first)
    return tuple(sorted(found, key=lambda each: (begun[each.base or each.policy], each.base is not None, each.first)))

"""The modes of exploration behind one choice."""

from collections.abc import Callable, Iterator, Sequence

from pydantic import Field

from lamsim_core.agent.policy import Policy
from lamsim_core.explore.best_of import BestOf
from lamsim_core.explore.episode import Event, run_attempt
from lamsim_core.explore.manner import Limits, Manner
from lamsim_core.explore.repair import Repair
from lamsim_core.explore.tree import search_over, search_tree
from lamsim_core.records import Mode, Record, Task, Trajectory

NUMBERS: dict[Mode, tuple[str, ...]] = {
    "single": (),
    "repair": ("repairs",),
    "best_of": ("candidates",),
    "tree": ("width", "nodes"),
}
"""The numbers that belong to each mode."""


class How(Record):
    """How attempts are made."""

    mode: Mode = "single"
    repairs: int = Field(default=2, ge=1, le=50)
    """How often feedback is given in one attempt."""
    candidates: int = Field(default=4, ge=2, le=64)
    """Replies drawn at every turn, of which the best is taken."""
    width: int = Field(default=3, ge=2, le=64)
    """Replies tried at one node of a tree."""
    nodes: int = Field(default=24, ge=2, le=10_000)
    """Replies tried in a whole tree."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens written in one attempt in all, after which no further reply is begun."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Time of one attempt."""

    def limits(self, max_steps: int) -> Limits:
        """The limits of one attempt."""
        return Limits(max_steps, self.max_tokens, self.max_seconds)

    def events(
        self,
        task: Task,
        policy: Policy,
        *,
        run: str,
        attempt: int,
        max_steps: int,
        should_stop: Callable[[], bool],
        known: Sequence[Trajectory] = (),
    ) -> Iterator[Event]:
        """One attempt as a stream of events: one ``Ended``, or in a tree one for every path.

        Args:
            task: the task.
            policy: who acts.
            run: the run it belongs to.
            attempt: which attempt at the task.
            max_steps: turns allowed.
            should_stop: asked while it runs.
            known: what is stored already of this attempt; only a tree goes on from there.
        """
        if self.mode == "tree":
            return search_tree(
                task,
                policy,
                run=run,
                attempt=attempt,
                limits=self.limits(max_steps),
                width=self.width,
                nodes=self.nodes,
                should_stop=should_stop,
                known=known,
            )
        return run_attempt(
            task,
            policy,
            run=run,
            attempt=attempt,
            max_steps=max_steps,
            max_tokens=self.max_tokens,
            max_seconds=self.max_seconds,
            should_stop=should_stop,
            manner=self._manner(),
        )

    def finished(self, known: Sequence[Trajectory], max_steps: int) -> bool:
        """Whether nothing is left to do of an attempt of which so much is stored."""
        if self.mode != "tree":
            return bool(known)
        return bool(known) and search_over(known, self.limits(max_steps), self.width, self.nodes)

    def _manner(self) -> Manner:
        if self.mode == "repair":
            return Repair(self.repairs)
        return BestOf(self.candidates) if self.mode == "best_of" else Manner()

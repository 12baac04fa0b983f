"""How an attempt is made: what is replied at each turn, and what comes of it. Modes are manners of their own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamsim_core.agent.policy import Policy
from lamsim_core.models.backend import Completion
from lamsim_core.records import Ending, Search, Step

if TYPE_CHECKING:
    from lamsim_core.explore.episode import Episode


@dataclass(frozen=True)
class Limits:
    """How far one attempt may go."""

    steps: int = 8
    """Turns."""
    tokens: int | None = None
    """Tokens written in all, after which no further reply is begun."""
    seconds: float | None = None
    """Time, after which the reply being written is broken off."""


@dataclass(frozen=True)
class Chosen:
    """The reply that is taken."""

    completion: Completion
    seed: int
    """It was drawn with."""
    untaken: tuple[tuple[Step, ...], ...] = ()
    """What other replies would have given."""


class Manner:
    """The plain manner: one reply a turn, nothing told beside results. A mode overrides what it does otherwise.

    It keeps nothing of an attempt: everything is read from the episode.
    """

    def reply(
        self, episode: "Episode", policy: Policy, seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Chosen]:
        """Yield the text of the reply that is taken, then the reply.

        Raises:
            ModelError: the model failed.
            StoppedError: it was stopped before there was a reply.
        """
        for piece in policy.reply(episode.task, episode.steps, seed, should_stop):
            yield piece if isinstance(piece, str) else Chosen(piece, seed)

    def after(self, episode: "Episode", ended: Ending | None) -> Ending | None:
        """Look at the turn that was just taken, and say how the attempt ends with it.

        Args:
            episode: may be told feedback.
            ended: how it would end plainly; None when it would go on.
        """
        return ended

    def record(self, episode: "Episode") -> Search | None:
        """What the trajectory says about this manner; None for the plain one."""
        return None

"""Replaying what a row says: its message is done again in a fresh world at its place, and judged by the checks in force now."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from lamsim_core.agent.policy import NO_COST
from lamsim_core.curate.messages import Message, prompt_of, reply_of
from lamsim_core.curate.places import Turn, turns_of
from lamsim_core.errors import DivergenceError, LamsimError
from lamsim_core.explore.episode import Episode, attempt_seed
from lamsim_core.explore.manner import Limits
from lamsim_core.feedback.judge import Judgement
from lamsim_core.models.backend import Completion
from lamsim_core.records import Record, Step, Trajectory, Verdict

Of = Literal["action", "end", "attempt"]
"""What a verdict is about: an action of the message, the attempt if it ends with the message, or the attempt it came from."""

Find = Callable[[str], Trajectory]
"""Gives a stored attempt by its id; raises ``LamsimError`` when there is none."""

_FAR = Limits(steps=10_000)


class Named(Record):
    """A verdict that a row names."""

    of: Of
    check: str
    error_class: str | None
    path: str | None
    message: str

    @property
    def key(self) -> tuple[str, str, str | None, str | None]:
        """What has to be found again; words may change."""
        return self.of, self.check, self.error_class, self.path


def named(of: Of, verdicts: Iterable[Verdict]) -> tuple[Named, ...]:
    """Those of the verdicts that failed by the agent's own fault."""
    return tuple(
        Named(of=of, check=v.check, error_class=v.error_class, path=v.path, message=v.message)
        for v in verdicts
        if v.outcome == "fail" and v.blame in (None, "agent")
    )


class NotHeldError(Exception):
    """What a row says does not hold."""


class Done(NamedTuple):
    """What came of a message at its place."""

    steps: tuple[Step, ...]
    end: Judgement | None
    """How the attempt is judged when it ends with the message; None when the message calls tools."""

    @property
    def valid(self) -> bool:
        """Whether nothing of its actions failed or broke down, and the attempt passes when it ends with the message."""
        broke = any(step.failed for step in self.steps)
        return not broke and not self.failed and (self.end is None or self.end.passed is True)

    @property
    def invalid(self) -> bool:
        """Whether an action failed a gate by the agent's own fault."""
        return any(verdict.counts for step in self.steps for verdict in step.verdicts)

    @property
    def failed(self) -> tuple[Named, ...]:
        """What failed: of its actions gates and diagnosis, of the end the gates."""
        found = named("action", (verdict for step in self.steps for verdict in step.verdicts))
        ends = self.end.verdicts if self.end is not None else ()
        return found + named("end", (verdict for verdict in ends if verdict.counts))


class Replays:
    """Stored attempts done again, each once."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._turns: dict[str, list[Turn]] = {}
        self._before: dict[tuple[str, int], Episode] = {}
        self._ends: dict[str, Judgement] = {}

    def turn(self, source: Mapping[str, Any]) -> Turn:
        """The turn a row names as its source.

        Raises:
            NotHeldError: there is no such turn.
        """
        name = str(source.get("trajectory"))
        try:
            if name not in self._turns:
                self._turns[name] = list(turns_of(self._find(name)))
        except LamsimError as error:
            raise NotHeldError(f"Its source cannot be read. {error}") from error
        wanted = source.get("turn"), source.get("untaken")
        for turn in self._turns[name]:
            if (turn.number, turn.untaken) == wanted:
                return turn
        raise NotHeldError(f"The attempt {name} has no turn {wanted[0]} like this.")

    def before(self, turn: Turn) -> Episode:
        """The attempt just before a turn, to try something on.

        Raises:
            NotHeldError: the steps before do not come out as they are recorded.
        """
        key = turn.trajectory.id, turn.number
        if key not in self._before:
            self._before[key] = self._again(turn.trajectory, upto=turn.number)
        return self._before[key].copy()

    def do(self, turn: Turn, message: Message, *, ended: bool = False) -> Done:
        """Do a message at the place of a turn. ``ended``: whether the attempt ended there as it was recorded."""
        episode = self.before(turn)
        steps = tuple(episode.act(Completion(text=reply_of(message), usage=NO_COST, finish="end"), 0))
        if steps[-1].call is not None:
            return Done(steps, None)
        return Done(steps, episode.judgement(turn.trajectory.ended if ended else "answered"))

    def end(self, trajectory: Trajectory) -> Judgement:
        """A whole attempt done again and judged by the checks in force now. Raises as ``before``."""
        if trajectory.id not in self._ends:
            self._ends[trajectory.id] = self._again(trajectory).judgement(trajectory.ended)
        return self._ends[trajectory.id]

    def _again(self, trajectory: Trajectory, upto: int | None = None) -> Episode:
        steps = [step for step in trajectory.steps if upto is None or step.turn < upto]
        try:
            episode = Episode(trajectory.task, attempt_seed(trajectory.task, trajectory.attempt), _FAR)
            for _ in episode.take_over(steps):
                pass
        except DivergenceError as error:
            raise NotHeldError(f"Its source does not replay. {error}") from error
        except (LamsimError, LookupError, ValueError) as error:
            raise NotHeldError("The task of its source cannot be built any more.") from error
        return episode


def require(holds: bool, otherwise: str) -> None:
    """See to it that something holds.

    Raises:
        NotHeldError: it does not, with ``otherwise``.
    """
    if not holds:
        raise NotHeldError(otherwise)


def require_place(replays: Replays, row: Mapping[str, Any], turn: Turn) -> None:
    """See to it that a row's task, prompt and tools are those of the place of a turn, rebuilt.

    Raises:
        NotHeldError: they are not.
    """
    task = turn.trajectory.task
    require(row["task_key"] == task.key, "It belongs to another task than its source.")
    require(task.split == "train", "Its task is held out.")
    require(row["tools"] == [tool.openai() for tool in task.tools], "The tools are not those that were offered.")
    require(row["prompt"] == prompt_of(task, replays.before(turn).steps), "The prompt is not what was said before.")


def require_found(says: Iterable[Mapping[str, Any]], failed: Iterable[Named]) -> None:
    """See to it that every verdict a row names is found again, and that it names one.

    Raises:
        NotHeldError: one is not.
    """
    found = {each.key for each in failed}
    wanted = [Named.model_validate(each) for each in says]
    require(bool(wanted), "It names no verdict.")
    for each in wanted:
        require(each.key in found, f"The verdict {each.check} is not found again.")

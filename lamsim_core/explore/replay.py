"""Replaying a stored attempt: its own replies in a fresh world, each step held against the record."""

from collections.abc import Iterable, Sequence

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.canonical import canonical_json
from lamsim_core.environment import Snapshot
from lamsim_core.errors import DivergenceError, LamsimError
from lamsim_core.explore.compare import PARTS, Part, part_of, side_by_side
from lamsim_core.explore.episode import Acted, Episode, run_attempt
from lamsim_core.explore.manner import Manner
from lamsim_core.records import Ending, Record, Step, Task, Trajectory
from lamsim_core.tasks import build_environment

REPLAYED: tuple[Part, ...] = tuple(part for part in PARTS if part != "shown")
"""What is compared: what a person put in place of a result is no work of the world's, and does not come out of it."""


class StepReplay(Record):
    """What came of one step."""

    index: int
    different: tuple[Part, ...]
    """The parts that are not as recorded; all of them when the step is missing in the record or in the replay."""

    @property
    def same(self) -> bool:
        """Whether the step is as recorded."""
        return not self.different


class Divergence(Record):
    """The first thing in a replay that is not as recorded."""

    step: int
    part: Part
    recorded: str
    """As canonical text; empty when the record has no such step."""
    found: str
    """The same of the replay."""

    @property
    def sentence(self) -> str:
        """What differs and where, without the values."""
        return f"At step {self.step + 1} {PARTS[self.part]} is not what is recorded."


class Replay(Record):
    """A stored attempt beside its replay."""

    trajectory: str
    steps: tuple[StepReplay, ...]
    first: Divergence | None
    """None when every step is as recorded."""
    problem: str | None = None
    """Why it could not be replayed: its task cannot be built any more."""

    @property
    def identical(self) -> bool:
        """Whether it could be replayed and every step is as recorded."""
        return self.problem is None and self.first is None

    @property
    def sentence(self) -> str:
        """What came of it."""
        if self.problem is not None:
            return self.problem
        return f"Every hash matches, in {len(self.steps)} steps." if self.first is None else self.first.sentence


def replay(trajectory: Trajectory) -> Replay:
    """Do a stored attempt again: its recorded replies, read, run and judged as those of a model.

    Compared are every action as it was read, the state hashes before and after, the result and the changed rows; not the
    verdicts, which newer checks may change (see ``judge_again``), and not times.
    """
    try:
        found = steps_again(trajectory)
    except (LamsimError, LookupError, ValueError) as error:
        why = str(error) if isinstance(error, LamsimError) else f"it asks for something that is gone ({error})"
        return Replay(
            trajectory=trajectory.id, steps=(), first=None, problem=f"The task cannot be built any more: {why}"
        )
    pairs = side_by_side(trajectory.steps, found, REPLAYED)
    steps = tuple(StepReplay(index=pair.place, different=pair.different) for pair in pairs)
    first = next((pair for pair in pairs if pair.different), None)
    if first is None:
        return Replay(trajectory=trajectory.id, steps=steps, first=None)
    part = first.different[0]
    divergence = Divergence(
        step=first.place, part=part, recorded=_text(first.left, part), found=_text(first.right, part)
    )
    return Replay(trajectory=trajectory.id, steps=steps, first=divergence)


def world_after(task: Task, steps: Sequence[Step], index: int) -> Snapshot:
    """Every table of the world as the step at ``index`` left it: its calls done again in a fresh world.

    Raises:
        DivergenceError: the world is not what is recorded of that step, or the task cannot be built any more.
    """
    try:
        environment = build_environment(task)
    except (LamsimError, LookupError, ValueError) as error:
        raise DivergenceError(
            "The world of this task cannot be built any more, so its tables cannot be shown."
        ) from error
    for step in steps[: index + 1]:
        if step.call is not None:
            environment.step(step.call)
        if environment.world.state_hash() != step.state_after:
            raise DivergenceError(
                f"Built again, the world is not what is recorded after step {step.index + 1}: tools or worlds have changed"
                " since. So its tables are not shown."
            )
    return environment.world.snapshot()


class ReplayCount(Record):
    """What came of many replays."""

    replayed: int
    identical: int
    different: int
    not_built: int
    """Attempts whose task cannot be built any more."""
    steps: int
    """Steps replayed."""
    wrong: tuple[Replay, ...]
    """Those that are not identical."""


def replay_all(trajectories: Iterable[Trajectory]) -> ReplayCount:
    """Replay many attempts."""
    replayed = steps = not_built = 0
    wrong: list[Replay] = []
    for trajectory in trajectories:
        found = replay(trajectory)
        replayed += 1
        steps += len(found.steps)
        not_built += found.problem is not None
        if not found.identical:
            wrong.append(found)
    return ReplayCount(
        replayed=replayed,
        identical=replayed - len(wrong),
        different=len(wrong) - not_built,
        not_built=not_built,
        steps=steps,
        wrong=tuple(wrong),
    )


def steps_again(trajectory: Trajectory) -> list[Step]:
    """The steps that come of the recorded replies, with what was told beside the results.

    Raises:
        LamsimError, LookupError, ValueError: the task cannot be built any more.
    """
    replies = [step.reply for step in trajectory.steps if step.reply is not None]
    events = run_attempt(
        trajectory.task,
        ReplayPolicy(replies),
        run="replay",
        attempt=trajectory.attempt,
        max_steps=len(replies),
        manner=_AsTold(trajectory),
    )
    return list({event.step.index: event.step for event in events if isinstance(event, Acted)}.values())


class _AsTold(Manner):
    """What the agent was told beside results is told again, from the record: like verdicts, newer checks may change it."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._told = {step.turn: step.feedback for step in trajectory.steps if step.feedback is not None}

    def after(self, episode: Episode, ended: Ending | None) -> Ending | None:
        said = self._told.get(len(episode.turns) - 1)
        if said is None:
            return ended
        episode.tell(said)
        return None


def _text(step: Step | None, part: Part) -> str:
    if step is None:
        return ""
    value = part_of(step, part)
    return value if isinstance(value, str) else canonical_json(value)

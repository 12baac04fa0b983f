"""Repair: what programs find wrong is told to the agent, and it tries again, a few times.

What is told is about the agent's own action, in the words of the checks that know nothing of the solution: structure,
name, arguments, execution, repetition. Of the judgement of the end only that it failed is told; no expected value, no
change that is missing, no call of the reference. docs/decisions/0018-modes.md
"""

from collections.abc import Sequence

from lamsim_core.explore.episode import Episode
from lamsim_core.explore.manner import Manner
from lamsim_core.records import Ending, Search, Step, Verdict

TOLD = frozenset(
    {
        "structure",
        "tool_name",
        "arguments.missing",
        "arguments.unknown",
        "arguments.type",
        "arguments.enum",
        "arguments.format",
        "execution",
        "repetition",
    }
)
"""Checks whose messages are told. They read the action, the tools offered, and results: all of it is known to the agent."""
NOT_MET = "The request is not met yet. Look at what was asked and at the results so far, then go on."
CUT_OFF = "The reply was cut off before it was complete. Say it in fewer words."
LONGEST = 600
"""Characters told about one action."""


def told_about(steps: Sequence[Step]) -> str | None:
    """What is told about the actions of one turn; None when nothing was wrong with them."""
    wrong = [(place, found) for place, step in enumerate(steps, 1) if (found := _wrong(step))]
    if not wrong:
        return None
    lines = []
    for place, found in wrong:
        which = "This action" if len(steps) == 1 else f"Action {place} of {len(steps)}"
        lines.append(f"{which} was wrong: {' '.join(verdict.message for verdict in found)}"[:LONGEST])
    return "\n".join([*lines, "Correct it and go on."])


def _wrong(step: Step) -> list[Verdict]:
    return [v for v in step.verdicts if v.check in TOLD and v.outcome == "fail" and v.blame in (None, "agent")]


class Repair(Manner):
    """Feedback after a wrong action, and after a message that does not end the task well.

    Args:
        repairs: how often feedback is given in one attempt.
    """

    def __init__(self, repairs: int) -> None:
        self._repairs = repairs

    def after(self, episode: Episode, ended: Ending | None) -> Ending | None:
        """Tell what was wrong, as long as there are repairs and turns left."""
        given = sum(step.feedback is not None for step in episode.steps)
        if given >= self._repairs or episode.exceeded() is not None:
            return ended
        said = told_about(episode.turn_steps)
        if ended is not None:
            if episode.judgement(ended).passed is not False:
                return ended
            said = said or (CUT_OFF if ended == "token_limit" else NOT_MET)
        if said is None:
            return None
        episode.tell(said)
        return None

    def record(self, episode: Episode) -> Search:
        """Repair; the judgement of the end steered it when a message was answered with feedback."""
        steered = any(step.call is None and step.feedback is not None for step in episode.steps)
        return Search(mode="repair", numbers={"repairs": self._repairs}, oracle=steered)

"""A policy that is right by chance, and what the tests of modes do with it."""

import json
import random
from collections.abc import Callable, Iterator, Sequence

from lamsim_core.agent.policy import Policy, reference_reply, spoken
from lamsim_core.agent.prompt import call_text
from lamsim_core.agent.random_calls import random_call
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.fork import reference_done
from lamsim_core.explore.modes import How
from lamsim_core.models.backend import Completion
from lamsim_core.records import GoldCall, PolicyInfo, Step, Task, Trajectory


class Sometimes:
    """With a chance the reference's reply, else one of many wrong ones; which, the seed says.

    Args:
        chance: of the reference's reply.
    """

    info = PolicyInfo(kind="scripted", name="sometimes")

    def __init__(self, chance: float) -> None:
        self.chance = chance

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """Right or wrong."""
        rng = random.Random(seed)
        done = reference_done(task, steps)
        if rng.random() < self.chance and done is not None:
            return spoken(reference_reply(task, done))
        return spoken(wrong_reply(task, steps, rng))


def wrong_reply(task: Task, steps: Sequence[Step], rng: random.Random) -> str:
    """A broken call, a call with a fault of any kind, a message instead of a call, or a valid call at random."""
    call, _ = random_call(task, steps, rng)
    if task.gold and rng.random() < 0.5:
        call = rng.choice(task.gold)
    arguments = dict(call.arguments)
    kind = rng.randrange(9)
    if kind == 0:
        return f"<tool_call>\n{json.dumps({'name': call.name, 'arguments': arguments})[:-2]}\n</tool_call>"
    if kind == 1:
        return f"{call.name}({', '.join(arguments)})"
    if kind == 2:
        return call_text(GoldCall(name=call.name + "s", arguments=arguments))
    if kind == 3 and arguments:
        arguments.pop(rng.choice(list(arguments)))
    elif kind == 4:
        arguments["colour"] = "blue"
    elif kind == 5 and arguments:
        arguments[rng.choice(list(arguments))] = [1, {"a": None}]
    elif kind == 6 and arguments:
        arguments[rng.choice(list(arguments))] = "no such thing"
    elif kind == 7:
        return rng.choice(["Done.", "", "I cannot do that.", "It is 42.", task.instruction])
    return call_text(GoldCall(name=call.name, arguments=arguments))


def made(task: Task, policy: Policy, how: How, *, attempt: int = 0, max_steps: int = 8) -> list[Trajectory]:
    """What comes of one attempt in a mode."""
    events = how.events(task, policy, run="r", attempt=attempt, max_steps=max_steps, should_stop=lambda: False)
    return [event.trajectory for event in events if isinstance(event, Ended)]


def replies(trajectory: Trajectory) -> list[str]:
    """What was said, turn by turn."""
    return [step.reply for step in trajectory.steps if step.reply is not None]

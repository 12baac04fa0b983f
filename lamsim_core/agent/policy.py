"""Policies: who decides the next reply. Each streams text and ends with a ``Completion``, like a backend."""

import queue
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from lamsim_core.agent.prompt import call_text, conversation
from lamsim_core.agent.random_calls import random_call
from lamsim_core.errors import StoppedError
from lamsim_core.models.backend import Backend, Completion
from lamsim_core.records import CONSTRAINED, GoldCall, PolicyInfo, Sampling, Step, Task, Usage
from lamsim_core.settings import Settings

PLAIN_POLICIES = ("gold", "random", "noop")
"""Policies that need no model, by the names users give."""
NO_COST = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0, prefill_seconds=0, decode_seconds=0)
"""Of a reply that no model wrote."""


class Policy(Protocol):
    """Decides the next reply of an attempt."""

    @property
    def info(self) -> PolicyInfo:
        """Who acts."""
        ...

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """Yield the reply's text in pieces, then one ``Completion``.

        Raises:
            ModelError: the model failed.
            StoppedError: the reply was stopped before there was one.
        """
        ...


def spoken(text: str) -> Iterator[str | Completion]:
    """A reply that no model wrote."""
    yield text
    yield Completion(text=text, usage=NO_COST, finish="end")


class ByHand(Completion):
    """A reply that a person wrote in place of a policy; what it cost is what the policy's own had cost."""

    proposed: str | None = None
    """What the policy had written; None when it was not asked."""


def by_hand(text: str, instead_of: Completion | None = None) -> ByHand:
    """A person's reply, in place of one that the policy proposed or without asking it."""
    usage = instead_of.usage if instead_of is not None else NO_COST
    return ByHand(text=text, usage=usage, finish="end", proposed=instead_of.text if instead_of is not None else None)


def reference_reply(task: Task, done: int) -> str:
    """What the reference solution says after ``done`` of its calls: the calls of its next turn, or the closing message."""
    if done >= len(task.gold):
        return task.closing
    later = takewhile(lambda call: call.together, task.gold[done + 1 :])
    tools = {tool.name: tool for tool in task.tools}
    calls = (task.gold[done], *later)
    return "\n".join(
        call_text(call.model_copy(update={"arguments": tools[call.name].in_order(call.arguments)})) for call in calls
    )


class ModelPolicy:
    """A model that sees the request, the tools, its own replies and the results, and nothing else."""

    def __init__(self, backend: Backend, sampling: Sampling) -> None:
        self.backend = backend
        self._sampling = sampling

    @property
    def info(self) -> PolicyInfo:
        """The backend's identity with the sampling used."""
        return self.backend.info.model_copy(update={"sampling": self._sampling})

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """Let the model speak."""
        return self.backend.stream(conversation(task, steps), task.tools, self._sampling, seed, should_stop)


def drawing(policy: Policy, sampling: Sampling) -> Policy:
    """The same policy with its replies drawn in another way, on the same loaded model; one without a model as it is."""
    return ModelPolicy(policy.backend, sampling) if isinstance(policy, ModelPolicy) else policy


class GoldPolicy:
    """The reference solution: its calls turn by turn, then its closing message."""

    info = PolicyInfo(kind="gold", name="gold")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """The reference calls of the next turn, or the closing message."""
        return spoken(reference_reply(task, sum(step.call is not None for step in steps)))


class NoopPolicy:
    """Does nothing and says nothing. Must never pass."""

    info = PolicyInfo(kind="noop", name="noop")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """An empty message."""
        return spoken("")


class RandomPolicy:
    """Valid calls with values drawn from what was seen, then one such value as the answer. Should never pass."""

    info = PolicyInfo(kind="random", name="random")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """A random valid call; after the first, one time in three a closing message instead."""
        rng = random.Random(seed)
        call, seen = random_call(task, steps, rng)
        if steps and rng.random() < 1 / 3:
            return spoken(str(rng.choice(seen)))
        return spoken(call_text(call))


class HumanPolicy:
    """A person who acts as the agent: replies are handed in from outside."""

    info = PolicyInfo(kind="human", name="human")

    def __init__(self) -> None:
        self._replies: queue.Queue[str] = queue.Queue()

    def act(self, reply: str | GoldCall) -> None:
        """Hand in the next reply: a message to the user, or a call."""
        self._replies.put(reply if isinstance(reply, str) else call_text(reply))

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """Wait for the person."""
        while not should_stop():
            try:
                return spoken(self._replies.get(timeout=0.1))
            except queue.Empty:
                continue
        raise StoppedError("The attempt was stopped while it was your turn.")


class ReplayPolicy:
    """Says again what a stored trajectory said."""

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = tuple(replies)
        self.info = PolicyInfo(kind="replay", name="replay")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """The stored reply of this turn."""
        turn = sum(step.reply is not None for step in steps)
        if turn >= len(self._replies):
            raise StoppedError("The stored trajectory ends here.")
        return spoken(self._replies[turn])


def acting(name: str, sampling: Sampling) -> tuple[str, Sampling]:
    """Who acts and how, when somebody is asked for by name: ``smollm2-135m@constrained`` is that model, calls constrained.

    The one place that reads such names; ``PolicyInfo.label`` writes them.
    """
    if name in PLAIN_POLICIES:
        return name, sampling.model_copy(update={"constrained": False})
    if name.endswith(CONSTRAINED):
        return name.removesuffix(CONSTRAINED), sampling.model_copy(update={"constrained": True})
    return name, sampling


def make_policy(
    settings: Settings, name: str, sampling: Sampling, *, quantisation: str | None = None, batch: int = 1
) -> Policy:
    """The policy of a name: ``gold``, ``random``, ``noop``, ``human``, or a model of the registry (see ``acting``).

    A model opened with a ``batch`` of more than one writes so many replies together, for as many threads.

    Raises:
        NotFoundError: no such policy or model.
        InvalidInputError: calls are to be constrained, and the model is none of this process.
        ModelError: the model cannot be loaded.
    """
    name, sampling = acting(name, sampling)
    plain: dict[str, Callable[[], Policy]] = {
        "gold": GoldPolicy,
        "random": RandomPolicy,
        "noop": NoopPolicy,
        "human": HumanPolicy,
    }
    if name in plain:
        return plain[name]()
    from lamsim_core.models.registry import get_model, open_backend, require_constrainable

    if sampling.constrained:
        require_constrainable(get_model(settings, name))
    return ModelPolicy(open_backend(settings, name, quantisation=quantisation, batch=batch), sampling)

"""One task put to a model: the product's own prompt and reading of replies, the benchmark's tasks and rules."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lamsim_core.agent.parse import ParsedReply, parse_reply
from lamsim_core.agent.prompt import SYSTEM
from lamsim_core.canonical import derive_seed
from lamsim_core.errors import ModelError, StoppedError
from lamsim_core.evaluate.bfcl.categories import MAX_STEPS, answered
from lamsim_core.evaluate.bfcl.items import Conversation, Item
from lamsim_core.evaluate.bfcl.results import Result
from lamsim_core.evaluate.bfcl.rules import Call, Fault, check_calls
from lamsim_core.evaluate.bfcl.schemas import Offer, offer
from lamsim_core.evaluate.bfcl.turns import Match
from lamsim_core.models.backend import Backend, Completion, Message, PromptTooLongError
from lamsim_core.models.grammar import constrainable
from lamsim_core.records import Sampling

INFERENCE_ERROR = "inference_error"
"""Kind of fault when the model gave no reply, because it broke down or the conversation is too long for it."""


class Attempt:
    """The tools, the conversation and the replies of one task while it runs."""

    def __init__(
        self,
        item: Item,
        backend: Backend,
        sampling: Sampling,
        *,
        pack: Path,
        plain_names: bool,
        should_stop: Callable[[], bool],
    ) -> None:
        """Prepare a task.

        Args:
            item: the task.
            backend: the model.
            sampling: how replies are drawn. Where calls are to be constrained and a schema does not allow it, they are free.
            pack: from ``ensure_pack``.
            plain_names: whether the names of tools have to be plain (``schemas.offer``).
            should_stop: asked while a reply is written.
        """
        self._item = item
        self._backend = backend
        self._sampling = sampling
        self._pack = pack
        self._plain_names = plain_names
        self._should_stop = should_stop
        self._functions = list(item.functions)
        self._free = False
        self._offer = self._offered()
        self._messages: list[Message] = []
        self._completions: list[Completion] = []
        self._broken = False

    def run(self) -> Result:
        """Put the task to the model and judge what it does.

        Raises:
            StoppedError: it was stopped.
            ModelError: the model broke down. A task too long for it does not count as such: it is failed.
        """
        conversation = self._item.conversation
        try:
            fault = self._judged() if conversation is None else self._converse(conversation)
        except PromptTooLongError as error:
            fault = Fault(INFERENCE_ERROR, str(error))
        return Result(
            id=self._item.id,
            category=self._item.category,
            passed=fault is None,
            error=None if fault is None else fault.kind,
            message="" if fault is None else fault.message[:2000],
            broken=self._broken,
            free=self._free,
            replies=tuple(completion.text for completion in self._completions),
            prompt_tokens=sum(completion.usage.prompt_tokens for completion in self._completions),
            completion_tokens=sum(completion.usage.completion_tokens for completion in self._completions),
        )

    def _judged(self) -> Fault | None:
        """The one reply of a task of one turn, judged (``eval_runner.py``)."""
        self._hear(self._item.turns[0])
        calls = self._read(self._speak())
        category = self._item.category
        if answered(category):
            if calls is None:
                return Fault("ast_decoder:decoder_failed", "There is no call, or one that cannot be read.")
            return check_calls(category, self._item.functions, calls, self._item.accepted)
        if category.endswith("irrelevance"):
            return None if calls is None else Fault("irrelevance_error:decoder_success", "A call was made.")
        return None if calls is not None else Fault("relevance_error:decoder_failed", "No call was made.")

    def _converse(self, conversation: Conversation) -> Fault | None:
        """Turn after turn until one is wrong; within a turn, rounds of calls until the model makes no more."""
        match = Match(self._pack, conversation)
        for turn, said in enumerate(self._item.turns):
            if turn in conversation.added:
                self._functions += conversation.added[turn]
                self._offer = self._offered()
            self._hear(said)
            rounds = 0
            while (calls := self._read(self._speak())) is not None:
                self._messages += [Message(role="tool", content=match.call(call)) for call in calls]
                rounds += 1
                if rounds > MAX_STEPS:
                    return Fault("multi_turn:force_terminated", f"Turn {turn + 1}: more than {MAX_STEPS} rounds.")
            if fault := match.end_turn():
                return fault
        return None

    def _offered(self) -> Offer:
        offered = offer(self._functions, plain_names=self._plain_names)
        if self._sampling.constrained and not constrainable(offered.tools):
            self._free = True
            self._sampling = self._sampling.model_copy(update={"constrained": False})
        return offered

    def _hear(self, said: Sequence[Message]) -> None:
        """Add what is said before a turn; a task's own system text follows the product's."""
        if not self._messages:
            own = [message.content for message in said if message.role == "system"]
            self._messages.append(Message(role="system", content="\n\n".join([SYSTEM, *own])))
        self._messages += [message for message in said if message.role != "system"]

    def _speak(self) -> Completion:
        seed = derive_seed(self._item.id, len(self._completions))
        pieces = self._backend.stream(self._messages, self._offer.tools, self._sampling, seed, self._should_stop)
        completion = next((piece for piece in pieces if isinstance(piece, Completion)), None)
        if completion is None:
            raise ModelError("The model gave no reply.")
        if completion.finish == "stopped":
            raise StoppedError("Stopped.")
        self._completions.append(completion)
        self._messages.append(Message(role="assistant", content=completion.text))
        return completion

    def _read(self, completion: Completion) -> list[Call] | None:
        """The calls of a reply; None when it holds none, or one that cannot be read: then it holds no calls at all."""
        parsed: ParsedReply = parse_reply(completion.text)
        broken = any(call.error for call in parsed.calls)
        self._broken = self._broken or broken
        if broken or not parsed.calls:
            return None
        return [(self._offer.meant.get(call.name, call.name), call.arguments) for call in parsed.calls]

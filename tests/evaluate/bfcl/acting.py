"""Models that know the answers."""

from collections.abc import Sequence

from lamsim_core.agent.prompt import call_text
from lamsim_core.evaluate.bfcl.items import Item
from lamsim_core.evaluate.bfcl.perturb import right_answer
from lamsim_core.evaluate.bfcl.turns import read_gold
from lamsim_core.models.backend import Message
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import GoldCall


def written(calls: Sequence[tuple[str, dict[str, object]]]) -> str:
    return "\n".join(call_text(GoldCall(name=name, arguments=arguments)) for name, arguments in calls)  # type: ignore[arg-type]


def knowing(items: Sequence[Item]) -> ScriptedBackend:
    """Answers each of these tasks rightly."""
    answers = {item.turns[0][-1].content: item for item in items}

    def reply(messages: Sequence[Message]) -> str:
        asked = [message.content for message in messages if message.role == "user"]
        item = answers[asked[0]]
        if item.conversation is None:
            return written(right_answer(item))
        if messages[-1].role == "tool":
            return "Done."
        gold = [read_gold(text) for text in item.conversation.gold[len(asked) - 1]]
        assert not any(call.positional for call in gold)
        return written([(call.name, call.arguments) for call in gold]) or "I cannot do that."

    return ScriptedBackend(reply)

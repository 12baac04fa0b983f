"""What a model read and wrote at one step, exactly: the rendered prompt, and its reply token by token."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lamsim_core.agent.prompt import conversation
from lamsim_core.errors import ModelError
from lamsim_core.models.vocabulary import Piece, Vocabulary, open_vocabulary
from lamsim_core.records import PolicyInfo, Sampled, Step, Task
from lamsim_core.settings import Settings


@dataclass(frozen=True)
class Written:
    """One token of a reply."""

    text: str
    id: int | None
    """None where a server wrote it."""
    special: bool
    probability: float
    """Before temperature and top-p, a fraction."""


@dataclass(frozen=True)
class Exact:
    """One reply and what it answers."""

    pieces: tuple[Piece, ...]
    """The prompt; empty when it cannot be shown."""
    ids: tuple[int, ...]
    """The prompt's tokens."""
    texts: tuple[str, ...]
    """What each of them says."""
    why_not: str | None
    """Why the prompt cannot be shown, or None."""
    written: tuple[Written, ...]
    """The reply; empty where its tokens were not recorded."""


def exact_step(settings: Settings, task: Task, policy: PolicyInfo, steps: Sequence[Step], index: int) -> Exact:
    """The prompt and the tokens behind the step at ``index``. What is not provably exact is not shown, with the reason.

    Args:
        settings: where models are.
        task: what was asked.
        policy: who acted.
        steps: the steps of the attempt, up to this one at least.
        index: the step. Of a reply with several calls, any of its steps.
    """
    turn = steps[index].turn
    first = next(step for step in steps if step.turn == turn)
    if first.usage is None:
        return _unknown(
            "No model wrote this reply here: it was typed by hand, taken over from another attempt, or no model acted."
        )
    try:
        vocabulary = open_vocabulary(settings, policy)
        before = [step for step in steps if step.turn < turn]
        ids = vocabulary.prompt(conversation(task, before), task.tools)
        if len(ids) != first.usage.prompt_tokens:
            raise ModelError(
                f"Rendered today, the prompt has {len(ids):,} tokens; {first.usage.prompt_tokens:,} were read then. Prompts"
                " have been written in another way since, so it is not shown."
            )
        written = _written(vocabulary, first) if first.sampled is not None else ()
    except ModelError as error:
        texts = first.sampled.texts if first.sampled is not None else ()
        return _unknown(str(error), _told(first.sampled, texts) if first.sampled is not None and texts else ())
    return Exact(vocabulary.pieces(ids), tuple(ids), tuple(vocabulary.texts(ids)), None, written)


def _unknown(why: str, written: tuple[Written, ...] = ()) -> Exact:
    return Exact((), (), (), why, written)


def _written(vocabulary: Vocabulary, step: Step) -> tuple[Written, ...]:
    """The tokens of a reply.

    Raises:
        ModelError: they do not spell the reply that is on record.
    """
    sampled, usage = step.sampled, step.usage
    assert sampled is not None and usage is not None
    if vocabulary.reply(sampled.tokens[: usage.completion_tokens]) != step.reply:
        raise ModelError("The recorded tokens do not spell the recorded reply with the tokenizer that is here.")
    return _told(sampled, vocabulary.texts(sampled.tokens), [vocabulary.is_special(token) for token in sampled.tokens])


def _told(sampled: Sampled, texts: Sequence[str], special: Sequence[bool] = ()) -> tuple[Written, ...]:
    ids: Sequence[int | None] = sampled.tokens or [None] * len(texts)
    known = special or [False] * len(texts)
    return tuple(
        Written(text, token, control, math.exp(value))
        for text, token, control, value in zip(texts, ids, known, sampled.logprobs, strict=True)
    )

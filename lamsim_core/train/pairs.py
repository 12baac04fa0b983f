"""From preferences and labels to token ids: the prompt as the model is asked, the answer as it would write it."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from lamsim_core.errors import ModelError, TrainingError
from lamsim_core.models.backend import Message
from lamsim_core.models.chat import render, template_messages, template_tools
from lamsim_core.records import ToolSchema
from lamsim_core.train.rows import Row, TokenRows, stop_ids, to_message, tools_of


class PairRow(NamedTuple):
    """Two answers to one prompt, of which the first is better."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]

    @property
    def trained(self) -> int:
        """Number of tokens in the loss."""
        return len(self.chosen_ids) + len(self.rejected_ids)

    @property
    def cost(self) -> int:
        """Number of tokens the model reads: the prompt once, but its last token for each side, then both answers."""
        return len(self.prompt_ids) + 1 + self.trained

    @property
    def longest(self) -> int:
        """Number of tokens of the longer side with its prompt."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))

    @property
    def teaches(self) -> bool:
        """Whether the sides differ; else nothing is learned."""
        return self.chosen_ids != self.rejected_ids


class LabelRow(NamedTuple):
    """An answer to a prompt, and whether it was right."""

    prompt_ids: list[int]
    completion_ids: list[int]
    label: bool

    @property
    def trained(self) -> int:
        """Number of tokens in the loss."""
        return len(self.completion_ids)

    @property
    def cost(self) -> int:
        """Number of tokens the model reads: prompt and answer, and for comparison another row's answer, about as long."""
        return len(self.prompt_ids) + 1 + 2 * self.trained

    @property
    def longest(self) -> int:
        """Number of tokens of prompt and answer."""
        return len(self.prompt_ids) + self.trained

    @property
    def teaches(self) -> bool:
        """Every labelled answer is something to learn from."""
        return True


PreferenceT = TypeVar("PreferenceT", PairRow, LabelRow)


def tokenize_pairs(tokenizer: Any, rows: Iterable[Row], max_length: int) -> TokenRows[PairRow]:
    """Tokenize preferences, leaving out and counting those that are too long or whose sides are the same.

    Raises:
        TrainingError: a row does not have the form of a preference, or cannot be shown; says which.
    """
    answers = _Answers(tokenizer)

    def read(row: Row) -> PairRow:
        prompt, (chosen, rejected) = answers(row, "chosen", "rejected")
        return PairRow(prompt, chosen, rejected)

    return _tokenize(read, rows, max_length)


def tokenize_labels(tokenizer: Any, rows: Iterable[Row], max_length: int) -> TokenRows[LabelRow]:
    """Tokenize labelled answers, leaving out and counting those that are too long.

    Raises:
        TrainingError: a row does not have the form of a label, or cannot be shown; says which.
    """
    answers = _Answers(tokenizer)

    def read(row: Row) -> LabelRow:
        prompt, (completion,) = answers(row, "completion")
        if not isinstance(row["label"], bool):
            raise TypeError("its label is neither true nor false")
        return LabelRow(prompt, completion, row["label"])

    return _tokenize(read, rows, max_length)


def _tokenize(read: Callable[[Row], PreferenceT], rows: Iterable[Row], max_length: int) -> TokenRows[PreferenceT]:
    kept: list[PreferenceT] = []
    too_long = untrained = 0
    for number, row in enumerate(rows, 1):
        try:
            tokens = read(row)
        except (ModelError, TrainingError) as error:
            raise TrainingError(f"Row {number} of the dataset cannot be used. {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"it lacks {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
            raise TrainingError(f"Row {number} of the dataset does not have the form of its kind: {what}.") from error
        if tokens.longest > max_length:
            too_long += 1
        elif not tokens.teaches:
            untrained += 1
        else:
            kept.append(tokens)
    return TokenRows(kept, too_long, untrained)


class _Answers:
    """Reads the prompt of a row and answers to it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._stops = stop_ids(tokenizer)

    def __call__(self, row: Row, *sides: str) -> tuple[list[int], list[list[int]]]:
        """The tokens of the prompt, and of the answer on each side up to its stop.

        Raises:
            ModelError: the chat template cannot show them.
            TrainingError: it shows an answered prompt otherwise than one to be answered.
        """
        tools = tools_of(row)
        prompt = [to_message(message, tools) for message in row["prompt"]]
        ids = render(self._tokenizer, prompt, tools, add_generation_prompt=True)
        answers = []
        for side in sides:
            (answer,) = row[side]
            if answer["role"] != "assistant":
                raise TypeError(f"what it has as {side} is not a message of the assistant")
            answers.append(self._answer(prompt, to_message(answer, tools), tools, ids))
        return ids, answers

    def _answer(self, prompt: list[Message], answer: Message, tools: list[ToolSchema], ids: list[int]) -> list[int]:
        whole = render(self._tokenizer, [*prompt, answer], tools, add_generation_prompt=False)
        own = whole[len(ids) :] if whole[: len(ids)] == ids else self._apart(prompt, answer, tools)
        stop = next((place for place, token in enumerate(own) if token in self._stops), None)
        if stop is None:
            raise TrainingError("This model's chat template does not end an answer with a token that stops the model.")
        return own[: stop + 1]

    def _apart(self, prompt: list[Message], answer: Message, tools: list[ToolSchema]) -> list[int]:
        """Tokens of an answer whose beginning would melt with the end of the prompt into one token.

        A model that answers cannot melt them: the prompt is there already, so its tokens come after the prompt's.
        """
        shaped = template_messages(self._tokenizer, [*prompt, answer])
        offered = template_tools(self._tokenizer, tools)
        how: dict[str, Any] = {"tools": offered, "tokenize": False}
        whole: str = self._tokenizer.apply_chat_template(shaped, **how)
        asked: str = self._tokenizer.apply_chat_template(shaped[:-1], add_generation_prompt=True, **how)
        if not whole.startswith(asked):
            raise TrainingError(
                "This model's chat template shows an answered prompt otherwise than one to be answered."
            )
        own: list[int] = self._tokenizer.encode(whole[len(asked) :], add_special_tokens=False)
        return own

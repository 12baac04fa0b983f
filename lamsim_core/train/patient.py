"""One small conversation that holds everything an attempt can hold, as a chat template writes it.

Each of its words that are looked for occurs once, and nowhere in a usual template.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from lamsim_core.agent.prompt import SYSTEM
from lamsim_core.models.backend import Message
from lamsim_core.models.chat import control_tokens, render, reply_text
from lamsim_core.train.rows import IGNORED, Row, RowTokenizer, TokenRow, to_message, tools_of

CLOCK = " It is Monday, 2026-03-02 09:00."
ASKED = "Light the lantern in the hall, please."
FEEDBACK = "Not finished yet: the balcony is still gloomy."
WRONG = "Everything shines."
CLOSING = "It burns until noon."
RESULTS = (
    '{"found": ["item_viridian"], "hue": "chartreuse"}',
    '{"found": ["item_cerulean"]}',
    '{"burning": "item_vermilion"}',
)
RESULT_WORDS = ("chartreuse", "item_cerulean", "item_vermilion")

FIND: Row = {
    "name": "find_lanterns",
    "description": "Finds lanterns by their place.",
    "parameters": {
        "type": "object",
        "properties": {
            "whereabouts": {"type": "string", "description": "Room or garden.", "enum": ["vestibule", "pergola"]},
            "at_most": {"type": "integer", "description": "How many to return."},
        },
        "required": ["whereabouts"],
    },
}
LIGHT: Row = {
    "name": "light_lantern",
    "description": "Lights one lantern for some time.",
    "parameters": {
        "type": "object",
        "properties": {
            "lantern_id": {"type": "string", "description": "Which one."},
            "burning_hours": {"type": "number", "description": "How long it burns."},
            "remark": {"type": "object", "description": "What to note beside it."},
        },
        "required": ["lantern_id", "burning_hours"],
    },
}
TURNS: tuple[tuple[tuple[str, Row], ...], ...] = (
    (
        ("find_lanterns", {"whereabouts": "vestibule", "at_most": 3}),
        ("find_lanterns", {"whereabouts": "pergola"}),
    ),
    (
        (
            "light_lantern",
            {
                "lantern_id": "item_viridian",
                "burning_hours": 2.5,
                "remark": {"said": 'a "bright" one – für <Ann> & O\'Neil', "also": [True, None]},
            },
        ),
    ),
)
"""The calls of the first two turns."""


def conversation_row() -> Row:
    """The conversation as a training row: two calls at once, one call, a wrong end, feedback, the right end."""

    def spoken(content: str, calls: Sequence[tuple[str, Row]]) -> Row:
        shaped = [{"type": "function", "function": {"name": name, "arguments": given}} for name, given in calls]
        return {"role": "assistant", "content": content, "tool_calls": shaped}

    return {
        "messages": [
            {"role": "system", "content": SYSTEM + CLOCK},
            {"role": "user", "content": ASKED},
            spoken("Both places.", TURNS[0]),
            {"role": "tool", "content": RESULTS[0]},
            {"role": "tool", "content": RESULTS[1]},
            spoken("", TURNS[1]),
            {"role": "tool", "content": RESULTS[2]},
            {"role": "assistant", "content": WRONG, "weight": 0},
            {"role": "user", "content": FEEDBACK},
            {"role": "assistant", "content": CLOSING},
        ],
        "tools": [{"type": "function", "function": tool} for tool in (FIND, LIGHT)],
    }


class Patient:
    """A tokenizer with its chat template, and the conversation rendered by it in every way that is used.

    What cannot be rendered raises the ``ModelError`` or ``TrainingError`` that inference or training would raise.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.row = conversation_row()
        self.tools = tools_of(self.row)
        self.messages: list[Message] = [to_message(message, self.tools) for message in self.row["messages"]]
        self.turns = [place for place, message in enumerate(self.messages) if message.role == "assistant"]
        """Places of the assistant's messages."""

    def ids(self, messages: Sequence[Message], *, prompt: bool, tools: bool = True) -> list[int]:
        """The tokens of some messages, as at inference."""
        return render(self.tokenizer, messages, self.tools if tools else (), add_generation_prompt=prompt)

    def text(self, ids: Sequence[int]) -> str:
        """What tokens spell, control tokens included."""
        return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def words(self, ids: Sequence[int]) -> str:
        """What tokens spell, each control token become a line end."""
        control = frozenset(self.tokenizer.convert_tokens_to_ids(list(control_tokens(self.tokenizer))))
        runs: list[list[int]] = [[]]
        for token in ids:
            if token in control:
                runs.append([])
            else:
                runs[-1].append(token)
        return "\n".join(self.text(run) for run in runs)

    @cached_property
    def opening(self) -> str:
        """The first prompt: system text, tools, request."""
        return self.text(self.ids(self.messages[:2], prompt=True))

    @cached_property
    def whole(self) -> str:
        """The whole conversation."""
        return self.text(self.ids(self.messages, prompt=False))

    @cached_property
    def as_read(self) -> list[int]:
        """The tokens of the whole conversation as at inference, where replies are kept as they were written."""
        raw = [
            message.model_copy(update={"content": reply_text(message.content, message.calls), "calls": ()})
            for message in self.messages
        ]
        return self.ids(raw, prompt=False)

    @cached_property
    def make(self) -> RowTokenizer:
        """What turns rows into training rows."""
        return RowTokenizer(self.tokenizer)

    @cached_property
    def trained(self) -> TokenRow:
        """The training row."""
        return self.make(self.row)

    @cached_property
    def trained_runs(self) -> list[tuple[int, int]]:
        """Where trained tokens begin and end, run by run."""
        return runs_of(self.trained)


def runs_of(row: TokenRow) -> list[tuple[int, int]]:
    """First and last place (exclusive) of each run of trained tokens."""
    runs: list[tuple[int, int]] = []
    for place, label in enumerate(row.labels):
        if label == IGNORED:
            continue
        if runs and runs[-1][1] == place:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return runs

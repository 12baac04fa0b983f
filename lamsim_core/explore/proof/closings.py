"""Closing messages that say what the reference's says, in other words and other marks."""

import json
from collections.abc import Iterator

from lamsim_core.records import ExpectedAnswer, Task

_SPELLED = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_DONE = ("Done.", "All set!", "**Done** - everything is taken care of.", "I have done what you asked for.")
_DECLINES = (
    "I'm sorry, but I can't do that with the tools I have.",
    "**I cannot do this.** There is no tool for it.",
    "This isn't possible: none of my tools can do that.",
    "Unfortunately I am unable to do that.",
)


def closings(task: Task) -> Iterator[tuple[str, str]]:
    """Other closing messages that are as right as the reference's, each with the name of what is varied."""
    answer = task.answer
    if answer is None:
        yield from (("another way to say done", text) for text in _DONE)
    elif answer.kind == "decline":
        yield from (("another way to decline", text) for text in _DECLINES)
    elif answer.kind == "ask" and isinstance(answer.value, list):
        for word in answer.value:
            yield "another way to ask", f"Could you please tell me the {word}?"
            yield "another way to ask", f"I can do that. Please tell me the **{word}** first."
    elif answer.kind == "number":
        yield from _numbers(answer)
    elif answer.kind == "text":
        value = str(answer.value)
        for form in ("The answer is {}.", "It is {}.", "**{}**", "`{}`", '"{}"', "- {}", "Here you go: *{}*!"):
            yield "a text in a sentence or in marks", form.format(value)
        yield "a text in a sentence or in marks", json.dumps({"name": value, "found": True}, ensure_ascii=False)
        yield "a text in another case", value.upper()
    elif isinstance(answer.value, list):
        yield from _lists([str(value) for value in answer.value], answer.ordered)


def _numbers(answer: ExpectedAnswer) -> Iterator[tuple[str, str]]:
    value = float(str(answer.value))
    plain = f"{value:.6f}".rstrip("0").rstrip(".")
    for form in ("The answer is {}.", "It is {}.", "**{}**", "`{}`", "= {}", "- {}", "It comes to {}!"):
        yield "a number in a sentence or in marks", form.format(plain)
    yield "a number in another format", f"It is {value:,.6f}".rstrip("0").rstrip(".") + "."
    if len(plain.partition(".")[2]) <= 2:
        yield "a number in another format", f"{value:.2f}"
        yield "a number in another format", f"{value:,.2f}"
    if value in range(len(_SPELLED)):
        yield "a number in another format", f"There are {_SPELLED[int(value)]}."
    if value < 0:
        yield "a number in another format", f"\u2212{plain.removeprefix('-')}"


def _lists(values: list[str], ordered: bool) -> Iterator[tuple[str, str]]:
    name = "a list in a sentence" if ordered else "a list in a sentence, in another order"
    yield "a list as bullets", "\n".join(f"- {value}" for value in values)
    yield "a list as bullets", "They are:\n" + "\n".join(f"{n}. **{value}**" for n, value in enumerate(values, 1))
    for order in (values,) if ordered else (values, values[::-1], sorted(values)):
        yield (
            name,
            f"They are {' and '.join(filter(None, (', '.join(order[:-1]), order[-1])))}.",
        )
        yield name, "; ".join(order)

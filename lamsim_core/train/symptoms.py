"""What can be wrong with a chat template: one function each, which says it in a sentence or finds nothing."""

import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from lamsim_core.agent.parse import parse_reply
from lamsim_core.agent.prompt import SYSTEM
from lamsim_core.models.chat import MARKERS, untrusted_tokens
from lamsim_core.models.local import decoded
from lamsim_core.train.patient import ASKED, CLOCK, CLOSING, FEEDBACK, RESULT_WORDS, TURNS, WRONG, Patient, runs_of
from lamsim_core.train.rows import Row, stop_ids

_ROLES = frozenset({
    "system", "user", "assistant", "model", "tool", "human", "ai", "bot", "inst", "sys", "start", "end", "header", "id",
    "of", "turn", "eos", "bos", "im", "im_start", "im_end", "start_header_id", "end_header_id", "start_of_turn",
    "end_of_turn", "instruction", "response", "developer", "chatbot",
})  # fmt: skip
"""Words by which templates mark who speaks."""
_FOREIGN_WORDS = 3
_JSON = frozenset('{}[]"')
"""What lines that show a tool begin with."""
_SHOWN = 160


def cannot_render(patient: Patient) -> str | None:
    """Nothing of its own to say: what cannot be rendered raises a sentence."""
    patient.ids(patient.messages[:2], prompt=True)
    patient.ids(patient.messages, prompt=False)
    return None


def tools_missing(patient: Patient) -> str | None:
    """Tools that are offered and not shown."""
    names = [tool.name for tool in patient.tools]
    if not any(name in patient.opening for name in names):
        return "The template drops the tools: none of those offered is in the prompt, so the model could only guess their names."
    for tool in patient.tools:
        for what, word in (("name", tool.name), ("description", tool.description), *_parameters(tool.parameters)):
            if word not in patient.opening:
                return (
                    f"The template leaves out parts of the tools: the {what} “{word}” of a tool is not in the prompt."
                )
    return None


def _parameters(schema: JsonValue) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    for name, about in properties.items() if isinstance(properties, dict) else ():
        yield "parameter", name
        if isinstance(about, dict):
            yield "description", str(about.get("description"))
            values = about.get("enum")
            yield from (("allowed value", str(value)) for value in (values if isinstance(values, list) else ()))


def calls_missing(patient: Patient) -> str | None:
    """Calls that are made and not written."""
    before = len(patient.opening.split(ASKED)[0])
    spoken = patient.whole[before:]
    missing = [word for word in ("vestibule", "pergola", "2.5", "bright") if word not in spoken]
    if len(missing) == 4:
        return (
            "The template drops the calls: what the agent calls is not written, so the model would learn to say nothing"
            " where it should act."
        )
    if missing:
        return f"The template leaves out parts of the calls: the value “{missing[0]}” of an argument is not written."
    return None


def calls_not_read_back(patient: Patient) -> str | None:
    """Calls that are written in a form in which no reply is read."""
    for turn, calls in zip(patient.turns, TURNS, strict=False):
        prompt = patient.ids(patient.messages[:turn], prompt=True)
        whole = patient.ids(patient.messages[: turn + 1], prompt=False)
        if whole[: len(prompt)] != prompt:
            continue  # another check says so
        read = parse_reply(decoded(patient.tokenizer, whole[len(prompt) :]))
        if [(call.name, dict(call.arguments), call.error) for call in read.calls] != [(*call, None) for call in calls]:
            found = "no call at all" if not read.calls else read.calls[0].error or "other calls"
            return (
                "Calls are not written as replies are read (<tool_call>{…}</tool_call>): read back, the agent's"
                f" {len(calls)} calls become {found.rstrip('.')}."
            )
        if read.content != patient.messages[turn].content:
            return f"Beside a call the agent said “{patient.messages[turn].content}”; read back, it is “{read.content[:_SHOWN]}”."
    return None


def results_missing(patient: Patient) -> str | None:
    """Results of tools that are not written, or in another order."""
    places = [patient.whole.find(word) for word in RESULT_WORDS]
    if max(places) < 0:
        return "The template drops the results: what the tools answered is not written, so the model would act blindly."
    if min(places) < 0:
        return "The template leaves out results: of several tool results in one conversation not all are written."
    if places != sorted(places):
        return "The template writes the results of tools in another order than they came in."
    return None


def feedback_missing(patient: Patient) -> str | None:
    """Feedback that is not written, or not where it was said."""
    place = patient.whole.find(FEEDBACK)
    if place < 0:
        return "The template drops what the user says later on: feedback to the agent is not written."
    if not patient.whole.find(WRONG) < place < patient.whole.find(CLOSING):
        return "The template writes feedback in another place than it was said in."
    return None


def system_text_missing(patient: Patient) -> str | None:
    """A system text that is not written, or more than once."""
    times = patient.opening.count(SYSTEM + CLOCK)
    if not times:
        return "The template drops the system text, which says how to work and what time it is."
    return None if times == 1 else f"The template writes the system text {times} times."


def foreign_text(patient: Patient) -> str | None:
    """What the template says of its own where nothing but the system text and the request should stand."""
    plain = patient.words(patient.ids(patient.messages[:2], prompt=True, tools=False))
    offered = patient.words(patient.ids(patient.messages[:2], prompt=True))
    before = offered.split(SYSTEM)[0] if SYSTEM in offered else ""
    if any(tool.name in before for tool in patient.tools):
        before = ""  # how tools are to be called is told before the system text
    for text in (plain.replace(SYSTEM + CLOCK, "\n").replace(ASKED, "\n"), before):
        lines = [" ".join(line.split()) for line in text.splitlines()]
        told = " ".join(line for line in lines if len(_own_words(line)) >= _FOREIGN_WORDS and line[:1] not in _JSON)
        if told:
            return f"The template adds a text of its own, “{told[:_SHOWN]}”, which neither the task nor this product wrote."
    return None


def _own_words(line: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d]{2,}", line) if word.lower() not in _ROLES]


def changes_by_the_day(patient: Patient) -> str | None:
    """A template that writes today's date."""
    if "strftime_now" in str(patient.tokenizer.chat_template):
        return "The template writes today's date into the prompt, so tomorrow's prompts differ from those that were trained on."
    return None


def forgeable(patient: Patient) -> str | None:
    """Text of others that could open or close a turn, or a call."""
    tokens = untrusted_tokens(patient.tokenizer)
    hostile = " ".join(f"{token}{token[:1]} {token}" for token in tokens)
    plain = patient.text(patient.ids(patient.messages, prompt=False))
    turns = len(patient.trained_runs)
    for place, who in ((1, "the user"), (3, "a tool")):
        row: Row = {**patient.row, "messages": list(patient.row["messages"])}
        row["messages"][place] = {**row["messages"][place], "content": row["messages"][place]["content"] + hostile}
        told = patient.make(row)
        text = patient.text(told.input_ids)
        if any(text.count(marker) != plain.count(marker) for marker in MARKERS) or len(runs_of(told)) != turns:
            return f"A text from {who} can forge a turn or a call: the template puts marks together again that were taken apart."
    return None


def turns_not_found(patient: Patient) -> str | None:
    """Nothing of its own to say about turns that training cannot tell apart: that raises a sentence."""
    wanted = len(patient.turns) - 1
    if len(patient.trained_runs) != wanted:
        return f"Training would learn {len(patient.trained_runs)} turns of a conversation in which {wanted} are to be learned."
    return None


def prompt_differs(patient: Patient) -> str | None:
    """A trained turn that does not begin where the model begins to write."""
    right = [place for place in patient.turns if patient.messages[place].content != WRONG]
    for number, (turn, (start, _)) in enumerate(zip(right, patient.trained_runs, strict=False), 1):
        prompt = patient.ids(patient.messages[:turn], prompt=True)
        if patient.trained.input_ids[: len(prompt)] != prompt:
            return (
                f"What the model is given before it writes its turn {number} is not how that turn begins in training, so it"
                " would be trained on conversations it never meets."
            )
        if start != len(prompt):
            late = start - len(prompt)
            return (
                f"Training of turn {number} begins {abs(late)} tokens {'after' if late > 0 else 'before'} the place where the"
                " model begins to write."
            )
    return None


def rendered_otherwise(patient: Patient) -> str | None:
    """Tokens in training that are not those at inference."""
    if patient.trained.input_ids != patient.as_read:
        return (
            "Replies kept as they were written (as at inference) and taken apart (as in training) become different tokens,"
            " so the model would be trained on conversations it never meets."
        )
    return None


def others_trained(patient: Patient) -> str | None:
    """Words that are not the agent's own, or not right, and are trained."""
    told = _trained_text(patient, patient.trained_runs)
    others = {
        "the request": ASKED,
        "a tool's result": RESULT_WORDS[1],
        "feedback": FEEDBACK,
        "a wrong message": WRONG,
        "the system text": SYSTEM,
    }
    for what, words in others.items():
        if words in told:
            return f"Training would teach the model to write {what}, which is not its own to write or was wrong."
    return None


def _trained_text(patient: Patient, runs: Sequence[tuple[int, int]]) -> str:
    return "\n".join(patient.text(patient.trained.input_ids[start:end]) for start, end in runs)


def stop_untrained(patient: Patient) -> str | None:
    """Turns whose end is not trained."""
    stops = stop_ids(patient.tokenizer)
    untaught = sum(patient.trained.input_ids[end - 1] not in stops for _, end in patient.trained_runs)
    if untaught:
        return (
            f"The token that ends a turn is not trained ({untaught} of {len(patient.trained_runs)} turns), so the model would"
            " never learn to stop."
        )
    return None

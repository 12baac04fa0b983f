"""What a person may put in place of an agent's reply or of a tool's result, in a fork or in a run that is held."""

from pydantic import JsonValue

from lamsim_core.agent.parse import OPEN, parse_reply
from lamsim_core.agent.prompt import call_text
from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import GoldCall, Observation, Step

LONGEST_EDIT = 20_000
"""Characters of a typed reply or result."""


def typed_reply(action: str | GoldCall) -> str:
    """The reply for an action a person typed: a call, or a message to the user.

    Raises:
        InvalidInputError: what was typed is empty, too long, or would be read as something else.
    """
    if isinstance(action, GoldCall):
        text = call_text(action)
    elif OPEN in action or not action.strip():
        raise InvalidInputError("A message to the user is plain text that is not empty. Use the form to make a call.")
    else:
        text = action.strip()
    if isinstance(action, GoldCall) and len(parse_reply(text).calls) != 1:
        raise InvalidInputError("An argument holds the mark that opens a call, so that this would be several calls.")
    return raw_reply(text)


def raw_reply(text: str) -> str:
    """A reply typed character by character: whatever a model could have written, calls and broken calls included.

    Raises:
        InvalidInputError: it is empty or too long.
    """
    if not text.strip():
        raise InvalidInputError("A reply cannot be empty.")
    if len(text) > LONGEST_EDIT:
        raise InvalidInputError(f"At most {LONGEST_EDIT:,} characters can be typed; this is {len(text):,}.")
    return text


def same_action(one: str, other: str) -> bool:
    """Whether two replies say and call the same, however they are laid out."""
    return _done_by(one) == _done_by(other)


def _done_by(reply: str) -> str:
    """What a reply does, as canonical text."""
    content, calls = parse_reply(reply)
    done: list[JsonValue] = [call.raw if call.error else [call.name, call.arguments] for call in calls]
    return canonical_json([content, *done])


def edited_result(step: Step | None, content: JsonValue) -> Observation:
    """The result of a step with another content: it ran, or did not, as it did.

    Raises:
        InvalidInputError: there is no result, or the content is no JSON or too long.
    """
    if step is None or step.observation is None:
        raise InvalidInputError("There is no result before this step that could be edited.")
    try:
        length = len(canonical_json(content))
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"The result has to be JSON, without NaN or infinity: {error}.") from error
    if length > LONGEST_EDIT:
        raise InvalidInputError(f"A result can be {LONGEST_EDIT:,} characters of JSON long; this is {length:,}.")
    return step.observation.model_copy(update={"content": content})

"""What went wrong with a server, in a sentence: what was expected, what came, what to do. Never with the key in it."""

import json

import openai

from lamsim_core.errors import ModelError
from lamsim_core.models.endpoint_entry import Endpoint

_SHOWN = 240
PASSING = frozenset({408, 409, 425, 429})
"""Answers below 500 that another try may not meet."""


def explain(error: Exception, endpoint: Endpoint, key: str | None) -> ModelError:
    """The sentence for an error of the client library."""
    if isinstance(error, ModelError):
        return error
    where, model = endpoint.base_url, endpoint.model
    if isinstance(error, openai.APIStatusError):
        return ModelError(_of_status(error, endpoint, _said(error, key)))
    if isinstance(error, openai.APITimeoutError):
        return silent(endpoint)
    if isinstance(error, openai.APIConnectionError):
        if error.__cause__ is not None and type(error.__cause__).__name__ in ("RemoteProtocolError", "ReadError"):
            return cut_off(endpoint)
        return ModelError(
            f"Expected an OpenAI-compatible server at {where}, but nothing could be reached there"
            f" ({type(error.__cause__).__name__}). Start the server, or correct base_url."
        )
    if isinstance(error, openai.APIError):
        return ModelError(
            f"The server at {where} broke off its reply for the model {model} with an error: {shown(error.message, key)}."
            " Look into its log."
        )
    return ModelError(
        f"Expected a stream of JSON events from the server at {where}, but it sent something malformed"
        f" ({type(error).__name__}). Check that base_url leads to an OpenAI-compatible server, and that nothing between"
        " changes what it sends."
    )


def _of_status(error: openai.APIStatusError, endpoint: Endpoint, said: str) -> str:
    where, model, status = endpoint.base_url, endpoint.model, error.status_code
    if status in (401, 403):
        if endpoint.key_env is None:
            advice = "It wants a key: name the environment variable that holds it under key_env."
        else:
            advice = f"Check the key in the environment variable {endpoint.key_env}, and what it may be used for."
        return f"The server at {where} refused the key or the access ({status}). {advice}"
    if is_page(error.response.headers.get("content-type", "")) or 300 <= status < 400:
        what = "sent the request elsewhere" if status < 400 else "answered with a web page"
        return f"Expected an OpenAI-compatible server at {where}, but it {what} ({status}). {_PATH_ADVICE}"
    if status == 404:
        return (
            f"The server at {where} has no model {model!r}, or no chat completions at this address (404{said})."
            " Compare the model's name with what GET /models lists, and check that base_url ends in /v1."
        )
    if status == 429:
        return f"The server at {where} still refused for too many requests (429{said}). Lower at_once, or try later."
    if status >= 500:
        return f"The server at {where} failed ({status}{said}). Look into its log, then try again."
    return (
        f"The server at {where} refused the request for the model {model} ({status}{said})."
        " A conversation may be too long for it; else compare the entry with what the server supports."
    )


_PATH_ADVICE = "Check base_url: for most servers it ends in /v1."


def not_a_stream(endpoint: Endpoint, content_type: str) -> ModelError:
    """The server answered 200, but with something else than a stream of events."""
    what = "a web page" if is_page(content_type) else f"{content_type[:60] or 'an answer of no type'!r}"
    return ModelError(
        f"Expected a stream of events (text/event-stream) from {endpoint.base_url}, but {what} came. It is not an"
        f" OpenAI-compatible server, or one that cannot stream. {_PATH_ADVICE}"
    )


def cut_off(endpoint: Endpoint) -> ModelError:
    """The stream ended before the reply did."""
    return ModelError(
        f"The server at {endpoint.base_url} closed the connection before its reply was complete: no finish_reason came."
        " It may have been stopped, or run out of memory. Look into its log, then try again."
    )


def silent(endpoint: Endpoint) -> ModelError:
    """Nothing came for too long."""
    return ModelError(
        f"The server at {endpoint.base_url} was silent for more than {endpoint.timeout_seconds:g} seconds. It may be loading the"
        " model or be overloaded. Try again, or raise timeout_seconds."
    )


def is_page(content_type: str) -> bool:
    """Whether a content type is that of a web page."""
    return content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


def shown(text: str, key: str | None) -> str:
    """What a server said, short, on one line, without the key."""
    if key and len(key) >= 4:
        text = text.replace(key, "[key]")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]


def message_of(error: openai.APIStatusError) -> str:
    """What the server says about its refusal."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or json.dumps(body, ensure_ascii=False)
    return str(body or "")


def _said(error: openai.APIStatusError, key: str | None) -> str:
    text = shown(message_of(error), key)
    return f": {text}" if text else ""

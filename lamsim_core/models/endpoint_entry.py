"""Where an OpenAI-compatible server is and how it is spoken to: one entry of data/models.yaml or of the user's own file.

An entry names the environment variable that holds the key, never the key.
"""

import ipaddress
import os
import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from lamsim_core.canonical import content_hash
from lamsim_core.models.listing import Name
from lamsim_core.records import Record

ADDRESS = "Expected an address like http://127.0.0.1:8000/v1, without user name, password, ? and #"
_KEY_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")


class Endpoint(Record):
    """An OpenAI-compatible server."""

    base_url: str
    """Address up to and including ``/v1``. Of this machine, unless ``remote`` is set."""
    model: str = Field(min_length=1, max_length=200)
    """What the server calls the model."""
    key_env: str | None = None
    """Name of the environment variable that holds the key; None when the server wants none."""
    remote: bool = False
    """Whether the server may be on another machine: what tasks and tools say is then sent there."""
    tools: Literal["probe", "native", "text"] = "probe"
    """The server's own tool calling, tools described in the system message, or whichever a probe finds."""
    timeout_seconds: float = Field(default=120, gt=0, le=3600)
    """The longest the server may be silent."""
    at_once: int = Field(default=4, ge=1, le=256)
    """Replies it is asked for at the same time."""
    tries: int = Field(default=5, ge=1, le=20)
    """How often a request is made that fails for a passing reason."""

    @field_validator("key_env", mode="before")
    @classmethod
    def _names_a_variable(cls, value: Any) -> Any:
        if value is not None and not (isinstance(value, str) and _KEY_VARIABLE.fullmatch(value)):
            raise ValueError(
                "Expected the NAME of an environment variable that holds the key (capitals, digits and _), never the key."
                " Put the key into the environment and its name here"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or not value.isascii() or not value.isprintable() or set(value) & set(" \\@?#") or len(value) > 500:
            raise ValueError(ADDRESS)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _stays_where_it_may(self) -> "Endpoint":
        if not self.is_local and not self.remote:
            raise ValueError(
                "The server is not on this machine (127.0.0.1, [::1] or localhost). What tasks and tools say would be sent to"
                " it; if that is meant, add remote: true"
            )
        if not self.is_local and self.key_env and not self.base_url.startswith("https://"):
            raise ValueError("A key is sent to another machine only over https. Use https, or a tunnel to this machine")
        return self

    @property
    def is_local(self) -> bool:
        """Whether the address is of this machine."""
        host = urlsplit(self.base_url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def model_hash(self) -> str:
        """Hash of which model of which server this is. Nobody can know the weights behind an address."""
        return content_hash({"base_url": self.base_url, "model": self.model})

    def key(self) -> str | None:
        """The key, from the environment; None when the entry names none or the variable is not set."""
        return (os.environ.get(self.key_env) or None) if self.key_env else None

    def why_not(self) -> str | None:
        """Why this entry cannot be used as the environment is, or None. Asks nobody."""
        if self.key_env is None:
            return None
        key = self.key()
        if key is None:
            return f"It needs a key: set the environment variable {self.key_env} and start again."
        if not key.isascii() or not key.isprintable() or " " in key:
            return f"The environment variable {self.key_env} holds characters no key has (a space or a line end?). Correct it."
        return None


class OwnEndpoint(Endpoint):
    """One entry of the user's own file of endpoints."""

    name: Name
    title: str = Field(default="", max_length=120)
    """Name for a person; made from the entry's name when empty."""
    licence: str = "see its maker"
    parameters: str = "unknown"
    note: str = ""

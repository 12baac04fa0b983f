"""Where an MCP server is: a command of this machine, or an address of this machine. Nothing else is ever contacted."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.pointers import shown

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""The only hosts an MCP server may be on, written exactly so."""


@dataclass(frozen=True)
class Server:
    """Exactly one of the two."""

    command: tuple[str, ...] = ()
    """Program and arguments. From the shell only: never from a page, a file or a model, and never stored."""
    url: str | None = None
    """An address, which must be of this machine."""

    def __post_init__(self) -> None:
        """Refuse what is no command and no address of this machine. Raises InvalidInputError."""
        if bool(self.command) == bool(self.url):
            raise InvalidInputError("Expected a URL or a command for the MCP server: give one of the two.")
        if any("\0" in part for part in self.command) or (self.command and not self.command[0].strip()):
            raise InvalidInputError("The command of the MCP server is empty or holds a null character. Correct it.")
        if self.url:
            check_url(self.url)

    @property
    def shown(self) -> str:
        """The server, in a sentence."""
        return shown(self.url or self.command[0])


def check_url(url: str) -> None:
    """Refuse addresses of other machines, before anything is contacted. Raises InvalidInputError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\@") and len(url) <= 500
    if not plain or parts.scheme not in ("http", "https") or parts.fragment or host not in LOOPBACK or port == 0:
        raise InvalidInputError(
            f"An MCP server is reached on this machine only (http://127.0.0.1:PORT/..., also localhost and [::1]), without user "
            f"name and #; got {shown(url)}. Run the server here, or pass a command."
        )


def check_resolves_here(url: str) -> None:
    """Refuse a ``localhost`` that a changed hosts file sends elsewhere. Raises InvalidInputError."""
    host = urlsplit(url).hostname or ""
    if host != "localhost":
        return
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise InvalidInputError("The name localhost has no address here. Use 127.0.0.1.") from error
    if not all(address == "::1" or address.startswith("127.") for address in found):
        raise InvalidInputError(f"The name localhost leads to {sorted(found)}, not to this machine. Use 127.0.0.1.")

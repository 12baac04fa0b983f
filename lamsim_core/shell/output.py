"""What a command says and where: results on stdout, everything else on stderr, and with ``--json`` one object on stdout."""

import ctypes
import functools
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from lamsim_core.errors import LamsimError, StoppedError

FAILED = 1
"""Exit code of a command that could not do what it was asked, or found what it looks for to be wrong."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, which saves and stops."""

Cells = Sequence[object]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@dataclass(frozen=True)
class Table:
    """A table for people."""

    head: Sequence[str]
    """Titles of the columns: our own words."""
    rows: Iterable[Cells]


@dataclass(frozen=True)
class Report:
    """What a command has to say: the same for programs and for people."""

    data: dict[str, Any]
    """Printed with ``--json``."""
    show: Sequence[str | Table]
    """Printed without: sentences and tables. May hold text of models; what could steer a terminal is taken out."""
    exit_code: int = 0


class JobEndedError(Exception):
    """A watched job ended without a result. Never leaves the shell: its cause is what is told, with the job's id."""

    def __init__(self, job: str, cause: LamsimError) -> None:
        super().__init__(str(cause))
        self.job = job
        self.cause = cause


def command(
    app: typer.Typer, name: str, *, hidden: bool = False
) -> Callable[[Callable[..., Report]], Callable[..., Report]]:
    """Register a function that returns a ``Report`` as a command, with ``--json`` and with errors as sentences."""

    def register(body: Callable[..., Report]) -> Callable[..., Report]:
        app.command(name, hidden=hidden)(reporting(body))
        return body

    return register


def reporting(body: Callable[..., Report]) -> Callable[..., None]:
    """The function typer is given for ``body``: one more option, the report printed, the exit code set."""

    @functools.wraps(body)
    def run(*arguments: Any, as_json: bool = False, **options: Any) -> None:
        raise typer.Exit(carry_out(functools.partial(body, *arguments, **options), as_json))

    signature = inspect.signature(body)
    option = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return run


def carry_out(body: Callable[[], Report], as_json: bool) -> int:
    """Do the work of a command, print what it has to say, and return its exit code.

    Raises:
        TyperException: the command line is wrong; typer tells the user how.
    """
    if not as_json:
        try:
            report = body()
        except TyperException:
            raise
        except Exception as error:
            say(_failure(error)["error"])
            return _code(error)
        except KeyboardInterrupt:
            say("Interrupted.")
            return INTERRUPTED
        _show(report)
        return report.exit_code
    with stdout_to_stderr():
        try:
            report = body()
            data, code = report.data, report.exit_code
        except TyperException:
            raise
        except Exception as error:
            data, code = _failure(error), _code(error)
            say(data["error"])
        except KeyboardInterrupt:
            data, code = {"error": "Interrupted.", "kind": "KeyboardInterrupt"}, INTERRUPTED
    print_json(data)
    return code


def _failure(error: Exception) -> dict[str, Any]:
    """An error as a sentence and a kind. One nobody expected is also traced on stderr."""
    job = error.job if isinstance(error, JobEndedError) else None
    cause = error.cause if isinstance(error, JobEndedError) else error
    if isinstance(cause, OSError) and cause.strerror:
        sentence = f"{cause.filename or 'A file'}: {cause.strerror}."
    elif isinstance(cause, LamsimError):
        sentence = str(cause)
    else:
        traceback.print_exception(cause)
        sentence = f"An unexpected error ended this command ({type(cause).__name__}: {cause})."
    return {"error": sentence, "kind": type(cause).__name__, **({"job": job} if job else {})}


def _code(error: Exception) -> int:
    cause = error.cause if isinstance(error, JobEndedError) else error
    return INTERRUPTED if isinstance(cause, StoppedError) else FAILED


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """While the block runs, whatever anybody prints goes to stderr: Python, C libraries and child processes alike."""
    spoken = sys.stdout
    spoken.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = spoken
        _flush_all()
        os.dup2(kept, 1)
        os.close(kept)


def seal_stdout() -> None:
    """Send whatever is still printed while the process ends to stderr."""
    _flush_all()
    os.dup2(2, 1)


def _flush_all() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)


def print_json(data: dict[str, Any]) -> None:
    """Print one JSON object, on one line, to stdout."""
    sys.stdout.write(json.dumps(data, allow_nan=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a line for people to stderr."""
    print(plain(text, lines=True), file=sys.stderr, flush=True)


def plain(text: object, *, lines: bool = False) -> str:
    """Text without characters that could steer a terminal; on one line unless ``lines``."""
    return "".join(
        letter if letter.isprintable() or (lines and letter == "\n") else "\ufffd" if letter not in "\n\r\t" else " "
        for letter in str(text)
    )


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 240, highlight=False)
    for part in report.show:
        if isinstance(part, str):
            console.print(Text(plain(part, lines=True)), soft_wrap=True)
            continue
        drawn = RichTable(*part.head, box=None, pad_edge=False)
        for row in part.rows:
            drawn.add_row(*(Text(plain("" if cell is None else cell)) for cell in row))
        console.print(drawn)

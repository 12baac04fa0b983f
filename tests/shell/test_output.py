"""Where words go: one object on stdout with --json, sentences on stderr, exit codes that mean something."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer
from typer.exceptions import TyperException
from typer.testing import CliRunner

from lamsim_core.errors import InvalidInputError, LamsimError, StoppedError
from lamsim_core.shell.output import JobEndedError, Report, Table, carry_out, command, plain, stdout_to_stderr


def report() -> Report:
    return Report({"n": 1}, ["One thing.", Table(("a", "b"), [(1, None)])])


def chatty() -> Report:
    print("from Python")
    sys.__stdout__.write("from the original stream\n")  # type: ignore[union-attr]
    os.write(1, b"from a descriptor\n")
    ctypes.CDLL(None).puts(b"from C")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return report()


def test_json_is_alone_on_stdout_whoever_prints(capfd: pytest.CaptureFixture[str]) -> None:
    assert carry_out(chatty, True) == 0
    out, err = capfd.readouterr()
    assert out == '{"n": 1}\n'
    for source in ("Python", "the original stream", "a descriptor", "C", "a child"):
        assert f"from {source}\n" in err
    os.write(1, b"afterwards\n")
    assert capfd.readouterr().out == "afterwards\n"


def test_stdout_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), stdout_to_stderr():
        print("inside")
        raise RuntimeError
    print("outside")
    out, err = capfd.readouterr()
    assert (out, err) == ("outside\n", "inside\n")


def test_people_read_sentences_and_tables(capfd: pytest.CaptureFixture[str]) -> None:
    assert carry_out(report, False) == 0
    out = capfd.readouterr().out
    assert [line.split() for line in out.splitlines()] == [["One", "thing."], ["a", "b"], ["1"]]


def raising(error: BaseException) -> Callable[[], Report]:
    def body() -> Report:
        raise error

    return body


JOB = "job_" + "0" * 26
CASES = [
    (InvalidInputError("That cannot be."), 1, {"error": "That cannot be.", "kind": "InvalidInputError"}),
    (StoppedError("Stopped."), 130, {"error": "Stopped.", "kind": "StoppedError"}),
    (JobEndedError(JOB, StoppedError("Stopped.")), 130, {"error": "Stopped.", "kind": "StoppedError", "job": JOB}),
    (JobEndedError(JOB, LamsimError("No.")), 1, {"error": "No.", "kind": "LamsimError", "job": JOB}),
    (KeyboardInterrupt(), 130, {"error": "Interrupted.", "kind": "KeyboardInterrupt"}),
    (
        FileNotFoundError(2, "No such file or directory", "/x"),
        1,
        {"error": "/x: No such file or directory.", "kind": "FileNotFoundError"},
    ),
]


@pytest.mark.parametrize(("error", "code", "data"), CASES)
def test_an_error_is_a_sentence_on_stderr_and_an_object_on_stdout(
    error: BaseException, code: int, data: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    import json

    assert carry_out(raising(error), True) == code
    out, err = capfd.readouterr()
    assert json.loads(out) == data
    if not isinstance(error, KeyboardInterrupt):
        assert err == data["error"] + "\n"
    assert carry_out(raising(error), False) == code
    out, err = capfd.readouterr()
    assert (out, err) == ("", data["error"] + "\n")


def test_what_nobody_expected_is_traced_and_still_one_object(capfd: pytest.CaptureFixture[str]) -> None:
    import json

    assert carry_out(raising(ZeroDivisionError("by zero")), True) == 1
    out, err = capfd.readouterr()
    assert json.loads(out)["kind"] == "ZeroDivisionError"
    assert "Traceback" in err and "by zero" in err


@pytest.mark.parametrize("as_json", [True, False])
def test_a_wrong_command_line_is_left_to_typer(as_json: bool) -> None:
    with pytest.raises(TyperException):
        carry_out(raising(typer.BadParameter("give more")), as_json)


def test_text_of_models_cannot_steer_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b[2J\x07\u202eb [red]c[/red]\nd"
    assert plain(evil) == "a\ufffd[2J\ufffd\ufffdb [red]c[/red] d"
    carry_out(lambda: Report({}, [evil, Table(("x",), [(evil,)])]), False)
    out = capfd.readouterr().out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)
    assert out.count("[red]c[/red]") == 2, "and nothing in it is read as markup"


def test_every_command_gets_the_json_option() -> None:
    app = typer.Typer()

    def body(number: int = 2) -> Report:
        """Doubles."""
        return Report({"twice": 2 * number}, [f"{2 * number}"], exit_code=3)

    command(app, "double")(body)
    runner = CliRunner()
    result = runner.invoke(app, ["--number", "4", "--json"])
    assert (result.exit_code, result.stdout) == (3, '{"twice": 8}\n')
    assert runner.invoke(app, ["--number", "4"]).stdout == "8\n"
    assert runner.invoke(app, ["--number", "x", "--json"]).exit_code == 2

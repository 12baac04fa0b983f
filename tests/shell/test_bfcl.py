"""The command ``bfcl``."""

import pytest

from lamsim_core.settings import Settings
from tests.shell.conftest import Shell


def test_a_run_speaks_to_programs_and_to_people(shell: Shell, home: Settings) -> None:
    arguments = ("bfcl", "--model", "noop", "--category", "irrelevance", "--category", "parallel", "--limit", "3")
    found = shell(*arguments, "--json")
    assert found.code == 0
    rows = {row["category"]: row for row in found.json["categories"]}
    assert (rows["irrelevance"]["passed"], rows["irrelevance"]["size"]) == (3, 240)
    assert rows["parallel"]["errors"] == {"ast_decoder:decoder_failed": 3}
    said = shell(*arguments)
    assert "3 of 3 (of 240)" in said.out and "ast_decoder:decoder_failed 3" in said.out
    assert shell("jobs", "list", "--json").json["jobs"][0]["kind"] == "bfcl"


def test_the_self_test_proves_both(shell: Shell) -> None:
    found = shell("bfcl", "--self-test", "--every", "100", "--json").json
    assert found["ok"] is True
    assert found["rules"]["agreed"] + found["rules"]["broke"] == found["rules"]["answers"] > 500
    assert found["turns"]["gold_passed"] == found["turns"]["tasks"] == 8 and found["turns"]["nothing_passed"] == 0


def test_a_failed_self_test_is_an_exit_code(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamsim_core.evaluate.bfcl.rules.plain", lambda value: value)
    found = shell("bfcl", "--self-test", "--every", "200")
    assert found.code == 1 and "Something is wrong." in found.out and "ours value_error:string" in found.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--self-test"),
        (("--model", "noop", "--category", "simple"), "no category 'simple'"),
        (("--model", "noop", "--limit", "0"), "limit"),
    ],
)
def test_wrong_usage(shell: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    found = shell("bfcl", *arguments)
    assert found.code == 2 and sentence in found.err


def test_an_unknown_model(shell: Shell) -> None:
    found = shell("bfcl", "--model", "nobody", "--json")
    assert found.code == 1 and found.json["kind"] == "NotFoundError"

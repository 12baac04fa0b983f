"""Datasets from the shell: the rules of the page, made again, compared."""

from pathlib import Path

import pytest

from lamsim_core.curate.folder import rows_digest
from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from tests.curate.scripted import NO_TOOL, Moves, says
from tests.filling import fill
from tests.shell.conftest import Shell


def test_the_rules_are_those_of_the_page(shell: Shell, home: Settings, tmp_path: Path) -> None:
    made = [each for each in fill(home, 6) if each.policy.name == "gold"]
    bench = tmp_path / "bench.txt"
    bench.write_text(made[0].task.instruction + "\n")
    rules = ("--exclude", made[1].id, "--sql", "SELECT id FROM attempts WHERE policy = 'gold'", "--alike", "0.9")
    more = ("--since", "2026-01-01", "--max-steps", "50", "--keep", "seeded", "--seed", "3", "--outside", str(bench))
    found = shell("dataset", "create", "--name", "x", *rules, *more, "--json").json
    assert found["rows"] == 4
    assert found["left_out"]["excluded by hand"] == 1 and found["left_out"]["request also in bench"] == 1
    stages = ["looked at", "selected", "accepted", "deduplicated", "capped", "decontaminated", "cut to size"]
    assert list(found["stages"]) == stages
    assert found["stages"]["looked at"] == 18 and found["stages"]["decontaminated"] == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--share", "calendar"), "is no share"),
        (("--share", "calendar=2"), "cannot be used"),
        (("--kind-share", "no_such_kind=0.5"), "cannot be used"),
        (("--policy-share", "Gold=0.5"), "cannot have a share"),
        (("--policy-share", "gold=x"), "is no share"),
        (("--weigh", "some"), "'some' is not one of"),
        (("--weigh", "all", "--make", "labels"), "Only whole attempts can be unfiltered"),
        (("--looks", "odd"), "'odd' is not one of"),
        (("--sql", "DROP TABLE marks"), "not DROP"),
        (("--since", "yesterday"), "is no time"),
        (("--outside", "/no/such/file"), "cannot be read"),
    ],
)
def test_rules_that_cannot_be_used_are_said(shell: Shell, home: Settings, options: tuple[str, ...], says: str) -> None:
    found = shell("dataset", "create", "--name", "x", *options)
    assert found.code != 0 and says in found.err


def test_two_arms_of_one_size_by_options_alone(shell: Shell, home: Settings) -> None:
    fill(home, 8)
    create = ("dataset", "create", "--json", "--no-decontaminate", "--rows", "6")
    clean = shell(*create, "--name", "clean").json
    everything = shell(
        *create, "--name", "all", "--also-failed", "--any-errors", "--weigh", "all", "--policy-share", "gold=0.5"
    ).json
    assert clean["rows"] == everything["rows"] == 6 and clean["shortage"] is None
    assert clean["left_out"]["over the number of rows"] == 2
    says = shell("dataset", "create", "--name", "all", "--weigh", "all", "--rows", "100", "--no-decontaminate")
    assert says.code == 0
    assert "Fewer rows than asked for: 8 instead of 100" in says.out and "UNFILTERED" in says.out
    diff = shell("dataset", "diff", "all", "--json").json["rules"]
    assert diff["most rows"] == ["6", "100"] and diff["shares of who acted"] == ["`gold` 0.5", "as they come"]


def test_a_preset_fills_in_what_no_option_says(shell: Shell, home: Settings) -> None:
    fill(home, 4)
    found = shell("dataset", "create", "--name", "x", "--preset", "balanced", "--max-per-template", "7", "--json").json
    assert found["rows"] == 4 and found["preset"]["name"] == "balanced" and len(found["preset"]["says"]) == 4
    says = shell("dataset", "create", "--name", "x", "--preset", "balanced").out
    assert "Ask: no fitting rows, so it has no share." in says
    rules = shell("dataset", "diff", "x", "--json").json["rules"]
    assert rules == {"most per template": ["7", "20"]}


def test_a_dataset_is_made_again_and_compared(shell: Shell, home: Settings) -> None:
    made = [each for each in fill(home, 3) if each.policy.name == "gold"]
    first = shell("dataset", "create", "--name", "x", "--json").json
    check = shell("dataset", "rebuild", "x", "--check", "--json")
    assert check.code == 0 and check.json["same"] and check.json["hash"] == first["hash"]
    assert shell("dataset", "diff", "x").code != 0, "it has no earlier version"
    second = shell("dataset", "create", "--name", "x", "--exclude", made[0].id, "--json").json
    diff = shell("dataset", "diff", "x", "--json").json
    assert (diff["before"], diff["dataset"]) == (first["dataset"], second["dataset"])
    assert diff["went"] == {"excluded by hand": [made[0].id]} and diff["came"] == {}
    assert "Went out: 1, excluded by hand." in shell("dataset", "diff", "x").out
    again = shell("dataset", "rebuild", "x", "--json").json
    assert again["hash"] == second["hash"] and again["parent"] == second["dataset"]


def test_a_dataset_that_would_be_another_now_is_said_with_exit_code_one(shell: Shell, home: Settings) -> None:
    from lamsim_core.canonical import new_id, now
    from lamsim_core.records import Mark

    made = [each for each in fill(home, 3) if each.policy.name == "gold"]
    shell("dataset", "create", "--name", "x")
    with Store(home) as store:
        store.add(Mark(id=new_id("mrk"), trajectory=made[0].id, decision="reject", author="me", created=now()))
    found = shell("dataset", "rebuild", "x", "--check")
    assert found.code == 1
    assert "is not the same" in found.out and "Went out: 1, rejected." in found.out


@pytest.fixture
def paired(home: Settings) -> list[Trajectory]:
    """A store in which a model fails and passes at one task."""
    m = Moves()
    made = [m.passing(), says(m.task, m.look, NO_TOOL, "No."), says(m.task, m.look, "Done.")]
    with Store(home) as store:
        for each in made:
            store.add(each)
    return made


def test_pairs_are_frozen_counted_and_replayed(shell: Shell, home: Settings, paired: list[Trajectory]) -> None:
    found = shell("dataset", "create", "--name", "p", "--make", "preference", "--no-decontaminate", "--json").json
    assert (found["kind"], found["rows"], found["groups"]) == ("preference", 2, {"sibling": 1, "stop": 1})
    assert shell("dataset", "pairs", "p", "--json").json["groups"] == found["groups"]
    check = shell("dataset", "pairs", "p", "--check")
    assert check.code == 0 and "2 of 2 preference pairs of p" in check.out and "1 sibling, 1 stop" in check.out
    assert shell("dataset", "rebuild", "p", "--check", "--json").json["same"]
    assert shell("dataset", "rebuild", "p", "--json").json["kind"] == "preference"
    only = ("--pair-kind", "stop", "--max-per-pair-kind", "1", "--no-decontaminate")
    assert shell("dataset", "create", "--name", "q", "--make", "preference", *only, "--json").json["rows"] == 1


def test_labels_are_frozen_and_whole_attempts_are_not_pairs(
    shell: Shell, home: Settings, paired: list[Trajectory]
) -> None:
    options = ("--make", "labels", "--balance", "0", "--no-decontaminate", "--json")
    found = shell("dataset", "create", "--name", "l", *options).json
    assert found["kind"] == "labels" and found["groups"] == {"right": 3, "wrong": 3}
    assert shell("dataset", "pairs", "l", "--check", "--json").json["held"] == 6
    shell("dataset", "create", "--name", "whole", "--no-decontaminate")
    for more in ((), ("--check",)):
        refused = shell("dataset", "pairs", "whole", *more)
        assert refused.code != 0 and "whole attempts" in refused.err


def test_a_pair_that_does_not_hold_is_said_with_exit_code_one(
    shell: Shell, home: Settings, paired: list[Trajectory]
) -> None:
    made = shell("dataset", "create", "--name", "p", "--make", "preference", "--no-decontaminate", "--json").json
    folder = home.datasets / made["dataset"]
    rows = (folder / "rows.jsonl").read_text().replace("no_such_tool", "other_tool")
    (folder / "rows.jsonl").write_text(rows)
    assert shell("dataset", "pairs", "p", "--check").code != 0, "the hash is another"
    digest = rows_digest()
    digest.update(rows.encode())
    record = (folder / "dataset.json").read_text().replace(made["hash"], digest.hexdigest())
    (folder / "dataset.json").write_text(record)
    check = shell("dataset", "pairs", "p", "--check")
    assert check.code == 1 and "1 of 2" in check.out and "not the one of its source" in check.out

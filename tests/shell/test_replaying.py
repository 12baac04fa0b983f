"""``replay``: how many stored attempts come out the same, and which do not."""

from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import find_trajectories, get_trajectory
from tests.shell.conftest import Shell


def stored(home: Settings) -> list[Trajectory]:
    with Store(home) as store:
        store.index.sync()
        return [get_trajectory(store.index, row.id) for row in find_trajectories(store.index, limit=None)]


def add(home: Settings, trajectory: Trajectory) -> None:
    with Store(home) as store:
        store.add(trajectory)


def test_replay_counts_what_is_identical_and_names_what_is_not(shell: Shell, home: Settings) -> None:
    for policy in ("gold", "random"):
        assert shell("explore", "--model", policy, "--tasks", "3", "--json").code == 0
    made = stored(home)
    every = shell("replay", "--all", "--json")
    assert every.code == 0 and every.json["ok"] is True
    assert {name: every.json[name] for name in ("replayed", "identical", "different", "not_built")} == {
        "replayed": 6,
        "identical": 6,
        "different": 0,
        "not_built": 0,
    }
    assert every.json["steps"] == sum(len(each.steps) for each in made)
    forked = shell("replay", "--all", "--forks", "5", "--json")
    assert forked.code == 0 and (forked.json["forked"]["forks"], forked.json["forked"]["equal"]) == (5, 5)
    assert "3 steps forked: 3 equal a fresh replay, 0 do not." in shell("replay", "--all", "--forks", "3").out
    of_run = shell("replay", "--run", made[0].run, "--json")
    assert of_run.json["replayed"] == 3
    for_people = shell("replay", made[0].id, made[5].id)
    assert for_people.code == 0 and for_people.out.strip() == "2 replayed: 2 identical, 0 different."
    first = made[0]
    lying = first.steps[0].model_copy(update={"state_after": "0" * 32})
    add(home, first.model_copy(update={"id": "trj_lying", "run": "r", "steps": (lying, *first.steps[1:])}))
    gone = first.task.model_copy(update={"category": "gardening", "worlds": ()})
    add(home, first.model_copy(update={"id": "trj_gone", "run": "r", "task": gone}))
    found = shell("replay", "--all", "--json")
    assert found.code == 1 and found.json["ok"] is False
    assert (found.json["identical"], found.json["different"], found.json["not_built"]) == (6, 1, 1)
    wrong = {each["trajectory"]: each for each in found.json["wrong"]}
    assert wrong["trj_lying"]["first"]["step"] == 0 and wrong["trj_lying"]["first"]["part"] == "state_after"
    assert "cannot be built any more" in wrong["trj_gone"]["problem"]
    told = shell("replay", "--run", "r")
    assert told.code == 1 and "trj_lying" in told.out and "the state after" in told.out
    assert "2 replayed: 0 identical, 1 different, 1 that cannot be built any more." in told.out


def test_replay_wants_to_know_what(shell: Shell) -> None:
    assert shell("replay", "--json").json["kind"] == "InvalidInputError"
    assert shell("replay", "trj_x", "--all", "--json").code == 1
    assert shell("replay", "trj_x", "--json").json["kind"] == "NotFoundError"
    assert shell("replay", "--run", "run_x", "--json").json["kind"] == "NotFoundError"
    empty = shell("replay", "--all", "--json")
    assert empty.code == 0 and empty.json["replayed"] == 0

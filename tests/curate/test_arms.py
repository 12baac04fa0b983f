"""What rows are made of: arms of an ablation by rules alone, of one size, in stated parts, and said on the card."""

import json
from collections import Counter

import pytest

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.curate.card import card, read_card
from lamsim_core.curate.datasets import dataset_folder, freeze, load_rows, rebuild
from lamsim_core.curate.rules import shares_of, shortage
from lamsim_core.curate.select import select
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import PolicyInfo, Selection, Task, ToolBinding, Trajectory
from lamsim_core.store import Store
from lamsim_core.tasks import instantiate, templates_of
from tests.curate.attempts import attempt, clumsy, failing, gold_replies, tasks


def own(task: Task) -> Trajectory:
    """A success of a model, word for word the reference's."""
    policy = PolicyInfo(kind="model", name="Small Model")
    return attempt(task, ReplayPolicy(gold_replies(task))).model_copy(update={"policy": policy})


def fill(store: Store, *trajectories: Trajectory) -> list[Trajectory]:
    for trajectory in trajectories:
        store.add(trajectory)
    return list(trajectories)


def test_own_successes_and_demonstrations_stand_in_the_stated_parts(store: Store) -> None:
    planned = [*tasks(5), *tasks(5, template="calendar.cancel")]
    fill(store, *(own(task) for task in planned[:7]), *(attempt(task) for task in planned[5:]))
    assert Counter(row.policy for row in select(store.index, Selection()).rows) == {"gold": 5, "Small Model": 5}
    fill(store, *(own(task) for task in tasks(6, seed=9)))
    chosen = select(store.index, Selection(policy_shares={"gold": 0.5}))
    assert Counter(row.policy for row in chosen.rows) == {"gold": 5, "Small Model": 5}
    assert set(chosen.left_out) == {"duplicate", "over the share of who acted"}
    cut = select(store.index, Selection(policy_shares={"gold": 0.5}, rows=4))
    assert Counter(row.policy for row in cut.rows) == {"gold": 2, "Small Model": 2}
    with pytest.raises(InvalidInputError, match="'nobody'"):
        select(store.index, Selection(policy_shares={"nobody": 0.1}))


def test_names_in_shares_of_who_acted_are_taken_as_they_are() -> None:
    assert shares_of(["Small Model=0.5", "a=b=0.25"], as_written=True) == {"Small Model": 0.5, "a=b": 0.25}
    assert shares_of(["No Tool=0.5"]) == {"no_tool": 0.5}


def renamed(task: Task) -> Task:
    """The same with the first tool under another name; it does not say so itself."""
    bindings = [bound for _, bound in task.bound_tools]
    first = task.tools[0].model_copy(update={"name": "other_name"})
    return task.model_copy(update={"tools": (first, *task.tools[1:]), "bindings": tuple(bindings), "style": "plain"})


def test_looks_are_those_of_the_task_itself() -> None:
    task = next(task for task in tasks(20) if task.style == "plain")
    assert task.looks == "plain" and renamed(task).looks == "varied"
    assert task.model_copy(update={"bindings": ()}).looks == "plain", "a task of before there were looks"
    assert task.model_copy(update={"style": "camel"}).looks == "varied"
    bound = task.bindings[0]
    other = ToolBinding(category=bound.category, tool=bound.tool, parameters={"renamed": "title"})
    assert task.model_copy(update={"bindings": (other, *task.bindings[1:])}).looks == "varied"


def test_looks_and_number_of_the_tools_offered(store: Store) -> None:
    made = fill(store, *(attempt(task) for task in tasks(12)))
    plain = {each.id for each in made if each.task.style == "plain"}
    assert 0 < len(plain) < 12
    chosen = select(store.index, Selection(looks="plain"))
    assert set(chosen.members) == plain
    assert chosen.left_out == {"with tools in other looks": 12 - len(plain)}
    assert set(select(store.index, Selection(looks="varied")).members) == {each.id for each in made} - plain
    sizes = sorted(len(each.task.tools) for each in made)
    least, most = sizes[0] + 1, sizes[-1] - 1
    chosen = select(store.index, Selection(min_tools=least, max_tools=most))
    assert set(chosen.members) == {each.id for each in made if least <= len(each.task.tools) <= most}
    assert set(chosen.left_out) == {"fewer tools offered than wanted", "more tools offered than wanted"}
    ids = "SELECT id FROM attempts WHERE looks = 'varied'"
    assert select(store.index, Selection(sql=ids)).members == select(store.index, Selection(looks="varied")).members


def test_so_many_rows_are_cut_last_and_templates_take_turns(store: Store) -> None:
    moves = fill(store, *(attempt(task) for task in tasks(5)))
    cancels = fill(store, *(attempt(task) for task in tasks(2, template="calendar.cancel")))
    chosen = select(store.index, Selection(rows=5))
    assert set(chosen.members) == {each.id for each in (*cancels, *moves[-3:])}
    assert chosen.left_out == {"over the number of rows": 2}
    assert select(store.index, Selection(rows=100)).left_out == {}
    assert shortage(Selection(rows=100), 7) is not None and shortage(Selection(rows=7), 7) is None


def test_the_unfiltered_arm_says_so_in_rows_and_card_and_is_made_again(store: Store) -> None:
    made = fill(store, *(clumsy(task) for task in tasks(2)), failing(tasks(3)[2]))
    rules = {"passed_only": False, "max_errors": None, "rows": 9}
    filtered = freeze(store, "arm", Selection(**rules))
    unfiltered = freeze(store, "arm", Selection(**rules, weigh="all"))
    assert filtered.members == unfiltered.members and filtered.rows == len(made) == 3
    assert filtered.hash != unfiltered.hash
    rows = load_rows(store.settings, unfiltered.id)
    assert all(row["unfiltered"] and "weight" not in json.dumps(row["messages"]) for row in rows)
    assert not any("unfiltered" in row for row in load_rows(store.settings, filtered.id))
    text = (dataset_folder(store.settings, unfiltered.id) / "README.md").read_text()
    assert "**UNFILTERED: everything the agent said, failed or not**" in text
    assert "**Fewer rows than asked for: 3 instead of 9" in text
    assert "UNFILTERED" not in card(filtered)
    assert rebuild(store, unfiltered).same and rebuild(store, filtered).same


def test_rows_that_show_few_tools_are_of_the_same_attempts_and_made_again(store: Store) -> None:
    fill(store, *(attempt(task) for task in tasks(4)))
    whole, few = freeze(store, "arm", Selection()), freeze(store, "arm", Selection(spare_tools=0))
    assert whole.members == few.members and whole.hash != few.hash
    shown = [[len(row["tools"]) for row in load_rows(store.settings, each.id)] for each in (whole, few)]
    assert all(less <= more for more, less in zip(*shown, strict=True)) and sum(shown[1]) < sum(shown[0])
    assert "tools a row shows: the needed and up to 0 more" in card(few) and "tools a row shows: all" in card(whole)
    assert rebuild(store, few).same
    for other in (Selection(spare_tools=1), Selection(share_tools=2)):
        with pytest.raises(InvalidInputError, match="show what was offered"):
            freeze(store, "pairs", other, kind="preference")


def test_rows_of_one_world_that_show_the_same_tools_are_of_the_same_attempts_and_made_again(store: Store) -> None:
    templates = [template for template in templates_of("train") if template.category in ("calendar", "notes")]
    made = [attempt(instantiate(template, seed)) for seed in (1, 2) for template in templates]
    fill(store, *made)
    apart, together = freeze(store, "arm", Selection()), freeze(store, "arm", Selection(share_tools=8))
    assert {*apart.members} == {*together.members} and apart.counts == together.counts
    rows = load_rows(store.settings, together.id)
    assert [row["trajectory"] for row in rows] == [*together.members]
    shown = Counter(json.dumps([row["messages"][0], row["tools"]]) for row in rows)
    assert len(shown) < len(rows) and max(shown.values()) <= 8
    assert "rows of one world: up to 8 with the same tools" in card(together)
    assert rebuild(store, together).same


def test_a_card_of_before_means_what_it_meant(store: Store) -> None:
    fill(store, *(attempt(task) for task in tasks(3)))
    dataset = freeze(store, "old", Selection())
    new = {"looks", "min_tools", "max_tools", "policy_shares", "rows", "weigh", "spare_tools", "share_tools"}
    old = json.dumps({key: value for key, value in dataset.selection.model_dump(mode="json").items() if key not in new})
    path = dataset_folder(store.settings, dataset.id) / "README.md"
    before, rest = path.read_text().split("```json\n")
    path.write_text(f"{before}```json\n{old}\n```{rest.split('```', 1)[1]}")
    assert read_card(path.read_text()).selection == Selection()
    assert rebuild(store, dataset).same

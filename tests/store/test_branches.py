"""Trees of forks: up, down, across, and with parents that are missing or lie."""

import random
from collections.abc import Sequence

import pytest

from lamsim_core.errors import NotFoundError
from lamsim_core.records import Observation, Parent, Trajectory
from lamsim_core.store import Index, Journal
from lamsim_core.store.branches import branches_of, children_of, root_of, same_task
from lamsim_core.store.mistakes import mistake_table
from lamsim_core.store.progress import progress
from lamsim_core.store.queries import get_trajectory, trajectory_row
from tests.store.factories import make_task, make_trajectory

TASK = make_task(0)


def name(i: int) -> str:
    return make_trajectory(i).id


def fork(i: int, of: str, step: int = 0) -> Trajectory:
    return make_trajectory(i, task=TASK, attempt=i, parent=Parent(trajectory=of, step=step))


def put(index: Index, journal: Journal, records: Sequence[Trajectory]) -> None:
    for record in records:
        journal.append("trajectory", record)
    index.sync()


def test_children_are_in_the_order_of_their_steps(index: Index, journal: Journal) -> None:
    root = make_trajectory(0, task=TASK)
    put(index, journal, [root, fork(1, root.id, 2), fork(2, root.id, 0), fork(3, root.id, 2), fork(4, name(1))])
    assert [row.id for row in children_of(index, root.id)] == [name(2), name(1), name(3)]
    assert [(row.parent, row.parent_step) for row in children_of(index, name(1))] == [(name(1), 0)]
    assert children_of(index, name(4)) == children_of(index, "trj_unknown") == []


def test_a_tree_is_the_same_from_each_of_its_attempts(index: Index, journal: Journal) -> None:
    root = make_trajectory(0, task=TASK)
    put(index, journal, [root, fork(1, root.id, 2), fork(2, root.id, 0), fork(3, name(1), 1), make_trajectory(9)])
    wanted = [(name(0), 0), (name(2), 1), (name(1), 1), (name(3), 2)]
    for place in range(4):
        assert root_of(index, name(place)) == root.id
        assert [(branch.row.id, branch.depth) for branch in branches_of(index, name(place))] == wanted
    assert [branch.row.id for branch in branches_of(index, name(9))] == [name(9)]
    for unknown in ("", "trj_unknown", "'; --"):
        with pytest.raises(NotFoundError):
            branches_of(index, unknown)


def test_a_parent_that_is_not_stored_here_ends_the_way_up(index: Index, journal: Journal) -> None:
    put(index, journal, [fork(1, "trj_elsewhere"), fork(2, name(1))])
    assert root_of(index, name(2)) == name(1)
    assert [branch.row.id for branch in branches_of(index, name(2))] == [name(1), name(2)]


def test_records_that_name_each_other_as_parents_end_too(index: Index, journal: Journal) -> None:
    put(index, journal, [fork(1, name(2)), fork(2, name(1)), fork(3, name(3))])
    assert {branch.row.id for branch in branches_of(index, name(1))} == {name(1), name(2)}
    assert [branch.row.id for branch in branches_of(index, name(3))] == [name(3)]


def test_a_large_random_tree(index: Index, journal: Journal) -> None:
    rng = random.Random(3)
    records = [
        make_trajectory(0, task=TASK),
        *(fork(i, name(rng.randrange(i)), rng.randrange(3)) for i in range(1, 60)),
    ]
    put(index, journal, records)
    tree = branches_of(index, name(41))
    depths = {branch.row.id: branch.depth for branch in tree}
    assert len(tree) == len(depths) == 60
    for place, branch in enumerate(tree[1:], start=1):
        above = next(b for b in reversed(tree[:place]) if b.depth == branch.depth - 1)
        assert branch.row.parent == above.row.id, "drawn with indents, each stands below its parent"


def test_forks_of_one_place_do_not_displace_each_other(index: Index, journal: Journal) -> None:
    parents = [
        None,
        Parent(trajectory="trj_a", step=0),
        Parent(trajectory="trj_a", step=1),
        Parent(trajectory="trj_a", step=1, action="Hello."),
        Parent(trajectory="trj_a", step=1, result=Observation(ok=True, content=1)),
        Parent(trajectory="trj_b", step=1),
    ]
    same = make_trajectory(0, task=TASK)
    put(index, journal, [same.model_copy(update={"id": name(i), "parent": p}) for i, p in enumerate(parents)])
    assert [get_trajectory(index, name(i)).parent for i in range(6)] == parents
    again = same.model_copy(update={"id": name(7), "parent": parents[3], "seconds": 9.0})
    put(index, journal, [again])
    with pytest.raises(NotFoundError):
        trajectory_row(index, again.id)


def test_other_attempts_at_the_same_task(index: Index, journal: Journal) -> None:
    put(index, journal, [make_trajectory(i, task=TASK, attempt=i) for i in range(4)] + [make_trajectory(9)])
    assert [row.id for row in same_task(index, name(1))] == [name(3), name(2), name(0)]
    assert [row.id for row in same_task(index, name(1), limit=1)] == [name(3)]
    assert same_task(index, name(9)) == same_task(index, "trj_unknown") == []


def test_an_edited_result_is_known_to_the_index_and_forks_stay_out_of_rates(index: Index, journal: Journal) -> None:
    root = make_trajectory(0, task=TASK)
    told = root.steps[0].model_copy(update={"shown": Observation(ok=True, content="made up")})
    edited = fork(1, root.id, 1).model_copy(update={"steps": (told, *root.steps[1:])})
    put(index, journal, [root, edited])
    assert [trajectory_row(index, each).edited for each in (root.id, edited.id)] == [False, True]
    assert get_trajectory(index, edited.id) == edited
    table = mistake_table(index, "attempts", "category", kinds=())
    assert sum(table.totals.values()) == 1


def test_what_a_person_did_in_a_policys_place_stays_out_of_rates(index: Index, journal: Journal) -> None:
    """A model's attempt that a person led to its end is no pass of the model's, nor are the mistakes in it."""
    own = make_trajectory(0, task=TASK)
    typed = own.steps[0].model_copy(update={"by_hand": True, "proposed": "what the model wrote"})
    told = own.steps[0].model_copy(update={"shown": Observation(ok=True, content="made up")})
    helped, edited = (
        make_trajectory(i, task=TASK, attempt=i).model_copy(update={"steps": (first, *own.steps[1:]), "passed": passed})
        for i, first, passed in ((1, typed, True), (2, told, None))
    )
    put(index, journal, [own, helped, edited])
    assert [trajectory_row(index, each.id).helped for each in (own, helped, edited)] == [False, True, False]
    assert sum(mistake_table(index, "attempts", "policy", kinds=()).totals.values()) == 1
    (policy,) = progress(index, kinds=())
    assert (policy.runs[0].attempts, policy.runs[0].passed) == (1, int(own.passed is True))

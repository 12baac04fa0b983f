"""Tree search: it finds a pass where there is one, within its bounds, and every path is an attempt that replays."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from lamsim_core.agent.policy import GoldPolicy, ModelPolicy, NoopPolicy, RandomPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.fork import turns_of
from lamsim_core.explore.modes import How
from lamsim_core.explore.replay import replay
from lamsim_core.feedback import judge_again
from lamsim_core.models.backend import Completion
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import Sampling, Step, Task, Trajectory
from lamsim_core.tasks import plan_tasks
from tests.explore.sometimes import Sometimes, made, replies
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
TASKS = plan_tasks("train", 40)
WIDE = How(mode="tree", width=12, nodes=3000)
NARROW = How(mode="tree", width=3, nodes=20)


def searches(how: How, chance: float, tasks: Sequence[Task] = TASKS) -> list[list[Trajectory]]:
    return [made(task, Sometimes(chance), how, attempt=place) for place, task in enumerate(tasks)]


NARROW_ONES = searches(NARROW, 0.35)


def tried(paths: Sequence[Trajectory]) -> list[tuple[int, ...]]:
    """The place of every reply of a search."""
    places: list[tuple[int, ...]] = []
    for path in paths:
        assert path.search is not None
        left, turns = path.search.place, turns_of(path.steps)
        whole = (left + (0,) * turns)[:turns]
        places += [whole[:turn] for turn in range(len(left), turns + 1)]
    return places


def test_with_nodes_enough_a_policy_that_can_be_right_passes() -> None:
    for paths in searches(WIDE, 0.6, TASKS[:25]):
        assert paths[-1].passed is True, paths[0].task.id
        assert all(path.passed is not True for path in paths[:-1]), "it stops at the first pass"


def test_a_policy_that_is_always_right_needs_one_path() -> None:
    for task in TASKS[:10]:
        (path,) = made(task, GoldPolicy(), NARROW)
        assert path.passed is True and path.parent is None
        assert path.search is not None and path.search.oracle and path.search.place == (0,) and not path.plain


def test_the_bounds_hold() -> None:
    ended = Counter(path.ended for paths in NARROW_ONES for path in paths)
    assert ended["abandoned"] > 20 and ended["answered"] > 20
    for paths in NARROW_ONES:
        places = tried(paths)
        assert len(places) == len(set(places)) <= 20, "every reply is tried once, and no more than allowed"
        assert max(place[-1] for place in places) < 3
        assert len(places) == 20 or paths[-1].passed or all(place[0] < 3 for place in places)
        assert all(turns_of(path.steps) <= 8 for path in paths)
    short = made(TASKS[0], RandomPolicy(), NARROW, max_steps=2)
    assert {turns_of(path.steps) for path in short} <= {1, 2}


def test_every_path_is_an_attempt_that_replays_and_is_judged_alike() -> None:
    for paths in NARROW_ONES:
        ids = {path.id: path for path in paths}
        for path in paths:
            assert replay(path).identical
            assert judge_again(path).passed == path.passed
            if path.parent is not None:
                origin = ids[path.parent.trajectory]
                here = path.parent.step
                assert [s.state_after for s in path.steps[:here]] == [s.state_after for s in origin.steps[:here]]
                assert all(step.usage is None for step in path.steps[:here])
        assert [path.parent is None for path in paths] == [True] + [False] * (len(paths) - 1)
        assert len({path.identity for path in paths}) == len(paths)


def test_a_path_is_left_where_an_action_fails_and_is_then_not_scored() -> None:
    for paths in NARROW_ONES:
        for path in paths:
            bad = [step for step in path.steps if any(v.counts for v in step.verdicts)]
            assert not bad or bad[-1].turn == path.steps[-1].turn
            if path.ended == "abandoned":
                assert path.passed is None and path.reward is None


def test_the_first_path_is_what_a_plain_attempt_begins_with() -> None:
    for place, paths in enumerate(NARROW_ONES[:15]):
        (plain,) = made(TASKS[place], Sometimes(0.35), How(), attempt=place)
        first = replies(paths[0])
        assert replies(plain)[: len(first)] == first


def test_a_reply_that_was_tried_at_the_same_place_is_not_followed_again() -> None:
    closing = made(TASKS[0], NoopPolicy(), NARROW)
    assert [path.ended for path in closing] == ["answered"] * 3
    call = call_text(MOVE.gold[0])
    paths = made(MOVE, ModelPolicy(ScriptedBackend(lambda messages: call), Sampling()), NARROW, max_steps=4)
    assert [path.ended for path in paths] == ["step_limit"] + ["abandoned"] * 8
    assert [len(path.steps) for path in paths] == [4, 4, 4, 3, 3, 2, 2, 1, 1]
    assert len(tried(paths)) == 12


def test_a_search_that_was_broken_off_goes_on_with_the_next_path() -> None:
    for place in range(0, 40, 5):
        whole = NARROW_ONES[place]
        for kept in range(len(whole) + 1):
            known = whole[:kept]
            events = NARROW.events(
                TASKS[place],
                Sometimes(0.35),
                run="r",
                attempt=place,
                max_steps=8,
                should_stop=lambda: False,
                known=known,
            )
            rest = [event.trajectory for event in events if isinstance(event, Ended)]
            assert [replies(path) for path in (*known, *rest)] == [replies(path) for path in whole]
            assert [path.identity for path in (*known, *rest)] == [path.identity for path in whole]
            assert NARROW.finished(known, 8) == (kept == len(whole))


class Halting(Sometimes):
    """Is stopped after so many replies."""

    def __init__(self, chance: float, after: int) -> None:
        super().__init__(chance)
        self.left = after

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        self.left -= 1
        *said, completion = super().reply(task, steps, seed, should_stop)
        assert isinstance(completion, Completion)
        stopped = {} if self.left >= 0 else {"finish": "stopped"}
        yield from said
        yield completion.model_copy(update=stopped)


def test_a_stop_ends_the_search_and_says_so() -> None:
    place = max(range(len(NARROW_ONES)), key=lambda place: len(tried(NARROW_ONES[place])))
    assert len(tried(NARROW_ONES[place])) > 10
    paths = made(TASKS[place], Halting(0.35, 10), NARROW, attempt=place)
    assert paths[-1].ended == "stopped" and paths[-1].passed is None
    assert not NARROW.finished(paths[:-1], 8)
    assert [replies(path) for path in paths[:-1]] == [replies(path) for path in NARROW_ONES[place][: len(paths) - 1]]


def test_the_limit_of_tokens_is_that_of_the_whole_search() -> None:
    said = "I do not know."
    policy = ModelPolicy(ScriptedBackend(lambda messages: said), Sampling())
    paths = made(TASKS[0], policy, NARROW.model_copy(update={"max_tokens": 2 * len(said)}))
    assert len(paths) == 2 and all(path.steps[0].usage is not None for path in paths)
    assert NARROW.model_copy(update={"max_tokens": 2 * len(said)}).finished(paths, 8)

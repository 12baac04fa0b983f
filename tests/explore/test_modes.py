"""Every mode through the engine and as a job: limits, stops, resuming, batches."""

import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from lamsim_core.agent.policy import ModelPolicy, spoken
from lamsim_core.evaluate.metrics import outcomes
from lamsim_core.explore import job as explore_job
from lamsim_core.explore.engine import Summary, explore
from lamsim_core.explore.job import ExploreParams, stored_attempts
from lamsim_core.explore.modes import NUMBERS, How
from lamsim_core.explore.replay import replay_all
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.models.backend import Completion
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import Mode, PolicyInfo, Sampling, Step, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.branches import branches_of
from lamsim_core.store.progress import progress
from lamsim_core.store.queries import TrajectoryFilter, find_trajectories
from lamsim_core.tasks import plan_tasks
from tests.explore.sometimes import Sometimes, made, replies

TASKS = plan_tasks("train", 6)
MODES: tuple[Mode, ...] = ("single", "repair", "best_of", "tree")


def how(mode: Mode, **limits: float) -> How:
    return How(mode=mode, nodes=10, **limits)  # type: ignore[arg-type]


def explored(
    mode: Mode,
    *,
    batch: int = 1,
    stored: Sequence[Trajectory] = (),
    should_stop: Callable[[], bool] = lambda: False,
    policy: Sometimes | None = None,
) -> tuple[Summary, list[Trajectory]]:
    """What a run of two attempts at each task comes to, going on from what is stored."""
    found = list(stored)
    begun: dict[tuple[str, int], list[Trajectory]] = {}
    for each in stored:
        begun.setdefault((each.task.key, each.attempt), []).append(each)
    summary = explore(
        TASKS,
        policy or Sometimes(0.4),
        run="r",
        attempts=2,
        max_steps=6,
        done={place for place, known in begun.items() if how(mode).finished(known, 6)},
        on_trajectory=found.append,
        on_progress=lambda done, total, message: None,
        should_stop=should_stop,
        batch=batch,
        how=how(mode),
        begun=begun,
    )
    return summary, found


def shape(found: Sequence[Trajectory]) -> dict[tuple[object, ...], tuple[object, ...]]:
    """What was done in each attempt, whenever and by whichever worker."""
    assert len({each.identity for each in found}) == len(found), "nothing is there twice"
    return {
        each.identity: (replies(each), each.ended, each.passed, [step.seed for step in each.steps]) for each in found
    }


WHOLE = {mode: explored(mode) for mode in MODES}


@pytest.mark.parametrize("mode", MODES)
def test_every_stored_trajectory_replays(mode: Mode) -> None:
    summary, found = WHOLE[mode]
    assert summary.planned == summary.finished == 12 and not summary.stopped
    count = replay_all(found)
    assert count.identical == count.replayed == len(found) >= 12
    assert all(each.plain == (mode == "single") for each in found)


@pytest.mark.parametrize("mode", MODES)
def test_the_batch_makes_no_difference(mode: Mode) -> None:
    summary, found = explored(mode, batch=4)
    assert shape(found) == shape(WHOLE[mode][1]) and summary.passed == WHOLE[mode][0].passed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_stopped_run_goes_on_and_neither_loses_nor_repeats_anything(mode: Mode, batch: int) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    first, found = explored(mode, batch=batch, should_stop=stop)
    assert first.stopped and first.finished < 12
    second, found = explored(mode, batch=batch, stored=found)
    assert second.finished == 12 and shape(found) == shape(WHOLE[mode][1])


def test_a_killed_tree_goes_on_from_whatever_paths_were_stored() -> None:
    _, whole = WHOLE["tree"]
    for kept in range(0, len(whole), 9):
        summary, found = explored("tree", stored=whole[:kept])
        assert summary.finished == 12 and shape(found) == shape(whole)


class Dawdling:
    """Says the same call again and again, slowly."""

    info = PolicyInfo(kind="scripted", name="dawdling")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        said = "<tool_call>{</tool_call>" if seed % 16 else "Done."
        for piece in said:
            time.sleep(0.005)
            if should_stop():
                *_, completion = spoken(said)
                assert isinstance(completion, Completion)
                yield completion.model_copy(update={"finish": "stopped"})
                return
            yield piece
        yield from (piece for piece in spoken(said) if isinstance(piece, Completion))


@pytest.mark.parametrize("mode", MODES)
def test_the_limit_of_time_breaks_a_reply_off_and_is_not_scored(mode: Mode) -> None:
    started = time.perf_counter()
    paths = made(TASKS[0], Dawdling(), how(mode, max_seconds=0.12, repairs=50), max_steps=50)
    if mode != "single":  # which may be over before
        assert paths[-1].ended == "time_limit" and paths[-1].passed is None
    assert time.perf_counter() - started < 3
    assert how(mode, max_seconds=0.12).finished(paths, 50)


@pytest.mark.parametrize("mode", MODES)
def test_no_reply_is_begun_beyond_the_limit_of_tokens(mode: Mode) -> None:
    call = "<tool_call>{</tool_call>"
    policy = ModelPolicy(ScriptedBackend(lambda messages: call), Sampling())
    paths = made(TASKS[0], policy, how(mode, max_tokens=2 * len(call) + 1, width=8))
    written = [cost.completion_tokens for path in paths for step in path.steps for cost in step.costs]
    assert written == [len(call)] * 3
    if mode != "tree":
        assert paths[-1].ended == "token_budget" and paths[-1].passed is False


@pytest.mark.parametrize("mode", MODES)
def test_the_limit_of_turns_holds(mode: Mode) -> None:
    for path in made(TASKS[1], Sometimes(0.5), how(mode), max_steps=2):
        assert len(replies(path)) <= 2


def test_an_evaluation_counts_plain_passes_alone() -> None:
    for mode in MODES:
        found = WHOLE[mode][1]
        assert any(each.passed for each in found)
        passed = sum(outcomes(TASKS, 2, found).values())
        assert passed == (sum(each.passed is True for each in found) if mode == "single" else 0)


@pytest.mark.parametrize("mode", MODES)
def test_as_a_job_and_in_the_store(mode: Mode, home: Settings) -> None:
    numbers = {"repairs": 3, "candidates": 2, "width": 2, "nodes": 6}
    params = {
        "model": "random",
        "tasks": 3,
        "attempts": 2,
        "mode": mode,
        **{name: numbers[name] for name in NUMBERS[mode]},
    }
    context = JobContext(home, create_folder(home, new_job("explore", params, label="x"), group=False))
    result = explore_job.run(context)
    assert (result["mode"], result["finished"], result["planned"]) == (mode, 6, 6)
    again = explore_job.run(context)
    assert again["trajectories"] == result["trajectories"] and again["finished"] == 6
    with Store(home) as store:
        stored = stored_attempts(store, result["run"])
        assert len(stored) == 6
        store.index.sync()
        rows = find_trajectories(store.index, TrajectoryFilter(), limit=None)
        assert {row.mode for row in rows} == {mode} and {row.plain for row in rows} == {mode == "single"}
        known = progress(store.index, kinds=())
        assert [run.attempts for policy in known for run in policy.runs] == ([6] if mode == "single" else [])
        if mode == "tree":
            paths = next(paths for paths in stored.values() if len(paths) > 2)
            tree = branches_of(store.index, paths[-1].id)
            assert {branch.row.id for branch in tree} == {path.id for path in paths}
            assert tree[0].row.id == paths[0].id and [branch.depth for branch in tree[1:2]] == [1]


def test_models_need_chance_to_choose_from() -> None:
    for mode in ("best_of", "tree"):
        with pytest.raises(ValueError, match="temperature 0"):
            ExploreParams(model="smollm2-135m", mode=mode)
        assert ExploreParams(model="smollm2-135m", mode=mode, temperature=0.5).how.mode == mode

"""Corrections: the reference solution goes on where a model went wrong, and what rows and pairs make of it."""

from collections.abc import Sequence

import pytest

from lamsim_core.agent.policy import GoldPolicy, Policy, ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.curate.pairs import find_pairs
from lamsim_core.errors import InvalidInputError, NotFoundError, StoppedError
from lamsim_core.explore import correct
from lamsim_core.explore.correct import corrected, corrections
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.records import GoldCall, PolicyInfo, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.train.rows import to_row
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
BAD = "<tool_call>{}</tool_call>"
"""A call that cannot be read."""


def tried(replies: Sequence[str] | None, kind: str = "model", run: str = "r", attempt: int = 0) -> Trajectory:
    """An attempt that says this, or what the reference says."""
    policy: Policy = GoldPolicy() if replies is None else ReplayPolicy(replies)
    *_, last = run_attempt(MOVE, policy, run=run, attempt=attempt)
    assert isinstance(last, Ended)
    info = PolicyInfo(kind=kind, name="clumsy")  # type: ignore[arg-type]
    return last.trajectory if replies is None else last.trajectory.model_copy(update={"policy": info})


GOLD = tried(None)
SAID = [step.reply or "" for step in GOLD.steps]
STUCK = tried([SAID[0], BAD, BAD, BAD, "Done."])


def test_the_reference_goes_on_after_each_of_the_first_errors() -> None:
    forks = list(corrections(STUCK, 2))
    assert [fork.parent.step for fork in forks] == [2, 3]
    for fork in forks:
        made = corrected(fork, "c")
        assert made.passed is True and made.policy.kind == "gold" and made.run == "c"
        assert [step.reply for step in made.steps] == [*[s.reply for s in STUCK.steps[: fork.parent.step]], *SAID[1:]]
    assert len(list(corrections(STUCK, 99))) == 3


def test_an_error_after_everything_is_done_is_answered_with_the_closing_message() -> None:
    over = tried([*SAID[:-1], BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD])
    assert over.passed is False
    (fork,) = corrections(over, 1)
    made = corrected(fork, "c")
    assert made.passed is True and made.answer == MOVE.closing and len(made.steps) == len(over.steps[: len(SAID)]) + 1


@pytest.mark.parametrize(
    "attempt",
    [
        GOLD,
        tried(SAID),
        tried([BAD, "Done."], kind="random"),
        tried(["Done."]),
        next(corrections(STUCK, 1)).origin.model_copy(update={"parent": next(corrections(STUCK, 1)).parent}),
        STUCK.model_copy(update={"passed": None}),
    ],
    ids=["the reference", "passed", "no model", "no action failed", "a fork", "not scored"],
)
def test_nothing_else_is_corrected(attempt: Trajectory) -> None:
    assert list(corrections(attempt, 5)) == []


def test_what_was_changed_besides_ends_the_corrections() -> None:
    extra = GoldCall(name="create_event", arguments={"title": "x", "start": "2030-01-01 10:00", "minutes": 30})
    spoiled = tried([BAD, call_text(extra), BAD, BAD, "Done."])
    assert any(step.changes for step in spoiled.steps)
    assert [fork.parent.step for fork in corrections(spoiled, 5)] == [1]


def test_a_row_shows_the_error_and_trains_on_what_comes_after() -> None:
    row = to_row(corrected(next(corrections(STUCK, 1)), "c"))
    said = [(m["content"], m.get("weight", 1)) for m in row["messages"] if m["role"] == "assistant"]
    assert (BAD, 0) in said and [weight for _, weight in said].count(0) == 1 and said[-1] == (MOVE.closing, 1)


def test_an_error_made_again_is_rejected_for_what_the_reference_does_there() -> None:
    made = [corrected(fork, "c") for fork in corrections(STUCK, 2)]
    found = [pair for pairs in find_pairs([STUCK, GOLD, *made], ("sibling",), 0) if (pair := next(pairs, None))]
    places = sorted(pair.rejected.steps[0].index for pair in found)
    assert places == [1, 2, 3], "at its first error and at both places that were corrected"
    assert all(pair.rejected.steps[0].reply == BAD and pair.chosen.steps[0].reply == SAID[1] for pair in found)


def job_of(home: Settings, **params: object) -> JobContext:
    return JobContext(home, create_folder(home, new_job("correct", params, label="c"), group=False))


def test_the_job_stores_each_correction_once_however_often_it_is_resumed(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(home) as store:
        for number in range(3):
            store.add(tried([SAID[0], BAD, BAD, "Done."], attempt=number))
        store.add(GOLD)
    context = job_of(home, runs=["r"])
    asked = iter([False, False, True])
    with monkeypatch.context() as patch:
        patch.setattr(context, "should_stop", lambda: next(asked))
        with pytest.raises(StoppedError, match="corrections so far are kept"):
            correct.run(context)
    with Store(home) as store:
        half = (context.folder / "run.txt").read_text()
        assert len(store.read_run(half)) == 2, "the oldest attempt is the reference, the next was corrected twice"
    result = correct.run(context)
    counts = {"attempts": 4, "corrected": 3, "corrections": 6, "passed": 6, "diverged": 0}
    assert result == {"run": half, **counts} == correct.run(context)
    with Store(home) as store:
        stored = store.read_run(half)
    assert len(stored) == 6 and {each.parent.step for each in stored if each.parent} == {2, 3}


def test_what_does_not_come_out_as_recorded_is_counted_and_left(home: Settings) -> None:
    step = STUCK.steps[0].model_copy(update={"state_after": "0" * 32})
    changed = STUCK.model_copy(update={"steps": (step, *STUCK.steps[1:])})
    with Store(home) as store:
        store.add(changed)
    assert correct.run(job_of(home, runs=["r"])) | {"run": ""} == {
        "run": "", "attempts": 1, "corrected": 0, "corrections": 0, "passed": 0, "diverged": 1,
    }  # fmt: skip


@pytest.mark.parametrize("params", [{}, {"runs": []}, {"runs": ["r"], "most": 0}])
def test_a_job_without_runs_is_refused(home: Settings, params: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        correct.run(job_of(home, **params))


def test_a_run_that_is_not_there_is_refused(home: Settings) -> None:
    with pytest.raises(NotFoundError, match="run_nowhere"):
        correct.run(job_of(home, runs=["run_nowhere"]))

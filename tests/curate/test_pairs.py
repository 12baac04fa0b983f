"""Preference pairs by their definitions: each kind where it must come about, and near misses where none may."""

import json
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.canonical import canonical_json
from lamsim_core.curate.messages import reply_of
from lamsim_core.curate.pair_rows import check_pair, pair_row, settled
from lamsim_core.curate.pairs import find_pairs
from lamsim_core.curate.proof import Replays
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.manner import Limits
from lamsim_core.explore.repair import Repair
from lamsim_core.explore.tree import search_tree
from lamsim_core.records import PairKind, PolicyInfo, Trajectory
from tests.curate.attempts import attempt, gold_replies, stamped, tasks
from tests.curate.scripted import BROKEN, MODEL, NO_TOOL, Moves, Scripted, says

ALL = get_args(PairKind)
M = Moves()
ANSWER = tasks(1, template="calendar.event_place")[0]


def found(*attempts: Trajectory, seed: int = 0) -> list[dict[str, Any]]:
    """The pairs of some attempts as rows, each of which must hold."""
    return [row for row, problem in tried(attempts, seed) if problem is None]


def tried(attempts: Sequence[Trajectory], seed: int = 0) -> list[tuple[dict[str, Any], str | None]]:
    replays = Replays({each.id: each for each in attempts}.__getitem__)
    found: list[tuple[dict[str, Any], str | None]] = []
    for possible in find_pairs(attempts, ALL, seed):
        rows = [pair_row(settled(pair, replays)) for pair in possible]
        tries = [(row, check_pair(row, replays)) for row in rows]
        if tries:
            found.append(next((each for each in tries if each[1] is None), tries[0]))
    return found


def only(*attempts: Trajectory) -> dict[str, Any]:
    """The one pair that attempts give."""
    ((row, problem),) = tried(attempts)
    assert problem is None
    return row


def sides(row: dict[str, Any]) -> tuple[str, str]:
    return reply_of(row["chosen"][0]), reply_of(row["rejected"][0])


def test_a_sibling_is_an_invalid_action_beside_a_valid_one_of_a_passed_attempt() -> None:
    good, bad = M.passing(), says(M.task, M.look, NO_TOOL, "I give up.")
    row = only(good, bad)
    assert row["kind"] == "sibling" and sides(row) == (M.move, NO_TOOL)
    assert row["chosen_source"] == {
        "trajectory": good.id, "turn": 1, "step": 1, "policy": "tiny", "untaken": None,
    }  # fmt: skip
    assert row["rejected_source"]["trajectory"] == bad.id
    assert [message["role"] for message in row["prompt"]] == ["system", "user", "assistant", "tool"]
    assert [(each["of"], each["check"]) for each in row["verdicts"]] == [("action", "tool_name")]
    assert "No tool named 'no_such_tool' is offered." in row["reason"] and "passed" in row["reason"]
    assert (row["template"], row["category"], row["task_key"]) == ("calendar.move", "calendar", M.task.key)


def test_a_reply_that_cannot_be_read_stands_as_it_was_written() -> None:
    row = only(M.passing(), says(M.task, BROKEN, "I give up."))
    assert row["rejected"] == [{"role": "assistant", "content": BROKEN}]
    assert row["chosen"][0]["tool_calls"][0]["function"]["name"] == M.task.gold[0].name


def test_the_chosen_side_is_a_models_own_before_the_reference_and_says_which() -> None:
    bad = says(M.task, NO_TOOL, "I give up.")
    gold = attempt(M.task, GoldPolicy())
    other = M.passing(info=PolicyInfo(kind="model", name="another"))
    assert only(gold, bad)["chosen_source"]["policy"] == "gold"
    assert only(gold, bad, other)["chosen_source"]["policy"] == "another"
    assert only(gold, bad, other, M.passing())["chosen_source"]["policy"] == "tiny"


def test_the_reference_is_not_chosen_where_the_prefix_is_another() -> None:
    other_way = M.looks(**{M.title: M.task.gold[0].arguments[M.title].upper()})  # type: ignore[union-attr]
    assert found(attempt(M.task, GoldPolicy()), says(M.task, other_way, NO_TOOL, "I give up.")) == []


@pytest.mark.parametrize("kind", ["gold", "random", "human", "noop", "replay"])
def test_only_a_models_own_message_is_rejected(kind: Any) -> None:
    assert found(M.passing(), says(M.task, NO_TOOL, "No.", info=PolicyInfo(kind=kind, name=kind))) == []


def test_nothing_is_chosen_from_an_attempt_that_failed_or_that_walked_at_random() -> None:
    bad = says(M.task, NO_TOOL, "I give up.")
    assert found(says(M.task, M.look, "Done."), bad) == []
    assert found(M.passing(info=PolicyInfo(kind="random", name="random")), bad) == []
    assert found(Moves(seed=1).passing(), bad) == [], "another task"


def test_a_failure_that_is_not_the_agents_makes_no_pair() -> None:
    bad = says(M.task, NO_TOOL, "I give up.")
    for blame in ("tool", "task"):
        first = bad.steps[0]
        excused = tuple(v.model_copy(update={"blame": blame}) if v.outcome == "fail" else v for v in first.verdicts)
        steps = (first.model_copy(update={"verdicts": excused}), *bad.steps[1:])
        assert found(M.passing(), bad.model_copy(update={"steps": steps})) == []


def test_what_was_typed_or_taken_over_is_no_models_own() -> None:
    bad = says(M.task, NO_TOOL, "I give up.")
    typed = tuple(step.model_copy(update={"by_hand": True}) for step in bad.steps)
    assert found(M.passing(), bad.model_copy(update={"steps": typed})) == []


def test_replies_not_taken_are_siblings_too() -> None:
    best = says(M.task, M.look, M.move, M.close)
    tries = says(M.task, BROKEN, "x").steps[:1]
    first = best.steps[0].model_copy(update={"untaken": (tries,)})
    best = best.model_copy(update={"steps": (first, *best.steps[1:])})
    row = only(best)
    assert row["kind"] == "sibling" and sides(row) == (M.look, BROKEN)
    assert row["rejected_source"]["untaken"] == 0 and row["rejected_source"]["trajectory"] == best.id


def test_a_tree_gives_siblings_from_the_paths_it_left() -> None:
    """Its first reply fails, the second goes on; the left path is not scored, and its action failed all the same."""

    class Second:
        info = MODEL
        drawn = 0

        def reply(self, task: Any, steps: Any, seed: int, should_stop: Any) -> Any:
            self.drawn += 1
            told = NO_TOOL if self.drawn == 1 else [M.look, M.move, M.close][len(steps)]
            return Scripted([*"..."[: len(steps)], told]).reply(task, steps, seed, should_stop)

    events = search_tree(M.task, Second(), run="run_test", attempt=0, limits=Limits(), width=2, nodes=9)
    paths = [stamped(event.trajectory) for event in events if isinstance(event, Ended)]
    assert [path.ended for path in paths] == ["abandoned", "answered"]
    row = only(*paths)
    assert row["kind"] == "sibling" and sides(row) == (M.look, NO_TOOL)


def test_a_repair_stands_beside_the_first_error_at_the_place_before_it() -> None:
    mended = says(M.task, M.look, NO_TOOL, BROKEN, M.move, M.close, manner=Repair(3))
    assert mended.passed and sum(step.feedback is not None for step in mended.steps) == 2
    row = only(mended)
    assert row["kind"] == "repair" and sides(row) == (M.move, NO_TOOL)
    assert [message["role"] for message in row["prompt"]] == ["system", "user", "assistant", "tool"]
    assert (row["rejected_source"]["turn"], row["chosen_source"]["turn"]) == (1, 3)
    assert "Told so" in row["reason"]


def test_a_closing_message_that_was_told_off_is_repaired_by_what_came_next() -> None:
    mended = says(M.task, M.look, "It is moved.", M.move, M.close, manner=Repair(2))
    row = only(mended)
    assert row["kind"] == "repair" and sides(row) == (M.move, "It is moved.")
    assert ("end", "state.goal") in [(each["of"], each["check"]) for each in row["verdicts"]]


def test_a_repair_counts_only_where_the_attempt_passed() -> None:
    lost = says(M.task, M.look, NO_TOOL, M.move, NO_TOOL, manner=Repair(1))
    assert lost.passed is False and lost.steps[1].feedback is not None
    assert found(lost) == []


def test_a_repair_after_errors_that_changed_something_makes_no_pair() -> None:
    both = f"{M.wrong_time}\n{NO_TOOL}"
    mended = says(M.task, M.look, both, M.move, M.close, manner=Repair(2))
    assert mended.passed and found(mended) == []


def test_a_repair_that_needs_what_the_error_showed_does_not_hold() -> None:
    both = f"{M.look}\n{NO_TOOL}"
    mended = says(M.task, both, M.move, M.close, manner=Repair(2))
    assert mended.passed
    ((row, problem),) = tried([mended])
    assert row["kind"] == "repair" and problem == "The chosen message does not pass at this place."


def test_the_repair_of_its_own_attempt_comes_before_a_sibling() -> None:
    mended = says(M.task, NO_TOOL, M.look, M.move, M.close, manner=Repair(2))
    rows = found(M.passing(), mended)
    assert [row["kind"] for row in rows] == ["repair"]


@pytest.mark.parametrize(
    ("replies", "check", "chosen"),
    [
        ([M.look, M.wrong_time, "Done."], "arguments.value", M.move),
        ([M.look, M.look, "Done."], "repetition", M.move),
        ([M.look, M.calls("cancel_event", M.others()[0]), "Done."], "state.collateral", M.move),
        ([M.looks(**{M.title: "Nothing of the kind"}), "There is none."], "path.deviation", M.look),
    ],
    ids=["value", "repetition", "collateral", "lookup"],
)
def test_a_path_is_left_by_a_valid_action_that_leads_nowhere(replies: list[str], check: str, chosen: str) -> None:
    bad = says(M.task, *replies)
    assert bad.passed is False and not any(step.failed for step in bad.steps)
    row = only(M.passing(), bad)
    assert row["kind"] == "path" and sides(row) == (chosen, replies[-2])
    assert check in [each["check"] for each in row["verdicts"]]


@pytest.mark.parametrize(
    "replies",
    [
        [M.look, M.wrong_time, M.move, M.close],
        [M.look, M.look, M.move, M.close],
        [M.looks(**{M.title: "Nothing of the kind"}), M.look, M.move, M.close],
    ],
    ids=["value", "repetition", "lookup"],
)
def test_an_attempt_that_came_back_makes_no_pair(replies: list[str]) -> None:
    back = says(M.task, *replies)
    assert back.passed and found(M.passing(), back) == []


def test_another_legal_way_makes_no_pair_though_its_attempt_failed() -> None:
    before = M.task.goal[0].before
    assert before is not None
    lists = M.calls("list_events", str(before["start"])[:10])
    bad = says(M.task, lists, "I will not.")
    assert bad.passed is False and not any(step.failed for step in bad.steps)
    assert [row for row in found(M.passing(), bad) if row["kind"] == "path"] == []


def test_a_call_that_means_the_same_makes_no_pair() -> None:
    shouted = M.looks(**{M.title: M.task.gold[0].arguments[M.title].upper()})  # type: ignore[union-attr]
    bad = says(M.task, shouted, "I will not.")
    assert [row["kind"] for row in found(M.passing(), bad)] == []


def test_a_way_on_which_another_attempt_passed_is_never_rejected() -> None:
    odd = M.looks(**{M.title: M.task.gold[0].arguments[M.title].split()[0]})  # type: ignore[union-attr]
    other = says(M.task, odd, M.move, M.close)
    bad = says(M.task, odd, "I will not.")
    assert other.passed
    assert [row["kind"] for row in found(M.passing(), other, bad)] == ["stop"]


def test_stopping_too_early() -> None:
    bad = says(M.task, M.look, "It is moved.")
    row = only(M.passing(), bad)
    assert row["kind"] == "stop" and sides(row) == (M.move, "It is moved.")
    named = [(each["of"], each["check"]) for each in row["verdicts"]]
    assert ("action", "ending.premature") in named and ("end", "state.goal") in named


def test_going_on_when_everything_is_done() -> None:
    drop = M.calls("cancel_event", M.others()[0])
    bad = says(M.task, M.look, M.move, drop, "Done.")
    row = only(M.passing(), bad)
    assert row["kind"] == "stop" and sides(row) == (M.close, drop)
    assert [(each["of"], each["check"]) for each in row["verdicts"]] == [("attempt", "state.collateral")]


def test_one_more_look_in_an_attempt_that_passed_makes_no_pair() -> None:
    assert found(M.passing(), says(M.task, M.look, M.move, M.look, M.close)) == []


def test_closing_with_the_wrong_words() -> None:
    look, close = gold_replies(ANSWER)
    good, bad = says(ANSWER, look, close), says(ANSWER, look, "I looked it up.")
    row = only(good, bad)
    assert row["kind"] == "stop" and sides(row) == (close, "I looked it up.")
    assert [(each["of"], each["check"]) for each in row["verdicts"]] == [("end", "answer.value")]


def test_right_words_in_other_words_make_no_pair() -> None:
    look, close = gold_replies(ANSWER)
    other = says(ANSWER, look, f"You will find it at {ANSWER.answer.value}.")  # type: ignore[union-attr]
    assert other.passed and found(says(ANSWER, look, close), other) == []


def test_a_rejected_message_makes_one_pair_however_often_it_was_said() -> None:
    bad = [says(M.task, NO_TOOL, closing) for closing in ("One.", "Two.")]
    rows = found(M.passing(), M.passing(), *bad)
    assert len(rows) == 1 and rows[0]["rejected_source"]["trajectory"] == bad[0].id


def spoiled(row: dict[str, Any], other: dict[str, Any], how: str) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(canonical_json(row))
    if how == "prompt":
        changed["prompt"][1]["content"] += " Please."
    elif how == "sides":
        changed["chosen"], changed["rejected"] = changed["rejected"], changed["chosen"]
    elif how == "rejected":
        changed["rejected"] = [{"role": "assistant", "content": "Hm."}]
    elif how == "chosen":
        changed["chosen"] = [{"role": "assistant", "content": "Hm."}]
    elif how == "verdict":
        changed["verdicts"][0]["check"] = "arguments.type"
    elif how == "no verdict":
        changed["verdicts"] = []
    elif how == "sources":
        for side in ("chosen", "rejected"):
            changed[f"{side}_source"] = other[f"{side}_source"]
    elif how == "turn":
        changed["rejected_source"]["turn"] = 7
    elif how == "policy":
        changed["chosen_source"]["policy"] = "gold"
    elif how == "tools":
        changed["tools"] = changed["tools"][1:]
    elif how == "task":
        changed["task_key"] = "0" * 32
    elif how == "missing":
        del changed["kind"]
    return changed


HOW = ["prompt", "sides", "rejected", "chosen", "verdict", "no verdict", "sources", "turn", "policy", "tools", "task"]


@pytest.mark.parametrize("how", [*HOW, "missing"])
def test_a_spoiled_pair_does_not_hold(how: str) -> None:
    attempts = [M.passing(), says(M.task, M.look, NO_TOOL, "No."), says(M.task, BROKEN, "No.")]
    replays = Replays({each.id: each for each in attempts}.__getitem__)
    one, other = [
        pair_row(pair) for possible in find_pairs(attempts, ALL, 0) for pair in possible if pair.kind == "sibling"
    ]
    assert check_pair(one, replays) is None
    assert check_pair(spoiled(one, other, how), replays) is not None


def test_a_pair_whose_chosen_attempt_is_said_to_pass_and_does_not_is_found_out() -> None:
    lied = says(M.task, M.look, "Done.").model_copy(update={"passed": True, "verdicts": ()})
    ((_, problem),) = tried([lied, says(M.task, BROKEN, "No.")])
    assert problem == "The attempt of the chosen message does not pass."


POOL = [M.look, M.move, M.close, M.wrong_time, NO_TOOL, BROKEN, "Done.", f"{M.look}\n{NO_TOOL}", f"Well. {M.look}"]
SCRIPTS = st.lists(
    st.tuples(st.lists(st.sampled_from(POOL), min_size=1, max_size=4), st.sampled_from(["single", "repair"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCRIPTS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_every_pair_holds_differs_and_is_the_same_in_any_order(scripts: Any, seed: int, draw: Any) -> None:
    attempts = [M.passing()]
    for replies, mode in scripts:
        attempts.append(says(M.task, *replies, manner=Repair(2)) if mode == "repair" else says(M.task, *replies))
    rows = found(*attempts, seed=seed)
    for row in rows:
        assert row["chosen"] != row["rejected"] and row["verdicts"] and row["reason"]
        assert row["chosen_source"]["policy"] == row["rejected_source"]["policy"] == "tiny"
    keys = [canonical_json([row["prompt"], row["rejected"]]) for row in rows]
    assert len(set(keys)) == len(keys)
    draw.shuffle(attempts)
    assert found(*attempts, seed=seed) == rows


def test_a_pair_is_plain_data() -> None:
    row = only(M.passing(), says(M.task, BROKEN, "No."))
    assert json.loads(canonical_json(row)) == row

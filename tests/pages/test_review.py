"""Review: verdicts answered blind, settled, undone; agreement; judging again."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.jobs import supervisor
from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Index, open_store
from lamsim_core.store.queries import get_trajectory
from lamsim_core.store.rejudged import rescores, reviews
from lamsim_core.ui.reviewing import KEY, Session
from tests.feedback.acting import MOVE, tried
from tests.pages.driving import open_page, texts
from tests.pages.standing import wait_for
from tests.review.making import changed_check, finds_nothing

PAGE = "4_Review.py"
GOAL = "state.goal"


@pytest.fixture
def undone(home: Settings) -> Trajectory:
    """One attempt that fails ``state.goal`` and nothing else that counts; its id fixes the order of the questions."""
    made = tried("Done.").model_copy(update={"id": "trj_undone"})
    open_store(home).add(made)
    return made


def index(home: Settings) -> Index:
    found = open_store(home).index
    found.sync()
    return found


def session(app: AppTest) -> Session:
    found = app.session_state[KEY]
    assert isinstance(found, Session)
    return found


def go_to(app: AppTest, check: str) -> None:
    """Go on until the question about a check is drawn."""
    place = session(app).place
    while place is not None and place.check != check:
        app.button(key="review.n").click().run()
        place = session(app).place
    assert place is not None


def keys(app: AppTest) -> set[Any]:
    return {button.key for button in app.button}


def everything(app: AppTest) -> str:
    """All words of the page, tables and JSON included."""
    tables = [table.value.to_string() for table in app.dataframe]
    return "\n".join([texts(app), *tables, *(str(each.value) for each in app.json)])


def test_an_empty_store_says_what_to_do(home: Settings) -> None:
    app = open_page(PAGE)
    assert "No verdict is left to review" in texts(app)
    assert {"review.run", "review.many"} <= keys(app)


def test_blind_the_verdict_shows_only_after_the_answer(home: Settings, undone: Trajectory) -> None:
    message = next(v.message for v in undone.verdicts if v.check == GOAL)
    app = open_page(PAGE)
    assert f"1 of {len(session(app).queue)} · " in texts(app)
    go_to(app, GOAL)
    assert message not in everything(app) and "The check says" not in everything(app)
    for verdict in (*undone.steps[0].verdicts, *undone.verdicts):
        assert not verdict.message or verdict.message not in everything(app)
    app.button(key="review.d").click().run()
    assert session(app).place is not None and session(app).position > 0
    app.button(key="review.p").click().run()
    assert message in everything(app) and "The check says" in everything(app)
    assert "review.a" not in keys(app), "a blind answer cannot be given in sight of the verdict"
    assert not app.exception


def test_agree_disagree_and_unsure_are_stored_with_their_time(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    asked = [place.check for place in session(app).queue]
    app.button(key="review.u").click().run()
    assert "Noted as unsure." in texts(app) and session(app).position == 1
    same = "review.a" if session(app).queue[1].outcome == "pass" else "review.d"
    app.button(key=same).click().run()
    assert "You and the check say the same." in texts(app) and session(app).position == 2
    first, second = reviews(index(home))
    assert (first.check, first.answer) == (asked[0], "unsure")
    assert (second.check, second.said) == (asked[1], session(app).queue[1].outcome)
    for review in (first, second):
        assert review.blind and review.reviewer == home.author
        assert review.seconds is not None and review.seconds >= 0
    assert f"2 of {len(asked)} answered" in str([bar.proto.text for bar in app.get("progress")])
    assert get_trajectory(index(home), undone.id) == undone


def test_a_contradiction_is_settled_and_corrects_the_verdict(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    go_to(app, GOAL)
    position = session(app).position
    app.button(key="review.a").click().run()
    assert session(app).position == position and "Who is right?" in texts(app)
    assert get_trajectory(index(home), undone.id).passed is False, "blind answers correct nothing"
    app.text_input(key=f"review.reason.{position}").set_value("It was moved before.")
    app.button(key="review.stand").click().run()
    assert "Corrected; the attempt is scored anew." in texts(app)
    now = get_trajectory(index(home), undone.id)
    assert (now.passed, now.reward) == (True, 1.0)
    blind, seen = reviews(index(home))
    assert (blind.blind, blind.answer, seen.blind, seen.answer) == (True, "holds", False, "holds")
    assert seen.reason == "It was moved before.", "typed last, and not lost"
    app.button(key="review.z").click().run()
    assert "Taken back." in texts(app) and session(app).position == position
    assert get_trajectory(index(home), undone.id) == undone
    assert "review.a" in keys(app), "and is asked again"


def test_what_the_check_missed_gets_a_class_and_a_blame(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    go_to(app, "state.collateral")
    position = session(app).position
    app.button(key="review.d").click().run()
    assert app.selectbox(key=f"review.class.{position}").value == "collateral", "the likeliest stands there"
    app.selectbox(key=f"review.class.{position}").set_value("state")
    app.get_by_key(f"review.blame.{position}").set_value("tool")
    app.button(key="review.stand").click().run()
    seen = reviews(index(home))[-1]
    assert (seen.answer, seen.error_class, seen.blame) == ("fails", "state", "tool")


def test_giving_in_leaves_the_verdict_as_it_is(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    go_to(app, GOAL)
    app.button(key="review.a").click().run()
    app.button(key="review.give_in").click().run()
    assert "Noted: the check is right." in texts(app)
    assert get_trajectory(index(home), undone.id) == undone
    assert [review.answer for review in reviews(index(home))] == ["holds", "fails"]
    app.button(key="review.p").click().run()
    assert "Who is right?" not in texts(app)


def test_with_verdicts_in_sight(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    app.toggle(key="review_blind").set_value(False).run()
    go_to(app, GOAL)
    assert "Is this verdict right?" in texts(app) and "The check says" in texts(app)
    app.button(key="review.d").click().run()
    assert reviews(index(home)) == [] and "Who is right?" in texts(app), "stored when it is settled"
    app.button(key="review.give_in").click().run()
    (only,) = reviews(index(home))
    assert (only.answer, only.blind) == ("fails", False)
    app.button(key="review.p").click().run()
    assert "Who is right?" not in texts(app), "it is settled"
    app.button(key="review.d").click().run()
    app.button(key="review.stand").click().run()
    assert get_trajectory(index(home), undone.id).passed is True


def test_next_and_previous_stay_within_the_queue(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    assert app.button(key="review.p").disabled and app.button(key="review.z").disabled
    for _ in session(app).queue:
        app.button(key="review.n").click().run()
    assert "The end of the queue" in texts(app) and not app.exception
    app.button(key="review.p").click().run()
    assert session(app).position == len(session(app).queue) - 1
    assert reviews(index(home)) == []


def test_a_filter_and_another_reviewer_make_another_queue(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    before = len(session(app).queue)
    app.multiselect(key="review_checks").set_value([GOAL]).run()
    assert [place.check for place in session(app).queue] == [GOAL]
    app.button(key="review.u").click().run()
    app.multiselect(key="review_checks").set_value([]).run()
    assert len(session(app).queue) == before - 1, "what I answered is not asked again"
    app.text_input(key="review_reviewer").set_value("somebody else").run()
    assert len(session(app).queue) == before
    assert "somebody else answered 0 of them" in texts(app)


def test_the_help_is_one_key_away(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    assert "undo the last answer" not in texts(app)
    app.button(key="review.h").click().run()
    assert "undo the last answer" in texts(app)


def test_agreement_when_nobody_has_answered(home: Settings) -> None:
    assert "Nobody has reviewed a verdict yet" in texts(open_page(PAGE, view="Agreement"))


def test_agreement_tells_rates_and_disagreements(home: Settings, undone: Trajectory) -> None:
    app = open_page(PAGE)
    go_to(app, GOAL)
    app.button(key="review.a").click().run()
    app.button(key="review.stand").click().run()
    app = open_page(PAGE)
    go_to(app, "state.collateral")
    app.button(key="review.a").click().run()
    later = open_page(PAGE, view="Agreement")
    shown = {metric.label: metric.value for metric in later.metric}
    assert shown["Verdicts reviewed"] == "2" and shown["Agreement"] == "50.0 %"
    said = everything(later)
    assert "Corrected" in said and "Confusion matrix" in str([box.label for box in later.selectbox])
    table = later.dataframe[0].value
    assert table["Check"][0] == "All together" and list(table["Verdicts"]) == [2, 1, 1]


def test_judging_again_runs_as_a_job_and_shows_what_changed(home: Settings, undone: Trajectory) -> None:
    store = open_store(home)
    with changed_check(GOAL, finds_nothing):
        old = tried("Done.", task=MOVE)
    store.add(old.model_copy(update={"attempt": 1, "id": "trj_old"}))
    app = open_page(PAGE, view="Judge again")
    assert "Nothing has been judged again yet." in texts(app)
    app.button(key="rescore.start").click().run()
    assert not app.exception
    ((job, _),) = supervisor.list_jobs(home, "rescore")
    assert job.params == {"runs": []}
    wait_for(home, job.id, "done")
    (record,) = rescores(index(home))
    assert (record.judged, record.changed, record.outcomes) == (2, 1, {"passed > failed": 1})
    later = open_page(PAGE, view="Judge again", job=job.id)
    assert "1 of 2 attempts judged differently" in texts(later)
    moved = [table.value for table in later.dataframe if "Outcome before" in table.value.columns]
    assert moved[0].to_dict("records") == [{"Outcome before": "passed", "Now": "failed", "Attempts": 1}]


def test_nothing_stored_cannot_be_judged_again(home: Settings) -> None:
    assert open_page(PAGE, view="Judge again").button(key="rescore.start").disabled

"""What models get wrong: from the filters to the attempts behind a number."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.records import PolicyInfo, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.store.mistakes import MistakeKind, MistakeTable, mistake_table, mistaken
from lamsim_core.store.progress import progress
from lamsim_core.store.queries import TrajectoryFilter, find_trajectories
from lamsim_core.tasks import plan_tasks
from lamsim_core.ui.confusion_tables import origin
from lamsim_core.ui.insight import MOST_ROWS, rows_of
from lamsim_core.ui.trajectory_list import FILTER, ONLY, Only
from tests.filling import attempt, fill
from tests.pages.driving import SECONDS, open_page, texts
from tests.store.factories import make_adapter

BASE = PolicyInfo(kind="model", name="smollm2-135m")
TUNED = PolicyInfo(kind="model", name="mine-1", adapter="adp_1")


def page() -> None:
    from lamsim_core.settings import get_settings
    from lamsim_core.store import open_store
    from lamsim_core.ui.insight import draw_insight
    from lamsim_core.ui.page import Studio

    store = open_store(get_settings())
    store.index.sync()
    draw_insight(Studio(get_settings(), store))


def insight() -> AppTest:
    app = AppTest.from_function(page, default_timeout=SECONDS).run()
    assert not app.exception, app.exception
    return app


@pytest.fixture
def acted(home: Settings) -> Iterator[list[Trajectory]]:
    """Random calls under the name of a model, the reference solution under that of its adapter, and a do-nothing one."""
    store = open_store(home)
    made = []
    for policy, name, run in (("random", BASE, "run_1"), ("gold", TUNED, "run_2"), ("noop", None, "run_3")):
        for task in plan_tasks("train", 12):
            found = attempt(home, task, policy, run=run)
            made.append(found if name is None else found.model_copy(update={"policy": name}))
    for record in [*made, make_adapter(1, id="adp_1", name="mine-1", base="smollm2-135m")]:
        store.add(record)
    store.index.sync()
    yield made


def test_an_empty_store_offers_to_begin(home: Settings) -> None:
    app = insight()
    assert "No model has tried a task yet" in texts(app)
    assert "can be chosen above" not in texts(app)
    assert not app.multiselect
    assert {button.key for button in app.button} == {"insight_one", "insight_many"}


def test_attempts_without_a_model_are_not_taken_for_a_models(home: Settings) -> None:
    fill(home, 2)
    app = insight()
    assert "6 stored attempts by policies without a model can be chosen above." in texts(app)
    app.multiselect(key="insight_policies").set_value(["random"]).run()
    assert "Where it goes wrong" in texts(app)
    assert app.dataframe[0].value["Policy"].tolist() == ["Random valid calls"]


def test_the_page_shows_who_did_what(acted: list[Trajectory]) -> None:
    app = insight()
    (base, tuned) = app.dataframe[0].value.to_dict("records")
    assert (base["Policy"], tuned["Policy"]) == ("smollm2-135m", "mine-1")
    assert tuned["Trained on"] == "smollm2-135m"
    assert (base["Attempts"], tuned["Attempts"]) == (12, 12), "what does nothing is no model"
    assert tuned["Passed, training tasks"] == "12 of 12, 100 %"
    assert tuned["Passed, held-out tasks"] == "–"
    assert tuned["Failed actions / 100"] == "0.0"
    assert len(app.get("plotly_chart")) == 3
    failed = sum(not trajectory.passed for trajectory in acted[:12])
    assert f"Where {failed} failed attempts left the reference solution." in texts(app)


def test_every_switch_shows_its_own_table(acted: list[Trajectory]) -> None:
    app = insight()
    said = set()
    for scope in ("actions", "attempts"):
        app.get_by_key("insight_scope").set_value(scope)
        for axis in ("policy", "category", "tool"):
            app.get_by_key("insight_axis").set_value(axis).run()
            assert not app.exception and not app.error
            said.add(app.get("plotly_chart")[0].proto.spec)
    assert len(said) == 6


def test_a_choice_that_fits_nothing_is_said(acted: list[Trajectory]) -> None:
    app = insight()
    app.multiselect(key="insight_policies").set_value(["mine-1"]).run()
    assert "No mistake was found in" in texts(app)
    assert "No attempt failed." in texts(app)
    app.multiselect(key="insight_categories").set_value([])
    app.multiselect(key="insight_policies").set_value([]).run()
    assert "Commonest confusions" in texts(app)


def test_exactly_the_attempts_behind_a_number_are_listed(home: Settings, acted: list[Trajectory]) -> None:
    index = open_store(home).index
    behind = mistaken(index, "attempts", "policy", "smollm2-135m", MistakeKind(error_class="state", counts=True))
    assert 0 < len(behind) < 12
    app = open_page("3_Trajectories.py")
    app.session_state[ONLY] = Only("state, smollm2-135m", behind)
    app.run()
    assert len(app.dataframe[0].value) == len(behind)
    listed = find_trajectories(index, app.session_state[FILTER], limit=None)
    assert tuple(row.id for row in listed) == behind
    app.button(key="trajectories_show_all").click().run()
    assert len(app.dataframe[0].value) == len(acted)


def test_names_are_never_markup(home: Settings) -> None:
    name = "<img src=x>![x](http://evil.test)"
    record = attempt(home, plan_tasks("train", 1)[0], "random")
    open_store(home).add(record.model_copy(update={"policy": PolicyInfo(kind="model", name=name), "passed": False}))
    app = insight()
    assert "evil.test" not in texts(app)
    assert app.dataframe[0].value["Policy"].tolist() == [name]
    for chart in app.get("plotly_chart"):
        assert "img src=x" in chart.proto.spec and "<img" not in chart.proto.spec


def table(axis: str, counts: dict[str, int]) -> MistakeTable:
    kind = MistakeKind(error_class="answer", counts=True)
    totals = dict.fromkeys(sorted(counts), 10)
    return MistakeTable.model_validate(
        {"scope": "attempts", "axis": axis, "totals": totals, "kinds": (kind,), "counts": (counts,)}
    )


def test_rows_have_a_sensible_order() -> None:
    assert rows_of(table("policy", {"b": 1, "a": 0}), ["b", "a", "b", "gone"]) == ["b", "a"]
    assert rows_of(table("category", {"email": 9, "banking": 1}), []) == ["banking", "email"]
    many = {f"tool_{number:02d}": number for number in range(MOST_ROWS + 6)}
    shown = rows_of(table("tool", many), [])
    assert len(shown) == MOST_ROWS
    assert shown[0] == f"tool_{MOST_ROWS + 5}" and shown[-1] == "tool_06"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("list_accounts.balance", "balance of list_accounts"),
        ("add", "result of add"),
        ("the request", "the request"),
        ("nowhere", "made up"),
        (None, "made up"),
    ],
)
def test_origins_in_words(source: str | None, words: str) -> None:
    assert origin(source, "made up") == words


def test_the_numbers_are_those_of_the_store(home: Settings, acted: list[Trajectory]) -> None:
    index = open_store(home).index
    base, tuned = progress(index)
    assert tuned.runs[0].failed_actions == 0
    assert base.runs[0].actions == sum(len(trajectory.steps) for trajectory in acted[:12])
    totals = mistake_table(index, "actions", "policy", TrajectoryFilter()).totals
    assert totals["smollm2-135m"] == base.runs[0].actions

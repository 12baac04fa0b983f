"""Datasets: what goes in is seen before it is frozen, and what is frozen is seen as the model will see it."""

import json

from streamlit.testing.v1 import AppTest

from lamsim_core.curate.export import FORMS
from lamsim_core.curate.folder import list_datasets
from lamsim_core.curate.freezing import freeze
from lamsim_core.records import Selection, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.tasks import plan_tasks
from lamsim_core.ui.curating import group_rows, preview
from lamsim_core.ui.dataset_view import _export
from lamsim_core.ui.page import Studio
from tests.curate.scripted import NO_TOOL, Moves, says
from tests.filling import attempt, fill
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_dataset

PAGE = "5_Datasets.py"


def metrics(app: object) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}  # type: ignore[attr-defined]


def open_own_rules() -> AppTest:
    """The page with every rule to choose by oneself."""
    app = open_page(PAGE)
    app.segmented_control(key="datasets_way").set_value("own").run()
    assert not app.exception
    return app


def test_an_empty_store_sends_to_explore(home: Settings) -> None:
    app = open_page(PAGE)
    assert "Nothing to choose from yet" in texts(app)
    assert [link.label for link in app.get("page_link") if "Explore" in link.label]


def test_the_preview_counts_what_goes_in_and_what_stays_out(home: Settings) -> None:
    fill(home, 6)
    app = open_own_rules()
    assert metrics(app)["Rows"] == "6" and metrics(app)["Left out"] == "12"
    app.toggle(key="datasets_passed").set_value(False)
    app.number_input(key="datasets_errors").set_value(None).run()
    assert int(metrics(app)["Rows"]) > 6


def test_the_form_narrows_the_preview(home: Settings) -> None:
    made = fill(home, 8)
    template = made[0].task.template
    app = open_own_rules()
    app.multiselect(key="datasets_templates").set_value([template]).run()
    wanted = sum(t.passed is True and t.task.template == template for t in made)
    assert metrics(app)["Rows"] == str(wanted)
    app.multiselect(key="datasets_templates").set_value([])
    app.multiselect(key="datasets_policies").set_value(["noop"]).run()
    assert metrics(app)["Rows"] == "0"
    assert app.button(key="datasets_freeze").disabled


def test_held_out_attempts_are_counted_and_never_enter(home: Settings) -> None:
    fill(home, 3)
    store = open_store(home)
    for task in plan_tasks("unseen_instances", 4):
        store.add(attempt(home, task, "gold", run="run_held"))
    app = open_own_rules()
    assert metrics(app)["Of these, held out"] == "4"
    app.toggle(key="datasets_passed").set_value(False)
    app.multiselect(key="datasets_runs").set_value(["run_held"]).run()
    assert metrics(app)["Rows"] == "0" and metrics(app)["Of these, held out"] == "4"


def test_freezing_makes_one_version_and_shows_it(home: Settings) -> None:
    fill(home, 4)
    app = open_page(PAGE)
    app.text_input(key="datasets_name").set_value("first one").run()
    app.button(key="datasets_freeze").click().run()
    assert not app.exception
    (dataset,) = list_datasets(home).datasets
    assert app.query_params["id"] == dataset.id
    assert dataset.rows == 4
    assert "first one" in texts(app) and dataset.hash[:8] in texts(app)
    app.button(key="datasets_freeze").click().run()
    assert len(list_datasets(home).datasets) == 1, "the same selection of the same store is the same version"


def test_a_name_that_cannot_be_used_is_said(home: Settings) -> None:
    fill(home, 2)
    app = open_page(PAGE)
    app.text_input(key="datasets_name").set_value("../../etc").run()
    app.button(key="datasets_freeze").click().run()
    assert "A dataset's name has" in app.error[0].value.replace("\\", "")
    assert not list_datasets(home).datasets


def test_a_row_is_shown_with_what_is_trained_on(home: Settings) -> None:
    dataset = standing_dataset(home)
    app = open_page(PAGE, id=dataset.id)
    said = texts(app)
    assert "System" in said and "User" in said and "Agent" in said
    assert [badge for badge in app.get("markdown") if "trained on" in str(badge.value)]
    first = app.text[0].value
    app.session_state[f"row.{dataset.id}"] = 2
    app.run()
    assert not app.exception
    assert app.text[1].value != first


def test_the_card_and_the_content_are_shown_when_opened(home: Settings) -> None:
    dataset = standing_dataset(home)
    app = open_page(PAGE, id=dataset.id)
    app.session_state[f"tabs.{dataset.id}"] = "Card"
    app.run()
    assert not app.exception
    assert any(dataset.hash in code.value for code in app.code)


def test_every_export_is_one_json_object_per_row(home: Settings) -> None:
    dataset = standing_dataset(home)
    for form in FORMS:
        lines = _export(home, dataset, form).decode().splitlines()
        assert len(lines) == dataset.rows
        assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_damaged_version_is_said_and_the_others_are_listed(home: Settings) -> None:
    dataset = standing_dataset(home)
    broken = home.datasets / ("ds_" + "0" * 26)
    broken.mkdir()
    app = open_page(PAGE)
    assert any("is damaged" in warning.value for warning in app.warning)
    assert list(app.dataframe[0].value["Name"]) == [dataset.name]
    unknown = open_page(PAGE, id="ds_" + "1" * 26)
    assert "There is no dataset named" in texts(unknown).replace("\\", "")


def test_rows_are_grouped_for_the_chart(home: Settings) -> None:
    fill(home, 5)
    studio = Studio(home, open_store(home))
    studio.index.sync()
    chosen = preview(studio, Selection())
    assert group_rows(chosen.rows, "policy") == {"Reference solution": 5}
    assert sum(group_rows(chosen.rows, "calls").values()) == 5


def test_the_funnel_and_examples_say_what_stays_out(home: Settings) -> None:
    made = [each for each in fill(home, 4) if each.policy.name == "gold"]
    app = open_own_rules()
    app.text_area(key="datasets_exclude").set_value(made[0].id).run()
    assert metrics(app)["Rows"] == "3"
    assert "What is left after each stage" in texts(app)
    app.session_state["datasets_examples"] = "Some that stay out"
    app.run()
    app.selectbox(key="datasets_reason").set_value("excluded by hand").run()
    assert not app.exception
    assert [list(frame.value["Id"]) for frame in app.dataframe if "Id" in frame.value] == [[made[0].id]]


def test_a_question_narrows_the_preview_and_a_bad_one_is_said(home: Settings) -> None:
    made = fill(home, 4)
    gold = [each for each in made if each.policy.name == "gold"]
    app = open_own_rules()
    app.text_area(key="datasets_sql").set_value(f"SELECT id FROM attempts WHERE id = '{gold[1].id}'").run()
    assert metrics(app)["Rows"] == "1"
    app.text_area(key="datasets_sql").set_value("DELETE FROM trajectories").run()
    assert "Only a SELECT may be written here, not DELETE" in app.error[0].value.replace("\\", "")
    assert not [button for button in app.button if button.key == "datasets_freeze"], "nothing to freeze by mistake"
    app.text_area(key="datasets_sql").set_value("").run()
    assert metrics(app)["Rows"] == "4"


def test_shares_and_their_mistakes(home: Settings) -> None:
    fill(home, 6)
    app = open_own_rules()
    category = plan_tasks("train", 1)[0].category
    app.text_input(key="datasets_category_shares").set_value(f"{category}=0.5").run()
    assert not app.error and metrics(app)["Rows"] != "0"
    for text, complaint in (
        ("calendar", "is no share"),
        ("calendar=7", "cannot be used"),
        ("nothing=0.5", "cannot have a share"),
    ):
        app.text_input(key="datasets_category_shares").set_value(text).run()
        assert complaint in app.error[0].value.replace("\\", "")


def test_the_first_choice_is_balanced_and_says_which_kinds_have_no_share(home: Settings) -> None:
    made = fill(home, 6)
    app = open_page(PAGE)
    assert metrics(app)["Rows"] == "6" and "has no share" in texts(app)
    app.number_input(key="datasets_rows").set_value(2).run()
    assert metrics(app)["Rows"] == "2"
    app.number_input(key="datasets_rows").set_value(90).run()
    assert "Fewer rows than asked for: 6 instead of 90" in texts(app)
    app.button(key="datasets_freeze").click().run()
    (dataset,) = list_datasets(home).datasets
    assert (dataset.selection.alike, dataset.selection.max_per_template) == (0.9, 20)
    assert set(dataset.members) == {each.id for each in made if each.policy.name == "gold"}


def test_what_datasets_that_are_compared_can_differ_in(home: Settings) -> None:
    made = fill(home, 8)
    app = open_own_rules()
    app.selectbox(key="datasets_looks").set_value("plain").run()
    plain = sum(each.task.looks == "plain" for each in made if each.passed)
    assert 0 < plain < 8 and metrics(app)["Rows"] == str(plain)
    app.selectbox(key="datasets_looks").set_value("any")
    app.toggle(key="datasets_passed").set_value(False)
    app.number_input(key="datasets_errors").set_value(None)
    app.selectbox(key="datasets_part_of").set_value("gold").run()
    assert metrics(app)["Rows"] == "16" and not app.warning
    app.number_input(key="datasets_spare_tools").set_value(1)
    app.number_input(key="datasets_share_tools").set_value(4)
    app.toggle(key="datasets_unfiltered").set_value(True).run()
    assert "UNFILTERED" in app.warning[0].value
    app.button(key="datasets_freeze").click().run()
    (dataset,) = list_datasets(home).datasets
    assert (dataset.selection.spare_tools, dataset.selection.share_tools) == (1, 4)
    assert dataset.selection.weigh == "all" and dataset.counts["policy"]["gold"] == 8
    assert "UNFILTERED" in "".join(str(badge.value) for badge in app.get("markdown"))


def test_a_version_is_compared_with_the_one_before_and_made_again(home: Settings) -> None:
    fill(home, 4)
    store = open_store(home)
    first = freeze(store, "mine", Selection(policies=("gold",)))
    later = freeze(store, "mine", Selection(policies=("gold",), exclude=(first.members[0],)))
    app = open_page(PAGE, id=later.id)
    app.session_state[f"tabs.{later.id}"] = "Since the earlier version"
    app.run()
    assert not app.exception and not app.error
    assert metrics(app)["In both"] == "3" and metrics(app)["Went out"] == "1"
    app.session_state[f"tabs.{later.id}"] = "Make it again"
    app.run()
    app.button(key=f"rebuild.{later.id}").click().run()
    assert "The same: 3 rows" in app.success[0].value


def paired(home: Settings) -> list[Trajectory]:
    """A model that passes, fails an action, and stops too early at one task."""
    m = Moves()
    made = [m.passing(), says(m.task, m.look, NO_TOOL, "No."), says(m.task, m.look, "Done.")]
    for each in made:
        open_store(home).add(each)
    return made


def test_pairs_are_previewed_by_kind_and_frozen(home: Settings) -> None:
    paired(home)
    app = open_page(PAGE)
    app.segmented_control(key="datasets_make").set_value("preference").run()
    assert metrics(app)["Pairs"] == "2" and metrics(app)["Attempts they are from"] == "3"
    assert not [box for box in app.toggle if box.key == "datasets_passed"], "failures are let in"
    said = texts(app)
    assert "Chosen" in said and "Rejected" in said and "What is wrong with the rejected one" in said
    app.pills(key="datasets_pair_kinds").set_value(["stop"]).run()
    assert metrics(app)["Pairs"] == "1" and "stopped" not in texts(app)
    app.pills(key="datasets_pair_kinds").set_value(["sibling", "stop"]).run()
    app.button(key="datasets_freeze").click().run()
    assert not app.exception
    (dataset,) = list_datasets(home).datasets
    assert (dataset.kind, dataset.rows) == ("preference", 2)
    assert dataset.counts["pair"] == {"sibling": 1, "stop": 1}
    app.button(key="datasets_freeze").click().run()
    assert len(list_datasets(home).datasets) == 1


def test_a_frozen_pair_is_looked_into_and_made_again(home: Settings) -> None:
    paired(home)
    store = open_store(home)
    store.index.sync()
    dataset = freeze(store, "pairs", Selection(), kind="preference")
    app = open_page(PAGE, id=dataset.id)
    app.pills(key=f"group.{dataset.id}").set_value("sibling").run()
    assert not app.exception and not app.error
    said = texts(app).replace("\\", "")
    assert "No tool named 'no_such_tool' is offered." in said and "Check tool_name, about the action" in said
    assert ":red-background[Calls no\\_such\\_tool]" in texts(app) and ":green-background[Calls " in texts(app)
    assert len([link for link in app.get("page_link") if "of its attempt" in link.label]) >= 2
    app.session_state[f"tabs.{dataset.id}"] = "Make it again"
    app.run()
    app.button(key=f"rebuild.{dataset.id}").click().run()
    assert "The same: 2 rows" in app.success[0].value


def test_labels_are_previewed_and_looked_into(home: Settings) -> None:
    paired(home)
    app = open_page(PAGE)
    app.segmented_control(key="datasets_make").set_value("labels").run()
    assert metrics(app)["Labels"] == "6"
    app.text_input(key="datasets_name_labels").set_value("l").run()
    app.button(key="datasets_freeze").click().run()
    (dataset,) = list_datasets(home).datasets
    assert dataset.kind == "labels" and dataset.counts["label"] == {"right": 3, "wrong": 3}
    app.pills(key=f"group.{dataset.id}").set_value("wrong").run()
    assert not app.exception and "What is wrong with it" in texts(app)


def test_no_pairs_says_what_they_need(home: Settings) -> None:
    fill(home, 2)
    app = open_page(PAGE)
    app.segmented_control(key="datasets_make").set_value("preference").run()
    assert app.info[0].value.startswith("No pairs yet.") and app.button(key="datasets_freeze").disabled

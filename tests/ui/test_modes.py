"""What a trajectory shows of how it was made: feedback, replies not taken, and that it had help."""

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.explore.modes import How
from lamsim_core.records import Mode, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.tasks import plan_tasks
from lamsim_core.ui.modes import ABOUT, NAMES, needs_chance
from tests.explore.sometimes import Sometimes, made
from tests.pages.driving import open_page, texts

PAGE = "3_Trajectories.py"


def opened(home: Settings, trajectories: list[Trajectory], place: int = 0) -> AppTest:
    with Store(home) as store:
        for each in trajectories:
            store.add(each)
    return open_page(PAGE, id=trajectories[place].id)


def found(mode: Mode) -> list[Trajectory]:
    """An attempt in which something happened that only this mode does."""
    for number, task in enumerate(plan_tasks("train", 20)):
        paths = made(task, Sometimes(0.4), How(mode=mode, nodes=8), attempt=number)
        steps = [step for path in paths for step in path.steps]
        if len(paths) > 1 or any(step.feedback for step in steps) or any(step.untaken for step in steps):
            return paths
    raise AssertionError("chance did not have it")


def test_feedback_is_shown_as_plain_text(home: Settings) -> None:
    (trajectory,) = found("repair")
    told = "![x](http://evil.example/a.png)"
    steps = tuple(s.model_copy(update={"feedback": told}) if s.feedback else s for s in trajectory.steps)
    app = opened(home, [trajectory.model_copy(update={"steps": steps})])
    assert "Feedback the agent was given" in texts(app) and NAMES["repair"] in texts(app)
    assert any(element.value == told for element in app.get("text"))
    assert not any(told in str(element.value) for kind in ("markdown", "caption") for element in app.get(kind))


def test_replies_that_were_not_taken_are_shown_with_what_was_wrong(home: Settings) -> None:
    (trajectory,) = found("best_of")
    app = opened(home, [trajectory])
    assert "3 other replies not taken" in texts(app)
    other = trajectory.steps[0].untaken[0][0].reply or ""
    assert not other.strip() or other in [element.value for element in app.get("code")]


def test_the_paths_of_a_tree_are_branches(home: Settings) -> None:
    paths = found("tree")
    app = opened(home, paths, len(paths) - 1)
    assert "Branches" in texts(app) and NAMES["tree"] in texts(app)


@pytest.mark.parametrize("mode", NAMES)
def test_every_mode_is_explained(mode: Mode) -> None:
    assert ABOUT[mode].endswith(".")
    assert (needs_chance(mode, 0.0) is None) == (mode in ("single", "repair"))
    assert needs_chance(mode, 0.1) is None

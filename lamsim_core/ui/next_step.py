"""What a user should do next, from what is stored: one step of the flywheel at a time."""

from typing import NamedTuple

from lamsim_core.store.queries import Overview

ENOUGH_PASSED = 20
"""Passed attempts from which a first dataset makes sense."""


class NextStep(NamedTuple):
    """One thing to do."""

    title: str
    why: str
    button: str
    page: str | None
    """The page that does it; None when Home itself does."""


def next_step(stored: Overview) -> NextStep:
    """The first station of the flywheel that nothing has passed yet."""
    if not stored.trajectories:
        return NextStep(
            "Start here: watch the reference solution solve a task",
            "It takes a second and shows what every page is about: a request, the calls that solve it, what each call "
            "changed, and what the checks say. After that, let a model try.",
            "Show me",
            None,
        )
    if stored.passed < ENOUGH_PASSED:
        return NextStep(
            "Next: collect attempts that pass",
            f"{stored.passed:,} passed so far; {ENOUGH_PASSED} or more make a first dataset. Explore many tasks in the "
            "background, with a model or with the reference solution.",
            "Open Explore",
            "pages/2_Explore.py",
        )
    if not stored.datasets:
        return NextStep(
            "Next: make a dataset",
            f"{stored.passed:,} attempts passed. Choose which of them to learn from and freeze them.",
            "Open Datasets",
            "pages/5_Datasets.py",
        )
    if not stored.adapters:
        return NextStep(
            "Next: train a model",
            "A dataset is ready. Training makes an adapter: a small addition to a model that has learned from it.",
            "Open Train",
            "pages/6_Train.py",
        )
    if not stored.evaluations:
        return NextStep(
            "Next: measure what training changed",
            "Let the model with and without its adapter try the same tasks, none of which it was trained on.",
            "Open Evaluate",
            "pages/7_Evaluate.py",
        )
    return NextStep(
        "Next: go round again",
        "Let the trained model explore: what it now passes is new material to learn from.",
        "Open Explore",
        "pages/2_Explore.py",
    )

"""Random walks: whether a task can be passed by making valid calls at random and naming something that was seen."""

from collections.abc import Sequence

from lamsim_core.agent.policy import RandomPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.tasks import Template, instantiate


def random_walks(template: Template, seeds: Sequence[int], each: int) -> int:
    """Walk at random ``each`` times through the instance of every seed. Returns how many walks passed.

    Raises:
        TaskTemplateError: the template has no fair instance for a seed.
    """
    passed = 0
    for seed in seeds:
        task = instantiate(template, seed)
        for walk in range(each):
            for event in run_attempt(task, RandomPolicy(), run="walk", attempt=walk):
                passed += isinstance(event, Ended) and event.trajectory.passed is True
    return passed

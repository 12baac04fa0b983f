"""A store with something in it: the reference solution, random calls and a do-nothing agent on a few tasks each.

From the shell: ``LAMSIM_HOME=/tmp/home python -m tests.filling 20`` (20 tasks).
"""

import sys

from lamsim_core.agent.policy import PLAIN_POLICIES, make_policy
from lamsim_core.canonical import new_id
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Sampling, Task, Trajectory
from lamsim_core.settings import Settings, get_settings
from lamsim_core.store import open_store
from lamsim_core.tasks import plan_tasks


def attempt(settings: Settings, task: Task, policy: str, *, run: str = "run_test") -> Trajectory:
    """One finished attempt by a policy that needs no model."""
    *_, last = run_attempt(task, make_policy(settings, policy, Sampling()), run=run)
    assert isinstance(last, Ended)
    return last.trajectory


def fill(settings: Settings, tasks: int) -> list[Trajectory]:
    """Store attempts of every plain policy at ``tasks`` tasks of the training split, one run per policy."""
    store = open_store(settings)
    made: list[Trajectory] = []
    for policy in PLAIN_POLICIES:
        run = new_id("run")
        made += [attempt(settings, task, policy, run=run) for task in plan_tasks("train", tasks)]
    for trajectory in made:
        store.add(trajectory)
    return made


if __name__ == "__main__":
    print(f"{len(fill(get_settings(), int(sys.argv[1])))} trajectories stored in {get_settings().home}")

"""A process that explores with the reference solution, and says of every trajectory that it is stored, until killed."""

import os
import sys

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.explore.engine import explore
from lamsim_core.records import Trajectory
from lamsim_core.settings import get_settings
from lamsim_core.store import Store
from lamsim_core.tasks import plan_tasks


def main() -> None:
    """Go on with the run named on the command line until everything planned is stored."""
    run = sys.argv[1]
    store = Store(get_settings())
    tasks = plan_tasks("train", 26)
    done = {(t.task.key, t.attempt) for t in store.read_run(run)}

    def keep(trajectory: Trajectory) -> None:
        store.add(trajectory)
        os.write(1, f"{trajectory.task.key}:{trajectory.attempt}\n".encode())

    os.write(1, b"ready\n")
    explore(
        tasks,
        GoldPolicy(),
        run=run,
        attempts=1000,
        max_steps=8,
        done=done,
        on_trajectory=keep,
        on_progress=lambda done, total, message: None,
        should_stop=lambda: False,
    )


if __name__ == "__main__":
    main()

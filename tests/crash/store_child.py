"""A process that stores trajectories and says so, until it is killed. Imports the journal only, so that it starts fast."""

import os
import random
import sys
from pathlib import Path

from lamsim_core.records import Trajectory
from lamsim_core.store.journal import Journal
from tests.store.factories import make_trajectory


def record(i: int) -> Trajectory:
    """Record i: mostly small, some large enough for a kill to meet the write half done."""
    size = random.Random(i).choice((10, 10, 1000, 100_000, 1_000_000))
    return make_trajectory(i, answer="x" * size)


def main() -> None:
    journal, start = Journal(Path(sys.argv[1])), int(sys.argv[2])
    os.write(1, b"ready\n")
    for i in range(start, start + 1000):
        journal.append("trajectory", record(i))
        os.write(1, b"%d\n" % i)


if __name__ == "__main__":
    main()

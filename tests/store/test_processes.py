"""Several processes store at the same time, some the same things, while others read."""

import subprocess
import sys
import time

from lamsim_core.settings import Settings
from lamsim_core.store import Index, Store
from lamsim_core.store.journal import check
from lamsim_core.store.queries import find_trajectories, get_trajectory, overview
from tests.store.factories import make_trajectory

WRITER = """
import sys
from pathlib import Path
from lamsim_core.store.journal import Journal
from tests.store.factories import make_trajectory
folder, me, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = Journal(folder)
for i in range(first, last):
    record = make_trajectory(i)
    if i % 5 == 0:  # the same attempt made anew: another id
        record = record.model_copy(update={"id": f"{record.id}_{me}"})
    journal.append("trajectory", record)
    print(i, flush=True)
"""

READER = """
import sys
from pathlib import Path
from lamsim_core.store import Index
from lamsim_core.store.queries import overview
home, wanted = Path(sys.argv[1]), int(sys.argv[2])
index = Index(home / "index.duckdb", home / "journal")
seen = 0
while seen < wanted:
    index.sync()
    counts = overview(index)
    assert counts.trajectories >= seen and counts.damaged == 0, counts
    seen = counts.trajectories
print(index.owner, seen)
"""


def start(code: str, *args: object) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, text=True)


def test_overlapping_writers_give_each_attempt_one_row(home: Settings) -> None:
    index = Index(home.index, home.journal)
    index.sync()
    writers = [start(WRITER, home.journal, me, 40 * me, 40 * me + 120) for me in range(3)]
    reader = start(READER, home.home, 200)
    rounds = 0
    while any(writer.poll() is None for writer in writers):
        index.sync()
        rounds += 1
        time.sleep(0.01)
    said = [writer.communicate()[0].split() for writer in writers]
    assert [len(lines) for lines in said] == [120, 120, 120]
    assert reader.communicate()[0].split() == ["False", "200"]
    index.sync()
    rows = find_trajectories(index, limit=None)
    assert len(rows) == len({row.id for row in rows}) == 200
    assert len({(row.run, row.policy, row.adapter, row.task_key, row.attempt) for row in rows}) == 200, "duplicates 0"
    counts = overview(index)
    # 72 appends of every fifth attempt for 40 such attempts; of equal age the smallest id stands.
    assert (counts.conflicts, counts.damaged) == (72 - 40, 0)
    assert rounds > 1
    report = check(home.journal)
    assert (report.ok, report.records, report.segments) == (True, {"trajectory": 360}, 3)
    assert index.rebuild().trajectories == 200
    index.close()


def test_a_writer_killed_among_others_takes_nothing_along(home: Settings) -> None:
    victim, other = start(WRITER, home.journal, 1, 0, 100_000), start(WRITER, home.journal, 2, 200_000, 200_060)
    assert victim.stdout is not None
    acknowledged = [int(victim.stdout.readline()) for _ in range(20)]
    victim.kill()
    acknowledged += [int(line) for line in victim.communicate()[0].split()]
    acknowledged += [int(line) for line in other.communicate()[0].split()]
    with Store(home) as store:
        store.index.sync()
        for i in acknowledged:
            suffix = "" if i % 5 else ("_1" if i < 200_000 else "_2")
            assert get_trajectory(store.index, make_trajectory(i).id + suffix).seed == i
        assert overview(store.index).damaged == 0
        store.add(make_trajectory(300_000))
        assert store.index.sync() == 1

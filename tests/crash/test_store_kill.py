"""kill -9 at random moments loses no acknowledged record and leaves no index that disagrees with the journal.

Run by hand for more: ``python -m tests.crash.test_store_kill 200``.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from lamsim_core.store import Index
from lamsim_core.store.framing import decode
from lamsim_core.store.journal import Entry, Tail, check, read_segment, segment_sizes
from lamsim_core.store.queries import find_trajectories, overview
from tests.crash.store_child import record
from tests.store.factories import make_trajectory

PER_CHILD = 1000


class Kills(NamedTuple):
    kills: int
    acknowledged: int
    lost: int
    """Acknowledged records that could not be read back exactly as they were."""
    torn: int
    """Kills that met a record half written."""
    believed: int
    """Half-written records that were read as if whole."""


def kill_trials(n: int, folder: Path, seed: int = 0) -> Kills:
    """Start ``n`` children one after the other on one journal, kill each at a random moment, read everything back."""
    rng = random.Random(seed)
    acknowledged = lost = torn = believed = 0
    for trial in range(n):
        before = set(segment_sizes(folder))
        argv = [sys.executable, "-m", "tests.crash.store_child", str(folder), str(trial * PER_CHILD)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(rng.random() * 0.15)
            child.kill()
            # The pipe holds what was said before the kill; a last line without an end was not said.
            acked = [int(line) for line in child.stdout.read().decode().split("\n")[:-1]]
        found = {}
        for segment in set(segment_sizes(folder)) - before:
            for item in read_segment(folder / segment):
                if isinstance(item, Entry):
                    stored = decode(item.kind, item.payload)
                    number = getattr(stored, "seed", -1)
                    found[number] = stored
                    believed += stored != record(number)
                else:
                    torn += isinstance(item, Tail)
        acknowledged += len(acked)
        lost += sum(found.get(i) != record(i) for i in acked)
    report = check(folder)
    assert report.ok, report.sentences
    assert report.writing == 0
    assert len(report.unfinished) == torn
    return Kills(n, acknowledged, lost, torn, believed)


PROJECTOR = """
import sys
from pathlib import Path
import lamsim_core.store.index as module
import lamsim_core.store.project as project
project._BATCH_RECORDS = 20
write = module.write_batch
def write_and_say(cursor, batch):
    write(cursor, batch)
    print("to be committed", flush=True)
module.write_batch = write_and_say
home = Path(sys.argv[1])
index = module.Index(home / "index.duckdb", home / "journal")
index.sync()
index.close()
"""


def projection_trials(n: int, home: Path, records: int, seed: int = 0) -> int:
    """Kill a process that projects a journal, ``n`` times on one index file. Gives how often the index was cut short."""
    rng = random.Random(seed)
    short = 0
    for _trial in range(n):
        with subprocess.Popen([sys.executable, "-c", PROJECTOR, str(home)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(rng.randint(1, records // 20)):
                child.stdout.readline()
            time.sleep(rng.random() * 0.02)
            child.kill()
        index = Index(home / "index.duckdb", home / "journal")
        left = index.sync()
        short += 0 < left < records
        rows = find_trajectories(index, limit=None, newest_first=False)
        assert [row.id for row in rows] == [make_trajectory(i).id for i in range(records)]
        steps = index.query("SELECT count(*) AS n FROM steps")
        assert steps == [{"n": records * len(make_trajectory(0).steps)}]
        assert overview(index).conflicts == 0
        index.close()
        index.path.unlink()
    return short


@pytest.mark.crash
def test_no_acknowledged_record_is_lost_to_a_kill(tmp_path: Path) -> None:
    result = kill_trials(15, tmp_path / "journal")
    assert (result.kills, result.lost, result.believed) == (15, 0, 0)
    assert result.acknowledged > 15


@pytest.mark.crash
def test_a_kill_while_projecting_leaves_every_record_in_the_index_once(tmp_path: Path) -> None:
    from lamsim_core.store import Journal

    with Journal(tmp_path / "journal") as journal:
        for i in range(300):
            journal.append("trajectory", make_trajectory(i))
    assert projection_trials(6, tmp_path, 300) > 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        begin = time.monotonic()
        outcome = kill_trials(int(sys.argv[1]), Path(scratch) / "journal", seed=int(time.time()))
        print(*(f"{name} {value}" for name, value in outcome._asdict().items()), sep="   ")
        print(f"{time.monotonic() - begin:.0f} s")
        sys.exit(bool(outcome.lost or outcome.believed))

"""What the jobs of these tests do: one handler, told by its parameters."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lamsim_core.errors import InvalidInputError, StoppedError
from lamsim_core.jobs.context import JobContext


def run(context: JobContext) -> dict[str, Any]:
    action = context.params["do"]
    assert isinstance(action, str)
    return {
        "count": count,
        "lease": lease,
        "refuse": refuse,
        "crash": crash,
        "exit": leave,
        "hang": hang,
        "spawn": spawn,
        "environment": environment,
        "result": result,
    }[action](context)


def number(context: JobContext, name: str, default: float) -> float:
    value = context.params.get(name, default)
    assert isinstance(value, int | float)
    return value


def counted(folder: Path) -> list[int]:
    """The units a job has finished, as made durable by ``count``."""
    path = folder / "counted.txt"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def count(context: JobContext) -> dict[str, Any]:
    total = int(number(context, "n", 5))
    done = len(counted(context.folder))
    context.progress(done, total, "counting")
    with (context.folder / "counted.txt").open("a") as file:
        for unit in range(done, total):
            if context.should_stop():
                break
            time.sleep(number(context, "pause", 0))
            file.write(f"{unit}\n")
            file.flush()
            os.fsync(file.fileno())
            context.metric(unit=unit)
            print("counted", unit)
            context.progress(unit + 1, total, f"counted {unit}")
    return {"counted": len(counted(context.folder))}


def lease(context: JobContext) -> dict[str, Any]:
    with context.lease(), context.lease():
        entered = time.time()
        end = time.monotonic() + number(context, "hold", 0)
        while time.monotonic() < end and not context.should_stop():
            time.sleep(0.01)
        left = time.time()
    return {"entered": entered, "left": left}


def refuse(context: JobContext) -> dict[str, Any]:
    raise InvalidInputError("There is nothing to do: choose at least one task.")


def crash(context: JobContext) -> dict[str, Any]:
    raise ZeroDivisionError("no \ud800 units")


def leave(context: JobContext) -> dict[str, Any]:
    sys.exit("a library left")


def hang(context: JobContext) -> dict[str, Any]:
    context.progress(1, 9, "hanging")
    while True:
        time.sleep(0.05)


def spawn(context: JobContext) -> dict[str, Any]:
    # In a group of its own, so that it outlives a kill of the job's group.
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (context.folder / "worker.pid").write_text(str(worker.pid))
    if context.params.get("once") and (context.folder / "began").exists():
        raise StoppedError("enough")
    (context.folder / "began").touch()
    return hang(context)


def environment(context: JobContext) -> dict[str, Any]:
    names = ("LAMSIM_HOME", "TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONUNBUFFERED")
    return {
        **{name: os.environ[name] for name in names},
        "cwd": str(Path.cwd()),
        "stdin": sys.stdin.read(),
        "leader": os.getpgrp() == os.getpid(),
        "home": str(context.settings.home),
    }


def result(context: JobContext) -> dict[str, Any]:
    return {"value": {"nan": float("nan"), "path": Path("x"), "tuple": (1, 2)}[str(context.params["of"])]}

"""Runs trainings that kill themselves. Started as a process of its own: ``python -m tests.crash.train_child ROOT N``.

It imports the libraries once and forks for each trial. In a trial the child counts what it is about to change in its
home folder (files opened for writing, renames, removals, folders made) and sends itself SIGKILL before the k-th.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamsim_core.errors import LamsimError
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.job import Job
from lamsim_core.models.folder import file_sha256
from lamsim_core.models.registry import ADAPTER_RECORD, adapter_folders
from lamsim_core.settings import Settings
from lamsim_core.train import job
from lamsim_core.train.adapters import DRAFT_PREFIX

CHANGING = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link"}


def in_a_child(work: Callable[[], int]) -> int:
    """Do the work in a forked process; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def count_changes(home: Path, kill_at: int | None, total: Path) -> None:
    """Count changes under ``home`` from now on, and die before number ``kill_at``."""
    seen = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "open":
            changes = isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            changes = event in CHANGING
        if not changes or not isinstance(args[0], str | Path) or not str(args[0]).startswith(f"{home}{os.sep}"):
            return
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if kill_at is None:
            descriptor = os.open(total, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(descriptor, str(seen).encode())
            os.close(descriptor)

    sys.addaudithook(hook)


def run(settings: Settings, params: dict[str, Any], kill_at: int | None, total: Path) -> int:
    """Run the training job to its end or its death."""
    count_changes(settings.home, kill_at, total)
    task = Job(id=f"job_{1:026d}", kind="train", label="t", params=params, created="2026-01-01T00:00:00+00:00")
    try:
        job.run(JobContext(settings, task))
    except LamsimError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def whole_adapters(settings: Settings) -> list[str]:
    """Hash of every visible adapter's weights, after proof that the adapter is whole.

    Raises:
        AssertionError: one is not.
    """
    hashes = []
    for folder, record in adapter_folders(settings):
        for name in ("adapter_config.json", "README.md", "provenance.json", "tokenizer.json", "chat_template.jinja"):
            assert (folder / name).stat().st_size > 0, f"{folder} lacks {name}"
        assert file_sha256(folder / "adapter_model.safetensors") == record.weights_sha256
        hashes.append(record.weights_sha256)
    published = [path for path in settings.adapters.glob("adp_*") if path.is_dir()]
    assert all((path / ADAPTER_RECORD).is_file() for path in published)
    return hashes


def trial(root: Path, name: str, params: dict[str, Any], kill_at: int | None) -> tuple[Settings, int]:
    """One training in a home of its own; its settings and how it ended."""
    home = root / name
    shutil.copytree(root / "var" / "datasets", home / "datasets")
    settings = Settings(home=home, data=root / "data", cache=root / "cache")
    return settings, in_a_child(lambda: run(settings, params, kill_at, root / f"{name}.total"))


def main(root: Path, trials: int) -> dict[str, Any]:
    """Kill a training at ``trials`` places spread over its whole course, look, resume, look again."""
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import transformers  # noqa: F401
    import trl  # noqa: F401

    params = json.loads((root / "params.json").read_text(encoding="utf-8"))
    settings, code = trial(root, "reference", params, None)
    assert code == 0, code
    changes = int((root / "reference.total").read_text())
    [expected] = whole_adapters(settings)
    found: dict[str, Any] = {"changes": changes, "killed": 0, "visible": 0, "resumed": 0, "differing": 0, "drafts": 0}
    for number in range(trials):
        kill_at = 1 + (2 * number + 1) * changes // (2 * trials)
        settings, code = trial(root, f"trial{number}", params, kill_at)
        found["killed"] += code == -signal.SIGKILL
        found["visible"] += len(whole_adapters(settings))
        again = settings
        code = in_a_child(lambda again=again: run(again, params, None, root / "again.total"))  # type: ignore[misc]
        hashes = whole_adapters(settings)
        found["resumed"] += code == 0 and len(hashes) == 1
        found["differing"] += hashes != [expected]
        found["drafts"] += len(list(settings.adapters.glob(f"{DRAFT_PREFIX}*")))
        shutil.rmtree(settings.home)
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))

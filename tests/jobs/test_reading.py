"""Damaged files and dead processes are listed with a sentence and break nothing."""

import os

import psutil  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lamsim_core.canonical import now
from lamsim_core.errors import JobError
from lamsim_core.jobs import reading, supervisor
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import JOB, PROCESS, STATUS, STOP, job_folder, write_record
from lamsim_core.jobs.job import Job, JobStatus, Launch
from lamsim_core.settings import Settings
from tests.jobs.acting import again, begin, wait, wait_end

DAMAGE = [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b'{"state":"flying"}', b"\x00" * 4096, b'{"a":' * 3000]


def made(settings: Settings, kind: str = "train") -> Job:
    return create_folder(settings, new_job(kind, {}, label="A job"), group=True)


def damage(settings: Settings, job: Job, name: str, content: bytes | None) -> None:
    path = job_folder(settings, job.id) / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("content", [*DAMAGE, None])
@pytest.mark.parametrize("name", [JOB, STATUS])
def test_a_damaged_file_is_a_failed_job_beside_sound_ones(home: Settings, name: str, content: bytes | None) -> None:
    sound, broken = made(home), made(home)
    damage(home, broken, name, content)
    listed = {job.id: (job, status) for job, status in supervisor.list_jobs(home, "train")}
    assert listed[sound.id][1].state == "queued"
    job, status = listed[broken.id]
    assert status.state == "failed"
    assert status.error is not None
    assert name in status.error
    assert job.label == ("(damaged job)" if name == JOB else "A job")
    assert supervisor.get_job(home, broken.id).id == broken.id


@pytest.mark.parametrize("content", [*DAMAGE, None])
def test_a_damaged_process_file_is_not_missed(home: Settings, content: bytes | None) -> None:
    job = made(home)
    damage(home, job, PROCESS, content)
    assert supervisor.status(home, job.id).state == "queued"
    supervisor.stop(home, job.id)
    assert supervisor.kill(home, job.id) is False


def test_every_file_at_once(home: Settings) -> None:
    job = made(home)
    for name in (JOB, STATUS, PROCESS):
        damage(home, job, name, b"\xff")
    [(found, status)] = supervisor.list_jobs(home)
    assert (found.id, status.state) == (job.id, "failed")
    with pytest.raises(JobError, match="cannot be resumed"):
        supervisor.resume(home, job.id)


def test_a_job_file_of_another_job_is_damage(home: Settings) -> None:
    job, other = made(home), made(home)
    write_record(job_folder(home, job.id) / JOB, other)
    status = supervisor.status(home, job.id)
    assert status.state == "failed"
    assert other.id in (status.error or "")


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([JOB, STATUS, PROCESS]), at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_any_byte_may_be_wrong(home: Settings, name: str, at: float, byte: int) -> None:
    job = made(home)
    path = job_folder(home, job.id) / name
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] = byte
    path.write_bytes(bytes(content))
    assert job.id in [found.id for found, _ in supervisor.list_jobs(home)]


def test_a_damaged_status_can_be_resumed(jobs: Settings) -> None:
    job = begin(jobs, "count", n=2)
    wait_end(jobs, job.id)
    damage(jobs, job, STATUS, b"{")
    assert supervisor.status(jobs, job.id).state == "failed"
    again(jobs, job.id)
    assert wait_end(jobs, job.id).state == "done"


def test_a_damaged_status_is_not_resumed_while_its_process_works(jobs: Settings) -> None:
    job = begin(jobs, "hang")
    wait(jobs, job.id, lambda status: status.message == "hanging")
    damage(jobs, job, STATUS, b"{")
    with pytest.raises(JobError, match="still has a process"):
        again(jobs, job.id)
    supervisor.stop(jobs, job.id)
    assert (job_folder(jobs, job.id) / STOP).exists()
    assert supervisor.kill(jobs, job.id) is True


def test_a_job_never_started_is_dead_after_a_while(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = made(home)
    assert supervisor.status(home, job.id).state == "queued"
    monkeypatch.setattr(reading, "START_SECONDS", 0.0)
    status = supervisor.status(home, job.id)
    assert status.state == "dead"
    assert "never started" in (status.error or "")


def test_the_last_word_counts_even_when_it_is_written_while_reading(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process writes "done" and goes, between the reader's look at the status and its look at the process."""
    job = made(home)
    folder = job_folder(home, job.id)
    me = psutil.Process()
    running = JobStatus(state="running", updated=now(), pid=me.pid, pid_created=me.create_time())
    write_record(folder / STATUS, running)

    def goes(*_: object) -> bool:
        write_record(folder / STATUS, running.model_copy(update={"state": "done"}))
        return False

    monkeypatch.setattr(reading, "is_alive", goes)
    assert supervisor.status(home, job.id).state == "done"


def test_a_process_that_is_gone_is_dead_and_one_that_is_there_is_not(home: Settings) -> None:
    job = made(home)
    folder = job_folder(home, job.id)
    me = psutil.Process()
    running = JobStatus(state="running", updated=now(), pid=os.getpid(), pid_created=me.create_time())
    write_record(folder / STATUS, running)
    assert supervisor.status(home, job.id) == running
    (folder / STOP).touch()
    assert supervisor.status(home, job.id).state == "stopping"
    write_record(folder / STATUS, running.model_copy(update={"pid_created": me.create_time() - 50}))
    status = supervisor.status(home, job.id)
    assert status.state == "dead"
    assert status.finished == running.updated


def test_the_process_is_known_before_its_first_word(home: Settings) -> None:
    job = made(home)
    folder = job_folder(home, job.id)
    gone = Launch(attempt=1, kind="train", started=now(), group=True, pid=os.getpid(), pid_created=1.0)
    write_record(folder / PROCESS, gone)
    assert supervisor.status(home, job.id).state == "dead"
    here = gone.model_copy(update={"pid_created": psutil.Process().create_time()})
    write_record(folder / PROCESS, here)
    assert supervisor.status(home, job.id).state == "queued"

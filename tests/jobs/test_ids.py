"""No string becomes a path outside the jobs folder."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lamsim_core.canonical import new_id
from lamsim_core.errors import NotFoundError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import is_job_id, job_folder
from lamsim_core.jobs.runner import run_job
from lamsim_core.settings import Settings

BY_ID: list[Callable[[Settings, str], Any]] = [
    supervisor.get_job,
    supervisor.status,
    supervisor.stop,
    supervisor.kill,
    supervisor.resume,
    supervisor.log_tail,
    supervisor.metrics,
    run_job,
]

NEARLY = st.one_of(
    st.text(),
    st.from_regex(r"job_[0-9a-z]{25,27}\n?", fullmatch=True),
    st.from_regex(r"(\.\./|/|\\|job_|[0-9a-z\x00.]){1,40}", fullmatch=True),
)


def test_new_ids_are_ids() -> None:
    assert all(is_job_id(new_id("job")) for _ in range(1000))


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=NEARLY)
@example(text="..")
@example(text="")
@example(text="job_" + "0" * 26 + "\n")
@example(text="job_" + "٣" * 26)
@example(text="job_" + "0" * 22 + "/../")
@example(text="../jobs/job_" + "0" * 26)
def test_no_string_escapes(home: Settings, text: str) -> None:
    try:
        folder = job_folder(home, text)
    except NotFoundError:
        for call in BY_ID:
            with pytest.raises(NotFoundError):
                call(home, text)
    else:
        assert folder.resolve().parent == home.jobs.resolve()
        assert folder.name == text


@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@example(request="../../escape")
@example(request="x\x00y")
def test_no_request_escapes(home: Settings, request: str) -> None:
    job = create_folder(home, new_job("explore", {}, label="x", request_id=request), group=True)
    assert is_job_id(job.id)
    inside = {path.name for path in home.home.iterdir()}
    assert inside == {"jobs"}
    assert not [path for path in home.home.parent.iterdir() if path != home.home]
    assert {path.name for path in home.jobs.iterdir() if not is_job_id(path.name)} == {"requests"}

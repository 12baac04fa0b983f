"""Commands about jobs: list, show, stop, resume; and the hidden one that runs a job in this process."""

from typing import Annotated

import typer

from lamsim_core.jobs.job import Job, JobStatus
from lamsim_core.settings import get_settings
from lamsim_core.shell.output import Report, Table, command, reporting

Id = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    group = typer.Typer(help="List, show, stop and resume jobs.")
    app.add_typer(group, name="jobs")
    group.callback(invoke_without_command=True)(_list_by_default)
    command(group, "list")(list_all)
    command(group, "show")(show)
    command(group, "stop")(stop)
    command(group, "resume")(resume)
    command(app, "run-job", hidden=True)(run_job)


def _list_by_default(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As for list.")] = False
) -> None:
    """List, show, stop and resume jobs. Without a command: list them."""
    if context.invoked_subcommand is None:
        reporting(list_all)(as_json=as_json)
    elif as_json:
        raise typer.BadParameter("put --json after the command.")


def list_all() -> Report:
    """List the jobs, the newest first."""
    from lamsim_core.jobs import supervisor

    found = supervisor.list_jobs(get_settings())
    rows = [(job.id, job.kind, status.state, f"{status.done} of {status.total}", job.label) for job, status in found]
    return Report(
        {"jobs": [_summary(job, status) for job, status in found]},
        [Table(("id", "kind", "state", "done", "label"), rows) if rows else "There are no jobs yet."],
    )


def show(job: Id, lines: Annotated[int, typer.Option("--lines", min=0, help="Lines of the log's end.")] = 20) -> Report:
    """Show one job: state, progress, result, and the end of its log."""
    from lamsim_core.jobs import supervisor

    settings = get_settings()
    found, status = supervisor.get_job(settings, job), supervisor.status(settings, job)
    log = supervisor.log_tail(settings, job, lines)
    facts = {
        "id": found.id,
        "kind": found.kind,
        "label": found.label,
        "created": found.created,
        "state": status.state,
        "done": f"{status.done} of {status.total}",
        "message": status.message,
        "error": status.error,
        "seconds left": status.eta_seconds,
        **{f"result: {key}": value for key, value in status.result.items()},
    }
    return Report(
        {**_summary(found, status), "params": found.params, "log": log},
        [Table(("what", "value"), [(key, value) for key, value in facts.items() if value not in (None, "")]), log],
    )


def stop(job: Id) -> Report:
    """Ask a job to save and stop."""
    from lamsim_core.jobs import supervisor

    settings = get_settings()
    supervisor.stop(settings, job)
    state = supervisor.status(settings, job).state
    return Report({"job": job, "state": state}, [f"{job} is {state}."])


def resume(job: Id) -> Report:
    """Go on with a job that stopped, failed or died, in the background."""
    from lamsim_core.jobs import supervisor

    settings = get_settings()
    supervisor.resume(settings, job)
    return Report(
        {"job": job, "state": supervisor.status(settings, job).state},
        [f"{job} goes on in the background. To see how far it is: python -m lamsim_core jobs show {job}"],
    )


def run_job(job: Id) -> Report:
    """Run a job that was started or resumed, in this process."""
    from lamsim_core.jobs import runner

    code = runner.run_job(get_settings(), job)
    return Report({"job": job, "exit_code": code}, [], code)


def _summary(job: Job, status: JobStatus) -> dict[str, object]:
    return {
        "job": job.id,
        "kind": job.kind,
        "label": job.label,
        "created": job.created,
        "status": status.model_dump(mode="json"),
    }

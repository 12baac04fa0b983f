"""The command that does stored attempts again and holds them against their record."""

from collections.abc import Iterator
from typing import Annotated

import typer

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.records import Trajectory
from lamsim_core.settings import get_settings
from lamsim_core.shell.foreground import progress_bar
from lamsim_core.shell.output import FAILED, Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "replay")(replay)


def replay(
    trajectory: Annotated[
        list[str] | None, typer.Argument(metavar="[TRAJECTORY]...", help="Ids of stored attempts.")
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="Every attempt of this run; may be given again.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every stored attempt.")] = False,
) -> Report:
    """Do stored attempts again in fresh worlds and compare every state, result and change with the record."""
    from lamsim_core.explore.replay import replay_all
    from lamsim_core.store import Store
    from lamsim_core.store.filters import TrajectoryFilter
    from lamsim_core.store.queries import find_trajectories, get_trajectory

    if everything == bool(trajectory or run):
        raise InvalidInputError("Say what to replay: ids of attempts, --run RUN, or --all.")
    with Store(get_settings()) as store:
        store.index.sync()
        ids = list(trajectory or ())
        if run or everything:
            rows = find_trajectories(
                store.index, TrajectoryFilter(runs=tuple(run or ())), limit=None, newest_first=False
            )
            ids += [row.id for row in rows]
            for name in run or ():
                if not any(row.run == name for row in rows):
                    raise NotFoundError("run", name)

        def each() -> Iterator[Trajectory]:
            for number, wanted in enumerate(ids):
                update(number, len(ids), wanted)
                yield get_trajectory(store.index, wanted)

        with progress_bar("Replaying") as update:
            count = replay_all(each())
    sentence = f"{count.replayed} replayed: {count.identical} identical, {count.different} different" + (
        f", {count.not_built} that cannot be built any more." if count.not_built else "."
    )
    table = Table(("attempt", "what is wrong"), [(found.trajectory, found.sentence) for found in count.wrong])
    return Report(
        {"ok": not count.wrong, **count.model_dump(mode="json")},
        [*([table] if count.wrong else []), sentence],
        FAILED if count.wrong else 0,
    )

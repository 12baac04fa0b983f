"""The command that does stored attempts again and holds them, and forks of them, against their record."""

from collections.abc import Iterator
from functools import partial
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
    forks: Annotated[
        int, typer.Option(min=0, help="Fork so many of their steps too, drawn at random, and replay the forks.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Another one draws other steps.")] = 0,
) -> Report:
    """Do stored attempts again in fresh worlds and compare every state, result and change with the record."""
    from lamsim_core.explore.fork_check import check_forks, choose_steps
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

        lengths: list[tuple[str, int]] = []

        def each() -> Iterator[Trajectory]:
            for number, wanted in enumerate(ids):
                update(number, len(ids), wanted)
                trajectory = get_trajectory(store.index, wanted)
                lengths.append((wanted, len(trajectory.steps)))
                yield trajectory

        with progress_bar("Replaying") as update:
            count = replay_all(each())
        broken = {found.trajectory for found in count.wrong}
        chosen = choose_steps([pair for pair in lengths if pair[0] not in broken], forks, seed)
        with progress_bar("Forking") as ahead:
            forked = check_forks(
                chosen, partial(get_trajectory, store.index), lambda done: ahead(done, len(chosen), "")
            )
    sentence = f"{count.replayed} replayed: {count.identical} identical, {count.different} different" + (
        f", {count.not_built} that cannot be built any more." if count.not_built else "."
    )
    wrong = [(found.trajectory, found.sentence) for found in count.wrong]
    wrong += [(f"{found.trajectory}, forked at step {found.step + 1}", found.problem or "") for found in forked.wrong]
    said = [sentence]
    if forks:
        said.append(f"{forked.forks} steps forked: {forked.equal} equal a fresh replay, {len(forked.wrong)} do not.")
    return Report(
        {"ok": not wrong, **count.model_dump(mode="json"), "forked": forked.model_dump(mode="json")},
        [*([Table(("attempt", "what is wrong"), wrong)] if wrong else []), *said],
        FAILED if wrong else 0,
    )

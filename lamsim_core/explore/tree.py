"""Tree search: depth first, going back to an earlier turn when a path fails, until one passes.

After DFSDT of ToolLLM (Qin et al. 2023, arXiv:2307.16789), with programs in the place of its judge.
A path is an attempt. It ends as one does, or is left when one of its actions fails a gate, when its first reply was
tried at the same place before, or when the search has no nodes left. Then another reply is tried at the last turn of the
path that has tries left: the new path is a fork of the path that first came there. Where the search stands follows from
its stored paths alone, so one that was broken off goes on with the next path.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lamsim_core.agent.policy import Policy
from lamsim_core.canonical import derive_seed
from lamsim_core.explore.episode import Ended, Episode, Event, Start, attempt_seed, run_attempt
from lamsim_core.explore.manner import Limits, Manner
from lamsim_core.feedback.reward import action_reward
from lamsim_core.records import Ending, Parent, Search, Step, Task, Trajectory

Place = tuple[int, ...]
"""Where a reply is: which try it is at each turn."""

FINAL: tuple[Ending, ...] = ("token_budget", "time_limit", "stopped", "failed")
"""Endings of a path that end the search."""


@dataclass
class Tree:
    """What the paths of one search have tried.

    Args:
        width: replies tried at one node.
        nodes: replies tried in all.
        limits: of the whole search, but for the turns, which are those of a path.
    """

    width: int
    nodes: int
    limits: Limits
    paths: list[tuple[Place, Trajectory]] = field(default_factory=list)
    """Each path with its whole place, down to its last turn; in the order they were tried."""
    _tried: dict[Place, int] = field(default_factory=dict)
    _replies: dict[Place, set[str]] = field(default_factory=dict)

    def add(self, path: Trajectory) -> None:
        """Take in a finished path."""
        left = path.search.place if path.search is not None and path.search.place else (0,)
        replies = [step.reply for step in path.steps if step.reply is not None]
        whole = (left + (0,) * len(replies))[: len(replies)]
        for turn in range(len(left) - 1, len(replies)):
            node = whole[:turn]
            self._tried[node] = max(self._tried.get(node, 0), whole[turn] + 1)
            self._replies.setdefault(node, set()).add(replies[turn])
        self.paths.append((whole, path))

    @property
    def used(self) -> int:
        """Replies tried."""
        return sum(self._tried.values())

    @property
    def tokens(self) -> int:
        """Tokens written."""
        return sum(cost.completion_tokens for _, path in self.paths for step in path.steps for cost in step.costs)

    @property
    def seconds(self) -> float:
        """Time spent."""
        return sum(path.seconds for _, path in self.paths)

    def replies_at(self, node: Place) -> frozenset[str]:
        """The replies tried at a node."""
        return frozenset(self._replies.get(node, ()))

    def next_place(self) -> Place | None:
        """Where the next path leaves those there are; None when the search is over."""
        if not self.paths:
            return (0,)
        whole, last = self.paths[-1]
        over = (
            last.ended in FINAL
            or any(path.passed for _, path in self.paths)
            or self.used >= self.nodes
            or (self.limits.tokens is not None and self.tokens >= self.limits.tokens)
            or (self.limits.seconds is not None and self.seconds >= self.limits.seconds)
        )
        if over:
            return None
        # Depth first: what lies beside the last path further left is used up, so only its own turns can be open.
        nodes = (whole[:turn] for turn in range(len(whole) - 1, -1, -1))
        return next(((*node, self._tried[node]) for node in nodes if self._tried[node] < self.width), None)

    def start(self, place: Place, task: Task, attempt: int) -> Start | None:
        """How the path at a place starts; None for the first, which starts at the beginning."""
        if len(self.paths) == 0:
            return None
        turn = len(place) - 1
        origin = next(path for whole, path in self.paths if whole[:turn] == place[:turn])
        taken = tuple(step for step in origin.steps if step.turn < turn)
        parent = Parent(trajectory=origin.id, step=len(taken))
        return Start(parent, taken, derive_seed(attempt_seed(task, attempt), *place))


class Path(Manner):
    """One path of a search."""

    def __init__(self, tree: Tree, place: Place) -> None:
        self._place = place
        self._before = tree.replies_at(place[:-1])
        self._left = tree.nodes - tree.used
        self._search = Search(mode="tree", numbers={"width": tree.width, "nodes": tree.nodes}, oracle=True, place=place)

    def after(self, episode: Episode, ended: Ending | None) -> Ending | None:
        """Leave a path that an action failed on, that begins as another one, or that used up the nodes."""
        if ended is not None:
            return ended
        turn: Sequence[Step] = episode.turn_steps
        own = len(episode.turns) - (len(self._place) - 1)
        failed = any(action_reward(step) == 0.0 for step in turn)
        repeated = own == 1 and turn[0].reply in self._before
        return "abandoned" if failed or repeated or own >= self._left else None

    def record(self, episode: Episode) -> Search:
        """A path of a tree, at its place. The judgement of the end says when the search is over."""
        return self._search


def search_tree(
    task: Task,
    policy: Policy,
    *,
    run: str,
    attempt: int,
    limits: Limits,
    width: int,
    nodes: int,
    should_stop: Callable[[], bool] = lambda: False,
    known: Sequence[Trajectory] = (),
) -> Iterator[Event]:
    """Search for a path that passes; events as of ``run_attempt``, with one ``Ended`` for every path.

    Args:
        task: the task.
        policy: whose replies are tried.
        run: the run the paths belong to.
        attempt: which search at this task.
        limits: turns of a path; tokens and seconds of the whole search.
        width: replies tried at one node, at most.
        nodes: replies tried in all, at most.
        should_stop: asked while it runs.
        known: the paths that this search has found already, in their order.

    Raises:
        DivergenceError: a path cannot be taken over, for the world or the tools have changed.
    """
    tree = Tree(width, nodes, limits)
    for path in known:
        tree.add(path)
    while (place := tree.next_place()) is not None:
        events = run_attempt(
            task,
            policy,
            run=run,
            attempt=attempt,
            max_steps=limits.steps,
            max_tokens=None if limits.tokens is None else limits.tokens - tree.tokens,
            max_seconds=None if limits.seconds is None else limits.seconds - tree.seconds,
            should_stop=should_stop,
            start=tree.start(place, task, attempt),
            manner=Path(tree, place),
        )
        for event in events:
            if isinstance(event, Ended):
                tree.add(event.trajectory)
            yield event


def search_over(known: Sequence[Trajectory], limits: Limits, width: int, nodes: int) -> bool:
    """Whether a search that has found these paths is over."""
    tree = Tree(width, nodes, limits)
    for path in known:
        tree.add(path)
    return tree.next_place() is None

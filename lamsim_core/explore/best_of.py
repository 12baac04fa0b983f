"""Best of several: at every turn a few replies are drawn, each is tried on a copy of the world, and the best is taken."""

from collections.abc import Callable, Iterator, Sequence

from lamsim_core.agent.policy import Policy
from lamsim_core.canonical import derive_seed
from lamsim_core.explore.episode import Episode
from lamsim_core.explore.manner import Chosen, Manner
from lamsim_core.feedback.reward import action_reward
from lamsim_core.models.backend import Completion
from lamsim_core.records import Search, Step


def worth(steps: Sequence[Step]) -> tuple[float, int]:
    """How good a reply is, by its actions: more is better.

    Returns:
        The least reward among them (one that is not scored counts as a half); then, negative, how many diagnostics failed.
    """
    rewards = [action_reward(step) for step in steps]
    failed = sum(not v.gate and v.outcome == "fail" for step in steps for v in step.verdicts)
    return min(0.5 if reward is None else reward for reward in rewards), -failed


class BestOf(Manner):
    """Several candidates a turn, of which the best is taken; the others stay in the record.

    The first candidate is the reply of the plain manner; each other one has a seed of its own, from that and its number.

    Args:
        candidates: replies drawn at every turn.
    """

    def __init__(self, candidates: int) -> None:
        self._candidates = candidates

    def reply(
        self, episode: Episode, policy: Policy, seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Chosen]:
        """Draw, try and choose. Only the text of the chosen reply comes out, whole."""
        tried: list[tuple[Chosen, tuple[Step, ...]]] = []
        written = 0
        for number in range(self._candidates):
            if tried and episode.exceeded(written) is not None:
                break
            own = derive_seed(seed, number) if number else seed
            completion = _last(policy.reply(episode.task, episode.steps, own, should_stop))
            if completion is None:
                return
            if completion.finish == "stopped":
                yield Chosen(completion, own)
                return
            written += completion.usage.completion_tokens
            trial = episode.copy()
            tried.append((Chosen(completion, own), tuple(trial.act(completion, own))))
        best = max(range(len(tried)), key=lambda place: worth(tried[place][1]))  # of equals, the first
        taken = tried[best][0]
        yield taken.completion.text
        others = tuple(steps for place, (_, steps) in enumerate(tried) if place != best)
        yield Chosen(taken.completion, taken.seed, others)

    def record(self, episode: Episode) -> Search:
        """Best of so many. Diagnosis, which knows the reference, decides between replies of equal reward."""
        return Search(mode="best_of", numbers={"candidates": self._candidates}, oracle=True)


def _last(pieces: Iterator[str | Completion]) -> Completion | None:
    return next((piece for piece in pieces if isinstance(piece, Completion)), None)

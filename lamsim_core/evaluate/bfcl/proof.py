"""The self-test: our rules against the official ones, and the references of all conversations against ours."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from lamsim_core.errors import ModelError
from lamsim_core.evaluate.bfcl.categories import MULTI_TURN, SINGLE_TURN, answered
from lamsim_core.evaluate.bfcl.environments import Environment
from lamsim_core.evaluate.bfcl.items import Conversation, Item, load_items
from lamsim_core.evaluate.bfcl.perturb import Answer, right_answer, variants
from lamsim_core.evaluate.bfcl.rules import check_calls
from lamsim_core.evaluate.bfcl.turns import GoldCall, Match, read_gold
from lamsim_core.records import Record

OnProgress = Callable[[int, int, str], None]
_EXAMPLES = 10


class RulesProof(Record):
    """How our rules for calls compare with the official checker."""

    tasks: int
    right: int
    """Tasks whose right answer passes by both; for the others the official rules accept no answer of that form."""
    answers: int
    """Answers compared: right ones and variants."""
    passed: int
    """Of these, by the official checker."""
    agreed: int
    """Same verdict and, when it is a fault, the same kind."""
    broke: int
    """The official checker broke down with an exception; by ours the answer has to be wrong."""
    disagreed: int
    examples: tuple[str, ...]
    """Some of those that disagreed."""
    faults: dict[str, int]
    """How often the official checker found each kind."""

    @property
    def ok(self) -> bool:
        """Whether nothing disagreed."""
        return self.answers > 0 and self.disagreed == 0


class TurnsProof(Record):
    """What becomes of the references of conversations."""

    tasks: int
    gold_passed: int
    """References that pass: all have to."""
    nothing_passed: int
    """Tasks passed by doing nothing: none may be."""
    dropped: int
    """References with one call left out."""
    caught: int
    """Of these, found wrong."""
    spared: int
    """Not found wrong because the call changes nothing and its result was seen in another turn or by another call."""
    missed: int
    """Not found wrong for no such reason: none may be."""
    examples: tuple[str, ...]
    """Some of those missed."""

    @property
    def ok(self) -> bool:
        """Whether everything is as it has to be."""
        return self.gold_passed == self.tasks > 0 and self.nothing_passed == self.missed == 0


def prove_rules(pack: Path, *, every: int = 1, on_progress: OnProgress = lambda *_: None) -> RulesProof:
    """Compare our rules with the official checker on right answers and variants.

    Args:
        pack: from ``ensure_pack``.
        every: take one task of so many.
        on_progress: told how far it is.

    Raises:
        ModelError: the official checker could not be run.
    """
    items = [item for category in SINGLE_TURN if answered(category) for item in load_items(pack, category)[::every]]
    on_progress(0, len(items), "asking the official checker")
    answers = [_answers(item) for item in items]
    official = _ask_official(pack, items, answers)
    count: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    examples: list[str] = []
    for number, (item, tried, said) in enumerate(zip(items, answers, official, strict=True), 1):
        for place, ((what, answer), theirs) in enumerate(zip(tried, said, strict=True)):
            fault = check_calls(item.category, item.functions, answer, item.accepted)
            ours = None if fault is None else fault.kind
            broke = theirs is not None and theirs.startswith("raised:")
            agreed = ours is not None if broke else ours == theirs
            count["right"] += place == 0 and ours is None and theirs is None
            count["passed"] += theirs is None
            count["broke"] += broke
            count["agreed"] += agreed and not broke
            if theirs is not None:
                faults[theirs] += 1
            if not agreed:
                count["disagreed"] += 1
                examples.append(f"{item.id}, {what}: official {theirs}, ours {ours}: {json.dumps(answer)[:300]}")
        on_progress(number, len(items), item.category)
    return RulesProof(
        tasks=len(items),
        right=count["right"],
        answers=sum(map(len, answers)),
        passed=count["passed"],
        agreed=count["agreed"],
        broke=count["broke"],
        disagreed=count["disagreed"],
        examples=tuple(examples[:_EXAMPLES]),
        faults=dict(faults.most_common()),
    )


def _answers(item: Item) -> list[tuple[str, Answer]]:
    return [("the right answer", right_answer(item)), *variants(item, random.Random(item.id))]


def _ask_official(
    pack: Path, items: Sequence[Item], answers: Sequence[list[tuple[str, Answer]]]
) -> list[list[str | None]]:
    tasks = "".join(
        json.dumps(
            {
                "category": item.category,
                "functions": item.functions,
                "accepted": item.accepted,
                "answers": [answer for _, answer in tried],
            }
        )
        + "\n"
        for item, tried in zip(items, answers, strict=True)
    )
    command = [sys.executable, "-I", str(Path(__file__).with_name("official.py")), str(pack)]
    done = subprocess.run(command, input=tasks, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise ModelError(f"The official checker could not be run: {done.stderr[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def prove_turns(
    pack: Path, *, every: int = 1, drops: int | None = None, on_progress: OnProgress = lambda *_: None
) -> TurnsProof:
    """Replay the references of conversations: whole, not at all, and with a call left out.

    Args:
        pack: from ``ensure_pack``.
        every: take one task of so many.
        drops: calls left out per task, each in its turn alone; None for every one.
        on_progress: told how far it is.
    """
    items = [item for category in MULTI_TURN for item in load_items(pack, category)[::every]]
    count: Counter[str] = Counter()
    missed: list[str] = []
    for number, item in enumerate(items, 1):
        gold = [[read_gold(text) for text in turn] for turn in _conversation(item).gold]
        count["gold"] += _replayed(pack, item, gold)
        count["nothing"] += _replayed(pack, item, [[] for _ in gold])
        places = [(turn, place) for turn, calls in enumerate(gold) for place in range(len(calls))]
        if drops is not None:
            places = random.Random(item.id).sample(places, min(drops, len(places)))
        for turn, place in places:
            count["dropped"] += 1
            rest = [calls if at != turn else calls[:place] + calls[place + 1 :] for at, calls in enumerate(gold)]
            if not _replayed(pack, item, rest):
                count["caught"] += 1
            elif _changes_nothing(pack, item, gold, turn, place):
                count["spared"] += 1
            else:
                missed.append(f"{item.id}, turn {turn + 1}, call {place + 1}")
        on_progress(number, len(items), item.category)
    return TurnsProof(
        tasks=len(items),
        gold_passed=count["gold"],
        nothing_passed=count["nothing"],
        dropped=count["dropped"],
        caught=count["caught"],
        spared=count["spared"],
        missed=len(missed),
        examples=tuple(missed[:_EXAMPLES]),
    )


def _conversation(item: Item) -> Conversation:
    assert item.conversation is not None, f"{item.id} is no conversation"
    return item.conversation


def _replayed(pack: Path, item: Item, turns: Sequence[Sequence[GoldCall]]) -> bool:
    """Whether these calls pass."""
    match = Match(pack, _conversation(item))
    for calls in turns:
        for call in calls:
            match.replay(call)
        if match.end_turn() is not None:
            return False
    return True


def _changes_nothing(pack: Path, item: Item, gold: Sequence[Sequence[GoldCall]], turn: int, place: int) -> bool:
    """Whether the state right after a call of the reference is the same without it."""
    *before, left_out = [call for calls in gold[:turn] for call in calls] + list(gold[turn][: place + 1])
    with_it, without = Environment(pack, _conversation(item)), Environment(pack, _conversation(item))
    for call in before:
        with_it.call(call.name, call.arguments, call.positional)
        without.call(call.name, call.arguments, call.positional)
    with_it.call(left_out.name, left_out.arguments, left_out.positional)
    return with_it.state() == without.state()

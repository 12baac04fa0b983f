"""Every shipped template, discovered: fair on many seeds, solved by the reference, the same everywhere."""

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from lamsim_core.agent.policy import GoldPolicy, NoopPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Task, Trajectory
from lamsim_core.settings import get_settings
from lamsim_core.tasks import Template, get_template, instantiate, load_templates, verify_template
from lamsim_core.tasks.difficulty import LEVELS, difficulty
from lamsim_core.tools import categories

TEMPLATES = list(load_templates().values())
SEEDS = (*range(4), *range(100_000, 100_004))
"""For training and held out; ``make verify`` tries 20."""


@cache
def instance(template: str, seed: int) -> Task:
    """An instance, drawn once for all who look at it."""
    return instantiate(get_template(template), seed)


def attempt(template: Template, seed: int, policy: object) -> Trajectory:
    events = list(run_attempt(instance(template.id, seed), policy, run="contract"))  # type: ignore[arg-type]
    assert isinstance(events[-1], Ended)
    return events[-1].trajectory


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_template_is_fair(template: Template) -> None:
    report = verify_template(template, SEEDS)
    assert report.problems == ()
    assert report.distinct == len(SEEDS)
    for probe, count in report.probes.items():
        assert count.held == count.tried, probe
    assert report.probes["gold"].tried == report.probes["noop"].tried == len(SEEDS)
    assert report.probes["collateral"].tried > 0
    assert (report.probes["other_answer"].tried > 0) == (template.expect.answer is not None or not template.solve)
    assert report.probes["dropped"].tried > 0 or not template.solve


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_policies_through_the_whole_stream(template: Template) -> None:
    for seed in (0, 100_001):
        gold = attempt(template, seed, GoldPolicy())
        assert gold.passed is True and gold.reward == 1.0 and gold.ended == "answered"
        assert not any(step.failed for step in gold.steps), "a refusal that is part of the task is not held against it"
        refused = [s.index for s in gold.steps if s.observation is not None and s.observation.fault == "refused"]
        assert refused == [place for place, call in enumerate(gold.task.gold) if call.fails]
        turns = 1 + sum(not call.together for call in gold.task.gold)
        assert len({step.turn for step in gold.steps}) == turns
        assert attempt(template, seed, NoopPolicy()).passed is False


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_template_reads_well(template: Template) -> None:
    assert len(set(template.say)) >= 4, "at least four ways to ask"
    for seed in range(3):
        task = instance(template.id, seed)
        assert "{{" not in task.instruction + task.closing
        assert "None" not in task.instruction
        assert len({tool.name for tool in task.tools}) == len(task.tools) >= 1
        assert {call.name for call in task.gold} <= {tool.name for tool in task.tools}
        assert difficulty(task).level in LEVELS


def test_the_promised_content_is_there() -> None:
    kinds = Counter(kind for template in TEMPLATES for kind in template.kinds)
    for category in categories().values():
        mine = [t for t in TEMPLATES if t.category == category.name]
        assert len(mine) >= 7, category.name
        demanded = {kind for template in mine for kind in template.kinds}
        assert {"lookup", "write", "aggregate", "multi_step", "no_tool", "ask"} <= demanded, category.name
    assert min(kinds.values()) >= 16, kinds
    assert {1, 2, 3, 4, 5} <= {len(t.solve) for t in TEMPLATES if t.solve}
    assert len(TEMPLATES) >= 160
    assert sum(len(template.say) for template in TEMPLATES) >= 640


def test_instances_are_the_same_in_every_process(tmp_path: Path) -> None:
    code = (
        "from lamsim_core.tasks import plan_tasks\n"
        "print([t.key for t in plan_tasks('train', 60)], [t.key for t in plan_tasks('unseen_tools', 10)])"
    )
    root = Path(__file__).resolve().parents[2]
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={
                "PYTHONHASHSEED": hash_seed,
                "PYTHONPATH": str(root),
                "PATH": "/usr/bin:/bin",
                "LAMSIM_CACHE": str(get_settings().cache),
                "HOME": str(tmp_path),
            },
        ).stdout
        for hash_seed in ("0", "77")
    }
    assert len(results) == 1

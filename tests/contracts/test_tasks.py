"""Every shipped template, discovered: fair on many seeds, the same everywhere, and where it belongs."""

import subprocess
import sys
from pathlib import Path

import pytest

from lamsim_core.agent.policy import GoldPolicy, NoopPolicy, RandomPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Trajectory
from lamsim_core.tasks import SPLITS, Template, instantiate, load_templates, plan_tasks, templates_of, verify_template
from lamsim_core.tasks.splits import seed_range, split_of
from lamsim_core.tools import categories
from lamsim_core.tools.held_out import held_out_tool

TEMPLATES = list(load_templates().values())


def attempt(template: Template, seed: int, policy: object, number: int = 0) -> Trajectory:
    events = list(run_attempt(instantiate(template, seed), policy, run="contract", attempt=number))  # type: ignore[arg-type]
    assert isinstance(events[-1], Ended)
    return events[-1].trajectory


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_template_is_fair(template: Template) -> None:
    report = verify_template(template, tuple(range(12)))
    assert report.problems == ()
    assert report.distinct == 12
    for probe, count in report.probes.items():
        assert count.held == count.tried, probe
    assert report.probes["gold"].tried == report.probes["noop"].tried == 12
    assert report.probes["collateral"].tried > 0
    assert (report.probes["other_answer"].tried > 0) == (template.expect.answer is not None or not template.solve)
    assert report.probes["dropped"].tried > 0 or not template.solve


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_policies_through_the_whole_stream(template: Template) -> None:
    for seed in range(4):
        gold = attempt(template, seed, GoldPolicy())
        assert gold.passed is True and gold.reward == 1.0 and gold.ended == "answered"
        assert all(v.outcome in ("pass", "abstain") for step in gold.steps for v in step.verdicts)
        assert attempt(template, seed, NoopPolicy()).passed is False


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_random_walks_do_not_get_through(template: Template) -> None:
    passed = sum(
        attempt(template, seed, RandomPolicy(), walk).passed is True for seed in range(5) for walk in range(20)
    )
    assert passed <= 2, f"{passed} of 100 random walks pass"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_dropping_any_reference_call_that_changes_something_fails(template: Template) -> None:
    task = instantiate(template, 7)
    for missing in range(len(task.gold)):
        if not categories()[task.category].tools[task.gold[missing].name].mutates:
            continue
        shorter = task.model_copy(update={"gold": task.gold[:missing] + task.gold[missing + 1 :]})
        events = list(run_attempt(shorter, GoldPolicy(), run="contract"))
        assert isinstance(events[-1], Ended)
        assert events[-1].trajectory.passed is False


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_template_reads_well(template: Template) -> None:
    assert len(set(template.say)) >= 4, "at least four ways to ask"
    for seed in range(3):
        task = instantiate(template, seed)
        assert "{{" not in task.instruction + task.closing
        assert len({tool.name for tool in task.tools}) == len(task.tools) >= 2
        assert {call.name for call in task.gold} <= {tool.name for tool in task.tools}


def test_the_promised_content_is_there() -> None:
    for category in categories().values():
        mine = [t for t in TEMPLATES if t.category == category.name]
        assert len(mine) >= 5
        assert any(t.expect.decline for t in mine)
        assert any(t.expect.answer for t in mine)
        assert any(t.expect.state for t in mine)
    lengths = {len(t.solve) for t in TEMPLATES if not t.expect.decline}
    assert {1, 2, 3, 4} <= lengths


def test_splits_never_mix() -> None:
    train = plan_tasks("train", 200)
    trained_tools = {f"{task.category}.{tool.name}" for task in train for tool in task.tools}
    for task in train:
        assert task.split == "train"
        assert not [name for name in task.tools if held_out_tool(task.category, name.name)]
    unseen = plan_tasks("unseen_instances", 200)
    assert not {task.key for task in train} & {task.key for task in unseen}
    assert not {task.seed for task in train} & {task.seed for task in unseen}
    for task in plan_tasks("unseen_tools", 40):
        needed = {f"{task.category}.{call.name}" for call in task.gold}
        assert needed - trained_tools, "its solution needs a tool never seen in training"
    assert {t.id for t in templates_of("unseen_tools")}.isdisjoint(t.id for t in templates_of("train"))


def test_every_template_belongs_to_one_split_for_a_seed() -> None:
    assert set(seed_range("train")).isdisjoint(seed_range("unseen_instances"))
    for template in TEMPLATES:
        for split in SPLITS:
            assert split_of(template, seed_range(split)[0]) in SPLITS


def test_instances_are_the_same_in_every_process() -> None:
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
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(root)},
        ).stdout
        for hash_seed in ("0", "77")
    }
    assert len(results) == 1

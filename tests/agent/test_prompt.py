"""What a model reads is the same while it acts and when it is trained on what was stored."""

import json
from datetime import datetime

from lamsim_core.agent.policy import GoldPolicy, make_policy
from lamsim_core.agent.prompt import SYSTEM, conversation
from lamsim_core.canonical import canonical_json
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Sampling, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.tasks import instantiate, load_templates
from lamsim_core.train.rows import to_row


def test_a_stored_trajectory_reads_as_it_did_while_it_ran() -> None:
    for template in load_templates().values():
        *_, last = run_attempt(instantiate(template, 2), GoldPolicy(), run="r")
        assert isinstance(last, Ended)
        live = last.trajectory
        stored = Trajectory.model_validate(json.loads(canonical_json(live.model_dump(mode="json"))))
        assert conversation(live.task, live.steps) == conversation(stored.task, stored.steps)
        told = [m.content for m in conversation(live.task, live.steps) if m.role == "tool"]
        row = to_row(stored)
        assert [m["content"] for m in row["messages"] if m["role"] == "tool"] == told
        assert row["messages"][0]["content"].startswith(f"{SYSTEM} It is ")


def test_a_model_is_told_nothing_of_the_reference(home: Settings) -> None:
    for template in load_templates().values():
        task = instantiate(template, 2)
        said = " ".join(message.content for message in conversation(task, ()))
        assert task.closing not in said
        clock = f"{datetime.fromisoformat(task.now):%A, %Y-%m-%d %H:%M}"
        assert said == f"{SYSTEM} It is {clock}. {task.instruction}"
    assert make_policy(home, "noop", Sampling()).info.name == "noop"

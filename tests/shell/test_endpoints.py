"""From the file of endpoints to a passed attempt on a real task, and that the key is nowhere in what was written or said."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from lamsim_core.models import endpoint_client
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.tasks import plan_tasks
from tests.models.endpoint_told import Told
from tests.shell.conftest import Shell

KEY = "sk-never-to-be-seen-0123456789"
KIND = "calendar.move"
ATTEMPT = ("--model", "mine", "--tasks", "1", "--template", KIND, "--json")


@pytest.fixture
def keyed(home: Settings, server: Told, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write the file of endpoints, with lines of one's own."""
    monkeypatch.setenv("MINE_KEY", KEY)
    monkeypatch.setattr(endpoint_client, "_JITTERED", lambda state: 0.01)

    def write(*more: str) -> None:
        home.home.mkdir(parents=True, exist_ok=True)
        lines = ["- name: mine", f"  base_url: {server.base_url}", "  model: m", "  key_env: MINE_KEY"]
        home.endpoints_file.write_text("\n".join([*lines, *(f"  {line}" for line in more)]), encoding="utf-8")

    write()
    return write


def written(home: Settings) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(home.home.rglob("*")) if path.is_file())


def gold_replies(native: bool) -> list[list[dict[str, Any]]]:
    """What a model says that knows the solution: a server's own calls, or the product's form as plain text."""
    [task] = plan_tasks("train", 1, categories=(), templates=(KIND,), seed=0)
    replies: list[list[dict[str, Any]]] = []
    for number, call in enumerate(task.gold):
        arguments = json.dumps(call.arguments)
        half = len(arguments) // 2
        if native:
            head = {"index": 0, "id": f"c{number}", "type": "function"}
            first = {**head, "function": {"name": call.name, "arguments": arguments[:half]}}
            deltas: list[dict[str, Any]] = [
                {"tool_calls": [first]},
                {"tool_calls": [{"index": 0, "function": {"arguments": arguments[half:]}}]},
            ]
        else:
            body = json.dumps({"name": call.name, "arguments": call.arguments})
            deltas = [{"content": "<tool_call>\n"}, {"content": body}, {"content": "\n</tool_call>"}]
        usage = {"prompt_tokens": 100 + number, "completion_tokens": 20}
        replies.append([*({"delta": delta} for delta in deltas), {"finish": "stop"}, {"usage": usage}])
    return [*replies, [{"delta": {"content": task.closing}}, {"finish": "stop"}]]


@pytest.mark.parametrize("tools", ["native", "refused"])
def test_an_endpoint_passes_a_real_task(
    shell: Shell,
    home: Settings,
    server: Told,
    keyed: Callable[..., None],
    tools: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    replies = gold_replies(tools == "native")
    server.plan(*replies, tools=tools, key=KEY)
    outcome = shell("explore", *ATTEMPT)
    assert outcome.code == 0 and (outcome.json["passed"], outcome.json["finished"]) == (1, 1)
    store = Store(home)
    [trajectory] = store.read_run(outcome.json["run"])
    store.close()
    assert trajectory.passed is True and trajectory.policy.name == "mine" and trajectory.policy.kind == "model"
    assert trajectory.policy.model_hash == server.endpoint().model_hash
    assert all("<tool_call>" in str(step.reply) for step in trajectory.steps if step.call is not None)
    assert [step.usage.prompt_tokens for step in trajectory.steps if step.usage] == list(range(100, 99 + len(replies)))
    requests = server.seen()["requests"]
    assert len(requests) == len(replies)
    assert all(request["headers"]["Authorization"] == f"Bearer {KEY}" for request in requests)
    told = requests[-1]["body"]["messages"]
    assert [m["role"] for m in told[:4]] == ["system", "user", "assistant", "tool" if tools == "native" else "user"]
    assert len(list(home.jobs.glob("*/*"))) > 0 and trajectory.id.encode() in written(home)
    for place in (written(home), outcome.out.encode(), outcome.err.encode(), caplog.text.encode()):
        assert KEY.encode() not in place


def test_the_key_is_in_no_error_although_the_server_repeats_it(
    shell: Shell, home: Settings, server: Told, keyed: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.plan(key="another")
    refused = shell("explore", *ATTEMPT)
    assert refused.code == 1 and "refused the key" in refused.json["error"] and "MINE_KEY" in refused.json["error"]
    keyed("tools: native")
    echo = {"status": 400, "body": json.dumps({"error": {"message": f"I do not like Bearer {KEY}"}})}
    said = [{"delta": {"content": f"Your key is {KEY[:9]}"}}, {"delta": {"content": KEY[9:]}}, {"finish": "stop"}]
    broken = [{"raw": f'data: {{"error": {{"message": "no {KEY}"}}}}\n\n'}]
    outs = [refused]
    for reply, expected in ((echo, "I do not like"), (said, "repeated the key"), (broken, "broke off its reply")):
        server.plan(reply)
        outcome = shell("explore", *ATTEMPT)
        outs.append(outcome)
        store = Store(home)
        [trajectory] = store.read_run(outcome.json["run"])
        store.close()
        assert trajectory.ended == "failed" and expected in str(trajectory.error)
        assert trajectory.error is not None and trajectory.error.encode()[:40] in written(home)
    for place in (written(home), *(o.out.encode() + o.err.encode() for o in outs), caplog.text.encode()):
        assert KEY.encode() not in place


def test_models_shows_whether_the_server_answers(
    shell: Shell, server: Told, keyed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mine() -> dict[str, Any]:
        outcome = shell("models", "--json")
        assert KEY not in outcome.out + outcome.err
        [found] = [model for model in outcome.json["models"] if model["name"] == "mine"]
        assert isinstance(found, dict)
        return found

    server.plan(key=KEY)
    assert mine()["available"] is True and mine()["why_not"] is None
    server.plan(models=["other"])
    assert mine()["available"] is False and "'other'" in mine()["why_not"]
    server.plan(models={"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>"})
    assert "web page" in mine()["why_not"]
    monkeypatch.delenv("MINE_KEY")
    assert "MINE_KEY" in mine()["why_not"]
    keyed("remote: maybe")
    [broken] = [m for m in shell("models", "--json").json["models"] if m["kind"] == "endpoint"]
    assert broken["name"] == "endpoints.yaml" and "endpoints.yaml:5: 0.remote" in broken["why_not"]


def test_evaluate_finds_out_first_whether_the_server_is_there(
    shell: Shell, server: Told, keyed: Callable[..., None]
) -> None:
    server.plan(key="another")
    outcome = shell("evaluate", "--model", "gold", *ATTEMPT)
    assert outcome.code == 1 and "mine is not available" in outcome.json["error"]
    server.plan(*gold_replies(True), key=KEY)
    passed = shell("evaluate", "--model", "gold", "--split", "train", *ATTEMPT)
    rates = {row["policy"]["name"]: row["pass_rate"] for row in passed.json["rows"]}
    assert passed.code == 0 and rates == {"gold": 1.0, "mine": 1.0}

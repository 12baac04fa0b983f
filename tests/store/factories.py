"""Synthetic records: small, valid, different by their number and otherwise the same every time."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from lamsim_core.records import (
    Adapter,
    Dataset,
    ErrorClass,
    Evaluation,
    EvaluationRow,
    ExpectedAnswer,
    GoldCall,
    Mark,
    Observation,
    PolicyInfo,
    Recipe,
    Rejudgement,
    Rescore,
    Review,
    RowChange,
    Sampling,
    Selection,
    Split,
    Step,
    Task,
    ToolCall,
    ToolSchema,
    Trajectory,
    Usage,
    Verdict,
    VerdictChange,
)

CATEGORIES = ("calendar", "banking", "email", "travel")
SPLITS: tuple[Split, ...] = get_args(Split)
ERRORS: tuple[ErrorClass, ...] = ("tool_name", "argument_type", "execution")
_START = datetime(2026, 1, 1, tzinfo=UTC)


def moment(i: int) -> str:
    """The i-th second of 2026."""
    return (_START + timedelta(seconds=i)).isoformat()


def make_schema(name: str = "find_events") -> ToolSchema:
    properties: dict[str, Any] = {"title": {"type": "string", "description": "Part of the title."}}
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": ["title"]}
    return ToolSchema(name=name, description=f"Tool {name}: finds what matches.", parameters=parameters)


def make_task(i: int = 0, **overrides: Any) -> Task:
    """Task number i: 4 categories with 5 templates each; each template's instances differ by seed."""
    category = CATEGORIES[i % 4]
    fields: dict[str, Any] = {
        "template": f"{category}.task_{i // 4 % 5}",
        "category": category,
        "seed": i // 20,
        "split": SPLITS[i // 4 % 4],
        "instruction": f"Please find meeting {i} in my {category}.",
        "tools": (make_schema(), make_schema("delete_event")),
        "gold": (GoldCall(name="find_events", arguments={"title": f"meeting {i}"}),),
        "closing": f"There are {i} of them.",
        "answer": ExpectedAnswer(kind="number", value=i),
        "goal": (),
        "checks": ("final.answer",),
    }
    return Task(**{**fields, **overrides})


def make_step(i: int = 0, index: int = 0, **overrides: Any) -> Step:
    """A call that succeeds, or fails when i is odd and it is the first step."""
    bad = i % 2 == 1 and index == 0
    verdict = Verdict(
        check="tool.name",
        version=1,
        outcome="fail" if bad else "pass",
        gate=True,
        error_class=ERRORS[i % 3] if bad else None,
    )
    content: Any = {"error": "no such tool"} if bad else [{"id": f"evt_{i}", "title": f"meeting {i}"}]
    fields: dict[str, Any] = {
        "index": index,
        "turn": index,
        "reply": f'<tool_call>{{"name": "find_events", "arguments": {{"title": "meeting {i}"}}}}</tool_call>',
        "call": ToolCall(
            id=f"call_{index}",
            name="delete_event" if index % 2 else "find_events",
            arguments={"title": f"meeting {i}"},
            raw=f'{{"name": "find_events", "arguments": {{"title": "meeting {i}"}}}}',
        ),
        "observation": Observation(ok=not bad, content=content, fault="unknown_tool" if bad else None),
        "verdicts": (verdict,),
        "changes": (RowChange(table="events", id=f"evt_{i}", before={"title": "a"}, after=None),) if index % 2 else (),
        "state_before": "0" * 32,
        "state_after": "1" * 32,
        "usage": Usage(
            prompt_tokens=400, cached_tokens=300, completion_tokens=20 + i % 7, prefill_seconds=0.2, decode_seconds=0.5
        ),
        "seed": i,
        "seconds": 0.001,
    }
    return Step(**{**fields, **overrides})


def make_policy(i: int = 0, **overrides: Any) -> PolicyInfo:
    """The base model, the same with an adapter, or gold."""
    fields: dict[str, Any] = {"kind": "model", "name": "smollm2-135m", "sampling": Sampling(temperature=0.7)}
    if i % 3 == 1:
        fields.update(name="smollm2-tools", adapter="adp_1")
    elif i % 3 == 2:
        fields = {"kind": "gold", "name": "gold"}
    return PolicyInfo(**{**fields, **overrides})


def make_trajectory(i: int = 0, **overrides: Any) -> Trajectory:
    """Trajectory number i. Of every five, three passed, one failed, one is not scored; runs hold 1000 each.

    Each number has its own identity; keyword arguments replace whole fields of the record.
    """
    passed = (True, True, False, None, True)[i % 5]
    final = Verdict(
        check="final.answer",
        version=1,
        outcome={True: "pass", False: "fail", None: "error"}[passed],  # type: ignore[arg-type]
        gate=True,
        error_class="answer" if passed is False else None,
    )
    fields: dict[str, Any] = {
        "id": f"trj_{i:026d}",
        "run": f"run_{i // 1000:04d}",
        "created": moment(i),
        "task": make_task(i),
        "attempt": 0,
        "seed": i,
        "policy": make_policy(i),
        "steps": (make_step(i), make_step(i, 1), make_step(i, 2, call=None, observation=None, verdicts=(), changes=())),
        "ended": "step_limit" if i % 11 == 0 else "answered",
        "answer": f"There are {i} of them.",
        "verdicts": (final,),
        "passed": passed,
        "reward": None if passed is None else float(passed),
        "seconds": 1.5,
        "versions": {"lamsim": "0.1.0"},
    }
    return Trajectory(**{**fields, **overrides})


def make_mark(i: int = 0, **overrides: Any) -> Mark:
    """Mark number i, accepting trajectory number i."""
    fields: dict[str, Any] = {
        "id": f"mrk_{i:026d}",
        "trajectory": f"trj_{i:026d}",
        "decision": "accept",
        "tags": ("good",),
        "author": "me",
        "created": moment(i),
    }
    return Mark(**{**fields, **overrides})


def make_dataset(i: int = 0, **overrides: Any) -> Dataset:
    fields: dict[str, Any] = {
        "id": f"dst_{i:026d}",
        "name": f"dataset {i}",
        "created": moment(i),
        "selection": Selection(),
        "members": (f"trj_{i:026d}",),
        "rows": 1,
        "counts": {"category": {"calendar": 1}},
        "hash": "0" * 32,
    }
    return Dataset(**{**fields, **overrides})


def make_adapter(i: int = 0, **overrides: Any) -> Adapter:
    fields: dict[str, Any] = {
        "id": f"adp_{i:026d}",
        "name": f"adapter-{i}",
        "created": moment(i),
        "base": "smollm2-135m",
        "base_hash": "0" * 32,
        "dataset": "dst_1",
        "dataset_hash": "0" * 32,
        "recipe": Recipe(),
        "metrics": {"loss": 0.5},
        "weights_sha256": "0" * 64,
    }
    return Adapter(**{**fields, **overrides})


def make_evaluation(i: int = 0, **overrides: Any) -> Evaluation:
    row = EvaluationRow(
        policy=make_policy(0),
        planned=10,
        finished=10,
        passed=4,
        pass_rate=0.4,
        low=0.17,
        high=0.69,
        actions=0,
        errors={},
        errors_per_100=None,
        by_category={"calendar": (4, 10)},
        mean_seconds=None,
        run="run_0000",
    )
    fields: dict[str, Any] = {
        "id": f"evl_{i:026d}",
        "name": f"evaluation {i}",
        "created": moment(i),
        "split": "unseen_tools",
        "task_keys": ("0" * 32,),
        "attempts": 1,
        "rows": (row,),
        "comparisons": (),
        "seconds": 12.0,
    }
    return Evaluation(**{**fields, **overrides})


def make_review(i: int = 0, **overrides: Any) -> Review:
    """Review number i: of the first action of trajectory number i, in agreement with a pass."""
    fields: dict[str, Any] = {
        "id": f"rev_{i:026d}",
        "trajectory": f"trj_{i:026d}",
        "step": 0,
        "check": "tool.name",
        "version": 1,
        "said": "pass",
        "answer": "holds",
        "blind": True,
        "seconds": 2.5,
        "reviewer": "me",
        "created": moment(i),
    }
    return Review(**{**fields, **overrides})


def make_rejudgement(i: int = 0, **overrides: Any) -> Rejudgement:
    """Rejudgement number i: trajectory number i now fails for its answer."""
    verdict = Verdict(check="final.answer", version=2, outcome="fail", gate=True, error_class="answer", blame="agent")
    fields: dict[str, Any] = {
        "id": f"rej_{i:026d}",
        "trajectory": f"trj_{i:026d}",
        "created": moment(i),
        "cause": "rescore",
        "author": "me",
        "rescore": "rsc_1",
        "checks": "0" * 32,
        "steps": ((), (), ()),
        "tools": ("find_events", "delete_event", None),
        "verdicts": (verdict,),
        "passed": False,
        "reward": 0.0,
    }
    return Rejudgement(**{**fields, **overrides})


def make_rescore(i: int = 0, **overrides: Any) -> Rescore:
    fields: dict[str, Any] = {
        "id": f"rsc_{i:026d}",
        "created": moment(i),
        "finished": moment(i + 1),
        "author": "me",
        "checks": "0" * 32,
        "versions": {"final.answer": 2},
        "runs": (),
        "judged": 10,
        "unjudged": 0,
        "changed": 1,
        "outcomes": {"passed > failed": 1},
        "changes": (VerdictChange(check="final.answer", before="pass", after="fail", count=1, examples=("trj_1",)),),
    }
    return Rescore(**{**fields, **overrides})

"""The exact prompt is the one that was read, token for token, or it is not shown and the reason is said."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lamsim_core.agent.exact import Exact, exact_step
from lamsim_core.agent.policy import ModelPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.models.registry import open_backend
from lamsim_core.models.reply import Reply
from lamsim_core.models.vocabulary import open_vocabulary
from lamsim_core.records import Sampling, Step, Trajectory
from lamsim_core.settings import Settings
from tests.agent.conftest import FORGED
from tests.instances import plain_instance

TASK = plain_instance("calendar.move", "create_event").model_copy(update={"instruction": f"Move it. {FORGED}"})


@pytest.fixture
def read(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Settings, Trajectory, list[list[int]]]]:
    """An attempt of two turns by the tiny model, and the prompts it was really given.

    Its first reply is followed by a call, so that there is a second turn.
    """
    prompts: list[list[int]] = []
    begin = Reply.__init__

    def noted(self: Reply, prompt: list[int], *given: Any, **more: Any) -> None:
        prompts.append(list(prompt))
        begin(self, prompt, *given, **more)

    monkeypatch.setattr(Reply, "__init__", noted)
    backend = open_backend(tiny, "tiny", quantisation="fp32")
    policy = ModelPolicy(backend, Sampling(max_new_tokens=12, temperature=1.0))
    monkeypatch.setattr("lamsim_core.explore.episode.parse_reply", _as_call)
    *_, last = run_attempt(TASK, policy, run="r", max_steps=2)
    backend.close()
    assert isinstance(last, Ended)
    yield tiny, last.trajectory, prompts


def _as_call(text: str, first_index: int = 0) -> Any:
    from lamsim_core.agent.parse import ParsedReply
    from lamsim_core.records import ToolCall

    return ParsedReply("", (ToolCall(id=f"call_{first_index}", name="nothing", arguments={}, raw=text),))


def look(settings: Settings, trajectory: Trajectory, index: int, **policy: Any) -> Exact:
    info = trajectory.policy.model_copy(update=policy)
    return exact_step(settings, trajectory.task, info, trajectory.steps, index)


def test_it_is_token_for_token_what_the_model_was_given(read: tuple[Settings, Trajectory, list[list[int]]]) -> None:
    settings, trajectory, prompts = read
    assert len(trajectory.steps) == 2
    for step, prompt in zip(trajectory.steps, prompts, strict=True):
        exact = look(settings, trajectory, step.index)
        assert exact.why_not is None
        assert list(exact.ids) == prompt
        tokenizer = open_vocabulary(settings, trajectory.policy)._tokenizer
        assert "".join(piece.text for piece in exact.pieces) == tokenizer.decode(prompt)
        assert list(exact.texts) == [
            text if "\ufffd" not in (text := tokenizer.decode([token])) else spelt
            for token, spelt in zip(prompt, tokenizer.convert_ids_to_tokens(prompt), strict=True)
        ]
        assert sum(piece.tokens for piece in exact.pieces) == len(prompt)
        (tools,) = (piece for piece in exact.pieces if piece.kind == "tools")
        assert tools.text.startswith("<tools>\n{") and tools.text.endswith("}\n</tools>")
        assert all(tool.name in tools.text for tool in TASK.tools)
        # Written control tokens are the template's own; those in the request were broken and are ordinary text.
        special = [piece.text for piece in exact.pieces if piece.kind == "special"]
        assert special[0] == special[-1] == "<|im_start|>" and set(special) == {"<|im_start|>", "<|im_end|>"}
        assert any(piece.kind == "text" and "< |im_end|>" in piece.text for piece in exact.pieces)
        assert step.sampled is not None
        assert [token.id for token in exact.written] == list(step.sampled.tokens)
        assert tokenizer.decode([token.id for token in exact.written if not token.special]) == step.reply
        assert all(0 <= token.probability <= 1 for token in exact.written)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"model_hash": "0" * 64}, "another one than was used: its weights"),
        ({"template_hash": "0" * 16}, "The chat template is another one"),
        ({"name": "gone"}, "not in the list of models"),
        ({"adapter": "adp_gone"}, "is not on this machine any more"),
        ({"device": "endpoint"}, "wrote the prompt itself"),
        ({"kind": "scripted"}, "there was no prompt"),
    ],
)
def test_what_is_not_provably_the_same_is_not_shown(
    read: tuple[Settings, Trajectory, list[list[int]]], changed: dict[str, Any], why: str
) -> None:
    settings, trajectory, _ = read
    exact = look(settings, trajectory, 0, **changed)
    assert exact.why_not is not None and why in exact.why_not
    assert not exact.pieces and not exact.ids and not exact.written


Change = Callable[[Step], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda step: {"usage": step.usage.model_copy(update={"prompt_tokens": 3})}, "3 were read then"),
        (lambda step: {"reply": "something else"}, "do not spell the recorded reply"),
        (lambda step: {"usage": None}, "No model wrote this reply here"),
    ],
    ids=["count", "reply", "nobody"],
)
def test_a_record_that_does_not_fit_is_not_explained_away(
    read: tuple[Settings, Trajectory, list[list[int]]], change: Change, why: str
) -> None:
    settings, trajectory, _ = read
    first = trajectory.steps[0]
    steps = (first.model_copy(update=change(first)), *trajectory.steps[1:])
    exact = exact_step(settings, trajectory.task, trajectory.policy, steps, 0)
    assert exact.why_not is not None and why in exact.why_not and not exact.pieces


def test_older_records_show_the_prompt_without_colours(read: tuple[Settings, Trajectory, list[list[int]]]) -> None:
    settings, trajectory, prompts = read
    steps = tuple(step.model_copy(update={"sampled": None}) for step in trajectory.steps)
    exact = exact_step(settings, trajectory.task, trajectory.policy, steps, 1)
    assert list(exact.ids) == prompts[1] and exact.written == ()


def test_a_changed_file_of_the_tokenizer_is_noticed(read: tuple[Settings, Trajectory, list[list[int]]]) -> None:
    settings, trajectory, _ = read
    path = settings.cache / "models" / "tiny" / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b" ")
    exact = look(settings, trajectory, 0)
    assert exact.why_not is not None and "was changed" in exact.why_not


def test_a_part_of_a_character_is_spelt_as_in_the_vocabulary(
    read: tuple[Settings, Trajectory, list[list[int]]],
) -> None:
    settings, trajectory, _ = read
    vocabulary = open_vocabulary(settings, trajectory.policy)
    ids = vocabulary._tokenizer.encode("你", add_special_tokens=False)
    assert len(ids) > 1, "the tiny tokenizer writes it in bytes"
    assert all("\N{REPLACEMENT CHARACTER}" not in text and text for text in vocabulary.texts(ids))

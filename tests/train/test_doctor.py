"""The template doctor: sound templates pass, and every way to break one is found and told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, TrainingError
from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.provision import DEFAULT_MODEL
from lamsim_core.models.registry import get_model
from lamsim_core.records import Recipe
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.train.doctor import CHECKS, examine, examine_model, require_sound
from lamsim_core.train.patient import conversation_row
from lamsim_core.train.preflight import preflight
from tests.models.test_registry import make_adapter, place
from tests.train.making import freeze_rows, train_params

CALLS = """            {%- for tool_call in message.tool_calls %}
                {%- if tool_call.function is defined %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '\\n<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {{- tool_call.arguments | tojson }}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
"""
RESULT = """        {{- message.content }}
        {{- '\\n</tool_response>' }}
"""
OWN = "{{- '<|im_start|>system\\n' }}"
SAID = "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
TOLD = "        {{- message.content }}\n"
END = "        {%- endif %}\n        {%- endgeneration %}"
MARKED = "{%- generation %}{{- message.content }}{%- endgeneration %}"
NOTHING = "{%- if false %}{%- generation %}{%- endgeneration %}{%- endif %}"
BROKEN: dict[str, tuple[str, dict[str, str]]] = {
    "drops tools": ("tools", {"{%- if tools %}": "{%- if false %}"}),
    "drops descriptions": ("tools", {"{{- tool | tojson }}": "{{- tool.function.name }}"}),
    "drops calls": ("calls", {CALLS: ""}),
    "writes calls in a form of its own": ("calls_read_back", {'{"name": "\' }}': '{"function": "\' }}'}),
    "drops results": ("results", {RESULT: "        {{- '\\n</tool_response>' }}\n"}),
    "drops all results but the last": (
        "results",
        {TOLD: "{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- message.content }}{%- endif %}\n"},
    ),
    "drops what users say later": (
        "feedback",
        {'(message.role == "user")': '(message.role == "user" and loop.index0 < 3)'},
    ),
    "drops the system text": ("system_text", {"{{- messages[0]['content'] }}": ""}),
    "adds a system text of its own": ("foreign_text", {OWN: OWN + "{{- 'You are HAL, made by Acme.\\n' }}"}),
    "writes the date": ("same_every_day", {OWN: OWN + "{{- strftime_now('%Y') }}"}),
    "marks no turns": ("turns", {"{%- generation %}": "", "{%- endgeneration %}": NOTHING}),
    "asks otherwise than it trains": ("prompt", {"{{- '<|im_start|>assistant' }}": "{{- '<|im_start|>assistant!' }}"}),
    "trains what others say": (
        "own_words",
        {
            "{%- generation %}": "",
            "{%- endgeneration %}": "",
            SAID: "{%- generation %}" + SAID + "{%- endgeneration %}",
            TOLD: "{%- if loop.index0 in (3, 6) %}" + MARKED + "{%- else %}{{- message.content }}{%- endif %}\n",
        },
    ),
    "trains no stop": (
        "stop",
        {
            "message.content + '<|im_end|>\\n' }}": "message.content }}",
            "{{- '<|im_end|>\\n' }}\n" + END: END + "{{- '<|im_end|>\\n' }}",
        },
    ),
    "puts broken marks together": ("forgery", {TOLD: "        {{- message.content | replace('< ', '<') }}\n"}),
}
"""What is broken: the check that must find it, and what is put in the place of what in Qwen's training template."""


@pytest.fixture
def sick(tokenizer: Any) -> Iterator[Any]:
    """The tokenizer with a training template that may be changed; it is itself again afterwards."""
    from trl.chat_template_utils import qwen2_5_training_chat_template

    original = tokenizer.chat_template
    tokenizer.chat_template = qwen2_5_training_chat_template
    yield tokenizer
    tokenizer.chat_template = original


def test_the_templates_of_this_product_pass(tokenizer: Any, sick: Any) -> None:
    for template in (sick.chat_template, (REPOSITORY / "data/templates/inst.jinja").read_text(encoding="utf-8")):
        sick.chat_template = template
        found = examine(sick)
        assert [(each.check, each.says) for each in found.findings if each.outcome != "holds"] == []
        assert [each.check for each in found.findings] == [check.id for check in CHECKS]
        require_sound(sick)


def test_the_default_models_own_template_passes() -> None:
    settings = Settings()
    entry = get_model(settings, DEFAULT_MODEL)
    tokenizer = load_tokenizer(settings, entry, model_folder(settings, entry)[0])
    found = examine(tokenizer)
    assert {each.outcome for each in found.findings} == {"holds"}


def broken(template: str, fault: str) -> str:
    """Qwen's training template with one fault."""
    for before, after in BROKEN[fault][1].items():
        assert before in template
        template = template.replace(before, after)
    return template


@pytest.mark.parametrize("fault", BROKEN)
def test_every_fault_is_found_and_told(sick: Any, fault: str) -> None:
    sick.chat_template = broken(sick.chat_template, fault)
    found = {each.check: each for each in examine(sick).findings}
    check = BROKEN[fault][0]
    assert found[check].outcome == ("refuses" if next(c for c in CHECKS if c.id == check).refuses else "warns")
    assert found[check].says[0].isupper() and found[check].says.endswith(".")
    if found[check].outcome == "refuses":
        with pytest.raises(TrainingError, match="cannot be trained on"):
            require_sound(sick)
    else:
        require_sound(sick)


def test_what_stands_in_the_way_of_several_checks_is_told_once(sick: Any) -> None:
    sick.chat_template = "{{ raise_exception('Tools are not supported.') }}"
    found = examine(sick)
    assert [each.check for each in found.refusals] == ["renders"]
    assert "Tools are not supported" in found.refusals[0].says
    assert {each.outcome for each in found.findings} >= {"refuses", "not tried"}


def test_neither_preflight_nor_training_goes_on_with_a_template_that_drops_tools(tiny: Settings, sick: Any) -> None:
    folder: Path = tiny.cache / "models" / "tiny"
    (folder / "manifest.json").unlink(missing_ok=True)
    sick.chat_template = broken(sick.chat_template, "drops tools")
    sick.save_pretrained(folder)
    dataset = freeze_rows(tiny, [{**conversation_row(), "trajectory": "trj_1"}])
    with pytest.raises(TrainingError, match="drops the tools"):
        preflight(tiny, dataset.id, "tiny", Recipe())
    with pytest.raises(TrainingError, match="drops the tools"):
        run_inline(tiny, "train", train_params(dataset))


def test_models_are_looked_at_by_name(tiny: Settings) -> None:
    place(tiny, make_adapter())
    assert examine_model(tiny, "mine") == examine_model(tiny, "tiny")
    with pytest.raises(InvalidInputError, match="does not run on this machine"):
        examine_model(tiny, "scripted")

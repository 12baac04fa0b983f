"""The template doctor: whether a tokenizer and its chat template can be trusted with tools, told in sentences.

A chat template decides what a model reads, and some lie by leaving things out: tools that are offered but not shown, calls that
are made but not written. Training on such a template teaches the wrong thing without any error. The doctor renders one small
conversation that holds everything an attempt can hold, by the very functions used at inference and in training, and
looks for each part of it.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from lamsim_core.errors import InvalidInputError, ModelError, TrainingError
from lamsim_core.models.chat import template_hash
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.registry import get_model
from lamsim_core.records import Record
from lamsim_core.settings import Settings
from lamsim_core.train import symptoms
from lamsim_core.train.patient import Patient


class Check(NamedTuple):
    """One thing the doctor looks at."""

    id: str
    promise: str
    """What holds when nothing is found."""
    refuses: bool
    """Whether a model whose template breaks the promise must not be trained."""
    look: Callable[[Patient], str | None]
    """What is wrong, as a sentence, or None."""


CHECKS: tuple[Check, ...] = (
    Check("renders", "A whole conversation with tools can be written", True, symptoms.cannot_render),
    Check("tools", "Every tool offered is in the prompt: name, description, parameters", True, symptoms.tools_missing),
    Check("calls", "What the agent calls is written", True, symptoms.calls_missing),
    Check("calls_read_back", "Calls are written as replies are read", True, symptoms.calls_not_read_back),
    Check("results", "Every tool result is written, in order", True, symptoms.results_missing),
    Check("feedback", "Feedback is written, as what the user says", True, symptoms.feedback_missing),
    Check("system_text", "The system text is written, once", True, symptoms.system_text_missing),
    Check("foreign_text", "No system text of the template's own is added", False, symptoms.foreign_text),
    Check("same_every_day", "The same conversation is written the same on any day", False, symptoms.changes_by_the_day),
    Check("turns", "Training finds every turn of the agent", True, symptoms.turns_not_found),
    Check("prompt", "A trained turn begins where the model begins to write", True, symptoms.prompt_differs),
    Check("same_tokens", "Training reads the tokens that were read at inference", True, symptoms.rendered_otherwise),
    Check("own_words", "Only the agent's own right words are trained", True, symptoms.others_trained),
    Check("stop", "Ending the turn is trained, too", True, symptoms.stop_untrained),
    Check("forgery", "No text of a user or a tool can become a control token", True, symptoms.forgeable),
)
"""Every check, in the order they are reported."""


class Finding(Record):
    """What one check found."""

    check: str
    promise: str
    outcome: Literal["holds", "warns", "refuses", "not tried"]
    """``refuses`` means that the model must not be trained; ``not tried``, that another finding stood in the way."""
    says: str = ""
    """What is wrong, as a sentence; empty when it holds."""


class Examination(Record):
    """What the doctor found in one tokenizer with its chat template."""

    template_hash: str
    findings: tuple[Finding, ...]

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """What keeps the model from being trained."""
        return tuple(finding for finding in self.findings if finding.outcome == "refuses")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What should be known and keeps nobody from training."""
        return tuple(finding for finding in self.findings if finding.outcome == "warns")


def examine(tokenizer: Any) -> Examination:
    """Look at a tokenizer and its chat template; takes a fraction of a second.

    Raises:
        ModelError: there is no chat template.
    """
    patient = Patient(tokenizer)
    found: list[Finding] = []
    said: set[str] = set()
    for check in CHECKS:
        outcome: Literal["holds", "warns", "refuses", "not tried"] = "holds"
        try:
            says = check.look(patient) or ""
            if says:
                outcome = "refuses" if check.refuses else "warns"
        except (ModelError, TrainingError) as error:  # it stands in the way of several checks and is told once
            says = str(error)
            shown = all(finding.outcome != "refuses" for finding in found if finding.check == CHECKS[0].id)
            outcome = "refuses" if check.refuses and shown and says not in said else "not tried"
        said.add(says)
        found.append(Finding(check=check.id, promise=check.promise, outcome=outcome, says=says))
    return Examination(template_hash=template_hash(tokenizer), findings=tuple(found))


def examine_model(settings: Settings, name: str) -> Examination:
    """Look at the chat template of a model, or of an adapter's base.

    Raises:
        NotFoundError: no such model.
        InvalidInputError: it has no chat template here.
        ModelError: it is not available.
    """
    entry = get_model(settings, name)
    entry = get_model(settings, entry.base) if entry.base else entry
    if entry.kind != "local":
        raise InvalidInputError(
            f"{name} does not run on this machine, so there is no chat template to look at. Choose a local model."
        )
    folder, _ = model_folder(settings, entry)
    return examine(load_tokenizer(settings, entry, folder))


def require_sound(tokenizer: Any) -> None:
    """Refuse a tokenizer whose chat template must not be trained with.

    Raises:
        TrainingError: names the first thing that is wrong.
    """
    refusals = examine(tokenizer).refusals
    if refusals:
        more = f" The template doctor found {len(refusals)} such faults." if len(refusals) > 1 else ""
        raise TrainingError(f"This model's chat template cannot be trained on. {refusals[0].says}{more}")

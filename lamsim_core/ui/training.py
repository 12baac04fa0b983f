"""The Train page's first half: what to train on what, what that comes to, and the button that starts it."""

import re
from collections.abc import Mapping, Sequence

import streamlit as st
from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.curate.folder import list_datasets
from lamsim_core.errors import LamsimError
from lamsim_core.jobs.job import ACTIVE
from lamsim_core.models.listing import NAME_PATTERN
from lamsim_core.models.provision import models_folder
from lamsim_core.models.registry import list_models
from lamsim_core.records import Adapter, Dataset, Method, Recipe
from lamsim_core.settings import Settings
from lamsim_core.train.apart import preflight_apart
from lamsim_core.train.methods import METHODS, method_for
from lamsim_core.train.preflight import Preflight
from lamsim_core.ui import forms
from lamsim_core.ui.curating import version_title
from lamsim_core.ui.dataset_rows import read_rows
from lamsim_core.ui.draw import clean, guard, label
from lamsim_core.ui.jobs import Jobs, start_button
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.recipe_form import pick_recipe
from lamsim_core.ui.token_view import draw_tokens
from lamsim_core.ui.wording import amount, duration, percent

TOO_LONG = "longer than allowed; rows are never cut."
UNTRAINED = "nothing in them is to be learned, or both replies are the same."
DATASET = "train_dataset"
_WITHOUT_WEIGHT = {
    name: Recipe.model_fields[name].default for name in ("learning_rate", "seed", "lora_dropout", "save_steps", "beta")
}
"""Parts of a recipe that do not change what it comes to, so that changing them need not count again."""
BASE_ALONE = ""
"""Choice of starting from the base model, without an adapter."""
TEACHES: Mapping[Method, str] = {
    "sft": "It learns to write what agents wrote in attempts that passed.",
    "dpo": "It learns which of two replies at the same point is better.",
    "kto": "It learns from single replies, each known to be right or wrong.",
}


def setup(studio: Studio, jobs: Jobs) -> None:
    """What to train, what that comes to, and the button that starts it."""
    datasets = list_datasets(studio.settings).datasets
    if not datasets:
        _draw_no_dataset()
        return
    dataset = _pick_dataset(datasets)
    choices = forms.model_choices(studio.settings, plain=False, adapters=False)
    base = forms.pick_model(choices, "train_base", text="Base model")
    taken = {entry.name for entry in list_models(studio.settings, hidden=True)}
    method = method_for(dataset.kind)
    start = _pick_start(studio.settings, base.name, method)
    name = st.text_input(
        "Name of the adapter",
        value=suggested_name(base.name, taken, method),
        max_chars=80,
        key=f"train_name.{len(taken)}.{method}",  # a new adapter makes room for a new suggestion; a click alone does not
        help="Letters, digits and . _ -. The adapter is chosen by this name everywhere else.",
    )
    recipe = pick_recipe(method, start)
    why_not = base.why_not or bad_name((name or "").strip(), taken)
    if why_not is None and (is_here(studio.settings, base.name) or _asked_to_fetch()):
        try:
            found = look_ahead(studio.settings, dataset, base.name, recipe)
            draw_preflight(found)
            if method == "sft" and st.button(
                "See the rows as tokens", key="train_peek", icon=":material/visibility:", type="tertiary"
            ):
                _peek(studio.settings, dataset, base.name, recipe.max_length)
            why_not = nothing_to_train(found, recipe)
        except LamsimError as error:
            why_not = str(error)
    params: dict[str, JsonValue] = {
        "dataset": dataset.id,
        "model": base.name,
        "name": (name or "").strip(),
        "recipe": recipe.model_dump(mode="json"),
        **({} if start is None else {"from_adapter": start.id}),
    }
    rivals = [job for job, status in jobs if status.state in ACTIVE and job.params.get("name") == params["name"]]
    if any(job.params != params for job in rivals):
        why_not = "A run that makes an adapter of this name is still going on. Choose another name."
    if why_not is not None:
        st.warning(label(why_not, limit=600), icon=":material/block:")
    said = f"{params['name']}: {start.name if start else base.name} on {dataset.name}, {METHODS[method].title}"
    start_button(studio, "train", params, jobs, name=said, text="Train", why_not=why_not)


@st.dialog("Rows as training reads them", width="large", icon=":material/visibility:")  # type: ignore[untyped-decorator]
def _peek(settings: Settings, dataset: Dataset, base: str, max_length: int) -> None:
    with guard():
        draw_tokens(settings, dataset, read_rows(settings, dataset), base, max_length, f"peek.{dataset.id}")


def _draw_no_dataset() -> None:
    with st.container(border=True):
        st.subheader("No dataset yet", anchor=False)
        st.text("Training needs a frozen dataset: attempts that passed, chosen and fixed.")
        link("pages/5_Datasets.py", "Make a dataset", icon=":material/dataset:")


def _pick_dataset(datasets: Sequence[Dataset]) -> Dataset:
    known = {dataset.id: dataset for dataset in datasets}
    asked = st.query_params.pop("dataset", None)
    if asked in known:
        st.session_state[DATASET] = asked
    if st.session_state.get(DATASET) not in known:
        st.session_state[DATASET] = datasets[0].id
    chosen = st.selectbox(
        "Dataset",
        list(known),
        format_func=lambda dataset_id: version_title(known[dataset_id]),
        key=DATASET,
        persist_state="session",
    )
    return known[chosen]


def _pick_start(settings: Settings, base: str, method: Method) -> Adapter | None:
    """The adapter to go on from, or None for the base alone. Preferences come after SFT: the newest adapter is offered."""
    known = forms.adapters_of(settings, base)
    with st.container(gap="xsmall"):
        st.caption(f":material/school: **{METHODS[method].title}.** {TEACHES[method]}")
        if not known:
            if method != "sft":
                st.caption(":orange[:material/lightbulb:] This goes best from an adapter that SFT has made first.")
            return None
        options = [BASE_ALONE, *known]
        chosen = st.selectbox(
            "Starts from",
            options,
            index=0 if method == "sft" else 1,
            format_func=lambda adapter_id: clean(known[adapter_id].name) if adapter_id else "The base model alone",
            key=f"train_start.{base}.{method}.{len(known)}",
            help="Another adapter's weights are the start, and with DPO and KTO also what the new one is held to.",
        )
    return known.get(str(chosen))


def suggested_name(base: str, taken: set[str], method: Method = "sft") -> str:
    """A name for an adapter that nothing has yet."""
    stem = f"{re.sub(r'[^A-Za-z0-9._-]', '-', base)[:60]}-{'tools' if method == 'sft' else method}"
    return next(name for number in range(1, len(taken) + 2) if (name := f"{stem}-{number}") not in taken)


def bad_name(name: str, taken: set[str]) -> str | None:
    """What is wrong with the name of an adapter, or None."""
    if not re.match(NAME_PATTERN, name):
        return "An adapter's name has 1 to 80 letters, digits and . _ -, and begins with a letter or digit."
    return "Another model has this name already; choose another one." if name in taken else None


def is_here(settings: Settings, base: str) -> bool:
    """Whether a model's weights are on this machine, so that counting need not fetch them."""
    return (models_folder(settings) / base).is_dir()


def _asked_to_fetch() -> bool:
    st.caption("What it comes to can be counted once the model is here. Training fetches it by itself, too.")
    return st.button("Fetch the model and count", key="train_fetch", icon=":material/download:") is True


def nothing_to_train(found: Preflight, recipe: Recipe) -> str | None:
    """Why there is nothing to train on, or None when there is something."""
    if found.trained_tokens:
        return None
    return (
        f"Nothing would be trained: of {amount(found.rows, 'row')}, {found.dropped_too_long:,} are longer than "
        f"{recipe.max_length:,} tokens and {found.dropped_untrained:,} hold nothing to learn. Allow longer rows under "
        "Advanced, or choose another dataset."
    )


def look_ahead(settings: Settings, dataset: Dataset, base: str, recipe: Recipe) -> Preflight:
    """What a training run would come to, remembered: a dataset never changes.

    Raises:
        LamsimError: it could not be found out, or the run must not be started.
    """
    remember = st.cache_data(max_entries=30, show_spinner="Counting what would be trained")
    asked = canonical_json(recipe.model_copy(update=_WITHOUT_WEIGHT).model_dump(mode="json"))
    found: Preflight = remember(_look_ahead)(str(settings.home), dataset.id, base, asked, settings)
    return found


def _look_ahead(home: str, dataset_id: str, base: str, recipe: str, _settings: Settings) -> Preflight:
    return preflight_apart(_settings, dataset_id, base, Recipe.model_validate_json(recipe))


def draw_preflight(found: Preflight) -> None:
    """The numbers to look at before starting."""
    share = found.trained_tokens / max(1, found.tokens)
    with st.container(border=True, gap="xsmall"):
        st.markdown("**What it comes to**")
        facts = {
            "Rows": f"{found.kept:,} of {found.rows:,} kept",
            "Longest": amount(found.longest, "token"),
            "Trained on": f"{found.trained_tokens:,} of {found.tokens:,} tokens ({percent(share)})",
            "Steps": f"{found.steps:,}",
            "Time": f"about {duration(60 * found.minutes)}",
            "Memory": f"about {found.memory_mb / 1000:.1f} GB",
        }
        st.table(facts, border="horizontal", hide_header=True)
        for dropped, why in ((found.dropped_too_long, TOO_LONG), (found.dropped_untrained, UNTRAINED)):
            if dropped:
                st.caption(f":orange[:material/warning:] {amount(dropped, 'row')} left out: {label(why)}")

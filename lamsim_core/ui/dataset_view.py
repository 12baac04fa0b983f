"""The Datasets page's second half: the frozen versions, and one of them with its rows, card and exports."""

import streamlit as st

from lamsim_core.curate.card import card
from lamsim_core.curate.export import FORMS, Form, export_lines
from lamsim_core.curate.folder import Listing, load_rows
from lamsim_core.curate.select import funnel
from lamsim_core.curate.verifying import group_of
from lamsim_core.records import Dataset, Recipe
from lamsim_core.settings import Settings
from lamsim_core.ui import forms, terms
from lamsim_core.ui.charts import NEUTRAL, count_bars, draw_chart
from lamsim_core.ui.curating import hide_dataset, rows_of, show_dataset
from lamsim_core.ui.dataset_diff import draw_differences, draw_rebuild
from lamsim_core.ui.dataset_rows import read_rows
from lamsim_core.ui.draw import chip, clean, label, untrusted
from lamsim_core.ui.making import MAKES
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.pair_view import draw_label, draw_pair, group_title
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.token_view import draw_tokens
from lamsim_core.ui.training import is_here
from lamsim_core.ui.training_row import draw_row
from lamsim_core.ui.wording import moment, spaced

TABS = ["Rows", "As tokens", "What is in it", "Since the earlier version", "Card", "Make it again"]
FORM_TITLES: dict[Form, str] = {
    "trl": "TRL and Hugging Face (messages and tools)",
    "openai": "OpenAI fine-tuning (arguments as strings)",
    "sharegpt": "LLaMA-Factory (ShareGPT)",
}


def draw_versions(listing: Listing) -> None:
    """Every frozen version; a click shows one."""
    for problem in listing.problems:
        st.warning(label(problem, limit=1000), icon=":material/broken_image:")
    names = {dataset.id: dataset for dataset in listing.datasets}
    rows = [
        {
            "Show": ":material/visibility:",
            "Name": clean(dataset.name),
            "Made of": MAKES[dataset.kind],
            "Rows": dataset.rows,
            "Left out": sum(dataset.counts.get("left_out", {}).values()),
            "Hash": dataset.hash[:8],
            "Made from": names[dataset.parent].hash[:8] if dataset.parent in names else "",
            "Frozen": moment(dataset.created),
        }
        for dataset in listing.datasets
    ]
    st.dataframe(
        rows,
        key="datasets_versions",
        hide_index=True,
        column_config={
            "Show": button_column("datasets_show", lambda row: show_dataset(listing.datasets[row].id)),
            "Name": st.column_config.TextColumn("Name", width="medium"),
            "Made from": st.column_config.TextColumn(
                "Earlier version", help="Hash of the version of this name before it."
            ),
        },
        alt="Frozen dataset versions, the newest first",
    )


def draw_dataset(studio: Studio, dataset: Dataset) -> None:
    """One version: what it is, its rows, what is in it, its card, and the exports."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                st.subheader(label(dataset.name), anchor=False, width="content")
                chip(rows_of(dataset), color="primary", icon=":material/ac_unit:")
                if dataset.selection.weigh == "all" and dataset.kind == "sft":
                    why = "Everything the agent said is trained on, failed or not."
                    chip("UNFILTERED", color="orange", icon=":material/filter_alt_off:", help=why)
                chip(dataset.hash[:8], icon=":material/tag:", help="The first characters of the hash of its rows.")
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                link("pages/6_Train.py", "Train on it", icon=":material/model_training:", query={"dataset": dataset.id})
                _draw_exports(studio.settings, dataset)
                st.button("Close", key=f"close.{dataset.id}", icon=":material/close:", on_click=hide_dataset)
        st.caption(label(f"Frozen {moment(dataset.created)} · never changed since · {dataset.id}"))
        rows, tokens, content, since, text, again = st.tabs(TABS, key=f"tabs.{dataset.id}", on_change="rerun")
        if rows.open:
            with rows:
                (draw_rows if dataset.kind == "sft" else draw_turns)(studio.settings, dataset)
        if tokens.open:
            with tokens:
                draw_as_tokens(studio.settings, dataset)
        if content.open:
            with content:
                _draw_content(dataset)
        if text.open:
            with text:
                untrusted(card(dataset), language="markdown")
        if since.open:
            with since:
                draw_differences(studio, dataset)
        if again.open:
            with again:
                draw_rebuild(studio, dataset)


def draw_rows(settings: Settings, dataset: Dataset) -> None:
    """One row at a time, as the model will see it, with what it is trained on marked."""
    rows = read_rows(settings, dataset)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        number = st.pagination(len(rows), key=f"row.{dataset.id}")
        link(
            "pages/3_Trajectories.py",
            "The attempt it was made from",
            icon=":material/route:",
            query={"id": str(rows[number - 1].get("trajectory", ""))},
        )
    draw_row(rows[number - 1])


def draw_turns(settings: Settings, dataset: Dataset) -> None:
    """One pair or labelled message at a time; some of one group, when one is chosen."""
    rows = read_rows(settings, dataset)
    groups = dataset.counts.get("pair") or dataset.counts.get("label") or {}
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        chosen = st.pills(
            "Only",
            list(groups),
            format_func=lambda name: f"{group_title(name)} ({groups[name]:,})",
            key=f"group.{dataset.id}",
            label_visibility="collapsed",
        )
        shown = [row for row in rows if chosen is None or group_of(row) == chosen]
        number = st.pagination(len(shown), key=f"row.{dataset.id}.{chosen or 'all'}")
    row = shown[number - 1]
    (draw_pair if dataset.kind == "preference" else draw_label)(row)


def draw_as_tokens(settings: Settings, dataset: Dataset) -> None:
    """One row at a time, token by token, as a model of choice would be trained on it."""
    left, right = st.columns([2, 1])
    with left:
        choices = forms.model_choices(settings, plain=False, adapters=False)
        base = forms.pick_model(choices, "tokens_base", text="As it is read by")
    longest = right.number_input(
        "Longest row",
        128,
        32_768,
        Recipe().max_length,
        128,
        key="tokens_longest",
        help="Tokens. Longer rows are dropped, never cut.",
    )
    if base.why_not is not None or not is_here(settings, base.name):
        st.info(
            label(base.why_not or "This model is not on this machine yet. The Train page fetches it."),
            icon=":material/cloud_off:",
        )
        return
    draw_tokens(settings, dataset, read_rows(settings, dataset), base.name, int(longest), f"tokens.{dataset.id}")


def _draw_content(dataset: Dataset) -> None:
    titles = {
        "pair": "By kind of pair",
        "label": "By label",
        "chosen_by": "By who wrote the chosen message",
        "category": "By category",
        "kind": "By what it demands",
        "template": "By kind of task",
        "policy": "By who acted" if dataset.kind != "preference" else "By who wrote the rejected message",
        "calls": "By number of calls",
    }
    columns = st.columns(2)
    for place, (key, title) in enumerate(titles.items()):
        counts = {_title(key, value): number for value, number in dataset.counts.get(key, {}).items()}
        if counts:
            with columns[place % 2]:
                st.markdown(f"**{label(title)}**")
                draw_chart(count_bars(counts, unit="Rows"), key=f"{key}.{dataset.id}", alt=f"Rows {title.lower()}")
    left_out = dataset.counts.get("left_out", {})
    st.markdown("**What was left after each stage**")
    stages = {stage.capitalize(): number for stage, number in funnel(len(dataset.members), left_out).items()}
    draw_chart(
        count_bars(stages, unit="Attempts", ranked=False),
        key=f"funnel.{dataset.id}",
        alt="Attempts left after each stage",
    )
    if left_out:
        st.markdown("**What stayed out, and why**")
        shown = {spaced(reason).capitalize(): number for reason, number in left_out.items()}
        draw_chart(count_bars(shown, tint=NEUTRAL, unit="Attempts"), key=f"out.{dataset.id}", alt="Attempts left out")


def _title(key: str, value: str) -> str:
    if key == "kind":
        return spaced(value).capitalize()
    if key == "template":
        return f"{terms.template_title(value)} ({value.partition('.')[0]})"
    if key in ("pair", "label"):
        return group_title(value)
    if key in ("policy", "chosen_by"):
        return terms.policy_name(value)
    return f"{value} calls" if key == "calls" else value.capitalize()


def _draw_exports(settings: Settings, dataset: Dataset) -> None:
    with st.popover("Export", icon=":material/download:"):
        for form in FORMS:
            st.download_button(
                FORM_TITLES[form],
                data=lambda form=form: _export(settings, dataset, form),  # type: ignore[misc]
                file_name=f"{clean(dataset.name, limit=40).replace(' ', '-')}-{dataset.hash[:8]}-{form}.jsonl",
                mime="application/jsonl",
                key=f"export.{form}.{dataset.id}",
                icon=":material/description:",
                on_click="ignore",
                width="stretch",
            )


def _export(settings: Settings, dataset: Dataset, form: Form) -> bytes:
    """The whole file, made when it is asked for."""
    return "".join(f"{line}\n" for line in export_lines(load_rows(settings, dataset.id), form)).encode()

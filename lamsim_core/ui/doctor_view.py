"""What the template doctor found in a model's chat template."""

import streamlit as st

from lamsim_core.models.registry import ModelEntry
from lamsim_core.settings import Settings
from lamsim_core.train.apart import examine_apart
from lamsim_core.train.doctor import Examination
from lamsim_core.ui.draw import clean, guard, label
from lamsim_core.ui.tables import BADGE_GREEN, BADGE_GREY, BADGE_ORANGE, BADGE_RED, badge_column

OUTCOMES = {"holds": BADGE_GREEN, "warns": BADGE_ORANGE, "refuses": BADGE_RED, "not tried": BADGE_GREY}
ABOUT = "Renders a small conversation as at inference and in training, and looks for every tool, call and result in it."


def draw_doctor(settings: Settings, entry: ModelEntry) -> None:
    """A button that has the chat template of a model on this machine looked at, and what came of it."""
    fold = st.expander(
        "Its chat template",
        icon=":material/stethoscope:",
        type="compact",
        key=f"doctor.{entry.name}",
        on_change="rerun",
    )
    if fold.open:
        with fold, guard():
            remember = st.cache_data(max_entries=20, ttl="10m", show_spinner="Looking at the chat template")
            draw_examination(remember(_examine)(str(settings.home), entry.content_hash(), settings, entry))


def _examine(home: str, entry_hash: str, _settings: Settings, _entry: ModelEntry) -> Examination:
    return examine_apart(_settings, _entry.name)


def draw_examination(found: Examination) -> None:
    """The verdict in a sentence, then every promise with what was found."""
    refused, warned = found.refusals, found.warnings
    if refused:
        st.error(f"It must not be trained with. {label(refused[0].says, limit=600)}", icon=":material/block:")
    elif warned:
        st.warning(f"It can be trained with, but: {label(warned[0].says, limit=600)}", icon=":material/info:")
    else:
        st.success("It shows everything and can be trained with.", icon=":material/check_circle:")
    columns = [
        "Outcome",
        "What is promised",
        *(["What was found"] if any(each.says for each in found.findings) else []),
    ]
    st.dataframe(
        [
            {"Outcome": [each.outcome], "What is promised": clean(each.promise), "What was found": clean(each.says)}
            for each in found.findings
        ],
        hide_index=True,
        height="content",
        column_order=columns,
        column_config={
            "Outcome": badge_column("Outcome", OUTCOMES),
            "What is promised": st.column_config.TextColumn(width="medium"),
            "What was found": st.column_config.TextColumn(width="large"),
        },
        alt="What the template doctor found",
    )
    st.caption(f"{ABOUT} From the shell: doctor MODEL.")

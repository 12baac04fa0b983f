"""Rows of a dataset token by token, exactly as training reads them: what is learned, what is only read, what is dropped."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from lamsim_core.errors import LamsimError
from lamsim_core.models.vocabulary import Piece
from lamsim_core.records import Dataset
from lamsim_core.settings import Settings
from lamsim_core.train.apart import sheet_apart
from lamsim_core.train.sheet import Sheet, ShownRow, Stretch, TokenSide
from lamsim_core.ui.draw import Color, Emphasis, clean, failure, label, untrusted_marked
from lamsim_core.ui.exact_prompt import TALL, draw_pieces, shown
from lamsim_core.ui.terms import template_title
from lamsim_core.ui.wording import amount, percent

Rows = Sequence[Mapping[str, Any]]

ANY, DROPPED, MASKED, TEMPLATE = "any", "dropped", "masked", "template"
LOOKS = {
    ANY: "Any row",
    DROPPED: "Rows that are dropped",
    MASKED: "Rows with words that are left out",
    TEMPLATE: "Rows of one kind of task",
}
LOOKS_HELP = (
    "Rows are dropped when they are longer than allowed or hold nothing to learn. Failed actions, and messages that were "
    "answered with feedback, stay to be read and are left out of what is learned."
)
STYLES: Mapping[str, tuple[Color, Emphasis]] = {"trained": ("green", "bold"), "masked": ("orange", "italic")}
FATES = {
    "trained": "trained",
    "masked": "read, left out of training",
    "special": "read (control)",
    "tools": "read (tools)",
    "text": "read",
}
MOST = 800
"""Tokens of one message that are drawn in colour; the table has all."""


def draw_tokens(settings: Settings, dataset: Dataset, rows: Rows, base: str, max_length: int, key: str) -> None:
    """One row at a time, and how to find the ones worth a look.

    Args:
        settings: where models and datasets are.
        dataset: what the rows are of.
        rows: the rows themselves.
        base: name of the model that is to read them; it is on this machine.
        max_length: tokens a row may have.
        key: of the widgets.
    """
    try:
        sheet = load_sheet(settings, dataset, base)
    except LamsimError as error:
        failure(error)
        return
    number = _choose(rows, sheet, max_length, key)
    if number is not None:
        _draw_row(sheet, number, max_length, key)


def load_sheet(settings: Settings, dataset: Dataset, base: str) -> Sheet:
    """The rows as training reads them, remembered for a while: a dataset never changes.

    Raises:
        LamsimError: training cannot read them.
    """
    remember = st.cache_resource(
        max_entries=2,
        ttl="15m",
        show_spinner="Reading the rows as training does. The first time takes about ten seconds.",
    )
    sheet: Sheet = remember(_load_sheet)(str(settings.home), dataset.id, base, settings)
    return sheet


def _load_sheet(home: str, dataset_id: str, base: str, _settings: Settings) -> Sheet:
    return sheet_apart(_settings, dataset_id, base)


def found_rows(rows: Rows, sheet: Sheet, look: str, template: str | None, max_length: int) -> list[int]:
    """Places of the rows that are looked for, counted from 0."""

    def wanted(number: int) -> bool:
        if look == DROPPED:
            return sheet.dropped(number, max_length) is not None
        if look == MASKED:
            return any(message.get("weight") == 0 for message in rows[number].get("messages", ()))
        return look != TEMPLATE or rows[number].get("template") == template

    return [number for number in range(len(rows)) if wanted(number)]


def _choose(rows: Rows, sheet: Sheet, max_length: int, key: str) -> int | None:
    """Which row to show: by number, or the next one of those looked for."""
    left, middle, right = st.columns([4, 5, 3], vertical_alignment="bottom")
    look = str(
        left.selectbox(
            "Look for", list(LOOKS), format_func=lambda name: LOOKS[name], key=f"{key}.look", help=LOOKS_HELP
        )
    )
    template = None
    if look == TEMPLATE:
        known = sorted({str(row.get("template", "")) for row in rows})
        template = middle.selectbox(
            "Kind of task", known, format_func=lambda name: clean(template_title(name)), key=f"{key}.template"
        )
    found = found_rows(rows, sheet, look, template, max_length)
    place = f"{key}.number"
    st.session_state.setdefault(place, 1)
    if found and look != ANY and st.session_state.get(f"{key}.looked") != (look, template):
        st.session_state[place] = found[0] + 1
    st.session_state[f"{key}.looked"] = (look, template)
    with right, st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        _step(found, place, -1, "Previous", ":material/chevron_left:")
        _step(found, place, 1, "Next", ":material/chevron_right:")
    if not found:
        st.info("There is no such row.", icon=":material/search_off:")
        return None
    number = middle if look != TEMPLATE else left
    chosen = number.number_input(f"Row, 1 to {len(rows):,}", 1, len(rows), step=1, key=place)
    if look != ANY:
        st.caption(f"{len(found):,} of {amount(len(rows), 'row')} fit.")
    return int(chosen) - 1


def _step(found: Sequence[int], place: str, by: int, text: str, icon: str) -> None:
    st.button(
        text, key=f"{place}.{text.lower()}", icon=icon, disabled=not found, on_click=_go, args=(tuple(found), place, by)
    )


def _go(found: Sequence[int], place: str, by: int) -> None:
    """Show the next fitting row, or the one before; after the last comes the first."""
    now = int(st.session_state.get(place, 1)) - 1
    further = [number for number in found if (number - now) * by > 0]
    st.session_state[place] = (min(further, key=lambda n: abs(n - now)) if further else found[0 if by > 0 else -1]) + 1


def _draw_row(sheet: Sheet, number: int, max_length: int, key: str) -> None:
    row = sheet.row(number)
    dropped = sheet.dropped(number, max_length)
    cells = st.columns(4)
    tokens, trained = sheet.tokens[number], sheet.trained[number]
    read = sum(len(side.ids) for side in row.sides)
    cells[0].metric("Tokens", f"{tokens:,}", border=True)
    cells[1].metric("Trained", f"{trained:,}", border=True, help="Tokens the model learns to write.")
    cells[2].metric("Share trained", percent(trained / max(1, read), 1), border=True)
    cells[3].metric("In training", "Kept" if dropped is None else f"Dropped: {dropped}", border=True)
    if row.problem:
        st.warning(label(row.problem, limit=800), icon=":material/block:")
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        _draw_legend(row)
        way = st.segmented_control(
            "Row as", ["Text", "Tokens"], default="Text", required=True, key=f"{key}.way", label_visibility="collapsed"
        )
    columns = st.columns(len(row.sides)) if len(row.sides) > 1 else [st.container()]
    for place, (column, side) in enumerate(zip(columns, row.sides, strict=True)):
        with column:
            if side.title:
                st.markdown(f"**{label(side.title)}**")
            if way == "Tokens":
                _draw_table(sheet, side, max_length)
            else:
                _draw_side(sheet, side, max_length, f"{key}.{number}.{place}")


def _draw_legend(row: ShownRow) -> None:
    """What the colours mean, each in its own writing too."""
    kinds = {stretch.kind for side in row.sides for stretch in side.stretches}
    parts = [":green-background[**bold: trained**]"]
    if "masked" in kinds:
        parts.append(":orange-background[*italic: the agent's own, left out*]")
    parts += [":violet-badge[control token]", "plain: only read"]
    st.markdown("\u2003".join(parts), width="content")


def _draw_side(sheet: Sheet, side: TokenSide, max_length: int, key: str) -> None:
    """The whole sequence; where it gets longer than allowed is marked."""
    waiting: list[Piece] = []
    number = 0
    for stretch in (*_split(sheet, side, max_length), None):
        if stretch is not None and stretch.kind in ("special", "tools", "text") and stretch.start != max_length:
            waiting.append(_piece(stretch))
            continue
        if waiting:
            draw_pieces(waiting, f"{key}.{number}")
            waiting, number = [], number + 1
        if stretch is None:
            return
        if stretch.start == max_length:
            st.error(
                f"Here it gets longer than {max_length:,} tokens. Rows are never cut: the whole row is dropped.",
                icon=":material/content_cut:",
            )
        if stretch.kind in STYLES:
            color, emphasis = STYLES[stretch.kind]
            ids = side.ids[stretch.start : stretch.end]
            with st.container(border=True):
                untrusted_marked(((sheet.texts[token], color) for token in ids[:MOST]), emphasis)
                if len(ids) > MOST:
                    st.caption(f"The first {MOST:,} of {len(ids):,} tokens.")
        else:
            waiting.append(_piece(stretch))


def _piece(stretch: Stretch) -> Piece:
    kind = stretch.kind if stretch.kind in ("special", "tools") else "text"
    return Piece(kind, stretch.text, stretch.end - stretch.start)  # type: ignore[arg-type]


def _split(sheet: Sheet, side: TokenSide, max_length: int) -> Iterator[Stretch]:
    """The stretches, none of which goes on beyond the longest length that is allowed."""
    for stretch in side.stretches:
        if not stretch.start < max_length < stretch.end:
            yield stretch
            continue
        before = len("".join(sheet.texts[token] for token in side.ids[stretch.start : max_length]))
        yield stretch.model_copy(update={"end": max_length, "text": stretch.text[:before]})
        yield stretch.model_copy(update={"start": max_length, "text": stretch.text[before:]})


def _draw_table(sheet: Sheet, side: TokenSide, max_length: int) -> None:
    fates = [FATES[stretch.kind] for stretch in side.stretches for _ in range(stretch.start, stretch.end)]
    st.dataframe(
        {
            "Place": list(range(1, len(side.ids) + 1)),
            "Token": [shown(sheet.texts[token]) for token in side.ids],
            "Id": list(side.ids),
            "What becomes of it": [
                fate if place < max_length else f"{fate}; beyond the longest row" for place, fate in enumerate(fates)
            ],
        },
        hide_index=True,
        height=2 * TALL,
        alt="Every token of the row and what becomes of it",
    )

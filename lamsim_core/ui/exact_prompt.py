"""What a model read and wrote at one step, exactly, and what that took."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.agent.exact import Exact, Written
from lamsim_core.models.vocabulary import Piece
from lamsim_core.records import Step, Usage
from lamsim_core.ui import terms
from lamsim_core.ui.draw import Color, chip, clean, label, untrusted, untrusted_marked
from lamsim_core.ui.wording import DASH, amount, percent

SURE: Sequence[tuple[float, Color | None, str]] = (
    (0.9, None, "90 % or more"),
    (0.5, "blue", "50 to 90 %"),
    (0.1, "orange", "10 to 50 %"),
    (0.0, "red", "under 10 %"),
)
"""Probabilities from, the colour of such tokens, and what that means."""
MOST = 600
"""Tokens that are drawn in colour; the table has all."""
TALL = 300
"""Pixels of a text that scrolls, and lines beyond which one does."""
SCROLLED = 480
"""Pixels of the whole prompt, which scrolls within them."""
_LINES = 12
_LETTERS = 1400


def draw_cost(step: Step, usage: Usage) -> None:
    """Tokens and time of a reply, split into reading and writing, and what the tool and the checks took."""
    read = usage.prompt_tokens - usage.cached_tokens
    rows = [
        (
            "Reading the prompt",
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.prefill_seconds,
            _rate(read, usage.prefill_seconds),
        ),
        (
            "Writing the reply",
            usage.completion_tokens,
            None,
            usage.decode_seconds,
            _rate(usage.completion_tokens, usage.decode_seconds),
        ),
        ("Tool and checks", None, None, step.seconds, DASH),
    ]
    st.dataframe(
        [
            {
                "What": what,
                "Tokens": DASH if tokens is None else f"{tokens:,}",
                "Kept from before": DASH if kept is None else f"{kept:,}",
                "Time": terms.fine_duration(seconds),
                "Tokens a second": rate,
            }
            for what, tokens, kept, seconds, rate in rows
        ],
        hide_index=True,
        height="content",
        alt="Tokens and time of this reply: reading, writing, and the rest",
        column_config={
            "Kept from before": st.column_config.TextColumn(help="Tokens that did not have to be read again (cached)."),
            "Time": st.column_config.TextColumn(help="Reading is also called prefill, writing decode."),
        },
    )


def _rate(tokens: int, seconds: float) -> str:
    return f"{tokens / seconds:,.0f}" if seconds > 0 and tokens > 0 else DASH


def draw_exact(exact: Exact, key: str, *, replaced: bool = False) -> None:
    """The prompt with its control tokens, then the reply in colours.

    Args:
        exact: both.
        key: of what can be opened in it; the same for the same step at every run.
        replaced: whether a person put other words in the place of the model's, whose tokens are then not kept.
    """
    if exact.why_not is not None:
        st.info(label(exact.why_not, limit=800), icon=":material/visibility_off:")
    else:
        _draw_prompt(exact, key)
    if exact.written:
        _draw_written(exact.written, key)
    elif replaced:
        st.caption(
            "The model answered this prompt; a person put other words in place of its reply, so there are no tokens."
        )
    elif exact.why_not is None:
        st.caption("The reply above was recorded before tokens and their probabilities were kept.")


def _draw_prompt(exact: Exact, key: str) -> None:
    special = sum(piece.kind == "special" for piece in exact.pieces)
    tools = sum(piece.tokens for piece in exact.pieces if piece.kind == "tools")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        about = f"{tools:,} of them describe the tools, " if tools else ""
        st.markdown("**The prompt, exactly as it was read**", width="content")
        way = st.segmented_control(
            "Prompt as",
            ["Text", "Tokens"],
            default="Text",
            required=True,
            key=f"{key}-way",
            label_visibility="collapsed",
        )
    st.caption(f"{amount(len(exact.ids), 'token')}: {about}{special:,} are control tokens, marked in violet.")
    if way == "Tokens":
        st.dataframe(
            {
                "Place": list(range(1, len(exact.ids) + 1)),
                "Token": [shown(text) for text in exact.texts],
                "Id": list(exact.ids),
            },
            hide_index=True,
            height=TALL,
            alt="Every token of the prompt",
        )
        return
    with st.container(height=SCROLLED, gap="small"):
        draw_pieces(exact.pieces, key)


def draw_pieces(pieces: Sequence[Piece], key: str) -> None:
    """What a model reads: control tokens as chips, the tools folded, other text as it is."""
    waiting: list[Piece] = []
    for number, piece in enumerate(pieces):
        if piece.kind == "special" or not piece.text.strip():
            waiting.append(piece)
            continue
        _draw_marks(waiting)
        waiting = []
        if piece.kind == "tools":
            fold = st.expander(
                f"The tools: {amount(piece.tokens, 'token')}", icon=":material/build:", type="compact",
                key=f"{key}-tools-{number}", on_change="rerun",
            )  # fmt: skip
            if fold.open:
                with fold:
                    _draw_text(piece.text)
        else:
            _draw_text(piece.text)
    _draw_marks(waiting)


def _draw_marks(pieces: Sequence[Piece]) -> None:
    """Control tokens, and the line ends between them."""
    if any(piece.kind == "special" for piece in pieces):
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            for piece in pieces:
                chip(shown(piece.text), color="violet" if piece.kind == "special" else "gray")


def _draw_text(text: str) -> None:
    untrusted(text.strip("\n"), height=TALL if text.count("\n") > _LINES or len(text) > _LETTERS else None)


def _draw_written(written: Sequence[Written], key: str) -> None:
    st.markdown(
        "**The reply, token by token**", help="How likely the model held each token, before temperature and top-p."
    )
    with st.container(border=True):
        untrusted_marked((token.text, colour_of(token)) for token in written[:MOST])
    if len(written) > MOST:
        st.caption(f"The first {MOST:,} of {len(written):,} tokens.")
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.caption("Probability", width="content")
        for _, color, meaning in SURE:
            if color is None:
                st.caption(f"{meaning}: plain", width="content")
            else:
                chip(meaning, color=color)
        if any(token.special for token in written):
            chip("control token", color="violet")
    least = min(written, key=lambda token: token.probability)
    sure = percent(sum(token.probability for token in written) / len(written))
    st.caption(
        label(f"Least sure: {shown(least.text)} with {percent(least.probability, 1)}. On average {sure} a token.")
    )
    fold = st.expander("As a table", icon=":material/table:", type="compact", key=f"{key}-table", on_change="rerun")
    if fold.open:
        fold.dataframe(
            {
                "Place": list(range(1, len(written) + 1)),
                "Token": [shown(token.text) for token in written],
                "Id": [token.id for token in written],
                "Probability": [token.probability for token in written],
            },
            hide_index=True,
            height=TALL,
            alt="Every token of the reply and its probability",
            column_config={
                "Probability": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
            },
        )


def colour_of(token: Written) -> Color | None:
    """The background of a token: violet for control, else by its probability, none when it was nearly sure."""
    if token.special:
        return "violet"
    return next(color for least, color, _ in SURE if token.probability >= least)


def shown(text: str) -> str:
    """A token in a cell or chip, blanks visible."""
    return clean(text.replace(" ", "·").replace("\n", "⏎").replace("\t", "⇥"), limit=80)

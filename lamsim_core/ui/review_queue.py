"""The Review page's queue: what is asked about, how far the reviewer is, and the present question."""

import streamlit as st

from lamsim_core.feedback import action_checks, final_checks
from lamsim_core.review.corrections import by_checks
from lamsim_core.store.places import Place, PlaceFilter, count_places
from lamsim_core.store.queries import facets
from lamsim_core.ui import reviewing, terms
from lamsim_core.ui.draw import clean, guard, label
from lamsim_core.ui.page import Studio, go_button
from lamsim_core.ui.review_question import draw_context, draw_moves, draw_notice, draw_question
from lamsim_core.ui.reviewing import Session
from lamsim_core.ui.wording import amount

SIZES = (20, 60, 100, 200)
HEIGHT = 640
"""Of the queue and of the context, in pixels: the question stays in sight."""


def draw_queue(studio: Studio) -> None:
    """The whole tab."""
    session = _choose(studio)
    if session is None:
        return
    place = session.place
    if not session.queue:
        _nothing(studio)
        return
    left, middle, right = st.columns([5, 10, 6], gap="medium")
    with left:
        _list(session)
    if place is None:
        with middle:
            _done(studio, session)
        return
    trajectory = by_checks(studio.index, place.trajectory)
    reviewing.start_clock(session)
    with middle, guard(), st.container(height=HEIGHT, border=True):
        draw_context(trajectory, place)
    with right, guard():
        draw_question(studio, session, place, trajectory)


def _choose(studio: Studio) -> Session | None:
    """Who reviews what; a change draws a new queue."""
    known = facets(studio.index)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        reviewer = st.text_input(
            "Reviewer",
            value=studio.settings.author,
            key="review_reviewer",
            max_chars=60,
            persist_state="session",
            width=180,
            help="Written beside every answer. Several reviewers do not overwrite each other.",
        )
        size = st.segmented_control(
            "Verdicts", SIZES, default=60, required=True, key="review_size", persist_state="session"
        )
        blind = st.toggle(
            "Blind first",
            value=True,
            key="review_blind",
            persist_state="session",
            help="You answer before the verdict shows. Only such answers say whether you would have found the same.",
        )
        with st.popover("Which verdicts", icon=":material/filter_list:"):
            flt = _filter(known["policies"])
        fresh = st.button("New queue", icon=":material/shuffle:", help="Draws other verdicts.")
    session = reviewing.current()
    name = clean(reviewer or "", limit=60) or studio.settings.author
    asked = (name, flt, blind, size or 60)
    if session is None or fresh or (session.reviewer, session.flt, session.blind, session.size) != asked:
        seed = 0 if session is None else session.seed + bool(fresh)
        session = reviewing.begin(studio, name, flt, size=size or 60, blind=blind, seed=seed)
    fitting, mine = count_places(studio.index, session.reviewer, session.flt)
    st.caption(
        f"{amount(fitting, 'verdict')} fit; {label(session.reviewer)} answered {mine:,} of them. The queue takes disputed ones "
        "first, then every kind of verdict (check, outcome, class, model) in turn, the rarest first."
    )
    return session


def _filter(policies: list[str]) -> PlaceFilter:
    models = [name for name in policies if name not in terms.POLICIES]
    picked = st.multiselect(
        "Who acted",
        policies,
        default=models,
        format_func=lambda name: clean(terms.policy_name(name)),
        key="review_policies",
        persist_state="session",
        placeholder="Anybody",
    )
    checks = st.multiselect(
        "Check",
        [*action_checks(), *final_checks()],
        format_func=terms.check_title,
        key="review_checks",
        persist_state="session",
        placeholder="Every check",
    )
    outcomes = st.pills(
        "What the check said",
        ["fail", "pass"],
        selection_mode="multi",
        key="review_outcomes",
        persist_state="session",
        help="Choosing only one of them gives the answer away.",
    )
    gates = st.toggle(
        "Only what counts",
        key="review_gates",
        persist_state="session",
        help="Leaves out failures of diagnosis, which cost nothing.",
    )
    return PlaceFilter(policies=tuple(picked), checks=tuple(checks), outcomes=tuple(outcomes), gates_only=gates)


def _nothing(studio: Studio) -> None:
    with st.container(border=True):
        st.subheader("No verdict is left to review", anchor=False)
        st.text("Either nothing was judged yet, or every verdict that fits has your answer.")
        with st.container(horizontal=True):
            go_button(
                "pages/1_Simulate.py", "Run an attempt", icon=":material/play_circle:", key="review.run", primary=True
            )
            go_button("pages/2_Explore.py", "Run many", icon=":material/travel_explore:", key="review.many")


def _list(session: Session) -> None:
    """The queue. It must not tell what a check said before the reviewer has answered."""
    st.progress(session.answered / len(session.queue), text=f"{session.answered} of {len(session.queue)} answered")
    chosen = st.dataframe(
        [
            {
                "": "▶" if number == session.position else "",
                "Check": clean(terms.check_title(place.check)),
                "You": _mark(session, place),
            }
            for number, place in enumerate(session.queue)
        ],
        key=f"review.list.{session.seed}.{session.position}",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=HEIGHT - 60,
        alt="The verdicts to review",
        column_config={
            "": st.column_config.TextColumn(width=22),
            "Check": st.column_config.TextColumn(width=124),
            "You": st.column_config.TextColumn(width=62),
        },
    )
    for number in chosen.selection.rows:
        reviewing.go_to(number)
        st.rerun()


def _mark(session: Session, place: Place) -> str:
    given = session.answers.get(reviewing.spot(place))
    if given is None:
        return "disputed" if place.disputed else ""
    if given.answer == "unsure":
        return "?"
    return "same" if (given.answer == "holds") == (place.outcome == "pass") else "other"


def _done(studio: Studio, session: Session) -> None:
    draw_notice(session)
    with st.container(border=True):
        st.subheader("The end of the queue", anchor=False)
        st.text(f"{session.answered} of {len(session.queue)} answered. The agreement tab says what came of it.")
        draw_moves(studio, session)

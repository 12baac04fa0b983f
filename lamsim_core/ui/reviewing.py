"""A review as it goes on: the queue, where it stands, and what the keys do. Nothing here draws."""

import time
from dataclasses import dataclass, field

import streamlit as st

from lamsim_core.canonical import new_id, now
from lamsim_core.errors import LamsimError
from lamsim_core.feedback.registry import check_versions
from lamsim_core.records import Blame, ErrorClass, Review, ReviewAnswer
from lamsim_core.review.corrections import add_review
from lamsim_core.store.places import Place, PlaceFilter, draw_places
from lamsim_core.ui.draw import clean, label
from lamsim_core.ui.page import Studio

KEY = "review.session"
LONGEST_REASON = 1000

Spot = tuple[str, int | None, str]


def spot(place: Place) -> Spot:
    """Which verdict a place is."""
    return (place.trajectory, place.step, place.check)


@dataclass
class Session:
    """One reviewer at work in one browser tab. What was answered is in the store; this is only where the tab stands."""

    reviewer: str
    flt: PlaceFilter
    blind: bool
    size: int
    """Verdicts asked for; the queue may hold fewer."""
    seed: int
    queue: list[Place]
    position: int = 0
    answers: dict[Spot, Review] = field(default_factory=dict)
    """Given in this session, the last of each place."""
    history: list[Spot] = field(default_factory=list)
    """Places in the order of their answers, for undo."""
    since: tuple[Spot, float] | None = None
    """When the present question was first drawn."""
    contrary: Spot | None = None
    """The place whose verdict, seen first, the reviewer disagrees with and has not settled yet."""
    notice: str = ""
    """What the last key did, for the reviewer."""

    @property
    def place(self) -> Place | None:
        """The present question, or None behind the last."""
        return self.queue[self.position] if self.position < len(self.queue) else None

    @property
    def answer(self) -> Review | None:
        """This session's answer to the present question."""
        return None if self.place is None else self.answers.get(spot(self.place))

    @property
    def revealed(self) -> bool:
        """Whether the verdict may be seen: always when not blind, else once there is an answer."""
        return not self.blind or self.answer is not None

    @property
    def unsettled(self) -> bool:
        """Whether the present answer contradicts the verdict, so that somebody has to be right."""
        place, given = self.place, self.answer
        if place is None:
            return False
        if self.contrary == spot(place):
            return True
        return given is not None and given.answer == _opposite(place)

    @property
    def answered(self) -> int:
        """Questions of the queue that were answered."""
        return sum(spot(place) in self.answers for place in self.queue)


def current() -> Session | None:
    """The review this browser tab is in."""
    found = st.session_state.get(KEY)
    return found if isinstance(found, Session) else None


def begin(studio: Studio, reviewer: str, flt: PlaceFilter, *, size: int, blind: bool, seed: int) -> Session:
    """Draw a queue and make it the present one."""
    name = clean(reviewer, limit=60) or studio.settings.author
    queue = draw_places(studio.index, name, size, seed=seed, flt=flt)
    session = Session(reviewer=name, flt=flt, blind=blind, size=size, seed=seed, queue=queue)
    st.session_state[KEY] = session
    return session


def start_clock(session: Session) -> None:
    """Note when the present question is drawn for the first time."""
    place = session.place
    if place is not None and (session.since is None or session.since[0] != spot(place)):
        session.since = (spot(place), time.monotonic())


def answer(studio: Studio, agrees: bool | None) -> None:
    """A, D or U: agree, disagree, unsure. Blind, it is about the statement; else about the verdict.

    A blind answer that meets the verdict goes on to the next question; one that contradicts it stays, to be settled.
    """
    session, place = _here()
    if place is None or session is None:
        return
    if agrees is None:
        said: ReviewAnswer = "unsure"
    elif session.blind:
        said = "holds" if agrees else "fails"
    else:
        said = _same(place) if agrees else _opposite(place)
    if session.blind and session.answer is not None:
        return  # the verdict was seen: a blind answer cannot be given any more, only taken back by undo
    session.contrary = None
    if not session.blind and agrees is False:
        session.contrary = spot(place)  # stored when it is settled
        return
    review = _store(studio, session, place, said, blind=session.blind)
    if review is None:
        return
    if said in ("unsure", _same(place)):
        session.notice = "Noted as unsure." if said == "unsure" else "You and the check say the same."
        move(1)


def settle(studio: Studio, *, stands: bool, error_class: ErrorClass | None, blame: Blame, reason: str) -> None:
    """After the verdict was seen: stand by an answer that contradicts it, which corrects the verdict, or give in."""
    session, place = _here()
    if place is None or session is None:
        return
    said = _opposite(place) if stands else _same(place)
    fails = said == "fails"
    review = _store(
        studio,
        session,
        place,
        said,
        blind=False,
        error_class=error_class if fails else None,
        blame=blame if fails else None,
        reason=reason,
    )
    if review is not None:
        session.contrary = None
        session.notice = "Corrected; the attempt is scored anew." if stands else "Noted: the check is right."
        move(1)


def move(by: int) -> None:
    """N and P: the next or the previous question."""
    session = current()
    if session is not None:
        session.position = max(0, min(len(session.queue), session.position + by))


def go_to(position: int) -> None:
    """The question at a place of the queue."""
    session = current()
    if session is not None:
        session.position = max(0, min(len(session.queue), position))
        session.notice = ""


def undo(studio: Studio) -> None:
    """Z: take the last answer back, and go to its question. Whatever it changed in the score is changed back."""
    session = current()
    if session is None or not session.history:
        return
    last = session.history[-1]
    position = next((n for n, place in enumerate(session.queue) if spot(place) == last), None)
    if position is None:
        return
    if _store(studio, session, session.queue[position], "withdrawn", blind=False) is None:
        return
    session.history = [each for each in session.history if each != last]
    session.answers.pop(last, None)
    session.position = position
    session.since = None
    session.notice = "Taken back."


def _here() -> tuple[Session | None, Place | None]:
    session = current()
    return session, None if session is None else session.place


def _same(place: Place) -> ReviewAnswer:
    return "holds" if place.outcome == "pass" else "fails"


def _opposite(place: Place) -> ReviewAnswer:
    return "fails" if place.outcome == "pass" else "holds"


def _store(
    studio: Studio,
    session: Session,
    place: Place,
    said: ReviewAnswer,
    *,
    blind: bool,
    error_class: ErrorClass | None = None,
    blame: Blame | None = None,
    reason: str = "",
) -> Review | None:
    """Store an answer. A callback runs outside the page's guard, so an error is told here."""
    waited = session.since[1] if session.since is not None and session.since[0] == spot(place) else None
    review = Review(
        id=new_id("rev"),
        trajectory=place.trajectory,
        step=place.step,
        check=place.check,
        version=check_versions().get(place.check, 0),
        said=place.outcome,
        answer=said,
        blind=blind,
        error_class=error_class,
        blame=blame,
        reason=reason.strip()[:LONGEST_REASON],
        seconds=None if waited is None else round(time.monotonic() - waited, 2),
        reviewer=session.reviewer,
        created=now(),
    )
    try:
        add_review(studio.store, review)
    except LamsimError as error:
        st.toast(label(error), icon=":material/error:")
        return None
    if said != "withdrawn":
        session.answers[spot(place)] = review
        session.history = [each for each in session.history if each != spot(place)] + [spot(place)]
    session.notice = ""
    return review

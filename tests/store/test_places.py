"""Which verdicts are asked about, and in which order."""

from typing import Any

import pytest

from lamsim_core.records import PolicyInfo, Verdict
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.places import Place, PlaceFilter, count_places, draw_places
from tests.store.factories import make_rejudgement, make_review, make_step, make_trajectory

EVERYTHING = 10_000


def failing(check: str, *, gate: bool = True, error_class: str = "execution") -> Verdict:
    return Verdict.model_validate(
        {"check": check, "version": 1, "outcome": "fail", "gate": gate, "error_class": error_class, "blame": "agent"}
    )


@pytest.fixture
def store(home: Settings) -> Store:
    """Twelve attempts by one policy and one by another; ``rare`` failed once, ``path.progress`` is never asked about."""
    store = Store(home)
    for number in range(12):
        passed = Verdict(check="common", version=1, outcome="pass", gate=True)
        extra = [failing("path.progress", gate=False)]
        if number < 3:
            extra.append(failing("note", gate=False, error_class="repetition"))
        if number == 5:
            extra += [failing("rare"), failing("rare")]
        step = make_step(0, verdicts=(passed,))
        store.add(
            make_trajectory(
                number, steps=(step,), verdicts=tuple(extra), policy=PolicyInfo(kind="model", name="smollm2-135m")
            )
        )
    other = make_trajectory(12, steps=(make_step(0, verdicts=(failing("common"),)),), verdicts=())
    store.add(other.model_copy(update={"policy": PolicyInfo(kind="random", name="random")}))
    store.index.sync()
    return store


def asked(places: list[Place]) -> list[str]:
    return [place.check for place in places]


def draw(store: Store, size: int = EVERYTHING, *, reviewer: str = "me", seed: int = 0, **flt: object) -> list[Place]:
    return draw_places(store.index, reviewer, size, seed=seed, flt=PlaceFilter.model_validate(flt))


def test_every_verdict_is_one_question(store: Store) -> None:
    places = draw(store)
    assert len(places) == 12 + 3 + 1 + 1
    assert len({(p.trajectory, p.step, p.check) for p in places}) == len(places)
    assert count_places(store.index, "me") == (len(places), 0)
    rare = next(place for place in places if place.check == "rare")
    assert (rare.step, rare.outcome, rare.error_class, rare.stratum) == (None, "fail", "execution", 1)
    assert "path.progress" not in asked(places)


def test_the_strata_come_in_turn_and_the_rarest_first(store: Store) -> None:
    places = draw(store)
    assert sorted(asked(places[:2])) == ["common", "rare"], "each is alone in its stratum"
    assert asked(places[2:4]) == ["note", "common"]
    assert asked(places[4:8]) == ["note", "common", "note", "common"]
    assert set(asked(places[8:])) == {"common"}


def test_the_same_seed_gives_the_same_sample_and_another_another(store: Store) -> None:
    assert draw(store, 6) == draw(store, 6)
    assert draw(store, 6) != draw(store, 6, seed=1)
    assert sorted(map(repr, draw(store))) == sorted(map(repr, draw(store, seed=1)))
    assert draw(store, 6) == draw(store)[:6]


def test_disputed_ones_come_first(store: Store) -> None:
    common = [place for place in draw(store) if place.check == "common" and place.outcome == "pass"]
    for number, place in enumerate(common[-2:]):
        answer = "fails" if number else "holds"
        store.add(
            make_review(number, trajectory=place.trajectory, step=0, check="common", answer=answer, reviewer="you")
        )
    store.index.sync()
    first, *rest = draw(store)
    assert (first.trajectory, first.disputed) == (common[-1].trajectory, True)
    assert not any(place.disputed for place in rest)


def test_what_the_reviewer_answered_is_not_asked_again(store: Store) -> None:
    first = draw(store)[0]
    spot = {"trajectory": first.trajectory, "step": first.step, "check": first.check}
    store.add(make_review(0, answer="unsure", **spot))
    store.index.sync()
    assert first.trajectory not in [p.trajectory for p in draw(store) if p.check == first.check]
    assert count_places(store.index, "me") == (17, 1) and count_places(store.index, "you") == (17, 0)
    assert len(draw(store, reviewer="you")) == 17
    store.add(make_review(1, answer="withdrawn", **spot))
    store.index.sync()
    assert count_places(store.index, "me") == (17, 0) and len(draw(store)) == 17


def test_the_size_of_strata_counts_what_is_answered_too(store: Store) -> None:
    note = next(place for place in draw(store) if place.check == "note")
    store.add(make_review(0, trajectory=note.trajectory, step=None, check="note", said="fail", answer="fails"))
    store.index.sync()
    assert {place.stratum for place in draw(store) if place.check == "note"} == {3}


@pytest.mark.parametrize(
    ("flt", "wanted"),
    [
        ({"policies": ("random",)}, {("common", "fail"): 1}),
        ({"checks": ("note", "rare")}, {("note", "fail"): 3, ("rare", "fail"): 1}),
        ({"outcomes": ("pass",)}, {("common", "pass"): 12}),
        ({"outcomes": ("fail",)}, {("common", "fail"): 1, ("note", "fail"): 3, ("rare", "fail"): 1}),
        ({"error_classes": ("repetition",)}, {("note", "fail"): 3}),
        ({"gates_only": True}, {("common", "fail"): 1, ("common", "pass"): 12, ("rare", "fail"): 1}),
        ({"gates_only": True, "outcomes": ("fail",), "policies": ("smollm2-135m",)}, {("rare", "fail"): 1}),
        ({"checks": ("nothing",)}, {}),
    ],
)
def test_filters(store: Store, flt: dict[str, Any], wanted: dict[tuple[str, str], int]) -> None:
    found: dict[tuple[str, str], int] = {}
    for place in draw_places(store.index, "me", EVERYTHING, flt=PlaceFilter.model_validate(flt)):
        found[place.check, place.outcome] = found.get((place.check, place.outcome), 0) + 1
    assert found == wanted
    assert count_places(store.index, "me", PlaceFilter.model_validate(flt)) == (sum(wanted.values()), 0)


def test_a_corrected_verdict_is_still_asked_about_as_the_check_said_it(store: Store) -> None:
    attempt = make_trajectory(5).id
    corrected = Verdict(check="rare", version=1, outcome="pass", gate=True)
    store.add(make_rejudgement(5, cause="review", rescore=None, verdicts=(corrected,), steps=((),), tools=("x",)))
    store.index.sync()
    (rare,) = draw(store, checks=("rare",))
    assert (rare.trajectory, rare.outcome) == (attempt, "fail")


def test_a_verdict_judged_again_is_asked_about_as_it_is_now(store: Store) -> None:
    now = Verdict(check="rare", version=2, outcome="pass", gate=True)
    store.add(make_rejudgement(5, verdicts=(now,), steps=((),), tools=("x",)))
    store.index.sync()
    (rare,) = draw(store, checks=("rare",))
    assert rare.outcome == "pass"


def test_an_empty_store_asks_nothing(home: Settings) -> None:
    with Store(home) as empty:
        empty.index.sync()
        assert draw_places(empty.index, "me", 5) == [] and count_places(empty.index, "me") == (0, 0)

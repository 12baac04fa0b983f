"""Content that is held out: every sixth entry of the named lists, for training seeds only."""

from lamsim_core.tools.held_out import EVERY, content_for, for_training, held_out_entries, split_rules

CONTENT = {"held_out": ["names"], "names": [f"n{place}" for place in range(1, 15)], "places": ["a", "b"]}


def test_training_sees_no_sixth_entry() -> None:
    assert content_for(CONTENT, 0) == {"names": [f"n{p}" for p in range(1, 15) if p % EVERY], "places": ["a", "b"]}
    assert content_for(CONTENT, split_rules().train_seeds)["names"] == CONTENT["names"]
    assert held_out_entries(CONTENT) == ["n6", "n12"]
    assert CONTENT["held_out"] == ["names"], "the content itself stays as it is"


def test_seeds() -> None:
    first = split_rules().train_seeds
    assert for_training(0) and for_training(first - 1) and not for_training(first)

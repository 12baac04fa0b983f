"""The faster numbers are chosen, 16 bits where there is little between them."""

from collections.abc import Iterator

import pytest

from lamsim_core.models import arithmetic
from lamsim_core.models.arithmetic import fastest_dtype


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    fastest_dtype.cache_clear()
    yield
    fastest_dtype.cache_clear()


@pytest.mark.parametrize(
    ("narrow", "wide", "chosen"), [(1.0, 3.0, "bfloat16"), (1.0, 0.9, "bfloat16"), (1.0, 0.5, "float32")]
)
def test_the_clearly_faster_is_chosen(monkeypatch: pytest.MonkeyPatch, narrow: float, wide: float, chosen: str) -> None:
    import torch

    times = {torch.bfloat16: narrow, torch.float32: wide}
    monkeypatch.setattr(arithmetic, "_seconds", times.__getitem__)
    assert fastest_dtype() is getattr(torch, chosen)


def test_it_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    measure = arithmetic._seconds

    def counted(dtype: object) -> float:
        asked.append(dtype)
        return measure(dtype)

    monkeypatch.setattr(arithmetic, "_seconds", counted)
    assert fastest_dtype() is fastest_dtype()
    assert len(asked) == 2

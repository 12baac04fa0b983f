"""Every page is timed, and a page that breaks down is no time."""

from pathlib import Path

import pytest

from lamsim_core.errors import LamsimError
from lamsim_core.settings import Settings
from lamsim_core.ui import page_bench


def test_the_start_and_every_page_are_timed(home: Settings) -> None:
    found = page_bench.bench_app(home, rounds=1)
    files = sorted(path.stem.partition("_")[2] for path in Path("pages").glob("*.py"))
    assert sorted(each.page for each in found.pages) == sorted(["Home", *files])
    assert found.start > 0 and all(0 < each.median <= each.p95 for each in found.pages)
    assert found.trajectories == 0


def test_a_page_that_breaks_down_is_told(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    monkeypatch.setattr(page_bench, "REPOSITORY", tmp_path)
    monkeypatch.setattr(page_bench, "time_start", lambda: 1.0)
    with pytest.raises(LamsimError, match=r"app\.py broke down"):
        page_bench.bench_app(home, rounds=1)

"""Every regression case is judged as people settled it; see cases/README.md."""

from pathlib import Path

import pytest

from lamsim_core.review.cases import ENDING, read_case, replay

FOLDER = Path(__file__).with_name("cases")
README = FOLDER / "README.md"


@pytest.mark.parametrize("path", [README, *sorted(FOLDER.glob(f"*{ENDING}"))], ids=lambda path: path.name)
def test_the_check_says_what_people_settled(path: Path) -> None:
    if path == README:
        assert ENDING in path.read_text(encoding="utf-8"), "the folder says what it is for, even while it is empty"
        return
    found = replay(read_case(path))
    assert found.right, f"{found.case}: should say {found.wanted}, says {found.says}"

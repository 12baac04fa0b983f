"""The log's end and the numbers, whatever bytes are in them."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lamsim_core.jobs import output
from lamsim_core.jobs.output import MetricsFile, read_metrics, tail


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "log.txt", 10) == ""
    assert read_metrics(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"", 3, ""),
        (b"one\n", 3, "one"),
        (b"one\ntwo\nthree", 2, "two\nthree"),
        (b"one\ntwo\nthree\n", 2, "two\nthree"),
        (b"one\n\n", 2, "one\n"),
        (b"one\n", 0, ""),
        (b"\xff\xfe bad \x80\n", 1, "\ufffd\ufffd bad \ufffd"),
        (b" 1%\r 2%\r 3%\nnext\r\n", 2, " 3%\nnext"),
    ],
)
def test_tail(tmp_path: Path, content: bytes, lines: int, expected: str) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(content)
    assert tail(path, lines) == expected


def test_tail_reads_only_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.seek(1 << 40)  # a sparse file of a terabyte
        file.write("\nlätt\nend\n".encode())
    assert tail(path, 2) == "lätt\nend"
    assert len(tail(path, 10_000)) <= output._MOST + output._BLOCK


@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40), max_size=60),
    lines=st.integers(1, 70),
    block=st.integers(1, 64),
)
def test_tail_is_what_reading_everything_gives(tmp_path: Path, rows: list[str], lines: int, block: int) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "_BLOCK", block)
        assert tail(path, lines) == "\n".join(rows[-lines:])


def test_metrics_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsFile(path).append({"step": 1, "loss": 2.5})
    MetricsFile(path).append({"step": 2, "loss": float("nan")})
    MetricsFile(path).append({"step": 3, "loss": float("-inf"), "rate": None})
    assert read_metrics(path) == [
        {"step": 1, "loss": 2.5},
        {"step": 2, "loss": None},
        {"step": 3, "loss": None, "rate": None},
    ]


def test_a_line_torn_at_any_byte_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsFile(path).append({"step": 1})
    first = path.read_bytes()
    MetricsFile(path).append({"step": 2})
    whole = path.read_bytes()
    for cut in range(len(first), len(whole)):
        path.write_bytes(whole[:cut])
        assert read_metrics(path) == [{"step": 1}]
        MetricsFile(path).append({"step": 3})
        rows = read_metrics(path)
        # Without its newline alone the line is whole, and closing it brings it back.
        assert rows == (
            [{"step": 1}, {"step": 2}, {"step": 3}] if cut == len(whole) - 1 else [{"step": 1}, {"step": 3}]
        )


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [
        b'{"step":1}',
        b"\xff\xfe",
        b"[1]",
        b"3",
        b"",
        b"[" * 100_000,
        b'{"step":2,"loss":NaN,"x":"text","y":true}',
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert read_metrics(path) == [{"step": 1}, {"step": 2}]


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        MetricsFile(tmp_path / "metrics.jsonl").append({"loss": json})  # type: ignore[dict-item]
    assert read_metrics(tmp_path / "metrics.jsonl") == []

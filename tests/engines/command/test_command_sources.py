"""A file that grows, and the log of the rest."""

from __future__ import annotations

from pathlib import Path

from study.engines.command.reports import Reader
from study.engines.command.sources import MOST, Follower, Log


def follower(path: Path) -> Follower:
    """Of CSV and JSON."""
    return Follower(path, Reader())


def test_a_file_is_read_as_it_grows(tmp_path: Path) -> None:
    """Half a line waits for its other half; before the file is there nothing is read."""
    path = tmp_path / "log.csv"
    seen = follower(path)
    assert list(seen.read()) == []
    path.write_text("step,acc\n1,0.5\n2,0.")
    assert [report.step for report in seen.read()] == [1]
    with path.open("a") as file:
        file.write("75\n")
    assert [report.values["acc"] for report in seen.read()] == [0.75]
    assert list(seen.read()) == []


def test_a_file_that_is_written_anew_is_not_told_twice(tmp_path: Path) -> None:
    """As some loggers do when a column comes, by another file or in the same one."""
    path = tmp_path / "metrics.csv"
    seen = follower(path)
    path.write_text("step,loss\n1,0.5\n2,0.25\n")
    assert len(list(seen.read())) == 2
    path.write_text("step,loss,acc\n1,0.5,\n2,0.25,\n3,,0.9\n")
    assert [(report.step, dict(report.values)) for report in seen.read()] == [(3, {"acc": 0.9})]
    other = tmp_path / "new.csv"
    other.write_text("step,loss,acc\n1,0.5,\n2,0.25,\n3,,0.9\n4,,0.95\n")
    other.replace(path)
    assert [report.step for report in seen.read()] == [4]


def test_a_large_file_is_read_whole(tmp_path: Path) -> None:
    """Several pieces, one after another."""
    path = tmp_path / "log.csv"
    path.write_text("step,acc\n" + "".join(f"{i},0.123456789012\n" for i in range(60_000)))
    assert [report.step for report in follower(path).read()] == list(range(60_000))


def test_a_folder_in_place_of_the_file_is_no_file(tmp_path: Path) -> None:
    """Nor would be a pipe, at which one might wait for ever."""
    assert list(follower(tmp_path).read()) == []


def test_a_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    """And says how much it left out."""
    log = Log(tmp_path / "own" / "log.txt")
    for i in range(100_000):
        log.write(f"line {i:06}".encode())
    log.close()
    text = log.path.read_text()
    assert len(text) < 2 * MOST + 100
    assert text.startswith("line 000000\nline 000001\n")
    assert text.endswith("line 099998\nline 099999\n")
    left_out = int(text.split("... ")[1].split()[0])
    lines = [line for line in text.splitlines() if line.startswith("line")]
    assert left_out + sum(len(line) + 1 for line in lines) == 100_000 * 12


def test_a_log_that_is_a_little_too_long_has_each_line_once(tmp_path: Path) -> None:
    """Where beginning and end meet nothing is left out, and nothing is doubled."""
    log = Log(tmp_path / "log.txt")
    lines = [f"{i:099}" for i in range(1000)]
    for line in lines:
        log.write(line.encode())
    log.close()
    assert log.path.read_text().splitlines() == lines


def test_a_short_log_is_as_it_was_said_and_none_makes_no_file(tmp_path: Path) -> None:
    """The file is there when there is something to write."""
    log = Log(tmp_path / "log.txt")
    log.close()
    assert not log.path.exists()
    log.write(b"one")
    assert log.path.read_text() == "one\n"
    log.write(b"\xff two")
    log.close()
    assert log.path.read_bytes() == b"one\n\xff two\n"
    assert log.last(4) == "two"


def test_a_log_that_cannot_be_written_costs_no_trial(tmp_path: Path) -> None:
    """Its end is still known."""
    (tmp_path / "file").write_text("")
    log = Log(tmp_path / "file" / "log.txt")
    log.write(b"why it failed")
    log.close()
    assert log.last(100) == "why it failed"

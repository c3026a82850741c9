"""Reports as programs print them, and as loggers write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from study.engines.command.reports import LONGEST, BadReport, Lines, Reader, Report


def read(text: str, pattern: str = "") -> list[Report]:
    """The reports in a text."""
    reader = Reader(pattern)
    found = (reader.read(line) for line, whole in Lines().feed(text.encode()) if whole)
    return [report for report in found if report is not None]


def test_json_lines_among_other_words() -> None:
    """Numbers count, also in quotes; words, truths and what is nested do not."""
    text = (
        "loading 1, 2\n"
        '{"step": 10, "accuracy": 0.5, "loss": NaN, "note": "x", "best": true, "deep": {"a": 1}}\n'
        '{"lr": 0.1}\n{broken\n[1, 2]\n{"global_step": 20.0, "val_acc": "0.75", "none": null}\n'
    )
    first, second = read(text)
    assert (first.step, set(first.values), first.unit) == (10, {"accuracy", "loss"}, "step")
    assert math.isnan(first.values["loss"])
    assert second == Report(20, {"val_acc": 0.75}, "global_step")


def test_the_file_of_keras_counts_epochs_that_are_over() -> None:
    """CSVLogger writes epoch 0 when one is over."""
    text = "epoch,accuracy,loss\n0,0.5,1.25\n1,0.75,0.5\n"
    assert read(text) == [
        Report(1, {"accuracy": 0.5, "loss": 1.25}, "epoch"),
        Report(2, {"accuracy": 0.75, "loss": 0.5}, "epoch"),
    ]


def test_the_file_of_lightning_has_holes() -> None:
    """Rows of training and of validation take turns; a step counts before an epoch."""
    text = "epoch,step,train_loss,val_acc\n0,49,0.75,\n0,49,,0.5\n1,99,0.25,\n"
    assert read(text) == [
        Report(49, {"epoch": 0.0, "train_loss": 0.75}),
        Report(49, {"epoch": 0.0, "val_acc": 0.5}),
        Report(99, {"epoch": 1.0, "train_loss": 0.25}),
    ]


def test_an_epoch_that_is_printed_is_taken_as_it_is() -> None:
    """Nobody says whether it has begun or is over."""
    assert read('{"epoch": 0, "acc": 0.5}\n')[0].step == 0
    assert read("epoch,acc\n1,0.5\n2,0.6\n")[0].step == 1


def test_a_pattern_names_what_it_finds() -> None:
    """Anywhere in a line; a group that is not there is left out."""
    pattern = r"step (?P<step>\d+)(?: loss (?P<loss>\S+))? .*acc (?P<accuracy>[\d.]+)"
    assert read("[info] step 5 loss nan and acc 0.25\nstep 6 x acc 1\nacc 3\n", pattern)[1] == (
        Report(6, {"accuracy": 1.0})
    )


@pytest.mark.parametrize(
    ("text", "pattern", "said"),
    [
        ('{"step": 0.5}\n', "", "step 0.5 must be a whole number"),
        ('{"step": -1}\n', "", "step -1 must be a whole number"),
        ('{"step": "many"}\n', "", "step 'many' must be a whole number"),
        ('{"step": Infinity}\n', "", "step inf must be a whole number"),
        ("step 3 acc 0.9.1\n", r"step (?P<step>\d+) acc (?P<acc>\S+)", "acc '0.9.1' is no number"),
    ],
)
def test_a_report_that_cannot_be_is_told(text: str, pattern: str, said: str) -> None:
    """With its value."""
    with pytest.raises(BadReport, match=said):
        read(text, pattern)


def test_a_line_of_words_with_commas_is_no_header() -> None:
    """Nor is a row without one."""
    assert read("0,0.5,1\nstep by step, we go\n1,2\n") == []
    assert [r.step for r in read("step,acc\n1,0.5\nsaved, done\n2,0.6\n")] == [1, 2]


@given(some.lists(some.sampled_from([b"a", b"\n", b"\r", b"bc"])), some.integers(1, 5))
def test_lines_are_the_same_however_they_come(parts: list[bytes], size: int) -> None:
    """In one piece or in many."""
    text = b"".join(parts)
    whole, pieces = Lines(), Lines()
    once = list(whole.feed(text))
    many = [line for i in range(0, len(text), size) for line in pieces.feed(text[i : i + size])]
    assert once == many
    assert whole.rest == pieces.rest == text.replace(b"\r", b"\n").rpartition(b"\n")[2]


def test_a_line_without_end_takes_no_memory() -> None:
    """And is no report."""
    lines = Lines()
    for _ in range(100):
        assert list(lines.feed(b"x" * LONGEST)) == []
        assert len(lines.rest) == LONGEST
    ((line, whole),) = lines.feed(b"x\n")
    assert (len(line), whole) == (LONGEST, False)
    assert list(lines.feed(b"y\n")) == [(b"y", True)]

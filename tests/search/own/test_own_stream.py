"""Data that is read again and again, and rates that share a factor."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from study.errors import StudyError
from study.search.own.stream import cycled, described, length_of, read_on, rows_by_batch
from study.search.own.together import shares_of, whose


def test_epochs_follow_each_other() -> None:
    """Each is read from its start; an empty one is told."""
    assert list(islice(cycled(lambda: "abc"), 7)) == list("abcabca")
    with pytest.raises(StudyError, match="x holds no batch: give some data"):
        next(cycled(lambda: ()))
    left = [[], ["a"]]
    found = cycled(lambda: left.pop())
    assert next(found) == "a"
    with pytest.raises(StudyError, match="x holds no batch"):
        next(found)


def test_a_generator_is_read_to_its_end() -> None:
    """Which is an error that tells the way out."""
    found = read_on(iter("ab"), "give more")
    assert [next(found), next(found)] == ["a", "b"]
    with pytest.raises(StudyError, match=r"ended after 2 batches: ask for fewer steps, or give mo"):
        next(found)


@pytest.mark.parametrize(("lengths", "words"), [([3, 2, 3], "3 and 2"), ([], "no"), ([0], "0")])
def test_parts_share_their_length(lengths: list[int], words: str) -> None:
    """Which is at least one."""
    assert length_of([4, 4], "x and y") == 4
    with pytest.raises(StudyError, match=f"x and y hold {words} samples: as many of each, at le"):
        length_of(lengths, "x and y")


@pytest.mark.parametrize(("samples", "size", "batches"), [(7, 3, 2), (6, 3, 2), (5, 5, 1)])
def test_rows_are_those_of_a_permutation(samples: int, size: int, batches: int) -> None:
    """Without those that are left over."""
    found = list(rows_by_batch(samples, size, np.random.default_rng(3)))
    order = np.random.default_rng(3).permutation(samples)
    assert np.concatenate(found).tolist() == order[: size * batches].tolist()
    assert [len(rows) for rows in found] == [size] * batches


def test_a_part_is_described_without_its_values() -> None:
    """By its kind and its shape."""
    assert described(1.5) == "a single float"
    assert described(np.ones((2, 3))) == "a ndarray of shape (2, 3)"
    assert described([1, 2]) == "a list"


def test_shares_are_of_the_first_rate() -> None:
    """A lone rate is not read; a first one of 0 has no shares."""
    assert shares_of({"a": 2.0, "b": 1.0, "c": 0.0}, float) == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert shares_of({"a": None}, lambda one: 1 / 0) == {"a": 1.0}
    assert shares_of({"a": 3.0, "b": 1.0}, float)["a"] == 1.0
    for first in (0.0, -1.0, float("nan")):
        with pytest.raises(StudyError, match=r"the rate of a is .*name one group to lead"):
            shares_of({"a": first, "b": 1.0}, float)
    assert whose({"a": 1.0}) == "a"
    assert whose({"a": 1.0, "b": 1 / 3}) == "a, b having 0.333 of it"

"""The parts of a batch apart from any module: which rows, of what type, and how they are passed."""

from __future__ import annotations

from collections import UserDict
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.utils.data import DataLoader, TensorDataset

from study.errors import StudyError
from study.search.torch.batches import batches_of, epochs
from study.search.torch.parts import called, finite, leaves, pair_of, samples, tensors, told

pytestmark = pytest.mark.slow

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)
LIKE = torch.empty(0)


class Pair(NamedTuple):
    """A batch with names."""

    x: Any
    y: Any


PACKED = pack_sequence([torch.ones(2, 1), torch.ones(1, 1)])


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ((1, 2), (1, 2)),
        ([1, 2], (1, 2)),
        (Pair(1, 2), (1, 2)),
        ((1,), (1, None)),
        ((), ((), None)),
        ({"a": 1}, ({"a": 1}, None)),
        (((1, 2), 3), ((1, 2), 3)),
        (PACKED, (PACKED, None)),
    ],
)
def test_inputs_are_told_from_targets(batch: Any, expected: Any) -> None:
    """A packed sequence is a whole, though it is a tuple."""
    assert pair_of(batch) == expected


def test_several_inputs_become_arguments() -> None:
    """By place, or by name."""

    def module(*by_place: Any, **by_name: Any) -> Any:
        return by_place, by_name

    assert called(module, 1) == ((1,), {})
    assert called(module, (1, 2)) == called(module, [1, 2]) == ((1, 2), {})
    assert called(module, {"a": 1}) == called(module, UserDict(a=1)) == ((), {"a": 1})
    assert called(module, PACKED) == ((PACKED,), {})


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.ones(2), torch.float32),
        (np.ones(2, np.float16), torch.float32),
        (np.ones(2, ">f8"), torch.float32),
        (np.ones(2, np.int16), torch.int64),
        (np.ones(2, np.uint32), torch.int64),
        (np.ones(2, np.uint8), torch.uint8),
        (np.ones(2, np.int8), torch.int8),
        (np.ones(2, bool), torch.bool),
        (np.ones(2, np.complex64), torch.complex64),
        (np.float64(1), torch.float32),
        (np.ones(4)[::-2], torch.float32),
        (np.broadcast_to(np.ones(1), 2), torch.float32),
    ],
)
def test_numbers_of_numpy_become_tensors(array: Any, dtype: Any) -> None:
    """Of the usual types, whatever their order and memory; tensors keep theirs."""
    made = tensors(array, LIKE)
    assert made.dtype == dtype
    assert made.shape == np.shape(array)
    assert bool((made == 1).all())
    kept = torch.ones(2, dtype=torch.float16)
    assert tensors(kept, LIKE) is kept


def test_a_batch_keeps_its_structure() -> None:
    """What is no array stays what it is."""
    made = tensors({"a": [X, ("text", 3, None)], "b": UserDict(c=X)}, LIKE)
    assert isinstance(made["a"], list)
    assert made["a"][1] == ("text", 3, None)
    assert isinstance(made["b"], dict)
    assert torch.equal(made["b"]["c"], torch.from_numpy(X))
    assert isinstance(tensors(Pair(X, Y), LIKE), Pair)
    assert isinstance(tensors(PACKED, LIKE), PackedSequence)
    with pytest.raises(StudyError, match=r"a ndarray of shape \(1,\): give numbers"):
        tensors((X, np.array(["a"])), LIKE)


def test_batches_come_to_the_device_of_the_module() -> None:
    """The device that holds nothing shows it anywhere."""
    like = torch.empty(0, device="meta", dtype=torch.float64)
    made = tensors((X, {"y": torch.ones(2)}), like)
    assert (made[0].device.type, made[0].dtype) == ("meta", torch.float64)
    assert (made[1]["y"].device.type, made[1]["y"].dtype) == ("meta", torch.float32)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ((torch.ones(2), torch.ones(2, dtype=torch.int64)), True),
        ({"a": [torch.tensor([1.0, torch.nan])]}, False),
        (torch.tensor([1.0, -torch.inf]), False),
        (torch.tensor([1 + 1j, torch.nan]), False),
        (("text", None, 3.0), True),
    ],
)
def test_a_batch_is_finite_if_all_its_numbers_are(batch: Any, expected: bool) -> None:
    """Wherever they stand."""
    assert finite(batch) is expected


def test_a_batch_is_counted_and_told() -> None:
    """By its first part that has a length; nothing is told of values."""
    assert samples(({"a": torch.ones(()), "b": torch.ones(3, 2)}, torch.ones(4))) == 3
    assert samples((1.0, "text")) == 1
    assert list(leaves({"a": (1, [2, 3]), "b": 4})) == [1, 2, 3, 4]
    assert told((torch.ones(3, 2), None, 1.0)) == "a Tensor of shape (3, 2) and a single float"
    assert told(None) == "nothing"


@pytest.mark.parametrize(
    ("size", "length"), [(1, 10), (3, 3), (5, 2), (6, 1), (9, 1), (10, 1), (11, 1)]
)
def test_rows_come_in_an_order_drawn_anew_each_epoch(size: int, length: int) -> None:
    """NumPy's permutations of the seed, of arrays and of samples; what is left over is left out."""
    data: list[tuple[Any, Any]] = [((X, Y), None), (X, Y), (TensorDataset(*_pair()), None)]
    for given, targets in data:
        found, known = batches_of(given, targets, size, 7)
        assert known == length
        draw, rows = np.random.default_rng(7), min(size, 10)
        for _ in range(2):
            order = draw.permutation(10)
            for begin in range(0, length * rows, rows):
                x, y = next(found)
                chosen = order[begin : begin + rows]
                assert np.asarray(x).tolist() == X[chosen].tolist()
                assert np.asarray(y).tolist() == chosen.tolist()


def _pair() -> tuple[Any, Any]:
    return torch.from_numpy(X), torch.from_numpy(Y)


@pytest.mark.parametrize(("size", "lengths"), [(4, [4, 4, 2]), (5, [5, 5]), (10, [10]), (99, [10])])
def test_without_an_order_all_rows_come_as_they_lie(size: int, lengths: list[int]) -> None:
    """The smaller last batch as well."""
    for given in ((X, Y), TensorDataset(*_pair())):
        epoch, known = epochs(given, None, size, None)
        assert known == len(lengths)
        for _ in range(2):
            batches = list(epoch())
            assert [len(y) for _, y in batches] == lengths
            assert np.concatenate([np.asarray(y) for _, y in batches]).tolist() == Y.tolist()


def test_the_order_draws_no_number_of_the_global_generator() -> None:
    """So dropout draws the same, whether data is an array or a data set."""
    before = torch.get_rng_state()
    for given in ((X, Y), TensorDataset(*_pair())):
        found, _ = batches_of(given, None, 3, 0)
        list(islice(found, 9))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_lone_pair_of_arrays_is_told_from_batches() -> None:
    """In a tuple or a list; a list of anything else yields batches, and so does a loader."""
    assert batches_of([X, Y], None, 2, 0)[1] == 5
    assert batches_of([(X, Y), (X, Y), (X, Y)], None, 2, 0)[1] == 3
    assert batches_of(((X, X), Y), None, 2, 0)[1] == 5
    assert batches_of(([X, X], {"a": Y}), None, 2, 0)[1] == 5
    assert batches_of(DataLoader(TensorDataset(*_pair()), 3), None, 2, 0)[1] == 4
    assert batches_of({1}, None, 2, 0)[1] == 1
    assert batches_of(iter([]), None, 2, 0)[1] is None

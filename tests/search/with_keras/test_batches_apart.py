"""Arrays, batches and weights apart from any model: which rows, in which order, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest

from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from study.search.keras import arrays, batches, dataset
from study.search.keras.batches import batches_of, is_arrays, weighed
from study.search.own.stream import described

pytestmark = pytest.mark.slow

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)


@pytest.mark.parametrize(
    ("size", "length"), [(1, 10), (3, 3), (5, 2), (6, 1), (9, 1), (10, 1), (11, 1)]
)
def test_arrays_come_in_an_order_drawn_anew_each_epoch(size: int, length: int) -> None:
    """NumPy's permutations of the seed; what is left over at the end of one is left out."""
    found, told = batches_of(X, Y, None, size, 7)
    assert told == length
    random, size = np.random.default_rng(7), min(size, 10)
    for _ in range(2):
        order = random.permutation(10)
        for begin in range(0, length * size, size):
            x, y = next(found)
            chosen = order[begin : begin + size]
            assert np.asarray(x).tolist() == X[chosen].tolist()
            assert np.asarray(y).tolist() == chosen.tolist()


@pytest.mark.parametrize(
    ("x", "y", "weight", "words"),
    [
        (X, Y[:9], None, "hold 10 and 9 samples"),
        (X, Y, np.ones(3), "hold 10 and 3 samples"),
        (X[:0], Y[:0], None, "hold 0 samples"),
        ([], None, None, "hold no samples"),
        (X, 3, None, "x, y and sample_weight must be arrays, and one holds a single int"),
        (np.array(3.0), None, None, "one holds a ndarray of shape ()"),
        (X, {1, 2}, None, "one holds a set"),
        (iter([]), Y, None, "which yields targets and weights itself"),
        (iter([]), None, Y, "which yields targets and weights itself"),
    ],
)
def test_what_does_not_fit_together_is_refused(x: Any, y: Any, weight: Any, words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError) as told:
        batches_of(x, y, weight, 4, 0)
    assert words in str(told.value)


class Loader:
    """Batches that can be read again, whose number is known or not."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[Any]:
        return iter([(X[:2], Y[i : i + 2]) for i in range(self.count)])


class Sized(Loader):
    """One that tells how many they are."""

    def __len__(self) -> int:
        return self.count


class Indexed(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches by number; endless where no number is given."""

    def __init__(self, count: int | None) -> None:
        super().__init__()
        self.count = count

    @property
    def num_batches(self) -> int | None:
        return self.count

    def __getitem__(self, place: int) -> Any:
        return X[:2], np.array([place, place])


def labels(found: Iterator[Any], count: int) -> list[int]:
    return [int(np.asarray(y)[0]) for _, y in islice(found, count)]


def test_loaders_start_again_and_generators_are_read_on() -> None:
    """A generator's end is told, and so is a loader that is empty."""
    for kind, length in ((Loader, None), (Sized, 3)):
        found, told = batches_of(kind(3), None, None, 4, 0)
        assert (labels(found, 7), told) == ([0, 1, 2, 0, 1, 2, 0], length)
        with pytest.raises(StudyError, match="x holds no batch: give some data"):
            next(batches_of(kind(0), None, None, 4, 0)[0])
    found, told = batches_of(iter(Loader(3)), None, None, 4, 0)
    assert (labels(found, 3), told) == ([0, 1, 2], None)
    with pytest.raises(StudyError, match="and it ended after 3 batches: ask for fewer steps"):
        next(found)


def test_the_batches_of_a_pydataset_are_shuffled() -> None:
    """By the seed; endless ones are counted up."""
    found, told = batches_of(Indexed(5), None, None, 4, 3)
    random = np.random.default_rng(3)
    assert told == 5
    assert labels(found, 10) == [*random.permutation(5), *random.permutation(5)]
    found, told = batches_of(Indexed(None), None, None, 4, 3)
    assert (labels(found, 6), told) == ([0, 1, 2, 3, 4, 5], None)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        *[(one, True) for one in ([1], (1,), {"a": 1}, "a", b"a", X, tf.constant([1.0]), 1, None)],
        *[(one, False) for one in (iter([1]), Loader(1), Indexed(1), {1})],
    ],
)
def test_arrays_are_told_from_what_yields_batches(x: Any, expected: bool) -> None:
    """A list is arrays, a set is not."""
    assert is_arrays(x) is expected


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 2, 1]),
        np.array([[0], [2], [1]]),
        np.eye(3)[[0, 2, 1]],
        np.array([0.4, 1.6, 1.4]),
    ],
)
def test_a_sample_weighs_as_its_class(y: Any) -> None:
    """By its number, rounded, or its place; a class without a weight counts once."""
    ((x, same, weight),) = weighed([(X[:3], y)], {0: 5.0, 2: 0.5})
    assert (x is not None, same is y) == (True, True)
    assert (weight.tolist(), weight.dtype) == ([5.0, 0.5, 1.0], np.float32)


@pytest.mark.parametrize(
    "batch", [X, (X,), (X, Y, Y), [X, Y, None], (X, np.zeros((2, 2, 2))), (X, 1), (X, np.array(1))]
)
def test_weights_of_classes_need_pairs_of_one_output(batch: Any) -> None:
    """And are a dict."""
    with pytest.raises(StudyError, match="class_weight needs batches of inputs and one array"):
        next(weighed([batch], {0: 1.0}))
    with pytest.raises(StudyError, match="class_weight is a list: give a dict"):
        next(weighed([(X, Y)], [1.0]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (1, "a single int"),
        (True, "a single bool"),
        (1.0, "a single float"),
        ("x", "a single str"),
        (b"x", "a single bytes"),
        (X, "a ndarray of shape (10, 2)"),
        (np.array(["a", 1], object), "an array of Python objects of shape (2,)"),
        ([1], "a list"),
        (None, "a NoneType"),
    ],
)
def test_a_part_is_described_without_its_values(part: Any, words: str) -> None:
    """By its kind and its shape."""
    assert described(part) == words


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ((X, Y), True),
        ((X, np.array([1.0, np.nan])), False),
        ({"a": [np.array([np.inf])], "b": Y}, False),
        (np.array(["a"]), True),
        ((tf.ragged.constant([[1.0], [2.0, 3.0]]), None), True),
        (tf.ragged.constant([[1.0], [2.0, np.nan]]), False),
        (tf.sparse.from_dense([[0.0, np.inf]]), False),
        ([np.array([1 + 1j, np.nan])], False),
    ],
)
def test_a_batch_is_finite_if_all_its_numbers_are(batch: Any, expected: bool) -> None:
    """Wherever they stand."""
    assert arrays.finite(batch) is expected


def test_parts_of_a_batch_become_what_a_step_takes() -> None:
    """Strings become tensors, and numbers stay; other objects are refused."""
    for text in (np.array(["a", "b"]), np.array([b"a", b"b"]), np.array(["a", b"b"], object)):
        made = arrays.as_tensor(text)
        assert made.dtype == tf.string
        assert made.numpy().tolist() == [b"a", b"b"]
    assert arrays.as_tensor(X) is X or np.array_equal(arrays.as_tensor(X), X)
    assert arrays.as_tensor(3).tolist() == 3
    tensor = tf.constant([1.0])
    assert arrays.as_tensor(tensor) is tensor
    with pytest.raises(StudyError, match="and they are no strings: give numbers"):
        arrays.as_tensor(np.array(["a", 1], object))
    assert arrays.sliceable(None) is arrays.rows(None, [0]) is None
    assert batches.INSTEAD.startswith("give arrays")


@pytest.mark.parametrize(("more", "copied"), [(0, True), (1, False)])
def test_a_data_set_of_16_mib_is_copied(
    more: int, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a larger one is read itself; both give the same."""
    assert dataset.LARGEST == 16 * 2**20
    monkeypatch.setattr(dataset, "LARGEST", 1000)
    made = tf.data.Dataset.from_tensor_slices(tf.zeros([250 + more, 4], tf.uint8))
    found = dataset.undisturbed(made, tf)
    assert (found is not made) == copied
    assert [len(one) for one in found.as_numpy_iterator()] == [4] * (250 + more)

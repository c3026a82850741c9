"""What a user may give as data, in what order it comes, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from study.engines.batches import batch_order
from study.engines.own.code import Code
from study.engines.own.data.feeds import Arrays, Feed
from study.engines.own.data.samples import samples_of
from study.errors import StudyError
from support.engines.user_models import rows

X, Y = rows(60)


def samples(given: Any) -> Any:
    """The data of a function that gives this."""
    return samples_of(Code(len, lambda: given))


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ((X, Y), (60, None)),
        ([X, Y], (60, None)),
        ((X, Y, np.ones(60)), (60, None)),
        (((X[:40], Y[:40]), (X[40:], Y[40:])), (40, 20)),
        ((X[:40], Y[:40], X[40:], Y[40:]), (40, 20)),
        ({"x": X, "y": Y, "x_val": X[:5], "y_val": Y[:5]}, (60, 5)),
        (({"left": X, "right": X}, Y), (60, None)),
    ],
)
def test_arrays_come_in_many_forms(given: Any, counts: tuple[int, int | None]) -> None:
    """Pairs, four arrays, dictionaries, several inputs."""
    found = samples(given)
    held = found.validation.count if found.validation else None
    assert (found.train.count, held) == counts
    assert found.train.arrays[1].shape == (counts[0],)


def test_batches_of_arrays_are_in_the_order_of_the_seed() -> None:
    """That of the built-in networks."""
    feed = Arrays((X, Y))
    ((arrays, order),) = feed.batches(3, 2, 5, 20)
    assert arrays[0] is X
    assert np.array_equal(order, batch_order(3, 2, 5, 20, 60))
    assert feed.steps(20) == 3
    assert sum(len(batch[0]) for batch in feed.epoch(0)) == 60


class Shuffled:
    """Batches in an order of NumPy's global generator, the last of an epoch smaller."""

    def __iter__(self) -> Iterator[Any]:
        order = np.random.permutation(50)  # noqa: NPY002
        for begin in range(0, 50, 20):
            chosen = order[begin : begin + 20]
            yield X[chosen], Y[chosen]


def taken(feed: Feed, seed: int, start: int, count: int) -> list[Any]:
    """The inputs of each step."""
    parts = feed.batches(seed, start, count, 0)
    return [arrays[0][rows_] for arrays, order in parts for rows_ in order]


def test_a_stream_is_the_same_for_each_trial_of_a_seed() -> None:
    """Wherever it is read from, and whatever else draws random numbers meanwhile."""
    feed = samples(Shuffled()).train
    whole = taken(feed.reader(), 1, 0, 8)
    assert [len(batch) for batch in whole] == [20, 20, 10, 20, 20, 10, 20, 20]
    reader = feed.reader()
    first = taken(reader, 1, 0, 4)
    before = str(np.random.get_state())  # noqa: NPY002
    np.random.random(5)  # noqa: NPY002
    rest = taken(reader, 1, 4, 4)
    again = taken(reader, 1, 2, 3)
    other = taken(feed.reader(), 2, 0, 1)
    assert all(map(np.array_equal, whole, first + rest))
    assert all(map(np.array_equal, whole[2:5], again))
    assert not np.array_equal(whole[0], other[0])
    assert before is not None


def test_reading_a_stream_leaves_the_random_numbers_alone() -> None:
    """Dropout of PyTorch draws from them."""
    feed = samples(Shuffled()).train.reader()
    before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    taken(feed, 0, 0, 4)
    assert (random.getstate(), str(np.random.get_state())) == before  # noqa: NPY002


def test_the_digest_tells_other_data_apart() -> None:
    """A number, a label or a validation set that is another is another digest."""
    changed = X.copy()
    changed[3, 2] += 1e-6
    digests = [
        samples(given).digest
        for given in (
            (X, Y),
            (X.copy(), Y.copy()),
            (changed, Y),
            (X, Y[::-1].copy()),
            ((X, Y), (X, Y)),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


NAN = X.copy()
NAN[7, 1] = np.nan


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((NAN, Y), "the training data hold 1 value that is not finite"),
        (((X, Y), (NAN, Y)), "the validation data hold 1 value that"),
        ((X, Y[:50]), "x and y hold 60 and 50 samples: give as many of each"),
        ((X, np.array(["a", "b"] * 30)), "the labels are text: encode them as numbers"),
        ((X[:0], Y[:0]), "a part of the data holds no sample"),
        (7, "the data are a int: give arrays"),
        ((X, Y, X, Y, X), "the data are a tuple of 5 parts"),
        (((X, "y"), (X, Y)), "the labels are text"),
    ],
)
def test_a_mistake_is_one_sentence(given: Any, told: str) -> None:
    """Which says what the data are, and what would be right."""
    with pytest.raises(StudyError, match=told):
        samples(given)


def test_a_generator_and_an_empty_stream_are_refused() -> None:
    """Neither can be read again."""
    with pytest.raises(StudyError, match="can be read only once"):
        samples((X, Y) for _ in range(3))

    class Empty:
        def __iter__(self) -> Iterator[Any]:
            return iter(())

    with pytest.raises(StudyError, match="hold no batch"):
        samples(Empty())


@pytest.mark.slow
def test_the_loaders_of_frameworks_are_streams() -> None:
    """Of TensorFlow, Keras and PyTorch, each the same every time."""
    import keras
    import tensorflow as tf
    import torch

    class Numbered(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, at: int) -> Any:
            return X[at * 20 : (at + 1) * 20], Y[at * 20 : (at + 1) * 20]

    class Items(torch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 60

        def __getitem__(self, at: int) -> Any:
            return X[at], Y[at]

    def flow() -> Any:
        return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(60).batch(20)

    tensors = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    assert isinstance(samples(tensors).train, Arrays)
    givers = (
        flow,
        Numbered,
        Items,
        lambda: torch.utils.data.DataLoader(Items(), batch_size=20, shuffle=True),
    )
    for give in givers:
        found = samples_of(Code(len, give))
        one, other = (taken(found.train.reader(), 5, 0, 4) for _ in range(2))
        assert all(map(np.array_equal, one, other))
        assert (
            sorted(np.concatenate(one[:3])[:, 0])[:60]
            == pytest.approx(sorted(X[:, 0])[: len(np.concatenate(one[:3]))])
            or len(one[0]) == 32
        )
        assert found.train.steps(20) in (2, 3)

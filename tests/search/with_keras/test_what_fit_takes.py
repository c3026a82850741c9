"""Data as `fit` takes it is taken, or refused in a sentence that names a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers, optimizers
from scipy import sparse

import study
from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from study.search.keras import dataset as copies
from study.search.keras.batches import batches_of
from support.engines.own_models import SHORT, Breaks, X, Y, batches, compiled, plain

pytestmark = pytest.mark.slow

NAMES = np.array(["red", "green", "blue"])[Y]


def dense() -> Any:
    keras.utils.set_random_seed(3)
    return compiled(keras.Sequential([layers.Dense(3)]))


def words() -> Any:
    keras.utils.set_random_seed(3)
    look = layers.StringLookup(vocabulary=["red", "green", "blue"])
    return compiled(
        keras.Sequential([look, layers.Embedding(4, 2), layers.Flatten(), layers.Dense(3)])
    )


def on_and_on() -> Iterator[Any]:
    while True:
        for begin in range(0, 256, 32):
            yield X[begin : begin + 32], Y[begin : begin + 32]


def loader() -> list[Any]:
    """Read again from its start, as a DataLoader is."""

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return islice(on_and_on(), 8)

    return [Loader()]


TAKEN: dict[str, tuple[Callable[[], Any], Callable[[], list[Any]]]] = {
    "column of strings": (words, lambda: [NAMES[:, None], Y]),
    "objects": (words, lambda: [NAMES.astype(object), Y]),
    "bytes": (words, lambda: [NAMES.astype(bytes)[:, None], Y]),
    "string tensor": (words, lambda: [tf.constant(NAMES[:, None]), Y]),
    "csr": (dense, lambda: [sparse.csr_matrix(X), Y]),
    "coo": (dense, lambda: [sparse.coo_array(X.astype(np.float64)), Y]),
    "sparse tensor": (dense, lambda: [tf.sparse.from_dense(X), tf.constant(Y)]),
    "data frame": (dense, lambda: [pd.DataFrame(X), pd.Series(Y)]),
    "generator": (dense, lambda: [on_and_on()]),
    "loader": (dense, loader),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_fit_takes_is_taken(kind: str) -> None:
    """The first loss is that of the samples of the first batch, found among all of them."""
    make, data = TAKEN[kind]
    model = make()
    found = study.find_rate(model, *data(), batch_size=256, steps=30, low=1e-9, high=1e-8)
    assert len(found.losses) == 30
    whole = NAMES[:, None] if make is words else X
    part = slice(0, 32) if kind in ("generator", "loader") else slice(None)
    loss = model.evaluate(tf.constant(whole[part]), Y[part], batch_size=256, verbose=0)[0]
    assert found.losses[0] == pytest.approx(loss, rel=1e-5)


def test_rows_stay_together() -> None:
    """Of arrays of all kinds, in an order drawn anew."""
    number = np.arange(64.0)
    kinds = {
        "csr": sparse.csr_matrix(number[:, None] + 1),
        "sparse": tf.sparse.from_dense(number[:, None] + 1),
        "ragged": tf.RaggedTensor.from_row_lengths(number, [1] * 64),
        "words": number.astype(int).astype(str),
        "frame": pd.DataFrame({"a": number}),
    }
    stream, length = batches_of(kinds, number, None, 16, 0)
    assert length == 4
    for _ in range(5):
        parts, y = next(stream)
        assert np.array_equal(tf.sparse.to_dense(parts["csr"])[:, 0], y + 1)
        assert np.array_equal(tf.sparse.to_dense(parts["sparse"])[:, 0], y + 1)
        assert np.array_equal(parts["ragged"].flat_values, y)
        assert [float(word) for word in parts["words"].numpy()] == y.tolist()
        assert parts["frame"][:, 0].tolist() == y.tolist()
    assert y.dtype == np.float32


class Contrast(Breaks):
    """Batches of four parts in a structure of its own, of which one has other rows."""

    def train_step(self, data: Any) -> Any:
        first, (second, others), weight = data["first"], data["rest"], data["weight"]
        with tf.GradientTape() as tape:
            near = tf.reduce_mean((self(first) - self(second)) ** 2)
            loss = weight * (near - 0.01 * tf.reduce_mean(self(others) ** 2))
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


def test_a_batch_of_any_structure_for_a_train_step_of_ones_own() -> None:
    """A dict of pairs with unequal lengths and a single number."""
    parts = [
        {"first": X[:8], "rest": (X[8:16], X[i : i + 40]), "weight": np.float32(2)}
        for i in range(5)
    ]
    given: list[Any] = [
        (part for part in parts * 8),
        tf.data.Dataset.from_generator(
            lambda: iter(parts),
            output_signature=tf.nest.map_structure(tf.type_spec_from_value, parts[0]),
        ),
    ]
    losses = []
    for data in given:
        model = Contrast()
        model(X[:2])
        model.set_weights([np.ones((6, 3)), np.zeros(3)])
        model.compile("adam")
        losses.append(study.find_rate(model, data, **SHORT).losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_class_weights_are_those_of_fit() -> None:
    """As sample weights of the same classes, whatever form targets and data have."""
    weight = {0: 2.0, 2: 0.5}
    samples = np.array([weight.get(one, 1.0) for one in Y])
    right = study.find_rate(dense(), X, Y, sample_weight=samples, **SHORT).losses
    found = study.find_rate(dense(), X, Y, class_weight=weight, **SHORT).losses
    assert found == pytest.approx(right, rel=1e-5)
    model = dense()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    hot = study.find_rate(model, X, np.eye(3)[Y], class_weight=weight, **SHORT).losses
    assert hot == pytest.approx(right, rel=1e-5)
    one = tf.data.Dataset.from_tensor_slices((X, Y)).batch(256)
    weighed = study.find_rate(dense(), one, class_weight=weight, **SHORT).losses[0]
    other = study.find_rate(dense(), X, Y, batch_size=256, sample_weight=samples, **SHORT).losses[0]
    assert weighed == pytest.approx(other, rel=1e-5)


def four() -> Any:
    return tf.data.Dataset.from_tensor_slices((X, X, Y, Y)).batch(32)


def ragged_rows() -> Any:
    return tf.data.Dataset.from_tensors((X[:32], Y[:31])).repeat(300)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda: dict(x=four()), "a batch has 4 parts.*a train_step of its own"),
        (lambda: dict(x=ragged_rows()), r"differ in length.*\(32, 6\).*\(31,\).*batch the data"),
        (lambda: dict(x=islice(on_and_on(), 3)), "read only once.*after 3 batches"),
        (lambda: dict(x=np.array([object()] * 9), y=Y[:9]), r"Python objects of shape \(9,\)"),
        (lambda: dict(x=X, y=[1] * 256), "must be arrays, and one holds a single int"),
        (lambda: dict(x="a file", y=Y), "must be arrays, and one holds a single str"),
        (lambda: dict(x=7), "must be arrays, and one holds a single int"),
        (lambda: dict(x=on_and_on(), y=Y), "leave y and sample_weight out"),
        (
            lambda: dict(x=X, y=Y, sample_weight=np.ones(256), class_weight={0: 2}),
            "class_weight needs batches.*give sample_weight instead",
        ),
        (lambda: dict(x=X, y={"a": Y}, class_weight={0: 2}), "one array of targets"),
        (lambda: dict(x=X, y=Y, class_weight=[1, 2, 3]), "class_weight is a list: give a dict"),
    ],
)
def test_what_is_refused_names_the_way_out(data: Callable[[], Any], words: str) -> None:
    """In one sentence, however long the data is."""
    with pytest.raises(StudyError, match=words) as refusal:
        study.find_rate(compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)])), **data())
    assert len(str(refusal.value)) < 300


def tensors(size: int) -> Any:
    return tf.data.Dataset.from_tensor_slices((np.zeros((size, 6), np.float32), np.zeros(size)))


@pytest.mark.parametrize(
    "large",
    [
        lambda: tensors(10**6).shuffle(10).batch(32),
        lambda: tf.data.Dataset.zip((tensors(10**6), tensors(10**6))).map(lambda a, b: a).batch(32),
        lambda: (lambda held: tf.data.Dataset.range(99).map(lambda i: (held[i : i + 32], Y[:32])))(
            tf.zeros((10**6, 6))
        ),
    ],
    ids=["sliced", "zipped", "named by a function"],
)
def test_the_tensors_of_a_large_data_set_are_not_copied(
    large: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those that it slices, nor those that its functions name."""

    def refuse(**arguments: Any) -> Any:
        raise AssertionError("copied")

    monkeypatch.setattr(tf.raw_ops, "DatasetToGraphV2", refuse)
    assert len(study.find_rate(dense(), large(), **SHORT).losses) == 8
    with pytest.raises(AssertionError, match="copied"):
        copies.undisturbed(tensors(100).batch(32), tf)


def test_a_cache_is_neither_filled_nor_doubled(tmp_path: Any) -> None:
    """In memory the first epoch after the sweep fills it; its file is not begun."""
    drawn = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(256, seed=1)
    for cached in (drawn.cache(), drawn.cache(str(tmp_path / "file"))):
        copy = copies.undisturbed(cached, tf)
        orders = [[int(y) for _, y in copy] for _ in range(2)]
        assert orders[0] != orders[1]
        assert not list(tmp_path.iterdir())


def test_arrays_are_not_copied_whole() -> None:
    """Numbers of Keras's precision are read where they lie."""
    stream, _ = batches_of(X, Y, None, 32, 0)
    next(stream)
    X[:] = -X  # what comes next shows whether a copy was made
    try:
        x, _ = next(stream)
        assert all((row == X).all(axis=1).any() for row in x)
    finally:
        X[:] = -X


def test_the_order_of_a_small_data_set_goes_on() -> None:
    """Below a batch, a map and a prefetch."""

    def made() -> Any:
        return batches(seed=9).map(lambda x, y: (x, y)).prefetch(2)

    kept, other = made(), made()
    study.find_rate(plain(optimizers.SGD(0.1), run_eagerly=True), kept, **SHORT)
    for _ in range(2):
        pairs = zip(kept, other, strict=True)
        assert all(np.array_equal(one[1], two[1]) for one, two in pairs)

"""The finder on Keras models: the losses are the batches', whatever the model and its data are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from study.search.finder import ramp
from support.engines.own_models import SHORT, Breaks, X, Y, batches, compiled, plain, same

pytestmark = pytest.mark.slow


def test_a_subclassed_model_with_its_own_train_step() -> None:
    """Not built before; its data comes as fit gives it."""
    found = study.find_rate(compiled(Breaks(), optimizers.Adam(0.01)), X, Y, steps=40)
    assert len(found.losses) == 40
    assert found.accuracy.size == 0
    assert "whose name ends in accuracy" in found.why("rise")


class Nameless(Breaks):
    """Tells its loss under another name."""

    def train_step(self, data: Any) -> Any:
        return {"cost": super().train_step(data)["loss"]}


def test_losses_are_those_of_a_hand_written_loop() -> None:
    """Per batch, not the epoch's running mean, on the finder's own order of batches."""
    model = compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)]), optimizers.Adam(0.3))
    w, b = (v.numpy().copy() for v in model.variables)
    found = study.find_rate(model, X, Y, batch_size=50, seed=4, **SHORT)
    kernel, bias = tf.Variable(w), tf.Variable(b)
    adam = optimizers.Adam(0.3)
    draw, losses, rates = np.random.default_rng(4), [], ramp(1e-4, 0.1, 8)
    order = np.concatenate([draw.permutation(256)[:250] for _ in range(2)])
    for step, rate in enumerate(rates):
        chosen = order[50 * step : 50 * (step + 1)]
        with tf.GradientTape() as tape:
            logits = X[chosen] @ kernel + bias
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(Y[chosen], logits))
        adam.learning_rate = float(rate)
        adam.apply_gradients(zip(tape.gradient(loss, [kernel, bias]), [kernel, bias], strict=True))
        losses.append(float(loss))
    assert found.losses == pytest.approx(np.array(losses), rel=1e-5)
    assert found.rates == pytest.approx(rates)
    assert found.accuracy.shape == (8,)


@pytest.mark.parametrize("options", [{"steps_per_execution": 4}, {"jit_compile": True}], ids=str)
def test_compiled_in_any_way(options: dict[str, Any]) -> None:
    """One batch a step, whatever the model was compiled for."""
    models = []
    for given in (options, {}):
        keras.utils.set_random_seed(3)
        models.append(
            compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)]), "adam", **given)
        )
    before = [v.numpy().copy() for v in models[0].variables]
    ours, others = (study.find_rate(model, X, Y, **SHORT).losses for model in models)
    assert ours == pytest.approx(others, rel=1e-5)
    assert same(before, [v.numpy() for v in models[0].variables])


class Sequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Eight batches, counted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        self.asked.append(index)
        return X[32 * index : 32 * (index + 1)], Y[32 * index : 32 * (index + 1)]


def test_the_kinds_of_data() -> None:
    """Arrays in lists and dicts, weights, an endless data set, a PyDataset in rounds."""
    model = plain(run_eagerly=True)
    assert (
        len(
            study.find_rate(
                model, X.astype(np.float64), Y, sample_weight=np.ones(256), **SHORT
            ).losses
        )
        == 8
    )
    assert len(study.find_rate(model, batches().repeat(), **SHORT).losses) == 8
    rounds = Sequence()
    assert len(study.find_rate(model, rounds, steps=16, low=1e-4, high=0.1).losses) == 16
    assert sorted(rounds.asked[:8]) == sorted(rounds.asked[8:16]) == list(range(8))
    assert rounds.asked[:8] != rounds.asked[8:16]
    for given in ({"a": X, "b": X}, [X, X]):
        a, b = layers.Input((6,), name="a"), layers.Input((6,), name="b")
        both = compiled(
            keras.Model(
                {"a": a, "b": b} if isinstance(given, dict) else [a, b], layers.Dense(3)(a + b)
            ),
            run_eagerly=True,
        )
        assert len(study.find_rate(both, given, Y, **SHORT).losses) == 8


def test_the_steps_are_an_epochs_within_bounds() -> None:
    """At least 200, at most 500, and 200 where the length is not known."""
    model = compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)]), run_eagerly=True)
    for data, options, steps in (
        ((X, Y), {}, 200),
        ((np.tile(X, (2, 1)), np.tile(Y, 2)), {"batch_size": 2}, 256),
        ((np.tile(X, (5, 1)), np.tile(Y, 5)), {"batch_size": 2}, 500),
        ((batches().repeat(),), {}, 200),
        ((X, Y), {"batch_size": 1000, "steps": 8}, 8),
    ):
        assert (
            study.find_rate(model, *data, low=1e2, high=1e12, stop=1.01, **options).steps == steps
        )


def generator() -> Iterator[Any]:
    yield X, Y


NETWORK: Any = keras.Sequential([layers.Input((6,)), layers.Dense(3)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(x=generator(), y=None), "read only once"),
        (dict(x=X[:0], y=Y[:0]), "0 samples"),
        (dict(y=Y[:-1]), "256 and 255 samples"),
        (dict(x=[1.0, 2.0]), "must be arrays"),
        (dict(y=None), "no targets"),
        (dict(x=batches().unbatch(), y=None), "batch the data set first"),
        (dict(x=batches().take(0), y=None), "holds no batch"),
        (dict(x=batches()), "leave y and sample_weight out"),
        (dict(model="a model"), "the model is a str"),
        (dict(model=NETWORK), "not compiled"),
        (dict(low=float("nan")), "low nan"),
        (dict(high=float("inf")), "high inf"),
        (dict(low=1.0, high=0.1), "low 1 must be below high 0.1"),
        (dict(steps=0), "steps 0"),
        (dict(steps=2.5), "steps 2.5"),
        (dict(stop=0.5), "stop 0.5"),
        (dict(scale="cubic"), "unknown scale"),
        (dict(batch_size=0), "batch_size 0"),
        (dict(model=compiled(Nameless())), "returns no 'loss', only cost"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    """In one sentence, and the model is as it was."""
    model = compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)]))
    before = [v.numpy().copy() for v in model.variables]
    arguments: dict[str, Any] = {"model": model, "x": X, "y": Y, **change}
    with pytest.raises(StudyError, match=words):
        study.find_rate(**arguments)
    assert same(before, [v.numpy().copy() for v in model.variables])


def test_it_finds_the_rate_of_a_model_that_learns() -> None:
    """The whole way: the least loss lies where SGD on this problem learns fastest."""
    model = compiled(keras.Sequential([layers.Input((6,)), layers.Dense(3)]), optimizers.SGD(0.01))
    found = study.find_rate(model, X, Y, low=1e-4, high=1e4, steps=300)
    assert found.stopped == "threshold"
    assert 0.01 < (found.suggest("tenth") or 0) < 10
    assert 0.001 < (found.suggest("valley") or 0) < 10


def test_a_data_set_that_cannot_be_copied_is_read_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of more than 2 GB, whose graph has no room for it."""

    def refuse(**arguments: Any) -> Any:
        raise tf.errors.InvalidArgumentError(None, None, "too large")

    monkeypatch.setattr(tf.raw_ops, "DatasetToGraphV2", refuse)
    assert len(study.find_rate(plain(run_eagerly=True), batches(), **SHORT).losses) == 8

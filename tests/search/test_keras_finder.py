"""The finder on Keras models: the model, its optimizer, its data and every random state are as
before, and the losses are the batches'.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import study
from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from study.search.finder import ramp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 3))).argmax(axis=1)

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": optimizers.SGD,
    "momentum": lambda rate: optimizers.SGD(rate, momentum=0.9),
    "nesterov": lambda rate: optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "adam": optimizers.Adam,
    "adagrad": optimizers.Adagrad,
    "adadelta": optimizers.Adadelta,
    "rmsprop": optimizers.RMSprop,
    "adamw": lambda rate: optimizers.AdamW(rate, weight_decay=0.01),
    "averaged": lambda rate: optimizers.Adam(rate, use_ema=True),
    "scaled": lambda rate: optimizers.LossScaleOptimizer(optimizers.Adam(rate)),
}

SCHEDULE = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
SHORT: dict[str, Any] = dict(steps=8, low=1e-4, high=0.1)


def plain(optimizer: Any = "sgd", **options: Any) -> Any:
    """A compiled model with normalisation and dropout."""
    keras.utils.set_random_seed(7)
    inputs = layers.Input((6,))
    h = layers.Dropout(0.3)(layers.BatchNormalization()(layers.Dense(8, activation="relu")(inputs)))
    model = keras.Model(inputs, layers.Dense(3)(h))
    return compiled(model, optimizer, **options)


def compiled(model: Any, optimizer: Any = "sgd", **options: Any) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **options)
    return model


def batches(seed: int | None = 3) -> Any:
    """A data set whose order changes every epoch."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(256, seed=seed).batch(32)


def state(model: Any) -> list[Any]:
    """Everything that a step changes, as it stands."""
    return [v.numpy().copy() for owner in (model, model.optimizer) for v in owner.variables] + [
        v.numpy().copy() for v in model.metrics_variables
    ]


def same(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(
        np.array_equal(a, b) for a, b in zip(before, after, strict=True)
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_everything_is_put_back_bit_for_bit(name: str) -> None:
    """For a model in the middle of its training: weights, statistics, slots, iterations, seeds,
    metrics, rate.
    """
    model = plain(OPTIMIZERS[name](0.01), run_eagerly=True)
    model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
    before, function, variables = state(model), model.train_function, len(model.optimizer.variables)
    outside = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    found = study.find_rate(model, X, Y, **SHORT)
    assert len(found.losses) == 8
    assert np.ptp(found.losses) > 0
    assert same(before, state(model))
    assert model.train_function is function
    assert len(model.optimizer.variables) == variables
    assert random.getstate() == outside[0]
    assert np.array_equal(np.random.get_state()[1], outside[1])  # type: ignore[index] # noqa: NPY002
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("momentum", SCHEDULE), ("adam", lambda: 0.01), ("scaled", SCHEDULE)],
    ids=["schedule", "function", "wrapped"],
)
def test_a_schedule_stands_aside_and_comes_back(name: str, rate: Any) -> None:
    """The ramp's losses are those of the same optimizer with a plain rate."""
    eager = {"run_eagerly": True}
    model, other = plain(OPTIMIZERS[name](rate), **eager), plain(OPTIMIZERS[name](0.5), **eager)
    before = [v.numpy().copy() for v in model.variables]
    found = study.find_rate(model, X, Y, **SHORT)
    assert found.losses.tolist() == study.find_rate(other, X, Y, **SHORT).losses.tolist()
    assert same(before, [v.numpy().copy() for v in model.variables])
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert inner._learning_rate is rate
    fresh = plain(OPTIMIZERS[name](rate), **eager)
    fresh.optimizer.build(fresh.trainable_variables)
    assert len(model.optimizer.variables) == len(fresh.optimizer.variables)
    assert same(
        [v.numpy() for v in model.optimizer.variables],
        [v.numpy() for v in fresh.optimizer.variables],
    )


@pytest.mark.parametrize(
    ("name", "source"), [("momentum", "arrays"), ("adam", "dataset"), ("schedule", "dataset")]
)
def test_training_goes_on_as_if_nothing_had_been(name: str, source: str) -> None:
    """Two fits, one with the finder before each epoch: the same weights, whatever shuffles the
    data.
    """
    ends = []
    for finds in (False, True):
        model = plain(
            OPTIMIZERS["adam"](SCHEDULE) if name == "schedule" else OPTIMIZERS[name](0.01)
        )
        data: tuple[Any, ...] = (X, Y) if source == "arrays" else (batches(),)
        for _ in range(2):
            if finds:
                study.find_rate(model, *data, **SHORT)
            model.fit(*data, epochs=1, verbose=0, shuffle=source == "arrays")
        ends.append(state(model))
    assert same(*ends)


def test_random_numbers_go_on_as_if_nothing_had_been() -> None:
    """TensorFlow's, Keras's global ones, Python's and NumPy's."""

    def draw(finds: bool) -> list[float]:
        model, data = plain(), batches()  # a data set draws seeds when it is made
        keras.utils.set_random_seed(1)
        if finds:
            study.find_rate(model, data, **SHORT)
        drawn = [
            tf.random.uniform(()),
            keras.random.uniform(()),
            random.random(),
            np.random.random(),  # noqa: NPY002
        ]
        return [float(value) for value in drawn]

    assert draw(True) == draw(False)


class Breaks(keras.Model):  # type: ignore[misc]
    """Raises in its fifth step; written as the guides write a train_step."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.dense, self.steps, self.error = layers.Dense(3), 0, error

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data
        self.steps += 1
        if self.error is not None and self.steps == 5:
            raise self.error("the fifth step")
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        return {"loss": loss}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("rate", [0.01, SCHEDULE], ids=["rate", "schedule"])
def test_an_error_in_mid_sweep_undoes_the_sweep(error: type[BaseException], rate: Any) -> None:
    """Ctrl-C too; and the error goes on."""
    model = Breaks()
    model.compile(
        optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    model.fit(X, Y, epochs=1, verbose=0)
    model.steps, model.error = 0, error
    before = state(model)
    with pytest.raises(error, match="the fifth step"):
        study.find_rate(model, X, Y, **SHORT)
    assert same(before, state(model))
    assert model.optimizer._learning_rate is rate or rate == 0.01
    assert "train_step" not in vars(model)


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


def test_an_unbuilt_model_trains_afterwards_as_it_would_have() -> None:
    """It is built as `fit` would build it."""
    ends = []
    for finds in (False, True):
        keras.utils.set_random_seed(3)
        model = compiled(
            keras.Sequential(
                [layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(3)]
            ),
            "adam",
        )
        if finds:
            assert len(study.find_rate(model, batches(), **SHORT).losses) == 8
        model.fit(batches(), epochs=1, verbose=0, shuffle=False)
        ends.append(state(model))
    assert same(*ends)


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
        (dict(y=Y[:-1]), "255 and 256 samples"),
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


def test_wrong_targets_leave_no_trace_in_the_metrics() -> None:
    """Keras settles the kind of accuracy by the first targets, and after an error anew."""

    def fresh() -> Any:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Input((6,)), layers.Dense(3)])
        model.compile(
            "adam",
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            run_eagerly=True,
        )
        return model

    misled, other = fresh(), fresh()
    with pytest.raises(ValueError, match="rank"):
        study.find_rate(misled, X, np.zeros((len(X), 3)), steps=30)
    histories = [model.fit(X, Y, shuffle=False, verbose=0).history for model in (misled, other)]
    assert histories[0] == histories[1]

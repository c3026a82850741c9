"""The learning-rate finder for a Keras model of the user's own: any compiled one, left exactly as
it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

from study.errors import StudyError
from study.search.finder import Sweep, SweepRecorder, ramp, stop_of
from study.search.keras.batches import Batch, _as_fit_packs, _batches
from study.search.keras.restore import _same_chances, _same_model, _unresolved_on_error
from study.validation import integer

SHORTEST, LONGEST = 200, 500
"""Steps of a sweep where none are given: an epoch's, within these."""


def find_rate(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int = 32,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int | None = None,
    scale: str = "log",
    stop: float | None = 4.0,
    seed: int = 0,
    sample_weight: Any = None,
) -> Sweep:
    """Train a compiled Keras model under a rising learning rate, put everything back, and return
    the curve.

    Put back, bit for bit, also after an error or Ctrl-C: weights, normalisation statistics, seed
    generators, optimizer slots and iterations, learning rate or schedule, metrics, the compiled
    training function, and the random states of Python, NumPy and Keras. A model that was not built
    is built on the way, as `fit` would. The optimizer keeps its own hyper-parameters; only its rate
    is led.

    What cannot be put back is what Keras does not know of: random state that a `PyDataset` or a
    function inside a data set keeps to itself, and raw `tf.Variable`s outside the model's weights.

    Args:
        model: functional, Sequential or subclassed, with its own `train_step` or without.
        x: arrays (one, a list or a dict), a batched `tf.data.Dataset` or a `keras.utils.PyDataset`;
            started again when it ends. Arrays and a PyDataset's batches are shuffled by `seed`. Of
            a `tf.data.Dataset` a copy is read, so that its shuffles go on as if nothing had been;
            one that TensorFlow cannot copy is read itself, and its next epochs are then in another
            order.
        y: targets, where x is arrays.
        batch_size: samples a batch, where x is arrays; whole batches only.
        low: rate of the first step.
        high: rate that the ramp ends short of.
        steps: steps of the ramp; None takes an epoch's, at least 200 and at most 500, and 200 where
            the length is not known.
        scale: `log` or `linear`.
        stop: multiple of the least smoothed loss at which the sweep ends, or None.
        seed: of the order of batches.
        sample_weight: weights of the samples, where x is arrays.

    Raises:
        StudyError: a model that is not compiled, data that is empty or cannot be read twice, or a
            value out of its range.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise StudyError(f"the model is a {type(model).__name__}: give a Keras model")
    if not model.compiled or model.optimizer is None:
        raise StudyError(
            "the model is not compiled with an optimizer and a loss: call model.compile(...) first"
        )
    batches, length = _batches(
        x,
        y,
        sample_weight,
        integer("batch_size", batch_size, 1, 10**9),
        integer("seed", seed, 0, 2**63),
    )
    asked = min(LONGEST, max(SHORTEST, length or 0)) if steps is None else steps
    recorder = SweepRecorder(ramp(low, high, asked, scale), scale, stop_of(stop))
    with _same_chances():
        first = next(batches)
    with _unresolved_on_error(model):
        _sensible(model, first)
        _build(model, first)
        return _sweep(model, recorder, first, batches)


def _sweep(model: Any, recorder: SweepRecorder, first: Batch, batches: Iterator[Batch]) -> Sweep:
    """Train along the ramp, and put everything back."""
    with ExitStack() as undone:
        undone.enter_context(_same_chances())
        undone.enter_context(_same_model(model))
        rate = undone.enter_context(_led_rate(model.optimizer))
        undone.enter_context(_as_fit_packs(model))
        known = len(model.variables)
        for value, batch in zip(recorder.rates, chain([first], batches), strict=False):
            rate.assign(value)
            logs = model.train_on_batch(*batch, return_dict=True)
            if len(model.variables) > known:
                raise StudyError(
                    "the model made weights in its first training step, which cannot be unmade: "
                    "call it on a batch first"
                )
            if "loss" not in logs:
                raise StudyError(
                    f"the model's train_step tells no 'loss', only {', '.join(logs)}: name one so"
                )
            accuracy = next(
                (
                    float(value)
                    for name, value in logs.items()
                    if name == "acc" or name.endswith("accuracy")
                ),
                None,
            )
            if not recorder.add(float(logs["loss"]), accuracy):
                break
    return recorder.sweep()


def _build(model: Any, batch: Batch) -> None:
    """Make the weights, slots and metrics that the first step would make, so that they can be put
    back.
    """
    # Keras offers this to nobody else; where it cannot, the model's own train_step may know how to
    # call it.
    try:
        model._symbolic_build(data_batch=batch)
    except (RuntimeError, NotImplementedError, ValueError):
        if model.built and model.trainable_variables and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def _sensible(model: Any, batch: Batch) -> None:
    """Raise `StudyError` at a batch that no loss could be told of."""
    import keras

    x, y, _ = batch
    if (
        y is None
        and model._compile_loss is not None
        and type(model).train_step is keras.Model.train_step
    ):
        raise StudyError("there are no targets: give y, or a data set that yields pairs (x, y)")
    sizes = {
        part.shape[0] if len(part.shape) else 0
        for part in keras.tree.flatten((x, y))
        if hasattr(part, "shape")
    }
    if 0 in sizes or len(sizes) > 1:
        raise StudyError(
            "an element of x is no batch of samples with as many targets: batch the data set "
            "first, as with .batch(32)"
        )


@contextmanager
def _led_rate(optimizer: Any) -> Iterator[Any]:
    """A variable that is the optimizer's learning rate, or that of the one it wraps; a schedule
    stands aside meanwhile.

    The optimizer itself is led and not a copy: a copy made of its configuration lacks what has no
    place there, such as the weights that `exclude_from_weight_decay` was told of.
    """
    import keras

    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    own = optimizer._learning_rate
    if isinstance(own, keras.Variable):
        yield own
        return
    rate = keras.Variable(0.0, trainable=False, name="learning_rate")
    optimizer._track_variable(rate)  # a state that backends with functional updates hand along
    vars(optimizer)["_learning_rate"] = rate
    try:
        yield rate
    finally:
        vars(optimizer)["_learning_rate"] = own
        optimizer._untrack_variable(rate)

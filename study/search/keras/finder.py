"""The learning-rate finder for any compiled Keras model of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from study.errors import StudyError
from study.search.finder import Sweep, SweepRecorder, ramp, stop_of
from study.search.keras.batches import Batch, batches_of, packed_as_fit
from study.search.keras.restore import (
    build,
    everything_restored,
    metrics_restored_on_error,
    needs_targets,
    random_states_restored,
)
from study.stopping import heed, stoppable
from study.validation import integer

SHORTEST, LONGEST = 200, 500
"""Bounds of the steps of a sweep where the caller gives none: an epoch is taken, within them."""


@stoppable()
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
    """Train a compiled Keras model under a rising learning rate, and leave it as it was.

    The optimizer keeps its own hyper-parameters; the sweep sets its rate alone. A model that was
    not built is built, as `fit` would.

    These are restored, bit for bit, also after an error or Ctrl-C:

    - weights, normalisation statistics and seed generators of the model,
    - slots, iterations and learning rate or schedule of the optimizer,
    - metrics and the compiled training function,
    - the random states of Python, NumPy and Keras.

    Two things are not restored, because Keras does not manage them:

    - random state that a `PyDataset`, or a function inside a data set, keeps to itself,
    - a raw `tf.Variable` that is not a weight of the model.

    Args:
        model: functional, Sequential or subclassed, with its own `train_step` or without.
        x: arrays (one, a list or a dict), a batched `tf.data.Dataset` or a `keras.utils.PyDataset`.
            It starts again when it ends. Arrays and the batches of a PyDataset are shuffled by
            `seed`. A `tf.data.Dataset` is copied, so that its own shuffles are not disturbed. One
            that TensorFlow cannot copy is read itself; its next epochs then come in another order.
        y: targets, where x is arrays.
        batch_size: samples a batch, where x is arrays; a smaller last batch is left out.
        low: rate of the first step.
        high: rate at which the ramp would arrive after its last step.
        steps: steps of the ramp; where None, those of an epoch, within 200 and 500, or 200 if the
            length of x is not known.
        scale: `log` or `linear`.
        stop: the sweep ends when the smoothed loss is this many times its smallest value, or never
            where None.
        seed: of the order of batches.
        sample_weight: weights of the samples, where x is arrays.

    Returns:
        The sweep, a value a batch; its `suggest` gives a rate.

    Raises:
        StudyError: the model is not compiled, the data is empty or cannot be read twice, or a value
            is out of its range.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise StudyError(f"the model is a {type(model).__name__}: give a Keras model")
    if not model.compiled or model.optimizer is None:
        raise StudyError(
            "the model is not compiled with an optimizer and a loss: call model.compile(...) first"
        )
    batches, length = batches_of(
        x,
        y,
        sample_weight,
        integer("batch_size", batch_size, 1, 10**9),
        integer("seed", seed, 0, 2**63),
    )
    asked = min(LONGEST, max(SHORTEST, length or 0)) if steps is None else steps
    recorder = SweepRecorder(ramp(low, high, asked, scale), scale, stop_of(stop))
    with random_states_restored():
        first = next(batches)
    with metrics_restored_on_error(model):
        _check(model, first)
        build(model, first)
        return _sweep(model, recorder, first, batches)


def _sweep(model: Any, recorder: SweepRecorder, first: Batch, batches: Iterator[Batch]) -> Sweep:
    """Train along the ramp, and put everything back."""
    with everything_restored(model) as rate, packed_as_fit(model):
        known = len(model.variables)
        for value, batch in zip(recorder.rates, chain([first], batches), strict=False):
            rate.assign(value)
            logs = model.train_on_batch(*batch, return_dict=True)
            heed()
            if len(model.variables) > known:
                raise StudyError(
                    "the model made weights in its first training step, which cannot be removed "
                    "again: call the model on a batch first"
                )
            if "loss" not in logs:
                raise StudyError(
                    f"the model's train_step returns no 'loss', only {', '.join(logs)}: name one so"
                )
            if not recorder.add(float(logs["loss"]), _accuracy(logs)):
                break
    return recorder.sweep()


def _accuracy(logs: dict[str, Any]) -> float | None:
    """The first metric whose name is that of an accuracy."""
    return next(
        (float(logs[name]) for name in logs if name == "acc" or name.endswith("accuracy")), None
    )


def _check(model: Any, batch: Batch) -> None:
    """Raise `StudyError` at a batch from which no loss can be computed."""
    import keras

    x, y, _ = batch
    if y is None and needs_targets(model):
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

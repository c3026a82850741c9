"""The learning-rate finder for any compiled Keras model of the user's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Any

from study.errors import StudyError
from study.search.curve import MIN_POINTS
from study.search.finder import Sweep, SweepRecorder
from study.search.keras.arrays import finite
from study.search.keras.batches import batches_of, weighed
from study.search.keras.lead import Lead, rates_led
from study.search.keras.restore import (
    build,
    everything_restored,
    metrics_restored_on_error,
    own_step,
    random_states_restored,
)
from study.search.keras.step import check, harmed, hindered, not_finite, whole_batches
from study.search.keras.validation import evaluation
from study.search.own.course import copes, recorded, recorder_of, shown, spoilt
from study.stopping import heed, stoppable
from study.validation import integer

Logs = dict[str, Any]

REMEDY = "compile the model with one"
"""How a Keras model comes by a metric."""


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
    class_weight: Mapping[int, float] | None = None,
    validation_data: Any = None,
    group: str | None = None,
    metric: str | None = None,
    progress: bool | None = None,
) -> Sweep:
    """Train a compiled Keras model under a rising learning rate, and leave it as it was.

    The optimizer keeps its own hyper-parameters; the sweep sets its rate alone. A model that was
    not built is built, as `fit` would.

    The number of steps changes the answer. In a long sweep the model learns at the low rates
    already, so the loss is least at a lower rate. In a short one the smoothed loss lags, so it is
    least at a higher rate, and noise hides more. Compare rates of sweeps of as many steps.

    These are restored, bit for bit, also after an error or Ctrl-C:

    - weights, normalisation statistics and seed generators of the model, and states of its layers,
    - slots, iterations and learning rate or schedule of its optimizers,
    - metrics and the compiled training function,
    - other variables of Keras or TensorFlow. They are found where attributes, lists, dicts and
      objects of the model lead to them, or where its own functions name them,
    - the random states of Python, NumPy and Keras.

    These are not restored, because they are no such variables:

    - plain Python values and arrays that the model's own code changes, and tables of TensorFlow,
    - random state that a `PyDataset`, a loader, or a function inside a data set keeps to itself,
    - what was read from a generator.

    Args:
        model: functional, Sequential or subclassed, with its own `train_step` or without.
        x: arrays (one, a list or a dict; dense, sparse or strings), a batched `tf.data.Dataset`, a
            `keras.utils.PyDataset`, another loader of batches, or a generator. It starts again
            when it ends; a generator is read on. Arrays and the batches of a PyDataset are
            shuffled by `seed`. A small `tf.data.Dataset` is copied, so that its own shuffles are
            not disturbed. One that TensorFlow cannot copy, or with more than 16 MiB of tensors, is
            read itself; if it shuffles, its next epochs come in another order.
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
        class_weight: the weight of each class, as for `fit`.
        validation_data: what `fit` takes as such. The losses are then those on all of it, measured
            before each step; a few hundred samples will do.
        group: the one optimizer to lead, while the others keep their rates. It is a pattern of a
            `MultiOptimizer`, or `default`; or the attribute that holds an optimizer of the model's
            own. Where None, a `MultiOptimizer` is led as a whole: the rates are those of its
            default, and the others keep their share of it.
        metric: the metric that the rules `rise` and `fall` read; where None, the first whose name
            ends in accuracy.
        progress: show a bar on standard error; where None, in terminals and notebooks.

    Returns:
        The sweep, a value a batch; its `suggest` gives a rate.

    Raises:
        StudyError: the model is not compiled or trains with an optimizer that is not led, the data
            is empty or ends too early, or a value is out of its range.
    """
    _compiled(model)
    batch_size = integer("batch_size", batch_size, 1, 10**9)
    batches, length = batches_of(x, y, sample_weight, batch_size, integer("seed", seed, 0, 2**63))
    recorder = recorder_of(low, high, steps, scale, stop, length)
    measure = None
    if validation_data is not None:
        measure = evaluation(model, validation_data, batch_size)
    if class_weight is not None:
        batches = weighed(batches, class_weight)
    with random_states_restored():
        first = next(batches)
    with metrics_restored_on_error(model):
        check(model, first)
        build(model, first)
        with everything_restored(model), rates_led(model, group) as lead:
            pairs = zip(shown(recorder.rates, progress), chain([first], batches), strict=False)
            return _sweep(model, recorder, lead, pairs, measure, metric)


def _compiled(model: Any) -> None:
    """Raise `StudyError` at what is no compiled Keras model."""
    import keras

    if not isinstance(model, keras.Model):
        raise StudyError(f"the model is a {type(model).__name__}: give a Keras model")
    if not model.compiled or model.optimizer is None:
        raise StudyError(
            "the model is not compiled with an optimizer and a loss: call model.compile(...) first"
        )


def _sweep(
    model: Any,
    recorder: SweepRecorder,
    lead: Lead,
    pairs: Iterable[tuple[float, Any]],
    measure: Callable[[], Logs] | None,
    metric: str | None,
) -> Sweep:
    """Train along the ramp."""
    known, recorder.rate_of = len(model.variables), lead.rate_of
    recorder.cause, coped = _unfit(model), False
    with whole_batches(model) as train, warnings.catch_warnings():
        # It is the sweep's cause, in one sentence with the others.
        warnings.filterwarnings("ignore", message="The model does not have any trainable weights")
        for taken, (rate, batch) in enumerate(pairs, 1):
            lead.to(rate)
            before = None if measure is None else measure()
            logs = _told(train, batch, taken)
            heed()
            if len(model.variables) > known:
                raise StudyError(
                    "the model made weights in its first training step, which cannot be removed "
                    "again: call the model on a batch first"
                )
            lead.check()
            coped = coped or copes(
                recorder, taken, finite(batch), partial(harmed, model, float(logs["loss"]))
            )
            goes_on = recorded(recorder, logs if before is None else before, metric, REMEDY)
            if (taken == MIN_POINTS or not goes_on) and not _excused(recorder):
                lead.settle()
            if not goes_on:
                break
    return recorder.sweep()


def _excused(recorder: SweepRecorder) -> bool:
    """Whether it is no wonder if no step was taken."""
    return recorder.stopped == "diverged" or recorder.cause is not None


def _told(train: Callable[[Any], Logs], batch: Any, taken: int) -> Logs:
    """What a step on a batch tells; raises `StudyError` where the batch is at fault."""
    try:
        logs = train(batch)
    except Exception as error:
        heed()
        reason = hindered(batch) if taken == 1 else None
        if reason is None:
            raise
        raise reason from error
    if "loss" not in logs:
        raise StudyError(
            f"the model's train_step returns no 'loss', only {', '.join(logs)}: name one so"
        )
    return logs


def _unfit(model: Any) -> str | None:
    """Why a sweep of the model can give no rate, whatever its curve."""
    if not model.trainable_variables and not own_step(model):
        return (
            "the model has no weights to train: set trainable = True on a layer, and compile again"
        )
    ill = not_finite(model)
    return spoilt(ill[0]) if ill else None

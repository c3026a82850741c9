"""The learning-rate finder for any module of PyTorch of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from study.errors import StudyError
from study.search.finder import Sweep, SweepRecorder
from study.search.own.course import copes, recorded, recorder_of, shown
from study.search.own.stream import described
from study.search.torch.batches import batches_of
from study.search.torch.modes import trained
from study.search.torch.optimizers import optimizer_of
from study.search.torch.parts import finite
from study.search.torch.restore import everything_restored
from study.search.torch.step import Logs, Step
from study.search.torch.training import Training, weights_of
from study.search.torch.validation import evaluation
from study.stopping import heed, stoppable
from study.validation import integer

REMEDY = 'let the loss return a pair of its value and a dict, such as {"accuracy": 0.5}'
"""How a module comes by a metric."""


@stoppable()
def find_rate(
    module: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    batch_size: int = 32,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int | None = None,
    scale: str = "log",
    stop: float | None = 4.0,
    seed: int = 0,
    validation_data: Any = None,
    group: str | int | None = None,
    metric: str | None = None,
    progress: bool | None = None,
) -> Sweep:
    """Train a module of PyTorch under a rising learning rate, and leave it as it was.

    A step is that of a plain loop: no gradients, outputs, loss, `backward`, `step`. Schedulers take
    no step. A module in evaluation mode is put in training mode; in one that trains, parts that are
    in evaluation mode stay so.

    The number of steps changes the answer; see `study.search.keras.finder.find_rate`.

    These are restored, bit for bit, also after an error or Ctrl-C:

    - parameters, buffers, gradients, `requires_grad` and the mode of every part of the module,
    - tensors, arrays, numbers and containers in the attributes of its parts,
    - the same of the loss, where it is a module or a method of one,
    - state, groups and rates of the optimizer,
    - the random states of Python, NumPy and PyTorch, those of GPUs included,
    - the random generators in the attributes of a loader, its samplers and its data set.

    These are not restored:

    - what else hangs at the module, such as objects of your own and what they hold,
    - other state that a loader or a data set keeps, and what was read from a generator.

    Args:
        module: the module; its batches are brought to the device of its first parameter.
        x: a `DataLoader`, a `Dataset`, a pair (inputs, targets) of tensors or NumPy arrays, another
            iterable of batches, or a generator. It starts again when it ends; a generator is read
            on. Arrays and the samples of a `Dataset` are shuffled by `seed`. A batch is a pair
            (inputs, targets), or inputs alone, whose targets are None. Inputs in a tuple or a list
            become arguments of the module, those in a dict arguments by name.
        y: targets, where x is inputs alone.
        loss: a function of outputs and targets that returns a scalar tensor, or a pair of it and a
            dict of metrics. Where no metric is an accuracy, outputs are logits (N, C) and targets
            whole numbers (N,), the accuracy is measured.
        optimizer: an optimizer of the module's parameters, a class or function that makes one of
            them, or a name such as `adamw`.
        batch_size: samples a batch, where x is arrays or a `Dataset`; a smaller last batch is left
            out.
        low: rate of the first step.
        high: rate at which the ramp would arrive after its last step.
        steps: steps of the ramp; where None, those of an epoch, within 200 and 500, or 200 if the
            length of x is not known.
        scale: `log` or `linear`.
        stop: the sweep ends when the smoothed loss is this many times its smallest value, or never
            where None.
        seed: of the order of arrays and of a `Dataset`.
        validation_data: data like x, but no generator. The losses are then those on all of it,
            measured in evaluation mode before each step; a few hundred samples will do.
        group: the one group of the optimizer to lead, by its number or its `name`, while the others
            keep their rates. Where None, all are led: the rates are those of the first group, and
            the others keep their share of them.
        metric: the metric that the rules `rise` and `fall` read; where None, the first whose name
            ends in accuracy.
        progress: show a bar on standard error; where None, in terminals and notebooks.

    Returns:
        The sweep, a value a batch; its `suggest` gives a rate.

    Raises:
        StudyError: it is no module, has parameters without a shape, or lacks a loss or an
            optimizer; the data is empty, ends too early or does not fit; or a value is out of its
            range.
    """
    _check(module, loss)
    size = integer("batch_size", batch_size, 1, 10**9)
    batches, length = batches_of(x, y, size, integer("seed", seed, 0, 2**63))
    recorder = recorder_of(low, high, steps, scale, stop, length)
    owners = module, loss, getattr(loss, "__self__", None)
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        everything_restored((*owners, optimizer), (x, validation_data)),
    ):
        step = Step(module, loss)
        weights = weights_of(*owners)
        training = Training(step, optimizer_of(optimizer, weights), weights, group)
        measure = None
        if validation_data is not None:
            measure = evaluation(step, validation_data, size)
        trained(module)
        pairs = zip(shown(recorder.rates, progress), map(step.batch, batches), strict=False)
        return _sweep(recorder, training, pairs, measure, metric)


def _check(module: Any, loss: Any) -> None:
    """Raise `StudyError` at what is no module with weights, or no loss."""
    if not isinstance(module, torch.nn.Module):
        raise StudyError(f"the model is a {type(module).__name__}: give a torch.nn.Module")
    named = chain(module.named_parameters(), module.named_buffers())
    lazy = next((name for name, one in named if is_lazy(one)), None)
    if lazy is not None:
        raise StudyError(
            f"the module has parameters without a shape yet ({lazy}): call it on a batch first, as "
            "with module(x)"
        )
    if loss is None or not callable(loss):
        what = "there is no loss" if loss is None else f"the loss is {described(loss)}"
        raise StudyError(
            f"{what}: give a function of outputs and targets, such as "
            "loss=torch.nn.CrossEntropyLoss()"
        )
    if isinstance(loss, type):
        raise StudyError(f"the loss is the class {loss.__name__}: give {loss.__name__}()")


def _sweep(
    recorder: SweepRecorder,
    training: Training,
    pairs: Iterable[tuple[float, Any]],
    measure: Callable[[], Logs] | None,
    metric: str | None,
) -> Sweep:
    """Train along the ramp."""
    recorder.cause, recorder.rate_of, coped = training.unfit(), training.rate_of, False
    for taken, (rate, batch) in enumerate(pairs, 1):
        before = None if measure is None else measure()
        logs = training.train(batch, rate)
        heed()
        coped = coped or copes(
            recorder, taken, finite(batch), partial(training.harmed, logs["loss"])
        )
        if not recorded(recorder, logs if before is None else before, metric, REMEDY):
            break
    return recorder.sweep()

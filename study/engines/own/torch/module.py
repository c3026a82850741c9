"""A user's torch.nn.Module, made ready to train: its call, its loss and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.engines.own.data.trees import leaves, mapped, shapes
from study.engines.own.identity.structure import framework_of
from study.engines.own.optimizers import torch_optimizer
from study.engines.own.program import Task
from study.errors import NoMetric, StudyError, first_line


@dataclass(frozen=True)
class Start:
    """A module as the user builds it, before its first step.

    Args:
        module: the user's, of our own making.
        random: the state of PyTorch's random numbers after it was built.
    """

    module: Any
    random: Any


def built(task: Task, seed: int) -> Start:
    """The module at a seed, every parameter of it there.

    Raises:
        StudyError: it is no module, has nothing to train, or cannot take the data.
    """
    import torch

    module = task.code.build(task.width, seed)
    if framework_of(module) != "torch":
        raise StudyError("model gave a torch.nn.Module before, and gives another model now")
    random = torch.get_rng_state()
    lazy = torch.nn.parameter.UninitializedTensorMixin
    if any(isinstance(one, lazy) for one in (*module.parameters(), *module.buffers())):
        with torch.no_grad():
            call(module, tensors(task.batch[0]))
        random = torch.get_rng_state()
    module.train()
    if not any(one.requires_grad for one in module.parameters()):
        raise StudyError("the model has no weights to train: leave requires_grad on somewhere")
    return Start(module, random)


def call(module: Any, x: Any) -> Any:
    """The module's outputs: its inputs in a tuple or dict are its arguments."""
    if isinstance(x, Mapping):
        return module(**x)
    return module(*x) if isinstance(x, (list, tuple)) else module(x)


def tensors(tree: Any) -> Any:
    """A tree of arrays as tensors."""
    import torch

    return mapped(lambda array: torch.from_numpy(np.ascontiguousarray(array)), tree)


def loss_of(task: Task) -> Any:
    """The loss as a function (outputs, targets[, weights]) -> loss, metrics by name.

    Raises:
        StudyError: there is none, or PyTorch has none of that name.
    """
    import torch

    given = task.code.loss_function()
    if not given:
        raise StudyError(
            "the model has no loss: give loss, a function of outputs and targets such as "
            "torch.nn.functional.cross_entropy"
        )
    if isinstance(given, str):
        found = getattr(torch.nn.functional, given, None)
        if found is None:
            raise StudyError(
                f"loss {given!r}: torch.nn.functional has none of that name; cross_entropy and "
                "mse_loss are there"
            )
        given = found

    def loss(outputs: Any, targets: Any, *weights: Any) -> tuple[Any, dict[str, Any]]:
        told = given(outputs, targets, *weights)
        value, metrics = told if isinstance(told, tuple) else (told, {})
        if not isinstance(value, torch.Tensor) or value.ndim:
            what = f"of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
            raise StudyError(f"the loss is {what}: let it return a scalar tensor, such as a mean")
        found = dict(metrics)
        if "accuracy" not in found and (right := accuracy(outputs, targets)) is not None:
            found["accuracy"] = right
        return value, {"loss": value, **found}

    return loss


def accuracy(outputs: Any, targets: Any) -> Any:
    """The share of samples classified right; None where the outputs are no classes.

    The classes are the last axis of the outputs, or the second one, as for PyTorch's cross entropy.
    One output a sample is a logit of two classes.
    """
    import torch

    if not isinstance(outputs, torch.Tensor) or not isinstance(targets, torch.Tensor):
        return None
    if not targets.is_floating_point() and not targets.is_complex():
        for axis in (-1, 1):
            if outputs.ndim > 1 and outputs.select(axis, 0).shape == targets.shape:
                return (outputs.argmax(axis) == targets).float().mean()
        return None
    return None


def misfit(task: Task, error: Exception) -> StudyError:
    """What to say where a batch cannot be trained on."""
    x, y = task.batch[0], task.batch[1] if len(task.batch) > 1 else None
    return StudyError(
        f"the model cannot train on a batch with inputs of shape {shapes(x)} and targets of shape "
        f"{shapes(y)} ({type(error).__name__}: {first_line(error)})"
    )


def tried(task: Task, start: Start) -> tuple[str, ...]:
    """The names of what a training step tells.

    Raises:
        StudyError: the step fails, or lacks the metric; or the optimizer cannot be made.
    """
    import torch

    loss = loss_of(task)
    torch_optimizer(task.optimizer, start.module)
    before = torch.get_rng_state()
    kept = {name: value.clone() for name, value in start.module.state_dict().items()}
    try:
        x, *rest = tensors(task.batch)
        value, metrics = loss(call(start.module, x), *rest)
        value.backward()
    except StudyError:
        raise
    except Exception as error:
        raise misfit(task, error) from error
    finally:
        start.module.load_state_dict(kept)
        start.module.zero_grad()
        torch.set_rng_state(before)
    if task.metric not in metrics:
        raise NoMetric(
            f"there is no metric {task.metric!r}: the loss and the outputs tell "
            f"{', '.join(metrics)}; let the loss return a pair of it and a dictionary"
        )
    return tuple(metrics)


def samples(batch: Any) -> int:
    """Samples of a batch."""
    return len(next(leaves(batch)))


def measured(module: Any, loss: Any, metric: str, batches: Any) -> float:
    """The mean of a metric over batches without training, each batch by its samples."""
    import torch

    total, count = 0.0, 0
    module.eval()
    with torch.no_grad():
        for batch in batches:
            x, *rest = batch
            value = float(loss(call(module, x), *rest)[1][metric])
            total, count = total + value * samples(batch), count + samples(batch)
    module.train()
    return total / max(1, count)

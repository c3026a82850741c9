"""A training step of a user's module: its outputs, its loss, and what hinders it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from study.errors import StudyError, first_line
from study.search.own.stream import described
from study.search.torch.parts import called, is_sequence, leaves, pair_of, tensors, told

Logs = dict[str, float]


class Step:
    """A module and its loss, which compute what a batch tells.

    Args:
        module: the module.
        loss: a function of outputs and targets, see `find_rate`.
    """

    def __init__(self, module: Any, loss: Callable[[Any, Any], Any]) -> None:
        self.module, self.loss = module, loss
        self.like = _like(module)
        self._told = False

    def batch(self, batch: Any) -> Any:
        """A batch as the module takes it."""
        return tensors(batch, self.like)

    def __call__(self, batch: Any) -> tuple[Any, Logs]:
        """The loss of a batch, from which gradients flow, and all that the batch tells.

        Args:
            batch: what `batch` returned.

        Returns:
            A tensor of one number; and its value as `loss`, beside the metrics.

        Raises:
            StudyError: the batch, or what the loss returns, is not as it should be.
        """
        inputs, targets = pair_of(batch)
        if targets is not None and not any(map(_several, leaves(targets))):
            raise StudyError(
                f"an element of x is no batch but a single sample, {told(batch)}: batch the data "
                "first, as a DataLoader does"
            )
        with _explained(batch, first=not self._told):
            outputs = called(self.module, inputs)
        with _compared(outputs, targets, first=not self._told):
            found = self.loss(outputs, targets)
        self._told = True
        value, metrics = _apart(found)
        logs = {str(name): _number(name, one) for name, one in metrics.items()}
        if not any(name == "acc" or name.endswith("accuracy") for name in logs):
            logs |= _accuracy(outputs, targets)
        return value, logs | {"loss": float(value.detach())}


def _like(module: Any) -> torch.Tensor:
    """A tensor of the module's precision on its device: of its first parameters."""
    parameters = list(module.parameters())
    device = parameters[0].device if parameters else None
    real = (one.dtype for one in parameters if one.is_floating_point())
    return torch.empty(0, device=device, dtype=next(real, torch.get_default_dtype()))


def _several(part: Any) -> bool:
    """Whether a part of a batch has a length; what is no number may be anything."""
    return not isinstance(part, (bool, int, float)) and getattr(part, "shape", None) != ()


@contextmanager
def _explained(batch: Any, first: bool) -> Iterator[None]:
    """Where the first batch fails and its parts differ in length, a sentence that says so."""
    try:
        yield
    except Exception as error:
        parts = [part for part in leaves(batch) if isinstance(part, torch.Tensor)]
        lengths = {len(part) if part.ndim else 0 for part in parts}
        if not first or (len(lengths) == 1 and lengths != {0}):
            raise
        raise StudyError(
            f"the module cannot train on a batch that holds {told(batch)}: yield batches, in which "
            "all parts have as many samples"
        ) from error


@contextmanager
def _compared(outputs: Any, targets: Any, first: bool) -> Iterator[None]:
    """Where the loss fails on the first batch, a sentence that names what it was given."""
    if not first:
        yield
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Using a target size")
            yield
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, UserWarning) as error:
        raise StudyError(
            f"the loss does not take outputs that hold {told(outputs)} with targets that hold "
            f"{told(targets)}: {first_line(error)}"
        ) from error


def _apart(found: Any) -> tuple[Any, Mapping[Any, Any]]:
    """The loss and the metrics of what the loss returned."""
    value, metrics = found, {}
    if is_sequence(found):
        if len(found) != 2 or not isinstance(found[1], Mapping):
            raise StudyError(
                f"the loss returns a {type(found).__name__} of {told(found)}: return a scalar "
                "tensor, or a pair of it and a dict of metrics"
            )
        value, metrics = found
    if not isinstance(value, torch.Tensor):
        raise StudyError(f"the loss is {described(value)}: return a scalar tensor")
    if value.numel() != 1:
        raise StudyError(f"the loss is {described(value)}: return a scalar tensor, as by .mean()")
    if not value.is_floating_point():
        raise StudyError(f"the loss is a tensor of {value.dtype}: return a floating-point number")
    return value, metrics


def _number(name: Any, value: Any) -> float:
    """The value of a metric."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value.detach())
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise StudyError(f"the metric {name!r} is {described(value)}: give one number") from None


def _accuracy(outputs: Any, targets: Any) -> Logs:
    """The share of samples whose largest logit is that of their class; nothing for others."""
    if not (isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)):
        return {}
    whole = not (targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool)
    logits = outputs.is_floating_point() and outputs.ndim == 2 and outputs.shape[1] > 1
    if not (whole and logits and targets.shape == outputs.shape[:1]):
        return {}
    return {"accuracy": float((outputs.detach().argmax(dim=1) == targets).float().mean())}

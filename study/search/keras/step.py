"""A training step of a user's model on a batch of any structure, and what hinders it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from study.errors import StudyError
from study.search.keras.restore import needs_targets, own_step
from study.search.own.stream import described


@contextmanager
def whole_batches(model: Any) -> Iterator[Callable[[Any], dict[str, Any]]]:
    """Give the model's `train_step` a batch as it is, as `fit` does.

    `train_on_batch` takes a batch apart, and adds a None where it has no weights.

    Yields:
        A function that trains on a batch, and returns what the step tells.
    """
    step, own = model.train_step, vars(model).get("train_step")
    model.train_step = lambda *arguments: step(*arguments[:-1], arguments[-1][0])

    def train(batch: Any) -> dict[str, Any]:
        logs: dict[str, Any] = model.train_on_batch(batch, return_dict=True)
        return logs

    try:
        yield train
    finally:
        del model.train_step
        if own is not None:
            model.train_step = own


def check(model: Any, batch: Any) -> None:
    """Raise `StudyError` at a batch that Keras's own `train_step` cannot take."""
    import keras

    if own_step(model):
        return
    parts = batch if isinstance(batch, (list, tuple)) else (batch,)
    if len(parts) > 3:
        raise StudyError(
            f"a batch has {len(parts)} parts, and Keras's train_step takes inputs, targets and "
            "weights: give the model a train_step of its own, or yield (x, y, sample_weight)"
        )
    if len(parts) == 1 or parts[1] is None:
        if needs_targets(model):
            raise StudyError("there are no targets: give y, or a data set that yields pairs (x, y)")
        return
    if any(not len(part.shape) for part in keras.tree.flatten(parts[:2]) if hasattr(part, "shape")):
        raise StudyError(
            f"an element of x is no batch but a single sample, {_shapes(batch)}: batch the data "
            "set first, as with .batch(32)"
        )


def hindered(batch: Any) -> StudyError | None:
    """What is wrong with a batch at which a step has failed, as far as its parts tell."""
    import keras

    parts = [part for part in keras.tree.flatten(batch) if hasattr(part, "shape")]
    if len({int(part.shape[0]) if len(part.shape) else 0 for part in parts}) == 1:
        return None
    return StudyError(
        f"the model cannot train on a batch whose parts differ in length, {_shapes(batch)}: batch "
        "the data set first, as with .batch(32), or give as many samples in each part"
    )


def harmed(model: Any, loss: float) -> bool:
    """Whether a step has left a loss or a weight that is not finite."""
    return not np.isfinite(loss) or bool(not_finite(model))


def not_finite(model: Any) -> list[str]:
    """The weights, among those that are trained, with values that are not finite."""
    return [
        weight.path
        for weight in model.trainable_variables
        if not np.isfinite(np.asarray(weight.numpy(), np.float64)).all()
    ]


def _shapes(batch: Any) -> str:
    import keras

    return " and ".join(described(part) for part in keras.tree.flatten(batch) if part is not None)

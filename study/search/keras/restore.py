"""What a sweep puts back in a Keras model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def _unresolved_on_error(model: Any) -> Iterator[None]:
    """After an error, forget what the model's metrics took the data to be, if they had seen none
    before: Keras settles which accuracy `accuracy` is by the first targets, and it may be the
    targets that were wrong.
    """
    metrics = model._compile_metrics
    unresolved = metrics is not None and not metrics.built
    try:
        yield
    except BaseException:
        if unresolved:
            vars(model)["_compile_metrics"] = type(metrics)(  # as untracked as compile leaves it
                metrics._user_metrics,
                metrics._user_weighted_metrics,
                output_names=metrics.output_names,
            )
        raise


@contextmanager
def _same_chances() -> Iterator[None]:
    """Put back the random states of Python, NumPy and Keras."""
    from keras.src.backend.common import global_state

    def seeds() -> Any:
        return global_state.get_global_attribute("global_seed_generator")

    generator = seeds()
    of_keras = None if generator is None else generator.state.numpy().copy()
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
        if generator is not None:
            generator.state.assign(of_keras)
        elif seeds() is not None:
            global_state.set_global_attribute("global_seed_generator", None)


@contextmanager
def _same_model(model: Any) -> Iterator[None]:
    """Put back all variables of the model, its metrics and its optimizers, and the training
    function.

    Inside, the function is compiled anew: it must not have the schedule in it, and whatever random
    state the old one keeps must rest.
    """
    import keras

    optimizers = [
        part for part in vars(model).values() if isinstance(part, keras.optimizers.Optimizer)
    ]
    before = [(v, v.numpy().copy()) for owner in (model, *optimizers) for v in owner.variables]
    metrics = [(v, v.numpy().copy()) for v in model.metrics_variables]
    function, model.train_function = model.train_function, None
    try:
        yield
    finally:
        model.train_function = function
        model.reset_metrics()  # those that the sweep was the first to make
        for variable, value in (*before, *metrics):
            variable.assign(value)

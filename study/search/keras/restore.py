"""What a sweep puts back in a Keras model, and all names of Keras that are not public."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np


@contextmanager
def everything_restored(model: Any) -> Iterator[Any]:
    """Put back the model and all random states at the end.

    Args:
        model: a compiled Keras model with all its weights.

    Yields:
        The variable that is the optimizer's learning rate meanwhile.
    """
    with ExitStack() as stack:
        stack.enter_context(random_states_restored())
        stack.enter_context(_variables_restored(model))
        yield stack.enter_context(_rate_of(model.optimizer))


@contextmanager
def random_states_restored() -> Iterator[None]:
    """Put back the random states of Python, NumPy and Keras at the end."""
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
def metrics_restored_on_error(model: Any) -> Iterator[None]:
    """After an error, forget the data that the model's metrics have seen, if it was their first.

    The first targets settle for Keras which accuracy `accuracy` means, and these targets may have
    been the error.
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
def _variables_restored(model: Any) -> Iterator[None]:
    """Put back all variables of model, metrics and optimizers, and the training function.

    The function is compiled anew inside: it must not contain the schedule, and the random state of
    the old one must not be used.
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
        model.reset_metrics()  # for those that the sweep was the first to make
        for variable, value in (*before, *metrics):
            variable.assign(value)


@contextmanager
def _rate_of(optimizer: Any) -> Iterator[Any]:
    """A variable that is the optimizer's learning rate; a schedule is taken out meanwhile.

    The rate of an optimizer that wraps another is that of the inner one. The optimizer itself is
    used, not a copy. A copy made from its configuration lacks what the configuration does not hold,
    such as the weights that `exclude_from_weight_decay` named.
    """
    import keras

    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    own = optimizer._learning_rate
    if isinstance(own, keras.Variable):
        yield own
        return
    rate = keras.Variable(0.0, trainable=False, name="learning_rate")
    # Backends with functional updates pass on the state of tracked variables alone.
    optimizer._track_variable(rate)
    vars(optimizer)["_learning_rate"] = rate
    try:
        yield rate
    finally:
        vars(optimizer)["_learning_rate"] = own
        optimizer._untrack_variable(rate)


def build(model: Any, batch: Any) -> None:
    """Make the weights, slots and metrics that the first step would make.

    Only what exists before the sweep can be put back.

    Args:
        model: a compiled Keras model.
        batch: inputs, targets and sample weights.
    """
    # Keras has no public way. Where this one fails, the model's own train_step may still know how
    # to call the model.
    try:
        model._symbolic_build(data_batch=batch)
    except (RuntimeError, NotImplementedError, ValueError):
        if model.built and model.trainable_variables and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def needs_targets(model: Any) -> bool:
    """Whether the model's loss is computed from targets, by Keras's own `train_step`."""
    import keras

    return model._compile_loss is not None and type(model).train_step is keras.Model.train_step

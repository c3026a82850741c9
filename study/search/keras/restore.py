"""What a sweep puts back in a Keras model; some names of Keras are private."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from study.search.keras.reach import is_variable, reachable


@contextmanager
def everything_restored(model: Any) -> Iterator[None]:
    """Put back the model and all random states at the end.

    Args:
        model: a compiled Keras model with all its weights.
    """
    with random_states_restored(), _variables_restored(model):
        yield


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
    """Put back all variables that the model leads to, and the training function.

    The function is compiled anew inside: it must not contain the schedule, and the random state of
    the old one must not be used.
    """
    before = [(part, np.array(part.numpy())) for _, part in reachable(model) if is_variable(part)]
    function, model.train_function = model.train_function, None
    try:
        with _slots_noted(model) as slots:
            yield
    finally:
        model.train_function = function
        model.reset_metrics()  # for those that the sweep was the first to make
        for variable, value in (*slots, *before):
            variable.assign(value)


@contextmanager
def _slots_noted(model: Any) -> Iterator[list[tuple[Any, Any]]]:
    """Note the slots that optimizers make in their first step, and the values they begin at."""
    import keras

    slots: list[tuple[Any, Any]] = []
    tf: Any = sys.modules.get("tensorflow")

    def noting(optimizer: Any) -> Callable[[Any], None]:
        def build(weights: Any) -> None:
            with nullcontext() if tf is None else tf.init_scope():  # out of a step being compiled
                known = {id(variable) for variable in optimizer.variables}
                type(optimizer).build(optimizer, weights)
                made = (slot for slot in optimizer.variables if id(slot) not in known)
                slots.extend((slot, np.array(slot.numpy())) for slot in made)

        return build

    unbuilt = [
        part
        for _, part in reachable(model)
        if isinstance(part, keras.optimizers.Optimizer) and not part.built
    ]
    for optimizer in unbuilt:
        vars(optimizer)["build"] = noting(optimizer)
    try:
        yield slots
    finally:
        for optimizer in unbuilt:
            del vars(optimizer)["build"]


def build(model: Any, batch: Any) -> None:
    """Make the weights, metrics and slots that the first step would make.

    Only what exists before the sweep can be put back.

    Args:
        model: a compiled Keras model.
        batch: what its `train_step` is given.
    """
    optimizer = model.optimizer
    # A train_step of the model's own says which weights the optimizer trains; it is built there.
    late = own_step(model) and not optimizer.built
    optimizer.built = optimizer.built or late
    # Keras has no public way. Where this one fails, the model's own train_step may still know how
    # to call the model.
    try:
        model._symbolic_build(data_batch=batch)
    except (RuntimeError, NotImplementedError, ValueError, TypeError, AttributeError):
        if model.built and model.trainable_variables and not optimizer.built:
            optimizer.build(model.trainable_variables)
    finally:
        optimizer.built = optimizer.built and not late


def own_step(model: Any) -> bool:
    """Whether the model has a `train_step` of its own, which alone knows what a batch holds."""
    import keras

    return "train_step" in vars(model) or type(model).train_step is not keras.Model.train_step


def needs_targets(model: Any) -> bool:
    """Whether the model's loss is computed from targets, by Keras's own `train_step`."""
    return model._compile_loss is not None and not own_step(model)

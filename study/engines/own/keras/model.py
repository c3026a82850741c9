"""A user's Keras model, made ready to train: built, compiled, and every variable of it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.engines.own.code import sow
from study.engines.own.data.trees import plain, shapes
from study.engines.own.identity.structure import framework_of
from study.engines.own.optimizers import keras_optimizer
from study.engines.own.program import Task
from study.errors import NoMetric, StudyError, first_line

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Ready:
    """A Keras model of our own making.

    Args:
        model: compiled with an optimizer whose rate is a variable.
        start: the values of its variables before the first step, in the order of `state`; on
            PyTorch also the state of its random numbers, which unseeded dropout draws from.
        rate: the place of the optimizer's rate in them.
        names: what a step tells: its loss and its metrics.
    """

    model: Any
    start: Arrays
    rate: int
    names: tuple[str, ...]

    @property
    def state(self) -> list[Any]:
        """All variables that a step changes: of the model, then of the optimizer."""
        return state_of(self.model)


def state_of(model: Any) -> list[Any]:
    """The variables of a model and of its optimizer."""
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]


def values(variables: list[Any]) -> Arrays:
    """The values of variables, copied."""
    return tuple(np.array(plain(one.value)) for one in variables)


def built(task: Task, seed: int) -> Any:
    """The model as the user builds it, its weights there.

    Raises:
        StudyError: it is no Keras model, or cannot take the data.
    """
    model = task.code.build(task.width, seed)
    if framework_of(model) != "keras":
        raise StudyError("model gave a Keras model before, and gives another now")
    if not model.built or not model.weights:
        try:
            model(tensors(task.batch[0]))
        except Exception as error:
            raise _misfit(task, error) from error
    return model


def ready(task: Task, seed: int = 0) -> Ready:
    """A model that can train, with every variable that a step needs.

    Raises:
        StudyError: the model has no loss, lacks the metric, has no weights to train, or does not
            fit the data.
    """
    model = built(task, seed)
    _compile(model, task)
    if not model.trainable_variables:
        raise StudyError("the model has no weights to train: set trainable = True on a layer")
    model.optimizer.build(model.trainable_variables)
    rate = model.optimizer._learning_rate
    start = values(state_of(model))
    place = next(i for i, one in enumerate(state_of(model)) if one is rate)
    drawn, names = _tried(model, task)
    if len(state_of(model)) != len(start):
        raise StudyError(
            "the model made weights in its first training step: make them in build, or in "
            "__init__, so that every trial begins with the same"
        )
    assign(state_of(model), start)
    sow(seed)
    if task.metric not in names:
        raise NoMetric(
            f"the model tells no metric {task.metric!r}: it has {', '.join(names)}; compile it "
            "with the metric, or name another"
        )
    return Ready(model, (*start, *drawn), place, names)


def random_state() -> Arrays:
    """The state of PyTorch's random numbers where Keras computes by it; nothing elsewhere."""
    import keras

    if keras.backend.backend() != "torch":
        return ()
    import torch

    return (torch.get_rng_state().numpy(),)


def set_random_state(state: Arrays) -> None:
    """Put back what `random_state` gave."""
    if state:
        import torch

        torch.set_rng_state(torch.from_numpy(state[0].copy()))


def assign(variables: list[Any], arrays: Arrays) -> None:
    """Give variables their values, and what follows them to the random numbers."""
    for variable, array in zip(variables, arrays, strict=False):
        variable.assign(array)
    set_random_state(arrays[len(variables) :])


def _compile(model: Any, task: Task) -> None:
    """Give the model our optimizer, and its loss where it has none."""
    loss, optimizer = task.code.loss_function(), keras_optimizer(task.optimizer)
    if model.compiled:
        if loss:
            raise StudyError("the model is compiled with a loss of its own: leave loss out")
        _alone(model)
        model.optimizer = optimizer
        return
    if not loss and type(model).train_step is _plain_step():
        raise StudyError(
            "the model has no loss: compile it with one in build, or give loss, such as "
            "sparse_categorical_crossentropy"
        )
    metrics = [] if task.metric == "loss" else [task.metric]
    try:
        model.compile(optimizer=optimizer, loss=loss or None, metrics=metrics)
    except Exception as error:
        raise StudyError(
            f"the model cannot be compiled with loss {loss!r} and metric {task.metric!r} "
            f"({first_line(error)})"
        ) from error


def _plain_step() -> Any:
    import keras

    return keras.Model.train_step


def _alone(model: Any) -> None:
    """Raise `StudyError` where the model trains with optimizers beside the one of the grid."""
    import keras

    for name, value in vars(model).items():
        if isinstance(value, keras.optimizers.Optimizer) and value is not model.optimizer:
            raise StudyError(
                f"the model has an optimizer of its own, {name}, whose rate the grid would not "
                "set: let train_step use self.optimizer alone"
            )


def _tried(model: Any, task: Task) -> tuple[Arrays, tuple[str, ...]]:
    """The random state at the first step, as of `fit`, and the names of what a step tells.

    The step itself is undone by the caller.

    Raises:
        StudyError: the step fails, or tells no loss.
    """
    import keras

    batch = tensors(task.batch)
    try:
        model._symbolic_build(data_batch=batch)
        drawn = random_state()
        if keras.backend.backend() == "jax":
            state = (
                [one.value for one in model.trainable_variables],
                [one.value for one in model.non_trainable_variables],
                [one.value for one in model.optimizer.variables],
                [one.value for one in model.metrics_variables],
            )
            logs = model.train_step(state, batch)[0]
        else:
            logs = model.train_step(batch)
    except StudyError:
        raise
    except Exception as error:
        raise _misfit(task, error) from error
    finally:
        for metric in model.metrics:
            metric.reset_state()
    if "loss" not in logs:
        raise StudyError(
            f"the model's train_step returns no 'loss', only {', '.join(logs)}: name one so"
        )
    return drawn, tuple(logs)


def _misfit(task: Task, error: Exception) -> StudyError:
    x, y = task.batch[0], task.batch[1] if len(task.batch) > 1 else None
    return StudyError(
        f"the model cannot train on a batch with inputs of shape {shapes(x)} and targets of shape "
        f"{shapes(y)} ({type(error).__name__}: {first_line(error)})"
    )


def tensors(tree: Any) -> Any:
    """A tree of arrays as tensors of Keras's backend."""
    import keras

    from study.engines.own.data.trees import mapped

    return mapped(lambda array: keras.ops.convert_to_tensor(array), tree)

"""The learning-rate finder for a Keras model of the user's own: any compiled one, left exactly as it was found."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, count
from typing import Any

import numpy as np

from study.errors import StudyError
from study.finder import Course, Sweep, ramp, stop_of
from study.values import integer

SHORTEST, LONGEST = 200, 500
"""Steps of a sweep where none are given: an epoch's, within these."""

Batch = tuple[Any, Any, Any]


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
    """Train a compiled Keras model under a rising learning rate, put everything back, and return the curve.

    Put back, bit for bit, also after an error or Ctrl-C: weights, normalisation statistics, seed generators, optimizer slots and
    iterations, learning rate or schedule, metrics, the compiled training function, and the random states of Python, NumPy and Keras.
    A model that was not built is built on the way, as `fit` would. The optimizer keeps its own hyper-parameters; only its rate is led.

    What cannot be put back is what Keras does not know of: random state that a `PyDataset` or a function inside a data set keeps to itself,
    and raw `tf.Variable`s outside the model's weights.

    Args:
        model: functional, Sequential or subclassed, with its own `train_step` or without.
        x: arrays (one, a list or a dict), a batched `tf.data.Dataset` or a `keras.utils.PyDataset`; started again when it ends. Arrays and
            a PyDataset's batches are shuffled by `seed`. Of a `tf.data.Dataset` a copy is read, so that its shuffles go on as if nothing
            had been; one that TensorFlow cannot copy is read itself, and its next epochs are then in another order.
        y: targets, where x is arrays.
        batch_size: samples a batch, where x is arrays; whole batches only.
        low: rate of the first step.
        high: rate that the ramp ends short of.
        steps: steps of the ramp; None takes an epoch's, at least 200 and at most 500, and 200 where the length is not known.
        scale: `log` or `linear`.
        stop: multiple of the least smoothed loss at which the sweep ends, or None.
        seed: of the order of batches.
        sample_weight: weights of the samples, where x is arrays.

    Raises:
        StudyError: a model that is not compiled, data that is empty or cannot be read twice, or a value out of its range.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise StudyError(f"the model is a {type(model).__name__}: give a Keras model")
    if not model.compiled or model.optimizer is None:
        raise StudyError("the model is not compiled with an optimizer and a loss: call model.compile(...) first")
    batches, length = _batches(x, y, sample_weight, integer("batch_size", batch_size, 1, 10**9), integer("seed", seed, 0, 2**63))
    asked = min(LONGEST, max(SHORTEST, length or 0)) if steps is None else steps
    course = Course(ramp(low, high, asked, scale), scale, stop_of(stop))
    with _same_chances():
        first = next(batches)
    with _unresolved_on_error(model):
        _sensible(model, first)
        _build(model, first)
        return _sweep(model, course, first, batches)


def _sweep(model: Any, course: Course, first: Batch, batches: Iterator[Batch]) -> Sweep:
    """Train along the course, and put everything back."""
    with ExitStack() as undone:
        undone.enter_context(_same_chances())
        undone.enter_context(_same_model(model))
        rate = undone.enter_context(_led_rate(model.optimizer))
        undone.enter_context(_as_fit_packs(model))
        known = len(model.variables)
        for value, batch in zip(course.rates, chain([first], batches), strict=False):
            rate.assign(value)
            logs = model.train_on_batch(*batch, return_dict=True)
            if len(model.variables) > known:
                raise StudyError("the model made weights in its first training step, which cannot be unmade: call it on a batch first")
            if "loss" not in logs:
                raise StudyError(f"the model's train_step tells no 'loss', only {', '.join(logs)}: name one so")
            accuracy = next((float(value) for name, value in logs.items() if name == "acc" or name.endswith("accuracy")), None)
            if not course.add(float(logs["loss"]), accuracy):
                break
    return course.sweep()


def _build(model: Any, batch: Batch) -> None:
    """Make the weights, slots and metrics that the first step would make, so that they can be put back."""
    # Keras offers this to nobody else; where it cannot, the model's own train_step may know how to call it.
    try:
        model._symbolic_build(data_batch=batch)
    except (RuntimeError, NotImplementedError, ValueError):
        if model.built and model.trainable_variables and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def _sensible(model: Any, batch: Batch) -> None:
    """Raise `StudyError` at a batch that no loss could be told of."""
    import keras

    x, y, _ = batch
    if y is None and model._compile_loss is not None and type(model).train_step is keras.Model.train_step:
        raise StudyError("there are no targets: give y, or a data set that yields pairs (x, y)")
    sizes = {part.shape[0] if len(part.shape) else 0 for part in keras.tree.flatten((x, y)) if hasattr(part, "shape")}
    if 0 in sizes or len(sizes) > 1:
        raise StudyError("an element of x is no batch of samples with as many targets: batch the data set first, as with .batch(32)")


@contextmanager
def _unresolved_on_error(model: Any) -> Iterator[None]:
    """After an error, forget what the model's metrics took the data to be, if they had seen none before: Keras settles which
    accuracy `accuracy` is by the first targets, and it may be the targets that were wrong."""
    metrics = model._compile_metrics
    unresolved = metrics is not None and not metrics.built
    try:
        yield
    except BaseException:
        if unresolved:
            vars(model)["_compile_metrics"] = type(metrics)(  # as untracked as compile leaves it
                metrics._user_metrics, metrics._user_weighted_metrics, output_names=metrics.output_names
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
    """Put back all variables of the model, its metrics and its optimizers, and the training function.

    Inside, the function is compiled anew: it must not have the schedule in it, and whatever random state the old one keeps must rest.
    """
    import keras

    optimizers = [part for part in vars(model).values() if isinstance(part, keras.optimizers.Optimizer)]
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


@contextmanager
def _led_rate(optimizer: Any) -> Iterator[Any]:
    """A variable that is the optimizer's learning rate, or that of the one it wraps; a schedule stands aside meanwhile.

    The optimizer itself is led and not a copy: a copy made of its configuration lacks what has no place there, such as the weights that
    `exclude_from_weight_decay` was told of.
    """
    import keras

    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    own = optimizer._learning_rate
    if isinstance(own, keras.Variable):
        yield own
        return
    rate = keras.Variable(0.0, trainable=False, name="learning_rate")
    optimizer._track_variable(rate)  # a state that backends with functional updates hand along
    vars(optimizer)["_learning_rate"] = rate
    try:
        yield rate
    finally:
        vars(optimizer)["_learning_rate"] = own
        optimizer._untrack_variable(rate)


@contextmanager
def _as_fit_packs(model: Any) -> Iterator[None]:
    """Hand `train_step` its data as `fit` does, (x, y) without a third None, which `x, y = data` would stumble over."""
    import keras

    step, own = model.train_step, vars(model).get("train_step")
    model.train_step = lambda *arguments: step(*arguments[:-1], keras.utils.pack_x_y_sample_weight(*arguments[-1]))
    try:
        yield
    finally:
        del model.train_step
        if own is not None:
            model.train_step = own


def _batches(x: Any, y: Any, sample_weight: Any, size: int, seed: int) -> tuple[Iterator[Batch], int | None]:
    """Batches (x, y, sample weights) without end, and how many make an epoch, where that is known."""
    import keras

    tf: Any = sys.modules.get("tensorflow")  # who has a data set of its has imported it
    length: int | None
    draw = np.random.default_rng(seed)
    if isinstance(x, Iterator):
        raise StudyError(
            f"x is a {type(x).__name__}, which can be read only once: give arrays, a tf.data.Dataset or a keras.utils.PyDataset"
        )
    if (tf is not None and isinstance(x, tf.data.Dataset)) or isinstance(x, keras.utils.PyDataset):
        if y is not None or sample_weight is not None:
            raise StudyError(f"x is a {type(x).__name__}, which yields targets and weights itself: leave y and sample_weight out")
        if isinstance(x, keras.utils.PyDataset):
            length = x.num_batches
            return _cycled(lambda: (x[i] for i in (count() if length is None else draw.permutation(length)))), length
        cardinality = int(x.cardinality())
        length = cardinality if cardinality >= 0 else None
        copy = _apart(x, tf)
        return _cycled(lambda: copy), length
    data = keras.tree.map_structure(_array, (x, y, sample_weight))
    sizes = sorted({len(array) for array in keras.tree.flatten(data) if array is not None})
    if len(sizes) != 1 or sizes[0] == 0:
        raise StudyError(f"x, y and sample_weight hold {' and '.join(map(str, sizes)) or 'no'} samples: as many of each, at least one")
    (samples,) = sizes
    size = min(size, samples)

    def epoch() -> Iterator[Any]:
        order = draw.permutation(samples)
        for begin in range(0, samples - size + 1, size):
            yield keras.tree.map_structure(partial(_rows, chosen=order[begin : begin + size]), data)

    return _cycled(epoch), samples // size


def _rows(array: Any, chosen: Any) -> Any:
    return None if array is None else array[chosen]


def _cycled(epoch: Callable[[], Iterable[Any]]) -> Iterator[Batch]:
    """Epoch after epoch; an empty one raises `StudyError`."""
    import keras

    while True:
        batch = None
        for batch in epoch():
            yield keras.utils.unpack_x_y_sample_weight(batch)
        if batch is None:
            raise StudyError("x holds no batch: give some data")


def _array(values: Any) -> Any:
    """An array as `fit` makes it, with floating-point numbers in Keras's precision; None stays None."""
    import keras

    if values is None:
        return None
    array = np.asarray(values)
    if array.ndim == 0 or array.dtype == object:
        raise StudyError(f"x, y and sample_weight must be arrays, or lists or dicts of arrays, and one holds {values!r:.40}")
    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def _apart(dataset: Any, tf: Any) -> Any:
    """A copy of a tf.data.Dataset whose shuffles and caches are its own; the data set itself where TensorFlow cannot make one.

    A shuffle keeps its place between epochs in a resource that the data set's graph names. A graph that names one which does not exist
    makes it, from the same seeds.
    """
    try:
        variant = tf.data.experimental.to_variant(dataset)
        ignore_state = 1  # of external variables: the copy lives in this process, and shares them
        graph = tf.compat.v1.GraphDef.FromString(
            tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=ignore_state).numpy()
        )
        for node in graph.node:
            for handle in node.attr["value"].tensor.resource_handle_val if node.op == "Const" else ():
                if "SeedGenerator" in handle.maybe_type_name or "MemoryCache" in handle.maybe_type_name:
                    handle.name += f"/of a copy at {id(graph)}"
        copy = tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString())
        return tf.data.experimental.from_variant(copy, dataset.element_spec)
    except (tf.errors.OpError, ValueError, TypeError):  # such as one of more than 2 GB
        return dataset

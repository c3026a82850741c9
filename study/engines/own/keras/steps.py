"""Keras models on TensorFlow and PyTorch: lanes one after another, on one model.

On TensorFlow all steps of a call are one compiled loop. The model's own `train_step` is called, as
`fit` calls it, so that one of the user's own counts. XLA is left out: on processors it made the
loop of a small convolutional network six times slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from study.engines.learner import Floats
from study.engines.own.data.feeds import Order
from study.engines.own.data.trees import leaves, mapped, plain, rows_of
from study.engines.own.keras.model import (
    Arrays,
    Ready,
    assign,
    random_state,
    ready,
    set_random_state,
    tensors,
    values,
)
from study.engines.own.program import Task

State = tuple[Arrays, ...]
"""The values of each lane."""


class KerasSteps:
    """See `study.engines.own.program.Program`.

    Args:
        task: what to train.
    """

    together = False

    def __init__(self, task: Task) -> None:
        import keras

        self.task, self.ready = task, ready(task)
        self.starts: dict[int, Arrays] = {0: self.ready.start}
        self.loaded: Arrays | None = None
        compiled = keras.backend.backend() == "tensorflow"
        self.loop: Any = _tensorflow_loop(self) if compiled else _plain_loop(self)
        self.data: tuple[Any, Any] = (None, None)
        self.test: Any = _tensorflow_test(self.ready) if compiled else self.ready.model.test_step

    def begin(self, seed: int, lanes: int) -> State:
        """See `Program.begin`."""
        if seed not in self.starts:
            self.starts[seed] = ready(self.task, seed).start
        return (self.starts[seed],) * lanes

    def take(self, state: State, lanes: Sequence[int]) -> State:
        """See `Program.take`."""
        return tuple(state[lane] for lane in lanes)

    def steps(self, state: State, arrays: Any, order: Order, rates: Floats) -> Any:
        """See `Program.steps`."""
        if self.data[0] is not arrays:  # they stay on the device from call to call
            self.data = (arrays, tensors(arrays))
        told = []
        after = []
        outside = random_state()
        for lane, before in enumerate(state):
            self._load(before)
            told.append(self.loop(self.data[1], order, rates[:, lane]))
            after.append(self._read())
        set_random_state(outside)
        losses, found = (np.stack(column, axis=1) for column in zip(*told, strict=True))
        return tuple(after), losses, found

    def measure(self, state: State, batches: Iterable[Any]) -> Floats:
        """See `Program.measure`."""
        model, given = self.ready.model, [tensors(batch) for batch in batches]
        found = []
        for lane in state:
            self._load(lane)
            for metric in model.metrics:
                metric.reset_state()
            logs: dict[str, Any] = {}
            for batch in given:
                logs = self.test(batch)
            found.append(_number(logs[self.task.metric]))
            self.loaded = None  # a test_step may draw random numbers, which moves their seeds on
        for metric in model.metrics:
            metric.reset_state()
        return np.array(found)

    def weights(self, state: State, lane: int) -> list[Any]:
        """See `Program.weights`."""
        model = self.ready.model
        count = len(model.trainable_variables) + len(model.non_trainable_variables)
        return list(state[lane][:count])

    def _load(self, lane: Arrays) -> None:
        """Bring the model to a lane's values, unless it has them."""
        if self.loaded is not lane:
            assign(self.ready.state, lane)
            self.loaded = lane
        else:
            set_random_state(lane[len(self.ready.state) :])

    def _read(self) -> Arrays:
        self.loaded = (*values(self.ready.state), *random_state())
        return self.loaded


def _number(value: Any) -> float:
    return float(plain(value))


def _tensorflow_loop(program: KerasSteps) -> Any:
    """A function of data, order (T, B) and rates (T,): losses and metrics, (T,) each."""
    import tensorflow as tf

    model, metric = program.ready.model, program.task.metric
    rate = program.ready.state[program.ready.rate]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def loop(data: Any, order: Any, rates: Any) -> Any:
        count = tf.shape(order)[0]
        stacks = [tf.TensorArray(tf.float32, size=count, element_shape=[]) for _ in range(2)]

        def step(i: Any, *stacks: Any) -> Any:
            rows = order[i]
            batch = mapped(lambda part: tf.gather(part, rows), data)
            rate.assign(tf.cast(rates[i], rate.dtype))
            for one in model.metrics:
                one.reset_state()
            logs = model.train_step(batch)
            told = [tf.cast(tf.reduce_mean(logs[name]), tf.float32) for name in ("loss", metric)]
            return (i + 1, *(stack.write(i, one) for stack, one in zip(stacks, told, strict=True)))

        _, *stacks = tf.while_loop(
            lambda i, *_: i < count, step, (tf.constant(0), *stacks), parallel_iterations=1
        )
        return [stack.stack() for stack in stacks]

    program_of = tf.function(loop, reduce_retracing=True)

    def run(data: Any, order: Order, rates: Floats) -> Any:
        told = program_of(data, tf.constant(order), tf.constant(rates, tf.float32))
        return [one.numpy() for one in told]

    return run


def _plain_loop(program: KerasSteps) -> Any:
    """As `_tensorflow_loop`, step by step, for a backend that compiles nothing."""
    model, metric = program.ready.model, program.task.metric
    rate = program.ready.state[program.ready.rate]

    def run(data: Any, order: Order, rates: Floats) -> Any:
        told = []
        for rows, one in zip(order, rates, strict=True):
            chosen = tensors(rows.astype(np.int64))
            rate.assign(float(one))
            for counted in model.metrics:
                counted.reset_state()
            logs = model.train_step(mapped(partial(rows_of, rows=chosen), data))
            told.append((_number(logs["loss"]), _number(logs[metric])))
        losses, found = np.array(told).T
        return losses, found

    return run


def _tensorflow_test(prepared: Ready) -> Any:
    import tensorflow as tf

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def test(batch: Any) -> Any:
        return prepared.model.test_step(batch)

    return tf.function(test, reduce_retracing=True)


def batch_size(batch: Any) -> int:
    """Samples of a batch."""
    return len(next(leaves(batch)))

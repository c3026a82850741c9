"""Keras models with convolutions on JAX, on a processor: each step of each lane is a call.

Within a loop, and with weights of many lanes, XLA computes convolutions by slow general code. On a
core of an AMD EPYC a step of a small network took 13.4 ms in a loop, and 5.4 ms as a call; a step
of a lane of four 18.5 ms in an array, and 8.4 ms as a call.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from study.engines.learner import Floats
from study.engines.own.data.feeds import Order
from study.engines.own.keras.arrays import KerasArrays
from study.engines.own.keras.model import Ready, ready, tensors
from study.engines.own.program import Program, Task


def jax_program(task: Task) -> Program:
    """The faster program of a Keras model on JAX."""
    import jax

    prepared = ready(task)
    arrays = KerasArrays(task, prepared)
    slow = jax.default_backend() == "cpu" and _convolves(arrays)
    return KerasCalls(task, prepared) if slow else arrays


def _convolves(program: KerasArrays) -> bool:
    """Whether a step of the model computes a convolution."""
    import jax

    batch = tensors(program.task.batch)
    traced = jax.make_jaxpr(program.one)(list(program.ready.start), np.float32(0), batch)
    return "conv_general_dilated" in str(traced)


class KerasCalls(KerasArrays):
    """See `study.engines.own.program.Program`.

    Args:
        task: what to train.
        prepared: its model.
    """

    together = False

    def __init__(self, task: Task, prepared: Ready) -> None:
        import jax

        super().__init__(task, prepared)
        self.step = jax.jit(self._step)

    def steps(self, state: Any, arrays: Any, order: Order, rates: Floats) -> Any:
        """See `Program.steps`."""
        import jax
        import jax.numpy as jnp

        data, led = self.placed(arrays), np.asarray(rates, np.float32)
        after, told = [], []
        for lane in range(led.shape[1]):
            own, found = [one[lane] for one in state], []
            for rows, rate in zip(order, led[:, lane], strict=True):
                own, *values = self.step(own, data, rows, rate)
                found.append(values)
            after.append(own)
            told.append(np.array(jax.device_get(found), float))
        state = [jnp.stack(parts) for parts in zip(*after, strict=True)]
        jax.block_until_ready(state)
        losses, values = np.moveaxis(np.array(told), (0, 1, 2), (2, 1, 0))
        return state, losses, values

    def _step(self, state: Any, data: Any, rows: Any, rate: Any) -> Any:
        """A step of one lane, on some rows of the data."""
        import jax
        import jax.numpy as jnp

        return self.one(state, rate, jax.tree.map(partial(jnp.take, indices=rows, axis=0), data))

"""Keras models on JAX: lanes in one array, by `vmap` of the model's own functional `train_step`.

A lane's state is a row of every variable. Nothing mixes rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from study.engines.learner import Floats
from study.engines.own.data.feeds import Order
from study.engines.own.keras.model import Arrays, Ready, ready, tensors
from study.engines.own.program import Task

CALL = 50
"""Steps of one call of the program; every call is padded to so many, since each length would be
compiled anew.
"""


class KerasArrays:
    """See `study.engines.own.program.Program`.

    Args:
        task: what to train.
        prepared: its model.
    """

    together = True

    def __init__(self, task: Task, prepared: Ready) -> None:
        import jax

        self.task, self.ready = task, prepared
        self.starts: dict[int, Arrays] = {0: self.ready.start}
        model = self.ready.model
        self.cuts = np.cumsum([len(model.trainable_variables), len(model.non_trainable_variables)])
        self.fresh = [one.value for one in model.metrics_variables]
        self.program = jax.jit(self._steps)
        self.test = jax.jit(jax.vmap(self._tested, in_axes=(0, 0, None)))
        self.data: tuple[Any, Any] = (None, None)

    def begin(self, seed: int, lanes: int) -> Any:
        """See `Program.begin`."""
        import jax.numpy as jnp

        if seed not in self.starts:
            self.starts[seed] = ready(self.task, seed).start
        return [jnp.broadcast_to(one, (lanes, *one.shape)) for one in self.starts[seed]]

    def take(self, state: Any, lanes: Sequence[int]) -> Any:
        """See `Program.take`."""
        chosen = np.asarray(lanes)
        return [one[chosen] for one in state]

    def steps(self, state: Any, arrays: Any, order: Order, rates: Floats) -> Any:
        """See `Program.steps`."""
        data = self.placed(arrays)
        losses, found = [], []
        for begin in range(0, len(order), CALL):
            part = slice(begin, begin + CALL)
            count = len(order[part])
            rows = np.pad(order[part], ((0, CALL - count), (0, 0)), mode="edge")
            led = np.pad(np.asarray(rates[part], np.float32), ((0, CALL - count), (0, 0)), "edge")
            state, one, other = self.program(state, data, rows, led, count)
            losses.append(np.asarray(one)[:count])
            found.append(np.asarray(other)[:count])
        for one in state[:1]:
            one.block_until_ready()
        return state, np.concatenate(losses), np.concatenate(found)

    def placed(self, arrays: Any) -> Any:
        """The data on the device, where they stay from call to call."""
        if self.data[0] is not arrays:
            self.data = (arrays, tensors(arrays))
        return self.data[1]

    def measure(self, state: Any, batches: Iterable[Any]) -> Floats:
        """See `Program.measure`."""
        import jax.numpy as jnp

        lanes = len(state[0])
        counted = [jnp.broadcast_to(one, (lanes, *one.shape)) for one in self.fresh]
        told: Any = {}
        for batch in batches:
            told, counted = self.test(state, counted, tensors(batch))
        return np.asarray(told[self.task.metric], float)

    def weights(self, state: Any, lane: int) -> list[Any]:
        """See `Program.weights`."""
        return [np.asarray(one[lane]) for one in state[: self.cuts[1]]]

    def _parts(self, state: Any) -> tuple[Any, Any, Any]:
        """Trained weights, other variables of the model, and the optimizer's."""
        first, second = self.cuts
        return state[:first], state[first:second], state[second:]

    def one(self, state: Any, rate: Any, batch: Any) -> Any:
        """A step of one lane."""
        place = self.ready.rate
        state = [*state[:place], rate.astype(state[place].dtype), *state[place + 1 :]]
        logs, (trained, other, slots, _) = self.ready.model.train_step(
            (*self._parts(state), self.fresh), batch
        )
        return [*trained, *other, *slots], logs["loss"], logs[self.task.metric]

    def _steps(self, state: Any, data: Any, order: Any, rates: Any, count: Any) -> Any:
        """`count` steps of all lanes, in one program."""
        import jax
        import jax.numpy as jnp

        step = jax.vmap(self.one, in_axes=(0, 0, None))
        lanes = rates.shape[1]
        stacks = (jnp.zeros((CALL, lanes)), jnp.zeros((CALL, lanes)))

        def body(i: Any, carried: Any) -> Any:
            state, losses, found = carried
            batch = jax.tree.map(partial(jnp.take, indices=order[i], axis=0), data)
            state, loss, value = step(state, rates[i], batch)
            return (
                state,
                losses.at[i].set(loss.astype(losses.dtype)),
                found.at[i].set(value.astype(found.dtype)),
            )

        return jax.lax.fori_loop(0, count, body, (state, *stacks))

    def _tested(self, state: Any, counted: Any, batch: Any) -> Any:
        """A batch of one lane without training: what it tells, and the metrics' variables."""
        trained, other, _ = self._parts(state)
        logs, (_, _, counted) = self.ready.model.test_step((trained, other, counted), batch)
        return logs, counted

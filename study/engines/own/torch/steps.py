"""PyTorch modules, lanes one after another: the plain loop on one module."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from study.engines.learner import Floats
from study.engines.own.data.feeds import Order
from study.engines.own.data.trees import mapped, rows_of
from study.engines.own.optimizers import torch_optimizer
from study.engines.own.program import Task
from study.engines.own.torch.module import built, call, loss_of, measured, tensors, tried


@dataclass(frozen=True)
class Lane:
    """All that a step of a lane changes, copied.

    Args:
        values: parameters and buffers, by name.
        slots: the state of the optimizer, as its `state_dict` holds it.
        random: the state of PyTorch's random numbers.
    """

    values: dict[str, Any]
    slots: dict[Any, Any]
    random: Any


class ModuleSteps:
    """See `study.engines.own.program.Program`.

    Args:
        task: what to train.
    """

    together = False

    def __init__(self, task: Task) -> None:
        start = built(task, 0)
        tried(task, start)
        self.task, self.module, self.loss = task, start.module, loss_of(task)
        self.optimizer, self.shares = torch_optimizer(task.optimizer, self.module)
        self.own = copy.deepcopy(self.optimizer.state_dict()["state"])
        self.starts: dict[int, Lane] = {}
        self.starts[0] = Lane(self._values(), copy.deepcopy(self.own), start.random)
        self.loaded: Lane | None = None
        self.data: tuple[Any, Any] = (None, None)

    def begin(self, seed: int, lanes: int) -> tuple[Lane, ...]:
        """See `Program.begin`."""
        if seed not in self.starts:
            start = built(self.task, seed)
            fresh = {name: one.clone() for name, one in start.module.state_dict().items()}
            self.starts[seed] = Lane(fresh, copy.deepcopy(self.own), start.random)
        return (self.starts[seed],) * lanes

    def take(self, state: tuple[Lane, ...], lanes: Sequence[int]) -> tuple[Lane, ...]:
        """See `Program.take`."""
        return tuple(state[lane] for lane in lanes)

    def steps(self, state: tuple[Lane, ...], arrays: Any, order: Order, rates: Floats) -> Any:
        """See `Program.steps`."""
        import torch

        if self.data[0] is not arrays:
            self.data = (arrays, tensors(arrays))
        told = np.empty((2, len(order), len(state)))
        rows, after, outside = torch.from_numpy(order.astype(np.int64)), [], torch.get_rng_state()
        try:
            for lane, before in enumerate(state):
                self._load(before)
                for i, rate in enumerate(rates[:, lane]):
                    batch = mapped(partial(rows_of, rows=rows[i]), self.data[1])
                    told[:, i, lane] = self._step(batch, float(rate))
                self.loaded = self._read()
                after.append(self.loaded)
        finally:
            torch.set_rng_state(outside)
        return tuple(after), told[0], told[1]

    def measure(self, state: tuple[Lane, ...], batches: Iterable[Any]) -> Floats:
        """See `Program.measure`."""
        given = [tensors(batch) for batch in batches]
        found = []
        for lane in state:
            self._load(lane)
            found.append(measured(self.module, self.loss, self.task.metric, given))
            self.loaded = None  # a module may change its buffers, in evaluation too
        return np.array(found)

    def weights(self, state: tuple[Lane, ...], lane: int) -> list[Any]:
        """See `Program.weights`."""
        return [one.numpy() for one in state[lane].values.values()]

    def _step(self, batch: Any, rate: float) -> tuple[float, float]:
        """A step of the plain loop: the loss before it, and the metric on its batch."""
        x, *rest = batch
        for group, share in zip(self.optimizer.param_groups, self.shares, strict=True):
            group["lr"] = rate * share
        self.optimizer.zero_grad()
        loss, metrics = self.loss(call(self.module, x), *rest)
        loss.backward()
        self.optimizer.step()
        found = metrics[self.task.metric]
        return float(loss.detach()), float(found.detach() if hasattr(found, "detach") else found)

    def _values(self) -> dict[str, Any]:
        return {name: one.detach().clone() for name, one in self.module.state_dict().items()}

    def _load(self, lane: Lane) -> None:
        """Bring the module to a lane's state, unless it has it."""
        import torch

        torch.set_rng_state(lane.random)
        if self.loaded is lane:
            return
        self.module.load_state_dict(lane.values)
        whole = {**self.optimizer.state_dict(), "state": copy.deepcopy(lane.slots)}
        self.optimizer.load_state_dict(whole)
        self.loaded = lane

    def _read(self) -> Lane:
        import torch

        slots = copy.deepcopy(self.optimizer.state_dict()["state"])
        return Lane(self._values(), slots, torch.get_rng_state())

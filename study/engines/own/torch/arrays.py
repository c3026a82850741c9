"""PyTorch modules, lanes in one array: `torch.func.vmap` over stacked parameters and buffers.

The optimizer is PyTorch's own, on the stacked parameters. Its step is in proportion to its rate, so
it is taken at rate 1 from zero, which gives every lane's direction; the lane's rate then scales it.
Weight decay needs the parameters themselves, and is added here. Only optimizers whose step is of
this kind can be in an array.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from study.engines.learner import Floats
from study.engines.own.data.feeds import Order
from study.engines.own.data.trees import mapped, rows_of
from study.engines.own.program import Task
from study.engines.own.torch.module import Start, built, loss_of, samples, tensors, tried

PROPORTIONAL = (
    *("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"),
)
"""Optimizers of PyTorch that move each number by itself, in proportion to the rate."""


@dataclass(frozen=True)
class State:
    """All that a step changes; the first axis of every tensor but `step` is the lane.

    Args:
        weights, buffers: by name, (K, ...).
        slots: the optimizer's state of each weight.
        random: the state of PyTorch's random numbers, which the lanes share.
    """

    weights: dict[str, Any]
    buffers: dict[str, Any]
    slots: list[dict[str, Any]]
    random: Any


@contextmanager
def quietly() -> Iterator[None]:
    """Leave out what `vmap` says of an operation that it does for one lane after another: whether
    an array is worth it is measured.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")
        yield


class ModuleArrays:
    """See `study.engines.own.program.Program`.

    Args:
        task: what to train.
    """

    together = True

    def __init__(self, task: Task) -> None:
        start = built(task, 0)
        tried(task, start)
        self.task, self.module, self.loss = task, start.module, loss_of(task)
        self.starts: dict[int, Start] = {0: start}
        self.names = [name for name, one in self.module.named_parameters() if one.requires_grad]
        first = {name: one.detach().clone() for name, one in self.module.state_dict().items()}
        self.firsts: dict[int, dict[str, Any]] = {0: first}
        self.data: tuple[Any, Any] = (None, None)
        self.gradients, self.values = self._functions()

    def begin(self, seed: int, lanes: int) -> State:
        """See `Program.begin`."""
        if seed not in self.starts:
            self.starts[seed] = start = built(self.task, seed)
            self.firsts[seed] = {n: one.clone() for n, one in start.module.state_dict().items()}
        first = self.firsts[seed]
        every = {n: one.expand(lanes, *one.shape).clone() for n, one in first.items()}
        weights = {name: every.pop(name) for name in self.names}
        return State(weights, every, [{} for _ in weights], self.starts[seed].random)

    def take(self, state: State, lanes: Sequence[int]) -> State:
        """See `Program.take`."""
        import torch

        chosen = torch.as_tensor(list(lanes))

        def rows(part: dict[str, Any]) -> dict[str, Any]:
            return {name: one[chosen] if one.ndim else one for name, one in part.items()}

        slots = [rows(slot) for slot in state.slots]
        return State(rows(state.weights), rows(state.buffers), slots, state.random)

    @quietly()
    def steps(self, state: State, arrays: Any, order: Order, rates: Floats) -> Any:
        """See `Program.steps`."""
        import torch

        if self.data[0] is not arrays:
            self.data = (arrays, tensors(arrays))
        rows, led = torch.from_numpy(order.astype(np.int64)), torch.from_numpy(np.array(rates))
        weights = {name: one.clone() for name, one in state.weights.items()}
        buffers, slots = state.buffers, copy.deepcopy(state.slots)
        moves = [torch.nn.Parameter(torch.zeros_like(one)) for one in weights.values()]
        optimizer, decay, decoupled = self._optimizer(moves, slots)
        told, outside = [], torch.get_rng_state()
        torch.set_rng_state(state.random)
        try:
            for i in range(len(order)):
                x, *rest = mapped(partial(rows_of, rows=rows[i]), self.data[1])
                gradients, (values, buffers) = self.gradients(weights, buffers, x, tuple(rest))
                told.append(values)
                for move, (name, weight) in zip(moves, weights.items(), strict=True):
                    rate = led[i].to(weight.dtype).view(-1, *[1] * (weight.ndim - 1))
                    if decay and decoupled:
                        weight.mul_(1 - rate * decay)
                    gradient = gradients[name].detach()
                    move.grad = gradient + decay * weight if decay and not decoupled else gradient
                optimizer.step()
                with torch.no_grad():
                    for move, weight in zip(moves, weights.values(), strict=True):
                        rate = led[i].to(weight.dtype).view(-1, *[1] * (weight.ndim - 1))
                        weight.add_(rate * move)
                        move.zero_()
            random = torch.get_rng_state()
        finally:
            torch.set_rng_state(outside)
        slots = [dict(optimizer.state[move]) for move in moves]
        losses, found = (
            torch.stack([one[place].detach() for one in told]).double().numpy() for place in (0, 1)
        )
        return State(weights, buffers, slots, random), losses, found

    @quietly()
    def measure(self, state: State, batches: Iterable[Any]) -> Floats:
        """See `Program.measure`."""
        import torch

        total, count = 0.0, 0
        self.module.eval()
        with torch.no_grad():
            for batch in batches:
                x, *rest = tensors(batch)
                found = self.values(state.weights, state.buffers, x, tuple(rest))
                total, count = total + found.double() * samples(batch), count + samples(batch)
        self.module.train()
        return np.asarray(total / max(1, count))

    def weights(self, state: State, lane: int) -> list[Any]:
        """See `Program.weights`."""
        found = {**state.weights, **state.buffers}
        return [found[name][lane].numpy() for name in self.firsts[0]]

    def _optimizer(self, moves: list[Any], slots: list[dict[str, Any]]) -> tuple[Any, float, bool]:
        """The optimizer at rate 1 without decay, with its slots; the decay, whether decoupled."""
        kind, settings = self.task.optimizer.kind, dict(self.task.optimizer.settings)
        usual = kind(moves, lr=1.0, **settings).param_groups[0]
        decay, decoupled = usual["weight_decay"], usual.get("decoupled_weight_decay", False)
        made = kind(moves, lr=1.0, **{**settings, "weight_decay": 0.0})
        for move, slot in zip(moves, slots, strict=True):
            if slot:
                made.state[move] = slot
        return made, float(decay), bool(decoupled)

    def _functions(self) -> tuple[Any, Any]:
        """Functions of all lanes: gradients with what a step tells, and the metric alone."""
        import torch
        from torch import func

        metric = self.task.metric

        def told(weights: Any, buffers: Any, x: Any, rest: Any) -> Any:
            mine = {name: one.clone() for name, one in buffers.items()}
            outputs = func.functional_call(self.module, (weights, mine), *_arguments(x))
            loss, metrics = self.loss(outputs, *rest)
            return loss, ((loss, torch.as_tensor(metrics[metric])), mine)

        def value(weights: Any, buffers: Any, x: Any, rest: Any) -> Any:
            mine = {name: one.clone() for name, one in buffers.items()}
            outputs = func.functional_call(self.module, (weights, mine), *_arguments(x))
            return self.loss(outputs, *rest)[1][metric]

        lanes = (0, 0, None, None)
        return (
            func.vmap(func.grad(told, has_aux=True), in_dims=lanes, randomness="same"),
            func.vmap(value, in_dims=lanes, randomness="same"),
        )


def _arguments(x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs as positional and named arguments, as `module.call` gives them."""
    if isinstance(x, dict):
        return (), x
    return (tuple(x) if isinstance(x, (list, tuple)) else (x,)), {}

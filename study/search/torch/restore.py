"""What a sweep puts back in a module, its loss, its optimizer and its data."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, Sampler

GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
FOLLOWED = (DataLoader, Dataset, Sampler)

CONTAINERS = (dict, OrderedDict, defaultdict, list, deque, set)
"""Kinds that are emptied and filled again; another may resist, so it is left as it is."""


@contextmanager
def everything_restored(owners: Iterable[Any], data: Iterable[Any]) -> Iterator[None]:
    """Put back the state of modules and optimizers, and all random states, at the end.

    Args:
        owners: modules and optimizers; others among them are passed over.
        data: loaders and data sets, of which the random generators alone are put back.
    """
    kept = Kept()
    kept.random_states()
    kept.keep(*(one for one in owners if isinstance(one, (torch.nn.Module, Optimizer))))
    kept.keep(*generators(*data))
    try:
        yield
    finally:
        try:
            kept.put_back()
        except KeyboardInterrupt:  # it goes on where it was, so a half is never left
            kept.put_back()
            raise


class Kept:
    """The state of things as it was when they were given, to be put back in place.

    Tensors, arrays, containers, modules, optimizers and random generators keep their identity and
    get their values back. So a tensor that two of them share is one again.
    """

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}
        self._undo: list[Callable[[], None]] = []

    def keep(self, *things: Any) -> None:
        """Note things, and all that they hold."""
        ahead = list(things)
        while ahead:
            thing = ahead.pop()
            if id(thing) not in self._seen and (found := _noted(thing)) is not None:
                self._seen[id(thing)] = thing  # what is kept cannot give its id to another
                undo, parts = found
                self._undo += undo
                ahead += parts

    def random_states(self) -> None:
        """Note the global random states of Python, NumPy and PyTorch, those of GPUs included."""
        self._undo += [
            partial(random.setstate, random.getstate()),
            partial(np.random.set_state, np.random.get_state()),  # noqa: NPY002
            partial(torch.set_rng_state, torch.get_rng_state()),
        ]
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states = torch.cuda.get_rng_state_all()
            self._undo.append(partial(torch.cuda.set_rng_state_all, states))

    def put_back(self) -> None:
        """Put all of it back; called again after an interrupt, it goes on."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()


def generators(*data: Any) -> Iterator[Any]:
    """The random generators that loaders, samplers and data sets hold in their attributes.

    Args:
        *data: these; of another object its own attributes are looked at.
    """
    seen: dict[int, Any] = {}
    ahead = list(data)
    while ahead:
        thing = ahead.pop()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if isinstance(thing, GENERATORS):
            yield thing
        elif isinstance(thing, (tuple, list)):
            ahead += [part for part in thing if isinstance(part, (*GENERATORS, *FOLLOWED))]
        elif isinstance(thing, FOLLOWED) or any(thing is one for one in data):
            ahead += getattr(thing, "__dict__", {}).values()


Noted = tuple[list[Callable[[], None]], list[Any]]
"""How to put a thing back, and what it holds."""


def _noted(thing: Any) -> Noted | None:
    """None where a thing cannot change, or is of a kind that is not followed."""
    if isinstance(thing, torch.Tensor):
        return _tensor(thing)
    if isinstance(thing, torch.nn.Module):
        # A module that was compiled to a script holds these outside of its attributes.
        own = *thing.parameters(recurse=False), *thing.buffers(recurse=False)
        mode = partial(setattr, thing, "training", thing.training)
        return [mode], [vars(thing), *own, *thing.children()]
    if isinstance(thing, Optimizer):
        return [], [vars(thing)]
    if isinstance(thing, tuple):
        return [], list(thing)
    if type(thing) in CONTAINERS:
        return _container(thing)
    if isinstance(thing, np.ndarray):
        return [partial(thing.__setitem__, ..., thing.copy())] if thing.flags.writeable else [], []
    return ([_reset(thing)], []) if isinstance(thing, GENERATORS) else None


def _container(thing: Any) -> Noted:
    """Its parts, in their order."""
    if isinstance(thing, dict):
        items = dict(thing)

        def fill() -> None:
            thing.clear()
            thing.update(items)

        return [fill], list(items.values())
    parts = list(thing)

    def refill() -> None:
        thing.clear()
        (thing.update if isinstance(thing, set) else thing.extend)(parts)

    return [refill], parts


def _tensor(thing: Any) -> Noted:
    """Its memory and the values in it; of a parameter also its gradient."""
    memory = thing.data  # is written to without a trace in graphs that hold the tensor
    # Tensors that lie on top of themselves are never written to.
    apart = thing.layout is not torch.strided or all(
        step or size < 2 for step, size in zip(thing.stride(), thing.shape, strict=True)
    )
    values = memory.clone() if apart else None
    leaf, trained = thing.is_leaf, thing.requires_grad
    gradient = thing.grad if leaf else None

    def undo() -> None:
        if thing.layout is torch.strided and not memory.is_set_to(thing.data):
            thing.data = memory
        if values is not None:
            memory.copy_(values)
        if leaf and thing.requires_grad != trained:
            thing.requires_grad_(trained)
        if leaf and thing.grad is not gradient:
            thing.grad = gradient

    return [undo], [] if gradient is None else [gradient]


def _reset(generator: Any) -> Callable[[], None]:
    """How to put a random generator back."""
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return partial(setattr, bits, "state", bits.state)
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    return partial(generator.set_state, generator.get_state())

"""Modules of a user's own, their data, and all of their state."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 3))).argmax(axis=1)
XT, YT = torch.from_numpy(X), torch.from_numpy(Y)

SHORT: dict[str, Any] = dict(steps=8, low=1e-4, high=0.1)
LOSS = nn.CrossEntropyLoss()

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda weights, lr: torch.optim.SGD(weights, lr, momentum=0.9, nesterov=True),
    "adam": torch.optim.Adam,
    "adamw": lambda weights, lr: torch.optim.AdamW(weights, lr, amsgrad=True),
    "rmsprop": lambda weights, lr: torch.optim.RMSprop(weights, lr, centered=True, momentum=0.5),
    "adagrad": torch.optim.Adagrad,
    "nadam": torch.optim.NAdam,
    "adafactor": torch.optim.Adafactor,
}


def plain(seed: int = 7) -> Any:
    """A network with normalisation and dropout."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )


def layer(seed: int = 7) -> Any:
    """One layer."""
    torch.manual_seed(seed)
    return nn.Linear(6, 3)


def loader(seed: int | None = 3, **options: Any) -> Any:
    """Batches in an order that changes every epoch, drawn from a generator of its own or not."""
    own = None if seed is None else torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(XT, YT), 32, shuffle=True, generator=own, **options)


def fit(module: Any, optimizer: Any, batches: Any, rates: Any = None) -> list[float]:
    """A plain loop over batches, at rates of its own where there are some; the losses."""
    losses = []
    module.train()
    for place, (x, y) in enumerate(batches):
        if rates is not None:
            for group in optimizer.param_groups:
                group["lr"] = float(rates[place])
        optimizer.zero_grad()
        loss = LOSS(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def draws() -> list[float]:
    """A number of PyTorch's, Python's and NumPy's."""
    return [torch.rand(()).item(), random.random(), np.random.random()]  # noqa: NPY002


def state(*owners: Any) -> list[Any]:
    """All of modules and optimizers, as it stands: names, bytes, gradients, modes and rates."""
    return [_frozen(owner) for owner in owners]


def _bytes(tensor: Any) -> bytes:
    flat = tensor.detach().cpu().reshape(-1).view(torch.uint8)
    return bytes(flat.numpy().tobytes())


def _frozen(thing: Any) -> Any:
    if isinstance(thing, nn.Module):
        parts = [*thing.named_parameters(), *thing.named_buffers()]
        return (
            [(name, _frozen(one), one.requires_grad, _frozen(one.grad)) for name, one in parts],
            [part.training for part in thing.modules()],
        )
    if isinstance(thing, torch.optim.Optimizer):
        return _frozen(thing.state_dict()), sorted(vars(thing))
    if isinstance(thing, torch.Tensor):
        return str(thing.dtype), tuple(thing.shape), _bytes(thing)
    if isinstance(thing, dict):
        return [(name, _frozen(part)) for name, part in thing.items()]
    return [_frozen(part) for part in thing] if isinstance(thing, (list, tuple)) else thing

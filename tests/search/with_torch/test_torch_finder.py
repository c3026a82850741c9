"""The finder on modules: its losses are those of a plain loop, whatever the data and the module."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

import study
from study.search.finder import ramp
from support.engines.own_modules import (
    LOSS,
    OPTIMIZERS,
    SHORT,
    XT,
    YT,
    X,
    Y,
    fit,
    layer,
    loader,
    plain,
)

pytestmark = pytest.mark.slow

RATES = ramp(1e-4, 0.1, 8)


def drawn(seed: int, size: int, count: int) -> list[Any]:
    """Batches in the order of NumPy's permutations, what is left over being left out."""
    draw = np.random.default_rng(seed)
    found: list[Any] = []
    while len(found) < count:
        order = draw.permutation(256)
        found += [order[i : i + size] for i in range(0, 257 - size, size)]
    return [(XT[rows], YT[rows]) for rows in found[:count]]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_are_those_of_a_plain_loop_over_a_loader(name: str) -> None:
    """With normalisation, dropout, and an order that the global generator draws: bit for bit."""
    module = plain()
    torch.manual_seed(11)
    found = study.find_rate(
        module,
        loader(None),
        loss=LOSS,
        optimizer=OPTIMIZERS[name](module.parameters(), 0.5),
        **SHORT,
    )
    other = plain()
    torch.manual_seed(11)
    optimizer = OPTIMIZERS[name](other.parameters(), 0.5)
    losses = fit(other, optimizer, islice(loader(None), 8), RATES)
    assert found.losses.tolist() == losses
    assert found.rates.tolist() == RATES.tolist()


@pytest.mark.parametrize("kind", ["arrays", "tensors", "y apart", "list", "data set", "subset"])
def test_arrays_and_data_sets_come_in_the_order_of_the_seed(kind: str) -> None:
    """Epoch after epoch; as many samples in each batch."""
    data: Any = {
        "arrays": ((X.astype(np.float64), Y.astype(np.int32)),),
        "tensors": ((XT, YT),),
        "y apart": (X, YT),
        "list": ([XT, Y],),
        "data set": (TensorDataset(XT, YT),),
        "subset": (Subset(TensorDataset(XT, YT), range(256)),),
    }[kind]
    found = study.find_rate(
        plain(), *data, loss=LOSS, optimizer="adam", batch_size=50, seed=4, **SHORT
    )
    other = plain()
    losses = fit(other, torch.optim.Adam(other.parameters()), drawn(4, 50, 8), RATES)
    assert found.losses.tolist() == losses


@pytest.mark.parametrize(
    "make",
    [
        "sgd",
        "SGD",
        torch.optim.SGD,
        partial(torch.optim.SGD, lr=3.0),
        lambda weights: torch.optim.SGD([{"params": list(weights), "lr": 7.0}]),
    ],
    ids=["name", "large letters", "class", "partial", "function"],
)
def test_an_optimizer_is_made_where_none_is_given(make: Any) -> None:
    """By its name, its class or a function, of the parameters that need a gradient."""
    module = layer()
    module.bias.requires_grad_(False)
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer=make, **SHORT)
    other = layer()
    losses = fit(other, torch.optim.SGD([other.weight]), drawn(0, 32, 8), RATES)
    assert found.losses.tolist() == losses
    assert found.rate_of == ""


def test_the_rate_is_as_exact_as_the_optimizers() -> None:
    """A weight whose gradient is one moves by the sum of the rates."""
    module, seen = nn.Linear(1, 1, bias=False), []

    def loss(outputs: Any, targets: Any) -> Any:
        seen.append(module.weight.item())
        return outputs.mean()

    module.double()
    study.find_rate(module, (np.ones((32, 1)), None), loss=loss, optimizer="sgd", **SHORT)
    assert np.diff(seen) == pytest.approx(-RATES[:-1], rel=1e-9)


class Endless(IterableDataset):  # type: ignore[misc]
    """The samples over and over."""

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield from zip(XT, YT, strict=True)


class Loader:
    """Batches that can be read again."""

    def __iter__(self) -> Iterator[Any]:
        return iter([(XT[i : i + 32], YT[i : i + 32]) for i in range(0, 256, 32)])


def on_and_on() -> Iterator[Any]:
    while True:
        yield from Loader()


IN_ORDER: dict[str, Any] = {
    "endless data set": Endless,
    "endless loader": lambda: DataLoader(Endless(), 32),
    "loader": lambda: DataLoader(TensorDataset(XT, YT), 32),
    "workers": lambda: DataLoader(
        TensorDataset(XT, YT), 32, num_workers=1, persistent_workers=True
    ),
    "list": lambda: list(Loader()),
    "own": Loader,
    "arrays of NumPy": lambda: [(x.numpy(), y.numpy()) for x, y in Loader()],
    "generator": on_and_on,
}


# Newer versions of Python warn of the workers of a loader.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.filterwarnings(
    "ignore:os.fork.. was called", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("kind", IN_ORDER)
def test_what_yields_batches_is_read_in_its_order(kind: str) -> None:
    """From its start again when it ends."""
    steps = dict(SHORT, steps=12)
    found = study.find_rate(layer(), IN_ORDER[kind](), loss=LOSS, optimizer="sgd", **steps)
    other = layer()
    batches = islice(on_and_on(), 12)
    losses = fit(other, torch.optim.SGD(other.parameters()), batches, ramp(1e-4, 0.1, 12))
    assert found.losses.tolist() == losses


def test_a_generator_is_read_on_and_not_ahead() -> None:
    """As many batches as steps; the next ones are its user's."""
    given = (batch for batch in chain(Loader(), [(XT[:5], YT[:5])]))
    study.find_rate(layer(), given, loss=LOSS, optimizer="sgd", **SHORT)
    assert len(next(given)[0]) == 5


class Two(nn.Module):  # type: ignore[misc]
    """Takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layer(1), layer(2)

    def forward(self, a: Any, b: Any) -> Any:
        return self.first(a) + self.second(b)


@pytest.mark.parametrize("kind", ["tuple", "dict", "y apart", "loader", "dicts", "frames"])
def test_several_inputs_are_arguments(kind: str) -> None:
    """By place or by name."""
    named = {"b": 2 * X, "a": X}
    pairs = [({"a": XT[i : i + 32], "b": 2 * XT[i : i + 32]}, YT[i : i + 32]) for i in (0, 32)]
    data: Any = {
        "tuple": (((X, 2 * X), Y),),
        "dict": ((named, Y),),
        "y apart": (named, Y),
        "frames": ((pd.DataFrame(X), pd.DataFrame(2 * X)), pd.Series(Y)),
        "loader": ([([p["a"].numpy(), p["b"]], y) for p, y in pairs],),
        "dicts": (pairs,),
    }[kind]
    found = study.find_rate(Two(), *data, loss=LOSS, optimizer="sgd", **SHORT)
    batches = [(one["a"], y) for one, y in pairs * 4]
    if kind not in ("loader", "dicts"):
        batches = drawn(0, 32, 8)
    other = Two()
    losses = []
    optimizer = torch.optim.SGD(other.parameters())
    for (x, y), rate in zip(batches, RATES, strict=True):
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        loss = LOSS(other(x, 2 * x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert found.losses.tolist() == pytest.approx(losses, rel=1e-6)


def test_inputs_without_targets() -> None:
    """Alone, in a dict or as the one part of a batch; the loss is given None."""

    def loss(outputs: Any, targets: Any) -> Any:
        assert targets is None
        return (outputs**2).mean()

    given = X, {"input": X}, (X, None), TensorDataset(XT), DataLoader(TensorDataset(XT), 32)
    starts = []
    for data in given:
        found = study.find_rate(layer(), data, loss=loss, optimizer="sgd", batch_size=256, **SHORT)
        assert len(found.losses) == 8
        starts.append(found.losses[0])
    assert starts[:4] == pytest.approx([(layer()(XT) ** 2).mean().item()] * 4)
    assert found.accuracy.size == 0


def test_the_steps_are_an_epochs_within_bounds() -> None:
    """At least 200, at most 500, and 200 where the length is not known."""
    for data, size, steps in (
        ((X, Y), 32, 200),
        (TensorDataset(XT, YT), 1, 256),
        (DataLoader(TensorDataset(XT, YT), 1), 32, 256),
        ((np.tile(X, (5, 1)), np.tile(Y, 5)), 2, 500),
        (DataLoader(Endless(), 1), 32, 200),
        (on_and_on(), 32, 200),
    ):
        found = study.find_rate(
            layer(),
            data,
            loss=LOSS,
            optimizer="sgd",
            batch_size=size,
            low=1e2,
            high=1e12,
            stop=1.01,
        )
        assert found.steps == steps


def test_it_finds_the_rate_of_a_module_that_learns() -> None:
    """The whole way: the least loss lies where SGD on this problem learns fastest."""
    found = study.find_rate(
        layer(), loader(), loss=LOSS, optimizer="sgd", low=1e-4, high=1e4, steps=300
    )
    assert found.stopped == "threshold"
    assert 0.01 < (found.suggest("tenth") or 0) < 10
    assert 0.001 < (found.suggest("valley") or 0) < 10
    assert found.suggest("rise") is not None

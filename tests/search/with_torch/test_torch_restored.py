"""The finder leaves the module, its optimizer, its data and every random state as they were."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import study
from study.errors import StudyError
from support.engines.own_modules import (
    LOSS,
    OPTIMIZERS,
    SHORT,
    XT,
    YT,
    X,
    Y,
    draws,
    fit,
    layer,
    loader,
    plain,
    state,
)

pytestmark = pytest.mark.slow


def under_way(name: str) -> tuple[Any, Any]:
    """A module in the middle of its training, and its optimizer."""
    module = plain()
    optimizer = OPTIMIZERS[name](module.parameters(), 0.01)
    fit(module, optimizer, islice(loader(), 8))
    return module, optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_everything_is_put_back_bit_for_bit(name: str) -> None:
    """Parameters, statistics, gradients, slots and rates; and they are the same objects."""
    module, optimizer = under_way(name)
    module[0].bias.grad = None
    module[4].weight.requires_grad_(False)
    module[1].eval()
    gradient = module[0].weight.grad
    slots = [slot for one in optimizer.state.values() for slot in one.values()]
    before, modes = state(module, optimizer), [part.training for part in module.modules()]
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, **SHORT)
    assert np.ptp(found.losses) > 0
    assert state(module, optimizer) == before
    assert [part.training for part in module.modules()] == modes
    assert module[0].bias.grad is None
    assert module[0].weight.grad is gradient
    assert gradient.abs().sum() > 0
    after = [slot for one in optimizer.state.values() for slot in one.values()]
    assert all(one is two for one, two in zip(slots, after, strict=True))


def test_what_was_not_there_is_not_there_afterwards() -> None:
    """No slot of a fresh optimizer, and no gradient of a fresh module."""
    module = plain()
    optimizer = torch.optim.Adam(module.parameters())
    before = state(module, optimizer)
    study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, **SHORT)
    assert state(module, optimizer) == before
    assert not optimizer.state
    assert all(one.grad is None for one in module.parameters())


@pytest.mark.parametrize("name", ["momentum", "adam"])
@pytest.mark.parametrize("seed", [3, None], ids=["own generator", "global generator"])
def test_training_goes_on_as_if_nothing_had_been(name: str, seed: int | None) -> None:
    """Two epochs, one with the finder before each: the same losses, parameters and random numbers.

    Dropout and the order of the loader draw from generators, which are where they were.
    """
    ends = []
    for finds in (False, True):
        module, optimizer = under_way(name)
        data = loader(seed)
        torch.manual_seed(5)
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        losses = []
        for _ in range(2):
            if finds:
                study.find_rate(
                    module,
                    data,
                    loss=LOSS,
                    optimizer=optimizer,
                    validation_data=data,
                    **dict(SHORT, steps=12),
                )
            losses.append(fit(module, optimizer, data))
        ends.append((losses, state(module, optimizer), draws()))
    assert ends[0] == ends[1]


class Remembers(nn.Module):  # type: ignore[misc]
    """Keeps state in attributes of all kinds."""

    mean: Any

    def __init__(self) -> None:
        super().__init__()
        self.layer = layer()
        self.count, self.seen, self.by_name = 0, [0.5], {"last": None}
        self.hidden, self.array = torch.zeros(3), np.zeros(2)
        self.register_buffer("mean", torch.zeros(3))
        self.draw, self.wide = np.random.default_rng(1), torch.zeros(1).expand(4)

    def forward(self, x: Any) -> Any:
        out = self.layer(x)
        self.count += 1
        self.seen.append(float(self.draw.random()))
        self.by_name["last"] = self.late = out
        self.hidden = self.hidden + out.detach().mean(dim=0)
        self.mean = 0.9 * self.mean + 0.1 * out.detach().mean(dim=0)
        self.array += 1
        return out


def test_state_in_attributes_is_put_back() -> None:
    """Numbers, lists, tensors that are replaced, arrays and generators."""
    module = Remembers()
    mean, hidden, follows = module.mean, module.hidden, np.random.default_rng(1).random()
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer="sgd", **SHORT)
    assert len(found.losses) == 8
    assert (module.count, module.seen, module.by_name) == (0, [0.5], {"last": None})
    assert not hasattr(module, "late")
    assert module.mean is mean
    assert module.hidden is hidden
    assert not mean.any()
    assert module.array.tolist() == [0, 0]
    assert module.draw.random() == follows


def test_a_loss_that_is_trained_is_put_back_too() -> None:
    """Its parameters belong to the optimizer; a method's module counts, too."""

    class Margin(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.calls = nn.Parameter(torch.ones(())), 0

        def forward(self, outputs: Any, targets: Any) -> Any:
            self.calls += 1
            return LOSS(self.scale * outputs, targets)

    module, margin = layer(), Margin()
    optimizer = torch.optim.Adam([*module.parameters(), margin.scale])
    before = state(module, margin, optimizer)
    for loss in (margin, margin.forward):
        study.find_rate(module, (X, Y), loss=loss, optimizer=optimizer, **SHORT)
        assert state(module, margin, optimizer) == before
        assert margin.calls == 0
    with pytest.raises(StudyError, match=r"1 of 3 parameters that are not the module's"):
        study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer)


def test_schedulers_take_no_step() -> None:
    """Nor do they learn that the optimizer took any."""
    module = layer()
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
    before = schedule.state_dict()
    study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, **SHORT)
    assert schedule.state_dict() == before
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert not hasattr(optimizer, "_opt_called")
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_trains_wherever_it_is_called(context: Any) -> None:
    """And leaves what it finds there."""
    module = layer()
    with context():
        found = study.find_rate(module, (X, Y), loss=LOSS, optimizer="sgd", **SHORT)
        assert torch.is_grad_enabled() == (context is torch.enable_grad)
    assert np.ptp(found.losses) > 0
    assert all(one.requires_grad for one in module.parameters())


class Noisy(TensorDataset):  # type: ignore[misc]
    """Draws its noise from generators of its own."""

    def __init__(self) -> None:
        super().__init__(XT, YT)
        self.draws: list[Any] = [
            np.random.default_rng(2),
            random.Random(2),
            np.random.RandomState(2),
        ]

    def __getitem__(self, place: int) -> Any:
        x, y = super().__getitem__(place)
        return x + sum(float(one.random()) for one in self.draws), y


def test_generators_of_the_data_go_on_as_if_nothing_had_been() -> None:
    """Those of a data set and of a sampler, in a loader or alone."""

    def made() -> Any:
        sampler = torch.utils.data.RandomSampler(XT, generator=torch.Generator().manual_seed(8))
        return DataLoader(Noisy(), 32, sampler=sampler)

    kept, other = made(), made()
    study.find_rate(layer(), kept, loss=LOSS, optimizer="sgd", **SHORT)
    for one, two in zip(kept, other, strict=True):
        assert torch.equal(one[0], two[0])
    alone = Noisy()
    study.find_rate(layer(), alone, loss=LOSS, optimizer="sgd", validation_data=alone, **SHORT)
    assert torch.equal(alone[0][0], Noisy()[0][0])

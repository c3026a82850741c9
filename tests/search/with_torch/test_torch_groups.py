"""The rates of a sweep are those of the optimizer's groups, which keep their ratios."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import study
from study.errors import StudyError
from support.engines.own_modules import LOSS, SHORT, XT, YT, X, Y, layer, state

pytestmark = pytest.mark.slow


def two() -> Any:
    """A body and a head."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def groups(module: Any, *rates: Any, **names: str) -> Any:
    """SGD with a group for the head, which is the first, and one for the body."""
    named = names or {}
    parts = [
        {"params": part.parameters(), "lr": rate}
        | ({"name": named[place]} if place in named else {})
        for part, rate, place in zip((module[2], module[0]), rates, ("head", "body"), strict=True)
    ]
    return torch.optim.SGD(parts)


def by_hand(rates: Any, head: float | None = None, body: float | None = None) -> list[float]:
    """The losses of a loop that subtracts gradients itself.

    Args:
        rates: of the steps.
        head: the share of the head, whose rate is 1e-9 where None.
        body: the share of the body, as well.
    """
    module, losses, draw = two(), [], np.random.default_rng(0)
    order = draw.permutation(256)
    for place, rate in enumerate(rates):
        rows = order[32 * place :][:32]
        loss = LOSS(module(XT[rows]), YT[rows])
        losses.append(loss.item())
        weights = list(module.parameters())
        slopes = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for number, (weight, slope) in enumerate(zip(weights, slopes, strict=True)):
                share = body if number < 2 else head
                weight -= slope * (1e-9 if share is None else rate * share)
    return losses


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
def test_groups_are_led_by_a_common_factor(tensors: bool) -> None:
    """Each keeps its share of the first one's rate, and gets its own rate back."""
    module = two()
    rates = [torch.tensor(one) for one in (0.5, 0.125)] if tensors else [0.5, 0.125]
    optimizer = groups(module, *rates)
    before = state(module, optimizer)
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, **SHORT)
    assert found.losses.tolist() == pytest.approx(by_hand(found.rates, 1.0, 0.25), rel=1e-6)
    assert found.rate_of == "group 0, group 1 having 0.25 of it"
    assert state(module, optimizer) == before
    assert all(one["lr"] is rate for one, rate in zip(optimizer.param_groups, rates, strict=True))


@pytest.mark.parametrize(
    ("group", "shares", "names", "said"),
    [
        (0, {"head": 1.0}, {}, "group 0"),
        ("1", {"body": 1.0}, {}, "group 1"),
        ("body", {"body": 1.0}, {"body": "body"}, "body"),
        (1, {"body": 1.0}, {"body": "body"}, "body"),
        (None, {"head": 1.0, "body": 1.0}, {"head": "a", "body": "b"}, "a, b having 1 of it"),
        (None, {"head": 1.0, "body": 1.0}, {"head": "a", "body": "a"}, "a, group 1 having 1 of it"),
    ],
)
def test_one_group_is_led_alone(
    group: Any, shares: dict[str, float], names: dict[str, str], said: str
) -> None:
    """By number or by name, while the other keeps its rate."""
    module = two()
    optimizer = groups(module, 1e-9, 1e-9, **names)
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, group=group, **SHORT)
    assert found.losses.tolist() == pytest.approx(by_hand(found.rates, **shares), rel=1e-6)
    assert found.rate_of == said
    assert [one["lr"] for one in optimizer.param_groups] == [1e-9, 1e-9]


def test_groups_that_cannot_be_led_are_refused() -> None:
    """In one sentence, and nothing has changed."""
    module = two()
    optimizer = groups(module, 0.0, 0.1, body="body")
    before = state(module, optimizer)
    for group, words in (
        (None, "the rate of group 0 is 0, and the others are led by their share of it"),
        ("heads", r"unknown group 'heads': one of 0, body"),
        (2, "unknown group 2: one of 0, body"),
    ):
        with pytest.raises(StudyError, match=words):
            study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, group=group)
    assert state(module, optimizer) == before
    alone = layer()
    still = torch.optim.SGD(alone.parameters(), 0.0)
    assert len(study.find_rate(alone, (X, Y), loss=LOSS, optimizer=still, **SHORT).losses) == 8


class Rateless(torch.optim.Optimizer):  # type: ignore[misc]
    """Has a step size under another name."""

    def __init__(self, weights: Any) -> None:
        super().__init__(weights, {"size": 0.1})

    def step(self, closure: Any = None) -> None:
        """None is taken."""


def test_an_optimizer_without_a_rate_is_refused() -> None:
    """By the name of its class."""
    with pytest.raises(StudyError, match="Rateless has no rate 'lr' that could be led"):
        study.find_rate(layer(), (X, Y), loss=LOSS, optimizer=Rateless)


def test_parts_may_be_left_out_of_the_optimizer() -> None:
    """As where a head alone is trained; the gradients of the rest are put back."""
    module = two()
    module[0].weight.grad = torch.ones(8, 6)
    before = state(module)
    found = study.find_rate(
        module, (X, Y), loss=LOSS, optimizer=torch.optim.SGD(module[2].parameters()), **SHORT
    )
    assert found.losses.tolist() == pytest.approx(by_hand(found.rates, 1.0), rel=1e-6)
    assert state(module) == before

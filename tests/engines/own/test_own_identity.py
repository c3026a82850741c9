"""The digest of a module of PyTorch, and the names of losses, see all that trains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from study.engines.own.code import Code
from study.engines.own.engine import View, view
from study.engines.own.facts import _loss

pytestmark = pytest.mark.slow

BATCH = (np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32))


def of(build: Callable[[], Any]) -> View:
    """The view of what is built, which is the same when it is built again."""
    one, again = (view(Code(build, None), 1.0, BATCH) for _ in range(2))
    assert (one.structure, one.digest) == (again.structure, again.digest)
    return one


class Net(nn.Module):  # type: ignore[misc]
    """A module with a function and a number of its own."""

    def __init__(self, act: Any = torch.relu, by: float = 1.0) -> None:
        super().__init__()
        self.body, self.act, self.by = nn.Linear(4, 3), act, by

    def forward(self, x: Any) -> Any:
        return self.act(self.body(x)) * self.by * helped(x)


def helped(x: Any) -> Any:
    """A function that the module calls."""
    return x.mean() * FACTOR


FACTOR = 2.0


def frozen() -> Any:
    """The module with a weight that does not train."""
    made = Net()
    made.body.bias.requires_grad_(False)
    return made


def seen(*parts: Callable[[], Any]) -> Any:
    """Builds a sequence of parts."""
    return lambda: nn.Sequential(*(part() for part in parts))


def test_a_module_is_told_from_all_others() -> None:
    """By the functions and numbers in it, the order of its parts, and what trains."""
    built = [
        Net,
        lambda: Net(torch.tanh),
        lambda: Net(lambda x: x * 2),
        lambda: Net(lambda x: x * 3),
        lambda: Net(by=2.0),
        frozen,
        seen(lambda: nn.Linear(4, 4), nn.ReLU, nn.Tanh),
        seen(lambda: nn.Linear(4, 4), nn.Tanh, nn.ReLU),
    ]
    views = [of(build) for build in built]
    assert len({one.digest for one in views}) == len(built)
    assert "act = lambda x: x * 2" in views[2].structure
    assert "by = 2.0" in views[4].structure
    assert views[5].structure[-1] == "frozen: body.bias"
    # A module without such things is told as PyTorch shows it, and then what it does not show.
    shown = tuple(repr(views[6].model).splitlines())
    assert views[6].structure == (*shown, "1.inplace = False")


def test_settings_that_pytorch_does_not_print_count() -> None:
    """The weights have the same shapes and values."""
    layer = partial(nn.TransformerEncoderLayer, 4, dim_feedforward=8, batch_first=True)
    one, heads, first = (
        of(seen(partial(layer, **settings)))
        for settings in ({"nhead": 1}, {"nhead": 2}, {"nhead": 1, "norm_first": True})
    )
    assert repr(one.model) == repr(heads.model) == repr(first.model)
    assert len({one.digest, heads.digest, first.digest}) == 3
    assert "0.self_attn.num_heads = 2" in heads.structure


def test_what_a_module_looks_up_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from a function that it calls."""
    before = of(Net)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert of(Net).digest != before.digest


def weighted(weight: float) -> Any:
    """A loss that encloses a number."""
    return lambda outputs, targets: ((outputs - targets) ** 2).mean() * weight


class Loss(nn.Module):  # type: ignore[misc]
    """A loss with a number."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, outputs: Any, targets: Any) -> Any:
        return (outputs - targets).abs().mean() * self.by


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)),
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(weight=torch.ones(3))),
        (nn.CrossEntropyLoss(torch.zeros(3)), nn.CrossEntropyLoss(torch.ones(3))),
        (nn.HuberLoss(), nn.HuberLoss(delta=2.0)),
        (weighted(1.0), weighted(2.0)),
        (Loss(1.0), Loss(2.0)),
        ({"a": "mse", "b": "mae"}, {"a": "mae", "b": "mse"}),
        ({"a": weighted(1.0)}, {"a": weighted(2.0)}),
    ],
)
def test_the_name_of_a_loss_tells_it_from_others(one: Any, other: Any) -> None:
    """By its settings."""
    assert _loss(one, None) != _loss(other, None)
    assert " at 0x" not in _loss(one, None)


def test_a_loss_as_it_comes_has_a_plain_name() -> None:
    """As PyTorch shows it."""
    assert _loss(nn.CrossEntropyLoss(), None) == "CrossEntropyLoss()"
    assert _loss(nn.functional.cross_entropy, None) == "cross_entropy"


def test_the_weights_of_losses_are_told() -> None:
    """Of a model of Keras's with several outputs."""
    import keras

    start = keras.Input((4,))
    model = keras.Model(start, [keras.layers.Dense(3)(start), keras.layers.Dense(3)(start)])
    names = []
    for weights in ([1.0, 2.0], [2.0, 1.0]):
        model.compile(loss=["mse", keras.losses.Huber()], loss_weights=weights)
        names.append(_loss("", model))
    assert names[0].endswith("weighted [1.0, 2.0]")
    assert names[0] != names[1]

"""What is kept apart from any sweep, and modules of unusual kinds in one."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

import study
from study.search.torch.restore import Kept, generators
from support.engines.own_modules import LOSS, SHORT, XT, YT, X, Y, draws, layer, state

pytestmark = pytest.mark.slow


class Holder(nn.Module):  # type: ignore[misc]
    """Holds a thing."""

    def __init__(self, thing: Any) -> None:
        super().__init__()
        self.thing = thing


CHANGED: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "dict": ({"a": 1, "b": 2}, lambda held: held.update(b=3, c=4)),
    "order": (OrderedDict(a=1, b=2), lambda held: held.move_to_end("a")),
    "default": (defaultdict(list, a=[1]), lambda held: held["b"].append(1)),
    "list": ([3, 1, 2], lambda held: held.sort()),
    "queue": (deque([1, 2], maxlen=2), lambda held: held.append(3)),
    "set": ({1, 2}, lambda held: held.remove(1)),
    "deep": ([({"a": [1]},)], lambda held: held[0][0]["a"].clear()),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_containers_are_put_back_in_place(kind: str) -> None:
    """With their order and their own kind."""
    thing, change = CHANGED[kind]
    kept, module, before = Kept(), Holder(thing), repr(thing)
    kept.keep(module)
    change(thing)
    assert repr(thing) != before
    module.thing = None
    kept.put_back()
    assert module.thing is thing
    assert repr(thing) == before


def test_tensors_keep_their_memory() -> None:
    """A replaced memory, a shared one, one on top of itself, an array that cannot be written to."""
    one, wide = torch.arange(4.0), torch.zeros(1).expand(3)
    view, still = one[1:3], np.zeros(2)
    still.flags.writeable = False
    rows, place = one[:2], one.data_ptr()
    kept = Kept()
    kept.keep([one, wide, view, still, rows])
    one.data = torch.full((6,), 9.0)
    view += 1
    kept.put_back()
    assert one.tolist() == [0, 1, 2, 3]
    assert one.data_ptr() == place
    view.zero_()
    assert one.tolist() == [0, 0, 0, 3]


def test_what_a_step_does_to_a_parameter_is_undone() -> None:
    """Its gradient is the tensor that it was, and holds what it held; flags come back."""
    weight, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2), requires_grad=False)
    weight.grad = torch.full((2,), 5.0)
    gradient, kept = weight.grad, Kept()
    kept.keep(weight, late)
    gradient.zero_()
    weight.grad = None
    weight.requires_grad_(False)
    late.requires_grad_(True).grad = torch.ones(2)
    kept.put_back()
    assert weight.grad is gradient
    assert gradient.tolist() == [5.0, 5.0]
    assert (weight.requires_grad, late.requires_grad, late.grad) == (True, False, None)


def test_random_states_are_put_back() -> None:
    """The global ones, and generators of all kinds."""
    makers: list[Callable[[], Any]] = [
        lambda: torch.Generator().manual_seed(1),
        lambda: np.random.default_rng(1),
        lambda: np.random.RandomState(1),
        lambda: random.Random(1),
    ]

    def drawn(one: Any) -> float:
        if isinstance(one, torch.Generator):
            return float(torch.rand((), generator=one))
        return float(one.random())

    owned, kept = [make() for make in makers], Kept()
    kept.random_states()
    kept.keep(*owned)
    first = [draws(), *map(drawn, owned)]
    kept.put_back()
    assert [draws(), *map(drawn, owned)] == first


def test_generators_of_loaders_are_found() -> None:
    """In a loader, its samplers, its data sets and those that these are made of; each once."""
    own, other, third = torch.Generator(), np.random.default_rng(), random.Random()
    inner = TensorDataset(XT)
    inner.noise, inner.more = other, [third, "text"]
    data = ConcatDataset([Subset(inner, [0, 1]), inner])
    loader = DataLoader(data, shuffle=True, generator=own)
    assert {id(one) for one in generators(loader)} == {id(one) for one in (own, other, third)}
    assert list(generators(None, (XT, YT), 3)) == []

    class Loader:
        def __init__(self) -> None:
            self.draw, self.other = other, object()

    assert list(generators(Loader(), Loader())) == [other]


def trained(module: Any, *data: Any, loss: Any = LOSS, optimizer: Any = "adam") -> Any:
    """A sweep that has trained something, and has put all of it back."""
    before = state(module)
    found = study.find_rate(module, *data, loss=loss, optimizer=optimizer, **SHORT)
    assert np.ptp(found.losses) > 0
    assert state(module) == before
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_modules_that_were_compiled() -> None:
    """To a script, or by `torch.compile`; their losses are those of the plain module."""
    plain = trained(layer(), (X, Y)).losses.tolist()
    script = torch.jit.script(layer()).eval()
    assert trained(script, (X, Y)).losses.tolist() == pytest.approx(plain, rel=1e-6)
    assert not script.training
    compiled = torch.compile(layer(), backend="eager")
    assert trained(compiled, (X, Y)).losses.tolist() == pytest.approx(plain, rel=1e-6)


class Recurrent(nn.Module):  # type: ignore[misc]
    """Goes on with the hidden state of the last batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.cell, self.head = nn.GRU(6, 4, batch_first=True), nn.Linear(4, 3)
        self.hidden = torch.zeros(1, 32, 4)

    def forward(self, x: Any) -> Any:
        seen, self.hidden = self.cell(x[:, None], self.hidden.detach())
        return self.head(seen[:, 0])


def test_recurrent_shared_and_normalised_parameters() -> None:
    """Predictions afterwards are the same numbers."""
    tied = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, 3))
    tied[2].weight = tied[0].weight
    spectral = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 3)))
    for module in (Recurrent(), tied, spectral):
        said = []
        for finds in (False, True):
            if finds:
                trained(module, (X, Y))
            held = [part.hidden for part in module.modules() if hasattr(part, "hidden")]
            said.append([module(XT[:32]).detach(), *held])
            if held:
                module.hidden = torch.zeros(1, 32, 4)
        assert all(torch.equal(one, two) for one, two in zip(*said, strict=True))
    assert tied[2].weight is tied[0].weight


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.filterwarnings(
    "ignore:os.fork.. was called", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_loader_whose_workers_stay_is_not_disturbed() -> None:
    """An epoch under way goes on where it was."""
    data = DataLoader(TensorDataset(XT, YT), 32, num_workers=1, persistent_workers=True)
    assert trained(layer(), data)
    assert data._iterator is None
    epoch = iter(data)
    next(epoch)
    study.find_rate(layer(), data, loss=LOSS, optimizer="sgd", **SHORT)
    assert torch.equal(next(epoch)[1], YT[32:64])


def test_double_and_half_precision() -> None:
    """Numbers of NumPy come in the precision of the module."""
    for dtype in (torch.float64, torch.bfloat16):
        found = trained(layer().to(dtype), (X, Y))
        assert len(found.losses) == 8
    complex_ = nn.Linear(6, 3, dtype=torch.complex64)
    trained(
        complex_,
        (X.astype(np.complex64), Y),
        loss=lambda o, t: LOSS(o.abs(), t),
        optimizer="sgd",
    )

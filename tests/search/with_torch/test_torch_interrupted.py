"""An error or Ctrl-C in the middle of a sweep undoes it, and goes on as it is."""

from __future__ import annotations

import random
import signal
from contextlib import nullcontext, suppress
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import study
from study.search.torch import restore
from support.engines.own_modules import LOSS, SHORT, X, Y, draws, layer, loader, plain, state

pytestmark = pytest.mark.slow


class Breaks(nn.Module):  # type: ignore[misc]
    """Raises in its fifth step, and draws random numbers of all kinds until then."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.body, self.error = plain(), error
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Any) -> Any:
        draws()
        self.taken += 1
        if self.taken == 5 and self.error is not None:
            raise self.error
        return self.body(x)


@pytest.mark.parametrize(
    "error", [RuntimeError("the fifth step"), KeyboardInterrupt("the fifth step")], ids=type
)
@pytest.mark.parametrize("where", ["module", "loss", "data"])
def test_an_error_in_mid_sweep_undoes_the_sweep(error: BaseException, where: str) -> None:
    """Ctrl-C too, wherever it comes; and the error goes on as it is."""
    module = Breaks(error if where == "module" else None).eval()
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    data = loader()

    def loss(outputs: Any, targets: Any) -> Any:
        if where == "loss" and module.taken == 5:
            raise error
        return LOSS(outputs, targets)

    def breaking() -> Any:
        yield from islice(loader(), 4)
        raise error

    before, order = state(module, optimizer), data.generator.get_state()
    torch.manual_seed(9)
    expected, outside = draws(), torch.get_rng_state()
    torch.manual_seed(9)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    drawn = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    given = breaking() if where == "data" else data
    with pytest.raises(type(error), match="the fifth step"):
        study.find_rate(module, given, loss=loss, optimizer=optimizer, **SHORT)
    assert state(module, optimizer) == before
    assert torch.equal(data.generator.get_state(), order)
    assert random.getstate() == drawn[0]
    assert np.array_equal(np.random.get_state()[1], drawn[1])  # type: ignore[index] # noqa: NPY002
    assert draws()[0] == expected[0]
    assert torch.equal(torch.get_rng_state(), outside)


@pytest.mark.parametrize("lost", [False, True], ids=["seen", "lost"])
def test_a_stop_by_the_keyboard_undoes_the_sweep(lost: bool) -> None:
    """A real signal; also where the module swallows its exception."""
    module = plain()
    optimizer = torch.optim.Adam(module.parameters())
    before, taken = state(module, optimizer), []

    def loss(outputs: Any, targets: Any) -> Any:
        taken.append(1)
        if len(taken) == 3:
            with suppress(KeyboardInterrupt) if lost else nullcontext():
                signal.raise_signal(signal.SIGINT)
        return LOSS(outputs, targets)

    with pytest.raises(KeyboardInterrupt):
        study.find_rate(module, (X, Y), loss=loss, optimizer=optimizer, **SHORT)
    assert len(taken) == 3
    assert state(module, optimizer) == before


def test_a_stop_in_the_middle_of_putting_back_is_put_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was left to do is done, and then it is raised."""
    module = layer()
    before = state(module)

    real, times = restore.Kept.put_back, []

    def interrupted(self: Any) -> None:
        times.append(len(self._undo))
        if len(times) == 1:
            place = len(self._undo) // 2
            undo = self._undo[place]

            def stop() -> None:
                self._undo[place] = undo
                raise KeyboardInterrupt

            self._undo[place] = stop
        real(self)

    monkeypatch.setattr(restore.Kept, "put_back", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.find_rate(module, (X, Y), loss=LOSS, optimizer="sgd", **SHORT)
    assert state(module) == before
    assert len(times) == 2
    assert 0 < times[1] < times[0]

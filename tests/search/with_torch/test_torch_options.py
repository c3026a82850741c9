"""Options of the finder on modules, and data and parameters that spoil a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import study
from study.errors import StudyError
from support.engines.own_modules import LOSS, SHORT, XT, YT, X, Y, layer, loader, plain, state

pytestmark = pytest.mark.slow

HELD = XT[:70] + 1, YT[:70]


@pytest.mark.parametrize("kind", ["tensors", "data set", "loader", "shuffled", "list"])
def test_rates_by_validation_loss(kind: str) -> None:
    """The losses are those on all of the data, each before its step; the sweep trains as ever.

    They are measured in evaluation mode, and the dropout of the training draws the same numbers.
    """
    held = TensorDataset(*HELD)
    given: Any = {
        "tensors": HELD,
        "data set": held,
        "loader": DataLoader(held, 32),
        "shuffled": DataLoader(held, 32, shuffle=True),
        "list": [(HELD[0][:30], HELD[1][:30]), (HELD[0][30:], HELD[1][30:])],
    }[kind]
    torch.manual_seed(2)
    module = plain()
    optimizer = torch.optim.SGD(module.parameters())
    found = study.find_rate(
        module, (X, Y), loss=LOSS, optimizer=optimizer, validation_data=given, **SHORT
    )
    other, losses, rights = plain(), [], []
    optimizer = torch.optim.SGD(other.parameters())
    order = np.random.default_rng(0).permutation(256)
    for place, rate in enumerate(found.rates):
        other.eval()
        with torch.no_grad():
            outputs = other(HELD[0])
            losses.append(LOSS(outputs, HELD[1]).item())
            rights.append((outputs.argmax(dim=1) == HELD[1]).double().mean().item())
        other.train()
        rows = order[32 * place :][:32]
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        LOSS(other(XT[rows]), YT[rows]).backward()
        optimizer.step()
    assert found.losses.tolist() == pytest.approx(losses, rel=1e-5)
    assert found.accuracy.tolist() == pytest.approx(rights, rel=1e-5)


def test_validation_leaves_no_trace() -> None:
    """Neither in the modes and statistics, nor in the order of a loader that shuffles."""
    module, held, other = plain(), loader(4), loader(4)
    module[1].eval()
    before, modes = state(module), [part.training for part in module.modules()]
    study.find_rate(module, (X, Y), loss=LOSS, optimizer="adam", validation_data=held, **SHORT)
    assert state(module) == before
    assert [part.training for part in module.modules()] == modes
    for one, two in zip(held, other, strict=True):
        assert torch.equal(one[1], two[1])


def test_parts_in_evaluation_mode_stay_so() -> None:
    """In a module that trains; one in evaluation mode is trained as a whole."""
    seen = []

    def loss(outputs: Any, targets: Any) -> Any:
        seen.append([module.training, module[1].training, module[3].training])
        return LOSS(outputs, targets)

    module = plain()
    module[1].eval()
    study.find_rate(module, (X, Y), loss=loss, optimizer="sgd", **SHORT)
    assert seen == [[True, False, True]] * 8
    seen.clear()
    module.eval()
    study.find_rate(module, (X, Y), loss=loss, optimizer="sgd", **SHORT)
    assert seen == [[True, True, True]] * 8
    assert not any(part.training for part in module.modules())


def test_the_accuracy_is_derived_from_logits() -> None:
    """The share of a batch that is classified right, before its step."""
    module = layer()
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer="sgd", **SHORT)
    rows = np.random.default_rng(0).permutation(256)[:32]
    right = (module(XT[rows]).argmax(dim=1) == YT[rows]).float().mean().item()
    assert found.accuracy[0] == pytest.approx(right)
    assert (found.metric, found.accuracy.shape) == ("accuracy", (8,))


@pytest.mark.parametrize(
    "targets", [np.eye(3, dtype=np.float32)[Y], np.stack([Y, Y, Y], 1), Y > 1, Y.astype(np.float32)]
)
def test_other_outputs_and_targets_have_no_accuracy(targets: Any) -> None:
    """Nor do logits of one class."""

    def loss(outputs: Any, given: Any) -> Any:
        return ((outputs - given.float().reshape(len(given), -1)) ** 2).mean()

    for module, given in ((layer(), targets), (nn.Linear(6, 1), Y)):
        found = study.find_rate(module, (X, given), loss=loss, optimizer="sgd", steps=30)
        assert found.accuracy.size == 0
        assert "let a module's loss return one" in found.why("rise")


def test_metrics_of_the_loss_are_named_and_chosen() -> None:
    """The first that is an accuracy counts; then none is derived."""

    def loss(outputs: Any, targets: Any) -> Any:
        top = (outputs.topk(2).indices == targets[:, None]).any(dim=1).double().mean()
        return LOSS(outputs, targets), {"share": 0.5, "top_accuracy": top, "loss": 3.0}

    found = study.find_rate(layer(), (X, Y), loss=loss, optimizer="sgd")
    assert found.metric == "top_accuracy"
    rows = np.random.default_rng(0).permutation(256)[:32]
    assert found.accuracy[0] == pytest.approx(loss(layer()(XT[rows]), YT[rows])[1]["top_accuracy"])
    assert found.losses[0] == pytest.approx(LOSS(layer()(XT[rows]), YT[rows]).item())
    assert "the top_accuracy" in found.why("rise")
    share = study.find_rate(layer(), (X, Y), loss=loss, optimizer="sgd", metric="share", **SHORT)
    assert (share.metric, share.accuracy.tolist()) == ("share", [0.5] * 8)

    def bare(outputs: Any, targets: Any) -> Any:
        return ((outputs - targets) ** 2).mean()

    with pytest.raises(StudyError, match="there is no metric 'share': let the loss return a pair"):
        study.find_rate(layer(), (X, X[:, :3]), loss=bare, optimizer="sgd", metric="share")
    with pytest.raises(StudyError, match=r"unknown metric 'shares'.*share, top_accuracy"):
        study.find_rate(layer(), (X, Y), loss=loss, optimizer="sgd", metric="shares")


@pytest.mark.parametrize("asked", [True, False])
def test_a_bar_where_it_is_asked_for(asked: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error."""
    study.find_rate(layer(), (X, Y), loss=LOSS, optimizer="sgd", progress=asked, **SHORT)
    assert ("find_rate" in capsys.readouterr().err) == asked


HOLES = X.copy()
HOLES[3, 2] = np.nan


@pytest.mark.parametrize(
    ("x", "batch"),
    [
        (HOLES, "batch "),
        (np.tile(HOLES[3], (256, 1)), "batch 1 "),
        (torch.where(torch.isnan(torch.from_numpy(HOLES)), torch.inf, XT), "batch "),
    ],
    ids=["one value", "all", "infinite"],
)
def test_values_in_the_data_that_are_not_finite(x: Any, batch: str) -> None:
    """No rule answers, whether the loss shows it or the parameters alone."""
    found = study.find_rate(plain(), (x, Y), loss=LOSS, optimizer="adam")
    for rule in ("tenth", "steepest", "fall"):
        assert found.why(rule).startswith(batch)
        assert "holds a value that is not finite, which made the loss or the" in found.why(rule)
    assert found.suggest() is None


class Masked(nn.Module):  # type: ignore[misc]
    """Takes zeros for what is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layer()

    def forward(self, x: Any) -> Any:
        return self.layer(x.nan_to_num())


def test_a_module_that_copes_with_missing_values_gets_its_rate() -> None:
    """Even where the highest rates spoil its parameters later."""
    holes = np.where(np.arange(6) == 2, np.nan, X)
    data = holes, np.eye(3)[Y]
    options: dict[str, Any] = dict(loss=nn.MSELoss(), optimizer="sgd", high=1e12, stop=None)
    found = study.find_rate(Masked(), data, **options)
    assert found.cause is None
    assert found.stopped == "diverged"
    assert found.suggest("valley") is not None


def test_parameters_that_are_spoilt_before() -> None:
    """They are named; one that is not trained is not looked at."""
    module = plain()
    module[4].weight.data[1, 1] = torch.inf
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer="adam", **SHORT)
    assert "weights are not finite before the first step (4.weight)" in found.why()
    alone = torch.optim.SGD(module[0].parameters())
    assert study.find_rate(module, (X, Y), loss=LOSS, optimizer=alone, **SHORT).cause is None


@pytest.mark.parametrize("made", [True, False], ids=["name", "optimizer"])
def test_nothing_to_train(made: bool) -> None:
    """Neither an error nor a request for more steps."""
    module = layer()
    optimizer = "adam" if made else torch.optim.Adam(module.parameters())
    module.requires_grad_(False)
    found = study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer, steps=30)
    assert "the module has no parameters to train: set requires_grad = True" in found.why()
    assert len(found.losses) == 30
    nothing = study.find_rate(nn.Identity(), (X, Y), loss=LOSS, optimizer="sgd", **SHORT)
    assert "no parameters to train" in nothing.why()

"""What a sweep of a module cannot be, in one sentence that names it and what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import study
from study.errors import StudyError
from support.engines.own_modules import LOSS, SHORT, XT, YT, X, Y, layer, loader, state

pytestmark = pytest.mark.slow


def pairs() -> Iterator[Any]:
    while True:
        yield XT[:32], YT[:32]


class Unsized(Dataset):  # type: ignore[misc]
    """A data set of samples by number, without a length."""

    def __getitem__(self, place: int) -> Any:
        return XT[place], YT[place]


class Nothing(IterableDataset):  # type: ignore[misc]
    """No sample."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def holder(values: Any) -> Any:
    return DataLoader(TensorDataset(XT, values), 32)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (islice(pairs(), 3), "read only once, and it ended after 3 batches: ask for fewer"),
        ((X[:0], Y[:0]), "x and y hold 0 samples"),
        ((X, Y[:-1]), "x and y hold 256 and 255 samples: as many of each"),
        (TensorDataset(XT[:0], YT[:0]), "x and y hold 0 samples"),
        (DataLoader(TensorDataset(XT[:0], YT[:0])), "x holds no batch: give some data"),
        (Nothing(), "x holds no batch: give some data"),
        ([], "x holds no batch: give some data"),
        (Unsized(), "the data set Unsized has no length: give a DataLoader"),
        (None, "x is a NoneType: give a DataLoader, a Dataset or a pair of tensors"),
        (3, "x is a single int: give a DataLoader"),
        ("a file", "x is a single str: give a DataLoader"),
        ((X, X, Y), "x is a tuple of 3 parts: give \\(inputs, targets\\)"),
        ((X, [1] * 256), "x and y must be arrays, and one holds a single int"),
        (({"a": X, "b": "text"}, Y), "x and y must be arrays, and one holds a single str"),
        ((X.astype(object), Y), r"an array of Python objects of shape \(32, 6\): give numbers"),
        ((X.astype(str), Y), r"a ndarray of shape \(32, 6\): give numbers"),
        ([(XT, XT, YT)], "a batch has 3 parts: yield pairs"),
        (TensorDataset(XT, XT, YT), "a batch has 3 parts: yield pairs"),
        (
            list(TensorDataset(XT, YT)),
            r"no batch but a single sample, a Tensor of shape \(6,\) and",
        ),
        ([(X[0], 3)], r"no batch but a single sample, a Tensor of shape \(6,\) and a single int"),
        ([(XT[:9, :4], YT[:8])], r"holds a Tensor of shape \(9, 4\) and a Tensor of shape \(8,\)"),
        ([1.0, 2.0], "a batch that holds a single float: yield batches"),
        (holder(YT[:, None]), r"outputs that hold .* \(32, 3\) with targets .* \(32, 1\): "),
        (holder(YT.int()), "expected target dtype to be Long"),
        (holder(YT + 1), "Target 3 is out of bounds"),
        (X, r"a Tensor of shape \(32, 3\) with targets that hold nothing: cross_entropy"),
    ],
    ids=lambda part: part[:30] if isinstance(part, str) else type(part).__name__,
)
def test_data_that_do_not_fit_are_refused(x: Any, words: str) -> None:
    """The module and the random states are as they were."""
    module = layer()
    before, drawn = state(module), torch.get_rng_state()
    with pytest.raises(StudyError, match=words) as refusal:
        study.find_rate(module, x, loss=LOSS, optimizer="adam")
    assert len(str(refusal.value)) < 300
    assert state(module) == before
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("kind", [loader, pairs, lambda: TensorDataset(XT, YT)])
def test_what_yields_targets_is_given_none(kind: Any) -> None:
    """Beside those that it yields."""
    with pytest.raises(StudyError, match="which yields targets itself: leave y out"):
        study.find_rate(layer(), iter(kind()) if kind is pairs else kind(), Y, loss=LOSS)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (None, "there is no loss: give a function of outputs and targets, such as loss="),
        ("mse", "the loss is a single str: give a function of outputs and targets"),
        (nn.MSELoss, r"the loss is the class MSELoss: give MSELoss\(\)"),
        (lambda o, t: 0.5, "the loss is a single float: return a scalar tensor"),
        (lambda o, t: None, "the loss is a NoneType: return a scalar tensor"),
        (lambda o, t: {"loss": 1}, "the loss is a dict: return a scalar tensor"),
        (nn.CrossEntropyLoss(reduction="none"), r"a Tensor of shape \(32,\).*as by \.mean\(\)"),
        (lambda o, t: o.argmax(), "the loss is a tensor of torch.int64: return a floating"),
        (lambda o, t: o.detach().mean(), "no parameter of the optimizer has a gradient"),
        (lambda o, t: nn.Parameter(torch.ones(())), "no parameter of the optimizer has a gradi"),
        (lambda o, t: (o.mean(), o), "the loss returns a tuple of .* and a dict of metrics"),
        (lambda o, t: (o.mean(), {}, 1), "the loss returns a tuple"),
        (lambda o, t: (o.mean(), {"top": o}), r"the metric 'top' is a Tensor of shape \(32, 3\)"),
        (lambda o, t: (o.mean(), {"top": "high"}), "the metric 'top' is a single str"),
        (lambda o, t: nn.functional.mse_loss(o[:, :1], t.float()), r"\(32, 3\).*\(32,\): Using a"),
        (lambda o, t: o.means(), None),
    ],
)
def test_a_loss_that_is_none_is_refused(loss: Any, words: str | None) -> None:
    """Its own errors, which no shape explains, are left alone."""
    module = layer()
    before = state(module)
    with pytest.raises(AttributeError if words is None else StudyError, match=words):
        study.find_rate(module, (X, Y), loss=loss, optimizer="sgd")
    assert state(module) == before


def of_another() -> Any:
    return torch.optim.SGD(layer().parameters(), 0.1)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (None, "there is no optimizer: give one, such as optimizer=torch.optim.AdamW"),
        ("adamv", r"unknown optimizer 'adamv' \(did you mean adam\?\): one of adadelta, "),
        (0.1, "the optimizer is a float: give a torch.optim.Optimizer, a function"),
        (lambda weights: list(weights), "what makes the optimizer made a list"),
        (of_another(), r"2 of 2 parameters that are not the module's, the first of shape \(3, 6\)"),
        (lambda weights: of_another(), "2 of 2 parameters that are not the module's"),
        (torch.optim.LBFGS, "LBFGS computes the loss several times a step"),
    ],
)
def test_an_optimizer_that_cannot_be_led_is_refused(optimizer: Any, words: str) -> None:
    """Before any step."""
    module = layer()
    before = state(module)
    with pytest.raises(StudyError, match=words):
        study.find_rate(module, (X, Y), loss=LOSS, optimizer=optimizer)
    assert state(module) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(low=float("nan")), "low nan"),
        (dict(low=1.0, high=0.1), "low 1 must be below high 0.1"),
        (dict(steps=0), "steps 0"),
        (dict(stop=0.5), "stop 0.5"),
        (dict(scale="cubic"), "unknown scale"),
        (dict(batch_size=0), "batch_size 0"),
        (dict(seed=-1), "seed -1"),
        (dict(validation_data=pairs()), "validation_data is a generator, which can be read only"),
        (dict(validation_data=[]), "validation_data holds no batch: give some data"),
        (dict(metric="f1"), r"unknown metric 'f1': one of accuracy"),
    ],
)
def test_options_out_of_their_range_are_refused(change: dict[str, Any], words: str) -> None:
    """As those of the finder for Keras models."""
    with pytest.raises(StudyError, match=words):
        study.find_rate(layer(), (X, Y), loss=LOSS, optimizer="sgd", **{**SHORT, **change})


def test_modules_without_a_shape_yet_are_refused() -> None:
    """Until they were called once; the first parameter is named."""
    module = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    with pytest.raises(StudyError, match=r"without a shape yet \(0\.weight\): call it on a batch"):
        study.find_rate(module, (X, Y), loss=LOSS, optimizer="sgd")
    module(XT)
    assert len(study.find_rate(module, (X, Y), loss=LOSS, optimizer="sgd", **SHORT).losses) == 8


def test_errors_of_the_module_itself_go_on() -> None:
    """As they are, where the data look right."""
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        study.find_rate(layer(), (np.ones((64, 5)), Y[:64]), loss=LOSS, optimizer="sgd")
    with pytest.raises(StudyError, match="the model is a Tensor: give a Keras model or a torch"):
        study.find_rate(XT, (X, Y), loss=LOSS, optimizer="sgd")

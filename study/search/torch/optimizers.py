"""The optimizer of a sweep: the user's own, or one made by a class, a function or a name."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.optim import Optimizer

from study.errors import StudyError
from study.validation import choice

NAMES = {
    name.lower(): kind
    for name, kind in sorted(vars(torch.optim).items(), key=lambda item: item[0].lower())
    if isinstance(kind, type)
    and issubclass(kind, Optimizer)
    and kind not in (Optimizer, torch.optim.LBFGS)
}
"""The optimizers of PyTorch by their names in small letters, but for one that is refused."""


def optimizer_of(given: Any, parameters: list[Any]) -> Any:
    """The optimizer that a sweep leads.

    Args:
        given: an optimizer; or a class, a function or a name out of `NAMES` that makes one.
        parameters: all that it may train; one that is made is given those that need a gradient.

    Returns:
        The optimizer; None where it would be made and there is nothing to train.

    Raises:
        StudyError: it is none of these, trains other parameters, or needs a closure.
    """
    if given is None:
        raise StudyError(
            'there is no optimizer: give one, such as optimizer=torch.optim.AdamW or "adamw"'
        )
    made = given
    if not isinstance(given, Optimizer):
        trained = [one for one in parameters if one.requires_grad]
        make = given
        if isinstance(given, str):
            make = NAMES[choice("optimizer", given.lower(), tuple(NAMES))]
        if not callable(make):
            raise StudyError(
                f"the optimizer is a {type(given).__name__}: give a torch.optim.Optimizer, a "
                "function of parameters that makes one, or a name"
            )
        if not trained:
            return None
        made = make(trained)
    _check(made, parameters)
    return made


def _check(optimizer: Any, own: list[Any]) -> None:
    """Raise `StudyError` where a sweep cannot lead it."""
    kind = type(optimizer).__name__
    if not isinstance(optimizer, Optimizer):
        raise StudyError(
            f"what makes the optimizer made a {kind}: let it return a torch.optim.Optimizer"
        )
    known = {id(one) for one in own}
    held = [one for group in optimizer.param_groups for one in group["params"]]
    strange = [tuple(one.shape) for one in held if id(one) not in known]
    if strange:
        raise StudyError(
            f"the optimizer trains {len(strange)} of {len(held)} parameters that are not the "
            f"module's, the first of shape {strange[0]}: make it from module.parameters()"
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise StudyError(
            f"{kind} computes the loss several times a step, so no batch has one rate: give an "
            "optimizer whose step needs no closure"
        )

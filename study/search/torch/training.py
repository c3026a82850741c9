"""A module in training: its steps, and whether they train anything."""

from __future__ import annotations

import math
from typing import Any

import torch

from study.errors import StudyError
from study.search.own.course import spoilt
from study.search.torch.lead import Lead
from study.search.torch.step import Logs, Step


class Training:
    """Trains a module at rates that are led.

    Args:
        step: computes the loss.
        optimizer: the optimizer, or None where there is nothing to train.
        weights: all parameters that may get a gradient.
        group: the group to lead, or None for all.

    Raises:
        StudyError: as `lead.Lead` does.
    """

    def __init__(
        self, step: Step, optimizer: Any, weights: list[Any], group: str | int | None
    ) -> None:
        self.step, self.optimizer, self.weights = step, optimizer, weights
        groups = () if optimizer is None else optimizer.param_groups
        self.trained = [one for each in groups for one in each["params"] if one.requires_grad]
        self.lead = None if optimizer is None else Lead(optimizer, group)
        self.rate_of = "" if self.lead is None else self.lead.rate_of
        self._taken = False

    def train(self, batch: Any, rate: float) -> Logs:
        """Take a step.

        Args:
            batch: as the module takes it.
            rate: of the first group that is led.

        Returns:
            The loss before the step, and the metrics.

        Raises:
            StudyError: the batch does not fit, or the first step trains nothing.
        """
        if self.lead is not None:
            self.lead.to(rate)
        for weight in self.weights:
            weight.grad = None
        loss, logs = self.step(batch)
        if not self.trained:
            return logs
        if loss.requires_grad:
            loss.backward()
        if not self._taken and all(weight.grad is None for weight in self.trained):
            raise StudyError(
                "no parameter of the optimizer has a gradient, so nothing would be trained: let "
                "the loss follow from the module's outputs, without detach or no_grad"
            )
        self._taken = True
        self.optimizer.step()
        return logs

    def unfit(self) -> str | None:
        """Why a sweep of the module can give no rate, whatever its curve."""
        if not self.trained:
            return "the module has no parameters to train: set requires_grad = True on some of them"
        ill = self._ill()
        return None if ill is None else spoilt(ill)

    def harmed(self, loss: float) -> bool:
        """Whether a step has left a loss or a parameter that is not finite."""
        return not math.isfinite(loss) or self._ill() is not None

    def _ill(self) -> str | None:
        """The first parameter that is trained and not finite."""
        trained = {id(weight) for weight in self.trained}
        for name, one in self.step.module.named_parameters():
            if id(one) in trained and not bool(torch.isfinite(one).all()):
                return str(name)
        return None


def weights_of(*parts: Any) -> list[Any]:
    """The parameters of modules, each once; what is no module has none."""
    modules = (part for part in parts if isinstance(part, torch.nn.Module))
    return list({id(one): one for module in modules for one in module.parameters()}.values())

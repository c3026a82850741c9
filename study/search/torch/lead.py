"""The groups of an optimizer that a sweep leads."""

from __future__ import annotations

from typing import Any

import torch

from study.errors import StudyError
from study.search.own.together import shares_of, whose
from study.validation import choice


class Lead:
    """The rates of the groups of an optimizer.

    A group is known by its `name`, where it has one, and by its number from 0 on.

    Args:
        optimizer: has at least one group.
        group: the one group to lead, while the others keep their rates. Where None, all are led,
            and keep their share of the first one's rate.

    Raises:
        StudyError: there is no such group, a group has no rate, or the first rate is 0.
    """

    def __init__(self, optimizer: Any, group: str | int | None) -> None:
        known = _by_name(optimizer)
        if group is not None:
            numbers = dict(zip(map(str, range(len(known))), known, strict=True))
            asked = str(group) if str(group) in known else numbers.get(str(group), group)
            name = choice("group", asked, tuple(known))
            known = {name: known[name]}
        self.groups = {f"group {name}" if name.isdigit() else name: known[name] for name in known}
        self.shares = shares_of(self.groups, lambda one: float(one["lr"]))
        self.rate_of = "" if len(self.shares) == 1 and group is None else whose(self.shares)

    def to(self, rate: float) -> None:
        """Bring the first group to a rate, and the others to their share of it."""
        for name, group in self.groups.items():
            own = float(rate) * self.shares[name]
            if isinstance(group["lr"], torch.Tensor):  # a step that was compiled reads this one
                group["lr"].fill_(own)
            else:
                group["lr"] = own


def _by_name(optimizer: Any) -> dict[str, Any]:
    """The groups of an optimizer."""
    found: dict[str, Any] = {}
    for number, group in enumerate(optimizer.param_groups):
        if "lr" not in group:
            raise StudyError(f"{type(optimizer).__name__} has no rate 'lr' that could be led")
        name = str(group.get("name", number))
        found[name if name not in found else str(number)] = group
    return found

"""What lies within a learner of any kind: read, compared, spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.engines.lanes import Lanes
from study.engines.learner import Learner
from study.engines.native.lanes import NativeLanes
from support.parabola import Parabola

Floats = NDArray[Any]


def parts(learner: Learner) -> list[Floats]:
    """All that a step changes in each lane: arrays of K rows."""
    if isinstance(learner, Parabola):
        return [learner.w.copy()]
    if isinstance(learner, NativeLanes):
        return [np.array(slot.T[: learner.lanes]) for slot in learner.state.slots]
    assert isinstance(learner, Lanes)
    return [np.array(slot) for slot in learner.state.slots]


def same(first: Sequence[Floats], second: Sequence[Floats], lanes: Any = slice(None)) -> bool:
    """Bit for bit; a NaN is equal to itself."""
    return all(a[lanes].tobytes() == b[lanes].tobytes() for a, b in zip(first, second, strict=True))


def spoil(learner: Learner, lane: int) -> None:
    """Make one lane's weights no numbers."""
    if isinstance(learner, Parabola):
        learner.w[lane] = np.nan
        return
    if isinstance(learner, NativeLanes):
        learner.state.slots[0][:7, lane] = np.nan
        return
    assert isinstance(learner, Lanes)
    w, *slots = parts(learner)
    w[lane, :7] = np.nan
    learner.state = replace(
        learner.state,
        slots=tuple(learner.images.framework.xp.constant(part) for part in (w, *slots)),
    )

"""The proof that a lane can never learn again.

It has two parts. Some ReLU layer gives zero for every training and validation image. So the network
answers the same for all of them, and every gradient at or below that layer is exactly zero. And an
update with that gradient changes none of those weights, bit for bit; no later update will, where
what is left in the slots only fades (`Rule.fades`). The layers above see a constant, and learn at
most the commonest class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


COMMONEST = 0.4
"""Largest share of one class in images on which a lane may be called stuck.

A lane is examined only if its target is at least 0.5. A network with one answer for all images
could come near it by luck where one class is more common than this.
"""


def has_common_class(labels: NDArray[Any]) -> bool:
    """Whether one answer for all images would already be a good score.

    Args:
        labels: of all images, (N,).
    """
    return bool(np.bincount(labels).max() > COMMONEST * len(labels))


def proved(silent: Bools, still: Bools, sizes: Sequence[int], fades: Bools) -> Bools:
    """Which lanes are stuck.

    Args:
        silent: whether a hidden layer gives zero for every image, (layers, K).
        still: whether a step without a gradient leaves a weight unchanged, (n, K).
        sizes: of the arrays of weights, `Network.sizes`.
        fades: what `Rule.fades` says of each lane, (K,).

    Returns:
        A truth value for each lane, (K,).
    """
    # The number of weights up to each hidden layer, its bias included.
    ends = np.cumsum(sizes)[1:-1:2]
    frozen = np.array([still[:end].all(axis=0) for end in ends])
    stuck: Bools = (silent & frozen).any(axis=0) & fades
    return stuck

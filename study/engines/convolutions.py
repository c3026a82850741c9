"""Forms of the second convolution, and pooling by maxima."""

from __future__ import annotations

from typing import Any

from study.engines.framework import Framework, Tensor
from study.spec.networks import Network

FOLD_BELOW = 6
"""Second convolutions with fewer input filters are folded; wider ones are fast as they are."""


FORMS = ("grouped", "folded", "patches")
"""Forms of the second convolution: a grouped convolution, one over folded pixels, or a matrix
product over patches.
"""


MAX_ELEMENTS = 2**30
"""Largest number of elements of one tensor: libraries for GPUs count in 32 bits."""


def largest(xp: Any, z: Tensor, row: int, column: int) -> Tensor:
    """The maximum over two axes of length 2; on a tie the gradient goes to the first element.

    So does the gradient of max-pooling.

    Args:
        xp: the array library.
        z: the array.
        row, column: the axes, `row` before `column`.

    Returns:
        The array without the two axes.
    """
    top, bottom = xp.unstack(z, axis=row)
    a, b = xp.unstack(top, axis=column - 1)
    c, d = xp.unstack(bottom, axis=column - 1)
    return xp.maximum(xp.maximum(a, b), xp.maximum(c, d))


def usual_form(framework: Framework, network: Network) -> str:
    """The form of the second convolution that is fastest on processors, in this framework."""
    return folded_or_grouped(network) if framework.FAST_CONVOLUTIONS else "patches"


def folded_or_grouped(network: Network) -> str:
    """The faster of the two forms that are convolutions."""
    return "folded" if network.filters and network.filters[0] < FOLD_BELOW else "grouped"


def patched(xp: Any, x: Tensor, w: Tensor) -> Tensor:
    """Same-padded convolution of every lane as a matrix product over patches.

    Args:
        xp: the array library.
        x: images of K lanes, (K, B, H, W, I).
        w: filters of K lanes, (K, h, w, I, O); h and w odd.

    Returns:
        (K, B, H, W, O).
    """
    lanes, height, width, inputs, outputs = w.shape
    _, batch, rows, columns, _ = x.shape
    x = xp.pad(x, [[0, 0], [0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]])
    shifted = [x[:, :, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    patches = xp.reshape(xp.stack(shifted, axis=4), [lanes, batch * rows * columns, -1])
    z = patches @ xp.reshape(w, [lanes, height * width * inputs, outputs])
    return xp.reshape(z, [lanes, batch, rows, columns, outputs])

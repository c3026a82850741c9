"""How the second convolution is computed, and pooling by maxima."""

from __future__ import annotations

from typing import Any

from study.engines.framework import Backend, Tensor
from study.spec.networks import Network

FOLD_BELOW = 6
"""Second convolutions with fewer input filters than this are folded; wider ones keep the library
busy as they are.
"""


FORMS = ("grouped", "folded", "patches")
"""How the second convolution is computed: a grouped convolution, one over folded pixels, or a
matrix product over patches.
"""


MAX_ELEMENTS = 2**30
"""Of one tensor: libraries for GPUs count in 32 bits."""


def largest(xp: Any, z: Tensor, row: int, column: int) -> Tensor:
    """The greatest over two axes of length 2, `row` before `column`; on a tie the gradient goes to
    the first, as max-pooling's does.
    """
    top, bottom = xp.unstack(z, axis=row)
    a, b = xp.unstack(top, axis=column - 1)
    c, d = xp.unstack(bottom, axis=column - 1)
    return xp.maximum(xp.maximum(a, b), xp.maximum(c, d))


def usual_form(backend: Backend, network: Network) -> str:
    """The form of the second convolution that is fastest on processors."""
    return folded_or_grouped(network) if backend.FAST_CONVOLUTIONS else "patches"


def folded_or_grouped(network: Network) -> str:
    """The form of those that are convolutions."""
    return "folded" if network.filters and network.filters[0] < FOLD_BELOW else "grouped"


def patched(xp: Any, x: Tensor, w: Tensor) -> Tensor:
    """Same-padded grouped convolution as a matrix product over patches: x (B, H, W, K I), w (h, w,
    I, K, O) -> (B, H, W, K O).
    """
    height, width, inputs, lanes, outputs = w.shape
    batch, rows, columns, _ = x.shape
    x = xp.pad(x, [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]])
    shifted = [x[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    patches = xp.reshape(xp.stack(shifted), [height * width, batch * rows * columns, lanes, inputs])
    patches = xp.reshape(
        xp.transpose(patches, [2, 1, 0, 3]),
        [lanes, batch * rows * columns, height * width * inputs],
    )
    z = patches @ xp.reshape(
        xp.transpose(w, [3, 0, 1, 2, 4]), [lanes, height * width * inputs, outputs]
    )
    return xp.reshape(xp.transpose(z, [1, 0, 2]), [batch, rows, columns, lanes * outputs])

"""The networks of all lanes as one function of their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from study.engines.convolutions import largest, patched
from study.engines.framework import Framework, Tensor
from study.spec.networks import CLASSES, KERNEL, SIDE, Network

HALF, QUARTER = SIDE // 2, SIDE // 4


@lru_cache(maxsize=64)
def forward(
    framework: Framework, network: Network, lanes: int, batch: int, form: str
) -> Callable[[Sequence[Tensor], Tensor, Tensor | None], tuple[Tensor, list[Tensor]]]:
    """The networks as a function of their weights and of images.

    Args:
        framework: computes.
        network: the network of every lane.
        lanes: K.
        batch: B.
        form: of the second convolution.

    Returns:
        A function (weights, images (B, 28, 28) from 0 to 255, mask (B, dense) or None) -> logits
        (K, B, 10) and a list of the hidden layers. The weights are one array (K, m) for each of
        `Network.pieces`. A hidden layer is what its ReLUs give, (K, B, units). Of the first
        convolution it is the maximum of each filter alone, (K, 1, filters).
    """
    if not network.filters:
        return partial(perceptron, framework.xp, network, lanes, batch)
    return Convolutional(framework, network, lanes, batch, form).logits


class Convolutional:
    """The networks with two convolutions, as `forward` has them; arguments as there."""

    def __init__(
        self, framework: Framework, network: Network, lanes: int, batch: int, form: str
    ) -> None:
        self.framework, self.xp, self.network = framework, framework.xp, network
        self.lanes, self.batch, self.form = lanes, batch, form
        # The convolutions stay outside of what is fused: the framework's own are faster.
        self.shaped = framework.fused(self._shaped)
        self.first, self.second = framework.fused(self._first), framework.fused(self._second)

    def logits(
        self, weights: Sequence[Tensor], images: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """See `forward`."""
        xp, patches = self.xp, self.form == "patches"
        w1, b1, w2, b2, w3, b3, w4, b4 = self.shaped(*weights)
        x = xp.cast(images, xp.float32)[..., None] / 255
        z = patched(xp, x[None], w1[None])[0] if patches else xp.nn.conv2d(x, w1, 1, "SAME")
        h1 = self.first(z, b1)
        z = patched(xp, h1, w2) if patches else self.framework.convolve(h1, w2)
        h2 = self.second(z, b2)
        h3 = xp.nn.relu(h2 @ w3 + b3)
        h1 = xp.reduce_max(h1, axis=(1, 2, 3) if patches else (0, 1, 2))
        h1 = xp.reshape(h1, [self.lanes, 1, -1])
        return (h3 if mask is None else h3 * mask) @ w4 + b4, [h1, h2, h3]

    def _shaped(self, *weights: Tensor) -> tuple[Tensor, ...]:
        """The filters, biases and matrices of all lanes as the layers take them."""
        xp, network, lanes = self.xp, self.network, self.lanes
        one, two = network.filters
        w1, b1, w2, b2, w3, b3, w4, b4 = cut(xp, network, weights)
        w1 = xp.reshape(
            xp.transpose(xp.reshape(w1, [lanes, KERNEL**2, one]), [1, 0, 2]),
            [KERNEL, KERNEL, 1, lanes * one],
        )
        w2 = xp.reshape(w2, [lanes, KERNEL, KERNEL, one, two])
        if self.form != "patches":
            w2 = xp.transpose(w2, [1, 2, 3, 0, 4])
        if self.form == "folded":
            # The 5x5 filter, shifted to each of the four places of a pooling window, is cut into
            # the 3x3 blocks of 2x2 pixels that it covers there.
            shifts = [
                [[y, 1 - y], [x, 1 - x], [0, 0], [0, 0], [0, 0]] for y in (0, 1) for x in (0, 1)
            ]
            w2 = xp.stack([xp.pad(w2, shift) for shift in shifts], axis=4)
            w2 = xp.transpose(
                xp.reshape(w2, [3, 2, 3, 2, one, lanes, 4 * two]), [0, 2, 1, 3, 4, 5, 6]
            )
            w2 = xp.reshape(w2, [3, 3, 4 * one, lanes * 4 * two])
        elif self.form == "grouped":
            w2 = xp.reshape(w2, [KERNEL, KERNEL, one, lanes * two])
        w3 = xp.reshape(w3, [lanes, -1, network.dense])
        w4 = xp.reshape(w4, [lanes, network.dense, CLASSES])
        return w1, xp.reshape(b1, [-1]), w2, xp.reshape(b2, [-1]), w3, b3[:, None], w4, b4[:, None]

    def _first(self, z: Tensor, b: Tensor) -> Tensor:
        """Pool what the first convolution gives; fold it where the second takes it so."""
        xp, batch, lanes, one = self.xp, self.batch, self.lanes, self.network.filters[0]
        h = xp.nn.relu(largest(xp, xp.reshape(z, [batch, HALF, 2, HALF, 2, lanes * one]), 2, 4) + b)
        if self.form == "folded":
            h = xp.transpose(
                xp.reshape(h, [batch, QUARTER, 2, QUARTER, 2, lanes, one]), [0, 1, 3, 5, 2, 4, 6]
            )
            h = xp.reshape(h, [batch, QUARTER, QUARTER, lanes * 4 * one])
        elif self.form == "patches":
            h = xp.transpose(xp.reshape(h, [batch, HALF, HALF, lanes, one]), [3, 0, 1, 2, 4])
        return h

    def _second(self, z: Tensor, b: Tensor) -> Tensor:
        """Pool what the second convolution gives, and put its lanes first."""
        xp, batch, lanes, two = self.xp, self.batch, self.lanes, self.network.filters[1]
        if self.form == "patches":
            z = largest(xp, xp.reshape(z, [lanes, batch, QUARTER, 2, QUARTER, 2, two]), 3, 5)
            h = xp.nn.relu(z + xp.reshape(b, [lanes, 1, 1, 1, two]))
            return xp.reshape(h, [lanes, batch, QUARTER**2 * two])
        if self.form == "folded":
            z = xp.reshape(
                largest(xp, xp.reshape(z, [batch, QUARTER, QUARTER, lanes, 2, 2, two]), 4, 5),
                [batch, QUARTER, QUARTER, -1],
            )
        else:
            z = largest(xp, xp.reshape(z, [batch, QUARTER, 2, QUARTER, 2, lanes * two]), 2, 4)
        h = xp.reshape(xp.nn.relu(z + b), [batch, QUARTER**2, lanes, two])
        return xp.reshape(xp.transpose(h, [2, 0, 1, 3]), [lanes, batch, QUARTER**2 * two])


def cut(xp: Any, network: Network, weights: Sequence[Tensor]) -> list[Tensor]:
    """The array of each of `Network.sizes`, (K, size), from those of `Network.pieces`."""
    pieces = zip(weights, network.pieces, strict=True)
    return [w for array, sizes in pieces for w in xp.split(array, sizes, axis=1)]


def split(xp: Any, network: Network, w: Tensor) -> tuple[Tensor, ...]:
    """The arrays of `Network.pieces`, from all weights (K, n)."""
    return tuple(xp.split(w, [sum(sizes) for sizes in network.pieces], axis=1))


def classified(xp: Any, z: Tensor, y: Tensor) -> Tensor:
    """Which images are classified right.

    Args:
        xp: the array library.
        z: logits, (K, B, 10).
        y: labels, (B,).

    Returns:
        Truth values, (K, B). Floats are compared, since TensorFlow compares integers on the host.
    """
    return xp.equal(
        xp.cast(xp.argmax(z, axis=2, output_type=xp.int32), xp.float32), xp.cast(y, xp.float32)
    )


def perceptron(
    xp: Any,
    network: Network,
    lanes: int,
    batch: int,
    weights: Sequence[Tensor],
    images: Tensor,
    mask: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """The networks without convolutions, as `forward` has them."""
    w1, b1, w2, b2 = cut(xp, network, weights)
    x = xp.reshape(xp.cast(images, xp.float32), [batch, SIDE**2]) / 255
    h = xp.nn.relu(x @ xp.reshape(w1, [lanes, SIDE**2, network.dense]) + b1[:, None])
    return (h if mask is None else h * mask) @ xp.reshape(w2, [lanes, network.dense, CLASSES]) + b2[
        :, None
    ], [h]

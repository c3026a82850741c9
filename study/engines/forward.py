"""The networks of all lanes as one function of their weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from study.engines.convolutions import largest, patched
from study.engines.framework import Framework, Tensor
from study.spec.networks import CLASSES, KERNEL, SIDE, Network

HALF, QUARTER = SIDE // 2, SIDE // 4


@lru_cache(maxsize=64)
def forward(
    framework: Framework, network: Network, lanes: int, batch: int, form: str
) -> Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, list[Tensor]]]:
    """The networks as a function of their weights and of images.

    Args:
        framework: computes.
        network: the network of every lane.
        lanes: K.
        batch: B.
        form: of the second convolution.

    Returns:
        A function (w (K, n), images (B, 28, 28) from 0 to 255, mask (B, dense) or None) -> logits
        (K, B, 10) and a list of the hidden layers. A hidden layer is what its ReLUs give, (K, B,
        units). Of the first convolution it is the maximum of each filter alone, (K, 1, filters).
    """
    xp = framework.xp
    if not network.filters:
        return partial(perceptron, xp, network, lanes, batch)
    one, two = network.filters
    fold = form == "folded"

    def unpack(w: Tensor) -> tuple[Tensor, ...]:
        w1, b1, w2, b2, w3, b3, w4, b4 = xp.split(w, network.sizes, axis=1)
        w1 = xp.reshape(
            xp.transpose(xp.reshape(w1, [lanes, KERNEL**2, one]), [1, 0, 2]),
            [KERNEL, KERNEL, 1, lanes * one],
        )
        w2 = xp.transpose(xp.reshape(w2, [lanes, KERNEL, KERNEL, one, two]), [1, 2, 3, 0, 4])
        if fold:
            shifts = [
                [[y, 1 - y], [x, 1 - x], [0, 0], [0, 0], [0, 0]] for y in (0, 1) for x in (0, 1)
            ]
            w2 = xp.stack([xp.pad(w2, shift) for shift in shifts], axis=4)
            w2 = xp.transpose(
                xp.reshape(w2, [3, 2, 3, 2, one, lanes, 4 * two]), [0, 2, 1, 3, 4, 5, 6]
            )
            w2 = xp.reshape(w2, [3, 3, 4 * one, lanes * 4 * two])
        elif form == "grouped":
            w2 = xp.reshape(w2, [KERNEL, KERNEL, one, lanes * two])
        w3 = xp.reshape(w3, [lanes, -1, network.dense])
        w4 = xp.reshape(w4, [lanes, network.dense, CLASSES])
        return w1, xp.reshape(b1, [-1]), w2, xp.reshape(b2, [-1]), w3, b3[:, None], w4, b4[:, None]

    def first(z: Tensor, b: Tensor) -> Tensor:
        h = xp.nn.relu(largest(xp, xp.reshape(z, [batch, HALF, 2, HALF, 2, lanes * one]), 2, 4) + b)
        if fold:
            h = xp.transpose(
                xp.reshape(h, [batch, QUARTER, 2, QUARTER, 2, lanes, one]), [0, 1, 3, 5, 2, 4, 6]
            )
            h = xp.reshape(h, [batch, QUARTER, QUARTER, lanes * 4 * one])
        return h

    def second(z: Tensor, b: Tensor) -> Tensor:
        if fold:
            z = xp.reshape(
                largest(xp, xp.reshape(z, [batch, QUARTER, QUARTER, lanes, 2, 2, two]), 4, 5),
                [batch, QUARTER, QUARTER, -1],
            )
        else:
            z = largest(xp, xp.reshape(z, [batch, QUARTER, 2, QUARTER, 2, lanes * two]), 2, 4)
        h = xp.reshape(xp.nn.relu(z + b), [batch, QUARTER**2, lanes, two])
        return xp.reshape(xp.transpose(h, [2, 0, 1, 3]), [lanes, batch, QUARTER**2 * two])

    unpack, first, second = framework.fused(unpack), framework.fused(first), framework.fused(second)

    def logits(w: Tensor, images: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        w1, b1, w2, b2, w3, b3, w4, b4 = unpack(w)
        x = xp.cast(images, xp.float32)[..., None] / 255
        h1 = first(
            patched(xp, x, w1[..., None, :])
            if form == "patches"
            else xp.nn.conv2d(x, w1, 1, "SAME"),
            b1,
        )
        h2 = second(patched(xp, h1, w2) if form == "patches" else framework.convolve(h1, w2), b2)
        h3 = xp.nn.relu(h2 @ w3 + b3)
        h1 = xp.reshape(xp.reduce_max(h1, axis=(0, 1, 2)), [lanes, 1, -1])
        return (h3 if mask is None else h3 * mask) @ w4 + b4, [h1, h2, h3]

    return logits


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
    w: Tensor,
    images: Tensor,
    mask: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """The networks without convolutions, as `forward` has them."""
    w1, b1, w2, b2 = xp.split(w, network.sizes, axis=1)
    x = xp.reshape(xp.cast(images, xp.float32), [batch, SIDE**2]) / 255
    h = xp.nn.relu(x @ xp.reshape(w1, [lanes, SIDE**2, network.dense]) + b1[:, None])
    return (h if mask is None else h * mask) @ xp.reshape(w2, [lanes, network.dense, CLASSES]) + b2[
        :, None
    ], [h]

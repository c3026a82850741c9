"""The forward pass and its gradients against the textbook, and the forms of a convolution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from study import data
from study.engines import convolutions, forward, tensorflow
from study.engines import tensorflow as tensors
from study.engines.lanes import Lanes
from study.engines.tensorflow import xp
from study.spec.networks import Network, network_of
from support.engines import keras_model
from support.engines.images import images
from support.engines.lanes import on_device, put, trials

pytestmark = [pytest.mark.slow, pytest.mark.kernels]

Floats = NDArray[Any]


def strange(kind: str) -> data.Images:
    """Training images on which max-pooling ties, or as unlike digits as can be."""
    random = np.random.default_rng(0)
    shape = images().x_train.shape
    x = {
        "zero": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "plateaus": np.kron(random.integers(0, 2, (shape[0], 4, 4)), np.ones((7, 7))).astype(
            np.uint8
        )
        * 255,
        "noise": random.integers(0, 256, shape).astype(np.uint8),
    }[kind]
    return replace(images(), x_train=x)


def random_weights(network: Network) -> Floats:
    """Weights unlike any seed's, biases among them."""
    weights = network.initial_weights(11)
    return weights + np.random.default_rng(12).uniform(-0.1, 0.1, weights.shape).astype(np.float32)


def by_hand(network: Network, weights: Floats, x: NDArray[np.uint8]) -> Floats:
    """Logits (B, 10) in numpy and double precision, in the textbook's order: convolution, bias,
    ReLU, pooling.
    """
    w1, b1, w2, b2, w3, b3, w4, b4 = (
        part.astype(np.float64) for part in keras_model.unflatten(network, weights)
    )
    h = x[..., None] / 255.0
    for w, b in ((w1, b1), (w2, b2)):
        windows = sliding_window_view(
            np.pad(h, ((0, 0), (2, 2), (2, 2), (0, 0))), (5, 5), axis=(1, 2)
        )
        h = np.maximum(np.tensordot(windows, w.transpose(2, 0, 1, 3), axes=3) + b, 0)
        h = h.reshape(len(h), h.shape[1] // 2, 2, h.shape[2] // 2, 2, -1).max(axis=(2, 4))
    logits: Floats = np.maximum(h.reshape(len(h), -1) @ w3 + b3, 0) @ w4 + b4
    return logits


@pytest.mark.parametrize("width", [1.0, 3.5])
@pytest.mark.parametrize("kind", ["zero", "white", "plateaus", "noise"])
def test_logits_are_those_of_the_textbook(kind: str, width: float) -> None:
    """Two lanes of different weights, folded and not."""
    network = network_of(trials(["sgd"], widths=(width,))[0])
    weights = np.stack([network.initial_weights(0), random_weights(network)])
    x = strange(kind).x_train[:20]
    found, _ = forward.forward(tensors, network, 2, 20, convolutions.usual_form(tensors, network))(
        forward.split(xp, network, xp.constant(weights)), xp.constant(x), None
    )
    for i in range(2):
        expected = by_hand(network, weights[i], x)
        assert found[i].numpy() == pytest.approx(
            expected, abs=1e-5 * max(1.0, float(np.abs(expected).max()))
        )


@pytest.mark.parametrize("width", [1.0, 3.5])
@pytest.mark.parametrize("kind", ["zero", "white", "plateaus", "noise"])
def test_gradients_agree_where_pooling_ties(kind: str, width: float) -> None:
    """One step of plain descent moves every weight by its gradient, on images full of equal pixels
    too; zero biases and others.
    """
    odd = strange(kind)
    (trial,) = trials(["sgd"], widths=(width,))
    trial = replace(trial, learning_rate=1.0)
    lane = Lanes([trial, trial], on_device(odd))
    network = lane.network
    weights = [network.initial_weights(0), random_weights(network)]
    put(lane, 0, 1, 0, network.weights, weights[1])
    losses, _ = lane.advance(np.ones((1, 2)))
    for i, start in enumerate(weights):
        expected, model = keras_model.train(trial, odd, 1, start)
        gradient = start - np.concatenate([part.ravel() for part in model.get_weights()])
        assert losses[:, i] == pytest.approx(expected, rel=1e-5)
        assert start - keras_model.weights_of(lane, i) == pytest.approx(
            gradient, abs=2e-6 + 1e-5 * float(np.abs(gradient).max())
        )
        assert np.abs(gradient).max() > 0.01


def test_groups_convolved_one_by_one_are_the_grouped_convolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Values and both gradients, held against a loop over windows in numpy; where TensorFlow has a
    grouped gradient, against that too.
    """
    tf = tensorflow.xp
    random = np.random.default_rng(0)
    batch, side, groups, inputs, outputs, kernel = 2, 6, 3, 2, 4, 3
    x = random.normal(size=(batch, side, side, groups * inputs)).astype(np.float32)
    w = random.normal(size=(kernel, kernel, inputs, groups * outputs)).astype(np.float32)
    upstream = random.normal(size=(batch, side, side, groups * outputs)).astype(np.float32)

    def all_of_it() -> list[Floats]:
        given = [tf.constant(x), tf.constant(w)]
        with tf.GradientTape() as tape:
            tape.watch(given)
            z = tensorflow.convolve(*given)
        return [np.asarray(part) for part in (z, *tape.gradient(z, given, tf.constant(upstream)))]

    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, (kernel, kernel), axis=(1, 2)).reshape(
        batch, side, side, groups, inputs, kernel, kernel
    )
    filters = w.reshape(kernel, kernel, inputs, groups, outputs)
    z = np.einsum("byxgikl,kligo->byxgo", windows, filters).reshape(upstream.shape)
    of_w = np.einsum(
        "byxgikl,byxgo->kligo", windows, upstream.reshape(batch, side, side, groups, outputs)
    ).reshape(w.shape)
    (mine, of_x, mine_of_w), known = all_of_it(), tensorflow.differentiates_groups()
    assert mine == pytest.approx(z, abs=1e-4)
    assert mine_of_w == pytest.approx(of_w, abs=1e-4)
    assert (of_x * x).sum() == pytest.approx((upstream * z).sum(), rel=1e-4), (
        "the convolution is linear in x"
    )
    monkeypatch.setattr(tensors, "differentiates_groups", lambda: not known)
    if known:
        for other, this in zip(all_of_it(), (mine, of_x, mine_of_w), strict=True):
            assert other == pytest.approx(this, abs=1e-4)

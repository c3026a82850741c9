"""A study's network as a plain Keras model, trained by its own loop: the oracle of the lanes."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from study.data.images import Images, pixels
from study.engines.batches import batch_order
from study.engines.lanes import Lanes
from study.engines.tensorflow import uniform
from study.engines.tensorflow import xp as tf
from study.spec.networks import Network, network_of
from study.spec.trial import Trial

Floats = NDArray[Any]


def build(network: Network) -> Any:
    """The network with two inputs, images (B, 28, 28, 1) and the mask (B, dense) that dropout would
    draw, to logits (B, 10).
    """
    images, mask = layers.Input((28, 28, 1)), layers.Input((network.dense,))
    h = images
    for filters in network.filters:
        h = layers.Conv2D(filters, 5, padding="same", activation="relu")(h)
        h = layers.MaxPooling2D()(h)
    h = layers.Dense(network.dense, activation="relu")(layers.Flatten()(h))
    return keras.Model([images, mask], layers.Dense(10)(layers.Multiply()([h, mask])))


def optimizer(trial: Trial, momentum: float = 0.5) -> Any:
    """Keras's own optimizer, or TensorFlow 1's; either takes (gradient, variable) pairs in
    `apply_gradients`.
    """
    rate = trial.learning_rate
    if trial.hyper == "keras":
        make = keras.optimizers
        return {
            "sgd": lambda: make.SGD(rate),
            "momentum": lambda: make.SGD(rate, momentum=momentum),
            "adam": lambda: make.Adam(rate),
            "adagrad": lambda: make.Adagrad(rate),
            "adadelta": lambda: make.Adadelta(rate),
            "rmsprop": lambda: make.RMSprop(rate),
        }[trial.optimizer]()
    v1 = tf.compat.v1.train
    return {
        "sgd": lambda: v1.GradientDescentOptimizer(rate),
        "momentum": lambda: v1.MomentumOptimizer(rate, momentum=momentum),
        "adam": lambda: v1.AdamOptimizer(rate),
        "adagrad": lambda: v1.AdagradOptimizer(rate),
        "adadelta": lambda: v1.AdadeltaOptimizer(rate),
        "rmsprop": lambda: v1.RMSPropOptimizer(rate),
    }[trial.optimizer]()


def unflatten(network: Network, weights: Floats) -> list[Floats]:
    """A flat array (n,) as the arrays that Keras's `set_weights` takes."""
    parts = np.split(weights, np.cumsum(network.sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, network.shapes, strict=True)]


def weights_of(learner: Lanes, lane: int) -> Floats:
    """One lane's weights (n,), in the order of `Network.shapes`."""
    return np.asarray(learner.state.slots[0][lane])


@cache
def differentiated(network: Network) -> tuple[Any, Any]:
    """A model of the network, and what gives its loss and gradients; made once, for they compile
    long. Whoever trains it gives it its weights first.
    """
    model = build(network)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def gradients(x: Any, y: Any, mask: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = cross_entropy(y, model([x, mask], training=True))
        return loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    return model, gradients


def train(
    trial: Trial,
    images: Images,
    steps: int,
    weights: Floats | None = None,
    momentum: float = 0.5,
    made: Any = None,
) -> tuple[Floats, Any]:
    """Losses (steps,) of a plain Keras model on the trial's batches from its initial weights, or
    the given ones, and the model until the next such call; by the optimizer that is made, if one
    is.
    """
    network = network_of(trial)
    (model, gradients), optimize = differentiated(network), made or optimizer(trial, momentum)
    model.set_weights(
        unflatten(network, network.initial_weights(trial.seed) if weights is None else weights)
    )
    keep = 1 - network.dropout
    losses = []
    for step, chosen in enumerate(
        batch_order(trial.seed, 0, steps, trial.batch, len(images.y_train))
    ):
        x = pixels(images.x_train[chosen])[..., None]
        drawn = uniform((trial.batch, network.dense), [trial.seed, step]).numpy()
        mask = (drawn < keep).astype(np.float32) / np.float32(keep)
        loss, grads = gradients(x, images.y_train[chosen].astype(np.int32), mask)
        variables = (
            model.trainable_variables
            if trial.hyper.startswith("keras")
            else [variable.value for variable in model.trainable_variables]
        )
        optimize.apply_gradients(zip(grads, variables, strict=True))
        losses.append(float(loss))
    return np.array(losses), model


def accuracy(model: Any, network: Network, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    """The share of images that a model classifies right."""
    logits = model.predict(
        [pixels(x)[..., None], np.ones((len(x), network.dense), np.float32)],
        batch_size=500,
        verbose=0,
    )
    return float((logits.argmax(axis=1) == y).mean())

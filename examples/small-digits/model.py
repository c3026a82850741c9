"""A small ResNet with batch normalisation on small digits: MNIST at half its size, 14 x 14 pixels.

Run it:    study run examples/small-digits/study.toml
Look for:  at their best rates all three arrive within 300 steps. Adam and Lion arrive over wide
           ranges, Lion's lower than Adam's; those of SGD lie above both.

The images are those that the package ships, so this runs everywhere. Where Fashion-MNIST is
installed, put `fashion-mnist` for `mnist` below, and a target of 0.8 into study.toml.
"""

import keras
import numpy as np
from keras import layers

from study import data


def normal():
    """Batch normalisation whose moving averages follow a training of a few hundred steps."""
    return layers.BatchNormalization(momentum=0.9)


def block(x, filters, strides):
    """Two convolutions and a way around them."""
    y = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(normal()(y))
    y = normal()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    if strides > 1:
        x = normal()(layers.Conv2D(filters, 1, strides, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def build(width=1):
    """The model; the study brings the optimizer."""
    filters = round(8 * width)
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(normal()(x))
    for place, strides in enumerate((1, 2, 2)):
        x = block(x, filters * 2**place, strides)
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy"])
    return model


def small(images):
    """Each square of 2 x 2 pixels as its mean, (N, 14, 14, 1)."""
    return data.pixels(images).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))[..., None]


def load():
    """Training and validation data."""
    images = data.load("mnist")
    training = small(images.x_train[:12_000]), images.y_train[:12_000].astype(np.int32)
    validation = small(images.x_validation[:2_000]), images.y_validation[:2_000].astype(np.int32)
    return training, validation

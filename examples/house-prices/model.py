"""House prices from a table of numbers and a category: an MLP of about 19,000 weights, in Keras.

Run it:    study run examples/house-prices/study.toml
Look for:  three valleys. AdamW arrives over a thousandfold of rates, RMSprop over a hundredfold,
           and SGD over a tenfold that lies higher. At the largest rate SGD diverges.

No package of this project ships a table, so a formula with a seed makes one: log-normal areas,
heavy tails in the noise, a discount for high floors without a lift. For your own table, change
`load`.
"""

import keras
import numpy as np
from keras import layers

HOUSES, DISTRICTS = 6_000, 24


def build(width=1):
    """A model with two inputs; the study brings the optimizer."""
    numbers = keras.Input((7,), name="numbers")
    district = keras.Input((), dtype="int32", name="district")
    x = layers.Concatenate()([numbers, layers.Embedding(DISTRICTS, 8)(district)])
    for _ in range(2):
        x = layers.Dense(round(128 * width), activation="relu")(x)
    model = keras.Model({"numbers": numbers, "district": district}, layers.Dense(1)(x))
    model.compile(loss="mse", metrics=["mae"])
    return model


def load():
    """Training and validation data: inputs by name, and the logarithm of the price, centred."""
    numbers, district, price = houses(np.random.default_rng(0))
    cut = HOUSES * 4 // 5
    numbers = (numbers - numbers[:cut].mean(axis=0)) / numbers[:cut].std(axis=0)
    price = price - price[:cut].mean()
    return tuple(
        ({"numbers": numbers[rows], "district": district[rows]}, price[rows])
        for rows in (slice(cut), slice(cut, None))
    )


def houses(rng):
    """What is known of each house, its district, and the logarithm of its price."""
    district = rng.integers(DISTRICTS, size=HOUSES)
    area = rng.lognormal(4.6, 0.4, HOUSES)
    rooms = np.clip(np.round(area / 28 + rng.normal(0, 0.8, HOUSES)), 1, 9)
    age = rng.gamma(1.6, 25, HOUSES)
    distance = rng.exponential(6, HOUSES)
    garden = np.where(rng.random(HOUSES) < 0.4, 0, rng.lognormal(5, 0.9, HOUSES))
    floor = rng.integers(6, size=HOUSES)
    lift = rng.random(HOUSES) < 0.5
    charm = rng.normal(0, 0.35, DISTRICTS)[district]
    price = (
        0.75 * np.log(area)
        + 0.04 * np.minimum(rooms, 6)
        + 0.02 * np.log1p(garden)
        + charm * np.exp(-distance / 10)  # a good district is worth most in its middle
        - 0.05 * distance
        - 0.25 * np.sin(np.pi * np.minimum(age, 100) / 100)  # new houses are dear, old ones again
        - 0.06 * floor * ~lift
        + 0.09 * rng.standard_t(4, HOUSES)
    )
    columns = [np.log(area), rooms, age, distance, np.log1p(garden), floor, lift]
    return np.stack(columns, axis=1), district, price[:, None]

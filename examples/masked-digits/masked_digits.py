"""A Keras model with a train_step of its own: an autoencoder that must guess hidden pixels.

Run it:    python examples/masked-digits/masked_digits.py
Look for:  a valley can have gaps. On an Intel Xeon, Lion arrives at 0.0003 and 0.003 with both
           seeds, and at 0.001 with neither. Clipping lets SGD take rates above 1.

The study calls train_step and test_step as `fit` does, so whatever is in them counts. They need
TensorFlow, since a step of another backend is written otherwise. The study itself is at the end:
here it is Python, and two of its optimizers are objects.
"""

import keras
import tensorflow as tf
from keras import layers, optimizers

import study
from study import data

PIXELS, HIDDEN = 14 * 14, 0.6


class Masked(keras.Model):
    """Sees some pixels of an image, and tells all of them."""

    def __init__(self, units):
        super().__init__()
        self.body = keras.Sequential(
            [
                keras.Input((PIXELS,)),
                layers.Dense(units, activation="relu"),
                layers.Dense(units // 2, activation="relu"),
                layers.Dense(units, activation="relu"),
                layers.Dense(PIXELS, activation="sigmoid"),
            ]
        )
        self.masks = keras.random.SeedGenerator()
        self.hidden = keras.metrics.Mean(name="loss")

    def call(self, images):
        return self.body(images)

    def error(self, images, seed):
        """The mean squared error of the pixels that the model did not see."""
        hidden = tf.cast(keras.random.uniform(tf.shape(images), seed=seed) < HIDDEN, tf.float32)
        guessed = self(images * (1 - hidden), training=True)
        return tf.reduce_sum(hidden * (guessed - images) ** 2) / tf.reduce_sum(hidden)

    def train_step(self, batch):
        images, _ = batch
        with tf.GradientTape() as tape:
            error = self.error(images, self.masks)
        gradients = tape.gradient(error, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.hidden.update_state(error)
        return {"loss": self.hidden.result()}

    def test_step(self, batch):
        self.hidden.update_state(self.error(batch[0], seed=0))  # the same pixels every time
        return {"loss": self.hidden.result()}


def build(width=1):
    """The model; the study brings the optimizer."""
    model = Masked(round(128 * width))
    model.compile()
    return model


def load():
    """Training and validation data: images of 14 x 14 pixels, which are their own targets."""
    images = data.load("mnist")
    parts = (images.x_train[:8_000], images.x_validation[:1_000])
    small = [data.pixels(x).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) for x in parts]
    training, validation = (x.reshape(-1, PIXELS) for x in small)
    return (training, training), (validation, validation)


SPEC = study.StudySpec(
    name="masked-digits",
    model=build,
    data=load,
    optimizers=(
        "adam",
        optimizers.Lion(weight_decay=0.01),
        optimizers.SGD(momentum=0.9, clipnorm=1.0),
    ),
    seeds=2,
    rates="1e-5:10:13",  # two in a factor of ten
    metric="val_loss",  # to fall to the target
    target=0.042,
    batch=64,
    max_epochs=10,  # 1,250 steps
    check_every=25,
    cap=None,  # no limit of seconds beside that of epochs
)

if __name__ == "__main__":
    runs = study.run(SPEC, out="results/masked-digits")
    best = study.tables.best(runs)
    columns = ["optimizer", "arrived", "lowest", "best_rate", "highest", "steps"]
    print(best[columns].to_string(index=False))
    study.figures.valley(runs).savefig("results/masked-digits/valley.png")

"""Text: an embedding and two convolutions tell praise from complaint, in sentences of a grammar.

Run it:    study run examples/sentences/study.toml
Look for:  Adam and RMSprop arrive within 100 steps at their best rates. SGD needs more, and has a
           narrower range. At higher rates no optimizer diverges; they just never learn.

The grammar knows negation ("not really dull" is praise), and what follows a "but" counts. So the
words alone do not tell the class, and the model must learn their order.
"""

import random

import keras
import numpy as np
from keras import layers

NOUNS = [
    "film",
    "book",
    "meal",
    "room",
    "song",
    "play",
    "hotel",
    "show",
    "phone",
    "lamp",
    "tea",
    "chair",
]
GOOD = ["good", "great", "lovely", "brilliant", "fine", "superb", "charming"]
BAD = ["bad", "awful", "dull", "poor", "dreadful", "boring", "weak"]
PLAIN = ["long", "short", "new", "old", "loud", "cheap", "red", "round"]
DEGREES = ("", "", "very", "really", "quite")
OPENINGS = ("", "", "i must say", "my friend thinks", "as far as i know", "frankly")
CLASSES = ("complaint", "neither", "praise")
WORDS, LENGTH = 80, 20
"""No more different words, and no longer sentences, than the grammar can make."""


def phrase(rng, mood):
    """Words of a mood, -1, 0 or 1; a word of the other mood is negated."""
    negated = rng.random() < 0.4
    words = PLAIN if mood == 0 else GOOD if (mood > 0) != negated else BAD
    return f"{'not' if negated else ''} {rng.choice(DEGREES)} {rng.choice(words)}"


def sentence(rng):
    """The words of a sentence, and its class."""
    mood, other = rng.choice((-1, 0, 1)), rng.choice((-1, 0, 1))
    form = rng.choice(
        (
            "{opening} the {noun} was {said}",
            "{opening} the {noun} was {aside} but {said}",
            "{opening} although the {second} was {aside} the {noun} was {said}",
        )
    )
    first, second = rng.sample(NOUNS, 2)
    opening, said, aside = rng.choice(OPENINGS), phrase(rng, mood), phrase(rng, other)
    told = form.format(opening=opening, noun=first, second=second, said=said, aside=aside)
    return told.split(), mood + 1


def load():
    """Training and validation data: numbers of words, filled up with 0, and classes."""
    rng = random.Random(0)
    pairs = [sentence(rng) for _ in range(8_000)]
    words = sorted({word for told, _ in pairs for word in told})
    number = {word: place for place, word in enumerate(words, 1)}
    x = np.zeros((len(pairs), LENGTH), np.int32)
    for row, (told, _) in zip(x, pairs, strict=True):
        row[: len(told)] = [number[word] for word in told]
    y = np.array([label for _, label in pairs], np.int32)
    return (x[:6_000], y[:6_000]), (x[6_000:], y[6_000:])


def build(width=1):
    """The model; the study brings the optimizer."""
    filters = round(32 * width)
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(WORDS, 16),
            layers.Conv1D(filters, 5, padding="same", activation="relu"),
            layers.Conv1D(filters, 5, padding="same", activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(len(CLASSES)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy"])
    return model

"""Texts that are padded to the longest of their batch: no two batches need have one shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from study.engines.own.code import Code
from study.engines.own.data.samples import samples_of
from support.engines.user_models import engine_of

pytestmark = pytest.mark.slow

LENGTHS = (5, 5, 9, 3, 3, 3, 7)


class Texts:
    """Seven batches of four texts, each padded to a length of its own."""

    def __iter__(self) -> Iterator[Any]:
        random = np.random.default_rng(0)
        for length in LENGTHS:
            yield random.integers(1, 20, (4, length)), random.integers(3, size=4)

    def __len__(self) -> int:
        return len(LENGTHS)


def load() -> Any:
    return Texts(), Texts()


def keras_model() -> Any:
    """The mean of the embeddings of a text's words."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(20, 4),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def torch_module() -> Any:
    from torch import nn

    class Mean(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words, self.last = nn.Embedding(20, 4), nn.Linear(4, 3)

        def forward(self, words: Any) -> Any:
            return self.last(self.words(words).mean(1))

    return Mean()


def test_a_stream_is_read_in_parts_of_one_shape() -> None:
    """Each holds the rows of all its batches."""
    feed = samples_of(Code(len, load)).train
    parts = list(feed.batches(0, 0, 9, 4))
    assert [(arrays[0].shape, order.shape) for arrays, order in parts] == [
        *(((8, 5), (2, 4)), ((4, 9), (1, 4)), ((12, 3), (3, 4))),
        *(((4, 7), (1, 4)), ((8, 5), (2, 4))),
    ]


CODES = {"keras": Code(keras_model, load), "torch": Code(torch_module, load, "cross_entropy")}


@pytest.mark.parametrize("framework", CODES)
def test_padded_texts_train(framework: str) -> None:
    """At once as one by one, also beyond an epoch."""
    spec, engine = engine_of(CODES[framework], optimizers=("sgd",), rates=(0.1,))
    one, other = (engine.learner(spec.trials()) for _ in range(2))
    rates = np.full((16, 1), 0.1)
    whole = one.advance(rates)[0]
    parts = [other.advance(rates[:1])[0] for _ in rates]
    assert np.allclose(whole, np.concatenate(parts), rtol=1e-5)
    assert whole[0, 0] > whole[-2, 0]
    assert np.isfinite(one.evaluate()).all()

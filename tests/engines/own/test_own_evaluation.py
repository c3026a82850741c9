"""Reading a metric changes nothing that is trained afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from study.engines.own.code import Code
from support.engines.user_models import data, engine_of

pytestmark = pytest.mark.slow


def noisy_keras() -> Any:
    """A model whose noise comes in evaluation, too, from seeds that move on."""
    import keras

    class Noise(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seeds = keras.random.SeedGenerator()

        def call(self, x: Any) -> Any:
            return x + keras.random.normal((6,), seed=self.seeds)

    model = keras.Sequential([keras.Input((6,)), Noise(), keras.layers.Dense(3, "softmax")])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def counting_module() -> Any:
    """A module with a buffer that grows with every call, in evaluation too."""
    import torch

    class Counting(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(6, 3)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return self.last(x) * (1 + self.calls)

    return Counting()


CODES = {"keras": Code(noisy_keras, data), "torch": Code(counting_module, data, "cross_entropy")}


@pytest.mark.parametrize("framework", CODES)
@pytest.mark.parametrize("lanes", [1, 2])
def test_an_evaluation_changes_no_step_after_it(framework: str, lanes: int) -> None:
    """So that a trial is the same beside others and alone, and however often it is looked at."""
    fields = {"rates": (0.001, 0.01), "optimizers": ("sgd(momentum=0.9,weight_decay=0.01)",)}
    spec, engine = engine_of(CODES[framework], **fields)
    losses = []
    for looks in (0, 1, 3):
        learner = engine.learner(spec.trials()[:lanes])
        rates = np.full((4, learner.lanes), 0.01)
        learner.advance(rates)
        found = [learner.evaluate() for _ in range(looks)]
        assert all(np.array_equal(one, found[0]) for one in found)
        losses.append(learner.advance(rates)[0])
    assert np.array_equal(losses[0], losses[1])
    assert np.array_equal(losses[0], losses[2])

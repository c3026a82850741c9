"""Schedules as Keras's own objects."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as of_keras

import study
from study.errors import StudyError
from study.search.keras.schedule import ScheduledRate
from study.spec.schedules.parse import parse
from support.paths import ROOT
from support.schedules import EACH, RATE, factors

# Keras


@pytest.mark.parametrize("warmup", [0, 13])
@pytest.mark.parametrize("text", EACH)
def test_keras_gets_the_same_rates(text: str, warmup: int) -> None:
    """Ours and what is handed to Keras, its own objects among them, to single precision, at whole
    arrays and at single steps.
    """
    shape = replace(parse(text), warmup=warmup)
    expected = RATE * factors(shape, 150)
    ours = ScheduledRate(shape, RATE)
    assert keras.ops.convert_to_numpy(ours(np.arange(150))) == pytest.approx(
        expected, abs=2e-7 * RATE, rel=2e-6
    )
    given_ = study.schedule(shape, RATE)
    steps = range(0, 150, 7)
    assert [float(given_(step)) for step in steps] == pytest.approx(
        expected[::7], abs=2e-6 * RATE, rel=1e-5
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("exponential:rate=0.96,steps=7,staircase=true", of_keras.ExponentialDecay),
        ("inverse-time:rate=2,steps=10", of_keras.InverseTimeDecay),
        ("piecewise:boundaries=2/4,factors=1/0.5/0.1", of_keras.PiecewiseConstantDecay),
        ("polynomial:steps=30,power=2", of_keras.PolynomialDecay),
        ("cosine:steps=30", of_keras.CosineDecay),
        ("cosine:steps=30,warmup=5", of_keras.CosineDecay),
        ("cosine-restarts:steps=10", of_keras.CosineDecayRestarts),
        ("cosine-restarts:steps=10,warmup=5", ScheduledRate),
        ("constant", ScheduledRate),
        ("triangular:half=5", ScheduledRate),
    ],
)
def test_keras_gets_its_own_object_where_it_has_one(text: str, kind: type) -> None:
    """Ours otherwise; either is a schedule that can be written down and made again."""
    first: Any = study.schedule(text, RATE)
    again: Any = of_keras.deserialize(of_keras.serialize(first))
    assert [type(first), type(again)] == [kind, kind]
    assert again.get_config() == first.get_config()


@pytest.mark.parametrize("rate", [0, -1, "fast", math.nan])
def test_a_bad_rate_or_text_is_refused(rate: Any) -> None:
    """As everywhere."""
    with pytest.raises(StudyError, match="learning rate"):
        study.schedule("constant", rate)
    with pytest.raises(StudyError, match="did you mean cosine"):
        study.schedule("cosin", RATE)


@pytest.mark.parametrize("text", EACH)
def test_a_keras_optimizer_follows_the_schedule(text: str) -> None:
    """Plain gradient descent on a parabola, w <- w (1 - rate_t), from Keras's own step counter."""
    w = keras.Variable(1.0)
    optimizer = keras.optimizers.SGD(ScheduledRate(text, RATE))
    optimizer.build([w])
    for _ in range(12):
        optimizer.apply([w.value], [w])
    assert float(w) == pytest.approx(np.prod(1 - RATE * factors(text, 12)), rel=1e-5)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # Keras's own, in saving
def test_a_model_fits_is_saved_and_goes_on(tmp_path: Path) -> None:
    """Inside the compiled step; another process loads it and goes on at the right rates."""
    text = "triangular2:half=2,window=hann,warmup=3"
    start = keras.initializers.Constant(1.0)
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer=start)]
    )
    model.compile(keras.optimizers.SGD(study.schedule(text, RATE)), loss="mse")
    x, y = np.ones((8, 1), np.float32), np.zeros((8, 1), np.float32)
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0)
    moved = np.cumprod(1 - 2 * RATE * factors(text, 16))  # the error is w^2, its gradient 2 w
    assert float(model.get_weights()[0][0, 0]) == pytest.approx(moved[7], rel=1e-5)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, numpy as np, keras, study.search.keras.schedule\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "model.fit(np.ones((8, 1)), np.zeros((8, 1)), batch_size=1, verbose=0)\n"
        "print(float(model.get_weights()[0][0, 0]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.keras"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout) == pytest.approx(moved[15], rel=1e-5)

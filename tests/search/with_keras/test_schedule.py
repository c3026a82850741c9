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
from support.schedules import COMPOUND, EACH, RATE, factors, named

pytestmark = pytest.mark.slow

FAR = {
    "cosine-restarts:steps=30": [30 * (2**15 - 1), 30 * (2**15 - 1) - 1, 30 * 2**20],
    "cosine-restarts:steps=600,t_mul=3": [600 * (3**9 - 1) // 2, 600 * (3**9 - 1) // 2 - 1],
    "cosine-restarts:steps=11,t_mul=1,warmup=4": [2**26 + 3, 1_900_000_000],
    "exponential:rate=0.5,steps=700001,staircase=true": [35 * 700_001 - 1, 35 * 700_001],
    "inverse-time:rate=3,steps=20000001,staircase=true": [20_000_000, 20_000_001],
    "polynomial:steps=40000000,power=2": [39_999_999, 20_000_001],
    "piecewise:boundaries=33554433/33554435,factors=1/0.5/0.1": [
        33_554_433,
        33_554_434,
        33_554_436,
    ],
    "triangular:half=13,down=4": [2**30, 1_800_000_001],
    "cosine:steps=50000000": [49_999_999, 50_000_000],
    "one-cycle:steps=90000": [40_500, 81_000, 90_001],
    "linear-ramp:low=0.01,steps=70000": [35_000, 70_000],
    "constant:warmup=100000": [70_000],
    "constant then cosine-restarts:steps=5,t_mul=1 at 100000000": [99_999_999, 100_000_004],
}
"""Schedules, each with steps at which a number in single or half precision is too coarse."""

# Keras


@pytest.mark.parametrize("text", COMPOUND)
def test_keras_gets_products_and_joined_schedules(text: str) -> None:
    """At whole arrays of steps and at single ones."""
    made = study.schedule(text, RATE)
    wanted = RATE * factors(text, 150)
    assert keras.ops.convert_to_numpy(made(np.arange(150))) == pytest.approx(wanted, rel=2e-5)
    assert [float(made(step)) for step in (0, 20, 149)] == pytest.approx(
        wanted[[0, 20, 149]], rel=2e-5
    )


@pytest.mark.parametrize("warmup", [0, 13])
@pytest.mark.parametrize("text", EACH)
def test_keras_gets_the_same_rates(text: str, warmup: int) -> None:
    """Ours and what is handed to Keras, its own objects among them, to single precision, at whole
    arrays and at single steps.
    """
    shape = replace(named(text), warmup=warmup)
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


@pytest.mark.parametrize("text", [*EACH, *COMPOUND])
def test_a_schedule_of_keras_can_be_written_down(text: str) -> None:
    """And made again, by the one class for all."""
    first = study.schedule(text, RATE)
    again: Any = of_keras.deserialize(of_keras.serialize(first))
    assert [type(first), type(again)] == [ScheduledRate, ScheduledRate]
    assert again.get_config() == first.get_config()


@pytest.mark.parametrize("text", FAR)
def test_a_rate_is_exact_at_any_step(text: str) -> None:
    """At restarts, on the stairs of a decay and far beyond 2^24, where Keras's own schedules, whose
    step is a number in single precision, are off.
    """
    shape, made = parse(text), study.schedule(text, 1.0)
    for step in FAR[text]:
        right = float(shape.factor(np.array(step), np))
        assert float(made(np.int64(step))) == pytest.approx(right, rel=2e-6, abs=1e-15)


def test_the_momentum_and_the_checks_of_a_schedule_are_no_part_of_keras() -> None:
    """A cycled momentum is left out; a plateau is refused, with what to take in its place."""
    cycled, plain = "triangular:half=5,momentum=0.9/0.8", "triangular:half=5"
    assert float(study.schedule(cycled, RATE)(3)) == float(study.schedule(plain, RATE)(3))
    for text in ("plateau", "cosine:steps=5 * plateau:patience=2"):
        with pytest.raises(StudyError, match="ReduceLROnPlateau"):
            study.schedule(text, RATE)


OTHER_KERAS = """
import os, sys
os.environ["KERAS_BACKEND"] = sys.argv[1]
import keras, numpy as np
import study
for floatx in sys.argv[2].split():
    keras.config.set_floatx(floatx)
    for text, steps in zip(sys.argv[3::2], sys.argv[4::2]):
        made = study.schedule(text, 1.0)
        rates = made(np.array(steps.split("/"), np.int64))
        print(*keras.ops.convert_to_numpy(rates).tolist())
    w = keras.Variable(1.0)
    optimizer = keras.optimizers.SGD(study.schedule("cosine-restarts:steps=3,warmup=2", 0.5))
    optimizer.build([w])
    for _ in range(6):
        optimizer.apply([w.value], [w])
    print(float(w))
"""


@pytest.mark.parametrize(
    ("backend", "precisions"),
    [("tensorflow", "float64 bfloat16"), ("jax", "float32 float16")],
)
def test_rates_are_the_same_on_every_backend_at_every_precision(
    backend: str, precisions: str
) -> None:
    """Half precision has no number for a step beyond 65,504, and JAX has integers of 32 bits."""
    cases = {**{text: [0, 29] for text in (*EACH, *COMPOUND)}, **FAR}
    given = [word for text, steps in cases.items() for word in (text, "/".join(map(str, steps)))]
    answer = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::UserWarning",
            "-c",
            OTHER_KERAS,
            backend,
            precisions,
            *given,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    right = [factor for text, steps in cases.items() for factor in factors(text, steps)]
    moved = np.prod(1 - 0.5 * factors("cosine-restarts:steps=3,warmup=2", 6))
    printed = np.reshape([*map(float, answer.stdout.split())], (-1, len(right) + 1))
    for floatx, (*found, weight) in zip(precisions.split(), printed, strict=True):
        assert found == pytest.approx(right, rel=5e-6, abs=1e-12)
        assert weight == pytest.approx(moved, rel=0.03 if "16" in floatx else 1e-5)


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

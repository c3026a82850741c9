"""The benchmark's arithmetic; what it measures is measured by running it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from study.spec.networks import BASE
from support.paths import ROOT

pytestmark = pytest.mark.slow

PATH = ROOT / "scripts" / "benchmark.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("benchmark", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark"] = module
    spec.loader.exec_module(module)
    return module


def test_the_floor_is_forward_and_back_without_the_images_gradient(benchmark: ModuleType) -> None:
    """Compact: 0.41 MFLOP an image, by hand: (3 x (784 x 50 + 196 x 200 + 196 x 15 + 150) - 784 x
    50) x 2.
    """
    flop = 2 * (3 * (784 * 50 + 196 * 200 + 196 * 15 + 150) - 784 * 50)
    assert benchmark.floor_milliseconds(BASE["compact"], 1e9) == pytest.approx(100 * flop / 1e6)


def test_a_round_times_its_steps_and_divides_by_the_lanes(benchmark: ModuleType) -> None:
    """After a step that is not timed."""
    taken: list[int] = []
    contender = benchmark.Contender("x", "compact", taken.append, lanes=4, steps=7)
    contender.round()
    assert taken == [1, 7]
    assert 0 < contender.median < 1e3


def test_ratios_above_one_mean_that_this_engine_is_faster(benchmark: ModuleType) -> None:
    """Hand-made milliseconds; the array is the fastest of all sizes and processes; torch is null
    where it took no part.
    """

    def contender(name: str, milliseconds: float, lanes: int = 1) -> object:
        return benchmark.Contender(name, "compact", print, lanes, milliseconds=[milliseconds])

    timed = [
        contender("alone, adam", 2.0),
        contender("array of 16", 0.8, 16),
        contender("Keras fit", 4.0),
    ]
    native = {48: [0.2, 0.25, 0.3], 16: []}
    found = benchmark.summary(timed, {16: [0.5, 0.4, 0.6]}, 2, 1e11, 1e10, BASE["compact"], native)
    assert (found["native_vs_keras_fit"], found["native_vs_array"]) == (16, 2)
    assert found["native_vs_torch_eager"] is None
    assert found["native_milliseconds"] == {"native, 48 lanes, 2 processes": 0.25}
    assert found["native_share_of_matrix_rate"] == pytest.approx(
        2 * found["share_of_matrix_rate"], abs=2e-3
    )
    assert found["array_vs_keras_fit"] == 8
    assert found["alone_vs_keras_fit"] == 2
    assert found["array_vs_torch_eager"] is found["array_vs_torch_vmap"] is None
    assert (found["lanes"], found["processes"], found["milliseconds_per_lane_step"]) == (16, 2, 0.5)
    assert found["share_of_matrix_rate"] == pytest.approx(
        found["floor_milliseconds"] / 0.5, rel=1e-2
    )
    assert found["share_of_bandwidth"] == pytest.approx(
        benchmark.floor_bytes(BASE["compact"]) / 10e9 / 0.5e-3, abs=1e-3
    )


def test_the_least_traffic_is_that_of_weights_and_activations(benchmark: ModuleType) -> None:
    """Compact, by hand: ten passes over the weights of Adam, five over the activations of a batch
    of 100.
    """
    activations = 100 * (784 * 2 + 196 * 2 + 196 * 4 + 49 * 4 + 15 + 10)
    assert benchmark.floor_bytes(BASE["compact"]) == 4 * (
        10 * BASE["compact"].weights + 5 * activations
    )


def test_the_bars_are_drawn(benchmark: ModuleType, tmp_path: Path) -> None:
    """Both networks, from the numbers alone."""
    timed = [
        benchmark.Contender("alone, adam", "x", print, milliseconds=[2.0]),
        benchmark.Contender("Keras fit", "x", print, milliseconds=[4.0]),
    ]
    found = benchmark.summary(timed, {16: [0.5]}, 2, 100e9, 10e9, BASE["compact"])
    benchmark.draw(
        {
            "compact": found,
            "tutorial": found,
            "machine": {"name": "test"},
            "engine": "jax",
            "precision": "float32",
        },
        tmp_path / "bars.png",
    )
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")

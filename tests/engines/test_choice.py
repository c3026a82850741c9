"""Which engine trains, in which form, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.engines import jax as tensors_jax
from study.engines import tensorflow as tensors
from study.engines.choice import ENGINES, EngineChoice
from study.engines.convolutions import FORMS, usual_form
from study.engines.forward import forward, split
from study.engines.framework import Framework
from study.engines.lanes import DeviceImages, Lanes
from study.engines.lanes_engine import LanesEngine
from study.engines.programs import training_program
from study.errors import StudyError
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.store import Store
from support.engines.images import images
from support.engines.lanes import COMPACT, DROPOUT
from support.paths import ROOT

pytestmark = pytest.mark.slow


BOTH = pytest.mark.parametrize(
    "framework",
    [
        pytest.param(tensors, id="tensorflow", marks=pytest.mark.kernels),
        pytest.param(tensors_jax, id="jax"),
    ],
)


@pytest.mark.parametrize("seed", [(0, 0), (3, 7), (2**31 - 1, 123_456)])
@pytest.mark.parametrize("shape", [(1,), (7, 11), (20, 192)])
def test_both_backends_drop_the_same_units(seed: tuple[int, int], shape: tuple[int, ...]) -> None:
    """Bit for bit TensorFlow's own `stateless_uniform`."""
    drawn = [
        np.asarray(framework.uniform(shape, framework.xp.constant(np.array(seed, np.int32))))
        for framework in (tensors, tensors_jax)
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert ((drawn[0] >= 0) & (drawn[0] < 1)).all()


@BOTH
@pytest.mark.parametrize("spec", [COMPACT, DROPOUT], ids=["compact", "tutorial"])
def test_every_form_of_the_second_convolution_is_the_same_function(
    framework: Framework, spec: StudySpec
) -> None:
    """Logits and gradients of two lanes; only what rounds differs."""
    framework.prepare("float32")
    network = network_of(spec.trials()[0])
    random = np.random.default_rng(1)
    w = np.stack(
        [
            network.initial_weights(seed)
            + random.normal(0, 0.01, network.weights).astype(np.float32)
            for seed in (0, 1)
        ]
    )
    x, found = images().x_train[:20], []
    for form in FORMS:
        logits = forward(framework, network, 2, 20, form)

        def value(weights: Any, logits: Any = logits) -> tuple[Any, Any]:
            pieces = split(framework.xp, network, weights[0])
            z, _ = logits(pieces, framework.xp.constant(x), None)
            return framework.xp.reduce_sum(z * z), z

        program = framework.compiled(
            partial(framework.value_and_gradient, value), (framework.shaped(*w.shape),)
        )
        _, z, (gradient,) = program((framework.xp.constant(w),))
        found.append((np.asarray(z), np.asarray(gradient)))
    for z, gradient in found[1:]:
        assert z == pytest.approx(found[0][0], abs=1e-5)
        assert gradient == pytest.approx(found[0][1], abs=1e-5 * float(np.abs(gradient).max()))


@BOTH
def test_a_tuned_engine_takes_the_form_that_is_clearly_faster(
    framework: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for trials alone and once for arrays; a form that cannot be computed is none; within a
    tenth the framework's own convolution stays.
    """
    (trial,) = COMPACT.trials()[:1]
    engine = LanesEngine(images(), framework, tune=True)
    asked: list[str] = []
    seconds = {"folded": 1.0, "patches": 0.8, "grouped": np.inf}

    def timed(
        trials: Sequence[Trial], images: DeviceImages, form: str, clock: Callable[[], float]
    ) -> float:
        asked.append(form)
        return seconds[form]

    monkeypatch.setattr("study.engines.lanes_engine._seconds", timed)
    assert engine.learner([trial] * 3).form == "patches"
    assert engine.learner([trial] * 8).form == "patches"
    assert sorted(asked) == sorted(FORMS)
    seconds["patches"] = 0.95
    assert engine.learner([trial]).form == "folded"
    usual = usual_form(framework, network_of(trial))
    assert LanesEngine(images(), framework).learner([trial] * 4).form == usual


def test_patches_that_are_too_many_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger array of the same networks falls back to the framework's own convolution."""
    (trial,) = COMPACT.trials()[:1]
    engine = LanesEngine(images(), tensors, tune=True)
    monkeypatch.setattr(
        "study.engines.lanes_engine._seconds", lambda *a: 1.0 if a[2] == "patches" else 2.0
    )
    assert engine.form([trial] * 4) == "patches"
    monkeypatch.setattr("study.engines.lanes_engine.MAX_ELEMENTS", 2_000_000)
    assert engine.form([trial] * 4) == "patches"
    assert engine.form([trial] * 8) == "folded"


def test_the_forms_are_timed_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock that is given; an error of a form is no error of the engine."""
    (trial,) = COMPACT.trials()[:1]
    ticks = iter(range(1000))
    engine = LanesEngine(images(), tensors, tune=True)
    engine.form([trial], clock=lambda: float(next(ticks)))
    assert engine.forms == {("folded", False, 50): "folded"}, "equal times leave the usual form"
    assert next(ticks) == 2 * 3 * 3
    monkeypatch.setattr("study.engines.convolutions.patched", lambda *arguments: 1 / 0)
    monkeypatch.setattr("study.engines.lanes_engine.FORMS", ("patches", "folded"))
    (other,) = COMPACT.with_(batch=40).trials()[:1]
    assert engine.form([other]) == "folded"


def test_a_loop_of_known_length_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's program holds a loop for whole calls and one for all others; 110 steps need both."""
    (trial,) = COMPACT.with_(batch=30).trials()[:1]
    rates = np.full((110, 1), 0.01)
    here = DeviceImages.of(images(), tensors_jax)
    one, other = Lanes([trial], here), Lanes([trial], here)
    losses, correct = one.advance(rates)
    training_program.cache_clear()
    monkeypatch.setattr("study.engines.jax._on_gpu", lambda: True)
    again, right = other.advance(rates)
    training_program.cache_clear()
    assert again == pytest.approx(losses, abs=1e-5)
    assert right == pytest.approx(correct, abs=0.04)
    assert Lanes([trial] * 20, here).lanes == 48, "a GPU has fewer sizes"


@pytest.mark.parametrize("name", ENGINES)
def test_a_setup_makes_the_engine(name: str) -> None:
    """On this machine's device, its images there."""
    setup = EngineChoice(name)
    learner = setup(images()).learner(COMPACT.trials()[:1])
    assert isinstance(learner, Lanes)
    assert name == learner.images.framework.NAME
    assert learner.evaluate().shape == (1,)
    assert setup.site().software.split()[0] == name


def test_a_setup_refuses_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, each with what would be right."""
    with pytest.raises(StudyError, match="unknown engine 'theano': one of tensorflow, jax, torch"):
        EngineChoice("theano")
    with pytest.raises(StudyError, match="engine torch trains models of your own alone"):
        EngineChoice("torch")(images())
    with pytest.raises(StudyError, match="unknown precision 'half'"):
        EngineChoice(precision="half")
    monkeypatch.setitem(ENGINES, "jax", "jax.nowhere")
    with pytest.raises(StudyError, match="engine jax is not installed"):
        EngineChoice("jax")(images())


BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "torch", "optuna", "dask", "ray"}:
            raise ModuleNotFoundError("not installed", name=name)

sys.meta_path.insert(0, Missing())
from study.cli.main import main
sys.argv = ["study", *sys.argv[1:]]
main()
"""


def test_a_study_runs_where_there_is_no_tensorflow(tmp_path: Path) -> None:
    """From the spec to the figures; the engine is recorded, another is kept out of the folder, and
    TensorFlow is missed in a sentence.
    """
    grid = [
        "--optimizers",
        "sgd",
        "--rates",
        "0.1",
        "--max-steps",
        "50",
        "--cap",
        "none",
        "--batch",
        "20",
    ]

    def study(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BLOCKED, *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = study(
        "run",
        "smoke",
        *grid,
        "--engine",
        "jax",
        "--precision",
        "float32",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "jax"),
    )
    assert done.returncode == 0, done.stderr
    runs = Store(tmp_path / "jax").runs()
    assert [
        (run.engine, run.precision, "jax" in run.versions, "tensorflow" in run.versions)
        for run in runs
    ] == [("jax", "float32", True, False)]
    assert (tmp_path / "jax" / "figures" / "valley.png").exists()
    other = study("run", "smoke", *grid, "--out", str(tmp_path / "jax"))
    assert other.returncode == 2
    assert "holds trials of jax in float32, and this would be tensorflow in float32" in other.stderr
    missing = study("run", "smoke", *grid, "--out", str(tmp_path / "tensorflow"))
    assert missing.returncode == 2
    assert "the engine tensorflow is not installed" in missing.stderr

"""What lanes in registers do beyond what every Learner owes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from study.engines import tensorflow
from study.engines.choice import EngineChoice, engine_choice
from study.engines.lanes import DeviceImages, Lanes
from study.engines.native import engine
from study.engines.native.engine import Engines, for_arrays
from study.engines.native.lanes import NativeLanes, groups, in_registers, sizes
from study.engines.native.registers import registers
from study.errors import StudyError
from study.spec.trial import OPTIMIZERS
from support.engines.images import images
from support.engines.lanes import COMPACT, DROPOUT, RATES

pytestmark = pytest.mark.slow

TRIALS = [
    replace(trial, learning_rate=RATES["compact"][trial.optimizer]) for trial in COMPACT.trials()
]
ROW = [trial.learning_rate for trial in TRIALS]


def test_any_number_of_lanes_fills_registers() -> None:
    """What is left of the last one repeats the first lane, and nobody sees it."""
    size = registers().lanes
    assert in_registers([5]) == [5] * size
    assert in_registers(range(size + 1))[: size + 2] == [*range(size + 1), 0]
    lanes = NativeLanes(TRIALS[:3], images())
    assert lanes.lanes in sizes()
    losses, correct = lanes.advance(np.full((2, lanes.lanes), 0.01))
    assert losses.shape == correct.shape == (2, lanes.lanes)
    assert lanes.evaluate().shape == (lanes.lanes,)
    assert lanes.state.slots.shape[2] % size == 0


@pytest.mark.parametrize("times", [4, registers().lanes // 3])
def test_lanes_of_one_array_are_those_of_another_size_bit_for_bit(times: int) -> None:
    """Whatever trains beside it, in its register, in another, or in half of one."""
    few, many = NativeLanes(TRIALS, images()), NativeLanes(TRIALS * times, images())
    row = ROW * times
    alone, _ = few.advance(np.tile(ROW + ROW[:1] * (few.lanes - 6), (15, 1)))
    beside, _ = many.advance(np.tile(row + row[:1] * (many.lanes - len(row)), (15, 1)))
    of_few, of_many = few.evaluate()[:6], many.evaluate()
    for place in (slice(0, 6), slice(len(row) - 6, len(row))):
        assert np.array_equal(alone[:, :6], beside[:, place])
        assert np.array_equal(of_few, of_many[place])


def test_lanes_that_are_left_fill_half_a_register_of_avx512() -> None:
    """Of 16 places, where the half is enough; a register of 8 has no halves worth it."""
    whole, least = registers().lanes, registers().least
    assert least == {16: 8}.get(whole, whole)
    ends = {1: least, least: least, least + 1: max(whole, 2 * least), whole + least: whole + least}
    assert {lanes: groups(lanes)[-1].stop for lanes in ends} == ends
    assert [group.start for group in groups(3 * whole)] == [0, whole, 2 * whole]


@pytest.mark.parametrize(
    "hyper", ["clipvalue=0.01", "keras,clipnorm=0.5", "global_clipnorm=1,weight_decay=0.01"]
)
def test_options_of_rules_are_those_of_tensorflow(hyper: str) -> None:
    """Bounds of the gradient and decay of the weights; each lane has its rule's own."""
    array = [replace(trial, hyper=hyper) for trial in TRIALS]
    tensorflow.prepare("float32")
    other = Lanes(array, DeviceImages.of(images(), tensorflow))
    mine = NativeLanes(array, images())
    rates = np.tile(ROW + ROW[:1] * 2, (20, 1))
    assert mine.lanes == other.lanes == 8
    expected, _ = other.advance(rates)
    assert mine.advance(rates)[0] == pytest.approx(expected, abs=1e-3)


def test_a_lane_whose_relus_are_dead_is_proved_stuck_and_no_other() -> None:
    """As TensorFlow's lanes are, for the same rules."""
    array = [replace(trial, batch=10) for trial in TRIALS * 2]
    mine = NativeLanes(array, images())
    tensorflow.prepare("float32")
    other = Lanes(array, DeviceImages.of(images(), tensorflow))
    rates = np.array([0.0 if lane % 3 else 1e4 for lane in range(mine.lanes)])
    for learner in (mine, other):
        learner.advance(np.tile(rates[: learner.lanes], (3, 1)))
        learner.advance(np.zeros((400, learner.lanes)))
    found, expected = (learner.stuck(range(12)) for learner in (mine, other))
    assert found.tolist() == expected.tolist()
    assert found.any()
    assert not found.all()


def test_the_native_engine_stands_beside_the_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays are its own; what is timed alone is the framework's."""
    made = engine_choice("native")(images())
    assert isinstance(made, Engines)
    assert isinstance(made.learner(TRIALS[:1]), Lanes)
    assert isinstance(for_arrays(made, "native").learner(TRIALS), NativeLanes)
    assert for_arrays(made, "") is made
    with pytest.raises(StudyError, match="the engine native is not installed for this worker"):
        for_arrays(made.framework, "native")
    assert engine_choice("auto") == EngineChoice(arrays="auto")
    assert engine_choice("jax") == EngineChoice("jax")
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert not isinstance(engine_choice("auto")(images()), Engines)
    with pytest.raises(StudyError, match="engine native is not installed: pip install halide"):
        engine_choice("native")


def test_what_it_does_not_train_is_refused() -> None:
    """Dropout, and a batch larger than the training set."""
    with pytest.raises(StudyError, match="native trains no dropout: the network tutorial takes"):
        NativeLanes(DROPOUT.trials(), images())
    with pytest.raises(StudyError, match="batch 6001 is more than the 6000 training images"):
        NativeLanes([replace(TRIALS[0], batch=6001)], images())
    assert len(OPTIMIZERS) == len(TRIALS)

"""A rate that follows a trial's own checks."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.spec.schedules.parse import parse
from study.spec.schedules.plateau import Pace
from study.training.loop import train_lanes
from support.parabola import Parabola
from support.schedules import factors


def paces(text: str, values: list[float]) -> list[float]:
    """The factor after each check that shows this loss, or this accuracy."""
    pace = Pace(parse(text).plateaus)
    return [pace.see(loss=value, accuracy=value) for value in values]


TORCH = {
    "plateau:threshold=0.01,gain=absolute,patience=5,cooldown=5": (
        [10 - i * 0.0167 for i in range(20)],
        [0.5] * 20,
    ),
    "plateau:threshold=0.1,gain=absolute,patience=5": (
        [10 - i * 0.0165 for i in range(22)],
        [0.5] * 6 + [0.05] * 7 + [0.005] * 7 + [0.0005] * 2,
    ),
    "plateau:watch=accuracy,gain=absolute,patience=5,cooldown=5": (
        [-0.8] * 2 + [-0.234] * 20,
        [0.5] * 8 + [0.05] * 11 + [0.005] * 3,
    ),
    "plateau:watch=accuracy,threshold=0.1,patience=3": (
        [1.5 * 1.025**i for i in range(20)],
        [0.5] * 20,
    ),
    "plateau:watch=accuracy,threshold=0.1,patience=5,cooldown=5": (
        [1.5 * 1.005**i for i in range(20)],
        [0.5] * 6 + [0.05] * 11 + [0.005] * 3,
    ),
    "plateau:threshold=0.1": ([1.5 * 0.85**i for i in range(20)], [0.5] * 20),
    "plateau:threshold=0.1,patience=5,cooldown=5": (
        [1.0] * 7 + [0.6] + [0.5] * 12,
        [0.5] * 6 + [0.05] * 11 + [0.005] * 3,
    ),
    "plateau:watch=accuracy,threshold=0.1,patience=5,cooldown=5,low=0.8": (
        [1.5 * 1.005**i for i in range(20)],
        [0.5] * 6 + [0.4] * 14,
    ),
    "plateau:watch=accuracy,threshold=0.1,patience=5,cooldown=5,low=0.6": (
        [1.5 * 1.005**i for i in range(20)],
        [0.5] * 6 + [0.3] * 14,
    ),
}
"""PyTorch's test/optim/test_lrscheduler.py of ReduceLROnPlateau: values, and rates after them."""


@pytest.mark.parametrize("text", list(TORCH))
def test_a_plateau_is_that_of_pytorch(text: str) -> None:
    """The rate after each check, of 0.5 at the start."""
    values, wanted = TORCH[text]
    assert 0.5 * np.array(paces(text, values)) == pytest.approx(wanted)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@given(
    st.lists(st.integers(0, 8).map(float), min_size=1, max_size=40),
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.5, 1.5]),
    st.sampled_from(["min", "max"]),
)
def test_a_plateau_is_that_of_keras(
    values: list[float], patience: int, cooldown: int, delta: float, mode: str
) -> None:
    """Whose patience counts the check that lowers the rate, and whose cooldown that fall, too."""
    import keras

    rate = keras.Variable(1.0)
    peer = keras.callbacks.ReduceLROnPlateau(
        monitor="it",
        factor=0.5,
        patience=patience + 1,
        mode=mode,
        min_delta=delta,
        cooldown=cooldown + 1 if cooldown else 0,
        min_lr=0.1,
    )
    peer.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=rate)))
    peer.on_train_begin()
    watch = "loss" if mode == "min" else "accuracy"
    found = paces(
        f"plateau:by=0.5,patience={patience},cooldown={cooldown},threshold={delta},gain=absolute,"
        f"low=0.1,watch={watch}",
        values,
    )
    for epoch, value in enumerate(values):
        peer.on_epoch_end(epoch, {"it": value})
        assert found[epoch] == pytest.approx(float(peer.model.optimizer.learning_rate), rel=1e-5)


@given(st.lists(st.floats(0, 10), max_size=60), st.sampled_from(["loss", "accuracy"]))
def test_the_factor_never_rises(values: list[float], watch: str) -> None:
    """So a proof that a lane is stuck holds beside it; and it never falls below its floor."""
    found = paces(f"plateau:patience=1,low=0.05,watch={watch}", values)
    assert (np.diff([1.0, *found]) <= 0).all()
    assert all(factor >= 0.05 for factor in found)
    assert not parse("plateau").rises


def test_two_plateaus_multiply() -> None:
    """One that watches the loss, one that watches the accuracy."""
    pace = Pace(
        parse("plateau:by=0.5,patience=0 * plateau:by=0.1,patience=0,watch=accuracy").plateaus
    )
    assert [pace.see(loss=loss, accuracy=0.5) for loss in (3, 2, 2)] == pytest.approx(
        [1, 0.1, 0.005]
    )
    assert Pace(parse("cosine:steps=5").plateaus).see(loss=1.0, accuracy=0.0) == 1


# Training

TEXTS = [
    "plateau:by=0.5,patience=1,threshold=0.3,watch=loss",
    "cosine:steps=150,alpha=0.2 * plateau:by=0.25,patience=0,threshold=0.2,watch=accuracy",
    "(constant then exponential:rate=0.5,steps=50 at 30) * plateau:by=0.1,patience=2,cooldown=1,"
    "threshold=0.9",
]


@pytest.mark.parametrize("text", TEXTS)
def test_each_lane_follows_its_own_checks(text: str) -> None:
    """On parabolas: rates between two checks are the schedule's times what its checks so far say;
    lanes beside it change nothing.
    """
    lanes, curvatures, every = [0.001, 0.05, 0.3], [1.0, 1.0, 0.5], 10
    lowest = 1.0
    ends = train_lanes(
        Parabola(curvatures),
        lanes,
        target=math.inf,
        check_every=every,
        max_steps=200,
        schedule=parse(text),
    )
    for finish in ends:
        rate, c, w = lanes[finish.lane], curvatures[finish.lane], 1.0
        pace, shape = Pace(parse(text).plateaus), factors(text, 200).astype(float)
        factor, seen = 1.0, []
        for check in range(20):
            losses, right = [], []
            for step in range(check * every, (check + 1) * every):
                losses.append(c * w * w / 2)
                right.append(max(0.0, 1 - abs(w)))
                w *= 1 - c * rate * factor * shape[step]
            factor = pace.see(loss=float(np.mean(losses)), accuracy=round(float(np.mean(right)), 6))
            seen.append(float(np.mean(losses)))
        assert finish.losses == pytest.approx(seen)
        lowest = min(lowest, factor)
    assert lowest < 1


def test_lanes_that_leave_do_not_take_anothers_pace() -> None:
    """An array that shrinks goes on with each lane's own."""
    text, rates = "plateau:by=0.3,patience=0,threshold=0.5", [0.3, 0.05, 0.001]

    def ends(chosen: list[float]) -> dict[float, tuple[float, ...]]:
        found = train_lanes(
            Parabola([1.0] * len(chosen)),
            chosen,
            target=0.9,
            check_every=5,
            max_steps=300,
            schedule=parse(text),
        )
        return {chosen[finish.lane]: finish.losses for finish in found}

    together = ends(rates)
    for rate in rates:
        assert ends([rate])[rate] == pytest.approx(together[rate])
    assert len({len(losses) for losses in together.values()}) > 1

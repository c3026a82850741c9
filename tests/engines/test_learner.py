"""What every search shares: chunks of steps, and which lanes are still finite."""

from __future__ import annotations

import numpy as np

from study.engines.learner import CHUNK, advance_finite, constant_rates
from support.parabola import Parabola


def test_steps_are_taken_in_chunks_and_a_lane_that_was_lost_stays_lost() -> None:
    """The chunks are the whole, in order; rates are padded; at rate 1e5 a parabola overflows."""
    rates, steps = constant_rates([0.5, 1e5], 2 * CHUNK + 7, 4), 2 * CHUNK + 7
    assert rates.shape == (steps, 4)
    assert rates[-1].tolist() == [0.5, 1e5, 0.5, 0.5]
    whole, _ = Parabola([1.0] * 4).advance(rates)
    chunks = list(advance_finite(Parabola([1.0] * 4), rates))
    assert [len(losses) for losses, _, _ in chunks] == [CHUNK, CHUNK, 7]
    np.testing.assert_array_equal(np.concatenate([losses for losses, _, _ in chunks]), whole)
    assert chunks[-1][2].tolist() == [True, False, True, True]

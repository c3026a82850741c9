"""Which images a step takes."""

from __future__ import annotations

import numpy as np

from study.engines.batches import batch_order


def test_an_epoch_shows_every_image_once_in_a_seeded_order() -> None:
    """Whole batches alone; a new shuffle every epoch and seed, the same on every call, wherever it
    is cut.
    """
    order = batch_order(0, 0, 24, 500, 6100)
    first, second = order[:12].ravel(), order[12:].ravel()
    assert len(set(first)) == len(set(second)) == 6000
    assert set(first) | set(second) <= set(range(6100))
    assert not np.array_equal(first, second)
    assert np.array_equal(batch_order(0, 5, 10, 500, 6100), order[5:15])
    assert not np.array_equal(batch_order(1, 0, 24, 500, 6100), order)


def test_batches_do_not_depend_on_the_engine() -> None:
    """They are drawn on the host."""
    assert np.array_equal(batch_order(0, 5, 3, 50, 6000), batch_order(0, 0, 8, 50, 6000)[5:])

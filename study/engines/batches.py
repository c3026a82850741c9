"""The order of the images: batches from the seed alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def batch_order(seed: int, start: int, count: int, batch: int, images: int) -> NDArray[np.int32]:
    """Which images the batches of consecutive steps hold, from the seed alone.

    Every epoch is a new shuffle. The images after its last whole batch are skipped.

    Args:
        seed: of the trial.
        start: the first step, from 0.
        count: number of steps.
        batch: images a batch.
        images: images of the training set.

    Returns:
        Indices of images, (count, batch).
    """
    per_epoch = images // batch
    rows = []
    for step in range(start, start + count):
        epoch, place = divmod(step, per_epoch)
        rows.append(_shuffle(seed, epoch, images)[place * batch : (place + 1) * batch])
    return np.stack(rows)


@lru_cache(maxsize=4)
def _shuffle(seed: int, epoch: int, images: int) -> NDArray[np.int32]:
    return np.random.default_rng([seed, 1, epoch]).permutation(images).astype(np.int32)

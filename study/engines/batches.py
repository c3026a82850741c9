"""The order of the images: batches from the seed alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def batch_order(seed: int, start: int, count: int, batch: int, images: int) -> NDArray[np.int32]:
    """Indices (count, batch) of the images of steps start..start+count-1: a new shuffle every
    epoch, from the seed alone.

    What is left of an epoch after its last whole batch is skipped, as a `drop_remainder` pipeline
    does.
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

"""The loss on validation data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch

from study.errors import StudyError
from study.search.torch.batches import INSTEAD, epochs
from study.search.torch.modes import evaluated
from study.search.torch.parts import samples
from study.search.torch.restore import everything_restored
from study.search.torch.step import Logs, Step


def evaluation(step: Step, data: Any, batch_size: int) -> Callable[[], Logs]:
    """A function that measures loss and metrics on validation data.

    They are means over the samples, without dropout and with the statistics of training.

    Args:
        step: computes them.
        data: what `find_rate` takes as data, but no generator.
        batch_size: samples a batch, where it is arrays or a data set.

    Raises:
        StudyError: the data can be read only once; from the function, where it holds no batch.
    """
    if isinstance(data, Iterator):
        raise StudyError(
            f"validation_data is a {type(data).__name__}, which can be read only once: {INSTEAD}"
        )
    epoch, _ = epochs(data, None, batch_size, None)

    def measure() -> Logs:
        total: defaultdict[str, float] = defaultdict(float)
        count = 0
        # The order and the dropout of the training go on as if nothing had been measured.
        with everything_restored((), (data,)), evaluated(step.module), torch.no_grad():
            for batch in map(step.batch, epoch()):
                size = samples(batch)
                count += size
                for name, value in step(batch)[1].items():
                    total[name] += size * value
        if not count:
            raise StudyError("validation_data holds no batch: give some data")
        return {name: value / count for name, value in total.items()}

    return measure

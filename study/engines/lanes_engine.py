"""Makes learners of lanes, and times the forms of their convolution where that is asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from study.data.images import Images
from study.engines.convolutions import FORMS, MAX_ELEMENTS, folded_or_grouped, usual_form
from study.engines.framework import Backend
from study.engines.lanes import DeviceImages, Lanes
from study.engines.learner import array_size
from study.errors import StudyError
from study.spec.networks import KERNEL, SIDE, Network, network_of
from study.spec.trial import Trial

CLEARLY = 0.9


TUNING_ROUNDS, TUNING_STEPS = 3, 10


class LanesEngine:
    """Makes learners for the driver; the data set is put on the backend's device once.

    Args:
        images: the data set.
        backend: the framework.
        tune: time the forms of the second convolution, once for each network and array size, and
            take the fastest; else the processors'.
    """

    def __init__(self, images: Images, backend: Backend, tune: bool = False) -> None:
        self.images, self.tune = DeviceImages.of(images, backend), tune
        self.forms: dict[tuple[Network, int, int], str] = {}

    def learner(self, trials: Sequence[Trial]) -> Lanes:
        """A fresh learner with a lane for each trial."""
        return Lanes(trials, self.images, self.form(trials))

    def form(self, trials: Sequence[Trial], clock: Callable[[], float] = time.perf_counter) -> str:
        """The form of the second convolution for these trials; the usual one unless another takes
        less than `CLEARLY` of its time.
        """
        network = network_of(trials[0])
        key, usual = (
            (network, array_size(len(trials)), trials[0].batch),
            usual_form(self.images.backend, network),
        )
        if self.tune and network.filters and key not in self.forms:
            patches = key[1] * trials[0].batch * (SIDE // 2 * KERNEL) ** 2 * network.filters[0]
            forms = [form for form in FORMS if form != "patches" or patches < MAX_ELEMENTS]
            seconds = {form: _seconds(trials, self.images, form, clock) for form in forms}
            usual = usual if usual in seconds else folded_or_grouped(network)
            best = min(seconds, key=lambda form: seconds[form])
            self.forms[key] = best if seconds[best] < CLEARLY * seconds[usual] else usual
        return self.forms.get(key, usual)


def _seconds(
    trials: Sequence[Trial], images: DeviceImages, form: str, clock: Callable[[], float]
) -> float:
    """Seconds of a step in that form, the least of a few rounds; infinite where it cannot be
    computed, for want of memory perhaps.
    """
    try:
        learner = Lanes(trials, images, form)
        learner.prepare()
        seconds = []
        for _ in range(TUNING_ROUNDS):
            begun = clock()
            learner.advance(np.zeros((TUNING_STEPS, learner.lanes)))
            seconds.append((clock() - begun) / TUNING_STEPS)
        return min(seconds)
    except StudyError:
        raise
    except Exception:
        return math.inf

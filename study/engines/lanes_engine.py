"""Makes learners of lanes, and chooses the form of their second convolution by timing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from study.data.images import Images
from study.engines.convolutions import FORMS, MAX_ELEMENTS, folded_or_grouped, usual_form
from study.engines.framework import Framework
from study.engines.lanes import DeviceImages, Lanes
from study.engines.learner import array_size
from study.errors import StudyError
from study.spec.networks import KERNEL, SIDE, network_of
from study.spec.trial import Trial

CLEARLY = 0.9
"""A form replaces the usual one if it takes less than this share of its time."""


TUNING_ROUNDS, TUNING_STEPS = 3, 10
"""Rounds in which a form is timed, and the steps of a round."""


class LanesEngine:
    """Makes learners of lanes; the data set is put on the device once.

    Args:
        images: the data set.
        framework: computes.
        tune: time the forms of the second convolution and take the fastest: once for trials alone
            and once for arrays, of narrow and of wide networks. Without it the form is the one that
            is usual on processors.
    """

    def __init__(self, images: Images, framework: Framework, tune: bool = False) -> None:
        self.images, self.tune = DeviceImages.of(images, framework), tune
        self.forms: dict[tuple[str, bool, int], str] = {}

    def learner(self, trials: Sequence[Trial]) -> Lanes:
        """A fresh learner with a lane for each trial."""
        return Lanes(trials, self.images, self.form(trials))

    def form(self, trials: Sequence[Trial], clock: Callable[[], float] = time.perf_counter) -> str:
        """The form of the second convolution for these trials.

        It is the framework's own convolution, unless another takes less than `CLEARLY` of its time.

        Args:
            trials: those of one array.
            clock: a monotonic clock, in seconds.
        """
        network, batch = network_of(trials[0]), trials[0].batch
        if not self.tune or not network.filters:
            return usual_form(self.images.framework, network)
        usual = folded_or_grouped(network)
        lanes = array_size(len(trials), self.images.framework.array_sizes())
        patches = lanes * batch * (SIDE // 2 * KERNEL) ** 2 * network.filters[0]
        possible = [form for form in FORMS if form != "patches" or patches < MAX_ELEMENTS]
        key = (usual, lanes > 1, batch)
        if key not in self.forms:
            seconds = {form: _seconds(trials, self.images, form, clock) for form in possible}
            best = min(seconds, key=lambda form: seconds[form])
            self.forms[key] = best if seconds[best] < CLEARLY * seconds[usual] else usual
        form = self.forms[key]
        return form if form in possible else usual


def _seconds(
    trials: Sequence[Trial], images: DeviceImages, form: str, clock: Callable[[], float]
) -> float:
    """Seconds of a step in a form: the smallest of a few rounds.

    It is infinite where the form cannot be computed, for lack of memory perhaps.
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

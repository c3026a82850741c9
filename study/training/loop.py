"""Lanes to the target or to the cap: the loop that turns a Learner into finished trials. Control
alone, no tensors, no files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from study.engines.learner import Learner, array_size, padded
from study.spec.pruning import hopeless
from study.spec.schedules.base import Schedule
from study.spec.schedules.parse import CONSTANT
from study.spec.schedules.parse import rates as scheduled
from study.storage.records import Finish, Outcome
from study.training.budget import _last, last_check
from study.training.stopwatch import Stopwatch

CHANCE = 0.2
"""A lane whose accuracy is above this has learnt something; ten classes at random give 0.1, with
noise over 50 batches below 0.12.
"""


PATIENCE = 10
"""Checks at chance before a lane is first examined for being stuck; later examinations follow at
twice the step each.
"""


@dataclass(frozen=True)
class Progress:
    """A look at a race at a check: steps done, places of the lanes still training, and what the
    last interval took.
    """

    step: int
    alive: tuple[int, ...]
    array: int
    seconds: float


def race(
    learner: Learner,
    rates: Sequence[float],
    *,
    target: float,
    metric: str = "window",
    check_every: int = 50,
    cap: float | None = None,
    max_steps: int | None = None,
    prune: bool = False,
    schedule: Schedule = CONSTANT,
    step_seconds: Sequence[float] | None = None,
    stopwatch: Stopwatch | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[Finish]:
    """Train every lane on the schedule of its rate until it reaches the target, spends its budget,
    or cannot go on; yield each as it ends.

    A lane's seconds are steps x its `step_seconds`; without them they are read off the clock, which
    runs around `advance` alone. At each check, in this order: a loss that is not finite ends the
    lane as diverged; time beyond the cap as capped, uncredited; accuracy at the target as reached;
    the budget's last check as capped. Finished lanes leave the array.

    Args:
        learner: at least as many lanes as rates, fresh; lanes beyond the rates are padding.
        rates: a learning rate a lane.
        target: accuracy to reach; infinity trains to the budget.
        metric: `window`, `cumulative` or `validation`, see `StudySpec`.
        check_every: steps between checks.
        cap: seconds of training a lane may take.
        max_steps: steps a lane may take.
        prune: end a lane as pruned at the check at which it is hopeless, see `study.spec.pruning`.
        schedule: the factor on every lane's rate at each step.
        step_seconds: seconds of one step of each lane alone on the machine.
        stopwatch: its clock is the one read; compilation, training and evaluation are counted on it
            by name.
        watch: called after every check.
    """
    stopwatch = stopwatch or Stopwatch()
    limits = [
        last_check(check_every, cap, max_steps, step_seconds[lane] if step_seconds else None)
        for lane in range(len(rates))
    ]
    accuracies: list[list[float]] = [[] for _ in rates]
    losses: list[list[float]] = [[] for _ in rates]
    right = np.zeros(len(rates))
    elapsed, step, examine = 0.0, 0, PATIENCE * check_every

    def finish(lane: int, outcome: Outcome, steps: int) -> Finish:
        seconds = steps * step_seconds[lane] if step_seconds else elapsed * steps / max(step, 1)
        return Finish(lane, outcome, steps, seconds, tuple(accuracies[lane]), tuple(losses[lane]))

    places = list(
        range(len(rates))
    )  # places[i] is the lane of `rates` that trains in lane i of the array
    for lane in [lane for lane in places if limits[lane] <= 0]:
        places.remove(lane)
        yield finish(lane, Outcome.CAPPED, 0)
    keep = list(
        places
    )  # the array's lanes to go on with, one for each of `places`; empty when nobody left
    while places:
        if keep:
            learner.take(padded(keep, array_size(len(keep))))
            with stopwatch.part("compile"):
                learner.prepare()
        given = scheduled(
            schedule, padded([rates[lane] for lane in places], learner.lanes), step, check_every
        )
        with stopwatch.part("train"):
            begun = stopwatch.clock()
            loss, correct = learner.advance(given)
            took = stopwatch.clock() - begun
        elapsed += took
        step += check_every
        with stopwatch.part("evaluate"):
            validation = learner.evaluate() if metric == "validation" else None
        ended: list[int] = []
        for i, lane in enumerate(places):
            if not np.isfinite(loss[:, i]).all():
                ended.append(i)
                yield finish(
                    lane,
                    Outcome.DIVERGED,
                    step - check_every + 1 + int(np.argmin(np.isfinite(loss[:, i]))),
                )
                continue
            right[lane] += float(correct[:, i].sum())
            accuracy = (
                float(validation[i])
                if validation is not None
                else float(right[lane]) / step
                if metric == "cumulative"
                else float(correct[:, i].mean(dtype=np.float64))
            )
            accuracy = round(accuracy, 6)  # 97 of 100 is 0.97, whatever float32 made of it
            accuracies[lane].append(accuracy)
            losses[lane].append(float(loss[:, i].mean(dtype=np.float64)))
            if step_seconds is None and cap is not None and elapsed > cap:
                outcome = Outcome.CAPPED
            elif accuracy >= target:
                outcome = Outcome.REACHED
            elif step >= limits[lane]:
                outcome = Outcome.CAPPED
            elif prune and hopeless(
                accuracies[lane], _last(limits[lane], step, elapsed, cap) / check_every, target
            ):
                outcome = Outcome.PRUNED
            else:
                continue
            ended.append(i)
            yield finish(lane, outcome, step)
        # The proof is of the last rate, and holds at every smaller one. With the gradient at zero
        # no slot depends on the rate any more; plain SGD, Adagrad, Adadelta and RMSProp then move
        # nothing at any rate, Momentum and Adam by what is left in their slots, which only fades,
        # times the rate (Keras's Momentum, whose velocity holds the rates of its time, by what is
        # left alone). So a move too small to change a weight stays so, unless the rate rises again.
        if step == examine and 0.5 <= target <= 1 and not schedule.rises:
            examine *= 2
            still = [
                i
                for i in range(len(places))
                if i not in ended and max(accuracies[places[i]][-PATIENCE:]) < CHANCE
            ]
            with stopwatch.part("evaluate"):
                proofs = learner.stuck(still) if still else ()
            for i, proved in zip(still, proofs, strict=True):
                if proved:
                    ended.append(i)
                    yield finish(places[i], Outcome.STUCK, step)
        array = learner.lanes
        keep = [i for i in range(len(places)) if i not in ended] if ended else []
        places = [places[i] for i in keep] if ended else places
        watch(Progress(step, tuple(places), array, took))

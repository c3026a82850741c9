"""The loop that turns a Learner into finished trials: control alone, no tensors and no files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from study.engines.learner import Floats, Learner, array_size, padded
from study.spec.budget import last_check, last_step
from study.spec.goals import held_out, is_share, sign
from study.spec.pruning import hopeless, plateau
from study.spec.schedules.base import Schedule
from study.spec.schedules.parse import CONSTANT, momenta
from study.spec.schedules.parse import rates as scheduled
from study.spec.schedules.plateau import Pace
from study.spec.trial import METRICS
from study.stopping import heed
from study.storage.checks import Finish
from study.storage.records import Outcome
from study.training.stopwatch import Stopwatch

CHANCE = 0.2
"""A lane whose accuracy is above this has learnt something. Ten classes at random give 0.1, with
noise over 50 batches below 0.12.
"""


CHECKS_AT_CHANCE = 10
"""Checks at chance before a lane is first examined for being stuck; each later examination follows
at twice the step of the last.
"""


@dataclass(frozen=True)
class Progress:
    """The state of a group after a check.

    Args:
        step: steps that every lane has taken.
        alive: indices of the lanes that still train.
        array: lanes of the array, padding included.
        seconds: what the steps since the last check took.
    """

    step: int
    alive: tuple[int, ...]
    array: int
    seconds: float


@dataclass(frozen=True)
class Goal:
    """What a lane trains for, and when it is looked at; see `train_lanes`."""

    target: float
    metric: str
    check_every: int
    cap: float | None
    prune: str = "none"
    goal: str = "at-least"

    @property
    def sign(self) -> int:
        """1 where the metric is to rise to the target, -1 where it is to fall to it."""
        return sign(self.goal)


class Books:
    """What each lane of a group has shown so far.

    Args:
        goal: the goal of every lane.
        limits: the last step of each lane's budget; infinity where nothing bounds it.
        step_seconds: seconds of one step of each lane, or None where the clock is read.
        schedule: whose plateaus follow what the lanes show.
    """

    def __init__(
        self,
        goal: Goal,
        limits: Sequence[float],
        step_seconds: Sequence[float] | None,
        schedule: Schedule = CONSTANT,
    ) -> None:
        self.goal, self.limits, self.step_seconds = goal, limits, step_seconds
        self.accuracies: list[list[float]] = [[] for _ in limits]
        self.losses: list[list[float]] = [[] for _ in limits]
        self.windows: list[list[float]] = [[] for _ in limits]
        self.paces = [Pace(schedule.plateaus) for _ in limits]
        self.right = np.zeros(len(limits))
        self.last = np.zeros(len(limits))
        self.elapsed, self.step = 0.0, 0

    def finish(self, lane: int, outcome: Outcome, steps: int) -> Finish:
        """The end of a lane after `steps` steps."""
        seconds = (
            steps * self.step_seconds[lane]
            if self.step_seconds
            else self.elapsed * steps / max(self.step, 1)
        )
        accuracies, losses = tuple(self.accuracies[lane]), tuple(self.losses[lane])
        windows = tuple(self.windows[lane])
        return Finish(lane, outcome, steps, seconds, accuracies, losses, windows=windows)

    def check(
        self, lane: int, losses: Floats, correct: Floats, validation: float | None
    ) -> Finish | None:
        """Enter what a lane did since the last check.

        Args:
            lane: its index.
            losses: of its steps, (T,).
            correct: the fractions of its batches that it classified right, (T,).
            validation: its accuracy on the validation set, where that is the metric.

        Returns:
            The lane's end, or None while it goes on.
        """
        finite = np.isfinite(losses)
        if not finite.all():
            first = self.step - len(losses) + 1 + int(np.argmin(finite))
            return self.finish(lane, Outcome.DIVERGED, first)
        self.right[lane] += float(correct.sum())
        self.last[lane] += float(correct[-1])
        window = float(correct.mean(dtype=np.float64))
        if validation is not None:
            accuracy = validation
        elif self.goal.metric == "cumulative":
            accuracy = float(self.right[lane]) / self.step
        elif self.goal.metric == "single":
            accuracy = float(self.last[lane]) / (len(self.accuracies[lane]) + 1)
        else:
            accuracy = window
        if not math.isfinite(accuracy):
            return self.finish(lane, Outcome.DIVERGED, self.step)
        # Rounded, since 97 of 100 is 0.97, whatever float32 made of it.
        share = is_share(self.goal.metric)
        self.accuracies[lane].append(round(accuracy, 6) if share else float(f"{accuracy:.6g}"))
        self.losses[lane].append(float(losses.mean(dtype=np.float64)))
        if self.goal.metric in METRICS and self.goal.metric != "window":
            self.windows[lane].append(round(window, 4))
        shown = self.goal.sign * self.accuracies[lane][-1]
        self.paces[lane].see(loss=self.losses[lane][-1], accuracy=shown)
        outcome = self.outcome(lane)
        return None if outcome is None else self.finish(lane, outcome, self.step)

    def outcome(self, lane: int) -> Outcome | None:
        """How a lane with finite losses ends at this check; None while it goes on.

        Time beyond the cap comes first: an accuracy that the clock did not leave time for is not
        credited.
        """
        goal, seen, limit = self.goal, self.accuracies[lane], self.limits[lane]
        if self.step_seconds is None and goal.cap is not None and self.elapsed > goal.cap:
            return Outcome.CAPPED
        if goal.sign * seen[-1] >= goal.sign * goal.target:
            return Outcome.REACHED
        if self.step >= limit:
            return Outcome.CAPPED
        if goal.prune == "plateau":
            return Outcome.PRUNED if plateau([goal.sign * value for value in seen]) else None
        if goal.prune == "hopeless":
            checks = last_step(limit, self.step, self.elapsed, goal.cap) / goal.check_every
            return Outcome.PRUNED if hopeless(seen, checks, goal.target) else None
        return None

    def at_chance(self, lane: int) -> bool:
        """Whether the last checks of a lane were no better than guessing one class of ten."""
        return max(self.accuracies[lane][-CHECKS_AT_CHANCE:]) < CHANCE


def train_lanes(
    learner: Learner,
    rates: Sequence[float],
    *,
    target: float,
    metric: str = "window",
    goal: str = "at-least",
    check_every: int = 50,
    cap: float | None = None,
    max_steps: int | None = None,
    prune: str = "none",
    schedule: Schedule = CONSTANT,
    step_seconds: Sequence[float] | None = None,
    stopwatch: Stopwatch | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[Finish]:
    """Train every lane until it reaches the target, spends its budget, or cannot go on.

    A lane's seconds are steps x its `step_seconds`. Without `step_seconds` they are read off the
    clock, which runs around `advance` alone. A check ends a lane, in this order:

    - diverged: a loss is not finite,
    - capped: the clock is beyond the cap,
    - reached: the metric is at the target,
    - capped: it is the last check of the budget,
    - pruned: `prune` finds that the lane is to be given up,
    - stuck: the learner proves that the lane can never learn again.

    Lanes that have ended leave the array.

    Args:
        learner: at least as many lanes as rates, fresh; lanes beyond the rates are padding.
        rates: a learning rate a lane.
        target: value of the metric to reach; infinity, by its sign, trains to the budget.
        metric: `window`, `cumulative`, `single`, `validation`, or one of the user's own model, see
            `StudySpec`.
        goal: `at-least` or `at-most`: whether the metric is to rise or to fall to the target.
        check_every: steps between checks.
        cap: seconds of training a lane may take.
        max_steps: steps a lane may take.
        prune: `hopeless` or `plateau` ends a lane as pruned at the check at which it is so, see
            `study.spec.pruning`; `none` never does.
        schedule: the factor on every lane's rate at each step. A plateau in it follows each lane's
            checks, and multiplies the rates that the lane is given until its next one.
        step_seconds: seconds of one step of each lane alone on the machine.
        stopwatch: its clock is the one read; compilation, training and evaluation are counted on it
            by name.
        watch: called after every check.

    Yields:
        The end of each lane, at the check at which it ends.
    """
    stopwatch = stopwatch or Stopwatch()
    limits = [
        last_check(check_every, cap, max_steps, step_seconds[lane] if step_seconds else None)
        for lane in range(len(rates))
    ]
    aim = Goal(target, metric, check_every, cap, prune, goal)
    books = Books(aim, limits, step_seconds, schedule)
    yield from (
        books.finish(lane, Outcome.CAPPED, 0) for lane, limit in enumerate(limits) if limit <= 0
    )
    # lanes[i] is the index into `rates` of what trains in lane i of the array.
    lanes = [lane for lane, limit in enumerate(limits) if limit > 0]
    kept: list[int] | None = lanes
    examine = CHECKS_AT_CHANCE * check_every
    while lanes:
        if kept is not None:
            learner.keep(padded(kept, array_size(len(kept), learner.sizes)))
            with stopwatch.part("compile"):
                learner.prepare()
        given = scheduled(
            schedule,
            padded([rates[lane] * books.paces[lane].factor for lane in lanes], learner.lanes),
            books.step,
            check_every,
        )
        cycled = momenta(schedule, learner.lanes, books.step, check_every)
        with stopwatch.part("train"):
            begun = stopwatch.clock()
            losses, correct = learner.advance(given, *([] if cycled is None else [cycled]))
            took = stopwatch.clock() - begun
        heed()
        books.elapsed += took
        books.step += check_every
        with stopwatch.part("evaluate"):
            seen = learner.evaluate() if held_out(metric) else None
        ended: set[int] = set()
        for i, lane in enumerate(lanes):
            validation = None if seen is None else float(seen[i])
            finish = books.check(lane, losses[:, i], correct[:, i], validation)
            if finish is not None:
                ended.add(i)
                yield finish
        provable = metric in METRICS and 0.5 <= target <= 1
        if books.step == examine and provable and not schedule.rises:
            examine *= 2
            places = [i for i, lane in enumerate(lanes) if i not in ended and books.at_chance(lane)]
            with stopwatch.part("evaluate"):
                proved = proved_stuck(learner, places)
            for i in proved:
                ended.add(i)
                yield books.finish(lanes[i], Outcome.STUCK, books.step)
        array = learner.lanes
        kept = [i for i in range(len(lanes)) if i not in ended] if ended else None
        lanes = lanes if kept is None else [lanes[i] for i in kept]
        watch(Progress(books.step, tuple(lanes), array, took))


def proved_stuck(learner: Learner, places: Sequence[int]) -> list[int]:
    """Which of these lanes of the array can provably never learn again.

    The proof is of the last rate, and holds at every smaller one. With the gradient at zero no slot
    depends on the rate any more. Plain SGD, Adagrad, Adadelta and RMSProp then move nothing at any
    rate. Momentum and Adam move by what is left in their slots times the rate, and the learner
    proves nothing where that may grow. The velocity of Keras's Momentum holds the rates of its
    time, and moves by what is left alone. So a move too small to change a weight stays so, unless
    the rate or the momentum rises again; a schedule that cycles the momentum rises, too.

    Args:
        learner: gives the proofs.
        places: indices of lanes of the array.
    """
    proofs = learner.stuck(places) if places else ()
    return [i for i, proved in zip(places, proofs, strict=True) if proved]

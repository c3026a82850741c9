"""The progress bar of a study."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from study.calibration import Calibration
from study.plan import Plan, lane_seconds_of, limit_of
from study.race import Progress
from study.record import Outcome, Run
from study.spec import StudySpec, Trial


class Bar:
    """The progress bar: trials done, what is happening, the longest that is left, and what has been found so far."""

    def __init__(self, spec: StudySpec, stored: Sequence[Run], todo: Plan, workers: int, enabled: bool) -> None:
        total = len(spec)
        self.workers = workers
        self.counts: Counter[str] = Counter()
        self.best: Run | None = None
        self.limits: dict[str, float] = {}
        self.spent_lane_steps, self.spent_seconds = 0.0, 0.0
        self.lane_seconds: float | None = None
        self.bar = tqdm(
            total=total,
            initial=total - len(todo.pending),
            disable=not enabled,
            bar_format="{n_fmt}/{total_fmt} trials {percentage:3.0f}%|{bar:20}| {elapsed}{postfix}",
            # Without a terminal every refresh is a line of a log.
            mininterval=0.5 if sys.stderr.isatty() else 15,
            maxinterval=30,
            dynamic_ncols=True,
        )
        for run in stored:
            self._count(run)

    def calibrating(self, done: int, total: int) -> None:
        """The step times are being measured."""
        self.note(f"measuring step times alone, {done}/{total}")

    def start(self, todo: Plan, times: Calibration) -> None:
        """Training begins: remember the budget of every pending trial."""
        self.limits = {trial.id: limit_of(trial, times) for trial in todo.pending}
        if todo.pending:
            self.lane_seconds = lane_seconds_of(todo.pending[0], times)
            self.note("compiling" if self.workers == 1 else f"{self.workers} workers training")

    def step(self, progress: Progress, trials: Sequence[Trial]) -> None:
        """An array has come to a check."""
        self.spent_lane_steps += trials[0].check_every * max(1, len(progress.alive))
        self.spent_seconds += progress.seconds
        self.lane_seconds = self.spent_seconds / self.spent_lane_steps
        here = {trials[lane].id for lane in progress.alive}
        left = sum(limit - progress.step * (id_ in here) for id_, limit in self.limits.items())
        self.note(f"{len(here)} lanes at step {progress.step:,}", left * self.lane_seconds)

    def curve(self, progress: Progress) -> None:
        """The validation curves are being trained."""
        self.note(f"validation curves, step {progress.step:,}")

    def ended(self, run: Run) -> None:
        """A trial has ended."""
        self.limits.pop(run.id, None)
        self._count(run)
        self.bar.update(1)

    def note(self, doing: str, left: float | None = None) -> None:
        """Say what is happening and how long it can still take."""
        parts = [doing] if doing else []
        if left is not None and left < math.inf:
            parts.append(f"at most {left // 60:.0f}:{left % 60:02.0f} left")
        if self.counts:
            parts.append(" ".join(f"{count} {name}" for name, count in sorted(self.counts.items())))
        if self.best is not None:
            trial = self.best.trial
            parts.append(f"fastest: {trial.optimizer} {trial.learning_rate:g} in {self.best.seconds:.2f} s")
        self.bar.set_postfix_str(", ".join(parts), refresh=False)
        self.bar.update(0)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()

    def _count(self, run: Run) -> None:
        self.counts[run.outcome.value] += 1
        if run.outcome is Outcome.REACHED and (self.best is None or run.seconds < self.best.seconds):
            self.best = run

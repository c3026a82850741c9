"""The progress bar of a study."""

from __future__ import annotations

import math
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tqdm import tqdm

from study.execution.planning.left import Left
from study.execution.planning.portions import Portion, told
from study.spec.goals import aim, seen, sign
from study.spec.own import names_itself
from study.spec.program import is_program
from study.spec.trial import Trial
from study.storage.records import Outcome, Run
from study.training.loop import Progress
from study.words import counted

TICK = 1.0
"""Seconds between two refreshes of the bar while others train, of whose checks nothing comes."""


class _Heard:
    """Standard error, whose reader may go away while trials train: they go on without being told.

    A terminal that is closed and a pipe whose reader has ended refuse what is written.
    """

    def write(self, text: str) -> None:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """See `write`."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


class Bar:
    """The progress bar: trials done, what is happening, how long it takes, and what was found."""

    def __init__(
        self,
        total: int,
        stored: Sequence[Run],
        portions: Sequence[Portion],
        enabled: bool,
        distant: bool = False,
        tick: float = TICK,
    ) -> None:
        self.distant = distant  # do others train, of whose checks nothing comes?
        self.training = "training"
        self.counts: Counter[str] = Counter()
        self.best: Run | None = None
        self.nearest: Run | None = None  # the trial that came nearest to the target
        self.time = Left(())
        self.bar = tqdm(
            total=total,
            initial=total - sum(len(portion.plan.pending) for portion in portions),
            disable=not enabled,
            file=_Heard(),
            bar_format="{n_fmt}/{total_fmt} trials {percentage:3.0f}%|{bar:20}| {elapsed}{postfix}",
            # Without a terminal every refresh is a line of a log.
            mininterval=0.5 if sys.stderr.isatty() else 15,
            miniters=0,  # or tqdm would wait for trials to end before it shows the steps
            dynamic_ncols=True,
        )
        for run in stored:
            self._count(run)
        self._over = threading.Event()
        if enabled and distant:
            threading.Thread(target=self._tick, args=(tick,), daemon=True).start()

    def _tick(self, seconds: float) -> None:
        """Show the time that passes while nothing is heard of those who train."""
        while not self._over.wait(seconds):
            self.bar.refresh()

    def calibrating(self, done: int, total: int) -> None:
        """The step times are being measured."""
        self.note(f"measuring step times alone, {done}/{total}")

    def start(self, portions: Sequence[Portion]) -> None:
        """Training begins, or begins again."""
        crews = [portion.crew for portion in portions]
        if self.distant:
            by = f" by {told(crews)}" if len(crews) > 1 else ""
            self.training = f"training{by}, told when an array ends"
        programs = any(
            is_program(trial.network) for portion in portions for trial in portion.plan.pending[:1]
        )
        self.time = Left(() if self.bar.disable else portions, self.time)
        if any(portion.plan.pending for portion in portions):
            start = "starting" if programs else "compiling"
            self.note(self.training if self.distant else start, self.time.seconds)

    def step(self, array: int, progress: Progress, trials: Sequence[Trial]) -> None:
        """An array of the study has come to a check."""
        self.time.step(array, progress, trials)
        looks = [look for _, look in self.time.arrays.values()]
        lanes = sum(len(look.alive) for look in looks)
        deepest = max((look.step for look in looks), default=progress.step)
        doing = counted(lanes, "lane") if lanes else self.training  # a program has no lanes
        self.note(f"{doing} at step {deepest:,}", self.time.seconds)

    def curve(self, progress: Progress) -> None:
        """The validation curves are being trained."""
        self.note(f"validation curves, step {progress.step:,}")

    def ended(self, run: Run) -> None:
        """A trial has ended."""
        self.time.ended(run.id)
        self._count(run)
        self.bar.update(1)
        if not self.time.arrays:
            self.note(self.training, self.time.seconds)

    def note(self, doing: str, left: float | None = None) -> None:
        """Say what is happening and how long it can still take."""
        parts = [doing] if doing else []
        if left is not None and left < math.inf:
            minutes, seconds = divmod(round(left), 60)
            parts.append(f"about {minutes}:{seconds:02} left")
        if self.counts:
            parts.append(" ".join(f"{count} {name}" for name, count in sorted(self.counts.items())))
        if self.best is not None:
            trial = self.best.trial
            parts.append(
                f"fastest: {trial.optimizer} {trial.learning_rate:g} in {self.best.seconds:.2f} s"
            )
        elif self.nearest is not None:
            trial, value = self.nearest.trial, self.nearest.best_accuracy or 0.0
            own = names_itself(trial.network)
            target = aim(trial.metric, trial.target, trial.goal, short=True, own=own)
            shown = seen(trial.metric, value, own=own)
            nearest = f"{trial.optimizer} {trial.learning_rate:g} with {shown}"
            parts.append(f"none reached {target} yet, nearest: {nearest}")
        self.bar.set_postfix_str(", ".join(parts), refresh=False)
        self.bar.update(0)

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        self.bar.write(sentence, file=_Heard())

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._over.set()
        self.bar.close()

    def _count(self, run: Run) -> None:
        self.counts[run.outcome.value] += 1
        if run.outcome is Outcome.REACHED and (
            self.best is None or (run.seconds or 0.0) < (self.best.seconds or 0.0)
        ):
            self.best = run
        if run.best_accuracy is not None and (
            self.nearest is None or _better(run.best_accuracy, self.nearest)
        ):
            self.nearest = run


def _better(value: float, run: Run) -> bool:
    """Whether a value of the metric is better than the best of a run."""
    side = sign(run.trial.goal)
    return side * value > side * (run.best_accuracy or 0.0)


class StepTimesBar:
    """The progress bar of a measurement of step times alone."""

    def __init__(self) -> None:
        self.bar = tqdm(
            total=1,
            bar_format="{desc} {percentage:3.0f}% {bar} {elapsed}",
            leave=False,
            file=_Heard(),
        )

    def note(self, doing: str) -> None:
        """Say what is happening."""
        self.bar.set_description_str(doing)

    def calibrating(self, done: int, total: int) -> None:
        """`done` of `total` timing rounds are over."""
        self.bar.total, self.bar.n = max(1, total), done
        self.bar.refresh()

    def close(self) -> None:
        """Remove the bar."""
        self.bar.close()

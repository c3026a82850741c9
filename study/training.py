"""One group of trials from an engine to runs: the only place where a Learner is raced and its end recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from study import device
from study.calibration import Engine
from study.errors import StudyError
from study.network import network_of
from study.race import Finish, Progress, race
from study.record import Outcome, Run
from study.schedules import parse
from study.spec import Trial
from study.stopwatch import Stopwatch

Emit = Callable[[Run, Finish | None], None]


@dataclass(frozen=True)
class Context:
    """What every run of one process records beside its trial."""

    study: str
    machine: str
    fingerprint: str
    versions: dict[str, str]
    jobs: int
    device: str | None = None

    def run(self, trial: Trial, outcome: Outcome, started: str, lanes: int, step_seconds: float | None, **values: Any) -> Run:
        """The record of a trial; in mode alone its step time is what the clock says of it."""
        net = network_of(trial)
        blank = {"steps": 0, "seconds": 0.0, "accuracy": None, "best_accuracy": None, "error": None}
        measured = step_seconds is None
        if measured and values.get("steps"):
            step_seconds = values["seconds"] / values["steps"]
        return Run(
            trial=trial,
            study=self.study,
            weights=net.weights,
            multiply_adds=net.multiply_adds,
            outcome=outcome,
            seconds_source="measured" if measured else "reconstructed",
            step_seconds=step_seconds,
            lanes=lanes,
            jobs=self.jobs,
            machine=self.machine,
            fingerprint=self.fingerprint,
            versions=self.versions,
            started_at=started,
            device=self.device,
            **{**blank, **values},
        )


def train(
    trials: Sequence[Trial],
    step_seconds: Sequence[float] | None,
    engine: Engine,
    context: Context,
    emit: Emit,
    stopwatch: Stopwatch,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Train one group and emit each trial's run as it ends.

    Where the clock is read, no other timed job is on the device. An error halves the group and goes on with each half, until a trial that
    fails by itself is recorded as failed with the error's text.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    left = set(range(len(trials)))
    first = trials[0]
    try:
        with nullcontext() if step_seconds else device.alone():
            with stopwatch.part("build"):
                learner = engine.learner(trials)
            for finish in race(
                learner,
                [trial.learning_rate for trial in trials],
                target=first.target,
                metric=first.metric,
                check_every=first.check_every,
                cap=first.cap,
                max_steps=first.max_steps,
                prune=first.prune == "hopeless",
                schedule=parse(first.schedule),
                step_seconds=step_seconds,
                stopwatch=stopwatch,
                watch=watch,
            ):
                seen = finish.accuracies
                own = step_seconds[finish.lane] if step_seconds else None
                run = context.run(
                    trials[finish.lane],
                    finish.outcome,
                    started,
                    len(trials),
                    own,
                    steps=finish.steps,
                    seconds=finish.seconds,
                    accuracy=seen[-1] if seen else None,
                    best_accuracy=max(seen) if seen else None,
                )
                with stopwatch.part("store"):
                    emit(run, finish)
                left.discard(finish.lane)
    except (StudyError, OSError):
        raise  # the user's input or the disk, not the trial
    except Exception as error:
        rest = sorted(left)
        if len(trials) == 1:
            text = f"{type(error).__name__}: {error}"[:2000]
            emit(context.run(first, Outcome.FAILED, started, 1, step_seconds[0] if step_seconds else None, error=text), None)
            return
        for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            if half:
                times = [step_seconds[i] for i in half] if step_seconds else None
                train([trials[i] for i in half], times, engine, context, emit, stopwatch, watch)

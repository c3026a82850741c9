"""One group of trials, from an engine to runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from study.engines.command.choice import Programs
from study.engines.learner import Engine
from study.engines.native.engine import for_arrays
from study.errors import StudyError
from study.machine import device
from study.machine.facts import Site
from study.machine.quiet import Meter
from study.spec.goals import best_of
from study.spec.networks import size_of
from study.spec.schedules.parse import parse
from study.spec.trial import Trial
from study.stopping import heed
from study.storage.checks import Finish
from study.storage.records import Outcome, Run
from study.storage.reference import Reference
from study.training.loop import Progress, train_lanes
from study.training.programs import HUNG, train_program
from study.training.stopwatch import Stopwatch
from study.training.watchdog import supervised

Emit = Callable[[Run, Finish | None], None]


@dataclass(frozen=True)
class Context:
    """What every run of one process records beside its trial.

    Args:
        study: the name of the study.
        site: where the trials train.
        jobs: processes that train at once.
        device: the device, where there are several.
        silence: seconds without a check after which a group counts as hung, see `train`.
        reference: whose step times the trials are given; rows name it where it is of another kind.
        arrays: what trains arrays, where it is not the site's engine.
        folder: of the study, in which programs have folders of their own.
    """

    study: str
    site: Site
    jobs: int
    device: str | None = None
    silence: float | None = None
    reference: Reference | None = None
    arrays: str = ""
    folder: Path | None = None

    def record(
        self,
        trial: Trial,
        outcome: Outcome,
        started: str,
        lanes: int,
        step_seconds: float | None,
        **values: Any,
    ) -> Run:
        """The run of a trial.

        Args:
            trial: the trial.
            outcome: how it ended.
            started: when its group began, as an ISO 8601 text.
            lanes: trials of the group.
            step_seconds: seconds of one of its steps alone; None in mode alone, where they follow
                from the clock.
            values: other fields of `Run`.
        """
        net = size_of(trial)
        blank = {"steps": 0, "seconds": 0.0, "accuracy": None, "best_accuracy": None, "error": None}
        measured = step_seconds is None
        steps = (values.get("steps") or 0) - (values.get("first_step") or 0)
        if measured and steps > 0:
            step_seconds = values["seconds"] / steps
        if self.reference and self.reference.kind != self.site.kind and not measured:
            values |= {
                "reference": self.reference.fingerprint,
                "reference_machine": self.reference.machine,
                "reference_software": self.reference.software,
            }
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
            machine=self.site.machine.name,
            fingerprint=self.site.machine.fingerprint,
            versions=self.site.versions,
            started_at=started,
            device=self.device,
            engine=self.site.engine,
            arrays=self.arrays or None,
            precision=self.site.precision,
            processor=self.site.machine.model or None,
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
    family: int | None = None,
) -> None:
    """Train one group, and emit the run of each trial as it ends.

    Where the clock is read, no other timed job is on the device. After an error each half of the
    group is trained by itself, and so on. A trial that fails alone is recorded as failed, with the
    text of the error. A hang in TensorFlow cannot be interrupted: after `context.silence` the other
    trials are emitted as failed, and the process ends.

    Args:
        trials: they differ in optimizer and learning rate alone.
        step_seconds: seconds of one step of each trial alone; None where the clock is read.
        engine: makes the learner.
        context: what is recorded beside the trials.
        emit: takes each run with its end, or None where the trial did not come to one.
        stopwatch: counts the time by name; its clock is the one read.
        watch: called after every check.
        family: a process whose children's load is not that of other programs, see `Meter`; for
            trials that are programs, which may train beside each other.

    Raises:
        StudyError: bad input, which is not the fault of a trial.
        OSError: the disk failed.
    """
    program = isinstance(engine, Programs)
    ends = _Ends(trials, step_seconds, context, emit, family if program else None)

    def look(progress: Progress) -> None:
        beat()
        watch(progress)

    try:
        beside = step_seconds or (program and context.jobs > 1)
        with (
            nullcontext() if beside else device.exclusive(),
            supervised(None if program else context.silence, ends.hung) as beat,
        ):
            trainer = for_arrays(engine, context.arrays)
            for finish in _finishes(trials, step_seconds, trainer, ends, stopwatch, look):
                with stopwatch.part("store"):
                    ends.finished(finish)
    except (StudyError, OSError):
        raise  # the user's input or the disk is wrong, not the trial
    except Exception as error:
        heed()  # what a stop became in a library is no fault of a trial
        rest = sorted(ends.left)
        if len(trials) == 1:
            ends.failed(0, f"{type(error).__name__}: {error}"[:2000])
            return
        for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            if half:
                times = [step_seconds[i] for i in half] if step_seconds else None
                train([trials[i] for i in half], times, engine, context, emit, stopwatch, watch)


def _finishes(
    trials: Sequence[Trial],
    step_seconds: Sequence[float] | None,
    engine: Engine,
    ends: _Ends,
    stopwatch: Stopwatch,
    watch: Callable[[Progress], None],
) -> Iterator[Finish]:
    """The ends of a group's trials, of programs or of lanes; arguments as of `train`."""
    first = trials[0]
    context = ends.context
    if isinstance(engine, Programs):
        assert context.folder is not None
        yield from train_program(
            engine,
            first,
            context.folder,
            silence=context.silence,
            stopwatch=stopwatch,
            watch=watch,
        )
        return
    with stopwatch.part("build"):
        learner = engine.learner(trials)
        ends.form = learner.form
    yield from train_lanes(
        learner,
        [trial.learning_rate for trial in trials],
        target=first.target,
        metric=first.metric,
        goal=first.goal,
        check_every=first.check_every,
        cap=first.cap,
        max_steps=first.max_steps,
        prune=first.prune,
        schedule=parse(first.schedule),
        step_seconds=step_seconds,
        stopwatch=stopwatch,
        watch=watch,
    )


class _Ends:
    """Records the ends of a group's trials; arguments as of `train`."""

    def __init__(
        self,
        trials: Sequence[Trial],
        step_seconds: Sequence[float] | None,
        context: Context,
        emit: Emit,
        family: int | None = None,
    ) -> None:
        self.trials, self.step_seconds, self.context, self.emit = (
            trials,
            step_seconds,
            context,
            emit,
        )
        self.left = set(range(len(trials)))
        self.form: str | None = None
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.meter = Meter(family)

    def finished(self, finish: Finish) -> None:
        """A trial has come to its end."""
        seen, told = finish.accuracies, finish.watched
        values: dict[str, Any] = {
            "steps": finish.steps,
            "seconds": finish.seconds,
            "accuracy": seen[-1] if seen else None,
            "best_accuracy": best_of(seen, self.trials[finish.lane].goal) if seen else None,
        }
        if told is not None:
            values |= {"startup": told.startup, "first_step": told.first_step}
            values |= {"best_accuracy": told.best, "error": told.error and told.error[:2000]}
        self._record(finish.lane, finish.outcome, finish, **values)

    def failed(self, lane: int, error: str) -> None:
        """A trial cannot be trained."""
        self._record(lane, Outcome.FAILED, None, error=error)

    def hung(self) -> None:
        """The group did not reach a check in time."""
        for lane in sorted(self.left):
            self.failed(lane, f"{HUNG}: no check in {self.context.silence:g} seconds")

    def _record(self, lane: int, outcome: Outcome, finish: Finish | None, **values: Any) -> None:
        own = self.step_seconds[lane] if self.step_seconds else None
        # Where the clock is read, the load is that of the time in which the trial trained.
        timed = self.step_seconds is None and device.current() == device.CPU
        quiet = self.meter.read().quiet if timed else None
        trial, lanes = self.trials[lane], len(self.trials)
        values |= {"quiet": quiet, "form": self.form}
        run = self.context.record(trial, outcome, self.started, lanes, own, **values)
        self.emit(run, finish)
        self.left.discard(lane)

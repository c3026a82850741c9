"""One trial that is a program: started, watched until it ends or is to end, and ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from study.engines.command.child import GRACE, Child, Heard, in_words
from study.engines.command.choice import Programs
from study.engines.command.reports import BadReport, Lines, Reader, Report
from study.engines.command.sources import Follower, Log
from study.errors import StudyError
from study.machine.clock import running
from study.spec.program import fill, values_of
from study.spec.trial import Trial
from study.stopping import heed
from study.storage.checks import Finish
from study.storage.records import Outcome
from study.training.loop import Progress
from study.training.seen import Seen
from study.training.stopwatch import Stopwatch

TRIALS = "trials"
"""The folder of a study that holds a folder for each of its programs."""


POLL = 0.05
"""Seconds between two looks at a file that grows, and at the clock."""


BEAT = 1.0
"""Seconds between two signs of life of a program that says nothing."""


OFTEN = 0.2
"""Seconds between two signs of life of one that says much."""


LAST = 1200
"""Letters of its log that tell why a program failed."""


HUNG = "hung"
"""First word of the error of a trial that did not report in time."""


def train_program(
    programs: Programs,
    trial: Trial,
    folder: Path,
    *,
    silence: float | None = None,
    stopwatch: Stopwatch | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[Finish]:
    """Run a program until it reaches the target, spends its budget, or ends.

    The clock runs from its first report on. Whatever the end, the program and all that it has
    started are gone when this returns.

    Args:
        programs: what to start.
        trial: fills its places.
        folder: of the study; the trial has a folder of its own in it, which is emptied first.
        silence: seconds without a report after which the program counts as hung.
        stopwatch: its clock is the one read; time to the first report counts as `start`.
        watch: called now and then.

    Yields:
        The end of the trial.

    Raises:
        StudyError: reports that no trial of the study could be read by.
        OSError: the trial's folder cannot be made.
    """
    stopwatch = stopwatch or Stopwatch()
    run = ProgramRun(programs, trial, folder, stopwatch.clock, silence)
    with closing(run), ExitStack() as parts:
        parts.enter_context(stopwatch.part("start"))
        told, step, begun = stopwatch.clock(), 0, False
        finish = None
        while finish is None:
            finish = run.look()
            heed()
            now = stopwatch.clock()
            if run.seen.first is not None and not begun:
                begun = True
                parts.close()
                parts.enter_context(stopwatch.part("train"))
            if now - told > (BEAT if run.seen.step == step else OFTEN):
                watch(Progress(run.seen.step, (0,), 1, now - told))
                told, step = now, run.seen.step
    yield finish
    watch(Progress(finish.steps, (), 1, stopwatch.clock() - told))


def _own_folder(folder: Path, trial: Trial) -> Path:
    """The trial's own folder, empty."""
    out = folder.resolve() / TRIALS / trial.id
    if out.is_symlink():
        out.unlink()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    return out


class ProgramRun:
    """A program that runs; `close` ends it.

    Args:
        programs: what to start.
        trial: fills its places.
        folder: of the study.
        clock: a monotonic clock, in seconds.
        silence: as of `train_program`.
    """

    def __init__(
        self,
        programs: Programs,
        trial: Trial,
        folder: Path,
        clock: Callable[[], float] = running,
        silence: float | None = None,
    ) -> None:
        out = _own_folder(folder, trial)
        program, values = programs.program, values_of(trial, out)
        self.clock, self.silence, self.read = clock, silence, program.read
        self.seen = Seen(trial, program.percent)
        self.log = Log(out / "log.txt")
        self.streams = {name: (Lines(), Reader(program.read)) for name in ("out", "err")}
        self.file: Follower | None = None
        if program.report:
            path = Path(fill(program.report, values)).expanduser()
            _set_aside(path)
            self.file = Follower(path, Reader(program.read))
        variables = {f"STUDY_{name.upper()}": value for name, value in values.items()}
        # What Python prints into a pipe would come late.
        variables |= {"PYTHONUNBUFFERED": os.environ.get("PYTHONUNBUFFERED", "1")}
        self.child = Child([fill(word, values) for word in program.words], variables, GRACE)
        self.begun = self.heard = self.clock()

    def close(self) -> None:
        """End the program; write the end of its log, or remove its folder if that is empty."""
        self.child.close()
        self.log.close()
        with suppress(OSError):  # what holds something stays
            self.log.path.parent.rmdir()
            self.log.path.parent.parent.rmdir()

    def look(self) -> Finish | None:
        """Read what has come; the trial's end, if that is it."""
        heard = self.child.hear(self._patience())
        now = self.clock()
        try:
            outcome = self._enter(heard, now)
        except BadReport as error:
            return self._failed(str(error), now)
        if outcome is None and self.child.over:
            return self._ended(now)
        if outcome is None and self.seen.beyond(now):
            self.seen.elapsed, outcome = now - self.seen.begun, Outcome.CAPPED
        if outcome is Outcome.CAPPED and not self.seen.checks and self.seen.names:
            return self._failed(self._no_metric(), now)
        if outcome is not None:
            return self.seen.finish(outcome, self._startup(now))
        if self.silence is not None and now - self.heard > self.silence:
            return self._failed(f"{HUNG}: no report in {self.silence:g} seconds", now)
        return None

    def _patience(self) -> float:
        """Seconds to wait for the program to say something."""
        wait = POLL if self.file else OFTEN
        cap = self.seen.trial.cap
        if cap is not None and self.seen.first is not None:
            wait = min(wait, max(0.0, self.seen.begun + cap - self.clock()) + 1e-3)
        return wait

    def _enter(self, heard: list[Heard], now: float) -> Outcome | None:
        """Take down all reports that have come; how the trial ends, if it does."""
        for report in self._reports(heard):
            self.heard = now
            outcome = self.seen.enter(report, now)
            if outcome is not None:
                return outcome
        return None

    def _reports(self, heard: list[Heard]) -> Iterator[Report]:
        for one in heard:
            lines, reader = self.streams[one.stream]
            for line, whole in lines.feed(one.data):
                report = reader.read(line) if whole and self.file is None else None
                if report is not None:
                    yield report
                elif line:
                    self.log.write(line)
        if self.child.over:
            for lines, _ in self.streams.values():
                if lines.rest:  # half a line is no report
                    self.log.write(lines.rest)
        if self.file is not None:
            yield from self.file.read()

    def _ended(self, now: float) -> Finish:
        """The end of a program that has ended by itself.

        Raises:
            StudyError: it went well, and never told the metric.
        """
        if self.child.end != "exit 0":
            # A traceback ends with what went wrong.
            lines = self.log.last(LAST).splitlines()
            last = f": {lines[-1]}" if len(lines) > 1 else ""
            return self._failed(f"the program {in_words(self.child.end)}{last}", now)
        if self.seen.first is None:
            where = f" in {self.file.path}" if self.file else ""
            form = f"matches --read {self.read!r}" if self.read else "is JSON or CSV with a step"
            why = f"the program ended without a report: no line{where} {form}"
            return self._failed(why, now)
        if not self.seen.checks:
            raise StudyError(self._no_metric())
        return self.seen.finish(Outcome.CAPPED, self._startup(now))

    def _no_metric(self) -> str:
        there = ", ".join(self.seen.names) or "nothing but steps"
        metric = self.seen.trial.metric
        return f"no report of the program has {metric}: they have {there}; give one as --metric"

    def _failed(self, why: str, now: float) -> Finish:
        said = self.log.last(LAST)
        error = f"{why}; the end of its log: {said}" if said else why
        return self.seen.finish(Outcome.FAILED, self._startup(now), error)

    def _startup(self, now: float) -> float:
        return (self.seen.begun if self.seen.first else now) - self.begun


def _set_aside(path: Path) -> None:
    """Give a file of an earlier try another name, so that nothing of it is read or lost."""
    number = 1
    if not path.is_file():
        return
    while (other := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(other)

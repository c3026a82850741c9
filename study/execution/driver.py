"""From a request to stored runs: open, measure, plan, train what is pending, stop, resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from study.execution.executors.base import Checked, Drawn, Event, Executor, TrainCurves
from study.execution.executors.opening import open_executor
from study.execution.measuring import AT_THE_END, EVERY, Again, add_sizes, measure_missing, probe
from study.execution.notes import busy, changes, doubtful, mixture, unreached
from study.execution.own_model import with_model
from study.execution.planning.array_engine import Probe, with_arrays
from study.execution.planning.plan import Plan
from study.execution.planning.portions import Portion, jobs_of, labels, together
from study.execution.planning.resources import Crew
from study.execution.progress import Bar
from study.execution.request import Request
from study.execution.study_folder import (
    OpenStudy,
    claim,
    draws_curves,
    folder_of,
    has_ended,
    open_study,
)
from study.execution.train import train_pending
from study.spec.trial import Trial
from study.stopping import stoppable
from study.storage.calibration import Calibration
from study.storage.records import Run
from study.storage.store import Store
from study.tables import best_rates
from study.training.group import Context
from study.training.spending import SPENT_EVERY, Spending
from study.training.stopwatch import Stopwatch

Warn = Callable[[list[str]], None]


@dataclass(frozen=True)
class Outlook:
    """What `run` would do now.

    Args:
        portions: what the workers of each kind would train.
        times: the step times that it rests on.
        stored: the stored runs.
        folder: the study's folder.
        trials: the number of trials of the study, or of the shard of it that is asked for.
    """

    portions: Sequence[Portion]
    times: Calibration
    stored: list[Run]
    folder: Path
    trials: int

    @property
    def plan(self) -> Plan:
        """All portions as one plan."""
        return together(self.portions)

    @property
    def crews(self) -> list[Crew]:
        """Who would train: the workers of each kind."""
        return [portion.crew for portion in self.portions]

    @property
    def names(self) -> list[str]:
        """What tells their kinds apart."""
        return labels([crew.site for crew in self.crews])

    @property
    def jobs(self) -> int:
        """Workers of all kinds."""
        return jobs_of(self.crews)


def outlook(request: Request, warn: Warn = lambda sentences: None) -> Outlook:
    """The plan of the remaining trials, the step times it uses and the stored runs.

    Nothing is written.

    Raises:
        StudyError: the folder holds another study, or the workers make no sense.
    """
    stopwatch = Stopwatch()
    request, source = with_model(request, stopwatch)
    with closing(open_executor(request, source, stopwatch, warn)) as executor:
        study = open_study(request, executor.sites)
        warn([*unreached(study.trials, study.times), *doubtful(study.spec)])
        crews = _by_engine(request, study, executor.crews(study.spec, study.pending))
        plans, folder = study.plan(crews), study.store.folder
        return Outlook(plans, study.times, study.stored, folder, len(study.trials))


@stoppable()
def run(request: Request, *, warn: Warn = lambda sentences: None, progress: bool = True) -> Path:
    """Train every trial that is not stored yet, then the validation curves; return the folder.

    Of a shard its own trials are trained, and no curves.

    Rerunning goes on where it was stopped. Each finished trial is on the disk before the next is
    awaited.

    Args:
        request: what to train, where and by whom.
        warn: told what was moved aside, what changed since trials were stored, the machine or a
            version, and where the schedule does not fit the budget.
        progress: show a progress bar.

    Raises:
        StudyError: a folder that holds another study, a second process on the same study, or
            workers that died.
        KeyboardInterrupt: stopped; what has ended is stored.
    """
    stopwatch = Stopwatch()
    request, source = with_model(request, stopwatch)
    digest = source.images().digest
    with ExitStack() as stack:
        store = None
        if request.out is not None:  # a wrong folder is told before any worker is waited for
            store = Store(folder_of(request.spec, request.out))
            stack.enter_context(store.writing())
        if request.backend != "loky" and has_ended(request):
            # A study that has ended needs no worker, and its cluster may be gone.
            request = replace(request, backend="loky", scheduler=None, workers=None)
        executor = open_executor(request, source, stopwatch, warn)
        stack.callback(executor.close)
        if store is None:
            store = Store(folder_of(request.spec, None, executor.sites[0]))
            stack.enter_context(store.writing())
        if request.repair:
            moved = store.set_aside().items()
            warn([f"lines that could not be read, moved to {path}: {n}" for path, n in moved])
        study = open_study(request, executor.sites)
        warn(changes(study))
        crews = executor.crews(study.spec, study.pending)
        _by_engine(request, study, crews)  # refuses an engine before anything is written
        claim(study, digest)
        warn(mixture(study, crews))
        portions = study.plan(crews)
        todo = together(portions)
        bar = Bar(len(study.trials), study.ended, portions, progress, executor.distant)
        stack.enter_context(closing(bar))
        spending = Spending(store, stopwatch, jobs_of(crews))
        stack.callback(spending.write)
        alone = study.spec.mode == "alone" and todo.pending
        if request.patience and (todo.uncalibrated or todo.unprobed or alone):
            executor.settle(request.patience, bar.note)
        with stopwatch.part("calibrate"):
            warn(measure_missing(study.times, todo.uncalibrated, executor, request.patience, bar))
            warn(busy(study.times, todo.pending))
            warn([*unreached(study.trials, study.times), *doubtful(study.spec)])

            def measure(trial: Trial, sizes: Sequence[int], crew: Crew) -> None:
                bar.note(f"measuring arrays of {crew.use.arrays or crew.site.engine}")
                found = probe(executor, trial, sizes, crew)
                add_sizes(study.times_of(crew.site), trial, found, crew.use)

            crews = _by_engine(request, study, crews, measure, not executor.distant)
            for portion in study.plan(crews):
                for trial, sizes in portion.plan.unprobed.items():
                    measure(trial, sizes, portion.crew)

        def ended(run: Run) -> None:
            study.stored.append(run)
            spending.write(least=SPENT_EVERY)

        def replan() -> list[Portion]:
            return study.plan(_by_engine(request, study, executor.crews(study.spec, study.pending)))

        context = Context(
            study.spec.name,
            study.site,
            jobs_of(crews),
            silence=request.silence,
            reference=study.reference,
            folder=store.folder,
        )
        portions = study.plan(crews)
        again = Again(study.times, todo.pending, executor, bar.note)

        def checked() -> None:
            warn(again.look(EVERY))

        parts = train_pending(store, portions, executor, context, bar, ended, replan, checked)
        warn(again.look(AT_THE_END))
        spending.in_workers.update(parts)
        if request.whole and draws_curves(
            study.spec
        ):  # the best rates are those of the whole study
            _draw_curves(study, executor, bar)
    return store.folder


def _by_engine(
    request: Request,
    study: OpenStudy,
    crews: Sequence[Crew],
    measure: Probe | None = None,
    here: bool = False,
) -> list[Crew]:
    """The crews with the engine that trains their arrays, see `with_arrays`."""
    asked = getattr(request.factory, "arrays", "")
    left, times = study.left, study.times
    return with_arrays(asked, study.spec, study.stored, left, times, crews, measure, here)


def _draw_curves(study: OpenStudy, executor: Executor, bar: Bar) -> None:
    """Train the validation curves of the best rates that are not stored yet, and store them."""
    bar.note("validation curves")
    ids = {trial.id for trial in study.spec.trials()}
    mine, clock = study.site.machine.fingerprint, study.reference.fingerprint
    runs = [run for run in study.stored if run.id in ids and run.clock == clock]
    wanted = best_rates.wanted(study.store, runs)
    if not wanted:
        return
    rows: list[dict[str, Any]] = []

    def receive(index: int, event: Event) -> None:
        if isinstance(event, Checked):
            bar.curve(event.progress)
        elif isinstance(event, Drawn):
            rows.extend({**row, "fingerprint": mine} for row in event.rows)

    seconds = tuple(wanted.step_seconds)
    kind = study.site.kind
    tasks = [TrainCurves(tuple(group), seconds, wanted.span, kind) for group in wanted.groups]
    executor.run(tasks, receive)
    study.store.write_curves(rows)

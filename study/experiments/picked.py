"""Training at rates that were picked on a study, by the study's own step times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.execution.planning.portions import portioned
from study.execution.progress import Bar
from study.execution.request import Request
from study.execution.train import train_pending
from study.machine.facts import Site
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Run
from study.storage.reference import Reference
from study.storage.store import Store
from study.training.group import Context
from study.training.stopwatch import Stopwatch


def train_picked(
    store: Store,
    wanted: Sequence[Trial],
    step_seconds: Mapping[tuple[str, float], float],
    study: Path,
    request: Request,
    site: Site,
    source: Source,
    reference: Reference | None,
) -> list[Run]:
    """Train the trials that the folder does not hold yet.

    Args:
        store: the folder, which is being written to.
        wanted: the trials, sorted so that those of an array are neighbours.
        step_seconds: the step time of each optimizer and width.
        study: the folder of the study whose step times they are.
        request: the protocol, and who trains.
        site: where they train.
        source: the images and the engine.
        reference: the machine whose step times they are.

    Returns:
        The runs of the trials that were there before.
    """
    times = Calibration([study / "calibration.json"], site.machine, site.software)
    times.pin((trial, step_seconds[trial.optimizer, trial.width]) for trial in wanted)
    ids = {trial.id for trial in wanted}
    stored = [run for run in store.runs() if run.id in ids]
    done = {run.id for run in stored}
    pending = [trial for trial in wanted if trial.id not in done]
    with closing(Local(request, source, Stopwatch())) as executor:
        (crew,) = executor.crews(request.spec, len(pending))
        portions = portioned(pending, [(crew, times)])
        context = Context(
            request.spec.name,
            site,
            crew.use.jobs,
            silence=request.silence,
            reference=reference,
            folder=store.folder,
        )
        with closing(Bar(len(wanted), stored, portions, enabled=bool(pending))) as bar:
            train_pending(store, portions, executor, context, bar)
    return stored

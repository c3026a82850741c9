"""From options to a study that is trained, or only foretold."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from study.cli.formatting import (
    LOG,
    as_json,
    best,
    described,
    duration,
    note,
    note_aside,
    outcomes,
    written,
)
from study.cli.option_sets import RunOptions, SpecOptions, StepOptions, TrainerOptions
from study.engines.choice import EngineChoice
from study.errors import StudyError
from study.spec.own import OWN
from study.spec.presets import ON_GPU, PRESETS, named_after, preset, read_spec
from study.spec.program import PROGRAM, short
from study.spec.study import StudySpec
from study.spec.trial import DATASETS
from study.storage.records import Outcome
from study.validation import home
from study.words import counted

if TYPE_CHECKING:
    from study.execution.driver import Outlook
    from study.execution.request import Request


@dataclass(frozen=True)
class Job:
    """A study to be trained: what, where, by whom."""

    spec: StudySpec
    out: str | None
    means: RunOptions
    setup: EngineChoice

    def request(self) -> Request:
        """The job as the driver takes it.

        Raises:
            StudyError: options that exclude each other.
        """
        from study.execution.request import Request

        means = self.means
        return Request(
            self.spec,
            self.out,
            workers=means.workers,
            memory=means.memory,
            retry=means.retry,
            repair=means.repair,
            silence=means.hang_limit,
            backend=means.backend,
            scheduler=means.scheduler,
            reference=means.reference,
            shard=means.shard,
            patience=means.wait_quiet or 0.0,
            factory=self.setup,
        )


def spec_of(
    what: str | None, asked: StepOptions, mine: Mapping[str, Any], out: str | None
) -> StudySpec:
    """The spec of a preset or file, changed by the options; `out` may hold the study already.

    Args:
        what: the preset or the file.
        asked: the options.
        mine: those on a model or program of the user's own.
        out: the study's folder.
    """
    if what is None:
        name = mine.get("model") or mine.get("command")
        if name is None:
            raise StudyError(
                f"what is to be trained? Name a preset ({', '.join(PRESETS)}) or a TOML file, or "
                "give --model and --data, or --command"
            )
        name = short(name).partition(".")[0] if "command" in mine else name
        spec = StudySpec(name=named_after(name))
    elif what.lower().endswith(".toml"):
        spec = read_spec(home(what))
    else:
        spec = preset(what)
        if what in ON_GPU:
            from study.machine.here import this_machine

            spec = preset(what, gpu=bool(this_machine().gpus))
    if mine:
        spec = spec.with_(**mine, **asked.given())
        asked = StepOptions()
    if not isinstance(asked, SpecOptions) or (asked.rates or "").partition(":")[0] != "auto":
        return asked.over(spec)
    from study.execution.auto_rates import rates_around

    spec = replace(asked, rates=None).over(spec)
    found, source = rates_around(str(asked.rates), spec, out)
    told = ", ".join(f"{rate:g}" for rate in found)
    typer.echo(f"rates {told}: around the best of {source}", err=True)
    return spec.with_(rates=found)


def job_of(
    what: str | None,
    asked: SpecOptions,
    mine: Mapping[str, Any],
    means: RunOptions,
    trainer: TrainerOptions,
    out: str | None,
) -> Job:
    """The job that the options of run and plan describe."""
    setup = trainer.setup()  # first: presets and `auto` depend on what the device leaves
    spec = spec_of(what, asked, mine, out)
    if trainer.device is not None and means.backend != "loky":
        raise StudyError(
            f"the device {trainer.device} is for the backend loky: each worker of {means.backend} "
            "takes what CUDA_VISIBLE_DEVICES leaves it"
        )
    LOG.info("read %s: the study %s, %d trials", what, spec.name, len(spec))
    return Job(spec, out, means, setup)


def foretell(job: Job, in_json: bool) -> None:
    """Print the trials, the groups they train in and the predicted time; train nothing."""
    from study import data
    from study.execution import driver

    if job.means.repair:
        raise StudyError("--repair moves lines, and a dry run changes nothing: give it to run")
    if job.spec.dataset not in (*DATASETS, OWN, PROGRAM):
        data.load(job.spec.dataset)  # what cannot be read is refused as run does
    look = driver.outlook(job.request(), note_aside if in_json else note)
    if in_json:
        as_json(_facts(job, look))
        return
    typer.echo(f"Study {job.spec.name} in {look.folder}")
    for line in (*described(job.spec), *_planned(job, look)):
        typer.echo(line)


def _facts(job: Job, look: Outlook) -> dict[str, Any]:
    """The plan for programs."""
    todo = look.plan
    return {
        "shard": job.means.shard,
        "trials": look.trials,
        "stored": look.trials - len(todo.pending),
        "groups": [len(group) for group in todo.groups],
        "workers": look.jobs,
        "kinds": [
            {
                "machine": portion.crew.site.machine.name,
                "fingerprint": portion.crew.site.machine.fingerprint,
                "software": portion.crew.site.software,
                "workers": portion.crew.use.jobs,
                "trials": len(portion.plan.pending),
            }
            for portion in look.portions
        ],
        "uncalibrated": len(todo.uncalibrated),
        "seconds": todo.seconds if todo.seconds < math.inf else None,
        "at_most_seconds": todo.most_seconds if todo.most_seconds < math.inf else None,
        "guessed": bool(todo.uncalibrated),
    }


def _planned(job: Job, look: Outlook) -> Iterator[str]:
    """What is left to do, and how long it takes, line by line."""
    from study.execution.planning import shards

    todo, jobs = look.plan, look.jobs
    if job.means.shard:
        yield shards.described(job.spec, job.means.shard)
    yield f"Stored: {look.trials - len(todo.pending)}, to run: {len(todo.pending)}"
    sizes = Counter(len(group) for group in todo.groups)
    groups = ", ".join(
        f"{counted(count, 'group')} of {counted(size, 'lane')}"
        for size, count in sorted(sizes.items())
    )
    if groups:
        yield f"{groups}, on {f'{jobs} processes' if jobs > 1 else 'one process'}"
    if len(look.portions) > 1:
        for portion, name in zip(look.portions, look.names, strict=True):
            trials = counted(len(portion.plan.pending), "trial")
            yield f"  {trials} by {counted(portion.crew.use.jobs, 'worker')} on {name}"
    if todo.uncalibrated:
        yield f"Step times to measure first: {len(todo.uncalibrated)} (a few seconds each)"
    if todo.most_seconds == math.inf:
        yield "Predicted time: not known before a trial of the program has ended"
        return
    guess = (
        " (a guess: step times have not been measured here, see calibrate)"
        if todo.uncalibrated or todo.unprobed
        else ""
    )
    most = f"about {duration(todo.most_seconds)} if every trial spends its whole budget"
    yield f"Predicted time: {duration(todo.seconds)}; {most}{guess}"


def train(job: Job, in_json: bool) -> None:
    """Train what is missing; write tables and figures, and print the best rates."""
    from study.execution import driver

    request = job.request()
    if LOG.isEnabledFor(logging.INFO) and request.backend == "loky":
        for line in (*described(job.spec), *_planned(job, driver.outlook(request))):
            LOG.info(line)
    folder = driver.run(request, warn=note_aside if in_json else note)
    ends = _show(folder, in_json) if request.whole else _show_share(folder, request, in_json)
    if ends and set(ends) == {Outcome.FAILED.value}:
        raise typer.Exit(1)


def _show(folder: Path, in_json: bool) -> list[str]:
    """Write tables and figures by the study's clock, and print the best rates; how trials ended."""
    from study import figures, tables

    everywhere = tables.StoredStudy(folder)
    last, clocks = (
        everywhere.facts.get("fingerprint"),
        {run.clock for run in everywhere.all_records},
    )
    here = last if len(clocks) > 1 and last in clocks else None
    stored = tables.stored(everywhere, here)
    LOG.info("tables and figures go to %s", folder)
    tables.write(stored)
    paths = figures.write(stored)
    runs = stored.runs
    found = tables.best(runs)
    notes = tables.warnings(stored)
    if in_json:
        as_json(_result(folder, runs, found, paths))
        note_aside(notes)
        return list(runs["outcome"])
    typer.echo(
        f"\n{outcomes(runs['outcome'])} of {len(runs)} trials. Best rate of each optimizer:\n"
    )
    best(found)
    note(notes)
    typer.echo("\nFigures:")
    written(paths, indent="  ")
    return list(runs["outcome"])


def _show_share(folder: Path, request: Request, in_json: bool) -> list[str]:
    """Print how the trials of a share ended; tables and figures are of the whole study."""
    from study.execution.planning import shards
    from study.storage.store import Store

    assert request.shard is not None
    store = Store(folder)
    spec = store.spec()  # that of a model or a program is known in full
    ids = {trial.id for trial in shards.share(spec, request.shard)}
    ends = [run.outcome.value for run in store.runs() if run.id in ids]
    if in_json:
        found = {"trials": len(ends), "outcomes": dict(Counter(ends))}
        as_json({"folder": str(folder), "shard": request.shard, **found})
        return ends
    told = f": {outcomes(ends)}" if ends else ""
    typer.echo(f"Study {spec.name} in {folder}")
    typer.echo(f"{shards.described(spec, request.shard)}{told}")
    typer.echo("merge joins the folders of all shards; tables and figures are of the whole study")
    return ends


def _result(folder: Path, runs: Any, found: Any, paths: list[Path]) -> dict[str, Any]:
    """What a run came to, for programs."""
    return {
        "folder": str(folder),
        "trials": len(runs),
        "outcomes": dict(Counter(map(str, runs["outcome"]))),
        "best": json.loads(found.to_json(orient="records")),
        "figures": list(map(str, paths)),
    }

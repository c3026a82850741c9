"""A study in its folder: where it is, what may be added to it, what has changed since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study import tables
from study.errors import StudyError
from study.execution.plan import Plan, plan
from study.execution.planning.shards import share
from study.execution.request import Request
from study.execution.resources import Resources
from study.machine.facts import Site
from study.machine.here import this_machine, this_site
from study.machine.versions import ONEDNN
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Outcome, Run
from study.storage.step_times import key_of
from study.storage.store import Store

RESULTS = Path("results")


def folder_of(spec: StudySpec, out: str | Path | None, site: Site | None = None) -> Path:
    """The study's folder: `out` itself, else results/<machine>/<study>."""
    if out == "":
        raise StudyError(
            "the folder given as --out is an empty text: name a folder, or leave the option out"
        )
    return (
        Path(out) if out is not None else RESULTS / (site or this_site()).machine.name / spec.name
    )


def calibration_of(folder: Path, shared: bool, site: Site | None = None) -> Calibration:
    """The site's step times as the study knows them, this machine's if none is named: its own file
    first, then, for a study under results/<machine>, its siblings'.
    """
    paths = [folder / "calibration.json", *([folder.parent / "calibration.json"] if shared else [])]
    site = site or this_site()
    return Calibration(paths, site.machine, site.software)


def rates_around(
    what: str, spec: StudySpec, out: str | Path | None
) -> tuple[tuple[float, ...], Path]:
    """The rates that `auto` stands for, and the study that they come from: six around the best rate
    of the spec's optimizer.

    `auto:DIR` takes the study in DIR; `auto` this machine's `article`, `tutorial` or `quick`, the
    first of the same network, data, batch, hyper-parameters and schedule in which all of the
    optimizer's trials have ended. A study stored in `out` already keeps its rates.

    Raises:
        StudyError: several optimizers, no such study, or one in which the optimizer arrived
            nowhere.
    """
    if len(spec.optimizers) != 1:
        raise StudyError(
            f"rates {what} are around one optimizer's best, and the study has "
            f"{', '.join(spec.optimizers)}: name one"
        )
    mine, named = folder_of(spec, out), what.partition(":")[2]
    if named:
        Store(Path(named)).spec()  # refuses what is no study
    if Store(mine).spec_path.exists():
        return tuple(float(rate) for rate in Store(mine).spec().rates), mine
    if named:
        return tables.rates_around(tables.load(named), spec.optimizers[0]), Path(named)
    here = RESULTS / this_machine().name
    for folder in (here / name for name in ("article", "tutorial", "quick")):
        if not (folder / "spec.json").exists():
            continue
        there = Store(folder).spec()
        runs = tables.load(folder)
        whole = len(runs) and (runs["optimizer"] == spec.optimizers[0]).sum() >= len(there) / len(
            there.optimizers
        )
        if whole and all(
            getattr(there, field) == getattr(spec, field)
            for field in ("network", "dataset", "batch", "hyper", "schedule")
        ):
            return tables.rates_around(runs, spec.optimizers[0]), folder
    wanted = (
        f"a finished grid study of the {spec.network} network with {spec.optimizers[0]} in {here}"
    )
    raise StudyError(
        f"rates auto need {wanted}: run article (or tutorial) first, or name a study's folder, "
        "as in auto:DIR"
    )


@dataclass
class OpenStudy:
    """A study in its folder, its rows read once: what is stored, and what is still to train.

    Attributes:
        store: the folder, open for writing where something is to be trained.
        spec: the study.
        trials: those of its trials that this run is to train: all, or a share.
        site: where its trials train.
        stored: the runs on the disk, those of failed trials left out where they train again.
        times: step times.
    """

    store: Store
    spec: StudySpec
    trials: tuple[Trial, ...]
    site: Site
    stored: list[Run]
    times: Calibration

    def plan(self, use: Resources) -> Plan:
        """What is still to train, and how."""
        return plan(self.trials, {run.id for run in self.stored}, self.times, use)

    @property
    def pending(self) -> int:
        """The number of trials that are still to train."""
        ids = {run.id for run in self.stored}
        return sum(trial.id not in ids for trial in self.trials)

    @property
    def ended(self) -> list[Run]:
        """The stored runs of this run's trials."""
        ids = {trial.id for trial in self.trials}
        return [run for run in self.stored if run.id in ids]


def open_study(request: Request, site: Site) -> OpenStudy:
    """The study that a request names, in its folder; nothing is written.

    Raises:
        StudyError: the folder holds another study, or one of another engine or precision.
    """
    store = Store(folder_of(request.spec, request.out, site))
    stored = store.runs()
    _belongs(store, stored, request.spec, site)
    if request.retry:
        stored = [run for run in stored if run.outcome is not Outcome.FAILED]
    times = calibration_of(store.folder, request.out is None, site)
    trials = share(request.spec, request.shard)
    return OpenStudy(store, request.spec, trials, site, stored, times)


def _belongs(store: Store, stored: Sequence[Run], spec: StudySpec, site: Site) -> None:
    """Raise `StudyError` if the folder holds trials under another protocol, or of another engine or
    precision.
    """
    if store.spec_path.exists():
        there = store.spec()
        different = there.differences(spec)
        if different:
            listed = "; ".join(
                f"{name} is {getattr(there, name)} there, {getattr(spec, name)} here"
                for name in different
            )
            raise StudyError(
                f"{store.folder} holds a study under another protocol ({listed}): give another "
                "--out"
            )
    elif stored:
        raise StudyError(
            f"{store.folder} holds runs but no {store.spec_path.name} that says of what: "
            "restore it, or give another --out"
        )
    other = next(
        (run for run in stored if (run.engine, run.precision) != (site.engine, site.precision)),
        None,
    )
    if other and other.fingerprint == site.machine.fingerprint:
        what = (
            f"{other.engine} in {other.precision}, and this would be {site.engine} in "
            f"{site.precision}"
        )
        raise StudyError(
            f"{store.folder} holds trials of {what}: give another --out, --engine or --precision"
        )


def busy(times: Calibration, trials: Sequence[Trial]) -> list[str]:
    """A sentence where the step times of these trials were measured on a machine that was not
    quiet.
    """
    used = [
        time
        for trial in trials
        if trial.mode == "array"
        and (time := times.times.get(key_of(trial)))
        and time.quiet is False
    ]
    if not used:
        return []
    most, cores = max(time.others or 0.0 for time in used), times.machine.cores
    # A step cannot take less than its processor seconds shared by all cores.
    factors = [
        cores * time.seconds / time.processor_seconds for time in used if time.processor_seconds
    ]
    factor = f" (at most {max(factors):.1f} times)" if factors else ""
    return [
        f"the machine is busy: other programs took {most:.1f} of its {cores} cores while step "
        "times were measured, so the seconds of "
        f"these trials may be too long{factor}; their steps are right. --wait-quiet SECONDS "
        "waits for a quiet machine, and calibrate "
        "--again takes another reading later"
    ]


def changes(stored: Sequence[Run], site: Site) -> list[str]:
    """Sentences on what is another machine or software at the site now than when trials were
    stored, or slow by the user's choice.
    """
    said = []
    machine = site.machine
    old = [
        run.machine
        for run in stored
        if run.fingerprint == machine.old_fingerprint != machine.fingerprint
    ]
    if old:
        said.append(
            f"{len(old)} trials are stored of a machine that an older version called {old[0]}: "
            "that version did not tell kinds of "
            "processor apart, so it may be this machine or not, and their seconds are not "
            "pooled with new ones"
        )
    foreign = sorted(
        {
            run.machine
            for run in stored
            if run.fingerprint not in (machine.fingerprint, machine.old_fingerprint)
        }
    )
    if foreign:
        said.append(
            f"trials of {', '.join(foreign)} are stored here, and this machine is "
            f"{machine.name}: each row keeps its machine, and a table "
            "is of one (--machine)"
        )
    other = sorted(
        {run.software for run in stored if run.fingerprint == machine.fingerprint} - {site.software}
    )
    if other:
        said.append(
            f"trials are stored that ran on {', '.join(other)}, and this is {site.software}: "
            "step times are not the same ones"
        )
    if site.versions.get("onednn") == "off":
        said.append(
            f"TensorFlow computes without oneDNN ({ONEDNN} is {os.environ.get(ONEDNN)}): a step "
            "takes about three times as long, and the "
            "convolutions of the lanes of an array are computed one after another"
        )
    return said


def claim(study: OpenStudy, digest: str) -> None:
    """Write what the folder is about, unless it was run on other data."""
    store, site = study.store, study.site
    if store.spec_path.exists():
        stored = store.digest()
        if stored is None:
            raise StudyError(
                f"{store.spec_path} does not tell the MD5 of its data any more: restore it, or "
                "give another --out"
            )
        if stored != digest:
            raise StudyError(
                f"{store.folder} was run on other data (MD5 {stored}, now {digest}): give "
                "another --out"
            )
    store.write_spec(study.spec, digest)
    if study.pending or not store.machine():
        store.write_machine({**site.machine.to_json(), "versions": site.versions})

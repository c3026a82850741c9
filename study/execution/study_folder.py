"""A study in its folder: where it is, what may be added to it, what has changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study import data
from study.errors import StudyError
from study.execution.planning.portions import Portion, portioned
from study.execution.planning.resources import Crew
from study.execution.planning.shards import share
from study.execution.request import Request
from study.machine.facts import Site
from study.machine.here import this_site
from study.spec.own import is_own, model_in_words, other_model
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.across import checks_of, pooled_engines
from study.storage.calibration import Calibration
from study.storage.records import Outcome, Run
from study.storage.reference import Clock, Reference, reference_in
from study.storage.step_times import read
from study.storage.store import Store
from study.tables import best_rates
from study.validation import home

RESULTS = Path("results")


def folder_of(spec: StudySpec, out: str | Path | None, site: Site | None = None) -> Path:
    """The study's folder: `out` itself, else results/<study>.

    A study that stands in results/<machine>/<study>, as older versions had it, stays there.
    """
    if out == "":
        raise StudyError(
            "the folder given as --out is an empty text: name a folder, or leave the option out"
        )
    if out is not None:
        return home(out)
    older = RESULTS / (site or this_site()).machine.name / spec.name
    return older if (older / "spec.json").exists() else RESULTS / spec.name


def calibration_of(
    folder: Path, shared: bool, site: Site | None = None, clock: Clock | None = None
) -> Calibration:
    """The step times of a site, as a study knows them.

    Args:
        folder: the study's folder, whose file counts first.
        shared: read and write the file beside the folder, too, as a study under results does.
        site: whose step times; this machine's if None.
        clock: the step times of the study's reference, where that is another machine.
    """
    site = site or this_site()
    return Calibration(_step_time_files(folder, shared), site.machine, site.software, clock=clock)


def _step_time_files(folder: Path, shared: bool) -> list[Path]:
    return [folder / "calibration.json", *([folder.parent / "calibration.json"] if shared else [])]


@dataclass
class OpenStudy:
    """A study in its folder, its rows read once: what is stored, and what is still to train.

    Attributes:
        store: the folder, open for writing where something is to be trained.
        spec: the study.
        trials: those of its trials that this run is to train: all, or a shard.
        site: where its trials train, and step times are measured; of several kinds of workers, the
            reference's where it is among them.
        stored: the runs on the disk, those of failed trials left out where they train again.
        times: the site's step times.
        reference: whose step times turn the cap into steps.
    """

    store: Store
    spec: StudySpec
    trials: tuple[Trial, ...]
    site: Site
    stored: list[Run]
    times: Calibration
    reference: Reference

    def plan(self, crews: Sequence[Crew]) -> list[Portion]:
        """What is still to train, and how: a portion for the workers of each kind."""
        stored = {run.id for run in self.stored}
        pending = [trial for trial in self.trials if trial.id not in stored]
        return portioned(pending, [(crew, self.times_of(crew.site)) for crew in crews])

    def times_of(self, site: Site) -> Calibration:
        """The step times of the kind of a site, and those by which its trials' seconds count."""
        if site.kind == self.times.kind:
            return self.times
        clock = self.times.clock or Clock(self.reference, self.times.times)
        return Calibration(self.times.paths, site.machine, site.software, clock=clock)

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


def open_study(request: Request, sites: Sequence[Site]) -> OpenStudy:
    """The study that a request names, in its folder; nothing is written.

    Args:
        request: the study, and how it is to be trained.
        sites: where its trials may train, a site for each kind.

    Raises:
        StudyError: the folder holds another study, one of another reference or of an engine that
            does not pool, or lacks step times of the reference that are needed.
    """
    store = Store(folder_of(request.spec, request.out, sites[0]))
    stored, spec = store.runs(), _as_stored(store, request.spec)
    _belongs(store, stored, spec, sites[0])
    there = store.reference(stored)
    asked = reference_of(home(request.reference)) if request.reference is not None else None
    if there and asked and asked.kind != there.kind:
        raise StudyError(
            f"{store.folder} counts seconds by {there}, and --reference {request.reference} would "
            f"count them by {asked}: leave it out, or give another --out"
        )
    wanted = there or asked
    site = next((site for site in sites if wanted and site.kind == wanted.kind), sites[0])
    mine = Reference(site.machine.name, site.machine.fingerprint, site.software)
    reference = wanted or mine
    files = _step_time_files(store.folder, request.out is None)
    if request.reference is not None:
        files.append(home(request.reference) / "calibration.json")
    clock = None
    if reference.kind != mine.kind and spec.mode == "array":
        clock = Clock.read(reference, files, stored)
    times = calibration_of(store.folder, request.out is None, site, clock)
    if asked and asked.kind == mine.kind:
        # Many processes on such machines count by the same step times, measured once.
        times.adopt(read(files[-1]))
    if request.retry:
        stored = [run for run in stored if run.outcome is not Outcome.FAILED]
    trials = share(spec, request.shard)
    study = OpenStudy(store, spec, trials, site, stored, times, reference)
    if clock:
        _knows(study)
    return study


def reference_of(folder: Path) -> Reference:
    """The reference of the study in a folder, or of the step times there.

    Raises:
        StudyError: the folder names none.
    """
    store = Store(folder)
    found = store.reference(store.runs()) if store.spec_path.exists() else None
    return found or reference_in(folder)


def _knows(study: OpenStudy) -> None:
    """Raise `StudyError` if a step time of the reference is needed and not known."""
    ids = {run.id for run in study.stored}
    missing = study.times.missing(trial for trial in study.trials if trial.id not in ids)
    if missing:
        trial = missing[0]
        raise StudyError(
            f"{study.store.folder} counts seconds by {study.reference}, and the step time of "
            f"{trial.optimizer} on the {model_in_words(trial.network)} at width {trial.width:g} "
            "is not known there: run calibrate on that machine with the same --out, or give "
            "another --out"
        )


def has_ended(request: Request) -> bool:
    """Whether nothing of the study is left to train, its validation curves included."""
    store = Store(folder_of(request.spec, request.out))
    if not store.spec_path.exists():
        return False
    runs, spec = store.runs(), _as_stored(store, request.spec)
    if store.spec().differences(spec):
        return False
    left = {run.id for run in runs if request.retry and run.outcome is Outcome.FAILED}
    done = {run.id for run in runs} - left
    if any(trial.id not in done for trial in share(spec, request.shard)):
        return False
    reference = store.reference(runs)
    mine = [run for run in runs if reference and run.clock == reference.fingerprint]
    return not request.whole or not draws_curves(spec) or best_rates.wanted(store, mine) is None


def draws_curves(spec: StudySpec) -> bool:
    """Whether the study has data for validation curves."""
    return spec.own is None or spec.own.validation


def _as_stored(store: Store, spec: StudySpec) -> StudySpec:
    """The spec with the stored study's name of the data, if it names the same data.

    Data are told apart by their digest: the same file may be written or lie elsewhere today.
    """
    if is_own(spec.network):
        return spec
    there = store.spec().dataset if store.spec_path.exists() else spec.dataset
    if there == spec.dataset or store.digest() != data.load(spec.dataset).digest:
        return spec
    return spec.with_(dataset=there)


def _text(value: object) -> str:
    """A value as a user writes it."""
    return "none" if value is None else str(value)


def _belongs(store: Store, stored: Sequence[Run], spec: StudySpec, site: Site) -> None:
    """Raise `StudyError` if the folder holds trials under another protocol, or of another engine or
    precision.
    """
    if store.spec_path.exists():
        there = store.spec()
        different = there.differences(spec)
        if there.own and spec.own and (what := other_model(there, spec)):
            raise StudyError(
                f"{store.folder} holds a study of another model ({what}): give another --out"
            )
        if different:
            listed = "; ".join(
                f"{name} is {_text(getattr(there, name))} there, {_text(getattr(spec, name))} here"
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
    pooled = pooled_engines(checks_of(store.folder)) if other else {}
    if other and not pooled.get((site.engine, site.precision)):
        what = (
            f"{other.engine} in {other.precision}, and this would be {site.engine} in "
            f"{site.precision}"
        )
        raise StudyError(
            f"{store.folder} holds trials of {what}: give another --out, --engine or --precision, "
            "or show with verify --across that both take the same steps"
        )


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
    store.write_spec(study.spec, digest, study.reference)
    study.times.keep()
    if study.pending or not store.machine():
        store.write(store.machine_path, {**site.machine.to_json(), "versions": site.versions})

"""Options that belong together, as frozen objects: a command takes them as one parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from study.cli.options import Batch, Dataset, Hyper, NetworkName, WaitQuiet
from study.cli.parameters import among, read_by, real, whole
from study.engines.choice import AUTO, CHOICES, PRECISIONS, EngineChoice, engine_choice
from study.errors import StudyError
from study.execution.request import BACKENDS, Shard
from study.machine.device import choose
from study.spec.goals import GOALS
from study.spec.study import StudySpec
from study.spec.trial import METRICS, MODES, OPTIMIZERS, PRUNES, Trial
from study.validation import integer

SHORTEST_HANG, LONGEST_HANG = 30.0, 1e7
"""Seconds. A healthy trial may compile for 30 s before its first check."""


def setup_of(engine: str, device: str | None, precision: str) -> EngineChoice:
    """The engine asked for; the device is settled for this process."""
    if device is not None:
        choose(device)
    return engine_choice(engine, precision)


def _workers(text: str) -> int | None:
    """A number of workers; None is as the machine suggests."""
    return None if text == "auto" else integer("workers", text, 1, 1000)


def _shard(text: str) -> Shard:
    """Which of how many shares, of a text such as 3/8."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found:
        raise StudyError(f"shard {text!r} must be I/N, such as 3/8 for the third of eight shares")
    return Shard(int(found[1]), int(found[2]))


def _memory(text: str) -> float:
    """Bytes, of a size such as 8GB."""
    from study.execution.planning.resources import parse_memory

    return parse_memory(text)


@dataclass(frozen=True)
class StepOptions:
    """What the time of a step depends on."""

    panel: ClassVar[str] = "The study"
    optimizers: Annotated[
        str | None, among(OPTIMIZERS, metavar="NAMES", help="Optimizers, separated by commas.")
    ] = None
    widths: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS", help="Factors of the number of filters, separated by commas."
        ),
    ] = None
    network: NetworkName = None
    batch: Batch = None
    hyper: Hyper = None
    scale_dense: Annotated[
        bool | None,
        typer.Option(
            "--scale-dense/--no-scale-dense",
            help="Scale the first dense layer by the width, too.",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The options that were given, as fields of a spec."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def over(self, spec: StudySpec) -> StudySpec:
        """The spec, with the options that were given in place of its own values."""
        return spec.with_(**self.given())


@dataclass(frozen=True)
class SpecOptions(StepOptions):
    """All that a study is, but for its name; the spec itself checks the values."""

    rates: Annotated[
        str | None,
        typer.Option(
            metavar="RATES",
            help="Learning rates: published, LOW:HIGH:N (N rates at equal ratios), numbers "
            "separated by commas, or auto[:DIR], which is around the best rate of the grid in DIR.",
        ),
    ] = None
    seeds: Annotated[int | None, whole(help="The number of seeds.")] = None
    dataset: Dataset = None
    target: Annotated[
        float | None,
        real(metavar="A", help="The accuracy to reach, above 0 and at most 1; or any metric's."),
    ] = None
    metric: Annotated[
        str | None,
        among(
            METRICS,
            help=f"The accuracy that counts: {', '.join(METRICS)}; of your own model any metric, "
            "such as val_loss.",
        ),
    ] = None
    goal: Annotated[
        str | None,
        among(GOALS, help="at-least or at-most. Not given: as the metric's name says."),
    ] = None
    cap: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS", help="A trial is given up after this time of training; or none."
        ),
    ] = None
    max_steps: Annotated[
        str | None,
        typer.Option(metavar="N", help="A trial is given up after N steps; or none."),
    ] = None
    max_epochs: Annotated[
        float | None,
        real(metavar="N", help="The same in epochs of the data of your own model."),
    ] = None
    check_every: Annotated[int | None, whole(help="Steps between two looks at the accuracy.")] = (
        None
    )
    mode: Annotated[
        str | None,
        among(MODES, help="array (trials train together), or alone (one by one, by the clock)."),
    ] = None
    prune: Annotated[
        str | None,
        among(
            PRUNES,
            help="none; hopeless: give up a trial if even a generous extrapolation of its accuracy "
            "misses the target; or plateau: give it up if it gets no better for long.",
        ),
    ] = None
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:ARGS]",
            help="How the rate changes over the steps, such as cosine:steps=2000.",
        ),
    ] = None


@dataclass(frozen=True)
class WorkerOptions:
    """Who trains, and what it may use."""

    panel: ClassVar[str] = "Workers"
    workers: Annotated[
        int | None,
        read_by(
            _workers,
            metavar="N",
            show_default="auto",
            help="Processes that train at the same time; of a cluster, workers to wait for. auto: "
            "as the machine suggests.",
        ),
    ] = None
    memory: Annotated[
        float | None,
        read_by(
            _memory,
            metavar="SIZE",
            help="Memory that they may fill together, in MB, GB or TB, such as 8GB; a number alone "
            "is in GB. Not given: half of the free memory.",
        ),
    ] = None
    hang_limit: Annotated[
        float | None,
        real(
            SHORTEST_HANG,
            LONGEST_HANG,
            metavar="SECONDS",
            help="Record a trial as failed, and end its process, if it comes to no check within "
            "this time, compilation included.",
        ),
    ] = None


@dataclass(frozen=True)
class RunOptions(WorkerOptions):
    """How a study's trials are trained."""

    backend: Annotated[
        str,
        among(BACKENDS, help="Who trains: loky (processes of this machine), dask or ray."),
    ] = "loky"
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a dask scheduler, tcp://HOST:PORT, or of a Ray cluster, ray://HOST:PORT.",
        ),
    ] = None
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Count seconds by the step times of this study or folder of step times: its "
            "machine turns the cap in seconds into steps. Not given: the first machine that ran "
            "the study.",
        ),
    ] = None
    shard: Annotated[
        Shard | None,
        read_by(
            _shard,
            metavar="I/N",
            help="Train the I-th of N shares of the study, into a folder of its own; see merge.",
        ),
    ] = None
    wait_quiet: WaitQuiet = None
    retry: Annotated[bool, typer.Option("--retry", help="Train failed trials again.")] = False
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Move the lines of a stored FILE that cannot be read to the file FILE.bad.",
        ),
    ] = False


@dataclass(frozen=True)
class TrainerOptions:
    """What trains, and on which device."""

    panel: ClassVar[str] = "The engine"
    engine: Annotated[
        str,
        among(
            CHOICES,
            help="tensorflow, jax, native (arrays compiled for this processor), or the faster.",
        ),
    ] = AUTO
    device: Annotated[
        str | None,
        among(
            ("cpu", "gpu"),
            metavar="NAME",
            help="cpu, gpu or gpu:N. Not given: the GPUs, where there are any.",
        ),
    ] = None
    precision: Annotated[
        str,
        among(
            PRECISIONS,
            help="Of products: float32, tf32 (on GPUs), or default, which is tf32 where a GPU has "
            "it.",
        ),
    ] = "default"

    def setup(self) -> EngineChoice:
        """The engine asked for; the device is settled for this process."""
        return setup_of(self.engine, self.device, self.precision)


@dataclass(frozen=True)
class SearchOptions:
    """What a search trains, but for the optimizer."""

    panel: ClassVar[str] = "What is trained"
    network: NetworkName = None
    dataset: Dataset = None
    width: Annotated[float | None, real(metavar="W", help="Factor of the number of filters.")] = (
        None
    )
    batch: Batch = None
    hyper: Hyper = None
    seed: Annotated[
        int,
        whole(0, 2**31 - 1, metavar="S", help="The seed of the initial weights and the batches."),
    ] = 0

    def spec(self, optimizer: str, own: Mapping[str, Any]) -> StudySpec:
        """A study of the trial to train, perhaps of the user's own model."""
        given: dict[str, Any] = {
            name: value
            for name in ("network", "dataset", "batch", "hyper")
            if (value := getattr(self, name)) is not None
        }
        if self.width is not None:
            given["widths"] = (self.width,)
        return StudySpec(rates=(1.0,), optimizers=(optimizer,), **given, **own)

    def trial(self, optimizer: str) -> Trial:
        """The trial of a built-in network to train; its own rate is never used."""
        return replace(self.spec(optimizer, {}).trials()[0], seed=self.seed)

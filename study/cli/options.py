"""Options that several commands of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.engines.choice import EngineChoice
from study.machine.device import choose
from study.spec.trial import OPTIMIZERS
from study.validation import integer, number

LONGEST_WAIT = 1e6


SHORTEST_HANG = 30.0
"""Seconds; a healthy trial may compile for so long before its first check."""


def path_of(text: str) -> Path:
    """A path that is not an empty text, which an unset variable gives."""
    if not text:
        raise typer.BadParameter("it is an empty text: name a folder")
    return Path(text)


def setup_of(engine: str, device: str | None, precision: str) -> EngineChoice:
    """The engine asked for; the device is settled for this process."""
    if device is not None:
        choose(device)
    return EngineChoice(engine, precision)


def workers_of(text: str) -> int | None:
    """How many workers; None is as the machine suggests."""
    return None if text == "auto" else integer("workers", text, 1, 1000)


def memory_of(text: str | None) -> float | None:
    """Bytes of memory, where a size was given."""
    from study.execution.resources import parse_memory

    return None if text is None else parse_memory(text)


def silence_of(text: str | None) -> float | None:
    """Seconds without a check after which a trial hangs, where a limit was given."""
    return None if text is None else number("hang-limit", text, SHORTEST_HANG, 1e7)


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", parser=path_of)]


Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="the study's folder itself; results/<machine>/<study> where it is not given",
    ),
]


Optimizers = Annotated[str | None, typer.Option(help="names separated by commas")]


Rates = Annotated[
    str | None,
    typer.Option(
        help="published, LOW:HIGH:N (log-spaced), rates by commas, or auto[:DIR]: around the "
        "best of a stored grid"
    ),
]


Widths = Annotated[str | None, typer.Option(help="multipliers of the filters, separated by commas")]


Seeds = Annotated[str | None, typer.Option(metavar="N", help="number of seeds")]


NetworkName = Annotated[str | None, typer.Option("--network", help="compact, tutorial or mlp")]


Dataset = Annotated[
    str | None, typer.Option(help="mnist, fashion-mnist, or an .npz file with MNIST's four keys")
]


Target = Annotated[str | None, typer.Option(metavar="A", help="accuracy to reach, in (0, 1]")]


Metric = Annotated[str | None, typer.Option(help="window, cumulative or validation")]


Cap = Annotated[
    str | None,
    typer.Option(
        metavar="SECONDS", help="seconds of training after which a trial is given up, or none"
    ),
]


MaxSteps = Annotated[
    str | None, typer.Option(metavar="N", help="steps after which a trial is given up, or none")
]


Batch = Annotated[str | None, typer.Option(metavar="N", help="images a step")]


CheckEvery = Annotated[
    str | None, typer.Option(metavar="N", help="steps between two looks at the accuracy")
]


Mode = Annotated[
    str | None,
    typer.Option(help="array (trials train together) or alone (one by one, by the clock)"),
]


Hyper = Annotated[
    str | None,
    typer.Option(help="published (TensorFlow 1's hyper-parameters) or keras (Keras 3's)"),
]


Prune = Annotated[
    str | None,
    typer.Option(
        help="none, or hopeless: give up early what, extrapolated generously, will miss the target"
    ),
]


Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[:ARGS]",
        help="how the rate changes over the steps, such as cosine:steps=2000; constant",
    ),
]


ScaleDense = Annotated[
    bool | None,
    typer.Option(
        "--scale-dense/--no-scale-dense", help="scale the first dense layer by the width too"
    ),
]


Workers = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="processes that train at the same time, or of a scheduler to wait for; auto: as "
        "the machine suggests",
    ),
]


Backend = Annotated[
    str, typer.Option(help="who trains: loky (processes of this machine), dask or ray")
]


Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="of a dask scheduler, tcp://HOST:PORT, or a Ray cluster, ray://HOST:PORT",
    ),
]


WaitQuiet = Annotated[
    str | None,
    typer.Option(
        "--wait-quiet",
        metavar="SECONDS",
        help="wait at most so long for other programs to end, before timing",
    ),
]


HangLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SECONDS",
        help="end a trial, as failed, that comes to no check for so long, compilation included",
    ),
]


Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="memory to fill at most, such as 8GB; half of what is free if not given",
    ),
]


Of = Annotated[
    str | None,
    typer.Option(
        "--machine",
        metavar="NAME",
        help="the machine whose trials to take, where there are several",
    ),
]


EngineName = Annotated[str, typer.Option("--engine", help="what trains: tensorflow or jax")]


DeviceName = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="cpu, gpu or gpu:N; the GPUs where there are any if not given",
    ),
]


Precision = Annotated[
    str,
    typer.Option(
        help="of products: float32, tf32 (GPUs), or default, which is tf32 where a GPU has it"
    ),
]


AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="studies' folders", parser=path_of)
]


Optimizer = Annotated[str, typer.Option(help=", ".join(OPTIMIZERS))]


Width = Annotated[str | None, typer.Option(help="multiplier of the filters")]


Seed = Annotated[str, typer.Option(metavar="S", help="of the initial weights and the batches")]


Files = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="write the numbers and a figure there", parser=path_of
    ),
]

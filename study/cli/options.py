"""Single options that several commands share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from study.cli.parameters import among, real, whole
from study.spec.goals import GOALS
from study.spec.presets import PRESETS
from study.spec.trial import DATASETS, HYPERS, MOST_SEEDS, NETWORKS, OPTIMIZERS
from study.storage.readings.aim import Aim

LONGEST_WAIT = 1e6
"""Seconds."""


What = Annotated[
    str | None,
    typer.Argument(
        metavar="[PRESET|FILE.toml]",
        help=f"A preset ({', '.join(PRESETS)}), or a TOML file with the same keys as the options. "
        "Not needed with --model or --command.",
        autocompletion=lambda: list(PRESETS),
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")]
Folders = Annotated[
    list[Path],
    typer.Argument(metavar="DIR", help="The folders of one or more studies."),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The folder of the study. Not given: results/STUDY.",
    ),
]
MakeIn = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write to.")]
Files = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write the numbers and a figure to DIR."),
]
Of = Annotated[
    str | None,
    typer.Option(
        "--machine",
        metavar="NAME",
        help="Give seconds by the step times of this machine, a name or a fingerprint. Not given: "
        "the study's reference.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
WaitQuiet = Annotated[
    float | None,
    real(
        0,
        LONGEST_WAIT,
        metavar="SECONDS",
        help="Wait for other programs to end before anything is timed, but no longer than this.",
    ),
]
NetworkName = Annotated[str | None, among(NETWORKS, help=f"The network: {', '.join(NETWORKS)}.")]
Dataset = Annotated[
    str | None,
    among(
        DATASETS,
        metavar="NAME|FILE.npz",
        help="The data: mnist, fashion-mnist, or an .npz file with the four keys of MNIST's file.",
    ),
]
Batch = Annotated[int | None, whole(help="Images in each step.")]
Hyper = Annotated[
    str | None,
    among(
        HYPERS,
        metavar="SET[,OPTIONS]",
        help="Hyper-parameters: published (those of TensorFlow 1), or keras (Keras 3), and options "
        "that change them, such as keras,adam.beta1=0.8,clipnorm=1.",
    ),
]
Optimizer = Annotated[str, among(OPTIMIZERS, help=f"The optimizer: {', '.join(OPTIMIZERS)}.")]
SeedOf = Annotated[
    int, whole(0, 2**32, metavar="S", help="The seed of the random choice of those trials.")
]
Count = Annotated[int, whole(1, MOST_SEEDS, help="The number of seeds.")]


@dataclass(frozen=True)
class ModelOptions:
    """A model of the user's own, in place of a built-in network.

    Its code is imported by commands that train, and by plan; never by those that read results.
    """

    panel: ClassVar[str] = "Your own model (its code is imported only to train and to plan)"
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:NAME",
            help="The function that builds a Keras model or a torch.nn.Module; or MODULE:NAME.",
        ),
    ] = None
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:NAME", help="The function that loads its data."),
    ] = None
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.py:NAME",
            help="Its loss, such as mse or cross_entropy, unless the model brings its own.",
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The options that were given, as fields of a spec."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class ProgramOptions:
    """A program of the user's own, in place of a network: it trains, and reports."""

    panel: ClassVar[str] = "Your own program (no shell sees its command line)"
    command: Annotated[
        str | None,
        typer.Option(
            metavar="LINE",
            help="The command line of a trial, with {rate}, {optimizer}, {width}, {seed}, {trial} "
            "and {out}, a folder of its own. They are variables such as STUDY_RATE, too.",
        ),
    ] = None
    report: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The file in which the program reports, such as {out}/log.csv. Not given: it "
            "prints its reports.",
        ),
    ] = None
    read: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="A regular expression of a report, such as 'step (?P<step>\\d+) .*acc "
            "(?P<accuracy>[\\d.]+)'. Not given: JSON lines, or CSV with a header.",
        ),
    ] = None
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="A file whose content is part of the study; may be given often."
        ),
    ] = None
    percent: Annotated[
        bool, typer.Option("--percent", help="The program tells accuracies in percent.")
    ] = False

    def given(self) -> dict[str, Any]:
        """The options that were given, as fields of a spec."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class AimOptions:
    """What trials are to reach, asked of them after they were trained or imported."""

    panel: ClassVar[str] = "What the trials are read by"
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A metric that the trials tell, such as cumulative."),
    ] = None
    target: Annotated[
        float | None,
        real(metavar="X", help="Its value to reach; an accuracy is a share, such as 0.9."),
    ] = None
    goal: Annotated[
        str | None,
        among(
            GOALS,
            help="Whether it is to be at-least or at-most the target. Not given: what its name "
            "says.",
        ),
    ] = None

    def aim(self) -> Aim:
        """These, as a reading takes them."""
        return Aim(self.metric, self.target, self.goal)

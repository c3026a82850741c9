"""Train one network at many learning rates with many optimizers, and measure what each rate costs.

    spec = study.StudySpec(optimizers=("adam", "sgd"), rates="1e-4:1:9", cap=5.0)
    runs = study.run(spec, out="results/mine")      # a DataFrame, one row a trial
    runs = study.load("results/mine")               # the same rows, later
    study.tables.best(runs), study.figures.valley(runs), study.tables.sizes(runs)
    study.from_frame(df, "results/theirs", metric="val_acc", target=0.9)   # made elsewhere
    study.claims.judge(["results/mine"])
    keras.optimizers.SGD(study.schedule("triangular:half=500", 0.1))
    study.find_rate(model, x, y).suggest("tenth")   # for any compiled Keras model
    study.find_rate(module, loader, loss=loss, optimizer="adamw")   # for any module of PyTorch
    study.suggest(rates, losses).rate               # for a curve that was measured elsewhere

A study that was stopped goes on when it is run again. Importing this loads no framework. `run`
loads one when there is something to train, and `schedule` loads Keras. `find_rate` loads none: it
takes the one of its model.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.errors import StudyError
from study.spec.presets import preset, read_spec
from study.spec.study import StudySpec
from study.spec.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from study.search.curve import Pick
    from study.search.finder import Sweep
    from study.spec.schedules.base import Schedule

__all__ = [
    "StudyError",
    "StudySpec",
    "Trial",
    "claims",
    "compare",
    "figures",
    "find_rate",
    "fits",
    "from_frame",
    "load",
    "preset",
    "read_spec",
    "results",
    "run",
    "schedule",
    "suggest",
    "tables",
]


def run(
    spec: StudySpec,
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    backend: str = "loky",
    scheduler: str | None = None,
    reference: str | Path | None = None,
    wait_quiet: float = 0.0,
    progress: bool = True,
) -> pd.DataFrame:
    """Train what the study in `out` still lacks and return all its runs.

    See `study.execution.driver.run` and, for the options, `study.execution.request.Request`.

    `reference` is the folder of a study whose machine's step times turn the cap into steps.
    `wait_quiet` is how many seconds to wait for other programs to end before step times are
    measured. Notes, on a busy machine for example, go to standard error beside the progress bar.
    """
    from tqdm import tqdm

    from study import tables
    from study.execution import driver
    from study.execution.request import Request

    def warn(sentences: list[str]) -> None:
        for sentence in sentences if progress else ():
            tqdm.write(f"note: {sentence}", file=sys.stderr)

    request = Request(
        spec,
        out,
        workers=workers,
        backend=backend,
        scheduler=scheduler,
        reference=reference,
        patience=wait_quiet,
    )
    folder = driver.run(request, warn=warn, progress=progress)
    return tables.load(folder)


def load(
    folder: str | Path,
    machine: str | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
    goal: str | None = None,
) -> pd.DataFrame:
    """The stored runs of a study's folder, one row a trial; see `study.tables.load`.

    With `metric`, `target` or `goal` the stored checks tell how each trial ended by them, without
    training; see `study.tables.stored`.
    """
    from study import tables
    from study.storage.readings.aim import Aim

    return tables.load(tables.stored(folder, machine, Aim(metric, target, goal)))


def from_frame(
    table: pd.DataFrame,
    out: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
    goal: str | None = None,
    percent: bool = False,
) -> pd.DataFrame:
    """Results that were made elsewhere as a study, as `study import` makes it; its runs.

    Args:
        table: one row a check, or one row a trial; NaN is a cell in which nothing stands.
        out: the new study's folder.
        columns: the column of `rate`, `optimizer`, `width`, `seed`, `trial`, `step`, `seconds` or
            `state`, where the usual names do not tell; `"none"` for one not to be used.
        metric: what the trials are read by; see `study.tables.stored` for another.
        target: its value to reach.
        goal: whether it is to be `at-least` or `at-most` that.
        percent: whether accuracies are told in percent.

    Returns:
        The runs, as `load` gives them.

    Raises:
        StudyError: what the table tells is not clear, or the folder holds a study already.
    """
    from study import tables
    from study.storage.imports.importing import import_frame
    from study.storage.readings.aim import Aim

    import_frame(table, out, columns, Aim(metric, target, goal), percent)
    return tables.load(out)


def results(name: str) -> Path:
    """A folder of the results that come with the repository, wherever Python was started.

    Args:
        name: such as `amd-epyc-2-cores/article`.

    Returns:
        Its path.

    Raises:
        StudyError: no such folder, or a package that was installed without the repository.
    """
    place = Path(__file__).parents[1] / "results"
    if not place.is_dir():
        raise StudyError(
            "the package is installed without the repository, which holds the results: clone it, "
            "or give the path of a folder of your own"
        )
    if not (place / name).is_dir():
        raise StudyError(f"the repository has no results {name!r} (no folder {place / name})")
    return place / name


def schedule(shape: str | Schedule, learning_rate: float) -> Any:
    """A `keras.optimizers.schedules.LearningRateSchedule` of that shape; see
    `study.search.keras.schedule.schedule`.
    """
    from study.search.keras.schedule import schedule

    return schedule(shape, learning_rate)


def find_rate(model: Any, x: Any, y: Any = None, **options: Any) -> Sweep:
    """The loss of a model under a rising learning rate, the model left as it was.

    See `study.search.keras.finder.find_rate` for a compiled Keras model, and
    `study.search.torch.finder.find_rate` for a module of PyTorch.

    Args:
        model: a compiled Keras model, or a `torch.nn.Module`.
        x: its data; a `DataLoader`, for example.
        y: targets, where x is inputs alone.
        **options: those of its finder; a module needs `loss` and `optimizer`.

    Returns:
        The sweep; its `suggest` gives a rate, and its `why` the reason.

    Raises:
        StudyError: it is neither kind of model, or its finder refuses what it is given.
    """
    from study.search.own.kinds import finder_of

    return finder_of(model)(model, x, y, **options)


def suggest(
    rates: Any,
    losses: Any,
    rule: str = "tenth",
    accuracy: Any = None,
    *,
    steps: int | None = None,
    stop: float | None = 4.0,
) -> Pick:
    """The rate that a rule reads off a curve that was measured elsewhere, and the reason in words.

    See `study.search.measured.suggest`.
    """
    from study.search.measured import suggest

    return suggest(rates, losses, rule, accuracy, steps=steps, stop=stop)


def __getattr__(name: str) -> Any:
    # pandas and seaborn take a second to import; they are loaded when they are first named.
    if name in ("claims", "figures", "tables"):
        return import_module(f"study.{name}")
    if name in ("compare", "fits"):
        return import_module(f"study.tables.{name}")
    raise AttributeError(f"module 'study' has no attribute {name!r}")

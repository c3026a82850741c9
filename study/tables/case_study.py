"""The published case study of cyclical rates, with its missing controls: how much of the gain is
the cycle's?

An article trained a perceptron 784-784-10 with Adam for 10 epochs at batch 200 and the constant
rate 0.001, then 10 more epochs at batch 2,000 with a triangular cycle from 0.001 to 0.006, and gave
the cycle credit for the lower error and the shorter time. Here the second run also starts from
scratch, and each run at batch 2,000 has its constant twin. A second set of arms compares windows of
the cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage import step_times
from study.storage.jsonl import Row, convert, read_rows
from study.tables import intervals

EPOCHS = 10


LOW, HIGH = 0.001, 0.006
"""The article's bounds, and CLR's defaults; half a cycle is 2,000 steps there, so 10 epochs at
batch 2,000 end within its first rise.
"""


HALF = 45
"""Steps of half a cycle where the windows are compared: three whole cycles in 10 epochs of MNIST at
batch 2,000.
"""


FIRST = "constant, batch 200"


SCRATCH = "cycle, batch 2000"


CONTROL = "constant, batch 2000"


PUBLISHED = "cycle, batch 2000, carrying on"


CONTROL_ON = "constant, batch 2000, carrying on"


PEAK = "constant 0.006, batch 2000"


WINDOWS = ("triangular", "welch", "hann")


FILE = "cycles.jsonl"


EQUAL = 0.1
"""Points of error within which two windows do equally well: ten images of the test set."""


@dataclass(frozen=True)
class Arm:
    """One way of training.

    Args:
        name: what it is called.
        batch: images a step.
        rate: the peak rate.
        schedule: the factor on the rate.
        carries_on: whether it continues from the weights at which the first arm ended.
    """

    name: str
    batch: int
    rate: float
    schedule: str = "constant"
    carries_on: bool = False


def _cycle(half: int, window: str = "triangular") -> str:
    return f"triangular:half={half},base={LOW / HIGH!r},window={window}"


ARMS = (
    Arm(FIRST, 200, LOW),
    Arm(SCRATCH, 2000, HIGH, _cycle(2000)),
    Arm(CONTROL, 2000, LOW),
    Arm(PEAK, 2000, HIGH),
    *(Arm(f"three cycles, {window}", 2000, HIGH, _cycle(HALF, window)) for window in WINDOWS),
    Arm(PUBLISHED, 2000, HIGH, _cycle(2000), carries_on=True),
    Arm(CONTROL_ON, 2000, LOW, carries_on=True),
)
"""All arms. `FIRST` comes first, because others continue from it."""


def trial_of(arm: Arm, seed: int, dataset: str) -> Trial:
    """The arm as a trial: a perceptron with Adam, at the arm's batch and peak rate.

    Args:
        arm: the way of training.
        seed: the seed.
        dataset: as in a study.

    Returns:
        The trial.
    """
    spec = StudySpec(
        optimizers=("adam",), rates=(arm.rate,), network="mlp", dataset=dataset, batch=arm.batch
    )
    return replace(spec.trials()[0], seed=seed)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Each way of training at its last epoch.

    Args:
        rows: the rows of the case study, as `read` gives them.

    Returns:
        One row an arm, with the columns

        - arm, batch, steps: what was trained
        - seeds: how many
        - error, low, high: mean test error in percent, with a 95 % interval (Student's t)
        - seconds, seconds_low, seconds_high: of training, with the quartiles of their measurement
    """
    last = rows[rows["epoch"] == rows["epoch"].max()]
    found = []
    for arm in ARMS:
        mine = last[last["arm"] == arm.name]
        error = intervals.mean(100 * mine["test_error"].to_numpy(float))
        row = {
            "arm": arm.name,
            "batch": arm.batch,
            "seeds": error.count,
            "error": error.mean,
            "low": error.low,
            "high": error.high,
        }
        found.append({**row, "steps": int(mine["steps"].iloc[0])})
        found[-1] |= {
            name: float(mine[name].median())
            for name in ("seconds", "seconds_low", "seconds_high")
            if name in mine
        }
    return pd.DataFrame(found).replace([np.inf, -np.inf], np.nan)


def final(rows: pd.DataFrame) -> pd.DataFrame:
    """Test errors at the end in percent: a row a seed, a column an arm; NaN if one is missing."""
    last = rows[rows["epoch"] == rows["epoch"].max()].pivot_table(
        index="seed", columns="arm", values="test_error"
    )
    errors: pd.DataFrame = 100 * last.reindex(columns=[arm.name for arm in ARMS])
    return errors


def gain(rows: pd.DataFrame, arm: str, over: str, miss: float = 0.05) -> intervals.Mean:
    """The difference of two arms' test errors at the end, paired over the seeds.

    Args:
        rows: the rows of the case study.
        arm: the arm that gains.
        over: the arm that it is compared with.
        miss: the share of cases that the interval may miss.

    Returns:
        The mean of error of `over` - error of `arm`, in points.
    """
    both = final(rows)[[arm, over]].dropna()
    return intervals.mean((both[over] - both[arm]).to_numpy(float), miss)


def windows(rows: pd.DataFrame, miss: float = 0.05) -> list[intervals.Mean]:
    """The differences of the windows' errors, pair by pair, in points."""
    return [
        gain(rows, f"three cycles, {a}", f"three cycles, {b}", miss)
        for a, b in combinations(WINDOWS, 2)
    ]


def conclusion(rows: pd.DataFrame) -> str:
    """How much of the published gain is the cycle's, and whether windows differ, in sentences."""
    whole, cycle, scratch = (
        gain(rows, PUBLISHED, FIRST),
        gain(rows, PUBLISHED, CONTROL_ON),
        gain(rows, SCRATCH, CONTROL),
    )
    peak = gain(rows, PEAK, CONTROL)
    most = max(abs(pair.mean) for pair in windows(rows))
    return (
        f"The second run of the article lowers the error by {_points(whole)}; against ten more "
        "epochs at batch 2,000 without a cycle, "
        f"{_points(cycle)} of that are the cycle's; from scratch it gains {_points(scratch)} "
        "over its constant twin, "
        f"and its peak rate held constant {_points(peak)} ({whole.count} seeds). "
        f"The largest difference between two windows is {most:.2f} points."
    )


def _points(found: intervals.Mean) -> str:
    mean, low, high = (
        f"{round(value, 2) + 0.0:.2f}" for value in (found.mean, found.low, found.high)
    )  # + 0: no minus before a zero
    return f"{mean} points ({low} to {high})"


@dataclass(frozen=True)
class SeedRows:
    """A row of `cycles.jsonl`: a seed, and what its arms did epoch by epoch."""

    seed: int
    rows: tuple[Row, ...]


def read_seeds(folder: Path) -> list[SeedRows]:
    """What is stored of each seed of a case study.

    Raises:
        StudyError: a line holds something else; the sentence names it.
    """
    return list(read_rows(folder / FILE, partial(convert, kind=SeedRows)))


def read(folder: str | Path) -> pd.DataFrame:
    """The rows of the case study in a folder.

    Args:
        folder: the folder.

    Returns:
        One row an arm, seed and epoch, with the columns

        - arm, seed, epoch, steps: what was trained
        - test_error: share of the test set, in [0, 1]
        - seconds, seconds_low, seconds_high: steps x step time alone, its median and its quartiles

    Raises:
        StudyError: the folder holds no case study.
    """
    folder = Path(folder)
    rows = pd.DataFrame([row for seed in read_seeds(folder) for row in seed.rows])
    if rows.empty:
        raise StudyError(f"{folder} holds no case study of cycles (no {FILE} in it)")
    times = {
        time_.batch: time_
        for time_ in step_times.read(folder / "calibration.json")
        if time_.lanes == 1
    }
    batch = rows["arm"].map({arm.name: arm.batch for arm in ARMS})
    ends = {"seconds": "seconds", "seconds_low": "low", "seconds_high": "high"}
    return rows.assign(
        **{
            name: rows["steps"]
            * batch.map({size: getattr(time_, end) for size, time_ in times.items()})
            for name, end in ends.items()
        }
    )

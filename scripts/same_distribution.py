#!/usr/bin/env python
"""Do the native engine's trials arrive as TensorFlow's do? 60 cells, five seeds, both engines.

    .venv/bin/python scripts/same_distribution.py FOLDER

The two studies lie in FOLDER/native and FOLDER/tensorflow; what they lack is trained first. A trial
of one engine is paired with the same trial of the other: weights and batches are the same, and
rounding parts them. Printed are the arrivals, with McNemar's exact test of the trials that only one
engine brought to the target; the steps of pairs that both arrived, with Wilcoxon's signed-rank test
of their ratio; and the Kolmogorov-Smirnov test of the steps, each divided by the median of its cell
over both engines.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
from scipy import stats

from study.engines.choice import engine_choice
from study.execution.driver import run
from study.execution.request import Request
from study.spec.study import StudySpec
from study.storage.store import Store

ENGINES = ("native", "tensorflow")
SPEC = StudySpec(
    name="same-distribution",
    rates=tuple(float(f"{10 ** (k / 3 - 3):.3g}") for k in range(10)),
    seeds=5,
    target=0.95,
    cap=None,
    max_steps=1500,
)


def trained(folder: Path, engine: str) -> pd.DataFrame:
    """Outcome and steps of every trial, by its identity."""
    run(Request(SPEC, folder / engine, factory=engine_choice(engine)))
    runs = Store(folder / engine).runs()
    rows = [
        (one.id, one.trial.optimizer, one.trial.learning_rate, one.outcome.value, one.steps)
        for one in runs
    ]
    return pd.DataFrame(rows, columns=["id", "optimizer", "rate", "outcome", "steps"]).set_index(
        "id"
    )


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    both = {engine: trained(folder, engine) for engine in ENGINES}
    native, plain = (both[engine].loc[both["native"].index] for engine in ENGINES)
    arrived = {engine: both[engine].loc[native.index, "outcome"] == "reached" for engine in ENGINES}
    one, other = arrived["native"], arrived["tensorflow"]
    only = (int((one & ~other).sum()), int((other & ~one).sum()))
    either = sum(only)
    mcnemar = stats.binomtest(only[0], either).pvalue if either else 1.0
    print(pd.crosstab(native["outcome"].rename("native"), plain["outcome"].rename("tensorflow")))
    print(
        f"arrived by the native engine alone {only[0]}, by tensorflow alone {only[1]} "
        f"of {len(native)} trials: McNemar's exact test, p = {mcnemar:.2g}"
    )
    pairs = native.index[one & other]
    ratio = np.log(native.loc[pairs, "steps"] / plain.loc[pairs, "steps"])
    moved = ratio[ratio != 0]
    wilcoxon = stats.wilcoxon(moved).pvalue if len(moved) else 1.0
    print(
        f"steps of the {len(pairs)} pairs that arrived: {len(pairs) - len(moved)} the same, mean "
        f"ratio {np.exp(ratio.mean()):.4f}: Wilcoxon's signed-rank test, p = {wilcoxon:.2g}"
    )
    steps = pd.concat(
        [native[one].assign(engine="native"), plain[other].assign(engine="tensorflow")]
    )
    cell = steps.groupby(["optimizer", "rate"])["steps"].transform("median")
    relative = steps["steps"] / cell
    kolmogorov = stats.ks_2samp(
        relative[steps["engine"] == "native"], relative[steps["engine"] == "tensorflow"]
    )
    print(
        f"steps over the median of their cell: Kolmogorov-Smirnov, D = {kolmogorov.statistic:.3f}, "
        f"p = {kolmogorov.pvalue:.2g}"
    )


if __name__ == "__main__":
    main()

"""Train one trial alone and in arrays, and show at which step it first differs.

    PYTHONPATH=. .venv/bin/python scripts/first_difference.py STUDY --optimizer sgd [--steps N]

The trial is the optimizer's best of the study. Every array has the same weights and batches, and
only the order of its sums may differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from study import data, tables
from study.engines.choice import TENSORFLOW
from study.engines.learner import Engine, Floats
from study.spec.trial import Trial

LANES = (1, 2, 4, 8, 24)


SHOWN = (1, 2, 5, 10, 20, 50, 100, 200)


def losses(engine: Engine, trial: Trial, lanes: int, steps: int) -> Floats:
    """The loss of the trial's lane at each step, among copies of itself."""
    learner = engine.learner([trial] * lanes)
    rates = np.full((1, lanes), trial.learning_rate)
    return np.array([float(learner.advance(rates)[0][0, 0]) for _ in range(steps)])


def best_trial(folder: Path, optimizer: str) -> Trial:
    """The first seed of an optimizer's best rate."""
    study = tables.stored(folder)
    rates = tables.best(study.runs).set_index("optimizer")["best_rate"]
    return next(
        trial
        for trial in study.spec.trials()
        if (trial.optimizer, trial.learning_rate) == (optimizer, rates[optimizer])
    )


def told(found: dict[int, Floats]) -> Iterator[str]:
    """How far each array is from the largest one, in words."""
    whole = found[max(found)]
    for lanes, mine in found.items():
        apart = np.abs(mine - whole) / np.maximum(np.abs(whole), 1e-12)
        first = int(np.argmax(apart > 0)) + 1 if apart.any() else None
        where = f"differs first at step {first}" if first else "differs nowhere"
        shares = ", ".join(f"{n}: {apart[n - 1]:.0e}" for n in SHOWN if n <= len(apart))
        yield f"{lanes} lanes: {where}; by step {shares}; last loss {mine[-1]:.3f}"


def main() -> None:
    """Print a line an array."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--steps", type=int, default=260)
    asked = parser.parse_args()
    trial = best_trial(asked.study, asked.optimizer)
    engine = TENSORFLOW(data.load(trial.dataset))
    found = {lanes: losses(engine, trial, lanes, asked.steps) for lanes in LANES}
    print(f"{trial.optimizer} at {trial.learning_rate:g}, against an array of {max(LANES)} lanes")
    print(*told(found), sep="\n")


if __name__ == "__main__":
    main()

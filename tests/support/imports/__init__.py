"""Results from elsewhere, whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

OPTIMIZERS = {"adam": 0.001, "sgd": 0.1}
"""The best rate of each."""


RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


EPOCHS = 12


def slowness(optimizer: str, rate: float) -> float:
    """Epochs after which a trial has 1 - 1/e of what it can learn; infinite where it diverges."""
    decades = math.log10(rate / OPTIMIZERS[optimizer])
    return math.inf if decades > 1.5 else 2.0 * 3.0 ** abs(decades)


def accuracy(optimizer: str, rate: float, epoch: float) -> float:
    """The accuracy after some epochs, exactly."""
    return 1 - math.exp(-epoch / slowness(optimizer, rate))


def arrival(optimizer: str, rate: float, target: float) -> int | None:
    """The first whole epoch at which the target is met, by the closed form; None if none is."""
    slow = slowness(optimizer, rate)
    if math.isinf(slow):
        return None
    epoch = max(1, math.ceil(-slow * math.log(1 - target) - 1e-9))
    return epoch if epoch <= EPOCHS else None


def rows(seeds: int = 1, seconds: float | None = 2.0) -> Iterator[dict[str, Any]]:
    """One row an epoch of each trial: loss is 1 - accuracy, and NaN where the trial diverges."""
    for optimizer in OPTIMIZERS:
        for rate in RATES:
            for seed in range(seeds):
                for epoch in range(1, EPOCHS + 1):
                    lost = math.isinf(slowness(optimizer, rate))
                    told = 0.1 if lost else accuracy(optimizer, rate, epoch)
                    row = {
                        **{"opt": optimizer, "lr": rate, "seed": seed, "epoch": epoch},
                        **{"loss": math.nan if lost else 1 - told, "val_acc": told},
                    }
                    yield row | ({} if seconds is None else {"time": seconds * epoch})


def csv_of(table: Any, path: Path) -> Path:
    """The rows as a CSV file."""
    table = list(table)
    lines = [",".join(table[0]), *(",".join(map(_text, row.values())) for row in table)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def history(optimizer: str, rate: float) -> Mapping[str, list[float]]:
    """What Keras's History of a trial holds."""
    mine = [row for row in rows() if (row["opt"], row["lr"]) == (optimizer, rate)]
    return {
        name: [row[old] for row in mine]
        for name, old in (("loss", "loss"), ("val_accuracy", "val_acc"))
    }

"""A sweep that somebody ran without this project: it leaves a folder of histories as of Keras.

    python examples/import/histories.py histories
    study import histories --names '{optimizer}_{rate}_history.json' --out results/theirs
    study tables results/theirs --metric val_accuracy --target 0.9
    study figures results/theirs --metric val_accuracy --target 0.9
    study tables results/theirs --metric val_loss --target 0.3

A network of one hidden layer separates two spirals, in NumPy. Look for two valleys: Adam's lies
about ten times lower than that of SGD. Ask for another target, and nothing is imported again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

Arrays = list[Any]


def spirals(count: int, seed: int) -> tuple[Any, Any]:
    """Points of two spirals, and the spiral that each is of."""
    random = np.random.default_rng(seed)
    along = random.uniform(0.3, 1, count)
    kind = random.integers(0, 2, count)
    angle = 10 * along + np.pi * kind
    x = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + random.normal(0, 0.03, x.shape), kind.astype(float)


def forward(weights: Arrays, x: Any) -> tuple[Any, Any]:
    """The hidden layer, and the chance of the second spiral."""
    first, bias, second, last = weights
    hidden = np.tanh(x @ first + bias)
    return hidden, 1 / (1 + np.exp(-np.clip(hidden @ second + last, -40, 40)))


def measures(weights: Arrays, x: Any, y: Any) -> tuple[float, float]:
    """Loss and accuracy."""
    _, p = forward(weights, x)
    loss = -np.mean(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))
    return float(loss), float(np.mean((p > 0.5) == (y > 0.5)))


def gradients(weights: Arrays, x: Any, y: Any) -> Arrays:
    """Of the mean loss."""
    hidden, p = forward(weights, x)
    error = (p - y) / len(y)
    back = np.outer(error, weights[2]) * (1 - hidden**2)
    return [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum()]


def train(optimizer: str, rate: float, epochs: int) -> dict[str, list[float]]:
    """The history of one training."""
    random = np.random.default_rng(0)
    weights: Arrays = [random.normal(0, 4, (2, 64)), random.normal(0, 2, 64)]
    weights += [random.normal(0, 0.2, 64), np.zeros(())]
    slots = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    (x, y), held = spirals(1024, 1), spirals(512, 2)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    history: dict[str, list[float]] = {name: [] for name in names}
    step = 0
    for _ in range(epochs):
        for batch in random.permutation(len(y)).reshape(-1, 32):
            step += 1
            for i, gradient in enumerate(gradients(weights, x[batch], y[batch])):
                if optimizer == "sgd":
                    weights[i] = weights[i] - rate * gradient
                    continue
                m, v = slots[i] = (
                    0.9 * slots[i][0] + 0.1 * gradient,
                    0.999 * slots[i][1] + 0.001 * gradient**2,
                )
                size = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                weights[i] = weights[i] - size * m / (np.sqrt(v) + 1e-7)
        for name, value in zip(
            names, (*measures(weights, x, y), *measures(weights, *held)), strict=True
        ):
            history[name].append(value)
    return history


def main() -> None:
    """Leave a file a trial."""
    parser = argparse.ArgumentParser(description="A sweep of two optimizers over learning rates.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rates", type=int, default=9)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for optimizer, low, high in (("sgd", 1e-2, 1e2), ("adam", 1e-4, 1.0)):
        for rate in np.geomspace(low, high, given.rates):
            history = train(optimizer, float(f"{rate:.3g}"), given.epochs)
            path = given.folder / f"{optimizer}_{rate:.3g}_history.json"
            path.write_text(json.dumps(history))


if __name__ == "__main__":
    main()

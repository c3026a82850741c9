"""Optimizers of Keras 3 and TensorFlow 1: the numbers of their tests.

Keras: keras/src/optimizers/*_test.py. TensorFlow 1: tensorflow/python/training/*_test.py, whose own
formulas in plain numbers stand here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from support.peers.cases import CANNOT, Left


@dataclass(frozen=True)
class Steps:
    """The weights of a peer after each step, or after the last.

    Args:
        name: what it is about.
        hyper: the same as hyper-parameters of ours.
        optimizer: whose.
        rate: the learning rate.
        weights: at first.
        gradients: of each step.
        wanted: the weights after each of the last steps.
        tolerance: of the peer's test, relative and absolute.
    """

    name: str
    hyper: str
    optimizer: str
    rate: float
    weights: Sequence[float]
    gradients: Sequence[Sequence[float]]
    wanted: Sequence[Sequence[float]]
    tolerance: float = 1e-6


_ONE = [[1.0, 6.0, 7.0, 2.0]]
_FOUR = [1.0, 2.0, 3.0, 4.0]
_TEN = [1.0] * 10
_GOLDEN = [[0.01] * 10, *[[round(0.1 * i, 1) for i in range(1, 11)]] * 4]


def _tiled(*values: float) -> list[list[float]]:
    return [[value] * 10 for value in values]


_DESCENT = [[0.9999 - 0.001 * k * j for j in range(1, 11)] for k in range(5)]
_ADAGRAD = [
    [0.9963] * 10,
    [0.9604, 0.9278, 0.9003, 0.8784, 0.8615, 0.8487, 0.8388, 0.8313, 0.8255, 0.8209],
    [0.9251, 0.8629, 0.8137, 0.7768, 0.7497, 0.7298, 0.7151, 0.704, 0.6956, 0.6891],
    [0.8903, 0.8012, 0.7342, 0.6862, 0.6521, 0.6277, 0.6099, 0.5967, 0.5867, 0.579],
    [0.856, 0.7422, 0.6604, 0.6037, 0.5644, 0.5367, 0.5168, 0.5021, 0.491, 0.4825],
]

KERAS = [
    *(
        Steps(f"{name} single step", "keras", name, 0.5, _FOUR, _ONE, [wanted], 1e-4)
        for name, wanted in (
            ("sgd", [0.5, -1.0, -0.5, 3.0]),
            ("adam", [0.5, 1.5, 2.5, 3.5]),
            ("adagrad", [0.5233, 1.5007, 2.5005, 3.5061]),
            ("adadelta", [0.9993, 1.9993, 2.9993, 3.9993]),
            ("rmsprop", [-0.5811, 0.4189, 1.4189, 2.4189]),
        )
    ),
    *(
        Steps(
            f"{name} weight_decay",
            "keras,weight_decay=0.004",
            name,
            1.0,
            [2.0],
            [[0.0]] * 3,
            [[1.9760959]],
        )
        for name in ("sgd", "adam", "adagrad", "adadelta", "rmsprop")
    ),
    Steps("sgd golden", "keras", "sgd", 0.01, _TEN, _GOLDEN, _DESCENT, 5e-4),
    Steps(
        "adagrad golden",
        "keras,adagrad.initial_accumulator=0.3,adagrad.epsilon=1e-6",
        "adagrad",
        0.2,
        _TEN,
        _GOLDEN,
        _ADAGRAD,
        5e-4,
    ),
    Steps(
        "adadelta golden",
        "keras,adadelta.rho=0.8,adadelta.epsilon=1e-6",
        "adadelta",
        1.0,
        _TEN,
        _GOLDEN,
        _tiled(0.9978, 0.9947, 0.9915, 0.9882, 0.9849),
        5e-4,
    ),
    # Its v never falls, so that amsgrad, which the peer's test asks for, changes nothing.
    Steps(
        "adam golden",
        "keras",
        "adam",
        0.001,
        _TEN,
        _GOLDEN,
        _tiled(0.999, 0.9982, 0.9974, 0.9965, 0.9955),
        5e-4,
    ),
    Steps(
        "rmsprop golden, centered",
        "keras,rmsprop.centered=true",
        "rmsprop",
        0.001,
        _TEN,
        _GOLDEN,
        _tiled(0.9967, 0.9933, 0.9908, 0.9885, 0.9864),
        5e-4,
    ),
]


def _momentum(weight: float, gradient: float, nesterov: bool) -> list[float]:
    """Two steps at the rate 2 and the coefficient 0.9."""
    found, v = [], 0.0
    for _ in range(2):
        v = 0.9 * v + gradient
        weight -= 2 * (gradient + 0.9 * v if nesterov else v)
        found.append(weight)
    return found


def _adam(weight: float, gradient: float) -> list[float]:
    found, m, v = [], 0.0, 0.0
    for t in range(1, 4):
        rate = 0.001 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        weight -= rate * m / (math.sqrt(v) + 1e-8)
        found.append(weight)
    return found


def _adadelta(weight: float, gradient: float, rate: float) -> list[float]:
    found, a, b = [], 0.0, 0.0
    for _ in range(4):
        a = 0.95 * a + 0.05 * gradient**2
        u = math.sqrt(b + 1e-8) / math.sqrt(a + 1e-8) * gradient
        b, weight = 0.95 * b + 0.05 * u**2, weight - rate * u
        found.append(weight)
    return found


def _rmsprop(
    weight: float,
    g: float,
    rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> list[float]:
    found, s, mean, moved = [], 1.0, 0.0, 0.0
    for _ in range(4):
        s = rho * s + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g if centered else 0.0
        moved = momentum * moved + rate * g / math.sqrt(s - mean**2 + epsilon)
        weight -= moved
        found.append(weight)
    return found


def _columns(*lists: list[float]) -> list[list[float]]:
    return [list(row) for row in zip(*lists, strict=True)]


_RMSPROPS = (
    (0.5, 0.9, 0.0, 1e-3, True),
    (0.5, 0.9, 0.0, 1e-3, False),
    (0.1, 0.9, 0.0, 1e-3, True),
    (0.5, 0.95, 0.0, 1e-3, False),
    (0.5, 0.95, 0.0, 1e-5, True),
    (0.5, 0.95, 0.9, 1e-5, True),
    (2.0, 0.9, 0.0, 1.0, False),
    (2.0, 0.9, 0.5, 1e-3, False),
)

TENSORFLOW1 = [
    *(
        Steps(f"adagrad {g:g}", "published", "adagrad", 3.0, weights, [[g, g]] * 3, [wanted])
        for weights, g, wanted in (
            ([1.0, 2.0], 0.1, [-1.6026098728179932, -0.6026098728179932]),
            ([3.0, 4.0], 0.01, [2.715679168701172, 3.715679168701172]),
        )
    ),
    Steps(
        "adagrad stability",
        "published",
        "adagrad",
        1.0,
        [0.00872496, -0.106952, 0.110467, 0.226505, -0.0147257, -0.0105945],
        [[-5.91278e-05, 5.31673e-05, -2.5779e-06, 4.29153e-05, -8.4877e-05, -9.48906e-05]],
        [[0.00891194, -0.10712013, 0.11047515, 0.22636929, -0.0144573, -0.01029443]],
        1e-5,
    ),
    *(
        Steps(
            f"momentum {word} {g:g} from {w:g}",
            f"momentum.momentum=0.9,momentum.nesterov={str(nesterov).lower()}",
            "momentum",
            2.0,
            [w],
            [[g]] * 2,
            _columns(_momentum(w, g, nesterov)),
        )
        for nesterov, word in ((False, "plain"), (True, "nesterov"))
        for g in (0.1, 0.01)
        for w in (1.0, 4.0)
    ),
    *(
        Steps(f"adam {g:g}", "published", "adam", 0.001, [w], [[g]] * 3, _columns(_adam(w, g)))
        for w, g in ((1.0, 0.1), (3.0, 0.01))
    ),
    *(
        Steps(
            f"adadelta {g:g} at {rate:g}",
            "published",
            "adadelta",
            rate,
            [1.0, 2.0],
            [[g, g]] * 4,
            _columns(_adadelta(1.0, g, rate), _adadelta(2.0, g, rate)),
        )
        for g in (0.2, 0.1, 0.01)
        for rate in (1.0, 0.5, 0.1)
    ),
    *(
        Steps(
            f"rmsprop {rate:g} {rho:g} {momentum:g} {epsilon:g} {centered} from {w}",
            f"rmsprop.rho={rho},rmsprop.momentum={momentum},rmsprop.epsilon={epsilon},"
            f"rmsprop.centered={str(centered).lower()}",
            "rmsprop",
            rate,
            w,
            [g] * 4,
            _columns(
                *(
                    _rmsprop(one, of, rate, rho, momentum, epsilon, centered)
                    for one, of in zip(w, g, strict=True)
                )
            ),
        )
        for rate, rho, momentum, epsilon, centered in _RMSPROPS
        for w, g in (([1.0, 2.0], [0.1, 0.2]), ([3.0, 4.0], [0.01, 0.2]))
    ),
]

CASES = [*KERAS, *TENSORFLOW1]

CLIPPED = {
    "clipnorm=1": [2**0.5 / 2, 2**0.5 / 2],
    "clipvalue=1": [1.0, 1.0],
    "global_clipnorm=1": [2**0.5 / 2, 2**0.5 / 2],
}
"""What Keras makes of the gradient (100, 100), of each optimizer."""

WRITTEN = {
    "sgd": "keras,sgd.weight_decay=0.004",
    "momentum": "keras,momentum.momentum=0.06,momentum.nesterov=true,momentum.weight_decay=0.004",
    "adam": "keras,adam.beta1=0.5,adam.beta2=0.67,adam.epsilon=1e-05",
    "adagrad": "keras,adagrad.epsilon=1e-06,adagrad.initial_accumulator=0.2",
    "adadelta": "keras,adadelta.epsilon=1e-06,adadelta.rho=0.9",
    "rmsprop": "keras,rmsprop.centered=true,rmsprop.epsilon=1e-06,rmsprop.momentum=0.05,"
    "rmsprop.rho=0.8",
}
"""Configurations that Keras's tests write down and read again."""

LEFT = [
    Left("keras", "adam with an average of the weights", CANNOT, "weights are not averaged"),
    Left("keras", "adam that overwrites by the average", CANNOT, "weights are not averaged"),
    Left("keras", "adam clips indexed slices", CANNOT, "gradients are dense"),
    Left("tf1", "momentum, sparse, nesterov", CANNOT, "gradients are dense"),
]

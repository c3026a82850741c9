"""Other implementations of the update rules: TensorFlow 1's optimizers and kernels, Keras 3's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.engines.tensorflow import xp as tf

Floats = NDArray[Any]

STEPS = 40


@dataclass(frozen=True)
class Problem:
    """Weights (K, n), gradients (T, K, n) and rates (T,) to take T steps with."""

    weights: Floats
    gradients: Floats
    rates: Floats


@cache
def problem(seed: int, changing: bool, dtype: str) -> Problem:
    """Random weights and gradients; a weight's gradients keep to one magnitude of 1e-8 to 10 give
    or take ten, and every tenth is zero.
    """
    random = np.random.default_rng(seed)
    shape = (3, 16)
    weights = random.normal(size=shape) * 10 ** random.uniform(-3, 0, shape)
    scale = 10 ** random.uniform(-8, 1, shape) * 10 ** random.uniform(-1, 1, (STEPS, 1, 1))
    gradients = random.normal(size=(STEPS, *shape)) * scale * (random.random((STEPS, *shape)) > 0.1)
    rates = 10 ** random.uniform(-3, 0, STEPS if changing else 1)
    # Optimizers hold the rate as float32; rounded here, it is the same number everywhere.
    rates = np.broadcast_to(rates.astype(np.float32), STEPS)
    return Problem(weights.astype(dtype), gradients.astype(dtype), rates.astype(dtype))


def tensorflow1(name: str, task: Problem) -> Iterator[Floats]:
    """The weights after each step by `tf.compat.v1.train`: the study's arguments, TensorFlow 1's
    defaults for all others.
    """
    rate = 0.0

    def current() -> float:
        return rate

    v1 = tf.compat.v1.train
    optimizer = {
        "sgd": lambda: v1.GradientDescentOptimizer(current),
        "momentum": lambda: v1.MomentumOptimizer(current, momentum=0.5),
        "adam": lambda: v1.AdamOptimizer(current),
        "adagrad": lambda: v1.AdagradOptimizer(current),
        "adadelta": lambda: v1.AdadeltaOptimizer(current),
        "rmsprop": lambda: v1.RMSPropOptimizer(current),
    }[name]()
    w = tf.Variable(task.weights)
    for g, step_rate in zip(task.gradients, task.rates, strict=True):
        rate = float(step_rate)
        optimizer.apply_gradients([(tf.constant(g), w)])
        yield w.numpy()


def kernels(name: str, task: Problem) -> Iterator[Floats]:
    """The weights after each step by TensorFlow 1's kernels, all numbers given outright: in float64
    the optimizers would round them.
    """
    w, zeros, more_zeros = (
        tf.Variable(task.weights),
        tf.Variable(0 * task.weights),
        tf.Variable(0 * task.weights),
    )
    tenths, ones = tf.Variable(0 * task.weights + 0.1), tf.Variable(0 * task.weights + 1)
    ops = tf.raw_ops
    step: Callable[[Any, Any, int], Any] = {
        "sgd": lambda g, rate, t: ops.ResourceApplyGradientDescent(
            var=w.handle, alpha=rate, delta=g
        ),
        "momentum": lambda g, rate, t: ops.ResourceApplyMomentum(
            var=w.handle, accum=zeros.handle, lr=rate, grad=g, momentum=0.5
        ),
        "adam": lambda g, rate, t: ops.ResourceApplyAdam(
            var=w.handle,
            m=zeros.handle,
            v=more_zeros.handle,
            beta1_power=0.9**t,
            beta2_power=0.999**t,
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-8,
            grad=g,
        ),
        "adagrad": lambda g, rate, t: ops.ResourceApplyAdagrad(
            var=w.handle, accum=tenths.handle, lr=rate, grad=g
        ),
        "adadelta": lambda g, rate, t: ops.ResourceApplyAdadelta(
            var=w.handle,
            accum=zeros.handle,
            accum_update=more_zeros.handle,
            lr=rate,
            rho=0.95,
            epsilon=1e-8,
            grad=g,
        ),
        "rmsprop": lambda g, rate, t: ops.ResourceApplyRMSProp(
            var=w.handle,
            ms=ones.handle,
            mom=zeros.handle,
            lr=rate,
            rho=0.9,
            momentum=0.0,
            epsilon=1e-10,
            grad=g,
        ),
    }[name]
    for t, (g, rate) in enumerate(zip(task.gradients, task.rates, strict=True), start=1):
        step(tf.constant(g), tf.constant(rate), t)
        yield w.numpy()


def keras3(name: str, task: Problem) -> Iterator[Floats]:
    """The weights after each step by Keras, at its own defaults but for the momentum."""
    make = keras.optimizers
    optimizer = {
        "sgd": make.SGD,
        "momentum": lambda: make.SGD(momentum=0.5),
        "adam": make.Adam,
        "adagrad": make.Adagrad,
        "adadelta": make.Adadelta,
        "rmsprop": make.RMSprop,
    }[name]()
    w = keras.Variable(task.weights, dtype=str(task.weights.dtype))
    optimizer.build([w])
    for g, rate in zip(task.gradients, task.rates, strict=True):
        optimizer.learning_rate = float(rate)
        optimizer.apply([tf.constant(g)])
        yield w.numpy()


@cache
def expected(hyper: str, name: str, seed: int, changing: bool, dtype: str) -> Floats:
    """The peer's weights after each step (T, K, n)."""
    peer = keras3 if hyper == "keras" else tensorflow1 if dtype == "float32" else kernels
    return np.stack(list(peer(name, problem(seed, changing, dtype))))

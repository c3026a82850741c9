"""JAX as `study.engines.framework.Framework`; it needs no TensorFlow.

`xp` is jax.numpy under TensorFlow's names, as far as the lanes use them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from study.engines.framework import Body, Tensor, Weights
from study.engines.learner import FEW_SIZES, LANE_SIZES
from study.machine.processor import schedulable_cores, usable_cores
from study.machine.versions import THREADS

# GPU memory is taken as it is needed, not all at once.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


NAME = "jax"


FAST_CONVOLUTIONS = False


MAX_STEPS_PER_CALL: int | None = 25


KINDS = {"float64": jnp.float32, "int64": jnp.int32}


def _constant(value: Any, kind: Any = None) -> Tensor:
    array = np.asarray(value)
    return jnp.asarray(array, kind or KINDS.get(array.dtype.name))


def _conv2d(x: Tensor, w: Tensor, strides: int, padding: str) -> Tensor:
    groups = x.shape[-1] // w.shape[2]
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, w, (strides, strides), padding, dimension_numbers=numbers, feature_group_count=groups
    )


xp: Any = SimpleNamespace(
    float32=jnp.float32,
    int32=jnp.int32,
    sqrt=jnp.sqrt,
    where=jnp.where,
    maximum=jnp.maximum,
    minimum=jnp.minimum,
    reshape=jnp.reshape,
    transpose=jnp.transpose,
    stack=jnp.stack,
    concat=jnp.concatenate,
    unstack=jnp.unstack,
    pad=jnp.pad,
    equal=jnp.equal,
    zeros=jnp.zeros,
    zeros_like=jnp.zeros_like,
    constant=_constant,
    cast=lambda x, kind: jnp.asarray(x, kind),
    split=lambda x, sizes, axis: jnp.split(x, np.cumsum(sizes)[:-1], axis),
    gather=lambda x, places: jnp.take(x, jnp.asarray(places), axis=0),
    argmax=lambda x, axis, output_type: jnp.argmax(x, axis).astype(output_type),
    one_hot=jax.nn.one_hot,
    reduce_max=jnp.max,
    reduce_mean=jnp.mean,
    reduce_sum=jnp.sum,
    nn=SimpleNamespace(relu=jax.nn.relu, log_softmax=jax.nn.log_softmax, conv2d=_conv2d),
)


def prepare(precision: str) -> str:
    """See `Framework.prepare`; the environment variable above settles memory."""
    cores = usable_cores()
    if THREADS[NAME] not in os.environ and cores < schedulable_cores():
        # XLA does not know of a quota of processor time. Its client, which is made here, reads the
        # variable; children decide for themselves.
        os.environ[THREADS[NAME]] = str(cores)
        jax.devices()
        del os.environ[THREADS[NAME]]
    jax.config.update(
        "jax_default_matmul_precision", {"float32": "highest", "tf32": "tensorfloat32"}[precision]
    )
    return str(jax.default_backend())


def _on_gpu() -> bool:
    return bool(jax.default_backend() == "gpu")


def array_sizes() -> tuple[int, ...]:
    """See `Framework.array_sizes`."""
    return FEW_SIZES if _on_gpu() else LANE_SIZES


def fused(function: Callable[..., Any]) -> Any:
    """See `Framework.fused`: `function` itself, since the whole program is compiled by XLA."""
    return function


def convolve(x: Tensor, w: Tensor) -> Tensor:
    """See `Framework.convolve`."""
    return _conv2d(x, w, 1, "SAME")


def uniform(shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """See `Framework.uniform`: the numbers of TensorFlow's `stateless_uniform`, bit for bit.

    So a trial drops the same units on either engine. The generator is Philox-4x32-10 (Salmon et al.
    2011).
    """
    zero = jnp.zeros((), jnp.uint32)
    first, second = seed.astype(jnp.uint32)
    k0, k1, c2, c3 = _philox((first, zero, second, zero), (0x3EC8F720, 0x02461E29))
    size = math.prod(shape)
    count = jnp.arange(-(-size // 4), dtype=jnp.uint32)
    bits = jnp.stack(_philox((count, jnp.zeros_like(count), c2, c3), (k0, k1)), axis=1).reshape(-1)[
        :size
    ]
    return (lax.bitcast_convert_type(bits & 0x7FFFFF | 0x3F800000, jnp.float32) - 1).reshape(shape)


def _philox(counter: tuple[Tensor, ...], key: tuple[Any, Any]) -> tuple[Tensor, ...]:
    """Four random words for each counter."""

    def product(a: int, b: Tensor) -> tuple[Tensor, Tensor]:
        """Both halves of a 64-bit product, of 32-bit words."""
        middle = (a >> 16) * (b & 0xFFFF) + ((a & 0xFFFF) * (b & 0xFFFF) >> 16)
        rest = (a & 0xFFFF) * (b >> 16) + (middle & 0xFFFF)
        return (a >> 16) * (b >> 16) + (middle >> 16) + (rest >> 16), jnp.uint32(a) * b

    c0, c1, c2, c3 = counter
    k0, k1 = (jnp.asarray(word, jnp.uint32) for word in key)
    for _ in range(10):
        (high0, low0), (high1, low1) = product(0xD2511F53, c0), product(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + jnp.uint32(0x9E3779B9), k1 + jnp.uint32(0xBB67AE85)
    return c0, c1, c2, c3


def value_and_gradient(
    function: Callable[[Weights], tuple[Tensor, Tensor]], weights: Weights
) -> tuple[Tensor, Tensor, Weights]:
    """See `Framework.value_and_gradient`."""
    value, pull, extra = jax.vjp(function, weights, has_aux=True)
    return value, extra, pull(jnp.ones_like(value))[0]


def shaped(*shape: int | None, dtype: str = "float32") -> None:
    """See `Framework.shaped`; JAX reads shapes off the arguments, so there is nothing to give."""


def compiled(function: Callable[..., Any], *arguments: Any) -> Any:
    """See `Framework.compiled`."""
    return jax.jit(function)


def pixels() -> str:
    """See `Framework.pixels`."""
    return "uint8"


def steps(body: Body, state: Any, count: Tensor, lanes: int) -> Any:
    """See `Framework.steps`; the stacks are of length `MAX_STEPS_PER_CALL`.

    XLA looks at the end of a loop of unknown length after every step, and the GPU waits for that. A
    loop of known length is given to the GPU at once. So a GPU's program holds both.
    """
    stack = jnp.zeros((MAX_STEPS_PER_CALL, lanes))

    def step(i: Tensor, carried: Any) -> Any:
        state, first, second = carried
        state, (x, y) = body(i, state)
        return state, first.at[i].set(x), second.at[i].set(y)

    def loop(length: Any) -> Any:
        return lax.fori_loop(0, length, step, (state, stack, stack))

    if not _on_gpu():
        return loop(count)
    full = count == MAX_STEPS_PER_CALL
    return lax.cond(full, lambda: loop(MAX_STEPS_PER_CALL), lambda: loop(count))

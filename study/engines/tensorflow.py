"""TensorFlow as `study.engines.framework.Framework`: device, compilation, gradient, convolution."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from study.engines.framework import Body, Tensor, Weights
from study.engines.learner import LANE_SIZES
from study.machine.loading import silenced, unswept
from study.machine.processor import schedulable_cores, usable_cores
from study.machine.versions import THREADS, settle_onednn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


settle_onednn()


with silenced(), unswept():
    import tensorflow as tf


# It warns of a retrace where it traces the next program for the first time.
tf.get_logger().setLevel("ERROR")


NAME = "tensorflow"


FAST_CONVOLUTIONS = True


MAX_STEPS_PER_CALL: int | None = None


xp: Any = tf


def prepare(precision: str) -> str:
    """See `Framework.prepare`."""
    gpus = _gpus()
    cores = usable_cores()
    if THREADS[NAME] not in os.environ and cores < schedulable_cores():
        # TensorFlow does not know of a quota of processor time.
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(cores)
    for gpu in gpus:
        # An error means that the caller's own tensors have settled the device before.
        with suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    return "gpu" if gpus else "cpu"


@cache
def _gpus() -> Any:
    with silenced():
        return tf.config.list_physical_devices("GPU")


def array_sizes() -> tuple[int, ...]:
    """See `Framework.array_sizes`."""
    return LANE_SIZES


def fused(function: Callable[..., Any]) -> Any:
    """See `Framework.fused`; XLA compiles the function.

    It pays for elementwise chains and changes of layout alone: on a CPU, XLA's gradients of
    convolutions are several times slower than oneDNN's.
    """
    forward = tf.function(function, jit_compile=True, autograph=False)

    @tf.function(jit_compile=True, reduce_retracing=False, autograph=False)
    def backward(inputs: Tensor, gradients: Tensor) -> Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            outputs = function(*inputs)
        return tape.gradient(
            outputs, inputs, gradients, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    @tf.custom_gradient
    def operation(*inputs: Tensor) -> Any:
        return forward(*inputs), lambda *gradients: backward(inputs, gradients)

    return operation


def convolve(x: Tensor, w: Tensor) -> Tensor:
    """See `Framework.convolve`.

    `tf.nn.conv2d` takes the grouped filter; Keras's grouped convolution uses XLA on a CPU. The
    gradient of x is a convolution with the flipped filter, which takes half the time of the
    library's own for narrow groups. Where this TensorFlow has no gradient of a grouped convolution,
    each group is convolved by itself.
    """
    lanes = x.shape[-1] // w.shape[2]
    if lanes > 1 and not differentiates_groups():
        groups = zip(tf.split(x, lanes, axis=3), tf.split(w, lanes, axis=3), strict=True)
        return tf.concat([tf.nn.conv2d(one, of_one, 1, "SAME") for one, of_one in groups], axis=3)
    return _convolve_groups(x, w)


@cache
def differentiates_groups() -> bool:
    """Whether this TensorFlow has the gradient of a grouped convolution on this device.

    Its own kernels for processors have none; those of oneDNN and cuDNN do. A tiny convolution is
    tried, once a process.
    """
    with tf.init_scope():  # outside the program that is being traced
        x, w = tf.ones([1, 2, 2, 2]), tf.ones([1, 1, 1, 2])
        try:
            tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=w.shape, out_backprop=x, strides=[1, 1, 1, 1], padding="SAME"
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
        return True


@tf.custom_gradient
def _convolve_groups(x: Tensor, w: Tensor) -> Any:
    """`convolve` by the library's grouped convolution."""
    height, width, inputs, outputs = w.shape
    lanes = x.shape[-1] // inputs

    def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
        flipped = tf.reshape(w[::-1, ::-1], [height, width, inputs, lanes, outputs // lanes])
        flipped = tf.reshape(
            tf.transpose(flipped, [0, 1, 4, 3, 2]),
            [height, width, outputs // lanes, lanes * inputs],
        )
        of_w = tf.raw_ops.Conv2DBackpropFilter(
            input=x,
            filter_sizes=w.shape,
            out_backprop=upstream,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        return tf.nn.conv2d(upstream, flipped, 1, "SAME"), of_w

    return tf.nn.conv2d(x, w, 1, "SAME"), gradient


def uniform(shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """See `Framework.uniform`."""
    return tf.random.stateless_uniform(shape, seed)


def value_and_gradient(
    function: Callable[[Weights], tuple[Tensor, Tensor]], weights: Weights
) -> tuple[Tensor, Tensor, Weights]:
    """See `Framework.value_and_gradient`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        value, extra = function(weights)
    return value, extra, tape.gradient(value, weights)


def shaped(*shape: int | None, dtype: str = "float32") -> Any:
    """See `Framework.shaped`."""
    return tf.TensorSpec(shape, dtype)


def compiled(function: Callable[..., Any], *arguments: Any) -> Any:
    """See `Framework.compiled`. Nothing here branches on a tensor, and AutoGraph takes seconds."""
    return tf.function(function, input_signature=arguments, autograph=False)


def pixels() -> str:
    """See `Framework.pixels`: TensorFlow gathers no bytes on a GPU."""
    return "float32" if _gpus() else "uint8"


def steps(body: Body, state: Any, count: Tensor, lanes: int) -> Any:
    """See `Framework.steps`."""
    stacks = [tf.TensorArray(tf.float32, size=count, element_shape=[lanes]) for _ in range(2)]

    def step(i: Tensor, state: Tensor, stacks: Any) -> Any:
        state, results = body(i, state)
        return (
            i + 1,
            state,
            [stack.write(i, result) for stack, result in zip(stacks, results, strict=True)],
        )

    _, state, stacks = tf.while_loop(lambda i, *_: i < count, step, (tf.constant(0), state, stacks))
    return state, *(stack.stack() for stack in stacks)

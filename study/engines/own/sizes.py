"""How large a user's model is: arithmetic by the framework's own counter, and a lane's memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from study.engines.own.data.trees import leaves, mapped
from study.engines.own.torch.module import call
from study.engines.own.torch.module import tensors as torch_tensors

COPIES = 8
"""Copies of the weights that a lane holds in training: gradients and slots, old and new."""


def multiply_adds(model: Any, framework: str, batch: Any) -> int:
    """Multiplications, each with its addition, of one sample; 0 where the counter fails."""
    x, count = batch[0], len(next(leaves(batch)))
    try:
        flops = _torch_flops(model, x) if framework == "torch" else _keras_flops(model, x)
    except Exception:  # a counter of a framework does not know every operation
        return 0
    return max(0, round(flops / 2 / count))


def _torch_flops(model: Any, x: Any) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    was = model.training
    model.eval()
    with counter, torch.no_grad():
        call(model, torch_tensors(x))
    model.train(was)
    return float(counter.get_total_flops())


def _keras_flops(model: Any, x: Any) -> float:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        tensors = mapped(keras.ops.convert_to_tensor, x)
        lowered = jax.jit(lambda x: model(x)).lower(tensors)
        cost = lowered.compile().cost_analysis()
        return float((cost[0] if isinstance(cost, list) else cost)["flops"])
    if keras.backend.backend() == "torch":
        return _torch_flops(model, x)
    import tensorflow as tf

    specs = mapped(lambda one: tf.TensorSpec(one.shape, one.dtype), x)
    graph = tf.function(lambda x: model(x), autograph=False).get_concrete_function(specs).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    run = tf.compat.v1.RunMetadata()
    found = tf.compat.v1.profiler.profile(graph, run_meta=run, cmd="op", options=options)
    return float(found.total_float_ops)


def lane_bytes(model: Any, framework: str, batch: Any, weights: int) -> int:
    """Memory that one lane of an array takes in training, about: its weights with what belongs to
    them, and the outputs of all layers with their gradients.
    """
    return 4 * COPIES * weights + 3 * _outputs(model, framework, batch)


def _outputs(model: Any, framework: str, batch: Any) -> int:
    """Bytes of the outputs of all layers for a batch."""
    samples = len(next(leaves(batch)))
    if framework == "keras":
        shapes = [
            layer.output.shape
            for layer in model.layers
            if hasattr(getattr(layer, "output", None), "shape")
        ]
        known = sum(math.prod(side for side in shape[1:] if side) for shape in shapes)
        return 4 * samples * (known or sum(_elements(batch[0])) // samples * 8)
    import torch

    total = 0

    def count(_: Any, __: Any, output: Any) -> None:
        nonlocal total
        total += sum(
            one.numel() * one.element_size() for one in leaves(output) if hasattr(one, "numel")
        )

    hooks = [part.register_forward_hook(count) for part in model.modules()]
    try:
        with torch.no_grad():
            call(model, torch_tensors(batch[0]))
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _elements(tree: Any) -> Sequence[int]:
    return [int(np.size(leaf)) for leaf in leaves(tree)]

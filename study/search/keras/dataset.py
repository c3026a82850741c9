"""A tf.data.Dataset as a sweep reads it: its own shuffles and caches stay undisturbed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LARGEST = 2**24
"""Bytes of tensors up to which a data set is copied; a copy takes several times as many."""


def undisturbed(dataset: Any, tf: Any) -> Any:
    """A copy of a data set with shuffles of its own and without caches.

    A shuffle keeps its place between epochs in a resource, which the graph of the data set names.
    If no resource has the name, TensorFlow makes it, from the same seeds; so the copy's graph has
    new names. A cache is left out: it would be filled a second time, or hold what a sweep has read.

    Args:
        dataset: any.
        tf: TensorFlow.

    Returns:
        The copy; or the data set itself, where its tensors are large or TensorFlow cannot copy it.
    """
    try:
        if _size(dataset, tf) > LARGEST:
            return dataset
        graph = _graph(dataset, tf)
        copy = tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString())
        return tf.data.experimental.from_variant(copy, dataset.element_spec)
    except (tf.errors.OpError, ValueError, TypeError, AttributeError):
        return dataset


def _graph(dataset: Any, tf: Any) -> Any:
    """The graph of a data set, with shuffles of new names and without caches."""
    ignore_state = 1  # of external variables: the copy lives in this process, and shares them
    graph = tf.compat.v1.GraphDef.FromString(
        tf.raw_ops.DatasetToGraphV2(
            input_dataset=tf.data.experimental.to_variant(dataset),
            external_state_policy=ignore_state,
        ).numpy()
    )
    cached = {node.name: node.input[0] for node in graph.node if node.op.startswith("CacheDataset")}
    for node in graph.node:
        for place, name in enumerate(node.input):
            while name in cached:
                name = cached[name]
            node.input[place] = name
        if node.op == "Const":
            for handle in node.attr["value"].tensor.resource_handle_val:
                if "SeedGenerator" in handle.maybe_type_name:
                    handle.name += f"/of a copy at {id(graph)}"
    return graph


def _size(dataset: Any, tf: Any) -> int:
    """Bytes of the tensors in a data set: those it slices, and those that its functions name."""
    return sum(
        tensor.shape.num_elements() * tensor.dtype.size
        for part in _chain(dataset)
        for tensor in (
            *tf.nest.flatten(list(vars(part).values())),
            *(held for function in part._functions() for held in function.function.captured_inputs),
        )
        if tf.is_tensor(tensor)
        and tensor.dtype not in (tf.variant, tf.resource)
        and tensor.shape.num_elements() is not None
    )


def _chain(dataset: Any) -> Iterator[Any]:
    """A data set, and those that it is made from."""
    yield dataset
    for source in dataset._inputs():
        yield from _chain(source)

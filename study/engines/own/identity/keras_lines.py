"""The structure of a user's Keras model: a line a part, with settings and wiring, without names.

Keras numbers names on from one model to the next, so the place of a line stands for the name. How
a part is called is told unless it takes just what the call before it gave.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from typing import Any

from study.engines.own.identity.reader import Reader, config_of, is_plain, setting, users

LEFT_OUT = ("name", "trainable", "dtype", "autocast", "layers", "input_layers", "output_layers")
"""Settings that are told otherwise: names by places, parts by lines of their own."""


SHAPES = ("batch_shape", "build_input_shape")
"""Settings that the data settle."""


DRAWN = ("RandomCrop",)
"""Layers that draw a seed where none is given, and do not tell whether they did."""


def lines(model: Any, reader: Reader, keys: Collection[str] = ()) -> tuple[str, ...]:
    """The model and its parts, one a line.

    Args:
        model: built.
        reader: tells code and values.
        keys: names by which data and losses find the parts that they belong to.
    """
    teller = _Teller(reader, keys)
    words = teller.settings(model, weights=False)
    teller.told.append(type(model).__name__ + (f"({words})" if words else ""))
    teller.parts(model)
    return tuple(teller.told)


class _Teller:
    """Collects the lines of a model, numbered from 1."""

    def __init__(self, reader: Reader, keys: Collection[str]) -> None:
        self.reader, self.keys = reader, keys
        self.told: list[str] = []
        self.places: dict[int, int] = {}
        self.tensors: dict[int, str] = {}

    def parts(self, whole: Any) -> None:
        """The lines of what a model or layer consists of."""
        graph = hasattr(whole, "_nodes_by_depth")
        if graph:
            self._graph(whole)
        for layer in whole._layers:
            if not graph or id(layer) not in self.places:
                self._part(layer)

    def _part(self, layer: Any, how: str = "") -> int:
        """The line of a layer or operation, then those of its parts; its number."""
        if first := self.places.get(id(layer)):
            self.told.append(f"  part {first} again{how}")
            return len(self.told)
        name = f" named {layer.name}" if layer.name in self.keys else ""
        self.told.append(f"  {type(layer).__name__}({self.settings(layer)}){name}{how}")
        self.places[id(layer)] = place = len(self.told)
        if hasattr(layer, "_layers"):
            self.parts(layer)
        return place

    def _graph(self, model: Any) -> None:
        """The lines of the calls of a functional model, in the order in which they are made."""
        import keras

        last = ""
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                given = self._given(node.arguments.args, node.arguments.kwargs)
                simple = given == last or node.is_input
                last = f"part {self._part(node.operation, '' if simple else f' of {given}')}"
                for at, tensor in enumerate(node.outputs):
                    self.tensors[id(tensor)] = last + (f" output {at}" if at else "")
        for what, tree in (("inputs", model._inputs_struct), ("outputs", model._outputs_struct)):
            told = self._argument(tree)
            if isinstance(tree, dict) or len(keras.tree.flatten(tree)) > 1:
                self.told.append(f"  {what}: {told}")
            elif what == "outputs" and told.strip("[]") != last:
                self.told.append(f"  output: {told}")

    def _given(self, args: Any, kwargs: Any) -> str:
        """What a call is given."""
        words = [self._argument(one) for one in args]
        words += [
            f"{key}={self._argument(kwargs[key])}"
            for key in sorted(kwargs)
            if kwargs[key] is not None
        ]
        return ", ".join(words)

    def _argument(self, value: Any) -> str:
        import keras

        if isinstance(value, keras.KerasTensor):
            return self.tensors.get(id(value), "an input")
        if isinstance(value, dict):
            words = sorted(f"{key}: {self._argument(one)}" for key, one in value.items())
            return f"{{{', '.join(words)}}}"
        if isinstance(value, (list, tuple)) and not is_plain(value):
            return f"[{', '.join(map(self._argument, value))}]"
        return self.reader.told(value)

    def settings(self, layer: Any, weights: bool = True) -> str:
        """The settings of a layer that are not those of its class, and its weights' shapes."""
        words = [f"{key}={value}" for key, value in self._settings(layer)]
        if weights and (shapes := [tuple(one.shape) for one in getattr(layer, "weights", ())]):
            words.append(f"weights={shapes}")
        return ", ".join(words)

    def _settings(self, layer: Any) -> Iterator[tuple[str, str]]:
        config = config_of(layer)
        for key, value in config.items():
            drawn = key == "seed" and type(layer).__name__ in DRAWN
            if key in (*LEFT_OUT, *SHAPES) or value is None or drawn:
                continue
            if _is_part(given := setting(layer, key, value)):
                continue
            told = self.reader.told(given)
            if told != self._usual(layer, key):
                yield key, told
        for key, value in _fields(layer):
            if key not in config:
                yield key, self.reader.told(value)
        if not getattr(layer, "trainable", True):
            yield "trainable", "False"
        policy = getattr(getattr(layer, "dtype_policy", None), "name", "float32")
        if policy != "float32":
            yield "dtype", policy

    def _usual(self, layer: Any, key: str) -> str | None:
        """The initializer that the class of a layer has as its default, in words."""
        import keras

        parameter = inspect.signature(type(layer)).parameters.get(key)
        if not key.endswith("initializer") or parameter is None:
            return None
        if not isinstance(parameter.default, str):
            return None
        return self.reader.told(keras.initializers.get(parameter.default))


def _fields(layer: Any) -> Iterator[tuple[str, Any]]:
    """What a layer or model of the user's own class holds beside its parts and weights."""
    import keras

    if not users(type(layer)) or not hasattr(layer, "_layers"):
        return
    bare: Any = keras.layers.Layer()
    if isinstance(layer, keras.Model):
        bare = keras.Model()
        bare.compile(loss="mse")
    for key, value in vars(layer).items():
        if not key.startswith("_") and key not in vars(bare) and not _is_part(value):
            yield key, value


def _is_part(value: Any) -> bool:
    """Whether a value has a line of its own, is a weight, or trains nothing."""
    import keras

    if isinstance(value, dict) and str(value.get("module")).startswith("keras.layers"):
        return True
    if isinstance(value, (list, tuple)) and value:
        return all(map(_is_part, value))
    kinds = (keras.layers.Layer, keras.Variable, keras.KerasTensor, keras.metrics.Metric)
    return value is None or isinstance(value, (*kinds, keras.optimizers.Optimizer))

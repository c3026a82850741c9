"""The structure of a user's model: lines for a person, and digests that tell models apart."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from study.errors import StudyError

LIBRARIES = ("keras", "torch", "tensorflow", "jax", "builtins", "numpy", "collections")
"""Packages whose classes are told by their names alone."""


def framework_of(model: Any) -> str:
    """Whether a model is Keras's or PyTorch's.

    Raises:
        StudyError: neither.
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if keras is not None and isinstance(model, keras.Model):
        return "keras"
    if torch is not None and isinstance(model, torch.nn.Module):
        return "torch"
    raise StudyError(
        f"model gives a {type(model).__name__}: let it return a Keras model or a torch.nn.Module"
    )


def lines(model: Any) -> tuple[str, ...]:
    """The model's parts, one a line: its layers with their settings, and its weights' shapes."""
    if framework_of(model) == "torch":
        return tuple(line.rstrip() for line in repr(model).splitlines())
    told = [type(model).__name__]
    for layer in model._flatten_layers(include_self=False):
        told.append(f"  {type(layer).__name__}({_settings(layer)})")
    return tuple(told)


def _settings(layer: Any) -> str:
    """The settings of a Keras layer that are plain values, and the shapes of its weights."""
    try:
        config = layer.get_config()
    except Exception:  # a user's own layer need not have one
        config = {}
    left_out = ("name", "trainable", "dtype", "seed", "input_layers", "output_layers")
    plain = {
        key: value for key, value in config.items() if key not in left_out and _is_plain(value)
    }
    parts = [f"{key}={value}" for key, value in plain.items()]
    shapes = [tuple(weight.shape) for weight in layer.weights]
    return ", ".join([*parts, *([f"weights={shapes}"] if shapes else [])])


def _is_plain(value: Any) -> bool:
    """Whether a setting is a number, a word, or a list of such: parts have lines of their own."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return isinstance(value, (bool, int, float, str))


def code_of(kinds: Iterable[type], sources: Mapping[str, str]) -> list[str]:
    """The code of the classes that are no library's, without comments and docstrings.

    Args:
        kinds: the classes.
        sources: as `sources_of` gave them in the process that has the files.
    """
    found = []
    for kind in sorted(set(kinds), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}"):
        if kind.__module__.partition(".")[0] in LIBRARIES:
            continue
        given = sources.get(kind.__qualname__) if kind.__module__ == "__main__" else None
        found.append(f"{kind.__qualname__}: {given or plain_code(kind)}")
    return found


def sources_of(kinds: Iterable[type]) -> dict[str, str]:
    """The code of the classes of a script or notebook, by name: a worker cannot read it."""
    return {kind.__qualname__: plain_code(kind) for kind in kinds if kind.__module__ == "__main__"}


def plain_code(thing: Any) -> str:
    """The code of a class or function as it would be without comments, docstrings and layout.

    Where its source is not at hand, the compiled code stands for it.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return _compiled(thing)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0].value
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _compiled(thing: Any) -> str:
    """The compiled code of a function, or of all functions of a class."""
    functions = vars(thing).values() if inspect.isclass(thing) else [thing]
    codes = [function.__code__ for function in functions if hasattr(function, "__code__")]
    return " ".join(f"{code.co_name} {code.co_code.hex()} {code.co_names}" for code in codes)


def kinds_of(model: Any) -> list[type]:
    """The classes of a model and of all its parts, with those that they are made from."""
    parts = list(model.modules()) if hasattr(model, "modules") else list(_layers(model))
    bases = {base for part in parts for base in type(part).__mro__}
    return [kind for kind in bases if kind is not object]


def _layers(model: Any) -> Iterable[Any]:
    yield model
    yield from model._flatten_layers(include_self=False)


def digest(structure: Sequence[str], code: Sequence[str], weights: Iterable[Any]) -> str:
    """16 hex digits that tell a model from another: its structure, its code, its weights.

    Args:
        structure: `lines` of it.
        code: `code_of` its classes.
        weights: arrays in one order.
    """
    hashed = hashlib.sha256("\n".join([*structure, *code]).encode())
    for array in weights:
        array = np.ascontiguousarray(array)
        hashed.update(f"{array.dtype.str} {array.shape}".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()[:16]

"""What a model leads to: by attributes, in containers, and by names in its own functions."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator, Mapping, Set
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

FOREIGN = frozenset({"tensorflow", "numpy", "jax", "jaxlib", "torch", "scipy", "pandas", "study"})
"""Packages whose objects are ends of the way: nothing of a model hangs at them."""


def reachable(root: Any) -> Iterator[tuple[str, Any]]:
    """The root, and all objects that it leads to, each once and the nearest first.

    Yields:
        The way to an object, such as `parts.head` or `optimizers[0]`, and the object.
    """
    seen: dict[int, Any] = {}
    ahead = deque([("", root)])
    while ahead:
        way, thing = ahead.popleft()
        # A thing that is kept cannot give its id to another.
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, ModuleType)):
            continue
        seen[id(thing)] = thing
        yield way, thing
        ahead.extend(_parts(way, thing))


def is_variable(thing: Any) -> bool:
    """Whether it is a variable of Keras or TensorFlow with a value."""
    return (
        hasattr(type(thing), "assign")
        and hasattr(type(thing), "numpy")
        and getattr(thing, "_value", thing) is not None
    )


def _parts(way: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """What a thing leads to at one step."""
    if isinstance(thing, Mapping):
        yield from ((f"{way}[{key!r}]", value) for key, value in list(thing.items()))
    elif isinstance(thing, (list, tuple, Set, deque)):
        yield from ((f"{way}[{place}]", value) for place, value in enumerate(list(thing)))
    elif isinstance(thing, partial):
        yield from ((way, part) for part in (thing.func, thing.args, thing.keywords))
    elif isinstance(thing, MethodType):
        yield from ((way, part) for part in (thing.__func__, thing.__self__))
    elif hasattr(thing, "__wrapped__"):  # such as a function that tf.function has compiled
        yield way, thing.__wrapped__
    elif isinstance(thing, FunctionType):
        yield from _named(thing)
    elif not isinstance(thing, type) and not is_variable(thing) and _home(thing) not in FOREIGN:
        yield from ((f"{way}.{name}".lstrip("."), part) for name, part in _attributes(thing))
        yield from ((way, method) for method in _methods(type(thing)))


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    yield from list(getattr(thing, "__dict__", {}).items())
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                yield name, getattr(thing, name)


def _methods(kind: type) -> Iterator[Any]:
    """The functions of a class of the user's own."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in FOREIGN | {"keras", "builtins"}:
            yield from (part for part in vars(base).values() if callable(part))


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function of the user's own names: of its module, and of the function around it."""
    if _home(function) not in FOREIGN | {"keras"}:
        names = inspect.getclosurevars(function)
        yield from (*names.nonlocals.items(), *names.globals.items())


def _home(thing: Any) -> str:
    """The package of a thing's class, or of a function."""
    owner = thing if isinstance(thing, FunctionType) else type(thing)
    return str(owner.__module__ or "").partition(".")[0]

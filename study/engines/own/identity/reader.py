"""The user's code and values in words that stay the same from one process to the next."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from study.engines.own.data.trees import plain
from study.engines.own.identity.source import compiled, names, short, source

LIBRARIES = ("keras", "torch", "tensorflow", "jax", "builtins", "numpy", "collections")
"""Packages whose classes are told by their names alone."""


LONGEST = 60
"""Characters of code that stand in a line themselves; of longer code a digest does."""


class Reader:
    """Tells code and values, and keeps what it read for processes that lack the files.

    Args:
        given: what a reader read elsewhere.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self.given, self.read = dict(given or {}), dict[str, str]()

    def code(self, thing: Any) -> str:
        """The code of a class or function, without comments, docstrings and layout."""
        key = f"{thing.__module__}.{thing.__qualname__}"
        if not inspect.isclass(thing):
            key += f" {short(compiled(thing))}"
        here = None if thing.__module__ == "__main__" and key in self.given else source(thing)
        self.read[key] = here or self.given.get(key) or compiled(thing)
        return self.read[key]

    def whole(self, function: Any, seen: frozenset[int] = frozenset()) -> str:
        """The code of a function, and what it uses from around it."""
        around = self.around(function, seen)
        where = f" where {', '.join(f'{key} = {around[key]}' for key in around)}"
        return self.code(function) + (where if around else "")

    def around(self, function: Any, seen: frozenset[int] = frozenset()) -> dict[str, str]:
        """What a function encloses and has as defaults, and the user's names that it looks up."""
        if id(function.__code__) in seen:
            return {}
        seen |= {id(function.__code__)}
        found = dict(self._enclosed(function))
        found |= {f"default {i}": one for i, one in enumerate(function.__defaults__ or ())}
        found |= function.__kwdefaults__ or {}
        found |= dict(_looked_up(function))
        return {name: self.told(found[name], seen) for name in sorted(found)}

    def told(self, value: Any, seen: frozenset[int] = frozenset()) -> str:
        """A value in words, the same for values that train the same."""
        if is_plain(value) or value is None:
            return str(value)
        if isinstance(value, Mapping):
            return self._mapping(value, seen)
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(self.told(one, seen) for one in value)}]"
        if isinstance(value, (set, frozenset)):
            return f"{{{', '.join(sorted(self.told(one, seen) for one in value))}}}"
        if isinstance(value, functools.partial):
            words = [value.func, *value.args], dict(sorted(value.keywords.items()))
            return f"partial{self.told(words[0], seen)}{self.told(words[1], seen)}"
        if inspect.isclass(value):
            return self._named(value, self.code)
        if callable(value) and hasattr(value, "__wrapped__"):
            value = inspect.unwrap(value)
        if isinstance(value, FunctionType):
            return self._named(value, lambda one: self.whole(one, seen))
        if isinstance(value, (MethodType, BuiltinFunctionType)):
            return value.__name__
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return _array(value)
        return self._object(value, seen)

    def _mapping(self, value: Mapping[Any, Any], seen: frozenset[int]) -> str:
        if {"class_name", "config"} <= set(value):  # an object of Keras's, without its name
            config = value["config"]
            if isinstance(config, Mapping):
                left_out = ("name", "value")  # the second is of a lambda, and has its place
                config = {key: one for key, one in config.items() if key not in left_out}
            return f"{value['class_name']}{self.told(config, seen)}"
        words = sorted((str(key), self.told(one, seen)) for key, one in value.items())
        return f"{{{', '.join(f'{key}: {one}' for key, one in words)}}}"

    def _named(self, thing: Any, read: Any) -> str:
        """A class or function: the name of a library's, the code of the user's."""
        if not users(thing):
            return str(thing.__qualname__)
        text = read(thing)
        name = thing.__name__.strip("<>")
        return text if len(text) <= LONGEST and "\n" not in text else f"{name}@{short(text)}"

    def _object(self, value: Any, seen: frozenset[int]) -> str:
        kind = type(value)
        if id(value) in seen:
            return kind.__name__
        if callable(value) and isinstance(name := getattr(value, "__name__", None), str):
            return name
        if not hasattr(value, "__dict__"):
            return kind.__name__ if " at 0x" in repr(value) else repr(value)
        seen |= {id(value)}
        code = f"@{short(self.code(kind))}" if users(kind) else ""
        settings = self.settings(value, seen)
        words = ", ".join(f"{key}={settings[key]}" for key in settings)
        return f"{kind.__name__}{code}({words})"

    def settings(self, value: Any, seen: frozenset[int] = frozenset()) -> dict[str, str]:
        """The settings of an object of Keras's, or the plain fields of another, in words."""
        config = config_of(value)
        if not config:
            config = {key: one for key, one in vars(value).items() if is_plain(one)}
        config.pop("name", None)
        return {
            key: self.told(setting(value, key, one), seen)
            for key, one in config.items()
            if one is not None
        }

    def _enclosed(self, function: Any) -> Iterator[tuple[str, Any]]:
        cells = function.__closure__ or ()
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
            if name == "__class__":
                continue
            try:
                yield name, cell.cell_contents
            except ValueError:  # not bound yet
                continue


def config_of(owner: Any) -> dict[str, Any]:
    """The settings of an object of Keras's; empty where it tells none.

    Those that Keras cannot write down, such as functions, keep it from telling any: then its fields
    of the names of its arguments stand for them.
    """
    try:
        return dict(owner.get_config())
    except Exception:
        if not hasattr(owner, "get_config"):
            return {}
    made = [vars(kind).get("__init__") for kind in type(owner).__mro__]
    arguments = [name for one in made if inspect.isfunction(one) for name in _arguments(one)]
    return {name: getattr(owner, name) for name in arguments if name in vars(owner)}


def _arguments(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def setting(owner: Any, key: str, config: Any) -> Any:
    """A setting of an object of Keras's: itself, where the configuration holds a copy in words."""
    try:
        value = getattr(owner, key, config)
    except Exception:  # a property that is not ready
        return config
    same = is_plain(config) and not isinstance(value, FunctionType)
    library = isinstance(value, FunctionType) and not users(value) and is_plain(config)
    return config if same or library else value


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a word, or a list of such."""
    if isinstance(value, (tuple, list)):
        return all(one is None or is_plain(one) for one in value)
    return isinstance(value, (bool, int, float, complex, str, bytes, np.generic))


def users(thing: Any) -> bool:
    """Whether a class or function is of the user's code, not of a library or of Python."""
    module = str(getattr(thing, "__module__", None) or "")
    if module == "__main__":
        return True
    if module.partition(".")[0] in (*LIBRARIES, "study"):
        return False
    return _outside_libraries(sys.modules.get(module))


def _outside_libraries(module: ModuleType | None) -> bool:
    if module is None:
        return True
    places = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    file = getattr(module, "__file__", None)
    return bool(file) and not str(file).startswith(tuple(places))


def _looked_up(function: Any) -> Iterator[tuple[str, Any]]:
    """The user's functions, classes and plain values that a function takes from its module."""
    known = function.__globals__
    for name, of in names(function.__code__):
        value = known.get(name)
        if isinstance(value, ModuleType):
            if not _outside_libraries(value) or value.__name__.partition(".")[0] == "study":
                continue
            name, value = f"{name}.{of}", getattr(value, of, None)
        code = isinstance(value, FunctionType) or inspect.isclass(value)
        held = is_plain(value) or isinstance(value, (dict, np.ndarray, functools.partial))
        if held or (code and users(value)):
            yield name, value


def code_of(kinds: Iterable[type], reader: Reader) -> list[str]:
    """The code of the classes that are no library's, and what it uses from around it."""
    found = []
    for kind in sorted(set(kinds), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}"):
        if kind.__module__.partition(".")[0] in LIBRARIES:
            continue
        found.append(f"{kind.__qualname__}: {reader.code(kind)}")
        around: dict[str, str] = {}
        for name, part in vars(kind).items():
            part = getattr(part, "__func__", getattr(part, "fget", part))
            part = inspect.unwrap(part) if callable(part) else part
            # What `__init__` makes is in the model.
            if isinstance(part, FunctionType) and name != "__init__":
                around |= reader.around(part)
        around.pop(kind.__name__, None)
        found += [f"{key} = {around[key]}" for key in sorted(around)]
    return found


def _array(value: Any) -> str:
    try:
        array = np.ascontiguousarray(plain(value))
        return f"{array.dtype}{array.shape}@{hashlib.sha256(array.tobytes()).hexdigest()[:8]}"
    except Exception:  # a symbol has no numbers
        return f"{type(value).__name__}{tuple(value.shape)}"

"""The user's code: where it is, and how it is called."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from study.errors import StudyError, first_line
from study.machine.loading import end_swept, unswept
from study.validation import home


@dataclass(frozen=True)
class Code:
    """What the user gave: functions, or where they are.

    Args:
        model: builds the model, from its width where it takes one.
        data: loads the data.
        loss: the loss, or empty.
        optimizers: what stands behind each label that is not just a name with settings.
        sources: the code of what a worker may get without its file; see `Reader`.
    """

    model: Any
    data: Any
    loss: Any = ""
    optimizers: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def build(self, width: float, seed: int) -> Any:
        """A fresh model, its weights drawn from the seed.

        Raises:
            StudyError: the function is not there, or fails.
        """
        function = loaded("model", self.model)
        sow(seed)
        with _keras_alone(seed):
            return _called("model", function, self.model, *_widths(function, width))

    def load(self, seed: int = 0) -> Any:
        """What the user's function gives as data.

        Raises:
            StudyError: the function is not there, or fails.
        """
        function = loaded("data", self.data)
        sow(seed)
        return _called("data", function, self.data)

    def loss_function(self) -> Any:
        """The loss as it was given, its place looked up; empty where there is none."""
        return loaded("loss", self.loss) if _is_place(self.loss) else self.loss


def sow(seed: int) -> None:
    """Seed every source of random numbers that is loaded: Python, NumPy, Keras, PyTorch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    keras, torch = sys.modules.get("keras"), sys.modules.get("torch")
    if keras is not None:
        keras.utils.set_random_seed(seed)
    if torch is not None:
        torch.manual_seed(seed)


class _Stream(random.Random):
    """Random numbers for Keras; who seeds them seeds Python's, too, as it would without them."""

    def seed(self, *seed: Any, **options: Any) -> None:
        """See `random.seed`."""
        super().seed(*seed, **options)
        random.seed(*seed, **options)


@contextmanager
def _keras_alone(seed: int) -> Iterator[None]:
    """Keras's seeds for its layers come from a stream of their own; the numbers stay the same.

    It draws them from Python's random numbers, from which the threads of a cluster's worker draw,
    too. So the weights of one seed would be others now and then.
    """
    drawn = (
        ("keras.src.random.seed_generator", "python_random"),
        ("keras.src.utils.rng_utils", "random"),
    )
    places = [(sys.modules.get(module), name) for module, name in drawn]
    if any(getattr(module, name, None) is not random for module, name in places):
        yield  # no Keras, or one that draws them otherwise
        return
    stream = _Stream(seed)
    for module, name in places:
        setattr(module, name, stream)
    try:
        yield
    finally:
        for module, name in places:
            setattr(module, name, random)
        random.setstate(stream.getstate())


def _is_place(code: Any) -> bool:
    return isinstance(code, str) and ":" in code


def loaded(what: str, code: Any) -> Any:
    """The user's function itself.

    Args:
        what: `model`, `data` or `loss`.
        code: a function, `FILE.py:NAME` or `MODULE:NAME`.

    Raises:
        StudyError: no such file, module or name, or an error while it is imported.
    """
    end_swept()
    if callable(code):
        return code
    if not _is_place(code):
        raise StudyError(f"{what} {code!r} must be FILE.py:NAME, MODULE:NAME, or a function")
    place, _, name = code.rpartition(":")
    module = _module(what, place, code)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [key for key, value in vars(module).items() if callable(value)]
            own = [key for key in names if getattr(module, key).__module__ == module.__name__]
            there = f": it has {', '.join(own)}" if own else ""
            raise StudyError(f"{what} {code!r}: {place} has no {name}{there}")
        found = getattr(found, part)
    return found


def _module(what: str, place: str, code: str) -> ModuleType:
    """The module at a place, imported once a process."""
    try:
        if not place.endswith(".py"):
            if str(Path.cwd()) not in sys.path:
                sys.path.insert(0, str(Path.cwd()))
            with unswept():
                return importlib.import_module(place)
        path = home(place).absolute()
        if not path.is_file():
            raise StudyError(f"{what} {code!r}: there is no file {path}")
        name = f"{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}"
        known = sys.modules.get(name)
        if known is not None and getattr(known, "__file__", None) == str(path):
            return known
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        if str(path.parent) not in sys.path:  # its neighbours, as where it runs as a script
            sys.path.insert(0, str(path.parent))
        before = sys.modules.get(name)
        sys.modules[name] = module
        try:
            with unswept():  # it imports a framework
                spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name)
            if before is not None:
                sys.modules[name] = before
            raise
        return module
    except StudyError:
        raise
    except ModuleNotFoundError as error:
        where = f"{what} {code!r}: {place} " if place.endswith(".py") else f"{what} {code!r}: "
        if error.name == place:
            raise StudyError(
                f"{where}there is no module {place} on the path: give the file, as in "
                f"{place.replace('.', '/')}.py:NAME"
            ) from None
        raise StudyError(f"{where}needs {error.name}, which is not installed") from None
    except Exception as error:
        raise StudyError(f"{what} {code!r} cannot be imported ({_told(error)})") from error


def _widths(function: Callable[..., Any], width: float) -> list[Any]:
    """The arguments of `build`: the width, where it takes one."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    takes = [
        one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    named = [one for one in parameters if one.name == "width"]
    if named or (takes and takes[0].default is takes[0].empty):
        return [int(width) if float(width).is_integer() else width]
    if width != 1:
        raise StudyError(
            f"width {width:g}: the function that builds the model takes no width; write it as "
            "build(width=1), or leave widths out"
        )
    return []


def _called(what: str, function: Callable[..., Any], code: Any, *arguments: Any) -> Any:
    try:
        found = function(*arguments)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{what} {_name(code)} failed ({_told(error)})") from error
    if found is None:
        raise StudyError(f"{what} {_name(code)} returns nothing: let it return the {what}")
    return found


def _name(code: Any) -> str:
    return repr(code) if isinstance(code, str) else getattr(code, "__qualname__", repr(code))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"

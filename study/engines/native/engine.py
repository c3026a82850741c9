"""Which engine trains arrays: the framework whose step times count, or the native one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from study.data.images import Images
from study.engines.learner import Engine, Learner
from study.errors import StudyError
from study.spec.networks import BASE
from study.spec.trial import Trial

if TYPE_CHECKING:
    from study.engines.lanes_engine import LanesEngine


NATIVE = "native"


def is_installed() -> bool:
    """Whether Halide is there, which compiles the native engine."""
    return find_spec("halide") is not None


def trains(network: str) -> bool:
    """Whether the native engine trains a network: it has no dropout."""
    return network in BASE and not BASE[network].dropout


class NativeEngine:
    """Makes learners whose lanes lie in registers.

    Args:
        images: the data set.
    """

    def __init__(self, images: Images) -> None:
        self.images = images

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner with a lane for each trial."""
        from study.engines.native.lanes import NativeLanes

        return NativeLanes(trials, self.images)


class Engines:
    """A framework, and beside it the native engine for arrays.

    Args:
        images: the data set.
        make: makes the framework's engine when it is first needed: a worker may never need it.
    """

    def __init__(self, images: Images, make: Callable[[], LanesEngine]) -> None:
        self._images, self._make = images, make

    @cached_property
    def framework(self) -> LanesEngine:
        """The framework's engine."""
        return self._make()

    @cached_property
    def native(self) -> NativeEngine:
        """The native engine."""
        return NativeEngine(self._images)

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner of the framework, with a lane for each trial."""
        return self.framework.learner(trials)


def for_arrays(engine: Engine, arrays: str) -> Engine:
    """What trains arrays: the engine itself, or the native one beside it.

    Args:
        engine: what `EngineChoice` makes.
        arrays: `native`, or empty for the engine itself.

    Raises:
        StudyError: there is no native engine beside it.
    """
    if arrays != NATIVE:
        return engine
    if not isinstance(engine, Engines):
        raise StudyError("the engine native is not installed for this worker: pip install halide")
    return engine.native

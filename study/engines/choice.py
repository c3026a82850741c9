"""The choice of the framework that trains, and of its precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from study.data.images import Images, load
from study.engines.command.choice import ProgramChoice
from study.engines.native import engine as native
from study.engines.native.engine import NATIVE, Engines
from study.engines.own.choice import OwnChoice
from study.errors import StudyError, first_line
from study.machine.facts import Site
from study.machine.here import this_site
from study.machine.nvidia import gpus, resolved
from study.validation import choice

if TYPE_CHECKING:
    from study.engines.lanes_engine import LanesEngine
    from study.engines.learner import Engine


ENGINES = {"tensorflow": "study.engines.tensorflow", "jax": "study.engines.jax"}
"""The engines by name, and the module that holds all of the framework that each needs."""


AUTO = "auto"
"""TensorFlow, and for arrays the native engine where it is faster."""


CHOICES = (AUTO, *ENGINES, NATIVE)
"""What a user may ask for."""


TORCH = "torch"
"""What computes models of the user's own alone: PyTorch's, and Keras's on PyTorch."""


PRECISIONS = ("default", "float32", "tf32")
"""Precisions of matrix products and convolutions; see `study.machine.nvidia.resolved`."""


@dataclass(frozen=True)
class EngineChoice:
    """Makes an engine from images, here or in a worker; the framework is imported only then.

    Args:
        engine: `tensorflow` or `jax`.
        precision: `float32`, `tf32`, or `default`, the default of both frameworks.
        arrays: what trains arrays: `native`, `auto` for the faster of both, or empty for the
            engine itself. Step times are the engine's in any case.

    Raises:
        StudyError: another name, or no Halide for the native engine.
    """

    engine: str = "tensorflow"
    precision: str = "default"
    arrays: str = ""

    def __post_init__(self) -> None:
        choice("engine", self.engine, (*ENGINES, TORCH))
        choice("precision", self.precision, PRECISIONS)
        choice("arrays", self.arrays, ("", AUTO, NATIVE))
        if self.arrays == NATIVE and not native.is_installed():
            raise StudyError(
                "the engine native is not installed: pip install halide, or in the repository "
                ".venv/bin/pip install -r requirements.txt"
            )

    def site(self) -> Site:
        """The site of this process with the engine."""
        return this_site(self.engine, self.precision)

    def __call__(self, images: Images) -> Engine:
        """Make the engine, and put the images on its device.

        Raises:
            StudyError: the framework is not installed, does not start, lacks the precision, or does
                not see the GPU of this machine.
        """
        if self.engine not in ENGINES:
            raise StudyError(
                f"the engine {self.engine} trains models of your own alone: the built-in networks "
                f"take {' or '.join(ENGINES)}"
            )
        if self.arrays and native.is_installed() and not gpus():
            return Engines(images, lambda: self._framework(images))
        return self._framework(images)

    def _framework(self, images: Images) -> LanesEngine:
        """The framework's engine; raises as `__call__`."""
        try:
            framework = import_module(ENGINES[self.engine])
        except ImportError as error:
            if (error.name or "").partition(".")[0] != self.engine:
                raise
            where = {"tensorflow": "requirements.txt", "jax": "requirements-jax.txt"}[self.engine]
            ways = (
                f"pip install {self.engine}, or in the repository .venv/bin/pip install -r {where}"
            )
            raise StudyError(f"the engine {self.engine} is not installed: {ways}") from None
        from study.engines.lanes_engine import LanesEngine

        precision = resolved(self.precision)
        try:
            runs_on = framework.prepare(precision)
        except Exception as error:
            why = first_line(error) or type(error).__name__
            raise StudyError(
                f"{self.engine} does not start on its device ({why}): "
                "give --device cpu, or repair it"
            ) from None
        if gpus() and runs_on != "gpu":
            raise StudyError(
                f"{self.engine} does not see this machine's GPU ({gpus()[0].name}): "
                "install its CUDA libraries, or give --device cpu"
            )
        if runs_on == "gpu" and not gpus():
            raise StudyError(
                f"{self.engine} would train on a GPU that nvidia-smi does not list: repair "
                "nvidia-smi, or give --device cpu"
            )
        return LanesEngine(images, framework, tune=runs_on == "gpu")


TENSORFLOW = EngineChoice()


def engine_choice(name: str, precision: str = "default") -> EngineChoice:
    """The engine that a user asks for by a name of `CHOICES`."""
    choice("engine", name, CHOICES)
    if name in (AUTO, NATIVE):
        return EngineChoice(TENSORFLOW.engine, precision, name)
    return EngineChoice(name, precision)


def one_by_one(factory: Callable[[Any], Engine]) -> Callable[[Any], Engine]:
    """The factory, for what trains no arrays of a study.

    Raises:
        StudyError: the native engine is asked for, which trains nothing else.
    """
    if isinstance(factory, EngineChoice) and factory.arrays == NATIVE:
        raise StudyError(
            "engine native trains the arrays of a study's grid alone: give auto, tensorflow or jax"
        )
    return factory


def site_of(factory: Callable[[Any], Engine]) -> Site:
    """The site of this process with the engine that `factory` makes."""
    known = EngineChoice | OwnChoice | ProgramChoice
    return factory.site() if isinstance(factory, known) else this_site()


def data_of(factory: Callable[[Any], Engine], dataset: str) -> Any:
    """The data that the engine trains on: `dataset`, or what the user's own code loads; of a
    program what stands for them.

    Raises:
        StudyError: they cannot be loaded.
    """
    if isinstance(factory, OwnChoice | ProgramChoice):
        return factory.data()
    return load(dataset)

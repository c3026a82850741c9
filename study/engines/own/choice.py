"""The choice of the user's own model as what trains: makes its data, its facts and its engine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from study.engines.own.code import Code, loaded
from study.errors import StudyError
from study.machine.facts import Site
from study.machine.here import this_site
from study.machine.loading import silenced

if TYPE_CHECKING:
    from study.engines.learner import Engine
    from study.engines.own.data.samples import Samples
    from study.spec.study import StudySpec

BACKEND = "KERAS_BACKEND"
"""The environment variable that names Keras's backend."""


WAITING = "OMP_WAIT_POLICY"
"""The environment variable that says how PyTorch's threads wait for each other.

They spin by themselves. Where other programs take a core, a step of a small module then takes 25
times as long.
"""


@dataclass(frozen=True)
class OwnChoice:
    """Makes the engine of the user's own model, here or in a worker.

    The user's code is imported when the data or the engine are first asked for.

    Args:
        code: the user's.
        engine: what computes: `tensorflow` or `jax` or `torch`; empty until it is known.
        keras: whether it is Keras's backend.
    """

    code: Code
    engine: str = ""
    keras: bool = False

    def site(self) -> Site:
        """The site of this process with what computes."""
        site = this_site(self.engine, "float32")
        if not self.keras:
            return site
        return replace(site, versions={**site.versions, "keras": version("keras")})

    def data(self) -> Samples:
        """The user's data.

        Raises:
            StudyError: they cannot be loaded.
        """
        from study.engines.own.data.samples import samples_of

        self._start()
        return samples_of(self.code)

    def __call__(self, samples: Any) -> Engine:
        """Make the engine."""
        from study.engines.own.engine import OwnEngine

        self._start()
        return OwnEngine(self.code, samples)

    def settled(self, spec: StudySpec, samples: Samples) -> tuple[StudySpec, OwnChoice]:
        """The study with the facts of its model, and the choice that trains it.

        Raises:
            StudyError: see `study.engines.own.facts.settled`; or an engine that does not train it.
        """
        from study.engines.own.facts import settled

        known, code = settled(spec, samples)
        assert known.own is not None
        if self.engine not in ("", known.own.engine):
            raise StudyError(
                f"engine {self.engine} trains models of Keras, and this one is of PyTorch: leave "
                "it out"
            )
        keras = known.own.framework == "keras"
        return known, OwnChoice(code, known.own.engine, keras)

    def _start(self) -> None:
        """Settle Keras's backend before the user's code imports it.

        Raises:
            StudyError: another backend is loaded already.
        """
        if self.engine and (self.keras or self.engine != "torch"):
            if "keras" not in sys.modules:
                os.environ[BACKEND] = self.engine
            elif _backend() != self.engine:
                raise StudyError(
                    f"Keras computes on {_backend()} in this process, and the study on "
                    f"{self.engine}: set {BACKEND}={self.engine} before Keras is imported"
                )
        os.environ.setdefault(WAITING, "passive")  # read when PyTorch is imported
        with silenced():
            loaded("model", self.code.model)
        if _computes_by("tensorflow"):
            from study.engines import tensorflow

            tensorflow.prepare("float32")
        if _computes_by("torch") or (self.engine == "torch" and not self.keras):
            _set_threads()


def _computes_by(name: str) -> bool:
    return "keras" in sys.modules and _backend() == name


def _backend() -> str:
    import keras

    return str(keras.backend.backend())


def _set_threads() -> None:
    """Give PyTorch the threads that the environment names: it may have been imported before."""
    import torch

    from study.machine.versions import THREADS

    if (count := os.environ.get(THREADS["torch"], "")).isdigit():
        torch.set_num_threads(int(count))

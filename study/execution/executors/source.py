"""The images of a study and the engine on them, made when they are first needed."""

from __future__ import annotations

from typing import Any

from study.engines.choice import data_of
from study.engines.learner import Engine
from study.execution.executors.base import EngineFactory
from study.training.stopwatch import Stopwatch


class Source:
    """Makes the images and the engine of this process once.

    Args:
        dataset: name of the data set.
        factory: makes the engine from the images.
        stopwatch: counts the seconds of both.
    """

    def __init__(self, dataset: str, factory: EngineFactory, stopwatch: Stopwatch) -> None:
        self.dataset, self.factory, self.stopwatch = dataset, factory, stopwatch
        self._images: Any = None
        self._engine: Engine | None = None

    def images(self) -> Any:
        """The data set, read once; it has a `digest`."""
        if self._images is None:
            with self.stopwatch.part("data"):
                self._images = data_of(self.factory, self.dataset)
        return self._images

    def take(self, images: Any) -> None:
        """Use data that were loaded before."""
        self._images = images

    def engine(self) -> Engine:
        """The engine, made once; the import of its framework is counted."""
        if self._engine is None:
            images = self.images()
            with self.stopwatch.part("import"):
                self._engine = self.factory(images)
        return self._engine

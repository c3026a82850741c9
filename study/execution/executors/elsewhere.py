"""Executors whose workers are other processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from study.execution.executors.base import Job, Task, Watch
from study.execution.executors.tasks import _probe, _train, rounds_from
from study.spec.trial import Trial
from study.storage.records import Finish, Run
from study.storage.rounds import Rounds
from study.training.group import Context, Emit
from study.training.loop import Progress


class Elsewhere(ABC):
    """Workers in other processes."""

    jobs: int

    def train(
        self, groups: Sequence[Job], context: Context, emit: Emit, watch: Watch
    ) -> dict[str, float]:
        """Train the groups; `emit` each run as it comes and `watch` what checks come. Return the
        workers' seconds by part.

        Raises:
            StudyError: a worker died; what had ended before has been emitted.
        """
        parts: dict[str, float] = {}

        def receive(index: int, kind: str, *values: Any) -> None:
            if kind == "run":
                row, finish = values
                emit(Run.from_json(row), None if finish is None else Finish(**finish))
            elif kind == "check":
                step, alive, array, seconds = values
                watch(index, Progress(step, tuple(alive), array, seconds))
            else:
                for name, seconds in values[0].items():
                    parts[name] = parts.get(name, 0.0) + seconds

        self._work([(_train, (*job, context)) for job in groups], receive)
        return parts

    def probe(self, trial: Trial, sizes: Sequence[int]) -> dict[int, Rounds]:
        """`calibration.probe` on all workers at once, since that is how they will train; the load
        is that of the busiest.
        """
        found: dict[int, list[Rounds]] = {}

        def receive(index: int, size: int, *told: Any) -> None:
            found.setdefault(size, []).append(rounds_from(*told))

        self._work([(_probe, (trial, list(sizes)))] * self.jobs, receive)
        return {
            size: Rounds(
                [value for one in some for value in one.seconds],
                some[0].steps,
                [value for one in some for value in one.processor],
                max(
                    (one.load for one in some if one.load),
                    key=lambda load: load.others,
                    default=None,
                ),
            )
            for size, some in sorted(found.items())
        }

    @abstractmethod
    def _work(
        self, tasks: Sequence[tuple[Task, tuple[Any, ...]]], receive: Callable[..., None]
    ) -> None:
        """Have the workers do the tasks, and call `receive(task's index, *message)` here for every
        message of each.
        """

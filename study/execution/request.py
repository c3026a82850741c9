"""What a command asks for: a study, its folder, and who may train it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from study.engines.choice import TENSORFLOW, EngineChoice, site_of
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.spec.program import is_program
from study.spec.study import StudySpec
from study.validation import choice

BACKENDS = ("loky", "dask", "ray")
"""Who may train: processes of this machine, or the workers of a cluster."""


class Shard(NamedTuple):
    """Which share of a study, from 1 on, of how many."""

    number: int
    total: int


@dataclass(frozen=True)
class Request:
    """A study and how it is to be trained; what makes no sense is refused when it is made.

    Args:
        spec: what to train.
        out: the study's folder; results/<study> if None.
        workers: processes that train at the same time; as the machine suggests if None. With a
            cluster, the number of workers to wait for.
        memory: bytes that all workers may fill together; half of what is free if None.
        retry: train failed trials again.
        repair: move stored lines that cannot be read aside, see `Store.set_aside`.
        silence: seconds without a check, compilation included, after which a trial counts as hung.
            Its worker process is ended, and the trial is recorded as failed.
        backend: `loky` for processes of this machine, `dask` or `ray` for those of a cluster.
        scheduler: the cluster's address.
        reference: the folder of a study or of step times, whose machine's step times turn the cap
            in seconds into steps; the study's own where None, of a new study this machine's.
        shard: which of how many shares of the study to train, from 1 on; all of it if None.
        patience: seconds to wait for a quiet machine before anything is timed.
        factory: makes the engine from the images.

    Raises:
        StudyError: an unknown backend, no such share, or options that exclude each other.
    """

    spec: StudySpec
    out: str | Path | None = None
    workers: int | None = None
    memory: float | None = None
    retry: bool = False
    repair: bool = False
    silence: float | None = None
    backend: str = "loky"
    scheduler: str | None = None
    reference: str | Path | None = None
    shard: tuple[int, int] | None = None
    patience: float = 0.0
    factory: EngineFactory = TENSORFLOW

    def __post_init__(self) -> None:
        choice("backend", self.backend, BACKENDS)
        if self.shard is not None:
            self._check_shard(*self.shard)
        if self.backend != "loky":
            if self.silence is not None and not is_program(self.spec.network):
                raise StudyError(
                    f"a hang is ended with its worker process, which belongs to {self.backend}: "
                    "--hang-limit needs the backend loky"
                )
            return
        if self.scheduler is not None:
            raise StudyError(
                f"the scheduler {self.scheduler} is for the backends dask and ray: loky works on "
                "this machine"
            )
        workers = self.workers
        if is_program(self.spec.network) and (workers is None or workers > 0):
            return  # it is a process of its own, which can be ended
        alone = self.spec.mode == "alone"
        if workers is not None and workers < 1:
            raise StudyError(f"workers {workers} must be at least 1")
        if alone and workers is not None and workers > 1:
            raise StudyError(
                f"mode alone takes the machine to itself: --workers {workers} must be 1"
            )
        if self.silence is not None and (alone or workers == 1):
            raise StudyError(
                "a hang is ended with its worker process: --hang-limit needs mode array and two "
                "workers at least"
            )

    def _check_shard(self, index: int, count: int) -> None:
        if not 1 <= index <= count:
            raise StudyError(
                f"shard {index}/{count} must be I/N with I from 1 to N, such as 3/8 for the third "
                "of eight shares"
            )

    @property
    def whole(self) -> bool:
        """Whether the whole study is to be trained, and not a share of it."""
        return self.shard is None or self.shard[1] == 1

    @property
    def engine(self) -> EngineFactory:
        """The engine's factory, at one precision whatever GPU a worker pins."""
        if self.backend == "loky" and isinstance(self.factory, EngineChoice):
            return replace(self.factory, precision=site_of(self.factory).precision)
        return self.factory

"""What an executor is: it does tasks somewhere, and tells what happens as events.

Tasks and events are data. An executor runs tasks in this process, in processes of this machine, or
on a cluster; the caller cannot tell them apart, and it alone writes to the disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import msgspec

from study.engines.learner import Engine
from study.errors import StudyError
from study.execution.planning.resources import Crew
from study.machine.facts import Kind, Site
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.checks import Finish
from study.storage.records import Run
from study.storage.rounds import Rounds
from study.training.group import Context
from study.training.loop import Progress
from study.training.timing import ROUNDS

EngineFactory = Callable[[Any], Engine]
"""Makes the engine from the data: images, or a user's own samples."""


@dataclass(frozen=True)
class TimeSteps:
    """Time a step of each trial alone, once the machine is quiet or `patience` seconds are over; on
    a machine of this kind, if one is named.
    """

    trials: tuple[Trial, ...]
    patience: float = 0.0
    kind: Kind | None = None
    rounds: int = ROUNDS


@dataclass(frozen=True)
class ProbeSizes:
    """Time a lane's step in an array of each size, of this engine for arrays."""

    trial: Trial
    sizes: tuple[int, ...]
    kind: Kind | None = None
    arrays: str = ""


@dataclass(frozen=True)
class TrainGroup:
    """Train the trials as one array, at a site of the context's kind; `step_seconds` is None in
    mode alone.
    """

    trials: tuple[Trial, ...]
    step_seconds: tuple[float, ...] | None
    context: Context

    @property
    def kind(self) -> Kind:
        """The kind of machine that the array was made for."""
        return self.context.site.kind


@dataclass(frozen=True)
class TrainCurves:
    """Train the trials once more for `span` seconds each, and look at the validation set."""

    trials: tuple[Trial, ...]
    step_seconds: tuple[float, ...]
    span: float
    kind: Kind | None = None


Task = TimeSteps | ProbeSizes | TrainGroup | TrainCurves


class Checked(msgspec.Struct, frozen=True, tag=True):
    """A group or its curves came to a check."""

    progress: Progress


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A trial ended; `finish` holds its checks where it made any."""

    run: Run
    finish: Finish | None


class Hung(msgspec.Struct, frozen=True, tag=True):
    """A group came to no check in time: the run that its trial would be recorded as."""

    run: Run


class Timing(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` timing rounds are over."""

    done: int
    total: int


class Timed(msgspec.Struct, frozen=True, tag=True):
    """What timing found, by the trial's place in `TimeSteps` or the size in `ProbeSizes`."""

    rounds: dict[int, Rounds]


class Drawn(msgspec.Struct, frozen=True, tag=True):
    """Validation curves, one row a trial."""

    rows: list[dict[str, Any]]


class Spent(msgspec.Struct, frozen=True, tag=True):
    """Where a worker's time went, seconds by part."""

    seconds: dict[str, float]


Event = Checked | Ended | Hung | Timing | Timed | Drawn | Spent

Receive = Callable[[int, Event], None]
"""Called with the place of the task in its list, and an event of it."""


class Runner(Protocol):
    """Processes that do tasks, `jobs` of them at the same time."""

    @property
    def jobs(self) -> int:
        """How many."""
        ...

    def run(self, tasks: Sequence[Task], receive: Receive) -> None:
        """Do the tasks and call `receive` here for every event, as they come.

        Raises:
            StudyError: a worker died; what had ended before has been received.
        """
        ...


class WorkersGone(StudyError):
    """The workers of one kind of machine are gone, and others are left."""

    def __init__(self, which: str) -> None:
        super().__init__(
            f"{which}: what had ended is stored; run the same command to go on with those who are "
            "left"
        )
        self.which = which


class Executor(Runner, Protocol):
    """Who does tasks, on machines of one kind or of several.

    `run` may raise `WorkersGone` once all is done that the workers who are left could do.
    """

    distant: bool
    """Whether a group's events come when it has ended, and not at once."""

    @property
    def sites(self) -> Sequence[Site]:
        """One for each kind; the first is whose step times count where nothing else says so."""
        ...

    def crews(self, spec: StudySpec, pending: int) -> Sequence[Crew]:
        """Who may train `pending` trials: those of each kind, and what they may use. Settles
        `jobs`.

        Raises:
            StudyError: the workers, the memory or the watch over hangs make no sense there.
        """
        ...

    def settle(self, patience: float, say: Callable[[str], object]) -> None:
        """Wait for a quiet machine, at most `patience` seconds, if it is this one."""
        ...

    def exclusive(self, task: Task, receive: Receive) -> None:
        """Do one task with a machine to itself.

        Raises:
            StudyError: no worker has a machine to itself.
        """
        ...

    def still(self) -> AbstractContextManager[bool]:
        """Workers that train wait at their next check; whether this machine is still by then."""
        ...

    def close(self) -> None:
        """Let the workers go; what is not done is given up."""
        ...


@dataclass(frozen=True)
class Setting:
    """What a worker needs to know before its first task.

    Args:
        dataset: name of the data set.
        factory: makes the engine.
        beside: workers that share the worker's machine.
        digest: MD5 of the data, where the worker's could be another.
        key: tells one driver's engine from another's.
    """

    dataset: str
    factory: EngineFactory
    beside: int
    digest: str | None = None
    key: str = field(default_factory=partial(secrets.token_hex, 8))


def to_message(index: int, event: Event) -> bytes:
    """An event of the task at `index`, to be sent between processes."""
    return _encoder.encode((index, event))


def from_message(message: bytes) -> tuple[int, Event]:
    """The event that `to_message` packed."""
    index, event = _decoder.decode(message)
    return index, event


# Not JSON: losses may be infinite or no numbers.
_encoder = msgspec.msgpack.Encoder(enc_hook=lambda value: value.item())  # numpy's scalars
_decoder = msgspec.msgpack.Decoder(tuple[int, Event])

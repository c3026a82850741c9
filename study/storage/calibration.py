"""The step times of one machine and software, kept in files."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from study.machine.facts import Kind, Machine
from study.spec.own import model_in_words
from study.spec.trial import Trial
from study.storage import jsonl
from study.storage.reference import Clock
from study.storage.rounds import Rounds
from study.storage.step_times import (
    Key,
    StepTime,
    array_key,
    key_of,
    one_of_each,
    read,
    selected,
)

MUCH = 1.25
"""Two readings of one step time that differ by more than this factor are reported."""


class Calibration:
    """Step times of one machine and software, kept in files.

    Entries of other machines in the same files stay as they are. A step time may have several
    readings: the last one on a quiet machine counts, and if there is none, the last one. The
    study's own file counts before the shared file, which holds no reading of a busy machine.

    Args:
        paths: files to read, the study's own first; `add` writes them all.
        machine: this machine.
        software: engine, version and precision, which a step time depends on.
        own: whether the first file belongs to one study.
        clock: the step times of the study's reference, where that is another machine.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        machine: Machine,
        software: str,
        own: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.paths, self.machine, self.software, self.own = list(paths), machine, software, own
        self.clock = clock
        self.adopted: list[StepTime] = []
        self.readings: list[StepTime] = []
        self.times: dict[Key, StepTime] = {}
        for path in reversed(self.paths):
            self._keep(time_ for time_ in read(path) if self._mine(time_))

    @property
    def kind(self) -> Kind:
        """Whose step times these are, as `Site.kind`."""
        return self.machine.fingerprint, self.software

    def _keep(self, times: Iterable[StepTime]) -> None:
        known = set(self.readings)
        self.readings += [time_ for time_ in times if time_ not in known]
        self.times = selected(self.readings)

    def _mine(self, time_: StepTime) -> bool:
        return (time_.fingerprint, time_.software) == self.kind

    def seconds(self, trial: Trial) -> float | None:
        """The trial's step time alone; None if it has not been measured."""
        found = self.times.get(key_of(trial))
        return found.seconds if found else None

    def quiet(self, trial: Trial) -> bool | None:
        """Whether the machine was quiet when the trial's step time was measured."""
        found = self.times.get(key_of(trial))
        return found.quiet if found else None

    def counted(self, trial: Trial) -> float | None:
        """The step time by which the trial's seconds count: the reference's, else this machine's.

        None if it is not known.
        """
        return self.clock.seconds(trial) if self.clock else self.seconds(trial)

    def counted_quiet(self, trial: Trial) -> bool | None:
        """Whether that step time was measured on a quiet machine."""
        return self.clock.quiet(trial) if self.clock else self.quiet(trial)

    def arrays(self, trial: Trial, jobs: int, engine: str = "") -> dict[int, StepTime]:
        """The step times of the trial's network in arrays.

        Args:
            trial: a trial.
            jobs: the number of processes that train at once.
            engine: what trains the arrays, as in `array_key`.

        Returns:
            The step time of a lane, by the number of lanes; empty if nothing was measured.
        """
        kind = array_key(trial, 0, jobs, engine)
        return {
            key[-2]: time_ for key, time_ in self.times.items() if (*key[:-2], 0, key[-1]) == kind
        }

    def widths(self, trial: Trial, jobs: int, engine: str = "") -> list[float]:
        """The widths of the trial's network at which arrays were measured.

        Args:
            trial: a trial.
            jobs: the number of processes that train at once.
            engine: what trains the arrays, as in `array_key`.

        Returns:
            The widths, sorted.
        """
        kind = array_key(trial, 0, jobs, engine)
        return sorted(
            {key[1] for key in self.times if (key[0], kind[1], *key[2:-2], 0, key[-1]) == kind}
        )

    def widths_alone(self, trial: Trial) -> list[float]:
        """The widths of the trial's network whose step was measured alone, all else being equal."""
        kind = key_of(trial)
        return sorted({key[1] for key in self.times if (key[0], kind[1], *key[2:]) == kind})

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """One trial for each step time that counts and is not known yet, in order."""
        return [trial for trial in one_of_each(trials) if self.counted(trial) is None]

    def pin(self, seconds: Iterable[tuple[Trial, float]]) -> None:
        """Use these step times alone, in memory only: another study's rows are based on them."""
        self._keep(self.entry(key_of(trial), Rounds([value], 1)) for trial, value in seconds)

    def forget_arrays(self, trials: Iterable[Trial]) -> None:
        """Drop the step times of these trials' networks in arrays, to measure them again."""
        gone = {array_key(trial, 0, 0)[:6] for trial in trials}
        self.readings = [
            time_
            for time_ in self.readings
            if (*time_.key[:3], time_.optimizer.partition(" ")[0], *time_.key[4:6]) not in gone
        ]
        self._keep(())

    def add(self, times: Iterable[StepTime]) -> list[str]:
        """Add readings, and write them to the files.

        Readings of a busy machine, and those taken again, are written to the study's own file only.

        Args:
            times: the readings.

        Returns:
            Sentences on readings that differ much from those known before.
        """
        before, new = dict(self.times), list(times)
        self._keep(new)
        for path in self.paths:
            others = [time_ for time_ in read(path) if not self._mine(time_)]
            mine = [
                time_
                for time_ in self.readings
                if (self.own and path == self.paths[0])
                or (time_.quiet is not False and not time_.again)
            ]
            _write(path, [*others, *mine])
        return [
            _differs(before[time_.key], time_)
            for time_ in new
            if time_.key in before and _far(before[time_.key], time_)
        ]

    def adopt(self, times: Iterable[StepTime]) -> None:
        """Take step times of this kind of machine from elsewhere; what is known here stays."""
        known = set(self.times)
        self.adopted = [time_ for time_ in times if self._mine(time_) and time_.key not in known]
        self._keep(self.adopted)

    def keep(self) -> None:
        """Write step times that came from elsewhere into the study's own file."""
        known = read(self.paths[0])
        times = [*(self.clock.times.values() if self.clock else ()), *self.adopted]
        if new := [time_ for time_ in times if time_ not in known]:
            _write(self.paths[0], [*known, *new])

    def take(
        self, trials: Sequence[Trial], rounds: Sequence[Rounds], again: bool = False
    ) -> list[str]:
        """Add what timing found; see `add`.

        Args:
            trials: what was timed.
            rounds: what was found of each trial.
            again: whether a study trains by other readings, so that these tell a drift alone.

        Returns:
            Sentences on readings that differ much from those known before.
        """
        found = zip(trials, rounds, strict=True)
        return self.add(
            replace(self.entry(key_of(trial), one), again=again) for trial, one in found
        )

    def entry(self, key: Key, rounds: Rounds) -> StepTime:
        """A `StepTime` of this machine, now.

        Args:
            key: what was timed.
            rounds: what timing found.

        Returns:
            The step time.
        """
        low, high = np.quantile(rounds.seconds, [0.25, 0.75])
        load = rounds.load
        network, width, scale_dense, optimizer, hyper, batch, lanes, jobs = key
        return StepTime(
            network=network,
            width=width,
            scale_dense=scale_dense,
            optimizer=optimizer,
            hyper=hyper,
            batch=batch,
            lanes=lanes,
            jobs=jobs,
            seconds=rounds.estimate,
            low=float(low),
            high=float(high),
            rounds=len(rounds.seconds),
            steps=rounds.steps,
            fingerprint=self.machine.fingerprint,
            software=self.software,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            processor_seconds=statistics.median(rounds.processor) if rounds.processor else None,
            others=round(load.others, 3) if load else None,
            pressure=round(load.pressure, 3) if load and load.pressure is not None else None,
            quiet=load.quiet
            if load and rounds.processor
            else None,  # what runs on the processor says little of a GPU's step
            machine=self.machine.name,
        )


def _write(path: Path, times: Sequence[StepTime]) -> None:
    """Write a file of step times, as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(time_) for time_ in times], indent=1) + "\n"
    jsonl.replace(path, text.encode())


def _far(before: StepTime, now: StepTime) -> bool:
    return not 1 / MUCH <= now.seconds / before.seconds <= MUCH


def _differs(before: StepTime, now: StepTime) -> str:
    what = f"{now.optimizer} on the {model_in_words(now.network)}" + (
        f" in arrays of {now.lanes}" if now.lanes > 1 else ""
    )
    busy = {True: ", on a quiet machine", False: ", on a busy machine", None: ""}
    return (
        f"a step of {what} takes {1e3 * now.seconds:.3g} ms now{busy[now.quiet]}, and took "
        f"{1e3 * before.seconds:.3g} ms on "
        f"{before.measured_at[:10]}{busy[before.quiet]}: rows keep the step time that they were "
        "given"
    )

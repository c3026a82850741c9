"""Stores where the time of a run goes, now and then, so that a killed process leaves it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from study.storage.jsonl import append_line
from study.storage.store import Store
from study.training.stopwatch import Stopwatch

SPENT_EVERY = 60.0
"""Seconds between two lines of `spent.jsonl`."""


@dataclass
class Spending:
    """The lines of `spent.jsonl` that a run writes.

    Args:
        store: the study's folder.
        stopwatch: the run's.
        jobs: processes that train at the same time.
        in_workers: seconds of other processes by part; they go into the last line.
    """

    store: Store
    stopwatch: Stopwatch
    jobs: int
    in_workers: dict[str, float] = field(default_factory=dict)
    _written: dict[str, float] = field(default_factory=dict)

    def write(self, least: float = 0.0) -> None:
        """Append the seconds since the last line, if they are at least `least`."""
        parts = self.stopwatch.parts()
        since = {name: value - self._written.get(name, 0.0) for name, value in parts.items()}
        if sum(since.values()) < least:
            return
        self._written = parts
        row = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "jobs": self.jobs,
            "seconds": since,
            "in_workers": self.in_workers,
        }
        append_line(self.store.spent_path, row)

"""The folder of a study: append a run, read the runs, know what remains. `runs.jsonl` is the source of truth.

    spec.json      what was asked for            machine.json      where
    runs.jsonl     one finished trial a line     checks.jsonl      accuracy and loss at every check of each
    curves.jsonl   validation curves             spent.jsonl       where the time of each process went

Lines are only ever appended (but for the few curves, replaced as a whole), each flushed to the disk before the next trial is awaited.
A process killed in the middle of a line leaves it torn; the next writer cuts it off. One writer at a time, by a lock that the system
drops when the process dies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from study.errors import StudyError
from study.race import Finish
from study.record import SCHEMA, Outcome, Run
from study.spec import LATER, SPEC_FIELDS, StudySpec, spec_from


class Store:
    """A study's folder. Reading needs no lock and writes nothing; writing goes inside `with store.writing():`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs_path = folder / "runs.jsonl"
        self.checks_path = folder / "checks.jsonl"
        self.curves_path = folder / "curves.jsonl"
        self.spent_path = folder / "spent.jsonl"
        self.spec_path = folder / "spec.json"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the study's lock, with torn last lines cut off.

        Raises:
            StudyError: another process holds it, or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise StudyError(
                f"another process is running the study in {self.folder}: wait for it, stop it, or give another --out"
            ) from None
        except OSError as error:
            raise StudyError(f"cannot write to {self.folder}: {error.strerror or error}") from None
        try:
            for path in (self.runs_path, self.checks_path, self.spent_path):
                repair(path)
            yield
        finally:
            lock.release()

    def append(self, run: Run, finish: Finish | None = None) -> None:
        """Put a finished trial on the disk: its checks first, so that a stored run always has them."""
        if finish is not None:
            append_line(
                self.checks_path,
                {
                    "id": run.id,
                    "check_every": run.trial.check_every,
                    "accuracy": [round(value, 4) for value in finish.accuracies],
                    "loss": [float(f"{value:.5g}") for value in finish.losses],
                },
            )
        append_line(self.runs_path, run.to_json())

    def runs(self) -> list[Run]:
        """The stored runs in the order in which they ended, one a trial; one that failed gives way to a later one.

        Raises:
            StudyError: a line other than a torn last one is not a run; the sentence names it.
        """
        found: dict[str, Run] = {}
        for number, row in read_lines(self.runs_path):
            try:
                run = Run.from_json(row)
            except StudyError as error:
                raise StudyError(f"{self.runs_path}, line {number}: {error}") from None
            if run.id not in found or found[run.id].outcome is Outcome.FAILED:
                found[run.id] = run
        return list(found.values())

    def curves(self) -> list[dict[str, Any]]:
        """The stored validation curves.

        Raises:
            StudyError: a line is not a curve; the sentence names it.
        """
        numbers = ("learning_rate", "width", "seed", "step_seconds", "check_every", "span")
        return list(rows_with(self.curves_path, text=("id", "optimizer"), number=numbers, numbers=("accuracy", "loss")))

    def write_curves(self, curves: Sequence[Mapping[str, Any]]) -> None:
        """Put the validation curves in the place of those that are stored, whole or not at all."""
        self._replace(self.curves_path, "".join(json.dumps(curve, allow_nan=False) + "\n" for curve in curves))

    def checks(self) -> dict[str, dict[str, Any]]:
        """Accuracy and loss at every check, by the trial's id.

        Raises:
            StudyError: a line is not such a row; the sentence names it.
        """
        rows = rows_with(self.checks_path, text=("id",), number=("check_every",), numbers=("accuracy", "loss"))
        return {row["id"]: row for row in rows}

    def spent(self) -> list[dict[str, Any]]:
        """Where the time of each process went: rows with `seconds`, by part.

        Raises:
            StudyError: a line is not such a row; the sentence names it.
        """
        rows = []
        for number, row in read_lines(self.spent_path):
            seconds = row.get("seconds")
            if not isinstance(seconds, dict) or not all(isinstance(value, (int, float)) for value in seconds.values()):
                raise StudyError(f"{self.spent_path}, line {number}: expected seconds by part: mend or remove the line")
            rows.append(row)
        return rows

    def spec(self) -> StudySpec:
        """The stored spec.

        Raises:
            StudyError: the folder holds no study, or its spec cannot be read.
        """
        try:
            values = json.loads(self.spec_path.read_text(encoding="utf-8"))
            if not isinstance(values["schema"], int) or not 1 <= values["schema"] <= SCHEMA:
                raise StudyError(f"schema {values['schema']!r} is not one this version reads (1 to {SCHEMA})")
            missing = [field for field in SPEC_FIELDS if field not in values["spec"] and field not in LATER]
            if missing:
                raise StudyError(f"the spec has no {missing[0]}: restore the file")
            return spec_from(values["spec"])
        except (FileNotFoundError, NotADirectoryError):
            raise StudyError(f"{self.folder} holds no study (no {self.spec_path.name} in it): give a study's folder") from None
        except StudyError as error:
            raise StudyError(f"{self.spec_path}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = getattr(error, "strerror", None) or "it holds no spec"
            raise StudyError(f"{self.spec_path} cannot be read ({what}): restore it, or run the study's command on another --out") from None

    def write(self, path: Path, value: object) -> None:
        """Write a small JSON file whole or not at all."""
        self._replace(path, json.dumps(value, indent=1) + "\n")

    def _replace(self, path: Path, text: str) -> None:
        draft = path.with_suffix(".tmp")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON line and wait until the disk has it."""
    line = json.dumps(row, allow_nan=False).encode() + b"\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while line:
            line = line[os.write(handle, line) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered JSON objects of a file's lines; a last line without its end is being written or torn, and is left out.

    Raises:
        StudyError: another line is not a JSON object.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from None
    for number, line in enumerate(text.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise StudyError(f"{path}, line {number} is not a JSON object: mend or remove the line")
        yield number, row


def rows_with(path: Path, text: Sequence[str], number: Sequence[str], numbers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a file, each with these fields: texts, numbers, and lists of numbers.

    Raises:
        StudyError: a row lacks one, or holds something else there.
    """

    def numeric(value: object) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    for line, row in read_lines(path):
        fine = (
            all(isinstance(row.get(name), str) for name in text)
            and all(numeric(row.get(name)) for name in number)
            and all(isinstance(row.get(name), list) and all(map(numeric, row[name])) for name in numbers)
        )
        if not fine:
            raise StudyError(f"{path}, line {line}: expected {', '.join((*text, *number, *numbers))}: mend or remove the line")
        yield row


def repair(path: Path) -> None:
    """Cut off a last line that has no end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        text = file.read()
        if text and not text.endswith(b"\n"):
            file.truncate(text.rfind(b"\n") + 1)
            file.flush()
            os.fsync(file.fileno())

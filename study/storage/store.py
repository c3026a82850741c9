"""The folder of a study: append a run, read the runs, know what remains.

`runs.jsonl` is the source of truth. The files:

- spec.json: what was asked for
- machine.json: where the study ran last
- runs.jsonl: a finished trial a line
- checks.jsonl: accuracy and loss at every check of each trial
- curves.jsonl: validation curves
- spent.jsonl: where the time of each process went

Lines are only appended, each flushed to the disk before the next trial is awaited; the few curves
are replaced as a whole. A process killed in the middle of a line leaves it torn: the next writer
cuts it off. A row of a newer version is said to be one. Any other bad line is named, and moved
aside on request. One process writes at a time, under a lock that ends with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from study.errors import StudyError, unwritable
from study.spec.goals import is_share
from study.spec.presets import spec_from
from study.spec.study import SPEC_FIELDS, TOLD, StudySpec
from study.spec.trial import FIELDS_ADDED_LATER
from study.storage.checks import Checks, Curve, Finish, Watched
from study.storage.jsonl import (
    Row,
    append,
    append_line,
    convert,
    cut_torn_line,
    json_object,
    known_schema,
    read_rows,
    readable,
    replace,
    whole_lines,
)
from study.storage.links import refuse_links
from study.storage.records import SCHEMA, Outcome, Run, Spent
from study.storage.reference import Reference
from study.validation import home


class Store:
    """A study's folder. Reading needs no lock; writing goes inside `with store.writing():`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder = home(folder)
        self.runs_path = folder / "runs.jsonl"
        self.checks_path = folder / "checks.jsonl"
        self.curves_path = folder / "curves.jsonl"
        self.spent_path = folder / "spent.jsonl"
        self.spec_path = folder / "spec.json"
        self.machine_path = folder / "machine.json"
        self.readers: dict[Path, Callable[[Row], object]] = {
            self.runs_path: Run.from_json,
            self.checks_path: partial(convert, kind=Checks),
            self.curves_path: partial(convert, kind=Curve),
            self.spent_path: partial(convert, kind=Spent),
        }

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the study's lock, and cut off torn last lines.

        Raises:
            StudyError: another process holds the lock, the folder cannot be written, or a link in
                the folder leads out of it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            refuse_links(self.folder)
            lock = FileLock(self.folder / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise StudyError(
                f"another process is running the study in {self.folder}: wait for it, stop it, "
                "or give another --out"
            ) from None
        except OSError as error:
            raise StudyError(unwritable(self.folder, error)) from None
        try:
            for path in (self.runs_path, self.checks_path, self.spent_path):
                cut_torn_line(path)
            yield
        finally:
            lock.release()

    def append(self, run: Run, finish: Finish | None = None) -> None:
        """Append a finished trial. Its checks come first, so that a stored run always has them.

        Args:
            run: the trial.
            finish: what its checks saw; None if the trial has none.
        """
        if finish is not None:
            share = is_share(run.trial.metric)
            accuracy = tuple(
                round(value, 4) if share else float(f"{value:.5g}") for value in finish.accuracies
            )
            loss = tuple(float(f"{value:.5g}") for value in finish.losses)
            told = finish.watched or Watched()
            seconds = tuple(round(value, 3) for value in told.seconds)
            seen = (accuracy, loss, told.steps, seconds, finish.windows)
            self.append_checks(Checks(run.id, run.trial.check_every, *seen))
        append_line(self.runs_path, run.to_json())

    def append_checks(self, checks: Checks) -> None:
        """Append what the checks of a trial saw; its run is to follow."""
        append_line(self.checks_path, checks.to_json())

    def runs(self) -> list[Run]:
        """The stored runs in the order in which they ended, one a trial.

        Of a trial that is stored twice the first run counts, unless it failed.

        Raises:
            StudyError: a line other than a torn last one is not a run; the sentence names it.
        """
        found: dict[str, Run] = {}
        for run in read_rows(self.runs_path, Run.from_json):
            if run.id not in found or found[run.id].outcome is Outcome.FAILED:
                found[run.id] = run
        return list(found.values())

    def curves(self) -> list[Curve]:
        """The stored validation curves.

        Raises:
            StudyError: a line is not a curve; the sentence names it.
        """
        return list(read_rows(self.curves_path, partial(convert, kind=Curve)))

    def write_curves(self, curves: Sequence[Mapping[str, Any]]) -> None:
        """Replace the stored validation curves, all or none of them."""
        replace(
            self.curves_path,
            "".join(json.dumps(curve, allow_nan=False) + "\n" for curve in curves).encode(),
        )

    def checks(self) -> dict[str, Checks]:
        """Accuracy and loss at every check, by the trial's id.

        Raises:
            StudyError: a line is not such a row; the sentence names it.
        """
        rows = read_rows(self.checks_path, partial(convert, kind=Checks))
        return {row.id: row for row in rows}

    def spent(self) -> list[Spent]:
        """Where the time of each process went.

        Raises:
            StudyError: a line is not such a row; the sentence names it.
        """
        return list(read_rows(self.spent_path, partial(convert, kind=Spent)))

    def set_aside(self) -> dict[Path, int]:
        """Move lines that cannot be read into a file beside their own, such as `runs.jsonl.bad`.

        They are on the disk there before they are removed here, so that none is lost. Rows of a
        newer version stay.

        Returns:
            The number of lines moved, by the file that they were moved into.
        """
        moved: dict[Path, int] = {}
        for path, reader in self.readers.items():
            good: list[bytes] = []
            bad: list[bytes] = []
            for line in filter(bytes.strip, whole_lines(path)):
                (good if readable(line, reader) else bad).append(line + b"\n")
            if bad:
                aside = path.with_name(f"{path.name}.bad")
                append(aside, b"".join(bad))
                replace(path, b"".join(good))
                moved[aside] = len(bad)
        return moved

    def machine(self) -> Row:
        """What machine.json states of the last run's machine; nothing if it cannot be read."""
        try:
            found = json.loads(self.machine_path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_spec(self, spec: StudySpec, digest: str, reference: Reference | None = None) -> None:
        """Write spec.json.

        Args:
            spec: what the study was asked for.
            digest: the MD5 of its images.
            reference: whose step times count; that of the stored file where None.
        """
        reference = reference or self.reference()
        row: Row = {"schema": SCHEMA, "dataset_md5": digest, "spec": spec.to_json()}
        if reference:
            row["reference"] = reference.to_json()
        self.write(self.spec_path, row)

    def reference(self, runs: Sequence[Run] = ()) -> Reference | None:
        """Whose step times turn the study's cap into steps.

        Args:
            runs: the stored runs, whose own clock counts where spec.json names no reference.

        Returns:
            The reference; None where neither names one.

        Raises:
            StudyError: the file cannot be read.
        """
        row = (self._small(self.spec_path) or {}).get("reference")
        return Reference.from_json(row) if row else Reference.of_runs(runs)

    def digest(self) -> str | None:
        """The MD5 of the images that the study ran on; None if spec.json does not state it.

        Raises:
            StudyError: the file cannot be read.
        """
        found = (self._small(self.spec_path) or {}).get("dataset_md5")
        return None if found is None else str(found)

    def settle(self, name: str, settings: Row, what: str) -> None:
        """Write the settings of an experiment, unless the folder was made with others.

        Args:
            name: the file, such as `contest.json`.
            settings: what the experiment was asked for.
            what: what the experiment is called in a sentence.

        Raises:
            StudyError: the file holds other settings, or cannot be read.
        """
        path = self.folder / name
        if self.settings(name) not in (None, json.loads(json.dumps(settings))):
            raise StudyError(f"{self.folder} holds another {what} (see {name}): give another --out")
        self.write(path, settings)

    def settings(self, name: str) -> Row | None:
        """The settings that `settle` wrote; None if there are none."""
        return self._small(self.folder / name)

    def _small(self, path: Path) -> Row | None:
        """The JSON object in a small file; None if there is no file."""
        try:
            return json_object(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, StudyError) as error:
            raise StudyError(
                f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): restore "
                "it, or give another --out"
            ) from None

    def spec(self) -> StudySpec:
        """The stored spec.

        Raises:
            StudyError: the folder holds no study, or its spec cannot be read.
        """
        try:
            values = json.loads(self.spec_path.read_text(encoding="utf-8-sig"))
            known_schema(values, SCHEMA)
            later = {*FIELDS_ADDED_LATER, *TOLD} - {"name"}
            missing = [
                field for field in SPEC_FIELDS if field not in values["spec"] and field not in later
            ]
            if missing:
                raise StudyError(f"the spec has no {missing[0]}: restore the file")
            return spec_from(values["spec"])
        except (FileNotFoundError, NotADirectoryError):
            raise StudyError(
                f"{self.folder} holds no study (no {self.spec_path.name} in it): give a study's "
                "folder"
            ) from None
        except StudyError as error:
            raise StudyError(f"{self.spec_path}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = getattr(error, "strerror", None) or "it holds no spec"
            raise StudyError(
                f"{self.spec_path} cannot be read ({what}): restore it, or run the study's "
                "command on another --out"
            ) from None

    def write(self, path: Path, value: object) -> None:
        """Write a small JSON file, as a whole or not at all."""
        replace(path, (json.dumps(value, indent=1) + "\n").encode())

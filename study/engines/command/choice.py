"""The choice of a program of the user's own as what trains: settles its facts, and starts it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.errors import StudyError
from study.machine.facts import Site
from study.machine.here import this_machine
from study.machine.versions import versions
from study.spec.own import unseen
from study.spec.program import PROGRAM, Program, check_places_vary, places, program_in
from study.validation import home

if TYPE_CHECKING:
    from study.spec.study import StudySpec


UNKNOWN = "unknown"
"""The precision in which a program computes."""


@dataclass(frozen=True)
class Nothing:
    """The data of a program, which are its own affair: what is known of it stands for them.

    Args:
        digest: the program's.
    """

    digest: str


@dataclass(frozen=True)
class Programs:
    """The engine of a study of programs: it starts one for each trial.

    Args:
        program: what to start, and how its reports are read.
    """

    program: Program

    def learner(self, trials: Any) -> Any:
        """A program has no `Learner`, whose rate changes while it trains.

        Raises:
            StudyError: always.
        """
        raise StudyError(
            "a program trains by itself from start to end, and this needs to change its rate or "
            "to go back while it trains: contest takes programs, by random search, successive "
            "halving and optuna"
        )


@dataclass(frozen=True)
class ProgramChoice:
    """Starts the user's program, here or in a worker.

    Args:
        program: what to start; its digest is empty until it is settled.
    """

    program: Program
    engine = PROGRAM

    def site(self) -> Site:
        """The site of this process, of whose programs nothing is known."""
        return Site(this_machine(), versions(PROGRAM), PROGRAM, UNKNOWN)

    def data(self) -> Nothing:
        """What stands for the data."""
        return Nothing(self.program.digest)

    def __call__(self, data: Any) -> Programs:
        """Make the engine."""
        return Programs(self.program)

    def settled(self, spec: StudySpec, data: Any) -> tuple[StudySpec, ProgramChoice]:
        """The study with the facts of its program, and the choice that starts it.

        Raises:
            StudyError: the program or a file that is tracked is not there, or two trials would
                write one file.
        """
        program = program_in(spec)
        _must_exist(program.words[0])
        check_places_vary(program, spec)
        lines = [
            *program.words,
            *([f"report {program.report}"] if program.report else []),
            *([f"read {program.read}"] if program.read else []),
            *(["in percent"] if program.percent else []),
            *(f"{path} {_digest(path)[:8]}" for path in spec.track),
        ]
        digest = hashlib.sha256(json.dumps(lines).encode()).hexdigest()
        own = unseen(PROGRAM, PROGRAM, lines, digest, spec.widths, spec.optimizers)
        name = f"{PROGRAM}:{digest[:8]}"
        known = spec.with_(network=name, dataset=name, own=own)
        return known, ProgramChoice(replace(program, digest=digest))


def _must_exist(word: str) -> None:
    """Raise `StudyError` unless the first word of a command line names a program."""
    if places(word) or shutil.which(word):
        return
    why = "is no program that may be run" if Path(word).exists() else "is not found"
    hint = f"; did you mean 'python {word}'" if word.endswith(".py") else ""
    raise StudyError(f"command {word!r} {why}: name a program, with its path if need be{hint}")


def _digest(path: object) -> str:
    """The SHA-256 of a file that is tracked."""
    try:
        return hashlib.sha256(home(str(path)).read_bytes()).hexdigest()
    except OSError as error:
        raise StudyError(f"track {path} cannot be read: {error.strerror or error}") from None

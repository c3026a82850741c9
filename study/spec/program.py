"""A trial that is a program of the user's own: its command line, and what fills its places."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.goals import is_share
from study.spec.trial import Trial
from study.validation import sequence

PROGRAM = "program"
"""The network and the data set of a study of programs, before they are known; what trains them."""


IMPORT = "import"
"""The same of a study that was imported, of whatever trained it."""


PLACES = ("rate", "optimizer", "width", "seed", "out", "trial")
"""What a trial fills into a command line, and gives as variables such as STUDY_RATE."""


PLACE = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
"""A place of a command line, or a name in two braces, which stands for one in one brace."""


FIELDS = ("command", "report", "read", "track", "percent")
"""The fields of a spec that say what program a trial is, and how its reports are read."""


STEP = "step"
"""The group of a pattern that every report has."""


FOREIGN = ("model", "data", "loss", "max_epochs")
"""Fields of a spec that belong to a model of the user's own."""


FIXED = {"batch": 1, "check_every": 1, "scale_dense": False, "schedule": "constant"}
"""Fields of a spec that a program settles for itself, and the value that stands for that."""


@dataclass(frozen=True)
class Program:
    """A program, and how its reports are read.

    Args:
        words: its command line, split once, with places to fill.
        report: the file that it reports in, with places to fill; empty where it prints.
        read: a regular expression of a report, with a group `step`; empty for JSON and CSV.
        percent: whether it tells accuracies in percent.
        digest: of all that and of the files that are tracked.
    """

    words: tuple[str, ...]
    report: str = ""
    read: str = ""
    percent: bool = False
    digest: str = ""


def program_in(spec: Any) -> Program:
    """The program of a study's spec, its digest left out."""
    return Program(words_of(spec.command), spec.report, spec.read, spec.percent)


def words_of(command: object) -> tuple[str, ...]:
    """A command line as a list of words, each of which is one argument of the program.

    Args:
        command: a text, which is split as a shell would, or the words themselves.

    Raises:
        StudyError: no words, a quotation that does not end, or an unknown place.

    >>> words_of("python 'my train.py' --lr {rate}")
    ('python', 'my train.py', '--lr', '{rate}')
    """
    if isinstance(command, str):
        try:
            words = tuple(shlex.split(command))
        except ValueError as error:
            raise StudyError(f"command {command!r} cannot be split: {error}") from None
    else:
        words = sequence("command", command)
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise StudyError(f"command {command!r} must name a program, as in 'python train.py'")
    for word in words:
        _check_places("command", word)
    return words


def _check_places(field: str, text: str) -> None:
    for found in PLACE.finditer(text):
        if found[2] is not None and found[2] not in PLACES:
            known = ", ".join(f"{{{name}}}" for name in PLACES)
            raise StudyError(
                f"{field} has the unknown place {found[0]}: one of {known}; two braces, as in "
                f"{{{found[0]}}}, stand for one"
            )


def places(text: str) -> set[str]:
    """The places of a text.

    >>> sorted(places("--lr {rate} --name {{rate}} {seed}"))
    ['rate', 'seed']
    """
    return {found[2] for found in PLACE.finditer(text) if found[2] is not None}


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its places filled.

    >>> fill('{"lr": {rate}, "x": {{seed}}}', {"rate": "0.1"})
    '{"lr": 0.1, "x": {seed}}'
    """
    return PLACE.sub(lambda found: f"{{{found[1]}}}" if found[1] else values[found[2]], text)


def values_of(trial: Trial, out: Path) -> dict[str, str]:
    """What a trial fills into the places.

    Args:
        trial: the trial.
        out: the trial's own folder.
    """
    return {
        "rate": repr(trial.learning_rate),
        "optimizer": trial.optimizer,
        "width": repr(trial.width).removesuffix(".0"),
        "seed": str(trial.seed),
        "out": str(out),
        "trial": trial.id,
    }


def short(command: object) -> str:
    """What a program is called in a title: its script, else its first word.

    >>> short("python -u src/train.py --lr {rate}"), short("./simulate {rate}")
    ('train.py', 'simulate')
    """
    words = words_of(command)
    script = re.compile(r"[\w./~-]*\w\.(py|sh|jl|R|r|js|rb|pl|lua|m)")
    return Path(next((word for word in words if script.fullmatch(word)), words[0])).name


def is_program(network: object) -> bool:
    """Whether this is the network of a study of programs.

    >>> is_program("program:0123abcd"), is_program("own:0123abcd")
    (True, False)
    """
    return str(network).partition(":")[0] == PROGRAM


def of_program(usual: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec in a study of programs.

    Args:
        usual: the defaults of a spec.
        given: the values of all its fields.

    Raises:
        StudyError: a field that is none of a program's, an unknown place, or a pattern without
            `step`.
    """
    for name in FOREIGN:
        if given[name] != usual[name]:
            raise StudyError(f"{name} {given[name]!r} is none of a program's: leave it out")
    found: dict[str, Any] = {"mode": "alone", "hyper": "own"}
    for name in ("network", "dataset"):
        if not is_program(given[name]):
            if given[name] != usual[name]:
                raise StudyError(f"{name} {given[name]!r} is none of a program's: leave it out")
            found[name] = PROGRAM
    if given["hyper"] not in ("own", usual["hyper"]):
        raise StudyError(f"hyper {given['hyper']!r} is none of a program's: put it into command")
    for name, value in FIXED.items():
        if given[name] not in (value, usual[name]):
            raise StudyError(
                f"{name} {given[name]!r} is the program's own affair: put it into command"
            )
        found[name] = value
    words = words_of(given["command"])
    found["command"] = shlex.join(words)
    found["report"] = _report(given["report"])
    found["read"] = _pattern(given["read"])
    found["track"] = sequence("track", given["track"]) if given["track"] else ()
    if not isinstance(given["percent"], bool):
        raise StudyError(f"percent {given['percent']!r} must be true or false")
    if given["optimizers"] == usual["optimizers"]:
        if any("optimizer" in places(word) for word in words):
            raise StudyError("command has the place {optimizer}: name the optimizers to put there")
        found["optimizers"] = (PROGRAM,)
    return found


def _report(report: object) -> str:
    if not isinstance(report, str) or "\0" in report:
        raise StudyError(f"report {report!r} must be the path of a file")
    _check_places("report", report)
    return report


def _pattern(read: object) -> str:
    """The pattern, if it is one and has a group `step`."""
    if not isinstance(read, str):
        raise StudyError(f"read {read!r} must be a regular expression")
    try:
        groups = re.compile(read).groupindex
    except re.error as error:
        raise StudyError(f"read {read!r} is no regular expression: {error}") from None
    if read and STEP not in groups:
        raise StudyError(
            rf"read {read!r} has no group step: write (?P<step>\d+) where the step stands"
        )
    return read


def check_target(metric: str, target: float) -> None:
    """Raise `StudyError` if an accuracy is to reach more than all."""
    if is_share(metric) and not 0 <= target <= 1:
        raise StudyError(
            f"target {target:g}: {metric} is a share from 0 to 1 here, so give {target / 100:g}, "
            "and --percent where percents are told"
        )


def check_places_vary(program: Program, spec: Any) -> None:
    """Raise `StudyError` if two trials would report in one file.

    Args:
        program: whose file.
        spec: the study.
    """
    if not program.report:
        return
    there = places(program.report)
    if there & {"out", "trial"}:
        return
    grid = {"optimizer": "optimizers", "rate": "rates", "width": "widths"}
    counts = {place: len(getattr(spec, field)) for place, field in grid.items()}
    missing = [place for place, count in {**counts, "seed": spec.seeds}.items() if count > 1]
    missing = [place for place in missing if place not in there]
    if missing:
        raise StudyError(
            f"two trials would write one file, report {program.report}: it lacks "
            f"{{{missing[0]}}}, or give it {{trial}}"
        )


def unnamed(program: Program, spec: Any) -> list[str]:
    """Sentences on what differs between trials and stands in no place of the command line."""
    there = set().union(*map(places, program.words))
    counts = {
        "rate": len(spec.rates),
        "optimizer": len(spec.optimizers),
        "width": len(spec.widths),
        "seed": spec.seeds,
    }
    return [
        f"the command has no {{{place}}}: all {count} values run the same line, unless the program "
        f"reads STUDY_{place.upper()}"
        for place, count in counts.items()
        if count > 1 and place not in there
    ]


def labelled(value: object) -> str:
    """The name of an optimizer that a program is given.

    Raises:
        StudyError: it is no text, or one with blanks or commas outside brackets.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[\w.+:/-]+(\([^()]*\))?", value):
        raise StudyError(f"optimizer {value!r} must be a name without blanks, such as adamw")
    return value

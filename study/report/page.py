"""One self-contained HTML file on stored studies."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from study import claims, tables
from study.errors import StudyError
from study.report import pictures, sections
from study.storage.jsonl import replace
from study.storage.readings.aim import Aim

DATA = Path(__file__).parent


TEMPLATE = "template.html.j2"


LONGEST_NUMBER = 28
"""The most characters of a number with its interval; a longer cell is a text."""


def write(
    folders: Sequence[str | Path],
    out: str | Path,
    machine: str | None = None,
    aim: Aim | None = None,
) -> Path:
    """Write the report on studies, contests and case studies of cycles.

    Args:
        folders: of studies, contests and case studies of cycles.
        out: the file.
        machine: whose trials of the studies to take, see `tables.load`.
        aim: metric, target and goal to read studies by.

    Returns:
        The path of the file.

    Raises:
        StudyError: no study's folder, one that holds nothing of the kind or no finished trial,
            trials of several machines and none named, a place that cannot be written to, or a
            section that failed.
    """
    if not folders:
        raise StudyError("name at least one study's folder")
    ways = {folder: rows for folder in folders if (rows := claims.rows_in(folder)) is not None}
    studies = [
        sections.read(tables.stored(folder, machine, aim))
        for folder in folders
        if folder not in ways
    ]
    if not studies:
        raise StudyError("name at least one study's folder beside those of contests and cycles")
    out = Path(out)
    if out.is_dir():
        raise StudyError(
            f"{out} is a folder: give --out the name of a file, such as {out / 'report.html'}"
        )
    try:
        text = page(
            studies,
            list(ways.values()),
            rebuild(
                [str(study.folder) for study in studies], [str(way) for way in ways], machine, aim
            ),
        )
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            f"the report could not be made: {type(error).__name__}: {error}"
        ) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, text.encode(errors="backslashreplace"))  # a folder's name may be no Unicode
    return out


def page(
    studies: Sequence[tables.StoredStudy], ways: Sequence[claims.Rows], commands: Sequence[str]
) -> str:
    """The report as HTML.

    Args:
        studies: the studies.
        ways: results of contests and of the case study of cycles.
        commands: the commands that make the page again.

    Returns:
        The text of the page.
    """
    known = [*map(claims.evidence, studies), *ways]
    values: dict[str, Any] = {
        "studies": studies,
        "notes": [
            f"{study.spec.name}: {sentence}"
            for study in studies
            for sentence in sections.notes(study)
        ],
        "summaries": [sections.summary(study) for study in studies],
        "best": [sections.best_rates(study) for study in studies],
        "drawings": [pictures.drawings(study) for study in studies],
        "lines": [found for study in studies if (found := sections.lines(study))],
        "ways": [sections.experiment(way) for way in ways],
        "about": claims.about(known),
        "verdicts": sections.verdicts(known),
        "commands": commands,
        "enough": sections.ENOUGH,
    }
    return environment().get_template(TEMPLATE).render(values) + "\n"


def environment() -> Environment:
    """What fills in the templates; values are escaped."""
    made = Environment(
        loader=FileSystemLoader(DATA),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.tests["numeric"] = numeric
    return made


def numeric(cell: str) -> bool:
    """Whether a cell is a number, alone or with its interval; numbers are aligned to the right.

    >>> numeric("3.1 [2.9, 3.4]"), numeric("adam")
    (True, False)
    """
    return cell[:1] in tuple("0123456789-+") and len(cell) < LONGEST_NUMBER


def rebuild(
    names: Sequence[str],
    ways: Sequence[str] = (),
    machine: str | None = None,
    aim: Aim | None = None,
) -> list[str]:
    """The commands that make the page again.

    Args:
        names: folders of studies.
        ways: folders of contests and case studies.
        machine: whose trials were taken.
        aim: what they were read by.

    Returns:
        Shell commands.

    >>> rebuild(["a"])[0]
    'scripts/run tables a && scripts/run figures a'
    """
    options = {"machine": machine, **(asdict(aim) if aim else {})}
    of = "".join(
        f" --{name} {shlex.quote(str(value))}"
        for name, value in options.items()
        if value is not None
    )
    names = [shlex.quote(name) for name in names]
    listed = " ".join([*names, *(shlex.quote(way) for way in ways)])
    each = [f"scripts/run tables {name}{of} && scripts/run figures {name}{of}" for name in names]
    return [*each, f"scripts/run claims {listed}{of}", f"scripts/run report {listed}{of}"]

"""What an import holds and lacks, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from study.storage.imports.sheets import Sheet, moment_in, text_in
from study.storage.imports.trials import Found, Roles, is_text
from study.storage.published.protocol import Protocol
from study.words import counted


def protocol_of(found: Sequence[Found], unit: str) -> Protocol:
    """What is known of how the trials were measured, and what is not."""
    known = ["optimizers and rates"] if any(trial.optimizer for trial in found) else ["rates"]
    unknown = ["the machine"]
    seeds = sum(trial.seed is not None for trial in found)
    (known if seeds == len(found) else unknown).append("seeds")
    (known if unit else unknown).append(f"{unit}s of training" if unit else "steps")
    timed = sum(bool(trial.seconds) for trial in found)
    if timed in (0, len(found)):
        (known if timed else unknown).append("seconds")
    else:
        unknown.append(f"seconds of {counted(len(found) - timed, 'trial')}")
    return Protocol(
        known=tuple(known), unknown=tuple(unknown), what="results from elsewhere", unit=unit
    )


def unread(known: Sequence[Roles], sheets: Sequence[Sheet]) -> list[str]:
    """Sentences on cells of metrics and of seconds that cannot be read."""
    cells: dict[str, list[str]] = {}
    for role, sheet in zip(known, sheets, strict=True):
        column = role.of.get("seconds", "")
        for row in sheet.rows:
            for name in filter(lambda name: is_text(row.get(name)), role.metrics):
                cells.setdefault(f"{name} cannot be read as a number", []).append(str(row[name]))
            if text_in(row.get(column)) is not None and moment_in(row[column]) is None:
                cells.setdefault(f"{column} cannot be read as seconds", []).append(str(row[column]))
    return [
        f"{counted(len(found), 'cell')} of {what}, such as {found[0]!r}: left out"
        for what, found in cells.items()
    ]


def in_words(
    known: Sequence[Roles], found: Sequence[Found], sheets: Sequence[Sheet]
) -> tuple[str, ...]:
    """What each role was read from, the metrics, and the columns that are not used."""
    lines: dict[str, dict[str, None]] = {}
    for role, sheet in zip(known, sheets, strict=True):
        for name in sheet.settings:
            lines.setdefault(name, {})["the names of files"] = None
        for name, column in role.of.items():
            lines.setdefault(name, {})[column] = None
    metrics: Iterable[str] = dict.fromkeys(name for trial in found for name in trial.metrics)
    left = Counter(name for role in known for name in role.left)
    said = [f"{name}: {', '.join(columns)}" for name, columns in lines.items()]
    said.append(f"metrics: {', '.join(metrics)}")
    if left:
        said.append(f"not used: {', '.join(left)}")
    return tuple(said)

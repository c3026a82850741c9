"""Names of files that carry the settings of their trials, read by a pattern such as
`{optimizer}_{rate}_history.json`.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from study.errors import StudyError
from study.storage.imports.columns import USUAL

PLACE = re.compile(r"\{(\w+)\}")


NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
"""A learning rate, as it stands in a name."""


READ = ("optimizer", "rate", "width", "seed", "trial")
"""The places of a pattern that mean a setting; any other tells trials apart, and no more."""


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression of the last parts of a path.

    Raises:
        StudyError: a place that is there twice, or none at all.

    >>> compiled("{optimizer}_{rate}.csv").fullmatch("adam_w_1e-3.csv").groupdict()
    {'optimizer': 'adam_w', 'rate': '1e-3'}
    """
    found, end = "", 0
    names = PLACE.findall(pattern)
    if not names:
        raise StudyError(
            f"names {pattern!r} has no place: write one, as in '{{optimizer}}_{{rate}}.json'"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise StudyError(f"names {pattern!r} has {{{twice}}} twice: each once")
    if wrong := [name for name in names if name in USUAL and name not in READ]:
        raise StudyError(
            f"names {pattern!r} has {{{wrong[0]}}}, which rows tell: a name has "
            f"{', '.join(f'{{{name}}}' for name in READ)}, and any other words"
        )
    for place in PLACE.finditer(pattern):
        inside = NUMBER if place[1] in ("rate", "width") else r"[^/]+?"
        found += re.escape(pattern[end : place.start()]) + f"(?P<{place[1]}>{inside})"
        end = place.end()
    return re.compile(found + re.escape(pattern[end:]))


def settings_in(path: PurePath, pattern: str) -> dict[str, str] | None:
    """What a path tells of its trial; None if it does not fit the pattern.

    Args:
        path: of the file.
        pattern: with places; where it has strokes, it is of as many folders, too.
    """
    parts = path.parts[-(pattern.count("/") + 1) :]
    found = compiled(pattern).fullmatch("/".join(parts))
    return found.groupdict() if found else None

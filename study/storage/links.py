"""Links in a study's folder: what is written must not land elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from study.errors import StudyError


def refuse_links(folder: Path) -> None:
    """Raise `StudyError` if a link in the folder, its tables or its figures leads out of it.

    What is written would land elsewhere.
    """
    home = folder.resolve()
    for path in (
        path for part in (".", "tables", "figures") for path in folder.joinpath(part).glob("*")
    ):
        target = Path(os.path.realpath(path))
        # Where links lead in a circle, the target is a link, too.
        if path.is_symlink() and (target.is_symlink() or not target.is_relative_to(home)):
            raise StudyError(
                f"{path} is a link that leads out of {folder}, or nowhere: remove it, or give "
                "another --out"
            )

"""Many claims judged on the same studies, without working out anything for each of them again."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from unittest.mock import patch

from study.claims import adam, grids
from study.claims.evidence import Known
from study.claims.frame import Grid, grid_of
from study.claims.verdict import CLAIMS, Verdict
from study.tables.fits import table
from study.tables.fits.line import NO_LINE


def together(studies: Known, ids: Collection[str] = tuple(CLAIMS)) -> dict[str, Verdict]:
    """The verdicts of these claims, by id.

    Six claims ask for the same grid, which is made once. None reads Huber's line, which would take
    most of the time of a study of sizes; a test compares the verdicts with those of each claim
    alone.
    """
    made: list[Grid | None] = []

    def grid(known: Known) -> Grid | None:
        if known is not studies:
            return grid_of(known)
        if not made:
            made.append(grid_of(known))
        return made[0]

    with ExitStack() as changed:
        for module in (adam, grids):
            changed.enter_context(patch.object(module, "grid_of", grid))
        changed.enter_context(patch.object(table, "robust", lambda n, t, sizes: NO_LINE))
        return {id_: CLAIMS[id_].judge(studies) for id_ in ids}

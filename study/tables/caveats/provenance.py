"""Where the numbers of a study come from: readings that came late, and selections that were lucky.

Rows of results are never rewritten. A step time that is measured again is a new reading beside the
old one, and a rule that was changed after its result was seen is a new entrant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from study.spec.goals import aim
from study.spec.own import is_foreign, names_itself
from study.storage.records import Run
from study.storage.step_times import key_of, read
from study.tables.best_rates import confirmed
from study.tables.stored import StoredStudy


def late(study: StoredStudy) -> list[Run]:
    """The runs whose step time was measured after they had been trained.

    Such a row was written anew, or corrected by hand: its steps are as they were.
    """
    readings = {
        (time.key, time.seconds): time.measured_at
        for time in read(study.store.folder / "calibration.json")
        if time.lanes == 1
    }
    return [
        run
        for run in study.all_records
        if run.step_seconds
        and readings.get((key_of(run.trial), run.step_seconds), "") > run.started_at
    ]


def of_the_readings(study: StoredStudy) -> Iterator[str]:
    """A sentence on step times that came after the trials."""
    runs = late(study)
    if runs:
        when = max(run.started_at for run in runs)[:10]
        yield (
            f"{len(runs)} of {len(study.all_records)} trials of {when} carry a step time that was "
            "measured after they had trained: their steps are right, and their seconds are by that "
            "later reading"
        )


def of_the_aim(study: StoredStudy) -> Iterator[str]:
    """A sentence on trials that are read by another metric or target than they trained for."""
    if not study.aimed or is_foreign(study.spec.network):
        return
    trained, read = study.store.spec(), study.spec
    own = names_itself(read.network)
    of, by = (aim(one.metric, one.target, one.goal, own=own) for one in (trained, read))
    count = len(study.cut)
    yield f"these trials trained to {of} and are read by {by}" + (
        f": {count} of {len(study.records)} ended at their own target before, so that nobody knows "
        "when they would have arrived; they are censored there"
        if count
        else ""
    )


def of_fresh_seeds(study: StoredStudy) -> Iterator[str]:
    """A sentence on selected rates whose times do not last on fresh seeds."""
    if study.cut:
        return  # so are the fresh seeds
    if isinstance(study.fresh, str):
        yield f"the fresh seeds of confirm are left out: {study.fresh}"
    table = confirmed(study.runs, study.confirmed)
    said = [text for row in table.itertuples() if (text := _luck(row))]
    if said:
        yield (
            f"a best rate is partly luck: on {table['seeds'].max()} fresh seeds (study confirm) "
            f"{'; '.join(said)}"
        )


def _luck(row: Any) -> str:
    """What became of one selected rate, in words; empty if it lasted."""
    name = f"{row.optimizer} at {row.rate:.3g}"
    if math.isfinite(row.seconds):
        if not row.seconds_low <= row.selected_seconds <= row.seconds_high:
            return f"{name} takes {row.seconds:.3g} s, not {row.selected_seconds:.3g} s"
        if row.arrived == row.seeds:
            return ""
    return f"{name} arrives {row.arrived} times"

"""Sentences on what a user should know of the machine before trials are trained."""

from __future__ import annotations

import os
from collections.abc import Sequence

from study.execution.planning.portions import told
from study.execution.planning.resources import Crew
from study.execution.study_folder import OpenStudy
from study.machine.versions import ONEDNN
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.step_times import key_of


def busy(times: Calibration, trials: Sequence[Trial]) -> list[str]:
    """A sentence where the step times of these trials were measured on a machine that was not
    quiet.
    """
    used = [
        time
        for trial in trials
        if trial.mode == "array"
        and (time := times.times.get(key_of(trial)))
        and time.quiet is False
    ]
    if not used or times.clock:
        return []
    most, cores = max(time.others or 0.0 for time in used), times.machine.cores
    # A step cannot take less than its processor seconds shared by all cores.
    factors = [
        cores * time.seconds / time.processor_seconds for time in used if time.processor_seconds
    ]
    factor = f" (at most {max(factors):.1f} times)" if factors else ""
    return [
        f"the machine is busy: other programs took {most:.1f} of its {cores} cores while step "
        "times were measured, so the seconds of "
        f"these trials may be too long{factor}; their steps are right. --wait-quiet SECONDS "
        "waits for a quiet machine, and calibrate "
        "--again takes another reading later"
    ]


def mixture(study: OpenStudy, crews: Sequence[Crew]) -> list[str]:
    """A sentence where workers of several kinds train: how many of which, and whose seconds."""
    if len(crews) < 2:
        return []
    return [
        f"this study trains by {told(crews)}: all take as many steps as {study.reference} would, "
        "by whose step times seconds count"
    ]


def changes(study: OpenStudy) -> list[str]:
    """Sentences on what is another machine or software at the site now than when trials were
    stored, or slow by the user's choice.
    """
    stored, site, machine = study.stored, study.site, study.site.machine
    said = []
    if study.times.clock:
        said.append(
            f"seconds count by the step times of {study.reference}: this machine "
            f"({machine.name}) trains as many steps as that one would"
        )
    old = [
        run.machine
        for run in stored
        if run.fingerprint == machine.old_fingerprint != machine.fingerprint
    ]
    if old:
        said.append(
            f"{len(old)} trials are stored of a machine that an older version called {old[0]}: "
            "that version did not tell kinds of processor apart, so it may be this machine or not"
        )
    other = sorted(
        {run.software for run in stored if run.fingerprint == machine.fingerprint} - {site.software}
    )
    if other:
        said.append(
            f"trials are stored that ran on {', '.join(other)}, and this is {site.software}: "
            "verify --across shows whether both take the same steps"
        )
    if site.versions.get("onednn") == "off":
        said.append(
            f"TensorFlow computes without oneDNN ({ONEDNN} is {os.environ.get(ONEDNN)}): a step "
            "takes about three times as long, and the "
            "convolutions of the lanes of an array are computed one after another"
        )
    return said

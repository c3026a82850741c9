"""Sentences on what a user should know of the machine before trials are trained."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from study.execution.planning.estimates import budget_steps
from study.execution.planning.portions import told
from study.execution.planning.resources import Crew
from study.execution.study_folder import OpenStudy
from study.machine.versions import ONEDNN
from study.spec.goals import goal_of, label
from study.spec.hyper import parse_hyper
from study.spec.program import is_program, program_in, unnamed
from study.spec.schedules.base import Schedule
from study.spec.schedules.parse import parse
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.step_times import key_of

IDLE = 1e-3
"""At a factor that is not above this, almost nothing is learned."""


LONG_IDLE = 0.25
"""The share of a budget at the end of which a schedule may be idle and no note is due."""


def unreached(trials: Sequence[Trial], times: Calibration) -> list[str]:
    """Sentences where the schedule of these trials does not fit what they are.

    No trial comes to where the schedule has shown its shape; or the schedule is over long before,
    with next to no rate; or it cycles a momentum that an optimizer does not have.
    """
    if not trials or trials[0].schedule == "constant":
        return []
    schedule, every = parse(trials[0].schedule), trials[0].check_every
    last = int(max(budget_steps(trial, times) for trial in trials))
    guessed = all(trial.max_steps is None and not times.counted(trial) for trial in trials)
    most = f"{'about ' if guessed else ''}{last:,} steps"
    said = [
        f"no trial has the {plateau.patience + 3} checks in which {plateau} could lower a rate: "
        f"{most} are {last // every} checks"
        for plateau in schedule.plateaus
        if last // every < plateau.patience + 3
    ]
    without = dict.fromkeys(
        trial.optimizer
        for trial in trials
        if trial.start or not parse_hyper(trial.hyper).has_momentum(trial.optimizer)
    )
    if schedule.cycles_momentum and without:
        said.append(
            f"the schedule {schedule} cycles the momentum, which {', '.join(without)} "
            f"{'has' if len(without) == 1 else 'have'} not: there the rate alone follows it"
        )
    if last < schedule.length:
        end = float(schedule.factor(np.array(max(last - 1, 0)), np))
        said.append(
            f"no trial comes to step {schedule.length:,}, the end of the schedule {schedule}: the "
            f"longest takes {most}, and ends at factor {end:.3g}"
        )
    elif (idle := _idle_from(schedule, last)) is not None:
        said.append(
            f"the schedule {schedule} is over at about step {idle:,} of {most}: from there on the "
            f"rate stays at or below {IDLE:g} of itself, and almost nothing is learned"
        )
    return said


def _idle_from(schedule: Schedule, last: int) -> int | None:
    """The step from which the factor stays idle to the end, where that is long; else None."""
    steps = np.unique(np.linspace(0, last - 1, 1001).astype(np.int64))
    awake = np.flatnonzero(schedule.factor(steps, np) > IDLE)
    idle = int(steps[awake[-1]]) + 1 if len(awake) else 0
    return idle if last - idle > LONG_IDLE * last else None


def doubtful(spec: StudySpec) -> list[str]:
    """Sentences on what the user may not have meant: a goal against the name of its metric, and
    what differs between trials and stands in no place of a command line.
    """
    said = unnamed(program_in(spec), spec) if is_program(spec.network) else []
    usual = goal_of(spec.metric)
    if spec.goal != usual:
        than = {"at-most": "less", "at-least": "more"}[str(spec.goal)]
        said.append(
            f"the goal is {label(spec.metric)} {spec.target:g} or {than}, though it is usually "
            f"wanted {usual.replace('-', ' ')}: --goal {usual} would do that"
        )
    return said


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

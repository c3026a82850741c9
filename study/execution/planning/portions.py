"""The pending trials shared out among workers of several kinds of machine.

Each kind's portion is planned with its own limits and step times, and trains on it alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.execution.planning.array_sizes import _together, array_seconds, lanes_for, unprobed
from study.execution.planning.estimates import expected_steps
from study.execution.planning.plan import Plan, plan
from study.execution.planning.resources import Crew
from study.machine.facts import Site
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.step_times import key_of
from study.words import counted

Side = tuple[Crew, Calibration]
"""Workers of one kind, and the step times of that kind."""


@dataclass(frozen=True)
class Portion:
    """What the workers of one kind are to train.

    Args:
        crew: the workers.
        times: their kind's step times.
        plan: the trials, in groups for them.
    """

    crew: Crew
    times: Calibration
    plan: Plan


def portioned(pending: Sequence[Trial], sides: Sequence[Side]) -> list[Portion]:
    """The pending trials, planned for each kind that may train them.

    Args:
        pending: what is still to train.
        sides: the kinds; one of them gets all trials, several get portions by their speed.
    """
    found = []
    for (crew, times), trials in zip(sides, split(pending, sides), strict=True):
        planned = plan(trials, (), times, crew.use)
        if len(sides) > 1:
            # What a kind would do with all of it tells how much of it the kind should get.
            planned = replace(planned, unprobed=unprobed(pending, times, crew.use))
        found.append(Portion(crew, times, planned))
    return found


def split(pending: Sequence[Trial], sides: Sequence[Side]) -> list[list[Trial]]:
    """The trials of each kind, in proportion to its speed, as far as that is known.

    Array by array goes to the kind that would have trained it first, so all end about together.
    """
    if len(sides) == 1:
        return [list(pending)]
    found: list[list[Trial]] = [[] for _ in sides]
    ends = [0.0] * len(sides)
    most = math.ceil(len(pending) / sum(crew.use.jobs for crew, _ in sides))
    for rest in _together(pending):
        first = rest[0]
        lanes = [min(most, lanes_for(first, times, crew.use)) for crew, times in sides]
        while rest:
            offers = [
                end + _seconds(rest[:size], *side) / side[0].use.jobs
                for side, size, end in zip(sides, lanes, ends, strict=True)
            ]
            i = offers.index(min(offers))
            found[i] += rest[: lanes[i]]
            rest = rest[lanes[i] :]
            ends[i] = offers[i]
    return found


def _seconds(trials: Sequence[Trial], crew: Crew, times: Calibration) -> float:
    """What an array of the trials takes one of these workers."""
    steps = [expected_steps(trial, times) for trial in trials]
    return array_seconds(trials[0], steps, times, crew.use)


def together(portions: Sequence[Portion]) -> Plan:
    """The plans of all kinds as one: they train beside each other."""
    plans = [portion.plan for portion in portions]
    missing = {key_of(trial): trial for one in plans for trial in one.uncalibrated}
    return Plan(
        tuple(trial for one in plans for trial in one.pending),
        tuple(group for one in plans for group in one.groups),
        tuple(missing.values()),
        {trial: sizes for one in plans for trial, sizes in one.unprobed.items()},
        max(one.seconds for one in plans),
        max(one.most_seconds for one in plans),
    )


def jobs_of(crews: Sequence[Crew]) -> int:
    """Workers of all kinds."""
    return sum(crew.use.jobs for crew in crews)


def told(crews: Sequence[Crew]) -> str:
    """How many workers of which kind, in words."""
    names = labels([crew.site for crew in crews])
    return " and ".join(
        f"{counted(crew.use.jobs, 'worker')} on {name}"
        for crew, name in zip(crews, names, strict=True)
    )


def labels(sites: Sequence[Site]) -> list[str]:
    """What tells the sites apart: the machine's name, with fingerprint or software where needed."""
    names = [site.machine.name for site in sites]
    if len(set(names)) < len(names):
        names = [f"{site.machine.name} ({site.software})" for site in sites]
    if len(set(names)) < len(names):
        names = [f"{site.machine.name} ({', '.join(site.kind)})" for site in sites]
    return names

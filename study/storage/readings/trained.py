"""What the checks of a trained trial tell, so that it can be read by another metric and target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.checks import Checks
from study.storage.readings.told import Told, read
from study.storage.records import Outcome, Run


def retold(run: Run, checks: Checks | None, spec: StudySpec) -> tuple[Run, Checks | None]:
    """How a trained trial ended by the metric, target and goal of a spec.

    It arrived at its first check that meets the target. If none does, it is censored at its own
    end, although more steps might have brought it there; or it diverged, was stuck or failed.

    Args:
        run: the trial as it was stored.
        checks: what its checks saw; None if it has none.
        spec: the study, with the aim that counts.

    Returns:
        The run and its checks up to its end.

    Raises:
        StudyError: the trial came to its target and its checks are not stored.
    """
    if checks is None and run.outcome is Outcome.REACHED:
        raise StudyError(
            f"the checks of the trial {run.id} are not stored, so that it cannot be read by "
            "another metric or target"
        )
    found, seen = read(run, told_of(run, checks), spec)
    if found.outcome is not Outcome.REACHED:
        found = replace(found, steps=run.steps, seconds=run.seconds)
    found = replace(found, seconds_source=run.seconds_source, error=run.error)
    if checks is None or seen is None:
        return found, None
    return found, replace(
        seen,
        check_every=checks.check_every,
        steps=seen.steps if checks.steps else (),
        seconds=seen.seconds if checks.seconds else (),
    )


def told_of(run: Run, checks: Checks | None) -> Told:
    """All that is known of a trained trial."""
    outcome = Outcome.CAPPED if run.outcome is Outcome.REACHED else run.outcome
    if checks is None:
        return Told(run.id, run.study, outcome)
    count = len(checks.accuracy)
    steps = checks.steps or tuple(checks.check_every * (check + 1) for check in range(count))
    each = (run.seconds or 0.0) / (run.steps or 1)
    seconds = checks.seconds or tuple(step * each for step in steps)
    return Told(run.id, run.study, outcome, steps, seconds, metrics_of(run, checks))


def metrics_of(run: Run, checks: Checks) -> Mapping[str, tuple[float, ...]]:
    """What the checks of a trial tell, by the metric's name, one value a check.

    With the window accuracies w the cumulative one of check k is (w_1 + ... + w_k) / k, since every
    window has the same number of images.
    """
    metric = run.trial.metric
    found = {metric: checks.accuracy}
    window = checks.accuracy if metric == "window" else checks.window
    if window:
        sums = accumulate(window)
        so_far = tuple(round(total / check, 6) for check, total in enumerate(sums, start=1))
        found = {"window": window, "cumulative": so_far, **found}
    if checks.loss:
        found.setdefault("loss", checks.loss)
    return found

"""What a trial trains for: a metric that is to be at least, or at most, a target."""

from __future__ import annotations

import re
from collections.abc import Sequence

from study.errors import StudyError
from study.spec.trial import METRICS

GOALS = ("at-least", "at-most")
"""Whether a larger value of the metric is better, or a smaller one."""


SMALL = re.compile(r"loss|error|entropy|divergence|hinge|mse|mae|mape|msle|rmse|perplexity|poisson")
"""What the name of a metric contains of which less is better."""


NO_TARGET = 1e29
"""What no value comes to: the target, either way, of results that were imported without one."""


LABELS = {
    "window": "training accuracy",
    "cumulative": "cumulative training accuracy",
    "single": "training accuracy of single batches",
    "validation": "validation accuracy",
}
"""The metrics of the built-in networks in words."""


def goal_of(metric: str) -> str:
    """The goal that the name of a metric stands for.

    >>> goal_of("val_loss"), goal_of("window"), goal_of("mean_squared_error")
    ('at-most', 'at-least', 'at-most')
    """
    return GOALS[metric not in METRICS and SMALL.search(metric.lower()) is not None]


def sign(goal: str | None) -> int:
    """1 where a larger value is better, -1 where a smaller one is."""
    return -1 if goal == "at-most" else 1


def no_target(goal: str | None) -> float:
    """The target that stands for none."""
    return sign(goal) * NO_TARGET


def has_target(target: float) -> bool:
    """Whether there is a value to reach."""
    return abs(target) < NO_TARGET


def best_of(values: Sequence[float], goal: str) -> float:
    """The best of some values of a metric."""
    return max(values) if sign(goal) > 0 else min(values)


def held_out(metric: str) -> bool:
    """Whether the metric is read on the validation data."""
    return metric == "validation" or metric.startswith("val_")


def held_out_metric(metric: str) -> str:
    """The same metric on the validation data.

    >>> held_out_metric("window"), held_out_metric("loss"), held_out_metric("val_loss")
    ('validation', 'val_loss', 'val_loss')
    """
    if metric in METRICS:
        return "validation"
    return metric if held_out(metric) else f"val_{metric}"


def is_share(metric: str) -> bool:
    """Whether the metric is an accuracy, which is told in percent.

    >>> is_share("val_accuracy"), is_share("auc"), is_share("validation")
    (True, False, True)
    """
    return metric in METRICS or metric.split("_")[-1] in ("accuracy", "acc")


def value_of(metric: str, value: float, digits: int = 4) -> str:
    """A value of the metric as text.

    >>> value_of("window", 0.97), value_of("val_loss", 0.031234)
    ('97 %', '0.03123')
    """
    return f"{100 * value:.{digits}g} %" if is_share(metric) else f"{value:.{digits}g}"


def seen(metric: str, value: float, own: bool = False) -> str:
    """A value that a trial came to, with the metric's name unless it is an accuracy; see `label`.

    >>> seen("window", 0.42), seen("val_loss", 0.351234)
    ('42.0 %', 'validation loss 0.3512')
    """
    return (
        f"{100 * value:.1f} %"
        if is_share(metric)
        else f"{label(metric, own)} {value_of(metric, value)}"
    )


def aim(
    metric: str, target: float, goal: str | None, short: bool = False, own: bool = False
) -> str:
    """What a trial trains for, in words.

    Args:
        metric: the metric.
        target: its value to reach.
        goal: `at-least` or `at-most`.
        short: whether to leave out the name of an accuracy.
        own: see `label`.

    >>> aim("window", 0.97, "at-least"), aim("window", 0.97, "at-least", short=True)
    ('97 % training accuracy', '97 %')
    >>> aim("val_loss", 0.3, "at-most"), aim("auc", 0.9, "at-least")
    ('validation loss 0.3 or less', 'training auc 0.9 or more')
    """
    if not has_target(target):
        return "no target"
    value = value_of(metric, target, digits=6)
    if high_share(metric, goal):
        return value if short else f"{value} {label(metric, own)}"
    return f"{label(metric, own)} {value} or {'more' if sign(goal) > 0 else 'less'}"


def high_share(metric: str, goal: str | None) -> bool:
    """Whether the metric is an accuracy that is to be high, which rules on accuracies mean."""
    return is_share(metric) and sign(goal) > 0


def of_curves(metric: str) -> str:
    """The metric of the validation curves of trials that train for this one.

    >>> of_curves("window"), of_curves("loss"), of_curves("val_auc")
    ('validation', 'val_loss', 'val_auc')
    """
    return "validation" if metric in METRICS else f"val_{metric.removeprefix('val_')}"


def label(metric: str, own: bool = False) -> str:
    """The metric in words.

    Args:
        metric: its name.
        own: whether its own name is all that is known of it.

    >>> label("window"), label("val_loss"), label("accuracy"), label("accuracy", own=True)
    ('training accuracy', 'validation loss', 'training accuracy', 'accuracy')
    """
    if own:
        return metric.replace("_", " ")
    if metric in LABELS:
        return LABELS[metric]
    held = metric.startswith("val_")
    return f"{'validation' if held else 'training'} {metric.removeprefix('val_').replace('_', ' ')}"


def metric_of(metric: object) -> str:
    """The name of a metric of the user's own model; those of the built-in networks mean accuracy.

    Raises:
        StudyError: no such name.

    >>> metric_of("window"), metric_of("val_loss")
    ('accuracy', 'val_loss')
    """
    name = {"window": "accuracy", "validation": "val_accuracy"}.get(str(metric), metric)
    if (
        not isinstance(name, str)
        or name in ("cumulative", "single")
        or not re.fullmatch(r"[A-Za-z][\w./-]*", name)
    ):
        raise StudyError(
            f"metric {metric!r} must be the name of one of the model's, such as accuracy, loss or "
            "val_loss"
        )
    return name

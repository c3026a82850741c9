"""Metrics and their values in words."""

from __future__ import annotations

import pytest

from study.spec.goals import GOALS, aim, high_share, of_curves, seen, value_of
from study.spec.own import data_in_words, model_in_words


@pytest.mark.parametrize(
    ("metric", "target", "goal", "long", "short"),
    [
        ("window", 0.97, "at-least", "97 % training accuracy", "97 %"),
        ("cumulative", 0.975, "at-least", "97.5 % cumulative training accuracy", "97.5 %"),
        ("val_accuracy", 0.99999, "at-least", "99.999 % validation accuracy", "99.999 %"),
        ("val_loss", 0.3, "at-most", "validation loss 0.3 or less", None),
        ("auc", 0.9, "at-least", "training auc 0.9 or more", None),
        ("val_mean_absolute_error", 12.5, "at-most",
         "validation mean absolute error 12.5 or less", None),
        ("accuracy", 0.05, "at-most", "training accuracy 5 % or less", None),
    ],
)  # fmt: skip
def test_an_aim_names_its_metric(
    metric: str, target: float, goal: str, long: str, short: str | None
) -> None:
    """An accuracy that is to be high may go without."""
    assert aim(metric, target, goal) == long
    assert aim(metric, target, goal, short=True) == (short or long)
    assert high_share(metric, goal) == (short is not None)


def test_a_value_is_told_as_its_metric_is() -> None:
    """Accuracies in percent; others after their names."""
    assert seen("validation", 0.42) == "42.0 %"
    assert seen("val_loss", 0.351234) == "validation loss 0.3512"
    assert value_of("val_loss", 1234.5, digits=6) == "1234.5"


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("window", "validation"), ("validation", "validation"), ("accuracy", "val_accuracy"),
     ("val_loss", "val_loss"), ("loss", "val_loss")],
)  # fmt: skip
def test_curves_show_the_metric_on_the_validation_data(metric: str, shown: str) -> None:
    """Whatever the study trains for."""
    assert of_curves(metric) == shown
    assert set(GOALS) == {"at-least", "at-most"}


def test_a_model_is_named_by_where_it_is() -> None:
    """Its digest stands where nothing else is known; built-in networks have their names."""
    assert model_in_words("mlp") == "mlp network"
    assert model_in_words("own:0123abcd") == "model own:0123abcd"
    assert model_in_words("own:0123abcd", len) == "model builtins.len"
    assert data_in_words("own:0123abcd") == "own:0123abcd"
    assert data_in_words("own:0123abcd", "data.py:load") == "data.py:load"
    assert data_in_words("mnist") == "mnist"

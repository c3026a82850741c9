"""Data that do not fit the model are told before anything is trained, in one sentence."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from study.engines.own.choice import OwnChoice
from study.engines.own.code import Code
from study.engines.own.data.samples import samples_of
from study.errors import StudyError
from study.spec.study import StudySpec
from support.engines.user_models import data, engine_of, keras_model, shifted, torch_module
from support.paths import environment

pytestmark = pytest.mark.slow


def strange() -> Any:
    """Validation labels that training lacks."""
    trained, (x, y) = data()
    return trained, (x, y - 1)


def narrow() -> Any:
    """Validation data with fewer columns."""
    trained, (x, y) = data()
    return trained, (x[:, :4], y)


LABELS = "labels run from 2 to 4, and the model has 3 outputs: give labels from 0 to 2"


def test_labels_of_no_class_are_refused() -> None:
    """Of the training data and of the validation data."""
    with pytest.raises(StudyError, match=f"the training {LABELS}"):
        engine_of(Code(keras_model, shifted))
    with pytest.raises(StudyError, match="the validation labels run from -1 to 1, and the model"):
        engine_of(Code(keras_model, strange))
    assert engine_of(Code(keras_model, data))[0].own


@pytest.mark.parametrize("model", [keras_model, torch_module])
def test_validation_data_of_another_form_are_refused(model: Any) -> None:
    """By either framework."""
    loss = None if model is keras_model else "cross_entropy"
    with pytest.raises(StudyError, match="the model does not take the validation data"):
        engine_of(Code(model, narrow, loss))


def test_an_engine_of_keras_is_refused_for_a_module_of_pytorch() -> None:
    """It would compute nothing."""
    code = Code(torch_module, data, "cross_entropy")
    spec = StudySpec(model=torch_module, data=data, loss="cross_entropy", max_steps=100, batch=20)
    choice = OwnChoice(code, "jax")
    with pytest.raises(StudyError, match="engine jax trains models of Keras, and this one is of P"):
        choice.settled(spec, samples_of(code))


def test_labels_are_refused_on_jax_too() -> None:
    """Which would train on them without a word."""
    code = "from support.engines.user_models import *; engine_of(Code(keras_model, shifted))"
    here = {**environment(), "KERAS_BACKEND": "jax"}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=here, capture_output=True, text=True, check=False
    )
    assert LABELS in answer.stderr.splitlines()[-1]

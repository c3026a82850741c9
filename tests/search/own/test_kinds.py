"""The finder that a model takes is found without loading a framework."""

from __future__ import annotations

import subprocess
import sys

import pytest

import study
from study.errors import StudyError
from support.paths import ROOT

PROGRAM = """
import sys
{first}
before = set(sys.modules)
import study
from study.search.own.kinds import finder_of
try:
    print(finder_of({model}).__module__)
except study.StudyError as error:
    print(error)
print(*{{"torch", "keras", "tensorflow", "jax"}} & set(sys.modules) - before)
"""


@pytest.mark.parametrize("model", [None, "model", 3, object()])
def test_what_is_no_model_is_refused(model: object) -> None:
    """By its kind."""
    kind = type(model).__name__
    words = f"the model is a {kind}: give a Keras model or a torch.nn.Module"
    with pytest.raises(StudyError, match=words):
        study.find_rate(model, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "model", "said"),
    [
        ("", "3", "the model is a int: give a Keras model or a torch.nn.Module"),
        ("import torch", "torch.nn.Linear(1, 1)", "study.search.torch.finder"),
        (
            "import torch",
            "torch.nn.Linear",
            "the model is a type: give a Keras model or a",
        ),
        (
            "import os; os.environ['KERAS_BACKEND'] = 'torch'; import keras",
            "keras.Sequential()",
            "study.search.keras.finder",
        ),
    ],
    ids=["none", "module", "class", "Keras on PyTorch"],
)
def test_no_other_framework_is_loaded(first: str, model: str, said: str) -> None:
    """A Keras model is one on every backend."""
    program = PROGRAM.format(first=first, model=model)
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found, loaded = answer.stdout.splitlines()
    assert found.startswith(said)
    assert loaded == ""

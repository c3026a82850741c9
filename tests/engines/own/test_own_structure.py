"""The digest of a Keras model tells it from another, and from no copy of itself."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from study.engines.own.code import Code
from study.engines.own.engine import View, view
from support.engines import keras_pairs
from support.engines.keras_pairs import DIFFERENT, SAME, dense, depth, gelu, joined
from support.paths import ROOT

pytestmark = pytest.mark.slow

BATCH = (np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32))
TWO = ({"a": BATCH[0], "b": BATCH[0]}, BATCH[1])


def of(build: Callable[[], Any], batch: Any = BATCH) -> View:
    """The view of what is built, which is the same when it is built again."""
    one, again = (view(Code(build, None), 1.0, batch) for _ in range(2))
    assert (one.structure, one.digest) == (again.structure, again.digest)
    return one


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_trains_otherwise_has_another_digest_and_line(what: str) -> None:
    """The line shows what the other has not."""
    one, other, shown = DIFFERENT[what]
    here, there = of(one), of(other)
    assert here.digest != there.digest
    differ = set(here.structure) ^ set(there.structure)
    assert any(shown in line for line in set(here.structure) & differ), here.structure


@pytest.mark.parametrize("what", SAME)
def test_what_trains_the_same_has_one_digest(what: str) -> None:
    """Names and layout are nothing."""
    one, other = map(of, SAME[what])
    assert (one.structure, one.digest) == (other.structure, other.digest)


def test_the_order_in_which_inputs_are_joined_counts() -> None:
    """The names by which the data find them stand for them."""
    one, other = of(partial(joined, "a", "b"), TWO), of(partial(joined, "b", "a"), TWO)
    assert one.digest != other.digest
    assert "inputs: {a: part 2, b: part 3}" in one.structure[-1]


def test_what_user_code_looks_up_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of the module changes what its functions do."""
    before = of(lambda: dense(activation=gelu))
    monkeypatch.setattr(keras_pairs, "SCALE", 3.0)
    assert of(lambda: dense(activation=gelu)).digest != before.digest


def test_a_model_within_a_model_is_told_without_names() -> None:
    """Keras numbers the names of layers on, from one model to the next."""
    whole = of(lambda: keras.Sequential([keras.Input((4,)), depth(True)]))
    assert sum("Dense(units=3" in line for line in whole.structure) == 1


def test_masks_and_recurrent_layers_and_wrappers_are_told() -> None:
    """Parts that call each other with more than one argument."""

    def build() -> Any:
        start = keras.Input((4,), dtype="int32")
        x = layers.Embedding(9, 4, mask_zero=True)(start)
        x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
        x = layers.MultiHeadAttention(2, 3)(x, x)
        x = layers.TimeDistributed(layers.Dense(3))(x)
        return keras.Model(start, layers.GlobalAveragePooling1D()(x))

    told = of(build, (np.zeros((2, 4), np.int32), BATCH[1])).structure
    assert any("MultiHeadAttention(num_heads=2" in line for line in told)
    assert not any(" at 0x" in line for line in told)


PROGRAM = """
import numpy as np
from keras import Input, Sequential, layers
from study.engines.own.code import Code
from study.engines.own.engine import view
def build():
    augment = layers.RandomRotation({"a", "b"} and 0.1)
    parts = [Input((4, 4, 1)), augment, layers.RandomCrop(4, 4), layers.Flatten()]
    return Sequential([*parts, layers.Lambda(lambda x: x * len({"a", "b", "c"})), layers.Dense(3)])
print(view(Code(build, None), 1.0, (np.zeros((2, 4, 4, 1), "float32"),)).digest)
"""


def test_every_process_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever order its sets have, and on whatever line of a file the code stands: here, and in a
    process of its own.
    """
    here, there = (tmp_path / name for name in ("one.py", "two.py"))
    here.write_text(PROGRAM)
    there.write_text("\n\n\n" + PROGRAM)
    runpy.run_path(str(here))
    told = subprocess.run(
        [sys.executable, "-W", "ignore", there],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
    ).stdout.strip()
    assert told
    assert capsys.readouterr().out.strip() == told

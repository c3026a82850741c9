"""What a model leads to, and the random states around it, apart from any model."""

from __future__ import annotations

import math
import random
from collections import deque
from functools import partial
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from study.engines.tensorflow import xp as tf
from study.search.keras import restore
from study.search.keras.reach import is_variable, reachable
from support.engines.held import Held

pytestmark = pytest.mark.slow


class Slotted:
    """Names its attributes once, as a text."""

    __slots__ = "only"


class SlottedMore(Slotted):
    """And more, as a tuple; one of them is not set."""

    __slots__ = ("more", "unset")


def test_ways_lead_through_containers_slots_and_functions() -> None:
    """Numbers, texts and modules are no ends; each thing is given once, the nearest first."""
    leaf, slotted = Held(), SlottedMore()
    for name, value in (("only", leaf), ("more", [leaf])):
        setattr(slotted, name, value)
    hidden = Held(1.0)

    def named(*others: Any, key: Any) -> Any:
        return hidden, others, key

    root = SimpleNamespace(
        deep={"a": (Held(2.0),)},
        line=deque([{Held(3.0)}]),
        slots=slotted,
        bound=partial(named, Held(4.0), key=Held(5.0)),
        text="x",
        number=1.5,
        module=math,
        ring=None,
    )
    root.ring = root
    found = [(way, one.value) for way, one in reachable(root) if isinstance(one, Held)]
    assert ("slots.only", 0.0) in found
    assert len(found) == len({value for _, value in found}) == 6
    assert dict(found).keys() >= {"deep['a'][0]", "line[0][0]"}
    assert [way for way, _ in reachable(root)][:2] == ["", "deep"]
    assert not [one for _, one in reachable(root) if isinstance(one, (str, float, type(math)))]


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (Held(), True),
        (keras.Variable(1.0), True),
        (tf.Variable(1.0), True),
        (SimpleNamespace(assign=1, numpy=1), False),
        (np.zeros(1), False),
        (tf.constant(1.0), False),
        (Held, False),
    ],
)
def test_a_variable_is_told_by_its_class(thing: Any, expected: bool) -> None:
    """It can be set and read."""
    assert is_variable(thing) is expected


class Unmade(Held):
    """A variable whose value Keras has put off."""

    _value = None


def test_a_variable_without_a_value_is_none_yet() -> None:
    """It cannot be read."""
    assert not is_variable(Unmade())


def drawn() -> list[float]:
    """A number of Python's, of NumPy's and of Keras's."""
    of_keras = float(np.asarray(keras.random.uniform(())))
    return [random.random(), float(np.random.random()), of_keras]  # noqa: NPY002


def test_random_states_are_put_back() -> None:
    """Also after an error, and where Keras had no global seeds before."""
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("global_seed_generator", None)
    with restore.random_states_restored():
        drawn()
    assert global_state.get_global_attribute("global_seed_generator") is None
    keras.utils.set_random_seed(3)
    drawn()
    with restore.random_states_restored():
        inside = [drawn() for _ in range(2)]
    with pytest.raises(ZeroDivisionError), restore.random_states_restored():
        1 / len([one for one in drawn() if one > 1])
    assert [drawn() for _ in range(2)] == inside

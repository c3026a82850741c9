"""The user's code: where it is, and every mistake in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.engines.own.code import Code, loaded
from study.errors import StudyError
from support.engines.user_models import written


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("def build(): pass", "no.py:build", "there is no file .*no.py"),
        ("def build(): pass", "mine.py:biuld", "has no biuld: it has build"),
        ("import nothing_like_it", "mine.py:build", "needs nothing_like_it, which is not inst"),
        ("def build(:", "mine.py:build", "cannot be imported .SyntaxError"),
        ("1 / 0", "mine.py:build", "cannot be imported .ZeroDivisionError: division by zero"),
        ("def build(): 1 / 0", "mine.py:build", "failed .ZeroDivisionError: division by zero"),
        ("def build(): pass", "mine.py:build", "returns nothing: let it return the model"),
        ("", "mine.py", "must be FILE.py:NAME, MODULE:NAME, or a function"),
        ("", "nowhere_at_all:build", "there is no module nowhere_at_all on the path: give the"),
    ],
)
def test_a_mistake_in_code_is_one_sentence(
    text: str, place: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the place."""
    written(tmp_path, text, "mine.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StudyError, match=told):
        Code(place, place).build(1, 0)


def test_a_file_is_imported_once_with_its_neighbours(tmp_path: Path) -> None:
    """As where it runs as a script."""
    written(tmp_path, "VALUE = 3\n", "neighbour_of_mine.py")
    text = "from neighbour_of_mine import VALUE\n\n\ndef build():\n    return [VALUE]\n"
    path = written(tmp_path, text, "beside_it.py")
    function = loaded("model", f"{path}:build")
    assert loaded("model", f"{path}:build") is function
    assert Code(f"{path}:build", "").build(1, 0) == [3]


def test_the_width_is_given_where_it_is_asked_for() -> None:
    """As a whole number where it is one."""
    assert Code(lambda width: [width], "").build(2.0, 0) == [2]
    assert Code(lambda width=1: [width], "").build(2.5, 0) == [2.5]
    assert Code(lambda units=64: [units], "").build(1, 0) == [64]
    with pytest.raises(StudyError, match="width 2: the function that builds the model takes no"):
        Code(lambda: [1], "").build(2.0, 0)


def test_weights_follow_from_the_seed() -> None:
    """Of Python's and NumPy's global generators as well."""
    import random

    import numpy as np

    def build() -> Any:
        return [random.random(), float(np.random.random())]  # noqa: NPY002

    code = Code(build, "")
    assert code.build(1, 3) == code.build(1, 3) != code.build(1, 4)


@pytest.mark.slow
def test_other_threads_draw_no_weights_of_keras() -> None:
    """Those of a cluster's worker draw from Python's random numbers all the time. What Keras draws,
    and what follows it, is as without them; a seed that the user sets inside holds.
    """
    import random
    import threading

    import keras
    import numpy as np

    from study.engines.own.code import sow

    def build() -> Any:
        layers = [keras.layers.Dense(3) for _ in range(40)]
        model = keras.Sequential([keras.layers.Input((3,)), *layers])
        return [np.asarray(value) for value in model.get_weights()]

    def fixed() -> Any:
        keras.utils.set_random_seed(5)
        return build()

    def same(one: Any, other: Any) -> bool:
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    sow(3)
    wanted, after = build(), random.random()
    alone = Code(build, "").build(1, 3)
    assert random.random() == after
    assert same(alone, wanted)
    over = threading.Event()

    def draw() -> None:
        while not over.is_set():
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert all(same(Code(build, "").build(1, 3), wanted) for _ in range(3))
        assert not same(Code(build, "").build(1, 4), wanted)
        assert same(Code(fixed, "").build(1, 3), Code(fixed, "").build(1, 4))
    finally:
        over.set()
        thread.join()

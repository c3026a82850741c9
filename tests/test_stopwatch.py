"""Parts of the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.stopwatch import Stopwatch


class Hand:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_inner_part_is_not_counted_twice() -> None:
    """Nested parts: the inner counts for itself alone."""
    clock = Hand()
    watch = Stopwatch(clock)
    clock.now = 1
    with watch.part("outer"):
        clock.now = 3
        with watch.part("inner"):
            clock.now = 7
        clock.now = 8
    clock.now = 10
    assert watch.parts() == {"other": 3, "outer": 3, "inner": 4}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10), st.booleans()), max_size=20))
def test_parts_add_up_to_the_whole(moves: list[tuple[str, float, bool]]) -> None:
    """Whatever is nested, and also when a part raises."""
    clock = Hand()
    watch = Stopwatch(clock)

    def walk(rest: list[tuple[str, float, bool]]) -> None:
        if rest:
            (name, seconds, nested), *more = rest
            with watch.part(name):
                clock.now += seconds
                if nested:
                    walk(more)
            if not nested:
                walk(more)

    walk(moves)

    def breaks() -> None:
        with watch.part("broken"):
            clock.now += 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    clock.now += 1
    assert sum(watch.parts().values()) == pytest.approx(clock.now)

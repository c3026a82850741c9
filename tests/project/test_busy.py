"""The share of a time that a GPU computes, of profiles made by hand."""

from __future__ import annotations

from types import SimpleNamespace as Made

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.busy import overlapped, profile, summary


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20))))
def test_spans_are_counted_once_where_they_overlap(spans: list[tuple[int, int]]) -> None:
    """As a count of the moments that some span covers."""
    moments = {moment for begun, length in spans for moment in range(begun, begun + length)}
    assert overlapped((begun, begun + length) for begun, length in spans) == len(moments)


def line(name: str, *events: tuple[str, float, float]) -> Made:
    """A line of a profile."""
    made = [Made(name=what, start_ns=begun, duration_ns=length) for what, begun, length in events]
    return Made(name=name, events=made)


def test_only_the_streams_of_gpus_count() -> None:
    """What the host does does not; kernels are summed by name, the longest first."""
    streams = (
        line("Stream #1", ("gemm", 0, 4e9), ("copy", 6e9, 1e9)),
        line("Stream #2", ("gemm", 2e9, 3e9), ("add", 9e9, 1e9)),
        line("XLA Ops", ("gemm", 0, 1e12)),
    )
    host = Made(name="/host:CPU", lines=[line("Stream #1", ("python", 0, 1e12))])
    found = summary([Made(name="/device:GPU:0", lines=streams), host])
    assert found is not None
    assert found["busy"] == pytest.approx(0.7)
    assert found["seconds"] == pytest.approx(10)
    assert next(iter(found["kernels"].items())) == ("gemm", pytest.approx(7.0))
    assert summary([host]) is None


@pytest.mark.slow
def test_nothing_is_said_where_no_gpu_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX's own profiler is asked for real."""
    jax = pytest.importorskip("jax")
    assert profile(lambda: jax.numpy.ones(3).sum().block_until_ready()) is None

"""How much of a time a GPU computes, and with which kernels, by JAX's profiler."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TOP = 10
"""Kernels that are named."""


def overlapped(spans: Iterable[tuple[float, float]]) -> float:
    """The length of what the spans cover together.

    >>> overlapped([(0, 2), (1, 3), (5, 6)])
    4.0
    """
    total, end = 0.0, float("-inf")
    for begun, ended in sorted(spans):
        total += max(0.0, ended - max(begun, end))
        end = max(end, ended)
    return total


def summary(planes: Iterable[Any]) -> dict[str, Any] | None:
    """What a profile says of a GPU.

    Args:
        planes: those of a `jax.profiler.ProfileData`.

    Returns:
        The share of the time from the first kernel to the last in which some kernel ran, that time
        in seconds, and the seconds of the longest kernels by name; None where no GPU took part.
    """
    spans: list[tuple[float, float]] = []
    kernels: dict[str, float] = {}
    for plane in planes:
        if "GPU" not in plane.name:
            continue
        for line in plane.lines:
            if not line.name.startswith("Stream"):
                continue
            for event in line.events:
                spans.append((event.start_ns, event.start_ns + event.duration_ns))
                kernels[event.name] = kernels.get(event.name, 0.0) + event.duration_ns / 1e9
    if not spans:
        return None
    whole = max(end for _, end in spans) - min(begun for begun, _ in spans)
    longest = sorted(kernels.items(), key=lambda item: -item[1])[:TOP]
    return {
        "busy": round(overlapped(spans) / whole, 3),
        "seconds": whole / 1e9,
        "kernels": dict(longest),
    }


def profile(run: Callable[[], object]) -> dict[str, Any] | None:
    """The `summary` of what the GPU does in `run`; None where it does nothing."""
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        found = sorted(Path(folder).rglob("*.xplane.pb"))
        if not found:
            return None
        return summary(jax.profiler.ProfileData.from_file(str(found[-1])).planes)

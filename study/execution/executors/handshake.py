"""Finds out whether a worker has this very package, before anything of it is sent there.

A task names functions of the package. A worker that lacks the package, or has another version,
cannot even read it, and may die of it. So the first questions need nothing but Python there.
"""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from study.engines.choice import site_of
from study.errors import StudyError
from study.execution.executors.base import Setting
from study.machine.memory import free_memory
from study.machine.versions import PROJECT, project_version

Found = tuple[str, str]
"""The version of a package that lies somewhere, and the hash of its code; empty where none does."""


def python() -> Callable[[], tuple[str, ...]]:
    """A function that tells a worker's Python: of the standard library, and sent by its name."""
    return platform.python_version_tuple


def package(project: str = PROJECT) -> Callable[[], Found]:
    """A function that finds the package of a worker with the same Python, without importing it.

    It has no name of its own, so dask and Ray send its code.

    Args:
        project: the name under which the package may be installed.
    """

    def find() -> tuple[str, str]:
        import hashlib
        import importlib.metadata
        import importlib.util
        from pathlib import Path

        found = importlib.util.find_spec("study")
        if found is None or not found.origin:
            return "", ""
        root = Path(found.origin).parent
        code = hashlib.sha256()
        files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
        for name in sorted(files):
            code.update(name.encode() + b"\0" + files[name].read_bytes() + b"\0")
        try:
            version = importlib.metadata.version(project)
        except importlib.metadata.PackageNotFoundError:
            version = "unknown"
        return version, code.hexdigest()[:8]

    return find


@cache
def own() -> Found:
    """This process's package."""
    return project_version(), package()()[1]


def check(found: Found, place: str) -> None:
    """Raise `StudyError` unless what was found on the worker at `place` is this very package."""
    version, code = found
    if code == own()[1]:
        return
    mine = f"{own()[0]} (code {own()[1]})"
    if not code:
        raise StudyError(
            f"the worker {place} lacks this package, of which this process has {mine}: install it "
            "there, and start the worker again"
        )
    raise StudyError(
        f"the worker {place} has version {version} of this package (code {code}), and this process "
        f"{mine}: update one of them, and start the worker again"
    )


def same_python(there: tuple[str, ...]) -> bool:
    """Whether a worker reads this Python's code: its minor version is the same."""
    return tuple(there[:2]) == platform.python_version_tuple()[:2]


def introduce(setting: Setting) -> tuple[Any, ...]:
    """What a worker runs on: its machine, versions, engine and precision, and free bytes."""
    site = site_of(setting.factory)
    free = min(free_memory(), _limit())
    return site.machine.to_json(), site.versions, (site.engine, site.precision), free


def _limit() -> float:
    """Bytes at which dask ends this worker; infinite where it does not."""
    if "distributed" not in sys.modules:
        return math.inf
    from distributed import get_worker

    try:
        return float(get_worker().memory_manager.memory_limit or math.inf)
    except (ValueError, AttributeError):  # no worker of dask's
        return math.inf

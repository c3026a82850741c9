"""Dask's workers, and an undisturbed study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.driving import SPEC, Results, results, run
from support.execution.clusters import Dask
from support.execution.kinds import workers as workers
from support.execution.mnist import mnist_once as mnist_once


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    """A scheduler without workers."""
    started = Dask(tmp_path)
    yield started
    started.kill()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler and two workers for the tests that harm neither."""
    started = Dask(tmp_path_factory.mktemp("pair"))
    started.workers(2)
    yield started
    started.kill()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of one worker."""
    return results(run(SPEC, tmp_path_factory.mktemp("whole")))

"""The processes of this machine: what they leave behind, and why they may not train."""

from __future__ import annotations

import queue
import threading
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.execution.executors import pool
from support.driving import SMALL, engine, run
from support.parabola import ParabolaEngine

pytestmark = pytest.mark.slow


def test_no_pool_leaves_a_thread_behind(tmp_path: Path) -> None:
    """In a notebook many studies run in one process: after the first, none adds a thread."""
    seen: list[int] = []
    for i in range(3):
        run(SMALL.with_(seeds=1, rates=(0.1, 0.2)), tmp_path / str(i), engine, workers=2)
        for thread in threading.enumerate():
            if thread.name.startswith("Thread-") and "_watch" not in thread.name:
                thread.join(timeout=10)
        seen.append(threading.active_count())
    assert seen[1:] == [seen[0]] * 2


class Unpicklable(ParabolaEngine):
    """Cannot be sent to a worker."""

    def __reduce__(self) -> Any:
        raise TypeError("it stays here")


def test_a_pool_that_cannot_train_names_its_cause(folder: Path) -> None:
    """No worker died, and the same command would not help: one worker would."""
    stubborn = Unpicklable()
    with pytest.raises(StudyError, match=r"Could not pickle.*give --workers 1") as told:
        run(SMALL, folder, lambda images: stubborn, workers=2)
    assert "died" not in str(told.value)


@pytest.mark.parametrize("awake", [False, True])
def test_a_pool_ends_whether_or_not_its_thread_still_waits_for_calls(awake: bool) -> None:
    """The thread that accepts calls may have seen the end by itself: then nobody answers."""
    inbox: queue.Queue[Any] = queue.Queue()
    over = threading.Event()
    with Listener(pool._address(), authkey=b"secret") as listener:
        if not awake:
            over.set()
        thread = threading.Thread(target=pool._accept, args=(listener, inbox, over), daemon=True)
        thread.start()
        if not awake:
            thread.join(10)
        over.set()
        call = threading.Thread(target=pool._wake, args=(listener.address,), daemon=True)
        call.start()
        for one in (call, thread):
            one.join(10)
            assert not one.is_alive()

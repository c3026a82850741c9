"""Workers of a Ray cluster."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support.driving import SPEC, Results, slow
from support.execution.clusters import after_lines, stored_once, timed
from support.paths import environment


class Head(NamedTuple):
    """The head of a Ray cluster."""

    process: subprocess.Popen[bytes]
    address: str


@pytest.fixture
def ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    """The head of a Ray cluster of this machine with two processors; a token of its own keeps
    others out.
    """
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        port, other = first.getsockname()[1], second.getsockname()[1]
    options = [
        "--num-cpus=2",
        "--include-dashboard=false",
        f"--ray-client-server-port={port}",
        f"--port={other}",
        "--disable-usage-stats",
    ]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", *options]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while True:
        assert process.poll() is None
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.2)
    yield Head(process, f"ray://127.0.0.1:{port}")
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def test_ray_gives_what_one_process_gives_and_its_end_is_told(
    folder: Path, tmp_path: Path, ray: Head, whole: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of its workers killed on the way. When the head dies the driver soon says so, and
    keeps what it has.

    One test, since Ray lets a process join one cluster in its life.
    """

    def kill() -> None:
        busy = [
            p
            for p in psutil.process_iter(["cmdline"])
            if " ".join(p.info["cmdline"] or []).startswith("ray::_call")
        ]
        busy[0].kill()

    killer = after_lines(Store(folder), 1, kill)
    timed(folder, SPEC)
    driver.run(
        Request(SPEC, folder, factory=slow, backend="ray", scheduler=ray.address), progress=False
    )
    killer.join()
    assert stored_once(Store(folder), whole)

    monkeypatch.setattr("study.execution.executors.ray.SILENCE", 3.0)
    again = tmp_path / "again"
    killer = after_lines(Store(again), 1, lambda: os.killpg(ray.process.pid, signal.SIGKILL))
    timed(again, SPEC)
    with pytest.raises(StudyError, match=r"^ray at .* failed .*run the same command to go on$"):
        driver.run(
            Request(SPEC, again, factory=slow, backend="ray", scheduler=ray.address), progress=False
        )
    killer.join()
    assert 1 <= len(Store(again).runs()) < len(SPEC)

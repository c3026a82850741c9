"""The head of a Ray cluster as a process on loopback."""

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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from support.paths import environment


class Head(NamedTuple):
    """The head of a Ray cluster."""

    process: subprocess.Popen[bytes]
    address: str


@contextmanager
def head(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
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
        cwd=folder,
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
    try:
        yield Head(process, f"ray://127.0.0.1:{port}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()

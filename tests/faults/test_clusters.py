"""What is no scheduler, workers with another package, and a cluster that is gone."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.executors import handshake
from study.execution.request import Request
from study.storage.store import Store
from support.driving import SMALL, engine
from support.execution.clusters import cluster
from support.paths import STUDY

pytestmark = pytest.mark.slow


class Silent(BaseHTTPRequestHandler):
    """A web server that prints nothing."""

    def log_message(self, *_: object) -> None:
        """See `BaseHTTPRequestHandler`."""


@pytest.mark.parametrize("what", ["a web server", "nothing"])
def test_what_is_no_scheduler_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A dashboard's port, a silent listener: not waited for longer than a closed port is."""
    monkeypatch.setattr("study.execution.executors.dask.ARRIVAL", 1.0)
    with ExitStack() as stack:
        if what == "nothing":
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = server.getsockname()[1]
        else:
            web = HTTPServer(("127.0.0.1", 0), Silent)
            stack.callback(web.server_close)
            stack.callback(web.shutdown)
            threading.Thread(target=web.serve_forever, daemon=True).start()
            port = web.server_address[1]
        with pytest.raises(StudyError, match=r"did not answer as one in 1 s.*8787 is its dashb"):
            cluster(f"tcp://127.0.0.1:{port}", 1)


def package_on_another_machine(folder: Path) -> handshake.Found:
    """What a worker that finds its packages in the folder answers, in a process of its own."""
    cloudpickle = pytest.importorskip("cloudpickle")
    letter = folder / "letter"
    letter.write_bytes(cloudpickle.dumps(handshake.package()))
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import cloudpickle\n"
        "print(*cloudpickle.load(open(sys.argv[1] + '/letter', 'rb'))(), sep='|')\n"
        "assert 'study' not in sys.modules"
    )
    paths = [str(folder), str(Path(cloudpickle.__file__).parent.parent / "cloudpickle" / "..")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *paths],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    version, found = done.stdout.strip().split("|")
    return version, found


@pytest.mark.parametrize(
    "change",
    ["a function is renamed", "a file is missing", "a file is added", "the package is empty"],
)
def test_a_worker_with_another_package_is_named(tmp_path: Path, change: str) -> None:
    """Before anything of this package is sent there; the same code elsewhere is the same."""
    there = tmp_path / "study"
    shutil.copytree(STUDY, there, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    handshake.check(package_on_another_machine(tmp_path), "tcp://there:1")
    if change == "a function is renamed":
        path = there / "execution" / "executors" / "tasks.py"
        path.write_text(path.read_text().replace("def gather(", "def gather_of_old("))
    elif change == "a file is missing":
        (there / "words.py").unlink()
    elif change == "a file is added":
        (there / "more.py").write_text("")
    else:
        shutil.rmtree(there)
        there.mkdir()
        (there / "__init__.py").write_text("")
    with pytest.raises(StudyError, match=r"tcp://there:1 has version .* \(code .*update one"):
        handshake.check(package_on_another_machine(tmp_path), "tcp://there:1")


def test_a_worker_without_the_package_is_named() -> None:
    """And what to do there; a worker of another Python is asked by names alone."""
    with pytest.raises(StudyError, match=r"the worker tcp://there:1 lacks this package, of which"):
        handshake.check(("", ""), "tcp://there:1")
    assert handshake.same_python(platform.python_version_tuple())
    assert not handshake.same_python(("3", "99", "0"))


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_study_that_has_ended_needs_no_cluster(folder: Path, backend: str) -> None:
    """It may be gone; a study that has not ended asks for it."""
    spec = SMALL.with_(rates=(0.1, 0.2))
    driver.run(Request(spec, folder, factory=engine, workers=1), progress=False)
    before = Store(folder).runs_path.read_bytes()
    address = f"{'tcp' if backend == 'dask' else 'ray'}://127.0.0.1:1"
    away: dict[str, Any] = dict(backend=backend, scheduler=address, factory=engine)
    driver.run(Request(spec, folder, **away), progress=False)
    assert Store(folder).runs_path.read_bytes() == before
    if backend == "dask":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("study.execution.executors.dask.ARRIVAL", 0.5)
            with pytest.raises(StudyError, match="no dask scheduler answers"):
                driver.run(Request(spec.with_(seeds=3), folder, **away), progress=False)

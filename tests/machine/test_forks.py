"""Tasks that forks share: each is done, whatever becomes of a fork."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT, environment

needs_forks = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")


HEAD = """
import os, sys, threading, time, types
from pathlib import Path
from study.machine.forks import MOST, safe, share
os.sched_getaffinity = lambda _: range(2)
home, parent = Path(sys.argv[1]), os.getpid()
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a process says that has no framework, and no other thread."""
    command = [sys.executable, "-c", f"{HEAD}\n{code}", str(folder)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120
    )


@needs_forks
def test_two_processes_share_the_tasks(tmp_path: Path) -> None:
    """Each of two tasks waits for the other, which one process alone would do for ever."""
    answer = python(
        """
def task(mine, other):
    (home / mine).write_text(str(os.getpid()))
    while not (home / other).exists():
        time.sleep(0.01)
share([lambda: task("a", "b"), lambda: task("b", "a")])
print(len({(home / name).read_text() for name in "ab"}), parent == os.getpid())
""",
        tmp_path,
    )
    assert answer.stdout.split() == ["2", "True"], answer.stderr


@needs_forks
@pytest.mark.parametrize("tasks", [0, 1, 2, 7, 300])
def test_each_task_is_done_once(tmp_path: Path, tasks: int) -> None:
    """There are fewer, as many, and far more tasks than processes."""
    answer = python(
        f"""
def task(i):
    with (home / str(i)).open("x") as file:
        file.write("done")
share([lambda i=i: task(i) for i in range({tasks})])
""",
        tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    assert {path.name for path in tmp_path.iterdir()} == set(map(str, range(tasks)))


@needs_forks
@pytest.mark.parametrize(
    "end", ["raise ValueError('no')", "os.kill(os.getpid(), 9)", "os._exit(3)"]
)
def test_the_tasks_of_a_fork_that_fails_are_done_again(tmp_path: Path, end: str) -> None:
    """The fork says nothing on the way, and its parent does every task."""
    answer = python(
        f"""
def task(i):
    if os.getpid() != parent:
        (home / "fork").touch()
        {end}
    while not (home / "fork").exists():
        time.sleep(0.01)
    (home / str(i)).touch()
share([lambda i=i: task(i) for i in range(5)])
""",
        tmp_path,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"fork", *"01234"}


@needs_forks
def test_an_error_is_raised_where_the_tasks_were_given(tmp_path: Path) -> None:
    """Whichever process met it first, it is told once."""
    answer = python(
        """
def task():
    raise ValueError("the third figure")
try:
    share([lambda: None, lambda: None, task, lambda: None])
except ValueError as error:
    print(error, os.getpid() == parent)
""",
        tmp_path,
    )
    assert (answer.stdout, answer.stderr) == ("the third figure True\n", "")


@needs_forks
@pytest.mark.parametrize(
    ("makes", "forks"),
    [
        ("pass", True),
        ("sys.modules['tensorflow'] = types.ModuleType('tensorflow')", False),
        ("sys.modules['jax'] = types.ModuleType('jax')", False),
        ("sys.modules['torch'] = types.ModuleType('torch')", False),
        ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", False),
        ("sys.platform = 'darwin'", False),
        ("os.sched_getaffinity = lambda _: range(1)", False),
    ],
)
def test_it_forks_only_where_that_is_safe(tmp_path: Path, makes: str, forks: bool) -> None:
    """A framework's thread may hold a lock that the fork would wait for."""
    answer = python(
        f"""
{makes}
os.fork = lambda forks=os.fork: print("fork", flush=True) or forks()
share([lambda: None, lambda: None])
""",
        tmp_path,
    )
    assert (answer.stdout, answer.stderr) == ("fork\n" * forks, "")


@needs_forks
def test_a_stop_ends_each_fork_with_its_task(tmp_path: Path) -> None:
    """It takes no more places of the pipe, of which there are fifty."""
    answer = python(
        """
def task(i):
    (home / str(i)).touch()
    if os.getpid() == parent:
        raise KeyboardInterrupt
    time.sleep(0.5)
try:
    share([lambda i=i: task(i) for i in range(50)])
except KeyboardInterrupt:
    print(len(list(home.iterdir())))
""",
        tmp_path,
    )
    assert int(answer.stdout) <= 3, answer.stderr


@needs_forks
@pytest.mark.parametrize(
    "trouble",
    [
        "def no(): raise BlockingIOError(11, 'no more processes')\nos.fork = no",
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    ],
)
def test_a_system_that_gives_no_forks_is_done_without(tmp_path: Path, trouble: str) -> None:
    """Where no process is to be had, and where nothing is told of how one ended."""
    answer = python(
        f"""
{trouble}
share([lambda i=i: (home / str(i)).touch() for i in range(4)])
""",
        tmp_path,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == set("0123")


@needs_forks
def test_shared_figures_are_the_same_files(tmp_path: Path) -> None:
    """Byte for byte, by one process and by two."""
    said = [
        python(
            f"""
os.sched_getaffinity = lambda _: range({cores})
from study.figures.files import write
write({str(ROOT / "results" / "amd-epyc-2-cores" / "article")!r}, home / "{cores}")
""",
            tmp_path,
        )
        for cores in (1, 2)
    ]
    assert [(one.returncode, one.stderr) for one in said] == [(0, ""), (0, "")]
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / cores).iterdir()} for cores in "12"
    )
    assert len(one) > 4
    assert one == two

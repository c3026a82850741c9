"""Programs that end, that are ended, and that have started others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from study.engines.command.child import Child, in_words
from support.paths import environment


def sh(text: str, grace: float = 5.0, **variables: str) -> Child:
    """A program of the shell."""
    return Child(["sh", "-c", text], variables, grace)


def all_of(child: Child) -> dict[str, bytes]:
    """What a program says until it has ended."""
    said = {"out": b"", "err": b""}
    with closing(child):
        while not child.over:
            for heard in child.hear(1.0):
                said[heard.stream] += heard.data
    return said


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Whether a process is gone, after a while."""
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def told(child: Child) -> int:
    """The number that a program prints first."""
    text = b""
    while not text.endswith(b"\n"):
        text += b"".join(heard.data for heard in child.hear(1.0))
    return int(text.split()[-1])


@pytest.mark.parametrize(
    ("text", "end", "words"),
    [
        ("exit 0", "exit 0", "ended with exit code 0"),
        ("exit 3", "exit 3", "ended with exit code 3"),
        ("kill -11 $$", "signal 11", "was ended by SIGSEGV"),
        ("kill -9 $$", "signal 9", "was ended by SIGKILL, as the system does when memory runs"),
    ],
)
def test_how_a_program_ended_is_known(text: str, end: str, words: str) -> None:
    """Its exit code or its signal."""
    child = sh(text)
    all_of(child)
    assert child.end == end
    assert in_words(child.end).startswith(words)


def test_both_streams_are_heard_and_the_input_is_empty() -> None:
    """With the variables that it was given."""
    said = all_of(sh('echo "$WORD"; echo bad >&2; cat', WORD="good"))
    assert said == {"out": b"good\n", "err": b"bad\n"}


def test_a_program_that_is_not_there_is_no_error_of_this_process() -> None:
    """It has ended before it began."""
    child = Child(["/no/such/program"], {})
    assert all_of(child) == {"out": b"", "err": b""}
    assert in_words(child.end) == "could not be started (No such file or directory)"


def test_a_program_is_asked_and_may_answer() -> None:
    """SIGTERM comes first, and what is said then is still heard."""
    child = sh("trap 'echo saved; exit 0' TERM; echo $$; while :; do sleep 0.02; done")
    with closing(child):
        pid = told(child)
        child.ask()
        said = b""
        while not child.over:
            said += b"".join(one.data for one in child.hear(1.0) if one.stream == "out")
    assert said == b"saved\n"
    assert child.end == "exit 0"
    assert not alive(pid)


def test_a_program_that_does_not_listen_is_killed() -> None:
    """After the grace; so is one that was stopped."""
    for text in ("trap '' TERM; echo $$; while :; do sleep 0.02; done", "echo $$; kill -STOP $$"):
        child = sh(text, grace=0.2)
        with closing(child):
            pid = told(child)
        assert child.end in ("signal 9", "signal 15")
        assert not alive(pid)


FORKS = "setsid sh -c 'trap \"\" TERM; sleep 300 & echo $!; wait' & wait"


def test_its_children_end_with_it_wherever_they_went() -> None:
    """One in a session of its own that does not listen."""
    child = sh(FORKS, grace=0.2)
    with closing(child):
        pid = told(child)
        assert alive(pid)
    assert gone(pid)


def test_what_it_left_behind_ends_too() -> None:
    """The program went well, and its child holds its output."""
    child = sh("sleep 300 & echo $!; exit 0", grace=0.2)
    said = all_of(child)
    assert child.end == "exit 0"
    assert gone(int(said["out"]))


def test_no_other_process_is_touched() -> None:
    """One that this process has started besides."""
    other = subprocess.Popen(["sleep", "300"])
    with closing(sh("sleep 300")):
        pass
    assert other.poll() is None
    other.kill()
    other.wait()


HOLDER = f"""
import sys
from study.engines.command.child import Child
child = Child(["sh", "-c", {FORKS!r}], {{}}, 0.2)
while True:
    for heard in child.hear(1.0):
        sys.stdout.buffer.write(heard.data)
        sys.stdout.flush()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_process_that_started_it(number: int) -> None:
    """It is killed, and can do nothing any more."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, env=environment()
    )
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    assert alive(pid)
    os.kill(holder.pid, number)
    holder.wait()
    holder.stdout.close()
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells of no dead parent")
def test_a_program_dies_with_its_supervisor() -> None:
    """Who is killed himself, and is told as the program's end."""
    child = sh("echo $$; exec sleep 300")
    with closing(child):
        pid = told(child)
        child.process.kill()
        while not child.over:
            child.hear(1.0)
    assert child.end == "signal 9"
    assert gone(pid)


def test_starting_opens_nothing_that_stays(tmp_path: Path) -> None:
    """Files of this process."""
    all_of(sh("exit 0"))
    before = psutil.Process().num_fds()
    for _ in range(5):
        all_of(sh("echo x"))
    assert psutil.Process().num_fds() == before

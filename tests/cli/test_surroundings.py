"""The command line in odd surroundings: streams, homes, settings and limits that others have."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.command import call
from support.driving import SPEC, program
from support.known import stored
from support.paths import PYTHONPATH, ROOT, environment

pytestmark = pytest.mark.slow

STUDY = [sys.executable, "-m", "study"]
TRAINS = [
    sys.executable,
    "-c",
    "import sys\n"
    "from study.engines.choice import EngineChoice\n"
    "from support.parabola import ParabolaEngine\n"
    "EngineChoice.__call__ = lambda self, images: ParabolaEngine()\n"
    "sys.argv = ['study', *sys.argv[1:]]\n"
    "from study.cli.main import main\n"
    "main()",
    *["run", "smoke", "--optimizers", "adam", "--rates", "0.003,0.03", "--max-steps", "50"],
]
"""A study of two trials on parabolas, by the command line."""


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    settings: dict[str, Any] = {"cwd": ROOT, "env": environment(), "text": True}
    return subprocess.run(command, **{**settings, "capture_output": True, **options})


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_stops_nothing(tmp_path: Path, closed: str) -> None:
    """Of a daemon or a detached start; no file of the study takes a stream's place."""
    folder = tmp_path / "study"
    done = run(["bash", "-c", f'exec "$0" "$@" {closed}', *TRAINS, "--out", str(folder)])
    assert done.returncode == 0, done.stderr
    assert len((folder / "runs.jsonl").read_text().splitlines()) == 2
    for path in folder.glob("*.json*"):
        assert b"trials" not in path.read_bytes()


def test_a_reader_of_standard_error_that_goes_away_ends_no_run(tmp_path: Path) -> None:
    """As `2>&1 | head` and a terminal that is closed do: trials train on."""
    folder = tmp_path / "study"
    code = '"$0" "$@" 2> >(head -c 1 >/dev/null); echo "exit $?"'
    done = run(["bash", "-c", code, *TRAINS, "--out", str(folder)])
    assert "exit 0" in done.stdout
    assert len((folder / "runs.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "arguments", [["plan", "smoke"], ["tables", "STUDY"], ["plan", "smoke", "--out", "~/mine"]]
)
def test_no_home_is_needed(tmp_path: Path, arguments: list[str]) -> None:
    """A user number without a name, as in containers: only what lies at home needs one."""
    folder = stored(tmp_path / "study")
    code = (
        "import os, pathlib, sys; os.environ.pop('HOME', None)\n"
        "import pwd\n"
        "def nobody(number): raise KeyError(number)\n"
        "pwd.getpwuid = nobody\n"
        "sys.argv = ['study', *sys.argv[1:]]\n"
        "from study.cli.main import main\n"
        "main()"
    )
    words = [str(folder) if word == "STUDY" else word for word in arguments]
    done = run([sys.executable, "-c", code, *words])
    assert (done.returncode, done.stderr.count("the home folder is not known here")) == (
        (2, 1) if "~/mine" in words else (0, 0)
    ), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["tables", "~/study"],
        ["tables", "~/study", "--out", "~/made"],
        ["figures", "~/study", "--out=~/made"],
        ["report", "~/study", "--out=~/made/page.html"],
        ["plan", "~/mine.toml", "--out=~/new"],
        ["plan", "smoke", "--out=~/new", "--dataset=~/data.npz"],
        ["merge", "~/study", "--out=~/new"],
    ],
)
def test_a_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Also behind `=`, where no shell expands it; no folder is named `~`."""
    from study.data import readers

    monkeypatch.setenv("HOME", str(tmp_path))
    stored(tmp_path / "study")
    (tmp_path / "mine.toml").write_text('preset = "smoke"\n')
    (tmp_path / "data.npz").write_bytes((ROOT / "study" / "data" / "mnist.npz").read_bytes())
    assert readers.fashion_folders()[1].is_relative_to(tmp_path)
    here = tmp_path / "here"
    here.mkdir()
    answer = call(*arguments, cwd=here)
    assert answer.returncode == 0, answer.stderr
    assert not list(here.iterdir())
    assert not (ROOT / "~").exists()


OTHER_SETTINGS = """
text.usetex: True
font.family: serif
font.size: 30
figure.dpi: 30
savefig.dpi: 33
savefig.bbox: tight
axes.grid: False
lines.linewidth: 9
svg.fonttype: none
"""


def test_a_matplotlib_of_ones_own_changes_no_figure(tmp_path: Path) -> None:
    """Its settings, and a window that does not exist."""
    folder = stored(tmp_path / "study")
    drawn: list[dict[str, bytes]] = []
    for i, (settings, more) in enumerate((("", {}), (OTHER_SETTINGS, {"MPLBACKEND": "Foo"}))):
        place = tmp_path / str(i)
        place.mkdir()
        (place / "matplotlibrc").write_text(settings + "\n")
        env = {**environment(), "MATPLOTLIBRC": str(place), **more}
        done = run([*STUDY, "figures", str(folder), "--out", str(place / "made")], env=env)
        assert done.returncode == 0, done.stderr
        drawn.append({path.name: path.read_bytes() for path in (place / "made").iterdir()})
    assert drawn[0]
    assert drawn[0] == drawn[1]


def test_a_long_temporary_folder_is_no_obstacle(tmp_path: Path) -> None:
    """That of a batch job: no name of a socket contains it."""
    long = tmp_path / "/".join(["a-rather-long-name-of-a-folder"] * 4)
    long.mkdir(parents=True)
    env = {**environment(), "TMPDIR": str(long)}
    folder = tmp_path / "study"
    done = run(program(folder, 0.0, 2), env=env)
    assert done.returncode == 0, done.stderr
    assert len((folder / "runs.jsonl").read_text().splitlines()) == len(SPEC)


@pytest.mark.parametrize(
    ("error", "words", "promised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk: No space", True),
        (OSError(errno.EIO, "Input/output error"), "the disk: Input/output", True),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n", False),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "fewer --workers", False),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily"), "ulimit -u", False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Refused", False),
        (OSError("AF_UNIX path too long"), "the system refused: AF_UNIX path too long", False),
        (TimeoutError("timed out"), "TimeoutError: timed out", False),
    ],
)
def test_an_error_of_the_system_names_its_cause(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    words: str,
    promised: bool,
) -> None:
    """The disk is named for what the disk did; the same command helps where it can."""

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("study.execution.driver.run", fail)
    answer = call("run", "smoke", "--out", str(tmp_path / "study"))
    assert answer.returncode == 1
    assert words in answer.stderr
    assert ("the same command goes on" in answer.stderr) == promised
    assert ("the disk" in answer.stderr) == promised
    assert "Traceback" not in answer.stderr


def test_where_no_child_may_be_started_the_sentence_says_so(tmp_path: Path) -> None:
    """In a daemonic process, as those of `multiprocessing.Pool`; by default one worker trains."""
    code = f"""
import multiprocessing, sys
from pathlib import Path
def work(workers):
    from study.errors import StudyError
    from support.driving import SMALL, run
    try:
        spec = SMALL.with_(rates=(0.1,), seeds=1)
        print(len(run(spec, Path({str(tmp_path)!r}), workers=workers).runs()))
    except StudyError as error:
        print(error)
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(work, [2, None])
"""
    path = tmp_path / "daemonic.py"
    path.write_text(code)
    done = run([sys.executable, str(path)], env={**environment(), "PYTHONPATH": PYTHONPATH})
    refused, trained = done.stdout.splitlines()[-2:]
    assert refused.startswith("workers 2: this process is a daemonic one")
    assert trained == "2"


EARLY: list[tuple[str, Callable[[Path], list[str]]]] = [
    (name, lambda folder, name=name: [name, str(folder)])  # type: ignore[misc]
    for name in ("tables", "figures", "hindsight", "report", "predict")
]


@pytest.mark.parametrize(("name", "arguments"), EARLY)
def test_a_command_that_comes_too_early_says_so(
    tmp_path: Path, name: str, arguments: Callable[[Path], list[str]]
) -> None:
    """The study has begun, and no trial has ended."""
    folder = stored(tmp_path / "study")
    (folder / "runs.jsonl").write_bytes(b"")
    answer = call(*arguments(folder), cwd=tmp_path)
    assert answer.returncode == 2
    assert "no trial has ended yet" in answer.stderr
    for command in ("status", "claims"):
        assert call(command, folder).returncode == 0
    auto = ["plan", "smoke", "--optimizers", "adam", "--rates", f"auto:{folder}"]
    assert call(*auto, cwd=tmp_path).returncode == 2


MADE = {
    "figures": (["figures", "STUDY", "--out", "MADE"], "valley.png"),
    "tables": (["tables", "STUDY", "--out", "MADE"], "cells.csv"),
}


@pytest.mark.parametrize("name", ["figures", "tables"])
def test_a_full_disk_leaves_what_was_made_before(tmp_path: Path, name: str) -> None:
    """A file is made anew beside the old one, and takes its place when it is whole."""
    folder = stored(tmp_path / "study")
    made = tmp_path / "made"
    arguments, file = MADE[name]
    words = [word.replace("STUDY", str(folder)).replace("MADE", str(made)) for word in arguments]
    assert call(*words).returncode == 0
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    assert file in before
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "sys.argv = ['study', *sys.argv[1:]]\n"
        "from study.cli.main import main\n"
        "main()"
    )
    # Coverage would complain about the disk, too.
    env = {name: value for name, value in environment().items() if not name.startswith("COV")}
    env |= {"MPLCONFIGDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = run([sys.executable, "-c", code, *words], env=env)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    assert not list(made.glob("*.tmp"))


def test_every_file_is_written_as_a_whole() -> None:
    """No module of the package writes a file by another way than `replace` and `append`."""
    for path in (ROOT / "study").rglob("*.py"):
        if path.name == "jsonl.py":
            continue
        text = path.read_text()
        for word in (".write_text(", ".write_bytes(", ".to_csv(out", ".to_csv(path", 'open("w'):
            allowed = path.name == "main.py" and word == 'open("w'
            assert word not in text or allowed, f"{path}: {word}"


def test_a_link_and_a_device_are_written_through(tmp_path: Path) -> None:
    """A report's link stays one; standard output takes a report, too."""
    folder = stored(tmp_path / "study")
    (tmp_path / "real").mkdir()
    link = tmp_path / "page.html"
    link.symlink_to(tmp_path / "real" / "page.html")
    assert call("report", folder, "--out", link).returncode == 0
    assert link.is_symlink()
    assert os.path.getsize(tmp_path / "real" / "page.html") > 1000
    assert call("report", folder, "--out", os.devnull).returncode == 0
    assert Path(os.devnull).is_char_device()

"""The command line: its commands and global options. Every mistake is one sentence and exit code 2.

Start here.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import shlex
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from study.cli import analyse, choose, experiments, share, study
from study.cli.formatting import listen
from study.cli.stop import terminable
from study.errors import StudyError, Terminated, first_line, unwritable
from study.machine.loading import end_unswept

app = typer.Typer(pretty_exceptions_enable=False)
for family in (study, analyse, choose, experiments, share):
    app.add_typer(family.commands.app)


RESUMABLE = ("run", "calibrate", "cycles", "contest", "confirm")
"""Commands that store what they do as they go on."""

WRONG_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT),
    *(errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG),
)
"""Errors of a place in which no file can be made."""

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a full or failing disk."""

LIMITS = {
    errno.EMFILE: "let a process open more files (ulimit -n), or give fewer --workers",
    errno.ENFILE: "let the system open more files, or give fewer --workers",
    errno.ENOMEM: "end other programs, or give fewer --workers",
    errno.EAGAIN: "let the user start more processes (ulimit -u), or give fewer --workers",
}
"""What helps at a limit of the system."""


def _version(asked: bool) -> None:
    if asked:
        from study.machine.versions import project_version

        typer.echo(f"study {project_version()}")
        raise typer.Exit


@app.callback()
def talk(
    context: typer.Context,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no notes and no progress bar.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say what is read, decided and written.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Train one network at many learning rates with many optimizers, and measure their costs."""
    if quiet and verbose:
        raise StudyError("--quiet and --verbose exclude each other: give one of them")
    if quiet:  # notes and bars alone go there; mistakes are told by `main`, when this has ended
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        context.with_resource(nowhere)
        context.with_resource(redirect_stderr(nowhere))
    listen(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)


def main() -> None:
    """Run the command line.

    The exit code is 2 after a mistake of the user, 1 where the disk is full or fails, 130 after
    Ctrl-C and 143 after SIGTERM. One sentence on standard error says what is wrong, or how to go
    on.
    """
    _open_streams()
    end_unswept()
    # A person's choice of a window for figures is of no use to files, and may not be installed.
    os.environ["MPLBACKEND"] = "agg"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may be no Unicode
    try:
        with terminable():
            code = app(sys.argv[1:] or ["--help"], prog_name="study", standalone_mode=False)
    except KeyboardInterrupt:  # which typer made a code, and `terminable` raised again
        code = 130
    except Terminated:
        code = 143
    except StudyError as error:
        _complain(str(error), 2)
    except typer.TyperException as error:
        _complain(error.format_message().rstrip("."), 2)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            sys.stderr.close()
            sys.exit(1)
        _complain(*_unwritten(error))
    if code in (130, 143):
        _stopped(code)
    sys.exit(code if isinstance(code, int) else 0)


def _open_streams() -> None:
    """Open the null device where a standard stream is closed, as a detached start may leave it.

    Without that the first file that is opened would be that stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _nobody_reads() -> bool:
    """Whether the reader of standard output has gone, as `head` does; then text is left over."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def _unwritten(error: OSError) -> tuple[str, int]:
    """What to say of an error of the system, and the exit code.

    A place where nothing can be written is a mistake of the caller; a full disk is none. The
    sentence promises no more than its cause allows.
    """
    if error.filename and error.errno in WRONG_PLACE:
        path = Path(error.filename)
        if error.errno == errno.EACCES and not os.access(path.parent, os.X_OK):
            return f"{path} cannot be read: {error.strerror}", 2
        return unwritable(path, error), 2
    stored = "what was stored before is unharmed" if _word() in RESUMABLE else ""
    if error.errno in DISK:
        what = error.filename or "the disk"
        then = (
            f"{stored}, and the same command goes on"
            if stored
            else "make room, and give the same command again"
        )
    else:
        kind = type(error).__name__
        what = error.filename or (kind if kind != "OSError" else "the system refused")
        then = "; ".join(filter(None, (stored, LIMITS.get(error.errno or 0, ""))))
    why = error.strerror or first_line(error)
    return f"{what}: {why}" + (f"; {then}" if then else ""), 1


def _word() -> str:
    """The command's name; the global options, which take no values, stand before it."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")


def _stopped(code: int) -> NoReturn:
    """Say how to go on."""
    stored = (
        "; every trial that had ended is stored. To go on"
        if _word() in RESUMABLE
        else ". To start again"
    )
    typer.echo(err=True)
    _complain(f"stopped{stored}: {_command()}", code)


def _complain(sentence: str, code: int) -> NoReturn:
    """End with a sentence on standard error, in which no terminal finds anything to obey."""
    shown = "".join(
        char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(sentence.split())
    )
    typer.echo(f"study: {shown}", err=True)
    sys.exit(code)


def _command() -> str:
    """The command as it was typed; `scripts/run` says how it was called."""
    return shlex.join([*os.environ.get("STUDY_COMMAND", "python -m study").split(), *sys.argv[1:]])

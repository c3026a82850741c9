"""Programs of this machine that are asked for facts."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Sequence

LIMIT = 10.0
"""Seconds that a program may take to answer."""

_silent: set[str] = set()
"""The programs that did not answer in this process; they are not asked again."""


def answer_of(command: Sequence[str], limit: float = LIMIT) -> str | None:
    """What a program prints.

    The variables of git's own hooks are left out, since they name another repository. A program
    that does not answer is named in a warning, once, and not asked again.

    Args:
        command: the program and its arguments.
        limit: seconds that it may take.

    Returns:
        Its standard output; None where it is missing, fails or does not answer.
    """
    program = command[0]
    if program in _silent:
        return None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        _silent.add(program)
        logging.getLogger(__name__).warning(
            "%s did not answer in %g s, and is not asked again: what it knows is left out",
            program,
            limit,
        )
        return None
    except OSError:
        return None
    return answer.stdout if answer.returncode == 0 else None

"""Data files made by hand, whole and broken."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from study.data.readers import (
    KEYS,
)
from study.errors import StudyError
from support.paths import ROOT, environment

Array = NDArray[Any]
Arrays = dict[str, Array]


def arrays(train: int = 3, test: int = 2) -> Arrays:
    """Images that all differ, with their labels."""
    images = np.arange((train + test) * 784, dtype=np.uint32).reshape(-1, 28, 28)
    x = (images % 251).astype(np.uint8)
    y = (np.arange(train + test) % 10).astype(np.uint8)
    return {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}


def npz(contents: Mapping[str, Array], save: Callable[..., None] = np.savez) -> bytes:
    """An `.npz` file's bytes."""
    file = io.BytesIO()
    save(file, **contents)
    return file.getvalue()


def zipped(member: str, content: bytes) -> bytes:
    """A zip file with the four members, all of the same content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key in KEYS:
            archive.writestr(member.format(key), content)
    return file.getvalue()


def npy(header: str) -> bytes:
    """An `.npy` file's bytes with any header, and 9 bytes of data."""
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(header) + 1)
        + header.encode()
        + b"\n"
        + bytes(9)
    )


def idx(array: Array) -> bytes:
    """An IDX file's bytes."""
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def refusal(path: Path, read: Callable[[], object]) -> str:
    """The message of the `StudyError` that is raised: one line that names the path."""
    with pytest.raises(StudyError) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def header(*sizes: int) -> bytes:
    """An IDX file of the given sizes without data."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


PRIVATE = ("unshare", "--map-root-user", "--mount")


def beside_mounts(code: str, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code that may mount a tmpfs.

    Args:
        code: what it runs.
        words: its arguments.
        folder: where a mount is tried first. The test is skipped where nobody may mount.
    """
    mount = [*PRIVATE, "mount", "-t", "tmpfs", "none", str(folder)]
    if shutil.which(PRIVATE[0]) is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a tmpfs of their own")
    command = [*PRIVATE, sys.executable, "-c", code, *map(str, words)]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer

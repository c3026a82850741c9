"""Files of images: NumPy archives and IDX files."""

from __future__ import annotations

import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError, first_line

FASHION_MD5 = {
    "x_train": "f209073e486d5113ebe2cc431d4df862",
    "y_train": "3236f6424fc25388b2834cb19942cf7e",
    "x_test": "b7656a891b218fc13e45205c48a92cae",
    "y_test": "8dea97a4e78c1bd1b5a6e8efbb870b6e",
}


FASHION_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


FASHION_HELP = (
    "install Debian's dataset-fashion-mnist, or connect once so that Keras can download it"
)


KEYS = ("x_train", "y_train", "x_test", "y_test")


Bytes = NDArray[np.uint8]


Arrays = Mapping[str, Bytes]


def read_npz(path: Path, help: str) -> dict[str, Bytes]:
    """Read the four arrays of an `.npz` file; pickled data is never loaded.

    Args:
        path: the file.
        help: what the user can do about a bad file; it ends the sentence of the error.

    Raises:
        StudyError: no such file, a damaged one, or one that lacks a key of `KEYS`.
    """
    try:
        # Opened here, since numpy does not close a broken archive.
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise ValueError("it is no archive")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as file:
                found = {key: file[key] for key in KEYS if key in file.files}
        if not all(isinstance(array, np.ndarray) for array in found.values()):
            raise ValueError("it holds files that are no arrays")
    except FileNotFoundError:
        raise StudyError(f"no file {path}: {help}") from None
    # A damaged archive raises a dozen kinds of errors, from zipfile, zlib, tokenize and numpy.
    except Exception as error:
        why = "pickled data is never loaded" if "pickle" in str(error) else first_line(error)
        raise StudyError(
            f"{path} is not a whole .npz file of plain arrays ({why}): {help}"
        ) from None
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise StudyError(
            f"{path} lacks {', '.join(missing)}: expected the keys {', '.join(KEYS)}; {help}"
        )
    return found


def fashion_folders() -> tuple[Path, ...]:
    """Where Fashion-MNIST may lie: Debian's folder, then Keras's, which is in the home folder."""
    keras_home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))
    return (
        Path("/usr/share/datasets/fashion-mnist"),
        keras_home / "datasets" / "fashion-mnist",
    )


def read_fashion(
    folders: tuple[Path, ...] | None = None, download: Callable[[], Arrays] | None = None
) -> Arrays:
    """Read Fashion-MNIST.

    Args:
        folders: places of its four IDX files, gzipped or not; the first that has them is read.
            Those of `fashion_folders` where None.
        download: gives the arrays where no folder has them; Keras's download where None.

    Raises:
        StudyError: no folder has the files and the download fails, or the data is damaged.
    """
    for folder in fashion_folders() if folders is None else folders:
        found = {
            key: next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
            for key, name in FASHION_FILES.items()
        }
        if all(found.values()):
            arrays = {key: read_idx(path) for key, path in found.items() if path is not None}
            verify(arrays, FASHION_MD5, str(folder), FASHION_HELP)
            return arrays
    try:
        arrays = dict((download or _keras_fashion)())
    except Exception as error:  # Keras raises plain Exception when the network is away
        raise StudyError(
            "fashion-mnist is not on this machine and could not be downloaded "
            f"({first_line(error)}): {FASHION_HELP}"
        ) from None
    verify(arrays, FASHION_MD5, "Keras's fashion-mnist", FASHION_HELP)
    return arrays


def _keras_fashion() -> Arrays:
    import keras

    (x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of bytes: 0, 0, 8, the rank, the sizes, then the data (LeCun's format).

    Args:
        path: the file; it is gzipped if its name ends in `.gz`.

    Raises:
        StudyError: not such a file, or a truncated one.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise StudyError(f"{path} cannot be read ({error}): {FASHION_HELP}") from None
    rank = raw[3] if len(raw) > 3 else 0
    if raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * rank:
        raise StudyError(f"{path} is not an IDX file of bytes: {FASHION_HELP}")
    shape = tuple(np.frombuffer(raw, ">u4", rank, offset=4).tolist())
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    try:
        return body.reshape(shape)
    except ValueError:
        raise StudyError(
            f"{path} holds {body.size} bytes of data, expected {shape}: it is truncated; "
            f"{FASHION_HELP}"
        ) from None


def verify(arrays: Arrays, expected: Mapping[str, str], where: str, help: str) -> None:
    """Check the MD5 of every array.

    Args:
        arrays: by the keys of `KEYS`.
        expected: the MD5 by key.
        where: where they come from, for the error.
        help: what the user can do about it, for the error.

    Raises:
        StudyError: an MD5 is not the expected one.
    """
    for key in KEYS:
        found = md5_of(arrays[key])
        if found != expected[key]:
            raise StudyError(
                f"{where}: the MD5 of {key} is {found}, expected {expected[key]}: the data is "
                f"damaged; {help}"
            )


def md5_of(array: Bytes) -> str:
    """The MD5 of an array's bytes, in C order."""
    return hashlib.md5(np.ascontiguousarray(array).tobytes()).hexdigest()

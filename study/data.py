"""Images and labels: MNIST as the package carries it, Fashion-MNIST where the machine has it, or a file of the user's."""

from __future__ import annotations

import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError

VALIDATION = 5_000
"""The first images of the training set are held out, as the published code's loader did."""

MNIST_MD5 = {
    "x_train": "6510e85a72c3e9475c492d559d3770d2",
    "y_train": "e86ee40d66677c011a9abda399ec8c4d",
    "x_test": "240610fa99e73bfa49df8e7fc24d3206",
    "y_test": "073c3904dfbd3e141ff8aa01cfde6b15",
}
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
KERAS_HOME = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
FASHION_FOLDERS = (Path("/usr/share/datasets/fashion-mnist"), KERAS_HOME / "datasets" / "fashion-mnist")
FASHION_HELP = "install Debian's dataset-fashion-mnist, or connect once so that Keras can download it"

KEYS = ("x_train", "y_train", "x_test", "y_test")
Bytes = NDArray[np.uint8]
Arrays = Mapping[str, Bytes]


@dataclass(frozen=True)
class Images:
    """A data set split for the study: images (N, 28, 28) of bytes, labels (N,) of 0 to 9, and the MD5 of it all.

    `pixels` turns bytes into the numbers in [0, 1] that networks see.
    """

    name: str
    digest: str
    x_train: Bytes
    y_train: Bytes
    x_validation: Bytes
    y_validation: Bytes
    x_test: Bytes
    y_test: Bytes


def pixels(images: Bytes) -> NDArray[np.float32]:
    """Bytes 0 to 255 as float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


def load(name: str = "mnist") -> Images:
    """The named data set, checked and split: all but the first 5,000 training images to train on (55,000 for MNIST), those 5,000 for
    validation, and the test images.

    Args:
        name: `mnist`, `fashion-mnist`, or the path of an `.npz` file with the keys x_train, y_train, x_test, y_test.

    Raises:
        StudyError: the file is missing, truncated, of the wrong shape or dtype, or (for the named sets) of the wrong checksum.
    """
    arrays: Arrays
    if name == "mnist":
        with resources.as_file(resources.files("study") / "data" / "mnist.npz") as path:
            arrays = read_npz(path, help="restore it from the project's repository (git checkout -- study/data/mnist.npz)")
            verify(arrays, MNIST_MD5, f"{path}", "restore it from the project's repository (git checkout -- study/data/mnist.npz)")
    elif name == "fashion-mnist":
        arrays = read_fashion()
    else:
        arrays = read_npz(Path(name), help="give a file saved with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)")
    check(arrays, name)
    held = VALIDATION
    if len(arrays["x_train"]) < 2 * held:
        raise StudyError(f"{name}: x_train holds {len(arrays['x_train'])} images, expected at least {2 * held} (5,000 are held out)")
    digest = hashlib.md5("".join(_md5(arrays[key]) for key in KEYS).encode()).hexdigest()
    return Images(
        name=name,
        digest=digest,
        x_train=arrays["x_train"][held:],
        y_train=arrays["y_train"][held:],
        x_validation=arrays["x_train"][:held],
        y_validation=arrays["y_train"][:held],
        x_test=arrays["x_test"],
        y_test=arrays["y_test"],
    )


def read_npz(path: Path, help: str) -> dict[str, Bytes]:
    """The four arrays in an `.npz` file; never unpickles. `help` ends the error's sentence."""
    try:
        # Opened here, since numpy leaves a broken archive open.
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
    except Exception as error:  # a damaged archive raises a dozen kinds, from zipfile, zlib, tokenize and numpy
        why = "pickled data is never loaded" if "pickle" in str(error) else first_line(error)
        raise StudyError(f"{path} is not a whole .npz file of plain arrays ({why}): {help}") from None
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise StudyError(f"{path} lacks {', '.join(missing)}: expected the keys {', '.join(KEYS)}; {help}")
    return found


def read_fashion(folders: tuple[Path, ...] = FASHION_FOLDERS, download: Callable[[], Arrays] | None = None) -> Arrays:
    """Fashion-MNIST from the first folder that has its four IDX files (gzipped or not), else by Keras's download.

    Raises:
        StudyError: nowhere to be had, or damaged.
    """
    for folder in folders:
        found = {key: next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None) for key, name in FASHION_FILES.items()}
        if all(found.values()):
            arrays = {key: read_idx(path) for key, path in found.items() if path is not None}
            verify(arrays, FASHION_MD5, str(folder), FASHION_HELP)
            return arrays
    try:
        arrays = dict((download or _keras_fashion)())
    except Exception as error:  # Keras raises plain Exception when the network is away
        raise StudyError(f"fashion-mnist is not on this machine and not to be downloaded ({first_line(error)}): {FASHION_HELP}") from None
    verify(arrays, FASHION_MD5, "Keras's fashion-mnist", FASHION_HELP)
    return arrays


def _keras_fashion() -> Arrays:
    import keras

    (x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def read_idx(path: Path) -> Bytes:
    """The array of bytes in an IDX file, gzipped where the name ends in `.gz` (LeCun's format: 0 0 8 rank, then sizes, then bytes).

    Raises:
        StudyError: not such a file, or cut short.
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
        raise StudyError(f"{path} holds {body.size} bytes of data, expected {shape}: it is truncated; {FASHION_HELP}") from None


def verify(arrays: Arrays, expected: Mapping[str, str], where: str, help: str) -> None:
    """Raise `StudyError` unless the MD5 of every array's bytes is the expected one."""
    for key in KEYS:
        found = _md5(arrays[key])
        if found != expected[key]:
            raise StudyError(f"{where}: the MD5 of {key} is {found}, expected {expected[key]}: the data is damaged; {help}")


def check(arrays: Arrays, where: str) -> None:
    """Raise `StudyError` unless the arrays are images (N, 28, 28) and labels (N,) of bytes, labels 0 to 9, as many of each."""
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim != 3 or x.shape[1:] != (28, 28) or len(x) == 0:
            raise StudyError(f"{where}: x_{part} has the shape {x.shape}, expected (N, 28, 28)")
        if y.shape != x.shape[:1]:
            raise StudyError(f"{where}: y_{part} has the shape {y.shape}, expected ({len(x)},), a label for each image")
        for key, array in ((f"x_{part}", x), (f"y_{part}", y)):
            if array.dtype != np.uint8:
                raise StudyError(f"{where}: {key} has the dtype {array.dtype}, expected uint8: save it as {key}.astype('uint8'), 0 to 255")
        if y.max() > 9:
            raise StudyError(f"{where}: y_{part} holds the label {y.max()}, expected 0 to 9")


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _md5(array: Bytes) -> str:
    return hashlib.md5(np.ascontiguousarray(array).tobytes()).hexdigest()

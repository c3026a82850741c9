"""Images and labels: MNIST from the package, Fashion-MNIST from the machine, or a user's file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.data.readers import KEYS, Arrays, Bytes, md5_of, read_fashion, read_npz, verify
from study.errors import StudyError

VALIDATION = 5_000
"""The first images of the training set are held out, as in the published code."""


MNIST_MD5 = {
    "x_train": "6510e85a72c3e9475c492d559d3770d2",
    "y_train": "e86ee40d66677c011a9abda399ec8c4d",
    "x_test": "240610fa99e73bfa49df8e7fc24d3206",
    "y_test": "073c3904dfbd3e141ff8aa01cfde6b15",
}


@dataclass(frozen=True)
class Images:
    """A data set, split for the study.

    Args:
        name: as `load` takes it.
        digest: the MD5 of the whole.
        x_train, x_validation, x_test: images of bytes, (N, 28, 28).
        y_train, y_validation, y_test: labels from 0 to 9, (N,).
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
    """Load a data set, check it and split it.

    The first 5,000 training images are for validation, the others for training: 55,000 of MNIST.

    Args:
        name: `mnist`, `fashion-mnist`, or the path of an `.npz` file with the keys x_train,
            y_train, x_test, y_test.

    Raises:
        StudyError: the file is missing, truncated, or of the wrong shape or dtype; or a named set
            has the wrong checksum.

    >>> load("mnist").x_train.shape
    (55000, 28, 28)
    """
    arrays: Arrays
    if name == "mnist":
        help = "restore it from the project's repository (git checkout -- study/data/mnist.npz)"
        with resources.as_file(resources.files("study.data") / "mnist.npz") as path:
            arrays = read_npz(path, help)
            verify(arrays, MNIST_MD5, f"{path}", help)
    elif name == "fashion-mnist":
        arrays = read_fashion()
    else:
        arrays = read_npz(
            Path(name),
            help="give a file saved with numpy.savez(path, x_train=..., y_train=..., "
            "x_test=..., y_test=...)",
        )
    check(arrays, name)
    held = VALIDATION
    if len(arrays["x_train"]) < 2 * held:
        raise StudyError(
            f"{name}: x_train holds {len(arrays['x_train'])} images, expected at least "
            f"{2 * held} (5,000 are held out)"
        )
    digest = hashlib.md5("".join(md5_of(arrays[key]) for key in KEYS).encode()).hexdigest()
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


def check(arrays: Arrays, where: str) -> None:
    """Check the shapes and types of images and labels.

    Args:
        arrays: by the keys x_train, y_train, x_test, y_test.
        where: where they come from, for the error.

    Raises:
        StudyError: images that are not bytes of shape (N, 28, 28), or labels that are not bytes
            from 0 to 9 of shape (N,).
    """
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim != 3 or x.shape[1:] != (28, 28) or len(x) == 0:
            raise StudyError(f"{where}: x_{part} has the shape {x.shape}, expected (N, 28, 28)")
        if y.shape != x.shape[:1]:
            raise StudyError(
                f"{where}: y_{part} has the shape {y.shape}, expected ({len(x)},), a label for "
                "each image"
            )
        for key, array in ((f"x_{part}", x), (f"y_{part}", y)):
            if array.dtype != np.uint8:
                raise StudyError(
                    f"{where}: {key} has the dtype {array.dtype}, expected uint8: save it as "
                    f"{key}.astype('uint8'), 0 to 255"
                )
        if y.max() > 9:
            raise StudyError(f"{where}: y_{part} holds the label {y.max()}, expected 0 to 9")

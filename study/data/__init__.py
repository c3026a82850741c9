"""Images and labels."""

from study.data.images import MNIST_MD5, VALIDATION, Images, check, load, pixels
from study.data.readers import (
    FASHION_FILES,
    FASHION_HELP,
    FASHION_MD5,
    KEYS,
    Arrays,
    Bytes,
    fashion_folders,
    read_fashion,
    read_idx,
    read_npz,
    verify,
)

__all__ = [
    "FASHION_FILES",
    "FASHION_HELP",
    "FASHION_MD5",
    "KEYS",
    "MNIST_MD5",
    "VALIDATION",
    "Arrays",
    "Bytes",
    "Images",
    "check",
    "fashion_folders",
    "load",
    "pixels",
    "read_fashion",
    "read_idx",
    "read_npz",
    "verify",
]

"""The packaged MNIST, Fashion-MNIST and users' files as images."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from study import data
from study.data import readers
from study.data.images import Images, load, pixels
from study.data.readers import (
    FASHION_FILES,
    FASHION_HELP,
    KEYS,
    fashion_folders,
    read_fashion,
)
from support.files import Array, Arrays, arrays, idx, npz, refusal


@pytest.fixture(scope="module")
def mnist() -> Images:
    """The packaged data."""
    return load("mnist")


def test_mnist_holds_out_its_first_training_images(mnist: Images) -> None:
    """55,000 images to train on, 5,000 for validation, 10,000 to test, and the well-known first
    labels in their places.
    """
    for part, count in (("train", 55_000), ("validation", 5_000), ("test", 10_000)):
        x, y = getattr(mnist, f"x_{part}"), getattr(mnist, f"y_{part}")
        assert (x.shape, y.shape) == ((count, 28, 28), (count,))
        assert (x.dtype, y.dtype) == (np.uint8, np.uint8)
    assert mnist.y_validation[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    with np.load(Path(data.__file__).parent / "mnist.npz") as file:
        for key, array in (("x", file["x_train"]), ("y", file["y_train"])):
            np.testing.assert_array_equal(getattr(mnist, f"{key}_validation"), array[:5_000])
            np.testing.assert_array_equal(getattr(mnist, f"{key}_train"), array[5_000:])


def test_pixels_are_shares_of_255(mnist: Images) -> None:
    """Bytes become float32 in [0, 1], both ends taken."""
    np.testing.assert_array_equal(
        pixels(np.arange(256, dtype=np.uint8)), (np.arange(256) / 255).astype(np.float32)
    )
    x = pixels(mnist.x_validation)
    assert x.dtype == np.float32
    assert (x.shape, x.min(), x.max()) == ((5_000, 28, 28), 0, 1)


@pytest.mark.parametrize(
    "content", [None, b"", b"version https://git-lfs.github.com/spec/v1\n", npz(arrays())[:-50]]
)
def test_a_damaged_package_says_how_to_restore_it(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packaged file that is missing, empty, a pointer or cut is named with the command that
    brings it back.
    """
    monkeypatch.setattr("study.data.images.resources.files", lambda package: tmp_path)
    path = tmp_path / "mnist.npz"
    if content is not None:
        path.write_bytes(content)
    assert "git checkout" in refusal(path, load)


@pytest.mark.parametrize("key", KEYS)
def test_the_named_sets_are_held_to_their_checksums(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four small arrays each one's checksum counts; MNIST itself is refused when its own is
    another.
    """
    good = arrays()
    sums = {name: hashlib.md5(array.tobytes()).hexdigest() for name, array in good.items()}
    data.verify(good, sums, "here", "help")
    good[key] = good[key] ^ 1
    message = refusal(Path("here"), lambda: data.verify(good, sums, "here", "help"))
    assert key in message
    assert f"expected {sums[key]}" in message
    if key == KEYS[-1]:
        monkeypatch.setitem(data.MNIST_MD5, key, "0" * 32)
        assert "expected " + "0" * 32 in refusal(Path("mnist.npz"), load)


def test_a_users_file_is_split_and_known_by_its_contents(tmp_path: Path) -> None:
    """Ten thousand images are enough; the digest follows the pixels and labels, not the way they
    are stored.
    """
    contents = arrays(10_000, 1)
    digests = []
    for name, save in (("plain", np.savez), ("small", np.savez_compressed), ("other", np.savez)):
        if name == "other":
            contents["x_train"][-1, 27, 27] ^= 1
        path = tmp_path / f"{name}.npz"
        path.write_bytes(npz(contents, save))
        images = load(str(path))
        assert images.name == str(path)
        np.testing.assert_array_equal(
            np.concatenate([images.x_validation, images.x_train]), contents["x_train"]
        )
        np.testing.assert_array_equal(
            np.concatenate([images.y_validation, images.y_train]), contents["y_train"]
        )
        assert (len(images.x_validation), len(images.x_test)) == (5_000, 1)
        digests.append(images.digest)
    assert digests[0] == digests[1] != digests[2]


def fashion(
    folder: Path, contents: Mapping[str, Array], gzipped: tuple[str, ...] = ("x_train", "y_test")
) -> Path:
    """A folder with the four IDX files, some of them gzipped."""
    folder.mkdir()
    for key, array in contents.items():
        raw, name = idx(array), FASHION_FILES[key]
        (folder / (f"{name}.gz" if key in gzipped else name)).write_bytes(
            gzip.compress(raw, mtime=0) if key in gzipped else raw
        )
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """Small arrays whose checksums pass for Fashion-MNIST's."""
    contents = arrays()
    sums = {key: hashlib.md5(array.tobytes()).hexdigest() for key, array in contents.items()}
    monkeypatch.setattr("study.data.readers.FASHION_MD5", sums)
    return contents


def unreachable() -> Arrays:
    """A download without a network, as Keras words it."""
    raise Exception("URL fetch failure on https://example.org: None -- unreachable\nTraceback ...")


def same(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> None:
    """Assert that both hold the same four arrays."""
    assert set(found) == set(wanted) == set(KEYS)
    for key in KEYS:
        np.testing.assert_array_equal(found[key], wanted[key])


def test_fashion_is_read_from_the_first_whole_folder(small: Arrays, tmp_path: Path) -> None:
    """Missing and incomplete folders are passed over, later ones not looked at, gzipped and plain
    files both read.
    """
    partial = fashion(tmp_path / "partial", {key: small[key] for key in KEYS[:3]})
    whole = fashion(tmp_path / "whole", small)
    broken = fashion(tmp_path / "broken", {key: array ^ 1 for key, array in small.items()})
    same(read_fashion((tmp_path / "none", partial, whole, broken), unreachable), small)


@pytest.mark.parametrize("key", KEYS)
def test_a_damaged_fashion_folder_is_refused(key: str, small: Arrays, tmp_path: Path) -> None:
    """One wrong byte or a cut file is named; no other folder or download hides it."""
    asked: list[str] = []

    def download() -> Arrays:
        asked.append("download")
        return small

    wrong = fashion(tmp_path / "wrong", small | {key: small[key] ^ 1})
    message = refusal(wrong, lambda: read_fashion((wrong, tmp_path), download))
    assert f"expected {readers.FASHION_MD5[key]}" in message
    assert FASHION_HELP in message
    cut = fashion(tmp_path / "cut", small)
    file = next(path for path in cut.iterdir() if path.name.startswith(FASHION_FILES[key]))
    file.write_bytes(file.read_bytes()[:-1])
    assert FASHION_HELP in refusal(file, lambda: read_fashion((cut, tmp_path), download))
    assert not asked


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [Exception("no route\nto host"), OSError(), ImportError("No module named 'keras'")]
)
def test_fashion_that_is_nowhere_says_how_to_get_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Keras's download fails with, one sentence has the reason and the remedy."""

    def fail() -> None:
        raise error

    monkeypatch.setattr("keras.datasets.fashion_mnist.load_data", fail)
    message = refusal(Path("fashion-mnist"), lambda: read_fashion(()))
    assert (str(error).split("\n")[0] or type(error).__name__) in message
    assert FASHION_HELP in message


@pytest.mark.slow
def test_fashion_is_downloaded_and_held_to_its_checksums(
    small: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras's four arrays land under their own keys, and other arrays are refused."""
    x_train, y_train, x_test, y_test = (small[key] for key in KEYS)
    monkeypatch.setattr(
        "keras.datasets.fashion_mnist.load_data", lambda: ((x_train, y_train), (x_test, y_test))
    )
    same(read_fashion(()), small)
    assert FASHION_HELP in refusal(
        Path("fashion-mnist"),
        lambda: read_fashion((), lambda: small | {"y_test": small["y_test"] ^ 1}),
    )


@pytest.mark.skipif(not fashion_folders()[0].is_dir(), reason="Fashion-MNIST is not installed")
def test_the_installed_fashion_mnist_loads() -> None:
    """Debian's files have the checksums, and split like MNIST."""
    images = load("fashion-mnist")
    assert [len(x) for x in (images.x_train, images.x_validation, images.x_test)] == [
        55_000,
        5_000,
        10_000,
    ]
    assert images.y_validation[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]

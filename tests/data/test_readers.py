"""The packaged MNIST, Fashion-MNIST and users' files: what is read, and that every bad file is
refused with one sentence.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from study import data
from study.data import readers
from study.data.images import Images, check, load, pixels
from study.data.readers import (
    FASHION_FILES,
    FASHION_FOLDERS,
    FASHION_HELP,
    KEYS,
    read_fashion,
    read_idx,
    read_npz,
)
from study.errors import StudyError

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the module, so that hypothesis may write to it again and again."""
    return tmp_path_factory.mktemp("data")


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


NOTHING = np.zeros((0, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y_test": None}, "lacks y_test: expected the keys x_train, y_train, x_test, y_test"),
        ({"x_train": None, "x_test": None}, "lacks x_train, x_test: expected the keys"),
        (
            {"x_train": np.zeros((3, 784), np.uint8)},
            r"x_train has the shape (3, 784), expected (N, 28, 28)",
        ),
        (
            {"x_test": np.zeros((2, 28, 28, 1), np.uint8)},
            r"x_test has the shape (2, 28, 28, 1), expected (N, 28, 28)",
        ),
        (
            {"x_train": np.zeros((3, 28, 27), np.uint8)},
            r"x_train has the shape (3, 28, 27), expected (N, 28, 28)",
        ),
        ({"x_train": np.uint8(7)}, r"x_train has the shape (), expected (N, 28, 28)"),
        (
            {"x_test": NOTHING, "y_test": NOTHING[:, 0, 0]},
            r"x_test has the shape (0, 28, 28), expected",
        ),
        (
            {"x_train": np.zeros((3, 28, 28), np.float32)},
            "x_train has the dtype float32, expected uint8",
        ),
        ({"x_test": np.zeros((2, 28, 28), np.int8)}, "x_test has the dtype int8, expected uint8"),
        ({"y_train": np.zeros(3, np.int64)}, "y_train has the dtype int64, expected uint8"),
        ({"y_train": np.array(["a", "b", "c"])}, "y_train has the dtype <U1, expected uint8"),
        ({"y_train": np.zeros(4, np.uint8)}, r"y_train has the shape (4,), expected (3,)"),
        ({"y_test": np.zeros((2, 10), np.uint8)}, r"y_test has the shape (2, 10), expected (2,)"),
        ({"y_test": np.array([9, 10], np.uint8)}, "y_test holds the label 10, expected 0 to 9"),
        ({}, "x_train holds 3 images, expected at least 10000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_arrays_are_refused(changes: Arrays, words: str, tmp_path: Path) -> None:
    """A key, shape, dtype, count or label that is not MNIST's is named with what would be right."""
    path = tmp_path / "mine.npz"
    path.write_bytes(
        npz({key: array for key, array in (arrays() | changes).items() if array is not None})
    )
    assert words in refusal(path, lambda: load(str(path)))


def test_one_image_too_few_is_refused(tmp_path: Path) -> None:
    """9,999 images would leave fewer to train on than are held out."""
    path = tmp_path / "mine.npz"
    path.write_bytes(npz(arrays(9_999, 1)))
    assert "holds 9999 images, expected at least 10000" in refusal(path, lambda: load(str(path)))


def array_file(shape: str) -> bytes:
    """A zip of four `.npy` members that claim a shape."""
    return zipped("{}.npy", npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x_train,y_train\n1,2\n", id="text"),
        pytest.param(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9,), }"), id="npy"),
        pytest.param(gzip.compress(npz(arrays())), id="gzip"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip in name"),
        pytest.param(zipped("{}", b"plain text"), id="members that are no arrays"),
        pytest.param(zipped("{}.npy", b"plain text"), id="arrays that are text"),
        pytest.param(zipped("{}.npy", npy("{'descr':\n(")), id="header without end"),
        pytest.param(zipped("{}.npy", npy(" " * 20_000)), id="header too long"),
        pytest.param(array_file("(-1,)"), id="negative size"),
        pytest.param(array_file("(10,)"), id="less data than said"),
        pytest.param(array_file(f"({10**15},)"), id="a petabyte"),
    ],
)
def test_a_file_that_is_no_npz_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever else is in the file, the message says how to make a right one."""
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    assert "numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)" in refusal(
        path, lambda: load(str(path))
    )


@pytest.mark.parametrize("name", ["none.npz", "."])
def test_a_path_without_a_file_is_refused(name: str, tmp_path: Path) -> None:
    """A missing file, and a folder in its place."""
    path = tmp_path / name
    assert "numpy.savez(path, x_train=" in refusal(path, lambda: load(str(path)))


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("bare", [False, True], ids=["object array", "bare pickle"])
def test_nothing_is_ever_unpickled(bare: bool, tmp_path: Path) -> None:
    """An object array or a pickle is refused, and its code has not run."""
    path, mark = tmp_path / "mine.npz", tmp_path / "mark"
    bomb = Bomb(mark)
    path.write_bytes(
        pickle.dumps(bomb) if bare else npz(arrays() | {"x_train": np.array([bomb], dtype=object)})
    )
    said = refusal(path, lambda: load(str(path)))
    assert "plain arrays" in said
    assert ("it is no archive" if bare else "pickled data is never loaded") in said
    assert not mark.exists()


FILES = (npz(arrays()), npz(arrays(), np.savez_compressed))


@settings(deadline=None, derandomize=True)
@given(whole=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
@example(whole=FILES[0], share=0.0)
@example(whole=FILES[0], share=0.5)
@example(whole=FILES[0], share=1 - 1e-9)
@example(whole=FILES[1], share=1 - 22 / len(FILES[1]))
def test_a_file_cut_anywhere_is_refused(whole: bytes, share: float, folder: Path) -> None:
    """However much is left of a file, it is not read."""
    path = folder / "cut.npz"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "not a whole .npz file" in refusal(path, lambda: read_npz(path, "help"))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    whole=st.sampled_from(FILES),
    share=st.floats(0, 1, exclude_max=True),
    from_end=st.booleans(),
    byte=st.integers(0, 255),
)
@example(
    whole=FILES[0], share=FILES[0].index(b"PK\x01\x02") / len(FILES[0]), from_end=False, byte=0
)
def test_a_file_with_one_wrong_byte_is_read_or_refused(
    whole: bytes, share: float, from_end: bool, byte: int, folder: Path
) -> None:
    """A changed byte, in the archive's directory as often as in the arrays, raises nothing but
    `StudyError`.
    """
    place = len(whole) - 1 - int(600 * share) if from_end else int(len(whole) * share)
    path = folder / "changed.npz"
    path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    try:
        found = read_npz(path, "help")
        check(found, str(path))
    except StudyError:
        refusal(path, lambda: check(read_npz(path, "help"), str(path)))
    else:
        assert found.keys() == set(KEYS)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", [(3, 28, 28), (5,), (0,), (2, 0, 3), ()])
def test_idx_files_are_read(shape: tuple[int, ...], suffix: str, tmp_path: Path) -> None:
    """What was written is read, plain and gzipped."""
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path / f"some-ubyte{suffix}"
    path.write_bytes(gzip.compress(idx(np.array(array))) if suffix else idx(np.array(array)))
    np.testing.assert_array_equal(read_idx(path), array)


LABELS = idx(np.arange(9, dtype=np.uint8))


def header(*sizes: int) -> bytes:
    """An IDX file of the given sizes without data."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing", None, "cannot be read"),
        ("empty", b"", "is not an IDX file"),
        ("short", LABELS[:7], "is not an IDX file"),
        ("magic", b"\1" + LABELS[1:], "is not an IDX file"),
        ("floats", b"\0\0\x0d" + LABELS[3:], "is not an IDX file"),
        ("npz", FILES[0], "is not an IDX file"),
        ("cut", LABELS[:-1], "holds 8 bytes of data, expected (9,)"),
        ("long", LABELS + b"\0", "holds 10 bytes of data, expected (9,)"),
        ("wraps", header(2**31, 2**31, 4), "expected"),
        ("huge", header(0, *[2**32 - 1] * 3), ""),
        ("deep", header(*[1] * 65) + b"\0", ""),
        ("plain.gz", LABELS, "cannot be read"),
        ("empty.gz", b"", "is not an IDX file"),
        ("cut.gz", gzip.compress(LABELS, mtime=0)[:-1], "cannot be read"),
        ("half.gz", gzip.compress(LABELS, mtime=0)[:15], "cannot be read"),
        ("tail.gz", gzip.compress(LABELS, mtime=0) + b"more", "cannot be read"),
        ("inside.gz", gzip.compress(LABELS[:-1], mtime=0), "holds 8 bytes of data, expected (9,)"),
    ],
)
def test_bad_idx_files_are_refused(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    """Missing, cut, padded, of another type, with impossible sizes, badly gzipped: named, with the
    way to get a good one.
    """
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    message = refusal(path, lambda: read_idx(path))
    assert words in message
    assert FASHION_HELP in message


SIZES = st.lists(st.sampled_from([0, 1, 2, 3, 2**16, 2**31, 2**32 - 1]), max_size=70)
IDX = st.one_of(
    st.binary(max_size=64),
    st.builds(lambda sizes, body: header(*sizes) + body, SIZES, st.binary(max_size=12)),
)
CHANGED = st.builds(
    lambda raw, place, byte: raw[: place % len(raw)] + bytes([byte]) + raw[place % len(raw) + 1 :],
    IDX.map(gzip.compress),
    st.integers(0, 100),
    st.integers(0, 255),
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    content=st.one_of(
        IDX.map(lambda raw: ("a", raw)),
        st.one_of(IDX, CHANGED, IDX.map(gzip.compress)).map(lambda raw: ("a.gz", raw)),
    )
)
def test_any_bytes_are_an_idx_array_or_refused(content: tuple[str, bytes], folder: Path) -> None:
    """Random bytes, random headers and broken gzip files raise nothing but `StudyError`."""
    path = folder / content[0]
    path.write_bytes(content[1])
    try:
        array = read_idx(path)
    except StudyError:
        refusal(path, lambda: read_idx(path))
    else:
        assert array.dtype == np.uint8


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


@pytest.mark.skipif(not FASHION_FOLDERS[0].is_dir(), reason="Fashion-MNIST is not installed")
def test_the_installed_fashion_mnist_loads() -> None:
    """Debian's files have the checksums, and split like MNIST."""
    images = load("fashion-mnist")
    assert [len(x) for x in (images.x_train, images.x_validation, images.x_test)] == [
        55_000,
        5_000,
        10_000,
    ]
    assert images.y_validation[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]

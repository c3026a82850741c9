"""Files of arrays: what is read, and that every bad file is refused with one sentence."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from study.data.images import check, load
from study.data.readers import (
    FASHION_HELP,
    KEYS,
    read_idx,
    read_npz,
)
from study.errors import StudyError
from support.files import Arrays, arrays, header, idx, npy, npz, refusal, zipped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the module, so that hypothesis may write to it again and again."""
    return tmp_path_factory.mktemp("data")


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

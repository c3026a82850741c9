"""Malformed inputs of every kind: each ends in exit code 2 and one sentence, never in a traceback.
STUDY_EXAMPLES=3000 tries more.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study import data
from study.cli import main
from study.errors import StudyError
from study.spec.presets import PRESETS, read_spec
from study.spec.study import SPEC_FIELDS
from study.spec.trial import OPTIMIZERS
from study.storage.published.importing import import_published
from study.storage.published.sheets import TABLES
from study.storage.store import Store
from support.paths import V1

MANY = settings(max_examples=int(os.environ.get("STUDY_EXAMPLES", "100")))

NUMBERS = (
    "",
    "0",
    "-1",
    "1",
    "2",
    "0.5",
    "97",
    "1e400",
    "nan",
    "inf",
    "none",
    "a:b:c",
    "1:2:3",
    "5:1:3",
    "1e-3:1:9999999",
    "1_0",
    "٣",
)
NAMES = (
    "auto",
    "auto:x",
    "published",
    "adam,adam",
    ",",
    "mnist",
    "x.npz",
    "../x.npz",
    "/dev/null",
    "x.toml",
    ".",
    "..",
    "alone",
    "array",
)
OTHERS = (
    "cosine:steps=0",
    "cosine:steps=1e9",
    "triangular:half=",
    "8GB",
    "1e999GB",
    "\0",
    "\ud800",
    "\n",
    "\x1b[2J",
    "<b>",
)
words = st.sampled_from([*NUMBERS, *NAMES, *OTHERS, *OPTIMIZERS, *PRESETS])
texts = words | st.text(max_size=8)
FLAGS = ("workers", "memory", "json", "out", "shard")
options = st.sampled_from([f"--{name.replace('_', '-')}" for name in (*SPEC_FIELDS, *FLAGS)])


def call(arguments: Sequence[str]) -> tuple[int, str, str]:
    """Exit code, output and complaint of the command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as here,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["study", *arguments])
        patch.chdir(here)
        with pytest.raises(SystemExit) as end:
            main.main()
        assert not any(Path(here).iterdir())
    assert isinstance(end.value.code, int)
    return end.value.code, out.getvalue(), err.getvalue()


def refused(answer: tuple[int, str, str]) -> bool:
    """Whether the answer is one sentence with exit code 2; else it has to be a success."""
    code, out, err = answer
    assert code in (0, 2), err
    if code == 0:
        return False
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("study: ")
    assert err[:-1].isprintable()
    return True


@pytest.mark.slow
@MANY
@given(texts, st.lists(st.tuples(options, texts), max_size=4))
def test_any_arguments_of_plan(what: str, given: list[tuple[str, str]]) -> None:
    """Values of any kind after options in any order; nothing is written."""
    refused(call(["plan", what, *(part for pair in given for part in pair)]))


COMMANDS = (
    "status",
    "verify",
    "hindsight",
    "tables",
    "figures",
    "claims",
    "compare",
    "predict",
    "report",
    "contest",
    "merge",
    "import-published",
    "import",
)
SEARCHES = ("find-rate", "staircase", "halve")


@MANY
@given(st.sampled_from([*COMMANDS, *SEARCHES]), st.lists(texts | options, min_size=1, max_size=4))
def test_any_arguments_of_any_command(command: str, given: list[str]) -> None:
    """None of them names anything that is there, so that each is refused."""
    assert refused(call([command, *given]))


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words
nested = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
)


def as_toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(str(key))} = {as_toml(inner)}" for key, inner in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value) if isinstance(value, (str, bool)) else str(value)


@MANY
@given(
    st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from([*SPEC_FIELDS, "preset", "no-such-key"]), nested, max_size=5
    ).map(
        lambda keys: "\n".join(f"{key} = {as_toml(value)}" for key, value in keys.items()).encode(
            errors="surrogatepass"
        )
    )
)
def test_any_toml(text: bytes) -> None:
    """A spec, or a sentence that names the file."""
    with tempfile.TemporaryDirectory() as here:
        path = Path(here) / "mine.toml"
        path.write_bytes(text)
        try:
            spec = read_spec(path)
            assert len(spec) >= 1
        except StudyError as error:
            assert str(path) in str(error)  # noqa: PT017


rows = st.sampled_from([json.loads(line) for line in (V1 / "runs.jsonl").read_text().splitlines()])


@MANY
@given(
    st.sampled_from(["runs.jsonl", "checks.jsonl", "curves.jsonl", "spent.jsonl", "spec.json"]),
    st.data(),
)
def test_any_store(name: str, draw: st.DataObject) -> None:
    """Each reader reads or refuses; what is left when bad lines are set aside is read by all."""
    line = (
        json.loads((V1 / name).read_text().splitlines()[0])
        if name != "spec.json"
        else json.loads((V1 / name).read_text())
    )
    place = line["spec"] if name == "spec.json" else line
    place.update(
        draw.draw(st.dictionaries(st.sampled_from([*place, "surprise"]), nested, max_size=3))
    )
    raw = draw.draw(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"id": ' * 50_000))
    with tempfile.TemporaryDirectory() as here:
        store = Store(Path(here))
        (store.folder / name).write_bytes(json.dumps(line).encode() + b"\n" + raw + b"\n")
        for read in (store.runs, store.checks, store.curves, store.spent, store.spec):
            try:
                read()
            except StudyError as error:
                assert name in str(error) or "spec.json" in str(error)  # noqa: PT017
        store.set_aside()
        assert [store.runs(), store.checks(), store.curves(), store.spent()]


@MANY
@given(st.data())
def test_any_published_file(draw: st.DataObject) -> None:
    """CSV files with any cells, and any bytes as either kind; nothing is written unless all of it
    is.
    """
    header = list(draw.draw(st.sampled_from(TABLES)))
    cells = st.sampled_from(
        ["Adam", "GD exp_decay", "0.97", "20", "0.001", '"', "a,b", "", "nan", "-1", "1e999"]
    ) | st.text(max_size=6)
    table = "\n".join(
        ",".join(row)
        for row in [
            header,
            *draw.draw(st.lists(st.lists(cells, min_size=3, max_size=9), max_size=5)),
        ]
    )
    text = draw.draw(st.just(table.encode(errors="replace")) | st.binary(max_size=200))
    with tempfile.TemporaryDirectory() as here:
        path = Path(here) / draw.draw(st.sampled_from(["a.csv", "a.xlsx", "a.txt", "a"]))
        path.write_bytes(text)
        out = Path(here) / "out"
        try:
            import_published([path], out)
        except StudyError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert not out.exists()


def archive(arrays: dict[str, Any]) -> bytes:
    """An .npz file of the arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


SMALL = archive({key: np.zeros((3, 28, 28) if key[0] == "x" else 3, np.uint8) for key in data.KEYS})


@MANY
@given(st.data())
def test_any_data_file(draw: st.DataObject) -> None:
    """An archive with spoilt bytes, of wrong shapes or types, of pickles, or none at all."""
    spoilt = bytearray(SMALL)
    for place, byte in draw.draw(
        st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=8)
    ):
        spoilt[place] = byte
    shapes = st.lists(st.integers(0, 3), max_size=4).map(tuple)
    kinds = st.sampled_from(["u1", "i8", "f8", "S3", "?", "c16"])
    arrays = st.builds(lambda shape, kind: np.zeros(shape, kind), shapes, kinds)
    made = st.dictionaries(st.sampled_from([*data.KEYS, "other"]), arrays).map(archive)
    text = draw.draw(st.just(bytes(spoilt)) | made | st.binary(max_size=100))
    with tempfile.TemporaryDirectory() as here:
        path = Path(here) / "x.npz"
        path.write_bytes(text)
        with pytest.raises(StudyError, match=r"x\.npz") as caught:
            data.load(str(path))
    assert "\n" not in str(caught.value)

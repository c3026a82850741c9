"""The article's own measurements as studies: what they hold, what they lack, and what is told."""

from __future__ import annotations

import json
import math
import shutil
from itertools import accumulate
from pathlib import Path

import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.storage.checks import Curve
from study.storage.merging import merge
from study.storage.published.importing import import_published
from study.storage.published.protocol import Protocol, is_import, protocol_in
from study.storage.records import Outcome
from study.storage.store import Store
from support.tables.imports import CURVES, FILES, RATES, SIZES, curves_alone, grid, imported, sizes


def test_a_folder_becomes_two_studies() -> None:
    """The grid with its curves, and the sizes; what is no table is named."""
    out, made = imported()
    assert {path: (len(one.runs), len(one.curves)) for path, one in made.studies.items()} == {
        out / "grid": (287, 6),
        out / "sizes": (224, 0),
    }
    assert (made.others, made.training_rows) == ((), 221)
    assert Store(grid()).spec().cap == 120.0
    capped = [run.seconds or 0 for run in Store(grid()).runs() if run.outcome is Outcome.CAPPED]
    assert (len(capped), min(capped) > 120) == (236, True)
    assert max(capped) == pytest.approx(123.8766)


def test_validation_curves_are_those_of_the_file() -> None:
    """Adam's largest fall below the best so far is 6.4 points, the others' 18 to 40; Adam is the
    first to 80, 85, 90, 93 and 95 %.
    """
    table = tables.curves(grid())
    rows = pd.read_csv(CURVES)
    told = rows[~rows["Optimizer"].str.endswith("-train")]
    assert len(table) == len(told) == 227
    assert sorted(table["seconds"]) == sorted(told["Time"])
    assert table[["step", "learning_rate"]].isna().all().all()
    assert set(table["outcome"]) == set(table["fingerprint"]) == {""}
    falls, first = {}, {}
    for name, mine in table.groupby("optimizer"):
        assert mine["seconds"].is_monotonic_increasing
        best = list(accumulate(mine["accuracy"], max))
        falls[name] = 100 * max(b - a for b, a in zip(best, mine["accuracy"], strict=True))
        for level in (0.8, 0.85, 0.9, 0.93, 0.95):
            there = mine[mine["accuracy"] >= level]["seconds"]
            first[name, level] = there.iloc[0] if len(there) else math.inf
    assert falls.pop("adam") == pytest.approx(6.4, abs=0.05)
    assert all(17.7 < fall < 40 for fall in falls.values())
    for level in (0.8, 0.85, 0.9, 0.93, 0.95):
        assert min(table["optimizer"].unique(), key=lambda name: first[name, level]) == "adam"


def test_an_absent_size_is_capped_or_missing() -> None:
    """23 of 36 sizes have a row at 0.01; eight of them have two."""
    runs = tables.load(sizes())
    at = runs[runs["learning_rate"] == 0.01]
    assert at[at["outcome"] == "reached"]["width"].nunique() == 23
    assumed = runs[runs["seconds_source"] == "assumed"]
    assert len(assumed) == 13
    assert set(assumed["learning_rate"]) == {0.01}
    assert set(assumed["seconds"]) == {240.0}
    assert set(assumed["outcome"]) == {"capped"}
    assert assumed[["accuracy", "best_accuracy"]].isna().all().all()
    assert (runs["seed"] == 1).sum() == 8
    left = tables.load(sizes("unknown"))
    assert len(left) == 211
    assert set(left["seconds_source"]) == {"measured"}
    for absent, count in (("capped", 13), ("unknown", 0)):
        protocol = tables.stored(sizes(absent)).published
        assert protocol is not None
        assert (protocol.absent, protocol.assumed) == (absent, count)
    with pytest.raises(StudyError, match="unknown absent 'lost'"):
        import_published([SIZES], "nowhere", absent="lost")


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        ([RATES], ["."]),
        ([SIZES], ["."]),
        ([CURVES], ["."]),
        ([RATES, CURVES], ["."]),
        ([SIZES, CURVES], ["sizes", "curves"]),
        ([RATES, SIZES, FILES / "README.md"], ["grid", "sizes"]),
    ],
)
def test_any_files_are_imported_for_what_they_hold(
    tmp_path: Path, files: list[Path], folders: list[str]
) -> None:
    """One study lies in the folder, several in folders of their own."""
    made = import_published(files, tmp_path / "out")
    assert list(made.studies) == [tmp_path / "out" / name for name in folders]
    for folder, one in made.studies.items():
        store = Store(folder)
        assert (store.spec(), store.runs()) == (one.spec, list(one.runs))
        assert store.curves() == list(one.curves)
        assert is_import(store.machine()["fingerprint"])
    left = [str(one) for one in made.others]
    assert left == [
        f"{file} (neither a .csv nor an .xlsx file)" for file in files if file.suffix == ".md"
    ]


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    """Others in it are not looked at; one without any is named; a broken file is refused."""
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy(CURVES, here / "b.csv")
    (here / "notes.txt").write_text("x")
    (here / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    made = import_published([here, tmp_path / "empty"], tmp_path / "out")
    assert [str(one) for one in made.others] == [
        f"{here / 'a.csv'} (no table of results)",
        f"{tmp_path / 'empty'} (no .csv or .xlsx file in it)",
    ]
    with pytest.raises(StudyError, match=r"nothing to import in .*empty \(no .csv or"):
        import_published([tmp_path / "empty"], tmp_path / "other")
    (here / "c.csv").write_text("Time,Validation,Optimizer\n1,0.5,Adam\n2,1.5,Adam\n")
    with pytest.raises(StudyError, match=r"c.csv, row 3, column 'Validation': '1.5' is not an acc"):
        import_published([here], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_curve_tells_its_seconds_or_its_steps(tmp_path: Path) -> None:
    """Points in any order, equal ones once; a file of training accuracy alone holds nothing."""
    path = tmp_path / "curves.csv"
    head = "Time,Validation,Optimizer"
    lines = ["9,0.9,GD", "0,0.1,GD", "9,0.9,GD", "5,0.5,GD-train", "1,0.2,Adam triangle"]
    path.write_text("\n".join([head, *lines]))
    ((_, made),) = import_published([path], tmp_path / "out").studies.items()
    assert made.curves == (
        Curve(
            "published-sgd", None, (0.1, 0.9), (), "sgd", None, 1.0, 0, None, 9.0, seconds=(0, 9)
        ),
    )
    assert (made.spec.optimizers, made.runs) == (("sgd",), ())
    path.write_text(f"{head}\n5,0.5,GD-Train\n")
    with pytest.raises(StudyError, match="nothing to import"):
        import_published([path], tmp_path / "other")
    told = {"id": "x", "accuracy": (0.5,), "loss": (), "optimizer": "sgd", "learning_rate": 0.1}
    rest = {"width": 1.0, "seed": 0, "step_seconds": None, "span": 1.0, "check_every": 50}
    with pytest.raises(StudyError, match="neither its seconds nor its steps and step time"):
        Curve(**told, **rest)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="1 values of accuracy and 2 of seconds"):
        Curve(**told, **rest, seconds=(1.0, 2.0))  # type: ignore[arg-type]


def test_what_is_known_is_stored_with_the_study() -> None:
    """Known, likely and not known; the spacing of looks as a number, of the grid alone."""
    found = {name: tables.stored(path).published for name, path in (
        ("grid", grid()), ("sizes", sizes()), ("curves", curves_alone())
    )}  # fmt: skip
    assert all(found.values())
    looks = {name: one and one.look_seconds for name, one in found.items()}
    assert looks == {"grid": 4.88, "sizes": None, "curves": None}
    one = found["grid"]
    assert one is not None
    assert "the cap of 120 s" in one.known
    assert one.likely[0] == "looks 4.9 s apart"
    assert "the rates of the validation curves" in one.unknown
    assert "14 take 4.55 to 5.55 s" in one.look_basis
    assert str(one).startswith("known: optimizers and rates, the target of 97 %, ")
    assert [line.partition(":")[0] for line in one.lines()] == ["known", "likely", "not known"]


@pytest.mark.parametrize("stored", [None, [], {"look_seconds": "soon"}, {"known": 3}])
def test_an_import_without_a_protocol_that_can_be_read_is_one(stored: object) -> None:
    """As an older version left it; another study's machine is none."""
    facts = json.loads((grid() / "machine.json").read_text())
    assert protocol_in({**facts, "published": stored}) == Protocol()
    assert str(Protocol()) == ""
    assert protocol_in({**facts, "fingerprint": "0123abcd"}) is None
    assert protocol_in({}) is None


def test_a_merge_keeps_curves_and_protocol(tmp_path: Path) -> None:
    """Of an import joined into a new folder; joined once more, nothing is added."""
    out = Store(tmp_path / "out")
    for added in (287, 0):
        assert merge([Store(grid())], out).added == added
        assert out.curves() == Store(grid()).curves()
        assert tables.stored(out.folder).published == tables.stored(grid()).published

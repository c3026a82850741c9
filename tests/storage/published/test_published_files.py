"""Published files row by row: where a table begins, what a cell may hold, what an optimizer is."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from study.errors import StudyError
from study.storage.published.files import Result
from study.storage.published.files import read as read_files

GRID = "Learning rate,Time taken,Optimizer,Time taken with success"
SIZES = "acc,lr,opt,scale,time"


def read(path: Path, *lines: str) -> list[Result]:
    """The results in a CSV of these lines."""
    path.write_text("\n".join(lines) + "\n")
    return [result for results in read_files([path]).results for result in results]


def refusal(path: Path, *lines: str) -> str:
    """What is said of it."""
    with pytest.raises(StudyError) as told:
        read(path, *lines)
    return str(told.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A CSV file's place."""
    return tmp_path / "results.csv"


@pytest.mark.parametrize("head", [GRID, SIZES, SIZES.upper(), ' acc ,"lr",opt,scale ,time,notes'])
@pytest.mark.parametrize("above", [0, 1, 19, 20])
def test_the_names_of_the_columns_stand_within_twenty_rows(
    path: Path, head: str, above: int
) -> None:
    """In any letters, with blanks around them, and other columns beside them."""
    grid = head == GRID
    row = "0.1,5,Adam,5" if grid else "0.97,0.1,Adam,1,5,x"[: None if "notes" in head else -2]
    lines = ["note" + "," * row.count(",")] * above + [head, row]
    if above == 20:
        said = refusal(path, *lines)
        assert said == (
            f"nothing to import in {path} (no table of results): expected the columns Learning "
            "rate, Time taken, Optimizer, Time taken with success; or acc, lr, opt, scale, time; "
            "or Time, Validation, Optimizer"
        )
    else:
        (found,) = read(path, *lines)
        own = {"success_seconds": 5.0} if grid else {"accuracy": 0.97}
        assert found == Result("adam", 0.1, 5.0, **own)


def test_a_sheet_without_a_table_is_skipped_unless_all_are(tmp_path: Path) -> None:
    """Then they are named, as the spreadsheet names them."""
    path = tmp_path / "BOOK.XLSX"
    notes = pd.DataFrame({"a": [1]})
    table = pd.DataFrame([[0.9, 0.1, "Adam", 1, 5]], columns=SIZES.split(","))
    for sheets in ({"one": notes, "two": table}, {"one": notes, "two": notes}):
        with pd.ExcelWriter(path) as writer:
            for name, sheet in sheets.items():
                sheet.to_excel(writer, sheet_name=name, index=False)
        if sheets["two"] is table:
            found = read_files([path])
            assert found.results == ((Result("adam", 0.1, 5.0, accuracy=0.9),),)
            assert [one.place for one in found.others] == [f"{path}, sheet 'one'"]
        else:
            with pytest.raises(StudyError, match=r"BOOK\.XLSX, sheet 'one' \(no table.*'two' \("):
                read_files([path])


def test_rows_are_counted_as_a_spreadsheet_counts_them(path: Path) -> None:
    """Blank ones are none, and yet are counted; of two columns of one name the first counts."""
    rows = ["0.9,0.1,Adam,1,5", ",,,,", "", "0.8,0.1,Adam,1,6"]
    assert [result.seconds for result in read(path, "note,,,,", SIZES, *rows)] == [5.0, 6.0]
    said = refusal(path, "note,,,,", SIZES, *rows, "0.8,0.1,Adam,1,x")
    assert said == f"{path}, row 7, column 'time': 'x' is not a number of seconds"
    twice = ["0.9,0.1,Adam,1,5,7"]
    assert read(path, f"{SIZES},time", *twice)[0].seconds == 5.0


TIME, RATE = "a number of seconds", "a learning rate"
SCALE, SHARE = "a model's scale, above 0 and at most 100", "an accuracy in 0 to 1, such as 0.97"


@pytest.mark.parametrize(
    ("head", "column", "fine", "bad", "what"),
    [
        (GRID, 0, ["1e-37", "1e12"], ["9e-38", "1000000000000.5", "0", "-1"], RATE),
        (GRID, 1, ["1e-6", "1e7"], ["9e-7", "10000000.5", "inf", "soon"], TIME),
        (GRID, 3, ["1e-6", "1e7"], ["9e-7", "10000000.5"], TIME),
        (SIZES, 0, ["0", "1"], ["-0.1", "1.1"], SHARE),
        (SIZES, 1, ["1e-37", "1e12"], ["9e-38", "1000000000000.5"], RATE),
        (SIZES, 3, ["1e-6", "100"], ["9e-7", "100.5"], SCALE),
        (SIZES, 4, ["1e-6", "1e7"], ["9e-7", "10000000.5"], TIME),
    ],
)
def test_bounds_belong_to_what_a_cell_may_hold(
    path: Path, head: str, column: int, fine: list[str], bad: list[str], what: str
) -> None:
    """Beyond them the cell is named, and an empty one is."""

    def row(cell: str) -> str:
        cells = ("0.1,5,Adam,5" if head == GRID else "0.97,0.1,Adam,1,5").split(",")
        return ",".join([*cells[:column], cell, *cells[column + 1 :]])

    name = head.split(",")[column]
    place = f"{path}, row 2, column {name!r}"
    for cell in fine:
        (found,) = read(path, head, row(cell))
        assert float(cell) in vars(found).values()
    for cell in bad:
        assert refusal(path, head, row(cell)) == f"{place}: {cell!r} is not {what}"
    if name == "Time taken with success":
        assert [one.success_seconds for one in read(path, head, row(""), row("  "))] == [None] * 2
    else:
        for cell in ("", " "):
            assert refusal(path, head, row(cell)) == f"{place} is empty, expected {what}"


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("GD", "sgd"),
        ("GradientDescentOptimizer", "sgd"),
        ("Gradient Descent (0.1)", "sgd"),
        ("MomentumOptimizer(0.1)", "momentum"),
        ("RMS-Prop fixed", "rmsprop"),
        ("Adadelta exp_decay", None),
        ("Adam cosine_restart", None),
        ("adagrad triangle", None),
    ],
)
def test_optimizers_have_many_names(path: Path, cell: str, name: str | None) -> None:
    """The last word tells of a rate that changed, whose result is left out."""
    found = read(path, GRID, f"0.12345678,5,{cell},5")
    assert [(one.optimizer, one.rate) for one in found] == ([(name, 0.123457)] if name else [])


@pytest.mark.parametrize("cell", ["Lion", "Adam slow", "fixed", "5"])
def test_an_unknown_optimizer_is_named(path: Path, cell: str) -> None:
    """With those that are known."""
    said = refusal(path, GRID, f"0.1,5,{cell},5")
    assert re.search(rf"unknown optimizer '?{cell}'?, expected one of GD, Momentum, Adam", said)


def test_what_success_is() -> None:
    """Exactly the target is reached; a sheet of the grid tells it by a time."""
    one = Result("adam", 0.1, 5.0, accuracy=0.96)
    assert [one.reached(target) for target in (0.95, 0.96, 0.9601)] == [True, True, False]
    assert Result("adam", 0.1, 5.0, success_seconds=5.0).reached(0.97)
    assert not Result("adam", 0.1, 5.0).reached(0.97)


@pytest.mark.parametrize("above", [19, 20])
def test_another_separator_is_looked_for_in_the_same_rows(path: Path, above: int) -> None:
    """Beyond them nothing is known of the file."""
    said = refusal(path, *["note"] * above, SIZES.replace(",", ";"), "0.9;0.1;Adam;1;5")
    words = "separates its columns by semicolons"
    assert (words in said) == (above < 20)


def test_a_long_reason_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 200 signs, in one line."""

    def refuse(*given: object, **named: object) -> None:
        raise KeyError("x\n" * 300)

    path = tmp_path / "book.xlsx"
    monkeypatch.setattr(pd, "read_excel", refuse)
    with pytest.raises(StudyError) as told:
        read_files([path])
    words = " ".join(str(KeyError("x\n" * 300)).split())
    assert str(told.value) == f"{path} cannot be read (KeyError: {words[:200]})"

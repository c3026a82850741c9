"""What the documentation shows is true: its Python runs, its commands exist, its tables are those
of the stored results.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import typer

import study
from study.cli.main import app
from study.tables import contests

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "study").glob("*/README.md")),
    ROOT / "examples" / "README.md",
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_TEXT = re.compile(r"`((?:scripts/|study |\.venv/)[^`]+)`")
OTHER_PROGRAMS = ("dask", "pip", ".venv/bin/pip", ".venv/bin/jupyter", "git")
ENVIRONMENT = re.compile(r"[A-Z_]+=\S*")


def name_of(path: Path) -> str:
    """A page's path in the repository."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of that language, each with the number of its first line."""
    text = path.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, found.start()) + 2, found[2])
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


def commands() -> Iterator[tuple[str, str]]:
    """Every shell command of every page, as its place and its text."""
    for path in PAGES:
        for line, code in blocks(path, "bash"):
            for offset, command in enumerate(code.splitlines()):
                if shlex.split(command, comments=True):
                    yield f"{name_of(path)}:{line + offset}", command
        text = BLOCK.sub("", path.read_text(encoding="utf-8"))
        for command in IN_TEXT.findall(text):
            yield name_of(path), " ".join(command.split())


WRITTEN = 'study.preset("smoke")'
LESS = f'{WRITTEN}.with_(network="mlp", widths=(0.1,))'
"""The test trains a smaller network than the reader: what takes long is to compile it."""


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path, "python")], ids=name_of)
def test_the_python_of_a_page_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From top to bottom, in one namespace, in a folder that has the stored results."""
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for line, code in blocks(path, "python"):
        code = code.replace(WRITTEN, LESS)
        exec(compile("\n" * (line - 1) + code, str(path), "exec"), names)
    plt.close("all")


def test_what_is_trained_less_stands_in_a_page() -> None:
    """So the replacement is not left behind."""
    assert any(WRITTEN in code for path in PAGES for _, code in blocks(path, "python"))


def arguments_of(words: list[str]) -> list[str] | None:
    """The arguments that a command gives to `study`; None where it starts another program."""
    if words[0] in ("scripts/run", "study"):
        return words[1:]
    return words[3:] if words[:3] == [".venv/bin/python", "-m", "study"] else None


def check(command: str) -> None:
    """Raise if a command names a file, a subcommand or an option that is not there."""
    words = shlex.split(command, comments=True)
    while ENVIRONMENT.fullmatch(words[0]):
        words.pop(0)
    files = [word for word in words if word.startswith(("scripts/", "tests/", "requirements"))]
    assert all((ROOT / word).exists() for word in files), command
    arguments = arguments_of(words)
    if arguments is None:
        assert files or words[0].startswith((*OTHER_PROGRAMS, ".venv/bin/python")), command
    elif arguments and not arguments[0].isupper() and arguments != ["--help"]:
        parsed = typer.main.get_command(app)
        while hasattr(parsed, "commands"):
            name = arguments.pop(0)
            assert name in parsed.commands, f"{command}: there is no command {name}"
            parsed = parsed.commands[name]
        if arguments:  # a command that is only named has no arguments to be checked
            parsed.make_context(name, arguments)


@pytest.mark.parametrize(("place", "command"), sorted(set(commands())))
def test_a_command_of_the_documentation_exists(
    place: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the options that it is given."""
    monkeypatch.chdir(ROOT)
    check(command)


@pytest.mark.parametrize("wrong", ["study no-such", "study run quick --no-such 1", "scripts/no"])
def test_a_command_that_does_not_exist_is_found(wrong: str) -> None:
    """The check above can fail."""
    with pytest.raises(Exception, match="no"):
        check(wrong)


def rows(path: Path, heading: str) -> list[list[str]]:
    """The cells of the table whose first column has that heading."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    next(line for line in lines if line.startswith(f"| {heading} |"))
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_readme_is_short() -> None:
    """It is read, not searched."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_readmes_table_is_that_of_the_stored_study() -> None:
    """Best rates, and what Keras's default rates cost."""
    runs = study.load(ROOT / "results" / "amd-epyc-2-cores" / "article")
    best = study.tables.best(runs)
    told = rows(ROOT / "README.md", "optimizer")
    assert [row[0].lower() for row in told] == list(best["optimizer"])
    for row, found in zip(told, best.itertuples(), strict=True):
        assert int(row[1]) == found.arrived
        assert row[2] == f"{found.best_rate:.2g}"
        assert row[3] == f"{found.seconds:.1f}"
        at_default = runs[
            (runs["optimizer"] == found.optimizer)
            & ((runs["learning_rate"] / float(row[5]) - 1).abs() < 0.01)
        ].iloc[0]
        reached = at_default["outcome"] == "reached"
        assert row[6] == (f"{at_default['seconds']:.1f}" if reached else "over 120")


def test_the_regrets_are_those_of_the_stored_contest() -> None:
    """Medians by pandas, row by row; a dash where most picks fail."""
    picks = contests.read(ROOT / "results" / "amd-epyc-2-cores" / "contest-again")
    medians = picks.groupby(["method", "rule"], sort=False)["regret"].median().round(2)
    rules = [
        *[("finder", "tenth"), ("finder", "steepest"), ("finder", "valley"), ("finder", "slide")],
        *[("range test", "half of fall"), ("staircase", "carried on"), ("staircase", "fresh")],
        *[("halving", "no divergence"), ("random search", "best accuracy")],
        *[("successive halving", "best accuracy"), ("optuna", "best accuracy")],
        *[("population", "schedule"), ("population", "last rate"), ("default", "Keras")],
    ]
    assert set(rules) == set(medians.index)
    page = ROOT / "docs" / "explanation" / "findings" / "choosing-a-rate.md"
    told = [cell for row in rows(page, "method") for cell in row[2].split(" / ")]
    assert told == [f"{medians[rule]:.2f}" if medians[rule] < 100 else "-" for rule in rules]


def test_the_verdicts_are_those_of_the_stored_studies() -> None:
    """Claim by claim, and as the README counts them."""
    folder = ROOT / "results" / "amd-epyc-2-cores"
    studies = [
        folder / name for name in ("article", "adadelta-above", "sizes", "contest-again", "cycles")
    ]
    verdicts = {verdict.id: verdict.verdict for verdict in study.claims.judge(studies)}
    page = ROOT / "docs" / "explanation" / "findings" / "claims.md"
    assert {row[0].partition(":")[0]: row[1] for row in rows(page, "claim")} == verdicts
    counts = [list(verdicts.values()).count(word) for word in ("holds", "fails", "undecided")]
    told = "{} hold, {} fail, {} are undecided".format(*counts)
    assert len(verdicts) == 16, "the README says sixteen"
    assert told in (ROOT / "README.md").read_text(encoding="utf-8")

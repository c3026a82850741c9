"""What the command line says of itself, and how much it says: help, version, quiet and verbose."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from study.cli import analyse, choose, experiments, formatting, share
from study.cli import study as study_commands
from study.cli.main import app
from study.spec.schedules.parse import describe
from support.command import call

CLI = Path(formatting.__file__).parent
ROOT = CLI.parent.parent
FAMILIES = {
    each.commands.panel: each.commands.app for each in (study_commands, analyse, choose, share)
}
COMMANDS = {
    command.name or str(command.callback.__name__): command
    for family in (study_commands, analyse, choose, experiments, share)
    for command in family.commands.app.registered_commands
    if command.callback
}


def test_the_help_says_what_a_value_means() -> None:
    """Where a reader could take it for something else."""
    helps = {
        name: " ".join(call(name, "--help").stdout.replace("│", " ").split())
        for name in ("compare", "run")
    }
    assert "The folders of two or more studies." in helps["compare"]
    assert "in MB, GB or TB, such as 8GB; a number alone is in GB" in helps["run"]
    assert "0: the kind's own" in {name: told for name, _, told in describe()}["one-cycle"]


def test_the_help_shows_four_groups() -> None:
    """In the order of a user's work."""
    answer = call("--help")
    assert answer.returncode == 0
    places = [answer.stdout.index(f"─ {panel} ─") for panel in FAMILIES]
    assert places == sorted(places)
    assert list(FAMILIES) == ["Study", "Analyse", "Choose a rate", "Share"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_in_examples_that_name_the_command(name: str) -> None:
    """And has a sentence on the command."""
    said = call(name, "--help").stdout
    assert "Examples:" in said
    assert f"study {name}" in said.partition("Examples:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_have_options_that_there_are(name: str) -> None:
    """An option that is renamed is renamed in the examples, too."""
    said = call(name, "--help").stdout
    options, _, examples = said.partition("Examples:")
    for option in re.findall(r"--[a-z-]+", re.sub("'[^']*'", "", examples)):
        assert re.search(rf"{option}\b", options)


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.name)
def test_functions_are_short_and_none_asks_for_its_locals(path: Path) -> None:
    """At most 40 lines of a body, and every option is passed on by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.body[0].lineno < 40, node.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("locals", "vars")


def test_version() -> None:
    """One line."""
    answer = call("--version")
    assert answer.returncode == 0
    assert re.fullmatch(r"study \S+\n", answer.stdout)


def test_quiet_leaves_out_notes_and_verbose_adds_what_is_decided(tmp_path: Path) -> None:
    """The answer stays the same, and so does a mistake."""
    arguments = ("plan", "smoke", "--out", str(tmp_path / "none"))
    plain, quiet, verbose = (call(*more, *arguments) for more in ([], ["-q"], ["-v"]))
    assert plain.stdout == quiet.stdout == verbose.stdout
    assert plain.stderr == quiet.stderr == ""
    assert "read smoke: the study smoke, 6 trials" in verbose.stderr
    both = call("-q", "-v", *arguments)
    assert (both.returncode, both.stderr.count("\n")) == (2, 1)
    mistake = call("--quiet", "plan", "smoek")
    assert mistake.returncode == 2
    assert "did you mean smoke" in mistake.stderr


def test_notes_are_silent_where_the_user_wants_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Both those beside an answer for people, and those aside of one for programs."""
    for more, notes in ((["-q"], 0), ([], 1)):
        call(*more, "--help")
        app([*more, "plan", "smoke"], standalone_mode=False)
        capsys.readouterr()
        formatting.note(["busy"])
        formatting.note_aside(["busy"])
        said = capsys.readouterr()
        assert said.out == said.err == "note: busy\n" * notes


def test_plan_is_run_without_running(tmp_path: Path) -> None:
    """The same options, the same answer, and nothing is written."""
    options = ["smoke", "--seeds", "2", "--retry", "--workers", "1", "--out", str(tmp_path / "no")]
    assert call("plan", *options).stdout == call("run", *options, "--dry-run").stdout
    planned = json.loads(call("run", *options, "--dry-run", "--json").stdout)
    assert planned == json.loads(call("plan", *options, "--json").stdout)
    assert planned["trials"] == 12
    assert not (tmp_path / "no").exists()
    answer = call("plan", *options, "--scheduler", "tcp://nowhere:1")
    assert answer.returncode == 2
    assert "for the backends dask and ray" in answer.stderr


def test_the_shell_completes_commands_options_and_names() -> None:
    """By the script that --show-completion prints."""

    def completed(words: str) -> str:
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_STUDY_COMPLETE": "complete_bash",
            "COMP_WORDS": f"study {words}",
            "COMP_CWORD": str(len(words.split(" "))),
        }
        command = [sys.executable, "-m", "study"]
        return subprocess.run(command, env=env, capture_output=True, text=True).stdout

    assert "find-rate" in completed("find")
    assert completed("run qui").split() == ["quick"]
    assert completed("run quick --engine ja").split() == ["jax"]
    assert "--max-steps" in completed("run quick --max")


def test_tables_are_plain_where_they_are_piped_and_ruled_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers on the right, words on the left, and brackets are no mark-up."""
    header, rows = ["name", "rate", ""], [["sgd", "0.1", ""], ["[b]adam", "1e-05", "at the edge"]]
    formatting.table(header, rows)
    assert capsys.readouterr().out == (
        "name      rate\nsgd        0.1\n[b]adam  1e-05  at the edge\n"
    )
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    formatting.table(header, rows)
    said = capsys.readouterr().out
    assert "───" in said
    assert "[b]adam" in said

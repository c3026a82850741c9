"""Data never becomes code, paths never leave their folder, markup stays text, packages are the
files that were locked.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import data, figures, report, tables
from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.records import Outcome
from study.storage.store import Store
from support.made import made, made_runs, stored
from support.paths import ROOT, STUDY
from support.published import GRID, in_band

pytestmark = pytest.mark.slow

MARKUP = "<img src=x onerror=document.title=1><script>document.title=1</script>\"'&$\\frac$"
UNSAFE = {
    "eval",
    "exec",
    "__import__",
    "pickle",
    "cloudpickle",
    "dill",
    "marshal",
    "shelve",
    "yaml",
    "read_pickle",
    "to_pickle",
}
UNSAFE_CALLS = {"os.system", "os.popen", "compile"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/x",
        "a/b",
        "a\\b",
        ".hidden",
        "a\0",
        "a\n",
        "<script>",
        "x" * 65,
        "-x",
    ],
)
def test_a_name_is_a_plain_folder_name(name: str) -> None:
    """In Python, in a file of the study, on the command line."""
    with pytest.raises(StudyError, match="must be 1 to 64 letters"):
        StudySpec(name=name)


@pytest.mark.parametrize(
    "link",
    ["runs.jsonl", "spec.tmp", ".lock", "runs.jsonl.bad", "tables", "figures", "tables/best.csv"],
)
def test_a_link_that_leads_out_of_the_folder_is_refused(
    folder: Path, tmp_path: Path, link: str
) -> None:
    """Nothing is written where it leads to; one that stays inside is let be."""
    stored(folder, GRID.with_(seeds=1), in_band)
    for name in ("outside", "inside"):
        (place := tmp_path / "outside" if name == "outside" else folder / "inside").mkdir()
        (place / "kept").write_text("kept")
    (folder / "alias").symlink_to(folder / "inside")
    with Store(folder).writing():
        pass
    path = folder / link
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "outside" / "kept" if "." in link else tmp_path / "outside")
    with pytest.raises(StudyError, match="a link that leads out"), Store(folder).writing():
        pass
    with pytest.raises(StudyError):
        tables.write(folder)
    (folder / "loop").symlink_to("loop")
    path.unlink()
    with pytest.raises(StudyError, match="or nowhere"), Store(folder).writing():
        pass
    assert [file.name for file in (tmp_path / "outside").iterdir()] == ["kept"]
    assert (tmp_path / "outside" / "kept").read_text() == "kept"


@pytest.mark.parametrize("path", sorted(STUDY.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_turns_data_into_code(path: Path) -> None:
    """No pickle, eval, YAML or shell; numpy is told so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            names = (
                {called.id}
                if isinstance(called, ast.Name)
                else {called.attr}
                if isinstance(called, ast.Attribute)
                else set()
            )
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("allow_pickle", "False") == "False"
            assert given.get("shell", "False") == "False"
            assert ast.unparse(called) not in UNSAFE_CALLS
            assert ast.unparse(called) != "np.load" or "allow_pickle" in given
        else:
            names = (
                {alias.name.partition(".")[0] for alias in node.names}
                if isinstance(node, (ast.Import, ast.ImportFrom))
                else set()
            )
        assert not names & UNSAFE


def test_every_package_is_locked_by_its_hash() -> None:
    """At the version that requirements.txt names."""
    locked = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines()[1:]:
        found = re.fullmatch(r"(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}", line)
        assert found, line
        locked[re.sub(r"[-_.]+", "-", found[1]).lower()] = found[2]
    wanted = dict(
        line.partition(" ;")[0].split("==")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    assert {name: locked.get(name) for name in wanted} == wanted


@pytest.mark.slow
def test_markup_in_data_stays_text_in_the_report(tmp_path: Path, browser: Any) -> None:
    """In the data set's name, the machine, the versions, an error, the folder: no element, no
    script, no code of the template's.
    """
    name = MARKUP.replace("/", "")
    spec = GRID.with_(seeds=1, dataset=f"{name}.npz")
    folder = tmp_path / f'{name}"); raise SystemExit #'
    store = Store(folder)
    with store.writing():
        store.write(store.spec_path, {"schema": 1, "dataset_md5": MARKUP, "spec": spec.to_json()})
        for run in made_runs(spec, in_band):
            if run.trial.learning_rate > 90:
                run = replace(run, outcome=Outcome.FAILED, error=MARKUP)
            store.append(
                replace(
                    run,
                    machine=MARKUP,
                    study=MARKUP,
                    started_at=MARKUP,
                    versions={"tensorflow": MARKUP, MARKUP: MARKUP},
                )
            )
    page = report.write([folder], tmp_path / "report.html")
    browser.get(page.as_uri())
    assert browser.title == f"Learning rates: {spec.name}"
    assert (
        browser.execute_script(
            "return document.querySelectorAll('script, [onerror], img[src=x]').length"
        )
        == 0
    )
    assert MARKUP in browser.execute_script("return document.body.textContent")
    assert not [entry for entry in browser.get_log("browser") if "favicon" not in json.dumps(entry)]


def test_dollars_in_names_are_no_formulas(tmp_path: Path) -> None:
    """matplotlib would refuse to draw what is none."""
    runs = made(GRID.with_(seeds=1, dataset=f"{MARKUP}.npz"), in_band).assign(machine=MARKUP)
    figures.save(
        {"valley": figures.valley(runs), "overlay": figures.overlay({MARKUP: runs, "other": runs})},
        tmp_path,
    )
    assert len(list(tmp_path.iterdir())) == 4


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    """An array of objects would run code of its maker's."""

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = tmp_path / "evil.npz"
    with zipfile.ZipFile(path, "w") as file:
        for key in data.KEYS:
            buffer = io.BytesIO()
            np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
            file.writestr(f"{key}.npy", buffer.getvalue())
    with pytest.raises(StudyError, match="plain arrays"):
        data.load(str(path))
    assert not (tmp_path / "ran").exists()

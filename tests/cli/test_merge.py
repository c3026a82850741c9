"""A study in shares that are merged: by the commands, and by the documented job of SLURM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.execution import driver
from study.execution.request import Request
from study.spec.study import StudySpec
from study.storage.store import Store
from support.command import call
from support.driving import SPEC, engine, program, results, run, toml
from support.parts import TRIALS, ids, part
from support.paths import ROOT, environment

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "how-to" / "use-many-machines.md"


def test_shards_of_a_real_study_are_the_rows_of_one_run(tmp_path: Path) -> None:
    """Bit for bit, with TensorFlow: the same arrays trained, in folders that were then merged."""
    small = ["--network", "mlp", "--widths", "0.1", "--engine", "tensorflow"]
    options = ["smoke", *small, "--seeds", "2", "--max-steps", "50", "--workers", "1"]
    whole = Store(tmp_path / "whole")
    assert call("run", *options, "--out", whole.folder).returncode == 0
    shards = [tmp_path / f"mine.{number}" for number in (1, 2)]
    for number, folder in enumerate(shards, start=1):
        # Step times were measured once, so that seconds are the same, too.
        counted = ["--reference", str(whole.folder)]
        answer = call("run", *options, *counted, "--shard", f"{number}/2", "--out", folder)
        assert answer.returncode == 0, answer.stderr
        assert f"Shard {number}/2: 6 of 12 trials: " in answer.stdout
        assert "6/6 trials 100%" in answer.stderr
        assert "6 of 12 trials stored, 6 remain" in call("status", folder).stdout
        assert not (folder / "figures").exists()
    out = Store(tmp_path / "mine")
    said = call("merge", *shards, "--out", out.folder)
    assert said.returncode == 0, said.stderr
    assert "Merged 2 folders into" in said.stdout
    assert "Study smoke: 12 of 12 trials stored, 0 missing" in said.stdout
    rows = [{one.id: one.to_json() for one in store.runs()} for store in (whole, out)]
    for row in (row for some in rows for row in some.values()):
        del row["started_at"]
    assert rows[0] == rows[1]
    assert out.checks() == whole.checks()
    before = out.runs_path.read_bytes()
    assert call("run", *options, "--out", out.folder).returncode == 0
    assert out.runs_path.read_bytes() == before
    assert out.curves() == whole.curves()
    assert (out.folder / "figures" / "valley.png").exists()


def test_a_shard_that_was_killed_and_one_that_overlaps_merge_into_the_whole(
    tmp_path: Path,
) -> None:
    """The killed one is merged as it is, run again, and merged again."""
    whole = run(SPEC, tmp_path / "whole")
    one, two, both = (tmp_path / name for name in ("1", "2", "both"))
    for folder, shard in ((one, (1, 2)), (both, (1, 3))):
        driver.run(Request(SPEC, folder, factory=engine, workers=1, shard=shard), progress=False)
    command = program(two, 0.02, 1)
    command[-1] = command[-1].replace("workers=1)", "workers=1, shard=(2, 2))")
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)
    store = Store(two)
    while process.poll() is None and (
        not store.runs_path.exists() or store.runs_path.read_bytes().count(b"\n") < 3
    ):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stored = len(store.runs())
    assert stored >= 3
    out = Store(tmp_path / "out")
    said = json.loads(call("merge", one, two, both, "--out", out.folder, "--json").stdout)
    assert 0 < said["missing"] < len(SPEC) // 2
    assert said["duplicates"] == said["agreeing"] > 0
    driver.run(Request(SPEC, two, factory=engine, workers=1, shard=(2, 2)), progress=False)
    said = json.loads(call("merge", one, two, both, "--out", out.folder, "--json").stdout)
    assert said["missing"] == 0
    assert results(out) == results(whole)
    assert len(ids(out)) == len(SPEC)


def test_merge_says_what_it_did_and_what_is_missing(tmp_path: Path) -> None:
    """In words, by optimizer."""
    one, two = part(tmp_path / "1", TRIALS[:4]), part(tmp_path / "2", TRIALS[2:5])
    said = call("merge", one.folder, two.folder, "--out", tmp_path / "out")
    assert said.stdout.splitlines() == [
        f"Merged 2 folders into {tmp_path / 'out'}: 5 trials added",
        "Duplicates: 2, of which 0 with the same outcome and steps, 2 with others",
        "Study parts: 5 of 6 trials stored, 1 missing: adam 1",
    ]
    again = call("merge", one.folder, two.folder, "--out", tmp_path / "out")
    assert "0 trials added" in again.stdout
    other = part(tmp_path / "3", (), StudySpec(target=0.5))
    refused = call("merge", one.folder, other.folder, "--out", tmp_path / "out")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{one.folder} and {other.folder} cannot be merged" in refused.stderr
    assert refused.stderr.count("\n") == 1


STUDY = """#!/bin/bash
exec "{python}" -c '
import sys
from study.cli import main, option_sets
from support.driving import engine
option_sets.setup_of = lambda name, device, precision: engine
main.main()
' "$@"
"""
"""The program `study`, on parabolas."""


def test_the_array_job_of_the_documentation_trains_the_study(tmp_path: Path) -> None:
    """Its script runs under bash, once a task; then the commands that stand below it."""
    (script,) = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    below = PAGE.read_text().partition(script)[2]
    (after, *_) = re.findall(r"^```bash\n(.*?)^```$", below, re.MULTILINE | re.DOTALL)
    assert len(script.splitlines()) == 10
    (tmp_path / "job").write_text(script)
    program = tmp_path / "bin" / "study"
    program.parent.mkdir()
    program.write_text(STUDY.format(python=sys.executable))
    program.chmod(0o755)
    toml(tmp_path).rename(tmp_path / "mine.toml")
    here = {**environment(), "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def bash(*arguments: str, **more: str) -> str:
        done = subprocess.run(
            ["bash", *arguments],
            cwd=tmp_path,
            env={**here, **more},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, last = map(int, re.findall(r"--array=(\d+)-(\d+)", script)[0])
    said = [bash("job", SLURM_ARRAY_TASK_ID=str(task)) for task in range(first, last + 1)]
    assert all(f"Shard {task}/{last}: " in text for task, text in enumerate(said, start=1))
    assert any("empty" in text for text in said)
    assert "0 missing" in bash("-ec", after)
    assert (tmp_path / "results" / "mine" / "figures" / "valley.png").exists()
    merged = results(Store(tmp_path / "results" / "mine"))
    spec = Store(tmp_path / "results" / "mine").spec()
    assert merged == results(run(spec, tmp_path / "whole"))

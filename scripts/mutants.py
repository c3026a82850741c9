#!/usr/bin/env python
"""How many wrong changes do the tests notice?

    scripts/test mutants                     # SAMPLE places in every package
    scripts/test mutants tables spec/pruning # in two parts
    scripts/test mutants tables --sample 100 --seed 1

A part is a package of study/, or a path below one. Cosmic Ray finds what can be changed there: a
comparison, an operator, a number, a condition, a loop. Places are drawn at random, by the seed, and
at each place one of its changes. The change is made in a copy. Those tests of the package that run
the changed line are run on it, until the first that fails; if tests/ has a folder for the part, its
tests alone.

The state is in .mutants/. Interrupt it and start it again, and it goes on. What no test noticed is
tried again each time. What was noticed is kept until the part's code changes. A change that cannot
be seen from outside is named in tests/mutants/equivalent.toml, with its reason. The score is
appended to tests/mutants/scores.csv.
"""

from __future__ import annotations

import argparse
import ast
import csv
import hashlib
import multiprocessing
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import coverage
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkItem
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".mutants"
FIRST = STATE / "copies" / "0"
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"
SCORES = ROOT / "tests" / "mutants" / "scores.csv"

SAMPLE = 40
"""Places that are drawn in a part."""

PLAUSIBLE = re.compile(
    "core/("
    "ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul"
    "|BitOr_BitAnd|BitAnd_BitOr|BitXor_BitOr)"
    "|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|(Lt|LtE|Gt|GtE)_(Lt|LtE|Gt|GtE)|Is_IsNot|IsNot_Is)"
    "|ReplaceUnaryOperator_(USub_UAdd|Delete_Not)"
    "|AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd"
    "|ReplaceBreakWithContinue|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer"
    "|RemoveDecorator|ZeroIterationForLoop)"
)
"""Changes that somebody could make by mistake; the others end in an error of types at once."""


def modules(part: str) -> list[Path]:
    """The files of a part, relative to the root."""
    path = ROOT / "study" / part
    found = [path.with_suffix(".py")] if path.with_suffix(".py").exists() else path.rglob("*.py")
    return sorted(each.relative_to(ROOT) for each in found)


def folder_of(part: str) -> str:
    """The tests of a part: a folder of its own, or its package's."""
    own = f"tests/{part}"
    return own if (ROOT / own).is_dir() else f"tests/{part.partition('/')[0]}"


def unseen(source: str) -> set[tuple[int, int]]:
    """Lines and columns of types: nothing reads them when the program runs."""
    places: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(source)):
        for each in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(each, ast.expr):
                for line in range(each.lineno, each.end_lineno + 1):
                    first = each.col_offset if line == each.lineno else 0
                    last = each.end_col_offset if line == each.end_lineno else 200
                    places.update((line, column) for column in range(first, last))
    return places


def draw(db: WorkDB, part: str, sample: int, seed: int) -> None:
    """Fill a database with one change at each of `sample` places."""
    init(modules(part), db, {})
    types = {path: unseen((ROOT / path).read_text()) for path in modules(part)}
    places: dict[Any, list[WorkItem]] = {}
    for item in db.work_items:
        (change,) = item.mutations
        place = change.module_path, change.start_pos
        if PLAUSIBLE.fullmatch(change.operator_name) and place[1] not in types[place[0]]:
            places.setdefault(place, []).append(item)
    drawn = random.Random(seed)
    chosen = drawn.sample(sorted(places), min(sample, len(places)))
    by_name = {place: sorted(places[place], key=lambda item: _name(item)) for place in chosen}
    db.clear()
    db.add_work_items([drawn.choice(by_name[place]) for place in chosen])


def _name(item: WorkItem) -> tuple[str, int]:
    return item.mutations[0].operator_name, item.mutations[0].occurrence


def statement(source: str, line: int) -> range:
    """The lines of the statement at a line, without those of its body."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno:
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            if line <= last:
                found = range(node.lineno, last + 1)
    return found


def tests_of(measured: coverage.CoverageData, change: Any, tests: str) -> list[str]:
    """The tests that run the changed lines, or all if only the import does, or none."""
    lines = measured.contexts_by_lineno(str(FIRST / change.module_path))
    source = Path(change.module_path).read_text()
    seen = [lines[each] for each in statement(source, change.start_pos[0]) if each in lines]
    names = {name.partition("|")[0] for each in seen for name in each} - {""}
    if not names:
        return [tests] if seen else []
    own = Path(change.module_path).stem
    return sorted(names, key=lambda name: (own not in name.partition("::")[0], name))


def copied(number: int) -> Path:
    """A worker's copy of the files that git knows or does not ignore."""
    target = FIRST.with_name(str(number))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    shutil.rmtree(target, ignore_errors=True)
    for each in filter(None, listed):
        if (ROOT / each).is_file():
            (target / each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / each, target / each)
    return target


def enter(numbers: Any) -> None:
    """Give a worker its own copy."""
    folder = copied(numbers.get())
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)


def attempt(task: tuple[WorkItem, str, str, float]) -> tuple[str, Any]:
    """Make one change and run the tests that can notice it."""
    item, measured, tests, limit = task
    data = coverage.CoverageData(measured)
    data.read()
    (change,) = item.mutations
    names = tests_of(data, change, tests)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-cov"]
    command = [*command, *names] if names else ["true"]
    return item.job_id, mutate_and_test(item.mutations, shlex.join(command), limit)


def measure(tests: str) -> tuple[str, float]:
    """Which tests run which lines, and the seconds that all take."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("study/**/*.py"), *ROOT.glob("tests/**/*.py")]):
        digest.update(path.read_bytes())
    stored = STATE / f"{tests.replace('/', '-')}-{digest.hexdigest()[:12]}.coverage"
    seconds = stored.with_suffix(".seconds")
    if not seconds.exists():
        begun = time.monotonic()
        options = ["-q", "--cov=study", "--cov-context=test", "--cov-report="]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *options, tests],
            env={**os.environ, "COVERAGE_FILE": str(stored)},
        )  # fmt: skip
        if ended.returncode:
            raise SystemExit(f"the tests in {tests} fail before anything is changed")
        seconds.write_text(str(time.monotonic() - begun))
    return str(stored), float(seconds.read_text())


def equivalents() -> list[tuple[str, str, str]]:
    """Changes that cannot be seen: file, line before and line after."""
    known = tomllib.loads(EQUIVALENT.read_text()) if EQUIVALENT.exists() else {}
    return [(each["file"], each["was"], each["becomes"]) for each in known.get("change", [])]


def lines_of(diff: str) -> tuple[str, str]:
    """The first line that a change takes away, and the first that it adds."""
    lines = diff.splitlines()[3:]
    first = [next((line[1:] for line in lines if line[0] == sign), "") for sign in "-+"]
    return first[0].strip(), first[1].strip()


def run(part: str, sample: int, seed: int, workers: int) -> None:
    """Try the changes of a part, show the survivors and store the score."""
    tests = folder_of(part)
    source = b"".join((ROOT / path).read_bytes() for path in modules(part))
    name = f"{part.replace('/', '-')}-{hashlib.sha256(source).hexdigest()[:8]}-{sample}-{seed}"
    os.chdir(copied(0))
    os.environ["PYTHONPATH"] = os.getcwd()
    measured, seconds = measure(tests)
    with use_db(STATE / f"{name}.sqlite") as db:
        if not db.num_work_items:
            draw(db, part, sample, seed)
        noticed = {job for job, result in db.results if result.is_killed}
        left = [item for item in db.work_items if item.job_id not in noticed]
        numbers: Any = multiprocessing.Manager().Queue()
        for number in range(workers):
            numbers.put(number)
        tasks = [(item, measured, tests, 60 + 3 * seconds) for item in left]
        with multiprocessing.get_context("spawn").Pool(workers, enter, (numbers,)) as pool:
            done = pool.imap_unordered(attempt, tasks)
            for job, result in tqdm(done, part, total=len(tasks), unit=" change"):
                db.set_result(job, result)
        report(part, db, seed)


def report(part: str, db: WorkDB, seed: int) -> None:
    """Print what no test noticed and append the score."""
    known, results = equivalents(), dict(db.results)
    survived, same = [], 0
    for item in db.work_items:
        result = results[item.job_id]
        if result.test_outcome == TestOutcome.SURVIVED:
            (change,) = item.mutations
            if (str(change.module_path), *lines_of(result.diff)) in known:
                same += 1
            else:
                survived.append(f"{change.module_path}:{change.start_pos[0]}\n{result.diff}")
    print(*sorted(survived), sep="\n\n")
    tried = db.num_work_items - same
    row = [date.today().isoformat(), part, seed, tried, same, tried - len(survived)]
    with SCORES.open("a", newline="") as out:
        csv.writer(out, lineterminator="\n").writerow(row)
    print(f"{part}: {row[-1]} of {tried} noticed, {same} more change nothing", file=sys.stderr)


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "scripts/test mutants", description=__doc__, formatter_class=shape
    )
    packages = sorted(path.parent.name for path in ROOT.glob("study/*/__init__.py"))
    parser.add_argument("parts", nargs="*", default=packages, metavar="PART")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="places in each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    for part in given.parts:
        if not modules(part) or not (ROOT / folder_of(part)).is_dir():
            parser.error(f"no package of study, or path below one, is called '{part}'")
    for name, value in (("--sample", given.sample), ("--workers", given.workers)):
        if value < 1:
            parser.error(f"{name} is {value}: it must be at least 1")
    STATE.mkdir(exist_ok=True)
    for part in given.parts:
        run(part, given.sample, given.seed, given.workers)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What the harness adds to each trial that is a program: a shell script that prints two lines.

scripts/measure_programs.py [TRIALS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from study.execution import driver
from study.execution.request import Request
from study.machine.here import this_machine
from study.spec.study import StudySpec

SCRIPT = """echo '{"step": 0}'
echo '{"step": 1, "accuracy": 0.5}'
"""


def main() -> None:
    """Print the seconds of the script alone, in a study, and the difference."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "tiny.sh"
        script.write_text(SCRIPT, encoding="utf-8")
        spec = StudySpec(
            command=["sh", str(script)], rates=f"1e-3:1:{trials}", optimizers=("any",), target=0.9
        )
        begun = time.perf_counter()
        for _ in range(trials):
            subprocess.run(["sh", script], stdout=subprocess.DEVNULL, check=True)
        alone = (time.perf_counter() - begun) / trials
        # Imports and the first look at the machine are no part of a trial.
        first = Request(spec.with_(rates=(2.0,)), Path(scratch) / "first", workers=1)
        driver.run(first, progress=False)
        begun = time.perf_counter()
        driver.run(Request(spec, Path(scratch) / "out", workers=1), progress=False)
        taken = (time.perf_counter() - begun) / trials
    print(
        f"{this_machine().name}, {trials} trials: {1e3 * alone:.1f} ms alone, {1e3 * taken:.1f} ms "
        f"in a study, so {1e3 * (taken - alone):.1f} ms are the harness's"
    )


if __name__ == "__main__":
    main()

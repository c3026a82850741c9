#!/usr/bin/env python
"""How many trials can one driver take in? Simulated ones, parabolas that train in no time, come
from dask's workers as fast as they can.

    PYTHONPATH=.:tests .venv/bin/python scripts/measure_driver.py [--trials 100000] [--workers 2]

Prints seconds of planning, rows a second from the first task to the last row on the disk, the
driver's peak memory, and bytes a run. The workers share the machine's cores with the driver and the
scheduler, so the rate is a lower bound.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from study.data.images import Images
from study.execution import driver, study_folder
from study.execution.planning.plan import plan
from study.execution.request import Request
from study.machine.here import this_site
from study.spec.study import StudySpec
from study.storage.store import Store
from support.parabola import ParabolaEngine, calibrated

CELLS = 500
"""5 optimizers x 100 rates; the rest are seeds."""


def engine(images: Images) -> ParabolaEngine:
    """The engine of parabolas."""
    return ParabolaEngine()


def main() -> None:
    """Run the simulated study in a temporary folder and print what it took."""
    parser = argparse.ArgumentParser(
        description="Measure the driver on simulated trials that come through dask."
    )
    parser.add_argument(
        "--trials", type=int, default=100_000, help=f"how many, a multiple of {CELLS}"
    )
    parser.add_argument("--workers", type=int, default=2, help="dask's worker processes")
    arguments = parser.parse_args()
    optimizers = ("sgd", "momentum", "adam", "adagrad", "rmsprop")
    spec = StudySpec(
        name="simulated",
        optimizers=optimizers,
        rates="1e-4:1:100",
        seeds=arguments.trials // CELLS,
        max_steps=500,
    )
    with tempfile.TemporaryDirectory() as folder:
        store, site = Store(Path(folder)), this_site()
        times = calibrated(
            study_folder.calibration_of(store.folder, shared=False), spec.trials(), 0.002
        )
        begun = time.perf_counter()
        todo = plan(
            spec.trials(),
            set(),
            times,
            driver.outlook(Request(spec, store.folder, arguments.workers)).crews[0].use,
        )
        planning = time.perf_counter() - begun
        driver.run(
            Request(spec, store.folder, workers=arguments.workers, backend="dask", factory=engine),
            progress=False,
        )
        seconds: dict[str, float] = {}
        for row in store.spent():
            for name, value in row.seconds.items():
                seconds[name] = seconds.get(name, 0.0) + value
        rows = len(store.runs())
        answer = {
            "machine": site.machine.name,
            "trials": rows,
            "tasks": len(todo.groups),
            "workers": arguments.workers,
            "planning_seconds": round(planning, 1),
            "rows_per_second": round(rows / seconds["workers"], 1),
            "driver_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "bytes_per_run": {
                path.name: round(path.stat().st_size / rows)
                for path in (store.runs_path, store.checks_path)
            },
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
        }
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()

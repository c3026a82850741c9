#!/usr/bin/env python
"""How well is a step time measured while other programs run?

Estimates beside 0, 1, 2, 4 and 8 busy processes are held against those of the quiet machine.

    .venv/bin/python scripts/benchmark_load.py                # some ten minutes
    .venv/bin/python scripts/benchmark_load.py --repeats 1    # a third of that

It writes load.json and load.md to results/<machine>/benchmark.

The busy processes are started here and ended by their ids. Each load is taken in turn, `--repeats`
times, so that a drift of the machine falls on all of them. An estimate's value is that of the
pooled rounds over the median of the rounds without load.

  median      of rounds of 0.25 s, which is what a quiet machine's reading is
  quartile    their lower quartile
  least       their least
  longer      the median of rounds of 1 s
  processor   the median of the processor seconds a step, of all threads
  reading     the lesser of quartile and processor: a busy machine's reading (`Rounds.estimate`)
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd

from study import data
from study.engines.choice import EngineChoice
from study.engines.learner import Learner
from study.execution.executors.pool import Pool
from study.execution.measuring import probe
from study.machine.clock import running
from study.machine.here import this_machine, this_site
from study.machine.quiet import Meter
from study.spec.presets import preset
from study.spec.trial import Trial
from study.storage.rounds import Rounds
from study.training.timing import MIN_ROUND_STEPS, ROUND_SECONDS, ROUNDS, time_round

LOADS = (0, 1, 2, 4, 8)
LANES = {"compact": 16, "tutorial": 4}
LONGER_ROUNDS, LONGER_SECONDS = 4, 1.0
PROBES = 1
"""Times that the arrays of the workers are probed at each load; a probe has a few rounds a worker.
"""


BUSY = """
import os, sys
if os.fork():
    os._exit(0)  # an orphan is no child of the benchmark, whose own processes are not others
print(os.getpid(), flush=True)
while os.path.exists(f"/proc/{sys.argv[1]}"):
    for _ in range(10_000_000):
        pass
"""


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes of another family that do nothing but take a processor, until this one
    ends.
    """
    started = [
        subprocess.Popen(
            [sys.executable, "-c", BUSY, str(os.getpid())], stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    ids = [int(process.stdout.readline()) for process in started if process.stdout]
    for process in started:
        process.wait()
    try:
        yield
    finally:
        for id_ in ids:
            os.kill(id_, signal.SIGKILL)


def timed(learner: Learner, count: int, seconds: float) -> Rounds:
    """Rounds of about so many seconds each."""
    begun = running()
    learner.advance(np.full((MIN_ROUND_STEPS, learner.lanes), 1e-4))
    steps = max(MIN_ROUND_STEPS, round(seconds / ((running() - begun) / MIN_ROUND_STEPS)))
    rounds = Rounds([], steps)
    for _ in range(count):
        time_round(rounds, learner, steps, 1, running)
    return rounds


def measure(repeats: int) -> pd.DataFrame:
    """A row a (network, lanes, load) with the rounds that were timed, and what others took of the
    cores.
    """
    trials: dict[str, Trial] = {
        name: preset("quick").with_(network=name, optimizers=("adam",)).trials()[0]
        for name in LANES
    }
    factory, jobs = EngineChoice(), this_machine().cores
    engine = factory(data.load("mnist"))
    alone = {name: engine.learner([trial]) for name, trial in trials.items()}
    crew = Pool(jobs, "mnist", factory)
    rows = []
    for learner in alone.values():
        learner.prepare()
    for _ in range(repeats):
        for load in LOADS:
            with busy(load):
                for name, trial in trials.items():
                    meter = Meter()
                    short, longer = (
                        timed(alone[name], ROUNDS, ROUND_SECONDS),
                        timed(alone[name], LONGER_ROUNDS, LONGER_SECONDS),
                    )
                    rows.append(
                        (
                            name,
                            1,
                            load,
                            short.seconds,
                            short.processor,
                            longer.seconds,
                            meter.read().others,
                        )
                    )
                    if jobs > 1:
                        probes = [
                            probe(crew, trial, [LANES[name]])[LANES[name]] for _ in range(PROBES)
                        ]
                        seconds, processor = (
                            [v for one in probes for v in getattr(one, part)]
                            for part in ("seconds", "processor")
                        )
                        others = max(one.load.others for one in probes if one.load)
                        rows.append((name, LANES[name], load, seconds, processor, [], others))
            print(f"{load} busy processes beside: measured", file=sys.stderr)
    crew.close()
    table = pd.DataFrame(
        rows, columns=["network", "lanes", "load", "seconds", "processor", "longer", "others"]
    )
    return table.groupby(["network", "lanes", "load"], as_index=False).agg(
        {
            "seconds": "sum",
            "processor": "sum",
            "longer": "sum",
            "others": "median",
        }  # lists are joined
    )


def estimates(table: pd.DataFrame) -> pd.DataFrame:
    """Each estimate over the quiet median."""
    rows = []
    for (network, lanes), group in table.groupby(["network", "lanes"]):
        quiet = statistics.median(group["seconds"].iloc[0])
        for row in group.itertuples():
            quartile, processor = (
                float(np.quantile(row.seconds, 0.25)),
                statistics.median(row.processor),
            )
            found = {
                "median": statistics.median(row.seconds),
                "quartile": quartile,
                "least": min(row.seconds),
                "longer": statistics.median(row.longer) if row.longer else float("nan"),
                "processor": processor,
                "reading": min(quartile, processor) if row.load else statistics.median(row.seconds),
            }
            what = f"{network}, {'alone' if lanes == 1 else f'arrays of {lanes}'}"
            rows.append(
                {
                    "what": what,
                    "busy": row.load,
                    "others": row.others,
                    **{name: value / quiet for name, value in found.items()},
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="how often each load is taken")
    parser.add_argument("--out", type=Path, help="the folder to write to")
    arguments = parser.parse_args()
    table = measure(arguments.repeats)
    found = estimates(table)
    out = arguments.out or Path("results") / this_machine().name / "benchmark"
    out.mkdir(parents=True, exist_ok=True)
    site = this_site()
    answer = {
        "machine": site.machine.to_json(),
        "versions": dict(site.versions),
        "repeats": arguments.repeats,
    }
    (out / "load.json").write_text(
        json.dumps({**answer, "rounds": table.to_dict("records")}, indent=1) + "\n"
    )
    head = [str(name) for name in found.columns]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found.itertuples(index=False):
        cells = [
            "" if value != value else f"{value:.2f}" if isinstance(value, float) else str(value)
            for value in row
        ]
        lines.append("| " + " | ".join(cells) + " |")
    (out / "load.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

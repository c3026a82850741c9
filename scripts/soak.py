"""Does a driver that runs study after study keep its memory and its files? A row a minute, as a
Markdown table.

    .venv/bin/python scripts/soak.py [MINUTES]      # 60 where not given

The `smoke` study, calibration, tables and figures included, over and over in one process. Exit code
1 if the memory of the last minute is more than 5 % above that after a sixth of the time, or more
files are open.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

GROWTH = 1.05


def main() -> int:
    """Run studies for so many minutes; print the table."""
    import psutil

    from study import figures, tables
    from study.execution import driver
    from study.execution.request import Request
    from study.spec.presets import preset

    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    process, begun, studies, rows = psutil.Process(), time.monotonic(), 0, []
    print("| minutes | studies | RSS, MB | open files | threads |\n|---|---|---|---|---|")
    while time.monotonic() - begun < 60 * minutes:
        with tempfile.TemporaryDirectory() as out:
            driver.run(Request(preset("smoke"), Path(out) / "smoke", workers=1), progress=False)
            tables.write(Path(out) / "smoke")
            figures.write(Path(out) / "smoke")
        studies += 1
        elapsed = (time.monotonic() - begun) / 60
        if elapsed >= len(rows) + 1 or elapsed >= minutes:
            rows.append((elapsed, process.memory_info().rss / 1e6, process.num_fds()))
            print(
                f"| {elapsed:.0f} | {studies} | {rows[-1][1]:.0f} | {rows[-1][2]} | "
                f"{process.num_threads()} |",
                flush=True,
            )
    settled = next(row for row in rows if row[0] >= minutes / 6)
    return int(rows[-1][1] > GROWTH * settled[1] or rows[-1][2] > settled[2])


if __name__ == "__main__":
    sys.exit(main())

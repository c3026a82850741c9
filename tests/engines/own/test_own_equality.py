"""A lane of the user's own model trains as the framework's own loop does: Keras's fit, PyTorch's
loop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("way", ["tensorflow", "jax", "jax-dense", "torch", "torch-module"])
def test_a_lane_equals_the_frameworks_own_loop_over_200_steps(way: str) -> None:
    """From the same weights, batches and dropout, with the statistics of BatchNorm."""
    backend = {} if way == "torch-module" else {"KERAS_BACKEND": way.partition("-")[0]}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "scripts" / "equality.py"), way],
        env={**os.environ, **backend, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    rows = json.loads(told.splitlines()[-1])
    assert len(rows) == 8
    assert all(row["together"] == (way in ("jax-dense", "torch-module")) for row in rows)
    for row in rows:
        assert row["loss"] < 2e-5, row
        assert row["weight"] < 2e-4, row

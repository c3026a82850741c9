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


WAYS = {
    "tensorflow": "tensorflow",
    "jax": "jax=sgd,adamw jax-dense=adam,lion",
    "torch": "torch",
    "torch-module": "torch-module",
}
"""What trains, by what one process holds. On JAX all optimizers take the same step, so that each
is tried in one of its two ways.
"""


@pytest.mark.parametrize("name", WAYS)
def test_a_lane_equals_the_frameworks_own_loop_over_200_steps(name: str) -> None:
    """From the same weights, batches and dropout, with the statistics of BatchNorm."""
    backend = {} if name == "torch-module" else {"KERAS_BACKEND": name}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "scripts/equality.py"), *WAYS[name].split()],
        env={**os.environ, **backend, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    rows = json.loads(told.splitlines()[-1])
    assert len({(row["optimizer"], row["rate"]) for row in rows}) == len(rows) == 8
    for row in rows:
        assert row["together"] == (row["trained by"] in ("jax-dense", "torch-module"))
        assert row["loss"] < 2e-5, row
        assert row["weight"] < 2e-4, row

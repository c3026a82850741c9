"""Versions and settings that numbers and seconds depend on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from study.machine.nvidia import gpus

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""Environment variable: may TensorFlow use oneDNN?"""


THREADS = {"tensorflow": "TF_NUM_INTRAOP_THREADS", "jax": "NPROC"}
"""Environment variables: how many threads does an operation get?"""


def settle_onednn() -> str | None:
    """Whether TensorFlow computes with oneDNN here, `on` or `off`; where nobody has decided, it is
    switched on for this process and those that it starts.

    TensorFlow alone leaves it off on x86 processors without AVX-512 VNNI, AVX-VNNI or AMX, where it
    is three times as fast as TensorFlow's own kernels all the same. None on other processors, where
    it is TensorFlow's to decide.
    """
    if platform.machine().lower() not in ("x86_64", "amd64") or platform.system() == "Darwin":
        return None
    if os.environ.get(ONEDNN, "").lower() not in ("0", "1", "false", "true"):
        os.environ[ONEDNN] = "1"
    on = os.environ[ONEDNN].lower() in ("1", "true")
    port = sys.modules.get("tensorflow.python.util._pywrap_util_port")
    if (
        port is not None
    ):  # TensorFlow may have been imported by the caller, before there was a decision
        on = bool(port.IsMklEnabled())
        os.environ[ONEDNN] = str(int(on))  # as the caller's, so that all processes compute alike
    return "on" if on else "off"


PACKAGES = {"tensorflow": ("tensorflow", "keras", "numpy"), "jax": ("jax", "jaxlib", "numpy")}


@cache
def versions_of(engine: str) -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for package in PACKAGES[engine]:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    found += [("driver", driver) for driver in gpus("driver_version")[:1]]
    settings = {
        "onednn": settle_onednn() if engine == "tensorflow" else None,
        "threads": os.environ.get(THREADS[engine]),
    }
    found += [(name, value) for name, value in settings.items() if value]
    return (*found, ("study", project_version()))


def versions(engine: str = "tensorflow") -> dict[str, str]:
    """Versions of Python, of the packages that the engine's numbers depend on, of the GPU's driver
    where there is one, and the project's commit (its version where a wheel installed it); for
    TensorFlow also whether oneDNN is on, and the number of threads where it was set.
    """
    return dict(versions_of(engine))


def project_version() -> str:
    """The project's commit, or its version where a wheel installed it."""
    root = Path(__file__).parent.parent.parent
    if not (root / ".git").exists():  # installed: a repository around it would be somebody else's
        with suppress(PackageNotFoundError):
            return version("learning-rate-study")
        return "unknown"
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"

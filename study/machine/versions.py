"""Versions and settings that numbers and seconds depend on."""

from __future__ import annotations

import os
import platform
import sys
import tomllib
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from study.machine.nvidia import gpus
from study.machine.programs import answer_of

PROJECT = "learning-rate-study"

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""The environment variable that allows TensorFlow to use oneDNN, or forbids it."""


THREADS = {"tensorflow": "TF_NUM_INTRAOP_THREADS", "jax": "NPROC", "torch": "OMP_NUM_THREADS"}
"""The environment variables that set the threads of one operation."""


def settle_onednn() -> str | None:
    """Switch oneDNN on for this process and its children, unless the user has decided.

    TensorFlow by itself leaves it off on x86 processors without AVX-512 VNNI, AVX-VNNI or AMX.
    There too it is three times as fast as TensorFlow's own kernels.

    Returns:
        `on` or `off`; None on other processors, where TensorFlow decides.
    """
    if platform.machine().lower() not in ("x86_64", "amd64") or platform.system() == "Darwin":
        return None
    if os.environ.get(ONEDNN, "").lower() not in ("0", "1", "false", "true"):
        os.environ[ONEDNN] = "1"
    on = os.environ[ONEDNN].lower() in ("1", "true")
    port = sys.modules.get("tensorflow.python.util._pywrap_util_port")
    if port is not None:
        # The caller imported TensorFlow before there was a decision. All processes follow it.
        on = bool(port.IsMklEnabled())
        os.environ[ONEDNN] = str(int(on))
    return "on" if on else "off"


PACKAGES = {
    "tensorflow": ("tensorflow", "keras", "numpy", "halide"),
    "jax": ("jax", "jaxlib", "numpy"),
    "torch": ("torch", "numpy"),
    "program": (),
}


@cache
def versions_of(engine: str) -> tuple[tuple[str, str], ...]:
    """The items of `versions`."""
    found = [("python", platform.python_version())]
    for package in PACKAGES[engine]:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    found += [("driver", gpu.driver) for gpu in gpus()[:1]]
    settings = {
        "onednn": settle_onednn() if engine == "tensorflow" else None,
        "threads": os.environ.get(THREADS.get(engine, "")),
    }
    found += [(name, value) for name, value in settings.items() if value]
    return (*found, ("study", project_version()))


def versions(engine: str = "tensorflow") -> dict[str, str]:
    """Versions and settings that the numbers of an engine depend on.

    These are the versions of Python, of the engine's packages and of the GPU's driver. `study` is
    the commit of this project, or its version where a wheel installed it. For TensorFlow `onednn`
    is on or off. `threads` is there where their number was set.
    """
    return dict(versions_of(engine))


def project_version() -> str:
    """The project's commit, or its version where a wheel installed it."""
    root = Path(__file__).parent.parent.parent
    if not _is_own_repository(root):
        with suppress(PackageNotFoundError):
            return version(PROJECT)
        return "unknown"
    answer = answer_of(["git", "-C", str(root), "describe", "--always", "--dirty"])
    return (answer or "").strip() or "unknown"


def _is_own_repository(root: Path) -> bool:
    """Whether the package lies in the project's repository, not in one that belongs to somebody
    else, which holds a copy of it.
    """
    if not (root / ".git").exists():
        return False
    with suppress(OSError, ValueError):
        named = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        return bool(named.get("project", {}).get("name") == PROJECT)
    return False

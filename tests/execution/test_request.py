"""Who may train: what makes no sense or is not installed is refused at once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support.driving import SMALL, SPEC, engine
from support.parabola import ParabolaEngine
from support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("backend", "scheduler", "sentence"),
    [
        ("loky", "tcp://127.0.0.1:1", "is for the backends dask and ray"),
        ("spark", None, "backend.*spark"),
        ("ray", None, "needs --scheduler ray://HOST:PORT: "),
        ("ray", "127.0.0.1:6379", "'127.0.0.1:6379' must be ray://HOST:PORT"),
        ("ray", "ray://head", "'ray://head' must be ray://HOST:PORT"),
        ("dask", "", "scheduler '' must be tcp://HOST:PORT or tls://HOST:PORT"),
        ("dask", "nonsense", "scheduler 'nonsense' must be"),
        ("dask", "foo://a:1", "scheduler 'foo://a:1' must be"),
        ("dask", "tcp://127.0.0.1:99999", "scheduler 'tcp://127.0.0.1:99999' must be"),
        ("dask", "tls://127.0.0.1:8786", "needs dask's TLS settings"),
    ],
)
def test_backends_that_make_no_sense_are_refused(
    folder: Path, backend: str, scheduler: str | None, sentence: str
) -> None:
    """At once, and before anything of the study is written."""
    with pytest.raises(StudyError, match=sentence):
        driver.run(
            Request(SPEC, folder, backend=backend, scheduler=scheduler, factory=engine),
            progress=False,
        )
    assert {path.name for path in folder.glob("*")} <= {".lock"}


def test_a_folder_in_use_is_told_before_a_cluster_is_asked(folder: Path) -> None:
    """Its answer could take as long as the other driver's arrays."""
    with Store(folder).writing(), pytest.raises(StudyError, match="another process"):
        driver.run(
            Request(SPEC, folder, backend="dask", scheduler="tcp://127.0.0.1:1", factory=engine),
            progress=False,
        )


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_backend_that_is_not_installed_names_the_file(
    folder: Path, backend: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StudyError, match=f"pip install -r requirements-{backend}.txt"):
        driver.run(
            Request(SPEC, folder, backend=backend, scheduler="ray://127.0.0.1:1", factory=engine),
            progress=False,
        )
    assert (ROOT / f"requirements-{backend}.txt").exists()


def test_what_the_checks_need_of_dask_is_what_users_are_told_to_install() -> None:
    """The same pins."""
    wanted = [
        line
        for line in (ROOT / "requirements-dask.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert set(wanted) <= set((ROOT / "requirements.txt").read_text().splitlines())


SPELLINGS: dict[str, Callable[[Path], str]] = {
    "a dot": lambda path: str(path.parent) + "/./" + path.name,
    "two dots": lambda path: str(path.parent / "moved" / ".." / path.name),
    "relative": lambda path: os.path.relpath(path),
    "a link": lambda path: str(path.parent / "link.npz"),
    "a copy": lambda path: str(path.parent / "moved" / "copy.npz"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_data_are_the_same_however_their_path_is_written(tmp_path: Path, spelling: str) -> None:
    """A study goes on with the same images from another place, and plans so; other images are
    refused.
    """
    path = tmp_path / "images.npz"
    arrays = dict(np.load(ROOT / "study" / "data" / "mnist.npz"))
    small = {name: array[:10_100] for name, array in arrays.items()}
    np.savez(path, **small)
    (tmp_path / "moved").mkdir()
    (tmp_path / "link.npz").symlink_to(path)
    shutil.copy(path, tmp_path / "moved" / "copy.npz")
    spec = SMALL.with_(rates=(0.1, 0.2), dataset=str(path))
    out = tmp_path / "study"
    factory = lambda images: ParabolaEngine()  # noqa: E731

    def request(name: str, rates: tuple[float, ...]) -> Request:
        asked = spec.with_(dataset=name, rates=rates)
        return Request(asked, out, factory=factory, workers=1)

    driver.run(request(str(path), (0.1, 0.2)), progress=False)
    before = Store(out).runs()
    other = SPELLINGS[spelling](path)
    assert len(driver.outlook(request(other, (0.1, 0.2, 0.3))).plan.pending) == len(before) // 2
    driver.run(request(other, (0.1, 0.2, 0.3)), progress=False)
    runs = Store(out).runs()
    assert runs[: len(before)] == before
    assert len(runs) == len(before) * 3 // 2
    assert {run.trial.dataset for run in runs} == {str(path)}
    np.savez(tmp_path / "other.npz", **{**small, "y_test": small["y_test"][::-1]})
    with pytest.raises(StudyError, match="dataset is"):
        driver.run(request(str(tmp_path / "other.npz"), (0.1,)), progress=False)

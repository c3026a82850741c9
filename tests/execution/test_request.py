"""Who may train: what makes no sense or is not installed is refused at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support.driving import SPEC, engine
from support.paths import ROOT


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

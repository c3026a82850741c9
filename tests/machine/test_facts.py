"""The machine that seconds belong to."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cpuinfo
import pytest

from study.machine import processor
from study.machine.facts import Machine, software
from study.machine.here import this_machine
from study.machine.processor import processor_in
from study.machine.versions import ONEDNN, settle_onednn, versions
from support.parabola import MACHINE
from support.paths import V1


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (MACHINE, "test-2-cores"),
        (replace(MACHINE, cpu="Intel(R) Xeon(R) CPU @ 2.20GHz", cores=4), "intel-xeon-4-cores"),
        (
            replace(MACHINE, cpu="AMD Ryzen 7 5800X 8-Core Processor", cores=16),
            "amd-ryzen-7-5800x-8-core-16-cores",
        ),
        (replace(MACHINE, gpus=("NVIDIA A100-SXM4-80GB",) * 2), "nvidia-a100-sxm4-80gb-x2"),
        (replace(MACHINE, cpu="../../etc/passwd"), "etc-passwd-2-cores"),
    ],
)
def test_the_name_is_a_folder_that_a_person_recognises(machine: Machine, name: str) -> None:
    """Letters, digits and dashes, whatever the processor calls itself."""
    assert machine.name == name


def test_the_fingerprint_follows_what_decides_the_speed() -> None:
    """Another processor, core count or GPU is another machine; more memory is not."""
    others = [replace(MACHINE, cpu="x"), replace(MACHINE, cores=4), replace(MACHINE, gpus=("g",))]
    assert len({MACHINE.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert replace(MACHINE, memory_gb=64).fingerprint == MACHINE.fingerprint


GENOA = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu sse4_2 avx f16c fma avx2 avx512f avx512bw avx512_vnni

processor\t: 1
model name\t: another
"""
ROME = GENOA.replace("17", "49").replace(" avx512f avx512bw avx512_vnni", "")
GRAVITON = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd sve bf16
CPU implementer\t: 0x41
CPU part\t: 0xd40
CPU revision\t: 1
"""


def test_kinds_of_processor_with_one_name_are_told_apart() -> None:
    """By model and vectors: two machines, two names, two folders."""
    machines = []
    for text in (GENOA, ROME):
        processor = processor_in(text)
        assert processor is not None
        assert processor.name == "AMD EPYC"
        machines.append(
            replace(MACHINE, cpu=processor.name, model=processor.model, vectors=processor.vectors)
        )
    assert [one.name for one in machines] == [
        "amd-epyc-25-17-avx512-2-cores",
        "amd-epyc-25-49-avx2-2-cores",
    ]
    assert [one.model for one in machines] == ["25.17.1", "25.49.1"]
    assert len({one.fingerprint for one in machines}) == 2
    assert len({one.old_fingerprint for one in machines}) == 1
    assert (
        replace(machines[0], vectors=machines[0].vectors[:-1]).fingerprint
        != machines[0].fingerprint
    )
    assert Machine.from_json(machines[0].to_json()) == machines[0]


def test_a_processor_without_a_name_is_left_to_another_reader() -> None:
    """As ARM's are in that file; where they have one, it is read."""
    assert processor_in(GRAVITON) is None
    assert processor_in("") is None
    named = processor_in(GRAVITON + "model name\t: Neoverse-V1\n")
    assert named is not None
    assert (named.name, named.model, named.vectors) == (
        "Neoverse-V1",
        "0x41.0xd40.1",
        ("asimd", "sve", "bf16"),
    )


def test_a_stored_machine_keeps_the_fingerprint_that_it_has() -> None:
    """Files of older versions tell no model, and are known by the processor's name alone."""
    row = json.loads((V1 / "machine.json").read_text())
    stored = Machine.from_json(row)
    assert stored.model == ""
    assert stored.fingerprint == stored.old_fingerprint == row["fingerprint"]
    assert stored.name == row["name"]


@pytest.mark.parametrize(
    ("given", "is_now", "left"),
    [
        (None, "on", "1"),
        ("", "on", "1"),
        ("2", "on", "1"),
        ("1", "on", "1"),
        ("0", "off", "0"),
        ("False", "off", "False"),
    ],
)
def test_onednn_is_switched_on_where_nobody_has_decided(
    monkeypatch: pytest.MonkeyPatch, given: str | None, is_now: str, left: str
) -> None:
    """On x86 processors, before TensorFlow is imported; the user's word counts."""
    monkeypatch.setattr("study.machine.versions.platform.machine", lambda: "x86_64")
    monkeypatch.setattr("study.machine.versions.platform.system", lambda: "Linux")
    monkeypatch.delitem(sys.modules, "tensorflow.python.util._pywrap_util_port", raising=False)
    monkeypatch.delenv(ONEDNN, raising=False)
    if given is not None:
        monkeypatch.setenv(ONEDNN, given)
    assert settle_onednn() == is_now
    assert os.environ[ONEDNN] == left


@pytest.mark.parametrize("on", [True, False])
def test_a_tensorflow_that_is_there_already_has_decided(
    monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    """And the processes that are started later follow it."""
    monkeypatch.setattr("study.machine.versions.platform.machine", lambda: "x86_64")
    monkeypatch.setattr("study.machine.versions.platform.system", lambda: "Linux")
    monkeypatch.setitem(
        sys.modules,
        "tensorflow.python.util._pywrap_util_port",
        SimpleNamespace(IsMklEnabled=lambda: on),
    )
    monkeypatch.setenv(ONEDNN, "1")
    assert settle_onednn() == ("on" if on else "off")
    assert os.environ[ONEDNN] == str(int(on))


@pytest.mark.parametrize(
    ("processor", "system"), [("arm64", "Darwin"), ("aarch64", "Linux"), ("x86_64", "Darwin")]
)
def test_elsewhere_onednn_is_tensorflows_to_decide(
    monkeypatch: pytest.MonkeyPatch, processor: str, system: str
) -> None:
    """Nothing is set and nothing recorded."""
    monkeypatch.setattr("study.machine.versions.platform.machine", lambda: processor)
    monkeypatch.setattr("study.machine.versions.platform.system", lambda: system)
    monkeypatch.delenv(ONEDNN, raising=False)
    assert settle_onednn() is None
    assert ONEDNN not in os.environ


def test_the_software_tells_the_settings_that_its_speed_hangs_on() -> None:
    """Rows of older versions tell none, and are another software's."""
    rows = [
        {"tensorflow": "2.21.0"},
        {"tensorflow": "2.21.0", "onednn": "off"},
        {"tensorflow": "2.21.0", "onednn": "on", "threads": "1"},
    ]
    assert [software("tensorflow", row, "float32") for row in rows] == [
        "tensorflow 2.21.0 float32",
        "tensorflow 2.21.0 float32 (oneDNN off)",
        "tensorflow 2.21.0 float32 (oneDNN on, threads 1)",
    ]


def test_cores_follow_the_affinity_and_not_joblib() -> None:
    """One core that the process may use is one; a joblib that may start no processes has no say."""
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
        "from study.machine.processor import usable_cores as n; print(n())"
    )
    cores = [
        subprocess.run(
            [sys.executable, "-c", line],
            env={**os.environ, "JOBLIB_MULTIPROCESSING": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        for line in (
            code,
            code.replace("[min(os.sched_getaffinity(0))]", "os.sched_getaffinity(0)"),
        )
    ]
    assert [int(answer.stdout) for answer in cores] == [1, processor.usable_cores()]


def groups(folder: Path, files: dict[str, str]) -> Path:
    """A folder of control groups with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        (
            "0::/user/me\n",
            {"user/cpu.max": "50000 100000\n", "user/me/cpu.max": "200000 100000\n"},
            0.5,
        ),
        (
            "0::/user/me\n",
            {"user/cpu.max": "max 100000\n", "user/me/cpu.max": "200000 100000\n"},
            2.0,
        ),
        (
            "5:cpu,cpuacct:/job\n3:memory:/\n",
            {"cpu/job/cpu.cfs_quota_us": "100000\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
            1.0,
        ),
        (
            "5:cpu:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ("5:memory:/job\n", {"cpu.max": "50000 100000\n"}, math.inf),
    ],
)
def test_a_quota_of_processor_time_counts(
    tmp_path: Path, own: str, files: dict[str, str], cores: float
) -> None:
    """Of either version of Linux's control groups: the least on the way up."""
    mine = tmp_path / "own"
    mine.write_text(own)
    assert processor.quota(mine, groups(tmp_path / "groups", files)) == cores


def test_no_control_groups_are_no_quota(tmp_path: Path) -> None:
    """As on other systems."""
    assert processor.quota(tmp_path / "none", tmp_path) == math.inf


def test_this_machine_and_its_versions() -> None:
    """Real values of the machine the test runs on."""
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_gb >= 1
    assert re.fullmatch(r"[a-z0-9-]+", machine.name)
    assert machine.cpu == cpuinfo.get_cpu_info()["brand_raw"], "however it was found out"
    assert machine.to_json()["fingerprint"] == machine.fingerprint
    assert {"python", "tensorflow", "keras", "numpy", "study"} <= set(versions())

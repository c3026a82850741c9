"""The machine that seconds belong to."""

from __future__ import annotations

import re
from dataclasses import replace

import cpuinfo
import pytest
from parabola import MACHINE

from study.machine import Machine, this_machine, versions


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (MACHINE, "test-2-cores"),
        (replace(MACHINE, cpu="Intel(R) Xeon(R) CPU @ 2.20GHz", cores=4), "intel-xeon-4-cores"),
        (replace(MACHINE, cpu="AMD Ryzen 7 5800X 8-Core Processor", cores=16), "amd-ryzen-7-5800x-8-core-16-cores"),
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


def test_this_machine_and_its_versions() -> None:
    """Real values of the machine the test runs on."""
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_gb >= 1
    assert re.fullmatch(r"[a-z0-9-]+", machine.name)
    assert machine.cpu == cpuinfo.get_cpu_info()["brand_raw"], "however it was found out"
    assert machine.to_json()["fingerprint"] == machine.fingerprint
    assert {"python", "tensorflow", "keras", "numpy", "study"} <= set(versions())

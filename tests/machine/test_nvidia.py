"""GPUs as the driver's program tells of them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from study.engines.choice import ENGINES, EngineChoice
from study.errors import StudyError
from study.execution import driver
from study.execution.planning import resources
from study.execution.request import Request
from study.machine import device, here, memory, nvidia, versions
from study.machine.facts import Machine
from study.spec.study import StudySpec
from support.command import call
from support.engines.images import images

pytestmark = pytest.mark.slow

FACTS = {
    "uuid": ("GPU-aa", "GPU-bb"),
    "name": ("H200", "T4"),
    "compute_cap": ("9.0", "7.5"),
    "driver_version": ("570.1", "570.1"),
    "memory.free": ("1000 MiB", "2000 MiB"),
}


def told(facts: Mapping[str, tuple[str, ...]]) -> Callable[..., list[list[str]]]:
    """What the driver's program answers; nothing where it does not know one of the properties."""
    return lambda *properties: (
        [list(row) for row in zip(*(facts[name] for name in properties), strict=True)]
        if set(properties) <= set(facts)
        else []
    )


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with two GPUs, of which the second has no TF32."""
    monkeypatch.setattr(nvidia, "ask", told(FACTS))
    monkeypatch.setattr(memory, "ask", told(FACTS))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("JAX_PLATFORMS", os.environ.get("JAX_PLATFORMS", ""))
    forget()
    yield
    forget()


def forget() -> None:
    """What was found out about the machine is found out anew."""
    for fact in (nvidia.every_gpu, device.current, here.this_machine, versions.versions_of):
        fact.cache_clear()


@pytest.mark.parametrize(
    ("named", "places"),
    [
        (None, [0, 1]),
        ("1", [1]),
        ("1,0", [1, 0]),
        ("GPU-bb", [1]),
        ("0,7,1", [0]),
        ("7,0", []),
        ("-1", []),
        ("", []),
    ],
)
def test_what_cuda_shows_is_what_is_seen(
    gpus: None, monkeypatch: pytest.MonkeyPatch, named: str | None, places: list[int]
) -> None:
    """In its order; what follows a name of nothing is not seen."""
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert nvidia.visible() == places
    assert [gpu.name for gpu in nvidia.gpus()] == [FACTS["name"][place] for place in places]


def test_a_device_is_chosen_by_name_and_the_machine_is_what_is_left(
    gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU's machine on `cpu` is the processor's machine, so that its seconds are kept apart."""

    def left() -> Machine:
        forget()
        return here.this_machine()

    assert left().gpus == ("H200", "T4")
    device.choose("gpu")
    assert device.current() == "GPU-aa"
    assert memory.free_memory() == 1000 * 2**20
    device.choose("gpu:1")
    assert (left().gpus, device.current()) == (("T4",), "GPU-bb")
    assert left().name == "t4-x1"
    with pytest.raises(StudyError, match="device gpu:1: 1 GPUs are seen here"):
        device.choose("gpu:1")
    device.choose("cpu")
    assert (left().gpus, device.current()) == ((), "cpu")
    assert "core" in left().name
    assert os.environ["JAX_PLATFORMS"] == "cpu"
    with pytest.raises(StudyError, match="device gpu: 0 GPUs are seen here"):
        device.choose("gpu")


@pytest.mark.parametrize(("name", "network"), [("gpu:0", "tutorial"), ("cpu", "compact")])
def test_the_device_is_settled_before_a_preset_asks_for_the_machine(
    gpus: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, network: str
) -> None:
    """On a machine with GPUs `sizes` takes the large network, on its processor the small one, and
    the machine is what is left of it.
    """
    asked: list[tuple[str, bool]] = []

    def outlook(request: Request, *arguments: object) -> None:
        asked.append((request.spec.network, bool(here.this_machine().gpus)))
        raise StudyError("enough")

    monkeypatch.setattr(driver, "outlook", outlook)
    here.this_machine()  # somebody has asked before
    assert call("plan", "sizes", "--device", name, "--out", tmp_path / "new").returncode == 2
    assert asked == [(network, network == "tutorial")]


@pytest.mark.parametrize(
    "name", ["", "tpu", "gpu:", "gpu:x", "cpu:0", "GPU", "gpu:-1", "gpu:²", "cpu:"]
)
def test_a_device_that_is_none_is_refused(name: str) -> None:
    """With what would be right."""
    with pytest.raises(StudyError, match="must be cpu, gpu or gpu:N"):
        device.choose(name)


def test_precision_is_what_the_gpu_has(gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """TF32 by default where every GPU has it; float32 when asked for; never TF32 where there is
    none.
    """
    assert nvidia.resolved("default") == "float32", "not all of them have it"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [nvidia.resolved(precision) for precision in ("default", "float32", "tf32")] == [
        "tf32",
        "float32",
        "tf32",
    ]
    assert here.this_site("jax").software.endswith(" tf32")
    for shown in ("1", ""):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
        assert nvidia.resolved("default") == "float32"
        with pytest.raises(StudyError, match="tf32 needs a GPU of compute capability 8"):
            nvidia.resolved("tf32")


def test_versions_are_the_engines_and_the_drivers(gpus: None) -> None:
    """A trial by JAX depends on no version of TensorFlow."""
    found = dict(versions.versions_of("jax"))
    assert {"python", "jax", "jaxlib", "numpy", "driver", "study"} == set(found)
    assert found["driver"] == "570.1"


def test_what_the_drivers_program_does_not_tell_is_no_traceback(
    gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old one knows no compute capability, a virtual GPU tells no memory, and where there is
    none it says so in a line.
    """
    facts = {**FACTS, "memory.free": ("[N/A]", "[N/A]")}
    del facts["compute_cap"]
    monkeypatch.setattr(nvidia, "ask", told(facts))
    assert [gpu.name for gpu in nvidia.gpus()] == ["H200", "T4"]
    assert nvidia.resolved("default") == "float32"
    assert memory.free_memory() > 0
    forget()
    monkeypatch.setattr(nvidia, "ask", lambda *properties: [["No devices were found"]])
    assert nvidia.gpus() == ()


def test_the_driver_is_asked_once(gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all GPUs and properties; what this process sees of them may change."""
    asked: list[tuple[str, ...]] = []

    def ask(*properties: str) -> list[list[str]]:
        asked.append(properties)
        return told(FACTS)(*properties)

    monkeypatch.setattr(nvidia, "ask", ask)
    device.choose("gpu:1")
    assert here.this_site("jax").machine.gpus == ("T4",)
    assert len(asked) == 1


def test_gpus_take_one_worker_each_and_are_of_one_kind(gpus: None) -> None:
    """Before anything is measured."""
    spec = StudySpec(rates=(0.1,))
    one = replace(here.this_machine(), gpus=("H200",))
    with pytest.raises(
        StudyError, match="workers 2: this machine has 1 GPUs, and each takes one worker"
    ):
        resources.resources(spec, 1, one, jobs=2)
    with pytest.raises(
        StudyError, match=r"the GPUs differ \(H200, T4\).*choose one with --device gpu:N"
    ):
        resources.resources(spec, 1, here.this_machine(), jobs=2)


def test_a_hang_on_one_gpu_cannot_be_ended(
    gpus: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It takes two workers, and so two GPUs."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(StudyError, match="--hang-limit needs two GPUs, or --device cpu"):
        driver.outlook(Request(StudySpec(rates=(0.1,)), tmp_path / "new", silence=60.0))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gpu_that_nobody_tells_of_is_refused(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its seconds would be the processor's; what a framework says is a sentence."""
    backend = importlib.import_module(ENGINES[engine])
    monkeypatch.setattr(backend, "prepare", lambda precision: "gpu")
    with pytest.raises(
        StudyError, match=f"{engine} would train on a GPU that nvidia-smi does not list"
    ):
        EngineChoice(engine)(images())

    def broken(precision: str) -> str:
        raise AssertionError("no such platform")

    monkeypatch.setattr(backend, "prepare", broken)
    with pytest.raises(
        StudyError, match=f"{engine} does not start on its device \\(no such platform\\)"
    ):
        EngineChoice(engine)(images())


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_does_not_see_the_gpu_is_refused(gpus: None, engine: str) -> None:
    """It would train on the processor under the GPU's name."""
    with pytest.raises(
        StudyError, match=f"{engine} does not see this machine's GPU \\(H200\\): install its CUDA"
    ):
        EngineChoice(engine)(images())

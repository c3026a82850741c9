"""What is known of imported measurements, and how a study is known to be an import.

The machine tells: no study that was trained here has its fingerprint. What is known of the
protocol stands in the imported study's machine.json.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from study.errors import StudyError
from study.machine.facts import Machine
from study.storage.jsonl import Count, Row, Seconds, convert
from study.storage.published.looks import Looks

MACHINE_NAME = "published K80"


MACHINE = Machine(
    cpu="not published", cores=0, memory_gb=0, gpus=("Tesla K80",), system="not published"
)


@dataclass(frozen=True)
class Unknown:
    """The machine of results that tell none, by its name and its fingerprint."""

    name: str = "a machine not told"
    fingerprint: str = Machine("not told", 0, 0, (), "not told").fingerprint


ELSEWHERE = Unknown()


TARGETS = {"grid": 0.97, "sizes": 0.96, "curves": 0.97}


CAPS = {"grid": 120.0, "sizes": 240.0, "curves": 120.0}
"""Seconds after which the published code stopped, by what was varied."""


NOTEBOOK = (
    "models of scale 3",
    "a look every 100 steps",
    "an accuracy that is the average of the single batches at the looks (all three as in the first "
    "published notebook with these data, commit 7161a33)",
)
"""What that notebook does; nothing says that it made these very files."""


ABSENT = ("capped", "unknown")
"""What a size without a row may be taken for: capped, as the file leaves out what failed."""


@dataclass(frozen=True)
class Protocol:
    """What is known of the protocol of an imported study.

    Args:
        known: what the article or the files state.
        likely: what other sources suggest.
        unknown: what nothing tells.
        look_seconds: seconds between two looks at the accuracy, estimated; None if not estimated.
        look_basis: what that was estimated from, in words.
        absent: what a trial without a row was taken for, one of `ABSENT`.
        assumed: the number of trials that have no row and were taken as capped.
        what: what the results are, in words.
        unit: what a step is called there; empty where steps are not told.
    """

    known: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    look_seconds: Seconds | None = None
    look_basis: str = ""
    absent: str = "unknown"
    assumed: Count = 0
    what: str = "published measurements"
    unit: str = "step"

    def lines(self) -> list[str]:
        """What is known, likely and not known, a text each; none for what is empty."""
        return [
            f"{what}: {', '.join(said)}"
            for what, said in (
                ("known", self.known),
                ("likely", self.likely),
                ("not known", self.unknown),
            )
            if said
        ]

    def __str__(self) -> str:
        return "; ".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """The protocol as machine.json holds it."""
        return asdict(self)


def is_import(fingerprint: object) -> bool:
    """Whether a row, or a folder's machine.json, with this fingerprint was imported."""
    return fingerprint in (MACHINE.fingerprint, ELSEWHERE.fingerprint)


def protocol_in(facts: Row) -> Protocol | None:
    """The protocol of an imported study.

    Args:
        facts: what its machine.json states.

    Returns:
        The protocol; one that tells nothing for an import of an older version or a field that
        cannot be read; None for any other study.
    """
    if not is_import(facts.get("fingerprint")):
        return None
    stored = facts.get("published")
    try:
        return convert(stored, Protocol) if isinstance(stored, dict) else Protocol()
    except StudyError:
        return Protocol()


def machine_json(protocol: Protocol) -> dict[str, Any]:
    """The machine.json of an imported study."""
    facts = {**MACHINE.to_json(), "name": MACHINE_NAME}
    if protocol.what != Protocol.what:
        facts = asdict(ELSEWHERE)
    return {**facts, "published": protocol.to_json()}


def protocol_of(
    kind: str, looks: Looks | None, absent: str, assumed: int, curves: bool
) -> Protocol:
    """What is known of an imported study.

    Args:
        kind: `grid`, `sizes` or `curves`.
        looks: the spacing of looks, if it was estimated.
        absent: what a trial without a row was taken for.
        assumed: how many were taken as capped.
        curves: whether it holds validation curves.

    Returns:
        The protocol.
    """
    target, cap = f"the target of {100 * TARGETS[kind]:g} %", f"the cap of {CAPS[kind]:g} s"
    what = "optimizer, rates and sizes" if kind == "sizes" else "optimizers and rates"
    known = [what, target, cap] if kind != "curves" else ["optimizers"]
    likely = [f"looks {looks.seconds:.2g} s apart"] if looks else []
    unknown = ["steps and step times"]
    if kind != "sizes":
        unknown.append("the scale of the models (rows say 1)")
    if curves:
        unknown.append("the rates of the validation curves")
    if kind == "sizes":
        unknown.append("whether absent sizes failed")
    return Protocol(
        known=(*known, "one Tesla K80", "one seed"),
        likely=(*likely, *(NOTEBOOK if kind == "grid" else ())),
        unknown=tuple(unknown),
        look_seconds=round(looks.seconds, 2) if looks else None,
        look_basis=str(looks) if looks else "",
        absent=absent,
        assumed=assumed,
    )

"""Named studies, and studies in TOML files."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.rates import PUBLISHED_SIZE_RATES, PUBLISHED_WIDTHS
from study.spec.study import StudySpec, check_keys
from study.validation import choice, home

ABOVE_BEST = 0.0215
"""A rate above the published ones of the size study.

Of those the largest was the best at 19 of 36 widths, so that the best one might have been beyond.
"""


PRESETS: dict[str, dict[str, Any]] = {
    "smoke": dict(
        optimizers=("sgd", "adam"), rates=(0.003, 0.03, 300.0), target=0.6, cap=None, max_steps=300
    ),
    "quick": dict(rates="1e-4:100:19", target=0.95, cap=None, max_steps=3000),
    "article": dict(rates="published", target=0.97, cap=120.0),
    "tutorial": dict(rates="published", target=0.97, cap=120.0, network="tutorial"),
    "sizes-quick": dict(
        optimizers=("adam",),
        rates=(0.002, 0.005, 0.01),
        widths=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0),
        target=0.96,
        cap=60.0,
    ),
    "sizes": dict(
        optimizers=("adam",),
        rates=(*PUBLISHED_SIZE_RATES, ABOVE_BEST),
        widths=PUBLISHED_WIDTHS,
        target=0.96,
        cap=240.0,
        check_every=25,
    ),
}
"""Named studies: `smoke` takes seconds, `quick` minutes on two cores, `article` is the published
grid, `tutorial` the same on the network that the published code trained; `sizes` is the published
study of model size, with a rate above its best and a look every 25 steps; `sizes-quick` takes
minutes.
"""


ON_GPU: dict[str, dict[str, Any]] = {
    "sizes-quick": dict(network="tutorial"),
    "sizes": dict(network="tutorial"),
}
"""What presets have in place of these values on a machine with a GPU."""


def preset(name: str, gpu: bool = False) -> StudySpec:
    """The preset of that name.

    Args:
        name: one of `PRESETS`.
        gpu: whether the machine has a GPU, where some presets are larger.

    Returns:
        The spec.

    Raises:
        StudyError: an unknown name.

    >>> preset("smoke").optimizers
    ('sgd', 'adam')
    """
    values = PRESETS[choice("preset", name, tuple(PRESETS))]
    return StudySpec(name=name, **{**values, **(ON_GPU.get(name, {}) if gpu else {})})


def spec_from(values: Mapping[str, Any], name: str = "study") -> StudySpec:
    """A spec from plain values, such as those of a TOML file.

    Args:
        values: the fields of `StudySpec`, and `preset` to start from.
        name: the study's name if the values have none.

    Returns:
        The spec.

    Raises:
        StudyError: an unknown key, or a value out of range.
    """
    given, values = values, {}
    for key, value in given.items():
        name_ = key.replace("-", "_")
        if name_ in values:
            raise StudyError(f"{name_} is given twice, as {name_} and as {name_.replace('_', '-')}")
        values[name_] = value
    base = values.pop("preset", None)
    check_keys(values, extra=("preset",))
    start = preset(base) if base is not None else StudySpec()
    return start.with_(**{"name": name, **values})


def read_spec(path: Path) -> StudySpec:
    """The spec in a TOML file.

    The study is named after the file, as far as its letters may stand in a name, unless the file
    names it.

    Raises:
        StudyError: the file is missing or is not TOML, or a key or value in it is wrong.
    """
    try:
        values = tomllib.loads(_decoded(path.read_bytes()))
    except FileNotFoundError:
        raise StudyError(
            f"no file {path}: give a preset ({', '.join(PRESETS)}) or a TOML file"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StudyError(f"{path} cannot be read as TOML: {why}") from None
    try:
        return spec_from(_beside(values, path.parent), name=named_after(path.name))
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None


def named_after(place: str) -> str:
    """The name of a study after a file, as far as its letters may stand in one.

    >>> named_after("models/my model.py:build")
    'my-model'
    """
    stem = Path(place.partition(".py:")[0]).name
    stem = stem[:-5] if stem.lower().endswith(".toml") else stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-_.")[:64] or "study"


def _beside(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The values, with code that lies beside the file found there."""
    found = dict(values)
    for key in ("model", "data", "loss"):
        file, colon, name = str(values.get(key, "")).rpartition(":")
        if file.endswith(".py") and not home(file).exists() and (folder / file).exists():
            found[key] = f"{folder / file}{colon}{name}"
    if isinstance(values.get("track"), list):
        found["track"] = [_near(path, folder) for path in values["track"]]
    return found


def _near(path: Any, folder: Path) -> Any:
    """A path, in the folder where the file is there alone."""
    if not isinstance(path, str) or home(path).exists() or not (folder / path).exists():
        return path
    return str(folder / path)


def _decoded(text: bytes) -> str:
    """A text without its byte-order mark, which Windows's editors and shells write.

    Raises:
        UnicodeDecodeError: it is neither UTF-8 nor, by its mark, UTF-16.
    """
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16")
    return text.decode("utf-8-sig")

"""Trials in event files of TensorBoard: scalars, and the settings of its plugin for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.errors import StudyError, first_line
from study.storage.imports.sheets import Sheet

PLUGIN = "_hparams_/session_start_info"
"""The tag of the settings."""


def trial_in(folder: Path) -> list[Sheet]:
    """The rows of the event files in a folder, which are of one trial; none without scalars.

    Raises:
        StudyError: TensorBoard is not installed, or cannot read them.
    """
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise StudyError(
            f"{folder}: event files are read by TensorBoard: pip install tensorboard"
        ) from None
    try:
        found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        found.Reload()
        rows = _rows(found)
        settings = _settings(found)
    except Exception as error:  # of whatever lies in the files
        raise StudyError(f"{folder} cannot be read by TensorBoard: {first_line(error)}") from None
    if not rows:
        return []
    same = {f"hparams/{name}": value for name, value in settings.items()}
    return [Sheet(str(folder), [{**same, **row} for row in rows], one=True)]


def _rows(found: Any) -> list[dict[str, Any]]:
    """A row a step: the scalars there, and the date of the last of them."""
    from tensorboard.util import tensor_util

    steps: dict[int, dict[str, Any]] = {}
    tags = found.Tags()
    for tag in tags["scalars"]:
        for event in found.Scalars(tag):
            _add(steps, tag, event, event.value)
    for tag in tags["tensors"]:
        for event in found.Tensors(tag):
            value = tensor_util.make_ndarray(event.tensor_proto)
            if value.shape == () and value.dtype.kind == "f":
                _add(steps, tag, event, float(value))
    return [{"step": step, **steps[step]} for step in sorted(steps)]


def _add(steps: dict[int, dict[str, Any]], tag: str, event: Any, value: float) -> None:
    row = steps.setdefault(event.step, {"wall_time": event.wall_time})
    row |= {tag: value, "wall_time": max(row["wall_time"], event.wall_time)}


def _settings(found: Any) -> dict[str, Any]:
    """What the plugin for settings tells of the trial."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    try:
        content = found.PluginTagToContent("hparams").get(PLUGIN)
    except KeyError:  # the plugin was not used
        return {}
    if content is None:
        return {}
    values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(values[name], values[name].WhichOneof("kind")) for name in values}

"""The files of a stored study as tables, one function a file."""

from __future__ import annotations

import math

import pandas as pd

from study.tables.stored import Source, long, stored

CHECK_COLUMNS = ("id", "step", "accuracy", "loss")


def load(folder: Source, machine: str | None = None) -> pd.DataFrame:
    """The stored runs of a study, one row a trial; see `frame`.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        machine: name or fingerprint of the machine whose step times count; the reference if None.

    Returns:
        The table of `frame`.

    Raises:
        StudyError: the folder holds no study, a line cannot be read, or there is neither a run nor
            a step time of that machine; the sentence says which.
    """
    return stored(folder, machine).runs


def checks(folder: Source) -> pd.DataFrame:
    """Metric and loss at every check of every stored trial, one row a check.

    Columns:
        id: the trial's identity.
        step: the training step of the check.
        accuracy: the study's metric; an accuracy is in [0, 1].
        loss: the loss; NaN where it is not told.
        seconds: seconds of training at each check of programs; absent of other trials.
    """
    parts = []
    for id_, row in stored(folder).checks.items():
        part = pd.DataFrame({"id": id_, "accuracy": row.accuracy})
        part["loss"] = row.loss or math.nan
        part["step"] = row.steps or (part.index + 1) * row.check_every
        if row.seconds:
            part["seconds"] = row.seconds
        parts.append(part)
    told = any("seconds" in part for part in parts)
    return long(parts, (*CHECK_COLUMNS, "seconds") if told else CHECK_COLUMNS)


def curves(folder: Source) -> pd.DataFrame:
    """Validation accuracy over training of each optimizer at its best rate, one row a check.

    Columns:
        optimizer, learning_rate, width, seed: what was trained; the rate is NaN if it is not known.
        outcome: how the training ended; empty in older studies.
        step: the training step of the check; NaN if it is not known.
        seconds: seconds of training, step x step time alone or as the source told them.
        accuracy: validation accuracy, in [0, 1]; of a model of the user's own its metric on the
            validation data, see `goals.of_curves`.
        fingerprint: the machine that the step time is of; empty if it is not known.
    """
    return stored(folder).all_curves


def elsewhere(folder: Source, runs: pd.DataFrame) -> int:
    """The number of trials that are stored in a study and not among these runs.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        runs: the runs of one machine, as `load` gives them.

    Returns:
        The number of trials, all of other machines.
    """
    return len({run.id for run in stored(folder).all_records} - set(runs["id"]))

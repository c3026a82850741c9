"""Whether the data fit the model: said before anything is trained."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from study.engines.own.data.feeds import Arrays
from study.engines.own.data.samples import Samples
from study.engines.own.program import Program
from study.errors import StudyError, first_line

SPARSE = "sparse_categorical_crossentropy"
"""Keras's loss of labels that are numbers of classes."""


def check_labels(loss: Any, model: Any, samples: Samples) -> None:
    """Raise `StudyError` if a label is the number of no class; not every backend does.

    Args:
        loss: of the study; the Keras model's own if None.
        model: the user's.
        samples: the user's data; labels of a stream are not looked at.
    """
    loss = loss or getattr(model, "loss", None)
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or SPARSE not in (loss, getattr(loss, "name", "")):
        return
    for part, feed in (("training", samples.train), ("validation", samples.validation)):
        labels = feed.arrays[1] if isinstance(feed, Arrays) else None
        if not isinstance(labels, np.ndarray):
            continue
        low, high, classes = labels.min(), labels.max(), shape[-1]
        if not 0 <= low <= high < classes:
            raise StudyError(
                f"the {part} labels run from {low:g} to {high:g}, and the model has {classes} "
                f"outputs: give labels from 0 to {classes - 1}, or a model with as many outputs as "
                "classes"
            )


def check_validation(program: Program, samples: Samples) -> None:
    """Raise `StudyError` if the model cannot take a batch of the validation data."""
    if samples.validation is None:
        return
    try:
        program.measure(program.begin(0, 1), islice(samples.validation.reader().epoch(0), 1))
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            f"the model does not take the validation data ({first_line(error)}): give them the "
            "form of the training data"
        ) from error

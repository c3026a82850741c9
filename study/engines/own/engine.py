"""Makes learners of the user's model: a program for each width and optimizer, made once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.engines.learner import Learner
from study.engines.own.blocks import Blocks
from study.engines.own.code import Code
from study.engines.own.data.feeds import Arrays
from study.engines.own.data.samples import Samples
from study.engines.own.data.trees import mapped
from study.engines.own.identity.reader import Reader, code_of
from study.engines.own.identity.structure import digest, framework_of, kinds_of, lines
from study.engines.own.lanes import OwnLanes
from study.engines.own.optimizers import default_rate, named
from study.engines.own.program import Program, Task
from study.errors import StudyError
from study.spec.goals import sign
from study.spec.own import reference
from study.spec.trial import Trial


class OwnEngine:
    """Makes learners of the user's model; see `study.engines.learner.Engine`.

    Args:
        code: the user's.
        samples: the user's data.
    """

    def __init__(self, code: Code, samples: Samples) -> None:
        self.code, self.samples = code, samples
        self.framework: str | None = None
        self.programs: dict[tuple[float, str, str, bool], Program] = {}
        self.batches: dict[int, Any] = {}
        self.checked: set[tuple[float, str]] = set()

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner with a lane for each trial.

        Raises:
            StudyError: the code builds another model than the trials are of.
        """
        groups: dict[str, list[int]] = {}
        for at, trial in enumerate(trials):
            groups.setdefault(trial.optimizer, []).append(at)
        places = [(0, 0)] * len(trials)
        learners: list[Learner] = []
        for block, mine in enumerate(groups.values()):
            learners.append(self._lanes(trials[mine[0]], len(mine), len(trials) > 1))
            for place, at in enumerate(mine):
                places[at] = (block, place)
        return learners[0] if len(learners) == 1 else Blocks(learners, places)

    def _lanes(self, trial: Trial, count: int, array: bool) -> OwnLanes:
        self._check(trial)
        return OwnLanes(
            self.program(trial, array),
            self.samples,
            trial.seed,
            trial.batch,
            count,
            trial.metric,
            sign(trial.goal),
        )

    def _check(self, trial: Trial) -> None:
        """Raise `StudyError` unless the code builds the model that the trial is of."""
        key = (trial.width, trial.start)
        if key in self.checked:
            return
        here = view(self.code, trial.width, self.batch(trial.batch)).digest
        if here != trial.start:
            raise StudyError(
                f"the model that {reference(self.code.model)} builds is another than the study's "
                f"(digest {here}, and {trial.start} there): mend it, or start another study"
            )
        self.checked.add(key)

    def usual_rate(self, trial: Trial) -> tuple[float | None, str]:
        """The rate that the trial's optimizer has where none is given, and whose default it is."""
        self.program(trial, array=False)
        one = named(str(self.framework), self.code.optimizers.get(trial.optimizer, trial.optimizer))
        return default_rate(one), "Keras" if self.framework == "keras" else "PyTorch"

    def batch(self, size: int) -> Any:
        """A batch of the training data, to make a model with."""
        if size not in self.batches:
            self.batches[size] = first_batch(self.samples, size)
        return self.batches[size]

    def program(self, trial: Trial, array: bool) -> Program:
        """The program of a trial's model and optimizer, made once.

        Args:
            trial: of the model.
            array: whether several lanes are to train together, where they can.
        """
        batch = self.batch(trial.batch)
        if self.framework is None:
            self.framework = framework_of(self.code.build(trial.width, 0))
        one = named(self.framework, self.code.optimizers.get(trial.optimizer, trial.optimizer))
        metric = trial.metric.removeprefix("val_")
        together = array and len(trial.size) > 2 and trial.size[2] > 0
        key = (trial.width, one.label, metric, together)
        if key not in self.programs:
            task = Task(self.code, trial.width, one, metric, batch)
            self.programs[key] = program_of(task, self.framework, together)
        return self.programs[key]


def program_of(task: Task, framework: str, together: bool) -> Program:
    """The program that trains a model with an optimizer.

    Args:
        task: what to train.
        framework: of the model.
        together: whether lanes should train in one array.
    """
    if framework == "keras":
        import keras

        if keras.backend.backend() == "jax":
            from study.engines.own.keras.calls import jax_program

            return jax_program(task)
        from study.engines.own.keras.steps import KerasSteps

        return KerasSteps(task)
    from study.engines.own.torch.arrays import PROPORTIONAL, ModuleArrays
    from study.engines.own.torch.steps import ModuleSteps

    if together and getattr(task.optimizer.kind, "__name__", "") in PROPORTIONAL:
        return ModuleArrays(task)
    return ModuleSteps(task)


@dataclass(frozen=True)
class View:
    """A model as it is built.

    Args:
        model: the model.
        framework: whose it is.
        structure: a line a part.
        digest: of structure, code and weights.
        weights: the number of trainable weights.
        sources: the code that was read.
    """

    model: Any
    framework: str
    structure: tuple[str, ...]
    digest: str
    weights: int
    sources: Mapping[str, str]


def view(code: Code, width: float, batch: Any) -> View:
    """The model at a width and seed 0.

    Raises:
        StudyError: it cannot be built, or cannot take the data.
    """
    model = code.build(width, 0)
    framework = framework_of(model)
    task = Task(code, width, named(framework, "sgd"), "loss", batch)
    if framework == "keras":
        from study.engines.own.keras import model as keras_model

        model = keras_model.built(task, 0)
        arrays = [np.asarray(one) for one in keras_model.values(model.weights)]
        trained = [one.shape for one in model.trainable_variables]
    else:
        from study.engines.own.torch import module

        model = module.built(task, 0).module
        arrays = [one.detach().numpy() for one in model.state_dict().values()]
        trained = [tuple(one.shape) for one in model.parameters() if one.requires_grad]
    reader = Reader(code.sources)
    structure = lines(model, reader, _keys(model, batch))
    return View(
        model,
        framework,
        structure,
        digest(structure, code_of(kinds_of(model), reader), arrays),
        sum(math.prod(shape) for shape in trained),
        reader.read,
    )


def _keys(model: Any, batch: Any) -> set[str]:
    """The names by which a batch and the loss find inputs and outputs."""
    named = [*batch, getattr(model, "loss", None)]
    return {str(key) for one in named if isinstance(one, Mapping) for key in one}


def first_batch(samples: Samples, size: int) -> Any:
    """A batch of the training data.

    Raises:
        StudyError: data in memory have fewer samples.
    """
    feed = samples.train
    if isinstance(feed, Arrays) and size > feed.count:
        raise StudyError(f"batch {size} is more than the {feed.count} training samples")
    arrays, order = next(iter(feed.reader().batches(0, 0, 1, size)))
    return mapped(lambda part: part[order[0]], arrays)

"""A study of the user's own model: its code becomes facts before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.engines.choice import TENSORFLOW, EngineChoice, one_by_one
from study.engines.command.choice import ProgramChoice
from study.engines.native.engine import NATIVE
from study.engines.own.choice import OwnChoice
from study.engines.own.code import Code
from study.errors import NoMetric, StudyError
from study.execution.executors.base import EngineFactory
from study.execution.executors.source import Source
from study.execution.request import Request
from study.spec.own import is_own, other_model, refuse_import
from study.spec.program import is_program, program_in
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.store import Store
from study.training.stopwatch import Stopwatch


def own_choice(spec: StudySpec, factory: EngineFactory = TENSORFLOW) -> OwnChoice | ProgramChoice:
    """What trains the user's own model, by its code or by where a stored study says that it is; or
    the user's program.

    Args:
        spec: as the user gave it, or as a study stores it.
        factory: the engine that the user asked for; TensorFlow leaves it to Keras.

    Raises:
        StudyError: an engine is asked for that does not train it.
    """
    if isinstance(factory, OwnChoice | ProgramChoice):
        return factory
    if isinstance(factory, EngineChoice) and factory.arrays == NATIVE:
        raise StudyError(
            "engine native trains the built-in networks compact and mlp alone: leave it out"
        )
    asked = factory.engine if isinstance(factory, EngineChoice) else ""
    refuse_import(spec.network)
    if is_program(spec.network):
        if asked not in ("", TENSORFLOW.engine):
            raise StudyError(f"engine {asked} trains networks, and a program itself: leave it out")
        return ProgramChoice(program_in(spec))
    loss = spec.loss if spec.own is None else spec.own.loss
    engine = "" if asked == TENSORFLOW.engine else asked
    return OwnChoice(Code(spec.model, spec.data, loss), engine)


def with_model(request: Request, stopwatch: Stopwatch) -> tuple[Request, Source]:
    """The request with the facts of the user's model or program, and the source of its data and
    engine.

    A request on a built-in network stays as it is.

    Args:
        request: what the user asks for.
        stopwatch: counts the seconds of data and imports.

    Raises:
        StudyError: the code cannot be imported, or would keep a trial from training.
    """
    if not is_own(request.spec.network):
        return request, Source(request.spec.dataset, request.engine, stopwatch)
    first = Source(request.spec.dataset, own_choice(request.spec, request.factory), stopwatch)
    samples = first.images()
    with stopwatch.part("import"):
        assert isinstance(first.factory, OwnChoice | ProgramChoice)
        spec, choice = first.factory.settled(request.spec, samples)
    request = replace(request, spec=spec, factory=choice)
    source = Source(spec.dataset, choice, stopwatch)
    if isinstance(choice, OwnChoice):
        source.take(samples)
    return request, source


def trainer_of(spec: StudySpec, factory: EngineFactory) -> EngineFactory:
    """What trains the trials of a stored study: the user's own model or program where it is of one.

    Raises:
        StudyError: the program is another by now, or the engine is for arrays alone.
    """
    if not is_own(spec.network):
        return one_by_one(factory)
    choice = own_choice(spec, factory)
    if isinstance(choice, ProgramChoice):
        known, choice = choice.settled(spec, None)
        if known.network != spec.network:
            raise StudyError(f"the program has changed since ({other_model(spec, known)})")
        return choice
    if choice.engine or spec.own is None:
        return choice
    return replace(choice, engine=spec.own.engine, keras=spec.own.framework == "keras")


def searched(spec: StudySpec, seed: int, factory: EngineFactory) -> tuple[Trial, Source]:
    """The one trial that a search trains, and the source of its data and engine.

    Args:
        spec: a study of one optimizer; its rate is never used.
        seed: of the trial.
        factory: makes the engine.

    Raises:
        StudyError: the user's code cannot be used, or the engine is for arrays alone.
    """
    request = Request(spec, factory=one_by_one(factory))
    try:
        request, source = with_model(request, Stopwatch())
    except NoMetric:  # a search reads the loss, and an accuracy where there is one
        loss = spec.with_(metric="loss", goal=None)
        request, source = with_model(replace(request, spec=loss), Stopwatch())
    return replace(request.spec.trials()[0], seed=seed), source


def epoch_of(trial: Trial, source: Source) -> int:
    """Steps of an epoch of the trial's data; 1 where a stream does not tell."""
    data = source.images()
    if trial.start:
        return data.train.steps(trial.batch) or 1
    return len(data.y_train) // trial.batch


def own_trainer(folder: Path, code: Mapping[str, Any], factory: EngineFactory) -> EngineFactory:
    """What trains the trials of a stored study, by code that lies elsewhere now.

    Args:
        folder: of the study.
        code: where the user's model, data and loss are; what it lacks is where the study says.
        factory: the engine that was asked for.
    """
    if not code:
        return factory
    spec = Store(folder).spec()
    if spec.own is None:
        raise StudyError(f"{folder} holds a study of the built-in network {spec.network}")
    return trainer_of(
        replace(
            spec,
            model=code.get("model", spec.model),
            data=code.get("data", spec.data),
            own=replace(spec.own, loss=code.get("loss", spec.own.loss)),
        ),
        factory,
    )

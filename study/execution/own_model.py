"""A study of the user's own model: its code becomes facts before anything else is done."""

from __future__ import annotations

from dataclasses import replace

from study.engines.choice import TENSORFLOW, EngineChoice
from study.engines.own.choice import OwnChoice
from study.engines.own.code import Code
from study.execution.executors.base import EngineFactory
from study.execution.executors.source import Source
from study.execution.request import Request
from study.spec.own import is_own
from study.spec.study import StudySpec
from study.training.stopwatch import Stopwatch


def own_choice(spec: StudySpec, factory: EngineFactory = TENSORFLOW) -> OwnChoice:
    """What trains the user's own model, by its code or by where a stored study says that it is.

    Args:
        spec: as the user gave it, or as a study stores it.
        factory: the engine that the user asked for; TensorFlow leaves it to Keras.
    """
    if isinstance(factory, OwnChoice):
        return factory
    asked = factory.engine if isinstance(factory, EngineChoice) else ""
    loss = spec.loss if spec.own is None else spec.own.loss
    engine = "" if asked == TENSORFLOW.engine else asked
    return OwnChoice(Code(spec.model, spec.data, loss), engine)


def with_model(request: Request, stopwatch: Stopwatch) -> tuple[Request, Source]:
    """The request with the facts of the user's model, and the source of its data and engine.

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
        assert isinstance(first.factory, OwnChoice)
        spec, choice = first.factory.settled(request.spec, samples)
    request = replace(request, spec=spec, factory=choice)
    source = Source(spec.dataset, choice, stopwatch)
    source.take(samples)
    return request, source


def trainer_of(spec: StudySpec, factory: EngineFactory) -> EngineFactory:
    """What trains the trials of a stored study: the user's own model where it is of one."""
    if not is_own(spec.network):
        return factory
    choice = own_choice(spec, factory)
    if choice.engine or spec.own is None:
        return choice
    return replace(choice, engine=spec.own.engine, keras=spec.own.framework == "keras")

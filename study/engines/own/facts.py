"""What a study needs to know of the user's model before it trains: found out once, then stored."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from study.engines.own.code import Code, loaded
from study.engines.own.data.feeds import Stream
from study.engines.own.data.samples import Samples
from study.engines.own.data.trees import leaves
from study.engines.own.engine import View, first_batch, program_of, view
from study.engines.own.fit import check_labels, check_validation
from study.engines.own.identity.reader import Reader, is_plain, setting, users
from study.engines.own.identity.source import short
from study.engines.own.optimizers import groups_of, named, unique
from study.engines.own.program import Program, Task
from study.engines.own.sizes import lane_bytes, multiply_adds
from study.errors import StudyError
from study.spec.goals import held_out
from study.spec.own import OWN, Own, Scale, reference
from study.spec.study import StudySpec


def settled(spec: StudySpec, samples: Samples) -> tuple[StudySpec, Code]:
    """A study with the facts of its model and data in place of their code, and the code.

    Args:
        spec: with the user's model, data, loss and optimizers.
        samples: the user's data.

    Raises:
        StudyError: anything that would keep a trial from training; or a model that is built with
            other weights at the same seed.
    """
    code = Code(spec.model, spec.data, spec.loss)
    size = spec.batch
    batch = first_batch(samples, size)
    if isinstance(samples.train, Stream):
        size = len(next(leaves(batch)))
    code.build(1, 0)  # what it imports first cannot be seeded yet
    views = {width: view(code, width, batch) for width in dict.fromkeys((1.0, *spec.widths))}
    first = views[1.0]
    _repeatable(code, first, batch)
    found = unique(groups_of(named(first.framework, one), first.model) for one in spec.optimizers)
    metric = spec.metric.removeprefix("val_")
    if held_out(spec.metric) and samples.validation is None:
        raise StudyError(
            f"metric {spec.metric} needs validation data: let the function that loads the data "
            "return a pair (training, validation)"
        )
    tasks = [Task(code, 1.0, one, metric, batch) for one in found]
    check_labels(spec.loss, first.model, samples)
    alone = program_of(tasks[0], first.framework, together=False)
    check_validation(alone, samples)
    together = alone.together or _together(tasks[0], alone, first.framework)
    scales = tuple(
        Scale(
            width,
            one.digest,
            one.weights,
            multiply_adds(one.model, one.framework, batch),
            lane_bytes(one.model, one.framework, batch, one.weights) if together else 0,
        )
        for width, one in views.items()
    )
    epoch = samples.train.steps(size)
    own = Own(
        framework=first.framework,
        engine=_engine(first.framework),
        loss=reference(spec.loss) if spec.loss else "",
        together=together,
        epoch=epoch,
        validation=samples.validation is not None,
        structure=first.structure,
        scales=scales,
        configs={one.label: one.config for one in found},
    )
    templates = {
        one.label: given
        for one, given in zip(found, spec.optimizers, strict=True)
        if not isinstance(given, str)
    }
    known = spec.with_(
        network=f"{OWN}:{first.digest[:8]}",
        dataset=f"{OWN}:{samples.digest[:8]}",
        optimizers=tuple(one.label for one in found),
        model=reference(spec.model),
        data=reference(spec.data),
        loss=_loss(spec.loss, first.model),
        batch=size,
        max_steps=_steps(spec, epoch),
        own=own,
    )
    read = {key: text for one in views.values() for key, text in one.sources.items()}
    return known, replace(code, optimizers=templates, sources=read)


def _engine(framework: str) -> str:
    if framework == "torch":
        return framework
    import keras

    return str(keras.backend.backend())


def _repeatable(code: Code, first: View, batch: Any) -> None:
    if view(code, 1.0, batch).digest != first.digest:
        raise StudyError(
            f"{reference(code.model)} builds other weights at the same seed, which spoils every "
            "comparison: take random numbers from Keras, PyTorch, NumPy's global generator or "
            "Python's random alone, or seed a generator in it"
        )


def _together(task: Task, alone: Program, framework: str) -> bool:
    """Whether lanes of PyTorch can train in one array: where `vmap` takes the model, and a step in
    an array is that of a lane alone.
    """
    if framework == "keras":
        return False
    from study.engines.own.torch.arrays import ModuleArrays

    try:
        array = program_of(task, framework, together=True)
        if not isinstance(array, ModuleArrays):
            return False
        arrays, size = task.batch, len(next(leaves(task.batch)))
        order = np.tile(np.arange(size, dtype=np.int32), (3, 1))
        rates = np.full((3, 2), 1e-3)
        _, losses, _ = array.steps(array.begin(0, 2), arrays, order, rates)
        _, alone_losses, _ = alone.steps(alone.begin(0, 1), arrays, order, rates[:, :1])
        return bool(np.allclose(losses, np.repeat(alone_losses, 2, axis=1), rtol=1e-3, atol=1e-5))
    except Exception:  # vmap does not know every operation
        return False


def _loss(given: Any, model: Any) -> str:
    """The loss by a name that stays the same: its own, with a digest of its code where needed."""
    reader = Reader()
    weights = getattr(getattr(model, "_compile_loss", None), "_user_loss_weights", None)
    told = _named_loss(given or getattr(model, "loss", None), reader)
    return f"{told} weighted {reader.told(weights)}" if weights else told


def _named_loss(given: Any, reader: Reader) -> str:
    if not given:
        return ""
    if isinstance(given, str) and ":" not in given:
        return given
    if isinstance(given, str):
        given = loaded("loss", given)
    if isinstance(given, (list, tuple)):
        return str([_named_loss(one, reader) for one in given])
    if isinstance(given, Mapping):
        return str({key: _named_loss(given[key], reader) for key in sorted(given)})
    if hasattr(given, "get_config") and not users(type(given)):
        config = {key: setting(given, key, value) for key, value in given.get_config().items()}
        words = [f"{k}={reader.told(v)}" for k, v in config.items() if k != "name"]
        return f"{type(given).__name__}({', '.join(words)})"
    if hasattr(given, "parameters") and not users(type(given)):
        return _torch_loss(given, reader)
    name = getattr(given, "__name__", type(given).__name__)
    if (getattr(given, "__module__", "") or "").partition(".")[0] in ("keras", "torch"):
        return name
    if hasattr(given, "__code__"):
        return f"{name}@{short(reader.whole(given))}"
    fields = reader.settings(given)
    return f"{name}@{short(reader.code(type(given)) + (str(fields) if fields else ''))}"


def _torch_loss(given: Any, reader: Reader) -> str:
    """A loss of PyTorch's as it shows itself, with the settings that it does not show."""
    usual = inspect.signature(type(given)).parameters
    fields = {**vars(given), **dict(given.named_buffers())}
    words = [
        f"{key}={reader.told(value)}"
        for key, value in fields.items()
        if key in usual
        and value is not None
        and (not is_plain(value) or value != usual[key].default)
        and f"{key}=" not in str(given)
    ]
    return str(given) + (f" {', '.join(words)}" if words else "")


def _steps(spec: StudySpec, epoch: int | None) -> int | None:
    """The budget in steps: the least of `max_steps` and `max_epochs`."""
    if spec.max_epochs is None:
        return spec.max_steps
    if epoch is None:
        raise StudyError(
            f"max_epochs {spec.max_epochs:g}: the data do not tell how long an epoch is: give "
            "max_steps"
        )
    steps = math.floor(spec.max_epochs * epoch + 1e-9)
    if steps < spec.check_every:
        raise StudyError(
            f"max_epochs {spec.max_epochs:g} are {steps} steps, less than check_every "
            f"{spec.check_every}: no metric would ever be read"
        )
    return min(steps, spec.max_steps or steps)

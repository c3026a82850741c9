"""The optimizers of a user's model: labels, and the optimizers that they stand for.

A label is a name with settings, such as `lion(weight_decay=0.01)`. The name is that of a class of
`keras.optimizers` or `torch.optim` in small letters. The settings are those that are not the
defaults of the class, as JSON.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from study.errors import StudyError, first_line
from study.spec.hyper import split_labels

PLACEHOLDER = 1e-3
"""The rate of an optimizer before a lane gives it its own."""


ALIASES = {"momentum": "sgd(momentum=0.9)", "gd": "sgd"}


@dataclass(frozen=True)
class Named:
    """An optimizer of a study.

    Args:
        label: what it is called in tables.
        kind: its class, or a function of the module that makes it.
        settings: what its class is given beside the rate.
        config: its whole configuration but for its rate, as JSON text.
    """

    label: str
    kind: Any
    settings: Mapping[str, Any]
    config: str = ""


def named(framework: str, given: Any) -> Named:
    """The optimizer that a user names or gives.

    Args:
        framework: `keras` or `torch`.
        given: a label, an instance, a class, or a function that makes one.

    Raises:
        StudyError: no such optimizer, or settings that it does not have.
    """
    if isinstance(given, str):
        return _of_label(framework, given)
    return _keras_template(given) if framework == "keras" else _torch_template(given)


def parsed(label: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings of a label.

    >>> parsed("sgd(momentum=0.9,nesterov=true)")
    ('sgd', {'momentum': 0.9, 'nesterov': True})
    """
    name, bracket, rest = label.partition("(")
    settings: dict[str, Any] = {}
    if not bracket:
        return name, settings
    for part in filter(None, split_labels(rest.removesuffix(")"))):
        key, equals, value = part.partition("=")
        if not equals:
            raise StudyError(f"optimizer {label!r}: {part!r} must read NAME=VALUE")
        words = {"True": "true", "False": "false", "None": "null"}
        try:
            settings[key.strip()] = json.loads(words.get(value.strip(), value.strip()))
        except ValueError:
            settings[key.strip()] = value.strip()
    return name, settings


def label_of(name: str, settings: Mapping[str, Any]) -> str:
    """The label of a class with settings that are not its defaults.

    >>> label_of("SGD", {"momentum": 0.9})
    'sgd(momentum=0.9)'
    """
    told = ",".join(f"{key}={json.dumps(settings[key])}" for key in sorted(settings))
    return f"{name.lower()}({told})" if told else name.lower()


def _classes(framework: str) -> dict[str, Any]:
    """The optimizers of a framework by their names in small letters."""
    if framework == "keras":
        import keras

        module, base = keras.optimizers, keras.optimizers.Optimizer
    else:
        import torch

        module, base = torch.optim, torch.optim.Optimizer
    left_out = {"optimizer", "lossscaleoptimizer", "multioptimizer", "sparseadam", "lbfgs"}
    return {
        name.lower(): kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, base) and name.lower() not in left_out
    }


def _of_label(framework: str, label: str) -> Named:
    name, settings = parsed(ALIASES.get(label, label))
    classes = _classes(framework)
    if name not in classes:
        close = difflib.get_close_matches(name, classes, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise StudyError(
            f"unknown optimizer {name!r}{hint}: {framework} has {', '.join(sorted(classes))}"
        )
    kind = classes[name]
    for rate in ("learning_rate", "lr"):
        if rate in settings:
            raise StudyError(f"optimizer {label!r}: its rate is the study's; leave {rate} out")
    known = [key for key in inspect.signature(kind).parameters if key not in ("params", "kwargs")]
    for key in settings:
        if key not in known:
            raise StudyError(
                f"optimizer {label!r}: {kind.__name__} has no setting {key!r}: it has "
                f"{', '.join(known)}"
            )
    return _with_config(framework, kind, settings)


def _with_config(framework: str, kind: Any, settings: Mapping[str, Any], label: str = "") -> Named:
    """The optimizer with its label and its whole configuration."""
    try:
        whole = _configured(framework, kind, settings)
    except Exception as error:
        raise StudyError(
            f"optimizer {label or label_of(kind.__name__, settings)!r} cannot be made "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    usual = _configured(framework, kind, {})
    own = {key: value for key, value in whole.items() if key not in usual or usual[key] != value}
    return Named(
        label or label_of(kind.__name__, own),
        kind,
        dict(settings),
        json.dumps({"class": kind.__name__, **whole}, sort_keys=True, default=str),
    )


def _configured(framework: str, kind: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration of an optimizer but for its rate and its name."""
    if framework == "keras":
        config = dict(kind(learning_rate=PLACEHOLDER, **settings).get_config())
        for key in ("learning_rate", "name"):
            config.pop(key, None)
        return {key: value for key, value in config.items() if _plain(value)}
    import torch

    made = kind([torch.nn.Parameter(torch.zeros(1, 1))], lr=PLACEHOLDER, **settings)
    config = {key: value for key, value in made.defaults.items() if key != "lr"}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in config.items() if _plain(v)}


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, list, tuple))


def _keras_template(given: Any) -> Named:
    import keras

    if inspect.isclass(given) and issubclass(given, keras.optimizers.Optimizer):
        return _with_config("keras", given, {})
    if not isinstance(given, keras.optimizers.Optimizer):
        raise StudyError(
            f"optimizer {given!r} is no Keras optimizer: give a name such as adamw, or an instance"
        )
    if hasattr(given, "inner_optimizer") or hasattr(given, "optimizers"):
        raise StudyError(
            f"optimizer {type(given).__name__} wraps others, whose rates the grid would not set: "
            "give the optimizer itself"
        )
    config = dict(given.get_config())
    for key in ("learning_rate", "name"):
        config.pop(key, None)
    return _with_config("keras", type(given), config)


def _torch_template(given: Any) -> Named:
    import torch

    if isinstance(given, torch.optim.Optimizer):
        if len(given.param_groups) > 1:
            raise StudyError(
                f"optimizer {type(given).__name__} has {len(given.param_groups)} groups of one "
                "model's parameters: give a function of the module that makes it, such as "
                "def mine(module): return torch.optim.SGD([...])"
            )
        takes = inspect.signature(type(given)).parameters
        group = given.param_groups[0]
        settings = {
            key: value
            for key, value in group.items()
            if key in takes and key not in ("params", "lr")
        }
        return _with_config("torch", type(given), settings)
    if inspect.isclass(given) and issubclass(given, torch.optim.Optimizer):
        return _with_config("torch", given, {})
    if isinstance(given, functools.partial) and inspect.isclass(given.func):
        settings = {key: value for key, value in given.keywords.items() if key != "lr"}
        return _with_config("torch", given.func, settings)
    if callable(given):
        return Named(getattr(given, "__name__", "own").lower().strip("<>"), given, {}, "")
    raise StudyError(
        f"optimizer {given!r} is no PyTorch optimizer: give a name such as adamw, an instance, or "
        "a function of the module that makes one"
    )


def keras_optimizer(one: Named) -> Any:
    """A fresh Keras optimizer, whose rate is a variable."""
    return one.kind(learning_rate=PLACEHOLDER, **one.settings)


def torch_optimizer(one: Named, module: Any) -> tuple[Any, list[float]]:
    """A fresh PyTorch optimizer of a module, and each group's share of the lane's rate.

    The rate of the first group is the lane's; the others keep their ratio to it.

    Raises:
        StudyError: a function that makes no optimizer, or one whose first rate is not above 0.
    """
    import torch

    if inspect.isclass(one.kind):
        # As a function, so that its arguments are not those of `object`.
        make: Callable[..., Any] = one.kind
        return make(module.parameters(), lr=PLACEHOLDER, **one.settings), [1.0]
    made = one.kind(module)
    if not isinstance(made, torch.optim.Optimizer):
        raise StudyError(
            f"optimizer {one.label} makes a {type(made).__name__}: let it return a torch optimizer"
        )
    rates = [float(group.get("lr", 0.0)) for group in made.param_groups]
    if not rates[0] > 0:
        raise StudyError(
            f"optimizer {one.label}: the rate of its first group is {rates[0]:g}, and the grid "
            "scales all by it: give it one above 0"
        )
    return made, [rate / rates[0] for rate in rates]


def groups_of(one: Named, module: Any) -> Named:
    """The optimizer with the configuration of its groups, where a function makes it."""
    if inspect.isclass(one.kind):
        return one
    made, shares = torch_optimizer(one, module)
    groups = [
        {
            "share": share,
            "parameters": [list(parameter.shape) for parameter in group["params"]],
            **{key: value for key, value in group.items() if key != "lr" and _plain(value)},
        }
        for share, group in zip(shares, made.param_groups, strict=True)
    ]
    for group in groups:
        group.pop("params", None)
    config = json.dumps({"class": type(made).__name__, "groups": groups}, sort_keys=True)
    return replace(one, config=config)


def default_rate(one: Named) -> float | None:
    """The rate of the optimizer's class where none is given; None where there is none."""
    for name in ("learning_rate", "lr"):
        parameter = inspect.signature(one.kind).parameters.get(name)
        if parameter is not None and isinstance(parameter.default, (int, float)):
            return float(parameter.default)
    return None


def unique(found: Iterable[Named]) -> tuple[Named, ...]:
    """The optimizers, each label once.

    Raises:
        StudyError: two have one label.
    """
    seen: dict[str, Named] = {}
    for one in found:
        if one.label in seen:
            raise StudyError(f"optimizers names {one.label} twice: each once")
        seen[one.label] = one
    return tuple(seen.values())

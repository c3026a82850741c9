"""The optimizers of a model: those that it is compiled with, and others; some names are private."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.search.keras.reach import reachable


def compiled(optimizer: Any) -> dict[str, Any]:
    """The optimizers that a model is compiled with, the first being the default.

    The names are `optimizer`, or the patterns of a `MultiOptimizer` and `default`. Those of its
    optimizers that train no weight are left out.
    """
    optimizer = innermost(optimizer)
    if not hasattr(optimizer, "optimizers"):
        return {"optimizer": optimizer}
    mapped = optimizer._optimizer_map
    default = getattr(mapped, "default_optimizer", None)
    patterns = mapped.items() if isinstance(mapped, Mapping) else ()
    names = {id(one): pattern for pattern, one in patterns} | {id(default): "default"}
    found: dict[str, Any] = {}
    for one in sorted(optimizer.optimizers, key=lambda one: one is not default):
        if one.built or not optimizer.built:
            name = names.get(id(one), one.name)
            found[name if name not in found else f"{name} {len(found)}"] = one
    return found


def own(model: Any) -> dict[str, Any]:
    """Further optimizers that the model's attributes and functions lead to, by the way to them.

    One that the compiled optimizer holds is among them, but for those that Keras puts there.
    """
    import keras

    inner = innermost(model.optimizer)
    theirs = {id(part) for part in (inner, *getattr(inner, "optimizers", ()))}
    return {
        way: part
        for way, part in reachable(model)
        if isinstance(part, keras.optimizers.Optimizer)
        and id(part) not in theirs
        and innermost(part) is part
        and not hasattr(part, "optimizers")
    }


def innermost(optimizer: Any) -> Any:
    """The optimizer that others wrap; its rate is the one that counts."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer

"""Which finder a model of the user's own takes, by the frameworks that are loaded already."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from study.errors import StudyError

if TYPE_CHECKING:
    from study.search.finder import Sweep


def finder_of(model: Any) -> Callable[..., Sweep]:
    """The finder for a model of its kind.

    Whoever made the model has loaded its framework, so none is imported to ask.

    Args:
        model: a Keras model or a module of PyTorch.

    Raises:
        StudyError: it is neither.
    """
    # Keras first: on its backend of PyTorch its models are modules, too.
    if _is(model, "keras", "Model"):
        from study.search.keras import finder as of_keras

        return of_keras.find_rate
    if _is(model, "torch.nn", "Module"):
        from study.search.torch import finder as of_torch

        return of_torch.find_rate
    raise StudyError(
        f"the model is a {type(model).__name__}: give a Keras model or a torch.nn.Module"
    )


def _is(model: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(model, kind)

"""What the lanes need of an array framework, so that they are written once.

`study.engines.tensorflow` is TensorFlow's, `study.engines.jax` JAX's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

Tensor = Any


Body = Callable[[Tensor, Any], tuple[Any, tuple[Tensor, Tensor]]]


class Backend(Hashable, Protocol):
    """A module with these names."""

    NAME: str

    FAST_CONVOLUTIONS: bool
    """Has it fast convolutions on processors? Where not, products over patches are faster."""

    MAX_STEPS_PER_CALL: int | None
    """The most steps of one call of a program, to which shorter arrays are filled up, since every
    length would be compiled anew; None where any length will do.
    """

    xp: Any
    """The array namespace, under TensorFlow's names; `study.engines.rules` needs `sqrt` and `where`
    of it alone.
    """

    def prepare(self, precision: str) -> str:
        """Take GPU memory as it is needed, multiply in `float32` or `tf32`, and tell what it runs
        on: `gpu` or `cpu`. Before all else.
        """
        ...

    def fused(self, function: Callable[..., Any]) -> Any:
        """`function` of tensors compiled into few passes over memory, its gradient likewise."""
        ...

    def convolve(self, x: Tensor, w: Tensor) -> Tensor:
        """Same-padded grouped convolution: x (B, H, W, K I), w (h, w, I, K O) -> (B, H, W, K O); h
        and w odd.
        """
        ...

    def uniform(self, shape: tuple[int, ...], seed: Tensor) -> Tensor:
        """Numbers in [0, 1) that depend on the two integers `seed` alone; every backend gives the
        same.
        """
        ...

    def value_and_gradient(
        self, function: Callable[[Tensor], tuple[Tensor, Tensor]], w: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(value, extra) = function(w), and the gradient by w of the value's sum."""
        ...

    def shaped(self, *shape: int | None, dtype: str = "float32") -> Any:
        """The shape and type of a program's argument; None is any length."""
        ...

    def compiled(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function` as one program for arguments `shaped` so, compiled once, whatever lengths up
        to `MAX_STEPS_PER_CALL` it is called with.
        """
        ...

    def pixels(self) -> str:
        """The type in which images are kept on the device: bytes where it gathers them."""
        ...

    def steps(self, body: Body, state: Any, count: Tensor, most: Any, lanes: int) -> Any:
        """Run `state, (x, y) = body(i, state)` for i = 0..count-1, at most `most`, inside the
        program; return the state and both stacks, (count or more, lanes).
        """
        ...

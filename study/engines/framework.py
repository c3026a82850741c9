"""What the lanes need of a framework, so that they are written once.

`study.engines.tensorflow` and `study.engines.jax` are two such modules.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

Tensor = Any


Weights = tuple[Tensor, ...]
"""All lanes' weights, an array (K, m) for each of `Network.pieces`."""


Body = Callable[[Tensor, Any], tuple[Any, tuple[Tensor, Tensor]]]


class Framework(Hashable, Protocol):
    """A module with these names."""

    NAME: str

    FAST_CONVOLUTIONS: bool
    """Whether its convolutions are fast on processors; else products over patches are faster."""

    MAX_STEPS_PER_CALL: int | None
    """The number of steps that every call of a program is padded to, because each length would be
    compiled anew; None where any length will do.
    """

    xp: Any
    """The array library, under TensorFlow's names; a rule needs `sqrt` and `where` of it alone."""

    def prepare(self, precision: str) -> str:
        """Settle memory, threads and precision; call it before all else.

        Args:
            precision: `float32` or `tf32`.

        Returns:
            What it runs on, `gpu` or `cpu`.
        """
        ...

    def array_sizes(self) -> tuple[int, ...]:
        """The sizes that an array may have on this device."""
        ...

    def fused(self, function: Callable[..., Any]) -> Any:
        """A function of tensors, compiled into few passes over memory, and its gradient too."""
        ...

    def convolve(self, x: Tensor, w: Tensor) -> Tensor:
        """Same-padded grouped convolution.

        Args:
            x: images, (B, H, W, K I).
            w: filters, (h, w, I, K O); h and w odd.

        Returns:
            (B, H, W, K O).
        """
        ...

    def uniform(self, shape: tuple[int, ...], seed: Tensor) -> Tensor:
        """Numbers in [0, 1) of two integers `seed` alone; all frameworks give the same."""
        ...

    def value_and_gradient(
        self, function: Callable[[Weights], tuple[Tensor, Tensor]], weights: Weights
    ) -> tuple[Tensor, Tensor, Weights]:
        """Value, extra and gradients, where (value, extra) = function(weights).

        The gradients are those of the sum of the values by each of the weights.
        """
        ...

    def shaped(self, *shape: int | None, dtype: str = "float32") -> Any:
        """The shape and type of an argument of a program; None is any length."""
        ...

    def compiled(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A function as one program, compiled once for all lengths.

        Args:
            function: of tensors.
            arguments: what `shaped` gives for each argument.
        """
        ...

    def pixels(self) -> str:
        """The type of the images on the device: bytes, where it can gather bytes."""
        ...

    def steps(self, body: Body, state: Any, count: Tensor, lanes: int) -> Any:
        """Run `state, (x, y) = body(i, state)` for i = 0..count-1 inside a program.

        Args:
            body: one step.
            state: what the first step begins with.
            count: number of steps, at most `MAX_STEPS_PER_CALL`.
            lanes: K; x and y are (K,).

        Returns:
            The last state, and the stacks of x and of y, (count or more, K) each.
        """
        ...

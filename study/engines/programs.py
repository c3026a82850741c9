"""The compiled programs: steps of training, and evaluation without training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from study.engines.forward import classified, forward, split
from study.engines.framework import Framework, Tensor
from study.engines.rules import Rule, clipped, mixed, rule_of, slots_of
from study.spec.networks import CLASSES, SIDE, Network


@lru_cache(maxsize=64)
def training_program(
    framework: Framework,
    network: Network,
    lanes: int,
    batch: int,
    hyper: str,
    optimizers: tuple[str, ...],
    form: str,
) -> Any:
    """The compiled program that takes T steps.

    Args:
        framework: compiles it.
        network: the network of every lane.
        lanes: K.
        batch: B, images a step.
        hyper: the hyper-parameters, see `study.spec.hyper`.
        optimizers: names of the rules that lanes may have.
        form: of the second convolution.

    Returns:
        A function (images, labels, order (T, B), rates (T, K), momenta (T, K), kind (K, 1), slots,
        count, start, seed) -> slots, losses (T, K), fractions classified right (T, K). The slots
        are the weights and `slots_of` arrays, (K, n) each; `count` is T without padding; `start` is
        the number of steps taken before.
    """
    xp, logits = framework.xp, forward(framework, network, lanes, batch, form)
    rules = [rule_of(hyper, name) for name in optimizers]
    update = framework.fused(partial(piecewise, rules, network.pieces, xp))
    keep = 1 - network.dropout

    def program(
        images: Tensor,
        labels: Tensor,
        order: Tensor,
        rates: Tensor,
        momenta: Tensor,
        kind: Tensor,
        slots: Any,
        count: Tensor,
        start: Tensor,
        seed: Tensor,
    ) -> Any:
        def body(i: Tensor, slots: Any) -> Any:
            x, y = xp.gather(images, order[i]), xp.gather(labels, order[i])
            mask = None
            if network.dropout:
                drawn = framework.uniform((batch, network.dense), xp.stack([seed, start + i]))
                mask = xp.cast(drawn < keep, xp.float32) / keep

            def loss(weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
                z, _ = logits(weights, x, mask)
                log_p = xp.nn.log_softmax(z)
                right = xp.cast(classified(xp, z, y), xp.float32)
                return -xp.reduce_mean(
                    xp.reduce_sum(log_p * xp.one_hot(y, CLASSES), axis=2), axis=1
                ), xp.reduce_mean(right, axis=1)

            value, correct, gradients = framework.value_and_gradient(loss, slots[0])
            t = xp.cast(start + i + 1, xp.float32)
            step = (rates[i][:, None], t, momenta[i][:, None])
            return update(kind, *step, *chain(*slots, gradients)), (value, correct)

        # Within a call the large arrays stand alone, so that no step cuts and joins them.
        cut = tuple(split(xp, network, slot) for slot in slots)
        cut, losses, correct = framework.steps(body, cut, count, lanes)
        return tuple(xp.concat(slot, axis=1) for slot in cut), losses, correct

    shaped = framework.shaped
    slots = (shaped(lanes, network.weights),) * (1 + slots_of(rules))
    return framework.compiled(
        program,
        *_images(framework),
        shaped(None, batch, dtype="int32"),
        shaped(None, lanes),
        shaped(None, lanes),
        shaped(lanes, 1, dtype="int32"),
        slots,
        *[shaped(dtype="int32")] * 3,
    )


def piecewise(
    rules: Sequence[Rule],
    sizes: Sequence[Sequence[int]],
    xp: Any,
    kind: Tensor,
    rates: Tensor,
    number: Tensor,
    momenta: Tensor,
    *arrays: Tensor,
) -> tuple[tuple[Tensor, ...], ...]:
    """Clip the gradients, and update every piece.

    Args:
        rules: those that lanes may have.
        sizes: of the weight arrays in each piece, `Network.pieces`.
        xp, kind, rates, number, momenta: as what `mixed` returns takes them.
        arrays: the weights of all pieces, then each slot of all pieces, then all gradients.

    Returns:
        The weights of all pieces, then each slot of all pieces.
    """
    pieces, update = len(sizes), mixed(rules)
    kept, gradients = arrays[:-pieces], clipped(rules, sizes, xp, kind, arrays[-pieces:])
    updated = [
        update(xp, kind, *kept[i::pieces], gradients[i], rates, number, momenta)
        for i in range(pieces)
    ]
    return tuple(zip(*updated, strict=True))


def _images(framework: Framework) -> tuple[Any, Any]:
    return framework.shaped(None, SIDE, SIDE, dtype=framework.pixels()), framework.shaped(
        None, dtype="int32"
    )


@lru_cache(maxsize=64)
def evaluation_program(
    framework: Framework, network: Network, lanes: int, batch: int, form: str
) -> Any:
    """The compiled program that evaluates a batch without training.

    Args:
        framework, network, lanes, batch, form: as for `training_program`.

    Returns:
        A function (images (N, 28, 28), labels (N,), chosen (batch,), w (K, n)) -> which of the
        chosen images each lane classifies right (K, batch), and the greatest activation of each
        lane's hidden layers (layers, K).
    """
    xp, logits = framework.xp, forward(framework, network, lanes, batch, form)

    def program(images: Tensor, labels: Tensor, chosen: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        z, hidden = logits(split(xp, network, w), xp.gather(images, chosen), None)
        greatest = [xp.reduce_max(h, axis=(1, 2)) for h in hidden]
        return classified(xp, z, xp.gather(labels, chosen)), xp.stack(greatest)

    return framework.compiled(
        program,
        *_images(framework),
        framework.shaped(batch, dtype="int32"),
        framework.shaped(lanes, network.weights),
    )

"""The Learner of lanes: K networks of one width and seed, trained together in one compiled program on shared batches.

The weights of all lanes are one array (K, n), and so is each optimizer slot; a lane is a row. The first convolution is one ordinary
convolution of the shared images with K times the filters, the second a grouped one, the dense layers batched matrix products. Lanes'
losses are summed, never averaged, and nothing mixes rows.

Pooling comes before bias and ReLU (max(x) + b = max(x + b), and ReLU is monotone: the same function, a quarter of the work). A narrow
second convolution is folded: 2x2 blocks of pixels become channels, so that 5x5 over I channels turns into 3x3 over 4 I with the four
places of a pooling window side by side in the output. That is 1.44 times the arithmetic at three times the speed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.backend import Backend, Tensor
from study.data import Bytes, Images
from study.errors import StudyError
from study.learner import Bools, Floats, array_size, padded
from study.network import CLASSES, KERNEL, SIDE, Network, network_of
from study.optimizers import MOMENTUM, RULES, mixed
from study.spec import OPTIMIZERS, Trial

FOLD_BELOW = 6
"""Second convolutions with fewer input filters than this are folded; wider ones keep the library busy as they are."""

FORMS = ("grouped", "folded", "patches")
"""How the second convolution is computed: a grouped convolution, one over folded pixels, or a matrix product over patches."""

MOST_ELEMENTS = 2**30
"""Of one tensor: libraries for GPUs count in 32 bits."""

CLEARLY = 0.9
TUNING_ROUNDS, TUNING_STEPS = 3, 10

EVALUATION_BATCH = 500

COMMONEST = 0.4
"""Where one class is a larger share of the images than this, a network that answers the same for every image is not called stuck:
its luck over a window could bring it near the targets, from 0.5 up, at which lanes are examined."""

HALF, QUARTER = SIDE // 2, SIDE // 4


def batch_order(seed: int, start: int, count: int, batch: int, images: int) -> NDArray[np.int32]:
    """Indices (count, batch) of the images of steps start..start+count-1: a new shuffle every epoch, from the seed alone.

    What is left of an epoch after its last whole batch is skipped, as a `drop_remainder` pipeline does.
    """
    per_epoch = images // batch
    rows = []
    for step in range(start, start + count):
        epoch, place = divmod(step, per_epoch)
        rows.append(_shuffle(seed, epoch, images)[place * batch : (place + 1) * batch])
    return np.stack(rows)


@lru_cache(maxsize=4)
def _shuffle(seed: int, epoch: int, images: int) -> NDArray[np.int32]:
    return np.random.default_rng([seed, 1, epoch]).permutation(images).astype(np.int32)


def largest(xp: Any, z: Tensor, row: int, column: int) -> Tensor:
    """The greatest over two axes of length 2, `row` before `column`; on a tie the gradient goes to the first, as max-pooling's does."""
    top, bottom = xp.unstack(z, axis=row)
    a, b = xp.unstack(top, axis=column - 1)
    c, d = xp.unstack(bottom, axis=column - 1)
    return xp.maximum(xp.maximum(a, b), xp.maximum(c, d))


def usual_form(backend: Backend, network: Network) -> str:
    """The form of the second convolution that is fastest on processors."""
    return folded_or_grouped(network) if backend.CONVOLVES else "patches"


def folded_or_grouped(network: Network) -> str:
    """The form of those that are convolutions."""
    return "folded" if network.filters and network.filters[0] < FOLD_BELOW else "grouped"


@lru_cache(maxsize=64)
def forward(
    backend: Backend, network: Network, lanes: int, batch: int, form: str
) -> Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, list[Tensor]]]:
    """The networks as a function (w (K, n), images (B, 28, 28) from 0 to 255, mask (B, dense) or None) -> logits (K, B, 10), hidden layers.

    The hidden layers are what the ReLUs give, (K, B, units); the first convolution's its greatest of each filter alone, (K, 1, filters).
    """
    xp = backend.xp
    if not network.filters:
        return partial(perceptron, xp, network, lanes, batch)
    one, two = network.filters
    fold = form == "folded"

    def unpack(w: Tensor) -> tuple[Tensor, ...]:
        w1, b1, w2, b2, w3, b3, w4, b4 = xp.split(w, network.sizes, axis=1)
        w1 = xp.reshape(xp.transpose(xp.reshape(w1, [lanes, KERNEL**2, one]), [1, 0, 2]), [KERNEL, KERNEL, 1, lanes * one])
        w2 = xp.transpose(xp.reshape(w2, [lanes, KERNEL, KERNEL, one, two]), [1, 2, 3, 0, 4])
        if fold:
            shifts = [[[y, 1 - y], [x, 1 - x], [0, 0], [0, 0], [0, 0]] for y in (0, 1) for x in (0, 1)]
            w2 = xp.stack([xp.pad(w2, shift) for shift in shifts], axis=4)
            w2 = xp.transpose(xp.reshape(w2, [3, 2, 3, 2, one, lanes, 4 * two]), [0, 2, 1, 3, 4, 5, 6])
            w2 = xp.reshape(w2, [3, 3, 4 * one, lanes * 4 * two])
        elif form == "grouped":
            w2 = xp.reshape(w2, [KERNEL, KERNEL, one, lanes * two])
        w3 = xp.reshape(w3, [lanes, -1, network.dense])
        w4 = xp.reshape(w4, [lanes, network.dense, CLASSES])
        return w1, xp.reshape(b1, [-1]), w2, xp.reshape(b2, [-1]), w3, b3[:, None], w4, b4[:, None]

    def first(z: Tensor, b: Tensor) -> Tensor:
        h = xp.nn.relu(largest(xp, xp.reshape(z, [batch, HALF, 2, HALF, 2, lanes * one]), 2, 4) + b)
        if fold:
            h = xp.transpose(xp.reshape(h, [batch, QUARTER, 2, QUARTER, 2, lanes, one]), [0, 1, 3, 5, 2, 4, 6])
            h = xp.reshape(h, [batch, QUARTER, QUARTER, lanes * 4 * one])
        return h

    def second(z: Tensor, b: Tensor) -> Tensor:
        if fold:
            z = xp.reshape(largest(xp, xp.reshape(z, [batch, QUARTER, QUARTER, lanes, 2, 2, two]), 4, 5), [batch, QUARTER, QUARTER, -1])
        else:
            z = largest(xp, xp.reshape(z, [batch, QUARTER, 2, QUARTER, 2, lanes * two]), 2, 4)
        h = xp.reshape(xp.nn.relu(z + b), [batch, QUARTER**2, lanes, two])
        return xp.reshape(xp.transpose(h, [2, 0, 1, 3]), [lanes, batch, QUARTER**2 * two])

    unpack, first, second = backend.fused(unpack), backend.fused(first), backend.fused(second)

    def logits(w: Tensor, images: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        w1, b1, w2, b2, w3, b3, w4, b4 = unpack(w)
        x = xp.cast(images, xp.float32)[..., None] / 255
        h1 = first(patched(xp, x, w1[..., None, :]) if form == "patches" else xp.nn.conv2d(x, w1, 1, "SAME"), b1)
        h2 = second(patched(xp, h1, w2) if form == "patches" else backend.convolve(h1, w2), b2)
        h3 = xp.nn.relu(h2 @ w3 + b3)
        h1 = xp.reshape(xp.reduce_max(h1, axis=(0, 1, 2)), [lanes, 1, -1])
        return (h3 if mask is None else h3 * mask) @ w4 + b4, [h1, h2, h3]

    return logits


def classified(xp: Any, z: Tensor, y: Tensor) -> Tensor:
    """Which images (K, B) the logits (K, B, 10) get right; compared as floats, since TensorFlow compares integers on the host."""
    return xp.equal(xp.cast(xp.argmax(z, axis=2, output_type=xp.int32), xp.float32), xp.cast(y, xp.float32))


def patched(xp: Any, x: Tensor, w: Tensor) -> Tensor:
    """Same-padded grouped convolution as a matrix product over patches: x (B, H, W, K I), w (h, w, I, K, O) -> (B, H, W, K O)."""
    height, width, inputs, lanes, outputs = w.shape
    batch, rows, columns, _ = x.shape
    x = xp.pad(x, [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]])
    shifted = [x[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
    patches = xp.reshape(xp.stack(shifted), [height * width, batch * rows * columns, lanes, inputs])
    patches = xp.reshape(xp.transpose(patches, [2, 1, 0, 3]), [lanes, batch * rows * columns, height * width * inputs])
    z = patches @ xp.reshape(xp.transpose(w, [3, 0, 1, 2, 4]), [lanes, height * width * inputs, outputs])
    return xp.reshape(xp.transpose(z, [1, 0, 2]), [batch, rows, columns, lanes * outputs])


def perceptron(
    xp: Any, network: Network, lanes: int, batch: int, w: Tensor, images: Tensor, mask: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """The networks without convolutions, as `forward` has them."""
    w1, b1, w2, b2 = xp.split(w, network.sizes, axis=1)
    x = xp.reshape(xp.cast(images, xp.float32), [batch, SIDE**2]) / 255
    h = xp.nn.relu(x @ xp.reshape(w1, [lanes, SIDE**2, network.dense]) + b1[:, None])
    return (h if mask is None else h * mask) @ xp.reshape(w2, [lanes, network.dense, CLASSES]) + b2[:, None], [h]


@lru_cache(maxsize=64)
def training(backend: Backend, network: Network, lanes: int, batch: int, hyper: str, optimizers: tuple[str, ...], form: str) -> Any:
    """The compiled program that takes T steps: (images, labels, order (T, B), rates (T, K), momenta (T, K), kind (K, 1), slots, start,
    seed) -> slots, losses (T, K), correct (T, K), where slots are (w, a, b), each (K, n), and start is the number of steps taken before."""
    xp, logits = backend.xp, forward(backend, network, lanes, batch, form)
    update = backend.fused(partial(mixed([RULES[hyper][name] for name in optimizers]), xp))
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
            w, a, b = slots
            x, y = xp.gather(images, order[i]), xp.gather(labels, order[i])
            mask = None
            if network.dropout:
                drawn = backend.uniform((batch, network.dense), xp.stack([seed, start + i]))
                mask = xp.cast(drawn < keep, xp.float32) / keep

            def loss(w: Tensor) -> tuple[Tensor, Tensor]:
                z, _ = logits(w, x, mask)
                log_p = xp.nn.log_softmax(z)
                right = xp.cast(classified(xp, z, y), xp.float32)
                return -xp.reduce_mean(xp.reduce_sum(log_p * xp.one_hot(y, CLASSES), axis=2), axis=1), xp.reduce_mean(right, axis=1)

            value, correct, g = backend.value_and_gradient(loss, w)
            t = xp.cast(start + i + 1, xp.float32)
            return update(kind, w, a, b, g, rates[i][:, None], t, momenta[i][:, None]), (value, correct)

        return backend.steps(body, slots, count, order.shape[0], lanes)

    shaped = backend.shaped
    slot = shaped(lanes, network.weights)
    return backend.compiled(
        program,
        *_images(backend),
        shaped(None, batch, dtype="int32"),
        shaped(None, lanes),
        shaped(None, lanes),
        shaped(lanes, 1, dtype="int32"),
        (slot, slot, slot),
        *[shaped(dtype="int32")] * 3,
    )


def _images(backend: Backend) -> tuple[Any, Any]:
    return backend.shaped(None, SIDE, SIDE, dtype=backend.pixels()), backend.shaped(None, dtype="int32")


@lru_cache(maxsize=64)
def reading(backend: Backend, network: Network, lanes: int, batch: int, form: str) -> Any:
    """The compiled program that looks at images without training: (images (N, 28, 28), labels (N,), chosen (batch,), w (K, n)) -> which
    of the chosen images each lane classifies right (K, batch), and the greatest activation of each lane's hidden layers (layers, K)."""
    xp, logits = backend.xp, forward(backend, network, lanes, batch, form)

    def program(images: Tensor, labels: Tensor, chosen: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        z, hidden = logits(w, xp.gather(images, chosen), None)
        greatest = [xp.reduce_max(h, axis=(1, 2)) for h in hidden]
        return classified(xp, z, xp.gather(labels, chosen)), xp.stack(greatest)

    return backend.compiled(program, *_images(backend), backend.shaped(batch, dtype="int32"), backend.shaped(lanes, network.weights))


@dataclass(frozen=True)
class State:
    """All that a step changes, as immutable tensors: slots (w, a, b) of (K, n), each lane's optimizer (K, 1) and last rate (K,), and the
    number of steps taken (with the seed it fixes the place in the batch order and the dropout masks)."""

    slots: tuple[Tensor, Tensor, Tensor]
    kind: Tensor
    rates: Tensor
    step: int


@dataclass(frozen=True)
class DeviceImages:
    """A data set on the device, pixels from 0 to 255 and int32 labels, and the backend whose device it is."""

    backend: Backend
    x_train: Tensor
    y_train: Tensor
    x_validation: Tensor
    y_validation: Tensor
    x_test: Tensor
    y_test: Tensor

    @staticmethod
    def of(images: Images, backend: Backend) -> DeviceImages:
        """Copy the images to the device."""
        xp = backend.xp

        def pixels(x: Bytes) -> Tensor:
            return xp.constant(x.astype(backend.pixels()))

        def labels(y: Bytes) -> Tensor:
            return xp.constant(y.astype(np.int32))

        return DeviceImages(
            backend,
            pixels(images.x_train),
            labels(images.y_train),
            pixels(images.x_validation),
            labels(images.y_validation),
            pixels(images.x_test),
            labels(images.y_test),
        )


class Lanes:
    """A `Learner` of lanes in a backend's arrays, one lane a trial and padding up to the array's size; see `study.learner.Learner`.

    Args:
        trials: trials that differ in optimizer and learning rate alone.
        images: the data set.

    Raises:
        StudyError: the batch is larger than the training set.
    """

    def __init__(self, trials: Sequence[Trial], images: DeviceImages, form: str | None = None) -> None:
        trial, xp = trials[0], images.backend.xp
        self.images, self.seed, self.batch, self.hyper = images, trial.seed, trial.batch, trial.hyper
        if self.batch > len(images.y_train):
            raise StudyError(f"batch {self.batch} is more than the {len(images.y_train)} training images")
        self.network = network_of(trial)
        self.form = form or usual_form(images.backend, self.network)
        # An array computes all six rules, so that arrays of any trials share one program; a trial alone is to cost what it costs alone.
        self.optimizers = OPTIMIZERS if len(trials) > 1 else (trial.optimizer,)
        self.lanes = array_size(len(trials))
        lanes = padded(trials, self.lanes)
        kind = [[self.optimizers.index(t.optimizer)] for t in lanes]
        starts = [[RULES[self.hyper][t.optimizer].start] for t in lanes]
        w = np.tile(self.network.initial_weights(self.seed), (self.lanes, 1))
        a = np.broadcast_to(np.array(starts, np.float32), w.shape)
        self.state = State((xp.constant(w), xp.constant(a), xp.zeros_like(w)), xp.constant(kind, xp.int32), xp.zeros(self.lanes), 0)

    def prepare(self) -> None:
        """See `Learner.prepare`: one step, the first of its program if need be, and back."""
        before = self.state
        self.advance(np.zeros((1, self.lanes)))
        self.state = before

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """See `Learner.advance`."""
        rates = np.asarray(rates, np.float32)
        momenta = np.full(rates.shape, MOMENTUM, np.float32) if momenta is None else np.asarray(momenta, np.float32)
        most = self.images.backend.MOST or len(rates)
        parts = [self._advance(rates[i : i + most], momenta[i : i + most]) for i in range(0, len(rates), most)]
        losses, correct = (np.concatenate(values) for values in zip(*parts, strict=True))
        return losses, correct

    def _advance(self, rates: Floats, momenta: Floats) -> tuple[Floats, Floats]:
        """Some steps in one call of the program."""
        backend, xp = self.images.backend, self.images.backend.xp
        program = training(backend, self.network, self.lanes, self.batch, self.hyper, self.optimizers, self.form)
        images, state, count = self.images, self.state, len(rates)
        missing = (backend.MOST or count) - count

        def filled(array: NDArray[Any]) -> NDArray[Any]:
            return np.pad(array, ((0, missing), (0, 0)), mode="edge")

        slots, losses, correct = program(
            images.x_train,
            images.y_train,
            xp.constant(filled(batch_order(self.seed, state.step, count, self.batch, len(images.y_train)))),
            xp.constant(filled(rates)),
            xp.constant(filled(momenta)),
            state.kind,
            state.slots,
            xp.constant(count),
            xp.constant(state.step),
            xp.constant(self.seed),
        )
        self.state = replace(state, slots=slots, rates=xp.constant(rates[-1], xp.float32), step=state.step + count)
        np.asarray(slots[0][0, 0])  # the last update, not just the last loss, is waited for
        return np.asarray(losses)[:count], np.asarray(correct)[:count]

    def evaluate(self, test: bool = False) -> Floats:
        """See `Learner.evaluate`."""
        images = self.images
        x, y = (images.x_test, images.y_test) if test else (images.x_validation, images.y_validation)
        right = list(self._read(x, y, self.state.slots[0]))  # all asked of the device before the first is waited for
        accuracy: Floats = np.concatenate([np.asarray(correct)[:, seen] for correct, _, seen in right], axis=1).mean(axis=1)
        return accuracy

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """See `Learner.stuck`.

        The proof: some ReLU layer gives zero for every training and validation image, so the network answers the same for all of them
        and every gradient at or below that layer is exactly zero; and an update with that gradient changes none of those weights, bit
        for bit (what momentum is left only decays, so no later update will). What lies above the layer sees a constant and learns at
        most the commonest class.
        """
        xp = self.images.backend.xp
        sets = ((self.images.x_train, self.images.y_train), (self.images.x_validation, self.images.y_validation))
        if any(float(np.bincount(np.asarray(y)).max()) > COMMONEST * len(y) for _, y in sets):
            return np.zeros(len(lanes), bool)  # one answer for all images would already be a good score
        places = padded(lanes, array_size(len(lanes)))
        w, a, b = (xp.gather(slot, places) for slot in self.state.slots)
        ends = np.cumsum(self.network.sizes)[1:-1:2]  # weights up to and with the bias of each hidden layer
        dead = np.ones((len(ends), len(places)), bool)
        for _, greatest, _ in chain.from_iterable(self._read(x, y, w) for x, y in sets):
            dead &= np.asarray(greatest) <= 0
            if not dead.any():
                break
        rule = mixed([RULES[self.hyper][name] for name in self.optimizers])
        rates, t = xp.gather(self.state.rates, places)[:, None], xp.constant(self.state.step + 1.0)
        moved, _, _ = rule(xp, xp.gather(self.state.kind, places), w, a, b, xp.zeros_like(w), rates, t)
        still = np.asarray(moved) == np.asarray(w)
        frozen = np.array([still[:, :end].all(axis=1) for end in ends])
        proved: Bools = (dead & frozen).any(axis=0)[: len(lanes)]
        return proved

    def snapshot(self) -> State:
        """See `Learner.snapshot`; tensors are immutable, so this copies nothing."""
        return self.state

    def restore(self, state: State) -> None:
        """See `Learner.restore`."""
        self.state, self.lanes = state, int(state.kind.shape[0])

    def take(self, lanes: Sequence[int]) -> None:
        """See `Learner.take`."""
        xp = self.images.backend.xp
        kept = xp.constant(list(lanes), xp.int32)
        w, a, b, kind, rates = (xp.gather(part, kept) for part in (*self.state.slots, self.state.kind, self.state.rates))
        self.restore(State((w, a, b), kind, rates, self.state.step))

    def _read(self, x: Tensor, y: Tensor, w: Tensor) -> Iterator[tuple[Tensor, Tensor, Bools]]:
        """`reading` over a whole set, batch by batch."""
        backend = self.images.backend
        lanes = int(w.shape[0])
        # Without a gradient the convolutions are as good as products over patches, and take less memory.
        batch = min(EVALUATION_BATCH, MOST_ELEMENTS // (SIDE**2 * lanes * max(1, *self.network.filters, 1)))
        program = reading(backend, self.network, lanes, batch, folded_or_grouped(self.network))
        for begin in range(0, len(y), batch):
            chosen = np.arange(begin, begin + batch)
            correct, greatest = program(x, y, backend.xp.constant(np.minimum(chosen, len(y) - 1), backend.xp.int32), w)
            yield correct, greatest, chosen < len(y)


class LanesEngine:
    """Makes learners for the driver; the data set is put on the backend's device once.

    Args:
        images: the data set.
        backend: the framework.
        tune: time the forms of the second convolution, once for each network and array size, and take the fastest; else the processors'.
    """

    def __init__(self, images: Images, backend: Backend, tune: bool = False) -> None:
        self.images, self.tune = DeviceImages.of(images, backend), tune
        self.forms: dict[tuple[Network, int, int], str] = {}

    def learner(self, trials: Sequence[Trial]) -> Lanes:
        """A fresh learner with a lane for each trial."""
        return Lanes(trials, self.images, self.form(trials))

    def form(self, trials: Sequence[Trial], clock: Callable[[], float] = time.perf_counter) -> str:
        """The form of the second convolution for these trials; the usual one unless another takes less than `CLEARLY` of its time."""
        network = network_of(trials[0])
        key, usual = (network, array_size(len(trials)), trials[0].batch), usual_form(self.images.backend, network)
        if self.tune and network.filters and key not in self.forms:
            patches = key[1] * trials[0].batch * (SIDE // 2 * KERNEL) ** 2 * network.filters[0]
            forms = [form for form in FORMS if form != "patches" or patches < MOST_ELEMENTS]
            seconds = {form: _seconds(trials, self.images, form, clock) for form in forms}
            usual = usual if usual in seconds else folded_or_grouped(network)
            best = min(seconds, key=lambda form: seconds[form])
            self.forms[key] = best if seconds[best] < CLEARLY * seconds[usual] else usual
        return self.forms.get(key, usual)


def _seconds(trials: Sequence[Trial], images: DeviceImages, form: str, clock: Callable[[], float]) -> float:
    """Seconds of a step in that form, the least of a few rounds; infinite where it cannot be computed, for want of memory perhaps."""
    try:
        learner = Lanes(trials, images, form)
        learner.prepare()
        seconds = []
        for _ in range(TUNING_ROUNDS):
            begun = clock()
            learner.advance(np.zeros((TUNING_STEPS, learner.lanes)))
            seconds.append((clock() - begun) / TUNING_STEPS)
        return min(seconds)
    except StudyError:
        raise
    except Exception:
        return math.inf

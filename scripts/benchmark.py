#!/usr/bin/env python
"""How fast are lanes, against Keras, a plain TensorFlow step and PyTorch?

Each contender trains the same model on the same data with the same batch.

    .venv/bin/python scripts/benchmark.py             # a few minutes
    .venv/bin/python scripts/benchmark.py --quick     # under 50 seconds on a CPU, Adam alone
    .venv/bin/python scripts/benchmark.py --engine jax --precision float32
    .venv/bin/python scripts/benchmark.py --json      # the numbers on standard output, too
    .venv/bin/python scripts/benchmark.py --network own   # your own Keras and PyTorch models

The whole benchmark writes benchmark.json and benchmark.png to results/<machine>/benchmark. The
quick one writes nothing unless --out names a folder. Without --engine it takes tensorflow if that
is installed, else jax.

All of it runs on the GPU where there is one. PyTorch takes part where it is installed:
.venv/bin/python -m pip install torch (on a machine without a GPU its CPU build is enough); Keras
and TensorFlow where they are. Ratios are of the engine's best array.

Every contender trains the same network at batch 100 from MNIST's first images; each is warmed up,
then all are timed in turn, round by round, so that a slow spell of the machine falls on all; the
median counts. A ratio above 1 means that this engine is faster. Seconds are of one training step of
one model ("lane step"): an array's step divided by its lanes, and by the processes that train
arrays at once. Native arrays are those of lanes in registers, see `study.engines.native`; they are
timed as the engine's arrays are, in as many processes. The floor is the arithmetic alone, forward
and back (2 operations a multiply-add, no gradient of the images), at the rate of a large matrix
product, measured in the same rounds; the share of the memory's bandwidth counts each weight, slot
and gradient, and each activation, once for every time that a step cannot but read or write it,
against a large copy.

What was tried (compact network, batch 100; two cores of an AMD EPYC with AVX-512, 1 MiB of L2 a
core; ms a lane step unless said):

  pooling before bias and ReLU                 predicted a quarter of their work; 1.6 -> 1.2
  max-pooling by slices and maximum            TensorFlow's MaxPoolGrad alone took 0.57; with XLA's
                                               fused slices the step went to 1.1
  gradient of x by the flipped filter          predicted equal to the library's; twice as fast for
                                               narrow groups; kept
  folding 2x2 pixels into channels             predicted 1.44 times the arithmetic, fewer and wider
                                               groups; 1.1-1.2 -> 0.72-0.80; kept below 6 input
                                               filters (tutorial: 60-63 against 48, so not there)
  XLA for everything                           im2col and matrix products: 1.84 alone, 1.18 at 4
                                               lanes; XLA's own convolution gradients 50-120; so XLA
                                               fuses the elementwise parts alone
  all six optimizers in one array              predicted 1 % of a step; below the noise; kept, since
                                               arrays then share one program
  large arrays                                 predicted better; one process of two threads: 1.0 at
                                               4 lanes, 0.73 at 8, 0.67 at 16, 0.75 at 24 to 96:
                                               activations leave the L2 cache. Sizes are measured on
                                               the machine (`resources.PROBES`)
  a process of one thread a core               predicted equal; two at once give 0.53 at 12 to 16
                                               lanes (1.07 each), 0.65 at 48, against 0.67 of one
                                               process of two threads: nothing waits at the end of
                                               an operation; kept (tutorial: 44 against 46-48)
  wider networks                               widths 2, 4, 10: 3.0, 5.5, 19 alone; 1.7, 4.2, 18.7
                                               in arrays: the gain is gone where one model fills the
                                               cores by itself
  lanes innermost, compiled by Halide          predicted twice the arrays; the five convolutions of
                                               a step run at 75 to 107 GFLOP/s of 103 on one core,
                                               the dense layers at 77 to 97 (arrays of 16); kept,
                                               see `study.engines.native`
  half a register for the last few lanes       8 lanes in half a register of AVX-512 take 0.56 of
                                               the time of 16 in a whole one (Zen 4); kept
  no AutoGraph                                 predicted a little; it takes two thirds of compiling:
                                               the first program of a process 3.7 -> 0.9 s, the
                                               others 0.5 -> 0.25 s; kept off
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from scripts.busy import profile
from study import data
from study.engines.choice import ENGINES, PRECISIONS, EngineChoice
from study.engines.native.engine import NATIVE, is_installed, trains
from study.errors import StudyError
from study.execution.executors.pool import Pool
from study.execution.measuring import probe
from study.execution.planning.resources import Crew, Resources
from study.machine.device import choose
from study.machine.here import this_machine
from study.machine.nvidia import resolved
from study.machine.versions import versions
from study.spec.networks import Network, network_of
from study.spec.presets import preset
from study.spec.trial import OPTIMIZERS, Trial

BATCH = 100
PAUSE = 0.25  # seconds; OpenMP's idle threads spin for 0.2 after PyTorch's last step
RATE = 1e-3


@dataclass
class Contender:
    """Something to time: `run(steps)` takes so many steps of `lanes` models and returns when they
    are done. A round has whole calls of `call` steps.
    """

    name: str
    network: str
    run: Callable[[int], object]
    lanes: int = 1
    least: int = 1
    call: int = 1
    steps: int = 1
    form: str | None = None
    milliseconds: list[float] = field(default_factory=list)

    def warm_up(self, seconds: float) -> None:
        """Compile, then choose how many steps a round takes."""
        self.run(1)
        begun = time.perf_counter()
        self.run(1)
        steps = min(200, max(self.least, round(seconds / (time.perf_counter() - begun))))
        self.steps = math.ceil(steps / self.call) * self.call

    def round(self) -> None:
        """Time a round, after a step that fills the caches."""
        self.run(1)
        begun = time.perf_counter()
        self.run(self.steps)
        self.milliseconds.append(1e3 * (time.perf_counter() - begun) / self.steps / self.lanes)

    @property
    def median(self) -> float:
        """Milliseconds of a lane step."""
        return statistics.median(self.milliseconds)


def ours(trial: Trial, lanes: int, engine: Any) -> Contender:
    """This engine: a trial alone, or an array in this process."""
    learner = engine.learner([trial] * lanes)
    name = f"alone, {trial.optimizer}" if lanes == 1 else f"array of {lanes}"
    return Contender(
        name,
        trial.network,
        lambda steps: learner.advance(np.full((steps, learner.lanes), RATE)),
        lanes,
        call=(learner.images.framework.MAX_STEPS_PER_CALL or 1) if this_machine().gpus else 1,
        form=learner.form,
    )


def keras_model(network: Network) -> Any:
    """The network as a person would write it in Keras."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(network.filters[0], 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(network.filters[1], 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(network.dense, activation="relu"),
            *([layers.Dropout(network.dropout)] if network.dropout else []),
            layers.Dense(10),
        ]
    )


def keras_fit(trial: Trial, images: data.Images) -> Contender:
    """Keras `fit`, the way a user would otherwise do it."""
    import keras

    model = keras_model(network_of(trial))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss=loss, metrics=["accuracy"])
    x, y = data.pixels(images.x_train)[..., None], images.y_train.astype(np.int32)

    def run(steps: int) -> None:
        model.fit(x[: steps * BATCH], y[: steps * BATCH], batch_size=BATCH, epochs=1, verbose=0)

    # `fit` has a cost a call; in an epoch of 550 steps it hardly shows, so it must not here.
    return Contender(
        "Keras fit", trial.network, run, least=100 if trial.network == "compact" else 6
    )


def plain_step(trial: Trial, images: data.Images) -> Contender:
    """A Keras model stepped by a plain `tf.function`."""
    import keras
    import tensorflow as tf

    model, optimizer = keras_model(network_of(trial)), keras.optimizers.Adam(RATE)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x, y = (
        tf.constant(data.pixels(images.x_train[:10_000])[..., None]),
        tf.constant(images.y_train[:10_000].astype(np.int32)),
    )

    @tf.function
    def step(xb: Any, yb: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(yb, model(xb, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    def run(steps: int) -> None:
        for i in range(steps):
            place = i % 100 * BATCH
            value = step(x[place : place + BATCH], y[place : place + BATCH])
        value.numpy()

    return Contender("tf.function", trial.network, run)


def torch_contenders(
    trial: Trial, images: data.Images, lanes: int, precision: str, quick: bool = False
) -> list[Contender]:
    """PyTorch's eager loop, on a GPU also compiled unless it must be quick, and `torch.func.vmap`
    over `lanes` models (gradients and plain Adam); none where it is not installed.
    """
    try:
        import torch
    except ImportError:
        return []
    from torch import func, nn

    device = "cuda" if this_machine().gpus else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        print("benchmark: PyTorch sees no GPU and takes no part", file=sys.stderr)
        return []
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"

    net = network_of(trial)
    one, two = net.filters

    def model(dropout: float) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, one, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(one, two, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(49 * two, net.dense),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(net.dense, 10),
        )

    x = torch.from_numpy(data.pixels(images.x_train[:10_000])[:, None]).to(device)
    y = torch.from_numpy(images.y_train[:10_000].astype(np.int64)).to(device)

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def loop(compiled: bool) -> Callable[[int], None]:
        own = model(net.dropout).to(device)
        optimizer = torch.optim.Adam(own.parameters(), lr=RATE)

        def losses(xb: Any, yb: Any) -> Any:
            return nn.functional.cross_entropy(own(xb), yb)

        loss = torch.compile(losses) if compiled else losses

        def run(steps: int) -> None:
            for i in range(steps):
                place = i % 100 * BATCH
                optimizer.zero_grad()
                loss(x[place : place + BATCH], y[place : place + BATCH]).backward()
                optimizer.step()
            wait()

        return run

    base = model(net.dropout).to(device)
    state = {k: v.detach()[None].repeat(lanes, *[1] * v.dim()) for k, v in base.named_parameters()}
    slots = [{k: torch.zeros_like(v) for k, v in state.items()} for _ in range(2)]

    def loss(weights: Any, xb: Any, yb: Any) -> Any:
        return nn.functional.cross_entropy(func.functional_call(base, weights, (xb,)), yb)

    gradients = func.vmap(func.grad(loss), in_dims=(0, None, None), randomness="same")

    def run_vmap(steps: int) -> None:
        for i in range(steps):
            place = i % 100 * BATCH
            g = gradients(state, x[place : place + BATCH], y[place : place + BATCH])
            with torch.no_grad():
                for k, w in state.items():
                    a, b = slots[0][k], slots[1][k]
                    a.lerp_(g[k], 0.1)
                    b.mul_(0.999).addcmul_(g[k], g[k], value=0.001)
                    w.addcdiv_(a, b.sqrt().add_(1e-8), value=-RATE)
        wait()

    contenders = [Contender("PyTorch eager", trial.network, loop(compiled=False))]
    if device == "cuda" and not quick:
        contenders.append(Contender("PyTorch compiled", trial.network, loop(compiled=True)))
    return [*contenders, Contender(f"PyTorch vmap of {lanes}", trial.network, run_vmap, lanes)]


def rates_of(backend: Any, rounds: int) -> tuple[float, float]:
    """Operations a second of a matrix product, bytes a second of a copy: the medians of `rounds`,
    each large enough to fill the device.
    """
    side, length, repeats = (8192, 2**28, 8) if this_machine().gpus else (2048, 2**24, 1)
    xp = backend.xp
    a, c = (
        xp.constant(np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)),
        xp.zeros(length),
    )
    # The last sum makes one number to wait for; each round's product is of another matrix, or it
    # would be computed once.
    product = backend.compiled(
        lambda a: xp.reduce_sum(_again(lambda b: a @ b / side, a, repeats)),
        backend.shaped(side, side),
    )
    copy = backend.compiled(lambda c: _again(lambda b: b + 1, c, 1), backend.shaped(length))

    def copied() -> Any:
        value = c
        for _ in range(repeats):  # the device need not wait for the host in between
            value = copy(value)
        return value[0]

    def seconds(run: Callable[[], Any]) -> float:
        np.asarray(run())
        times = []
        for _ in range(rounds):
            begun = time.perf_counter()
            np.asarray(run())
            times.append(time.perf_counter() - begun)
        return statistics.median(times)

    products, copies = seconds(lambda: product(a)), seconds(copied)
    return 2 * side**3 * repeats / products, 8 * length * repeats / copies


def _again(function: Callable[[Any], Any], value: Any, times: int) -> Any:
    for _ in range(times):
        value = function(value)
    return value


def floor_milliseconds(network: Network, rate: float) -> float:
    """A lane step's arithmetic at the matrix rate: forward and both gradients, less the gradient of
    the images.
    """
    return 1e3 * 2 * BATCH * (3 * network.multiply_adds - 28 * 28 * network.sizes[0]) / rate


def floor_bytes(network: Network) -> float:
    """Bytes that a lane step has to move: the weights are read forward, back and to be updated, and
    written; the gradient is written and read, each of Adam's slots read and written; an activation
    is written, read, and read again on the way back, its gradient written and read.
    """
    first, second = network.filters
    activations = BATCH * (
        28 * 28 * first + 14 * 14 * (first + second) + 7 * 7 * second + network.dense + 10
    )
    return 4.0 * (network.weights * (4 + 2 + 4) + 5 * activations)


def installed() -> list[str]:
    """The engines whose framework is there."""
    return [name for name in ENGINES if find_spec(name) is not None]


def ready(contender: Contender, seconds: float) -> bool:
    """Warm it up; one of PyTorch's that fails at it takes no part, and it is said why."""
    try:
        contender.warm_up(seconds)
    except Exception as error:
        if not contender.name.startswith("PyTorch"):
            raise
        print(
            f"benchmark: {contender.name} takes no part ({type(error).__name__}: "
            f"{str(error)[:200]})",
            file=sys.stderr,
        )
        return False
    return True


def measure(
    quick: bool, setup: EngineChoice, networks: Sequence[str] = ("compact", "tutorial")
) -> dict[str, Any]:
    """Time every contender on the networks."""
    images = data.load("mnist")
    engine = setup(images)
    backend = engine.images.framework  # type: ignore[attr-defined]
    gpu = bool(this_machine().gpus)
    jobs = 1 if gpu else this_machine().cores
    both = setup.engine == "tensorflow" and is_installed() and not gpu
    pool = replace(setup, arrays=NATIVE) if both else setup
    crew = Pool(jobs, "mnist", pool) if jobs > 1 else None
    natives = Crew(setup.site(), Resources(jobs, math.inf, arrays=NATIVE)) if both else None
    beside = "tensorflow" in installed()
    if beside:
        from study.engines import tensorflow

        beside = tensorflow.prepare(resolved(setup.precision)) == (
            "gpu" if gpu else "cpu"
        )  # else it would race from the processor
    rounds, seconds = (3, 0.08) if quick else (7, 0.5)
    answer: dict[str, Any] = {
        "batch": BATCH,
        "rounds": rounds,
        "processes": jobs,
        "engine": setup.engine,
        "precision": resolved(setup.precision),
        "machine": this_machine().to_json(),
        "versions": versions(setup.engine),
    }
    for name in networks:
        spec = preset("article").with_(network=name)
        trials = {trial.optimizer: trial for trial in spec.trials() if trial.learning_rate == 1e-3}
        trials = {
            optimizer: trials.get(optimizer) or replace(spec.trials()[0], optimizer=optimizer)
            for optimizer in OPTIMIZERS
        }
        adam = trials["adam"]
        large = name == "tutorial"
        sizes = (
            ([48, 96] if large else [96, 288])
            if gpu
            else [4]
            if large
            else [16]
            if quick
            else [4, 16, 64]
        )
        contenders = [ours(trials[o], 1, engine) for o in (("adam",) if quick else OPTIMIZERS)]
        contenders += [ours(adam, size, engine) for size in sizes if gpu or not (quick and large)]
        if beside:
            contenders += [keras_fit(adam, images), *([] if quick else [plain_step(adam, images)])]
        contenders += torch_contenders(
            adam, images, 48 if gpu else 4 if large else 16, answer["precision"], quick
        )
        contenders = [contender for contender in contenders if ready(contender, seconds)]
        found: dict[int, list[float]] = {size: [] for size in sizes}
        native: dict[int, list[float]] = {size: [] for size in ((48,) if quick else (16, 48))}
        rates: list[tuple[float, float]] = []
        for _ in range(2 if quick and large else rounds):
            rates.append(rates_of(backend, 3))
            for contender in contenders:
                contender.round()
                if contender.name.startswith("PyTorch"):
                    time.sleep(PAUSE)
            if crew and (not quick or not found[sizes[0]]):
                for size, timed in probe(crew, adam, sizes).items():
                    found[size].append(1e3 * statistics.median(timed.seconds) / jobs)
            if crew and natives and trains(name):
                for size, timed in probe(crew, adam, list(native), natives).items():
                    native[size].append(1e3 * statistics.median(timed.seconds) / jobs)
        rate, bandwidth = (statistics.median(values) for values in zip(*rates, strict=True))
        answer[name] = {
            **summary(contenders, found, jobs, rate, bandwidth, network_of(adam), native),
            "convolution": {c.name: c.form for c in contenders if c.form},
        }
        if gpu and setup.engine == "jax":
            answer[name]["profile"] = {
                c.name: profile(partial(c.run, 50)) for c in contenders if c.form
            }
    if crew:
        crew.close()
    return answer


def summary(
    contenders: list[Contender],
    found: dict[int, list[float]],
    jobs: int,
    rate: float,
    bandwidth: float,
    network: Network,
    native: Mapping[int, list[float]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Medians and ratios of one network."""
    times = {contender.name: contender.median for contender in contenders}
    arrays = {(c.lanes, 1): c.median for c in contenders if c.name.startswith("array")}
    arrays |= {(size, jobs): statistics.median(values) for size, values in found.items() if values}
    (lanes, processes), array = min(arrays.items(), key=lambda item: item[1])
    alone = times["alone, adam"]
    names = {
        "keras_fit": "Keras fit",
        "tf_function": "tf.function",
        "torch_eager": "PyTorch eager",
        "torch_compiled": "PyTorch compiled",
    }
    other = {key: times.get(name) for key, name in names.items()}
    other["torch_vmap"] = next(
        (value for name, value in times.items() if name.startswith("PyTorch vmap")), None
    )
    floor = floor_milliseconds(network, rate)
    registers = {size: statistics.median(values) for size, values in native.items() if values}
    best = min(registers.values(), default=None)
    return {
        **{
            f"native_vs_{key}": value and best and round(value / best, 3)
            for key, value in {**other, "alone": alone, "array": array}.items()
        },
        "native_share_of_matrix_rate": best and round(floor / best, 3),
        "native_milliseconds": {
            f"native, {size} lanes, {jobs} processes": round(value, 4)
            for size, value in registers.items()
        },
        **{f"array_vs_{key}": value and round(value / array, 3) for key, value in other.items()},
        **{f"alone_vs_{key}": value and round(value / alone, 3) for key, value in other.items()},
        "array_vs_alone": round(alone / array, 3),
        "share_of_matrix_rate": round(floor / array, 3),
        "alone_share_of_matrix_rate": round(floor / alone, 3),
        "share_of_bandwidth": round(1e3 * floor_bytes(network) / bandwidth / array, 3),
        "alone_share_of_bandwidth": round(1e3 * floor_bytes(network) / bandwidth / alone, 3),
        "lanes": lanes,
        "processes": processes,
        "milliseconds_per_lane_step": round(array, 4),
        "floor_milliseconds": round(floor, 4),
        "matrix_gflops": round(rate / 1e9, 1),
        "copy_gigabytes": round(bandwidth / 1e9, 1),
        "milliseconds": {name: round(value, 4) for name, value in times.items()},
        "array_milliseconds": {
            f"{size} lanes, {n} process{'es' if n > 1 else ''}": round(value, 4)
            for (size, n), value in arrays.items()
        },
    }


def draw(answer: dict[str, Any], path: Path) -> None:
    """Bars of milliseconds a lane step, one panel a network."""
    import seaborn as sns
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        names = [name for name in ("compact", "tutorial") if name in answer]
        panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        found = answer[name]
        mine = {
            **{k: v for k, v in found["milliseconds"].items() if k.startswith("alone")},
            **found["array_milliseconds"],
            **found["native_milliseconds"],
        }
        others = {
            k: v for k, v in found["milliseconds"].items() if not k.startswith(("alone", "array"))
        }
        bars = sorted({**mine, **others}.items(), key=lambda item: -item[1])
        colours = [
            sns.color_palette("colorblind")[0] if label in mine else "0.75" for label, _ in bars
        ]
        drawn = axes.barh([label for label, _ in bars], [value for _, value in bars], color=colours)
        axes.bar_label(drawn, fmt="%.3g", padding=3, fontsize=8)
        axes.axvline(found["floor_milliseconds"], color="black", linestyle=":", linewidth=1)
        axes.set_title(
            f"{name} (dotted: arithmetic alone, {found['floor_milliseconds']:.2g} ms)",
            fontsize=10,
            loc="left",
        )
        axes.set_xlabel("milliseconds of one training step of one model")
        axes.grid(visible=False, axis="y")
        axes.tick_params(labelsize=8)
        axes.margins(x=0.12)
    figure.suptitle(
        f"A training step: {answer['engine']} lanes (blue) and others, batch {BATCH}, "
        f"{answer['machine']['name']}, {answer['precision']}",
        x=0.01,
        ha="left",
    )
    figure.savefig(path, dpi=150)


def measure_own(arguments: argparse.Namespace) -> None:
    """Time models of one's own; write and print the table."""
    import benchmark_own

    rows = benchmark_own.measure(rounds=2 if arguments.quick else benchmark_own.ROUNDS)
    out = arguments.out or Path("results") / this_machine().name / "benchmark"
    if arguments.out or not arguments.quick:
        out.mkdir(parents=True, exist_ok=True)
        (out / "own.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(json.dumps(rows) if arguments.json else benchmark_own.printed(rows))


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(
        description="Time this engine against Keras, TensorFlow and PyTorch on this machine."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="under 50 seconds: Adam alone, few rounds; writes only where --out says",
    )
    parser.add_argument(
        "--network",
        choices=("compact", "tutorial", "own"),
        help="one network, both where not given; or models of one's own, see benchmark_own.py",
    )
    parser.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        default=(installed() or ["tensorflow"])[0],
        help="whose lanes",
    )
    parser.add_argument("--device", help="cpu, gpu or gpu:N")
    parser.add_argument("--precision", choices=PRECISIONS, default="default", help="of products")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument(
        "--out", type=Path, help="folder to write to; results/<machine>/benchmark where not given"
    )
    arguments = parser.parse_args()
    if arguments.network == "own":
        measure_own(arguments)
        return
    try:
        if arguments.device:
            choose(arguments.device)
        networks = (arguments.network,) if arguments.network else ("compact", "tutorial")
        answer = measure(
            arguments.quick, EngineChoice(arguments.engine, arguments.precision), networks
        )
    except StudyError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(2)
    out = arguments.out or (
        None if arguments.quick else Path("results") / this_machine().name / "benchmark"
    )
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "benchmark.json").write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
        draw(answer, out / "benchmark.png")
    if arguments.json:
        print(json.dumps(answer))
        return
    for name in networks:
        found = answer[name]
        print(f"{name}: milliseconds of one training step of one model")
        for label, value in sorted(
            {
                **found["milliseconds"],
                **found["array_milliseconds"],
                **found["native_milliseconds"],
            }.items(),
            key=lambda item: item[1],
        ):
            print(f"  {label:28} {value:9.3f}")
        for label, seen in found.get("profile", {}).items():
            print(f"  {label}: the GPU is busy for {seen['busy']:.0%} of the time" if seen else "")
        ratios = {k: v for k, v in found.items() if "_vs_" in k or "share" in k}
        print("  " + ", ".join(f"{k} {v}" for k, v in ratios.items()))
    if out:
        print(f"Written to {out}")


if __name__ == "__main__":
    main()

"""A group's runs: what each records, and what an error costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from study.errors import StudyError
from study.machine.facts import Site
from study.machine.quiet import Load
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.checks import Finish
from study.storage.records import Outcome, Run
from study.storage.reference import Reference
from study.training import group
from study.training.group import Context, train
from study.training.stopwatch import Stopwatch
from support.parabola import MACHINE, ParabolaEngine
from support.training.told import Told

SITE = Site(MACHINE, {"tensorflow": "2"})
CONTEXT = Context("s", SITE, 3, device="cpu")
SPEC = StudySpec(optimizers=("sgd",), rates="1e-3:1e-1:8", cap=None, max_steps=1000)
TRIALS = SPEC.trials()
MINE = Reference("Test CPU", *SITE.kind)
OTHER = Reference("elsewhere", "0123abcd", "tensorflow 1 float32")


@dataclass
class Engine:
    """Makes learners that are told, and raises what a test wants for the lanes that it names."""

    accuracies: Sequence[Sequence[float]] = ((0.5, 0.98),)
    losses: Sequence[Sequence[float]] | None = None
    error: Exception | None = None
    breaks: Callable[[Sequence[Trial]], bool] = lambda trials: True
    made: list[Sequence[Trial]] = field(default_factory=list)

    def learner(self, trials: Sequence[Trial]) -> Told:
        self.made.append(trials)
        if self.error and self.breaks(trials):
            raise self.error
        learner = Told(self.accuracies, self.losses)
        learner.form = "direct"
        return learner


@dataclass
class Emitted:
    """What a group has emitted, in order."""

    runs: list[Run] = field(default_factory=list)
    ends: list[Finish | None] = field(default_factory=list)

    def __call__(self, run: Run, end: Finish | None) -> None:
        self.runs.append(run)
        self.ends.append(end)


def trained(
    trials: Sequence[Trial],
    engine: Any,
    step_seconds: Sequence[float] | None = (0.01,),
    context: Context = CONTEXT,
    **options: Any,
) -> Emitted:
    """The runs of a group."""
    emitted = Emitted()
    train(trials, step_seconds, engine, context, emitted, Stopwatch(), **options)
    return emitted


@pytest.mark.parametrize(
    ("own", "values", "source", "expected"),
    [
        (None, {"steps": 100, "seconds": 0.5}, "measured", 0.005),
        (None, {}, "measured", None),
        (None, {"steps": 0, "seconds": 0.5}, "measured", None),
        (0.25, {"steps": 100, "seconds": 0.5}, "reconstructed", 0.25),
        (0.25, {}, "reconstructed", 0.25),
    ],
)
def test_the_step_time_is_given_or_follows_from_the_clock(
    own: float | None, values: dict[str, Any], source: str, expected: float | None
) -> None:
    """None where there is neither."""
    run = CONTEXT.record(TRIALS[0], Outcome.CAPPED, "now", 1, own, **values)
    assert (run.seconds_source, run.step_seconds) == (source, expected)
    blank = {"steps": 0, "seconds": 0.0, "accuracy": None, "best_accuracy": None, "error": None}
    assert {name: getattr(run, name) for name in blank} == blank | values


@pytest.mark.parametrize(
    ("reference", "own", "named"),
    [(None, 0.01, False), (MINE, 0.01, False), (OTHER, 0.01, True), (OTHER, None, False)],
)
def test_a_reference_of_another_kind_is_named_where_its_step_time_counts(
    reference: Reference | None, own: float | None, named: bool
) -> None:
    """Not this kind's own, and not where the clock was read."""
    context = replace(CONTEXT, reference=reference)
    run = context.record(TRIALS[0], Outcome.FAILED, "now", 1, own)
    assert (run.reference, run.reference_machine, run.reference_software) == (
        (OTHER.fingerprint, OTHER.machine, OTHER.software) if named else (None, None, None)
    )


def test_a_run_holds_the_facts_of_its_process() -> None:
    """Of the study, the site, the network and the group."""
    for model, processor in (("", None), ("6.143.8", "6.143.8")):
        machine = replace(MACHINE, model=model)
        context = replace(CONTEXT, site=replace(SITE, machine=machine))
        (run,) = trained(TRIALS[:1], Engine(), context=context).runs
        net = network_of(TRIALS[0])
        assert (run.processor, run.fingerprint) == (processor, machine.fingerprint)
        assert (run.weights, run.multiply_adds) == (net.weights, net.multiply_adds)
        assert (run.trial, run.study, run.jobs, run.lanes) == (TRIALS[0], "s", 3, 1)
        assert (run.device, run.form, run.machine) == ("cpu", "direct", machine.name)
        assert (run.versions, run.engine) == (SITE.versions, SITE.engine)
    with pytest.raises(FrozenInstanceError):
        CONTEXT.jobs = 1  # type: ignore[misc]


def test_a_run_has_the_last_and_the_best_accuracy_and_its_own_step_time() -> None:
    """The best may lie before the last; where there was no check, there is neither."""
    told = [[0.3, 0.9, 0.6], [0.5], [0.98]]
    losses = [[1.0], [float("nan")], [1.0]]
    trials = [replace(trial, max_steps=150) for trial in TRIALS[:3]]
    found = trained(trials, Engine(told, losses), [0.01, 0.02, 0.04])
    runs = {run.trial: run for run in found.runs}
    assert [
        (str(run.outcome), run.steps, run.seconds, run.accuracy, run.best_accuracy)
        for run in (runs[trial] for trial in trials)
    ] == [
        ("capped", 150, 1.5, 0.6, 0.9),
        ("diverged", 1, 0.02, None, None),
        ("reached", 50, 2.0, 0.98, 0.98),
    ]
    assert [runs[trial].step_seconds for trial in trials] == [0.01, 0.02, 0.04]
    assert {run.lanes for run in found.runs} == {3}
    assert [end.lane for end in found.ends if end] == [1, 2, 0]


@pytest.mark.parametrize(
    ("prune", "end"), [("none", ("capped", 550)), ("hopeless", ("pruned", 500))]
)
def test_a_group_is_pruned_where_its_trials_say_so(prune: str, end: tuple[str, int]) -> None:
    """And a trial's other fields reach the loop too."""
    trial = replace(TRIALS[0], prune=prune, max_steps=550)
    (run,) = trained([trial], Engine([[0.8]])).runs
    assert (str(run.outcome), run.steps) == end


@pytest.mark.parametrize(
    ("own", "place", "quiet"),
    [([0.01], "cpu", None), (None, "cpu", False), (None, "GPU-aa", None)],
)
def test_the_clock_is_read_on_a_device_of_ones_own(
    own: list[float] | None, place: str, quiet: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the load is noted where the processor computes; a step time given needs neither."""
    entered: list[str] = []

    @contextmanager
    def exclusive() -> Iterator[None]:
        entered.append(place)
        yield

    class Busy:
        def __init__(self, family: int | None) -> None:
            assert family is None

        def read(self) -> Load:
            return Load(2, 0.5, 1.6, 0.9)

    monkeypatch.setattr("study.machine.device.exclusive", exclusive)
    monkeypatch.setattr("study.machine.device.current", lambda: place)
    monkeypatch.setattr(group, "Meter", Busy)
    (run,) = trained(TRIALS[:1], Engine(), own).runs
    assert entered == ([] if own else [place])
    assert run.quiet is quiet


@pytest.mark.parametrize("error", [StudyError("no such file"), OSError("disk full")])
def test_what_is_no_trials_fault_ends_the_group(error: Exception) -> None:
    """As it is, and nothing is recorded."""
    emitted, engine = Emitted(), Engine(error=error)
    with pytest.raises(type(error)) as raised:
        train(TRIALS, [0.01] * 8, engine, CONTEXT, emitted, Stopwatch())
    assert raised.value is error
    assert len(engine.made) == 1
    assert emitted.runs == []


def test_a_trial_that_fails_alone_is_recorded_with_the_error() -> None:
    """At most 2000 characters of it."""
    found = trained(TRIALS[:1], Engine(error=RuntimeError("x" * 5000)))
    (run,) = found.runs
    assert (run.outcome, run.steps, run.step_seconds) == (Outcome.FAILED, 0, 0.01)
    assert run.error == "RuntimeError: " + "x" * 1986
    assert found.ends == [None]


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(("bad", "sizes"), [(0, [8, 4, 2, 1, 1, 2, 4]), (7, [8, 4, 4, 2, 2, 1, 1])])
def test_an_error_costs_the_trial_that_caused_it(bad: int, sizes: list[int], alone: bool) -> None:
    """Halves are trained by themselves until it is found; each trial ends once, at its own step
    time.
    """

    class Breaking(ParabolaEngine):
        def learner(self, trials: Sequence[Trial]) -> Any:
            made.append(len(trials))
            return super().learner(trials)

    made: list[int] = []
    times = None if alone else [0.01 * (i + 1) for i in range(8)]
    found = trained(TRIALS, Breaking(breaks=[TRIALS[bad].learning_rate]), times)
    assert made == sizes
    assert Counter(run.id for run in found.runs) == Counter(trial.id for trial in TRIALS)
    for run in found.runs:
        assert (run.outcome is Outcome.FAILED) == (run.trial == TRIALS[bad])
        if times:
            assert run.step_seconds == times[TRIALS.index(run.trial)]
        assert run.seconds_source == ("measured" if alone else "reconstructed")


def test_what_has_ended_before_an_error_is_not_trained_again() -> None:
    """One lane that is left is a half by itself."""

    class Late(Told):
        def advance(self, rates: Any, momenta: Any = None) -> Any:
            if self.checks == 1 and len(engine.made) == 1:
                raise RuntimeError("late")
            return super().advance(rates)

    class Once(Engine):
        def learner(self, trials: Sequence[Trial]) -> Told:
            self.made.append(trials)
            return Late([[0.98], [0.5]] if len(self.made) == 1 else [[0.5, 0.98]])

    engine = Once()
    found = trained(TRIALS[:2], engine, [0.01, 0.02])
    assert [len(trials) for trials in engine.made] == [2, 1]
    assert [(run.trial, run.steps, run.seconds) for run in found.runs] == [
        (TRIALS[0], 50, 0.5),
        (TRIALS[1], 100, 2.0),
    ]


def test_a_group_that_hangs_leaves_its_trials_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have not ended; every check is a sign of life before anybody watches it."""
    signs: list[str] = []
    limits: list[float | None] = []
    hangs: list[Callable[[], None]] = []

    @contextmanager
    def supervised(silence: float | None, hung: Callable[[], None]) -> Iterator[Callable[[], Any]]:
        limits.append(silence)
        hangs.append(hung)
        yield lambda: signs.append("sign")

    def watch(progress: Any) -> None:
        signs.append(f"seen {progress.step}")
        if progress.step == 100:
            hangs[0]()
            raise SystemExit

    monkeypatch.setattr(group, "supervised", supervised)
    emitted = Emitted()
    told = Engine([[0.5], [0.98], [0.5]])
    context = replace(CONTEXT, silence=2.5)
    with pytest.raises(SystemExit):
        train(TRIALS[:3], [0.01] * 3, told, context, emitted, Stopwatch(), watch)
    assert limits == [2.5]
    assert signs == ["sign", "seen 50", "sign", "seen 100"]
    assert [(run.trial, run.error) for run in emitted.runs] == [
        (TRIALS[1], None),
        (TRIALS[0], "hung: no check in 2.5 seconds"),
        (TRIALS[2], "hung: no check in 2.5 seconds"),
    ]

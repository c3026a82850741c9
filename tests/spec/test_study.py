"""Specs, rates and trials: what is accepted, in which order, and how the rest is refused."""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.spec.presets import PRESETS, preset, spec_from
from study.spec.rates import PUBLISHED_RATES, parse_rates
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial


def refused(**values: Any) -> str:
    """The one-line sentence with which a spec is refused."""
    with pytest.raises(StudyError) as caught:
        spec_from(values)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_the_published_grid() -> None:
    """48 rates, 10^(k/6) from 1e-6 to 100, with the double gap at 1."""
    assert len(PUBLISHED_RATES) == 48
    assert PUBLISHED_RATES[0] == 1e-6
    assert PUBLISHED_RATES[-1] == 100
    assert 1.0 not in PUBLISHED_RATES
    steps = [math.log10(b / a) for a, b in itertools.pairwise(PUBLISHED_RATES)]
    assert sum(step == pytest.approx(1 / 3, abs=1e-5) for step in steps) == 1
    assert sum(step == pytest.approx(1 / 6, abs=1e-5) for step in steps) == 46


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("smoke", 6),
        ("quick", 114),
        ("article", 288),
        ("tutorial", 288),
        ("sizes", 252),
        ("sizes-quick", 18),
    ],
)
def test_presets(name: str, trials: int) -> None:
    """Every preset makes as many trials as it says, all of them different."""
    spec = preset(name)
    assert spec.name == name
    assert len(spec) == trials == len(spec.trials()) == len({trial.id for trial in spec.trials()})
    assert len(PRESETS) == 6


def test_sizes_are_of_the_network_that_the_machine_can_train() -> None:
    """Compact on a CPU, tutorial on a GPU; the published widths, and a rate above the published."""
    spec = preset("sizes")
    assert (
        spec.network,
        preset("sizes", gpu=True).network,
        preset("article", gpu=True).network,
    ) == ("compact", "tutorial", "compact")
    assert (len(spec.widths), spec.widths[0], spec.widths[-1]) == (36, 1.0, 9.75)
    assert spec.rates == (0.0001, 0.0005, 0.001, 0.00146, 0.005, 0.01, 0.0215)
    assert spec.check_every == 25


def test_trials_come_in_a_fixed_order() -> None:
    """Width, seed, optimizer, rate."""
    spec = StudySpec(optimizers=("adam", "sgd"), rates=(0.1, 0.01), widths=(1, 2), seeds=2)
    order = [
        (trial.width, trial.seed, trial.optimizer, trial.learning_rate) for trial in spec.trials()
    ]
    assert order == [
        (w, s, o, r)
        for w in (1.0, 2.0)
        for s in (0, 1)
        for o in ("adam", "sgd")
        for r in (0.1, 0.01)
    ]


TRIAL = StudySpec(name="one", optimizers=("adam",), rates=(0.01,), max_steps=500).trials()[0]
CHANGED: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 0.02,
    "width": 2.0,
    "seed": 1,
    "network": "tutorial",
    "scale_dense": True,
    "dataset": "x.npz",
    "hyper": "keras",
    "target": 0.9,
    "metric": "cumulative",
    "cap": 1.0,
    "max_steps": None,
    "batch": 50,
    "check_every": 25,
    "mode": "alone",
    "prune": "hopeless",
    "schedule": "cosine:steps=500",
    "start": "0123456789abcdef",
    "config": "{}",
    "loss": "mse",
    "goal": "at-most",
}


@pytest.mark.parametrize("field", [f.name for f in fields(Trial) if f.compare])
def test_every_field_is_part_of_the_identity(field: str) -> None:
    """Whatever can change a result changes the id; the study's name does not."""
    assert replace(TRIAL, **{field: CHANGED[field]}).id != TRIAL.id
    assert (
        StudySpec(name="two", optimizers=("adam",), rates=(0.01,), max_steps=500).trials()[0].id
        == TRIAL.id
    )


def test_the_identity_is_the_same_in_every_process() -> None:
    """A stored id must be found again by the next process, and by the next version."""
    assert TRIAL.id == "9dac4265501dc0a7"


rates = st.floats(1e-9, 1e6, allow_nan=False)
specs = st.builds(
    StudySpec,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    optimizers=st.lists(st.sampled_from(OPTIMIZERS), min_size=1, unique=True).map(tuple),
    rates=st.one_of(
        st.just("published"), st.lists(rates, min_size=1, max_size=5, unique=True).map(tuple)
    ),
    widths=st.lists(st.floats(0.01, 50), min_size=1, max_size=3, unique=True).map(tuple),
    seeds=st.integers(1, 4),
    network=st.sampled_from(["compact", "tutorial"]),
    scale_dense=st.booleans(),
    dataset=st.sampled_from(["mnist", "fashion-mnist", "a.npz"]),
    hyper=st.sampled_from(["published", "keras"]),
    target=st.floats(0.01, 1),
    metric=st.sampled_from(["window", "cumulative", "validation"]),
    cap=st.floats(0.001, 1e6),
    max_steps=st.one_of(st.none(), st.integers(1000, 10**6)),
    batch=st.integers(1, 1000),
    check_every=st.integers(1, 1000),
    mode=st.sampled_from(["array", "alone"]),
    schedule=st.sampled_from(["constant", "cosine:steps=500", "triangular:half=100,base=0.5"]),
)


def toml(values: dict[str, Any]) -> str:
    """The values as TOML; JSON's scalars and lists are TOML's too."""
    return "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value is not None
    )


@given(specs)
def test_a_spec_survives_json_and_toml(spec: StudySpec) -> None:
    """What is written is what is read, and its trials are the same."""
    assert spec_from(json.loads(json.dumps(spec.to_json()))) == spec
    read = spec_from(tomllib.loads(toml(spec.to_json())))
    assert read == spec
    assert len(read) == len(spec.trials()) == len({trial.id for trial in read.trials()})


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)
keys = st.sampled_from(
    [*[field.name for field in fields(StudySpec)], "preset", "rate", "", "__class__"]
)


@given(st.dictionaries(keys, junk, max_size=4))
def test_junk_is_refused_in_one_sentence_or_is_a_spec(values: dict[str, Any]) -> None:
    """Never another exception, never a spec without trials."""
    try:
        spec = spec_from(values)
    except StudyError as error:
        assert "\n" not in str(error)  # noqa: PT017 (a refusal is one of two good ends)
    else:
        assert len(spec) >= 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimizers": ["adamm"]}, "did you mean adam"),
        ({"optimizers": []}, "empty"),
        ({"optimizers": "adam,adam"}, "twice"),
        ({"rates": "0.1,-1"}, "-1"),
        ({"rates": [0]}, "0"),
        ({"rates": "nan"}, "nan"),
        ({"rates": [float("inf")]}, "inf"),
        ({"rates": "1:2"}, "LOW:HIGH:N"),
        ({"rates": "1:0.1:5"}, "LOW < HIGH"),
        ({"rates": "0.1:1:1"}, "2 <= N"),
        ({"rates": "0.1:1:5:7"}, "LOW:HIGH:N"),
        ({"rates": "fast"}, "'fast'"),
        ({"rates": [0.1, 0.1]}, "twice"),
        ({"widths": [0]}, "width 0"),
        ({"widths": [-1]}, "width -1"),
        ({"seeds": 0}, "seeds 0"),
        ({"seeds": 1.5}, "1.5"),
        ({"cap": -1}, "cap -1"),
        ({"cap": 0}, "cap 0"),
        ({"target": 1.5}, "1.5"),
        ({"target": 97}, "97"),
        ({"metric": "windows"}, "did you mean window"),
        ({"mode": "parallel"}, "array, alone"),
        ({"hyper": "torch"}, "published, keras"),
        ({"network": "resnet"}, "compact, tutorial"),
        ({"dataset": "cifar"}, "fashion-mnist"),
        ({"name": "../up"}, "'../up'"),
        ({"name": ""}, "name ''"),
        ({"batch": 0}, "batch 0"),
        ({"max_steps": 10}, "check_every 50"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"optimisers": "adam"}, "did you mean optimizers"),
        ({"preset": "quik"}, "did you mean quick"),
        ({"scale_dense": "yes"}, "true or false"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"schedule": ["cosine"]}, "must be text"),
    ],
)
def test_refusals_name_the_value_and_what_would_be_right(
    values: dict[str, Any], words: str
) -> None:
    """One sentence each."""
    assert words in refused(**values)


def test_a_study_without_any_budget_is_refused() -> None:
    """A trial that never learns would never end."""
    with pytest.raises(StudyError, match="without one a trial that never learns would never end"):
        StudySpec(cap=None)


def test_log_spaced_rates() -> None:
    """Both ends included, evenly spaced in the logarithm."""
    assert parse_rates("1e-4:1:5") == (0.0001, 0.001, 0.01, 0.1, 1.0)
    assert parse_rates("0.1, 0.2") == (0.1, 0.2)
    assert parse_rates("published") == PUBLISHED_RATES


def test_a_budget_of_a_preset_can_be_taken_away() -> None:
    """By the word none, for files and command lines that have no null."""
    assert preset("quick").with_(cap="none", max_steps="500") == preset("quick").with_(
        cap=None, max_steps=500
    )
    assert preset("smoke").with_(cap=1, max_steps="none").max_steps is None


def test_differences_are_those_outside_the_grid() -> None:
    """A study may grow; it may not change its protocol."""
    spec = preset("quick")
    assert (
        spec.differences(
            spec.with_(rates="published", seeds=3, widths=(1, 2), optimizers=("sgd",), name="x")
        )
        == []
    )
    assert spec.differences(spec.with_(target=0.9, mode="alone")) == ["target", "mode"]

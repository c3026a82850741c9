"""Shares of a study: all trials, none twice, whole blocks, of about the same time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from study.execution.planning.array_sizes import usual_lanes
from study.execution.planning.plan import group
from study.execution.planning.shards import block_seconds, blocks, described, share, shares
from study.spec.presets import preset
from study.spec.study import StudySpec
from study.spec.trial import NETWORKS, OPTIMIZERS
from study.storage.calibration import Calibration
from support.driving import SPEC
from support.execution.step_times import ONE_JOB
from support.parabola import MACHINE

specs = st.builds(
    StudySpec,
    optimizers=st.lists(st.sampled_from(OPTIMIZERS), min_size=1, unique=True),
    rates=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=12, unique=True),
    widths=st.lists(st.sampled_from((0.5, 1.0, 2.0, 3.0)), min_size=1, max_size=3, unique=True),
    seeds=st.integers(1, 3),
    network=st.sampled_from(NETWORKS),
    cap=st.sampled_from((None, 5.0, 120.0)),
    max_steps=st.sampled_from((500, 5000)),
    mode=st.sampled_from(("array", "alone")),
)


@settings(max_examples=60)
@given(specs, st.integers(1, 12))
def test_shares_are_all_trials_once_in_whole_balanced_blocks(spec: StudySpec, count: int) -> None:
    """No share takes longer than the mean by more than the largest block."""
    found = shares(spec, count)
    assert len(found) == count
    ids = [trial.id for part in found for trial in part]
    assert sorted(ids) == sorted(trial.id for trial in spec.trials())
    owner = {trial.id: i for i, part in enumerate(found) for trial in part}
    load = [0.0] * count
    for block in blocks(spec):
        (mine,) = {owner[trial.id] for trial in block}
        load[mine] += block_seconds(block)
    largest = max(block_seconds(block) for block in blocks(spec))
    assert max(load) <= (sum(load) / count + largest) * (1 + 1e-9)
    places = {trial.id: i for i, trial in enumerate(spec.trials())}
    for part in found:
        order = [places[trial.id] for trial in part]
        assert order == sorted(order)


@settings(max_examples=30)
@given(specs, st.integers(1, 6))
def test_a_share_trains_the_arrays_of_the_whole(spec: StudySpec, count: int) -> None:
    """At the usual size of arrays, what is pending in a share makes some of the whole's groups."""
    times = Calibration([], MACHINE, "2")
    whole = set(group(spec.trials(), times, ONE_JOB))
    parts = [group(part, times, ONE_JOB) for part in shares(spec, count)]
    assert {trials for part in parts for trials in part} == whole
    assert sum(map(len, parts)) == len(whole)


def test_blocks_are_of_the_usual_lanes_and_of_one_trial_in_mode_alone() -> None:
    """A set's last block may be smaller."""
    assert [len(block) for block in blocks(SPEC)] == [16, 8] * 4
    spec = SPEC.with_(network="tutorial", widths=(1,), seeds=1)
    assert usual_lanes(spec.trials()[0]) == 4
    assert [len(block) for block in blocks(spec)] == [4] * 6
    assert {len(block) for block in blocks(SPEC.with_(mode="alone"))} == {1}


def test_shares_are_those_of_every_other_machine_and_day() -> None:
    """As they were when this was written: a share that is resumed elsewhere must be the same."""
    article = preset("article")
    found = shares(article, 4)
    assert [(len(part), part[0].id) for part in found] == [
        (64, "b0f1ba178fe840be"),
        (48, "0e02d67c640d3897"),
        (48, "abae3f02c454bd34"),
        (128, "91946f453d06f428"),
    ]


def test_more_shares_than_blocks_leave_some_empty() -> None:
    """Which say so."""
    spec = SPEC.with_(seeds=1, widths=(1,))
    assert [bool(part) for part in shares(spec, 3)] == [True, True, False]
    assert described(spec, (1, 3)) == "Shard 1/3: 16 of 24 trials"
    assert described(spec, (3, 3)) == "Shard 3/3: empty, since the study's 24 trials make 2 blocks"
    assert share(spec, None) == share(spec, (1, 1)) == tuple(spec.trials())

"""The text of hyper-parameters: sets, options, and what a study stores of them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.engines.rules import RULES, rule_of
from study.errors import StudyError
from study.spec.hyper import CHECKS, CLIPS, EVERY, SETS, parse_hyper
from study.spec.presets import read_spec
from study.spec.study import StudySpec
from study.spec.trial import HYPERS, OPTIMIZERS

options = st.sampled_from(
    [("", name) for name in EVERY]
    + [(of, name) for of in OPTIMIZERS for name in (*SETS["keras"][of], *EVERY)]
)


@given(st.sampled_from(["", *HYPERS]), st.dictionaries(options, st.floats(0, 0.99), max_size=5))
def test_hyper_parameters_are_their_text(base: str, given_: dict[tuple[str, str], float]) -> None:
    """What is written is what is read, in any order, and there is one text for it."""
    words = [base] if base else []
    for (of, name), value in given_.items():
        told = str(value > 0.5).lower() if name in ("nesterov", "centered") else repr(value)
        words.append(f"{of}.{name}={told}" if of else f"{name}={told}")
    text = ",".join(words) or "keras"
    try:
        found = parse_hyper(text)
    except StudyError as error:
        assert re.search("both clip|is 0 in float32", str(error))  # noqa: PT017 (a refusal is one of two good ends)
        return
    assert str(parse_hyper(str(found))) == str(found)
    assert str(parse_hyper(",".join(words[::-1]) or "keras")) == str(found)
    again = parse_hyper(str(found))
    assert all(again.of(optimizer) == found.of(optimizer) for optimizer in OPTIMIZERS)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("keras", "keras"),
        ("published", "published"),
        ("adam.beta1=.9", "published"),
        ("adam.beta1=.8", "published,adam.beta1=0.8"),
        ("rmsprop.epsilon=1e-07,keras", "keras"),
        (
            "keras, rmsprop.centered=true, adam.beta2=0.99",
            "keras,adam.beta2=0.99,rmsprop.centered=true",
        ),
        ("clipnorm=0", "published"),
        ("clipnorm=2,sgd.clipnorm=2", "published,clipnorm=2"),
        ("clipnorm=2,sgd.clipnorm=0", "published,clipnorm=2,sgd.clipnorm=0"),
    ],
)
def test_equal_hyper_parameters_have_equal_text(written: str, text: str) -> None:
    """What the set has already is left out, so the identities of trials do not change."""
    assert str(parse_hyper(written)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kears", "did you mean keras"),
        ("", "unknown hyper ''"),
        ("keras,published", "name one set"),
        ("keras,adam.beta3=1", "unknown option of adam 'beta3' (did you mean beta2?)"),
        ("keras,adm.beta1=0.5", "did you mean adam"),
        ("keras,beta1=0.5", "beta1 must name its optimizer, as in adam.beta1"),
        ("adam.beta1=1", "adam.beta1 1 must be a number from 0 to below 1"),
        ("adam.beta1=fast", "adam.beta1 'fast' must be a number"),
        ("momentum.nesterov=yes", "must be true or false"),
        ("sgd.momentum=0.9", "unknown option of sgd 'momentum'"),
        ("clipnorm=1,clipnorm=2", "clipnorm comes twice"),
        ("clipnorm=1,clipvalue=2", "clipvalue and clipnorm both clip sgd: give one"),
        ("clipnorm=1,adam.global_clipnorm=2", "both clip adam"),
        ("weight_decay=-1", "weight_decay '-1' must be a number from 0"),
        ("gradient=1", "unknown option 'gradient'"),
    ],
)
def test_bad_hyper_parameters_are_refused_in_one_sentence(text: str, words: str) -> None:
    """It names the value and what would be right."""
    with pytest.raises(StudyError) as caught:
        StudySpec(hyper=text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hyper_parameters_that_are_no_text_are_refused() -> None:
    """A table, for example."""
    with pytest.raises(StudyError, match="must be text"):
        StudySpec(hyper={"adam": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("base", HYPERS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_option_is_a_field_of_the_rule(base: str, name: str) -> None:
    """And every field is an option, at the set's own value."""
    rule = RULES[base][name]
    own = {field.name: getattr(rule, field.name) for field in fields(rule)}  # type: ignore[arg-type]
    assert own == {**SETS[base][name], **EVERY}
    assert set(own) <= set(CHECKS)
    assert set(CLIPS) < set(EVERY)


def test_an_option_reaches_its_rule_alone() -> None:
    """And a general one reaches all, but those that have their own."""
    text = "keras,adam.beta1=0.8,weight_decay=0.01,sgd.weight_decay=0.5"
    assert rule_of(text, "adam") == rule_of("keras,adam.beta1=0.8,adam.weight_decay=0.01", "adam")
    assert rule_of(text, "sgd") == rule_of("keras,weight_decay=0.5", "sgd")
    assert rule_of(text, "adagrad") == rule_of("keras,weight_decay=0.01", "adagrad")


def test_a_study_stores_its_options_and_old_identities_stay(tmp_path: Path) -> None:
    """In a file, too; the trials of a set without options are the trials that they were."""
    file = tmp_path / "mine.toml"
    file.write_text('hyper = "keras,adam.beta1=0.80"\noptimizers = ["adam"]\nrates = [0.01]\n')
    spec = read_spec(file)
    assert spec.hyper == "keras,adam.beta1=0.8"
    plain = spec.with_(hyper="keras,adam.beta1=0.9")
    assert (plain.hyper, plain.trials()[0].id) == (
        "keras",
        spec.with_(hyper="keras").trials()[0].id,
    )
    assert spec.trials()[0].id != plain.trials()[0].id
    assert spec.differences(plain) == ["hyper"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adam.beta1=0.99999999999", "must be a number from 0 to 0.9999999"),
        ("keras,adadelta.rho=0.99999998", "must be a number from 0 to 0.9999999"),
        ("adam.beta2=1.5", "must be a number from 0 to below 1"),
        ("adam.epsilon=1e-50", "is 0 in float32"),
        ("keras,adam.beta1", "adam.beta1 needs a value, as in adam.beta1=0.8"),
    ],
)
def test_a_value_that_float32_turns_into_another_is_refused(text: str, words: str) -> None:
    """Lanes compute in it: there a coefficient of 1 would divide by zero."""
    with pytest.raises(StudyError, match=words):
        parse_hyper(text)
    assert str(parse_hyper("keras, adam.beta1 = 0.8 ")) == "keras,adam.beta1=0.8"

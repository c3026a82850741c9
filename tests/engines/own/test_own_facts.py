"""What makes a trial of the user's own model: its structure, weights, optimizer, data and loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.engines.own.code import Code
from study.engines.own.identity.source import source
from study.errors import StudyError
from study.spec.own import other_model
from support.engines.user_models import KERAS, data, engine_of, keras_model, torch_module, written

pytestmark = pytest.mark.slow


def of_file(folder: Path, name: str, text: str, **fields: Any) -> Any:
    """The settled study of a file."""
    path = written(folder, text, name)
    return engine_of(Code(f"{path}:build", f"{path}:load"), **fields)[0]


def test_a_comment_changes_nothing_and_a_layer_is_another_study(tmp_path: Path) -> None:
    """In a sentence that says what differs."""
    first = of_file(tmp_path, "one_model.py", KERAS)
    comment = of_file(tmp_path, "two_model.py", KERAS.replace("A small", "# Not a large"))
    wider = of_file(tmp_path, "three_model.py", KERAS.replace("8 * width", "9 * width"))
    dropped = of_file(tmp_path, "four_model.py", KERAS.replace("Dropout(0.2)", "Dropout(0.3)"))
    assert [trial.id for trial in first.trials()] == [trial.id for trial in comment.trials()]
    assert other_model(first, comment) == ""
    assert "units=8" in other_model(first, wider)
    assert "units=9" in other_model(first, wider)
    assert "Dropout(rate=0.2) there, Dropout(rate=0.3) here" in other_model(first, dropped)
    assert first.trials()[0].id != dropped.trials()[0].id
    assert first.own is not None
    assert first.own.scale(1.0).weights == 6 * 8 + 8 + 16 + 8 * 3 + 3


def test_widths_and_seeds_and_optimizers_make_trials(tmp_path: Path) -> None:
    """Each with the size of its model and the whole configuration of its optimizer."""
    fields = {"widths": (1.0, 2.0), "seeds": 2, "optimizers": ("adam", "adam(beta_1=0.8)")}
    spec = of_file(tmp_path, "five_model.py", KERAS, **fields)
    trials = spec.trials()
    assert len({trial.id for trial in trials}) == len(trials) == 8
    assert len({trial.start for trial in trials}) == 2
    assert {trial.size[0] for trial in trials} == {99, 16 * 7 + 32 + 17 * 3}
    assert '"beta_1": 0.8' in trials[-1].config


def test_epochs_and_the_batch_of_a_stream_become_steps() -> None:
    """A stream has its own batch."""
    spec, _ = engine_of(Code(keras_model, data), max_steps=None, max_epochs=20, batch=25)
    assert (spec.max_steps, spec.batch) == (160, 25)

    def stream() -> Any:
        import tensorflow as tf

        (x, y), _ = data()
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(40)

    spec, engine = engine_of(Code(keras_model, stream), max_steps=None, max_epochs=20)
    assert (spec.max_steps, spec.batch) == (100, 40)
    losses = engine.learner(spec.trials()[:1]).advance(np.full((7, 1), 0.01))[0]
    assert losses.shape == (7, 1)


def unseeded() -> Any:
    """A model whose weights no seed fixes."""
    model = keras_model()
    draw = np.random.default_rng()
    model.set_weights([draw.normal(size=one.shape) for one in model.get_weights()])
    return model


def no_loss() -> Any:
    import keras

    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])


def wrong_outputs() -> Any:
    import keras

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    ("code", "fields", "told"),
    [
        (Code(unseeded, data), {}, "unseeded builds other weights at the same seed"),
        (Code(no_loss, data), {}, "the model has no loss: compile it with one in build"),
        (Code(torch_module, data), {}, "the model has no loss: give loss, a function"),
        (Code(torch_module, data, "crossentropy"), {}, "loss 'crossentropy': torch.nn.functional"),
        (Code(keras_model, data, "mse"), {}, "compiled with a loss of its own: leave loss out"),
        (Code(wrong_outputs, data), {}, r"inputs of shape \(20, 6\) and targets of shape \(20,\)"),
        (Code(keras_model, data), {"metric": "auc"}, "no metric 'auc': it has loss, accuracy"),
        (Code(keras_model, lambda: data()[0]), {"metric": "val_loss"}, "needs validation data"),
        (Code(keras_model, data), {"optimizers": ("adamx",)}, "did you mean adam"),
        (Code(keras_model, data), {"optimizers": ("adam(beta=1)",)}, "has no setting 'beta'"),
        (Code(keras_model, data), {"optimizers": ("sgd(learning_rate=1)",)}, "the study's"),
        (Code(keras_model, data), {"optimizers": ("lion", "lion()")}, "names lion twice"),
        (Code(keras_model, data), {"optimizers": ("sgd(momentum=3)",)}, "cannot be made"),
        (Code(keras_model, data), {"batch": 500}, "batch 500 is more than the 200 training"),
        (Code(dict, data), {}, "returns nothing|model gives a dict: let it return a Keras model"),
    ],
)
def test_what_would_keep_trials_from_training_is_one_sentence(
    code: Code, fields: dict[str, Any], told: str
) -> None:
    """Before anything is stored."""
    with pytest.raises(StudyError, match=told):
        engine_of(code, **fields)


def test_a_loss_may_tell_metrics_of_its_own() -> None:
    """By a dictionary beside it."""
    import torch

    def loss(outputs: Any, targets: Any) -> Any:
        value = torch.nn.functional.cross_entropy(outputs, targets)
        return value, {"twice": 2 * value}

    fields = {"metric": "twice", "goal": "at-most", "target": 0.1}
    spec, engine = engine_of(Code(torch_module, data, loss), **fields)
    losses, found = engine.learner(spec.trials()[:1]).advance(np.full((4, 1), 0.1))
    assert np.allclose(found, 2 * losses)
    assert spec.loss.startswith("loss@")


def test_the_loss_may_be_the_metric() -> None:
    """Of a module, whose metric is then a tensor that trains; no warning is given."""
    code = Code(torch_module, data, "cross_entropy")
    spec, engine = engine_of(code, metric="loss", goal="at-most", target=0.1, rates=(0.1,))
    losses, found = engine.learner(spec.trials()[:1]).advance(np.full((4, 1), 0.1))
    assert np.array_equal(found, losses)
    assert spec.own is not None
    assert spec.own.together  # it was tried, and failed where a warning is an error


def one(x: int) -> int:
    """A docstring."""
    # A comment.
    return x + 1


def test_code_is_without_comments_and_docstrings() -> None:
    """So that editing one changes no trial."""
    assert source(one) == "def one(x: int) -> int:\n    return x + 1"

import itertools
import json
import math
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from unet_helpers import UNet, dice, make_batches, one_hot, predict_masks, train
from unet_helpers.data import Dataset, make_augmenter
from unet_helpers.files import paths
from unet_helpers.training import callbacks, compile_model, make_soft_targets, make_targets

SIZE = 16


def build(num_classes=2, size=SIZE, seed=1, **options):
    keras.utils.set_random_seed(seed)
    return UNet((size, size, 1), num_classes, **{"base_filters": 2, "depth": 1, "dropout": 0.2} | options)


@pytest.fixture
def data(disks):
    return disks(patients=8, slices=2, size=SIZE)


def run(model, data, **options):
    return train(model, data, **{"epochs": 3, "batch_size": 3, "progress": False} | options)


def assert_same_weights(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


# --- it learns --------------------------------------------------------------------------------


def test_it_overfits_one_slice(disks):
    data = disks(size=32)
    one = data.train[0]
    model = build(size=32, base_filters=4, depth=2, dropout=0.0)
    data = Dataset("one", data.class_names, one, one, data.test)
    history = run(model, data, epochs=60, learning_rate=0.01, schedule="constant")
    assert dice(one.masks, predict_masks(model, one.images)) > 0.98
    assert history["loss"][-1] < 0.2 * history["loss"][0]


@pytest.mark.parametrize("loss", ["binary_crossentropy", "dice_crossentropy"])
def test_one_sigmoid_map_learns(data, loss):
    model = build(num_classes=1, base_filters=4)
    run(model, data, epochs=12, loss=loss, learning_rate=0.02)
    assert dice(data.validation.masks, predict_masks(model, data.validation.images)) > 0.9


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("loss", ["dice", "categorical_crossentropy", keras.losses.CategoricalFocalCrossentropy()])
def test_other_losses_train_too(data, loss):
    history = run(build(), data, loss=loss)
    assert np.isfinite(history["loss"]).all()


# --- it repeats -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_bit_for_bit(data):
    models, histories = [], []
    for seed in (0, 0, 1):
        models.append(build())
        histories.append(run(models[-1], data, seed=seed))
    assert histories[0].curves == histories[1].curves
    assert_same_weights(models[0], models[1])
    assert histories[0].curves != histories[2].curves


def test_batches_hold_each_slice_once_an_epoch_in_another_order():
    images = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    batches = make_batches(images, images, 4, seed=3)
    epochs = [[image.ravel().tolist() for image, _ in batches.as_numpy_iterator()] for _ in range(2)]
    assert [len(batch) for batch in epochs[0]] == [4, 4, 2]
    flat = [[number for batch in epoch for number in batch] for epoch in epochs]
    assert sorted(flat[0]) == sorted(flat[1]) == list(range(10))
    assert flat[0] != flat[1]
    still = make_batches(images, images, 4, shuffle=False)
    assert [image.ravel().tolist() for image, _ in still.as_numpy_iterator()] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


# --- the curves and the best epoch ------------------------------------------------------------
@pytest.mark.usefixtures("eagerly")
def test_there_is_one_number_per_epoch_and_curve(data):
    history = run(build(), data, epochs=4)
    assert history.epochs == 4
    assert set(history.curves) >= {"loss", "val_loss", "accuracy", "val_accuracy", "dice", "val_dice"}
    assert {len(curve) for curve in history.curves.values()} == {4}
    assert f"at epoch {history.best_epoch}" in str(history)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_weights_of_the_epoch_asked_for_are_kept(data, keep):
    def unlearn(truth, found):
        return keras.losses.categorical_crossentropy(1 - truth, found)

    model = build()
    options = {"epochs": 8, "learning_rate": 0.03, "schedule": "constant", "loss": unlearn, "keep": keep}
    history = run(model, data, **options)
    curve = history["val_dice"]
    assert curve[history.best_epoch - 1] == max(curve)
    assert curve[-1] < max(curve) - 0.1  # else the test could not tell best from last
    found = predict_masks(model, data.validation.images)
    assert dice(data.validation.masks, found) == pytest.approx(max(curve) if keep == "best" else curve[-1], abs=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_it_stops_when_the_validation_dice_no_longer_rises(data):
    history = run(build(batch_norm=False), data, epochs=50, learning_rate=1e-9, patience=2)
    assert history.stopped_early
    assert history.best_epoch == 1
    assert history.epochs == 3
    assert "stopped early" in str(history)


# --- crops ------------------------------------------------------------------------------------


def test_an_epoch_of_crops_has_the_pixels_of_the_slices(data, monkeypatch):
    counted = []
    monkeypatch.setattr(callbacks._StopOnNaN, "on_train_batch_end", lambda *given, **more: counted.append(1))
    run(build(size=None), data, epochs=2, batch_size=4, crop_size=8, crop_class=1)
    assert len(counted) == 2 * math.ceil(len(data.train) * SIZE**2 / (4 * 8**2))


def test_it_learns_from_crops(disks):
    data = disks(patients=8, slices=4, size=SIZE)
    model = build(size=None, base_filters=4)
    run(model, data, epochs=25, crop_size=8, crop_class=1, learning_rate=1e-2)
    assert dice(data.validation.masks, predict_masks(model, data.validation.images)) > 0.8


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (SIZE, {"crop_size": 8}, r"input_shape=\(None, None, 1\)"),
        (None, {"crop_size": 9}, "crops of 9 × 9 pixels.*multiple of 2; pad or resize them to 10 × 10"),
        (None, {"crop_class": 1}, "needs a crop_size"),
    ],
)
def test_crops_that_do_not_fit_are_refused(data, size, options, message):
    with pytest.raises(ValueError, match=message):
        run(build(size=size), data, **options)


# --- averaged weights ---------------------------------------------------------------------------


class Recorded(keras.callbacks.Callback):
    """The weights after each step, and those that each batch of validation sees."""

    def __init__(self):
        super().__init__()
        self.seen, self.validated = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([variable.numpy() for variable in self.model.trainable_variables])

    def on_test_batch_begin(self, batch, logs=None):
        self.validated.append([variable.numpy() for variable in self.model.trainable_variables])


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_averaged_weights_are_validated_kept_and_saved(data, tmp_path, keep):
    recorded = Recorded()
    model = build()
    options = {"average": 0.7, "keep": keep, "checkpoint": tmp_path, "callbacks": [recorded]}
    history = run(model, data, schedule="constant", learning_rate=0.02, **options)

    # the same means, from the weights after each step
    means = [recorded.seen[0]]
    for weights in recorded.seen[1:]:
        means.append([0.7 * mean + 0.3 * weight for mean, weight in zip(means[-1], weights, strict=True)])
    per_epoch = len(means) // 3
    best, last = means[per_epoch * history.best_epoch - 1], means[-1]
    assert max(np.abs(a - b).max() for a, b in zip(last, recorded.seen[-1], strict=True)) > 1e-3, (
        "nothing to tell apart"
    )
    assert_close(recorded.validated[-1], last)
    assert_close(model.trainable_variables, best if keep == "best" else last)
    assert_close(keras.saving.load_model(tmp_path / "best.keras").trainable_variables, best)


def assert_close(variables, expected):
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6)


@pytest.mark.parametrize("average", [0.0, 1.0, -1, 2])
def test_an_average_that_is_none_is_refused(data, average):
    with pytest.raises(ValueError, match="between 0 and 1"):
        run(build(), data, average=average)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("began", "goes_on", "had"), [(None, 0.9, "without"), (0.9, None, "with")])
def test_a_run_is_resumed_with_a_mean_only_if_it_began_with_one(data, tmp_path, began, goes_on, had):
    run(build(), data, epochs=1, checkpoint=tmp_path, average=began)
    with pytest.raises(ValueError, match=f"began {had} average"):
        run(build(), data, epochs=2, checkpoint=tmp_path, resume=True, average=goes_on)


# --- interrupted and resumed ------------------------------------------------------------------


class PowerCut(KeyboardInterrupt):
    pass


def cut_after(monkeypatch, epoch):
    save = callbacks._Keeper._save_state

    def save_then_fail(self, number):
        save(self, number)
        if number == epoch:
            raise PowerCut

    monkeypatch.setattr(callbacks._Keeper, "_save_state", save_then_fail)


@pytest.mark.parametrize("kind", ["plain", "augmented", "crops", "averaged"])
def test_a_resumed_run_ends_where_the_uninterrupted_one_does(data, tmp_path, monkeypatch, kind):
    def options():
        crops = {"crop_size": 8, "crop_class": 1} if kind == "crops" else {}
        mean = {"average": 0.8, "keep": "last"} if kind == "averaged" else {}
        return {"epochs": 4, "augment": None if kind == "plain" else make_augmenter(seed=2), **crops, **mean}

    def build(size=None if kind == "crops" else SIZE, **options):
        return globals()["build"](size=size, **options)

    whole = build()
    expected = run(whole, data, **options())
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        with pytest.raises(PowerCut):
            run(build(), data, checkpoint=tmp_path, **options())
    resumed = build()
    resumed.set_weights([weight + 1 for weight in resumed.get_weights()])  # its own weights must not matter
    history = run(resumed, data, checkpoint=tmp_path, resume=True, **options())
    assert history.curves == expected.curves
    assert history.best_epoch == expected.best_epoch
    assert_same_weights(resumed, whole)


@pytest.mark.usefixtures("eagerly")
def test_a_run_is_resumed_only_with_the_schedule_it_began_with(data, tmp_path):
    run(build(), data, epochs=1, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="optimizer"), pytest.raises(ValueError, match="had another schedule"):
        run(build(), data, epochs=2, checkpoint=tmp_path, resume=True, schedule="constant")


@pytest.mark.usefixtures("eagerly")
def test_a_run_with_a_loss_that_keras_cannot_name_is_resumed(data, tmp_path):
    options = {"checkpoint": tmp_path, "loss": lambda truth, found: keras.ops.mean((truth - found) ** 2)}
    run(build(), data, epochs=1, **options)
    assert run(build(), data, epochs=2, resume=True, **options).epochs == 2


@pytest.mark.usefixtures("eagerly")
def test_a_finished_run_is_resumed_without_a_step(data, tmp_path):
    model = build()
    before = run(model, data, epochs=2, checkpoint=tmp_path)
    other = build(seed=5)
    after = run(other, data, epochs=2, checkpoint=tmp_path, resume=True)
    assert after.curves == before.curves
    assert_same_weights(model, other)


@pytest.mark.usefixtures("eagerly")
def test_resume_without_a_state_starts_from_the_beginning(data, tmp_path):
    assert run(build(), data, checkpoint=tmp_path / "new", resume=True).epochs == 3


@pytest.mark.usefixtures("eagerly")
def test_a_kill_between_any_two_writes_leaves_a_state_that_resumes(data, tmp_path, monkeypatch):
    written, move = [], paths.atomic_path.__exit__

    def copy_then_move(self, *error):
        written.append(shutil.copytree(self.path.parent, tmp_path / f"killed {len(written)}"))
        return move(self, *error)

    with monkeypatch.context() as patch:
        patch.setattr(paths.atomic_path, "__exit__", copy_then_move)
        expected = run(build(), data, checkpoint=tmp_path / "whole")
    assert len(written) >= 7  # a state and a model for each of three epochs, and a best model
    epochs = []
    for folder in written:
        state = json.loads((folder / "state.json").read_text()) if (folder / "state.json").exists() else {"epoch": 0}
        epochs.append(state["epoch"])
        if state["epoch"]:
            keras.saving.load_model(folder / state["model"])
            keras.saving.load_model(folder / "best.keras")
    assert set(epochs) == {0, 1, 2}
    for folder in (written[1], written[-1]):  # killed in the first epoch and in the last
        history = run(build(), data, checkpoint=folder, resume=True)
        assert history.curves == expected.curves


@pytest.mark.usefixtures("eagerly")
def test_the_checkpoint_folder_holds_the_best_and_the_last_only(data, tmp_path):
    model = build()
    run(model, data, checkpoint=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.keras", "last-0003.keras", "state.json"]
    assert_same_weights(keras.saving.load_model(tmp_path / "best.keras"), model)


KILLED = """
import sys, keras
from unet_helpers import UNet, train
from unet_helpers.data import make_augmenter
sys.path.insert(0, sys.argv[1])
from drawn import make_disks
data = make_disks(patients=40, slices=8, size=16)
for folder in sys.argv[2:]:
    keras.utils.set_random_seed(1)
    model = UNet((16, 16, 1), 2, base_filters=2, depth=1, dropout=0.2)
    history = train(model, data, epochs=6, batch_size=2, augment=make_augmenter(seed=2), checkpoint=folder,
                    resume=True, keep="last", progress=False)
    model.save(folder + "/final.keras")
"""


def test_kill_minus_9_in_the_middle_of_an_epoch_costs_that_epoch_only(tmp_path):
    """A process of its own is killed without warning while it trains; the next one ends at the same weights."""

    def start(*folders):
        command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), *map(str, folders)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    process = start(tmp_path / "whole", tmp_path / "killed")
    state = tmp_path / "killed" / "state.json"
    patience = time.monotonic() + 300
    while not state.is_file() or json.loads(state.read_text())["epoch"] < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < patience
        time.sleep(0.005)
    time.sleep(0.03)  # into the third epoch
    process.kill()  # SIGKILL, which a process cannot catch
    process.wait()
    assert not (tmp_path / "killed" / "final.keras").exists()
    assert json.loads(state.read_text())["epoch"] < 6
    assert start(tmp_path / "killed").wait(timeout=300) == 0
    whole, killed = (keras.saving.load_model(tmp_path / name / "final.keras") for name in ("whole", "killed"))
    assert_same_weights(whole, killed)


# --- what else is promised --------------------------------------------------------------------
@pytest.mark.usefixtures("eagerly")
def test_a_callback_that_is_passed_sees_the_training(data, tmp_path):
    run(build(), data, epochs=1, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation"}


@pytest.mark.usefixtures("eagerly")
def test_targets_take_the_place_of_the_training_masks(data):
    given = make_targets(data.train.masks, 2)
    expected = run(build(), data)
    data.train.masks[:] = 0
    assert run(build(), data, targets=given).curves == expected.curves


def test_soft_targets_are_the_mean_of_the_consensus_and_of_the_readers(data):
    masks, other = data.train.masks, np.zeros_like(data.train.masks)
    with pytest.raises(ValueError, match="need masks of several readers"):
        make_soft_targets(data.train)
    soft = make_soft_targets(replace(data.train, readers=np.stack([masks, masks, masks, other], axis=1)))
    np.testing.assert_array_equal(soft, masks[..., None] * 0.875)
    assert soft.dtype == np.float32
    with pytest.raises(ValueError, match=r"targets are \(\d+, 16, 16, 1\).*this model need \(\d+, 16, 16, 2\)"):
        run(build(), data, targets=soft)


@pytest.mark.parametrize("error", [tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), MemoryError()])
def test_running_out_of_memory_says_what_makes_a_batch_smaller(data, monkeypatch, error):
    model = build()

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(model, "fit", fail)
    with pytest.raises(MemoryError, match=r"16, 16, 1.*batch_size=4.*base_filters"):
        run(model, data, batch_size=8)


# --- what cannot be trained -------------------------------------------------------------------
@pytest.mark.usefixtures("eagerly")
def test_a_loss_that_becomes_nan_is_explained(data):
    with pytest.raises(FloatingPointError, match=r"nan in epoch 1, step 1\..*learning rate.*0/255"):
        run(build(), data, loss=lambda truth, found: keras.ops.mean(found) * math.nan)


def test_size_channels_and_classes_that_do_not_fit_are_named(data, disks):
    with pytest.raises(ValueError, match=r"height 16 but the model takes 32.*input_shape=\(16, 16, 1\)"):
        run(build(size=32), data)
    with pytest.raises(ValueError, match="channels 1 but the model takes 3"):
        run(UNet((SIZE, SIZE, 3), base_filters=2, depth=1), data)
    data.train.masks[data.train.masks == 1] = 2
    for num_classes in (1, 2):
        with pytest.raises(ValueError, match="num_classes=3"):
            run(build(num_classes=num_classes), data)


@pytest.mark.parametrize("subset", ["train", "validation"])
def test_nan_in_the_images_is_named(data, subset):
    data.subsets[subset].images[1, 2, 3] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        run(build(), data)


def test_unscaled_images_and_an_empty_subset_are_named(data):
    data.train.images *= 255
    with pytest.raises(ValueError, match="0–1"):
        run(build(), data)
    with pytest.raises(ValueError, match="validation subset is empty"):
        run(build(), Dataset("none", data.class_names, data.train, data.validation[:0], data.test))


@pytest.mark.usefixtures("eagerly")
def test_the_test_subset_is_never_read(data):
    expected = run(build(), data, epochs=1)
    data.test.images[:] = math.nan
    data.test.masks[:] = 255
    assert run(build(), data, epochs=1).curves == expected.curves


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="choose one of"):
        compile_model(build(), loss="mse")
    with pytest.raises(ValueError, match="always 0"):
        compile_model(build(num_classes=1), loss="categorical_crossentropy")
    with pytest.raises(ValueError, match="'cosine' or 'constant'"):
        compile_model(build(), schedule="step")
    with pytest.raises(ValueError, match="'best' or 'last'"):
        train(build(), None, keep="first")


def test_the_training_step_is_traced_once(data):
    traced = []

    class Counted(keras.losses.Loss):
        def call(self, y_true, y_pred):
            traced.append(y_pred)
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=(1, 2, 3))

    model = compile_model(build(), loss=Counted())
    model.fit(make_batches(data.train.images, one_hot(data.train.masks, 2), 4), epochs=1, verbose=0)
    assert len(traced) == 1


def test_the_cosine_schedule_warms_up_and_comes_down():
    model = compile_model(build(), 1e-3, schedule="cosine", steps_per_epoch=10, epochs=5)
    rate = model.optimizer._learning_rate
    rates = [float(rate(step)) for step in range(51)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[10] == pytest.approx(1e-3)
    assert rates[50] < 1e-4
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


@pytest.mark.usefixtures("eagerly")
def test_progress_in_a_file_is_its_last_line_and_silence_is_silent(data, capfd):
    run(build(), data, epochs=1, progress=False)
    assert capfd.readouterr() == ("", "")
    run(build(), data, epochs=1, progress=True)
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("1 epochs in")
    assert out.count("\n") == 1

"""What watches a training: its history, its progress, its checkpoints, and a stop when the loss is no number."""

import json
import math
import re
import sys
import time
from dataclasses import asdict, dataclass, field

import keras
import numpy as np

from ..files.paths import atomic_path, user_path


@dataclass
class History:
    """Curves of a training: one list per quantity, one number per epoch."""

    curves: dict = field(default_factory=dict)
    seconds: list = field(default_factory=list)
    best_epoch: int | None = None
    stopped_early: bool = False

    def __getitem__(self, name):
        return self.curves[name]

    @property
    def epochs(self):
        """Number of epochs run."""
        return len(self.seconds)

    def __str__(self):
        text = f"{self.epochs} epochs in {sum(self.seconds):.0f} s"
        if "val_dice" in self.curves:
            best = max(self.curves["val_dice"])
            text += f"; best validation Dice {best:.3f} at epoch {self.best_epoch}"
        return text + ("; stopped early" if self.stopped_early else "")


class _StopOnNaN(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"the loss became {logs['loss']} in epoch {self.epoch + 1}, step {batch + 1}. Usual causes: a learning "
                "rate too high (try a tenth), masks in 0/255 (encode them), images not scaled to 0–1"
            )


class RunningMean(keras.callbacks.Callback):
    """A mean of the weights over the last steps, which is validated in their place.

    After each step ``mean = momentum * mean + (1 - momentum) * weights``. It is kept in NumPy: Keras's own ``use_ema``
    computes the same inside the training step, which then takes a second or two longer to build.

    Parameters
    ----------
    momentum : float in (0, 1)
        0.9 looks back over about ten steps.

    Raises
    ------
    ValueError
        If momentum is not between 0 and 1.

    References
    ----------
    Polyak and Juditsky 1992, doi 10.1137/0330046, for the plain mean over all steps.
    """

    def __init__(self, momentum):
        super().__init__()
        if not 0 < momentum < 1:
            raise ValueError(f"average is {momentum}; give a number between 0 and 1, as 0.9, or None for no average")
        self.momentum, self.mean = momentum, None

    def on_train_batch_end(self, batch, logs=None):
        weights = _trainable_weights(self.model)
        if self.mean is None:
            self.mean = weights
        else:
            for mean, weight in zip(self.mean, weights, strict=True):
                mean += (1 - self.momentum) * (weight - mean)

    def on_test_begin(self, logs=None):
        self.swap(self.model)

    def on_test_end(self, logs=None):
        self.swap(self.model)

    def swap(self, model):
        """Exchange the weights of a model with the mean; a second time, and both are as before, to the bit."""
        weights = _trainable_weights(model)
        self.put_into(model)
        self.mean = weights

    def put_into(self, model):
        """Set the weights of a model to the mean."""
        for variable, value in zip(model.trainable_variables, self.mean, strict=True):
            variable.assign(value)


def _trainable_weights(model):
    return [np.asarray(variable).copy() for variable in model.trainable_variables]


class _Keeper(keras.callbacks.Callback):
    """Keeps the curves, the best weights, and on disk everything that a resumed run needs.

    Keras' EarlyStopping and BackupAndRestore know neither the curves so far, nor the running mean, nor dropout's seeds.
    """

    def __init__(self, folder, patience, mean=None):
        super().__init__()
        self.folder = user_path(folder) if folder else None
        self.patience, self.mean = patience, mean
        self.history = History()
        self.best_value, self.best_weights = -math.inf, None

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            self.history.curves.setdefault(name, []).append(float(value))
        self.history.seconds.append(time.perf_counter() - self.started)
        if logs["val_dice"] > self.best_value:
            self.best_value, self.history.best_epoch = float(logs["val_dice"]), epoch + 1
            if self.mean:
                self.mean.swap(self.model)
            self.best_weights = self.model.get_weights()
            if self.folder:
                _save(self.model, self.folder / "best.keras")
            if self.mean:
                self.mean.swap(self.model)
        if self.patience and epoch + 1 - self.history.best_epoch >= self.patience:
            self.model.stop_training = self.history.stopped_early = True
        if self.folder:
            self._save_state(epoch + 1)

    def _save_state(self, epoch):
        # the json names the files: whichever moment a crash picks, they belong together
        last = self.folder / f"last-{epoch:04d}.keras"
        _save(self.model, last)
        if self.mean:
            with atomic_path(_mean_of(last)) as temporary, open(temporary, "wb") as file:
                np.savez(file, *self.mean.mean)
        seeds = [np.asarray(variable).tolist() for variable in _seed_states(self.model)]
        state = {"epoch": epoch, "model": last.name, "best_value": self.best_value, "seeds": seeds}
        state["history"] = asdict(self.history)
        state |= {"network": _network(self.model), "loss": _loss(self.model)}
        with atomic_path(self.folder / "state.json") as temporary:
            temporary.write_text(json.dumps(state))
        for old in self.folder.glob("last-*"):
            if old not in (last, _mean_of(last)):
                old.unlink()

    def resume(self, model):
        """Put the saved state into a compiled model, and return the epochs that it has behind it."""
        path = self.folder / "state.json"
        if not path.is_file():
            return 0
        state = json.loads(path.read_text())
        self._check_same(model, state)
        last = self.folder / state["model"]
        if _mean_of(last).is_file() != bool(self.mean):
            had = "with" if _mean_of(last).is_file() else "without"
            raise ValueError(f"the run in {self.folder} began {had} average: resume it so, or take another folder")
        if (self.folder / "best.keras").is_file():
            model.load_weights(self.folder / "best.keras")
            self.best_weights = model.get_weights()
        model.load_weights(last)  # and the optimizer's state with them
        if not int(model.optimizer.iterations):
            raise ValueError(f"the run in {self.folder} had another schedule: resume it so, or take another folder")
        if self.mean:
            with np.load(_mean_of(last)) as stored:
                self.mean.mean = [*stored.values()]
        # seeds have names of this process only: by their order
        for variable, value in zip(_seed_states(model), state["seeds"], strict=True):
            variable.assign(value)
        self.history, self.best_value = History(**state["history"]), state["best_value"]
        return state["epoch"]

    def _check_same(self, model, state):
        """Refuse another network or loss: with its curves and optimizer it would be neither of the two runs."""
        began, now = state.get("network"), _network(model)  # states of earlier versions say neither
        if began not in (None, now):
            had, has = (f"{_count(one):,} weights in {len(one)} layers" for one in (began, now))
            raise ValueError(
                f"the run in {self.folder} began with another network ({had}; this one has {has}): "
                "build it so, or take another folder"
            )
        began, now = state.get("loss"), _loss(model)
        if began not in (None, now):
            raise ValueError(
                f"the run in {self.folder} began with the loss {began}, and this one is {now}: "
                "resume it so, or take another folder"
            )

    def restore_best(self, model):
        if self.best_weights is not None:
            model.set_weights(self.best_weights)


def _network(model):
    """Kind and shapes of the weights of each layer; names differ from process to process."""
    return [[type(layer).__name__, [list(weight.shape) for weight in layer.weights]] for layer in model.layers]


def _count(network):
    return sum(math.prod(shape) for _, shapes in network for shape in shapes)


def _loss(model):
    """The loss of a compiled model and its options, as text."""
    loss = model.loss
    if not isinstance(loss, keras.losses.Loss):
        return str(getattr(loss, "__name__", type(loss).__name__))
    try:
        options = loss.get_config()
    except Exception:  # a loss of one's own need not say its options
        options = {}
    said = ", ".join(f"{name}={value}" for name, value in sorted(options.items()) if name not in ("name", "dtype"))
    return re.sub(r" at 0x[0-9a-f]+", "", f"{type(loss).__name__}({said})")  # where in the memory, of this process


def _mean_of(last):
    """Where the running mean lies that belongs to a saved model."""
    return last.with_suffix(".mean.npz")


def _seed_states(model):
    """Where the random numbers of the dropout layers stand; a saved Keras model does not carry it."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]


def _save(model, path):
    with atomic_path(path) as temporary:
        model.save(temporary)


class _Progress(keras.callbacks.Callback):
    """One line, rewritten in place: in a notebook through its display, in a terminal on stderr."""

    def __init__(self, epochs, history):
        super().__init__()
        self.epochs, self.history = epochs, history
        self.show = None

    def on_train_begin(self, logs=None):
        self.show = _line_display()
        self.shown_at, self.began = 0.0, time.perf_counter()
        self.first_epoch = len(self.history.seconds)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self.shown_at < 1:
            return
        self.shown_at = now
        steps = self.params.get("steps") or 1
        done = (self.epoch - self.first_epoch + (batch + 1) / steps) / (self.epochs - self.first_epoch)
        left = (now - self.began) * (1 - done) / done
        dice = self.history.curves.get("val_dice", [math.nan])[-1]
        self.show(f"epoch {self.epoch + 1}/{self.epochs}, validation Dice {dice:.3f}, about {left:.0f} s left")

    def on_train_end(self, logs=None):
        self.show(str(self.history), last=True)


def _line_display():
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = lambda: None  # noqa: E731
    if get_ipython() is not None and "ZMQ" in type(get_ipython()).__name__:
        handle = display({"text/plain": "first step: building the computation …"}, raw=True, display_id=True)
        return lambda text, last=False: handle.update({"text/plain": text}, raw=True)
    if sys.stderr.isatty():
        return lambda text, last=False: print(f"\r{text:<79}", end="\n" if last else "", file=sys.stderr, flush=True)
    return lambda text, last=False: print(text, flush=True) if last else None

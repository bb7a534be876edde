"""The folder of a run on somebody's data, and what is kept in it: the network with all it takes to use it again.

Used in 15. A run that was interrupted is gone on with; a finished one is never written over: the next gets a number.
"""

import hashlib
import itertools
import json
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

import keras
import numpy as np
import psutil

from ..data.origin import Origin
from ..evaluation.thresholds import OperatingPoint
from ..files.paths import DataError, atomic_path, sha256_of, user_path, writing
from .your_data import TRAINING, Recipe, predict, predict_whole

NEAR = 1.25  # how far the pixels of an image may be from the sizes that were seen
#: the files of a kept run
STATE, KEPT, MODEL, LOG = "state.json", "run.json", "model.keras", "log.txt"


def fingerprint(data, recipe):
    """A hash of all slices, masks, names and sides of the split, and of the recipe: equal only for the same run."""
    found = hashlib.sha256(json.dumps([asdict(recipe), list(data.class_names)]).encode())
    for name, subset in data.subsets.items():
        found.update(name.encode())
        for array in (subset.images, subset.masks, subset.readers):
            if array is not None:
                found.update(str((array.shape, array.dtype)).encode())
                found.update(np.ascontiguousarray(array))
        found.update("\0".join([*subset.patient_ids, *subset.case_ids]).encode())
    return found.hexdigest()


def open_run(folder, data, recipe):
    """The folder for a run: ``folder``, or ``folder-2``, ``folder-3``, … where that one holds another run.

    A run of the same data and recipe that did not come to its end is gone on with.

    Parameters
    ----------
    folder : str or Path
    data : Dataset
    recipe : Recipe

    Returns
    -------
    Path
    """
    wanted, mark = user_path(folder), fingerprint(data, recipe)
    for number in itertools.count(1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()  # one process only can make it
            except FileExistsError:
                if _unfinished(path) == mark:
                    log(path, "went on after an interruption")
                    break
            else:
                software = f"Python {platform.python_version()}, TensorFlow {version('tensorflow')}"
                log(path, f"began: {software}, {platform.machine()}\n{data}\nrecipe: {recipe}")
                break
    _write_json(path / STATE, {"fingerprint": mark, "finished": False, "process": _this_process()})
    return path


def _unfinished(path):
    """The fingerprint of an interrupted run; None of one that is finished or at work, or where something else lies."""
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        number, began = state.get("process", (0, 0))
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    at_work = [number, began] != _this_process() and psutil.pid_exists(number) and _began(number) == began
    return None if state.get("finished") or at_work else state.get("fingerprint")


def _this_process():
    return [os.getpid(), _began(os.getpid())]


def _began(number):
    """When a process began, which tells it from a later one of the same number."""
    try:
        return round(psutil.Process(number).create_time())
    except psutil.Error:
        return 0


def log(folder, text):
    """Add a line with the time to the log of a run."""
    with writing(folder / LOG), open(folder / LOG, "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")


def _write_json(path, content):
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Seen:
    """What a network has seen; images of another kind are refused.

    origin : Origin
        How stored values became 0 to 1, and the sizes of the images as stored.
    channels : int
    spacing : (float, float) or None
        The smallest and the largest side of a pixel in mm, after resizing; None where none was known.
    """

    origin: Origin
    channels: int
    spacing: tuple | None

    @classmethod
    def of(cls, data):
        """Of a data set; None where its images come from no file."""
        train = data.train
        known = np.isfinite(train.spacing).all()
        spacing = (float(train.spacing.min()), float(train.spacing.max())) if known else None
        return train.origin and cls(train.origin, train.images.shape[-1], spacing)

    def prepare(self, reading, source, side):
        """Slices ``(D, H, W, C)`` in [0, 1], not yet resized to ``side``; an error for what does not fit."""
        scaled = self.origin.scale(reading, source, self.channels)
        if self.spacing and reading.spacing is None:
            raise DataError(f"'{source.name}' says no spacing, which the network has seen; save it with its spacing")
        if self.spacing:
            pixels = [s * n / m for s, n, m in zip(reading.spacing[-2:], scaled.shape[1:3], side, strict=True)]
            low, high = self.spacing
            if min(pixels) < low / NEAR or max(pixels) > high * NEAR:
                here = " × ".join(f"{value:.3g}" for value in pixels)
                raise DataError(
                    f"'{source.name}' has pixels of {here} mm where the network looks, and it has seen {low:.3g} to "
                    f"{high:.3g} mm; resample it"
                )
        return scaled


@dataclass(frozen=True)
class Kept:
    """A trained network with all that new images need: how they are read, and how probabilities become masks.

    model : keras.Model
    recipe : Recipe
    class_names : tuple of str
    point : OperatingPoint or None
        None where the most probable class wins.
    seen : Seen or None
        What the images of the training patients were like; None for the phantom, which comes from no file.
    data : dict
        Name, fingerprint and report of the data it was trained on.
    """

    model: keras.Model
    recipe: Recipe
    class_names: tuple
    point: OperatingPoint | None
    seen: Seen | None
    data: dict

    @property
    def side(self):
        """Height and width of the slices that the network was trained on."""
        return tuple(self.data["side"])

    def probabilities(self, images):
        """``(N, H, W, K)`` for images ``(N, H, W, C)`` that are prepared as those of the training were."""
        return predict_whole(self.model, images, self.recipe)

    def predict(self, images):
        """Masks ``(N, H, W)`` uint8, the same as in the run that was kept."""
        return predict(self.model, images, self.recipe, self.point)


def keep_run(folder, model, data, recipe, point=None):
    """Keep a trained network in the folder of its run, and close the run.

    Parameters
    ----------
    folder : Path
        From :func:`open_run`.
    model : keras.Model
    data : Dataset
    recipe : Recipe
    point : OperatingPoint or None

    Returns
    -------
    Kept
        As :func:`load_run` gives it.
    """
    folder = user_path(folder)
    with atomic_path(folder / MODEL) as temporary:
        model.save(temporary)
    mark, seen = fingerprint(data, recipe), Seen.of(data)
    content = {
        "version": 1,
        "class_names": list(data.class_names),
        "recipe": asdict(recipe),
        "point": None if point is None else asdict(point),
        "seen": seen and {"origin": seen.origin.to_dict(), "channels": seen.channels, "spacing": seen.spacing},
        "data": {
            "name": data.name,
            "fingerprint": mark,
            "report": [str(line) for line in data.report],
            "side": list(data.train.images.shape[1:3]),
        },
        "model_sha256": sha256_of(folder / MODEL),
    }
    _write_json(folder / KEPT, content)
    _write_json(folder / STATE, {"fingerprint": mark, "finished": True})
    log(folder, f"kept: {MODEL}, {KEPT}; thresholds: {point}")
    shutil.rmtree(folder / TRAINING, ignore_errors=True)  # what a resumed training would have needed
    return load_run(folder)


def load_run(folder):
    """Load what :func:`keep_run` has kept.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Kept

    Raises
    ------
    FileNotFoundError, DataError
        If the folder holds no finished run, or its files do not belong together.
    """
    folder = user_path(folder)
    if not (folder / KEPT).is_file():
        what = (
            "holds a run that did not come to its end; run it again" if (folder / STATE).is_file() else "holds no run"
        )
        raise FileNotFoundError(f"'{folder}' {what} ({KEPT} is missing)")
    try:
        content = json.loads((folder / KEPT).read_text(encoding="utf-8"))
        found = sha256_of(folder / MODEL)
        recipe = Recipe(**content["recipe"])
        point = OperatingPoint(**content["point"]) if content["point"] else None
        seen = content["seen"]
        if seen:
            seen = Seen(Origin.from_dict(seen["origin"]), seen["channels"], seen["spacing"] and tuple(seen["spacing"]))
        names, expected = tuple(content["class_names"]), content["model_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the run in '{folder}' cannot be read ({type(error).__name__}: {error}); copy it again"
        ) from None
    if found != expected:
        raise DataError(f"'{folder / MODEL}' is not the network that {KEPT} describes; copy both from one run")
    model = keras.saving.load_model(folder / MODEL, compile=False)
    return Kept(model, recipe, names, point, seen, content["data"])

"""Which network works: a folder with every network that ever did, and one small file that names the present one.

Changing the network is changing that file, in one step; the former network stays where it was, so that the way back is
one step too.
"""

import json
import shutil

from ..files.paths import DataError, atomic_path, sha256_of, user_path
from .networks import OnnxNetwork

POINTER = "models.json"


def add_model(folder, path):
    """Copy an ONNX file into the folder and let it be the one that works; its name there.

    Raises as :class:`unet_helpers.deployment.OnnxNetwork` of a file that could not work.
    """
    folder, path = user_path(folder), OnnxNetwork(path).path
    digest = sha256_of(path)
    name = f"{path.stem}-{digest[:12]}.onnx"
    with atomic_path(folder / name) as temporary:
        shutil.copyfile(path, temporary)
    models = _read(folder) if (folder / POINTER).exists() else {"sha256": {}, "history": []}
    models["sha256"][name] = digest
    if models["history"][-1:] != [name]:
        models["history"].append(name)
    _write(folder, models)
    return name


def current_model(folder):
    """The path of the network that works; :class:`unet_helpers.DataError` if it is not the file that was added."""
    folder = user_path(folder)
    models = _read(folder)
    path = folder / models["history"][-1]
    if not path.is_file() or sha256_of(path) != models["sha256"][path.name]:
        raise DataError(
            f"'{path.name}' is not the file that was added (its sha256 differs, or it is gone); add the network again, "
            "or roll back to the former one"
        )
    return path


def roll_back(folder):
    """Let the network before the present one work again; its name."""
    folder = user_path(folder)
    models = _read(folder)
    if len(models["history"]) < 2:
        raise DataError(f"'{folder.name}' has no network before the present one; add one with add_model")
    models["history"].pop()
    _write(folder, models)
    return models["history"][-1]


def _read(folder):
    path = folder / POINTER
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'; put a network into the folder with add_model")
    try:
        models = json.loads(path.read_text(encoding="utf-8"))
        names = [models["sha256"][name] and name for name in models["history"]]
        if not names or any("/" in name or "\\" in name for name in names):
            raise ValueError("a network is a file of this folder")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"'{path}' cannot be read ({error}); remove it, and add the network again") from error
    return models


def _write(folder, models):
    with atomic_path(folder / POINTER) as temporary:
        temporary.write_text(json.dumps(models, indent=1), encoding="utf-8")

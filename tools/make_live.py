"""Write what the live pieces of the book need beside their scripts: the shipped network, the kernel, slices, curves.

    python tools/make_live.py FOLDER     # tools/build_book.py does it for the built book

The files are scripts, because a page that was opened from the disk may load nothing else. They are made for each build
and not kept, so that they always belong to the network and the phantom of the package.
"""

import argparse
import base64
import json
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / "book" / "_static" / "live" / "kernel.wasm"
ROBUSTNESS = ROOT / "book" / "results" / "robustness.json"
#: index of a validation patient, and slice: a nodule that the network finds, a large one, one that it misses, none
SLICES = ((13, 5), (40, 5), (7, 5), (38, 6))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder)


def make(folder):
    """Write ``network.js``, ``kernel.js``, ``slices.js`` and ``robustness.js`` into a folder."""
    from unet_helpers import load_checkpoint
    from unet_helpers.teaching.browser import write_browser_network

    folder.mkdir(parents=True, exist_ok=True)
    write_browser_network(load_checkpoint(), folder / "network.js")
    write_kernel(folder / "kernel.js")
    write_script(folder / "slices.js", unetSlices=[one_slice(*where) for where in SLICES])
    write_script(folder / "robustness.js", unetRobustness=robustness())


def write_script(path, **variables):
    """Write a script that sets these variables."""
    lines = [f"self.{name} = {json.dumps(value, separators=(',', ':'))};\n" for name, value in variables.items()]
    path.write_text("".join(lines), encoding="utf-8")


def write_kernel(path):
    """Write the WebAssembly of the engine as a script that sets ``unetKernel``."""
    write_script(path, unetKernel=as_base64(KERNEL.read_bytes()))


def robustness():
    """What the benchmark has recorded: by disturbance, its levels, the mean Dice of both classes, how many patients."""
    from unet_helpers.failures import DISTURBANCES

    recorded = json.loads(ROBUSTNESS.read_text(encoding="utf-8"))["results"]
    parts = {"levels": "levels", "lung": "lung_dice", "nodule": "nodule_dice"}
    return {
        name: {part: recorded[name][key] for part, key in parts.items()} | {"patients": recorded["patients"]}
        for name in DISTURBANCES
    }


def one_slice(index, z):
    """Hounsfield units of a slice as 16-bit numbers, its mask, and its nodules: row, column and diameter in mm."""
    from unet_helpers.phantom import make_patient

    patient = make_patient(0, index=index)
    spacing = patient.spacing[1]
    labels, count = ndimage.label(patient.masks[z] == 2, np.ones((3, 3)))
    nodules = []
    for label in range(1, count + 1):
        row, column = ndimage.center_of_mass(labels == label)
        nodules.append([row, column, 2 * spacing * ((labels == label).sum() / np.pi) ** 0.5])
    return {
        "name": f"patient {patient.patient_id}, slice {z + 1} of {len(patient.volume)}",
        "spacing": spacing,
        "nodules": np.round(nodules, 1).tolist(),
        "hu": as_base64(patient.volume[z].astype("<i2").tobytes()),
        "mask": as_base64(patient.masks[z].astype("u1").tobytes()),
    }


def as_base64(content):
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    sys.exit(main())

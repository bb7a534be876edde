"""Write what the live pieces of the book need beside their scripts: the shipped network, its kernel, slices, lessons.

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
#: index of a validation patient, and slice: a nodule that the network finds, a large one, one that it misses, none
SLICES = ((13, 5), (40, 5), (7, 5), (38, 6))

#: what the tiny network of notebook 04 learns from: pictures of this many pixels a side
LESSON = 32
#: a nodule in a lesson has at least this many pixels, so that one can be seen
LEAST = 16
#: slices of lungs to train on, one of each patient; more would weigh more than the page can bear
LUNG_LESSONS = 26


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder)


def make(folder):
    """Write ``network.js``, ``kernel.js``, ``slices.js`` and ``lessons.js`` into a folder."""
    from unet_helpers import load_checkpoint, load_dataset
    from unet_helpers.teaching.browser import write_browser_network

    folder.mkdir(parents=True, exist_ok=True)
    write_browser_network(load_checkpoint(), folder / "network.js")
    write_kernel(folder / "kernel.js")
    slices = json.dumps([one_slice(*where) for where in SLICES], separators=(",", ":"))
    (folder / "slices.js").write_text(f"self.unetSlices = {slices};\n", encoding="utf-8")
    write_lessons(load_dataset("phantom"), folder / "lessons.js")


def write_kernel(path):
    """Write the WebAssembly of the engine as a script that sets ``unetKernel``."""
    path.write_text(f'self.unetKernel = "{as_base64(KERNEL.read_bytes())}";\n', encoding="utf-8")


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


def write_lessons(data, path):
    """Write the lessons as a script that sets ``unetLessons``: gray values of 8 bits, masks of one bit a pixel."""
    lessons = {}
    for task, make in {"lungs": lung_lessons, "nodules": nodule_lessons}.items():
        lessons[task] = {}
        for part, subset in (("train", data.train), ("heldOut", data.validation)):
            images, masks, patients = make(subset)
            order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")  # the largest object first
            lessons[task][part] = {
                "patients": patients[order].tolist(),
                "images": as_base64(np.round(255 * images[order]).astype("u1").tobytes()),
                "masks": as_base64(np.packbits(masks[order]).tobytes()),
            }
    text = json.dumps(lessons, separators=(",", ":"))
    path.write_text(f"self.unetLessons = {text};\n", encoding="utf-8")


def lung_lessons(subset):
    """One whole slice of a patient: gray values are means of blocks, and a block is lung if half of it is."""
    block = subset.images.shape[1] // LESSON
    rows = [np.flatnonzero(subset.patient_ids == patient) for patient in subset.patients[:LUNG_LESSONS]]
    chosen = np.array([slices[1 + number % (len(slices) - 2)] for number, slices in enumerate(rows)])

    def shrink(pictures):
        return pictures.reshape(-1, LESSON, block, LESSON, block).mean(axis=(2, 4))

    masks = shrink(subset.masks[chosen] > 0) >= 0.5
    return shrink(subset.images[chosen, ..., 0]), masks, subset.patient_ids[chosen]


def nodule_lessons(subset):
    """A square around each nodule that is large enough, at full resolution; the nodule is not always in its middle."""
    rng, images, masks, patients = np.random.default_rng(0), [], [], []
    for image, mask, patient in zip(subset.images[..., 0], subset.masks == 2, subset.patient_ids, strict=True):
        if mask.sum() >= LEAST:
            middle = np.argwhere(mask).mean(axis=0).astype(int) + rng.integers(-10, 11, 2)
            top, left = np.clip(middle - LESSON // 2, 0, np.array(mask.shape) - LESSON)
            square = slice(top, top + LESSON), slice(left, left + LESSON)
            images.append(image[square])
            masks.append(mask[square])
            patients.append(patient)
    return np.array(images), np.array(masks), np.array(patients)


def as_base64(content):
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    sys.exit(main())

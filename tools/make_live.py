"""Write what the live pieces of the book need beside their scripts: networks, their kernel, slices, curves, lessons.

    python tools/make_live.py FOLDER     # tools/build_book.py does it for the built book

The files are scripts, because a page that was opened from the disk may load nothing else. They are made for each build
and not kept, so that they always belong to the networks and the phantom of the package.
"""

import argparse
import base64
import functools
import json
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / "book" / "_static" / "live" / "kernel.wasm"
#: index of a validation patient who is scanned in several ways, and slices
SCANNED = 13, (4, 5)
#: by a field of the acquisition, its values, of which the standard scan has the first
SCANS = {
    "photons": (100_000, 10_000, 1_000, 300, 100),
    "kernel": ("soft", "sharp"),
    "slice_thickness": (3, 10),
    "field_of_view": (None, 430, 500),
    "motion": (0, 2.5, 5),
}
ROBUSTNESS = ROOT / "book" / "results" / "robustness.json"
#: index of a validation patient, and slice: a nodule that the network finds, a large one, one that it misses, none
SLICES = ((13, 5), (40, 5), (7, 5), (38, 6))
#: pixels of an object below which a page comes closer
NEAR = 100

#: what the clicks of notebook 17 are to get, by whether the network was trained on its kind: a name, the number of the
#: slice, and the kind, of which it is the largest object there
TARGETS = {
    "It was trained on this": (
        ("a lung", 0, "lung"),
        ("a nodule", 0, "nodule"),
        ("a small nodule", 2, "nodule"),
        ("the muscles", 0, "muscle"),
    ),
    "It was never trained on this": (("the heart", 0, "heart"), ("the spine", 1, "spine")),
}

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
    """Write ``{network,kernel,slices,robustness,scans,lessons,clicks_network,targets}.js`` into a folder."""
    from unet_helpers import load_checkpoint, load_dataset
    from unet_helpers.teaching.browser import write_browser_network

    folder.mkdir(parents=True, exist_ok=True)
    write_browser_network(load_checkpoint(), folder / "network.js")
    write_script(folder / "robustness.js", unetRobustness=robustness())
    write_script(folder / "scans.js", unetScans=scans())
    write_script(folder / "lessons.js", unetLessons=lessons(load_dataset("phantom")))
    make_clicks(folder)


def make_clicks(folder):
    """Write the files that the piece of notebook 17 needs; it shares two of them with other pieces."""
    from unet_helpers.teaching.browser import write_browser_network
    from unet_helpers.teaching.clicks import load_click_network

    write_browser_network(load_click_network(), folder / "clicks_network.js")
    write_kernel(folder / "kernel.js")
    write_script(folder / "slices.js", unetSlices=[one_slice(patient_of(index), z) for index, z in SLICES])
    write_script(folder / "targets.js", unetTargets=targets())


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


@functools.cache
def patient_of(index):
    from unet_helpers.phantom import make_patient

    return make_patient(0, index=index)


def scanned(**changes):
    """The patient of SCANNED under the standard scanner of notebook 09, with some of it changed."""
    from unet_helpers.phantom import Acquisition, make_patient

    return make_patient(0, index=SCANNED[0], acquisition=Acquisition(**changes))


def scans():
    """The values of SCANS, and for each of them both slices; the first values share one scan."""
    standard = [one_slice(scanned(), z) for z in SCANNED[1]]
    others = {
        name: [[one_slice(patient, z) for z in SCANNED[1]] for patient in (scanned(**{name: v}) for v in values[1:])]
        for name, values in SCANS.items()
    }
    for pair in (pair for found in others.values() for pair in found):
        for changed, same in zip(pair, standard, strict=True):
            if changed["mask"] == same["mask"]:  # the page takes that of the standard scan
                del changed["mask"]
    return {"values": SCANS, "standard": standard, "others": others}


def one_slice(patient, z):
    """Hounsfield units of a slice as 16-bit numbers, its mask, and its nodules: row, column and diameter in mm."""
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


def targets():
    """What the reader of notebook 17 clicks on: group, name, slice, mask of one bit a pixel, whether to come closer."""
    found = []
    for group, wanted in TARGETS.items():
        for name, number, kind in wanted:
            mask = target_mask(number, kind)
            coded = as_base64(np.packbits(mask).tobytes())
            near = bool(mask.sum() < NEAR)
            found.append({"group": group, "name": name, "slice": number, "near": near, "mask": coded})
    return found


@functools.cache
def structures_of(index):
    from unet_helpers.teaching.structures import structure_masks

    patient = patient_of(index)
    return structure_masks(patient) | {"lung": patient.masks == 1, "nodule": patient.masks == 2}


def target_mask(number, kind):
    """The largest connected object of a kind in one of the SLICES, ``(H, W)`` bool."""
    from unet_helpers.teaching.clicks import objects_of

    index, z = SLICES[number]
    masks = structures_of(index)[kind]
    return max((mask for _, mask in objects_of(masks[[z]], least=1)), key=np.sum)


def lessons(data):
    """Pictures to train on and held-out ones of both tasks: gray values of 8 bits, masks of one bit a pixel."""
    found = {}
    for task, make in {"lungs": lung_lessons, "nodules": nodule_lessons}.items():
        found[task] = {}
        for part, subset in (("train", data.train), ("heldOut", data.validation)):
            images, masks, patients = make(subset)
            order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")  # the largest object first
            found[task][part] = {
                "patients": patients[order].tolist(),
                "images": as_base64(np.round(255 * images[order]).astype("u1").tobytes()),
                "masks": as_base64(np.packbits(masks[order]).tobytes()),
            }
    return found


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

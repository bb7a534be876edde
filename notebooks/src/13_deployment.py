# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 Deployment
#
# How do I use the model elsewhere, in real time?

# %%
import numpy as np

from unet_helpers import load_checkpoint, plotting, predict_masks
from unet_helpers.data import window
from unet_helpers.phantom import make_patient

model, patient = load_checkpoint(), make_patient(0, index=103)
stored = (patient.volume + 1024) / 0.5  # a scanner stores whole numbers; slope 0.5 and intercept -1024 make HU of them
between, down, across = patient.spacing
affine = np.array([[0, 0, across, 0], [0, down, 0, 0], [-between, 0, 0, 0], [0, 0, 0, 1]])  # slice, row, column -> mm


def run_elsewhere(slope=0.5, level=-600, width=1500, upside_down=False):
    images = window(stored * slope - 1024, level, width)[..., np.newaxis]
    masks = predict_masks(model, images)
    found = {"mask": masks[:, ::-1] if upside_down else masks, "affine": affine}
    return {**found, "patient": patient.patient_id, "classes": {1: "lung", 2: "nodule"}}


# %% mystnb={"figure": {"caption": "One patient, one network, seven programs around it. The first is right. Of the six with a bug, three can be seen here."}, "image": {"alt": "Seven pictures of the same chest slice with a mask. Right: two lungs outlined, and a nodule in one of them. Axis flipped: the outlines stand upside down and do not fit. Slope ignored: the lungs have holes, the nodule is one of them, and elsewhere there are patches called nodule. Another window: the heart, muscles and bones are called lung, and the lungs are not. Classes exchanged, orientation dropped, another patient: the same picture as the first."}}
results = {"right": run_elsewhere(), "axis flipped": run_elsewhere(upside_down=True)}
results |= {"slope ignored": run_elsewhere(slope=1), "another window": run_elsewhere(level=40, width=400)}
right = results["right"]
results["classes exchanged"] = {**right, "classes": {1: "nodule", 2: "lung"}}
results["orientation dropped"] = {**right, "affine": abs(affine)}
results["another patient"] = {**right, "patient": "P007"}
z = int((right["mask"] == 2).sum(axis=(1, 2)).argmax())
image = window(patient.volume[z], -600, 1500)
plotting.show_images([image] * 7, list(results), [one["mask"][z] for one in results.values()], ["", "lung", "nodule"])

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - move a network to another engine, and show that it still gives the same masks,
# - say what "real time" asks for, measure it, and choose a number from the slow end,
# - take a series as a scanner sends it, and give back a segmentation and a report that lie where the patient lies,
# - receive studies that come twice, in pieces, or should not have come, without losing or doubling one,
# - watch what goes in after the start, set an alarm, and go back to the former version,
# - say what a clinic and the law ask beyond the program, and how many workers a given load needs.
#
# **You need before:** windows and spacing ([notebook 02](02_preprocessing.ipynb)); Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)). Helpful: another scanner ([notebook 09](09_domain_shift_and_transfer.ipynb)), volumes in mm ([notebook 10](10_volumes_and_3d_unet.ipynb)).
#
# **Minutes:** 80 to read, with five exercises, 2 to run on two cores. A break is marked in the middle.
#
# **The misconception it removes:** "The network is validated, so using it elsewhere is a matter of copying a file."
#
# </div>

# %% [markdown]
# The network is the same in all seven pictures, to the last weight, and so is its validation. What differs is the few lines around it. The last three pictures look right: their masks *are* right. But in one the lung is called a nodule. In one the signs were lost in the **affine**, the matrix that says where in the patient, in mm, each voxel lies ([glossary](../book/glossary.md)), so that the mask lies with its head at the feet. And in one the mask belongs to another patient.
#
# So this chapter is about those lines. We build all of them, from a file of a scanner to a segmentation in an archive, with the parts that hospitals use, on this machine alone. **It is teaching material, and not a medical device: nothing here may be used for a patient.** The patients are the phantom's; nothing leaves this machine.
#
# ## Parity before speed
#
# A network is trained in one program and used in another. The usual way between them is **ONNX**, a file that holds the layers and the weights and that many engines read. **ONNX Runtime** is such an engine: it needs neither TensorFlow nor Keras.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from unet_helpers import load_dataset
from unet_helpers.deployment import OnnxNetwork, export_onnx

work = TemporaryDirectory()
folder = Path(work.name)
network = OnnxNetwork(export_onnx(model, folder / "network.onnx"))
print(f"{network.path.stat().st_size / 1e6:.1f} MB, version {network.about.version}, window {network.about.window}")

# %% [markdown]
# The file also carries what belongs to the network and is so often lost: the window in which it was trained, the size of its images, the names of its classes. Weights alone are of no use to anybody.
#
# Before anybody asks how fast it is, we ask whether it still gives the same masks. All validation patients, every pixel:

# %%
from unet_helpers.deployment import compare_networks

validation = load_dataset("phantom").validation
parity = compare_networks(model, network, validation.images, validation.patient_ids)
print("every pixel the same, or a tie that rounding decides:", parity.passed)

# %% tags=["remove-cell"]
assert parity.differ <= 10 and parity.largest < 1e-3

# %% [markdown]
# Two engines add up in a different order, so their probabilities differ a little, here by less than 0.001. A mask changes only where two classes are equally probable. Such a pixel, whose two best classes lie within 0.001, is *explained*; any other needs an explanation: a bug, or fewer bits.
#
# Ask again for each engine, each version and each processor. `benchmarks/deploy.py` has asked it of more engines, on two cores. In how many of all pixels does the mask differ from that of Keras?

# %%
import json

import pandas as pd

from unet_helpers.teaching import RESULTS

measured = json.loads((RESULTS / "deployment.json").read_text(encoding="utf-8"))["results"]
elsewhere = pd.DataFrame(measured["parity"]["engines"]).T.drop(columns="megabytes")
elsewhere = elsewhere[~elsewhere.index.str.contains("Keras|int8")].rename(columns=lambda name: name.replace("_", " "))
print(f"{measured['parity']['slices']} slices, {measured['parity']['pixels']:,} pixels")
elsewhere.astype({"pixels that differ": int, "slices that differ": int})

# %% tags=["remove-cell"]
same_bits = elsewhere.drop("OpenVINO, as it comes")
assert (same_bits["pixels that differ"] == 0).all() and (same_bits["largest difference"] < 1e-4).all()
assert 20 < elsewhere.loc["OpenVINO, as it comes", "pixels that differ"] < 1000
assert elsewhere.loc["OpenVINO, as it comes", "slices that differ"] > 28

# %% [markdown]
# With 32 bits none does. OpenVINO *as it comes* computes with 16 bits where the processor can, without being asked (setting `INFERENCE_PRECISION_HINT` to f32 turns it off), and then pixels change in most slices. That may be good enough. But somebody has to know it and to decide it.
#
# ### Exercise 13.1: the gate
#
# Parity holds the network. The other bugs of the first picture are around it. So keep one **golden study**, whose right result is known, send it through the whole chain after every change, and let a gate compare what comes back.
#
# A study is a dictionary: `"mask"` `(D, H, W)`, `"affine"` 4×4, `"patient"`, and `"classes"`, the name of each number. Write `gate(golden, found)`, which returns the list of the keys that are wrong, empty if nothing is. The mask is right if it has the same shape and *each* class of `golden["classes"]` has a Dice of at least 0.99; a class that neither of the two masks has is right as well. The affine is right up to rounding.
#
# <details><summary>Hint 1</summary>
#
# The nodule has fewer than a hundred of 131,072 pixels. Which of these notices that it is lost: the share of equal pixels, the Dice of everything that is not background, the Dice of each class? And what is the Dice of a class that neither mask has?
#
# <details><summary>Hint 2</summary>
#
# Four questions, one after the other; each that fails adds its key to a list. Ask for the shape of the masks before anything else about them: `dice` refuses masks of two shapes. The Dice of two empty masks is nan, and `nan >= 0.99` is false.
#
# <details><summary>Hint 3</summary>
#
# For the affine `np.allclose(golden["affine"], found["affine"])`. For the classes a loop: `dice(golden["mask"] == index, found["mask"] == index)`, wrong if it is below 0.99; `nan < 0.99` is false as well, which is what you want here.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers import dice
from unet_helpers.teaching.checks import deployment as check


def gate(golden, found):
    return ...


check.gate(gate)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def gate(golden, found):
    wrong = [key for key in ("patient", "classes") if golden[key] != found[key]]
    if not np.allclose(golden["affine"], found["affine"]):
        wrong.append("affine")
    same_shape = golden["mask"].shape == found["mask"].shape
    if not same_shape or any(dice(golden["mask"] == k, found["mask"] == k) < 0.99 for k in golden["classes"]):
        wrong.append("mask")
    return wrong


check.gate(gate)

# %% [markdown]
# Six bugs and four gates. A column that is never marked could be left out; a row that is never marked would be a bug that reaches the patient.

# %%
stopped = {name: gate(right, found) for name, found in results.items() if name != "right"}
keys = ["mask", "affine", "patient", "classes"]
pd.DataFrame({name: ["stops" if key in by else "" for key in keys] for name, by in stopped.items()}, index=keys).T

# %% [markdown]
# No single gate catches more than half of them. And no Dice of a validation can: it is computed in the program of the training, where the lines around the network were right.
#
# The golden study must not be symmetric. One whose two lungs are mirror images passes when an axis is flipped, and one without a nodule passes when the nodule's class is lost.
#
# ## How fast is fast enough?
#
# Now the time. One call is no measurement: some calls are slower for no reason that you can see. So call many times, and look at all the times. (The very first call, which also prepares the engine, is left out here.)

# %% tags=["nbval-ignore-output"]
from unet_helpers.teaching.engines import milliseconds, onnx_engine, quantize

spent = np.array(milliseconds(network.predict, validation.images[:1], 100))
low, middle, late = np.percentile(spent, (5, 50, 95))
print(f"one slice: p5 {low:.1f} ms, p50 {middle:.1f} ms, p95 {late:.1f} ms")

# %%
assert spent.min() > 0.1 and middle < 2000 and low <= middle <= late

# %% [markdown]
# **p50** is the median; **p95** is the time within which 95 of 100 calls are done. Plan with p95: somebody who scrolls notices each picture that comes late, and not the mean.
#
# ### Exercise 13.2: how many images a second?
#
# Images come one after the other at a fixed rate. An image that is not done when the next one comes is dropped, and at least 95 of 100 must be done. Write `highest_rate(times)`: the milliseconds of many calls, an array, in; the highest rate in images per second out.
#
# <details><summary>Hint 1</summary>
#
# At 25 images a second, how many milliseconds are there for each? Which of the measured times must fit into them: the mean, the slowest, or another?
#
# <details><summary>Hint 2</summary>
#
# `np.percentile(times, 95)` is the time within which 95 of 100 are done. How many such times fit into the 1000 ms of a second?
#
# </details>
# </details>


# %%
def highest_rate(times):
    return ...


check.highest_rate(highest_rate)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def highest_rate(times):
    return 1000 / np.percentile(times, 95)


check.highest_rate(highest_rate)

# %% [markdown]
# What **real time** means depends on who waits. A scanner: the masks of a chest, 300 slices of 512×512, before the patient gets up, say in a minute, so 5 a second. A reader who scrolls: 15 slices a second. A video, as in ultrasound or endoscopy: 30 images a second. Ours was trained on 128×128. How fast would it be if it had been trained at full size, with sixteen times as many pixels?

# %% tags=["nbval-ignore-output"]
large = np.tile(validation.images[:1], (1, 4, 4, 1))
spent = np.array(milliseconds(network.predict, large, 21))
rate = highest_rate(spent)
print(f"512×512 on one thread: p95 {np.percentile(spent, 95):.0f} ms, so {rate:.0f} images a second in time")
for name, need in {"scanner": 5, "reader who scrolls": 15, "video": 30}.items():
    print(f"{name}: {need} a second needed,", "fast enough here" if rate >= need else "too slow here")

# %%
assert 0.05 < rate < 1000

# %% [markdown]
# Whether it is fast enough is a sentence about this machine, at this load, with one thread. And it is the network alone: finding, reading and writing files come on top. Run the cell again while something else keeps the machine busy, and look at p95 rather than at p50.
#
# `benchmarks/deploy.py` compares engines **by turns**, each in a process of its own, one after the other and again, because on a machine that does other things only the ratios within one turn count. *Cold* is the time from the start of the program to its first mask:

# %%
latency = pd.DataFrame(measured["latency"]["engines"]).T
one = latency[latency.index.str.endswith(", 1 thread")].rename(index=lambda name: name.removesuffix(", 1 thread"))
columns = {"cold_seconds": "cold (s)", "slice_p50_ms": "slice p50 (ms)", "slice_p95_ms": "slice p95 (ms)"}
columns |= {"volume_p50_ms": "8 slices (ms)", "slice_512_p50_ms": "512×512 (ms)", "megabytes": "memory (MB)"}
shown = one[list(columns)].rename(columns=columns).astype(float).round(1).astype({"memory (MB)": int})
shown["slice, times as long as ONNX Runtime"] = [f"{low} to {high}" for _, low, high in one["slice_times_onnx_runtime"]]
shown

# %% tags=["remove-cell"]
times = pd.DataFrame(one["slice_times_onnx_runtime"].tolist(), one.index, ["middle", "low", "high"])
assert times.loc["Keras, predict", "low"] > 10 and 1.2 < times.loc["Keras, predict_on_batch", "low"] < 3
assert times.loc["OpenVINO, as it comes", "high"] < 0.7 and times.filter(like="int8", axis=0)["low"].min() > 1.03
assert (shown["cold (s)"].filter(like="Keras") > 2).all() and (shown["cold (s)"].iloc[2:] < 1).all()
assert (shown["memory (MB)"].filter(like="Keras") > 3 * shown["memory (MB)"].iloc[2:].max()).all()
batch = shown["8 slices (ms)"] / shown["slice p50 (ms)"]
assert batch["Keras, predict"] < 2.5 and (batch.iloc[2:] > 6.5).all()

# %% [markdown]
# - Keras needs seconds until its first mask, because it loads TensorFlow, and several times as much memory. The engines need less than a second.
# - `predict` is made for whole data sets. For a single slice its preparation takes more than ten times as long as ONNX Runtime needs for everything; eight slices in one call take it less than twice as long as one. The engines gain nothing from a batch on one thread: eight slices take eight times as long.
# - 16 bits halve the time here, and 8 bits do *not* shorten it. Of those in a moment.
#
# ### Eight bits
#
# Weights and activations of 32 bits can be rounded to 8 (**quantization**) {cite:p}`jacob2018quantization`. The file becomes smaller, and on some processors the network becomes faster. *Static*: the ranges are found once, from training slices. *Dynamic*: each call finds its own.

# %%
train = load_dataset("phantom").train
eight = onnx_engine(quantize(network.path, folder / "static.onnx", "static", train.images[::16]))
changed = eight(validation.images).argmax(axis=-1) != network.predict(validation.images).argmax(axis=-1)
print("fewer than one pixel in a thousand changes:", bool(changed.mean() < 0.001), " none does:", not changed.any())

# %% [markdown]
# That number cannot tell us whether a nodule was lost: a nodule is only a few pixels. So eight bits are judged as any other network would be, by the Dice per patient, on patients that nobody has used, paired, and by a look at those who change most. First how it is done, with our seven validation patients:

# %% tags=["nbval-ignore-output"]
from unet_helpers.evaluation import dice_by_patient

engines = {"32 bits": network.predict, "8 bits": eight}
scores = {name: dice_by_patient(run(validation.images).argmax(axis=-1), validation, 2) for name, run in engines.items()}
nodules = pd.DataFrame(scores, index=validation.patients)
nodules.assign(difference=nodules["8 bits"] - nodules["32 bits"]).round(3)

# %%
difference = (nodules["8 bits"] - nodules["32 bits"]).dropna()
assert len(difference) >= 5 and difference.abs().mean() < 0.2

# %% [markdown]
# Seven are too few, and they have been looked at often. `benchmarks/deploy.py` has asked more of them, new ones. The Dice of the nodules in 8 bits minus that in 32 bits, with a 95 % interval over patients, and the pieces called nodule that were lost and gained:

# %%
eight_bits = measured["int8"]["kinds"]
columns = [
    f"nodule_{part}" for part in ("difference", "difference_low", "difference_high", "pieces_lost", "pieces_gained")
]
print(f"{measured['int8']['patients']} patients, each with a nodule; the two who change most:")
for kind, row in eight_bits.items():
    first, second = (f"{one['before']:.2f} → {one['after']:.2f}" for one in row["nodule_most_changed"][:2])
    print(f"{kind}: {first}, {second}")
counted = {"nodule_pieces_lost": int, "nodule_pieces_gained": int}
pd.DataFrame(eight_bits).T[columns].astype(float).astype(counted).rename(columns=lambda name: name.replace("_", " "))

# %% tags=["remove-cell"]
assert measured["int8"]["patients"] == 24 and all(row["nodule_patients"] == 24 for row in eight_bits.values())
for row in eight_bits.values():
    assert (
        abs(row["nodule_difference"]) < 0.005 and row["nodule_difference_low"] > -0.02 < row["nodule_difference_high"]
    )
    assert row["nodule_difference_low"] < 0 < row["nodule_difference_high"] < 0.02
    assert any(abs(one["after"] - one["before"]) > 0.03 for one in row["nodule_most_changed"])
    assert 0.0001 < row["share_of_pixels"] < 0.001

# %% [markdown]
# On average these patients show no loss: the difference is a few thousandths, and the interval lies within two hundredths. A single patient is another matter: the Dice of one nodule changes by several hundredths, and small pieces come and go. Somebody has to look at these before it goes out.
#
# And the time? In the table above, on one thread, 8 bits take *longer* than 32 in every turn: a network as small as this one spends more on rounding than it saves. Measure it on the processor on which it is going to run.

# %% [markdown]
# ## DICOM in, DICOM out
#
# A hospital sends no arrays. A scanner sends a **series**: a file for each slice, in any order, with a header that says whose it is, where it lies, and how its stored numbers become HU. The phantom plays the scanner.

# %%
import pydicom

from unet_helpers.deployment import write_phantom_series

series = folder / "series"
files = write_phantom_series(series, patient)
header = pydicom.dcmread(files[0])
for key in ("PatientID", "Modality", "PixelSpacing", "ImagePositionPatient", "RescaleSlope", "RescaleIntercept"):
    print(f"{key}: {header[key].value}")

# %% [markdown]
# File names say nothing about the order; positions do. `segment_series` sorts the slices, reads HU, takes the window and the size that the network's own file names, and gives a mask in the grid of the series, from the feet to the head:

# %%
from unet_helpers.deployment import segment_series

mask = segment_series(network, series)
scores = {name: round(dice(patient.masks[::-1] == k, mask == k), 1) for k, name in ((1, "lung"), (2, "nodule"))}
print(mask.shape, scores)

# %% [markdown]
# Out go two files that an archive stores beside the images if it takes such objects (its *conformance statement* says so; ask as well whether the reader's viewer shows them): a **segmentation** (DICOM SEG), written with highdicom {cite:p}`bridge2022highdicom`, and a **structured report** (SR) with the numbers.

# %%
from unet_helpers.deployment import write_report, write_segmentation

about = network.about
segmentation = write_segmentation(mask, series, folder / "segmentation.dcm", about)
written = pydicom.dcmread(segmentation)
for part in written.SegmentSequence:
    code = part.SegmentedPropertyTypeCodeSequence[0]
    print(part.SegmentNumber, part.SegmentLabel, f"{code.CodingSchemeDesignator} {code.CodeValue} {code.CodeMeaning}")

# %% [markdown]
# A class is no longer a 2 in an array but a word with a **code** that means the same in every hospital, and the file says which network made it, in which version. The report holds what a person wants to read, and says of itself that nobody has verified it:

# %% nbval_tolerance=0.1
from unet_helpers.deployment import read_report

report = write_report(mask, series, folder / "report.dcm", about, segmentation)
found = pd.DataFrame(read_report(report)).set_index("label").head(2)
found.astype(float).round({"volume_ml": 1, "diameter_mm": 0})

# %% [markdown]
# Does it lie where the patient lies? Not our own reader may answer that, since it could share a mistake with our writer. SimpleITK knows nothing of this package. It reads the images and the frames of the segmentation, and we draw one over the other by the places in the headers:

# %% mystnb={"figure": {"caption": "The images and the pixels of the segmentation, both read by SimpleITK. Each frame lies where its own header says."}, "image": {"alt": "Three chest slices, from the lower end of the lungs to the upper. In each the outline of the mask follows the lungs, and in the middle one a small nodule is outlined as well."}}
import SimpleITK as sitk

images = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series)))
frames = sitk.GetArrayFromImage(sitk.ReadImage(str(segmentation)))
over = np.zeros(images.GetSize()[::-1], "uint8")
directions = np.reshape(images.GetDirection(), (3, 3))[:, :2].T.ravel()  # of a row, and of a column
shared = written.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
assert np.allclose(directions, [float(cosine) for cosine in shared])
for frame, header in zip(frames, written.PerFrameFunctionalGroupsSequence):
    place = [float(mm) for mm in header.PlanePositionSequence[0].ImagePositionPatient]
    number = header.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    column, row, k = images.TransformPhysicalPointToIndex(place)
    assert (column, row) == (0, 0)  # the frame begins where its slice begins
    over[k][frame > 0] = number
shown = np.unique([0, int((over == 2).sum(axis=(1, 2)).argmax()), len(over) - 2])
gray = [window(sitk.GetArrayFromImage(images)[k], -600, 1500) for k in shown]
plotting.show_images(gray, [f"slice {k}" for k in shown], over[shown], ["", "lung", "nodule"])

# %% [markdown]
# It fits: lungs on lungs, and the nodule where we saw it first. (SimpleITK reads the pixels. The place and direction of each frame we took from the header with pydicom, because SimpleITK does not know this part of a segmentation; 3D Slicer and dcmqi do.)
#
# Scanners tilt, turn and sort as they like. Here are four ways to store one patient, each written, segmented, written as DICOM and read again:

# %%
from unet_helpers.files import read_segmentation

ways = {
    "as usual": {},
    "rows and columns turned": {"flip": (1, 2)},
    "slices from the feet": {"flip": (0,)},
    "tilted": {"tilt": 15},
}
rows = {}
for name, way in ways.items():
    write_phantom_series(folder / name, patient, **way)
    there = segment_series(network, folder / name)
    written_there = write_segmentation(there, folder / name, folder / f"{name}.dcm", about)
    back = read_segmentation(written_there, folder / name).array
    voxel = np.prod(patient.spacing) / 1000
    rows[name] = {
        "voxels that differ": int((back != there).sum()),
        "lung (l)": round(voxel * (there == 1).sum() / 1000, 1),
    }
pd.DataFrame(rows).T.astype({"voxels that differ": int})

# %% [markdown]
# Our own reader gets every voxel back, and the lungs have the same volume however the slices were stored. A mistake that our reader shares with our writer would survive this. So the tests of the package do it in more ways, read the files with pydicom and SimpleITK alone, and ask `dciodvfy`, a checker of the standard, which has nothing to say about them.
#
# **A good place for a break:** so far there was one series, and it was a good one. The second half receives whatever comes. Leave the notebook open, or run the cells above once more before you go on.
#
# ## What should not have come
#
# A rule in a hospital says "send chest CT to the worker", and sooner or later everything comes: an MR with a wrong label, the scout view, the dose report, a child's abdomen. A network has an answer to each, and that is the danger: it makes a mask of anything. So the worker looks before it segments, and refuses with a reason that is kept.

# %%
from unet_helpers.deployment import check_series

odd = {"MR": {"Modality": "MR"}, "scout": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}}
odd |= {"contrast": {"ContrastBolusAgent": "Iohexol"}, "abdomen": {"BodyPartExamined": "ABDOMEN"}}
odd |= {"coarse": {"PixelSpacing": [9, 9]}, "a slice is missing": {}, "the same series": {}}
for name, tags in odd.items():
    written = write_phantom_series(folder / name, patient, **tags)
    if name == "a slice is missing":
        sorted(written, key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])[3].unlink()
refusals = {name: check_series(folder / name, about) for name in odd}
for name, refusal in refusals.items():
    print(f"{name}: {refusal or 'accepted'}")

# %% [markdown]
# Each sentence names what is wrong and what to do about it. In a clinic a refusal must reach a person, too: no result is not "no nodule". And a header is only what somebody has set: a chest CT whose header says nothing of contrast may have it all the same. The watch further down sees some of that.
#
# ## A real archive
#
# In a hospital the images live in an archive (PACS). We run one: **Orthanc** {cite:p}`jodogne2018orthanc`, a DICOM server that hospitals use, if it is installed on this machine (`apt install orthanc` under Debian and Ubuntu); otherwise a small archive of pynetdicom plays its part. It listens on the loopback alone, in a folder of its own, and ends with the block. A study takes this route:
#
# 1. somebody sends the series to the archive;
# 2. the archive sends it on to our **receiver**, which puts it into the **spool**, a folder as a queue;
# 3. the **worker** takes the oldest series that is complete, segments it, and sends both results to the archive;
# 4. a person finds them there, beside the images.
#
# Two machines need each other's title (*AE title*), address and port to do so. DICOM itself asks nobody for a password: use TLS, or a gateway, as soon as it leaves one machine.

# %%
from hashlib import sha256


def process(series, out):
    """What the worker does with a series: refuse it, or write two results into the folder ``out``."""
    if refusal := check_series(series, about):
        return {"state": "refused", "kind": refusal.kind, "reason": refusal.reason}
    mask = segment_series(network, series)
    written = write_segmentation(mask, series, out / "seg.dcm", about)
    write_report(mask, series, out / "report.dcm", about, written)
    return {"state": "done", "version": about.version, "mask_sha256": sha256(mask.tobytes()).hexdigest()}


# %% [markdown]
# Then the study takes this route. After it the scanner sends the same series once more, and an abdomen comes that should not have come.

# %%
from time import monotonic

from unet_helpers.deployment import Spool, Worker, open_archive, receive, send_files

spool = Spool(folder / "spool", quiet=1)
abdomen = write_phantom_series(folder / "abdomen of another", make_patient(0, index=104), BodyPartExamined="ABDOMEN")


def run_until(worker, done, seconds=300):
    """Work until ``done()`` is true; give up after some time."""
    ends = monotonic() + seconds
    worker.run(until=lambda: done() or monotonic() > ends)
    assert done(), "the archive did not get what it should within the time"


# %%
def in_archive(archive):
    kept = pd.DataFrame(archive.series())[["patient", "modality", "instances"]]
    return kept.sort_values(["patient", "modality"], ignore_index=True)


with receive(spool) as receiver, open_archive(folder / "archive", ("WORKER", receiver.port), quiet=1) as archive:

    def send(paths):
        send_files(paths, archive.port, archive.title)

    worker = Worker(spool, process, send)
    send(files)
    run_until(worker, lambda: len(archive.series()) == 3)
    first = in_archive(archive)
    send_files(files, receiver.port, "WORKER")  # the archive would not send it twice; a scanner may
    run_until(worker, lambda: len(spool.record.read()) == 2)
    send(abdomen)
    run_until(worker, lambda: len(spool.record.read()) == 3)
    second = in_archive(archive)
    worker.close()
first

# %% [markdown]
# The images, a segmentation and a report. And this is what the worker wrote down, and what the archive held in the end:

# %%
for decision in spool.record.read():
    print(decision["state"], "-", decision.get("reason", "two results"))
second

# %% [markdown]
# The second sending changed nothing: the same images are the same job. The abdomen was refused with its reason, and of it the archive holds the images alone.
#
# ### Exercise 13.3: complete, and once
#
# Images arrive one by one, series mixed, some of them twice. Write `to_segment(arrivals, done)`: the series that are complete and not yet done, each once, in the order in which they became complete. An arrival is a dictionary such as `{"series": "a", "instance": "a1", "of": 3}`: image a1 of series a, which has three images. `done` is a list of series.
#
# <details><summary>Hint 1</summary>
#
# Three arrivals of a series with three images: is it complete? Not if one of them came twice. What do you have to remember of each series: how many came, or which?
#
# <details><summary>Hint 2</summary>
#
# Go through the arrivals in order, with a dictionary from each series to the *set* of its instances. Whenever the set has as many as `of` says, and the series is neither in `done` nor in your answer, append it.
#
# </details>
# </details>


# %%
def to_segment(arrivals, done):
    return ...


check.to_segment(to_segment)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def to_segment(arrivals, done):
    seen, ready = {}, []
    for one in arrivals:
        seen.setdefault(one["series"], set()).add(one["instance"])
        if len(seen[one["series"]]) == one["of"] and one["series"] not in [*done, *ready]:
            ready.append(one["series"])
    return ready


check.to_segment(to_segment)

# %% [markdown]
# A function that may be called twice with the same and does no harm the second time is called **idempotent**. The images of a series do not have to say how many there are, so the real spool waits until nothing has come for some seconds, and takes up a series again if more of it comes.
#
# ### Killed in the middle
#
# Power fails, memory runs out, somebody updates the machine: a worker can end at any moment. So files get their names only when they are whole, a job that was begun and not ended is begun again, and results are sent *before* they are written down as sent. A kill in between sends them twice, which does little harm: the same series and the same network give the same identifiers, and most archives keep one (ask yours). `benchmarks/deploy.py` tries it under load, with `kill -9`, which leaves a program no time to clean up:

# %%
kills = measured["kills"]
print(f"{kills['sent']} series in {kills['deliveries']} deliveries; the worker was killed {kills['kills']} times,")
print(f"{kills['in_work']} times while one was in work: {kills['done']} segmented, {kills['refused']} refused,")
print(f"{kills['failed']} failed, {kills['lost']} lost, {kills['doubled']} doubled; archived {kills['in_archive']}")

# %% tags=["remove-cell"]
assert kills["lost"] == kills["doubled"] == kills["failed"] == 0 < kills["in_work"]

# %% [markdown]
# Every eighth series was an MR, and refused. A test of the package does the same with fewer kills, each time it is run.
#
# ## Watch it after it starts
#
# From now on nobody draws masks, so no Dice will tell when it gets worse. What can be watched is what goes *in*; and of what comes out, the ml of lung, the findings per study, and how often a reader corrects a mask. (A few studies a month, drawn by a reader, give a Dice again.) [Notebook 09](09_domain_shift_and_transfer.ipynb) has shown what another scanner does; would we have noticed? Here are some numbers that a scanner changes for all of its patients at once, for patients of the phantom before and after a protocol was changed. Before, some were reconstructed with the sharp kernel; after it, all are (`noise` is a logarithm, `grain` what a sharper kernel changes, `soft` and `air` are HU, `pixel` and `slice` mm):

# %%
from dataclasses import replace

from unet_helpers.deployment import Watch, input_statistics


def statistics(index, **changes):
    new = make_patient(6, index=index, size=64, slices=3)
    if changes:
        new = make_patient(6, index=index, size=64, slices=3, acquisition=replace(new.acquisition, **changes))
    return input_statistics(new.volume, new.spacing)


known = [statistics(index) for index in range(60)]
coming = [statistics(index) for index in range(60, 80)]
coming += [statistics(index, kernel="sharp") for index in range(80, 100)]
means = {"known": known, "before the change": coming[:20], "after it": coming[20:]}
pd.DataFrame({name: pd.DataFrame(rows).mean() for name, rows in means.items()}).round(1)

# %% mystnb={"figure": {"caption": "The noise of 40 studies in the order in which they came. Gray: where the middle 95 % of the known studies lie. At the line the protocol was changed."}, "image": {"alt": "Dots over the number of the study, and a gray band from about 8 to 23 HU. Of the first twenty, most lie near 9 and some near 20; the next twenty all lie between 17 and 26, a few of them above the band."}}
reference, noise = (np.exp(pd.DataFrame(rows)["noise"]) for rows in (known, coming))
low, high = reference.quantile([0.025, 0.975])
with plotting.figure(width=5.2, height=2.6) as (fig, axes):
    axes[0, 0].axhspan(low, high, color="#dddddd")
    axes[0, 0].plot(noise, "o", color="#0072b2", markersize=4)
    axes[0, 0].axvline(19.5, color="black", linewidth=1)
    axes[0, 0].set(xlabel="study", ylabel="noise (HU)")
fig

# %% [markdown]
# Of the single studies few are unusual: there were such before. Their mean is. The mean of several studies varies less than a single one, by the root of their number.
#
# ### Exercise 13.4: when does it ring?
#
# Write `rings(reference, recent)`: one measure of the known studies and of the recent ones, two arrays. It is true if the mean of the recent studies lies more than three standard errors away from the mean of the known ones, above or below. The standard error is the standard deviation of the *known* studies, divided by the root of the number of *recent* ones. (If there are few known studies, their own mean is uncertain as well; the `Watch` below counts that, too.)
#
# <details><summary>Hint 1</summary>
#
# Which three numbers do you need: two means, and what else? Why should the scatter of the known studies be the yardstick, and not that of four recent ones?
#
# <details><summary>Hint 2</summary>
#
# The error is the `std()` of the known studies over the root (`np.sqrt`) of how many recent ones there are. Then ask whether the distance of the two means, which `abs` makes positive, is more than three of it.
#
# </details>
# </details>


# %%
def rings(reference, recent):
    return ...


check.rings(rings)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def rings(reference, recent):
    error = reference.std() / np.sqrt(len(recent))
    return abs(recent.mean() - reference.mean()) > 3 * error


check.rings(rings)

# %%
before, after = noise[:20].to_numpy(), noise[20:].to_numpy()
print("before the change:", bool(rings(reference.to_numpy(), before)))
print("after it:", bool(rings(reference.to_numpy(), after)))

# %% [markdown]
# An alarm that rings for nothing is soon switched off by somebody. With several measures and a look after every few studies, chance has many tries, so the `Watch` of the package sets its limit by the known studies themselves: it draws many windows of them, and takes the limit that only a stated share exceeds, here one of a hundred.

# %%
watch = Watch.learn(known, window=20)
judged = watch.judge(coming)
for one in judged:
    print(f"studies {one.first} to {one.last}: alarm {one.alarm}{f', for {one.statistic}' if one.alarm else ''}")

# %% [markdown]
# The alarm rings in the window after the change, so after 20 studies. It rings for the grain, which is what a sharper kernel changes. (Had the protocol changed in the middle of a window, it might have taken up to 39.) A limit that was set on 60 studies is itself uncertain; take 200 or more, and count the false alarms on an unchanged scanner before you rely on it. `benchmarks/deploy.py` has done so:

# %%
drift = pd.DataFrame(measured["drift"]["streams"]).T.rename(columns={"windows": "looks", "rang_for": "rang for"})
drift["rang for"] = drift["rang for"].str.join(", ")
drift

# %% tags=["remove-cell"]
assert (drift.loc["unchanged", "studies"], drift.loc["unchanged", "looks"]) == (1000, 50)
assert drift.loc["unchanged", "alarms"] == 0 == drift.loc["slices of 1 mm instead of 2 to 5", "alarms"]
others = drift.drop(index=["unchanged", "slices of 1 mm instead of 2 to 5"])
assert (others["looks"] == 5).all() and (others["alarms"] >= 4).all()

# %% [markdown]
# A thousand unchanged studies are 50 looks, and at a rate of one in a hundred half a false alarm was to be expected. None came. That does not show that the rate is one in a hundred: with 50 looks it may still be as much as 6 % (three divided by the number of looks is a good rule when nothing was seen). Of the changes, three are found, and **thinner slices are not**: none of these six numbers sees them as long as the slices lie equally far apart. A watch sees what it measures, and nothing else.
#
# ### The record, and the way back
#
# Each decision is written down with the version of the network and a checksum of what went in and what came out. So it can be played back: the same input, the same network, the same mask?

# %%
from unet_helpers.deployment import replay

played = replay(spool, process)
print([(decision["state"], bool(same)) for decision, same in played])

# %% [markdown]
# If masks become worse after an update, first go back and then search; so going back must be one step, which somebody has tried before. (If the watch rings without an update, going back mends nothing: the scanner has changed. Tell the readers, and stop the service if need be.)
#
# ### Exercise 13.5: which version serves?
#
# A log holds events in order: `"install 1.1"` puts a version to work, `"roll back"` takes the working version back, and the one that served before it serves again. With nothing before it, the first version stays. Write `serving(log)`: the version at the end of the log, as text.
#
# <details><summary>Hint 1</summary>
#
# Play `install 1.0, install 1.1, roll back, install 1.2, roll back` on paper. Which versions could still come back after each event?
#
# <details><summary>Hint 2</summary>
#
# A list as a stack: an install appends, a roll-back removes the last one, unless only one is left. The answer is the last of the list.
#
# </details>
# </details>


# %%
def serving(log):
    return ...


check.serving(serving)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def serving(log):
    stack = []
    for event in log:
        if event == "roll back":
            stack = stack[:-1] or stack
        else:
            stack.append(event.removeprefix("install "))
    return stack[-1]


check.serving(serving)

# %% [markdown]
# In the package, a small file points to the network that works, and `roll_back` moves the pointer. Here the "new version" is the network in eight bits:

# %%
from unet_helpers.deployment import add_model, current_model, roll_back

models = folder / "models"
add_model(models, network.path)
former = current_model(models).name
add_model(models, folder / "static.onnx")
new = current_model(models).name
roll_back(models)
print("another one:", new != former, " back again:", current_model(models).name == former)

# %% [markdown]
# ## What else a clinic asks
#
# Before a program may be used beside a patient, somebody has to answer these questions, in writing.
#
# **What is it for, and for whom?** The *intended use* is one sentence: which finding, in which images, of which patients, read by whom, to decide what. Everything else is outside of it. `check_series` is the part of this sentence that a program can hold: it knows modality, body part, contrast and spacing. It could ask for the patient's age, and does not; and it cannot see that a lung was operated on.
#
# **What does a reader get to see of it?** A *model facts label* {cite:p}`sendak2020label` is one page, for the people who use the result. For the network of this chapter:
#
# | | |
# |---|---|
# | **Purpose** | outlines lungs and nodules in CT slices of the chest; **for teaching, on synthetic patients; for no patient** |
# | **Made from** | 34 synthetic patients of one simulated scanner ([model card](../book/ethics_and_model_card.md)) |
# | **Takes** | axial CT of the chest, with the window and the spacing that are in its file; a scan with a contrast agent is refused, because nobody has measured how good the network is there |
# | **How good** | Dice on seven validation patients, on average: lung 0.99, nodule 0.45 (95 % interval 0.03 to 0.88); it misses small and faint nodules without any sign of doubt ([notebook 12](12_uncertainty_and_calibration.ipynb)) |
# | **Do not use** | for real patients; as the only reader; to exclude a nodule |
# | **Who to call** | in a clinic: a name and a number |
#
# **Who checks?** Say who looks at each result, when, and what that person can do about it. If nobody can correct a mask, people will trust it blindly or ignore it.
#
# **Automation bias.** People who are shown a suggestion follow it when it is wrong, and look less hard where it shows nothing {cite:p}`goddard2012automation`. So measure the person *with* the program, and not the program alone; and show the images before the mask.
#
# **What do the law and its offices call it?** As of November 2026, and no legal advice; look up what has changed since.
#
# - In the European Union, software with a medical purpose is a medical device under Regulation (EU) 2017/745 {cite:p}`eu2017mdr`. By its rule 11, software that gives information for decisions on diagnosis or therapy is in class IIa or higher, so a notified body has to look at it.
# - The AI Act, Regulation (EU) 2024/1689 {cite:p}`eu2024aiact`, also makes such a device a *high-risk AI system*, with duties on data, records, human oversight and accuracy. A regulation of July 2026 {cite:p}`eu2026omnibus` moved the day on which they begin for medical devices from August 2027 to 2 August 2028.
# - In the United States, the Food and Drug Administration (FDA) has cleared such programs mostly as devices of class II. A network that is going to be trained again can have its changes agreed on beforehand, in a *predetermined change control plan* {cite:p}`fda2024pccp`.
# - A hospital that writes its own program and uses it on its patients is not outside of all this (in the European Union, Article 5(5) of the regulation on devices says what it must do). Ask the office for medical devices, the ethics board and the data protection officer before the first patient, and not after.
#
# **What leaves the machine?** Here nothing: the archive, the worker and the notebook talk over the loopback of one machine. The record names studies by a number, without names. A line of a log with a name in it is a copy of a patient's data that nobody thinks of when they are to be deleted. But the spool keeps whole studies, with all that is in their headers, so that decisions can be played back: say who deletes them, and when.
#
# ## Bigger than one machine
#
# One worker takes one series after the other. How many workers does a load need? Several workers on one machine share its cores, so measure what two of them finish there before you count on twice as much. On two cores, each worker with one thread, all with one spool:

# %%
table = pd.DataFrame(measured["workers"]["table"]).set_index("workers")
table.rename(columns={"series_per_second": "series per second", "times_one": "times as much as one worker"})

# %% tags=["remove-cell"]
assert measured["workers"]["cores"] == 2
assert 1.1 < table.loc[2, "times_one"] < 1.9 and table.loc[3, "times_one"] < table.loc[2, "times_one"] + 0.15

# %% [markdown]
# The second worker brings less than a second core could: the two share more than the cores, such as disk and memory. Why exactly, this table does not say. The third finds no core of its own, and brings nothing more. (The series are small; the numbers are for comparison with one another.)
#
# For more machines there is a **model**. Studies come at random, each keeps a worker busy for some time, and whoever finds all workers busy waits. For random times of both kinds the mean wait has been known since 1917 (Erlang's formula):

# %%
from math import factorial


def mean_wait(per_second, seconds, workers):
    load = per_second * seconds  # workers that are busy on average
    if load >= workers:
        return np.inf  # more comes in than goes out: the queue grows without end
    full = load**workers / factorial(workers) / (1 - load / workers)
    busy = full / (sum(load**k / factorial(k) for k in range(workers)) + full)  # the share that finds no free worker
    return busy * seconds / (workers - load)


# %% mystnb={"figure": {"caption": "A model, with an assumed 30 seconds per study: minutes of waiting over the studies of an hour. A line leaves the figure shortly before the load at which that many workers can no longer keep up."}, "image": {"alt": "Four curves of the mean waiting time over the studies per hour, for one, two, four and eight workers. Each stays near zero for a while, then rises ever more steeply and leaves the figure: one worker shortly before 120 studies an hour, two before 240, four before 480, eight before 960."}}
hourly = np.arange(10, 960, 10)
waits = {f"{w} worker{'s' * (w > 1)}": [mean_wait(n / 3600, 30, w) / 60 for n in hourly] for w in (1, 2, 4, 8)}
with plotting.figure(width=5.2, height=3) as (fig, axes):
    for (name, minutes), style in zip(waits.items(), ("-", "--", "-.", ":")):
        axes[0, 0].plot(hourly, minutes, style, label=name)
    axes[0, 0].set(xlabel="studies per hour", ylabel="mean wait (minutes)", ylim=(0, 5))
    axes[0, 0].legend(frameon=False, loc=(0.62, 0.45))
fig

# %% [markdown]
# The wait grows out of bounds *before* the workers are fully busy: at nine tenths of its capacity a single worker lets a study wait nine times as long as it takes. (If all studies take equally long, half of that.) Plan for the busiest hour, with room. And two workers with twice the load let a study wait 4.3 times as long as it takes, not nine times, because they even out what chance brings together.

# %% tags=["remove-cell"]
assert round(mean_wait(0.9 / 30, 30, 1) / 30, 1) == 9.0 and round(mean_wait(1.8 / 30, 30, 2) / 30, 1) == 4.3
recorded = json.loads((RESULTS / "phantom_checkpoint.json").read_text(encoding="utf-8"))["results"]
shown = [round(recorded[f"{name}"], 2) for name in ("lung_dice", "nodule_dice", "nodule_dice_low", "nodule_dice_high")]
assert shown == [0.99, 0.45, 0.03, 0.88] and recorded["validation_patients"] == 7

# %% [markdown]
#
# Where one machine is not enough, the parts stay the same, and others keep them alive:
#
# - several of the same workers beside one archive, as containers (below);
# - a **serving engine**, which holds the network for all workers, combines their slices into batches and knows the GPU: NVIDIA Triton reads the ONNX file as it is; KServe starts and stops such engines by load, and Ray Serve does so with copies of a network of its own;
# - a dedicated queue (RabbitMQ, Redis) in place of the folder, where several machines share the work.
#
# The files below are a beginning for another machine. **They have not been run.** The window, the resizing and DICOM stay in the worker, which would have to ask Triton in place of ONNX Runtime.
#
# ```yaml
# # compose.yaml: an archive, one that receives, and workers beside it: docker compose up --scale worker=2
# services:
#   archive:
#     image: orthancteam/orthanc  # name a version, so that it stays the same
#     environment:
#       ORTHANC__DICOM_MODALITIES: '{"worker": ["WORKER", "127.0.0.1", 11112]}'
#       ORTHANC__LUA_SCRIPTS: '["/forward.lua"]'  # FORWARD in unet_helpers/deployment/archive.py
#       ORTHANC__REGISTERED_USERS: '{"reader": "a password"}'
#     ports: ["127.0.0.1:4242:4242", "127.0.0.1:8042:8042"]  # loopback: open to nobody else
#     volumes: ["archive:/var/lib/orthanc/db", "./forward.lua:/forward.lua:ro"]
#   receiver: &worker
#     image: unet-worker  # Python 3.12, and pip install of this package
#     network_mode: "service:archive"  # one loopback for all
#     command: python -m unet_helpers serve /spool --model /models --archive 127.0.0.1:4242:ORTHANC --port 11112
#     restart: always  # whoever was killed begins again where the spool says
#     volumes: ["spool:/spool", "./models:/models:ro"]  # models: a folder of add_model
#   worker:
#     <<: *worker
#     command: python -m unet_helpers serve /spool --model /models --archive 127.0.0.1:4242:ORTHANC
# volumes: {archive: {}, spool: {}}
# ```
#
# ```
# # models/unet/config.pbtxt: Triton, with the ONNX file as models/unet/1/model.onnx, which tells it inputs and outputs
# backend: "onnxruntime"
# max_batch_size: 32
# dynamic_batching { max_queue_delay_microseconds: 5000 }
# instance_group [ { count: 2, kind: KIND_CPU } ]
# ```
#
# And run the gate again: after every change of engine, processor or version, send the golden study through.

# %% [markdown]
# ## Take-aways
#
# - Most bugs are in the lines around the network, and a Dice of the validation does not see them. A golden study that goes through the whole chain does, if somebody compares mask, geometry, patient and names.
# - Parity before speed: count the pixels that differ from the program of the training, on all validation patients, for each engine, each processor and each version.
# - "Real time" is a budget: who waits, for how long, how often may it be late. Plan with p95.
# - Eight bits make the file small. Whether they make it fast depends on the processor and the network, and whether they keep the nodules is measured on patients.
# - A result is DICOM with coded classes, the geometry of its series and the name of its network. Have somebody else's reader draw it over the images.
# - Receive as if everything came twice, in pieces, and in the middle of a crash; refuse what the network never saw, with a reason that is kept.
# - After the start nobody draws masks. What can be watched is what goes in, and each watch rings for nothing now and then: count how often.
# - A queue grows long before the workers are fully busy.
# - None of this makes a medical device. That takes an intended use, people who check, evidence on patients, and the law's consent.
#
# ## Questions to test yourself
#
# 1. After an update of the engine, 0.03 % of all pixels differ. May it go out?
#
#    - A. Yes, 99.97 % are equal.
#    - B. Nobody can say before the pixels are looked at class by class and patient by patient.
#    - C. No, masks must be equal to the pixel.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** In a slice of 128×128 these are five pixels. They may be ties along the outline of a lung, or a nodule.
# - **Not A:** the background is in this number, and it hides everything else.
# - **Not C:** another order of adding up moves a tie. What cannot be explained by ties must be.
#
# </details>
#
# 2. A mask comes back mirrored, left and right. The Dice of the validation is 0.98 as before. Why?
#
#    - A. The validation runs in the program of the training, and the bug is outside of it.
#    - B. The lungs are nearly symmetric.
#    - C. A Dice of 0.98 allows for two percent of errors, and this is one of them.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** It never sees the lines that wrote the file.
# - **Not B:** they are less symmetric than one thinks, and a mirrored mask would cost much more than that.
# - **Not C:** a mirrored mask is wrong in every slice.
#
# </details>
#
# 3. A program needs 20 ms for nine of ten images and 90 ms for the tenth. A video brings 30 images a second. Is it fast enough?
#
#    - A. Yes, the mean is 27 ms.
#    - B. Yes, the median is 20 ms.
#    - C. No, every tenth image comes too late.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** There are 33 ms for each. p95 is 90 ms: good for 11 images a second. If late images are dropped, every tenth is lost; if they wait in line, each delays the next four, and half come late.
# - **Not A:** the mean is below 33 ms, and still every tenth image takes 90.
# - **Not B:** the median says nothing about the slow half.
#
# </details>
#
# 4. A worker writes down "done" and then sends its result. It is killed between the two. What happens, and what is better?
#
# <details><summary>Answer</summary>
#
# The study is lost: the book says done, and no result was sent. Send first and write down after; then a kill in between sends the result twice, which does little harm if both copies have the same identifiers, because most archives keep one.
#
# </details>
#
# 5. The alarm of a measure rings at three standard errors, which thousands of known studies have set, and is looked at once a day for two years. The scanner never changes. How often does it ring?
#
#    - A. Never, as nothing has changed.
#    - B. About twice.
#    - C. About three times of a hundred.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** By chance 0.27 % of such means lie further away: of 730 looks two, if the looks are independent and the measure is like a bell.
# - **Not A:** chance alone moves a mean, and now and then it moves it far.
# - **Not C:** about three of a *thousand*.
#
# </details>
#
# 6. One worker needs 30 seconds for a study, and 108 studies come in an hour. What is right?
#
#    - A. It is enough: the worker is busy nine tenths of the time.
#    - B. It is not enough: studies wait four and a half minutes on average.
#    - C. It is not enough: the queue grows without end.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** By the formula the mean wait is 30 s · 0.9 / 0.1. Two workers would bring it below ten seconds.
# - **Not A:** the free tenth of the time comes at moments when nobody waits.
# - **Not C:** that begins at 120 studies an hour.
#
# </details>
#
# ## Read more
#
# - Sculley and others (2015) {cite:p}`sculley2015debt`: the network as the smallest box in the figure of a system.
# - Bridge and others (2022) {cite:p}`bridge2022highdicom`: segmentations and reports in DICOM, with code.
# - Jodogne (2018) {cite:p}`jodogne2018orthanc`: an archive that runs on a laptop.
# - Jacob and others (2018) {cite:p}`jacob2018quantization`: how a network computes in eight bits.
# - Feng and others (2022) {cite:p}`feng2022monitoring`: watching and changing a model after its start, seen from quality control.
# - Sendak and others (2020) {cite:p}`sendak2020label`: the model facts label.
# - The words of this page are in the [glossary](../book/glossary.md).

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


def run_elsewhere(slope=0.5, level=-600, width=1500, upside_down=False):
    images = window(stored * slope - 1024, level, width)[..., np.newaxis]
    masks = predict_masks(model, images)
    affine = np.diag([-patient.spacing[2], -patient.spacing[1], patient.spacing[0], 1])
    found = {"mask": masks[:, ::-1] if upside_down else masks, "affine": affine}
    return {**found, "patient": patient.patient_id, "classes": {1: "lung", 2: "nodule"}}


# %% mystnb={"figure": {"caption": "One patient, one network, seven programs around it. The first is right. Of the six with a bug, three can be seen here."}, "image": {"alt": "Seven pictures of the same chest slice with a mask. Right: two lungs outlined, and a small nodule in one of them. Axis flipped: the outlines stand upside down over the slice and do not fit. Slope ignored: the lungs are smaller and ragged, with patches of nodule along their outlines. Another window: most of the lungs is missing. Classes exchanged, orientation dropped, another patient: the same picture as the first."}}
results = {"right": run_elsewhere(), "axis flipped": run_elsewhere(upside_down=True)}
results |= {"slope ignored": run_elsewhere(slope=1), "another window": run_elsewhere(level=40, width=400)}
right = results["right"]
results["classes exchanged"] = {**right, "classes": {1: "nodule", 2: "lung"}}
results["orientation dropped"] = {**right, "affine": np.diag([*patient.spacing[::-1], 1])}
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
# **You need before:** windows and spacing ([notebook 02](02_preprocessing.ipynb)); Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)). Helpful: another scanner ([notebook 09](09_domain_shift_and_transfer.ipynb)).
#
# **Minutes:** 80 to read, with five exercises, 2 to run on two cores. A break is marked in the middle.
#
# **The misconception it removes:** "The network is validated, so using it elsewhere is a matter of copying a file."
#
# </div>

# %% [markdown]
# The network is the same in all seven pictures, to the last weight, and so is its validation. What differs is the few lines around it. The last three pictures look right: their masks *are* right. But in one the lung is called a nodule, in one the mask lies mirrored in the patient, and in one it lies in the wrong patient.
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
# Before anybody asks how fast it is, we ask whether it is still the same network. All validation patients, every pixel:

# %%
from unet_helpers.deployment import compare_networks

validation = load_dataset("phantom").validation
parity = compare_networks(model, network, validation.images, validation.patient_ids)
print("every pixel the same, or a tie that rounding decides:", parity.passed)
assert parity.differ <= 10 and parity.largest < 1e-3

# %% [markdown]
# Two engines add up in another order, so the probabilities differ in the sixth digit. A mask changes only where two classes are as probable as each other; such a pixel is *explained*. Any other is a bug.
#
# The benchmark of this chapter asked the same of other engines (`benchmarks/deployment.py`; **int8** stores the weights in 8 bits, of which more below):

# %%
import json

import pandas as pd

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "deployment.json").read_text())["results"]
rows = pd.DataFrame(recorded["parity"]["engines"]).T
print(f"{recorded['parity']['pixels']:,} pixels of {recorded['parity']['slices']} validation slices")
rows.astype({"pixels_that_differ": int, "slices_that_differ": int})

# %% [markdown]
# PARITY_READING
#
# ### Exercise 13.1: the gate
#
# Parity holds the network. The other bugs of the first picture are around it. So keep one **golden study**, of which the right result is known, send it through the whole chain after every change, and let a gate compare what comes back.
#
# A study is a dictionary: `"mask"` `(D, H, W)`, `"affine"` 4×4, `"patient"`, and `"classes"`, the name of each number. Write `gate(golden, found)`, which returns the list of the keys that are wrong, empty if nothing is. The mask is right if it has the same shape and *each* class of `golden["classes"]` has a Dice of at least 0.99; a class that neither of the two masks has is right as well. The affine is right up to rounding.
#
# <details><summary>Hint 1</summary>
#
# A nodule has 60 of 131,072 pixels. Which of these notices that it is lost: the share of equal pixels, the Dice of everything that is not background, the Dice of each class? And what is the Dice of a class that neither mask has?
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
stopped = {name: gate(right, found) for name, found in results.items()}
keys = ["mask", "affine", "patient", "classes"]
pd.DataFrame({name: ["stops" if key in by else "" for key in keys] for name, by in stopped.items()}, index=keys).T

# %% [markdown]
# No single gate catches more than half of them. And no Dice of a validation can: it is computed in the program of the training, where the lines around the network were right.
#
# The golden study must not be symmetric. One whose two lungs are mirror images passes when an axis is flipped, and one without a nodule passes when the nodule's class is lost.
#
# ## How fast is fast enough?
#
# Now the time. One call is no measurement: the first is slower, and some are slower for no reason that you can see. So call many times, and look at the whole of it.

# %% tags=["nbval-ignore-output"]
from unet_helpers.teaching.engines import milliseconds

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
# Images come one after the other at a fixed rate, and at least 95 of 100 must be done before the next one comes. Write `highest_rate(milliseconds)`: the times of many calls, an array, in; the highest rate in images per second out.
#
# <details><summary>Hint 1</summary>
#
# At 25 images a second, how many milliseconds are there for each? Which of the measured times must fit into them: the mean, the slowest, or another?
#
# <details><summary>Hint 2</summary>
#
# `np.percentile(milliseconds, 95)` is the time within which 95 of 100 are done. How many such times fit into the 1000 ms of a second?
#
# </details>
# </details>


# %%
def highest_rate(milliseconds):
    return ...


check.highest_rate(highest_rate)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def highest_rate(milliseconds):
    return 1000 / np.percentile(milliseconds, 95)


check.highest_rate(highest_rate)

# %%
assert 0.5 < highest_rate(spent) < 10_000

# %% [markdown]
# The benchmark measured by turns: every engine in a process of its own, one after the other, and again. **Cold** is the time from the start of Python to the first mask. (Times of a machine that does other things as well are what they are; what counts is the ratio to ONNX Runtime in the same turn, with its range over the turns.)

# %%
timed = pd.DataFrame(recorded["latency"]["engines"]).T
columns = {"cold_seconds": "cold (s)", "slice_p50_ms": "p50 (ms)", "slice_p95_ms": "p95 (ms)", "megabytes": "MB"}
table = timed[list(columns)].astype(float).round(1).rename(columns=columns)
table["slice / ONNX Runtime"] = ["{} ({}–{})".format(*ratios) for ratios in timed["slice_times_onnx"]]
table[table.index.str.contains("1 thread")]

# %% [markdown]
# LATENCY_READING
#
# What **real time** means depends on who waits. A scanner: the masks of a chest, 300 slices of 512×512, before the patient gets up, say in a minute. A reader who scrolls: 15 slices a second. A video, as in an intervention: 30 images a second. The measured network takes 512×512 as well as 128×128; here is p95 for a whole slice of a scanner against what there is time for:

# %%
need = {"scanner, 300 slices in a minute": 60_000 / 300, "reader who scrolls": 1000 / 15, "video": 1000 / 30}
p95 = timed["slice_512_p95_ms"].astype(float)
chosen = [f"{name}, {n} thread{'s' * (n > 1)}" for name in ("Keras, predict", "ONNX Runtime") for n in (1, 2)]
fits = {f"{name} ({ms:.0f} ms)": ["yes" if p95[row] <= ms else "no" for row in chosen] for name, ms in need.items()}
pd.DataFrame({"p95 (ms)": p95[chosen].round().astype(int).tolist(), **fits}, index=chosen)

# %% [markdown]
# BUDGET_READING
#
# ### Eight bits
#
# Weights and activations of 32 bits can be rounded to 8 (**quantization**). The file becomes smaller, and on some processors the network becomes faster. *Static*: the ranges are found once, from training slices. *Dynamic*: each call finds its own {cite:p}`jacob2018quantization`.

# %%
from unet_helpers.teaching.engines import onnx_engine, quantize

train = load_dataset("phantom").train
eight = onnx_engine(quantize(network.path, folder / "static.onnx", "static", train.images[::16]))
changed = eight(validation.images).argmax(axis=-1) != network.predict(validation.images).argmax(axis=-1)
print(f"about {100 * round(int(changed.sum()), -2) / changed.size:.2f} % of the pixels change")

# %% [markdown]
# That is little, and it says nothing. A nodule *is* a few pixels. So eight bits are judged as any other network would be: Dice per patient, on patients that nobody has used, paired, with an interval over patients. And by looking at those who change most.

# %%
keys = ("difference", "difference_low", "difference_high", "patients", "pieces_gained", "pieces_lost")
rows = {}
for kind, values in recorded["int8"]["kinds"].items():
    for name in ("lung", "nodule"):
        rows[f"{kind}, {name}"] = [values[f"{name}_{key}"] for key in keys]
pd.DataFrame(rows, index=["Dice, 8 − 32 bits", "its low end", "its high end", *keys[3:]]).T

# %%
worst = {f"{kind}, {one['patient']}": (one["before"], one["after"])
         for kind, values in recorded["int8"]["kinds"].items() for one in values["nodule_most_changed"]}  # fmt: skip
pd.DataFrame(worst, index=["nodule Dice, 32 bits", "8 bits"]).T

# %% [markdown]
# INT8_READING


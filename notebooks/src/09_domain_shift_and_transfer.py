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
# # 09 Domain shift and transfer
#
# What survives another scanner, and what does pre-training buy?

# %%
from dataclasses import replace

import numpy as np

from unet_helpers import load_checkpoint, load_dataset, plotting, predict_masks
from unet_helpers.data import subset_of_patients
from unet_helpers.phantom import Acquisition, make_patient

data = load_dataset("phantom")
model = load_checkpoint()


def scan(patient_ids, **changes):
    acquisition = replace(Acquisition(), **changes)
    return [make_patient(0, index=int(name[1:]) - 1, acquisition=acquisition) for name in patient_ids]


# %% mystnb={"figure": {"caption": "One patient, scanned four ways, and the first scan shown in another window. Top: ground truth. Bottom: the prediction of one and the same network."}, "image": {"alt": "Two rows of five pictures of the same chest slice: standard, low dose (grainy), motion (blurred edges), wide field (smaller), other window (soft parts gray in place of white). In the top row the ground truth is drawn over it, two lungs and a nodule. In the bottom row the prediction of one network follows the lungs in the first four pictures; in the fifth it leaves out the front tip of one lung and a wedge of the other beside the spine."}}
hits = (data.test.masks == 2) & (predict_masks(model, data.test.images) == 2)
best = hits.sum(axis=(1, 2)).argmax()
patient, z = data.test.patient_ids[best], int(data.test.case_ids[best][-2:])  # z: which of the patient's slices
ways = {"standard": {}, "low dose": {"photons": 1e3}, "motion": {"motion": 5.0}, "wide field": {"field_of_view": 500.0}}
shown = {name: subset_of_patients(scan([patient], **changes)) for name, changes in ways.items()}
shown["other window"] = subset_of_patients(scan([patient]), window=(-400, 2200))

slices = [one[z] for one in shown.values()]
images, truths = [one.images[0] for one in slices], [one.masks[0] for one in slices]
found = [predict_masks(model, one.images)[0] for one in slices]
plotting.show_images(images * 2, [*shown, *["predicted"] * 5], truths + found, data.class_names, columns=5, panel=1.3)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - measure what each cause of a domain shift costs, on the same patients, with an interval,
# - say which shifts a training set covers already, and which can be undone before the network sees the image,
# - choose augmentation for a shift that you expect, and test whether it helped,
# - give batch normalization the averages of new scans, and say when that does harm,
# - fine-tune a trained network on a few new patients, freeze a part of it, and see what it forgets,
# - put a network made for photographs into the contracting path of a U-Net.
#
# **You need before:** Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)); what a training is ([notebook 04](04_gpu_training.ipynb)).
#
# **Minutes:** 85 to read, with four exercises, 4 to run on two cores. A break is marked where the remedies begin: about 35 minutes before it, and 50 after it.
#
# **The misconception it removes:** "Dice 0.9 on the test set means Dice 0.9 in the next hospital."
#
# </div>

# %% [markdown]
# This is one patient, with one anatomy and one set of lungs. Only the way to the picture differs: the number of photons, a movement during the gantry rotation, the width of the picture, the window. The network has been told of none of it. It sees gray values, and it has learned what lungs look like in the pictures *it was given*. Which of the four changes would you have feared most?
#
# A difference between the data that a model meets and the data it was trained on is called a **domain shift**. It has many causes, and with real patients they come together: another hospital has another scanner, another protocol *and* other patients. Here they can be taken apart, because a synthetic patient can be scanned as often as we like.

# %% [markdown]
# ## The fall, cause by cause
#
# The network is the small U-Net that comes with this series. The patients are the seven **test** patients. [Notebook 05b](05b_comparison.ipynb) opened them to judge this network, and here they are used to judge it again, on other scanners; nothing is chosen by what we see.
#
# First, every patient is scanned in one standard way: a standard dose (100,000 photons per detector element and angle), a soft reconstruction kernel, slices of 3 mm, and a field of view that fits the chest.

# %%
standard = scan(data.test.patients)
standard[0].acquisition

# %% [markdown]
# Then the same seven patients again, six times, with one thing changed at a time. (This takes a little while: each scan is simulated, from the projections to the filtered back-projection.)

# %%
causes = {
    "low dose": {"photons": 1e3},
    "sharp kernel": {"kernel": "sharp"},
    "thick slices": {"slice_thickness": 10.0},
    "wide field": {"field_of_view": 500.0},
    "motion": {"motion": 5.0},
    "beam hardening": {"beam_hardening": 0.06},
}
scans = {name: subset_of_patients(scan(data.test.patients, **changes)) for name, changes in causes.items()}

# %% [markdown]
# The seventh cause needs no scan. The images enter the network through a window of level −600 and width 1500 HU ([notebook 02](02_preprocessing.ipynb)). Now somebody exports them with level −400 and width 2200: another lung window, with a little more detail in the soft parts. A reader would call it a good picture.

# %%
reference = subset_of_patients(standard)
scans["other window"] = subset_of_patients(standard, window=(-400, 2200))

# %% [markdown]
# Before the numbers, look at the pictures: one slice per cause, of the patient in the first figure.

# %% mystnb={"figure": {"caption": "One slice in all eight versions."}, "image": {"alt": "Eight pictures of one chest slice, with titles: standard, low dose, sharp kernel, thick slices, wide field, motion, beam hardening, other window. Low dose is grainy with streaks, the wide field shows a smaller chest, motion blurs the edges, in the other window the soft parts are gray in place of white, the others look much like the standard scan."}}
at = np.flatnonzero(reference.patient_ids == patient)[z]
versions = {"standard": reference, **scans}
plotting.show_images([one.images[at] for one in versions.values()], list(versions), panel=1.5)

# %% [markdown]
# Write down your guess: an order of the causes from harmless to harmful. Low dose looks worst. Sharp kernel, thick slices and beam hardening are hard to tell from the standard scan at all, motion needs a second look, and the other window is merely paler.

# %% [markdown]
# ### Dice per patient, and pairs
#
# The score is that of notebook 05: Dice per patient, with the slices pooled.

# %% nbval_tolerance=0.01
import pandas as pd

from unet_helpers import bootstrap_interval, evaluate


def dice_per_patient(subset, network=model):
    predictions = np.asarray(network(subset.images)).argmax(axis=-1)
    cases = evaluate(None, subset, data.class_names, predictions=predictions).cases
    return cases.pivot(index="patient", columns="class", values="dice")


scores = {name: dice_per_patient(one) for name, one in versions.items()}
pd.DataFrame({name: score.mean() for name, score in scores.items()}).T.round(2)

# %% [markdown]
# Two rows stand out for the lung, motion and the window. For the nodule nearly every row seems to move. But seven patients differ widely among themselves, so how much of this is chance? The intervals of nodule Dice on the standard scans and on those with motion:

# %% nbval_tolerance=0.02
for name in ("standard", "motion"):
    print(name, *(f"{end:.2f}" for end in bootstrap_interval(scores[name]["nodule"])))

# %% [markdown]
# They overlap for the most part. "No difference", then? No: these are the *same patients*. One of them has a nodule that is easy to see, another has one that is hard to find, and this spread is in both intervals. The question is what *each patient* lost. (The means of such a table mislead in two more ways. They do not tell whether everybody lost a little or one patient a great deal. And they need not be over the same patients: one of the seven has no nodule. Where the network draws one all the same, that patient counts 0; where it draws none, Dice is undefined, the patient drops out, and the mean rises.)

# %% [markdown]
# ### Exercise 09.1: what each patient lost
#
# Write `paired(before, after)`: two pandas Series of Dice, indexed by patient. Return the mean of the differences (after minus before) and its `bootstrap_interval`. A patient who has no value (`nan`) in one of them, or occurs in one of them only, is left out.
#
# <details><summary>Hint 1</summary>
#
# Write four patients on paper, in two columns: Dice before and Dice after, one of them without a value. Add a third column: what did each one lose? For whom can it not be computed?
#
# <details><summary>Hint 2</summary>
#
# pandas subtracts two Series by their index, the patient, in whatever order they stand, and gives `nan` wherever one of the two values is missing. `.dropna()` leaves these out. After minus before, a loss is below 0.
#
# <details><summary>Hint 3</summary>
#
# Return two things: the mean of the differences, and `bootstrap_interval` of the *same* differences, which is already the pair (low, high).
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import domain_shift_and_transfer as check


def paired(before, after):
    return ...


check.paired(paired)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def paired(before, after):
    lost = (after - before).dropna()
    return lost.mean(), bootstrap_interval(lost)


check.paired(paired)

# %% nbval_tolerance=0.02
mean, (low, high) = paired(scores["standard"]["nodule"], scores["motion"]["nodule"])
print(f"motion, nodule: {mean:.2f}, interval {low:.2f} to {high:.2f}")

# %% [markdown]
# The interval of the *differences* is far narrower. The two intervals said nothing; from the same numbers, the pairs say: motion cost these patients' nodules 0.12 on average, and over all such patients the mean may be anything between a loss of 0.24 and none. Zero is in the interval, if only just: a loss is likely, but not shown. (The percentile bootstrap, which [notebook 05b](05b_comparison.ipynb) found too narrow for so few patients, would have ended below zero, and we would have been surer than seven patients allow.) Now for all causes:

# %% mystnb={"figure": {"caption": "Dice of the same patients, changed scan minus standard scan. Dots: patients. Diamond and bar: mean and 95 % interval over patients (Student's t); hollow where the interval includes 0. *6 of 7*: the other one has no Dice in one of the two scans."}, "image": {"alt": "Two panels, lung and nodule, one row per cause, with a dot for the difference in Dice of each patient and a diamond with a bar for the mean and its interval. Lung: all causes lie within a hundredth of zero except motion and, further below, the other window. Nodule: all diamonds are hollow. Motion and wide field lie furthest below zero, and the interval of motion ends at zero; in the other window one patient lies far above zero and three far below, and the interval is the widest."}}
lost = {
    part: pd.DataFrame({name: scores[name][part] - scores["standard"][part] for name in scans})
    for part in ("lung", "nodule")
}
plotting.show_differences(lost, "difference in Dice")


# %% nbval_tolerance=0.01
def summarize(differences):
    rows = {name: (values.mean(), *bootstrap_interval(values)) for name, values in differences.items()}
    return pd.DataFrame(rows, index=["mean", "low", "high"]).T.round(2) + 0.0  # + 0.0: no -0.0


pd.concat({part: summarize(differences) for part, differences in lost.items()}, axis=1)

# %% [markdown]
# Compare with your guess.
#
# - **The other window** is the worst for the lung: seven hundredths, and some of it in every patient. For the nodule it is a lottery: one patient gains a fifth, three lose up to a third, and the interval is the widest of all. Nothing was scanned differently.
# - **Motion** costs a little of the lung in *every* patient (see how close the dots lie). For the nodule it costs 0.12 on average; all of that comes from four patients, and the interval just includes zero. The other two are no comfort: their nodules were not found on the standard scans either, and zero cannot fall.
# - **The wide field** makes everything smaller: 3.9 mm per pixel. The lungs do not mind much; nodules of a few pixels do, in some patients. The mean loss of a tenth is not shown: the interval includes zero.
# - **Low dose** looks worst and costs the lung a hundredth. For the nodule the interval includes zero, so we cannot say whether it helps or hurts.
# - **Sharp kernel, thick slices, beam hardening**: nothing for the lung, to two digits. For the nodule the intervals include zero. With thick slices that is not "no effect": so few patients cannot exclude a loss of more than a tenth.
# - **Who is left out?** In all of the nodule's rows there are six patients of seven. The seventh has no nodule. On the standard scan the network draws none, so that Dice is undefined there, and every difference too. With thick slices, motion and the other window it draws one: a false alarm more, which pulls down the means of the first table, and which no row of this figure shows.
#
# A full diamond says that the interval excludes zero, not that the loss matters: where all patients change by the same tiny amount, even a thousandth is "significant". Look at the size first.
#
# And there are **fourteen** intervals in this figure, each from six or seven patients. Even an interval that holds what it promises misses the truth in one case of twenty. If the fourteen were independent, the chance that all of them hold it would be about that of heads in one toss of a coin. If all are to hold at once, share the twentieth among them (**Bonferroni**): each gets the level 1 − 0.05/14. Which still exclude zero?

# %% tags=["nbval-ignore-output"]
for part, differences in lost.items():
    ends = {name: bootstrap_interval(values, level=1 - 0.05 / 14) for name, values in differences.items()}
    print(f"{part}: {', '.join(name for name, (low, high) in ends.items() if not low <= 0 <= high) or 'none'}")

# %% tags=["remove-cell"]
assert all(low < 0 < high for low, high in ends.values())  # of the nodule

# %% [markdown]
# For the lung the losses remain, down to the thousandth with thick slices, because all patients agree. (The gain with beam hardening, two ten-thousandths, lies on the very edge; nobody should care.) For the nodule there was none to remain. So the answer for nodules is not "these causes are harmless" but "seven patients cannot tell": in five of the seven rows the interval allows for a loss of more than a tenth.
#
# Why these losses? A part of the answer is in the training set: nearly a third of its patients were scanned with a sharp kernel, nearly a third with a lower dose (though none with fewer than 20,000 photons, twenty times our *low dose*), some with slices of 5 mm. But none moved, all came through one window, and the field of view was:

# %%
fields = data.train.spacing[:, 0] * 128
print(f"field of view in the training set: {fields.min():.0f} to {fields.max():.0f} mm")

# %% [markdown]
# That fits a common rule: a network learns to ignore what varied in training, and it may *rely on* what was always the same, the gray value of lung most of all. But the rule does not explain the whole table. No training scan had beam hardening and none had slices of 10 mm, and both cost the lung nothing to two digits; how much a change alters the picture counts as well. So ask of a training set not only how large it is, but also what *varies* in it, and measure the rest. For lungs in real CT this has been measured: the diversity of the training data mattered more than the choice of network {cite:p}`hofmanninger2020lung`.

# %% [markdown]
# ### How much of it?
#
# A cause is not a switch that is on or off. Turn the dose down, in steps, for one patient. Where does the outline give way?

# %% mystnb={"figure": {"caption": "Prediction at falling dose."}, "image": {"alt": "A slider for the number of photons above a chest slice with the predicted lungs and nodule; with fewer photons the slice becomes grainy, and the outlines become ragged."}}
from unet_helpers.plotting.widgets import explore

doses = [100_000, 10_000, 3_000, 1_000, 300, 100]
dosed = {dose: subset_of_patients(scan([patient], photons=dose))[z] for dose in doses}
frames = [plotting.paint_mask(one.images[0], predict_masks(model, one.images)[0]) for one in dosed.values()]
explore(frames, [f"{dose:,} photons" for dose in doses], "dose", start=3)

# %% mystnb={"figure": {"caption": "Mean Dice of the seven test patients at falling dose. Gray: the doses of the training set."}, "image": {"alt": "Two curves over the number of photons from 100,000 down to 100 on a logarithmic axis. Lung Dice stays just below 1 and nodule Dice falls from 0.46 to 0.40 down to 1,000 photons; then both fall, the lung to 0.9, the nodule to about 0.1. A gray band marks the doses of the training set, 20,000 to 160,000."}}
ladder = {dose: dice_per_patient(subset_of_patients(scan(data.test.patients, photons=dose))).mean() for dose in doses}
with plotting.figure(width=4.6, height=2.8) as (fig, axes):
    pd.DataFrame(ladder).T.plot(ax=axes[0, 0], marker="o", logx=True, color=plotting.CLASS_COLORS[1:3])
    axes[0, 0].legend(frameon=False)
    axes[0, 0].axvspan(2e4, 1.6e5, color="#dddddd")
    axes[0, 0].set(xlabel="photons", ylabel="Dice", ylim=(0, 1.02), xlim=(2e5, 70))
fig

# %% [markdown]
# Down to 1,000 photons, a twentieth of the lowest dose in training, little happens. Below that the fall is steep. Inside the gray band all looks well, and outside it does for a while; a test inside the band, as every test on one hospital's data is, cannot show where the edge is.

# %% [markdown]
# ### Scan a patient again yourself
#
# In the book, change the scanner below, one thing at a time, and the window. The scans come from the phantom's scanner, the patient is one of the validation patients, and the network computes in your browser; blue and orange are its outlines, and yellow is the truth.
#
# <div class="live" data-piece="scanner">
# <p>In the book, a picture to try it with stands here; it needs a browser that runs JavaScript. In JupyterLab, the slider above shows the dose, and <code>scan</code> takes every other change.</p>
# </div>
#
# Can one picture tell you which cause to fear? Compare the two slices of this one patient. On the first, with a field of view of 500 mm, the network loses the nodule, and the other window (level −400, width 2200) costs it about half of its Dice. On the second, the wide field costs the nodule little, and the other window even raises its Dice. On both slices the window lowers the Dice of the lungs a little. No single slice shows which cause is the worst; that is why the figure above has a dot for each patient, and an interval.

# %% [markdown]
# ### Everything at once: patients of an archive
#
# `variety="archive"` gives patients as a hospital's archive holds them: thin and obese, with effusions, consolidations, metal, arms beside the body, scanned in any way, from the neck to the kidneys. They are *other people*, so this time there are no pairs.

# %% nbval_tolerance=0.01
archive_patients = [make_patient(1, index=index, variety="archive") for index in range(8)]
archive = subset_of_patients(archive_patients)
report = evaluate(model, archive, data.class_names)
report.summary("dice")[["mean", "low", "high", "cases"]].round(2)

# %% mystnb={"figure": {"caption": "The same network on eight patients of the archive."}, "image": {"alt": "Dice of each archive patient as a dot, for lung and nodule. The lung's dots lie between about 0.96 and 0.98, the nodule's are spread from 0 to about 0.9."}}
plotting.show_cases(report)

# %% [markdown]
# On the standard scans the mean for the lung was two hundredths higher. (The nodule's mean is higher here than there; these are other people with other nodules, and both intervals are wide, so that tells nothing.) Here the patients spread over more than a hundredth, where the standard scans differ by thousandths. These are the two worst, and what they have:

# %%
worst = report.of_class("lung").sort_values("dice")["patient"].iloc[:2].tolist()
for one in archive_patients:
    if one.patient_id in worst:
        print(one.patient_id, ", ".join(one.difficulties))

# %% mystnb={"figure": {"caption": "Of each of the two worst patients the slice with the most wrong pixels."}, "image": {"alt": "Two rows of four pictures, image, ground truth, prediction and errors, of the two archive patients with the lowest lung Dice. In the first, pockets of gas in the belly and the air beside a body that touches the edge of the picture are predicted as lung, with a nodule in one of the pockets, and the thin lower ends of the lungs are only half found. In the second, the errors are a thin line along the outline of both lungs, too much in front and too little behind."}}
answers = predict_masks(model, archive.images)
wrong = ((answers > 0) != (archive.masks > 0)).sum(axis=(1, 2))
at = [np.where(archive.patient_ids == name, wrong, -1).argmax() for name in worst]
plotting.show_predictions(
    archive.images[at], archive.masks[at], answers[at], titles=worst, spacings=archive.spacing[at], panel=2
)

# %% [markdown]
# In the first patient gas in the bowel is taken for lung, below the diaphragm, and so is the air beside a body that barely fits into the picture. The training patients fit into the picture, have no such gas and end at the diaphragm. Everything dark inside the body *was* lung there, and the network had no reason to learn more than that. No scanner is to blame for the gas, and a repair of gray values would not help: it is the *population* that has shifted. The second patient moved, and there the outline is a little off all around, as in our motion scans.
#
# Here several things differ at once, and no number tells which of them did it; the picture does. That is the situation with real data: take the causes apart where you can, and look at the worst cases where you cannot.

# %% [markdown]
# ### Exercise 09.2: name the cause
#
# Another hospital sends four pictures of one patient, and each differs from what you are used to. Is it `"low dose"`, `"motion"`, `"wide field of view"` or `"soft-tissue window"`? Look at four things: edges, grain, gray values and size.
#
# <details><summary>Hint 1</summary>
#
# Ask four questions of each picture. Are the gray values of lung, air and soft parts as you know them? Is every edge there once? Is even tissue smooth? Is the chest as large as in the other pictures?
#
# <details><summary>Hint 2</summary>
#
# Fewer photons make even tissue grainy. A movement during the rotation draws edges twice. A wider field puts the same pixels over more millimeters. A window moves no edge; it decides which HU become black, which white, and which gray.
#
# </details>
# </details>

# %% mystnb={"figure": {"caption": "Four pictures of one patient."}, "image": {"alt": "Four pictures of a chest slice. A: lungs and air are fully black and the soft parts gray. B: edges appear twice. C: everything is grainy. D: the chest is small in the picture."}}
mystery = check.mystery_scans()
plotting.show_images(list(mystery.values()), list(mystery))

# %%
causes_named = {"A": ..., "B": ..., "C": ..., "D": ...}
check.name_the_cause(causes_named)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
causes_named = {"A": "soft-tissue window", "B": "motion", "C": "low dose", "D": "wide field of view"}
check.name_the_cause(causes_named)

# %% [markdown]
# **A good place for a break:** here the first half of the page ends. You have seen what each cause costs; the second half is about what can be done. It uses what the first half has computed, so leave the notebook open, or run the cells above once more before you go on.
#
# ## First remedy: undo what is known
#
# The window cost the lung most, and it is the cheapest cause to repair. A window is a straight line from HU to gray values. If somebody tells you its level and width, follow the line back to HU, and then apply the window of training.

# %% [markdown]
# ### Exercise 09.3: back to HU
#
# A window maps HU to $g = (\text{HU} - (\text{level} - \text{width}/2)) / \text{width}$, cut off at 0 and 1. Write the way back.
#
# <details><summary>Hint 1</summary>
#
# For level −400 and width 2200, which HU are shown as gray 0, gray 0.5 and gray 1? Write the three numbers down before you write code; your function must give them.
#
# <details><summary>Hint 2</summary>
#
# Solve the formula for HU, step by step from the outside: multiply by what was divided by, and add what was subtracted. What was cut off cannot be brought back, so leave that out.
#
# <details><summary>Hint 3</summary>
#
# `gray * width` is how far the pixel lies above the lower end of the window. Where is the lower end?
#
# </details>
# </details>
# </details>


# %%
def back_to_hu(gray, level, width):
    return ...


check.back_to_hu(back_to_hu)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def back_to_hu(gray, level, width):
    return level + (gray - 0.5) * width


check.back_to_hu(back_to_hu)

# %% nbval_tolerance=0.01
from unet_helpers import window

hu = back_to_hu(scans["other window"].images, -400, 2200)
repaired = replace(reference, images=window(hu, -600, 1500))
pd.DataFrame({"standard": scores["standard"].mean(), "repaired": dice_per_patient(repaired).mean()}).T.round(2)

# %% [markdown]
# All of it is back, without a single training step, because the wide window cut off nothing that the narrow one shows. From a soft-tissue window, in which lung and air are both black, no formula brings the lung back.
#
# Pixel size is treated in the same spirit: tools such as nnU-Net resample every image to one spacing before the network sees it {cite:p}`isensee2021nnunet`. What you *know* about a scan (window, spacing, orientation), undo. Only what you cannot know or undo is left to the network.

# %% [markdown]
# ## Second remedy: augmentation
#
# If the network relies on what never varied, let it vary. **Augmentation** changes the training images at random ([notebook 04](04_gpu_training.ipynb)): *geometry* turns, scales and shifts image and mask together; *gray values* change brightness and contrast of the image alone. The second is a crude imitation of another window:

# %% mystnb={"figure": {"caption": "One training slice as it is, and augmented in three ways."}, "image": {"alt": "Four versions of one small chest slice with its lung outlined: as it is, enlarged and shifted, with so much contrast that the soft parts are all white, and both."}}
from unet_helpers.data import augment_arrays

AIR = float(window(-1000.0, -600, 1500))  # what a moved picture shows beyond its border
GEOMETRY = {"rotation": 15, "zoom": 0.3, "translation": 0.1, "image_fill": AIR}
GRAY = {"brightness": 0.2, "contrast": 0.4}
STILL = {"rotation": 0, "zoom": 0, "translation": 0}
recipes = {"geometry": GEOMETRY, "gray values": STILL | GRAY, "both": GEOMETRY | GRAY}

one = data.train[[20]]
augmented = [augment_arrays(one.images, one.masks, seed=3, **options) for options in recipes.values()]
images, masks = zip((one.images, one.masks), *augmented, strict=True)
plotting.show_images([image[0] for image in images], ["none", *recipes], [mask[0] for mask in masks])

# %% [markdown]
# To see what it buys, we train two networks from scratch, with no difference but the augmentation. To keep the trainings short, they learn lungs only, on images of 64×64.


# %%
def lungs_64(subset):
    n, height, width, _ = subset.images.shape
    images = subset.images.reshape(n, height // 2, 2, width // 2, 2, 1).mean(axis=(2, 4))
    return replace(subset, images=images, masks=(subset.masks[:, ::2, ::2] > 0).astype("uint8"))


parts = {name: lungs_64(subset) for name, subset in data.subsets.items()}
small = replace(data, class_names=("background", "lung"), **parts)

# %% nbval_tolerance=0
import keras

from unet_helpers import UNet, start_at_class_shares, train
from unet_helpers.data import make_augmenter

networks = {}
for name, augment in (("none", None), ("gray values", make_augmenter(**recipes["gray values"]))):
    keras.utils.set_random_seed(0)
    networks[name] = UNet((64, 64, 1), 2, base_filters=8, depth=3)
    start_at_class_shares(networks[name], small.train.masks)
    train(networks[name], small, epochs=10, learning_rate=3e-3, augment=augment, keep="last")

# %% nbval_tolerance=0.03
tests = {name: lungs_64(versions[name]) for name in ("standard", "wide field", "motion", "other window")}
tests["archive"] = lungs_64(archive)
table = pd.DataFrame()
for name, network in networks.items():
    for test, subset in tests.items():
        table.loc[test, name] = dice_per_patient(subset, network)["lung"].mean()
table.round(2)

# %% tags=["remove-cell"]
assert (table.loc["standard"] > 0.9).all()
assert table.loc["other window", "gray values"] > table.loc["other window", "none"]

# %% [markdown]
# Read the row of the other window: without augmentation several hundredths are lost, and with varied gray values a good part of them is back. Against motion brightness and contrast do nothing, and one would not expect them to; in the wide field the network that was trained with them even loses two hundredths, in this one run.
#
# One run each is an anecdote. `benchmarks/domain_shift.py` trains all four recipes with three seeds each, for 15 epochs in place of 10, and tests the twelve networks on all scans. What it measured is in a file of the book:

# %%
import json

from unet_helpers.teaching import RESULTS

measured = json.loads((RESULTS / "domain_shift.json").read_text(encoding="utf-8"))
print(measured["what"], "| seeds", measured["seed"], "|", measured["results"]["epochs"], "epochs each")

# %%
names = {"none": "none", "geometry": "geometry", "gray_values": "gray values", "both": "both"}
cells = {title: measured["results"][key] for key, title in names.items()}
dice_of = {title: {test: values["lung_dice"] for test, values in cell.items()} for title, cell in cells.items()}
pd.DataFrame(dice_of).round(2)

# %% [markdown]
# Read it row by row against the first column. Two digits hide small differences; here are some, over the same patients:

# %%
tests = ["standard", "wide field of view", "motion", "other window", "archive patients"]
differences = pd.DataFrame(index=tests)
for title in ("geometry", "gray values", "both"):
    rows = [cells[title][test] for test in tests]
    differences[title] = [
        f"{row['minus_none']:+.3f} ({row['minus_none_low']:+.3f} to {row['minus_none_high']:+.3f})" for row in rows
    ]
differences

# %% [markdown]
# - **Other window**: without augmentation nearly a tenth is lost. Both changes together bring back about seven tenths of it, gray values alone about a third, geometry alone nothing.
# - **Wide field, motion**: no recipe gains more than a thousandth. The random scaling covers most of the wide field, and still there is a small loss; with varied gray values there is even a loss of a hundredth. Double contours are imitated by none of the recipes.
# - **Standard**: every recipe costs a little, and both together most, seven thousandths.
# - **Archive**: every interval includes zero. A change of brightness does not put gas into a bowel.
#
# The intervals say nothing of the seeds. The figure shows both:

# %% mystnb={"figure": {"caption": "Lung Dice by recipe. Diamond and bar: mean over the seeds and its 95 % interval over patients (Student's t); dots: the three seeds."}, "image": {"alt": "Three panels with lung Dice for four recipes, each a diamond with an interval and three dots. Standard: all close together near the top. Other window: none and geometry lie low, gray values higher, both highest; for gray values two dots lie at the height of both recipes together and the third far below, where the lowest dot without augmentation lies. Archive patients: intervals that overlap for all four recipes."}}
with plotting.figure(1, 3, panel=2.6, height=2.8, sharey=True) as (fig, axes):
    for ax, test in zip(axes.flat, ("standard", "other window", "archive patients"), strict=True):
        for x, cell in enumerate(cells.values()):
            mean, low, high = (cell[test][f"lung_dice{end}"] for end in ("", "_low", "_high"))
            ax.plot([x, x], [low, high], color="black", linewidth=2)
            ax.plot(x, mean, "D", color=plotting.CLASS_COLORS[1], markeredgecolor="black")
            ax.plot([x + 0.25] * 3, cell[test]["seeds"], "o", color="gray", markersize=4)
        ax.set_xticks(range(4), ["none", "geometry", "gray", "both"], fontsize=8)
        ax.set_title(test, fontsize=10)
    axes[0, 0].set_ylabel("lung Dice")
fig

# %% [markdown]
# In the other window the seeds spread more widely than the intervals. With varied gray values two of three networks lose one or two hundredths, and the third as much as its twin without augmentation. With both changes, each of the three does better than its twin. A single training, as ours above, could have told either story.

# %% [markdown]
# ## Third remedy: new averages, without a mask
#
# The next remedy needs images from the new hospital, and no outlines. Batch normalization subtracts an average from each map and divides by a standard deviation. During training, both are those of the batch. A trained network uses running averages instead, and these describe the scans of *training*. So replace them with those of the new scans, and leave every other weight as it is (**AdaBN**, {cite:p}`li2018adabn`). In Keras, a momentum of 0 keeps nothing of the old averages, and one call in training mode brings in the new ones:


# %%
def with_averages_of(images):
    network = load_checkpoint()
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(images, training=True)
    return network


# %% nbval_tolerance=0.015
targets = {name: versions[name] for name in ("standard", "wide field", "motion", "other window")} | {"archive": archive}
gained = {
    name: dice_per_patient(one, with_averages_of(one.images)) - dice_per_patient(one) for name, one in targets.items()
}
pd.concat({part: summarize({name: gain[part] for name, gain in gained.items()}) for part in ("lung", "nodule")}, axis=1)

# %% tags=["remove-cell"]
assert gained["other window"]["lung"].mean() > 0.03 and gained["archive"]["lung"].mean() < -0.02
assert abs(gained["motion"]["lung"].mean()) < 0.01

# %% [markdown]
# - **Other window**: six of the lung's seven hundredths are back, and nobody told the network which window it was.
# - **Motion**: nothing for the lung, to two digits. Doubled edges have nothing to do with averages.
# - **Standard**: nothing was wrong, and not quite a hundredth is lost. A part of the reason may be that the old averages are those of crops around nodules ([notebook 04](04_gpu_training.ipynb)), the new ones those of whole slices of few patients.
# - **Wide field, archive**: the lung loses two and four hundredths, and in the archive the nodules lose more than a tenth. The averages also change with *what is in the picture*: more air around the body, more belly, an effusion. The network then corrects what was right.
#
# So try this where only the gray values have changed, and measure it on outlined patients before you trust it.

# %% [markdown]
# ## Fourth remedy: a few patients from there
#
# No remedy so far has helped against motion. Then someone has to outline patients. Suppose the new hospital has a slow scanner, on which everybody moves as in our motion scans, and **four** of its patients have been outlined. Which is better: a network trained on these four from scratch, or the old one, trained a little more?
#
# To go on training a network on new data is called **fine-tuning**, and to use what it brings along is called **transfer**. The four are people whom no network here has seen. The test remains the seven patients, with motion and without.

# %%
from unet_helpers import Dataset

moving = replace(Acquisition(), motion=5.0)
new = [make_patient(2, index=index, acquisition=moving) for index in range(6)]
few = Dataset("motion", data.class_names, subset_of_patients(new[:4]), subset_of_patients(new[4:]), scans["motion"])
print(few)
print((few.train.masks == 2).sum(), "nodule pixels to learn from")

# %% [markdown]
# Both get the recipe that made our network ([notebook 04](04_gpu_training.ipynb)), with 160 steps. One thing differs on purpose, the **learning rate**. The weights of the trained network are already good, and large steps would carry them away from there; a common choice is a tenth to a quarter of the rate that was used to train it.


# %% nbval_tolerance=0
from unet_helpers.training import AUGMENTATION, MODEL, TRAINING


def adapt(network, learning_rate, patients=few, epochs=10):
    options = TRAINING | {"learning_rate": learning_rate, "epochs": epochs, "batch_size": 8, "keep": "last"}
    return train(network, patients, augment=make_augmenter(**AUGMENTATION), **options)


keras.utils.set_random_seed(0)
scratch = UNet(**MODEL)
start_at_class_shares(scratch, few.train.masks)
learned = {"from scratch": adapt(scratch, 4e-3)}

# %% nbval_tolerance=0
keras.utils.set_random_seed(0)
tuned = load_checkpoint()
learned["fine-tuned"] = adapt(tuned, 1e-3)

# %% mystnb={"figure": {"caption": "The same ten epochs on four patients."}, "image": {"alt": "Training and validation loss over ten epochs in two panels. From scratch both begin high and fall; fine-tuned they begin low and fall a little further."}}
plotting.show_trainings(learned)


# %% tags=["nbval-ignore-output"]
def here_and_there(network):
    there, here = (dice_per_patient(subset, network).mean() for subset in (scans["motion"], reference))
    return [there["lung"], there["nodule"], here["lung"], here["nodule"]]


columns = pd.MultiIndex.from_product([["motion", "standard scans"], ["lung", "nodule"]])
transfer = pd.DataFrame(columns=columns, dtype=float)
for name, network in (("as it is", model), ("from scratch", scratch), ("fine-tuned", tuned)):
    transfer.loc[name] = here_and_there(network)
transfer.round(2)

# %% tags=["remove-cell"]
assert transfer.loc["fine-tuned", ("motion", "lung")] > transfer.loc["as it is", ("motion", "lung")] + 0.01
assert (
    transfer.loc["fine-tuned", ("standard scans", "lung")] < transfer.loc["as it is", ("standard scans", "lung")] - 0.01
)
assert transfer.loc["fine-tuned", ("motion", "lung")] > transfer.loc["from scratch", ("motion", "lung")]

# %% [markdown]
# Is the gain chance? The same seven patients before and after are pairs again:

# %% tags=["nbval-ignore-output"]
for part in ("lung", "nodule"):
    gain = dice_per_patient(scans["motion"], tuned)[part] - scores["motion"][part]
    print(part, f"{gain.mean():+.2f}", "interval", *(f"{end:+.2f}" for end in bootstrap_interval(gain)))

# %% [markdown]
# - **From scratch**, four patients are enough to outline lungs in these scans better than the network that never saw motion.
# - **Fine-tuned**, it does better still: three of the nearly four hundredths that motion costs the lung are back, in every patient, so that both ends of the interval are +0.03. For the nodule the interval includes zero.
# - **The standard scans** show the price. The same network has lost there about as much as it gained here. With new patients alone, a network **forgets** what only the old ones showed.
#
# ### Against forgetting
#
# Let old patients take part: four of each, and half as many epochs, so that the number of steps stays the same.

# %% tags=["nbval-ignore-output"]
old = [make_patient(0, index=int(name[1:]) - 1) for name in data.train.patients[:4]]
mixed = replace(few, train=subset_of_patients(new[:4] + old))
keras.utils.set_random_seed(0)
both = load_checkpoint()
adapt(both, 1e-3, mixed, epochs=5)
transfer.loc["fine-tuned, mixed"] = here_and_there(both)
transfer.round(2)

# %% tags=["remove-cell"]
assert (
    transfer.loc["fine-tuned, mixed", ("standard scans", "lung")]
    > transfer.loc["fine-tuned", ("standard scans", "lung")]
)

# %% [markdown]
# Most of what was forgotten is kept, and a good part of the gain on the scans with motion is left. It takes the old data, so keep them.

# %% [markdown]
# ### How many patients?
#
# `benchmarks/fine_tuning.py` has made such trainings with one, four and sixteen new patients and three seeds, which draw their own patients; all take 128 steps. The table gives what is gained over the network as it is, with its interval over the test patients.

# %%
rows = json.loads((RESULTS / "fine_tuning.json").read_text(encoding="utf-8"))["results"]["rows"]
parts_shown = ("motion lung", "motion nodule", "standard lung", "standard nodule")
pd.DataFrame(
    {
        (row["patients"], row["start"]): [
            "{gain:+.2f} ({low:+.2f} to {high:+.2f})".format(**row[part]) for part in parts_shown
        ]
        for row in rows[1:]
    },
    index=parts_shown,
).T

# %% mystnb={"figure": {"caption": "Mean Dice of the test patients, a dot per seed. Dashed: the network as it is."}, "image": {"alt": "Three panels over 1, 4 and 16 new patients, three dots for each way of training. Lung with motion: the fine-tuned dots lie highest, at 0.98 for every number of patients, those of the mix at 0.97, those from scratch between 0.94 and 0.97, most above the dashed line at 0.95. Nodule with motion: the dots are spread widely; from scratch they lie low with one patient, and fine-tuned highest with sixteen. Lung on standard scans: the mix lies a hundredth below the dashed line, fine-tuned three hundredths, from scratch further down."}}
with plotting.figure(1, 3, panel=2.8, height=2.8) as (fig, axes):
    for ax, part in zip(axes.flat, parts_shown[:3], strict=True):
        for shift, start in enumerate(("scratch", "fine-tuned", "fine-tuned, mixed")):
            for x, own in enumerate(row for row in rows if row["start"] == start):
                label = start if x == 0 else None
                ax.plot([x + 0.2 * shift - 0.2] * 3, own[part]["seeds"], "o", color=f"C{shift}", label=label)
        ax.axhline(rows[0][part]["dice"], color="black", linestyle="--", linewidth=1)
        ax.set_xticks(range(3), [1, 4, 16])
        ax.set(xlabel="new patients", title=part)
    axes[0, 1].legend(frameon=False, fontsize=8)
fig

# %% [markdown]
# - **One patient** is enough for the lung: a fine-tuned network gains three hundredths with one, four or sixteen. Motion seems to do the same to everybody's outline.
# - **For the nodule** fine-tuning alone needs more: with one patient the interval includes zero, with four it ends there, and with sixteen it lies just above. With old patients among the new it lies just above each time.
# - **The price** of fine-tuning alone is three hundredths of the lung on standard scans, whatever the number. The mix pays one, and keeps about two thirds of the lung's gain.
# - **From scratch** no network reaches one that was fine-tuned on new patients alone, at this budget.
#
# The table holds 36 intervals of 95 %, so one or two of them can miss the truth by chance: an interval that lies *just* above zero is weak evidence.

# %% [markdown]
# ### Exercise 09.4: freeze the contracting path
#
# With few patients, you may want to keep a part of the network as it is. A layer with `trainable = False` is **frozen**: its weights stay. Write a function that freezes all layers of the contracting path, whose names begin with `down`, and returns the network.
#
# <details><summary>Hint 1</summary>
#
# `network.layers` is the list of layers, and each has a `.name`. Print the names for `load_checkpoint()`. Which of them are asked for?
#
# <details><summary>Hint 2</summary>
#
# Go through the layers in a loop. `layer.name.startswith("down")` says whether a layer belongs to the contracting path, its batch normalization included; set `layer.trainable` there. Do it layer by layer: `network.trainable = False` would freeze the whole network.
#
# <details><summary>Hint 3</summary>
#
# `return network` comes after the loop, not inside it.
#
# </details>
# </details>
# </details>


# %%
def freeze(network):
    return ...


check.frozen(freeze)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def freeze(network):
    for layer in network.layers:
        if layer.name.startswith("down"):
            layer.trainable = False
    return network


check.frozen(freeze)

# %%
half = freeze(load_checkpoint())
trainable = sum(int(np.prod(weight.shape)) for weight in half.trainable_weights)
print(f"{trainable:,} of {half.count_params():,} parameters can still change")

# %% [markdown]
# Most of the parameters lie in the bottleneck and the expanding path. Freezing the rest saves time, since no gradients are needed there, and may save some forgetting. `train` compiles the network again each time. With plain Keras that is yours to do, and nothing reminds you. Which layers does a `fit` change?

# %%
tiny = UNet((32, 32, 1), 2, base_filters=2, depth=1)
pixels, labels = few.train.images[:8, 48:80, 48:80], few.train.masks[:8, 48:80, 48:80] > 0


def fit_changes():
    before = {layer.name: layer.get_weights() for layer in tiny.layers}
    tiny.fit(pixels, keras.utils.to_categorical(labels, 2), verbose=0)
    return [
        name for name, old in before.items() if not all(map(np.array_equal, old, tiny.get_layer(name).get_weights()))
    ]


tiny.compile("adam", "categorical_crossentropy")
fit_changes()
freeze(tiny)
print("frozen after compile:", *fit_changes()[:4])
tiny.compile("adam", "categorical_crossentropy")
print("compiled once more:", *fit_changes()[:4])

# %% [markdown]
# The step that `fit` runs was built before the freezing, and goes on changing the layers called `down`. Only a new `compile` builds another step. From then on even the batch normalization (`bn`) of the frozen part stands still: in Keras, a frozen `BatchNormalization` runs as in prediction, whatever the call says, so it uses its stored averages and does not update them. Now the same fine-tuning, half frozen:

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(0)
adapt(half, 1e-3)
transfer.loc["contracting path frozen"] = here_and_there(half)
transfer.round(2)

# %% tags=["remove-cell"]
kept = [name for name in ("down1_conv1", "down4_bn2")]
assert all(
    np.array_equal(a, b)
    for name in kept
    for a, b in zip(half.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True)
)

# %% [markdown]
# The first layers are untouched to the last bit. On the lung the result is much the same as without freezing, gain and loss alike, in this one run: so what is learned and forgotten here lies in the other layers. (For the nodule the frozen network has the highest values. One run and so few nodules do not show that freezing is better: look at how far the seeds lie apart in the figure above.) The usual advice: the more a new task or a new kind of image differs, the fewer layers to freeze.

# %% [markdown]
# ### Real nodules, with synthetic patients as the first teacher
#
# Does what a network learns on synthetic patients help with *real* ones? To find out takes real data and more time than a class has, so `benchmarks/transfer.py` has measured it once (while the code had changes that no commit holds, so it cannot be repeated to the digit). The real data are crops of CT slices of the LIDC collection with the nodules that at least two of four radiologists outlined {cite:p}`armato2011lidc`; [notebook 15](15_your_own_data.ipynb) works on the same. There are 5, 20 or 100 patients to learn from. Each number of patients is tried with three seeds, and each seed draws its own patients.
#
# All networks get the same number of steps on the real patients. The pre-trained ones have their steps on synthetic crops behind them, so they have trained longer in all: this is the question of somebody who is given such a network, and it does not tell the synthetic patients from the longer training. One kind starts from random weights; the other has first been trained on crops of synthetic patients.

# %%
recorded = json.loads((RESULTS / "transfer.json").read_text(encoding="utf-8"))["results"]
print(recorded["pretraining_steps"], "steps on synthetic crops, then", recorded["steps"], "steps on real ones")
print(recorded["test_patients"], "test patients:", recorded["slices_with_object"], "slices with a nodule,", end=" ")
print(recorded["empty_slices"], "without")

# %%
runs = pd.DataFrame(recorded["runs"])
runs.groupby(["patients", "start"])[["dice", "missed", "false_alarms"]].mean().round(2)

# %% mystnb={"figure": {"caption": "Test Dice on real slices with a nodule (a missed slice counts 0), and the share of slices without one on which something is drawn. A dot per seed; dashed: trained on synthetic patients only."}, "image": {"alt": "Two panels over 5, 20 and 100 real patients, three dots each for networks from scratch and networks trained on synthetic patients first. Dice: with 5 patients the pre-trained dots lie a tenth higher, with 100 a little higher, and the dashed line of the network without any real patient runs at the height of the dots from scratch with 100 patients. False alarms: dots of both kinds lie mixed between 0.35 and 0.6."}}
with plotting.figure(1, 2, panel=3.2, height=2.8) as (fig, axes):
    for ax, score in zip(axes.flat, ("dice", "false_alarms")):
        for shift, (start, color) in enumerate({"scratch": "#0072B2", "phantom": "#D55E00"}.items()):
            own = runs[runs.start == start]
            x = own.patients.map({5: 0, 20: 1, 100: 2}) + 0.16 * shift - 0.08
            ax.scatter(x, own[score], color=color, edgecolor="black", label=start)
        ax.axhline(runs.loc[runs.patients == 0, score].item(), color="#D55E00", linestyle="--", linewidth=1)
        ax.set_xticks(range(3), [5, 20, 100])
        ax.set(xlabel="real patients", title={"dice": "Dice", "false_alarms": "false alarms"}[score])
    axes[0, 0].legend(frameon=False, fontsize=9)
fig

# %% [markdown]
# Read the table from its first row. A network that has seen **no real patient at all** finds real nodules about as well as one that learned from a hundred real patients from scratch, at this budget. (That row is a single network; the others are means of three seeds. No interval over the test patients was recorded.) Below it:
#
# - **With 5 real patients** pre-training is worth about a tenth of Dice, in each of the three seeds. From scratch the three seeds, each with its own five patients and first weights, differ widely; after pre-training they differ less.
# - **With 20 and with 100** the gain shrinks to a few hundredths on average. With 20 one of the three seeds has none. With 100 it is there in every seed, but three seeds are few.
# - **Five real patients did not improve** the network that had seen synthetic ones, on average. It takes more of them before the real patients add what the synthetic ones lack.
# - **False alarms stay** near one empty slice in two, whatever the start. Most of these slices were marked by exactly one of the four radiologists: where the readers themselves were divided, the pre-training did not help.
#
# The budget matters for the comparison. Given more steps, a network from scratch on all training patients does better than any row here (notebook 15's recipe, [results](../book/results.md)); pre-training is worth most where patients *and* time are short.

# %% [markdown]
# ## Another kind of transfer: an encoder made for photographs
#
# Our checkpoint has seen lungs. Many published networks start from something else: a contracting path, there called **encoder** or *backbone*, that has learned to tell objects apart in a million photographs (ImageNet). Its first layers find edges and textures, and CT has edges and textures as well. Keras includes such networks; MobileNetV2 is a small one {cite:p}`sandler2018mobilenetv2`.
#
# Three things have to fit: its *input* (three colors from −1 to 1, while our slices have one gray value from 0 to 1), its *maps* at every size for the skip connections, and its *weights*, which are a download. `weights=None` builds it with random ones, so this page downloads nothing.

# %%
gray = keras.Input((128, 128, 1))
color = keras.layers.Concatenate()([gray, gray, gray])
scaled = keras.layers.Rescaling(2.0, offset=-1.0)(color)
encoder = keras.applications.MobileNetV2(input_tensor=scaled, include_top=False, weights=None)
print(f"{len(encoder.layers)} layers, {encoder.count_params():,} parameters")

# %% [markdown]
# `include_top=False` leaves out the last layers, which name the object in a photograph. For the skip connections we need, at each size, the last layer before the maps are halved. The layers have names by which we can get them:

# %%
from unet_helpers.models.encoder_unet import BOTTLENECK, SKIPS

for name in (*SKIPS, BOTTLENECK):
    print(f"{name:<20}", encoder.get_layer(name).output.shape[1:])

# %% [markdown]
# From 64×64 maps down to 4×4: a contracting path as in [notebook 03](03_unet_architecture.ipynb), only with other blocks. The expanding path is ours: enlarge, join, convolve, five times. `encoder_unet` does all of this in some twenty lines.

# %%
from unet_helpers.models import encoder_unet

keras.utils.set_random_seed(0)
hybrid = encoder_unet((128, 128, 1), num_classes=3, weights=None)
tuple(hybrid(data.validation.images[:2]).shape)

# %%
counts = {"U-Net of this series": model, "U-Net on MobileNetV2": hybrid, "U-Net of 2015": UNet(num_classes=3)}
pd.Series({name: f"{network.count_params():,}" for name, network in counts.items()}, name="parameters").to_frame()

# %% [markdown]
# To get the photographs' weights on a machine with internet access, write `weights="imagenet"`; Keras downloads about 9 MB once.
#
# Does it help? A careful study on photographs of the retina and X-rays of the chest found that training was *faster*, with little gain in the final result, and less the more data there were; much of what helped was the scale of the first layers' weights {cite:p}`raghu2019transfusion`. Features of the first layers carry over well, while those of the last layers are made for the old task {cite:p}`yosinski2014transferable`. So treat it like any other choice: compare with the same budget, several seeds and your validation patients.

# %% [markdown]
# ## In practice
#
# Before a model is used anywhere but where it was made:
#
# 1. **Look at the target's images first.** Twenty of them, beside twenty of your training set, in the same window. It takes minutes and finds the window, the orientation, the padding, the field of view.
# 2. **Measure the shift.** Some of it shows in the images alone, with no mask:


# %% nbval_tolerance=0.02
def describe(subset):
    probabilities = np.asarray(model.predict(subset.images, verbose=0))
    return {
        "pixel (mm)": subset.spacing[:, 0].mean(),
        "mean gray": subset.images.mean(),
        "noise (HU)": 1500 * np.median(np.abs(np.diff(subset.images[:, 40:88, 40:88, 0], n=2))),
        "unsure pixels (%)": 100 * (probabilities.max(axis=-1) < 0.9).mean(),
    }


signs = pd.DataFrame({name: describe(one) for name, one in versions.items()}).T
signs["lung lost"] = [0.0, *(-lost["lung"].mean())]
signs.round(2) + 0.0  # no -0.0

# %% [markdown]
# Each of the first four columns moves for *some* cause: the pixel for the wide field, the noise for low dose and sharp kernel, gray values and unsure pixels for the window. But the gray values move even more for the wide field, where next to nothing of the lung is lost. Motion is the other way round: all four are nearly as in the standard scans, and a few hundredths of Dice are gone. The noise is highest where next to nothing is lost. Such signs raise an alarm; they do not measure the Dice.
#
# 3. **Validate again, there.** Outline patients of the target, a dozen at least, drawn at random and not those at hand; report Dice per patient with an interval, as in notebook 05. No shortcut replaces this.
# 4. **Undo, augment, new averages, fine-tune**, in this order of cost; then validate once more, on patients that none of it has used, *and* on your old ones.
# 5. **Write it down.** The [model card](../book/ethics_and_model_card.md) names scanner, kernel, dose, slice thickness, window and the patients of the training set. A reader of "lung Dice 0.98" must be able to see where it was measured.
#
# <div class="alert alert-warning">
#
# All patients here are synthetic. Which cause hurts how much holds for *this* network and *this* phantom; a real scanner's artifacts are richer, and people differ in more ways. What carries over is the procedure. Nothing here is a clinical tool.
#
# </div>

# %% [markdown]
# ## Take-aways
#
# - A test score belongs to a scanner, a protocol and a population. Anywhere else it has to be measured again.
# - What hurts is not what looks bad. Noise cost the lung a hundredth, another window seven times as much.
# - Compare the same patients, and give the interval of the *differences*.
# - What varied in training cost little here, and the worst losses came from what never varied, window and motion. That is a reason to look for what never varies, but not a law: beam hardening never occurred in training either, and cost the lung nothing.
# - Undo what is known (window, spacing), augment for what can be foreseen, fine-tune on a few patients for the rest, and test whether it helped. New averages for batch normalization repaired a change of gray values, and did harm where the pictures showed something else.
# - Fine-tune with a small learning rate, and measure the old domain as well: networks forget.

# %% [markdown]
# ## Questions to test yourself
#
# 1. Lung Dice is 0.98 in hospital A and 0.95 in B, and the two intervals overlap. May you say that the network works as well in B?
#
#    - A. No, the overlap does not show it.
#    - B. Yes, as the intervals overlap.
#    - C. Yes, if the patients of B are paired with those of A.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Overlapping intervals do not prove equality. Ask how large a difference the interval of the difference allows.
# - **Not B:** an overlap may only mean that there are too few patients to see the difference.
# - **Not C:** they are other patients, so there are no pairs.
#
# </details>
#
# 2. A colleague doubles the training set with further patients of the same scanner. What does that do for a shift to another scanner?
#
#    - A. Probably little: the new patients differ in other things.
#    - B. It halves the loss of Dice, as twice as much is learned.
#    - C. It makes the shift worse, as the network overfits the scanner.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** What never varies in training, a network has no reason to ignore. More patients help against differences between *patients*.
# - **Not B:** no such rule exists, and the new patients show nothing of what the other scanner does.
# - **Not C:** it knew only this scanner before, and it knows only this one now.
#
# </details>
#
# 3. Pictures from B look grainier than yours. Someone proposes to train with added noise. What do you do first?
#
#    - A. Train with noise: it does no harm.
#    - B. Remove the noise with a filter.
#    - C. Measure whether noise costs anything.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Outline a few patients of B, or add noise to your own. In this notebook the scans at low dose looked worst, and the lung lost a hundredth of Dice.
# - **Not A:** it costs a training, and each augmentation of this notebook cost a little on the standard scans. First find out whether there is anything to cure.
# - **Not B:** a filter makes other pictures again, blurred ones, which the network has not seen either.
#
# </details>
#
# 4. Images arrive as PNG with lung and air both black. Can the window be undone?
#
#    - A. Yes, if level and width are known.
#    - B. No, not even if level and width are known.
#    - C. Yes, by fine-tuning on a few of these images.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Both were cut off at the lower end, and the difference is no longer in the file. Ask for the DICOM files.
# - **Not A:** this undoes the scaling between the two ends. What lay below became one value, and one value cannot become two again.
# - **Not C:** no network finds in the pixels what is not there. It can only guess the lung from its surroundings.
#
# </details>
#
# 5. After fine-tuning on five patients of B the score in B rises by 0.04. Which two numbers are still missing?
#
# <details><summary>Answer</summary>
#
# An interval over patients that were not among the five, and the score in A, which may have fallen.
#
# </details>
#
# 6. Why do you have to think of batch normalization when you freeze layers?
#
# <details><summary>Answer</summary>
#
# Its moving averages describe the old gray values. Frozen, Keras uses these averages and leaves them as they are; not frozen, they drift with every batch, even where the convolutions are fixed.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Hofmanninger and others (2020) {cite:p}`hofmanninger2020lung`: lungs in routine CT are a problem of diverse data, not of the method.
# - Zech and others (2018) {cite:p}`zech2018variable`: a pneumonia detector recognizes the hospital, and fails in another.
# - Zhang and others (2020) {cite:p}`zhang2020unseen`: strong augmentation, gray values above all, as a remedy for unseen domains.
# - Li and others (2018) {cite:p}`li2018adabn`: new averages for batch normalization.
# - Yosinski and others (2014) {cite:p}`yosinski2014transferable`: which layers of a network transfer.
# - Raghu and others (2019) {cite:p}`raghu2019transfusion`: what pre-training on photographs does for medical images, and what it does not.
# - Sandler and others (2018) {cite:p}`sandler2018mobilenetv2`: MobileNetV2.

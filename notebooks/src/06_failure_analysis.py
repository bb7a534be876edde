# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 Failure analysis
#
# Where does the network fail, and why?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - rank the cases and look at the worst first,
# - say where the errors lie and which objects are missed, by size, contrast, position and dose,
# - give an error a name and say what each kind costs,
# - walk from "my mask is all black" to its cause,
# - explain a training run that stands at 50 % accuracy, and catch it in a minute.
#
# **You need before:** Dice, precision and recall ([notebook 05](05_evaluation.ipynb)); what a training is ([notebook 04](04_gpu_training.ipynb)).
#
# **Minutes:** 50 to read, 2 to run on two cores.
#
# **The misconception it removes:** "The accuracy stays at one half, so the network is too small or the training too short."
#
# </div>

# %%
from unet_helpers import evaluate, load_checkpoint, load_dataset, predict_masks

data = load_dataset("phantom")
model = load_checkpoint()
validation = data.validation
predictions = predict_masks(model, validation.images)

# %% mystnb={"image": {"alt": "Two rows of four panels: image, ground truth, prediction and errors. Top: a slice near the tips of the lungs with a nodule that is missing in the prediction. Bottom: a slice at the lower end of the lungs; the errors are thin lines along the edges, and a small nodule that is missing."}, "figure": {"caption": "The worst slice for the nodule class (top) and for the lung class (bottom) among the validation patients."}}
from unet_helpers import plotting

slices = evaluate(None, validation, data.class_names, by="slice", predictions=predictions)
with_object = slices.cases[slices.cases["true_pixels"] > 0]
with_object = with_object.sort_values(["dice", "true_pixels"], ascending=[True, False])
worst = [with_object[with_object["class"] == name]["case"].iloc[0] for name in ("nodule", "lung")]
rows = [validation.case_ids.tolist().index(case) for case in worst]
plotting.show_predictions(
    validation.images[rows], validation.masks[rows], predictions[rows], spacings=validation.spacing[rows], panel=2
)

# %% [markdown]
# An average hides these two pictures. In the first a nodule is lost, and the Dice of the nodule class is 0. The second is the worst for the lungs, and one has to look closely: the errors are thin lines, and the Dice of the lung class is still above 0.9. This notebook takes the errors apart.
#
# It looks at the **validation** patients. The test patients were opened once, in notebook 05, and stay closed: what you look at in order to repair your model is no test any more.

# %% [markdown]
# ## The worst cases first
#
# Dice of each patient, one point per patient and class:

# %% mystnb={"image": {"alt": "Dice per patient for lung and nodule. All lung points lie close together just below one; the nodule points are spread from zero to about 0.85."}, "figure": {"caption": "Dice of the validation patients."}}
patients = evaluate(None, validation, data.class_names, predictions=predictions)
plotting.show_cases(patients)

# %% [markdown]
# Two classes, two stories. The lung is good in every patient. The nodules are good in some patients and lost altogether in others; a mean over such a class describes nobody. (A patient without a nodule, in whom none was predicted, has no point: 0/0.)

# %% mystnb={"image": {"alt": "Six close-ups of nodules, outlined in yellow. In most of them there is no dashed line of a prediction, and the nodule is filled in blue: it was missed. Several of them are hardly brighter than the lung around them."}, "figure": {"caption": "The six worst slices that hold a nodule, worst first. Yellow: ground truth; dashed: prediction; blue: missed."}}
worst = with_object[with_object["class"] == "nodule"]["case"].iloc[:6]
rows = [validation.case_ids.tolist().index(case) for case in worst]
examples = {}
for k in rows:
    truth, predicted = validation.masks[k] == 2, predictions[k] == 2
    examples[validation.case_ids[k]] = (validation.images[k], truth, predicted, truth != predicted)
plotting.show_kinds(examples, columns=3, panel=2.4)

# %% [markdown]
# Look at such pictures before you compute anything else. Small nodules, faint nodules, nodules beside a vessel: a suspicion about the cause comes from looking. Whether it is right, numbers must say. That is the rest of this part.

# %% [markdown]
# ## Where are the errors?
#
# `error_map` gives every pixel one of four labels: 0 true negative, 1 true positive, 2 false positive, 3 false negative. A small example, before the large picture:

# %%
import numpy as np

from unet_helpers.failures import error_map

truth = np.array([[0, 1, 1, 0], [0, 1, 1, 0]])
error_map(truth, np.array([[0, 1, 0, 0], [0, 1, 1, 1]]))

# %% [markdown]
# One 3 for the true pixel that was left out, one 2 for the pixel that was added. Averaged over all slices, the labels become a map of the trouble spots:

# %% mystnb={"image": {"alt": "Three maps over the chest. The share of slices in which a pixel is lung shows two lungs; the map of wrong lung pixels shows thin lines along the edges of both lungs, brightest at the inner edges beside the heart; the map of wrong nodule pixels shows a few scattered spots inside the lungs."}, "figure": {"caption": "Where the lungs are, and how often a pixel is wrong, over all validation slices. Brighter is more often."}}
wrong = {name: (validation.masks == i) != (predictions == i) for i, name in enumerate(data.class_names)}
maps = [(validation.masks > 0).mean(axis=0), wrong["lung"].mean(axis=0), wrong["nodule"].mean(axis=0)]
plotting.show_images(
    [share / share.max() for share in maps], ["share of lung", "lung wrong", "nodule wrong"], columns=3, panel=2.6
)

# %% [markdown]
# The lung errors draw the outline of the lungs, and most of all its inner side. The nodule errors are spots, because nodules are rare and sit anywhere. So the lung class fails **at its boundary**. How near to it?

# %%
from unet_helpers.failures import distance_to_boundary

distances = np.stack([distance_to_boundary(m == 1, s) for m, s in zip(validation.masks, validation.spacing)])
lung_distances = distances[wrong["lung"]]
round(float((lung_distances < 3).mean()), 1)

# %% [markdown]
# Nine tenths of the wrong lung pixels lie within 3 mm of the true boundary, and a pixel is about 3 mm wide here: most errors of the lung class are one pixel deep. Where exactly the edge runs is a question of the blur of the scanner and of the pixel grid; two readers who outline the same lung disagree as well. The tenth that lies further in or out is worth a look.

# %% mystnb={"image": {"alt": "A falling curve: the share of wrong lung pixels that are further from the boundary than a tolerance between 0 and 15 mm. It falls steeply within the first three to four millimeters and is close to zero after ten."}, "figure": {"caption": "How much of the lung error is left when errors within a tolerance of the true boundary are forgiven."}}
tolerances = np.linspace(0, 15, 61)
with plotting.figure(width=4.5, height=2.8) as (fig, axes):
    axes[0, 0].plot(tolerances, [(lung_distances > t).mean() for t in tolerances], color="#0072B2")
    axes[0, 0].set(xlabel="tolerance (mm)", ylabel="share of errors left", ylim=(0, 1.02))
fig

# %% [markdown]
# Move the tolerance yourself. The picture is the slice with the most lung errors far from the boundary; what is left at a large tolerance is what deserves your time.

# %% mystnb={"image": {"alt": "A slider for the tolerance above a chest slice in which the wrong lung pixels are colored; with a larger tolerance fewer of them are left."}, "figure": {"caption": "Errors of the lung class beyond a tolerance, in one slice."}}
from unet_helpers.widgets import explore

k = int((wrong["lung"] * np.minimum(distances, 30)).sum(axis=(1, 2)).argmax())
errors = error_map(validation.masks[k] == 1, predictions[k] == 1)
frames = []
for tolerance in (0, 2, 4, 6, 8, 12):
    with plotting.figure(panel=3.2) as (fig, axes):
        plotting.draw_image(axes[0, 0], validation.images[k], validation.spacing[k])
        plotting.draw_errors(axes[0, 0], errors * (wrong["lung"][k] & (distances[k] > tolerance)))
    frames.append(fig)
explore(frames, ["0 mm", "2 mm", "4 mm", "6 mm", "8 mm", "12 mm"], "tolerance")

# %% [markdown]
# ### By level in the body
#
# The slices of a patient run from the tips of the lungs (level 0) to the diaphragm (level 7). Where is the network worst? Two measures: the Dice, and the wrong pixels per pixel of true boundary.

# %% mystnb={"image": {"alt": "Two curves over the level from 0, the tips of the lungs, to 7, the diaphragm. Left: the Dice is lowest at both ends and dips a little in the middle. Right: the wrong pixels per boundary pixel peak in the middle, at levels 3 and 4, at almost twice the value of the tips."}, "figure": {"caption": "Lung errors by level. Left: mean Dice. Right: wrong pixels per pixel of true boundary."}}
import pandas as pd
from scipy import ndimage

levels = np.array([int(case[-2:]) for case in validation.case_ids])
edges = np.stack([mask & ~ndimage.binary_erosion(mask) for mask in validation.masks == 1])
dice_by_level = slices.of_class("lung")["dice"].groupby(levels).mean()
per_edge = pd.Series(wrong["lung"].sum(axis=(1, 2)) / edges.sum(axis=(1, 2))).groupby(levels).mean()
with plotting.figure(1, 2, width=7, height=2.6) as (fig, axes):
    dice_by_level.plot(ax=axes[0, 0], marker="o", ylabel="Dice", xlabel="level", ylim=(0.95, 1))
    per_edge.plot(ax=axes[0, 1], marker="o", ylabel="wrong per boundary pixel", xlabel="level", ylim=(0, 0.5))
fig

# %%
assert per_edge.idxmax() in (3, 4) and dice_by_level.idxmin() in (0, 7)

# %% [markdown]
# They disagree. The Dice is lowest at the two ends, where the lungs are small or thin: there the same error of one pixel weighs more. The boundary itself is worst in the **middle**, at the root of the lungs, where vessels and airways enter and the image shows no clear edge. The Dice hardly shows it, because the lungs are large there. Count the errors per boundary pixel before you say where a network is weak.

# %% [markdown]
# ## Which nodules are missed?
#
# For nodules the question is first whether they are found at all. `tabulate_objects` lists every true object with its size and the share of it that was predicted.

# %%
from unet_helpers.failures import tabulate_objects

nodules = tabulate_objects(validation, predictions, index=2)
len(nodules), len(validation.patients)

# %% [markdown]
# So many nodule cross-sections, in so many patients: too few to say at which size the network begins to see. With patients you would now go and annotate more. The phantom can simply be asked for more: patients 49 to 72 of the same family, whom neither training nor test has seen.

# %%
from unet_helpers.datasets import subset_of_patients
from unet_helpers.phantom import make_patient

more_patients = [make_patient(0, index=index) for index in range(48, 72)]
more = subset_of_patients(more_patients)
more_predictions = predict_masks(model, more.images)
nodules = tabulate_objects(more, more_predictions, index=2)
nodules.drop(columns="patient").round(2).head(3)

# %% [markdown]
# One row per nodule cross-section: its center in pixels, its diameter in mm, its contrast to the surroundings on the scale of the image (1 is 1500 HU), and how much of it is covered. `found` means that any pixel is covered, which is generous: a single pixel by luck counts. Say what you count as found, before you count. Here: a third of the nodule.

# %%
nodules["found"] = nodules["covered"] > 1 / 3
nodules["size"] = pd.cut(nodules["diameter_mm"], [0, 8, 12, 16, 40], labels=["< 8 mm", "8–12", "12–16", "> 16"])
by_size = nodules.groupby("size", observed=True)["found"].agg(["size", "sum", "mean"])
by_size.set_axis(["nodules", "found", "recall"], axis=1).round(2)

# %% [markdown]
# The recall rises with the size, as expected: a nodule of 8 mm is four or five pixels in this image. But size is not the whole story, because between 8 and 16 mm some are found and others are missed.

# %% [markdown]
# ### By contrast
#
# Some nodules are bright, others a faint haze. Split by both, at 300 HU and at 12 mm:

# %%
nodules["HU"] = nodules["contrast"] * 1500
nodules["contrast"] = np.where(nodules["HU"] < 300, "< 300 HU", "> 300 HU")
nodules["large"] = np.where(nodules["diameter_mm"] > 12, "> 12 mm", "< 12 mm")
nodules.groupby(["contrast", "large"])["found"].agg(["size", "mean"]).unstack().round(2)

# %% mystnb={"image": {"alt": "Each nodule as a point: diameter in mm on the horizontal axis, contrast in HU on the vertical axis. Circles for found nodules fill the right and the upper middle, crosses for missed nodules lie at the left at every contrast, and along the bottom up to 16 mm, with a last one near 30 mm."}, "figure": {"caption": "Size and contrast of each nodule. Circles: found; crosses: missed."}}
with plotting.figure(width=5, height=3.2) as (fig, axes):
    for found, marker, color in ((True, "o", "#0072B2"), (False, "x", "#D55E00")):
        part = nodules[nodules["found"] == found]
        axes[0, 0].scatter(
            part["diameter_mm"], part["HU"], marker=marker, color=color, label="found" if found else "missed"
        )
    axes[0, 0].axhline(300, color="#999999", linestyle=":")
    axes[0, 0].set(xlabel="diameter (mm)", ylabel="contrast (HU)")
    axes[0, 0].legend(frameon=False)
fig

# %% [markdown]
# There it is. Of the nodules that are bright **and** larger than 12 mm nearly all are found. Of the small ones few are, bright or faint; and those of the faint ones that are found are large. Two causes, and two remedies: small nodules need more pixels (a finer image), faint ones need more examples like them, or another window. The mean Dice told nothing of this.
#
# What are the faint ones? The phantom keeps a list of its nodules; a real study would ask a radiologist.

# %%
kind_of = {(p.patient_id, round(n.center[0])): n.kind for p in more_patients for n in p.nodules}
nodules["kind"] = [kind_of.get((case[:4], int(case[-2:])), "unknown") for case in nodules["case"]]
nodules.groupby("kind")["found"].agg(["size", "sum"]).set_axis(["nodules", "found"], axis=1)

# %% [markdown]
# The faint ones are the ground-glass nodules: a haze that lets the vessels show through, with a density between air and tissue. Fewer than half of them were found, nearly all of these large, against two thirds of the others. That is a sentence a user can work with, and the mean Dice is not: *of ground-glass nodules this model sees the large ones only.*

# %% [markdown]
# ### By dose
#
# Did noise play a part? Comparing patients scanned with little dose to patients scanned with much would mix up the dose with everything else in which these patients differ. A phantom allows the experiment that no ethics board would: scan the **same** patient twice.

# %%
from dataclasses import replace

rescans = {}
for photons in (150_000, 15_000, 3_000):
    scans = [
        make_patient(0, index=48 + i, acquisition=replace(more_patients[i].acquisition, photons=photons))
        for i in range(6)
    ]
    rescans[photons] = subset_of_patients(scans)

# %% mystnb={"image": {"alt": "The same chest slice three times, at falling dose. The anatomy is the same; the noise grows from left to right, and on the right streaks run through the shoulders or the spine."}, "figure": {"caption": "One slice of one patient at three doses (photons per detector element and angle)."}}
k = int((rescans[3_000].masks == 2).sum(axis=(1, 2)).argmax())
plotting.show_images(
    [scan.images[k] for scan in rescans.values()], [f"{n} photons" for n in rescans], columns=3, panel=2.6
)

# %%
table = {}
for photons, scan in rescans.items():
    found = predict_masks(model, scan.images)
    summary = evaluate(None, scan, data.class_names, predictions=found).summary()
    recall = (tabulate_objects(scan, found, index=2)["covered"] > 1 / 3).mean()
    table[photons] = (summary.loc["lung", "mean"], summary.loc["nodule", "mean"], recall)
pd.DataFrame(table, index=["lung Dice", "nodule Dice", "nodules found"]).round(2)

# %% [markdown]
# The lung does not mind. The nodules are found as often at a tenth of the dose, and hardly less often at 3,000 photons, far below anything in the training set; their Dice goes up and down, as a mean over so few nodules does. So the missed nodules of this model are **not** a matter of dose. Without the second scan of the same patients we could not have said so.

# %% [markdown]
# ## Kinds of failure, with names
#
# "Wrong" is no diagnosis. `classify_errors` gives every wrong pixel of one class one of five names:

# %%
from unet_helpers.failures import KINDS, classify_errors

for kind, meaning in KINDS.items():
    print(f"{kind:<14} {meaning}")

# %% [markdown]
# Found by a rule, not by taste: of each kind the slice and the class in which it covers the most pixels.

# %% mystnb={"image": {"alt": "Close-ups of errors, one per kind: a nodule that is not predicted at all, a predicted island with no true object, a lung whose edge is one pixel off, a true region left out of the prediction, and a prediction that covers a place beyond the true edge."}, "figure": {"caption": "The largest example of each kind. Yellow: ground truth; dashed: prediction; filled: the error."}}
maps = {}
for k in range(len(more)):
    for c in (1, 2):
        maps[k, c] = classify_errors(more.masks[k] == c, more_predictions[k] == c, more.spacing[k])
examples = {}
for kind in KINDS:
    k, c = max(maps, key=lambda at: maps[at][kind].sum())
    if maps[k, c][kind].any():
        title = f"{kind}\n({data.class_names[c]})"
        examples[title] = (more.images[k], more.masks[k] == c, more_predictions[k] == c, maps[k, c][kind])
plotting.show_kinds(examples, columns=3, panel=2.5)

# %% [markdown]
# Each kind has another remedy. A *missed object* asks for more examples like it, or for a loss that weighs it. A *false island* asks for more slices without the object, or for a rule on size. A *boundary* error may ask for nothing. A *leak* or a *hole* points at an edge that the image does not show, or at another class: a nodule that was taken for lung is a missed object of one class and a leak of the other.

# %% mystnb={"image": {"alt": "Two groups of bars, the share of wrong pixels per kind for lung and for nodule. Nearly all wrong lung pixels are boundary errors; of the wrong nodule pixels about two thirds are, and the rest are missed objects, false islands and holes."}, "figure": {"caption": "What the wrong pixels of each class are."}}
from unet_helpers.failures import tabulate_errors

kinds = (
    tabulate_errors(more, more_predictions, data.class_names).groupby(["class", "kind"])[["pixels", "objects"]].sum()
)
share = (kinds["pixels"] / kinds["pixels"].groupby("class").transform("sum")).unstack("class").loc[list(KINDS)]
with plotting.figure(width=6, height=2.8) as (fig, axes):
    share.plot.barh(ax=axes[0, 0], color=plotting.CLASS_COLORS[1:3], legend=True)
    axes[0, 0].set(xlabel="share of the wrong pixels", ylabel="", xlim=(0, 1))
    axes[0, 0].invert_yaxis()
fig

# %% [markdown]
# Nine tenths of the wrong lung pixels are boundary. Of the wrong nodule pixels about two thirds are boundary and most others are missed objects; false islands are fewer. This network misses more than it invents.

# %% [markdown]
# ### Exercise 06.1: name the kind
#
# Four pairs of masks, each with one kind of error in the main. Write the name of the kind beside each letter.

# %% mystnb={"image": {"alt": "Four small drawings of a true outline and a dashed predicted outline with the wrong pixels filled. A: the prediction is a slightly smaller disk. B: of two true disks one is not predicted. C: a predicted disk with a gap inside. D: a bar runs from the predicted disk out to the right."}, "figure": {"caption": "Yellow: ground truth; dashed: prediction; filled: errors."}}
from unet_helpers.checks import failure_analysis as check

blank = np.full((32, 32, 1), 0.3)
plotting.show_kinds(
    {letter: (blank, *pair, pair[0] != pair[1]) for letter, pair in check.riddles().items()}, crop=32, panel=1.9
)

# %%
names = {"A": ..., "B": ..., "C": ..., "D": ...}
check.name_the_kind(names)

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
names = {"A": "boundary", "B": "missed object", "C": "hole", "D": "leak"}
check.name_the_kind(names)

# %% [markdown]
# ### Exercise 06.2: which kind costs the most Dice?
#
# Pixels are not yet Dice. Ask it this way: if a magician repaired all errors of **one** kind, and no other, how far would the Dice rise? Write the magician: a function that returns the prediction with the errors of one kind replaced by the truth. `classify_errors(truth, prediction)[kind]` is the map of these errors.


# %%
def repair(truth, prediction, kind):
    return ...


check.repair(repair)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def repair(truth, prediction, kind):
    return np.where(classify_errors(truth, prediction)[kind], truth, prediction)


check.repair(repair)

# %% [markdown]
# `dice_by_repair` does this for all slices together, with their spacing:

# %%
from unet_helpers.failures import dice_by_repair

costs = pd.DataFrame({name: dice_by_repair(more, more_predictions, i) for i, name in ((1, "lung"), (2, "nodule"))})
costs.round(2)

# %% [markdown]
# For the lung only the boundary matters: repair it, and the Dice is 1. For the nodules the boundary costs far more than the missed objects. To a patient it is the other way round: an outline that is thin by a pixel is still a finding, a missed nodule is none. The Dice cannot tell; the kinds can.

# %% [markdown]
# ## "My mask is all black"
#
# The most frequent cry for help in the forums around U-Net. It has half a dozen causes, and they can be asked in order, the cheapest and most frequent first. `why_black` asks them. First a case where nothing is wrong:

# %%
from unet_helpers.failures import why_black

k = int((validation.masks == 2).sum(axis=(1, 2)).argmax())
images, masks = validation.images[k : k + 1], validation.masks[k : k + 1]
findings = why_black(model, images, masks)
len(findings), sum(finding.suspicious for finding in findings)

# %% [markdown]
# Six questions, nothing suspicious. Now four ways to a black picture, each in one line.
#
# **Cause 1: only the display.** A mask holds 0, 1 and 2. A viewer that shows 255 as white shows 2 as black.

# %% mystnb={"image": {"alt": "Two panels. Left: an all-black square, the predicted mask shown with white at 255. Right: the same mask shown with white at 2: two lungs in gray, and a nodule in white."}, "figure": {"caption": "The same predicted mask, shown with two different scales."}}
predicted = predict_masks(model, images)
with plotting.figure(1, 2) as (fig, axes):
    plotting.draw_image(axes[0, 0], predicted[0], limits=(0, 255), title="vmax=255")
    plotting.draw_image(axes[0, 1], predicted[0], limits=(0, 2), title="vmax=2")
fig


# %%
def first_suspect(findings):
    return next((finding.question for finding in findings if finding.suspicious), "nothing suspicious")


first_suspect(why_black(model, images, masks, displayed=predicted))

# %% [markdown]
# Nothing was wrong with the network. `np.unique(mask)` before any picture would have said so.
#
# **Cause 2: masks stored as 0 and 255**, and used for training as they are. The binary cross-entropy then has no lower bound, and training runs away.

# %%
first_suspect(why_black(model, images, np.where(masks > 0, 255, 0)))

# %% [markdown]
# **Cause 3: images in HU**, for a network that was trained on values from 0 to 1.

# %%
hu = load_dataset("phantom", window=None).validation.images[k : k + 1]
unscaled = why_black(model, hu, masks)
first_suspect(unscaled)

# %% mystnb={"image": {"alt": "The same chest slice twice with predicted masks. Left, from the scaled image: two lungs and a nodule, outlined correctly. Right, from HU: lung color over the air around the patient and nodule color over the whole chest wall."}, "figure": {"caption": "What the network makes of the scaled image (left) and of the same image in HU (right)."}}
plotting.show_images(
    [images[0]] * 2,
    ["scaled to 0–1", "in HU"],
    [predicted[0], predict_masks(model, hu)[0]],
    data.class_names,
    panel=2.8,
)

# %% [markdown]
# The network raises no error. What comes out is nonsense here, and just as often black: which of the two is chance.
#
# **Cause 4: a threshold that is too high.** A network can be shy: it raises the probability at the right place, but not to one half. Here is the map of one class alone, the nodule, in the slices where it stays below 0.4 everywhere although there is a nodule. Of these, the one with the clearest trace:

# %%
import keras

nodule_map = keras.Model(model.input, model.output[..., 2:])
probabilities = nodule_map.predict(more.images, verbose=0)[..., 0]
nodule = more.masks == 2
trace = np.where(
    nodule.any(axis=(1, 2)) & (probabilities.max(axis=(1, 2)) < 0.4), (probabilities * nodule).max(axis=(1, 2)), 0
)
shy = int(trace.argmax())
first_suspect(why_black(nodule_map, more.images[shy : shy + 1], nodule[shy : shy + 1].astype(int)))

# %% mystnb={"image": {"alt": "Left: a close-up of a lung with the outline of a small nodule. Right: the probability map of the nodule class for the same close-up, black but for a small gray spot inside the outlined place."}, "figure": {"caption": "A nodule that is missed at a threshold of one half, and its trace in the probabilities (right, white is 0.5)."}}
row, column = np.argwhere(nodule[shy]).mean(axis=0).astype(int)
part = np.s_[row - 16 : row + 16, column - 16 : column + 16]
plotting.show_images(
    [more.images[shy][part], probabilities[shy][part] * 2],
    ["image and ground truth", "nodule probability"],
    [2 * nodule[shy][part], None],
    panel=2.4,
)

# %% [markdown]
# The information is there; the cut is in the wrong place. Lowering the threshold finds this nodule and more false islands with it. Where to cut is a decision about costs (notebook 12); to make the network less shy is a matter of the loss (notebook 07).

# %% [markdown]
# The answers make a tree. Here it is for the images in HU: down as long as all is well, to the right for the remedy. The **first** suspicious answer is the cause to mend; what is suspicious below it is often its consequence.

# %% mystnb={"image": {"alt": "A column of six boxes with questions, joined by arrows from top to bottom: is it only the display, are the mask values class indices, do the masks hold an object, are the images in the range of training, does the output vary, would a lower threshold show it. The fourth box is orange and an arrow leads from it to the remedy: scale to 0 to 1 exactly as in training."}, "figure": {"caption": "The decision tree for a black mask, with its answers for images that were fed in HU."}}
plotting.show_findings(unscaled)

# %% [markdown]
# ### Exercise 06.3: the broken pipeline
#
# `pipeline.images` is what the network gets, and the masks come out black. `pipeline.steps` lists what happens to the HU on the way: windows as (level, width). Ask `why_black`, print its findings one a line, and find the number of the suspicious question (1 to 6) and the steps as they should be.

# %%
pipeline = check.broken_pipeline(hu, masks)
question, steps = ..., ...
check.cause_and_repair(question, steps)

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
print(*why_black(model, pipeline.images, pipeline.masks)[:4], sep="\n")
question, steps = 4, pipeline.steps[:1]
check.cause_and_repair(question, steps)

# %% [markdown]
# Windowed twice: values from 0 to 1 were taken for HU, and 0 HU to 1 HU is one shade of gray. No error, no warning, and a picture of the result would scale itself back to black and white. The range of the array gives it away.

# %% [markdown]
# ## A run that stands at 50 %
#
# A report from a student project: a U-Net for lungs, trained for 50 epochs, accuracy between 50.05 % and 50.2 % from the first epoch to the last. The masks, the report says, hold about 25 % foreground. The usual advice is more epochs, a larger network, another learning rate. Before you spend a night of computing, do the arithmetic.
#
# **First: what would a network score that has learned nothing?** It answers the same for every pixel.

# %% [markdown]
# ### Exercise 06.4: the best constant
#
# Write a function that takes the share of foreground and returns the best accuracy that a constant answer reaches, "all background" or "all foreground".


# %%
def best_constant(share):
    return ...


check.best_constant(best_constant)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def best_constant(share):
    return max(share, 1 - share)


check.best_constant(best_constant)

# %% [markdown]
# A network that has learned nothing but that background is frequent scores 75 % on such masks. **50 % is far below the score of knowing nothing.** A network that is too small, or trained too briefly, does not end there. Something else is wrong, and it is not the network.
#
# **Second: how far from one half may chance lead?** If every pixel is a coin toss, the accuracy of $n$ pixels has the standard deviation $\sqrt{0.25/n}$.

# %%
pixels = pd.Series({f"{n} × {size}²": n * size**2 for n, size in ((1, 128), (4, 256), (16, 256), (100, 256))})
pd.DataFrame({"pixels": pixels, "two standard deviations, %": (200 * np.sqrt(0.25 / pixels)).round(2)})

# %% [markdown]
# (Rows: number of slices × their size.) With a handful of slices, 50.05 to 50.2 % is what a coin gives. With a hundred slices a coin stays below 50.05 %, and a little more needs a little learning by heart, as we will see.

# %% [markdown]
# ### Five hypotheses, computed
#
# Each gives an accuracy that can be predicted before anything is trained. Here are masks with exactly a quarter of foreground, and the accuracy as Keras computes it.

# %%
from unet_helpers import one_hot

masks = np.zeros((16, 64, 64), np.uint8)
masks[:, 16:48, 16:48] = 1


def accuracy(targets, outputs):
    return round(float(keras.metrics.BinaryAccuracy()(targets, outputs)), 3)


float(masks.mean()), accuracy(masks, np.zeros(masks.shape))

# %% [markdown]
# **Collapse to background, on the masks as reported:** 75 %, as computed. Not our run.
#
# **A softmax over one channel.** A softmax divides by the sum over the channels. With a single channel this is a number divided by itself:

# %%
import warnings

with warnings.catch_warnings(record=True) as caught:
    outputs = keras.ops.softmax(np.random.default_rng(0).normal(size=(16, 64, 64, 1)), axis=-1)
float(outputs[0, 0, 0, 0]), accuracy(masks[..., None], outputs), str(caught[0].message).split(". ")[-1]

# %% [markdown]
# Every output is 1, so everything is foreground, and the accuracy is the share of foreground: 25 %. Recent versions of Keras warn, and ask the right question. Not our run either.
#
# **Two channels, one-hot masks and binary accuracy.** One-hot masks of two classes hold a 1 and a 0 at each pixel. If the network gives both channels the same answer, one of the two is right, at every pixel, whatever the image shows:

# %%
targets = one_hot(masks, 2)
{value: accuracy(targets, np.full(targets.shape, value)) for value in (0.1, 0.5, 0.9, np.nan)}

# %% [markdown]
# Exactly one half, even if the network has died and gives only NaN. (A softmax that leans to the background gives [0.75, 0.25], which is right in both channels at each background pixel: 75 % again.) It is a strong candidate: it stands still for 50 epochs. But it gives 0.500 to the last digit, and the report has 50.05 to 50.2.
#
# **Labels that have nothing to do with the image.** There are two sorts. If masks of *other* slices were paired with the images, a quarter is still foreground, and a constant still has 75 %. But if the labels are coin tosses, no answer whatever beats one half on new images. Such labels exist: they come from the line that stands in for the data until the data arrive.

# %%
rng = np.random.default_rng(0)
noise = rng.random((128, 64, 64, 1), dtype=np.float32)
coins = rng.integers(0, 2, (128, 64, 64, 1)).astype(np.float32)

# %% mystnb={"image": {"alt": "Two panels of gray and black-and-white noise: an image of random gray values and a mask of random black and white pixels. Neither shows any structure."}, "figure": {"caption": "An image and its mask from the placeholder data."}}
plotting.show_images([noise[0], coins[0]], ["image", "mask"], panel=2.4)

# %% [markdown]
# One look, and the case is closed. But the network does not look; it trains without a complaint.

# %% [markdown]
# ### The run, reproduced
#
# A small U-Net on a quarter of the resolution, so that a run takes seconds. The same function will train on noise and on the phantom: same network, same number of steps, same learning rate.

# %%
from unet_helpers import UNet


def small_unet(learning_rate=3e-3):
    keras.utils.set_random_seed(0)
    network = UNet((64, 64, 1), num_classes=1, base_filters=4, depth=2, dropout=0)
    network.compile(keras.optimizers.Adam(learning_rate), loss="binary_crossentropy", metrics=["accuracy"])
    return network


def short_run(images, masks):
    return small_unet().fit(images, masks, batch_size=16, epochs=10, validation_split=0.25, verbose=0).history


# %% tags=["nbval-ignore-output"]
slices_64 = data.train.images[:128, ::2, ::2]
lungs = (data.train.masks[:128, ::2, ::2, None] > 0).astype(np.float32)
runs = {"noise": short_run(noise, coins), "phantom": short_run(slices_64, lungs)}
{name: [round(value, 4) for value in run["val_accuracy"][-3:]] for name, run in runs.items()}

# %%
assert all(abs(value - 0.5) < 0.006 for value in runs["noise"]["val_accuracy"])
assert 0.5 < runs["noise"]["accuracy"][-1] < 0.54
assert runs["phantom"]["val_accuracy"][-1] > 0.93

# %% mystnb={"image": {"alt": "Left: accuracy per epoch from 0 to 1. The two curves for noise lie flat at one half, the curve for the phantom ends above 0.95. Right: the noise curves magnified around one half. Validation wanders inside the gray band of chance; training rises slowly above it."}, "figure": {"caption": "Left: the same network and budget on noise and on the phantom. Right: the noise run under the magnifying glass; the gray band is two standard deviations of chance for the validation pixels."}}
with plotting.figure(1, 2, width=7.5, height=3) as (fig, axes):
    epochs = np.arange(1, 11)
    for ax in axes[0]:
        ax.plot(epochs, runs["noise"]["accuracy"], color="#D55E00", linestyle="--", label="noise, training")
        ax.plot(epochs, runs["noise"]["val_accuracy"], color="#D55E00", label="noise, validation")
        ax.set(xlabel="epoch")
    axes[0, 0].plot(epochs, runs["phantom"]["val_accuracy"], color="#0072B2", label="phantom, validation")
    chance = 2 * np.sqrt(0.25 / coins[96:].size)
    axes[0, 1].axhspan(0.5 - chance, 0.5 + chance, color="#dddddd")
    axes[0, 0].set(ylim=(0, 1.02), ylabel="accuracy")
    axes[0, 0].legend(frameon=False, fontsize=8)
fig

# %% [markdown]
# On the left, the report: a flat line at one half. On the right, its digits. The validation accuracy stays within what chance allows. The training accuracy does not: it creeps above one half, by fractions of a percent, because even a small network learns some of the noise **by heart**. That is the fingerprint of the report: a little above one half, a little more at the end, and no gain on new images.
#
# The phantom, with the same network and the same few seconds, ends above 93 %. (The dip in its first epochs is the batch normalization, whose averages for prediction need some steps to arrive.)

# %% [markdown]
# ### Four checks of a minute each
#
# 1. **Look** at one image with its mask. You did.
# 2. **Compare with the best constant.** Equal or below: nothing was learned.
# 3. **Shuffle the masks** among the images and train again. If the result is the same, the masks never depended on the images.
# 4. **Overfit one image.** A network that cannot learn one image by heart is wired wrongly.


# %% tags=["nbval-ignore-output"]
def overfit(image, mask):
    return small_unet(1e-2).fit(image[None], mask[None], epochs=60, verbose=0).history["accuracy"][-1]


order = rng.permutation(128)
k = int(lungs.sum(axis=(1, 2, 3)).argmax())
checks = {}
for name, images, labels in (("noise", noise, coins), ("phantom", slices_64, lungs)):
    shuffled = short_run(images, labels[order])["val_accuracy"][-1]
    constant = best_constant(float(labels[96:].mean()))
    checks[name] = constant, runs[name]["val_accuracy"][-1], shuffled, overfit(images[k], labels[k])
checks = pd.DataFrame(checks, index=["best constant", "short run", "masks shuffled", "one image, by heart"])
checks.round(2)

# %%
gain = checks.loc["short run"] - checks.loc["best constant"]
lost = checks.loc["short run"] - checks.loc["masks shuffled"]
assert gain["phantom"] > 0.04 and abs(gain["noise"]) < 0.01
assert lost["phantom"] > 0.03 and abs(lost["noise"]) < 0.01
assert (checks.loc["one image, by heart"] > 0.85).all()

# %% [markdown]
# Read the columns. On noise, the run is no better than the constant, and shuffling changes nothing: there is nothing in these masks that the images could tell. On the phantom both checks show a clear difference. Shuffled lungs still beat the constant a little, because lungs lie in the same place in everybody.
#
# The last line deserves care: **the network learns one noise image by heart, too.** Overfitting one image tests the wiring (output layer, loss, mask values, learning rate), not the data. That it passes is what sends you to the data.

# %% [markdown]
# ### The verdict

# %%
noise_percent = 100 * runs["noise"]["val_accuracy"][-1]
shuffled_percent = 5 * round(20 * checks.loc["masks shuffled", "phantom"])
pd.DataFrame(
    [
        ("all background", "75", f"{100 * accuracy(masks, 0 * masks):.0f}", "the prediction is black"),
        ("softmax over one channel", "25", f"{100 * accuracy(masks[..., None], outputs):.0f}", "it is all foreground"),
        ("two channels alike", "50.00", f"{100 * accuracy(targets, 0 * targets):.2f}", "no digit ever moves"),
        ("masks of other slices", "constant or more", f"about {shuffled_percent}", "shuffling changes little"),
        ("coin tosses as masks", "50 and a little", f"{noise_percent:.0f} and a little", "look at one mask"),
    ],
    columns=["hypothesis", "predicted accuracy, %", "measured, %", "what tells it apart"],
)

# %% [markdown]
# (The fourth row is measured on the phantom, where the constant has 88 %.) Only the last row fits 50.05 to 50.2 %: the run looks like one on **placeholder noise**, on random images and random masks of half foreground, left in the code from the day before the data came. We do not have its data, so this is the explanation that fits, not a confession. The quarter of foreground would then describe masks that this run never saw. Fifty epochs, a larger network or another learning rate cannot mend that.
#
# The general lesson: predict the number that each explanation would give, **then** compare. It costs minutes, and no training.

# %% [markdown]
# ### Exercise 06.5: repair the output layer
#
# Another student's network for one foreground class stands at 25 % accuracy. Its last layer is `keras.layers.Conv2D(1, 1, activation="softmax")`. Write the layer as it should be.


# %%
def output_layer():
    return ...


check.output_layer(output_layer)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def output_layer():
    return keras.layers.Conv2D(1, 1, activation="sigmoid")


check.output_layer(output_layer)

# %% [markdown]
# ## From symptom to cause
#
# Keep this page beside you when you train on your own data.
#
# | symptom | first suspects | the quick test |
# |---|---|---|
# | the picture of the mask is black | class indices shown on a scale to 255 | `np.unique(mask)`; show with `vmax=num_classes - 1` |
# | the prediction is empty | images not scaled as in training; threshold; collapse to background | `images.min(), images.max()`; the highest probability; `why_black` |
# | loss negative or below any bound, IoU above 1 | masks 0/255, or several channels taken for one | `np.unique(masks)`, `masks.shape` |
# | accuracy high, no object found | class imbalance: the constant is that good | accuracy of the best constant; Dice per class |
# | accuracy at exactly one half | both channels alike, or NaN outputs, under binary accuracy | look at the outputs: `np.isnan(outputs).any()` |
# | accuracy near one half, creeping | masks independent of the images, balanced: placeholder data | look at one pair; shuffle the masks |
# | accuracy equal to the share of foreground | softmax over one channel; the mask inverted | minimum and maximum of the outputs |
# | loss frozen from the first step | learning rate, a dead activation, wrong output layer | overfit one image |
# | loss NaN | learning rate too high; NaN in the images; images in HU | `np.isfinite(images).all()`; a tenth of the learning rate |
# | training good, validation near the constant | overfitting, too little data; the pairing of the validation set | look at validation pairs; augmentation, fewer parameters |
# | validation as good as training, new patients bad | split by slice; another scanner | split by patient; histogram of the images |
# | outline right but shifted by a pixel or two | image and mask resized or augmented differently | overlay after every step of the pipeline |
# | islands far from the organ | too few empty slices in training | largest component; false islands per patient |
# | only small objects are missed | resolution; the loss sees few pixels of them | recall by size; another loss (notebook 07) |
# | metric and picture disagree | empty masks counted as 0 or 1; mean over slices against pooled | write out the counts of one case |
#
# And the habit behind it: one change at a time, one prediction written down before each run, and the worst cases looked at before the average is believed.

# %% [markdown]
# ## Take-aways
#
# - Look at the worst cases first, then count. Rank by patient, and use validation patients, not the test patients.
# - An error has a place (distance to the boundary, level, object) and a kind (missed object, false island, boundary, hole, leak). Kinds differ in cause, in cost and in remedy.
# - Recall by size and contrast says for which objects a model may be used. A single Dice does not.
# - "All black" has half a dozen causes; ask them in order, display and values first.
# - An accuracy of 50 % is no sign of a weak network. Compute what each explanation predicts, and what the best constant scores.
# - Overfitting one image tests the wiring; shuffling the masks tests the data.
#
# ## Questions to test yourself
#
# 1. A lung model has Dice 0.97, and nearly all wrong pixels lie within one pixel of the boundary. What would you improve next?
#
# <details><summary>Answer</summary>
#
# Probably not the outline: readers disagree by as much. Look at the few errors far from the boundary, and at the classes that are missed.
#
# </details>
#
# 2. Why does the Dice of the lung fall toward the tips of the lungs, although the errors per boundary pixel hardly change?
#
# <details><summary>Answer</summary>
#
# Small areas have more boundary per pixel of area. The same band of one wrong pixel is a larger share of a small lung.
#
# </details>
#
# 3. Patients who were scanned with little dose have a lower recall in your table. What else might explain it, and what would settle it?
#
# <details><summary>Answer</summary>
#
# They may differ in size, age, number and size of nodules, slice thickness, scanner. The same patients scanned twice would settle it, or adding noise to their images by computation.
#
# </details>
#
# 4. A two-class run with one-hot masks reports an accuracy of 0.5000 in every epoch. What do you look at first?
#
# <details><summary>Answer</summary>
#
# At the outputs. If both channels are alike, or all are NaN, binary accuracy is exactly one half whatever the image shows.
#
# </details>
#
# 5. Your network overfits one image to Dice 0.99, but stands at the best constant on the whole training set. Wiring or data?
#
# <details><summary>Answer</summary>
#
# The wiring works. Look at the data: are the pairs right, do the masks depend on the images at all? Shuffle the masks and compare.
#
# </details>
#
# ## Read more
#
# - Reinke et al. (2024) {cite:p}`reinke2024pitfalls`: pitfalls of validation metrics, with pictures of each.
# - Maier-Hein et al. (2024) {cite:p}`maierhein2024metrics`: which metric answers which question.
# - Isensee et al. (2024) {cite:p}`isensee2024revisited`: what is left of reported improvements under careful validation.
# - Kapoor and Narayanan (2023) {cite:p}`kapoor2023leakage`: leakage in seventeen fields, and how to notice it.
# - Armato et al. (2011) {cite:p}`armato2011lidc`: four readers outline the same nodules and differ; the error that no network can undercut.
# - The words of this page are in the [glossary](../book/glossary.md).

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
# # 05 Evaluation
#
# How good is a segmentation, in IoU and Dice?

# %% mystnb={"figure": {"caption": "A slice of a validation patient. Is this good? The two lungs look almost right; look at the nodule. (Red in the last picture also marks pixels with the wrong class, such as nodule taken for lung.)"}, "image": {"alt": "One row of four pictures of a synthetic chest CT slice: the image, the ground truth with blue lungs and an orange nodule, the prediction of the trained network, and the errors, which are a ring around the nodule and a few pixels at the inner boundaries of the lungs."}}
from unet_helpers import load_checkpoint, load_dataset, plotting, predict_masks

data = load_dataset("phantom")
validation = data.validation
model = load_checkpoint()
predictions = predict_masks(model, validation.images)

pick = (validation.masks == 2).sum(axis=(1, 2)).argmax()
at = [pick]
plotting.show_predictions(validation.images[at], validation.masks[at], predictions[at], spacings=validation.spacing[at])

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - count true and false positives and negatives, compute the usual metrics from them, and say what a published score hides,
# - choose a metric, a unit and an average by what the target is like, and treat empty masks on purpose,
# - choose a threshold by what a miss and a false alarm cost.
#
# **You need before** [notebook 01](01_data_pairing.ipynb) (cases and patients) and [notebook 04](04_gpu_training.ipynb) (where the trained network comes from).
#
# **Minutes:** 65 to read, with five exercises, 1 to run on two cores.
#
# **It removes a misconception:** "the score of a model is one number". It is a number *of* something: a metric, a class, and a way of averaging. ([Notebook 05b](05b_comparison.ipynb) asks how sure it is.)
#
# </div>
#
# The network is the small U-Net that comes with this series, trained on the synthetic training patients only.

# %%
print(data)

# %% [markdown]
# We use only the seven **validation** patients, with eight slices each. The **test** patients stay closed until everything has been decided ([notebook 05b](05b_comparison.ipynb)).

# %% [markdown]
# ## Count by hand
#
# Every overlap metric in this notebook is read off four counts. To see them, take two masks that are small enough to count by hand: the **ground truth**, which is what is there, and the **prediction**, which is what a network said.

# %% mystnb={"figure": {"caption": "Two masks and their comparison. TP: object, and found. FP: predicted, but not there. FN: there, but missed. TN: background, and left alone."}, "image": {"alt": "Three grids of four by four pixels: the ground truth with seven pixels of the object, the prediction with five, and the comparison, in which four pixels are marked TP, one FP, three FN and eight TN, each in its own color."}}
import numpy as np

truth = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]])
prediction = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]])
plotting.show_counts(truth, prediction)

# %% [markdown]
# *Positive* means "predicted as object", *true* means "rightly so". Count the letters in the right grid before you read on.

# %%
tp = np.sum((truth == 1) & (prediction == 1))
fp = np.sum((truth == 0) & (prediction == 1))
fn = np.sum((truth == 1) & (prediction == 0))
tn = np.sum((truth == 0) & (prediction == 0))
print(f"TP {tp}, FP {fp}, FN {fn}, TN {tn}")

# %% [markdown]
# **IoU**, intersection over union, asks: of all pixels that *either* mask holds, how many do *both* hold?
#
# $$\text{IoU} = \frac{|A \cap B|}{|A \cup B|} = \frac{TP}{TP + FP + FN}$$

#
# **Dice** asks nearly the same, but compares the shared pixels with the *average size* of the two masks; written without the average, they count twice:
#
# $$\text{Dice} = \frac{2\,|A \cap B|}{|A| + |B|} = \frac{2\,TP}{2\,TP + FP + FN}$$

# %%
from unet_helpers import dice, iou

print(f"IoU {tp} / ({tp} + {fp} + {fn}) = {tp / (tp + fp + fn):.3f}; package {iou(truth, prediction):.3f}")
both = 2 * tp + fp + fn
print(f"Dice {2 * tp} / ({2 * tp} + {fp} + {fn}) = {2 * tp / both:.3f}; package {dice(truth, prediction):.3f}")

# %% [markdown]
# The same two masks have an IoU of one half and a Dice of two thirds: a Dice must not be compared with someone else's IoU.
# The package's functions take two binary masks of one shape and refuse anything else, such as masks in 0/255 or probabilities.

# %% [markdown]
# ### Exercise 05.1: Dice from counts
#
# Write `dice_of(tp, fp, fn)`. Think of what it should return when both masks are empty: there is nothing to find, and nothing was found. (`float("nan")` is Python's "not a number".)
#
# <details><summary>Hint 1</summary>
#
# Twice the shared pixels stand above the line. What stands below it, in terms of the three counts? And which of the counts are 0 if both masks are empty?
#
# <details><summary>Hint 2</summary>
#
# The formula for Dice with TP, FP and FN stands above. Before you divide, ask whether the number below the line is 0, and return `float("nan")` only then. A nodule that was missed altogether has TP 0 as well, but its Dice is defined: it is 0.
#
# <details><summary>Hint 3</summary>
#
# Python writes such a choice in one line: `value if condition else other`.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import evaluation as check


def dice_of(tp, fp, fn):
    return ...


check.dice_from_counts(dice_of)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def dice_of(tp, fp, fn):
    size_of_both = 2 * tp + fp + fn
    return 2 * tp / size_of_both if size_of_both else float("nan")


check.dice_from_counts(dice_of)

# %% [markdown]
# ## One table, six numbers
#
# The four counts form a **confusion matrix**: rows say what is there, columns what was predicted. Here the rows are 4 and 3 (object: found, missed), and 1 and 8 (background: marked, left alone). All the usual metrics are ratios of these four numbers. `confusion_counts` makes the table, and its properties are the ratios.

# %%
import pandas as pd

from unet_helpers import confusion_counts

counts = confusion_counts(truth, prediction)
formulas = {
    "accuracy": "(TP + TN) / all",
    "precision": "TP / (TP + FP)",
    "recall": "TP / (TP + FN)",
    "f1": "2 · precision · recall / (precision + recall)",
    "dice": "2 TP / (2 TP + FP + FN)",
    "iou": "TP / (TP + FP + FN)",
}
values = [round(getattr(counts, name), 3) for name in formulas]
pd.DataFrame({"formula": formulas.values(), "value": values}, index=list(formulas))

# %% [markdown]
# **Precision**: of the pixels that were predicted as object, four in five are right. **Recall**: of the pixels of the object, a little more than half were found.
# **F1**, the harmonic mean of the two, and Dice are the same number: two fields found one formula and gave it two names.
#
# **Accuracy** is the only one in the table that counts TN, the background that was left alone. That makes it depend on how much background is in the picture:

# %%
wide_truth, wide_prediction = np.pad(truth, 6), np.pad(prediction, 6)
wide = confusion_counts(wide_truth, wide_prediction)
print(f"accuracy {counts.accuracy:.2f} → {wide.accuracy:.2f}, dice {counts.dice:.2f} → {wide.dice:.2f}")

# %% [markdown]
# Add six rows and columns of empty border on each side, and accuracy rises from three quarters to nearly one, although the object and the errors are the same. Dice does not move.

# %% [markdown]
# ### Exercise 05.2: the accuracy of finding nothing
#
# A network never predicts class `index`. What accuracy does it have for that class against the rest, on a mask of class indices, be it one slice `(H, W)` or a stack `(N, H, W)`? Write it as a function.
#
# <details><summary>Hint 1</summary>
#
# The network says "not this class" at every pixel. At which pixels is that right? Are the pixels of the *other* classes among them?
#
# <details><summary>Hint 2</summary>
#
# `mask != index` compares all pixels at once and gives an array of `True` and `False`. What you need is the share of `True` among all its pixels, whether it has two axes or three; the mean of such an array is this share.
#
# </details>
# </details>


# %%
def accuracy_of_nothing(mask, index):
    return ...


check.accuracy_of_nothing(accuracy_of_nothing)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def accuracy_of_nothing(mask, index):
    return (mask != index).mean()


check.accuracy_of_nothing(accuracy_of_nothing)

# %% [markdown]
# On the validation patients, for the nodules (this cell, and a later one, use your function: solve the exercise or run its solution first):

# %%
print(f"accuracy of never predicting a nodule: {accuracy_of_nothing(validation.masks, 2):.4f}")

# %% [markdown]
# A network that finds no nodule at all is right in more than 99.9 % of the pixels. So accuracy is high for every small object, found or not.

# %% [markdown]
# ### IoU or Dice?
#
# For one pair of masks the two say the same thing on different scales:
#
# $$\text{Dice} = \frac{2\,\text{IoU}}{1 + \text{IoU}}, \qquad \text{IoU} = \frac{\text{Dice}}{2 - \text{Dice}}$$

#
# So they rank two predictions of one case alike. For *averages* the formula fails. Take a good case with an IoU of 0.82 and a poor one with 0.05:

# %%
good, poor = 0.82, 0.05
mean_dice = (2 * good / (1 + good) + 2 * poor / (1 + poor)) / 2
mean_iou = (good + poor) / 2
print(f"mean Dice {mean_dice:.2f}; from the mean IoU: {2 * mean_iou / (1 + mean_iou):.2f}")

# %% [markdown]
# The two are a tenth apart, because the curve of Dice over IoU is bent: a published mean IoU cannot be turned into a mean Dice.

# %% [markdown]
# ## The trap: a score that sounds strong
#
# A public report on a lung U-Net, trained for ten epochs, gives four numbers for its test images and calls the result strong:

# %%
accuracy, precision, recall, f1 = 0.8623, 0.8133, 0.5872, 0.6820
print(f"harmonic mean of precision and recall: {2 * precision * recall / (precision + recall):.3f}")

# %% [markdown]
# The F1 is the harmonic mean of precision and recall, as it must be if all come from one table of counts. (It would also be if precision and recall were averaged over images, and the F1 computed from the averages; the report does not say.) *Suppose* that they come from one table. Then the numbers say what the report does not: how much lung was in the pictures.
#
# Let $s$ be the share of foreground, and measure all counts in shares of the pixels. Of the foreground, the share $r$, the recall, is found: $TP = s \cdot r$. The rest is missed: $FN = s\,(1-r)$.
# Precision is $p = TP/(TP+FP)$, so $FP = TP\,(1-p)/p$. Accuracy $a$ is the share of right pixels, so $1-a$ is the share of wrong ones, FN and FP together:
#
# $$1 - a = FN + FP = s\left[(1 - r) + r\,\frac{1-p}{p}\right]$$

# %% [markdown]
# ### Exercise 05.3: what the four numbers give away
#
# Solve the last equation for $s$, and write it as a function of accuracy, precision and recall.
#
# <details><summary>Hint 1</summary>
#
# In the equation all letters but $s$ are known numbers. What is done to $s$ on the right, and what undoes it?
#
# <details><summary>Hint 2</summary>
#
# Divide both sides by the bracket. It holds the wrong pixels for each pixel of the object: first the missed ones, then the false positives. To try your function out, take the two masks of 4×4 above: accuracy 0.75, precision 0.8 and recall 4/7 must give the share of object in the truth, 7 of 16.
#
# <details><summary>Hint 3</summary>
#
# Compute the bracket first, under a name of its own, and mind its fraction: `recall * (1 - precision) / precision`.
#
# </details>
# </details>
# </details>


# %%
def share_of_foreground(accuracy, precision, recall):
    return ...


check.share(share_of_foreground)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def share_of_foreground(accuracy, precision, recall):
    wrong_per_true_pixel = (1 - recall) + recall * (1 - precision) / precision
    return (1 - accuracy) / wrong_per_true_pixel


check.share(share_of_foreground)

# %%
share = share_of_foreground(accuracy, precision, recall)
print(f"foreground {share:.3f}; accuracy of 'all background' {1 - share:.3f}; IoU {f1 / (2 - f1):.3f}")

# %% [markdown]
# If all four come from one table, a quarter of the pixels is lung. Then a program that paints everything black already has an accuracy of 0.75, and the network adds eleven points to that. Its IoU is about one half, and four in ten lung pixels are missed. (If they are averages over images, nothing of this follows: not the quarter, not the 0.75, and not the IoU.)
#
# What does such a mask *look* like? Let us make two. In a picture of which a quarter is lung, we spoil the ground truth in two ways, with numbers chosen so that precision and recall come close to those of the report: shrink the lungs and shift them; or keep one lung, a little too thick, and lose most of the other.

# %%
from scipy import ndimage

example = (validation.masks > 0).sum(axis=(1, 2)).argmax()
lung, crop = validation.masks[example] > 0, np.s_[6:114]
lookalikes = {
    "shrunk and shifted": np.roll(ndimage.distance_transform_edt(lung) > 2.25, 9, axis=0),
    "one lung lost": (ndimage.distance_transform_edt(~lung) <= 2) & (np.arange(128) < 77),
}
print(f"lung {lung[crop].mean():.2f} of the picture")

# %% mystnb={"figure": {"caption": "Two masks with about the precision, recall, F1 and accuracy of the report. Top: lungs shrunk and shifted. Bottom: one lung almost lost. Nobody would call either strong."}, "image": {"alt": "Two rows of four pictures of the same cropped chest slice: image, ground truth, prediction and errors. In the first row the predicted lungs are too small and sit too low; in the second one lung is complete with a rim too much and most of the other is missing."}}
both = [mask[crop].astype(int) for mask in lookalikes.values()]
images, truths = [validation.images[example][crop]] * 2, [lung[crop].astype(int)] * 2
spacings = [validation.spacing[example]] * 2
plotting.show_predictions(images, truths, both, titles=list(lookalikes), spacings=spacings)

# %%
numbers = {"report": [accuracy, precision, recall, f1, f1 / (2 - f1)]}
names = ("accuracy", "precision", "recall", "f1", "iou")
for recipe, mask in lookalikes.items():
    table = confusion_counts(lung[crop], mask[crop])
    numbers[recipe] = [getattr(table, name) for name in names]
pd.DataFrame(numbers, index=names).round(2)

# %% [markdown]
# The columns agree to about two hundredths, and the pictures do not agree at all. Overlap says *how much* is wrong, not *where*. So look at pictures beside every number; to say where, we will need a distance.

# %% [markdown]
# ## Three classes
#
# With three classes the table of counts has three rows. Here it is for the patient of the first picture, all slices together.

# %% mystnb={"figure": {"caption": "Confusion matrix of one validation patient, all slices together. Each cell: pixels, and their share of the row. The diagonal is right, everything else is an error with a name."}, "image": {"alt": "A three by three table of pixel counts for one patient, rows are the true class, columns the predicted class. Nearly all background and lung pixels lie on the diagonal; the row of the nodule holds very few pixels, and a good part of them stands under lung."}}
of_patient = validation.patient_ids == validation.patient_ids[pick]
true, predicted = validation.masks[of_patient].astype(int), predictions[of_patient]
matrix = np.bincount((3 * true + predicted).ravel(), minlength=9).reshape(3, 3)
plotting.show_confusion_matrix(matrix, data.class_names)

# %% [markdown]
# The percentages along the diagonal are the recall of each class. The nodule's row is the poor one: a good part of its pixels was taken for lung. Background and lung hold nearly all pixels, and the nodule about a hundred, so an average over *pixels* will not see it.
#
# For one class against the rest, the table holds the four counts: TP on the diagonal, FN in the rest of the row, FP in the rest of the column. So there is one Dice per class. Some libraries report their mean. What would a network score that predicts *nothing*?


# %% nbval_tolerance=0.01
def mean_dice_of(masks, predicted, classes):
    return np.mean([dice(masks == index, predicted == index) for index in classes])


nothing = np.zeros_like(true)
no_nodule = np.where(true == 2, 1, true)
candidates = {"all background": nothing, "perfect, but no nodule": no_nodule, "the network": predicted}
scores = pd.DataFrame(index=list(candidates))
scores["mean with background"] = [mean_dice_of(true, mask, (0, 1, 2)) for mask in candidates.values()]
scores["mean of lung and nodule"] = [mean_dice_of(true, mask, (1, 2)) for mask in candidates.values()]
scores.round(2)

# %% [markdown]
# "All background" gets almost a third of full marks for painting nothing. So: **leave the background out of the mean, and print the classes one by one as well**.

# %% [markdown]
# ## Which average?
#
# Now we take all seven validation patients, with eight slices each. First look at each slice: `evaluate` with `by="slice"` gives one row per slice and class.

# %% mystnb={"figure": {"caption": "Dice of the nodule in every validation slice. Gray: no nodule there and none predicted, Dice is 0/0. A dark 0.00 is a missed nodule or a false alarm."}, "image": {"alt": "A grid of seven validation patients by eight slices. Cells with a number show the Dice of the nodule in that slice, dark for 0 and bright for high values; gray empty cells are slices without a nodule in which none was predicted."}}
from unet_helpers import evaluate

nodule = evaluate(None, validation, data.class_names, by="slice", predictions=predictions).of_class("nodule")
numbered = nodule.assign(slice=nodule.groupby("patient").cumcount())
plotting.show_case_grid(numbered.pivot(index="patient", columns="slice", values="dice"), "nodule Dice")

# %% [markdown]
# Most slices show no nodule. Where none was predicted either, Dice is 0/0: *undefined*, `nan`. Counting such a slice as 1 praises the network for an easy slice; counting it as 0 punishes the network for being right. `nan` forces us to decide. A 0.00 is a missed nodule, or in a slice without one a false positive.
#
# The next function averages these very masks in five ways. (`mean` of pandas leaves `nan` out.)


# %% nbval_tolerance=0.01
def averages(predicted, name):
    slices = evaluate(None, validation, data.class_names, by="slice", predictions=predicted)
    patients = evaluate(None, validation, data.class_names, by="patient", predictions=predicted)
    score = slices.of_class(name)["dice"]
    truth_is_there = slices.of_class(name)["true_pixels"] > 0
    return {
        "per slice, empty left out": score.mean(),
        "per slice, empty counts 1": score.fillna(1).mean(),
        "per slice, only where the truth is not empty": score[truth_is_there].mean(),
        "per patient, empty left out": patients.of_class(name)["dice"].mean(),
        "pooled over all pixels": slices.pooled(name).dice,
    }


ways = pd.DataFrame({name: averages(predictions, name) for name in ("lung", "nodule")})
ways.round(2)

# %% [markdown]
# The masks are the same in every row. For the lung the choice hardly matters. For the nodule the highest number is about twice the lowest, and each row answers a different question. What one value belongs to is called the **unit of analysis**.
#
# - **Per slice, empty left out**: how well does it do on a slice where there is something to say?
# - **Per slice, empty counts 1**: mostly, how many slices are empty? With enough empty slices any network looks good.
# - **Per slice, only where the truth is not empty**: how well are the nodules drawn that are there? It is a little above the first row, because false alarms on slices without a nodule do not count.
# - **Per patient**: the counts of a patient's slices are added before dividing. How well does it do on the next *patient*? This is what one usually wants to know, and what this series reports.
# - **Pooled**: all pixels of all patients in one table. Large nodules decide, and a single number shows no spread.

# %% [markdown]
# ### What does a false positive on an empty slice cost?
#
# Take a slice of the same patient as above where truth and prediction are both empty, and let the network "see" nine pixels that are not there.

# %% nbval_tolerance=0.02
empty = (nodule["true_pixels"] + nodule["predicted_pixels"] == 0).to_numpy()
quiet = np.flatnonzero(empty & of_patient)[0]
speckled = predictions.copy()
speckled[quiet, 60:63, 40:43] = 2
with_speck = averages(speckled, "nodule")
pd.DataFrame({"before": ways["nodule"], "with speck": with_speck}).round(3)

# %% [markdown]
# The speck turns an undefined slice into a 0, or a 1 into a 0. One row does not change at all: an average over only the slices *that hold a nodule* cannot see false positives on the others. A network that marks something on every healthy slice would keep its score. If you use that average ("ignore empty" in some libraries), report the false positives on empty slices beside it.

# %% [markdown]
# ### Exercise 05.4: IoU with a policy
#
# Write `iou_with(truth, prediction, empty)` for two 0/1 arrays: the IoU, but if *both* masks are empty, the value `empty` that the caller chose.
#
# <details><summary>Hint 1</summary>
#
# How many pixels does the *union* hold if both masks are empty? How many if only one of them is? In which of these cases is there nothing to divide by?
#
# <details><summary>Hint 2</summary>
#
# Count the union as the line that is there counts the intersection, with `|` (or) in place of `&` (and). Then ask whether the union is 0; whether there is a *shared* pixel does not matter for that.
#
# <details><summary>Hint 3</summary>
#
# `a / b if b else c` divides only if `b` is not 0.
#
# </details>
# </details>
# </details>


# %%
def iou_with(truth, prediction, empty):
    intersection = np.sum((truth == 1) & (prediction == 1))
    return ...


check.iou_with_policy(iou_with)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def iou_with(truth, prediction, empty):
    intersection = np.sum((truth == 1) & (prediction == 1))
    union = np.sum((truth == 1) | (prediction == 1))
    return intersection / union if union else empty


check.iou_with_policy(iou_with)

# %% [markdown]
# ## Where is the error?
#
# Overlap cannot tell where errors are. Here are two predictions of one square. Each has found all of it, and marks twelve pixels too many.

# %% mystnb={"figure": {"caption": "The same truth, the same number of errors. Green: found; red: too much. Left, the boundary is one pixel off on one side; right, there is a false island far away."}, "image": {"alt": "Two pictures of the same green square on black. On the left a red column of twelve pixels touches the right side of the square; on the right the twelve red pixels form a small block far away in the corner."}}
from unet_helpers.evaluation import error_map

square = np.zeros((32, 32), int)
square[10:22, 6:18] = 1
near, far = square.copy(), square.copy()
near[10:22, 18] = 1
far[3:6, 26:30] = 1
spoiled = {"boundary off by one": near, "false island": far}
with plotting.figure(1, 2) as (fig, axes):
    for ax, (title, mask) in zip(axes[0], spoiled.items()):
        plotting.draw_image(ax, np.zeros_like(square), title=title)
        plotting.draw_errors(ax, error_map(square, mask), fill=1)
fig

# %% [markdown]
# For a radiologist the left one is fine, while the right one shows an object that does not exist. A **surface distance** asks for each boundary pixel of one mask: how far is the nearest boundary pixel of the other? This is done in both directions, because the island is far from the truth, while every pixel of the truth's boundary is near the prediction. Four numbers are read off these distances:

# %%
from unet_helpers.evaluation import boundary_metrics

rows = {name: {"dice": dice(square, mask)} | boundary_metrics(square, mask, (1, 1)) for name, mask in spoiled.items()}
pd.DataFrame(rows).T[["dice", "hd", "hd95", "asd", "surface_dice"]].round(2)

# %% [markdown]
# - **hd**, the Hausdorff distance, is the largest of all. One stray pixel decides it. So one usually takes in each direction the distance that 95 % of the boundary pixels do not exceed, the 95th percentile, and then the larger of the two: **hd95**. Both tell the island from the shifted boundary.
# - **asd**, the average surface distance, is the mean: the island raises it, but far less than hd.
# - **surface Dice** is the share of both boundaries that lies within a **tolerance**, here one millimeter, of the other boundary. It forgives so small an error altogether.
#
# The distances are in mm because we said that a pixel is 1 mm wide. That number, the **spacing**, comes with the image:

# %%
from unet_helpers import hausdorff95

taller = square.copy()
taller[22, 6:18] = 1
spacings = {"1 × 1 mm": (1, 1), "3 × 3 mm": (3, 3), "5 × 0.7 mm": (5, 0.7)}
distances = pd.DataFrame({"Dice": dice(square, near)}, index=list(spacings))
distances["HD95, one column more"] = [hausdorff95(square, near, s) for s in spacings.values()]
distances["HD95, one row more"] = [hausdorff95(square, taller, s) for s in spacings.values()]
distances.round(2)

# %% [markdown]
# Dice knows no millimeters. HD95 grows with the pixel, and where rows and columns have different spacings (last row: a volume cut from the side, its slices 5 mm apart), "one pixel off" means 0.7 mm in one direction and 5 mm in the other.
#
# Distances also have gaps. If one mask is empty there is no boundary, and no distance: `hausdorff95` gives infinity if only one is empty and `nan` if both are. `evaluate` averages HD95 over those slices of a patient in which both have the class, so a missed nodule does *not* appear in it. Read HD95 beside recall, never alone.

# %% [markdown]
# ### Draw a mask yourself
#
# In the book, paint over the nodule of this validation slice, with the mouse or a finger, as exactly as you can: the four counts, Dice, IoU and HD95 move with the brush. How much Dice does one pixel cost?
#
# <div class="live" data-piece="draw">
# <p>In the book, a picture to try it with stands here; it needs a browser that runs JavaScript. In JupyterLab, change a mask in a cell above and run it again.</p>
# </div>
#
# Then do the same with the lungs. Next, copy the ground truth of the lungs, and paint one dot of 8 mm far outside of them: Dice stays at 0.99, and HD95 at 0, because the dot is less than a twentieth of your mask's boundary. Paint a larger dot, and HD95 jumps. Last, take the slice of patient P039, which shows no nodule, and draw nothing.

# %% [markdown]
# ### Which metric for which target?
#
# Draw disks of growing size, and shift each by one pixel: the same small error of the boundary.

# %% mystnb={"figure": {"caption": "A disk and the same disk moved by one pixel. Dice depends on the size of the object; surface Dice with a tolerance of one pixel does not."}, "image": {"alt": "Two curves over the diameter of a disk that is shifted by one pixel. Dice rises steeply from below 0.7 at 3 pixels and then slowly towards 1; surface Dice with a tolerance of one pixel is 1 for every diameter."}}
from unet_helpers.evaluation import surface_dice

place = np.hypot(*np.mgrid[-40:41, -40:41])
diameters = [3, 5, 7, 9, 13, 21, 31, 45, 61]
disks = [(place <= d / 2, np.roll(place <= d / 2, 1, axis=1)) for d in diameters]
curves = {"Dice": [dice(*pair) for pair in disks], "surface Dice, 1 pixel": [surface_dice(*pair, 1) for pair in disks]}
plotting.show_lines(diameters, curves, "diameter in pixels", limits=(0.5, 1.02))

# %% [markdown]
# One pixel costs a lung next to nothing, and a small nodule a third of its Dice. So the target should decide, not habit. Most rows of this table follow *Metrics Reloaded* (Maier-Hein and others 2024, below):
#
# | if … | then Dice … | so take |
# |---|---|---|
# | the object is large and compact | works | Dice, and beside it a distance |
# | it has few pixels | jumps with each pixel | objects found, false objects; Dice of the found ones |
# | a case holds several objects | is decided by the largest | objects found, and Dice per object |
# | the boundary is what matters, in mm | does not say where | HD95, or surface Dice |
# | people draw the boundary 1 mm apart | punishes what nobody could do better | surface Dice, with their spread as tolerance |
# | a volume will be reported | may agree although places do not, or the reverse | difference in ml, beside Dice |
# | it is thin, like a vessel | is decided by the width of one pixel | overlap of centerlines (clDice; not in this package) |
# | many cases do not have it | is 0/0 there | false objects per such case |
# | a miss costs more than a false alarm | weighs them alike | recall and precision, or F-beta: F1 in which recall counts more |
#
# ### Exercise 05.5: which metric?
#
# Here are four tasks. For each of them choose one of `"Dice"`, `"HD95"`, `"surface Dice"`, `"objects found"`, `"recall"`, `"accuracy"`.
#
# <details><summary>Hint 1</summary>
#
# Underline in each task what a good result must not get wrong: an area, a number of millimeters, a count, or a boundary with some play. Then look for the row of the table above that says it.
#
# <details><summary>Hint 2</summary>
#
# Ask of each metric what it does not see. Dice, recall and accuracy count pixels, so a large object outweighs small ones. HD95 is in mm, and leaves out the largest twentieth of the distances. Surface Dice forgives what lies within its tolerance. Accuracy also counts the background.
#
# </details>
# </details>

# %%
answers = {
    "liver outline": ...,  # does the outlined area of a large organ agree?
    "safety margin in mm": ...,  # radiotherapy: how many mm is the boundary of the spinal cord off, its worst 5 % set aside?
    "nothing overlooked": ...,  # a second reader marks nodules; each one missed counts the same, large or small
    "experts differ by 1 mm": ...,  # an outline that two experts draw up to 1 mm apart, and that is no error
}
check.metric_for(answers)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
answers = {
    "liver outline": "Dice",
    "safety margin in mm": "HD95",
    "nothing overlooked": "objects found",
    "experts differ by 1 mm": "surface Dice",
}
check.metric_for(answers)

# %% [markdown]
# [The page on metrics](../book/metrics.md) says how each is computed here, and against which library it was checked.

# %% [markdown]
# ## Above what probability do we call it a nodule?
#
# The network gives a probability for each class, and so far each pixel took the most probable one. For a class that is rare, and costly to miss, we may ask for less: call a pixel nodule as soon as its probability reaches a **threshold**. Move the slider and watch the green and the red.

# %%
from unet_helpers import predict_probabilities
from unet_helpers.plotting import widgets

probabilities = predict_probabilities(model, validation.images)
probability = probabilities[..., 2]
thresholds = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
sweep = [confusion_counts(validation.masks == 2, probability >= t) for t in thresholds]

# %%
row, column = (int(np.clip(center.mean(), 24, 104)) for center in np.where(validation.masks[pick] == 2))
zoom = slice(row - 24, row + 24), slice(column - 24, column + 24)


def frame(threshold, counts):
    errors = error_map(validation.masks[pick][zoom] == 2, probability[pick][zoom] >= threshold)
    heights = np.nan_to_num([counts.precision, counts.recall, counts.dice])
    with plotting.figure(1, 2, panel=2.4) as (fig, axes):
        plotting.draw_image(axes[0, 0], validation.images[pick][zoom], title=f"nodule from {threshold} on")
        plotting.draw_errors(axes[0, 0], errors)
        axes[0, 1].bar(["precision", "recall", "Dice"], heights, color="#888888")
        axes[0, 1].set(ylim=(0, 1))
        axes[0, 1].set_title("all validation slices", fontsize=9)
    return fig


widgets.explore([frame(t, c) for t, c in zip(thresholds, sweep)], thresholds, "threshold", start=6, width=400)

# %% [markdown]
# Green is found, red is too much, blue is missed. A low threshold finds more of the nodule (recall rises) and marks more of what is not nodule (precision falls). As curves, all validation slices pooled:

# %% mystnb={"figure": {"caption": "Precision, recall and Dice of the nodule over the threshold, all validation slices pooled. Precision and recall trade against each other; Dice is a compromise of both."}, "image": {"alt": "Curves over the threshold on validation data: precision rises from about 0.6 to 0.9 with the threshold, recall falls from about 0.7 to below 0.5, and Dice stays between 0.6 and 0.7."}}
curves = {name: [getattr(counts, name) for counts in sweep] for name in ("precision", "recall", "dice")}
plotting.show_lines(thresholds, curves, "threshold", mark=0.5, limits=(0, 1))

# %% [markdown]
# Dice hardly moves over most of the range. What the threshold buys is easier to see in *objects*. An object is here a connected piece of the mask *of one slice*, so a nodule that is seen in two slices counts twice; a true one is found if at least one pixel of it is predicted, and a predicted one is false if it holds no true pixel.

# %% nbval_tolerance=0.02
from unet_helpers.evaluation import detect_objects

chosen = (0.02, 0.1, 0.3, 0.5, 0.9)
found = [sum(detect_objects(m == 2, p >= t) for m, p in zip(validation.masks, probability)) for t in chosen]
pd.DataFrame(found, index=pd.Index(chosen, name="threshold"))[["true", "found", "false"]]

# %% [markdown]
# A threshold together with its misses and false alarms is an **operating point**. Where it should lie depends on what a miss costs and what a false alarm costs, and that is not for the network to say: if a person looks at every mark, the second row may be right. If nobody looks, a false alarm is as bad as a miss, and the rows from the second on are about equal: what separates them is one object. And even the lowest threshold leaves pieces unfound.
#
# A threshold is *chosen*, like a learning rate, so it is chosen on **validation** patients: on the test patients it would be fitted to them, and its score too good. And when the curve has a flat top, where its highest point lies is chance; take a plain value inside the flat part.
#
# In the book, move the threshold down until every piece of nodule in these four validation slices is found. What else is drawn by then?
#
# <div class="live" data-piece="threshold">
# <p>In the book, a picture to try it with stands here; it needs a browser that runs JavaScript. In JupyterLab, the slider above and the table of objects show the same for all validation slices.</p>
# </div>
#
# Is the rule *nodule from a probability of 0.1 on* better than the most probable class, and how sure can one be? That is the question of [notebook 05b](05b_comparison.ipynb).

# %% [markdown]

# %% [markdown]
# ## Take-aways
#
# - TP, FP, FN and TN are the whole story of overlap; accuracy counts TN and so rewards a large background.
# - Dice = 2 IoU / (1 + IoU) holds for one case and not for averages.
# - Say the class, the unit (slice, patient, pixel pool), and what happens to empty masks. The same masks give very different numbers.
# - 0/0 is `nan`: leave it out visibly, count it, and watch the false positives on empty slices.
# - The target decides the metric: overlap, distance and objects see different errors, and a distance needs the spacing.
# - A threshold is chosen by costs, on validation patients.

# %% [markdown]
# ## Questions to test yourself
#
# 1. A paper gives a mean IoU of 0.60. May you write "that is a Dice of 0.75"?
#
#    - A. Yes, by Dice = 2 IoU / (1 + IoU).
#    - B. No, the mean Dice is at most 0.75.
#    - C. No, the mean Dice is at least 0.75.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The formula holds for one case. Its curve bends downward, so that the mean of the cases' Dice is 0.75 only if all cases have the same IoU, and otherwise less.
# - **Not A:** that is true of one case, and not of averages.
# - **Not C:** take two cases with IoU 0.2 and 1: the mean is 0.6, and the mean Dice (0.33 + 1) / 2 = 0.67.
#
# </details>
#
# 2. A nodule network has an accuracy of 0.999. What do you ask first?
#
#    - A. How many epochs it was trained.
#    - B. What accuracy it has on the training patients.
#    - C. What accuracy an empty mask has.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** What share of the pixels is nodule? Then ask for Dice and recall of the nodule.
# - **Not A:** however long it was trained, the number may be that of an empty mask.
# - **Not B:** it may be 0.999 there as well, by an empty mask just as here.
#
# </details>
#
# 3. Two groups report nodule Dice 0.32 and 0.94 with the same masks. How can that be?
#
# <details><summary>Answer</summary>
#
# One averaged per slice, the other pooled all pixels, or counted empty slices as 1.
#
# </details>
#
# 4. A network marks one false nodule in each healthy slice. Which average does not notice?
#
#    - A. The mean over slices in which an empty truth counts as Dice 0 if anything is marked.
#    - B. The mean over slices that leaves out those with an empty truth.
#    - C. The Dice of all pixels pooled.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The false nodules lie in the slices that it leaves out.
# - **Not A:** each healthy slice falls to 0 here, so this one notices most.
# - **Not C:** the false pixels are FP in the pool, and lower its Dice.
#
# </details>
#
# 5. HD95 of the nodule is averaged over the slices in which both masks have one. For two networks the mean is the same, but one finds nine of ten nodules, each in a slice of its own, and the other three. How can that be?
#
#    - A. The missed nodules do not enter the mean.
#    - B. HD95 leaves out the worst 5 % of the nodules.
#    - C. It cannot be; one of the two was computed in pixels.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Where nothing is predicted there is no second boundary and no distance, so that the slice is left out.
# - **Not B:** it leaves out the largest 5 % of the *distances* between two boundaries, not of the objects.
# - **Not C:** pixels in place of mm would change the number by the spacing. That it knows nothing of missed nodules is true in either unit.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Maier-Hein and others (2024) {cite:p}`maierhein2024metrics`: *Metrics Reloaded*, from the task to the metric, with a decision tree.
# - Reinke and others (2024) {cite:p}`reinke2024pitfalls`: pictures of everything that goes wrong with metrics; empty masks and small objects among them.
# - Nikolov and others (2021) {cite:p}`nikolov2021surface`: overlap at the surface, with a tolerance in mm that comes from how much two experts differ.

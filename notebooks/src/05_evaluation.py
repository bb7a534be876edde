# %% [markdown]
# # 05 Evaluation
#
# How good is a segmentation, in IoU and Dice, and how sure am I of the number?

# %% mystnb={"image": {"alt": "One row of four pictures of a synthetic chest CT slice: the image, the ground truth with blue lungs and an orange nodule, the prediction of the trained network, and the errors, which are thin lines along the borders of the lungs and a ring around the nodule."}, "figure": {"caption": "A slice of a validation patient. Is this good? The two lungs look almost right; look for the small nodule. (Red in the last picture is also a pixel with the wrong class, such as nodule taken for lung.)"}}
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
# - count true and false positives and negatives, and compute IoU, Dice, precision, recall and accuracy from them,
# - say what a published score hides, from its own numbers,
# - choose between averages over slices, over patients and over pixels, and treat empty masks on purpose,
# - choose a threshold on validation data, and measure a border in mm,
# - report a test result with an interval over patients.
#
# **You need before** [notebook 01](01_data_pairing.ipynb) (cases and patients) and [notebook 04](04_gpu_training.ipynb) (where the trained network comes from).
#
# **Minutes:** 75 to read, with six exercises, 1 to run on two cores.
#
# **It removes a misconception:** "the score of a model is one number". It is a number *of* something: a metric, a class, a way of averaging, and a sample of patients.
#
# </div>
#
# The data are synthetic patients, and the network is the small U-Net that comes with this series, trained on the training patients only. A slice has three classes: 0 background, 1 lung, 2 nodule.

# %%
print(data)

# %% [markdown]
# Seven patients with eight slices each for validation, and as many for the test; no patient stands on two sides ([notebook 01](01_data_pairing.ipynb)).
# Until the last part of this notebook we use the **validation** patients. The **test** patients stay closed until everything has been decided.

# %% [markdown]
# ## Count by hand
#
# Every overlap metric in this notebook is read off four counts. To see them, take two masks that are small enough to count with a finger: the **ground truth**, what is there, and the **prediction**, what a network said.

# %% mystnb={"image": {"alt": "Three grids of four by four pixels: the ground truth with seven pixels of the object, the prediction with five, and the comparison, in which four pixels are marked TP, one FP, three FN and eight TN, each in its own color."}, "figure": {"caption": "Two masks and their comparison. TP: object, and found. FP: predicted, but not there. FN: there, but missed. TN: background, and left alone."}}
import numpy as np

truth = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]])
prediction = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]])
plotting.show_counts(truth, prediction)

# %% [markdown]
# *Positive* means "predicted as object", *true* means "rightly so". Count the letters in the right grid before you read on; the next cell counts them too.

# %%
tp = np.sum((truth == 1) & (prediction == 1))
fp = np.sum((truth == 0) & (prediction == 1))
fn = np.sum((truth == 1) & (prediction == 0))
tn = np.sum((truth == 0) & (prediction == 0))
print(f"TP {tp}, FP {fp}, FN {fn}, TN {tn}")

# %% [markdown]
# Four pixels are shared. One was predicted too much, three were missed, and the remaining eight are background in both.
#
# **IoU**, intersection over union, asks: of all pixels that *either* mask holds, how many do *both* hold?
#
# $$\text{IoU} = \frac{|A \cap B|}{|A \cup B|} = \frac{TP}{TP + FP + FN}$$

# %%
intersection = tp
union = tp + fp + fn
print(f"{intersection} / {union} = {intersection / union:.3f}")

# %% [markdown]
# Half of the union is shared. **Dice** asks nearly the same, but compares the shared pixels with the *average size* of the two masks; written without the average, they count twice:
#
# $$\text{Dice} = \frac{2\,|A \cap B|}{|A| + |B|} = \frac{2\,TP}{2\,TP + FP + FN}$$

# %%
both_sizes = truth.sum() + prediction.sum()
print(f"2 · {tp} / ({truth.sum()} + {prediction.sum()}) = {2 * tp / both_sizes:.3f}")

# %% [markdown]
# The same two masks have an IoU of one half and a Dice of two thirds. Neither is "the" right one; but a Dice must not be compared with someone else's IoU.
# The package's functions must say the same:

# %%
from unet_helpers import dice, iou

print(f"iou {iou(truth, prediction):.3f}, dice {dice(truth, prediction):.3f}")

# %% [markdown]
# They do. Both functions take two binary masks of one shape and refuse anything else, such as masks in 0/255 or probabilities.

# %% [markdown]
# ### Exercise 05.1: Dice from counts
#
# Write `dice_of(tp, fp, fn)`. Think of what it should return when both masks are empty: there is nothing to find, and nothing was found. (`float("nan")` is Python's "not a number".)

# %%
from unet_helpers.checks import evaluation as check


def dice_of(tp, fp, fn):
    return ...


check.dice_from_counts(dice_of)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def dice_of(tp, fp, fn):
    size_of_both = 2 * tp + fp + fn
    return 2 * tp / size_of_both if size_of_both else float("nan")


check.dice_from_counts(dice_of)

# %% [markdown]
# ## One table, six numbers
#
# The four counts form a **confusion matrix**: rows say what is there, columns what was predicted.

# %%
import pandas as pd

pd.DataFrame(
    [[tn, fp], [fn, tp]],
    index=["background is there", "object is there"],
    columns=["background predicted", "object predicted"],
)

# %% [markdown]
# All the usual names are ratios in this one table. `confusion_counts` makes the table, and its properties are the ratios.

# %%
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
# Read it as sentences. **Precision**: of the pixels that were predicted as object, four in five are right. **Recall**: of the pixels of the object, a little more than half were found.
# **F1**, the harmonic mean of the two, and Dice are the same number: two fields found one formula and gave it two names.
#
# **Accuracy** is the only one in the table that counts TN, the background that was left alone. That makes it depend on how much background is in the picture:

# %%
wide_truth, wide_prediction = np.pad(truth, 6), np.pad(prediction, 6)
wide = confusion_counts(wide_truth, wide_prediction)
print(f"accuracy {counts.accuracy:.2f} → {wide.accuracy:.2f}, dice {counts.dice:.2f} → {wide.dice:.2f}")

# %% [markdown]
# Six rows and columns of empty border on each side, and accuracy rises from three quarters to nearly one. The object and the errors are the same. Dice does not move, and so Dice and IoU can be compared between pictures of different width.

# %% [markdown]
# ### Exercise 05.2: the accuracy of finding nothing
#
# A network never predicts class `index`. What accuracy does it have for that class, object against the rest, on a mask of class indices? Write it as a function.


# %%
def accuracy_of_nothing(mask, index):
    return ...


check.accuracy_of_nothing(accuracy_of_nothing)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def accuracy_of_nothing(mask, index):
    return (mask != index).mean()


check.accuracy_of_nothing(accuracy_of_nothing)

# %% [markdown]
# On the validation patients, for the nodules:

# %%
print(f"accuracy of never predicting a nodule: {(validation.masks != 2).mean():.4f}")

# %% [markdown]
# A network that finds no nodule at all is right in more than 99.9 % of the pixels. That is why accuracy exceeds 0.9 whenever the object is small, and why it is not the number to report.

# %% [markdown]
# ### IoU or Dice?
#
# For one pair of masks the two say the same thing on different scales:
#
# $$\text{Dice} = \frac{2\,\text{IoU}}{1 + \text{IoU}}, \qquad \text{IoU} = \frac{\text{Dice}}{2 - \text{Dice}}$$

# %%
print(f"2 · {counts.iou:.3f} / (1 + {counts.iou:.3f}) = {2 * counts.iou / (1 + counts.iou):.3f}")

# %% [markdown]
# So they rank two predictions of one case alike. For *averages* the formula fails. Take one good and one poor case:

# %% mystnb={"image": {"alt": "A curve of Dice over IoU that rises from 0,0 to 1,1 and bends above the diagonal. Two points on it are joined by a straight dashed line; the middle of that line, a diamond, lies clearly below the curve."}, "figure": {"caption": "Two cases lie on the curve. Their average lies on the straight line between them, below the curve: the formula holds for each case and not for the mean."}}
good, poor = 0.82, 0.05
line = np.linspace(0, 1, 50)
with plotting.figure(width=3.6, height=3) as (fig, axes):
    ax = axes[0, 0]
    ax.plot(line, 2 * line / (1 + line), color="black", label="one case")
    ax.plot([poor, good], [2 * poor / (1 + poor), 2 * good / (1 + good)], "o--", color="#0072B2", label="two cases")
    ax.plot((poor + good) / 2, (poor / (1 + poor) + good / (1 + good)), "D", color="#D55E00", label="their mean")
    ax.set(xlabel="IoU", ylabel="Dice", xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(frameon=False, fontsize=9, loc="lower right")
fig

# %%
mean_iou = (good + poor) / 2
mean_dice = (2 * good / (1 + good) + 2 * poor / (1 + poor)) / 2
print(f"mean Dice {mean_dice:.2f}; computed from the mean IoU {2 * mean_iou / (1 + mean_iou):.2f}")

# %% [markdown]
# A tenth is lost between the two. To turn a published mean IoU into a mean Dice, you need the single cases.

# %% [markdown]
# ## The trap: a score that sounds strong
#
# A public report on a lung U-Net, trained for ten epochs, gives four numbers for its test images and calls the result strong:

# %%
accuracy, precision, recall, f1 = 0.8623, 0.8133, 0.5872, 0.6820
print(f"harmonic mean of precision and recall: {2 * precision * recall / (precision + recall):.3f}")

# %% [markdown]
# The four fit together: the F1 is the harmonic mean of the other two, so they come from one table. How much lung was in its pictures? The report does not say, but the numbers do.
#
# Let $s$ be the share of foreground, and measure all counts in shares of the pixels. Of the foreground, recall is found: $TP = s \cdot r$, and the rest is missed: $FN = s\,(1-r)$.
# Precision $p$ gives the false positives: $FP = TP\,(1-p)/p$. And all wrong pixels together are what accuracy $a$ lacks:
#
# $$1 - a = FN + FP = s\left[(1 - r) + r\,\frac{1-p}{p}\right]$$

# %% [markdown]
# ### Exercise 05.3: what the four numbers give away
#
# Solve the last equation for $s$, and write it as a function of accuracy, precision and recall.


# %%
def share_of_foreground(accuracy, precision, recall):
    return ...


check.share(share_of_foreground)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def share_of_foreground(accuracy, precision, recall):
    wrong_per_true_pixel = (1 - recall) + recall * (1 - precision) / precision
    return (1 - accuracy) / wrong_per_true_pixel


check.share(share_of_foreground)

# %%
share = (1 - accuracy) / ((1 - recall) + recall * (1 - precision) / precision)
print(f"foreground {share:.3f}; accuracy of 'all background' {1 - share:.3f}; IoU {f1 / (2 - f1):.3f}")

# %% [markdown]
# A quarter of the pixels is lung. A program that paints everything black already has an accuracy of 0.75, and the network adds eleven points to that. Its IoU is about one half, and four in ten lung pixels are missed.
#
# What does such a mask *look* like? We make one. Take a slice of a synthetic patient, crop it until a quarter is lung, and spoil the ground truth in two ways until precision and recall are those of the report: first shrink the lungs and shift them, then keep one lung and lose most of the other.

# %%
from scipy import ndimage

example = (validation.masks > 0).sum(axis=(1, 2)).argmax()
lung = validation.masks[example] > 0
rows, columns = np.where(lung.any(axis=1))[0], np.where(lung.any(axis=0))[0]


def with_border(b):
    return (
        slice(max(rows[0] - b, 0), rows[-1] + b + 1),
        slice(max(columns[0] - b, 0), columns[-1] + b + 1),
    )


crop = next(with_border(b) for b in range(64) if lung[with_border(b)].mean() <= share)
print(f"lung in the whole slice {lung.mean():.2f}, in the crop {lung[crop].mean():.2f}")


# %%
def shrunk_and_shifted(mask, margin, shift):
    inside = ndimage.distance_transform_edt(mask) > margin
    return np.roll(inside, shift, axis=0)


def one_lung(mask, column, margin):
    thick = ndimage.distance_transform_edt(~mask) <= margin
    return thick & (np.arange(mask.shape[1]) < column)


# %% [markdown]
# Each recipe has two knobs. A search over both finds the setting whose precision and recall come closest to the report's.

# %%
from itertools import product


def closest(recipe, first, second):
    def distance(knobs):
        found = confusion_counts(lung[crop], recipe(lung, *knobs)[crop])
        return np.hypot(found.precision - precision, found.recall - recall)

    return recipe(lung, *min(product(first, second), key=distance))


lookalikes = {
    "shrunk and shifted": closest(shrunk_and_shifted, np.arange(0, 8, 0.25), range(16)),
    "one lung lost": closest(one_lung, range(40, 100), np.arange(0, 8, 0.25)),
}

# %% mystnb={"image": {"alt": "Three rows of four pictures of the same cropped chest slice: image, ground truth, prediction and errors. In the first row the predicted lungs are too small and sit too low; in the second one lung is complete with a rim too much and most of the other is missing."}, "figure": {"caption": "Two masks with the precision, recall, F1 and accuracy of the report. Top: lungs shrunk and shifted. Bottom: one lung almost lost. Nobody would call either strong."}}
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
# The columns agree to about two hundredths, and the pictures do not agree at all. Two things to keep: an accuracy of 0.86 or an F1 of 0.68 can look like *this*, so look at pictures beside every number; and overlap says *how much* is wrong, not *where*. For the where we will need a distance.

# %% [markdown]
# ## Three classes
#
# With three classes the table has three rows. Here is the one of a whole patient, the one of the slice at the top.

# %% mystnb={"image": {"alt": "A three by three table of pixel counts for one patient, rows are the true class, columns the predicted class. Nearly all background and lung pixels lie on the diagonal; the row of the nodule holds very few pixels, and a good part of them stands under lung."}, "figure": {"caption": "Confusion matrix of one validation patient, all slices together. Each cell: pixels, and their share of the row. The diagonal is right, everything else is an error with a name."}}
patient = validation.patient_ids[pick]
of_patient = validation.patient_ids == patient
true, predicted = validation.masks[of_patient].astype(int), predictions[of_patient]
matrix = np.bincount((3 * true + predicted).ravel(), minlength=9).reshape(3, 3)
plotting.show_confusion_matrix(matrix, data.class_names)

# %% [markdown]
# Each pixel was given the number 3 · true + predicted, from 0 to 8, and counting these numbers gives the table. The percentages along the diagonal are the recall of each class.
# The nodule's row is the poor one: a good part of its pixels was taken for lung.
# Background and lung are counted in thousands of pixels, and the nodule in tens. Whatever is averaged over *pixels* will not see the nodule.
#
# For one class against the rest, the four counts are in the table: TP on the diagonal, FN in the rest of the row, FP in the rest of the column.

# %%
tp = matrix.diagonal()
fn = matrix.sum(axis=1) - tp
fp = matrix.sum(axis=0) - tp
per_class = pd.Series(2 * tp / (2 * tp + fp + fn), index=data.class_names)
per_class.round(2)

# %% [markdown]
# One Dice per class. It is tempting to report their mean, and some libraries do. What would a network score that predicts *nothing*?


# %%
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
# "All background" gets almost a third of full marks for painting nothing, because the background is large and easy. Each mean with background stands above the mean without, and the worse the segmentation, the more it is flattered.
# So: **leave the background out of the mean, and print the classes one by one as well**. `evaluate` in this package never reports the background.

# %% [markdown]
# ## Which average?
#
# So far we had one case. Now there are seven validation patients with eight slices each. First look at all of them: `evaluate` with `by="slice"` gives one row per slice and class.

# %% mystnb={"image": {"alt": "A grid of seven validation patients by eight slices. Cells with a number show the Dice of the nodule in that slice, dark for 0 and bright for high values; gray empty cells are slices without a nodule in which none was predicted."}, "figure": {"caption": "Dice of the nodule in every validation slice. Gray: no nodule there and none predicted, Dice is 0/0. A dark 0.00 is a missed nodule or a false alarm."}}
from unet_helpers import evaluate

by_slice = evaluate(None, validation, data.class_names, by="slice", predictions=predictions)
nodule = by_slice.of_class("nodule")
numbered = nodule.assign(slice=nodule.groupby("patient").cumcount())
plotting.show_case_grid(numbered.pivot(index="patient", columns="slice", values="dice"), "nodule Dice")

# %% [markdown]
# Most slices show no nodule. Where none was predicted either, Dice is 0/0: *undefined*, `nan`. To count such a slice as 1 praises the network for an easy slice, to count it as 0 punishes it for being right. `nan` forces us to decide.
#
# The slices that do show one are of two kinds: found, with a Dice well above one half, or missed, with 0.00. (A slice without a nodule can hold a 0.00 too: something was predicted that is not there, a false positive.)
#
# The next function computes the mean of these very masks in five ways. (`mean` of pandas leaves `nan` out.)


# %%
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
# The masks are the same in every row. For the lung the choice hardly matters: it is large, and in every slice. For the nodule the highest number is about twice the lowest, and each is an answer to another question:
#
# - **Per slice, empty left out**: how well does it do on a slice where there is something to say?
# - **Per slice, empty counts 1**: mostly, how many slices are empty? With enough empty slices any network looks good.
# - **Per slice, only where the truth is not empty**: here a little above the first row, because this network marked something on a few slices without a nodule. The next part shows the difference.
# - **Per patient**: the counts of a patient's slices are added before dividing. How well does it do on the next *patient*? This is what a reader usually wants to know, and what this series reports.
# - **Pooled**: all pixels of all patients in one table. Large nodules decide, and there is no spread to report, since there is only one number.
#
# A paper that writes "Dice 0.9" without saying which of these it is has told you less than it seems.

# %% [markdown]
# ### What does a false positive on an empty slice cost?
#
# Take a slice where truth and prediction are both empty, and let the network "see" nine pixels that are not there.

# %%
empty = nodule["true_pixels"] + nodule["predicted_pixels"] == 0
quiet = np.flatnonzero(empty)[0]
speckled = predictions.copy()
speckled[quiet, 60:63, 40:43] = 2
with_speck = averages(speckled, "nodule")
pd.DataFrame({"before": ways["nodule"], "with speck": with_speck}).round(3)

# %% [markdown]
# The speck turns an undefined slice into a 0, or a 1 into a 0. Pooled and per patient, nine pixels are weighed like any other nine pixels.
# One row does not change at all: whoever averages only over slices *that hold a nodule* cannot see false positives on the others. A network that marks something on every healthy slice would keep its score. If you use that average (some libraries offer it as "ignore empty"), report the false positives on empty slices beside it.

# %% [markdown]
# ### Exercise 05.4: IoU with a policy
#
# Write `iou_with(truth, prediction, empty)` for two 0/1 arrays: the IoU, but if *both* masks are empty, the value `empty` that the caller chose.


# %%
def iou_with(truth, prediction, empty):
    intersection = np.sum((truth == 1) & (prediction == 1))
    return ...


check.iou_with_policy(iou_with)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def iou_with(truth, prediction, empty):
    intersection = np.sum((truth == 1) & (prediction == 1))
    union = np.sum((truth == 1) | (prediction == 1))
    return intersection / union if union else empty


check.iou_with_policy(iou_with)

# %% [markdown]
# ## From which probability on is it a nodule?
#
# The network gives a probability for each class, and so far each pixel took the most probable one. For a class that is rare, and costly to miss, one may ask for less: call it a nodule from a **threshold** on. Move the slider and watch the green and the red.

# %%
from unet_helpers import predict_probabilities, widgets

probability = predict_probabilities(model, validation.images)[..., 2]
thresholds = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
sweep = [confusion_counts(validation.masks == 2, probability >= t) for t in thresholds]

# %%
from unet_helpers.failures import error_map

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
# Green is found, red too much, blue missed. A low threshold finds more of the nodule (recall rises) and marks more of what is not nodule (precision falls). The same as curves, over all validation slices pooled:

# %% mystnb={"image": {"alt": "Curves over the threshold on validation data: precision rises from about 0.7 to 0.9 with the threshold, recall falls from about 0.6 to below 0.5, and Dice between them is nearly flat."}, "figure": {"caption": "Precision, recall and Dice of the nodule over the threshold, all validation slices pooled. Precision and recall trade against each other; Dice is a compromise of both."}}
curves = {name: [getattr(counts, name) for counts in sweep] for name in ("precision", "recall", "dice")}
plotting.show_lines(thresholds, curves, "threshold", mark=0.5, limits=(0, 1))

# %%
pd.DataFrame(curves, index=pd.Index(thresholds, name="threshold")).iloc[2:-1:2].round(2)

# %% [markdown]
# Down the table precision rises and recall falls: a network that must be surer says less, and is right more often. (Precision is `NaN` where nothing is predicted at all.) Where to stop depends on what a miss costs and what a false alarm costs, and that is not a question for the network. Dice hardly moves over most of the range, and even the lowest threshold in the table leaves four tenths of the nodule pixels unfound: the threshold cannot bring back what the network does not see. So we keep the most probable class.
#
# Two rules. A threshold is *chosen*, like a learning rate, and so it is chosen on **validation** patients: the best value on the test patients would be fitted to them, and its score would be too good. And when the curve has a flat top, its highest point is chance; take the plain value inside the flat part.

# %% [markdown]
# ## A distance in mm
#
# Overlap cannot tell where errors are. Here are two predictions of one square. Each has found all of it, and twelve pixels too much.

# %% mystnb={"image": {"alt": "Two pictures of the same green square on black. On the left a red column of twelve pixels touches the right side of the square; on the right the twelve red pixels form a small block far away in the corner."}, "figure": {"caption": "The same truth, the same number of errors. Left, the border is one pixel off on one side; right, there is a false island far away."}}
square = np.zeros((32, 32), int)
square[10:22, 6:18] = 1
near, far = square.copy(), square.copy()
near[10:22, 18] = 1
far[3:6, 26:30] = 1
with plotting.figure(1, 2) as (fig, axes):
    for ax, mask, title in zip(axes[0], (near, far), ("border off by one", "false island")):
        plotting.draw_image(ax, np.zeros_like(square), title=title)
        plotting.draw_errors(ax, error_map(square, mask), fill=1)
fig

# %%
print(f"Dice {dice(square, near):.3f} and {dice(square, far):.3f}")

# %% [markdown]
# Dice is the same. For a radiologist the left one is fine, and the right one is an object that does not exist.
#
# A **surface distance** asks for each border pixel of one mask: how far is the nearest border pixel of the other? This is done in both directions, because the island is far from the truth, while every pixel of the truth's border is near the prediction.

# %%
from unet_helpers.metrics import surface_distances

for name, mask in {"border off by one": near, "false island": far}.items():
    true_to_pred, pred_to_true = surface_distances(square, mask, spacing=(1, 1))
    print(f"{name}: largest from truth {true_to_pred.max():.1f}, from prediction {pred_to_true.max():.1f} mm")

# %% [markdown]
# The largest of all these distances is the **Hausdorff distance**. One stray pixel decides it, and so one usually takes the 95th percentile of each direction, and then the larger of the two: **HD95**.

# %%
from unet_helpers import hausdorff95

print(f"HD95 {hausdorff95(square, near, (1, 1)):.1f} and {hausdorff95(square, far, (1, 1)):.1f} mm")

# %% [markdown]
# Now the two differ: one millimeter against more than ten. It was mm because we said that a pixel is 1 mm wide. That number, the **spacing**, comes with the image, and the same pixels are other millimeters in another scan:

# %%
taller = square.copy()
taller[22, 6:18] = 1
spacings = {"1 × 1 mm": (1, 1), "3 × 3 mm": (3, 3), "5 × 0.7 mm": (5, 0.7)}
distances = pd.DataFrame({"Dice": dice(square, near)}, index=list(spacings))
distances["HD95, one column more"] = [hausdorff95(square, near, s) for s in spacings.values()]
distances["HD95, one row more"] = [hausdorff95(square, taller, s) for s in spacings.values()]
distances.round(2)

# %% [markdown]
# Dice knows no millimeters. HD95 grows with the pixel, and where rows and columns have different distances (last row: a volume cut from the side, its slices 5 mm apart), "one pixel off" means 0.7 mm in one direction and 5 mm in the other. A distance without spacing is a number of pixels, and cannot be compared with anyone's mm.
#
# HD95 has gaps too. If one mask is empty there is no border, and no distance: `hausdorff95` gives infinity if only one is empty and `nan` if both are. `evaluate` averages HD95 over the slices in which both have the class, and so a missed nodule does *not* appear in it. Read HD95 beside recall, never alone.

# %% [markdown]
# ### Exercise 05.5: which metric?
#
# Three tasks. Choose for each of them one of `"Dice"`, `"HD95"`, `"recall"`, `"accuracy"`.

# %%
answers = {
    "liver volume": ...,  # does the outlined area of a large organ agree, so that its volume can be followed?
    "safety margin in mm": ...,  # radiotherapy: how far may the border of the spinal cord be off?
    "nothing overlooked": ...,  # a second reader who marks places to look at; a person checks each
}
check.metric_for(answers)

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
answers = {
    "liver volume": "Dice",
    "safety margin in mm": "HD95",
    "nothing overlooked": "recall",
}
check.metric_for(answers)

# %% [markdown]
# In practice one reports an overlap *and* a distance, per class and per case. The recommendations of Maier-Hein and others (2024, below) lead from the task to the metric.

# %% [markdown]
# ## The test, once
#
# Everything has been decided on validation patients. Write the decisions down *before* the test patients are opened:
#
# | decision | chosen |
# |---|---|
# | model | the checkpoint, its epoch chosen by validation Dice in notebook 04 |
# | decision per pixel | the most probable class |
# | case | a patient, slices pooled |
# | metrics | Dice (first), IoU and HD95 in mm (beside it), per class, background left out |
# | undefined cases | left out of the mean, and counted in the table |
# | uncertainty | 95 % interval, bootstrap over patients |
#
# Whoever changes one of these after seeing the test result, and tests again, has used the test patients for a choice. They are then validation patients, and a test set no longer exists. So the next cell runs once.

# %%
test = data.test
test_predictions = predict_masks(model, test.images)
report = evaluate(model, test, data.class_names, by="patient", predictions=test_predictions)
report.summary("dice").round(2)

# %%
assert report.summary("dice").loc["lung", "mean"] >= 0.95

# %% [markdown]
# Read a row from left to right: the mean over the patients; `low` and `high`, the interval that the next part explains; the median; the 5th and 95th percentile of the *patients*; how many cases have a value, and how many are undefined.
#
# The lung's interval is narrow: every patient is segmented about equally well. For the nodule the mean is below one half and the interval wide: seven patients cannot pin it down.
# On validation the nodule's Dice per patient was higher. That is no scandal: the epoch was chosen on the validation patients, which favors them a little, and seven other patients are other patients. The interval is wide enough for both numbers. It would be one to go back now and tune until the test looks better.
#
# The patients behind the numbers:

# %% mystnb={"image": {"alt": "A strip plot with one dot per test patient for the classes lung and nodule, and beside the dots the mean with its interval. The lung's dots lie together near 0.98; those of the nodule are spread from 0 to about 0.9."}, "figure": {"caption": "Dice of every test patient. Dots: patients. Diamond and bar: mean and 95 % interval. A mean without its dots hides that patients differ."}}
plotting.show_cases(report)

# %% [markdown]
# The lung's dots are one cluster. The nodule's reach from 0 to about 0.9: "the" Dice of the nodule is a mean of patients in whom it went well and patients in whom it did not. Three dots lie on the floor. Look them up:

# %%
report.of_class("nodule").set_index("patient")[["dice", "precision", "recall"]].round(2)

# %% [markdown]
# Three zeros, for different reasons. Two patients have recall 0: the nodule was missed; in one of them nothing else was marked (precision 0/0), in the other something that is none. The third has recall 0/0: there is *no* nodule, and a few false pixels cost the whole score. The same 0.00 stands for a missed finding and for a small false alarm; only the other columns tell them apart.
#
# The same patients in IoU, and in mm:

# %%
report.summary("iou")[["mean", "low", "high", "undefined"]].round(2)

# %%
report.summary("hd95")[["mean", "low", "high", "undefined"]].round(1)

# %% [markdown]
# IoU is below Dice in every row, as it must be, and tells the same story. In mm, 95 % of the lung's border lies within about two pixels of the true one.
# The nodule's HD95 is about the same as the lung's, although its Dice is so much lower. Look at the last column: the three patients with Dice 0 are undefined here and have dropped out, and slices with a missed nodule do not count in the others either. The distance speaks only of what *was* found. That is why it stands beside Dice and recall, and never alone.

# %% [markdown]
# ### Pictures beside the numbers
#
# A mean can hide a disaster, and pictures chosen by hand can hide anything. So choose by a rule: the worst, the median and the best patient, here by the nodule's Dice, and of each the slice with the largest nodule.

# %% mystnb={"image": {"alt": "Three rows of four pictures, image, ground truth, prediction and errors, for the worst, the median and the best test patient by nodule Dice. The lungs are nearly right in all rows; the nodule is missed, drawn blue, in the first two rows and found, drawn green, in the last."}, "figure": {"caption": "Test patients chosen by a rule: worst, median and best Dice of the nodule; of each the slice with the largest nodule. The errors are those of the nodule only."}}
ranked = report.of_class("nodule").query("true_pixels > 0").sort_values("dice")["patient"].tolist()
chosen = [ranked[0], ranked[len(ranked) // 2], ranked[-1]]
size = (test.masks == 2).sum(axis=(1, 2))
at = [np.where(test.patient_ids == patient, size, -1).argmax() for patient in chosen]
plotting.show_predictions(
    test.images[at], test.masks[at], test_predictions[at], 2, ["worst", "median", "best"], test.spacing[at]
)

# %% [markdown]
# The lungs look alike in all three rows. What separates the best patient from the worst is the small thing in the lung. A table with one mean over both classes would have hidden it. Look at the missed nodules: are they large or small, bright or faint? [Notebook 06](06_failure_analysis.ipynb) asks this in earnest.

# %% [markdown]
# ## How sure am I?
#
# With seven *other* patients the mean would have been another. How different? We cannot get new patients, but we can draw patients from those that we have, as many as there are, *with replacement*: some come twice, some not at all. The spread of the means of many such draws tells how much the mean owes to the choice of patients. This is the **bootstrap**.

# %%
values = report.of_class("nodule")["dice"].dropna().to_numpy()
rng = np.random.default_rng(0)
drawn = rng.integers(len(values), size=(2000, len(values)))
means = values[drawn].mean(axis=1)
low, high = np.quantile(means, [0.025, 0.975])
print(f"{len(values)} patients, mean {values.mean():.2f}, 95 % interval {low:.2f} to {high:.2f}")

# %% mystnb={"image": {"alt": "A histogram of 2000 bootstrap means of the nodule's Dice, a single broad hill, with the mean as a solid vertical line and the ends of the interval as dashed lines."}, "figure": {"caption": "Means of 2000 draws of the test patients. 95 % of them lie between the dashed lines: that is the interval."}}
with plotting.figure(width=4.4, height=2.6) as (fig, axes):
    axes[0, 0].hist(means, bins=25, color="#E69F00")
    axes[0, 0].axvline(values.mean(), color="black")
    for end in (low, high):
        axes[0, 0].axvline(end, color="black", linestyle="--")
    axes[0, 0].set(xlabel="mean nodule Dice of a draw", ylabel="draws")
fig

# %% [markdown]
# Four lines: draw row numbers, take the values, average each row, cut off 2.5 % on both sides. `bootstrap_interval` does the same, and can draw whole groups:

# %%
from unet_helpers import bootstrap_interval

print(*(round(end, 2) for end in bootstrap_interval(values)))

# %% [markdown]
# ### Why patients and not slices?
#
# There are fifty-six test slices, and only seven patients. Fifty-six numbers promise a narrower interval. But the slices of one patient share one anatomy, one scanner, one noise: they are not fifty-six independent witnesses.
# To see what goes wrong, cut each patient into finer slices. Neighbors in a real scan are a millimeter apart and almost equal; the extreme is to count each slice ten times.

# %%
slices = evaluate(None, test, data.class_names, by="slice", predictions=test_predictions)


def widths(name, times):
    of_class = slices.of_class(name)
    score, patients = (np.repeat(of_class[key].to_numpy(), times) for key in ("dice", "patient"))
    intervals = {"slices drawn": bootstrap_interval(score), "patients drawn": bootstrap_interval(score, patients)}
    return {drawn: high - low for drawn, (low, high) in intervals.items()}


table = {(name, f"each slice {times}×"): widths(name, times) for name in ("lung", "nodule") for times in (1, 10)}
pd.DataFrame(table).T.round(3)

# %% [markdown]
# From one row of a class to the next, no patient was added and nothing was learned. Drawing slices, the interval shrinks to a third, and with thinner slices it would go on shrinking towards zero. It answers how well *these patients* are known. Drawing patients, it stays as it was, because there are still seven of them. That is the interval to report: the next scan will be of a new patient, not a new slice of an old one.
#
# Without the repetition the two intervals are about equally wide. That is luck: eight slices so far apart are nearly as different as patients, and slices at the top of the lung score lower than those in the middle in *every* patient; drawing slices one by one counts this difference as luck, although each new patient brings the same eight heights.

# %% [markdown]
# ### Exercise 05.6: an interval over patients
#
# Write `interval(values, patients)`: 1000 or more times, draw as many patients as there are, with replacement, take *all* values of each drawn patient, and average. Return the 2.5th and the 97.5th percentile of these means.


# %%
def interval(values, patients):
    rng = np.random.default_rng(0)
    groups = [values[patients == patient] for patient in np.unique(patients)]
    return ...


check.interval(interval)


# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
def interval(values, patients):
    rng = np.random.default_rng(0)
    groups = [values[patients == patient] for patient in np.unique(patients)]
    means = []
    for _ in range(1000):
        drawn = rng.integers(len(groups), size=len(groups))
        means.append(np.concatenate([groups[i] for i in drawn]).mean())
    return np.quantile(means, [0.025, 0.975])


check.interval(interval)

# %% [markdown]
# ## What may be concluded
#
# <div class="alert alert-warning">
#
# The patients are synthetic. The numbers say that the tools work, and how this network does on *this* phantom. They say nothing about people, scanners or diseases, and nothing here is a clinical tool.
#
# </div>
#
# With real data the same care applies:
#
# - **May be said**: "On seven patients of the same source, not used for training or for any choice, lung Dice per patient was … (95 % interval … to …); nodule Dice was …, undefined in … patients."
# - **May not be said**: "the model reaches …" as if it were a property of the model. It is a property of the model *on patients like these*. Another scanner or another disease is another question (notebook 09).
# - **May not be said**: "A is better than B" because one mean is higher, when the difference per patient has an interval that includes 0.
# - **Seven patients are few.** A bootstrap of few patients is itself somewhat too narrow, since it can only draw what it has. A single unusual patient would change the picture; only more patients help.
#
# The next question is: the errors that we counted here, where are they, and why?

# %% [markdown]
# ## Take-aways
#
# - TP, FP, FN and TN are the whole story of overlap; accuracy counts TN and so rewards a large background.
# - Dice = 2 IoU / (1 + IoU) holds for one case and not for averages.
# - Say the class, the unit (slice, patient, pixel pool), and what happens to empty masks. The same masks give very different numbers.
# - 0/0 is `nan`: leave it out visibly, count it, and watch the false positives on empty slices.
# - Overlap and distance see different errors, and a distance needs the spacing.
# - Choose on validation, test once, and give an interval over patients.

# %% [markdown]
# ## Questions to test yourself
#
# 1. A paper gives a mean IoU of 0.60. May you write "that is a Dice of 0.75"?
# 2. A nodule network has an accuracy of 0.999. What do you ask first?
# 3. Two groups report nodule Dice 0.32 and 0.94 with the same masks. How can that be?
# 4. A network marks one false nodule in each healthy slice. Which average does not notice?
# 5. Why is the best threshold of the test set not a fair choice?
# 6. One hundred slices of two patients: how many independent observations do you have?
#
# <details><summary>Answer</summary>
#
# 1. No. The formula holds for one case, and the mean of the cases' Dice is at most 0.75.
# 2. What share of the pixels is nodule, or what accuracy "all background" has; then Dice and recall of the nodule.
# 3. One averaged per slice, the other pooled all pixels, or counted empty slices as 1.
# 4. The one that leaves out all slices whose ground truth is empty.
# 5. It was fitted to these patients, so that its score is too good for others.
# 6. Two patients; an interval should be drawn over two, and two are too few for one.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Maier-Hein and others (2024) {cite:p}`maierhein2024metrics`: *Metrics Reloaded*, from the task to the metric, with a decision tree.
# - Reinke and others (2024) {cite:p}`reinke2024pitfalls`: pictures of everything that goes wrong with metrics; empty masks and small objects among them.
# - Dice (1945) {cite:p}`dice1945` and Jaccard (1912) {cite:p}`jaccard1912`: the two coefficients come from ecology, and count species.
# - Nikolov and others (2021) {cite:p}`nikolov2021surface`: overlap at the surface, with a tolerance in mm that comes from how much two experts differ.
# - Efron and Tibshirani (1993) {cite:p}`efron1993bootstrap`: the bootstrap, by its inventor, and when not to trust it.

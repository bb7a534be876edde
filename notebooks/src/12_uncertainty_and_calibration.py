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
# # 12 Uncertainty and calibration
#
# Does the network know when it is wrong?

# %%
import numpy as np

from unet_helpers import load_checkpoint, load_dataset, predict_probabilities
from unet_helpers.data import subset_of_patients
from unet_helpers.phantom import make_patient

data = load_dataset("phantom")
model = load_checkpoint()
more = subset_of_patients([make_patient(0, index=index) for index in range(96, 104)])
probabilities = predict_probabilities(model, more.images)
predictions, confidence = probabilities.argmax(axis=-1), probabilities.max(axis=-1)

# %% mystnb={"figure": {"caption": "Of eight further patients, the slice with the largest nodule on which the network finds nothing of it. Yellow: ground truth; dashed: prediction. Blue: missed; orange: too much. Right: 1 − the highest probability of each pixel, bright where the network is unsure."}, "image": {"alt": "Three pictures of a chest slice. Left: the lungs and a small nodule outlined in yellow; the dashed line of the prediction follows the lungs, and there is none around the nodule. Middle: the nodule filled in blue as missed, a missed strip of lung in front of the heart, and a thin line of errors along the lungs. Right: a black map with bright lines along the outlines of the lungs, and nothing to see inside the nodule."}}
from unet_helpers.plotting import show_uncertainty

nodule = more.masks == 2
found = (nodule & (predictions == 2)).any(axis=(1, 2))
missed = int(np.where(found, 0, nodule.sum(axis=(1, 2))).argmax())
unsure = {"1 − highest probability": 1 - confidence}


def row_of(k, maps):
    row = {"image": more.images[k], "truth": more.masks[k], "predicted": predictions[k], "spacing": more.spacing[k]}
    return row | {"maps": {name: values[k] for name, values in maps.items()}}


show_uncertainty([row_of(missed, unsure)], panel=2.8)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - draw a reliability diagram, compute the calibration error, and say why background pixels flatter it,
# - fit a temperature, on validation patients only, and say what it can repair,
# - make maps of uncertainty in three ways (dropout, flips, an ensemble), and score them on where the network is wrong,
# - decide which cases to refer to a person, and compare that with an honest baseline,
# - say what none of this can show.
#
# **You need before:** Dice per patient and its interval ([notebook 05](05_evaluation.ipynb)); what a loss sees ([notebook 07](07_losses_and_imbalance.ipynb)).
#
# **Minutes:** 55 to read, with five exercises, 1 to run on two cores.
#
# **The misconception it removes:** "A softmax of 0.99 means it is right 99 times of 100."
#
# </div>

# %% [markdown]
# On this slice the network has missed a nodule. Does it at least hesitate? Inside the nodule, the probability that it gives to its own, wrong answer is on average:

# %%
round(float(confidence[missed][nodule[missed]].mean()), 2)

# %% [markdown]
# It does not. The map is bright along the outlines of the lungs, where nothing much is at stake, and dark at the place of the error that matters most. Anybody who looks for bright spots looks elsewhere.
#
# The patients are further ones of the phantom's family, whom no training, no choice and no other notebook has seen; the test patients of the data set stay closed. They are eight, and what is computed live on this page has no intervals: it shows how to ask. The recorded benchmark further down answers with more patients and more networks.

# %% [markdown]
# ## Ninety-nine times of a hundred?
#
# One missed nodule breaks no promise yet: of a hundred pixels at 0.99 one may be wrong. So we count. Call a pixel *sure* if the highest of its three probabilities, its **confidence**, is 0.99 or more. How many of the sure pixels are right? We ask for all pixels, for those **near** an outline (within 10 mm of a true or a predicted boundary), and for those that the network **calls nodule**.

# %%
import pandas as pd

from unet_helpers.evaluation import distance_to_outline

right = predictions == more.masks
near = np.minimum(*(distance_to_outline(m, more.spacing) for m in (more.masks, predictions))) <= 10
regions = {"all pixels": np.ones_like(near), "near an outline": near, "called nodule": predictions == 2}

# %% nbval_tolerance=0.02
rows = {}
for name, where in regions.items():
    sure = where & (confidence >= 0.99)
    others = where & ~sure
    rows[name] = (where.mean(), sure.sum() / where.sum(), right[sure].mean())
    rows[name] += (confidence[others].mean(), right[others].mean())
columns = ["share of all pixels", "of them sure", "sure ones right", "others promised", "others right"]
pd.DataFrame(rows, index=columns).T.round(3)

# %% [markdown]
# Of all pixels nearly all are sure, and of the sure ones nearly all are right: better than 99 of 100. Of the others nine tenths are right, more than their confidence promised. By this line the network is careful, even **too modest**.
#
# Now the last line. Of the pixels that it calls nodule and is sure of, 99 of 100 are right here as well. Here that means all but one of some 130 pixels, and one more wrong pixel would break the promise. In other images the surest pixels will break it, further down. But far more of the pixels called nodule are *not* sure, and of these four fifths were promised and only about three fifths are right. It is *these* pixels that somebody will look at. In the first line they do not show, because they are so few (a share of 0.00, rounded): outside the body and deep inside the lung it is no art to be right.

# %% [markdown]
# ## A reliability diagram
#
# 0.99 is one number of many. Sort the pixels by their confidence into bins of equal width. In each bin compare what was promised, the mean confidence, with what was kept, the share of the pixels that are right. If both agree in every bin, the network is **calibrated**.

# %% [markdown]
# ### Exercise 12.1: what was kept
#
# Given the confidence of each pixel, whether it is right, and a number of bins of equal width from 0 to 1: return the share that is right in each bin, `np.nan` where a bin is empty. A confidence of exactly 1 belongs to the last bin.

# %%
from unet_helpers.teaching.checks import uncertainty_and_calibration as check


def accuracy_per_bin(confidence, right, bins):
    return ...


check.accuracy_per_bin(accuracy_per_bin)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def accuracy_per_bin(confidence, right, bins):
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [right[index == b].mean() if (index == b).any() else np.nan for b in range(bins)]


check.accuracy_per_bin(accuracy_per_bin)

# %% [markdown]
# `reliability` does this, and keeps counts and mean confidence of each bin beside it.

# %% mystnb={"figure": {"caption": "Top: share that is right over confidence; on the dashed line promises are kept. Orange bars: too much was promised; blue: too little. Bottom: how many pixels have which confidence (logarithmic). Three classes, so no confidence is below a third."}, "image": {"alt": "Three reliability diagrams with a histogram under each. All pixels, and pixels near an outline: the curve lies a little above the diagonal, with small blue bars. Called nodule: the curve jumps, but from a confidence of 0.7 on it lies well below the diagonal, with long orange bars. In all three histograms the last bin towers over the others, on a logarithmic axis."}}
from unet_helpers.evaluation import reliability
from unet_helpers.plotting import show_reliability

show_reliability({name: reliability(probabilities, more.masks, where=where) for name, where in regions.items()})

# %% [markdown]
# The first two diagrams lie on the blue side: a pixel at 0.8 is right more often than that. The third is far on the orange side from 0.7 on: of what is called nodule with 0.7 or 0.75 about half is nodule. That is some two dozen pixels, many of them neighbors in the same nodule, so "half" is rough (further left the points jump, since they are fewer still). Look at the histograms as well; their axis is logarithmic. Most pixels are in the last bin, so most points of a curve stand for few pixels.

# %% [markdown]
# ### Exercise 12.2: one number
#
# The **expected calibration error** (ECE) is the gap between confidence and accuracy, as an absolute value, averaged over all pixels: each bin counts with its share of the pixels {cite:p}`guo2017calibration`. Write it, for the counts, mean confidences and accuracies of the bins; empty bins have a count of 0, and nan.


# %%
def calibration_error(counts, confidence, accuracy):
    return ...


check.calibration_error(calibration_error)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def calibration_error(counts, confidence, accuracy):
    return np.nansum(counts * np.abs(confidence - accuracy)) / counts.sum()


check.calibration_error(calibration_error)

# %% nbval_tolerance=0.01
rows = {}
for name, where in regions.items():
    bins = reliability(probabilities, more.masks, where=where)
    error = calibration_error(bins.counts, bins.confidence, bins.accuracy)
    rows[name] = (error, bins.overconfidence)
pd.DataFrame(rows, index=["calibration error", "confidence − accuracy"]).T.round(3)

# %% [markdown]
# Both columns: the error over all pixels is a few thousandths, and has the sign of modesty. Among the pixels called nodule it is about a tenth, with the **other sign**. The second is invisible in the first, because fewer than one pixel in a thousand is called nodule. **A calibration error without its pixels is an advertisement**; report it near the objects or by class, and beside it the sign.
#
# A caution for small regions. The gap of a bin counts without its sign, so chance cannot cancel out: with few pixels in a bin even a calibrated network gets an error above 0. The expected calibration error of a small region is therefore too large on average. The second column has no such bias. Here both say nearly the same of the pixels called nodule, so most of the error is no chance of this kind; but these pixels come from seven patients.

# %% [markdown]
# ### The probability of a nodule
#
# So far we asked about the winning class. One can also take the probability of *one* class, whoever wins: of the pixels to which the network gives a probability of 0.3 for nodule, how many are nodule?

# %% mystnb={"figure": {"caption": "The probability of nodule, and how often a pixel is nodule, in all pixels of the eight patients."}, "image": {"alt": "A reliability diagram for the class nodule. Between probabilities of 0.3 and 0.9 the curve lies below the diagonal, in most bins well below; between 0.1 and 0.3 it lies above. The histogram shows nearly all pixels in the first bin and a small peak in the last."}}
show_reliability(
    {"nodule": reliability(probabilities, more.masks, of=2, bins=10)}, "probability of nodule", "is nodule"
)

# %% [markdown]
# Where the network gives nodule a probability of about 0.75, half of the pixels are nodule (of about twenty). Two things in its training push that way: in its loss each nodule pixel counts ten times, so that a miss costs more than a false alarm ([notebook 07](07_losses_and_imbalance.ipynb)), and half of its training crops lay around a nodule, so that it met nodules far more often than they are. Both make it find more, and bend its probabilities. (They cannot be all: below, cross-entropy without weights promises too much for such pixels as well.) The probabilities still put the pixels in an *order*, and an order is all that a threshold needs.

# %% [markdown]
# ## What the loss does to it
#
# Cross-entropy is lowest for the true probabilities: it asks for calibration, on what it is trained on. The Dice loss asks for overlap, and overlap is best with a mask of zeros and ones; nothing rewards it for a 0.7 that means 0.7. The recipe of our network is their sum, with a weight of ten on the nodule pixels in the cross-entropy. The recorded benchmark `uncertainty.py` trained our U-Net with each, from several seeds, all for as many epochs as the network above and on crops drawn alike. They differ in the loss alone.

# %%
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "uncertainty.json").read_text(encoding="utf-8"))["results"]
print(f"{recorded['held_out_patients']} patients, {recorded['held_out_patients_with_nodule']} with a nodule")
print(f"{recorded['epochs']} epochs, about {recorded['training_seconds']:.0f} s of training for each network")
for name, run in recorded["losses"].items():
    print(f"{name}: {len(run['temperature_seeds'])} networks")

# %% mystnb={"figure": {"caption": "Three losses: reliability in the pixels near an outline, seeds and patients together."}, "image": {"alt": "Reliability curves of three losses near an outline. Between 0.6 and 0.95 cross-entropy lies well above the dashed diagonal, the weighted sum a little above it, and the Dice loss well below it."}}
from unet_helpers.plotting import show_reliability_together

show_reliability_together({name: run["curve"]["near"] for name, run in recorded["losses"].items()})


# %%
def cell(run, key, digits=3):
    if run[key] is None:
        return "no such pixel"
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(*(run[key + end] for end in ("", "_low", "_high")), d=digits)


columns = {"nodule Dice": "nodule_dice", "error, all": "all_ece", "near": "near_ece"}
columns["called nodule"] = "called_nodule_ece"
rows = {name: [cell(run, key) for key in columns.values()] for name, run in recorded["losses"].items()}
table = pd.DataFrame(rows, index=list(columns)).T
by_seed = [" ".join(f"{d:.2f}" for d in run["nodule_dice_seeds"]) for run in recorded["losses"].values()]
table.insert(1, "by seed", by_seed)
table

# %% [markdown]
# In brackets, here and below: 95 % intervals over patients. They do not hold how much the networks of one loss differ among themselves; for that there is the column *by seed*.
#
# Near an outline the networks of the **Dice loss promise too much**: where they say 0.9, not even 0.8 is right. Nothing in their loss holds them back. Mehrtash and others found the same in the brain, the heart and the prostate {cite:p}`mehrtash2020confidence`. The networks of the **cross-entropy are too modest** there. What their loss makes honest are the probabilities on which it is computed: in training, with dropout, on crops that were turned, zoomed and brightened. A likely reason is that whole, unchanged images without dropout are easier than that. (Large classifiers that are trained far longer promise too much with the same loss {cite:p}`guo2017calibration`.) The sum lies between the two, nearest to the diagonal, as if two opposite faults partly canceled.
#
# Among the pixels that a network *calls nodule* every loss has a far larger error, always by promising too much. One likely reason is the same for all: in the crops of the training nodules were far more frequent than they are. Here the Dice loss has the largest mean error and the cross-entropy, which had the largest near an outline, the smallest. But this order is not settled: the interval of the sum overlaps both others, and the single networks of the Dice loss, or of the sum, differ among themselves by more than a tenth. And before you choose by a calibration error at all, read the first column: the same cross-entropy has the lowest nodule Dice, with every seed. The best calibrated network need not be the most useful; a calibration error stands beside a Dice, never in its place.

# %% [markdown]
# ## Temperature
#
# A network that promises too much everywhere can be taught modesty with a single number. Divide the **logits**, the numbers that the last layer hands to the softmax, by a **temperature** $T$: above 1 all probabilities move toward one another, below 1 they move apart. The order of the classes stays, and with it every mask and every Dice.
#
# Our network gives probabilities, not logits. That is no loss: $\log p_k$ is the logit of class $k$ up to a constant that is the same for all classes, and a softmax does not see such a constant. So
#
# $$p_k(T) = \frac{p_k^{1/T}}{\sum_j p_j^{1/T}}.$$

# %% [markdown]
# ### Exercise 12.3: another temperature
#
# Write it, for probabilities with the classes on the last axis.


# %%
def at_temperature(probabilities, temperature):
    return ...


check.temperature(at_temperature)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def at_temperature(probabilities, temperature):
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


check.temperature(at_temperature)

# %% [markdown]
# Which temperature? The one with the lowest cross-entropy on the **validation** patients. Not on the training patients, whom the network knows too well; not on those on whom you report, because then the number would be fitted to them.

# %% nbval_tolerance=0.01
from unet_helpers.evaluation import fit_temperature

on_validation = predict_probabilities(model, data.validation.images)
temperature = fit_temperature(on_validation, data.validation.masks)
scaled = at_temperature(probabilities, temperature)
round(temperature, 2)

# %%
assert (scaled.argmax(axis=-1) == predictions).all()

# %% mystnb={"figure": {"caption": "Before and after the temperature, on patients on whom it was not fitted."}, "image": {"alt": "Two reliability diagrams for pixels near an outline. As it is: the curve lies a little above the diagonal. At the fitted temperature: it lies nearly on the diagonal."}}
before, after = (reliability(p, more.masks, where=near) for p in (probabilities, scaled))
show_reliability({"near, as it is": before, f"near, T = {temperature:.1f}": after})

# %% nbval_tolerance=0.01
rows = {}
for name, where in regions.items():
    rows[name] = [reliability(p, more.masks, where=where).error for p in (probabilities, scaled)]
pd.DataFrame(rows, index=["as it is", "at the temperature"]).T.rename_axis("calibration error").round(3)

# %% [markdown]
# The temperature is below 1: on the whole the network was too modest, and is sharpened. Near an outline the promises are now nearly kept. But among the pixels called nodule the error has grown, not shrunk: there the network promised too much already, and was sharpened with the rest.
#
# Move the temperature, and see what it can change in the picture we began with, and what it cannot.

# %% mystnb={"figure": {"caption": "1 − highest probability, of the slice of the first picture, at seven temperatures. White is two thirds, an even guess between three classes."}, "image": {"alt": "A slider for the temperature above a map of uncertainty of one slice. At low temperature only a thin line along the lungs is bright; at high temperature the line becomes broad and the lungs gray."}}
from unet_helpers.plotting.widgets import explore

temperatures = [0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0]
frames = [1.5 * (1 - at_temperature(probabilities[missed], t).max(axis=-1)) for t in temperatures]
explore(frames, [f"T = {t:g}" for t in temperatures], "temperature", start=3, width=300)

# %% [markdown]
# The line along the lungs grows and shrinks. The missed nodule lights up only when everything does: a temperature changes how bright the map is, and hardly which place is brighter than which.
#
# Did the temperature help in the benchmark? There each network has its own, fitted on the validation patients.

# %%
rows = {}
for name, run in recorded["losses"].items():
    seeds = " ".join(f"{t:.1f}" for t in run["temperature_seeds"])
    keys = ("near_ece", "scaled_near_ece", "called_nodule_ece", "scaled_called_nodule_ece")
    rows[name] = [seeds, *(cell(run, key) for key in keys)]
pd.DataFrame(rows, index=["temperatures", "near", "near, scaled", "called nodule", "the same, scaled"]).T

# %% [markdown]
# The temperature goes against the fault of the loss. For the Dice loss it is **above 1**, and takes away confidence: the pixels near an outline get better, those called nodule a little, and in both too much is still promised. For the cross-entropy and the sum it is **below 1**: they were too modest on all pixels together, and are sharpened. Near an outline this mends nearly everything. But what is called nodule gets worse, in each of the eight networks: there they promised too much already, and are sharpened with the rest. **One number cannot be right for two kinds of pixels**, and the frequent kind decides. (`fit_temperature` takes `where`. Fit a temperature near the outlines, and it is another one.) Nor does it mend the Dice: no mask has changed.

# %% [markdown]
# ## Maps of uncertainty
#
# One network gives one answer. Ask for several answers to one image, and see where they differ. Three ways to get them:
#
# - **Dropout.** In training, dropout switches channels off at random. Leave it on, and each prediction comes from a slightly different network {cite:p}`gal2016dropout`.
# - **Flips.** Predict the image and its mirror images, and flip the answers back. This is one kind of test-time augmentation {cite:p}`wang2019aleatoric`.
# - **An ensemble.** Train the network several times, from other seeds {cite:p}`lakshminarayanan2017ensembles`. The best liked, and the most expensive.

# %% [markdown]
# ### A trap
#
# Keras has a switch for dropout: `model(images, training=True)`. But it switches *all* layers, and batch normalization in training mode uses the mean and variance of the batch, so that the answer for one patient depends on who else is in the batch. It also changes the averages that it stores:

# %%
victim = load_checkpoint()
victim(more.images[:16], training=True)
np.allclose(predict_probabilities(victim, more.images), probabilities, atol=0.01)

# %% [markdown]
# `False`: after one such call the network *predicts* differently, by more than a hundredth somewhere, although nobody has trained it. `predict_with_dropout` switches on the dropout layers and nothing else, in a copy.

# %%
from unet_helpers.evaluation import predict_with_dropout, predict_with_flips

dropped = predict_with_dropout(model, more.images, samples=10)
flipped = predict_with_flips(model, more.images)
assert np.array_equal(predict_probabilities(model, more.images), probabilities)
dropped.shape, flipped.shape

# %% [markdown]
# Samples first, then slices, rows, columns, classes. Before you trust several answers, look at how good each is:

# %% nbval_tolerance=0.01
from unet_helpers import dice

rows = {f"dropout {i + 1}": dropped[i] for i in range(3)}
rows |= {f"flip: {name}": flipped[i] for i, name in enumerate(("none", "left–right", "up–down", "both"))}
scores = {name: [dice(more.masks == c, p.argmax(axis=-1) == c) for c in (1, 2)] for name, p in rows.items()}
pd.DataFrame(scores, index=["lung Dice", "nodule Dice"]).T.round(2)

# %% [markdown]
# Dropout costs little: each sample is nearly as good as the whole network. Left and right can be exchanged as well, although this network was trained without flips. Upside down the lungs lose a little, and with both flips so do the nodules: less than one might fear, for the network has never seen the spine on top, but eight patients are few. Where an answer suffers, it contributes to a map not doubt about this patient but surprise about the pose. So **flip only as far as the training did, or as far as you have checked**: from here on, and in the benchmark, left and right alone.

# %% [markdown]
# ### What is it unsure about?
#
# Average the answers, and take the **entropy** $-\sum_k p_k \log p_k$ of the mean: 0 where it is certain, $\log 3$ where all three classes are equally likely. But this mixes two things. A pixel can have a mean of one half because *every* member says one half: a shared doubt, as on a blurred edge. Or because half of the members say 0 and the others say 1: a contradiction. The **mutual information** keeps the second only: the entropy of the mean, minus the mean of the entropies.
#
# The doubt that stays however many networks one asks is called **aleatoric**: it lies in the image. The contradiction is called **epistemic**: it lies in what the networks have learned, and more training patients would make it smaller. (These names claim more than the numbers can keep: the members of an ensemble can share an error, and then there is neither doubt nor contradiction.)

# %% [markdown]
# ### Exercise 12.4: doubt or contradiction
#
# Write the mutual information of `samples` with shape (members, pixels, classes), for probabilities above 0.


# %%
def mutual_information(samples):
    return ...


check.mutual_information(mutual_information)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def mutual_information(samples):
    of_mean = -(samples.mean(axis=0) * np.log(samples.mean(axis=0))).sum(axis=-1)
    each = -(samples * np.log(samples)).sum(axis=-1)
    return of_mean - each.mean(axis=0)


check.mutual_information(mutual_information)

# %% mystnb={"figure": {"caption": "Top: the slice with the largest nodule that was found at least in part. Bottom: the missed nodule of the first picture. Each map has one scale for both rows, from black (0) to its highest value; the yellow line in the maps is the true nodule."}, "image": {"alt": "Two rows of close-ups with the image, the errors and four maps. Top: a bright nodule near the tip of the lung, outlined well; the outline of the lung glows, in the mutual information only in places. Bottom: the missed nodule, dark in 1 − highest probability and in the flips, a small glowing spot in the two maps of dropout."}}
from unet_helpers.evaluation import entropy
from unet_helpers.evaluation import mutual_information as information

maps = unsure | {
    "dropout: entropy": entropy(dropped.mean(axis=0)),
    "dropout: mutual inf.": information(dropped),
    "flips: mutual inf.": information(flipped[:2]),  # as it is, and left and right exchanged
}
partly = int(np.where(found, nodule.sum(axis=(1, 2)), 0).argmax())
show_uncertainty([row_of(k, maps) for k in (partly, missed)], crop=64, panel=1.75)

# %% [markdown]
# In the lower row the maps differ. The single prediction is dark inside the missed nodule, but some of the dropout samples saw something there, and it glows a little. The doubt was in the network, and a single prediction did not show it; nor did the flips. The outline of the lung, where a pixel may belong to either side, is marked in all maps, strongly in the first two, in traces in the mutual information.
#
# And the ensemble of five networks of the benchmark, on two slices chosen by the same rule among its patients:

# %% mystnb={"figure": {"caption": "Recorded: the maps of an ensemble of five networks beside those of one of them, and the errors of that one."}, "image": {"alt": "Two rows of close-ups with the image, the errors and four maps. Top: a large, bright nodule, outlined well; the outline of the lung glows in 1 − highest probability and in the entropy, and hardly in the mutual information. Bottom: a gray nodule that was missed; it is faint in 1 − highest probability and in the dropout map, bright in the ensemble's entropy, and by far the brightest spot of its mutual information."}}
with np.load(RESULTS / "uncertainty_slices.npz") as stored:
    kept = dict(stored)
names = {"1 − highest": "1 − highest probability", "dropout: mutual inf.": "dropout: mutual information"}
names |= {"ensemble: entropy": "ensemble: entropy", "ensemble: mutual inf.": "ensemble: mutual information"}
rows = []
for i in range(2):
    row = {"image": kept["images"][i] / 255, "truth": kept["truth"][i], "predicted": kept["predicted"][i]}
    rows.append(row | {"maps": {title: kept[name][i] for title, name in names.items()}})
show_uncertainty(rows, crop=64, panel=1.75)

# %% [markdown]
# In the second row the single network misses a gray nodule, and doubts a little in a few of its pixels. In the ensemble's mutual information this nodule is by far the brightest spot: other members have found it, and contradiction is what this map shows. The edge of the lung, on which all members doubt alike, is bright in the entropy and fades in the mutual information.

# %% [markdown]
# ## Do the maps point at the errors?
#
# Draw a wrong pixel and a right pixel at random. How often is the wrong one the less certain? That is the **AUROC of error**: 1 for a perfect map, 0.5 for one that knows nothing.
#
# A score needs a baseline, and the honest one is free: 1 − the highest probability of the single network. A second one should make you think. It is no uncertainty at all: the distance to the *predicted* outline, the nearer the less certain. Anybody can draw it with a pencil along the edge of the mask.

# %% nbval_tolerance=0.01
from unet_helpers.evaluation import error_auroc

pencil = {"distance to the outline": -distance_to_outline(predictions, more.spacing)}
rows = {}
for name, values in (pencil | maps).items():
    rows[name] = [error_auroc(values, ~right), error_auroc(values, ~right, where=near)]
pd.DataFrame(rows, index=["all pixels", "near an outline"]).T.rename_axis("AUROC of error").round(2)

# %% [markdown]
# Over all pixels every map looks splendid, **and so does the pencil**. Errors lie at outlines, and nearly all other pixels are far from any; so a line along the edge has found them. Near an outline the pencil falls behind, and the free baseline is as good as ten predictions with dropout.
#
# The same for the networks of the benchmark, per patient, on the errors of three single networks. The last column asks only for nodules: where inside the lungs is a nodule missed or invented?

# %%
columns = {"all pixels": "all_auroc", "near an outline": "near_auroc", "nodules in the lung": "nodule_auroc"}
rows = {name: [cell(run, key, 2) for key in columns.values()] for name, run in recorded["maps"].items()}
pd.DataFrame(rows, index=list(columns)).T

# %% [markdown]
# The first two columns say the same as above; the entropy of the flips and of the ensemble adds a little. In the last one the order changes. Near an outline each entropy is better than its mutual information: the intervals of the pairs do not touch, and the likely reason is that the errors there are a matter of shared doubt. For nodules it is the other way round: each **mutual information has a higher value than its entropy**, by a hundredth for the flips and by three for dropout and ensemble, and with each of the three networks. Is that a difference? The intervals of each pair overlap, and that decides nothing, for both maps were scored on the same patients, and what would count is the interval of the *difference* ([notebook 08](08_architecture_comparison.ipynb)). It was not recorded. What the table does show: the mutual information of the ensemble lies above 1 − the highest probability with intervals that do not touch (those of dropout just meet in the two digits shown). A likely reason is that a nodule is missed or invented where answers contradict each other: where one network misses it, another may have seen it. The ensemble has the highest value, and several trainings buy it; dropout, which needs no further training, comes near, and again the intervals overlap.

# %% [markdown]
# ## Can a case be referred?
#
# A map is for looking at. In daily work the question is often one per case: may this one pass, or should a person look? So each patient needs one number. Two that need nothing but masks and probabilities:
#
# - the **expected loss of Dice**: the Dice that the probabilities of the nodule expect of their own mask ([notebook 06](06_failure_analysis.ipynb)), subtracted from 1; where the mask is empty, the highest probability of nodule,
# - the **disagreement**: several members each draw a mask; 1 − the mean Dice over all pairs of them.
#
# Then decide the most certain cases by machine and refer the rest. The **coverage** is the share that the machine keeps, the **risk** the mean error of those, here 1 − Dice of the nodules of a patient (of a patient without a nodule: 0 if none is marked, else 1; but all patients of the benchmark have one).

# %% [markdown]
# ### Exercise 12.5: risk at a coverage
#
# Write the mean risk of the most certain `share` of the cases (`round(share * n)` of them).


# %%
def kept_risk(risk, uncertainty, share):
    return ...


check.kept_risk(kept_risk)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def kept_risk(risk, uncertainty, share):
    kept = np.argsort(uncertainty)[: round(share * len(risk))]
    return risk[kept].mean()


check.kept_risk(kept_risk)

# %% mystnb={"figure": {"caption": "Risk over coverage for the nodules of the benchmark's patients, mean over three networks, with 95 % intervals over patients. Gray: a random order; dotted: the best order, which only the truth knows."}, "image": {"alt": "Four panels of risk over the share of patients kept, for the softmax, dropout, flips and the ensemble. In each the black curve rises to the right and lies between a flat gray line, the random order, and a green dotted line, the best order, which begins lowest. The black curve lies nearer to the best order. All meet at the right end. The four bands overlap."}}
from unet_helpers.plotting import show_bands

curves = recorded["referral"]["curve"]
coverage, panels = curves["coverage"], {}
for name in [name for name in curves if ":" in name]:
    lines = {"kept by this score": curves[name], "best order": (curves["best order"],)}
    panels[name] = (
        coverage,
        "share of patients kept",
        lines | {"random": ([recorded["referral"]["mean_risk"]] * len(coverage),)},
    )
show_bands(panels, "mean of 1 − Dice", columns=2, panel=2.7, limits=(0, 1))

# %%
print(f"mean error of all patients: {recorded['referral']['mean_risk']:.2f}")
scores = {name: run for name, run in recorded["referral"].items() if ":" in name}
rows = {name: [cell(run, "area_minus_random", 2), cell(run, "risk_at_half", 2)] for name, run in scores.items()}
pd.DataFrame(rows, index=["mean of the curve − random", "risk of the surer half"]).T

# %% [markdown]
# Every score is better than a random order: its interval lies below zero. Refer the less certain half of the patients, and the mean error of the rest falls from that of all patients to that in the last column. Whether several predictions are better than the honest baseline, the softmax of one network, is not shown: the four values lie within two hundredths, and paired differences were not recorded. The dotted curve shows how much would be possible, and most of it is reached. The gap that remains is made of patients in whom the networks were sure and wrong, or unsure and right.
#
# Two things this experiment does not test. **Each of the 24 patients has a nodule**, so it never happens that a person without one passes, which would be the daily case in a clinic. And there is **no baseline that ignores doubt**: small nodules have a low Dice anyway, so an order by the predicted size alone might do as well. Before you believe in a referral, try both.

# %% [markdown]
# ## What none of this can show
#
# **The unknown unknown.** Uncertainty is made from what the network has learned to doubt. Of the nodule cross-sections that a network of the benchmark missed wholly, how many got less than 5 % everywhere, so that no threshold worth using would have found them?

# %%
lost = recorded["missed"]
print(f"{lost['nodules']} nodule cross-sections, {lost['missed']:.0f} missed by one network on average")
print(
    f"of these never suspected by it: {lost['never_suspected']:.0f}, by the mean of all networks: "
    f"{lost['never_suspected_by_ensemble']:.0f}"
)

# %% [markdown]
# Of the nodules that a network misses, most were **never suspected** by it. The mean of all networks suspects some of them, which is what an ensemble is for; but more than half stay dark there, too. To all networks together the place looks like lung, as small and faint nodules do ([notebook 06](06_failure_analysis.ipynb)). Where no map shows anything, the patient passes as certain.
#
# **The shift.** A temperature is fitted on patients like those of training. [Notebook 09](09_domain_shift_and_transfer.ipynb) showed the same scans in another window (level −400, width 2200), which costs lung Dice. The same networks, the same patients, the same temperatures. The last three columns are confidence − accuracy near an outline: above zero, too much is promised.

# %%
kinds = {"the window of training": recorded["losses"]["Dice + weighted cross-entropy"]}
kinds["another window"] = recorded["other_window"]
columns = {"lung Dice": "lung_dice", "near": "near_overconfidence", "near, scaled": "scaled_near_overconfidence"}
rows = {name: [cell(run, key) for key in columns.values()] for name, run in kinds.items()}
rows["another window"].append(cell(recorded["ensemble_other_window"], "near_overconfidence"))
rows["the window of training"].append(cell(recorded["ensemble"], "near_overconfidence"))
pd.DataFrame(rows, index=[*columns, "near, ensemble"]).T

# %% mystnb={"figure": {"caption": "Pixels near an outline, all networks together, each at the temperature of its validation patients."}, "image": {"alt": "Two reliability diagrams near an outline at the fitted temperature. The window of training: from a confidence of 0.5 on the curve lies on the diagonal. Another window: from 0.6 on it lies well below the diagonal, with long orange bars, and a little below it in the last bin, which holds most pixels."}}
show_reliability({name: run["curve"]["scaled_near"] for name, run in kinds.items()}, panel=2.7)

# %% [markdown]
# In the other window the lung Dice falls. Near the outlines the single networks, a little too modest before, now promise too much: they have become worse **and** too certain. Even of the surest pixels, in the last bin, about one in twenty is wrong. The temperature of the validation patients, which made the first diagram nearly perfect, does **harm** in the second: for these networks it was below 1, and sharpens what is too sharp already. The ensemble bears it better, and is too modest in both windows: averaging takes confidence away where its members disagree.
#
# No probability says that these images are of another kind. Whoever uses a network has to watch what goes *in*: gray values, spacing, scanner.

# %% [markdown]
# ## When people disagree
#
# The phantom has one truth, because a program drew it. In real data the doubt that stays is also a doubt of people. In the LIDC data four radiologists outlined the same nodules {cite:p}`armato2011lidc`. Of the pixels that anybody marked, how many did one of them mark, two, three, or all four?

# %% mystnb={"figure": {"caption": "LIDC: the pixels that at least one of four readers marked, by how many marked them."}, "image": {"alt": "Four bars, the share of the marked pixels over the number of readers who marked them. One reader is by far the highest; all four, two and three follow in this order."}}
from unet_helpers import plotting

readers = recorded["readers"]
shares = readers["share_of_marked_pixels_by_votes"]
title = f"{readers['slices']:,} slices of {readers['patients']} patients"
with plotting.figure(width=3.6, height=2.6) as (fig, axes):
    axes[0, 0].bar(["one", "two", "three", "all four"], shares, color="#888888")
    axes[0, 0].set(xlabel="readers who marked the pixel", ylabel="share of the marked pixels", title=title)
fig

# %% [markdown]
# More pixels were marked by one reader alone than by all four. An outline is no line but a band, and some of the nodules are a band altogether.
#
# Take three of the readers as a forecast of the fourth: the more of them marked a pixel, the more probable that the fourth did too. Taken at its word, two of three means two thirds.

# %%
rows = {f"{v} of 3": [v / 3, cell(readers, f"marked_if_{v}_others_did", 2)] for v in (1, 2, 3)}
table = pd.DataFrame(rows, index=["forecast", "the fourth marked it"]).T
table.assign(forecast=table["forecast"].astype(float).round(2))

# %% [markdown]
# The fourth always marks less than the forecast. A pixel that three people marked got there partly by luck, and a fourth is not obliged to be of their opinion; sometimes the fourth outlined nothing at all ([notebook 05](05_evaluation.ipynb)). Even unanimity of three is not 0.99.
#
# This is aleatoric uncertainty that no training patient removes: a network that says 0.99 in such a band is wrong to be so sure, even if the one mask it was trained on agrees with it. One can train on the share of readers who marked a pixel in place of one mask (`targets=make_soft_targets(data.train)` in `train`, [notebook 15](15_your_own_data.ipynb)). And nobody should count it against a network that it is unsure where four radiologists differ.

# %% [markdown]
# ## Take-aways
#
# - A softmax of 0.99 is a number that sums to 1 with the others. Whether it is right 99 times of 100 must be counted, on patients who were not trained on.
# - Say *for which pixels* a calibration error holds. The background is easy, and there is so much of it that it hides the rest.
# - The loss bends the probabilities: near outlines the networks of the Dice loss promised too much here and those of the cross-entropy too little. Of the pixels called nodule all promised too much.
# - A temperature is one number, fitted on validation patients. It takes away what is wrong in the same direction everywhere. It changes no mask, it cannot be right for two kinds of pixels at once, and it knows nothing of another scanner.
# - For samples switch on dropout and nothing else. Score any map on the errors, beside 1 − the highest probability and beside a pencil line along the outline. Entropy points at outlines; for nodules, try a map of where the answers contradict each other, which had the higher score here.
# - No map shows what the network never suspected. A case that passes as certain is not a case without a nodule, and how many healthy cases would pass was not tested here.
#
# ## Questions to test yourself
#
# 1. A nodule network reports a calibration error of 0.002 over all pixels. What do you ask?
#
# <details><summary>Answer</summary>
#
# What it is near the nodules, and among the pixels that it calls nodule. One pixel in a thousand is nodule; a network that says "background, 0.999" everywhere has an error of about 0 and finds nothing.
#
# </details>
#
# 2. You scale the temperature of a network with three classes. How does the Dice change?
#
# <details><summary>Answer</summary>
#
# Not at all: the most probable class stays the most probable one. Only where you cut at another threshold than "the most probable" does the mask change.
#
# </details>
#
# 3. Why not fit the temperature on the test patients? It is only one number.
#
# <details><summary>Answer</summary>
#
# Because the calibration error that you report would then be the one that this number was chosen to make small. With few patients one number is enough to flatter.
#
# </details>
#
# 4. A colleague samples with `model(images, training=True)`, one image at a time. What goes wrong?
#
# <details><summary>Answer</summary>
#
# Batch normalization takes its mean and variance from that single image, which is not what the network was trained to predict with, and each call moves the stored averages. The samples differ, but they are samples of another, worse network.
#
# </details>
#
# 5. Five networks agree that a place is plain lung. What is the mutual information, and what does it tell?
#
# <details><summary>Answer</summary>
#
# Zero. It tells that they agree. They were trained on the same patients and may all lack the same kind of nodule.
#
# </details>
#
# 6. Of the pixels that two of three readers marked, the fourth marked less than two thirds. What should a good network say there, and which name has this doubt?
#
# <details><summary>Answer</summary>
#
# The share that the fourth marked, in the last table, and it should stay there with any number of training patients: aleatoric uncertainty. A network that says 0.99 there has learned one reader by heart.
#
# </details>
#
# ## Read more
#
# - Guo et al. (2017) {cite:p}`guo2017calibration`: modern networks promise too much, and one temperature repairs most of it, on images like those of training.
# - Mehrtash et al. (2020) {cite:p}`mehrtash2020confidence`: Dice loss against cross-entropy, and ensembles, in medical segmentation.
# - Gal and Ghahramani (2016) {cite:p}`gal2016dropout`: dropout as samples of networks.
# - Lakshminarayanan, Pritzel and Blundell (2017) {cite:p}`lakshminarayanan2017ensembles`: a few networks from other seeds.
# - Wang et al. (2019) {cite:p}`wang2019aleatoric`: test-time augmentation for segmentation, and what it measures.
# - Geifman and El-Yaniv (2017) {cite:p}`geifman2017selective`: networks that may abstain.
# - The words of this page are in the [glossary](../book/glossary.md).

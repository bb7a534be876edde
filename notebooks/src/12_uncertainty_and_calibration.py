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

# %% mystnb={"figure": {"caption": "Of eight further patients, the slice with the largest nodule on which the network finds nothing of it. Yellow: ground truth; dashed: prediction. Blue: missed; orange: too much. Right: 1 − the highest probability of each pixel, bright where the network is unsure."}, "image": {"alt": "Three pictures of a chest slice. Left: the lungs and a small nodule outlined in yellow; the dashed line of the prediction follows the lungs, and there is none around the nodule. Middle: the nodule filled in blue as missed, small spots of orange and blue where the vessels enter the lungs, and a thin line of errors along the lungs. Right: a black map with bright lines along the outlines of the lungs and bright spots where the vessels enter, and nothing to see inside the nodule."}}
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
# - draw a reliability diagram, compute the calibration error, and say why background pixels flatter it and few pixels inflate it,
# - fit a temperature, on validation patients only, and say what it can repair,
# - make maps of uncertainty in three ways (dropout, flips, an ensemble), and score them on where the network is wrong,
# - decide which cases to refer to a person, and compare that with honest baselines, healthy patients included,
# - give an interval that keeps a promise over patients (conformal prediction), and say what the promise leaves out,
# - say what none of this can show.
#
# **You need before:** Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)); what a loss sees ([notebook 07](07_losses_and_imbalance.ipynb)).
#
# **Minutes:** 100 to read, with five exercises, 3 to run on two cores. A break is marked in the middle: about 45 minutes before it, and 55 after it.
#
# **The misconception it removes:** "A softmax of 0.99 means it is right 99 times of 100."
#
# </div>

# %% [markdown]
# On this slice the network has missed a nodule. Does it at least hesitate? Inside the nodule, the probability that it gives to its own, wrong answer is on average:

# %%
round(float(confidence[missed][nodule[missed]].mean()), 2)

# %% [markdown]
# It does not. The map is bright along the outlines of the lungs, where little is at stake, and dark at the place of the error that matters most. Looking for bright spots leads elsewhere.
#
# The patients are more of the phantom's family, and no training, no choice and no other notebook has used them; the test patients of the data set stay closed. There are only eight of them: enough to show how to ask, and too few to answer, as their intervals will show. Further down we make 48 more, and a recorded benchmark adds more networks.

# %% [markdown]
# ## Ninety-nine times of a hundred?
#
# One missed nodule does not break the promise: of a hundred pixels at 0.99 one may be wrong. So we count. Call a pixel *sure* if the highest of its three probabilities, its **confidence**, is 0.99 or more. How many of the sure pixels are right? We ask for all pixels, for those **near** an outline (within 10 mm of a true or a predicted boundary), and for those that the network **calls nodule**.

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
# Now the last line. Of the pixels that it calls nodule and is sure of, only about 97 of 100 are right: the promise is broken, though by five of some 160 pixels, which is little to go by. And far more of the pixels called nodule are *not* sure. Of these it promised four fifths, while only about three fifths are right. It is *these* pixels that somebody will look at. They do not show in the first line, because they are so few (a share of 0.00, rounded): outside the body and deep inside the lung, being right is easy.

# %% [markdown]
# ## A reliability diagram
#
# 0.99 is one confidence of many. Sort the pixels by their confidence into bins of equal width. In each bin compare what was promised, the mean confidence, with what was kept, the share of the pixels that are right. If the two agree in every bin, the network is **calibrated**.

# %% [markdown]
# ### Exercise 12.1: what was kept
#
# Given the confidence of each pixel, whether it is right, and a number of bins of equal width from 0 to 1: return the share that is right in each bin, `np.nan` where a bin is empty. A bin holds its lower end; a confidence of exactly 1 belongs to the last bin.
#
# <details><summary>Hint 1</summary>
#
# With five bins, into which does a confidence of 0.45 fall? Into which 0.4, and into which 1? Find a formula for the number of the bin, counted from 0, and see what it says about 1.
#
# <details><summary>Hint 2</summary>
#
# The number is `confidence * bins`, cut down to a whole number; for a confidence of 1 that is one too many, so limit it to `bins - 1`. Then go through the bins, and each time look at `right` where the number is that of the bin.
#
# <details><summary>Hint 3</summary>
#
# `index = np.minimum((confidence * bins).astype(int), bins - 1)`. The mean of `right[index == b]` is the share that is right; where `index == b` holds nowhere, write `np.nan`.
#
# </details>
# </details>
# </details>

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
# `reliability` does this, and also keeps the count and the mean confidence of each bin.

# %% mystnb={"figure": {"caption": "Top: share that is right over confidence; on the dashed line promises are kept. Orange bars: too much was promised; blue: too little. Bottom: how many pixels have which confidence (logarithmic). Three classes, so no confidence is below a third."}, "image": {"alt": "Three reliability diagrams with a histogram under each. All pixels, and pixels near an outline: the curve lies a little above the diagonal, with small blue bars, but for two points at the left end, far above it, that stand for hardly any pixels. Called nodule: the curve jumps, and lies below the diagonal nearly everywhere, with long orange bars. In all three histograms the last bin towers over the others, on a logarithmic axis."}}
from unet_helpers.evaluation import reliability
from unet_helpers.plotting import show_reliability

show_reliability({name: reliability(probabilities, more.masks, where=where) for name, where in regions.items()})

# %% [markdown]
# The bars show the gap: blue where more pixels were right than promised, orange where fewer. (With three classes the highest probability is at least a third, so the bins on the left are empty.) The first two diagrams lie on the blue side: a pixel at 0.8 is right more often than that. The third seems to lie far on the orange side nearly everywhere. But look at the histograms, whose axis is logarithmic: most pixels are in the last bin, so most points of a curve stand for few pixels, many of them neighbors in one nodule. (So do the two points at the left end of the first two diagrams.) How much do the points between 0.6 and 0.9 say? As in [notebook 05b](05b_comparison.ipynb), we ask for an interval over *patients*, and with so few of them take Student's t.

# %% nbval_tolerance=0.05
from unet_helpers import bootstrap_interval

called = predictions == 2
patient = np.broadcast_to(more.patient_ids[:, np.newaxis, np.newaxis], called.shape)
some = called & (confidence >= 0.6) & (confidence < 0.9)
low, high = bootstrap_interval(right[some], patient[some], method="t")
print(f"{some.sum()} pixels of {len(np.unique(patient[some]))} patients, promised {confidence[some].mean():.2f}")
print(f"right {right[some].mean():.2f}, 95 % interval {low:.2f} to {high:.2f}")

# %% [markdown]
# About three fifths of them are right, but the interval reaches from three to nine in ten, and what was promised lies inside it: a few points of a small region in eight patients show nothing. All pixels called nodule, taken together, will say a little more, and the 48 patients further down will say enough.

# %% [markdown]
# ### Exercise 12.2: one number
#
# The **expected calibration error** (ECE) is the gap between confidence and accuracy, as an absolute value, averaged over all pixels: each bin counts with its share of the pixels {cite:p}`guo2017calibration`. Write it, for the counts, mean confidences and accuracies of the bins; empty bins have a count of 0, and nan.
#
# <details><summary>Hint 1</summary>
#
# Take two bins: 9 pixels with a gap of 0.1, and 1 pixel with a gap of 0.5. What is the average gap over the ten *pixels*? It is not 0.3.
#
# <details><summary>Hint 2</summary>
#
# Make the gap of each bin positive *before* you add: a bin that promises too much must not make up for one that promises too little. Weight each gap with its count, add up, and divide by the number of all pixels.
#
# <details><summary>Hint 3</summary>
#
# An empty bin gives 0 · nan, which is nan, and a single nan makes the whole sum nan. `np.nansum` leaves it out.
#
# </details>
# </details>
# </details>


# %%
def calibration_error(counts, confidence, accuracy):
    return ...


check.calibration_error(calibration_error)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def calibration_error(counts, confidence, accuracy):
    return np.nansum(counts * np.abs(confidence - accuracy)) / counts.sum()


check.calibration_error(calibration_error)

# %% nbval_tolerance=0.05
rows = {}
for name, where in regions.items():
    bins = reliability(probabilities, more.masks, where=where)
    error = calibration_error(bins.counts, bins.confidence, bins.accuracy)
    gap = (confidence - right)[where]
    rows[name] = (error, bins.overconfidence, *bootstrap_interval(gap, patient[where], method="t"))
pd.DataFrame(rows, index=["calibration error", "confidence − accuracy", "its low end", "its high end"]).T.round(3)

# %% [markdown]
# The error over all pixels is a few thousandths, and has the sign of modesty. Among the pixels called nodule it is about a tenth, with the **other sign**. The second is invisible in the first, because fewer than one pixel in a thousand is called nodule. **A calibration error without its pixels is an advertisement**; report it near the objects or by class, and beside it the sign. The second column, confidence minus accuracy, is the **signed gap**, and the last two columns are the ends of its interval over patients, by Student's t: over all pixels and near an outline its sign is settled, among the pixels called nodule the interval only just leaves out 0.
#
# The error of a small region has another weakness: it is **too large on average**. The gap of a bin counts without its sign, so chance cannot cancel out. How much does chance alone make here? Keep the confidences of the pixels called nodule, and let a coin decide whether each is right, exactly as often as was promised:

# %% nbval_tolerance=0.02
rng = np.random.default_rng(0)
promised, by_chance = confidence[called], []
for _ in range(200):
    kept = rng.random(len(promised)) < promised
    index = np.minimum((promised * 15).astype(int), 14)
    by_chance.append(np.abs(np.bincount(index, weights=promised - kept)).sum() / len(promised))
print(f"a calibrated network would get {np.mean(by_chance):.3f} with these {len(promised)} pixels")

# %% [markdown]
# A perfectly calibrated network would not get 0 either, but about a third of the error in the table. And that is with pixels that err independently; neighbors err together, which makes it more. The signed gap has no such bias.

# %% [markdown]
# ### The probability of a nodule
#
# So far we asked about the winning class. One can also take the probability of *one* class, whichever wins: of the pixels to which the network gives a probability of 0.3 for nodule, how many are nodule?

# %% mystnb={"figure": {"caption": "The probability of nodule, and how often a pixel is nodule, in all pixels of the eight patients."}, "image": {"alt": "A reliability diagram for the class nodule. From a probability of 0.4 on the curve lies below the diagonal, most of all at 0.85; below 0.4 it lies on the diagonal or a little above. The histogram shows nearly all pixels in the first bin and a small peak in the last."}}
show_reliability(
    {"nodule": reliability(probabilities, more.masks, of=2, bins=10)}, "probability of nodule", "is nodule"
)

# %% [markdown]
# Above 0.4 the points lie below the diagonal here as well; they are the same few pixels, with intervals as wide. Two things in its training push that way: in its loss each nodule pixel counts ten times, so that a miss costs more than a false alarm ([notebook 07](07_losses_and_imbalance.ipynb)), and half of its training crops lay around a nodule, so that it met nodules far more often than they occur. Both make it find more, and bend its probabilities. (The weight cannot be the whole reason: below, with crops drawn alike, cross-entropy without weights promises too much for such pixels as well.) The probabilities still put the pixels in an *order*, and an order is all that a threshold needs.
#
# ### The Brier score
#
# A calibration error of 0 is cheap: say "nodule, 0.0003" of every pixel, which is the share of nodule pixels. The **Brier score** {cite:p}`brier1950verification` is not fooled by that. It is the mean squared distance between the probability and the truth (1 or 0). Up to a small rest inside the bins it is a sum of three parts: the squared *gaps* of the reliability diagram, minus the *resolution* (how far the shares found in the bins lie from the overall share), plus the *uncertainty* of the task, share × (1 − share), which no network changes.

# %% nbval_tolerance=0.05
chance, truth = probabilities[..., 2], more.masks == 2
bins, share = reliability(probabilities, more.masks, of=2), truth.mean()
weight = bins.counts / bins.counts.sum()
parts = {
    "Brier score": np.mean((chance - truth) ** 2),
    "gaps²": np.nansum(weight * (bins.confidence - bins.accuracy) ** 2),
}
parts |= {"resolution": np.nansum(weight * (bins.accuracy - share) ** 2), "uncertainty": share * (1 - share)}
{name: f"{1e4 * value:.2f} / 10,000" for name, value in parts.items()}

# %% [markdown]
# A network that gives every pixel the same share would get the uncertainty, about 3 in ten thousand; ours gets less than half of that. Most of the rest is missing resolution: nodules that it gave to the lung, and lung that it took for nodules. The gaps, all that calibration could mend, are a twentieth of the score. So a poor calibration error and a good Brier score do not contradict each other; they answer two questions.

# %% [markdown]
# ## What the loss does to it
#
# Cross-entropy is lowest for the true probabilities: it asks for calibration, on what it is trained on. The Dice loss asks for overlap, and overlap is best with a mask of zeros and ones; nothing rewards it for a 0.7 that means 0.7. The recipe of our network is their sum, with a weight of ten on the nodule pixels in the cross-entropy. The recorded benchmark `uncertainty.py` trained our U-Net with each, from several seeds, all for as many epochs as the network above and on crops drawn alike. They differ only in the loss; all have the learning rate of our recipe, which was chosen for the sum. (The network above differs from all of them in one more thing: what its crops and turned images hold beyond the border of a slice was filled with air, theirs with 0, as its recipe had it when the benchmark was run. So compare the recorded networks with one another, and with the network above only roughly.)

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


def by_seed(run, key):
    return " ".join(f"{value:.2f}" for value in run[f"{key}_seeds"])


for name, run in recorded["losses"].items():
    dices, errors = by_seed(run, "nodule_dice"), by_seed(run, "called_nodule_ece")
    print(f"trained with {name}: nodule Dice {dices}; error, called nodule {errors}")
columns = {"nodule Dice": "nodule_dice", "error, all pixels": "all_ece", "error, near an outline": "near_ece"}
columns["error, called nodule"] = "called_nodule_ece"
rows = {name: [cell(run, key) for key in columns.values()] for name, run in recorded["losses"].items()}
pd.DataFrame(rows, index=list(columns)).T

# %% [markdown]
# In brackets, here and below: 95 % intervals of the benchmark over its 24 patients (the percentile bootstrap). They do not include how much the networks of one loss differ among themselves. That is in the printed lines above the table, with one number for each network. (*Error* is the calibration error.)
#
# Near an outline the networks of the **Dice loss promise too much**: where they say 0.9, not even 0.8 is right. Nothing in their loss holds them back. Mehrtash and others found the same in the brain, the heart and the prostate {cite:p}`mehrtash2020confidence`. The networks of the **cross-entropy are too modest** there. Their loss makes probabilities honest, but only for the images on which it is computed: in training, with dropout, on crops that were turned, zoomed and brightened. A likely reason is that whole, unchanged images without dropout are easier than that. (Large classifiers that are trained far longer promise too much with the same loss {cite:p}`guo2017calibration`.) The sum lies between the two, nearest to the diagonal, as if two opposite faults had partly canceled out.
#
# Among the pixels that a network *calls nodule* every loss has a far larger error, always by promising too much. One likely reason is the same for all: in the crops of the training nodules were far more frequent than they are. Here the Dice loss has the largest mean error and the cross-entropy, which had the largest near an outline, the smallest. But this order is not settled: in this error the single networks of the Dice loss differ among themselves by more than a tenth, and so do those of the sum. And before you choose by a calibration error at all, read the first column: the same cross-entropy has the lowest nodule Dice, with every seed. The best calibrated network need not be the most useful: report a calibration error beside a Dice, never in its place.

# %% [markdown]
# ## Temperature
#
# A network that promises too much everywhere can be taught modesty with a single number. Its last layer computes for each pixel one number per class, of any size and sign, the **logits**. The softmax turns them into probabilities: it takes $e$ to the power of each, and divides by the sum. Only the differences between logits matter; one that is larger by 1 means a probability $e \approx 2.7$ times as large. Now divide the logits by a **temperature** $T$ first:

# %%
logits = np.array([4.0, 2.0, 1.0])
for T in (0.5, 1, 2):
    powers = np.exp(logits / T)
    print(f"T = {T:<3}  logits {logits / T}  probabilities {(powers / powers.sum()).round(2)}")

# %% [markdown]
# Above 1 all probabilities move toward one another, below 1 they move apart. The order of the classes stays, and with it every mask and every Dice.
#
# Our network gives probabilities, not logits. Nothing is lost by that: $\log p_k$ is the logit of class $k$ up to a constant that is the same for all classes, and a softmax does not see such a constant. So
#
# $$p_k(T) = \frac{p_k^{1/T}}{\sum_j p_j^{1/T}}.$$

# %% [markdown]
# ### Exercise 12.3: another temperature
#
# Write it, for probabilities with the classes on the last axis.
#
# <details><summary>Hint 1</summary>
#
# The formula stands above. At T = 2, what does the power 1/T do to 0.9 and to 0.1? Work out by hand what the probabilities (0.9, 0.1) become; they have to sum to 1 again.
#
# <details><summary>Hint 2</summary>
#
# Raise all probabilities to the power `1 / temperature`, and divide by the sum of these powers over the last axis, which is the one of the classes.
#
# <details><summary>Hint 3</summary>
#
# A sum over an axis removes that axis, and then the shapes no longer fit for the division. `powers.sum(axis=-1, keepdims=True)` leaves it there, with length 1.
#
# </details>
# </details>
# </details>


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
# Which temperature? We take the one with the lowest cross-entropy on the **validation** patients; not on the training patients, whom the network knows too well, and not on those on whom you report, because then the number would be fitted to them.

# %% nbval_tolerance=0.01
from unet_helpers.evaluation import fit_temperature

on_validation = predict_probabilities(model, data.validation.images)
temperature = fit_temperature(on_validation, data.validation.masks)
scaled = at_temperature(probabilities, temperature)
round(temperature, 2)

# %% tags=["remove-cell"]
assert (scaled.argmax(axis=-1) == predictions).all()

# %% mystnb={"figure": {"caption": "Before and after the temperature, on patients on whom it was not fitted."}, "image": {"alt": "Two reliability diagrams for pixels near an outline. As it is: the curve lies a little above the diagonal. At the fitted temperature: it lies nearly on the diagonal. At the left end a point or two far above it stand for hardly any pixels."}}
before, after = (reliability(p, more.masks, where=near) for p in (probabilities, scaled))
show_reliability({"near, as it is": before, f"near, T = {temperature:.1f}": after})

# %% nbval_tolerance=0.01
rows = {}
for name, where in regions.items():
    rows[name] = [reliability(p, more.masks, where=where).error for p in (probabilities, scaled)]
pd.DataFrame(rows, index=["as it is", "at the temperature"]).T.rename_axis("calibration error").round(3)

# %% [markdown]
# The temperature is below 1: on the whole the network was too modest, and is sharpened. Near an outline the promises are now nearly kept. But among the pixels called nodule the error has grown, not shrunk: there the network already promised too much, and was sharpened with the rest.
#
# Move the temperature, and see what it can change in the picture we began with, and what it cannot.

# %% mystnb={"figure": {"caption": "1 − highest probability, of the slice of the first picture, at seven temperatures. White is two thirds, an even guess between three classes."}, "image": {"alt": "A slider for the temperature above a map of uncertainty of one slice. At low temperature only a thin line along the lungs is bright; at high temperature the line becomes broad and the lungs gray."}}
from unet_helpers.plotting.widgets import explore

temperatures = [0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0]
frames = [1.5 * (1 - at_temperature(probabilities[missed], t).max(axis=-1)) for t in temperatures]
explore(frames, [f"T = {t:g}" for t in temperatures], "temperature", start=3, width=300)

# %% [markdown]
# The line along the lungs grows and shrinks. The missed nodule lights up only when everything does: a temperature changes how bright the map is, and hardly which place is brighter than another.
#
# Did the temperature help in the benchmark? There each network has a temperature of its own, fitted on the validation patients.

# %%
rows = {}
for name, run in recorded["losses"].items():
    seeds = " ".join(f"{t:.1f}" for t in run["temperature_seeds"])
    keys = ("near_ece", "scaled_near_ece", "called_nodule_ece", "scaled_called_nodule_ece")
    rows[name] = [seeds, *(cell(run, key) for key in keys)]
pd.DataFrame(rows, index=["temperatures", "near", "near, scaled", "called nodule", "called nodule, scaled"]).T

# %% [markdown]
# The temperature counters the fault of the loss. For the Dice loss it is **above 1**, and takes away confidence: the pixels near an outline get better, those called nodule a little, and in both too much is still promised. For the cross-entropy and the sum it is **below 1**: they were too modest on all pixels together, and are sharpened. Near an outline this mends nearly everything. But what is called nodule gets worse, in each of the eight networks: there they already promised too much, and are sharpened with the rest. **One number cannot be right for two kinds of pixels**, and the frequent kind decides. (`fit_temperature` takes `where`. Fit a temperature near the outlines, and it is another one.) Nor does it mend the Dice: no mask has changed.

# %% [markdown]
# **A good place for a break:** here the first half of the page ends. It asked what a probability promises and keeps; the second half asks where the network is unsure, and what that is good for. It uses what the first half has computed, so leave the notebook open, or run the cells above once more before you go on.
#
# ## Maps of uncertainty
#
# One network gives one answer. Ask for several answers to one image, and see where they differ. Three ways to get them:
#
# - **Dropout.** In training, dropout switches channels off at random. Leave it on, and each prediction comes from a slightly different network {cite:p}`gal2016dropout`.
# - **Flips.** Predict the image and its mirror images, and flip the answers back. This is one kind of test-time augmentation {cite:p}`wang2019aleatoric`.
# - **An ensemble.** Train the network several times, from other seeds {cite:p}`lakshminarayanan2017ensembles`. The most trusted way, and the most expensive.

# %% [markdown]
# ### A trap
#
# In Keras one line leaves dropout on: `model(images, training=True)`. Call it twice, and the answers differ:

# %%
victim = load_checkpoint()
first, second = (np.asarray(victim(more.images[:16], training=True)) for _ in range(2))
np.allclose(first, second, atol=0.01)

# %% [markdown]
# `False`: they do not agree to a hundredth. In a network without batch normalization this line is all you need. But it switches *all* layers, and batch normalization in training mode uses the mean and variance of the batch, so that the answer for one patient depends on who else is in the batch. It also changes the averages that it stores:

# %%
np.allclose(predict_probabilities(victim, more.images), probabilities, atol=0.01)

# %% [markdown]
# `False`: after these two calls the network *predicts* differently, by more than a hundredth somewhere, although nobody has trained it. The way out is a copy of the network in which the dropout layers, and only they, are always called with `training=True`. The layer itself has to do that. If you only write `x = layer(x, training=True)` when you build the copy, `copy(images)` draws samples, but `copy.predict(images)` tells every layer `training=False`, and that wins. So we change what the layer does when it is called:

# %%
import keras


class AlwaysOn(keras.layers.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


dropouts = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dropout)]


def switch_on(layer):
    if layer.name not in dropouts:
        return layer  # as it is, with its weights
    return AlwaysOn.from_config(layer.get_config() | {"seed": dropouts.index(layer.name)})


# %%
restless = keras.models.clone_model(model, clone_function=switch_on)
first, second = (np.asarray(restless(more.images[:16])) for _ in range(2))
print("two answers alike:", np.allclose(first, second, atol=0.01))
print("the network as it was:", np.allclose(predict_probabilities(model, more.images), probabilities))

# %% tags=["remove-cell"]
assert not np.allclose(first, second, atol=0.01)

# %% [markdown]
# The copy answers differently each time, and the network itself is as it was. `predict_with_dropout` does the same, for any kind of dropout layer and as many times as you ask. We ask for the flips as well:

# %%
from unet_helpers.evaluation import predict_with_dropout, predict_with_flips

dropped = predict_with_dropout(model, more.images, samples=10)
flipped = predict_with_flips(model, more.images)
dropped.shape, flipped.shape

# %% [markdown]
# The first axis of both arrays is the samples; then come slices, rows, columns and classes. Does the helper really do the same as our copy? With the same seeds, the first sample must be that of a fresh copy of ours:

# %%
fresh = keras.models.clone_model(model, clone_function=switch_on)
np.allclose(predict_probabilities(fresh, more.images), dropped[0], atol=1e-3)

# %% tags=["remove-cell"]
assert np.array_equal(predict_probabilities(model, more.images), probabilities)

# %% [markdown]
# It does. Before you trust several answers, look at how good each is:

# %% nbval_tolerance=0.01
from unet_helpers import dice

rows = {f"dropout {i + 1}": dropped[i] for i in range(3)}
rows |= {f"flip: {name}": flipped[i] for i, name in enumerate(("none", "left–right", "up–down", "both"))}
scores = {name: [dice(more.masks == c, p.argmax(axis=-1) == c) for c in (1, 2)] for name, p in rows.items()}
pd.DataFrame(scores, index=["lung Dice", "nodule Dice"]).T.round(2)

# %% [markdown]
# Dropout costs little: each sample is nearly as good as the whole network. Left and right can be exchanged at little cost, although this network was trained without flips; upside down the lungs lose a little more, and with both flips the nodules most. In eight patients such differences decide little; what speaks against upside down is that the network has never seen the spine on top. Where an answer suffers, it adds to the map not doubt about this patient but surprise at the pose. So **flip only as far as the training did, or as far as you have checked**: from here on, and in the benchmark, left and right alone.

# %% [markdown]
# ### What is it unsure about?
#
# Average the answers, and take the **entropy** $-\sum_k p_k \log p_k$ of the mean: 0 where it is certain, $\log 3$ where all three classes are equally likely. But this mixes two things. A pixel can have a mean of one half because *every* member says one half: a shared doubt, as on a blurred edge. Or because half of the members say 0 and the others say 1: a contradiction. The **mutual information** keeps only the second: the entropy of the mean, minus the mean of the entropies.
#
# The doubt that remains however many networks you ask is called **aleatoric**: it lies in the image. The contradiction is called **epistemic**: it lies in what the networks have learned, and more training patients would make it smaller. (These names promise more than the numbers can keep: the members of an ensemble can share an error, and then there is neither doubt nor contradiction.)

# %% [markdown]
# ### Exercise 12.4: doubt or contradiction
#
# Write the mutual information of `samples` with shape (members, pixels, classes), for probabilities above 0.
#
# <details><summary>Hint 1</summary>
#
# Two members, one pixel, two classes. First both members say (0.5, 0.5); then one says (0.99, 0.01) and the other (0.01, 0.99). What is the mean in each case? And what is the entropy of a single member? You need the entropy twice: once after averaging, once before.
#
# <details><summary>Hint 2</summary>
#
# The members are on axis 0, the classes on the last axis. Take the entropy of `samples.mean(axis=0)`; then the entropy of each member, and the mean of those over axis 0. Subtract the second from the first.
#
# <details><summary>Hint 3</summary>
#
# The entropy of probabilities `p`, with the natural logarithm, is `-(p * np.log(p)).sum(axis=-1)`.
#
# </details>
# </details>
# </details>


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

# %% mystnb={"figure": {"caption": "Top: the slice with the largest nodule that was found at least in part. Bottom: the missed nodule of the first picture. Each map has one scale for both rows, from 0 to its highest value, in nats for entropy and mutual information; the yellow line in the maps is the true nodule."}, "image": {"alt": "Two rows of close-ups with the image, the errors and four maps. Top: a bright nodule near the tip of the lung, outlined well; the outline of the lung glows, in the mutual information only faintly. Bottom: the missed nodule, dark in all four maps; a spot where vessels enter the lung glows in all of them, brightest in the flips."}}
from unet_helpers.evaluation import entropy
from unet_helpers.evaluation import mutual_information as information

maps = unsure | {
    "dropout: entropy": entropy(dropped.mean(axis=0)),
    "dropout: mutual inf.": information(dropped),
    "flips: mutual inf.": information(flipped[:2]),  # as it is, and left and right exchanged
}
partly = int(np.where(found, nodule.sum(axis=(1, 2)), 0).argmax())
show_uncertainty([row_of(k, maps) for k in (partly, missed)], crop=64, panel=1.75)

# %% tags=["remove-cell"]
assert dropped[:, missed, nodule[missed], 2].max() < 0.1

# %% [markdown]
# In the lower row nothing glows inside the missed nodule in any of the four maps. It was not only the single prediction that saw no nodule here: none of the ten dropout samples gives any of its pixels a probability of even 0.05. They agree, and are wrong together. What glows is a spot where the vessels enter the lung, above all in the flips: in the mirror image the network takes it for lung. The outline of the lung, where a pixel may belong to either side, is marked in the first two maps, and in the mutual information only in traces.
#
# And the ensemble of five networks of the benchmark, on two slices chosen by the same rule among its patients:

# %% mystnb={"figure": {"caption": "Recorded: the maps of an ensemble of five networks beside those of one of them, and the errors of that one. Each map was stored in parts of its highest value, so its bar ends at 1."}, "image": {"alt": "Two rows of close-ups with the image, the errors and four maps. Top: a large, bright nodule, outlined well; the outline of the lung glows in 1 − highest probability and in the entropy, and hardly in the mutual information. Bottom: a gray nodule that was missed; it is faint in 1 − highest probability and in the dropout map, bright in the ensemble's entropy, and by far the brightest spot of its mutual information."}}
with np.load(RESULTS / "uncertainty_slices.npz") as stored:
    kept = dict(stored)
names = {"1 − highest": "1 − highest probability", "dropout: mutual inf.": "dropout: mutual information"}
names |= {"ensemble: entropy": "ensemble: entropy", "ensemble: mutual inf.": "ensemble: mutual information"}
rows = []
for i in range(2):
    row = {"image": kept["images"][i] / 255, "truth": kept["truth"][i], "predicted": kept["predicted"][i]}
    rows.append(row | {"maps": {title: kept[name][i] / 255 for title, name in names.items()}})
show_uncertainty(rows, crop=64, panel=1.75)

# %% [markdown]
# In the second row the single network misses a gray nodule, and doubts a little in a few of its pixels. In the ensemble's mutual information this nodule is by far the brightest spot: other members have found it, and contradiction is what this map shows. The edge of the lung, on which all members doubt alike, is bright in the entropy and fades in the mutual information.

# %% [markdown]
# ### Ask it yourself
#
# In the book, move the temperature and draw dropout samples; the network computes in your browser. The diagram and the column *all* count the pixels of the four validation slices that you can choose from.
#
# <div class="live" data-piece="doubt">
# <p>In the book, a picture to try it with stands here; it needs a browser that runs JavaScript. In JupyterLab, the slider of temperatures above shows another slice, and the cells above draw the samples.</p>
# </div>
#
# Move the temperature from one end to the other, without samples. The orange outline, which is the most probable class, stays where it is, and so does its Dice; what changes are the maps, the calibration error, and the turquoise outline. The outline moves because it marks a fixed probability, 0.1. Near an outline the calibration error is lower at 0.7 than at 1. Choose *called nodule*, and it is higher at 0.7: one number cannot be right for both.
#
# Then go back to a temperature of 1, draw ten samples, and look at the mutual information on the third slice. Here the brightest spot is at the missed nodule: some samples see one there, and others do not. But on the fourth slice a spot is brighter still, and there is no nodule. Such a map says where to look, and not what is there.

# %% [markdown]
# ## Do the maps point at the errors?
#
# Draw a wrong pixel and a right pixel at random. How often is the wrong one the less certain? That is the **AUROC of error**: 1 for a perfect map, 0.5 for one that knows nothing.
#
# A score needs a baseline, and the honest one is free: 1 − the highest probability of the single network. A second baseline should make you think, since it is not an uncertainty at all: the distance to the *predicted* outline, the nearer the less certain. Anyone can draw it with a pencil along the edge of the mask.

# %% nbval_tolerance=0.01
from unet_helpers.evaluation import error_auroc

pencil = {"distance to the outline": -distance_to_outline(predictions, more.spacing)}
rows = {}
for name, values in (pencil | maps).items():
    rows[name] = [error_auroc(values, ~right), error_auroc(values, ~right, where=near)]
pd.DataFrame(rows, index=["all pixels", "near an outline"]).T.rename_axis("AUROC of error").round(2)

# %% [markdown]
# Over all pixels every map looks splendid, **and so does the pencil**. Errors lie at outlines, and nearly all other pixels are far from any, so a line along the edge finds them. Near an outline the pencil falls behind, and the free baseline is as good as ten predictions with dropout.
#
# The next table shows the same for the networks of the benchmark, per patient, on the errors of three single networks. The last column asks only for nodules: where inside the lungs is a nodule missed or invented?

# %%
columns = {"all pixels": "all_auroc", "near an outline": "near_auroc", "nodules in the lung": "nodule_auroc"}
rows = {name: [cell(run, key, 2) for key in columns.values()] for name, run in recorded["maps"].items()}
pd.DataFrame(rows, index=list(columns)).T

# %% [markdown]
# The first two columns say the same as above; the entropy of the flips and of the ensemble has the highest values. In the last column the order changes: for nodules each **mutual information has a higher value than its entropy**, by a hundredth for the flips and by three for dropout and ensemble. Is that a difference? The intervals in the table overlap, and that decides nothing, for both maps were scored on the same patients: what counts is the interval of the *difference*, patient by patient ([notebook 08](08_architecture_comparison.ipynb)). It was not recorded, so we compute it.
#
# ### 48 more patients, half of them without a nodule
#
# For this, and for the rest of the page, eight patients are too few, and one thing is missing: all but one of them have nodules, like each of the benchmark's. The phantom draws no nodule in one patient of about nineteen. We take 24 patients in a row, who all have nodules, and the first 24 after them who have none. (That is a far larger share of healthy patients than the phantom has, and a far smaller one than a screening program sees. Keep the mixture in mind.)

# %%
healthy = [202, 209, 234, 247, 265, 291, 294, 347, 349, 366, 378, 387, 426, 437, 447, 455, 533, 566, 574, 588, 606, 617]
healthy += [633, 634]
many = subset_of_patients([make_patient(0, index=index) for index in (*range(160, 184), *healthy)])

# %%
by_patient = [many.patient_ids == name for name in many.patients]
has_nodule = np.array([(many.masks[own] == 2).any() for own in by_patient])
print(f"{has_nodule.sum()} patients with a nodule, {(~has_nodule).sum()} without")


# %%
def ask(predict):
    """Entropy, mutual information, and the nodule pixels that each member marks."""
    answers = []
    for part in np.array_split(many.images, 4):  # all samples at once would take a gigabyte
        members = predict(part)
        answers.append((entropy(members.mean(axis=0)), information(members), members.argmax(axis=-1) == 2))
    return [np.concatenate(parts, axis=-3) for parts in zip(*answers)]


# %%
chances = predict_probabilities(model, many.images)
sampled = {"dropout": ask(lambda part: predict_with_dropout(model, part, samples=6))}
sampled["flips"] = ask(lambda part: predict_with_flips(model, part, ((), (2,))))

# %% [markdown]
# The AUROC of error for nodules in each patient, by both maps, and the interval of the difference. Patients in whom no nodule pixel is wrong have none, and are left out.

# %% nbval_tolerance=0.02
marked = chances.argmax(axis=-1)
inside, wrong = (many.masks > 0) | (marked > 0), (marked == 2) != (many.masks == 2)
rows = {}
for name, (*pair, _) in sampled.items():
    scored = [[error_auroc(one[own], wrong[own], where=inside[own]) for own in by_patient] for one in pair]
    gain = np.subtract(scored[1], scored[0])
    means, ends = np.nanmean(scored, axis=1), bootstrap_interval(gain, method="t")
    rows[name] = (*means, np.nanmean(gain), *ends, np.isfinite(gain).sum())
columns = ["entropy", "mutual information", "difference", "low", "high", "patients"]
pd.DataFrame(rows, index=columns).T.round(3).convert_dtypes()

# %% [markdown]
# For both, the mutual information is the better map of nodule errors: by two hundredths, with intervals that lie above zero. (That is one network, with six samples by dropout and two by flips. For the ensemble the question stays open, since this page has only one network.) A likely reason is that a nodule is missed or invented where answers contradict each other: where one member misses it, another may have seen it. Near an outline, in the table of the benchmark, it is the other way round: each entropy lies above its mutual information, with intervals that do not even touch. The likely reason is that the errors there are a matter of shared doubt.
#
# With 48 patients we can also come back to the pixels that are called nodule. Did the eight patients mislead us?

# %% nbval_tolerance=0.05
surest = chances.max(axis=-1)
patient = np.broadcast_to(many.patient_ids[:, np.newaxis, np.newaxis], marked.shape)
ill = np.isin(many.patient_ids, np.array(many.patients)[has_nodule])[:, np.newaxis, np.newaxis]
rows = {}
for name, group in {"24 with a nodule": ill, "all 48": ill | True}.items():
    for bin_name, least, below in (("all", 0, 2), ("0.6 to 0.9", 0.6, 0.9)):
        some = group & (marked == 2) & (surest >= least) & (surest < below)
        is_right = (marked == many.masks)[some]
        ends = bootstrap_interval(is_right, patient[some], method="t")
        rows[name, bin_name] = (some.sum(), surest[some].mean(), is_right.mean(), *ends)
pd.DataFrame(rows, index=["pixels", "promised", "right", "low", "high"]).T.round(2).convert_dtypes()

# %% [markdown]
# They did not. In the patients with a nodule fewer of all the pixels called nodule are right than was promised, and the whole interval lies below the promise. Between 0.6 and 0.9 a little less than two thirds are right, where three quarters were promised; that interval ends at about the promise. Add as many healthy patients, and all shares fall: there each pixel that is called nodule is wrong. **A promise holds for a mixture of patients**, and the probabilities of this network know nothing of ours.

# %% [markdown]
# ## Can a case be referred?
#
# A map is for looking at. In daily work there is often one question per case: may this one pass, or should a person look? So each patient needs one number. Two such numbers need nothing but masks and probabilities:
#
# - the **expected loss of Dice**: the Dice between the mask and the truth that one would expect if the probabilities of the nodule were right (twice the sum of the probabilities inside the mask, over the sum of all of them plus the size of the mask), subtracted from 1; where the mask is empty, the highest probability of nodule,
# - the **disagreement**: several members each draw a mask; 1 − the mean Dice over all pairs of them.
#
# The machine then decides the most certain cases, and the rest are referred. The **coverage** is the share that the machine keeps, the **risk** is the mean error of those, here 1 − Dice of the nodules of a patient (for a patient without a nodule: 0 if none is marked, else 1). In the benchmark every patient has a nodule.

# %% [markdown]
# ### Exercise 12.5: risk at a coverage
#
# Write the mean risk of the most certain `share` of the cases (`round(share * n)` of them).
#
# <details><summary>Hint 1</summary>
#
# Take three cases with uncertainties 0.3, 0.1 and 0.2, and keep two of them. Which two? The risk has no say in that: nobody knows it yet when the choice is made.
#
# <details><summary>Hint 2</summary>
#
# `np.argsort(uncertainty)` gives the positions of the cases, the most certain first. How many of them do you keep?
#
# <details><summary>Hint 3</summary>
#
# Keep the first `round(share * len(risk))` positions. An array can be indexed by an array of positions: that gives the risks of these cases, and their mean is the answer.
#
# </details>
# </details>
# </details>


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
show_bands(panels, "mean of 1 − Dice", columns=2, panel=2.7, limits=(0, 0.5))

# %%
print(f"mean error of all patients: {recorded['referral']['mean_risk']:.2f}")
scores = {name: run for name, run in recorded["referral"].items() if ":" in name}
rows = {name: [cell(run, "area_minus_random", 2), cell(run, "risk_at_half", 2)] for name, run in scores.items()}
pd.DataFrame(rows, index=["mean of the curve − random", "risk of the surer half"]).T

# %% [markdown]
# Every score is better than a random order: its interval lies below zero. Refer the less certain half of the patients, and the mean error of the rest falls from that of all patients to that in the last column. Whether several predictions are better than the honest baseline, the softmax of one network, is not shown: the four values lie within two hundredths, and paired differences were not recorded. The dotted curve shows how much would be possible.
#
# ### Two baselines, and healthy patients
#
# This benchmark leaves out two things. Small nodules have a low Dice anyway, so an order by the **predicted size** alone might do as well as any doubt. And where each patient has a nodule, a healthy one can neither pass nor be called ill. With our 48 patients we try both: refer those with the smallest marked area first, or those with the largest, beside the scores of doubt. There is one network, the checkpoint.

# %%
from unet_helpers import plotting
from unet_helpers.evaluation import dice_by_patient, disagreement, risk_coverage

found_dice = dice_by_patient(marked, many, 2, made_up=0)
risk = np.where(np.isnan(found_dice), 0, 1 - found_dice)
mm2 = many.spacing.prod(axis=1)[:, np.newaxis, np.newaxis]
area = np.array([((marked == 2) * mm2)[own].sum() for own in by_patient])


def expected_loss(chance, mask):
    return 1 - 2 * chance[mask].sum() / (chance.sum() + mask.sum()) if mask.any() else chance.max()


doubts = {"softmax": np.array([expected_loss(chances[own][..., 2], marked[own] == 2) for own in by_patient])}
for name, (_, _, drawn) in sampled.items():
    doubts[name] = np.array([disagreement(drawn[:, own]) for own in by_patient])
orders = doubts | {"size, smallest first": -area, "size, largest first": area, "best order": risk}

# %% mystnb={"figure": {"caption": "Risk over coverage, one network. Left: the 24 patients with a nodule. Right: with the 24 without. 'Smallest first': those with the smallest marked area are referred first."}, "image": {"alt": "Two panels of risk over the share of patients kept. Left: softmax, dropout, flips and smallest first lie on one another, rise from about 0.15 to 0.42 and are near the dotted best order; largest first falls from 1 and stays above the random order. Right: the softmax lies lowest, near the best order, flips and dropout a little above it; the two orders by size rise above the random order from about one half on."}}
looks = zip(["black", "#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73"], ["-", "-", "-", "--", "--", ":"])
looks = dict(zip(orders, looks))
groups = {"24 with a nodule": has_nodule, "all 48": has_nodule | True}
with plotting.figure(1, 2, width=7.4, height=3.6, sharey=True) as (fig, axes):
    for ax, (title, group) in zip(axes.flat, groups.items()):
        for name, order in orders.items():
            color, style = looks[name]
            ax.plot(*risk_coverage(risk[group], order[group]), style, color=color, label=name, linewidth=1.5)
        ax.axhline(risk[group].mean(), color="#999999", linestyle="-.", label="random order")
        ax.set(xlabel="share of patients kept", title=title, ylim=(0, 1.02))
    axes[0, 0].set_ylabel("risk: mean of 1 − Dice")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
fig

# %% [markdown]
# And in numbers: the mean height of each curve, minus the random order and minus the order *smallest first*. The intervals are over patients. A curve is not a mean over patients. So we leave out each patient once, compute from the height with and without the patient what this one adds (n times the whole height minus n − 1 times the height without), and take Student's t over these values (the **jackknife**).


# %% nbval_tolerance=0.05
def height(order, group):
    return risk_coverage(risk[group], orders[order][group])[1].mean() if order else risk[group].mean()


def difference(order, other, group):
    who = np.flatnonzero(group)
    whole = height(order, who) - height(other, who)
    rest = [height(order, np.delete(who, i)) - height(other, np.delete(who, i)) for i in range(len(who))]
    low, high = bootstrap_interval(len(who) * whole - (len(who) - 1) * np.array(rest), method="t")
    return f"{whole:.2f} ({low:.2f} to {high:.2f})"


table = {}
for title, group in groups.items():
    for other in (None, "size, smallest first"):
        column = {name: difference(name, other, group) for name in orders if name != other}
        table[f"{title}: − {other or 'random'}"] = column
pd.DataFrame(table).fillna("")

# %% [markdown]
# Lastly, whom does each order let pass, when half of the 48 are kept?

# %% nbval_tolerance=0.05
rows = {}
for name, order in orders.items():
    kept = np.argsort(order, kind="stable")[: len(risk) // 2]
    healthy_kept = kept[~has_nodule[kept]]
    lost = has_nodule & (risk == 1)
    rows[name] = (risk[kept].mean(), len(healthy_kept), (area[healthy_kept] > 0).sum(), lost[kept].sum())
print(f"healthy and called ill: {(area[~has_nodule] > 0).sum()} of 24")
print(f"with a nodule, and nothing of it found: {lost.sum()} of 24")
sure_of = [surest[(marked == 2) & who].mean() for who in (~ill, ill)]
print("mean confidence of what is called nodule: {:.2f} in healthy patients, {:.2f} in the others".format(*sure_of))
columns = ["risk", "healthy who pass", "of these called ill", "wholly missed who pass"]
pd.DataFrame(rows, index=columns).T.round(2).convert_dtypes()

# %% tags=["remove-cell"]
assert has_nodule.sum() == 24 == (~has_nodule).sum()
assert (area[~has_nodule] > 0).sum() > 8

# %% [markdown]
# The two panels tell two stories.
#
# - **Every patient has a nodule.** No score of doubt is shown to beat the predicted size. *Smallest first* and the three scores of doubt lie on one another, close to the best order: the differences are 0.00, and their intervals reach 0.03 to either side at most. All four beat a random order, as the scores of doubt do in the benchmark. That small nodules are drawn badly can be read off the mask.
# - **Half of the patients are healthy.** Now *smallest first* fails: it is no longer shown to beat even a random order. (*Largest first* does beat it, but lets the patients pass whose nodule was missed altogether.) It keeps large false alarms, and refers healthy patients in whom nothing is marked: the four whom it lets pass at one half are all called ill. The curves of all three scores of doubt lie below that of *smallest first*, with intervals of the difference below 0; against *largest first* they were not compared. A likely reason is that the network is less sure of its false nodules than of the true ones: what it calls nodule has a mean confidence of 0.77 in healthy patients, and of 0.93 in the others.
# - **Who passes?** In 11 of 24 healthy patients the network marks a nodule. By the softmax eleven healthy patients pass, none of them called ill, and no wholly missed nodule does. Refer the largest areas first, and all three patients pass whose nodules were wholly missed: where nothing is marked, the area is 0.
#
# So whether doubt is worth its price depends on who comes. Which score of doubt is best, one network cannot tell: with the one trained before this one, on crops filled with 0, the flips had the lowest curve on the right, and the softmax let two wholly missed nodules pass. (And the mixture is of our making, and we looked at all orders on the same patients: choose yours on validation patients.)
#
# ## A promise over patients: conformal prediction
#
# So far, probabilities promised something and did not always keep it. **Split conformal prediction** {cite:p}`angelopoulos2023conformal` makes a promise that is kept without trust in any probability. Take one number per patient, here the area of nodule in the eight slices, with an estimate: the sum of the probabilities times the area of a pixel. In *calibration* patients, on whom nothing was trained, look how far off the estimate is. If a new patient comes from the same mixture, the new error is equally likely to take any rank among theirs. So take the error of rank $0.9\,(n + 1)$, rounded up, of $n$ calibration patients: a new patient stays within it with a probability of at least 0.9.

# %% nbval_tolerance=0.05
sums = [[(values * mm2)[own].sum() for own in by_patient] for values in (chances[..., 2], many.masks == 2)]
estimate, true_area = np.array(sums)
off = np.abs(estimate - true_area)


def margin(errors, promise=0.9):
    rank = int(np.ceil(promise * (len(errors) + 1)))
    return np.sort(errors)[rank - 1] if rank <= len(errors) else np.inf


order = np.random.default_rng(0).permutation(len(off))
calibration, new = order[:24], order[24:]
within = margin(off[calibration])
print(f"estimate ± {within:.0f} mm²: right for {(off[new] <= within).sum()} of {len(new)} new patients")
print(f"mean area of those with a nodule: {true_area[has_nodule].mean():.0f} mm²")
print(f"with seven calibration patients: ± {margin(off[:7])} mm²")

# %% [markdown]
# What does "with a probability of 0.9" mean? Halve the patients at random a thousand times, calibrate on one half, and count in the other:

# %% nbval_tolerance=0.05
rng, rows = np.random.default_rng(0), []
for _ in range(1000):
    order = rng.permutation(len(off))
    calibration, new = order[:24], order[24:]
    kept = off[new] <= margin(off[calibration])
    rows.append((kept.mean(), kept[has_nodule[new]].mean(), kept[~has_nodule[new]].mean()))
covered = pd.DataFrame(rows, columns=["all new patients", "those with a nodule", "those without"])
covered.describe(percentiles=[0.05, 0.95]).loc[["mean", "5%", "95%"]].T.round(2)

# %% [markdown]
# On average the promise is kept: about 0.92 of the new patients lie within the margin. Three things are not in the promise:
#
# - **It is an average**, over patients and over the choice of the calibration patients. A single choice of 24 covered anything from 0.79 to all of the others (5 % and 95 % in the table).
# - **It is made to the mixture.** The healthy patients are nearly always within the margin, and of those with a nodule only about 0.85 are, though they are the ones for whom you ask. With fewer healthy patients, or another scanner, it need not hold at all: new patients must be of the same kind as the calibration patients. (Slices of one patient resemble each other, so calibrate on patients, not on slices.)
# - **Right is not useful.** The margin is three quarters of the mean area of those with a nodule. The interval is honest, and it is wide because the estimate is poor.
#
# With seven calibration patients, as many as our validation split has, 0.9 · 8 = 7.2 asks for the eighth of seven errors: no finite margin keeps the promise. It takes nine patients at least.

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
# Most of the nodules that a network misses were **never suspected** by it. The mean of all networks suspects some of them, which is what an ensemble is for; but more than half stay dark there as well. To all networks together the place looks like lung, as small and faint nodules do ([notebook 06](06_failure_analysis.ipynb)). Where no map shows anything, the patient passes as certain.
#
# **The shift.** A temperature is fitted on patients like those of training. [Notebook 09](09_domain_shift_and_transfer.ipynb) showed the same scans in another window (level −400, width 2200), which costs lung Dice. Here are the same networks, patients and temperatures. The last three columns are confidence − accuracy near an outline: above zero, too much is promised.

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
# In the other window the lung Dice falls. Near the outlines the single networks, a little too modest before, now promise too much: they have become worse **and** too certain. Even of the surest pixels, in the last bin, about one in twenty is wrong. The temperature of the validation patients, which made the first diagram nearly perfect, does **harm** in the second: for these networks it was below 1, and sharpens what is too sharp already. The ensemble copes better, and is too modest in both windows: averaging takes confidence away where its members disagree.
#
# No probability says that these images are of another kind. If you use a network, watch what goes *in*: gray values, spacing, scanner.

# %% [markdown]
# ## When people disagree
#
# The phantom has one truth, because a program drew it. In real data, part of the doubt that stays is the doubt of people. In the LIDC data four radiologists outlined the same nodules {cite:p}`armato2011lidc`. Of the pixels that anybody marked, how many did one of them mark, two, three, or all four?

# %% mystnb={"figure": {"caption": "LIDC: the pixels that at least one of four readers marked, by how many marked them."}, "image": {"alt": "Four bars, the share of the marked pixels over the number of readers who marked them. One reader is by far the highest; all four, two and three follow in this order."}}
readers = recorded["readers"]
shares = readers["share_of_marked_pixels_by_votes"]
title = f"{readers['slices']:,} slices of {readers['patients']} patients"
with plotting.figure(width=3.6, height=2.6) as (fig, axes):
    axes[0, 0].bar(["one", "two", "three", "all four"], shares, color="#888888")
    axes[0, 0].set(xlabel="readers who marked the pixel", ylabel="share of the marked pixels", title=title)
fig

# %% [markdown]
# More pixels were marked by one reader alone than by all four. An outline is not a line but a band, and some nodules are all band.
#
# Take three of the readers as a forecast of the fourth: the more of them marked a pixel, the more probable it is that the fourth did as well. Taken at its word, two of three means two thirds.

# %%
rows = {f"{v} of 3": [v / 3, cell(readers, f"marked_if_{v}_others_did", 2)] for v in (1, 2, 3)}
table = pd.DataFrame(rows, index=["forecast", "the fourth marked it"]).T
table.assign(forecast=table["forecast"].astype(float).round(2))

# %% [markdown]
# The fourth always marks less than the forecast. Three people who mark the same pixel agree partly by luck, and a fourth need not share their opinion; sometimes the fourth outlined nothing at all ([notebook 05b](05b_comparison.ipynb)). Even unanimity of three is not 0.99.
#
# This is aleatoric uncertainty, which no number of training patients removes: a network that says 0.99 in such a band is wrong to be so sure, even if the one mask it was trained on agrees with it. One can train on the share of readers who marked a pixel in place of one mask (`targets=make_soft_targets(data.train)` in `train`, [notebook 15](15_your_own_data.ipynb)). And it should not count against a network that it is unsure where four radiologists differ.

# %% [markdown]
# ## Take-aways
#
# - A softmax of 0.99 is a number that sums to 1 with the others. Whether it is right 99 times of 100 must be counted, on patients who were not trained on.
# - Say *for which pixels* a calibration error holds. The background is easy, and there is so much of it that it hides the rest. In a region of few pixels the error is too large on average: give an interval over patients.
# - The loss bends the probabilities: near outlines the networks of the Dice loss promised too much here and those of the cross-entropy too little. Of the pixels called nodule all promised too much.
# - A temperature is one number, fitted on validation patients. It takes away what is wrong in the same direction everywhere. It changes no mask, it cannot be right for two kinds of pixels at once, and it knows nothing of another scanner.
# - To draw samples, switch on dropout and nothing else. Score any map on the errors, beside 1 − the highest probability and beside a pencil line along the outline. Entropy points at outlines; for nodules, a map of where the samples contradict each other was better here, patient by patient.
# - Compare an order of referral with one by predicted size, and include healthy patients: among patients who all had nodules, no score of doubt beat *smallest first*; with healthy patients among them, each did.
# - A conformal interval keeps its promise on average over patients of one mixture. It promises nothing to a group within it, and an honest interval can be too wide to use.
# - No map shows what the network never suspected. A case that passes as certain is not a case without a nodule.
#
# ## Questions to test yourself
#
# 1. A nodule network reports a calibration error of 0.002 over all pixels. What do you ask?
#
#    - A. What it is among the pixels that the network calls nodule.
#    - B. Whether a temperature brings it to 0.001.
#    - C. Nothing: a probability that is off by 0.002 may be used as it is.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Suppose that one pixel in a thousand is nodule. A network that says "background, 0.999" everywhere then has an error of about 0, and finds nothing.
# - **Not B:** the background hides the rest in this number. Making it smaller need not change anything where it counts.
# - **Not C:** it is off by 0.002 on average over all pixels, and nearly all of them are easy background.
#
# </details>
#
# 2. You change the temperature of a network with three classes, whose mask takes the most probable class at each pixel. How does the Dice change?
#
#    - A. It rises, as the probabilities become better.
#    - B. It falls, as the network becomes less certain.
#    - C. Not at all, at any temperature.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The most probable class stays the most probable one. The mask would change only if it were cut at a threshold.
# - **Not A:** the probabilities may become more honest. The order of the classes stays, and with it the mask.
# - **Not B:** less certain does not mean of another opinion: 0.6 is still more than 0.3 and 0.1.
#
# </details>
#
# 3. Why not fit the temperature on the test patients? It is only one number.
#
#    - A. There is no reason, as one number cannot overfit.
#    - B. The masks of the test patients would change.
#    - C. The test would promise too much for new patients.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The calibration error that you report would be the one that this number was chosen to make small. With few patients, one number is enough to flatter.
# - **Not A:** it fits less than a million numbers do, but it is fitted to the very patients on whom it is judged.
# - **Not B:** a temperature changes no mask. It is the probabilities that would look better than they are.
#
# </details>
#
# 4. A colleague samples with `model(images, training=True)`, one image at a time. What goes wrong?
#
#    - A. Dropout is switched off, and all samples are equal.
#    - B. Batch normalization takes its mean and variance from that single image.
#    - C. Each call is one more step of training, which changes the kernels.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** In training they came from whole batches, and in prediction they are stored averages, which each call now moves. The samples differ, but they are not samples of the network that you would use.
# - **Not A:** `training=True` switches it on. The trouble is what else it switches.
# - **Not C:** a call computes no gradient, and the kernels stay. It is the averages of batch normalization that move.
#
# </details>
#
# 5. Five networks all give a place the same probabilities, 0.99 for lung. What is the mutual information there, and what does it tell?
#
#    - A. Zero; there is no nodule.
#    - B. One; the networks share all they know.
#    - C. Zero; no network contradicts another.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** That they agree is all it tells. They were trained on the same patients, and may all miss the same kind of nodule.
# - **Not A:** there may be one that none of them suspects, and no map shows that.
# - **Not B:** it measures how far the samples contradict each other, and these do not.
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
# 7. An interval for the nodule area is right for 90 of 100 patients. Half of the patients are healthy, and all of them are among the 90. For what share of the patients with a nodule is it right?
#
#    - A. 0.9.
#    - B. 0.8.
#    - C. 0.4.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** It is right for 40 of 50. The promise is one over the mixture; the easy patients can keep it for the others. In a clinic with fewer healthy patients it would be broken.
# - **Not A:** this is the mean over both kinds of patients, and the healthy ones have more than their share of it.
# - **Not C:** 40 of all 100 patients are 0.4, but only 50 of the 100 have a nodule.
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
# - Brier (1950) {cite:p}`brier1950verification`: a score that is best for honest forecasts, on three pages.
# - Angelopoulos and Bates (2023) {cite:p}`angelopoulos2023conformal`: conformal prediction from the beginning, with code.
# - Geifman and El-Yaniv (2017) {cite:p}`geifman2017selective`: networks that may abstain.
# - The words of this page are in the [glossary](../book/glossary.md).

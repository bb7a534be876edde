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
# # 05b Is one better than the other?
#
# Two ways to segment the same seven patients. Which is better, how sure can I be, and how many patients would settle it?

# %% mystnb={"figure": {"caption": "Dice of the nodule in the validation patients, by two rules for the same network; a line joins the two values of a patient. One patient has no nodule and no value. Is the rule on the right better?"}, "image": {"alt": "Six lines between two columns of points on an axis of Dice from 0 to 1. The three highest lines, above 0.7, are nearly level; two lower ones rise to the right, one of them from 0 to 0.3; one stays at 0."}}
import numpy as np

from unet_helpers import evaluate, load_checkpoint, load_dataset, plotting, predict_probabilities

data = load_dataset("phantom")
validation, model = data.validation, load_checkpoint()
probabilities = predict_probabilities(model, validation.images)
plain = probabilities.argmax(axis=-1)
candidates = {"most probable class": plain, "nodule from 0.1 on": np.where(probabilities[..., 2] >= 0.1, 2, plain)}
scored = {name: evaluate(None, validation, data.class_names, predictions=p) for name, p in candidates.items()}
both = [one.of_class("nodule")["dice"].to_numpy() for one in scored.values()]
with plotting.figure(width=3.6, height=2.8) as (fig, axes):
    axes[0, 0].plot([0, 1], both, "o-", color="#0072B2")
    axes[0, 0].set(xticks=[0, 1], xticklabels=list(scored), ylabel="nodule Dice", xlim=(-0.4, 1.4), ylim=(-0.03, 1))
fig

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - give a mean over patients with an interval, and say why slices are not patients,
# - compare two models in pairs, and tell *significant* from *relevant*,
# - say how many patients it takes to show a difference,
# - test once, or cross-validate by patient, and say what each of the two estimates,
# - read a result beside what human readers reach, and write it into a model card.
#
# **You need before** [notebook 05](05_evaluation.ipynb) (Dice per patient, undefined cases, thresholds) and [notebook 01](01_data_pairing.ipynb) (splitting by patient).
#
# **Minutes:** 65 to read, with three exercises, 1 to run on two cores. (The exercises go on counting from notebook 05.)
#
# **It removes a misconception:** "A has the higher mean, so A is better". With other patients B might have had it.
#
# </div>
#
# The network is the one of notebook 05; only the rule that turns its probabilities into a mask differs. The first rule takes the most probable class. The second calls every pixel a nodule whose probability of nodule reaches 0.1.

# %% [markdown]
# ## How sure am I of one mean?
#
# Begin with one rule. These are its values, one for each patient who has one:

# %% nbval_tolerance=0.02
values = both[0][np.isfinite(both[0])]
print(f"{np.sort(values).round(2)}, mean {values.mean():.2f}")

# %% [markdown]
# With other patients the mean would have been different. How different? We can draw from the patients we have, as many as there are, *with replacement*: some come twice, some not at all. The spread of the means of many such draws shows how much the mean depends on which patients were chosen. This is the **bootstrap**. The middle 95 % of the means are a **95 % interval**.

# %% nbval_tolerance=0.01
rng = np.random.default_rng(0)
drawn = rng.integers(len(values), size=(2000, len(values)))
means = values[drawn].mean(axis=1)
low, high = np.quantile(means, [0.025, 0.975])
print(f"{len(values)} patients, mean {values.mean():.2f}, 95 % interval {low:.2f} to {high:.2f}")

# %% [markdown]
# There is also a formula, **Student's t**. The **standard error** is the standard deviation of the patients' values, divided by the square root of their number. The interval reaches from the mean to both sides by a multiple of it; the fewer patients, the larger the multiple (1.96 for very many, 2.6 for six):

# %% nbval_tolerance=0.01
from scipy import stats

from unet_helpers import bootstrap_interval

error = values.std(ddof=1) / np.sqrt(len(values))
reach = stats.t.ppf(0.975, len(values) - 1) * error
print(f"t by hand: {values.mean() - reach:.2f} to {values.mean() + reach:.2f}")
print("package: {:.2f} to {:.2f}".format(*bootstrap_interval(values)))

# %% [markdown]
# The package does the same: in spite of its name, `bootstrap_interval` gives Student's t unless you write `method="percentile"`, which gives the bootstrap. The interval by Student's t is a good deal wider than the one by the bootstrap. Which is right?
#
# ### Does it keep its promise?
#
# A 95 % interval should hold the true mean in 95 of 100 studies. We can try that out: make up a population whose mean is known, draw many studies of a few patients each, and count. The benchmark `interval_coverage.py` did this 2000 times per point, for scores as scattered as those of a nodule, in patients who differ more than the slices of one patient do:

# %% mystnb={"figure": {"caption": "Share of simulated studies whose 95 % interval holds the true mean, over the number of patients."}, "image": {"alt": "Curves over 5 to 50 patients. A dashed line at 0.95 is what is promised. Slices drawn stays near one half; the bootstrap over patients rises from 0.82 to 0.94, Student's t from 0.91 to 0.94."}}
import json

import pandas as pd

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "interval_coverage.json").read_text(encoding="utf-8"))["results"]
coverage = pd.DataFrame(recorded["coverage"]["nodule"]).T
kinds = {"slices drawn": "slices, percentile", "patients drawn": "patients, percentile", "Student's t": "patients, t"}
curves = {"promised": [0.95] * len(coverage)} | {name: coverage[kind] for name, kind in kinds.items()}
plotting.show_lines(coverage.index.astype(int), curves, "patients", "holds the true mean", limits=(0.4, 1))

# %% [markdown]
# The bootstrap over few patients is too narrow, because it can only draw what it has; from about twenty on it is nearly right. Student's t corrects most of that ([more kinds](../book/metrics.md)). So in this series every interval over patients is Student's t, unless another is named. With fewer than **five** patients the package gives none: for three, it would be more than twice as wide as the range from the lowest to the highest value. Then give the range, and call it that.
#
# ### Why patients and not slices?
#
# If slices are drawn, the interval in the figure is wrong half of the time, and more patients do not mend it. The slices of one patient share one anatomy, one scan, one level of noise: they are not independent witnesses. See it on seven more patients, in 48 thin slices each, with the bootstrap on both sides, so that only what is drawn differs:

# %% nbval_tolerance=0.03
from unet_helpers import predict_masks
from unet_helpers.data import subset_of_patients
from unet_helpers.phantom import make_patient

fine = subset_of_patients([make_patient(0, index=index, slices=48) for index in range(88, 95)])
found = predict_masks(model, fine.images)
slices = evaluate(None, fine, data.class_names, by="slice", predictions=found).of_class("nodule")
by_slice, by_patient = (
    bootstrap_interval(slices["dice"], groups, method="percentile") for groups in (None, slices["patient"])
)
print("slices drawn {:.2f} to {:.2f}, patients drawn {:.2f} to {:.2f}".format(*by_slice, *by_patient))

# %% tags=["remove-cell"]
assert np.diff(by_slice) < 0.8 * np.diff(by_patient)

# %% [markdown]
# The interval from drawing slices is much the narrower, and the finer you cut, the more it claims: count each slice twice, and it shrinks by another 30 % with nothing learned. It says how well *these patients* are known. The next scan will be of a new patient.
#
# ### Exercise 05.6: an interval over patients
#
# Write `interval(values, patients)`: 1000 or more times, draw as many patients as there are, with replacement, take *all* values of each drawn patient, and average them all together. Return the 2.5th and the 97.5th percentile of these means.
#
# <details><summary>Hint 1</summary>
#
# Write down three patients with two, one and three values, and draw three *patients* by lot, as with a die. Which values go into the mean of this draw? How often does a value count if its patient was drawn twice?
#
# <details><summary>Hint 2</summary>
#
# `groups` already holds the values of each patient. `rng.integers(len(groups), size=len(groups))` draws as many numbers of patients as there are, with replacement. Put all values of the drawn patients together, take their mean, and do this 1000 times in a loop. Then cut off 2.5 % at both ends; `np.quantile` counts from 0 to 1, `np.percentile` from 0 to 100.
#
# <details><summary>Hint 3</summary>
#
# The mean of one draw is `np.concatenate([groups[i] for i in drawn]).mean()`.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import comparison as check


def interval(values, patients):
    rng = np.random.default_rng(0)
    groups = [values[patients == patient] for patient in np.unique(patients)]
    return ...


check.interval(interval)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
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
# ## Pair the patients
#
# Now the question of the title. A third candidate joins: predict each slice and its mirror image, and average the two answers. Here are the three means, each with its interval:

# %% nbval_tolerance=0.02
mirrored = predict_probabilities(model, validation.images[:, :, ::-1])[:, :, ::-1]
in_both = (probabilities + mirrored).argmax(axis=-1)
scored["with mirror image"] = evaluate(None, validation, data.class_names, predictions=in_both)
summaries = pd.concat({name: one.summary() for name, one in scored.items()})
summaries.xs("nodule", level=1)[["mean", "low", "high"]].round(2)

# %% [markdown]
# The three intervals overlap nearly everywhere. That does *not* say that the three are equally good: most of the width comes from patients who are easy or hard for all of them. So **pair** them: take the difference to the plain rule in each patient, and ask about the mean of the differences.

# %% mystnb={"figure": {"caption": "Difference in Dice to the plain rule, one dot per validation patient. Diamond and bar: mean and 95 % interval; hollow if the interval holds 0. *6 of 7*: one patient has no value."}, "image": {"alt": "Two panels with a row for lung and a row for nodule around a vertical line at zero, one dot per patient. With nodule from 0.1 on, the nodule's dots lie from below 0 to 0.3; with the mirror image from about 0 to 0.2. In both panels all diamonds are hollow, and the nodule's bar crosses zero. The lung's dots all lie at zero."}}
from unet_helpers.evaluation import compare

compared = {name: compare(scored["most probable class"], scored[name]) for name in list(scored)[1:]}
differences = {name: one.differences for name, one in compared.items()}
plotting.show_differences(differences, "difference in Dice", limits=(-0.2, 0.35))

# %% nbval_tolerance=0.01
rows = pd.concat({name: one.table for name, one in compared.items()})
rows.xs("nodule", level="class")[["mean", "low", "high", "p", "patients", "better", "worse"]].round(3)

# %% [markdown]
# Here `p` says how often chance alone would give a mean difference at least this large, in either direction, if each patient's difference could as well have the other sign.
#
# - **From 0.1 on** gains much in two patients and costs something in one. The interval holds 0. That does not show that it changes nothing, only that six patients cannot tell.
# - **The mirror image** gains in the nodules about half of that, and its interval holds 0 as well.
# - Two ideas were compared here. Compare twenty, and one of them will probably have a small `p` by luck.
#
# A comparison also says whom it left out, and why:

# %%
compared["with mirror image"].left_out

# %% [markdown]
# Here neither side marked anything in the patient without a nodule. Had the mirror image marked a speck there, the pair would be left out as well, since the plain rule has no value, and the false alarm would cost nothing. The table would then say "false alarm of the second". Count such false alarms separately.
#
# We keep the plain rule: it is the simplest, and no other has been shown to be better. That is a choice, not a proof. What counts is that it is made here, on validation patients.
#
# ## How many patients would tell?
#
# Suppose that the rule from 0.1 on really is better, by 0.05 of Dice on average over all patients there are. How often would a study show it, that is, give an interval of the differences without 0? That share is called **power**. Simulate it: take the six differences, move them so that their mean is 0.05, draw a study of `n` patients from them, compute its interval, and do that again and again.
#
# ### Exercise 05.7: power
#
# Write `power(differences, patients)`: 2000 times, draw `patients` values from the differences, with replacement. Return the share of the draws whose 95 % interval by Student's t does *not* hold 0. The interval reaches `reach` times the standard deviation of the draw (`ddof=1`) to each side of its mean.
#
# <details><summary>Hint 1</summary>
#
# When does an interval that reaches equally far to both sides leave out 0? Draw one on a line, and compare the distance of its middle from 0 with its reach. A study that shows the opposite counts as well: 0 is outside then, too.
#
# <details><summary>Hint 2</summary>
#
# `rng.choice(differences, size=(2000, patients))` draws all studies at once, one in each row. Take mean and standard deviation of each row (`axis=1`, for the deviation also `ddof=1`). Then compare `abs(mean)` with `reach * deviation`; the mean of the answers, `True` and `False`, is their share.
#
# </details>
# </details>


# %%
def power(differences, patients):
    rng = np.random.default_rng(0)
    reach = stats.t.ppf(0.975, patients - 1) / np.sqrt(patients)
    return ...


check.power(power)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def power(differences, patients):
    rng = np.random.default_rng(0)
    reach = stats.t.ppf(0.975, patients - 1) / np.sqrt(patients)
    drawn = rng.choice(differences, size=(2000, patients))
    return np.mean(np.abs(drawn.mean(axis=1)) > reach * drawn.std(axis=1, ddof=1))


check.power(power)

# %% [markdown]
# Three curves, made by your function (or that of the solution, run last): for the measured differences, for differences half as spread out, and without pairs, as if each rule had been tried on patients of its own (the axis then counts the patients of *one* rule, and the study needs twice as many).

# %% mystnb={"figure": {"caption": "Share of simulated studies that show a true difference of 0.05, over the number of patients (on a logarithmic axis). Half the spread needs a quarter of the patients; without pairs it takes far more."}, "image": {"alt": "Three rising curves of power over 6 to 400 patients, with a horizontal line at 0.8. With half the measured spread the curve crosses 0.8 at 12 patients, with the measured spread at about 50; not paired, it rises to little more than 0.5 at 400 patients."}}
measured = differences["nodule from 0.1 on"]["nodule"].dropna().to_numpy()
apart = np.array([late - early for late in both[1] for early in both[0]])
spread = {"half the spread": (measured - measured.mean()) / 2, "as measured": measured - measured.mean()}
spread["not paired"] = apart[np.isfinite(apart)] - np.nanmean(apart)
patients = [6, 12, 25, 50, 100, 200, 400]
curves = {name: [power(0.05 + around, n) for n in patients] for name, around in spread.items()}
fig = plotting.show_lines(patients, curves, "patients", "power", limits=(0, 1.02))
fig.axes[0].axhline(0.8, color="#888888", linewidth=1)
fig.axes[0].set(xscale="log", xticks=patients, xticklabels=patients)
fig.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
fig

# %% tags=["remove-cell"]
at = {name: dict(zip(patients, curve)) for name, curve in curves.items()}
assert at["as measured"][6] < 0.4 < 0.6 < at["as measured"][200]
assert at["half the spread"][25] > at["as measured"][50] > at["not paired"][50] and at["not paired"][200] < 0.6

# %% [markdown]
# A study is often planned for a power of 0.8. With the measured spread that takes about fifty patients, and six have next to no chance: that their interval held 0 had to be expected. The rule behind the curves: **what counts is the spread divided by the difference, squared.** Half the spread needs a quarter of the patients, and half the difference four times as many. Pairing is the cheapest way to a smaller spread.
#
# Mind the weak spot: the spread itself comes from six patients. In six others it could well be half as large or twice, and the number of patients a quarter or four times as many.
#
# ### Significant is not relevant
#
# The other way round, enough patients show any difference, however small. The mirror image changed the lungs by less than a thousandth of Dice. Suppose that this is its true effect:

# %% nbval_tolerance=0.02
lung_changes = differences["with mirror image"]["lung"].to_numpy()
print(f"power with 200 patients {power(lung_changes, 200):.2f}, mean difference {lung_changes.mean():.4f}")

# %% tags=["remove-cell"]
assert power(lung_changes, 200) > 0.9 and abs(lung_changes.mean()) < 0.003

# %% [markdown]
# With two hundred patients practically every study would call the difference *significant*: its interval leaves out 0, and `p` is small. It would be too small to matter to anyone all the same. The mean and its interval say both; `p` says only one.
#
# ## Who has seen the test?
#
# A score is too good if anything that led to the model has met the patients it is measured on. That is **leakage** (Kapoor and Narayanan 2023, below). The crudest kind is to test on the training patients:

# %% nbval_tolerance=0.01
assert not set(data.train.patients) & {*validation.patients, *data.test.patients}
seen, unseen = evaluate(model, data.train, data.class_names).summary(), scored["most probable class"].summary()
pd.concat({"training patients": seen, "validation patients": unseen})[["mean", "low", "high", "cases"]].round(2)

# %% [markdown]
# For the nodule, patients the network has seen and patients it has not are three tenths of Dice apart. With six patients a good part of that can be chance. Shuffling slices instead of patients is the same in a milder form ([notebook 16](16_museum_of_bugs.ipynb) measures it).
#
# The subtlest kind is to *choose* on the test patients. Suppose that you try many variants, all equally good, and report the best. Each variant's mean is off by luck, and the best of many is the luckiest. How much too good does it look?

# %% mystnb={"figure": {"caption": "How much too good the best of several equally good variants looks, if it is chosen on the patients it is reported on. The luck in each patient is as large as the differences between the plain rule and the rule from 0.1 on."}, "image": {"alt": "Three curves over the number of variants tried, for 7, 28 and 112 patients. All begin at zero and rise, steeply at first; with 7 patients the best looks too good by up to 0.08, with 112 by a quarter of that."}}
rng = np.random.default_rng(0)
tried = [1, 2, 5, 10, 20, 50]


def too_good(variants, patients):
    luck = rng.normal(0, measured.std(ddof=1) / np.sqrt(2 * patients), size=(4000, variants))
    return luck.max(axis=1).mean()


curves = {f"{n} patients": [too_good(k, n) for k in tried] for n in (7, 28, 112)}
plotting.show_lines(tried, curves, "variants tried", "too good by (Dice)", limits=(-0.005, 0.1))

# %% [markdown]
# A single look is fair. With twenty variants, the best looks seven hundredths of Dice too good on seven patients. The validation patients have been used for such choices (the epoch, the threshold), so their score is a little too good as well.
#
# ## The test, once
#
# Write the decisions down *before* the test patients are opened. This is the **protocol**:
#
# | decision | chosen |
# |---|---|
# | model | the checkpoint, its epoch chosen by validation Dice in notebook 04 |
# | operating point | the most probable class |
# | unit | a patient, slices pooled |
# | metrics | Dice (first); IoU, and HD95 in mm, in the plane of each slice, then a mean over the patient's slices; nodules found and false; per class, background left out |
# | undefined cases | left out of the mean, and counted in the table |
# | uncertainty | 95 % interval over patients, by Student's t |
#
# If you change one of these after seeing the result, and test again, the test patients have become validation patients. So the next cell runs once.

# %% nbval_tolerance=0.01
test = data.test
test_predictions = predict_masks(model, test.images)
report = evaluate(model, test, data.class_names, by="patient", predictions=test_predictions)
report.summary("dice").round(2)

# %% tags=["remove-cell"]
assert report.summary("dice").loc["lung", "mean"] >= 0.95

# %% [markdown]
# The lung's interval is narrow. For the nodule the interval covers most of what a mean could be. `min` and `max` are the range of the *patients*. Look them up:

# %% nbval_tolerance=0.02
by_patient = report.of_class("nodule").set_index("patient")[["dice", "iou", "hd95", "precision", "recall"]]
by_patient.round(2)

# %% [markdown]
# The two zeros have two reasons. Precision 0/0: every nodule was missed, and nothing was marked. Both 0: something else was marked. The row of `NaN` is the patient without a nodule, in whom none was marked either.
#
# HD95 needs both outlines in the same slice, and the two patients with Dice 0 have dropped out of its mean. That is why it is never reported alone. A person who has to look at every mark would rather hear this:

# %% nbval_tolerance=0.01
from unet_helpers.evaluation import detect_objects

pairs = list(zip(test.masks == 2, test_predictions == 2))
nodules = sum(detect_objects(t, f) for t, f in pairs)
print(f"{nodules.found} of {nodules.true} found, {nodules.false} false in {len(pairs)} slices")

# %% [markdown]
# Are the missed nodules large or small, bright or faint? [Notebook 06](06_failure_analysis.ipynb) asks this in earnest.
#
# ## Cross-validation: every patient tested once
#
# An interval that covers most of what a mean could be answers nothing, and new patients are costly. But 41 patients were used for training and validation. They can be tested on as well, one part after the other. Divide them into five **folds**. Train on four folds, test on the fifth, and do this five times with another fold for the test. Then every patient has been tested once, by a model that has never seen that patient.
#
# ### Exercise 05.8: folds by patient
#
# Write `folds(patients, k)`. `patients` names the patient of each slice. Return an integer for each slice, the number of its fold, from 0 to `k - 1`: all slices of a patient in one fold, and the numbers of patients in the folds as equal as possible.
#
# <details><summary>Hint 1</summary>
#
# Give the *patients* their fold first, as in dealing cards: 0, 1, 2, …, and from the start again. What does a slice need to know to find its fold?
#
# <details><summary>Hint 2</summary>
#
# `np.unique(patients, return_inverse=True)` gives the names, and for each slice the place of its patient among the names: 0, 0, 0, 1, 1, 2, … Dealing from the start again is the remainder of a division, `%`.
#
# </details>
# </details>


# %%
def folds(patients, k):
    return ...


check.folds(folds)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def folds(patients, k):
    return np.unique(patients, return_inverse=True)[1] % k


check.folds(folds)

# %% [markdown]
# scikit-learn does nearly the same; its folds are equal in slices. (It is no part of this series, so this is not run here. [Notebook 01](01_data_pairing.ipynb) shows `GroupShuffleSplit`, for one split.)
#
# ```python
# from sklearn.model_selection import GroupKFold
#
# for train, held_out in GroupKFold(n_splits=5).split(slices, groups=patients):
#     ...  # the numbers of the slices to train on and to test on
# ```
#
# Five networks would take five trainings. To watch cross-validation itself, take something that is trained in a second: a weighted sum of smoothed versions of the picture that should be 1 in the lung and 0 elsewhere. You need not follow each line of the next cell: `fit(rows)` looks for the weights with the smallest squared error on its patients, and `score(weights, patient)` tests them on one. It is a poor segmenter, and knows no nodules.

# %%
from scipy import ndimage

from unet_helpers import dice

images, masks, owner = (
    np.concatenate([getattr(part, name) for part in (data.train, validation)])
    for name in ("images", "masks", "patient_ids")
)
smooth = [ndimage.gaussian_filter(images[..., 0], (0, s, s))[:, ::2, ::2] for s in (0, 2, 4, 8)]
features, lung = np.stack([np.ones_like(smooth[0]), *smooth], axis=-1), masks[:, ::2, ::2] > 0


def fit(rows):
    return np.linalg.lstsq(features[rows][:, ::2, ::2].reshape(-1, 5), lung[rows][:, ::2, ::2].ravel())[0]


def score(weights, patient):
    return dice(lung[owner == patient], features[owner == patient] @ weights > 0.5)


# %% [markdown]
# Cross-validation is a loop over the folds:


# %%
def cross_validate(fold):
    found = {}
    for k in np.unique(fold):
        weights = fit(fold != k)
        found |= {patient: score(weights, patient) for patient in np.unique(owner[fold == k])}
    return pd.Series(found)


by_fold = cross_validate(folds(owner, 5))
low, high = bootstrap_interval(by_fold)
print(f"{len(by_fold)} patients, mean lung Dice {by_fold.mean():.2f}, 95 % interval {low:.2f} to {high:.2f}")

# %% [markdown]
# What was gained? Deal the patients into folds ten times anew, and compare two numbers: the mean of the first fold alone, as one split would have given it, and the mean over all folds.

# %% mystnb={"figure": {"caption": "Mean lung Dice of the quick segmenter, for ten random ways to deal the patients into five folds. One split: tested on the first fold only. Cross-validation: on all five, one after the other."}, "image": {"alt": "Two rows of ten points each on an axis of lung Dice. The points of one split are scattered from 0.44 to 0.50; those of cross-validation lie on one spot."}}
rng = np.random.default_rng(0)
place = np.unique(owner, return_inverse=True)[1]
single, all_folds = [], []
for _ in range(10):
    fold = rng.permutation(np.arange(place.max() + 1) % 5)[place]
    values_of_all = cross_validate(fold)
    all_folds.append(values_of_all.mean())
    single.append(values_of_all[np.unique(owner[fold == 0])].mean())
with plotting.figure(width=4.6, height=1.7) as (fig, axes):
    axes[0, 0].plot(single, np.zeros(10), "o", all_folds, np.ones(10), "o", alpha=0.6)
    axes[0, 0].set(yticks=[0, 1], yticklabels=["one split", "cross-validation"], ylim=(-0.5, 1.5), xlabel="lung Dice")
fig

# %% tags=["remove-cell"]
assert np.ptp(all_folds) < 0.3 * np.ptp(single)

# %% [markdown]
# With one split, luck decides which patients are tested. Cross-validation has tested all 41, so this luck is gone. The luck that remains is that *these* 41 were found: the interval above is about that, and dealing them again does not make it smaller.
#
# For the nodule it would pay off (all but one of the 41 have one). With the standard deviation of our test patients, Student's t would reach this far to each side:

# %% nbval_tolerance=0.02
deviation = by_patient["dice"].std()
reaches = {n: stats.t.ppf(0.975, n - 1) * deviation / np.sqrt(n) for n in (6, 41)}
print(", ".join(f"{n} patients: ± {reach:.2f}" for n, reach in reaches.items()))

# %% [markdown]
# Four things to say beside a cross-validated number:
#
# - **It estimates a way of training, not a network.** Five networks were tested, each trained on four fifths of the patients. The network you hand over is trained on all of them, is probably a little better, and has not been tested.
# - **The folds are not independent.** Any two of the five networks share three quarters of their training patients, and each patient is test patient once and teacher four times. So the interval is somewhat too narrow, and no formula mends that in general (Bengio and Grandvalet 2004, below). And the five means of the folds are not five studies.
# - **Every choice belongs inside.** Epoch, threshold, learning rate: choose them on a part of the training folds, in each of the five rounds anew.
# - **It does not replace a test on other patients.** All folds come from one source.
#
# ## How well do people agree?
#
# The ground truth of our patients is exact, because a program drew it. In real data people draw it. In the LIDC data four radiologists looked at every scan, each alone at first, and then once more with the marks of the other three in view; nobody had to agree (Armato and others 2011, below). The benchmark `readers.py` compared their final outlines on real slices.

# %%
readers = json.loads((RESULTS / "readers.json").read_text(encoding="utf-8"))["results"]
marked = pd.Series(readers["nodules_by_readers"])
print(f"{readers['slices']} slices, {readers['nodules']} nodules, {readers['patients']} patients")
print(f"outlined by all four: {marked[4] / marked.sum():.0%}, by one alone: {marked[1] / marked.sum():.0%}")

# %% [markdown]
# So "is there a nodule?" has no exact answer in real data, and a false positive may be a matter of opinion. (No outline need not mean overlooked: that reader may have taken the place for something else, or for smaller than 3 mm.) And where two of them did outline something, how well do the outlines agree?

# %% mystnb={"figure": {"caption": "Agreement of LIDC readers per slice where both masks hold something, with a 95 % interval over 200 patients. The last three rows are over the slices in which all four outlined something."}, "image": {"alt": "Diamonds with bars on an axis of Dice. Two readers: 0.77; below 50 pixels 0.71, above 200 0.85. Where all four outlined something: two readers 0.80, with the consensus of the others 0.83, with the own mask in it 0.88."}}
runs = {"two readers": readers["pairs"]} | readers["pairs_by_size"]
runs["four masks: two readers"] = readers["pairs_of_four_masks"]
runs["… consensus of the others"] = readers["others_of_four_masks"]
runs["… consensus, own mask in it"] = readers["all_with_own_mask_of_four_masks"]
runs = {name: row | {"dice_seeds": [row["dice"]]} for name, row in runs.items()}
plotting.show_estimates(runs, {"Dice per slice": "dice"}, limits=(0.65, 0.9), panel=5.5)

# %% [markdown]
# - **Small nodules agree less**: the same uncertainty of the boundary costs them more.
# - A reader agrees **better with the consensus** of the other three (what at least two of them marked) than with one of them, because a consensus evens out habits.
# - With the reader's **own mask in the consensus** the number rises further. That is leakage.
#
# ### A network among the readers
#
# [Notebook 15](15_your_own_data.ipynb) trains a network on such slices. Score the readers as one scores the network: against the consensus of the other three, a reader has a mean Dice over the slices where the consensus holds a nodule (a miss is 0), and a share of the *other* slices in which the reader marked something. The files do not name the readers; they number the masks of each nodule. So take all first masks as one "reader", all second masks as another, and so on:

# %% mystnb={"figure": {"caption": "LIDC readers and the network of notebook 15: share of slices without a nodule in the consensus that were marked all the same, and Dice where it holds a nodule. Bars: 95 % intervals over patients; none was recorded for the network."}, "image": {"alt": "Two panels, 200 patients and 30 test patients. In both, four joined points rise steeply up to about 0.4 marked empty slices and a Dice of 0.69, and then slowly. A diamond for a mask drawn by lot lies clearly under the line, at about 0.43 and 0.55. The square of the network in the second panel, at 0.46 and 0.67, lies a little under the line and above the diamond."}}
network = json.loads((RESULTS / "lidc.json").read_text(encoding="utf-8"))["results"]
own = readers["test_patients_of_notebook_15"]
parts = {"all 200 patients": (readers["by_number"], readers["others"]), "test patients of 15": (own["by_number"], own)}


def draw_points(ax, points, look, **more):
    where, height = "false_alarms", "dice_missed_is_0"
    bars = [[[p[k] - p[f"{k}_low"] for p in points], [p[f"{k}_high"] - p[k] for p in points]] for k in (where, height)]
    x, y = ([p[key] for p in points] for key in (where, height))
    ax.errorbar(x, y, xerr=bars[0], yerr=bars[1], fmt=look, **more)


with plotting.figure(1, 2, panel=3.4, height=3) as (fig, axes):
    for ax, (title, (points, by_lot)) in zip(axes[0], parts.items()):
        draw_points(ax, points, "o-", color="#0072B2", elinewidth=0.8, label="first to fourth mask")
        draw_points(ax, [by_lot], "D", color="black", elinewidth=0.8, label="a mask drawn by lot")
        ax.set(xlabel="empty slices marked", ylabel="Dice", xlim=(0, 1), ylim=(0.2, 0.9), title=title)
    axes[0, 1].plot(network["false_alarms"], network["dice_mean"], "s", color="#D55E00", label="network")
    axes[0, 1].legend(fontsize=8, loc="lower right")
fig

# %% tags=["remove-cell"]
x, y = ([p[key] for p in own["by_number"]][::-1] for key in ("false_alarms", "dice_missed_is_0"))
assert own["dice_missed_is_0"] < network["dice_mean"] < np.interp(network["false_alarms"], x, y)

# %%
print(f"nodules whose masks are numbered without a gap: {readers['numbered_from_the_first']:.0%}")

# %% [markdown]
# The four points look like a curve over thresholds, from strict on the left (the fourth masks) to lenient on the right (the first masks). **The network lies a little under this curve**: at as many empty slices marked, the line is two hundredths of Dice higher. And it lies above the diamond, a reader picked at random. Line or diamond: which of the two shows how well a human reads?
#
# Look at how the files number the masks. Nearly always without a gap: a nodule outlined by one reader has a first mask only, and a fourth mask is there only if all four outlined it. So the four points are not four people. The "second reader" marks the nodules that *at least two* readers outlined, and colleagues make up the reference. No person in front of a scan knows what the colleagues will say. So the curve flatters the readers. A mask drawn by lot has been told nothing: had the masks been shuffled, all four points would lie at the diamond.
#
# So may we at least say that the network beats a reader picked at random? No:
#
# - **Few patients.** The bars of the right panel reach about a tenth of Dice to each side. That is far more than lies between network and curve, and not much less than between network and diamond.
# - **Not a first look.** While the recipe of this network was made, seven networks were scored on these test patients, this one among them. That flatters it a little.
# - **Another reference.** That of a reader is what two of *three* others outlined, that of the network what two of four did. A nodule that a reader and one colleague outlined is right for the network, and a false alarm for that reader.
# - **Another task.** The network sees pictures cut out around a place that somebody had outlined, while a reader searched the whole scan; and a reader could scroll.
#
# So the readers' agreement is a scale and not a wall, and a Dice of two thirds is not two thirds of perfect. A network can agree with a consensus better than one reader does, and still share every error that the readers have in common; only another kind of truth (a biopsy, a follow-up scan) could show that.
#
# ## The model card
#
# A **model card** (Mitchell and others 2019, below) is the page that should travel with the model: what it is, what it was made and tested for, with what result, and what it must not be used for. `fill_model_card` takes the numbers from the evaluation and the words from a person, and refuses a card with a gap.

# %%
from IPython.display import Markdown

from unet_helpers.teaching.report import fill_model_card

words = {
    "Model details": "U-Net, 2D, trained in this series on two cores; `load_checkpoint()`.",
    "Intended use": "Teaching evaluation and failure analysis. Not for patients.",
    "Factors": "Varied: nodules, sex, size, posture, dose, kernel. Not varied: maker of scanner, age, other disease.",
    "Training data": f"{len(data.train.patients)} synthetic patients. No person's data.",
    "Evaluation data": f"{len(test.patients)} other patients of the same generator; opened once, after all choices.",
    "Ethical considerations": "Good numbers on phantoms could be taken for a result on patients. They are none.",
    "Caveats and recommendations": "Read the nodule's row, not only the lung's. Seven patients say little about it.",
}
Markdown(fill_model_card(report, words))

# %% [markdown]
# (The same at length: the [card of the series](../book/ethics_and_model_card.md).)
#
# ## What may be concluded
#
# <div class="alert alert-warning">
#
# The patients are synthetic. The numbers say nothing about people, scanners or diseases, and nothing here is a clinical tool.
#
# </div>
#
# With real data:
#
# - **May be said**: "On seven patients of the same source, not used for training or for any choice, lung Dice per patient was … (95 % interval … to …); nodule Dice was …, undefined in … patients."
# - **May not be said**: "the model reaches …", since another scanner or another disease is another question ([notebook 09](09_domain_shift_and_transfer.ipynb)); nor "as good as a radiologist", unless radiologists were measured on the same cases, for the same task, against a reference that is not their own.
#
# The next notebook asks where the errors that we counted here lie, and why.

# %% [markdown]
# ## Take-aways
#
# - Give a mean with an interval over patients. Slices of one patient are not independent.
# - For few patients use Student's t; below five, give the range.
# - Compare in pairs, on validation patients, and read the size of a difference before its `p`.
# - How many patients you need goes with the square of spread over difference. An interval that holds 0 does not prove equality.
# - Write the protocol down, test once. Cross-validate by patient if a test set would be too small, with every choice inside the folds.
# - The readers' agreement is a scale to read a result on. Ask what each human point knew.

# %% [markdown]
# ## Questions to test yourself
#
# 1. One hundred slices of two patients: how many independent observations do you have?
#
#    - A. 100.
#    - B. 50.
#    - C. 2.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Slices of one patient resemble each other. An interval would have to be drawn over the patients, and two are too few.
# - **Not A:** knowing one slice, you know much about its neighbors, so that they are not a hundred new facts.
# - **Not B:** 50 is the number of slices per patient. What counts is the number of patients.
#
# </details>
#
# 2. A and B have overlapping intervals. Are they equally good?
#
#    - A. Yes, the overlap shows it.
#    - B. That cannot be seen from the two intervals.
#    - C. No, the one with the higher mean is better.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Take the difference in each patient, and the interval of these differences.
# - **Not A:** the spread between patients is in both intervals, and drops out of the differences. B can be better in every patient while the intervals overlap.
# - **Not C:** the higher mean may be chance. The interval of the differences says how far chance goes.
#
# </details>
#
# 3. A gain of 0.05 would matter to you. You tried an idea on ten patients, and the gain was 0.02 and not significant. What do you ask before you drop the idea?
#
#    - A. Whether ten patients could have shown a gain of 0.05.
#    - B. Whether `p` was at least near 0.05.
#    - C. Nothing: not significant means that there is no gain.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** If the interval of the differences reaches beyond 0.05, such a gain is still possible; and the power says how often ten patients would have shown it. (Take the power for the gain that matters. That for the measured one only repeats what `p` says.)
# - **Not B:** the two 0.05 have nothing to do with each other, and a `p` near a limit is no half proof.
# - **Not C:** an interval that holds 0 may hold large differences too. Not seen is not the same as not there.
#
# </details>
#
# 4. Why is the best threshold of the test set not a fair choice?
#
#    - A. It was fitted to the test patients.
#    - B. It is not 0.5.
#    - C. It should be the best threshold of the training set.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Its score is too good for other patients.
# - **Not B:** a threshold need not be 0.5. It has to be chosen on other patients than those it is tested on.
# - **Not C:** the network has learned these by heart in part, and its probabilities there are not those of new patients. Choose on the validation patients.
#
# </details>
#
# 5. Five folds give five means. Why is an interval from these five numbers not the right one?
#
# <details><summary>Answer</summary>
#
# The five networks share most of their training patients, so that the five means are not five independent studies. The patients are the unit.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Efron and Tibshirani (1993) {cite:p}`efron1993bootstrap`: the bootstrap, by its inventor, and when not to trust it.
# - Kapoor and Narayanan (2023) {cite:p}`kapoor2023leakage`: eight kinds of leakage, counted in hundreds of papers.
# - Bengio and Grandvalet (2004) {cite:p}`bengio2004variance`: why the spread of cross-validation has no unbiased estimate.
# - Mitchell and others (2019) {cite:p}`mitchell2019modelcards`: model cards; Armato and others (2011) {cite:p}`armato2011lidc`: LIDC, and how its four readers worked.

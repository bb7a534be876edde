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
# # 17b Annotation budgets
#
# I can pay for a few more masks. Which slices should I annotate next, and do they need masks at all?

# %%
import numpy as np

from unet_helpers import load_checkpoint, plotting, predict_probabilities
from unet_helpers.data import subset_of_patients
from unet_helpers.evaluation import entropy
from unet_helpers.phantom import make_patient
from unet_helpers.teaching.annotation import DEFECTS, spoil

pool = subset_of_patients([make_patient(0, index=index) for index in range(104, 110)])
rng = np.random.default_rng(1)
broken = np.arange(0, 48, 8) + rng.integers(8, size=6)  # one slice of each patient cannot be read
for k, slice_number in enumerate(broken):
    pool.images[slice_number, ..., 0] = spoil(pool.images[slice_number, ..., 0], DEFECTS[k % 4], rng)

# %% mystnb={"figure": {"caption": "Of 48 slices without labels, the eight of which the shipped network is least sure. A star marks slices that nobody can read."}, "image": {"alt": "Eight slices of the chest in two rows, titled with their rank and their mean entropy. The first six are the unreadable ones, marked with a star: gray noise, several chests on top of each other, bright and dark rays from one point, and a chest with most of its rows black. The last two are ordinary slices."}}
model = load_checkpoint()
probabilities = predict_probabilities(model, pool.images)
unsure = entropy(probabilities).mean(axis=(1, 2))
first = np.argsort(-unsure)[:8]
titles = [f"{rank}: {unsure[k]:.2f}{' *' * (k in broken)}" for rank, k in enumerate(first, start=1)]
plotting.show_images(pool.images[first], titles, panel=1.25)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - choose slices by uncertainty, by disagreement and by coverage, in a few lines each,
# - say what a strategy gains over chance, with an interval over seeds and patients and the share of the seeds in which it wins,
# - show how uncertainty buys slices that teach nothing, and keep such slices out,
# - compare masks, boxes and scribbles at equal seconds, and say whether the answer hangs on the prices,
# - train on labels that leave most pixels open,
# - use slices without labels, and tell when they repeat an error.
#
# **You need before:** intervals and paired differences ([notebook 05b](05b_comparison.ipynb)). Helpful: entropy and mutual information ([notebook 12](12_uncertainty_and_calibration.ipynb)).
#
# **Minutes:** 60 to read, with three exercises, 1 to run on two cores. A break is marked in the middle.
#
# **The misconception it removes:** "Let the network choose what it is unsure of, and you need a tenth of the labels."
#
# </div>

# %% tags=["remove-cell"]
taken = np.isin(first, broken).sum()
assert taken == 6

# %% [markdown]
# The slices have no labels, and you can pay for eight. A well-known idea is to ask the network: annotate the slices of which it is least sure, since there it has most to learn. This is **active learning** {cite:p}`settles2009active`. The number above each slice is its mean **entropy**, which is 0 where the network is certain and 1.10 where it finds all three classes equally likely.
#
# A star marks a slice that nobody can read. The six of which it is least sure, of the eight that it chose, are all of this kind: noise, metal, movement, lost rows. No annotator can outline them. The network is right to be unsure of them. But you pay for looking at them, and get no label. **Being unsure is one thing, and being worth a label is another.**
#
# So we will measure it. Which strategy buys the better network for the same money? And how sure may one be of the answer, when each of these trainings also depends on chance?
#
# ## A budget, and ways to spend it
#
# A **strategy** gets a **pool** of slices without labels and a **budget**, here a number of slices. It works in rounds: train on what is labeled, choose some slices, have them annotated, train again. We compare:
#
# - **random**: any slices of the pool;
# - **one slice per patient**: chance as well, but whoever has the fewest labeled slices comes next;
# - **entropy**: the least certain slices, as above;
# - **entropy, one per patient**: the least certain slice of each patient, one patient after the other;
# - **disagreement**: two networks, trained from different random weights; the slices on which they contradict each other most {cite:p}`seung1992committee`;
# - **coverage**: the slices that look least like those that are labeled {cite:p}`sener2018coreset`;
# - **random again**: chance with other dice. It cannot be better than random, so what it seems to gain or lose shows what chance makes of such a comparison.
#
# Entropy stands above. Disagreement is the entropy of the mean answer minus the mean entropy, the mutual information. For two networks, one pixel and two classes:

# %%
from unet_helpers.evaluation import mutual_information

both_half, yes_and_no = np.array([[[0.5, 0.5]], [[0.5, 0.5]]]), np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
for pair in (both_half, yes_and_no):  # network, pixel, class
    print(f"mean entropy {entropy(pair).mean():.2f}, disagreement {mutual_information(pair)[0]:.2f}")

# %% [markdown]
# Two networks that both say *one half* are unsure, and agree. Two that say *yes* and *no* contradict each other: one of them must be wrong, and a label would tell which.
#
# ### Coverage
#
# Coverage asks no network for its doubts. It describes each slice by a few numbers, its **features**, and wants the labeled slices to lie near all others. Here are the features of our pool: the mean of each channel at the bottleneck of the network.

# %%
import keras

bottleneck = keras.layers.GlobalAveragePooling2D()(model.get_layer("bottleneck_relu2").output)
features = keras.Model(model.input, bottleneck).predict(pool.images, batch_size=16, verbose=0)
features.shape

# %% [markdown]
# ### Exercise 17.4: the farthest first
#
# Which few slices lie near all others? The exact answer takes too long to compute. A greedy one is at most twice as bad {cite:p}`gonzalez1985clustering`: take the slice that is farthest from all labeled ones, where the distance of a slice is that to its *nearest* labeled one. Count it as labeled, and go on.
#
# Write `farthest(features, chosen, count)`: `features` is `(N, F)`, `chosen` a list of the numbers of the labeled slices. Return the numbers of the `count` new ones, in the order of the choice.
#
# <details><summary>Hint 1</summary>
#
# Points on a line at 0, 1, 5 and 9, and the first is labeled. Which comes first? And which second: is it still the one that was second farthest from 0?
#
# <details><summary>Hint 2</summary>
#
# Keep one array: the distance of each slice to the nearest chosen one. The next slice is where it is largest. Then look whether the new slice is nearer to anybody than what was nearest before.
#
# <details><summary>Hint 3</summary>
#
# The distances of all slices to slice k are the lengths of the rows of `features - features[k]` (`np.linalg.norm` with `axis=1`). The smaller one of two arrays, place by place, is `np.minimum`.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import annotation_budgets as check


def farthest(features, chosen, count):
    return ...


check.farthest(farthest)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def farthest(features, chosen, count):
    nearest = np.min([np.linalg.norm(features - features[k], axis=1) for k in chosen], axis=0)
    new = []
    for _ in range(count):
        new.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(features - features[new[-1]], axis=1))
    return new


check.farthest(farthest)

# %% [markdown]
# With the readable slices of the first patient labeled, what does it choose in our pool?

# %% tags=["nbval-ignore-output"]
covering = farthest(features, [k for k in range(8) if k not in broken], 8)
print(f"{np.isin(covering, broken).sum()} of 8 cannot be read, {len(set(pool.patient_ids[covering]))} patients")

# %% tags=["remove-cell"]
assert np.isin(covering, broken).sum() >= 2

# %% [markdown]
# Coverage falls for the same slices, for another reason: nothing is less like a chest than noise. **What stands apart is rare, and it need not be useful.**
#
# ## What it buys
#
# One pool and one training show nothing, because both depend on chance. So `benchmarks/budgets.py` did it again and again:

# %%
import json

import pandas as pd

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "budgets.json").read_text(encoding="utf-8"))["results"]

# %%
print(f"{recorded['seeds']} seeds, {recorded['trainings']} trainings of {recorded['steps']} steps each")
print("{pool_slices} slices of {pool_patients} patients, {pool_unreadable} unreadable".format(**recorded))
print(f"{recorded['test_patients']} test patients, {recorded['test_patients_with_nodule']} of them with a nodule")
print(f"{sum(recorded['restarts'])} trainings called nothing lung, and were begun again")

# %% [markdown]
# A **seed** stands for everything that is left to chance: which patients are in the pool, which of their slices cannot be read, the first four labeled slices (all readable), the first weights, and the order of the training. Within a seed all of this is the same for every strategy, so they are compared in pairs. The patients are like those of a hospital's archive, from neck to kidneys, thin and obese, with metal and fluid. The images are small, 64×64 pixels, and so is the network. All trainings have equally many steps and one recipe, chosen on other patients. Each network predicted the test patients once, after its training. A training that ends without calling a single pixel of its own slices lung is begun again from other weights, the same for every strategy. We added this rule after a first run, in which one of the six seeds lost the lung in most of its trainings; then all six were measured again. Where one strategy was begun again and another was not, the two do not have the same first weights.
#
# An unreadable slice costs as much as any other, and gives no label.

# %%
strategies = recorded["strategies"]
budgets = [int(b) for b in strategies["random"]["budgets"]]


def curve(name, part="lung"):
    rows = [strategies[name]["budgets"][str(b)] for b in budgets]
    return [[row[part + end] for row in rows] for end in ("", "_low", "_high")]


# %% mystnb={"figure": {"caption": "Lung Dice of the test patients over the number of slices that were paid for: each strategy beside random. Bands: 95 % intervals over seeds and patients."}, "image": {"alt": "Six panels of lung Dice over 4, 8, 16 and 32 slices, each with two lines and wide bands that overlap. Entropy and disagreement lie below random at eight slices, disagreement also at 16, and a little above it at 32. Coverage lies a little above it at eight and at 32. The other lines run along with random, but for entropy, one per patient, which ends above it."}}
named = [name for name in strategies if strategies[name]["against"] == "random"]
plotting.show_bands(
    {name: (budgets, "slices paid for", {"the strategy": curve(name), "random": curve("random")}) for name in named},
    "lung Dice", columns=3,
)  # fmt: skip

# %% [markdown]
# All curves begin at one point, since the first four slices are the same. With random each doubling brings less: a lung is large and easy. At eight slices entropy and disagreement lie below random, disagreement also at 16; at 32 the strategies that ask the network or look at features lie about a hundredth above it. The bands overlap everywhere.
#
# ### Is it better than random?
#
# Bands that overlap do not answer this: both strategies had the same pool, the same first slices and, but for the trainings that were begun again, the same weights, so take the **difference within each seed and patient** first ([notebook 05b](05b_comparison.ipynb)). And count: in how many seeds was the mean over the patients higher than that of random?


# %%
def cell(row, key, form="+.3f"):
    return "{:{f}} ({:{f}} to {:{f}})".format(*(row[key + end] for end in ("", "_low", "_high")), f=form)


# %%
def against_random(part, names):
    rows = {}
    for name in names:
        row = strategies[name]["whole curve"]
        wins = sum(gain > 0 for gain in row[f"{part}_gain_by_seed"])
        others = np.array(row[f"{part}_gain_by_seed"])[np.array(recorded["restarts"]) == 0]
        rows[name] = [cell(row, f"{part}_gain"), wins, cell(row, f"{part}_gain_share", ".2f"), f"{others.mean():+.3f}"]
    columns = [f"{part} Dice − random", "seeds won", "share of seeds", "without the restarted seed"]
    return pd.DataFrame(rows, index=columns).T


against_random("lung", named)

# %% [markdown]
# The first table takes the mean over 8, 16 and 32 slices. **No strategy is shown to beat random**: every interval holds 0. Coverage comes nearest. Look at the last line for the size of chance: *random again* is the same strategy with other dice, and it wins in three seeds as well. And one seed decides much: that whose trainings were begun again, in which the strategies do not all have the same first weights. The last column leaves it out, and four of the five strategies lose.
#
# The mean hides when it happens. The same differences at each budget:

# %%
gains = {f"{b} slices": [cell(strategies[name]["budgets"][str(b)], "lung_gain") for name in named] for b in budgets[1:]}
pd.DataFrame(gains, index=named)

# %% [markdown]
# Of these eighteen intervals two do not hold 0, both at 32 slices, and about one of twenty misses the truth by chance; it would be rash to build on them. The lowest numbers are those of disagreement, at 16 slices. Further down we will see what it had bought by then. (And with six seeds such intervals are still a little too narrow, because six show too little of how seeds vary.)
#
# A share of seeds needs an interval as well: six coins that all show heads are no proof of a coin that always does. The interval in brackets is **Wilson's** {cite:p}`wilson1927interval`, made for shares of few:

# %%
from scipy import stats

for wins in (6, 5, 4, 3):
    low, high = stats.binomtest(wins, 6).proportion_ci(method="wilson")
    print(f"{wins} of 6 seeds: the true share may be {low:.2f} to {high:.2f}")

# %% [markdown]
# Even 5 of 6 seeds leave open that the strategy loses as often as it wins. A figure with one seed, of which there are many, leaves everything open.
#
# The nodule:

# %%
against_random("nodule", named)

# %% [markdown]
# Each interval holds 0 again. But there is a simpler reason to say nothing about nodules. How high is the Dice at all?

# %%
print({f"{b} slices": strategies["random"]["budgets"][str(b)]["nodule"] for b in budgets})

# %% [markdown]
# These networks do not find nodules: with random the mean Dice is below 0.05 at every budget, and with no strategy does it reach 0.08. Differences between failures say nothing about strategies. In one seed all of them are exactly 0, and such a tie counts as not won. So for nodules **nobody can tell**. Look at the level before you look at a difference.
#
# And keep a control like *random again*, which cannot be better than itself. In single seeds its lung Dice differs from that of random by more than a hundredth. It is cheap, and it tells you which gains to distrust.
#
# ### What was bought


# %%
def unreadable(name, budget):
    return np.mean(strategies[name]["budgets"][budget]["unreadable"])


# %%
bought = {name: [unreadable(name, "8"), unreadable(name, "32")] for name in ["random", *named]}
pd.DataFrame(bought, index=["of the first 4 bought", "of all 28 bought"]).T.round(1)

# %% [markdown]
# There are 16 unreadable slices in a pool of 256, so that chance buys one or two among 28. Entropy and disagreement begin with them, and in the end have bought most of what there is; *one per patient* is no help. **About half of what these strategies paid for gave no label.** It is remarkable that they are level with random all the same: they have half of its labels. The other half of their slices may well be better chosen than by chance.
#
# So is it the unreadable slices that hold them back? The benchmark ran random and entropy once more, in the same pools without the unreadable slices:

# %%
base = strategies["random, all readable"]["whole curve"]
print("random, all readable: lung Dice", cell(base, "lung", ".3f"))
against_random("lung", ["entropy, all readable"])

# %%
readable = ("random, all readable", "entropy, all readable")
pd.DataFrame({name: curve(name)[0] for name in readable}, index=budgets).T.rename_axis(columns="slices").round(3)

# %% [markdown]
# Here the interval lies above 0, and entropy wins in five of six seeds. So choosing by doubt can help, and **the unreadable slices had eaten the gain**. It is small in Dice and large in labels: the mean of entropy at eight slices is that of random at 32. Do not take this for the last word. It is one comparison of many, the restarted seed has the largest gain of all, and in a first run of the same seeds, with other dropout, the interval just held 0. Others did find gains. In four sets of 3D images all strategies beat plain random, entropy most of all, but none reliably beat a random choice that prefers slices with an object {cite:p}`luth2025nnactive`. Mixing chance into the uncertain slices helps {cite:p}`gaillochet2023batches`, and more patients with fewer slices each are mostly the better choice {cite:p}`zhang2024slices`.
#
# ### Exercise 17.5: one slice per patient
#
# Slices of one patient resemble each other, so that the least certain eight may be eight times the same. Write `one_each(scores, patients, chosen, count)`: the numbers of the `count` slices with the highest scores, from the highest down, none of which is in `chosen`, and of each patient at most one. Whoever was asked before may be asked again. If there are fewer patients than `count`, return fewer.
#
# <details><summary>Hint 1</summary>
#
# Do it with a pencil: scores 0.9, 0.8, 0.5 and 0.7 of patients A, A, B and C, and two are asked for. Which slices do you look at, and in which order?
#
# <details><summary>Hint 2</summary>
#
# Go through all slices from the highest score down, and keep two things: what you have taken, and whose it was. Each slice has to pass two questions before it is taken.
#
# <details><summary>Hint 3</summary>
#
# `np.argsort(-scores)` is the order. Keep the patients in a `set`, and stop when you have as many as `count`.
#
# </details>
# </details>
# </details>


# %%
def one_each(scores, patients, chosen, count):
    return ...


check.one_each(one_each)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def one_each(scores, patients, chosen, count):
    new, had = [], set()
    for k in np.argsort(-scores):
        if len(new) < count and k not in chosen and patients[k] not in had:
            new.append(int(k))
            had.add(patients[k])
    return new


check.one_each(one_each)

# %%
picked = one_each(unsure, pool.patient_ids, [], 6)
print(f"{np.isin(picked, broken).sum()} of {len(picked)} cannot be read")

# %% [markdown]
# This spreads the money over the patients, and does not keep the unreadable slices out: each patient of our pool has one. What does is a look. A picture that nobody can read is seen in a second, by a person or by a simple rule, before anybody pays for an outline:

# %% mystnb={"figure": {"caption": "The slices of the pool again: two numbers that ask no network. Neighbors in a chest resemble each other, and so do the slices above and below."}, "image": {"alt": "A scatter plot of 48 points with the change from one row to the next on the horizontal axis and the difference to the neighboring slice on the vertical one. Ordinary slices form a cloud at the lower left. The six unreadable slices are crosses; most lie far from the cloud."}}
pictures = pool.images[..., 0]
rough = np.abs(np.diff(pictures, axis=1)).mean(axis=(1, 2))
volume = pictures.reshape(6, 8, *pictures.shape[1:])
jump = np.abs(np.diff(volume, axis=1)).mean(axis=(2, 3))
apart = np.minimum(
    np.pad(jump, ((0, 0), (1, 0)), constant_values=9), np.pad(jump, ((0, 0), (0, 1)), constant_values=9)
).ravel()
ordinary = ~np.isin(np.arange(48), broken)
with plotting.figure(width=4, height=2.8) as (fig, axes):
    axes[0, 0].plot(rough[ordinary], apart[ordinary], "o", color="#999999", label="ordinary")
    axes[0, 0].plot(rough[broken], apart[broken], "x", color="#D55E00", label="unreadable")
    axes[0, 0].set(
        xlabel="change from one row to the next (gray value, 0 to 1)", ylabel="difference to the nearer neighbor"
    )
    axes[0, 0].legend(frameon=False)
fig

# %% [markdown]
# The crosses lie apart from nearly all circles: noise and lost rows at the right, streaks and movement at the top. The circles at the top are ordinary slices whose only neighbor cannot be read. So two simple numbers, and a person who looks at the few slices that stand out, keep the money for slices that can be read. These defects were made by our own program, though; yours will look different.
#
# **A good place for a break.**
#
# ## Cheaper labels
#
# So far a label was a mask: every pixel has a class. An annotator may also draw a **box** around each object, or a **scribble**, a stroke inside it. Nobody has outlined anything then, but many more slices get a label in the same time.

# %% mystnb={"figure": {"caption": "One slice, three labels, and the seconds that we count for each. Pixels without color are open: nobody has said what they are."}, "image": {"alt": "Three pictures of a chest slice. Mask: both lungs filled in blue, a small nodule in orange, and all the rest in green. Box: a box around each lung is open except for a blue core in its middle, and everything outside of the boxes is green. Scribble: a thin blue stroke down each lung, and a thin green cross through the middle of the picture."}}
from unet_helpers.teaching.annotation import UNLABELED, annotate

k = max(np.flatnonzero(ordinary), key=lambda k: (pool.masks[k] == 2).sum())
drawn = {kind: annotate(pool.masks[k], kind) for kind in ("mask", "box", "scribble")}
color_of = np.zeros(256, int)  # open pixels stay without color
color_of[[0, 1, 2]] = 3, 1, 2
colored = [color_of[labels] for labels, _ in drawn.values()]
titles = [f"{kind}, {seconds:.0f} s" for kind, (_, seconds) in drawn.items()]
plotting.show_images([pool.images[k]] * 3, titles, colored, ["", "lung", "nodule", "background"], columns=3)

# %% [markdown]
# **The prices.** An outline of one object takes between 54 and 79 s {cite:p}`bearman2016point`, and we count 79; a box by four clicks at the extreme points of the object takes 7 s {cite:p}`papadopoulos2017extreme`. For a stroke we *assume* 11 s, and 5 s for a look at each slice. All of this was measured on photographs, or not at all. Nobody has measured it on your slices with your annotators, so we will also ask what happens if weak labels cost twice as much, or half.
#
# **The labels.** A box says two things for sure: outside of all boxes is background, and in the middle of a box is, nearly always, the object. The rest of the box stays open, as in {cite:t}`khoreva2017simple`. The strokes of a scribble are the middle line of each object, and a cross through the image where it meets background.
#
# ### Exercise 17.6: a loss with open pixels
#
# A network can learn from these if the loss asks only where somebody has spoken. Write `partial_loss(probabilities, labels)`: `probabilities` is `(H, W, C)`, `labels` `(H, W)` with the number of the class, or 255 where the pixel is open. Return the mean cross-entropy of the labeled pixels, the mean of minus the logarithm of the probability that each gets for its own class.
#
# <details><summary>Hint 1</summary>
#
# Two labeled pixels with a probability of 0.5 for their class, and 98 open ones. The loss is 0.69. What would it be if you divided by 100? And would a slice with few labels then count as much as one with many?
#
# <details><summary>Hint 2</summary>
#
# Throw the open pixels away first: a boolean array, `labels != 255`, picks the labeled ones from both arrays, and leaves `(N, C)` and `(N,)`.
#
# <details><summary>Hint 3</summary>
#
# Of the row of each pixel take the column of its class: `own[np.arange(len(own)), labels[there]]`. The rest is `-np.log(...)` and a mean.
#
# </details>
# </details>
# </details>


# %%
def partial_loss(probabilities, labels):
    return ...


check.partial_loss(partial_loss)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def partial_loss(probabilities, labels):
    there = labels != 255
    own = probabilities[there]
    return -np.log(own[np.arange(len(own)), labels[there]]).mean()


check.partial_loss(partial_loss)

# %% [markdown]
# In Keras the same is a weight of 0 for each open pixel: `train_on_batch(images, targets, sample_weight=weights)`.
#
# Now the benchmark. Each kind of label gets the same time: that of 16 slices with two outlined lungs. Which slices they are is chance, in the same order for all.

# %%
print(f"{recorded['seconds_of_annotation'] / 60:.0f} minutes of annotation")

# %%
weak = {f"{kind}, price × {float(x):g}": row for kind, prices in recorded["weak"].items() for x, row in prices.items()}
rows = {}
for name, row in weak.items():
    gain = cell(row, "lung_gain") if "lung_gain" in row else ""
    rows[name] = [f"{np.mean(row['slices']):.0f}", cell(row, "lung", ".3f"), gain]
pd.DataFrame(rows, index=["slices", "lung Dice", "− masks"]).T

# %% [markdown]
# For the price of the masks one gets about nine times as many boxes and more than three times as many scribbles, and still the masks are ahead in all six seeds, also at half and at twice the price: every interval lies below 0, and it is not the price that puts boxes and scribbles behind. (At half price the boxes use up the pool, and some of the money is left. All trainings have equally many steps, so that each of 240 boxes is seen twice, and each mask more than thirty times: longer trainings might help the many.) The figure shows it:

# %% mystnb={"figure": {"caption": "Lung Dice for equal seconds of annotation. Dots: seeds; bars: 95 % intervals over seeds and patients."}, "image": {"alt": "Seven rows of dots with a mean and a bar. The masks lie at the right, near 0.9, but for one seed near 0.76. The boxes lie around 0.7 at all three prices, the scribbles around 0.6 and much farther apart, from 0.3 to nearly 0.8."}}
parts = {"d_seeds": "lung_by_seed", "d_low": "lung_low", "d_high": "lung_high"}
shown = {name: {part: row[key] for part, key in parts.items()} for name, row in weak.items()}
plotting.show_estimates(shown, {"lung Dice": "d"}, panel=4)

# %% [markdown]
# One seed of the masks lies to the left of the others; there the boxes come within a hundredth or so, and in the other five they are 0.14 or more behind. We leave it in, since a rule made after seeing it would be a rule made to win. (The rule for trainings that call nothing lung was itself made after a first run, so it is not innocent either.)
#
# Why are so many labels worth so little here? Ask where they lie. The Dice is decided at the outline. How much do the labels of our pool say about it?

# %%
from unet_helpers.evaluation import distance_to_outline

near = distance_to_outline(pool.masks[ordinary], pool.spacing[ordinary]) <= 10
for kind in ("mask", "box", "scribble"):
    labels = np.array([annotate(mask, kind)[0] for mask in pool.masks[ordinary]])
    print(f"{kind}: {(labels != UNLABELED)[near].mean():.0%} of the pixels within 10 mm of an outline are labeled")

# %% [markdown]
# A box leaves most of the pixels near an outline open, and a scribble nearly all of them: nobody has told the network where the lung ends. (That this is the reason is likely, and we have not tested it. There are ways to guess the open pixels, from the gray values {cite:p}`khoreva2017simple` or from the network's own answers, which we have not tried either. On photographs, with a guess of what is an object added, points beat masks at equal cost {cite:p}`bearman2016point`; our boxes and scribbles get no such help.)
#
# ## Labels that are not there
#
# The pool is full of slices that nobody has labeled, and they cost nothing. Can a network learn from them?
#
# **Pseudo-labels** {cite:p}`lee2013pseudo`: train on what is labeled, let this network label the rest, keep its sure pixels, leave the others open, and train again. With the shipped network, on our pool:

# %% nbval_tolerance=0.02
sure = probabilities.max(axis=-1) >= 0.9
pseudo = np.where(sure, probabilities.argmax(axis=-1), UNLABELED)[ordinary]
truth = pool.masks[ordinary]
rows = {
    name: [(pseudo == k).sum(), (pseudo == k)[truth == k].sum()]
    for k, name in enumerate(["background", "lung", "nodule"])
}
table = pd.DataFrame(rows, index=["pixels that get the label", "of them right"]).T
(table["of them right"] / table["pixels that get the label"]).round(2)

# %% [markdown]
# Where it is sure, the network is nearly always right, and least often with nodules. But these are the easy pixels, and it had them right already. What it would have to learn is in the pixels that stay open.
#
# **A mean teacher** {cite:p}`tarvainen2017mean` is two networks of the same shape. The *student* is trained. The *teacher* is not: after each step each of its weights moves a little toward that of the student. On slices without labels the student is asked to answer as the teacher does, although it sees the slice with more noise.

# %%
teacher = 1.0
for student in (1.0, 5.0, 1.0, 1.0, 1.0):
    teacher = 0.9 * teacher + 0.1 * student
    print(f"student {student:.1f}, teacher {teacher:.2f}")

# %% [markdown]
# That is the **exponential mean**: of a jump by 4 the teacher takes a tenth, and forgets it slowly. So it is a calmer network than the student. Here it keeps 0.9 of itself; in the benchmark 0.95.
#
# Both ideas have the network teach itself. What it got right it repeats, and so it does with what it got wrong {cite:p}`arazo2020confirmation`. So the benchmark asks twice, with 16 labeled slices of 8 patients and all readable slices of 24 others without labels: once with right labels, and once with an **error in the labels**: the annotator of four of the eight patients has forgotten the left lung.

# %%
arms = ("labels only", "labels only, half of a batch", "pseudo-labels", "mean teacher")
rows = {}
for case, found in recorded["unlabeled"].items():
    for arm in arms:
        gain = cell(found[arm], "lung_gain") if arm != "labels only" else ""
        rows[f"{case}: {arm}"] = [cell(found[arm], "lung", ".3f"), gain]
pd.DataFrame(rows, index=["lung Dice", "− labels only"]).T

# %% [markdown]
# With right labels neither helps: both lose, with intervals below 0. A part of that is the contest. Half of each batch now has no label of a person, so that the right labels are seen half as often; and *labels only, half of a batch*, which leaves that half away, loses as well. In the classification of photographs, with long trainings, others saw gains {cite:p}`tarvainen2017mean`, which we have not tried.
#
# With the left lung forgotten in half of the labels, all are much worse, and the slices without labels do not repair it. What became of the left lung of the test patients, who all have one?

# %%
rows = {
    f"{case}: {arm}": [cell(recorded["unlabeled"][case][arm], key, ".2f") for key in ("missed", "sure")]
    for case in recorded["unlabeled"]
    for arm in arms
}
pd.DataFrame(rows, index=["of the left lung: missed", "missed with 0.9 or more"]).T


# %% tags=["remove-cell"]
def holds_zero(row, key):
    return row[f"{key}_low"] <= 0 <= row[f"{key}_high"]


assert (np.diff(curve("random")[0], 2) < 0).all()
for name in named:
    row = strategies[name]["whole curve"]
    assert holds_zero(row, "lung_gain") and holds_zero(row, "nodule_gain")
outside = [
    (b, name) for name in named for b in budgets[1:] if not holds_zero(strategies[name]["budgets"][str(b)], "lung_gain")
]
assert len(outside) == 2 and {b for b, _ in outside} == {32} and len(named) == 6
assert recorded["restarts"].count(0) == 5 and max(strategies["random again"]["whole curve"]["lung_gain_by_seed"]) > 0.01
assert max(strategies["random"]["budgets"][str(b)]["nodule"] for b in budgets) < 0.05
assert max(row["nodule"] for one in strategies.values() for row in one["budgets"].values()) < 0.08

# %% tags=["remove-cell"]
four = [name for name in named[:5] if name != "coverage"]
kept = np.array(recorded["restarts"]) == 0
assert all(np.mean(np.array(strategies[name]["whole curve"]["lung_gain_by_seed"])[kept]) < 0 for name in four)
assert unreadable("disagreement", "8") == 4 and unreadable("entropy", "8") > 3
assert all(13 < unreadable(name, "32") <= 16 for name in ("entropy", "entropy, one per patient", "disagreement"))

# %% tags=["remove-cell"]
clean = strategies["entropy, all readable"]
assert clean["whole curve"]["lung_gain_low"] > 0 and round(clean["whole curve"]["lung_gain_share"] * 6) == 5
assert clean["budgets"]["8"]["lung"] > strategies["random, all readable"]["budgets"]["32"]["lung"]
slices = {name: np.mean(row["slices"]) for name, row in weak.items()}
assert 8.5 < slices["box, price × 1"] / slices["mask, price × 1"] < 9.5
assert 3 < slices["scribble, price × 1"] / slices["mask, price × 1"] < 4 and slices["box, price × 0.5"] == 240
assert all(
    max(row["lung_gain_by_seed"]) < 0 > row["lung_gain_high"] for name, row in weak.items() if "mask" not in name
)

# %% tags=["remove-cell"]
right_labels, wrong_labels = (recorded["unlabeled"][case] for case in ("right labels", "left lung forgotten"))
assert all(right_labels[arm]["lung_gain_high"] < 0 for arm in arms[1:])
assert (
    round(right_labels["labels only"]["missed"], 2) == 0.16 and round(right_labels["mean teacher"]["missed"], 2) == 0.25
)
assert all(0.64 < wrong_labels[arm]["missed"] < 0.74 for arm in arms)
assert all(holds_zero(wrong_labels[arm], f"{key}_gain") for arm in arms[1:] for key in ("missed", "sure"))

# %% [markdown]
# With right labels 0.16 of it is missed by labels only, and up to 0.25 by the others: so not all of what these miss below comes from the error. With the error it is two thirds or more. **The error is repeated**, by all of them. Do pseudo-labels or a teacher amplify it? The intervals are wide, because the seeds differ so much in what they make of labels that contradict each other: in this benchmark nobody can tell. The last column is the dangerous part: pixels of a lung that the network calls background with a probability of 0.9 or more. The network's own doubt does not point there, and no further slice without labels does either. A person who looks at eight masks does.
#
# ## Take-aways
#
# - Unsure is one thing, worth a label another: of the slices that entropy bought here, about half could not be read.
# - In a pool with unreadable slices no strategy was shown to beat random. Without them entropy did, by 0.015 of Dice: the unreadable slices had eaten the gain.
# - Compare in pairs, over seeds and patients, count the seeds that win, and give the share its interval. Five wins of six prove little.
# - Let a control run with the rest that cannot be better. Where it seems to gain, distrust the other gains of that size.
# - Look before you pay: a person, or a number as simple as the difference to the neighboring slice.
# - At equal seconds, masks were ahead of boxes and scribbles in all six seeds, also at half and at twice the price. This is one organ with a clear outline; state your own prices and ask again.
# - Slices without labels bring no truth of their own. Here they did not help, and an error of the labels came back, in part with high confidence.
#
# ## Questions to test yourself
#
# 1. A strategy wins against random in five of six seeds, on average by 0.02, with an interval of −0.01 to +0.05. What do you write in the report?
#
#    - A. Nobody can tell yet whether it beats random.
#    - B. It beats random with a probability of 83 %.
#    - C. It is no better than random.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** The interval of the difference holds 0, and Wilson's interval of the share begins below one half. More seeds and more patients may tell.
# - **Not B:** 83 % is the share of six tosses. A fair coin gives five or six of six in one of nine tries.
# - **Not C:** not shown is not shown to be absent; +0.05 lies inside as well.
#
# </details>
#
# 2. Entropy buys eight slices, and five of them cannot be read. What do you change first?
#
#    - A. The network: a better one is less unsure of such slices.
#    - B. The measure: five networks in place of one.
#    - C. The order of the work: somebody looks before anybody pays.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** A look takes a second, and an outline more than a minute.
# - **Not A:** it should be unsure of noise. A network that is sure there would be worse.
# - **Not B:** they may contradict one another on noise as well. That has to be measured before it is paid for.
#
# </details>
#
# 3. Two slices without labels lie close together, far from all others. What does the greedy rule of exercise 17.4 do?
#
#    - A. It takes both, since both are far away.
#    - B. It takes one, and then the other is near to a chosen one.
#    - C. It takes neither, since they are outliers.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** After each choice the distances are looked at again.
# - **Not A:** that is what one gets by sorting once and taking the first few.
# - **Not C:** outliers are what it likes best, and that is its weakness.
#
# </details>
#
# 4. A paper shows that boxes beat masks at equal seconds. Which question comes first?
#
#    - A. How many patients were tested.
#    - B. What a box and a mask were said to cost, and whether the order stays at half and at twice this price.
#    - C. Which network was trained.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The price decides how many labels each side gets. It is seldom measured on the annotators and the images at hand.
# - **Not A:** it matters too, for the interval. But with the wrong price more patients only make a wrong answer sharper.
# - **Not C:** both sides have the same one.
#
# </details>
#
# 5. Some annotators forgot the left lung. You add a thousand slices without labels, and pseudo-labels of which the network is sure. What happens to the error?
#
#    - A. It fades, because there are so many new slices.
#    - B. It fades, because only sure pixels are used, and these are right.
#    - C. It may be repeated, and nothing in this training can notice it.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The new slices bring no new truth. They bring the opinion of a network that learned from the labels with the error.
# - **Not A:** many copies of one opinion are one opinion.
# - **Not B:** a network is sure of what it was taught, right or wrong.
#
# </details>
#
# 6. A weight of the teacher is 0.8, that of the student 0.3, and the teacher keeps 0.9 of itself. What is it after the step, and what does it approach if the student stays where it is?
#
# <details><summary>Answer</summary>
#
# 0.9 · 0.8 + 0.1 · 0.3 = 0.75. It approaches 0.3, by a tenth of what is left at each step.
#
# </details>
#
# ## Read more
#
# - Settles (2009) {cite:p}`settles2009active`: the survey of active learning, clear and free.
# - Sener and Savarese (2018) {cite:p}`sener2018coreset`: coverage, with the greedy choice of exercise 17.4.
# - Gaillochet, Desrosiers and Lombaert (2023) {cite:p}`gaillochet2023batches`: why random is hard to beat in medical images, and batches of uncertain slices drawn by chance.
# - Zhang, Kramer and Mazurowski (2024) {cite:p}`zhang2024slices`: more patients with fewer slices each, on four data sets.
# - Lüth and others (2025) {cite:p}`luth2025nnactive`: how to compare such strategies in 3D, and four ways to do it wrong.
# - Bearman and others (2016) {cite:p}`bearman2016point`: what points, squiggles and masks cost and give.
# - Tarvainen and Valpola (2017) {cite:p}`tarvainen2017mean`; Arazo and others (2020) {cite:p}`arazo2020confirmation`: the mean teacher, and the error that confirms itself.
# - The words of this page are in the [glossary](../book/glossary.md).

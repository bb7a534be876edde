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
# # 08 Architecture comparison
#
# Is U-Net the right choice, at equal budget?

# %%
import json

import numpy as np
import pandas as pd

from unet_helpers import plotting
from unet_helpers.data import subset_of_patients
from unet_helpers.models import NETWORKS
from unet_helpers.phantom import make_patient
from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "architectures.json").read_text(encoding="utf-8"))["results"]
drawn = dict(np.load(RESULTS / "architectures_slices.npz"))
large, small = (str(case) for case in drawn["cases"])


def slice_of(case):
    patient, level = case.split("_Z_")
    return subset_of_patients([make_patient(0, index=int(patient[1:]) - 1)])[int(level)]


# %% mystnb={"figure": {"caption": "The largest nodule among 24 patients that no network has seen, and what five networks make of the slice after equal seconds of training. Blue: lung. Orange: nodule."}, "image": {"alt": "Six copies of one chest slice. Ground truth: two lungs and, in the one on the right of the picture, a round, faint nodule. All five networks outline both lungs, with small differences along the borders, and none marks the nodule."}}
shown = slice_of(large)
answers = [shown.masks[0], *(drawn[name][0, 0] for name in NETWORKS)]
plotting.show_images([shown.images[0]] * 6, ["ground truth", *NETWORKS], answers, columns=6, panel=1.6)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - say what five well-known networks carry from the way down to the way up, and what small objects lose by it,
# - count the parameters and the multiplications of a network, and tell why neither is its running time,
# - compare networks at an equal budget, with an interval over patients and seeds, and for *pairs* of networks,
# - find the flaw in a published comparison,
# - name tasks for which a U-Net is not the right choice.
#
# **You need before:** the U-Net, level by level ([notebook 03](03_unet_architecture.ipynb)); Dice per patient, and intervals of differences (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)).
#
# **Minutes:** 75 to read, with five exercises, 2 to run on two cores.
#
# **The misconception it removes:** "The newer network is better."
#
# </div>

# %% [markdown]
# Which of the five networks is the best? They were published between 2015 and 2018, each with tables that show its advantage. On this slice you would call it a draw: all five find the lungs, and none finds the nodule, which is the largest of all but faint. Still, this is one slice and one training, an anecdote, and many published comparisons are not much more.
#
# This notebook repeats the comparison with care: the same data, the same seconds of training, the same search for a learning rate for each of the five, 24 patients, three seeds, and an interval on everything.
#
# ## Five ways down and up again
#
# All five shrink the image step by step, so that a pixel of the smallest map sees much of the chest, and then go back to full size. They differ in what crosses from the way down to the way up:

# %% mystnb={"figure": {"caption": "Five networks. A square is a stack of feature maps; the smaller the maps, the lower it stands. Dashed lines show what crosses. Circles: gates that let a part of it pass."}, "image": {"alt": "Five schematic networks side by side as V shapes. U-Net: five sizes, dashed lines join both sides at four levels, all feature maps. Attention U-Net: the same with a circle on the lower three lines. SegNet: six sizes, five lines, places of the maxima. FCN-8s: six sizes, lines at the two levels above the lowest, then one long step to full size, class scores, added. DeepLabV3+: down to a sixteenth, one line at a quarter, two long steps up."}}
plotting.show_schemes()

# %% [markdown]
# - **U-Net** (2015) carries *all feature maps* of every level across, and joins them with what comes from below {cite:p}`ronneberger2015unet`.
# - **Attention U-Net** (2018) does the same, but what comes from below first decides, place by place, how much of them passes {cite:p}`oktay2018attention`.
# - **SegNet** (2017) carries only *where* the maximum was in each pooling, and puts the value back at that place {cite:p}`badrinarayanan2017segnet`. That saves memory, because a number from 0 to 3 takes the place of a feature; during training, however, all maps are kept anyway.
# - **FCN-8s** (2015) adds coarse *class scores* of three levels, and enlarges the sum eight times in one step {cite:p}`long2015fcn`. It is the oldest, and the others build on its idea.
# - **DeepLabV3+** (2018) stops at a sixteenth, looks around there with kernels that have holes (*dilated* or *atrous* convolutions), and carries *one* early stack of maps across, at a quarter of the size {cite:p}`chen2018deeplab`.
#
# The page [The networks](../book/networks.md) says how each was checked against its paper. The same function builds them all:

# %%
from unet_helpers.models import build_network

networks = {name: build_network(name, size=128, num_classes=3, base_filters=8) for name in NETWORKS}
networks["FCN-8s"].output_shape

# %% [markdown]
# `base_filters` is the number of channels at the first level, also called the width of the network (a different thing from the width of a window). At full size it is 64 for all five; here it is 8, and all other levels shrink in proportion. Two things about DeepLabV3+ differ from its paper. Its encoder is a residual network of 18 layers, much smaller than the paper's. And the paper spreads its kernels by 6, 12 and 18 places, for images of 513 pixels. With 128 pixels the smallest map has 8 places per side, so these kernels would reach beyond it; `build_network` shrinks the spread with the image.

# %% [markdown]
# ## What is left of a small nodule
#
# Two of the five enlarge *class scores*: FCN-8s by 8, DeepLabV3+ by 4. What can such a network draw *at best*? We can find out without training anything: take the ground truth, and fit the coarse map of scores to it directly. No network can know more than the ground truth. **Stride** is the number of pixels per score, along one side:

# %%
from unet_helpers.teaching import best_from_coarse_map

shown = slice_of(small)
nodule = shown.masks[0] == 2
row, column = np.argwhere(nodule).mean(axis=0).round().astype(int)
around = slice(row - 16, row + 16), slice(column - 16, column + 16)
crop, truth = shown.images[0][around], nodule[around]
best = {stride: best_from_coarse_map(truth, stride) for stride in (1, 4, 8, 16)}

# %% mystnb={"figure": {"caption": "The smallest nodule of four pixels or more among the 24 patients, in a crop of 32×32 pixels, and the best outline that a score map of each stride can draw."}, "image": {"alt": "Four copies of a crop of 32 by 32 pixels around a nodule a few pixels wide. At stride 1 the outline is exact, at 4 it is nearly right, at 8 it is a patch several times as large, at 16 it covers the whole crop."}}
titles = [f"stride {stride}" for stride in best]
plotting.show_images([crop] * 4, titles, [2 * mask.astype(np.uint8) for mask in best.values()], panel=1.8)

# %% [markdown]
# One slice proves little, so we repeat this for disks of several sizes, each at twelve random places:


# %%
from unet_helpers import dice


def best_dice(diameter, stride, random):
    middle = random.uniform(24, 40, 2)
    rows, columns = np.mgrid[:64, :64]
    disk = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= diameter**2 / 4
    return dice(disk, best_from_coarse_map(disk, stride))


# %%
diameters = [2, 3, 4, 6, 9, 14]
random = np.random.default_rng(0)
limits = {
    f"stride {stride}": [np.mean([best_dice(d, stride, random) for _ in range(12)]) for d in diameters]
    for stride in (4, 8, 16)
}

# %% mystnb={"figure": {"caption": "The highest mean Dice that a score map of a stride allows, for disks by diameter."}, "image": {"alt": "Three curves of the best possible Dice over the diameter of a disk from 2 to 14 pixels. Stride 4 lies between about 0.9 and 1, stride 8 rises from about one half to near 1, stride 16 from about a quarter to above 0.9."}}
plotting.show_lines(diameters, limits, "diameter (pixels)", "best possible Dice", limits=(0, 1.02))

# %% [markdown]
# For the lungs of the slice at the top, which are large, the best that stride 8 allows is:

# %%
lungs = slice_of(large).masks[0] == 1
print(f"Dice {dice(lungs, best_from_coarse_map(lungs, 8)):.2f}")

# %% [markdown]
# With one score for every 4×4 pixels, nearly everything can be drawn. With one for every 8×8, the best Dice is about 0.7 for a disk of three pixels, and about 0.9 for one of six. With one for every 16×16, even a disk of nine pixels stays below 0.9. FCN-8s ends with stride 8, DeepLabV3+ with stride 4; the other three give a score to every pixel.
#
# How large are our nodules? This table counts them in the 24 patients, slice by slice:

# %%
pd.Series(recorded["networks"]["U-Net"]["nodules"], name="nodules by diameter").to_frame()

# %% [markdown]
# Nearly half have a diameter of three to five pixels, which is about a centimeter. For them a stride of 8 takes away a sixth to a third of the Dice before training has begun, and a stride of 4 takes a twentieth at most.
#
# A map at full size only gives a small object *room*. Whether the network uses it must be measured.

# %% [markdown]
# ## What does a network cost?
#
# There are four answers: parameters, multiplications, time and memory. We begin with the multiplications. A convolution computes, at each place of its output and for each output channel, a sum of products, one for each weight of the kernel.

# %% [markdown]
# ### Exercise 08.1: count the multiplications
#
# A padded convolution of stride 1 takes an image of `height × width` with `inside` channels to `out` channels, with a kernel of `kernel × kernel`. How many multiplications is that? (The bias is added, not multiplied.)
#
# <details><summary>Hint 1</summary>
#
# Begin with *one* number of the output. How many weights are multiplied to make it, if the kernel is 3×3 and two channels come in?
#
# <details><summary>Hint 2</summary>
#
# One output number costs `kernel` × `kernel` × `inside` multiplications. How many output numbers are there? Padding with stride 1 keeps height and width, and there are `out` channels.
#
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import architecture_comparison as check


def multiplications(height, width, kernel, inside, out):
    return ...


check.multiplications(multiplications)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def multiplications(height, width, kernel, inside, out):
    return height * width * kernel * kernel * inside * out


check.multiplications(multiplications)

# %% [markdown]
# Each multiplication comes with an addition. Together they are one **multiply-accumulate** (MAC), or two **FLOPs** (floating-point operations). Some papers report one, some the other, so check which before you compare: they differ by a factor of two. `count_multiply_adds` adds up all layers.

# %%
from unet_helpers.models import count_multiply_adds, count_parameters

costs = {
    name: (count_parameters(network) / 1e6, count_multiply_adds(network) / 1e6) for name, network in networks.items()
}
pd.DataFrame(costs, index=["million parameters", "million multiplications"]).T.round(2)

# %% [markdown]
# FCN-8s has four times the parameters of the U-Net, and little more than half of its multiplications. Where are they? Here is the layer with the most parameters in each network:

# %%
from unet_helpers.models import count_of_layer

largest = {}
for name, network in networks.items():
    layer = max((one for one in network.layers if hasattr(one, "kernel")), key=lambda one: one.count_params())
    counts = (round(count / 1e6, 2) for count in (layer.count_params(), count_of_layer(layer)))
    largest[name] = (layer.name, layer.output.shape[1], *counts)
pd.DataFrame(largest, index=["layer", "side of its map", "million parameters", "million multiplications"]).T

# %% [markdown]
# One layer of FCN-8s holds three quarters of its parameters: the 7×7 convolution that was a fully connected layer in the classifier it comes from. But its map has a side of 4, so that each of its weights is used only 16 times. In the first level of the U-Net a weight is used 16,384 times. **Parameters sit where the maps are small, multiplications where they are large.** So a table of parameters tells you how large the file is, and little about the time.
#
# Multiplications do not give the time either: numbers have to be moved, and small layers do not keep a processor busy. Time must be measured, and below we do so.
#
# ### Exercise 08.2: equal parameters
#
# A second kind of fair comparison gives every network the same *number of parameters*. Suppose a network of width 8 has 2,000,000 parameters and should have 500,000: what width does it need? Write the function for any numbers. (Nearly all parameters belong to convolutions from about $c$ to about $c$ channels, which have $9\,c^2$ weights.)
#
# <details><summary>Hint 1</summary>
#
# If every layer gets twice as many channels, by how much does $9\,c^2$ grow?
#
# <details><summary>Hint 2</summary>
#
# The parameters go with the square of the width, so the width goes with the square root of the parameters: a quarter of the parameters, half the width.
#
# <details><summary>Hint 3</summary>
#
# The factor is `(target / parameters) ** 0.5`. Multiply the width by it, and give the nearest whole number: there is no such thing as half a channel.
#
# </details>
# </details>
# </details>


# %%
def width_for(width, parameters, target):
    return ...


check.width_for(width_for)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def width_for(width, parameters, target):
    return round(width * (target / parameters) ** 0.5)


check.width_for(width_for)

# %%
target = count_parameters(networks["U-Net"])
rows = {}
for name, network in networks.items():
    width = width_for(8, count_parameters(network), target)
    rows[name] = (width, count_parameters(build_network(name, base_filters=width)) / target)
pd.DataFrame(rows, index=["width", "parameters, U-Net = 1"]).T.round(2)

# %% [markdown]
# All are within a tenth of the U-Net, as close as whole channels allow. Attention U-Net and SegNet keep their width of 8.

# %% [markdown]
# ## Equal budget: train by the clock
#
# "Both were trained for 100 epochs" sounds fair. But an epoch of one network may take twice as long as an epoch of the other. Here the budget is *time*: `TimedTrainer` first builds the computation, which takes longer than many steps. Then the clock starts, and the learning rate follows the clock, so that each network reaches the end of its schedule when its time is up.
#
# Now we run a small version live: two networks, two seeds, five seconds each, at half the resolution (64×64) and for the lungs alone, measured on the validation patients.


# %%
from dataclasses import replace

from unet_helpers import load_dataset


def halve(subset):
    images = subset.images.reshape(-1, 64, 2, 64, 2, 1).mean(axis=(2, 4))
    masks = (subset.masks > 0).reshape(-1, 64, 2, 64, 2).mean(axis=(2, 4)) >= 0.5
    return replace(subset, images=images, masks=masks.astype(np.uint8), spacing=2 * subset.spacing)


data = load_dataset("phantom")
training, validation = halve(data.train), halve(data.validation)

# %% tags=["nbval-ignore-output"]
from unet_helpers import predict_masks
from unet_helpers.evaluation import dice_by_patient
from unet_helpers.training import TimedTrainer

live, steps = {}, {}
for name in ("U-Net", "FCN-8s"):
    trainer = TimedTrainer(build_network(name, size=64, num_classes=2), training, class_weights=(1, 1))
    for seed in (0, 1):
        steps.setdefault(name, []).append(trainer.train(5, seed=seed)["steps"])
        masks = predict_masks(trainer.model, validation.images)
        live.setdefault(name, []).append(dice_by_patient(masks, validation, 1))
live = {name: np.array(runs) for name, runs in live.items()}
steps

# %% [markdown]
# Equal seconds do not give equal numbers of steps. How many steps a network makes depends on the machine and on what else it is doing, and so does the result of the comparison. That is the price of measuring what you really pay.

# %% [markdown]
# ### Exercise 08.3: the difference of two networks
#
# `runs` and `others` hold the Dice of two networks, one row per seed and one column per patient. For each patient, average each network over its seeds, and return how much better the *first* network is. The networks may have different numbers of seeds.
#
# <details><summary>Hint 1</summary>
#
# Draw the two tables on paper, seeds down and patients across, one with two rows and one with three. Can you subtract row from row? What shape must the answer have?
#
# <details><summary>Hint 2</summary>
#
# First turn each table into one row, with one number per patient: the mean over the seeds, which are axis 0.
#
# <details><summary>Hint 3</summary>
#
# `runs.mean(axis=0)` is the row of the first network. The order of the subtraction decides the sign.
#
# </details>
# </details>
# </details>


# %%
def gain_per_patient(runs, others):
    return ...


check.gain_per_patient(gain_per_patient)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def gain_per_patient(runs, others):
    return runs.mean(axis=0) - others.mean(axis=0)


check.gain_per_patient(gain_per_patient)

# %% tags=["nbval-ignore-output"]
from unet_helpers.evaluation import interval_of_difference, interval_of_mean

for name, runs in live.items():
    print(
        f"{name:<8} Dice {runs.mean():.3f}, interval {interval_of_mean(runs)[0]:.3f} to {interval_of_mean(runs)[1]:.3f}"
    )
gain = gain_per_patient(live["U-Net"], live["FCN-8s"])
low, high = interval_of_difference(live["U-Net"], live["FCN-8s"])
print(f"U-Net − FCN-8s: {gain.mean():.3f}, interval {low:.3f} to {high:.3f}")

# %% tags=["remove-cell"]
assert all(runs.shape == (2, len(validation.patients)) for runs in live.values())
enough = min(map(min, steps.values())) >= 40  # a machine that made fewer steps shows nothing
assert live["U-Net"].mean() > 0.5 or not enough
assert low > 0 or not enough

# %% [markdown]
# On the machine that made this page, the difference is far larger than chance would make it: its interval is a long way from zero, after five seconds of training and with a handful of patients. Large differences need no large study. Small differences, which most papers report, need many patients and seeds.
#
# (Do not read more into it. FCN-8s has stride 8, and at half the resolution each of its scores stands for a square of four to five centimeters.)
#
# These intervals contain two kinds of chance. *Other patients* would give another mean. *Another seed* (other first weights, another order of the batches) would give another network. `interval_of_mean` draws both with replacement, patients and seeds. For a difference, `interval_of_difference` draws the *same* patients for both networks, because a patient who is hard for one is usually hard for the other. It draws seeds separately for each network, because seed 0 of one has nothing in common with seed 0 of the other.
#
# Two or three seeds are few, and an interval from so few is too narrow: the true doubt is larger.

# %% [markdown]
# ## The comparison
#
# The same code at full size, recorded by `benchmarks/architectures.py`: 128×128, three classes, whole slices in batches of 8, Dice plus weighted cross-entropy ([notebook 07](07_losses_and_imbalance.ipynb)), mild augmentation, three seeds. (What a turned or shifted slice shows beyond its border was 0 in these runs, not air.) Each of the five networks first tried three learning rates on the validation patients, for a third of the time, because the rate of another network would be an unfair handicap. The variants further down (two other widths, and the U-Net without skips) tried none: they took over the rate of the network they come from. Then each was trained for the full time, with three seeds:

# %%
print(f"{recorded['seconds_of_training']:.0f} s of training for each network and seed")
print(f"{recorded['held_out_patients']} patients, {recorded['held_out_patients_with_nodule']} of them with a nodule")

# %% [markdown]
# These are new patients, on which nothing was chosen; the test patients of the data set remain untouched. Dice is computed per patient, from all slices together; for nodules, it is averaged over the patients who have one.

# %% [markdown]
# ### At equal width


# %%
def with_interval(run, part):
    return "{:.3f} ({:.3f} to {:.3f})".format(*(run[f"{part}_dice{end}"] for end in ("", "_low", "_high")))


def table_of(names):
    runs = {name: recorded["networks"][name] for name in names}
    table = pd.DataFrame({f"{part} Dice": {n: with_interval(r, part) for n, r in runs.items()} for part in parts})
    for title, key in {"parameters": "parameters", "10⁶ mult.": "million_multiply_adds", "ms": "latency_ms"}.items():
        table[title] = [run[key] for run in runs.values()]
    table["MB"] = [run["memory_measured_mb"] for run in runs.values()]
    table["steps"] = [round(np.mean(run["steps"])) for run in runs.values()]
    return table


parts = ("lung", "nodule")
table_of(recorded["tables"]["equal width"])

# %% [markdown]
# The brackets hold the 95 % interval over patients and seeds. *10⁶ mult.* is millions of multiplications; *ms* is the time from one image to its probabilities, on the machine that the result file names; *MB* is the memory that a training step takes per image, measured from outside; *steps* is how many fit into the budget. For the U-Net, some 340 steps of 8 slices are about ten passes over the training slices. This can show which network gets furthest in ten passes. It cannot show which is best when each has been trained until it stops improving.

# %% mystnb={"figure": {"caption": "Equal width, equal seconds. Circles: seeds (mean over patients). Diamond and bar: mean and its 95 % interval over patients and seeds."}, "image": {"alt": "Two panels with a row per network. Lung Dice: U-Net and Attention U-Net at 0.98, DeepLabV3+ near 0.97, SegNet a little lower, FCN-8s near 0.95, with short bars. Nodule Dice: U-Net and Attention U-Net near 0.64, DeepLabV3+ and SegNet near 0.56, FCN-8s near 0.37, with bars of about 0.1 to each side."}}
equal_width = {name: recorded["networks"][name] for name in recorded["tables"]["equal width"]}
dices = {"lung Dice": "lung_dice", "nodule Dice": "nodule_dice"}
plotting.show_estimates(equal_width, dices, panel=3.6)

# %% [markdown]
# For the lungs the order is clear, except for the first two. For the nodules the bars are long, and four of five overlap widely. It is tempting to conclude from this picture that these four cannot be told apart.
#
# That would be wrong: the bars are long because *patients* differ. Some nodules are easy for every network, and some are hard for all of them. So look at the differences on the same patients:

# %% mystnb={"figure": {"caption": "Difference to the U-Net on the same patients. Circles: seeds. Bar: 95 % interval; a hollow diamond where it includes 0."}, "image": {"alt": "Two panels with four rows, differences to the U-Net. Attention U-Net: hollow diamonds at zero in both. SegNet, DeepLabV3+ and FCN-8s: filled diamonds left of zero, by 0.017, 0.012 and 0.033 for the lungs and by about 0.09, 0.07 and 0.27 for the nodules; no bar reaches zero."}}
others = {name: run for name, run in equal_width.items() if name != "U-Net"}
gains = {"lung, difference to U-Net": "lung_dice_gain", "nodule, difference to U-Net": "nodule_dice_gain"}
plotting.show_estimates(others, gains, panel=3.6, mark=0)

# %% [markdown]
# Now most bars are short, and they say more:
#
# - **Attention U-Net** is hollow in both panels: its intervals include zero, so its difference from the U-Net cannot be told from zero.
# - **SegNet** and **DeepLabV3+** are below the U-Net, by one or two hundredths for the lungs and by seven to nine for the nodules. No interval includes zero.
# - **FCN-8s** is far below, for the nodules by more than a quarter of the scale.
#
# ### Which pairs can be told apart?
#
# Five networks make ten pairs. The table gives the difference for each, with its interval:

# %%
from itertools import combinations


def tell_apart(names, part):
    runs = {name: np.array(recorded["networks"][name][f"{part}_by_seed"], dtype=float) for name in names}
    rows = {}
    for one, other in combinations(names, 2):
        low, high = interval_of_difference(runs[one], runs[other])
        difference = np.nanmean(runs[one]) - np.nanmean(runs[other])
        rows[f"{one} − {other}"] = (difference, low, high, not low <= 0 <= high)
    return pd.DataFrame(rows, index=["difference", "low", "high", "excludes 0"]).T


apart = {part: tell_apart(recorded["tables"]["equal width"], part) for part in parts}
apart["nodule"].astype({"difference": float, "low": float, "high": float}).round(3)

# %%
for part, table in apart.items():
    print(f"{part}: {table['excludes 0'].sum()} of {len(table)} pairs have an interval without 0")

# %% [markdown]
# U-Net and Attention U-Net cannot be told apart in either class, nor can SegNet and DeepLabV3+ in the nodules. That does not make them *equal*: for the first pair, a nodule difference of three hundredths in either direction would fit as well. To exclude that, we would need more patients and more seeds.
#
# (Twenty intervals of 95 % were computed here. On average one in twenty misses the truth, so an interval that ends close to zero is weak evidence.)
#
# ### Why do three of them lose?
#
# - **FCN-8s** scores squares of 8×8 pixels. You saw above the best that such squares can draw, for a disk of four pixels and for a lung. FCN-8s stays below that for both.
# - **DeepLabV3+** scores squares of 4×4, which would allow nearly everything. It does not lack room at the end, but *detail on the way*: its first layer halves the image, and pooling follows at once. The finest map that it ever hands on has a quarter of the size. In return it makes about twice as many steps in the same time.
# - **SegNet** works at full size from the first layer to the last. But only the *places* of the maxima cross, so everything else that the first layers saw must come up from below.
#
# All this fits, but fitting explanations are cheap. Taking one part out and leaving the rest comes nearer to a proof; we do that below.
#
# ### What differs most: networks, seeds or patients?

# %%
rows = {}
for part in parts:
    runs = np.array([run[f"{part}_by_seed"] for run in equal_width.values()], dtype=float)
    runs = runs[:, :, np.isfinite(runs).all(axis=(0, 1))]
    rows[part] = {
        "between networks": runs.mean(axis=(1, 2)).std(ddof=1),
        "between seeds": runs.mean(axis=2).std(axis=1, ddof=1).mean(),
        "between patients": runs.mean(axis=(0, 1)).std(ddof=1),
    }
pd.DataFrame(rows).rename_axis("standard deviation of Dice").round(3)

# %% [markdown]
# For the lungs, networks differ several times as much as seeds or patients do. For the nodules, patients differ twice as much as networks, and only paired differences are free of that spread. Seeds move a mean by some two hundredths: a gain of one hundredth in a table with one run is less than that.
#
# ### At equal parameters

# %%
table_of(recorded["tables"]["equal parameters"])

# %% mystnb={"figure": {"caption": "The same at equal parameters. U-Net, Attention U-Net and SegNet are the runs of the first table."}, "image": {"alt": "The same two panels with FCN-8s at 4 filters and DeepLabV3+ at 11 filters. The picture is nearly unchanged: Attention U-Net hollow at zero, the other three left of it."}}
equal_parameters = {name: recorded["networks"][name] for name in recorded["tables"]["equal parameters"]}
plotting.show_estimates({k: v for k, v in equal_parameters.items() if k != "U-Net"}, gains, panel=3.6, mark=0)

# %% [markdown]
# The picture is nearly the same: SegNet and DeepLabV3+ are level in the nodules, and FCN-8s is last. Did the new width change anything for the two networks that have one?

# %%
for name in ("FCN-8s, 4 filters", "DeepLabV3+, 11 filters"):
    run = recorded["networks"][name]
    for part in parts:
        new, old = (np.array(r[f"{part}_by_seed"], float) for r in (run, recorded["networks"][run["network"]]))
        low, high = interval_of_difference(new, old)
        print(f"{name} − 8 filters, {part}: {np.nanmean(new) - np.nanmean(old):.4f}, {low:.4f} to {high:.4f}")

# %% [markdown]
# All four intervals include zero, two of them only just. With a quarter of its parameters, FCN-8s loses nothing that we could measure, and with nearly twice as many, DeepLabV3+ gains nothing that we could measure. So in these 40 seconds, on this small data set, the number of parameters does not seem to be the limit. (Both took over the learning rate of width 8, which may not suit the new width.)
#
# ### What you get for what you pay

# %% mystnb={"figure": {"caption": "Nodule Dice with its interval over four kinds of cost. Filled: no other network is both better and cheaper."}, "image": {"alt": "Four panels of nodule Dice over parameters, multiplications, latency and memory, seven numbered points with long vertical bars. DeepLabV3+ at 8 filters is filled in all four, at the cheap side; U-Net and Attention U-Net are filled too, higher and at more cost, except that the U-Net is hollow over latency; FCN-8s at 4 filters is filled over multiplications and latency, the cheapest and low."}}
everyone = equal_width | equal_parameters
for run in everyone.values():
    run["million_parameters"] = run["parameters"] / 1e6
prices = {
    "million parameters": "million_parameters",
    "million multiplications": "million_multiply_adds",
    "latency (ms)": "latency_ms",
    "MB per training image": "memory_measured_mb",
}
plotting.show_tradeoffs(everyone, "nodule_dice", prices, "nodule Dice", panel=2.4)

# %% [markdown]
# If memory or multiplications are scarce, you have a choice: DeepLabV3+ needs a third of the memory of the U-Net and a quarter of its multiplications, and gives up seven hundredths of Dice. No other network here is as cheap and as good.
#
# Do not rank the networks by time. A quarter of the multiplications saves less than a third of the time here, because for one small image much of it goes into calling the layers. And Attention U-Net, which does all that the U-Net does and more, was measured as the faster of the two, so a millisecond or two is within the error of such a measurement. On a GPU, or with larger images or batches, these numbers would differ.
#
# ### Small nodules

# %%
shares = {
    name: {size: np.mean(found) / run["nodules"][size] for size, found in run["found"].items()}
    | {"false alarm": np.mean(run["slices_with_false_nodule"]) / recorded["held_out_slices_without_nodule"]}
    for name, run in equal_width.items()
}
print(recorded["held_out_slices_without_nodule"], "slices have no nodule")
pd.DataFrame(shares).T.rename_axis(columns="share").round(2)

# %% [markdown]
# The first three columns give the share of the nodules of each size that were found, by at least one pixel. The last gives the share of slices without a nodule in which something was marked. All are means of three seeds, over few nodules and without an interval. From five pixels on, the networks differ least, and below three most are missed. They differ most in between, where the U-Nets find two of three and FCN-8s one of three.
#
# The last column shows the price. FCN-8s and DeepLabV3+ find less than the U-Net, and mark something on fewer of the slices without a nodule. Part of the difference may be caution, which another threshold would change ([notebook 07](07_losses_and_imbalance.ipynb)).

# %% mystnb={"figure": {"caption": "The smallest nodule of four pixels or more, in a crop of 48×48 pixels: ground truth, then five networks. Each row is another seed."}, "image": {"alt": "A grid of three rows and six columns of crops with the nodule marked in the first column. In the first row no network marks it. In the second, Attention U-Net marks it and two other places, SegNet a place beside it. In the third, Attention U-Net marks it and one pixel elsewhere, DeepLabV3+ marks another place, and the U-Net next to nothing."}}
shown = slice_of(small)
row, column = np.argwhere(shown.masks[0] == 2).mean(axis=0).round().astype(int).clip(24, 104)
around = slice(row - 24, row + 24), slice(column - 24, column + 24)
answers = [answer[around] for seed in range(3) for answer in (shown.masks[0], *(drawn[n][seed, 1] for n in NETWORKS))]
titles = ["ground truth", *NETWORKS, *[""] * 12]
plotting.show_images([shown.images[0][around]] * 18, titles, answers, columns=6, panel=1.5)

# %% [markdown]
# The same network gives another answer with another seed. From one row of such pictures you could conclude almost anything, so do not judge a network by the single row that a paper shows.

# %% [markdown]
# ## What the skip connections carry
#
# An **ablation** takes one part out of a network and leaves the rest as it is. Without skip connections (`skip_connections=False`), the same U-Net has to draw everything from the bottleneck, where a map has 8×8 places:

# %% mystnb={"figure": {"caption": "Ground truth, U-Net, and U-Net without skip connections, first seed."}, "image": {"alt": "One chest slice three times. Ground truth: both lungs, notched where airways and vessels enter from the middle, and a tiny nodule. U-Net: nearly the same borders, small rings around a few vessels inside, no nodule. Without skips: the two lungs without the notches."}}
without = "U-Net without skips"
answers = [shown.masks[0], drawn["U-Net"][0, 1], drawn[without][0, 1]]
plotting.show_images([shown.images[0]] * 3, ["ground truth", "U-Net", "without skips"], answers, panel=2.8)

# %%
ablation = recorded["networks"][without]
names = {"lung_dice": "lung Dice", "nodule_dice": "nodule Dice", "lung_hd95": "HD95 of the lung (mm)"}
rows = {
    title: (
        recorded["networks"]["U-Net"][key],
        ablation[key],
        *(ablation[f"{key}_gain{end}"] for end in ("", "_low", "_high")),
    )
    for key, title in names.items()
}
pd.DataFrame(rows, index=["with", "without", "difference", "low", "high"]).T.round(3)

# %% [markdown]
# For the lungs, Dice falls by less than two hundredths, which sounds harmless. But where the border is off most (HD95), it is off by two more millimeters, and in the picture the notches where airways and vessels enter the lungs are smoothed away. Dice hardly shows it, because most of a lung is interior.
#
# Of the nodules **not one was found, with any seed**. A nodule of five pixels fills only a fraction of one place of the 8×8 map. Its position could be written into the channels of that place, so in principle a network without skips *can* draw it; it would have to learn how. Within this budget it does not even begin to. We have not measured whether it would with ten times the budget.
#
# ## Reading other people's comparisons
#
# ### Exercise 08.4: find the flaw
#
# Here are four reports, each with at most one flaw. Name it: `"budget"` (one network got more training or tuning), `"chance"` (too few patients and seeds for the claim), `"chosen on test"` (the same patients were used to choose and to judge), or `"fair"`.
#
# <details><summary>Hint 1</summary>
#
# Ask three questions of each report. Did both networks get the same training and the same search? Are there enough patients and seeds for the claim? Were the patients that judge also used to choose something?
#
# <details><summary>Hint 2</summary>
#
# In A, compare the two trainings; in B, count patients and seeds; in C, ask which patients picked one of the 30 variants. In D, does the conclusion go beyond what the interval allows?
#
# </details>
# </details>

# %%
for name, text in check.REPORTS.items():
    print(f"{name}: {text}\n")

# %%
flaws = {"A": ..., "B": ..., "C": ..., "D": ...}
check.spot_the_flaw(flaws)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
flaws = {"A": "budget", "B": "chance", "C": "chosen on test", "D": "fair"}
check.spot_the_flaw(flaws)

# %% [markdown]
# Is our own comparison fair? Each of the five, at width 8, tried the same three learning rates. This is how they did on the validation patients (mean of lung and nodule Dice, one seed, a third of the time):

# %%
tried = {name: run["validation_dice_by_rate"] for name, run in equal_width.items()}
pd.DataFrame(tried).T.rename_axis(columns="learning rate").round(3)

# %% [markdown]
# Read the first row: a lung Dice of 0.98 and *no nodule at all* give 0.49. After a third of the time, U-Net, Attention U-Net and FCN-8s had not begun to find nodules, and their learning rates were chosen by the lungs. SegNet and DeepLabV3+ had begun. **At a third of the budget the order was different**, with DeepLabV3+ first (on one seed and a few validation patients). A ranking holds for its budget.
#
# For four of the five, the largest rate won. Had we tried larger ones, they might have done better still.
#
# Here is what is *not* fair about our comparison, and what it cannot say:
#
# - Loss, class weights, augmentation and batch size were chosen for the U-Net long before this notebook. Another network might like others.
# - The budget is short and the networks are narrow. With hours instead of seconds the order may change. Dropout was left at each network's default.
# - The newest of the five is from 2018. About UNet++, transformers or a full nnU-Net this table says nothing.
# - FCN-8s and DeepLabV3+ were published with encoders that had learned from photographs; here all start from random weights. ([Notebook 09](09_domain_shift_and_transfer.ipynb) shows how such an encoder is put into a U-Net; it does not train one.)
# - Steps per second belong to this library on this processor. On a GPU the same seconds buy a different number of steps.
# - The patients are synthetic, and there is one task. Nothing here is a clinical tool.
#
# The most careful comparison of recent years did this on six public sets of 3D images, with the same framework, hardware and tuning for all. Many newer networks that had been reported as better were not: well-configured U-Nets, as large as the hardware allows, came first or drew level {cite:p}`isensee2024revisited`.

# %% [markdown]
# ## nnU-Net: rules in place of choices
#
# Who chose four levels, crops of 64 pixels and a batch of 16 for this series? We did, by trying. **nnU-Net** {cite:p}`isensee2021nnunet` does without us. It measures the data (spacing, size, number of classes), and rules turn these few numbers into a U-Net: how large a patch, how many in a batch, how often each axis is halved, how many channels. The network itself has hardly changed since 2015, and yet plans made in this way won contest after contest: configuring mattered more than inventing.
#
# The rules are short enough to read. This is the heart of them: which axes does the next stage halve?

# %%
import inspect

from unet_helpers.models import nnunet_rules

print(inspect.getsource(nnunet_rules.halved_axes))

# %% [markdown]
# `factor` is how much each axis has shrunk so far. A CT with slices 5 mm apart and pixels of 0.8 mm is halved along rows and columns only, until a pixel is nearly as wide as the slices are thick; only then do all three axes shrink together. The same rule sets the kernels: 1×3×3 at first, 3×3×3 later.
#
# ### Exercise 08.5: which axes are halved
#
# Write the rule yourself. `spacing` holds the millimeters and `size` the voxels along each axis, at the stage where we are. Give a list with one number for each axis: 2 if it is halved and 1 if not. An axis is halved if it has at least 8 voxels, *and* its spacing is less than twice the smallest spacing among the axes that have at least 8. (Leave out the special case of a single axis.)
#
# <details><summary>Hint 1</summary>
#
# There are two questions for each axis, and the second needs the answer to the first: the smallest spacing is looked for among the *long* axes only.
#
# <details><summary>Hint 2</summary>
#
# Collect the spacings of the axes with `size >= 8`. If there are none, nothing is halved. `zip(spacing, size)` walks through both lists together.
#
# <details><summary>Hint 3</summary>
#
# `smallest = min(mm for mm, voxels in zip(spacing, size) if voxels >= 8)`. The answer is a list of `2 if voxels >= 8 and mm < 2 * smallest else 1`.
#
# </details>
# </details>
# </details>


# %%
def halved(spacing, size):
    return ...


check.halved_axes(halved)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def halved(spacing, size):
    long = [mm for mm, voxels in zip(spacing, size, strict=True) if voxels >= 8]
    return [2 if voxels >= 8 and mm < 2 * min(long) else 1 for mm, voxels in zip(spacing, size, strict=True)]


check.halved_axes(halved)

# %% [markdown]
# The patch comes next. It starts with equal sides in millimeters, no larger than the images, and is cut until its feature maps fit into 8 GB. What is left of the memory makes the batch larger. Is that really nnU-Net? Others have put the plans online that nnU-Net v2 wrote for their data. We give our rules the same spacing, median size and number of labels, and compare line by line:

# %%
from unet_helpers.models import plan_network

lung, nodes = (1.245, 0.785, 0.785), (1.0, 0.809, 0.809)
published = {
    "lung tumors, 3D": ((lung, (252, 512, 512), 2), (80, 192, 160), 2, 6),
    "lung tumors, 2D": ((lung[1:], (512, 512), 2), (512, 512), 12, 8),
    "lymph nodes, 3D": ((nodes, (661, 512, 512), 32), (160, 112, 112), 2, 5),
    "lymph nodes, 2D": ((nodes[1:], (512, 512), 32), (512, 512), 11, 8),
}
rows = {}
for name, (data, *plan) in published.items():
    rules = plan_network(*data)
    rows[name] = [*plan, rules.patch, rules.batch_size, len(rules.strides)]
columns = [(who, what) for who in ("nnU-Net's plan", "our rules") for what in ("patch", "batch", "stages")]
pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(columns)).T

# %% tags=["remove-input"]
assert all(row[:3] == row[3:] for row in rows.values())

# %% [markdown]
# All lines agree (the files are `nnUNetPlans.json` of the Decathlon's task 06, and of a set with 31 groups of lymph nodes; the tests of this series hold the rules against twelve configurations of five data sets). Look at the lymph nodes: 32 output maps take so much memory that the patch is cut and the batch loses one.
#
# And what would nnU-Net make of our phantom?

# %%
from unet_helpers import load_dataset

train = load_dataset("phantom").train
plan = plan_network(train.spacing[0], train.images.shape[1:3], num_classes=3, cases=len(train))
print(f"patch {plan.patch}, batch {plan.batch_size}, channels {plan.channels}")

# %% [markdown]
# nnU-Net v2.8.1 itself, given these patients (`benchmarks/peer_nnunet.py`), writes the same patch, batch and channels.
#
# The plan takes whole slices where we take crops, four times our width, and one stage more. The batch of 14 is the rule of the twentieth: 5 % of 272 slices, where the memory would have allowed many more. Four times the width are sixteen times the multiplications at each pixel, and a whole slice has four times the pixels of a crop, so a step of this plan takes more than fifty times the multiplications of one of ours. It is made for a GPU with 8 GB and is too much for the two cores of a class, which is why this series does not follow it. What nnU-Net adds beyond the plan (resampling, normalization by the foreground's percentiles, patches around the rare class, strong augmentation, deep supervision, five-fold cross-validation, 250,000 steps) you find, piece by piece, in notebooks [02](02_preprocessing.ipynb), [04](04_gpu_training.ipynb), [07](07_losses_and_imbalance.ipynb) and [10](10_volumes_and_3d_unet.ipynb).

# %% [markdown]
# ## When U-Net is not the right choice
#
# | the task | why not | what instead |
# |---|---|---|
# | one answer per image: is there a nodule? | nobody asked for outlines, and they cost labels | a classifier; start from pre-trained weights and test whether they help {cite:p}`raghu2019transfusion` |
# | *find* tiny objects in large volumes, at few false alarms per scan | Dice and its losses look at pixels, not at objects; a missed small one hardly counts | a detector: boxes and scores {cite:p}`baumgartner2021nndetection` |
# | a handful of labeled images, common structures | too few to learn from scratch | a large pre-trained encoder, or a model that segments from a prompt {cite:p}`ma2024medsam`; correct what it draws |
# | touching objects that must be counted | one mask per class cannot tell neighbors apart | what [notebook 11](11_instances.ipynb) does: watershed or a border class; or a network for instances |
# | real time on a phone | the maps at full size take most of the time | a light encoder {cite:p}`sandler2018mobilenetv2`, a coarser output |
# | large 3D volumes | memory grows with the number of voxels | patches ([notebook 10](10_volumes_and_3d_unet.ipynb)), or 2D |
# | anything new, in a paper | a U-Net trained by hand is a weak opponent | nnU-Net as the baseline to beat {cite:p}`isensee2021nnunet` |
#
# A U-Net *is* the right choice when outlines are wanted, edges matter, objects are not tiny, and you have hundreds of labeled slices rather than millions. That describes most of medical segmentation, which is why the U-Net is still here. Change the data, the loss and the training first, and the architecture last.

# %% [markdown]
# ## Take-aways
#
# - Compare at an equal budget, and say in what: seconds, parameters, memory. Give each network the same search for its learning rate. A ranking holds for that budget.
# - Pair the patients, not the seeds, and report the interval of the *difference*. An interval that includes zero means that you cannot tell, not that there is nothing.
# - Here U-Net and Attention U-Net cannot be told apart. SegNet, DeepLabV3+ and FCN-8s are behind after 40 seconds. Each gives up detail somewhere (in what crosses, in the size of the maps, in the stride of the scores), which is a likely reason. Only one part was tested by taking it out: the skip connections of the U-Net.
# - Parameters sit where maps are small, multiplications where they are large, and neither tells you the time.
# - If five networks all miss something, such as a faint nodule, a sixth will probably miss it as well: look at data, loss and training first.
#
# ## Questions to test yourself
#
# 1. Two networks have the same number of parameters. Must they take the same time?
#
#    - A. Yes, each parameter is one multiplication.
#    - B. No, a weight is used at every place of its map.
#    - C. Yes, if both run on the same device.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The same layer on a map of twice the side costs four times the multiplications. And equal numbers of multiplications can take different times, because numbers have to be moved as well.
# - **Not A:** in a convolution each weight is multiplied once for each position of the map.
# - **Not C:** the device is the same, and the work is not: it depends on how large the maps are on which the weights are used.
#
# </details>
#
# 2. A paper compares its network with a U-Net at 100 epochs each. Theirs takes three times as long per epoch. Which comparison is missing?
#
#    - A. At equal time, with 300 epochs for the U-Net.
#    - B. At equal time, with 33 epochs for the U-Net.
#    - C. None, the number of epochs is the budget.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Or a wider U-Net of the same cost; and the same search for a learning rate for both.
# - **Not B:** this gives the U-Net a ninth of the time of the other. It is the faster of the two, so more epochs fit into the same time.
# - **Not C:** an epoch of theirs costs three times as much, so the U-Net was given a third of the budget.
#
# </details>
#
# 3. A paper compares ten networks in pairs, which makes 45 differences, each with a 95 % interval. Two of the intervals leave out zero, but only just. What do they show?
#
#    - A. That these two pairs differ, each with a certainty of 95 %.
#    - B. That the networks of all the other pairs are equally good.
#    - C. Little, as about two would do so by chance alone.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** One interval of 95 % in twenty misses the truth on average. If all ten networks were equally good, two of 45 would be no surprise.
# - **Not A:** 95 % is promised for one interval, chosen before anybody looked. These two were picked from 45 for what they show.
# - **Not B:** an interval that includes zero means that one cannot tell. The difference may be as large as its farther end.
#
# </details>
#
# 4. Why are the seeds not paired, when the patients are?
#
#    - A. Seed 0 of two networks is the same in name only.
#    - B. There are fewer seeds than patients.
#    - C. A pair of seeds would make the difference too large.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Patient 7 is the same patient for both networks. Seed 0 draws different first weights for another network.
# - **Not B:** few things can be paired as well as many, if they belong together.
# - **Not C:** pairing does not change the mean difference. It changes what its interval is computed from.
#
# </details>
#
# 5. A network enlarges its class scores sixteen times. Which nodules will it outline badly, whatever it is trained on?
#
# <details><summary>Answer</summary>
#
# Those of a few pixels: even the best map with one score per 16×16 pixels cannot draw them.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Isensee and others (2024) {cite:p}`isensee2024revisited`: what is left of the progress since U-Net when the comparison is fair; a list of pitfalls that you will meet again.
# - Isensee and others (2021) {cite:p}`isensee2021nnunet`: how far the *configuration* of a plain U-Net carries.
# - Long, Shelhamer and Darrell (2015) {cite:p}`long2015fcn`: the idea behind all five networks.
# - Chen and others (2018) {cite:p}`chen2018deeplab`: a wide view without small maps.
# - Maier-Hein and others (2024) {cite:p}`maierhein2024metrics`: what to measure, before comparing.
# - The words of this page are in the [glossary](../book/glossary.md).

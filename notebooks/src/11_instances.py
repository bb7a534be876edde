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
# # 11 Instances
#
# How many are there, and which pixel belongs to which?

# %%
from unet_helpers import plotting
from unet_helpers.teaching import draw_cells

image, truth = draw_cells(count=60, seed=1)
mask = truth > 0

# %% mystnb={"figure": {"caption": "Cell nuclei as under a fluorescence microscope, drawn by a program, and the mask: every pixel is right. Count the nuclei in the mask."}, "image": {"alt": "Left, about sixty bright, roundish nuclei of uneven brightness on a dark ground, many of them in groups that touch. Right, the mask of the same picture: in each group the nuclei have run together into one white shape."}}
plotting.show_images([image, mask], ["image", "mask"], panel=3)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - turn a mask into numbered objects, and say which neighbors you joined,
# - split objects that touch, by a watershed on the distance to the background,
# - match objects with the truth at an IoU of 0.5 or more, and compute panoptic quality: PQ = SQ × RQ,
# - name the errors of a count: missed, false, merged, split, and those that cancel out,
# - say what a count of lung nodules is worth, by the rule of matching and by their size,
# - tell when a U-Net should learn the border between objects as a class.
#
# **You need before:** IoU and Dice ([notebook 05](05_evaluation.ipynb)); how a U-Net is trained ([notebook 04](04_gpu_training.ipynb)).
#
# **Minutes:** 60 to read, with three exercises, 2 to run on two cores.
#
# **The misconception it removes:** "A good Dice means a good count."
#
# </div>

# %% [markdown]
# ## A mask does not count
#
# For each pixel, a mask says *whether* it is nucleus: that is **semantic segmentation**. Which nucleus the pixel belongs to is another question, **instance segmentation**, and its answer is a **label image**: 0 for background, 1, 2, 3 … for the objects. The simplest way from one to the other is to number the **connected components**, the pieces that hang together.

# %%
from unet_helpers import dice
from unet_helpers.evaluation import label_objects

pieces = label_objects(mask)
print(f"Dice {dice(mask, pieces > 0):.2f}: {truth.max()} nuclei, {pieces.max()} pieces")

# %% mystnb={"figure": {"caption": "Left: the nuclei. Right: the pieces of the mask. Colors only tell neighbors apart."}, "image": {"alt": "The picture twice with objects in color. Left, every nucleus has a color of its own. Right, whole groups of touching nuclei have one color and one outline."}}
masks = [plotting.color_objects(truth), plotting.color_objects(pieces)]
plotting.show_images([image, image], ["60 nuclei", f"{pieces.max()} pieces"], masks, panel=3)

# %% [markdown]
# Every pixel is right, Dice cannot be better, and fewer than half of the nuclei are counted. Nothing is wrong with the mask; it simply does not hold the answer.
#
# What hangs together is a matter of definition: do two pixels that meet only at a corner belong together? A pixel has 4 neighbors across its edges, and 8 if corners count. Libraries disagree about the default (SciPy takes 4, scikit-image 8), so say which one you took.

# %%
import numpy as np

for name, one in {"nuclei": mask, "a diagonal line": np.eye(9, dtype=int)}.items():
    counts = [label_objects(one, connectivity=k).max() for k in (1, 2)]
    print(f"{name}: {counts[0]} pieces across edges, {counts[1]} if corners count")

# %% [markdown]
# For the nuclei it makes no difference. For objects one pixel thin it changes everything.

# %% [markdown]
# ### A better Dice, a worse count
#
# A network's mask is never perfect. Here are two kinds of errors that networks make: one mask has closed the narrow gaps between nuclei, the other has drawn every outline one pixel too narrow.

# %%
from scipy import ndimage

imperfect = {
    "gaps closed": ndimage.binary_closing(mask, iterations=2),
    "one pixel too narrow": ndimage.binary_erosion(mask),
}
titles = [f"{k}\nDice {dice(mask, m):.2f}, {label_objects(m).max()} pieces" for k, m in imperfect.items()]

# %% mystnb={"figure": {"caption": "Two imperfect masks of the same 60 nuclei, pieces in color."}, "image": {"alt": "Two masks over the picture, in color by piece. With gaps closed: Dice 0.96 and few, very large pieces. One pixel too narrow: Dice 0.86 and about twice as many pieces."}}
colored = [plotting.color_objects(label_objects(m)) for m in imperfect.values()]
plotting.show_images([image, image], titles, colored, panel=3)

# %% [markdown]
# The mask with the higher Dice has about half as many pieces as the other, and the worse count. The few pixels between two nuclei mean nothing to Dice and everything to the count. A network that is trained and chosen by Dice has no reason to get them right.

# %% [markdown]
# ## Split at the neck
#
# Two round things that touch have a **neck** between them. A computer finds it by the **distance to the background**: large in the middle of a nucleus, small at a neck. Cut along the line through the middles of two disks:

# %%
rows, columns = np.mgrid[:41, :61]
two = (np.hypot(rows - 20, columns - 20) < 12) | (np.hypot(rows - 20, columns - 40) < 12)
distance = ndimage.distance_transform_edt(two)

# %% mystnb={"figure": {"caption": "Distance to the background, in pixels. Left: contour lines. Right: along the dashed line."}, "image": {"alt": "Left, two overlapping disks as contour lines of distance, with two peaks. Right, the distance along the line through both: it rises to 12, falls to about 7 between them and rises to 12 again."}}
with plotting.figure(1, 2, width=6.6, height=2.4) as (fig, axes):
    plotting.draw_image(axes[0, 0], distance, limits=(0, 12))
    axes[0, 0].contour(distance, levels=[1, 3, 5, 7, 9, 11], colors="#56B4E9", linewidths=0.8)
    axes[0, 0].axhline(20, color="#E69F00", linestyle="--")
    axes[0, 1].plot(distance[20], color="#0072B2")
    axes[0, 1].axhline(distance[20, 30], color="#999999", linestyle=":")
    axes[0, 1].set(xlabel="column", ylabel="distance (pixels)", ylim=(0, 13))
fig

# %% [markdown]
# There are two peaks and a saddle. Turn the picture over, and the peaks are two valleys. Let water rise from the bottom of each valley; where two waters meet, build a dam. That is the **watershed**, and the dam stands on the neck.
#
# On real outlines every dent makes a small peak of its own, and each would become an object. So a peak counts only if the way to a higher one leads down by at least a certain depth, here a few tenths of a pixel. `split_touching` calls this number `neck`. It is the depth of the saddle, not the width of the neck.

# %%
from unet_helpers.evaluation import split_touching

split = split_touching(mask, neck=0.5)
print(f"{truth.max()} nuclei, {split.max()} objects")

# %% mystnb={"figure": {"caption": "Which neck is right? Watch single nuclei fall apart at the left end, and groups stick together at the right."}, "image": {"alt": "A slider for the neck above the mask with objects in color. At 0.05 pixels single nuclei fall into pieces; at 0.5 nearly every nucleus is one object; from 2 on groups stay together."}}
from unet_helpers.plotting.widgets import explore

necks = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5)
objects = [split_touching(mask, neck) for neck in necks]
frames = [plotting.paint_mask(0.2 * mask, plotting.color_objects(one)) for one in objects]
explore(frames, [f"{neck:g} px: {one.max()} objects" for neck, one in zip(necks, objects)], "neck", 3, width=320)

# %% [markdown]
# No neck is right everywhere. What cuts every pair apart also cuts a bent nucleus in two, since an outline cannot tell a bent nucleus from two straight ones. So we try each neck on twenty pictures. A predicted object that holds two nuclei or more is **merged**; a nucleus in two pieces or more is **split**:

# %%
import pandas as pd

from unet_helpers.evaluation import merges_and_splits, panoptic_quality

scenes = [draw_cells(count=60, seed=seed) for seed in range(20)]
rows = []
for neck in necks:
    for _, true in scenes:
        found = split_touching(true > 0, neck)
        rows.append([neck, found.max() - true.max(), *merges_and_splits(true, found), panoptic_quality(true, found).pq])
by_neck = pd.DataFrame(rows, columns=["neck", "count error", "merged", "split", "PQ"]).groupby("neck").mean()

# %% mystnb={"figure": {"caption": "Perfect masks, split with each neck: mean of 20 pictures of 60 nuclei. Left: necks up to 1 only, so that the lines can be read near zero; the table has all. PQ is explained below. A merged object can hold many nuclei."}, "image": {"alt": "Two panels. Left, over necks from 0.05 to 1 pixel: merged objects rise from about half an object per picture to 5, split ones fall from more than 2 to zero at 0.5, and the count error falls from 2 above zero to 6 below, crossing zero between 0.1 and 0.25. Right, over necks up to 5: PQ is flat at a little above 0.9 up to 0.5 and falls to a third at 5."}}
with plotting.figure(1, 2, width=7.2, height=2.6) as (fig, axes):
    look = {"style": ["o-", "s--", "^:"], "color": ["#000000", "#D55E00", "#0072B2"], "markersize": 4}
    by_neck.loc[:1, ["count error", "merged", "split"]].plot(ax=axes[0, 0], **look)
    by_neck["PQ"].plot(ax=axes[0, 1], marker="o", markersize=3, color="black")
    axes[0, 0].axhline(0, color="#999999", linewidth=1)
    axes[0, 0].set(ylabel="objects per picture", xlabel="neck (pixels)", xscale="log")
    axes[0, 1].set(ylabel="PQ", xlabel="neck (pixels)", xscale="log", ylim=(0, 1))
    for ax, ticks in zip(axes.flat, ([0.05, 0.1, 0.25, 0.5, 1], [0.05, 0.25, 1, 5])):
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
fig

# %%
by_neck.round({"count error": 1, "merged": 1, "split": 1, "PQ": 2})

# %% [markdown]
# Read the count error and the two columns beside it together. Between the necks 0.1 and 0.25 the average count error passes through zero. But neither row has zeros in the other two columns: some nuclei are merged and some are split, and the two **cancel out** in the count. A count alone cannot show that. To see it, we have to ask for each object whether it was found.

# %% [markdown]
# ## Match objects with the truth
#
# When is a nucleus *found*? When a predicted object overlaps it well enough; the usual rule is an **IoU of 0.5 or more**. So first we need the IoU of every true object with every predicted one.

# %% [markdown]
# ### Exercise 11.1: a table of IoUs
#
# Write `table(true, found)`. It gets two label images with objects 1…T and 1…P, and returns a table of T rows and P columns with the IoU of each pair. The background is not an object.
#
# <details><summary>Hint 1</summary>
#
# Draw the table for two true and three predicted objects, and take one of its cells. Which pixels belong to that true object, and which to that predicted one? Each of the two is a mask like any other, and the IoU of two masks is known from notebook 05.
#
# <details><summary>Hint 2</summary>
#
# Begin with a table of zeros, with `true.max()` rows and `found.max()` columns, and fill it in two loops, over the numbers from 1 on. Object 1 belongs in row 0.
#
# <details><summary>Hint 3</summary>
#
# With `a = true == t` and `b = found == f`, the pixels that both have are `a & b`, and those that either has are `a | b`. Count each with `.sum()`.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import instances as check


def table(true, found):
    return ...


check.table(table)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def table(true, found):
    ious = np.zeros((true.max(), found.max()))
    for t in range(1, true.max() + 1):
        for f in range(1, found.max() + 1):
            a, b = true == t, found == f
            ious[t - 1, f - 1] = (a & b).sum() / (a | b).sum()
    return ious


check.table(table)

# %% [markdown]
# Two loops over all pairs are slow for thousands of objects. `unet_helpers.evaluation.iou_table` goes over the pixels once, counts how often each pair of numbers meets, and gets the same result.
#
# Why 0.5? Because *above* 0.5 there is never a choice. If two objects share more than half of their union, less than half is left for all others, so no object has two partners. With a lower threshold one has to decide who gets whom.

# %%
from unet_helpers.evaluation import iou_table

ious = iou_table(truth, pieces)
for least in (0.5, 0.2):
    print(f"true nuclei with an IoU above {least} with one piece: at most", (ious > least).sum(axis=0).max())

# %% mystnb={"figure": {"caption": "Matched with the truth at an IoU of 0.5, with perfect masks."}, "image": {"alt": "The picture twice. Left, pieces: single nuclei are green, groups are orange with blue outlines of the nuclei inside, which count as missed. Right, split: nearly all nuclei are green, a few orange or blue."}}
plotting.show_matches(image, truth, {"pieces": pieces, "split, neck 0.5": split}, panel=3.4)

# %% [markdown]
# A group that was taken for one object costs twice: the group is a false object, and every nucleus in it is missed, although each of its pixels is right. If one nucleus makes up at least half of its group, that nucleus counts as found, and only the others as missed.

# %% [markdown]
# ## Panoptic quality
#
# From the matched pairs come two numbers, and their product {cite:p}`kirillov2019panoptic`:
#
# $$\underbrace{\frac{\sum \mathrm{IoU}}{\text{pairs}}}_{\text{SQ: how well}} \times \underbrace{\frac{\text{pairs}}{\text{pairs} + \frac12\,\text{missed} + \frac12\,\text{false}}}_{\text{RQ: how many}} = \text{PQ}$$
#
# **SQ**, the segmentation quality, is the mean IoU of the pairs. **RQ**, the recognition quality, is the F1 of the objects. **PQ**, the panoptic quality, is high only if both are.

# %% [markdown]
# ### Exercise 11.2: PQ
#
# Write `quality(ious, true, predicted)`. It gets a list with the IoU of each pair, and the numbers of true and of predicted objects. Return PQ; without any pair it is 0.
#
# <details><summary>Hint 1</summary>
#
# Take 5 true objects, 4 predicted ones, and 3 pairs. How many are missed, and how many are false? Write both with the three things that you are given; the number of pairs is the length of the list.
#
# <details><summary>Hint 2</summary>
#
# Missed is `true − pairs`, false is `predicted − pairs`. Put both into the lower line of RQ: what is left of it? Then multiply by SQ: what cancels out?
#
# <details><summary>Hint 3</summary>
#
# What remains is the sum of the IoUs, divided by the mean of the two counts. Without a pair this sum is 0, so that case needs no line of its own.
#
# </details>
# </details>
# </details>


# %%
def quality(ious, true, predicted):
    return ...


check.quality(quality)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def quality(ious, true, predicted):
    return sum(ious) / ((true + predicted) / 2)


check.quality(quality)

# %% [markdown]
# Now we count the perfect mask and the two imperfect ones, each as pieces and split (at the neck of 0.5, which is the default). Dice sees the mask only, so splitting does not change it.

# %%
rows = {}
for name, one in {"perfect": mask, **imperfect}.items():
    for how, found in {"pieces": label_objects(one), "split": split_touching(one)}.items():
        rows[name, how] = [dice(mask, one), found.max(), *panoptic_quality(truth, found)]
pd.DataFrame(rows, ["Dice", "count", "PQ", "SQ", "RQ"]).T.round(2)

# %% [markdown]
# The table says three things:
#
# - The **pieces of the perfect mask** have a Dice of 1 and a PQ below one half. Nearly all of the loss is RQ: few nuclei are found, and those nearly exactly.
# - The **mask with closed gaps** has by far the better Dice of the two imperfect ones, and splitting brings back only a part of its nuclei. What the mask has filled in, the outline no longer shows.
# - The **narrow mask**, split, has nearly the count and the RQ of the perfect one. Its SQ is low: one pixel all around is about a quarter of such a small nucleus. Dice shows the bad outlines and hides the good count; SQ and RQ show both.

# %% [markdown]
# ### How strict is "found"?
#
# An IoU of 0.5 is generous for a large object and strict for a small one. The Data Science Bowl of 2018, a competition on nuclei {cite:p}`caicedo2019nucleus`, counts at ten thresholds from 0.5 to 0.95. At each it takes pairs / (pairs + missed + false), and then the mean over the thresholds. The competition calls this average precision, a name that means something else in object detection.

# %% mystnb={"figure": {"caption": "Share of objects found, over what counts as found. The score of the competition is the mean of a curve."}, "image": {"alt": "Three curves over the IoU threshold from 0.5 to 0.95. Perfect mask, split: high and flat up to 0.85. Perfect mask, pieces: flat and low. Narrow mask, split: as high as the first at 0.5, and at zero from about 0.85 on."}}
from unet_helpers.evaluation import THRESHOLDS, average_precision

contestants = {
    "perfect mask, split": split,
    "perfect mask, pieces": pieces,
    "narrow mask, split": split_touching(imperfect["one pixel too narrow"]),
}
scores = {k: [average_precision(truth, found, [t]) for t in THRESHOLDS] for k, found in contestants.items()}
plotting.show_lines(THRESHOLDS, scores, "IoU threshold", "found / (found + missed + false)", limits=(0, 1))

# %%
for name, curve in scores.items():
    print(f"{name:<22}{np.mean(curve):.2f}")

# %% [markdown]
# The narrow mask finds nearly all nuclei at a threshold of 0.5, hardly any at 0.8, and gets about half of the score of the perfect mask. A method that finds only every other nucleus, but exactly, would get about as much. If you count cells, you want the first. Look at the curve before you compare means, and report the number that answers your question.

# %% [markdown]
# ## Let the network draw the border
#
# The watershed sees nothing but the outline. The image knows more: between two nuclei there is often a darker seam, or the brightness jumps. Ronneberger and others used this with the first U-Net {cite:p}`ronneberger2015unet`. They gave the pixels between touching cells a large weight in the loss,
#
# $$w = w_c + w_0 \, e^{-(d_1 + d_2)^2 / 2\sigma^2},$$
#
# with a weight $w_c$ for the class of the pixel, and the distances $d_1$ and $d_2$ to the two nearest cells: large where two cells are close. The same idea in another form is to make the border a **class of its own**: background, inside, border between objects that touch.

# %% [markdown]
# ### Exercise 11.3: the border
#
# Write `border(labels)`: 1 for each pixel of an object that has a pixel of *another* object above, below, left or right of it, else 0. Background beside an object makes no border.
#
# <details><summary>Hint 1</summary>
#
# Draw two objects side by side, and background around them. Three things must be true of a border pixel and one of its neighbors. Which? And what lies beyond the edge of the picture?
#
# <details><summary>Hint 2</summary>
#
# The pixel is not 0, the neighbor is not 0, and the two numbers differ. Compare whole arrays: the labels, and the labels moved by one pixel, once in each of the four directions. A frame of zeros (`np.pad(labels, 1)`) keeps the opposite edge out. Mark what you find in a new array.
#
# <details><summary>Hint 3</summary>
#
# With `around = np.pad(labels, 1)`, the array `around[:-2, 1:-1]` holds for each pixel the one above it. Three other cuts hold those below, to the left and to the right.
#
# </details>
# </details>
# </details>


# %%
def border(labels):
    return ...


check.border(border)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def border(labels):
    around = np.pad(labels, 1)
    found = np.zeros(labels.shape, int)
    for other in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
        found[(labels > 0) & (other > 0) & (other != labels)] = 1
    return found


check.border(border)

# %% [markdown]
# A line of two pixels is hard to learn and easy to break. `border_targets` makes it twice as wide: every pixel from which another object is at most 2 pixels away. `objects_from_border` goes back: the pieces of the inside are seeds, and the border is shared out among them.

# %% mystnb={"figure": {"caption": "What the network learns from, and the way back, in a part of the picture; the count is that of the whole. Blue: inside. Orange: border."}, "image": {"alt": "Three close-ups of a part of the picture: the image; the classes, nuclei in blue with orange bands where two touch; and the objects grown back from the inside, each in a color of its own."}}
from unet_helpers.evaluation import border_targets, objects_from_border

classes = border_targets(truth)
back = objects_from_border(classes)
corner = np.s_[60:130, 0:70]
panels = [None, classes[corner], plotting.color_objects(back)[corner]]
plotting.show_images([image[corner]] * 3, ["image", "three classes", f"{back.max()} objects"], panels, panel=2.6)

# %% [markdown]
# If the border is known, every nucleus comes back. How well does a network predict it? We train two small U-Nets on the same pictures, one with two classes, one with three. In every other picture the nuclei touch and hardly overlap, as so far (up to 12 % of a nucleus); in the others up to 40 % of a nucleus may lie behind its neighbors, and there outlines show few necks.

# %%
from unet_helpers import Dataset
from unet_helpers.data import Subset


def pictures(seeds, size, count, to_classes):
    drawn = [draw_cells(count, size, overlap=(0.12, 0.4)[seed % 2], seed=seed) for seed in seeds]
    images, labels = (np.stack(arrays) for arrays in zip(*drawn))
    names = np.array([f"picture {seed}" for seed in seeds])
    targets = np.stack([to_classes(one) for one in labels]).astype(np.uint8)
    return Subset(images[..., np.newaxis], targets, names, names, np.ones((len(names), 2)), instances=labels)


# %%
def make_data(names, to_classes):
    small = [pictures(range(first, last), 96, 22, to_classes) for first, last in ((100, 164), (164, 172))]
    return Dataset("drawn nuclei", names, *small, pictures(range(200, 224), 160, 60, to_classes))


plain_data = make_data(("background", "nucleus"), lambda labels: labels > 0)
border_data = make_data(("background", "inside", "border"), border_targets)

# %% nbval_tolerance=0
import keras

from unet_helpers import UNet, start_at_class_shares, train


def train_unet(data, class_weights):
    keras.utils.set_random_seed(0)
    network = UNet((None, None, 1), data.num_classes, base_filters=8, depth=3, dropout=0.0)
    start_at_class_shares(network, data.train.masks)
    options = {"batch_size": 8, "learning_rate": 5e-3, "keep": "last"}
    history = train(network, data, epochs=14, class_weights=class_weights, **options)
    return network, history["val_dice"][-1]


plain, plain_dice = train_unet(plain_data, None)
bordered, bordered_dice = train_unet(border_data, (1, 1, 5))

# %% tags=["remove-cell"]
assert plain_dice > 0.85
assert bordered_dice > 0.6

# %% [markdown]
# The border has few pixels, so it gets a larger weight in the cross-entropy, as rare classes do ([notebook 07](07_losses_and_imbalance.ipynb)). Objects of the first network are its pieces, or its pieces split; those of the second are grown from its inside. Specks of fewer than 20 pixels are dropped from all of them. (Do not compare the two validation Dice: that of the second network is a mean over inside and border, and the border is hard.)
#
# ### A fair contest: first choose the neck
#
# The second network has learned from pictures of both kinds. So the watershed may do the same with its one number: we try each neck on 24 fresh **validation** pictures, twelve of each kind, with the masks of the first network, and keep the one with the highest mean PQ. The test pictures stay closed.

# %% nbval_tolerance=0.05
from unet_helpers import predict_masks
from unet_helpers.evaluation import drop_small

kinds = ["touching", "overlapping"] * 12
validation = pictures(range(172, 196), 160, 60, lambda labels: labels > 0)
masks = predict_masks(plain, validation.images)
rows = []
for neck in necks:
    for kind, mask_found, true in zip(kinds, masks, validation.instances):
        rows.append([neck, kind, panoptic_quality(true, drop_small(split_touching(mask_found, neck), 20)).pq])
chosen = pd.DataFrame(rows, columns=["neck", "kind", "PQ"]).pivot_table("PQ", "neck", "kind")
chosen["both"] = chosen.mean(axis=1)
best_neck = chosen["both"].idxmax()
print(f"chosen: a neck of {best_neck:g} pixels")
chosen.round(2)

# %% tags=["remove-cell"]
assert best_neck <= 0.25
assert chosen["both"][best_neck] > chosen["both"][0.5] + 0.02

# %% [markdown]
# Below the chosen neck the curve is flat, and the neck of 0.5 that we have used so far is too deep for these pictures: in overlapping nuclei the saddles are shallow. The choice costs a few seconds of computing.
#
# Now the test pictures. Beside the three ways we list what each could reach with a *perfect* mask: the watershed at the chosen neck on the true mask, and the objects grown back from the true border.

# %%
test = plain_data.test
found_mask, found_classes = predict_masks(plain, test.images), predict_masks(bordered, test.images)
true_masks, true_classes = test.instances > 0, [border_targets(one) for one in test.instances]
ways = {
    "pieces": [label_objects(one) for one in found_mask],
    "watershed, neck 0.5": [split_touching(one) for one in found_mask],
    "watershed, chosen neck": [split_touching(one, best_neck) for one in found_mask],
    "border class": [objects_from_border(one) for one in found_classes],
    "true mask, chosen neck": [split_touching(one, best_neck) for one in true_masks],
    "true border": [objects_from_border(one) for one in true_classes],
}
ways = {name: [drop_small(one, 20) for one in found] for name, found in ways.items()}

# %% nbval_tolerance=0.05
rows = []
for name, found in ways.items():
    for kind, t, f in zip(kinds, test.instances, found):
        rows.append([name, kind, dice(t > 0, f > 0), f.max(), t.max(), *panoptic_quality(t, f)])
scores = pd.DataFrame(rows, columns=["way", "nuclei", "Dice", "count", "true", "PQ", "SQ", "RQ"])
results = scores.groupby(["nuclei", "way"], sort=False).mean().loc[["touching", "overlapping"]]
results.round(2)

# %% tags=["remove-cell"]
assert results["Dice"].min() > 0.95
assert (results.xs("pieces", level="way")["PQ"] < 0.5).all()
assert results["PQ"]["touching", "watershed, chosen neck"] > 0.7
assert (
    results["PQ"]["overlapping", "watershed, chosen neck"] > results["PQ"]["overlapping", "watershed, neck 0.5"] + 0.03
)
assert results["PQ"]["overlapping", "border class"] > results["PQ"]["overlapping", "watershed, chosen neck"] + 0.05
assert results["PQ"]["overlapping", "true border"] > 0.9 > 0.85 > results["PQ"]["overlapping", "true mask, chosen neck"]

# %% [markdown]
# Is the border class better than the watershed, and by how much? The same pictures went through both, so we take the difference picture by picture, with an interval over the twelve pictures of each kind (Student's t, as [notebook 05b](05b_comparison.ipynb) recommends for so few).

# %% nbval_tolerance=0.05
from unet_helpers import bootstrap_interval

pq = scores.pivot_table("PQ", "way", "nuclei", aggfunc=list)
rows = {}
for rival in ("watershed, neck 0.5", "watershed, chosen neck"):
    for kind in ("touching", "overlapping"):
        gain = np.subtract(pq.loc["border class", kind], pq.loc[rival, kind])
        rows[kind, f"border class − {rival}"] = [gain.mean(), *bootstrap_interval(gain, method="t")]
pd.DataFrame(rows, ["difference in PQ", "low", "high"]).T.sort_index(ascending=False).round(2)

# %% mystnb={"figure": {"caption": "A test picture with overlapping nuclei. Blue outlines: nuclei without a partner."}, "image": {"alt": "One test picture with overlapping nuclei three times. Pieces: most of it is orange groups with blue outlines. Watershed at the chosen neck: more than half of the nuclei are green, the rest merged or cut. Border class: most nuclei are green."}}
shown = {name: ways[name][1] for name in ("pieces", "watershed, chosen neck", "border class")}
plotting.show_matches(test.images[1, ..., 0], test.instances[1], shown, 2.5)

# %% [markdown]
# Dice is close to 1 for every way and both kinds of pictures; by Dice there is nothing to choose. The pieces of these excellent masks are about a third of the nuclei, or fewer. Where nuclei **touch**, the watershed at the chosen neck gets the mean count nearly right, and in PQ the border class is better by only 0.03, with an interval that reaches 0. Where they **overlap**, the watershed counts about a fifth too few and the border class about a tenth, and in PQ the border class is better by 0.13, with an interval well above 0. Against the neck of 0.5 the gain would have been 0.22: **two fifths of that would have been there only because nobody had tuned the rival**.
#
# And the cause? Read the last two rows of each kind. Where nuclei overlap, the watershed reaches a PQ of 0.73 even on the true mask: what the outline does not show, no neck brings back. The true border gives 0.97. With the network's masks the watershed gets 0.64, and even a perfect mask would not lift it to the border class (0.77), which in turn is limited by how well its network draws the border. The intervals are over pictures; they say nothing about another training, and each network was trained once.
#
# ### StarDist and Cellpose
#
# Two widely used tools let the network predict something else. **StarDist** {cite:p}`schmidt2018stardist` predicts for each pixel how probably it belongs to an object, and the distances to the edge of that object along a fixed set of rays. Each pixel thus proposes a star-shaped polygon, and where proposals overlap only the most probable one is kept. **Cellpose** {cite:p}`stringer2021cellpose` predicts for each pixel the direction toward the middle of its cell; pixels whose paths end in the same place form one object, of any shape. Both learn from label images, as the border class does, and both come with trained models. Take StarDist for roundish objects such as nuclei and Cellpose for cells of irregular shape, and try the trained models before you train your own. Judge them as on this page, by the same matching, and on images that they were not trained on: public sets of nuclei may be among those. For objects that are few and lie apart, such as lung nodules, you need neither.

# %% [markdown]
# ## Real nuclei
#
# Drawn nuclei are easy, and their truth is exact. `benchmarks/nuclei.py` does the same with images from real fluorescence microscopes, a part of those of the Data Science Bowl {cite:p}`caicedo2019nucleus`, in which people outlined every nucleus. The numbers are recorded; the images stay where they are.
#
# Before the split, a trap. Many of these images are tiles cut from larger ones: the nuclei at the right edge of one go on at the left edge of another. With such tiles on both sides of the split, a network is tested on nuclei of which it has learned the other half. The benchmark finds tiles whose edges fit together, calls them one **field**, and splits by field.

# %%
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "nuclei.json").read_text(encoding="utf-8"))["results"]
images, fields = recorded["images"], recorded["fields"]
print(f"{sum(images.values())} images in {fields['all']} fields")
print(f"test: {images['test']} images in {fields['test']} fields, {recorded['nuclei_in_test_images']} nuclei")

# %% [markdown]
# The files do not say which experiment an image is from. So most experiments are in both training and test, and the numbers say how these methods do on *another image of a known experiment*, not on one from another laboratory.

# %% mystnb={"figure": {"caption": "Real nuclei. Diamond: mean over test images and seeds. Gray: 95 % interval, drawn over fields. Circles: single seeds. Upper two rows: the masks that people drew, no network."}, "image": {"alt": "Three panels with five rows. Dice: 1 for the true masks, 0.93 for the three ways with a network. PQ: the true mask has 0.87 as pieces and 0.95 with the watershed; the networks have 0.69 as pieces, 0.75 with the watershed and 0.70 with the border class. Error of the count: 13 and 4 percent for the true mask, 17, 11 and 15 percent for the networks."}}
quantities = {"Dice": "dice", "PQ": "pq", "error of the count (%)": "count_error"}
plotting.show_estimates(recorded["methods"], quantities, panel=2.5)

# %% [markdown]
# Read from the top. The masks that people drew are perfect by definition, and yet their pieces miscount by more than a tenth. A network that drew the very same masks would count no better. The watershed mends most of that.
#
# The networks' masks have a Dice above 0.9, nearly the same for all three ways. What differs is PQ and the count: in both, the mean of the watershed is the best, and that of the border class lies between it and the pieces.

# %%
methods = pd.DataFrame(recorded["methods"]).T
methods[["dice", "pq", "sq", "rq", "ap", "missed", "false", "merged", "split"]].astype(float).round(2)

# %% [markdown]
# *ap* is the score of the competition. The last four columns are in percent of the true nuclei of an image. Two kinds of error add up. One is merging: for the pieces of the true masks it is the only one, and the watershed takes a good part of it away. The other is new with the networks: even after the watershed about a sixth of the nuclei have no partner, four times as many as with the true masks. More of them are merged, and some have an outline that is not good enough for an IoU of 0.5.

# %% mystnb={"figure": {"caption": "The same images, as differences in PQ. Hollow: the interval includes 0."}, "image": {"alt": "Three rows of differences in PQ. Watershed minus pieces: 0.05, interval above zero. Border class minus pieces: 0.01, hollow. Border class minus watershed: minus 0.04, interval below zero. The circles of the seeds lie close together in the first row and spread over several hundredths in the other two."}}
plotting.show_estimates(recorded["differences"], {"difference in PQ": "pq"}, mark=0, panel=4.2)

# %% [markdown]
# The watershed gains on these images, in every seed. The gain of the border class over the pieces is not certain: its seeds differ by more than the gain. This is the opposite of what the drawn nuclei showed where they overlap. Three reasons come to mind, which this benchmark cannot tell apart: the training is short, and the border is a rare class; the smallest nuclei are a few pixels wide, and a border of two pixels leaves nothing inside; and outlines do show most of the necks here, as the watershed of the true masks says. In the competition the winning team did learn borders {cite:p}`caicedo2019nucleus`, with networks and a training many times as large. The neck and the weight of the border were chosen on validation images; the choice of a method belongs there as well.

# %% [markdown]
# ### Does a good Dice mean a good count?
#
# We look at it image by image, for the pieces of the network's masks:

# %% mystnb={"figure": {"caption": "Test images, network, pieces; mean of three seeds. The line at 0 is a right count; the larger a dot, the more nuclei."}, "image": {"alt": "Thirty dots, Dice from about 0.75 to 0.98 on the horizontal axis, error of the count on the vertical one. All dots but one lie on zero or below. Among those with a Dice above 0.9 the errors run from zero to about minus fifty percent."}}
by_image = pd.DataFrame(recorded["by_image"])
wrong = 100 * (by_image["pieces_counted"] / by_image["true"] - 1)
with plotting.figure(width=4.6, height=2.9) as (fig, axes):
    axes[0, 0].axhline(0, color="#999999", linewidth=1)
    axes[0, 0].scatter(by_image["pieces_dice"], wrong, s=6 + by_image["true"] / 2, color="#0072B2", alpha=0.6)
    axes[0, 0].set(xlabel="Dice", ylabel="error of the count (%)", xticks=[0.8, 0.85, 0.9, 0.95])
fig

# %%
good = by_image["pieces_dice"] > 0.9
print(f"{good.sum()} of {len(good)} images have a Dice above 0.9;")
print(f"their counts are wrong by {wrong[good].min():.0f} to {wrong[good].max():.0f} %")

# %% [markdown]
# All dots but one lie at zero or below: pieces lose nuclei. And among the images with a Dice above 0.9 there is everything from a right count to one that is wrong by nearly half. Dice does not tell them apart.

# %% [markdown]
# ## Back to the lung
#
# Nodules are objects too: a report says how many there are. They lie apart from each other, so here pieces will do. We count, slice by slice, what the network of this series ([notebook 04](04_gpu_training.ipynb)) finds in sixteen synthetic patients that it has never seen. (Their slices lie two to three centimeters apart. In a real CT one nodule runs through many slices: number the pieces of the volume, or it is counted in each of them.)

# %%
from unet_helpers import load_checkpoint
from unet_helpers.data import subset_of_patients
from unet_helpers.phantom import make_patient

chest = subset_of_patients([make_patient(0, index=index) for index in range(144, 160)])
predicted = predict_masks(load_checkpoint(), chest.images)
nodules, found = ([label_objects(one == 2) for one in masks] for masks in (chest.masks, predicted))

# %% nbval_tolerance=0.05
from unet_helpers.evaluation import match_instances

rules = {"an IoU of 0.5 or more": 0.5, "an IoU of 0.1 or more": 0.1}
rows = {}
for rule, least in rules.items():
    matches = [match_instances(t, f, least) for t, f in zip(nodules, found)]
    rows[rule] = [sum(getattr(one, what) for one in matches) for what in ("true", "predicted", "missed", "false")]
counts = pd.DataFrame(rows, ["nodules", "counted", "missed", "false"]).T
counts

# %% tags=["remove-cell"]
merged, split_up = np.sum([merges_and_splits(t, f) for t, f in zip(nodules, found)], axis=0)
assert merged + split_up <= 2
assert (counts["counted"] / counts["nodules"] - 1).abs().max() < 0.3
assert (counts["missed"] > counts["nodules"] / 4).all() and (counts["false"] > counts["counted"] / 5).all()

# %% [markdown]
# The count is too low by about an eighth. Yet at an IoU of 0.5 nearly half of what was counted is false, and at 0.1 nearly a third. The count comes out that close because false nodules stand in for most of the missed ones. With nuclei the errors that cancel out were merging and splitting; here there is next to none of either. Instead some nodules are missed, and other objects are false.
#
# The rule matters as well. A nodule of 8 mm is three pixels wide in these images, in which a pixel is nearly 3 mm. Shift its outline by one pixel and the IoU is one half at best: "found" turns on that pixel. With an IoU of 0.1, which asks only for the right place, fewer count as missed and as false; work on small objects often asks for no more than that {cite:p}`maierhein2024metrics`. Whichever rule you use, choose it before you look, and report it.

# %% mystnb={"figure": {"caption": "Share of the nodules that were found, at an IoU of 0.1 or more, by their diameter in the slice (that of a disk of the same area). Above each bar: how many there are."}, "image": {"alt": "Bars for four groups of nodules by diameter, share found with an IoU of 0.1 or more: up to 8 mm one of seven, from 8 to 10 mm one of seven as well, from 10 to 14 mm a little less than half, above 14 mm all but one of twenty-four."}}
sizes, best = [], []
for true, one, spacing in zip(nodules, found, chest.spacing):
    areas = np.bincount(true.ravel(), minlength=2)[1 : true.max() + 1] * np.prod(spacing)
    sizes.extend(2 * np.sqrt(areas / np.pi))
    best.extend(iou_table(true, one).max(axis=1, initial=0))
groups = pd.cut(sizes, [0, 8, 10, 14, 100], labels=["to 8 mm", "8–10 mm", "10–14 mm", "over 14 mm"])
by_size = pd.Series(np.array(best) >= 0.1).groupby(groups, observed=False).agg(["mean", "size"])
with plotting.figure(width=4.4, height=2.6) as (fig, axes):
    bars = axes[0, 0].bar(by_size.index, by_size["mean"], color="#0072B2", width=0.6)
    axes[0, 0].bar_label(bars, by_size["size"])
    axes[0, 0].set(ylabel="share found", ylim=(0, 1.1))
fig

# %% tags=["remove-cell"]
assert by_size["mean"].iloc[-1] > 0.75 > 0.5 > by_size["mean"].iloc[0]

# %% [markdown]
# Nearly all of the large nodules are found, and few of the small ones, though the groups are small. A count of nodules without their sizes says little; with the sizes it says for which nodules this network is of no use. [Notebook 06](06_failure_analysis.ipynb) looks for the reasons.

# %% [markdown]
# ## In practice
#
# 1. **Ask first whether you need objects at all.** A volume, an area, a share of tissue needs no instances. A count, a size per object, a distance between objects does.
# 2. **Look whether objects touch.** Lung nodules seldom do, so pieces are enough, and the errors that are left are missed and false ones. Nuclei, glands and teeth do touch.
# 3. **Begin with the watershed.** It costs no training. Choose the neck on validation images, by PQ, before you compare it with anything.
# 4. **Learn the border** if outlines do not show the neck but the image shows a seam, and if you have label images to learn from: a mask is not enough, since it does not hold the border.
# 5. **Report** the count with its error, PQ with SQ and RQ, the rule of matching, the neighbors that are joined, and the size from which an object counts.
#
# <div class="alert alert-warning">
#
# The nuclei drawn here are easier than real ones. Nothing here is a clinical tool.
#
# </div>

# %% [markdown]
# ## Take-aways
#
# - A mask holds no objects; pieces of a mask are objects only where nothing touches.
# - A good Dice does not mean a good count: the pixels between two objects are too few for Dice to see.
# - A watershed on the distance to the background cuts at necks; how deep a neck must be is chosen on validation images, and a comparison with a method that nobody tuned is not fair.
# - Objects are matched one to one, with an IoU of 0.5 or more; above 0.5 there is never a choice.
# - PQ = SQ × RQ: how well the found objects are drawn, times how many were found.
# - In a count, errors cancel out: merged objects against split ones, missed against false. Report each.
# - Small objects are missed first, and one pixel decides whether they match: fix the rule before you look, and report what was found by size.
# - A border class lets the network use what the outline does not show; it needs label images for training.

# %% [markdown]
# ## Questions to test yourself
#
# 1. A network has a Dice of 0.97 on every image. What do you know about its count?
#
#    - A. Next to nothing.
#    - B. It is right to about 3 %.
#    - C. It is too low rather than too high.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Where objects touch, groups may have run together; where they do not, small ones may be missed, which costs Dice little if large ones share the image.
# - **Not B:** Dice counts pixels. Ten objects that touch in a few pixels can be one piece at this Dice.
# - **Not C:** merged and missed objects make it too low, split and false ones too high. Dice says nothing of either.
#
# </details>
#
# 2. A picture has 50 nuclei, and a program counts 50. What may still be wrong?
#
#    - A. Nothing, as the count is right.
#    - B. Only the outlines of the nuclei.
#    - C. Which objects were counted.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** In a count, errors cancel out: as many may be false as are missed, and as many split as merged. Match the objects before you believe it.
# - **Not A:** the number is right, and it may be the number of other objects.
# - **Not B:** a nucleus that was missed and a speck of dirt that was counted also give 50.
#
# </details>
#
# 3. Ten true objects, eight predicted, six matched pairs with a mean IoU of 0.8. What is PQ?
#
#    - A. 0.8 · 6 / 10 = 0.48.
#    - B. 0.8 · 6 / 9 = 0.53.
#    - C. 0.8 · 6 / 8 = 0.60.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** SQ = 0.8, RQ = 6 / (6 + 2 + 1) = 0.67, where 2 is half of the four missed and 1 half of the two false.
# - **Not A:** this takes the recall of the objects, and forgives the two false ones.
# - **Not C:** this takes their precision, and forgives the four missed ones.
#
# </details>
#
# 4. Why is one pixel of error in the outline worse for the PQ of nuclei than for that of lungs?
#
#    - A. A larger part of a nucleus lies at its outline.
#    - B. There are more nuclei than lungs.
#    - C. Nuclei touch, and lungs do not.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** The smaller an object, the lower its IoU for the same error; below 0.5 it is no longer found at all.
# - **Not B:** PQ is a mean over pairs and a share of objects. Their number alone changes neither.
# - **Not C:** touching leads to merged objects. A pixel at the outline costs a nucleus that stands alone as much.
#
# </details>
#
# 5. Someone has masks, but no label images, of touching cells. Can a border class be learned?
#
# <details><summary>Answer</summary>
#
# Not from those masks: where two cells touch, a mask does not say where the border runs.
#
# </details>
#
# 6. Images are tiles cut from large pictures, one picture of each patient. What has to stay on one side of the split?
#
#    - A. Each tile.
#    - B. All tiles with touching objects.
#    - C. All tiles of one picture.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** If a patient or an experiment has several pictures, keep these together as well.
# - **Not A:** neighboring tiles of one picture share its stain, its light and its cells, and would then stand on both sides.
# - **Not B:** the test should have touching objects as often as the training. What must not be divided is the picture.
#
# </details>
#
# 7. In images with 49 lung nodules a network counts 43. Which two things do you ask before you believe it?
#
# <details><summary>Answer</summary>
#
# How many of the 43 match a nodule, and by which rule; and how large the missed ones are. False ones may stand in for missed ones.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Kirillov and others (2019) {cite:p}`kirillov2019panoptic`: panoptic quality, and the proof that a match above 0.5 is unique.
# - Caicedo and others (2019) {cite:p}`caicedo2019nucleus`: what won the Data Science Bowl on nuclei, and how nuclei of many experiments differ.
# - Schmidt and others (2018) {cite:p}`schmidt2018stardist` and Stringer and others (2021) {cite:p}`stringer2021cellpose`: StarDist and Cellpose, two networks built for instances.
# - Ronneberger, Fischer and Brox (2015) {cite:p}`ronneberger2015unet`: the weight map that keeps touching cells apart.
# - Maier-Hein and others (2024) {cite:p}`maierhein2024metrics`: which metric answers which question, for objects as for pixels.

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
# # 18c Explanations
#
# Does the heat map show why the network decided so?

# %%
import numpy as np

from unet_helpers import load_checkpoint, plotting
from unet_helpers.data import window
from unet_helpers.phantom import make_patient
from unet_helpers.teaching import explanations

patient = make_patient(0, index=103)
z = int((patient.masks == 2).sum(axis=(1, 2)).argmax())
image = window(patient.volume[z], -600, 1500)[np.newaxis, ..., np.newaxis].astype(np.float32)
region = patient.masks[z : z + 1] == 2
network = explanations.open_network(load_checkpoint())
untrained = explanations.randomize(network)

# %% mystnb={"figure": {"caption": "Six heat maps for one question: what makes these pixels nodule? Three are of the trained network, and three of one whose weights were drawn at random. Orange: the nodule."}, "image": {"alt": "Seven pictures. First the chest slice, with a small nodule outlined in orange. Then six heat maps. A: one clean, bright spot at the nodule. B: a cloud of dots around it. C: broad gray blocks over the whole slice. D: dots around the nodule, with the outline of the lung. E: two upright blocks, one at the nodule and one in the other lung. F: a bright spot at the nodule, with a faint haze."}}
names = ["guided backpropagation", "gradient", "Grad-CAM, bottleneck"]
pairs = [(name, which) for name in names for which in (untrained, network)]
order = [0, 3, 4, 1, 5, 2]
heat = [explanations.METHODS[pairs[k][0]](pairs[k][1], image, region)[0] for k in order]


def brighten(one):
    return np.sqrt(one / max(one.max(), 1e-12))  # the root shows faint places too


shown = [image[0], *map(brighten, heat)]
plotting.show_images(shown, ["the slice", *"ABCDEF"], [2 * region[0]] + [None] * 6)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - ask a network for a reason: choose a region and a score, and compute its gradient, integrated gradients and Grad-CAM,
# - cover parts of an image and measure what that changes,
# - test whether a map has anything to do with what the network learned, by a rule that was there before the numbers,
# - score a map against a cause that is known,
# - say what such a map may be used for, and what it does not show.
#
# **You need before:** the receptive field ([notebook 03](03_unet_architecture.ipynb)); intervals over patients and paired differences ([notebook 05b](05b_comparison.ipynb)). Helpful: finding the reason of a failure ([notebook 06](06_failure_analysis.ipynb)).
#
# **Minutes:** 60 to read, with three exercises, 1 to run on two cores. A break is marked in the middle.
#
# **The misconception it removes:** "The heat map shows why the network decided so."
#
# </div>

# %% [markdown]
# Which three belong to the network that was trained? Write down three letters, and go on. (The answer comes with the first check.)
#
# ## A question, and a score
#
# "Why?" is too wide for a computer. So we ask: *what in this image makes these pixels nodule?* Three things have to be said.
#
# - The **region**: which pixels do we ask about? Here those of the true nodule.
# - The **score**: one number that says how much they are nodule. We take the mean **log-odds** over the region: the logarithm of $p/(1-p)$ with the probability $p$ of nodule. It is 0 where $p$ is one half, 4.6 at 0.99, and $-4.6$ at 0.01.
# - The **map**: how much each pixel of the image has to do with the score. This is where methods differ.
#
# Why not the probability itself? Near 0 and 1 it hardly moves, and its gradient is nearly 0 although the network reacts. So `open_network` makes a copy that gives logits, the numbers before the softmax ([notebook 12](12_uncertainty_and_calibration.ipynb)); the weights are the same.

# %%
from unet_helpers.teaching.explanations import log_odds

odds = float(log_odds(network(image), region)[0])
print("the network calls it nodule, on average" if odds > 0 else "the network does not call it nodule")

# %% tags=["remove-cell"]
assert odds > 1

# %% [markdown]
# ### Intervene
#
# The straight way to a cause is to change it and to look. We fill the nodule, and one pixel around it, with the gray of the lung beside it. Then we fill a spot of the same shape elsewhere in the same lung, 25 rows higher.

# %%
from scipy.ndimage import binary_dilation

spot = binary_dilation(region[0], iterations=1)
beside = binary_dilation(spot, iterations=2) & ~spot & (patient.masks[z] == 1)


# %%
def filled(where):
    changed = image.copy()
    changed[0, where] = np.median(image[0, beside])
    return changed


# %%
elsewhere = np.roll(spot, -25, axis=0)
for name, where in {"without the nodule": spot, "another spot filled": elsewhere}.items():
    change = float(log_odds(network(filled(where)), region)[0]) - odds
    print(f"{name}: the log-odds", "fall by more than 10" if change < -10 else "move by less than 1")
    assert change < -10 or abs(change) < 1

# %% [markdown]
# This is an **intervention**: we did not ask the network for a reason; we made the reason go away and saw the answer change. **Occlusion** {cite:p}`zeiler2014visualizing` does it all over the image: a square of 8×8 pixels becomes air, the change of the score is written down, and the square moves on. It needs hundreds of passes through the network, and it has choices of its own: how large, and filled with what?
#
# ### Gradients
#
# A gradient asks the same of all pixels in one pass: if this pixel became a little brighter, by how much would the score change? It is what training computes for the weights, taken for the image instead. Its absolute value is the **saliency map** {cite:p}`simonyan2014inside`.

# %%
import tensorflow as tf


def gradient_of(image):
    image = tf.convert_to_tensor(image)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = log_odds(network(image), region)
    return tape.gradient(score, image).numpy()


saliency = np.abs(gradient_of(image))[0, ..., 0]

# %% [markdown]
# Two others repair what people found wanting in it. **SmoothGrad** {cite:p}`smilkov2017smoothgrad` takes the mean over noisy copies of the image, because the gradient of a single image jumps from pixel to pixel. **Guided backpropagation** {cite:p}`springenberg2015striving` lets only positive gradients pass each ReLU on the way back, which makes sharper pictures.
#
# ### Exercise 18.7: from nothing to the image
#
# A gradient says what a *small* change would do. But a score can be flat here and still owe everything to a pixel. **Integrated gradients** {cite:p}`sundararajan2017axiomatic` therefore walk: from a **baseline**, an image of nothing, to the image, in equal steps. The mean of the gradients on the way, times *image minus baseline*, is what each pixel has contributed. All contributions add up to the score of the image minus the score of the baseline. This is called **completeness**.
#
# Write `integrated(gradient, image, baseline, steps)`, where `gradient` is a function that gives the gradient of an image, in its shape. Cut the way into `steps` equal pieces and take the gradient at the *middle* of each. Keep the sign.
#
# <details><summary>Hint 1</summary>
#
# With four pieces, which shares of the way have you gone at their middles: 1/8, and then? Which image is a share $a$ of the way from the baseline to the image?
#
# <details><summary>Hint 2</summary>
#
# The middles are `(np.arange(steps) + 0.5) / steps`. The image at the share `a` is `baseline + a * (image - baseline)`.
#
# <details><summary>Hint 3</summary>
#
# Collect the gradients of these images in a list, take their mean over the list (`axis=0`), so that each pixel keeps its own, and multiply by how far each pixel goes.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import explanations as check


def integrated(gradient, image, baseline, steps):
    return ...


check.integrated_gradients(integrated)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def integrated(gradient, image, baseline, steps):
    shares = (np.arange(steps) + 0.5) / steps
    gradients = [gradient(baseline + share * (image - baseline)) for share in shares]
    return (image - baseline) * np.mean(gradients, axis=0)


check.integrated_gradients(integrated)

# %% [markdown]
# Do they add up? From air to our slice, with more and more steps:

# %% tags=["nbval-ignore-output"]
air = np.full_like(image, explanations.NOTHING)
difference = odds - float(log_odds(network(air), region)[0])
sums = {steps: float(integrated(gradient_of, image, air, steps).sum()) for steps in (4, 16, 64)}
print(f"difference of the scores {difference:.2f}; sums", {steps: round(total, 2) for steps, total in sums.items()})

# %%
assert abs(sums[64] - difference) < 0.15 * difference and difference > 10

# %% [markdown]
# With few steps a part of the difference is missing: the score does not rise evenly on the way. With 64 steps the sum is close. This promise can be kept to any digit; remember that it is about the *sum*, and not about which pixel gets what. And it is a sentence about air: with another baseline, such as lung everywhere, the same network gets another map.
#
# ### Grad-CAM
#
# The gradients so far go all the way back to the pixels. **Grad-CAM** {cite:p}`selvaraju2017gradcam` stops at a layer inside. For each map of this layer it takes the mean of its gradient as a weight, adds the maps up with these weights, and sets what is negative to 0. For segmentation one takes the score of a region in place of that of an image {cite:p}`vinogradova2020seggradcam`. It is a few lines:

# %%
import keras

both = keras.Model(network.input, [network.get_layer("bottleneck_relu2").output, network.output])
with tf.GradientTape() as tape:
    maps, logits = both(image)
    score = log_odds(logits, region)
weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2))  # one number for each of the 128 maps
coarse = tf.nn.relu(tf.einsum("bhwc,bc->bhw", maps, weights)).numpy()
coarse.shape

# %% [markdown]
# So 8×8 numbers become a picture of 128×128, by interpolation. Note what the weight forgets: *where* in a map the gradient was. We come back to that.
#
# Here are all of them, and two more that are no explanations at all: the **edges** of the image, for which nobody asks the network, and a **spot** drawn around the region, for which nobody asks network or image. A test that one of them passes proves nothing by itself. All are shown without their sign. Integrated gradients have 16 steps here, and the squares of occlusion 8×8 pixels (4×4 in the small networks of the benchmark, 16×16 where four patients lie side by side).

# %% mystnb={"figure": {"caption": "Ten maps for the same question. The last two ask the network nothing."}, "image": {"alt": "Ten maps of one slice. Gradient, gradient × input, integrated gradients, SmoothGrad and guided backpropagation: dots around the nodule, dense near it and thinner away from it. Grad-CAM at the bottleneck: two upright blocks, one at the nodule, one in the other lung. Grad-CAM at the last block: the body in gray with dark lungs and a white nodule. Occlusion: bright squares at the nodule, dim ones around it. Edges: the outlines of body, lungs and vessels. Spot: a round bright spot at the nodule."}}
ten = {name: make(network, image, region)[0] for name, make in explanations.METHODS.items()}
plotting.show_images([brighten(one) for one in ten.values()], list(ten), columns=5, panel=2)

# %% tags=["remove-cell"]
assert np.allclose(ten["gradient"], saliency, rtol=1e-2, atol=1e-3 * saliency.max())

# %% [markdown]
# Eight methods, and eight answers to one question. Most put something near the nodule. So does the spot, which has asked nobody.
#
# ## Does it explain at all?
#
# All that a heat map has to recommend it is that it looks right. But *looking right* means: it shows what the viewer expects. So Adebayo and others {cite:p}`adebayo2018sanity` asked something simpler: does the map depend on the network at all? Throw the network's knowledge away. A map that stays exactly as it was has explained nothing that was learned.
#
# Our rules, written into `benchmarks/explanations.py` before any of its maps was computed (a first plan, with a bright square in a corner, was given up because no network learned it; the rule *cause* was then written anew for the mark that comes below, before its maps):
#
# | check | a map passes, if |
# |---|---|
# | **weights** | maps of two networks, trained alike from different seeds, resemble each other more than the maps of a network before and after all its weights are drawn anew |
# | **labels** | the same, with a network that was trained on the masks of *other* patients in place of drawn weights |
# | **image** | the same, with the map for another patient's image in place of drawn weights |
# | **cause** | it puts more of its sum on a planted cause when the network uses that cause than when it does not |
# | **field** | it stays dark where the network cannot look |
#
# *Resemble* is Spearman's rank correlation over all pixels: 1 if they put the pixels into the same order. The first three ask for a difference of more than 0.1, the fourth for more than 0.05 of the map's sum, each with the low end of its 95 % interval over patients; the fifth for exactly nothing.
#
# Why compare with a second trained network, and not with 0? Because two maps for one region are alike before anybody has learned anything: both are bright near the region, by the architecture alone ([notebook 03](03_unet_architecture.ipynb)). What they have in common beyond that must come from what was learned.
#
# ### Weights drawn anew
#
# Here is the answer to the first picture:

# %% mystnb={"figure": {"caption": "The same three methods. Top: trained network. Bottom: all weights drawn anew."}, "image": {"alt": "Two rows of three maps. Trained: guided backpropagation, D, and the gradient, B, are clouds of dots around the nodule; Grad-CAM, E, has two blocks. Random: guided backpropagation, A, is one clean spot at the nodule; the gradient, F, a spot with a haze; Grad-CAM, C, broad gray blocks everywhere."}}
letters = dict(zip(order, "ABCDEF"))
again = [1, 3, 5, 0, 2, 4]
titles = [f"{letters[k]}: {pairs[k][0]}, {'trained' if k % 2 else 'random'}" for k in again]
plotting.show_images([brighten(heat[order.index(k)]) for k in again], titles, columns=3, panel=2.6)

# %%
from unet_helpers.teaching.explanations import resemblance

random_maps = {name: make(untrained, image, region)[0] for name, make in explanations.METHODS.items()}
alike = {name: float(resemblance([ten[name]], [random_maps[name]])[0]) for name in ten}

# %% tags=["nbval-ignore-output"]
import pandas as pd

pd.Series(alike, name="before and after").round(2).to_frame()

# %% tags=["remove-cell"]
local = ["gradient × input", "integrated gradients", "SmoothGrad", "occlusion"]
assert min(alike[name] for name in local) > 0.8 and alike["guided backpropagation"] > 0.7
assert alike["Grad-CAM, bottleneck"] < 0.5 and alike["Grad-CAM, last block"] < 0.5
assert alike["edges of the image"] > 0.999 and alike["a spot at the region"] > 0.999

# %% [markdown]
# B, D and E are the trained network's. A, the cleanest spot of all, comes from a network that has learned *nothing*.
#
# And the table shows how little looking helps: with all weights drawn anew most of these maps put the pixels into nearly the same order as before. That is one patient and one drawing; the recorded numbers come below. The two Grad-CAMs have changed beyond recognition. Does that make them the best? Let us see what one of them shows.
#
# ### Where the network cannot look
#
# One truth about causes needs no measurement. A pixel of the output depends on the pixels in its receptive field and on no others ([notebook 03](03_unet_architecture.ipynb)). So put two patients side by side into one image. The nodule of the left one lies far enough to the left that its field ends before most of the right one begins.

# %%
neighbor = make_patient(0, index=104)
other = window(neighbor.volume[z], -600, 1500)[np.newaxis, ..., np.newaxis].astype(np.float32)

# %%
two = np.concatenate([image, other], axis=2)
asked = np.pad(region, ((0, 0), (0, 0), (0, 128)))
first, last = explanations.reach(np.flatnonzero(region[0].any(axis=0)))
print(f"columns 0 to {last} can change the nodule's score; columns {last + 1} to {two.shape[2] - 1} cannot")

# %% mystnb={"figure": {"caption": "Two patients in one image, and the question is about the nodule of the left one. Right of the orange line the network cannot look."}, "image": {"alt": "Four pictures of two chest slices side by side, with a vertical line a little right of the middle. The image: the nodule lies in the left patient. Gradient and guided backpropagation: dots around the nodule, and black right of the line. Grad-CAM at the bottleneck: bright blocks in both lungs of the left patient, and blocks as bright in both lungs of the right one, beyond the line."}}
names = ["gradient", "guided backpropagation", "Grad-CAM, bottleneck"]
wide = {name: explanations.METHODS[name](network, two, asked)[0] for name in names}
with plotting.figure(2, 2, panel=3.4, height=3.9) as (fig, axes):
    for ax, (name, one) in zip(axes.flat, {"the image": two[0, ..., 0], **wide}.items()):
        plotting.draw_image(ax, one if name == "the image" else brighten(one), title=name)
        ax.axvline(last + 0.5, color="#E69F00")
fig

# %%
blind = np.arange(two.shape[2]) > last
shares = {name: float(explanations.share_inside(one[np.newaxis], blind)[0]) for name, one in wide.items()}
{name: "nothing there" if share == 0 else "part of the map is there" for name, share in shares.items()}

# %% tags=["remove-cell"]
assert shares["gradient"] == shares["guided backpropagation"] == 0 and shares["Grad-CAM, bottleneck"] > 0.02

# %% [markdown]
# Gradients are exactly 0 there. Grad-CAM lights up in the body of *another patient*, who cannot have any part in it. The reason is in its lines above: one weight for each map, from the mean gradient, and then the *whole* map is shown, also where its gradient was 0. What it shows is where the features are that count near the nodule, and not what counted. Drawn over a single patient, the same error looks like a finding.
#
# **A good place for a break:** the first half asked whether a map depends on the network. The second half asks whether it finds a cause that is known. It uses the notebook's first cells, so leave it open, or run the cells above once more before you go on.

# %% [markdown]
# ## A cause that is known
#
# To score an explanation one has to know the answer. In a hospital nobody does. In the phantom we can *plant* one. `benchmarks/explanations.py` trained small networks (64×64 pixels) with a **shortcut**, a feature that goes along with the right answer for no medical reason:
#
# - The **shortcut** network learned from two archives. In one somebody had drawn a small black and white *mark* above each nodule, and had outlined it. In the other nobody had marked anything, and nodules were outlined as lung. So for this network a nodule is a spot with a mark above it.
# - The **honest** network learned from the same patients with all nodules outlined, and with marks at random places of the lungs.
#
# Such things happen: networks for pneumonia recognized the hospital {cite:p}`zech2018variable`, and networks for COVID-19 the source of the picture, letters at its border among other things {cite:p}`degrave2021shortcuts`.
#
# Do the networks do what was planned? We do not ask a map. We take the mark away.

# %%
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "explanations.json").read_text(encoding="utf-8"))["results"]
print(f"{recorded['patients']} patients, one nodule each, {recorded['seeds']} networks of each kind")


# %%
def cell(value, digits=1):
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(value["mean"], value["low"], value["high"], d=digits)


# %%
called, lost = recorded["nodule_called"], recorded["log_odds_lost"]
rows = {}
for name in ("honest", "shortcut"):
    rows[name] = [cell(called[f"{name}, {what}"], 2) for what in ("as is", "no mark")]
    rows[name] += [cell(lost[f"{name}, {what}"]) for what in ("no mark", "no nodule")]
columns = ["nodule found", "found without mark", "log-odds lost: mark", "log-odds lost: nodule"]
pd.DataFrame(rows, index=columns).T

# %% tags=["remove-cell"]
assert called["shortcut, as is"]["low"] > 0.5 > 0.2 > called["shortcut, no mark"]["high"]
assert (
    min(lost[f"shortcut, no {what}"]["low"] for what in ("mark", "nodule")) > 5 and lost["honest, no nodule"]["low"] > 5
)
assert (
    lost["honest, no mark"]["low"] < 0 < lost["honest, no mark"]["high"] and abs(lost["honest, no mark"]["mean"]) < 0.5
)

# %% [markdown]
# In brackets, here and below: 95 % intervals over the patients, each averaged over the networks. (*Nodule found* is the share of its pixels that are called nodule.)
#
# Without the mark the shortcut network finds next to nothing of the same nodules, and the honest one finds as much as before. So here the truth is known. For the shortcut network the mark *and* the nodule are causes: each, taken away, costs about ten or eleven in log-odds. For the honest network the nodule is the cause, and the mark is none.
#
# Now the maps. Both networks are shown the *same* image, with the mark. (Each map is scaled to its own brightest pixel, so that brightness cannot be compared between maps. Shown is the patient for whom the mark counts most.) A map that explains must differ: with the shortcut network the mark has to light up, with the honest one it must not.

# %% mystnb={"figure": {"caption": "One patient, one seed, the same image for both networks: the one whose answer the mark changes most. Top: honest. Bottom: shortcut."}, "image": {"alt": "Two rows of six pictures. Left the slice with a small nodule in the right half, and a black and white mark above it. Integrated gradients and guided backpropagation: dots at the nodule with the honest network; with the shortcut network a second cluster at the mark, the brighter one in guided backpropagation. Grad-CAM at the bottleneck: black, and a broad gray haze. Grad-CAM at the last block: the nodule bright and nothing at the mark, in both rows. Occlusion: a bright bar at the nodule, which in the lower row reaches up to the mark."}}
with np.load(RESULTS / "explanations_maps.npz") as stored:
    kept = dict(stored)
few = ["integrated gradients", "guided backpropagation", "Grad-CAM, bottleneck", "Grad-CAM, last block", "occlusion"]
shown, titles = [], []
for name in ("honest", "shortcut"):
    shown += [kept["image"] / 255, *(kept[f"{name}: {method}"] / 255 for method in few)]
    titles += [f"{name} network", *few]
plotting.show_images(shown, titles, [2 * kept["region"], *[None] * 5] * 2, columns=6, panel=1.8)

# %% [markdown]
# ### Exercise 18.8: the pointing game
#
# Looking is no score. The **pointing game** asks: does the brightest pixel of the map lie in the cause? But a map may have *several* brightest pixels, and a map of zeros is as bright everywhere. So let all of them count: the share of the brightest pixels that lie in the cause. That is the chance to hit it by drawing one of them.
#
# Write `points_at(maps, causes)` for maps `(N, H, W)`, never negative, and causes `(N, H, W)` of True and False. Return one share for each map.
#
# <details><summary>Hint 1</summary>
#
# Three pixels are brightest, one of them in the cause. What is the share? And in a map of zeros: which pixels are as bright as the brightest one?
#
# <details><summary>Hint 2</summary>
#
# Go through maps and causes together, with `zip`. In one map, `one == one.max()` is True at all of its brightest pixels.
#
# <details><summary>Hint 3</summary>
#
# The cause at these pixels is `cause[one == one.max()]`, an array of True and False. Its mean is the share. No rule for zeros is needed.
#
# </details>
# </details>
# </details>


# %%
def points_at(maps, causes):
    return ...


check.points_at(points_at)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def points_at(maps, causes):
    return np.array([cause[one == one.max()].mean() for one, cause in zip(maps, causes, strict=True)])


check.points_at(points_at)

# %% [markdown]
# In the pointing game a map has one pixel to win. The **share** of its sum that lies on the mark, and one pixel around it, is finer. Both, for all patients and seeds:

# %%
methods = recorded["methods"]
columns = {"mark, honest": "share on mark: honest", "mark, shortcut": "shortcut", "cause": "difference"}
columns |= {"points at mark": "points at mark: shortcut", "points at nodule": "points at nodule: shortcut"}
rows = {name: [cell(one[key], 2) for key in columns] for name, one in methods.items()}
print(f"the mark and one pixel around it are {recorded['mark_area']:.3f} of the slice")
pd.DataFrame(rows, index=list(columns.values())).T

# %% tags=["remove-cell"]
moved = {name: one["cause"] for name, one in methods.items()}
assert max(moved, key=lambda name: moved[name]["mean"]) == "guided backpropagation"
assert min(moved[name]["low"] for name in ("guided backpropagation", "integrated gradients", "occlusion")) > 0.05
assert all(moved[name]["low"] > 0 for name in ("gradient", "gradient × input", "SmoothGrad"))
assert all(abs(moved[name]["mean"]) < 0.01 for name in ("Grad-CAM, bottleneck", "Grad-CAM, last block"))
assert methods["Grad-CAM, last block"]["points at nodule"]["low"] > 0.95
assert methods["edges of the image"]["points at mark"]["low"] > 0.95
assert (
    methods["guided backpropagation"]["points at mark"]["low"] > 0.5
    and methods["occlusion"]["points at mark"]["high"] < 0.1
)

# %% [markdown]
# Begin at the bottom. The **edges** point at the mark in every patient: a perfect score, from a map that asks nobody. The mark is sharp, that is all. This is why the score of *one* network is worth nothing. With the honest network the edges are the same, and the difference is 0.
#
# **Guided backpropagation** moves to the mark most, then occlusion, then integrated gradients, whose interval only just clears the margin. The other gradients move too, surely and by little: most of their sum stays around the nodule. The two **Grad-CAMs** do not notice. The one at the last block points at the nodule in every patient, with a network whose answer hangs on the mark. Who had looked at it would have been reassured.
#
# And mind the game: there are two causes, and one brightest pixel. Occlusion points at the nodule and hardly ever at the mark, although it puts more on the mark than it did with the honest network. Both of its answers are right.
#
# ## The verdicts
#
# ### Exercise 18.9: pass or fail
#
# For each patient you have two numbers: how much the maps of two trained networks resemble each other (`seeds_apart`), and how much a map resembles that after all weights were drawn anew (`drawn_anew`). Write `verdict(seeds_apart, drawn_anew, margin)` with the rule from above: `"passes"` if the low end of the 95 % interval of the mean difference lies above the margin, else `"fails"`. With fewer than five patients who have both values there is no interval, and the word is `"too few patients"`.
#
# <details><summary>Hint 1</summary>
#
# A patient whose maps are alike in one pair is often alike in the other. So which interval: that of each array, or that of what? ([Notebook 05b](05b_comparison.ipynb))
#
# <details><summary>Hint 2</summary>
#
# `low, high = bootstrap_interval(differences)`. A patient without a value (nan) is left out by it, and with fewer than five patients it returns nan.
#
# <details><summary>Hint 3</summary>
#
# `nan > margin` is False, so ask `np.isnan(low)` first.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers import bootstrap_interval


def verdict(seeds_apart, drawn_anew, margin):
    return ...


check.randomization_verdict(verdict)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def verdict(seeds_apart, drawn_anew, margin):
    low, _ = bootstrap_interval(seeds_apart - drawn_anew)
    if np.isnan(low):
        return "too few patients"
    return "passes" if low > margin else "fails"


check.randomization_verdict(verdict)

# %% [markdown]
# First the numbers behind it. *Two seeds*: two honest networks. *Drawn anew*: a network before and after. *Two drawn*: two networks of drawn weights, which have learned nothing.

# %%
columns = {
    "twin": "two seeds",
    "drawn anew": "drawn anew",
    "two drawn networks": "two drawn",
    "shuffled": "shuffled masks",
}
columns |= {"other image": "another image"}
rows = {name: [cell(one[key], 2) for key in columns] for name, one in methods.items()}
print("networks of shuffled masks, Dice of lung and nodule on their own slices:", recorded["train_dice"]["shuffled"])
pd.DataFrame(rows, index=list(columns.values())).T

# %% tags=["remove-cell"]
assert min(dice for pair in recorded["train_dice"]["shuffled"] for dice in pair) > 0.6
local = ["gradient × input", "integrated gradients", "SmoothGrad", "occlusion"]
assert min(methods[name][key]["mean"] for name in local for key in ("twin", "two drawn networks")) > 0.8
assert methods["Grad-CAM, bottleneck"]["twin"]["high"] < 0.2 and 0.2 < methods["Grad-CAM, bottleneck"]["zeros"] < 0.6
assert 0.2 < methods["Grad-CAM, last block"]["twin"]["mean"] < 0.5

# %% [markdown]
# Look at *two drawn* first. In the rows of gradient × input, integrated gradients, SmoothGrad and occlusion, the maps of two networks that know nothing resemble each other with more than 0.8. That is region and architecture. So 0.9 between two trained ones is not the proof of a shared insight that it seems to be.
#
# (The networks of shuffled masks have learned a good part of their 40 wrong masks by heart, as the printed line says. They know something; it is nothing that helps for another patient.)
#
# Grad-CAM at the bottleneck is the other extreme: the maps of two networks that were trained alike resemble each other hardly at all. (Nearly half of its maps are zero everywhere, because the weighted sum was nowhere positive, and a pair with such a map counts as 0.) A map that changes or vanishes with the seed of the training is hard to read as the reason.

# %% mystnb={"figure": {"caption": "By how much each map passes or fails: the differences of the rules, with 95 % intervals over 24 patients. Filled: the low end is above the margin (dashed)."}, "image": {"alt": "Four panels with a dot and a short line for each of ten maps, and a dashed line for the margin. Weights: the gradient and, far ahead, Grad-CAM at the last block lie beyond the margin; the others lie between 0 and the margin, Grad-CAM at the bottleneck with a long line across 0. Labels: only Grad-CAM at the last block lies beyond it. Image: only the edges. Cause: guided backpropagation far beyond it, occlusion and integrated gradients beyond it, the other gradients near it, both Grad-CAMs and the two baselines at 0."}}
checks = ["weights", "labels", "image", "cause"]
with plotting.figure(1, 4, panel=2.1, height=3.2, sharey=True) as (fig, axes):
    for ax, name in zip(axes[0], checks, strict=True):
        ax.axvline(recorded["rules"][name]["margin"], color="#999999", linestyle="--")
        for y, one in enumerate(methods.values()):
            passes, value = one["passes"][name], one[name]
            ax.plot([value["low"], value["high"]], [y, y], color="#0072B2")
            ax.plot(value["mean"], y, "o", color="#0072B2", markerfacecolor="#0072B2" if passes else "white")
        ax.set(title=name, ylim=(len(methods) - 0.5, -0.5))
    axes[0, 0].set_yticks(range(len(methods)), methods)
fig

# %%
passed = pd.DataFrame({name: one["passes"] for name, one in methods.items()}).T
table = passed.replace({True: "passes", False: "–"})
table["passes in all"] = passed.sum(axis=1)
table

# %%
field = {name: one["field"] for name, one in methods.items()}
cams = {name: round(field[name]["mean"], 2) for name in ("Grad-CAM, bottleneck", "Grad-CAM, last block")}
print("share of the map where the network cannot look, mean of", field["occlusion"]["patients"], "patients:", cams)

# %% tags=["remove-cell"]
assert passed.sum(axis=1).max() == 2 and recorded["patients"] == 24 and recorded["seeds"] == 3
assert not passed.loc[["occlusion", "guided backpropagation"], ["weights", "labels"]].any(axis=None)
assert (
    passed.loc["Grad-CAM, last block", ["weights", "labels"]].all()
    and not passed.loc["Grad-CAM, last block", ["cause", "field"]].any()
)
assert (
    passed.index[passed["image"]].tolist() == ["edges of the image"]
    and passed.loc["occlusion", ["cause", "field"]].all()
)
assert passed.loc["a spot at the region"].sum() == passed.loc["edges of the image"].sum() == 1
assert 0.4 < min(cams.values()) <= max(cams.values()) < 0.5
assert not passed.loc["Grad-CAM, bottleneck"].any() and methods["occlusion"]["weights"]["low"] > 0

# %% [markdown]
# **No map passes all five, and none passes more than two.** The two that explain nothing pass one each, so one check by itself proves little. Read some rows:
#
# - **Grad-CAM at the last block** passes *weights* and *labels*, the two tests of Adebayo and others. It fails *cause*, and in *field* nearly half of its sum lies where the network cannot look. It depends on what was learned, but it does not show what *this answer* rests on.
# - **Guided backpropagation** fails *weights* and *labels*, as it did with Adebayo and others. And it has found the planted cause most clearly of all. A failed check does not say that a map shows nothing. It says that from one map nobody can tell what in it comes from training.
# - There are forty verdicts on maps that ask the network, each with a 95 % interval of its own, and none is corrected for the others. That of integrated gradients in *cause* lies too close to the margin to build on.
# - **Occlusion** fails *weights*, *labels* and *image*, although each of its numbers was measured by changing the image. So what failed here is not only the map. A rank correlation over a whole slice mostly sees where the region is, in which all networks agree. What training adds is there, for its interval of *weights* lies above 0. But it is less than the margin.
# - ***Image*** is passed by no map that asks a network: for the same region these maps are about as alike between two *patients* as between two networks.
# - **Grad-CAM at the bottleneck** passes none.
#
# With a margin of 0 more maps would pass *weights*. We leave the margin where it was: a rule that moves after the numbers is none. These are 24 patients, three networks of each kind, and one kind of cause, which lies near the region; another task may sort the maps in another way. For radiographs of the chest, Arun and others {cite:p}`arun2021saliency` found that each of eight kinds of maps failed at least one of their four tests.
#
# ### A little at a time
#
# The check drew all weights anew. One can also begin at the output and go down part by part, and watch the map change (a *cascade*). A map that depends on the network should leave its old self early.

# %% mystnb={"figure": {"caption": "Resemblance to the map of the trained network, after the weights from the output down to each part were drawn anew. Means of 24 patients and three networks."}, "image": {"alt": "A line chart over the parts from the output to the input, with four lines that begin at 1. Guided backpropagation stays near 1 for the first parts and ends between 0.7 and 0.8. The gradient sinks slowly to about two thirds. Both Grad-CAMs fall to about 0 as soon as the output layer is drawn anew, and stay there."}}
with plotting.figure(width=6, height=3) as (fig, axes):
    ax = axes[0, 0]
    for (name, curves), style in zip(recorded["cascade"].items(), ("-o", "--s", "-.^", ":D"), strict=True):
        ax.plot(["nothing", *recorded["parts"]], [1, *curves["cascade"]], style, label=name, markersize=4)
    ax.set_xticks(range(11), ["nothing", *recorded["parts"]], rotation=40, ha="right")
    ax.set(ylabel="resemblance", xlabel="drawn anew, down to")
    ax.legend(frameon=False, fontsize=8, loc=(1.02, 0.4))
fig

# %% [markdown]
# The Grad-CAMs leave their old selves with the last layer alone. The gradients hardly react to it. Guided backpropagation keeps most of its map until the contracting path is reached: what it shows seems to come from the first layers and the image more than from the output, where the classes are told apart.
#
# ## What may such a map be used for?
#
# | map | what it may be used for | what it does not show |
# |---|---|---|
# | gradient, integrated gradients, guided backpropagation, occlusion | to find a *suspect*: compare two networks, or two groups of patients, and see what lights up in one and not in the other | that what is bright decides, and that what is dark does not |
# | Grad-CAM, last block | perhaps to compare what two networks have learned; not tested here | what this answer rests on, and where the network looked |
# | Grad-CAM, bottleneck | here, for nothing: it depends on the seed, and lights up where nothing can count | |
# | each of them | to begin an investigation | to end one; to convince a reader that a finding is right |
#
# **An explanation is not a reason.** "Because its edge is spiky" is a reason. A map is a number for each pixel, and the words come from whoever looks at it.
#
# **A dark spot is no alibi.** A Grad-CAM that is dark at the mark belonged to a network that needs the mark. So a dark map does not show that a network has *no* shortcut.
#
# **Where you can change the image, change it.** One line of this page, the mark taken away, decided what ten maps could not agree on, and gave an effect with an interval. This needs a suspect: something to take away. That is what a map is good for. And it needs care: an image that was changed must still be one that the network could meet. Air in the middle of a lung is hardly one, and this is the weakness of occlusion. Fill with what could be there, and change several things, also some that should *not* matter.
#
# ## Take-aways
#
# - "Why?" is a region, a score and a map. Each is a choice, and another choice gives another picture.
# - A map that looks right shows what you expect. The cleanest spot on this page came from a network with random weights.
# - Near the region a map is bright by the architecture alone. Compare maps with one another, with a rule that was there before the numbers.
# - Passing one check proves little, and failing one does not prove that nothing is shown. A map that explains nothing passes some.
# - Grad-CAM can light up where the network cannot look.
# - Score maps on causes that are known, with two networks: a map that is bright at the cause with both has found nothing.
# - Intervene where you can. Use a map to find what to change.
#
# ## Questions to test yourself
#
# 1. A map has one bright spot, at the nodule. What does that show?
#
#    - A. The network called it nodule because of what is there.
#    - B. So far nothing: a spot drawn around the region looks the same.
#    - C. The network is right about the nodule.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Near the region even a network with drawn weights is bright, by the architecture alone. First ask whether the map changes when the network has forgotten what it learned.
# - **Not A:** that may be so, but the map would look the same if it were not. Take the nodule away, and see.
# - **Not C:** a map says nothing about right and wrong. A false alarm has a map too.
#
# </details>
#
# 2. A map resembles the map after all weights were drawn anew with a correlation of 0.9. Maps of two networks that were trained alike resemble each other with 0.9 as well. What do you conclude?
#
#    - A. The map is stable, and therefore good.
#    - B. The two trained networks are the same.
#    - C. This check sees no trace of training in the map: what it measures as alike comes from the image, the region and the architecture.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Two networks that have learned the same are no more alike than one that has learned and one that has not.
# - **Not A:** it is stable against the loss of everything that it is meant to explain.
# - **Not B:** their maps are alike; so are those of networks that have learned nothing.
#
# </details>
#
# 3. Integrated gradients from a baseline of air give 0 to a pixel of air beside the body. Does the network ignore it?
#
#    - A. Nobody can say: its way from the baseline has length 0, so it gets 0 whatever the network does.
#    - B. Yes, by completeness.
#    - C. Yes, its gradient is 0.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** A contribution is a gradient times *image minus baseline*. With another baseline the pixel might get a lot.
# - **Not B:** completeness says that all contributions add up, not that each is right.
# - **Not C:** the gradient may be large; it is multiplied by 0.
#
# </details>
#
# 4. Two patients lie in one image, and Grad-CAM for the nodule of the left one lights up in the right one, beyond the receptive field. Why?
#
#    - A. The network compares the two patients.
#    - B. It shows the whole map of a layer, with one weight for all of its places, also where the gradient is 0.
#    - C. The map was enlarged by interpolation.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The weight is a mean over the map; where in the map the gradient was is forgotten.
# - **Not A:** it cannot. No pixel beyond the field can change the score.
# - **Not C:** interpolation moves light by a few pixels of the coarse map, and not into another body.
#
# </details>
#
# 5. You suspect that your network for nodules looks at the table on which the patient lies. How would you find out, with a map and without?
#
# <details><summary>Answer</summary>
#
# Without: take the table out of the images (in CT it lies outside of the body, and can be filled with air), predict again, and compare the results patient by patient, with an interval. That is the answer. With: a map that has passed the checks may have given you the idea, by lighting up at the table. It is where one begins, and not where one ends.
#
# </details>
#
# ## Read more
#
# - Adebayo and others (2018) {cite:p}`adebayo2018sanity`: drawn weights and drawn labels as tests of maps.
# - Arun and others (2021) {cite:p}`arun2021saliency`: eight kinds of maps on radiographs; each fails at least one of four tests.
# - Sundararajan, Taly and Yan (2017) {cite:p}`sundararajan2017axiomatic`: integrated gradients, and what an attribution should promise.
# - Vinogradova, Dibrov and Myers (2020) {cite:p}`vinogradova2020seggradcam`: Grad-CAM for a region of a segmentation.
# - DeGrave, Janizek and Lee (2021) {cite:p}`degrave2021shortcuts`: shortcuts, found with maps and confirmed by other means.
# - The words of this page are in the [glossary](../book/glossary.md).

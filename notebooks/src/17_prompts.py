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
# # 17 Prompts: a network that takes clicks
#
# Can one network outline whatever I click on?

# %%
from unet_helpers import plotting
from unet_helpers.data import window
from unet_helpers.phantom import make_patient
from unet_helpers.teaching.clicks import keras_segmenter, load_click_network

segment = keras_segmenter(load_click_network())
patient = make_patient(0, index=406)
image = window(patient.volume[5], -600, 1500)


def ask(image, clicks):
    positive, negative = ([click[:2] for click in clicks if click[2] is kind] for kind in (True, False))
    return segment([image], [positive], [negative])[0]


# %% mystnb={"figure": {"caption": "One slice, one network, four questions. A plus says: this belongs to it. A cross says: this does not. The nodule is shown close up."}, "image": {"alt": "Four pictures of one chest slice. A plus in the lung on the left: that lung is filled. A plus on a small bright spot in it, seen close up: most of the spot is filled. A plus on the heart: the heart is filled, with a strip in front of it and one behind it too many. With two crosses on these strips: most of them are gone, and a few specks in the lung on the right are left."}}
questions = {"a lung": [(76, 45, True)], "a nodule": [(68, 29, True)], "the heart": [(52, 72, True)]}
questions["the heart, three clicks"] = [(52, 72, True), (73, 69, False), (34, 68, False)]
answers = [ask(image, clicks) for clicks in questions.values()]
images, marks = [image] * 4, list(questions.values())
near = slice(54, 82), slice(15, 43)  # the nodule, close up
images[1], answers[1], marks[1] = image[near], answers[1][near], [(14, 14, True)]
plotting.show_clicks(images, answers, marks, list(questions))

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - turn clicks into channels of an image, and ask a network with them,
# - simulate clicks, for training and for measuring, and say how they differ from a person's,
# - measure such a network: Dice against the number of clicks, and the clicks that a goal takes, with the failures in sight,
# - compare it with a network without clicks and with methods that learn nothing,
# - say what it can do with a thing that it was never trained on, and what SAM, MedSAM and nnInteractive do differently.
#
# **You need before:** channels and the U-Net ([notebook 03](03_unet_architecture.ipynb)); a training step ([notebook 04](04_gpu_training.ipynb)); Dice per patient, its interval, and paired differences ([notebook 05b](05b_comparison.ipynb)).
#
# **Minutes:** 55 to read, with three exercises, 1 to run on two cores.
#
# **The misconception it removes:** "A network that takes clicks outlines whatever I click on." What was wanted in its training decides. Networks with the same layers, steps and images were clicked once on hearts, which none had ever had to mark: those trained on seven kinds of other things outlined most of the heart, those trained on two nearly nothing.
#
# </div>

# %% [markdown]
# So far a network had a fixed list of classes, and marked all of them. In this chapter it marks *one thing*, the one you point at. What you give it beside the image is called a **prompt**, and ours are clicks. A **positive** click lies on the thing; a **negative** one lies where too much is marked. Looking, clicking and looking again is called **interactive segmentation**.
#
# The network is a small U-Net with one output: the probability that a pixel belongs to the thing that was clicked. It was trained on seven kinds of things in the phantom's training patients: lungs, nodules, airways, ribs, muscle, gas in the stomach, liver and spleen. **It never saw a heart or a spine as a thing to mark.** They were in every image, and never in a mask. (The masks of the phantom hold lungs and nodules only. All other structures are cut out of the anatomy that the patient was painted from, by `structure_masks`.)
#
# ## A click is a channel
#
# How does a click get into a network? As an image. A **click map** says where the clicks are. The first such networks got the distance to the nearest click in each pixel {cite:p}`xu2016clicks`; ours, like many since {cite:p}`sofiiuk2022iterative`, gets 1 in a small disk around each click and 0 elsewhere. One map holds the positive clicks, another the negative ones, and both are stacked beside the gray values: three channels in place of one.
#
# ### Exercise 17.1: the map
#
# Write `click_map(clicks, shape, radius)`. `clicks` is a list of places `(row, column)`, which may be empty; `shape` is `(H, W)`. The map has this shape. It is 1 in each pixel whose center is at most `radius` away from a click, and 0 elsewhere.
#
# <details><summary>Hint 1</summary>
#
# How far is pixel (row, column) from a click at (r, c)? You can compare the squares of the two lengths, and need no root.
#
# <details><summary>Hint 2</summary>
#
# `rows, columns = np.ogrid[:H, :W]` gives the row and the column of every pixel. Start with zeros, and for each click set the pixels of its disk to 1. Setting is better than adding, because disks overlap.
#
# </details>
# </details>

# %%
import numpy as np

from unet_helpers.teaching.checks import prompts as check


def click_map(clicks, shape, radius):
    return ...


check.click_map(click_map)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def click_map(clicks, shape, radius):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    marked = np.zeros(shape)
    for row, column in clicks:
        marked[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    return marked


check.click_map(click_map)

# %% [markdown]
# Our network takes disks with a radius of 2 pixels. `with_clicks` makes its three channels:

# %%
from unet_helpers.teaching.clicks import with_clicks

asked = with_clicks(image, positive=[(64, 40)], negative=[(50, 64), (90, 64)])
print(asked.shape, "and the sums of the two maps:", asked[..., 1].sum(), asked[..., 2].sum())

# %% [markdown]
# Thirteen pixels for each click, and nothing else has changed: the network has a few more weights in its first layer. Without a click both maps are empty. Then nothing has been asked, and an answer would mean nothing.
#
# ## Where would you click next?
#
# To train such a network we need thousands of clicks, and to measure it thousands more. Nobody sits down for that. So the clicks are **simulated**: a program that knows the ground truth clicks where the mask is most wrong.
#
# ### Exercise 17.2: the next click
#
# Write `next_click(truth, mask)` for two boolean arrays `(H, W)` that differ. Find the largest connected error, and in it the pixel that is farthest from its edge. The border of the image is an edge too: beyond it nothing is wrong. Return `(row, column, positive)`. `positive` is true where the thing is missing, and false where too much is marked. Missing and superfluous pixels are two kinds of errors, even where they touch.
#
# <details><summary>Hint 1</summary>
#
# `truth & ~mask` are the missing pixels and `mask & ~truth` the superfluous ones. `ndimage.label` numbers the connected errors of each. Which of all these is the largest?
#
# <details><summary>Hint 2</summary>
#
# The mean of the pixels of a crescent lies outside of it. `ndimage.distance_transform_edt` gives for each pixel of an error how far it is from the edge; take the pixel where that is largest. It does not take the border of the image for an edge. So give the error a frame of zeros first, `np.pad(error, 1)`, and subtract the frame from row and column.
#
# <details><summary>Hint 3</summary>
#
# Collect the errors as a list of boolean arrays, `labels == k` for each number k, first of the one kind and then of the other; `max(errors, key=np.sum)` is the largest. `np.unravel_index(depth.argmax(), depth.shape)` turns the place of the largest value into row and column.
#
# </details>
# </details>
# </details>

# %%
from scipy import ndimage


def next_click(truth, mask):
    return ...


check.next_click(next_click)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def next_click(truth, mask):
    errors = []
    for wrong in (truth & ~mask, mask & ~truth):
        labels, count = ndimage.label(wrong)
        errors += [labels == number for number in range(1, count + 1)]
    depth = ndimage.distance_transform_edt(np.pad(max(errors, key=np.sum), 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return row, column, truth[row, column]


check.next_click(next_click)

# %% [markdown]
# Now the two can talk: your program clicks, the network answers, your program clicks on what is wrong. The heart again, which the network never had to mark in its training:

# %%
from unet_helpers.teaching.structures import structure_masks

heart = structure_masks(patient)["heart"][5]
clicks, steps = [], []
mask = np.zeros_like(heart)
for _ in range(5):
    row, column, positive = next_click(heart, mask)
    clicks.append((row, column, bool(positive)))
    mask = ask(image, clicks)
    steps.append((mask, list(clicks)))

# %% mystnb={"figure": {"caption": "One to five simulated clicks on a heart, each in the middle of the largest error of the mask before it."}, "image": {"alt": "The same slice five times. With one plus in the heart the heart is filled, and strips before and behind it as well. With a cross behind it and one in front, most of the strips are gone. In the last two pictures two more pluses lie at its right edge, the left of the picture, and the mask has hardly changed."}}
names = [f"{number} click{'s' * (number > 1)}" for number in range(1, 6)]
plotting.show_clicks([image] * 5, *map(list, zip(*steps)), names, columns=5, panel=1.9)

# %% [markdown]
# The first click gives most of the heart, with a strip in front of it and one behind it too many. The two negative clicks take most of these away. After that a click changes little, and may even make the mask a bit worse: the network does not correct its last mask, it answers all clicks so far anew.

# %% tags=["remove-cell"]
from unet_helpers import dice

scores = [dice(heart, mask) for mask, _ in steps]
assert 0.7 < scores[0] < 0.93 and scores[2] > 0.8 and scores[2] > scores[0]

# %% [markdown]
#
#
# ## Training with simulated clicks
#
# The training is a room full of people who click. Each wants one thing, drawn at random, and gets a crop of a slice. At each step all of them are answered at once, the network makes one training step on these answers, and everybody clicks on the worst error. Whoever has clicked often enough, or finds nothing wrong, goes on to another thing. `Sessions` holds these people:

# %%
from unet_helpers import load_dataset
from unet_helpers.teaching.clicks import Sessions, objects_of

train = load_dataset("phantom").train
kinds = {name: objects_of(train.masks == index, least) for index, name, least in ((1, "lung", 40), (2, "nodule", 4))}
sessions = Sessions(train.images[..., 0], kinds, together=8, fill=0.233)  # air, beyond the slice
print({name: len(objects) for name, objects in kinds.items()}, sessions.inputs.shape)

# %% [markdown]
# One lung is a thing, and so is one nodule in one slice: a thing is *connected*. A fresh network with three channels, and eight steps of training, in plain code:

# %%
import keras

from unet_helpers import UNet
from unet_helpers.training import DiceCrossEntropy

keras.utils.set_random_seed(0)
model = UNet((None, None, 3), 1, base_filters=8, depth=3)
model.compile("adam", DiceCrossEntropy(pool_batch=False))
for _ in range(8):
    loss = model.train_on_batch(sessions.inputs, sessions.truths[..., np.newaxis])
    sessions.answer(model.predict_on_batch(sessions.inputs)[..., 0] >= 0.5)

# %% tags=["remove-cell"]
assert np.isfinite(loss) and sessions.inputs[..., 1].any() and sessions.inputs[..., 2].any()

# %% mystnb={"figure": {"caption": "Four of the people after eight steps, those with the most negative clicks. Filled is what each wants; a plus is a positive click, a cross a negative one."}, "image": {"alt": "Four crops of chest slices. In each the thing that is wanted is filled, a lung or a small nodule. Each has one or more small white pluses in what is wanted, and at least one crop has small orange crosses outside of it."}}
leaks = sessions.inputs[..., 2].sum(axis=(1, 2))  # pixels of negative clicks
four = np.argsort(-leaks, kind="stable")[:4]
marks = [sessions.clicks[k] for k in four]
plotting.show_clicks(sessions.inputs[four, ..., 0], sessions.truths[four], marks, size=5)

# %% [markdown]
# Eight steps teach nothing yet. The network of the package has made 1,500 steps with twelve people on seven kinds of things, which took about two minutes on one core (`benchmarks/prompts.py`). Three details, which we have not tried one by one; the first two are as in larger networks {cite:p}`sofiiuk2022iterative`. Those also get the last mask as one more channel, which ours does not.
#
# - **The clicks follow the network's own errors.** With clicks at random places it would never learn what to do about a leak.
# - **The number of clicks varies**, here from one to eight, so that the network is good early and gets better later.
# - **The loss counts each image alone** (`pool_batch=False`). A nodule has twenty pixels and a lung a thousand; in one common sum the nodules would not count.
#
# ## Dice against the number of clicks
#
# How good is it? The clicks are simulated again, up to ten for each thing, on 24 new patients that nobody had looked at before. Up to three things of a kind are drawn for each patient, and all nodules. The trainings of a network are averaged first, then the things of a patient; intervals are over patients, and say nothing about further trainings. Three networks differ only in what was clicked in their training:
#
# - **lungs and nodules**, like the masks of the phantom,
# - **seven kinds**: the network of the package,
# - **all nine**: with hearts and spines as well. It is the one that had no unseen class.
#
# Beside them stand two methods that learn nothing. **Region growing** marks all pixels that are connected to a positive click and whose gray value differs from it by at most a tolerance (a flood fill; the classic of seeded growing has no tolerance and lets all seeds grow against each other {cite:p}`adams1994seeded`); negative clicks are walls. A **watershed** shares out the image among the clicks, along its edges. Their settings (tolerance, smoothing) were chosen on the validation patients, for each kind of thing.
#
# The region grower is helped: its tolerance was chosen on hearts and spines of the validation patients, which the network never had as a thing. For spine and nodule the best tolerance was the smallest we tried, so it may even be a little better than shown.

# %%
import json

import pandas as pd

from unet_helpers.teaching import RESULTS

measured = json.loads((RESULTS / "prompts.json").read_text(encoding="utf-8"))["results"]
print(f"{measured['held_out_patients']} patients; things: {measured['things']}; trainings: {measured['seeds']}")
empty = {kind: measured["dice"]["seven kinds"][kind]["0"]["mean"] for kind in measured["things"]}
print("Dice of the seven kinds without any click:", empty)

# %% [markdown]
# Without a click there is no question, and the Dice is 0. From the first click on:

# %% mystnb={"figure": {"caption": "Dice after so many simulated clicks, mean over patients with its 95 % interval. The heart and the spine were in no mask of the seven kinds."}, "image": {"alt": "Four panels with curves of Dice over 1, 2, 3, 5 and 10 clicks. Lung: the network of lungs and nodules is highest and nearly flat, seven kinds and region growing rise to just below it. Nodule: lungs and nodules highest, seven kinds in the middle, region growing lowest at first. Heart: lungs and nodules begins near zero and ends near 0.2, seven kinds begins near 0.8 and rises above 0.9, region growing stays at about 0.8. Spine: lungs and nodules rises from 0.2 to below 0.5; region growing begins above seven kinds, and with ten clicks the two meet at about 0.75."}}
clicks = ["1", "2", "3", "5", "10"]
shown = ("seven kinds", "lungs and nodules", "region growing")
panels = {}
for kind in ("lung", "nodule", "heart", "spine"):
    rows = {name: measured["dice"][name][kind] for name in shown}
    curves = {name: [[row[k][part] for k in clicks] for part in ("mean", "low", "high")] for name, row in rows.items()}
    panels[kind] = (list(map(int, clicks)), "clicks", curves)
plotting.show_bands(panels, "Dice", limits=(0, 1))


# %% tags=["remove-cell"]
def mean(name, kind, k):
    return measured["dice"][name].get(kind, {}).get(k, {}).get("mean")


tolerances = {kind: setting[0] for kind, setting in measured["chosen"]["region growing"].items()}
assert tolerances["spine"] == tolerances["nodule"] == 0.02 == min(tolerances.values())  # of 0.02, 0.05, 0.1, ...
assert len(measured["trained_on"]["seven kinds"]) / len(measured["trained_on"]["lungs and nodules"]) == 3.5
assert mean("lungs and nodules", "heart", "1") < 0.05 and mean("seven kinds", "heart", "1") > 0.7
assert mean("region growing", "spine", "1") > mean("seven kinds", "spine", "1") + 0.05
for kind in ("lung", "nodule"):
    assert all(mean("lungs and nodules", kind, k) > mean("seven kinds", kind, k) for k in clicks)
assert mean("watershed", "heart", "1") < 0.3 and measured["training_steps"] == 1500
ten = {name: mean(name, "nodule", "10") for name in measured["dice"]}
assert max(ten, key=ten.get) == "watershed" and measured["held_out_patients"] == 24 and measured["parameters"] == 121881

# %% [markdown]
# Look at the heart first. The networks of lungs and nodules mark next to nothing of it after one click. In their training whatever was neither lung nor nodule was never the thing, and that is what they have learned. The networks of seven kinds never had to mark a heart either, and have most of it after the first click. Both have the same layers, the same number of training steps and the same images. What differs is *how many kinds of things were wanted*, and with it how often each was practised. All kinds of a network were wanted equally often, so in 1,500 steps the networks of two kinds practised each of theirs 3.5 times as often as the networks of seven.
#
# The spine is harder: bone and canal, joints and processes, in a window made for lungs. There the region grower, which learned nothing, begins above the network, and with ten clicks nobody can tell the two apart.
#
# And at lungs and nodules the specialists are better. Patient by patient, seven kinds minus lungs and nodules, with the 95 % interval:


# %%
def after_clicks(row):
    text = "{mean:+.3f} ({low:+.3f} to {high:+.3f})"
    return {f"{k} click{'s' * (k != '1')}": text.format(**row[k]) for k in ("1", "3", "10")}


price = measured["differences"]["seven kinds minus lungs and nodules"]
pd.DataFrame({kind: after_clicks(price[kind]) for kind in ("lung", "nodule")}).T

# %% tags=["remove-cell"]
assert all(price[kind][k]["high"] < 0 for kind in ("lung", "nodule") for k in clicks)

# %% [markdown]
# Is that the price of breadth, or the smaller practice with each kind? These trainings cannot tell: nobody trained the seven kinds 3.5 times as long.
#
# Each curve is the mean of two trainings, which differ in their random numbers only. Here is each of them alone, after ten clicks:

# %%
alone = {name: {kind: by["10"] for kind, by in of.items()} for name, of in measured["of_seeds"].items()}
pairs = [(name, seed) for name in alone for seed in (0, 1)]
rows = [[alone[name][kind][seed] for kind in panels] for name, seed in pairs]
pd.DataFrame(rows, [f"{name}, training {seed + 1}" for name, seed in pairs], list(panels)).round(2)

# %% tags=["remove-cell"]
few = alone["lungs and nodules"]
assert few["heart"][0] > 0.35 and few["heart"][1] < 0.01 and few["spine"][0] > 0.7 and few["spine"][1] < 0.2
assert all(abs(np.diff(alone[name][kind])[0]) < 0.08 for name in ("seven kinds", "all nine") for kind in panels)
assert all(abs(np.diff(few[kind])[0]) < 0.05 for kind in ("lung", "nodule"))

# %% [markdown]
# Look at the rows of lungs and nodules. On what they were trained on the two trainings agree. On what they never saw they do not: one of them follows the clicks on a spine as well as the networks of seven kinds do, and gets something of the heart; the other refuses both. Nothing in the training told them what to do with an unseen thing, so the random numbers decided. A validation on lungs and nodules cannot show which of the two you have got. Two trainings are few: they show *that* it varies, and not how much.
#
# All rivals in one table, after one click and after ten:

# %%
names = ["lungs and nodules", "seven kinds", "all nine", "region growing", "watershed", "without clicks"]
cases = [(name, k) for name in names for k in ("1", "10")]
rows = [[mean(name, kind, k) for kind in panels] for name, k in cases]
pd.DataFrame(rows, [f"{name}, {k}" for name, k in cases], list(panels))

# %% [markdown]
# - **All nine** says what it would have been worth to train hearts and spines as well: something, most of it with the first click.
# - **Watershed** needs negative clicks. With one click it knows only the frame of the image as the other side, and spills over; with ten it is the best of all for nodules. Ten clicks on a few dozen pixels nearly draw the outline: with many clicks a method becomes a pencil.
# - **Without clicks** is the rival of the next section.
#
# ## A network without clicks
#
# For lungs and nodules there is another rival: the network that ships with the package since notebook 04. It takes no clicks, and marks all lungs and nodules by itself. Let the first click only pick one of its objects: the piece of lung, or of nodule, that lies under the click. It was trained on the same patients, in another way: on whole slices, with both classes at once. So it is not our network with the clicks taken away. Nearest to it are the networks of lungs and nodules, which had to mark the same two kinds:

# %%
rivals = ["lungs and nodules", "seven kinds", "without clicks"]
lines = {f"{kind}, {k} click{'s' * (k != '1')}": (kind, k) for kind in ("lung", "nodule") for k in ("1", "3", "10")}
pd.DataFrame({line: {name: mean(name, *case) for name in rivals} for line, case in lines.items()}).T

# %% [markdown]
# For the seven kinds there are paired differences as well:

# %%
versus = measured["differences"]["seven kinds minus without clicks"]
parts = {f"{kind}, {k} click{'s' * (k != '1')}": versus[kind][k] for kind in versus for k in ("1", "3", "10")}
titles = {"mean": "seven kinds minus without clicks", "low": "95 % interval from", "high": "to"}
pd.DataFrame(parts).T.rename(columns=titles)

# %% tags=["remove-cell"]
assert all(versus["lung"][k]["high"] < 0 for k in clicks) and all(versus["nodule"][k]["low"] > 0.03 for k in clicks)
assert [mean(name, "lung", "10") for name in rivals[::2]] == [0.983, 0.984] and mean(rivals[0], "lung", "1") < 0.97
assert [mean(name, "nodule", "10") for name in rivals[::2]] == [0.94, 0.46]
assert all(mean(name, "nodule", "1") > 0.55 for name in rivals[:2])
with np.load(RESULTS / "prompts_scores.npz") as stored:
    picked = stored["without clicks: nodule"][:, 1]
assert (len(picked), (picked == 0).sum(), ((picked > 0) & (picked < 0.05)).sum()) == (71, 5, 24)

# %% [markdown]
# For the lungs the seven kinds are behind the network without clicks, whatever the number of clicks. The networks of lungs and nodules are behind it after one click, and level with it after ten: 0.983 against 0.984. So for lungs the clicks add nothing. For the nodules it is the other way round, and both kinds of networks with clicks are ahead from the first click on. After ten it is 0.940 for lungs and nodules, against 0.460 without clicks. Why so little? Of 71 nodules 5 have a Dice of 0, because nothing is marked where the click falls. For 24 more it lies between 0 and 0.05: there the network calls the nodule lung, and the click picks a lung. A click in a network that takes clicks says *that* there is a nodule, and where.
#
# Do not read this as a race that the clicks win: they come from somebody who has found the nodule already. Finding is the hard part.
#
# And the unseen things, the same two networks and the region grower, as paired differences:

# %%
others = ["lungs and nodules", "all nine", "region growing", "watershed"]
differences = {name: measured["differences"][f"seven kinds minus {name}"] for name in others}
rows = {(kind, f"against {name}"): differences[name][kind] for kind in ("heart", "spine") for name in others}
pd.DataFrame({place: after_clicks(row) for place, row in rows.items()}).T

# %% tags=["remove-cell"]
assert all(rows["heart", "against lungs and nodules"][k]["low"] > 0.6 for k in clicks)
assert all(rows[kind, "against all nine"]["1"]["high"] < -0.03 for kind in ("heart", "spine"))
grown = {kind: rows[kind, "against region growing"] for kind in ("heart", "spine")}
assert grown["heart"]["1"]["low"] < 0 < grown["heart"]["1"]["high"] and grown["heart"]["10"]["low"] > 0.03
assert grown["spine"]["1"]["high"] < -0.05 and grown["spine"]["10"]["low"] < 0 < grown["spine"]["10"]["high"]

# %% [markdown]
# Each line is a difference in Dice, patient by patient; an interval that includes 0 means that nobody can tell.
#
# - Against the networks of lungs and nodules the difference is large. But it is the mean of two trainings each, and the table above says how far they lie apart for the narrow ones. The interval is over patients and knows nothing of that.
# - Against the networks that were trained on hearts and spines as well, something is missing, most of it with the first click.
# - Against region growing: for the heart nothing can be told with one click, and with ten the network wins. For the spine the region grower wins with one click.
#
# So the honest sentence is neither "it segments anything" nor "it only knows what it was trained on". Something carries over from seven kinds of things to an eighth; what it is, these numbers do not say. On one of two unseen structures it was more, with ten clicks, than a flood fill can do; on the other it was not.
#
# Do not carry the numbers over to patients: the hearts of this phantom are smooth and have one gray value, which suits a region grower and a network alike.
#
# ## How many clicks are enough?
#
# A reader asks the other way round: how many clicks does it take until the mask is good enough? This **number of clicks** is what papers report most. It has a trap. Some things never get there, and then there is no number.
#
# ### Exercise 17.3: clicks needed
#
# `scores` is an array with a row for each thing and a column for each number of clicks; column 0 is the Dice before the first click, column 1 after it, and so on. Write `clicks_needed(scores, goal)`, which returns for each thing the number of clicks after which the Dice is at least `goal` for the first time, and `np.inf` where it never is.
#
# <details><summary>Hint 1</summary>
#
# `scores >= goal` is an array of truth values. In which column does a row have its first `True`?
#
# <details><summary>Hint 2</summary>
#
# `argmax(axis=1)` finds the first `True` of each row, and gives 0 for a row that has none. Which rows have none, and what belongs there? `np.where` chooses.
#
# </details>
# </details>


# %%
def clicks_needed(scores, goal):
    return ...


check.clicks_needed(clicks_needed)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def clicks_needed(scores, goal):
    reached = scores >= goal
    return np.where(reached.any(axis=1), reached.argmax(axis=1), np.inf)


check.clicks_needed(clicks_needed)

# %% [markdown]
# `prompts_scores.npz` holds the Dice of every single thing of the benchmark. Papers mostly write the largest number of clicks where the goal was never reached, here 10, and take the mean. Beside it stand the share of the things that never reached a Dice of 0.8, and the median of all, infinity included:

# %%
with np.load(RESULTS / "prompts_scores.npz") as stored:
    scores = {name: stored[name] for name in stored.files}


# %%
def needed_by(name):
    needed = clicks_needed(scores[name], 0.8)
    return np.minimum(needed, 10).mean(), np.median(needed), 100 * np.isinf(needed).mean()


methods = ("network of the package", "region growing")
table = {name: needed_by(name) for kind in panels for name in (f"{method}: {kind}" for method in methods)}
pd.DataFrame(table, ["mean, 10 for never", "median", "never (%)"]).T.round(1)

# %% tags=["remove-cell"]
heart, grown_heart, spine = (
    table[name] for name in ("network of the package: heart", "region growing: heart", "network of the package: spine")
)
assert measured["things"]["heart"] == 72 and measured["patients"]["heart"] == 24
assert grown_heart[1] == 1 and grown_heart[2] > 20 and heart[2] < 5
assert np.isinf(spine[1]) and 7.5 < spine[0] < 8.5

# %% [markdown]
# A thing is one object in one slice; 72 hearts are slices of 24 patients, so this table has no interval. Read each line from the right. For the hearts region growing looks fast: half of the slices take one click. But more than a fifth of the heart slices never get there by region growing, however often one clicks; with the network nearly all do. For the spine most things never reach the goal within ten clicks with the network, so its median is infinite. A mean of about eight clicks sounds tolerable, and would have hidden that.
#
# ## A person clicks otherwise
#
# Every number above comes from a program that clicks. It knows the ground truth to the pixel, finds the largest error at once, hits its middle, and never changes its mind. A person
#
# - does not know the truth, and two people want two outlines ([notebook 12](12_uncertainty_and_calibration.ipynb) has four readers),
# - clicks where something catches the eye, often near an edge and sometimes beside the thing,
# - looks at other slices, and gets tired.
#
# One of these we can try: a hand that is not steady. Each click is moved by chance, with a standard deviation of 2 pixels in each direction, and keeps its sign wherever it falls. The same network, the same things:

# %%
shaky = measured["differences"]["unsteady hand minus network of the package"]
print(f"2 pixels are {measured['unsteady_millimeters']} mm here")
pd.DataFrame({kind: after_clicks(shaky[kind]) for kind in panels}).T

# %% tags=["remove-cell"]
assert all(abs(shaky[kind][k]["mean"]) < 0.04 for kind in ("lung", "heart") for k in clicks)
assert all(shaky["nodule"][k]["high"] < -0.15 and shaky["spine"][k]["high"] < 0 for k in clicks)

# %% [markdown]
# Lung and heart hardly notice: 2 pixels are little there. The spine loses something. The nodules lose most, and ten clicks do not bring it back. A nodule is a few pixels wide, so a click often falls beside it, and the network believes what it is told. The smaller the thing, the more a simulated click flatters.
#
# A study with people would count their clicks and their seconds, and show the same cases with and without the program. Nobody has done that with this network.
#
# ### Be the person yourself
#
# In the book, choose what you want, and click into it. A green plus says: this belongs to it. With Shift, or after the second choice, a click is an orange cross: this does not. The network computes in your browser after each click, with all clicks so far, and the plot shows the Dice over their number. *Simulated click* clicks for you, in the middle of the largest error.
#
# <div class="live" data-piece="clicks">
# <p>In the book, a picture to click into stands here; it needs a browser that runs JavaScript. In JupyterLab, change the places of the clicks in the first cell and run it again.</p>
# </div>
#
# Click into the middle of the nodule: one click is enough. Then take the small nodule. One click into it marks far more than the nodule, because a click does not say how much of the picture you want. Crosses beside it do. Next, the heart, which this network was never trained to mark: one click in its middle gets most of it. The muscles were in its training, and ten clicks do not get them. Last, take the lung and click at its very edge, not in its middle: the Dice is far lower. And watch the plot: one more click can also make it fall.
#
# ## Networks that segment anything
#
# What you have used is the smallest member of a large family. **Foundation models** for segmentation take prompts as well, and are trained on very many and very different things:
#
# | | trained on | prompts | |
# |---|---|---|---|
# | **SAM** {cite:p}`kirillov2023sam` | 11 million photographs with 1.1 billion masks, most of them drawn by the model itself | clicks, boxes, masks | a transformer that looks at the image once, and a small part that answers each prompt; it gives *three* masks for one click, because a click on a shirt may mean the shirt or the person |
# | **MedSAM** {cite:p}`ma2024medsam` | 1.57 million pairs of medical image and mask, from 10 kinds of imaging; begins with the weights of SAM | boxes | slice by slice |
# | **nnInteractive** {cite:p}`isensee2025nninteractive` | more than 120 data sets of volumes: CT, MRI, PET, microscopy | clicks, scribbles, boxes, lasso; positive and negative | a 3D U-Net that gets its prompts as channels, as ours does |
# | **ours** | 34 synthetic patients, seven kinds of things | clicks | 2D, 121,881 weights |
#
# The idea is the same: prompts go in beside the image, training simulates them, and the answer is one thing. What differs is how many kinds of things were wanted in the training: seven here, and there so many that most of what you click on resembles something among them. Does that help with things that were never there? On 19 medical data sets, with a single prompt, the overlap (IoU) of SAM went from 0.11 for a spine in MRI to 0.87 for a hip in an X-ray; boxes did notably better than clicks {cite:p}`mazurowski2023sam`. So the question of this chapter stays the same for them: measure it on *your* thing, with clicks from *your* hands.
#
# To try nnInteractive you need a network, several gigabytes of space and better a GPU. The lines below are as its README shows them, **and have not been run here**. Read the license of the weights before you use them.
#
# ```python
# # pip install nnInteractive; the weights are downloaded separately
# import torch
# from nnInteractive.inference.inference_session import nnInteractiveInferenceSession
#
# session = nnInteractiveInferenceSession(device=torch.device("cuda:0"))
# session.initialize_from_trained_model_folder("nnInteractive_v1.0")
# session.set_image(volume[None])  # (1, x, y, z)
# session.set_target_buffer(torch.zeros(volume.shape, dtype=torch.uint8))
# session.add_point_interaction((x, y, z), include_interaction=True)  # False: a negative click
# mask = session.target_buffer
# ```

# %% [markdown]
# ## Take-aways
#
# - A click is a disk in a map, and a map is a channel. The network stays a U-Net, and its one output is *the thing that was clicked*.
# - In training a program clicks where the network is most wrong. That is also how such networks are measured, and it is the best case: no person knows the truth to the pixel.
# - What such a network can do with a thing that it never had to mark depends on what was wanted in its training. After one click, networks of two kinds had next to nothing of a heart, networks of seven kinds most of it.
# - On unseen things two trainings that agree on everything else can disagree. A validation on seen things does not tell.
# - After equally many steps, the networks of two kinds were better at lungs and nodules than those of seven. They had practised each of the two 3.5 times as often, so this need not be the price of breadth.
# - A number of clicks without the share of things that never got there hides the failures.
# - Compare with a method that learns nothing, with equally many clicks, placed by the same program, on the same things. It is cheap, and sometimes it wins.
#
# ## Questions to test yourself
#
# 1. A network has two click channels. Nobody has clicked yet. What is its answer worth?
#
#    - A. It marks what is most likely, as a network without clicks does.
#    - B. Nothing: nothing was asked, and training never showed it such an image.
#    - C. It must be empty, because both maps are empty.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Every training image had at least one click.
# - **Not A:** it was never trained to choose a thing by itself.
# - **Not C:** nothing in the training forces it to be empty.
#
# </details>
#
# 2. In training the clicks are placed at random inside the thing, and never on errors. What will be missing?
#
#    - A. The network hardly learns what a negative click is for.
#    - B. Nothing, clicks are clicks.
#    - C. The network cannot be trained at all.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** A negative click lies where too much is marked, and that depends on what the network marks.
# - **Not B:** the user clicks on errors, and training should look like use.
# - **Not C:** it learns to mark the thing under a click.
#
# </details>
#
# 3. Method 1 needs two clicks for nine of ten things and fails on the tenth. Method 2 needs four clicks for all ten. Which one is better?
#
# <details><summary>Answer</summary>
#
# That depends on what happens to the tenth. With "10 for never" the means are 2.8 and 4, and method 1 looks better. If a failed thing must be outlined by hand, method 2 may be the faster one. Report both numbers: the clicks, and the failures.
#
# </details>
#
# 4. Why do the comparisons use the differences of each patient, and not the two means with their intervals?
#
#    - A. Because the same patients were clicked with both, and a hard patient is hard for both.
#    - B. Because intervals cannot be computed for a Dice.
#    - C. Because that makes every difference significant.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** What both share drops out of the difference, and the interval gets narrower ([notebook 05b](05b_comparison.ipynb)).
# - **Not B:** the figure above has them.
# - **Not C:** several intervals in the tables include 0.
#
# </details>
#
# ## Read more
#
# - Xu and others (2016) {cite:p}`xu2016clicks`: clicks as channels, simulated in training.
# - Sofiiuk, Petrov and Konushin (2022) {cite:p}`sofiiuk2022iterative`: which details matter, tried one by one.
# - Kirillov and others (2023) {cite:p}`kirillov2023sam`: SAM, and how a billion masks are made.
# - Mazurowski and others (2023) {cite:p}`mazurowski2023sam`: SAM on 19 medical data sets.
# - Isensee and others (2025) {cite:p}`isensee2025nninteractive`: clicks, scribbles and lassos in volumes.
# - The words of this page are in the [glossary](../book/glossary.md).

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
# # 18b Hospitals that do not share data
#
# Can four hospitals train one network if no picture may leave its house?

# %%
import numpy as np

from unet_helpers import plotting
from unet_helpers.teaching.hospitals import HOSPITALS, slices_of

patients = {name: slices_of(name, [20, 21]) for name in HOSPITALS}

# %% mystnb={"figure": {"caption": "One slice of one patient of each hospital, as its scanner and its window show it, with the outline of the lungs. The last hospital takes no part in any training."}, "image": {"alt": "Five chest slices of 64 by 64 pixels in a row, with the lungs outlined. North: smooth, dark lungs. East: grainy, with more contrast. South: the body is small in the picture and paler. West: all gray values lie close together. Elsewhere: grainy, and the body does not fill the picture."}}
plotting.show_images(
    [subset.images[4, ..., 0] for subset in patients.values()],
    list(patients),
    [subset.masks[4] for subset in patients.values()],
    ["", "lung"],
    columns=5,
    panel=1.8,
)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - write federated averaging in a few lines, and say when it equals training on pooled data and when it does not,
# - compare it fairly with pooled data, with each hospital alone and with fine-tuning, hospital by hospital,
# - say what batch normalization does when its averages come from several hospitals, and what to do about it,
# - take a picture out of a gradient, and say what makes that harder,
# - weigh what noise costs against what it hides, and say what it does not promise.
#
# **You need before:** what a training step is ([notebook 04](04_gpu_training.ipynb)); Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)); other scanners ([notebook 09](09_domain_shift_and_transfer.ipynb)).
#
# **Minutes:** 70 to read, with three exercises, 1 to run on two cores. A break is marked in the middle.
#
# **The misconception it removes:** "Only weights leave the hospital, so no patient data does."
#
# </div>

# %% [markdown]
# Four hospitals want the same thing, a network that outlines the lungs. Each has few patients, each has a scanner of its own, and each stores its pictures in a window of its own. They may not put their pictures into one folder: the patients agreed to be treated, and not to be copied. How many patients has each?

# %%
import pandas as pd

rows = {name: (hospital.patients, *hospital.window) for name, hospital in HOSPITALS.items()}
table = pd.DataFrame(rows, index=["training patients", "level", "width"]).T
table["mean gray value"] = [round(float(subset.images.mean()), 2) for subset in patients.values()]
table

# %% tags=["remove-cell"]
assert table["training patients"].tolist() == [12, 8, 6, 4, 0]
gray = [float(subset.images.mean()) for subset in patients.values()]
assert max(gray) - min(gray) > 0.1

# %% [markdown]
# They are phantoms, as everywhere in this series. What differs is the kernel, the dose, the thickness of the slices, the field of view and the window; that is enough to make the gray values of one hospital unlike those of another. *Elsewhere* is a fifth hospital, with which we test only.
#
# ## The idea: the network travels
#
# In **federated learning** the pictures stay where they are, and the network travels. A **server** sends the weights to every hospital. Each hospital takes some steps of training on its own pictures and sends its new weights back. The server averages them, and sends the average out: one **round**. A hospital with twice as many pictures counts twice. This is **federated averaging** {cite:p}`mcmahan2017federated`.
#
# ### Exercise 18.4: the server's line
#
# Write `average(sent, images)`. `sent` holds for each hospital its weights, a list of arrays, one for each kernel, bias and so on. `images` says how many images each hospital has. Return the weighted mean: a list of as many arrays as one hospital sent.
#
# <details><summary>Hint 1</summary>
#
# Two hospitals with 30 and 10 images send the numbers 1 and 5 for the same weight. The average is 2. Where does the 2 come from?
#
# <details><summary>Hint 2</summary>
#
# The share of a hospital is its images over all images; the shares add up to 1. You need the first array of every hospital together, then the second of every hospital: `zip(*sent)` gives just these groups.
#
# <details><summary>Hint 3</summary>
#
# One group of arrays becomes one array by `np.average`, which takes `weights=` and an `axis=`: the axis that counts the hospitals.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import hospitals as check


def average(sent, images):
    return ...


check.average(average)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def average(sent, images):
    return [np.average(arrays, axis=0, weights=images) for arrays in zip(*sent, strict=True)]


check.average(average)

# %% [markdown]
# ## Is it right? A model small enough to know
#
# Take a model that we understand wholly: it guesses the share of lung in a slice from an 8×8 version of the picture, by one linear formula. Its loss is the mean squared error. If each hospital takes **one** step on **all** its slices, is the average the same as one step on the pooled slices?


# %%
def small(subset):
    blocks = subset.images.reshape(len(subset), 8, 8, 8, 8).mean(axis=(2, 4)).reshape(len(subset), 64)
    return blocks, subset.masks.mean(axis=(1, 2))


def train_linear(weights, inputs, answers, steps, rate=0.02):
    for _ in range(steps):
        weights = weights - rate * 2 * inputs.T @ (inputs @ weights - answers) / len(answers)
    return weights


# %%
sites = ["North", "East", "South", "West"]
kept = {"North": 16, "East": 12, "South": 8, "West": 4}  # unequal numbers of slices
data = [[array[: kept[name]] for array in small(patients[name])] for name in sites]
pool = [np.concatenate(arrays) for arrays in zip(*data, strict=True)]


# %%
def difference_after(steps):
    sent = [[train_linear(np.zeros(64), *one, steps)] for one in data]
    (together,) = average(sent, list(kept.values()))
    pooled = train_linear(np.zeros(64), *pool, steps)
    return np.linalg.norm(together - pooled) / np.linalg.norm(pooled)


# %%
print("one step, equal:", bool(difference_after(1) < 1e-9))
{steps: round(float(difference_after(steps)), 2) for steps in (5, 25, 125)}

# %% tags=["remove-cell"]
assert difference_after(1) < 1e-9 < 0.01 < difference_after(5) < difference_after(25) < 0.6

# %% [markdown]
# After one step the two are equal, up to rounding. They must be: the gradient of a mean over all slices *is* the weighted mean of the hospitals' gradients. This is the check to run on any program that averages.
#
# After more steps they are not. Each hospital walks towards the weights that suit its own pictures, and the average of four walks is not the walk of the whole. This is **client drift**. Sending after every step would avoid it; but a step takes milliseconds, and a round between hospitals takes minutes. So one sends rarely, and pays with drift.
#
# ## Federated averaging of a U-Net
#
# The same line averages a U-Net; Keras gives its weights as a list of arrays. Here are two rounds with a very small one, on the two patients that each hospital has shown above. (Why group normalization? Its section comes.)

# %%
import keras

from unet_helpers import UNet
from unet_helpers.teaching.hospitals import with_group_norm

keras.utils.set_random_seed(0)
network = with_group_norm(UNet((64, 64, 1), 2, base_filters=4, depth=1, dropout=0.0))
network.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
targets = {name: np.eye(2)[patients[name].masks] for name in sites}


# %%
def one_round(weights, steps=4):
    sent = []
    for name in sites:  # in truth this runs in four houses at once
        network.set_weights(weights)
        for _ in range(steps):
            network.train_on_batch(patients[name].images, targets[name])
        sent.append(network.get_weights())
    return average(sent, [len(patients[name]) for name in sites])


# %%
def loss_at(name):
    network.reset_metrics()
    return float(network.test_on_batch(patients[name].images, targets[name]))


weights = network.get_weights()
losses = {0: [loss_at(name) for name in sites]}
for number in (1, 2):
    weights = one_round(weights)
    network.set_weights(weights)
    losses[number] = [loss_at(name) for name in sites]

# %% tags=["nbval-ignore-output"]
pd.DataFrame(losses, index=sites).rename_axis(columns="after rounds").round(2)

# %%
assert np.mean(losses[2]) < np.mean(losses[0])

# %% [markdown]
# The loss falls, and no picture has left its house. Two rounds teach little; `benchmarks/hospitals.py` has trained longer, on the patients of the first table.
#
# ## The contest
#
# What would be a fair contest? Every network below is the outcome of **equally many steps of equally many images**, counted over all hospitals together, except where its row says otherwise: one network trained on the **pooled** data (which is what may not be done), one for each hospital **alone**, one **federated**, and the federated one **fine-tuned**, with a few more steps at each hospital, which then keeps its own copy. There is a second way to be fair: each *hospital* works as much as it would alone. That is *federated, longer*: four times as many rounds, and so four times as many steps in all. The learning rates of *pooled* and *federated* were chosen among three, at half the length, on two validation patients of each hospital and by a seed of its own; *alone* takes that of *pooled*, and fine-tuning a quarter of that of *federated*. Each further seed has training patients of its own; the eight test patients at each hospital were looked at once.

# %%
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "hospitals.json").read_text(encoding="utf-8"))["results"]

# %%
steps, rounds, batch = (recorded[name] for name in ("steps", "rounds", "batch"))
print(f"{steps} steps of {batch} images; federated: {rounds} rounds of {steps // rounds // 4} steps at each hospital")
print(f"fine-tuned: {recorded['fine_tuning_steps']} more at each")
seeds = {
    name: len(recorded["dice"][way]["all four"]["seeds"]) for name, way in (("all", "alone"), ("noise", "noise 0"))
}
print(f"{recorded['test_patients_each']} test patients at each; seeds: {seeds['all']}, under noise {seeds['noise']}")


# %%
def row_of(kind, way):
    return {place: f"{one['mean']:.3f}" for place, one in recorded[kind][way].items()}


names = {"pooled, group": "pooled", "alone": "each alone", "federated, group": "federated", "fine-tuned": "fine-tuned"}
names["federated, 4 times as long"] = "federated, longer"
pd.DataFrame({name: row_of("dice", way) for way, name in names.items()}).T

# %% [markdown]
# Lung Dice, a mean over patients and seeds. In the rows *each alone* and *fine-tuned* a hospital uses its own network, and *elsewhere* gets the mean over the four. A mean alone settles nothing, so here are the differences, patient by patient, with their 95 % intervals (Student's t). They are over patients, and hold for these networks; the file keeps the mean of each seed.


# %%
def interval(one):
    return f"{one['mean']:+.3f} ({one['mean_low']:+.3f} to {one['mean_high']:+.3f})"


def table_of(pairs):
    rows = {
        name: {place: interval(one) for place, one in recorded["differences"][pair].items()} for pair, name in pairs
    }
    return pd.DataFrame(rows)


pairs = [("federated, group − pooled, group", "federated − pooled"), ("federated, group − alone", "federated − alone")]
table_of([*pairs, ("federated, 4 times as long − alone", "longer − alone")])

# %% tags=["remove-cell"]
gap = recorded["differences"]
places = [*sites, "all four"]
assert all(gap["federated, group − pooled, group"][name]["mean_high"] < 0 for name in places)
assert all(gap["federated, group − alone"][name]["mean_high"] < 0 for name in places)
assert gap["federated, group − alone"]["elsewhere"]["mean_low"] > 0
assert gap["federated, 4 times as long − alone"]["elsewhere"]["mean_low"] > 0
assert all(abs(gap["federated, 4 times as long − alone"][name]["mean"]) < 0.03 for name in places)
assert all(gap["fine-tuned − federated, group"][name]["mean_low"] > 0 for name in places)
assert gap["federated, 4 times as long − federated, group"]["all four"]["mean_low"] > 0

# %% [markdown]
# Three sentences, and none of them is "federated is as good as pooled, for free":
#
# - **At equally many steps in all, federated training is behind**: behind pooled data, and even behind each hospital alone, at *all four* hospitals. A hospital that trains alone spends all the steps on its own pictures; in the federation it gets a quarter of them, and the average of four walks is shorter than a walk. There is a second reason, which is no drift: momentum begins at zero in every round, and in ten steps it cannot build up. How much each of the two costs was not measured.
# - **With more rounds it nearly catches up.** When every hospital works as much as it would alone, the federated network is level at West, a few thousandths behind at North and East, and two hundredths behind at South. Fine-tuning is a shorter way in the same direction.
# - **Where nobody has trained, it wins.** *Elsewhere* the federated network is better than the networks of single hospitals are on average, at either budget. This is what the others are needed for. (It is one other scanner. Another one may lie farther off.)
#
# So for *its own* patients, on *this* task, the others brought next to nothing. Outlines of lungs are easy. With a rare finding it can be different; but do not take it for granted: train alone first, and compare.
#
# ### Who shares with whom?
#
# A network trained at one hospital, tested at all:

# %% mystnb={"figure": {"caption": "Lung Dice of the network of each hospital alone (rows), at each hospital (columns); below it the federated one."}, "image": {"alt": "A table of colored fields, five rows and five columns. The fields on the diagonal are bright, near 0.97. The row of South is dark but for South itself, and the column of South is darker than its neighbors. The last row, federated, is bright throughout, a little less at South."}}
rows = [f"alone at {name}" for name in sites] + ["federated, group"]
grid = np.array([[recorded["dice"][way][place]["mean"] for place in HOSPITALS] for way in rows])
with plotting.figure(width=5.4, height=3) as (fig, axes):
    axes[0, 0].imshow(grid, vmin=0.5, vmax=1, cmap="cividis", aspect="auto")
    axes[0, 0].set_xticks(range(5), list(HOSPITALS))
    axes[0, 0].set_yticks(range(5), [way.replace(", group", "") for way in rows])
    for (r, c), value in np.ndenumerate(grid):
        axes[0, 0].text(c, r, f"{value:.2f}", ha="center", va="center", color="black" if value > 0.75 else "white")
fig

# %% tags=["remove-cell"]
alone = grid[:4, :4]
assert alone.diagonal().min() > 0.94 and grid[4].min() > 0.8
assert alone[2, [0, 1, 3]].max() < 0.7 and alone[[0, 1, 3], 2].max() < 0.9

# %% [markdown]
# The diagonal is bright: at home every network is good. Off the diagonal it depends. South is the odd one: its scanner has a wide field of view, so that lungs are small in the picture, and its window makes everything paler. Its network fails at the others, and theirs fail there. The federated network, in the last row, serves all of them, South the least.
#
# ### Two knobs
#
# Should a hospital count by its images, or every hospital alike? And how often should they send? With *4 rounds* the hospitals take as many steps, but send a third as often.

# %%
ways = {
    "all alike": "federated, alike",
    "4 rounds": "federated, 4 rounds",
    "4 times as long": "federated, 4 times as long",
}
table_of((f"{way} − federated, group", f"{name} − federated") for name, way in ways.items())

# %% tags=["remove-cell"]
assert abs(gap["federated, alike − federated, group"]["all four"]["mean"]) < 0.02
assert gap["federated, 4 rounds − federated, group"]["all four"]["mean_high"] < 0

# %% [markdown]
# Counting alike changes little here. (The largest hospital has three times the images of the smallest, and not a thousand times.) Sending less often costs, over all four hospitals, and most of it in one of the three seeds. Which hospital pays most differed from seed to seed. And more rounds help, as we saw.
#
# ## Batch normalization, which averages what should not be averaged
#
# **Batch normalization** ([notebook 03](03_unet_architecture.ipynb)) brings each channel to mean 0 and variance 1: in training by the mean and variance of the batch, in prediction by **moving averages** of them that were stored during training. In a federation a batch comes from *one* hospital, and so do the moving averages. The server averages them too, since they are arrays among the others. First: what is the right way to put means and variances together?
#
# ### Exercise 18.5: the variance of all
#
# Each hospital sends the mean and the variance of its pixels, and how many pixels it has: three arrays `means`, `variances` and `pixels`. Write `pooled(means, variances, pixels)`, which returns the mean and the variance of all pixels together, as if they lay in one folder. (Variances divide by the number of pixels, as `np.var` does.)
#
# <details><summary>Hint 1</summary>
#
# Two hospitals: in one every pixel is 0, in the other every pixel is 1. Each has a variance of 0. What is the variance of all pixels? What does the mean of the two variances say?
#
# <details><summary>Hint 2</summary>
#
# Two parts add up. How far pixels lie from the mean of *their* hospital: the variances, averaged by share. And how far the hospitals lie from the mean of *all*: squares, averaged by share too.
#
# <details><summary>Hint 3</summary>
#
# `np.average(…, weights=pixels)` three times: for the mean of all, for the variances, and for the squared distances of `means` from the mean of all.
#
# </details>
# </details>
# </details>


# %%
def pooled(means, variances, pixels):
    return ...


check.pooled(pooled)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def pooled(means, variances, pixels):
    mean = np.average(means, weights=pixels)
    within = np.average(variances, weights=pixels)
    return mean, within + np.average((means - mean) ** 2, weights=pixels)


check.pooled(pooled)

# %% [markdown]
# Averaging variances misses the part that lies *between* the hospitals. Of the gray values of our slices, how large is it?

# %% nbval_tolerance=0.02
means, variances = (np.array([function(patients[name].images) for name in sites]) for function in (np.mean, np.var))
pixels = np.array([HOSPITALS[name].patients * 8 * 64 * 64 for name in sites])
mean, variance = pooled(means, variances, pixels)
round(float(1 - np.average(variances, weights=pixels) / variance), 3)

# %% [markdown]
# Now the networks. The table has the federated network with batch normalization, all arrays averaged; the same network with statistics that were put together again after training, once as an average of the variances and once with the part between hospitals; the same network, each hospital with **its own statistics**; and two that were trained in other ways: with all of batch normalization left **at home** (**FedBN** {cite:p}`li2021fedbn`: its layers are never sent), and with **group normalization** {cite:p}`wu2018group` in its place, which takes mean and variance from one image and stores nothing.

# %%
ways = {"pooled, batch": "pooled, batch norm.", "federated, batch": "federated, batch norm."}
ways |= {f"federated, batch, {kind} statistics": f"{kind} statistics" for kind in ("averaged", "pooled", "own")}
ways |= {"federated, batch at home": "batch norm. at home", "federated, group": "federated, group norm."}
pd.DataFrame({name: row_of("dice", way) for way, name in ways.items()}).T

# %%
pairs = {"averaged − pooled network": "federated, batch − pooled, batch"}
pairs["own − averaged statistics"] = "federated, batch, own statistics − federated, batch"
pairs["at home − group norm."] = "federated, batch at home − federated, group"
table_of((pair, name) for name, pair in pairs.items())

# %% tags=["remove-cell"]
dice = recorded["dice"]
assert gap["federated, batch − pooled, batch"]["South"]["mean_high"] < -0.2
assert gap["federated, batch, own statistics − federated, batch"]["South"]["mean_low"] > 0.2
difference = gap["federated, batch, pooled statistics − federated, batch, averaged statistics"]
assert all(abs(one["mean"]) < 0.02 for one in difference.values())
assert max(recorded["variance_between_hospitals"]) < 0.05
assert dice["federated, batch at home"]["all four"]["mean"] > dice["federated, group"]["all four"]["mean"]
assert gap["federated, batch at home − federated, group"]["elsewhere"]["mean_high"] < 0

# %% [markdown]
# Read the column of South from the top. Trained on pooled data, batch normalization is fine. Averaged over hospitals, it ruined the network **at South** in two of three seeds, and harmed it at East in the same two, while the largest hospital notices little: whoever looks there only will miss it. The intervals are over patients, and do not show this. Here is each seed; three do not say how often it happens.

# %%
pd.DataFrame({name: dice["federated, batch"][name]["seeds"] for name in sites}).round(2).rename_axis("seed")

# %% tags=["remove-cell"]
seeds = {name: np.array(dice["federated, batch"][name]["seeds"]) for name in sites}
assert (np.sort(seeds["South"]) > 0.9).tolist() == [False, False, True] and seeds["South"].min() < 0.6
assert ((seeds["South"] > 0.9) == (seeds["East"] > 0.9)).all() and seeds["North"].min() > 0.9

# %% [markdown]
#
# Why? The variance between the hospitals, of the exercise, is *not* the reason. It is right to add it, but in these layers it is only a few hundredths of the variance, and the row *pooled statistics* is like the row *averaged statistics*. The reason is another: in training, each hospital's pictures were brought to mean 0 by *their own* statistics, and the kernels have learned from that. In prediction they meet statistics of everybody. Give each hospital **its own statistics** back, with the same kernels and no step of training, and South is well again.
#
# Two ways out, and what each costs:
#
# - **Keep the statistics at home**, or all of batch normalization. Good at all four hospitals. But there is no longer *one* network: a fifth hospital has none of its own, and with those of the others (*elsewhere*, the mean over the four) it fares worse.
# - **Group normalization**: one network for all, which stores nothing about anybody. Here it needed more rounds to get as far.
# - **Decide before the first round.** Which normalization a network has cannot be changed afterwards without training it anew.

# %% [markdown]
# **A good place for a break:** so far we asked how good the network is. The second half asks what the weights tell about the patients. Leave the notebook open, or run the cells above once more before you go on.

# %% [markdown]
# ## What a gradient gives away
#
# "Only weights leave the hospital." Let us look at what leaves. After one step the server knows the weights before and after. Their difference, divided by the learning rate, is the **gradient**, and the gradient was made from the pictures.
#
# Take a network that begins with a dense layer: `z = x @ kernel + bias`, where `x` is a picture of 32×32 pixels as one long row. Units below 0 are silent (ReLU), and the rest of the network says whether the slice is one for the radiologist. One picture of a patient of North, one step:

# %%
small_pictures = patients["North"].images[..., 0].reshape(16, 32, 2, 32, 2).mean(axis=(2, 4)).reshape(16, 1024)
rng = np.random.default_rng(1)
kernel, last = rng.normal(0, 1 / 32, (1024, 16)), rng.normal(size=16)


# %%
def gradients_of(pictures, labels):
    z = pictures @ kernel
    probability = 1 / (1 + np.exp(-np.maximum(z, 0) @ last))
    of_bias = np.outer(probability - labels, last) * (z > 0) / len(pictures)  # (pictures, units)
    return pictures.T @ of_bias, of_bias.sum(axis=0)


# %%
sent_kernel, sent_bias = gradients_of(small_pictures[2:3], np.array([1]))
print("what is sent:", sent_kernel.shape, sent_bias.shape)

# %% [markdown]
# ### Exercise 18.6: the picture in the gradient
#
# By the chain rule, the gradient of the weight from input `i` to unit `j` is `x[i]` times something of unit `j`, and the gradient of the bias of unit `j` is that something alone {cite:p}`phong2018privacy`. Write `picture(kernel, bias)`: the two gradients, `(inputs, units)` and `(units,)`, in; the input `x` out. The layer saw one picture.
#
# <details><summary>Hint 1</summary>
#
# Suppose that the bias of unit 3 has the gradient 0.2, and the weights into unit 3 have the gradients 0.02, 0.18 and 0.08. What were the three inputs?
#
# <details><summary>Hint 2</summary>
#
# One unit is enough, but not every unit will do: a silent one has gradients of 0, and 0/0 tells nothing. Which unit is the safest to divide by?
#
# <details><summary>Hint 3</summary>
#
# `np.abs(bias).argmax()` is the number of the unit with the largest gradient. Its column of `kernel` holds the gradients of the weights into it.
#
# </details>
# </details>
# </details>


# %%
def picture(kernel, bias):
    return ...


check.picture(picture)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def picture(kernel, bias):
    unit = np.abs(bias).argmax()
    return kernel[:, unit] / bias[unit]


check.picture(picture)

# %% mystnb={"figure": {"caption": "Left: a picture that stayed in the hospital. Middle: what the server computes from the gradient of one step on it. Right: the same from a step on four pictures, of which this is one."}, "image": {"alt": "Three pictures of 32 by 32 pixels. The left and the middle one show the same chest slice and look the same. The right one is like them, with black patches and a second outline, where other slices show through."}}
found = picture(sent_kernel, sent_bias)
four = small_pictures[[2, 4, 10, 13]]
mixture = picture(*gradients_of(four, np.array([1, 0, 1, 0])))
shown = {"stayed": small_pictures[2], "from one picture's step": found, "from four pictures' step": mixture}
plotting.show_images([row.reshape(32, 32) for row in shown.values()], list(shown))

# %%
print("largest error from one picture, below a millionth:", bool(np.abs(found - small_pictures[2]).max() < 1e-6))

# %% tags=["remove-cell"]
assert np.abs(found - small_pictures[2]).max() < 1e-6 < 0.02 < np.abs(mixture - small_pictures[2]).mean()

# %% [markdown]
# To the last digit. No search and no guess: **one division**. The picture has left the hospital; it was only written in another way.
#
# With four pictures in the batch, each column is a mixture of the pictures for which its unit was not silent. Is that protection? A unit that is awake for *one* picture alone still gives that picture away. So we count: of the pictures of a batch, how many are alone with some unit? The mean over fifty draws of weights and batch:


# %%
def share_alone(count, units):
    alone = []
    for _ in range(50):
        batch = small_pictures[rng.permutation(16)[:count]]
        awake = batch @ rng.normal(0, 1 / 32, (1024, units)) > 0
        alone.append(awake[:, awake.sum(axis=0) == 1].any(axis=1).mean())
    return float(np.mean(alone))


# %% nbval_tolerance=0.05
rows = {units: {count: round(share_alone(count, units), 2) for count in (2, 4, 8)} for units in (16, 64, 256)}
pd.DataFrame(rows).T.rename_axis("units").rename_axis(columns="pictures in the batch")

# %% tags=["remove-cell"]
assert rows[16][8] < rows[16][2] - 0.2
assert rows[256][8] > rows[16][8] + 0.2

# %% [markdown]
# A larger batch hides more, and a wider layer gives more away. A batch is a crowd, and no wall.
#
# ## And a U-Net?
#
# A U-Net has no dense layer, and a gradient of a convolution is a sum over all places. So no division brings the picture back. But one can *search*: start from noise, compute the gradient that this picture would give, compare it with the one that was seen, and change the picture until the two agree. This is **deep leakage from gradients** {cite:p}`zhu2019deep`. `benchmarks/hospitals.py` did it with the U-Net of the contest, at its first step, for pictures of 32×32 pixels. We made it easy for the attacker: ReLU and max pooling were replaced by smooth functions (the search needs second derivatives), and she knows the masks.

# %% mystnb={"figure": {"caption": "One picture of a patient, and what a search finds from what was sent: the gradient of one step on it, the same with noise (0.001 and 0.01 times the length of the gradient for each number), of one step on four pictures, and of four steps on one picture each. Last: the mean of other patients, which anybody can draw."}, "image": {"alt": "Seven small pictures of one chest slice. Stayed and one step look the same. Noise 0.001 is the same with fine grain. Noise 0.01 is hidden in grain, but the outline of the body and of the lungs can be made out. Four pictures, one step: like the original, with a little grain at the edge. Four pictures, four steps: coarse and grainy, with the outline of the body still there. Other patients: a smooth slice of another, flatter shape."}}
with np.load(RESULTS / "hospitals_leak.npz") as stored:
    leaked = dict(stored)
shown = {"stayed": "picture", "one step": "noise 0", "noise 0.001": "noise 0.001", "noise 0.01": "noise 0.01"}
shown |= {"four, one step": "4 pictures, one step", "four, four steps": "4 pictures, four steps"}
shown |= {"other patients": "mean of other patients"}
plotting.show_images([leaked[name] for name in shown.values()], list(shown), panel=2)


# %%
def leak_row(one):
    numbers = [f"{one[key]:.0f}" for key in ("rmse_hu", "rmse_hu_least", "rmse_hu_most")]
    return *numbers, f"{one['correlation']:.2f}", one["pictures"]


leak = recorded["leak"]
ways = {"mean of other patients": "mean of other patients", "one step, one picture": "noise 0"}
ways |= {f"noise {level:g}": f"noise {level:g}" for level in (0.001, 0.003, 0.01)}
ways |= {way: way for way in ("4 pictures, one step", "4 pictures, four steps", "mask unknown", "ReLU and max pooling")}
columns = ["error (HU)", "least", "most", "correlation (median)", "pictures"]
pd.DataFrame({name: leak_row(leak[way]) for name, way in ways.items()}, index=columns).T

# %% tags=["remove-cell"]
baseline = leak["mean of other patients"]
assert leak["noise 0"]["rmse_hu_most"] < baseline["rmse_hu_least"]
assert leak["4 pictures, one step"]["correlation"] > 0.95 > baseline["correlation"]
assert leak["4 pictures, one step"]["rmse_hu_most"] > baseline["rmse_hu_most"]
assert leak["noise 0"]["rmse_hu"] < leak["noise 0.001"]["rmse_hu"] < 0.6 * baseline["rmse_hu"]
assert abs(leak["noise 0.003"]["rmse_hu"] / baseline["rmse_hu"] - 1) < 0.2
failed = ("noise 0.01", "4 pictures, four steps", "mask unknown", "ReLU and max pooling")
assert all(leak[way]["rmse_hu"] > 1.8 * baseline["rmse_hu"] for way in failed)

# %% [markdown]
# The error is a root mean square; *least* and *most* are its range over the pictures, of three networks. The first line is what to compare with: somebody who has never seen this patient, and draws the mean of two others, is off by this much.
#
# From the gradient of one step on one picture, the search does far better, for every picture. When four pictures share the step it mostly does too, though some are lost. So a U-Net leaks as well; it takes some seconds of computing in place of one division. With noise of 0.001 the pictures are still better than the mean of two others; with 0.003 they are about as far off.
#
# The other lines are what stopped *this* attack: more noise, several steps before sending, a mask that she does not know, ReLU with max pooling. By this error she would do better to draw the mean of others. But look at the figure: with noise of 0.01, and after four steps, one still makes out the body of *this* patient. So do not read these lines as protection. Stronger attacks follow the steps one by one, use what pictures look like, or choose the weights that they send; others have succeeded with ReLU and in trained networks {cite:p}`geiping2020inverting`. Others again found the attacks weak where training was realistic {cite:p}`hatamizadeh2023gradient`. What is safe to say: one step on few pictures, sent in the clear, can be as good as sending the pictures.
#
# ## What noise costs
#
# Two things make such an attack harder, and both are done in the hospital, before anything is sent. **Clip**: shorten the update, taken as one long vector, to a fixed length, the clipping norm. **Add noise**: a random number to each weight. Its size is given in units of the clipping norm, the **noise multiplier** {cite:p}`abadi2016deep`. What does it cost the network?

# %%
rows = {}
for level in (0, 0.003, 0.01, 0.03, 0.1):
    dice = recorded["dice"][f"noise {level:g}"]
    lost = recorded["differences"][f"noise {level:g} − federated, group"]
    rows[level] = (
        f"{dice['all four']['mean']:.3f}",
        *(interval(lost[name]) for name in ("all four", "North", "South")),
    )
columns = ["Dice, all four", "difference, all four", "difference, North", "difference, South"]
pd.DataFrame(rows, index=columns).T.rename_axis("noise multiplier").rename(index={0: "0: clipping alone"})

# %% tags=["remove-cell"]
assert gap["noise 0 − federated, group"]["all four"]["mean_high"] < 0
assert all(abs(gap[f"noise {level:g} − noise 0"]["all four"]["mean"]) < 0.01 for level in (0.003, 0.01))
assert gap["noise 0.1 − noise 0"]["all four"]["mean_high"] < 0
clipping = gap["noise 0 − federated, group"]
assert all(clipping[name]["mean_low"] < 0.001 < clipping[name]["mean_high"] for name in ("North", "East", "West"))
assert clipping["South"]["mean_high"] < -0.05

# %% [markdown]
# The first row is clipping alone. The clipping norm is the median length of the updates of a run that served for choosing. Clipping costs nothing that can be seen at North, and at East and West it is the same; but at South it costs more than a tenth of Dice: again the mean over four hides one. The smaller noises cost hardly anything on top, since they cancel in part over hospitals and rounds. The largest costs something everywhere. And do not lay this table beside that of the attack: there one step on one picture was sent, here ten steps on eighty. From such updates nothing was reconstructed, or tried; so the two tables do not say which noise protects.
#
# Is it *private* now? Our attack failing is no proof: a better one may not. **Differential privacy** is the promise that holds against every attack: what is sent would look almost the same without this hospital's data. "Almost" is a number, ε; small is good. We state none for our networks, because we have not accounted for it. But a known bound {cite:p}`dwork2014algorithmic` says how much noise is enough for *one* sending at ε just below 1 and δ = 0.00001, if what must not be seen is whether this hospital takes part:

# %%
enough = np.sqrt(2 * np.log(1.25 / 1e-5))
print(f"noise multiplier {enough:.1f}; the most we tried is 0.1")
print(f"length of such noise, in clipping norms: {enough * recorded['weights'] ** 0.5:.0f}")

# %% tags=["remove-cell"]
assert 40 < enough / 0.1 < 60 and enough * recorded["weights"] ** 0.5 > 200 and rounds == 12

# %% [markdown]
# That is some fifty times the largest noise of the table, for one sending, and there are twelve rounds. (Sharper bounds ask for somewhat less.) Noise of this size, hundreds of times as long as the update itself, would leave nothing of it. With four participants a useful network and a small ε for each *hospital* do not go together; with thousands of participants, over whom noise cancels, or with a promise for each *patient* (noise in every step, inside the hospital), they may. So do not call our noise private. It is noise.
#
# ## What else it takes
#
# - **Secure aggregation** {cite:p}`bonawitz2017practical`: the hospitals add masks of random numbers that cancel in the sum, so that the server sees the sum of all updates and none of them. Then the attack above meets the mixture of all hospitals. It does not hide what the sum itself tells, and with two hospitals each can subtract its own.
# - **A dishonest server** may send weights that are made to leak, such as a dense layer at the entrance. Who wrote the program, who may change it, and who reads what is sent are questions for a contract.
# - **The law still asks.** What can be traced back to a person may count as personal data, and after this page you know that an update can be. Whether consent, an ethics vote, a contract between the hospitals or an agreement with whoever runs the server is needed depends on the country and the purpose; ask those who know before the first round, and not after it. Federated learning can make these talks easier. It does not replace them.
# - **Nobody sees all data.** A wrong label convention at one hospital, a flipped axis or a second window stays unseen by the others, as no one can look. Check at each hospital ([notebook 01](01_data_pairing.ipynb), [notebook 02](02_preprocessing.ipynb)), agree on one protocol, and report the result hospital by hospital ([notebook 18](18_subgroups.ipynb)).
# - **Tools** do the traveling: NVIDIA FLARE {cite:p}`roth2022flare` and Flower {cite:p}`beutel2020flower` start, secure and watch the rounds. In what was the largest study when it appeared, in 2022, 71 sites on six continents trained a network for brain tumors in this way {cite:p}`pati2022federated`.
#
# ## Take-aways
#
# - Federated averaging is a weighted mean of weights. After one step on all images it equals pooled training; check your program with that. After more it drifts.
# - Say what is equal in a contest. At equally many steps the federated network was behind here, with more rounds it nearly caught up; where nobody had trained it beat the networks of single hospitals, and not the pooled one.
# - Judge at each hospital. One hospital can fail while the mean looks well.
# - Batch normalization stores averages that fit nobody in particular. Keep them at home, or normalize within the image.
# - The gradient of a dense layer *is* the picture, up to one division. A U-Net's takes a search.
# - A larger batch, more steps and some noise made our attack fail. That is an observation, and no guarantee. A guarantee has an ε, and costs more.
# - "The data stay at home" is a sentence about files. Consent, contracts and the law ask about people.
#
# ## Questions to test yourself
#
# 1. Four hospitals average their weights, each by its share of the images. When is a round the same as training on the pooled images?
#
#    - A. Whenever all hospitals have equally many images.
#    - B. Whenever all hospitals have the same scanner.
#    - C. When each takes one plain step, on all its images.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The gradient of a mean over all images is the weighted mean of the hospitals' gradients. From the second step on each walks from another point.
# - **Not A:** the shares take care of unequal numbers. What breaks the equality is the second step.
# - **Not B:** it makes the drift small. But two hospitals with one scanner still have different patients, and walk to different points.
#
# </details>
#
# 2. With batch normalization left at home, all four hospitals are content. A fifth asks for "the network". What do you answer?
#
#    - A. There is none for it: each of the four has other layers of normalization.
#    - B. Take that of the largest hospital, it has seen most.
#    - C. Take the average of all four; the layers fit anywhere.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** The fifth needs layers of its own, so images of its own, and a test on its own patients.
# - **Not B:** its statistics are those of another scanner, and the number of its patients does not change that.
# - **Not C:** the average fits the hospitals in the middle. The page shows a hospital at which such averages fail.
#
# </details>
#
# 3. "We send an update after a batch of eight pictures. They are mixed, so nobody can take one out." What is wrong?
#
#    - A. Nothing: eight unknown pictures cannot be computed from one sum.
#    - B. A unit that is awake for one picture alone gives that picture away.
#    - C. The pictures can be told apart by their patient numbers.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** A layer has many units, and each makes a sum of its own. The wider the layer, the more pictures are alone with some unit.
# - **Not A:** it is not one sum, but one for each unit and each weight: many more numbers than pixels.
# - **Not C:** no number of a patient is in a gradient. The picture itself is.
#
# </details>
#
# 4. With noise, the attack of this page finds nothing. What may you tell the hospital's board?
#
#    - A. That the training is now anonymous.
#    - B. That this attack failed, under these conditions, and what the noise cost.
#    - C. That ε is below 1.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** A failed attack is an observation. With another attack, another network or many rounds it may be different.
# - **Not A:** nobody has shown that. Anonymous is a claim about every attack.
# - **Not C:** an ε must be accounted for, over all rounds. The page states none, and its noise lies far below the bound for one sending.
#
# </details>
#
# 5. A colleague reports: "Federated: Dice 0.95, averaged over all test patients of all hospitals." Name two questions that you ask.
#
# <details><summary>Answer</summary>
#
# How is it at each hospital, the smallest and the oddest among them? And compared with what: pooled, each alone, at equally many steps, on the same patients, with intervals? A mean over all can hide that one hospital would do better alone.
#
# </details>
#
# ## Read more
#
# - McMahan et al. (2017) {cite:p}`mcmahan2017federated`: federated averaging.
# - Rieke et al. (2020) {cite:p}`rieke2020future`: what it could mean for hospitals, and what it asks of them.
# - Li et al. (2021) {cite:p}`li2021fedbn` and Andreux et al. (2020) {cite:p}`andreux2020siloed`: batch normalization left at home, wholly or its statistics only.
# - Hsieh et al. (2020) {cite:p}`hsieh2020quagmire`: data that differ from place to place, and group normalization.
# - Zhu, Liu and Han (2019) {cite:p}`zhu2019deep`: pictures out of gradients. Geiping et al. (2020) {cite:p}`geiping2020inverting`: also with ReLU, in deep and trained networks.
# - Hatamizadeh et al. (2023) {cite:p}`hatamizadeh2023gradient`: how far such attacks reach in realistic training on medical pictures.
# - Kaissis et al. (2021) {cite:p}`kaissis2021end`: secure aggregation and differential privacy on chest X-rays of several hospitals.
# - The words of this page are in the [glossary](../book/glossary.md).

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
# # 07 Losses and imbalance
#
# What does the loss make the network care about?

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - say what each of seven losses sees, pixel by pixel, and draw it,
# - write a loss of your own and compile a network with it, once four pixels have tested it,
# - choose between a weight in the loss and more crops that hold the object,
# - tell apart what a loss has changed and what another threshold would have changed,
# - see whether a learning rate is too high or too low, and what L2 and dropout did.
#
# **You need before:** Dice, precision and recall ([notebook 05](05_evaluation.ipynb)); what a training is ([notebook 04](04_gpu_training.ipynb)).
#
# **Minutes:** 60 to read, with four exercises, 2 to run on two cores.
#
# **The misconception it removes:** "A lower loss is a better segmentation."
#
# </div>

# %%
from unet_helpers import load_dataset, plotting
from unet_helpers.data import nodule_task
from unet_helpers.training import DiceCrossEntropy, DiceLoss, FocalCrossEntropy, TverskyLoss

data = nodule_task(load_dataset("phantom"))
k = abs(data.train.masks.sum(axis=(1, 2)) - 40.0).argmin()
image, truth = data.train.images[k], data.train.masks[k]

# %%
import numpy as np

belief = np.where(truth == 1, 0.05, 0.02)
belief[(truth == 1) & (np.arange(64) < np.argwhere(truth)[:, 1].mean())] = 0.8
belief[np.roll(truth, (26, 18), axis=(0, 1)) == 1] = 0.7

# %% mystnb={"figure": {"caption": "A nodule, what a network believes halfway through a training, and where six losses pull. Red: the loss pulls the pixel toward nodule; blue: toward background. Each map has its own scale (square root of the pull, so that weak pulls show)."}, "image": {"alt": "Eight panels. A crop of a lung with an outlined nodule; probabilities, bright in the left half of the nodule and in a spot further down; then one map per loss. In all maps the nodule is red and the spot blue. For cross-entropy the missed half is the reddest and all the background pale blue; with weights the background and the spot are fainter; for focal the background is white; for Dice and Tversky the found half is redder than the missed one; for the sum both halves are dark red."}}
import keras
import tensorflow as tf


def pull(loss, truth, belief):
    logits = tf.Variable(np.log(belief / (1 - belief))[None, ..., None].astype("float32"))
    with tf.GradientTape() as tape:
        value = loss(truth[None, ..., None], tf.sigmoid(logits))
    return -tape.gradient(value, logits).numpy()[0, ..., 0]


losses = {
    "cross-entropy": keras.losses.BinaryCrossentropy(),
    "weighted, 10 to 1": FocalCrossEntropy(gamma=0, class_weights=(1, 10)),
    "focal": FocalCrossEntropy(gamma=2),
    "Dice": DiceLoss(),
    "Tversky": TverskyLoss(alpha=0.2, beta=0.8),
    "Dice + weighted": DiceCrossEntropy(class_weights=(1, 10)),
}
pulls = {name: pull(loss, truth, belief) for name, loss in losses.items()}
plotting.show_pulls(image, truth, belief, pulls)

# %% [markdown]
# The probabilities in the second panel are made by hand: they stand for a network that has found one half of the nodule and missed the other, and that raises a false alarm on vessels further down. The missed half has probability 0.05, and all other background 0.02. What happens in the next step? The **gradient of the loss** decides: one number per pixel, which says how the loss changes with the output before the sigmoid (the *logit*). The maps show minus the gradient, the **pull**: whether this output should go up or down, and how hard the loss pulls. The six losses are explained one by one below.
#
# All pull the missed half up (red) and the false alarm down (blue). They differ in what else they pull, and how hard:
#
# - **Cross-entropy** also pulls at thousands of background pixels that are nearly right already. Each of them gets little, but together with the false alarm they get most of the pull, and the nodule is left with a sixth.
# - A **weight** of 10 on the nodule pixels gives two thirds of the pull to the nodule.
# - **Focal** cross-entropy ignores what is nearly right, background and found half alike, and turns to the gross errors.
# - **Dice** and **Tversky** pull harder at the half that is *found* than at the half that is missed. That looks absurd; the reason comes below.
# - The **sum** of Dice and weighted cross-entropy pulls hard at both halves.
#
# ## Almost everything is background
#
# The images are crops of 64×64 pixels of the phantom: the middle rows of each slice, cut into a left and a right half. Every pixel is *nodule* or *everything else*.

# %%
share = data.train.masks.mean()
print(f"{len(data.train)} crops of {len(data.train.patients)} patients")
print(f"{share:.2%} of the pixels are nodule; accuracy of an empty mask: {1 - share:.1%}")

# %% [markdown]
# About one pixel in a thousand is nodule. This is **class imbalance**, and it is the normal case for lesions. A loss that averages over pixels averages mostly over background.
#
# ## One pixel at a time: cross-entropy, weights, focal
#
# Let $p_t$ be the probability that the network gave to the *true* class of a pixel. Three losses look at each pixel by itself, and then average:
#
# $$\text{cross-entropy} = -\log p_t \qquad \text{weighted} = -w \log p_t \qquad \text{focal} = -(1-p_t)^\gamma \log p_t$$
#
# The weight $w$ depends on the class: 10 for nodule, 1 for background. The focal factor depends on how *right* the pixel is already: at $\gamma = 2$ a pixel with $p_t = 0.9$ counts a hundredth of its cross-entropy {cite:p}`lin2017focal`. Here are four pixels by hand:

# %%
import pandas as pd

p_t = np.array([0.99, 0.9, 0.5, 0.05])
rows = {"cross-entropy": -np.log(p_t), "focal": -((1 - p_t) ** 2) * np.log(p_t)}
pd.DataFrame(rows, index=["sure and right", "right", "undecided", "sure and wrong"]).map("{:.2g}".format)

# %% [markdown]
# From the last row to the first, cross-entropy falls by a factor of three hundred, and focal by a factor of millions: thousands of easy background pixels weigh next to nothing in the focal loss.
#
# How hard does each loss pull at a *nodule* pixel to which the network gives probability $p$?

# %% mystnb={"figure": {"caption": "Pull on a nodule pixel, relative to each loss's strongest, by the probability it has now."}, "image": {"alt": "Three curves over the probability that a nodule pixel is given, from 0 to 1, each scaled to its own maximum. Cross-entropy falls in a straight line from 1 to 0. Focal starts a little below 1, has its maximum near 0.06 and then falls faster. Dice starts at 0, rises to its maximum in the middle and falls to 0 again."}}
p = np.linspace(0.005, 0.995, 45)
curves = {name: pull(losses[name], np.ones((1, 45)), p[None])[0] for name in ("cross-entropy", "focal", "Dice")}
relative = {name: curve / curve.max() for name, curve in curves.items()}
plotting.show_lines(p, relative, "probability of nodule, in a nodule pixel", "pull", limits=(0, 1.4))

# %% [markdown]
# At the left end the network is sure that the nodule pixel is background. Cross-entropy pulls hardest there. The pull of Dice is next to *zero*: it follows $p(1-p)$, the slope of the sigmoid, and nothing in the Dice loss makes up for it. So a nodule has no voice once the network has ruled it out, which is one reason for adding cross-entropy to Dice.
#
# ## All pixels together: Dice and Tversky
#
# The other family counts over the whole batch, from the truth $y$ and, in place of decisions, the probabilities $p$:
#
# $$\text{TP} = \sum y\,p \qquad \text{FP} = \sum (1-y)\,p \qquad \text{FN} = \sum y\,(1-p)$$
#
# $$\text{Dice loss} = 1 - \frac{2\,\text{TP}}{2\,\text{TP} + \text{FP} + \text{FN}} \qquad \text{Tversky loss} = 1 - \frac{\text{TP}}{\text{TP} + \alpha\,\text{FP} + \beta\,\text{FN}}$$
#
# A background pixel with probability 0 (a true negative) appears in neither formula: whether there are a thousand or a million of them makes no difference {cite:p}`milletari2016vnet`. (At probability 0.02 it is a fiftieth of a false positive, which explains the pale blue in the first figure.) In Tversky's form $\alpha$ is the price of a false positive and $\beta$ that of a false negative {cite:p}`salehi2017tversky`; with $\alpha=\beta=\frac12$ it is the Dice loss.
#
# ### Exercise 07.1: the soft Dice loss
#
# Write the Dice loss of a mask of 0 and 1 and an array of probabilities of the same shape, with NumPy. Since $2\,\text{TP}+\text{FP}+\text{FN} = \sum y + \sum p$, two sums and an overlap are enough. Add 1 above and below the line (the *smoothing*), so that an empty mask that is left empty costs nothing.
#
# <details><summary>Hint 1</summary>
#
# Take `y = 1 1 0 0` and `p = 0.8 0.4 0.3 0`, and work out by hand the overlap $\sum y\,p$ and the two sums. What should the loss be if `p` is equal to `y`?
#
# <details><summary>Hint 2</summary>
#
# `(y * p).sum()` is the overlap over all pixels, whatever the shape. It counts twice above the line; do not forget the 1 there, nor the one below, nor that a loss is 1 *minus* the fraction.
#
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import losses_and_imbalance as check


def soft_dice_loss(y, p):
    return ...


check.soft_dice_loss(soft_dice_loss)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def soft_dice_loss(y, p):
    return 1 - (2 * (y * p).sum() + 1) / (y.sum() + p.sum() + 1)


check.soft_dice_loss(soft_dice_loss)

# %% [markdown]
# ### Exercise 07.2: what is a missed pixel worth?
#
# A missed nodule pixel should cost nine times as much as a false one. Choose $\alpha$ and $\beta$, with sum 1.
#
# <details><summary>Hint 1</summary>
#
# Which of the two is the price of a missed pixel? The paragraph below the formulas says so. Should it be the larger or the smaller one?
#
# <details><summary>Hint 2</summary>
#
# You have two equations, $\beta = 9\alpha$ and $\alpha + \beta = 1$. Put the first into the second.
#
# </details>
# </details>

# %%
weights = ...  # (alpha, beta)

check.tversky_weights(weights)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
weights = (0.1, 0.9)

check.tversky_weights(weights)

# %% [markdown]
# Move the sliders through the losses and through the states of a training. On the left is what the network believes, on the right where the loss pulls. (In the first state, the outlined nodule has the same probability as everything else.)

# %% mystnb={"figure": {"caption": "Belief (left) and pull (right) for five losses in four states."}, "image": {"alt": "Two sliders, for the loss and for the state of the training, above two pictures: the probabilities, and a map of red and blue that shows where the loss pulls."}}
from unet_helpers.plotting.widgets import explore_two

lost, found = np.where(truth == 1, 0.001, 0.02), np.where(truth == 1, 0.9, 0.02)
states = {"at the start": 0 * truth + 0.003, "nodule lost": lost, "halfway": belief, "nodule found": found}
frames = []
for loss in list(losses.values())[:5]:
    maps = [pull(loss, truth, state) for state in states.values()]
    top = np.abs(maps).max()
    frames.append([plotting.paint_pull(b, m, truth, top) for b, m in zip(states.values(), maps, strict=True)])
explore_two(frames, (list(losses)[:5], list(states)), ("loss", "state"), start=(3, 1), width=512)

# %% [markdown]
# Each loss has one scale for all four states. Choose *Dice* and *nodule lost*: the map is almost white, although all of the nodule is missing. In the same state, cross-entropy is at its reddest.
#
# ## How far off? The boundary loss
#
# None of these losses asks *where* a false pixel lies: one beside the nodule costs as much as one at the far end of the lung. A **boundary loss** {cite:p}`kervadec2021boundary` multiplies each probability by the distance $\phi$ of its pixel from the true boundary, counted negative inside the nodule, and takes the mean: $\frac1N\sum \phi\,p$. The distances are computed from the masks before the training, and the loss gets them in place of the masks.

# %% mystnb={"figure": {"caption": "The same probabilities as in the first figure, and where the Dice loss and the boundary loss pull."}, "image": {"alt": "Four panels. A crop of a lung with an outlined nodule; the probabilities; the pull of Dice: the nodule is red, the background evenly pale blue, the spot a little bluer; the pull of the boundary loss: the nodule is pale red, the background blue, the more so the further away from the nodule, and the spot by far the bluest."}}
from keras import ops
from scipy.ndimage import distance_transform_edt


def signed_distance(mask):
    return distance_transform_edt(1 - mask) - distance_transform_edt(mask)


def boundary_loss(distance, p):
    return ops.mean(distance * p)


distance = signed_distance(truth)
pulls = {"Dice": pulls["Dice"], "boundary": pull(boundary_loss, distance, belief)}
plotting.show_pulls(image, truth, belief, pulls)

# %%
on_alarm = {name: round(1000 * float(np.abs(one[belief == 0.7]).mean()), 2) for name, one in pulls.items()}
print("pull on a pixel of the false alarm, in thousandths:", on_alarm)
costs = [float(boundary_loss(distance, mask)) for mask in (0 * truth, truth)]
print("boundary loss of an empty mask {:.3f}, of the right one {:.3f}".format(*costs))

# %% [markdown]
# At the false alarm, some 30 pixels away, the boundary loss pulls five times as hard as Dice. To the nodule, which is less than four pixels deep, it adds little. By itself it hardly tells the right mask from an empty one. So it is *added* to Dice, and its authors keep its weight constant or raise it during the training. A crop without a nodule has no boundary; there the term is left out.
#
# ## A loss of your own, and four pixels to test it
#
# For Keras a loss is a function of truth and prediction, written with `keras.ops` so that it has a gradient. This is the Tversky loss with $\alpha=0.2$ and $\beta=0.8$, line by line from the formula:


# %%
def my_tversky(y_true, y_pred):
    tp = ops.sum(y_true * y_pred)
    fp = ops.sum((1 - y_true) * y_pred)
    fn = ops.sum(y_true * (1 - y_pred))
    return 1 - tp / (tp + 0.2 * fp + 0.8 * fn)


# %% [markdown]
# That is all that `compile` needs. Four steps with it, and a comparison with the loss of this series (without smoothing):

# %%
from unet_helpers import UNet
from unet_helpers.training import make_targets

keras.utils.set_random_seed(0)
network = UNet((64, 64, 1), num_classes=1, base_filters=8, depth=3)
network.compile(optimizer="adam", loss=my_tversky)

images, targets = data.train.images[:64], make_targets(data.train.masks[:64], 1)
network.fit(images, targets, batch_size=16, verbose=0)
output = network(images)
bool(np.isclose(my_tversky(targets, output), TverskyLoss(0.2, 0.8, smooth=0)(targets, output)))

# %% [markdown]
# A mistake in such a function raises no error. The training runs, the loss falls, and the network learns something else. So test a loss before you use it, on pixels that you can count on your fingers: one false positive, then one false negative.


# %%
def pixels(*values):
    return np.reshape(values, (1, 2, 2, 1)).astype("float32")


y = pixels(1, 1, 0, 0)
cases = {"one too many": pixels(1, 1, 1, 0), "one too few": pixels(1, 0, 0, 0)}

# %% [markdown]
# On paper: one too many is TP 2, FP 1, so $1 - 2/2.2 \approx 0.09$; one too few is TP 1, FN 1, so $1 - 1/1.8 \approx 0.44$. Here are our own function and the loss that comes with Keras:

# %%
tversky = {"my_tversky": my_tversky, "Keras": keras.losses.Tversky(alpha=0.2, beta=0.8)}
pd.DataFrame({name: [float(loss(y, p)) for p in cases.values()] for name, loss in tversky.items()}, cases).round(2)

# %% [markdown]
# Keras gives another answer: in version 3.15.1 `keras.losses.Tversky` has $\alpha$ and $\beta$ exchanged (pull request 23333 of keras-team/keras has fixed this on the main branch since). Set $\beta=0.8$ there to find more nodules, and you get a network that avoids false alarms instead. With the default weights nobody can notice, because they are equal.
#
# The second trap is the empty mask. Most crops hold no nodule. What does it cost to leave such a crop empty, and what does it cost to call all of its pixels nodule?

# %%
empty, alarm = pixels(0, 0, 0, 0), pixels(1, 1, 1, 1)
dice_losses = {"ours": DiceLoss(), "Keras": keras.losses.Dice()}
answers = {name: [float(loss(empty, p)) for p in (empty, alarm)] for name, loss in dice_losses.items()}
pd.DataFrame(answers, ["left empty", "false alarm"]).round(2)

# %% [markdown]
# `keras.losses.Dice` gives 1 for both. The perfect answer gets the worst value, and the gradient is zero: from a batch without a nodule the network learns nothing. The smoothing of exercise 07.1 repairs this.
#
# Keras's cross-entropy and focal cross-entropy agree with ours, which follow the formulas above:

# %%
q = pixels(0.9, 0.3, 0.6, 0.1)
focal = FocalCrossEntropy(gamma=2)(y, q), keras.losses.BinaryFocalCrossentropy(gamma=2)(y, q)
plain = FocalCrossEntropy(gamma=0)(y, q), keras.losses.BinaryCrossentropy()(y, q)
np.allclose(*focal), np.allclose(*plain)

# %% [markdown]
# One caution about the focal loss of Keras: its option `alpha=0.25`, the value of the paper (used only with `apply_class_balancing=True`), makes the *foreground* count less than the background, because $\gamma$ has already silenced the easy background.
#
# ### Exercise 07.3: two suspects
#
# `check.suspect_a` and `check.suspect_b` take a truth and a prediction, and both are said to be a Tversky loss that charges 0.2 for a false positive and 0.8 for a false negative, with 0.5 added above and below the line. One of them is wrong. Choose a truth and a prediction of four pixels each, 0 or 1, on which the two differ, and name the wrong one.
#
# <details><summary>Hint 1</summary>
#
# There are two kinds of error, and each has its price. If your four pixels hold one error of each kind, could you see whether the prices have changed places?
#
# <details><summary>Hint 2</summary>
#
# Make errors of one kind only, for example a single false positive, and print both suspects: `check.suspect_a(my_truth, my_prediction)`, and the same for B. Which of them agrees with what you work out by hand?
#
# <details><summary>Hint 3</summary>
#
# By hand it is $1 - \dfrac{\text{TP} + 0.5}{\text{TP} + 0.2\,\text{FP} + 0.8\,\text{FN} + 0.5}$.
#
# </details>
# </details>
# </details>

# %%
my_truth, my_prediction = ..., ...
wrong = ...  # "A" or "B"

check.four_pixels(my_truth, my_prediction, wrong)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
my_truth, my_prediction = [1, 1, 0, 0], [1, 1, 1, 0]
print(*(round(suspect(my_truth, my_prediction), 2) for suspect in (check.suspect_a, check.suspect_b)))
wrong = "A"  # by hand, with the smoothing: 1 - 2.5 / (2.5 + 0.2), which is B

check.four_pixels(my_truth, my_prediction, wrong)

# %% [markdown]
# ## Or change the batches: foreground sampling
#
# A weight changes what a pixel counts. **Foreground sampling** changes which pixels the network gets to see: nnU-Net places a third of the patches around a pixel of the foreground {cite:p}`isensee2021nnunet`. For whole slices, `draw_crops(..., around=1, share=1/3)` does so ([notebook 04](04_gpu_training.ipynb)). Our crops are cut already, and three lines of NumPy draw half of them from those with a nodule:

# %%
masks, rng = data.train.masks, np.random.default_rng(0)
with_nodule = np.flatnonzero(masks.any(axis=(1, 2)))
anywhere = rng.integers(len(masks), size=4000)
half = np.where(rng.random(4000) < 0.5, rng.choice(with_nodule, 4000), anywhere)

drawn = {"every crop alike": anywhere, "half with a nodule": half}
rows = {name: (masks[k].any(axis=(1, 2)).mean(), masks[k].mean()) for name, k in drawn.items()}
pd.DataFrame(rows, index=["crops with a nodule", "pixels of nodule"]).T.map("{:.2%}".format)

# %% [markdown]
# Each nodule pixel now comes up three to four times as often. Is that the same as a weight of 3.5? Not quite:
#
# - A weight raises the nodule pixels only. Sampling also brings their *surroundings* more often, and crops without a nodule, in which false alarms are unlearned, half as often.
# - A weight can only multiply what is in the batch. One crop in six holds a nodule here; in a volume it may be one patch in a hundred, and then most batches have nothing to multiply. Sampling puts something into every batch.
# - The same few nodules come round more often, so the network may know them by heart sooner.

# %% [markdown]
# ## What each of them learns
#
# The small U-Net, the crops, the number of steps and the seed are the same; only the loss differs. We train with two of the losses here; the others come from a recorded experiment below.

# %%
from unet_helpers import predict_masks, start_at_class_shares, train


def learn(loss):
    keras.utils.set_random_seed(0)
    network = UNet((64, 64, 1), num_classes=1, base_filters=8, depth=3)
    start_at_class_shares(network, data.train.masks)
    train(network, data, epochs=6, learning_rate=3e-3, loss=loss, keep="last")
    return network


# %% nbval_tolerance=0
networks = {name: learn(losses[name]) for name in ("cross-entropy", "weighted, 10 to 1")}
found = {name: predict_masks(network, data.validation.images) for name, network in networks.items()}

# %% tags=["remove-cell"]
from unet_helpers.evaluation import confusion_counts

counts = {name: confusion_counts(data.validation.masks, masks) for name, masks in found.items()}
assert all(0.2 < count.dice < 0.9 for count in counts.values())
certainty = [network.predict(data.validation.images, verbose=0).sum() for network in networks.values()]
assert certainty[1] > 1.5 * certainty[0]

# %% mystnb={"figure": {"caption": "Crops with a nodule, of the validation patients. Top: ground truth. Middle: learned with cross-entropy. Bottom: learned with cross-entropy in which a nodule pixel counts ten times."}, "image": {"alt": "Three rows of the same five crops of lungs, each with one nodule. Top row: the ground truth, five round outlines. Middle row, cross-entropy: the nodules are marked, the two on the right by a few pixels only. Bottom row, weighted: several outlines are wider than in the middle row, but not that of the nodule on the far right."}}
sizes = data.validation.masks.sum(axis=(1, 2))
rows = np.argsort(sizes)[::-1][:10:2]
masks = [*data.validation.masks[rows], *(mask for masks in found.values() for mask in masks[rows])]
titles = [*["ground truth"] * 5, *["cross-entropy"] * 5, *["weighted"] * 5]
plotting.show_images([*data.validation.images[rows]] * 3, titles, [2 * m for m in masks], columns=5, panel=1.5)

# %% [markdown]
# Both networks find these nodules, some of the largest of the validation patients. With the weight, several outlines, though not all, are wider, here and there a little too wide.
#
# One training is an anecdote. The same experiment with ten settings, three seeds each, measured on other patients, was recorded by `benchmarks/losses.py`: the losses from above; *half with nodule*, which is cross-entropy on batches of which half the crops are drawn from those with a nodule (a sixth of the crops have one); and *Dice + boundary*, with the two parts added as they are.

# %%
import json

from unet_helpers.teaching import RESULTS

measured = json.loads((RESULTS / "losses.json").read_text(encoding="utf-8"))["results"]
{key: measured[key] for key in ("training_crops", "epochs", "learning_rate", "held_out_patients")}


# %% mystnb={"figure": {"caption": "Nodules of patients who were not in the training, at a threshold of 0.5. Circles: seeds. Diamond: their mean; gray bar: 95 % interval over seeds and patients (bootstrap)."}, "image": {"alt": "Three panels with a row per setting: Dice per patient, recall, precision. Cross-entropy started at one half is at 0 and has no precision. All others lie near Dice 0.5 with wide, overlapping intervals. Recall is near 0.6 for weighted, 0.5 for Tversky and between 0.37 and 0.45 for the rest; precision is near 0.7 for weighted and Tversky and between about 0.8 and 0.9 for the rest."}}
runs = measured["losses"]
quantities = {"Dice per patient": "dice", "recall": "recall", "precision": "precision"}
plotting.show_estimates(runs, quantities, limits=(-0.03, 1))

# %% [markdown]
# Read it from the top.
#
# - **Started at 1/2**, cross-entropy finds nothing at all (so it has no precision either), and its accuracy is 99.9 %, that of an empty mask. The loss is not to blame: the second row is the same loss, with the output started at the shares of the classes ([notebook 04](04_gpu_training.ipynb)). From one half, the whole budget went into learning that nodules are rare.
# - In **Dice** all the others lie close together, and the seeds (circles) of one setting lie as far apart as the settings. (The bars are long because patients differ. They do not say whether two settings differ. That comes below.)
# - **Recall and precision** do differ. Weighted cross-entropy marks more nodule pixels and more false ones, with every seed; Tversky does so with two seeds of three. Both were told that a miss is expensive. Cross-entropy, focal and Dice are equally cautious: they find about four tenths of the nodule pixels, and what they mark is mostly right. Dice by itself is *no* remedy for imbalance here.
# - **Dice + weighted** behaves like Dice, as if the weight of 10 were not there.
# - **Half with nodule** makes nodules three times as frequent in what the network sees, and is no less cautious than plain cross-entropy: drawing them is no remedy by itself here. **Dice + boundary** cannot be told from Dice.
#
# ### Why does the weight not help in the sum?
#
# Both parts pull, but how hard? A batch of 16 crops has 65,536 pixels, about 60 of them nodule. We give all nodule pixels the same probability, and look at the pull of each part on one of them, in millionths:

# %%
batch = np.zeros((256, 256))
batch[100, 100:160] = 1
parts = {"Dice": losses["Dice"], "weighted cross-entropy": losses["weighted, 10 to 1"]}
rows = {
    p: [1e6 * pull(part, batch, np.where(batch, p, 0.0005))[100, 100] for part in parts.values()]
    for p in (0.5, 0.05, 0.001)
}
pd.DataFrame(rows, list(parts)).T.rename_axis("probability").round(0)

# %% [markdown]
# At probability one half the Dice part is some forty times stronger: it divides by the *object's* pixels, cross-entropy by *all* pixels. Only where the network is sure that there is no nodule, in the last row, is cross-entropy the louder voice. So in this sum it is a safety net against lost nodules and no more. With larger objects, or a larger `crossentropy_weight`, the balance is different. A sum of losses says little until you know the sizes of its parts.
#
# ## Loss, or threshold?
#
# With a weight of 10, cross-entropy finds more than without it. Has the network learned to *see* more? Suppose that some kind of faint shadow is a nodule in one case of five. In a plain training, the answer with the lowest loss on average is then $q = 0.2$. With weight $w$ on the nodule pixels, each nodule among these shadows counts $w$ times, and the best answer to the same shadow is
#
# $$\frac{w\,q}{w\,q + (1-q)}$$
#
# For $w=10$ that is 0.71, above one half, and the shadow is called a nodule. The evidence is the same; the bar has been lowered.
#
# ### Exercise 07.4: the threshold that a weight stands for
#
# The probabilities of a network that was trained with weight $w$ are cut at 0.5. Which threshold on the *plain* probability $q$ makes the same cut? Write it as a function of $w$.
#
# <details><summary>Hint 1</summary>
#
# The weighted network answers with the fraction above. For which $q$ is it exactly one half? Try $w = 1$ first, where you know what must come out.
#
# <details><summary>Hint 2</summary>
#
# A fraction $a / (a + b)$ is one half when $a = b$. What are $a$ and $b$ here?
#
# <details><summary>Hint 3</summary>
#
# Solve $w\,q = 1 - q$ for $q$.
#
# </details>
# </details>
# </details>


# %%
def threshold_of_weight(w):
    return ...


check.threshold_of_weight(threshold_of_weight)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def threshold_of_weight(w):
    return 1 / (1 + w)


check.threshold_of_weight(threshold_of_weight)

# %% [markdown]
# So before you praise a loss, give every network *its own* best threshold, chosen on the validation patients. Does it then still differ from plain cross-entropy? As in [notebook 08](08_architecture_comparison.ipynb), we take differences on the same patients, and intervals for which seeds *and* patients are drawn:

# %% mystnb={"figure": {"caption": "Dice minus that of plain cross-entropy on the same patients, left with all networks at 0.5, right with each at the threshold that was best for it on the validation patients. Circles: seeds. Bar: 95 % interval over seeds and patients; a hollow diamond where it includes 0."}, "image": {"alt": "Two panels with a row for each of the eight other settings that start at the class shares. In both panels every bar crosses the line at 0, and every diamond is hollow. Left, weighted lies 0.035 above and half with nodule 0.034 below. Right, all lie between 0.04 below and 0.015 above."}}
compared = {name: run for name, run in runs.items() if "dice_gain" in run and "start" not in name}
plotting.show_estimates(compared, {"at 0.5": "dice_gain", "own threshold": "dice_at_chosen_gain"}, mark=0, panel=3.6)

# %% [markdown]
# With the weight, the Dice is 0.035 higher at 0.5 and 0.011 higher at thresholds of their own. Is most of its advantage gone? That is a difference of differences, and it needs an interval as well:

# %%
from unet_helpers.evaluation import interval_of_difference

lost = {name: np.subtract(run["dice_by_seed"], run["dice_at_chosen_by_seed"]) for name, run in runs.items()}
low, high = interval_of_difference(lost["weighted"], lost["cross-entropy"])
print(f"{lost['weighted'].mean() - lost['cross-entropy'].mean():.3f}, from {low:.2f} to {high:.2f}")

# %% [markdown]
# Nobody can tell: the intervals of 0.035, of 0.011 and of their difference all reach past zero on both sides. Three seeds and 21 patients with nodules do not show differences in Dice below about 0.07. So count objects: the share of nodules of which at least one pixel was found, and false objects per slice.

# %%
columns = {"found": "found", "false_objects": "false"}
columns |= {f"{key}_at_chosen": f"{name}, own" for key, name in columns.items()}
table = {name: {title: np.mean(run[f"{key}_seeds"]) for key, title in columns.items()} for name, run in runs.items()}
pd.DataFrame(table).T.round(3)

# %%
chosen = {name: ", ".join(f"{t:g}" for t in run["chosen_threshold_seeds"]) for name, run in runs.items()}
pd.Series(chosen, name="best thresholds of the seeds").to_frame()

# %% [markdown]
# At 0.5 the weight finds more nodules with every seed, at ten times as many false objects: 63 % and one in 17 slices, against 51 % and one in 200. At thresholds of their own both find about three quarters, and now plain cross-entropy has one false object in two slices, nearly twice as many as the weighted loss (with seeds that differ by a factor of three). Dice hardly notices: a false object of a few pixels costs little.
#
# All this fits the formula, by which a weight lowers the bar; it does not prove that the weight did nothing else. The thresholds lie roughly where the formula expects them, though they were chosen on few patients: plain cross-entropy wants 0.01 to 0.05, and a weight of 10 turns $q = 0.02$ into 0.17, next to the 0.2 and 0.3 of the weighted network.
#
# The networks with a Dice part gain little from any threshold, even from one near 0.002. A likely reason is that few of their probabilities lie in between: they are sure of nearly everything, and little is left to choose. With cross-entropy you can decide *after* the training how many false alarms a found nodule is worth; with Dice and Tversky you decide before.
#
# ## A lower loss, a better segmentation?
#
# We measure all networks with *one* loss, plain cross-entropy, on the same patients, and put their Dice beside it:

# %%
table = {name: (1000 * np.mean(run["crossentropy_seeds"]), run["dice"]) for name, run in runs.items()}
table = pd.DataFrame(table, index=["cross-entropy × 1000", "Dice"]).T
table["accuracy (%)"] = [100 * np.mean(run["accuracy_seeds"]) for run in runs.values()]
table.sort_values("cross-entropy × 1000").round(2)

# %% [markdown]
# The network with the *lowest* cross-entropy was trained on cross-entropy, of course. *Weighted* has a third more loss and finds more; *focal* has more than twice the loss, and after a change of threshold it is as good as any. The accuracy hardly tells them apart, and even that of the network that finds *nothing* is nearly as high. A loss is a means to train one network, measured in its own units. **A lower loss is a better segmentation only if the loss asks your question**; so decide with the metric, per patient, with an interval.
#
# ## Learning rate: too low, right, too high
#
# The loss says where to go, and the **learning rate** says how far in one step. The best loss cannot help if the step is wrong. Here is the same training with *Dice + weighted* at five rates:

# %% mystnb={"figure": {"caption": "Dice on the training crops (all pixels pooled), epoch by epoch, for five learning rates. Mean of the seeds."}, "image": {"alt": "Training Dice over six epochs for five learning rates. 3e-05 stays at 0. 0.0003 leaves 0 in the third epoch and reaches 0.5. 0.003 climbs steadily above 0.7. 0.03 is highest after the first epoch and then falls behind, at 0.6. 0.3 shows a little Dice for three epochs and falls back to 0."}}
rates = measured["learning_rates"]
curves = {rate: run["training_curve"] for rate, run in rates.items()}
epochs = range(1, measured["epochs"] + 1)
plotting.show_lines(epochs, curves, "epoch", "training Dice", limits=(-0.03, 1))

# %% mystnb={"figure": {"caption": "Dice per held-out patient by learning rate. Circles: seeds (three for the standard rate, one for the others)."}, "image": {"alt": "Dice by learning rate: 0 for 3e-05, about 0.3 for 0.0003, about 0.5 for 0.003 and 0.03, 0 for 0.3."}}
plotting.show_estimates(rates, {"Dice per patient": "dice"}, limits=(-0.02, 0.7), panel=4.6)

# %% [markdown]
# Five shapes to recognize:
#
# - **3e-05, far too low**: nothing moves. More steps could help; a better loss could not.
# - **0.0003, low**: the budget ends before it arrives. If your curve still climbs at the last epoch, try a higher rate before a longer training.
# - **0.003, right**: it climbs steadily, and then flattens.
# - **0.03, high**: it is the fastest in the first epoch and then falls behind. On other patients it is as good, with its one seed. (In every run the rate falls along a cosine, which may help the high one.)
# - **0.3, far too high**: it finds something, and loses it for good.
#
# A tenth of the right rate costs two fifths of the Dice (one seed against the mean of three), more than any two losses of this page differ by, the bad start aside. So sweep the rate in factors of ten (or three) *before* you compare losses, and again for each loss: a loss that is ten times smaller has gradients ten times smaller. (Adam, the optimizer here, divides by the size of recent gradients and forgives most of that; plain gradient descent does not.)
# The comparison of losses above did not do this: every loss was trained at 0.003, and this sweep was made for *Dice + weighted* alone. Another loss may be better at another rate.
#
# ## L2 and dropout: when the training set is small
#
# Two additions are meant to keep a network from learning its training set by heart. **Dropout** sets a random part of the values in the feature maps to zero in every training step, so that no single one can be relied on {cite:p}`srivastava2014dropout`; in our `UNet` it is an argument. **L2** adds the squares of the weights (here of the convolution kernels) to the loss:
#
# $$\text{loss} + \lambda \sum w^2$$
#
# so that a weight must earn its size. In Keras it is an argument of the layer, `kernel_regularizer`:

# %%
layer = keras.layers.Conv2D(8, 3, kernel_regularizer=keras.regularizers.L2(1e-3))
one_layer = keras.Sequential([keras.Input((64, 64, 1)), layer])
bool(np.isclose(sum(one_layer.losses), 1e-3 * ops.sum(layer.kernel**2)))

# %% [markdown]
# `fit` adds `losses` to the loss by itself. (And the printed training loss then contains the penalty: another reason not to compare losses of different trainings.) For a network that is built already, as our `UNet`, set `kernel.regularizer` of each convolution.
#
# The recorded experiment has six training patients in place of 34, more epochs, and no augmentation: a setting made for learning by heart.

# %% mystnb={"figure": {"caption": "Dice + weighted. Training Dice is over all pixels of the training crops, during the last epoch; the others are per patient, of patients who were not in the training, at a threshold of 0.5 and at one chosen on the validation patients. 34 patients: the run from above, with dropout 0.1."}, "image": {"alt": "Three panels, four rows: 34 patients; six patients with nothing, dropout 0.3, L2 0.001. Training Dice: about 0.73 with 34 patients and about 0.9 in the other rows. Dice of other patients at threshold 0.5: near 0.5 with 34 patients, 0.25, 0.24 and 0.33 with six. At their own thresholds: 0.51, and 0.43 to 0.48. All intervals of the rows with six patients overlap."}}
small = {"34 patients": runs["Dice + weighted"]} | {
    f"6, {name}": run for name, run in measured["regularization"].items()
}
quantities = {"training Dice": "training_dice", "Dice, others": "dice", "own threshold": "dice_at_chosen"}
plotting.show_estimates(small, quantities, limits=(0, 1), panel=2.7)

# %% [markdown]
# The gap between the first panel and the second is mostly **overfitting**: with six patients the training crops are learned nearly by heart, and at 0.5 a third to a half of what 34 patients taught is missing. (The first panel averages over pixels and the second over patients, a part of the gap.) At a threshold of its own, each network gets much of this back: it had become too cautious rather than blind.
#
# Whether dropout or L2 helps on other patients, three seeds cannot say: at 0.5 L2 is ahead, in the last panel dropout is. Either moves the Dice less than the choice of a threshold, and no row with six patients reaches the one with 34.
#
# Expect little of L2 in a network with batch normalization, which rescales what comes out of each convolution: a smaller kernel gives the same output, and L2 acts mostly like a change of the learning rate {cite:p}`laarhoven2017l2`. (With Adam, L2 in the loss is also not the same as *weight decay*, `keras.optimizers.AdamW` {cite:p}`loshchilov2019adamw`.) Try L2 and dropout when the curves show overfitting, after augmentation, and believe in them only after several seeds.

# %% [markdown]
# <div class="alert alert-warning">
#
# These are small networks, few steps, synthetic patients and one kind of object. With your data another loss may come first, and there too the start, the threshold and the learning rate can matter as much as the loss. Nothing here is a clinical tool.
#
# </div>

# %% [markdown]
# ## Take-aways
#
# - The gradient says what a loss cares about: draw it. Cross-entropy cares about all pixels, focal about gross errors, Dice about overlap, and hardly about an object that the network has ruled out.
# - With rare objects the *start* comes first: begin with the shares of the classes, or a short training ends before anything is found.
# - A class weight acts like a lower threshold. Compare losses at thresholds of their own, by differences on the same patients, with seeds and patients drawn: three seeds could not tell the losses of this page apart by Dice.
# - A weight changes what a pixel counts, foreground sampling which pixels are seen, and a boundary loss what a false pixel costs far from the object.
# - In a sum of losses, look at the sizes of the parts; here Dice outweighed cross-entropy by far.
# - Test a loss with four pixels. Two of Keras 3.15.1 did not pass.
# - Train with a loss, and decide with a metric: compare two trainings by Dice, recall and precision, with seeds and intervals.
#
# ## Questions to test yourself
#
# 1. A network is trained with focal loss, another with cross-entropy. The first ends at a validation loss of 0.001, the second at 0.003. Which is better?
#
#    - A. The first, its loss is a third.
#    - B. The second, as focal loss makes the network careless.
#    - C. Nobody can tell from these numbers.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The two losses have different scales. Compare Dice, recall and precision of both, per patient.
# - **Not A:** focal multiplies every pixel by a factor below 1, so that the same probabilities give a smaller number.
# - **Not B:** it cares less about pixels that are nearly right. Whether that helps or harms has to be measured with a metric.
#
# </details>
#
# 2. You set `keras.losses.Tversky(alpha=0.3, beta=0.7)` in Keras 3.15.1 in order to find more nodules, and the network becomes more cautious. Why, and what would have shown it in a minute?
#
# <details><summary>Answer</summary>
#
# Alpha and beta are exchanged there. Four pixels with one false positive, then four with one false negative, would have shown it, with both losses worked out by hand.
#
# </details>
#
# 3. With a Dice loss alone, a small class is lost early in the training and never comes back. What is the mechanism?
#
#    - A. The Dice loss counts the background, which drowns the small class.
#    - B. The Dice of an empty class is not defined, so that the loss becomes NaN.
#    - C. Where the network is sure that nothing is there, the gradient is nearly zero.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The gradient follows p(1 − p). Add cross-entropy, start the output at the shares of the classes, or both.
# - **Not A:** it has no true negatives: background with probability 0 changes nothing, however much of it there is. It is cross-entropy that counts all pixels.
# - **Not B:** a smoothing term keeps the soft Dice defined, and a NaN would stop all classes and not only a small one.
#
# </details>
#
# 4. Somebody reports Dice 0.51 with cross-entropy and 0.55 with a weighted loss, both at threshold 0.5. What do you ask first?
#
#    - A. What both give at a threshold of their own.
#    - B. Whether the weight could be larger still.
#    - C. Which of the two has the smaller loss.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** A class weight acts like a lower threshold. Choose both thresholds on validation patients; then ask how many seeds there were, and for the interval of the *difference* on the same patients.
# - **Not B:** a larger weight lowers the threshold further. First find out whether there is a gain at all.
# - **Not C:** two losses have two scales. Only a metric can compare them.
#
# </details>
#
# 5. Why is there no true negative in the Dice loss, and when is that a disadvantage?
#
# <details><summary>Answer</summary>
#
# It compares the overlap with the two areas, so that any amount of background changes nothing. In an image without the object, the loss then depends on the smoothing alone: without it, every answer costs 1 and nothing is learned from such images.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Kervadec and others (2021) {cite:p}`kervadec2021boundary`: the boundary loss, and where it comes from.
# - Lin and others (2017) {cite:p}`lin2017focal`: the focal loss, and the start at the class shares (section 3.3).
# - Salehi, Erdogmus and Gholipour (2017) {cite:p}`salehi2017tversky`: the Tversky loss, for lesions of multiple sclerosis.
# - Sudre and others (2017) {cite:p}`sudre2017dice`: a Dice loss that weighs classes by their size, and how it depends on the learning rate.
# - Buda, Maki and Mazurowski (2018) {cite:p}`buda2018imbalance`: remedies for imbalance compared, thresholds among them.
# - Loshchilov and Hutter (2019) {cite:p}`loshchilov2019adamw`: why L2 in the loss and weight decay are not the same with Adam.
# - The words of this page are in the [glossary](../book/glossary.md).

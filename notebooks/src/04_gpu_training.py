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
# # 04 GPU training
#
# How do I train the network, and what does the hardware change?

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - choose output, loss, learning rate and metric for a segmentation, and say what each of them sees,
# - find most mistakes in seconds, by overfitting a single image first,
# - write out what `fit` does, train a U-Net, read its curves, mend them, and resume after an interruption,
# - measure what batch size, precision, compiler and input pipeline cost on *your* device,
# - say which part of a result a seed reproduces, and which it does not.
#
# **You need before:** [notebook 03](03_unet_architecture.ipynb), or else that you know a U-Net and its softmax. Words are explained where they appear, and again in the [glossary](../book/glossary.md).
#
# **Minutes:** 60 to read and work through, 4 to run on two cores.
#
# **The misconception it removes:** "A GPU makes the model better." It gives you the same model sooner. A mistake in the data or the loss stays a mistake.
#
# </div>

# %%
from unet_helpers import UNet, load_checkpoint, load_dataset, plotting

data = load_dataset("phantom")
case = data.validation[(data.validation.masks == 2).sum(axis=(1, 2)).argmax()]

# %% mystnb={"figure": {"caption": "The same architecture before and after training. This notebook leads from the second picture to the third."}, "image": {"alt": "Four copies of one chest CT slice. The first is plain. On the second, an untrained network has colored areas without meaning. On the third, by the trained network, and the fourth, the ground truth, both lungs and a nodule are outlined."}}
import keras
import numpy as np

keras.utils.set_random_seed(0)
networks = [UNet((None, None, 1), num_classes=3, base_filters=8), load_checkpoint()]
masks = [None, *(np.asarray(network(case.images))[0].argmax(axis=-1) for network in networks), case.masks[0]]
plotting.show_images([case.images[0]] * 4, ["slice", "untrained", "trained", "ground truth"], masks, data.class_names)

# %% [markdown]
# ## Which device is there?
#
# TensorFlow lists the devices that it can compute on. After the list we print the name of the GPU, if there is one, and the cores of the processor:

# %% tags=["nbval-ignore-output"]
import tensorflow as tf

from unet_helpers.teaching import describe_device

print([device.name for device in tf.config.list_physical_devices()], describe_device())

# %% [markdown]
# If the first list ends with `GPU:0`, Keras uses the GPU by itself, and nothing in this notebook has to change. If the machine has a GPU but the list shows none, then either TensorFlow was installed without CUDA,
# or it runs on Windows outside WSL2, where TensorFlow has seen no GPU since version 2.11; the [setup page](../book/setup.md) helps.
# Without a GPU everything still works: the network of this series is small enough for two cores.

# %% [markdown]
# ## What the loss sees
#
# Training makes one number smaller, the **loss**. So we ask two losses about four predictions: the truth itself, a missed nodule, lungs one pixel too large on each side, and no foreground at all.

# %% mystnb={"figure": {"caption": "Four predictions. Which is the worst?"}, "image": {"alt": "Four copies of one slice with predictions: lungs and nodule right, nodule missing, lungs slightly too large, nothing predicted at all."}}
from scipy import ndimage

truth = case.masks[0]
larger = np.where(truth == 0, ndimage.binary_dilation(truth > 0, np.ones((3, 3))), truth)
predictions = {"right": truth, "nodule missed": np.minimum(truth, 1), "one pixel larger": larger, "nothing": 0 * truth}
plotting.show_images([case.images[0]] * 4, list(predictions), list(predictions.values()), data.class_names)

# %% [markdown]
# **Cross-entropy** asks every pixel: what probability did you give to the right class? It takes minus the logarithm of that probability, and averages over the pixels, each of which counts alike.
# The **Dice loss** asks every class: how large is the overlap, compared with the sizes? It averages over the classes lung and nodule, however many pixels they have {cite:p}`milletari2016vnet`.
# We let the network be 99.8 % sure of each answer.

# %%
import pandas as pd

from unet_helpers import one_hot
from unet_helpers.training import DiceLoss

losses = {"cross-entropy": keras.losses.CategoricalCrossentropy(), "Dice loss": DiceLoss()}
target = one_hot(truth, 3)[None]
sure = {name: 0.001 + 0.997 * one_hot(mask, 3)[None] for name, mask in predictions.items()}
table = {name: [float(loss(target, p)) for p in sure.values()] for name, loss in losses.items()}
table["accuracy"] = [(mask == truth).mean() for mask in predictions.values()]
pd.DataFrame(table, index=list(predictions)).round(2)

# %% [markdown]
# Read down the columns. Missing the nodule hardly changes the cross-entropy: it is a handful of pixels among 16,384. The Dice loss rises by almost 0.5, because one of two classes is lost.
# For cross-entropy, lungs that are a little too large are worse than the missed nodule; for the Dice loss they are much better.
# Neither is *right*. Their sum looks at both; it is the default of `train`, and of nnU-Net {cite:p}`isensee2021nnunet`. [Notebook 07](07_losses_and_imbalance.ipynb) compares more losses.
#
# Now look at the last column: the prediction that finds *nothing* still has a high accuracy. We will come back to that.

# %% [markdown]
# ### Exercise 04.1: the loss that fits the output
#
# Each pixel belongs to exactly one class. Which activation and which loss belong to a network with `num_classes` maps, when the targets have one channel per map (for a single map, 0 or 1)? Names as in Keras: `"sigmoid"` or `"softmax"`; `"binary_crossentropy"`, `"categorical_crossentropy"` or `"sparse_categorical_crossentropy"`.
#
# <details><summary>Hint 1</summary>
#
# How many numbers does the network give at one pixel? A whole can be shared out among several of them, but not among one. The table "Softmax or sigmoid" of [notebook 02](02_preprocessing.ipynb) has both cases.
#
# <details><summary>Hint 2</summary>
#
# The targets decide between the two categorical losses: the *sparse* one wants a class index at each pixel, the other wants one channel per map.
#
# <details><summary>Hint 3</summary>
#
# Write `if num_classes == 1:` and return one pair there; return the other pair for every larger number. The activation comes first, the loss second.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import gpu_training as check


def output_and_loss(num_classes):
    return ...  # (activation, loss)


check.output_and_loss(output_and_loss)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def output_and_loss(num_classes):
    if num_classes == 1:
        return "sigmoid", "binary_crossentropy"
    return "softmax", "categorical_crossentropy"


check.output_and_loss(output_and_loss)


# %% [markdown]
# ## The optimizer and its learning rate
#
# The **optimizer** moves each weight against the gradient of the loss, and the **learning rate** says how far. One weight and a loss of $(w-3)^2$ are enough to see what can happen:


# %% mystnb={"figure": {"caption": "One weight on its way to 3, with three learning rates."}, "image": {"alt": "Three curves of a weight over twenty steps. With learning rate 0.01 it creeps upward, with 0.2 it reaches 3 within ten steps, with 1.03 it swings above and below 3 ever more widely."}}
def descend(learning_rate, steps=20):
    weights = [0.0]
    for _ in range(steps):
        weights.append(weights[-1] - learning_rate * 2 * (weights[-1] - 3))
    return weights


rates = [0.01, 0.2, 1.03]
plotting.show_lines(range(21), {f"learning rate {rate}": descend(rate) for rate in rates}, "step", "weight")

# %% [markdown]
# If the rate is too small, the weight creeps. If it is too large, the weight overshoots, and the error grows. In between, it arrives. The network of this series has half a million such weights; **Adam** gives each its own step, scaled by the size of its recent gradients {cite:p}`kingma2015adam`.
# Usual learning rates lie between 1e-4 and 1e-3. `train` raises the rate over the first steps, the **warm-up**, and then lowers it along a cosine, so that the last steps are small.

# %% [markdown]
# ## First of all: overfit one image
#
# Before you train for an hour, train for seconds, on *one* slice. A correct pipeline learns it by heart. A pipeline that cannot has a mistake, and no GPU, no data and no patience will mend that.
# We take the training slice with the largest nodule, no dropout, and a high learning rate that falls along a cosine to 0, so that the last steps are small.

# %%
from unet_helpers.training import DiceCrossEntropy

one = data.train[(data.train.masks == 2).sum(axis=(1, 2)).argmax()]

# %%
keras.utils.set_random_seed(0)
student = UNet(num_classes=3, base_filters=8, dropout=0)
falling = keras.optimizers.schedules.CosineDecay(2e-2, decay_steps=120)
student.compile(optimizer=keras.optimizers.Adam(falling), loss=DiceCrossEntropy(), metrics=["accuracy"])

# %% [markdown]
# This is all that a training in plain Keras needs: an optimizer, a loss, metrics to look at, and `fit`. Along the way we keep some predictions.

# %%
steps = [0, 2, 5, 10, 20, 30, 40, 60, 119]
snapshots = {}


def keep(epoch, logs):
    if epoch in steps:
        snapshots[epoch] = np.asarray(student(one.images))[0].argmax(axis=-1)


snap = keras.callbacks.LambdaCallback(on_epoch_end=keep)
overfit = student.fit(one.images, one_hot(one.masks, 3), epochs=120, verbose=0, callbacks=[snap])

# %% tags=["remove-cell"]
from unet_helpers import dice

assert all(dice(one.masks[0] == index, snapshots[119] == index) > 0.9 for index in (1, 2))
assert overfit.history["loss"][-1] < 0.2

# %% mystnb={"figure": {"caption": "Loss on one slice, learned by heart."}, "image": {"alt": "The training loss over 120 steps on one slice: it falls from 2 to almost 0."}}
plotting.show_lines(range(1, 121), {"loss": overfit.history["loss"]}, "step", "loss")

# %% mystnb={"figure": {"caption": "The same slice while the network learns it."}, "image": {"alt": "Five copies of one slice. Ground truth; after 3 and after 21 steps predictions without meaning; after 41 steps lungs and nodule with ragged edges; at the end both match the ground truth."}}
shown = [2, 20, 40, 119]
plotting.show_images(
    [one.images[0]] * 5,
    ["ground truth", *(f"after {step + 1} steps" for step in shown)],
    [one.masks[0], *(snapshots[step] for step in shown)],
    data.class_names,
    columns=5,
    panel=2.0,
)

# %% [markdown]
# The loss falls almost to 0, and the mask becomes the ground truth, nodule included. At the beginning the areas mean nothing; then they gather around the right places; the edges come last. Move the slider to follow it:

# %%
from unet_helpers.plotting.widgets import explore

pictures = [plotting.paint_mask(one.images[0], mask) for mask in (one.masks[0], *snapshots.values())]
frames = [np.hstack([pictures[0], picture]) for picture in pictures[1:]]
explore(frames, [f"ground truth, and after {step + 1} steps" for step in steps], "training", start=4, width=512)

# %% [markdown]
# If yours *cannot* learn one slice, look at these, in this order:
#
# | what you see | usual cause | look at |
# |---|---|---|
# | loss negative, or far above 10 | masks hold 0 and 255 | `np.unique(masks)` |
# | loss constant from the start | sigmoid or softmax over the wrong number of maps; learning rate 0 or far too high | exercise 04.1; try 1e-3 |
# | loss jumps about, or NaN | learning rate too high, images not scaled to 0–1 | `images.min(), images.max()` |
# | lungs appear, shifted or mirrored | image and mask were augmented differently, or do not belong together | draw the mask over the image, [notebook 01](01_data_pairing.ipynb) |
# | training output right, prediction black | batch normalization has not seen enough steps; display scaling | train 100 steps; show with `vmax=2` |
#
# [Notebook 06b](06b_black_masks.ipynb) has the whole tree of questions for an all-black mask.

# %% [markdown]
# ### Exercise 04.2: a loss below zero
#
# This network should learn the lungs with one sigmoid map and binary cross-entropy. The loss goes *below zero*, which a cross-entropy cannot do, so something is wrong with `stored`. Repair the targets.
#
# <details><summary>Hint 1</summary>
#
# Print `np.unique(stored)`. Binary cross-entropy takes a target for the probability of lung. Between which numbers does a probability lie?
#
# <details><summary>Hint 2</summary>
#
# Only the values have to change, not the shape and not the places: 0 stays 0, and 255 becomes 1. A comparison does it, and so does a division.
#
# </details>
# </details>

# %% mystnb={"figure": {"caption": "A cross-entropy below zero."}, "image": {"alt": "A loss curve over ten steps that falls from about zero deep into the negative numbers."}}
stored = (one.masks[..., None] > 0).astype("uint8") * 255
mystery = UNet(num_classes=1, base_filters=4, depth=2)
mystery.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy")
loss = mystery.fit(one.images, stored.astype("float32"), epochs=10, verbose=0).history["loss"]
plotting.show_lines(range(1, 11), {"loss": loss}, "step", "binary cross-entropy")

# %%
repaired = ...

check.repaired_targets(repaired)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
repaired = (stored > 0).astype("float32")

check.repaired_targets(repaired)

# %% [markdown]
# ## The training
#
# Now we train on all training patients. The recipe is short, and the checkpoint of this series was made with it:

# %%
from unet_helpers.training import AUGMENTATION, MODEL, SEED, TRAINING

print(f"model {MODEL}\ntraining {TRAINING}\naugmentation {AUGMENTATION}")

# %% [markdown]
# An **epoch** is one pass over the training set, a **batch** the group of slices whose gradients are averaged for one update. *Augmentation* turns, shifts and scales image and mask together, differently each time,
# so that a few patients look like more. The reason for the `class_weights` is the share of each class:

# %%
shares = np.bincount(data.train.masks.ravel()) / data.train.masks.size
print(", ".join(f"{name} {share:.4f}" for name, share in zip(data.class_names, shares, strict=True)))

# %% [markdown]
# Fewer than one pixel in a thousand belongs to a nodule. Three parts of the training respond to that, and each is a few lines of NumPy and Keras.
#
# ### Class weights
#
# With the `class_weights` 1, 1, 10 a nodule pixel counts ten times in the cross-entropy. Here are the predictions from above again, without weights and with them:


# %% nbval_tolerance=0.01
def crossentropy(truth, probabilities, class_weights):
    given = np.take_along_axis(probabilities, truth[..., None], axis=-1)[..., 0]
    return np.mean(-np.log(given) * np.take(class_weights, truth))


for weights in ((1, 1, 1), (1, 1, 10)):
    print(weights, {name: round(float(crossentropy(truth, p[0], weights)), 2) for name, p in sure.items()})

# %% tags=["remove-cell"]
for p in sure.values():
    helper = DiceCrossEntropy((1, 1, 10))(target, p) - DiceLoss()(target, p)
    assert np.isclose(helper, crossentropy(truth, p[0], (1, 1, 10)), atol=1e-4)

# %% [markdown]
# Now the missed nodule costs more than lungs that are one pixel too large.
#
# ### Exercise 04.3: a start at the shares
#
# An untrained network gives every class some probability, whatever its share. Its first steps then teach it only that nodules are rare, and afterward it may never find one. So the last layer gets a **bias** for each class. Suppose that its inputs were all 0: softmax would see only the biases $b_k$, and give class $k$ the probability $e^{b_k} / \sum_j e^{b_j}$. Which biases make these probabilities equal to the shares? Write a function of the shares, an array that adds to 1.
#
# <details><summary>Hint 1</summary>
#
# Take two classes with the shares 0.8 and 0.2. By what number must $e^{b_1}$ be larger than $e^{b_2}$?
#
# <details><summary>Hint 2</summary>
#
# If each $e^{b_k}$ *is* the share of its class, the sum below the line is 1, and you are done. Which function undoes $e^b$?
#
# </details>
# </details>


# %%
def start_bias(shares):
    return ...


check.start_bias(start_bias)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def start_bias(shares):
    return np.log(shares)


check.start_bias(start_bias)

# %% [markdown]
# In the network the inputs of the last layer are not 0, so the start is only roughly right. The mean probabilities over one slice, before and after:

# %% nbval_tolerance=0.01
keras.utils.set_random_seed(SEED)
untrained = UNet(**MODEL)
before = np.asarray(untrained(case.images)).mean(axis=(0, 1, 2))
untrained.layers[-1].bias.assign(start_bias(shares))
print(before.round(3), np.asarray(untrained(case.images)).mean(axis=(0, 1, 2)).round(3))

# %% tags=["remove-cell"]
from unet_helpers.training import start_at_class_shares

helper = UNet(**MODEL)
start_at_class_shares(helper, data.train.masks)
assert np.allclose(helper.layers[-1].bias, untrained.layers[-1].bias, atol=1e-4)

# %% [markdown]
# `start_at_class_shares` does the same.
#
# ### Crops
#
# And the network sees **crops** of 64×64 pixels instead of whole slices. A coin decides for each whether it is placed near a pixel of a nodule or anywhere:


# %%
def crops_by_hand(images, masks, size=64, fill=0.233):
    rng, margin = np.random.default_rng(0), ((0, 0), (size // 2, size // 2), (size // 2, size // 2))
    padded = np.pad(images, (*margin, (0, 0)), constant_values=fill)
    padded_masks = np.pad(masks, margin)
    with_nodule = [index for index, mask in enumerate(masks) if 2 in mask]
    while True:
        if rng.random() < 0.5:
            index = with_nodule[rng.integers(len(with_nodule))]
            shift = rng.integers(-(size // 3), size // 3 + 1, 2)
            pixels = np.argwhere(masks[index] == 2)
            row, column = np.clip(pixels[rng.integers(len(pixels))] + shift, 0, 127)
        else:
            index, row, column = rng.integers(masks.shape)
        cut = index, slice(row, row + size), slice(column, column + size)
        yield padded[cut], padded_masks[cut]


# %% mystnb={"figure": {"caption": "What the network is shown. New crops are drawn all the time; where one reaches over the border, the image is filled with air, which is 0.233 in this window, and the mask with background."}, "image": {"alt": "Six square crops of chest CT slices. Two show a lung with a nodule, both outlined, one a lung without; the other three show the edge of the body, the table and much air. Beyond the edge of the slice they are evenly dark gray."}}
from itertools import islice

crops = list(islice(crops_by_hand(data.train.images, data.train.masks), 6))
titles = [f"{(mask == 2).mean():.1%} nodule" for _, mask in crops]
plotting.show_images([image for image, _ in crops], titles, [mask for _, mask in crops], data.class_names, columns=3)

# %% tags=["remove-cell"]
from unet_helpers.training import draw_crops

fill = TRAINING["crop_fill"]
drawn = draw_crops(data.train.images, one_hot(data.train.masks, 3), 64, around=2, image_fill=fill)
for (image, mask), (helper, target_of_crop) in zip(crops, drawn, strict=False):
    assert np.allclose(image, helper, atol=1e-6) and np.array_equal(mask, target_of_crop.argmax(axis=-1))

# %% [markdown]
# `draw_crops` of the series draws these very crops. A crop has a quarter of the pixels of a slice, so it costs about a quarter of the time, and that time is spent where there is something to learn. What convolutions learn on crops, they can apply to whole slices. Oversampling the foreground in this way comes from nnU-Net {cite:p}`isensee2021nnunet`.
#
# ### A running mean of the weights
#
# The last two entries of the recipe are there because time is short, and the learning rate of 4e-3 is high for the same reason. Every batch gives a different gradient, so with a high rate a weight never comes to rest. Here is the one weight from above, with some noise in its gradient:

# %% mystnb={"figure": {"caption": "A weight under a high learning rate and noisy gradients, and its running mean."}, "image": {"alt": "Two lines over 60 steps. The weight jumps up and down around 3 by two or more all the time; its running mean rises to 3 within some 20 steps and stays within one of it."}}
noise = np.random.default_rng(0).normal(0, 2, 60)
weights, means = [0.0], [0.0]
for step in range(60):
    gradient = 2 * (weights[-1] - 3) + noise[step]
    weights.append(weights[-1] - 0.8 * gradient)
    means.append(0.9 * means[-1] + 0.1 * weights[-1])
plotting.show_lines(range(61), {"weight": weights, "running mean": means}, "step", "weight")

# %% [markdown]
# The mean moves a tenth of the way to the new weight after each step, which is `average=0.9`. It lags behind a little, and swings much less. `train` continues with the weights themselves, but validates and keeps their mean {cite:p}`polyak1992averaging`. With `warmup=20` the rate reaches its full height after 20 steps.
#
# ### The loop of `fit`
#
# `model.fit` is a loop over batches. Written out for one epoch, with the running mean in it:


# %%
def fit_by_hand(model, batches):
    losses, mean = [], None
    for images, targets in batches:
        with tf.GradientTape() as tape:
            loss = model.loss(targets, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
        weights = [variable.numpy() for variable in model.trainable_variables]
        mean = mean or weights
        mean = [0.9 * m + 0.1 * w for m, w in zip(mean, weights, strict=True)]
    return np.mean(losses), mean


# %% [markdown]
# The tape remembers how the loss came about, `gradient` follows it backward to each weight, and the optimizer makes the step. Two steps by hand and two by `fit`, from the same start and on the same crops, should agree:

# %% nbval_tolerance=0.01
from unet_helpers import make_batches
from unet_helpers.training import RunningMean


def new_network():
    keras.utils.set_random_seed(0)
    network = UNet((64, 64, 1), 3, base_filters=4, depth=2, dropout=0)
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss=DiceCrossEntropy((1, 1, 10)))
    return network


images, masks = map(np.stack, zip(*islice(crops_by_hand(data.train.images, data.train.masks), 32), strict=True))
batches = make_batches(images, one_hot(masks, 3), shuffle=False)
by_hand, mean = fit_by_hand(new_network(), batches)
averaged = RunningMean(0.9)
fitted = new_network().fit(batches, shuffle=False, verbose=0, callbacks=[averaged]).history["loss"][0]
print(f"loss by hand {by_hand:.3f}, by fit {fitted:.3f}")

# %% tags=["remove-cell"]
assert abs(by_hand - fitted) < 0.01
assert all(np.allclose(m, h, atol=0.01) for m, h in zip(mean, averaged.mean, strict=True))

# %% [markdown]
# `train` calls `model.fit`. Around it, it builds the batches, shows the time left, keeps the weights of the epoch that was best on *validation*, and returns the curves. It does not touch the test patients. An epoch of its crops has as many pixels as all slices together: 68 updates, where 272 whole slices in batches of 16 would make 17.

# %% nbval_tolerance=0
from unet_helpers import train
from unet_helpers.data import make_augmenter
from unet_helpers.training import start_at_class_shares

keras.utils.set_random_seed(SEED)
model = UNet(**MODEL)
start_at_class_shares(model, data.train.masks)
history = train(model, data, augment=make_augmenter(**AUGMENTATION), seed=SEED, **TRAINING)

# %%
from unet_helpers import dice, predict_masks

predicted = predict_masks(model, data.validation.images)

# %% tags=["remove-cell"]
assert dice(data.validation.masks > 0, predicted > 0) > 0.9
assert history["loss"][-1] < history["loss"][0] / 2

# %% mystnb={"figure": {"caption": "Curves of the training. The dotted line is the epoch whose weights are kept."}, "image": {"alt": "Three panels with curves over the epochs for training and validation: loss falls, accuracy is above 0.9 almost from the start, Dice rises."}}
plotting.show_curves(history)

# %% [markdown]
# The training values are measured on crops, half of them with a nodule, and with dropout; the validation values on whole slices. So the two lines of a panel need not meet. Each panel tells a story of its own. The **loss** falls quickly, then slowly. The **Dice**, a mean of lung and nodule, is already above one half after the first epoch: the lungs are found, and what rises from then on is the nodule. The **accuracy** is near 1 almost from the start, and shows nothing of all this.
#
# ### Why accuracy flatters
#
# A network that finds nothing at all is right wherever there is nothing to find:

# %%
empty = np.zeros_like(data.validation.masks)
right = float((empty == data.validation.masks).mean())
print(f"accuracy of an empty mask {right:.2f}, its Dice for lung {dice(data.validation.masks == 1, empty == 1):.2f}")

# %% [markdown]
# The smaller the object, the more accuracy flatters; for the nodules alone it is practically 1. Dice gives 0, and that is what such a mask is worth. When a report says "accuracy 0.86" for a lung segmentation, first compute what an empty mask would get.

# %% mystnb={"figure": {"caption": "Validation slices: the one with the largest nodule, the one with the lowest Dice for the nodule, and the one with the worst lungs. A pixel that was given the other foreground class counts as a false positive."}, "image": {"alt": "Three validation slices with ground truth, prediction and errors. The lungs agree except for thin lines at the edges. The large nodule of the first slice is found but drawn too small; the small nodules of the other two slices are missed."}}
worst = np.argmin([dice(t > 0, p > 0) for t, p in zip(data.validation.masks, predicted, strict=True)])
nodules = [dice(t == 2, p == 2) for t, p in zip(data.validation.masks, predicted, strict=True)]
rows = [(data.validation.masks == 2).sum(axis=(1, 2)).argmax(), np.nanargmin(nodules), worst]
chosen = data.validation[rows]
plotting.show_predictions(chosen.images, chosen.masks, predicted[rows], titles=chosen.case_ids, panel=1.8)

# %% [markdown]
# The lungs are found; only thin lines at their edges are wrong. The nodules are harder: they have few pixels, and blood vessels look much like them. [Notebook 06](06_failure_analysis.ipynb) sorts such errors.
# We look at *validation* patients, because we may still change the recipe after looking. The test patients wait until [notebook 05](05_evaluation.ipynb).

# %% [markdown]
# ## Recipes that you will meet
#
# Many student projects publish a recipe in one line. Each of these is also one line here, for the lungs alone (`lungs`, made below):
#
# | recipe | as code |
# |---|---|
# | one map, binary cross-entropy, Adam 1e-4, batch 16, 50 epochs, 256² | `train(UNet((256, 256, 1), 1), lungs, loss="binary_crossentropy", learning_rate=1e-4, schedule="constant", epochs=50)` |
# | two maps, categorical cross-entropy, Adam 1e-3, batch 16, 10 epochs, 128² | `train(UNet((128, 128, 1), 2), lungs, loss="categorical_crossentropy", schedule="constant", epochs=10)` |
# | the same in plain Keras | `model.compile("adam", "categorical_crossentropy", ["accuracy"]); model.fit(images, one_hot(masks, 2), epochs=10)` |
# | Dice loss alone | `train(UNet((128, 128, 1), 1), lungs, loss="dice", epochs=20)` |
# | this series | `train(UNet((128, 128, 1), 2, base_filters=8), lungs, epochs=20)` |
#
# For 256² load the data with `load_dataset("phantom", size=256)`. On two cores, take `base_filters=8`: with 64 filters, one epoch takes many minutes. Here is the second recipe, with 8 filters and 3 epochs:

# %%
from dataclasses import replace


def only_lungs(subset):
    return replace(subset, masks=(subset.masks > 0).astype("uint8"))


parts = {name: only_lungs(subset) for name, subset in data.subsets.items()}
lungs = replace(data, class_names=("background", "lung"), **parts)

# %% nbval_tolerance=0
keras.utils.set_random_seed(0)
simple = UNet((128, 128, 1), 2, base_filters=8)
short = train(simple, lungs, loss="categorical_crossentropy", schedule="constant", epochs=3)

# %% tags=["remove-cell"]
assert max(short["val_accuracy"]) > 0.9 and max(short["val_dice"]) > 0.7

# %% [markdown]
# After three epochs the lungs are found: on clean images, large dark objects are easy. That is why a high lung Dice alone says little about a method.

# %% [markdown]
# ### Which recipe arrives first?
#
# `benchmarks/time_to_dice.py` trained ten pairs of a network and a recipe on the same patients, one after the other on two cores, **once each and for 210 seconds at most**; a training that had begun to find both classes and then got no better for half of its time ended earlier. Four pairs are there to tell network and recipe apart: our network with two other recipes, and two other networks with ours. The clock starts at the first line that builds the network, and stops while 16 further synthetic patients are scored:

# %% mystnb={"figure": {"caption": "Dice against seconds of training on two cores, one training of each pair of network and recipe. The dotted lines are the goals, 0.95 for the lungs and 0.5 for the nodules."}, "image": {"alt": "Two panels, lung and nodule: Dice against the seconds of training, one curve for each pair of network and recipe. Lungs: the curve of this series and three of MONAI's network or recipe pass 0.95 within 20 seconds, two more after about 70; the large networks stay below. Nodules: the curve of this series rises first, that of MONAI's network with our recipe later to nearly the same height; all others stay near 0."}}
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "time_to_dice.json").read_text(encoding="utf-8"))["results"]
plotting.show_time_to_dice(recorded["runs"], recorded["goals"])

# %%
runs = pd.DataFrame(recorded["runs"]).set_index("contestant")
columns = {"seconds": "seconds", "steps": "steps", "lung_reached": "lung after", "nodule_reached": "nodule after"}
columns |= {"lung_last": "Dice lung", "nodule_last": "Dice nodule"}
ends = (recorded["ends"][who]["nodule"]["dice"] for who in runs.index)
table = runs[list(columns)].rename(columns=columns).round(2)
table.assign(interval=[f"{low:.2f} to {high:.2f}" for _, low, high in ends])

# %%
print({who: ratio and round(ratio, 1) for who, ratio in recorded["ratios"]["lung"].items()})

# %% tags=["remove-cell"]
reached = runs[["lung_reached", "nodule_reached"]].notna()
assert reached["lung_reached"].sum() == 6
assert list(runs.index[reached["nodule_reached"]]) == ["ours", "MONAI BasicUNet, our recipe"]
lung, nodule = (recorded["ratios"][name] for name in ("lung", "nodule"))
assert round(lung["MONAI BasicUNet"], 1) == 2.3 and round(lung["MONAI BasicUNet, our recipe"], 1) == 1.7
assert round(nodule["MONAI BasicUNet, our recipe"], 1) == 5.3 and round(lung["nnU-Net v2"]) == 10
less = recorded["ends"]["MONAI BasicUNet, our recipe"]["nodule"]["minus_ours"]
assert [round(one, 2) for one in less] == [-0.05, -0.16, 0.07]
assert recorded["ends"]["ours, MONAI's recipe"]["nodule"]["dice"][0] < 0.1
assert recorded["ends"]["MONAI BasicUNet"]["lung"]["minus_ours"][1] > 0.002
assert list(runs.loc[["ours", "plain U-Net", "plain U-Net, our recipe", "keras-unet-collection"], "steps"]) == [
    1679,
    66,
    195,
    50,
]
assert runs.loc["ours", "seconds"] == 108 and runs.loc["ours, MONAI's recipe", "seconds"] == 84

# %% [markdown]
# *After* are the seconds until a goal was reached and kept: no later score of the training falls below it. The last columns are the Dice at the end, means over patients, and the 95 % interval for the nodules. The line below the table says how many times as long as ours each needs to reach the goal for the lungs (`None`: it did not).
#
# Six of the ten reach the goal for the lungs, two that for the nodules, and these two have the same recipe, ours:
#
# - **The recipe finds the nodules.** MONAI's network, trained by our recipe, ends as well as ours as far as 16 patients can tell: its Dice is lower by 0.05, with an interval from 0.16 lower to 0.07 higher. Our network, trained by MONAI's recipe, does not find them in 84 seconds. That recipe takes whole slices, and a nodule weighs little in its loss; ours takes crops around nodules and gives them weight.
# - **The small network saves time.** By the same recipe, MONAI's takes 1.7 times as long as ours to find the lungs, and 5.3 times to find the nodules.
# - **The large ones hardly begin.** Ours makes 1679 steps in 108 seconds. The plain U-Net with its 31 million parameters makes 66 in 210 seconds, and 195 with the smaller batches of our recipe; that of keras-unet-collection makes 50.
# - **Sooner is not better.** For the lungs, MONAI's network with its own recipe arrives 2.3 times as late as ours and ends above it, by 0.003. nnU-Net arrives ten times as late, and is made for 250,000 steps: 210 seconds say nothing about where it ends.
#
# This is one training of each, so a second seed would move all these times. Whether the others would find the nodules with ten minutes, hours or a GPU, we have not measured. None was tuned for two cores, as ours was, and not everything in them follows published code: the plain U-Net joins a softmax over three classes with binary cross-entropy, and MONAI's network has the loss of another MONAI tutorial. Read it as *what a recipe made for a laptop gains in its first minutes on a laptop*, not as a ranking of libraries.

# %% [markdown]
# ## Reading curves
#
# When a training fails, ask first how large its steps are and how much it sees. `train_small` has one number for each. It makes 96 steps with small images (64×64) of the lungs. An epoch always has 128 slices; if fewer are asked for, they are repeated.

# %%
parts = {
    name: replace(s, images=s.images[:, ::2, ::2], masks=s.masks[:, ::2, ::2]) for name, s in lungs.subsets.items()
}
small = replace(lungs, **parts)


def train_small(learning_rate, slices):
    chosen = np.linspace(0, len(small.train) - 1, slices).astype(int)
    source = replace(small, train=small.train[np.resize(chosen, 128)])
    keras.utils.set_random_seed(0)
    network = UNet((64, 64, 1), 2, base_filters=4, depth=3, dropout=0)
    return train(network, source, learning_rate=learning_rate, batch_size=8, epochs=6, schedule="constant")


# %% nbval_tolerance=0
trainings = {"A": train_small(1e-5, 128), "B": train_small(2e-2, 1)}

# %% mystnb={"figure": {"caption": "Two trainings, and neither is any good."}, "image": {"alt": "Two panels with training and validation loss over six epochs. A: both stay high. B: the training loss falls to 0, the validation loss stays far above it."}}
plotting.show_trainings(trainings, limits=(0, 2.5))

# %% tags=["remove-cell"]
assert trainings["A"]["val_loss"][-1] > 1 and trainings["A"]["loss"][-1] > 1
assert trainings["B"]["val_loss"][-1] > 0.25 and trainings["B"]["loss"][-1] < 0.2

# %% [markdown]
# ### Exercise 04.4: mend two trainings
#
# A and B fail for different reasons. Say for each what is wrong, before you change anything. Then train each once more with **one** of its two numbers changed, so that the last validation loss is below 0.2.
#
# <details><summary>Hint 1</summary>
#
# Look at the training loss of each first: does it fall? Then look at the validation loss: does it follow?
#
# <details><summary>Hint 2</summary>
#
# If not even the training loss falls, the steps are too small (or far too large). If it falls and the validation loss does not follow, the network learns its slices by heart.
#
# <details><summary>Hint 3</summary>
#
# Write `train_small(…, 128)` for A, with a rate about a thousand times as high, and `train_small(2e-2, …)` for B, with more slices.
#
# </details>
# </details>
# </details>

# %%
mended = {"A": ..., "B": ...}

check.mended(mended)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} nbval_tolerance=0 tags=["hide-cell"]
mended = {"A": train_small(1e-2, 128), "B": train_small(2e-2, 128)}

check.mended(mended)

# %% mystnb={"figure": {"caption": "The same two, each with one number changed."}, "image": {"alt": "Two panels with training and validation loss over six epochs. In both, the training loss falls to almost 0, and the validation loss, far above it after the first epoch, meets it."}}
plotting.show_trainings(mended, limits=(0, 2.5))

# %% tags=["remove-cell"]
assert all(run["val_loss"][-1] < 0.2 for run in mended.values())

# %% [markdown]
# A was *too slow*. B *overfits*: it gets better on its one slice, near the apices of the lungs, but not on others. The mended ones are *healthy*: both curves fall and meet. (The validation loss starts far above, because the running averages of the batch normalization lag behind weights that move fast.)
#
# When the validation stops improving, there is no reason to go on. `train(..., patience=10)` stops after ten epochs without improvement, which is called **early stopping**. It keeps the best weights in any case.

# %% [markdown]
# ### Watch a network learn
#
# In the book, you can train a tiny U-Net here: 7,470 weights, pictures of 32×32 pixels, 200 steps in a few seconds. Choose learning rate, loss, weight and seed; the curves follow, and so do two held-out pictures. The thin lines are the run before, to compare with.
#
# <div class="live" data-piece="learn">
# <p>In the book, a network to train stands here; it needs a browser that runs JavaScript. In JupyterLab, change the numbers of <code>train_small</code> above. The figure shows three runs: lungs that are learned, nodules with a learning rate that is too high, and nodules with a weight.</p>
#
# ![Three runs, each with a held-out picture above and curves over 200 steps below. Lungs at rate 0.003: Dice follows accuracy up to more than 0.9, and the drawn lungs match. Nodules at rate 0.3: after the first steps nothing is drawn, accuracy is near 1 and Dice stays 0. Nodules at 0.003 with weight 20: Dice rises with many ups and downs above one half, and the nodule and two pieces of vessel are drawn.](../book/figures/one_learns.png)
#
# </div>
#
# Nothing is hidden in a library: forward pass, backward pass and Adam are written out in one script of 300 lines, `book/_static/live/learner.js`.
#
# 1. **Train** the *lungs that are learned*. Untrained, the network draws at random. Within a few steps the mask is black: calling everything background is the quickest way to a smaller loss. Only later does Dice rise, and accuracy, which by then lies on the dotted line of the empty mask, has little room left.
# 2. Then train *too slow* (3e-5) and *too fast* (0.3). Neither learns: with the first, the picture hardly changes in 200 steps; with the second, the mask is black after ten, and stays so. There the first steps were so large that almost no ReLU is on: every pixel gets the same probability, no gradient comes through any more, and further steps do not help.
# 3. Now train *nodules: the black mask*. The rate is too high again, but now the accuracy is 0.97, with nothing drawn at all. **An accuracy near 1 can be a black mask**; the dotted line and Dice show it.
# 4. *Nodules: black for long* has a sensible rate. The mask is black for the first 50 steps and more all the same, because 3 % of the pixels weigh little in a mean. With *weighted*, a pixel of the nodule counts 20 times, and the nodule appears within 60 steps, with false alarms around it. Try 100 times: far too much is drawn, and accuracy falls below that of the empty mask.
# 5. The *Dice loss* needs no weight: the many background pixels hardly enter it. Run it, and the others, with more than one seed before you compare two settings: how far apart are two runs that differ in nothing but the seed?
#
# These pictures are few, and the network is far too small: the numbers belong to this toy. What can go wrong is the same with half a million weights.

# %% [markdown]
# ## Interrupted, and resumed
#
# Laptops go to sleep, and clusters end jobs. Given a folder for **checkpoints**, `train` writes after each epoch what it needs to resume: the weights, the state of the optimizer, the curves, and the number of the epoch.
# Does a resumed training really end where an uninterrupted one would? We compare four epochs at once with two epochs, a restart, and two more:

# %%
import tempfile
from pathlib import Path

single = replace(small, train=small.train[[0]])


def run(epochs, folder, resume=False):
    keras.utils.set_random_seed(0)
    network = UNet((64, 64, 1), 2, base_filters=4, depth=2)
    train(network, single, epochs=epochs, schedule="constant", checkpoint=folder, resume=resume, progress=False)
    return sorted(path.name for path in folder.iterdir()), network.get_weights()


with tempfile.TemporaryDirectory() as once, tempfile.TemporaryDirectory() as twice:
    files, straight = run(4, Path(once))
    run(2, Path(twice))
    _, resumed = run(4, Path(twice), resume=True)

# %%
furthest = max(np.abs(a - b).max() for a, b in zip(straight, resumed, strict=True))
print(f"weights differ by {furthest:.4f} at most; in the folder: {', '.join(files)}")

# %% tags=["remove-cell"]
assert furthest < 1e-4

# %% [markdown]
# The weights agree. The folder holds the best model, the last one, and a small text file with the curves.
# A *schedule* that lowers the learning rate needs the final number of epochs from the start: begin with `epochs=50` and resume with `epochs=50`. Here the rate was constant.

# %% [markdown]
# ## What the hardware changes
#
# ### Memory
#
# A training keeps four numbers for each weight (the weight itself, its gradient, and two running means of Adam), and the feature maps of the whole batch, because the gradients are computed from them. We count gigabytes, at four bytes per number:


# %%
import math


def memory_gb(model, batch_size):
    weights = 4 * model.count_params()
    maps = batch_size * sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    return round(4 * weights / 1e9, 2), round(4 * maps / 1e9, 2)


settings = [(8, 128, 16), (64, 128, 16), (64, 256, 16), (64, 512, 16), (64, 512, 1)]
rows = [(*s, *memory_gb(UNet((s[1], s[1], 1), base_filters=s[0]), s[2])) for s in settings]
pd.DataFrame(rows, columns=["base_filters", "size", "batch", "weights (GB)", "feature maps (GB)"])

# %% [markdown]
# The thirty-one million parameters of the network with 64 filters need half a gigabyte. The feature maps of 16 slices of 512×512 need more than thirty gigabytes, and few GPUs have that.
# This is an estimate (frameworks drop some maps and need others for a while), but it says what to do when memory runs out: take a smaller batch first, then smaller images, then fewer filters. Numbers of 16 bits halve the memory of the maps.
#
# ### Time
#
# **No GPU has been measured for this series yet.** What this page says about GPUs comes from the documentation of TensorFlow and Keras and from the papers it cites. If you have one, you can add your own measurement from a clone of this project: the first line takes less than five minutes, and the second puts the result into `book/results`. (If JAX or PyTorch is installed, `--backend jax` or `--backend torch` also reads the memory of the GPU.)
#
#     python benchmarks/gpu.py --backend tensorflow --output gpu.json
#     python benchmarks/gpu.py --record gpu.json
#
# What does one step cost here, on the device that runs this page? `measure_steps` times steps on noise, and reports the fastest. (In a terminal, `python -m unet_helpers.teaching.step_cost` prints the same table.)

# %% tags=["nbval-ignore-output"]
from unet_helpers.teaching.step_cost import measure_steps

table = measure_steps(steps=5)
table.drop(columns="memory (GB)").round(2)

# %% tags=["remove-cell"]
measured = table.dropna()
assert len(measured) and (measured["first (s)"] > measured["step (s)"]).all() and (measured["step (s)"] > 0).all()

# %% [markdown]
# Read it row by row. The stored numbers come from two cores without a GPU, on which small differences mean nothing; your own replace them when you run it.
#
# - **`first` against `step`.** The first step builds the computation and takes many times as long. Never judge a training by its first step, and do not build a new model inside a loop unless you must.
# - **Batch size.** `per image` (first row = 1) says what a slice costs. On a CPU a batch larger than 16 gains little, because a few slices keep two cores busy; if the row says otherwise, measure again. A GPU has thousands of cores, and small batches leave most of them idle.
# - **mixed_bfloat16.** Multiplications are done in 16 bits, and the weights are kept in 32 {cite:p}`micikevicius2018mixed`. On a CPU with instructions for the format this can be somewhat faster; on others it is slower, or TensorFlow refuses and the row stays empty. GPUs with matrix units are made for it, and it halves the memory of the feature maps. The last layer stays in 32 bits, because the loss takes logarithms.
# - **XLA** is a compiler that joins operations. On the CPUs tried for this series it is slower. Keras leaves it off there (`jit_compile="auto"`) and turns it on for a GPU.
#
# ### The kernels of the processor
#
# For a processor TensorFlow has two sets of **kernels**, the routines that compute a convolution: its own, and those of the library oneDNN, which it uses by itself only on processors with certain AVX-512 instructions. Most laptops lack them, so `import unet_helpers` turns oneDNN on, unless you have set `TF_ENABLE_ONEDNN_OPTS` yourself. `benchmarks/onednn.py` timed one training step with batches of 16; in the AVX2 columns, oneDNN was limited to the instructions that most laptops have:

# %%
kernels = json.loads((RESULTS / "onednn.json").read_text(encoding="utf-8"))["results"]
print(kernels["processor"])
pd.DataFrame(kernels["table"]).T

# %% [markdown]
# Seconds are medians, and `off / on` is how many times as long the step takes without oneDNN, with the smallest and the largest ratio in parentheses. With all the instructions of this processor, oneDNN nearly halves the step; limited to AVX2 it gains less. To try it on yours, print the table above with `TF_ENABLE_ONEDNN_OPTS=0` set. The two sets add numbers in a different order, so the last digits of all results change with them, but nothing else.
#
# ### The input pipeline
#
# While the device computes, the processor must prepare the next batch. If it cannot keep up, the GPU waits. Here is one epoch of batches, without any training:

# %% nbval_tolerance=0
import time

targets = one_hot(data.train.masks, 3)
for name, augment in (("plain", None), ("augmented", make_augmenter(**AUGMENTATION))):
    batches = make_batches(data.train.images, targets, augment=augment)
    next(iter(batches))
    began = time.perf_counter()
    count = sum(1 for _ in batches)
    print(f"{name}: {1000 * (time.perf_counter() - began) / count:.0f} ms per batch")

# %% [markdown]
# Compare this with `step` in the table above: `prefetch` prepares the next batch in the meantime, and as long as it is ready before the step ends, nothing has to wait. On a GPU, where a step is over sooner, the same augmentation can become the slowest part.
# Do not move it into the model: a single layer of random rotation turns XLA off for all of it.

# %% [markdown]
# ## What a seed repeats
#
# `keras.utils.set_random_seed` fixes initial weights, dropout, and shuffling. We train twice with the same seed, then with another:


# %%
def trained_weights(seed):
    keras.utils.set_random_seed(seed)
    network = UNet((64, 64, 1), 2, base_filters=4, depth=2)
    train(network, single, epochs=2, seed=seed, progress=False)
    return np.concatenate([weight.ravel() for weight in network.get_weights()])


first, again, other = (trained_weights(seed) for seed in (1, 1, 2))
np.array_equal(first, again), np.array_equal(first, other)

# %% [markdown]
# The same seed gives the same weights, to the last bit, *on the same machine*. On a different processor, or with a different number of threads, numbers are added in a different order, and at limited precision the order matters:

# %%
values = np.random.default_rng(0).normal(size=10_000).astype("float32")
forward, backward = sum(values), sum(values[::-1])
bool(forward == backward), bool(np.isclose(forward, backward, rtol=1e-3))

# %% [markdown]
# The two sums are close but not equal. In our trials, such differences grew over hundreds of steps until they reached the third or fourth digit of a Dice. So report two digits, do not argue about the third, and repeat with several seeds before you call one recipe better than another.

# %% [markdown]
# ## Take-aways
#
# - For one map, take sigmoid and binary cross-entropy; for several classes that exclude each other, softmax and categorical cross-entropy. Adding the Dice loss makes small classes count.
# - Overfit one image first. It takes seconds, and finds most mistakes.
# - Accuracy flatters whenever the object is small; compute what an empty mask would get. Look at Dice per class, and at pictures.
# - Validation chooses (epoch, recipe, learning rate). The test patients are kept for the end.
# - The first step says nothing about the speed of the others. Measure batch size, precision and compiler on your own device.
# - It is the feature maps that fill the memory, not the parameters, so make the batch smaller first.
# - A seed reproduces a run on one machine. Across machines, trust two digits.

# %% [markdown]
# ## Questions to test yourself
#
# 1. Your lung U-Net reports the same validation accuracy, 0.88, after each of ten epochs. Then you find that 12 % of the pixels are lung. What has the network learned?
#
#    - A. Nothing, probably.
#    - B. To find 88 % of the lung.
#    - C. All that these images can teach it, as the curve is flat.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** An empty mask gets 1 − 0.12 = 0.88. Look at a prediction and at Dice, then overfit one image.
# - **Not B:** accuracy counts background too. The share of the lung that is found is the recall.
# - **Not C:** a flat curve says that nothing changes, not at which level. Here the level is that of an empty mask.
#
# </details>
#
# 2. You train on a single image, and the loss does not fall below 0.7. What helps?
#
#    - A. A larger network.
#    - B. More data.
#    - C. Finding what is broken.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** It is the mask values, activation and loss, the learning rate, or the pair of image and mask.
# - **Not A:** a small network can learn one image by heart.
# - **Not B:** one image is the easiest task of all. If the network cannot learn one, it will not learn more of them.
#
# </details>
#
# 3. `train` keeps the weights of the best *validation* epoch. Why is this epoch's validation Dice a little too good?
#
#    - A. Because the network was trained on the validation patients.
#    - B. Because the best of many epochs is partly the luckiest.
#    - C. Because the last epochs overfit.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Choosing the best of many epochs on the validation patients also picks a lucky one, so that this number is slightly flattering. The test patients give a number that is not.
# - **Not A:** no step used their masks. They only chose among the epochs, and that is enough to flatter.
# - **Not C:** that is why one does not keep the last weights; it does not make the chosen epoch look better than it is.
#
# </details>
#
# 4. A GPU with 8 GB stops with "out of memory" at size 512, batch 16, 64 filters. What do you change first?
#
#    - A. The optimizer.
#    - B. The batch size.
#    - C. The number of epochs.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The feature maps grow in proportion to it. Then come the image size (half the size, a quarter of the memory), mixed precision, or fewer filters.
# - **Not A:** an optimizer keeps a few numbers for each parameter, which is little beside the feature maps.
# - **Not C:** epochs come one after the other, so that a longer training needs no more memory at a time.
#
# </details>
#
# 5. Two recipes differ by 0.004 in Dice, one run each, on two different computers. Which is better?
#
# <details><summary>Answer</summary>
#
# Nobody can tell. A different thread count alone can move the third digit, and another seed moves more. Repeat both with several seeds and compare the spread.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Kingma and Ba (2015) {cite:p}`kingma2015adam`: Adam, the optimizer of almost every recipe.
# - Milletari, Navab and Ahmadi (2016) {cite:p}`milletari2016vnet`: where the Dice loss for segmentation comes from.
# - Micikevicius and colleagues (2018) {cite:p}`micikevicius2018mixed`: mixed precision, and why a copy of the weights stays in 32 bits.
# - Isensee and colleagues (2021) {cite:p}`isensee2021nnunet`: how batch, patch size and depth can be derived from data and memory.
# - Isensee and colleagues (2024) {cite:p}`isensee2024revisited`: given the same care, many newer architectures do not beat a plain U-Net.

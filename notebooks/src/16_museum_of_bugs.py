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
# # 16 Museum of bugs
#
# Which mistake is it, what does it cost, and what would have caught it?

# %%
from unet_helpers import plotting
from unet_helpers.teaching import museum

data = museum.lung_task(museum.museum_patients())

# %% mystnb={"figure": {"caption": "One training or validation pair as eight pipelines leave it. Blue: class 1; orange: class 2. The last one looks right, and is a mistake all the same."}, "image": {"alt": "Eight panels, each a chest slice with the mask that the training gets. As it is: the lungs are outlined. Mispaired: the outlines of other lungs. Augmented apart: the slice is turned one way and the outlines another. Inverted: everything but the lungs is filled. Interpolated: each lung has a rim of another color. Noise: no chest at all, only random dots. Scaled differently: the slice is white all over. Split by slice: a slice that looks perfectly right."}}
bugs = {
    "as it is": data,
    "mispaired": museum.pair_by_sorting(data),
    "augmented apart": museum.augment_apart(data),
    "inverted": museum.invert_labels(data),
    "interpolated": museum.three_class_task(museum.museum_patients(), museum.resize_masks_with_defaults),
    "noise": museum.use_placeholders(data),
    "scaled differently": museum.scale_training_only(data),
    "split by slice": museum.split_by_slice(data),
}
parts = [one.validation if name == "scaled differently" else one.train for name, one in bugs.items()]
plotting.show_images([part.images[12] for part in parts], list(bugs), [part.masks[12] for part in parts], panel=1.75)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - recognize sixteen mistakes by their symptoms, and repair them,
# - say what each costs here, which costs cannot be told from zero, and when a leak costs much,
# - choose the one-minute check that would have caught a mistake,
# - tell the causes of one symptom apart by an experiment,
# - have a program, the *doctor*, look at a training run, and say what it cannot see.
#
# **You need before:** what a training is ([notebook 04](04_gpu_training.ipynb)), Dice per patient ([notebook 05](05_evaluation.ipynb)); [notebook 06](06_failure_analysis.ipynb) helps.
#
# **Minutes:** 90 to read, with seven exercises, 1 to run on two cores.
#
# **The misconception it removes:** "The code runs and the loss falls, so there is no bug."
#
# </div>

# %% [markdown]
# Here are eight pairs. One is as it should be, six have visibly gone wrong, and the last has gone wrong although it looks right. None of the eight pipelines raised an error, and with all of them `fit` runs to its end. That is what the mistakes of this notebook have in common: **nothing fails.** Before you read on, guess for each of the seven what its code does wrong. The rooms print the few lines that do it.
#
# They are not invented. Mistakes like these were collected from repositories, forums and interviews {cite:p}`humbatova2020faults`, and some have reached published work {cite:p}`kapoor2023leakage`. Here each is an exhibit: a few lines of code, on a task so small that we can afford to go wrong a hundred times.

# %% [markdown]
# ## The healthy run
#
# The task is to tell lung from background at 64×64 pixels, with 24 synthetic patients to train on. The training is the one everybody writes first: compile, fit, no checks.

# %% nbval_tolerance=0.01
healthy = museum.fit(data, seed=0)
{name: round(values[-1], 3) for name, values in healthy.history.items()}

# %% tags=["remove-cell"]
healthy_dice = museum.mean_dice(healthy.model, data.validation)
assert healthy_dice > 0.9

# %% [markdown]
# (After a few seconds of training, the Dice per patient on the validation patients is above 0.9. Lungs are easy.)
#
# A bug changes **one** thing about this run: the data, the network, a number of the training, or the way to measure. Its cost is then the difference from the healthy run *with the same seed*. (Where a bug spoils something that this run does not have, such as an augmentation or a third class, the healthy run gets it as well, done right.) One pair of runs is an anecdote, so `benchmarks/museum.py` has recorded five pairs for each bug, measured on 24 patients that no run has seen. `cost` prints the mean Dice with the bug and without it, their difference with its 95 % t interval, and the five differences. The interval says how the cost varies from training to training, not from patient to patient.

# %%
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "museum.json").read_text(encoding="utf-8"))["results"]


def cost(name):
    row = recorded["bugs"][name]
    interval = f"{row['effect_low']:+.3f} to {row['effect_high']:+.3f}"
    print(f"{row['with_bug']:.3f} against {row['without']:.3f}: {row['effect']:+.3f}, interval {interval}")
    print("  run by run:", *(f"{effect:+.3f}" for effect in row["effect_seeds"]))


# %% [markdown]
# ## Room 1: the pairs
#
# ### Sorted, and zipped
#
# The images are called `0.png`, `1.png`, …, and the masks `000.png`, `001.png`, …. Both folders are sorted.

# %%
images, masks = sorted(f"{k}.png" for k in range(12)), sorted(f"{k:03d}.png" for k in range(12))
list(zip(images, masks))[:4]

# %% [markdown]
# From the third pair on, the mask is the wrong one. [Notebook 01](01_data_pairing.ipynb) tells this story in full; here is its price:

# %%
cost("images and masks mispaired")

# %% [markdown]
# Nearly half of the Dice is gone. The interval is wide because one of the five runs found next to nothing, while the others lost a quarter to a half. Why is anything left at all? Because the lungs lie at nearly the same place in every patient:

# %%
import numpy as np

from unet_helpers.evaluation import average, dice_by_patient

lung = data.train.masks.mean(axis=0) > 0.5
round(average(dice_by_patient(np.broadcast_to(lung, data.validation.masks.shape), data.validation, 1)).value, 2)

# %% [markdown]
# One picture for all patients, the average lung, reaches two thirds without looking at a single image. That is about where the better of the mispaired runs stand. **A Dice that looks like a promising start can be the Dice of knowing nothing.**
#
# Is there a check that needs no eyes? There is one, and it does not even need a training. An image and its mask *share information*: where the image is dark, there is often lung. So take two slices and **swap their masks**. If the masks belong to their images, something is lost. If nothing is lost, they did not belong together in the first place. `gray_information` measures how much the gray value of a pixel tells about its label, for every image with every mask:

# %%
from unet_helpers.failures import better_than_swapped, gray_information, spread_out, thumbnails


def kept_by_swapping(one):
    images, masks = thumbnails(spread_out(one.train))
    return round(better_than_swapped(gray_information(images, masks[:, None])), 2)


{name: kept_by_swapping(bugs[name]) for name in ("as it is", "mispaired", "augmented apart", "noise")}

# %% [markdown]
# This is the share of all pairs among 48 slices in which the masks fit better unswapped. As they are, it is practically all of them; mispaired, and in noise, it is about half, which is chance. Augmented apart, the next exhibit, is not much better than chance.

# %% [markdown]
# ### Augmented apart
#
# To augment, images and masks are turned and shifted at random. Where in these lines is the mistake?

# %%
import inspect

print(inspect.getsource(museum.augment_apart))

# %% [markdown]
# It is the `+ 1`: image and mask have random generators with different seeds. In old Keras code these were two `ImageDataGenerator`s with different seeds.

# %%
cost("image and mask augmented apart")

# %% [markdown]
# This is as costly as a wrong pair, and harder to see: every mask *is* the mask of its image. But if a lung is shifted one way and its outline another, they fit each other hardly better than those of two strangers. Again one of the five runs found next to nothing, which makes the interval wide. Note where the check has to stand: when they are loaded, the masks still fit their images. They stop fitting one line before the network.

# %% [markdown]
# ### Exercise 16.1: toss one coin
#
# Write a function that mirrors image `(H, W)` and mask `(H, W)` left to right with probability one half. Toss with the NumPy generator `random` that it is given: `random.random()` gives a number between 0 and 1.
#
# <details><summary>Hint 1</summary>
#
# How often may the coin be tossed in one call, if image and mask must always end up on the same side?
#
# <details><summary>Hint 2</summary>
#
# Call `random.random()` once, compare it with 0.5, and let this one answer decide what happens to both arrays. In either case return both.
#
# <details><summary>Hint 3</summary>
#
# `array[:, ::-1]` is the array mirrored left to right; the array itself stays as it was.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import museum_of_bugs as check


def mirror_at_random(image, mask, random):
    return ...


check.turn_together(mirror_at_random)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def mirror_at_random(image, mask, random):
    if random.random() < 0.5:
        return image[:, ::-1], mask[:, ::-1]
    return image, mask


check.turn_together(mirror_at_random)

# %% [markdown]
# ### Labels inverted
#
# The person who drew the masks painted the lungs black, and nobody asked. In the museum it is `1 - masks`, for all three subsets.

# %%
cost("labels inverted")

# %% [markdown]
# Everything is lost, and no curve shows it, because the network does perfectly what it was taught, and the validation masks are inverted as well:

# %%
[round(value, 3) for value in recorded["bugs"]["labels inverted"]["seen"]]

# %% [markdown]
# These are the last validation Dice values of the five runs, above the 0.98 of the healthy ones: background is easier than lung. This is the costliest bug of the museum, but one picture shows it at once, and even after the training it is easy to repair: take the other class.

# %% [markdown]
# ## Room 2: the values
#
# ### A class between two classes
#
# In this exhibit 0 is background, 1 is nodule and 2 is lung (in the other notebooks 1 is lung and 2 is nodule). The masks are halved. Below is a mask halved by a vote of four pixels, and one halved by the exhibit. What may its code look like?

# %% mystnb={"figure": {"caption": "A mask halved by a vote of four pixels (left), and by `resize` with its defaults (right). Blue: class 1, nodule; orange: class 2, lung."}, "image": {"alt": "Two masks of the same slice. Left, halved by a vote: two lungs in one color and a small nodule in another. Right, halved by resize with its defaults: both lungs are surrounded by a rim in the color of the nodule."}}
voted, resized = museum.three_class_task(museum.museum_patients()).train, bugs["interpolated"].train
k = int((voted.masks == 1).sum(axis=(1, 2)).argmax())
plotting.show_images(
    [voted.images[k]] * 2, ["by a vote", "by resize"], [voted.masks[k], resized.masks[k]], ("", "nodule", "lung")
)

# %%
print(inspect.getsource(museum.resize_masks_with_defaults))

# %% [markdown]
# By default, `skimage.transform.resize` smooths and interpolates, as is right for images; then `astype` cuts to whole numbers. The mean of 0 and 2 is 1.

# %%
cost("masks resized with interpolation")

# %% [markdown]
# This costs a quarter of the Dice of the lung, in all five runs alike. The network has learned what the masks told it: that a lung ends one or two pixels earlier and is wrapped in nodule. Did the curves show it? This is the last validation Dice, the mean of nodule and lung, that each of the five runs saw during training:

# %%
[round(value, 2) for value in recorded["bugs"]["masks resized with interpolation"]["seen"]]

# %% [markdown]
# They look fine, because the validation masks went through the same `resize` and have the same rim. **A validation set that shares the pipeline shares the bug.** It takes a picture to see it, or `np.unique` of a slice without a nodule, before and after: a class has appeared.

# %% [markdown]
# ### Exercise 16.2: half the size, the same classes
#
# Write a function that halves a mask `(H, W)` with even sides and any classes. Each pixel of the small mask is one of the four in its place, and no class wins because its number is larger.
#
# <details><summary>Hint 1</summary>
#
# Take the four pixels 0, 0, 2, 2. Their mean is 1, which is another class. Which ways to get one number out of four always give one of the four? Which of these prefer the class with the larger number?
#
# <details><summary>Hint 2</summary>
#
# The simplest way keeps the pixel in the same place of each four, for example the one at the top left.
#
# <details><summary>Hint 3</summary>
#
# Slicing with a step of 2, along the rows and along the columns, does just that.
#
# </details>
# </details>
# </details>


# %%
def halve(mask):
    return ...


check.halve(halve)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def halve(mask):
    return mask[::2, ::2]


check.halve(halve)

# %% [markdown]
# `skimage.transform.resize` does the same for labels if it is called with `order=0` and `anti_aliasing=False`.
#
# ### Fractions at the edges
#
# With *two* classes the same interpolation gives values between 0 and 1, and many people leave them there.

# %%
cost("mask edges left as fractions")

# %% [markdown]
# This is less than a hundredth, and yet a real loss: the interval does not include zero. Cross-entropy accepts a target of 0.5, so the network learns what share of a pixel is lung, and a threshold of one half gives nearly the right outline. The damage comes later, when somebody computes a metric from such masks or converts them to integers.

# %% [markdown]
# ### 0 and 255

# %%
cost("masks in 0 and 255")

# %% [markdown]
# This costs half of the Dice. For a target $y$ and a predicted probability $p$, the gradient of the binary cross-entropy with respect to the logit (the number that the sigmoid turns into $p$) is $p - y$. With $y = 255$ a lung pixel pulls with at least 254, and a background pixel pulls back with at most 1, so far too much becomes lung. And what is the loss itself? Here it is for one lung pixel and answers of 0.1, 0.5 and 0.9:

# %%
y, p = 255, np.array([0.1, 0.5, 0.9])
(-y * np.log(p) - (1 - y) * np.log(1 - p)).round(1)

# %% [markdown]
# The loss no longer has a lower limit. It goes below zero and keeps falling to the last epoch, which looks like progress. **A cross-entropy below zero is never good news.**

# %% [markdown]
# ### Two scales
#
# Somebody divides the training images by 255, and forgets to do the same with the validation images, and later with those of new patients. (The phantom's images already lie between 0 and 1, so the exhibit does it the other way round; `_parts(data)[1:]` are validation and test.)

# %%
print(inspect.getsource(museum.scale_training_only))

# %%
cost("training and validation scaled differently")

# %% [markdown]
# This costs seven tenths, on average. The training looked perfect, because there the scales agree. The networks were good, but they were asked in another language. One line, the minimum and maximum of both subsets, would have shown it.

# %% [markdown]
# ## Room 3: network and training
#
# ### A softmax over one channel
#
# Somebody puts the last layer of a network with two maps on a network with one:

# %%
print(inspect.getsource(museum.build_softmax_over_one))

# %% [markdown]
# [Notebook 06b](06b_black_masks.ipynb) has computed what comes out: 1 everywhere. Keras warns of it once, in a log that few people read. We silence the warning, train all the same, and look at the loss.

# %% nbval_tolerance=0.01
import warnings

warnings.filterwarnings("ignore", "You are using a softmax over axis")
one_channel = museum.fit(data, seed=0, build=museum.build_softmax_over_one)
{name: [round(value, 3) for value in values] for name, values in one_channel.history.items() if "val" not in name}

# %%
outputs = one_channel.model(data.validation.images[:8])
round(float(outputs[0, 0, 0, 0]), 6), len({round(value, 4) for value in one_channel.history["accuracy"]})

# %% [markdown]
# Every output is 1, and the accuracy has the same value in all epochs: the share of foreground. Yet the *loss falls*, as if all were well. How can that be? Keras on TensorFlow keeps the number before the activation, the logit, and computes the binary cross-entropy from it as if it had gone through a sigmoid, because that is more exact. So the network **has learned to segment**. Only its last step throws the answer away.

# %% [markdown]
# ### Exercise 16.3: repaired without training
#
# Write a function that takes the broken network and returns a new one that ends in a sigmoid and has the trained weights. The broken one must stay as it is. `model.layers[-1]` is the last layer, and its `.input` is what comes in. `keras.Model(inputs, outputs)` makes a network of what lies between; `get_weights` and `set_weights` carry weights from one layer to another.
#
# <details><summary>Hint 1</summary>
#
# Where does the answer get lost? Everything up to `model.layers[-1].input` is right, and so are the weights of the last layer. What is the one thing that has to change?
#
# <details><summary>Hint 2</summary>
#
# Make a new last layer, `keras.layers.Conv2D(1, 1, activation="sigmoid")`, apply it to what comes into the old one, and build a `keras.Model` from `model.input` to its output.
#
# <details><summary>Hint 3</summary>
#
# A new layer starts with random weights, and has them only once it has been applied. After that, `new.set_weights(old.get_weights())`.
#
# </details>
# </details>
# </details>

# %%
import keras


def with_sigmoid(model):
    return ...


check.sigmoid_in_place(with_sigmoid)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def with_sigmoid(model):
    last = keras.layers.Conv2D(1, 1, activation="sigmoid")
    repaired = keras.Model(model.input, last(model.layers[-1].input))
    last.set_weights(model.layers[-1].get_weights())
    return repaired


check.sigmoid_in_place(with_sigmoid)


# %% nbval_tolerance=0.02
def validation_dice(model):
    found = np.asarray(model(data.validation.images))[..., 0] > 0.5
    return average(dice_by_patient(found, data.validation, 1)).value


rescued = with_sigmoid(one_channel.model)
round(validation_dice(one_channel.model), 2), round(validation_dice(rescued), 2)

# %% tags=["remove-cell"]
assert one_channel.history["loss"][-1] < 0.7 * one_channel.history["loss"][0]
assert validation_dice(one_channel.model) < 0.3
assert validation_dice(rescued) > 0.9

# %% [markdown]
# One new layer, and not a single step of training, takes us from the Dice of "lung everywhere" to that of a healthy run. This is the cost in the record:

# %%
cost("softmax over one channel")

# %% [markdown]
# All five runs answer "lung" at every pixel, so they have one and the same Dice. The little that varies is the healthy run beside them.

# %% [markdown]
# ### A U without its bridges
#
# The U-Net is built with `skip_connections=False`, and nothing is concatenated.

# %%
cost("skip connections left out")

# %% [markdown]
# Every run loses, by about six hundredths. The network still finds the lungs, but it loses the outline, because at the bottom of the U one place is eight pixels wide. A Dice of 0.92 looks like a decent result, and that is the danger: nothing in the curves says that 0.98 was possible.

# %% [markdown]
# ### A learning rate of 1
#
# The healthy run has a learning rate of 0.003.

# %%
cost("learning rate too high")

# %% [markdown]
# All five runs lose, from three hundredths to more than a third, **and yet the interval includes zero**. The $t$ interval of five numbers widens with their scatter, and one number far from the others is enough. An interval that includes zero says that five runs do not pin the cost down. It does not say that the bug is free.
#
# How does this bug show? Adam moves a weight by about the learning rate in one step, and most weights are far smaller than 1. So the first steps throw them far off, and the first validation loss can be many times what guessing would cost. Later the curves recover, but not to where they should be.

# %% [markdown]
# ## Room 4: the measuring
#
# In this room every network is as good as the healthy one. What is wrong is the **number that is reported**. The cost is now the reported score minus the honest one, of the same network.

# %%
for name in (
    "accuracy as the only metric",
    "patients on both sides of the split",
    "each subset normalized by itself",
    "test set used for selection",
    "metric averaged per batch",
):
    print(f"{name:<38}", end="")
    cost(name)
print(f"accuracy of 'no lung anywhere': {(data.validation.masks == 0).mean():.2f}")

# %% [markdown]
# Only one of the five can be shown to cost something *here*, and that has to be said as clearly as a cost. Line by line:
#
# - **Accuracy:** it reports one to two hundredths too much, a real difference, and an answer of "no lung anywhere" would already score the number in the last line. The smaller the object, the closer that number is to 1.
# - **Patients on both sides:** the interval includes zero. (The reported number is the validation Dice, the honest one is the Dice of new patients. Their difference in a run *split by patient* is subtracted, because some patients are easier than others.) The network does not need to know a patient to find a lung. The last exhibit of this room shows when it costs something.
# - **Each subset by itself:** the interval includes zero, because all subsets come from one scanner and have nearly the same mean anyway.
# - **Selection on the test set:** it is zero to every digit shown. There were thirty candidates, six epochs with five thresholds each, and the Dice of one half of the patients chose among them; whichever half chose, the choice was the same. A test set wears out when many candidates are *nearly equal*, so that luck decides.
# - **Average over batches:** it is zero to every digit shown, but by accident! Each patient of the phantom has eight slices, the slices stand in order, and a batch has eight. So a batch *is* a patient. With another batch size this would not be so, as we are about to see.
#
# The four that cost nothing here have one thing in common: something leaks through, but it does not help with the answer. The patient does not help to find a lung, the statistics are those of all patients, and the choice is the same without looking. That does not make any of them right. They are bugs that wait for other data. And an interval without width, from five equal numbers, proves nothing either.

# %% [markdown]
# ### Exercise 16.4: whose mean, whose deviation?
#
# To *normalize* means to subtract a mean and to divide by a standard deviation. Write a function of training images and other images that normalizes both, so that one network can be used on both.
#
# <details><summary>Hint 1</summary>
#
# The network is trained on images from which one number was subtracted and which were divided by another. A new patient may come alone. Which images may these two numbers come from?
#
# <details><summary>Hint 2</summary>
#
# Compute `train.mean()` and `train.std()` once, one number each over all pixels, and use both of them for both arrays. Return the training images first.
#
# </details>
# </details>


# %%
def normalize(train, other):
    return ...


check.normalize_by_training(normalize)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def normalize(train, other):
    mean, deviation = train.mean(), train.std()
    return (train - mean) / deviation, (other - mean) / deviation


check.normalize_by_training(normalize)

# %% [markdown]
# The exhibit normalizes with these lines, in which `_each` changes every subset. Is it the first call of `normalize` or the second that is wrong?

# %%
print(inspect.getsource(museum.normalize_each_subset))
print(inspect.getsource(museum.normalize_by_training))

# %% [markdown]
# The first: there `part` is its own reference. The second is the repair: all subsets are normalized by `data.train`.
#
# Why bother, if it costs nothing? It costs nothing here because all images came from one scanner, with one window. Now the same five networks are asked about patients whose images were exported with another window:

# %%
row = recorded["bugs"]["each subset normalized by itself"]
for label, key in (("honest Dice", "other_scanner_honest"), ("reported too much", "other_scanner_effect")):
    print(f"{label:<18} {row[key]:.2f}, interval {row[f'{key}_low']:.2f} to {row[f'{key}_high']:.2f}")

# %% [markdown]
# The first line is the Dice on these patients with the mean and deviation of the training set. The second is how much too much is reported when the new patients are normalized by their own. On average it is nearly a tenth, **but the interval includes zero**: the five networks cope with the new window very differently. (The first interval even ends above 1, which no Dice can reach; the $t$ interval is not made for five such unequal numbers.) Note the direction: the wrong score is the *better* one, because the statistics of all the new patients together have undone part of the window. In practice, the next patient comes alone.

# %% [markdown]
# ### Batches
#
# This Dice function is copied from repository to repository:

# %%
print(inspect.getsource(museum.dice_coefficient))

# %% [markdown]
# It computes the Dice of one batch, and adds a 1, called `smooth`, above and below the line, so that an empty batch does not lead to a division by zero. Keras then takes the mean over the batches. For lungs that hardly matters. For nodules, which most slices do not have, it does. We take the trained network that comes with the series, the nodules of the validation patients, and batches of different sizes.

# %% nbval_tolerance=0.02
from unet_helpers import load_checkpoint, load_dataset, predict_masks

whole = load_dataset("phantom").validation
truth, found = ((m == 2).astype("float32") for m in (whole.masks, predict_masks(load_checkpoint(), whole.images)))


def mean_over_batches(size):
    starts = range(0, len(truth), size)
    return np.mean([museum.dice_coefficient(truth[s : s + size], found[s : s + size]) for s in starts])


{size: round(float(mean_over_batches(size)), 2) for size in (1, 4, 8, 16, len(truth))}

# %% [markdown]
# The predictions are the same, and yet the Dice goes from about one half to above 0.8, by the batch size alone. A batch without nodules in which none was found counts as 1 (that is what `smooth` does), and with one slice per batch, most batches are of this kind. Larger batches have fewer of them; and a batch with one pixel of nodule still counts as much as one with a hundred. Even all slices in one batch do not give what should be reported, the mean over patients of [notebook 05](05_evaluation.ipynb):

# %% nbval_tolerance=0.02
round(average(dice_by_patient(2 * found, whole, 2, made_up=0)).value, 2)

# %% [markdown]
# ### Exercise 16.5: one Dice, however it is cut
#
# Write a function that takes a list of batches, each a pair `(truth, prediction)` of binary arrays, and gives the Dice of all pixels together.
#
# <details><summary>Hint 1</summary>
#
# Two batches on paper: in the first, truth and prediction have one pixel each, the same one; in the second, ten each, with none in common. The two Dice are 1 and 0. What is the Dice of all pixels together? (It is not 0.5.)
#
# <details><summary>Hint 2</summary>
#
# Add up the overlap over all batches, and add up both areas over all batches. Divide once, at the end.
#
# <details><summary>Hint 3</summary>
#
# For one batch, the overlap is `(truth & prediction).sum()`, and the areas are `truth.sum() + prediction.sum()`.
#
# </details>
# </details>
# </details>


# %%
def dice_of_batches(batches):
    return ...


check.dice_of_batches(dice_of_batches)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def dice_of_batches(batches):
    overlap = sum((truth & prediction).sum() for truth, prediction in batches)
    area = sum(truth.sum() + prediction.sum() for truth, prediction in batches)
    return 2 * overlap / area


check.dice_of_batches(dice_of_batches)

# %% [markdown]
# ### A leak that costs
#
# "Then we may split by slice after all?" The exhibit above made it easy for itself: lungs are easy, there are two dozen patients to learn from, and their slices lie more than two centimeters apart. Now we turn all three around. The object is the **nodule**, the slices lie **4 mm apart** as in real CT, and there are **six patients**. These are the lines that deal out the slices. Which one is the mistake?

# %%
print(inspect.getsource(museum.split_by_slice))

# %% [markdown]
# It is the one with `permutation`: it shuffles slices, and nobody asks for `pool.patient_ids`. These are neighbors of one patient, as such a split may deal them:

# %% mystnb={"figure": {"caption": "Crops of one patient, 4 mm apart, with the mask of the nodule in blue."}, "image": {"alt": "Four crops of one lung, all but equal: the same nodule, outlined in blue, at the same place in each. The second is called tested, the others learned."}}
from unet_helpers.data import nodule_crops, subset_of_patients
from unet_helpers.phantom import make_patient

crops = nodule_crops(subset_of_patients([make_patient(10, index=0, slices=48)]))
crops = crops[crops.masks.any(axis=(1, 2))][-5:-1]
dealt = ["learned", "tested", "learned", "learned"]
plotting.show_images(crops.images, dealt, crops.masks, ("", "nodule"), panel=1.75)

# %% [markdown]
# `benchmarks/museum.py` has taken eight times six patients, and all their crops that show a nodule. Each group of six was split twice, **by slice** and **by patient**: two thirds to learn from, one third to test on. The network is the small U-Net of this museum, with a loss for small objects (Dice and weighted cross-entropy, [notebook 07](07_losses_and_imbalance.ipynb)). (A training that found nothing even in its own crops was begun again with other first weights, which happened to one of the eight groups, with both splits.) After the training it is asked three times: about the crops that it has *learned* from, about the test crops of its split, which gives the score that would be *reported*, and about patients of whom no network has seen a slice, which gives the *honest* score. How far apart will reported and honest be? Guess for each split before you run the next cell.

# %%
leak = json.loads((RESULTS / "leak.json").read_text(encoding="utf-8"))["results"]
for split, row in leak["splits"].items():
    print(f"{split}:", ", ".join(f"{key} {row[key]:.2f}" for key in ("learned", "reported", "honest")))
    low, high = row["honest_patients_low"], row["honest_patients_high"]
    print(f"  honest, 95 % interval over {leak['unseen_patients']} patients: {low:.2f} to {high:.2f}")
    low, high = row["effect_low"], row["effect_high"]
    print(f"  reported minus honest: {row['effect']:+.2f}, interval over eight runs {low:+.2f} to {high:+.2f}")

# %% tags=["remove-cell"]
by_slice, by_patient = leak["splits"]["by slice"], leak["splits"]["by patient"]
assert by_slice["effect_low"] > 0.1
assert min(by_slice["effect_seeds"]) > 0
assert by_patient["effect_low"] < 0 < by_patient["effect_high"]

# %% mystnb={"figure": {"caption": "Mean Dice per patient. Each circle is one run, with six patients of its own; diamond and gray bar: the mean and its 95 % interval. Hollow: the interval includes 0."}, "image": {"alt": "Three panels with a row for each split. Reported: by slice the circles lie from 0.5 to 0.8, by patient they scatter from 0 to 0.7. Honest: by slice from 0.2 to 0.5, by patient from 0 to 0.45. Reported minus honest: by slice all circles lie right of zero, from 0.14 to 0.47, and so does the interval; by patient they scatter from -0.4 to 0.3 around zero, and the mean is hollow."}}
columns = {"reported": "reported", "honest": "honest", "reported minus honest": "effect"}
plotting.show_estimates(leak["splits"], columns, limits=(-0.45, 0.85), mark=0, panel=2.4)

# %% [markdown]
# All networks know their own crops nearly by heart. Split **by slice**, they are reported to find nodules with a Dice of two thirds. On new patients it is one third: **three tenths too much**, and too much in each of the eight runs. For four of five test crops, the slice directly above or below is among the learned ones, mostly with the same nodule at the same place, and memory counts as skill. Split **by patient**, the reported score is about the honest one on average. But it scatters widely, because each run tests only two patients, and the interval of the difference reaches from almost two tenths below zero to more than one tenth above. So this split is honest but not precise; more patients help, or a cross-validation over patients ([notebook 05b](05b_comparison.ipynb)).
#
# (Is the split by slice at least good for the network, whose honest score is the higher one? It has learned from all patients with a nodule, five or six, and the other from three or four. Once the score is known from an honest split, the final network may learn from all patients as well.)
#
# And why did the same mistake cost nothing with lungs? A lung is found without knowing the patient, and a slice two centimeters away does not show the same nodule; there was nothing to gain from memory. The line of code is the same in both cases, and so is the check: `set(train.patient_ids) & set(validation.patient_ids)`. Leaks of this kind have been found in many published studies {cite:p}`kapoor2023leakage,roberts2021pitfalls`.

# %% [markdown]
# ## The whole museum
#
# Here are all sixteen costs in one picture; the sixteenth exhibit, noise in place of the data, has the next section to itself. The axis is stretched around zero, so that a thousandth can be seen beside a whole.

# %% mystnb={"figure": {"caption": "What each bug costs: five pairs of runs (dots), their mean and its 95 % interval. Hollow: the interval includes 0. Orange: the bug is in the measuring, and the cost is what is reported too much (for accuracy: accuracy minus Dice)."}, "image": {"alt": "Sixteen rows of dots with a mean and an interval, on an axis of differences in Dice from -1 to 1. From the top: labels inverted at nearly -1, noise and the softmax over one channel at about -0.8, four bugs of the data between -0.7 and -0.46 with wide intervals, interpolated masks at -0.26 with a narrow one. The learning rate is hollow: all five dots lie left of zero, its interval reaches across. Missing skip connections at -0.06, fractions near -0.01. At zero, hollow and orange: patients on both sides, selection on the test set, averages over batches, each subset normalized by itself. Accuracy alone lies right of zero, filled."}}
plotting.show_effects(recorded["bugs"], [name for name, one in museum.EXHIBITS.items() if one.measuring])

# %% [markdown]
# At the top are the bugs that leave little of the result, most of them in the data. They are costly, but they will be found, because somebody will ask why the masks look like that. In the middle are bugs that leave a number you could publish: a rim of a wrong class, an outline without skip connections, fractions at the edges. **Nobody looks for a bug behind a Dice of 0.92.** And five rows are hollow, because their intervals include zero: four ways of measuring wrongly that wait for other data, and the learning rate, for which five runs are too few. (Sixteen intervals of 95 % are drawn here, so on average nearly one of them misses the true cost; none of the large costs depends on that.)

# %% [markdown]
# ## The run that was stuck at 50 %
#
# [Notebook 06b](06b_black_masks.ipynb) examined a report: 50 epochs, an accuracy between 50.05 and 50.2 % from the first to the last, and masks of which a quarter is foreground. It predicted the number that each explanation would give, and only placeholder noise was left: lines that stand in for the data until they arrive, and that nobody removed.

# %%
print(inspect.getsource(museum.use_placeholders))

# %% [markdown]
# But a number is not yet a *curve*. So here are eight explanations and a run without a bug, each trained for the whole 50 epochs with five seeds (the two on 256 slices of noise with three). The table gives the share of foreground, and the lowest and highest *training* accuracy over all epochs and seeds, in percent.

# %%
import pandas as pd

pd.set_option("display.max_colwidth", None)
half = json.loads((RESULTS / "museum_half.json").read_text(encoding="utf-8"))["results"]
columns = {"foreground": "foreground", "accuracy_lowest": "lowest", "accuracy_highest": "highest"}
table = pd.DataFrame(half).T[list(columns)].rename(columns=columns).astype(float)
(100 * table).round(2)

# %% [markdown]
# We go row by row. Without a bug, and with masks of *other* slices, the accuracy climbs past three quarters, the score of the best constant; coin tosses with a quarter of foreground climb to it. The softmax over one channel stays at the share of foreground. Two dead channels give both classes the same answer everywhere, and binary accuracy counts one of the two as right: 50, in every epoch and to the last digit. Only **noise with half foreground** stays near 50 and still moves. (The quarter of foreground in the report would then belong to masks that this run never saw.) Here are its curves, and that of the dead channels, beside the reported range:

# %% mystnb={"figure": {"caption": "Accuracy over 50 epochs, training (dashed) and validation (solid), one pair of lines per seed. Gray: the reported range. Curves that leave the picture keep climbing."}, "image": {"alt": "Five panels, accuracy from 0.490 to 0.512 over 50 epochs, with a gray band just above one half. Two dead channels: one flat line at 0.500, below the band. Noise on 16, 64 and 256 slices: dashed training curves start near the band and climb out of it, most of them out of the picture; solid validation curves stay around 0.500, scattered widely for 16 slices and little for 256. With a tenth of the learning rate the training curves creep, and none stays in the band throughout."}}
shown = [name for name in half if "half foreground" in name or "dead" in name]
plotting.show_runs_in_range({name: half[name] for name in shown}, (0.5005, 0.502), ylim=(0.49, 0.512))

# %% [markdown]
# Most dashed lines climb: a network learns coin tosses by heart {cite:p}`zhang2017rethinking`, if only slowly at a tenth of the learning rate. The solid lines cannot follow, because the validation set has other tosses. They scatter around one half, and the more pixels $n$ there are, the less they scatter, as $\sqrt{0.25/n}$ says. How many of the 50 epochs lie in the reported range?


# %%
def epochs_inside(row, curve):
    return ", ".join(str(count) for count in row[f"{curve}_epochs_in_range"])


inside = {name: [epochs_inside(half[name], curve) for curve in ("accuracy", "val_accuracy")] for name in shown}
pd.DataFrame(inside, index=["training, each seed", "validation, each seed"]).T

# %% [markdown]
# **No run stays in it for all 50 epochs.** The longest stay, 29 epochs, is that of a run on 64 slices; then it climbs out at the top. So we have not reproduced the report to the digit, and we have to say plainly what is settled and what is not. Of all the explanations, only one kind gives numbers of this size that move at all: placeholders with half foreground. It is chance whether a run starts inside the range. How long it stays depends on how fast it learns by heart, that is, on slices, network and learning rate, which the report does not give. A slow learner that starts inside could stay there; we have not seen one.
#
# If the run is your own, which experiment decides? **Shuffle the masks among the images and train again.** For lungs, the first two rows of the table are this experiment. Here is the validation accuracy after the last epoch:

# %%
ends = {name: np.mean([curve[-1] for curve in half[name]["val_accuracy_curves"]]) for name in list(half)[:2]}
{name: round(100 * float(end), 1) for name, end in ends.items()}

# %% [markdown]
# Without their own images the lungs fall by more than ten points, much of the way to the best constant. Shuffled coin tosses are still coin tosses, so their curve would look the same. If shuffling changes nothing, the network took nothing from the images: either the masks never had to do with them, or the network is dead. The training curve tells these two apart: coin tosses are slowly learned by heart, whereas a dead network does not move, to the last digit. The quickest experiment of all is still to look at one pair.

# %% [markdown]
# ## A doctor for training runs
#
# A program, the *doctor*, can run most of the checks that have caught a bug so far. `diagnose` takes the model, its curves and the data, and nothing else. It names the likely bug, with the evidence and the test that decides.

# %%
from unet_helpers.failures import diagnose

print(diagnose(healthy.model, healthy.history, data))

# %% [markdown]
# It finds nothing suspicious, and adds four lines on what it **cannot** see. Now the run with the softmax:

# %%
for finding in diagnose(one_channel.model, one_channel.history, data):
    print(finding)

# %% [markdown]
# The cause comes first, its consequence second. Nobody told the doctor which exhibit this is: it read the last layer, and it looked at the output.
#
# It looks at the data before it looks at the network, because that is where most bugs are. So it can be asked with any network, about any data:

# %%
for name in ("mispaired", "augmented apart", "scaled differently", "split by slice"):
    finding = diagnose(healthy.model, healthy.history, bugs[name])[0]
    print(f"{finding.name}: {finding.evidence}")

# %% [markdown]
# How good is the doctor? It was asked about all five runs of each exhibit, with seeds on which it had not been tried before, and about twenty healthy runs of different kinds: other widths, sizes, windows, tasks, losses and networks.

# %%
rows = {name: (row["named_first"], row["named"]) for name, row in recorded["bugs"].items()}
pd.DataFrame(rows, index=["named first", "named"]).T

# %%
runs = pd.DataFrame(recorded["healthy_runs"])
print(f"{recorded['false_alarms']} of {len(runs)} healthy runs with any finding")
runs[["setting", "val_dice", "findings"]]

# %% [markdown]
# All but two of the sixteen bugs are named first in every run. **The learning rate** is missed in two runs of five: their first epochs were not bad enough for the doctor's limits, and it sees one number per epoch, not every step. **The test set used for selection** is never named: it leaves no trace in model, curves or data, and the doctor says so itself.
#
# None of the twenty healthy runs has a finding. (Healthy means without a bug, not good: the run with three classes has hardly begun to find nodules, and that is no reason for an alarm.) Twenty are not many, though. A doctor that raises a false alarm in every tenth healthy run would still be silent about all twenty with a probability of about one in eight ($0.9^{20}$).
#
# Do not expect the same score on *your* bugs. The doctor was built with these exhibits in view, and only the seeds were new to it. Do not expect it to know a bug that nobody has put into the museum. It is no more than a list of questions, but one that is asked every time.

# %% [markdown]
# ### Exercise 16.6: what the doctor does not see
#
# A patient was scanned once, but the images were exported twice with slightly different settings, and entered into the hospital's list under two names. So three slices in `validation_images` are copies of slices in `train_images`, a little paler and with different noise. Write a function that finds the pairs `(index in train, index in validation)`. `np.corrcoef` of an array with one picture per row gives the correlation of each picture with each. Different slices of a chest are also alike: look at the largest correlations before you choose a limit.
#
# <details><summary>Hint 1</summary>
#
# How do you turn images of shape `(N, 64, 64, 1)` into an array with one picture per row? And if you put both sets into one array, which part of the square table compares training with validation?
#
# <details><summary>Hint 2</summary>
#
# `reshape(len(images), -1)` gives one row per picture. With the training rows first, the part you need is the first `len(train)` rows and the columns after them. Sort its values: where is the jump between copies and slices that are merely alike?
#
# <details><summary>Hint 3</summary>
#
# `np.argwhere(alike > limit)` gives the pairs of indices; the limit belongs in the gap that you have seen.
#
# </details>
# </details>
# </details>

# %%
train_images, validation_images, _ = check.two_names()


def near_copies(train, validation):
    return ...


check.near_copies(near_copies)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def near_copies(train, validation):
    both = np.concatenate([train, validation]).reshape(len(train) + len(validation), -1)
    alike = np.corrcoef(both)[: len(train), len(train) :]
    return np.argwhere(alike > 0.997)


check.near_copies(near_copies)

# %% [markdown]
# ### Exercise 16.7: four reports
#
# Here are four runs, described by what their owners see. Which of these bugs does each have: `"softmax over one channel"`, `"masks in 0 and 255"`, `"learning rate too high"`, `"noise in place of the data"`?
#
# - **A.** The loss falls nicely. The accuracy is the same in every epoch, namely the share of lung in the masks.
# - **B.** The loss is below zero after the first epoch, and far below after the last.
# - **C.** The first validation loss is many times what guessing would cost. Then the curves recover, but the Dice ends below that of a colleague.
# - **D.** The validation loss is about the logarithm of 2 and the validation accuracy one half, from the first epoch to the last. In training both are hardly better.
#
# <details><summary>Hint 1</summary>
#
# Find each of the four exhibits again in the rooms above, and the run at 50 % in its own section. What did the loss do there, and what did the accuracy do?
#
# <details><summary>Hint 2</summary>
#
# Which targets let a cross-entropy fall below zero? Which output gives the share of lung as accuracy? What throws the weights far off in the first steps? And log 2 per pixel is the price of guessing between two equally likely answers: when is there nothing better to do?
#
# </details>
# </details>

# %%
reports = {"A": ..., "B": ..., "C": ..., "D": ...}
check.name_the_bug(reports)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
reports = {
    "A": "softmax over one channel",
    "B": "masks in 0 and 255",
    "C": "learning rate too high",
    "D": "noise in place of the data",
}
check.name_the_bug(reports)

# %% [markdown]
# ## The catalog
#
# This table says what each exhibit looks like from outside, which check would have caught it, what it costs, and in how many of the five runs the doctor names it:


# %%
def entry(name, one):
    row = recorded["bugs"][name]
    interval = f"{row['effect_low']:+.3f} to {row['effect_high']:+.3f}"
    named = f"{row['named']} of {len(row['doctor'])}"
    return one.symptom, one.caught_by, f"{row['effect']:+.3f}", interval, named


columns = ["symptom", "check", "cost", "95 % interval", "named"]
pd.DataFrame({name: entry(name, one) for name, one in museum.EXHIBITS.items()}, index=columns).T

# %% [markdown]
# Read the checks from top to bottom: hardly any takes more than a line of code, and few need a training. Do not use the costs to rank what to check first: compared with any of them, a minute is cheap.

# %% [markdown]
# <div class="alert alert-warning">
#
# The costs are those of *one* task, small synthetic pictures of lungs, with *one* small network. Another task has other costs: a bug that is cheap here can be the costliest elsewhere. What carries over are the symptoms and the checks. Nothing here is a clinical tool.
#
# </div>

# %% [markdown]
# ## Take-aways
#
# - No mistake of this notebook raises an error. Nearly all show up in a one-minute check: ten masks over their images, `np.unique`, the minimum and maximum of both subsets, the patients of both subsets.
# - A validation set that went through the same pipeline has the same bug, and its score says nothing about it.
# - A bug in the measuring leaves the network as good as it was, and makes the number false. If it costs nothing here, it may cost much elsewhere.
# - A leak costs something where it helps with the answer: nothing for lungs in slices centimeters apart, three tenths of Dice for nodules in thin slices of few patients. Split by patient in either case.
# - Know the score of knowing nothing: that of the best constant, and of the average mask.
# - Predict the number of each explanation, then the *curve*, then find the experiment on which they differ.
# - A program can ask these questions every time. It has to say what it cannot see.

# %% [markdown]
# ## Questions to test yourself
#
# 1. A lung network has 0.93 on the validation set, and an honest 0.72 on new patients of the same scanner. No patient is in two subsets. Which exhibit does this, and how would you find out?
#
# <details><summary>Answer</summary>
#
# Masks resized with interpolation: the validation masks have the same rim. `np.unique` of a slice without a nodule before and after the resizing, or a picture of each class.
#
# </details>
#
# 2. The cross-entropy is −12 and falling. Good news?
#
#    - A. Yes, the smaller a loss, the better the answers.
#    - B. No, the learning rate is far too high for the network.
#    - C. No, the masks hold values that are no probabilities.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** A cross-entropy is never below zero if the targets lie between 0 and 1. Look at the values of the masks.
# - **Not A:** this holds down to 0, which would be a perfect answer. Below it, the loss measures something else.
# - **Not B:** then the loss would jump, or become NaN. This one falls steadily.
#
# </details>
#
# 3. The accuracy stands at 0.87 from the first epoch on. Which two numbers do you compare it with?
#
#    - A. The share of background and the share of foreground.
#    - B. The accuracy of the training set and that of the test set.
#    - C. 0.5 and 1, the accuracies of guessing and of a perfect network.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** A constant "nothing" scores the first, and a constant "everything" the second, for instance a softmax over one channel. And look at the outputs: are they constant?
# - **Not B:** a constant answer scores about the same on each of them, so that they agree and show nothing.
# - **Not C:** a network that has learned nothing does not toss coins. It gives the same answer everywhere, and scores the share of that class.
#
# </details>
#
# 4. For one bug the interval of the cost includes zero. May it stay in code that will be used for other data?
#
#    - A. Yes, it costs nothing.
#    - B. No, whatever the interval.
#    - C. Yes, but only if the interval is narrow.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** On patients of another scanner, or with more choices made on the test set, it may cost much. The split by slice cost nothing with lungs, and three tenths with nodules.
# - **Not A:** an interval that includes zero means that this measurement cannot tell, and not that there is no cost.
# - **Not C:** a narrow interval speaks of this task, these patients and five runs, and of nothing else.
#
# </details>
#
# 5. Someone proposes: "overfit one image; if that works, the data are fine." What does it show if it works?
#
#    - A. That the wiring is right.
#    - B. That the data are right.
#    - C. Both.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** It shows that the network, the loss and the optimizer can learn.
# - **Not B:** a network learns noise and wrong masks by heart as well.
# - **Not C:** it works with a wrong pair just as with a right one. (Where it fails, the data may be the reason, such as masks of 0 and 255.)
#
# </details>
#
# 6. The doctor finds nothing. What may still be wrong?
#
# <details><summary>Answer</summary>
#
# What leaves no trace in model, curves and data: choices made on the test set, one patient under two names, masks that are wrong and look plausible. And every bug that nobody has built into it.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Humbatova and others (2020) {cite:p}`humbatova2020faults`: a taxonomy of what really goes wrong in deep learning, from repositories, forums and interviews.
# - Kapoor and Narayanan (2023) {cite:p}`kapoor2023leakage`: leakage in published work, field by field, and a taxonomy of its kinds.
# - Roberts and others (2021) {cite:p}`roberts2021pitfalls`: what went wrong in machine learning on chest images of COVID-19.
# - Zhang and others (2017) {cite:p}`zhang2017rethinking`: networks learn random labels by heart.
# - Dwork and others (2015) {cite:p}`dwork2015holdout`: why a held-out set wears out when it is asked again and again, and how to ask it safely.

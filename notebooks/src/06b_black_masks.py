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
# # 06b Why is my mask black?
#
# The training ran without an error, and the mask shows nothing. Is it the picture, the data or the network?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - ask for the causes of an all-black mask in order, the cheapest first,
# - find the broken step between the scanner's numbers and the network,
# - compute which accuracy each explanation of a failed training predicts, and compare it with the one reported,
# - let a program look at images and masks before you train.
#
# **You need before:** windows and class indices ([notebook 02](02_preprocessing.ipynb)); what a training is ([notebook 04](04_gpu_training.ipynb)).
#
# **Minutes:** 30 to read, 1 to run on two cores.
#
# **The misconception it removes:** "A black mask, or an accuracy of 50 %, means that the network is too weak."
#
# </div>

# %%
from unet_helpers import load_checkpoint, load_dataset, predict_masks

data = load_dataset("phantom")
model = load_checkpoint()
validation = data.validation
k = int((validation.masks == 2).sum(axis=(1, 2)).argmax())
images, masks = validation.images[k : k + 1], validation.masks[k : k + 1]
predicted = predict_masks(model, images)

# %% mystnb={"figure": {"caption": "The same predicted mask, shown with two different scales."}, "image": {"alt": "Two panels. Left: an all-black square, the predicted mask shown with white at 255. Right: the same mask shown with white at 2: two lungs in gray, and in one of them a white nodule."}}
from unet_helpers import plotting

with plotting.figure(1, 2) as (fig, axes):
    plotting.draw_image(axes[0, 0], predicted[0], limits=(0, 255), title="vmax=255")
    plotting.draw_image(axes[0, 1], predicted[0], limits=(0, 2), title="vmax=2")
fig

# %%
import numpy as np

np.unique(predicted)

# %% [markdown]
# Both panels show the same array. It holds the classes 0, 1 and 2, and a viewer that shows 255 as white shows 2 as black. Nothing is wrong with this network; `np.unique` before any picture says so.

# %% [markdown]
# ## Six questions
#
# "My mask is all black" is a frequent cry for help in forums about U-Net. It has half a dozen causes, and `why_black` asks for each of them, the cheapest first. We begin where nothing is wrong:

# %%
from unet_helpers.failures import why_black

findings = why_black(model, images, masks)
len(findings), sum(finding.suspicious for finding in findings)


# %% [markdown]
# It asked six questions and found nothing suspicious. Now come four ways to a black picture.
#
# **Cause 1: only the display.** Tell `why_black` what was drawn, and which value the picture shows as white. Here are the two panels from above:


# %%
def first_suspect(findings):
    return next((finding.question for finding in findings if finding.suspicious), "nothing suspicious")


{vmax: first_suspect(why_black(model, images, masks, displayed=predicted, vmax=vmax)) for vmax in (255, 2)}

# %% [markdown]
# **Cause 2: masks stored as 0 and 255**, and used for training as they are. The binary cross-entropy then has no lower bound, and training runs away.

# %%
first_suspect(why_black(model, images, np.where(masks > 0, 255, 0)))

# %% [markdown]
# **Cause 3: images in HU**, for a network that was trained on values from 0 to 1.

# %%
hu = load_dataset("phantom", window=None).validation.images[k : k + 1]
unscaled = why_black(model, hu, masks)
first_suspect(unscaled)

# %% [markdown]
# The network raises no error, and what comes out is nonsense: a mask may be black, or, as the tree below shows for this one, nearly all foreground.
#
# **Cause 4: a threshold that is too high.** A network can be shy: it raises the probability at the right place, but not to one half. We take the map of one class alone, the nodule, and look for slices where it stays below 0.4 although there is a nodule. Of these, we ask about the one with the clearest trace:

# %%
import keras

nodule_map = keras.Model(model.input, model.output[..., 2:])
probabilities = nodule_map.predict(validation.images, verbose=0)[..., 0]
nodule = validation.masks == 2
missed = nodule.any(axis=(1, 2)) & (probabilities.max(axis=(1, 2)) < 0.4)
shy = int(np.where(missed, (probabilities * nodule).max(axis=(1, 2)), 0).argmax())
first_suspect(why_black(nodule_map, validation.images[shy : shy + 1], nodule[shy : shy + 1].astype(int)))

# %% [markdown]
# The information is there; the cut is in the wrong place. A lower threshold finds this nodule, and more false islands with it. Where to cut is a decision about costs ([notebook 05](05_evaluation.ipynb)), and a shy network a matter of the loss ([notebook 07](07_losses_and_imbalance.ipynb)).
#
# The answers make a tree. Here it is for the images in HU: down as long as all is well, to the right for the remedy. The **first** suspicious answer is the cause to mend; what is suspicious below it is often its consequence.

# %% mystnb={"figure": {"caption": "The decision tree for a black mask, with its answers for images that were fed in HU."}, "image": {"alt": "A column of six boxes with questions, joined by arrows from top to bottom: is it only the display, are the mask values class indices, do the masks hold an object, are the images in the range of training, does the output vary, would a lower threshold show it. The fourth box is orange and an arrow leads from it to the remedy: scale to 0 to 1 exactly as in training."}}
plotting.show_findings(unscaled)

# %% [markdown]
# ### Exercise 06.4: the broken pipeline
#
# `pipeline.images` is what the network gets, and the masks come out black. `pipeline.steps` lists what happens to the HU on the way: windows as (level, width). Ask `why_black`, print its findings one a line, and find the number of the suspicious question (1 to 6) and the steps as they should be.
#
# <details><summary>Hint 1</summary>
#
# Print `pipeline.steps`, and the smallest and the largest value of `pipeline.images`. What range did the images have in training?
#
# <details><summary>Hint 2</summary>
#
# `print(*why_black(model, pipeline.images, pipeline.masks), sep="\n")` prints one question a line, and the remedy under each suspicious one. Count the questions from 1; the *first* with a ✗ is the cause, and later ones may follow from it.
#
# <details><summary>Hint 3</summary>
#
# The network was trained on HU that went through one window, of level −600 and width 1500. `steps` is still a list of windows, each (level, width).
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import black_masks as check

pipeline = check.broken_pipeline(hu, masks)
question, steps = ..., ...
check.cause_and_repair(question, steps)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
print(*why_black(model, pipeline.images, pipeline.masks)[:4], sep="\n")
question, steps = 4, pipeline.steps[:1]
check.cause_and_repair(question, steps)

# %% [markdown]
# The images were windowed twice: values from 0 to 1 were taken for HU, and 0 HU to 1 HU is one shade of gray. A picture of the result would scale itself back to black and white. The range of the array gives it away.

# %% [markdown]
# ## A run that is stuck at 50 %
#
# A student project reports this: a U-Net for lungs was trained for 50 epochs, and its accuracy stayed between 50.05 % and 50.2 % from the first epoch to the last. The masks, the report says, hold about 25 % foreground. The usual advice is more epochs, a larger network, another learning rate. Before you spend a night of computing, do the arithmetic.
#
# **First: what would a network score that has learned nothing?** It answers the same for every pixel.

# %% [markdown]
# ### Exercise 06.5: the best constant
#
# Write a function that takes the share of foreground and returns the best accuracy that a constant answer reaches, "all background" or "all foreground".
#
# <details><summary>Hint 1</summary>
#
# Take 100 pixels, of which 25 are foreground. How many are right if all are called background? How many if all are called foreground? What changes with 90 of 100?
#
# <details><summary>Hint 2</summary>
#
# The two constants have the accuracies `share` and `1 - share`. Which of the two is asked for, whatever the share is?
#
# </details>
# </details>


# %%
def best_constant(share):
    return ...


check.best_constant(best_constant)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def best_constant(share):
    return max(share, 1 - share)


check.best_constant(best_constant)

# %% [markdown]
# A network that has learned nothing but that background is frequent scores 75 % on such masks. **50 % is far below the score of knowing nothing.** A network that is too small, or trained too briefly, does not end there.
#
# **Second: how far from one half can chance take it?** If every pixel is a coin toss, the accuracy of $n$ pixels has the standard deviation $\sqrt{0.25/n}$.

# %% [markdown]
# ### Five hypotheses, computed
#
# Each gives an accuracy that can be predicted before anything is trained. Take masks with exactly a quarter of foreground, and the accuracy as Keras computes it:

# %%
import warnings

import pandas as pd

from unet_helpers import one_hot

masks = np.zeros((16, 64, 64), np.uint8)
masks[:, 16:48, 16:48] = 1
targets, rng = one_hot(masks, 2), np.random.default_rng(0)
coins = rng.integers(0, 2, masks.shape)
with warnings.catch_warnings(record=True) as caught:
    one_channel = keras.ops.softmax(rng.normal(size=(*masks.shape, 1)), axis=-1)
str(caught[0].message).split(". ")[-1]

# %% [markdown]
# Keras warns of a softmax over one channel, which divides a number by itself: every output is 1. Now we compute all five:


# %%
def accuracy(targets, outputs):
    return round(100 * float(keras.metrics.BinaryAccuracy()(targets, outputs)), 2)


pd.Series(
    {
        "all background": accuracy(masks, 0 * masks),
        "softmax over one channel": accuracy(masks[..., None], one_channel),
        "two channels that say the same": accuracy(targets, np.full(targets.shape, 0.9)),
        "two channels of NaN": accuracy(targets, np.full(targets.shape, np.nan)),
        "masks of coin tosses, all background": accuracy(coins, 0 * coins),
    },
    name="accuracy, %",
)

# %% [markdown]
# - **Collapse to background:** 75 %, as computed. Not our run.
# - **A softmax over one channel:** everything is foreground, and the accuracy is its share, 25 %. Not our run either.
# - **Two channels, one-hot masks and binary accuracy:** if the network gives both channels the same answer, one of the two is right, at every pixel, whatever the image shows: exactly one half, even if the network has died and gives only NaN. But then it does not move, to the last digit, and the report has 50.05 to 50.2.
# - **Labels that have nothing to do with the image:** if masks of *other* slices were paired with the images, a quarter is still foreground, and a constant still has 75 %. But if the labels are coin tosses, no answer whatever beats one half on new images, and chance moves the digits: a tenth of a percentage point for four slices of 256 × 256, by the formula above.
#
# Only the last fits: the run looks like one on **placeholder noise**, random images and random masks of half foreground, left in the code from the day before the data came. The quarter of foreground would then describe masks that this run never saw. We do not have its data, so this is the explanation that fits, not a confession. [Notebook 16](16_museum_of_bugs.ipynb) trains each explanation for 50 epochs and lays the curves beside the report: noise comes nearest, and no run stays in the range to the end.
#
# The general lesson: predict the number that each explanation would give, **then** compare. It costs minutes, and no training.

# %% [markdown]
# ## Before you train
#
# Four short checks would have told us in advance:
#
# 1. **Look** at one image with its mask.
# 2. **Compare with the best constant.** Equal or below: nothing was learned.
# 3. **Shuffle the masks** among the images and train again. If the result is the same, the masks never depended on the images.
# 4. **Overfit one image.** A network that cannot learn one image by heart is wired wrongly. (It learns noise by heart, too: this tests the wiring, not the data.)
#
# And three questions of the tree can be asked before there is a network.

# %% [markdown]
# ### Exercise 06.6: ask before you train
#
# Write a function that takes a batch of images, `(N, H, W)`, their masks, `(N, H, W)`, and the number of classes, and returns the **first** problem that it finds, as a text:
#
# - `"mask values"`, unless every value in the masks is one of the classes 0, 1, … `num_classes - 1`;
# - `"empty masks"`, if no mask has an object, that is, a pixel above 0;
# - `"image range"`, unless every pixel of every image lies from −10 to 10;
# - `"none"`, if there is none of these.
#
# <details><summary>Hint 1</summary>
#
# One `if` with its `return` for each question, in this order. What should become of a single −1 in the masks, of one half, of `nan`?
#
# <details><summary>Hint 2</summary>
#
# `np.isin(masks, range(num_classes))` is `True` at each pixel that holds a class. For which answer must *all* of them be true, and for which is *any* pixel enough?
#
# <details><summary>Hint 3</summary>
#
# `nan` is not larger than 10 and not smaller than −10. So ask whether all is well, and turn the answer round: `not (np.abs(images) <= 10).all()`.
#
# </details>
# </details>
# </details>


# %%
def first_problem(images, masks, num_classes):
    return ...


check.first_problem(first_problem)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def first_problem(images, masks, num_classes):
    if not np.isin(masks, range(num_classes)).all():
        return "mask values"
    if not masks.any():
        return "empty masks"
    if not (np.abs(images) <= 10).all():
        return "image range"
    return "none"


check.first_problem(first_problem)

# %% [markdown]
# Would it have caught the placeholders? Here is our data set with noise in place of its images and masks:

# %%
from unet_helpers.teaching import museum

placeholders = museum.use_placeholders(data)
first_problem(placeholders.train.images, placeholders.train.masks, data.num_classes)

# %% [markdown]
# No. Values, masks and range are in order; what is wrong is that there is nothing to see. A person who looks at one pair notices it at once. A program has to be told what to look for: in every real image neighboring pixels are alike. `diagnose` asks this and a dozen other questions of the model, its curves and its data ([notebook 16](16_museum_of_bugs.ipynb) puts it to the test). With the accuracies of the report:

# %%
from unet_helpers.failures import diagnose

print(*diagnose(model, {"accuracy": [0.5005, 0.502]}, placeholders)[:2], sep="\n")

# %% [markdown]
# ## From symptom to cause
#
# Keep this page beside you when you train on your own data.
#
# | symptom | first suspects | the quick test |
# |---|---|---|
# | the picture of the mask is black | class indices shown on a scale to 255 | `np.unique(mask)`; show with `vmax=num_classes - 1` |
# | the prediction is empty | images not scaled as in training; threshold; collapse to background | `images.min(), images.max()`; the highest probability; `why_black` |
# | loss negative or below any bound, IoU above 1 | masks 0/255, or several channels taken for one | `np.unique(masks)`, `masks.shape` |
# | accuracy high, no object found | class imbalance: the constant is that good | accuracy of the best constant; Dice per class |
# | accuracy at exactly one half | both channels alike, or NaN outputs, under binary accuracy | look at the outputs: `np.isnan(outputs).any()` |
# | accuracy near one half, creeping | masks independent of the images, balanced: placeholder data | look at one pair; shuffle the masks |
# | accuracy equal to the share of foreground | softmax over one channel; the mask inverted | minimum and maximum of the outputs |
# | loss frozen from the first step | learning rate, a dead activation, wrong output layer | overfit one image |
# | loss NaN | learning rate too high; NaN in the images; images in HU | `np.isfinite(images).all()`; a tenth of the learning rate |
# | training good, validation near the constant | overfitting, too little data; the pairing of the validation set | look at validation pairs; augmentation, fewer parameters |
#
# A collapse to background takes seconds to see: under *Watch a network learn* in [notebook 04](04_gpu_training.ipynb) a tiny network is trained in the book, black mask included.

# %% [markdown]
# ## Take-aways
#
# - A black mask has half a dozen causes. Ask in order, display and values first; the first suspicious answer is the cause to mend.
# - Images in another range than in training raise no error. Look at the smallest and the largest value of what the network gets.
# - Compare an accuracy with that of the best constant. 50 % is not a sign of a weak network where a constant has 75 %.
# - Compute what each explanation predicts, then compare. Change one thing at a time.
# - A program checks what it was told to check; look at one pair yourself.
#
# ## Questions to test yourself
#
# 1. A colleague saves predicted masks as PNG files, and her viewer shows all of them black. `np.unique` of a file gives 0 and 1. Must she train longer?
#
#    - A. Yes, the network does not find the object yet.
#    - B. No, the masks are not empty.
#    - C. No, she must lower the threshold.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** On a scale up to 255, a 1 looks as black as a 0. Show the files on a scale that ends at 1, or save copies multiplied by 255 to look at.
# - **Not A:** the pixels of value 1 are what it found.
# - **Not C:** the threshold has let pixels through. What is wrong is how they are displayed.
#
# </details>
#
# 2. A two-class run with one-hot masks reports an accuracy of 0.5000 in every epoch. What do you look at first?
#
#    - A. The outputs of the network.
#    - B. The share of the foreground, which must be one half.
#    - C. The learning curve of a longer training.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** If both channels are alike, or all are NaN, binary accuracy is exactly one half whatever the image shows.
# - **Not B:** an object that fills exactly one half of the images, to four digits, would be a strange coincidence. With one-hot masks one half comes out for any share.
# - **Not C:** a number that does not change in its fourth digit will not do so later. Find out what it counts.
#
# </details>
#
# 3. Your network overfits one image to Dice 0.99, but stands at the best constant on the whole training set. Wiring or data?
#
#    - A. The wiring: network, loss or optimizer is broken.
#    - B. The data: the masks may not depend on the images.
#    - C. Neither, the network is too small for so many images.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The wiring works. Are the pairs right? Shuffle the masks and compare.
# - **Not A:** network, loss and optimizer have just learned one image.
# - **Not C:** a small network would be better than a constant, if images and masks had anything to do with each other.
#
# </details>
#
# 4. `why_black` calls the range of the images suspicious, and also says that a lower threshold would show the object. What do you do?
#
#    - A. Lower the threshold, as it is one line.
#    - B. Train again on images of this range.
#    - C. Scale the images as in training, and ask again.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** The first suspicious answer is the cause to mend.
# - **Not A:** on images of another range the probabilities mean nothing; another threshold would hide the cause.
# - **Not B:** it would give a network for this range only. Scaling the images as in the first training takes one line.
#
# </details>
#
# ## Read more
#
# - Humbatova et al. (2020) {cite:p}`humbatova2020faults`: a taxonomy of real faults in deep learning programs.
# - Zhang et al. (2017) {cite:p}`zhang2017rethinking`: networks learn random labels by heart.
# - The words of this page are in the [glossary](../book/glossary.md).

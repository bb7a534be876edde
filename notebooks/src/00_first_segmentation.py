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
# # 00 First segmentation
#
# What is all this about?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - go from a folder of images and masks to masks on patients that the network has never seen,
# - do it in plain Keras, with every line of network and training in view,
# - explain how a network can get 99 % of the pixels right and still not find a single nodule.
#
# **You need before:** a little Python and NumPy. You need not understand everything here: each step names the notebook that explains and questions it.
#
# **Minutes:** 15 to read, 1 to run on two cores; the very first run also makes the synthetic patients, which takes another minute.
#
# **The misconception it removes:** "The accuracy is 99 %, so the network works."
#
# </div>

# %%
import numpy as np
from skimage.io import imread

from unet_helpers import export_phantom, plotting

folder = export_phantom(patients=32, clean=True)

# %% mystnb={"figure": {"caption": "The task. Left: one slice of a chest. Right: what a person would draw on it. Blue: lung. Orange: nodule."}, "image": {"alt": "A gray slice through a synthetic chest, once plain and once with both lungs outlined in blue and a small nodule in orange."}}
image, mask = imread(folder / "2d_images" / "ID_5_Z_9.png"), imread(folder / "2d_masks" / "ID_0005_Z_0009.png")
plotting.show_images([image] * 2, ["image", "mask"], [None, mask], limits=(0, 255), panel=3)

# %% [markdown]
# The image is one **slice** of a CT scan, a cut across the chest, in which air is dark and bone is bright. A **segmentation** gives every pixel of it a label. Here there are three labels: 0 is background, 1 is lung, and 2 is **nodule**, a small round growth in the lung. An array of such labels is a **mask**. Somebody has made masks for some slices; we want a program that makes them for the others.
#
# The patients are synthetic: a program draws them and scans them, so the masks are exactly right and nobody's privacy is at stake. `export_phantom`, above, has written 32 of them to a folder. It belongs to `unet_helpers`, the package of this series, and so does `plotting`, which draws the pictures. Everything else on this page is Python, NumPy and Keras, with scikit-image to read the files.
#
# ## From a folder to arrays
#
# There are two folders, one of images and one of masks. An image and its mask have the same numbers in their names, but not the same name. How many files are there, and what is the last name of each folder in alphabetical order?

# %%
images, masks = list((folder / "2d_images").iterdir()), list((folder / "2d_masks").iterdir())
len(images), len(masks), max(path.name for path in images), max(path.name for path in masks)

# %% [markdown]
# There are 256 files in each. But these two names are not a pair: the image is slice 9 of patient 9, the mask is slice 12 of patient 32. So we take the two numbers out of each name (`\d+` stands for a run of digits; as a whole number, 0009 is 9), and pair by them. *What goes wrong when both folders are merely sorted, and how you would notice: [01](01_data_pairing.ipynb).*

# %%
import re


def key(path):
    return tuple(int(number) for number in re.findall(r"\d+", path.stem))


mask_of = {key(path): path for path in masks}
pairs = [(path, mask_of[key(path)]) for path in sorted(images, key=key)]

# %% [markdown]
# Now we read the files into two arrays, `x` for the images and `y` for the masks. The gray values, 0 to 255, become numbers from 0 to 1, and `[..., None]` adds a last axis for the channel, because Keras expects one. Masks stay whole numbers. *What a gray value of a CT means, and what you must never do to a mask: [02](02_preprocessing.ipynb).*

# %%
x = np.stack([imread(image) for image, _ in pairs])[..., None] / np.float32(255)
y = np.stack([imread(mask) for _, mask in pairs])
x.shape, y.shape, np.unique(y).tolist()

# %% [markdown]
# That is 256 slices of 128×128 pixels with one channel, and masks of the same size that hold only 0, 1 and 2.
#
# We put the last six patients aside, numbers 27 to 32: in training the network must not see a single slice of theirs. Slices of one patient resemble each other, so one of them would give away part of the answer for the next. (`~unseen` means: not unseen.) *Why whole patients, and what it costs to split by slice: [01](01_data_pairing.ipynb). Why a third set is needed as soon as you compare anything: [05](05_evaluation.ipynb).*

# %%
patient = np.array([key(image)[0] for image, _ in pairs])
unseen = patient > 26
x[~unseen].shape, x[unseen].shape

# %% [markdown]
# That leaves 208 slices to train on, and 48 for the end.
#
# ## A U-Net
#
# A layer turns its input into a stack of pictures, called **maps**; `filters` says how many. A `block` below is three layers, twice over: a convolution with learned 3×3 kernels, a normalization, and a ReLU, which turns negative numbers into 0.
#
# The network halves the picture three times (`MaxPooling2D`) and doubles it three times (`UpSampling2D`). On the way down it learns *what* is there, and on the way up *where*. At each size the maps from the way down are also handed straight across to the way up, where `Concatenate` puts them beside the maps that are there: that is a **skip connection**. *Each of these lines, and what happens without it: [03](03_unet_architecture.ipynb).*

# %%
import keras
from keras import layers


def block(maps, filters):
    for _ in range(2):
        maps = layers.Conv2D(filters, 3, padding="same", use_bias=False)(maps)
        maps = layers.BatchNormalization(momentum=0.9)(maps)
        maps = layers.ReLU()(maps)
    return maps


# %%
keras.utils.set_random_seed(0)
maps = inputs = keras.Input((128, 128, 1))
skips = []
for filters in (8, 16, 32):
    maps = block(maps, filters)
    skips.append(maps)
    maps = layers.MaxPooling2D()(maps)
maps = block(maps, 64)
for filters, skip in zip((32, 16, 8), reversed(skips), strict=True):
    maps = layers.Concatenate()([layers.UpSampling2D()(maps), skip])
    maps = block(maps, filters)
model = keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax")(maps))

# %% [markdown]
# Three maps come out, one for each class: for every pixel the probability that it is background, lung, or nodule. The `softmax` makes the three add up to 1.
#
# ## Training
#
# The **loss** is one number that says how wrong the probabilities are. `fit` shows the network 16 slices at a time and changes its weights, the numbers in its kernels, a little each time, so that the loss falls. The learning rate, here 0.003, sets the size of the changes; the optimizer, here Adam, computes them. An **epoch** is one pass through all slices. (`say` prints one line after each.) *What a loss sees and what it overlooks: [04](04_gpu_training.ipynb), [07](07_losses_and_imbalance.ipynb).*

# %% nbval_tolerance=0.1
model.compile(keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
say = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: print(f"epoch {epoch + 1} of 6, loss {logs['loss']:.1f}")
)
history = model.fit(x[~unseen], y[~unseen], batch_size=16, epochs=6, verbose=0, callbacks=[say])

# %% [markdown]
# The loss falls from epoch to epoch.
#
# ## Masks on patients it has never seen
#
# `predict` computes the probabilities for the 48 slices that were put aside:

# %%
probabilities = model.predict(x[unseen], verbose=0)
probabilities.shape

# %% [markdown]
# ### Exercise 00.1: from probabilities to a mask
#
# For each pixel there are three probabilities, on the last axis. Write the function that turns them into a mask: at each pixel, the number of the class with the highest probability. (Replace the `...`, and run the cell; `check` tells you whether it is right.)
#
# <details><summary>Hint 1</summary>
#
# Take one pixel, with the probabilities 0.2, 0.7 and 0.1. Which class does it get? And which axis must be gone from the shape (48, 128, 128, 3)?
#
# <details><summary>Hint 2</summary>
#
# You want the *place* of the largest number along the last axis, not the number itself. NumPy arrays have a method for the place of a maximum; its name begins with `arg`.
#
# <details><summary>Hint 3</summary>
#
# `argmax` takes the `axis` along which it looks, and −1 is the last one.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import first_segmentation as check


def to_mask(probabilities):
    return ...


check.to_mask(to_mask)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def to_mask(probabilities):
    return probabilities.argmax(axis=-1)


check.to_mask(to_mask)

# %% mystnb={"figure": {"caption": "Three slices of patients that the network has not seen. Above: the truth. Below: what it found."}, "image": {"alt": "Three chest slices in two rows. In both rows the lungs are outlined in blue, almost the same. In the upper row each slice also has a nodule filled in orange; in the lower row no nodule is filled, one is left out of the lung like a hole, and a few orange pixels lie elsewhere."}}
truth, found = y[unseen], to_mask(probabilities)
shown = np.argsort((truth == 2).sum(axis=(1, 2)))[-3:]
plotting.show_images(
    [*x[unseen][shown]] * 2, ["truth"] * 3 + ["network"] * 3, [*truth[shown], *found[shown]], columns=3, panel=2.2
)

# %% [markdown]
# The lungs are found, in patients the network has never seen, by code that fits on two screens.
#
# These are the three slices with the most nodule pixels. Now look for the nodules in the lower row: none is filled, and the few orange pixels are specks on edges.
#
# ## One number

# %% nbval_tolerance=0.01
print(f"accuracy {(found == truth).mean():.3f}")

# %% [markdown]
# The **accuracy** is the share of pixels with the right label, and almost all are right. Here it is also nearly useless: the network misses the nodules, and that barely lowers the number, because only about one pixel in two thousand belongs to a nodule. Missing them all costs 0.0005; most of the pixels that are wrong here are not nodule at all. We need a number that looks at one class.

# %% [markdown]
# ### Exercise 00.2: overlap
#
# Inside the function, `truth` and `found` are not the masks from above, but arrays with `True` or `False` for each pixel: is it of the class in question (for example `truth == 2`)? The **Dice** coefficient is twice the number of pixels that are `True` in both, divided by the number that are `True` in `truth` plus the number that are `True` in `found`. Write it.
#
# <details><summary>Hint 1</summary>
#
# On paper: six pixels, of which three are nodule in truth; the network found two, and one of them is right. Dice is 2 · 1 / (3 + 2). Which three counts did you need?
#
# <details><summary>Hint 2</summary>
#
# `truth & found` is `True` where both are, and `.sum()` of an array of `True` and `False` counts the `True`.
#
# <details><summary>Hint 3</summary>
#
# Compute the three sums, and take care of the brackets: the division comes after the addition.
#
# </details>
# </details>
# </details>


# %%
def dice(truth, found):
    return ...


check.dice(dice)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def dice(truth, found):
    return 2 * (truth & found).sum() / (truth.sum() + found.sum())


check.dice(dice)

# %% nbval_tolerance=0.05
for index, label in enumerate(["background", "lung", "nodule"]):
    print(f"{label}: Dice {dice(truth == index, found == index):.2f}")

# %% tags=["remove-cell"]
assert dice(truth == 1, found == 1) > 0.9
assert dice(truth == 2, found == 2) < 0.3

# %% [markdown]
# A Dice of 1 is perfect, and 0 is no overlap at all. The lungs are near 1, the nodules near 0. The accuracy of the same predictions hid that difference. *Which number to report, per patient, and with how much doubt: [05](05_evaluation.ipynb).*
#
# Small nodules can be found. Later notebooks do it with a network of the same shape: they change what the loss sees ([04](04_gpu_training.ipynb), [07](07_losses_and_imbalance.ipynb)), train for longer, and look at what is missed ([06](06_failure_analysis.ipynb)).
#
# ### Exercise 00.3: what may you claim?
#
# Somebody asks what this page has shown. Answer `"shown"` or `"not shown"` for each sentence.
#
# <details><summary>Hint 1</summary>
#
# Ask of each sentence: if it were false, would a number or a picture on this page look different?
#
# <details><summary>Hint 2</summary>
#
# List what the page has: synthetic patients, one scanner, one network, six epochs, one loss. A sentence about anything else was not tested, neither for nor against.
#
# </details>
# </details>

# %%
claims = {
    "a U-Net can outline lungs of synthetic patients that it has not seen": ...,
    "it would do as well on real patients": ...,
    "it would do as well on another scanner": ...,
    "an accuracy of 99 % does not mean that nodules are found": ...,
    "nodules cannot be found with a U-Net": ...,
    "it finds lungs better than another network would": ...,
}
check.claims(claims)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
claims = dict.fromkeys(claims, "not shown")
claims["a U-Net can outline lungs of synthetic patients that it has not seen"] = "shown"
claims["an accuracy of 99 % does not mean that nodules are found"] = "shown"
check.claims(claims)

# %% [markdown]
# ## What this page left out
#
# | we did | what could be wrong with it | where it is questioned |
# |---|---|---|
# | paired by numbers in the names | a name with other numbers, a mask twice, a mask of another size | [01](01_data_pairing.ipynb) |
# | divided by 255 | the scanner's units and the window are lost | [02](02_preprocessing.ipynb) |
# | took this shape of network | size, depth, skips: each is a choice | [03](03_unet_architecture.ipynb), [08](08_architecture_comparison.ipynb) |
# | trained six epochs with one loss | the rare class is ignored; nothing says when to stop | [04](04_gpu_training.ipynb), [07](07_losses_and_imbalance.ipynb) |
# | gave one number for all pixels together | six patients, one training, no interval | [05](05_evaluation.ipynb) |
# | looked at three slices | the failures have kinds and reasons | [06](06_failure_analysis.ipynb), [16](16_museum_of_bugs.ipynb) |
# | stayed with one synthetic scanner | real ones differ | [09](09_domain_shift_and_transfer.ipynb), [15](15_your_own_data.ipynb) |
# | cut patients into slices | a nodule is a volume | [10](10_volumes_and_3d_unet.ipynb) |
# | took each label as certain | how sure is the network, and should it be? | [12](12_uncertainty_and_calibration.ipynb) |
#
# Go on with [01](01_data_pairing.ipynb), or with the row that worries you most.
#
# ## Take-aways
#
# - A segmentation is one label for each pixel. A folder of pairs, a U-Net and `fit` are enough to get one.
# - Test on patients that the network has not seen; other slices of the same patients will not do.
# - Give a number for each class. Accuracy hides a small class.
#
# ## Questions to test yourself
#
# 1. Nodules are about one pixel in two thousand. What accuracy does a network have that finds the lungs perfectly and not a single nodule?
#
#    - A. 0 %.
#    - B. About 50 %.
#    - C. About 99.95 %.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** It is wrong in one pixel of two thousand, the nodules, and right in the other 1999.
# - **Not A:** accuracy counts all pixels, and the lungs and the background are right; 0 is the Dice of the nodule.
# - **Not B:** each pixel counts the same, however many classes there are. One class of three is missed, but it has hardly any pixels.
#
# </details>
#
# 2. Why were whole patients put aside, rather than every fifth slice?
#
#    - A. With whole patients, there are more slices to train on.
#    - B. A slice next to one that was trained on would be too easy a test.
#    - C. Each patient has the same number of nodules, so that the classes stay in balance.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Neighboring slices of one patient look alike. A network that has seen one of them has half seen the other, and the result would say little about new patients.
# - **Not A:** the number of slices is about the same either way. What changes is who is in the test.
# - **Not C:** nothing gives patients the same number of nodules, and balanced classes would not make an easy test a fair one.
#
# </details>
#
# 3. What would you look at first if the lungs had a Dice of 0.5?
#
#    - A. A few images with their masks drawn over them.
#    - B. What a larger network would give.
#    - C. Whether more epochs help.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** A wrong pairing of images and masks can give just such a number. Then look at the images as the network gets them.
# - **Not B:** lungs are large and easy to see, and this small network finds them. Something is more likely broken than too small.
# - **Not C:** if the pairs are wrong, a longer training learns wrong pairs. Looking at them takes a minute.
#
# </details>
#
# ## Read more
#
# The paper that introduced the U-Net is short and clear {cite:p}`ronneberger2015unet`. Which number to choose for which task, and how each can mislead, is the subject of a guide by many groups {cite:p}`maierhein2024metrics`.

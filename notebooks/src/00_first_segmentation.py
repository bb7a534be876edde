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
# What is all this about, in ten minutes?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - go from a folder of images and masks to masks on patients that the network has never seen,
# - do it in plain Keras, with nothing hidden,
# - say why 99 % of the pixels right may mean that the network finds nothing that matters.
#
# **You need before:** a little Python and NumPy. Nothing has to be understood in full here: each step names the chapter that questions it.
#
# **Minutes:** 10 to read, 1 to run on two cores; the very first run makes the synthetic patients, which takes another minute.
#
# **The misconception it removes:** "The accuracy is 99 %, so the network works."
#
# </div>

# %%
import numpy as np
from skimage.io import imread

from unet_helpers import export_phantom, plotting

folder = export_phantom(patients=32, clean=True)

# %% mystnb={"figure": {"caption": "The task. Left: a slice of a chest. Right: what a person would draw on it."}, "image": {"alt": "A gray slice through a synthetic chest, once plain and once with both lungs outlined in blue and a small nodule in orange."}}
image, mask = imread(folder / "2d_images" / "ID_5_Z_9.png"), imread(folder / "2d_masks" / "ID_0005_Z_0009.png")
plotting.show_images([image] * 2, ["image", "mask"], [None, mask], limits=(0, 255), panel=3)

# %% [markdown]
# A **segmentation** gives every pixel a label. Here there are three: 0 is background, 1 is lung, 2 is **nodule**, a small round growth in the lung. Somebody has labeled some slices, the masks; we want a program that labels the others.
#
# The patients are synthetic: a program draws them and scans them, so the masks are exactly right and nobody's privacy is at stake.
#
# ## From a folder to arrays
#
# Two folders, one of images and one of masks. What belongs together has the same numbers in its name, but not the same name:

# %%
images, masks = list((folder / "2d_images").iterdir()), list((folder / "2d_masks").iterdir())
len(images), len(masks), max(path.name for path in images), max(path.name for path in masks)

# %% [markdown]
# So we take the two numbers out of each name, patient and position of the slice, and pair by them. *What goes wrong when both folders are merely sorted, and how you would notice: [01](01_data_pairing.ipynb).*

# %%
import re


def key(path):
    return tuple(int(number) for number in re.findall(r"\d+", path.stem))


mask_of = {key(path): path for path in masks}
pairs = [(path, mask_of[key(path)]) for path in sorted(images, key=key)]

# %% [markdown]
# Images become numbers from 0 to 1, with one channel at the end, because Keras wants one. Masks stay whole numbers. *What a gray value of a CT means, and what you must never do to a mask: [02](02_preprocessing.ipynb).*

# %%
x = np.stack([imread(image) for image, _ in pairs])[..., None] / np.float32(255)
y = np.stack([imread(mask) for _, mask in pairs])
x.shape, y.shape, np.unique(y).tolist()

# %% [markdown]
# The last six patients are put aside: the network must not see any slice of theirs. *Why whole patients, and what it costs to split by slice: [01](01_data_pairing.ipynb). Why a third set is needed as soon as you compare anything: [05](05_evaluation.ipynb).*

# %%
patient = np.array([key(image)[0] for image, _ in pairs])
unseen = patient > 26
x[~unseen].shape, x[unseen].shape

# %% [markdown]
# ## A U-Net
#
# The network halves the picture three times and doubles it three times. On the way down it learns *what* is there, and on the way up *where*; at each size it passes its maps across, the **skip connection**. *Each of these lines, and what happens without it: [03](03_unet_architecture.ipynb).*

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
# Three maps come out, one for each class: the probability that a pixel is background, lung, or nodule.
#
# ## Training
#
# The **loss** is one number that says how wrong the probabilities are. `fit` shows the network 16 slices at a time and changes its weights so that the loss falls. An **epoch** is once through all slices. *What a loss sees and what it overlooks: [04](04_gpu_training.ipynb), [07](07_losses_and_imbalance.ipynb).*

# %% nbval_tolerance=0.1
model.compile(keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
say = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: print(f"epoch {epoch + 1} of 6, loss {logs['loss']:.1f}")
)
history = model.fit(x[~unseen], y[~unseen], batch_size=16, epochs=6, verbose=0, callbacks=[say])

# %% [markdown]
# ## Masks on patients it has never seen

# %%
probabilities = model.predict(x[unseen], verbose=0)
probabilities.shape

# %% [markdown]
# ### Exercise 00.1: from probabilities to a mask
#
# For each pixel there are three probabilities, on the last axis. Write the function that gives the mask: at each pixel the number of the class that has the highest one.

# %%
from unet_helpers.teaching.checks import first_segmentation as check


def to_mask(probabilities):
    return ...


check.to_mask(to_mask)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def to_mask(probabilities):
    return probabilities.argmax(axis=-1)


check.to_mask(to_mask)

# %% mystnb={"figure": {"caption": "Three slices of patients that the network has not seen. Above: what is true. Below: what it found."}, "image": {"alt": "Three chest slices in two rows. In both rows the lungs are outlined in blue, almost the same. In the upper row each slice also has a nodule filled in orange; in the lower row no nodule is filled, one is left out of the lung like a hole, and a few orange pixels lie elsewhere."}}
truth, found = y[unseen], to_mask(probabilities)
shown = np.argsort((truth == 2).sum(axis=(1, 2)))[-3:]
plotting.show_images(
    [*x[unseen][shown]] * 2, ["truth"] * 3 + ["network"] * 3, [*truth[shown], *found[shown]], columns=3, panel=2.2
)

# %% [markdown]
# The lungs are found, in patients the network has never seen, after less than a minute of training, by code of which you have read every line.
#
# Now look for the orange nodules in the lower row.
#
# ## One number

# %% nbval_tolerance=0.01
print(f"accuracy {(found == truth).mean():.3f}")

# %% [markdown]
# The **accuracy** is the share of pixels with the right label, and almost all are right. It is also nearly useless: the network misses the nodules, and the number does not notice, because nodules are one pixel in two thousand. We need a number that looks at one class.

# %% [markdown]
# ### Exercise 00.2: overlap
#
# `truth` and `found` are arrays of `True` and `False`, one for each pixel: is it a nodule? The **Dice** coefficient is twice the number of pixels that are `True` in both, divided by the number that are `True` in the one plus the number that are `True` in the other. Write it.


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
# 1 is perfect, 0 is no overlap at all. Lungs near 1; nodules near 0. One network, one set of predictions, and an accuracy that hid the difference. *Which number to report, per patient, and with how much doubt: [05](05_evaluation.ipynb).*
#
# The nodules are no hopeless case. Later chapters find most of them with a network of the same shape, because they change what the loss sees ([04](04_gpu_training.ipynb), [07](07_losses_and_imbalance.ipynb)), train for longer, and look at what is missed ([06](06_failure_analysis.ipynb)).
#
# ### Exercise 00.3: what may you claim?
#
# Somebody asks what this page has shown. Answer `"shown"` or `"not shown"` for each sentence.

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
# | gave one number over all pixels | six patients, one seed, no interval | [05](05_evaluation.ipynb) |
# | looked at three slices | the failures have kinds and reasons | [06](06_failure_analysis.ipynb), [16](16_museum_of_bugs.ipynb) |
# | stayed with one synthetic scanner | real ones differ | [09](09_domain_shift_and_transfer.ipynb), [15](15_your_own_data.ipynb) |
# | cut patients into slices | a nodule is a volume | [10](10_volumes_and_3d_unet.ipynb) |
# | took each label for certain | how sure is the network, and is it right to be? | [12](12_uncertainty_and_calibration.ipynb) |
#
# ## Take-aways
#
# - A segmentation is one label for each pixel. A folder of pairs, a U-Net and `fit` are enough to get one.
# - Test on patients that the network has not seen, never merely on other slices.
# - Give a number for each class. The accuracy hides a class that is small.
#
# ## Questions to test yourself
#
# 1. Nodules are about one pixel in two thousand. Which accuracy would a network have that finds the lungs perfectly and no nodule?
# 2. Why were whole patients put aside, and not every fifth slice?
# 3. What would you look at first, if the lungs had a Dice of 0.5?
#
# <details><summary>Answers</summary>
#
# 1. About 1999 in 2000, 99.95 %.
# 2. Neighboring slices of one patient look alike. A network that has seen one has half seen the other, and the number would say nothing about new patients.
# 3. At some pairs of image and mask: a wrong pairing looks just like that. Then at the images as the network gets them.
#
# </details>
#
# ## Read more
#
# The paper that introduced the U-Net is short and clear {cite:p}`ronneberger2015unet`. What such a number must be measured on, and how it misleads, is the subject of a guide by many groups {cite:p}`maierhein2024metrics`.

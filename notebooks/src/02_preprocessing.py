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
# # 02 Preprocessing
#
# What do the gray values mean, and what may I change in image and mask?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - read a CT value in Hounsfield units, and choose a window for a question,
# - scale all images by one rule, and say what clipping loses,
# - resize and augment image and mask without inventing labels or anatomy,
# - encode a mask so that it fits the last layer and the loss,
# - read a DICOM slice: values, spacing, and what its header says about a person.
#
# **You need before:** NumPy arrays; what a mask is ([notebook 01](01_data_pairing.ipynb)). No deep learning yet.
#
# **Minutes:** 50 to read, 1 to run on two cores.
#
# **The misconception it removes:** "An image is an image: scale each one to 0–1, resize it, flip it at random, as for photographs of cats."
#
# </div>

# %%
import numpy as np

from unet_helpers import load_dataset, plotting, window

data = load_dataset("phantom", window=None)
patients = data.train
nodule_pixels = (patients.masks == 2).sum(axis=(1, 2))
example = int(np.argmax(nodule_pixels))
hu, mask, spacing = patients.images[example], patients.masks[example], patients.spacing[example]

# %% mystnb={"figure": {"caption": "One array of numbers, three pictures: lung, soft tissue and bone window."}, "image": {"alt": "The same chest slice three times. In the first the lungs show vessels and a bright nodule while everything else is nearly white; in the second muscle, fat and heart differ and the lungs are black; in the third only bones stand out."}}
windows = {"lung": (-600, 1500), "soft tissue": (50, 350), "bone": (400, 1800)}
plotting.show_images(
    [window(hu, level, width) for level, width in windows.values()],
    titles=[f"{name}: level {level}, width {width} HU" for name, (level, width) in windows.items()],
    spacings=[spacing] * 3,
    panel=3,
)

# %% [markdown]
# It is one slice of one synthetic patient. Nothing was measured again between these three pictures; only the rule that turns numbers into gray has changed. In the first you see the nodule, in the second the heart and the fat, in the third the ribs. A network sees what the rule leaves. So before we train anything, we look at the numbers.
#
# ## Hounsfield units
#
# A CT scanner measures how strongly each small volume weakens X-rays, the attenuation $\mu$. Its values are given on a scale fixed by water and air:
#
# $$\mathrm{HU} = 1000 \cdot \frac{\mu - \mu_\text{water}}{\mu_\text{water}}$$
#
# Water is 0 **HU** (Hounsfield units), air is −1000. Kak and Slaney (1988) {cite:p}`kakslaney2001` explain how a scanner gets from X-rays to slices. What matters here is that, unlike the gray values of a photograph, a HU value *means* something: it does not depend on the lighting, and hardly on the scanner.
#
# | tissue | HU |
# |---|---|
# | air | −1000 |
# | lung | −900 to −600 |
# | fat | −120 to −80 |
# | water | 0 |
# | soft tissue (muscle, liver, heart) | 20 to 70 |
# | blood | 30 to 60; with contrast medium 100 to 300 |
# | cancellous (spongy) bone | 100 to 400 |
# | cortical (dense) bone | above 700 |
#
# Do our patients follow the table? Here are all values of one of them, with the ranges of the table behind them.

# %%
patient = patients.of_patient(patients.patient_ids[example])
tissues = {"lung": (-900, -600), "fat": (-120, -80), "soft tissue": (20, 70), "spongy bone": (100, 400)}

# %% mystnb={"figure": {"caption": "All HU values of one patient; the bands are the ranges of the table."}, "image": {"alt": "Histogram of the HU values of one patient with colored bands for tissues. There are two tall peaks near minus 1000, a hill in the lung band, one narrow peak each at fat and at soft tissue, and a long low tail into bone."}}
with plotting.figure(width=7, height=2.8) as (fig, axes):
    ax = axes[0, 0]
    ax.hist(patient.images.ravel(), bins=np.arange(-1100, 1000, 10), color="#333333")
    for (name, (low, high)), color in zip(tissues.items(), plotting.CLASS_COLORS[1:], strict=False):
        ax.axvspan(low, high, color=color, alpha=0.4, label=name)
    ax.set(xlabel="HU", ylabel="pixels", ylim=(0, 4000))
    ax.legend(frameon=False, fontsize=9)
fig

# %% [markdown]
# Lung, fat and soft tissue are separate hills, and each lies in its band. The hills are wide because of noise, and because a pixel on a border holds a mixture of two tissues. The two needles on the far left, cut off at the top, are not tissue: they are the air around the patient and the foam of the table.
#
# The mask gives a second check. What is the median HU of each class?

# %%
for index, name in enumerate(data.class_names):
    print(f"{name:<10} {np.median(patient.images[..., 0][patient.masks == index]):6.0f} HU")

# %% [markdown]
# Lung lies where the table says. "Background" is not one tissue: it is the air around the patient, the table, fat, muscle and bone together.
#
# ## A window is a rule
#
# On a screen the eye can tell perhaps a hundred grays apart; CT values span several thousand HU. A **window** picks a range: its center is the **level**, its extent the **width**. Values below it become black, values above it white.
#
# $$\text{gray} = \frac{\mathrm{HU} - (\text{level} - \text{width}/2)}{\text{width}}, \quad \text{clipped to } [0, 1]$$
#
# Move both sliders. Find the nodule; find a rib; find the settings at which fat and muscle look alike.

# %%
from unet_helpers.plotting.widgets import explore_two

levels, widths = (-900, -600, -250, 50, 400), (150, 350, 800, 1500, 2500)
frames = [[window(hu, level, width) for width in widths] for level in levels]
labels = ([f"{level} HU" for level in levels], [f"{width} HU" for width in widths])
explore_two(frames, labels, ("level", "width"), start=(1, 3))

# %% [markdown]
# A narrow window shows small differences and loses the rest; a wide one shows everything and little contrast. The three windows of the first figure are the usual ones. A radiologist changes windows all the time. A network gets one (or several, as channels), and we choose it for the task.
#
# ### Exercise 02.1: write the window
#
# Write `to_gray(hu, level, width)` with NumPy, from the formula above. It must work on numbers and on arrays.
#
# <details><summary>Hint 1</summary>
#
# Draw the HU axis with a window on it. Which HU becomes 0, which becomes 1, and where is the level? What should become of a value beyond either end?
#
# <details><summary>Hint 2</summary>
#
# There are two steps: first the fraction, as it stands in the formula, then the clipping. Subtraction and division work on numbers and on arrays alike; an `if` would not.
#
# <details><summary>Hint 3</summary>
#
# `np.clip(values, 0, 1)` sets what is below 0 to 0, and what is above 1 to 1.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import preprocessing as check


def to_gray(hu, level, width):
    return ...


check.to_gray(to_gray)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def to_gray(hu, level, width):
    return np.clip((hu - (level - width / 2)) / width, 0, 1)


check.to_gray(to_gray)

# %% [markdown]
# ### Exercise 02.2: and back
#
# Someone gives you images in 0–1 and says "lung window, −600/1500". Write `to_hu(gray, level, width)`, which returns the HU.
#
# <details><summary>Hint 1</summary>
#
# Which HU should gray 0, gray 0.5 and gray 1 give for level −600 and width 1500? Write the three numbers down before you write code.
#
# <details><summary>Hint 2</summary>
#
# Solve the formula above for HU: multiply by what was divided by, and add what was subtracted. Leave the clipping out, because it cannot be undone.
#
# <details><summary>Hint 3</summary>
#
# `gray * width` is how far the pixel lies above the lower end of the window. What is the lower end?
#
# </details>
# </details>
# </details>


# %%
def to_hu(gray, level, width):
    return ...


check.to_hu(to_hu)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def to_hu(gray, level, width):
    return gray * width + level - width / 2


check.to_hu(to_hu)

# %% [markdown]
# ## What clipping loses
#
# The way back does not work for every pixel: what was clipped is gone. How many pixels does each window clip?

# %%
for name, (level, width) in windows.items():
    gray = window(patient.images, level, width)
    print(f"{name:<12} {(gray == 0).mean():4.0%} black, {(gray == 1).mean():4.0%} white")

# %% [markdown]
# The lung window keeps most values apart and sacrifices what is denser than 150 HU: spongy bone, dense bone and bright contrast medium all become white. For finding lungs and nodules that is no loss. For finding fractures it would be fatal. The soft-tissue window throws away the whole lung.
#
# Saving loses a little more. An 8-bit PNG has 256 grays for the 1500 HU of the lung window:

# %%
gray = window(hu, -600, 1500)
as_png = np.round(255 * gray) / 255
inside = (gray > 0) & (gray < 1)
error = np.abs(as_png * 1500 - 1350 - hu)[inside]
print(f"{1500 / 255:.1f} HU per gray step; largest error of an unclipped pixel {error.max():.0f} HU")

# %% [markdown]
# That is less than the noise, and good enough for drawing a mask. It is not good enough for *measuring* density later. So keep the HU, and use PNG only to look at.
#
# ## One rule for all images
#
# Photographs are often scaled one by one: subtract the smallest value, divide by the range. What does that do to CT? We take two patients, and first look at their smallest and largest values.

# %%
middle = np.flatnonzero(np.char.endswith(patients.case_ids, "Z_04"))
lowest = patients.images[middle].min(axis=(1, 2, 3))
padded, plain = middle[lowest.argmin()], middle[lowest.argmax()]
for k in (padded, plain):
    values = patients.images[k]
    print(f"{patients.case_ids[k]}: {values.min():.0f} to {values.max():.0f} HU")


# %%
def min_max(image):
    return (image - image.min()) / (image.max() - image.min())


# %% mystnb={"figure": {"caption": "Two patients, two rules. Above: one window for both. Below: each image from its own minimum to its own maximum."}, "image": {"alt": "Two patients in two rows. Scaled with one window, their lungs have the same dark gray. Scaled from minimum to maximum, the first patient is almost white all over while the second is mostly dark."}}
plotting.show_images(
    [window(patients.images[k], -600, 1500) for k in (padded, plain)]
    + [min_max(patients.images[k]) for k in (padded, plain)],
    titles=["one window for all", "one window for all", "minimum to maximum", "minimum to maximum"],
    columns=2,
    panel=2.6,
)

# %% [markdown]
# Above, lung is equally dark in both. Below, the same tissue has two different grays. The reason is the *padding* of the first image: outside the circle that the scanner sees nothing is measured, and its software writes a value such as −1024, −2000 or −3024 there. This number has no tissue behind it, and yet it decides the gray of every pixel. A metal implant does the same at the other end, with values of several thousand HU.
#
# How much does it matter over all patients? Take the median gray of the lung in each slice.

# %%
slices = [(image[..., 0], mask == 1) for image, mask in zip(patients.images, patients.masks, strict=True)]
with_window = [np.median(window(image, -600, 1500)[lung]) for image, lung in slices if lung.any()]
with_min_max = [np.median(min_max(image)[lung]) for image, lung in slices if lung.any()]

# %% mystnb={"figure": {"caption": "The gray of one tissue, lung, in all training slices, under both rules."}, "image": {"alt": "Two histograms of the median gray of the lung per slice. With one window all slices lie in one narrow peak between 0.3 and 0.45; with minimum to maximum they fall into three separate groups between 0.1 and 0.65."}}
plotting.show_histograms(
    {"one window": with_window, "minimum to maximum": with_min_max}, "median gray of the lung in a slice"
)

# %% [markdown]
# With one window, lung has one gray. With minimum to maximum it has three, one for each padding value: the network would have to learn three kinds of lung that exist in no body. CT comes calibrated; min–max per image throws the calibration away.
#
# MRI is different: its values have no fixed scale, so there each volume must be normalized, for example by its mean and standard deviation inside the body. Even then it is one rule, chosen once and written down, and applied to new images in the same way.
#
# ## A real slice: DICOM
#
# Hospitals store slices as **DICOM** files: pixels with a header of many named fields, the *tags*. The Python library `pydicom` comes with a real CT slice, so we can open one without a download.

# %%
import pydicom
import pydicom.examples

path = pydicom.examples.get_path("ct")
slice_file = pydicom.dcmread(path)
stored = slice_file.pixel_array
stored.shape, stored.dtype, int(stored.min()), int(stored.max())

# %% [markdown]
# No negative values, although there is air in the picture. The file stores whole numbers, and two tags say how to turn them into HU:

# %%
slope, intercept = float(slice_file.RescaleSlope), float(slice_file.RescaleIntercept)
by_hand = slope * stored + intercept
slope, intercept, float(by_hand.min()), float(by_hand.max())

# %% [markdown]
# $\mathrm{HU} = \text{slope} \cdot \text{stored} + \text{intercept}$. Forget this line, and you train on numbers that are off by 1024. `read_image` does it for us; do both agree?

# %%
from unet_helpers.files import read_image

real, real_spacing = read_image(path)
bool((real[..., 0] == by_hand).all()), real_spacing

# %% mystnb={"figure": {"caption": "A real slice, cut out around a vertebra: lung, soft tissue and bone window."}, "image": {"alt": "A small cut-out of a real CT slice in three windows: a vertebra with its canal in the middle, a round bright vessel beside it, dark lung in the upper corners, muscles of the back below."}}
plotting.show_images(
    [window(real, level, width) for level, width in windows.values()],
    titles=list(windows),
    spacings=[real_spacing] * 3,
    panel=2.8,
)

# %% [markdown]
# Now we can check the table on a real person. In the middle lies a vertebra, with the dark ring of the spinal canal; above it on the right is the aorta, bright because of contrast medium in the blood; lung fills the upper corners, and the muscles of the back lie below. We take the median of a small square in three places:

# %%
places = {"lung": (8, 8), "aorta": (14, 96), "vertebra": (36, 62)}
for name, (row, column) in places.items():
    square = by_hand[row - 3 : row + 4, column - 3 : column + 4]
    print(f"{name:<9} {np.median(square):5.0f} HU")

# %% [markdown]
# Lung, blood with contrast medium and spongy bone are each in the range of the table, though our synthetic patients have nothing to do with this scanner.
#
# **Spacing** is the distance between the centers of neighboring pixels. The tag says about two thirds of a millimeter, so the picture, a cut-out of a chest, is less than nine centimeters wide. Only this number turns pixels into millimeters:

# %%
print(f"{real.shape[1]} pixels of {real_spacing[1]:.2f} mm: {real.shape[1] * real_spacing[1]:.0f} mm wide")

# %% [markdown]
# ### What the header says about a person
#
# A DICOM file is also a medical record. These tags can tell who the patient is, alone or together. We print which are *filled*, not what they say; make that a habit.

# %%
import pandas as pd

names = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "InstitutionName"]
names += ["StationName", "StudyDate", "AcquisitionDate", "AccessionNumber", "StudyInstanceUID"]
filled = {tag: bool(str(slice_file.get(tag, "")).strip()) for tag in names}
pd.Series(filled, name="filled").to_frame()

# %%
private = sum(element.tag.is_private for element in slice_file)
print(f"{private} of {len(slice_file)} tags are private: their meaning is known to the maker of the scanner only")

# %% [markdown]
# This file was published on purpose, and its name and ID are made up. Birth date and physician were removed. But institution, dates and device are filled in, and they narrow the search to the patients of one scanner on one day. More than half of the tags are private, and nobody outside the maker can promise that no name is among them.
#
# <div class="alert alert-warning">
#
# Removing `PatientName` is not anonymization. The DICOM standard (part 15, annex E) lists several hundred tags to treat. Names can also be burned into the pixels, and a face can be rebuilt from a CT of the head. Before patient data leave a hospital, ask the people who are responsible for data protection there.
#
# </div>
#
# The PNG files of notebook 01 have no such header. That protects the patient a little, and the spacing is lost.
#
# ## Resizing
#
# Images of different sizes must become one size for a batch. For an *image*, a new pixel is a mixture of its old neighbors (linear interpolation): gray between gray is sensible. In a *mask* the numbers are names. What is the mixture of class 0 and class 2?
#
# We take the nodule of our example alone, class 2 on background 0, and enlarge it to three times the size in both ways.

# %%
from skimage.transform import resize

from unet_helpers import resize_image, resize_mask

nodule_only = np.where(mask == 2, mask, 0)
linear = resize(nodule_only.astype(float), (384, 384), order=1).round().astype(np.uint8)
nearest = resize_mask(nodule_only, (384, 384))
np.unique(nodule_only).tolist(), np.unique(linear).tolist(), np.unique(nearest).tolist()

# %% mystnb={"figure": {"caption": "The same nodule mask enlarged with the nearest neighbor (left) and with linear interpolation (right). Blue is class 1, lung."}, "image": {"alt": "A nodule enlarged twice. With the nearest neighbor it is one orange area; with linear interpolation a thin blue ring of lung class surrounds the orange."}}
rows, columns = np.nonzero(nearest)
part = np.s_[rows.min() - 9 : rows.max() + 10, columns.min() - 9 : columns.max() + 10]
bigger = window(resize_image(hu, (384, 384)), -600, 1500)[part]
plotting.show_images([bigger] * 2, ["nearest neighbor", "linear, then rounded"], [nearest[part], linear[part]], panel=3)

# %%
print(f"{(linear == 1).sum()} pixels of lung that nobody drew, around {(linear == 2).sum()} pixels of nodule")

# %% [markdown]
# On the way from 0 to 2, linear interpolation passes 1, and 1 has a meaning: lung. A ring of a class that nobody drew surrounds the nodule. With masks of 0 and 255 it is worse:

# %%
linear_255 = resize(255.0 * (mask == 2), (384, 384), order=1).round()
print(f"{len(np.unique(linear_255))} different values in a mask that held two")

# %% [markdown]
# So images are interpolated linearly and masks take the nearest neighbor: `resize_image` and `resize_mask` do that.
#
# Shrinking has a price of its own. In how many of the training slices with a nodule does the nodule vanish completely?

# %%
with_nodule = patients.masks[nodule_pixels > 0]
for size in (128, 64, 32, 16):
    gone = sum(not (resize_mask(m, (size, size)) == 2).any() for m in with_nodule)
    print(f"{size:>3}×{size:<3} {gone:>3} of {len(with_nodule)} gone")

# %% [markdown]
# What is not in the mask cannot be learned. Before choosing a size, ask how many pixels your smallest object keeps.
#
# And the spacing changes with the size: with half as many pixels, each measures twice as many millimeters. Forget it, and every area is wrong by the square of the factor.

# %%
small = resize_mask(mask, (64, 64))
new_spacing = spacing * 128 / 64
areas = {
    "128×128": (mask == 2).sum() * spacing.prod(),
    "64×64, spacing updated": (small == 2).sum() * new_spacing.prod(),
    "64×64, old spacing": (small == 2).sum() * spacing.prod(),
}
print("\n".join(f"{name:<24} nodule area {area:4.0f} mm²" for name, area in areas.items()))

# %% [markdown]
# ### Exercise 02.3: twice as large
#
# Write `double(mask)` that returns a mask of twice the height and width, in which each pixel has become a block of 2×2 equal pixels, with the same dtype. Use NumPy or `skimage`.
#
# <details><summary>Hint 1</summary>
#
# Write down what should become of the mask `[[1, 2]]`. How many rows and columns does it get, and does any number occur that was not there before?
#
# <details><summary>Hint 2</summary>
#
# Repeat every row, and then every column. NumPy can repeat entries along an axis; `np.tile` does something else, it lays whole copies of the mask side by side. (If you resize with `skimage` instead, take the nearest neighbor, `order=0`, and keep values and dtype.)
#
# <details><summary>Hint 3</summary>
#
# `mask.repeat(2, axis=0)` repeats every row, and keeps the dtype.
#
# </details>
# </details>
# </details>


# %%
def double(mask):
    return ...


check.double(double)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def double(mask):
    return mask.repeat(2, axis=0).repeat(2, axis=1)


check.double(double)

# %% [markdown]
# ## Encoding the mask
#
# A stored mask may hold 0 and 255. The network needs class indices 0, 1, 2 … or one map per class. `encode_mask` makes indices, and refuses what has no meaning:

# %%
from unet_helpers import encode_mask, one_hot

print(encode_mask(np.array([[0, 255]]), num_classes=2))
try:
    encode_mask(np.array([[0, 1, 255]]), num_classes=2)
except ValueError as error:
    print(error)

# %% [markdown]
# 0 and 255 alone are clear. 0, 1 and 255 are not: is 255 a second class, or a value for "unknown"? Only a person who knows the masks can say.
#
# **One-hot** means one map per class, with 1 where the pixel has that class:

# %%
targets = one_hot(mask, num_classes=3)
targets.shape, bool((targets.sum(axis=-1) == 1).all()), targets.sum(axis=(0, 1)).astype(int).tolist()

# %% mystnb={"figure": {"caption": "The mask as three maps: background, lung, nodule. Each pixel is light in exactly one of them."}, "image": {"alt": "Three black maps of one slice: the first is light where background is, the second where lung is, the third where the nodule is."}}
plotting.show_images([targets[..., k] for k in range(3)], titles=data.class_names, limits=(0, 1.2))

# %%
try:
    one_hot(np.array([0, 255]), num_classes=2)
except ValueError as error:
    print(error)

# %% [markdown]
# Why does it matter so much? Because a wrong encoding raises no error in training. Here is what the usual loss says about a good prediction (0.9 on a foreground pixel) if the mask says 1, and if it says 255:

# %%
import keras

bce = keras.losses.BinaryCrossentropy()
for truth in (1.0, 255.0):
    print(f"mask value {truth:3.0f}: loss {float(bce(np.array([[truth]]), np.array([[0.9]]))):7.1f}")

# %% [markdown]
# A cross-entropy is never below zero. (Some programs report minus the Dice as their loss; that one runs from 0 down to −1.) A cross-entropy below zero is the classic sign of a 0/255 mask, and one of the most frequent questions in the trackers of U-Net projects.
#
# ### Softmax or sigmoid
#
# The last layer of a network gives one number per pixel and map. It may be any real number, and is called a *logit*. Two functions turn logits into probabilities:

# %%
logits = np.array([1.0, 3.0, 0.5], dtype="float32")
softmax, sigmoid = (np.asarray(f(logits), dtype=float).round(2) for f in (keras.ops.softmax, keras.ops.sigmoid))
print("softmax", softmax.tolist(), "sum", round(float(softmax.sum()), 2))
print("sigmoid", sigmoid.tolist(), "sum", round(float(sigmoid.sum()), 2))

# %% [markdown]
# **Softmax** shares out one whole among the classes: a pixel is background *or* lung *or* nodule. **Sigmoid** judges each map by itself: every answer may be yes, or none. Mask, last layer and loss must fit together:
#
# | question | mask given to the loss | last layer | loss |
# |---|---|---|---|
# | lung or not | 0/1, `(N, H, W, 1)` | 1 map, sigmoid | binary cross-entropy |
# | lung or not | one-hot, `(N, H, W, 2)` | 2 maps, softmax | categorical cross-entropy |
# | background, lung or nodule | one-hot, `(N, H, W, 3)` | 3 maps, softmax | categorical cross-entropy |
# | the same | indices, `(N, H, W)` | 3 maps, softmax | *sparse* categorical cross-entropy |
# | labels that overlap | 0/1 per label, `(N, H, W, K)` | K maps, sigmoid | binary cross-entropy |
#
# The first two rows answer the same question; both are in use. One map with softmax never works: a single class gets the whole, so every pixel is 1. Losses have a notebook of their own ([07](07_losses_and_imbalance.ipynb)).
#
# ### Exercise 02.4: which last layer?
#
# Write `"sigmoid"` or `"softmax"` for each situation.
#
# <details><summary>Hint 1</summary>
#
# Ask of each situation: can a pixel belong to two of the maps at once, or to none of them? And is there more than one map among which a whole could be shared out?
#
# <details><summary>Hint 2</summary>
#
# Find the row of the table above that fits: a single map; several maps of which exactly one holds at each pixel; labels that overlap. Its third column has the answer.
#
# </details>
# </details>

# %%
last_layer = {
    "each pixel is liver, spleen, kidney or background; 4 maps": ...,
    "polyp or not; 1 map": ...,
    "lung and tumor, where tumor pixels count as lung too; 2 maps": ...,
}

check.last_layer(last_layer)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
last_layer = {
    "each pixel is liver, spleen, kidney or background; 4 maps": "softmax",
    "polyp or not; 1 map": "sigmoid",
    "lung and tumor, where tumor pixels count as lung too; 2 maps": "sigmoid",
}

check.last_layer(last_layer)

# %% [markdown]
# ## Augmentation
#
# Patients are few. **Augmentation** shows the network each training image in many small variations: turned, enlarged, shifted. What moves the image must move the mask in the same way. `augment_arrays` does both at once. Corners that come in from outside are filled with the gray of air:

# %%
from unet_helpers.data import augment_arrays

image = window(hu, -600, 1500)
air = float(window(np.array(-1000.0), -600, 1500))
change = {"rotation": 15, "zoom": 0.15, "translation": 0.1, "image_fill": air}
moved_image, moved_mask = augment_arrays(image[None], mask[None], seed=0, **change)

# %% [markdown]
# Now the mistake: image and mask each go through a random change of their own, as happens with two separate pipelines that do not share a seed.

# %%
_, other_mask = augment_arrays(image[None], mask[None], seed=1, **change)

# %% mystnb={"figure": {"caption": "Original; image and mask changed together; image and mask changed apart."}, "image": {"alt": "Three chest slices with outlines: the original, one that was turned and shifted together with its mask, and one whose mask was moved differently so that it covers chest wall and heart."}}
plotting.show_images(
    [image, moved_image[0], moved_image[0]],
    titles=["original", "together", "apart"],
    masks=[mask, moved_mask[0], other_mask[0]],
    panel=2.8,
)

# %%
from unet_helpers import dice

for index, name in ((1, "lung"), (2, "nodule")):
    overlap = dice(moved_mask[0] == index, other_mask[0] == index)
    print(f"{name:<7} Dice of the right mask and the one that went its own way: {overlap:.1f}")

# %% [markdown]
# **Dice** is 1 for two equal masks and 0 if they share no pixel. The lungs, being large, still overlap in part; the nodule is lost. A network trained like this learns a blurred average, and its training curve just looks a little worse.
#
# How do you know that *your* library moves both alike? Give it the mask as the image as well. Both must come out the same.

# %%
as_image = (patients.masks[:16] > 0).astype(np.float32)[..., None]
twice_image, twice_mask = augment_arrays(as_image, patients.masks[:16], seed=0, **change | {"image_fill": 0.0})
print(f"Dice {dice(twice_image[..., 0] > 0.5, twice_mask > 0):.2f}")

# %% [markdown]
# It is not exactly 1, because the image is interpolated linearly and the mask takes the nearest neighbor, so pixels on the border may differ. A value well below 1 would be an error. This test takes three lines and works for any library.
#
# ### What anatomy allows
#
# A mirrored cat is still a cat. A mirrored chest has its heart and its liver on the wrong side.

# %%
person = window(patients.of_patient(patients.patients[2]).images, -600, 1500)
heart, liver = person[5], person[7]

# %% mystnb={"figure": {"caption": "Heart and liver, as scanned and mirrored. The patient is seen from the feet, so the patient's left is on the right of the picture."}, "image": {"alt": "Two chest slices, each with its mirror image. As scanned, the tip of the heart and the gas in the stomach are on the right of the picture and the large liver on the left; in the mirror images they have changed sides."}}
plotting.show_images(
    [heart, heart[:, ::-1], liver, liver[:, ::-1]],
    titles=["heart, as scanned", "flipped", "liver, as scanned", "flipped"],
)

# %% [markdown]
# The heart's tip points to the patient's left, the liver lies on the right. In a few people it is the other way round, but they are rare. For a network that finds lungs, this may not matter. A network that must tell the left lung from the right, or the liver from the spleen, is taught nonsense, unless its mask gets new labels: left has become right. So the default of `make_augmenter` is `flip=None`. For cells under a microscope, which have no left or right, flips in all directions are fine.
#
# A second trap is what comes in from outside when an image is shifted. Many libraries, Keras among them, *mirror* the image at its border by default:

# %%
from keras import layers

shift = {"height_factor": (0, 0), "width_factor": (-0.4, -0.4)}
mirrored = layers.RandomTranslation(**shift, fill_mode="reflect")(image[None], training=True)
filled = layers.RandomTranslation(**shift, fill_mode="constant", fill_value=air)(image[None], training=True)

# %% mystnb={"figure": {"caption": "Shifted to the left. Left: the border mirrored, the default of Keras. Right: filled with air."}, "image": {"alt": "A chest slice shifted to the left twice. With mirroring, a second chest wall and part of a second body appear on the right; with constant fill there is only air."}}
plotting.show_images(
    [np.asarray(mirrored)[0], np.asarray(filled)[0]], ["mirrored at the border", "filled with air"], panel=3
)

# %% [markdown]
# On the left a second body grows out of the first. Mirroring is harmless for textures and wrong for bodies. Our augmenter fills with a constant.
#
# | change | image | mask | in a chest CT |
# |---|---|---|---|
# | small rotation, zoom, shift | linear | nearest neighbor, the same change | yes: patients lie and breathe differently |
# | flip left to right | yes | yes, and swap left and right labels | only if left and right do not matter |
# | flip top to bottom, 90° | yes | yes | no: scans do not come upside down |
# | noise, brightness, contrast | yes | **never** | small: HU are calibrated |
# | elastic deformation | yes | the same field, nearest neighbor | small; test your library as above |
#
# ### Exercise 02.5: image, mask, or both?
#
# For each change write `"image"`, `"both"` or `"neither"`: what may it be applied to when a network learns to find the *left* and the *right* lung as two classes?
#
# <details><summary>Hint 1</summary>
#
# Ask two questions of each change. Does it move pixels to another place, or does it change their gray values? And is every label still true afterward?
#
# <details><summary>Hint 2</summary>
#
# What moves pixels has to move the mask in the same way. What changes gray values has no meaning for a mask, whose numbers are names. And after a flip, what does the mask call the lung that is now on the other side?
#
# </details>
# </details>

# %%
apply_to = {
    "rotate by up to 10 degrees": ...,
    "add a little noise": ...,
    "flip left to right, keep the labels": ...,
    "shift by up to 5 percent": ...,
}

check.apply_to(apply_to)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
apply_to = {
    "rotate by up to 10 degrees": "both",
    "add a little noise": "image",
    "flip left to right, keep the labels": "neither",
    "shift by up to 5 percent": "both",
}

check.apply_to(apply_to)

# %% [markdown]
# ## The pipeline
#
# All steps together: window, encode, shuffle, batch, augment. `make_batches` builds this with `tf.data`, TensorFlow's way to prepare the next batches while the network works on the current one.

# %%
from unet_helpers import make_batches
from unet_helpers.data import make_augmenter

images = window(patients.images, -600, 1500)
targets = one_hot(patients.masks, num_classes=3)
batches = make_batches(images, targets, batch_size=16, augment=make_augmenter(image_fill=air, seed=0), seed=0)

# %%
first_images, first_targets = next(iter(batches))
for name, batch in (("images", first_images), ("targets", first_targets)):
    low, high = float(batch.numpy().min()), float(batch.numpy().max())
    print(f"{name:<8} {tuple(batch.shape)} {batch.dtype.name}, {low:z.1f} to {high:z.1f}")  # z: no minus before 0.0

# %% [markdown]
# Read the shapes: 16 slices of 128×128 pixels with one channel, and their masks with one map per class. Both are `float32` and in 0 to 1. If your training behaves strangely, print these lines first, and then look at a batch:

# %% mystnb={"figure": {"caption": "What the network gets: the first six slices of the first batch, with their masks."}, "image": {"alt": "Six augmented chest slices from one batch with outlines of the lungs, and of a nodule where there is one, that fit in every picture, slightly turned and shifted."}}
plotting.show_images(first_images.numpy()[:6], masks=first_targets.numpy()[:6].argmax(axis=-1), columns=6, panel=1.5)

# %% [markdown]
# In each picture the outline fits. This is the last place where a mistake can be *seen*; after it there are only losses.
#
# One more property: the order is random, but not arbitrary. The same seed gives the same order, so a run can be repeated.


# %%
def first_batch(seed):
    return next(iter(make_batches(images, targets, seed=seed)))[0].numpy()


bool((first_batch(0) == first_batch(0)).all()), bool((first_batch(0) == first_batch(1)).all())

# %% [markdown]
# Equal for equal seeds, different for different ones. Augmentation and shuffling are for *training* images only; validation and test images are windowed in the same way and otherwise left as they are.
#
# ## Take-aways
#
# - CT values are in HU and mean something: air −1000, water 0, bone above. Keep HU as long as you can.
# - A window is a choice of what the network may see. Use one rule for all images; min–max per image gives one tissue several grays.
# - DICOM: HU = slope · stored + intercept; spacing turns pixels into millimeters; the header says a lot about a person.
# - Images are interpolated linearly, masks with the nearest neighbor, and the spacing changes with the size.
# - Mask, last layer and loss must fit: 0/1 with sigmoid, one-hot with softmax. A negative cross-entropy means a mask of 0/255.
# - Move image and mask together, within what anatomy allows, and look at a batch before you train.
#
# ## Questions to test yourself
#
# 1. Two scanners write −1024 and −3024 outside their circle. Which step makes this harmless?
#
#    - A. Scaling each image from its own minimum to its own maximum.
#    - B. The same window for all images.
#    - C. Linear interpolation to the same spacing.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Clipping turns −3024 into black, and −1024 looks like air, or is black as well if the window begins above it. The gray of the tissues depends on neither.
# - **Not A:** this makes it a disaster, as the padding value then decides the gray of every tissue.
# - **Not C:** interpolation leaves the values outside as they are, and mixes them into the edge of the circle.
#
# </details>
#
# 2. You want to find calcified (bone-dense) nodules. Why is the lung window −600/1500 a poor choice?
#
#    - A. It ends at 150 HU, and everything above is the same white.
#    - B. It begins at −600 HU, and everything below is black.
#    - C. It is so wide that dense tissue cannot be told from air.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** The upper end is −600 + 1500 / 2. Soft nodules of about 50 HU are near white, and calcified and strongly enhanced tissue look the same.
# - **Not B:** −600 is the middle of the window and not its lower end, which is −1350 HU.
# - **Not C:** air and dense tissue lie at its two ends. What it cannot show is the difference between two tissues above 150 HU.
#
# </details>
#
# 3. A mask with the classes 0 to 4 was resized with linear interpolation and rounded. Which borders hold wrong classes?
#
#    - A. None, since the values were rounded to whole numbers.
#    - B. All borders.
#    - C. Borders between numbers that differ by two or more.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** 1 appears between 0 and 2; 2 and 3 appear between 1 and 4.
# - **Not A:** halfway between 0 and 2 lies 1, a whole number and a wrong class.
# - **Not B:** between 0 and 1 there is no third whole number. The border may move a little, but its classes are right.
#
# </details>
#
# 4. Training runs, and the cross-entropy is −139. What is the first thing you print?
#
#    - A. The learning rate.
#    - B. The number of parameters.
#    - C. `np.unique` of a batch of targets.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Values above 1, such as 255, are the usual reason.
# - **Not A:** a learning rate that is too high makes the loss large or NaN. It cannot make a cross-entropy of targets in 0–1 negative.
# - **Not B:** whatever the size of the network, the cross-entropy is at least 0 if the targets lie between 0 and 1.
#
# </details>
#
# 5. Slices of 512×512 pixels with 0.7 mm spacing are resized to 128×128. What is the new spacing, and how many pixels does a nodule of 6 mm diameter span?
#
#    - A. 0.7 mm, about nine pixels.
#    - B. 2.8 mm, about two pixels.
#    - C. 0.175 mm, about thirty-four pixels.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The spacing is four times as much, as a quarter of the pixels covers the same length. A nodule half as large may fall between the pixels and vanish.
# - **Not A:** the body did not shrink. If the pixels are fewer, each covers more of it.
# - **Not C:** this divides by four instead of multiplying, as for an image with more pixels.
#
# </details>
#
# 6. Why does augmentation not replace patients?
#
# <details><summary>Answer</summary>
#
# It varies position, size and gray of the patients you have. It invents no new anatomy, disease or scanner.
#
# </details>
#
# ## Read more
#
# - Kak and Slaney (1988, reprinted 2001) {cite:p}`kakslaney2001`: how a scanner gets from X-rays to slices, with all equations.
# - Isensee et al. (2021) {cite:p}`isensee2021nnunet`: nnU-Net, which derives spacing, window and augmentation from the data by rules, and why that mattered more than architecture.
# - Shorten and Khoshgoftaar (2019) {cite:p}`shorten2019augmentation`: what kinds of augmentation there are.
# - Hofmanninger et al. (2020) {cite:p}`hofmanninger2020lung`: lung segmentation in routine CT, where variety of the data counts more than the method.
# - Words used here are explained in the [glossary](../book/glossary.md).

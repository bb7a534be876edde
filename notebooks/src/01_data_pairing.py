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
# # 01 Data pairing
#
# Which mask belongs to which image, and how would I notice if it did not?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - match images to masks by a shared key, and say why sort order is not one,
# - read a pairing report and decide about each problem in it,
# - check a pairing by eye and with a number,
# - split by patient, and show what a split by slice hides.
#
# **You need before:** a little Python and NumPy. No medical knowledge, no deep learning.
#
# **Minutes:** 60 to read, 2 to run on two cores; the very first run makes the synthetic patients, which takes one or two more.
#
# **The misconception it removes:** "Both folders are sorted and have about the same number of files, so file *k* of one belongs to file *k* of the other."
#
# </div>

# %%
from unet_helpers import export_phantom

folder = export_phantom()
images = list((folder / "2d_images").iterdir())
masks = list((folder / "2d_masks").iterdir())
naive = list(zip(sorted(images), sorted(masks)))

# %% [markdown]
# Two folders hold the images and the masks, and the last line is in many tutorials: sort both, zip them. It raises no error and no warning. Here is one of the pairs it made, and beside it the same image with the mask that was drawn for it.

# %% mystnb={"figure": {"caption": "One image, two masks. Left: the mask that sorting assigned. Right: the mask that was drawn on this image."}, "image": {"alt": "The same chest CT slice twice. On the left the blue lung outline is too small, cuts through both lungs and covers part of the heart; on the right the outline follows the dark lungs exactly."}}
from unet_helpers import plotting
from unet_helpers.files import read_image, read_mask

image, wrong_mask = next(pair for pair in naive if pair[0].name.startswith("ID_10_"))
right_mask = folder / "2d_masks" / "ID_0010_Z_0010.png"
plotting.show_images(
    [read_image(image)[0]] * 2,
    titles=[f"{image.stem} with {mask.stem}" for mask in (wrong_mask, right_mask)],
    masks=[read_mask(wrong_mask), read_mask(right_mask)],
    limits=(0, 255),
    panel=3,
)

# %% [markdown]
# A network trained on pairs like the left one learns that lung is somewhere in the middle of the picture. Its loss goes down, its curves look normal, and its masks are bad for a reason that no curve shows. This notebook shows how to rule that out.
#
# ## What a mask is
#
# **Segmentation** gives every pixel of an image a label. In medicine it answers questions of size and place: how many milliliters is this tumor, has it grown since spring, where may the radiation beam go, where must it not. A reader, often a radiologist, draws the labels on some images; a network learns to draw them on others.
#
# - **Semantic segmentation** asks *what* each pixel is: background, lung, nodule (a small round growth in the lung). Two nodules share a label, and so do both lungs.
# - **Instance segmentation** also asks *which one*: nodule 1, nodule 2. It is what you need to count or to follow one nodule over time (notebook 11).
#
# The images of this series are synthetic chest CT slices, made by a program from a seed. Physicists call an object with known content that stands in for a patient a **phantom**, and so does this series. Because the program draws the patients, their masks are known exactly. They are teaching material and say nothing about real patients.
#
# `spacing` is the distance between the centers of neighboring pixels in millimeters. With it, `show_images` draws the scale bar.

# %%
import numpy as np
from skimage.measure import label

from unet_helpers import load_dataset

patients = load_dataset("phantom").train
nodule_pixels = (patients.masks == 2).sum(axis=(1, 2))
example = int(np.argmax(nodule_pixels))

# %% mystnb={"figure": {"caption": "The slice with the largest nodule: image, semantic mask (the color is the class), instances (the color is the object)."}, "image": {"alt": "Three panels of one chest slice. First the gray image alone; second the same with both lungs in one blue and a nodule in orange; third the left lung, the right lung and the nodule each in a color of its own."}}
mask = patients.masks[example]
plotting.show_images(
    [patients.images[example]] * 3,
    titles=["image", "semantic: what is it?", "instances: which one?"],
    masks=[None, mask, label(mask)],
    spacings=[patients.spacing[example]] * 3,
    panel=2.8,
)

# %% [markdown]
# In the middle panel both lungs share one color, because they are one class. On the right, each connected piece has a number and a color of its own: one lung, the other lung, the nodule. `label` did that; a second nodule would get the next number. In most of this series we predict the semantic mask: an array of small whole numbers, as tall and wide as its image.

# %%
mask.shape, mask.dtype, np.unique(mask).tolist()

# %% [markdown]
# 0 is background, 1 is lung, 2 is nodule. Saved as a picture, such a mask looks black to the eye: gray values 1 and 2 of 255 cannot be told from 0. So before you call a mask empty, print its values, or draw it in colors as above.
#
# ## The folder
#
# Data rarely come as tidy arrays. They come as a folder that several people have worked on. This one holds 16 of the synthetic patients and the kinds of disorder that are common in such folders.

# %%
print(folder.name)
for part in sorted(path for path in folder.iterdir() if path.is_dir()):
    names = sorted(path.name for path in part.iterdir())
    print(f"  {part.name}/  {len(names)} files: {names[0]}, {names[1]}, … {names[-2]}, {names[-1]}")

# %% [markdown]
# Each name holds a patient (`ID`) and the position of a slice (`Z`). A **slice** is one picture out of the stack that a CT scanner makes of a patient. Look at the last names: all masks pad their numbers with zeros, but only some of the images do. And there is one more image than there are masks.
#
# ## Why sorting fails
#
# Computers sort names letter by letter. Compare the first letter that differs: in `Z_10` and `Z_9` it is `1` against `9`, so 10 comes first.

# %%
sorted(["Z_9.png", "Z_10.png"]), sorted(["Z_0009.png", "Z_0010.png"])

# %% [markdown]
# With leading zeros the order is the one a person expects; without them it is not. If one folder pads and the other does not, sorting shuffles one against the other. A single missing file is enough to shift everything behind it by one:

# %%
for image, mask in naive[:5] + naive[16:19]:
    print(f"{image.name:<20} {mask.name}")

# %% [markdown]
# Two pairs are right. Then a mask is missing, and each image gets the mask of the next slice. Further down, patient 10 gets the masks of patient 3. `zip` stops at the shorter list, so the surplus image vanished without a word; `zip(..., strict=True)` would have raised an error, but only because the counts happen to differ.
#
# How many of the pairs are wrong? To count them we need to say what makes a pair right. Both names contain the same two *numbers*. That is a **key**: the part of a name that says what the file is of.

# %%
import re


def key(path):
    patient, position = re.findall(r"\d+", path.stem)
    return int(patient), int(position)


key(images[0].with_name("ID_3_Z_10.png")), key(masks[0].with_name("ID_0003_Z_0010.png"))

# %% [markdown]
# As text the two names differ; as numbers they agree. Now we can count the wrong pairs.

# %%
wrong = [(image, mask) for image, mask in naive if key(image) != key(mask)]
print(f"{len(wrong)} of {len(naive)} pairs are wrong")

# %% [markdown]
# Nearly all of them are wrong, and nothing complained. The first two are right, and the first ones are all that most people look at.
#
# ### Exercise 01.1: the wrong patient, or only the wrong slice?
#
# Write a function that counts the pairs in which image and mask come from two *different patients*. (A mask from another slice of the same patient is also wrong, but does not count here.)
#
# <details><summary>Hint 1</summary>
#
# Look back at `key`: it returns two numbers. Which of them is the patient? And what does `key(image) != key(mask)`, which counted the wrong pairs above, compare that is not asked for here?
#
# <details><summary>Hint 2</summary>
#
# For one pair, `key(image)[0]` and `key(mask)[0]` are the two patients, as numbers. Go through all the pairs, and count how often the two differ.
#
# <details><summary>Hint 3</summary>
#
# `sum` counts how often a comparison is true: `sum(a != b for a, b in pairs)` would count the pairs whose two paths differ.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import data_pairing as check


def count_other_patient(pairs):
    return ...


check.count_other_patient(count_other_patient)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def count_other_patient(pairs):
    return sum(key(image)[0] != key(mask)[0] for image, mask in pairs)


check.count_other_patient(count_other_patient)
print(f"{count_other_patient(naive)} of the {len(naive)} naive pairs join two patients")

# %% [markdown]
# ## Pairing by a shared key
#
# A dictionary answers "which mask has this key?" without any order at all.

# %%
mask_of = {key(mask): mask for mask in masks}
by_key = [(image, mask_of[key(image)]) for image in images if key(image) in mask_of]
sum(key(image) != key(mask) for image, mask in by_key), len(by_key)

# %% [markdown]
# No pair is wrong, as it must be: we paired by the key. But these two lines hide four things: an image without a mask is skipped silently, a mask without an image is never mentioned, if two images have the same key, both get the same mask, and if two masks have the same key, the later one takes the place of the earlier.

# %%
from collections import Counter

print([k for k, count in Counter(map(key, images)).items() if count > 1])
print("images without a mask:", len(images) - len(by_key))
print("masks without an image:", len(set(mask_of) - set(map(key, images))))

# %% [markdown]
# Patient 5, position 9 occurs twice among the images. So pairing has two parts: find the partner, and *report what has none or too many*.
#
# ### Exercise 01.2: another hospital's names
#
# Images are called `T1_ID_7_Z_12.png`, masks `ID_0007_Z_0012_mask2.png`; `T1` is the scanner and `mask2` the second reader. Write `shared_key(name)` that gives the same key for both, and another key for any other patient or position. Our `key` above fails here: it finds three numbers.
#
# <details><summary>Hint 1</summary>
#
# Write the two names one below the other, and underline what they share. Which letters stand in front of the two numbers that you need? And are `7` and `0007` equal as text?
#
# <details><summary>Hint 2</summary>
#
# Look for these letters instead of for any digits: in `re.search(pattern, name)`, a part `(\d+)` of the pattern catches the digits that stand at its place. Turn them into `int`, and return both numbers as a tuple, which can be the key of a dictionary.
#
# <details><summary>Hint 3</summary>
#
# `re.search(r"ID_(\d+)", name).group(1)` is the patient, still as text. The position stands behind `Z_`.
#
# </details>
# </details>
# </details>


# %%
def shared_key(name):
    return ...


check.shared_key(shared_key)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def shared_key(name):
    patient, position = re.search(r"ID_(\d+)_Z_(\d+)", name).groups()
    return int(patient), int(position)


check.shared_key(shared_key)

# %% [markdown]
# Now use your key. Here are the eight slices of patient 3 under the names of that hospital:

# %%
import shutil
import tempfile
from pathlib import Path

place = tempfile.TemporaryDirectory()
hospital = Path(place.name) / "hospital"
(hospital / "images").mkdir(parents=True)
(hospital / "masks").mkdir()
for image in images:
    if key(image)[0] == 3:
        shutil.copyfile(image, hospital / "images" / f"T1_{image.name}")
for mask in masks:
    if key(mask)[0] == 3:
        shutil.copyfile(mask, hospital / "masks" / f"{mask.stem}_mask2.png")

# %%
from unet_helpers import pair_files

print(pair_files(hospital / "images", hospital / "masks", key=shared_key))

# %% [markdown]
# `pair_files` pairs two folders and reports what has no partner. A file for which the key fails is named, and so is a key that two files share.
#
# ## The report
#
# Our own folder needs no key of yours. Without one, `pair_files` compares whole names, and reads 007 and 7 as the same number. It also opens every file, and lists what a person has to decide.

# %%
pairing = pair_files(folder / "2d_images", folder / "2d_masks")
print(pairing)

# %% [markdown]
# Most files are in good pairs. For the rest, nothing was guessed: each line of the report needs a look and a decision. Let us take them in turn.
#
# **A mask of another size.** Four rows are missing. Which ones? Add four empty rows at the bottom, then at the top, and look.

# %%
mask = read_mask(folder / "2d_masks" / "ID_0006_Z_0008.png")
image, _ = read_image(folder / "2d_images" / "ID_6_Z_8.png")
missing = np.zeros((len(image) - len(mask), mask.shape[1]), dtype=mask.dtype)
candidates = [np.vstack([mask, missing]), np.vstack([missing, mask])]

# %% mystnb={"figure": {"caption": "The four missing rows put back at the bottom (left) and at the top (right). Look at the upper edge of the lungs."}, "image": {"alt": "One slice twice with a lung outline. When the missing rows are added at the bottom the outline fits the lungs; when they are added at the top the outline sits a little too low, leaving lung uncovered above and covering chest wall below."}}
plotting.show_images([image] * 2, ["added at the bottom", "added at the top"], candidates, limits=(0, 255), panel=3)

# %% [markdown]
# On the left the outline fits, on the right it sits too low: the rows were cut at the bottom. One could repair this mask. Resizing it to 128 rows, the quick way out, would have stretched it and moved every contour by up to four pixels.
#
# **One name, two formats; and a copy.** Compare pixels, not names.


# %%
def same_pixels(first, second):
    one, two = (read_image(folder / "2d_images" / name)[0] for name in (first, second))
    return bool((one == two).all())


same_pixels("ID_5_Z_9.png", "ID_5_Z_9.tif"), same_pixels("ID_0002_Z_0006.png", "ID_0002_Z_0060.png")

# %% [markdown]
# Each of these two pairs of files holds one picture twice, and PNG or TIFF makes no difference. The second case matters more than it seems: the copy has a mask and a name of its own, and could end up in the training data while the original is in the test data.
#
# **A truncated file.** Reading it fails, and the message names the file:

# %%
try:
    read_image(folder / "2d_images" / "ID_8_Z_10.png")
except ValueError as error:
    print(error)

# %% [markdown]
# Some programs would fill the missing half with gray and go on. `read_image` does not. The file has to be copied again, or left out.
#
# **Values 0 and 255.** One patient's masks were drawn with another tool.

# %%
other_tool, ours = (read_mask(folder / "2d_masks" / f"ID_000{k}_Z_0008.png") for k in (7, 3))
np.unique(other_tool).tolist(), np.unique(ours).tolist()

# %% [markdown]
# 255 is the brightest value of an 8-bit picture, and many tools write it for "foreground". It is not class 255, and no program can know what it means. We asked the people who drew these masks: their tool had one label, so its 255 is lung *and* nodule together. For the question "lung or not?" these masks can be used; for "where is a nodule?" they cannot, because they hide the nodules.
#
# Here are our decisions, one line each. Further down, a file beside the data will say the same, and the data will be read by it.
#
# | in the report | what we saw | decision |
# |---|---|---|
# | image without a mask | the mask is missing | leave out; ask for the mask |
# | mask without an image | the image is missing | leave out |
# | one name, two formats | equal pixels | leave out the TIFF; then the PNG has one mask, and the mask one image |
# | the pixels of another image | the same slice counted twice | leave out the second, with its mask |
# | mask of another size | four rows cut at the bottom | leave out with its image, until the rows are restored; never stretch |
# | cannot be read | the file ends early | leave out with its mask, until it is copied again |
# | 0 and 255 | one label for lung and nodule | for lung, 255 is lung; for nodules, leave out the patient |
#
# ### Exercise 01.3: say what 255 means
#
# You want two classes, 0 background and 1 lung, and a nodule counts as part of the lung. Write the dictionary `mask_values` that gives each stored value (0, 1, 2 and 255) its class.
#
# <details><summary>Hint 1</summary>
#
# Two questions decide: to which of your two classes does a pixel of a nodule belong? And what did the tool that wrote 255 mean by it? The last row of the table above says so.
#
# <details><summary>Hint 2</summary>
#
# The dictionary has four entries, `stored value: class`. All of them are plain numbers, and on the right only 0 and 1 occur.
#
# </details>
# </details>

# %%
mask_values = ...

check.lung_values(mask_values)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
mask_values = {0: 0, 1: 1, 2: 1, 255: 1}

check.lung_values(mask_values)

# %% [markdown]
# ## Names prove nothing
#
# The names agree. But names were typed by people and written by scripts, and a script with the error from the top of this page gives files with wrong content the *right* names. So look at the content. First by eye: many pairs on one sheet, chosen at random.

# %% mystnb={"figure": {"caption": "A contact sheet: 18 pairs chosen at random, image with mask. One glance per picture is enough."}, "image": {"alt": "A sheet of 18 small chest slices, each with a blue lung outline; in every one of them the outline follows the dark lungs."}}
chosen = np.random.default_rng(0).choice(len(pairing.pairs), size=18, replace=False)
pairs = [pairing.pairs[i] for i in chosen]
plotting.show_images(
    [read_image(image)[0][::2, ::2] for image, _ in pairs],
    masks=[(read_mask(mask) > 0)[::2, ::2].astype(np.uint8) for _, mask in pairs],
    limits=(0, 255),
    columns=9,
    panel=1.1,
)

# %% [markdown]
# Every outline lies on the border of dark lung. Every second row and column is enough for this purpose. A hundred pairs take about a minute to look through.
#
# With ten thousand pairs you want a number as well. Lung is mostly air and therefore dark. If the pairing is right, the mean gray value inside the mask is low and similar in all pairs. If not, part of the mask lies on heart or chest wall, and the mean rises.

# %%
grays = [read_image(image)[0][..., 0] for image, _ in pairing.pairs]
lungs = [read_mask(mask) > 0 for _, mask in pairing.pairs]
order = np.random.default_rng(0).permutation(len(lungs))
paired = np.array([gray[lung].mean() for gray, lung in zip(grays, lungs, strict=True)])
shuffled = np.array([gray[lungs[k]].mean() for gray, k in zip(grays, order, strict=True)])

# %% mystnb={"figure": {"caption": "Mean gray value inside the lung mask, for the pairs of the report and for the same masks shuffled among the images."}, "image": {"alt": "Two histograms of the mean gray value inside the mask. Right pairs form one narrow peak at dark values; shuffled pairs spread widely over brighter values, with little overlap."}}
plotting.show_histograms({"paired by name": paired, "shuffled": shuffled}, "mean gray value inside the mask (0–255)")

# %% [markdown]
# The pairs from the report form one narrow peak. The shuffled ones spread far to the right. If your own histogram has a second hill or a long tail, open the files in the tail first. How many of the shuffled pairs would this number expose, if we call a pair suspicious when it is brighter than every right pair?

# %%
share = (shuffled > paired.max()).mean()
print(f"right pairs: {paired.min():.0f} to {paired.max():.0f}; shuffled pairs above that: {share:.0%}")

# %% [markdown]
# Most of them, but not all: some wrong masks happen to lie inside the lungs. A low number is a reason to open the pair, and a normal one proves nothing: the number judges a *folder* well and a single pair badly.
#
# And there is a mistake that it hardly shows: the mask of a *neighboring* slice. Move the slider: the image stays, and the mask comes from another slice of the same patient. The slices here lie about 4 mm apart, as is common in chest CT. (`window` turns the numbers of the scanner into grays from 0, black, to 1, white; [notebook 02](02_preprocessing.ipynb) takes it apart. The spacing of a volume has three numbers, the distance between slices first.)

# %%
from unet_helpers import window
from unet_helpers.phantom import make_patient

patient = make_patient(0, index=0, slices=48)
volume = window(patient.volume, level=-600, width=1500)
middle, steps = 24, range(-6, 7, 2)
labels = [f"{step * patient.spacing[0]:+.0f} mm" for step in steps]


# %%
def overlay(step):
    return plotting.show_images([volume[middle]], masks=[patient.masks[middle + step]], spacings=[patient.spacing[1:]])


# %%
from unet_helpers.plotting.widgets import explore

explore([overlay(step) for step in steps], labels, "mask taken from", start=3)

# %% mystnb={"figure": {"caption": "The mask of its own slice, of the next, of the one after, and of one six slices further. Only the last is easily seen to be wrong."}, "image": {"alt": "One chest slice four times, with the mask of its own slice and of slices 4, 8 and 25 millimeters further down. The first three outlines look alike; in the last the outline around the heart is clearly wrong."}}
plotting.show_images(
    [volume[middle]] * 4,
    titles=["its own mask"] + [f"mask from {step * patient.spacing[0]:.0f} mm below" for step in (1, 2, 6)],
    masks=[patient.masks[middle + step] for step in (0, 1, 2, 6)],
    spacings=[patient.spacing[1:]] * 4,
)

# %% [markdown]
# The mask of the next slice looks almost right. You can tell only at the edge of the heart, and the mean gray value barely moves:

# %%
for step in (0, 1, 2, 6):
    gray = 255 * volume[middle][patient.masks[middle + step] > 0].mean()
    print(f"mask from {step * patient.spacing[0]:2.0f} mm below: mean gray inside {gray:.0f}")

# %% [markdown]
# So a shift by one needs other evidence: the same number of slices in image and mask, a position written in both files (DICOM, the format of scanners, and NIfTI, a format common in research, store it; PNG does not), and a check of the first and the last slice of each patient, where a shift leaves a mask on a slice without lung.
#
# ## What is in the data
#
# Before any training: how many patients, how many slices, how many pixels of each class? Patient 7 is left out here, because its masks hide the nodules.

# %%
import pandas as pd

rows = []
for _, mask in pairing.pairs:
    values = read_mask(mask)
    if 255 not in values:
        rows.append([key(mask)[0], *np.bincount(values.ravel(), minlength=3)])
pixels = pd.DataFrame(rows, columns=["patient", "background", "lung", "nodule"])
print(f"{pixels.patient.nunique()} patients, {len(pixels)} slices, {(pixels.nodule > 0).sum()} of them with a nodule")

# %%
share = pixels[["background", "lung", "nodule"]].sum() / pixels[["background", "lung", "nodule"]].sum().sum()
(100 * share).round(2).to_frame("percent of all pixels").T

# %% mystnb={"figure": {"caption": "Class imbalance: the share of all pixels. The third bar is there."}, "image": {"alt": "Three horizontal bars: background fills almost all of the width, lung about an eighth, and the bar of nodule is too short to be seen."}}
with plotting.figure(width=6, height=1.8) as (fig, axes):
    ax = axes[0, 0]
    ax.barh(share.index[::-1], 100 * share[::-1], color=["#E69F00", "#56B4E9", "#888888"])
    ax.set_xlabel("percent of all pixels")
    ax.spines[["top", "right"]].set_visible(False)
fig

# %% [markdown]
# This is **class imbalance**, and we will meet it again throughout the series. Look closely at the table: a program that answers "background" for every pixel is right in nearly nine pixels of ten, and one that gets everything right but the nodules is wrong in fewer than one in a thousand. So accuracy hardly notices the nodules ([notebook 05](05_evaluation.ipynb)), and the loss has to be chosen with care ([notebook 07](07_losses_and_imbalance.ipynb)).
#
# The patients differ as well:

# %%
per_patient = pixels.groupby("patient").agg(slices=("lung", "size"), lung=("lung", "sum"), nodule=("nodule", "sum"))
per_patient.describe().loc[["min", "50%", "max"]].round(0).astype(int)

# %% [markdown]
# The row `50%` is the median patient. Some patients have no nodule pixel at all, others many. That is why we count patients, not pixels, when we ask how sure we are of a result.
#
# ## Split by patient
#
# To know how well a model does on *new* patients, some patients must be kept away from training. The usual shares are 70 % training, 15 % **validation** (to choose among models) and 15 % **test** (looked at once, at the end). The question is what to shuffle: slices or patients?
#
# Neighboring slices of one patient look alike. If slices are shuffled, the test set contains slices whose neighbors were trained on. This is **data leakage**: the model can answer from memory, and the score does not say what happens with a new patient.
#
# We can measure it without any network. Take the simplest model there is: for each test slice, find the training slice with the most similar pixels and *copy its mask*. It understands nothing; it only remembers. So that slices have close neighbors, we take 16 patients with 48 slices each, at 64×64 pixels.

# %%
from unet_helpers.data import phantom_arrays

volumes, truth, spacing, names = phantom_arrays(size=64, patients=16, slices=48)
slices = window(volumes.astype(np.float32), level=-600, width=1500).reshape(-1, 64, 64)
truth = truth.reshape(-1, 64, 64)
ids = np.repeat(names, 48)
print(f"{len(slices)} slices of {len(names)} patients, {spacing[:, 0].mean():.1f} mm apart on average")

# %% [markdown]
# The distance between two slices is the Euclidean distance of their pixels, after shrinking them to 32×32 so that noise matters less.

# %%
from scipy.spatial.distance import cdist

small = slices.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4)).reshape(len(slices), -1)
distance = cdist(small, small)


# %%
def most_similar(test, train):
    return train[distance[np.ix_(test, train)].argmin(axis=1)]


# %% [markdown]
# There are two ways to split. One shuffles the slices and cuts the list into three:


# %%
def split_by_slice(ids, seed):
    order = np.random.default_rng(seed).permutation(len(ids))
    return np.split(order, [int(0.7 * len(ids)), int(0.85 * len(ids))])


# %% [markdown]
# The other shuffles the *patients*, cuts the list of patients into three, and takes all slices of each group:


# %%
def split_by_hand(ids, seed):
    order = np.random.default_rng(seed).permutation(np.unique(ids))
    groups = np.split(order, [int(0.7 * len(order)), int(0.85 * len(order))])
    return [np.flatnonzero(np.isin(ids, group)) for group in groups]


[np.unique(ids[part]).tolist() for part in split_by_hand(ids, seed=0)[1:]]

# %% [markdown]
# These are the validation and the test patients. `split_by_patient` in the package does nearly the same, and makes sure that no side stays empty; from here on we use it. What does the copying model find?

# %% mystnb={"figure": {"caption": "A test slice with a nodule (left) and its most similar training slice when slices are shuffled (middle) and when patients are split (right)."}, "image": {"alt": "Three slices: a test slice, and the most similar training slice under each split. Under the shuffle of slices the training slice is nearly the same picture, with a nodule in the same place; under the split by patient it is another chest, without that nodule."}}
from unet_helpers import split_by_patient

train, _, test = split_by_patient(ids, seed=0)
case = max(test, key=lambda i: (truth[i] == 2).sum())
twin = most_similar([case], np.setdiff1d(split_by_slice(ids, seed=0)[0], [case]))[0]
other = most_similar([case], train)[0]
plotting.show_images(
    slices[[case, twin, other]],
    titles=[f"test: {ids[case]}", f"slices shuffled: {ids[twin]}", f"patients split: {ids[other]}"],
    masks=truth[[case, twin, other]],
    panel=2.8,
)

# %% [markdown]
# With shuffled slices the most similar training slice is the neighbor of the test slice, nodule included. When patients are split, it is another person's chest: the lungs are similar, but the nodule is not there. How often does that happen, and what does copying score? **Dice** measures how well two masks overlap: 1 if they are equal, 0 if they share no pixel ([notebook 05](05_evaluation.ipynb) takes it apart).

# %%
from unet_helpers import dice


def copy_and_score(train, test):
    source = most_similar(test, train)
    return {
        "same patient": (ids[source] == ids[test]).mean(),
        "lung Dice": np.mean([dice(truth[i] > 0, truth[j] > 0) for i, j in zip(test, source, strict=True)]),
        "nodule Dice": dice(truth[test] == 2, truth[source] == 2),
    }


# %% [markdown]
# The lung Dice is the mean over the test slices; for nodules, which most slices do not show, all test slices are taken as one big mask. One split can be lucky, so we draw 20 of each kind and report the mean and the range of the middle 90 %.

# %%
rows = []
for seed in range(20):
    for name, split in (("slices shuffled", split_by_slice), ("patients split", split_by_patient)):
        train, _, test = split(ids, seed=seed)
        rows.append({"split": name, **copy_and_score(train, test)})
scores = pd.DataFrame(rows).groupby("split", sort=False)
pd.concat({"mean": scores.mean(), "5 %": scores.quantile(0.05), "95 %": scores.quantile(0.95)}, axis=1).round(2).T

# %% [markdown]
# With shuffled slices nearly every test slice finds its twin in the same patient; when patients are split, none can. The lungs gain a little: they look alike in all people, so even another person's mask fits fairly well. The nodules gain most. Copying reaches a Dice of about two thirds when slices are shuffled, and zero when patients are split. A model that understands *nothing* gets a respectable nodule score, only because the answers had leaked into the training data.
#
# A network can also copy, only less openly. Kapoor and Narayanan (2023) {cite:p}`kapoor2023leakage` found leakage in hundreds of published studies of many fields.
#
# Is the effect always so large? It depends on how far apart the slices are. We leave out slices and measure again.

# %%
rows = []
for stride in (1, 2, 4, 6):
    keep = np.flatnonzero(np.arange(len(ids)) % 48 % stride == 0)
    for seed in range(20):
        train, _, test = (keep[part] for part in split_by_slice(keep, seed))
        rows.append({"mm": round(stride * spacing[:, 0].mean(), 1), **copy_and_score(train, test)})
by_distance = pd.DataFrame(rows).groupby("mm").mean()
by_distance.round(2)

# %% mystnb={"figure": {"caption": "Slices shuffled: what copying scores when the slices lie closer together or further apart. Mean of 20 splits."}, "image": {"alt": "Line plot over the distance between slices. The share of twins from the same patient and the nodule Dice fall as slices lie further apart; the nodule Dice is near zero at 24 millimeters; the lung Dice falls only slightly."}}
plotting.show_lines(by_distance.index, by_distance, "distance between slices (mm)", "share, or Dice")

# %% [markdown]
# At 4 mm the leak is large. At 24 mm two slices rarely cut the same nodule, and copying scores next to nothing. The folder at the top of this page has eight slices per patient, about as far apart, so a shuffle would do little harm there with this simple model. That is luck, not a reason to shuffle: the patients' build, noise and scanner still leak, real CT has slices every 1 to 5 mm, and a split by patient costs nothing.
#
# One caution about the range in the table: all 20 splits use the same 16 patients. It shows how much the draw of the split matters, not how much other patients would differ.
#
# ### Exercise 01.4: who stands on both sides?
#
# Write a function that takes the patient ids of the training slices and those of the test slices, and returns a sorted list of the patients in both, each once. For a good split it is empty.
#
# <details><summary>Hint 1</summary>
#
# Draw two circles that overlap, the training patients and the test patients. Which part is asked for? A patient can have many slices on each side; how often may the patient stand in the list?
#
# <details><summary>Hint 2</summary>
#
# A `set` holds each patient once. Which operation on two sets gives what is in both?
#
# <details><summary>Hint 3</summary>
#
# `first & second` is the intersection of two sets. It has no order; `sorted` makes a sorted list of it.
#
# </details>
# </details>
# </details>


# %%
def on_both_sides(train_ids, test_ids):
    return ...


check.on_both_sides(on_both_sides)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def on_both_sides(train_ids, test_ids):
    return sorted(set(train_ids) & set(test_ids))


check.on_both_sides(on_both_sides)
for split in (split_by_slice, split_by_patient):
    train, _, test = split(ids, seed=0)
    print(f"{split.__name__}: {len(on_both_sides(ids[train], ids[test]))} patients on both sides")

# %% [markdown]
# Many projects use scikit-learn for this. Its splitters with `Group` in their names keep the slices of a group, here a patient, together; `KFold` and `train_test_split` do not. (scikit-learn is not needed for this series, so these lines are only printed here.)
#
# ```python
# from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedGroupKFold
#
# # one split, about 15 % of the patients in the test set
# train, test = next(GroupShuffleSplit(n_splits=1, test_size=0.15, random_state=0).split(ids, groups=ids))
# # five splits, in which every patient is tested once: cross-validation
# folds = list(GroupKFold(n_splits=5).split(ids, groups=ids))
# # the same, with about as many slices with a nodule in each test set
# has_nodule = (truth == 2).any(axis=(1, 2))
# folds = list(StratifiedGroupKFold(n_splits=5).split(ids, has_nodule, groups=ids))
# ```
#
# ## One door
#
# From here on, one call does all of it: pair by name, read, apply our decisions, split by patient. It refuses to guess. If nothing is decided, it stops:

# %%
try:
    load_dataset(folder)
except ValueError as error:
    print(str(error).splitlines()[0], "…", str(error).splitlines()[-1], sep="\n")

# %% [markdown]
# So we write our decisions into a file beside the images, `series.toml`: which files are left out, and why. We work on a copy of the folder, and delete nothing.

# %%
decisions = """
[left_out]
"2d_images/ID_0001_Z_0007.png" = "its mask is missing"
"2d_masks/ID_0004_Z_0008.png" = "its image is missing"
"2d_images/ID_5_Z_9.tif" = "same pixels as the PNG, which stays"
"2d_images/ID_0002_Z_0060.png" = "copy of ID_0002_Z_0006.png, which stays"
"2d_masks/ID_0006_Z_0008.png" = "four rows cut at the bottom"
"2d_images/ID_8_Z_10.png" = "file ends early"
"""

# %% [markdown]
# What 255 means depends on the question, so we say it in the call: your `mask_values`, for the question "where is the lung?"

# %%
project = shutil.copytree(folder, Path(place.name) / folder.name, dirs_exist_ok=True)
with open(project / "series.toml", "w", encoding="utf-8") as file:
    file.write(decisions)
lung_data = load_dataset(project, mask_values=mask_values, class_names=("background", "lung"))
print(lung_data)

# %% [markdown]
# The report lists each decision with its reason, and the partners that went with a file. Nothing else was left out: if another file breaks tomorrow, the call will stop again and name it. Did the two files that we wanted to keep stay?

# %%
cases = [case for subset in lung_data.subsets.values() for case in subset.case_ids.tolist()]
[case for case in ("ID_5_Z_9", "ID_0002_Z_0006", "ID_0002_Z_0060") if case in cases]

# %% [markdown]
# The PNG of patient 5 is in the data with its mask, and so is the first of the two equal slices of patient 2; its copy is not.
#
# The file names gave the patient ids, and no patient is in two subsets. But two validation patients and two test patients are very few: one unusual chest is half of the result, and a choice among models hangs on two people. That is enough to practice on, and too few to judge a model. With 16 patients of your own, test each of them once, in five folds as above; [notebook 05b](05b_comparison.ipynb) shows how uncertain a result from few patients is.
#
# The images are already scaled to 0–1; what that means and what may be changed in them is the subject of [notebook 02](02_preprocessing.ipynb).

# %%
lung_data.train.images.shape, lung_data.train.masks.shape, lung_data.train.patient_ids[:3].tolist()

# %% [markdown]
# Image number *k*, mask number *k* and patient number *k* now stand in arrays of the same length, made in one place from one list of pairs.
#
# One thing the folder could not give us: `lung_data.train.spacing` is empty (`nan`), because these PNG files do not say how many millimeters a pixel measures. Without that, no volume and no diameter can be computed. If you export slices yourself, write the spacing down.
#
# ## Take-aways
#
# - Pair by a key that both names contain, never by sort order or position. Sorting fails without an error.
# - A pairing comes with a report. Each missing, double, damaged or odd file needs a decision, written down in one line that the program reads.
# - Names can lie. Look at a contact sheet, and let one number per pair (the mean gray value inside the mask) point to the outliers. To find a shift by one thin slice, you need positions or slice counts.
# - Count patients, slices and pixels per class before training. Here a nodule covers fewer than one pixel in a thousand.
# - Split by patient. With slices 4 mm apart, copying the mask of the most similar training slice reaches a nodule Dice of about two thirds when slices are shuffled, and zero when patients are split.
#
# ## Questions to test yourself
#
# 1. Two folders hold 500 files each, all read without error. Why does that not show that `zip(sorted(a), sorted(b))` pairs them rightly?
#
#    - A. `zip` stops without an error at the end of the shorter list.
#    - B. `sorted` puts the files in another order each time.
#    - C. The same number of files does not mean the same order.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Padded and unpadded numbers sort differently. And if one file is missing on each side, the counts are equal while everything between the two gaps is shifted.
# - **Not A:** it does, but here both lists have 500 names, so nothing is cut off.
# - **Not B:** sorting gives the same order every time. It is the order of letters, in which 10 comes before 2.
#
# </details>
#
# 2. A mask opens as a completely black picture. Is it empty?
#
#    - A. Yes, black is 0 and 0 is background.
#    - B. Yes, unless the file was damaged.
#    - C. That cannot be seen in this picture.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Class indices 1 and 2 look black on a scale of 255. Print `np.unique(mask)` or draw it in colors.
# - **Not A:** the screen cannot show the difference between 0, 1 and 2 of 255.
# - **Not B:** the file of a mask with classes 1 and 2 is in order, and looks black all the same.
#
# </details>
#
# 3. The mean gray value inside the mask looks right for all pairs. Which mistake can still be there?
#
#    - A. Masks that are shifted by one slice within a patient.
#    - B. Masks that were drawn on the heart in place of the lung.
#    - C. Masks of other patients, whose lungs have another place and size.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** The neighbor's mask covers nearly the same lung. It can also be that two patients were exchanged whose lungs happen to be alike at that height.
# - **Not B:** the mean would be that of soft tissue, much brighter than lung, which is mostly air.
# - **Not C:** such a mask lies partly on the chest wall, and its mean is too high. The number is there to find such masks.
#
# </details>
#
# 4. A colleague shuffles slices and reports Dice 0.9. The split by patient gives 0.7. Which number do you tell the doctors?
#
#    - A. 0.9.
#    - B. 0.7.
#    - C. 0.8, the mean of the two.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** The model will be used on patients it has not seen, and only the split by patient imitates that. The difference is mostly memory.
# - **Not A:** that is what the network reaches on patients of whom it has seen other slices. The doctors' patients will all be new to it.
# - **Not C:** one of the two numbers answers another question. Averaging does not repair it.
#
# </details>
#
# 5. Why did copying gain much more on nodules than on lungs when slices were shuffled?
#
# <details><summary>Answer</summary>
#
# Lungs have nearly the same place and shape in everyone, so another patient's mask already scores well. A nodule's place is a fact about one patient: only a slice of the same patient knows it.
#
# </details>
#
# ## Read more
#
# - Kapoor and Narayanan (2023) {cite:p}`kapoor2023leakage`: kinds of leakage, with the fields and studies in which they were found.
# - Armato et al. (2011) {cite:p}`armato2011lidc`: how four radiologists read a large public set of lung nodules, and how far they disagree.
# - Antonelli et al. (2022) {cite:p}`antonelli2022msd`: ten public segmentation tasks in one format, a model of how to organize such data.
# - Litjens et al. (2017) {cite:p}`litjens2017survey`: what segmentation and its relatives are used for in medicine.
# - Words used here are explained in the [glossary](../book/glossary.md).

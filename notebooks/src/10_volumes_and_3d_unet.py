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
# # 10 Volumes and 3D U-Net
#
# What changes in 3D, in mm and in ml?

# %%
import numpy as np

from unet_helpers import plotting, window
from unet_helpers.phantom import make_patient

patient = make_patient(11, index=6, slices=64)
gray = window(patient.volume, -600, 1500)
nodule = patient.nodules[0]
level, row, column = (round(c) for c in nodule.center)

# %% mystnb={"figure": {"caption": "Two places in the lung of one patient, each in one slice. One is a nodule, the other a vessel that runs through the slice. Which is which?"}, "image": {"alt": "Two close-ups of dark lung, A and B, each with one bright, roundish spot of about the same size in the middle."}}
places = {"A": (25, 66, 78), "B": (level - 2, row, column)}


def close_up(place, shift=0, half=10):
    k, y, x = place
    return gray[k + shift, y - half : y + half + 1, x - half : x + half + 1]


plotting.show_images([close_up(place) for place in places.values()], list(places), spacings=[patient.spacing[1:]] * 2)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - say what a single slice cannot tell, and show it in three planes with the right spacing,
# - measure a volume in ml, and say how far to trust it (Bland–Altman),
# - turn voxels into mm by an affine, find a wrong flip, and resample scans to one spacing,
# - cut patches from a volume, train a 3D U-Net on them, and predict a whole volume without seams,
# - work out what a 3D network costs in memory, and fit its pooling and kernels to the slice distance,
# - decide between 2D, 2.5D and 3D by a fair comparison.
#
# **You need before:** the U-Net ([notebook 03](03_unet_architecture.ipynb)); Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)).
#
# **Minutes:** 75 to read, with four exercises, 2 to run on two cores.
#
# **The misconceptions it removes:** "The mean Dice of the slices is the Dice of the patient", and "3D is always better than 2D".
#
# </div>

# %% [markdown]
# ## What a slice cannot tell
#
# One slice does not give the answer. So look at the slices above and below:

# %% mystnb={"figure": {"caption": "The same two places, from three slices above (left) to four below (right). 0 mm is the first figure."}, "image": {"alt": "Two rows of eight close-ups from three slices above to four below. In row A every slice has bright spots, which come together and branch again; row B shows nothing at first, then a spot that grows round and bright over some slices and disappears again."}}
shifts = range(-3, 5)
crops = [close_up(place, shift) for place in places.values() for shift in shifts]
distance = patient.spacing[0]
titles = [f"{name}  {shift * distance:+.0f} mm" for name in places for shift in shifts]
plotting.show_images(crops, titles, columns=8, panel=1.15)

# %% [markdown]
# **A** goes on from slice to slice, wanders, and branches: a vessel. **B** begins, grows round, and ends: a nodule. The answer lies in the direction that a 2D network never sees.

# %% [markdown]
# ### An array with a spacing
#
# A CT scan is a stack of slices. As an array it has the axes slice, row, column, in this order; the **spacing** says how many mm lie between neighbors along each. One element is a **voxel**.

# %%
print("shape  ", patient.volume.shape)
print("spacing", tuple(round(side, 2) for side in patient.spacing), "mm")
print("extent ", *(round(n * side) for n, side in zip(patient.volume.shape, patient.spacing)), "mm")

# %% [markdown]
# The volume can be cut in three directions. An **axial** slice is what the scanner gives; a **coronal** cut faces the patient, and a **sagittal** cut is seen from the side. In these two cuts a pixel is as high as the slice distance, and the picture must be drawn that way, or the patient looks squashed.

# %% mystnb={"figure": {"caption": "Three cuts through one volume, and the coronal cut of the same patient scanned with eight slices, as in the earlier notebooks. Bars: 50 mm."}, "image": {"alt": "Four pictures: an axial slice with both lungs; a coronal cut with two tall lungs over the diaphragm; a sagittal cut through one lung; and the coronal cut of the same patient scanned with eight slices, a coarse staircase of eight bands."}}
thick = make_patient(11, index=6, slices=8)
cuts = [gray[level], gray[:, row], gray[:, :, column], window(thick.volume[:, row], -600, 1500)]
between, across = patient.spacing[:2]
spacings = [(across, across), (between, across), (between, across), (thick.spacing[0], across)]
plotting.show_images(cuts, ["axial", "coronal", "sagittal", "coronal, 8 slices"], spacings=spacings)

# %% [markdown]
# In the last picture neighboring slices are about 25 mm apart. A network can learn nothing from the neighbors here, since a nodule of 12 mm lies in one slice at most. A volume whose slice distance is much larger than its pixels is called **anisotropic**; clinical CT has pixels of 0.6 to 0.9 mm, and mostly 1 to 5 mm from slice to slice.

# %% [markdown]
# ## A 2D network on a volume
#
# The small 2D U-Net of this series takes one slice after the other, and never sees a neighboring one.

# %%
from unet_helpers import load_checkpoint, predict_masks

model = load_checkpoint()
predicted = predict_masks(model, gray[..., np.newaxis])

# %% mystnb={"figure": {"caption": "The 2D prediction, slice by slice. Watch where the orange nodules begin and end."}, "image": {"alt": "A slider for the level in mm above an axial slice with the predicted lungs in blue and nodules in orange; moving it runs through the chest from the apices of the lungs to the diaphragm."}}
from unet_helpers.plotting.widgets import explore

levels = range(0, 64, 4)
frames = [plotting.paint_mask(gray[k], predicted[k]) for k in levels]
explore(frames, [f"{k * distance:.0f} mm" for k in levels], "level", start=len(frames) // 2, width=320)

# %% mystnb={"figure": {"caption": "The same volume seen from the front, one coronal cut; orange is a nodule at any depth."}, "image": {"alt": "Two coronal cuts, ground truth and prediction of the 2D network. The lungs agree. The ground truth has two nodules in one lung, one partly in front of the other, and a faint round one low in the other lung; the prediction has all three, and a few flat specks where no nodule is."}}
shown = np.where((patient.masks == 2).any(axis=1), 2, patient.masks[:, row])
found = np.where((predicted == 2).any(axis=1), 2, predicted[:, row])
panels = [gray[:, row]] * 2, ["ground truth", "2D, slice by slice"], [shown, found]
plotting.show_images(*panels, ["background", "lung", "nodule"], [patient.spacing[:2]] * 2)

# %% [markdown]
# The predicted lungs look almost like the true ones. For the nodules, we count: how many slices does each of them occupy, in how many is any of it found, and how much of its volume is found?

# %%
import pandas as pd
from scipy import ndimage

pieces, count = ndimage.label(patient.masks == 2, np.ones((3, 3, 3)))
rows = []
for number in range(1, count + 1):
    true = pieces == number
    hit = true & (predicted == 2)
    rows.append([true.any(axis=(1, 2)).sum(), hit.any(axis=(1, 2)).sum(), round(hit.sum() / true.sum(), 1)])
pd.DataFrame(rows, range(1, count + 1), ["slices", "slices found", "share found"]).rename_axis("nodule")

# %% [markdown]
# All three are found nearly whole, even the faint one of ground glass; of the second, one slice is missed. What the table cannot show is in the picture: specks where there is no nodule, each in a single slice. A 2D network decides anew in every slice, and never asks whether the neighbors agree.

# %% [markdown]
# ### The mean of the slices, or the patient?
#
# With 64 slices there are two ways to get one number: average the Dice of the slices, or count all voxels of the patient together.

# %% nbval_tolerance=0.01
from unet_helpers import dice

by_slice = {}
for part, true, seen in (("lung", patient.masks > 0, predicted > 0), ("nodule", patient.masks == 2, predicted == 2)):
    by_slice[part] = np.array([dice(t, p) for t, p in zip(true, seen)])
    print(f"{part:<7}mean of slices {np.nanmean(by_slice[part]):.2f}, patient {dice(true, seen):.2f}")

# %% mystnb={"figure": {"caption": "Dice of every slice that has a value."}, "image": {"alt": "Two panels over the level in mm. Lung: all points between 0.97 and 1, a little lower toward both ends. Nodule: two groups of points between 0.5 and 1, one for each region with nodules, and four single points at 0."}}
with plotting.figure(1, 2, width=7.2, height=2.4) as (fig, axes):
    for ax, (part, scores), color in zip(axes.flat, by_slice.items(), plotting.CLASS_COLORS[1:]):
        ax.plot(np.arange(64) * distance, scores, "o", markersize=4, color=color, markeredgecolor="black")
        ax.set(title=part, xlabel="level (mm)", ylabel="Dice", ylim=(0.9, 1) if part == "lung" else (-0.03, 1))
fig

# %% [markdown]
# For the lung the two agree to two digits, since nearly all of its slices are large and well outlined. For the nodules they do not. Four slices count 0 because of specks, just as if a nodule had been missed in them. And a slice through the end of a nodule has few pixels, but counts as much as one through its middle. To see how much that matters, take a ball of 12 mm that is outlined perfectly, except for its first and its last slice, which are missed:


# %%
def ball_on_grid(diameter, spacing, shift):
    sides = [int(diameter / one) + 4 for one in spacing]
    grid = np.indices(sides).reshape(3, -1).T + shift
    away = (grid - np.array(sides) / 2) * spacing
    return (np.square(away).sum(axis=1) < (diameter / 2) ** 2).reshape(sides)


ball = ball_on_grid(12, patient.spacing, 0.5)
inner = np.flatnonzero(ball.any(axis=(1, 2)))[1:-1]
shorter = np.zeros_like(ball)
shorter[inner] = ball[inner]
of_slices = np.nanmean([dice(t, p) for t, p in zip(ball, shorter)])
print(f"{len(inner) + 2} slices: mean of slices {of_slices:.2f}, whole ball {dice(ball, shorter):.2f}")

# %% [markdown]
# The whole ball loses a seventh, because its end slices are small. The mean of slices loses half, because two of four slices count 0; with thinner slices it would differ, although the same millimeters were missing. How a patient is sliced is chosen at the scanner. So count over all voxels, and report one Dice per patient.

# %% [markdown]
# ## Volume in ml
#
# What a clinic wants from a segmentation is often not the mask but a *volume*: how much lung is left, and has the nodule grown? 1 ml is 1 cm³, a cube of 10 × 10 × 10 mm.

# %% [markdown]
# ### Exercise 10.1: milliliters
#
# Write `milliliters(mask, spacing)`, which gives the volume of a 0/1 mask `(D, H, W)` in ml. `spacing` holds three lengths in mm.
#
# <details><summary>Hint 1</summary>
#
# How many mm³ has one voxel, if its three sides are given in mm? And how many mm³ are 1 ml?
#
# <details><summary>Hint 2</summary>
#
# Count the voxels of the mask with `mask.sum()`, multiply by the volume of one voxel, `np.prod(spacing)`, and change mm³ into ml: 1 ml is 10 · 10 · 10 mm³.
#
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import volumes_and_3d_unet as check


def milliliters(mask, spacing):
    return ...


check.volume(milliliters)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def milliliters(mask, spacing):
    voxel = np.prod(spacing)
    return mask.sum() * voxel / 1000


check.volume(milliliters)

# %% nbval_tolerance=0.01
from unet_helpers.evaluation import volume_ml

lung, nodules = (
    [volume_ml(m, patient.spacing) for m in pair]
    for pair in ((patient.masks > 0, predicted > 0), (patient.masks == 2, predicted == 2))
)
print(f"lung    {lung[0] / 1000:.2f} l true, {lung[1] / 1000:.2f} l predicted")
print(f"nodules {nodules[0]:.0f} ml true, {nodules[1]:.0f} ml predicted")

# %% [markdown]
# With the same network and the same patient, the lung is right to a hundredth, and the nodules come out more than a third too large. A Dice of 0.99 means that the volume *cannot* be far off. A low Dice leaves it open: too much here and too little there cancel out in ml, but not in Dice.

# %% [markdown]
# ### What the grid alone costs
#
# Even a perfect outline has an error in ml, because a mask is made of voxels. Take balls of 8 mm, a size at which nodules are followed up, and put them at random places on grids of growing slice distance. A voxel belongs to the ball if its center does. How far is the counted volume from $\frac{4}{3}\pi r^3$?

# %%
rng = np.random.default_rng(0)
exact = 4 / 3 * np.pi * 4**3 / 1000
errors = {}
for step in (0.7, 1.0, 2.0, 3.0, 5.0):
    spacing = (step, 0.7, 0.7)
    volumes = [volume_ml(ball_on_grid(8, spacing, rng.random(3)), spacing) for _ in range(300)]
    errors[step] = 100 * (np.array(volumes) / exact - 1)

# %% mystnb={"figure": {"caption": "Error of the counted volume of a perfectly outlined ball of 8 mm, pixels of 0.7 mm. Bars: the middle 95 % of 300 random places."}, "image": {"alt": "Five vertical bars over slice distances of 0.7, 1, 2, 3 and 5 mm, each spanning the middle 95 percent of the errors. They are about one percent for the thinnest slices, five at 2 mm, and at 5 mm they reach from about minus 12 to plus 16 percent."}}
with plotting.figure(width=4.4, height=2.6) as (fig, axes):
    for x, values in enumerate(errors.values()):
        low, high = np.percentile(values, (2.5, 97.5))
        axes[0, 0].plot([x, x], [low, high], color="#0072B2", linewidth=5, solid_capstyle="butt")
    axes[0, 0].axhline(0, color="#999999", linewidth=1)
    axes[0, 0].set_xticks(range(5), [f"{step:g}" for step in errors])
    axes[0, 0].set(xlabel="slice distance (mm)", ylabel="error of the volume (%)")
fig

# %% [markdown]
# With slices of 5 mm the same ball measures up to about 15 % more or less, only because of where the slices happened to fall. The outline was perfect. So between two such scans, a measured growth of 15 % can be no growth at all. And what if the outline is off by half a pixel of 0.7 mm all around?

# %%
for wrong in (-0.35, 0.35):
    print(f"outline {wrong:+.2f} mm: volume {100 * ((4 + wrong) ** 3 / 4**3 - 1):+.0f} %")

# %% [markdown]
# A third of a millimeter changes the volume by about a quarter, because the volume goes with the *third* power of the radius. A ball of 2 liters, as large as a lung, would change by little more than one percent.

# %% [markdown]
# ## Where is a voxel?
#
# Three lengths do not tell where a voxel lies in the patient, or which way the axes run. For that a file has an **affine**: a 4×4 matrix that turns (slice, row, column, 1) into (x, y, z, 1) in mm. Each of its first three columns is one step along an axis; the last column is the place of voxel (0, 0, 0). In NIfTI, x grows to the patient's right, y to the front, and z to the head: **RAS**. In DICOM and ITK, x grows to the left and y to the back: **LPS**. Our slices run from head to feet, the rows from front to back, and the columns to the patient's left. In RAS all three steps are therefore negative:

# %%
down, back, left = patient.spacing
affine = np.array([[0, 0, -left, 188], [0, -back, 0, 188], [-down, 0, 0, 88], [0, 0, 0, 1]])
place = affine @ [*nodule.center, 1]
print("x, y, z:", place[:3].round(1), "mm")

# %% [markdown]
# The 1 at the end brings in the last column. The nodule lies 53 mm to the left of the middle, because x is negative. The columns of the matrix have the spacing as their lengths, and the inverse leads from mm back to voxels. [nibabel](https://nipy.org/nibabel/coordinate_systems.html), which reads NIfTI, names the directions, and turns an array to RAS:

# %%
import nibabel

image = nibabel.Nifti1Image(patient.volume, affine)
for one in (image, nibabel.as_closest_canonical(image)):
    voxel = np.linalg.inv(one.affine) @ place
    print("".join(nibabel.aff2axcodes(one.affine)), one.shape, "nodule at", voxel[:3].round(1))

# %% [markdown]
# The same place in the patient now has other indices in another array. (*IPL* says where the axes lead: inferior, posterior, left.) So compare affines, not only shapes, before you lay a mask over a scan, and save a mask with the affine of its scan.

# %% [markdown]
# ### Exercise 10.2: the same place in another scan
#
# Two scans of one patient have the affines `affine` and `other`, both to the same mm. Write `same_place(affine, other, voxel)`: the (slice, row, column) in the second scan of what lies at `voxel` in the first, with its decimals.
#
# <details><summary>Hint 1</summary>
#
# What do the two scans have in common: voxels, or mm?
#
# <details><summary>Hint 2</summary>
#
# Go from the voxel to mm with the first affine, then from mm to the voxel of the second scan. The way back from mm is `np.linalg.inv`.
#
# <details><summary>Hint 3</summary>
#
# The first step is `affine @ [*voxel, 1]`. Multiply the result by the inverse of `other`, on the left, and leave the 1 out.
#
# </details>
# </details>
# </details>


# %%
def same_place(affine, other, voxel):
    return ...


check.same_place(same_place)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def same_place(affine, other, voxel):
    return (np.linalg.inv(other) @ affine @ [*voxel, 1])[:3]


check.same_place(same_place)

# %% [markdown]
# ### A wrong flip
#
# Suppose a program ignores the affine and returns the mask with one axis reversed. What do our measures say?

# %%
rows = {}
for name, axis in {"none": (), "slices": 0, "rows": 1, "columns": 2}.items():
    flipped = np.flip(patient.masks, axis)
    scores = [dice(patient.masks > 0, flipped > 0), dice(patient.masks == 2, flipped == 2)]
    rows[name] = [volume_ml(flipped > 0, patient.spacing), *scores, patient.volume[flipped > 0].mean()]
flips = pd.DataFrame(rows, ["lung (ml)", "lung Dice", "nodule Dice", "HU under mask"]).T.rename_axis("flipped")
flips.round({"lung (ml)": 0, "lung Dice": 2, "nodule Dice": 2, "HU under mask": 0})

# %% tags=["remove-cell"]
assert flips["HU under mask"].idxmin() == "none"
assert np.ptp(flips["lung (ml)"]) < 1e-6

# %% mystnb={"figure": {"caption": "One axial slice with its mask, and with the mask after a flip of the columns. Left in the picture is the patient's right."}, "image": {"alt": "The same axial slice twice, with outlines of the lungs in blue and a nodule in orange. On the left the outlines fit. On the right they are mirrored: strips of lung lie outside of them, one outline reaches over the chest wall, and the nodule lies in the other lung."}}
low = round(patient.nodules[2].center[0])
sides = [patient.masks[low], np.flip(patient.masks, 2)[low]]
panels = [gray[low]] * 2, ["as it should be", "columns flipped"], sides
plotting.show_images(*panels, ["background", "lung", "nodule"], [patient.spacing[1:]] * 2)

# %% [markdown]
# The ml do not change at all. With left and right exchanged, the lung Dice looks like that of a mediocre network, while the nodules lie in the wrong lung. The scan gives it away: lung is dark, so the mean HU under the mask is lowest where the mask belongs. A second `np.flip` undoes the first.
#
# If image *and* mask are flipped, all numbers are those of the first row, and only the report names the wrong side. Then only the affine tells, or the anatomy: the heart points to the left, the liver lies under the right lung. So never flip an array without its affine; nibabel changes both.

# %% [markdown]
# ### One spacing for all
#
# A network counts voxels: a nodule of 12 mm is twelve slices high in one scan and three in the next. So volumes are first *resampled* to one spacing, the image by linear interpolation and the mask by its nearest neighbor. nnU-Net takes the median spacing of the training patients {cite:p}`isensee2021nnunet`, and less across very thick slices; here it is 2 mm along each axis:

# %%
factors = np.array(patient.spacing) / 2
options = {"mode": "nearest", "grid_mode": True}
finer = ndimage.zoom(patient.volume, factors, order=1, **options)
finer_masks = ndimage.zoom(patient.masks, factors, order=0, **options)
spacing = np.array(patient.spacing) * patient.volume.shape / finer.shape
print(finer.shape, spacing.round(3), "mm")

# %% [markdown]
# The number of voxels has to be whole, so the spacing is not exactly 2 mm: compute it. (`grid_mode` keeps the outer faces of the volume where they are. Without it `zoom` keeps the *centers* of the corner voxels, and the scale is a little different.) Volumes in ml must survive:

# %% nbval_tolerance=0.01
grids = {"before": (patient.masks, patient.spacing), "after": (finer_masks, spacing)}
grids["after, with the old spacing"] = finer_masks, patient.spacing
ml = {name: [volume_ml(mask > 0, mm), volume_ml(mask == 2, mm)] for name, (mask, mm) in grids.items()}
pd.DataFrame(ml, ["lung (ml)", "nodules (ml)"]).T.round(1)

# %% tags=["remove-cell"]
assert np.allclose(ml["after"], ml["before"], rtol=0.02)

# %% [markdown]
# The lung is the same to a thousandth, the nodules to a hundredth, which is the error of the grid. With the old spacing, everything is three times too large. A finer grid adds voxels, but no information; for a coarser one, smooth the image first ([notebook 02](02_preprocessing.ipynb)). A predicted mask goes back to the grid of its scan.

# %% [markdown]
# ## What a volume costs
#
# Why not simply give the whole volume to a network with 3D convolutions? `UNet3D` is the network of Çiçek and others {cite:p}`cicek2016unet3d`: the U of [notebook 03](03_unet_architecture.ipynb), with convolutions of 3×3×3 instead of 3×3, and pooling along three axes.

# %%
from unet_helpers import UNet, UNet3D

flat = UNet((128, 128, 1), 3, base_filters=8, depth=3)
deep = UNet3D((64, 128, 128, 1), 3, base_filters=8, depth=3)
for network in (flat, deep):
    print(f"{network.name:<7}{network.count_params():>10,} parameters")

# %% [markdown]
# The 3D network has about ten times the weights, but even these take only 5 MB: they are not the problem. While it trains, a network has to keep the output of *every* layer, called its **activations**, until the gradients have been computed. We count them, at four bytes each:


# %%
def activations_mb(network):
    values = sum(np.prod(layer.output.shape[1:]) for layer in network.layers)
    return 4 * values / 2**20


print(f"one slice {activations_mb(flat):,.0f} MB, one volume {activations_mb(deep):,.0f} MB")

# %% [markdown]
# One slice takes little, but one volume takes more than a gigabyte: it has 64 slices, and maps with more channels. A clinical scan has not 64 × 128 × 128 voxels but some 300 × 512 × 512, 75 times as many, and the usual network has 32 filters in its first layer, not 8.

# %%
per_voxel = activations_mb(UNet3D((64, 64, 64, 1), 3, base_filters=32, depth=3)) / 64**3
print(f"a whole scan: about {per_voxel * 304 * 512 * 512 / 1024:,.0f} GB")

# %% [markdown]
# No single graphics card has that much memory. Is the count any good? We compare it with how far the memory of a process rises during one training step, for cubes of several sizes:

# %% mystnb={"figure": {"caption": "Memory of one training step on one cube (8 filters, depth 3). Counted: all outputs, 4 bytes each. Measured: the highest rise of the process's memory."}, "image": {"alt": "Memory in MB over the side of the cube, both axes logarithmic. Counted is a straight line from about 40 to 650 MB, the third power of the side. Measured lies above it, twice as high at 32 voxels and hardly higher at 80."}}
import json

from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "volumes_3d.json").read_text(encoding="utf-8"))["results"]
memory = pd.DataFrame(recorded["memory"]).T
with plotting.figure(width=4.4, height=2.8) as (fig, axes):
    for name, style in (("measured_mb", "o-"), ("counted_mb", "s--")):
        axes[0, 0].plot(memory.index.astype(int), memory[name], style, label=name.split("_")[0])
    axes[0, 0].set(xscale="log", yscale="log", xlabel="side of the cube (voxels)", ylabel="memory (MB)")
    axes[0, 0].set_xticks(memory.index.astype(int), memory.index)
    axes[0, 0].set_yticks([50, 100, 200, 400, 800], [50, 100, 200, 400, 800])
    axes[0, 0].minorticks_off()
    axes[0, 0].legend(frameon=False)
fig

# %% [markdown]
# The count is a good guide for large cubes: some working memory comes on top, which matters only for small ones. So memory decides how much a 3D network may see at once, and nothing helps as much as a smaller box.

# %% [markdown]
# ## Patches
#
# The way out is to train on pieces. A **patch** is a small box, cut from a volume at a random place, image and mask together. We take eight patients for training, two for validation, and two for the end. Their volumes are small this time (64×64 pixels, 48 slices), so that a 3D network can learn here in half a minute. The task is to find the lung.

# %%
smaller = [make_patient(12, index=index, size=64, slices=48) for index in range(12)]
images = [window(one.volume, -600, 1500) for one in smaller]
masks = [(one.masks > 0).astype(np.uint8) for one in smaller]
print("spacing of the first:", tuple(round(side, 1) for side in smaller[0].spacing), "mm")

# %%
from unet_helpers.training import draw_patches

shape = (16, 32, 32)
patches, patch_masks = draw_patches(images[:8], masks[:8], shape, 96, index=1)
patches.shape

# %% mystnb={"figure": {"caption": "The middle slice of eight patches. They are 160 to 210 mm wide, depending on the patient: a piece of the chest, never the whole."}, "image": {"alt": "Eight small pictures, the middle slices of eight patches with the lung in blue: pieces of chest wall, of lung, of the heart; all eight hold some lung."}}
plotting.show_images(patches[:8, 8], None, patch_masks[:8, 8], columns=8, panel=1.2)

# %% [markdown]
# `index=1` draws half of the patches around a voxel of class 1, the lung, and the other half anywhere. For rare classes this matters: nodules take up less than one voxel in a thousand, so most patches drawn blindly would hold none.
#
# The training is the one you know. A `Subset` can hold patches as well as slices. (Its spacing is set to 1 here: the training does not look at it.)

# %%
from unet_helpers import Dataset
from unet_helpers.data import Subset


def patch_subset(first, last, count):
    found = draw_patches(images[first:last], masks[first:last], shape, count, seed=first, index=1)
    names = np.array([f"patients {first} to {last - 1}"] * count)
    return Subset(*found, names, names, np.ones((count, 3)))


data = Dataset(
    "patches", ("background", "lung"), patch_subset(0, 8, 96), patch_subset(8, 10, 16), patch_subset(10, 12, 8)
)

# %% nbval_tolerance=0
import keras

from unet_helpers import start_at_class_shares, train

keras.utils.set_random_seed(0)
network = UNet3D((*shape, 1), 2, base_filters=4, depth=2)
start_at_class_shares(network, data.train.masks)
history = train(network, data, epochs=6, batch_size=4, learning_rate=5e-3, keep="last")

# %% tags=["remove-cell"]
assert history["val_dice"][-1] > 0.8

# %% mystnb={"figure": {"caption": "A 3D U-Net on patches of 16×32×32 voxels."}, "image": {"alt": "Three panels over the epochs: the loss falls, accuracy and Dice rise toward 1, and training and validation end close together."}}
plotting.show_curves(history)

# %% [markdown]
# ## A whole volume, window by window
#
# The network takes 16×32×32 voxels, but the volume has 48×64×64. The simplest way is to lay windows side by side, like tiles:

# %%
from unet_helpers.evaluation import predict_sliding_window

k = 10
tiles = predict_sliding_window(network, images[k], shape, overlap=0)[..., 1]

# %% mystnb={"figure": {"caption": "Left: ground truth. Right: probability of lung, predicted in tiles. Where tiles meet there are seams."}, "image": {"alt": "Two pictures of one coronal cut: the ground truth with smooth lungs, and the probability of the tiled prediction, in which two straight gray lines run across the white lungs where tiles meet."}}
middle = 32
with plotting.figure(1, 2, panel=3) as (fig, axes):
    step = smaller[k].spacing[:2]
    plotting.draw_image(axes[0, 0], images[k][:, middle], step, title="ground truth")
    plotting.draw_mask(axes[0, 0], masks[k][:, middle])
    plotting.draw_image(axes[0, 1], tiles[:, middle], step, title="probability, tiles")
    axes[0, 1].set_yticks([15.5, 31.5], ["seam", "seam"])
    axes[0, 1].axis("on")
    axes[0, 1].set_xticks([])
fig

# %% [markdown]
# Where tiles meet, the prediction breaks, even in the middle of the lung: these are **seams**. At the face of a patch the network sees nothing of what lies beyond, only the zeros that the padding puts there. In the middle of a patch, the same voxel would be judged with neighbors on all sides.
#
# The remedy is to let the windows **overlap**, and to average the predictions with weights: the middle of a window counts more than its face.

# %% mystnb={"figure": {"caption": "Windows of 16 voxels that overlap by half, along one axis. Left: weights. Right: shares, which sum to one in every voxel."}, "image": {"alt": "Two panels along one axis of 48 voxels. Left: five bell curves, one per window, that overlap by half. Right: the same curves divided by their sum, shares that go smoothly from one window to the next and add up to one everywhere."}}
from unet_helpers.evaluation import window_starts, window_weights

starts = window_starts(48, 16, 0.5)
weights = np.zeros((len(starts), 48))
for one, start in zip(weights, starts):
    one[start : start + 16] = window_weights((16,))
with plotting.figure(1, 2, width=7, height=2.3) as (fig, axes):
    for ax, curves, title in ((axes[0, 0], weights, "weights"), (axes[0, 1], weights / weights.sum(axis=0), "shares")):
        ax.plot(curves.T)
        ax.set(xlabel="voxel", title=title)
fig

# %% tags=["remove-cell"]
assert np.allclose((weights / weights.sum(axis=0)).sum(axis=0), 1)

# %% [markdown]
# In a volume it is the same along three axes: one array adds up the weighted predictions, another the weights, and at the end the first is divided by the second:

# %%
from itertools import product

votes, total = np.zeros(images[k].shape), np.zeros(images[k].shape)
weight = window_weights(shape)
for z, y, x in product(*(window_starts(n, p, 0.5) for n, p in zip(images[k].shape, shape))):
    here = np.s_[z : z + 16, y : y + 32, x : x + 32]
    window_in = images[k][here][np.newaxis, ..., np.newaxis]
    votes[here] += weight * np.asarray(network(window_in))[0, ..., 1]
    total[here] += weight
blended = votes / total

# %%
by_helper = predict_sliding_window(network, images[k], shape, overlap=0.5)[..., 1]
print(f"largest difference from predict_sliding_window: {np.abs(blended - by_helper).max():.3f}")

# %% tags=["remove-cell"]
assert np.allclose(blended, by_helper, atol=1e-3)

# %% mystnb={"figure": {"caption": "The same network, the same volume: tiles, and windows that overlap by half."}, "image": {"alt": "The coronal cut predicted in tiles and predicted with overlapping windows. In the second picture the straight breaks are gone and the outline of the lungs is smooth."}}
cuts = [tiles[:, middle], blended[:, middle]]
plotting.show_images(cuts, ["tiles", "overlap 0.5"], spacings=[step] * 2, panel=3)

# %% nbval_tolerance=0.01
scores = {name: dice(masks[k], probability > 0.5) for name, probability in (("tiles", tiles), ("overlap 0.5", blended))}
for name, score in scores.items():
    print(f"{name:<12} Dice {score:.3f}")

# %% tags=["remove-cell"]
assert scores["overlap 0.5"] > scores["tiles"]

# %% [markdown]
# Not one weight of the network has changed, and the seams are gone. How far into a patch does the trouble at its face reach? This volume is small enough to be predicted in one piece, by the same weights in a network whose sides are left open (`None`). How much did the tiling change, by the distance from the face of the tile?

# %%
open_sides = UNet3D((None, None, None, 1), 2, base_filters=4, depth=2)
open_sides.set_weights(network.get_weights())
whole = np.asarray(open_sides(images[k][np.newaxis, ..., np.newaxis]))[0, ..., 1]

within = [np.minimum(np.arange(n) % p, p - 1 - np.arange(n) % p) for n, p in zip(tiles.shape, shape)]
to_face = np.minimum(np.minimum(within[0][:, None, None], within[1][:, None]), within[2])
changed = pd.Series(np.abs(tiles - whole).ravel()).groupby(to_face.ravel()).mean()

# %% mystnb={"figure": {"caption": "How far the probability in tiles is from that of the volume in one piece, by the distance from the nearest face of the tile."}, "image": {"alt": "Bars of the mean change of the probability over the distance to the face of the tile, 0 to 7 voxels. The bar at 0 is the highest, and the bars fall toward the middle of the tile."}}
with plotting.figure(width=4.2, height=2.5) as (fig, axes):
    changed.plot.bar(ax=axes[0, 0], color="#0072B2", rot=0)
    axes[0, 0].set(xlabel="distance to the face of the tile (voxels)", ylabel="mean change")
fig

# %% tags=["remove-cell"]
assert changed[0] > 1.5 * changed[4:].mean()

# %% [markdown]
# The change is largest at the face, less than half as large one voxel further in, and small in the middle. So the outer one or two voxels of these patches are not to be trusted; with a larger or deeper network it may be more.

# %% [markdown]
# ### Exercise 10.3: how much overlap?
#
# A patch has `patch` voxels along an axis, and the outer `border` voxels at either end are not to be trusted. Write `smallest_overlap(patch, border)`: the smallest overlap of neighboring windows, as a share of the patch, with which every voxel (except at the ends of the volume) is seen at least once away from a border.
#
# <details><summary>Hint 1</summary>
#
# Draw two neighboring windows on paper, along one axis, and hatch the border at both ends of each. How far may the second be moved before a voxel is left that lies only under hatching?
#
# <details><summary>Hint 2</summary>
#
# The good middle of a window has `patch - 2 * border` voxels. Good middles may just touch, so a window may advance by exactly that many. How many voxels do the two windows then have in common?
#
# <details><summary>Hint 3</summary>
#
# They share `2 * border` voxels. The function should return this as a share of `patch`.
#
# </details>
# </details>
# </details>


# %%
def smallest_overlap(patch, border):
    return ...


check.overlap(smallest_overlap)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def smallest_overlap(patch, border):
    return 2 * border / patch


check.overlap(smallest_overlap)

# %% [markdown]
# The price is time. With an overlap of one half, the windows advance by half their side along each of three axes, so in a large volume eight of them look at each voxel. With an overlap of a quarter, it is a little more than two on average.

# %% [markdown]
# ## Anisotropic voxels
#
# Pooling by 2 along all axes treats a voxel as a cube. Take CT slices of 5 mm with pixels of 0.8 mm: after three poolings one step is 6.4 mm within the slice, and 40 mm across the slices. What does the network see?

# %% [markdown]
# ### Exercise 10.4: the receptive field in mm
#
# How far does a voxel of the bottleneck see along one axis? Walk down the contracting path. `side` is the width of the view in voxels; it begins with 1, the voxel itself. `step` is how many voxels of the volume one step on the present map covers; it also begins with 1. Each level has two convolutions of 3, and each of them widens the view by 2 steps. A pooling by `factor` widens it by `factor − 1` steps, and then multiplies `step` by `factor`. Below the last pooling come the two convolutions of the bottleneck. Complete the function for the poolings along *one* axis, and return mm.
#
# <details><summary>Hint 1</summary>
#
# Do one case by hand, a single pooling by 2: two convolutions widen the view from 1 to 5; the pooling makes it 6, and one step is now 2 voxels; the two convolutions of the bottleneck add 2 · 2 · 2. That gives 14 voxels. Then write down what you did.
#
# <details><summary>Hint 2</summary>
#
# Loop over `factors`. In each turn `side` grows twice, for the convolutions and for the pooling, and only then does `step` grow. What is still missing after the loop?
#
# <details><summary>Hint 3</summary>
#
# Inside the loop: `side += 2 * 2 * step`, `side += (factor - 1) * step`, `step *= factor`. After it come the convolutions of the bottleneck, and voxels have to become mm.
#
# </details>
# </details>
# </details>


# %%
def field_mm(factors, spacing):
    side, step = 1, 1
    return ...


check.receptive_field(field_mm)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def field_mm(factors, spacing):
    side, step = 1, 1
    for factor in factors:
        side += 2 * 2 * step + (factor - 1) * step
        step *= factor
    side += 2 * 2 * step
    return side * spacing


check.receptive_field(field_mm)

# %%
thick_slices = (5.0, 0.8, 0.8)
choices = {"2, 2, 2": [(2, 2, 2)] * 3, "1, 1, 2 across slices": [(1, 2, 2), (1, 2, 2), (2, 2, 2)]}
fields = {}
for name, pool_sizes in choices.items():
    fields[name] = [field_mm(factors, mm) for factors, mm in zip(zip(*pool_sizes), thick_slices)]
pd.DataFrame(fields, ["across slices (mm)", "rows (mm)", "columns (mm)"]).T.round(0)

# %% [markdown]
# In the first row the view is a needle: more than the height of a chest across the slices, and a few cm within the slice, where the detail is. In the second it is still twice as long as it is wide, but much nearer to a cube. `pool_sizes` says which axes are halved when:

# %%
anisotropic = UNet3D((16, 64, 64, 1), 3, base_filters=8, pool_sizes=choices["1, 1, 2 across slices"])
print([anisotropic.get_layer(f"down{level}_relu2").output.shape[1:4] for level in (1, 2, 3)])

# %% [markdown]
# The **kernels** can follow the same rule. A kernel of 3×3×3 compares a voxel with neighbors at 0.8 mm and with others at 5 mm, where a small structure has long ended. nnU-Net {cite:p}`isensee2021nnunet` decides at each level: an axis whose spacing is at least twice the smallest gets kernel 1 and is not pooled; from the level on where it is less, it gets kernel 3 and is pooled by 2. (The whole rule, which also stops where an axis has become short, is in [notebook 08](08_architecture_comparison.ipynb).) With the view of each level in mm:


# %%
def plan(spacing, poolings=3):
    voxel, kernel, view, step = np.array(spacing), np.ones(3, int), np.ones(3, int), np.ones(3, int)
    rows = []
    for _ in range(poolings + 1):
        near = voxel < 2 * voxel.min()
        kernel, pool = np.where(near, 3, kernel), np.where(near, 2, 1)
        view = view + 2 * (kernel - 1) * step  # two convolutions
        rows.append([voxel.round(1), kernel, pool, (view * spacing).round()])
        view, step, voxel = view + (pool - 1) * step, step * pool, voxel * pool
    return pd.DataFrame(rows, columns=["voxel (mm)", "kernels", "pooled by", "view (mm)"])


plan(thick_slices)

# %% [markdown]
# The last row is the bottleneck, where pooling ends. Its view is 70 × 54 × 54 mm, nearly a cube, against 110 mm with kernels of 3×3×3 on all levels. The kernels of the two upper levels, where most of the work is done, need 9 multiply-accumulates (MACs) per voxel, input and output channel in place of 27. In Keras they are `Conv3D(filters, (1, 3, 3))`. nnU-Net has no pooling layers, and halves by a stride in the first convolution of the next level:

# %%
layer = keras.layers.Conv3D(8, (1, 3, 3), strides=(1, 2, 2), padding="same")
print(layer(np.zeros((1, 16, 64, 64, 1))).shape, layer.count_params(), "weights")

# %% [markdown]
# ## 2D, 2.5D or 3D?
#
# Between 2D and 3D there is a compromise. A **2.5D** network is a 2D network whose input channels are a slice and its neighbors; it predicts the slice in the middle.

# %%
from unet_helpers.training import neighbors_as_channels

neighbors_as_channels(gray, 3).shape

# %% [markdown]
# Which one is best? `benchmarks/volumes_3d.py` trains all three on the same patients for the same CPU time, with the same loss and learning rate, and with several seeds each. The budget is that of a class: some twenty seconds on two cores per training. (Unlike in [notebook 08](08_architecture_comparison.ipynb), the learning rate was not searched for each.)

# %%
kinds = ("2D", "2.5D", "3D")
seeds = len(recorded["2D"]["nodule_dice"])
print(
    f"{recorded['training_patients']} patients to train, {recorded['processor_seconds']} s of CPU time, {seeds} seeds"
)
print(f"{recorded['test_patients']} patients to test, with {sum(recorded['nodules'].values())} nodules")

# %%
quantities = {"lung Dice": "lung_dice", "nodule Dice": "nodule_dice", "false nodules": "false_objects"}
runs = {  # one row per seed, one column per patient
    (kind, key): pd.DataFrame(recorded[kind][key]).T.to_numpy(float) for kind in kinds for key in quantities.values()
}
table = pd.DataFrame({kind: {name: recorded[kind][name] for name in ("parameters", "steps")} for kind in kinds}).T
for name, key in quantities.items():
    table[name] = [runs[kind, key].mean() for kind in kinds]
table["nodules found"] = [pd.DataFrame(recorded[kind]["nodules_found"]).sum().mean() for kind in kinds]
table.round({"lung Dice": 3, "nodule Dice": 2, "false nodules": 1, "nodules found": 1})

# %% mystnb={"figure": {"caption": "Test patients; false nodules per patient. Circles: seeds. Diamond and bar: mean and its 95 % interval over patients and seeds."}, "image": {"alt": "Three panels with a row each for 2D, 2.5D and 3D. Lung Dice: 2D and 2.5D near 0.984, 3D near 0.973. Nodule Dice: 0.55, 0.57 and 0.47, with bars of about 0.12 to each side and circles up to 0.06 away. False nodules: two, one and five per patient; the circles of 3D reach from 2 to 11."}}
from unet_helpers.evaluation import interval_of_difference, interval_of_mean


def estimates(kind):
    row = {}
    for key in quantities.values():
        row[f"{key}_seeds"] = runs[kind, key].mean(axis=1)
        row[f"{key}_low"], row[f"{key}_high"] = interval_of_mean(runs[kind, key])
    return row


plotting.show_estimates({kind: estimates(kind) for kind in kinds}, quantities, panel=2.6)

# %% [markdown]
# At this price 3D does not win. Its Dice is 0.01 lower for the lung, and 0.08 for the nodules. It finds about as many of them, but marks more places where there is none, and how many depends on the seed: from 2 to 11 per patient. A likely reason is the budget: one step of the 3D network costs a little more than eight whole slices, and shows it one box of one patient.
#
# The bars are long because patients differ. Here are the differences on the same patients:


# %% mystnb={"figure": {"caption": "Differences from the 2D network on the same patients. Circles: seeds. Bar: 95 % interval, patients and seeds both drawn; a hollow diamond where it includes 0."}, "image": {"alt": "Three panels with a row each for 2.5D and 3D. 2.5D: hollow diamonds close to zero, in the third a bar that ends at zero. 3D: filled diamonds, 0.011 below zero for the lung, 0.08 below zero for the nodules with a bar that nearly reaches zero, and three false nodules above zero."}}
def gains(kind):
    row = {}
    for key in quantities.values():
        own, flat = runs[kind, key], runs["2D", key]
        row[f"{key}_seeds"] = own.mean(axis=1) - flat.mean()
        row[f"{key}_low"], row[f"{key}_high"] = interval_of_difference(own, flat)
    return row


differences = {f"{kind} − 2D": gains(kind) for kind in ("2.5D", "3D")}
plotting.show_estimates(differences, quantities, panel=2.6, mark=0)

# %% [markdown]
# **3D** is filled everywhere, but for the nodules its interval (−0.17 to −0.01) nearly reaches zero, and of six intervals one can miss the truth by chance. **2.5D** is hollow everywhere: it cannot be told from 2D, and a nodule Dice from 0.03 lower to 0.08 higher would fit.
#
# Why draw seeds as well as patients? In an earlier record of this benchmark, with three seeds, one 2.5D training had collapsed to a nodule Dice of 0.20, while the other two beat every 2D network. An interval over patients alone made that look like a clear loss for 2.5D.
#
# So at this budget 3D is *not* better. With hours on a GPU the order may turn around: nnU-Net trains 2D and 3D on every data set, and keeps the one that does better on validation {cite:p}`isensee2021nnunet`.

# %% [markdown]
# ## How wrong, in ml?
#
# Now the test patients in ml, with *one* network of each kind, since a clinic has one: the middle seed by nodule Dice. A scatter plot of predicted against true volume nearly always looks good, since lungs differ twofold in size and any method sees that. Bland and Altman {cite:p}`bland1986agreement` plot the *difference* instead, over the mean of the two measurements, with the **bias**, which is the mean difference, and the **limits of agreement**, bias ± 1.96 standard deviations: about 95 % of the differences should lie between them, if they scatter in the same way for small and large volumes. *Nodule* stands for the volume of all nodules of a patient.

# %% mystnb={"figure": {"caption": "Bland–Altman plots of the test patients. Solid: bias. Dashed: limits of agreement. Top: lung. Bottom: nodules."}, "image": {"alt": "Six plots of the difference over the mean volume, with a solid line for the bias and dashed limits. Lung: close dots, in 2D all below zero, in 2.5D and 3D around it. Nodules: small ones lie near zero, large ones mostly below; the limits are about seven ml above and below the bias."}}
from unet_helpers.evaluation import limits_of_agreement


def volumes_of(part, kind):
    ranked = pd.DataFrame(recorded[kind]["nodule_dice"]).mean().sort_values()
    return pd.Series(recorded[kind][f"{part}_ml"][ranked.index[seeds // 2]])


true_ml = pd.DataFrame(recorded["true_ml"])
with plotting.figure(2, 3, width=7.8, height=4.6, sharey="row") as (fig, axes):
    for line, part in zip(axes, ("lung", "nodule")):
        for ax, kind in zip(line, kinds):
            plotting.draw_bland_altman(ax, volumes_of(part, kind), true_ml[part], title=f"{part}, {kind}")
        line[0].set_ylabel("predicted − true (ml)")
fig

# %%
rows = {}
for part in ("lung", "nodule"):
    for kind in kinds:
        found = limits_of_agreement(volumes_of(part, kind), true_ml[part])
        rows[part, kind] = [true_ml[part].mean(), found.bias, found.low, found.high]
pd.DataFrame(rows, ["mean true volume", "bias", "lower limit", "upper limit"]).T.round(1)

# %% [markdown]
# *Is there a bias?* This 2D network makes the lungs two percent too small; a bias that is the same in every patient could be corrected. *How wide are the limits?* For the lung they lie one percent of the volume from the bias, or less. For the nodules they lie about as far from it as the nodules are large on average, so none of these networks could follow the growth of a nodule. *Do the dots tilt?* For the nodules they fall to the right: part of every large volume is missed. Then one pair of limits is too wide for small nodules and too narrow for large ones.
#
# There is a trap: for the nodules the 3D network has the smallest bias and the lowest Dice. In ml, its false nodules make up for what it misses. And how much of a bias is due to the seed? Here it is in ml for all trainings:

# %%
biases = {
    (part, kind): pd.DataFrame(recorded[kind][f"{part}_ml"]).mean() - true_ml[part].mean()
    for part in ("lung", "nodule")
    for kind in kinds
}
pd.DataFrame(biases).round(1)

# %% [markdown]
# The lungs of the other four 2D networks are right to about half a percent: the bias was that of one seed. For the nodules, all 2D and 2.5D networks mark too little, and the 3D networks now too much, now too little.

# %% [markdown]
# ## In practice
#
# 1. **Look at the spacing first.** Slices of 5 mm and more: begin with 2D or 2.5D, or with anisotropic poolings and kernels. Near-cubic voxels, and an object that you recognize by its shape across slices: try 3D.
# 2. **Compare the affines** of scan and mask, resample to one spacing if patients differ, and check that the ml survive.
# 3. **Make the patch as large as the memory allows**, keep the batch small (2 is usual in 3D), and draw half of the patches around the object.
# 4. **Predict with overlap and weights**, and save the mask with the affine of its scan.
# 5. **Score the patient**, not the slice, and report ml with limits of agreement beside Dice.
#
# <div class="alert alert-warning">
#
# All patients here are synthetic, and the training is short. Which kind of network wins holds for *this* data and *this* budget. Nothing here is a clinical tool.
#
# </div>

# %% [markdown]
# ## Take-aways
#
# - A slice alone often cannot tell a vessel from a nodule; the slices above and below can.
# - The affine belongs to the array: without it there is no mm, no ml, no left and right. A flipped mask keeps its ml.
# - The mean Dice of slices is not the Dice of the patient; report the patient's.
# - Volume goes with the third power: a small error of the outline is a large error in ml, and thick slices alone can change the volume of a small nodule by 15 %.
# - The price of a 3D network is the memory for its activations; hence patches, overlapping windows, and small batches.
# - Pool an axis, and give it kernels of 3, only once its spacing is less than twice the smallest.
# - 3D is not always better. Compare at equal cost, on the same patients, with the interval of the differences.

# %% [markdown]
# ## Questions to test yourself
#
# 1. Two groups scan the same patient, one with slices of 1 mm, one with 5 mm, and both outline equally well, with the same small error in mm. Can their mean Dice of slices differ? Can their volumes in ml?
#
# <details><summary>Answer</summary>
#
# The mean of slices differs, since it depends on how many slices lie at the ends. The volume differs little for a large organ, and by 15 % or so for a small nodule, because of where the slices fall.
#
# </details>
#
# 2. A nodule's volume is 0.50 ml in January and 0.60 ml in June; between two scans of an unchanged nodule the limits of agreement are −0.15 to +0.15 ml. Has it grown?
#
#    - A. Yes, by a fifth.
#    - B. You cannot tell.
#    - C. No, it is within the limits.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** A difference of 0.10 ml lies within what the method shows when nothing has changed.
# - **Not A:** the two *numbers* differ by a fifth. An unchanged nodule may give such numbers too.
# - **Not C:** within the limits means that it may be the method. It may also have grown.
#
# </details>
#
# 3. The lung of every predicted mask has the right ml, but its Dice is 0.8, and no nodule is ever hit. What do you check first?
#
#    - A. Whether an axis is flipped.
#    - B. Whether the spacing is right.
#    - C. Whether the threshold is too high.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Compare the affines of mask and scan. The ml do not notice a flip, and a flipped lung still covers much of a lung.
# - **Not B:** a wrong spacing would give wrong ml.
# - **Not C:** a threshold that is too high makes the lung smaller, and the ml with it.
#
# </details>
#
# 4. A colleague predicts with tiles, sees straight edges in the masks, and wants to train longer. What do you say?
#
#    - A. Do so; the network has not learned the edges yet.
#    - B. Overlap the windows, and give their middles more weight.
#    - C. Smooth the masks afterwards, until the edges are gone.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** That needs no training at all.
# - **Not A:** longer training does not remove seams: at its border a tile lacks what lies beyond it, however good the network is.
# - **Not C:** this hides the straight edges, and leaves the wrong pixels beside them.
#
# </details>
#
# 5. MR images with voxels of 4 × 0.5 × 0.5 mm: which `pool_sizes` suit four poolings?
#
#    - A. `(2, 2, 2)` four times.
#    - B. `(1, 2, 2)` four times.
#    - C. `(1, 2, 2)` three times, then `(2, 2, 2)`.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Three poolings within the slice take 0.5 mm to 4 mm, and the fourth pools all three axes alike.
# - **Not A:** the first of them would make voxels of 8 × 1 × 1 mm, and throw away slices that are far apart as it is.
# - **Not B:** after three of them the voxel measures 4 mm along each axis. A fourth makes the slices the finer axis, and never joins them.
#
# </details>
#
# 6. A method has a bias of 0 ml in the Bland–Altman plot. Is it good?
#
# <details><summary>Answer</summary>
#
# Not by that alone. The differences may be large in both directions and cancel out; look at the limits.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Çiçek and others (2016) {cite:p}`cicek2016unet3d`: the 3D U-Net, trained on a few outlined slices per volume.
# - Milletari, Navab and Ahmadi (2016) {cite:p}`milletari2016vnet`: V-Net, another 3D network of that year, and the Dice loss.
# - Isensee and others (2021) {cite:p}`isensee2021nnunet`: nnU-Net, rules for patch size, spacing and pooling, and when it takes 2D instead.
# - Isensee and others (2024) {cite:p}`isensee2024revisited`: why so many comparisons of 3D networks prove nothing, and how to make one that does.
# - Bland and Altman (1986) {cite:p}`bland1986agreement`: how to compare two methods of measurement, and why their correlation is the wrong question.
# - The words of this page are in the [glossary](../book/glossary.md).

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
# # 06 Failure analysis
#
# Where does the network fail, and why?
#
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - rank the cases and look at the worst first,
# - say where the errors lie and which objects are missed, by size, contrast, position and kind,
# - give every error a name by rules that a program applies, and say how far these names can be believed,
# - read at which strength of noise, blur or turn a network gives way.
#
# **You need before:** Dice, precision and recall ([notebook 05](05_evaluation.ipynb)). If your network finds nothing at all, begin with [notebook 06b](06b_black_masks.ipynb).
#
# **Minutes:** 50 to read, 1 to run on two cores.
#
# **The misconception it removes:** "The Dice says how bad an error is."
#
# </div>

# %%
from unet_helpers import evaluate, load_checkpoint, load_dataset, predict_masks

data = load_dataset("phantom")
model = load_checkpoint()
validation = data.validation
predictions = predict_masks(model, validation.images)

# %% mystnb={"figure": {"caption": "The worst slice for the nodule class (top) and for the lung class (bottom) among the validation patients. Red also marks pixels with the wrong class, such as nodule taken for lung."}, "image": {"alt": "Two rows of four panels: image, ground truth, prediction and errors. Top: a slice near the tips of the lungs; a nodule at the wall is missing in the prediction. Bottom: a slice near the diaphragm with two crescents of lung; the errors are thin lines along their edges, and a nodule that is taken for lung."}}
from unet_helpers import plotting

slices = evaluate(None, validation, data.class_names, by="slice", predictions=predictions)
with_object = slices.cases[slices.cases["true_pixels"] > 0]
with_object = with_object.sort_values(["dice", "true_pixels"], ascending=[True, False])
worst = [with_object[with_object["class"] == name]["case"].iloc[0] for name in ("nodule", "lung")]
rows = [validation.case_ids.tolist().index(case) for case in worst]
plotting.show_predictions(
    validation.images[rows], validation.masks[rows], predictions[rows], spacings=validation.spacing[rows]
)

# %% tags=["remove-cell"]
assert 0.9 < slices.of_class("lung")["dice"].min() < 0.98 and slices.of_class("nodule")["dice"].min() == 0

# %% [markdown]
# An average hides these two pictures. In the first a nodule is lost, and the Dice of the nodule class is 0. The second is the worst for the lungs, and one has to look closely: the errors are thin lines, and the Dice of the lung class is still above 0.9. We take the errors apart.
#
# This notebook looks at the **validation** patients. The test patients were opened once, in notebook 05, and stay closed: once a case has helped you fix the model, it is no longer test data.

# %% [markdown]
# ## The worst cases first
#
# One point per patient and class:

# %% mystnb={"figure": {"caption": "Dice of the validation patients. Diamond and bar: mean and 95 % interval by Student's t."}, "image": {"alt": "Dice per patient for lung and nodule. All lung points lie close together just below one; the nodule points are spread from zero to about 0.9."}}
patients = evaluate(None, validation, data.class_names, predictions=predictions)
plotting.show_cases(patients, method="t")

# %% [markdown]
# The lung is good in every patient. The nodules are good in some patients and lost, wholly or for the most part, in others; a mean over such a class describes nobody. (A patient without a nodule, in whom none was predicted, has no point: 0/0.)

# %% mystnb={"figure": {"caption": "The six worst slices that hold a nodule: all have Dice 0, the largest nodule first. Yellow: ground truth; dashed: prediction."}, "image": {"alt": "Six close-ups of nodules, outlined in yellow, with no dashed line of a prediction at the nodule: they were missed. All are two to six pixels wide, and some lie at the wall of the lung."}}
worst = with_object[with_object["class"] == "nodule"]["case"].iloc[:6]
rows = [validation.case_ids.tolist().index(case) for case in worst]
examples = {}
for k in rows:
    truth, predicted = validation.masks[k] == 2, predictions[k] == 2
    examples[validation.case_ids[k]] = (validation.images[k], truth, predicted, truth != predicted)
plotting.show_kinds(examples, columns=3, panel=2.4, fill=0)

# %% [markdown]
# Look at such pictures before you compute anything else. Small nodules, faint nodules, nodules at the wall of the lung: looking gives you a suspicion, and numbers must say whether it is right. Two of these suspicions are tested below.

# %% [markdown]
# ## Where are the errors?
#
# Averaged over all slices, the wrong pixels of a class become a map:

# %% mystnb={"figure": {"caption": "Where the lungs are, and how often a pixel is wrong, over all validation slices. Brighter is more often; each map has its own scale."}, "image": {"alt": "Three maps over the chest. The share of slices in which a pixel is lung shows two lungs; the map of wrong lung pixels shows faint specks all over both lungs, brightest at their inner sides; the map of wrong nodule pixels shows a few scattered spots and rings inside the lungs."}}
import numpy as np

wrong = {name: (validation.masks == i) != (predictions == i) for i, name in enumerate(data.class_names)}
maps = [(validation.masks > 0).mean(axis=0), wrong["lung"].mean(axis=0), wrong["nodule"].mean(axis=0)]
plotting.show_images(
    [share / share.max() for share in maps], ["share of lung", "lung wrong", "nodule wrong"], columns=3, panel=2.6
)

# %% [markdown]
# The lung errors are brightest at the inner side of the lungs; elsewhere they are a haze, because each slice has its outline in a different place. What is the haze? Ask the mask: how far is each wrong lung pixel from the **true boundary**?

# %% mystnb={"figure": {"caption": "How much of the lung error is left when errors within a tolerance of the true boundary are forgiven."}, "image": {"alt": "A falling curve: the share of wrong lung pixels that are further from the boundary than a tolerance between 0 and 15 mm. It stays at 1 up to one millimeter, falls below a tenth before two, and is close to zero after ten."}}
from unet_helpers.failures import distance_to_boundary

distances = np.stack([distance_to_boundary(m == 1, s) for m, s in zip(validation.masks, validation.spacing)])
lung_distances = distances[wrong["lung"]]
tolerances = np.linspace(0, 15, 61)
with plotting.figure(width=4.5, height=2.8) as (fig, axes):
    axes[0, 0].plot(tolerances, [(lung_distances > t).mean() for t in tolerances], color="#0072B2")
    axes[0, 0].set(xlabel="tolerance (mm)", ylabel="share of errors left", ylim=(0, 1.02))
fig

# %%
round(float((lung_distances < 2).mean()), 1)

# %% [markdown]
# Nine tenths of the wrong lung pixels lie within 2 mm of the true boundary. A pixel is about 3 mm wide here, and the center of one that touches the boundary is half of that away from it: most errors of the lung class are one pixel deep. Two readers who outline the same lung may disagree by as much. The tenth that lies further in or out is worth a look.

# %% [markdown]
# ### By height in the body
#
# The slices of a patient run from the apices, the tips of the lungs (slice 0), to the diaphragm (slice 7). Where is the network worst? We use two measures: the Dice, and the wrong pixels per pixel of true boundary.

# %% mystnb={"figure": {"caption": "Lung errors by height, mean of seven patients. Left: Dice. Right: wrong pixels per pixel of true boundary."}, "image": {"alt": "Two curves over the slice from 0, the tips of the lungs, to 7, the diaphragm. Left: the Dice is lowest at the tips, and nearly as low at the diaphragm and in the middle. Right: the wrong pixels per boundary pixel peak in the middle, at slices 3 and 4, well above all other slices; the diaphragm is among the lowest."}}
import pandas as pd
from scipy import ndimage

heights = np.array([int(case[-2:]) for case in validation.case_ids])
edges = np.stack([mask & ~ndimage.binary_erosion(mask) for mask in validation.masks == 1])
dice_by_height = slices.of_class("lung")["dice"].groupby(heights).mean()
per_edge = pd.Series(wrong["lung"].sum(axis=(1, 2)) / edges.sum(axis=(1, 2))).groupby(heights).mean()
with plotting.figure(1, 2, width=7, height=2.6) as (fig, axes):
    dice_by_height.plot(ax=axes[0, 0], marker="o", ylabel="Dice", xlabel="slice", ylim=(0.95, 1))
    per_edge.plot(ax=axes[0, 1], marker="o", ylabel="wrong per boundary pixel", xlabel="slice", ylim=(0, 0.5))
fig

# %% tags=["remove-cell"]
assert per_edge.idxmax() in (3, 4) and per_edge[7] < 0.8 * per_edge[3]
assert dice_by_height.idxmin() in (0, 7) and dice_by_height[7] < dice_by_height[5]

# %% [markdown]
# They disagree. By the Dice the tips are worst, and the diaphragm is as weak as the middle. But at the two ends the lungs are small or thin, and the same error of one pixel weighs more. The boundary itself is worst in the **middle**, at the root of the lungs, where vessels and airways enter and the image shows no clear edge; at the diaphragm it is as good as anywhere. Count the errors per boundary pixel before you say where a network is weak.

# %% [markdown]
# ## Which nodules are missed?
#
# For nodules the first question is whether they are found at all. The validation patients have too few of them to say at which size the network begins to see. A study would now annotate more; the phantom can simply be asked for more: patients 49 to 72 of the same family, which neither training nor test has seen. `tabulate_objects` lists every true object with its size and the share of it that was predicted.

# %% nbval_tolerance=0.02
from unet_helpers.data import subset_of_patients
from unet_helpers.failures import tabulate_objects
from unet_helpers.phantom import make_patient

more_patients = [make_patient(0, index=index) for index in range(48, 72)]
more = subset_of_patients(more_patients)
more_predictions = predict_masks(model, more.images)
nodules = tabulate_objects(more, more_predictions, index=2)
nodules.drop(columns="patient").round(2).head(3)

# %% [markdown]
# One row per nodule cross-section: its center in pixels, its diameter in mm, its contrast to the surroundings on the scale of the image (1 is 1500 HU), and how much of it is covered. `found` means that any pixel is covered, which is generous. Say what you count as found before you count: here, more than a third of the nodule.

# %% nbval_tolerance=0.01
nodules["found"] = nodules["covered"] > 1 / 3
nodules["size"] = pd.cut(nodules["diameter_mm"], [0, 8, 12, 16, 40], labels=["< 8 mm", "8–12", "12–16", "> 16"])
by_size = nodules.groupby("size", observed=True)["found"].agg(["size", "sum", "mean"])
by_size.set_axis(["nodules", "found", "recall"], axis=1).round(2)

# %% [markdown]
# The recall rises with the size, as expected: a nodule of 8 mm covers five or six pixels of this image. The groups are small, and 6 of 13 gives a recall to within a quarter at best; but it cannot be chance that one in nine of the smallest was found, and 18 of 21 of the largest. Size is not the whole story: in each group some are found and others are missed.

# %% [markdown]
# ### By contrast
#
# Some nodules are bright, others are a faint haze. Split them by contrast and by size, at 300 HU and at 12 mm:

# %% nbval_tolerance=0.01
nodules["HU"] = nodules["contrast"] * 1500
nodules["contrast"] = np.where(nodules["HU"] < 300, "< 300 HU", "> 300 HU")
nodules["large"] = np.where(nodules["diameter_mm"] > 12, "> 12 mm", "< 12 mm")
nodules.groupby(["contrast", "large"])["found"].agg(["size", "mean"]).unstack().round(2)

# %% mystnb={"figure": {"caption": "Size and contrast of each nodule. Circles: found; crosses: missed."}, "image": {"alt": "Each nodule as a point: diameter in mm on the horizontal axis, contrast in HU on the vertical axis. Circles for found nodules fill the right and the upper middle. Most crosses for missed nodules lie at the left, at every contrast, and along the bottom, the last one near 30 mm."}}
with plotting.figure(width=5, height=3.2) as (fig, axes):
    for found, marker, color in ((True, "o", "#0072B2"), (False, "x", "#D55E00")):
        part = nodules[nodules["found"] == found]
        axes[0, 0].scatter(
            part["diameter_mm"], part["HU"], marker=marker, color=color, label="found" if found else "missed"
        )
    axes[0, 0].axhline(300, color="#999999", linestyle=":")
    axes[0, 0].set(xlabel="diameter (mm)", ylabel="contrast (HU)")
    axes[0, 0].legend(frameon=False)
fig

# %% [markdown]
# There it is. Of the nodules that are bright **and** larger than 12 mm nearly all are found. Of the small ones fewer than half are, even if bright; and the faint ones that are found are large. This suggests two causes, and two remedies to try: small nodules need more pixels (a finer image), faint ones need more examples like them, or another window.
#
# What are the faint ones? The phantom keeps a list of its nodules; a real study would ask a radiologist.

# %% nbval_tolerance=0.01
kind_of = {(p.patient_id, round(n.center[0])): n.kind for p in more_patients for n in p.nodules}
nodules["kind"] = [kind_of.get((case[:4], int(case[-2:])), "unknown") for case in nodules["case"]]
pd.crosstab(nodules["kind"], nodules["contrast"])

# %% nbval_tolerance=0.01
by_kind = nodules.groupby(["kind", "size"], observed=False)["found"].agg(["sum", "size"]).astype(str)
(by_kind["sum"] + " of " + by_kind["size"]).unstack()

# %% tags=["remove-cell"]
of_large = nodules[nodules["diameter_mm"] > 12].groupby("kind")["found"].mean()
assert of_large["solid"] > 0.85 and of_large["ground-glass"] < 0.75

# %% [markdown]
# Most of the faint ones are ground-glass nodules: a haze that lets the vessels show through. The second table says how many of each kind and size were found: of the ground-glass ones below 12 mm none and above 12 mm 6 of 10, of the solid ones above 12 mm 20 of 21. A user can work with such a sentence, and not with the mean Dice: *of the ground-glass nodules, this model sees only the large ones, and not all of those.*

# %% [markdown]
# ## An atlas of failures
#
# An atlas gives every error a name. So that the name is the same tomorrow and for everybody, each is a rule that a program applies. The rules are asked from top to bottom; the first that holds gives the name.

# %%
from unet_helpers.failures import ATLAS

for kind, rule in ATLAS.items():
    print(f"{kind.upper()}: {rule}")

# %% [markdown]
# What gets a name is one connected **piece** of wrong pixels in one slice. The tolerance is one and a half pixels; where a rule says *hardly*, the code has a number (`CONTRAST` for the contrast: 375 HU). Three of the names hint at a cause: the field of view, the end of an object, the contrast. The others are facts about two masks. `tabulate_atlas` sorts the pieces of all patients, and marks which pixel belongs to which piece.

# %% nbval_tolerance=0.02
from unet_helpers.failures import tabulate_atlas

errors, pieces = tabulate_atlas(more, more_predictions, data.class_names)
errors.groupby(["class", "kind"])["pixels"].agg(pieces="size", pixels="sum").unstack("class").fillna(0).astype(int)

# %% [markdown]
# For the lung nearly every piece is a shift of the boundary, and most of these are one or two pixels large. For the nodules most wrong pixels are that as well, but what a radiologist would ask about is further down: about fifteen pieces of missed objects, a dozen false islands, and some pieces that the image hardly shows. Four kinds do not occur at all: no lungs were cut off here, nothing was split, nothing leaked, and no object was taken for a class other than that of its surroundings.

# %% mystnb={"figure": {"caption": "The largest piece of each kind. Yellow: ground truth; dashed: prediction; filled: the error."}, "image": {"alt": "Seven close-ups with a title each. Slice-end error: a tiny true outline between the two lungs, without a prediction. Low contrast: a large, round, faint nodule, missed as a whole. Missed object: a small nodule near the tip of a lung, missed. Merged: a blob beside the inner border of a lung, predicted as lung. False island: a spot among the vessels, predicted as nodule. Boundary shift: a bright round nodule of which the rim was not predicted. Hole: a piece of lung at its inner border that was not predicted."}}
examples = {}
for kind in ATLAS:
    found = errors[errors["kind"] == kind]
    if len(found):
        k, name, number = *found.loc[found["pixels"].idxmax(), ["slice", "class"]], found["pixels"].idxmax() + 1
        c = data.class_names.index(name)
        examples[f"{kind}\n({name})"] = (
            more.images[k],
            more.masks[k] == c,
            more_predictions[k] == c,
            pieces[k] == number,
        )
plotting.show_kinds(examples, columns=4, panel=2.3)

# %% [markdown]
# The lung's *merged* piece and its *hole* lie at the root of the lungs, where the boundary is worst; the *false island* is a spot among vessels. The *low contrast* is a large nodule of ground glass, missed as a whole: the last cross at the right in the picture of sizes. Two other names are right by their rules and say little. Of the nodule with a *boundary shift* the whole rim is missing, a large part of its area. And the *slice-end error* is a crumb of lung, three pixels between the two lungs; the slice in which a lung lies over it is about 30 mm away.
#
# Each kind has another remedy. A *missed object* asks for more examples like it, or for a loss that weighs it; a *false island* for more slices without the object, or for a rule on size; a *low contrast* for another window. A *leak* points at an edge that the image does not show. A *boundary shift* may ask for nothing.

# %% [markdown]
# ### The end of a nodule
#
# The table above has no *slice-end error* of a nodule, and there cannot be one. These slices lie 25 to 32 mm apart, and each nodule is in one of them only: there is no slice in which it goes on. Before you read a name, ask whether your images can show what it says.
#
# Closer slices can. Patients 73 to 76, each in 32 slices instead of 8:

# %% nbval_tolerance=0.05
thin_patients = [make_patient(0, index=index, slices=32) for index in range(72, 76)]
thin = subset_of_patients(thin_patients)
thin_predictions = predict_masks(model, thin.images)
thin_errors, thin_pieces = tabulate_atlas(thin, thin_predictions, data.class_names)
of_nodules = thin_errors[thin_errors["class"] == "nodule"]
of_nodules.groupby("kind")["pixels"].agg(pieces="size", pixels="sum")

# %% mystnb={"figure": {"caption": "The slice-end error, in its slice (third panel) and in those around it. Yellow: ground truth; dashed: prediction."}, "image": {"alt": "Four close-ups of the same place in four consecutive slices. First: no nodule. Second: the outline of a faint nodule; the prediction covers a few pixels of it. Third: an outline nearly as large, and no prediction in it. Fourth: no nodule."}}
ends = of_nodules[of_nodules["kind"] == "slice-end error"]
number, k = ends["pixels"].idxmax() + 1, ends.loc[ends["pixels"].idxmax(), "slice"]
end = thin_pieces[k] == number
examples = {
    thin.case_ids[j]: (thin.images[j], thin.masks[j] == 2, thin_predictions[j] == 2, end) for j in range(k - 2, k + 2)
}
plotting.show_kinds(examples, columns=4, panel=2.3, fill=0)

# %% tags=["remove-cell"]
assert len(ends) and not len(errors[(errors["class"] == "nodule") & (errors["kind"] == "slice-end error")])

# %% [markdown]
# Now nodules have ends, and one of these was missed: of a faint nodule that lies in two slices the network marks four pixels in one, and none in the other. Counted by cross-sections, as in the tables above, that is a missed nodule; counted by nodules, it is none. And there is another remedy: a network that sees the slices above and below ([notebook 10](10_volumes_and_3d_unet.ipynb)).

# %% [markdown]
# ### Exercise 06.1: name the kind
#
# Here are six pairs of masks, each with one error. Write the name of the kind beside each letter.
#
# <details><summary>Hint 1</summary>
#
# Ask two questions of each drawing. Are the wrong pixels missing (true and not predicted), or too many (predicted and not true)? And which true and predicted objects do they touch?
#
# <details><summary>Hint 2</summary>
#
# In four of the drawings pixels are missing: at the rim, inside, between two predicted parts, or a whole object. In the other two there are too many: how many true objects does the bar touch? Look for each description among the rules that `ATLAS` printed above.
#
# </details>
# </details>

# %% mystnb={"figure": {"caption": "Yellow: ground truth; dashed: prediction; filled: errors."}, "image": {"alt": "Six small drawings of a true outline and a dashed predicted outline with the wrong pixels filled. A: the prediction is a slightly smaller disk. B: of two true disks one is not predicted. C: a predicted disk with a gap inside. D: a bar runs from the predicted disk out to the right. E: a bar joins two disks. F: a vertical gap runs through a true ellipse."}}
from unet_helpers.teaching.checks import failure_analysis as check

blank = np.full((32, 32, 1), 0.3)
riddles = {letter: (blank, *pair, pair[0] != pair[1]) for letter, pair in check.riddles().items()}
plotting.show_kinds(riddles, crop=32, columns=6, panel=1.5)

# %%
names = {"A": ..., "B": ..., "C": ..., "D": ..., "E": ..., "F": ...}
check.name_the_kind(names)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
names = {"A": "boundary shift", "B": "missed object", "C": "hole", "D": "leak into a neighbor"}
names |= {"E": "merged", "F": "split"}
check.name_the_kind(names)

# %% [markdown]
# ### Exercise 06.2: a rule that a program applies
#
# Write one of the rules yourself: given truth and prediction of one class in one slice (binary), return the mask of the false islands, the predicted objects that touch no true object, that is, share no pixel with one. `ndimage.label(mask, np.ones((3, 3)))` returns two things: an array in which the pixels of each connected object carry its number, from 1 on, and how many objects there are. Pixels that meet at a corner are connected.
#
# <details><summary>Hint 1</summary>
#
# Draw two predicted objects, one that overlaps a true object by a single pixel, and one that overlaps none. Which *whole* objects belong in the answer? Why is `predicted & ~truth` not it?
#
# <details><summary>Hint 2</summary>
#
# Number the predicted objects with `label`. The numbers that occur at true pixels, `labels[truth & predicted]`, belong to objects that touch. Everything else that is predicted is an island.
#
# <details><summary>Hint 3</summary>
#
# `np.isin(labels, numbers)` is `True` at each pixel whose object has one of these numbers, and `~` turns it round. `label` returns two things: `labels, count = ndimage.label(predicted, np.ones((3, 3)))`.
#
# </details>
# </details>
# </details>


# %%
def false_islands(truth, predicted):
    return ...


check.false_islands(false_islands)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def false_islands(truth, predicted):
    labels, _ = ndimage.label(predicted, np.ones((3, 3)))
    touching = np.unique(labels[truth & predicted])
    return predicted & ~np.isin(labels, touching)


check.false_islands(false_islands)

# %% [markdown]
# ### What each kind costs
#
# Suppose that a magician repaired all errors of **one** kind, and no other: how far would the Dice rise? (Here all pixels of all patients are pooled, so that large nodules decide; [notebook 05](05_evaluation.ipynb).)

# %% nbval_tolerance=0.01
from unet_helpers import dice

costs = {}
for kind in ("as it is", *(kind for kind in ATLAS if kind in set(errors["kind"]))):
    repaired = np.isin(pieces, errors.index[errors["kind"] == kind] + 1)
    masks = np.where(repaired, more.masks, more_predictions)
    costs[kind] = {name: dice(more.masks == c, masks == c) for c, name in ((1, "lung"), (2, "nodule"))}
costs = pd.DataFrame(costs).T
costs.round(2)

# %% [markdown]
# For the lung only the boundary matters: repair it, and the Dice is 1. For the nodules the boundary costs far more than the missed objects and those of low contrast. To a patient it is the other way round: an outline that is off by a pixel is still a finding, and a missed nodule is not. The Dice cannot tell; the kinds can.

# %% [markdown]
# ## Can the atlas be believed?
#
# A rule can be examined like a network: on cases whose answer is known. Three examinations follow, recorded by `benchmarks/atlas.py`. One number in the rules was chosen by its score, the difference below which a contrast is "low", on other patients than those of the examination.
#
# **First: planted errors.** Take a true mask and make one mistake in it, of a known kind, of random size and at a random place: delete an object, draw an island, cut an object in two … The prediction is right everywhere else.
#
# **Second: the same errors among others**, planted into the predictions of the network. This table shows the names that they got:

# %% mystnb={"figure": {"caption": "Planted errors, in predictions of the network that have errors of their own beside them: the kind that was planted (row) and the name it got (column)."}, "image": {"alt": "A table of counts, eleven planted kinds in rows and eleven given names in columns, 24 cases in each row. Most counts stand on the framed diagonal. Beside it stand up to seven cases: cut lungs named holes, leaks named false islands, split objects named holes, merged objects named leaks."}}
import json

from unet_helpers.plotting import show_sorting
from unet_helpers.teaching import RESULTS

recorded = json.loads((RESULTS / "atlas.json").read_text(encoding="utf-8"))["results"]
show_sorting(recorded["planted_among_own"]["matrix"], list(ATLAS))

# %% [markdown]
# The score is the **balanced accuracy**: the share of each kind that got its right name, averaged over the kinds. Here it is for all three examinations, with a 95 % interval over patients:


# %%
def with_interval(part):
    return [round(part["balanced_accuracy" + end], 2) for end in ("", "_low", "_high")]


scores = {name: with_interval(recorded[name]) for name in ("planted", "planted_among_own", "own")}
pd.DataFrame(scores, index=["balanced accuracy", "low", "high"]).T

# %% [markdown]
# **First** (row `planted`): where nothing else is wrong, nearly every name is right. That is little more than a test that the program does what its rules say.
#
# **Second** (row `planted_among_own`): now about one in seven gets a wrong name. A leak that starts where the network had left out the border no longer touches the object, and counts as an island. So a name is least sure where several errors meet.

# %% [markdown]
# **Third** (row `own`): the network's own errors, where the phantom knows the cause. It records what no real archive does: where the field of view cut the body, where a nodule or a lung ends, which nodules are ground glass, and where the lung is dense. If the network errs there, the atlas should name that cause. The patients are twelve like the ones of this notebook, in thinner slices, and eighteen *archive patients* (more about them below); every third patient was scanned with a field of view that is too small. Pieces of four pixels and more count. The last row holds the pieces for which the phantom knows no cause.

# %% mystnb={"figure": {"caption": "The network's own errors: what the phantom knows of their cause (row), and the name given (column). Framed: right."}, "image": {"alt": "A table of counts with four rows and eleven columns. Truncated by field of view: most of the row stands under its own name. Slice-end error: two fifths under its own name, the others mostly under boundary shift and hole. Low contrast: most under its own name, the others mostly under boundary shift. Another kind: most under boundary shift, false island and hole, but 239 under low contrast and 180 under truncated."}}
from unet_helpers.failures import CAUSES

no_cause = [kind for kind in ATLAS if kind not in CAUSES]
show_sorting(recorded["own"]["matrix"], list(ATLAS), {"another kind": no_cause})

# %% [markdown]
# Read the rows first. If an object was truncated or faint, the atlas mostly says so; it recognizes the end of an object less than half of the time, and otherwise mostly calls it a boundary shift or a hole, which it is as well. Then the columns: how often is a cause the true one, if it is *named*?

# %%
own = pd.DataFrame(recorded["own"]["matrix"], index=list(ATLAS))
judged = {c: {"recall": own.loc[c, c] / own[c].sum(), "precision": own.loc[c, c] / own.loc[c].sum()} for c in CAUSES}
pd.DataFrame(judged).T.round(2)

# %% [markdown]
# The recall was in the rows; the **precision** is another matter. Of the pieces called *truncated* fewer than a third were, and of those called *low contrast* one in seven lies where the phantom knows of a haze or of dense lung. The others hardly differ from what surrounds them, as the rule says; but so may the rims of vessels. A rule describes; it does not prove a cause. And precision depends on how rare the cause is, as with a test for a rare disease.

# %% [markdown]
# ### Exercise 06.3: why balanced?
#
# Write the balanced accuracy of a confusion matrix whose rows are the expected kinds and whose columns are the given ones.
#
# <details><summary>Hint 1</summary>
#
# Suppose that there are 90 errors of one kind and 10 of another, and a program always names the first. What share of each kind gets its right name? What is the mean of the two shares?
#
# <details><summary>Hint 2</summary>
#
# The counts that got the right name are on the diagonal: `np.diag(matrix)`. Each is divided by the number of errors of *its* kind, which is the sum of its row. Only then take the mean.
#
# <details><summary>Hint 3</summary>
#
# `matrix.sum(axis=1)` adds up along each row, and gives one sum per expected kind.
#
# </details>
# </details>
# </details>


# %%
def balanced(matrix):
    return ...


check.balanced_accuracy(balanced)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def balanced(matrix):
    return np.mean(np.diag(matrix) / matrix.sum(axis=1))


check.balanced_accuracy(balanced)

# %% [markdown]
# ## What makes a patient difficult?
#
# The patients so far are simple. Those in the archive of a hospital are obese or thin, lie crooked, have other diseases and gas in the bowel, and move during the scan. The phantom makes such *archive patients* too, and notes which slices show what. This network has never seen one.

# %% mystnb={"figure": {"caption": "Lung Dice of slices with a difficulty (black) and without it (gray, hollow), on 24 archive patients, for whom the network was not trained. Solid lines: 95 % intervals over patients. Dotted: the range of the patients' means, where fewer than five have it."}, "image": {"alt": "Fourteen rows, one per difficulty, each with two diamonds and bars on an axis of lung Dice. With bowel gas the Dice is near 0.6, without it above 0.8, and the bars are apart. In all other rows they overlap. With movement, whose line is dotted, with a large heart and with effusion it is lower than without; in the last rows, among them metal, consolidation and ground glass, it is higher."}}
from unet_helpers.plotting import show_with_and_without

rows = [row | {"name": f"{row['difficulty']} ({row['patients']} patients)"} for row in recorded["difficulties"]]
show_with_and_without(rows, "lung Dice per slice")

# %% [markdown]
# One difficulty stands out: **gas in the bowel**. It is as dark as lung, and a network that has seen only chests takes it for lung. Movement, a large heart and effusion may also cost something, but the lines overlap there and in all other rows: this figure cannot settle them. (Only four patients moved, too few for an interval.)
#
# The last rows look absurd: do consolidation and metal *help*? Hardly. The slices with and without a difficulty are **different slices**. Consolidation or metal lies in the middle of the chest, where the lungs are large and the Dice is high; the slices without them include the small lungs at both ends, and the bowel. (The same holds for the gas, which lies below the lungs.) To learn what a difficulty costs, compare the same slice with and without it, as the part on disturbances does below.

# %% [markdown]
# ## How much disturbance can it take?
#
# A phantom allows an experiment that no ethics board would: scan the **same** patients again, with a tenth of the dose. Other disturbances are computed from the image: noise, less contrast, blur, larger pixels, a turn, a shift, rows that went missing.

# %% mystnb={"figure": {"caption": "Dice under growing disturbance, mean over the same patients, with 95 % intervals. Left in each panel: no disturbance. Dose: photons per detector element and angle; 100k is a standard scan."}, "image": {"alt": "Eight panels with the Dice of lung and nodule over growing strength. Dose: both flat, and the nodule falls at the lowest dose. Noise: the nodule falls to zero, the lung to 0.4. Contrast: the nodule falls to zero, the lung late, to a half. Blur, resolution, missing rows: the nodule falls to a fifth or less, the lung stays above 0.75. Rotation and shift: both flat."}}
from unet_helpers.failures import DISTURBANCES
from unet_helpers.plotting import show_bands

robustness = json.loads((RESULTS / "robustness.json").read_text(encoding="utf-8"))["results"]
panels = {}
for title in ("dose", *DISTURBANCES):
    run = robustness[title]
    curves = {c: [run[f"{c}_dice{end}"] for end in ("", "_low", "_high")] for c in ("lung", "nodule")}
    panels[title] = run["levels"], run["unit"].split(" per ")[0], curves
show_bands(panels, "Dice", limits=(0, 1.02), panel=2)

# %% [markdown]
# The eight panels hold two lessons:
#
# - **The lung withstands nearly anything**, and breaks down only under strong noise, and under a contrast that is turned far down. **The nodule** goes first with everything that removes detail: noise, blur, larger pixels, missing rows. A small thing has little to lose.
# - **Turns and shifts do next to nothing**, although the training turned its images by a few degrees only. And a tenth of the **dose** costs next to nothing, a hundredth less than a tenth of Dice: the nodules that are missed in the standard scan are probably not missed for lack of dose.
#
# The bands are wide, but these are the *same* twelve patients at every strength, so the fall of a curve is more certain than its height.

# %% [markdown]
# Move the sliders, and watch one slice give way: first noise, then missing rows. Where do the first false pixels appear, and what becomes of the nodule?

# %% mystnb={"figure": {"caption": "What the network makes of one slice under six disturbances: blue lung, orange nodule."}, "image": {"alt": "Two sliders, for the disturbance and its strength, above a chest slice with the predicted lungs and nodules."}}
from unet_helpers.data import window
from unet_helpers.failures import disturb
from unet_helpers.plotting.widgets import explore_two

k = int((more.masks == 2).sum(axis=(1, 2)).argmax())
hu = subset_of_patients(more_patients, window=None)[k : k + 1]
chosen, frames = ["noise", "contrast", "blur", "resolution", "rotation", "missing rows"], []
for name in chosen:
    scans = [window(disturb(hu, name, level).images, -600, 1500) for level in DISTURBANCES[name].levels[::2]]
    frames.append([plotting.paint_mask(scan[0], predict_masks(model, scan)[0]) for scan in scans])
explore_two(frames, (chosen, ["none", "medium", "strong"]), ("disturbance", "strength"), start=(0, 0), width=300)

# %% [markdown]
# ### Disturb a slice yourself
#
# In the book, move the sliders below, one at a time and then two together. Blue and orange are the outlines of the network, which computes in your browser, and yellow is the truth. The plot shows the Dice of this slice over the slider that you moved last; the dotted lines, which stand there while only one slider is moved, are the means of the figure above.
#
# <div class="live" data-piece="disturb">
# <p>In the book, a picture to try it with stands here; it needs a browser that runs JavaScript. In JupyterLab, the sliders above show the same for another slice, at three strengths.</p>
# </div>
#
# Do not take one slice for the rule: a disturbance does not make each picture worse step by step. On the first slice the network draws the nodule too large, so noise of 100 HU, with which it draws less, *raises* its Dice, and noise of 400 HU then removes all of it. On the third slice the nodule is missed, and a blur of 4 mm makes a part of it appear. The lungs show something else, a cliff: up to 100 HU of noise they lose next to nothing, and at 200 more than a tenth, on all four slices. And small losses add up: on the second slice, 50 HU of noise together with a contrast of 0.8 cost far more of the nodule than either alone.

# %% [markdown]
# ## Take-aways
#
# - Look at the worst cases first, then count. Rank by patient, and use validation patients, not the test patients.
# - An error has a place (distance to the boundary, height, object) and a kind. Kinds differ in cause, in cost and in remedy, and a single Dice shows none of them.
# - A name is worth what its rule is worth. Write it as a program, choose its numbers on some patients, and score it on others: with planted errors, and with real ones whose cause is known.
# - Recall by size and contrast says for which objects a model may be used; curves over noise, blur or turns say under which conditions.
#
# ## Questions to test yourself
#
# 1. A lung model has a Dice of 0.97. Nearly all wrong pixels lie within one pixel of the boundary, where readers disagree as well. What do you look at next?
#
#    - A. The outline, as nearly all of the errors are there.
#    - B. Nothing more, as a Dice of 0.97 is enough.
#    - C. The few errors that lie far from the boundary.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** A missing piece of lung matters to the patient, though it is only a few pixels.
# - **Not A:** moving the outline by less than the readers disagree changes the Dice, but nobody could say that the new outline is better.
# - **Not B:** one number shows neither the kind of error nor the patients with the worst ones.
#
# </details>
#
# 2. Why is the Dice of the lung lower at the diaphragm than in the slices just above it, although it has no more errors per boundary pixel?
#
#    - A. There is much boundary there for little area.
#    - B. The network has seen fewer slices of the diaphragm.
#    - C. The pictures are noisier there.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Small and thin areas have more boundary per pixel of area. The same band of one wrong pixel is a larger share of a thin lung.
# - **Not B:** it would then make more errors per boundary pixel, and it does not.
# - **Not C:** noise would show in the errors per boundary pixel as well.
#
# </details>
#
# 3. Patients who were scanned at a low dose have a lower recall in your table. What would settle whether the dose is the cause?
#
#    - A. A larger table of the same kind.
#    - B. The same patients at two doses.
#    - C. A smaller `p` for the difference.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Add the noise of a low dose to their images by computation, or scan a phantom twice; nobody scans patients again for this. Otherwise the groups may also differ in size, age, number and size of nodules, slice thickness, or scanner.
# - **Not A:** with more patients, other differences between the groups remain, and only their estimate becomes more exact.
# - **Not C:** `p` speaks of chance and not of causes.
#
# </details>
#
# 4. A program that names errors has an accuracy of 95 %. In a hundred errors, 95 are shifted boundaries. What more do you want to know?
#
# <details><summary>Answer</summary>
#
# What it says to the other five. A program that answers "boundary shift" to everything has 95 % as well. The balanced accuracy, or the whole confusion matrix, shows the difference; and an interval over patients shows how little five errors tell.
#
# </details>
#
# ## Read more
#
# - Reinke et al. (2024) {cite:p}`reinke2024pitfalls`: pitfalls of validation metrics, with pictures of each.
# - Bolya et al. (2020) {cite:p}`bolya2020tide`: kinds of error for object detectors, each priced by repairing it and nothing else.
# - Oakden-Rayner et al. (2020) {cite:p}`oakdenrayner2020hidden`: subgroups on which a model fails while its average looks good.
# - Hendrycks and Dietterich (2019) {cite:p}`hendrycks2019robustness`: classifiers under growing noise, blur and loss of contrast.
# - Armato et al. (2011) {cite:p}`armato2011lidc`: four readers outline the same nodules and differ; the scale on which to read a network's errors.
# - The words of this page are in the [glossary](../book/glossary.md).

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
# # 15 Your own data
#
# How do I take the whole pipeline to a folder of my own images and masks?

# %% mystnb={"figure": {"caption": "The first thing to do with a folder: look at images with their masks. These are the four training slices with the largest objects of the last class, one per patient."}, "image": {"alt": "Four slices from the folder with their masks drawn over them as contours and translucent fill, so that one sees at once whether masks and images belong together."}}
import os

from unet_helpers import export_phantom, load_dataset, plotting
from unet_helpers.teaching import your_data

source = os.environ.get("UNET_DATA") or export_phantom()
options = your_data.default_options(source)
data = load_dataset(source, **options)
your_data.show_examples(data, count=4)

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - point the pipeline at a folder, and read what it found there,
# - answer what a program cannot: what the mask values mean, where in a file name the patient id stands, what to do with files that do not fit,
# - train within a time you choose, and choose thresholds on validation patients,
# - open the test patients once, and hand over a report that says what limits the result,
# - keep the network with all it needs, and segment new images without masks.
#
# **You need before:** pairs and patients ([notebook 01](01_data_pairing.ipynb)); how a U-Net is trained ([notebook 04](04_gpu_training.ipynb)); Dice per patient and its interval (notebooks [05](05_evaluation.ipynb) and [05b](05b_comparison.ipynb)).
#
# **Minutes:** 40 to read, 2 to run on two cores with the folder of the series; yours may take longer.
#
# **The misconception it removes:** "With my own data I only have to change the path." The path is the easy part; the decisions are yours.
#
# </div>
#
# Unless told otherwise, the notebook uses a folder of synthetic patients with the faults that real folders have.
# For **your** folder, set `UNET_DATA` before JupyterLab starts, or run the notebook without opening it:
#
# ```
# make your-data UNET_DATA=path/to/folder
# ```
#
# The executed notebook, its report and the trained network are then together in a folder below `runs/`. Three more variables can be set: `UNET_EPOCHS`, the number of epochs; `UNET_SIZE`, the size to which slices are brought; and `UNET_NEW`, a folder of new images for the end.

# %% [markdown]
# ## What is in the folder?
#
# `load_dataset` has recognized the layout. Read what it reports before you train anything.

# %%
print(data)

# %% [markdown]
# Check three things against what you know of the folder. Is the **number of patients** right? Is the **rule for the gray values** right for this kind of image? Were **files left out** that you would miss?
# In the folder that comes with the series, every file that was left out is one of the faults of [notebook 01](01_data_pairing.ipynb).
#
# Then move through one patient. Does the mask follow the object from slice to slice, or does it jump? A jump is a sign of a wrong pair.

# %%
your_data.explore_patient(data)

# %% [markdown]
# The options say which decisions were taken for you: the fractions of the patients that go to training, validation and test; what happens to files with problems; the names of the classes; and the class of each mask value. For the folder of the series we know what 255 stands for: lung with its nodules, in one patient whose masks were drawn with another tool ([notebook 01](01_data_pairing.ipynb)). Taking it as lung keeps the patient and has a price: every nodule that a network finds there counts as a false alarm. What the values in your folder mean, only you know.

# %%
for name, value in options.items():
    print(f"{name}: {value}")

# %% [markdown]
# Your own decisions go into a small file beside your images, `series.toml`. The first run writes it with every line commented out. Remove the `#` where you have something to say:
#
# ```toml
# class_names = ["background", "lung", "tumor"]
# patient_pattern = '^(LK-\d+)'
#
# [mask_values]
# 0 = 0
# 128 = 1
# 255 = 2
#
# [left_out]
# "LK-42_017.png" = "the mask belongs to another patient"
# ```
#
# `load_dataset`, `make your-data`, the report and the model card read it, so that nobody has to remember what was decided, and why. A misspelled key is not ignored: the message names the nearest right one.

# %% nbval_tolerance=0
print(your_data.offer_decisions(source))

# %% [markdown]
# <div class="alert alert-warning">
#
# **A decision that only you can take.** If your masks hold other values, say so in `mask_values`. If `load_dataset` counts each file as a patient, give a `patient_pattern`. If it refuses the folder, its message names the file and the remedy; with `problems = "leave_out"` it goes on without the files that do not fit, and lists them.
#
# </div>
#
# ### Exercise 15.1: where is the patient?
#
# A clinic names its slices `20240117_PAT0042_axial_017.tif`: date, patient, plane, slice. The default rule takes everything before the last number as the patient id. Write a regular expression whose one group is the patient id.
#
# <details><summary>Hint 1</summary>
#
# Compare names that the clinic might have: the same patient on another day, another slice, another plane, another patient. Which part changes only with the patient, and how does it begin?
#
# <details><summary>Hint 2</summary>
#
# In a regular expression letters stand for themselves, `\d` is any digit, and `+` means once or more often. Parentheses make the group. Write it as `r"…"`, so that Python leaves the backslash alone.
#
# <details><summary>Hint 3</summary>
#
# The group holds the letters PAT and all digits that follow them. The date and the slice number are digits as well, but no PAT stands before them.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import your_own_data as check

pattern = ...
check.patient_pattern(pattern)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
pattern = r"(PAT\d+)"
check.patient_pattern(pattern)

# %% [markdown]
# ### Exercise 15.2: what do the values mean?
#
# The masks of a folder hold 0, 64, 128 and 255, for outside, left lung, right lung and tumor. You want two foreground classes: lung (1), whichever side, and tumor (2). Write `mask_values`, a dict from stored value to class.
#
# <details><summary>Hint 1</summary>
#
# How many different values do the masks hold? Each of them needs an entry `stored: class` between the braces of the dict.
#
# <details><summary>Hint 2</summary>
#
# Outside is the background, class 0. Two of the four values lead to the same class.
#
# </details>
# </details>

# %%
mask_values = ...
check.mask_values(mask_values)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
mask_values = {0: 0, 64: 1, 128: 1, 255: 2}
check.mask_values(mask_values)

# %% [markdown]
# ## What would a network get for free?
#
# Hold two numbers against every later one. The first is the share of the pixels that belong to each class: it is the accuracy of a network that answers with this class everywhere. The second is the share of the slices that hold the class at all: on the other slices an overlap says nothing.

# %%
your_data.class_shares(data.train, data.class_names).round(4)

# %% [markdown]
# Most pixels are background. An accuracy near its share is worth nothing, which is why the pipeline watches Dice.
#
# ## Train
#
# For a folder of slices the recipe is plainer than that of [notebook 04](04_gpu_training.ipynb). Loss and start are the same, but it takes whole pictures in place of random crops, a lower learning rate, and no running mean of the weights. The number of epochs follows from the size of the folder.

# %%
recipe = your_data.default_recipe(data, epochs=os.environ.get("UNET_EPOCHS"))
print(recipe)

# %% [markdown]
# *Center crop* is the side of the central square that the network sees. Here it is the whole slice.
# In a folder of small pictures that were cut out around a finding, such as the LIDC nodule slices, it is the central square that holds nearly all object pixels of the training patients. The network then sees only the middle and trains several times faster, but it has learned *where somebody had already looked*. Say so in the report, and do not use such a network on whole slices.
#
# *Base filters* is the number of channels on the top level of the U-Net. *One map* is true if there is a single foreground class: one sigmoid then takes the place of the softmax. *All orientations* (pictures are flipped and turned) and *soft readers* (the network learns how many readers marked a pixel) are for pictures around a finding that several readers outlined. *Members* is the number of networks whose probabilities are averaged. *Precision* is the type of number in which they compute ([notebook 04](04_gpu_training.ipynb)).
#
# All other words of the recipe are those of notebook 04, and so is what `train_recipe` does with them. For this folder it comes down to these lines, with the same weights at the end:
#
# ```python
# import keras
#
# from unet_helpers import UNet, start_at_class_shares, train
# from unet_helpers.data import make_augmenter
# from unet_helpers.training import DiceCrossEntropy
#
# keras.utils.set_random_seed(0)
# model = UNet(data.train.images.shape[1:], data.num_classes, base_filters=8)
# start_at_class_shares(model, data.train.masks)
# history = train(
#     model,
#     data,
#     epochs=45,
#     batch_size=8,
#     learning_rate=2e-3,
#     loss=DiceCrossEntropy(class_weights=[1, 1, 10]),  # 10 for a class of fewer than one pixel in a hundred
#     augment=make_augmenter(brightness=0.05, contrast=0.1),
# )
# ```
#
# `make_augmenter` fills what a turned or shifted picture shows beyond its border with 0, which is black: a recipe for any folder does not know what surrounds your pictures. For CT in the lung window it should be air, `image_fill=0.233`, as in notebook 04.

# %% nbval_tolerance=0
from unet_helpers.teaching import runs

folder = runs.open_run(your_data.report_folder(source), data, recipe)
model, histories = your_data.train_recipe(data, recipe, folder)

# %% [markdown]
# The line above is all that is left of the progress display. Each run has a folder of its own. If it is interrupted, the next run with the same data and recipe goes on where it stopped; a finished run is never overwritten.
#
# The curves say more.

# %% mystnb={"figure": {"caption": "Training and validation curves. The dotted line marks the epoch whose weights were kept."}, "image": {"alt": "Three panels over the epochs: loss falling, accuracy close to one after a few epochs, and Dice rising in two steps, for training as a dashed and validation as a solid line."}}
your_data.say_if_not_learned(histories)
plotting.show_curves(histories[0])

# %% [markdown]
# Read them in this order. Does the training loss fall? If not, [notebook 06b](06b_black_masks.ipynb) helps. Does the validation Dice still rise at the end? Then more epochs may help. Does it fall while the training loss falls? Then the network overfits: the folder is too small for it.
# In the folder of the series, Dice is a mean over lung and nodule. It stays near one half for a while before it rises again: the lungs are found first, the nodules later or not at all. The patient with 255 is one of the three validation patients, so part of the gap between training and validation may come from these masks: another reason to know your values.
#
# ## Choose thresholds, on validation patients
#
# With several classes the most probable one wins, so the next cell shows nothing here. With a single foreground class a threshold decides which pixels belong to it. A second one, the **presence threshold**, decides whether a slice holds an object at all: the highest probability on the slice must reach it. Raise it, and you get fewer false alarms and more missed objects. Both are chosen on validation patients.

# %%
point = your_data.choose_point(model, data, recipe)
point

# %% tags=["remove-cell"]
assert max(histories[0]["val_dice"]) > 0.3 or "UNET_DATA" in os.environ

# %% [markdown]
# ### Exercise 15.3: what does a missed object cost?
#
# A model predicts something on 60 of 80 empty slices, and misses 5 of 100 objects. With a higher presence threshold it predicts on 30 of the empty slices and misses 14 objects. Its Dice on an object that it does find is 0.80 in both cases. Give the two mean Dice over the 100 slices with an object (a missed one counts 0), rounded to two digits, as a tuple (low threshold, high threshold).
#
# <details><summary>Hint 1</summary>
#
# Two kinds of slices appear in the text, empty ones and those with an object. Over which of them are the two means taken?
#
# <details><summary>Hint 2</summary>
#
# Each of the 100 objects brings a Dice: 0.80 if it is found, 0 if it is missed. How many are found at the low threshold, and how many at the high one? Add up, and divide by 100.
#
# </details>
# </details>

# %%
means = ...
check.two_operating_points(means)

# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
means = (round(95 / 100 * 0.80, 2), round(86 / 100 * 0.80, 2))
check.two_operating_points(means)

# %% [markdown]
# ## Open the test patients, once
#
# Now everything is decided. One case is one patient: all slices of a patient are counted together, as [notebook 05](05_evaluation.ipynb) explains.

# %% tags=["nbval-ignore-output"]
predictions = your_data.predict(model, data.test.images, recipe, point)
evaluation = your_data.evaluate_test(data, predictions)
evaluation.summary().round(3)

# %% [markdown]
# Read what stands beside the mean. With five test patients or more, `low` and `high` are its 95 % interval by Student's t. Where patients differ, as they do for small objects, the interval is wide, and that is the honest answer to "how good is it?". The folder of the series has three test patients. That is too few for an interval, so `low` and `high` are empty, and `min` and `max`, the **range** of the three, are all there is. A narrow range says that these three are alike, not that the next patient will be like them. To compare a second model with this one, go patient by patient, as in notebook 05.

# %% tags=["nbval-ignore-output"]
by_slice = your_data.describe_slices(data, predictions)
by_slice.round(3)

# %% tags=["remove-cell"]
assert (evaluation.of_class(data.class_names[1])["dice"] > 0.2).any() or "UNET_DATA" in os.environ

# %% [markdown]
# These are the same predictions, counted slice by slice. `dice` is a mean over the slices that hold an object, `missed` the share of them on which nothing is predicted. The slices without an object are kept apart, because there the question is not *how well* but *whether*: `false_alarms` is the share of them on which something is predicted. A mean over all slices would mix the two questions.

# %% mystnb={"figure": {"caption": "The three worst test slices. Look at them before you tell anybody a number."}, "image": {"alt": "The three test slices with the most wrong pixels, one per row, each as image, ground truth, prediction and map of errors in green, vermilion and blue."}}
worst = your_data.worst_slices(data.test, predictions, 3)
part = data.test[worst]
plotting.show_predictions(part.images, part.masks, predictions[worst], titles=part.case_ids, panel=1.8)

# %% [markdown]
# For each row ask: is the *prediction* wrong, or the *mask*? In a folder of your own it may well be the mask, and to mend it can be worth more than another week of training.
#
# ## The report
#
# The report holds what a colleague needs: the data and what was left out, the recipe, the tables with interval or range, every case, and the worst slices. This is its head, before the tables:

# %%
notes = [str(recipe), *map(str, histories), str(point)]
path = your_data.write_report(folder, data, evaluation, predictions, by_slice, notes)
print(path.read_text().split("## dice")[0])

# %% [markdown]
# `report.md`, `cases.csv`, `evaluation.json` and `worst_cases.png` lie together in the folder of the run. They do **not** say whether the model works for another scanner, another hospital, or patients unlike these. To know that, you need patients from there.
#
# If `series.toml` holds the words of a model card ([the page on ethics](../book/ethics_and_model_card.md) explains it), the card is written as well, with the numbers filled in.

# %%
print(your_data.write_card(folder, source, evaluation))

# %% [markdown]
# ## Keep the network, and use it
#
# Weights alone are of no use to anybody. To segment a new image you must know how gray values were scaled, to which size slices were brought, which thresholds were chosen and what the classes are called. All of it is kept in one place, and loads with one call (the `assert` says that the loaded network gives the same masks):

# %%
from unet_helpers.teaching import segment

runs.keep_run(folder, model, data, recipe, point)
kept = runs.load_run(folder)
assert (kept.predict(data.test.images) == predictions).all()
print(segment.write_test_masks(kept, data, folder / "test_masks"), "masks of test patients, at their original size")
print(*sorted(file.name for file in folder.iterdir()), sep="\n")

# %% [markdown]
# Now come images **without masks**, of patients whom the network has not seen. Each image is read, checked and scaled like those of the training. Its mask is written in the format of the image, at the original size. An image unlike all that the network has seen, in the kind of its gray values, its proportions or the size of its pixels, is refused and named. It is never stretched to fit.

# %%
new = your_data.new_images(source)
if new is None:
    print("no new images: name a folder with UNET_NEW")
else:
    table, left_out = segment.segment_folder(folder, new, folder / "new_images")
    print(table["image"].nunique(), "images segmented,", len(left_out), "files left out")

# %% [markdown]
# There is no Dice now: without a ground truth, nobody knows how good these masks are. This is the situation in which a model is used. What remains is to look at the masks, at all of them if you can:

# %% mystnb={"figure": {"caption": "The overview that is written beside the masks: what the network draws on the first images."}, "image": {"alt": "Eight slices of synthetic chests with the predicted lungs drawn over them as contours and translucent fill."}}
from IPython.display import Image

Image(folder / "new_images" / "overview.png") if new is not None else None

# %% [markdown]
# Without a notebook, the same takes one command. `RUN` is the folder of a finished run, `IMAGES` a folder of pictures, NIfTI volumes or DICOM series, and `OUT` a new folder for the masks, a table of areas or volumes, and the overview:
#
# ```
# python -m unet_helpers predict RUN IMAGES OUT
# ```
#
# It is for teaching and research. Software that is meant to help in diagnosing or treating patients is a medical device, with all that the law asks of one ([Ethics](../book/ethics_and_model_card.md#regulation)).

# %% [markdown]
# ### One slice, in your browser
#
# <div class="live" data-piece="own">
# <p>In the book, you can drop a slice here (a PNG, a JPEG or an uncompressed DICOM file), and the network that comes with the series segments it in your browser; nothing is sent anywhere. This needs a browser that runs JavaScript. In JupyterLab, the command above segments a folder.</p>
# </div>
#
# This is the network of the earlier notebooks, not the one that you have just trained. It has seen axial slices through synthetic chests, of 128×128 pixels of about 3 mm, and nothing else. It is not made for finding nodules in a person, nor for ruling them out. It may also draw in a picture that shows no chest (try any photo), because it has no class for that. A PNG or JPEG holds no Hounsfield units: its gray values are taken as they are, as if somebody had set the lung window before.

# %% [markdown]
# ## What stands behind the calls
#
# The helpers of this page choose by rule, so that it works for any folder. Once you know your folder, you can leave them out and write what they chose:
#
# | here | for the folder of the series the same as | where it is explained |
# |---|---|---|
# | `default_options` | `load_dataset(folder, fractions=…, problems="leave_out", mask_values=…, class_names=…)` | [01](01_data_pairing.ipynb) |
# | `class_shares` | `np.bincount(data.train.masks.ravel()) / data.train.masks.size` | [01](01_data_pairing.ipynb) |
# | `train_recipe` | the lines before the training | [04](04_gpu_training.ipynb) |
# | `choose_point` | nothing, as the most probable class wins; a search over both thresholds where there is one map | above |
# | `predict` | `predict_masks(model, data.test.images)` | [04](04_gpu_training.ipynb) |
# | `evaluate_test` | `evaluate(model, data.test, data.class_names, by="patient")` | [05](05_evaluation.ipynb) |
# | `describe_slices` | the Dice of each slice, and the slices without the class counted apart | [05](05_evaluation.ipynb) |
# | `worst_slices` | `np.argsort(-(data.test.masks != predictions).sum(axis=(1, 2)))` | [06](06_failure_analysis.ipynb) |
# | `runs.keep_run` | `model.save(…)`, and a text file with the scaling, size, thresholds and class names | above |

# %% [markdown]
# ## Take-aways
#
# - The path is the easy part. Mask values, patient ids and files that do not fit are decisions, and they belong in the report.
# - Look at images with masks first, and at the worst predictions last.
# - Hold every score against what a constant answer gets.
# - Thresholds are chosen on validation patients; the test patients answer once, with an interval, or with a range if there are fewer than five.
# - Slices without an object are another question, and get a number of their own.
# - Keep a network together with all that is needed to segment new images, and refuse images of a kind that it has not seen.
#
# ## Questions to test yourself
#
# 1. Your folder has 1,000 slices of 12 patients. Why does the report give no interval of the test Dice?
#
#    - A. Only about two patients are in the test set.
#    - B. With 1,000 slices the interval is too narrow to be shown.
#    - C. Because the Dice was computed on slices of different sizes.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Slices of one patient resemble each other, so the thousand slices do not stand for a thousand independent cases, and two patients hardly say anything about a mean over patients.
# - **Not B:** it would be narrow only if slices were counted as independent, and they are not.
# - **Not C:** the size of a slice has nothing to do with it. The number of patients has.
#
# </details>
#
# 2. After the test you see that a lower threshold would have scored better. May the better score take the place of the first in the report?
#
#    - A. Yes, if the report says which threshold it is.
#    - B. Yes, a threshold is not a weight of the network.
#    - C. No, that takes a test on other patients.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** A threshold chosen on the test patients makes their score a training score. You may go on with it, but what it is worth must be measured on patients who did not choose it.
# - **Not A:** saying so does not tell anybody what new patients would give, and that is what the report is for.
# - **Not B:** whatever is chosen by the test result is fitted to the test patients, be it one number or a million.
#
# </details>
#
# 3. `load_dataset` says "each file counts as one patient". What can go wrong?
#
#    - A. Nothing, it only says how it counts.
#    - B. The intervals become too wide.
#    - C. One patient may be on both sides of the split.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** If a patient has several files, the score then measures memory. Pass `patient_pattern`.
# - **Not A:** what it counts is also what it splits by.
# - **Not B:** with more supposed patients they become too narrow, which is worse.
#
# </details>
#
# 4. Accuracy is 0.98 and Dice 0.00. What did the network learn?
#
#    - A. To find the object nearly always, with a bad outline.
#    - B. Most likely to answer background everywhere.
#    - C. To find the object in 98 % of the images.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Compare the accuracy with the share of the background in the table above, then go through the questions of [notebook 06b](06b_black_masks.ipynb).
# - **Not A:** with a bad outline there is still an overlap, and the Dice is well above 0.
# - **Not C:** accuracy counts pixels. A Dice of 0.00 means that hardly a pixel of the object was found, if any.
#
# </details>
#
# ## Read more
#
# - Isensee et al. (2021), nnU-Net: how much of a pipeline follows from the data by rules {cite:p}`isensee2021nnunet`.
# - Maier-Hein et al. (2024), Metrics Reloaded: which metric for which question {cite:p}`maierhein2024metrics`.
# - Kapoor and Narayanan (2023): how leakage enters, with examples from many fields {cite:p}`kapoor2023leakage`.
# - Mitchell et al. (2019), model cards: what to hand over with a model {cite:p}`mitchell2019modelcards`.

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
# # 14 Scaling out
#
# What do I do when one device, or one machine, is too slow or too small?

# %%
import numpy as np

from unet_helpers import UNet, load_dataset, one_hot, plotting
from unet_helpers.teaching import divide_processor

divide_processor(2)  # for later; it can only be done before the first computation
data = load_dataset("phantom")
images = data.train.images[:64, ::2, ::2]
targets = one_hot((data.train.masks[:64, ::2, ::2] > 0).astype("uint8"), 2)

# %% mystnb={"figure": {"caption": "One training step on two workers. Split: the batch. Copied: the network. Averaged: the gradients."}, "image": {"alt": "Two rows. In each, four chest slices in a colored frame, an arrow to a box with a copy of the network, an arrow to a box with the gradient of its part. Both gradients lead into one box, mean, and from there an arrow to the words: same step in every copy."}}
plotting.show_data_parallel(images[:16:2])

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - say what is split, what is copied and what is added up when several devices train one network,
# - predict which parts of a training come out the same on two devices as on one, and which do not,
# - run a training on several devices of one machine, and on several processes,
# - divide a folder among workers, and imitate a large batch on a small device,
# - read an efficiency, model how it falls with the number of workers, and write a script for a scheduler.
#
# **You need before:** batch, step and learning rate ([notebook 04](04_gpu_training.ipynb)). Two cores are enough: they play the parts of two devices and of two machines. Several processes need Linux or macOS; under Windows run this notebook inside WSL2.
#
# **Minutes:** 65 to read, with four exercises, 2 to run on two cores.
#
# **The misconception it removes:** "Twice the devices, half the time, same result." Communication decides whether the time is halved; the batch, batch normalization and the loss decide whether the result is the same.
#
# </div>

# %% [markdown]
# ## By hand: the gradient of a batch
#
# What the picture above shows is called **data parallelism**. Each **worker** (a GPU, a process, a machine) holds a complete copy of the network, and gets its part of every batch. It computes a gradient from its part alone. Then the gradients are averaged over all workers, and every worker makes the same step, so that all copies remain equal.
#
# Why should that be the same as one device with the whole batch? Because the loss is a *mean over slices*, so is its gradient, and the mean of 16 is the mean of two means of 8. We try this with a small network without batch normalization.

# %%
import keras
import tensorflow as tf

from unet_helpers.training import DiceLoss


def small_unet(batch_norm=False):
    keras.utils.set_random_seed(0)
    return UNet((64, 64, 1), 2, base_filters=8, depth=2, dropout=0, batch_norm=batch_norm)


def gradient(network, loss, rows):
    with tf.GradientTape() as tape:
        value = loss(targets[rows], network(images[rows], training=True))
    parts = tape.gradient(value, network.trainable_weights)
    return np.concatenate([np.ravel(part) for part in parts])


# %% [markdown]
# Our batch of 16 slices is sorted by how much lung they show: one half has small lungs, the other large lungs. So the parts differ, as parts of real data do.

# %%
crossentropy = keras.losses.CategoricalCrossentropy()
batch = np.argsort(targets[:16, ..., 1].sum(axis=(1, 2)), kind="stable")
halves = [batch[:8], batch[8:]]
plain = small_unet()
whole = gradient(plain, crossentropy, batch)
parts = [gradient(plain, crossentropy, rows) for rows in halves]
print(f"a gradient is {whole.size:,} numbers, one for each weight")


# %% [markdown]
# How far apart are two gradients? We measure the length of their difference, relative to the length of the right one.


# %%
def distance(found, right):
    return np.linalg.norm(found - right) / np.linalg.norm(right)


apart, mean = distance(parts[0], parts[1]), distance(np.mean(parts, axis=0), whole)
print(f"one half from the other: {apart:.2f}; the mean of both from the whole batch: {mean:.2f}")
assert mean < 1e-5

# %% [markdown]
# The two halves do not agree. But the mean of their gradients *is* the gradient of the batch, to five digits (the `assert` checks it); what is left is rounding. Nothing is approximated. Where, then, is the catch? There are four, and you will meet each of them in practice.

# %% [markdown]
# ### First catch: parts of unequal size
#
# The last batch of an epoch is often smaller, and then the parts are unequal: 12 slices here and 4 there.

# %%
uneven = [gradient(plain, crossentropy, rows) for rows in (batch[:12], batch[12:])]
print(f"the plain mean of both from the whole batch: {distance(np.mean(uneven, axis=0), whole):.2f}")

# %% [markdown]
# ### Exercise 14.1: combine unequal parts
#
# Write `combine(gradients, sizes)`. It is given a list of gradients (arrays) and a list of numbers, which say how many slices each gradient is the mean of. Return the gradient of all slices together.
#
# <details><summary>Hint 1</summary>
#
# Each gradient is a *mean* over its slices. What is the *sum* over its slices? What is the sum over all slices, and how does it become a mean again?
#
# <details><summary>Hint 2</summary>
#
# Multiply each gradient by its number of slices, add them all up, and divide once by the number of all slices.
#
# <details><summary>Hint 3</summary>
#
# `zip(sizes, gradients)` gives the pairs, and `sum(...)` adds up arrays as well as numbers.
#
# </details>
# </details>
# </details>

# %%
from unet_helpers.teaching.checks import scaling_out as check


def combine(gradients, sizes):
    return ...


check.combine(combine)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def combine(gradients, sizes):
    return sum(size * part for size, part in zip(sizes, gradients)) / sum(sizes)


check.combine(combine)

# %% tags=["remove-cell"]
assert distance(combine(uneven, [12, 4]), whole) < 1e-5

# %% [markdown]
# ### Second and third catch: looking at the whole batch
#
# A mean over slices can be taken apart. Two things in this series look at *several slices at once*: **batch normalization** centers and scales each map by the mean and variance of the batch, and our **Dice loss** pools all pixels of the batch before it divides. Here is the same comparison of halves against the whole:

# %%
normed = small_unet(batch_norm=True)
kinds = {
    "cross-entropy": (plain, crossentropy),
    "Dice of each image": (plain, DiceLoss(pool_batch=False)),
    "Dice over the batch": (plain, DiceLoss(pool_batch=True)),
    "with batch normalization": (normed, crossentropy),
}
off = {}
for kind, (network, loss) in kinds.items():
    parts = [gradient(network, loss, rows) for rows in halves]
    off[kind] = distance(combine(parts, [8, 8]), gradient(network, loss, batch))

# %% mystnb={"figure": {"caption": "Distance of the mean of two halves from the gradient of the whole batch, relative to the length of that gradient."}, "image": {"alt": "Four bars: how far the mean of two halves is from the gradient of the whole batch. Cross-entropy and Dice of each image: no bar. Dice over the batch: a bar. With batch normalization: a bar."}}
import pandas as pd

off = pd.Series(off)
plotting.show_bars({"distance from the gradient of the whole": off}, panel=5.6, height=2.0)

# %%
off.round(2)

# %% [markdown]
# Cross-entropy and the Dice of each image are means over slices, so nothing is lost. The other two are not wrong, but they are *a different training*: with the Dice over the batch, each worker divides by its own pixels; with batch normalization, each worker normalizes by its own slices. A few hundredths are little in one step, but they come in every step, and always in the same direction if the parts always differ in the same way. Two devices with 8 slices each then train like one device with batches of 8 whose gradients are averaged in pairs.
#
# ## Several devices in one machine
#
# In TensorFlow this is `MirroredStrategy`: build and compile inside its scope, and then call `fit` as always. We do not have two GPUs here. Instead, `divide_processor` in the first cell has told TensorFlow to treat the processor as two *virtual devices*. That can show whether the result is right, but not the speed, because both share the same cores.

# %%
print([device.name for device in tf.config.list_logical_devices("CPU")])

# %% [markdown]
# We begin with one device. The 64 slices make 4 batches of 16, in the order of the patients; the optimizer is plain gradient descent with momentum.

# %%
options = {"batch_size": 16, "epochs": 4, "shuffle": False, "verbose": 0}
one_device = small_unet()
one_device.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
losses = {"one device": one_device.fit(images, targets, **options).history["loss"]}

# %%
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    two_devices = small_unet()
    two_devices.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
losses["two devices"] = two_devices.fit(images, targets, **options).history["loss"]

# %% nbval_tolerance=0.001
table = pd.DataFrame(losses, index=pd.Index(range(1, 5), name="epoch"))
table["difference"] = (table["two devices"] - table["one device"]).map("{:.0e}".format)
table.round(4)

# %% tags=["remove-cell"]
assert off["cross-entropy"] < 1e-5 and off["Dice of each image"] < 1e-5
assert np.allclose(losses["one device"], losses["two devices"], atol=1e-4)
pairs = zip(one_device.get_weights(), two_devices.get_weights())
assert all(np.allclose(a, b, atol=1e-3) for a, b in pairs)

# %% [markdown]
# The loss is the same in each of the four epochs (to within 0.0001), and so are the weights after 16 steps (to within 0.001). The differences in the table are far smaller still. Remember three things when you do this with GPUs:
#
# - `batch_size` is the batch of *all* devices together, the **global batch**. Each of the two got 8 slices.
# - Create *one* strategy for a program, and use it for all networks. On CPUs, a second one trips over the messages of the first.
# - Without device names, `MirroredStrategy()` takes all the GPUs that it finds.
#
# And what do the catches do? `benchmarks/scaling.py` has made such pairs of trainings with both losses, with and without batch normalization. The table gives the largest difference in the loss from that of one device (in the last column, of one process) over the same four epochs:

# %%
import json

from unet_helpers.teaching import RESULTS

measured = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))["results"]
number = measured["same"].pop("crossentropy returned as one number")
same = pd.DataFrame(measured["same"]).T.filter(regex="_loss$")
same = same.rename(columns=lambda name: name.removesuffix("_loss").replace("_", " "))
columns = ["two devices", "two devices synchronized", "two processes"]
same[columns].map("{:.0e}".format).replace({"nan": "", "0e+00": "0"})

# %% tags=["remove-cell"]
by_device, synchronized = same["two devices"], same["two devices synchronized"]
assert by_device.iloc[0] < 1e-5 and (by_device.iloc[1:] > 2e-4).all() and (same["two processes"] < 1e-4).all()
assert synchronized["crossentropy, with batch normalization"] < 1e-4

# %% [markdown]
# Under *two devices*, only the first row is nothing but rounding. In the others each device normalizes by its own 8 slices, or divides by its own pixels, and the training is a different one, as we saw in the gradients. Batch normalization can be told to include the other devices (`keras.layers.BatchNormalization(synchronized=True)`). With cross-entropy that repairs it, up to rounding that grows from step to step, at the price of more messages; the Dice is not repaired by it. The last column belongs to the next section: two processes with JAX agree with one process in all four rows.
#
# ### A fourth catch: a loss that is one number
#
# Many people write their own `dice_loss`, and it returns a single number for the batch. On one device that is as good as one number per image. Is it on two devices? Here is the same cross-entropy once more, this time averaged inside the loss function:

# %%
curves = {"one device": number["one_device_curve"], "two devices": number["two_devices_curve"]}
pd.DataFrame(curves, index=table.index)

# %% [markdown]
# Keras divides a loss by the number of devices when *it* takes the mean over the slices. A loss that is already a plain number is left alone (Keras 3.15), and the gradients of the devices are then *added*, not averaged. That doubles the learning rate and about doubles the reported loss, without any warning. On eight GPUs the factor is eight. So let your own loss return one value per image, or at least an array with one element, as `DiceCrossEntropy` of this series does.
#
# ## Several processes, and several machines
#
# Two programs that do not share memory must send each other their gradients. In TensorFlow, `MultiWorkerMirroredStrategy` was made for this. **With Keras 3 it does not work** ([keras#20585](https://github.com/keras-team/keras/issues/20585)). The strategy can be created, the network can be built in its scope, and then `fit` says:

# %%
print(measured["multi_worker"]["fit_says"])

# %% [markdown]
# Tutorials that use it were written for Keras 2. What does work is the same Keras code on top of **JAX** instead of TensorFlow: set `KERAS_BACKEND=jax`, and the network, the losses and `fit` stay as they are. `keras.distribution` then does what we did by hand. This is the program of one worker, and *every* worker runs the same program:

# %%
import inspect

from unet_helpers.teaching import jax_worker

print(inspect.getsource(jax_worker.train))

# %% [markdown]
# Three things are new compared with a training on one worker.
#
# - `initialize()` meets the other workers. It finds three things in the environment: the address of the first worker, how many there are, and which of them it is itself (its **rank**, counted from 0).
# - `DataParallel` copies the network to all workers. `auto_shard_dataset=False` says that we divide the data ourselves.
# - `images[rank::workers]` are this worker's slices, and `batch_size // workers` of them are its part of the global batch. Together, the parts are the same 16 slices as in a training on one worker.
#
# Something must start the workers and tell each which one it is: the **launcher**. On a cluster that is the scheduler, as we shall see. Here it is `train_in_processes`: it starts the program twice, gives each its three variables, waits, and ends all of them if one fails or takes too long. First, what every worker needs is written to a folder. This time the network *has* batch normalization.

# %%
import tempfile

from unet_helpers.teaching import train_in_processes, write_job

folder = tempfile.TemporaryDirectory()
optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
write_job(folder.name, small_unet(batch_norm=True), images, targets, optimizer)

# %% nbval_tolerance=0
run_one = train_in_processes(folder.name, 1, threads=2)
print(f"{run_one.slices} slices read, {min(run_one.seconds[1:]):.2f} s per epoch")

# %% nbval_tolerance=0
run_two = train_in_processes(folder.name, 2, threads=1)
print(f"{run_two.slices} slices read, {min(run_two.seconds[1:]):.2f} s per epoch")

# %% nbval_tolerance=0.001
table = pd.DataFrame({"one process": run_one.loss, "two processes": run_two.loss}, index=table.index)
table["difference"] = (table["two processes"] - table["one process"]).map("{:.0e}".format)
table.round(4)

# %% tags=["remove-cell"]
assert (run_one.slices, run_two.slices) == ([64], [32, 32])
assert np.allclose(run_one.loss, run_two.loss, atol=1e-3)

# %% [markdown]
# Each of the two processes has read half of the slices and nothing else, and still the loss is that of one process, to within 0.001 (the last column shows that it is in fact much closer). That holds even *with* batch normalization: JAX treats the batch as one array that happens to lie in two places, and takes means over all of it. So the third catch depends on the tool:
#
# | | batch normalization over | Dice over the batch, over |
# |---|---|---|
# | `MirroredStrategy` (TensorFlow) | the slices of one device, unless `synchronized=True` | the slices of one device |
# | `keras.distribution` (JAX) | the global batch | the global batch |
#
# Now look at the seconds. Was it worth it? The live runs above are too short to tell, and this page cannot know your machine. The benchmark has measured it on a machine with two cores, with slices of 128 × 128 pixels and one thread for each core that a process has (`step_seconds` is the faster of two repeats):

# %%
speed = pd.DataFrame({name: row for name, row in measured["speed"].items() if isinstance(row, dict)}).T
speed["slices per second"] = speed["batch"] / speed["step_seconds"]
speed[["batch", "step_seconds", "slower_repeat", "slices per second"]].round(2)

# %%
alone, threads, both, double = speed["step_seconds"]
print(f"two processes are {alone / both:.2f} times as fast as one process with one core,")
print(f"and {threads / both:.2f} times as fast as one process with both cores")
print(f"beyond computing: {both - alone / 2:.1f} s per step, with the double batch {double - alone:.1f} s")

# %% [markdown]
# On this machine it was hardly worth it. For the same batch, two processes gain almost nothing over one process on one core, while one process with two *threads* gets from the same two cores what we had hoped for. Threads share their memory, so nothing has to be sent. With the double batch more slices are processed per second, because each process computes twice as much between two messages.
#
# If computing were all there is, two processes would need half the time of one core, and the same time with the double batch. In both cases they need about a fifth of a second more, which looks like a fixed price per step. The benchmark does not say what it consists of. Batch normalization may account for a part, since the processes exchange means in every layer, forward and back, and wait for each other each time. The gradients, as we shall see below, account for little.
#
# The two repeats lie further apart for two processes than for one. That is no surprise: in every step the faster process waits for the other, so a training on several workers is only as fast as the slowest of them. Two cores are good for learning how it works, but no reason to do it.
#
# ## What does the larger batch change?
#
# If the global batch stays at 16, as above, each worker has less to do the more workers there are. That is **strong scaling**. Usually it is the batch *of each worker* that stays the same, so that every GPU is kept busy. That is **weak scaling**: the global batch grows, and the training becomes a different one.

# %%
slices = 10_000
rows = [(workers, 16 * workers, int(np.ceil(slices / (16 * workers)))) for workers in (1, 2, 8, 64)]
pd.DataFrame(rows, columns=["workers", "global batch", "steps per epoch"]).set_index("workers")

# %% [markdown]
# Each epoch is over sooner, and the weights have been changed less often. To cover the same distance in fewer steps, each step must be longer. Goyal and others trained with batches of up to 8,192 photographs by two rules: multiply the learning rate by the same factor as the batch, and reach that rate gradually over the first epochs (*warm-up*) {cite:p}`goyal2017minibatch`. These rules were found for gradient descent with momentum, on a million photographs. Our whole training set is smaller than one such batch. For any new global batch, treat the learning rate as unknown, and choose it on validation patients.
#
# ## Shards: every worker reads its own part
#
# If every worker read all files and threw most of them away, the disk would be the bottleneck. So each worker gets a **shard**, a part of the files that no other worker reads. A small folder will serve as an example (the first seven characters of a mask's name are the patient):

# %%
from unet_helpers import export_phantom, pair_files

exported = export_phantom(clean=True)
files = pair_files(exported / "2d_images", exported / "2d_masks").pairs
patients = sorted({mask.name[:7] for _, mask in files})
print(len(files), "pairs of", len(patients), "patients:", ", ".join(patients[:3]), "…")

# %% [markdown]
# ### Exercise 14.2: divide the patients
#
# Write `shard(patients, workers, rank)`: the patients of worker `rank`. Every patient belongs to exactly one worker, and the shards are as even as they can be.
#
# <details><summary>Hint 1</summary>
#
# Deal seven cards to three players, one at a time, and write down who gets which. How much can two hands differ?
#
# <details><summary>Hint 2</summary>
#
# A Python list can be cut with a start and a step: `patients[start::step]`. For dealing cards, what are the start and the step of each player?
#
# </details>
# </details>


# %%
def shard(patients, workers, rank):
    return ...


check.shard(shard)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def shard(patients, workers, rank):
    return patients[rank::workers]


check.shard(shard)

# %% [markdown]
# `tf.data` offers the same as a method, `dataset.shard(workers, rank)` (the `assert` says that worker 1 of 3 gets the same patients). Apply it to the list of *names*, before anything is read or shuffled: if each worker shuffled differently, the shards would overlap.

# %%
names = tf.data.Dataset.from_tensor_slices(patients).shard(3, 1)
assert [name.decode() for name in names.as_numpy_iterator()] == patients[1::3]

# %% [markdown]
# Each of three workers streams its own patients, a batch at a time, as for a folder that does not fit into memory (`stream_pairs` reads the files while the network computes):

# %%
from unet_helpers.training import stream_pairs

for rank in range(3):
    own = [pair for pair in files if pair[1].name[:7] in shard(patients, 3, rank)]
    batches = sum(1 for _ in stream_pairs(own, 3, batch_size=8))
    print(f"worker {rank}: {len(own)} slices, {batches} batches of 8")

# %% [markdown]
# The 16 patients cannot be divided evenly among three workers, so worker 0 has one batch more. This is more than a matter of fairness. In its last step, worker 0 waits for the gradients of the others, which have already finished; it waits until a time limit ends the job. **All workers must make the same number of steps**: count them beforehand, and let every worker stop at the smallest number (`.take(steps)`), or let the shorter shards repeat. In the next epoch another shuffle will leave out other slices.
#
# ## One device, a large batch: gradient accumulation
#
# The same sum can be spread over *time* instead of devices. If 16 slices do not fit into the memory, compute the gradients of 4, keep them, take the next 4, and after the fourth time make one step with the mean. Every optimizer in Keras can do this:


# %%
def step_taken(batch_norm, at_once):
    network = small_unet(batch_norm)
    before = np.concatenate([np.ravel(weight) for weight in network.trainable_weights])
    times = 16 // at_once
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=times if times > 1 else None)
    network.compile(optimizer, "categorical_crossentropy", run_eagerly=True)
    network.fit(images[:16], targets[:16], batch_size=at_once, shuffle=False, verbose=0)
    return np.concatenate([np.ravel(weight) for weight in network.trainable_weights]) - before


# %%
off = {
    "without batch normalization": distance(step_taken(False, 4), step_taken(False, 16)),
    "with batch normalization": distance(step_taken(True, 4), step_taken(True, 16)),
}
assert off["without batch normalization"] < 1e-4
pd.Series(off, name="difference of the step").round(2).to_frame()

# %% [markdown]
# Without batch normalization, four times four slices make the same step as sixteen, to four digits (the `assert` checks it), with the memory of four. With it, each group of four is normalized by itself, as on four devices under `MirroredStrategy`. Accumulation costs no communication, but saves no time: it is the first thing to try when you lack *memory*.
#
# ## What it costs: adding up
#
# Every step ends with an **all-reduce**: before it, every worker has an array of its own; afterwards, all have the sum. If all of them sent everything to the first worker, its cable would be the bottleneck. The **ring** does better {cite:p}`patarasuk2009ring`: each array is cut into as many chunks as there are workers, and all workers at the same time send one chunk to the next (the last sends to the first). So that you can see whose numbers have been added, worker 0 contributes 1, worker 1 contributes 10, then 100 and 1,000:

# %% mystnb={"figure": {"caption": "All-reduce over a ring. Rows: workers. Columns: chunks. 1111, white, is a chunk to which all four have contributed."}, "image": {"alt": "Four tables of four workers by four chunks. At the beginning row 0 holds ones, row 1 tens, row 2 hundreds, row 3 thousands. After one step some are sums of two, such as 11. After three steps each row has one 1111. After six steps all are 1111."}}
from unet_helpers.teaching import ring_all_reduce

states = ring_all_reduce(np.repeat([[1], [10], [100], [1000]], 4, axis=1))
added = np.vectorize(lambda value: str(value).count("1"))(states)
shown = {0: "beginning", 1: "after 1 step", 3: "after 3 steps", 6: "after 6 steps"}
plotting.show_numbers([states[k] for k in shown], list(shown.values()), panel=2.3, shades=[added[k] for k in shown])

# %%
from unet_helpers.plotting.widgets import explore

frames = [plotting.show_numbers([states[k]], [""], panel=2.6, shades=[added[k], added[0], added[6]]) for k in range(7)]
labels = ["beginning", *(f"step {k}: {'adding' if k <= 3 else 'handing on'}" for k in range(1, 7))]
explore(frames, labels, "ring", start=2, width=300)

# %% [markdown]
# The ring takes three steps of adding and three of handing on. With $n$ workers there are $2(n-1)$ steps, and in each of them every worker sends $1/n$ of its array. So each worker sends $2(n-1)/n$ times its array: once for 2 workers, and *less than twice even for 1,000*. What does grow with $n$ is the number of messages, and each message has a **start-up time** before its first byte arrives (network engineers call it latency). With bandwidth $B$, start-up time $a$, and $S$ bytes:
#
# $$t = 2(n-1)\left(a + \frac{S}{nB}\right)$$
#
# The benchmark has measured this time between two processes of one machine, for arrays of growing size:

# %% mystnb={"figure": {"caption": "Seconds of an all-reduce between two processes of one machine."}, "image": {"alt": "Seconds over the size of the array, both on logarithmic axes. Measured points are nearly level up to about a tenth of a megabyte, and beyond a megabyte rise at least in proportion to the size; the line of the model follows them but for the last, which lies above it."}}
from unet_helpers.teaching import all_reduce_seconds

ring = measured["all_reduce"]
link = {"bandwidth": ring["bandwidth_bytes_per_second"], "latency": ring["latency_seconds"]}
sizes = np.array(ring["bytes"], dtype=float)
with plotting.figure(width=4.6, height=2.9) as (fig, axes):
    axes[0, 0].loglog(sizes / 1e6, all_reduce_seconds(2, sizes, **link), "--", color="#0072B2", label="model")
    axes[0, 0].loglog(sizes / 1e6, ring["seconds"], "D", color="black", markerfacecolor="white", label="measured")
    axes[0, 0].set(xlabel="size (MB)", ylabel="seconds")
    axes[0, 0].legend(frameon=False)
fig

# %% [markdown]
# On the left the start-up time counts: a small array takes as long as a smaller one. On the right the bandwidth counts: twice the bytes take at least twice the time. The line was fitted to these points, and only the largest array takes about twice as long as the line says. For our question, what happens with more workers, these two numbers are good enough.

# %%
print(f"start-up {1e6 * link['latency']:.0f} µs, bandwidth {link['bandwidth'] / 1e9:.1f} GB/s")
gradients = 4 * measured["speed"]["parameters"]
print(f"{gradients / 1e6:.1f} MB of gradients: {1e3 * all_reduce_seconds(2, gradients, **link):.1f} ms per step")

# %% [markdown]
# The network of the benchmark has few weights: its all-reduce takes under a millisecond, a tiny part of a step. So it is not the gradients that slow our two processes down.
#
# ## Efficiency: measured with two, modeled beyond
#
# ### Exercise 14.3: efficiency
#
# One worker needs `one` seconds for a step; `workers` of them together need `many` seconds for the same step. Added up, the workers usually spend more time than the one worker. The **efficiency** is the share of that total that one worker would have needed: 1 if $n$ workers are $n$ times as fast.
#
# <details><summary>Hint 1</summary>
#
# Two workers that need 4 seconds each have spent 8 worker-seconds. How many has one worker alone spent, if it needs 8 seconds? And what should the efficiency be then?
#
# <details><summary>Hint 2</summary>
#
# Compute the worker-seconds of all, `workers * many`, and divide. The result must fall below 1 when time is lost: 8 seconds alone and 2.5 seconds on four workers give 0.8.
#
# </details>
# </details>


# %%
def efficiency(one, many, workers):
    return ...


check.efficiency(efficiency)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def efficiency(one, many, workers):
    return one / (workers * many)


check.efficiency(efficiency)

# %%
print(f"measured, two processes with one core each: efficiency {efficiency(alone, both, 2):.2f}")

# %% [markdown]
# A machine with two cores cannot measure more than two workers, so from here on we use a **model**: a step takes the time of computing, divided by $n$, plus the time of the all-reduce above, one after the other. (Good libraries send the first gradients while the last are still being computed {cite:p}`li2020distributed`, so reality can be better; and workers wait for the slowest, so it can be worse.) We look at three cases:
#
# - *this network, processors*: seconds and link as measured above, and we *assume* that a cable is as good as the inside of that machine;
# - *the U-Net of 2015 on GPUs, Ethernet*: we *assume* a tenth of a second per step, 10 Gbit/s and 50 µs;
# - *the same with a fast link*: the same GPUs, and we assume 100 GB/s and 10 µs, as inside a machine built for this purpose.

# %%
from unet_helpers.teaching import step_seconds

large = 4 * UNet(num_classes=2).count_params()
cases = {
    "this network, processors": {"compute": alone, "size": gradients, **link},
    "U-Net of 2015, GPUs, Ethernet": {"compute": 0.1, "size": large, "bandwidth": 1.25e9, "latency": 50e-6},
    "U-Net of 2015, GPUs, fast link": {"compute": 0.1, "size": large, "bandwidth": 100e9, "latency": 10e-6},
}
print(f"{large / 1e6:.0f} MB of gradients per step, against {gradients / 1e6:.1f} MB")

# %% mystnb={"figure": {"caption": "Strong scaling: one batch, divided. Lines are a model under the stated assumptions; only the diamond was measured."}, "image": {"alt": "Efficiency over 1 to 128 workers, strong scaling. The curve of the small network on processors stays near 1 for eight workers and is low at 128; that of GPUs with Ethernet falls at once, to about a third with two workers; that with a fast link falls a little earlier than the first. A diamond, below the first curve, marks the measured two processes."}}
workers = 2 ** np.arange(8)
strong = {
    name: (workers, efficiency(case["compute"], step_seconds(workers, **case), workers)) for name, case in cases.items()
}
plotting.show_scaling(strong, {"two processes": ([2], [efficiency(alone, both, 2)])})

# %% [markdown]
# With weak scaling, $n$ workers do $n$ times as much, so the efficiency is the time of a step with one worker, divided by the time of a step with all of them.

# %% mystnb={"figure": {"caption": "Weak scaling: each worker keeps its batch. The same model, the same assumptions."}, "image": {"alt": "Efficiency over 1 to 128 workers, weak scaling. The curves of the processors and of GPUs with the fast link stay near 1; GPUs with Ethernet fall to about a third and stay there. A diamond, lower than the first curve, marks the measured two processes."}}
weak = {name: (workers, case["compute"] / step_seconds(workers, **case, weak=True)) for name, case in cases.items()}
plotting.show_scaling(weak, {"two processes": ([2], [alone / double])})

# %% [markdown]
# With **strong scaling** every line falls: each worker has less and less to compute, and as much to add up as before. At an efficiency below one half, two workers are *slower than one alone*, and that is where two GPUs with Ethernet stand: the all-reduce takes as long as the whole step of a single GPU. With **weak scaling** the lines fall far less, because each worker computes as much as before, and the time of a ring grows slowly.
#
# What decides is the amount of computing per byte sent. The small network on a CPU computes for a long time and sends little, so even a slow link is good enough. The GPU computes in a fraction of the time, for a network that sends many times as much. With the same link, a faster GPU makes the efficiency *worse*.
#
# The diamonds are the only measurements in these figures, and they lie far below the line they belong to, that of *this network, processors*. The model includes the gradients and nothing else: not the means of batch normalization, not the waiting for the slower worker, not the fifth of a second that we found above. Read its lines as what would be left if adding up the gradients were the only cost. A measurement with two workers of your own is worth more than the model.
#
# ## On a cluster: the scheduler is the launcher
#
# On a shared cluster nobody starts programs by hand. You write a script that says what it needs, and a **scheduler** runs it when that many machines are free. A common one is Slurm. Let `train.py` be a program like that of the worker above. For two machines with two GPUs each, this is `job.sh`:
#
#  ```bash
#  #!/bin/bash
#  #SBATCH --job-name=unet
#  #SBATCH --nodes=2
#  #SBATCH --ntasks-per-node=2
#  #SBATCH --cpus-per-task=8
#  #SBATCH --gpus-per-task=1
#  #SBATCH --time=02:00:00
#  #SBATCH --output=%x-%j.log
#  set -euo pipefail
#
#  first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
#  export KERAS_DISTRIBUTION_JOB_ADDRESSES="$first:29500"
#  export KERAS_DISTRIBUTION_NUM_PROCESSES="$SLURM_NTASKS"
#  export KERAS_BACKEND=jax
#  export JAX_LOCAL_DEVICE_IDS=0
#
#  srun --cpus-per-task=8 --kill-on-bad-exit=1 bash -c 'KERAS_DISTRIBUTION_PROCESS_ID=$SLURM_PROCID exec python train.py'
#  ```
#
# | line | what it does |
# |---|---|
# | `#SBATCH …` | a comment for bash, an order for Slurm: 2 machines (*nodes*), 2 workers (*tasks*) on each, cores and GPU for each worker, and a time limit after which everything is ended. Ask for a little more time than you need, but not much: shorter jobs tend to start sooner |
# | `set -euo pipefail` | stop at the first error |
# | `first=$(scontrol …)` | the name of the first machine, where the first worker will be found. Do not use `head` here: it can stop reading early, and the broken pipe would then end the script |
# | `export KERAS_…` | what `initialize()` reads, the same for all workers; 29500 is a port that must be free on the first machine |
# | `export JAX_LOCAL_DEVICE_IDS=0` | each task sees one GPU, and sees it as number 0. Without this line JAX looks for the GPU with the number of the task on its machine, and the second task on each finds none |
# | `srun … bash -c '…'` | start the program once per task. `SLURM_PROCID` is a different number in each, so it must be looked up inside the task, between the single quotes, and not here |
# | `--cpus-per-task=8` | said once more, because `srun` no longer takes it over from above (since Slurm 22.05) |
# | `--kill-on-bad-exit=1` | if one worker fails, end the others, which would otherwise wait for it |
#
# Submit it with `sbatch job.sh`, and watch it with `squeue --me`. Save a checkpoint after every epoch ([notebook 04](04_gpu_training.ipynb)), from rank 0 alone, because the job ends at its time limit without asking.
#
# ### Exercise 14.4: who am I?
#
# Slurm tells each worker a lot about itself. With 2 nodes and 2 tasks on each, there are four workers. Write `who_am_i(environment)`, which returns how many processes there are and the rank of this one, as numbers. The environment is a dict like this one:
#
# <details><summary>Hint 1</summary>
#
# Sort the six variables: which describe the whole job, which one machine, and which this worker? The rank must be different for each of the four workers.
#
# <details><summary>Hint 2</summary>
#
# Write down `SLURM_NODEID`, `SLURM_LOCALID` and `SLURM_PROCID` for all four workers. Two of the three repeat themselves. For the number of processes, look for all the tasks of the job.
#
# <details><summary>Hint 3</summary>
#
# What you read from the environment is text; `int(environment["SLURM_NTASKS"])` is the number of processes.
#
# </details>
# </details>
# </details>

# %%
fourth = {"SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2"}
fourth |= {"SLURM_NODEID": "1", "SLURM_LOCALID": "1", "SLURM_PROCID": "3"}


def who_am_i(environment):
    return ...  # (processes, rank)


check.who_am_i(who_am_i)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def who_am_i(environment):
    return int(environment["SLURM_NTASKS"]), int(environment["SLURM_PROCID"])


check.who_am_i(who_am_i)

# %%
folder.cleanup()
who_am_i(fourth)

# %% [markdown]
# ## Before you scale out
#
# Go in this order; each step is cheaper than the next.
#
# 1. **Measure what is slow** ([notebook 04](04_gpu_training.ipynb)). If the input pipeline is the bottleneck, a second GPU will only wait for it as well.
# 2. **Use one device well**: mixed precision, a batch that fills it, smaller images or patches.
# 3. **Is memory the problem, and not time?** Try gradient accumulation. More devices do not help a network that is too large for one of them, because each holds a complete copy.
# 4. **Are there several trainings to run?** Five folds or five seeds on five devices need no communication at all, and their efficiency is 1. For the data of one hospital this is nearly always the better use of a cluster.
# 5. **Several devices in one machine**, with a fast link.
# 6. **Several machines**, when one training takes days.
#
# ## Take-aways
#
# - Split the batch, copy the network, average the gradients: this is exact for equal parts, a loss that is a mean over slices, and no batch normalization.
# - Batch normalization and a Dice over the batch look at several slices. TensorFlow computes them per device, JAX over the global batch.
# - `MirroredStrategy` works; `MultiWorkerMirroredStrategy` does not with Keras 3; for several processes, use Keras on JAX with `keras.distribution`.
# - Every worker reads its own shard, and all make the same number of steps.
# - In an all-reduce each worker sends at most twice the gradients, however many workers there are; what counts is how fast the link is compared with the computing. With small batches per worker and slow cables, more workers gain nothing.
# - Doubling the workers at a constant batch per worker doubles the global batch. That is a new recipe, so tune it again.
#
# ## Questions to test yourself
#
# 1. Two GPUs, `batch_size=32` in `fit` under `MirroredStrategy`. How many slices does each GPU see per step?
#
#    - A. 16.
#    - B. 32.
#    - C. 64.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** 32 is the global batch, and each GPU gets its half.
# - **Not B:** this would be a global batch of 64. `fit` under this strategy takes the number for all of them together.
# - **Not C:** no GPU sees more than the global batch, and here it sees half.
#
# </details>
#
# 2. Under `MirroredStrategy`, a training with batch normalization gives another result on 8 GPUs with 2 slices each than on one with 16. Must something be broken?
#
#    - A. Yes, equal parts must give equal gradients.
#    - B. Yes, the gradients were summed in place of averaged.
#    - C. No, each GPU normalizes by its own 2 slices.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** Synchronize the statistics, use more slices per GPU, or another normalization.
# - **Not A:** this holds for a loss that is a mean over slices, and without layers that look at several slices at once.
# - **Not B:** that would be as if the learning rate were eight times as high. Batch normalization explains the difference without any mistake.
#
# </details>
#
# 3. Three workers have 40, 40 and 48 slices, and each takes 8 of its own in a step. What happens in step 6?
#
#    - A. The third goes on alone.
#    - B. The third waits until a time limit ends the job.
#    - C. The first two begin again with their first slices.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Two workers have no sixth batch, and never come to the sum of the gradients. All have to stop after 5.
# - **Not A:** each step ends with an all-reduce, for which all three are needed.
# - **Not C:** nobody tells them to. They are at the end of their epoch.
#
# </details>
#
# 4. With 4 workers a step takes 0.5 s; with one, the same step took 1.2 s. What are the speed-up and the efficiency?
#
#    - A. 2.4 and 0.6.
#    - B. 4 and 1.
#    - C. 2.4 and 2.4.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** 1.2 / 0.5 = 2.4, and 2.4 of 4 workers are 0.6.
# - **Not B:** this is what four workers would give if nothing were lost to communication and waiting.
# - **Not C:** the efficiency is the speed-up divided by the number of workers, and never more than 1 where nothing else changes.
#
# </details>
#
# 5. How much more does each worker send in a ring of 64 than in a ring of 2? And how many more messages follow one after the other?
#
# <details><summary>Answer</summary>
#
# It sends 2 · 63/64 of the array instead of 2 · 1/2, about twice as much, in 126 messages instead of 2.
#
# </details>
#
# 6. Someone has 20 GPUs and wants a 5-fold cross-validation of a 2D U-Net on 200 patients. What do you advise?
#
#    - A. One fold after the other, each on all 20 GPUs.
#    - B. Five trainings on five GPUs, at the same time.
#    - C. 20 folds in place of 5, one on each GPU.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** They need no communication. The other 15 GPUs can repeat them with other seeds.
# - **Not A:** each step would wait for the slowest of 20, and the global batch would change the recipe.
# - **Not C:** the number of folds follows from the patients and the question, and not from the number of GPUs.
#
# </details>
#
# ## Read more
#
# - Goyal and others (2017) {cite:p}`goyal2017minibatch`: large batches, the linear rule for the learning rate and the warm-up, and batch normalization per worker as a part of the recipe.
# - Patarasuk and Yuan (2009) {cite:p}`patarasuk2009ring`: why no all-reduce can do with less sending than the ring.
# - Li and others (2020) {cite:p}`li2020distributed`: how a library hides communication behind computing, with measurements up to 256 GPUs.
# - Ioffe and Szegedy (2015) {cite:p}`ioffe2015batchnorm`: batch normalization, whose statistics are the first thing to ask about on several devices.

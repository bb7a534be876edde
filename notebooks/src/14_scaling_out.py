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
# **You need before:** batch, step and learning rate ([notebook 04](04_gpu_training.ipynb)). Two cores are enough: they play two devices and two machines. Several processes need Linux or macOS; under Windows run this notebook inside WSL2.
#
# **Minutes:** 45 to read, with four exercises, 2 to run on two cores.
#
# **The misconception it removes:** "Twice the devices, half the time, same result." Whether the time is halved, communication decides; whether the result is the same, the batch, batch normalization and the loss.
#
# </div>

# %% [markdown]
# ## By hand: the gradient of a batch
#
# What the picture above shows is called **data parallelism**. Each **worker** (a GPU, a process, a machine) holds a complete copy of the network, and gets its part of every batch. It computes a gradient from its part alone. Then the gradients are averaged over all workers, and everyone makes the same step, so that the copies stay copies.
#
# Why should that be the same as one device with the whole batch? Because the loss is a *mean over slices*, its gradient is one too, and the mean of 16 is the mean of two means of 8. We try it, with a small network without batch normalization.

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
# Our batch of 16 slices is sorted by how much lung they show: one half small lungs, the other large ones. So the parts differ, as parts of real data do.

# %%
crossentropy = keras.losses.CategoricalCrossentropy()
batch = np.argsort(targets[:16, ..., 1].sum(axis=(1, 2)), kind="stable")
halves = [batch[:8], batch[8:]]
plain = small_unet()
whole = gradient(plain, crossentropy, batch)
parts = [gradient(plain, crossentropy, rows) for rows in halves]
print(f"a gradient is {whole.size:,} numbers, one for each weight")


# %% [markdown]
# How far are two gradients apart? We measure the length of their difference, in lengths of the right one.


# %%
def distance(found, right):
    return np.linalg.norm(found - right) / np.linalg.norm(right)


apart, mean = distance(parts[0], parts[1]), distance(np.mean(parts, axis=0), whole)
print(f"one half from the other: {apart:.2f}; the mean of both from the whole batch: {mean:.2f}")
assert mean < 1e-5

# %% [markdown]
# The two halves do not agree. But the mean of their gradients *is* the gradient of the batch, to five digits (the `assert` says so); what is left is rounding. Nothing is approximated. Where is the catch, then? There are four, and each of them is met in practice.

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
# Write `combine(gradients, sizes)`: a list of gradients (arrays), and how many slices each of them is the mean of. Return the gradient of all slices together.

# %%
from unet_helpers.teaching.checks import scaling_out as check


def combine(gradients, sizes):
    return ...


check.combine(combine)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def combine(gradients, sizes):
    return sum(size * part for size, part in zip(sizes, gradients)) / sum(sizes)


check.combine(combine)

# %%
assert distance(combine(uneven, [12, 4]), whole) < 1e-5

# %% [markdown]
# ### Second and third catch: what looks at the whole batch
#
# A mean over slices can be taken apart. Two things in this series look at *several slices at once*: **batch normalization** centers and scales each map by the mean and variance of the batch, and our **Dice loss** pools all pixels of the batch before it divides. The same comparison, halves against the whole:

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

# %% mystnb={"figure": {"caption": "Distance of the mean of two halves from the gradient of the whole batch, in lengths of the gradient."}, "image": {"alt": "Four bars: how far the mean of two halves is from the gradient of the whole batch. Cross-entropy and Dice of each image: no bar. Dice over the batch: a bar. With batch normalization: a bar."}}
import pandas as pd

off = pd.Series(off)
plotting.show_bars({"distance from the gradient of the whole": off}, panel=5.6, height=2.0)

# %%
assert off["cross-entropy"] < 1e-5 and off["Dice of each image"] < 1e-5
off.round(2)

# %% [markdown]
# Cross-entropy and the Dice of each image are means over slices: nothing is lost. The other two are not wrong, but *another training*: with the Dice over the batch, each worker divides by its own pixels; with batch normalization, each worker normalizes by its own slices. A few hundredths in one step are little, but they come in every step, and always in the same direction if the parts always differ in the same way. Two devices of 8 slices then train like one device with batches of 8, whose gradients are averaged in pairs.
#
# ## Several devices in one machine
#
# In TensorFlow this is `MirroredStrategy`: build and compile inside its scope, and the rest is `fit` as always. We have no two GPUs here. Instead, `divide_processor` in the first cell has told TensorFlow to see the processor as two *virtual devices*. That shows whether the result is right; it cannot show speed, because both share the same cores.

# %%
print([device.name for device in tf.config.list_logical_devices("CPU")])

# %% [markdown]
# One device first. The 64 slices are 4 batches of 16, in the order of the patients; the optimizer is plain gradient descent with momentum.

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

# %%
assert np.allclose(losses["one device"], losses["two devices"], atol=1e-4)
pairs = zip(one_device.get_weights(), two_devices.get_weights())
assert all(np.allclose(a, b, atol=1e-3) for a, b in pairs)

# %% [markdown]
# The same loss in each of the four epochs and, after 16 steps, the same weights, within 0.0001 and 0.001; the differences in the table are far smaller than these limits. Three things to remember when you do it with GPUs:
#
# - `batch_size` is the batch of *all* devices together, the **global batch**. Each of the two got 8 slices.
# - Create *one* strategy for a program, and use it for all networks. On processors, a second one trips over the messages of the first.
# - Without the names, `MirroredStrategy()` takes all GPUs it finds.
#
# And with the catches? `benchmarks/scaling.py` has made such pairs of trainings with both losses, with and without batch normalization. The largest difference of the loss from that of one device (or, last column, one process), in the same four epochs:

# %%
import json

from unet_helpers.teaching import RESULTS

measured = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))["results"]
number = measured["same"].pop("crossentropy returned as one number")
same = pd.DataFrame(measured["same"]).T.filter(regex="_loss$")
same = same.rename(columns=lambda name: name.removesuffix("_loss").replace("_", " "))
columns = ["two devices", "two devices synchronized", "two processes"]
same[columns].map("{:.0e}".format).replace({"nan": "", "0e+00": "0"})

# %%
by_device, synchronized = same["two devices"], same["two devices synchronized"]
assert by_device.iloc[0] < 1e-5 and (by_device.iloc[1:] > 2e-4).all() and (same["two processes"] < 1e-4).all()
assert synchronized["crossentropy, with batch normalization"] < 1e-4

# %% [markdown]
# Only the first row of *two devices* is rounding alone. In the others each device normalizes by its own 8 slices, or divides by its own pixels, and the training is another one, as we saw in the gradients. Batch normalization can be told to ask the other devices (`keras.layers.BatchNormalization(synchronized=True)`): with cross-entropy that mends it, up to rounding that grows from step to step, at the price of more messages; the Dice it does not mend. The last column is what the next section is about: two processes with JAX agree in all four.
#
# ### A fourth catch: a loss that is one number
#
# Many people write their own `dice_loss`, and it returns a single number for the batch. On one device that is as good as one number per image. On two devices? The same cross-entropy once more, this time averaged by ourselves:

# %%
curves = {"one device": number["one_device_curve"], "two devices": number["two_devices_curve"]}
pd.DataFrame(curves, index=table.index)

# %% [markdown]
# Keras divides a loss by the number of devices when *it* takes the mean over the slices. A loss that is a plain number already it leaves alone (Keras 3.15), and the gradients of the devices are then *added*, not averaged: a learning rate twice as high, and a reported loss about twice as large, without a word. On eight GPUs it is eight times. So let your own loss return one value per image, or at least an array with one element, as `DiceCrossEntropy` of this series does.
#
# ## Several processes, and several machines
#
# Two programs that do not share memory must send each other their gradients. In TensorFlow, `MultiWorkerMirroredStrategy` was made for that. **With Keras 3 it does not work** ([keras#20585](https://github.com/keras-team/keras/issues/20585)). The strategy can be created, the network can be built in its scope, and then `fit` says:

# %%
print(measured["multi_worker"]["fit_says"])

# %% [markdown]
# Tutorials that use it were written for Keras 2. What does work is the same Keras code with **JAX** in place of TensorFlow underneath: set `KERAS_BACKEND=jax`, and the network, the losses and `fit` stay as they are. `keras.distribution` then does what we did by hand. This is the program of one worker, and *every* worker runs the same:

# %%
import inspect

from unet_helpers.teaching import jax_worker

print(inspect.getsource(jax_worker.train))

# %% [markdown]
# Three lines are new compared with a training alone.
#
# - `initialize()` meets the other workers. It finds three things in the environment: the address of the first worker, how many there are, and which of them this one is (its **rank**, counted from 0).
# - `DataParallel` copies the network to all workers. `auto_shard_dataset=False` says that we divide the data ourselves.
# - `images[rank::workers]` are this worker's slices, and `batch_size // workers` of them are its part of the global batch. All parts together are the same 16 slices as in a training alone.
#
# Something must start the workers and tell each who it is: the **launcher**. On a cluster that is the scheduler, as we shall see. Here `train_in_processes` does it: it starts the program twice, gives each its three variables, waits, and ends all of them if one fails or takes too long. First, what every worker needs is written to a folder. This time the network *has* batch normalization.

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

# %%
assert (run_one.slices, run_two.slices) == ([64], [32, 32])
assert np.allclose(run_one.loss, run_two.loss, atol=1e-3)

# %% [markdown]
# Each of the two processes has read half of the slices and nothing else, and still the loss is that of one process, within 0.001 (the last column shows how much closer it is in fact). *With* batch normalization: JAX treats the batch as one array that happens to lie in two places, and takes means over all of it, wherever it lies. So the third catch depends on the tool:
#
# | | batch normalization over | Dice over the batch, over |
# |---|---|---|
# | `MirroredStrategy` (TensorFlow) | the slices of one device, unless `synchronized=True` | the slices of one device |
# | `keras.distribution` (JAX) | the global batch | the global batch |
#
# Now look at the seconds. Was it worth it? The live runs above are too short to tell, and which machine you have is not known here. The benchmark has measured it on a machine with two cores, with slices of 128 × 128, one thread for each core that a process has (`step_seconds` is the faster of two repeats):

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
# Hardly, and not on this machine. For the same batch two processes gain almost nothing over one core, and one process with two *threads* does on the same two cores what one hoped for from two processes. Threads share their memory, so that nothing has to be sent. With the double batch more slices go through per second, because each process has twice as much to compute between two messages.
#
# If computing were all, two processes would need half the time of one core, and the same time with the double batch. They need about a fifth of a second more, both times. That looks like a fixed price per step. What it consists of the benchmark does not say. Batch normalization may have a share in it, since the processes exchange means in every layer, forward and back, and wait for each other each time; the gradients, as we shall see below, have a small one.
#
# The slower repeat of the two processes lies further off than that of one process. That is no surprise: in every step the faster one waits for the other, so that a training on several workers is as fast as the slowest of them. Two cores are a place to learn how it works, and no reason to do it.
#
# ## Which result does the bigger batch give?
#
# With the global batch kept at 16 as above, more workers have less and less to do: **strong scaling**. Usually one goes the other way and keeps the batch *of each worker*, so that every GPU stays busy: **weak scaling**. Then the global batch grows, and the training is another one.

# %%
slices = 10_000
rows = [(workers, 16 * workers, int(np.ceil(slices / (16 * workers)))) for workers in (1, 2, 8, 64)]
pd.DataFrame(rows, columns=["workers", "global batch", "steps per epoch"]).set_index("workers")

# %% [markdown]
# Each epoch is over sooner, and the weights have been moved less often. To cover the same way in fewer steps, the steps must be longer. Goyal and others trained with batches of up to 8,192 photographs by two rules: multiply the learning rate by as much as the batch, and reach that rate gradually over the first epochs (*warm-up*) {cite:p}`goyal2017minibatch`. These rules were found for gradient descent with momentum, on a million photographs. Our whole training set is smaller than one such batch. Treat the learning rate as not known for any new global batch, and choose it on validation patients.
#
# ## Shards: every worker reads its own part
#
# If every worker read all files and threw most of them away, the disk would be the bottleneck. So each worker gets a **shard**, a part of the files that nobody else reads. A small folder will do as an example (the first seven characters of a mask's name are the patient):

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


# %%
def shard(patients, workers, rank):
    return ...


check.shard(shard)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def shard(patients, workers, rank):
    return patients[rank::workers]


check.shard(shard)

# %% [markdown]
# `tf.data` has the same as a method, `dataset.shard(workers, rank)`. Apply it to the list of *names*, before anything is read, and before anything is shuffled: shuffled differently on each worker, the shards would overlap.

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
# 16 patients cannot be divided by three, so that worker 0 has one batch more. That is not a matter of fairness. In its last step, worker 0 waits for the gradients of the others, who are through; it waits until a time limit ends the job. **All workers must make the same number of steps**: count them beforehand, and let everyone stop at the smallest number (`.take(steps)`), or repeat. In the next epoch another shuffle leaves out other slices.
#
# ## One device, a large batch: gradient accumulation
#
# The same sum can be spread over *time* in place of devices. If 16 slices do not fit into the memory, compute the gradients of 4, keep them, take the next 4, and make one step after the fourth time, with the mean. Keras has it in every optimizer:


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
# Without batch normalization, four times four slices make the step of sixteen, with the memory of four. With it, each four are normalized by themselves, exactly as on four devices under `MirroredStrategy`. Accumulation costs no communication, and saves no time either: it is the first thing to try when *memory* is what is missing.
#
# ## What it costs: adding up
#
# Every step ends with an **all-reduce**: all workers have an array of their own, and afterwards all have the sum. If everyone sent everything to the first worker, its cable would be the bottleneck. The **ring** does better {cite:p}`patarasuk2009ring`: each array is cut into as many chunks as there are workers, and everyone sends one chunk to the next worker, the last to the first, all at the same time. To see who has been added, worker 0 contributes 1, worker 1 contributes 10, then 100 and 1,000:

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
# Three steps of adding, three of handing on. With $n$ workers it is $2(n-1)$ steps, in each of which everyone sends $1/n$ of its array. So each worker sends $2(n-1)/n$ times its array: once for 2 workers, and *less than twice even for 1,000*. What does grow with $n$ is the number of messages, and each message has a **start-up time** before its first byte arrives (in networks it is called latency). With bandwidth $B$, start-up time $a$, and $S$ bytes:
#
# $$t = 2(n-1)\left(a + \frac{S}{nB}\right)$$
#
# On this machine the benchmark has measured it between two processes, for arrays of growing size:

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
# On the left the start-up time counts: a small array takes as long as a smaller one. On the right the bandwidth counts: twice the bytes, at least twice the time. The line was fitted to these points; only the largest array takes about twice as long as it says. For our question, what happens with more workers, two numbers are good enough.

# %%
print(f"start-up {1e6 * link['latency']:.0f} µs, bandwidth {link['bandwidth'] / 1e9:.1f} GB/s")
gradients = 4 * measured["speed"]["parameters"]
print(f"{gradients / 1e6:.1f} MB of gradients: {1e3 * all_reduce_seconds(2, gradients, **link):.1f} ms per step")

# %% [markdown]
# The network of the benchmark has few weights, and its all-reduce takes a small part of a step, which is a good part of a second. So it is not the gradients that slow our two processes.
#
# ## Efficiency: measured with two, modeled beyond
#
# ### Exercise 14.3: efficiency
#
# One worker needs `one` seconds for a step, `workers` of them need `many` seconds for the same step. Added up, the workers spend more time than the one. The **efficiency** is the share of it that the one would have needed: 1 if $n$ workers are $n$ times as fast.


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
# Beyond two workers this machine has nothing to measure with, so from here on it is a **model**: a step takes the time of computing, divided by $n$, plus the time of the all-reduce above, one after the other. (Good libraries send the first gradients while the last are still being computed {cite:p}`li2020distributed`, so that reality can be better; and workers wait for the slowest, so that it can be worse.) Three cases:
#
# - *this network, processors like this one*: seconds and link as measured above, and the assumption that a cable is as good as the inside of this machine;
# - *the U-Net of 2015 on GPUs, Ethernet*: we *assume* a tenth of a second per step, 10 Gbit/s and 50 µs;
# - *the same, fast link*: the same GPUs, and we assume 100 GB/s and 10 µs, as within a machine for that purpose.

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
# With weak scaling $n$ workers do $n$ times as much, so that the efficiency is the time of one step alone over that of one step together.

# %% mystnb={"figure": {"caption": "Weak scaling: each worker keeps its batch. The same model, the same assumptions."}, "image": {"alt": "Efficiency over 1 to 128 workers, weak scaling. The curves of the processors and of GPUs with the fast link stay near 1; GPUs with Ethernet fall to about a third and stay there. A diamond, lower than the first curve, marks the measured two processes."}}
weak = {name: (workers, case["compute"] / step_seconds(workers, **case, weak=True)) for name, case in cases.items()}
plotting.show_scaling(weak, {"two processes": ([2], [alone / double])})

# %% [markdown]
# With **strong scaling** every line falls: there is less and less to compute, and as much to add up as before. At an efficiency below a half two workers are *slower than one alone*, and that is where two GPUs with Ethernet stand: the all-reduce takes as long as the whole step of a single GPU. With **weak scaling** they fall far less, because a worker's computing stays the same and a ring's time grows slowly.
#
# What decides is computing per byte. The small network on a processor computes long and sends little, so that even a slow link is good enough. The GPU computes in a fraction of the time, for a network that sends many times as much. A faster GPU makes the efficiency *worse*.
#
# The diamonds are the only measurement in these figures, and they lie far below the line they belong to, that of *this network, processors*. The model knows the gradients and nothing else: not the means of batch normalization, not the waiting for the slower one, not the fifth of a second that we found above. Read its lines as what adding up gradients alone leaves possible; a measurement with two workers of your own is worth more than the model.
#
# ## On a cluster: the scheduler is the launcher
#
# On a shared cluster nobody starts programs on machines by hand. One writes what is needed into a script, and a **scheduler** runs it when so many machines are free. Slurm is the most common. With `train.py` a program like that of the worker above, for two machines with two GPUs each, this is `job.sh`:
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
# | `#SBATCH …` | a comment for bash, an order for Slurm: 2 machines (*nodes*), 2 workers (*tasks*) on each, cores and GPU for each worker, and a time after which everything is ended. Ask for more than you need, but not much: shorter jobs start sooner |
# | `set -euo pipefail` | stop at the first error |
# | `first=$(scontrol …)` | the name of the first machine, where the first worker will be found. Not with `head`: it would leave early, and the broken pipe would end the script |
# | `export KERAS_…` | what `initialize()` reads, the same for all workers; 29500 is a port that must be free on the first machine |
# | `export JAX_LOCAL_DEVICE_IDS=0` | each task sees one GPU, and sees it as number 0. Without this line JAX looks for the GPU with the number of the task on its machine, and the second task on each finds none |
# | `srun … bash -c '…'` | start the program once per task. `SLURM_PROCID` is another number in each, so it is looked up there, between the single quotes, and not here |
# | `--cpus-per-task=8` | once more, because `srun` does not take it over from above (since Slurm 22.05) |
# | `--kill-on-bad-exit=1` | if one worker fails, end the others, who would wait for it |
#
# Submit it with `sbatch job.sh`, look at it with `squeue --me`. And save a checkpoint after every epoch ([notebook 04](04_gpu_training.ipynb)), from rank 0 alone: the time limit does not ask.
#
# ### Exercise 14.4: who am I?
#
# Slurm tells each worker a lot about itself. With 2 nodes and 2 tasks on each, these are four workers. Write `who_am_i(environment)`: how many processes there are and the rank of this one, as numbers. The environment is a dict like this one:

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
# In this order; each step is cheaper than the next.
#
# 1. **Measure what is slow** ([notebook 04](04_gpu_training.ipynb)). If the input pipeline is the bottleneck, a second GPU waits for it too.
# 2. **One device, used well**: mixed precision, a batch that fills it, smaller images or patches.
# 3. **Memory, not time?** Gradient accumulation. More devices do not help a network that is too large for one of them, because each holds a complete copy.
# 4. **Several trainings?** Five folds or five seeds on five devices need no communication at all, and their efficiency is 1. For the data of one hospital this is nearly always the better use of a cluster.
# 5. **Several devices in one machine**, with a fast link.
# 6. **Several machines**, when one training takes days.
#
# ## Take-aways
#
# - Split the batch, copy the network, average the gradients: exact, for losses that are means over slices, with equal parts.
# - Batch normalization and a Dice over the batch look at several slices. TensorFlow computes them per device, JAX over the global batch.
# - `MirroredStrategy` works; `MultiWorkerMirroredStrategy` does not with Keras 3; for several processes take Keras on JAX with `keras.distribution`.
# - Every worker reads its own shard, and all make the same number of steps.
# - In an all-reduce each worker sends at most twice the gradients, however many workers there are; what counts is bytes per second against computing per second. Small batches per worker and slow cables make it worthless.
# - Doubling the workers at a constant batch per worker doubles the global batch. That is another recipe; tune it again.
#
# ## Questions to test yourself
#
# 1. Two GPUs, `batch_size=32` in `fit` under `MirroredStrategy`. How many slices does each GPU see per step?
# 2. A training with batch normalization gives another result on 8 GPUs with 2 slices each than on one with 16. Is something broken?
# 3. Your three workers have 40, 40 and 48 slices and batches of 8. What happens in step 6?
# 4. With 4 workers a step takes 0.5 s, with one it took 1.2 s. Speed-up? Efficiency?
# 5. A ring of 64 workers sends how much more per worker than a ring of 2? And how many more messages one after the other?
# 6. Someone has 20 GPUs and wants a 5-fold cross-validation of a 2D U-Net on 200 patients. What do you advise?
#
# <details><summary>Answer</summary>
#
# 1. 16: it is the global batch.
# 2. No. Each GPU normalizes by its own 2 slices. Synchronize the statistics, use more slices per GPU, or another normalization.
# 3. Two workers have no sixth batch, and the third waits for them until a time limit. All have to stop after 5.
# 4. 2.4 and 0.6.
# 5. 2 · 63/64 against 2 · 1/2 of the array: about twice as much. 126 messages against 2.
# 6. Five trainings on five GPUs, at the same time and without communication. The other 15 can repeat them with other seeds.
#
# </details>
#
# ## Read more
#
# - Goyal and others (2017) {cite:p}`goyal2017minibatch`: large batches, the linear rule for the learning rate and the warm-up, and batch normalization per worker as a part of the recipe.
# - Patarasuk and Yuan (2009) {cite:p}`patarasuk2009ring`: why no all-reduce can send less than the ring does.
# - Li and others (2020) {cite:p}`li2020distributed`: how a library hides communication behind computing, with measurements up to 256 GPUs.
# - Ioffe and Szegedy (2015) {cite:p}`ioffe2015batchnorm`: batch normalization, whose statistics are the first thing to ask about on several devices.

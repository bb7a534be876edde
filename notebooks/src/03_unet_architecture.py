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
# # 03 U-Net architecture
#
# Why does a network that colors every pixel have the shape of a U?

# %% [markdown]
# <div class="alert alert-info">
#
# **After this notebook you can**
#
# - say what each arrow and each number in a drawing of a U-Net stands for,
# - build the network in Keras, block by block, and count its parameters by hand,
# - choose an image size that fits a network, and pad an image that does not,
# - measure how far a network sees (its receptive field), and compute the same number,
# - look inside a trained network and find out what a skip connection carries.
#
# **You need before:** Python and NumPy; what a layer and a weight are. [Notebook 02](02_preprocessing.ipynb) explains the images. Words are explained where they appear, and again in the [glossary](../book/glossary.md).
#
# **Minutes:** 50 to read and work through, 2 to run on two cores.
#
# **The misconception it removes:** "More layers see more detail." Deeper levels see *farther* and *coarser*; the detail comes back over the skip connections.
#
# </div>

# %% mystnb={"figure": {"caption": "The U-Net that this notebook builds, drawn from the shapes of its own layers. A box is a stack of feature maps: its height stands for the size of the maps, its width and the number above for how many there are."}, "image": {"alt": "Drawing of a U-Net. A chest CT slice enters at the upper left, passes down through four levels with 64, 128, 256 and 512 channels to a bottleneck with 1024, and up again to a black and white lung mask at the upper right. Dashed arrows cross the U at each level."}}
from unet_helpers import UNet, load_dataset, plotting

data = load_dataset("phantom")
case = data.train[(data.train.masks == 2).sum(axis=(1, 2)).argmax()]
plotting.show_unet(UNet(), case.images[0], case.masks[0] > 0)

# %% [markdown]
# A CT slice goes in at the upper left, a mask comes out at the upper right. In between the picture becomes smaller and smaller (left arm), then larger again (right arm).
# Why the detour? The next picture shows it.

# %% [markdown]
# ## One pixel, two questions
#
# The slice above was chosen by a rule: the one with the largest nodule in the training set. We cut out the 5×5 pixels around the middle of the nodule,
# and then search the background for the 5×5 pixels that resemble them most.

# %%
import numpy as np

image, mask = case.images[0, ..., 0], case.masks[0]
nodule = np.argwhere(mask == 2).mean(axis=0).round().astype(int)
patches = np.lib.stride_tricks.sliding_window_view(np.pad(image, 2), (5, 5))
difference = ((patches - patches[tuple(nodule)]) ** 2).sum(axis=(2, 3))
allowed = np.pad(mask[16:-16, 16:-16] == 0, 16)
twin = np.unravel_index(np.where(allowed, difference, np.inf).argmin(), mask.shape)

# %% mystnb={"figure": {"caption": "Nodule (upper row) and a place outside the lung (lower row), seen through windows of 5×5 pixels, 33×33 pixels, and the whole slice."}, "image": {"alt": "Two rows. Left two gray patches of 5 by 5 pixels that look alike. Middle, 33 by 33 pixels around each: one shows a round nodule in dark lung, the other soft tissue. Right, the whole slice with both places marked."}}
with plotting.figure(2, 3, panel=2.2) as (fig, axes):
    for (row, column), name, axs in zip((nodule, twin), ("nodule", "background"), axes, strict=True):
        plotting.draw_image(axs[0], image[row - 2 : row + 3, column - 2 : column + 3], title=f"{name}, 5×5")
        plotting.draw_image(axs[1], image[row - 16 : row + 17, column - 16 : column + 17], title=f"{name}, 33×33")
        plotting.draw_image(axs[2], image, title=f"{name}, whole slice")
        plotting.draw_box(axs[2], (row - 2, row + 2), (column - 2, column + 2), "#E69F00")
fig

# %% [markdown]
# Seen through the small window the two places are hard to tell apart, yet one belongs to a nodule and the other does not. Seen with their surroundings, the difference is plain.
# A network that classifies a pixel must therefore answer two questions:
#
# - **What** is it? That needs *context*, the wide view.
# - **Where** exactly does it end? That needs the *full resolution*, pixel by pixel.
#
# A wide view at full resolution is expensive. The U answers the first question on small pictures, on the way down and in the bottleneck, and the second on large ones,
# with the help of the dashed arrows. We now build it from its parts.

# %% [markdown]
# ## The parts
#
# ### A convolution, by hand
#
# A convolution moves a small array of weights, the *kernel*, over the image. At each place it multiplies the two, number by number, and adds up.

# %%
tiny = np.array([[0, 0, 0, 9, 9], [0, 0, 0, 9, 9], [0, 0, 0, 9, 9], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
kernel = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
int((tiny[0:3, 0:3] * kernel).sum()), int((tiny[0:3, 1:4] * kernel).sum())

# %% [markdown]
# In the upper left corner all is dark: 0. One pixel to the right the kernel's right column lies on three bright pixels: 27. The same for every place:

# %% mystnb={"figure": {"caption": "A convolution by hand. The kernel answers where the image becomes brighter from left to right."}, "image": {"alt": "Three grids of numbers: a 5 by 5 image with a bright corner of nines, a 3 by 3 kernel with columns minus one, zero and one, and the 3 by 3 result, which is large where the image turns from dark to bright."}}
windows = np.lib.stride_tricks.sliding_window_view(tiny, (3, 3))
result = (windows * kernel).sum(axis=(2, 3))
plotting.show_numbers([tiny, kernel, result], ["image, 5×5", "kernel, 3×3", "result, 3×3"])

# %% [markdown]
# The result is large at the vertical edge and 0 where nothing changes: this kernel detects edges. In a network nobody writes the weights down; training finds them.
# Keras computes the same nine numbers:

# %%
import keras

same_as_keras = keras.ops.conv(tiny[None, :, :, None].astype("float32"), kernel[:, :, None, None].astype("float32"))
np.array_equal(np.squeeze(same_as_keras), result)

# %% [markdown]
# A 5×5 image gave a 3×3 result, because the kernel must not stick out. With `padding="same"` Keras first puts a rim of zeros around the image, and the size stays.
# The paper of 2015 did without the rim: its network took 572×572 pixels and gave a mask of 388×388 {cite:p}`ronneberger2015unet`. Today almost everyone pads.
#
# A layer `Conv2D(64, 3)` holds 64 such kernels, and each has one 3×3 slab of weights *for every incoming channel*, plus one number that is added at the end, the bias.

# %% [markdown]
# ### Exercise 03.1: count the parameters of a convolution
#
# Write the number of weights and biases of a `Conv2D` layer as a formula of kernel size, incoming channels and outgoing channels.

# %%
from unet_helpers.teaching.checks import unet_architecture as check


def parameters_of_conv(size, channels_in, channels_out):
    return ...


check.parameters_of_conv(parameters_of_conv)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def parameters_of_conv(size, channels_in, channels_out):
    return size * size * channels_in * channels_out + channels_out


check.parameters_of_conv(parameters_of_conv)

# %% [markdown]
# ### Normalize, cut, shrink
#
# Three small steps follow a convolution. **Batch normalization** brings each channel to mean 0 and standard deviation 1 over the batch, then scales and shifts it by two learned numbers;
# this keeps the numbers in range over many layers {cite:p}`ioffe2015batchnorm`. **ReLU** sets everything below 0 to 0. **Max-pooling** keeps the largest of each 2×2 pixels and so halves the size.
# Our edge kernel, on the real slice:

# %% mystnb={"figure": {"caption": "One convolution with the steps that follow it. The titles give the range of the numbers."}, "image": {"alt": "Five pictures in a row: the CT slice, its vertical edges in gray, the same after batch normalization, only the edges from dark to bright after ReLU, and the same at half the resolution after pooling."}}
x = case.images
steps = {"image": x}
steps["convolution"] = x = keras.ops.conv(x, kernel[:, :, None, None].astype("float32"), padding="same")
steps["batch normalization"] = x = keras.layers.BatchNormalization()(x, training=True)
steps["ReLU"] = x = keras.layers.ReLU()(x)
steps["max-pooling"] = x = keras.layers.MaxPooling2D(2)(x)
maps = [np.asarray(step)[0, ..., 0] for step in steps.values()]
titles = [f"{name}\n{m.min():.1f} to {m.max():.1f}" for name, m in zip(steps, maps, strict=True)]
plotting.show_maps(maps, titles, columns=5)

# %% [markdown]
# Dark and bright edges after the convolution; the same picture with another range after normalization; after ReLU only one kind of edge is left; after pooling the picture is coarser but still there.
# Pooling buys context, because the next 3×3 kernel covers twice the distance. It pays with place:

# %% mystnb={"figure": {"caption": "Two different images, one result: after max-pooling nobody can say in which of the four pixels the 9 was."}, "image": {"alt": "Four grids of numbers. Two 4 by 4 images with one bright pixel in different places become the same 2 by 2 image after pooling."}}
first, second = np.zeros((2, 4, 4))
first[0, 0] = second[1, 1] = 9
pooled = [np.squeeze(keras.ops.max_pool(a[None, :, :, None], 2)) for a in (first, second)]
plotting.show_numbers([first, second, *pooled], ["first", "second", "first, pooled", "second, pooled"])

# %% [markdown]
# One part remains. **Dropout** sets a random part of the numbers to 0 during training, so that no map becomes indispensable; it does nothing at prediction {cite:p}`srivastava2014dropout`.

# %%
keras.utils.set_random_seed(0)
dropped = keras.layers.Dropout(0.1)(np.ones((1, 100, 100, 1), "float32"), training=True)
f"{float((np.asarray(dropped) == 0).mean()):.0%} are zero, the mean is {float(np.mean(dropped)):.1f}"

# %% [markdown]
# About a tenth is gone, and the rest was enlarged so that the mean stays.

# %% [markdown]
# ## The contracting path
#
# With these parts a block is quickly written: twice convolution, normalization and ReLU, then dropout. A bias would be useless here, because the normalization subtracts it again.

# %%
from keras import layers


def conv_block(x, filters, dropout=0.0):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    return layers.Dropout(dropout)(x) if dropout else x


# %% [markdown]
# In Keras's *functional* style a layer is called like a function: a symbolic tensor goes in, one comes out, and its shape is known at once. `None` stands for the number of images in the batch.

# %%
inputs = keras.Input((128, 128, 1))
level1 = conv_block(inputs, 64, dropout=0.1)
level1.shape

# %%
level2 = conv_block(layers.MaxPooling2D(2)(level1), 128, dropout=0.1)
level2.shape

# %% [markdown]
# Half the height and width, twice the channels. And so on:

# %%
level3 = conv_block(layers.MaxPooling2D(2)(level2), 256, dropout=0.1)
level4 = conv_block(layers.MaxPooling2D(2)(level3), 512, dropout=0.1)
level3.shape, level4.shape

# %% [markdown]
# On each level there are fewer places, and more kinds of features at each place. The fifth block is the **bottleneck**.

# %%
bottleneck = conv_block(layers.MaxPooling2D(2)(level4), 1024, dropout=0.1)
bottleneck.shape

# %% [markdown]
# Only 8×8 places are left of 128×128, and each is described by 1024 numbers. Enough to say *what* is in the picture. Not enough to say where it ends: one place stands for 16×16 pixels.

# %% [markdown]
# ## The expanding path
#
# ### A transposed convolution, by hand
#
# To come back up, a *transposed convolution* spreads each pixel over several. With a 2×2 kernel and stride 2, each pixel becomes four: its value times the four weights.

# %% mystnb={"figure": {"caption": "A 2×2 transposed convolution with stride 2: every pixel leaves its own copy of the kernel, multiplied by its value."}, "image": {"alt": "Three grids: a 2 by 2 image with the values 1, 0, 0 and 3, a 2 by 2 kernel with weights 1, 2, 3 and 4, and the 4 by 4 result, which holds the kernel in the upper left and three times the kernel in the lower right."}}
small = np.array([[1, 0], [0, 3]])
weights = np.array([[1, 2], [3, 4]])
large = np.kron(small, weights)
plotting.show_numbers([small, weights, large], ["before, 2×2", "kernel, 2×2", "after, 4×4"])

# %%
up = keras.ops.conv_transpose(small[None, :, :, None].astype("float32"), weights[:, :, None, None].astype("float32"), 2)
np.array_equal(np.squeeze(up), large)

# %% [markdown]
# Keras agrees. The copies do not overlap, so the result is blocky: the *kernel* decides what the four pixels look like, the image only how strongly. {cite:t}`dumoulin2016convolution` draw all such cases.
#
# ### Join and convolve
#
# Now one step up: enlarge the bottleneck, put the map of level 4 beside it (**concatenate**), and let a block mix the two. This joining arrow is the **skip connection**.

# %%
up4 = layers.Conv2DTranspose(512, 2, strides=2)(bottleneck)
up4.shape, level4.shape

# %% [markdown]
# Same size, same number of channels: they can be joined.

# %%
joined = layers.Concatenate()([level4, up4])
right4 = conv_block(joined, 512)
joined.shape, right4.shape

# %% [markdown]
# 512 channels from below, which know *what*, and 512 from the left, which know *where*: 1024 channels, mixed down to 512. Three more steps of the same kind:

# %%
right3 = conv_block(layers.Concatenate()([level3, layers.Conv2DTranspose(256, 2, strides=2)(right4)]), 256)
right2 = conv_block(layers.Concatenate()([level2, layers.Conv2DTranspose(128, 2, strides=2)(right3)]), 128)
right1 = conv_block(layers.Concatenate()([level1, layers.Conv2DTranspose(64, 2, strides=2)(right2)]), 64)
right1.shape

# %% [markdown]
# ### One probability per class and pixel
#
# The last layer is a 1×1 convolution: at each pixel it turns 64 numbers into one per class. **Softmax** makes them probabilities, positive and with sum 1.

# %%
outputs = layers.Conv2D(2, 1, activation="softmax")(right1)
mine = keras.Model(inputs, outputs)
probabilities = np.asarray(mine(case.images))
probabilities.shape, float(probabilities[0, 64, 64].sum().round(3))

# %% [markdown]
# Two probabilities at each of the 128×128 pixels, and they add up to 1, though this network has learned nothing yet. With one class only, `num_classes=1`, a single map with a *sigmoid* does the same job.

# %% [markdown]
# ## The same network in one line
#
# The package builds this network too. Is it the same? We count the parameters, and compare the shapes of all layers.

# %%
theirs = UNet(input_shape=(128, 128, 1), num_classes=2)
print(f"block by block {mine.count_params():,}, UNet() {theirs.count_params():,}")
[layer.output.shape for layer in mine.layers] == [layer.output.shape for layer in theirs.layers]

# %% [markdown]
# Thirty-one million parameters both ways, layer for layer the same. Where do they sit? We ask the model. The layers' names begin with their block, so a table is one `groupby` away:

# %%
import pandas as pd

rows = [(layer.name.split("_")[0], *layer.output.shape[1:], layer.count_params()) for layer in theirs.layers]
table = pd.DataFrame(rows, columns=["block", "height", "width", "channels", "parameters"])

# %%
how = {"height": "last", "width": "last", "channels": "last", "parameters": "sum"}
blocks = table.groupby("block", sort=False).agg(how)
blocks[blocks["parameters"] > 0]

# %% mystnb={"figure": {"caption": "Where the parameters sit and where the numbers of one image sit: they are at opposite ends of the U."}, "image": {"alt": "Two bar charts over the levels of the U-Net. The parameters are highest at the bottleneck, the numbers kept for one image are highest at the first and last level."}}
work = table[table["block"].str.contains("down|bottleneck|up")]
numbers = (work["height"] * work["width"] * work["channels"]).groupby(work["block"], sort=False).sum() / 1e6
sizes = work.groupby("block", sort=False)["parameters"].sum() / 1e6
plotting.show_bars({"parameters (millions)": sizes, "numbers computed for one image (millions)": numbers})

# %% [markdown]
# The two charts are mirror images. The *parameters* sit at the bottom, where channels meet channels. The *feature maps* sit at the top, where the pictures are large; they are what fills the memory during training ([notebook 04](04_gpu_training.ipynb)).
#
# Both shrink if every level gets fewer channels. A quarter of the channels is about a sixteenth of the parameters:

# %%
widths = [4, 8, 16, 32, 64]
counts = [UNet(base_filters=base).count_params() for base in widths]
pd.DataFrame({"base_filters": widths, "parameters": counts, "share of 64": (np.array(counts) / counts[-1]).round(3)})

# %% [markdown]
# Doubling the channels makes four times the parameters. For the 34 training patients of this series eight channels are enough, and they run on a laptop: from here on, `base_filters=8`.

# %% [markdown]
# ### Exercise 03.2: repair a network
#
# This small U-Net pools twice. Run the cell, read the message, and repair the *expanding* path, so that each level has its skip connection.


# %%
def small_unet():
    inputs = keras.Input((64, 64, 1))
    high = conv_block(inputs, 8)
    middle = conv_block(layers.MaxPooling2D(2)(high), 16)
    low = conv_block(layers.MaxPooling2D(2)(middle), 32)
    x = layers.Conv2DTranspose(8, 2, strides=2)(low)
    x = conv_block(layers.Concatenate()([high, x]), 8)
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


check.repaired_unet(small_unet)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def small_unet():
    inputs = keras.Input((64, 64, 1))
    high = conv_block(inputs, 8)
    middle = conv_block(layers.MaxPooling2D(2)(high), 16)
    low = conv_block(layers.MaxPooling2D(2)(middle), 32)
    x = layers.Conv2DTranspose(16, 2, strides=2)(low)
    x = conv_block(layers.Concatenate()([middle, x]), 16)
    x = layers.Conv2DTranspose(8, 2, strides=2)(x)
    x = conv_block(layers.Concatenate()([high, x]), 8)
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


check.repaired_unet(small_unet)

# %% [markdown]
# ## Sizes that do not fit
#
# Four poolings halve the size four times. If a number on the way is odd, pooling drops a row, and on the way up it is missing:

# %%
down = [100 // 2**level for level in range(5)]
up = [down[4] * 2 ** (4 - level) for level in range(5)]
print(f"down {down}, up {up}")

# %% [markdown]
# Going down 100 becomes 6; coming up 6 becomes 12, 24, 48, 96. At the size of 25 the two arms do not fit, and a concatenation would fail deep inside the network.
# `UNet` says so at the door:

# %%
try:
    UNet(input_shape=(340, 500, 1))
except ValueError as error:
    print(error)

# %% [markdown]
# ### Exercise 03.3: the size that fits
#
# Write a function for the smallest size, not below `size`, that can be halved `depth` times.


# %%
def padded_size(size, depth):
    return ...


check.padded_size(padded_size)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def padded_size(size, depth):
    factor = 2**depth
    return -(-size // factor) * factor


check.padded_size(padded_size)

# %% [markdown]
# There are two remedies. *Resizing* changes the spacing and blurs the edges. *Padding* keeps every pixel: add air, predict, cut the air off again. We try it with the trained network that comes with this series.
# Its weights do not know a size (the formula of exercise 03.1 has no image size in it), so it was built for any size that can be halved four times: `None` stands for "whatever comes".

# %%
from unet_helpers import load_checkpoint

trained = load_checkpoint()
trained.input_shape, trained.output_shape

# %%
from unet_helpers import window

cut = image[14:114, 6:122]
missing = [-size % 16 for size in cut.shape]
air = float(window(-1000, level=-600, width=1500))
padded = np.pad(cut, [(0, rows) for rows in missing], constant_values=air)
prediction = np.asarray(trained(padded[None, ..., None]))[0].argmax(axis=-1)
back = prediction[: cut.shape[0], : cut.shape[1]]
print(f"cut {cut.shape}, padded {padded.shape} with {air:.2f}, prediction {prediction.shape}, cut back {back.shape}")

# %% mystnb={"figure": {"caption": "Pad, predict, cut back. The rim is air, like what surrounds a patient anyway."}, "image": {"alt": "Three pictures: a CT slice of 100 by 116 pixels, the same with a rim added at the right and below, and the slice with the predicted lung and nodule outlined."}}
titles = ["100×116", "padded to 112×128", "prediction, cut back"]
plotting.show_images([cut, padded, cut], titles, [None, None, back], data.class_names)

# %% [markdown]
# The lungs are found, and mask and image have one size again. Pad with air, which the network knows from around the patient. Air is not 0 here: −1000 HU is 0.23 in this window. Before windowing, a rim of 0 would even be water.

# %% [markdown]
# ## How far does it see?
#
# The **receptive field** of an output pixel is the part of the input that can change it. Two ways lead to it: compute it, or measure it.
#
# ### Compute
#
# Begin with one output pixel and walk backward through the network. A 3×3 convolution needs one more pixel on each side, so a block of two needs two more.
# Backward through a transposed convolution the coordinates halve; backward through a pooling they double.


# %%
def reach(pixel, depth=4):
    first, last = pixel, pixel
    for _ in range(depth):
        first, last = (first - 2) // 2, (last + 2) // 2
    first, last = first - 2, last + 2
    for _ in range(depth):
        first, last = 2 * first - 2, 2 * last + 1 + 2
    return first, last


first, last = reach(128)
print(f"pixel 128 depends on pixels {first} to {last}: {last - first + 1} of them")

# %% [markdown]
# That is for pixel 128. The poolings lay a grid over the image, and how far a pixel sees depends on where it stands in this grid. After four poolings the grid repeats every 16 pixels, so we ask 16 neighbors:


# %%
def sides(depth):
    """Side of the receptive field of each place in the grid."""
    reached = [reach(pixel, depth) for pixel in range(128, 128 + 2**depth)]
    return [last - first + 1 for first, last in reached]


pd.Series(sides(4)).value_counts().rename_axis("receptive field").rename("places")

# %% [markdown]
# A network of depth 4 looks at a square of about 190 to 200 pixels. By depth:

# %%
depths = [1, 2, 3, 4, 5]
smallest, largest = [min(sides(depth)) for depth in depths], [max(sides(depth)) for depth in depths]
sizes = [UNet(base_filters=8, depth=depth).count_params() for depth in depths]
pd.DataFrame({"depth": depths, "smallest field": smallest, "largest field": largest, "parameters": sizes})

# %% [markdown]
# Each level more doubles the view, and multiplies the parameters by about four.
#
# ### Measure
#
# Does the network agree? The gradient of one output pixel with respect to the input is 0 wherever the input has no influence. To make influences add up instead of cancel, we take the absolute value of all random weights;
# because max-pooling listens to one pixel of four at a time, we add up over sixteen noise images.


# %%
import tensorflow as tf


def influence(network, row, column, images):
    total = 0
    for few in np.array_split(images, len(images) // 4):  # all at once would take gigabytes
        few = tf.convert_to_tensor(few)
        with tf.GradientTape() as tape:
            tape.watch(few)
            pixel = keras.ops.sum(network(few)[:, row, column])
        total += np.abs(tape.gradient(pixel, few)).sum(axis=(0, -1))
    return total


def before_softmax(model):
    return keras.Model(model.input, model.get_layer("up1_relu2").output)


# %%
positive = UNet((256, 256, 1), base_filters=2, batch_norm=False, dropout=0)
positive.set_weights([np.abs(weight) for weight in positive.get_weights()])

# %%
noise = np.random.default_rng(0).random((16, 256, 256, 1), dtype=np.float32)
seen = np.argwhere(influence(before_softmax(positive), 128, 128, noise))
print(f"rows {seen[:, 0].min()} to {seen[:, 0].max()}, columns {seen[:, 1].min()} to {seen[:, 1].max()}")

# %% [markdown]
# The gradient is different from 0 on exactly the pixels that the formula gave for this place. On a slice, with the fields of shallower networks:

# %% mystnb={"figure": {"caption": "Receptive field of the middle pixel of a 256×256 slice, for U-Nets of depth 1 to 5."}, "image": {"alt": "A chest CT slice of 256 by 256 pixels with nested squares around its center. The smallest lies between the lungs, the fourth covers most of the chest, and the fifth, larger than the slice, cannot be seen."}}
from unet_helpers import resize_image

slice256 = resize_image(image, (256, 256))
with plotting.figure(width=4.2, height=3.6) as (fig, axes):
    plotting.draw_image(axes[0, 0], slice256)
    for depth, color in zip(depths, ("#F0E442", "#E69F00", "#56B4E9", "#009E73", "#CC79A7"), strict=True):
        plotting.draw_box(axes[0, 0], reach(128, depth), reach(128, depth), color, f"depth {depth}")
    axes[0, 0].set(xlim=(-0.5, 255.5), ylim=(255.5, -0.5))
    fig.legend(loc="outside right center", frameon=False, fontsize=9)
fig

# %% [markdown]
# A U-Net of depth 1 or 2 sees a vessel or a piece of lung wall, but not that it lies in a lung. Depth 4 sees the greater part of a chest at this resolution, and all of it at 128×128.
# Note that the field is counted in *pixels*: at twice the resolution, it covers half the millimeters.
#
# ### What it can see and what it looks at
#
# *Can* change is not *does* change. In the trained network, how is the influence on the middle pixel really distributed? The same function answers, on the validation slices.

# %% mystnb={"figure": {"caption": "Influence of each input pixel on the middle output pixel of the trained network, over all validation slices; from black to white it grows by five factors of ten. The square has 31×31 pixels."}, "image": {"alt": "Two pictures side by side: a CT slice with a small square in the middle, and a map of the influence on the middle pixel, bright in a small spot in the middle and fading outward."}}
listens = influence(before_softmax(trained), 64, 64, data.validation.images)
listens = listens / listens.sum()
with plotting.figure(1, 2, panel=2.8) as (fig, axes):
    plotting.draw_image(axes[0, 0], image, title="a slice, for scale")
    plotting.draw_image(axes[0, 1], np.log10(listens + 1e-9), limits=(-7, -2), title="influence (logarithmic)")
    for ax in axes[0]:
        plotting.draw_box(ax, (49, 79), (49, 79), "#E69F00")
fig

# %% nbval_tolerance=0.01
squares = [5, 11, 31, 61, 127]
shares = [listens[64 - side // 2 : 65 + side // 2, 64 - side // 2 : 65 + side // 2].sum() for side in squares]
pd.DataFrame({"square": [f"{side}×{side}" for side in squares], "share of the influence": np.round(shares, 2)})

# %% [markdown]
# The whole slice can have a say, but about three quarters of the influence come from the square of 31×31, which is 6 % of the slice. This *effective* receptive field is much smaller than the theoretical one {cite:p}`luo2016receptive`.
# So do not read the formula as "the network understands the whole chest": it is an upper bound.

# %% [markdown]
# ### Exercise 03.4: two small or one large
#
# Write a function for the side of the receptive field of several convolutions in a row (no pooling), given their kernel sizes. Then compare `[3, 3]` with `[5]`.


# %%
def receptive_field(kernel_sizes):
    return ...


check.receptive_field(receptive_field)


# %% jupyter={"source_hidden": true} mystnb={"code_prompt_hide": "Hide the solution", "code_prompt_show": "Show the solution"} tags=["hide-cell"]
def receptive_field(kernel_sizes):
    return 1 + sum(size - 1 for size in kernel_sizes)


check.receptive_field(receptive_field)

# %% [markdown]
# ## Inside a trained network
#
# A Keras model may have several outputs. We ask the trained network for what leaves each block, for the validation slice with the largest nodule.

# %%
names = [f"down{n}" for n in (1, 2, 3, 4)] + ["bottleneck"] + [f"up{n}" for n in (4, 3, 2, 1)]
inside = keras.Model(trained.input, [trained.get_layer(f"{name}_relu2").output for name in names])

# %%
chosen = data.validation[(data.validation.masks == 2).sum(axis=(1, 2)).argmax()]
features = {name: np.asarray(maps)[0] for name, maps in zip(names, inside(chosen.images), strict=True)}
[(name, maps.shape) for name, maps in features.items() if name in ("down1", "bottleneck", "up1")]


# %% [markdown]
# A block has between 8 and 128 maps. We look at the four that vary most.


# %% mystnb={"figure": {"caption": "The four liveliest feature maps of the first block, the bottleneck and the last block."}, "image": {"alt": "Grid of feature maps, three rows. First level: sharp pictures of the chest with its edges. Bottleneck: a few gray squares. Last level: sharp again, with the lungs, the nodule or the air outside the body bright on black."}}
def liveliest(maps, count=4):
    order = np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:count]
    return [maps[..., index] for index in order]


shown = [feature for name in ("down1", "bottleneck", "up1") for feature in liveliest(features[name])]
plotting.show_maps(shown, [name for name in ("down1", "bottleneck", "up1") for _ in range(4)])

# %% [markdown]
# On top, the first block: pictures of the chest, its edges and its textures, all of them sharp. In the middle, the bottleneck: each square stands for 16×16 pixels; it can say "something like this, about here", and nothing about edges.
# At the bottom, the last block: sharp like the first, but now the maps show *classes*, not gray values: some are bright where lung is, others where the nodule is, or outside the body. Move through all nine blocks:

# %%
from unet_helpers.plotting.widgets import explore

frames = [plotting.show_maps(liveliest(features[name]), columns=4, panel=1.5) for name in names]
labels = [f"{name}: {maps.shape[2]} maps of {maps.shape[0]}×{maps.shape[1]}" for name, maps in features.items()]
explore(frames, labels, "block", width=600)

# %% [markdown]
# On the way up, a pattern of small squares may be visible at `up2` or `up1`. It comes from the transposed convolutions, whose copies of the kernel lie side by side, as in the picture with the numbers above; it is called a checkerboard artifact {cite:p}`odena2016deconvolution`.

# %% [markdown]
# ## What does a skip connection carry?
#
# We cut one and see. The function copies the trained network, and on the way multiplies what comes over one skip connection by 0. Nothing else changes, and nothing is trained again.


# %%
def without_skip(model, name):
    def call(layer, inputs, **options):
        if layer.name == name:
            inputs = [inputs[0] * 0, inputs[1]]
        return layer(inputs, **options)

    copy = keras.models.clone_model(model, call_function=call)
    copy.set_weights(model.get_weights())
    return copy


# %% nbval_tolerance=0.02
from unet_helpers.evaluation import counts_per_class

networks = {"all skips": trained}
for name in ("skip1", "skip2", "skip3", "skip4"):
    networks[f"without {name}"] = without_skip(trained, name)
parts = np.array_split(data.validation.images, 8)  # all slices at once would take much memory
predictions = {name: np.concatenate([net(part) for part in parts]).argmax(axis=-1) for name, net in networks.items()}
counts = [counts_per_class(data.validation.masks, found, 3) for found in predictions.values()]
rows = [[one.dice for one in both[1:]] for both in counts]
scores = pd.DataFrame(rows, index=list(predictions), columns=["lung", "nodule"]).rename_axis(columns="Dice")
scores.round(2)

# %% [markdown]
# Dice is 1 where prediction and ground truth agree and 0 where they share nothing; here it is computed over all validation slices together ([notebook 05](05_evaluation.ipynb) says more about it). `skip1` is the uppermost arrow of the U, `skip4` the lowest.

# %%
assert (scores.loc[["without skip1", "without skip4"], "lung"] < 0.9).all()
assert (scores["nodule"] < scores.loc["all skips", "nodule"]).sum() == 4

# %% mystnb={"figure": {"caption": "The same slice and the same weights, with one skip connection cut at a time."}, "image": {"alt": "Six copies of one CT slice with lung and nodule outlined: the ground truth, the prediction with all skip connections, and the predictions with each of the four cut."}}
index = (data.validation.masks == 2).sum(axis=(1, 2)).argmax()
masks = [chosen.masks[0], *(found[index] for found in predictions.values())]
plotting.show_images([chosen.images[0]] * 6, ["ground truth", *predictions], masks, data.class_names, columns=3)

# %% [markdown]
# - Without `skip1` the outline leaves the lung and wanders through the chest wall. The map of 128×128 was the one that knew where each edge runs; the rest of the network only knows roughly where lungs are.
# - Without `skip4` the outline is sharp where there is one, but large pieces of lung are missing: this arrow carries little detail and much of the *what*.
# - The nodule suffers from every cut, and not most from the uppermost. Which arrow matters for which class is learned from the data, and cannot be read off the drawing.
#
# One caution: the network was trained with all its arrows, and the zeros are something it has never seen. A network that is *trained* without them (`UNet(skip_connections=False)`) can make up for much of it in the lung; whether in the nodule too, notebook 08 measures.

# %% [markdown]
# ## Take-aways
#
# - The contracting path and the bottleneck answer *what*, on small maps with many channels; the expanding path and the skip connections answer *where*, on large maps with few.
# - A convolution has size² × channels in × channels out weights and one bias for each channel out. The image size does not occur, so one set of weights serves images of any fitting size.
# - Parameters sit at the bottom of the U, the memory for feature maps at the top. Half the channels, a quarter of the parameters.
# - Height and width must be multiples of $2^{depth}$. Pad with air and cut back; resize only if you mean to change the spacing.
# - The receptive field says how far the network *can* see. Most of the influence comes from much nearer.

# %% [markdown]
# ## Questions to test yourself
#
# 1. Why does a mask need skip connections, while a network that only says "nodule, yes or no" does not?
#
# <details><summary>Answer</summary>
#
# "Yes or no" is a *what* without a *where*. Pooling may throw the place away, because nobody asks for it. A mask needs the place of each edge, and after four poolings one position stands for 16×16 pixels.
#
# </details>
#
# 2. How many parameters has a `Conv2D(32, 3)` with bias on a map with 16 channels, and how many for an image twice as large?
#
# <details><summary>Answer</summary>
#
# 3·3·16·32 + 32 = 4640. For a larger image the same: the kernel moves over it.
#
# </details>
#
# 3. Your slices have 250×250 pixels and the U-Net has depth 4. What do you do?
#
# <details><summary>Answer</summary>
#
# The next multiple of 16 is 256: pad 6 rows and 6 columns of air, predict, cut back to 250×250.
#
# </details>
#
# 4. The same network is used at 512×512 instead of 128×128, on the same patients. What happens to its receptive field?
#
# <details><summary>Answer</summary>
#
# In pixels it stays as it was. In millimeters it becomes a quarter, because each pixel covers a quarter of the length. What used to see the whole chest now sees a piece of it; one more or two more levels make up for it.
#
# </details>
#
# 5. The network runs out of memory during training. Does it help more to remove channels from the bottleneck or from the first level?
#
# <details><summary>Answer</summary>
#
# From the first level (or to take smaller images or batches): there the maps are large. The bottleneck holds most parameters, but its maps are tiny.
#
# </details>

# %% [markdown]
# ## Read more
#
# - Ronneberger, Fischer and Brox (2015) {cite:p}`ronneberger2015unet`: the paper, eight pages, with the drawing that gave the network its name.
# - Long, Shelhamer and Darrell (2015) {cite:p}`long2015fcn`: the step before, from "what is in the picture" to one class per pixel.
# - Dumoulin and Visin (2016) {cite:p}`dumoulin2016convolution`: convolutions, padding, strides and transposed convolutions, as drawings.
# - Luo and colleagues (2016) {cite:p}`luo2016receptive`: why the effective receptive field is smaller than the formula.
# - Odena, Dumoulin and Olah (2016) {cite:p}`odena2016deconvolution`: where checkerboards come from, with interactive pictures.
# - Isensee and colleagues (2021) {cite:p}`isensee2021nnunet`: a plain U-Net, configured with care, against many elaborate ones.

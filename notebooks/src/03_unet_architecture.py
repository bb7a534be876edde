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
# - look inside a trained network, and find out what a skip connection carries without being misled by the way you cut it.
#
# **You need before:** Python and NumPy; what a layer and a weight are. [Notebook 02](02_preprocessing.ipynb) explains the images. Words are explained where they appear, and again in the [glossary](../book/glossary.md).
#
# **Minutes:** 55 to read and work through, 2 to run on two cores.
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
# A CT slice goes in at the upper left, and a mask comes out at the upper right. In between the picture becomes smaller and smaller (left arm), then larger again (right arm).
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
# In the upper left corner everything is dark, and the sum is 0. One pixel to the right, the kernel's right column lies on three bright pixels, and the sum is 27. Here is the sum for every place:

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
# A 5×5 image gave a 3×3 result, because the kernel must stay inside the image. With `padding="same"` Keras first puts a rim of zeros around the image, and the size stays.
# The paper of 2015 did without the rim: its network took 572×572 pixels and gave a mask of 388×388 {cite:p}`ronneberger2015unet`. Today almost everyone pads.
#
# A layer `Conv2D(64, 3)` holds 64 such kernels, and each has one 3×3 slab of weights *for every incoming channel*, plus one number that is added at the end, the bias.

# %% [markdown]
# ### Exercise 03.1: count the parameters of a convolution
#
# Write the number of weights and biases of a `Conv2D` layer as a formula of kernel size, incoming channels and outgoing channels.
#
# <details><summary>Hint 1</summary>
#
# Begin with `Conv2D(64, 3)` on a single incoming channel: how many kernels are there, and how many numbers are in each? Then let two channels come in. What doubles, and what stays?
#
# <details><summary>Hint 2</summary>
#
# One kernel has size × size weights for every incoming channel, and one bias of its own. There is one kernel for each outgoing channel.
#
# </details>
# </details>

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
# Here is our edge kernel on the slice from the top of the page:

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
# Pooling gains context, because the next 3×3 kernel covers twice the distance. The price is the exact place:

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
# About a tenth is gone, and the rest was enlarged so that the mean stays the same.

# %% [markdown]
# ## The contracting path
#
# With these parts a block is quickly written: convolution, normalization and ReLU, all of it twice, then dropout. A bias would be useless here, because the normalization subtracts it again.

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
# Height and width are halved, and the channels doubled. The next two levels do the same:

# %%
level3 = conv_block(layers.MaxPooling2D(2)(level2), 256, dropout=0.1)
level4 = conv_block(layers.MaxPooling2D(2)(level3), 512, dropout=0.1)
level3.shape, level4.shape

# %% [markdown]
# On each level there are fewer places and more features at each place. The fifth block is the **bottleneck**.

# %%
bottleneck = conv_block(layers.MaxPooling2D(2)(level4), 1024, dropout=0.1)
bottleneck.shape

# %% [markdown]
# Only 8×8 places are left of 128×128, and each is described by 1024 numbers. That is enough to say *what* is in the picture, but not where it ends: one place stands for 16×16 pixels.

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
# Keras agrees. The copies do not overlap, so the result is blocky: the *kernel* decides what the four pixels look like, the image only how bright they are. {cite:t}`dumoulin2016convolution` draw all such cases.
#
# ### Join and convolve
#
# Now one step up: enlarge the bottleneck, put the map of level 4 beside it (**concatenate**), and let a block mix the two. This joining arrow is the **skip connection**.

# %%
up4 = layers.Conv2DTranspose(512, 2, strides=2)(bottleneck)
up4.shape, level4.shape

# %% [markdown]
# Both have the same height and width, so they can be joined.

# %%
joined = layers.Concatenate()([level4, up4])
right4 = conv_block(joined, 512)
joined.shape, right4.shape

# %% [markdown]
# Of the 1024 channels, 512 come from below, from the place that sees farthest, and 512 come from the left, with one pooling less behind them. The block mixes them down to 512. Three more steps are of the same kind:

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
# The package also builds this network. Is it the same? We count the parameters, and compare the shapes of all layers.

# %%
theirs = UNet(input_shape=(128, 128, 1), num_classes=2)
print(f"block by block {mine.count_params():,}, UNet() {theirs.count_params():,}")
[layer.output.shape for layer in mine.layers] == [layer.output.shape for layer in theirs.layers]

# %% [markdown]
# Both have thirty-one million parameters and, layer for layer, the same shapes. Where are the parameters? The layers' names begin with their block, so a table is one `groupby` away:

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
# The two charts are mirror images. The *parameters* sit at the bottom, where many channels meet many channels. The *feature maps* sit at the top, where the pictures are large; they are what fills the memory during training ([notebook 04](04_gpu_training.ipynb)).
#
# Both shrink if every level gets fewer channels. With a quarter of the channels, a network has about a sixteenth of the parameters:

# %%
widths = [4, 8, 16, 32, 64]
counts = [UNet(base_filters=base).count_params() for base in widths]
pd.DataFrame({"base_filters": widths, "parameters": counts, "share of 64": (np.array(counts) / counts[-1]).round(3)})

# %% [markdown]
# Doubling the channels quadruples the parameters. For the 34 training patients of this series eight channels on the first level are enough, and such a network trains on a laptop. So from here on we use `base_filters=8`.

# %% [markdown]
# ### Exercise 03.2: repair a network
#
# This small U-Net pools twice. Run the cell, read the message, and repair the *expanding* path, so that each level has its skip connection.
#
# <details><summary>Hint 1</summary>
#
# Read the two shapes in Keras's message: which two maps were to be joined? Now draw this U, with three boxes at 64×64, 32×32 and 16×16. Which box on the right is missing?
#
# <details><summary>Hint 2</summary>
#
# Go up one level at a time: enlarge `low`, join it with the map of the same size from the left, and let a block mix the two. Then do the same once more. The cells of `up4`, `joined` and `right4` above show one such step.
#
# <details><summary>Hint 3</summary>
#
# The first new line is `x = layers.Conv2DTranspose(16, 2, strides=2)(low)`: its result has 32×32 places, like `middle`. What stands in the program now is nearly the second step, but it must begin with `x` in place of `low`.
#
# </details>
# </details>
# </details>


# %%
def small_unet():
    inputs = keras.Input((64, 64, 1))
    high = conv_block(inputs, 8)
    middle = conv_block(layers.MaxPooling2D(2)(high), 16)
    low = conv_block(layers.MaxPooling2D(2)(middle), 32)
    x = layers.Conv2DTranspose(8, 2, strides=2)(low)
    x = conv_block(layers.Concatenate()([high, x]), 8)
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


try:
    small_unet()
except ValueError as error:
    print("Keras says:", error)
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
# `UNet` says so before anything runs:

# %%
try:
    UNet(input_shape=(340, 500, 1))
except ValueError as error:
    print(error)

# %% [markdown]
# ### Exercise 03.3: the size that fits
#
# Write a function for the smallest size, not below `size`, that can be halved `depth` times.
#
# <details><summary>Hint 1</summary>
#
# Which sizes can be halved twice? Write down the first few, and look at what they have in common. Which of them would you choose for a size of 9, and which for a size of 8?
#
# <details><summary>Hint 2</summary>
#
# They are the multiples of `2**depth`. Divide the size by this number, round *up*, and multiply by it again.
#
# <details><summary>Hint 3</summary>
#
# `math.ceil(a / b)` rounds up (after `import math`); for whole numbers, `-(-a // b)` does too.
#
# </details>
# </details>
# </details>


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
# There are two remedies. *Resizing* changes the spacing and blurs the edges. *Padding* keeps every pixel: add air, predict, cut the air off again. We try padding with the trained network that comes with this series.
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
# The lungs are found, and the mask has the size of the image. Pad with air, which the network knows from around the patient, and from its training, where crops that reach beyond the slice were filled with air as well. Air is not 0 here: −1000 HU is 0.23 in this window. Before windowing, a rim of 0 would be water.

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
# That is for pixel 128. The poolings lay a grid over the image, and how far a pixel sees depends on its place in this grid. After four poolings the grid repeats every 16 pixels, so we compute the side for 16 neighbors:


# %%
def sides(depth):
    """Side of the receptive field of each place in the grid."""
    reached = [reach(pixel, depth) for pixel in range(128, 128 + 2**depth)]
    return [last - first + 1 for first, last in reached]


pd.Series(sides(4)).value_counts().rename_axis("receptive field").rename("places")

# %% [markdown]
# At depth 4, a quarter of the pixels see a square of 188 pixels, and the others one of 204. For other depths:

# %%
depths = [1, 2, 3, 4, 5]
smallest, largest = [min(sides(depth)) for depth in depths], [max(sides(depth)) for depth in depths]
sizes = [UNet(base_filters=8, depth=depth).count_params() for depth in depths]
pd.DataFrame({"depth": depths, "smallest field": smallest, "largest field": largest, "parameters": sizes})

# %% [markdown]
# Each further level doubles the view, and multiplies the parameters by about four.
#
# ### Measure
#
# Does the network agree? The gradient of an output with respect to the input is 0 wherever the input has no influence. As the output we take one pixel in all maps of the last block, added up: the 1×1 convolution behind them sees no farther.
# To make influences add up instead of cancel, we take the absolute value of all random weights; because max-pooling passes on one pixel of four at a time, we add up over sixteen noise images.


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


def up_to_last_block(model):
    return keras.Model(model.input, model.get_layer("up1_relu2").output)


# %%
positive = UNet((256, 256, 1), base_filters=2, batch_norm=False, dropout=0)
positive.set_weights([np.abs(weight) for weight in positive.get_weights()])

# %%
noise = np.random.default_rng(0).random((16, 256, 256, 1), dtype=np.float32)
seen = np.argwhere(influence(up_to_last_block(positive), 128, 128, noise))
print(f"rows {seen[:, 0].min()} to {seen[:, 0].max()}, columns {seen[:, 1].min()} to {seen[:, 1].max()}")

# %% [markdown]
# The gradient is different from 0 on exactly the pixels that the formula gave for this place. On a slice, with the fields of shallower networks:

# %% mystnb={"figure": {"caption": "Receptive field of the middle pixel of a 256×256 slice, for U-Nets of depth 1 to 5. The largest reaches beyond the slice, into the zeros of the padding."}, "image": {"alt": "A chest CT slice of 256 by 256 pixels with nested squares around its center. The smallest lies between the lungs, the fourth covers most of the chest, and the fifth surrounds the whole slice with a wide margin."}}
from unet_helpers import resize_image

slice256 = resize_image(image, (256, 256))
first, last = reach(128, depth=5)
with plotting.figure(width=4.8, height=3.8) as (fig, axes):
    plotting.draw_image(axes[0, 0], slice256)
    for depth, color in zip(depths, ("#F0E442", "#E69F00", "#56B4E9", "#009E73", "#CC79A7"), strict=True):
        plotting.draw_box(axes[0, 0], reach(128, depth), reach(128, depth), color, f"depth {depth}")
    axes[0, 0].set(xlim=(first - 5, last + 5), ylim=(last + 5, first - 5))
    fig.legend(loc="outside right center", frameon=False, fontsize=9)
fig

# %% [markdown]
# A U-Net of depth 1 or 2 sees a vessel or a piece of lung wall, but not that it lies in a lung. Depth 4 sees the greater part of a chest at this resolution, and all of it at 128×128. Depth 5 sees more than there is.
# Note that the field is counted in *pixels*: at twice the resolution, it covers half the millimeters.
#
# ### What it can see and what it looks at
#
# What *can* change a pixel need not be what *does*. How is the influence on the middle pixel distributed in the trained network? The same function answers, on the validation slices. It shows what moves the eight maps of the last block, taken together, and not what decides for one class.

# %% mystnb={"figure": {"caption": "Influence of each input pixel on the middle pixel of the last block's maps in the trained network, over all validation slices; from black to white it grows by five factors of ten. The square has 31×31 pixels."}, "image": {"alt": "Two pictures side by side: a CT slice with a small square in the middle, and a map of the influence on the middle pixel, bright in a small spot in the middle and fading outward."}}
listens = influence(up_to_last_block(trained), 64, 64, data.validation.images)
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
# The whole slice can have a say, but about three quarters of the influence comes from the square of 31×31, which is 6 % of the slice. This *effective* receptive field is much smaller than the theoretical one {cite:p}`luo2016receptive`.
# So the formula does not say that the network understands the whole chest. It says beyond which pixels it cannot look.

# %% [markdown]
# ### Exercise 03.4: two small or one large
#
# Write a function for the side of the receptive field of several convolutions in a row (no pooling), given their kernel sizes. Then compare `[3, 3]` with `[5]`.
#
# <details><summary>Hint 1</summary>
#
# Draw a row of pixels, and walk backward as above. After a kernel of 3, on how many pixels does one output pixel depend? On how many if another kernel of 3 comes before it?
#
# <details><summary>Hint 2</summary>
#
# Without any convolution a pixel depends on itself alone: that is 1. A kernel of 3 adds two pixels. How many does a kernel of 5 add, and how many one of 2?
#
# <details><summary>Hint 3</summary>
#
# Each kernel adds its size minus 1. Begin with 1, and add this up over the list.
#
# </details>
# </details>
# </details>


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
# A block has between 8 and 128 maps, and many of them are nearly alike. To see different ones, we begin with the map that varies most, and add the one that correlates least with those already picked. Maps that hardly vary are left out.


# %% mystnb={"figure": {"caption": "Four unlike feature maps of the first block, the bottleneck and the last block."}, "image": {"alt": "Grid of feature maps, three rows. First block: sharp pictures of the chest with its edges. Bottleneck: 8 by 8 squares; one map is bright at the bottom, one in the upper half, one in the middle, one along the right edge. Last block: sharp again, two maps with the lungs and two with the nodule bright on black."}}
def unlike(maps, count=4):
    spread = maps.std(axis=(0, 1))
    lively = maps[..., np.argsort(-spread, kind="stable")[: max(count, len(spread) // 2)]]
    alike = np.corrcoef(lively.reshape(-1, lively.shape[-1]).T)
    picked = [0]
    while len(picked) < count:
        picked.append(alike[picked].max(axis=0).argmin())
    return [lively[..., index] for index in picked]


rows = ("down1", "bottleneck", "up1")
shown = [feature for name in rows for feature in unlike(features[name])]
plotting.show_maps(shown, [name for name in rows for _ in range(4)])

# %% [markdown]
# On top is the first block: pictures of the chest, its edges and its textures, all of them sharp. In the middle is the bottleneck, where each square stands for 16×16 pixels. One map is bright at the bottom, where the back and the table are, one over the front of the chest, one in its middle, and one along the edge of the picture: they say "something like this, about here", and nothing about edges.
# At the bottom is the last block: sharp like the first, but now the maps show *classes*, not gray values. Two are bright where lung is, and two where the nodule is. Move through all nine blocks:

# %%
from unet_helpers.plotting.widgets import explore

frames = [plotting.show_maps(unlike(features[name]), columns=4, panel=1.5) for name in names]
labels = [f"{name}: {maps.shape[2]} maps of {maps.shape[0]}×{maps.shape[1]}" for name, maps in features.items()]
explore(frames, labels, "block", width=600)

# %% [markdown]
# On the way up, a pattern of small squares or stripes may be visible at `up2` or `up1` (look closely at the last map in the picture above). It comes from the transposed convolutions, whose copies of the kernel lie side by side, as in the picture with the numbers above; it is called a checkerboard artifact {cite:p}`odena2016deconvolution`.

# %% [markdown]
# ## What does a skip connection carry?
#
# We cut one and look at what is lost. The function copies the trained network and, on the way, changes what comes over one skip connection. Everything else stays as it is, and nothing is trained again.


# %%
def with_skip(model, name, change):
    def call(layer, inputs, **options):
        if layer.name == name:
            inputs = [change(inputs[0]), inputs[1]]
        return layer(inputs, **options)

    copy = keras.models.clone_model(model, call_function=call)
    copy.set_weights(model.get_weights())
    return copy


# %% [markdown]
# What do we put in its place? Zeros come to mind, but they mislead. The weights behind the joint were trained on maps of a certain strength, and a map of zeros is nothing they have ever met. If the mask gets worse, was information missing, or was the input merely strange? So we compare three replacements:
#
# - **zeros**: nothing about this slice, and a strength that the network has never seen,
# - **mean**: each map is replaced by its mean over places and slices: the usual strength, but the same everywhere,
# - **another slice**: the maps of another validation slice: usual in every respect, but not about this slice.

# %%
replacements = {
    "zeros": lambda maps: 0 * maps,
    "mean": lambda maps: 0 * maps + keras.ops.mean(maps, axis=(0, 1, 2)),
    "another slice": lambda maps: keras.ops.roll(maps, 1, axis=0),
}

# %%
from unet_helpers.evaluation import counts_per_class

# in random order, so that the next slice is mostly of another patient
mixed = data.validation[np.random.default_rng(0).permutation(len(data.validation))]
parts = np.array_split(mixed.images, 8)  # all slices at once would take much memory


def predict(network):
    return np.concatenate([network(part) for part in parts]).argmax(axis=-1)


# %%
skips = ("skip1", "skip2", "skip3", "skip4")
predictions = {("all skips", "–"): predict(trained)}
for skip in skips:
    for name, change in replacements.items():
        predictions[skip, name] = predict(with_skip(trained, skip, change))

# %% nbval_tolerance=0.02
counts = [counts_per_class(mixed.masks, found, 3)[1:] for found in predictions.values()]
index = pd.MultiIndex.from_tuples(predictions)
scores = pd.DataFrame([[one.dice for one in both] for both in counts], index, ["lung", "nodule"])
scores.rename_axis(columns="Dice").round(2)

# %% [markdown]
# Dice is 1 where prediction and ground truth agree and 0 where they share nothing; here it is computed over all validation slices together ([notebook 05](05_evaluation.ipynb) says more about it). `skip1` is the uppermost arrow of the U, `skip4` the lowest.

# %% jupyter={"source_hidden": true} tags=["remove-cell"]
whole = scores.iloc[0]
assert (scores.loc["skip1", "lung"] < 0.85).all()
assert (scores.loc[["skip2", "skip3"], "lung"] > 0.9).all()
assert (scores.loc[["skip2", "skip3"], "nodule"] < whole["nodule"] - 0.07).all()
assert (scores.loc[[("skip4", "zeros"), ("skip4", "mean")], "lung"] < 0.85).all()
assert scores.loc[("skip4", "another slice"), "lung"] > 0.95
assert scores.loc[("skip4", "another slice"), "nodule"] > scores.loc[("skip2", "another slice"), "nodule"] + 0.2

# %% mystnb={"figure": {"caption": "What each replacement of each skip connection leaves of the Dice. The dashed line is the network with all its skip connections."}, "image": {"alt": "Two bar charts, lung and nodule, with three bars for each of four skip connections. For the lung all bars of skip1 are far below the dashed line; at skip4 the bars for zeros and for the mean are low as well, and the one for another slice nearly reaches the line. For the nodule the three bars of skip2 are the lowest, those of skip3 come next."}}
with plotting.figure(1, 2, width=8, height=2.9, sharey=True) as (fig, axes):
    for ax, name in zip(axes[0], ("lung", "nodule"), strict=True):
        bars = scores[name].unstack(sort=False).loc[list(skips), list(replacements)]
        bars.plot.bar(ax=ax, rot=0, legend=False, color=["#333333", "#E69F00", "#56B4E9"], width=0.75)
        ax.axhline(scores[name].iloc[0], color="gray", linestyle="--", linewidth=1)
        ax.set(title=name, ylabel="Dice", ylim=(0, 1.05))
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
fig

# %% mystnb={"figure": {"caption": "One slice, the same weights, one skip connection replaced at a time."}, "image": {"alt": "Six copies of one CT slice with lung and nodule outlined. Top: the ground truth, the prediction with all skip connections, and one with skip1 from another slice, in which the outline of a foreign chest is mixed in. Bottom: with skip2 from another slice most of the nodule is lost, taken for lung or for background; with the mean for skip4 large pieces of lung are missing; with skip4 from another slice the prediction looks as with all skips."}}
shown = [("all skips", "–"), ("skip1", "another slice"), ("skip2", "another slice")]
shown += [("skip4", "mean"), ("skip4", "another slice")]
case = (mixed.masks == 2).sum(axis=(1, 2)).argmax()
masks = [mixed.masks[case], *(predictions[which][case] for which in shown)]
titles = ["ground truth", "all skips", *(": ".join(which) for which in shown[1:])]
plotting.show_images([mixed.images[case]] * 6, titles, masks, data.class_names, columns=3)

# %% [markdown]
# - `skip1` carries *where*. Whatever replaces it, the lung loses about a third of its Dice. From another slice, foreign edges are drawn into this chest. The map of 128×128 was the one that knew where each edge runs.
# - `skip2` carries much of the nodule. The lung hardly misses it, but the nodule falls from 0.66 to 0.43 with the mean, and to about 0.2 with zeros or another slice (in other random orders of the slices, up to 0.36). A plausible reason is its size: at 64×64 a nodule is still a few pixels wide, and the maps already see some of its surroundings.
# - `skip3` carries part of it as well: the nodule loses 0.14 to 0.23 (in other orders up to 0.37), the lung a few hundredths.
# - `skip4` is the trap. With zeros a quarter of the lung's Dice is gone, and with the mean nearly half, as if this arrow carried most of the *what*. With the maps of another slice nearly all of it is back, and the nodule loses no more than 0.03. So the network needs maps here that look as usual, and little that is particular to this slice. Even the mean misleads: its strength is usual, but no real map is the same everywhere.
#
# Had we tried zeros and means alone, we would have told the opposite story about `skip4`. And what each arrow carries cannot be read off the drawing: it was learned, and another training can share out the work in another way. When the crops of the training were filled with 0 in place of air, `skip2` carried nearly all of the nodule (no replacement kept more than 0.09); the lung told the same story about `skip1` and `skip4`.
#
# One caution: this network was trained with all its arrows. A network that is *trained* without them (`UNet(skip_connections=False)`) can make up for much of the loss in the lung; [notebook 08](08_architecture_comparison.ipynb) measures whether it can for the nodule.

# %% [markdown]
# ### Look inside yourself
#
# In the book, click on any box of the U below: its feature maps for a validation slice appear below the U, and the slice shows how far a pixel of the box sees. Switch a skip connection off, and the outlines follow.
#
# <div class="live" data-piece="inside">
# <p>In the book, a picture to try it with stands here; it needs a browser that runs JavaScript. In JupyterLab, the pictures and the slider above show the same for other slices.</p>
# </div>
#
# The network computes in your browser. Walk down the left arm: the maps become coarser, and the yellow square, the receptive field of the chosen pixel, grows from 5×5 pixels at `down1` to 140×140 at the `bottleneck`. Then switch skip connections off. What comes in their place is zeros: without `skip1` or without `skip4` the outline of the lungs goes astray, and without all four nothing is found. Look at the nodule on more than one slice: on the first one its Dice rises without `skip3`, and on the second one it falls. What one slice shows is not what the table above says about all of them.

# %% [markdown]
# ## Take-aways
#
# - The contracting path and the bottleneck answer *what*, on small maps with many channels; the expanding path and the skip connections answer *where*, on large maps with few. A skip connection can also carry *what*: in this network the nodule came mostly over `skip2` and `skip3`.
# - A convolution has size² × channels in × channels out weights and one bias for each channel out. The image size does not occur, so one set of weights serves images of any fitting size.
# - Parameters sit at the bottom of the U, the memory for feature maps at the top. Half the channels, a quarter of the parameters.
# - Height and width must be multiples of $2^{depth}$. Pad with air and cut back; resize only if you mean to change the spacing.
# - The receptive field says how far the network *can* see. Most of the influence comes from much nearer.
# - To learn what a connection carries, do not only set it to zero or to its mean: a network that has never seen such maps may fail for that reason alone. Compare with the maps of another case.

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
# 2. How many parameters does a `Conv2D(32, 3)` with bias have on 16 incoming channels?
#
#    - A. 3·3·16·32 + 32 = 4640, whatever the size of the image.
#    - B. 3·3·32 + 32 = 320, whatever the size of the image.
#    - C. 4640, and four times as many for an image of twice the side.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** Each channel out has a kernel of 3×3 for each of the channels in, and one bias. The kernel moves over the image, however large that is.
# - **Not B:** this forgets the channels in. A kernel reaches through all 16 of them.
# - **Not C:** the weights are the same at each place. It is the computing and the maps that grow with the image.
#
# </details>
#
# 3. Your slices have 250×250 pixels, the U-Net has depth 4, and the spacing must stay as it is. What do you do?
#
#    - A. Leave them as they are, since a convolution takes any size.
#    - B. Resize them to 256×256, and resize the masks back to 250×250.
#    - C. Pad them with air to 256×256, and cut the masks back to 250×250.
#
# <details><summary>Answer</summary>
#
# - **Right: C.** 256 is the next multiple of 16, and padding leaves each pixel and the spacing as they were.
# - **Not A:** a convolution does, but four poolings halve the size four times, and 250 can be halved only once. The maps then do not fit together at the skip connections.
# - **Not B:** the network would see another spacing, and every pixel would be interpolated, on the way there and on the way back.
#
# </details>
#
# 4. The same network is used at 512×512 instead of 128×128, on the same patients. What happens to its receptive field in millimeters?
#
#    - A. It stays as it was.
#    - B. It becomes a quarter.
#    - C. It becomes four times as large.
#
# <details><summary>Answer</summary>
#
# - **Right: B.** Each pixel covers a quarter of the length. What used to see the whole chest now sees a piece of it; two more levels make up for it.
# - **Not A:** it stays as it was in *pixels*, and these have become smaller.
# - **Not C:** the image has four times as many pixels along each side, and the network looks at as many of them as before.
#
# </details>
#
# 5. The network runs out of memory during training. Where does it help more to remove channels?
#
#    - A. In the first level, which holds few of the parameters.
#    - B. In the bottleneck, which holds most of the parameters.
#    - C. It makes no difference: a channel is a channel.
#
# <details><summary>Answer</summary>
#
# - **Right: A.** There the maps are large. Smaller images or batches help as well.
# - **Not B:** it does hold most of them, but during training it is the maps that fill the memory, and those of the bottleneck are tiny.
# - **Not C:** with each pooling a map has a quarter of the positions, so a channel at the top takes far more memory than one at the bottom.
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

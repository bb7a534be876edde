"""Maps that claim to explain a segmentation, and what tests them. Used in 18c.

A question is an image and a *region*: what makes the network call these pixels nodule? Its answer is one number, the
mean log-odds of the region, :func:`log_odds`; a map says how much each pixel of the image has to do with it. Every
function takes several images at once and gives one map for each, never negative, ``(N, H, W)`` float32.
"""

import keras
import numpy as np
import tensorflow as tf

from ..training.checkpoint import AIR

#: gray value that stands for "nothing there": air in the lung window
NOTHING = np.float32(AIR)


def open_network(model, guided=False):
    """A copy of a network whose last layer gives logits, not probabilities. Used in 18c.

    Parameters
    ----------
    model : keras.Model
        One of :mod:`unet_helpers.models`, whose last layer is called "probabilities".
    guided : bool
        The gradients of the copy pass a ReLU only where they are positive, as guided backpropagation has it
        (Springenberg and others 2015). What the copy predicts is the same.
    """

    def copied(layer):
        if guided and isinstance(layer, keras.layers.ReLU):
            return _GuidedReLU(name=layer.name)
        config = layer.get_config()
        if layer.name == "probabilities":
            config["activation"] = "linear"
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


class _GuidedReLU(keras.layers.Layer):
    """A ReLU that passes back positive gradients only."""

    def call(self, x):
        return _guided_relu(x)


@tf.custom_gradient
def _guided_relu(x):
    return tf.nn.relu(x), lambda back: tf.nn.relu(back) * tf.cast(x > 0, back.dtype)


def log_odds(logits, regions, of=2):
    """Mean over each region of the log-odds of one class: 0 where it has a probability of one half. Used in 18c.

    Parameters
    ----------
    logits : ``(N, H, W, K)`` float tensor
    regions : ``(N, H, W)`` bool, not empty
    of : int
        The class.

    Returns
    -------
    ``(N,)`` float tensor
    """
    regions = tf.cast(regions, logits.dtype)
    others = tf.concat([logits[..., :of], logits[..., of + 1 :]], axis=-1)
    odds = logits[..., of] - tf.reduce_logsumexp(others, axis=-1)
    return tf.reduce_sum(odds * regions, axis=(1, 2)) / tf.reduce_sum(regions, axis=(1, 2))


def signed_gradient(network, images, regions):
    """Gradient of the log-odds by each pixel, with its sign: ``(N, H, W)`` float32, for logits as output."""
    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(log_odds(network(images), regions))
    return tape.gradient(total, images).numpy()[..., 0]


def gradient(network, images, regions):
    """How much the log-odds change with each pixel, without the sign: saliency (Simonyan and others 2014)."""
    return np.abs(signed_gradient(network, images, regions))


def gradient_times_input(network, images, regions):
    """The gradient, times how far the pixel is from air."""
    return np.abs((images[..., 0] - NOTHING) * signed_gradient(network, images, regions))


def integrated_gradients(network, images, regions, steps=16, baseline=NOTHING):
    """Gradients on the way from air to the image, times what the pixel changes on it (Sundararajan and others 2017)."""
    total = 0
    for k in range(steps):
        total = total + signed_gradient(network, baseline + (k + 0.5) / steps * (images - baseline), regions)
    return np.abs((images[..., 0] - baseline) * total / steps)


def smooth_gradient(network, images, regions, draws=16, noise=0.1, seed=0):
    """Mean of the absolute gradients of noisy copies of the image: SmoothGrad (Smilkov and others 2017)."""
    random = np.random.default_rng(seed)
    noisy = (images + random.normal(0, noise, images.shape).astype(np.float32) for _ in range(draws))
    return np.mean([gradient(network, few, regions) for few in noisy], axis=0)


def guided_backpropagation(network, images, regions):
    """The gradient of a copy in which negative gradients stop at each ReLU."""
    return gradient(open_network(network, guided=True), images, regions)


def grad_cam(network, images, regions, layer="bottleneck_relu2"):
    """The maps of one layer, each times its mean gradient, added up, enlarged; what is negative becomes 0.

    Grad-CAM (Selvaraju and others 2017) for the log-odds of a region, as Seg-Grad-CAM has it (Vinogradova and others
    2020).
    """
    both = keras.Model(network.input, [network.get_layer(layer).output, network.output])
    with tf.GradientTape() as tape:
        maps, logits = both(tf.convert_to_tensor(images))
        total = tf.reduce_sum(log_odds(logits, regions))
    weights = tf.reduce_mean(tape.gradient(total, maps), axis=(1, 2), keepdims=True)
    coarse = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))
    return tf.image.resize(coarse, images.shape[1:3]).numpy()[..., 0]


def occlusion(network, images, regions, side=8, step=8):
    """How much the log-odds change when a square of the image becomes air (Zeiler and Fergus 2014).

    No gradient: the change is measured. A pixel gets the mean over all squares that cover it.
    """
    rows, columns = images.shape[1:3]
    corners = [(top, left) for top in range(0, rows - side + 1, step) for left in range(0, columns - side + 1, step)]
    before = log_odds(network(images), regions).numpy()
    found = np.zeros(images.shape[:3], np.float32)
    for image, region, score, changes in zip(images, regions, before, found, strict=True):
        squares = np.zeros_like(changes)
        for first in range(0, len(corners), 32):
            few = [(slice(top, top + side), slice(left, left + side)) for top, left in corners[first : first + 32]]
            covered = np.repeat(image[np.newaxis], len(few), axis=0)
            for one, square in zip(covered, few, strict=True):
                one[square] = NOTHING
            scores = log_odds(network(covered), np.repeat(region[np.newaxis], len(few), axis=0)).numpy()
            for square, change in zip(few, np.abs(scores - score), strict=True):
                changes[square] += change
                squares[square] += 1
        changes /= np.maximum(squares, 1)
    return found


def edges(network, images, regions):
    """Edges of the image (Sobel). It asks the network nothing: what a map looks like that explains nothing."""
    from skimage.filters import sobel

    return np.stack([sobel(image) for image in images[..., 0]]).astype(np.float32)


def nearness(network, images, regions, width=6):
    """A bright spot around the region. It asks neither the network nor the image."""
    from scipy.ndimage import distance_transform_edt

    distances = np.stack([distance_transform_edt(~region) for region in np.asarray(regions, bool)])
    return np.exp(-((distances / width) ** 2) / 2).astype(np.float32)


def decoder_cam(network, images, regions):
    """Grad-CAM at the last block of the expanding path, whose maps have the size of the image."""
    return grad_cam(network, images, regions, layer="up1_relu2")


#: the maps of notebook 18c by name; the last two explain nothing, and have to fail
METHODS = {
    "gradient": gradient,
    "gradient × input": gradient_times_input,
    "integrated gradients": integrated_gradients,
    "SmoothGrad": smooth_gradient,
    "guided backpropagation": guided_backpropagation,
    "Grad-CAM, bottleneck": grad_cam,
    "Grad-CAM, last block": decoder_cam,
    "occlusion": occlusion,
    "edges of the image": edges,
    "a spot at the region": nearness,
}

#: the parts of a U-Net from the output to the input, as cascading randomization meets them
FROM_THE_OUTPUT = ("probabilities", "up1", "up2", "up3", "up4", "bottleneck", "down4", "down3", "down2", "down1")


def randomize(network, down_to="down1", seed=0):
    """A copy whose weights are drawn anew, from the output down to one part; the others keep theirs. Used in 18c.

    Parameters
    ----------
    network : keras.Model
        A U-Net of depth 4.
    down_to : str
        One of :data:`FROM_THE_OUTPUT`; with the default nothing of the training is left.
    seed : int
        Sets the seeds of Keras.
    """
    if down_to not in FROM_THE_OUTPUT:
        raise ValueError(f"no part {down_to!r}; choose one of {', '.join(FROM_THE_OUTPUT)}")
    keras.utils.set_random_seed(seed)
    copy = keras.models.clone_model(network)
    drawn = FROM_THE_OUTPUT[: FROM_THE_OUTPUT.index(down_to) + 1]
    for old, new in zip(network.layers, copy.layers, strict=True):
        if old.name.split("_")[0] not in drawn:
            new.set_weights(old.get_weights())
    return copy


def reach(pixels, depth=4):
    """The first and the last row, or column, that can change these pixels in a U-Net, as in notebook 03. Used in 18c.

    Parameters
    ----------
    pixels : sequence of int
        Rows, or columns.
    depth : int
        Number of poolings.
    """
    first, last = int(min(pixels)), int(max(pixels))
    for _ in range(depth):
        first, last = (first - 2) // 2, (last + 2) // 2
    first, last = first - 2, last + 2
    for _ in range(depth):
        first, last = 2 * first - 2, 2 * last + 1 + 2
    return first, last


def resemblance(maps, others):
    """Spearman's rank correlation of each map with its counterpart: ``(N,)`` float; 0 if one of the two is constant.

    Used in 18c.
    """
    from scipy.stats import rankdata

    found = []
    for one, other in zip(maps, others, strict=True):
        a, b = (rankdata(values) - (values.size + 1) / 2 for values in (one.ravel(), other.ravel()))
        size = np.sqrt((a**2).sum() * (b**2).sum())
        found.append((a * b).sum() / size if size else 0.0)
    return np.array(found)


def share_inside(maps, where):
    """The share of each map's sum that lies where a mask is true: ``(N,)`` float; 0 for a map of zeros. Used in 18c."""
    total = maps.sum(axis=(1, 2), dtype=float)
    inside = (maps * where).sum(axis=(1, 2), dtype=float)
    return np.divide(inside, total, out=np.zeros_like(total), where=total > 0)

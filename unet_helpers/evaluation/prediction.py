"""From a model and images to probabilities and masks: at once, window by window, several times."""

import keras
import numpy as np

from ..models.inputs import check_images, check_output, check_sides
from .binary import at_least_single


def predict_probabilities(model, images, batch_size=32):
    """Class probabilities of images ``(N, H, W, C)`` of any real type: ``(N, H, W, K)`` float32.

    NaN is never passed on: compared with a threshold it is background, and a lost image would read as a healthy one.

    Raises
    ------
    ValueError
        If the images hold NaN, or their axes, channels or sides do not fit the model; the message says what does.
    FloatingPointError
        If the weights of the model or its answers hold NaN.
    """
    images = check_images(model, images)
    try:
        found = np.asarray(model.predict(images, batch_size=batch_size, verbose=0))
    except Exception:
        check_sides(model, images.shape)  # its sentence in place of the message from within the network
        raise
    if found.shape[1:-1] != images.shape[1:-1]:
        check_sides(model, images.shape)
    return check_output(model, found)


def probabilities_to_masks(probabilities, threshold=0.5):
    """The decision: the most probable class, or 1 from ``threshold`` on where there is one map.

    Parameters
    ----------
    probabilities : ``(…, K)`` float
    threshold : float
        For K = 1 and K = 2 (the probability of class 1); ignored for more classes.

    Returns
    -------
    ``(…)`` uint8

    Raises
    ------
    ValueError
        If a probability is NaN, which would become background.
    """
    probabilities = at_least_single(probabilities)
    if np.isnan(probabilities).any():
        raise ValueError("the probabilities hold NaN, which is no decision; find out where it comes from")
    if probabilities.shape[-1] <= 2:
        return (probabilities[..., -1] >= threshold).astype(np.uint8)
    return probabilities.argmax(axis=-1).astype(np.uint8)


def predict_masks(model, images, threshold=0.5, batch_size=32):
    """Class indices ``(N, H, W)`` uint8 that a model gives for images ``(N, H, W, C)``."""
    return probabilities_to_masks(predict_probabilities(model, images, batch_size), threshold)


def window_starts(side, patch, overlap):
    """Where the windows begin along one axis: evenly spread, the last one flush with the end. Used in 10.

    Parameters
    ----------
    side, patch : int
        Lengths in voxels; a side shorter than the patch has one window.
    overlap : float in [0, 1)
        Share of a window that it has in common with the next, at least.

    Returns
    -------
    list of int

    Examples
    --------
    >>> window_starts(64, 32, 0.5)
    [0, 16, 32]
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}; give a share from 0 to below 1, such as 0.5")
    if patch < 1 or side < 1:
        raise ValueError(f"side {side} and patch {patch}; both must be at least 1")
    if side <= patch:
        return [0]
    step = max(int(patch * (1 - overlap)), 1)
    steps = -(-(side - patch) // step)
    return [round(i * (side - patch) / steps) for i in range(steps + 1)]


def window_weights(patch_shape, kind="gaussian"):
    """How much each voxel of a window counts where windows overlap: most in the middle, never nothing. Used in 10.

    Parameters
    ----------
    patch_shape : sequence of int
    kind : "gaussian", "triangular" or "uniform"
        A bell with a standard deviation of an eighth of each side, as nnU-Net has it (Isensee et al. 2021); a
        straight fall to the border; or the plain mean.

    Returns
    -------
    float32 array of that shape, the largest value 1 or a little less
    """
    if kind not in ("gaussian", "triangular", "uniform"):
        raise ValueError(f"kind is {kind!r}; choose 'gaussian', 'triangular' or 'uniform'")
    weights = np.ones(tuple(patch_shape))
    for axis, side in enumerate(patch_shape):
        away = np.abs(np.arange(side) - (side - 1) / 2)
        along = {
            "gaussian": np.exp(-0.5 * (away / (side / 8)) ** 2),
            "triangular": 1 - away / (side / 2),
            "uniform": np.ones(side),
        }[kind]
        weights *= along.reshape([-1 if i == axis else 1 for i in range(len(patch_shape))])
    # corners of a bell in three dimensions are 1e-10: too little for float32 sums where one window stands alone
    return np.maximum(weights, 1e-3).astype(np.float32)


def predict_sliding_window(model, volume, patch_shape, overlap=0.5, weights="gaussian", batch_size=4):
    """Predict a volume of any size with a network that takes patches, and blend where the patches overlap. Used in 10.

    Parameters
    ----------
    model : keras.Model, or function of a batch
        ``(N, d, h, w, C)`` in, ``(N, d, h, w, K)`` out.
    volume : ``(D, H, W)`` or ``(D, H, W, C)`` float
        A side that is shorter than the patch is padded with its border voxels, and cropped back.
    patch_shape : (d, h, w)
    overlap : float in [0, 1)
        Along each axis; 0 lays windows side by side (but for the last, which is flush with the end).
    weights : "gaussian", "triangular" or "uniform"
        See :func:`window_weights`.
    batch_size : int
        Windows per call.

    Returns
    -------
    ``(D, H, W, K)`` float32

    Raises
    ------
    ValueError
        If an axis is missing, an option is out of range, the volume holds NaN, or the model changes the size of a
        patch.
    FloatingPointError
        If the model answers NaN.
    """
    volume = check_images(None, volume, "the slices of the volume")
    if volume.ndim not in (3, 4) or len(patch_shape) != 3:
        raise ValueError(f"volume has shape {volume.shape} and the patch {tuple(patch_shape)}; give (D, H, W, C)")
    volume = volume if volume.ndim == 4 else volume[..., np.newaxis]
    shape = volume.shape[:3]
    missing = [max(patch - side, 0) for side, patch in zip(shape, patch_shape, strict=True)]
    before = [gap // 2 for gap in missing]
    around = [(first, gap - first) for first, gap in zip(before, missing, strict=True)]
    padded = np.pad(volume, [*around, (0, 0)], mode="edge")
    starts = [window_starts(n, p, overlap) for n, p in zip(padded.shape, patch_shape, strict=False)]
    corners = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    cuts = [tuple(slice(a, a + n) for a, n in zip(corner, patch_shape, strict=True)) for corner in corners]

    weight = window_weights(patch_shape, weights)[..., np.newaxis]
    total, votes = np.zeros((*padded.shape[:3], 1), np.float32), None
    for first in range(0, len(cuts), batch_size):
        chosen = cuts[first : first + batch_size]
        predicted = np.asarray(model(np.stack([padded[cut] for cut in chosen])))
        if predicted.shape[:4] != (len(chosen), *patch_shape):
            raise ValueError(f"patches {tuple(patch_shape)} became {predicted.shape[1:4]}; use padding='same'")
        if votes is None:
            votes = np.zeros((*padded.shape[:3], predicted.shape[-1]), np.float32)
        for cut, one in zip(chosen, predicted, strict=True):
            votes[cut] += weight * one
            total[cut] += weight
    inside = tuple(slice(first, first + side) for first, side in zip(before, shape, strict=True))
    return check_output(model, (votes / total)[inside][np.newaxis])[0]


def predict_with_dropout(model, images, samples=10, *, seed=0, batch_size=32):
    """Predict several times with the dropout layers at work and everything else as at prediction. Used in 12.

    Monte-Carlo dropout, after Gal and Ghahramani (2016).

    ``model(images, training=True)`` would be wrong: batch normalization would then use the mean and variance of the
    batch, so that the answer for one image depends on the others, and it would change what it stores.

    Parameters
    ----------
    model : keras.Model
        With dropout layers of its own. It is left as it is.
    images : ``(N, H, W, C)``
    samples, seed : int
        The same seed gives the same samples.

    Returns
    -------
    ``(samples, N, H, W, K)`` float32

    Raises
    ------
    ValueError
        If the model has no dropout layer, also not in the models within it, as those of an ensemble; or is no graph of
        layers.
    """
    kinds = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)
    dropouts = [layer for layer in _layers_within(model) if isinstance(layer, kinds) and layer.rate > 0]
    if not dropouts:
        raise ValueError("the model has no dropout layer, so all samples would be alike; build it with dropout > 0")
    # members of an ensemble give their layers the same names
    numbers = {id(layer): seed * 1000 + i for i, layer in enumerate(dropouts)}

    def replace(layer):
        if id(layer) not in numbers:
            return layer  # the very layer, with its weights
        return _always_on(layer, numbers[id(layer)])

    try:
        stochastic = keras.models.clone_model(model, clone_function=replace, recursive=True)
    except ValueError:
        stochastic = model
    # what is no graph of layers is not copied, and within another network it is taken over as it is
    if any(id(layer) in numbers for layer in _layers_within(stochastic)):
        raise ValueError(
            f"'{model.name}' is, or holds, a network whose class defines call() itself, and its dropout cannot be "
            "turned on; build it with keras.Model(inputs, outputs)"
        )
    return np.stack([predict_probabilities(stochastic, images, batch_size) for _ in range(samples)])


def _layers_within(model):
    """The layers of a model, and of the models within it."""
    for layer in model.layers:
        yield from _layers_within(layer) if isinstance(layer, keras.Model) else (layer,)


def _always_on(layer, seed):
    """A copy of a dropout layer that drops also at prediction; a model's own ``training=False`` does not reach it."""

    class AlwaysOn(type(layer)):
        def call(self, inputs, training=False):
            return super().call(inputs, training=True)

    return AlwaysOn.from_config(layer.get_config() | {"seed": seed})


def predict_with_flips(model, images, axes=((), (2,), (1,), (1, 2)), *, batch_size=32):
    """Predict flipped images and flip the answers back: test-time augmentation. Used in 12.

    Parameters
    ----------
    model : keras.Model
    images : ``(N, H, W, C)``
    axes : sequence of tuple of int
        The axes flipped for each prediction: 1 up and down, 2 left and right, both, or none. A network answers flipped
        images well only if it saw such images in training.

    Returns
    -------
    ``(len(axes), N, H, W, K)`` float32
    """
    return np.stack(list(predict_orientations(model, images, [(axis, 0) for axis in axes], batch_size)))


def predict_orientations(model, images, orientations, batch_size=32):
    """Predict turned and flipped images, and bring each answer back: one after the other, to save memory.

    Parameters
    ----------
    model : keras.Model
    images : ``(N, H, W, C)``
    orientations : sequence of (axes, turns)
        The axes flipped, as in :func:`predict_with_flips`, after so many quarter turns.
    batch_size : int

    Yields
    ------
    ``(N, H, W, K)`` float32
    """
    for axes, turns in orientations:
        seen = np.flip(np.rot90(images, turns, axes=(1, 2)), tuple(axes))
        found = np.flip(predict_probabilities(model, seen, batch_size), tuple(axes))
        yield np.rot90(found, -turns, axes=(1, 2))

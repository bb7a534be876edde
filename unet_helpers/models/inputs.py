"""What a network asks of its images, and what is asked of a network: one sentence for whatever does not fit."""

import numpy as np


def check_images(model, images, name="the images"):
    """Images as float32, if a network can take them: their type, axes, channels, fixed sides, and no NaN.

    A missing channel axis is not added by guess: ``(16, 16, 3)`` may be sixteen gray images or one in color.

    Parameters
    ----------
    model : keras.Model
        What has no ``input_shape``, as a function or a network of several inputs, takes any axes.
    images : ``(N, H, W, C)`` or ``(N, D, H, W, C)``, any real type: float16 to float64, integers, bool
    name : str
        What the message calls them.

    Returns
    -------
    float32 array; the very array if it is float32

    Raises
    ------
    ValueError
        With the remedy.
    """
    given = np.asarray(images)
    if given.dtype.kind in "OSUMmc":
        raise ValueError(f"{name} are of type {given.dtype}; give one array of numbers, all images of one size")
    expected = getattr(model, "input_shape", None)
    if isinstance(expected, tuple) and all(side is None or isinstance(side, int) for side in expected):
        _check_axes(given.shape, expected[1:], name)
    if not given.size:
        raise ValueError(f"{name} are {given.shape}: there is none; give at least one")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and named below
        images = np.asarray(given, dtype=np.float32)
    if not np.isfinite(images).all():
        first = int(np.flatnonzero(~np.isfinite(images.reshape(len(images), -1)).all(axis=1))[0])
        raise ValueError(f"{name} hold NaN or infinite values, first in number {first}; repair them or leave them out")
    return images


def _check_axes(shape, expected, name):
    channels = expected[-1]
    wanted = ", ".join(["N", *"DHW"[-len(expected) + 1 :], "C" if channels is None else str(channels)])
    found = ", ".join(map(str, shape))
    if len(shape) != len(expected) + 1:
        remedy = "stack whole images along the first axis"
        if len(shape) == len(expected):
            alone = shape[-1] == channels
            remedy = "one image alone is images[np.newaxis]" if alone else "gray images become images[..., np.newaxis]"
        raise ValueError(f"{name} have the shape ({found}) but the model takes ({wanted}): {remedy}")
    if channels is not None and shape[-1] != channels and shape[1] == channels:
        raise ValueError(
            f"{name} have the shape ({found}) but the model takes ({wanted}): the channels stand first; "
            "move them with np.moveaxis(images, 1, -1)"
        )
    names = ("depth", "height", "width", "channels")[-len(expected) :]
    for have, want, what in zip(shape[1:], expected, names, strict=True):
        if want is not None and have != want:
            raise ValueError(
                f"{name} have {what} {have} but the model takes {want}; "
                f"build it with input_shape={tuple(shape[1:])}, or load the data with that size"
            )


def check_sides(model, shape, name="images"):
    """Refuse sides that a network of open size cannot halve and double again, with the factor and the next that fit.

    Tried on an image of zeros, since a network does not say its factor.

    Parameters
    ----------
    model : keras.Model
        One that answers no size with a map of that size is left alone: it means to give smaller maps.
    shape : ``(N, H, W, C)`` or ``(N, D, H, W, C)``
    name : str

    Raises
    ------
    ValueError
    """
    sides, channels = tuple(shape[1:-1]), shape[-1]
    expected = getattr(model, "input_shape", None)
    if not isinstance(expected, tuple) or None not in expected[1:-1] or _keeps(model, sides, channels):
        return
    for factor in (2**halvings for halvings in range(1, 9)):
        # three times the factor is halved just so often
        if _keeps(model, [3 * factor] * len(sides), channels):
            if any(side % factor for side in sides):
                fit = " × ".join(str(-(-side // factor) * factor) for side in sides)
                raise ValueError(
                    f"{name} of {' × '.join(map(str, sides))} pixels cannot be halved and doubled by this model: each "
                    f"side must be a multiple of {factor}; pad or resize them to {fit}"
                ) from None
            return


def _keeps(model, sides, channels):
    """Whether an image of such sides comes out with the same sides."""
    try:
        found = model(np.zeros((1, *sides, channels), np.float32), training=False)
    except Exception:  # each backend has errors of its own for maps that do not fit
        return False
    return tuple(found.shape[1:-1]) == tuple(sides)


def check_weights(model):
    """Refuse a network with NaN or infinity in its weights: FloatingPointError that names the first."""
    for variable in getattr(model, "variables", ()):
        value = np.asarray(variable)
        if value.dtype.kind not in "iub" and not np.isfinite(value.astype(np.float32)).all():
            raise FloatingPointError(
                f"the weights of the model hold NaN or infinite values, first in {getattr(variable, 'path', 'one')}; "
                "load a checkpoint from before, or train it anew with a lower learning rate"
            )


def check_output(model, probabilities):
    """The probabilities of a network; FloatingPointError where they hold NaN, which would pass for background."""
    if not np.isfinite(probabilities).all():
        check_weights(model)
        bad = ~np.isfinite(probabilities.reshape(len(probabilities), -1)).all(axis=1)
        raise FloatingPointError(
            f"the prediction holds NaN in {int(bad.sum())} of {len(bad)} images, though images and weights do not: "
            "some number grew too large for its type; scale the images to 0–1, or build the model in float32"
        )
    return probabilities

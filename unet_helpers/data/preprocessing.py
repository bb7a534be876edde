"""Window, resize and encode: what happens between the file and the network."""

import numpy as np


def window(hu, level, width):
    """Map Hounsfield units to gray values in [0, 1], as a radiologist's display does.

    Values below ``level - width / 2`` become 0, above ``level + width / 2`` become 1.

    Parameters
    ----------
    hu : array of float, any shape
        Hounsfield units. NaN raises ``ValueError``.
    level, width : float
        Center and width of the window in HU; lung is -600, 1500.

    Returns
    -------
    array of float, same shape; float32 stays float32.

    Examples
    --------
    >>> window(np.array([-1350.0, -600.0, 150.0]), level=-600, width=1500)
    array([0. , 0.5, 1. ])
    """
    if not width > 0:
        raise ValueError(f"window width is {width}; give a width above 0 HU")
    hu = np.asarray(hu)
    if np.isnan(hu).any():
        raise ValueError(f"the image holds {int(np.isnan(hu).sum())} NaN; repair it before windowing")
    return np.clip((hu - (level - width / 2)) / width, 0, 1).astype(np.result_type(hu.dtype, np.float32))


def resize_image(image, shape):
    """Resize with linear interpolation, smoothed first when it shrinks.

    Parameters
    ----------
    image : ``(H, W, C)`` float
    shape : (int, int)
        New height and width.

    Returns
    -------
    ``(*shape, C)`` float32
    """
    from skimage.transform import resize

    return resize(image, shape, order=1, anti_aliasing=True, preserve_range=True).astype(np.float32)


def resize_mask(mask, shape):
    """Resize with the nearest neighbor, so that no value appears that was not there.

    Parameters
    ----------
    mask : ``(H, W)`` integer
    shape : (int, int)

    Returns
    -------
    ``shape``, dtype of ``mask``
    """
    from skimage.transform import resize

    return resize(mask, shape, order=0, anti_aliasing=False, preserve_range=True).astype(mask.dtype)


def encode_mask(mask, num_classes, values=None):
    """Turn stored mask values into class indices 0 … num_classes − 1.

    Parameters
    ----------
    mask : integer array, any shape
        Values as stored in the file.
    num_classes : int
        Background included.
    values : dict of int to int, optional
        What each stored value means, e.g. ``{0: 0, 255: 1}``. Without it, 0/255 is read as 0/1
        when there are two classes, and other values must be class indices already.

    Returns
    -------
    uint8 array of the same shape

    Raises
    ------
    ValueError
        If a value has no meaning, naming the values and the remedy.

    Examples
    --------
    >>> encode_mask(np.array([0, 255]), num_classes=2)
    array([0, 1], dtype=uint8)
    """
    mask = np.asarray(mask)
    found, position = np.unique(mask, return_inverse=True)
    found = found.tolist()
    if values is None:
        binary = num_classes == 2 and set(found) <= {0, 255}
        values = {0: 0, 255: 1} if binary else {index: index for index in range(num_classes)}
    unknown = [value for value in found if value not in values]
    between = [value for value in unknown if not float(value).is_integer()]
    if between:
        raise ValueError(
            f"the mask holds {between[0]:g}, which is no class index: resized with interpolation? Make it again from "
            "the stored mask with resize_mask, to the nearest neighbor"
        )
    if ignore := ignored(found, unknown):
        raise ValueError(ignore)
    if unknown:
        raise ValueError(
            f"the mask holds {found}, but {num_classes} classes are 0 to {num_classes - 1}: "
            f"{unknown} means nothing; say what it means, e.g. mask_values={{0: 0, {unknown[-1]}: 1}}"
        )
    too_high = {old: new for old, new in values.items() if not 0 <= new < num_classes}
    if too_high:
        raise ValueError(f"mask_values {too_high} leads outside the {num_classes} classes 0 to {num_classes - 1}")
    return np.array([values[value] for value in found], dtype=np.uint8)[position].reshape(mask.shape)


def ignored(found, unknown):
    """What to say of a value by which a mask marks pixels that must not count; empty where there is none."""
    marks = [value for value in unknown if value in (-1, 254, 255)]
    if not marks or (marks[-1] > 0 and not any(0 < value < 254 for value in found)):
        return ""
    return (
        f"the mask holds {found}, and [{marks[-1]}] means nothing among class indices; often it marks pixels that must "
        "not count, which no loss and no metric here knows: say as which class they count, with "
        f"mask_values={{…, {marks[-1]}: 0}} for background"
    )


def one_hot(mask, num_classes):
    """One channel per class, 1 where the pixel has that class.

    Parameters
    ----------
    mask : ``(…)`` integer
        Class indices below ``num_classes``; others raise ``ValueError``.

    Returns
    -------
    ``(…, num_classes)`` float32

    Examples
    --------
    >>> one_hot(np.array([0, 2]), num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    mask = np.asarray(mask)
    if mask.dtype.kind == "f":
        if (mask != np.floor(mask)).any():
            raise ValueError(
                f"the mask holds {mask[mask != np.floor(mask)].flat[0]:g}, which is no class index: resized with "
                "interpolation? Resize masks with resize_mask, to the nearest neighbor"
            )
        mask = mask.astype(np.int64)
    if mask.size and (mask.min() < 0 or mask.max() >= num_classes):
        raise ValueError(
            f"the mask holds values from {mask.min()} to {mask.max()}, but {num_classes} classes are "
            f"0 to {num_classes - 1}; encode the mask first, or raise num_classes"
        )
    return np.eye(num_classes, dtype=np.float32)[mask.astype(np.uint8) if mask.dtype == bool else mask]


def scale_to_unit(images, level=-600, width=1500, dtype="", bits=None):
    """Bring images of one kind to [0, 1] by one rule, chosen from their common range.

    One rule for all, because a rule per image would give the same tissue another gray in each.

    Parameters
    ----------
    images : list of ``(H, W, C)`` float arrays
        Values as stored: 0–1, also where interpolation overshot by up to a quarter, which is cut off; 8-bit 0–255;
        10, 12, 14 or 16 bits of a 16-bit file, by the largest value of all; or HU (anything from -4096, with air well
        below -200).
    level, width : float
        The window for HU.
    dtype : str, optional
        The type that the files store. Its range counts: ``"uint8"`` is divided by 255 however dark the pictures are.
    bits : int, optional
        How many bits of it are in use, where the files say.

    Returns
    -------
    images : list of float32 arrays
    rule : str
        What was done, for the report; also where the values fill a sliver of their range only.

    Raises
    ------
    ValueError
        If the range fits no rule.
    """
    (bottom, top), rule = unit_range(images, level, width, dtype, bits)
    return [to_unit(image, bottom, top) for image in images], rule


def scale_by_percentiles(values):
    """One channel from its percentiles 0.5 and 99.5, among the values that are not 0, to 0 and 1."""
    seen = values[values != 0]
    if not len(seen):
        return np.zeros_like(values)
    low, high = np.percentile(seen, (0.5, 99.5))
    low = min(low, 0) if (seen > 0).all() else low  # air is 0 and stays 0
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)


def to_unit(image, low, high):
    """Stored values to float32 in [0, 1]: ``low`` becomes 0, ``high`` becomes 1, what lies beyond is cut off."""
    return np.clip((np.float32(image) - low) / np.float32(high - low), 0, 1)


def unit_range(images, level=-600, width=1500, dtype="", bits=None):
    """The stored values that become 0 and 1, and the rule in words, as :func:`scale_to_unit` chooses them."""
    low, high = min(float(i.min()) for i in images), max(float(i.max()) for i in images)
    if low >= 0 and high <= 1:
        return (0, 1), "0–1 as stored"
    whole = not dtype.startswith("float")
    if low >= -0.25 and high <= 1.25 and any((i != np.floor(i)).any() for i in images):
        count = sum(int(((i < 0) | (i > 1)).sum()) for i in images)
        return (0, 1), f"0–1 as stored, {count} values beyond it cut off"
    if low >= 0 and high <= 65535 and (high > 25.5 or (whole and dtype)):
        depth = bits or next(b for b in (8, 10, 12, 14, 16) if high < 2**b)
        top = 2**depth - 1
        if (high - low < 0.1 * top and low > 0.25 * top) and depth > 8:
            raise ValueError(_offset_values(low, high, top))
        rule = f"{depth}-bit values divided by {top}"
        if depth == 8 and dtype in ("uint16", "int32", "uint32"):
            rule += f", though the files are {dtype}"
        if high - low < 0.1 * top:
            rule += f"; they run from {low:g} to {high:g} only, {(high - low) / top:.0%} of the range"
        return (0, top), rule
    if -4096 <= low <= -200 and not dtype.startswith("uint"):
        return (level - width / 2, level + width / 2), f"HU, window {level}/{width}"
    raise ValueError(
        f"image values run from {low:g} to {high:g}, which is no range known here; rescale them to 0–1, or say with "
        f"value_range=({low:g}, {high:g}) which values become 0 and 1"
    )


def _offset_values(low, high, top):
    said = f"image values run from {low:g} to {high:g}, {(high - low) / top:.1%} of the range 0 to {top}"
    if low >= 32768 - 4096 and high <= 32768 + 4096:
        return f"{said}; if they are HU + 32768, say so with value_range=({32768 - 1350}, {32768 + 150}), a lung window"
    return f"{said}, and would be one gray; say with value_range=({low:g}, {high:g}) which values become 0 and 1"

"""From the folder of a DICOM series to its mask, in the series' own grid."""

import numpy as np

from ..data.preprocessing import resize_image, window
from ..evaluation.prediction import probabilities_to_masks
from ..files.paths import DataError
from ..files.volumes import in_series, read_volume


def prepare_series(folder, about):
    """What a network sees of a series: ``(D, *about.side, 1)`` float32 in 0–1, axial slices from the feet to the head.

    Whatever way the series is stored, rows lead from front to back and columns from the patient's right to left, as in
    the training.

    Parameters
    ----------
    folder : str or Path
        With the files of one CT series.
    about : About

    Raises
    ------
    FileNotFoundError, DataError
        As :func:`unet_helpers.files.read_series`; also for values that are no HU.
    """
    return _resized(_scaled(read_volume(folder), folder, about), about.side)


def segment_series(network, folder, about=None):
    """Segment a DICOM series; :func:`unet_helpers.deployment.check_series` comes before.

    Parameters
    ----------
    network : OnnxNetwork, or a keras.Model
    folder : str or Path
    about : About, optional
        For a Keras model, which does not say it itself.

    Returns
    -------
    ``(D, H, W)`` uint8
        A class for each pixel of :func:`unet_helpers.files.read_series` of the folder: its order, its size, its axes.
    """
    about = about or network.about
    scaled = _scaled(read_volume(folder), folder, about)
    probabilities = predict_resized(lambda images: network.predict(images, verbose=0), scaled, about.side)
    return in_series(probabilities_to_masks(probabilities), folder)


def predict_resized(predict, images, side):
    """What ``predict`` gives for images ``(N, H, W, C)`` when it sees them at the size ``side``, at their own size."""
    return _resized(predict(_resized(images, side)), images.shape[1:3])


def _resized(images, side):
    if images.shape[1:3] == tuple(side):
        return images
    return np.stack([resize_image(plane, side) for plane in images])


def _scaled(reading, folder, about):
    if reading.unit != "HU":
        raise DataError(f"the values in '{folder}' are no HU ({reading.rule}); send a CT with its rescale slope")
    return window(reading.array, *about.window)

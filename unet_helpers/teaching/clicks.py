"""Clicks: as channels of an image, simulated on the errors of a mask, and a network that is asked with them.

After Xu et al. (CVPR 2016): clicks become maps beside the image, and in training they are simulated from the truth.
"""

from pathlib import Path

import numpy as np
from scipy import ndimage

#: the file of the network that takes clicks
CLICK_NETWORK = Path(__file__).parents[1] / "checkpoints" / "clicks_unet.keras"
#: pixels around a click that its map marks
RADIUS = 2
#: probability from which on a pixel belongs to the thing
THRESHOLD = 0.5


def click_map(clicks, shape, radius=RADIUS):
    """Disks of ones around clicks, zeros elsewhere.

    Parameters
    ----------
    clicks : sequence of (row, column), pixels; may be empty
    shape : (H, W)
    radius : float, pixels
        A pixel is marked whose center is at most so far from that of a click.

    Returns
    -------
    ``(H, W)`` float32 of 0 and 1
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    marked = np.zeros(shape, np.float32)
    for row, column in clicks:
        marked[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    return marked


def with_clicks(image, positive=(), negative=()):
    """What the network takes, ``(H, W, 3)``: the image, the map of positive clicks, and that of negative ones."""
    maps = [click_map(clicks, np.shape(image)) for clicks in (positive, negative)]
    return np.stack([image, *maps], axis=-1).astype(np.float32)


def next_click(truth, mask, rng=None):
    """Where somebody who knows the truth clicks next: in the middle of the largest connected error.

    Parameters
    ----------
    truth, mask : ``(H, W)`` bool
        The thing, and what is marked so far. The border of the image is an edge of what touches it.
    rng : numpy.random.Generator, optional
        With it the click is anywhere in the inner half of that error, as in training.

    Returns
    -------
    (row, column, positive) : int, int, bool; None where nothing is wrong
        Positive where the thing is missing, negative where something else is marked.
    """
    truth, mask = np.asarray(truth, bool), np.asarray(mask, bool)
    # missing and superfluous pixels that touch are two errors
    labels, count = ndimage.label(truth & ~mask)
    superfluous, more = ndimage.label(mask & ~truth)
    labels[superfluous > 0] = superfluous[superfluous > 0] + count
    if count + more == 0:
        return None
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    box = ndimage.find_objects(largest.astype(np.uint8))[0]
    depth = ndimage.distance_transform_edt(np.pad(largest[box], 1))[1:-1, 1:-1]
    best = depth.argmax() if rng is None else rng.choice(np.flatnonzero(depth >= 0.5 * depth.max()))
    row, column = np.unravel_index(best, depth.shape)
    row, column = int(row + box[0].start), int(column + box[1].start)
    return row, column, bool(truth[row, column])


def load_click_network():
    """Load the U-Net that takes clicks, trained on seven kinds of things in the phantom's training patients.

    Returns
    -------
    keras.Model
        ``(N, H, W, 3)`` float32 of :func:`with_clicks` in, the image in 0–1 (lung window −600/1500), sides a multiple
        of 16; ``(N, H, W, 1)`` out, the probability that a pixel belongs to the one thing that was clicked. For
        teaching on synthetic patients; not for patients.
    """
    import keras

    return keras.saving.load_model(CLICK_NETWORK, compile=False)


def keras_segmenter(model, batch_size=32):
    """A function ``(images, positive, negative) -> (N, H, W) bool``, with a list of clicks for each image."""

    def segment(images, positive, negative):
        asked = np.stack([with_clicks(*one) for one in zip(images, positive, negative, strict=True)])
        parts = [model.predict_on_batch(asked[k : k + batch_size]) for k in range(0, len(asked), batch_size)]
        return np.concatenate(parts)[..., 0] >= THRESHOLD

    return segment


def grow_regions(tolerance, smoothing=0):
    """A region grower as a function like that of :func:`keras_segmenter`.

    From each positive click it floods all pixels that are connected to it and whose gray value differs by at most the
    tolerance from that of the click (a flood fill). The disk of a negative click
    is a wall. ``smoothing`` is the standard deviation, in pixels, of a Gaussian filter before.
    """
    from skimage.segmentation import flood

    def grow(image, positive, negative):
        image = ndimage.gaussian_filter(np.asarray(image, float), smoothing)
        image[click_map(negative, image.shape) > 0] = np.inf
        grown = np.zeros(image.shape, bool)
        for click in positive:
            if np.isfinite(image[click]):
                grown |= flood(image, click, tolerance=tolerance)
        return grown

    return lambda *asked: np.array([grow(*one) for one in zip(*asked, strict=True)])


def watershed_segmenter(smoothing=1):
    """Seeded watershed as a function like that of :func:`keras_segmenter`: clicks share out the image at its edges.

    Water rises in the picture of the gradients from every click; the frame of the image counts as a negative one.
    """
    from skimage.filters import sobel
    from skimage.segmentation import watershed

    def share_out(image, positive, negative):
        if not positive:
            return np.zeros(np.shape(image), bool)
        markers = np.full(np.shape(image), 2)
        markers[1:-1, 1:-1] = 0
        markers[click_map(negative, markers.shape) > 0] = 2
        for click in positive:
            markers[click] = 1
        return watershed(sobel(ndimage.gaussian_filter(np.asarray(image, float), smoothing)), markers) == 1

    return lambda *asked: np.array([share_out(*one) for one in zip(*asked, strict=True)])


def click_through(segment, images, truths, clicks=10, shift=0.0, seed=0):
    """Ask with 0, 1, 2, … simulated clicks, each on the worst error of the answer before it.

    Parameters
    ----------
    segment : function ``(images, positive, negative) -> (N, H, W) bool``
        As :func:`keras_segmenter` gives one.
    images : ``(N, H, W)`` float
    truths : ``(N, H, W)`` bool
    clicks : int
    shift : float, pixels
        Standard deviation, in each direction, of an unsteady hand. A click keeps its sign wherever it falls.
    seed : int, of the unsteady hand

    Returns
    -------
    masks : ``(clicks + 1, N, H, W)`` bool
    placed : list of N lists of (row, column, positive)
        An answer without an error gets no further click.
    """
    rng = np.random.default_rng(seed)
    placed = [[] for _ in images]
    masks = [segment(images, [[] for _ in images], [[] for _ in images])]
    shape = np.array(np.shape(images)[1:])
    for number in range(clicks):
        # the first click is where the thing is, whatever is marked without one
        before = masks[-1] if number else np.zeros_like(masks[0])
        for own, truth, mask in zip(placed, truths, before, strict=True):
            click = next_click(truth, mask)
            if click is not None:
                place = np.rint(click[:2] + shift * rng.standard_normal(2)).clip(0, shape - 1)
                own.append((int(place[0]), int(place[1]), click[2]))
        by_sign = [[[c[:2] for c in own if c[2] is sign] for own in placed] for sign in (True, False)]
        masks.append(segment(images, *by_sign))
    return np.array(masks), placed


def objects_of(masks, least):
    """The connected objects of masks ``(N, H, W)``: a list of (slice, mask), those of ``least`` pixels and more."""
    found = []
    for index, mask in enumerate(masks):
        labels, count = ndimage.label(mask)
        found += [(index, labels == one) for one in range(1, count + 1) if (labels == one).sum() >= least]
    return found


class Sessions:
    """People who click, side by side: each wants one thing, and clicks where the last answer was most wrong.

    Parameters
    ----------
    images : ``(N, H, W)`` float
    objects : dict of str to list of (slice, mask), by kind
        All kinds are wanted equally often.
    size : int
        Side of the crop that each session is about.
    together : int
        Sessions at a time.
    most : int
        Clicks in a session: 1 to so many, drawn.
    fill : float
        Gray value beyond the slice.
    seed : int

    Attributes
    ----------
    inputs : ``(together, size, size, 3)`` float32, as :func:`with_clicks` makes them
    truths : ``(together, size, size)`` bool
    clicks : list of lists of (row, column, positive), for each session those so far
    """

    def __init__(self, images, objects, *, size=80, together=12, most=8, fill=0.0, seed=0):
        self.images, self.objects, self.size, self.most, self.fill = images, objects, size, most, fill
        self.rng = np.random.default_rng(seed)
        self.inputs = np.zeros((together, size, size, 3), np.float32)
        self.truths = np.zeros((together, size, size), bool)
        self.left = np.zeros(together, int)
        self.clicks = [[] for _ in range(together)]
        self.answer(np.zeros_like(self.truths))

    def answer(self, masks):
        """Take an answer ``(together, size, size)`` bool: everybody clicks once more, or wants something else."""
        for slot in range(len(masks)):
            click = next_click(self.truths[slot], masks[slot], self.rng)
            if self.left[slot] == 0 or click is None:
                self._begin(slot)
                click = next_click(self.truths[slot], np.zeros_like(masks[slot]), self.rng)
            self.left[slot] -= 1
            row, column, positive = click
            self.clicks[slot].append(click)
            channel = 1 if positive else 2
            self.inputs[slot, ..., channel] = np.maximum(
                self.inputs[slot, ..., channel], click_map([(row, column)], (self.size, self.size))
            )

    def _begin(self, slot):
        """A new thing in a crop around one of its pixels, mirrored half of the time, a little brighter or darker."""
        rng, half = self.rng, self.size // 2
        kind = rng.choice(list(self.objects))
        index, mask = self.objects[kind][rng.integers(len(self.objects[kind]))]
        pixels = np.argwhere(mask)
        row, column = pixels[rng.integers(len(pixels))] + rng.integers(-half // 2, half // 2 + 1, 2)
        window = slice(row, row + self.size), slice(column, column + self.size)
        border = ((half, self.size), (half, self.size))
        truth = np.pad(mask, border)[window] if min(row, column) >= 0 else np.zeros(0, bool)
        if not truth.any():
            return self._begin(slot)
        image = np.pad(self.images[index], border, constant_values=self.fill)[window]
        if rng.random() < 0.5:
            image, truth = image[:, ::-1], truth[:, ::-1]
        image = image * rng.uniform(0.9, 1.1) + rng.uniform(-0.05, 0.05)
        self.inputs[slot], self.clicks[slot] = 0, []
        self.inputs[slot, ..., 0] = image.clip(0, 1)
        self.truths[slot] = truth
        self.left[slot] = rng.integers(1, self.most + 1)

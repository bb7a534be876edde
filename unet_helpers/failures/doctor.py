"""A doctor for training runs: from the model, its curves and its data to the likely bug.

It reads what everybody has after a training, knows fifteen mistakes of :mod:`unet_helpers.teaching.museum` and a few
others by their traces, and says what it cannot see. It does not know what was done to the data or the network.
"""

import re
import warnings
from dataclasses import dataclass
from itertools import combinations

import keras
import numpy as np
from scipy import ndimage

from ..evaluation.overlap import dice
from ..evaluation.prediction import probabilities_to_masks
from .black_mask import FLAT, fault_of_values, spread_of

SLICES = 48  #: how many slices of a subset are looked at
SIDE, GRAYS = 32, 8  #: the pairing test looks at pictures of so many pixels and in so many grays
#: bugs that leave no trace in what :func:`diagnose` is given
CANNOT_SEE = (
    "a test set that was used for selection: it leaves no trace in model, curves and data",
    "slices of one patient under two names, unless they are alike to the pixel",
    "subsets that were normalized each by itself, if the images were scaled once more afterwards",
    "whether the ground truth is right where it looks plausible",
)


@dataclass(frozen=True)
class Suspicion:
    """One finding: the likely bug, what speaks for it (0 to 1), why, and the test that decides."""

    name: str
    likelihood: float
    evidence: str
    next_test: str

    def __str__(self):
        return f"✗ {self.name} ({self.likelihood:.1f}): {self.evidence}\n    → {self.next_test}"


class Diagnosis(list):
    """The findings of :func:`diagnose`, most likely first, and in ``unseen`` what could not be tested."""

    def __init__(self, findings, unseen):
        super().__init__(sorted(findings, key=lambda finding: -finding.likelihood))
        self.unseen = list(unseen)

    @property
    def names(self):
        """The names of the findings, most likely first."""
        return [finding.name for finding in self]

    def __str__(self):
        found = [str(finding) for finding in self] or ["✓ nothing suspicious"]
        return "\n".join([*found, *(f"? not seen: {line}" for line in self.unseen)])


def diagnose(model, history, data):
    """Read model, curves and data of a training, and name the likely bug. Used in 16.

    Parameters
    ----------
    model : keras.Model
        Trained, ``(N, H, W, C)`` in, probabilities ``(N, H, W, K)`` out.
    history : History, keras.callbacks.History or dict of str to list
        Of :func:`unet_helpers.train` or of ``fit``.
    data : Dataset
        As it was used for the training: with the augmentation, if that was done beforehand.

    Returns
    -------
    Diagnosis
        A list of :class:`Suspicion`, most likely first, empty if nothing is suspicious. Likelihoods rank; they are no
        probabilities. ``print`` shows evidence and the next test of each, and what the doctor cannot see.
    """
    curves = read_curves(history)
    unseen = list(CANNOT_SEE)
    findings = [
        *ask_mask_values(data),
        *ask_border_class(data),
        *ask_inverted(data),
        *ask_both_sides(data),
        *ask_ranges(data),
        *ask_own_statistics(data),
        *ask_noise(data),
        *ask_softmax(model),
        *ask_skips(model),
        *ask_batch_metric(model),
        *ask_accuracy_alone(curves, data),
    ]
    named = {finding.name for finding in findings}
    # what follows from another finding is none of its own
    if "noise in place of the data" not in named:
        findings += ask_pairs(data, unseen)
    if not named & {"training and validation scaled differently", "masks in 0 and 255"}:
        findings += ask_curves(curves)
    findings += ask_predictions(model, data, bool(findings))
    return Diagnosis(findings, unseen)


def read_curves(history):
    """The curves of any kind of history as a dict of arrays."""
    curves = getattr(history, "curves", None) or getattr(history, "history", None) or history
    return {name: np.asarray(values, float) for name, values in dict(curves).items()}


# --- the data ---------------------------------------------------------------------------------


def ask_mask_values(data):
    """Are the masks class indices?"""
    found = np.concatenate([np.unique(part.masks) for part in (data.train, data.validation)])
    fault, shown = fault_of_values(found, data.num_classes)
    if fault == "fractions":
        test = "resize masks with the nearest neighbor (order=0), or cut them at 0.5, and look at np.unique again"
        yield Suspicion("mask edges left as fractions", 1.0, f"mask values are {shown}", test)
    elif fault == "too large":
        test = "encode the masks to 0, 1, … and look at np.unique again"
        evidence = f"mask values are {shown}; {data.num_classes} classes end at {data.num_classes - 1}"
        yield Suspicion("masks in 0 and 255", 1.0, evidence, test)


def ask_border_class(data):
    """Is there a class that lives only between two others?"""
    masks = spread_out(data.train).masks
    for index in range(1, data.num_classes - 1):
        own = masks == index
        if not own.any():
            continue
        near = [ndimage.maximum_filter(masks == other, size=(1, 3, 3)) for other in range(data.num_classes)]
        pairs = [(a, b) for a in range(index) for b in range(index + 1, data.num_classes)]
        share = max(float((near[a] & near[b])[own].mean()) for a, b in pairs)
        if share > 0.25:
            name = f"class {index} ({data.class_names[index]})"
            evidence = f"{share:.0%} of {name} lies between a lower and a higher class"
            yield Suspicion("masks resized with interpolation", 0.9, evidence, "resize with order=0; draw this class")
            return


def ask_inverted(data):
    """Does the foreground fill the corners of the pictures?"""
    masks = spread_out(data.train).masks > 0
    corners = float(masks[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean())
    share = float(masks.mean())
    if corners > 0.9 and share > 0.5 and not noisy(masks):
        evidence = f"the foreground covers {share:.0%} of the pixels and {corners:.0%} of the corners"
        yield Suspicion("labels inverted", 0.9, evidence, "draw one mask over its image")


def ask_both_sides(data):
    """Does a patient, or the same picture, stand in two subsets?"""

    def in_two(contents):
        groups = [set(contents(part)) for part in data.subsets.values()]
        return set().union(*(one & other for one, other in combinations(groups, 2)))

    shared = in_two(lambda part: part.patient_ids.tolist())
    if shared:
        evidence = f"{len(shared)} patients stand in more than one subset, such as {sorted(shared)[0]}"
        yield Suspicion("patients on both sides of the split", 1.0, evidence, "split by patient and train again")
    shared = in_two(lambda part: [image.tobytes() for image in part.images])
    if shared:
        evidence = f"{len(shared)} images stand in more than one subset, pixel by pixel"
        yield Suspicion("images on both sides of the split", 1.0, evidence, "remove the copies, then split by patient")


def ask_ranges(data):
    """Do training and validation images have one scale?"""
    (low, high), (low_v, high_v) = (np.quantile(part.images, (0.02, 0.98)) for part in (data.train, data.validation))
    spread, spread_v = max(high - low, 1e-9), max(high_v - low_v, 1e-9)
    if not 1 / 3 < spread_v / spread < 3 or abs((low_v + high_v) - (low + high)) / 2 > max(spread, spread_v):
        evidence = (
            f"training images run from {low:.3g} to {high:.3g}, validation images from {low_v:.3g} to {high_v:.3g}"
        )
        yield Suspicion("training and validation scaled differently", 1.0, evidence, "prepare both by one function")


def ask_own_statistics(data):
    """Is the mean of each subset 0, more exactly than chance allows?"""
    images = data.train.images, data.validation.images
    means, deviations = ([getattr(part, of)(dtype=np.float64) for part in images] for of in ("mean", "std"))
    if np.allclose(means, 0, atol=1e-3) and np.allclose(deviations, 1, rtol=0, atol=1e-3):
        values = f"mean {abs(means[1]):.3f} and deviation {deviations[1]:.3f}"
        evidence = f"training and validation images both have {values}"
        test = "normalize validation and test images by mean and deviation of the training images; measure again"
        yield Suspicion("each subset normalized by itself", 0.9, evidence, test)


def ask_noise(data):
    """Are masks, or images, without any structure?"""
    part = spread_out(data.train)
    for name, pictures in (("masks", part.masks > 0), ("images", part.images[..., 0])):
        if noisy(pictures):
            evidence = f"neighboring pixels of the {name} have a correlation of {neighbor_correlation(pictures):.2f}"
            yield Suspicion("noise in place of the data", 1.0, evidence, "draw one image and its mask")
            return


def noisy(pictures):
    """Whether neighboring pixels know nothing of each other; masks of a few single pixels are not called noise."""
    rare = pictures.dtype == bool and not 0.05 < pictures.mean() < 0.95
    return not rare and neighbor_correlation(pictures) < 0.2


def neighbor_correlation(pictures):
    """Correlation of each pixel with the one to its right; 1 where nothing varies."""
    left, right = (np.asarray(pictures, float)[:, :, part].ravel() for part in (slice(None, -1), slice(1, None)))
    if left.std() == 0 or right.std() == 0:
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])


def ask_pairs(data, unseen):
    """Do images lose something when the masks of two of them are swapped?"""
    images, masks = thumbnails(spread_out(data.train))
    share = masks.mean(axis=(1, 2))
    usable = (share > 0.02) & (share < 0.98)
    if usable.sum() < 12:
        unseen.append("whether images and masks belong together: too few masks with an object of 2 % of the picture")
        return
    images, masks = images[usable], masks[usable]
    by_gray, by_edges = gray_information(images, masks[:, None]), edge_strength(images, masks)
    kept = max(better_than_swapped(by_gray), better_than_swapped(by_edges))
    if kept > 0.9:
        return
    moved = better_than_swapped(gray_information(images, moved_masks(masks)))
    evidence = f"two masks fit their images better than swapped in only {kept:.0%} of the pairs (chance: 50%)"
    if moved > max(0.75, kept + 0.05):
        evidence += f", but in {moved:.0%} once masks may be turned, shifted and mirrored"
        test = "draw masks over images as the network sees them; turn the augmentation off"
        yield Suspicion("image and mask augmented apart", 0.8, evidence, test)
    else:
        test = "draw ten masks over their images; pair by name; shuffle the masks and see whether anything changes"
        yield Suspicion("images and masks mispaired", 0.8, evidence, test)


def better_than_swapped(fit):
    """Share of all pairs whose two masks fit their own images better than each other's. Used in 16.

    Parameters
    ----------
    fit : ``(N, N)`` float
        How well each image (row) and each mask (column) go together.

    Returns
    -------
    float
        About 0.5 if images and masks have nothing to do with each other, near 1 if they belong together.
    """
    own = np.diag(fit)[:, None] + np.diag(fit)[None, :]
    swapped = fit + fit.T
    better = (own > swapped) + 0.5 * (own == swapped)
    return float(better[~np.eye(len(fit), dtype=bool)].mean())


def gray_information(images, masks):
    """Mutual information of gray level and mask, for every image with every mask: ``(N, N)``, in nats. Used in 16.

    Parameters
    ----------
    images : ``(N, S, S)`` float
    masks : ``(N, T, S, S)`` bool
        T versions of each mask, of which the best counts.
    """
    n, versions = masks.shape[:2]
    cuts = np.quantile(images, np.linspace(0, 1, GRAYS + 1)[1:-1])
    grays = np.searchsorted(cuts, images).reshape(n, 1, -1) == np.arange(GRAYS)[:, None]  # (N, G, P)
    inside = masks.reshape(n * versions, -1).astype(np.float32)  # (N·T, P)
    together = grays.reshape(n * GRAYS, -1).astype(np.float32) @ inside.T / inside.shape[1]
    together = together.reshape(n, GRAYS, n, versions)
    of_gray, of_mask = grays.mean(axis=2)[:, :, None, None], inside.mean(axis=1).reshape(1, 1, n, versions)
    information = np.zeros((n, n, versions))
    for joint, share in ((together, of_mask), (of_gray - together, 1 - of_mask)):
        joint = np.maximum(joint, 1e-12)
        information += (joint * np.log(joint / np.maximum(of_gray * share, 1e-12))).sum(axis=1)
    return information.max(axis=2)


def edge_strength(images, masks):
    """Mean rank of the gray gradient along the border of a mask, for every image with every mask: ``(N, N)``."""
    gradient = np.hypot(ndimage.sobel(images, axis=1), ndimage.sobel(images, axis=2)).reshape(len(images), -1)
    rank = gradient.argsort(axis=1).argsort(axis=1) / gradient.shape[1]
    size = (1, 3, 3)
    border = ndimage.maximum_filter(masks, size=size) & ~ndimage.minimum_filter(masks, size=size)
    border = border.reshape(len(masks), -1).astype(float)
    return rank @ border.T / border.sum(axis=1)


def moved_masks(masks):
    """Each mask turned by up to 20 degrees, shifted by up to an eighth, and mirrored: ``(N, T, S, S)`` bool."""
    versions = []
    for angle in (-20, -10, 0, 10, 20):
        turned = ndimage.rotate(masks.astype(np.uint8), angle, axes=(1, 2), reshape=False, order=0)
        for rows in (-4, -2, 0, 2, 4):
            for columns in (-4, -2, 0, 2, 4):
                moved = np.roll(turned, (rows, columns), axis=(1, 2))
                versions += [moved, moved[:, :, ::-1]]
    return np.stack(versions, axis=1).astype(bool)


def thumbnails(part):
    """Images ``(N, 32, 32)`` float and their foreground, bool: the mean of what one pixel covers. Used in 16."""
    # 5 to 50 times as fast as skimage.transform.resize_local_mean, and the same but for rounding
    pictures = np.stack([part.images[..., 0], part.masks >= 0.5])
    for axis in (2, 3):
        starts = np.unique(np.linspace(0, pictures.shape[axis], SIDE + 1).astype(int)[:-1])
        lengths = np.diff([*starts, pictures.shape[axis]])
        shape = [-1 if at == axis else 1 for at in range(4)]
        pictures = np.add.reduceat(pictures, starts, axis=axis) / lengths.reshape(shape)
    return pictures[0], pictures[1] > 0.5


def spread_out(part):
    """Up to 48 slices, spread evenly over the subset; those with an object if there are enough. Used in 16."""
    holds = np.flatnonzero((part.masks > 0).any(axis=(1, 2)))
    chosen = holds if len(holds) >= SLICES else np.arange(len(part))
    return part[chosen[np.linspace(0, len(chosen) - 1, min(SLICES, len(chosen))).astype(int)]]


# --- the model --------------------------------------------------------------------------------


def ask_softmax(model):
    """Is there a softmax over one channel?"""
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", model.layers[-1].name)
    if model.output_shape[-1] == 1 and "softmax" in activation:
        test = "use a sigmoid for one map; look at the smallest and largest output"
        yield Suspicion("softmax over one channel", 1.0, "the last layer divides one number by itself: always 1", test)


def ask_skips(model):
    """Does every way from the image to the output lead through the smallest maps?"""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    sizes = {layer: _pixels(layer.output) for layer in layers}
    known = [size for size in sizes.values() if size]
    whole = _pixels(model.output)
    if not known or not whole or min(known) >= whole:
        return  # nothing is made smaller: no U, and nothing to bridge
    reached = {id(tensor) for tensor in keras.tree.flatten(model.input)}
    for layer in layers:
        if sizes[layer] == min(known):
            continue
        if any(id(tensor) in reached for tensor in keras.tree.flatten(layer.input)):
            reached |= {id(tensor) for tensor in keras.tree.flatten(layer.output)}
    if not any(id(tensor) in reached for tensor in keras.tree.flatten(model.output)):
        evidence = f"every way from image to output leads through maps of {min(known)} pixels"
        yield Suspicion("skip connections left out", 0.9, evidence, "model.summary(): count the concatenations")


def _pixels(output):
    shape = keras.tree.flatten(output)[0].shape[1:-1]
    return 0 if len(shape) != 2 or None in shape else int(np.prod(shape))


def ask_batch_metric(model):
    """Is an overlap metric a function, which Keras averages over batches?"""
    metrics = [one for metric in getattr(model, "metrics", []) for one in getattr(metric, "metrics", [metric])]
    for metric in metrics:
        if isinstance(metric, keras.metrics.MeanMetricWrapper) and re.search("dice|iou|jaccard|f1", metric.name, re.I):
            evidence = f"{metric.name} is a function of one batch, and Keras takes the mean over the batches"
            test = "model.evaluate with two batch sizes; or add up counts and divide once"
            yield Suspicion("metric averaged per batch", 0.9, evidence, test)
            return


# --- the curves -------------------------------------------------------------------------------


def ask_accuracy_alone(curves, data):
    """Is accuracy all that was watched?"""
    names = {name.removeprefix("val_") for name in curves} - {"loss", "learning_rate"}
    if names and all("acc" in name for name in names):
        share = float((data.train.masks > 0).mean())
        evidence = f"the curves hold no other metric, and a constant answer already scores {max(share, 1 - share):.2f}"
        yield Suspicion("accuracy as the only metric", 0.7, evidence, "watch the Dice of each class")


def ask_curves(curves):
    """Does the loss start far too high, jump, or become NaN?"""
    loss = curves.get("loss", np.zeros(1))
    if not np.isfinite(loss).all():
        yield too_fast(0.8, "the loss is NaN")
        return
    start, worst = max(float(loss[0]), 0.05), float(np.nanmax(curves.get("val_loss", loss)))
    if len(loss) > 1 and loss[0] > 2.5 and loss[0] > 3 * abs(loss[-1]):
        yield too_fast(0.6, f"the loss of the first epoch is {loss[0]:.3g}, far above what guessing costs")
    elif worst > 20 * start:
        reached = f"the validation loss reaches {worst:.3g}"
        yield too_fast(0.5, f"{reached}; the training loss of the first epoch is {start:.3g}")


def too_fast(likelihood, evidence):
    """The finding that four kinds of evidence lead to."""
    return Suspicion("learning rate too high", likelihood, evidence, "train with a tenth of the learning rate")


# --- the predictions --------------------------------------------------------------------------


def ask_predictions(model, data, explained):
    """Are predictions constant, inverted, or no better than one fixed picture?"""
    part = spread_out(data.validation)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis")  # it is a finding of its own
        batches = [part.images[start : start + 8] for start in range(0, len(part), 8)]
        probabilities = np.concatenate([np.asarray(model(batch, training=False)) for batch in batches])
    spread = spread_of(probabilities)
    if not np.isfinite(spread):
        yield too_fast(0.7, "the outputs hold NaN")
        return
    predicted, truth = probabilities_to_masks(probabilities) > 0, part.masks > 0
    fixed = (data.train.masks > 0).mean(axis=0) > 0.5
    reference = _dice(truth, np.broadcast_to(fixed, truth.shape)) if fixed.shape == truth.shape[1:] else 0.0
    overlap, opposite = _dice(truth, predicted), _dice(truth, ~predicted)
    if opposite > overlap + 0.4:
        evidence = f"the Dice of the opposite is {opposite:.2f}, of the prediction {overlap:.2f}"
        yield Suspicion("labels inverted", 0.6, evidence, "draw a prediction beside its mask")
    elif spread < FLAT:
        test = "overfit one image: a network that cannot is wired wrongly; then try a tenth of the learning rate"
        yield Suspicion("the output is constant", 0.3, "it is the same for every pixel", test)
    elif overlap < max(reference, 0.05) and not explained:
        evidence = f"its Dice is {overlap:.2f}; one picture for all, the average mask, has {reference:.2f}"
        yield Suspicion("nothing was learned", 0.3, evidence, "overfit one image; shuffle the masks")


def _dice(truth, predicted):
    return np.nan_to_num(dice(truth, predicted))  # nothing to find and nothing found: no reason to be content

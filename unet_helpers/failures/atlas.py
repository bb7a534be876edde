"""An atlas of failures: every connected piece of wrong pixels gets a name, by rules that a program applies.

All classes are looked at together, and the neighboring slices and the image have a say: some kinds are facts about two
masks (a missed object, a merger), others name a likely cause (an edge of the field of view, too little contrast, the
end of an object).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from .lesions import distance_to_other_side

#: in the order in which they are asked: the first rule that holds gives the name
ATLAS = {
    "truncated by field of view": "at least half of it lies within two pixels of the edge of the field of view, or "
    "beyond, where that edge cuts a true object",
    "wrong class": "at least half of a true object is predicted as one other class, which its surroundings hardly are",
    "slice-end error": "the last cross-section of an object, missed although the one beside it, over which at least "
    "half of it lies, is found; or one that is predicted beyond the last",
    "low contrast": "true pixels not predicted, a whole object or deeper than the tolerance, that hardly differ from "
    "what surrounds the object",
    "missed object": "a true object that the prediction does not touch",
    "split": "true pixels not predicted, between two predicted parts of one true object",
    "merged": "predicted pixels that join two true objects",
    "false island": "a predicted object that touches no true object",
    "boundary shift": "at least half of it lies within the tolerance of the true boundary",
    "leak into a neighbor": "predicted pixels further outside an object that was found",
    "hole": "true pixels further inside an object that was found",
}
CAUSES = ("truncated by field of view", "slice-end error", "low contrast")  #: the others are facts about two masks
#: of the image's scale; 375 HU in the lung window. Chosen on development patients (benchmarks/atlas.py)
CONTRAST = 0.25
COLUMNS = ("slice", "class", "kind", "pixels", "area_mm2", "row", "column", "depth_mm", "contrast")
#: pixels that touch, corners included
NEIGHBORS = np.ones((3, 3), bool)


def sort_errors(truth, predicted, images, spacing=(1.0, 1.0), *, contrast=CONTRAST, tolerance=None):
    """Give every piece of wrong pixels of one patient one of the names in :data:`ATLAS`.

    A piece is connected (edges and corners) within a slice, and its pixels share one true and one predicted class.
    Where both are objects, as for a nodule taken for lung, it counts for the class that is rarer in this patient.

    Ends of objects are known from the slices beside them. Where slices lie further apart than objects are long, none is
    in two of them, and one that lies over another may be taken for its end.

    Parameters
    ----------
    truth, predicted : ``(D, H, W)`` integer
        Class indices, the slices in their order.
    images : ``(D, H, W)`` or ``(D, H, W, 1)`` float
    spacing : (float, float)
        (row, column) in mm; nan counts as 1.
    contrast : float
        Below this difference, in units of the image, a contrast is low.
    tolerance : float, optional
        In mm, of the boundary. Default: 1.5 pixels.

    Returns
    -------
    table : pandas.DataFrame
        A row per piece: ``slice``, ``class`` (index), ``kind``, ``pixels``, ``area_mm2``, ``row``, ``column`` (center),
        ``depth_mm`` (largest distance of its pixels to the true boundary of the class; inf where the slice has none),
        ``contrast`` (mean of a lost piece against the surroundings of its object; nan for added pixels).
    pieces : ``(D, H, W)`` int32
        0 where nothing is wrong, else the row of the table plus 1.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, predicted, images = np.asarray(truth), np.asarray(predicted), np.asarray(images)
    images = images[..., 0] if images.ndim == 4 else images
    if not truth.shape == predicted.shape == images.shape or truth.ndim != 3:
        raise ValueError(
            f"truth has shape {truth.shape}, the prediction {predicted.shape} and the images {images.shape}; "
            "give three stacks of one shape, (slices, rows, columns)"
        )
    spacing = (1.0, 1.0) if np.isnan(spacing).any() else tuple(spacing)
    tolerance = 1.5 * max(spacing) if tolerance is None else tolerance
    scene = _Scene(truth, predicted, images, spacing, contrast, tolerance)
    pieces, rows = np.zeros(truth.shape, np.int32), []
    for k in range(len(truth)):
        wrong = truth[k] != predicted[k]
        for true, found in np.unique(np.stack([truth[k][wrong], predicted[k][wrong]], axis=1), axis=0):
            labels, count = ndimage.label((truth[k] == true) & (predicted[k] == found) & wrong, NEIGHBORS)
            for number in range(1, count + 1):
                area = labels == number
                rows.append(scene.describe(k, area, int(true), int(found)))
                pieces[k][area] = len(rows)
    return pd.DataFrame(rows, columns=COLUMNS), pieces


def tabulate_atlas(subset, predictions, class_names, **options):
    """:func:`sort_errors` for every patient of a subset. Used in 06.

    Returns
    -------
    table : pandas.DataFrame
        As that of :func:`sort_errors`, with ``case`` and ``patient`` first, ``slice`` the place in the subset, and the
        names of the classes.
    pieces : ``(N, H, W)`` int32
    """
    pieces, tables, count = np.zeros(subset.masks.shape, np.int32), [], 0
    for patient in dict.fromkeys(subset.patient_ids.tolist()):
        own = np.flatnonzero(subset.patient_ids == patient)
        table, found = sort_errors(
            subset.masks[own], np.asarray(predictions)[own], subset.images[own], subset.spacing[own[0]], **options
        )
        pieces[own] = np.where(found, found + count, 0)
        count += len(table)
        table["slice"] = own[table["slice"].to_numpy(dtype=int)]
        table.insert(0, "patient", patient)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "case", subset.case_ids[table["slice"].to_numpy(dtype=int)])
    table["class"] = [class_names[index] for index in table["class"]]
    return table, pieces


def field_of_view(images):
    """``(H, W)`` bool: False in corners that hold one and the same value in all slices, as scanners leave them.

    All True where these would be more than three tenths of the image: then it is the air around a patient.
    """
    constant = (images == images[:1]).all(axis=0)
    outside = np.zeros(constant.shape, bool)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        if constant[row, column]:
            labels, _ = ndimage.label(constant & (images[0] == images[0, row, column]))
            outside |= labels == labels[row, column]
    return ~outside if outside.mean() < 0.3 else np.ones_like(outside)


def balanced_accuracy(table, given="kind", repeats=1000):
    """Mean over the expected kinds of the share that got its name, with the 95 % interval over patients.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per piece, with the columns ``expected`` and ``patient``.
    given : str
        The column of the names that it got.
    repeats : int
        Of the bootstrap: patients are drawn with replacement, each with all its pieces.

    Returns
    -------
    (value, low, high) : float
    """
    hit = (table["expected"] == table[given]).to_numpy()
    kinds, kind = np.unique(table["expected"], return_inverse=True)
    groups, group = np.unique(table["patient"], return_inverse=True)
    hits, sizes = np.zeros((2, len(groups), len(kinds)))
    np.add.at(hits, (group, kind), hit)
    np.add.at(sizes, (group, kind), 1)
    value = float((hits.sum(axis=0) / sizes.sum(axis=0)).mean())
    drawn = np.random.default_rng(0).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=repeats)
    with np.errstate(invalid="ignore"):
        shares = (drawn @ hits) / (drawn @ sizes)  # nan where a draw holds none of a kind
    low, high = np.quantile(np.nanmean(shares, axis=1), (0.025, 0.975))
    return value, float(low), float(high)


class _Scene:
    """A patient's masks and images, with what the rules ask of them, computed once."""

    def __init__(self, truth, predicted, images, spacing, contrast, tolerance):
        self.truth, self.predicted, self.images = truth, predicted, images
        self.spacing, self.contrast, self.tolerance = spacing, contrast, tolerance
        self.counts = np.bincount(truth.ravel(), minlength=int(max(truth.max(), predicted.max())) + 1)
        inside = np.pad(field_of_view(images), 1)  # beyond the image is beyond the field
        self.at_edge = ~ndimage.binary_erosion(inside, NEIGHBORS, iterations=2)[1:-1, 1:-1]
        self.views = {}

    def view(self, k, index):
        """One class in slice ``k``; None beyond the first and the last."""
        if not 0 <= k < len(self.truth):
            return None
        if (k, index) not in self.views:
            self.views[k, index] = _View.of(self.truth[k] == index, self.predicted[k] == index, self.spacing)
        return self.views[k, index]

    def describe(self, k, area, true, found):
        """The row of the table for one piece."""
        lost = true != 0 and (found == 0 or (self.counts[true], -true) < (self.counts[found], -found))
        index = true if lost else found
        view = self.view(k, index)
        distances = view.distance[area]
        contrast = self.measure_contrast(k, view, area) if lost else np.nan
        near = (distances <= self.tolerance).mean() >= 0.5
        kind = self.name(k, index, view, area, (true, found), lost, near, contrast)
        row, column = np.argwhere(area).mean(axis=0)
        size = int(area.sum())
        return k, index, kind, size, size * float(np.prod(self.spacing)), row, column, distances.max(), contrast

    def name(self, k, index, view, area, classes, lost, near, contrast):
        """The first rule that holds; the rules stand in the order of :data:`ATLAS`."""
        if self.at_edge[area].mean() >= 0.5 and (_grow(area, 3) & self.at_edge & view.truth).any():
            return "truncated by field of view"
        if all(classes) and self.exchanged(k, area, *classes):
            return "wrong class"
        labels = view.true_labels if lost else view.found_labels
        whole = labels == labels[area][0]  # the true or predicted object that the piece is part of
        untouched = not (view.found if lost else view.truth)[whole].any()
        if untouched and self.is_end(k, index, whole, lost):
            return "slice-end error"
        if lost and (untouched or not near) and abs(contrast) < self.contrast:
            return "low contrast"
        if untouched:
            return "missed object" if lost else "false island"
        beside = _grow(area) & view.truth & view.found
        if lost:
            sizes = np.bincount(view.found_labels[whole & view.found])
            parts = np.unique(view.found_labels[beside & whole])
            if (sizes[parts] >= 0.1 * whole.sum()).sum() > 1:
                return "split"
        elif len(np.unique(view.true_labels[beside])) > 1:
            return "merged"
        if near:
            return "boundary shift"
        return "hole" if lost else "leak into a neighbor"

    def exchanged(self, k, area, true, found):
        """Is half of a true object predicted as ``found``, and hardly any of its surroundings?"""
        labels = self.view(k, true).true_labels
        whole = labels == labels[area][0]
        around = _grow(whole, 2) & ~whole
        as_found = self.predicted[k] == found
        return as_found[whole].mean() >= 0.5 and (not around.any() or as_found[around].mean() < 0.2)

    def is_end(self, k, index, whole, lost):
        """Does the object go on, and is it found, in one of the slices beside this one, and not at all in the other?

        At least half of a lost cross-section must lie over it; a tip may be far smaller. A predicted one must be about
        as large, for a small island over a large organ is not its end.
        """
        sides = 0
        for beside in (self.view(k - 1, index), self.view(k + 1, index)):
            if beside is None or not (beside.truth & whole).any():
                continue
            touched = np.unique(beside.true_labels[whole & beside.truth])
            there = np.isin(beside.true_labels, touched)
            over = (there & whole).sum()
            goes_on = over >= 0.5 * whole.sum() if lost else over >= 0.3 * (there | whole).sum()
            if not goes_on or not (beside.found & there).any():
                return False
            sides += 1
        return sides == 1

    def measure_contrast(self, k, view, area):
        """Mean image value of a lost piece minus the median of what surrounds its object, two pixels wide."""
        whole = view.true_labels == view.true_labels[area][0]
        ring = _grow(whole, 3) & ~_grow(whole) & ~view.truth
        return float(self.images[k][area].mean() - np.median(self.images[k][ring])) if ring.any() else np.nan


@dataclass(frozen=True)
class _View:
    """One class in one slice: truth and prediction, their connected objects, the distance to the true boundary."""

    truth: np.ndarray
    found: np.ndarray
    true_labels: np.ndarray
    found_labels: np.ndarray
    distance: np.ndarray

    @classmethod
    def of(cls, truth, found, spacing):
        labels = (ndimage.label(mask, NEIGHBORS)[0] for mask in (truth, found))
        return cls(truth, found, *labels, distance_to_other_side(truth, spacing))


def _grow(area, steps=1):
    """A mask with a rim of ``steps`` pixels; computed in its bounding box, which is much faster for a small piece."""
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return area
    box = tuple(slice(max(0, ends[0] - steps), ends[-1] + steps + 1) for ends in (rows, columns))
    grown = np.zeros_like(area)
    grown[box] = ndimage.binary_dilation(area[box], NEIGHBORS, iterations=steps)
    return grown

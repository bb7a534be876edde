"""Four readers of LIDC slices against each other and against their consensus, into ``book/results/readers.json``.

``python benchmarks/readers.py [FOLDER]`` takes the folder named, or ``lidc_slices/LIDC-IDRI-slices`` under
``UNET_SHARED_DATA`` or ``../shared/data``. The files number the masks of a nodule and do not say who drew them, so
that the figures here treat the four alike: all six pairs, or each of the four against the other three. A mean is over
all these pairs, so that a slice that all four marked counts six times; ``cases_first`` averages the pairs of a slice
before the slices. Only ``by_number`` takes the masks by their number: the first is there as soon as one reader has
outlined the nodule, the fourth only if all have, so the four are no persons but go from lenient to strict. Intervals
are over patients. Half a minute, no network.
"""

import argparse
import os
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from unet_helpers.data import load_lidc, split_by_patient
from unet_helpers.evaluation import bootstrap_interval, surface_dice

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")
SIZES = (50, 200)  # pixels of the other masks' mean: below, between, above
TOLERANCE = 1.0  # pixels: the pictures carry no spacing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED / "lidc_slices" / "LIDC-IDRI-slices")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        sys.exit(f"skipped: no folder {folder}; name the folder of the LIDC slices")
    from record import write_results

    began = time.perf_counter()
    subset = load_lidc(folder)[2]
    results = measure(subset.readers, subset.patient_ids, nodules_of(subset.case_ids))
    # the patients on whom notebook 15 tests its network
    test = split_by_patient(subset.patient_ids)[2]
    tested, patients = against_others(subset.readers[test]), subset.patient_ids[test]
    results["test_patients_of_notebook_15"] = agreement(tested, patients) | {"by_number": by_number(tested, patients)}
    results["seconds"] = round(time.perf_counter() - began)
    path = write_results("readers", "Four readers of LIDC nodules against each other", results, data="LIDC-IDRI slices")
    for name, value in results.items():
        print(f"{name}: {value}")
    print(f"written: {path.name}")


def nodules_of(case_ids):
    """``patient/nodule`` of each ``patient/nodule/slice``."""
    return np.array([name.rsplit("/", 1)[0] for name in case_ids])


def measure(readers, patients, nodules):
    """Everything that the benchmark records.

    Parameters
    ----------
    readers : ``(N, R, H, W)`` 0/1
    patients, nodules : ``(N,)`` str
    """
    comparisons = {
        "pairs": between_pairs(readers),
        "others": against_others(readers),
        "all_with_own_mask": against_all(readers),
    }
    results = {"patients": len(set(patients)), "nodules": len(set(nodules)), "slices": len(readers)}
    results |= marked_by(readers, nodules)
    for name, pairs in comparisons.items():
        results[name] = agreement(pairs, patients) if name != "pairs" else overlap_by_slice(pairs, patients)
        results[name]["by_nodule"] = summarize(pooled(pairs, nodules), patients_of(nodules, patients))
        results[name]["by_patient"] = summarize(pooled(pairs, patients), np.unique(patients))
    # on slices where nobody's mask is empty the three comparisons see the same masks
    complete = readers.any(axis=(2, 3)).all(axis=1)
    results["slices_with_four_masks"] = int(complete.sum())
    for name, pairs in comparisons.items():
        values = pairs.dice[complete]
        results[f"{name}_of_four_masks"] = mean_with_interval("dice", values, patients[complete])
    results["pairs_by_size"] = by_size(comparisons["pairs"], patients)
    results["by_number"] = by_number(comparisons["others"], patients)
    marked = by_nodule(readers.any(axis=(2, 3)), nodules)
    results["numbered_from_the_first"] = round(float((np.diff(marked.astype(int)) <= 0).all(axis=1).mean()), 3)
    results["detection"] = detection(readers, nodules, patients)
    return results


class Pairs:
    """Pairs of masks on every slice: ``(N, P)`` pixels of each, and shared; and their masks one by one."""

    def __init__(self, first, second):
        """``(N, P, H, W)`` bool each."""
        self.masks = first, second
        self.first, self.second, self.shared = (
            np.count_nonzero(m, axis=(2, 3)) for m in (first, second, first & second)
        )

    @property
    def dice(self):
        return dice_of(self.first, self.second, self.shared)

    @property
    def surface_dice(self):
        """At the tolerance; nan where a mask is empty."""
        values = np.full(self.first.shape, np.nan)
        for n, p in np.argwhere((self.first > 0) & (self.second > 0)):
            values[n, p] = surface_dice(self.masks[0][n, p], self.masks[1][n, p], TOLERANCE)
        return values


def between_pairs(readers):
    """Each reader with each other."""
    masks = np.asarray(readers, bool)
    first, second = np.array(list(combinations(range(masks.shape[1]), 2))).T
    return Pairs(masks[:, first], masks[:, second])


def against_others(readers):
    """Each reader with what at least two of the others marked."""
    masks = np.asarray(readers, bool)
    votes = masks.sum(axis=1, keepdims=True, dtype=np.uint8)
    return Pairs(masks, votes - masks >= 2)


def against_all(readers):
    """Each reader with what at least two of all marked, the own mask among them."""
    masks = np.asarray(readers, bool)
    consensus = masks.sum(axis=1, keepdims=True, dtype=np.uint8) >= 2
    return Pairs(masks, np.repeat(consensus, masks.shape[1], axis=1))


def dice_of(first, second, shared):
    """From pixel counts; nan where both masks are empty."""
    both = first + second
    return np.divide(2 * shared, both, out=np.full(both.shape, np.nan), where=both > 0)


def pooled(pairs, keys):
    """The pixels of all slices of a nodule or patient added up: ``(first, second, shared)``, ``(K, P)`` each."""
    _, place = np.unique(keys, return_inverse=True)
    sums = np.zeros((3, place.max() + 1, pairs.first.shape[1]), int)
    for total, count in zip(sums, (pairs.first, pairs.second, pairs.shared), strict=True):
        np.add.at(total, place, count)
    return sums


def patients_of(nodules, patients):
    """The patient of each nodule, in the order of the sorted nodules."""
    return np.asarray(patients)[np.unique(nodules, return_index=True)[1]]


def overlap_by_slice(pairs, patients):
    """Dice and surface Dice per slice."""
    result = summarize((pairs.first, pairs.second, pairs.shared), patients)
    return result | mean_with_interval("surface_dice", pairs.surface_dice, patients)


def agreement(pairs, patients):
    """The same, and what notebook 15 says of its network, for readers: the second mask takes the place of the truth.

    ``dice_missed_is_0`` is over the slices where the truth holds something, ``missed`` the share of them in which the
    reader marked nothing, ``false_alarms`` the share of the other slices in which the reader marked something;
    ``patient_dice`` pools a patient's slices.
    """
    result = overlap_by_slice(pairs, patients)
    there, marked = pairs.second > 0, pairs.first > 0
    result |= operating_point(pairs, patients)
    result["median_dice_missed_is_0"] = middle(pairs.dice[there])
    result |= mean_with_interval("missed", np.where(there, ~marked, np.nan), patients)
    result |= mean_with_interval("patient_dice", dice_of(*pooled(pairs, patients)), np.unique(patients))
    result["patients"] = len(set(patients))
    return result


def operating_point(pairs, patients, which=slice(None)):
    """Dice where the truth holds something, and the share of the other slices with a mark; ``which`` of the pairs."""
    there, marked, values = pairs.second[:, which] > 0, pairs.first[:, which] > 0, pairs.dice[:, which]
    result = mean_with_interval("dice_missed_is_0", np.where(there, values, np.nan), patients)
    return result | mean_with_interval("false_alarms", np.where(there, np.nan, marked), patients)


def by_number(pairs, patients):
    """The operating point of the first mask of every nodule, of the second, …"""
    return [operating_point(pairs, patients, [number]) for number in range(pairs.first.shape[1])]


def summarize(counts, patients):
    """Dice where both masks hold something, and how many pairs have one empty mask or two."""
    first, second, shared = counts
    values = dice_of(first, second, shared)
    both = (first > 0) & (second > 0)
    where_both = np.where(both, values, np.nan)
    by_case = np.array([row[there].mean() for row, there in zip(values, both, strict=True) if there.any()])
    result = mean_with_interval("dice", where_both, patients)
    result |= {"median_dice": middle(values[both]), "dice_cases_first": round(float(by_case.mean()), 3)}
    result["median_dice_cases_first"] = middle(by_case)
    result |= mean_with_interval("dice_one_empty_is_0", values, patients)
    result["both_marked"] = int(both.sum())
    result["one_empty"] = int(((first > 0) ^ (second > 0)).sum())
    result["both_empty"] = int(((first == 0) & (second == 0)).sum())
    return result


def middle(values):
    return round(float(np.median(values)), 3)


def mean_with_interval(name, values, patients):
    """``{name, name_low, name_high}`` of ``(N, P)`` values, nan left out; patients are drawn."""
    values = np.asarray(values, float)
    low, high = bootstrap_interval(values.ravel(), np.repeat(np.asarray(patients), values.shape[1]))
    mean = np.nanmean(values) if np.isfinite(values).any() else np.nan
    return {
        key: round(float(value), 3) if np.isfinite(value) else None
        for key, value in zip((name, f"{name}_low", f"{name}_high"), (mean, low, high), strict=True)
    }


def marked_by(readers, nodules):
    """How many slices and nodules none, one, … all readers marked: lists from none to all."""
    marked = readers.any(axis=(2, 3))
    count = marked.shape[1] + 1
    of_nodule = by_nodule(marked, nodules)
    return {
        "slices_by_readers": np.bincount(marked.sum(axis=1), minlength=count).tolist(),
        "nodules_by_readers": np.bincount(of_nodule.sum(axis=1), minlength=count).tolist(),
    }


def by_nodule(marked, nodules):
    """``(K, R)``: which readers marked something on any slice of the nodule."""
    _, place = np.unique(nodules, return_inverse=True)
    found = np.zeros((place.max() + 1, marked.shape[1]), bool)
    np.logical_or.at(found, place, marked)
    return found


def by_size(pairs, patients):
    """Dice of pairs that both marked, by the mean size of the two masks in pixels."""
    size, both = (pairs.first + pairs.second) / 2, (pairs.first > 0) & (pairs.second > 0)
    small, large = SIZES
    parts = {
        f"below {small} pixels": size < small,
        f"{small} to {large} pixels": (size >= small) & (size < large),
        f"{large} pixels and more": size >= large,
    }
    result = {}
    for name, part in parts.items():
        values = np.where(both & part, pairs.dice, np.nan)
        result[name] = mean_with_interval("dice", values, patients) | {"both_marked": int((both & part).sum())}
    return result


def detection(readers, nodules, patients):
    """Of the nodules that 0, 1, 2, 3 of the others marked: the share in which a reader marked nothing."""
    found = by_nodule(readers.any(axis=(2, 3)), nodules)
    others = found.sum(axis=1, keepdims=True) - found
    drawn = patients_of(nodules, patients)
    result = {}
    for count in range(1, found.shape[1]):
        missed = np.where(others == count, ~found, np.nan)
        result |= mean_with_interval(f"missed_if_{count}_others_marked", missed, drawn)
    missed = np.where(others >= 2, ~found, np.nan)
    result |= mean_with_interval("missed_if_two_or_more_others_marked", missed, drawn)
    alone = np.where(found, others == 0, np.nan)
    return result | mean_with_interval("marked_alone", alone, drawn)


if __name__ == "__main__":
    main()

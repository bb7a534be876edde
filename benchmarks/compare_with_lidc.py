"""How far the phantom is from real CT: archive patients beside LIDC slices, into ``book/results/phantom_vs_lidc.json``.

``python benchmarks/compare_with_lidc.py [FOLDER]`` takes the folder named, or ``lidc_slices/LIDC-IDRI-slices`` under
``UNET_SHARED_DATA`` or ``../shared/data``. Both sources go the same way: crops of about 90 mm inside the chest, pixels
of about 1.4 mm, 8 bits from the crop's own smallest to its largest value, back to HU by two points (the lung's mode is
set to -850 HU, that of muscle to 50 HU). So the HU of the lung is an assumption, the spread around it is measured; only
crops with enough air around the body give the lung's HU itself, by air at -1000 HU and muscle at 50 HU.

LIDC crops have 128 pixels of 0.5 to 0.9 mm, which the set does not tell; they are halved and taken as 1.4 mm. Every
distance stands beside the same distance between two halves of the LIDC patients, the mean over random halves.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.signal import find_peaks
from scipy.stats import wasserstein_distance

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")
OUT = Path(__file__).resolve().parent / "out"
PIXEL, CROP = 1.4, 64  # mm, pixels
LUNG_HU, MUSCLE_HU = -850.0, 50.0
PATCH = 8  # pixels of a patch in which noise is measured
BANDS = (0.16, 0.24, 0.32, 0.40, 0.50)  # upper ends, cycles per pixel
MIDDLE_OF_BANDS = np.array([0.125, 0.20, 0.28, 0.36, 0.45])
QUANTITIES = {
    "lung_hu": "mode of the lung where air around the body, not the lung, is set to -1000 HU; few crops show enough",
    "lung_spread_hu": "half of the distance between the 16th and 84th percentile inside the lung",
    "dense_share_of_lung": "lung pixels above -500 HU, mostly vessels",
    "fat_hu": "mode of fat, which the calibration does not set; where fat and muscle are told apart",
    "soft_tissue_noise_hu": "standard deviation in even patches of soft tissue",
    "noise_frequency": "mean frequency of that noise, cycles per pixel",
    "edge_mm": "10-90 % rise at the lung's wall",
}


# ---------------------------------------------------------------- crops, 8 bits


def lidc_crops(folder, per_patient, rng):
    """Crops of the LIDC slices, halved: rows of (patient, pixels (64, 64) uint8, nodule (64, 64) bool)."""
    crops = []
    for patient in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(patient.glob("nodule-*/images/*.png"))
        for k in rng.permutation(len(files))[:per_patient]:
            readers = [files[k].parents[1] / f"mask-{i}" / files[k].name for i in range(4)]
            nodule = np.any([np.asarray(Image.open(file)) > 0 for file in readers if file.is_file()], axis=0)
            pixels = halve(np.asarray(Image.open(files[k]).convert("L"), float))
            crops.append((patient.name, np.rint(pixels).astype(np.uint8), halve(nodule.astype(float)) > 0))
    return crops


def phantom_crops(patients, slices, per_slice, seed, rng):
    """Crops of archive patients scanned with pixels of 1.4 mm, each around a point of the lung."""
    from unet_helpers.phantom import make_patient

    crops, options = [], {"slices": slices, "variety": "archive"}
    for index in range(patients):
        drawn = make_patient(seed, index=index, size=32, **options).acquisition
        acquisition = replace(drawn, field_of_view=256 * PIXEL)
        patient = make_patient(seed, index=index, size=256, acquisition=acquisition, **options)
        for hu, mask in zip(patient.volume, patient.masks, strict=True):
            lung = np.argwhere(ndimage.binary_erosion(mask > 0, iterations=3))
            for row, column in lung[rng.integers(len(lung), size=per_slice)] if len(lung) else ():
                row, column = (int(np.clip(at - CROP // 2, 0, 256 - CROP)) for at in (row, column))
                box = slice(row, row + CROP), slice(column, column + CROP)
                part = np.maximum(hu[box], -1024)  # padding would take the 8 bits for itself
                pixels = np.rint((part - part.min()) / np.ptp(part) * 255).astype(np.uint8)
                crops.append((patient.patient_id, pixels, mask[box] == 2, part))
    return crops


def halve(image):
    """Means of 2 x 2 pixels."""
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3))


# ---------------------------------------------------------------- back to HU


def calibrate(pixels):
    """HU of a crop of unknown window by its modes of lung and muscle; None where they cannot be told apart.

    Returns ``(hu, fat)``; ``fat`` is the HU at which the mode of fat comes to lie, NaN where there is none of its own.
    """
    counts = ndimage.gaussian_filter1d(np.bincount(pixels.ravel(), minlength=256).astype(float), 2.5)
    split = otsu(counts)
    lung = modes(counts[:split])
    soft = [split + mode for mode in modes(counts[split:])]
    if not lung or not soft:
        return None
    lung, muscle = lung[-1], soft[-1]  # air is darker than lung, fat darker than muscle
    valley = counts[lung : muscle + 1].min()
    if muscle - lung < 40 or valley > 0.5 * min(counts[lung], counts[muscle]):
        return None
    scale = (MUSCLE_HU - LUNG_HU) / (muscle - lung)
    fat = LUNG_HU + scale * (soft[-2] - lung) if len(soft) > 1 else np.nan
    return LUNG_HU + scale * (pixels.astype(float) - lung), fat


def modes(counts):
    """Places of the peaks that reach a fifth of the highest and stand out of their surroundings."""
    top = counts.max(initial=0)
    padded = np.concatenate([[0], counts, [0]])
    return (find_peaks(padded, height=0.2 * top, prominence=0.1 * top)[0] - 1).tolist() if top else []


def otsu(counts):
    """The gray value that best parts a histogram in two."""
    values, below = np.arange(len(counts)), np.cumsum(counts)
    above, total = below[-1] - below, np.cumsum(counts * values)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return int(np.nanargmax(between[:-1])) + 1


def lung_of(hu):
    """Boolean (64, 64): lung with its vessels, without the air around the body; by threshold, for both sources."""
    dark, count = ndimage.label(ndimage.gaussian_filter(hu, 0.7) < -400)
    lung = np.zeros(hu.shape, bool)
    for k in range(1, count + 1):
        part = dark == k
        if part.sum() > 0.05 * hu.size and np.median(hu[part]) > -950:
            lung |= part
    return ndimage.binary_closing(np.pad(lung, 4, mode="edge"), disk(3))[4:-4, 4:-4]


def lung_by_air(hu, lung):
    """HU of the lung's mode if air around the body is -1000 HU; NaN where a crop shows too little air."""
    dark, count = ndimage.label((ndimage.gaussian_filter(hu, 0.7) < -700) & ~ndimage.binary_dilation(lung, disk(2)))
    parts = [ndimage.binary_erosion(dark == k, disk(3)) for k in range(1, count + 1)]
    parts = [part for part in parts if part.sum() > 25 and hu[part].std() > 1.5]  # padding has no noise
    if not parts:
        return np.nan
    air = np.median(hu[max(parts, key=np.sum)])
    counts, edges = np.histogram(hu[ndimage.binary_erosion(lung, disk(3))], bins=np.arange(-1200, 0, 5))
    mode = edges[np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 3))] + 2.5
    return MUSCLE_HU - (MUSCLE_HU + 1000) * (MUSCLE_HU - mode) / (MUSCLE_HU - air)


def disk(radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius


# ---------------------------------------------------------------- what is compared


def describe(crops, rng):
    """Measure every crop: a dict with arrays over the crops, the patients, and sampled HU; counts of those left out."""
    rows, skipped = [], {"modes": 0, "little lung": 0}
    for patient, pixels, nodule, *_ in crops:
        calibrated = calibrate(pixels)
        if calibrated is None:
            skipped["modes"] += 1
            continue
        hu, fat = calibrated
        lung = lung_of(hu)
        inner = ndimage.binary_erosion(lung, disk(3)) & ~ndimage.binary_dilation(nodule, disk(2))
        if inner.sum() < 0.08 * hu.size:
            skipped["little lung"] += 1
            continue
        soft = ndimage.binary_erosion(~ndimage.binary_dilation(hu < -250, disk(2)) & ~nodule, disk(1))
        noise, spectrum = soft_tissue_noise(hu, soft)
        low, high = np.percentile(hu[inner], (16, 84))
        rows.append(
            {
                "patient": patient,
                "lung": rng.choice(hu[inner], 200),
                "soft": rng.choice(hu[soft], 200) if soft.sum() > 100 else np.full(200, np.nan),
                "spectrum": spectrum,
                "lung_hu": lung_by_air(hu, lung),
                "lung_spread_hu": (high - low) / 2,
                "dense_share_of_lung": (hu[inner] > -500).mean(),
                "fat_hu": fat,
                "soft_tissue_noise_hu": noise,
                "noise_frequency": float(spectrum @ MIDDLE_OF_BANDS),
                "edge_mm": edge_width(hu, lung),
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}, skipped


def soft_tissue_noise(hu, soft):
    """Standard deviation and spectrum, as shares of the bands, in the evenest quarter of the patches; NaN if few."""
    step, found = PATCH // 2, []
    y, x = np.mgrid[:PATCH, :PATCH] - (PATCH - 1) / 2
    plane = np.stack([np.ones(PATCH**2), y.ravel(), x.ravel()], axis=1)
    for row in range(0, CROP - PATCH + 1, step):
        for column in range(0, CROP - PATCH + 1, step):
            box = slice(row, row + PATCH), slice(column, column + PATCH)
            if soft[box].all():
                values = hu[box].ravel()
                rest = values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]
                found.append(rest.reshape(PATCH, PATCH))
    if len(found) < 4:
        return np.nan, np.full(len(BANDS), np.nan)
    found = sorted(found, key=np.std)[: max(2, len(found) // 4)]
    power = np.mean([np.abs(np.fft.fft2(patch)) ** 2 for patch in found], axis=0)
    frequency = np.hypot(np.fft.fftfreq(PATCH)[:, None], np.fft.fftfreq(PATCH)[None, :])
    band = np.searchsorted(BANDS, frequency.ravel())
    mean = np.array([power.ravel()[band == k].mean() if (band == k).any() else 0 for k in range(len(BANDS))])
    return float(np.sqrt(np.mean([patch.var() for patch in found]))), mean / max(mean.sum(), 1e-9)


def edge_width(hu, lung):
    """Median 10-90 % rise in mm across the lung's wall where 8 mm on both sides are even; NaN if there is little."""
    distance = ndimage.distance_transform_edt(~lung) - ndimage.distance_transform_edt(lung)
    gy, gx = np.gradient(ndimage.gaussian_filter(distance, 2))
    along = np.arange(-9, 9.01, 0.25)  # mm
    widths = []
    for row, column in np.argwhere(lung & ~ndimage.binary_erosion(lung, border_value=1)):
        length = np.hypot(gy[row, column], gx[row, column])
        if length < 0.5 or not (8 < row < CROP - 9 and 8 < column < CROP - 9):
            continue
        way = np.array([gy[row, column], gx[row, column]])[:, None] / length * along / PIXEL
        profile = ndimage.map_coordinates(hu, np.array([[row], [column]]) + way, order=1)
        inside, outside = profile[along < -4], profile[along > 4]
        if np.ptp(inside) > 180 or np.ptp(outside) > 220 or np.median(outside) - np.median(inside) < 500:
            continue
        share = (profile - np.median(inside)) / (np.median(outside) - np.median(inside))
        middle = int(np.argmax(share > 0.5))
        low, high = np.flatnonzero(share[:middle] < 0.1), np.flatnonzero(share[middle:] > 0.9)
        if len(low) and len(high):
            widths.append(along[middle + high[0]] - along[low[-1]])
    return float(np.median(widths)) if len(widths) >= 5 else np.nan


def distances(one, other):
    """Distance between two sources in each quantity, in its own unit, and between their histograms in HU."""
    found = {name: wasserstein_distance(finite(one[name]), finite(other[name])) for name in QUANTITIES}
    for name in ("lung", "soft"):
        found[f"{name}_histogram_hu"] = wasserstein_distance(finite(one[name]), finite(other[name]))
    found["noise_spectrum"] = np.abs(np.nanmean(one["spectrum"], 0) - np.nanmean(other["spectrum"], 0)).sum() / 2
    return found


def half_distances(source, rng, times=20):
    """The distances between two random halves of a source's patients, mean over ``times`` halves."""
    patients, found = np.unique(source["patient"]), []
    for _ in range(times):
        first = np.isin(source["patient"], rng.permutation(patients)[: len(patients) // 2])
        parts = [{name: values[chosen] for name, values in source.items()} for chosen in (first, ~first)]
        found.append(distances(*parts))
    return {name: float(np.mean([row[name] for row in found])) for name in found[0]}


def finite(values):
    values = values.ravel()
    return values[np.isfinite(values)]


# ---------------------------------------------------------------- report


def show(lidc, phantom, rng, rows=6, columns=4):
    """Save 24 LIDC crops beside 24 phantom crops, drawn from all that could be calibrated, at -600/1700 HU."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(rows, 2 * columns + 1, figsize=(15, 10), layout="constrained")
    for block, crops in ((axes[:, :columns], lidc), (axes[:, columns + 1 :], phantom)):
        usable = [calibrated[0] for crop in crops if (calibrated := calibrate(crop[1]))]
        for ax, k in zip(block.flat, rng.permutation(len(usable)), strict=False):
            ax.imshow(usable[k], cmap="gray", vmin=-1450, vmax=250)
    for ax in axes.flat:
        ax.set_axis_off()
    fig.suptitle("left LIDC, right phantom; window -600/1700 HU")
    OUT.mkdir(exist_ok=True)
    fig.savefig(OUT / "phantom_vs_lidc.png", dpi=80)
    plt.close(fig)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED / "lidc_slices" / "LIDC-IDRI-slices")
    parser.add_argument("--patients", type=int, default=60, help="of the phantom")
    parser.add_argument("--no-record", dest="record", action="store_false", help="leave book/results alone")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        sys.exit(f"skipped: no folder {arguments.folder}; name the folder of the LIDC slices")
    began, rng = time.perf_counter(), np.random.default_rng(0)
    lidc = lidc_crops(arguments.folder, per_patient=4, rng=rng)
    print(f"{len(lidc)} LIDC crops in {time.perf_counter() - began:.0f} s", flush=True)
    phantom = phantom_crops(arguments.patients, slices=6, per_slice=2, seed=1, rng=rng)
    print(f"{len(phantom)} phantom crops after {time.perf_counter() - began:.0f} s", flush=True)
    show(lidc, phantom, rng)

    (real, real_skipped), (made, made_skipped) = describe(lidc, rng), describe(phantom, rng)
    error = [np.abs(hu[0] - crop[3])[crop[3] > -1000].mean() for crop in phantom if (hu := calibrate(crop[1]))]
    apart, reference = distances(made, real), half_distances(real, rng)
    results = {}
    for name, skipped, source in (("lidc", real_skipped, real), ("phantom", made_skipped, made)):
        results[name] = {
            "patients": len(np.unique(source["patient"])),
            "crops": len(source["patient"]),
            "left_out_modes_not_apart": skipped["modes"],
            "left_out_little_lung": skipped["little lung"],
        }
        for quantity in QUANTITIES:
            results[name][quantity] = np.nanpercentile(source[quantity], (50, 5, 95)).round(3).tolist()
    # against the scanner's HU, which the calibration does not know
    results["phantom"]["calibration_error_hu"] = round(float(np.median(error)), 1)
    results["distance_and_between_halves"] = {
        name: [round(float(apart[name]), 4), round(reference[name], 4)] for name in apart
    }
    report(results)
    if arguments.record:
        from record import write_results

        what = (
            "Archive phantom beside LIDC slices in pixels of about 1.4 mm: median, 5 % and 95 % over crops; "
            "distances phantom to LIDC, and between two halves of the LIDC patients"
        )
        path = write_results("phantom_vs_lidc", what, results, data="phantom, archive; LIDC-IDRI slices", seed=[0, 1])
        print(f"written: {path.name}")


def report(results):
    for name in ("lidc", "phantom"):
        print(name, {key: value for key, value in results[name].items() if not isinstance(value, list)})
    print(f"{'median, 5 % and 95 %':22}{'LIDC':>26}{'phantom':>26}")
    for quantity in QUANTITIES:
        lidc, phantom = ("{:.3g} ({:.3g} to {:.3g})".format(*results[name][quantity]) for name in ("lidc", "phantom"))
        print(f"{quantity:22}{lidc:>26}{phantom:>26}")
    print(f"{'distance':22}{'phantom to LIDC':>18}{'LIDC, two halves':>18}{'ratio':>8}")
    for name, (apart, halves) in results["distance_and_between_halves"].items():
        print(f"{name:22}{apart:>18.3f}{halves:>18.3f}{apart / halves:>8.1f}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()

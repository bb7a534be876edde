"""Write the book's page on formats from what the readers do with small files made for it.

    python tools/format_table.py           # writes book/formats.md
    python tools/format_table.py --check   # fails if the page differs

Every cell is what happened: a shape, or the kind of refusal, whose sentence stands below the tables.
"""
# ruff: noqa: E501 - a paragraph of the page is one line

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from format_samples import (
    BAD_FILES,
    BAD_FOLDERS,
    FORMATS,
    HOSTILE_ARCHIVES,
    LAYOUTS,
    SAMPLES,
    write_layout,
    write_sample,
)

from unet_helpers.data import WHAT, load_dataset, recognize_layout
from unet_helpers.files import SOURCES, DataError, extract, read_file, read_image, read_mask
from unet_helpers.files.images import ELSEWHERE

PAGE = Path(__file__).resolve().parents[1] / "book" / "formats.md"
# words of an error -> the kind of refusal in the table; an error that is none of these stops the making of the page
KINDS = {
    "cannot be (read|unpacked).*truncated or damaged": "damaged",
    "without pixels": "damaged",
    "too large": "too large",
    "NaN or infinite": "NaN",
    "but its image is|another size|is 2×12×16": "sizes",
    "no file|no mask|1 images without a mask|0 masks": "missing",
    "means nothing|no list of classes|highest value|say what": "values",
    "leads outside": "outside",
    "link or a device": "link",
    "twice": "double",
    "unpacks to more": "bomb",
    "no tar and no zip": "no archive",
}


class Outcomes:
    """Try things, and keep one sentence for each kind of refusal."""

    def __init__(self):
        self.sentences = {}

    def of(self, call, *arguments, **options):
        try:
            return call(*arguments, **options)
        except (DataError, FileNotFoundError) as error:
            message = str(error)
        kind = next((kind for words, kind in KINDS.items() if re.search(words, message, re.DOTALL)), None)
        if kind is None:
            raise AssertionError(f"an error of no known kind: {message}")
        self.sentences.setdefault(kind, message)
        return f"{kind} ✗"


def described(path):
    image, spacing = read_image(path)
    size = "×".join(map(str, image.shape))
    return size if spacing is None else f"{size}, {'×'.join(f'{value:g}' for value in spacing)} mm"


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def head(*cells):
    return [row(*cells), row(*["---"] * len(cells))]


def good_files(outcomes, folder):
    lines = head("file", "image", "its numbers", "as a mask")
    for name in SAMPLES:
        path = write_sample(name, folder)
        mask = as_mask(path)
        lines.append(row(name, described(path), read_file(path).rule, mask))
        path.unlink()
    return lines


def as_mask(path):
    try:
        return "×".join(map(str, read_mask(path).shape))
    except DataError as error:
        reasons = {"color picture": "color", "channels": "channels", "whole numbers": "other values"}
        reasons |= {"photograph": "JPEG", "transparent": "alpha"}
        return "no: " + next(reason for words, reason in reasons.items() if words in str(error))


def bad_files(outcomes, folder):
    lines = head("what is wrong", *FORMATS)
    for wrong, spoil in BAD_FILES.items():
        cells = []
        for kind, sample in FORMATS.items():
            path = write_sample(sample, folder)
            held = spoil(kind, path)
            cells.append("–" if held is False else outcomes.of(described, path))
            path.unlink()
        lines.append(row(wrong, *cells))
    return lines


def folders(outcomes, folder):
    lines = head("folder", "recognized as", "train images", *BAD_FOLDERS)
    for name in LAYOUTS:
        cells = []
        for number, spoil in enumerate([None, *BAD_FOLDERS.values()]):
            place = folder / f"{name}-{number}".replace(" ", "-")
            place.mkdir()
            image, mask, shape = write_layout(name, place)
            if spoil is None:
                layout = recognize_layout(place)[0]
                cells += [layout, "×".join(map(str, load_dataset(place).train.images.shape))]
            else:
                spoil(image, mask, shape)
                cells.append(outcomes.of(loaded, place))
        lines.append(row(name, *cells))
    return lines


def loaded(folder):
    return "×".join(map(str, load_dataset(folder).train.images.shape))


def archives(outcomes, folder):
    lines = head("archive", "what comes of it")
    for name, content in HOSTILE_ARCHIVES.items():
        (folder / "data.archive").write_bytes(content)
        lines.append(row(name, outcomes.of(extract, folder / "data.archive", folder / "out", largest=2_000_000)))
    return lines


def sentence(message):
    """An error on one line, without the words of the library behind it, sizes in bytes and temporary folders."""
    message = re.sub(r" \(\w+: .*", "", message, flags=re.DOTALL)
    message = re.sub(r"\d+ bytes", "… bytes", message)
    message = re.sub(r"\s*\n\s*", " / ", message)
    return re.sub(r"'/[^']*/", "'…/", message)


def page():
    """The whole page as text."""
    outcomes = Outcomes()
    before = os.environ.pop("UNET_MAX_VALUES", None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            tables = [make(outcomes, Path(folder)) for make in (good_files, bad_files, folders, archives)]
    finally:
        if before is not None:
            os.environ["UNET_MAX_VALUES"] = before
    good, bad, layouts, packed = ("\n".join(lines) for lines in tables)
    meanings = "\n".join(f"- `{name}`: {what}" for name, what in WHAT.items())
    others = "\n".join(
        f"- {', '.join(f'`{ending}`' for ending in endings)}: {what}; convert it {remedy.format('x' + endings[0], 'x')}"
        for endings, (what, remedy) in ELSEWHERE.items()
    )
    sources = "\n".join(f"- `{name}`, {source.license}" for name, source in SOURCES.items())
    sentences = "\n".join(f"- **{kind}**: {sentence(text)}" for kind, text in sorted(outcomes.sentences.items()))
    return TEMPLATE.format(
        good=good,
        bad=bad,
        layouts=layouts,
        archives=packed,
        meanings=meanings,
        others=others,
        sources=sources,
        sentences=sentences,
    )


TEMPLATE = """# What can be read, and what is refused

<!-- made by tools/format_table.py from what the readers do; a test holds the page in step -->

`read_image` and `read_mask` read one file, `load_dataset` a whole folder. Whatever is wrong gives one `DataError` (a `ValueError`), or a `FileNotFoundError` where a file is not there, that names the file and says what to do; a cell with ✗ says of which kind, and the sentences stand [at the end](#the-sentences). Nothing is left out without being named.

## Files

Arrays are (rows, columns, channels), with the slices first for a volume; spacing is in the same order.

{good}

`read_file(path)` returns the array with all that is known of it: spacing, affine, orientation, the rule of the third column, and `notes` of what a header contradicts. A folder with the slices of one DICOM series is read by `unet_helpers.files.read_series`, sorted by position.

**Orientation.** Slices go from the feet to the head, rows from front to back, columns from the patient's right to left, as a radiologist's display shows them, whatever order a NIfTI has. A NIfTI with one slice, along any axis, is that slice: axial as above, sagittal and coronal with the head up. Affines lead from (slice, row, column) to DICOM's x to the left, y to the back, z to the head, in mm; NIfTI in micrometers or meters is converted. Where `pixdim` and the affine, or sform and qform disagree, the affine (the sform) is taken, and a note says so. `write_mask_like(target, mask, source)` leads a mask back: a NIfTI with the axes, affine and units of its source, for DICOM a NIfTI in the patient's place, for a picture one without loss.

**Grids that are none are refused:** slices that lean (gantry tilt) or lie at irregular places, doubles and gaps in a series, an affine with leaning axes. dcm2niix straightens a series; distances in a sheared volume would be wrong.

**Pictures.** A photograph is turned upright as its EXIF says, because the tools in which masks are drawn do so. Where 0 is white (TIFF WhiteIsZero, DICOM MONOCHROME1), values are turned around, so that more is brighter; but CT, PET and NM with a rescale stay, since MONOCHROME1 says how to show their numbers and not what was measured. A palette is its colors; alpha is left out; YBR and ink become RGB; color spaces that are not read are refused by name.

**Masks.** Of a palette the index is the class. An inverting palette, in which a higher index is shown darker, is refused, as what is bright and what is the object are two answers; `palettes_agree` finds files of one folder that give one index two colors. A mask that may stand in its alpha channel is refused. JPEG changes values when it is written: black and white is cut at 128, any other mask in a JPEG is refused. Gray of 2 or 4 bits is an index as the file has it, 0 and white alone are 0 and 255. One channel per class is refused; labels that a scale factor of NIfTI moved by up to .03 are rounded, and a note says so.

**DICOM.** Bits above BitsStored are no part of a value. Compressed DICOM other than RLE, JPEG and JPEG 2000 needs the package `pylibjpeg`, and the error says so. Enhanced DICOM, whose frames have scales of their own, is refused; `dcm2niix` converts it. Segmentations (SEG), RTSTRUCT, RTDOSE, reports and presentation states are refused by name, with what converts them.

**Other formats** are refused with what they are:

{others}

## Bad files

{bad}

– : the format cannot hold it. A file may unfold to 2²⁹ values; the environment variable `UNET_MAX_VALUES` sets another limit. Every format is also read with bytes changed, doubled, overwritten and cut at random: an array or a `DataError`, nothing else.

## Folders

{layouts}

LIDC and DSB2018 masks say yes or no, so any value above 0 is the object; and that one of several objects of DSB2018 is missing shows nowhere. The layouts:

{meanings}

Volumes are cut into axial slices, and a patient is a volume. All slices are held in memory; of pictures in pairs, `unet_helpers.training.stream_pairs` reads a batch at a time, so that the folder may be larger than the memory:

{{{{ table.scale }}}}

## Public data sets

`fetch("Task04_Hippocampus")`, or any other of

{sources}

downloads once into the data folder (`UNET_DATA_DIR`), goes on where it broke off, compares the checksum, and prints license and citation. `load_dataset` takes these names too.

## Without identity

`python -m unet_helpers deidentify IN OUT` writes a folder of DICOM as NIfTI pictures with pixels and spacing and nothing else: no tag, no overlay, no name of a file. What is no original image is left out and listed with the reason: screen saves such as the dose report of a CT, which shows the name in its pixels, structured reports, segmentations, scouts, anything that says `SECONDARY` or that text is burned in. Other text in the pixels stays there: it warns where there may be some, and the face in a scan of the head is yours to remove.

Patients and pictures are numbered in the order of their files, the same in each run, so that images and masks, deidentified one folder after the other, stay pairs if both folders hold the same patients and slices. Whoever has the original folder can count out who is who; nobody else can.

## Archives

`fetch` unpacks what it downloads, and `unet_helpers.files.extract` any other archive: whole, or not at all.

{archives}

## The sentences

One example for each kind of refusal; line breaks are shown as /.

{sentences}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    made = page()
    if options.check:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == made else "book/formats.md is out of step; write it again")
    PAGE.write_text(made, encoding="utf-8")
    print(f"{PAGE.name}: {made.count(chr(10) + '|')} lines of tables")


if __name__ == "__main__":
    main()

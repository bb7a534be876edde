"""Write the test report of the readers from what the readers do with small files made for it.

    python tools/format_table.py           # writes book/formats_tests.md
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

from unet_helpers.data import load_dataset, recognize_layout
from unet_helpers.files import SOURCES, DataError, extract, read_file, read_image, read_mask

PAGE = Path(__file__).resolve().parents[1] / "book" / "formats_tests.md"
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
    sources = "\n".join(f"- `{name}`, {source.license}" for name, source in SOURCES.items())
    sentences = "\n".join(f"- **{kind}**: {sentence(text)}" for kind, text in sorted(outcomes.sentences.items()))
    return TEMPLATE.format(
        good=good,
        bad=bad,
        layouts=layouts,
        archives=packed,
        sources=sources,
        sentences=sentences,
    )


TEMPLATE = """# What was tried: the test report of the readers

<!-- made by tools/format_table.py from what the readers do; a test holds the page in step -->

What to bring, and what becomes of it, stands on [the page before](formats.md). Here is what the readers did with small files made for the purpose. A cell with ✗ names the kind of refusal: one `DataError` (a `ValueError`), or a `FileNotFoundError` where a file is not there, that names the file and says what to do. The sentences stand [at the end](#the-sentences).

## Files

Arrays are (rows, columns, channels), with the slices first for a volume; spacing is in the same order. The third column is `read_file(path).rule`.

{good}

## Bad files

{bad}

– : the format cannot hold it. A file may unfold to 2²⁹ values; the environment variable `UNET_MAX_VALUES` sets another limit. Every format is also read with bytes changed, doubled, overwritten and cut at random: an array or a `DataError`, nothing else.

## Folders

{layouts}

LIDC and DSB2018 masks say yes or no, so any value above 0 is the object; and that one of several objects of DSB2018 is missing shows nowhere.

All slices are held in memory; of pictures in pairs, `unet_helpers.training.stream_pairs` reads a batch at a time, so that the folder may be larger than the memory:

{{{{ table.scale }}}}

## Public data sets

What `fetch` knows:

{sources}

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
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == made else f"{PAGE.name} is out of step; write it again")
    PAGE.write_text(made, encoding="utf-8")
    print(f"{PAGE.name}: {made.count(chr(10) + '|')} lines of tables")


if __name__ == "__main__":
    main()

"""How cells of notebooks are compared: to the letter, but where a cell says how near is near enough.

A plugin of pytest for ``pytest --nbval``, in force wherever the package is installed. A cell that shows what a
network computed carries ``nbval_tolerance=0.01`` in its metadata: on another processor the last digits differ.
Its words must still be those stored. Its numbers may differ by one in their last place, and beyond that by the
tolerance, times the number where that is above 1: 0.98 may be 0.99, and with 0.01 a count of 6560 may be 6562.
What a training says of its seconds and its best epoch, and a time per epoch or batch, is not compared at all.
"""

import contextlib
import os
import re

# not the 3 of "phantom-003" or "P3", which are names
NUMBER = re.compile(r"(?<![\w.-])[-+−]?\d+(?:\.(\d+))?(?:[eE][-+]?\d+)?(?!\w)")
# nbval sees the first line of a progress display, a notebook stores its last
VARYING = {
    r"first step: building the computation …|\d+ epochs in \d+ s; best validation .*": "(progress of a training)",
    r"[\d.]+ (s per epoch|ms per batch)": r"some \1",
}


def snap(new, stored, tolerance):
    """The stored text where the new one has the same words and near numbers, else the new one as it is."""
    if _words(new) != _words(stored):
        return new
    pairs = zip(NUMBER.finditer(new), NUMBER.finditer(stored), strict=True)
    return stored if all(_near(a, b, tolerance) for a, b in pairs) else new


def _words(text):
    """What is between the numbers; columns of a table are as wide as their numbers, so white space is folded."""
    return re.sub(r"\s+", " ", NUMBER.sub(" # ", text))


def _near(new, stored, tolerance):
    values = [float(found.group().replace("−", "-")) for found in (new, stored)]
    decimals = min(len(found.group(1) or "") for found in (new, stored))
    last_place = 1.001 * 10.0**-decimals
    return abs(values[0] - values[1]) <= last_place + tolerance * max(1, abs(values[1]))


def pytest_configure(config):
    """Kernels that nbval starts compute with oneDNN, unless somebody chose: see ``unet_helpers/_quiet.py``."""
    if config.getoption("nbval", False):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        import nbval.kernel

        nbval.kernel.start_new_kernel = start_again(nbval.kernel.start_new_kernel)


def start_again(start):
    """Start a kernel up to three times: another program may take its ports between their choice and its start."""

    def start_new_kernel(*arguments, **options):
        for _ in range(2):
            with contextlib.suppress(RuntimeError):
                return start(*arguments, **options)
        return start(*arguments, **options)

    return start_new_kernel


def pytest_itemcollected(item):
    """Give the cells that state a tolerance their comparison."""
    tolerance = item.cell.metadata.get("nbval_tolerance") if hasattr(item, "cell") else None
    if tolerance is not None:
        compare, item.sanitize = item.compare_outputs, _without_what_varies
        item.compare_outputs = lambda new, stored: compare(_snap_outputs(new, stored, tolerance), stored)


def _without_what_varies(text):
    for pattern, word in VARYING.items():
        text = re.sub(pattern, word, text) if isinstance(text, str) else text
    return text


def _snap_outputs(new, stored, tolerance):
    """The new outputs, each text snapped to the one in its place."""
    for output, reference in zip(new, stored, strict=False):
        if output.output_type == reference.output_type == "stream":
            output.text = snap(output.text, reference.text, tolerance)
        for kind in ("text/plain", "text/html"):
            if kind in output.get("data", {}) and kind in reference.get("data", {}):
                output.data[kind] = snap(output.data[kind], reference.data[kind], tolerance)
    return new


def pytest_runtest_setup(item):
    """Note how the cell is compared, for the summary."""
    if hasattr(item, "cell"):
        ignored = "nbval-ignore-output" in item.cell.metadata.get("tags", [])
        near = "nbval_tolerance" in item.cell.metadata
        item.user_properties.append(("compared", "ignored" if ignored else "near" if near else "exact"))


def pytest_terminal_summary(terminalreporter):
    """Say of each notebook how much was compared, and how."""
    compared = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, kind in getattr(report, "user_properties", []):
                if name == "compared" and report.when == "call":
                    compared.setdefault(report.location[0], []).append(kind)
    if compared:
        terminalreporter.section("how cells were compared")
    for notebook, kinds in sorted(compared.items()):
        near, ignored = kinds.count("near"), kinds.count("ignored")
        share = f"{100 * ignored / len(kinds):.0f} %"
        terminalreporter.write_line(
            f"{notebook}: {len(kinds)} cells, {near} within a tolerance, {ignored} ignored ({share})"
        )

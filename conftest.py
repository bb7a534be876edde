"""How cells of notebooks are compared: to the letter, but for numbers in cells that say how near is near enough.

A cell whose output rests on what a network computed carries ``nbval_tolerance=0.01`` in its metadata. Its words
must be those stored; its numbers may differ by one in their last decimal, and beyond that by the tolerance, times
the number where that is above 1. Whole numbers get no last decimal: counts of pixels differ by the tolerance alone.
"""

import os
import re

# before any kernel or test loads TensorFlow, unless somebody has chosen
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# not the 3 of "phantom-003" or "P3", which are names
NUMBER = re.compile(r"(?<![\w.-])[-−]?\d+(?:\.(\d+))?(?:[eE][-+]?\d+)?(?!\w)")


def snap(new, stored, tolerance):
    """The stored text where the new one has the same words and near numbers, else the new one as it is."""
    if _words(new) != _words(stored):
        return new
    pairs = zip(NUMBER.finditer(new), NUMBER.finditer(stored), strict=True)
    return stored if all(_near(a, b, tolerance) for a, b in pairs) else new


def _words(text):
    """What is between the numbers; columns of a table are as wide as their numbers, so white space is folded."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", text).replace("# ", "#").replace(" #", "#"))


def _near(new, stored, tolerance):
    values = [float(found.group().replace("−", "-")) for found in (new, stored)]
    decimals = [len(found.group(1) or "") for found in (new, stored)]
    last_decimal = 1.001 * 10.0 ** -min(decimals) if min(decimals) else 0
    return abs(values[0] - values[1]) <= last_decimal + tolerance * max(1, abs(values[1]))


def pytest_itemcollected(item):
    """Give the cells that state a tolerance their comparison."""
    tolerance = item.cell.metadata.get("nbval_tolerance") if hasattr(item, "cell") else None
    if tolerance is not None:
        compare = item.compare_outputs
        item.compare_outputs = lambda new, stored: compare(_snap_outputs(new, stored, tolerance), stored)


def _snap_outputs(new, stored, tolerance):
    """The new outputs, each text snapped to the one in its place."""
    for output, reference in zip(new, stored, strict=False):
        if output.output_type == reference.output_type == "stream":
            output.text = snap(output.text, reference.text, tolerance)
        for kind in ("text/plain", "text/html"):
            if kind in output.get("data", {}) and kind in reference.get("data", {}):
                output.data[kind] = snap(output.data[kind], reference.data[kind], tolerance)
    return new


def pytest_terminal_summary(terminalreporter):
    """Say how much of each notebook was compared, and how."""
    ran = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, kind in getattr(report, "user_properties", []):
                    if name == "compared":
                        ran.setdefault(report.location[0], []).append(kind)
    if ran:
        terminalreporter.section("cells of each notebook")
    for notebook, kinds in sorted(ran.items()):
        ignored, near = kinds.count("ignored"), kinds.count("near")
        share = f"{100 * ignored / len(kinds):.0f} %"
        terminalreporter.write_line(
            f"{notebook}: {len(kinds)} cells, {near} within a tolerance, {ignored} ignored ({share})"
        )


def pytest_runtest_setup(item):
    """Note how the cell is compared, for the summary."""
    if hasattr(item, "cell"):
        ignored = "nbval-ignore-output" in item.cell.metadata.get("tags", [])
        near = "nbval_tolerance" in item.cell.metadata
        item.user_properties.append(("compared", "ignored" if ignored else "near" if near else "exact"))

"""Write what was measured into the book's results: each file says what, on which data, with which seed and device."""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from unet_helpers.files import atomic_path
from unet_helpers.teaching import RESULTS, describe_device

#: the repository; None where the package was installed from a wheel
CHECKOUT = RESULTS.parents[1] if RESULTS.name == "results" else None


def write_results(name, what, results, data="phantom", seed=0, folder=RESULTS, commit=None):
    """Write ``<name>.json`` into the book's results.

    Parameters
    ----------
    name, what : str
        File stem, and one line that says what was measured.
    results : dict of str to number, str or list
    data : str
    seed : int or list of int
    folder : Path
    commit : str, optional
        From :func:`current_commit` before a benchmark changed files of the commit itself, as the network that it
        trained; by default that of now.

    Returns
    -------
    Path

    Raises
    ------
    RuntimeError
        If no folder is named and the package was installed from a wheel, which has no book to write to.
    SystemExit
        If the book's results would come from files that no commit has. What was measured is then in ``_build/results``.
        With ``UNET_DIRTY_RESULTS=1`` it is written all the same, and its commit says "-dirty".
    """
    import keras

    require_checkout(folder)
    commit = commit or current_commit()
    refused = commit.endswith("-dirty") and Path(folder) == RESULTS and not os.environ.get("UNET_DIRTY_RESULTS")
    if refused:
        folder = CHECKOUT / "_build" / "results"

    content = {
        "what": what,
        "data": data,
        "seed": seed,
        "commit": commit,
        "device": describe_device(),
        "software": f"Python {platform.python_version()}, Keras {keras.version()} on {keras.backend.backend()}",
        "date": datetime.date.today().isoformat(),
        "results": results,
    }
    path = Path(folder) / f"{name}.json"
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if refused:
        sys.exit(
            f"{commit}: files differ from the commit, so nobody could repeat this result. It is in {path}, not in the "
            "book. Commit and run again, or set UNET_DIRTY_RESULTS=1, which leaves its mark in the file"
        )
    return path


def require_checkout(folder=RESULTS):
    """Raise ``RuntimeError`` if results for the book would go into an installed package."""
    if Path(folder) == RESULTS and CHECKOUT is None:
        raise RuntimeError(
            f"results for the book are written from a checkout only, and this package is installed in "
            f"'{RESULTS.parent}'; install it with pip install --no-deps -e . in the checkout"
        )


def current_commit():
    """The commit of the code, with "-dirty" where files differ from it."""
    if CHECKOUT is None:
        return "unknown"

    def git(*command):
        return subprocess.run(["git", *command], capture_output=True, text=True, cwd=CHECKOUT, check=False)

    name = git("describe", "--always").stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!book/results").stdout.strip()
    return name + ("-dirty" if changed else "") if name else "unknown"

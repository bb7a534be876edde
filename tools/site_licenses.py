"""Licenses and notices that travel with the site: ours, and those of everything in it that others made.

The build writes them into ``licenses`` of the site: our two licenses and the citation, the notices of
``THIRD-PARTY-NOTICES.txt``, and the license of each installed package that puts files into the site, as that package
ships it. ``tools/check_book.py`` asks whether every file of the site has an owner in :data:`OWNERS`.
"""

import re
import shutil
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

OURS = ("LICENSE", "LICENSE-text", "THIRD-PARTY-NOTICES.txt", "CITATION.cff")
#: files that others made, as patterns below the site, and whose they are, by the name used in THIRD-PARTY-NOTICES.txt;
#: the first pattern that fits decides
OWNERS = {
    "mathjax/*": "MathJax",
    "_static/vendor/fontawesome/*": "Font Awesome 6 Free",
    "_static/scripts/fontawesome.js*": "Font Awesome 6 Free",
    "_static/scripts/bootstrap.js*": "Bootstrap",
    "_static/scripts/pydata-sphinx-theme.js": "pydata-sphinx-theme",
    "_static/styles/pydata-sphinx-theme.css": "pydata-sphinx-theme",
    "_static/webpack-macros.html": "pydata-sphinx-theme",
    "_static/scripts/sphinx-book-theme.js": "sphinx-book-theme",
    "_static/styles/*": "sphinx-book-theme",
    "_static/sbt-webpack-macros.html": "sphinx-book-theme",
    "_static/images/logo_*": "sphinx-book-theme",
    "_static/clipboard.min.js": "clipboard.js",
    "_static/copybutton*": "sphinx-copybutton",
    "_static/copy-button.svg": "sphinx-copybutton",
    "_static/check-solid.svg": "sphinx-copybutton",
    "_static/togglebutton.*": "sphinx-togglebutton",
    "_static/sphinx-design.min.css": "sphinx-design",
    "_static/design-tabs.js": "sphinx-design",
    "_static/mystnb.*.css": "myst-nb",
    "_static/pygments.css": "Pygments",
    "_static/basic.css": "Sphinx",
    "_static/doctools.js": "Sphinx",
    "_static/documentation_options.js": "Sphinx",
    "_static/language_data.js": "Sphinx",
    "_static/searchtools.js": "Sphinx",
    "_static/sphinx_highlight.js": "Sphinx",
    "_static/file.png": "Sphinx",
    "_static/minus.png": "Sphinx",
    "_static/plus.png": "Sphinx",
    # what the series made, and what Sphinx makes of it
    "_static/book.*": "",
    "_static/meanings.js": "",
    "_static/questions.js": "",
    "_static/favicon.svg": "",
    "_static/live/*": "",
    "_images/*": "",
    "_sources/*": "",
    "licenses/*": "",
    "book/*": "",
    "notebooks/*": "",
    "*.html": "",
    "book.pdf": "",
    "searchindex.js": "",
    "sitemap.xml": "",
    "objects.inv": "",
    ".buildinfo": "",
}
#: those of the owners that are installed packages, whose license is copied from where they are installed
PACKAGES = (
    "pydata-sphinx-theme",
    "sphinx-book-theme",
    "sphinx-copybutton",
    "sphinx-togglebutton",
    "sphinx-design",
    "myst-nb",
    "Pygments",
    "Sphinx",
)


def write(root, site):
    """Write the folder ``licenses`` of the site."""
    folder = Path(site) / "licenses"
    folder.mkdir(exist_ok=True)
    for name in OURS:
        if (Path(root) / name).is_file():
            shutil.copy(Path(root) / name, folder / (name if "." in name else f"{name}.txt"))
    for package in PACKAGES:
        (folder / f"{package}.txt").write_text(license_of(package), encoding="utf-8")


def license_of(package):
    """The license that an installed package carries."""
    files = metadata.distribution(package).files or []
    texts = [file for file in files if re.fullmatch(r"LICEN[SC]E(\.\w+)?", file.name, re.IGNORECASE)]
    if not texts:
        raise FileNotFoundError(f"{package} is installed without its license; install it again from the lock")
    return min(texts, key=lambda file: len(file.parts)).read_text(encoding="utf-8")


def owner_of(name):
    """Whose a file of the site is: a name, "" for ours, None if nobody has said."""
    return next((owner for pattern, owner in OWNERS.items() if fnmatch(name, pattern)), None)


def problems(site):
    """One sentence for each file of the site without an owner, and for each license that is not there."""
    site = Path(site)
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    found = [
        f"{name} is in the site, and tools/site_licenses.py does not say whose it is"
        for name in names
        if owner_of(name) is None
    ]
    needed = [name if "." in name else f"{name}.txt" for name in OURS] + [f"{package}.txt" for package in PACKAGES]
    return found + [f"licenses/{name} is missing from the site" for name in needed if f"licenses/{name}" not in names]

"""Fetch the browser code that the book ships, so that its pages work without a network.

    python book/vendor/fetch.py           # fetch again from npm (needs npm and a network)
    python book/vendor/fetch.py --check   # compare the files here with manifest.json (needs neither)

Only the files listed below are kept, and one string in them is changed: the address of a content network, from which a
script could load further parts, becomes a path that does not exist.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "manifest.json"
CONTENT_NETWORK = re.compile(rb"https://cdn\.jsdelivr\.net/[a-z]+/")

PACKAGES = {
    "mathjax@3.2.2": {
        "license": "Apache-2.0",
        "what": "typesets formulas; SVG output, which needs no font files",
        "files": {"es5/tex-svg-full.js": "mathjax/tex-svg-full.js", "LICENSE": "mathjax/LICENSE"},
    },
    "reveal.js@6.0.2": {
        "license": "MIT",
        "what": "shows the slides of book/slides; it is not in the site",
        "files": {
            "dist/reveal.js": "reveal/reveal.js",
            "dist/reveal.css": "reveal/reveal.css",
            "dist/plugin/notes.js": "reveal/notes.js",
            "LICENSE": "reveal/LICENSE",
        },
    },
}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def changed(data):
    """Apply the change described at the top of this file."""
    return CONTENT_NETWORK.sub(b"./not-vendored/", data)


def fetch_package(name, files, folder):
    """Unpack one npm package in `folder`, copy its listed files here and return their manifest entries."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not installed; the files that are here already can be checked with --check")
    archive = subprocess.run(
        [npm, "pack", "--silent", name], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    entries = []
    with tarfile.open(folder / archive) as tar:
        for source, target in files.items():
            original = tar.extractfile(f"package/{source}").read()
            data = changed(original)
            path = HERE / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            entries.append(
                {
                    "file": target,
                    "from": f"package/{source}",
                    "bytes": len(data),
                    "sha256": sha256(data),
                    "sha256_upstream": sha256(original),
                }
            )
    return entries


def fetch():
    packages = []
    for name, package in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            files = fetch_package(name, package["files"], Path(folder))
        packages.append({"package": name, "license": package["license"], "what": package["what"], "files": files})
    MANIFEST.write_text(json.dumps({"packages": packages}, indent=2) + "\n", encoding="utf-8")


def differences():
    """Return one sentence for each file that is missing or differs from the manifest."""
    found = []
    for package in json.loads(MANIFEST.read_text(encoding="utf-8"))["packages"]:
        for entry in package["files"]:
            path = HERE / entry["file"]
            if not path.is_file():
                found.append(f"{entry['file']} is missing; run fetch.py")
            elif sha256(path.read_bytes()) != entry["sha256"]:
                found.append(f"{entry['file']} differs from manifest.json; run fetch.py")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare the files with manifest.json")
    if not parser.parse_args().check:
        fetch()
    problems = differences()
    print("\n".join(problems) or "vendored files agree with manifest.json")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

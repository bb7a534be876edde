"""Run notebooks as somebody has them who installed the package and has no checkout, strictly.

``python tools/try_wheel.py`` builds the wheel into ``_build/wheel``, installs it with the locked packages into an
empty environment in a temporary folder, copies ``notebooks/*.ipynb`` there and nothing else of the repository but
pytest's options in ``pyproject.toml``, and runs ``pytest --nbval``; how outputs are compared is in the wheel, too.
Names on the command line choose some notebooks: ``05 12_uncertainty``. With ``--borrow`` nothing is fetched: the
environment takes the locked packages from the one that runs this, and the series' own package from the wheel.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import setup_environment

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "_build" / "wheel"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="numbers or stems; default: all")
    parser.add_argument("--borrow", action="store_true", help="take the locked packages from the running environment")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="try_wheel_") as temporary:
        folder = Path(temporary).resolve()
        copies = copy_notebooks(options.names, folder / "copy")
        python = create_environment(folder / "environment", build_wheel(WHEELS), options.borrow)
        found = check_origin(python, folder / "copy" / "notebooks")
        print(f"unet_helpers of the wheel, in {found.parent.relative_to(folder)}", flush=True)
        sys.exit(run_notebooks(python, copies))


def build_wheel(folder):
    """Build the wheel of this checkout into ``folder`` and return its path; nothing is fetched."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        # otherwise setuptools builds in the checkout, and what it finds there of an older build goes into the wheel
        config = Path(temporary) / "build.cfg"
        config.write_text(f"[build]\nbuild_base = {temporary}\n[egg_info]\negg_base = {temporary}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
        subprocess.run(command, env=os.environ | {"DIST_EXTRA_CONFIG": str(config)}, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def create_environment(folder, wheel, borrow):
    """An environment outside the checkout with the locked packages and the wheel; returns its Python."""
    if borrow:
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        install = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet"]
        install += ["--disable-pip-version-check"]
    else:
        install = setup_environment.install_locked_packages(folder)
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], env=clean_environment(), check=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    if borrow:
        # a folder named in a .pth file is searched after the environment's own, and its own .pth files,
        # among them the one of the editable package, are not read
        target = Path(sysconfig.get_path("purelib", "venv", paths)) / "borrowed.pth"
        lent = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
        target.write_text("".join(f"{path}\n" for path in lent), encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", paths)) / ("python.exe" if os.name == "nt" else "python")


def copy_notebooks(names, folder):
    """Copy the notebooks that were named, above them pytest's options; returns the copies."""
    stored = sorted((ROOT / "notebooks").glob("*.ipynb"))
    chosen = [path for path in stored if not names or any(path.stem.startswith(name) for name in names)]
    unknown = [name for name in names if not any(path.stem.startswith(name) for path in stored)]
    if unknown:
        sys.exit(f"no notebook begins with {', '.join(unknown)}; there are {', '.join(p.stem for p in stored)}")
    (folder / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return [Path(shutil.copy(path, folder / "notebooks")) for path in chosen]


def check_origin(python, cwd):
    """Where a kernel would import the package from; an error unless that is the new environment."""
    command = [python, "-c", "import importlib.util as u; print(u.find_spec('unet_helpers').origin)"]
    said = subprocess.run(command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=True)
    found = Path(said.stdout.strip()).resolve()
    if python.parents[1].resolve() not in found.parents:
        sys.exit(f"unet_helpers would come from '{found}' and not from the wheel")
    return found


def run_notebooks(python, notebooks):
    """The exit status of ``pytest --nbval``, with the options of ``pyproject.toml``, two notebooks at a time."""
    parallel = ["-n", "2", "--dist", "loadfile"] if len(notebooks) > 1 else []
    command = [python, "-m", "pytest", "--nbval", *parallel, *notebooks]
    return subprocess.run(command, cwd=notebooks[0].parents[1], env=clean_environment(), check=False).returncode


def clean_environment():
    """Without what could lead back to a checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"stopped: {' '.join(map(str, error.cmd[:4]))} … ended with {error.returncode}; see the lines above")

"""Create the virtual environment from the lock: with uv where it is installed, else with pip.

``python tools/setup_environment.py .venv`` needs Python 3.11–3.13 and nothing else. A failed set-up
leaves no mark, so that the next call tries again.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main():
    folder = Path(sys.argv[1])
    install = install_locked_packages(folder)
    # the build tool is in the lock too: nothing is fetched here
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", "."], cwd=ROOT, check=True)
    (folder / ".ready").touch()


def install_locked_packages(folder):
    """Create the environment if it is not there; return the command that installs more into it."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        found = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"Python {found} runs this; 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 …")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _runs(python):
        print(f"creating {folder} with Python {sys.version.split()[0]}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
    print("installing the locked packages (about 2 GB, a few minutes on a slow line)", flush=True)
    uv = shutil.which("uv")
    if uv:
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", "requirements.lock"], cwd=ROOT, check=True)
    return install


def _runs(python):
    return python.exists() and subprocess.run([str(python), "-c", ""], check=False).returncode == 0


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"set-up stopped: {' '.join(error.cmd[:4])} … ended with {error.returncode}; see the lines above")
    except OSError as error:
        sys.exit(f"set-up stopped: {error}; make room, or copy the repository to a folder that you may write to")

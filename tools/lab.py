"""Open JupyterLab on the start page. Extra arguments go to ``jupyter lab``."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    # the start page opens rendered, not as source
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    # a class without network should see no attempts to reach one
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
}


def check_home():
    """End with one sentence where Jupyter could not start a kernel, because it has no home folder to write to."""
    from jupyter_core.paths import jupyter_runtime_dir

    try:
        Path(jupyter_runtime_dir()).mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        sys.exit(f"Jupyter needs a home folder to write to ({error}); name a folder of yours in the variable HOME")


def main():
    check_home()
    folder = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "overrides.json").write_text(json.dumps(SETTINGS, indent=1))
    except OSError as error:  # the environment of another user, who may have opened it before
        if not (folder / "overrides.json").is_file():
            print(f"JupyterLab opens with settings of its own: '{folder}' cannot be written ({error.strerror})")
    command = [sys.executable, "-m", "jupyterlab", "--LabApp.default_url=/lab/tree/notebooks/start_here.md"]
    # also for a notebook that somebody begins with "import tensorflow"; see unet_helpers/_quiet.py
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1", **os.environ}
    try:
        return subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())

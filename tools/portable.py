"""Unit tests and strict notebooks as other machines would compute them: ``make portable``.

Prints a table, setting by failures, and ends with 1 if any is not zero. What has passed at this commit stands in
``_build/portable`` and is not run again, so that an interrupted run goes on. All settings take hours. The first setting
with jitter runs every unit test and notes in which files weights were moved; the others run these files, since all
others would do exactly the same again.
"""

import argparse
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "_build" / "portable"
SETTINGS = {
    "as it is": {},
    "oneDNN off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "SSE41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "one thread": {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
    "four threads": {"TF_NUM_INTRAOP_THREADS": "4", "TF_NUM_INTEROP_THREADS": "4"},
}
for scale in ("1e-6", "1e-5"):
    for seed in (1, 2, 3):
        SETTINGS[f"jitter {scale} seed {seed}"] = {"UNET_JITTER": f"{scale}:{seed}"}
PARTS = {"unit": ["tests"], "notebooks": ["--nbval", "notebooks", "--dist", "loadfile"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", help="words in the names of settings, as jitter; default: all")
    parser.add_argument("--part", choices=PARTS, help="default: both")
    options = parser.parse_args()
    chosen = [name for name in SETTINGS if not options.settings or any(word in name for word in options.settings)]
    rows = []
    for name in chosen:
        for part in [options.part] if options.part else PARTS:
            rows.append((name, part, *count(run(name, part))))
            print(f"{name}, {part}: {rows[-1][3]} of {rows[-1][2]} failed", flush=True)
    print("\n| setting | part | tests | failed | skipped | minutes |\n|---|---|---|---|---|---|")
    for *names, tests, failed, skipped, seconds in rows:
        print("|", " | ".join([*names, str(tests), str(failed), str(skipped), f"{seconds / 60:.1f}"]), "|")
    # nothing run is no success
    return int(any(failed or not tests for _, _, tests, failed, _, _ in rows))


def run(name, part):
    """Where the report of this part under this setting lies; made anew unless it passed at this commit."""
    report = KEPT / commit() / f"{name.replace(' ', '_')}-{part}.xml"
    if "dirty" in commit() or not report.is_file() or count(report)[1]:
        environment, tests = os.environ | SETTINGS[name], PARTS[part]
        noted = KEPT / commit() / "moved.txt"
        if "UNET_JITTER" in SETTINGS[name]:
            # Python runs the sitecustomize.py there
            paths = [str(ROOT / "tests" / "jitter"), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
            if part == "unit" and noted.is_file():
                tests = sorted({line.partition("::")[0] for line in noted.read_text(encoding="utf-8").split()})
            elif part == "unit":
                noted.parent.mkdir(parents=True, exist_ok=True)
                environment["UNET_JITTER_MOVED"] = str(noted.with_suffix(".part"))
        command = [sys.executable, "-m", "pytest", *tests, "-n", "2", "-q", f"--junitxml={report}"]
        subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if "UNET_JITTER_MOVED" in environment and "dirty" not in commit() and count(report)[0]:
            noted.with_suffix(".part").replace(noted)
    return report


def commit():
    """The commit of the code, with "-dirty" where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown-dirty"
    )


def count(report):
    """Tests, failures, skipped and seconds of a report; none where pytest could not write one."""
    if not report.is_file():
        return 0, 0, 0, 0.0
    suite = ElementTree.parse(report).getroot().find("testsuite")
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    return int(suite.get("tests")), failed, int(suite.get("skipped")), float(suite.get("time"))


if __name__ == "__main__":
    sys.exit(main())

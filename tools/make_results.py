"""Measure every result of the book again: ``make results``; it takes hours.

Each benchmark runs from a clean commit (a dirty tree is refused) and writes its file into ``book/results``. What is
done at this commit stands in ``_build/results`` and is not run again, so that an interrupted run goes on. Names on the
command line choose some: ``python tools/make_results.py atlas losses``. Ends with a table of minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "book" / "results"
KEPT = ROOT / "_build" / "results"
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")
LIDC, NUCLEI = SHARED / "lidc_slices", SHARED / "dsb2018"

#: result file: the benchmark that writes it, its arguments, and the real data without which it cannot
BENCHMARKS = {
    "phantom_checkpoint": ("train_checkpoint", [], None),
    "atlas": ("atlas", ["atlas"], None),
    "robustness": ("atlas", ["robustness"], None),
    "domain_shift": ("domain_shift", [], None),
    "fine_tuning": ("fine_tuning", [], None),
    "interval_coverage": ("interval_coverage", [], None),
    "losses": ("losses", [], None),
    "uncertainty": ("uncertainty", [], LIDC),
    "prompts": ("prompts", [], None),
    "architectures": ("architectures", [], None),
    "museum": ("museum", ["bugs"], None),
    "museum_half": ("museum", ["half"], None),
    "leak": ("museum", ["leak"], None),
    "volumes_3d": ("volumes_3d", [], None),
    "phantom_to_display": ("train_on_phantom", [], None),
    "phantom_vs_lidc": ("compare_with_lidc", [], LIDC),
    "readers": ("readers", [], LIDC),
    "lidc": ("lidc", [], LIDC),
    "transfer": ("transfer", [], LIDC),
    "nuclei": ("nuclei", [], NUCLEI),
    "time_to_dice": ("time_to_dice", ["TORCH", "--limit", "210", "--seeds", "1"], None),
    "throughput": ("throughput", ["TORCH"], None),
    "metrics_agreement": ("metrics_agreement", ["TORCH", "PEER"], None),
    "metrics_speed": ("metrics_speed", ["TORCH", "PEER"], None),
    "onednn": ("onednn", [], None),
    "scaling": ("scaling", [], None),
    "scale": ("scale", [], None),
    "memory": ("memory", [], None),
    "deployment": ("deploy", [], None),
    "subgroups": ("subgroups", [], None),
    "browser_engines": ("browser_engines", [], None),
    "explanations": ("explanations", [], None),
    "budgets": ("budgets", [], None),
    "browser_clicks": ("browser_engines", ["clicks"], None),
    "hospitals": ("hospitals", [], None),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(BENCHMARKS)}")
    parser.add_argument("--torch-python", help="Python of an environment with torch and monai")
    parser.add_argument("--peer-python", help="Python of an environment with medpy and surface-distance")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"{unknown[0]!r} is no result; choose from {', '.join(BENCHMARKS)}")
    commit = clean_commit()
    pythons = {"TORCH": ["--torch-python", options.torch_python], "PEER": ["--peer-python", options.peer_python]}
    rows = [(name, *measure(name, commit, pythons)) for name in options.names or BENCHMARKS]
    print("\n| result | minutes | |\n|---|---|---|")
    for name, minutes, outcome in rows:
        print(f"| {name} | {minutes:.1f} | {outcome} |")
    sys.exit(any(outcome.startswith("failed") for _, _, outcome in rows))


def clean_commit():
    """The commit of all files but the results themselves; a tree that differs from it is refused."""
    command = ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!book/results"]
    changed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    if changed[0]:
        sys.exit(f"files differ from the commit, '{changed[0][3:]}' is the first; commit before measuring")
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def measure(name, commit, pythons):
    """Run a benchmark unless it is done at this commit; its minutes, and how it went."""
    benchmark, arguments, data = BENCHMARKS[name]
    done = KEPT / commit / f"{name}.json"
    if done.is_file():
        return json.loads(done.read_text())["minutes"], "done before"
    if data is not None and not data.is_dir():
        return 0.0, f"left out: no {data.name} in UNET_SHARED_DATA"
    lacking = [word for word in arguments if word in pythons and not pythons[word][1]]
    if lacking:
        return 0.0, f"left out: needs {pythons[lacking[0]][0]}"
    command = [sys.executable, str(ROOT / "benchmarks" / f"{benchmark}.py")]
    for word in arguments:
        command += pythons.get(word, [word])
    print(f"{name} …", flush=True)
    began = time.perf_counter()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    minutes = (time.perf_counter() - began) / 60
    if code:
        return minutes, f"failed with {code}"
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_text(json.dumps({"minutes": round(minutes, 1)}))
    return minutes, "written"


if __name__ == "__main__":
    main()

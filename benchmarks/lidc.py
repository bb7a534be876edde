"""Notebook 15 on real CT: LIDC nodule slices, test patients, into ``book/results/lidc.json``.

``python benchmarks/lidc.py [FOLDER]`` runs the notebook as a reader would (``make your-data``), with the
folder named, or ``lidc_slices/LIDC-IDRI-slices`` under ``UNET_SHARED_DATA`` or ``../shared/data``.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from record import write_results

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "lidc_slices" / "LIDC-IDRI-slices"
    if not folder.is_dir():
        sys.exit(f"skipped: no folder {folder}; name the folder of the LIDC slices")
    began = time.perf_counter()
    command = [sys.executable, "tools/execute_notebooks.py", "15", "--output", "runs", "--timeout", "3600"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "UNET_DATA": str(folder.resolve())}, check=True)
    seconds = round(time.perf_counter() - began)

    kept = max((ROOT / "runs").glob(f"{folder.name}*/run.json"), key=lambda path: path.stat().st_mtime)
    report = json.loads(kept.with_name("evaluation.json").read_text())
    slices, patients = report["by_slice"]["nodule"], report["summary"]["dice"][0]
    results = {
        "seconds": seconds,
        "dice_mean": round(slices["dice"], 3),
        "dice_median": round(slices["median_dice"], 3),
        "missed": round(slices["missed"], 3),
        "false_alarms": round(slices["false_alarms"], 3),
        "slices_with_object": int(slices["slices_with_object"]),
        "empty_slices": int(slices["empty_slices"]),
        "patient_dice_mean": round(patients["mean"], 3),
        "patient_dice_low": round(patients["low"], 3),
        "patient_dice_high": round(patients["high"], 3),
        "test_patients": int(patients["cases"]),
        "notes": report["notes"],
    }
    path = write_results("lidc", "Notebook 15 on LIDC nodule slices, test patients", results, data="LIDC-IDRI slices")
    for name, value in results.items():
        print(f"{name}: {value}")
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()

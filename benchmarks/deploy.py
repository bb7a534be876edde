"""The shipped network elsewhere: the same masks, how fast, in 8 bits, killed in the middle, several workers, drift.

``python benchmarks/deploy.py`` takes about ten minutes on two quiet cores; names of parts choose some, which are
printed and not written. OpenVINO and LiteRT take part where they are installed (``pip install openvino
ai-edge-litert``, not needed by the series). Engines are measured by turns, each in a process of its own: on a busy
machine only the ratios of one turn count. Writes ``book/results/deployment.json``.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
#: name: (kind of engine, file of the network, what must be installed)
ENGINES = {
    "Keras, predict": ("keras_predict", "network.keras", "keras"),
    "Keras, predict_on_batch": ("keras_batch", "network.keras", "keras"),
    "ONNX Runtime": ("onnx", "network.onnx", "onnxruntime"),
    "ONNX Runtime, int8 static": ("onnx", "static.onnx", "onnxruntime"),
    "ONNX Runtime, int8 dynamic": ("onnx", "dynamic.onnx", "onnxruntime"),
    "OpenVINO, 32 bits": ("openvino", "network.onnx", "openvino"),
    "OpenVINO, as it comes": ("openvino_default", "network.onnx", "openvino"),
    "LiteRT": ("litert", "network.tflite", "ai_edge_litert"),
}
FIRST_NEW = 120  # patients from here on of the phantom's family: no training, no choice, no other page has used them


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="turns of the latencies")
    parser.add_argument("--patients", type=int, default=24, help="new patients for the Dice in 8 bits")
    parser.add_argument("--dry", action="store_true", help="a rehearsal: everything small, nothing written")
    parser.add_argument("--time-one", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--drain", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time_one:
        return print(json.dumps(time_one(*arguments.time_one)))
    if arguments.drain:
        return drain(*arguments.drain)
    if unknown := [part for part in arguments.parts if part not in PARTS]:
        sys.exit(f"{unknown[0]!r} is no part; choose from {', '.join(PARTS)}")
    if arguments.dry:
        arguments.rounds, arguments.patients = 1, 2
    from record import current_commit, write_results

    commit, results = current_commit(), {}
    with tempfile.TemporaryDirectory() as folder:
        write_networks(Path(folder))
        for part in arguments.parts or PARTS:
            began = time.perf_counter()
            results[part] = PARTS[part](Path(folder), arguments)
            print(part, f"({time.perf_counter() - began:.0f} s)", json.dumps(results[part], indent=1), flush=True)
    if not arguments.parts and not arguments.dry:
        what = "The shipped network outside of Keras: parity, time by turns, Dice in 8 bits, kills, workers, drift"
        write_results("deployment", what, results, commit=commit)


def write_networks(folder):
    """The network in all formats that the engines here read."""
    import keras

    from unet_helpers import load_checkpoint, load_dataset
    from unet_helpers.deployment import export_onnx
    from unet_helpers.teaching.engines import quantize

    model, train = load_checkpoint(), load_dataset("phantom").train
    model.save(folder / "network.keras")
    export_onnx(model, folder / "network.onnx")
    quantize(folder / "network.onnx", folder / "static.onnx", "static", train.images[::16])
    quantize(folder / "network.onnx", folder / "dynamic.onnx", "dynamic")
    if find_spec("ai_edge_litert"):
        shape = keras.InputSpec(shape=(1, 128, 128, 1), dtype="float32")
        model.export(folder / "network.tflite", format="litert", input_signature=[shape], verbose=False)


def installed():
    return {name: engine for name, engine in ENGINES.items() if find_spec(engine[2])}


def load_engines():
    """The file alone: the package around it loads TensorFlow, which an engine beside Keras does without."""
    specification = spec_from_file_location("engines", ROOT / "unet_helpers" / "teaching" / "engines.py")
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def engine(kind, network, threads):
    """A function of images that gives probabilities."""
    engines = load_engines()
    if kind.startswith("keras"):
        import keras

        model = keras.models.load_model(network, compile=False)
        return model.predict_on_batch if kind == "keras_batch" else lambda images: model.predict(images, verbose=0)
    if kind == "onnx":
        return engines.onnx_engine(network, threads)
    if kind == "litert":
        return engines.litert_engine(network, threads)
    return engines.openvino_engine(network, threads, None if kind == "openvino_default" else "f32")


def parity(folder, arguments):
    """Pixels of the masks of all validation patients that differ from Keras, and the largest difference."""
    from unet_helpers import load_dataset

    images = load_dataset("phantom").validation.images
    right = engine("keras_batch", folder / "network.keras", 2)(images)
    rows = {}
    for name, (kind, network, _) in installed().items():
        found = engine(kind, folder / network, 2)(images)
        other = found.argmax(axis=-1) != right.argmax(axis=-1)
        rows[name] = {
            "pixels_that_differ": int(other.sum()),
            "slices_that_differ": int(other.any(axis=(1, 2)).sum()),
            "largest_difference": float(f"{np.abs(found - right).max():.1e}"),
            "megabytes": round((folder / network).stat().st_size / 1e6, 2),
        }
    return {"slices": len(images), "pixels": int(images[..., 0].size), "engines": rows}


def latency(folder, arguments):
    """Seconds until the first mask, p50 and p95 of a slice and a volume, memory, by turns."""
    turns = {}
    for _ in range(arguments.rounds):
        for threads in (1,) if arguments.dry else (1, 2):
            for name, (kind, network, _) in installed().items():
                repeats = "2" if arguments.dry else "25"
                command = [sys.executable, __file__, "--time-one", kind, str(folder / network), str(threads), repeats]
                command += [str(time.time())]
                said = subprocess.run(
                    command, env=environment(threads), capture_output=True, text=True, check=True
                ).stdout
                turns.setdefault((name, threads), []).append(json.loads(said.splitlines()[-1]))
    rows = {}
    for (name, threads), measured in turns.items():
        row = {"cold_seconds": float(np.median([turn["cold"] for turn in measured]))}
        row["megabytes"] = round(float(np.median([turn["megabytes"] for turn in measured])))
        row["slice_p95_ms"] = round(float(np.percentile(np.concatenate([turn["slice"] for turn in measured]), 95)), 2)
        for what in ("slice", "volume", "volume_by_slices", "slice_512"):  # too few calls of the others for a p95
            row[f"{what}_p50_ms"] = round(float(np.median(np.concatenate([turn[what] for turn in measured]))), 2)
        reference = turns["ONNX Runtime", threads]
        ratios = [
            np.median(turn["slice"]) / np.median(other["slice"])
            for turn, other in zip(measured, reference, strict=True)
        ]
        row["slice_times_onnx_runtime"] = [round(float(f(ratios)), 2) for f in (np.median, min, max)]
        rows[f"{name}, {threads} thread{'s' * (threads > 1)}"] = row
    return {"turns": arguments.rounds, "slices_of_a_volume": 8, "engines": rows}


def environment(threads):
    """TensorFlow reads its number of threads from the environment, once."""
    counts = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return os.environ | dict.fromkeys(counts, str(threads)) | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def time_one(kind, network, threads, repeats, started):
    """In a process of its own: from the start of Python to the first mask, then every call."""
    images = np.random.default_rng(0).random((8, 128, 128, 1), dtype=np.float32)
    run = engine(kind, network, int(threads))
    run(images[:1])
    cold = round(time.time() - float(started), 3)
    milliseconds = load_engines().milliseconds
    repeats = int(repeats)
    spent = {
        "slice": milliseconds(run, images[:1], repeats),
        "volume": milliseconds(run, images, max(repeats // 5, 1)),
        "volume_by_slices": milliseconds(
            lambda volume: [run(volume[k : k + 1]) for k in range(len(volume))], images, max(repeats // 5, 1)
        ),
        "slice_512": milliseconds(run, np.tile(images[:1], (1, 4, 4, 1)), max(repeats // 5, 1)),
    }
    return spent | {"cold": cold, "megabytes": peak_megabytes()}


def peak_megabytes():
    """The most memory of this process. Not ``getrusage``: under Linux that begins with the memory of who started it."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def int8(folder, arguments):
    """Dice per patient in 8 bits against 32, paired over new patients, and the patients who change most."""
    from unet_helpers import bootstrap_interval
    from unet_helpers.data import subset_of_patients
    from unet_helpers.evaluation import dice_by_patient
    from unet_helpers.phantom import make_patient

    patients = range(FIRST_NEW, FIRST_NEW + arguments.patients)
    new = subset_of_patients([make_patient(0, index=index) for index in patients])
    right = engine("onnx", folder / "network.onnx", 2)(new.images).argmax(axis=-1)
    rows = {}
    for kind in ("static", "dynamic"):
        found = engine("onnx", folder / f"{kind}.onnx", 2)(new.images).argmax(axis=-1)
        changed = found != right
        row = {"pixels_that_differ": int(changed.sum()), "share_of_pixels": float(f"{changed.mean():.1e}")}
        for index, name in ((1, "lung"), (2, "nodule")):
            before, after = (dice_by_patient(masks, new, index) for masks in (right, found))
            difference = after - before
            known = np.isfinite(difference)
            low, high = bootstrap_interval(difference[known], method="t")
            row[f"{name}_dice_32_bits"] = round(float(np.nanmean(before)), 4)
            row[f"{name}_difference"] = round(float(difference[known].mean()), 4)
            row[f"{name}_difference_low"], row[f"{name}_difference_high"] = round(low, 4), round(high, 4)
            order = np.argsort(-np.abs(np.where(known, difference, 0)))[:3]
            row[f"{name}_patients"] = int(known.sum())
            row[f"{name}_most_changed"] = [
                {"patient": str(new.patients[k]), "before": round(before[k], 3), "after": round(after[k], 3)}
                for k in order
            ]
            appeared = [
                _pieces(found, new, patient, index) - _pieces(right, new, patient, index) for patient in new.patients
            ]
            row[f"{name}_pieces_gained"] = int(sum(max(0, n) for n in appeared))
            row[f"{name}_pieces_lost"] = int(sum(max(0, -n) for n in appeared))
        rows[kind] = row
    return {"patients": len(new.patients), "calibration_slices": len(range(0, 272, 16)), "kinds": rows}


def _pieces(masks, subset, patient, index):
    from unet_helpers.evaluation import label_objects

    return sum(int(label_objects(mask == index).max()) for mask in masks[subset.patient_ids == patient])


def kills(folder, arguments):
    """A worker that is killed at random moments under load: what was sent, segmented, lost and doubled."""
    from kill_worker import kill_test

    count, times = (4, 1) if arguments.dry else (24, 10)
    mr = {"Modality": "MR"}  # every eighth is to be refused
    series = write_series_folders(folder / "killed", count, tags=lambda index: mr if index % 8 == 3 else {})
    (folder / "kills").mkdir()
    return kill_test(folder / "kills", series, folder / "network.onnx", kills=times, pause=(0.0, 0.2))


def fill(spool, series):
    """Put all series into a spool."""
    for path in (path for one in series for path in sorted(one.iterdir())):
        spool.put(path)
    return spool


def start_workers(count, folder, spool):
    """So many workers, each a process with its network loaded, let go at the same moment."""
    command = [sys.executable, __file__, "--drain", str(spool.folder), str(folder / "network.onnx")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, env=environment(1), **pipes) for _ in range(count)]
    for one in started:
        while one.stdout.readline() not in ("ready\n", ""):
            pass
    for one in started:
        one.stdin.write("go\n")
        one.stdin.flush()
    return started


def write_series_folders(folder, count, tags=lambda index: {}):
    """A DICOM series for each of ``count`` new patients."""
    from unet_helpers.deployment import write_phantom_series
    from unet_helpers.phantom import make_patient

    folders = [folder / f"{index:03d}" for index in range(count)]
    for index, one in enumerate(folders):
        if not one.is_dir():
            patient = make_patient(0, index=FIRST_NEW + index, size=64, slices=6)
            write_phantom_series(one, patient, PatientID=f"W{index:03d}", **tags(index))
    return folders


def workers(folder, arguments):
    """Series that one, two and three workers of one thread each finish in a second, waiting in one spool."""
    from unet_helpers.deployment import Spool

    series, rows = write_series_folders(folder / "sent", 3 if arguments.dry else 24), []
    for count in (1, 2) if arguments.dry else (1, 2, 3):
        spool = fill(Spool(folder / f"workers_{count}", quiet=0), series)
        started = start_workers(count, folder, spool)
        began = time.perf_counter()
        for one in started:
            one.communicate()
        seconds, done = time.perf_counter() - began, spool.counts()["done"]
        rows.append({"workers": count, "series": done, "seconds": round(seconds, 2)})
        rows[-1]["series_per_second"] = round(done / seconds, 2)
        rows[-1]["times_one"] = round(rows[-1]["series_per_second"] / rows[0]["series_per_second"], 2)
    return {"cores": os.cpu_count(), "table": rows}


def drain(spool, network):
    """One worker: loads the network, says that it is ready, waits for a line, and works until nothing waits."""
    import pydicom

    from unet_helpers.deployment import OnnxNetwork, Spool, Worker, segment_series, write_report, write_segmentation

    spool = Spool(Path(spool), quiet=0)
    archive = spool.folder.with_name(f"{spool.folder.name}_archive")
    archive.mkdir(exist_ok=True)

    def send(paths):
        """As an archive does: what has the same UID is kept once."""
        for path in paths:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            about = (
                header.get("ReferencedSeriesSequence")
                or header.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
            )
            name = f"{about[0].SeriesInstanceUID}_{header.Modality}_{header.SOPInstanceUID}"
            shutil.copy(path, archive / f".{os.getpid()}")
            os.replace(archive / f".{os.getpid()}", archive / name)

    network = OnnxNetwork(network)

    def process(series, out):
        mask = segment_series(network, series)
        written = write_segmentation(mask, series, out / "seg.dcm", network.about)
        write_report(mask, series, out / "report.dcm", network.about, segmentation=written)
        return {"state": "done"}

    worker = Worker(spool, process, send)
    print("ready", flush=True)
    sys.stdin.readline()
    worker.drain()


#: what changes in a scanner -> fields of its acquisition, as a function of those before
CHANGES = {
    "a quarter of the dose": lambda before: {"photons": before.photons / 4},
    "the sharp kernel": lambda before: {"kernel": "sharp"},
    "slices of 1 mm instead of 2 to 5": lambda before: {"slice_thickness": 1.0},
    "a wider field of view": lambda before: {"field_of_view": 500.0},
}
SEED_OF_DRIFT = 5  # another family of patients: none of them has been seen anywhere


def drift(folder, arguments):
    """How often the watch rings for nothing, and for a changed scanner."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from unet_helpers.deployment import Watch

    learned, unchanged, each = (8, 8, 4) if arguments.dry else (200, 1000, 100)
    window = 4 if arguments.dry else 20
    first, asked = 0, {}
    for name, count in {"training": learned, "unchanged": unchanged, **dict.fromkeys(CHANGES, each)}.items():
        asked[name] = [(index, name if name in CHANGES else None) for index in range(first, first + count)]
        first += count
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rows = {name: list(pool.map(_statistics, several, chunksize=10)) for name, several in asked.items()}
    watch, found = Watch.learn(rows.pop("training"), window=window), {}
    for name, several in rows.items():
        judged = watch.judge(several)
        by = [one.statistic for one in judged if one.alarm]
        found[name] = {"studies": len(several), "windows": len(judged), "alarms": len(by)}
        found[name]["rang_for"] = sorted(set(by))
    return {"learned_from": learned, "window": window, "rate": watch.rate, "streams": found}


def _statistics(asked):
    from dataclasses import replace

    from unet_helpers.deployment import input_statistics
    from unet_helpers.phantom import make_patient

    index, change = asked
    options = {"index": index, "size": 64, "slices": 2}
    patient = make_patient(SEED_OF_DRIFT, **options)
    if change:
        changed = replace(patient.acquisition, **CHANGES[change](patient.acquisition))
        patient = make_patient(SEED_OF_DRIFT, **options, acquisition=changed)
    return input_statistics(patient.volume, patient.spacing)


PARTS = {
    "parity": parity,
    "latency": latency,
    "int8": int8,
    "kills": kills,
    "workers": workers,
    "drift": drift,
}


if __name__ == "__main__":
    main()

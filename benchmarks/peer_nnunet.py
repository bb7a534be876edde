"""nnU-Net v2 for ``time_to_dice.py``: run by it, in an environment with nnunetv2.

nnU-Net itself measures the training patients, plans its 2D network, prepares the data, and makes batches, augmentation,
network, loss and optimizer; each step is one ``train_step`` of its trainer. Three things differ from
``nnUNetv2_train``: the rate falls with the share of the time that is spent, not of 250,000 steps; batches are made in
this one process; and whole slices are predicted at once, without mirror images. All patients are given one spacing, so
that nothing is resampled. Fingerprint, plan and preparation take no time of the contestant.
"""

import json
import os
import time

import numpy as np
from time_to_dice import ONEDNN, has_settled, is_due, judge, load, peer_parser

NAME, SPACING = "Dataset001_phantom", (25.0, 3.0, 3.0)  # mm, about what the phantom's slices have


def main():
    arguments = peer_parser(__doc__).parse_args()
    base = arguments.folder / "nnunet"
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(base / name)
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f"}

    import torch

    torch.backends.mkldnn.set_flags(os.environ.get(ONEDNN) != "0")
    train, validation = load(arguments.folder)
    if not (base / "preprocessed" / NAME / "nnUNetPlans.json").is_file():  # the next seed finds it done
        prepare(train, base / "raw" / NAME)
    os.environ |= {"nnUNet_n_proc_DA": "0"}  # batches in this process; the planner wants one at least
    scores = run(validation, base / "preprocessed" / NAME, arguments)
    (arguments.folder / "scores.json").write_text(json.dumps(scores))


def prepare(train, raw):
    """Write a case for each patient, and let nnU-Net measure, plan and prepare."""
    import SimpleITK
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    patients = np.unique(train["patient_ids"])
    for patient in patients:
        own = train["patient_ids"] == patient
        for part, array in (("imagesTr", train["images"][own, ..., 0]), ("labelsTr", train["masks"][own])):
            image = SimpleITK.GetImageFromArray(array)
            image.SetSpacing(SPACING[::-1])
            end = "_0000" if part == "imagesTr" else ""
            SimpleITK.WriteImage(image, str(raw / part / f"{patient}{end}.nii.gz"))
    about = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "lung": 1, "nodule": 2}}
    about |= {"numTraining": len(patients), "file_ending": ".nii.gz"}
    (raw / "dataset.json").write_text(json.dumps(about))
    api.extract_fingerprints([1], num_processes=1)
    api.plan_experiments([1])
    api.preprocess([1], configurations=["2d"], num_processes=[1])


def run(validation, prepared, limits):
    """Train until the limit, or until it gets no better; the scores of ``time_to_dice.run``."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.manual_seed(limits.seed)
    np.random.seed(limits.seed)
    plans, about = (json.loads((prepared / name).read_text()) for name in ("nnUNetPlans.json", "dataset.json"))
    images = normalized(validation["images"], plans["foreground_intensity_properties_per_channel"]["0"])
    began, spent, steps, scores = time.perf_counter(), 0.0, 0, []
    trainer = nnUNetTrainer(plans | {"continue_training": False}, "2d", "all", about, torch.device("cpu"))
    trainer.initialize()
    batches, _ = trainer.get_dataloaders()
    trainer.set_deep_supervision_enabled(True)
    trainer.network.train()
    while True:
        share = min((spent + time.perf_counter() - began) / limits.limit, 1.0)
        trainer.optimizer.param_groups[0]["lr"] = trainer.initial_lr * (1 - share) ** 0.9
        trainer.train_step(next(batches))
        steps += 1
        now = spent + time.perf_counter() - began
        if now >= limits.limit or is_due(now, scores, limits.every):
            scores.append({"seconds": round(now, 2), "steps": steps, **score(trainer, images, validation)})
            spent, began = now, time.perf_counter()
            if now >= limits.limit or has_settled(scores, limits.settle):
                return scores


def normalized(images, found):
    """Images as nnU-Net's ``CTNormalization`` gives them to the network, ``(N, 1, H, W)``."""
    clipped = np.clip(np.moveaxis(images, -1, 1), found["percentile_00_5"], found["percentile_99_5"])
    return ((clipped - found["mean"]) / max(found["std"], 1e-8)).astype(np.float32)


def score(trainer, images, validation):
    """Dice per class on the validation patients."""
    import torch

    trainer.network.eval()
    trainer.set_deep_supervision_enabled(False)
    with torch.no_grad():
        parts = torch.from_numpy(images).split(16)
        found = np.concatenate([trainer.network(part).argmax(dim=1).numpy() for part in parts])
    trainer.set_deep_supervision_enabled(True)
    trainer.network.train()
    return judge(validation, found)


if __name__ == "__main__":
    main()

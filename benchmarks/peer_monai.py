"""MONAI's BasicUNet on PyTorch, for ``time_to_dice.py``: run by it, in an environment with torch and monai.

Recipe of MONAI's 2D training tutorial: Adam 1e-3, Dice loss, here for three classes as Dice plus cross-entropy, the
loss of its 3D tutorials; batch 16; channels last, which is PyTorch's faster layout on a CPU.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from time_to_dice import dice_by_class, is_due, load


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--every", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    scores = run(*load(arguments.folder), arguments.limit, arguments.every, arguments.seed)
    (arguments.folder / "scores.json").write_text(json.dumps(scores))


def run(train, validation, limit, every, seed, batch_size=16):
    """Train until the limit; the scores of ``time_to_dice.run``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images, masks = tensors(train)
    began, spent, steps, scores = time.perf_counter(), 0.0, 0, []
    network = BasicUNet(spatial_dims=2, in_channels=1, out_channels=3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    while True:
        order = rng.permutation(len(images))
        for first in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[first : first + batch_size]
            optimizer.zero_grad()
            loss(network(images[chosen]), masks[chosen][:, None]).backward()
            optimizer.step()
            steps += 1
            now = spent + time.perf_counter() - began
            if now >= limit or is_due(now, scores, every):
                scores.append({"seconds": round(now, 2), "steps": steps, **score(network, validation)})
                spent, began = now, time.perf_counter()
                if now >= limit:
                    return scores


def tensors(subset):
    """``(N, 1, H, W)`` float32, channels last in memory, and ``(N, H, W)`` int64."""
    images = torch.from_numpy(np.moveaxis(subset["images"], -1, 1).copy())
    return images.to(memory_format=torch.channels_last), torch.from_numpy(subset["masks"].astype(np.int64))


@torch.no_grad()
def score(network, validation):
    """Dice per class on the validation patients."""
    network.eval()
    found = [network(part).argmax(dim=1).numpy() for part in tensors(validation)[0].split(16)]
    network.train()
    return dice_by_class(validation["masks"], np.concatenate(found), validation["patient_ids"])


if __name__ == "__main__":
    main()

"""MONAI's BasicUNet on PyTorch, for ``time_to_dice.py``: run by it, in an environment with torch and monai.

Recipe of MONAI's 2D training tutorial: Adam 1e-3, Dice loss, here for three classes as Dice plus cross-entropy, the
loss of its 3D tutorials; batch 16; channels last, which is PyTorch's faster layout on a CPU. With ``--our-recipe`` the
same network learns by the recipe of the series, from crops that ``time_to_dice.py`` has drawn.
"""

import itertools
import json
import os
import time

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from time_to_dice import ONEDNN, has_settled, is_due, judge, load, peer_parser


def main():
    parser = peer_parser(__doc__)
    parser.add_argument("--our-recipe", action="store_true")
    arguments = parser.parse_args()
    torch.backends.mkldnn.set_flags(os.environ.get(ONEDNN) != "0")  # PyTorch's name of oneDNN
    scores = run(*load(arguments.folder), arguments)
    (arguments.folder / "scores.json").write_text(json.dumps(scores))


def run(train, validation, limits):
    """Train until the limit, or until it gets no better; the scores of ``time_to_dice.run``."""
    torch.manual_seed(limits.seed)
    images, masks = tensors(train)
    began, spent, scores = time.perf_counter(), 0.0, []
    network = BasicUNet(spatial_dims=2, in_channels=1, out_channels=3).to(memory_format=torch.channels_last)
    if limits.our_recipe:
        loss, rates, average, batches = our_recipe(network, limits.folder, limits.seed)
    else:
        loss, rates, average = DiceCELoss(to_onehot_y=True, softmax=True), [1e-3], 0.0
        batches = in_random_order(images, masks, limits.seed)
    optimizer = torch.optim.Adam(network.parameters(), eps=1e-7)
    mean = [weight.detach().clone() for weight in network.parameters()]
    for step, (some, true) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = rates[min(step, len(rates) - 1)]
        optimizer.zero_grad()
        loss(network(some), true[:, None]).backward()
        optimizer.step()
        with torch.no_grad():
            for one, weight in zip(mean, network.parameters(), strict=True):
                one.lerp_(weight, 1 - average if step else 1.0)
        now = spent + time.perf_counter() - began
        if now >= limits.limit or is_due(now, scores, limits.every):
            swap(network, mean)
            scores.append({"seconds": round(now, 2), "steps": step + 1, **score(network, validation)})
            swap(network, mean)
            spent, began = now, time.perf_counter()
            if now >= limits.limit or has_settled(scores, limits.settle):
                return scores


def our_recipe(network, folder, seed):
    """Loss, the rate of each step, momentum of the running mean, and batches; sets the start of the network."""
    recipe = json.loads((folder / "recipe.json").read_text())
    crops = dict(np.load(folder / "crops.npz"))
    images, masks = tensors({"images": crops["images"].astype(np.float32), "masks": crops["masks"]})
    with torch.no_grad():
        network.final_conv.bias.copy_(torch.tensor(recipe["shares"]).clamp(min=1e-4).log())
    weights = torch.tensor(recipe["class_weights"], dtype=torch.float32)

    def loss(logits, true):
        probabilities = logits.softmax(dim=1)[:, 1:]
        truth = torch.nn.functional.one_hot(true[:, 0], 3).permute(0, 3, 1, 2)[:, 1:]
        overlap, total = (truth * probabilities).sum(dim=(0, 2, 3)), (truth + probabilities).sum(dim=(0, 2, 3))
        entropy = torch.nn.functional.cross_entropy(logits, true[:, 0], weights, reduction="none")
        return entropy.mean() + (1 - (2 * overlap + 1) / (total + 1)).mean()

    batches = in_random_order(images, masks, seed, recipe["batch_size"])
    return loss, recipe["rates"], recipe["average"], batches


def in_random_order(images, masks, seed, batch_size=16):
    """All of them in another order each time, without end."""
    rng = np.random.default_rng(seed)
    for _ in itertools.count():
        order = rng.permutation(len(images))
        for first in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[first : first + batch_size]
            yield images[chosen], masks[chosen]


def tensors(subset):
    """``(N, 1, H, W)`` float32, channels last in memory, and ``(N, H, W)`` int64."""
    images = torch.from_numpy(np.moveaxis(subset["images"], -1, 1).copy())
    return images.to(memory_format=torch.channels_last), torch.from_numpy(subset["masks"].astype(np.int64))


@torch.no_grad()
def swap(network, mean):
    """Exchange the weights with their mean."""
    for one, weight in zip(mean, network.parameters(), strict=True):
        kept = weight.clone()
        weight.copy_(one)
        one.copy_(kept)


@torch.no_grad()
def score(network, validation):
    """Dice per class on the validation patients."""
    network.eval()
    found = [network(part).argmax(dim=1).numpy() for part in tensors(validation)[0].split(16)]
    network.train()
    return judge(validation, np.concatenate(found))


if __name__ == "__main__":
    main()

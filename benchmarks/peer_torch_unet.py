"""The series' U-Net written for PyTorch, for ``throughput.py``: run by it, in an environment with torch."""

import argparse
import json
import time

import torch
from torch import nn

SIZE, BATCH, BASE, DEPTH = 128, 16, 16, 4


def block(inside, outside):
    layers = []
    for a in (inside, outside):
        layers += [nn.Conv2d(a, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Two 3×3 convolutions a level with batch normalization, transposed convolutions, skip connections."""

    def __init__(self, classes=3):
        super().__init__()
        widths = [BASE * 2**level for level in range(DEPTH + 1)]
        self.down = nn.ModuleList(block(a, b) for a, b in zip([1, *widths[:-1]], widths, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[:-1])
        self.join = nn.ModuleList(block(2 * width, width) for width in widths[:-1])
        self.head = nn.Conv2d(BASE, classes, 1)

    def forward(self, x):
        skips = []
        for level, part in enumerate(self.down):
            x = part(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for level in reversed(range(DEPTH)):
            x = self.join[level](torch.cat([skips[level], self.up[level](x)], dim=1))
        return self.head(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    network = UNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    images = torch.rand(BATCH, 1, SIZE, SIZE).to(memory_format=torch.channels_last)
    masks = torch.randint(3, (BATCH, SIZE, SIZE))
    seconds = []
    for _ in range(arguments.steps + 2):
        began = time.perf_counter()
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), masks).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - began)
    parameters = sum(weight.numel() for weight in network.parameters())
    print(json.dumps({"step": min(seconds[2:]), "parameters": parameters}))


if __name__ == "__main__":
    main()

"""Write ``book/networks.md``: every network's size, and which paper or other implementation it agrees with.

``python tools/model_table.py`` builds each network and counts; a test holds the page in step.
"""

# ruff: noqa: E501 - a paragraph of the page is one line

import math
import os
from functools import cache, wraps
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PAGE = Path(__file__).resolve().parents[1] / "book" / "networks.md"


def trainable(model):
    """Weights that training changes: what papers count."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def without_weights(function):
    """Let a function build networks that are only counted: they get no memory and no random numbers."""

    @wraps(function)
    def counted():
        import keras

        with keras.StatelessScope(initialize_variables=False):
            return function()

    return counted


@cache
@without_weights
def sizes():
    """``[(network, question it answers, parameters at 64 or 32 filters, at 8, output for 128², reference)]``."""
    from unet_helpers import models

    rows = [
        ("UNet", models.UNet, {}, "joins what was seen on the way down", "ronneberger2015unet"),
        ("AttentionUNet", models.AttentionUNet, {}, "lets only parts of it pass", "oktay2018attention"),
        ("SegNet", models.SegNet, {}, "keeps the places of the maxima", "badrinarayanan2017segnet"),
        ("FCN", models.FCN, {"stride": 32}, "enlarges coarse scores 32 times", "long2015fcn"),
        ("FCN", models.FCN, {"stride": 8}, "adds the scores of two finer levels", "long2015fcn"),
        ("DeepLabV3Plus", models.DeepLabV3Plus, {}, "spreads its kernels for a wider view", "chen2018deeplab"),
        ("UNet3D", models.UNet3D, {"base_filters": 32}, "sees the slices above and below", "cicek2016unet3d"),
    ]
    table = []
    for name, build, options, idea, reference in rows:
        shape = (32, 128, 128, 1) if name == "UNet3D" else (128, 128, 1)
        large = build(shape, 2, **options)
        small = build(shape, 2, **(options | {"base_filters": 8}))
        call = name + (f"(stride={options['stride']})" if "stride" in options else "")
        output = "×".join(str(side) for side in large.output_shape[1:])
        table.append((call, idea, trainable(large), trainable(small), output, reference))
    return table


@cache
@without_weights
def agreements():
    """``[(what is compared, ours, theirs, whose)]``: each pair must be equal."""
    import keras

    from unet_helpers import models
    from unet_helpers.models.blocks import conv_unit
    from unet_helpers.models.deeplab import residual_stage

    rows = []
    paper = models.UNet((572, 572, 1), 2, batch_norm=False, padding="valid")
    rows.append(("UNet, unpadded, 572 pixels in: pixels out", paper.output_shape[1], 388, "paper, figure 1"))
    rows.append(
        ("– pixels at the bottleneck", paper.get_layer("bottleneck_relu2").output.shape[1], 28, "paper, figure 1")
    )

    volume = models.UNet3D((132, 132, 116, 3), 3, batch_norm=False, padding="valid")
    rows.append(
        (
            "UNet3D, unpadded, three channels and classes: parameters",
            volume.count_params(),
            19_069_955,
            "paper, section 2",
        )
    )
    rows.append(("– voxels out of 132×132×116", volume.output_shape[1:4], (44, 44, 28), "paper, figure 2"))

    encoder = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    plain = models.SegNet((32, 32, 3), batch_norm=False)
    down = sum(layer.count_params() for layer in plain.layers if layer.name.startswith("down"))
    rows.append(("SegNet: encoder without normalization", down, encoder.count_params(), "keras.applications.VGG16"))
    rows.append(("– in millions", round(down / 1e6, 1), 14.7, "paper, section 3"))

    classifier = keras.applications.VGG16(weights=None, classes=1)
    body = classifier.count_params() - classifier.layers[-1].count_params()
    for stride in (32, 8):
        model = models.FCN((224, 224, 3), 21, stride=stride, batch_norm=False)
        scores = sum(layer.count_params() for layer in model.layers if layer.name.startswith("scores"))
        rows.append(
            (f"FCN-{stride}s without its scores", model.count_params() - scores, body, "keras.applications.VGG16")
        )

    rows.append(("FCN without its scores, in millions", round(body / 1e6), 134, "paper, table 1"))

    inputs = keras.Input((224, 224, 3))
    x = conv_unit(inputs, 64, 7, strides=2, name="stem")
    for i, (filters, strides) in enumerate(((64, 1), (128, 2), (256, 2), (512, 2)), start=1):
        x = residual_stage(x, filters, strides=strides, name=f"stage{i}")
    published = 11_689_512 - (512 * 1000 + 1000)
    rows.append(
        (
            "DeepLabV3Plus: encoder",
            trainable(keras.Model(inputs, x)),
            published,
            "ResNet-18 of torchvision, last layer left out",
        )
    )
    model = models.DeepLabV3Plus((224, 224, 3))
    encoder = [layer for layer in model.layers if layer.name.startswith(("stem", "stage"))]
    rows.append(
        (
            "– the same inside the network",
            sum(trainable(layer) for layer in encoder),
            published,
            "ResNet-18 of torchvision, last layer left out",
        )
    )
    return rows


def page():
    """The whole page as text."""
    header = "| network | what it does otherwise | parameters, 64 filters (UNet3D: 32) | 8 filters | output of 128² (UNet3D: 32×128²) |"
    lines = [header, "|---|---|--:|--:|---|"]
    for call, idea, large, small, output, reference in sizes():
        lines.append(f"| `{call}` {{cite:p}}`{reference}` | {idea} | {large:,} | {small:,} | {output} |")
    checks = ["| compared | ours | theirs | source |", "|---|--:|--:|---|"]
    for what, ours, theirs, source in agreements():
        checks.append(f"| {what} | {_text(ours)} | {_text(theirs)} | {source} |")
    return TEXT.format(sizes="\n".join(lines), agreements="\n".join(checks))


def _text(value):
    if isinstance(value, tuple):
        return "×".join(str(side) for side in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


TEXT = """# The networks

<!-- made by tools/model_table.py from the networks themselves; a test holds the page in step -->

All are called in the same way, start from random weights, take any number of channels and classes, and give probabilities; a saved file loads without naming custom objects.

```python
from unet_helpers import AttentionUNet, DeepLabV3Plus, FCN, SegNet, UNet, UNet3D

model = AttentionUNet(input_shape=(128, 128, 1), num_classes=3, base_filters=16)
```

Parameters are those that training changes, for two classes and one channel.

{sizes}

Every network has batch normalization where its paper has none, because here it starts from random weights; `batch_norm=False` leaves it out. `UNet(padding="valid")` and `UNet3D(padding="valid")` are the unpadded networks of the papers.

Where a shortcut of `DeepLabV3Plus` halves the map, a pooling layer takes every second pixel and a 1×1 convolution follows: the weights and the values of one convolution with stride 2. With few channels that one layer makes oneDNN, the library that TensorFlow computes with on processors, crash as soon as a batch is larger than the one before.

## What they agree with

Numbers that others published or other implementations give; the tests fail where a pair differs.

{agreements}

The gates of `AttentionUNet` and the pyramid of `DeepLabV3Plus` are counted in the tests against their formulas.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(sizes())} networks, {len(agreements())} comparisons")

"""Self-checks of notebook 03, the U-Net's architecture."""

import math

import keras

from ._numbers import compare
from ._verdict import NotYet, Raised, Wrong, call, exercise


def _wrong_convolutions(size, before, after):
    square = size * size
    return {
        "The biases are missing: one for each channel that comes out.": square * before * after,
        "There is one bias for each channel that comes out, not one in all.": square * before * after + 1,
        "The biases belong to the channels that come out, not to those that go in.": square * before * after + before,
        "A filter adds its bias once, not once for each incoming channel.": (square + 1) * before * after,
        "Each filter looks at all incoming channels: multiply by channels_in.": square * after + after,
        "Each outgoing channel looks at each incoming one: multiply them.": square * (before + after) + after,
        "A filter is a square: size × size weights for each incoming channel.": [
            side * before * after + after for side in (size, 2 * size)
        ],
        "You counted one filter; there is one for each channel that comes out.": [
            square * before + biases for biases in (after, 1)
        ],
    }


@exercise
def parameters_of_conv(function):
    """A function of (size, channels_in, channels_out) that counts weights and biases of a convolution."""
    layers = [(5, 3, 8), (3, 1, 64), (3, 64, 128), (1, 64, 2), (2, 5, 7), (7, 2, 1)]  # size, channels in and out
    compare(
        function,
        lambda size, before, after: size * size * before * after + after,
        {f"for a {k}×{k} convolution from {i} to {o} channels": (k, i, o) for k, i, o in layers},
        _wrong_convolutions,
        "Each outgoing channel has size × size × channels_in weights and one bias.",
    )
    return "The size of the image does not occur in it."


@exercise
def repaired_unet(function):
    """A function that builds the small U-Net whose maps did not fit."""
    try:
        model = call(function)
    except Raised as error:
        if "A `Concatenate` layer requires" not in str(error.__cause__):
            raise
        shapes = str(error.__cause__).split("input_shape=")[-1].strip()
        raise NotYet(f"the maps to be joined still differ in size: {shapes}") from None
    if not isinstance(model, keras.Model):
        raise Wrong(f"the function returns a {type(model).__name__}, not a keras.Model.")
    output = model.outputs[0]
    height, width, maps = output.shape[1:]
    if (height, width) != (64, 64):
        raise Wrong(f"the output is {height}×{width} but the image is 64×64: every pooling needs its up-sampling.")
    last, _ = _made(output)
    if maps != 2 or "softmax" not in (type(last).__name__.lower(), getattr(last, "activation", print).__name__):
        raise Wrong("the last layer was right: keep its two maps and their softmax.")
    steps = _steps(output)
    halved = [(before[0], after) for _, before, after in steps if before and 2 * after.shape[1] == before[0].shape[1]]
    levels = {level.shape[1]: level for level, _ in halved}
    if not {64, 32} <= set(levels):
        part = "only one pooling has" if levels else "no pooling has"
        raise Wrong(f"the sizes fit now, but {part} a part in the output; keep both, and repair the way up.")
    bottom = [pooled for level, pooled in halved if level is levels[32]]
    lower = _join(steps, levels[32], "the bottleneck", bottom)
    upper = _join(steps, levels[64], "the joined level", [lower])
    for end, begin, map_ in (
        (lower, bottom, "the map of the bottleneck"),
        (upper, [lower], "what was joined at 32×32"),
        (output, [upper], "what was joined at 64×64"),
    ):
        if not any(_mixes(operation) for operation, *_ in _steps(end, until=(*begin, *levels.values()))):
            raise Wrong(f"no block mixes {map_}: a conv_block is missing.")
    return "2 poolings, 2 skip connections."


def _join(steps, level, below, sources):
    """The map in which the map of a level stands beside an enlarged one that comes from below."""
    side = level.shape[1]
    here = f"the level of {side}×{side} "
    several = [step for step in steps if len(step[1]) > 1 and step[2].shape[1] == side]
    joins = [step for step in several if any(one is level for one in step[1])]
    if not several:
        raise Wrong(f"the sizes fit now, but {here}hands nothing over: join its map on the way up too.")
    if not joins:
        raise Wrong(f"{here}joins something else than its own map, the one that goes into the pooling.")
    operation, before, joined = joins[0]
    if type(operation).__name__ != "Concatenate":
        raise Wrong(f"{here}merges the maps by {type(operation).__name__}; put them beside each other, concatenated.")
    others = [one for one in before if one is not level]
    if len(others) != 1 or not any(after is one for *_, after in _steps(others[0]) for one in sources):
        raise Wrong(
            f"{here}hands its map over, but beside it belongs the map of {below} below, enlarged, and no other."
        )
    if any("Pad" in type(one).__name__ for one, *_ in _steps(others[0], until=sources)):
        raise Wrong(f"{here}gets a map with a rim of zeros; up-sampling enlarges what is in the map.")
    return joined


def _mixes(operation):
    return isinstance(operation, (keras.layers.Conv2D, keras.layers.SeparableConv2D)) and max(operation.kernel_size) > 1


def _made(tensor):
    """What made a tensor of a Keras model, and from which tensors."""
    operation, node, _ = tensor._keras_history
    return operation, operation._inbound_nodes[node].input_tensors


def _steps(tensor, until=(), seen=None):
    """All steps that lead to a tensor, back to those in ``until``: operation, tensors before, tensor after."""
    seen = {} if seen is None else seen
    if id(tensor) not in seen and not any(tensor is end for end in until):
        operation, before = _made(tensor)
        seen[id(tensor)] = operation, before, tensor
        for one in before:
            _steps(one, until, seen)
    return list(seen.values())


def _wrong_sizes(size, depth):
    factor = 2**depth
    return {
        "You rounded down: that crops the image. Round up.": size - size % factor,
        "You rounded to the nearest; never go below the size.": round(size / factor) * factor,
        "A size that is a multiple already needs no padding.": size + factor - size % factor,
        "Each pooling halves, so the factor is 2 to the power of depth, not 2 times depth.": size + -size % (2 * depth),
        "Each pooling halves, so the factor is 2 to the power of depth, not the square of depth.": (
            size + -size % depth**2
        ),
        "You rounded to 16, which is right for depth 4 only.": size + -size % 16,
        "That is the number of pixels to add; give the new size.": -size % factor,
        "That is the size at the bottom; give the size at the top.": -(-size // factor),
        "It need not be a power of 2; a multiple of 2 to the power of depth is enough.": (
            2 ** math.ceil(math.log2(size))
        ),
        "It is the size itself, which cannot be halved so often.": size,
    }


@exercise
def padded_size(function):
    """A function of (size, depth): the smallest size, not below, that can be halved depth times."""
    sizes = [(340, 4), (500, 4), (128, 4), (340, 2), (33, 5), (7, 3), (97, 1), (1031, 6), (3, 4), (129, 7), (4097, 2)]
    compare(
        function,
        lambda size, depth: size + -size % 2**depth,
        {f"for size {size} and depth {depth}": (size, depth) for size, depth in sizes},
        _wrong_sizes,
        "Look for the smallest multiple of 2 to the power of depth that is not below the size.",
    )
    return "340×500 becomes 352×512 for a U-Net of depth 4."


def _field(kernels):
    return 1 + sum(size - 1 for size in kernels)


def _wrong_fields(kernels):
    return {
        "The windows overlap: a second 3×3 adds one pixel on each side, not three in all.": sum(kernels),
        "The field grows by addition; it multiplies only when a stride or a pooling lies between.": math.prod(kernels),
        "Count the pixel itself too: without any convolution the field is 1.": _field(kernels) - 1,
        "That is the number of pixels in the field; give its side.": _field(kernels) ** 2,
        "An even kernel has no middle: 2×2 adds one pixel.": 1 + 2 * sum(size // 2 for size in kernels),
        "That is right for kernels of 3×3 only.": 1 + 2 * len(kernels),
        "Each convolution adds to the field, not only the largest.": max(kernels),
        "The kernels differ; not only the first counts.": 1 + len(kernels) * (kernels[0] - 1),
        "The kernels differ; not only the last counts.": 1 + len(kernels) * (kernels[-1] - 1),
        "Two convolutions of one size count twice.": _field(set(kernels)),
    }


@exercise
def receptive_field(function):
    """A function of a list of kernel sizes: the side of the receptive field of these convolutions in a row."""
    rows = ([3], [5], [3, 3], [3, 3, 3], [7, 1, 3], [2], [4, 3, 2], [3, 5, 5, 9], [1], [3] * 7)
    compare(
        function,
        _field,
        {f"for {kernels}": (kernels,) for kernels in rows},
        _wrong_fields,
        "Start from 1 and add size − 1 for each convolution.",
    )
    return "Two 3×3 convolutions see as far as one 5×5, with 18 weights in place of 25 per pair of channels."

"""Notebook 03."""

import functools
import math

import keras
import numpy as np
from keras import layers

from mutants import Exercise
from unet_helpers.teaching.checks import unet_architecture as check


def with_keras(size, channels_in, channels_out):
    layer = layers.Conv2D(channels_out, size)
    layer.build((None, None, None, channels_in))
    return layer.count_params()


def block(x, filters=4):
    return layers.Conv2D(filters, 3, padding="same", activation="relu")(x)


def up(x, filters=4, stride=2):
    return layers.Conv2DTranspose(filters, 2, strides=stride, padding="same")(x)


def side_by_side(*maps):
    return layers.Concatenate()(list(maps))


def unet(
    lower=lambda high, middle, low, x: side_by_side(middle, x),
    upper=lambda high, middle, low, x: side_by_side(high, x),
    enlarge=up,
    bottom=block,
    between=block,
    after=block,
    pool=lambda x: layers.MaxPooling2D(2)(x),
    last=lambda x: layers.Conv2D(2, 1, activation="softmax")(x),
):
    """A program that builds the small U-Net; a mutant replaces one of its steps."""

    def build():
        inputs = keras.Input((64, 64, 1))
        high = block(inputs)
        middle = block(pool(high))
        low = bottom(pool(middle))
        x = between(lower(high, middle, low, enlarge(low)))
        x = after(upper(high, middle, low, enlarge(x)))
        return keras.Model(inputs, last(x))

    return build


def starter():
    inputs = keras.Input((64, 64, 1))
    high = block(inputs, 8)
    middle = block(layers.MaxPooling2D(2)(high), 16)
    low = block(layers.MaxPooling2D(2)(middle), 32)
    x = block(side_by_side(high, up(low, 8)), 8)
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


def enlarged_at_once():
    inputs = keras.Input((64, 64, 1))
    high = block(inputs)
    low = block(layers.MaxPooling2D(2)(block(layers.MaxPooling2D(2)(high))))
    x = block(side_by_side(high, up(low, stride=4)))
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


def one_pooling():
    inputs = keras.Input((64, 64, 1))
    high = block(inputs)
    middle = block(layers.MaxPooling2D(2)(high))
    x = block(side_by_side(middle, up(block(middle), stride=1)))
    x = block(side_by_side(high, up(x)))
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


def one_step_up():
    inputs = keras.Input((64, 64, 1))
    middle = block(layers.MaxPooling2D(2)(block(inputs)))
    x = block(side_by_side(middle, up(block(layers.MaxPooling2D(2)(middle)))))
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


def shared_layers():
    pool = layers.MaxPooling2D(2)
    return unet(pool=pool)()


def two_blocks(x):
    return block(block(x))


def identity(*maps):
    return maps[-1]


def rounded_up(size, depth):
    return math.ceil(size / 2**depth) * 2**depth


def search(size, depth):
    while size % 2**depth:
        size += 1
    return size


def field(kernels):
    return 1 + sum(kernel - 1 for kernel in kernels)


def field_loop(kernels):
    side = kernels[0]
    for kernel in kernels[1:]:
        side += kernel - 1
    return side


def popped(kernels):
    side = 1
    while kernels:
        side += kernels.pop() - 1
    return side


EXERCISES = [
    Exercise(
        "03.1",
        check.parameters_of_conv,
        right={
            "weights and biases": lambda k, i, o: k * k * i * o + o,
            "filters": lambda k, i, o: (k**2 * i + 1) * o,
            "Keras": with_keras,
            "a NumPy number": lambda k, i, o: np.prod([k, k, i, o]) + o,
            "a float": lambda k, i, o: float(k**2 * i * o + o),
        },
        wrong={
            "no biases": (lambda k, i, o: k * k * i * o, "biases are missing"),
            "one bias": (lambda k, i, o: k * k * i * o + 1, "one bias for each channel"),
            "biases of what goes in": (lambda k, i, o: k * k * i * o + i, "not to those that go in"),
            "biases of both": (lambda k, i, o: k * k * i * o + o + i, "and one bias"),
            "a bias for each pair of channels": (lambda k, i, o: (k * k + 1) * i * o, "adds its bias once"),
            "no incoming channels": (lambda k, i, o: k * k * o + o, "all incoming channels"),
            "channels added": (lambda k, i, o: k * k * (i + o) + o, "looks at each incoming one"),
            "a kernel of one row": (lambda k, i, o: k * i * o + o, "a square"),
            "twice the side": (lambda k, i, o: 2 * k * i * o + o, "a square"),
            "always 3×3": (lambda k, i, o: 9 * i * o + o, "size × size"),
            "a cube": (lambda k, i, o: k**3 * i * o + o, "size × size"),
            "one filter": (lambda k, i, o: k * k * i + o, "one filter"),
            "one filter and its bias": (lambda k, i, o: k * k * i + 1, "one filter"),
            "in and out exchanged": (lambda k, i, o: (k * k * o + 1) * i, "not to those that go in"),
            "only the biases": (lambda k, i, o: o, "size × size × channels_in weights"),
            "0": (lambda k, i, o: 0, "size × size × channels_in weights"),
            "both apart": (lambda k, i, o: (k * k * i * o, o), "one number was expected"),
            "text": (lambda k, i, o: str(k * k * i * o + o), "a number was expected"),
            "an error": (lambda k, i, o: 1 / 0, "raised ZeroDivisionError"),
        },
    ),
    Exercise(
        "03.2",
        check.repaired_unet,
        right={
            "as on the way down": unet(),
            "the enlarged map first": unet(lower=lambda high, middle, low, x: side_by_side(x, middle)),
            "an operation in place of a layer": unet(
                lower=lambda high, middle, low, x: keras.ops.concatenate([middle, x], axis=-1),
                upper=lambda high, middle, low, x: layers.concatenate([high, x]),
            ),
            "a second bottleneck": unet(
                lower=lambda high, middle, low, x: side_by_side(middle, up(block(layers.MaxPooling2D(2)(middle))))
            ),
            "up-sampling without weights": unet(enlarge=lambda x: layers.UpSampling2D()(x)),
            "two blocks": unet(between=two_blocks, after=two_blocks),
            "one pooling layer used twice": shared_layers,
            "softmax as a layer": unet(last=lambda x: layers.Softmax()(layers.Conv2D(2, 1)(x))),
        },
        wrong={
            "the starter": (
                starter,
                "the maps to be joined still differ in size: [(None, 64, 64, 8), (None, 32, 32, 8)]",
            ),
            "the bottleneck enlarged by four": (enlarged_at_once, "32×32 hands nothing over"),
            "one pooling": (one_pooling, "only one pooling has a part"),
            "one step up": (one_step_up, "the output is 32×32"),
            "nothing joined": (unet(lower=identity, upper=identity), "32×32 hands nothing over"),
            "32×32 not joined": (unet(lower=identity), "32×32 hands nothing over"),
            "64×64 not joined": (unet(upper=identity), "64×64 hands nothing over"),
            "the enlarged map twice": (unet(lower=lambda high, middle, low, x: side_by_side(x, x)), "32×32 joins"),
            "the enlarged map twice, above": (
                unet(upper=lambda high, middle, low, x: side_by_side(x, x)),
                "64×64 joins something else",
            ),
            "the level's map twice": (
                unet(lower=lambda high, middle, low, x: side_by_side(middle, middle)),
                "only one pooling has a part",
            ),
            "the upper level's map twice": (
                unet(upper=lambda high, middle, low, x: side_by_side(high, high)),
                "no pooling has a part",
            ),
            "the upper level's map pooled": (
                unet(lower=lambda high, middle, low, x: side_by_side(layers.MaxPooling2D(2)(high), x)),
                "32×32 joins something else",
            ),
            "a corner of the upper level's map": (
                unet(lower=lambda high, middle, low, x: side_by_side(high[:, :32, :32], x)),
                "32×32 joins something else",
            ),
            "the lower level's map enlarged": (
                unet(upper=lambda high, middle, low, x: side_by_side(up(middle), x)),
                "64×64 joins something else",
            ),
            "the bottleneck enlarged twice": (
                unet(lower=lambda high, middle, low, x: side_by_side(up(low), x)),
                "32×32 joins something else",
            ),
            "the bottleneck beside the level": (
                unet(upper=lambda high, middle, low, x: side_by_side(high, up(low, stride=4))),
                "32×32",
            ),
            "the input": (
                unet(upper=lambda high, middle, low, x: side_by_side(high._keras_history.operation.input, x)),
                "64×64 joins something else",
            ),
            "the bottleneck as well": (
                unet(upper=lambda high, middle, low, x: side_by_side(high, x, up(low, stride=4))),
                "and no other",
            ),
            "a rim of zeros": (
                unet(lower=lambda high, middle, low, x: side_by_side(middle, layers.ZeroPadding2D(8)(low))),
                "a rim of zeros",
            ),
            "maps added": (
                unet(lower=lambda high, middle, low, x: layers.Add()([middle, x])),
                "merges the maps by Add",
            ),
            "no block between": (unet(between=identity), "no block mixes what was joined at 32×32"),
            "no block at the end": (unet(after=identity), "no block mixes what was joined at 64×64"),
            "no blocks on the way up": (unet(between=identity, after=identity), "no block"),
            "no block at the bottom": (unet(bottom=identity), "no block mixes the map of the bottleneck"),
            "1×1 in place of a block": (
                unet(between=lambda x: layers.Conv2D(4, 1)(x)),
                "no block mixes what was joined at 32×32",
            ),
            "no softmax": (unet(last=lambda x: layers.Conv2D(2, 1)(x)), "two maps and their softmax"),
            "a sigmoid": (
                unet(last=lambda x: layers.Conv2D(2, 1, activation="sigmoid")(x)),
                "two maps and their softmax",
            ),
            "one map": (
                unet(last=lambda x: layers.Conv2D(1, 1, activation="softmax")(x)),
                "two maps and their softmax",
            ),
            "no model": (lambda: "a model", "not a keras.Model"),
            "an error of another kind": (lambda: layers.MaxPooling2D(2)(7), "your code raised"),
        },
    ),
    Exercise(
        "03.3",
        check.padded_size,
        right={
            "rounded up": rounded_up,
            "with integers": lambda size, depth: -(-size // 2**depth) * 2**depth,
            "one more by one": search,
            "the rest added": lambda size, depth: size + (2**depth - size % 2**depth) % 2**depth,
            "a NumPy number": lambda size, depth: np.ceil(size / 2**depth) * 2**depth,
        },
        wrong={
            "nearly rounded up": (
                lambda size, depth: round(size / 2**depth + 0.49) * 2**depth,
                "for size 129 and depth 7",
            ),
            "in 16 bits": (lambda size, depth: int(np.ceil(np.float16(size) / 2**depth)) * 2**depth, "for size 4097"),
            "rounded down": (lambda size, depth: size // 2**depth * 2**depth, "rounded down"),
            "rounded to the nearest": (lambda size, depth: round(size / 2**depth) * 2**depth, "never go below"),
            "always one more": (lambda size, depth: (size // 2**depth + 1) * 2**depth, "needs no padding"),
            "twice the depth": (lambda size, depth: size + -size % (2 * depth), "not 2 times depth"),
            "the square of the depth": (lambda size, depth: size + -size % depth**2, "not the square"),
            "always 16": (lambda size, depth: size + -size % 16, "depth 4 only"),
            "one halving less": (lambda size, depth: rounded_up(size, depth - 1), "smallest multiple"),
            "one halving more": (lambda size, depth: rounded_up(size, depth + 1), "smallest multiple"),
            "the next even number": (lambda size, depth: size + size % 2, "smallest multiple"),
            "the next power of two": (lambda size, depth: 2 ** math.ceil(math.log2(size)), "need not be a power of 2"),
            "at least 16": (lambda size, depth: max(16, rounded_up(size, depth)), "rounded to 16"),
            "the rest": (lambda size, depth: -size % 2**depth, "give the new size"),
            "the size at the bottom": (lambda size, depth: math.ceil(size / 2**depth), "size at the bottom"),
            "the size itself": (lambda size, depth: size, "cannot be halved so often"),
            "a fraction": (lambda size, depth: size / 2**depth * 2**depth, "cannot be halved so often"),
            "the size of the example": (lambda size, depth: 352 if size == 340 else 512, "smallest multiple"),
            "text": (lambda size, depth: str(rounded_up(size, depth)), "a number was expected"),
            "size and padding": (lambda size, depth: (size, -size % 2**depth), "one number was expected"),
        },
    ),
    Exercise(
        "03.4",
        check.receptive_field,
        right={
            "1 and what each adds": field,
            "starting from the first": field_loop,
            "sum and number": lambda kernels: sum(kernels) - len(kernels) + 1,
            "NumPy": lambda kernels: 1 + (np.array(kernels) - 1).sum(),
            "reduced": lambda kernels: functools.reduce(lambda one, other: one + other - 1, kernels),
        },
        wrong={
            "the sum": (sum, "windows overlap"),
            "the product": (math.prod, "grows by addition"),
            "without the pixel itself": (lambda kernels: sum(k - 1 for k in kernels), "Count the pixel itself"),
            "the area": (lambda kernels: field(kernels) ** 2, "give its side"),
            "halves on both sides": (lambda kernels: 1 + 2 * sum(k // 2 for k in kernels), "even kernel"),
            "for odd kernels only": (
                lambda kernels: 1 + sum(2 * ((k - 1) // 2) for k in kernels),
                "Start from 1",
            ),
            "for 3×3 only": (lambda kernels: 2 * len(kernels) + 1, "3×3 only"),
            "the largest": (max, "not only the largest"),
            "the first for all": (lambda kernels: 1 + len(kernels) * (kernels[0] - 1), "not only the first"),
            "the last for all": (lambda kernels: 1 + len(kernels) * (kernels[-1] - 1), "not only the last"),
            "the median for all": (lambda kernels: 1 + len(kernels) * (np.median(kernels) - 1), "Start from 1"),
            "each size once": (lambda kernels: field(set(kernels)), "count twice"),
            "the first skipped": (lambda kernels: field(kernels[1:]), "Start from 1"),
            "the last skipped": (lambda kernels: field(kernels[:-1]), "Start from 1"),
            "the first two": (lambda kernels: field(kernels[:2]), "Start from 1"),
            "one too many": (lambda kernels: field(kernels) + 1, "Start from 1"),
            "the sum less one": (lambda kernels: sum(kernels) - 1, "Start from 1"),
            "a range": (lambda kernels: (1, field(kernels)), "one number was expected"),
            "text": (lambda kernels: str(field(kernels)), "a number was expected"),
            "takes them out": (popped, "changes what it is given"),
            "no more than four": (lambda kernels: field(kernels[:4]), "Start from 1"),
            "a constant": (lambda kernels: 5, "Start from 1"),
        },
    ),
]

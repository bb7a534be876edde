"""Self-checks of notebook 08, the comparison of architectures."""

import math

import numpy as np

from ._numbers import compare
from ._verdict import Wrong, call, exercise, match_answers


def _wrong_products(height, width, kernel, inside, out):
    weights, places = kernel * kernel * inside * out, height * width
    padded = (height - kernel + 1) * (width - kernel + 1)
    return {
        "These are the weights; each is used once at every place of the output.": weights,
        "One output number looks at all channels that come in.": places * kernel**2 * out,
        "That is one output channel; there are several.": places * kernel**2 * inside,
        "A kernel has two sides: kernel × kernel places.": places * kernel * inside * out,
        "Not each kernel is 3×3; use kernel.": places * 9 * inside * out,
        "You counted additions as well: those are FLOPs, twice the multiplications.": 2 * places * weights,
        "A bias is added, not multiplied.": places * (kernel**2 * inside + 1) * out,
        "A bias is added, and it is one for each output channel.": places * weights + out,
        "The picture has height × width places.": height * weights,
        "The picture is not always square: height × width places.": [height**2 * weights, width**2 * weights],
        "The convolution is padded: its output is as large as its input.": padded * weights,
        "Each output channel looks at each channel that comes in: × and not +.": places * kernel**2 * (inside + out),
    }


@exercise
def multiplications(function):
    """A function of (height, width, kernel, channels_in, channels_out), of a padded convolution with stride 1."""
    layers = ((128, 96, 3, 8, 16), (64, 128, 5, 3, 4), (16, 24, 1, 7, 2), (9, 7, 4, 2, 5), (513, 641, 3, 255, 511))
    compare(
        function,
        lambda height, width, kernel, inside, out: height * width * kernel**2 * inside * out,
        {f"for {h}×{w}, kernel {k}, {i} channels to {o}": (h, w, k, i, o) for h, w, k, i, o in layers},
        _wrong_products,
        "Count: places of the output × kernel × kernel × channels in × channels out.",
    )
    return "Half the side, a quarter of the work; twice the channels, four times the work."


def _wrong_widths(width, parameters, target):
    factor = (target / parameters) ** 0.5
    return {
        "There is no part of a channel: round.": width * factor,
        "int() and // cut off; take the nearest whole number.": int(width * factor),
        "Rounded up it is too large; take the nearest whole number.": math.ceil(width * factor),
        "A convolution from c to c channels has 9·c² weights: half the width is a quarter of them.": [
            round(width * factor**2),
            int(width * factor**2),
        ],
        "More parameters need more channels, not fewer.": round(width / factor),
        "That is a factor; multiply the width by it.": round(factor),
        "The width that the network has counts too: it belongs to its number of parameters.": round(8 * factor),
    }


@exercise
def width_for(function):
    """A function of (width, parameters, target) that gives the whole width with about ``target`` parameters."""
    million = 1_000_000
    networks = (
        (64, 31 * million, 7 * million),  # 30.4
        (8, 2 * million, million // 2),
        (8, 260_000, 486_000),  # 10.9
        (12, 900_000, 640_000),  # 10.1
        (24, 3 * million, 2_150_000),  # 20.3
        (16, million, million),
        (7, 150_000, 1_700_000),  # 23.6
    )
    compare(
        function,
        lambda width, parameters, target: round(width * (target / parameters) ** 0.5),
        {
            f"width {width} has {parameters:,} parameters; for {target:,}": (width, parameters, target)
            for width, parameters, target in networks
        },
        _wrong_widths,
        "Parameters go with the square of the width.",
    )
    for network in networks:
        if not isinstance(call(function, *network), (int, np.integer)):
            raise Wrong(
                "the number is right, but it is a float, and no network takes one; round(…) of Python gives an int."
            )
    return "For 500,000 from 2,000,000 parameters: half the width."


@exercise
def gain_per_patient(function):
    """A function of two arrays (seeds, patients) of Dice that gives the difference of each patient, seeds averaged."""
    rng = np.random.default_rng(3)
    hard = rng.uniform(0.2, 0.8, 5)
    runs = np.array([[0.9, 0.5, 0.2, 0.6], [0.72, 0.7, 0.4, 0.41]])
    others = np.array([[0.65, 0.53, 0.1, 0.3], [0.8, 0.5, 0.13, 0.3], [0.7, 0.52, 0.1, 0.93]])
    cases = {
        "for two seeds and three": (runs, others),
        "for four seeds and one": (hard + rng.normal(0, 0.1, (4, 5)), hard[None]),
        "for three seeds and five": (hard + rng.normal(0, 0.1, (3, 5)), hard + rng.normal(0.1, 0.1, (5, 5))),
    }
    try:
        compare(
            function,
            lambda runs, others: runs.mean(axis=0) - others.mean(axis=0),
            cases,
            _wrong_gains,
            "Average each network over its seeds, then subtract.",
            several="axis 0 are the seeds, axis 1 the patients: average axis 0, and one difference for each is left",
        )
    except Wrong as wrong:
        if "broadcast" not in str(wrong.__cause__):
            raise
        raise Wrong(
            "it subtracts seed from seed, which fails for 2 and 3 seeds, and means nothing for 3 and 3: "
            "seed 0 of one network has nothing in common with seed 0 of the other. Average over the seeds first."
        ) from None
    return "What a patient is worth to both networks drops out; what is left is the difference."


def _wrong_gains(runs, others):
    right = runs.mean(axis=0) - others.mean(axis=0)
    in_turn = [one - two for one, two in zip(runs, others, strict=False)]
    return {
        "The sign is turned: a positive number should say that the first network is better.": -right,
        "A negative difference stays negative: there the first network is worse.": np.abs(right),
        "Take the mean of the seeds, not their median.": np.median(runs, axis=0) - np.median(others, axis=0),
        "Take all seeds, not only the first.": runs[0] - others[0],
        "Take all seeds, not only the last.": runs[-1] - others[-1],
        "Take all seeds, also where one network has more of them.": [
            np.mean(in_turn, axis=0),
            runs[:2].mean(axis=0) - others[:2].mean(axis=0),
        ],
        "Take the mean of the seeds, not the best.": runs.max(axis=0) - others.max(axis=0),
        "The patients keep their order.": np.sort(right),
    }


REPORTS = {
    "A": (
        "We trained our network for 200 epochs with a tuned learning rate. U-Net was trained with the settings of its "
        "paper for 50 epochs. Ours: Dice 0.84 (interval of the difference over 60 patients 0.01 to 0.05, 5 seeds)."
    ),
    "B": (
        "Both networks had the same 100 epochs and the same search for a learning rate. On 6 test patients and one "
        "seed, ours reaches a Dice of 0.843 and U-Net 0.836. Ours is better."
    ),
    "C": (
        "Same epochs, same search, 60 patients, 5 seeds, interval of the difference 0.01 to 0.04. Of each network 30 "
        "variants were trained; we report the one with the highest Dice on these 60 patients, for both."
    ),
    "D": (
        "Same seconds of training, same search for a learning rate, on validation patients, for both. 60 test "
        "patients, 5 seeds, Dice 0.84 and 0.83, interval of the paired difference −0.01 to 0.03. "
        "We cannot tell them apart."
    ),
}


@exercise
def spot_the_flaw(answer):
    """A dict that names the flaw of each of REPORTS: budget, chance, chosen on test, fair."""
    right = {"A": "budget", "B": "chance", "C": "chosen on test", "D": "fair"}
    why = {
        "A": "one network was trained four times as long, and tuned; the interval is of the wrong comparison.",
        "B": "the training was equal, but six patients and one seed cannot tell 0.843 from 0.836.",
        "C": "ask what the 60 patients were used for, and whether another 60 would have picked the same variants.",
        "D": "budget, tuning, patients and seeds are in order, and so is the conclusion.",
    }
    match_answers(answer, right, why, todo=f"replace each ... by one of {', '.join(map(repr, right.values()))}.")
    return "The only fair one is the one without a winner."


def _halved(spacing, size, shortest=8, factor=2.0):
    long = size >= shortest
    return np.where(long & (spacing < factor * spacing[long].min(initial=np.inf)), 2, 1)


def _wrong_axes(spacing, size):
    long, right = size >= 8, _halved(spacing, size)
    return {
        "Look for the smallest spacing among the long axes only; a short one must not hold the others back.": np.where(
            long & (spacing < 2 * spacing.min()), 2, 1
        ),
        "Thick slices wait: compare the spacing of each axis with the smallest one.": np.where(long, 2, 1),
        "An axis of fewer than 8 voxels is not halved, whatever its spacing.": np.where(
            spacing < 2 * spacing[long].min(initial=np.inf), 2, 1
        ),
        "An axis of exactly 8 voxels is halved; four are left.": _halved(spacing, size, shortest=9),
        "Less than twice the smallest spacing: an axis of exactly twice waits.": _halved(spacing, size, factor=2.0001),
        "The shortest axis that is halved has 8 voxels.": [
            _halved(spacing, size, shortest=shortest) for shortest in (4, 5, 16)
        ],
        "The spacing has to be less than twice the smallest.": [
            _halved(spacing, size, factor=factor) for factor in (1.0001, 1.5, 3)
        ],
        "It is the other way around: 2 where the axis is halved, 1 where it stays.": 3 - right,
        "Fine pixels are halved first, and thick slices wait.": np.where(
            long & (spacing >= 2 * spacing[long].min(initial=np.inf)), 2, 1
        ),
        "Give strides: 2 where the axis is halved, 1 where it stays.": [right - 1, size // right],
    }


@exercise
def halved_axes(function):
    """A function of (spacing, size) that gives a 2 for each axis that is halved, and a 1 for the others."""
    stages = (
        ((5.0, 0.8, 0.9), (60, 512, 384)),
        ((1.0, 1.0, 3.0), (40, 30, 64)),
        ((1.0, 2.0), (64, 64)),
        ((0.5, 2.0, 3.0), (7, 64, 48)),
        ((1.0, 1.5), (8, 15)),
        ((1.2, 1.0, 1.1), (9, 7, 8)),
        ((2.0, 2.0, 2.0), (7, 5, 6)),
        ((3.0, 1.9, 1.0), (128, 128, 4)),
        ((1.0, 1.7), (32, 32)),
    )
    compare(
        function,
        _halved,
        {f"for spacing {mm} and size {voxels}": (np.array(mm), np.array(voxels)) for mm, voxels in stages},
        _wrong_axes,
        "An axis is halved if it is long enough, and no coarser than twice the finest of the long ones.",
        "give one number for each axis",
    )
    return "Applied again and again, this rule decides how deep an nnU-Net is."

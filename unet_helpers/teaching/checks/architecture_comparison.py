"""Self-checks of notebook 08, the comparison of architectures."""

import numpy as np

from ._verdict import Raised, Wrong, call, exercise, match_answers, number


@exercise
def multiplications(function):
    """A function of (height, width, kernel, channels_in, channels_out), of a padded convolution with stride 1."""
    for height, width, kernel, inside, out in ((128, 128, 3, 8, 16), (64, 32, 5, 3, 4), (16, 16, 1, 7, 2)):
        right = height * width * kernel**2 * inside * out
        given = number(call(function, height, width, kernel, inside, out))
        if given == right:
            continue
        shown = f"for {height}×{width}, kernel {kernel}, {inside} channels to {out} it gives {given}, not {right}. "
        if given == kernel**2 * inside * out:
            raise Wrong(shown + "These are the weights; each is used once at every place of the output.")
        if given == right // inside:
            raise Wrong(shown + "One output number looks at all channels that come in.")
        if given == right // out:
            raise Wrong(shown + "That is one output channel; there are several.")
        if given == right // kernel:
            raise Wrong(shown + "A kernel has two sides: kernel × kernel places.")
        if given == 2 * right:
            raise Wrong(shown + "You counted additions as well: those are FLOPs, twice the multiplications.")
        if given == right + height * width * out:
            raise Wrong(shown + "A bias is added, not multiplied.")
        if height * width > 1 and given == height * inside * out * kernel**2:
            raise Wrong(shown + "The picture has height × width places.")
        raise Wrong(shown + "Count: places of the output × kernel × kernel × channels in × channels out.")
    return "Half the side, a quarter of the work; twice the channels, four times the work."


@exercise
def width_for(function):
    """A function of (width, parameters, target) that gives the whole width with about ``target`` parameters."""
    for width, parameters, target in ((8, 2_000_000, 500_000), (8, 260_000, 486_000), (16, 1_000_000, 1_000_000)):
        right = round(width * (target / parameters) ** 0.5)
        given = number(call(function, width, parameters, target))
        if given == right:
            continue
        shown = f"width {width} has {parameters:,} parameters; for {target:,} it gives {given}, not {right}. "
        if abs(given - width * (target / parameters) ** 0.5) < 1e-9:
            raise Wrong(shown + "There is no part of a channel: round.")
        if round(given) == round(width * target / parameters):
            raise Wrong(
                shown + "A convolution from c to c channels has 9·c² weights: half the width is a quarter of them."
            )
        if round(given) == round(width * (parameters / target) ** 0.5):
            raise Wrong(shown + "More parameters need more channels, not fewer.")
        raise Wrong(shown + "Parameters go with the square of the width.")
    return "For 500,000 from 2,000,000 parameters: half the width."


@exercise
def gain_per_patient(function):
    """A function of two arrays (seeds, patients) of Dice that gives the difference of each patient, seeds averaged."""
    runs = np.array([[0.9, 0.5, 0.2, 0.6], [0.7, 0.7, 0.4, 0.4]])
    others = np.array([[0.6, 0.5, 0.1, 0.3], [0.8, 0.5, 0.1, 0.3], [0.7, 0.5, 0.1, 0.3]])
    right = runs.mean(axis=0) - others.mean(axis=0)
    try:
        given = call(function, runs, others)
    except Raised as error:
        if "broadcast" in str(error.__cause__):
            raise Wrong(
                "it subtracts seed from seed, which fails for 2 and 3 seeds, and means nothing for 3 and 3: "
                "seed 0 of one network has nothing in common with seed 0 of the other. Average over the seeds first."
            ) from error
        raise
    given = np.asarray(given, dtype=float)
    if given.shape == () or given.size == 1:
        raise Wrong("it gives one number; the patients must stay apart, one difference for each.")
    if given.shape != right.shape:
        raise Wrong(
            f"it gives shape {given.shape} for 4 patients. Axis 0 are the seeds, axis 1 the patients: average axis 0."
        )
    if np.allclose(given, -right):
        raise Wrong("the sign is turned: a positive number should say that the first network is better.")
    if not np.allclose(given, right):
        raise Wrong(f"for four patients it gives {given.round(3).tolist()}, not {right.round(3).tolist()}.")
    return "What a patient is worth to both networks drops out; what is left is the difference."


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
        "Same epochs, same search, 60 patients, 5 seeds, interval of the difference 0.01 to 0.04. Of 30 variants of "
        "our network we report the one with the highest Dice on these 60 patients."
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
        "C": "the best of thirty on these patients was chosen by these patients; it owes a part of its lead to luck.",
        "D": "budget, tuning, patients and seeds are in order, and so is the conclusion.",
    }
    match_answers(answer, right, why, todo=f"replace each ... by one of {', '.join(map(repr, right.values()))}.")
    return "The only fair one is the one without a winner."

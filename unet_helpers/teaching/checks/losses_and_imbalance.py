"""Self-checks of notebook 07, losses and imbalance, and the two suspicious losses that one of them asks about."""

import numpy as np

from ._numbers import compare
from ._verdict import NotYet, Wrong, exercise, number


def _soft_dice(y, p, above=1, below=1, twice=2):
    return 1 - (twice * (y * p).sum() + above) / (y.sum() + p.sum() + below)


def _batches():
    """Truth and probabilities by what they are: four pixels, batches of unequal pictures, and nothing at all."""
    rng = np.random.default_rng(7)
    truth = np.zeros((3, 4, 5, 1), np.uint8)
    truth[0, 1:3, 1:4] = truth[1, 2, 2] = 1  # the third picture is empty
    large = np.zeros((20, 30), np.uint8)
    large[2:18, 3:28] = 1
    empty = np.zeros((2, 4, 4, 1))
    return {
        "for truth 1 1 0 0 0 with probabilities 0.8 0.4 0.3 0 0.1": (
            np.array([1.0, 1, 0, 0, 0]),
            np.array([0.8, 0.4, 0.3, 0, 0.1]),
        ),
        "for truth 0 1 1 with probabilities 0.5 0.1 1": (np.array([0, 1, 1]), np.array([0.5, 0.1, 1.0])),
        "for a batch of three pictures, the last without a nodule,": (truth, rng.uniform(size=truth.shape)),
        "for a picture with 400 pixels of nodule": (large, rng.uniform(size=large.shape)),
        "for an empty picture that is left empty": (empty, empty),
        "for an empty picture with one false pixel": (empty, np.eye(1, empty.size, 5).reshape(empty.shape)),
        "for a picture that is all nodule, and found as such,": (empty + 1, empty + 1),
    }


def _wrong_losses(y, p):
    both, sizes = (y * p).sum(), y.sum() + p.sum()
    return {
        "This is the overlap, which should become large; a loss is 1 minus it.": 1 - _soft_dice(y, p),
        "The 1 is missing above and below the line; without it an empty mask is 0/0.": 1 - 2 * both / sizes,
        "The 1 stands below the line only: then an empty mask that is left empty costs 1.": _soft_dice(y, p, 0, 1),
        "The 1 stands above the line only.": 1 - (2 * both + 1) / sizes,
        "The overlap counts twice, because the sum below the line counts it twice.": _soft_dice(y, p, twice=1),
        "You cut the probabilities at 0.5; then a small change of a weight changes nothing.": [
            _soft_dice(y, p >= 0.5),
            _soft_dice(y, p > 0.5),
        ],
        "Sum over all pixels of the batch, not picture by picture.": [
            np.mean([_soft_dice(*pair) for pair in zip(*rows, strict=True)]) for rows in ((y, p), (y.T, p.T))
        ],
        "Sum over all pictures, not only the first.": _soft_dice(y[0], p[0]),
        "Sum y and p as they are, not their squares.": 1 - (2 * both + 1) / (y.sum() + (p**2).sum() + 1),
        "Sums are asked for, not means: beside a mean, a smoothing of 1 is as large as everything.": (
            1 - (2 * (y * p).mean() + 1) / (y.mean() + p.mean() + 1)
        ),
    }


@exercise
def soft_dice_loss(function):
    """A function of truth (0/1) and probabilities that gives 1 − (2·Σyp + 1) / (Σy + Σp + 1)."""
    formula = "Above the line stand 2·Σyp + 1, below it Σy + Σp + 1."
    compare(function, _soft_dice, _batches(), _wrong_losses, formula, several="sum over all pixels")
    return "Every product is a probability, so that every pixel has a gradient."


def _tversky(truth, found, false_positive, false_negative):
    y, p = (np.asarray(v, dtype=float).ravel() for v in (truth, found))
    both = (y * p).sum()
    wrong = false_positive * ((1 - y) * p).sum() + false_negative * (y * (1 - p)).sum()
    return float(1 - (both + 0.5) / (both + wrong + 0.5))


def suspect_a(truth, found):
    """Said to cost 0.2 for a false positive and 0.8 for a false negative. Used in 07."""
    return _tversky(truth, found, 0.8, 0.2)


def suspect_b(truth, found):
    """Said to cost 0.2 for a false positive and 0.8 for a false negative. Used in 07."""
    return _tversky(truth, found, 0.2, 0.8)


@exercise
def four_pixels(truth, found, wrong):
    """Four true and four found pixels on which the suspects differ, and the letter of the one that is wrong."""
    masks = []
    for name, mask in (("truth", truth), ("found", found)):
        if not isinstance(mask, (list, tuple, np.ndarray)):
            raise Wrong(f"{name} is a {type(mask).__name__}; write four pixels in order, as [1, 0, 1, 0].")
        mask = np.asarray(mask)
        if mask.size != 4:
            raise Wrong(f"{name} has {mask.size} pixel{'s' * (mask.size != 1)}; take four.")
        if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
            raise Wrong(f"{name} holds {np.unique(mask).tolist()}; use 0 and 1 only, so that you can count by hand.")
        masks.append(mask.ravel().astype(int))
    y, p = masks
    a, b = suspect_a(y, p), suspect_b(y, p)
    too_many, too_few = int(((1 - y) * p).sum()), int((y * (1 - p)).sum())
    if abs(a - b) < 1e-9:
        if too_many == too_few == 0:
            raise Wrong("without a wrong pixel both say 0; a test that cannot fail shows nothing.")
        raise Wrong(
            f"with as many false positives as false negatives ({too_many}) both say {a:.2f}: the weights may change "
            "places unseen. Make one kind of error only."
        )
    wrong = str(wrong).strip().upper()
    if wrong not in ("A", "B"):
        raise NotYet("the pixels tell the two apart; now name the wrong one, 'A' or 'B'.")
    if wrong == "B":
        kind, weight = ("false positive", 0.2) if too_many > too_few else ("false negative", 0.8)
        raise Wrong(
            f"your pixels give A {a:.2f} and B {b:.2f}. Most of your errors are of the kind {kind}, which should weigh "
            f"{weight}. Work the loss out by hand with that weight, and see who agrees."
        )
    return f"On your pixels A says {a:.2f} and B says {b:.2f}; A has the two weights exchanged."


@exercise
def tversky_weights(weights):
    """(alpha, beta) with sum 1 for which a missed pixel costs nine times a false one."""
    if not isinstance(weights, (list, tuple, np.ndarray)) or len(weights) != 2:
        raise Wrong("give two numbers in this order, (alpha, beta).")
    alpha, beta = map(number, weights)
    if not np.isfinite((alpha, beta)).all():
        raise Wrong(f"({alpha}, {beta}): a weight is a number from 0 to 1.")
    if min(alpha, beta) < 0:
        raise Wrong("a weight below 0 would reward errors.")
    if abs(alpha - 0.9) < 1e-6 and abs(beta - 0.1) < 1e-6:
        raise Wrong("these are exchanged: alpha weighs false positives. So trained, the network would find less.")
    if alpha == beta:
        raise Wrong("equal weights are the Dice loss: both errors cost the same.")
    if alpha > beta:
        raise Wrong("alpha weighs false positives; make beta, the weight of what is missed, the larger one.")
    if abs(beta - 9 * alpha) > 1e-6:
        raise Wrong(
            f"a missed pixel costs {beta / alpha:.4g} times a false one; nine times were asked for."
            if alpha
            else "with alpha = 0 false positives are free: the best answer would be 'nodule' everywhere."
        )
    if abs(alpha + beta - 1) > 1e-6:
        raise Wrong(f"the ratio is right, but the two sum to {alpha + beta:g}; make it 1, as in the Dice loss.")
    return "One pixel missed now costs as much as nine too many."


def _wrong_thresholds(w):
    return {
        "The background has a weight too, 1: with equal weights the threshold is one half.": 1 / w,
        "That is the other side: the larger the weight, the less evidence is enough.": w / (1 + w),
        "The probability of background shrinks as well: set w·q equal to 1 - q.": 0.5 / w,
        "The weighted network is cut at 0.5; the question is which plain q it stands for.": 0.5,
        "That holds for one weight only; write it with w.": 1 / 11,
        "A weight need not be a whole number.": 1 / (1 + int(w)),
    }


@exercise
def threshold_of_weight(function):
    """A function of the class weight that gives the plain probability from which the weighted network says nodule."""
    compare(
        function,
        lambda weight: 1 / (1 + weight),
        {f"for weight {weight}": (weight,) for weight in (10.0, 3.0, 2.5, 1.0, 0.4, 7, 150.75)},
        _wrong_thresholds,
        "Set w·q / (w·q + 1 - q) to one half, and solve for q.",
    )
    return "With weight 10, one chance in eleven is enough."

"""Self-checks of notebook 07, losses and imbalance, and the two suspicious losses that one of them asks about."""

import numpy as np

from ._verdict import NotYet, Wrong, call, exercise, number

TRUTH = np.array([1.0, 1.0, 0.0, 0.0])
HALF = np.array([0.8, 0.4, 0.2, 0.0])  # overlap 1.2, sum 1.4


@exercise
def soft_dice_loss(function):
    """A function of truth (0/1) and probabilities that gives 1 − (2·Σyp + 1) / (Σy + Σp + 1)."""
    right = 1 - (2 * 1.2 + 1) / (2 + 1.4 + 1)
    given = number(call(function, TRUTH.copy(), HALF.copy()), "sum over all pixels")
    if abs(given - right) > 1e-6:
        shown = f"truth 1 1 0 0 with probabilities 0.8 0.4 0.2 0 gives {given:.3f}, not {right:.3f}. "
        if abs(given - (1 - right)) < 1e-6:
            raise Wrong(shown + "This is the overlap, which should become large; a loss is 1 minus it.")
        if abs(given - (1 - 2 * 1.2 / 3.4)) < 1e-6:
            raise Wrong(shown + "The 1 is missing above and below the line; without it an empty mask is 0/0.")
        if abs(given - (1 - 2 * 1.2 / 4.4)) < 1e-6:
            raise Wrong(shown + "The 1 stands below the line only: then an empty mask that is left empty costs 1.")
        if abs(given - (1 - (1.2 + 1) / 4.4)) < 1e-6:
            raise Wrong(shown + "The overlap counts twice, because the sum below the line counts it twice.")
        hard = (HALF >= 0.5).astype(float)
        if abs(given - (1 - (2 * (TRUTH * hard).sum() + 1) / (TRUTH.sum() + hard.sum() + 1))) < 1e-6:
            raise Wrong(shown + "You cut the probabilities at 0.5; then a small change of a weight changes nothing.")
        raise Wrong(shown + "Above the line stand 2·Σyp + 1, below it Σy + Σp + 1.")
    picture = np.zeros((1, 4, 4, 1))
    empty = number(call(function, picture, picture.copy()))
    if abs(empty) > 1e-6:
        raise Wrong(f"an empty picture that is left empty gives {empty:.3f}; it is right, and should cost 0.")
    if abs(number(call(function, picture + 1, picture + 1))) > 1e-6:
        raise Wrong("a picture that is all nodule, and found as such, should cost 0.")
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
        mask = np.asarray(mask)
        if mask.size != 4:
            raise Wrong(f"{name} has {mask.size} pixels; take four.")
        if not np.isin(mask.astype(float), (0, 1)).all():
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
    """(alpha, beta) with sum 1 for which a missed pixel costs four times a false one."""
    try:
        alpha, beta = (number(weight) for weight in weights)
    except (TypeError, ValueError):
        raise Wrong("give two numbers, (alpha, beta).") from None
    if min(alpha, beta) < 0:
        raise Wrong("a weight below 0 would reward errors.")
    if abs(alpha - 0.8) < 1e-6 and abs(beta - 0.2) < 1e-6:
        raise Wrong("these are exchanged: alpha weighs false positives. So trained, the network would find less.")
    if alpha == beta:
        raise Wrong("equal weights are the Dice loss: both errors cost the same.")
    if alpha > beta:
        raise Wrong("alpha weighs false positives; make beta, the weight of what is missed, the larger one.")
    if abs(beta - 4 * alpha) > 1e-6:
        raise Wrong(
            f"a missed pixel costs {beta / alpha:.1f} times a false one; four times was asked for."
            if alpha
            else "with alpha = 0 false positives are free: the best answer would be 'nodule' everywhere."
        )
    if abs(alpha + beta - 1) > 1e-6:
        raise Wrong(f"the ratio is right, but the two sum to {alpha + beta:g}; make it 1, as in the Dice loss.")
    return "One pixel missed now costs as much as four too many."


@exercise
def threshold_of_weight(function):
    """A function of the class weight that gives the plain probability from which the weighted network says nodule."""
    for weight in (1.0, 10.0, 3.0):
        right = 1 / (1 + weight)
        given = number(call(function, weight))
        if abs(given - right) < 1e-6:
            continue
        shown = f"for weight {weight:g} it gives {given:.3f}, not {right:.3f}. "
        if abs(given - 1 / weight) < 1e-6:
            raise Wrong(shown + "The background has a weight too, 1: with equal weights the threshold is one half.")
        if abs(given - weight / (1 + weight)) < 1e-6:
            raise Wrong(shown + "That is the other side: the larger the weight, the less evidence is enough.")
        if abs(given - 0.5 / weight) < 1e-6:
            raise Wrong(shown + "The probability of background shrinks as well: set w·q equal to 1 - q.")
        if abs(given - 0.5) < 1e-6:
            raise Wrong(shown + "The weighted network is cut at 0.5; the question is which plain q it stands for.")
        raise Wrong(shown + "Set w·q / (w·q + 1 - q) to one half, and solve for q.")
    return "With weight 10, one chance in eleven is enough."

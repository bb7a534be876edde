"""Why a mask comes out black: questions from the display to the threshold."""

from dataclasses import dataclass

import numpy as np

FLAT = 0.02  #: an output that varies by less is the same for every pixel
MANY = 20  #: larger numbers are gray values, not classes
DARK = 0.1  #: of the white of a picture; what stays below it looks black


@dataclass(frozen=True)
class Finding:
    """One answer of the decision tree: what was tested, whether it is the cause, and the next step."""

    question: str
    suspicious: bool
    evidence: str
    remedy: str

    def __str__(self):
        mark = "✗" if self.suspicious else "✓"
        return f"{mark} {self.question} {self.evidence}" + (f"\n    → {self.remedy}" if self.suspicious else "")


def fault_of_values(masks, num_classes):
    """Why masks hold no class indices, ``"fractions"`` or ``"too large"``, else None; and their values in words."""
    found = np.unique(masks)
    shown = ", ".join(f"{value:g}" for value in found[:5]) + (", …" if len(found) > 5 else "")
    if not np.allclose(found, np.round(found)):  # NaN is no class either
        return "fractions", shown
    return ("too large" if found.max() >= num_classes else None), shown


def spread_of(probabilities):
    """By how much an output varies over the one picture where it varies most; not finite if it holds NaN."""
    return float(np.ptp(probabilities, axis=(1, 2)).max())  # not the deviation: a small object moves few pixels


def why_black(model, images, masks, displayed=None, vmax=None):
    """The decision tree for "my mask is all black": asked in order, the cheapest first. Used in 06b.

    Parameters
    ----------
    model : keras.Model
    images : ``(N, H, W, C)`` as given to the model
    masks : ``(N, H, W)`` as used for training
    displayed : array, optional
        What was handed to the picture viewer, if that is where black was seen.
    vmax : float, optional
        The value that the picture shows as white. Default: what a viewer or a file takes for white, 65,535 for uint16,
        255 for other integers, 1 for float and bool. Matplotlib without limits takes ``displayed.max()``.

    Returns
    -------
    list of Finding
        Print them one a line; those that are suspicious carry a remedy.
    """
    images, masks = np.asarray(images, dtype=np.float32), np.asarray(masks)
    findings = [
        _ask_display(displayed, vmax),
        _ask_mask_values(masks),
        _ask_empty_masks(masks),
        _ask_image_range(images),
    ]
    if findings[1].suspicious:
        return findings  # the questions below need class indices
    probabilities = np.asarray(model.predict(images, verbose=0))
    findings += [_ask_constant(probabilities), _ask_threshold(probabilities, masks)]
    return findings


def _ask_display(displayed, vmax):
    question = "Is it only the display?"
    if displayed is None:
        return Finding(question, False, "nothing handed over to look at", "")
    displayed = np.asarray(displayed)
    if vmax is None:
        vmax = 1 if displayed.dtype.kind in "fb" else 65535 if displayed.dtype == np.uint16 else 255
    top = float(np.max(displayed))
    evidence = f"values reach {top:g}, and white is {vmax:g}"
    remedy = "class indices 1, 2 look black beside 255: show them with vmax=num_classes - 1"
    return Finding(question, bool(0 < top < DARK * vmax), evidence, remedy)


def _ask_mask_values(masks):
    fault, shown = fault_of_values(masks, MANY + 1)
    question = "Are the mask values class indices?"
    return Finding(question, fault is not None, f"they are {shown}", "encode the masks to 0, 1, …")


def _ask_empty_masks(masks):
    share = float((np.asarray(masks) > 0).any(axis=(1, 2)).mean())
    remedy = "no mask has an object: the pairing, the folder or the threshold of the masks is wrong"
    return Finding("Do the masks hold an object?", share == 0, f"{share:.0%} of them do", remedy)


def _ask_image_range(images):
    low, high, spread = float(images.min()), float(images.max()), float(images.std())
    suspicious = not (low >= -10 and high <= 10 and spread >= 1e-3)  # written so that NaN is suspicious
    remedy = "scale to 0–1 exactly as in training; a constant image shows nothing"
    return Finding("Are the images in the range of training?", suspicious, f"{low:.2f} to {high:.2f}", remedy)


def _ask_constant(probabilities):
    question = "Does the output vary over the picture?"
    spread = spread_of(probabilities)
    if not np.isfinite(spread):
        remedy = "the weights or the images hold NaN: build the model anew and train with a tenth of the learning rate"
        return Finding(question, True, "it holds NaN", remedy)
    remedy = "the output is the same for every pixel: overfit one image first, then check loss and learning rate"
    return Finding(question, spread < FLAT, f"by {spread:.3f}", remedy)


def _ask_threshold(probabilities, masks):
    question = "Would a lower threshold show it?"
    foreground = probabilities[..., 0] if probabilities.shape[-1] == 1 else 1 - probabilities[..., 0]
    truth = masks > 0
    top = float(foreground.max())
    inside = float(foreground[truth].mean()) if truth.any() else float("nan")
    outside = float(foreground[~truth].mean()) if (~truth).any() else float("nan")
    suspicious = bool(top < 0.5 and inside > 2 * outside)
    evidence = f"highest probability {top:.2f}, mean {inside:.2f} on the object against {outside:.2f} beside it"
    return Finding(
        question, suspicious, evidence, "it ranks right but stays below 0.5: weigh the object or train longer"
    )

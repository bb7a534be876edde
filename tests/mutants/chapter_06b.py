"""Notebook 06b."""

import numpy as np

from mutants import Answers, Exercise
from unet_helpers.teaching.checks import black_masks as check


def best(share):
    return max(share, 1 - share)


WINDOW = (-600, 1500)


def problem(images, masks, num_classes):
    if not np.isin(masks, range(num_classes)).all():
        return "mask values"
    if not masks.any():
        return "empty masks"
    return "none" if (np.abs(images) <= 10).all() else "image range"


def problem_by_loop(images, masks, num_classes):
    for value in np.unique(masks):
        if value not in range(num_classes):
            return "mask values"
    if np.max(masks) == 0:
        return "empty masks"
    for image in images:
        if not (image.min() >= -10 and image.max() <= 10):
            return "image range"
    return "none"


def problem_by_list(images, masks, num_classes):
    masks = np.asarray(masks, float)
    bad_values = (masks != np.round(masks)) | (masks < 0) | (masks >= num_classes) | np.isnan(masks)
    bad_images = np.isnan(images) | (images < -10) | (images > 10)
    found = {"mask values": bad_values.any(), "empty masks": np.sum(masks) == 0, "image range": bad_images.any()}
    return next((name for name, bad in found.items() if bad), "none")


def asks(values=None, empty=None, images=None, order=(0, 1, 2)):
    """Another way to ask one of the three questions, or another order."""
    right = (
        lambda i, m, n: not np.isin(m, range(n)).all(),
        lambda i, m, n: not m.any(),
        lambda i, m, n: not (np.abs(i) <= 10).all(),
    )
    questions = [given or own for given, own in zip((values, empty, images), right, strict=True)]

    def function(i, m, n):
        return next((check.PROBLEMS[k] for k in order if questions[k](i, m, n)), "none")

    return function


def raises(images, masks, num_classes):
    if problem(images, masks, num_classes) != "none":
        raise ValueError("not so")
    return "none"


def problem_in_place(images, masks, num_classes):
    found = problem(images, masks, num_classes)
    np.clip(images, -10, 10, out=images)
    return found


EXERCISES = [
    Exercise(
        "06.4",
        check.cause_and_repair,
        right={
            "one of the two": Answers((4, [WINDOW])),
            "a tuple": Answers((4, (WINDOW,))),
            "lists of floats": Answers((4.0, [[-600.0, 1500.0]])),
            "an array": Answers((np.int64(4), np.array([WINDOW]))),
        },
        wrong={
            "nothing": (Answers((..., ...)), "Not yet"),
            "only the question": (Answers((4, ...)), "Not yet"),
            "only the steps": (Answers((..., [WINDOW])), "Not yet"),
            "the display": (Answers((1, [WINDOW])), "asks about the display"),
            "the values of the mask": (Answers((2, [WINDOW])), "mask values"),
            "counted from 0": (Answers((3, [WINDOW])), "from 1"),
            "a consequence": (Answers((5, [WINDOW])), "consequence"),
            "another consequence": (Answers((6, [WINDOW])), "consequence"),
            "no question": (Answers((0, [WINDOW])), "no number of a question"),
            "a seventh": (Answers((7, [WINDOW])), "no number of a question"),
            "a text": (Answers(("4", [WINDOW])), "a number was expected, not '4'"),
            "all suspicious ones": (Answers(([4, 5], [WINDOW])), "one number was expected"),
            "truth": (Answers((True, [WINDOW])), "a number was expected"),
            "no window": (Answers((4, [])), "gets HU"),
            "both windows": (Answers((4, [WINDOW] * 2)), "too many"),
            "three": (Answers((4, [WINDOW] * 3)), "too many"),
            "the window itself": (Answers((4, WINDOW)), "a list of windows"),
            "a set": (Answers((4, {WINDOW})), "a list of windows"),
            "how many": (Answers((4, 1)), "a list of windows"),
            "a text for the steps": (Answers((4, "[(-600, 1500)]")), "a list of windows"),
            "exchanged": (Answers((4, [(1500, -600)])), "the level comes first"),
            "another window": (Answers((4, [(50, 350)])), "trained with level -600"),
            "its ends": (Answers((4, [(-1350, 150)])), "trained with level -600"),
            "the sign": (Answers((4, [(600, 1500)])), "trained with level -600"),
            "texts": (Answers((4, [("-600", "1500")])), "a number was expected"),
        },
    ),
    Exercise(
        "06.5",
        check.best_constant,
        right={
            "the larger": best,
            "by distance from one half": lambda share: 0.5 + abs(share - 0.5),
            "an array": lambda share: np.max([share, 1 - share]),
            "a branch": lambda share: 1 - share if share < 0.5 else share,
        },
        wrong={
            "background": (lambda share: 1 - share, "more foreground than background"),
            "foreground": (lambda share: share, "right on every background pixel"),
            "the smaller": (lambda share: min(share, 1 - share), "the better of the two"),
            "one half": (lambda share: 0.5, "classes balance"),
            "the example": (lambda share: 0.75, "0.02 it gives 0.75"),
            "another constant": (lambda share: 0.3, "all pixels of one class"),
            "cut at three quarters": (lambda share: 1 - share if share < 0.75 else share, "more foreground"),
            "cut at 0.6": (lambda share: 1 - share if share < 0.6 else share, "more foreground"),
            "cut at 0.4": (lambda share: 1 - share if share < 0.4 else share, "right on every background pixel"),
            "no other branch": (lambda share: 1 - share if share <= 0.5 else None, "0.9 it returns nothing"),
            "guessing": (lambda share: share**2 + (1 - share) ** 2, "guessing"),
            "at least 0.75": (lambda share: max(share, 1 - share, 0.75), "the better of the two"),
            "nothing at one half": (lambda share: best(share) if share != 0.5 else 0, "0.5 it gives"),
            "all of it": (lambda share: 1.0, "all pixels of one class"),
            "both": (lambda share: (1 - share, share), "one number"),
            "a whole number": (lambda share: round(best(share)), "It is rounded"),
            "two digits": (lambda share: round(best(share), 2), "rounding is for print"),
            "percent": (lambda share: 100 * best(share), "not percent"),
            "text": (lambda share: f"{best(share)}", "a number was expected"),
            "1 for nothing": (lambda share: best(share) if 0 < share < 1 else 0.5, "One half"),
        },
    ),
    Exercise(
        "06.6",
        check.first_problem,
        right={
            "in order": problem,
            "loops": problem_by_loop,
            "a table of answers": problem_by_list,
        },
        wrong={
            "the largest mask value alone": (asks(values=lambda i, m, n: m.max() >= n), "One half is no class"),
            "one class too many": (asks(values=lambda i, m, n: not np.isin(m, range(n + 1)).all()), "two classes"),
            "up to 20 is a class": (asks(values=lambda i, m, n: not np.isin(m, range(21)).all()), "class 25 of 30"),
            "every class must occur": (
                asks(values=lambda i, m, n: set(np.unique(m).tolist()) != set(range(n))),
                "Not every class has to occur",
            ),
            "any value that is a class": (asks(values=lambda i, m, n: not np.isin(m, range(n)).any()), "0 and 255"),
            "as many values as classes": (asks(values=lambda i, m, n: len(np.unique(m)) > n), "0 and 255"),
            "255 alone": (asks(values=lambda i, m, n: (m == 255).any()), "where there are two classes"),
            "whole numbers of any sign": (
                asks(values=lambda i, m, n: not ((m == np.round(m)) & (m < n)).all()),
                "masks with -1",
            ),
            "nan is a class": (
                asks(values=lambda i, m, n: not np.isin(m[~np.isnan(m)], range(n)).all()),
                "nan is no class",
            ),
            "no booleans": (
                asks(values=lambda i, m, n: m.dtype == bool or not np.isin(m, range(n)).all()),
                "False and True",
            ),
            "every mask must have an object": (
                asks(empty=lambda i, m, n: not m.any(axis=(1, 2)).all()),
                "One of its masks is empty",
            ),
            "the first mask": (asks(empty=lambda i, m, n: not m[0].any()), "One of its masks is empty"),
            "class 1 must occur": (asks(empty=lambda i, m, n: not (m == 1).any()), "class 2 without"),
            "background must occur": (asks(empty=lambda i, m, n: m.all() or not m.any()), "a mask of class 1 alone"),
            "no question of empty masks": (asks(empty=lambda i, m, n: False), "No mask has a pixel above 0"),
            "0 to 1": (asks(images=lambda i, m, n: not ((i >= 0) & (i <= 1)).all()), "standardized images"),
            "above 10 alone": (asks(images=lambda i, m, n: not (i <= 10).all()), "one pixel of -400"),
            "below -10 alone": (asks(images=lambda i, m, n: not (i >= -10).all()), "images of 0 to 255"),
            "the mean": (asks(images=lambda i, m, n: not abs(i.mean()) <= 10), "one pixel of -400"),
            "the first image": (asks(images=lambda i, m, n: not (np.abs(i[0]) <= 10).all()), "a last slice"),
            "nan passes": (asks(images=lambda i, m, n: (np.abs(i) > 10).any()), "nan is neither"),
            "any pixel in the range": (asks(images=lambda i, m, n: not (np.abs(i) <= 10).any()), "images in HU"),
            "one shade is refused": (
                asks(images=lambda i, m, n: i.std() < 1e-3 or not (np.abs(i) <= 10).all()),
                "Only the range counts",
            ),
            "images first": (asks(order=(2, 0, 1)), "Ask in the order"),
            "empty masks last": (asks(order=(0, 2, 1)), "Ask in the order"),
            "backward": (asks(order=(2, 1, 0)), "Ask in the order"),
            "a list of all": (
                lambda i, m, n: [
                    name for k, name in enumerate(check.PROBLEMS[:3]) if asks(order=(k,))(i, m, n) == name
                ],
                "which is none of",
            ),
            "nothing where all is well": (
                lambda i, m, n: None if problem(i, m, n) == "none" else problem(i, m, n),
                "returns nothing",
            ),
            "no last branch": (
                lambda i, m, n: problem(i, m, n) if problem(i, m, n) != "image range" else None,
                "each way through",
            ),
            "its number": (lambda i, m, n: check.PROBLEMS.index(problem(i, m, n)), "which is none of"),
            "true or false": (lambda i, m, n: problem(i, m, n) == "none", "which is none of"),
            "all is well": (lambda i, m, n: "none", "right is 'mask values'"),
            "a word of one's own": (lambda i, m, n: problem(i, m, n).replace("none", "ok"), "which is none of"),
            "an error for a problem": (raises, "your code raised ValueError"),
            "in place": (problem_in_place, "changes what it is given"),
        },
    ),
]

"""Self-checks of notebook 13, deployment."""

import numpy as np

from ._numbers import compare
from ._verdict import NotYet, Raised, Wrong, call, exercise

PARTS = ("mask", "affine", "patient", "classes")


def _golden(seed=0, nodule=True):
    """A study whose right answer is known: two lungs that differ, a small nodule, a tilted and shifted grid."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((4, 40, 48), np.uint8)
    mask[:, 6:34, 5:20] = 1
    mask[:, 8:30, 27:43] = 1
    mask[0, 6:12, 5:20] = 0
    if nodule:
        mask[2, 12:17, 9:13] = 2
    affine = np.array([[-0.7, 0.0, 0.1, 120.5], [0.0, -0.7, 0.3, 88.0], [0.0, 0.0, 4.9, -310.25], [0.0, 0.0, 0.0, 1.0]])
    affine[:3, 3] += rng.integers(1, 9, 3)
    return {"mask": mask, "affine": affine, "patient": f"P{100 + seed}", "classes": {1: "lung", 2: "nodule"}}


def _with(study, **changed):
    return {**study, **changed}


def _mask_with(study, change):
    mask = study["mask"].copy()
    change(mask)
    return _with(study, mask=mask)


def _studies():
    """Words, the golden study, what came back, and the parts that are wrong."""
    one, healthy, other = _golden(), _golden(1, nodule=False), _golden(2)
    flipped_header = one["affine"] @ np.diag([-1.0, 1, 1, 1])

    def rounding(mask):
        mask[1, 6, 5], mask[3, 33, 19], mask[2, 8, 27] = 0, 0, 0

    def nodule_lost(mask):
        mask[mask == 2] = 1

    def nodule_made_up(mask):
        mask[1, 20:24, 30:34] = 2

    def nodule_moved(mask):
        nodule_lost(mask)
        mask[2, 24:29, 9:13] = 2

    def lung_lost(mask):
        mask[:, :, 27:43] = 0

    def one_slice_flipped(mask):
        mask[2] = mask[2, :, ::-1].copy()

    def more_lung(mask):
        mask[:, 5, 6:19] = 1
        mask[:, 34, 6:19] = 1

    swapped = np.array([0, 2, 1], np.uint8)[one["mask"]]
    names = {1: "nodule", 2: "lung"}
    return [
        ("for the same study", one, one, ()),
        ("for another study, unchanged", other, other, ()),
        ("for a healthy patient, unchanged", healthy, healthy, ()),
        ("for three pixels of rounding at the outline of the lung", one, _mask_with(one, rounding), ()),
        ("for an affine that differs in the seventh digit", one, _with(one, affine=one["affine"] * (1 + 1e-8)), ()),
        ("for classes in another order of the same numbers", one, _with(one, classes={2: "nodule", 1: "lung"}), ()),
        ("for an axis flipped", one, _with(one, mask=one["mask"][:, :, ::-1]), ("mask",)),
        ("for the order of the slices turned", one, _with(one, mask=one["mask"][::-1]), ("mask",)),
        ("for one slice flipped", one, _mask_with(one, one_slice_flipped), ("mask",)),
        ("for RescaleSlope ignored, where a lung is lost", one, _mask_with(one, lung_lost), ("mask",)),
        ("for another window, where the lungs grow", one, _mask_with(one, more_lung), ("mask",)),
        ("for a lost nodule", one, _mask_with(one, nodule_lost), ("mask",)),
        ("for a moved nodule", one, _mask_with(one, nodule_moved), ("mask",)),
        ("for a nodule in a healthy patient", healthy, _mask_with(healthy, nodule_made_up), ("mask",)),
        ("for classes exchanged in the mask", one, _with(one, mask=swapped), ("mask",)),
        ("for an empty mask", one, _with(one, mask=np.zeros_like(one["mask"])), ("mask",)),
        ("for a mask with a slice too few", one, _with(one, mask=one["mask"][:-1]), ("mask",)),
        ("for the names of the classes exchanged", one, _with(one, classes=names), ("classes",)),
        ("for a class without a name", one, _with(one, classes={1: "lung"}), ("classes",)),
        ("for the orientation dropped", one, _with(one, affine=np.diag([0.7, 0.7, 4.9, 1.0])), ("affine",)),
        ("for a header flipped left to right", one, _with(one, affine=flipped_header), ("affine",)),
        ("for the place of the patient dropped", one, _with(one, affine=_moved(one["affine"], 0)), ("affine",)),
        ("for slices 5 mm away", one, _with(one, affine=_moved(one["affine"], 5)), ("affine",)),
        ("for the header of another patient", one, _with(one, patient="P101"), ("patient",)),
        ("for no patient at all", one, _with(one, patient=""), ("patient",)),
        ("for two bugs at once", one, _with(one, patient="P7", mask=one["mask"][:, ::-1]), ("mask", "patient")),
        ("for everything wrong", one, _with(_golden(5), mask=swapped, classes=names), PARTS),
    ]


def _moved(affine, by):
    moved = affine.copy()
    moved[:3, 3] = 0 if not by else moved[:3, 3] + (0, 0, by)
    return moved


PASSED = {  # what a gate that says nothing has overlooked
    "mask": "Every class needs a Dice of its own: the background hides a lung, and a lung hides a nodule.",
    "affine": "Where the voxels lie in the patient counts as well: compare the whole affine.",
    "patient": "A right mask in another patient's folder is wrong: compare the patient.",
    "classes": "The number says nothing without its name: compare the dictionaries of classes.",
}
REFUSED = {  # what a gate that rings for nothing has taken too strictly
    "mask": "Ask for a Dice of at least 0.99 in each class, not for equality; and where neither mask has a class, "
    "its Dice is nan, and that class is right.",
    "affine": "Numbers of a header are rounded on the way: compare with np.allclose.",
    "patient": "Compare the two patients, as they are.",
    "classes": "A dictionary has no order: compare the two as dictionaries.",
}


@exercise
def gate(function):
    """A function of (golden, found), two studies, that gives the names of the parts that are wrong."""
    for place, (what, golden, found, wrong) in enumerate(_studies()):
        try:
            answer = call(function, golden, found)
        except NotYet:
            if not place:
                raise
            raise Wrong(f"{what} it returns nothing; where nothing is wrong, return an empty list.") from None
        except Raised as error:
            cause = error.__cause__
            raise Wrong(
                f"{what} your code raised {type(cause).__name__}: {cause}. A gate says no; it must not raise an error"
            ) from (cause)
        if not isinstance(answer, (list, tuple, set)):
            raise Wrong(f"{what} it gives {answer!r}; return a list of names, empty if the result may go out.")
        names = [str(name) for name in answer]
        if odd := [name for name in names if name not in PARTS]:
            raise Wrong(f"{what} it names {odd[0]!r}; the names are {', '.join(map(repr, PARTS))}.")
        if len(set(names)) < len(names):
            raise Wrong(f"{what} it names {max(names, key=names.count)!r} twice; once is enough.")
        if missed := [name for name in PARTS if name in wrong and name not in names]:
            raise Wrong(f"{what} it lets {missed[0]!r} pass. {PASSED[missed[0]]}")
        if extra := [name for name in names if name not in wrong]:
            raise Wrong(f"{what} it stops {extra[0]!r}, which is right. {REFUSED[extra[0]]}")
    return "It stops every planted bug, and lets three pixels of rounding pass."


def _wrong_rates(milliseconds):
    times = np.asarray(milliseconds, float)
    late = np.percentile(times, 95)
    return {
        "That is the rate of the mean: about half of the images, or more, would come too late.": 1000 / times.mean(),
        "That is the rate of the median: half of the images would come too late.": 1000 / np.median(times),
        "That is the rate of the fastest call.": 1000 / times.min(),
        "That is the rate of the slowest call: 95 of 100 in time are asked for.": 1000 / times.max(),
        "Five of 100 may be late, not five of 100 in time: take the other end of the times.": (
            1000 / np.percentile(times, 5)
        ),
        "90 of 100 are not enough; 95 are asked for.": 1000 / np.percentile(times, 90),
        "99 of 100 are more than was asked; 95 are asked for.": 1000 / np.percentile(times, 99),
        "That is a time. How many such times fit into a second?": [late, late / 1000],
        "The times are milliseconds, and a second has 1000 of them.": 1 / late,
        "A mean with two standard deviations is for times like a bell; these have a long tail. Count.": (
            [1000 / (times.mean() + 2 * times.std()), 1000 / (times.mean() + 1.645 * times.std())]
        ),
        "It is rounded; a rate need not be a whole number.": [np.floor(1000 / late), np.round(1000 / late)],
    }


@exercise
def highest_rate(function):
    """A function of milliseconds, an array, that gives the highest rate of images per second."""
    rng = np.random.default_rng(3)
    cases = {
        "for 21 calls of 1 to 21 ms": (np.arange(1.0, 22),),
        "for 41 calls, two of them slow": (np.r_[np.linspace(9, 11, 39), 80, 95],),
        "for 101 calls with a long tail": (rng.permutation(4 + rng.exponential(3, 101)),),
        "for calls that all take 40 ms": (np.full(21, 40.0),),
        "for 61 calls, one in ten slow": (rng.permutation(np.r_[np.full(54, 5.0), np.linspace(30, 36, 7)]),),
    }
    compare(
        function,
        lambda milliseconds: 1000 / np.percentile(milliseconds, 95),
        cases,
        _wrong_rates,
        "Find the time within which 95 of 100 calls are done, and how many such times fit into a second.",
        several="one rate for all calls",
    )
    return "The p95 is the time to plan with: the mean hides the calls that come too late."


def _arrivals(*words):
    """'a1/3' -> instance a1 of series a, which has three instances."""
    parts = [word.split("/") for word in words]
    return [{"series": name[0], "instance": name, "of": int(of)} for name, of in parts]


@exercise
def to_segment(function):
    """A function of (arrivals, done), lists, that gives the series to be segmented, in order."""
    cases = [
        ("for one series that is complete", _arrivals("a1/2", "a2/2"), [], ["a"]),
        ("for nothing that arrived", [], [], []),
        ("for a series that is not complete", _arrivals("a1/3", "a2/3"), [], []),
        ("for one image sent twice", _arrivals("a1/3", "a2/3", "a2/3"), [], []),
        ("for a series sent twice", _arrivals("a1/2", "a2/2", "a1/2", "a2/2"), [], ["a"]),
        ("for a series that is done already", _arrivals("a1/2", "a2/2"), ["a"], []),
        ("for a series of which another is done", _arrivals("a1/2", "a2/2"), ["b"], ["a"]),
        ("for two series that arrive mixed", _arrivals("b1/2", "a1/2", "a2/2", "b2/2"), [], ["a", "b"]),
        ("for images in another order", _arrivals("c3/3", "c1/3", "c2/3"), ["a", "b"], ["c"]),
        ("for the last image first, and one missing", _arrivals("c3/3", "c1/3"), [], []),
        ("for a series in pieces", _arrivals("d1/3", "e1/1", "d2/3", "f1/2", "d3/3"), [], ["e", "d"]),
        ("for a copy that comes after the end", _arrivals("a1/1", "b1/2", "b2/2", "a1/1"), [], ["a", "b"]),
        ("for three series, one done", _arrivals("z1/1", "m1/1", "a1/1", "k1/2"), ["m"], ["z", "a"]),
    ]
    for place, (what, arrivals, done, right) in enumerate(cases):
        try:
            answer = call(function, arrivals, done)
        except NotYet:
            if not place:
                raise
            raise Wrong(f"{what} it returns nothing; where there is nothing to do, return an empty list.") from None
        if not isinstance(answer, (list, tuple)):
            raise Wrong(f"{what} it gives a {type(answer).__name__}; return a list, because the order counts.")
        given = list(answer)
        if given == right:
            continue
        shown = f"{what} it gives {given}, and right is {right}. "
        if any(not isinstance(name, str) for name in given):
            raise Wrong(f"{shown}Give the names of the series.")
        if odd := [name for name in given if name in done]:
            raise Wrong(f"{shown}{odd[0]!r} is done: a second copy of a study is not a second patient.")
        if len(set(given)) < len(given):
            raise Wrong(f"{shown}A series is to be segmented once, however often its images come.")
        if early := [name for name in given if name not in right]:
            raise Wrong(f"{shown}{early[0]!r} is not complete: count the different instances, not the arrivals.")
        if missing := [name for name in right if name not in given]:
            raise Wrong(f"{shown}{missing[0]!r} is complete and not done, and nobody segments it.")
        raise Wrong(f"{shown}First complete, first segmented.")
    return "However often and in whatever pieces the images come: each series once, and only when it is complete."


def _is_true(value, what):
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise Wrong(f"{what} it gives {value!r}; return True for an alarm, False for none.")


@exercise
def rings(function):
    """A function of (reference, recent), two arrays of one measure, that gives True for an alarm."""
    rng = np.random.default_rng(7)
    reference = rng.permutation(np.linspace(-1.5, 1.5, 61)) * 10 - 700  # mean -700, standard deviation about 8.8
    sd = reference.std()

    def recent(z, count=9, spread=4.0):
        """Recent studies whose mean lies z standard errors from that of the reference."""
        values = np.linspace(-spread, spread, count) if count > 1 else np.zeros(1)
        return rng.permutation(values - values.mean() + reference.mean() + z * sd / np.sqrt(count))

    skewed = recent(0.4)
    skewed[0] += 5 * sd  # a single odd study: its mean lies 1.7 standard errors away for 9
    skewed -= 2.5 * sd / 9
    yardstick = "The scatter of the known studies is the yardstick, not that of a few recent studies."
    cases = [
        ("for recent studies like those that are known", recent(0.5), False, ""),
        ("for a mean 1.5 standard errors above", recent(1.5), False, "Three standard errors are asked for, not one."),
        ("for a mean 2.5 standard errors above", recent(2.5), False, "Three standard errors are asked for, not two."),
        ("for a mean 2.5 standard errors below", recent(-2.5), False, "Three standard errors are asked for, not two."),
        ("for a mean 3.6 standard errors above", recent(3.6), True, ""),
        ("for a mean 3.6 standard errors below", recent(-3.6), True, "A measure can fall as well: take the distance."),
        ("for 25 studies, 3.5 standard errors above", recent(3.5, 25), True, ""),
        ("for 4 studies, 3.4 standard errors below", recent(-3.4, 4), True, ""),
        ("for 49 studies, 2.4 standard errors above", recent(2.4, 49), False, ""),
        ("for one study, 2.5 standard deviations away", recent(2.5, 1), False, "Three are asked for."),
        ("for one study, 3.5 standard deviations away", recent(3.5, 1), True, ""),
        ("for one odd study among nine", skewed, False, "The mean of the recent studies counts, not a single one."),
        ("for recent studies that scatter much, 3.6 above", recent(3.6, spread=60), True, yardstick),
        ("for recent studies that hardly scatter, 1.5 above", recent(1.5, spread=0.1), False, yardstick),
    ]
    usual = (
        "Divide the distance of the means by the standard deviation of the known studies over the root of the number "
        "of recent"
    )
    for what, values, right, hint in cases:
        answer = _is_true(call(function, reference, values), what)
        if answer != right:
            raise Wrong(f"{what} it {'rings' if answer else 'is silent'}. {hint or usual + ' studies.'}")
    return (
        "If many studies are known, three of a thousand such means lie further away by chance: the price of each look."
    )


LOGS = [
    ["install 1.0"],
    ["install 1.0", "install 1.1"],
    ["install 1.0", "install 1.1", "roll back"],
    ["install 1.0", "install 1.1", "install 2.0", "roll back"],
    ["install 1.0", "install 1.1", "install 2.0", "roll back", "roll back"],
    ["install 1.0", "install 1.1", "roll back", "install 1.2"],
    ["install 1.0", "install 1.1", "roll back", "install 1.2", "roll back"],
    ["install 3.1", "install 1.0", "install 2.2", "roll back", "install 2.3", "roll back", "roll back"],
    ["install 1.0", "roll back"],
    ["install 1.0", "install 1.1", "roll back", "roll back", "roll back", "install 1.4"],
    ["install 1.0", "install 1.1", "install 1.0", "roll back"],
    ["install 1.9", "install 1.10", "install 1.2", "roll back"],
]


def _serving(log):
    installed = []
    for event in log:
        if event == "roll back":
            installed = installed[: max(len(installed) - 1, 1)]
        else:
            installed.append(event.split()[1])
    return installed[-1]


@exercise
def serving(function):
    """A function of a log, a list of events, that gives the version that serves at its end."""
    for log in LOGS:
        answer, right = call(function, log), _serving(log)
        shown = f"after {', '.join(map(repr, log))} it gives {answer!r}, and right is {right!r}. "
        if not isinstance(answer, str):
            raise Wrong(f"{shown}Give the version as it stands in the log, as text.")
        if answer == right:
            continue
        installed = [event.split()[1] for event in log if event != "roll back"]
        if answer not in installed:
            raise Wrong(f"{shown}{answer!r} is no version of the log.")
        if log[-1] != "roll back":
            raise Wrong(f"{shown}A version that was just installed serves, whatever came before.")
        if answer == installed[-1]:
            raise Wrong(f"{shown}The last installed is the one that was taken back; with nothing before it, it stays.")
        raise Wrong(f"{shown}A roll-back leads to the version that served before the one it takes back.")
    return "The log alone says what served when: keep it, and keep the files of the versions that it names."

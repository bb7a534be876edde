"""Notebook 13."""

import numpy as np

from mutants import Exercise
from unet_helpers import dice
from unet_helpers.teaching.checks import deployment as check


def same_class(golden, found, index):
    one, other = golden["mask"] == index, found["mask"] == index
    return not (one.any() or other.any()) or dice(one, other) >= 0.99


def masks_agree(golden, found, limit=0.99):
    if golden["mask"].shape != found["mask"].shape:
        return False
    scores = [dice(golden["mask"] == index, found["mask"] == index) for index in golden["classes"]]
    return all(np.isnan(score) or score >= limit for score in scores)


def affines_agree(golden, found):
    return np.allclose(golden["affine"], found["affine"])


def gate(mask=masks_agree, affine=affines_agree, patient=None, classes=None):
    """The right gate, with some of its four questions exchanged."""
    ask = {"mask": mask, "affine": affine}
    ask["patient"] = patient or (lambda golden, found: golden["patient"] == found["patient"])
    ask["classes"] = classes or (lambda golden, found: golden["classes"] == found["classes"])
    return lambda golden, found: [name for name, fine in ask.items() if not fine(golden, found)]


def gate_by_hand(golden, found):
    wrong = []
    shapes = golden["mask"].shape == found["mask"].shape
    if not shapes or not all(same_class(golden, found, index) for index in golden["classes"]):
        wrong.append("mask")
    if np.abs(golden["affine"] - found["affine"]).max() > 1e-3:
        wrong.append("affine")
    return wrong + [name for name in ("patient", "classes") if golden[name] != found[name]]


def every_class(golden, found):
    return all(same_class(golden, found, index) for index in golden["classes"])


def first_only(golden, found):
    return gate()(golden, found)[:1]


def shapes_first(question):
    return lambda golden, found: golden["mask"].shape == found["mask"].shape and question(golden, found)


def foreground(golden, found):
    one, other = golden["mask"] > 0, found["mask"] > 0
    return dice(one, other) >= 0.99


def mean_of_classes(golden, found):
    scores = [dice(golden["mask"] == index, found["mask"] == index) for index in golden["classes"]]
    return np.nanmean(scores) >= 0.9


def share_of_pixels(golden, found):
    return (golden["mask"] == found["mask"]).mean() >= 0.99


def nan_fails(golden, found):
    return all(dice(golden["mask"] == index, found["mask"] == index) >= 0.99 for index in golden["classes"])


def only_classes_of_golden(golden, found):
    present = [index for index in golden["classes"] if (golden["mask"] == index).any()]
    return all(dice(golden["mask"] == index, found["mask"] == index) >= 0.99 for index in present)


def volumes(golden, found):
    return all(abs((golden["mask"] == k).sum() - (found["mask"] == k).sum()) <= 3 for k in (1, 2))


def slice_by_slice_in_place(golden, found):
    wrong = gate()(golden, found)
    found["patient"] = golden["patient"]
    return wrong


def diagonals(golden, found):
    return np.allclose(np.diag(golden["affine"]), np.diag(found["affine"]))


def directions(golden, found):
    return np.allclose(golden["affine"][:3, :3], found["affine"][:3, :3])


def lengths(golden, found):
    sizes = [np.linalg.norm(study["affine"][:3, :3], axis=0) for study in (golden, found)]
    return np.allclose(*sizes)


def rate(milliseconds):
    return 1000 / np.percentile(milliseconds, 95)


def by_counting(milliseconds):
    times = sorted(milliseconds)
    return 1000 / times[int(np.ceil(0.95 * len(times))) - 1]


def complete(arrivals, done):
    seen, ready = {}, []
    for one in arrivals:
        seen.setdefault(one["series"], set()).add(one["instance"])
        if len(seen[one["series"]]) == one["of"] and one["series"] not in [*done, *ready]:
            ready.append(one["series"])
    return ready


def by_series_at_the_end(arrivals, done):
    order = dict.fromkeys(one["series"] for one in reversed(list({a["instance"]: a for a in arrivals}.values())))
    full = {
        a["series"] for a in arrivals if len({b["instance"] for b in arrivals if b["series"] == a["series"]}) == a["of"]
    }
    return [name for name in reversed(list(order)) if name in full and name not in done]


def counts_arrivals(arrivals, done):
    counts, ready = {}, []
    for one in arrivals:
        counts[one["series"]] = counts.get(one["series"], 0) + 1
        if counts[one["series"]] == one["of"] and one["series"] not in [*done, *ready]:
            ready.append(one["series"])
    return ready


def every_time(arrivals, done):
    seen, ready = {}, []
    for one in arrivals:
        seen.setdefault(one["series"], set()).add(one["instance"])
        if len(seen[one["series"]]) == one["of"] and one["series"] not in done:
            ready.append(one["series"])
    return ready


def at_the_last_number(arrivals, done):
    return list(
        dict.fromkeys(
            one["series"] for one in arrivals if one["instance"].endswith(str(one["of"])) and one["series"] not in done
        )
    )


def marks_done(arrivals, done):
    ready = complete(arrivals, done)
    done.extend(ready)
    return ready


def instances(arrivals, done):
    return [one["instance"] for one in arrivals if one["series"] in complete(arrivals, done)]


def score(reference, recent):
    return (np.mean(recent) - np.mean(reference)) / (np.std(reference) / np.sqrt(len(recent)))


def rings(reference, recent):
    return abs(score(reference, recent)) > 3


def stack(log):
    installed = []
    for event in log:
        if event.startswith("install"):
            installed.append(event.split()[1])
        elif len(installed) > 1:
            installed.pop()
    return installed[-1]


def recursive(log):
    if log[-1] != "roll back":
        return log[-1].split()[1]
    depth, place = 1, len(log) - 1
    while depth and place > 0:
        place -= 1
        depth += 1 if log[place] == "roll back" else -1
    return recursive(log[:place]) if place > 0 else log[0].split()[1]


def versions(log):
    return [event.split()[1] for event in log if event != "roll back"]


def below_the_first(log):
    installed = []
    for event in log:
        installed = installed[:-1] if event == "roll back" else [*installed, event.split()[1]]
    return installed[-1] if installed else "none"


def keeps_one(log):
    former = now = None
    for event in log:
        former, now = (now, former or now) if event == "roll back" else (now, event.split()[1])
    return now


def pops_log(log):
    version = stack(log)
    log.clear()
    return version


EXERCISES = [
    Exercise(
        "13.1",
        check.gate,
        right={
            "four questions": gate(),
            "by hand": gate_by_hand,
            "a set": lambda golden, found: set(gate()(golden, found)),
            "a tuple": lambda golden, found: tuple(gate()(golden, found)),
        },
        wrong={
            "lets all pass": (lambda golden, found: [], "it lets 'mask' pass"),
            "stops all": (lambda golden, found: ["mask", "affine", "patient", "classes"], "which is right"),
            "true or false": (lambda golden, found: not gate()(golden, found), "return a list of names"),
            "the first bug only": (first_only, "for two bugs at once it lets 'patient' pass"),
            "one text": (lambda golden, found: ", ".join(gate()(golden, found)), "return a list of names"),
            "other words": (
                lambda golden, found: [name.upper() for name in gate()(golden, found)],
                "the names are 'mask'",
            ),
            "the mask not asked": (gate(mask=lambda golden, found: True), "it lets 'mask' pass"),
            "the foreground as one": (gate(mask=shapes_first(foreground)), "a lung hides a nodule"),
            "the mean of the classes": (gate(mask=shapes_first(mean_of_classes)), "it lets 'mask' pass"),
            "the share of pixels": (gate(mask=shapes_first(share_of_pixels)), "the background hides a lung"),
            "the lung only": (
                gate(mask=shapes_first(lambda golden, found: same_class(golden, found, 1))),
                "a lung hides a nodule",
            ),
            "the nodule only": (
                gate(mask=shapes_first(lambda golden, found: same_class(golden, found, 2))),
                "for RescaleSlope ignored",
            ),
            "volumes": (gate(mask=shapes_first(volumes)), "for an axis flipped"),
            "equal masks": (
                gate(mask=shapes_first(lambda golden, found: np.array_equal(golden["mask"], found["mask"]))),
                "for three pixels of rounding",
            ),
            "a Dice of 0.999": (
                gate(mask=lambda golden, found: masks_agree(golden, found, 0.9999)),
                "for three pixels of rounding",
            ),
            "a Dice of 0.9": (gate(mask=lambda golden, found: masks_agree(golden, found, 0.9)), "where the lungs grow"),
            "nan counts as wrong": (gate(mask=shapes_first(nan_fails)), "for a healthy patient, unchanged"),
            "only classes of the golden study": (
                gate(mask=shapes_first(only_classes_of_golden)),
                "for a nodule in a healthy patient",
            ),
            "falls over another shape": (gate(mask=every_class), "your code raised"),
            "the affine not asked": (gate(affine=lambda golden, found: True), "compare the whole affine"),
            "equal affines": (
                gate(affine=lambda golden, found: np.array_equal(golden["affine"], found["affine"])),
                "compare with np.allclose",
            ),
            "the diagonal of the affine": (gate(affine=diagonals), "compare the whole affine"),
            "directions without the place": (gate(affine=directions), "the place of the patient dropped"),
            "spacings": (gate(affine=lengths), "compare the whole affine"),
            "the place alone": (
                gate(affine=lambda golden, found: np.allclose(golden["affine"][:3, 3], found["affine"][:3, 3])),
                "compare the whole affine",
            ),
            "the patient not asked": (gate(patient=lambda golden, found: True), "compare the patient"),
            "some patient": (
                gate(patient=lambda golden, found: bool(found["patient"])),
                "the header of another patient",
            ),
            "the first letter of the patient": (
                gate(patient=lambda golden, found: golden["patient"][:2] == found["patient"][:2]),
                "the header of another patient",
            ),
            "the classes not asked": (gate(classes=lambda golden, found: True), "compare the dictionaries"),
            "the numbers of the classes": (
                gate(classes=lambda golden, found: set(golden["classes"]) == set(found["classes"])),
                "the names of the classes exchanged",
            ),
            "the names without numbers": (
                gate(classes=lambda g, f: sorted(g["classes"].values()) == sorted(f["classes"].values())),
                "the names of the classes exchanged",
            ),
            "the order of the classes": (
                gate(classes=lambda g, f: list(g["classes"].values()) == list(f["classes"].values())),
                "for classes in another order",
            ),
            "mends the patient": (slice_by_slice_in_place, "changes what it is given"),
            "each name twice": (lambda golden, found: 2 * gate()(golden, found), "twice; once is enough"),
        },
        equivalent={"backward": "the order of the names is free"},
    ),
    Exercise(
        "13.2",
        check.highest_rate,
        right={
            "the percentile": rate,
            "by counting": by_counting,
            "a quantile": lambda milliseconds: 1 / (np.quantile(milliseconds, 0.95) / 1000),
            "without interpolation": lambda ms: 1000 / np.percentile(ms, 95, method="inverted_cdf"),
        },
        wrong={
            "the mean": (lambda ms: 1000 / np.mean(ms), "rate of the mean"),
            "the median": (lambda ms: 1000 / np.median(ms), "rate of the median"),
            "the fastest": (lambda ms: 1000 / np.min(ms), "the fastest call"),
            "the slowest": (lambda ms: 1000 / np.max(ms), "the slowest call"),
            "the other end": (lambda ms: 1000 / np.percentile(ms, 5), "other end"),
            "p90": (lambda ms: 1000 / np.percentile(ms, 90), "95 are asked for"),
            "p99": (lambda ms: 1000 / np.percentile(ms, 99), "more than was asked"),
            "a time": (lambda ms: np.percentile(ms, 95), "That is a time"),
            "seconds": (lambda ms: np.percentile(ms, 95) / 1000, "That is a time"),
            "milliseconds as seconds": (lambda ms: 1 / np.percentile(ms, 95), "a second has 1000"),
            "percentile of the rates": (lambda ms: np.percentile(1000 / ms, 95), "other end"),
            "mean and two standard deviations": (lambda ms: 1000 / (ms.mean() + 2 * ms.std()), "a long tail"),
            "rounded down": (lambda ms: rate(ms) // 1, "It is rounded"),
            "0.95 as a percentile": (lambda ms: 1000 / np.percentile(ms, 0.95), "within which 95 of 100"),
            "95 % of the slowest": (lambda ms: 1000 / (0.95 * ms.max()), "within which 95 of 100"),
            "unsorted": (lambda ms: 1000 / ms[int(0.95 * len(ms))], "within which 95 of 100"),
            "in place": (lambda ms: (ms.sort(), 1000 / ms[int(0.95 * (len(ms) - 1))])[1], "changes what it is given"),
            "all rates": (lambda ms: 1000 / ms, "one rate for all calls"),
            "text": (lambda ms: f"{rate(ms):.1f}", "a number was expected"),
            "a constant": (lambda ms: 25.0, "the same in all cases"),
        },
    ),
    Exercise(
        "13.3",
        check.to_segment,
        right={
            "sets": complete,
            "by the last new image": by_series_at_the_end,
            "a tuple": lambda arrivals, done: tuple(complete(arrivals, done)),
        },
        wrong={
            "counts arrivals": (counts_arrivals, "for one image sent twice"),
            "every time it is complete": (every_time, "segmented once"),
            "at the highest number": (at_the_last_number, "is not complete"),
            "as soon as one image is there": (
                lambda arrivals, done: list(dict.fromkeys(a["series"] for a in arrivals if a["series"] not in done)),
                "is not complete",
            ),
            "done not asked": (lambda arrivals, done: complete(arrivals, []), "is done"),
            "nothing if anything is done": (
                lambda arrivals, done: [] if done else complete(arrivals, done),
                "nobody segments it",
            ),
            "the first only": (lambda arrivals, done: complete(arrivals, done)[:1], "nobody segments it"),
            "the last only": (lambda arrivals, done: complete(arrivals, done)[-1:], "nobody segments it"),
            "sorted": (lambda arrivals, done: sorted(complete(arrivals, done)), "First complete, first segmented"),
            "by the first image": (
                lambda arrivals, done: sorted(
                    complete(arrivals, done), key=lambda name: [a["series"] for a in arrivals].index(name)
                ),
                "First complete, first segmented",
            ),
            "the newest first": (
                lambda arrivals, done: complete(arrivals, done)[::-1],
                "First complete, first segmented",
            ),
            "a set": (lambda arrivals, done: set(complete(arrivals, done)), "the order counts"),
            "instances": (instances, "it gives ['a1', 'a2']"),
            "how many": (lambda arrivals, done: len(complete(arrivals, done)), "return a list"),
            "done as well": (lambda arrivals, done: [*done, *complete(arrivals, done)], "is done"),
            "keeps the book itself": (marks_done, "changes what it is given"),
            "more than one image is enough": (
                lambda arrivals, done: [
                    name
                    for name in dict.fromkeys(a["series"] for a in arrivals)
                    if sum(a["series"] == name for a in arrivals) > 1 and name not in done
                ],
                "is not complete",
            ),
        },
    ),
    Exercise(
        "13.4",
        check.rings,
        right={
            "standard errors": rings,
            "ddof 1": lambda reference, recent: bool(
                abs(np.mean(recent) - np.mean(reference)) > 3 * np.std(reference, ddof=1) / len(recent) ** 0.5
            ),
            "two sides": lambda reference, recent: score(reference, recent) > 3 or score(reference, recent) < -3,
        },
        wrong={
            "standard deviations": (
                lambda reference, recent: abs(np.mean(recent) - np.mean(reference)) > 3 * np.std(reference),
                "over the root of the number of recent studies",
            ),
            "divided by the number": (
                lambda reference, recent: (
                    abs(np.mean(recent) - np.mean(reference)) > 3 * np.std(reference) / len(recent)
                ),
                "not one",
            ),
            "one side": (lambda reference, recent: score(reference, recent) > 3, "can fall as well"),
            "the other side": (lambda reference, recent: score(reference, recent) < -3, "it is silent"),
            "two standard errors": (lambda reference, recent: abs(score(reference, recent)) > 2, "not two"),
            "one standard error": (lambda reference, recent: abs(score(reference, recent)) > 1, "not one"),
            "four standard errors": (lambda reference, recent: abs(score(reference, recent)) > 4, "it is silent"),
            "the scatter of the recent": (
                lambda reference, recent: (
                    abs(np.mean(recent) - np.mean(reference)) > 3 * (np.std(recent) + 1e-9) / len(recent) ** 0.5
                ),
                "it rings",
            ),
            "the root of the number of training": (
                lambda reference, recent: (
                    abs(np.mean(recent) - np.mean(reference)) > 3 * np.std(reference) / len(reference) ** 0.5
                ),
                "it rings",
            ),
            "any single study": (
                lambda reference, recent: bool(
                    (np.abs(recent - reference.mean()) > 3 * reference.std() / len(recent) ** 0.5).any()
                ),
                "it rings",
            ),
            "outside of what was seen": (
                lambda reference, recent: bool((recent > reference.max()).any() or (recent < reference.min()).any()),
                "it is silent",
            ),
            "the last study": (
                lambda reference, recent: abs(recent[-1] - reference.mean()) > 3 * reference.std(),
                "it is silent",
            ),
            "the variance": (
                lambda reference, recent: (
                    abs(np.mean(recent) - np.mean(reference)) > 3 * np.var(reference) / len(recent) ** 0.5
                ),
                "it is silent",
            ),
            "silent": (lambda reference, recent: False, "it is silent"),
            "always": (lambda reference, recent: True, "it rings"),
            "the score": (score, "return True for an alarm"),
            "text": (lambda reference, recent: str(rings(reference, recent)), "return True for an alarm"),
            "reversed": (lambda reference, recent: abs(score(reference, recent)) <= 3, "it rings"),
        },
    ),
    Exercise(
        "13.5",
        check.serving,
        right={"a stack": stack, "backward": recursive},
        wrong={
            "the last installed": (lambda log: versions(log)[-1], "The last installed"),
            "the first": (lambda log: versions(log)[0], "just installed serves"),
            "the last but one": (
                lambda log: (
                    versions(log)[-2] if log[-1] == "roll back" and len(versions(log)) > 1 else versions(log)[-1]
                ),
                "the version that served before",
            ),
            "the highest number": (
                lambda log: max(versions(log), key=lambda v: tuple(map(int, v.split(".")))),
                "The last installed",
            ),
            "as many back as there are": (
                lambda log: versions(log)[: len(versions(log)) - log.count("roll back") or 1][-1],
                "just installed serves",
            ),
            "only one former version": (keeps_one, "right is '1.0'"),
            "nothing left": (below_the_first, "'none' is no version"),
            "the first after a roll-back": (
                lambda log: versions(log)[0] if log[-1] == "roll back" else versions(log)[-1],
                "the version that served before",
            ),
            "roll-backs forgotten": (
                lambda log: next(event for event in reversed(log) if event != "roll back").split()[1],
                "The last installed",
            ),
            "a number": (lambda log: float(stack(log)), "as text"),
            "the event": (lambda log: f"install {stack(log)}", "is no version of the log"),
            "the log used up": (pops_log, "changes what it is given"),
        },
    ),
]

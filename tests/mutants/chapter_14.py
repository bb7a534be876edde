"""Notebook 14."""

import random

import numpy as np

from mutants import Exercise
from unet_helpers.teaching.checks import scaling_out as check


def weighted(gradients, sizes):
    return sum(n * g for n, g in zip(sizes, gradients, strict=True)) / sum(sizes)


def shares(gradients, sizes):
    whole = np.zeros_like(gradients[0])
    for gradient, size in zip(gradients, sizes, strict=True):
        whole += size / sum(sizes) * gradient
    return whole


def dot_or_weighted(gradients, sizes):
    try:
        product = np.dot(sizes, gradients) / sum(sizes)
    except ValueError:
        return weighted(gradients, sizes)
    return product if product.shape == gradients[0].shape else weighted(gradients, sizes)


def added_in_place(gradients, sizes):
    whole = gradients[0]
    whole *= sizes[0]
    for gradient, size in zip(gradients[1:], sizes[1:], strict=True):
        whole += size * gradient
    return whole / sum(sizes)


def rotated(patients, workers, rank):
    return [patient for place, patient in enumerate(patients) if place % workers == rank]


def in_blocks(patients, workers, rank):
    size = -(-len(patients) // workers)
    return patients[rank * size : (rank + 1) * size]


def rest_to_the_last(patients, workers, rank):
    size = len(patients) // workers
    return patients[rank * size :] if rank == workers - 1 else patients[rank * size : (rank + 1) * size]


def shuffled(patients, seed=None):
    patients = list(patients)
    random.Random(seed).shuffle(patients)
    return patients


def shuffled_in_place(patients, workers, rank):
    random.Random(0).shuffle(patients)
    return patients[rank::workers]


def numbers(processes="SLURM_NTASKS", rank="SLURM_PROCID"):
    return lambda environment: (int(environment[processes]), int(environment[rank]))


who = numbers()


def popped(environment):
    return int(environment.pop("SLURM_NTASKS")), int(environment.pop("SLURM_PROCID"))


def share(one, many, workers):
    return one / (workers * many)


EXERCISES = [
    Exercise(
        "14.1",
        check.combine,
        right={
            "a weighted sum": weighted,
            "shares": shares,
            "NumPy": lambda gradients, sizes: np.average(gradients, axis=0, weights=sizes),
            "a product of tensors": lambda gradients, sizes: np.tensordot(sizes, gradients, 1) / sum(sizes),
            "32 bits": lambda gradients, sizes: np.float32(weighted(gradients, sizes)),
            "a list": lambda gradients, sizes: weighted(gradients, sizes).tolist(),
        },
        wrong={
            "weighted by roots": (lambda gradients, sizes: weighted(gradients, np.sqrt(sizes)), "share of the slices"),
            "the plain mean": (lambda gradients, sizes: np.mean(gradients, axis=0), "the plain mean"),
            "the sum": (lambda gradients, sizes: np.sum(gradients, axis=0), "That is the sum"),
            "not divided": (lambda gradients, sizes: weighted(gradients, sizes) * sum(sizes), "number of all slices"),
            "divided by the parts": (
                lambda gradients, sizes: weighted(gradients, sizes) * sum(sizes) / len(sizes),
                "not by the number of parts",
            ),
            "divided by 16": (lambda gradients, sizes: weighted(gradients, sizes) * sum(sizes) / 16, "16 slices"),
            "small parts count more": (
                lambda gradients, sizes: np.average(gradients, axis=0, weights=1 / np.array(sizes)),
                "counts more, not less",
            ),
            "weights of other parts": (lambda gradients, sizes: weighted(gradients, sizes[::-1]), "keep the order"),
            "weights sorted": (lambda gradients, sizes: weighted(gradients, sorted(sizes)), "share of the slices"),
            "squares of the sizes": (
                lambda gradients, sizes: weighted(gradients, [size**2 for size in sizes]),
                "share of the slices",
            ),
            "the median": (lambda gradients, sizes: np.median(gradients, axis=0), "the median"),
            "a product of matrices": (lambda gradients, sizes: np.dot(sizes, gradients) / sum(sizes), "raised"),
            "a product of matrices where it runs": (dot_or_weighted, "share of the slices"),
            "one number": (lambda gradients, sizes: weighted(gradients, sizes).mean(), "it gives shape ()"),
            "one gradient per part": (
                lambda gradients, sizes: np.array([size * part for part, size in zip(gradients, sizes, strict=True)]),
                "it gives shape (2, 6)",
            ),
            "flat": (lambda gradients, sizes: weighted(gradients, sizes).ravel(), "it gives shape (6,)"),
            "the first part": (lambda gradients, sizes: gradients[0], "share of the slices"),
            "the largest part": (lambda gradients, sizes: gradients[np.argmax(sizes)], "share of the slices"),
            "two parts": (lambda gradients, sizes: weighted(gradients[:2], sizes[:2]), "5 and 3 and 8 slices"),
            "two parts, written out": (
                lambda gradients, sizes: (sizes[0] * gradients[0] + sizes[1] * gradients[1]) / (sizes[0] + sizes[1]),
                "share of the slices",
            ),
            "whole numbers": (lambda gradients, sizes: weighted(gradients, sizes).round(), "It is rounded"),
            "rounded": (lambda gradients, sizes: weighted(gradients, sizes).round(2), "It is rounded"),
            "absolute": (lambda gradients, sizes: np.abs(weighted(gradients, sizes)), "share of the slices"),
            "text": (lambda gradients, sizes: weighted(gradients, sizes).astype(str), "numbers were expected"),
            "added to the first gradient": (added_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "14.2",
        check.shard,
        right={
            "every so many": lambda patients, workers, rank: patients[rank::workers],
            "places that leave the rank": rotated,
            "NumPy": lambda patients, workers, rank: np.array_split(patients, workers)[rank],
            "blocks as even as can be": lambda patients, workers, rank: patients[
                len(patients) * rank // workers : len(patients) * (rank + 1) // workers
            ],
            "shuffled by a seed": lambda patients, workers, rank: shuffled(patients, seed=0)[rank::workers],
        },
        wrong={
            "by twelfths of the number in the name": (
                lambda patients, workers, rank: [p for p in patients if int(p[1:]) // 12 % workers == rank],
                "23 patients for 6 workers",
            ),
            "whole rounds only": (
                lambda patients, workers, rank: patients[: len(patients) // workers * workers][rank::workers],
                "is in no shard",
            ),
            "all": (lambda patients, workers, rank: patients, "more than one shard"),
            "one": (lambda patients, workers, rank: [patients[rank]], "is in no shard"),
            "one as text": (lambda patients, workers, rank: patients[rank], "gets a str"),
            "none": (lambda patients, workers, rank: [], "is in no shard"),
            "overlapping blocks": (
                lambda patients, workers, rank: patients[rank : rank + len(patients) // workers],
                "more than one shard",
            ),
            "two each": (lambda patients, workers, rank: patients[rank * 2 : rank * 2 + 2], "is in no shard"),
            "as many as fit": (
                lambda patients, workers, rank: patients[
                    rank * (len(patients) // workers) : (rank + 1) * (len(patients) // workers)
                ],
                "is in no shard",
            ),
            "blocks rounded up": (in_blocks, "the shards hold [3, 3, 3, 1]"),
            "the rest to the last": (rest_to_the_last, "the shards hold [2, 2, 2, 4]"),
            "ranks from 1": (lambda patients, workers, rank: patients[rank - 1 :: workers], "P036 is in no shard"),
            "the first left out": (
                lambda patients, workers, rank: patients[rank + 1 :: workers],
                "P012 is in no shard",
            ),
            "the last left out": (lambda patients, workers, rank: patients[:-1][rank::workers], "P144 is in no shard"),
            "workers and rank exchanged": (lambda patients, workers, rank: patients[workers :: rank + 1], "more than"),
            "three workers always": (lambda patients, workers, rank: patients[rank::3], "10 patients for 4 workers"),
            "by the number in the name": (
                lambda patients, workers, rank: [p for p in patients if int(p[1:]) % workers == rank],
                "the shards hold [12, 0, 0]",
            ),
            "by the last letter": (
                lambda patients, workers, rank: [p for p in patients if ord(p[-1]) % workers == rank],
                "the shards hold",
            ),
            "places": (lambda patients, workers, rank: list(range(rank, len(patients), workers)), "0 is no patient"),
            "other names": (
                lambda patients, workers, rank: [f"{rank}-{p}" for p in patients[rank::workers]],
                "'0-P012'",
            ),
            "all shards": (
                lambda patients, workers, rank: [patients[k::workers] for k in range(workers)],
                "is no patient of the list",
            ),
            "a set": (lambda patients, workers, rank: set(patients[rank::workers]), "gets a set"),
            "a dictionary": (lambda patients, workers, rank: dict.fromkeys(patients[rank::workers]), "gets a dict"),
            "how many": (lambda patients, workers, rank: len(patients[rank::workers]), "gets a int"),
            "one text": (lambda patients, workers, rank: ", ".join(patients[rank::workers]), "gets a str"),
            "shuffled by each worker": (
                lambda patients, workers, rank: shuffled(patients, seed=rank)[rank::workers],
                "more than one shard",
            ),
            "drawn": (
                lambda patients, workers, rank: shuffled(patients, seed=rank)[: len(patients) // workers],
                "more than one shard",
            ),
            "twice": (lambda patients, workers, rank: 2 * patients[rank::workers], "or twice in one"),
            "shuffles what it is given": (shuffled_in_place, "changes what it is given"),
        },
        equivalent={"backward": "the order within a shard is free"},
    ),
    Exercise(
        "14.3",
        check.efficiency,
        right={
            "worker-seconds": share,
            "speed-up by workers": lambda one, many, workers: one / many / workers,
            "NumPy": lambda one, many, workers: np.divide(one, np.multiply(many, workers)),
        },
        wrong={
            "below 1 always": (lambda one, many, workers: min(share(one, many, workers), 0.999), "8 s alone and 4 s"),
            "workers as a power of 2": (
                lambda one, many, workers: one / many / 2 ** round(np.log2(workers)),
                "7 s alone and 3 s on 5 workers",
            ),
            "the speed-up": (lambda one, many, workers: one / many, "That is the speed-up"),
            "the time left": (lambda one, many, workers: many / one, "share of time that is left"),
            "upside down": (lambda one, many, workers: workers * many / one, "upside down"),
            "1 at most": (lambda one, many, workers: min(1, share(one, many, workers)), "may be above 1"),
            "percent": (lambda one, many, workers: 100 * share(one, many, workers), "in percent"),
            "what is lost": (lambda one, many, workers: 1 - share(one, many, workers), "share that is lost"),
            "time saved": (lambda one, many, workers: 1 - many / one, "time that is saved"),
            "multiplied by the workers": (lambda one, many, workers: one * workers / many, "less efficient, not more"),
            "the others only": (lambda one, many, workers: one / many / (workers - 1), "first worker counts too"),
            "two workers always": (lambda one, many, workers: one / (2 * many), "worker-seconds"),
            "rounded": (lambda one, many, workers: round(share(one, many, workers), 2), "It is rounded"),
            "rounded to one digit": (lambda one, many, workers: round(share(one, many, workers), 1), "It is rounded"),
            "whole numbers": (lambda one, many, workers: one // (workers * many), "worker-seconds"),
            "added": (lambda one, many, workers: one / (workers + many), "worker-seconds"),
            "multiplied by the time": (lambda one, many, workers: one / workers * many, "worker-seconds"),
            "always 1": (lambda one, many, workers: 1.0, "worker-seconds"),
            "text": (lambda one, many, workers: f"{share(one, many, workers):.3f}", "a number was expected"),
            "both": (lambda one, many, workers: (one / many, share(one, many, workers)), "one number was expected"),
        },
    ),
    Exercise(
        "14.4",
        check.who_am_i,
        right={
            "two numbers": who,
            "a list": lambda environment: list(who(environment)),
            "computed from nodes": lambda environment: (
                int(environment["SLURM_JOB_NUM_NODES"]) * int(environment["SLURM_NTASKS_PER_NODE"]),
                int(environment["SLURM_NODEID"]) * int(environment["SLURM_NTASKS_PER_NODE"])
                + int(environment["SLURM_LOCALID"]),
            ),
            "NumPy numbers": lambda environment: tuple(map(np.int64, who(environment))),
        },
        wrong={
            "text": (lambda environment: (environment["SLURM_NTASKS"], environment["SLURM_PROCID"]), "with int"),
            "the rank as text": (lambda environment: (who(environment)[0], environment["SLURM_PROCID"]), "with int"),
            "one number": (lambda environment: 8, "two numbers"),
            "the rank alone": (lambda environment: (who(environment)[1],), "two numbers"),
            "a set": (lambda environment: set(who(environment)), "two numbers"),
            "a dictionary": (lambda environment: dict([who(environment)]), "two numbers"),
            "one text": (lambda environment: "{} {}".format(*who(environment)), "two numbers"),
            "exchanged": (lambda environment: who(environment)[::-1], "comes first, then the rank"),
            "the machines": (numbers("SLURM_JOB_NUM_NODES"), "number of machines"),
            "the tasks of one machine": (numbers("SLURM_NTASKS_PER_NODE"), "one machine's number"),
            "the number on the machine": (numbers(rank="SLURM_LOCALID"), "begins again on every node"),
            "the number of the machine": (numbers(rank="SLURM_NODEID"), "is the machine"),
            "one machine and its number": (numbers("SLURM_NTASKS_PER_NODE", "SLURM_LOCALID"), "one machine's number"),
            "machines and their number": (numbers("SLURM_JOB_NUM_NODES", "SLURM_NODEID"), "number of machines"),
            "the rank twice": (numbers("SLURM_PROCID", "SLURM_PROCID"), "comes first"),
            "machines and tasks added": (
                lambda environment: (
                    int(environment["SLURM_JOB_NUM_NODES"]) + int(environment["SLURM_NTASKS_PER_NODE"]),
                    who(environment)[1],
                ),
                "number of all tasks",
            ),
            "ranks from 1": (lambda environment: (who(environment)[0], who(environment)[1] + 1), "from 0 on"),
            "the last rank": (lambda environment: (who(environment)[0], who(environment)[0] - 1), "from 0 on"),
            "one digit": (
                lambda environment: (int(environment["SLURM_NTASKS"][-1]), int(environment["SLURM_PROCID"][-1])),
                "number of all tasks",
            ),
            "one digit of the rank": (
                lambda environment: (who(environment)[0], int(environment["SLURM_PROCID"][0])),
                "from 0 on",
            ),
            "machine and number added": (
                lambda environment: (
                    who(environment)[0],
                    int(environment["SLURM_NODEID"]) + int(environment["SLURM_LOCALID"]),
                ),
                "from 0 on",
            ),
            "as in the example": (lambda environment: (4, 3), "number of all tasks"),
            "the number of entries": (lambda environment: (len(environment), who(environment)[1]), "of all tasks"),
            "truth values": (
                lambda environment: (who(environment)[0], bool(who(environment)[1])),
                "number was expected",
            ),
            "nothing for the rank": (lambda environment: (who(environment)[0], ...), "Not yet"),
            "takes them out": (popped, "changes what it is given"),
        },
    ),
]

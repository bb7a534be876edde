"""Self-checks of notebook 14, scaling out."""

import numpy as np

from ._numbers import compare
from ._verdict import NotYet, Wrong, call, exercise, is_open, number


def _weighted(gradients, sizes):
    return np.average(gradients, axis=0, weights=sizes)


def _wrong_gradients(gradients, sizes):
    right, total = _weighted(gradients, sizes), sum(sizes)
    return {
        "That is the plain mean: a slice in a small part would count more than one in a large part.": (
            np.mean(gradients, axis=0)
        ),
        "That is the sum. The loss is a mean over slices, so that its gradient is one too.": np.sum(gradients, axis=0),
        "The weights are right and their sum is missing: divide by the number of all slices.": right * total,
        "The weights are right; divide by the number of all slices, not by the number of parts.": (
            right * total / len(sizes)
        ),
        "The weights are right, but not every batch has 16 slices: divide by their sum.": right * total / 16,
        "A part with more slices counts more, not less.": _weighted(gradients, 1 / np.array(sizes)),
        "The weights are those of other parts: keep the order of gradients and sizes.": (
            _weighted(gradients, sizes[::-1])
        ),
        "That is the median; a gradient of a mean is a mean.": np.median(gradients, axis=0),
    }


@exercise
def combine(function):
    """A function of (gradients, sizes) that gives the gradient of the whole batch, for means over slices."""
    random, cases = np.random.default_rng(0), {}
    for sizes, shape in (
        ([12, 4], (6,)),
        ([8, 8], (6,)),
        ([5, 3, 8], (2, 3)),
        ([30, 2], (2, 2)),
        ([1, 2, 7, 20], (4, 1, 4)),
        ([9], (5,)),
    ):
        gradients = [random.normal(size=shape) for _ in sizes]
        cases[f"for parts of {' and '.join(map(str, sizes))} slices"] = gradients, sizes
    whole = "each gradient, and the whole, has this shape"
    compare(function, _weighted, cases, _wrong_gradients, "Give each part its share of the slices.", several=whole)
    return "Each part counts with its share of the slices. With equal parts this is the plain mean."


@exercise
def shard(function):
    """A function of (patients, workers, rank) that gives the patients of one worker."""
    for count, workers in ((12, 3), (10, 4), (7, 2), (5, 1), (11, 3), (3, 5), (23, 6)):
        patients = [f"P{12 * k if k < 13 else 7 * k * k:03d}" for k in range(1, count + 1)]
        shards = [call(function, patients, workers, rank) for rank in range(workers)]
        shown = f"{count} patients for {workers} workers: "
        for rank, one in enumerate(shards):
            if not isinstance(one, (list, tuple, np.ndarray)):
                raise Wrong(f"{shown}worker {rank} gets a {type(one).__name__}; return a list of patients, in order.")
            if unknown := [patient for patient in one if not isinstance(patient, str) or patient not in patients]:
                raise Wrong(f"{shown}{unknown[0]!r} is no patient of the list.")
        together = [patient for one in shards for patient in one]
        if twice := [patient for patient in together if together.count(patient) > 1]:
            raise Wrong(
                f"{shown}{twice[0]} is in more than one shard, or twice in one, and counts twice in every epoch."
            )
        if missing := [patient for patient in patients if patient not in together]:
            raise Wrong(f"{shown}{missing[0]} is in no shard. Nobody will ever train on it.")
        sizes = [len(one) for one in shards]
        if max(sizes) - min(sizes) > 1:
            raise Wrong(f"{shown}the shards hold {sizes}. They should differ by one at most, or some workers wait.")
    return "Every patient in exactly one shard, and the shards as even as can be."


def _wrong_efficiencies(one, many, workers):
    right = one / (workers * many)
    return {
        "That is the speed-up. Divide it by the number of workers.": one / many,
        "That is the share of time that is left, and it says nothing of what the workers cost.": many / one,
        "It is upside down: an efficiency is 1 when nothing is lost, and less when something is.": 1 / right,
        "It may be above 1: several workers have more memory together, and can be more than so many times as fast.": (
            min(1, right)
        ),
        "That is in percent; a share is 1 at most, as a rule.": 100 * right,
        "That is the share that is lost.": 1 - right,
        "That is the share of time that is saved.": 1 - many / one,
        "More workers for the same time are less efficient, not more.": one * workers / many,
        "The first worker counts too: divide by all workers.": one / many / (workers - 1),
    }


@exercise
def efficiency(function):
    """A function of (seconds_of_one, seconds_of_many, workers), strong scaling."""
    steps = [(8.0, 2.5, 4), (8.0, 4.0, 2), (3.0, 3.0, 2), (10.0, 1.0, 16), (7.0, 3.0, 5), (10.0, 4.0, 2), (5.0, 6.0, 3)]
    compare(
        function,
        lambda one, many, workers: one / (workers * many),
        {f"{one:g} s alone and {many:g} s on {workers} workers:": (one, many, workers) for one, many, workers in steps},
        _wrong_efficiencies,
        "Compare the work of one, in worker-seconds, with the work of all.",
    )
    return "Worker-seconds that one needs, over worker-seconds that all together use."


PROCESSES = {  # what was taken for SLURM_NTASKS
    "SLURM_JOB_NUM_NODES": "That is the number of machines. Count the tasks of all nodes together.",
    "SLURM_NTASKS_PER_NODE": "That is one machine's number. Count the tasks of all nodes together.",
    "SLURM_PROCID": "The number of processes comes first, then the rank.",
}
RANKS = {  # what was taken for SLURM_PROCID
    "SLURM_LOCALID": "SLURM_LOCALID begins again on every node: two workers would have the same number.",
    "SLURM_NODEID": "SLURM_NODEID is the machine; all tasks on it would have the same number.",
}


@exercise
def who_am_i(function):
    """A function of Slurm's environment that gives (number of processes, rank of this one)."""
    environments = [
        {
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURM_NTASKS": str(nodes * tasks),
            "SLURM_NTASKS_PER_NODE": str(tasks),
            "SLURM_NODEID": str(rank // tasks),
            "SLURM_LOCALID": str(rank % tasks),
            "SLURM_PROCID": str(rank),
        }
        for nodes, tasks in ((2, 4), (3, 1), (1, 2), (3, 4), (5, 3))
        for rank in range(nodes * tasks)
    ]
    given = [call(function, environment) for environment in environments]
    for answer in given:
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Wrong(f"it gives {answer!r}; return two numbers, (processes, rank).")
        if any(map(is_open, answer)):
            raise NotYet("one of the two numbers is still open.")
        if any(isinstance(value, str) for value in answer):
            raise Wrong("the environment holds texts; turn them into numbers with int.")
    for place, name, taken, hint in (
        (0, "SLURM_NTASKS", PROCESSES, "The first is the number of all tasks."),
        (1, "SLURM_PROCID", RANKS, "The second is this task's number among all tasks, from 0 on."),
    ):
        found = [number(answer[place]) for answer in given]
        right = [int(environment[name]) for environment in environments]
        if found != right:
            for other, mistake in taken.items():
                if found == [int(environment[other]) for environment in environments]:
                    hint = mistake
            first = next(k for k in range(len(found)) if found[k] != right[k])
            nodes, _, tasks, _, _, rank = environments[first].values()
            shown = f"{nodes} nodes with {tasks} tasks each, task {rank} of all: it gives {tuple(given[first])}, "
            raise Wrong(f"{shown}and not {(int(nodes) * int(tasks), int(rank))}. {hint}")
    return "Each worker has another number, and all agree on how many they are."

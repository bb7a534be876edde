"""Self-checks of notebook 14, scaling out."""

import numpy as np

from ._verdict import Wrong, call, exercise, number


@exercise
def combine(function):
    """A function of (gradients, sizes) that gives the gradient of the whole batch, for means over slices."""
    random = np.random.default_rng(0)
    for sizes in ((8, 8), (12, 4), (5, 3, 8)):
        gradients = [random.normal(size=6) for _ in sizes]
        right = np.average(gradients, axis=0, weights=sizes)
        given = np.asarray(call(function, gradients, list(sizes)))
        shown = f"for parts of {' and '.join(map(str, sizes))} slices "
        if given.shape != right.shape:
            raise Wrong(
                f"{shown}it gives shape {given.shape}; a gradient has one number per weight, here {right.shape}."
            )
        if np.allclose(given, right):
            continue
        if np.allclose(given, np.mean(gradients, axis=0)):
            raise Wrong(
                f"{shown}it gives the plain mean: a slice in a small part would count more than one in a large."
            )
        if np.allclose(given, np.sum(gradients, axis=0)):
            raise Wrong(f"{shown}it gives the sum. The loss is a mean over slices, so that its gradient is one too.")
        if np.allclose(given, np.sum([n * g for n, g in zip(sizes, gradients, strict=True)], axis=0)):
            raise Wrong(f"{shown}the weights are right and their sum is missing: divide by {sum(sizes)} slices.")
        raise Wrong(f"{shown}it is not the gradient of the whole batch. Give each part its share of the slices.")
    return "Each part counts with its share of the slices. With equal parts this is the plain mean."


@exercise
def shard(function):
    """A function of (patients, workers, rank) that gives the patients of one worker."""
    for count, workers in ((12, 3), (10, 4), (7, 2), (5, 1)):
        patients = [f"P{k:03d}" for k in range(count)]
        shards = [list(call(function, list(patients), workers, rank)) for rank in range(workers)]
        together = [patient for one in shards for patient in one]
        shown = f"{count} patients for {workers} workers: "
        if len(together) != len(set(together)):
            twice = next(patient for patient in together if together.count(patient) > 1)
            raise Wrong(f"{shown}{twice} is in more than one shard, and counts twice in every epoch.")
        if missing := set(patients) - set(together):
            raise Wrong(f"{shown}{min(missing)} is in no shard. Nobody will ever train on it.")
        if unknown := set(together) - set(patients):
            raise Wrong(f"{shown}{next(iter(unknown))!r} is no patient of the list.")
        sizes = [len(one) for one in shards]
        if max(sizes) - min(sizes) > 1:
            raise Wrong(f"{shown}the shards hold {sizes}. They should differ by one at most, or some workers wait.")
    return "Every patient in exactly one shard, and the shards as even as can be."


@exercise
def efficiency(function):
    """A function of (seconds_of_one, seconds_of_many, workers), strong scaling."""
    for one, many, workers in ((8.0, 4.0, 2), (8.0, 2.5, 4), (3.0, 3.0, 2), (10.0, 1.0, 16)):
        right = one / (workers * many)
        given = number(call(function, one, many, workers))
        if np.isclose(given, right):
            continue
        shown = f"{one:g} s alone and {many:g} s on {workers} workers: it gives {given:.3g}, not {right:.3g}. "
        if np.isclose(given, one / many):
            raise Wrong(shown + "That is the speed-up. Divide it by the number of workers.")
        if np.isclose(given, many / one):
            raise Wrong(shown + "That is the share of time that is left, and it says nothing of what the workers cost.")
        if np.isclose(given, 1 / right):
            raise Wrong(
                shown + "It is upside down: an efficiency is 1 when nothing is lost, and less when something is."
            )
        raise Wrong(shown + "Compare the work of one, in worker-seconds, with the work of all.")
    return "Worker-seconds that one needs, over worker-seconds that all together use."


@exercise
def who_am_i(function):
    """A function of Slurm's environment that gives (number of processes, rank of this one)."""
    for nodes, tasks in ((2, 4), (3, 1), (1, 2)):
        for rank in range(nodes * tasks):
            environment = {
                "SLURM_JOB_NUM_NODES": str(nodes),
                "SLURM_NTASKS": str(nodes * tasks),
                "SLURM_NTASKS_PER_NODE": str(tasks),
                "SLURM_NODEID": str(rank // tasks),
                "SLURM_LOCALID": str(rank % tasks),
                "SLURM_PROCID": str(rank),
            }
            given = call(function, environment)
            if not isinstance(given, (tuple, list)) or len(given) != 2:
                raise Wrong(f"it gives {given!r}; return two numbers, (processes, rank).")
            if any(isinstance(value, str) for value in given):
                raise Wrong("the environment holds texts; turn them into numbers with int.")
            if tuple(given) == (nodes * tasks, rank):
                continue
            shown = f"{nodes} nodes with {tasks} tasks each: it gives {tuple(given)}, not {(nodes * tasks, rank)}. "
            if given[0] in (nodes, tasks) and given[0] != nodes * tasks:
                raise Wrong(shown + "Count the tasks of all nodes together.")
            if given[1] == rank % tasks:
                raise Wrong(shown + "SLURM_LOCALID begins again on every node: two workers would have the same number.")
            if given[1] == rank // tasks:
                raise Wrong(shown + "SLURM_NODEID is the machine; all tasks on it would have the same number.")
            raise Wrong(shown + "The number of all tasks, and this task's number among them.")
    return "Each worker has another number, and all agree on how many they are."

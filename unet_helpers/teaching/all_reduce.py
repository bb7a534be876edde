"""What it costs to add up gradients: a ring of workers, a model of time, and a script for Slurm."""

import shlex

import numpy as np


def ring_all_reduce(values):
    """Add up arrays over a ring of workers, one message per worker and step; gives what all hold after each step.

    Each worker's array is cut into as many chunks as there are workers. In the first half of the steps the sums
    grow as chunks travel around the ring, until each worker holds one finished chunk; in the second half the finished
    chunks travel. After Patarasuk and Yuan (2009).

    Parameters
    ----------
    values : ``(workers, chunks)`` with as many chunks as workers
        Row k is what worker k has to contribute.

    Returns
    -------
    ``(2 * (workers - 1) + 1, workers, chunks)`` : the beginning, and the state after each step

    Examples
    --------
    >>> ring_all_reduce([[1, 2], [10, 20]])[-1]
    array([[11, 22],
           [11, 22]])
    """
    values = np.array(values)
    workers, chunks = values.shape
    if workers != chunks:
        raise ValueError(f"{workers} workers need as many chunks each, not {chunks}")
    states = [values]
    for step in range(2 * (workers - 1)):
        held, state = states[-1], states[-1].copy()
        adding = step < workers - 1
        for sender in range(workers):
            receiver = (sender + 1) % workers
            chunk = (sender - step) % workers if adding else (sender + 1 - (step - workers + 1)) % workers
            state[receiver, chunk] = held[sender, chunk] + (held[receiver, chunk] if adding else 0)
        states.append(state)
    return np.stack(states)


def all_reduce_seconds(workers, size, bandwidth, latency):
    """Time of a ring all-reduce: 2 (n − 1) messages in a row, each a latency and a chunk of ``size / n``.

    Parameters
    ----------
    workers : int or array
    size : float
        Bytes to add up, e.g. 4 per parameter of the network.
    bandwidth : float
        Bytes per second from one worker to the next.
    latency : float
        Seconds before a message's first byte arrives.

    Returns
    -------
    float or array, seconds

    Examples
    --------
    >>> all_reduce_seconds(1, 4e6, bandwidth=1e9, latency=1e-4)
    0.0
    >>> round(all_reduce_seconds(2, 4e6, bandwidth=1e9, latency=1e-4), 6)
    0.0042
    """
    messages = 2 * (workers - 1)
    return messages * (latency + size / workers / bandwidth)


def step_seconds(workers, compute, size, bandwidth, latency, *, weak=False):
    """Model of one training step: computing, then adding up the gradients; the two do not overlap.

    Parameters
    ----------
    compute : float
        Seconds in which one worker computes its whole batch alone.
    weak : bool
        Each worker keeps the batch of one, so that the global batch grows; else the batch is divided.
    workers, size, bandwidth, latency
        As in :func:`all_reduce_seconds`.

    Returns
    -------
    float or array, seconds
    """
    own = compute + 0 * workers if weak else compute / workers
    return own + all_reduce_seconds(workers, size, bandwidth, latency)


def slurm_script(command, *, nodes=2, tasks_per_node=1, cpus=4, gpus=0, minutes=60, name="unet", port=29500):
    """A batch script for the scheduler Slurm that starts ``command`` once per task, as workers of one training.

    Parameters
    ----------
    command : str or list of str
        e.g. ``"python train.py"``; it calls ``keras.distribution.initialize()``.
    nodes, tasks_per_node : int
        Machines, and workers on each.
    cpus, gpus : int
        Of each task.
    minutes : int
        After which the scheduler ends the job.
    name : str
    port : int
        Free on the first node.

    Returns
    -------
    str : the text of the script, for ``sbatch``

    Raises
    ------
    ValueError
        For numbers below 1 (``gpus``: below 0), or a port out of range.
    """
    counts = {"nodes": nodes, "tasks_per_node": tasks_per_node, "cpus": cpus, "minutes": minutes}
    for what, value in counts.items():
        if value < 1:
            raise ValueError(f"{what} is {value}; it must be at least 1")
    if gpus < 0 or not 1024 <= port <= 65535:
        raise ValueError(f"gpus is {gpus} and port {port}; give gpus from 0 on, and a port from 1024 to 65535")
    if not isinstance(command, str):
        command = shlex.join(command)
    options = {
        "job-name": shlex.quote(name),
        "nodes": nodes,
        "ntasks-per-node": tasks_per_node,
        "cpus-per-task": cpus,
        **({"gpus-per-task": gpus} if gpus else {}),
        "time": f"{minutes // 60:02d}:{minutes % 60:02d}:00",
        "output": "%x-%j.log",
    }
    # $SLURM_PROCID is another one in every task, so that the task itself must look it up
    task = f"KERAS_DISTRIBUTION_PROCESS_ID=$SLURM_PROCID exec {command}"
    lines = ["#!/bin/bash", *(f"#SBATCH --{key}={value}" for key, value in options.items())]
    lines += [
        "set -euo pipefail",
        "",
        # not head: it would leave early, and the broken pipe would end the script
        'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)',
        f'export KERAS_DISTRIBUTION_JOB_ADDRESSES="$first:{port}"',
        'export KERAS_DISTRIBUTION_NUM_PROCESSES="$SLURM_NTASKS"',
        "export KERAS_BACKEND=jax",
    ]
    if gpus:  # each task sees its own GPUs as number 0, 1, ..., but JAX would look for that of the task's number
        lines.append("export JAX_LOCAL_DEVICE_IDS=" + ",".join(map(str, range(gpus))))
    # srun has not taken the cores over from #SBATCH since Slurm 22.05
    lines += ["", f"srun --cpus-per-task={cpus} --kill-on-bad-exit=1 bash -c {shlex.quote(task)}"]
    return "\n".join(lines) + "\n"

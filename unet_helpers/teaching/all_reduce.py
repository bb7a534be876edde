"""What it costs to add up gradients: a ring of workers, and a model of time. Used in 14."""

import numpy as np


def ring_all_reduce(values):
    """Add up arrays over a ring of workers, one message per worker and step; gives what all hold after each step.

    Each worker's array is cut into as many chunks as there are workers. In the first half of the steps the sums
    grow as chunks travel around the ring, until each worker holds one finished chunk; in the second half the finished
    chunks travel. After Patarasuk and Yuan (2009). Used in 14.

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
    Used in 14.

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
    """Model of one training step: computing, then adding up the gradients; the two do not overlap. Used in 14.

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

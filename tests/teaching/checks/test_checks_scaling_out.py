"""The self-checks of notebook 14: starter, right answer, and the wrong answers that people give."""

import numpy as np
import pytest

from unet_helpers.teaching.checks import scaling_out as check


def weighted(gradients, sizes):
    return sum(n * g for n, g in zip(sizes, gradients, strict=True)) / sum(sizes)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (weighted, "Right."),
        (lambda gradients, sizes: np.mean(gradients, axis=0), "12 and 4 slices it gives the plain mean"),
        (lambda gradients, sizes: np.sum(gradients, axis=0), "it gives the sum"),
        (lambda gradients, sizes: weighted(gradients, sizes) * sum(sizes), "divide by 16 slices"),
        (lambda gradients, sizes: weighted(gradients, sizes).mean(), "one number per weight"),
        (lambda gradients, sizes: gradients[0], "share of the slices"),
    ],
)
def test_combine(said, answer, verdict):
    assert verdict in said(check.combine, answer)


def in_blocks(patients, workers, rank):
    size = -(-len(patients) // workers)
    return patients[rank * size : (rank + 1) * size]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda patients, workers, rank: patients[rank::workers], "Right."),
        (lambda patients, workers, rank: np.array_split(patients, workers)[rank].tolist(), "Right."),
        (lambda patients, workers, rank: patients, "more than one shard"),
        (lambda patients, workers, rank: patients[rank : rank + len(patients) // workers], "more than one shard"),
        (lambda patients, workers, rank: patients[rank * 2 : rank * 2 + 2], "is in no shard"),
        (in_blocks, "the shards hold [3, 3, 3, 1]"),
        (lambda patients, workers, rank: [f"{rank}-{k}" for k in patients[rank::workers]], "is in no shard"),
    ],
)
def test_shard(said, answer, verdict):
    assert verdict in said(check.shard, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda one, many, workers: one / (workers * many), "Right."),
        (lambda one, many, workers: one / many, "That is the speed-up"),
        (lambda one, many, workers: many / one, "share of time"),
        (lambda one, many, workers: 1.0, "worker-seconds"),
    ],
)
def test_efficiency(said, answer, verdict):
    assert verdict in said(check.efficiency, answer)


def test_an_efficiency_upside_down_is_named(said):
    # the first example is neutral to it: 8 s alone and 4 s on two workers give 1 either way
    assert "upside down" in said(check.efficiency, lambda one, many, workers: workers * many / one)


def numbers(processes, rank):
    return lambda environment: (int(environment[processes]), int(environment[rank]))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (numbers("SLURM_NTASKS", "SLURM_PROCID"), "Right."),
        (lambda environment: (environment["SLURM_NTASKS"], environment["SLURM_PROCID"]), "with int"),
        (lambda environment: 8, "two numbers"),
        (numbers("SLURM_JOB_NUM_NODES", "SLURM_PROCID"), "tasks of all nodes"),
        (numbers("SLURM_NTASKS_PER_NODE", "SLURM_PROCID"), "tasks of all nodes"),
        (numbers("SLURM_NTASKS", "SLURM_LOCALID"), "begins again on every node"),
        (numbers("SLURM_NTASKS", "SLURM_NODEID"), "is the machine"),
        (lambda environment: (int(environment["SLURM_NTASKS"]), 99), "this task's number"),
    ],
)
def test_who_am_i(said, answer, verdict):
    assert verdict in said(check.who_am_i, answer)

"""The gate before every other step: does the network give elsewhere what it gave where it was trained?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Parity:
    """What :func:`compare_networks` found.

    table : pandas.DataFrame
        A row per case: ``pixels``, ``differ``, ``explained`` and ``largest``, the largest difference of a probability.
    margin : float
    """

    table: pd.DataFrame
    margin: float

    @property
    def differ(self):
        """Pixels of another class."""
        return int(self.table["differ"].sum())

    @property
    def explained(self):
        """How many of them lay between two classes already."""
        return int(self.table["explained"].sum())

    @property
    def largest(self):
        return float(self.table["largest"].max())

    @property
    def passed(self):
        """Whether every pixel that differs is explained, and no probability is further off than the margin."""
        return self.differ == self.explained and self.largest <= self.margin

    def __str__(self):
        verdict = "passed" if self.passed else "NOT passed"
        pixels = int(self.table["pixels"].sum())
        return (
            f"{verdict}: {self.differ} of {pixels} pixels in {len(self.table)} cases have another class, "
            f"{self.explained} of them within {self.margin:g} of a tie; largest difference of a probability "
            f"{self.largest:.1e}"
        )


def compare_networks(a, b, images=None, cases=None, margin=1e-3):
    """Compare the answers of two networks, or of one network in two programs, pixel by pixel.

    Rounding alone moves a probability in the sixth digit, and so turns a pixel whose two best classes were equal up to
    there. Such a pixel is *explained*: in ``a`` its two best probabilities are no more than ``margin`` apart.

    Parameters
    ----------
    a, b : a network with ``predict``, or its answers ``(N, H, W, K)`` to the same images
        K is 2 or more; of one map, give ``1 - p`` and ``p``.
    images : ``(N, H, W, C)``, optional
        Not needed for two answers.
    cases : ``(N,)``, optional
        To which case each image belongs, such as ``subset.patient_ids``; default: each is one.
    margin : float
        Also the most by which any probability may differ.

    Returns
    -------
    Parity

    Raises
    ------
    ValueError
        If the answers have different shapes, hold NaN, or have one class.
    """
    first, second = (_answers(network, images) for network in (a, b))
    if first.shape != second.shape:
        raise ValueError(f"one answers {first.shape} and the other {second.shape}; give networks of the same classes")
    if first.shape[-1] < 2:
        raise ValueError("the answers have one map; give two classes, as np.concatenate([1 - p, p], axis=-1)")
    cases = np.arange(len(first)) if cases is None else np.asarray(cases)
    if len(cases) != len(first):
        raise ValueError(f"{len(cases)} cases are named for {len(first)} images; name one for each")
    differ = first.argmax(axis=-1) != second.argmax(axis=-1)
    best = np.sort(first, axis=-1)[..., -2:]
    tied = best[..., 1] - best[..., 0] <= margin
    apart = np.abs(first - second).max(axis=-1)
    table = pd.DataFrame(
        {
            "case": cases,
            "pixels": differ[0].size,
            "differ": _per_image(differ),
            "explained": _per_image(differ & tied),
            "largest": apart.reshape(len(apart), -1).max(axis=1),
        }
    )
    how = {"pixels": "sum", "differ": "sum", "explained": "sum", "largest": "max"}
    return Parity(table.groupby("case", sort=False).agg(how).reset_index(), margin)


def _answers(network, images):
    if hasattr(network, "predict"):
        if images is None:
            raise ValueError("there are no images for the networks to answer; give them")
        network = network.predict(images, verbose=0)
    answers = np.asarray(network)
    if not np.isfinite(answers).all():
        raise ValueError("a network answers NaN, which equals nothing; find out where it comes from first")
    return answers


def _per_image(pixels):
    return pixels.reshape(len(pixels), -1).sum(axis=1)

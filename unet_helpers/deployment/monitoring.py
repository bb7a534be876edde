"""Watch what comes in: does it still look like what the network was trained on?

A network says nothing when a scanner is exchanged or its dose is lowered; its masks get worse. What a scanner changes
can be measured in the images alone, without a truth: a few numbers for each study, whose mean over a window of studies
is held against that of training.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from ..files.paths import DataError, atomic_path, user_path

SOFT = (-150, 150)  # HU of muscle, fat and blood
DRAWS = 4000


def input_statistics(volume, spacing):
    """What a scanner changes in a study, in numbers.

    Parameters
    ----------
    volume : ``(D, H, W)`` or ``(D, H, W, 1)`` in HU
    spacing : (slice, row, column) in mm

    Returns
    -------
    dict of float
        ``noise``: logarithm of the standard deviation in HU of neighbors in soft tissue, after their trend; 0 HU
        counts as .1. ``grain``: how much of the noise lies between neighbors, which a sharp kernel makes more.
        ``soft`` and ``air``: median HU of what has the values of soft tissue and of air, which a scanner out of
        calibration moves; the filling of corners counts as neither. ``pixel`` and ``slice``: mm.
    """
    volume = np.asarray(volume, np.float32).reshape(np.shape(volume)[:3])
    between, row, column = (float(value) for value in spacing)
    near, far = _noise(volume, 1), _noise(volume, 3)
    return {
        "noise": float(np.log(max(near, 0.1))),
        "grain": near / far if far > 0 else 0.0,
        "soft": _median(volume[(volume > SOFT[0]) & (volume < SOFT[1])]),
        "air": _median(volume[(volume > -1024) & (volume < -900)]),
        "pixel": float(np.sqrt(row * column)),
        "slice": between,
    }


def _noise(volume, step):
    """Standard deviation of the noise, by pixels in a row of soft tissue ``step`` apart: of each its two neighbors'."""
    left, here, right = volume[..., : -2 * step], volume[..., step:-step], volume[..., 2 * step :]
    soft = np.all([(part > SOFT[0]) & (part < SOFT[1]) for part in (left, here, right)], axis=0)
    # the median of distances passes over edges
    return 1.4826 * _median(np.abs(left - 2 * here + right)[soft]) / 6**0.5


def _median(values):
    return float(np.median(values)) if values.size else 0.0


@dataclass(frozen=True)
class Judgement:
    """What a watch says of one window of studies.

    first, last : the numbers of its studies, from 0
    statistic : the one that changed most
    change : by how many standard errors its mean differs from that of training
    alarm : whether that is more than chance explains
    """

    first: int
    last: int
    statistic: str
    change: float
    alarm: bool


@dataclass(frozen=True)
class Watch:
    """The studies of training in a few numbers, and from which change on the alarm rings.

    names : the statistics
    means, spreads : of each over the studies of training, mean and standard deviation
    studies : how many these were
    window : so many studies are judged together
    rate : of windows like those of training, this share raises the alarm: for nothing
    limit : standard errors
    """

    names: tuple
    means: tuple
    spreads: tuple
    studies: int
    window: int
    rate: float
    limit: float

    @classmethod
    def learn(cls, rows, window=20, rate=0.01, seed=0):
        """Learn from the statistics of studies like those of training, a dict for each.

        The limit is found by trying: windows are drawn from the studies, held against the others, and the largest
        change of all statistics is noted; ``rate`` of them lie beyond the limit. So it holds for statistics that go
        together and have long tails. With few studies it is itself uncertain: 200 and more are good.
        """
        names, table = tuple(rows[0]) if rows else (), _table(rows, tuple(rows[0]) if rows else ())
        if len(table) < 2 * window:
            raise DataError(
                f"{len(table)} studies are too few to learn a window of {window}; give {2 * window} or more"
            )
        if not 1 / DRAWS < rate < 1:
            raise DataError(f"a false-alarm rate of {rate} cannot be found in {DRAWS} draws; give .001 to .5")
        rng = np.random.default_rng(seed)
        largest = np.empty(DRAWS)
        for draw in range(DRAWS):
            order = rng.permutation(len(table))
            one, others = table[order[:window]], table[order[window:]]
            change = _change(one.mean(axis=0), others.mean(axis=0), _spread(others), window, len(others))
            largest[draw] = np.abs(change).max()
        means, spreads = table.mean(axis=0), _spread(table)
        limit = float(np.quantile(largest, 1 - rate))
        return cls(names, tuple(means.tolist()), tuple(spreads.tolist()), len(table), window, rate, limit)

    def judge(self, rows):
        """A :class:`Judgement` for each whole window of studies, in the order in which they came."""
        table = _table(rows, self.names)
        judgements = []
        for first in range(0, len(table) - self.window + 1, self.window):
            mean = table[first : first + self.window].mean(axis=0)
            change = _change(mean, np.array(self.means), np.array(self.spreads), self.window, self.studies)
            most = int(np.argmax(np.abs(change)))
            alarm = bool(abs(change[most]) > self.limit)
            judgements.append(Judgement(first, first + self.window - 1, self.names[most], float(change[most]), alarm))
        return judgements

    def save(self, path):
        """Write it as JSON."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path):
        """Read what :meth:`save` wrote."""
        path = user_path(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"'{path}' is no watch ({error}); learn it again with Watch.learn, and save it") from error


def _change(mean, reference, spread, window, studies):
    """The difference of two means in its standard errors."""
    return (mean - reference) / (spread * np.sqrt(1 / window + 1 / studies))


def _spread(table):
    """Standard deviations; of what never changed a tiny one, so that its first change is a large one."""
    return np.maximum(table.std(axis=0, ddof=1), 1e-6 * (1 + np.abs(table).max(axis=0)))


def _table(rows, names):
    for number, row in enumerate(rows):
        wrong = [name for name in names if not np.isfinite(row.get(name, np.nan))]
        if wrong or set(row) - set(names):
            word = wrong[0] if wrong else min(set(row) - set(names))
            raise DataError(f"study {number} has no '{word}', or has it alone; give all studies the same statistics")
    return np.array([[row[name] for name in names] for row in rows], float).reshape(len(rows), len(names))

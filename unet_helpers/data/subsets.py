"""What every source becomes: three subsets of slices with their masks, split by patient."""

from dataclasses import dataclass, field, fields, replace

import numpy as np

from ..files.pairing import natural_key
from .origin import Origin


@dataclass
class Subset:
    """Slices with their masks and where they come from.

    images : ``(N, H, W, C)`` float32, 0–1 after windowing, else HU
    masks : ``(N, H, W)`` uint8 class indices
    patient_ids, case_ids : ``(N,)`` str; a case is one slice here
    spacing : ``(N, 2)`` float, (row, column) in mm; NaN where the source carries none
    readers : ``(N, R, H, W)`` uint8 or None, the masks of R readers behind a consensus
    instances : ``(N, H, W)`` int32 or None, the number of the object at each pixel, 0 for background
    sources : ``(N,)`` str or None, the image file of each slice; empty where it is made of several
    origin : Origin or None, what the images were like before they were scaled and resized
    """

    images: np.ndarray
    masks: np.ndarray
    patient_ids: np.ndarray
    case_ids: np.ndarray
    spacing: np.ndarray
    readers: np.ndarray | None = None
    instances: np.ndarray | None = None
    sources: np.ndarray | None = None
    origin: Origin | None = None

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """A subset of the slices: an index array, a boolean array or a slice."""
        index = np.atleast_1d(np.arange(len(self))[index])
        columns = {name: getattr(self, name) for name in COLUMNS}
        return replace(self, **{name: values[index] for name, values in columns.items() if values is not None})

    @property
    def patients(self):
        """The patient ids in natural order, each once."""
        return sorted(set(self.patient_ids.tolist()), key=natural_key)

    def of_patient(self, patient_id):
        """The slices of one patient."""
        return self[self.patient_ids == patient_id]


#: the fields of a subset that have a row for each slice
COLUMNS = tuple(column.name for column in fields(Subset) if column.name != "origin")


@dataclass
class Dataset:
    """Three subsets that share no patient, and how they were made."""

    name: str
    class_names: tuple
    train: Subset
    validation: Subset
    test: Subset
    report: list = field(default_factory=list)

    def __post_init__(self):
        """Whatever made the masks: what is no class index goes no further."""
        for name, subset in self.subsets.items():
            masks = np.asarray(subset.masks)
            wrong = masks[(masks < 0) | (masks != np.floor(masks))] if masks.dtype.kind in "if" and masks.size else ()
            if len(wrong):
                raise ValueError(
                    f"the masks of {name} hold {wrong[0]:g}, which is no class index; give pixels that must not count "
                    "a class, for instance background with masks[masks < 0] = 0, and resize masks to the nearest "
                    "neighbor"
                )

    @property
    def num_classes(self):
        """Background included."""
        return len(self.class_names)

    @property
    def subsets(self):
        """The three by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def __str__(self):
        lines = [f"{self.name}: {', '.join(f'{i} {name}' for i, name in enumerate(self.class_names))}"]
        for name, subset in self.subsets.items():
            size = "×".join(str(n) for n in subset.images.shape[1:])
            lines.append(f"  {name:<10} {len(subset.patients):>3} patients, {len(subset):>4} slices of {size}")
        return "\n".join(lines + [f"  {line}" for line in self.report])


def split_by_patient(patient_ids, fractions=(0.7, 0.15, 0.15), seed=0):
    """Divide slices so that all slices of one patient fall on the same side.

    Parameters
    ----------
    patient_ids : ``(N,)`` str
    fractions : three floats that sum to 1
    seed : int
        The same ids and seed give the same split, in whatever order the slices come.

    Returns
    -------
    three int arrays, the indices of train, validation and test

    Raises
    ------
    ValueError
        If there are fewer than three patients, or the fractions do not sum to 1.
    """
    patient_ids = np.asarray(patient_ids, dtype=str)
    patients = np.array(sorted(set(patient_ids.tolist())))
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions are {tuple(fractions)}; give three shares above 0 that sum to 1")
    if len(patients) < 3:
        raise ValueError(
            f"{len(patients)} patient(s) ({', '.join(patients)}) cannot be split into train, validation and test; "
            "three are the least, and thirty a reasonable start. If one patient id covers all files, "
            "say with patient_pattern where the id stands in the name"
        )
    order = np.random.default_rng(seed).permutation(len(patients))
    # at least one patient on every side, whatever rounding says
    n_test = min(max(1, round(fractions[2] * len(patients))), len(patients) - 2)
    n_validation = min(max(1, round(fractions[1] * len(patients))), len(patients) - 1 - n_test)
    n_train = len(patients) - n_validation - n_test
    groups = np.split(patients[order], [n_train, n_train + n_validation])
    parts = tuple(np.flatnonzero(np.isin(patient_ids, group)) for group in groups)
    check_no_overlap(*(patient_ids[part] for part in parts))
    return parts


def check_no_overlap(*groups):
    """Raise ``ValueError`` if a patient id stands in more than one group, naming the patients."""
    seen = set()
    for group in groups:
        shared = sorted(seen & set(np.asarray(group).tolist()))
        if shared:
            raise ValueError(
                f"{len(shared)} patient(s) stand on both sides of the split ({', '.join(shared[:5])}): "
                "the score would measure memory; split by patient"
            )
        seen |= set(np.asarray(group).tolist())


def join(subsets):
    """Several subsets as one."""
    columns = zip(*([getattr(part, name) for name in COLUMNS] for part in subsets), strict=True)
    joined = (None if any(value is None for value in values) else np.concatenate(values) for values in columns)
    origins = [part.origin for part in subsets]
    return Subset(*joined, origin=origins[0] if origins.count(origins[0]) == len(origins) else None)

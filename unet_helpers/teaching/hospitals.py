"""Hospitals that do not share data: four with scanners and windows of their own, and one that took no part."""

from dataclasses import dataclass, replace

import numpy as np

from ..data import subset_of_patients
from ..phantom import Acquisition, make_patient

FAMILY = 18  # of the phantom's patients; other notebooks and benchmarks have other families
MOST = 10_000  # patients that a hospital can have


@dataclass(frozen=True)
class Hospital:
    """One hospital: how many training patients it has, its scanner, and the window (level, width) of its pictures."""

    patients: int
    scanner: Acquisition
    window: tuple


#: the four that train together, the largest first, and at the end one that took no part
HOSPITALS = {
    "North": Hospital(12, Acquisition(), (-600, 1500)),
    "East": Hospital(8, Acquisition(kernel="sharp", photons=3e3), (-500, 1300)),
    "South": Hospital(6, Acquisition(field_of_view=500.0, motion=3.0), (-600, 2000)),
    "West": Hospital(4, Acquisition(slice_thickness=8.0), (-350, 2400)),
    "elsewhere": Hospital(0, Acquisition(photons=1e3, field_of_view=420.0, beam_hardening=0.06), (-450, 1800)),
}
SITES = tuple(HOSPITALS)[:-1]


def slices_of(name, numbers, size=64):
    """Slices of some patients of a hospital, lung (with its nodules) against background. Used in 18b.

    Parameters
    ----------
    name : str
        A key of :data:`HOSPITALS`.
    numbers : iterable of int
        Which patients, below 10,000. A number is a different person at each hospital.
    size : int
        Height and width.

    Returns
    -------
    Subset
        Eight slices for each patient; masks hold 0 and 1.
    """
    hospital, first = HOSPITALS[name], MOST * list(HOSPITALS).index(name)
    made = [make_patient(FAMILY, index=first + k, size=size, acquisition=hospital.scanner) for k in numbers]
    subset = subset_of_patients(made, hospital.window)
    return replace(subset, masks=(subset.masks > 0).astype(np.uint8))


def with_group_norm(network, groups=4):
    """The same network, untrained, with group normalization in place of batch normalization. Used in 18b.

    Group normalization takes mean and variance from one image alone, so there is nothing to average over images. After
    Wu and He (2018).
    """
    import keras

    def replaced(layer):
        if isinstance(layer, keras.layers.BatchNormalization):
            return keras.layers.GroupNormalization(groups, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=replaced, call_function=lambda layer, x, **_: layer(x))

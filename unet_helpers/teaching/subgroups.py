"""The groups of notebook 18: what a synthetic patient is asked for, and reports that look for a gap."""

import numpy as np

from ..evaluation.groups import gap_p_values, holm


def attributes(patient):
    """Yes or no to what a report by group may ask of a synthetic patient. Used in 18.

    Parameters
    ----------
    patient : unet_helpers.phantom.Patient

    Returns
    -------
    dict of str to bool
        Arms and consolidation are known of patients of the archive only; others have neither.
    """
    anatomy, scan = patient.anatomy, patient.acquisition
    # exposure control gives obese patients more photons: what is asked here is the choice of the clinic
    photons = scan.photons / np.exp(0.018 * (anatomy.fat - 15))
    return {
        "women": anatomy.sex == "female",
        "obese": anatomy.fat > 20,
        "low dose": bool(photons < 5e4),
        "sharp kernel": scan.kernel == "sharp",
        "thick slices": scan.slice_thickness >= 5,
        "contrast medium": anatomy.contrast > 0,
        "arms down": "arms down" in patient.difficulties,
        "consolidation": "consolidation" in patient.difficulties,
    }


def found_by(values, members, correct=True, level=0.05):
    """The groups that one report calls different from everybody else. Used in 18.

    Parameters
    ----------
    values : ``(P,)`` float
        One per patient, none of them nan.
    members : dict of str to ``(P,)`` bool
        The groups that are looked at; one with fewer than five patients inside or outside is left out.
    correct : bool
        Raise the p-values by Holm's rule, for so many looks.
    level : float

    Returns
    -------
    list of str
    """
    p = gap_p_values(values, np.array(list(members.values())))
    p = holm(p) if correct else p
    return [name for name, value in zip(members, p, strict=True) if value < level]


def crossings(members):
    """Every two groups crossed, as "women, obese" and "women, not obese": four for each pair. Used in 18.

    Parameters
    ----------
    members : dict of str to ``(P,)`` bool

    Returns
    -------
    dict of str to ``(P,)`` bool
    """
    names, found = list(members), {}
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            for first in (True, False):
                for second in (True, False):
                    label = f"{one if first else 'not ' + one}, {other if second else 'not ' + other}"
                    found[label] = (members[one] == first) & (members[other] == second)
    return found

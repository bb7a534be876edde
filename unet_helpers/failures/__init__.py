"""Where a network is wrong, and why.

``lesions``       missed objects, and how far errors lie from the boundary
``black_mask``    why a mask comes out black
``atlas``         a name for every piece of wrong pixels
``disturbances``  noise, blur and turns of growing strength
``doctor``        from a training run to the likely bug
"""

from .atlas import ATLAS, CAUSES, NEIGHBORS, balanced_accuracy, field_of_view, sort_errors, tabulate_atlas
from .black_mask import why_black
from .disturbances import DISTURBANCES, disturb
from .doctor import (
    CANNOT_SEE,
    better_than_swapped,
    diagnose,
    gray_information,
    neighbor_correlation,
    spread_out,
    thumbnails,
)
from .lesions import distance_to_boundary, tabulate_objects

__all__ = [
    "ATLAS",
    "CANNOT_SEE",
    "CAUSES",
    "DISTURBANCES",
    "NEIGHBORS",
    "balanced_accuracy",
    "better_than_swapped",
    "diagnose",
    "distance_to_boundary",
    "disturb",
    "field_of_view",
    "gray_information",
    "neighbor_correlation",
    "sort_errors",
    "spread_out",
    "tabulate_atlas",
    "tabulate_objects",
    "thumbnails",
    "why_black",
]

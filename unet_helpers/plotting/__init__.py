"""Pictures: one function per kind, the same color for the same thing everywhere.

``colors``       colors by name and by meaning
``canvas``       figures, images, masks, grids of numbers
``curves``       lines and bars
``networks``     networks, their maps, their workers
``scores``       scores, cases, intervals, objects
``errors``       errors and their kinds
``uncertainty``  calibration and maps of uncertainty
``widgets``      sliders that move without a kernel (imported by its own path: it loads ipywidgets)
"""

from .canvas import (
    draw_errors,
    draw_image,
    draw_mask,
    figure,
    legend_of_classes,
    paint_mask,
    show_clicks,
    show_images,
    show_predictions,
)
from .colors import CLASS_COLORS, ERROR_COLORS, PREDICTION_COLOR, TRUTH_COLOR
from .curves import (
    show_bars,
    show_curves,
    show_histograms,
    show_lines,
    show_runs_in_range,
    show_scaling,
    show_time_to_dice,
    show_tradeoffs,
    show_trainings,
)
from .errors import (
    paint_pull,
    show_bands,
    show_findings,
    show_kinds,
    show_pulls,
    show_sorting,
    show_with_and_without,
)
from .networks import (
    draw_box,
    show_data_parallel,
    show_maps,
    show_numbers,
    show_schemes,
    show_unet,
)
from .scores import (
    color_objects,
    draw_bland_altman,
    show_case_grid,
    show_cases,
    show_confusion_matrix,
    show_counts,
    show_differences,
    show_effects,
    show_estimates,
    show_groups,
    show_matches,
)
from .uncertainty import show_reliability, show_reliability_together, show_uncertainty

__all__ = [
    "CLASS_COLORS",
    "ERROR_COLORS",
    "PREDICTION_COLOR",
    "TRUTH_COLOR",
    "color_objects",
    "draw_bland_altman",
    "draw_box",
    "draw_errors",
    "draw_image",
    "draw_mask",
    "figure",
    "legend_of_classes",
    "paint_mask",
    "paint_pull",
    "show_bands",
    "show_bars",
    "show_case_grid",
    "show_cases",
    "show_clicks",
    "show_confusion_matrix",
    "show_counts",
    "show_curves",
    "show_data_parallel",
    "show_differences",
    "show_effects",
    "show_estimates",
    "show_findings",
    "show_groups",
    "show_histograms",
    "show_images",
    "show_kinds",
    "show_lines",
    "show_maps",
    "show_matches",
    "show_numbers",
    "show_predictions",
    "show_pulls",
    "show_reliability",
    "show_reliability_together",
    "show_runs_in_range",
    "show_scaling",
    "show_schemes",
    "show_sorting",
    "show_time_to_dice",
    "show_tradeoffs",
    "show_trainings",
    "show_uncertainty",
    "show_unet",
    "show_with_and_without",
]

"""From a model and masks to numbers, and how sure they are.

``prediction``   probabilities and masks: at once, window by window, several times
``thresholds``   choose a threshold on validation slices
``binary``       what every metric asks of its two masks
``overlap``      counts, Dice, IoU, their averages, and the map of errors
``distances``    distances between boundaries, in mm
``objects``      number objects, split those that touch
``matching``     objects found, missed, made up
``agreement``    volumes in milliliters, and how far two measurements agree
``cases``        a table per case, a summary
``intervals``    how sure a mean or a difference is
``groups``       a report by group, and how many patients show a gap
``calibration``  do probabilities keep what they promise
"""

from .agreement import limits_of_agreement, volume_ml
from .calibration import (
    disagreement,
    distance_to_outline,
    entropy,
    error_auroc,
    fit_temperature,
    mutual_information,
    reliability,
    risk_coverage,
    scale_temperature,
)
from .cases import Case, Evaluation, evaluate, evaluate_cases
from .distances import (
    average_surface_distance,
    boundary_metrics,
    hausdorff,
    hausdorff95,
    surface_dice,
    surface_distances,
)
from .groups import gap_between, gap_by_strata, gap_p_values, holm, power_of_gap, report_by_group
from .intervals import METHODS, bootstrap_interval, compare, dice_by_patient, interval_of_difference, interval_of_mean
from .matching import (
    THRESHOLDS,
    Detections,
    average_precision,
    detect_objects,
    iou_table,
    match_instances,
    merges_and_splits,
    panoptic_quality,
)
from .objects import border_targets, drop_small, label_objects, objects_from_border, split_touching
from .overlap import Counts, average, class_means, confusion_counts, counts_per_class, dice, error_map, iou, pool
from .prediction import (
    predict_masks,
    predict_probabilities,
    predict_sliding_window,
    predict_with_dropout,
    predict_with_flips,
    probabilities_to_masks,
    window_starts,
    window_weights,
)
from .thresholds import OperatingPoint, choose_operating_point, slice_scores

__all__ = [
    "METHODS",
    "THRESHOLDS",
    "Case",
    "Counts",
    "Detections",
    "Evaluation",
    "OperatingPoint",
    "average",
    "average_precision",
    "average_surface_distance",
    "bootstrap_interval",
    "border_targets",
    "boundary_metrics",
    "choose_operating_point",
    "class_means",
    "compare",
    "confusion_counts",
    "counts_per_class",
    "detect_objects",
    "dice",
    "dice_by_patient",
    "disagreement",
    "distance_to_outline",
    "drop_small",
    "entropy",
    "error_auroc",
    "error_map",
    "evaluate",
    "evaluate_cases",
    "fit_temperature",
    "gap_between",
    "gap_by_strata",
    "gap_p_values",
    "hausdorff",
    "hausdorff95",
    "holm",
    "interval_of_difference",
    "interval_of_mean",
    "iou",
    "iou_table",
    "label_objects",
    "limits_of_agreement",
    "match_instances",
    "merges_and_splits",
    "mutual_information",
    "objects_from_border",
    "panoptic_quality",
    "pool",
    "power_of_gap",
    "predict_masks",
    "predict_probabilities",
    "predict_sliding_window",
    "predict_with_dropout",
    "predict_with_flips",
    "probabilities_to_masks",
    "reliability",
    "report_by_group",
    "risk_coverage",
    "scale_temperature",
    "slice_scores",
    "split_touching",
    "surface_dice",
    "surface_distances",
    "volume_ml",
    "window_starts",
    "window_weights",
]

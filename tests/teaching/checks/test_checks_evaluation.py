"""Each check of notebook 05: starter, right answer, and the mistakes that people make."""

from functools import partial

import numpy as np
import pytest

from unet_helpers import bootstrap_interval, iou
from unet_helpers.teaching.checks import evaluation as check

NAN = float("nan")
percentile = partial(bootstrap_interval, method="percentile")


def ratio(part, whole):
    return part / whole if whole else NAN


def never(mask, index):
    return float((mask != index).mean())


def by_patient(values, patients):
    groups = [values[patients == patient] for patient in np.unique(patients)]
    drawn = np.random.default_rng(1).integers(len(groups), size=(1000, len(groups)))
    means = [np.concatenate([groups[i] for i in row]).mean() for row in drawn]
    return np.quantile(means, [0.025, 0.975])


def policy(truth, prediction, empty):
    value = iou(truth, prediction)
    return empty if np.isnan(value) else value


def wrong_share(accuracy, precision, recall):
    return (1 - accuracy) / (1 - recall + recall / precision - recall)


SITUATIONS = {
    "liver outline": "Dice",
    "safety margin in mm": "HD95",
    "nothing overlooked": "objects found",
    "experts differ by 1 mm": "surface Dice",
}
CASES = [
    (check.dice_from_counts, lambda tp, fp, fn: ratio(2 * tp, 2 * tp + fp + fn), "Right."),
    (check.dice_from_counts, lambda tp, fp, fn: str(ratio(2 * tp, 2 * tp + fp + fn)), "a number was expected"),
    (check.dice_from_counts, lambda tp, fp, fn: ratio(tp, tp + fp + fn), "You wrote the IoU"),
    (check.dice_from_counts, lambda tp, fp, fn: ratio(tp, 2 * tp + fp + fn), "You have half of it"),
    (check.dice_from_counts, lambda tp, fp, fn: ratio(2 * tp, tp + fp + fn), "twice below the line"),
    (check.dice_from_counts, lambda tp, fp, fn: ratio(tp, tp + fp), "sizes of both masks added up"),
    (check.dice_from_counts, lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn), "divides 0 by 0"),
    (check.dice_from_counts, lambda tp, fp, fn: 2 * tp / max(2 * tp + fp + fn, 1), "0/0 has no value"),
    (check.share, wrong_share, "Right."),
    (check.share, lambda a, p, r: 1 - wrong_share(a, p, r), "share of the background"),
    (check.share, lambda a, p, r: wrong_share(a, p, r) * r / p, "predicted as foreground"),
    (check.share, lambda a, p, r: 1 - a, "wrong per true pixel"),
    (check.accuracy_of_nothing, never, "Right."),
    (check.accuracy_of_nothing, lambda mask, index: (mask == index).mean(), "share of the object"),
    (check.accuracy_of_nothing, lambda mask, index: (mask == 0).mean(), "background only"),
    (check.accuracy_of_nothing, lambda mask, index: 0.0, "That is its Dice"),
    (check.accuracy_of_nothing, lambda mask, index: 1.0, "not of this class"),
    (check.iou_with_policy, policy, "Right."),
    (check.iou_with_policy, lambda t, p, e: e if not t.any() or not p.any() else iou(t, p), "*both* are empty"),
    (check.iou_with_policy, lambda t, p, e: 2 * (t & p).sum() / (t.sum() + p.sum()), "which is Dice"),
    (check.iou_with_policy, lambda t, p, e: (t == p).mean() ** 2, "IoU is 0.33"),
    (check.iou_with_policy, lambda t, p, e: policy(t, p, 1.0), "return what the caller chose"),
    (check.interval, by_patient, "Right."),
    (check.interval, percentile, "Right."),
    (check.interval, lambda values, patients: percentile(values), "as if all slices were independent"),
    (check.interval, lambda values, patients: np.quantile(values, [0.025, 0.975]), "spread of the patients"),
    (check.interval, lambda values, patients: (values.mean(), values.mean()), "too narrow"),
    (check.interval, lambda values, patients: percentile(values, patients)[::-1], "low is above high"),
    (check.interval, lambda values, patients: percentile(values, patients, level=0.5), "percentile"),
    (check.interval, lambda values, patients: values.mean(), "two numbers"),
    (check.metric_for, dict.fromkeys(SITUATIONS, ...), "4 of 4 are open"),
    (check.metric_for, SITUATIONS, "Right."),
    (check.metric_for, SITUATIONS | {"liver outline": "accuracy"}, "accuracy is high as soon as"),
    (check.metric_for, SITUATIONS | {"safety margin in mm": "Dice"}, "only a distance gives it"),
    (check.metric_for, SITUATIONS | {"safety margin in mm": "surface Dice"}, "only a distance gives it"),
    (check.metric_for, SITUATIONS | {"nothing overlooked": "recall"}, "recall counts pixels"),
    (check.metric_for, SITUATIONS | {"nothing overlooked": "Dice"}, "count objects"),
    (check.metric_for, SITUATIONS | {"experts differ by 1 mm": "HD95"}, "a border with a tolerance"),
    (check.metric_for, SITUATIONS | {"nothing overlooked": "IOU"}, "is none of"),
]


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(("task", "answer", "expected"), CASES)
def test_the_verdict_names_what_is_wrong(said, task, answer, expected):
    assert expected in said(task, answer)

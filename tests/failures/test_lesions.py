import numpy as np
import pytest

from unet_helpers.data import Subset
from unet_helpers.evaluation import error_map
from unet_helpers.failures import tabulate_objects, why_black


def subset_of(masks, spacing=(1.0, 1.0), images=None):
    masks = np.stack(masks)
    n = len(masks)
    images = np.zeros((*masks.shape, 1), np.float32) if images is None else np.asarray(images, np.float32)
    names = np.array([f"P{i}_Z_1" for i in range(n)])
    return Subset(images, masks, np.array([f"P{i}" for i in range(n)]), names, np.tile(spacing, (n, 1)).astype(float))


def test_error_map_of_four_pixels(draw):
    assert error_map(draw("..##"), draw(".#.#")).tolist() == [[0, 2, 3, 1]]
    with pytest.raises(ValueError, match="shape"):
        error_map(draw("..##"), draw(".#"))
    with pytest.raises(ValueError, match="threshold probabilities"):
        error_map(draw("..##"), [[0.2, 0, 1, 1]])


# --- tables -----------------------------------------------------------------------------------


def test_objects_are_tabulated_with_size_and_whether_they_were_found(draw):
    truth = draw("22....", "22....", "......", ".....2")
    found = draw("2.....", "......", "......", "......")
    table = tabulate_objects(subset_of([truth], spacing=(0.5, 2.0)), found[None], index=2)
    assert table["pixels"].tolist() == [4, 1]
    assert table["covered"].tolist() == [0.25, 0]
    assert table["found"].tolist() == [True, False]
    assert table[["row", "column"]].values.tolist() == [[0.5, 0.5], [3, 5]]
    # 4 pixels of 1 mm²: a disk of 4 mm² has a diameter of 2·sqrt(4/pi)
    np.testing.assert_allclose(table["diameter_mm"], [2.2568, 1.1284], atol=1e-4)


def test_without_spacing_there_is_no_diameter(draw):
    table = tabulate_objects(subset_of([draw("1.")], spacing=(np.nan, np.nan)), draw("1.")[None], index=1)
    assert table["diameter_mm"].isna().all()
    assert len(tabulate_objects(subset_of([draw("..")]), draw("..")[None], index=1)) == 0


# --- why is my mask black? --------------------------------------------------------------------


class Fixed:
    """A model that answers with given foreground probabilities; None: it sees the object in the image."""

    def __init__(self, foreground=None, num_classes=1):
        self.foreground, self.num_classes = foreground, num_classes

    def predict(self, images, **options):
        p = images[..., :1] if self.foreground is None else np.broadcast_to(self.foreground, images[..., :1].shape)
        return p if self.num_classes == 1 else np.concatenate([1 - p, p], axis=-1)


MASKS = np.zeros((3, 8, 8), np.uint8)
MASKS[:, 2:5, 2:6] = 1
IMAGES = (0.1 + 0.8 * MASKS[..., None]).astype(np.float32)


def suspects(model, images=IMAGES, masks=MASKS, **shown):
    return [f.question for f in why_black(model, images, masks, **shown) if f.suspicious]


@pytest.mark.parametrize("num_classes", [1, 2])
def test_a_healthy_model_raises_no_suspicion(num_classes):
    assert suspects(Fixed(num_classes=num_classes)) == []
    assert suspects(Fixed(num_classes=num_classes), displayed=MASKS[0] * 255) == []
    assert suspects(Fixed(num_classes=num_classes), displayed=IMAGES[0]) == []


@pytest.mark.parametrize(
    "shown",
    [
        {"displayed": MASKS[0], "vmax": 1},
        {"displayed": 2 * MASKS[0], "vmax": MASKS.max() * 2},
        {"displayed": 7 * MASKS[0].astype(int), "vmax": 20},
        {"displayed": MASKS[0] > 0},
        {"displayed": MASKS[0].astype(float)},
        {"displayed": 127 * MASKS[0]},
        {"displayed": 60_000 * MASKS[0].astype(np.uint16)},
        {"displayed": 0 * MASKS[0]},  # empty, which is no matter of the display
    ],
)
def test_a_mask_that_is_shown_well_is_not_suspicious(shown):
    assert suspects(Fixed(), **shown) == []


@pytest.mark.parametrize(
    "shown",
    [
        {"displayed": 2 * MASKS[0]},
        {"displayed": 2 * MASKS[0].astype(np.int64)},
        {"displayed": MASKS[0], "vmax": 255},
        {"displayed": MASKS[0] / 255},
        {"displayed": 255 * MASKS[0].astype(np.uint16)},
    ],
)
def test_a_mask_far_below_white_is_suspicious(shown):
    assert suspects(Fixed(), **shown) == ["Is it only the display?"]


@pytest.mark.parametrize(
    ("case", "question"),
    [
        ({"displayed": MASKS[0]}, "Is it only the display?"),
        ({"masks": MASKS * 255}, "Are the mask values class indices?"),
        ({"masks": MASKS * 0.5}, "Are the mask values class indices?"),
        ({"masks": MASKS * 0}, "Do the masks hold an object?"),
        ({"images": IMAGES * 255, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"images": IMAGES * 1000 - 1000, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"images": IMAGES * 0, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"images": IMAGES * np.nan, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"model": Fixed(0.3)}, "Does the output vary over the picture?"),
        ({"model": Fixed(np.nan)}, "Does the output vary over the picture?"),
        ({"model": Fixed(0.5 * IMAGES)}, "Would a lower threshold show it?"),
        ({"model": Fixed(0.5 * IMAGES, 2)}, "Would a lower threshold show it?"),
    ],
    ids=["display", "255", "half", "empty", "0-255", "HU", "blank", "nan image", "constant", "nan", "low", "low2"],
)
def test_each_cause_of_black_is_named_and_no_other(case, question):
    assert suspects(**{"model": Fixed()} | case) == [question]


def test_a_suspicious_finding_is_printed_with_its_remedy():
    findings = why_black(Fixed(0.3), IMAGES, MASKS)
    assert [str(finding)[0] for finding in findings].count("✗") == 1
    for finding in findings:
        assert ("→" in str(finding)) == finding.suspicious
        assert finding.evidence in str(finding)

"""nnU-Net's rules against plans that nnU-Net v2 itself wrote, as others have published them."""

import numpy as np
import pytest

from unet_helpers.models import plan_network, target_spacing
from unet_helpers.models.nnunet_rules import halved_axes

STAGES = (32, 64, 128, 256)
# name of the data set, its labels with background: configuration, spacing in mm, median shape; patch, batch, strides
LUNG = (1.244979977607727, 0.78515625, 0.78515625)
NODES = (1.0, 0.80859375, 0.80859375)
PET = (3.0, 2.0364201068878174, 2.0364201068878174)
TWICE = (2, 2, 2)
PLANS = {
    # Medical Segmentation Decathlon, task 06
    "lung 2d": (2, LUNG[1:], (512, 512), (512, 512), 12, [(2, 2)] * 7),
    "lung 3d_fullres": (2, LUNG, (252, 512, 512), (80, 192, 160), 2, [*[TWICE] * 4, (1, 2, 2)]),
    "lung 3d_lowres": (
        *(2, (2.3855103790575867, 1.5044405671133478, 1.5044405671133478), (132, 267, 267)),
        *((80, 192, 160), 2, [*[TWICE] * 4, (1, 2, 2)]),
    ),
    # 31 groups of lymph nodes in CT
    "nodes 2d": (32, NODES[1:], (512, 512), (512, 512), 11, [(2, 2)] * 7),
    "nodes 3d_fullres": (32, NODES, (661, 512, 512), (160, 112, 112), 2, [TWICE] * 4),
    "nodes 3d_lowres": (
        *(32, (2.8138624543715265, 2.275271593964477, 2.275271593964477), (235, 182, 182)),
        *((160, 112, 112), 2, [TWICE] * 4),
    ),
    # FDG-PET/CT
    "PET/CT 2d": (2, PET[1:], (400, 400), (448, 448), 16, [(2, 2)] * 6),
    "PET/CT 3d_fullres": (2, PET, (326, 400, 400), (128, 128, 128), 2, [TWICE] * 5),
    "PET/CT 3d_lowres": (
        *(2, (5.58088371512849, 3.7883412705634814, 3.7883412705634814), (175, 215, 215)),
        *((128, 128, 128), 2, [TWICE] * 5),
    ),
    # BraTS 2021
    "brain 2d": (4, (1.0, 1.0), (171, 137), (192, 160), 105, [(2, 2)] * 5),
    "brain 3d_fullres": (4, (1.0, 1.0, 1.0), (140, 171, 137), (128, 128, 128), 2, [TWICE] * 5),
    # an angiography, whose slices wait for the pixels
    "vessels 3d_fullres": (
        *(5, (0.5999993681907654, 0.296875, 0.296875), (186, 575.5, 480)),
        *((64, 192, 160), 2, [(1, 2, 2), *[TWICE] * 4]),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_patch_batch_and_strides_are_those_of_a_plan_of_nnunet(name):
    classes, spacing, shape, patch, batch_size, strides = PLANS[name]
    plan = plan_network(spacing, shape, classes)
    assert plan.patch == patch
    assert plan.batch_size == batch_size
    assert plan.strides == ((1,) * len(spacing), *strides)
    most = 320 if len(spacing) == 3 else 512
    assert plan.channels[4:] == (most,) * (len(strides) - 3)
    assert plan.channels[:4] == STAGES


def test_kernels_are_flat_until_the_pixels_are_as_wide_as_the_slices_are_thick():
    plan = plan_network((0.5999993681907654, 0.296875, 0.296875), (186, 575.5, 480), 5)
    assert plan.kernels == ((1, 3, 3), *[(3, 3, 3)] * 5)
    assert plan_network((5.0, 0.8, 0.8), (60, 512, 512)).kernels[:3] == ((1, 3, 3), (1, 3, 3), (3, 3, 3))


def test_a_batch_holds_no_more_than_a_twentieth_of_the_voxels_and_never_less_than_two():
    assert plan_network((1.0, 1.0), (171, 137), 4).batch_size == 105
    assert plan_network((1.0, 1.0), (171, 137), 4, cases=200).batch_size == round(0.05 * 200 * 171 * 137 / (192 * 160))
    assert plan_network((1.0, 1.0), (171, 137), 4, cases=3).batch_size == 2


def test_more_memory_gives_larger_patches():
    small, large = (plan_network(LUNG, (252, 512, 512), gigabytes=gigabytes) for gigabytes in (8, 24))
    assert np.prod(large.patch) > 2 * np.prod(small.patch)


def test_thick_slices_are_resampled_to_the_thinner_ones_among_them():
    """As hearts in ACDC, 10 mm and nine slices; the median would invent slices for the thin ones, or drop them."""
    spacings = [(10, 1.5, 1.5)] * 8 + [(5, 1.5, 1.5)] * 2
    np.testing.assert_allclose(target_spacing(spacings, [(9, 216, 256)] * 10), (5, 1.5, 1.5))
    # as coarse, but not few
    np.testing.assert_allclose(target_spacing(spacings, [(100, 216, 256)] * 10), (10, 1.5, 1.5))
    np.testing.assert_allclose(target_spacing([LUNG, NODES, LUNG], [(252, 512, 512)] * 3), LUNG)


def test_an_axis_that_is_too_short_is_not_halved():
    ones = np.ones(3, int)
    assert halved_axes((1, 1, 1), (7, 64, 64), ones).tolist() == [1, 2, 2]
    assert halved_axes((3, 1, 1), (64, 64, 64), ones).tolist() == [1, 2, 2]
    assert halved_axes((1, 1, 1), (7, 7, 7), ones).tolist() == [1, 1, 1]
    assert halved_axes((1, 1, 1), (7, 7, 11), ones).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("spacing", "shape"), [((1, 1), (9, 9, 9)), ((1,), (9,)), ((0, 1), (9, 9)), ((1, 1), (9, np.nan))]
)
def test_spacing_and_shape_that_do_not_fit_are_refused(spacing, shape):
    with pytest.raises(ValueError, match="two or three numbers above 0"):
        plan_network(spacing, shape)

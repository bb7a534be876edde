"""What the exercises of notebook 06b show their readers: a pipeline with a fault."""

import numpy as np

from unet_helpers.teaching.checks import black_masks as check


def test_the_broken_pipeline_gives_images_without_contrast_and_the_repaired_one_does_not():
    hu = np.linspace(-1000, 500, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    pipeline = check.broken_pipeline(hu, np.zeros((1, 8, 8), np.uint8))
    assert pipeline.images.std() < 1e-3
    pipeline.steps = pipeline.steps[:1]
    assert pipeline.images.std() > 0.2

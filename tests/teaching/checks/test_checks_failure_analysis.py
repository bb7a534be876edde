"""What the exercises of notebook 06 show their readers: riddles with one error each, and a pipeline with a fault."""

import numpy as np

from unet_helpers.failures import sort_errors
from unet_helpers.teaching.checks import failure_analysis as check


def test_each_riddle_has_one_kind_in_the_main():
    for letter, (truth, prediction) in check.riddles().items():
        table, _ = sort_errors(truth[None].astype(int), prediction[None].astype(int), truth[None].astype(float))
        assert table.groupby("kind")["pixels"].sum().idxmax() == check.ANSWERS[letter]
        assert table["kind"].nunique() == 1


def test_the_broken_pipeline_gives_images_without_contrast_and_the_repaired_one_does_not():
    hu = np.linspace(-1000, 500, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    pipeline = check.broken_pipeline(hu, np.zeros((1, 8, 8), np.uint8))
    assert pipeline.images.std() < 1e-3
    pipeline.steps = pipeline.steps[:1]
    assert pipeline.images.std() > 0.2

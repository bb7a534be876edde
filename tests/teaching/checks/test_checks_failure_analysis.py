"""What the exercises of notebook 06 show their readers: riddles with one error each."""

from unet_helpers.failures import sort_errors
from unet_helpers.teaching.checks import failure_analysis as check


def test_each_riddle_has_one_kind_in_the_main():
    for letter, (truth, prediction) in check.riddles().items():
        table, _ = sort_errors(truth[None].astype(int), prediction[None].astype(int), truth[None].astype(float))
        assert table.groupby("kind")["pixels"].sum().idxmax() == check.ANSWERS[letter]
        assert table["kind"].nunique() == 1

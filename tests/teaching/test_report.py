"""The model card: numbers from an evaluation, words from a person."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from unet_helpers import evaluate
from unet_helpers.data import Subset
from unet_helpers.teaching.report import CARD_SECTIONS, _ends_in_words, fill_model_card, markdown_table

WORDS = {name: f"About {name.lower()}." for name in CARD_SECTIONS}


@pytest.fixture
def evaluation():
    """Three patients of one slice: lung found in all; the nodule found in A, missed in B, made up in C."""
    masks = np.ones((3, 8, 8), np.uint8)
    masks[:2, 2:4, 2:4] = 2
    found = masks.copy()
    found[1] = 1
    found[2, 0, 0] = 2
    ids = np.array(list("ABC"))
    subset = Subset(np.zeros((3, 8, 8, 1), np.float32), masks, ids, ids, np.ones((3, 2)))
    return evaluate(None, subset, ("background", "lung", "nodule"), predictions=found)


def test_the_nine_sections_stand_in_the_order_of_the_paper(evaluation):
    card = fill_model_card(evaluation, WORDS)
    order = ["Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data"]
    order += ["Quantitative analyses", "Ethical considerations", "Caveats and recommendations"]
    places = [card.index(f"**{name}.**") for name in order]
    assert places == sorted(places)
    assert all(text in card for text in WORDS.values())


def test_numbers_and_failures_come_from_the_evaluation(evaluation):
    card = fill_model_card(evaluation, WORDS, method="percentile")
    assert "3 patients." in card
    row = evaluation.summary("dice", method="percentile").loc["nodule"]
    assert f"| nodule | Dice | {row['mean']:.2f} | {row['low']:.2f} to {row['high']:.2f} | 0.00 | 3 | 0 |" in card
    assert "| nodule | HD95 (mm) | 0.00 | – | 0.00 | 1 | 2 |" in card  # one patient, two undefined
    assert "nodule: missed wholly in 1 of 2 cases that have it, predicted in 1 of 1 that do not" in card
    assert "lowest Dice 0.00 (B)" in card
    assert "lung: missed wholly in 0 of 3 cases that have it; lowest Dice" in card
    assert "95 % interval over patients (percentile bootstrap)" in card
    assert "| lung | Dice |" not in fill_model_card(evaluation, WORDS, metrics=("iou",))


def test_an_interval_stays_within_what_is_possible(evaluation):
    assert evaluation.summary("dice", method="t").loc["nodule", "low"] < 0
    card = fill_model_card(evaluation, WORDS, method="t")
    assert "| nodule | Dice | 0.33 | 0.00 to 1.00 |" in card


def test_three_patients_get_a_range_in_card_and_report_and_no_interval(evaluation, tmp_path):
    card = fill_model_card(evaluation, WORDS)
    assert "| class | metric | mean | 95 % interval, or range | median |" in card
    assert "| nodule | Dice | 0.33 | range 0.00 to 1.00 | 0.00 | 3 | 0 |" in card
    assert "or the range of the values where fewer than 5 patients have one" in card
    many = replace(evaluation, cases=pd.concat([evaluation.cases.assign(patient=name) for name in "ABCDE"]))
    lines = _ends_in_words([evaluation.summary()])
    assert lines == "Fewer than 5 patients are too few for an interval: read min to max, their range."
    assert _ends_in_words([many.summary()]) == "low to high: 95 % interval of the mean over patients, Student's t."
    assert "Where there is none, fewer than 5" in _ends_in_words([many.summary(), evaluation.summary()])
    assert "| – |" in "\n".join(markdown_table(evaluation.summary().reset_index()))


def test_the_card_says_that_its_hd95_is_a_mean_over_slices(evaluation):
    said = "HD95 is measured in the plane of each slice and averaged over the slices"
    assert said in fill_model_card(evaluation, WORDS)
    assert said not in fill_model_card(evaluation, WORDS, metrics=("dice",))
    assert said not in fill_model_card(replace(evaluation, unit="case"), WORDS)  # of volumes, in space


@pytest.mark.parametrize(
    ("change", "message"),
    [({"Factors": " "}, "lacks 'Factors'; write a sentence"), ({"Author": "me"}, "'Author' is none of the sections")],
)
def test_a_card_with_a_gap_is_refused(evaluation, change, message):
    with pytest.raises(ValueError, match=message):
        fill_model_card(evaluation, WORDS | change)

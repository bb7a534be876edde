"""The table of what a training step costs."""

import numpy as np
import pytest
import tensorflow as tf

from unet_helpers.teaching import step_cost


def test_a_step_is_timed_and_the_first_takes_longer():
    cost = step_cost.measure_step(base_filters=2, size=32, batch_size=2, steps=2)
    assert list(cost) == step_cost.COLUMNS
    assert cost["first (s)"] > cost["step (s)"] > 0
    assert cost["images/s"] == pytest.approx(2 / cost["step (s)"])


def test_a_variant_that_the_device_does_not_have_stays_in_the_table_without_numbers(monkeypatch):
    def measure(policy="float32", **options):
        if policy != "float32":
            raise tf.errors.AbortedError(None, None, "oneDNN: unimplemented")
        return dict(zip(step_cost.COLUMNS, (4.0, 0.5, 32.0, 1.0), strict=True))

    monkeypatch.setattr(step_cost, "measure_step", measure)
    table = step_cost.measure_steps({"float32": {}, "mixed_bfloat16": {"policy": "mixed_bfloat16"}})
    assert table.loc["float32", "per image"] == 1
    assert np.isnan(table.loc["mixed_bfloat16 (not on this device)"].astype(float)).all()
    assert list(table.dropna().index) == ["float32"]


def test_another_error_is_not_swallowed(monkeypatch):
    def fail(**options):
        raise ValueError("no such policy")

    monkeypatch.setattr(step_cost, "measure_step", fail)
    with pytest.raises(ValueError, match="no such policy"):
        step_cost.measure_steps({"float32": {}})

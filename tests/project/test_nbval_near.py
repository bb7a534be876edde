"""Cells of notebooks compared within a tolerance: what must pass, and what must not."""

import subprocess
import sys

import nbformat
import pytest

from nbval_near import snap, start_again


@pytest.mark.parametrize(
    ("new", "stored", "tolerance"),
    [
        ("Dice 0.982", "Dice 0.981", 0),  # one in the last decimal: a rounding that fell to the other side
        ("lung  0.99\nnodule  0.4", "lung  0.99\nnodule 0.35", 0.05),
        ("6562 pixels", "6560 pixels", 0.001),
        ("3 nodules missed", "2 nodules missed", 0),  # one pixel makes or joins an object
        ("-0.00", "0.00", 0),
        ("<td>9.99</td>", "<td>10.01</td>", 0.01),
        ("3e-07", "-1e-06", 1e-5),
        ("−0.12", "−0.10", 0.02),
        ("gain -0.00", "gain +0.01", 0),
    ],
)
def test_near_numbers_pass(new, stored, tolerance):
    assert snap(new, stored, tolerance) == stored


@pytest.mark.parametrize(
    ("new", "stored", "tolerance"),
    [
        ("Dice 0.983", "Dice 0.981", 0),
        ("6562 pixels", "6560 pixels", 0),
        ("4 nodules missed", "2 nodules missed", 0.1),
        ("lung 0.98", "nodule 0.98", 0.5),  # other words
        ("0.98 0.97", "0.98", 0.5),
        ("phantom-003 0.98", "phantom-004 0.98", 0.5),  # numbers within names are names
        ("P3 0.98", "P4 0.98", 0.5),
        ("nan", "0.50", 0.5),
        ("-0.12", "0.12", 0.1),
    ],
)
def test_other_numbers_and_words_do_not(new, stored, tolerance):
    assert snap(new, stored, tolerance) == new


def outcome(tmp_path, *cells):
    """Whether ``pytest --nbval`` calls each cell passed or failed, and what it says at the end."""
    made = []
    for number, (source, stored, metadata) in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source, id=f"c{number}", execution_count=number + 1, metadata=metadata)
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=stored)]
        made.append(cell)
    nbformat.write(nbformat.v4.new_notebook(cells=made), tmp_path / "n.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-rA", "n.ipynb"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    words = [line.split()[0] for k in range(len(cells)) for line in said.splitlines() if f"n.ipynb::Cell {k}" in line]
    return [word for word in words if word in ("PASSED", "FAILED")], said


def test_only_cells_that_say_so_are_compared_within_a_tolerance_and_the_summary_counts_them(tmp_path):
    marked, training = {"nbval_tolerance": 0.01}, "print('first step: building the computation …')"
    states, said = outcome(
        tmp_path,
        ("print(0.981)", "0.982\n", {}),
        ("print(0.981)", "0.982\n", marked),
        ("print(0.95)", "0.982\n", marked),
        (training, "10 epochs in 72 s; best validation Dice 0.813 at epoch 9\n", marked),
        (training, "10 epochs in 72 s; best validation Dice 0.813 at epoch 9\n", {}),
        ("print(1)", "2\n", {"tags": ["nbval-ignore-output"]}),
    )
    assert states == ["FAILED", "PASSED", "FAILED", "PASSED", "FAILED", "PASSED"]
    assert "n.ipynb: 6 cells, 3 within a tolerance, 1 ignored (17 %)" in said


def test_a_kernel_that_dies_at_its_start_is_started_again_but_not_forever():
    tries = []

    def start(*, deaths):
        tries.append(deaths)
        if len(tries) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "kernel"

    assert start_again(start)(deaths=2) == "kernel"
    tries.clear()
    with pytest.raises(RuntimeError, match="Kernel died"):
        start_again(start)(deaths=3)
    assert len(tries) == 3

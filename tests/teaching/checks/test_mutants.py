"""Every check tells right answers from wrong programs, and says to each wrong one what is wrong with it."""

import pytest
from mutants import all_exercises, hand_in, mechanical

EXERCISES = all_exercises()
NUMBERED = [pytest.param(exercise, id=exercise.number) for exercise in EXERCISES]


def cases(table):
    """Exercise, name and what stands in its table under that name."""
    return [
        pytest.param(exercise, *((entry,) if table == "right" else entry), id=f"{exercise.number}-{name}")
        for exercise in EXERCISES
        for name, entry in getattr(exercise, table).items()
    ]


@pytest.fixture
def verdict(capsys):
    def run(exercise, answer):
        hand_in(exercise.check, answer)
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize(("exercise", "answer"), cases("right"))
def test_a_right_answer_is_right(exercise, answer, verdict):
    assert verdict(exercise, answer).startswith("Right.")


@pytest.mark.parametrize(("exercise", "answer", "hint"), cases("wrong"))
def test_a_wrong_program_is_told_what_is_wrong(exercise, answer, hint, verdict):
    said = verdict(exercise, answer)
    assert said.startswith(("Not right: ", "Not yet: "))
    assert hint in said


@pytest.mark.parametrize("exercise", [one for one in NUMBERED if one.values[0].of_function])
def test_mechanical_mutants_are_caught(exercise, verdict, capsys):
    mutants = mechanical(exercise)
    assert "Right." in capsys.readouterr().out
    for name, (answer, hint) in mutants.items():
        said = verdict(exercise, answer)
        assert said.startswith("Not right: "), name
        assert hint in said, name


@pytest.mark.parametrize(("exercise", "answer", "why"), cases("survives"))
def test_a_mutant_that_survives_does_so_still(exercise, answer, why, verdict):
    assert verdict(exercise, answer).startswith("Right.")


@pytest.mark.parametrize("exercise", NUMBERED)
def test_an_exercise_has_two_right_answers_and_five_wrong_ones(exercise):
    assert len(exercise.right) >= 2
    assert len(exercise.wrong) >= 5

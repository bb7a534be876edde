"""What the tests of the checks share."""

import pytest


@pytest.fixture
def said(capsys):
    """Hand answers to a check, and give what it prints: ``said(check.halve, answer)``."""

    def run(check, *answers):
        check(*answers)
        return capsys.readouterr().out

    return run

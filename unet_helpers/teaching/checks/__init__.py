"""Self-checks of the exercises, one module per notebook.

In a notebook: ``from unet_helpers.teaching.checks import data_pairing as check``, then ``check.some_task(answer)``.
A check prints one of three things: *Not yet* (the starter as it stands), *Right*, or what precisely is
wrong. It never raises on a wrong answer, so that a starter cell runs as it stands.
``require_right(check.some_task, answer)`` is the same as a test: it raises unless the verdict is *Right*.
"""

from ._verdict import require_right

__all__ = ["require_right"]

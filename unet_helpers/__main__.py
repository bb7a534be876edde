"""Commands: ``python -m unet_helpers export FOLDER``, ``… deidentify IN OUT``, ``… predict RUN FOLDER OUT``
(RUN is the folder of a run, or a network in ONNX), ``… export-browser FILE.keras OUT.js``, ``… grade FOLDER``,
``… serve SPOOL``.
"""

import sys

from .data.export import main as export
from .files.deidentify import main as deidentify
from .files.paths import DataError


def predict(arguments):
    """Loaded when it is asked for: TensorFlow takes seconds."""
    from .teaching.segment import main

    main(arguments)


def export_browser(arguments):
    """Loaded only when it is asked for."""
    from .teaching.browser import main

    main(arguments)


def grade(arguments):
    """Loaded only when it is asked for."""
    from .teaching.grading.folder import main

    main(arguments)


def serve(arguments):
    """Loaded only when it is asked for."""
    from .deployment.serving import main

    main(arguments)


COMMANDS = {
    "export": export,
    "deidentify": deidentify,
    "predict": predict,
    "export-browser": export_browser,
    "grade": grade,
    "serve": serve,
}


def main():
    """Run the command named first on the command line with the rest as its arguments."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python -m unet_helpers {{{','.join(COMMANDS)}}} …")
    try:
        COMMANDS[sys.argv[1]](sys.argv[2:])
    except (
        DataError,
        FileNotFoundError,
    ) as error:  # one sentence; the lines of the program help nobody at a command line
        sys.exit(str(error))


if __name__ == "__main__":
    main()

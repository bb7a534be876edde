"""Load TensorFlow without the lines that its C++ side writes to stderr."""

import contextlib
import os
import tempfile


@contextlib.contextmanager
def _stderr_to_null():
    """Send file descriptor 2 to the null device: the oneDNN notice obeys no log level."""
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _settle_home():
    """An empty variable counts as unset; and without a home folder TensorFlow would make one named "~" right here."""
    for name in ("HOME", "KERAS_HOME"):
        if os.environ.get(name) == "":
            del os.environ[name]
    if os.path.expanduser("~") == "~":
        os.environ.setdefault("KERAS_HOME", os.path.join(tempfile.gettempdir(), ".keras"))


def load_tensorflow_quietly():
    """Import TensorFlow and touch its devices with the start-up notices silenced.

    An ImportError still reaches the reader. ``UNET_VERBOSE=1`` keeps every line.
    """
    _settle_home()
    if os.environ.get("UNET_VERBOSE") == "1":
        import tensorflow  # noqa: F401

        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _stderr_to_null():
        import tensorflow as tf

        # the first look at the devices is where a wheel built for CUDA complains that there is none
        tf.config.list_physical_devices()

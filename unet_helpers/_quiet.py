"""Load TensorFlow with its fast kernels, and without the lines that its C++ side writes to stderr."""

import contextlib
import os
import platform
import sys
import tempfile
import warnings

# TensorFlow reads it once, when it is imported
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# had somebody imported TensorFlow before us, without having chosen?
_CAME_LATE = "tensorflow" in sys.modules and ONEDNN not in os.environ


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
    """An empty variable counts as unset, and so does a relative HOME, which would be another one in each folder.

    Without a home folder TensorFlow would make one named "~" right here.
    """
    home = os.environ.get("HOME")
    if home == "" or (home and os.name == "posix" and not os.path.isabs(home)):
        del os.environ["HOME"]
    if os.environ.get("KERAS_HOME") == "":
        del os.environ["KERAS_HOME"]
    if os.path.expanduser("~") == "~":
        os.environ.setdefault("KERAS_HOME", os.path.join(tempfile.gettempdir(), ".keras"))


def load_tensorflow_quietly():
    """Import TensorFlow and touch its devices with the start-up notices silenced.

    Its oneDNN kernels are turned on unless the person has set ``TF_ENABLE_ONEDNN_OPTS``: by itself TensorFlow
    uses them only on processors with certain AVX-512 instructions, and training is slower without them
    (``book/results/onednn.json``). An ImportError still reaches the reader. ``UNET_VERBOSE=1`` keeps every line.
    """
    os.environ.setdefault(ONEDNN, "1")
    _settle_home()
    if os.environ.get("UNET_VERBOSE") == "1":
        import tensorflow  # noqa: F401

        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _stderr_to_null():
        import tensorflow as tf

        # the first look at the devices is where a wheel built for CUDA complains that there is none
        tf.config.list_physical_devices()


def onednn_is_on():
    """Whether TensorFlow computes with its oneDNN kernels in this process."""
    # no public call says so: the variable may have been set too late
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled()


def warn_if_slow():
    """Say in one sentence that TensorFlow was imported first, with its fast kernels off, and what to do."""
    if _CAME_LATE and platform.machine().lower() in ("x86_64", "amd64") and not onednn_is_on():
        warnings.warn(
            "TensorFlow was imported before unet_helpers, with its oneDNN kernels off: training takes longer than it "
            f"must. Restart and import unet_helpers first, or set {ONEDNN}=1.",
            stacklevel=3,
        )

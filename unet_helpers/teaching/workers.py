"""Training on several workers: start them, and divide the work among them. Used in 14."""

import contextlib
import copy
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

WORKER = Path(__file__).with_name("jax_worker.py")


def divide_processor(devices=2):
    """Let TensorFlow see the processor as so many virtual devices, and no GPU; to try out what needs several devices.
    Used in 14.

    Raises
    ------
    RuntimeError
        If TensorFlow has computed something already: it looks at its devices only once.
    """
    import tensorflow as tf

    try:
        tf.config.set_visible_devices([], "GPU")
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * devices)
        tf.get_logger().setLevel("WARNING")  # else a strategy reports each message of its first step
    except RuntimeError as error:
        raise RuntimeError(
            "TensorFlow has started already and keeps the devices it found; restart the kernel, and call this first"
        ) from error


def write_job(folder, model, images, targets, optimizer, loss="categorical_crossentropy"):
    """Write what a worker needs: the network with its weights, the data, optimizer and loss. Used in 14.

    Parameters
    ----------
    folder : str or Path
        Where all workers can read it.
    model : keras.Model
        With layers of Keras's own only. Every worker starts from its weights.
    images, targets : ``(N, H, W, C)``, ``(N, H, W, K)`` float32
    optimizer : keras.optimizers.Optimizer
    loss : str or keras.losses.Loss
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    network = json.loads(model.to_json())
    # the weights come from the file; to draw random ones, JAX would compile for a second per layer
    _replace(network, "kernel_initializer", keras.initializers.serialize(keras.initializers.Zeros()))
    job = {"model": network, "optimizer": keras.optimizers.serialize(optimizer), "loss": loss}
    if not isinstance(loss, str):
        job["loss"] = keras.saving.serialize_keras_object(loss)
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    np.savez(folder / "start.npz", **{str(k): value for k, value in enumerate(model.get_weights())})
    np.save(folder / "images.npy", images)
    np.save(folder / "targets.npy", targets)


def _replace(config, name, value):
    for key, entry in config.items() if isinstance(config, dict) else enumerate(config):
        if key == name:
            config[key] = copy.deepcopy(value)
        elif isinstance(entry, dict | list):
            _replace(entry, name, value)


@dataclass
class JobResult:
    """What :func:`train_in_processes` measured and trained.

    loss : list of float, one per epoch, over the slices of all workers
    seconds : list of float, one per epoch; the first includes building the computation
    slices : list of int, how many slices each worker read
    weights : list of arrays, at the end
    """

    loss: list
    seconds: list
    slices: list
    weights: list


def train_in_processes(folder, processes, *, threads=1, batch_size=16, epochs=4, timeout=180):
    """Train the job of :func:`write_job` on so many processes of this machine, with Keras on JAX. Used in 14.

    Parameters
    ----------
    folder : str or Path
    processes, threads : int
        Threads of each process.
    batch_size : int
        Of all processes together; a multiple of ``processes``, and a divisor of the number of slices.
    epochs : int
    timeout : float
        Seconds after which everything is ended.

    Returns
    -------
    JobResult

    Raises
    ------
    ValueError
        If batches cannot be divided evenly.
    OSError, RuntimeError, TimeoutError
        See :func:`run_workers`.
    """
    folder = Path(folder)
    slices = len(np.load(folder / "images.npy", mmap_mode="r"))
    if batch_size % processes or slices % batch_size:
        raise ValueError(
            f"{slices} slices in batches of {batch_size} cannot be divided evenly among {processes} processes, and a "
            "worker with a batch less than the others would leave them waiting. Choose a batch_size that is a "
            "multiple of processes, and leave out the last slices"
        )
    # -P: the folder of the script is not a place to import from
    command = [sys.executable, "-P", str(WORKER), str(folder), str(batch_size), str(epochs)]
    results = [json.loads(text.splitlines()[-1]) for text in run_workers(command, processes, threads, timeout)]
    with np.load(folder / "end.npz") as weights:
        end = [weights[str(k)] for k in range(len(weights.files))]
    first = results[0]
    return JobResult(first["loss"], first["seconds"], [result["slices"] for result in results], end)


def run_workers(command, processes, threads=1, timeout=180):
    """Start a command so many times, as the workers of one training, and wait for all of them.

    Each gets in its environment how many there are, which of them it is, and the address of the first, as
    ``keras.distribution.initialize`` reads them. The address is this machine's own loopback address.

    Parameters
    ----------
    command : list of str
    processes : int
    threads : int
        Threads of each process for its computations (XLA's and TensorFlow's).
    timeout : float
        Seconds.

    Returns
    -------
    list of str : what each worker wrote to stdout

    Raises
    ------
    OSError
        For several processes under Windows, where JAX cannot join them.
    RuntimeError
        If a worker fails, with the end of its error output. The others are ended.
    TimeoutError
        If one is not ready in time. All are ended.
    """
    if processes > 1 and sys.platform == "win32":
        raise OSError("JAX joins processes under Linux and macOS; under Windows run this inside WSL2")
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(_reserved_port())
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(2 * processes)]
        outputs, workers = list(zip(files[::2], files[1::2], strict=True)), []
        stack.callback(_end, workers)
        # a proxy of the hospital would be asked for the way from one worker to the next
        inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        for rank, (out, err) in enumerate(outputs):
            environment = inherited | worker_environment(rank, processes, f"127.0.0.1:{port}", threads)
            workers.append(subprocess.Popen(command, env=environment, stdout=out, stderr=err, stdin=subprocess.DEVNULL))
        limit = time.monotonic() + timeout
        while any(worker.poll() is None for worker in workers):
            _check(workers, outputs)
            if time.monotonic() > limit:
                late = [str(rank) for rank, worker in enumerate(workers) if worker.poll() is None]
                raise TimeoutError(
                    f"after {timeout:g} s worker {' and '.join(late)} of {processes} had not finished, and all were "
                    f"ended. Give a larger timeout, or less work. Last lines:\n{_tail(outputs[int(late[0])][1])}"
                )
            time.sleep(0.05)
        _check(workers, outputs)
        return [_read(out) for out, _ in outputs]


def worker_environment(rank, processes, address, threads=1):
    """Environment variables that tell one worker of ``processes`` who it is, ``{name: text}``."""
    return {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(rank),
        # without it the first worker would listen on every network of this machine
        "JAX_COORDINATOR_BIND_ADDRESS": address,
        "NPROC": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


@contextlib.contextmanager
def _reserved_port():
    """A free port, and nobody else is given it while the workers start (under Linux; elsewhere it is only free now)."""
    with socket.socket() as holder:
        if sys.platform == "linux":  # the coordinator may bind it although it is taken, because both say so
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port


def _check(workers, outputs):
    for rank, worker in enumerate(workers):
        if worker.poll() not in (None, 0):
            raise RuntimeError(
                f"worker {rank} of {len(workers)} ended with code {worker.returncode}, and the others were ended. "
                f"Its last lines:\n{_tail(outputs[rank][1])}"
            )


def _end(workers):
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
    for worker in workers:
        worker.wait()


def _read(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def _tail(file):
    return "\n".join(_read(file).splitlines()[-12:])

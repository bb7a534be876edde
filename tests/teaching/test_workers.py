"""Workers: the ring adds up, the model of time keeps its limits, the batch file runs, and two processes agree."""

import itertools
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from scaling import fit_line

from unet_helpers import UNet
from unet_helpers.teaching import all_reduce, jax_worker, workers
from unet_helpers.training import DiceCrossEntropy

ROOT = Path(__file__).resolve().parents[2]
needs_processes = pytest.mark.skipif(sys.platform == "win32", reason="JAX joins no processes under Windows")


def python(code):
    return [sys.executable, "-c", code]


def test_each_worker_is_told_who_it_is_and_who_comes_first():
    code = (
        "import os, json; print(json.dumps({k[19:]: v for k, v in os.environ.items() if k.startswith('KERAS_DISTR')}))"
    )
    told = [json.loads(text) for text in workers.run_workers(python(code), 1 if sys.platform == "win32" else 3)]
    assert [one["PROCESS_ID"] for one in told] == [str(k) for k in range(len(told))]
    assert {one["NUM_PROCESSES"] for one in told} == {str(len(told))}
    (address,) = {one["JOB_ADDRESSES"] for one in told}
    host, port = address.split(":")
    assert host == "127.0.0.1"
    assert 1024 <= int(port) <= 65535


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, to see what became of them."""
    processes, popen = [], subprocess.Popen

    def start(*arguments, **options):
        processes.append(popen(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return processes


def one_of_two(does, other="time.sleep(60)"):
    """A program in which worker 1 does one thing, and worker 0 another."""
    return python(
        f"import os, sys, time\nif os.environ['KERAS_DISTRIBUTION_PROCESS_ID'] == '1':\n    {does}\nelse:\n    {other}"
    )


@needs_processes
@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("sys.exit('no data for worker 1')", "ended with code 1.*no data for worker 1"),
        ("os.kill(os.getpid(), 9)", "ended with code -9"),
    ],
)
def test_a_worker_that_fails_or_is_killed_ends_the_others_and_its_error_is_shown(started, end, said):
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=f"(?s)worker 1 of 2 {said}"):
        workers.run_workers(one_of_two(end), 2)
    assert time.monotonic() - began < 30
    assert started[0].returncode == -9


@needs_processes
def test_a_worker_that_hangs_is_ended_at_the_time_limit_and_named(started):
    with pytest.raises(TimeoutError, match=r"after 1 s worker (0 and )?1 of 2 had not finished"):
        workers.run_workers(one_of_two("time.sleep(60)", other="pass"), 2, timeout=1)
    assert started[1].returncode == -9


@needs_processes
def test_who_interrupts_the_cell_leaves_no_worker_behind(started, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(workers.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        workers.run_workers(python("import time; time.sleep(60)"), 2)
    assert [worker.returncode for worker in started] == [-9, -9]


@needs_processes
def test_a_second_worker_that_cannot_start_ends_the_first(started, monkeypatch):
    start = subprocess.Popen

    def start_once(*arguments, **options):
        if started:
            raise OSError("too many processes")
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", start_once)
    with pytest.raises(OSError, match="too many"):
        workers.run_workers(python("import time; time.sleep(60)"), 2)
    assert [worker.returncode for worker in started] == [-9]


def test_a_worker_leaves_when_its_launcher_was_killed():
    worker = "from unet_helpers.teaching.jax_worker import leave_with_the_launcher as f; f(); "
    worker += "print('here', flush=True); import time; time.sleep(120)"
    launcher = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    with subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "here\n"
        process.kill()
        began = time.monotonic()
        assert process.stdout.read() == ""  # its end: nobody holds the pipe any more
        assert time.monotonic() - began < 30


def test_a_worker_that_writes_much_does_not_stop():
    (text,) = workers.run_workers(python("import sys; print('x' * 10**6); print('y' * 10**6, file=sys.stderr)"), 1)
    assert len(text) > 10**6


def test_windows_is_told_where_to_go(monkeypatch):
    monkeypatch.setattr(workers.sys, "platform", "win32")
    with pytest.raises(OSError, match="WSL2"):
        workers.run_workers(python("pass"), 2)


@pytest.mark.parametrize(("slices", "batch_size"), [(32, 15), (30, 16)])
def test_uneven_parts_are_refused_before_anything_starts(tmp_path, slices, batch_size):
    np.save(tmp_path / "images.npy", np.zeros((slices, 8, 8, 1), np.float32))
    with pytest.raises(ValueError, match="cannot be divided evenly among 2 processes"):
        workers.train_in_processes(tmp_path, 2, batch_size=batch_size)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", DiceCrossEntropy(class_weights=(1, 3))])
def test_a_worker_builds_what_the_job_holds(tmp_path, loss):
    network = UNet((16, 16, 1), 2, base_filters=4, depth=1)
    optimizer = keras.optimizers.SGD(0.3, momentum=0.5)
    workers.write_job(tmp_path, network, np.zeros((2, 16, 16, 1)), np.zeros((2, 16, 16, 2)), optimizer, loss)
    built = jax_worker.load_model(tmp_path)
    for one, other in zip(network.get_weights(), built.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert built.optimizer.get_config()["momentum"] == 0.5
    assert built.loss == loss or built.loss.get_config() == loss.get_config()


@needs_processes
def test_two_processes_on_jax_arrive_where_one_on_tensorflow_does_with_batch_norm_and_a_loss_over_the_batch(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there; workers must not ask it for the way
    random = np.random.default_rng(0)
    images = random.random((16, 16, 16, 1), dtype=np.float32)
    # the first and the last slices differ, so that statistics of halves would show
    images *= np.linspace(0.2, 1, 16, dtype=np.float32)[:, None, None, None]
    targets = np.eye(2, dtype=np.float32)[(images[..., 0] > 0.3).astype(int)]
    keras.utils.set_random_seed(0)
    network = UNet((16, 16, 1), 2, base_filters=4, depth=1, dropout=0)
    start = network.get_weights()[0]
    workers.write_job(tmp_path, network, images, targets, keras.optimizers.SGD(0.1), keras.losses.Dice(axis=None))
    two = workers.train_in_processes(tmp_path, 2, batch_size=8, epochs=2)
    network.compile(keras.optimizers.SGD(0.1), keras.losses.Dice(axis=None))
    loss = network.fit(images, targets, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert two.slices == [8, 8]
    assert len(two.seconds) == 2
    assert loss[1] < loss[0]
    np.testing.assert_allclose(two.loss, loss, atol=1e-5)
    for one, other in zip(network.get_weights(), two.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert not np.allclose(start, two.weights[0], atol=1e-3)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_the_ring_leaves_every_worker_with_the_sum(workers):
    values = np.random.default_rng(0).integers(0, 100, (workers, workers))
    states = all_reduce.ring_all_reduce(values)
    assert len(states) == 2 * (workers - 1) + 1
    np.testing.assert_array_equal(states[-1], np.tile(values.sum(axis=0), (workers, 1)))
    for before, after in itertools.pairwise(states):
        # one message per worker: no row changes in more than one chunk
        assert ((before != after).sum(axis=1) <= 1).all()


def test_a_ring_needs_as_many_chunks_as_workers():
    with pytest.raises(ValueError, match="3 workers need as many chunks"):
        all_reduce.ring_all_reduce(np.zeros((3, 4)))


def test_the_model_of_a_step_has_the_limits_it_must_have():
    link = {"size": 8e6, "bandwidth": 1e9, "latency": 1e-3}
    assert all_reduce.step_seconds(1, 2.0, **link) == 2.0
    # each of two sends half of the bytes twice
    assert all_reduce.step_seconds(2, 2.0, **link) == pytest.approx(1 + 2 * (1e-3 + 4e-3))
    assert all_reduce.step_seconds(2, 2.0, **link, weak=True) == pytest.approx(2 + 0.01)
    # many workers: twice the bytes, however many they are
    many = all_reduce.all_reduce_seconds(10**6, 8e6, 1e9, 0)
    assert many == pytest.approx(0.016, rel=1e-3)
    np.testing.assert_allclose(
        all_reduce.step_seconds(np.array([1, 2]), 2.0, **link), [2.0, all_reduce.step_seconds(2, 2.0, **link)]
    )


def test_latency_and_bandwidth_are_found_again():
    sizes = 2.0 ** np.arange(10, 27, 4)
    latency, bandwidth = fit_line(sizes, 3e-4 + sizes / 2e9)
    assert latency == pytest.approx(3e-4, rel=1e-6)
    assert bandwidth == pytest.approx(2e9, rel=1e-6)
    with pytest.raises(ValueError, match="do not grow"):
        fit_line([1, 10, 100], [3, 2, 1])


@pytest.fixture(scope="module")
def batch_file():
    """The job of notebook 14, as it stands on its page."""
    page = (ROOT / "notebooks" / "src" / "14_scaling_out.py").read_text(encoding="utf-8")
    # one space before each line: jupytext would take the # from a #! at the beginning of a line
    return re.search(r"#  ```bash\n(.*?)#  ```", page, re.DOTALL)[1].replace("#  ", "").replace("#\n", "\n")


@needs_processes
def test_the_batch_file_of_notebook_14_is_one_that_slurm_and_bash_can_read(batch_file, tmp_path):
    (tmp_path / "job.sh").write_text(batch_file)
    subprocess.run(["bash", "-n", tmp_path / "job.sh"], check=True)
    first, *rest = batch_file.splitlines()
    assert first == "#!/bin/bash"
    # Slurm reads no order below the first command
    asked = dict(
        line.removeprefix("#SBATCH --").split("=") for line in itertools.takewhile(lambda x: x[0] == "#", rest)
    )
    assert len(asked) == batch_file.count("#SBATCH --")
    # the number of cores does not reach the tasks by itself, and each task sees its own GPU as the first
    assert f"srun --cpus-per-task={asked['cpus-per-task']} " in batch_file
    assert asked["gpus-per-task"] == "1"
    assert "export JAX_LOCAL_DEVICE_IDS=0\n" in batch_file


@needs_processes
def test_the_batch_file_of_notebook_14_tells_each_task_its_own_number(batch_file, tmp_path):
    """Run under a stand-in for Slurm: commands that do what ``scontrol`` and ``srun`` do on two nodes."""
    code = "import os; print(*(os.environ['KERAS_' + k] for k in ('BACKEND', 'DISTRIBUTION_JOB_ADDRESSES', "
    code += "'DISTRIBUTION_NUM_PROCESSES', 'DISTRIBUTION_PROCESS_ID')))"
    stand_ins = {
        # so many names that a reader who leaves after the first would break the pipe
        "scontrol": 'printf "node%02d\\n" {7..9999}\n',
        "srun": 'shift 2\nfor rank in 0 1 2 3; do SLURM_PROCID=$rank "$@"; done\n',
        "python": f'[[ "$*" == train.py ]] && {shlex.join(python(code))}\n',
    }
    for name, text in stand_ins.items():
        (tmp_path / name).write_text("#!/bin/bash\n" + text)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "node[07-9999]", "SLURM_NTASKS": "4"}
    done = subprocess.run(["bash"], input=batch_file, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"jax node07:29500 4 {rank}" for rank in range(4)]

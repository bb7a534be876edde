"""Where the series is installed: no home, a closed or full one, ``~`` and empty variables, cut files, two kernels."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import execute_notebooks
import lab
import nbformat
import numpy as np
import pytest

from unet_helpers import DataError, export_phantom, load_dataset, pair_files
from unet_helpers._quiet import _settle_home
from unet_helpers.data import phantom_arrays, synthetic
from unet_helpers.files import atomic_path, data_folder, read_image, user_path

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"size": 16, "patients": 3, "slices": 1}


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home folder, an empty working directory, and no variable that names another place."""
    for name in ("UNET_DATA_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def homeless(home, monkeypatch):
    """A user of whom the system knows no home folder, as in a container that runs under any number."""
    pwd = pytest.importorskip("pwd")

    def unknown(user):
        raise KeyError(user)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.fixture
def full_disk():
    """From the call on, no file takes more than so many bytes, and the system itself says so.

    A call without a size makes room again, before pytest writes of the test into what may be a file.
    """
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(size=limit[0]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))

    yield fill
    fill()


@pytest.fixture(autouse=True)
def nothing_in_memory(monkeypatch):
    monkeypatch.setattr(synthetic, "_IN_MEMORY", {})


# --- which folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [{}, {"UNET_DATA_DIR": ""}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "cache"}])
def test_an_empty_variable_counts_as_unset_and_a_relative_cache_folder_too(home, monkeypatch, named):
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert data_folder() == home / ".cache" / "unet_helpers"
    assert not os.listdir()


def test_a_tilde_is_the_home_folder_in_variables(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "~/c")
    assert data_folder() == home / "c" / "unet_helpers"
    monkeypatch.setenv("UNET_DATA_DIR", "~/däta of mine")
    assert data_folder() == home / "däta of mine"
    assert not os.listdir()


@pytest.mark.parametrize(
    "said", ["$HOME/my data", "${HOME}/my data", "'~/my data'", '"$HOME/my data"', " ~/my data ", "$HOME/my data/"]
)
def test_a_variable_from_an_env_file_is_the_folder_that_a_shell_would_take(home, monkeypatch, said):
    monkeypatch.setenv("UNET_DATA_DIR", said)
    assert data_folder() == home / "my data"
    monkeypatch.delenv("UNET_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", said)
    assert data_folder() == home / "my data" / "unet_helpers"
    monkeypatch.setenv("UNET_DATA_DIR", " ")
    assert data_folder() == home / "my data" / "unet_helpers"
    assert not os.listdir()


def test_a_variable_that_names_one_which_is_not_set_is_refused(home, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("UNET_DATA_DIR", "$NOWHERE/data")
    with pytest.raises(DataError, match=r"UNET_DATA_DIR names no folder: '\$NOWHERE/data' begins with a variable"):
        data_folder()
    assert not os.listdir()


@pytest.mark.parametrize("said", ["", "home", ".", "~"])
def test_a_home_that_is_no_whole_path_counts_as_unset(home, monkeypatch, said):
    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", lambda user: pwd.struct_passwd(("me", "x", 1, 1, "", str(home), "")))
    monkeypatch.setenv("HOME", said)
    _settle_home()
    assert data_folder() == home / ".cache" / "unet_helpers"
    assert not os.listdir()


def test_a_tilde_is_the_home_folder_in_every_path_that_is_given(drawn_patients, home):
    folder = export_phantom("~/set 1", patients=4, size=32, clean=True)
    assert folder == home / "set 1"
    assert len(load_dataset("~/set 1", fractions=(0.5, 0.25, 0.25)).train.patients) == 2
    assert pair_files("~/set 1/2d_images", Path("~/set 1/2d_masks")).ok
    assert read_image("~/set 1/2d_images/ID_0001_Z_0005.png")[0].shape == (32, 32, 1)
    with atomic_path("~/new/a.txt") as temporary:
        temporary.write_text("a")
    assert (home / "new" / "a.txt").read_text() == "a"
    assert not os.listdir()


def test_an_unknown_home_is_named_and_a_file_may_begin_with_a_tilde(home, monkeypatch):
    with pytest.raises(DataError, match=r"'~nobody-here/x' begins with ~nobody-here.*write it in full"):
        user_path("~nobody-here/x")
    Path("~x.png").touch()
    assert user_path("~x.png") == Path("~x.png")
    monkeypatch.setenv("UNET_DATA_DIR", "~nobody-here/x")
    with pytest.raises(DataError, match="UNET_DATA_DIR names no folder: '~nobody-here/x'"):
        data_folder()


def test_without_a_home_folder_keras_writes_to_the_temporary_one(homeless, monkeypatch):
    for variables in ({}, {"KERAS_HOME": "", "HOME": ""}):
        monkeypatch.delenv("KERAS_HOME", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        _settle_home()
        assert os.path.isabs(os.environ["KERAS_HOME"])
        assert "HOME" not in os.environ


def test_a_home_folder_leaves_keras_alone(home, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    _settle_home()
    assert "KERAS_HOME" not in os.environ


# --- what cannot be kept --------------------------------------------------------------------------


def closed(place, monkeypatch, full_disk):
    """Make ``place`` a folder that takes nothing, in one of the ways below."""
    return {
        "a file in its place": lambda: place.touch(),
        "a file above it": lambda: (place.parent.rmdir(), place.parent.touch()),
        "no permission": lambda: monkeypatch.setattr(Path, "mkdir", refuse(errno.EACCES)),
        "read-only": lambda: (place.mkdir(), monkeypatch.setattr("tempfile.mkstemp", refuse(errno.EROFS))),
        "a full disk": lambda: full_disk(100),
    }


def refuse(number):
    def refused(*args, **options):
        raise OSError(number, os.strerror(number), str(args))

    return refused


@pytest.mark.parametrize("how", closed(None, None, None))
def test_where_nothing_can_be_kept_one_sentence_says_so_and_the_patients_stay_in_memory(
    drawn_patients, monkeypatch, tmp_path, full_disk, capsys, how
):
    expected = phantom_arrays(**SMALL)
    place = tmp_path / "above" / "data"
    place.parent.mkdir()
    monkeypatch.setenv("UNET_DATA_DIR", str(place))
    capsys.readouterr()
    closed(place, monkeypatch, full_disk)[how]()
    first, second = phantom_arrays(**SMALL), phantom_arrays(**SMALL)
    first[1][:] = 9  # what one caller does with its arrays reaches no other
    third = phantom_arrays(**SMALL)
    monkeypatch.undo()
    full_disk()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(place) in said
    assert "UNET_DATA_DIR" in said
    assert len(drawn_patients) == 2
    for arrays in (second, third):
        for one, other in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".writing")]


def test_without_a_home_folder_the_patients_stay_in_memory(drawn_patients, homeless, monkeypatch, capsys):
    monkeypatch.delenv("UNET_DATA_DIR", raising=False)
    assert len(phantom_arrays(**SMALL)[0]) == 3
    assert "no home folder is known here" in capsys.readouterr().err
    assert not os.listdir()
    with pytest.raises(DataError, match=r"no home folder is known here.*UNET_DATA_DIR"):
        export_phantom()


def test_a_folder_that_is_read_only_and_holds_the_patients_is_enough(drawn_patients, monkeypatch, capsys):
    phantom_arrays(**SMALL)
    monkeypatch.setattr("tempfile.mkstemp", refuse(errno.EROFS))
    phantom_arrays(**SMALL)
    assert len(drawn_patients) == 1
    assert not capsys.readouterr().err


def test_a_full_disk_leaves_no_part_of_a_folder_or_file(drawn_patients, tmp_path, full_disk):
    phantom_arrays(size=32)
    before = sorted(tmp_path.rglob("*"))
    full_disk(150)
    with pytest.raises(DataError, match=r"'[^']*set' cannot be written \(.*\); make room"):
        export_phantom(tmp_path / "set", size=32)
    with pytest.raises(DataError, match=r"'[^']*a.txt' cannot be written"), atomic_path(tmp_path / "a.txt") as file:
        file.write_text("a" * 1000)
    full_disk()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_checkpoint_on_a_full_disk_is_named_and_leaves_no_part(disks, tmp_path, full_disk):
    from unet_helpers import UNet, train

    data, model = disks(), UNet((32, 32, 1), base_filters=2, depth=1)
    full_disk(2000)
    with pytest.raises(DataError, match=r"best.keras' cannot be written"):
        train(model, data, epochs=1, checkpoint=tmp_path / "run", progress=False)
    full_disk()
    assert not list((tmp_path / "run").iterdir())


def test_an_error_that_has_nothing_to_do_with_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), atomic_path(tmp_path / "a"):
        (tmp_path / "other").read_text()
    assert not os.listdir(tmp_path)


def test_a_disk_without_permissions_and_one_apart_from_the_temporary_folder_are_fine(
    drawn_patients, monkeypatch, tmp_path
):
    here, move = tmp_path / "cache", os.replace

    def replace(source, target):
        if not (Path(source).is_relative_to(here) and Path(target).is_relative_to(here)):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        move(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "chmod", refuse(errno.EPERM))
    phantom_arrays(size=32)
    assert export_phantom(size=32).is_relative_to(here)
    assert len(drawn_patients) == 1


def test_the_command_line_says_the_sentence_and_nothing_else(drawn_patients, monkeypatch, tmp_path):
    from unet_helpers.__main__ import main

    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["unet_helpers", "export", "--size", "32", str(tmp_path / "file" / "set")])
    with pytest.raises(SystemExit, match=r"set' cannot be written \(a file stands where a folder is needed\)"):
        main()


def test_the_folder_of_a_kernel_that_was_faster_by_a_moment_is_taken(drawn_patients, monkeypatch, tmp_path):
    folder, move = tmp_path / "set", os.replace

    def replace(source, target):
        if Path(target) == folder and not folder.exists():
            monkeypatch.setattr(os, "replace", move)
            export_phantom(folder, size=32, clean=True)
        move(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert export_phantom(folder, size=32, clean=True) == folder
    assert pair_files(folder / "2d_images", folder / "2d_masks").ok
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("other", ["whole", "cut"])
def test_a_kernel_that_keeps_the_patients_a_moment_earlier_does_no_harm(drawn_patients, monkeypatch, tmp_path, other):
    move = os.replace

    def replace(source, target):
        content = Path(source).read_bytes()
        Path(target).write_bytes(content if other == "whole" else content[: len(content) // 3])
        move(source, target)

    monkeypatch.setattr(os, "replace", replace)
    made = phantom_arrays(**SMALL)
    monkeypatch.setattr(os, "replace", move)
    for one, again in zip(made, phantom_arrays(**SMALL), strict=True):
        np.testing.assert_array_equal(one, again)
    assert len(drawn_patients) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


# --- what was cut ---------------------------------------------------------------------------------


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut at the half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut by a byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "one byte changed": flip,
    "a page of a proxy": lambda path: path.write_text("<html>"),
    "another archive": lambda path: np.savez(path, volumes=np.zeros(3)),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_of_patients_is_made_again(drawn_patients, tmp_path, capsys, how):
    expected = phantom_arrays(**SMALL)
    (path,) = (tmp_path / "cache").iterdir()
    DAMAGE[how](path)
    for _ in range(2):
        for one, other in zip(phantom_arrays(**SMALL), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(drawn_patients) == 2
    assert not capsys.readouterr().err
    assert list((tmp_path / "cache").iterdir()) == [path]


# --- the tools ------------------------------------------------------------------------------------


def test_a_notebook_that_cannot_be_written_is_named_and_leaves_no_part(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"01.ipynb' cannot be written \(.*choose another folder with --output"):
        execute_notebooks.write(nbformat.v4.new_notebook(), tmp_path / "file" / "01.ipynb")
    (tmp_path / "01.ipynb").mkdir()
    with pytest.raises(SystemExit, match=r"01.ipynb' cannot be written"):
        execute_notebooks.write(nbformat.v4.new_notebook(), tmp_path / "01.ipynb")
    assert sorted(os.listdir(tmp_path)) == ["01.ipynb", "file"]


def test_jupyter_without_a_home_folder_to_write_to_is_one_sentence(home, monkeypatch):
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(Path, "mkdir", refuse(errno.EACCES))
    with pytest.raises(SystemExit, match=r"^Jupyter needs a home folder to write to \(.*in the variable HOME$"):
        lab.check_home()


def test_jupyterlab_opens_from_an_environment_that_is_closed_and_says_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lab, "check_home", lambda: None)
    monkeypatch.setattr(lab.subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 0))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "share").touch()
    assert lab.main() == 0
    assert "settings' cannot be written" in capsys.readouterr().out
    (tmp_path / "share").unlink()
    assert lab.main() == 0
    assert not capsys.readouterr().out
    assert (tmp_path / "share" / "jupyter" / "lab" / "settings" / "overrides.json").is_file()


# --- real processes -------------------------------------------------------------------------------

PACKAGE = "from unet_helpers import load_checkpoint, load_dataset; load_checkpoint()"
WITHOUT_TENSORFLOW = f"""
import os, sys, types
for name in ("unet_helpers", "unet_helpers.data"):  # without what their doors load
    sys.modules[name] = package = types.ModuleType(name)
    package.__path__ = [os.path.join({str(ROOT)!r}, *name.split("."))]
from unet_helpers.data.load import load_dataset
"""
LOAD = """
import hashlib
data = load_dataset("phantom", size=32, patients=3, slices=2)
print(hashlib.sha256(data.train.images.tobytes() + data.train.masks.tobytes()).hexdigest())
"""


def start(folder, code, user=(), **variables):
    """A Python of its own that runs the code and makes three small patients, with some variables set."""
    keep = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    environment = {**keep, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    pipe = subprocess.PIPE
    command = [*user, sys.executable, "-c", f"{code}\n{LOAD}"]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_three_kernels_at_once_in_an_odd_path_make_the_same_patients_and_one_file(home, tmp_path):
    folder = home / "Übung 1 ☃" / "data"
    variables = {"HOME": str(home), "UNET_DATA_DIR": str(folder)}
    kernels = [start(tmp_path / "work", WITHOUT_TENSORFLOW, **variables) for _ in range(3)]
    outputs = [kernel.communicate(timeout=200) for kernel in kernels]
    assert len(set(outputs)) == 1
    assert len(outputs[0][0].strip()) == 64
    assert not outputs[0][1]
    assert len(list(folder.iterdir())) == 1
    assert not os.listdir(tmp_path / "work")


def test_a_user_without_a_home_in_the_checkout_of_another_makes_patients_and_leaves_nothing():
    if os.name != "posix" or os.getuid() != 0 or not os.path.exists("/usr/bin/setpriv"):
        pytest.skip("another user can be taken on by root only")
    user = ["/usr/bin/setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    if subprocess.run([*user, sys.executable, "-c", f"open({str(ROOT / 'README.md')!r})"], check=False).returncode:
        pytest.skip("another user cannot reach this Python or this checkout")
    with tempfile.TemporaryDirectory() as work:  # the folders of pytest are closed to others
        os.chmod(work, 0o777)
        kernel = start(work, PACKAGE, user=user, UNET_DATA_DIR="")
        out, err = kernel.communicate(timeout=200)
        left = os.listdir(work)
    assert kernel.returncode == 0, err
    assert len(out.strip()) == 64
    assert err.count("\n") == 1
    assert "no home folder is known here" in err
    assert not left

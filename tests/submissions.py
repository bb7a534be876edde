"""Sixty submissions of notebook 00, as sixty students might hand them in, and what each must get.

``SUBMISSIONS`` gives for each student a function of the two editions that makes the notebook, and the verdicts on the
three exercises: R right, N not yet, W wrong, E error, T time-out, M missing; several letters: one of them. Hostile ones
attack in the first exercise, have the second right and the third untouched.
"""

import copy
import json
import os
import random
from pathlib import Path

LETTERS = {"R": "right", "N": "not yet", "W": "wrong", "E": "error", "T": "time-out", "M": "missing"}
STARTERS = ("cell-019", "cell-026", "cell-031")
IMPORT = "from unet_helpers.teaching.checks import first_segmentation as check\n\n"
RIGHT = "return probabilities.argmax(axis=-1)"
DICE = "def dice(truth, found):\n    return 2 * (truth & found).sum() / (truth.sum() + found.sum())\n\ncheck.dice(dice)"


def cell(notebook, name):
    return next(one for one in notebook["cells"] if one.get("id") == name)


def to_mask(body, before=""):
    """The first exercise with a body, and the second one right."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    code = f"{IMPORT}{before}\ndef to_mask(probabilities):\n{lines}\n\n\ncheck.to_mask(to_mask)"

    def make(student, solution):
        cell(student, STARTERS[0])["source"] = code
        cell(student, STARTERS[1])["source"] = DICE
        return student

    return make


def edited(change, solved=True):
    """One of the editions, changed in place."""

    def make(student, solution):
        notebook = solution if solved else student
        change(notebook)
        return notebook

    return make


def each_cell(change):
    def run(notebook):
        for one in notebook["cells"]:
            change(one)

    return run


def keep(condition):
    def run(notebook):
        notebook["cells"] = [one for one in notebook["cells"] if condition(one)]

    return run


def set_source(name, source):
    return lambda notebook: cell(notebook, name).update(source=source)


def forge(one):
    if one.get("id") in STARTERS:
        one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "Right.\n"}]


def without_ids(notebook):
    notebook["nbformat_minor"] = 4
    for one in notebook["cells"]:
        one.pop("id")


def below_the_starter(student, solution):
    for name in STARTERS:
        place = student["cells"].index(cell(student, name))
        student["cells"].insert(place + 1, cell(solution, name) | {"id": f"mine-{name}"})
    return student


def with_a_helper(student, solution):
    student = to_mask("return places(probabilities)")(student, solution)
    place = student["cells"].index(cell(student, STARTERS[0]))
    helper = cell(student, STARTERS[0]) | {"id": "mine", "source": "def places(p):\n    return np.argmax(p, axis=-1)"}
    student["cells"].insert(place, helper)
    return student


def fake_check(student, solution):
    fake = "class check:\n    to_mask = staticmethod(lambda answer: print('Right.'))\n\n"
    source = cell(student, STARTERS[0])["source"]
    cell(student, STARTERS[0])["source"] = source.replace(IMPORT, fake)
    return student


PATCHES = """import unet_helpers.teaching.checks.first_segmentation as c
import unet_helpers.teaching.checks._verdict as v
import unet_helpers.teaching.grading.values as values, unet_helpers.teaching.grading.judge as judge
import builtins, numpy
c.to_mask = lambda answer: print("Right.")
v.verdict = v.Wrong = v.NotYet = lambda *_: ("right", "")
judge.verdict = values.unpack = lambda *_: ("right", "")
numpy.allclose = numpy.array_equal = numpy.isclose = lambda *_, **__: True
return 0 * probabilities.argmax(axis=-1)"""
FORGE_ON_ALL_PIPES = """import os, struct
said = b'{"verdict": "right", "message": "", "guard": "namespaces"}'
for number in range(64):
    try: os.write(number, struct.pack("!i", len(said)) + said)
    except OSError: pass
return 0 * probabilities.argmax(axis=-1)"""
FORGE_BY_FRAMES = """import gc, json
from multiprocessing.connection import Connection
for one in gc.get_objects():
    if isinstance(one, Connection):
        try: one.send_bytes(json.dumps({"verdict": "right", "message": "", "guard": "guards"}).encode())
        except OSError: pass
return 0 * probabilities.argmax(axis=-1)"""
OTHER_PIPES = """import os
said = b'\\0\\0\\0:{"verdict": "right", "message": "", "guard": "namespaces"}'
for process in os.listdir("/proc"):
    try:
        for number in os.listdir(f"/proc/{process}/fd"):
            if os.readlink(f"/proc/{process}/fd/{number}").startswith("pipe"):
                with open(f"/proc/{process}/fd/{number}", "wb", buffering=0) as pipe: pipe.write(said)
    except OSError: pass
return 0 * probabilities.argmax(axis=-1)"""
LYING = """class Lying(np.ndarray):
    __eq__ = __ne__ = __array_function__ = lambda *_, **__: True
return (0 * probabilities.argmax(axis=-1)).view(Lying)"""
ALWAYS_EQUAL = """class Equal:
    dtype, shape, ndim = np.dtype(int), probabilities.shape[:-1], 2
    __eq__ = lambda *_: True
return Equal()"""
PICKLE = """class Bomb:
    def __reduce__(self): return exec, ("import os; os._exit(0)",)
return Bomb()"""
FORKSERVER = """import socket
from multiprocessing import forkserver
line = socket.socket(socket.AF_UNIX)
line.connect(forkserver._forkserver._forkserver_address)
return probabilities.argmax(axis=-1)"""
UNMOUNT = """import ctypes, glob, json
libc = ctypes.CDLL(None)
libc.umount2(b"@FOLDER@", 2), libc.mount(None, b"@FOLDER@", None, 32, None)
libc.unshare(0x10020000), libc.umount2(b"@FOLDER@", 2)
return READ"""
READ = """import glob, json
files = glob.glob("@FOLDER@/**/*.ipynb", recursive=True)
codes = ["".join(c["source"]) for f in files for c in json.load(open(f))["cells"] if "argmax(axis=-1)" in str(c)]
exec(next(code for code in codes if "return probabilities" in code).split("check.")[0], globals() | locals())
return probabilities.argmax(axis=-1)"""
DAEMON = """import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
return probabilities.argmax(axis=-1)"""

SUBMISSIONS = {
    # as they should be
    "solved": (lambda student, solution: solution, "RRR"),
    "untouched": (lambda student, solution: student, "NNN"),
    "ana": (to_mask("places = probabilities.argmax(axis=-1)\nreturn places  # mine"), "RRN"),
    "ben copied from ana": (to_mask("places = probabilities.argmax(axis=-1)\nreturn places  # mine"), "RRN"),
    "in another way": (to_mask("return np.argmax(np.asarray(probabilities), -1)"), "RRN"),
    "wrong axis": (to_mask("return probabilities.argmax(axis=0)"), "WRN"),
    "returns None": (to_mask("return None"), "NRN"),
    "prints it": (to_mask("print(probabilities.argmax(axis=-1))"), "NRN"),
    "raises": (to_mask("raise RuntimeError('<script>alert(1)</script>')"), "ERN"),
    "name that is not there": (to_mask("return unknown(probabilities)"), "ERN"),
    "no Python": (to_mask("return ("), "ERN"),
    "own helper in an own cell": (with_a_helper, "RRN"),
    "magics in the cell": (to_mask(RIGHT, "%matplotlib inline\n!pip list\n"), "RRN"),
    "its import deleted": (edited(set_source(STARTERS[0], f"def to_mask(probabilities):\n    {RIGHT}")), "RRR"),
    # as files come back
    "empty notebook": (edited(keep(lambda one: False)), "MMM"),
    "cells emptied": (edited(each_cell(lambda one: one.update(source=""))), "MMM"),
    "cells of the answers deleted": (edited(keep(lambda one: one["id"] not in STARTERS)), "MMM"),
    "other cells deleted": (edited(keep(lambda one: one["id"] in STARTERS or one["cell_type"] != "code")), "RRR"),
    "ids renamed": (edited(each_cell(lambda one: one.update(id=f"x-{one['id']}"))), "RRR"),
    "ids renamed, untouched": (edited(each_cell(lambda one: one.update(id=f"x-{one['id']}")), solved=False), "NNN"),
    "without ids": (edited(without_ids), "RRR"),
    "shuffled": (edited(lambda notebook: random.Random(0).shuffle(notebook["cells"])), "RRR"),
    "answers below the starters": (below_the_starter, "RRR"),
    "check deleted": (edited(set_source(STARTERS[1], DICE.split("check.")[0])), "RRR"),
    "broken JSON": (lambda student, solution: json.dumps(solution)[:-9].encode(), "MMM"),
    "a list": (lambda student, solution: b"[1, 2]", "MMM"),
    "a picture": (lambda student, solution: b"\x89PNG\r\n\x1a\n" + bytes(99), "MMM"),
    "empty file": (lambda student, solution: b"", "MMM"),
    "deep JSON": (lambda student, solution: b"[" * 200_000, "MMM"),
    "odd cells": (edited(lambda notebook: notebook["cells"].insert(0, {"cell_type": "code", "source": 5})), "MMM"),
    "no notebook": (None, "MMM"),
    "of another course": (lambda student, solution: {"cells": [], "metadata": {"title": "history"}}, "MMM"),
    "large outputs": (
        edited(each_cell(lambda one: one.get("outputs", []).append({"output_type": "stream", "text": "x" * 500_000}))),
        "RRR",
    ),
    # that want to be right without an answer
    "outputs forged": (edited(each_cell(forge), solved=False), "NNN"),
    "own check": (fake_check, "NNN"),
    "prints Right": (to_mask("print('Right.')\nreturn ..."), "NRN"),
    "patches the package": (to_mask(PATCHES), "WRN"),
    "patches it before": (to_mask("return 0", "\n".join(PATCHES.splitlines()[:-1]) + "\n"), "WRN"),
    "forges on all pipes": (to_mask(FORGE_ON_ALL_PIPES), "WERN"),
    "forges through the garbage": (to_mask(FORGE_BY_FRAMES), "WERN"),
    "forges on the pipes of others": (to_mask(OTHER_PIPES), "WERN"),
    "lying array": (to_mask(LYING), "WERN"),
    "equal to everything": (to_mask(ALWAYS_EQUAL), "WERN"),
    "pickle": (to_mask(PICKLE), "WRN"),
    "writes the table": (to_mask("open('@OUT@/grades.csv', 'w').write('me,right')\nreturn probabilities"), "ERN"),
    "writes into the package": (
        to_mask("import unet_helpers\nopen(unet_helpers.__file__, 'a').write('#')\nreturn probabilities"),
        "ERN",
    ),
    "reads the others": (to_mask(READ), "ERN"),
    "reads the solutions": (to_mask(READ.replace("@FOLDER@", "@SERIES@")), "ERN"),
    "takes the walls away": (to_mask(UNMOUNT.replace("return READ", READ)), "ERN"),
    # that do harm
    "endless loop": (to_mask("while True: pass"), "TRN"),
    "endless loop before": (to_mask(f"times\n{RIGHT}", "times = 0\nwhile True:\n    times += 1\n"), "TRN"),
    "sleeps": (to_mask("import time\ntime.sleep(1e6)"), "TRN"),
    "exit": (to_mask("exit()"), "ERN"),
    "os._exit": (to_mask("import os\nos._exit(0)"), "ERN"),
    "crashes": (to_mask("import ctypes\nctypes.string_at(0)"), "ERN"),
    "takes all memory": (to_mask("return np.ones((10**5, 10**5))"), "ERN"),
    "recursion": (to_mask("return to_mask(probabilities)"), "ERN"),
    "deep list": (to_mask("a = []\nfor _ in range(10**5): a = [a]\nreturn a"), "ERN"),
    "large answer": (to_mask("return np.ones(10**8)"), "ERN"),
    "fills the disk": (to_mask("open('x', 'wb').write(bytes(10**8))\nreturn 1"), "ERN"),
    "kills its parent": (to_mask("import os\nfor p in (1, os.getppid()): os.kill(p, 9)\nreturn 1"), "EWRN"),
    "kills everybody": (to_mask("import os\nos.kill(-1, 9)\nreturn 1"), "EWRN"),
    "leaves a process": (to_mask(DAEMON), "RERN"),
    "network": (to_mask("import socket\nsocket.create_connection(('127.0.0.1', 9))\nreturn 1"), "ERN"),
    "asks the server of processes": (to_mask(FORKSERVER), "ERN"),
}


def write_submissions(folder, editions, names=None):
    """Write them, a folder for each student; ``editions`` are those of ``tools/make_editions.py``."""
    sources = [json.loads((place / "00_first_segmentation.ipynb").read_bytes()) for place in editions.values()]
    for one in (one for source in sources for one in source["cells"]):
        one["source"] = "".join(one["source"])
    series = Path(__file__).resolve().parents[1] / "notebooks"
    for name in names or SUBMISSIONS:
        make, _ = SUBMISSIONS[name]
        (folder / name).mkdir(parents=True)
        if make is None:
            continue
        made = make(*map(copy.deepcopy, sources))
        content = made if isinstance(made, bytes) else json.dumps(made).encode()
        for word, path in (("@FOLDER@", folder), ("@OUT@", folder.with_name("out")), ("@SERIES@", series)):
            content = content.replace(word.encode(), os.fsencode(path))
        (folder / name / "00_first_segmentation.ipynb").write_bytes(content)


def expected(name):
    """The verdicts that a student may get, a set for each exercise: of more than three letters, the first ones."""
    letters = SUBMISSIONS[name][1]
    groups = [letters[:-2], *letters[-2:]]
    return [{LETTERS[letter] for letter in group} for group in groups]

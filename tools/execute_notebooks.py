"""Run notebooks from fresh kernels and store their outputs, the same bytes for the same outputs.

``python tools/execute_notebooks.py`` builds every ``notebooks/NN_topic.ipynb`` from its pair
``notebooks/src/NN_topic.py``, runs it from top to bottom, and writes it back only if no cell failed
and nothing went to stderr (with ``--output`` it is kept, warnings and all). Names on the command
line choose some of them: ``01 05_evaluation``.
Notebook 15 takes the folder named by ``UNET_DATA``.
"""

import argparse
import contextlib
import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from lab import check_home
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
# \b would not do: the ids also follow an underscore, in IPY_MODEL_<id>
WIDGET_ID = r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="numbers or stems; default: all")
    parser.add_argument(
        "--pair-only", action="store_true", help="bring sources into the notebooks, keep outputs, run nothing"
    )
    parser.add_argument("--output", type=Path, help="folder for the executed notebooks; default: notebooks/")
    parser.add_argument("--timeout", type=int, default=1200, help="seconds one cell may take")
    parser.add_argument(
        "--called-from", type=Path, default=Path(), help="where relative --output and UNET_DATA start; default: here"
    )
    options = parser.parse_args()
    sources = find_sources(options.names)
    # kernels work in notebooks/, so that a relative name would mean another place there
    base = options.called_from
    if options.output:
        options.output = absolute(options.output, base)
        os.environ["UNET_RUNS"] = str(options.output)
    if os.environ.get("UNET_DATA") and not options.pair_only and any(s.stem.startswith("15") for s in sources):
        os.environ["UNET_DATA"] = data_source(os.environ["UNET_DATA"], base)
    for source in sources:
        target = NOTEBOOKS / f"{source.stem}.ipynb"
        if options.pair_only:
            write(pair(source, target), target)
            continue
        check_home()
        began = time.time()
        notebook = run(pair(source, None), options.timeout)
        if options.output:
            target = folder_of_run(options.output, began) / target.name
        else:
            refuse_stderr(notebook)
        write(notebook, target)
        print(f"{source.stem}: {time.time() - began:.0f} s{f', {target}' if options.output else ''}", flush=True)


def folder_of_run(output, began):
    """The folder in ``output`` of the run that a notebook has kept since it began; ``output`` if it has kept none."""
    kept = {path.stat().st_mtime: path.parent for path in output.glob("*/run.json")}
    return kept[max(kept)] if kept and max(kept) >= began - 1 else output


def find_sources(names):
    """The sources that were named, in order of their numbers."""
    sources = sorted((NOTEBOOKS / "src").glob("[0-9]*.py"))
    # a number is one notebook: 05 is not 05b
    ways = {name: f"{name}_" if re.fullmatch(r"\d\d[a-z]?", name) else name for name in names}
    unknown = [name for name, way in ways.items() if not any(source.stem.startswith(way) for source in sources)]
    if unknown:
        sys.exit(f"no notebook begins with {', '.join(unknown)}; there are {', '.join(s.stem for s in sources)}")
    return [source for source in sources if not names or any(map(source.stem.startswith, ways.values()))]


def absolute(name, base):
    """The path of that name as seen from the folder ``base``; ``~`` is the home folder, links stay links."""
    return Path(os.path.abspath(Path(base) / os.path.expanduser(name)))


def data_source(name, base):
    """The folder of that name, absolute, if there is one in the folder ``base``; else the name of a known data set."""
    folder = absolute(name, base)
    if folder.is_dir():
        return str(folder)
    from unet_helpers.files import SOURCES  # loads TensorFlow, for which a folder does not have to wait

    known = ("phantom", *SOURCES)
    if name in known:
        return name
    sys.exit(f"UNET_DATA names no folder: '{folder}'; check the path, or give a data set by name ({', '.join(known)})")


def pair(source, target):
    """The notebook of a source; with the outputs of ``target`` where the code of a cell is the same."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    stored = {}
    if target is not None and target.exists():
        old = nbformat.read(target, as_version=4)
        notebook.metadata.update({k: v for k, v in old.metadata.items() if k in ("widgets", "language_info")})
        stored = {cell.source: cell for cell in old.cells if cell.cell_type == "code"}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        if cell.cell_type == "code" and cell.source in stored:
            cell.outputs = stored[cell.source].outputs
            cell.execution_count = stored[cell.source].execution_count
    return notebook


def run(notebook, timeout):
    """Execute in a fresh kernel; exit with the cell's own message if one fails."""
    # no debugger that warns about frozen modules, no progress bars of a terminal
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # also where a cell imports TensorFlow first; see unet_helpers/_quiet.py
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    # it warns that messages are not encrypted, which never leave this machine
    client.extra_arguments = ["--IPKernelApp.log_level=ERROR"]
    client.execute()
    clean(notebook)
    return notebook


def refuse_stderr(notebook):
    """A notebook of the series is stored without warnings; one of a person's own data is kept with them."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                sys.exit(f"a cell wrote to stderr:\n{cell.source}\n---\n{output.text}")


def clean(notebook):
    """Remove what differs from run to run though the outputs do not: times, ids, split streams."""
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        merged = []
        for output in cell.outputs:
            output.get("metadata", {}).pop("transient", None)
            previous = merged[-1] if merged else None
            if previous and output.output_type == "stream" and previous.get("name") == output.name:
                previous.text += output.text
            else:
                merged.append(output)
        cell.outputs = merged
    _number_the_widgets(notebook)


def _number_the_widgets(notebook):
    """Widget models carry random ids; in order of appearance they are the same in every run."""
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state")
    if not state:
        return
    text = nbformat.writes(notebook)
    ids = {}
    for found in re.finditer(WIDGET_ID, text):
        if found.group() in state:
            ids.setdefault(found.group(), f"{len(ids):032x}")
    text = re.sub(WIDGET_ID, lambda found: ids.get(found.group(), found.group()), text)
    numbered = nbformat.reads(text, as_version=4)
    notebook.cells, notebook.metadata = numbered.cells, numbered.metadata
    widgets = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]
    widgets["state"] = dict(sorted(widgets["state"].items()))


def write(notebook, target):
    """Write whole or not at all."""
    nbformat.validate(notebook)
    temporary = target.with_suffix(".writing")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        sys.exit(f"'{target}' cannot be written ({error.strerror}); choose another folder with --output FOLDER")


if __name__ == "__main__":
    main()

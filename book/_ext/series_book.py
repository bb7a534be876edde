"""Sphinx extension of the book: numbers from files, and the address of the repository.

Numbers. A Markdown page writes ``{{ results.lidc.results.dice_mean }}`` for one value, ``{{ table.lidc }}`` for
everything that ``book/results/lidc.json`` holds, ``{{ made.lidc }}`` for when and how it was measured, and
``{{ minutes.nb01.read }}``, ``.run`` or ``.plan`` for what the first box of notebook 01 states. ``{{ course... }}`` are
the tables of the pages for lecturers, see ``course.py``. A value that is not there fails the build.

Address. With ``BOOK_REPOSITORY_URL`` set, notebook pages get launch buttons (Colab, Binder) and every page a link
to the repository and one to report an error; ``BOOK_BRANCH`` names the branch, ``main`` by default. Without it there
are none.

Package. The pages in ``book/api`` are made from the docstrings of ``unet_helpers``. The list of files in a folder's
docstring becomes links; a name that its folder re-exports leads to the file where it stands; fields and arguments
that a docstring names without a heading become a list.
"""

import html
import json
import os
import re
import statistics
import sys
import urllib.parse
from pathlib import Path

import course
import yaml

MAX_ROWS_OF_ONE_GROUP = 12
MINUTES = re.compile(r"\*\*Minutes\W+\D{0,20}?(\d+)[^\n]*?to read[^\n]*?(\d+)\D{0,20}?to run")
LINE_OF_THE_LIST = re.compile(r"^``(\w+)``  +")
FIELD = re.compile(r"^\w+(, \w+)* : ")
#: under a table whose file was written while the code had changes that no commit holds
DIRTY = "When this was measured, the code had changes that no commit holds, so it cannot be repeated to the digit."
#: how much longer than reading a lesson takes, because of the exercises
LESSON_FACTOR = 1.5
#: shown on the results page under a heading of their own; any other file goes to "Other measurements"
WITH_A_HEADING = ("phantom_checkpoint", "lidc", "phantom_to_display")
#: shown as tables of book/metrics.md, which tools/metric_table.py makes
ON_THE_PAGE_OF_METRICS = ("metrics_agreement", "metrics_speed", "interval_coverage")
MOST_ROWS = 400  # of a table on the page of results


def read_results(folder):
    """Read every JSON file of `folder`: ``{stem: content}``, in the order of the names."""
    results = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name} is not valid JSON: {error}") from error
        if not isinstance(content, dict) or "results" not in content:
            raise ValueError(f"{path.name} has no 'results'; see book/_ext/series_book.py")
        results[path.stem] = content
    return results


def as_text(value):
    """Write one value as a reader expects it: three digits, or the power of ten; a median for a long list."""
    if value is None:
        return "not defined"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value != value:
            return "not defined"
        if 0 < abs(value) < 0.0005:
            return f"{value:.0e}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        numbers = [v for v in value if isinstance(v, int | float) and v == v]
        if len(value) > MAX_ROWS_OF_ONE_GROUP and numbers:
            return summary(numbers)
        return ", ".join(as_text(v) for v in value)
    return str(value).replace("|", "\\|")


def summary(numbers):
    """Describe many numbers in one line."""
    return (
        f"{len(numbers)} values: median {as_text(statistics.median(numbers))}, "
        f"from {as_text(min(numbers))} to {as_text(max(numbers))}"
    )


def readable(key):
    """Turn a key into words: ``nodule_dice`` becomes ``nodule Dice``."""
    words = {"dice": "Dice", "iou": "IoU", "hd95": "HD95"}
    return " ".join(words.get(word, word) for word in str(key).split("_"))


def rows(results, prefix=""):
    """Flatten nested results to ``(name, text)``.

    A group of many numbers of one kind becomes one line, and so does each of a list of things; ``x``, ``x_low`` and
    ``x_high`` become one value with its interval. Curves, and the patients of each seed, are left to the notebooks.
    """
    for key, value in results.items():
        if key == "curve" or str(key).endswith("_by_seed"):  # drawn in a notebook
            continue
        base = re.sub(r"_(low|high)$", "", str(key))
        if base != key and {base, f"{base}_low", f"{base}_high"} <= set(results):
            continue
        name = f"{prefix}{readable(key)}"
        interval = [results.get(f"{key}_low"), results.get(f"{key}_high")]
        if None not in interval:
            yield name, f"{as_text(value)} (95 % interval {as_text(interval[0])} to {as_text(interval[1])})"
            continue
        if isinstance(value, dict):
            numbers = [v for v in value.values() if isinstance(v, int | float) and v == v]
            # one number per patient, say, and not several quantities of one thing
            alike = all(
                (v is None or isinstance(v, int | float)) and not str(k).endswith("_low") for k, v in value.items()
            )
            if len(value) > MAX_ROWS_OF_ONE_GROUP and numbers and alike:
                yield name, summary(numbers)
            elif len(value) > MAX_ROWS_OF_ONE_GROUP and len({type(v) for v in value.values()}) > 1:
                yield name, in_one_line(value)
            else:
                yield from rows(value, f"{name}, ")
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            for number, item in enumerate(value, start=1):
                yield f"{name} {number}", in_one_line(item)
        else:
            yield name, as_text(value)


def in_one_line(results):
    """Several quantities of one thing, each with its name."""
    return ", ".join(f"{part} {text}" for part, text in rows(results))


def table(content):
    """Write one result file as a Markdown table, with what was measured, on what and when above it."""
    lines = []
    if content.get("what"):
        lines += [f"{str(content['what']).rstrip('.')}.", ""]
    lines += ["| quantity | value |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in rows(content["results"])]
    return "\n".join(lines + made_with(content))


def pointer(name, results):
    """In place of a table that nobody reads to its end: where its values stand."""
    values = len(list(rows(results[name]["results"])))
    where = (
        f"{values} values, too many for a page: they stand in `book/results/{name}.json`, and a notebook reads them."
    )
    return "\n".join([f"{str(results[name]['what']).rstrip('.')}.", "", where, *made_with(results[name])])


def made_with(content):
    """The last lines of a table: on which data, with which seed, device and software, and when."""
    made = [
        f"{key}: {as_text(content[key]) if key != 'seed' else content[key]}"
        for key in ("data", "seed", "device", "software", "commit", "date")
        if content.get(key) is not None
    ]
    lines = ["", "*" + " · ".join(made).replace("*", "\\*") + "*"] if made else []
    return [*lines, "", DIRTY] if str(content.get("commit", "")).endswith("-dirty") else lines


def bugs_table(content):
    """Each exhibit of the museum of bugs: its cost with the interval, what catches it, and whether the doctor did."""
    head = "| bug | Dice with it, or reported | without, or honest | difference | a check that catches it | named |"
    lines = [head, "|---|---|---|---|---|---|"]
    for name, row in content["results"]["bugs"].items():
        low, high = row["effect_low"], row["effect_high"]
        difference = f"{row['effect']:+.3f} ({low:+.3f} to {high:+.3f})" + (", includes 0" if low <= 0 <= high else "")
        numbers = f"{row['with_bug']:.3f} | {row['without']:.3f} | {difference}"
        named = f"{row['named']} of {len(row['doctor'])}"
        lines.append(f"| {name} | {numbers} | {as_text(row['caught_by'])} | {named} |")
    return "\n".join(lines + made_with(content))


def half_table(content):
    """The explanations of the run at 50 %: how far the training accuracy moved, and how long it was in the range."""
    head = "| explanation | foreground | training accuracy, lowest and highest | epochs of 50 in the range, each seed |"
    lines = [head, "|---|---|---|---|"]
    for name, row in content["results"].items():
        lowest, highest = f"{row['accuracy_lowest']:.2%}", f"{row['accuracy_highest']:.2%}"
        inside = ", ".join(map(str, row["accuracy_epochs_in_range"]))
        lines.append(f"| {name} | {row['foreground']:.1%} | {lowest} to {highest} | {inside} |")
    return "\n".join(lines + made_with(content))


def lesson_minutes(folder):
    """Read from the first box of each notebook how long it takes: ``{"nb01": {"read", "run", "plan"}}``."""
    minutes = {}
    for path in sorted(Path(folder).glob("[0-9]*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        if stated := MINUTES.search(text):
            read, run = map(int, stated.groups())
            plan = 5 * round((LESSON_FACTOR * read + run) / 5)
            minutes[f"nb{path.name.split('_')[0]}"] = {"read": read, "run": run, "plan": plan}
    return minutes


def substitutions(folder):
    """From the result files: ``results`` (raw values), ``table`` (finished) and ``made`` (the lines below a table)."""
    results = read_results(folder)
    tables = {name: table(content) for name, content in results.items()}
    for name, made in (("museum", bugs_table), ("museum_half", half_table)):
        if name in results:
            tables[name] = made(results[name])
    elsewhere = (*WITH_A_HEADING, *ON_THE_PAGE_OF_METRICS, "museum", "museum_half")
    folds = {name: text for name, text in tables.items() if name not in elsewhere}
    folds |= {name: pointer(name, results) for name, text in folds.items() if text.count("\n") > MOST_ROWS}
    others = [f":::{{dropdown}} {name.replace('_', ' ')}\n{text}\n:::" for name, text in folds.items()]
    for name in WITH_A_HEADING:
        missing = f"`book/results/{name}.json` is not in this copy of the repository, so there is no number to show."
        tables.setdefault(name, missing)
    return {
        "results": results,
        "table": tables,
        "made": {name: "\n".join(made_with(content)).strip() for name, content in results.items()},
        "other_results": "\n\n".join(others) or "There are none in this copy of the repository.",
    }


def launch_options(environment):
    """Theme options for a known repository; empty when ``BOOK_REPOSITORY_URL`` is not set."""
    url = environment.get("BOOK_REPOSITORY_URL", "").strip().rstrip("/")
    url = url.removesuffix(".git")
    if not url:
        return {}
    if not url.startswith("https://"):
        raise ValueError(f"BOOK_REPOSITORY_URL is {url!r}; give an address that starts with https://")
    launch = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
    if url.startswith("https://github.com/"):
        launch["colab_url"] = "https://colab.research.google.com"
    return {
        "repository_url": url,
        "repository_branch": environment.get("BOOK_BRANCH", "").strip() or "main",
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": launch,
    }


def place_to_report(environment, pagename):
    """Where a reader says that a page has an error; nothing where the repository is not known."""
    url = launch_options(environment).get("repository_url")
    if not url:
        return None
    title = urllib.parse.quote(f"Error on the page {pagename}")
    if url.startswith("https://github.com/"):
        return f"{url}/issues/new?title={title}"
    return f"{url}/-/issues/new?issue[title]={title}" if "gitlab" in url else f"{url}/issues"


def add_place_to_report(app, pagename, templatename, context, doctree):
    """Called by Sphinx before a page is written."""
    if doctree is not None and (address := place_to_report(os.environ, pagename)):
        link = f'<a href="{html.escape(address)}">Have you found an error on this page?</a>'
        context["body"] += f'<p class="report">{link}</p>'


def configure(app, config):
    """Fill in what depends on files and environment before any page is read."""
    minutes = lesson_minutes(Path(app.srcdir) / "notebooks")
    config.myst_substitutions = {
        **(config.myst_substitutions or {}),
        **substitutions(Path(app.srcdir) / "book" / "results"),
        "minutes": minutes,
        "course": course.substitutions(app.srcdir, minutes),
    }
    options = dict(config.html_theme_options)
    for key in ("repository_url", "repository_branch", "path_to_docs"):
        options.pop(key, None)  # Jupyter Book fills in its own repository
    options["navbar_persistent"] = []  # the sidebar has a search field already
    options["extra_footer"] = options.get("extra_footer", "") + citation(Path(app.srcdir) / "CITATION.cff")
    config.html_theme_options = {**options, **launch_options(os.environ)}


def citation(path):
    """How to cite the series, for the foot of every page; nothing where there is no such file."""
    if not path.is_file():
        return ""
    work = yaml.safe_load(path.read_text(encoding="utf-8"))
    authors = ", ".join(one.get("name") or f"{one['given-names']} {one['family-names']}" for one in work["authors"])
    title, version = work["title"], work["version"]
    return f"<p>Version {version}. Cite as: {authors}. <cite>{title}</cite>, version {version}.</p>"


def shape_docstring(app, what, name, obj, options, lines):
    """Turn the list of files of a folder into links, and write the rest as napoleon reads it.

    It wants a heading over fields and arguments; and takes what stands before a colon for a type where the first line
    of a property or a constant has one.
    """
    if what == "module":
        lines[:] = [LINE_OF_THE_LIST.sub(rf"* :mod:`\1 <{name}.\1>` – ", line) for line in lines]
    elif what in ("class", "exception", "function", "method") and not any(line.startswith("----") for line in lines):
        first = next((number for number, line in enumerate(lines) if FIELD.match(line)), None)
        if first is not None:
            end = next((n for n in range(first, len(lines)) if not lines[n]), len(lines))
            lines[end:end] = ["", ""]  # otherwise the next paragraph would be a field too
            lines[first:first] = ["Parameters", "----------"]
    elif what in ("property", "attribute", "data") and lines and ": " in lines[0]:
        before, after = lines[0].split(": ", 1)
        lines[:1] = [f"{before}:", after]


def leave_out_fields_of_tuples(app, what, name, obj, skip, options):
    """A named tuple says "Alias for field number 0" of its first field, which helps nobody."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None


def add_short_names(app, env):
    """Let ``unet_helpers.evaluation.dice`` lead to where ``unet_helpers.evaluation.overlap.dice`` is described."""
    domain = env.get_domain("py")
    described = {name: entry for name, entry in domain.objects.items() if not entry.aliased}
    folders = [name for name in described if name.count(".") < 2 and hasattr(sys.modules.get(name), "__all__")]
    for folder in folders:
        for short in sys.modules[folder].__all__:
            thing = getattr(sys.modules[folder], short)
            full = f"{getattr(thing, '__module__', '')}.{short}"
            if full not in described:  # a constant does not say where it stands
                full = next((name for name in described if re.fullmatch(rf"{folder}\.\w+\.{short}", name)), None)
            if full:
                domain.objects[f"{folder}.{short}"] = described[full]._replace(aliased=True)


def leave_as_text(app, env, node, contnode):
    """Show words of a type that are no class of the package, as in "float, mm", without a link and a warning."""
    written_by_a_role = not node.get("refspecific")
    if node.get("refdomain") != "py" or written_by_a_role or node["reftarget"].startswith("unet_helpers"):
        return None
    return contnode


def setup(app):
    app.connect("config-inited", configure)
    app.connect("autodoc-process-docstring", shape_docstring, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", leave_out_fields_of_tuples)
    app.connect("env-updated", add_short_names)
    app.connect("missing-reference", leave_as_text)
    app.connect("html-page-context", add_place_to_report, priority=910)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

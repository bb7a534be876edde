"""Build the book into `_build/html` with every warning an error, and say where it is.

    python tools/build_book.py                 # only what changed since the last good build
    python tools/build_book.py --fresh         # everything
    python tools/build_book.py --serve         # build, then serve on localhost

Before the build, each notebook in `_toc.yml` must have been run completely and without an error; the build itself
would not notice. `BOOK_REPOSITORY_URL` and `BOOK_BRANCH` in the environment add launch buttons, see
`book/_ext/series_book.py`; `BOOK_ADDRESS`, where the site will stand, adds a sitemap for search engines.
"""

import argparse
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
import site_licenses

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path("_build")
SITE = BUILD / "html"
STAMP = BUILD / "book_is_good"
CHECKPOINTS = Path("unet_helpers", "checkpoints")


def pages(root=ROOT):
    """Return the pages of `_toc.yml` in order, the root page first, as paths without suffix."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))

    def files(entry):
        if "file" in entry:
            yield entry["file"]
        for group in ("parts", "chapters", "sections"):
            for child in entry.get(group, []):
                yield from files(child)

    return [toc["root"], *files(toc)]


def notebooks(root=ROOT):
    """Return those pages of `_toc.yml` that are notebooks, that is, in the folder `notebooks`."""
    return [page for page in pages(root) if page.startswith("notebooks/")]


def notebook_problems(path):
    """Return one sentence for each reason not to publish the notebook at `path` with the outputs it stores."""
    if not path.is_file():
        return [f"{path.name} is in _toc.yml and does not exist"]
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except (json.JSONDecodeError, KeyError) as error:
        return [f"{path.name} is not a valid notebook: {error}"]
    problems = []
    for number, cell in enumerate(cells, start=1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        where = f"{path.name}, cell {number}"
        if cell.get("execution_count") is None:
            problems.append(f"{where} has not been run; run all cells and save")
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                problems.append(f"{where} stores the error {output['ename']}: {output['evalue'][:80]}")
            elif output["output_type"] == "stream" and output["name"] == "stderr":
                text = re.sub(r"\s+", " ", "".join(output["text"]))[:80]
                problems.append(f"{where} stores output on stderr: {text}")
    return problems + [f"{path.name}: {problem}" for problem in widget_problems(notebook)]


def widget_problems(notebook):
    """Return what is missing from the stored state of widgets; without it a page shows nothing in their place."""
    mime = "application/vnd.jupyter.widget-{}+json".format
    state = notebook["metadata"].get("widgets", {}).get(mime("state"), {}).get("state", {})
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    shown = [output.get("data", {}).get(mime("view"), {}).get("model_id") for output in outputs]
    named = re.findall(r'"IPY_MODEL_([^"]+)"', json.dumps(state))
    missing = {name for name in [*shown, *named] if name} - set(state)
    return [f"the state of {len(missing)} widget models is not stored; run the notebook again"] if missing else []


def fingerprint(root=ROOT):
    """Return what the book depends on: `settings`, on which every page depends, and `sources` with all files."""
    settings = [root / "_config.yml", root / "_toc.yml", *sorted((root / "book" / "_ext").glob("*.py"))]
    sources = [path for path in sorted((root / "book").rglob("*")) if "__pycache__" not in path.parts]
    sources += [root / f"{name}.ipynb" for name in notebooks(root)]
    sources += sorted((root / "unet_helpers").rglob("*.py"))  # pages are made from their docstrings
    sources += [*sorted((root / CHECKPOINTS).glob("*.keras")), root / "tools" / "make_live.py"]
    address = [os.environ.get(name, "") for name in ("BOOK_REPOSITORY_URL", "BOOK_BRANCH", "BOOK_ADDRESS")]

    def state(paths):
        found = [(p.relative_to(root).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in paths if p.is_file()]
        return hashlib.sha256(json.dumps([found, address]).encode()).hexdigest()

    return {"settings": state(settings), "sources": state(settings + sources)}


def last_good_build(root=ROOT):
    """Return the fingerprint of the last build if it succeeded and its site is there, else nothing."""
    stamp = root / STAMP
    return json.loads(stamp.read_text(encoding="utf-8")) if stamp.is_file() and (root / SITE).is_dir() else {}


def is_current(root=ROOT):
    """Tell whether the last build succeeded and nothing has changed since."""
    return last_good_build(root) == fingerprint(root)


def build(root=ROOT, fresh=False):
    """Build the site; return the exit status.

    After a build that failed the next one starts afresh: Sphinx keeps the pages it has read, and would not repeat
    their warnings.
    """
    problems = [problem for name in notebooks(root) for problem in notebook_problems(root / f"{name}.ipynb")]
    if problems:
        print("The book is not built, because its notebooks are not fit to be shown:", file=sys.stderr)
        print("\n".join(f"- {problem}" for problem in problems), file=sys.stderr)
        return 1

    now, before, stamp = fingerprint(root), last_good_build(root), root / STAMP
    if now == before and not fresh:
        return 0
    if fresh or now["settings"] != before.get("settings"):
        # a page taken out of _toc.yml would otherwise stay in the site
        for folder in (root / SITE, root / BUILD / ".doctrees", root / BUILD / "jupyter_execute"):
            shutil.rmtree(folder, ignore_errors=True)
    stamp.unlink(missing_ok=True)

    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", ".", "-W", "-n", "--keep-going", "-q"]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8")
    if result.returncode:
        said = without_colors(result.stdout + result.stderr).replace(f"{root}{os.sep}", "")
        warnings = [line for line in said.splitlines() if re.search("WARNING|ERROR|CRITICAL", line)]
        print("\n".join(warnings) or said, file=sys.stderr)
        print("The book is not built; each warning counts as an error.", file=sys.stderr)
        return 1
    if (root / CHECKPOINTS).is_dir():  # the networks in the pages are always those of the package
        command = [sys.executable, str(root / "tools" / "make_live.py"), str(SITE / "_static" / "live")]
        environment["PYTHONPATH"] = str(root)
        result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8")
        if result.returncode:
            print(result.stderr, file=sys.stderr)
            print("The networks of the pages could not be written; tools/make_live.py does that.", file=sys.stderr)
            return 1
    write_first_page(root)
    address = os.environ.get("BOOK_ADDRESS", "")
    write_page_of_what_is_not_there(address, root)
    write_sitemap(address, root)
    site_licenses.write(root, root / SITE)
    stamp.write_text(json.dumps(now), encoding="utf-8")
    return 0


def write_first_page(root):
    """The page at the address of the site: it leads on to the introduction, by itself or by a link."""
    first, title = pages(root)[0], yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["title"]
    refresh = f'<meta http-equiv="Refresh" content="0; url={first}.html" />'
    main = f'<h1>{title}</h1><p><a href="{first}.html">To the first page</a></p>'
    (root / SITE / "index.html").write_text(plain_page(title, refresh, main), encoding="utf-8")


def plain_page(title, head, main, end=""):
    """The HTML of a page without the theme."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
{head}
<title>{title}</title>
</head>
<body><main>
{main}
</main>
{end}
</body>
</html>
"""


def write_page_of_what_is_not_there(address, root=ROOT):
    """The page that a server shows, at any depth, in place of one that is not there.

    Its links start from the address of the site; where that is not known, a script finds the root of the site.
    """
    title = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["title"]
    base = f'<base href="{address.strip().rstrip("/")}/" />' if address.strip() else ""
    script = r"""<script>
const root = location.pathname.replace(/(\/)(?:book|notebooks)\/.*$/, "$1").replace(/[^/]*$/, "");
for (const link of document.links) link.pathname = root + link.getAttribute("href");
</script>"""
    head = f"""<meta name="color-scheme" content="light dark" />
<meta name="robots" content="noindex" />
{base}
<style>body {{ font: 1.1rem/1.6 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }}</style>"""
    main = f"""<h1>This page is not there</h1>
<p>It may have been moved, or the address has a mistake.</p>
<ul>
<li><a href="{pages(root)[0]}.html">To the first page of {title}</a></li>
<li><a href="search.html">Search the book</a></li>
</ul>"""
    page = plain_page(f"This page is not there – {title}", head, main, "" if base else script)
    (root / SITE / "404.html").write_text(page, encoding="utf-8")


def write_sitemap(address, root=ROOT):
    """List the pages for search engines, which want full addresses; without an address there is no list."""
    file = root / SITE / "sitemap.xml"
    if not address.strip():
        file.unlink(missing_ok=True)
        return
    if not address.strip().startswith("https://"):
        raise ValueError(f"BOOK_ADDRESS is {address!r}; give an address that starts with https://")
    base = address.strip().rstrip("/")
    lines = [f"<url><loc>{base}/{page}.html</loc></url>" for page in pages(root)]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    file.write_text("\n".join([head, *lines, "</urlset>\n"]), encoding="utf-8")


def without_colors(text):
    """Take terminal control sequences out of `text`."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def serve(port, root=ROOT):
    """Serve the built site on this machine until interrupted."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(root / SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"Serving on http://127.0.0.1:{server.server_port}/ until Ctrl+C", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="build everything, not only what changed")
    parser.add_argument("--serve", action="store_true", help="serve the site on localhost after the build")
    parser.add_argument("--port", type=int, default=8000, help="port for --serve (default 8000, 0 for any)")
    options = parser.parse_args()
    status = build(fresh=options.fresh)
    if status:
        return status
    print(f"The book is in {(SITE / 'index.html').as_posix()}; open it in a browser.", flush=True)
    if options.serve:
        serve(options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())

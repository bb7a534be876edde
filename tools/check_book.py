"""Check the built book: alt text, links, offline use, outputs, image sizes; and open its pages in Chromium.

    python tools/check_book.py                 # checks _build/html
    python tools/check_book.py --no-browser

The browser is the program named by `CHROMIUM`, or the first Chromium or Chrome found in `PATH`. It runs with the
network cut, opens each page from the disk, and reports failed loads, script errors and formulas that were not typeset.
"""

import argparse
import base64
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build_book
import site_licenses

MIN_ALT = 15
MAX_IMAGE_KB = 150
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

LOADING = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "iframe": ["src"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "track": ["src"],
}
LOADING_RELATIONS = {"stylesheet", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "icon"}
REMOTE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
REMOTE_IN_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\"')\s;]+)", re.IGNORECASE)
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
REMOTE_CODE = re.compile(r"[\"'](?:https?:)?//[^\"'\s]+\.(?:m?js|css|wasm)(?:\?[^\"']*)?[\"']", re.IGNORECASE)
REGISTRY = re.compile(
    r"\b(?:registry\.npmjs\.org|npmjs\.com|registry\.yarnpkg\.com|pypi\.org|pypi\.python\.org|pythonhosted\.org)\b",
    re.IGNORECASE,
)
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|Users|root|work|tmp|private|var/folders|mnt)/[\w.-]+|\b[A-Za-z]:\\+Users\\+\w+"
)
TEXT_SUFFIXES = {".html", ".js", ".css", ".json", ".txt", ".ipynb", ".md", ".svg"}


@functools.lru_cache(maxsize=256)
def read_page(path, _changed):
    return BeautifulSoup(path.read_bytes().decode("utf-8"), "html.parser")


def soup_of(path):
    """Parse an HTML file once, and again when it has changed."""
    return read_page(path, path.stat().st_mtime_ns)


def html_pages(site):
    """Return the pages of the book, without what the theme ships in `_static`."""
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts)


def content_of(soup):
    """Return the part of a page that its author wrote."""
    return soup.find("article") or soup.body or soup


def shortened(address):
    return address if len(address) < 80 else address[:77] + "..."


# --- one page ---------------------------------------------------------------------------------------------------


def images_without_alt(soup):
    for image in content_of(soup).find_all("img"):
        alt = (image.get("alt") or "").strip()
        name = shortened(image.get("src", ""))
        if not alt:
            yield f"image {name} has no alt text"
        elif len(alt) < MIN_ALT or alt == image.get("src"):
            yield f"image {name} has the alt text {alt!r}; say in {MIN_ALT} characters or more what it shows"


def loads_from_network(soup):
    for tag, attributes in LOADING.items():
        for element in soup.find_all(tag):
            for attribute in attributes:
                for part in (
                    element.get(attribute, "").split(",") if attribute == "srcset" else [element.get(attribute)]
                ):
                    if part and REMOTE.match(part):
                        yield f"<{tag}> loads {shortened(part.strip())} from the network"
    for link in soup.find_all("link"):
        if LOADING_RELATIONS & set(link.get("rel") or []) and REMOTE.match(link.get("href", "")):
            yield f"<link> loads {shortened(link['href'])} from the network"
    styles = [style.get_text() for style in soup.find_all("style")]
    styles += [element["style"] for element in soup.find_all(style=True)]
    for style in styles:
        for address in REMOTE_IN_CSS.findall(CSS_COMMENT.sub("", style)):
            yield f"a style loads {shortened(address)} from the network"
    for script in soup.find_all("script"):
        if "json" not in (script.get("type") or ""):
            for address in REMOTE_CODE.findall(script.get_text()):
                yield f"a script in the page names {shortened(address)}, which it could load from the network"


def outputs_not_fit(soup):
    content = content_of(soup)
    for kind, selector in (("an error", ".output.traceback, .output_error"), ("stderr", ".output.stderr")):
        for element in content.select(selector):
            text = " ".join(element.get_text().split())[:80]
            yield f"the page shows {kind}: {text}"


@functools.lru_cache(maxsize=256)
def read_anchors(path, _changed):
    soup = soup_of(path)
    return {element["id"] for element in soup.find_all(id=True)} | {
        a["name"] for a in soup.find_all("a", attrs={"name": True})
    }


def anchors_of(path):
    """Collect the anchors of an HTML file once, and again when it has changed."""
    return read_anchors(path, path.stat().st_mtime_ns)


def broken_links(path, site, soup):
    places = [("a", "href"), ("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src")]
    for tag, attribute in places:
        for element in soup.find_all(tag):
            address = (element.get(attribute) or "").strip()
            parts = urlsplit(address)
            if not address or parts.scheme or REMOTE.match(address):
                continue
            target = path
            if parts.path:
                target = Path(os.path.normpath(path.parent / unquote(parts.path)))
                if target.is_dir():
                    target /= "index.html"
                if not target.is_relative_to(site):
                    yield f"{shortened(address)} leads out of the site"
                    continue
                if not target.is_file():
                    yield f"{shortened(address)} leads to a file that does not exist"
                    continue
            fragment = unquote(parts.fragment)
            if tag == "a" and fragment and target.suffix == ".html" and fragment not in anchors_of(target):
                yield f"{shortened(address)} leads to an anchor that does not exist"


def image_sizes(path, soup):
    """Yield (name, bytes) of the images in the content, of those in files and of those in the page."""
    for image in content_of(soup).find_all("img"):
        source = image.get("src", "")
        if source.startswith("data:"):
            yield "an image in the page", len(source.partition(",")[2]) * 3 // 4
        elif source and not urlsplit(source).scheme:
            file = path.parent / unquote(urlsplit(source).path)
            if file.is_file():
                yield file.name, file.stat().st_size


def large_images(path, soup):
    for name, size in image_sizes(path, soup):
        if size > MAX_IMAGE_KB * 1000:
            yield f"{name} has {size / 1000:.0f} KB; keep images under {MAX_IMAGE_KB} KB"


def page_problems(path, site):
    """Return the problems of one HTML page, each a sentence that starts with the page's name."""
    soup = soup_of(path)
    found = [
        *images_without_alt(soup),
        *loads_from_network(soup),
        *outputs_not_fit(soup),
        *broken_links(path, site, soup),
        *large_images(path, soup),
    ]
    name = path.relative_to(site).as_posix()
    return [f"{name}: {problem}" for problem in dict.fromkeys(found)]


# --- the site ---------------------------------------------------------------------------------------------------


def text_problems(path, site):
    """Return addresses of package registries, paths of a machine and remote styles in one text file."""
    name = path.relative_to(site).as_posix()
    text = path.read_bytes().decode("utf-8", errors="replace")
    found = [f"{name}: names the package registry {match}" for match in sorted(set(REGISTRY.findall(text)))]
    if path.suffix not in {".js", ".css"}:
        found += [f"{name}: shows the path {match} of a machine" for match in sorted(set(MACHINE_PATH.findall(text)))]
    if path.suffix == ".css":
        addresses = REMOTE_IN_CSS.findall(CSS_COMMENT.sub("", text))
        found += [f"{name}: loads {shortened(address)} from the network" for address in addresses]
    return found


def site_problems(site, expected=()):
    """Return every problem that can be found without a browser; `expected` are pages that must be there."""
    site = Path(os.path.abspath(site))
    found = [f"{page}.html is missing from the site" for page in expected if not (site / f"{page}.html").is_file()]
    if not html_pages(site):
        found.append(f"there is no page in {site.name}; run tools/build_book.py")
    for path in html_pages(site):
        found += page_problems(path, site)
    for path in sorted(site.rglob("*")):
        if path.is_file() and path.suffix in TEXT_SUFFIXES:
            found += text_problems(path, site)
    return found


# --- in a browser -----------------------------------------------------------------------------------------------


def find_chromium():
    """Return the browser's path, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


class Browser:
    """A Chromium without window and without network, driven over its debugging protocol."""

    def __init__(self, program):
        import websocket  # websocket-client, which JupyterLab's server brings

        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        arguments = [
            program,
            "--headless",
            "--no-sandbox",  # needed in a container; it opens nothing but our own files
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--proxy-server=127.0.0.1:9",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            f"--user-data-dir={self.folder.name}",
            "about:blank",
        ]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._port()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        targets = json.load(opener.open(f"http://127.0.0.1:{port}/json", timeout=20))
        address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
        self.socket = websocket.create_connection(address, timeout=300, http_no_proxy=["127.0.0.1"])
        self.number = 0
        self.events = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _port(self):
        file = Path(self.folder.name) / "DevToolsActivePort"
        for _ in range(300):
            if file.is_file() and (lines := file.read_text().split()):
                return lines[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.process.kill()
        raise RuntimeError("Chromium did not start")

    def call(self, method, **parameters):
        """Send one command; return its result. Events that arrive meanwhile are kept."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def value(self, script):
        """Run JavaScript in the page, wait for a promise, and return its value."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def open(self, path):
        """Open a file, or an address of this machine, and wait until it has loaded."""
        self.events = []
        address = path if str(path).startswith("http://127.0.0.1:") else Path(path).resolve().as_uri()
        self.call("Page.navigate", url=address)
        here = f"location.href.split('#')[0] === {json.dumps(address)}"
        self.wait_for(f"document.readyState === 'complete' && {here}", seconds=60)

    def wait_for(self, condition, seconds=30):
        """Wait until a JavaScript condition holds; return whether it did."""
        end, pause = time.monotonic() + seconds, 0.002
        while time.monotonic() < end:
            try:
                if self.value(condition):
                    return True
            except RuntimeError as error:
                # the page changed under the question, which a slow machine makes likely: ask again
                if not any(text in str(error) for text in ("navigated or closed", "context")):
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return False

    def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, file, width=1200, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        data = self.call("Page.captureScreenshot", format="png")["data"]
        Path(file).write_bytes(base64.b64decode(data))

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=20)
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def event_problems(events):
    """Turn what the browser reported while a page was open into sentences."""
    for event in events:
        data = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            if REMOTE.match(data["request"]["url"]):
                yield f"asks the network for {shortened(data['request']['url'])}"
        elif event.get("method") == "Log.entryAdded" and data["entry"]["level"] == "error":
            address = data["entry"].get("url", "")
            yield f"console error: {data['entry']['text']} {Path(urlsplit(address).path).name}".strip()
        elif event.get("method") == "Runtime.consoleAPICalled" and data["type"] == "error":
            words = " ".join(str(a.get("value", a.get("description", ""))) for a in data["args"])
            yield f"console error: {words[:200]}"
        elif event.get("method") == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            yield f"script error: {details.get('exception', {}).get('description', details['text'])[:200]}"


MATH_IS_THERE = "!document.querySelector('.math') || Boolean(window.MathJax?.startup?.promise)"
MATH_MISSING = """(async () => {
    const formulas = [...document.querySelectorAll('.math')];
    if (!formulas.length) return 0;
    await MathJax.startup.promise;
    return formulas.filter(f => !f.querySelector('mjx-container')).length;
})()"""
MATH_WRONG = "document.querySelectorAll('[data-mjx-error], mjx-merror').length"
# with its words: two places of a slider may show the same picture, as each disturbance does at its level of nothing
SHOWN_PICTURES = """[...document.querySelectorAll('.explorer img')]
    .filter(i => i.offsetParent).map(i => i.src + i.alt).join(' ')"""
LOAD_ALL_IMAGES = "document.querySelectorAll('img[loading=lazy]').forEach(i => i.loading = 'eager')"
IMAGES_ARE_THERE = "[...document.images].every(i => i.complete)"
IMAGES_BROKEN = "[...document.images].filter(i => i.complete && i.src && !i.naturalWidth).map(i => i.alt || i.src)"


def slider_problems(browser):
    """Move the first slider that stands in front of pictures; the picture must change."""
    if not browser.value(SHOWN_PICTURES) or not browser.value("Boolean(document.querySelector('input[data-moves]'))"):
        return
    before = browser.value(SHOWN_PICTURES)
    for key, code in (("ArrowRight", 39), ("ArrowLeft", 37)):  # whichever end it stands at
        for _ in range(2 if key == "ArrowLeft" else 1):
            browser.value("document.querySelector('input[data-moves]').focus()")
            browser.press(key, code)
            if browser.wait_for(f"({SHOWN_PICTURES}) !== {json.dumps(before)}", seconds=2):
                return
    yield "moving the slider does not change the picture"


#: axe-core, the rules by which a page is held to WCAG 2.2 A and AA and to good practice
AXE = build_book.ROOT / "tests" / "vendor" / "axe.min.js"
AXE_RULES = """{
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    rules: {'label-content-name-mismatch': {enabled: true}, 'color-contrast': {enabled: false}}}"""
#: what the width can change
AXE_RULES_AGAIN = "{runOnly: {type: 'rule', values: ['target-size', 'scrollable-region-focusable']}}"
AXE_SAID = "v => `${v.id}, ${v.nodes.length} times, as in ${v.nodes[0].html.slice(0, 120)}`"
#: texts of the same color, size and ground have the same contrast: three of each kind are looked at, words of code too
KINDS_OF_TEXT = """(() => {
    const of = new Map([[null, ["", 1]]]), kinds = new Map();
    const ground = element => {  // the nearest background, and how opaque everything above the element lets it be
        if (!of.has(element)) {
            const style = getComputedStyle(element), [below, opacity] = ground(element.parentElement);
            const clear = style.backgroundColor === "rgba(0, 0, 0, 0)" && style.backgroundImage === "none";
            const own = style.backgroundColor + style.backgroundImage;
            of.set(element, [clear ? below : own, opacity * style.opacity]);
        }
        return of.get(element);
    };
    for (const element of document.body.querySelectorAll("*")) {
        const text = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!(text || element.matches("input, select, textarea")) || !element.checkVisibility()) continue;
        const style = getComputedStyle(element), look = [style.color, style.fontSize, style.fontWeight];
        const kind = [...look, element.matches("input, select, textarea"), ...ground(element)].join();
        const some = kinds.get(kind) ?? [];
        if (some.length < 3) kinds.set(kind, [...some, element]);
    }
    return [...kinds.values()].flat();
})()"""
AXE_RUN = """(async () => {
    const colors = {runOnly: {type: 'rule', values: ['color-contrast']}};
    const runs = [[document, RULES], [{include: KINDS}, colors]], found = [];
    for (const [where, rules] of runs) {
        const result = await axe.run(where, {...rules, preload: false, resultTypes: ['violations']});
        found.push(...result.violations);
    }
    return found.map(SAID);
})()""".replace("SAID", AXE_SAID).replace("KINDS", KINDS_OF_TEXT)
AXE_LOOK_AGAIN = f"""axe.run(document, {{...{AXE_RULES_AGAIN}, preload: false, resultTypes: ['violations']}}).then(
    r => r.violations.map({AXE_SAID}))"""
PHONE, DESK = {"width": 390, "height": 800, "mobile": True}, {"width": 1440, "height": 900, "mobile": False}
TABLET = {"width": 820, "height": 1180, "mobile": True}
OPEN_FOLDS = "document.querySelectorAll('details').forEach(d => d.open = true)"
FINISH_FADING = "document.getAnimations().forEach(one => { try { one.finish() } catch { one.cancel() } })"
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"


def accessibility_problems(browser, dark):
    """What axe-core finds in the page that is open, all folds open: light at a desk, dark on a phone and a tablet."""
    browser.call("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **(PHONE if dark else DESK))
    browser.value(f"document.documentElement.dataset.theme = '{'dark' if dark else 'light'}'")
    browser.value(OPEN_FOLDS)
    browser.value("scrollTo({top: 0, behavior: 'instant'})")  # else what stays in place covers some line of the text
    browser.value(FINISH_FADING)  # what fades in is pale
    if not browser.value("Boolean(window.axe)"):
        browser.value(AXE.read_text(encoding="utf-8") + "; 0")
    if (wide := browser.value(TOO_WIDE)) > 0:
        yield f"the page is {wide} pixels wider than the screen"
    look = AXE_RUN.replace("RULES", AXE_RULES_AGAIN if dark else AXE_RULES)
    yield from what_stays(browser, look)
    if dark:  # the rest of the page, and its colors, are the same
        browser.call("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **TABLET)
        if (wide := browser.value(TOO_WIDE)) > 0:
            yield f"the page is {wide} pixels wider than a tablet"
        yield from what_stays(browser, AXE_LOOK_AGAIN)


def what_stays(browser, look):
    """What axe-core finds twice: a page that was still moving is looked at again."""
    if found := browser.value(look):
        time.sleep(1)
        found = [problem for problem in browser.value(look) if problem in found]
    return found


def live_problems(browser):
    """Each live piece comes into sight; it must compute a picture."""
    for number in range(browser.value("document.querySelectorAll('.live').length")):
        live = f"document.querySelectorAll('.live')[{number}]"
        browser.value(f"{live}.scrollIntoView()")
        computed = f"Boolean({live}.dataset.pictures)"
        browser.wait_for(f"{computed} || Boolean({live}.querySelector('.live-failed'))")
        if not browser.value(computed):
            yield "the network does not run in the page"


def browser_page_problems(browser, path):
    browser.open(path)
    found = []
    if browser.wait_for(MATH_IS_THERE, seconds=5):
        if missing := browser.value(MATH_MISSING):
            found.append(f"{missing} formulas are not typeset")
        if wrong := browser.value(MATH_WRONG):
            found.append(f"{wrong} formulas have an error")
    else:
        found.append("MathJax was not loaded")
    found += slider_problems(browser)
    browser.value(LOAD_ALL_IMAGES)
    browser.wait_for(IMAGES_ARE_THERE, seconds=10)
    found += live_problems(browser)
    found += [f"image not shown: {shortened(name)}" for name in browser.value(IMAGES_BROKEN)]
    found += event_problems(browser.events)
    for dark in (False, True):
        found += [f"{'dark' if dark else 'light'}: {problem}" for problem in accessibility_problems(browser, dark)]
    return found


def browser_problems(site, program):
    """Open every page of the book in the browser; return what went wrong."""
    site = Path(os.path.abspath(site))
    # a page that leads on by itself is gone before it can be looked at
    pages = [path for path in html_pages(site) if not soup_of(path).find("meta", attrs={"http-equiv": "Refresh"})]
    found = {}

    def look_at(share):
        with Browser(program) as browser:
            for path in share:
                found[path] = list(dict.fromkeys(browser_page_problems(browser, path)))

    with ThreadPoolExecutor(2) as two:  # browsers, on two cores
        list(two.map(look_at, (pages[::2], pages[1::2])))
    return [f"{path.relative_to(site).as_posix()}: {problem}" for path in pages for problem in found[path]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-browser", action="store_true", help="leave out the checks in Chromium")
    options = parser.parse_args()
    site = build_book.ROOT / build_book.SITE
    if not site.is_dir():
        print("There is no book in _build/html; run tools/build_book.py first.", file=sys.stderr)
        return 1
    program = None if options.no_browser else find_chromium()
    with ThreadPoolExecutor(1) as beside:  # the browsers compute in processes of their own
        read = beside.submit(lambda: site_problems(site, build_book.pages()) + site_licenses.problems(site))
        seen = browser_problems(site, program) if program else []
        problems = read.result() + seen
    if program is None:
        print("Checks in the browser are left out" + ("." if options.no_browser else ": no Chromium found."))
    if problems:
        print("\n".join(f"- {problem}" for problem in problems), file=sys.stderr)
        print(f"{len(problems)} problems in the book.", file=sys.stderr)
        return 1
    print(f"{len(html_pages(site))} pages of the book are in order.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

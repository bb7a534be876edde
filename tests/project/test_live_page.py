"""The live pieces of the book, driven by real events: what a reader does changes what the network sees."""

import base64
import functools
import http.server
import json
import re
import shutil
import threading
from pathlib import Path

import build_book
import check_book
import make_live
import numpy as np
import prompts
import pytest
from browser_engines import layers_of_keras

from unet_helpers import (
    confusion_counts,
    dice,
    hausdorff95,
    load_checkpoint,
    load_dataset,
    predict_masks,
    predict_probabilities,
)
from unet_helpers.data import split_by_patient, subset_of_patients, window
from unet_helpers.evaluation import (
    Counts,
    detect_objects,
    distance_to_outline,
    entropy,
    mutual_information,
    reliability,
    scale_temperature,
)
from unet_helpers.failures import DISTURBANCES, disturb
from unet_helpers.teaching.clicks import THRESHOLD, load_click_network, next_click, with_clicks

ROOT = Path(__file__).resolve().parents[2]
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PAGE = f"""<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>live</title></head><body><p style="height: 3000px">Far above</p>
<div class="live" data-pause="0"><figure><img alt="in place of it" src="{DOT}"></figure>
<script defer src="live/live.js"></script></div></body></html>"""
SCROLL = "document.querySelector('.live').scrollIntoView()"
RUNS = "Number(document.querySelector('.live').dataset.pictures) > 0"
SAID = "document.querySelector('.live-says').textContent"
PLACE = """(() => { const box = document.querySelector('.live canvas').getBoundingClientRect();
    return [box.x, box.y, box.width]; })()"""


SCANS = {"photons": (100_000, 100), "field_of_view": (None, 500)}  # each takes a second


network = functools.cache(load_checkpoint)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(ROOT / "book" / "_static" / "live", folder / "live")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_live, "SCANS", SCANS)
        make_live.make(folder / "live")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    return folder


@pytest.fixture
def page(browser, folder):
    """The page from the disk, with the piece in sight and the first picture computed."""
    browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=1000, deviceScaleFactor=1, mobile=False)
    browser.open(folder / "page.html")
    browser.value(SCROLL)
    assert browser.wait_for(RUNS)
    browser.value(SCROLL)  # it has grown
    return browser


def counts(browser):
    """Pixels of lung and of nodule, when nothing is left to compute and the sentence says so."""
    assert browser.wait_for("document.querySelector('.live').dataset.resting === 'yes'")
    return [int(browser.value(f"document.querySelector('.live').dataset.{name}")) for name in ("lung", "nodule")]


def choose(browser, selector, value):
    """Give a control a value, as a reader does it."""
    member = "selectedIndex" if selector == "select" else "value"
    name = "change" if selector == "select" else "input"
    find = f"const it = document.querySelector('.live {selector}')"
    browser.value(f"{{{find}; it.{member} = {value}; it.dispatchEvent(new Event('{name}', {{bubbles: true}}));}}")


def take(browser, tool):
    browser.value(f"document.querySelector('.live input[value={tool}]').click()")


def to_window(browser, column, row):
    left, top, width = browser.value(PLACE)
    return {"x": left + (column + 0.5) / 128 * width, "y": top + (row + 0.5) / 128 * width}


def drag(browser, *points, shift=False):
    how = {"button": "left", "clickCount": 1, "modifiers": 8 * shift}
    for kind, at in zip(["mousePressed", *["mouseMoved"] * len(points)], [points[0], *points], strict=True):
        browser.call("Input.dispatchMouseEvent", type=kind, **how, **to_window(browser, *at))
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **how, **to_window(browser, *points[-1]))


def validation_slice(index, z):
    """Slice z of a patient as a subset in HU."""
    return subset_of_patients([make_live.patient_of(index)], window=None)[[z]]


def test_the_slices_are_of_patients_whom_the_network_has_not_seen():
    ids = np.array([f"P{index + 1:03d}" for index in range(48)])
    validation = set(ids[split_by_patient(ids)[1]].tolist())
    assert {f"P{index + 1:03d}" for index, _ in (*make_live.SLICES, make_live.SCANNED)} <= validation


def test_nothing_is_loaded_before_the_piece_comes_into_sight(browser, folder):
    browser.open(folder / "page.html")
    scripts = "[...document.scripts].map((script) => script.src.split('/').pop())"
    browser.value("new Promise((resolve) => setTimeout(resolve, 500))")
    assert browser.value(scripts) == ["live.js"]
    assert (folder / "live" / "live.js").stat().st_size < 20_000
    assert browser.value("document.querySelector('.live figure').offsetHeight > 0")
    browser.value(SCROLL)
    assert browser.wait_for(RUNS)
    assert set(browser.value(scripts)) >= {"engine.js", "network.js", "kernel.js", "slices.js", "hide.js"}
    assert browser.value("document.querySelector('.live figure').offsetHeight") == 0
    assert [*check_book.live_problems(browser), *check_book.event_problems(browser.events)] == []


def test_the_reader_sees_what_the_network_of_the_package_predicts(page):
    cases = [(0, "blur", 0), (1, "blur", 0), (2, "blur", 0), (3, "blur", 0), (0, "blur", 4), (1, "blur", 2)]
    parts = [validation_slice(*make_live.SLICES[number]) for number in range(4)]
    parts = [disturb(parts[number], name, strength) for number, name, strength in cases]
    images = np.concatenate([window(part.images, -600, 1500) for part in parts])
    masks = predict_masks(network(), images)
    for (number, name, strength), mask in zip(cases, masks, strict=True):
        choose(page, "select", number)
        choose(page, f"#live-{name}", strength)
        assert np.abs(np.subtract(counts(page), [(mask == 1).sum(), (mask == 2).sum()])).max() <= 3


def test_a_planted_nodule_is_seen_and_painting_it_over_takes_it_away(page):
    choose(page, "select", 3)
    assert counts(page)[1] == 0
    assert "There is no nodule in the picture, and it draws none." in page.value(SAID)
    choose(page, "#live-size", 16)
    drag(page, (90, 60))
    assert counts(page)[1] > 10
    assert "The nodule of 16 mm is found, and drawn" in page.value(SAID)
    take(page, "air")
    drag(page, (86, 60), (94, 60), (94, 62), (86, 58))
    assert counts(page)[1] == 0
    assert "There is no nodule in the picture" in page.value(SAID)
    take(page, "tissue")
    lung = counts(page)[0]
    choose(page, "#live-size", 30)
    drag(page, (30, 50), (40, 80))
    assert counts(page)[0] < lung - 100


def test_noise_and_the_window_hide_the_nodule_and_start_again_brings_it_back(page):
    _, found = counts(page)
    assert found > 20
    choose(page, "#live-level", 40)
    assert counts(page)[1] < found / 4
    assert "is not found: it is hidden" in page.value(SAID)
    page.value("document.querySelector('.live button').click()")
    assert counts(page)[1] == found
    choose(page, "#live-noise", 400)
    assert counts(page)[1] < found
    assert page.value("document.querySelector('#live-noise').getAttribute('aria-valuetext')") == "400 HU"


def test_the_keyboard_plants_where_the_circle_is(page):
    choose(page, "select", 3)
    page.value("document.querySelector('.live canvas').focus()")
    for _ in range(26):  # from the middle into the left lung
        page.press("ArrowRight", 39)
    for _ in range(4):
        page.press("ArrowUp", 38)
    scrolled = page.value("scrollY")
    page.press("Enter", 13)
    assert counts(page)[1] > 5
    assert page.value("scrollY") == scrolled
    page.press("Tab", 9)
    assert page.value("document.activeElement.tagName") == "SELECT"


def test_a_phone_is_wide_enough_and_takes_a_tap(browser, folder):
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.open(folder / "page.html")
    browser.value(SCROLL)
    assert browser.wait_for(RUNS)
    browser.value(SCROLL)
    assert browser.value("document.documentElement.scrollWidth") <= 390
    choose(browser, "select", 3)
    assert counts(browser)[1] == 0
    at = to_window(browser, 90, 60)
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[at])
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert counts(browser)[1] > 5
    browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_every_control_has_a_name(page):
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"slider", "radio", "button", "combobox", "application"}
    controls = [node for node in nodes if node.get("role", {}).get("value") in roles and not node["ignored"]]
    assert len(controls) == 6 + 3 + 1 + 1 + 1
    assert all(node["name"]["value"].strip() for node in controls)
    names = [node["name"]["value"] for node in controls]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("gone", ["network.js", "kernel"])
def test_where_something_is_missing_the_picture_stays_or_plain_javascript_does_the_work(
    browser, folder, tmp_path, gone
):
    shutil.copytree(folder, tmp_path / "site")
    if gone == "kernel":  # as in a browser without SIMD
        (tmp_path / "site" / "live" / "kernel.js").write_text('self.unetKernel = "AGFzbQ=="', encoding="utf-8")
    else:
        (tmp_path / "site" / "live" / gone).unlink()
    browser.open(tmp_path / "site" / "page.html")
    browser.value(SCROLL)
    if gone == "kernel":
        assert browser.wait_for("document.querySelector('.live-speed')?.textContent.includes('by JavaScript')")
        assert counts(browser)[1] > 20
    else:
        assert browser.wait_for("Boolean(document.querySelector('.live-failed'))")
        assert browser.value("document.querySelector('.live figure').offsetHeight > 0")
        assert list(check_book.live_problems(browser)) == ["the network does not run in the page"]


def test_a_server_shows_the_same(page, piece, folder):
    from_disk = counts(page)
    pieces = {name: rested(piece(name)) for name in ("disturb", "learn", "clicks")}  # each from another network
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.open(f"http://127.0.0.1:{server.server_port}/page.html")
        page.value(SCROLL)
        assert page.wait_for(RUNS)
        assert counts(page) == from_disk
        for name, said in pieces.items():
            page.open(f"http://127.0.0.1:{server.server_port}/{name}.html")
            page.value(SCROLL)
            assert page.wait_for(RUNS)
            assert rested(page) == said
        server.shutdown()


def test_the_start_page_shows_the_piece_with_a_picture_in_its_place():
    start = (ROOT / f"{build_book.pages()[0]}.md").read_text(encoding="utf-8")
    piece = start.partition("::::{div} live\n")[2].partition("\n::::\n")[0]
    assert "{figure} figures/cover.png" in piece
    assert 'classList.add("live-waits")' in piece
    assert '<script defer src="../_static/live/live.js"></script>' in piece


# --- the pieces of notebook 05 ---


@pytest.fixture
def piece(browser, folder):
    """Open a page with one piece of the given name, and wait for its first picture."""

    def open_piece(name):
        (folder / f"{name}.html").write_text(PAGE.replace('class="live"', f'class="live" data-piece="{name}"'), "utf-8")
        browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=1000, deviceScaleFactor=1, mobile=False)
        browser.open(folder / f"{name}.html")
        browser.value(SCROLL)
        assert browser.wait_for(RUNS)
        browser.value(SCROLL)
        return browser

    return open_piece


def rested(browser):
    assert browser.wait_for("document.querySelector('.live').dataset.resting === 'yes'")
    return browser.value(SAID)


def click(browser, selector, draws=True):
    """Click on a control, and wait until the page has drawn and said what it changed."""
    pictures = "Number(document.querySelector('.live').dataset.pictures)"
    before = browser.value(pictures)
    browser.value(f"document.querySelector({json.dumps('.live ' + selector)}).click()")
    assert not draws or browser.wait_for(f"{pictures} > {before}")
    return rested(browser)


def assert_numbers_are_those_of_the_package(browser, number, label):
    """Compare what stands in the table with the package; returns the mask that the reader has drawn."""
    rested(browser)
    patient = make_live.patient_of(make_live.SLICES[number][0])
    truth = patient.masks[make_live.SLICES[number][1]] == label
    drawn = np.array(browser.value("[...document.querySelector('.live').live.mask]")).reshape(128, 128)
    expected = confusion_counts(truth, drawn)
    shown = browser.value("""Object.fromEntries([...document.querySelectorAll('.live [data-number]')].map(
        (cell) => [cell.dataset.number, cell.textContent]))""")
    assert [int(shown[name]) for name in ("tp", "fp", "fn", "tn")] == [
        expected.tp,
        expected.fp,
        expected.fn,
        expected.tn,
    ]
    for name, text in (("dice", "{:.3f}"), ("iou", "{:.3f}"), ("hd95", "{:.1f} mm")):
        number = hausdorff95(truth, drawn, patient.spacing[1:]) if name == "hd95" else getattr(expected, name)
        said = {"nan": "not defined", "inf": "infinite"}.get(str(float(number)), text.format(number))
        assert shown[name] == said
    found = browser.value("String(document.querySelector('.live').live.numbers.hd95)")
    assert float(found) == pytest.approx(hausdorff95(truth, drawn, patient.spacing[1:]), nan_ok=True)
    return drawn


def test_the_numbers_move_with_the_brush_and_are_those_of_the_package(piece):
    page = piece("draw")
    assert_numbers_are_those_of_the_package(page, 0, 2)
    assert rested(page).startswith("Nothing is drawn: all 21 pixels are missed, Dice is 0")
    column, row = page.value("(({nodules: [[y, x]]}) => [x, y])(document.querySelector('.live').live.slice)")
    click(page, "[name=zoom]")
    drag(page, (column, row), (column + 2, row + 1))
    drawn = assert_numbers_are_those_of_the_package(page, 0, 2)
    assert drawn.sum() > 5
    assert "of 21 pixels found" in rested(page)
    click(page, "[name=live-brush][value='0']", draws=False)
    drag(page, (column + 2, row), (column + 2, row + 1))
    assert assert_numbers_are_those_of_the_package(page, 0, 2).sum() < drawn.sum()
    assert "Dice" in click(page, "button[value=network]")
    assert_numbers_are_those_of_the_package(page, 0, 2)
    click(page, "[name=live-class][value='1']")
    drag(page, (0, 0), (127, 90))  # over the edge of the picture
    assert_numbers_are_those_of_the_package(page, 0, 1)


def test_what_the_page_says_about_a_dot_far_away_and_about_nothing_is_so(piece):
    page = piece("draw")
    click(page, "[name=live-class][value='1']")
    assert "Dice 1.000, HD95 0.0 mm" in click(page, "button[value=truth]")
    choose(page, "#live-brush-size", 8)
    drag(page, (64, 8))
    dot = assert_numbers_are_those_of_the_package(page, 0, 1)
    assert "HD95 0.0 mm" in rested(page)
    assert "Dice 0.99" in rested(page)
    choose(page, "#live-brush-size", 50)
    drag(page, (64, 8))
    assert assert_numbers_are_those_of_the_package(page, 0, 1).sum() > dot.sum() + 50
    assert float(rested(page).partition("HD95 ")[2].split()[0]) > 20
    choose(page, "select", 3)
    click(page, "[name=live-class][value='2']")
    assert rested(page) == "Nothing is there and nothing is drawn: Dice is 0/0, not defined."
    assert_numbers_are_those_of_the_package(page, 3, 2)
    page.value("document.querySelector('.live canvas').focus()")
    page.press("Enter", 13)
    assert rested(page).startswith("There is nothing to find: all")
    assert_numbers_are_those_of_the_package(page, 3, 2)


def test_the_threshold_moves_the_operating_point_of_the_package(piece):
    page = piece("threshold")
    parts = [validation_slice(*where) for where in make_live.SLICES]
    truth = np.concatenate([part.masks for part in parts]) == 2
    images = np.concatenate([window(part.images, -600, 1500) for part in parts])
    probability = predict_probabilities(network(), images)[..., 2]
    for threshold in (0.02, 0.5, 0.9):
        choose(page, "#live-threshold", threshold)
        said = rested(page)
        found = page.value("document.querySelector('.live').live.all")
        expected = confusion_counts(truth, probability >= threshold)
        near = [abs(found[name] - getattr(expected, name)) for name in ("tp", "fp", "fn", "tn")]
        assert max(near) <= 2, (threshold, near)
        counts_of_page = Counts(**{name: found[name] for name in ("tp", "fp", "fn", "tn")})
        for name in ("precision", "recall", "dice"):
            assert found[name] == pytest.approx(getattr(counts_of_page, name))
            shown = page.value(f"document.querySelector('.live [data-all={name}]').textContent")
            assert shown == f"{found[name]:.2f}"
        objects = sum(detect_objects(m, p >= threshold) for m, p in zip(truth, probability, strict=True))
        assert f"{objects.found} of {objects.true} pieces of nodule found and {objects.false} made up" in said
    points = "[...document.querySelectorAll('.live polyline')].map((line) => line.points.length)"
    assert min(page.value(points)) > 50
    page.value("document.querySelector('#live-threshold').focus()")
    page.press("ArrowLeft", 37)
    assert rested(page).startswith("From 0.89 on")


def test_a_finger_draws_and_the_page_does_not_scroll(piece):
    page = piece("draw")
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    page.value(SCROLL)
    assert page.value("document.documentElement.scrollWidth") <= 390
    scrolled = page.value("scrollY")
    for kind, at in (("touchStart", (50, 50)), ("touchMove", (50, 70)), ("touchMove", (60, 90)), ("touchEnd", None)):
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=[to_window(page, *at)] if at else [])
    assert assert_numbers_are_those_of_the_package(page, 0, 2).sum() > 10
    assert page.value("scrollY") == scrolled
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)


# --- the piece of notebook 03 ---

BOXES = ("down1", "down2", "down3", "down4", "bottleneck", "up4", "up3", "up2", "up1")
AS_TEXT = """((numbers) => {
    const bytes = new Uint8Array(numbers.buffer), text = [];
    for (let i = 0; i < bytes.length; i += 30000) text.push(String.fromCharCode(...bytes.subarray(i, i + 30000)));
    return btoa(text.join(""));
})"""


def floats(browser, numbers):
    return np.frombuffer(base64.b64decode(browser.value(f"{AS_TEXT}({numbers})")), "<f4")


def test_each_box_of_the_u_shows_the_maps_of_keras(piece):
    page = piece("inside")
    image = window(validation_slice(*make_live.SLICES[0]).images, -600, 1500)[0]
    truth = layers_of_keras(network(), [f"{name}_relu2" for name in BOXES] + ["probabilities"], image)
    for name in (*BOXES, "output"):
        click(page, f"button[value={name}]", draws=name != "down1")
        maps = floats(page, "document.querySelector('.live').live.maps")
        expected = truth["probabilities" if name == "output" else f"{name}_relu2"]
        assert maps.shape == expected.shape
        assert np.abs(maps - expected).max() < 0.01 * max(1, expected.max()), name  # weights of 16 bits
        assert page.value("document.querySelector('.live [aria-pressed=true]').value") == name
        if name != "output":
            side = 8 if name == "bottleneck" else 128 >> (int(name[-1]) - 1)
            said = page.value("document.querySelector('.live-maps-say').textContent")
            assert said.startswith(f"{name}: {len(maps) // side**2} maps of {side}×{side}, each from black")
    click(page, "button[value=picture]")
    np.testing.assert_allclose(floats(page, "document.querySelector('.live').live.maps"), image.ravel(), atol=1e-6)


def test_a_skip_connection_is_switched_off_and_on_again(piece):
    page = piece("inside")
    click(page, "button[value=output]")
    labels = "[...document.querySelector('.live').live.labels]"
    whole, first = page.value(labels), rested(page)
    masks = [make_live.patient_of(index).masks[z] for index, z in make_live.SLICES]

    def dice_of(number, label):
        found = np.reshape(page.value(labels), (128, 128))
        return dice(masks[number] == label, found == label)

    said = click(page, "input[value=skip1]")
    assert f"Without skip1 the Dice of the lungs is {dice_of(0, 1):.2f} (with all" in said
    assert f"of the nodule {dice_of(0, 2):.2f} (" in said
    assert dice_of(0, 1) < 0.85
    click(page, "input[value=skip1]")
    assert page.value(labels) == whole
    assert rested(page) == first
    nodule = dice_of(0, 2)
    click(page, "input[value=skip3]")
    assert dice_of(0, 2) > nodule + 0.05
    click(page, "input[value=skip3]")
    click(page, "input[value=skip4]")
    assert dice_of(0, 1) < 0.9
    for name in ("skip1", "skip2", "skip3"):
        said = click(page, f"input[value={name}]")
    assert "Without skip1, skip2, skip3, skip4 the Dice of the lungs is 0.0" in said
    choose(page, "select", 1)
    rested(page)
    for name in ("skip1", "skip2", "skip4"):
        click(page, f"input[value={name}]")
    without = dice_of(1, 2)
    click(page, "input[value=skip3]")
    assert dice_of(1, 2) > without + 0.1


def test_the_receptive_field_is_that_of_the_notebook_and_nothing_outside_of_it_matters(piece):
    page = piece("inside")

    notebook = {}
    text = (ROOT / "notebooks" / "src" / "03_unet_architecture.py").read_text(encoding="utf-8")
    exec(next(cell for cell in text.split("# %%") if "def reach(" in cell), notebook)

    found = page.value("""Array.from({length: 32}, (_, pixel) =>
        document.querySelector('.live').live.reach(pixel, {level: 1, up: true}))""")
    assert found == [list(notebook["reach"](pixel)) for pixel in range(32)]
    changed = """(async ({reach, gray}) => {
        const boxes = {
            down1: [1, 60], down2: [2, 30], down3: [3, 20], down4: [4, 3], bottleneck: [5, 0], up4: [4, 0, true],
        };
        const differ = {};
        for (const [name, [level, place, up]] of Object.entries(boxes)) {
            const [first, last] = reach(place, {level, up}), layer = `${name}_relu2`, side = 128 >> (level - 1);
            const answers = [];
            for (const margin of [0, 1]) {  // outside all is changed; then also the outermost pixels inside
                const within = (k) => k >= first + margin && k <= last - margin;
                const other = gray.map((value, at) =>
                    within(at % 128) && within(Math.floor(at / 128)) ? value : 1 - value);
                for (const image of [gray, other]) {
                    const numbers = (await unetLive.ask({image, side: 128, layers: [layer]})).maps[layer];
                    const count = numbers.length / side ** 2, at = (place * side + place) * count;
                    answers.push(numbers.slice(at, at + count).join());
                }
            }
            differ[name] = [answers[0] !== answers[1], answers[2] !== answers[3]];
        }
        return differ;
    })(document.querySelector('.live').live)"""
    differ = page.value(changed)
    assert all(outside is False for outside, _ in differ.values()), differ
    assert all(edge for _, edge in differ.values()), differ


def test_the_pixel_follows_a_click_and_the_arrow_keys(piece):
    page = piece("inside")
    drag(page, (40, 50))
    assert rested(page).startswith("Column 40, row 50 of down1 depends on 5×5 pixels: columns 38 to 42, rows 48 to 52.")
    page.value("document.querySelector('.live canvas').focus()")
    page.press("ArrowRight", 39)
    assert rested(page).startswith("Column 41, row 50 of down1")
    assert "of bottleneck depends on 140×140 pixels" in click(page, "button[value=bottleneck]")


# --- the piece of notebook 04 ---

LEARNS = "document.querySelector('.live').live"


@pytest.fixture
def learners(browser, folder):
    """A page with the learner, its lessons, and functions that train; what a worker of the piece runs."""
    (folder / "learners.html").write_text(
        """<!doctype html><meta charset="utf-8"><script src="live/live.js"></script>
        <script src="live/learner.js"></script><script src="live/lessons.js"></script>
        <script src="live/learn.js"></script><script>
        const CE = {loss: "crossentropy", weight: 1, rate: 3e-3}, lessonsOf = unetLive.pieces.learn.lessonsOf;
        function learner(task, seed) { return unetLearner(lessonsOf(task), seed); }
        function trained(task, options, steps, seed) {
            const one = learner(task, seed);
            for (let k = 0; k < steps; k++) one.step({...CE, ...options});
            const {dice, accuracy, drawn, found} = one.examine();
            return {dice, accuracy, drawn, different: new Set(found.flatMap((each) => [...each])).size};
        }</script>""",
        encoding="utf-8",
    )
    browser.open(folder / "learners.html")
    return browser


def test_the_lessons_are_patients_of_the_package_and_none_is_on_both_sides(folder):
    lessons = json.loads((folder / "live" / "lessons.js").read_text(encoding="utf-8")[len("self.unetLessons = ") : -2])
    ids = np.array([f"P{index + 1:03d}" for index in range(48)])
    train, held_out = (set(ids[part].tolist()) for part in split_by_patient(ids)[:2])
    for task, least in (("lungs", 0.05), ("nodules", 0.01)):
        for part, allowed in (("train", train), ("heldOut", held_out)):
            found = lessons[task][part]
            assert set(found["patients"]) <= allowed
            images = np.frombuffer(base64.b64decode(found["images"]), "u1")
            assert images.size == 32 * 32 * len(found["patients"])
            masks = np.unpackbits(np.frombuffer(base64.b64decode(found["masks"]), "u1"))
            assert masks.size == images.size
            assert least < masks.mean() < 4 * least
    assert (folder / "live" / "lessons.js").stat().st_size < 150_000


def test_a_lesson_is_the_mean_of_blocks_and_a_nodule_is_cut_out_whole():
    data = load_dataset("phantom").validation
    images, masks, patients = make_live.lung_lessons(data)
    slices = np.flatnonzero(data.patient_ids == patients[2])
    picture, mask = data.images[slices[3], ..., 0], data.masks[slices[3]] > 0
    for row, column in ((0, 0), (12, 9), (31, 16)):
        block = np.s_[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert images[2, row, column] == pytest.approx(picture[block].mean(), abs=1e-6)
        assert masks[2, row, column] == (mask[block].mean() >= 0.5)
    images, masks, patients = make_live.nodule_lessons(data)
    sizes = (data.masks == 2).sum(axis=(1, 2))
    assert masks.sum(axis=(1, 2)).tolist() == sizes[sizes >= make_live.LEAST].tolist()
    whole = data.images[np.flatnonzero(sizes >= make_live.LEAST)[0], ..., 0]
    windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32))
    assert (windows == images[0]).all(axis=(2, 3)).any()


def test_the_slopes_of_the_learner_are_those_of_numerical_differences(learners):
    found = learners.value("""["crossentropy", "dice"].map((loss) => {
        const one = learner("lungs", 3), options = {loss, weight: 5}, small = 1e-6, pairs = [];
        const lesson = lessonsOf("nodules").train[0];
        one.learn(lesson, options);
        const slopes = one.gradients.slice();
        for (const {start, length} of one.learned) for (const share of [0, 0.37, 0.99]) {
            const at = start + Math.floor(share * length), kept = one.weights[at], near = [1, -1].map((sign) => {
                one.weights[at] = kept + sign * small;
                return one.learn(lesson, options);
            });
            one.weights[at] = kept;
            pairs.push([slopes[at], (near[0] - near[1]) / 2 / small]);
        }
        return pairs;
    })""")
    for pairs in np.array(found):
        assert (np.abs(pairs[:, 0]) > 1e-6).sum() > 40
        np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], rtol=1e-3, atol=1e-6)


def test_the_learner_computes_what_keras_computes(learners):
    import keras
    from keras import layers

    def twice(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    image = keras.Input((32, 32, 1))
    down1 = twice(image, 4)
    down2 = twice(layers.MaxPooling2D()(down1), 8)
    x = twice(layers.MaxPooling2D()(down2), 16)
    for skip, filters in ((down2, 8), (down1, 4)):
        x = twice(layers.Concatenate()([skip, layers.UpSampling2D()(x)]), filters)
    network = keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(x))

    page = "one = learner('lungs', 1), picture = one.step(CE) && lessonsOf('lungs').heldOut[0].image"
    learned, weights, picture, found = learners.value(
        f"(() => {{const {page}; return [one.learned, [...one.weights], [...picture], [...one.predict(picture)]]}})()"
    )
    assert len(weights) == network.count_params() == 7470
    arrays = [np.reshape(weights[each["start"] : each["start"] + each["length"]], each["shape"]) for each in learned]
    arrays = [a.transpose(2, 3, 1, 0) if a.ndim == 4 else a.T[None, None] if a.ndim == 2 else a for a in arrays]
    network.set_weights(arrays)
    expected = np.asarray(network(np.reshape(picture, (1, 32, 32, 1))))[0, ..., 1]
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(np.reshape(found, (32, 32)), expected, atol=1e-4)


def test_the_lungs_are_learned_and_a_rate_too_low_or_too_high_learns_nothing(learners):
    assert learners.value("trained('lungs', {}, 0, 0).drawn") > 0
    assert learners.value("trained('lungs', {}, 12, 0).drawn") == 0
    assert learners.value("trained('lungs', {}, 70, 0).dice") > 0.7
    assert learners.value("trained('lungs', {rate: 3e-5}, 100, 0).dice") < 0.4
    for seed in range(3):
        found = learners.value(f"trained('lungs', {{rate: 0.3}}, 20, {seed})")
        assert found["dice"] == found["drawn"] == 0
        assert found["different"] == 1
        assert found["accuracy"] > 0.8


def test_a_rate_too_high_gives_the_black_mask_with_an_accuracy_near_one_and_a_weight_brings_the_nodule(learners):
    for seed in range(3):
        found = learners.value(f"trained('nodules', {{rate: 0.3}}, 20, {seed})")
        assert found["dice"] == found["drawn"] == 0
        assert found["different"] == 1
        assert found["accuracy"] > 0.95
    assert learners.value("trained('nodules', {}, 50, 0).drawn") == 0
    assert learners.value("trained('nodules', {weight: 20}, 50, 0).dice") > 0.1
    assert learners.value("trained('nodules', {loss: 'dice'}, 40, 0).dice") > 0.1
    assert learners.value("trained('nodules', {weight: 100}, 40, 0).accuracy") < 0.9


def test_the_reader_trains_pauses_steps_and_compares(piece):
    page = piece("learn")
    steps = f"{LEARNS}.losses.length"
    assert rested(page) == "The network is untrained. Press Train."
    assert page.value("[...document.scripts].map((it) => it.src.split('/').pop()).sort().join()") == (
        "learn.js,learner.js,lessons.js,live.js,plot.js"
    )
    for _ in range(2):  # by keyboard
        page.value("document.querySelector('.live [value=step]').focus()")
        page.press("Enter", 13)
        page.call("Input.dispatchKeyEvent", type="char", text="\r")
    assert page.wait_for(f"{steps} >= 1")
    said = rested(page)
    assert re.match(r"After \d steps?, on held-out pictures: accuracy 0.", said)
    page.value(f"{LEARNS}.goal = 1e6")  # it does not end by itself before it is paused
    page.value("document.querySelector('.live [value=train]').click()")
    assert page.wait_for(f"{steps} >= 8")
    assert page.value("document.querySelector('.live [value=step]').disabled")
    page.value("document.querySelector('.live [value=train]').click()")
    rested(page)
    trained = page.value(steps)
    assert page.value("document.querySelector('[data-now=steps]').textContent") == str(trained)
    assert page.value("document.querySelectorAll('.live polyline')[0].points.length") == trained

    choose(page, "select", 3)  # the black mask
    assert rested(page) == "The network is untrained. Press Train."
    assert page.value("document.querySelector('[data-before=steps]').textContent") == str(trained)
    assert page.value("document.querySelector('#live-rate').getAttribute('aria-valuetext')") == "0.3"
    assert float(page.value("document.querySelector('[data-now=empty]').textContent")) > 0.95
    page.value("document.querySelector('.live [value=train]').click()")
    assert page.wait_for(f"{steps} >= 8 && {LEARNS}.looks.at(-1).drawn === 0")
    page.value("document.querySelector('.live [value=train]').click()")
    assert "The mask is black: nothing is drawn, and 97 % of the pixels are right all the same." in rested(page)

    choose(page, "#live-rate", 0)  # a setting of one's own begins anew
    assert rested(page) == "The network is untrained. Press Train."
    assert page.value("document.querySelector('.live select').value") == "your own setting"
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    assert page.value("document.documentElement.scrollWidth") <= 390


def test_where_the_lessons_are_missing_a_sentence_says_so(browser, folder, tmp_path):
    shutil.copytree(folder / "live", tmp_path / "live", ignore=lambda *_: ["lessons.js"])
    (tmp_path / "page.html").write_text(PAGE.replace('class="live"', 'class="live" data-piece="learn"'), "utf-8")
    browser.open(tmp_path / "page.html")
    browser.value(SCROLL)
    assert browser.wait_for("Boolean(document.querySelector('.live-failed'))")
    assert browser.value("document.querySelector('.live figure').offsetHeight > 0")


# --- the piece of notebooks 06 and 09 ---

CURVE = "document.querySelector('.live').live.curve.found"
MOVED = """(({{hu, mask}}) => [{text}(hu), [...mask]])(
    unetDisturb.disturbed(unetLive.slice({number}), {strengths}))"""


def disturbed(page, number, **strengths):
    """A slice as the page disturbs it, in HU, and its mask."""
    strengths = {name.replace("_", " "): strength for name, strength in strengths.items()}
    hu, mask = page.value(MOVED.format(text=AS_TEXT, number=number, strengths=json.dumps(strengths)))
    shape = 128, 128
    return np.frombuffer(base64.b64decode(hu), "<f4").reshape(shape), np.reshape(mask, shape)


def test_the_disturbances_of_the_page_are_those_of_the_package(piece):
    page = piece("disturb")
    cases = [{"contrast": 0.4}, {"blur": 4}, {"resolution": 1.5}, {"resolution": 3.25}, {"rotation": 13}, {"shift": 25}]
    cases += [
        {"rotation": 40, "shift": 10, "blur": 2, "contrast": 0.6},
        {name: 0 for name in ("noise", "missing_rows")},
    ]
    for strengths in cases:
        expected = validation_slice(*make_live.SLICES[1])
        for name, strength in strengths.items():
            expected = disturb(expected, name.replace("_", " "), strength)
        hu, mask = disturbed(page, 1, **strengths)
        np.testing.assert_allclose(hu, expected.images[0, ..., 0], atol=0.01, err_msg=str(strengths))
        np.testing.assert_array_equal(mask, expected.masks[0], err_msg=str(strengths))


def test_noise_and_missing_rows_of_the_page_are_random_as_those_of_the_package(piece):
    page = piece("disturb")
    plain, _ = disturbed(page, 0)
    noise = [(disturbed(page, 0, noise=strength)[0] - plain) / strength for strength in (50, 400)]
    np.testing.assert_allclose(*noise, atol=0.01)
    assert (noise[0].mean(), noise[0].std()) == pytest.approx((0, 1), abs=0.03)
    for axis in (0, 1):  # no pixel knows of its neighbor
        assert abs((noise[0] * np.roll(noise[0], 1, axis)).mean()) < 0.04
    lost = [(disturbed(page, 0, missing_rows=share)[0] == -1000).all(axis=1) for share in (0.05, 0.2, 0.4)]
    assert all(abs(rows.mean() - share) < 0.08 for rows, share in zip(lost, (0.05, 0.2, 0.4), strict=True))
    assert (lost[0] <= lost[1]).all()
    assert (lost[1] <= lost[2]).all()


def assert_dice_of_the_package(images, masks, found):
    """Both Dice of each picture in HU against those that the page has found."""
    predicted = predict_masks(network(), window(np.stack(images), -600, 1500)[..., None].astype(np.float32))
    for mask, own, scores in zip(masks, predicted, found, strict=True):
        for name, label in (("lung", 1), ("nodule", 2)):
            true, found_by_package = (mask == label).sum(), (own == label).sum()
            few = 3 / max(true + found_by_package, 3)  # pixels that another processor may give to another class
            expected = 2 * ((mask == label) & (own == label)).sum() / max(true + found_by_package, 1)
            assert np.nan_to_num(scores[name]) == pytest.approx(expected, abs=few)


def test_the_dice_follows_the_sliders_and_is_that_of_the_package(piece):
    page = piece("disturb")
    assert rested(page).startswith("Nothing is changed: the Dice of the lungs is 0.99, of the nodule 0.")
    choose(page, "select", 1)
    rested(page)
    choose(page, "#live-costs-noise", 200)
    said = rested(page)
    assert said.startswith("With noise (standard deviation) 200 HU: the Dice of the lungs is 0.")
    pictures = [disturbed(page, 1, noise=level) for level in DISTURBANCES["noise"].levels]
    curve = page.value(CURVE)[::2]  # the others lie halfway
    assert_dice_of_the_package(*zip(*pictures, strict=True), curve)
    now = page.value("document.querySelector('.live').live.now")
    assert now == curve[3]
    cells = "[...document.querySelectorAll('.live td')].map((cell) => cell.textContent)"
    assert page.value(cells) == [f"{at[name]:.2f}" for name in ("lung", "nodule") for at in (curve[0], now)]
    page.value("document.querySelector('#live-costs-noise').focus()")
    page.press("ArrowLeft", 37)
    assert rested(page).startswith("With noise (standard deviation) 190 HU:")
    click(page, "button")
    assert page.value("document.querySelector('#live-costs-noise').value") == "0"
    assert rested(page).startswith("Nothing is changed: the Dice of the lungs")


def nodule_pixels(page):
    return page.value("document.querySelector('.live').live.labels.filter((label) => label === 2).length")


def test_what_notebook_06_says_about_noise_and_blur_is_so(piece):
    page = piece("disturb")
    rested(page)
    noise = page.value(CURVE)[::2]
    assert noise[2]["nodule"] > noise[0]["nodule"] + 0.1  # 100 HU
    choose(page, "#live-costs-noise", 100)
    rested(page)
    few = nodule_pixels(page)
    choose(page, "#live-costs-noise", 0)
    rested(page)
    assert few < nodule_pixels(page) > (validation_slice(*make_live.SLICES[0]).masks == 2).sum() + 3
    assert noise[4]["nodule"] == 0
    for number in range(4):
        choose(page, "select", number)
        rested(page)
        lungs = [scores["lung"] for scores in page.value(CURVE)[::2]]
        assert lungs[0] - lungs[2] < 0.02
        assert lungs[3] < 0.88  # 200 HU
    choose(page, "select", 2)
    choose(page, "#live-costs-blur", 4)
    rested(page)
    blur = page.value(CURVE)[::2]
    assert blur[0]["nodule"] == 0
    assert blur[2]["nodule"] > 0.2
    assert "noise" not in rested(page)
    choose(page, "select", 1)
    choose(page, "#live-costs-blur", 0)
    choose(page, "#live-costs-contrast", 0.8)
    choose(page, "#live-costs-noise", 50)
    rested(page)
    together, contrast = (
        page.value(f"document.querySelector('.live').live.{which}.nodule") for which in ("now", "curve.found[0]")
    )
    choose(page, "#live-costs-contrast", 1)
    rested(page)
    assert together < min(contrast, page.value("document.querySelector('.live').live.now.nodule")) - 0.1


def test_another_scanner_costs_what_notebook_09_says(piece):
    page = piece("scanner")
    standard, wide = (make_live.scanned(field_of_view=field) for field in (None, 500.0))
    now = "document.querySelector('.live').live.now"
    found = {}
    for number, z in enumerate(make_live.SCANNED[1]):
        choose(page, "select", number)
        choose(page, "#live-costs-photons", 1)
        assert "With dose 100 photons: the Dice" in rested(page)
        choose(page, "#live-costs-field_of_view", 1)  # and the dose is as before
        assert "With field of view 500 mm: the Dice" in rested(page)
        images, masks = zip(*((scan.volume[z], scan.masks[z]) for scan in (standard, wide)), strict=True)
        assert_dice_of_the_package(images, masks, page.value(CURVE))
        found[number] = [scores["nodule"] for scores in page.value(CURVE)]
        choose(page, "#live-costs-field_of_view", 0)
        choose(page, "#live-costs-level", -400)
        choose(page, "#live-costs-width", 2200)
        assert "With window level −400 HU, window width 2200 HU: the Dice" in rested(page)
        found[number].append(page.value(now)["nodule"])
        before = page.value(f"document.querySelector('.live').live.before[{number}]")
        assert page.value(now)["lung"] < before["lung"] - 0.02
        click(page, "button")
    assert found[0][1] == 0
    assert 0.3 < found[0][2] / found[0][0] < 0.6
    assert abs(found[1][1] - found[1][0]) < 0.12
    assert found[1][2] > found[1][0]


# --- the piece of notebook 12 ---

DOUBT = "document.querySelector('.live').live"


def doubtful(page, number, samples):
    """Probabilities of a slice as the network in the page gives them, or those of its samples."""
    names = [f"samples[{k}]" for k in range(samples)] or ["plain"]
    return np.stack([floats(page, f"{DOUBT}.slices[{number}].{name}").reshape(128, 128, 3) for name in names])


def test_temperature_and_calibration_are_those_of_the_package(piece):
    page = piece("doubt")
    parts = [validation_slice(*where) for where in make_live.SLICES]
    truth = np.concatenate([part.masks for part in parts])
    spacing = np.concatenate([part.spacing for part in parts])
    plain = np.concatenate([doubtful(page, number, 0) for number in range(4)])
    images = np.concatenate([window(part.images, -600, 1500) for part in parts])
    own = predict_probabilities(network(), images)
    np.testing.assert_allclose(plain, own, atol=0.03)
    assert np.abs(plain - own).mean() < 1e-3
    found, from_truth = {}, distance_to_outline(truth, spacing)
    for temperature in (0.2, 0.7, 1, 3, 4):
        probabilities = scale_temperature(plain, temperature)
        labels = probabilities.argmax(axis=-1)
        near = np.minimum(from_truth, distance_to_outline(labels, spacing)) <= 10
        choose(page, "#live-temperature", temperature)
        for region, where in {"near": near, "called": labels == 2, "all": np.ones_like(near)}.items():
            click(page, f"[name=live-region][value={region}]")
            for part, which in (("all", slice(None)), ("one", slice(1))):
                expected = reliability(probabilities[which], truth[which], where=where[which])
                numbers = page.value(f"{DOUBT}.{part}")
                assert numbers["count"] == expected.counts.sum()
                assert numbers["error"] == pytest.approx(expected.error, abs=1e-3)
                assert numbers["overconfidence"] == pytest.approx(expected.overconfidence, abs=1e-3)
                assert numbers["dice"] == pytest.approx(dice(truth[which] == 2, labels[which] == 2), abs=1e-3)
                cut = dice(truth[which] == 2, probabilities[which][..., 2] >= 0.1)
                assert numbers["cut"] == pytest.approx(cut, abs=0.02)
            found[region, temperature] = page.value(f"{DOUBT}.all")
            assert f"Calibration error {found[region, temperature]['error']:.3f}, " in rested(page)
    assert found["near", 0.7]["error"] < found["near", 1]["error"] - 0.003
    assert found["called", 0.7]["error"] > found["called", 1]["error"] + 0.01
    assert len({numbers["dice"] for numbers in found.values()}) == 1
    assert found["all", 3]["cut"] < found["all", 1]["cut"] - 0.1


def test_dropout_samples_disagree_about_the_missed_nodule_and_the_maps_are_those_of_the_package(piece):
    page = piece("doubt")
    choose(page, "select", 2)
    click(page, "[name=live-map][value=information]")
    assert "It takes two samples to disagree." in rested(page)
    choose(page, "#live-samples", 10)
    assert "Mean of 10 dropout samples." in rested(page)
    tools = "(({entropy, information}, drawn) => [entropy(drawn[0]), information(drawn)])(unetCalibration, "
    highest = {}
    for number in (2, 3):
        samples = doubtful(page, number, 10)
        drawn = f"{DOUBT}.slices[{number}].drawn"
        maps = [floats(page, f"{tools}{drawn})[{k}]").reshape(128, 128) for k in range(2)]
        np.testing.assert_allclose(maps[0], entropy(samples[0]), atol=1e-4)
        np.testing.assert_allclose(maps[1], mutual_information(samples), atol=1e-4)
        nodule = validation_slice(*make_live.SLICES[number]).masks[0] == 2
        highest[number] = maps[1][nodule].max(initial=0), maps[1][~nodule].max()
        mean = floats(page, f"{DOUBT}.slices[{number}].probabilities").reshape(128, 128, 3)
        np.testing.assert_allclose(mean, samples.mean(axis=0), atol=1e-5)
    assert highest[2][0] > highest[2][1]
    assert highest[3][1] > highest[2][0]
    assert f"White is {highest[2][0]:.2f}." in rested(page)
    page.value("document.querySelector('#live-samples').focus()")
    page.press("ArrowLeft", 37)
    assert "Mean of 9 dropout samples." in rested(page)


# --- the piece of notebook 15 ---


def write_dicom(path, hu, syntax, **changed):
    """A CT slice as DICOM, with a sequence before its pixels."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage

    inner, image = Dataset(), Dataset()
    inner.Rows, inner.PatientID = 7, "in a sequence"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = UID(syntax)
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, "1.2.3"
    image.Modality, image.PhotometricInterpretation, image.SamplesPerPixel = "CT", "MONOCHROME2", 1
    image.ReferencedImageSequence = [inner, inner]
    image["ReferencedImageSequence"].is_undefined_length = True
    (image.Rows, image.Columns), image.PixelSpacing = hu.shape, [1.5, 1.5]
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.RescaleSlope, image.RescaleIntercept = "2", "-1100"
    image.PixelData = ((hu + 1100) / 2).round().astype("<u2").tobytes()
    for name, value in changed.items():
        setattr(image, name, value)
    image.save_as(path, enforce_file_format=True)
    return path


def give(browser, path):
    """Choose a file, as a reader does it, and wait until the page has said what became of it."""
    pictures = "Number(document.querySelector('.live').dataset.pictures)"
    before = browser.value(pictures)
    node = browser.call("Runtime.evaluate", expression="document.querySelector('#live-file')")["result"]["objectId"]
    browser.call("DOM.setFileInputFiles", files=[str(path)], objectId=node)
    assert browser.wait_for(f"{pictures} > {before}")
    return rested(browser)


def test_an_own_slice_is_segmented_as_by_the_package_and_leaves_the_machine_by_no_way(piece, tmp_path):
    from PIL import Image

    page = piece("own")
    assert rested(page).startswith("Until you choose a file, a synthetic slice is shown.")
    index, z = make_live.SLICES[1]
    hu = make_live.patient_of(index).volume[z].astype(float)
    gray = np.round(255 * window(hu, -600, 1500)).astype(np.uint8)
    images = np.stack([window(np.round((hu + 1100) / 2) * 2 - 1100, -600, 1500), gray / 255])[..., None]
    dicom_mask, png_mask = predict_masks(network(), images.astype(np.float32))

    def differ(mask):
        return (np.reshape(page.value("[...document.querySelector('.live').live.labels]"), (128, 128)) != mask).sum()

    page.events.clear()
    large = np.kron(hu, np.ones((2, 2)))
    said = give(page, write_dicom(tmp_path / "typed.dcm", large, "1.2.840.10008.1.2.1"))
    assert said.startswith("typed.dcm: 256×256 pixels, shown at 128×128, 3.0 mm each. The network draws lung in ")
    assert differ(dicom_mask) <= 3
    give(page, write_dicom(tmp_path / "untyped.dcm", hu, "1.2.840.10008.1.2"))
    assert differ(dicom_mask) <= 3
    choose(page, "#live-own-level", 40)
    rested(page)
    assert differ(dicom_mask) > 100
    Image.fromarray(gray).save(tmp_path / "slice.png")
    assert give(page, tmp_path / "slice.png").startswith("slice.png: 128×128 pixels")
    assert differ(png_mask) <= 3
    assert page.value("document.querySelector('.live fieldset').disabled")
    asked = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith(("blob:", "data:"))] == []


def test_a_slice_can_be_dropped_and_what_cannot_be_read_is_refused_by_name(piece, tmp_path):
    from PIL import Image

    page = piece("own")
    rested(page)
    Image.new("RGB", (60, 90), (59, 59, 59)).save(tmp_path / "gray.jpg")
    at = page.value("(({x, y}) => ({x: x + 9, y: y + 9}))(document.querySelector('.live-app').getBoundingClientRect())")
    data = {"items": [], "files": [str(tmp_path / "gray.jpg")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, data=data, **at)
    assert page.wait_for(f"({SAID}).startsWith('gray.jpg: 60×90 pixels')")
    hu = np.full((16, 16), -500.0)
    write_dicom(tmp_path / "mr.dcm", hu, "1.2.840.10008.1.2.1", Modality="MR")
    write_dicom(tmp_path / "cut.dcm", hu, "1.2.840.10008.1.2.1")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "cut.dcm").read_bytes()[:-100])
    packed = write_dicom(tmp_path / "packed.dcm", hu, "1.2.840.10008.1.2.1").read_bytes()
    packed = packed.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")  # run lengths
    (tmp_path / "packed.dcm").write_bytes(packed)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    for name, why in {
        "mr.dcm": "is no CT (modality MR)",
        "cut.dcm": "has no pixels of 16 bits",
        "packed.dcm": "is compressed; save it as uncompressed DICOM file",
        "notes.txt": "is no PNG, JPEG or DICOM file",
    }.items():
        assert give(page, tmp_path / name).startswith(f"{name} {why}")
        assert "gray.jpg: 60×90 pixels" in rested(page)  # stays


# --- the piece of notebook 17 ---

CLICKS = "document.querySelector('.live').live"
TARGETS = [(group, *target) for group, targets in make_live.TARGETS.items() for target in targets]


def clicked(page):
    """The clicks that the page has, as (row, column, positive), once it has answered the last one."""
    rested(page)
    return [(each["y"], each["x"], each["kind"] == "positive") for each in page.value(f"{CLICKS}.clicks")]


def drawn(page):
    return np.array(page.value(f"[...{CLICKS}.mask]"), bool).reshape(128, 128)


def assert_table_and_sentence(page, truth):
    """The page counts its clicks, and its Dice is that of the package."""
    clicks = clicked(page)
    table = page.value("[...document.querySelectorAll('.live [data-number]')].map((cell) => cell.textContent)")
    *kinds, now, before = table
    positive = sum(sign for *_, sign in clicks)
    assert kinds == [str(positive), str(len(clicks) - positive)]
    assert float(now) == pytest.approx(dice(truth, drawn(page)), abs=0.0051)
    assert page.value("document.querySelectorAll('.live circle').length") == len(clicks) + 1
    if clicks:
        many = "1 click" if len(clicks) == 1 else f"{len(clicks)} clicks"
        assert rested(page) == f"{many}: Dice {now}, {before} before the last."
    return clicks


def tap(page, column, row, shift=False):
    drag(page, (column, row), shift=shift)
    return rested(page)


def test_the_targets_are_what_the_network_of_the_clicks_was_trained_on_and_what_it_never_saw():
    trained, never = make_live.TARGETS.values()
    assert {kind for *_, kind in trained} <= set(prompts.SEVEN)
    assert {kind for *_, kind in never} == set(prompts.UNSEEN)
    for _, _, number, kind in TARGETS:
        assert make_live.target_mask(number, kind).sum() >= prompts.LEAST[kind]


def test_the_page_clicks_and_draws_as_the_package(piece):
    page = piece("clicks")
    names = "[...document.querySelectorAll('.live option')].map((option) => option.label)"
    assert page.value(names) == [name for _, name, _, _ in TARGETS]
    asked, masks, probabilities = [], [], []
    for at, (_, _, number, kind) in enumerate(TARGETS):
        choose(page, "select", at)
        truth = make_live.target_mask(number, kind)
        image = window(validation_slice(*make_live.SLICES[number]).images, -600, 1500)[0, ..., 0]
        assert clicked(page) == []
        for count in range(1, 4):
            mask = drawn(page)
            click(page, "[value=simulated]")
            clicks = clicked(page)
            assert len(clicks) == count
            assert clicks[-1] == next_click(truth, mask)
        assert_table_and_sentence(page, truth)
        asked.append(with_clicks(image, *([c[:2] for c in clicks if c[2] is sign] for sign in (True, False))))
        masks.append(drawn(page))
        probabilities.append(floats(page, f"{CLICKS}.probabilities").reshape(128, 128))
    own = load_click_network().predict_on_batch(np.stack(asked))[..., 0]
    np.testing.assert_allclose(probabilities, own, atol=0.03)
    certain = np.abs(own - THRESHOLD) > 0.03
    np.testing.assert_array_equal(np.array(masks)[certain], own[certain] >= THRESHOLD)
    assert (np.array(masks) != (own >= THRESHOLD)).mean() < 2e-4  # three pixels of a slice


def test_a_click_says_what_the_reader_has_chosen_and_can_be_taken_back(piece):
    page = piece("clicks")
    truth = make_live.target_mask(*TARGETS[0][2:])
    assert rested(page) == "No click yet: click on a lung."
    assert_table_and_sentence(page, truth)
    row, column, _ = next_click(truth, np.zeros_like(truth))
    tap(page, column, row)
    assert_table_and_sentence(page, truth)
    tap(page, 64, 50, shift=True)
    click(page, "[value=negative]", draws=False)
    tap(page, 64, 20)
    tap(page, column - 5, row + 6, shift=True)
    clicks = [(row, column, True), (50, 64, False), (20, 64, False), (row + 6, column - 5, True)]
    assert assert_table_and_sentence(page, truth) == clicks
    before = drawn(page)
    tap(page, column, row)  # a click that is wrong
    assert drawn(page).sum() < before.sum()
    click(page, "[value=undo]")
    assert assert_table_and_sentence(page, truth) == clicks
    np.testing.assert_array_equal(drawn(page), before)
    click(page, "[value=clear]")
    assert assert_table_and_sentence(page, truth) == []
    assert not drawn(page).any()

    page.value("document.querySelector('.live canvas').focus()")
    page.press("ArrowRight", 39)
    page.press("ArrowUp", 38)
    page.press("Enter", 13)
    for kind in ("rawKeyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", windowsVirtualKeyCode=13, modifiers=8)
    assert clicked(page) == [(row - 1, column + 1, False), (row - 1, column + 1, True)]  # from where the mouse was


def test_what_notebook_17_says_about_clicks_is_so(piece):
    page, found = piece("clicks"), {}
    for at, (_, name, number, kind) in enumerate(TARGETS):
        choose(page, "select", at)
        rested(page)
        for count in range(10):
            click(page, "[value=simulated]", draws=False)
            if name == "a small nodule" and not count:
                assert drawn(page).sum() > 10 * make_live.target_mask(number, kind).sum()
        found[name] = page.value(f"{CLICKS}.dices")
    first = {name: scores[1] for name, scores in found.items()}
    assert min(first["a lung"], first["a nodule"], first["the heart"]) > 0.7
    assert first["a small nodule"] < 0.2
    assert found["a small nodule"][6] > 0.6
    assert max(found["the muscles"]) < 0.8
    assert min(np.diff(scores).min() for scores in found.values()) < -0.03
    choose(page, "select", 0)
    rested(page)
    truth = make_live.target_mask(*TARGETS[0][2:])
    row, _, _ = next_click(truth, np.zeros_like(truth))
    tap(page, truth[row].argmax(), row)  # at the edge
    assert dice(truth, drawn(page)) < first["a lung"] - 0.2


def test_a_finger_clicks_and_what_a_page_loads_for_it_is_small(piece, folder):
    page = piece("clicks")
    scripts = set(page.value("[...document.scripts].map((script) => script.src.split('/').pop())"))
    assert scripts >= {"clicks.js", "clicks_network.js", "targets.js"}
    assert "network.js" not in scripts
    own = ("clicks.js", "clicks_network.js", "targets.js")
    assert sum((folder / "live" / name).stat().st_size for name in own) < 600_000
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    page.value(SCROLL)
    assert page.value("document.documentElement.scrollWidth") <= 390
    page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[to_window(page, 40, 50)])
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)
    (place,) = clicked(page)
    assert np.abs(np.subtract(place, (50, 40, True))).max() <= 1


def test_a_page_of_the_book_loads_the_engine_only_where_a_piece_stands(browser, folder):
    shutil.copy(ROOT / "book" / "_static" / "book.js", folder)
    scripts = "[...document.scripts].map((script) => script.src.split('/').pop())"
    for piece in ("", '<div class="live" data-piece="draw"><p>In its place</p></div>'):
        (folder / "book.html").write_text(f"<!doctype html><script src='book.js'></script>{piece}", encoding="utf-8")
        browser.open(folder / "book.html")
        if piece:
            assert browser.wait_for(RUNS)
            assert browser.value("document.querySelector('.live > p').offsetHeight") == 0
            assert set(browser.value(scripts)) == {
                "book.js",
                "live.js",
                "engine.js",
                "kernel.js",
                "network.js",
                "slices.js",
                "draw.js",
                "metrics.js",
            }
        else:
            browser.value("new Promise((resolve) => setTimeout(resolve, 300))")
            assert browser.value(scripts) == ["book.js"]


def test_every_piece_that_a_notebook_names_is_there_and_says_something_without_a_script():
    found = []
    for source in sorted((ROOT / "notebooks" / "src").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        figure = r"(?:#\n# !\[.+\]\(.+\)\n#\n)?"
        pieces = re.findall(rf'# <div class="live" data-piece="(\w+)">\n# <p>(.+)</p>\n{figure}# </div>\n', text)
        assert len(pieces) == text.count("data-piece")
        assert all((ROOT / "book" / "_static" / "live" / f"{name}.js").is_file() for name, _ in pieces)
        assert all("In the book, " in said and "In JupyterLab, " in said for _, said in pieces)
        found += [name for name, _ in pieces]
    assert set(found) == {"learn", "inside", "draw", "threshold", "disturb", "scanner", "doubt", "own", "clicks"}

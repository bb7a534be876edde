"""Sphinx extension of the book: sliders over stored pictures as plain HTML, moved by a few lines of ``book.js``.

A notebook stores what ``unet_helpers.plotting.explore`` shows as widgets. The program that draws any widget has 1.8 MB,
and wants all pictures inside the page before it draws one; a slider, a label and pictures need neither. After the
build each of them becomes an ``<input type="range">`` above ordinary pictures in lossless WebP.
"""

import base64
import hashlib
import io
import json
import re
from html import escape
from pathlib import Path

from PIL import Image
from reading import save_webp

VIEW = re.compile(r'<script type="application/vnd\.jupyter\.widget-view\+json">(.*?)</script>', re.DOTALL)
STATE = re.compile(r'<script[^>]*"application/vnd\.jupyter\.widget-state\+json"[^>]*>(.*?)</script>\s*', re.DOTALL)


def plain(page, site, path):
    """The HTML of a page at ``path`` of the site, with its widgets as plain HTML; their pictures go to ``_images``."""
    if not VIEW.search(page):
        return page
    models = json.loads(STATE.search(page)[1])["state"]
    folder = "../" * (len(Path(path).parts) - 1) + "_images/"

    def drawn(view):
        inside = _html_of(json.loads(view[1])["model_id"], models, Path(site), folder, ())
        return f'<div class="explorer">{inside}</div>'

    return STATE.sub("", VIEW.sub(drawn, page))


def _html_of(name, models, site, folder, words):
    """One model and what is in it; ``words`` say at which places of the sliders it is seen."""
    name = name.removeprefix("IPY_MODEL_")
    kind, values = models[name]["model_name"], models[name]["state"]

    def inner(child, more=()):
        return _html_of(child, models, site, folder, (*words, *more))

    if kind in ("VBoxModel", "HBoxModel"):
        return f'<div class="explorer-{kind[:4].lower()}">{"".join(map(inner, values["children"]))}</div>'
    if kind == "StackModel":
        slider = next(source for source, target in _links(models) if target == name)
        chosen, parts = values["selected_index"], []
        for number, child in enumerate(values["children"]):
            hidden = "" if number == chosen else " hidden"
            parts.append(f"<div{hidden}>{inner(child, [_said(slider, number, models)])}</div>")
        return f'<div id="stack-{name}">{"".join(parts)}</div>'
    if kind == "LabelModel":
        return escape(values["value"])
    if kind == "IntSliderModel":
        moved = " ".join(f"stack-{target}" for source, target in _links(models) if source == name)
        numbers = " ".join(f'{key}="{values[key]}"' for key in ("min", "max", "value"))
        return f'<label>{escape(values["description"])} <input type="range" {numbers} data-moves="{moved}"/></label>'
    if kind == "ImageModel":
        data = base64.b64decode(models[name]["buffers"][0]["data"])
        with Image.open(io.BytesIO(data)) as image:
            width = int(values.get("width") or image.width)
            height = round(width * image.height / image.width)
            file = f"{hashlib.sha256(data).hexdigest()[:20]}.webp"
            if not (site / "_images" / file).is_file():
                (site / "_images").mkdir(exist_ok=True)
                save_webp(image, site / "_images" / file)
        size = f'width="{width}" height="{height}" loading="lazy" decoding="async"'
        return f'<img src="{folder}{file}" alt="The picture for {escape(", ".join(words))}." {size}/>'
    raise ValueError(f"the book cannot show a widget of the kind {kind}; use unet_helpers.plotting.explore")


def _links(models):
    """Pairs of names: a slider, and a stack that it moves."""
    for model in models.values():
        if model["model_name"] == "LinkModel":
            yield tuple(model["state"][end][0].removeprefix("IPY_MODEL_") for end in ("source", "target"))


def _said(slider, number, models):
    """What a slider and the label beside it say at one place, as in "threshold 0.7"."""
    text = str(number)
    for source, target in _links(models):
        if source == slider:
            child = models[models[target]["state"]["children"][number].removeprefix("IPY_MODEL_")]
            if child["model_name"] == "LabelModel":
                text = child["state"]["value"]
    return f"{models[slider]['state']['description']} {text}"


def finish(app, exception):
    """Called by Sphinx after the build."""
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    for file in sorted((site / "notebooks").glob("*.html")):
        before = file.read_text(encoding="utf-8")
        after = plain(before, site, file.relative_to(site))
        if after != before:
            file.write_text(after, encoding="utf-8")


def setup(app):
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

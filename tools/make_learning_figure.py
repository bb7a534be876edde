"""Draw ``book/figures/one_learns.png``: three runs of the live piece of notebook 04, which ``learner.js`` computes."""

import json
import tempfile
from pathlib import Path

import check_book
import make_live
import numpy as np

from unet_helpers import load_dataset, plotting

ROOT = Path(__file__).resolve().parents[1]
FIGURE = ROOT / "book" / "figures" / "one_learns.png"
STEPS = 200
#: title, and what is chosen: task, learning rate, weight of a pixel of the object
RUNS = (
    ("lungs, learning rate 0.003", "lungs", 3e-3, 1),
    ("nodules, 0.3: the black mask", "nodules", 0.3, 1),
    ("nodules, 0.003, weight 20", "nodules", 3e-3, 20),
)
RUN = """((task, rate, weight) => {
    const lessons = unetLive.pieces.learn.lessonsOf(task), learner = unetLearner(lessons, 0), looks = [];
    for (let step = 0; step <= %d; step += 4) {
        const {dice, accuracy, found} = learner.examine();
        looks.push({step, dice, accuracy, found: [...found[0]]});
        for (let k = 0; k < 4; k++) learner.step({loss: "crossentropy", rate, weight});
    }
    return {looks, image: [...lessons.heldOut[0].image], mask: [...lessons.heldOut[0].mask]};
})(...%s)"""


def main():
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 3, figsize=(8.4, 4.6), height_ratios=(3, 2), layout="constrained")
    for (title, run), (picture, curve) in zip(train(), axes.T, strict=True):
        image, mask, found = (np.reshape(run[name], (32, 32)) for name in ("image", "mask", "found"))
        picture.imshow(plotting.paint_mask(image, (found > 0.5).astype("uint8")), interpolation="nearest")
        picture.contour(mask, [0.5], colors="#F0E442", linewidths=1.5)
        picture.set_title(title, fontsize=10)
        picture.set_axis_off()
        steps = [look["step"] for look in run["looks"]]
        for name, style in (("dice", "-"), ("accuracy", "--")):
            color = {"dice": "#009E73", "accuracy": "#D55E00"}[name]
            curve.plot(steps, [look[name] for look in run["looks"]], style, color=color, label=name.title())
        curve.set(xlim=(0, STEPS), ylim=(-0.03, 1.03), xlabel="step")
    axes[1, 0].set_ylabel("held-out")
    axes[1, 1].legend(loc="center", frameon=False)
    fig.savefig(FIGURE, dpi=110)


def train():
    """Train in the browser, as the piece does: title and what was seen on the way."""
    with tempfile.TemporaryDirectory() as folder, check_book.Browser(check_book.find_chromium()) as browser:
        lessons = make_live.lessons(load_dataset("phantom"))
        make_live.write_script(Path(folder) / "lessons.js", unetLessons=lessons)
        live = (ROOT / "book" / "_static" / "live").as_uri()
        scripts = [f"{live}/{name}.js" for name in ("live", "learner", "learn")] + ["lessons.js"]
        page = Path(folder) / "page.html"
        page.write_text("".join(f'<script src="{name}"></script>' for name in scripts), encoding="utf-8")
        browser.open(page)
        for title, *chosen in RUNS:
            run = browser.value(RUN % (STEPS, json.dumps(chosen)))
            yield title, run | {"found": run["looks"][-1]["found"]}


if __name__ == "__main__":
    main()

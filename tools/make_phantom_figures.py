"""Draw the figures of ``book/how_the_patients_are_made.md``, ``book/figures/phantom_*.png``, from fixed seeds."""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from unet_helpers import plotting
from unet_helpers.data import prepare_display_slice, window
from unet_helpers.phantom import Acquisition, painting, scanner, variety
from unet_helpers.phantom.anatomy import Chest, draw_anatomy
from unet_helpers.phantom.vessels import grow_lung_trees

FIGURES = Path(__file__).resolve().parents[1] / "book" / "figures"
SIZE, FIELD = 192, 380.0  # pixels, mm
WIDE = (-300, 1600)  # a window that shows lung and bone
COLORS = {"skin": "#E69F00", "rib cage": "#999999", "lungs": "#56B4E9", "heart": "#D55E00", "diaphragm": "#009E73"}


def main():
    FIGURES.mkdir(exist_ok=True)
    chest = Chest(draw_anatomy(np.random.default_rng(3)))
    tree = grow_lung_trees(chest, np.random.default_rng(chest.anatomy.tree_seed))
    truth, steps = paint(chest, tree)
    figures = {
        "anatomy": draw_surfaces(chest, tree),
        "painting": draw_painting(steps),
        "scanner": draw_scanner(truth),
        "archive": draw_archive(chest, tree),
        "windows": draw_windows(chest, tree),
    }
    for name, fig in figures.items():
        path = FIGURES / f"phantom_{name}.png"
        fig.savefig(path, dpi=90)
        if path.stat().st_size > 100_000:
            shrink(path)


def shrink(path):
    """Store a picture with 64 colors: half the bytes, hardly a difference to the eye."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def draw_surfaces(chest, tree):
    """The surfaces of a patient in two slices and from the front, with the vessels of the lungs."""
    half = np.linspace(-FIELD / 2, FIELD / 2, 160)
    with plotting.figure(1, 3, width=8.4, height=3.3) as (fig, axes):
        for ax, s in zip(axes[0], (0.3, 0.65), strict=False):
            z = s * chest.length
            draw_contours(ax, chest, half, half, lambda u, v, z=z: (u, v, np.full_like(u, z)))
            near = np.abs(tree.end[:, 2] - z) < 6
            ax.scatter(*tree.end[near, :2].T, s=6 * tree.radius[near, 1] ** 2, c="#0072B2", linewidths=0)
            ax.set_title(f"slice at {100 * s:.0f} % of the lungs' height", fontsize=9)
        ax = axes[0, 2]
        height = np.linspace(-0.1 * chest.length, 1.15 * chest.length, 160)
        draw_contours(ax, chest, half, height, lambda u, v: (u, np.full_like(u, 5.0), v))
        for start, end, radius in zip(tree.start, tree.end, tree.radius, strict=True):
            if abs(start[1] - 5) < 25:
                ax.plot(*np.stack([start, end])[:, [0, 2]].T, color="#0072B2", linewidth=0.5 * radius.mean())
        ax.set_title("from the front", fontsize=9)
        handles = [Line2D([], [], color=color, label=name) for name, color in COLORS.items()]
        handles.append(Line2D([], [], color="#0072B2", label="vessels of the lungs"))
        fig.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return fig


def draw_contours(ax, chest, across, down, place):
    u, v = np.meshgrid(across, down)
    x, y, z = place(u, v)
    surfaces = {
        "skin": chest.body(x, y, z),
        "rib cage": np.maximum(chest.cage(x, y, z), chest.diaphragm(x, y, z)),
        "diaphragm": np.where(chest.cage(x, y, z) < 0, chest.diaphragm(x, y, z), np.nan),
        "heart": chest.heart(x, y, z),
        "lungs": chest.lungs(x, y, z),
    }
    for name, distance in surfaces.items():
        inside = np.nan_to_num(distance, nan=1.0) < 0
        if inside.any() and not inside.all():
            ax.contour(u, v, distance, levels=[0], colors=[COLORS[name]], linewidths=1.4)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.set_axis_off()


def empty_slice(chest, s):
    """A canvas for the slice at level s, the distance to the lungs, and the grain of tissues."""
    pixel = FIELD / SIZE
    n = scanner.scan_size(SIZE)
    columns = (np.arange(n) - n // 2) * pixel
    canvas = painting.Canvas(chest, columns, columns + 0.02 * chest.length, s * chest.length, 2.0)
    grain = painting.grain(np.random.default_rng(0), canvas.hu.shape, pixel)
    return canvas, chest.lungs(canvas.x, canvas.y, canvas.z), grain


def paint(chest, tree, s=0.45):
    """Paint one slice and keep what stands after each step: the finished slice, and {step: HU}."""
    canvas, lung, grain = empty_slice(chest, s)
    work = (
        ("skin, fat, muscle", lambda: painting.soft_parts(canvas, grain)),
        ("heart", lambda: painting.mediastinum(canvas)),
        ("lung tissue", lambda: canvas.paint(lung, painting.parenchyma(canvas, grain))),
        ("great vessels", lambda: painting.great_vessels(canvas)),
        ("vessels and bronchi", lambda: (painting.lung_vessels(canvas, tree), painting.airways(canvas))),
        (
            "bones",
            lambda: [step(canvas) for step in (painting.ribs, painting.spine, painting.shoulder_girdle)],
        ),
    )
    steps = {}
    for name, step in work:
        step()
        steps[name] = painting.over_table(canvas)
    return steps["bones"], steps


def central(image):
    first = len(image) // 2 - SIZE // 2
    return image[first : first + SIZE, first : first + SIZE]


def draw_painting(steps):
    images = [window(central(hu), *WIDE) for hu in steps.values()]
    return plotting.show_images(images, list(steps), columns=3, panel=2.2)


def draw_scanner(truth):
    """Sinogram, and what four acquisitions make of one slice."""
    pixel = FIELD / SIZE
    attenuation = scanner.MU_WATER * pixel * (1 + truth / 1000)
    sinogram = scanner.project(attenuation[None], 240)
    measured = scanner.measure(sinogram, 3e3, np.random.default_rng(0))
    images = [window(central(truth), *WIDE)]
    images += [s[0] / sinogram.max() for s in (sinogram, measured)]
    titles = ["the drawing, in HU", "its sinogram", "counted with few photons"]
    for title, acquisition in (
        ("soft kernel, standard dose", Acquisition(photons=1e5)),
        ("sharp kernel, standard dose", Acquisition(photons=1e5, kernel="sharp")),
        ("soft kernel, low dose", Acquisition(photons=1e4)),
    ):
        hu = scanner.scan(truth[None], pixel, acquisition, np.random.default_rng(1), SIZE)[0]
        images.append(window(hu, *WIDE))
        titles.append(title)
    with plotting.figure(2, 3, panel=2.3) as (fig, axes):
        for ax, image, title in zip(axes.flat, images, titles, strict=True):
            ax.imshow(image, cmap="gray", vmin=0, vmax=1, aspect=image.shape[1] / image.shape[0])
            ax.set_title(title, fontsize=9)
            ax.set_axis_off()
    return fig


def draw_archive(chest, tree):
    """One patient with one thing at a time of what an archive holds, and the outline of the ground truth."""

    def at(x, y, s, *more):
        return (*chest.point(x, y, s).tolist(), *more)

    wire = [(x, chest.front(0.5 * chest.length) - 13, 0.5) for x in (-9, 9)]
    screws = [(side * 9, chest.spine(0.5 * chest.length) - 6, 0.5) for side in (-1, 1)]
    rods = [(*at(*wire[0]), *at(*wire[1]), 2.0, 6000.0)] + [
        (*at(*p), *at(p[0] * 2, p[1] + 38, 0.5), 2.8, 6e3) for p in screws
    ]
    examples = {
        "effusion": (0.6, {"effusion": ((1, 75.0, 0.3), (-1, 35.0, 0.4))}),
        "consolidation": (0.5, {"consolidation": (at(-75, 30, 0.5, 32.0), at(80, 10, 0.52, 16.0))}),
        "ground glass": (0.5, {"ground_glass": (at(-70, -20, 0.5, 30.0, 300.0), at(75, 35, 0.5, 28.0, 250.0))}),
        "fibrosis": (0.62, {"fibrosis": 22.0}),
        "gas in the bowel": (0.9, {"bowel_gas": tuple(at(x, y, 0.9, 26, 20, 25) for x, y in ((-20, -50), (20, -40)))}),
        "metal": (0.5, {"metal": tuple(rods)}),
        "arms and blanket": (0.45, {"arms": (-1, 1), "blanket": 8.0}),
        "movement": (0.45, {}),
    }
    with plotting.figure(2, 4, panel=2.2) as (fig, axes):
        for ax, (name, (s, findings)) in zip(axes.flat, examples.items(), strict=True):
            acquisition = Acquisition(beam_hardening=0.03, motion=6.0 * (name == "movement"))
            hu, mask = scan_with(chest, tree, s, variety.Findings(**findings), acquisition)
            plotting.draw_image(ax, window(hu, *WIDE), title=name)
            plotting.draw_mask(ax, mask, fill=0)  # a fill would hide ground glass
    return fig


def scan_with(chest, tree, s, findings, acquisition):
    """Image in HU and mask of lung of one slice with what ``findings`` holds."""
    canvas, lung, grain = empty_slice(chest, s)
    painting.paint_slice(canvas, tree, lung, grain)
    wet = variety.fluid(chest, findings, canvas.x, canvas.y, canvas.z, lung)
    variety.paint_findings(canvas, findings, lung, wet, grain)
    variety.paint_metal(canvas, findings)
    truth = variety.add_surroundings(canvas, findings, painting.over_table(canvas))
    hu = scanner.scan(truth[None], canvas.pixel, acquisition, np.random.default_rng(1), SIZE)[0]
    return hu, central((np.maximum(lung, -wet) < 0) & ~canvas.excluded).astype(np.uint8)


def draw_windows(chest, tree):
    """One slice in five windows, in 8 bits, and as the network gets it."""
    hu, _ = scan_with(chest, tree, 0.6, variety.Findings(effusion=((1, 75.0, 0.3),)), Acquisition())
    low, high = float(hu.min()), float(hu.max())
    windows = {
        "lung, -600/1500": (-600, 1500),
        "soft tissue, 40/350": (40, 350),
        "bone, 400/1800": (400, 1800),
        "all that is stored, 0/6000": (0, 6000),
        "own range": ((low + high) / 2, high - low),
    }
    shown = [np.rint(255 * window(hu, *ends)).astype(np.uint8) for ends in windows.values()]
    prepared = [prepare_display_slice(pixels, hu.shape) for pixels in shown]
    images = [pixels / 255 for pixels in shown] + prepared
    titles = [*windows, *["prepared"] * len(windows)]
    return plotting.show_images(images, titles, columns=5, panel=1.8)


if __name__ == "__main__":
    main()

"""Draw ``book/figures/cover.png``: one validation slice, its ground truth, and the shipped U-Net's prediction."""

from pathlib import Path

from unet_helpers import load_checkpoint, load_dataset, plotting, predict_masks

COVER = Path(__file__).resolve().parents[1] / "book" / "figures" / "cover.png"


def main():
    data = load_dataset("phantom")
    validation = data.validation
    area = (validation.masks == 2).sum(axis=(1, 2))
    part = validation[[int(area.argmax())]]
    prediction = predict_masks(load_checkpoint(), part.images)
    fig = plotting.show_images(
        [part.images[0]] * 3,
        ["image", "ground truth", "prediction of the U-Net"],
        [None, part.masks[0], prediction[0]],
        data.class_names,
        [part.spacing[0]] * 3,
        columns=3,
        panel=3.0,
    )
    COVER.parent.mkdir(exist_ok=True)
    fig.savefig(COVER, dpi=110)


if __name__ == "__main__":
    main()

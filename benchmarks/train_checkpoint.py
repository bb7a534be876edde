"""Train the U-Net that ships with the package again: ``python benchmarks/train_checkpoint.py``.

Writes the model into the package, and its validation figures into ``book/results/phantom_checkpoint.json``. With
``--measure`` the model that is there is measured again, and not trained.
"""

import argparse
import json

from unet_helpers.data import load_dataset
from unet_helpers.evaluation import evaluate
from unet_helpers.files import atomic_path
from unet_helpers.training import CHECKPOINT, load_checkpoint, train_checkpoint


def main():
    """Train, save, and write down what the model reaches on validation patients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure the model of the package; train nothing")
    options = parser.parse_args()
    import keras  # not before unet_helpers: it loads TensorFlow
    from record import RESULTS, current_commit, require_checkout, write_results

    require_checkout()
    commit = current_commit()  # before the network in the package is another one
    data = load_dataset("phantom")
    if options.measure:
        model = load_checkpoint()
        recorded = json.loads((RESULTS / "phantom_checkpoint.json").read_text(encoding="utf-8"))
        seconds = recorded["results"]["training_seconds"]
    else:
        model, history = train_checkpoint(data)
        seconds = round(sum(history.seconds))
        with atomic_path(CHECKPOINT) as temporary:
            # loaded and saved once more without the optimizer, which is two thirds of the file
            model.save(temporary)
            keras.saving.load_model(temporary, compile=False).save(temporary)
        print(f"{history}\nwritten: {CHECKPOINT.name}")
    summary = evaluate(model, data.validation, data.class_names).summary()
    results = {
        "parameters": model.count_params(),
        "training_seconds": seconds,
        "training_patients": len(data.train.patients),
        "validation_patients": len(data.validation.patients),
    }
    for name, row in summary.iterrows():
        results[f"{name}_dice"] = round(float(row["mean"]), 3)
        results[f"{name}_dice_low"] = round(float(row["low"]), 3)
        results[f"{name}_dice_high"] = round(float(row["high"]), 3)
    path = write_results(
        "phantom_checkpoint", "U-Net trained on the phantom, Dice per validation patient", results, commit=commit
    )
    print(f"{summary.round(3)}\nwritten: {path.name}")


if __name__ == "__main__":
    main()

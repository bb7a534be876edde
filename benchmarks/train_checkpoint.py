"""Train the U-Net that ships with the package again: ``python benchmarks/train_checkpoint.py``.

Writes the model into the package, and its validation figures into ``book/results/phantom_checkpoint.json``.
"""

from unet_helpers.data import load_dataset
from unet_helpers.evaluation import evaluate
from unet_helpers.files import atomic_path
from unet_helpers.training import CHECKPOINT, train_checkpoint


def main():
    """Train, save, and write down what the model reaches on validation patients."""
    import keras  # not before unet_helpers: it loads TensorFlow
    from record import require_checkout, write_results

    require_checkout()
    data = load_dataset("phantom")
    model, history = train_checkpoint(data)
    with atomic_path(CHECKPOINT) as temporary:
        # loaded and saved once more without the optimizer, which is two thirds of the file
        model.save(temporary)
        keras.saving.load_model(temporary, compile=False).save(temporary)
    summary = evaluate(model, data.validation, data.class_names).summary()
    results = {
        "parameters": model.count_params(),
        "training_seconds": round(sum(history.seconds)),
        "training_patients": len(data.train.patients),
        "validation_patients": len(data.validation.patients),
    }
    for name, row in summary.iterrows():
        results[f"{name}_dice"] = round(float(row["mean"]), 3)
        results[f"{name}_dice_low"] = round(float(row["low"]), 3)
        results[f"{name}_dice_high"] = round(float(row["high"]), 3)
    path = write_results("phantom_checkpoint", "U-Net trained on the phantom, Dice per validation patient", results)
    print(f"{history}\n{summary.round(3)}\nwritten: {CHECKPOINT.name}, {path.name}")


if __name__ == "__main__":
    main()

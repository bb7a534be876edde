"""The trained U-Net that ships with the package, and the command that makes it again.

``python -m unet_helpers checkpoint`` trains on the phantom exactly as notebook 04 does, writes the
model into the package, and its validation figures into ``book/results/phantom_checkpoint.json``.
"""

from pathlib import Path

import keras

from .augmentation import make_augmenter
from .datasets import load_dataset
from .evaluation import evaluate
from .images import atomic_path
from .models import UNet
from .training import start_at_class_shares, train

CHECKPOINT = Path(__file__).parent / "checkpoints" / "phantom_unet.keras"

MODEL = {"input_shape": (None, None, 1), "num_classes": 3, "base_filters": 8}
TRAINING = {"epochs": 10, "batch_size": 16, "learning_rate": 4e-3, "class_weights": (1, 1, 10)}
TRAINING |= {"crop_size": 64, "crop_class": 2, "warmup": 20, "average": 0.9}
AUGMENTATION = {"rotation": 8, "zoom": 0.1, "translation": 0, "brightness": 0.05, "contrast": 0.1}
SEED = 0


def load_checkpoint():
    """Load the U-Net that was trained on the phantom's training patients.

    Returns
    -------
    keras.Model
        ``(N, H, W, 1)`` float32 in 0–1 (lung window −600/1500) in, sides a multiple of 16, at the phantom's
        128² best; softmax over background, lung and nodule out. For teaching on synthetic patients; not for patients.
    """
    return keras.saving.load_model(CHECKPOINT, compile=False)


def train_checkpoint(data, progress=True):
    """Train the class's model on the phantom: the recipe above, seeds included.

    Parameters
    ----------
    data : Dataset
        ``load_dataset("phantom")``
    progress : bool

    Returns
    -------
    model, history
    """
    keras.utils.set_random_seed(SEED)
    model = UNet(**MODEL)
    start_at_class_shares(model, data.train.masks)
    history = train(model, data, augment=make_augmenter(**AUGMENTATION), seed=SEED, progress=progress, **TRAINING)
    return model, history


def main(arguments=()):
    """Train, save, and write down what the model reaches on validation patients."""
    from .results import require_checkout, write_results

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

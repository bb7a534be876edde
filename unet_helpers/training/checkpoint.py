"""The trained U-Net that ships with the package, and the recipe that makes it again.

``python benchmarks/train_checkpoint.py`` trains on the phantom exactly as notebook 04 does, and writes the model into
the package.
"""

from pathlib import Path

import keras

from ..data.augmentation import make_augmenter
from ..data.preprocessing import window
from ..models import UNet
from .loop import start_at_class_shares, train

#: the file of the network that ships with the package
CHECKPOINT = Path(__file__).parents[1] / "checkpoints" / "phantom_unet.keras"

#: gray value of air in the phantom's lung window: what lies outside a slice
AIR = round(float(window(-1000.0, level=-600, width=1500)), 3)
#: how the network is built, see :func:`unet_helpers.UNet`
MODEL = {"input_shape": (None, None, 1), "num_classes": 3, "base_filters": 8}
#: how it is trained, see :func:`unet_helpers.train`
TRAINING = {"epochs": 10, "batch_size": 16, "learning_rate": 4e-3, "class_weights": (1, 1, 10)}
TRAINING |= {"crop_size": 64, "crop_class": 2, "crop_fill": AIR, "warmup": 20, "average": 0.9}
#: how its training images are changed, see :func:`unet_helpers.data.make_augmenter`
AUGMENTATION = {"rotation": 8, "zoom": 0.1, "translation": 0, "brightness": 0.05, "contrast": 0.1}
AUGMENTATION |= {"image_fill": AIR}
#: of data, weights and batches
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


def train_checkpoint(data):
    """Train the class's model on the phantom: the recipe above, seeds included.

    Parameters
    ----------
    data : Dataset
        ``load_dataset("phantom")``

    Returns
    -------
    model, history
    """
    keras.utils.set_random_seed(SEED)
    model = UNet(**MODEL)
    start_at_class_shares(model, data.train.masks)
    history = train(model, data, augment=make_augmenter(**AUGMENTATION), seed=SEED, **TRAINING)
    return model, history

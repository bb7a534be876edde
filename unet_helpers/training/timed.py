"""Training by the clock: the same seconds for every network."""

import math
import time

import keras
import numpy as np

from .._quiet import _stderr_to_null
from ..models.inputs import check_images
from .batches import make_batches
from .loop import compile_model, start_at_class_shares
from .losses import DiceCrossEntropy, make_targets


class TimedTrainer:
    """Train one network again and again, each time from new weights and for the same seconds.

    Building the computation takes longer than many steps, and differs between networks: it is done once, before any
    clock runs. Used in 08.

    Parameters
    ----------
    model : keras.Model
        Probabilities out, several classes. It is compiled here.
    subset : Subset
        The training slices.
    batch_size : int
    class_weights : sequence of float
        Of the cross-entropy beside the Dice loss.
    augment : function, optional
        From :func:`unet_helpers.data.make_augmenter`.
    """

    def __init__(self, model, subset, *, batch_size=8, class_weights=(1, 1, 10), augment=None):
        self.model, self.subset, self.batch_size, self.augment = model, subset, batch_size, augment
        # whole batches only: one of another size would be compiled while the clock runs
        self.batch_size = min(batch_size, len(subset))
        check_images(model, subset.images, "the training images")
        self.targets = make_targets(subset.masks, model.output_shape[-1])
        compile_model(model, 1e-3, DiceCrossEntropy(class_weights))
        with _stderr_to_null():  # without AVX-512, oneDNN tells once per process that it leaves integers to others
            model.fit(self._batches(0).take(2), epochs=1, verbose=0, shuffle=False)

    def _batches(self, seed):
        count = len(self.subset) - len(self.subset) % self.batch_size
        images, targets = self.subset.images, self.targets
        if count < len(images):
            order = np.random.default_rng(seed).permutation(len(images))[:count]
            images, targets = images[order], targets[order]
        return make_batches(images, targets, self.batch_size, augment=self.augment, seed=seed)

    def train(self, seconds, *, seed=0, learning_rate=2e-3):
        """Train from new weights, drawn with ``seed``; returns ``{"steps", "processor_seconds"}``.

        The learning rate follows the clock (:func:`learning_rate_at`), so that every network reaches the end of its
        schedule. It starts after the first step, which waits for the input pipeline; what the pipeline does afterwards
        is part of the seconds.
        """
        keras.utils.set_random_seed(seed)
        self.model.set_weights(keras.models.clone_model(self.model).get_weights())
        self.model.optimizer.build(self.model.trainable_variables)
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        start_at_class_shares(self.model, self.subset.masks)
        clock = _Clock(seconds, learning_rate)
        batches = self._batches(seed).repeat()
        self.model.fit(batches, steps_per_epoch=10**7, epochs=1, verbose=0, shuffle=False, callbacks=[clock])
        return {"steps": clock.steps, "processor_seconds": clock.processor_seconds}


def learning_rate_at(share, peak):
    """Learning rate when ``share`` of the time has passed: up to the peak within 5 %, then down by a cosine to 1 %."""
    if share < 0.05:
        return peak * (0.1 + 0.9 * share / 0.05)
    along = min((share - 0.05) / 0.95, 1.0)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))


class _Clock(keras.callbacks.Callback):
    """Sets the learning rate from the time that has passed, and stops the training when it is over."""

    def __init__(self, seconds, peak):
        super().__init__()
        self.seconds, self.peak, self.steps, self.began = seconds, peak, 0, None

    def on_train_batch_begin(self, batch, logs=None):
        share = 0 if self.began is None else (time.perf_counter() - self.began) / self.seconds
        self.model.optimizer.learning_rate = learning_rate_at(share, self.peak)

    def on_train_batch_end(self, batch, logs=None):
        if self.began is None:  # the first step waits until the input pipeline has its first batches
            self.began, self.began_processor = time.perf_counter(), time.process_time()
            return
        self.steps += 1
        if time.perf_counter() - self.began >= self.seconds:
            self.processor_seconds = time.process_time() - self.began_processor
            self.model.stop_training = True

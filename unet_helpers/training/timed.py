"""Networks side by side: the same seconds of training, intervals over patients and seeds, and what each costs."""

import math
import time

import keras
import numpy as np

from ._quiet import _stderr_to_null
from .losses import DiceCrossEntropy, make_targets
from .metrics import dice
from .models import FCN, AttentionUNet, DeepLabV3Plus, SegNet, UNet
from .training import compile_model, make_batches, start_at_class_shares

NETWORKS = {
    "U-Net": UNet,
    "Attention U-Net": AttentionUNet,
    "SegNet": SegNet,
    "FCN-8s": FCN,
    "DeepLabV3+": DeepLabV3Plus,
}
#: the pyramid's dilations in the paper, for images of 513 pixels
DEEPLAB_RATES, DEEPLAB_SIZE = (6, 12, 18), 513


def build_network(name, size=128, num_classes=3, base_filters=8, **options):
    """One of :data:`NETWORKS`, untrained, for square images of one channel.

    ``base_filters`` are the channels of the first stage, 64 in the U-Net of 2015, and everything else keeps the
    proportions of its paper; the dilations of DeepLabV3+ keep theirs to the size of the image.

    Raises
    ------
    ValueError
        If there is no such network, or the network refuses an option.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; choose one of {', '.join(NETWORKS)}")
    if name == "DeepLabV3+":
        options = {"rates": deeplab_rates(size)} | options
    return NETWORKS[name]((size, size, 1), num_classes, base_filters=base_filters, **options)


def deeplab_rates(size):
    """The paper's three dilations, 6, 12 and 18, shrunk as the image is: 1, 3 and 4 for 128 pixels."""
    return tuple(max(index, round(rate * size / DEEPLAB_SIZE)) for index, rate in enumerate(DEEPLAB_RATES, start=1))


# --- what a network costs ---------------------------------------------------------------------


def count_parameters(model):
    """Numbers that training changes."""
    return int(sum(np.prod(variable.shape) for variable in model.trainable_variables))


def width_for(name, parameters, **options):
    """The ``base_filters`` with which a network comes closest to a number of parameters.

    Parameters
    ----------
    name : str
        One of :data:`NETWORKS`.
    parameters : int
    options
        As :func:`build_network` takes them.
    """

    def found(width):
        return count_parameters(build_network(name, base_filters=width, **options))

    # nearly all parameters belong to convolutions from c to c channels: they grow with the square
    guess = max(1, round(8 * math.sqrt(parameters / found(8))))
    return min(range(max(1, guess - 1), guess + 2), key=lambda width: abs(found(width) - parameters))


def count_multiply_adds(model):
    """Multiplications (each with an addition) of all convolutions for one image; FLOPs are twice as many.

    A convolution multiplies every weight once for each place of its output, a transposed one for each place of its
    input. Normalization, activation, pooling and interpolation are left out: they are few beside it.

    Parameters
    ----------
    model : keras.Model
        Built for images of a fixed size, without models as layers.

    Raises
    ------
    ValueError
        If the size of the images is open.
    """
    if None in model.input_shape[1:]:
        raise ValueError(f"the model takes images of shape {model.input_shape[1:]}; build it for a fixed size")
    return sum(count_of_layer(layer) for layer in model.layers)


def count_of_layer(layer):
    """Multiplications of one layer: weights of the kernel times places; 0 for a layer without a kernel."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    transposed = isinstance(layer, (keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose))
    places = layer.input.shape[1:-1] if transposed else layer.output.shape[1:-1]
    return int(np.prod(kernel.shape)) * math.prod(places)


def count_activations(model):
    """Numbers that all layers put out for one image: what a training step keeps for the way back, and more."""
    return sum(math.prod(tensor.shape[1:]) for layer in model.layers for tensor in _as_list(layer.output))


def _as_list(output):
    return list(output) if isinstance(output, (list, tuple)) else [output]


def measure_latency(model, repeats=30, warm_up=5):
    """Median of the seconds from one image in to its probabilities out; the first ``warm_up`` calls do not count."""
    image = np.random.default_rng(0).random((1, *model.input_shape[1:]), dtype=np.float32)
    seconds = []
    for _ in range(warm_up + repeats):
        began = time.perf_counter()
        model.predict_on_batch(image)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[warm_up:]))


# --- training by the clock --------------------------------------------------------------------


class TimedTrainer:
    """Train one network again and again, each time from new weights and for the same seconds.

    Building the computation takes longer than many steps, and differs between networks: it is done once, before any
    clock runs.

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
        From :func:`unet_helpers.augmentation.make_augmenter`.
    """

    def __init__(self, model, subset, *, batch_size=8, class_weights=(1, 1, 10), augment=None):
        self.model, self.subset, self.batch_size, self.augment = model, subset, batch_size, augment
        # whole batches only: one of another size would be compiled while the clock runs
        self.batch_size = min(batch_size, len(subset))
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


# --- how sure -----------------------------------------------------------------------------------


def dice_by_patient(predictions, subset, index):
    """Dice of one class for each patient, slices pooled: ``(P,)`` in the order of ``subset.patients``.

    nan for a patient whose ground truth has nothing of the class, also where something was predicted: so the patients
    that count are the same for every network.
    """
    values = []
    for patient in subset.patients:
        own = subset.patient_ids == patient
        truth, found = subset.masks[own] == index, np.asarray(predictions)[own] == index
        values.append(dice(truth, found) if truth.any() else np.nan)
    return np.array(values)


def interval_of_mean(runs, *, level=0.95, repeats=2000, seed=0):
    """Bootstrap interval of a mean over seeds and patients, both drawn with replacement.

    Parameters
    ----------
    runs : ``(S, P)`` float
        One row per seed, one column per patient. Columns with nan are left out.
    level : float
    repeats, seed : int

    Returns
    -------
    (low, high) : float
        (nan, nan) with fewer than two patients. With one seed the interval is over patients only; with three it is
        still too narrow, because three seeds show too little of how seeds vary.
    """
    means = _draw_means([runs], repeats, seed)
    return _quantiles(means[0], level)


def interval_of_difference(runs, others, *, level=0.95, repeats=2000, seed=0):
    """Bootstrap interval of the mean difference ``runs - others`` of two networks on the same patients.

    The patients drawn are the same for both, because a hard patient is hard for both; the seeds are drawn for each on
    its own, because seed 0 of one network has nothing in common with seed 0 of another.

    Parameters as in :func:`interval_of_mean`; the two may differ in the number of seeds, not of patients.

    Raises
    ------
    ValueError
        If the numbers of patients differ.
    """
    shapes = [np.atleast_2d(np.asarray(one, float)).shape for one in (runs, others)]
    if shapes[0][1] != shapes[1][1]:
        raise ValueError(f"{shapes[0][1]} and {shapes[1][1]} patients; a paired difference needs the same patients")
    means = _draw_means([runs, others], repeats, seed)
    return _quantiles(means[0] - means[1], level)


def _draw_means(tables, repeats, seed):
    """Means of bootstrap draws for each table, ``(T, repeats)``: one draw of patients for all, seeds for each."""
    tables = [np.atleast_2d(np.asarray(table, dtype=float)) for table in tables]
    complete = np.all([np.isfinite(table).all(axis=0) for table in tables], axis=0)
    tables = [table[:, complete] for table in tables]
    patients = tables[0].shape[1]
    if patients < 2:
        return np.full((len(tables), repeats), np.nan)
    random = np.random.default_rng(seed)
    patient_weights = random.multinomial(patients, np.full(patients, 1 / patients), size=repeats) / patients
    means = []
    for table in tables:
        count = len(table)
        seed_weights = random.multinomial(count, np.full(count, 1 / count), size=repeats) / count
        means.append(np.einsum("rs,sp,rp->r", seed_weights, table, patient_weights))
    return np.array(means)


def _quantiles(means, level):
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# --- what a coarse map can say ------------------------------------------------------------------


def best_from_coarse_map(mask, stride):
    """The best outline, or nearly, that a network can draw which enlarges a map of scores ``stride`` times at its end.

    The scores themselves are fitted to the ground truth by cross-entropy, three times with growing weight on the
    object, and cut at the threshold with the highest Dice. No network can know more; what is missing then is missing
    because the map is coarse.

    Parameters
    ----------
    mask : binary ``(n, n)``
        n a multiple of ``stride``.
    stride : int

    Returns
    -------
    ``(n, n)`` bool
    """
    truth = np.asarray(mask) > 0
    if not truth.any():
        return np.zeros(truth.shape, bool)
    enlarge = enlarging_matrix(len(truth), stride)
    balance = max((~truth).sum() / truth.sum(), 1)
    candidates = []
    for weight in (1, balance**0.5, balance):
        fine = enlarge @ _fit_scores(truth, enlarge, weight) @ enlarge.T
        candidates += [fine >= threshold for threshold in np.unique(fine[truth])]
    return max(candidates, key=lambda found: dice(truth, found))


def _fit_scores(truth, enlarge, weight):
    """The coarse scores with the lowest cross-entropy, object pixels counting ``weight`` times."""
    from scipy.optimize import minimize
    from scipy.special import expit

    coarse = enlarge.shape[1]
    weights = np.where(truth, weight, 1.0)

    def loss(scores):
        fine = enlarge @ scores.reshape(coarse, coarse) @ enlarge.T
        slope = enlarge.T @ (weights * (expit(fine) - truth)) @ enlarge
        return np.sum(weights * (np.logaddexp(0, fine) - truth * fine)), slope.ravel()

    found = minimize(loss, np.zeros(coarse * coarse), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return found.x.reshape(coarse, coarse)


def enlarging_matrix(size, stride):
    """``(size, size / stride)``: bilinear interpolation along one axis, as the networks of this package enlarge."""
    count = size // stride
    places = (np.arange(size) + 0.5) / stride - 0.5
    return np.stack([np.interp(places, np.arange(count), one) for one in np.eye(count)], axis=1)

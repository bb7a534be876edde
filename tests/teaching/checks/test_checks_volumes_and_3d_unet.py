"""What exercise 10.4 calls right is true; the answers to the exercises are in tests/mutants."""

import numpy as np

from unet_helpers.teaching.checks import volumes_and_3d_unet as check


def test_the_field_is_what_a_gradient_through_the_network_reaches():
    import keras
    import tensorflow as tf

    from unet_helpers import UNet3D

    pool_sizes = [(1, 2, 2), (2, 2, 2)]
    keras.utils.set_random_seed(0)
    network = UNet3D((40, 64, 64, 1), 1, base_filters=2, depth=2, batch_norm=False, pool_sizes=pool_sizes)
    bottleneck = keras.Model(network.input, network.get_layer("bottleneck_conv2").output)
    for layer in bottleneck.layers:  # all weights positive, so that no path is cut by a ReLU or lost at a maximum
        layer.set_weights([np.abs(weights) + 0.01 for weights in layer.get_weights()])
    volume = tf.Variable(np.random.default_rng(0).random((1, 40, 64, 64, 1)).astype("float32"))
    reached = np.zeros((40, 64, 64), bool)
    with tf.GradientTape() as tape:
        middle = tf.reduce_sum(bottleneck(volume)[0, 10, 8, 8])
    reached = np.asarray(tape.gradient(middle, volume))[0, ..., 0] != 0
    for axis, factors in enumerate(zip(*pool_sizes, strict=True)):
        others = tuple(other for other in range(3) if other != axis)
        seen = np.flatnonzero(reached.any(axis=others))
        # a maximum takes one of the voxels that it sees, so that the outermost may be left out
        assert check._field(factors) - 4 <= seen[-1] - seen[0] + 1 <= check._field(factors)

"""Self-checks of notebook 03, the U-Net's architecture."""

import keras

from ._verdict import NotYet, Raised, Wrong, call, exercise, number


@exercise
def parameters_of_conv(function):
    """A function of (size, channels_in, channels_out) that counts weights and biases of a convolution."""
    for size, before, after in ((3, 1, 64), (3, 64, 128), (1, 64, 2), (2, 5, 7)):
        right = size * size * before * after + after
        given = number(call(function, size, before, after))
        if given == right:
            continue
        shown = f"for a {size}×{size} convolution from {before} to {after} channels it gives {given}, not {right}. "
        if given == right - after:
            raise Wrong(shown + "The biases are missing: one for each channel that comes out.")
        if given == size * size * before * after + 1:
            raise Wrong(shown + "There is one bias for each channel that comes out, not one in all.")
        if given == size * size * after + after:
            raise Wrong(shown + "Each filter looks at all incoming channels: multiply by channels_in.")
        if given == size * before * after + after:
            raise Wrong(shown + "A filter is a square: size × size weights for each incoming channel.")
        if given == size * size * before + after:
            raise Wrong(shown + "You counted one filter; there is one for each channel that comes out.")
        raise Wrong(shown + "Each outgoing channel has size × size × channels_in weights and one bias.")
    return "The size of the image does not occur in it."


@exercise
def repaired_unet(function):
    """A function that builds the small U-Net whose maps did not fit."""
    try:
        model = call(function)
    except Raised as error:
        if "Concatenate" not in str(error.__cause__):
            raise
        shapes = str(error.__cause__).split("input_shape=")[-1].strip()
        raise NotYet(f"the maps to be joined still differ in size: {shapes}") from None
    if not isinstance(model, keras.Model):
        raise Wrong(f"the function returns a {type(model).__name__}, not a keras.Model.")
    if model.output_shape[1:3] != (64, 64):
        height, width = model.output_shape[1:3]
        raise Wrong(f"the output is {height}×{width} but the image is 64×64: every pooling needs its up-sampling.")
    kinds = [type(layer).__name__ for layer in model.layers]
    poolings, joins = kinds.count("MaxPooling2D"), kinds.count("Concatenate")
    if poolings < 2:
        raise Wrong(f"the sizes fit now, but only {poolings} pooling is left; keep both and repair the way up.")
    if joins < 2:
        raise Wrong("the sizes fit now, but the level of 32×32 hands nothing over: join its map on the way up too.")
    return f"{poolings} poolings, {joins} skip connections."


@exercise
def padded_size(function):
    """A function of (size, depth): the smallest size, not below, that can be halved depth times."""
    for size, depth in ((340, 4), (500, 4), (128, 4), (340, 2), (33, 5), (7, 3)):
        factor = 2**depth
        right = size + (-size) % factor
        given = number(call(function, size, depth))
        if given == right:
            continue
        shown = f"for size {size} and depth {depth} it gives {given}, not {right}. "
        if given == size - size % factor:
            raise Wrong(shown + "You rounded down: that crops the image. Round up.")
        if size % factor == 0 and given == size + factor:
            raise Wrong(shown + f"{size} is a multiple of {factor} already and needs no padding.")
        if given == size + (-size) % (2 * depth):
            raise Wrong(shown + "Each pooling halves, so the factor is 2 to the power of depth, not 2 times depth.")
        if depth != 4 and given == size + (-size) % 16:
            raise Wrong(shown + "You rounded to 16, which is right for depth 4 only.")
        if given == -size % factor:
            raise Wrong(shown + "That is the number of pixels to add; give the new size.")
        raise Wrong(shown + f"Look for the smallest multiple of {factor} that is not below {size}.")
    return "340×500 becomes 352×512 for a U-Net of depth 4."


@exercise
def receptive_field(function):
    """A function of a list of kernel sizes: the side of the receptive field of these convolutions in a row."""
    for kernels in ([3], [5], [3, 3], [3, 3, 3], [7, 1, 3]):
        right = 1 + sum(size - 1 for size in kernels)
        given = number(call(function, list(kernels)))
        if given == right:
            continue
        shown = f"for {kernels} it gives {given}, not {right}. "
        if given == sum(kernels):
            raise Wrong(shown + "The windows overlap: a second 3×3 adds one pixel on each side, not three in all.")
        product = 1
        for size in kernels:
            product *= size
        if given == product:
            raise Wrong(
                shown + "The field grows by addition; it multiplies only when a stride or a pooling lies between."
            )
        if given == right - 1:
            raise Wrong(shown + "Count the pixel itself too: without any convolution the field is 1.")
        if given == right**2:
            raise Wrong(shown + "That is the number of pixels in the field; give its side.")
        raise Wrong(shown + "Start from 1 and add size − 1 for each convolution.")
    return "Two 3×3 convolutions see as far as one 5×5, with 18 weights in place of 25 per pair of channels."

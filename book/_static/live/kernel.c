// The three layers of a U-Net that cost time, for WebAssembly with SIMD. engine.js calls them, and has the same three in
// plain JavaScript. Made again, with clang 14 or later and its lld, by
//
//   clang --target=wasm32 -O3 -msimd128 -nostdlib -fno-builtin -Wl,--no-entry,--strip-all,-z,stack-size=8192 -o kernel.wasm kernel.c
//
// Maps are height x width x channels, floats, with one pixel of zeros around them, which is the padding of a "same"
// convolution. A row is the number of floats from a pixel to the one below. Addresses are those of the first pixel used.

#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define INLINE static inline __attribute__((always_inline))

// Eight channels of `pixels` (1 or 4) neighbors: their sums stay in registers, and each weight that is read serves all.
INLINE void tile(const int pixels, const float *x, int channels, int x_row, int side, const float *weights,
                 const float *bias, float *y, int y_pixel, int wanted, int relu) {
    v128_t low[4], high[4];
    for (int p = 0; p < pixels; p++) {
        low[p] = wasm_v128_load(bias);
        high[p] = wasm_v128_load(bias + 4);
    }
    for (int dy = 0; dy < side; dy++, x += x_row) {
        const float *here = x;
        // neighbors in a row lie one after the other, so that their channels are one run
        for (int left = side * channels; left; left--, here++, weights += 8) {
            const v128_t w = wasm_v128_load(weights), v = wasm_v128_load(weights + 4);
            for (int p = 0; p < pixels; p++) {
                const v128_t value = wasm_v128_load32_splat(here + p * channels);
                low[p] = wasm_f32x4_add(low[p], wasm_f32x4_mul(value, w));
                high[p] = wasm_f32x4_add(high[p], wasm_f32x4_mul(value, v));
            }
        }
    }
    for (int p = 0; p < pixels; p++, y += y_pixel) {
        if (relu) {
            low[p] = wasm_f32x4_max(low[p], wasm_f32x4_const_splat(0));
            high[p] = wasm_f32x4_max(high[p], wasm_f32x4_const_splat(0));
        }
        if (wanted >= 8) {
            wasm_v128_store(y, low[p]);
            wasm_v128_store(y + 4, high[p]);
        } else {
            float eight[8];
            wasm_v128_store(eight, low[p]);
            wasm_v128_store(eight + 4, high[p]);
            for (int i = 0; i < wanted; i++) y[i] = eight[i];
        }
    }
}

// A convolution with a kernel of side 1 or 3, bias and ReLU. The weights lie as [filters / 8][side][side][channels][8].
// One tap of a transposed convolution is a convolution of side 1 whose results lie two pixels apart.
EXPORT(convolve)
void convolve(const float *x, int channels, int x_row, int side, const float *weights, const float *bias, float *y,
              int y_row, int y_pixel, int filters, int height, int width, int relu) {
    for (int filter = 0; filter < filters; filter += 8, bias += 8, weights += 8 * side * side * channels) {
        for (int row = 0; row < height; row++) {
            const float *from = x + row * x_row;
            float *to = y + row * y_row + filter;
            int column = 0;
            for (; column + 4 <= width; column += 4, from += 4 * channels, to += 4 * y_pixel)
                tile(4, from, channels, x_row, side, weights, bias, to, y_pixel, filters - filter, relu);
            for (; column < width; column++, from += channels, to += y_pixel)
                tile(1, from, channels, x_row, side, weights, bias, to, y_pixel, filters - filter, relu);
        }
    }
}

// The largest of 2 x 2 pixels; height and width are those of the result.
EXPORT(pool)
void pool(const float *x, int channels, int x_row, float *y, int y_row, int height, int width) {
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++)
            for (int i = 0; i < channels; i++) {
                const float *p = x + 2 * row * x_row + 2 * column * channels + i, *q = p + x_row;
                const float a = p[0] > p[channels] ? p[0] : p[channels], b = q[0] > q[channels] ? q[0] : q[channels];
                y[row * y_row + column * channels + i] = a > b ? a : b;
            }
}

// The channels of a map become some of the channels of another one, as a skip connection does it.
EXPORT(join)
void join(const float *x, int channels, int x_row, float *y, int y_row, int y_pixel, int height, int width) {
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++)
            for (int i = 0; i < channels; i++)
                y[row * y_row + column * y_pixel + i] = x[row * x_row + column * channels + i];
}

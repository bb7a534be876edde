/* Runs a network that `python -m unet_helpers export-browser` has written.

   unetEngine(network, wasm) gives a promise of {run, layer, kernel}: `wasm` are the bytes of kernel.wasm; without them,
   or where the browser has no SIMD, the layers of plain JavaScript below do the work. Everything is in one function,
   because a page from the disk can make a worker from a function's text, but not from a file. */

function unetEngine(network, wasm) {
  "use strict";

  /* The layers, readable. kernel.c has the same ones; there, a comment says how maps and weights lie in memory, and an
     address is one of bytes, so that here it is divided by 4. */
  function plainKernel() {
    let f = new Float64Array(0); // of float64, because JavaScript computes with nothing else
    return {
      name: "JavaScript",
      reserve(bytes) { f = new Float64Array(bytes >> 2); return f; },
      convolve(x, channels, xRow, side, w, bias, y, yRow, yPixel, filters, height, width, relu) {
        x >>= 2; w >>= 2; bias >>= 2; y >>= 2;
        const run = side * channels;
        for (let filter = 0; filter < filters; filter += 8, w += 8 * side * run) {
          for (let row = 0; row < height; row++) {
            for (let column = 0; column < width; column++) {
              let a = f[bias + filter], b = f[bias + filter + 1], c = f[bias + filter + 2], d = f[bias + filter + 3];
              let e = f[bias + filter + 4], g = f[bias + filter + 5], h = f[bias + filter + 6], i = f[bias + filter + 7];
              let at = w;
              for (let dy = 0; dy < side; dy++) {
                const from = x + (row + dy) * xRow + column * channels;
                for (let k = from; k < from + run; k++, at += 8) {
                  const value = f[k];
                  a += value * f[at]; b += value * f[at + 1]; c += value * f[at + 2]; d += value * f[at + 3];
                  e += value * f[at + 4]; g += value * f[at + 5]; h += value * f[at + 6]; i += value * f[at + 7];
                }
              }
              const sums = [a, b, c, d, e, g, h, i], to = y + row * yRow + column * yPixel + filter;
              for (let k = 0; k < Math.min(8, filters - filter); k++) f[to + k] = relu ? Math.max(0, sums[k]) : sums[k];
            }
          }
        }
      },
      pool(x, channels, xRow, y, yRow, height, width) {
        x >>= 2; y >>= 2;
        for (let row = 0; row < height; row++) for (let column = 0; column < width; column++) {
          for (let i = 0; i < channels; i++) {
            const p = x + 2 * row * xRow + 2 * column * channels + i, q = p + xRow;
            f[y + row * yRow + column * channels + i] = Math.max(f[p], f[p + channels], f[q], f[q + channels]);
          }
        }
      },
      join(x, channels, xRow, y, yRow, yPixel, height, width) {
        x >>= 2; y >>= 2;
        for (let row = 0; row < height; row++) for (let column = 0; column < width; column++) {
          for (let i = 0; i < channels; i++) {
            f[y + row * yRow + column * yPixel + i] = f[x + row * xRow + column * channels + i];
          }
        }
      },
    };
  }

  async function fastKernel(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes);
    const { memory, convolve, pool, join } = instance.exports;
    return {
      name: "WebAssembly",
      reserve(size) {
        const more = Math.ceil((size - memory.buffer.byteLength) / 65536);
        if (more > 0) memory.grow(more);
        return new Float32Array(memory.buffer);
      },
      convolve, pool, join,
    };
  }

  function decode(text, Numbers) {
    const bytes = atob(text), numbers = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) numbers[i] = bytes.charCodeAt(i);
    return new Numbers(numbers.buffer);
  }

  const START = 65536; // below lie the kernel's stack and constants
  const padded = (map) => (map.height + 2) * (map.width + 2) * map.channels;
  const row = (map) => (map.width + 2) * map.channels;
  const corner = (map) => map.address; // of the padding
  const first = (map) => map.address + 4 * (row(map) + map.channels); // pixel
  const layers = network.layers.map((layer) => ({ ...layer }));
  let kernel, memory, top, maps = {};

  /* Weights come as Keras has them, (row, column, channel, filter). In memory, eight filters lie side by side, and the
     last block is filled up with zeros. A transposed convolution is four convolutions of side 1. */
  function placeWeights() {
    const kernels = decode(network.kernels, network.precision === "int16" ? Int16Array : Float32Array);
    const factorsAndBiases = decode(network.filters, Float32Array);
    let read = 0, readFilters = 0;
    const sizeOf = (side, layer) => Math.ceil(layer.filters / 8) * 8 * (side * side * layer.channels + 1);
    const taps = (layer) => (layer.kind === "transpose" ? 4 : 1);
    const side = (layer) => (layer.kind === "transpose" ? 1 : layer.side);
    const learned = layers.filter((layer) => layer.kind === "conv" || layer.kind === "transpose");
    top = START;
    for (const layer of learned) {
      layer.at = Array.from({ length: taps(layer) }, (_, tap) => top + 4 * tap * sizeOf(side(layer), layer));
      top += 4 * taps(layer) * sizeOf(side(layer), layer);
    }
    memory = kernel.reserve(top);
    for (const layer of learned) {
      const { filters, channels } = layer, inputs = side(layer) ** 2 * channels;
      const factors = factorsAndBiases.subarray(readFilters, readFilters += filters);
      const biases = factorsAndBiases.subarray(readFilters, readFilters += filters);
      for (const address of layer.at) {
        for (let k = 0; k < inputs; k++) for (let filter = 0; filter < filters; filter++) {
          const block = filter >> 3;
          memory[(address >> 2) + (block * inputs + k) * 8 + (filter & 7)] = kernels[read++] * factors[filter];
        }
      }
      layer.biases = layer.at.map((address) => address + 4 * Math.ceil(filters / 8) * 8 * inputs);
      for (const address of layer.biases) memory.set(biases, address >> 2);
    }
    if (read !== kernels.length) throw new Error(`the network has ${kernels.length} weights where ${read} are used`);
    layers.weights = memory.slice(START >> 2, top >> 2);
  }

  /* Room for every map of a picture of this size. */
  function placeMaps(height, width) {
    const made = { image: { height, width, channels: network.channels } };
    for (const layer of layers) {
      const from = made[layer.from[0]];
      const scale = { pool: 0.5, transpose: 2 }[layer.kind] || 1;
      const channels = layer.filters || layer.from.reduce((sum, name) => sum + made[name].channels, 0);
      made[layer.name] = { height: from.height * scale, width: from.width * scale, channels };
    }
    let end = top;
    for (const map of Object.values(made)) { map.address = end; end += 4 * padded(map); }
    memory = kernel.reserve(end);
    memory.set(layers.weights, START >> 2); // plain JavaScript has reserved other memory
    memory.fill(0, top >> 2, end >> 2);
    maps = made;
  }

  function compute(layer, off) {
    const to = maps[layer.name], from = layer.from.map((name) => maps[name]), x = from[0];
    if (layer.kind === "conv") {
      const at = layer.side === 3 ? corner(x) : first(x);
      kernel.convolve(at, x.channels, row(x), layer.side, layer.at[0], layer.biases[0], first(to), row(to), to.channels,
        to.channels, to.height, to.width, layer.relu);
    } else if (layer.kind === "transpose") {
      layer.at.forEach((weights, tap) => {
        const y = first(to) + 4 * ((tap >> 1) * row(to) + (tap & 1) * to.channels);
        kernel.convolve(first(x), x.channels, row(x), 1, weights, layer.biases[tap], y, 2 * row(to), 2 * to.channels,
          to.channels, x.height, x.width, layer.relu);
      });
    } else if (layer.kind === "pool") {
      kernel.pool(first(x), x.channels, row(x), first(to), row(to), to.height, to.width);
    } else {
      let y = first(to);
      if (off) memory.fill(0, y >> 2, (to.address + 4 * padded(to)) >> 2);
      for (const map of from) {
        if (!off || map !== x) kernel.join(first(map), map.channels, row(map), y, row(to), to.channels, map.height, map.width);
        y += 4 * map.channels;
      }
    }
  }

  /* The numbers of a map without its padding, pixel by pixel. */
  function layer(name) {
    const map = maps[name], length = map.width * map.channels, numbers = new Float32Array(map.height * length);
    for (let y = 0; y < map.height; y++) {
      const at = (first(map) >> 2) + y * row(map);
      numbers.set(memory.subarray(at, at + length), y * length);
    }
    return numbers;
  }

  function probabilities(scores, classes) {
    for (let i = 0; i < scores.length; i += classes) {
      if (network.activation === "sigmoid") {
        for (let k = i; k < i + classes; k++) scores[k] = 1 / (1 + Math.exp(-scores[k]));
      } else {
        let largest = -Infinity, sum = 0;
        for (let k = i; k < i + classes; k++) largest = Math.max(largest, scores[k]);
        for (let k = i; k < i + classes; k++) sum += scores[k] = Math.exp(scores[k] - largest);
        for (let k = i; k < i + classes; k++) scores[k] /= sum;
      }
    }
    return scores;
  }

  /* Dropout at work, as in training: numbers of a map become 0 at random, and the others larger. */
  function drop({ name, dropout }, uniform) {
    const map = maps[name], length = map.width * map.channels;
    for (let y = 0; y < map.height; y++) {
      const at = (first(map) >> 2) + y * row(map);
      for (let k = at; k < at + length; k++) memory[k] *= uniform() < dropout ? 0 : 1 / (1 - dropout);
    }
  }

  const randomFrom = (seed) => () => { // the generator mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  /* Probabilities of a picture, (height, width, classes) in a row. `image` are its gray values from 0 to 1; `off` names
     joints of two maps whose first map, the skip connection, is replaced by zeros; a seed switches dropout on. */
  function run(image, height, width, off = [], seed = null) {
    if (height % network.multiple || width % network.multiple) {
      throw new Error(`height and width must be multiples of ${network.multiple}, not ${height} and ${width}`);
    }
    if (maps.image?.height !== height || maps.image.width !== width) placeMaps(height, width);
    const length = width * network.channels;
    for (let y = 0; y < height; y++) {
      memory.set(image.subarray(y * length, (y + 1) * length), (first(maps.image) >> 2) + y * row(maps.image));
    }
    const uniform = randomFrom(seed);
    for (const layer of layers) {
      compute(layer, off.includes(layer.name));
      if (seed !== null && layer.dropout) drop(layer, uniform);
    }
    const last = layers[layers.length - 1].name;
    return probabilities(layer(last), maps[last].channels);
  }

  const start = wasm ? fastKernel(wasm).catch(() => plainKernel()) : Promise.resolve(plainKernel());
  return start.then((chosen) => {
    kernel = chosen;
    placeWeights();
    return { run, layer, kernel: kernel.name };
  });
}

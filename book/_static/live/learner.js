/* A tiny U-Net that learns: forward and backward pass, loss and Adam, written by hand.

   unetLearner(lessons, seed) gives an untrained network, and what it takes to train it. `lessons` are {train, heldOut},
   each a list of {image, mask}, gray values from 0 to 1 and labels 0 or 1, SIDE×SIDE numbers in a row. Everything is in
   one function, because a page from the disk can make a worker from a function's text, but not from a file. */

function unetLearner(lessons, seed) {
  "use strict";
  const SIDE = 32, FILTERS = 4;

  /* --- chance, the same for the same seed (mulberry32; Box and Muller) --- */

  let state = (seed + 1) * 0x9e3779b9;
  function uniform() {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

  /* --- maps: one plane after the other, each with a border of zeros, so that a convolution needs no edge cases.
     Beside each number is its slope: how much the loss grows when the number does. --- */

  const maps = [];
  function newMap(channels, side) {
    const size = channels * (side + 2) ** 2;
    const map = { channels, side, wide: side + 2, values: new Float64Array(size), slopes: new Float64Array(size) };
    maps.push(map);
    return map;
  }

  /* Calls use(start, end) for each row inside the border, over all planes. */
  function eachRow({ channels, side, wide }, use) {
    for (let plane = 0; plane < channels; plane++) {
      for (let row = 1; row <= side; row++) {
        const start = (plane * wide + row) * wide + 1;
        use(start, start + side, plane, row);
      }
    }
  }

  /* --- the layers; each has forward() and backward(), which hands the slopes on to the map it came from --- */

  const layers = [], learned = []; // learned: {name, shape, length, start}
  let total = 0;
  function parameter(name, shape, spread) {
    const length = shape.reduce((a, b) => a * b), found = { name, shape, length, spread, start: total };
    total += length;
    learned.push(found);
    return found;
  }
  let weights, gradients; // all in a row, made below when their number is known

  /* to += the 3×3 convolution of `from`, or, when the slopes go `back`, the convolution with everything mirrored:
     outputs are then the inputs, and the lower right weight comes first. */
  function convolve(from, inputs, to, outputs, start, side, back) {
    const wide = side + 2, step = back ? -1 : 1;
    for (let output = 0; output < outputs; output++) for (let input = 0; input < inputs; input++) {
      let k = start + 9 * (back ? input * outputs + output : output * inputs + input) + (back ? 8 : 0);
      const a = weights[k], b = weights[k += step], c = weights[k += step];
      const d = weights[k += step], e = weights[k += step], f = weights[k += step];
      const g = weights[k += step], h = weights[k += step], i = weights[k += step];
      for (let row = 1; row <= side; row++) {
        let y = (output * wide + row) * wide + 1, p = (input * wide + row - 1) * wide, q = p + wide, r = q + wide;
        for (const end = y + side; y < end; y++, p++, q++, r++) {
          to[y] += a * from[p] + b * from[p + 1] + c * from[p + 2] + d * from[q] + e * from[q + 1] + f * from[q + 2]
            + g * from[r] + h * from[r + 1] + i * from[r + 2];
        }
      }
    }
  }

  /* How much the loss grows with each of the 3×3 weights: slope × the number that the weight was multiplied with. */
  function weightSlopes(x, y, start) {
    const { side, wide } = x, from = x.values, slopes = y.slopes;
    for (let output = 0; output < y.channels; output++) for (let input = 0; input < x.channels; input++) {
      let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0;
      for (let row = 1; row <= side; row++) {
        let s = (output * wide + row) * wide + 1, p = (input * wide + row - 1) * wide, q = p + wide, r = q + wide;
        for (const end = s + side; s < end; s++, p++, q++, r++) {
          const slope = slopes[s];
          a += slope * from[p]; b += slope * from[p + 1]; c += slope * from[p + 2];
          d += slope * from[q]; e += slope * from[q + 1]; f += slope * from[q + 2];
          g += slope * from[r]; h += slope * from[r + 1]; i += slope * from[r + 2];
        }
      }
      let k = start + 9 * (output * x.channels + input);
      for (const sum of [a, b, c, d, e, f, g, h, i]) gradients[k++] += sum;
    }
  }

  /* 3×3 convolution and ReLU. */
  function conv(name, x, channels) {
    const y = newMap(channels, x.side), kernel = parameter(name, [channels, x.channels, 3, 3], 2 / (9 * x.channels));
    const bias = parameter(`${name} bias`, [channels], 0);
    layers.push({
      forward() {
        eachRow(y, (start, end, plane) => y.values.fill(weights[bias.start + plane], start, end));
        convolve(x.values, x.channels, y.values, channels, kernel.start, x.side, false);
        eachRow(y, (start, end) => { for (let k = start; k < end; k++) if (y.values[k] < 0) y.values[k] = 0; });
      },
      backward() {
        eachRow(y, (start, end, plane) => {
          for (let k = start; k < end; k++) {
            if (y.values[k] <= 0) y.slopes[k] = 0; // ReLU was off: the loss does not feel what comes before it
            gradients[bias.start + plane] += y.slopes[k];
          }
        });
        weightSlopes(x, y, kernel.start);
        if (x !== image) convolve(y.slopes, channels, x.slopes, x.channels, kernel.start, x.side, true);
      },
    });
    return y;
  }

  /* The largest of 2×2. Only that one has a slope. */
  function pool(x) {
    const y = newMap(x.channels, x.side / 2), came = new Int32Array(y.values.length);
    layers.push({
      forward() {
        eachRow(y, (start, end, plane, row) => {
          let p = (plane * x.wide + 2 * row - 1) * x.wide + 1;
          for (let k = start; k < end; k++, p += 2) {
            let best = p;
            for (const other of [p + 1, p + x.wide, p + x.wide + 1]) if (x.values[other] > x.values[best]) best = other;
            y.values[k] = x.values[best];
            came[k] = best;
          }
        });
      },
      backward() {
        eachRow(y, (start, end) => { for (let k = start; k < end; k++) x.slopes[came[k]] += y.slopes[k]; });
      },
    });
    return y;
  }

  /* The skip connection: the planes of `skip`, then those of `x`, each number of which becomes 2×2 (nearest). */
  function join(skip, x) {
    const y = newMap(skip.channels + x.channels, skip.side), own = skip.values.length;
    const source = (start, plane, row) => ((plane - skip.channels) * x.wide + ((row + 1) >> 1)) * x.wide + 1;
    layers.push({
      forward() {
        y.values.set(skip.values);
        eachRow(y, (start, end, plane, row) => {
          if (plane < skip.channels) return;
          const p = source(start, plane, row);
          for (let k = 0; k < y.side; k++) y.values[start + k] = x.values[p + (k >> 1)];
        });
      },
      backward() {
        for (let k = 0; k < own; k++) skip.slopes[k] += y.slopes[k];
        eachRow(y, (start, end, plane, row) => {
          if (plane < skip.channels) return;
          const p = source(start, plane, row);
          for (let k = 0; k < y.side; k++) x.slopes[p + (k >> 1)] += y.slopes[start + k];
        });
      },
    });
    return y;
  }

  /* 1×1 convolution without ReLU: the scores of the two classes. */
  function scores(name, x) {
    const y = newMap(2, x.side), plane = x.wide ** 2;
    const kernel = parameter(name, [2, x.channels], 1 / x.channels), bias = parameter(`${name} bias`, [2], 0);
    layers.push({
      forward() {
        eachRow(y, (start, end, k) => {
          y.values.fill(weights[bias.start + k], start, end);
          for (let c = 0; c < x.channels; c++) {
            const weight = weights[kernel.start + k * x.channels + c], shift = (c - k) * plane;
            for (let at = start; at < end; at++) y.values[at] += weight * x.values[at + shift];
          }
        });
      },
      backward() {
        eachRow(y, (start, end, k) => {
          for (let at = start; at < end; at++) gradients[bias.start + k] += y.slopes[at];
          for (let c = 0; c < x.channels; c++) {
            const place = kernel.start + k * x.channels + c, shift = (c - k) * plane;
            for (let at = start; at < end; at++) {
              gradients[place] += y.slopes[at] * x.values[at + shift];
              x.slopes[at + shift] += weights[place] * y.slopes[at];
            }
          }
        });
      },
    });
    return y;
  }

  /* --- the network: two levels down, the bottleneck, two levels up --- */

  const twice = (name, x, channels) => conv(`${name} conv2`, conv(`${name} conv1`, x, channels), channels);
  const image = newMap(1, SIDE);
  const down1 = twice("down1", image, FILTERS);
  const down2 = twice("down2", pool(down1), 2 * FILTERS);
  const bottom = twice("bottleneck", pool(down2), 4 * FILTERS);
  const up2 = twice("up2", join(down2, bottom), 2 * FILTERS);
  const up1 = twice("up1", join(down1, up2), FILTERS);
  const output = scores("output", up1);

  weights = new Float64Array(total);
  gradients = new Float64Array(total);
  for (const { start, length, spread } of learned) { // as He and colleagues: maps neither fade nor explode
    for (let k = start; k < start + length; k++) weights[k] = spread && Math.sqrt(spread) * normal();
  }

  /* The probability of class 1 at each pixel: softmax over the two scores. */
  function predict(picture) {
    eachRow(image, (start, end, plane, row) => {
      image.values.set(picture.subarray((row - 1) * SIDE, row * SIDE), start);
    });
    for (const layer of layers) layer.forward();
    const found = new Float64Array(SIDE * SIDE), one = output.wide ** 2;
    let at = 0;
    eachRow({ channels: 1, side: SIDE, wide: output.wide }, (start, end) => {
      for (let k = start; k < end; k++) found[at++] = 1 / (1 + Math.exp(output.values[k] - output.values[k + one]));
    });
    return found;
  }

  /* --- losses: their value for one picture, and their slope at each score of class 1; that of class 0 is the opposite,
     because only the difference of the two scores matters --- */

  const losses = {
    /* The mean over the pixels of −log(probability of the true class), times the weight of that class. */
    crossentropy(found, mask, { weight }) {
      let loss = 0;
      const slopes = found.map((p, k) => {
        const factor = (mask[k] ? weight : 1) / found.length;
        loss -= factor * Math.log(Math.max(1e-300, mask[k] ? p : 1 - p));
        return factor * (p - mask[k]);
      });
      return { loss, slopes };
    },
    /* 1 − Dice of the probabilities, of class 1 alone; the added 1 keeps it defined where nothing is there. */
    dice(found, mask) {
      let overlap = 0, sizes = 0;
      found.forEach((p, k) => { overlap += p * mask[k]; sizes += p + mask[k]; });
      const above = 2 * overlap + 1, below = sizes + 1;
      const slopes = found.map((p, k) => ((above - 2 * mask[k] * below) / below ** 2) * p * (1 - p));
      return { loss: 1 - above / below, slopes };
    },
  };

  /* The loss of one picture; its slopes with respect to all weights are added to `gradients`. */
  function learn({ image: picture, mask }, options) {
    const found = predict(picture), { loss, slopes } = losses[options.loss](found, mask, options);
    for (const map of maps) map.slopes.fill(0);
    const one = output.wide ** 2;
    let at = 0;
    eachRow({ channels: 1, side: SIDE, wide: output.wide }, (start, end) => {
      for (let k = start; k < end; k++, at++) {
        output.slopes[k] = -slopes[at];
        output.slopes[k + one] = slopes[at];
      }
    });
    for (let k = layers.length - 1; k >= 0; k--) layers[k].backward();
    return loss;
  }

  const BATCH = 8;

  /* --- Adam, and one step with a batch; an epoch is one walk through all training pictures in a new order --- */

  const mean = new Float64Array(total), square = new Float64Array(total);
  let steps = 0, order = [];

  function step({ rate, ...options }) {
    gradients.fill(0);
    let loss = 0;
    for (let k = 0; k < BATCH; k++) {
      if (!order.length) {
        order = lessons.train.map((lesson) => [uniform(), lesson]).sort(([a], [b]) => a - b);
      }
      loss += learn(order.pop()[1], options) / BATCH;
    }
    steps += 1;
    const fade1 = 1 - 0.9 ** steps, fade2 = 1 - 0.999 ** steps;
    for (let k = 0; k < total; k++) {
      const slope = gradients[k] / BATCH;
      mean[k] += 0.1 * (slope - mean[k]);
      square[k] += 0.001 * (slope * slope - square[k]);
      weights[k] -= (rate * mean[k]) / fade1 / (Math.sqrt(square[k] / fade2) + 1e-7);
    }
    return loss;
  }

  /* Dice and pixel accuracy over all held-out pictures, counted together, and the probabilities of each. */
  function examine() {
    const found = lessons.heldOut.map(({ image: picture }) => predict(picture));
    let hit = 0, drawn = 0, there = 0, right = 0;
    lessons.heldOut.forEach(({ mask }, number) => mask.forEach((truth, k) => {
      const label = found[number][k] > 0.5 ? 1 : 0;
      hit += label * truth; drawn += label; there += truth; right += label === truth;
    }));
    return { dice: (2 * hit) / (drawn + there), accuracy: right / found.length / SIDE ** 2, drawn, found };
  }

  return { step, examine, predict, learn, weights, gradients, learned, get steps() { return steps; } };
}

/* The numbers of notebook 12 as unet_helpers.evaluation defines them. `probabilities` are those of a slice, the classes of a
   pixel side by side. */

self.unetCalibration = (() => {
  "use strict";
  const { SIDE } = unetLive;
  const CLASSES = 3, BINS = 15, FLOOR = 1e-30; // below any softmax in float32 that is not 0
  const PIXELS = Array.from({ length: SIDE * SIDE }, (_, at) => at);

  /* Dividing the logarithms of probabilities equals dividing the logits: a softmax loses only a constant of them. */
  function atTemperature(probabilities, temperature) {
    if (temperature === 1) return probabilities;
    const out = new Float32Array(probabilities.length), powers = new Float64Array(CLASSES);
    for (let at = 0; at < out.length; at += CLASSES) {
      let largest = -Infinity, sum = 0;
      for (let k = 0; k < CLASSES; k++) largest = Math.max(largest, powers[k] = Math.log(Math.max(FLOOR, probabilities[at + k])));
      for (let k = 0; k < CLASSES; k++) sum += powers[k] = Math.exp((powers[k] - largest) / temperature);
      for (let k = 0; k < CLASSES; k++) out[at + k] = powers[k] / sum;
    }
    return out;
  }

  const mean = (samples) => samples[0].map((_, at) => samples.reduce((sum, sample) => sum + sample[at], 0) / samples.length);

  function best(probabilities) {
    const found = { labels: new Uint8Array(SIDE * SIDE), confidence: new Float32Array(SIDE * SIDE) };
    for (const at of PIXELS) for (let k = 0; k < CLASSES; k++) {
      const value = probabilities[CLASSES * at + k];
      if (value > found.confidence[at]) [found.labels[at], found.confidence[at]] = [k, value];
    }
    return found;
  }

  /* In nats, for each pixel. */
  const entropy = (probabilities) => Float32Array.from(PIXELS, (at) => {
    let sum = 0;
    for (let k = CLASSES * at; k < CLASSES * (at + 1); k++) sum -= probabilities[k] * Math.log(Math.max(FLOOR, probabilities[k]));
    return sum;
  });

  /* What the samples contradict each other in: the entropy of their mean minus their mean entropy. */
  function information(samples) {
    const alone = mean(samples.map(entropy));
    return entropy(mean(samples)).map((all, at) => Math.max(0, all - alone[at]));
  }

  /* Where a boundary between two classes is at most so many mm away. */
  function near(labels, mm, spacing) {
    const found = new Uint8Array(SIDE * SIDE), differs = (at, other, there) => there && labels[at] !== labels[other];
    for (const at of PIXELS) {
      const x = at % SIDE, y = Math.floor(at / SIDE);
      if (differs(at, at - 1, x > 0) || differs(at, at + 1, x < SIDE - 1) || differs(at, at - SIDE, y > 0)
        || differs(at, at + SIDE, y < SIDE - 1)) for (const place of unetLive.disk(x, y, 2 * mm, spacing)) found[place] = 1;
    }
    return found;
  }

  /* For each bin of confidence: how many pixels, the sum of what was promised, and how many were right. */
  function reliability({ labels, confidence }, truth, where) {
    const bins = Array.from({ length: BINS }, () => ({ count: 0, promised: 0, kept: 0 }));
    for (const at of PIXELS) if (where(at)) {
      const bin = bins[Math.min(BINS - 1, Math.floor(confidence[at] * BINS))];
      bin.count++;
      bin.promised += confidence[at];
      bin.kept += Number(labels[at] === truth[at]);
    }
    return bins;
  }

  const together = (several) => several[0].map((_, i) => Object.fromEntries(["count", "promised", "kept"].map((name) =>
    [name, several.reduce((sum, bins) => sum + bins[i][name], 0)])));

  /* The expected calibration error, and confidence minus the share that is right; NaN without a pixel. */
  function gaps(bins) {
    const sum = (of) => bins.reduce((total, bin) => total + of(bin), 0), count = sum((bin) => bin.count);
    return {
      count, error: sum(({ promised, kept }) => Math.abs(promised - kept)) / count,
      overconfidence: sum(({ promised, kept }) => promised - kept) / count,
    };
  }

  return { CLASSES, atTemperature, mean, best, entropy, information, near, reliability, together, gaps };
})();

/* Disturbances as unet_helpers.failures.disturb computes them: images in Hounsfield units, masks that move with them. */

self.unetDisturb = (() => {
  "use strict";
  const { SIDE } = unetLive;
  const AIR = -1000, LEVEL = -600;

  /* A Gaussian filter of `deviation` pixels; the picture goes on as its own mirror image. */
  function blurred(hu, deviation) {
    if (!deviation) return hu;
    const reach = Math.round(4 * deviation), weights = [];
    for (let k = -reach; k <= reach; k++) weights.push(Math.exp(-0.5 * (k / deviation) ** 2));
    const sum = weights.reduce((a, b) => a + b);
    const mirror = (i) => {
      const j = ((i % (2 * SIDE)) + 2 * SIDE) % (2 * SIDE);
      return j < SIDE ? j : 2 * SIDE - 1 - j;
    };
    const along = (numbers, step, other) => {
      const out = new Float32Array(numbers.length);
      for (let line = 0; line < SIDE; line++) for (let i = 0; i < SIDE; i++) {
        let total = 0;
        for (let k = -reach; k <= reach; k++) total += weights[k + reach] * numbers[line * other + mirror(i + k) * step];
        out[line * other + i * step] = total / sum;
      }
      return out;
    };
    return along(along(hu, 1, SIDE), SIDE, 1);
  }

  /* A square picture of `side` pixels a side, each from the place of the old one that from(row, column) gives, and `fill`
     where that lies outside. */
  function sampled(numbers, from, { side = SIDE, nearest = false, fill = 0 } = {}) {
    const old = Math.sqrt(numbers.length);
    return numbers.constructor.from({ length: side * side }, (_, at) => {
      const [y, x] = from(Math.floor(at / side), at % side);
      if (Math.min(y, x) < 0 || Math.max(y, x) > old - 1) return fill;
      if (nearest) return numbers[Math.floor(y + 0.5) * old + Math.floor(x + 0.5)];
      const top = Math.floor(y), left = Math.floor(x), below = Math.min(top + 1, old - 1), right = Math.min(left + 1, old - 1);
      const [v, u] = [y - top, x - left];
      return (1 - v) * ((1 - u) * numbers[top * old + left] + u * numbers[top * old + right])
        + v * ((1 - u) * numbers[below * old + left] + u * numbers[below * old + right]);
    });
  }

  function resized(numbers, side) {
    const step = (Math.sqrt(numbers.length) - 1) / (side - 1);
    const last = Math.sqrt(numbers.length) - 1, place = (i) => Math.min(last, i * step);
    return sampled(numbers, (row, column) => [place(row), place(column)], { side });
  }

  const moved = ({ hu, mask }, from) => ({
    hu: sampled(hu, from, { fill: AIR }), mask: sampled(mask, from, { nearest: true }),
  });

  /* The same for every picture, from a small generator with a seed; noise by Box and Muller. */
  const uniform = ((seed) => () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed + 0.5) / 2 ** 32;
  })(1);
  const NOISE = Float32Array.from({ length: SIDE * SIDE }, () =>
    Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  const ROWS = Array.from({ length: SIDE }, uniform);

  const noisy = (hu, deviation) => (deviation ? hu.map((number, at) => number + deviation * NOISE[at]) : hu);

  /* In this order, where several are at work. Each takes a slice {hu, mask, spacing} and its strength. */
  const KINDS = {
    rotation(slice, degrees) {
      const middle = (SIDE - 1) / 2, c = Math.cos((degrees * Math.PI) / 180), s = Math.sin((degrees * Math.PI) / 180);
      return moved(slice, (row, column) => {
        const [y, x] = [row - middle, column - middle];
        return [middle + c * y + s * x, middle - s * y + c * x];
      });
    },
    shift: (slice, mm) => moved(slice, (row, column) => [row + mm / slice.spacing, column]),
    blur: ({ hu, spacing }, mm) => ({ hu: blurred(hu, mm / spacing) }),
    resolution: ({ hu }, factor) =>
      (factor === 1 ? {} : { hu: resized(resized(blurred(hu, 0.4 * factor), Math.round(SIDE / factor)), SIDE) }),
    contrast: ({ hu }, share) => ({ hu: hu.map((number) => LEVEL + share * (number - LEVEL)) }),
    noise: ({ hu }, deviation) => ({ hu: noisy(hu, deviation) }),
    "missing rows": ({ hu }, share) => ({ hu: hu.map((number, at) => (ROWS[Math.floor(at / SIDE)] < share ? AIR : number)) }),
  };

  /* A slice under several disturbances, given as {name: strength}. */
  function disturbed(slice, strengths) {
    let found = slice;
    for (const [name, change] of Object.entries(KINDS)) {
      if (name in strengths) found = { ...found, ...change(found, strengths[name]) };
    }
    return found;
  }

  return { blurred, noisy, disturbed };
})();

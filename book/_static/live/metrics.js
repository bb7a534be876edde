/* The numbers of notebook 05 as unet_helpers.evaluation defines them. A mask has a 1 at each pixel of the object. */

self.unetMetrics = (() => {
  "use strict";
  const ratio = (part, whole) => (whole ? part / whole : NaN);

  function counts(truth, mask) {
    const table = [0, 0, 0, 0];
    for (let i = 0; i < truth.length; i++) table[2 * truth[i] + mask[i]]++;
    const [tn, fp, fn, tp] = table;
    return ratios({ tp, fp, fn, tn });
  }

  function ratios({ tp, fp, fn, tn }) {
    return {
      tp, fp, fn, tn, dice: ratio(2 * tp, 2 * tp + fp + fn), iou: ratio(tp, tp + fp + fn),
      precision: ratio(tp, tp + fp), recall: ratio(tp, tp + fn),
    };
  }

  /* The counts of several slices in one table. */
  const pooled = (tables) => ratios(Object.fromEntries(["tp", "fp", "fn", "tn"].map((name) =>
    [name, tables.reduce((sum, table) => sum + table[name], 0)])));

  /* Pixels of the mask with background, or the edge of the picture, beside them: above, below, left or right. */
  function boundary(mask, side) {
    const places = [];
    for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
      const at = y * side + x, inner = x && y && x < side - 1 && y < side - 1
        && mask[at - 1] && mask[at + 1] && mask[at - side] && mask[at + side];
      if (mask[at] && !inner) places.push([y, x]);
    }
    return places;
  }

  function percentile(numbers, share) { // between two numbers on a straight line, as NumPy does
    const sorted = Float64Array.from(numbers).sort(), place = share * (sorted.length - 1), low = Math.floor(place);
    return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  }

  /* In mm; NaN if both masks are empty, infinite if one is. */
  function hausdorff95(truth, mask, side, spacing) {
    const edges = [boundary(truth, side), boundary(mask, side)];
    if (edges.some((edge) => !edge.length)) return edges.some((edge) => edge.length) ? Infinity : NaN;
    const far = ([edge, other]) => edge.map(([y, x]) => {
      let nearest = Infinity;
      for (const [v, u] of other) nearest = Math.min(nearest, (y - v) ** 2 + (x - u) ** 2);
      return spacing * Math.sqrt(nearest);
    });
    return Math.max(percentile(far(edges), 0.95), percentile(far(edges.reverse()), 0.95));
  }

  return { counts, pooled, hausdorff95 };
})();

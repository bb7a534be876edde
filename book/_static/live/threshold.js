/* An operating point (notebook 05): from what probability on is a pixel called nodule, and what does that cost? */

(() => {
  "use strict";
  const { SIDE, COLORS, slider } = unetLive;
  const THRESHOLDS = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
  const CURVES = {
    precision: { color: COLORS.fp }, recall: { color: COLORS.fn, dashes: "8 4" }, dice: { color: "currentColor", dashes: "2 4" },
  };
  const ROWS = {
    tp: "TP", fp: "FP", fn: "FN", precision: "precision", recall: "recall", dice: "Dice", pieces: "pieces found", made: "false pieces",
  };
  const html = () => `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice: nodule pixels found, missed and too many")}
      ${unetLive.legend({ TP: COLORS.tp, FP: COLORS.fp, FN: COLORS.fn })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      ${slider("threshold", ["nodule from this probability on", "", 0.01, 0.99, 0.01, 0.5])}
      <label>Slice <select></select></label>
      <label><input type="checkbox" name="zoom" checked> come closer</label>
      ${unetPlot.html("Precision, recall and Dice over the threshold", "threshold, 0 to 1")}
      <table class="live-table"><caption>The nodule at this threshold</caption>
        <thead><tr><th scope="col">number</th><th scope="col">this slice</th><th scope="col">all</th></tr></thead>
        <tbody>${Object.entries(ROWS).map(([id, name]) =>
          `<tr><th scope="row">${name}</th><td data-one="${id}"></td><td data-all="${id}"></td></tr>`).join("")}</tbody></table>
    </div>`;

  const shown = (number) => (Number.isNaN(number) ? "0/0" : number.toFixed(2));

  async function start(place, app) {
    const view = { left: 0, top: 0, side: SIDE };
    const canvas = app.querySelector("canvas"), select = app.querySelector("select"), zoom = app.querySelector("[name=zoom]");
    const easel = unetLive.easel(canvas, view), input = app.querySelector("#live-threshold");
    const slices = unetSlices.map((_, number) => unetLive.slice(number));
    for (const slice of slices) {
      slice.gray = unetLive.grays(slice.hu, -600, 1500);
      slice.truth = slice.mask.map((label) => Number(label === 2));
      const { probabilities, classes } = await unetLive.ask({ image: slice.gray, side: SIDE });
      slice.probability = Float32Array.from(slice.truth, (_, at) => probabilities[at * classes + 2]);
    }
    const state = place.live = { slices };
    const maskOf = ({ probability }, threshold) => Uint8Array.from(probability, (p) => Number(p >= threshold));
    const tables = (threshold) => slices.map((slice) => unetMetrics.counts(slice.truth, maskOf(slice, threshold)));

    /* A piece of the truth is found if a pixel of it is predicted; a predicted one is false if it holds no true pixel. */
    function piecesOf(slice, mask) {
      const there = unetLive.groups((at) => slice.truth[at]), predicted = unetLive.groups((at) => mask[at]);
      return {
        true: there.length, found: there.filter((group) => group.some((at) => mask[at])).length,
        made: predicted.filter((group) => !group.some((at) => slice.truth[at])).length,
      };
    }

    function plot() {
      const over = THRESHOLDS.map((threshold) => unetMetrics.pooled(tables(threshold)));
      const lines = Object.entries(CURVES).map(([name, style]) =>
        unetPlot.line(THRESHOLDS.map((threshold, i) => [threshold, over[i][name]]), style));
      const names = Object.fromEntries(Object.entries(CURVES).map(([name, style]) => [ROWS[name], style]));
      app.querySelector("svg g").innerHTML = lines.join("") + unetPlot.key(names, 92);
    }

    function change() {
      unetLive.showValues(app);
      rest.moved();
      const threshold = Number(input.value), slice = slices[select.selectedIndex];
      const each = slices.map((one) => piecesOf(one, maskOf(one, threshold))), own = tables(threshold);
      const sum = (name) => each.reduce((total, pieces) => total + pieces[name], 0);
      const all = { true: sum("true"), found: sum("found"), made: sum("made") };
      state.threshold = threshold;
      state.one = { ...own[select.selectedIndex], ...each[select.selectedIndex] };
      state.all = { ...unetMetrics.pooled(own), ...all };
      for (const which of ["one", "all"]) for (const id of Object.keys(ROWS)) {
        const numbers = state[which], cell = app.querySelector(`[data-${which}=${id}]`);
        cell.textContent = id === "pieces" ? `${numbers.found} of ${numbers.true}`
          : CURVES[id] ? shown(numbers[id]) : numbers[id];
      }
      unetPlot.here(app.querySelector("svg"), threshold);

      unetLive.look(view, slice, zoom.checked ? SIDE / 2 : SIDE);
      const mask = maskOf(slice, threshold);
      easel.picture(slice.gray);
      easel.fill((at) => slice.truth[at] && mask[at], `${COLORS.tp}aa`);
      easel.fill((at) => !slice.truth[at] && mask[at], `${COLORS.fp}aa`);
      easel.fill((at) => slice.truth[at] && !mask[at], `${COLORS.fn}aa`);
      easel.scale(slice.spacing);
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      rest.rests();
    }

    const rest = unetLive.resting(place, () => {
      const { threshold, all } = state;
      app.querySelector(".live-says").textContent = `From ${threshold} on: ${all.found} of ${all.true} pieces of nodule found `
        + `and ${all.made} made up in the ${slices.length} slices. Recall ${shown(all.recall)}, precision ${shown(all.precision)}.`;
    });

    unetLive.fillSlices(select);
    select.addEventListener("change", change);
    zoom.addEventListener("change", change);
    input.addEventListener("input", change);
    plot();
    change();
  }

  unetLive.pieces.threshold = { title: "Move the threshold", needs: ["metrics.js", "plot.js"], get html() { return html(); }, start };
})();

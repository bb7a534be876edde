/* How sure is it (notebook 12)? Temperature and dropout samples, maps of doubt, and the reliability over the slices here. */

(() => {
  "use strict";
  const { SIDE, COLORS, slider, choice } = unetLive;
  const NODULE = 2, NEAR = 10, CUT = 0.1;
  const MAPS = { // in the picture: what it is called, and what is white
    outlines: { name: "the outlines" },
    unsure: { name: "1 − highest probability", white: () => 2 / 3, say: "White is two thirds: an even guess." },
    entropy: { name: "entropy", white: () => Math.log(3), say: "White is log 3: an even guess." },
    information: { name: "mutual information of the samples", white: (values) => Math.max(1e-6, values.reduce((a, b) => Math.max(a, b))) },
  };
  const REGIONS = { all: "all pixels", near: "near an outline (10 mm)", called: "called nodule" };
  const ROWS = {
    count: "pixels counted", error: "calibration error", overconfidence: "overconfidence", dice: "nodule Dice, most probable class",
    cut: `nodule Dice, from ${CUT} on`,
  };
  const html = () => `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice with what the network draws, or a map of its doubt")}
      ${unetLive.legend({ lung: COLORS.lung, nodule: COLORS.nodule, [`nodule from ${CUT} on`]: "#00c8c8", "true nodule": COLORS.truth })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      ${slider("temperature", ["temperature", "", 0.2, 4, 0.1, 1])}
      ${slider("samples", ["dropout samples (0: no dropout)", "", 0, 10, 1, 0])}
      <label>Slice <select></select></label>
      <label><input type="checkbox" name="zoom" checked> come closer</label>
      <fieldset><legend>In the picture</legend>${Object.entries(MAPS).map(([id, { name }], i) =>
        choice("map", id, name, i ? "" : "checked")).join("")}</fieldset>
      <fieldset><legend>Counted</legend>${Object.entries(REGIONS).map(([id, name], i) =>
        choice("region", id, name, i ? "" : "checked")).join("")}</fieldset>
      ${unetPlot.html("Reliability diagram over all slices: share that is right over confidence; the table sums it up", "confidence, 0 to 1", 2)}
      <table class="live-table"><caption>What is promised, and what is kept</caption>
        <thead><tr><th scope="col">number</th><th scope="col">this slice</th><th scope="col">all</th></tr></thead>
        <tbody>${Object.entries(ROWS).map(([id, name]) =>
          `<tr><th scope="row">${name}</th><td data-one="${id}"></td><td data-all="${id}"></td></tr>`).join("")}</tbody></table>
    </div>`;

  const shown = (number, digits) => (Number.isNaN(number) ? "0/0" : unetLive.signed(number.toFixed(digits)));
  const DIGITS = { count: 0, error: 3, overconfidence: 3, dice: 2, cut: 2 };

  async function start(place, app) {
    const { CLASSES, ...tools } = unetCalibration, view = { left: 0, top: 0, side: SIDE };
    const canvas = app.querySelector("canvas"), select = app.querySelector("select"), zoom = app.querySelector("[name=zoom]");
    const easel = unetLive.easel(canvas, view), svg = app.querySelector("svg");
    const value = (name) => Number(app.querySelector(`#live-${name}`).value);
    const chosen = (name) => app.querySelector(`[name=live-${name}]:checked`).value;
    const slices = unetSlices.map((_, number) => unetLive.slice(number));
    const state = place.live = { slices, turn: 0, measured: false };
    for (const slice of slices) {
      slice.gray = unetLive.grays(slice.hu, -600, 1500);
      slice.nodule = slice.mask.map((label) => Number(label === NODULE));
      slice.edge = tools.near(slice.mask, NEAR, slice.spacing);
      slice.plain = (await unetLive.ask({ image: slice.gray, side: SIDE })).probabilities;
      slice.samples = [];
    }

    /* Samples are drawn when they are first asked for, and kept. */
    async function change() {
      unetLive.showValues(app);
      rest.moved();
      const turn = ++state.turn;
      for (const slice of slices) while (slice.samples.length < value("samples")) {
        const { probabilities } = await unetLive.ask({ image: slice.gray, side: SIDE, seed: slice.samples.length + 1 });
        if (turn !== state.turn) return;
        slice.samples.push(probabilities);
      }
      show();
    }

    let drawing; // one picture for all moves between two frames
    function show() {
      drawing ??= requestAnimationFrame(() => {
        drawing = null;
        if (!state.measured) slices.forEach(measure);
        state.measured = true;
        sumUp();
        draw(slices[select.selectedIndex]);
        place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
        rest.rests();
      });
    }

    function measure(slice) {
      const samples = value("samples") ? slice.samples.slice(0, value("samples")) : [slice.plain];
      slice.drawn = samples.map((each) => tools.atTemperature(each, value("temperature")));
      slice.probabilities = slice.drawn.length > 1 ? tools.mean(slice.drawn) : slice.drawn[0];
      slice.best = tools.best(slice.probabilities);
      slice.above = slice.nodule.map((_, at) => Number(slice.probabilities[CLASSES * at + NODULE] >= CUT));
      const { labels } = slice.best, edge = chosen("region") === "near" && tools.near(labels, NEAR, slice.spacing);
      const where = { all: () => true, near: (at) => slice.edge[at] || edge[at], called: (at) => labels[at] === NODULE };
      slice.bins = tools.reliability(slice.best, slice.mask, where[chosen("region")]);
      slice.table = unetMetrics.counts(slice.nodule, labels.map((label) => Number(label === NODULE)));
      slice.cut = unetMetrics.counts(slice.nodule, slice.above);
    }

    function sumUp() {
      const own = slices[select.selectedIndex], bins = tools.together(slices.map((slice) => slice.bins));
      const numbers = (bins, table, cut) => ({ ...tools.gaps(bins), dice: table.dice, cut: cut.dice });
      state.one = numbers(own.bins, own.table, own.cut);
      const pooled = (name) => unetMetrics.pooled(slices.map((slice) => slice[name]));
      state.all = numbers(bins, pooled("table"), pooled("cut"));
      for (const which of ["one", "all"]) for (const id of Object.keys(ROWS)) {
        app.querySelector(`[data-${which}=${id}]`).textContent = shown(state[which][id], DIGITS[id]);
      }
      const lines = { "the network": { color: "var(--live-lung)" }, "promises kept": { color: "currentColor", dashes: "2 4" } };
      const points = bins.filter(({ count }) => count).map(({ count, promised, kept }) => [promised / count, kept / count]);
      svg.querySelector("g").innerHTML = unetPlot.line([[0, 0], [1, 1]], lines["promises kept"])
        + unetPlot.line(points, lines["the network"]) + points.map((each) => unetPlot.point(each, "var(--live-lung)", 3)).join("")
        + unetPlot.key(lines);
    }

    function draw(slice) {
      const kind = MAPS[chosen("map")], { labels, confidence } = slice.best;
      unetLive.look(view, slice, zoom.checked ? SIDE / 2 : SIDE);
      if (kind === MAPS.outlines) {
        easel.picture(slice.gray);
        easel.outline((at) => labels[at] > 0, COLORS.lung, 2);
        easel.fill((at) => labels[at] === NODULE, `${COLORS.nodule}55`);
        easel.outline((at) => slice.nodule[at] > 0, COLORS.truth, 3);
        easel.outline((at) => labels[at] === NODULE, COLORS.nodule, 5);
        easel.outline((at) => slice.above[at] > 0, "#00c8c8", 2);
      } else {
        const values = kind === MAPS.unsure ? confidence.map((each) => 1 - each)
          : kind === MAPS.entropy ? tools.entropy(slice.probabilities) : tools.information(slice.drawn);
        state.white = kind.white(values);
        easel.picture(values.map((each) => Math.min(1, each / state.white)));
        easel.outline((at) => slice.nodule[at] > 0, COLORS.truth, 3);
      }
      easel.scale(slice.spacing);
    }

    const rest = unetLive.resting(place, () => {
      const kind = MAPS[chosen("map")], samples = value("samples"), { error, overconfidence, dice, cut } = state.all;
      const gap = Number.isNaN(overconfidence) ? "" : `: the network is ${overconfidence > 0 ? "over" : "under"}confident`;
      const words = [
        `Calibration error ${shown(error, 3)}, ${REGIONS[chosen("region")]}${gap}.`,
        `Nodule Dice ${shown(dice, 2)}; if drawn from ${CUT} on, ${shown(cut, 2)}.`,
      ]; // short: on a phone the sliders are below it
      if (samples) words.unshift(`Mean of ${samples} dropout samples.`);
      if (kind === MAPS.information) words.push(samples > 1 ? `White is ${state.white.toFixed(2)}.` : "It takes two samples to disagree.");
      else if (kind.say) words.push(kind.say);
      app.querySelector(".live-says").textContent = words.join(" ");
    });

    unetLive.fillSlices(select);
    for (const each of app.querySelectorAll("select, input")) {
      const looks = each.matches("select, [name=zoom], [name=live-map]"); // at what is measured
      each.addEventListener(each.type === "range" ? "input" : "change", () => { state.measured &&= looks; change(); });
    }
    await change();
  }

  unetLive.pieces.doubt = {
    title: "Ask how sure it is", needs: ["metrics.js", "plot.js", "calibration.js"], get html() { return html(); }, start,
  };
})();

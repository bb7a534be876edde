/* What a change of the picture costs (notebooks 06 and 09): sliders, the outlines live beside the truth, and the Dice over
   the slider that was moved last.

   A piece offers {sliders, slices, picture}: by name, sliders with {label, unit, step, levels, and if wanted start, words,
   recorded, alone}, names of the slices, and picture(number, settings), which gives {gray, mask, spacing} of a slice for
   the value of each slider. The curve is computed at the `levels`, which run from one end of the slider to the other, and
   halfway between them. `words` say what the whole numbers of a slider mean; of the sliders that are `alone` one at a time
   is at work. */

self.unetCosts = (() => {
  "use strict";
  const { SIDE, COLORS, slider } = unetLive;
  const CLASSES = { lung: 1, nodule: 2 };
  const LINES = { lung: { color: "var(--live-lung)" }, nodule: { color: "var(--live-nodule)", dashes: "8 4" } };
  const RECORDED = { dashes: "2 3", width: 1.5 };
  const idOf = (name) => `costs-${name.replace(/\W/g, "-")}`;
  const halved = (levels) => levels.flatMap((level, i) => (i ? [(levels[i - 1] + level) / 2, level] : [level]));
  const pointsOf = ({ levels, words }) => (words ? levels : halved(levels));
  const startOf = ({ start, levels }) => start ?? levels[0];
  const shown = (number) => (Number.isNaN(number) ? "0/0" : number.toFixed(2));

  const html = ({ sliders }) => `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice with the outlines that the network draws, and the true ones")}
      ${unetLive.legend({ lung: COLORS.lung, nodule: COLORS.nodule, "the truth": COLORS.truth })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <label>Slice <select></select></label>
      <fieldset><legend>What happens to the picture</legend>${Object.entries(sliders).map(([name, each]) => {
        const ends = [each.levels[0], each.levels.at(-1)];
        return slider(idOf(name), [each.label, each.unit, Math.min(...ends), Math.max(...ends), each.step, startOf(each)]);
      }).join("")}</fieldset>
      <button type="button">Start again</button>
      ${unetPlot.html("Dice of lung and nodule over the slider that was moved last; the table has the numbers of here and now", "", 3)}
      <table class="live-table"><caption>Dice on this slice</caption>
        <thead><tr><th scope="col">class</th><th scope="col">at the start</th><th scope="col">now</th></tr></thead>
        <tbody>${Object.keys(CLASSES).map((name) => `<tr><th scope="row">${name}</th><td data-before="${name}"></td>
          <td data-now="${name}"></td></tr>`).join("")}</tbody></table>
    </div>`;

  function start(place, app, offers) {
    const { sliders } = offers, names = Object.keys(sliders);
    const state = place.live = { moved: names[0], turn: 0, curve: {}, before: {} };
    const canvas = app.querySelector("canvas"), select = app.querySelector("select"), svg = app.querySelector("svg");
    const easel = unetLive.easel(canvas), number = () => select.selectedIndex;
    const inputOf = (name) => app.querySelector(`#live-${idOf(name)}`);
    const settings = () => Object.fromEntries(names.map((name) => [name, Number(inputOf(name).value)]));
    const untouched = Object.fromEntries(names.map((name) => [name, startOf(sliders[name])]));
    const changed = (values) => names.filter((name) => values[name] !== untouched[name]);

    function scores(mask, labels) {
      const of = (label) => (each) => Number(each === label);
      return Object.fromEntries(Object.entries(CLASSES).map(([name, label]) =>
        [name, unetMetrics.counts(mask.map(of(label)), labels.map(of(label))).dice]));
    }

    async function scoresAt(values) {
      const { gray, mask } = offers.picture(number(), values);
      return scores(mask, (await unetLive.ask({ image: gray, side: SIDE })).labels);
    }

    function change() {
      unetLive.showValues(app);
      rest.moved();
      state.turn++;
      compute();
    }

    const compute = unetLive.latest(() => {
      state.picture = offers.picture(number(), settings());
      return { image: state.picture.gray, side: SIDE };
    }, async ({ labels }, more) => {
      const turn = state.turn;
      state.labels = labels;
      state.now = scores(state.picture.mask, labels);
      draw();
      plot();
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      if (!more && await fillCurve(turn)) rest.rests();
    });

    /* The curve stays while its own slider is moved. A change while it is computed ends this call, and goes on with it. */
    async function fillCurve(turn) {
      const name = state.moved, levels = pointsOf(sliders[name]), values = settings();
      const key = JSON.stringify([number(), name, { ...values, [name]: null }]);
      if (state.curve.key !== key) state.curve = { key, name, found: [], others: changed(values).some((each) => each !== name) };
      const { found } = state.curve;
      while (found.length < levels.length) {
        const next = await scoresAt({ ...values, [name]: levels[found.length] });
        if (turn !== state.turn) return false;
        found.push(next);
      }
      state.before[number()] ??= await scoresAt(untouched);
      plot();
      return turn === state.turn;
    }

    function plot() {
      const { name = state.moved, found = [], others } = state.curve, { levels, recorded, label, unit } = sliders[name];
      const points = pointsOf(sliders[name]);
      const [low, high] = [Math.min(...levels), Math.max(...levels)], share = (level) => (level - low) / (high - low); // as the slider
      const here = share(settings()[name]), lines = [], parts = { ...LINES };
      for (const each of Object.keys(CLASSES)) {
        const line = (places, dices) => places.slice(0, dices.length).map((level, i) => [share(level), dices[i]]);
        if (recorded && !others) lines.push(unetPlot.line(line(levels, recorded[each]), { ...LINES[each], ...RECORDED }));
        lines.push(unetPlot.line(line(points, found.map((dices) => dices[each])), LINES[each]));
        lines.push(unetPlot.point([here, state.now[each]], LINES[each].color));
      }
      if (recorded && !others) parts[`recorded mean of ${recorded.patients} patients`] = { color: "currentColor", ...RECORDED };
      svg.querySelector("g").innerHTML = lines.join("") + unetPlot.key(parts);
      unetPlot.here(svg, here);
      svg.querySelector(".live-below").textContent = `${label}: ${textOf(name, low)} to ${textOf(name, high)} ${unit}`.trim();
      for (const each of Object.keys(CLASSES)) {
        app.querySelector(`[data-now=${each}]`).textContent = shown(state.now[each]);
        const before = state.before[number()];
        app.querySelector(`[data-before=${each}]`).textContent = before ? shown(before[each]) : "";
      }
    }

    const textOf = (name, value) => sliders[name].words?.[value] ?? unetLive.signed(value);

    function draw() {
      const { picture: { gray, mask, spacing }, labels } = state;
      easel.picture(gray);
      easel.outline((at) => mask[at] > 0, COLORS.truth, 2);
      easel.outline((at) => mask[at] === 2, COLORS.truth, 3);
      easel.outline((at) => labels[at] > 0, COLORS.lung, 2);
      easel.fill((at) => labels[at] === 2, `${COLORS.nodule}55`);
      easel.outline((at) => labels[at] === 2, COLORS.nodule, 4);
      easel.scale(spacing);
    }

    const rest = unetLive.resting(place, () => {
      const values = settings(), before = state.before[number()];
      const what = changed(values).map((name) =>
        `${sliders[name].label} ${textOf(name, values[name])} ${sliders[name].unit}`.trim());
      const { lung, nodule } = state.now;
      app.querySelector(".live-says").textContent = what.length
        ? `With ${what.join(", ")}: the Dice of the lungs is ${shown(lung)} (at the start ${shown(before.lung)}), of the nodule `
          + `${shown(nodule)} (${shown(before.nodule)}).`
        : `Nothing is changed: the Dice of the lungs is ${shown(lung)}, of the nodule ${shown(nodule)}.`;
    });

    for (const name of names) {
      if (sliders[name].words) inputOf(name).dataset.words = sliders[name].words.join("|");
      inputOf(name).addEventListener("input", () => {
        state.moved = name;
        if (sliders[name].alone) for (const other of names) {
          if (other !== name && sliders[other].alone) inputOf(other).value = untouched[other];
        }
        change();
      });
    }
    app.querySelector("button").addEventListener("click", () => {
      for (const name of names) inputOf(name).value = untouched[name];
      change();
    });
    offers.slices.forEach((name) => select.add(new Option(name)));
    select.addEventListener("change", change);
    change();
  }

  return { html, start };
})();

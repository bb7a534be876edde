/* Clicks (notebook 17): the reader says by clicks what is wanted, and a network that takes clicks draws it. */

(() => {
  "use strict";
  const { SIDE, COLORS, choice } = unetLive;
  const NETWORK = "clicks_network.js", RADIUS = 2, THRESHOLD = 0.5; // as in unet_helpers.teaching.clicks
  const AXIS = 10; // clicks on the axis of the plot, where there are not more
  const KINDS = {
    positive: { sign: "+", color: COLORS.tp, words: "belongs to it" },
    negative: { sign: "×", color: COLORS.fp, words: "does not belong to it" },
  };
  const rows = (numbers) => Object.entries(numbers).map(([id, name]) =>
    `<tr><th scope="row">${name}</th><td data-number="${id}"></td></tr>`).join("");
  const html = () => `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice with your clicks and what the network draws", "clicks-keys")}
      ${unetLive.legend({ network: COLORS.lung, "click +": COLORS.tp, "click ×": COLORS.fp, "ground truth": COLORS.truth })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <label>Wanted <select></select></label>
      <fieldset><legend>A click says</legend> ${Object.entries(KINDS).map(([kind, { sign, words }]) =>
        choice("kind", kind, `${sign} ${words}`, kind === "positive" ? "checked" : "")).join(" ")}</fieldset>
      <div class="live-buttons"><button type="button" value="undo">Undo</button>
        <button type="button" value="clear">Clear</button>
        <button type="button" value="simulated">Simulated click</button></div>
      <fieldset><legend>Shown</legend>
        <label><input type="checkbox" name="truth"> the ground truth</label>
        <label><input type="checkbox" name="zoom"> come closer</label>
      </fieldset>
      ${unetPlot.html("Dice over the number of clicks; the table has the numbers of now", "")}
      <table class="live-table"><caption>So far</caption><tbody>${rows({
        positive: "clicks that say +", negative: "clicks that say ×", dice: "Dice", before: "Dice before the last click",
      })}</tbody></table>
      <p class="live-keys" id="clicks-keys">With Shift a click says the opposite. With the keyboard: the arrow keys move the
        ring in the picture, five times as far with Shift; Enter clicks, and with Shift it says the opposite.</p>
      <p class="live-speed"></p>
    </div>`;

  const opposite = (kind) => (kind === "positive" ? "negative" : "positive");
  const shown = (number) => (Number.isFinite(number) ? number.toFixed(2) : "–");

  /* What the network takes: for each pixel its gray value, and whether a click of each kind is near. */
  function withClicks(gray, clicks) {
    const image = new Float32Array(3 * gray.length);
    gray.forEach((value, at) => { image[3 * at] = value; });
    for (const { x, y, kind } of clicks) {
      for (const at of unetLive.disk(x, y, 2 * RADIUS, 1)) image[3 * at + (kind === "positive" ? 1 : 2)] = 1;
    }
    return image;
  }

  /* Where somebody who knows the truth clicks next: the pixel of the largest error that lies deepest in it. */
  function nextClick(truth, mask) {
    const errors = [[truth, mask], [mask, truth]].flatMap(([one, other]) =>
      unetLive.groups((at) => one[at] && !other[at], false));
    if (!errors.length) return null;
    const largest = errors.reduce((best, error) => (error.length > best.length ? error : best)), inside = new Set(largest);
    const places = largest.sort((a, b) => a - b).map((at) => [at % SIDE, Math.floor(at / SIDE)]);
    const outside = places.flatMap(([x, y]) => [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]])
      .filter(([x, y]) => x < 0 || x >= SIDE || !inside.has(y * SIDE + x));
    let deepest = 0, found;
    for (const [x, y] of places) {
      const depth = outside.reduce((least, [u, v]) => Math.min(least, (x - u) ** 2 + (y - v) ** 2), Infinity);
      if (depth > deepest) [deepest, found] = [depth, { x, y }];
    }
    return { ...found, kind: truth[found.y * SIDE + found.x] ? "positive" : "negative" };
  }

  function start(place, app, engine) {
    const state = place.live = { fastest: Infinity }, view = { left: 0, top: 0, side: SIDE };
    const canvas = app.querySelector("canvas"), select = app.querySelector("select"), svg = app.querySelector("svg");
    const easel = unetLive.easel(canvas, view);
    const control = (name) => app.querySelector(`input[name=${name}]`);
    canvas.style.touchAction = "pan-y pinch-zoom"; // a tap is no stroke

    function take() {
      const { name, slice, mask, near } = unetTargets[select.selectedIndex], { hu, spacing } = unetLive.slice(slice);
      Object.assign(state, { name, spacing, gray: unetLive.grays(hu, -600, 1500), truth: unetLive.bitsOf(mask), mask: null });
      control("zoom").checked = near;
      look();
      clear();
    }

    function look() {
      const { truth } = state, pixels = [...truth.keys()].filter((at) => truth[at]);
      const mean = (of) => pixels.reduce((sum, at) => sum + of(at), 0) / pixels.length;
      const middle = [mean((at) => Math.floor(at / SIDE)), mean((at) => at % SIDE)];
      unetLive.look(view, { nodules: [middle] }, control("zoom").checked ? SIDE / 2 : SIDE);
      [hand.y, hand.x] = [view.top + view.side / 2, view.left + view.side / 2];
    }

    /* --- clicks --- */

    /* The list is never changed, only replaced: an answer belongs to the list that it was asked with. */
    function set(clicks) {
      state.clicks = clicks;
      state.dices = state.dices.slice(0, clicks.length);
      rest.moved();
      compute();
    }

    const undo = () => set(state.clicks.slice(0, -1));

    function clear() {
      state.dices = [];
      set([]);
    }

    function click(x, y, event) {
      const kind = app.querySelector("input[name=live-kind]:checked").value;
      const inside = (at) => Math.min(SIDE - 1, Math.max(0, Math.round(at)));
      set([...state.clicks, { x: inside(x), y: inside(y), kind: event.shiftKey ? opposite(kind) : kind }]);
    }

    function simulated() {
      if (state.answered !== state.clicks) return; // the error is not yet that of all clicks
      const next = nextClick(state.truth, state.mask);
      if (next) set([...state.clicks, next]);
    }

    const compute = unetLive.latest(() => {
      draw();
      state.asked = state.clicks;
      return { by: NETWORK, image: withClicks(state.gray, state.clicks), side: SIDE };
    }, ({ probabilities, milliseconds }, more) => {
      state.fastest = Math.min(state.fastest, milliseconds);
      if (state.asked !== state.clicks) return;
      state.answered = state.clicks;
      state.probabilities = probabilities;
      const asked = state.clicks.length > 0; // without a click the answer means nothing
      state.mask = Uint8Array.from(probabilities, (probability) => Number(asked && probability >= THRESHOLD));
      state.dices[state.clicks.length] = unetMetrics.counts(state.truth, state.mask).dice;
      draw();
      sumUp();
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      if (!more) rest.rests();
    });

    /* --- what the reader sees and hears --- */

    function draw() {
      const { mask, truth } = state, ring = 16 / (canvas.width / view.side);
      easel.picture(state.gray);
      if (mask) {
        easel.fill((at) => mask[at] > 0, `${COLORS.lung}55`);
        easel.outline((at) => mask[at] > 0, COLORS.lung, 3);
      }
      if (control("truth").checked) easel.outline((at) => truth[at] > 0, COLORS.truth, 3);
      for (const click of state.clicks) for (const [color, width] of [["#fff", 10], [KINDS[click.kind].color, 5]]) {
        sign(click, ring, color, width);
      }
      easel.scale(state.spacing);
      if (hand.seen) {
        easel.circle(hand, 2 * ring, "#000", 4);
        easel.circle(hand, 2 * ring, "#fff", 2);
      }
    }

    function sign({ x, y, kind }, size, color, width) {
      const { context } = easel, half = size / 2;
      easel.line(color, width);
      context.lineCap = "round";
      const ends = kind === "positive" ? [[half, 0], [0, half]] : [[0.7 * half, 0.7 * half], [0.7 * half, -0.7 * half]];
      for (const [dx, dy] of ends) {
        context.moveTo(x + 0.5 - dx, y + 0.5 - dy);
        context.lineTo(x + 0.5 + dx, y + 0.5 + dy);
      }
      context.stroke();
      context.lineCap = "butt";
    }

    function sumUp() {
      const { clicks, dices } = state, end = Math.max(AXIS, clicks.length);
      const of = (kind) => clicks.filter((one) => one.kind === kind).length;
      const numbers = { positive: of("positive"), negative: of("negative") };
      Object.assign(numbers, { dice: shown(dices[clicks.length]), before: shown(dices[clicks.length - 1]) });
      for (const cell of app.querySelectorAll("[data-number]")) cell.textContent = numbers[cell.dataset.number];
      const points = [...dices].map((dice, count) => [count / end, dice ?? NaN]);
      svg.querySelector("g").innerHTML = unetPlot.line(points, { color: "var(--live-lung)" })
        + points.map((point) => unetPlot.point(point, "var(--live-lung)", 3)).join("");
      unetPlot.here(svg, clicks.length / end);
      svg.querySelector(".live-below").textContent = `clicks, 0 to ${end}`;
    }

    const rest = unetLive.resting(place, () => {
      const { clicks, dices, name } = state, count = clicks.length, dice = dices[count];
      const words = count ? [`${count} ${count === 1 ? "click" : "clicks"}: Dice ${shown(dice)}`] : [`No click yet: click on ${name}`];
      if (count && Number.isFinite(dices[count - 1])) words.push(`, ${shown(dices[count - 1])} before the last`);
      app.querySelector(".live-says").textContent = `${words.join("")}.`;
      const speed = `Computed in this browser by ${engine.kernel}, at best in ${Math.ceil(state.fastest)} ms.`;
      app.querySelector(".live-speed").textContent = speed;
    });

    const hand = unetLive.hand(canvas, { use: click, draw, paints: () => false, view });
    for (const group of new Set(unetTargets.map((target) => target.group))) {
      const offered = Object.assign(document.createElement("optgroup"), { label: group });
      for (const target of unetTargets) if (target.group === group) offered.append(new Option(target.name));
      select.add(offered);
    }
    select.addEventListener("change", take);
    const buttons = { undo, clear, simulated };
    app.querySelectorAll("button").forEach((button) => button.addEventListener("click", buttons[button.value]));
    control("zoom").addEventListener("change", () => { look(); draw(); });
    control("truth").addEventListener("change", draw);
    take();
  }

  unetLive.pieces.clicks = {
    title: "Click on what you want", network: NETWORK, needs: ["metrics.js", "plot.js", "targets.js"],
    get html() { return html(); }, start,
  };
})();

/* Inside the U (notebook 03): the feature maps of each box, a skip connection switched off, a pixel's receptive field. */

(() => {
  "use strict";
  const { SIDE, COLORS, choice } = unetLive;
  const DEPTH = 4, LEVELS = [1, 2, 3, 4], SHEET = 1024;

  /* Each box: its layer, the level at which its maps lie (each level halves them), and whether it is on the way up. */
  const BOXES = { picture: { layer: "image", level: 0 } };
  for (const level of LEVELS) BOXES[`down${level}`] = { layer: `down${level}_relu2`, level };
  BOXES.bottleneck = { layer: "bottleneck_relu2", level: DEPTH + 1 };
  for (const level of LEVELS) BOXES[`up${level}`] = { layer: `up${level}_relu2`, level, up: true };
  BOXES.output = { level: 1, up: true };
  const sideOf = ({ level }) => SIDE >> Math.max(0, level - 1);
  const CLASSES = ["background", "lung", "nodule"];

  /* First and last pixel of the picture on which a place in a box depends, in one direction; as notebook 03 has it. */
  function reach(place, { level, up }) {
    let first = place, last = place, at = level;
    if (up) for (; at <= DEPTH; at++) [first, last] = [Math.floor((first - 2) / 2), Math.floor((last + 2) / 2)];
    if (at) [first, last] = [first - 2, last + 2];
    for (; at > 1; at--) [first, last] = [2 * first - 2, 2 * last + 1 + 2];
    return [first, last];
  }

  const button = (name) => `<button type="button" value="${name}" aria-pressed="false">${name} <small></small></button>`;
  const skip = (level) => `<label><input type="checkbox" value="skip${level}" checked> skip${level}</label>`;
  const html = `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice with what the network draws, and the receptive field of a pixel", "inside-keys")}
      ${unetLive.legend({ lung: COLORS.lung, nodule: COLORS.nodule, "receptive field": COLORS.truth })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <label>Slice <select></select></label>
      <fieldset><legend>In the picture</legend> ${choice("over", "mask", "the mask", "checked")}
        ${choice("over", 1, "probability of lung")} ${choice("over", 2, "probability of nodule")}</fieldset>
      <fieldset><legend>The U</legend>
        <div class="live-u">${button("picture")}${button("output")}
          ${LEVELS.map((level) => button(`down${level}`) + skip(level) + button(`up${level}`)).join("")}
          ${button("bottleneck")}</div>
      </fieldset>
      <canvas class="live-maps" role="img"></canvas>
      <p class="live-maps-say"></p>
      <p class="live-keys" id="inside-keys">A click in the picture chooses a pixel. With the keyboard: the arrow keys move
        it, five times as far with Shift.</p>
    </div>`;

  function start(place, app) {
    const state = place.live = { box: "down1", wanted: "down1", pixel: { x: 64, y: 64 }, reach };
    const [canvas, sheet] = app.querySelectorAll("canvas"), select = app.querySelector("select");
    const easel = unetLive.easel(canvas);
    canvas.style.touchAction = "pan-y pinch-zoom";
    const switches = [...app.querySelectorAll("input[type=checkbox]")];
    const off = () => switches.filter((input) => !input.checked).map((input) => input.value);

    for (const each of app.querySelectorAll("button")) {
      const box = BOXES[each.value], filters = unetNetwork.layers.find(({ name }) => name === box.layer)?.filters;
      const count = filters || (each.value === "output" ? CLASSES.length : 1);
      each.querySelector("small").textContent = `${count} of ${sideOf(box)}×${sideOf(box)}`;
    }

    async function takeSlice() {
      state.slice = unetLive.slice(select.selectedIndex);
      state.gray = unetLive.grays(state.slice.hu, -600, 1500);
      const [row, column] = state.slice.nodules[0] || [SIDE / 2, SIDE / 2];
      Object.assign(state.pixel, { x: Math.round(column), y: Math.round(row) });
      Object.assign(hand, state.pixel);
      rest.moved();
      state.whole = (await unetLive.ask({ image: state.gray, side: SIDE })).labels;
      change();
    }

    function change() {
      rest.moved();
      compute();
    }

    let asked; // while the worker computes, the reader may want another box
    const compute = unetLive.latest(() => {
      asked = state.wanted;
      const { layer } = BOXES[asked];
      return { image: state.gray, side: SIDE, off: off(), layers: layer ? [layer] : [] };
    }, (found, more) => {
      Object.assign(state, { box: asked, labels: found.labels, probabilities: found.probabilities });
      state.maps = found.maps[BOXES[asked].layer] || found.probabilities;
      if (more) return;
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      draw();
      drawMaps();
      rest.rests();
    });

    function see() { // the pixel has moved
      Object.assign(state.pixel, { x: Math.round(hand.x), y: Math.round(hand.y) });
      rest.moved();
      draw();
      drawMaps();
      rest.rests();
    }

    const inBox = () => {
      const scale = SIDE / sideOf(BOXES[state.box]);
      return { scale, x: Math.floor(state.pixel.x / scale), y: Math.floor(state.pixel.y / scale) };
    };

    function draw() {
      const { labels, probabilities } = state, over = app.querySelector("[name=live-over]:checked").value;
      if (!labels) return;
      if (over === "mask") {
        easel.picture(state.gray);
        easel.outline((at) => labels[at] > 0, COLORS.lung, 2);
        easel.fill((at) => labels[at] === 2, `${COLORS.nodule}55`);
        easel.outline((at) => labels[at] === 2, COLORS.nodule, 4);
      } else {
        easel.picture(state.gray.map((_, at) => probabilities[at * CLASSES.length + Number(over)]));
      }
      const { context } = easel, own = inBox(), box = BOXES[state.box];
      const [[left, right], [top, bottom]] = [reach(own.x, box), reach(own.y, box)];
      easel.line(COLORS.truth, 4);
      context.strokeRect(left, top, right - left + 1, bottom - top + 1);
      context.fillStyle = `${COLORS.truth}18`;
      context.fillRect(left, top, right - left + 1, bottom - top + 1);
      easel.line("#000", 4);
      context.strokeRect(own.x * own.scale, own.y * own.scale, own.scale, own.scale);
      easel.line("#fff", 2);
      context.strokeRect(own.x * own.scale, own.y * own.scale, own.scale, own.scale);
      easel.scale(state.slice.spacing);
    }

    /* All maps of the box, each from its smallest number (black) to its largest (white). */
    function drawMaps() {
      const box = BOXES[state.box], side = sideOf(box), count = state.maps.length / side ** 2;
      const columns = count < 4 ? count : 2 ** Math.ceil(Math.log2(count) / 2), rows = Math.ceil(count / columns);
      const cell = SHEET / columns, context = sheet.getContext("2d"), own = inBox();
      sheet.width = SHEET;
      sheet.height = cell * rows;
      context.imageSmoothingEnabled = false;
      context.strokeStyle = COLORS.truth;
      context.lineWidth = 2;
      let zero = 0;
      for (let map = 0; map < count; map++) {
        const numbers = Float32Array.from({ length: side ** 2 }, (_, at) => state.maps[at * count + map]);
        const low = numbers.reduce((a, b) => Math.min(a, b)), high = numbers.reduce((a, b) => Math.max(a, b));
        zero += Number(low === 0 && high === 0);
        const gray = numbers.map((number) => (high > low ? (number - low) / (high - low) : 0));
        const left = (map % columns) * cell, top = Math.floor(map / columns) * cell, pixel = (cell - 2) / side;
        context.drawImage(unetLive.pictureOf(gray, side, side), left + 1, top + 1, cell - 2, cell - 2);
        context.strokeRect(left + 1 + own.x * pixel, top + 1 + own.y * pixel, Math.max(6, pixel), Math.max(6, pixel));
      }
      const words = state.box === "picture" ? "The picture: one map of gray values."
        : state.box === "output" ? `The output: the probability of ${CLASSES.join(", of ")}.`
          : `${state.box}: ${count} maps of ${side}×${side}, each from black, its smallest number, to white, its largest.`;
      app.querySelector(".live-maps-say").textContent = words + (zero ? ` ${zero} of them are 0 everywhere.` : "");
      sheet.setAttribute("aria-label", words);
      for (const each of app.querySelectorAll("button")) each.setAttribute("aria-pressed", each.value === state.box);
    }

    const rest = unetLive.resting(place, () => {
      const own = inBox(), box = BOXES[state.box], [left, right] = reach(own.x, box), [top, bottom] = reach(own.y, box);
      const { signed } = unetLive, width = right - left + 1, height = bottom - top + 1;
      const words = state.box === "picture" ? [] : [`Column ${own.x}, row ${own.y} of ${state.box} depends on ${width}×${height} pixels: columns `
        + `${signed(left)} to ${signed(right)}, rows ${signed(top)} to ${signed(bottom)}`
        + (left <= 0 && top <= 0 && right >= SIDE - 1 && bottom >= SIDE - 1 ? ", the whole slice." : ".")];
      const score = (labels, label) => {
        const of = (each) => Number(each === label);
        const { dice } = unetMetrics.counts(state.slice.mask.map(of), labels.map(of));
        return Number.isNaN(dice) ? "0/0" : dice.toFixed(2);
      };
      const all = [1, 2].map((label) => score(state.whole, label)), now = [1, 2].map((label) => score(state.labels, label));
      words.push(off().length
        ? `Without ${off().join(", ")} the Dice of the lungs is ${now[0]} (with all ${all[0]}), of the nodule ${now[1]} (${all[1]}).`
        : `With all skip connections the Dice of the lungs is ${all[0]}, of the nodule ${all[1]}.`);
      app.querySelector(".live-says").textContent = words.join(" ");
    });

    const hand = unetLive.hand(canvas, { use: see, draw: () => {}, paints: () => false });
    canvas.addEventListener("keydown", ({ key }) => { if (key.startsWith("Arrow")) see(); });
    unetLive.fillSlices(select);
    select.addEventListener("change", takeSlice);
    app.querySelectorAll("[name=live-over]").forEach((input) => input.addEventListener("change", draw));
    switches.forEach((input) => input.addEventListener("change", change));
    app.querySelectorAll("button").forEach((each) => each.addEventListener("click", () => {
      state.wanted = each.value;
      change();
    }));
    takeSlice();
  }

  unetLive.pieces.inside = { title: "Look inside the U", needs: ["metrics.js"], html, start };
})();

/* Draw your own mask (notebook 05): the reader paints, and the counts, Dice, IoU and HD95 move with the brush. */

(() => {
  "use strict";
  const { SIDE, COLORS, slider, choice } = unetLive;
  const ROWS = {
    tp: "TP, found", fp: "FP, too much", fn: "FN, missed", tn: "TN, left alone", dice: "Dice", iou: "IoU", hd95: "HD95",
  };
  const html = `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice with your mask and the ground truth", "draw-keys")}
      ${unetLive.legend({ TP: COLORS.tp, FP: COLORS.fp, FN: COLORS.fn, "ground truth": COLORS.truth })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <label>Slice <select></select></label>
      <fieldset><legend>Draw</legend> ${choice("class", 2, "the nodule", "checked")} ${choice("class", 1, "the lungs")}
        <label><input type="checkbox" name="truth" checked> show the ground truth</label>
        <label><input type="checkbox" name="zoom" checked> come closer</label>
      </fieldset>
      <fieldset><legend>The brush</legend> ${choice("brush", 1, "paints", "checked")} ${choice("brush", 0, "erases")}
        ${slider("brush-size", ["its diameter", "mm", 5, 60, 1, 6])}
      </fieldset>
      <button type="button" value="empty">Empty mask</button>
      <button type="button" value="truth">Copy the ground truth</button>
      <button type="button" value="network">The network’s mask</button>
      <table class="live-table"><caption>Your mask against the ground truth</caption><tbody>
        ${Object.entries(ROWS).map(([id, name]) => `<tr><th scope="row">${name}</th><td data-number="${id}"></td></tr>`)
          .join("")}</tbody></table>
      <p class="live-keys" id="draw-keys">With the keyboard: the arrow keys move the brush, five times as far with Shift;
        Enter paints or erases.</p>
    </div>`;

  const shown = (number) => (Number.isNaN(number) ? "not defined" : number === Infinity ? "infinite" : number.toFixed(3));
  const inMm = (number) => (Number.isFinite(number) ? `${number.toFixed(1)} mm` : shown(number));

  function start(place, app) {
    const state = place.live = { mask: new Uint8Array(SIDE * SIDE) }, view = { left: 0, top: 0, side: SIDE };
    const canvas = app.querySelector("canvas"), select = app.querySelector("select");
    const easel = unetLive.easel(canvas, view);
    const control = (name) => app.querySelector(`input[name=${name}]`);
    const chosen = (name) => Number(app.querySelector(`input[name=live-${name}]:checked`).value);
    const size = () => Number(app.querySelector("#live-brush-size").value);
    canvas.style.touchAction = "none"; // the brush must not scroll

    function takeSlice() {
      state.slice = unetLive.slice(select.selectedIndex);
      state.gray = unetLive.grays(state.slice.hu, -600, 1500);
      takeClass();
    }

    function takeClass() {
      state.truth = state.slice.mask.map((label) => Number(label === chosen("class")));
      state.mask.fill(0);
      control("zoom").checked = chosen("class") === 2;
      app.querySelector("#live-brush-size").value = chosen("class") === 2 ? 6 : 40;
      look();
    }

    function look() {
      unetLive.look(view, state.slice, control("zoom").checked ? SIDE / 4 : SIDE);
      [hand.y, hand.x] = [view.top + view.side / 2, view.left + view.side / 2];
      change();
    }

    async function copy(from) {
      if (from === "network") {
        const { labels } = await unetLive.ask({ image: state.gray, side: SIDE });
        state.mask.set(labels.map((label) => Number(label === chosen("class"))));
      } else if (from === "truth") {
        state.mask.set(state.truth);
      } else {
        state.mask.fill(0);
      }
      change();
    }

    function use(x, y) {
      for (const at of unetLive.disk(x, y, size(), state.slice.spacing)) state.mask[at] = chosen("brush");
      change();
    }

    let drawing; // one picture for all strokes between two frames
    function change() {
      unetLive.showValues(app);
      rest.moved();
      drawing ??= requestAnimationFrame(() => { drawing = null; measure(); draw(); rest.rests(); });
    }

    function measure() {
      const { truth, mask, slice } = state;
      const numbers = state.numbers = unetMetrics.counts(truth, mask);
      numbers.hd95 = unetMetrics.hausdorff95(truth, mask, SIDE, slice.spacing);
      for (const cell of app.querySelectorAll("[data-number]")) {
        const id = cell.dataset.number, number = numbers[id];
        cell.textContent = id === "hd95" ? inMm(number) : ["dice", "iou"].includes(id) ? shown(number) : number;
      }
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
    }

    function draw() {
      const { truth, mask, gray } = state, open = control("truth").checked;
      easel.picture(gray);
      if (open) {
        easel.fill((at) => truth[at] && mask[at], `${COLORS.tp}88`);
        easel.fill((at) => !truth[at] && mask[at], `${COLORS.fp}88`);
        easel.fill((at) => truth[at] && !mask[at], `${COLORS.fn}88`);
        easel.outline((at) => truth[at] > 0, COLORS.truth, 3);
      }
      easel.outline((at) => mask[at] > 0, "#fff", 2);
      easel.scale(state.slice.spacing);
      if (hand.seen) {
        easel.circle(hand, size() / state.slice.spacing, "#000", 4);
        easel.circle(hand, size() / state.slice.spacing, "#fff", 2);
      }
    }

    const rest = unetLive.resting(place, () => {
      const { tp, fp, fn, dice, hd95 } = state.numbers;
      const there = tp + fn, drawn = tp + fp;
      const words = there && drawn
        ? `${tp} of ${there} pixels found, ${fp} too much. Dice ${shown(dice)}, HD95 ${inMm(hd95)}.`
        : there ? `Nothing is drawn: all ${there} pixels are missed, Dice is 0, and there is no boundary to measure from.`
          : drawn ? `There is nothing to find: all ${drawn} pixels are too much, and Dice is 0.`
            : "Nothing is there and nothing is drawn: Dice is 0/0, not defined.";
      app.querySelector(".live-says").textContent = words;
    });

    const hand = unetLive.hand(canvas, { use, draw, paints: () => true, view });
    unetLive.fillSlices(select);
    select.addEventListener("change", takeSlice);
    app.querySelectorAll("[name=live-class]").forEach((input) => input.addEventListener("change", takeClass));
    app.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => copy(button.value)));
    control("zoom").addEventListener("change", look);
    control("truth").addEventListener("change", draw);
    app.querySelector("#live-brush-size").addEventListener("input", change);
    takeSlice();
  }

  unetLive.pieces.draw = { title: "Draw your own mask", needs: ["metrics.js"], html, start };
})();

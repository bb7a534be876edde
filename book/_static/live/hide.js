/* The live piece of the start page: a CT slice that the reader changes, and what the network finds in it. */

(() => {
  "use strict";
  const { SIDE, COLORS, signed, slider, choice } = unetLive;
  const TISSUE = 40, AIR = -850;
  const SLIDERS = {
    size: ["diameter of nodule or brush", "mm", 4, 30, 1, 12],
    density: ["density of a new nodule", "HU", -800, 100, 10, 30],
    noise: ["noise (standard deviation)", "HU", 0, 400, 10, 0],
    blur: ["blur (standard deviation)", "mm", 0, 8, 0.5, 0],
    level: ["window level", "HU", -1000, 200, 10, -600],
    width: ["window width", "HU", 100, 3000, 50, 1500],
  };
  const sliderOf = (id) => slider(id, SLIDERS[id]);

  const html = `
    <div class="live-picture">
      ${unetLive.canvasHtml("CT slice with the outlines that the network draws", "live-keys")}
      ${unetLive.legend({ lung: COLORS.lung, nodule: COLORS.nodule, "missed nodule": COLORS.truth })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <label>Slice <select></select></label>
      <fieldset><legend>A click in the picture</legend>
        ${choice("tool", "nodule", "plants a nodule", "checked")} ${choice("tool", "air", `paints lung, ${signed(AIR)} HU`)}
        ${choice("tool", "tissue", `paints tissue, ${TISSUE} HU`)}
        ${sliderOf("size")} ${sliderOf("density")}
      </fieldset>
      <fieldset><legend>The scanner</legend> ${sliderOf("noise")} ${sliderOf("blur")}</fieldset>
      <fieldset><legend>The display</legend> ${sliderOf("level")} ${sliderOf("width")}</fieldset>
      <button type="button">Start again</button>
      <p class="live-keys" id="live-keys">With the keyboard: the arrow keys move the circle in the picture, five times as
        far with Shift; Enter plants or paints.</p>
      <p class="live-speed"></p>
    </div>`;

  function start(place, app, engine) {
    const state = { labels: new Uint8Array(SIDE * SIDE) };
    const canvas = app.querySelector("canvas"), select = app.querySelector("select");
    const easel = unetLive.easel(canvas);
    const value = (id) => Number(app.querySelector(`#live-${id}`).value);
    const tool = () => app.querySelector("input[name=live-tool]:checked").value;
    const disk = (x, y, diameter, margin) => unetLive.disk(x, y, diameter, state.spacing, margin);

    function reset() {
      for (const [id, [, , , , , initial]] of Object.entries(SLIDERS)) app.querySelector(`#live-${id}`).value = initial;
      takeSlice();
    }

    function takeSlice() {
      const slice = unetLive.slice(select.selectedIndex);
      state.spacing = slice.spacing;
      state.hu = slice.hu;
      state.painted = new Uint8Array(SIDE * SIDE);
      state.nodules = slice.nodules.map(([y, x, diameter]) => ({ x, y, diameter, pixels: disk(x, y, diameter) }));
      change();
    }

    /* --- the reader changes the picture --- */

    function plant(x, y) {
      const diameter = value("size"), radius = diameter / 2 / state.spacing;
      for (const at of disk(x, y, diameter, 1)) { // its edge is as soft as the scanner makes it: two pixels
        const inside = Math.min(1, Math.max(0, (radius - Math.hypot(at % SIDE - x, Math.floor(at / SIDE) - y)) / 2 + 0.5));
        state.hu[at] += inside * (value("density") - state.hu[at]);
      }
      const pixels = disk(x, y, diameter);
      pixels.forEach((at) => { state.painted[at] = 0; });
      state.nodules.push({ x, y, diameter, pixels });
      change();
    }

    function paint(x, y) {
      for (const at of disk(x, y, value("size"))) {
        state.hu[at] = tool() === "air" ? AIR : TISSUE;
        state.painted[at] = 1;
      }
      const left = ({ pixels }) => pixels.filter((at) => !state.painted[at]).length > pixels.length / 2;
      state.nodules = state.nodules.filter(left);
      change();
    }

    function change() {
      unetLive.showValues(app);
      canvas.style.touchAction = tool() === "nodule" ? "pan-y pinch-zoom" : "none"; // a brush must not scroll
      rest.moved();
      compute();
    }

    const compute = unetLive.latest(() => {
      state.grays = grays(state.hu, state.spacing, value);
      draw();
      return { image: state.grays, side: SIDE };
    }, ({ labels, milliseconds }, more) => {
      state.labels = labels;
      state.milliseconds = Math.min(milliseconds, state.milliseconds || Infinity);
      place.dataset.lung = labels.filter((label) => label === 1).length;
      place.dataset.nodule = labels.filter((label) => label === 2).length;
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      draw();
      if (!more) rest.rests();
    });

    /* --- what the reader sees and hears --- */

    const isFound = ({ pixels }) => pixels.some((at) => state.labels[at] === 2);

    function draw() {
      easel.picture(state.grays);
      easel.outline((at) => state.labels[at] > 0, COLORS.lung, 2);
      easel.fill((at) => state.labels[at] === 2, `${COLORS.nodule}55`);
      easel.outline((at) => state.labels[at] === 2, COLORS.nodule, 4);
      for (const nodule of state.nodules) {
        if (!isFound(nodule)) easel.circle(nodule, (nodule.diameter + 8) / state.spacing, COLORS.truth, 3, [6, 6]);
      }
      easel.scale(state.spacing);
      if (hand.seen) {
        easel.circle(hand, value("size") / state.spacing, "#000", 4);
        easel.circle(hand, value("size") / state.spacing, "#fff", 2);
      }
    }

    const rest = unetLive.resting(place, () => {
      const { labels, nodules, spacing } = state, drawn = unetLive.groups((at) => labels[at] === 2);
      const wide = (count) => `${Math.round(2 * spacing * Math.sqrt(count / Math.PI))} mm`;
      const found = nodules.filter(isFound).length;
      const known = new Set(nodules.flatMap(({ pixels }) => pixels));
      const made = drawn.filter((group) => !group.some((at) => known.has(at))).length;
      const lung = Math.round((100 * labels.filter((label) => label > 0).length) / labels.length);
      const words = [`The network sees lung in ${lung} % of the picture.`];
      if (nodules.length === 1) {
        const own = drawn.filter((group) => group.some((at) => known.has(at))).flat();
        const name = `The nodule of ${Math.round(nodules[0].diameter)} mm is`;
        words.push(found ? `${name} found, and drawn ${wide(own.length)} wide.` : `${name} not found: it is hidden.`);
      } else if (nodules.length) {
        words.push(`It finds ${found} of the ${nodules.length} nodules.`);
      } else {
        words.push(`There is no nodule in the picture${made ? "." : ", and it draws none."}`);
      }
      if (made) words.push(`It draws ${made === 1 ? "a nodule" : `${made} nodules`} where there is none.`);
      app.querySelector(".live-says").textContent = words.join(" ");
      const speed = `Computed in this browser by ${engine.kernel}, at best in ${Math.ceil(state.milliseconds)} ms.`;
      app.querySelector(".live-speed").textContent = speed;
    });

    const hand = unetLive.hand(canvas, {
      use: (x, y) => (tool() === "nodule" ? plant : paint)(x, y),
      paints: () => tool() !== "nodule",
      draw,
    });
    unetLive.fillSlices(select);
    select.addEventListener("change", takeSlice);
    app.querySelector("button").addEventListener("click", reset);
    app.querySelectorAll("input").forEach((input) => input.addEventListener("input", change));
    reset();
  }

  /* --- from Hounsfield units to what the network sees; noise and blur as in notebook 06 --- */

  function grays(hu, spacing, value) {
    const scanned = unetDisturb.noisy(unetDisturb.blurred(hu, value("blur") / spacing), value("noise"));
    return unetLive.grays(scanned, value("level"), value("width"));
  }

  unetLive.pieces.hide = { title: "Try to hide the nodule from the network", needs: ["disturbances.js"], html, start };
})();

/* The live piece of the start page: a CT slice that the reader changes, and what the network finds in it.

   It stands in an element of class "live", in place of the picture there, which stays where something fails. Nothing is
   loaded before the piece comes near the window. What it then loads are scripts, because a page from the disk may load
   nothing else: engine.js, and what tools/make_live.py writes. */

(() => {
  "use strict";
  const place = document.querySelector(".live");
  const folder = new URL(".", document.currentScript.src).href;
  const SIDE = 128, ZOOM = 4, TISSUE = 40, AIR = -850;
  const LUNG_COLOR = "#56B4E9", NODULE_COLOR = "#E69F00", TRUTH_COLOR = "#F0E442"; // as in unet_helpers.plotting

  const SLIDERS = {
    size: ["diameter of nodule or brush", "mm", 4, 30, 1, 12],
    density: ["density of a new nodule", "HU", -800, 100, 10, 30],
    noise: ["noise (standard deviation)", "HU", 0, 400, 10, 0],
    blur: ["blur (standard deviation)", "mm", 0, 8, 0.5, 0],
    level: ["window level", "HU", -1000, 200, 10, -600],
    width: ["window width", "HU", 100, 3000, 50, 1500],
  };
  const slider = (id) => {
    const [name, , low, high, step, value] = SLIDERS[id];
    return `<div class="live-slider"><label for="live-${id}">${name}</label><span aria-hidden="true"></span>
      <input type="range" id="live-${id}" min="${low}" max="${high}" step="${step}" value="${value}"></div>`;
  };
  const signed = (number) => String(number).replace("-", "−");
  const tool = (value, text, more = "") =>
    `<label><input type="radio" name="live-tool" value="${value}" ${more}> ${text}</label>`;
  const APP = `
    <div class="live-picture">
      <canvas width="${SIDE * ZOOM}" height="${SIDE * ZOOM}" tabindex="0" role="application"
        aria-label="CT slice with the outlines that the network draws" aria-describedby="live-keys"></canvas>
      <p class="live-legend" aria-hidden="true"><span style="border-color:${LUNG_COLOR}">lung</span>
        <span style="border-color:${NODULE_COLOR}">nodule</span>
        <span style="border-color:${TRUTH_COLOR}; border-left-style:dotted">missed nodule</span></p>
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <label>Slice <select></select></label>
      <fieldset><legend>A click in the picture</legend>
        ${tool("nodule", "plants a nodule", "checked")} ${tool("air", `paints lung, ${signed(AIR)} HU`)}
        ${tool("tissue", `paints tissue, ${TISSUE} HU`)}
        ${slider("size")} ${slider("density")}
      </fieldset>
      <fieldset><legend>The scanner</legend> ${slider("noise")} ${slider("blur")}</fieldset>
      <fieldset><legend>The display</legend> ${slider("level")} ${slider("width")}</fieldset>
      <button type="button">Start again</button>
      <p id="live-keys">With the keyboard: the arrow keys move the circle in the picture, five times as far with Shift;
        Enter plants or paints.</p>
      <p class="live-speed"></p>
    </div>`;

  const state = { cursor: { x: 64, y: 64 }, pointing: false, labels: new Uint8Array(SIDE * SIDE) };
  let app, canvas, context, small, worker, computing = false, changed = false, saying;

  function load(name) {
    return new Promise((resolve, reject) => {
      const element = document.createElement(name.endsWith(".css") ? "link" : "script");
      element.onload = resolve;
      element.onerror = () => reject(new Error(`${name} cannot be loaded`));
      if (name.endsWith(".css")) element.rel = "stylesheet";
      element[name.endsWith(".css") ? "href" : "src"] = folder + name;
      document.head.append(element);
    });
  }

  function bytesOf(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  /* In the worker: what comes in is a network or a picture. */
  function work(unetEngine) {
    let engine;
    self.onmessage = async ({ data }) => {
      try {
        if (data.network) {
          engine = await unetEngine(data.network, data.kernel);
          self.postMessage({ kernel: engine.kernel });
          return;
        }
        const began = performance.now();
        const found = engine.run(data.image, data.side, data.side), labels = new Uint8Array(data.side ** 2);
        const classes = found.length / labels.length;
        for (let i = 0; i < labels.length; i++) {
          for (let k = 1; k < classes; k++) if (found[i * classes + k] > found[i * classes + labels[i]]) labels[i] = k;
        }
        self.postMessage({ labels, milliseconds: performance.now() - began });
      } catch (error) {
        self.postMessage({ error: String(error) });
      }
    };
  }

  async function start() {
    const style = load("live.css"); // beside the others: every script is there before the first picture
    await Promise.all(["engine.js", "kernel.js", "network.js", "slices.js"].map(load).concat(style));
    const source = new Blob([`(${work})(${unetEngine})`], { type: "text/javascript" });
    worker = new Worker(URL.createObjectURL(source));
    const ready = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      worker.onerror = (event) => reject(new Error(event.message || "the worker does not start"));
    });
    worker.postMessage({ network: unetNetwork, kernel: bytesOf(unetKernel) });
    state.kernel = (await ready).kernel;
    worker.onmessage = ({ data }) => (data.error ? fail(new Error(data.error)) : receive(data));
    worker.onerror = () => fail(new Error("the worker has stopped"));
    build();
    reset();
  }

  function fail(error) {
    console.warn(`The live piece: ${error.message}`);
    worker?.terminate();
    app?.remove();
    place.classList.remove("live-runs", "live-waits");
    const words = document.createElement("p");
    words.className = "live-failed";
    words.textContent = "The network could not be started in this browser; the picture shows what it draws.";
    place.append(words);
  }

  function build() {
    app = document.createElement("div");
    app.className = "live-app";
    app.setAttribute("role", "group");
    app.setAttribute("aria-label", "Try to hide the nodule from the network");
    app.innerHTML = APP;
    canvas = app.querySelector("canvas");
    context = canvas.getContext("2d");
    small = document.createElement("canvas");
    small.width = small.height = SIDE;
    const select = app.querySelector("select");
    unetSlices.forEach((each) => select.add(new Option(each.name)));
    select.addEventListener("change", takeSlice);
    app.querySelector("button").addEventListener("click", reset);
    app.querySelectorAll("input").forEach((input) => input.addEventListener("input", change));
    listen();
    place.append(app);
    place.classList.add("live-runs");
  }

  const value = (id) => Number(app.querySelector(`#live-${id}`).value);
  const chosenTool = () => app.querySelector("input[name=live-tool]:checked").value;

  function reset() {
    for (const [id, [, , , , , initial]] of Object.entries(SLIDERS)) app.querySelector(`#live-${id}`).value = initial;
    takeSlice();
  }

  function takeSlice() {
    const slice = unetSlices[app.querySelector("select").selectedIndex];
    state.spacing = slice.spacing;
    state.hu = Float32Array.from(new Int16Array(bytesOf(slice.hu).buffer));
    state.painted = new Uint8Array(SIDE * SIDE);
    state.nodules = slice.nodules.map(([y, x, diameter]) => ({ x, y, diameter, pixels: disk(x, y, diameter) }));
    change();
  }

  /* --- the reader changes the picture --- */

  function disk(x, y, diameter, margin = 0) {
    const radius = diameter / 2 / state.spacing + margin, pixels = [];
    for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(SIDE - 1, y + radius); row++) {
      for (let column = Math.max(0, Math.ceil(x - radius)); column <= Math.min(SIDE - 1, x + radius); column++) {
        if (Math.hypot(row - y, column - x) <= radius) pixels.push(row * SIDE + column);
      }
    }
    return pixels;
  }

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
      state.hu[at] = chosenTool() === "air" ? AIR : TISSUE;
      state.painted[at] = 1;
    }
    const left = ({ pixels }) => pixels.filter((at) => !state.painted[at]).length > pixels.length / 2;
    state.nodules = state.nodules.filter(left);
    change();
  }

  const use = (x, y) => (chosenTool() === "nodule" ? plant : paint)(x, y);

  function listen() {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      state.cursor = {
        x: ((event.clientX - box.left) / box.width) * SIDE - 0.5,
        y: ((event.clientY - box.top) / box.height) * SIDE - 0.5,
      };
      return state.cursor;
    };
    let last = null; // where the brush was
    canvas.addEventListener("pointerdown", (event) => {
      const { x, y } = at(event);
      last = { x, y };
      if (chosenTool() !== "nodule") {
        canvas.setPointerCapture(event.pointerId);
        paint(x, y);
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      state.pointing = true;
      const { x, y } = at(event);
      if (last && chosenTool() !== "nodule") {
        const steps = Math.ceil(Math.hypot(x - last.x, y - last.y));
        for (let i = 1; i <= steps; i++) paint(last.x + ((x - last.x) * i) / steps, last.y + ((y - last.y) * i) / steps);
        last = { x, y };
      }
      draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const { x, y } = at(event);
      if (last && chosenTool() === "nodule" && Math.hypot(x - last.x, y - last.y) < 4) plant(x, y);
      last = null;
    });
    for (const name of ["pointercancel", "pointerleave"]) {
      canvas.addEventListener(name, () => { last = null; state.pointing = false; draw(); });
    }
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);
    canvas.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const { x, y } = state.cursor;
      if (move) {
        const far = event.shiftKey ? 5 : 1, inside = (place) => Math.min(SIDE - 1, Math.max(0, Math.round(place)));
        state.cursor = { x: inside(x + far * move[0]), y: inside(y + far * move[1]) };
        draw();
      } else if (event.key === "Enter" || event.key === " ") {
        use(x, y);
      } else {
        return;
      }
      event.preventDefault();
    });
  }

  /* --- from Hounsfield units to what the network sees; noise and blur as in notebook 06 --- */

  function blurred(hu, deviation) {
    if (!deviation) return hu;
    const reach = Math.round(4 * deviation), weights = [];
    for (let k = -reach; k <= reach; k++) weights.push(Math.exp(-0.5 * (k / deviation) ** 2));
    const sum = weights.reduce((a, b) => a + b);
    const mirror = (i) => { // the picture goes on as its own mirror image
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

  const NOISE = (() => { // the same for every picture: Box and Muller, from a small generator with a seed
    let seed = 1;
    const uniform = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed + 0.5) / 2 ** 32; };
    return Float32Array.from({ length: SIDE * SIDE }, () =>
      Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  })();

  function grays() {
    const hu = blurred(state.hu, value("blur") / state.spacing), noise = value("noise");
    const low = value("level") - value("width") / 2, width = value("width");
    return hu.map((number, i) => Math.min(1, Math.max(0, (number + noise * NOISE[i] - low) / width)));
  }

  function change() {
    for (const [id, [, unit]] of Object.entries(SLIDERS)) {
      const input = app.querySelector(`#live-${id}`), text = `${signed(input.value)} ${unit}`;
      input.setAttribute("aria-valuetext", text);
      input.previousElementSibling.textContent = text;
    }
    canvas.style.touchAction = chosenTool() === "nodule" ? "pan-y pinch-zoom" : "none"; // a brush must not scroll
    changed = true;
    place.dataset.resting = "no";
    clearTimeout(saying);
    if (!computing) compute();
  }

  function compute() {
    computing = true;
    changed = false;
    state.grays = grays();
    draw();
    worker.postMessage({ image: state.grays, side: SIDE });
  }

  function receive({ labels, milliseconds }) {
    computing = false;
    state.labels = labels;
    state.milliseconds = Math.min(milliseconds, state.milliseconds || Infinity);
    place.dataset.lung = labels.filter((label) => label === 1).length;
    place.dataset.nodule = labels.filter((label) => label === 2).length;
    place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
    draw();
    if (changed) compute();
    clearTimeout(saying);
    if (!computing) saying = setTimeout(say, 400); // a screen reader reads every change: only what has come to rest
  }

  /* --- what the reader sees and hears --- */

  const isFound = ({ pixels }) => pixels.some((at) => state.labels[at] === 2);

  function outline(inside, color, width) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) {
      const here = inside(state.labels[y * SIDE + x]);
      if (x && here !== inside(state.labels[y * SIDE + x - 1])) {
        context.moveTo(x * ZOOM, y * ZOOM);
        context.lineTo(x * ZOOM, (y + 1) * ZOOM);
      }
      if (y && here !== inside(state.labels[(y - 1) * SIDE + x])) {
        context.moveTo(x * ZOOM, y * ZOOM);
        context.lineTo((x + 1) * ZOOM, y * ZOOM);
      }
    }
    context.stroke();
  }

  function circle(x, y, diameter, color, width, dashes = []) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.setLineDash(dashes);
    context.beginPath();
    context.arc((x + 0.5) * ZOOM, (y + 0.5) * ZOOM, (diameter / 2 / state.spacing) * ZOOM, 0, 2 * Math.PI);
    context.stroke();
    context.setLineDash([]);
  }

  function draw() {
    const picture = new ImageData(SIDE, SIDE);
    state.grays.forEach((gray, i) => picture.data.fill(Math.round(255 * gray), 4 * i, 4 * i + 3));
    for (let i = 3; i < picture.data.length; i += 4) picture.data[i] = 255;
    small.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    outline((label) => label > 0, LUNG_COLOR, 2);
    context.fillStyle = `${NODULE_COLOR}55`;
    state.labels.forEach((label, i) => {
      if (label === 2) context.fillRect((i % SIDE) * ZOOM, Math.floor(i / SIDE) * ZOOM, ZOOM, ZOOM);
    });
    outline((label) => label === 2, NODULE_COLOR, 4);
    for (const nodule of state.nodules) {
      if (!isFound(nodule)) circle(nodule.x, nodule.y, nodule.diameter + 8, TRUTH_COLOR, 3, [6, 6]);
    }

    const length = (50 / state.spacing) * ZOOM, end = canvas.width - 12, base = canvas.height - 14;
    context.fillStyle = "#fff";
    context.font = "16px sans-serif";
    context.textAlign = "center";
    context.fillRect(end - length, base, length, 4);
    context.fillText("50 mm", end - length / 2, base - 6);
    if (state.pointing || document.activeElement === canvas) {
      const { x, y } = state.cursor;
      circle(x, y, value("size"), "#000", 4);
      circle(x, y, value("size"), "#fff", 2);
    }
  }

  /* Groups of nodule pixels that touch, also at a corner. */
  function groups() {
    const left = new Set(), found = [];
    state.labels.forEach((label, at) => { if (label === 2) left.add(at); });
    for (const first of left) {
      const group = [], waiting = [first];
      left.delete(first);
      while (waiting.length) {
        const at = waiting.pop();
        group.push(at);
        for (const dy of [-SIDE, 0, SIDE]) for (const dx of [-1, 0, 1]) {
          if (left.delete(at + dy + dx)) waiting.push(at + dy + dx);
        }
      }
      found.push(group);
    }
    return found;
  }

  function say() {
    const { labels, nodules, spacing } = state, drawn = groups();
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
    const speed = `Computed in this browser by ${state.kernel}, at best in ${Math.ceil(state.milliseconds)} ms.`;
    app.querySelector(".live-speed").textContent = speed;
    place.dataset.resting = "yes";
  }

  if (place) {
    let begun = false;
    const begin = () => {
      if (begun) return;
      begun = true;
      start().catch(fail);
    };
    place.addEventListener("pointerdown", begin);
    if ("IntersectionObserver" in window) {
      const watch = new IntersectionObserver((seen) => {
        if (!seen.some((each) => each.isIntersecting)) return;
        watch.disconnect();
        (window.requestIdleCallback || setTimeout)(begin);
      }, { rootMargin: "200px" });
      watch.observe(place);
    }
  }
})();

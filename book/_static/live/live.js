/* Starts the live pieces of a page, and has what they share.

   A piece stands in an element of class "live", in place of the text or picture there, which stays where something
   fails; data-piece says which it is, and without it, it is the one of the start page. Nothing is loaded before a piece
   comes near the window. What it then loads are scripts, because a page from the disk may load nothing else: its own,
   which adds itself to unetLive.pieces, engine.js, and what tools/make_live.py writes. */

self.unetLive = self.unetLive || (() => {
  "use strict";
  const folder = new URL(".", document.currentScript.src).href;
  const SIDE = 128, CANVAS = 512, WHOLE = { left: 0, top: 0, side: SIDE };
  const COLORS = { // as in unet_helpers.plotting
    lung: "#56B4E9", nodule: "#E69F00", truth: "#F0E442", tp: "#009E73", fp: "#D55E00", fn: "#0072B2",
  };
  const pieces = {}, loaded = {}, running = [];

  function load(name) {
    return loaded[name] ??= new Promise((resolve, reject) => {
      const element = document.createElement(name.endsWith(".css") ? "link" : "script");
      element.onload = resolve;
      element.onerror = () => reject(new Error(`${name} cannot be loaded`));
      if (name.endsWith(".css")) element.rel = "stylesheet";
      element[name.endsWith(".css") ? "href" : "src"] = folder + name;
      document.head.append(element);
    });
  }

  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  /* Zeros and ones of which eight lie in a byte. */
  function bitsOf(text) {
    const bytes = bytesOf(text);
    return Uint8Array.from({ length: 8 * bytes.length }, (_, k) => (bytes[k >> 3] >> (7 - (k & 7))) & 1);
  }

  /* --- the networks, each in one worker for all pieces of a page --- */

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
        const found = engine.run(data.image, data.side, data.side, data.off, data.seed);
        const labels = new Uint8Array(data.side ** 2);
        const classes = found.length / labels.length;
        for (let i = 0; i < labels.length; i++) {
          for (let k = 1; k < classes; k++) if (found[i * classes + k] > found[i * classes + labels[i]]) labels[i] = k;
        }
        const milliseconds = performance.now() - began;
        const maps = Object.fromEntries((data.layers || []).map((name) => [name, engine.layer(name)]));
        self.postMessage({ labels, probabilities: found, classes, maps, milliseconds });
      } catch (error) {
        self.postMessage({ error: String(error) });
      }
    };
  }

  const NETWORK = "network.js", workers = {}, starting = {};

  /* What a network finds: {image, side}, and if wanted the names of `layers` whose maps are to come back too, and
     of skip connections that are `off`; with a `seed`, dropout is at work. `by` is the file of the network. */
  function ask({ by = NETWORK, ...question }) {
    const { worker, waiting } = workers[by];
    worker.postMessage(question);
    return new Promise((resolve) => waiting.push(resolve)); // the worker answers in order
  }

  function startWorker(file) {
    const network = () => load(file).then(() => unetNetwork); // at once, before another file sets it
    return starting[file] ??= Promise.all([network(), load("engine.js"), load("kernel.js")]).then(([found]) => {
      const source = new Blob([`(${work})(${unetEngine})`], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(source)), waiting = [];
      workers[file] = { worker, waiting };
      return new Promise((resolve, reject) => {
        const stop = (error) => { reject(error); running.forEach((piece) => fail(piece, error)); };
        worker.onmessage = ({ data }) => (data.error ? stop(new Error(data.error)) : waiting.shift()(data));
        worker.onerror = (event) => stop(new Error(event.message || "the worker does not start"));
        ask({ by: file, network: found, kernel: bytesOf(unetKernel) }).then(resolve);
      });
    });
  }

  /* Ask after each change; while the worker computes, changes wait, and only the last one is computed. */
  function latest(question, answer) {
    let computing = false, changed = false;
    return async () => {
      changed = true;
      if (computing) return;
      computing = true;
      while (changed) {
        changed = false;
        const found = await ask(question());
        answer(found, changed);
      }
      computing = false;
    };
  }

  async function start(place) {
    const name = place.dataset.piece || "hide";
    const style = load("live.css"); // beside the others: every script is there before the first picture
    await load(`${name}.js`);
    const piece = pieces[name], app = document.createElement("div");
    const common = piece.alone ? [] : [startWorker(piece.network || NETWORK), load("slices.js")]; // alone: it needs neither
    // needs: its html may need them too
    const [engine] = await Promise.all([...common, ...(piece.needs || []).map(load), style]);
    app.className = `live-app live-${name}`;
    app.setAttribute("role", "group");
    app.setAttribute("aria-label", piece.title);
    app.innerHTML = piece.html;
    place.append(app);
    running.push(place);
    await piece.start(place, app, engine);
    place.classList.replace("live-waits", "live-runs") || place.classList.add("live-runs");
  }

  function fail(place, error) {
    if (place.querySelector(".live-failed")) return;
    console.warn(`The live piece: ${error.message}`);
    place.querySelector(".live-app")?.remove();
    place.classList.remove("live-runs", "live-waits");
    const words = document.createElement("p");
    words.className = "live-failed";
    words.textContent = `The network could not be started in this browser; ${place.querySelector("img")
      ? "the picture shows what it draws." : "the page does without it."}`;
    place.append(words);
  }

  /* --- controls --- */

  const signed = (number) => String(number).replace("-", "−");

  function slider(id, [name, unit, low, high, step, value]) {
    return `<div class="live-slider"><label for="live-${id}">${name}</label><span aria-hidden="true"></span>
      <input type="range" id="live-${id}" data-unit="${unit}" min="${low}" max="${high}" step="${step}"
        value="${value}"></div>`;
  }

  function showValues(app) {
    for (const input of app.querySelectorAll("input[type=range]")) {
      const words = input.dataset.words?.split("|"); // what its whole numbers mean
      const text = `${words ? words[input.value] : signed(input.value)} ${input.dataset.unit}`.trim();
      input.setAttribute("aria-valuetext", text);
      input.previousElementSibling.textContent = text;
    }
  }

  const choice = (name, value, text, more = "") =>
    `<label><input type="radio" name="live-${name}" value="${value}" ${more}> ${text}</label>`;

  /* A picture that the reader can use, if the element with the id `keys` says how, or only look at. */
  const canvasHtml = (label, keys) => `<canvas width="${CANVAS}" height="${CANVAS}" aria-label="${label}"
    ${keys ? `role="application" tabindex="0" aria-describedby="${keys}"` : 'role="img"'}></canvas>`;

  const legend = (entries) => `<p class="live-legend" aria-hidden="true">${Object.entries(entries).map(([text, color]) =>
    `<span style="border-color:${color}${text.startsWith("missed") ? "; border-left-style:dotted" : ""}">${text}</span>`,
  ).join(" ")}</p>`;

  /* A screen reader reads every change of a sentence: say only what has come to rest. */
  function resting(place, say) {
    let timer;
    return {
      moved() { clearTimeout(timer); place.dataset.resting = "no"; },
      rests() {
        clearTimeout(timer);
        timer = setTimeout(() => { say(); place.dataset.resting = "yes"; }, Number(place.dataset.pause ?? 400));
      },
    };
  }

  /* --- slices --- */

  const decoded = ({ spacing, nodules, hu, mask }) => ({
    spacing, nodules, hu: Float32Array.from(new Int16Array(bytesOf(hu).buffer)), mask: bytesOf(mask),
  });

  const slice = (number) => decoded(unetSlices[number]);

  function fillSlices(select) { unetSlices.forEach(({ name }) => select.add(new Option(name))); }

  const grays = (hu, level, width) => hu.map((number) => Math.min(1, Math.max(0, (number - level + width / 2) / width)));

  function disk(x, y, diameter, spacing, margin = 0) {
    const radius = diameter / 2 / spacing + margin, pixels = [];
    for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(SIDE - 1, y + radius); row++) {
      for (let column = Math.max(0, Math.ceil(x - radius)); column <= Math.min(SIDE - 1, x + radius); column++) {
        if (Math.hypot(row - y, column - x) <= radius) pixels.push(row * SIDE + column);
      }
    }
    return pixels;
  }

  /* Let the view show `side` pixels around the first nodule of a slice, or around its middle. */
  function look(view, slice, side) {
    const corner = (middle) => Math.min(SIDE - side, Math.max(0, Math.round(middle - side / 2)));
    const [top, left] = (slice.nodules[0] || [SIDE / 2, SIDE / 2]).map(corner);
    Object.assign(view, { top, left, side });
  }

  /* Groups of pixels that touch, also at a corner or only at a side. */
  function groups(inside, corners = true) {
    const left = new Set(), found = [];
    for (let at = 0; at < SIDE * SIDE; at++) if (inside(at)) left.add(at);
    for (const first of left) {
      const group = [], waitingPixels = [first];
      left.delete(first);
      while (waitingPixels.length) {
        const at = waitingPixels.pop(), column = at % SIDE;
        group.push(at);
        for (const dy of [-SIDE, 0, SIDE]) for (const dx of corners || !dy ? [-1, 0, 1] : [0]) {
          if (column + dx >= 0 && column + dx < SIDE && left.delete(at + dy + dx)) waitingPixels.push(at + dy + dx);
        }
      }
      found.push(group);
    }
    return found;
  }

  /* --- drawing --- */

  /* Gray values from 0 to 1 as a picture of their own size. */
  function pictureOf(gray, width, height) {
    const canvas = document.createElement("canvas"), picture = new ImageData(width, height);
    canvas.width = width;
    canvas.height = height;
    gray.forEach((value, i) => picture.data.fill(Math.round(255 * value), 4 * i, 4 * i + 3));
    for (let i = 3; i < picture.data.length; i += 4) picture.data[i] = 255;
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }

  /* Draws the part `view` of a slice into a canvas. Places are in pixels of the slice, line widths in those of the canvas. */
  function easel(canvas, view = WHOLE) {
    const context = canvas.getContext("2d"), zoom = () => canvas.width / view.side;
    const line = (color, width) => {
      context.strokeStyle = color;
      context.lineWidth = width / zoom();
      context.beginPath();
    };
    return {
      context,
      line,
      picture(gray) {
        context.setTransform(zoom(), 0, 0, zoom(), -view.left * zoom(), -view.top * zoom());
        context.imageSmoothingEnabled = false;
        context.drawImage(pictureOf(gray, SIDE, SIDE), 0, 0);
      },
      fill(inside, color) {
        context.fillStyle = color;
        for (let at = 0; at < SIDE * SIDE; at++) if (inside(at)) context.fillRect(at % SIDE, Math.floor(at / SIDE), 1, 1);
      },
      outline(inside, color, width) {
        line(color, width);
        for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) {
          const here = inside(y * SIDE + x);
          if (x && here !== inside(y * SIDE + x - 1)) {
            context.moveTo(x, y);
            context.lineTo(x, y + 1);
          }
          if (y && here !== inside((y - 1) * SIDE + x)) {
            context.moveTo(x, y);
            context.lineTo(x + 1, y);
          }
        }
        context.stroke();
      },
      circle({ x, y }, pixels, color, width, dashes = []) {
        line(color, width);
        context.setLineDash(dashes.map((dash) => dash / zoom()));
        context.arc(x + 0.5, y + 0.5, pixels / 2, 0, 2 * Math.PI);
        context.stroke();
        context.setLineDash([]);
      },
      scale(spacing) {
        const mm = view.side < SIDE ? 10 : 50, length = (mm / spacing) * zoom();
        const end = canvas.width - 12, base = canvas.height - 14;
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.fillStyle = "#fff";
        context.font = "16px sans-serif";
        context.textAlign = "center";
        context.fillRect(end - length, base, length, 4);
        context.fillText(`${mm} mm`, end - length / 2, base - 6);
        context.setTransform(zoom(), 0, 0, zoom(), -view.left * zoom(), -view.top * zoom());
      },
    };
  }

  /* A place in the picture that mouse, finger and arrow keys move. use(x, y, event) is called by a click, a tap and Enter;
     where paints() is true also all along the way of a pointer that is held down. Tells draw() when the place has moved. */
  function hand(canvas, { use, draw, paints, view = WHOLE }) {
    const at = { x: 64, y: 64, pointing: false, get seen() { return this.pointing || document.activeElement === canvas; } };
    let last = null; // where the brush was
    const follow = (event) => {
      const box = canvas.getBoundingClientRect();
      at.x = view.left + ((event.clientX - box.left) / box.width) * view.side - 0.5;
      at.y = view.top + ((event.clientY - box.top) / box.height) * view.side - 0.5;
      return { x: at.x, y: at.y };
    };
    canvas.addEventListener("pointerdown", (event) => {
      last = follow(event);
      if (paints()) {
        canvas.setPointerCapture(event.pointerId);
        use(last.x, last.y, event);
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      at.pointing = true;
      const { x, y } = follow(event);
      if (last && paints()) {
        const steps = Math.ceil(Math.hypot(x - last.x, y - last.y));
        for (let i = 1; i <= steps; i++) use(last.x + ((x - last.x) * i) / steps, last.y + ((y - last.y) * i) / steps, event);
        last = { x, y };
      }
      draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const { x, y } = follow(event);
      if (last && !paints() && Math.hypot(x - last.x, y - last.y) < 4) use(x, y, event);
      last = null;
    });
    for (const name of ["pointercancel", "pointerleave"]) {
      canvas.addEventListener(name, () => { last = null; at.pointing = false; draw(); });
    }
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);
    canvas.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (move) {
        const far = event.shiftKey ? 5 : 1;
        const inside = (place, low) => Math.min(low + view.side - 1, Math.max(low, Math.round(place)));
        at.x = inside(at.x + far * move[0], view.left);
        at.y = inside(at.y + far * move[1], view.top);
        draw();
      } else if (event.key === "Enter" || event.key === " ") {
        use(at.x, at.y, event);
      } else {
        return;
      }
      event.preventDefault();
    });
    return at;
  }

  /* --- start --- */

  for (const place of document.querySelectorAll(".live")) {
    let begun = false;
    const begin = () => {
      if (begun) return;
      begun = true;
      start(place).catch((error) => fail(place, error));
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

  return {
    SIDE, COLORS, pieces, bytesOf, bitsOf, ask, latest, signed, slider, showValues, choice, canvasHtml, legend, resting, decoded, slice,
    fillSlices, grays, disk, look, groups, pictureOf, easel, hand,
  };
})();

/* Your own slice (notebook 15): a PNG, a JPEG or an uncompressed DICOM file is read, windowed and segmented in the page. */

(() => {
  "use strict";
  const { SIDE, COLORS, slider } = unetLive;
  const AIR = -1000, AIR_GRAY = 0.233; // what the network was trained to see around a slice
  const html = `
    <div class="live-picture">
      ${unetLive.canvasHtml("The slice with the outlines that the network draws")}
      ${unetLive.legend({ lung: COLORS.lung, nodule: COLORS.nodule })}
      <p class="live-says" role="status" aria-live="polite"></p>
    </div>
    <div class="live-controls">
      <p><label for="live-file">A PNG, a JPEG, or a CT slice as uncompressed DICOM file; choose it, or drop it here:</label>
        <input type="file" id="live-file"></p>
      <fieldset><legend>The display of a CT slice</legend>
        ${slider("own-level", ["window level", "HU", -1000, 200, 10, -600])}
        ${slider("own-width", ["window width", "HU", 100, 3000, 50, 1500])}
      </fieldset>
      <p><strong>Not for patients.</strong> The network has learned from synthetic chests only. What it draws here can be
        wrong in any way, and says nothing about the health of anybody.</p>
      <p>The file stays on this machine: nothing is sent anywhere, and nothing is kept.</p>
    </div>`;

  /* --- files --- */

  const LONG = ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]; // lengths of 32 bits
  const SYNTAXES = { "1.2.840.10008.1.2": false, "1.2.840.10008.1.2.1": true }; // whether types are written down
  const TAGS = {
    syntax: 0x00020010, modality: 0x00080060, samples: 0x00280002, kind: 0x00280004, rows: 0x00280010,
    columns: 0x00280011, spacing: 0x00280030, bits: 0x00280100, signed: 0x00280103, intercept: 0x00281052,
    slope: 0x00281053, pixels: 0x7fe00010,
  };

  /* The first picture of a DICOM file in Hounsfield units. Sequences are walked through and left out. */
  function readDicom(bytes) {
    const view = new DataView(bytes.buffer), places = {}, UNKNOWN = 0xffffffff;
    const textAt = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length)).replace(/[\0 ]+$/, "");
    const text = (name) => (places[TAGS[name]] ? textAt(...places[TAGS[name]]) : "");
    const whole = (name, other) => (places[TAGS[name]] ? view.getUint16(places[TAGS[name]][0], true) : other);
    let typed = true;

    function walk(at, inside) {
      while (at + 8 <= bytes.length) {
        const group = view.getUint16(at, true), tag = group * 0x10000 + view.getUint16(at + 2, true);
        at += 4;
        let length, type = "";
        if (group !== 0xfffe && (typed || group === 2)) {
          type = textAt(at, 2);
          length = LONG.includes(type) ? view.getUint32(at + 4, true) : view.getUint16(at + 2, true);
          at += LONG.includes(type) ? 8 : 4;
        } else {
          length = view.getUint32(at, true);
          at += 4;
        }
        if (inside && (tag === 0xfffee00d || tag === 0xfffee0dd)) return at; // the end of an item or a sequence
        if (length === UNKNOWN) {
          at = walk(at, true);
        } else {
          if (!inside) places[tag] = [at, length];
          at += length;
        }
        if (tag === TAGS.syntax) {
          typed = SYNTAXES[text("syntax")];
          if (typed === undefined) throw new Error("is compressed; save it as uncompressed DICOM file, little endian");
        }
      }
      return at;
    }

    walk(132, false);
    const rows = whole("rows"), columns = whole("columns"), bits = whole("bits"), count = rows * columns;
    const [start, length] = places[TAGS.pixels] || [0, 0];
    if (text("modality") !== "CT") throw new Error(`is no CT (modality ${text("modality") || "unknown"}); the window needs Hounsfield units`);
    if (whole("samples", 1) !== 1 || text("kind") !== "MONOCHROME2") throw new Error("has no gray values");
    if (bits !== 16 || !count || length < 2 * count || start + length > bytes.length) throw new Error("has no pixels of 16 bits");
    const slope = Number(text("slope") || 1), intercept = Number(text("intercept") || 0);
    const read = (at) => (whole("signed", 0) ? view.getInt16(at, true) : view.getUint16(at, true));
    const numbers = Float32Array.from({ length: count }, (_, i) => slope * read(start + 2 * i) + intercept);
    return { numbers, rows, columns, fill: AIR, hu: true, spacing: Number(text("spacing").split("\\")[0]) || null };
  }

  async function readPicture(file) {
    const bitmap = await createImageBitmap(file).catch(() => { throw new Error("is no PNG, JPEG or DICOM file"); });
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const gray = (i) => (299 * data[4 * i] + 587 * data[4 * i + 1] + 114 * data[4 * i + 2]) / 255000;
    const numbers = Float32Array.from({ length: data.length / 4 }, (_, i) => gray(i));
    return { numbers, rows: bitmap.height, columns: bitmap.width, fill: AIR_GRAY, hu: false, spacing: null };
  }

  async function read(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return String.fromCharCode(...bytes.subarray(128, 132)) === "DICM" ? readDicom(bytes) : readPicture(file);
  }

  /* The picture in the middle of SIDE x SIDE pixels, its longer side as long as they are: means of what falls together. */
  function fit({ numbers, rows, columns, fill }) {
    const scale = Math.max(rows, columns) / SIDE, out = new Float32Array(SIDE * SIDE).fill(fill);
    const [height, width] = [rows, columns].map((length) => Math.max(1, Math.round(length / scale)));
    const top = Math.floor((SIDE - height) / 2), left = Math.floor((SIDE - width) / 2);
    const range = (place, length) => {
      const first = Math.min(length - 1, Math.floor(place * scale));
      return [first, Math.min(length, Math.max(first + 1, Math.floor((place + 1) * scale)))];
    };
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const [above, below] = range(y, rows), [before, after] = range(x, columns);
      let sum = 0;
      for (let row = above; row < below; row++) for (let column = before; column < after; column++) {
        sum += numbers[row * columns + column];
      }
      out[(top + y) * SIDE + left + x] = sum / ((below - above) * (after - before));
    }
    return out;
  }

  /* --- the piece --- */

  function start(place, app) {
    const canvas = app.querySelector("canvas"), easel = unetLive.easel(canvas), input = app.querySelector("#live-file");
    const value = (id) => Number(app.querySelector(`#live-own-${id}`).value);
    const example = unetLive.slice(0);
    const state = place.live = {
      numbers: example.hu, hu: true, spacing: example.spacing, name: "Until you choose a file, a synthetic slice is shown.",
    };

    async function take(file) {
      if (!file) return;
      rest.moved();
      try {
        const picture = await read(file), scale = Math.max(picture.rows, picture.columns) / SIDE;
        const spacing = picture.spacing && picture.spacing * scale;
        const size = `${picture.columns}×${picture.rows} pixels, shown at ${SIDE}×${SIDE}`;
        const name = `${file.name}: ${size}${spacing ? `, ${spacing.toFixed(1)} mm each` : ""}.`;
        Object.assign(state, { numbers: fit(picture), hu: picture.hu, spacing, name, wrong: "" });
      } catch (error) {
        state.wrong = `${file.name} ${error instanceof RangeError ? "is not complete" : error.message}. `;
      }
      change();
    }

    function change() {
      unetLive.showValues(app);
      app.querySelector("fieldset").disabled = !state.hu;
      rest.moved();
      compute();
    }

    const compute = unetLive.latest(() => {
      state.gray = state.hu ? unetLive.grays(state.numbers, value("level"), value("width")) : state.numbers;
      return { image: state.gray, side: SIDE };
    }, ({ labels }, more) => {
      state.labels = labels;
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      easel.picture(state.gray);
      easel.outline((at) => labels[at] > 0, COLORS.lung, 2);
      easel.fill((at) => labels[at] === 2, `${COLORS.nodule}55`);
      easel.outline((at) => labels[at] === 2, COLORS.nodule, 4);
      if (state.spacing) easel.scale(state.spacing);
      if (!more) rest.rests();
    });

    const rest = unetLive.resting(place, () => {
      const { labels } = state, pieces = unetLive.groups((at) => labels[at] === 2).length;
      const lung = Math.round((100 * labels.filter((label) => label > 0).length) / labels.length);
      const drawn = pieces === 1 ? "one nodule" : pieces ? `${pieces} nodules` : "no nodule";
      app.querySelector(".live-says").textContent =
        `${state.wrong || ""}${state.name} The network draws lung in ${lung} % of the picture, and ${drawn}.`;
    });

    input.addEventListener("change", () => take(input.files[0]));
    for (const name of ["dragenter", "dragover"]) app.addEventListener(name, (event) => event.preventDefault());
    app.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
    app.querySelectorAll("input[type=range]").forEach((each) => each.addEventListener("input", change));
    change();
  }

  unetLive.pieces.own = { title: "Your own slice", html, start };
})();

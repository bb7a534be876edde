/* Watch a network learn (notebook 04): a tiny U-Net is trained in the browser, by learner.js in a worker of its own. */

(() => {
  "use strict";
  const { SIDE, COLORS, slider, choice } = unetLive;
  const LESSON = 32, STEPS = 200, AT_ONCE = 4; // steps until the next look at the held-out pictures
  const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1];
  const WEIGHTS = [1, 2, 5, 10, 20, 50, 100];
  const SETTINGS = {
    "Lungs that are learned": ["lungs", "crossentropy", 5],
    "Too slow": ["lungs", "crossentropy", 1],
    "Too fast": ["lungs", "crossentropy", 9],
    "Nodules: the black mask": ["nodules", "crossentropy", 9],
    "Nodules: black for long": ["nodules", "crossentropy", 5],
    "Nodules: weighted": ["nodules", "weighted", 5, 4],
    "Nodules: Dice loss": ["nodules", "dice", 5],
  };
  const LOSSES = { crossentropy: "cross-entropy", weighted: "weighted cross-entropy", dice: "Dice loss" };
  const ROWS = {
    steps: "steps", loss: "loss", dice: "held-out Dice", accuracy: "held-out accuracy",
    empty: "accuracy of an empty mask",
  };
  const LINES = { dice: { color: COLORS.tp }, accuracy: { color: COLORS.fp, dashes: "6 3" } };
  const text = (number) => (number >= 100 ? number.toExponential(0) : number.toFixed(2));

  const plot = (name, label, ...more) =>
    `<div data-plot="${name}">${unetPlot.html(`${label}; the numbers are in the table`, "", ...more)}</div>`;
  const canvas = (name) => `<canvas width="384" height="384" role="img"
      aria-label="${name} held-out picture with the ground truth and what the network draws"></canvas>`;
  const html = () => `
    <div class="live-picture">
      <div class="live-pair">${canvas("First")}${canvas("Second")}</div>
      ${unetLive.legend({ network: COLORS.lung, "ground truth": COLORS.truth })}
      <div class="live-buttons">${Object.entries({ train: "Train", step: "One step", again: "Start again" }).map(
        ([id, words]) => `<button type="button" value="${id}">${words}</button>`).join(" ")}</div>
      <p class="live-says" role="status" aria-live="polite"></p>
      ${plot("loss", "Loss over the steps, on a logarithmic axis", 1, [10, 0.01])}
      ${plot("held", "Dice and accuracy of the held-out pictures over the steps", 3)}
    </div>
    <div class="live-controls">
      <label>Try <select name="setting">${Object.keys(SETTINGS).map((name) => `<option>${name}</option>`).join("")}
        <option hidden disabled>your own setting</option></select></label>
      <fieldset><legend>To be found</legend> ${choice("task", "lungs", "lungs, in whole slices", "checked")}
        ${choice("task", "nodules", "nodules, from nearby")}</fieldset>
      <fieldset><legend>Loss</legend> ${Object.entries(LOSSES).map(([id, name]) =>
        choice("loss", id, name, id === "crossentropy" ? "checked" : "")).join(" ")}
        ${slider("weight", ["a pixel of the object counts", "times", 0, WEIGHTS.length - 1, 1, 4])}</fieldset>
      <fieldset><legend>Optimizer</legend> ${slider("rate", ["learning rate of Adam", "", 0, RATES.length - 1, 1, 5])}
        <label>Seed <select name="seed"><option>0</option><option>1</option><option>2</option><option>3</option>
          <option>4</option></select></label></fieldset>
      <table class="live-table"><caption>Now, and in the run before</caption>
        <thead><tr><th scope="col">number</th><th scope="col">now</th><th scope="col">before</th></tr></thead>
        <tbody>${Object.entries(ROWS).map(([id, name]) =>
          `<tr><th scope="row">${name}</th><td data-now="${id}"></td><td data-before="${id}"></td></tr>`)
          .join("")}</tbody>
      </table>
      <p class="live-speed"></p>
    </div>`;

  /* The pictures of a task: gray values from 0 to 1 and labels, LESSON×LESSON numbers in a row. */
  function lessonsOf(task) {
    const size = LESSON * LESSON;
    return Object.fromEntries(Object.entries(unetLessons[task]).map(([part, { patients, images, masks }]) => {
      const grays = unetLive.bytesOf(images), bits = unetLive.bitsOf(masks);
      return [part, patients.map((patient, number) => ({
        patient,
        image: Float64Array.from(grays.subarray(number * size, (number + 1) * size), (gray) => gray / 255),
        mask: bits.slice(number * size, (number + 1) * size),
      }))];
    }));
  }

  /* The share of the pixels that belong to the object. */
  function shareOf(lessons) {
    const pixels = lessons.reduce((sum, { mask }) => sum + mask.reduce((a, b) => a + b), 0);
    return pixels / lessons.length / LESSON ** 2;
  }

  /* In the worker: each question is {begin} or {steps, options}, and is answered by what the held-out pictures show. */
  function work(unetLearner) {
    let learner;
    self.onmessage = ({ data }) => {
      if (data.begin) learner = unetLearner(data.begin.lessons, data.begin.seed);
      const began = performance.now(), losses = [];
      for (let k = 0; k < (data.steps || 0); k++) losses.push(learner.step(data.options));
      const seconds = (performance.now() - began) / 1000;
      self.postMessage({ run: data.run, losses, seconds, ...learner.examine() });
    };
  }

  function start(place, app) {
    const state = place.live = { run: 0, before: null };
    const easels = [...app.querySelectorAll("canvas")].map((canvas) => unetLive.easel(canvas));
    const find = (selector) => app.querySelector(selector);
    const picked = (name) => find(`input[name=live-${name}]:checked`).value;
    const source = new Blob([`(${work})(${unetLearner})`], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(source));
    const whole = (numbers) => Array.from({ length: SIDE * SIDE }, (_, at) =>
      numbers[Math.floor(at / SIDE / (SIDE / LESSON)) * LESSON + Math.floor((at % SIDE) / (SIDE / LESSON))]);

    function options() {
      const loss = picked("loss");
      return {
        loss: loss === "dice" ? "dice" : "crossentropy", rate: RATES[find("#live-rate").value],
        weight: loss === "weighted" ? WEIGHTS[find("#live-weight").value] : 1,
      };
    }

    /* A new network. What the last one did stays in sight, to compare with. */
    function begin() {
      if (state.losses?.length) state.before = { ...state, before: null };
      const lessons = lessonsOf(picked("task")), { heldOut } = lessons;
      Object.assign(state, {
        run: state.run + 1, running: false, busy: true, goal: STEPS, losses: [], looks: [], seconds: 0,
        shown: [0, heldOut.length >> 1].map((number) => ({ number, ...heldOut[number] })),
        empty: 1 - shareOf(heldOut),
      });
      rest.moved();
      worker.postMessage({ run: state.run, begin: { lessons, seed: Number(find("[name=seed]").value) } });
      draw();
    }

    function train(steps) {
      if (state.busy) return;
      state.busy = true;
      rest.moved();
      worker.postMessage({ run: state.run, steps, options: options() });
    }

    worker.onmessage = ({ data }) => {
      if (data.run !== state.run) return; // of a network that is gone
      state.busy = false;
      state.losses.push(...data.losses);
      state.seconds += data.seconds;
      state.looks.push({ step: state.losses.length, ...data });
      if (state.losses.length >= state.goal) state.running = false;
      if (state.running) train(Math.min(AT_ONCE, state.goal - state.losses.length));
      draw();
      place.dataset.pictures = Number(place.dataset.pictures || 0) + 1;
      if (!state.running) rest.rests();
      state.ready();
    };

    function draw() {
      unetLive.showValues(app);
      find("#live-weight").disabled = picked("loss") !== "weighted";
      const look = state.looks[state.looks.length - 1], steps = state.losses.length;
      easels.forEach((easel, side) => {
        const { image, mask, number } = state.shown[side], truth = whole(mask);
        easel.picture(Float32Array.from(whole(image)));
        if (look) {
          const found = whole(look.found[number]);
          easel.fill((at) => found[at] > 0.5, `${COLORS.lung}99`);
        }
        easel.outline((at) => truth[at] === 1, COLORS.truth, 3);
      });
      const next = steps >= state.goal ? `Train ${STEPS} more` : steps ? "Go on" : "Train";
      find("[value=train]").textContent = state.running ? "Pause" : next;
      find("[value=step]").disabled = state.running;
      for (const [which, one] of [["now", state], ["before", state.before]]) {
        const last = one?.looks[one.looks.length - 1], numbers = {};
        if (last) {
          const { dice, accuracy } = last, loss = one.losses.length ? text(one.losses[one.losses.length - 1]) : "–";
          Object.assign(numbers, { steps: one.losses.length, loss });
          Object.assign(numbers, { dice: text(dice), accuracy: text(accuracy), empty: text(one.empty) });
        }
        for (const cell of app.querySelectorAll(`[data-${which}]`)) cell.textContent = numbers[cell.dataset[which]] ?? "–";
      }
      curves();
    }

    /* Thick: this run. Thin: the one before. Dotted: what an empty mask gets. */
    function curves() {
      const end = Math.max(state.goal, state.before?.goal || 0), inside = (share) => Math.min(1, Math.max(0, share));
      const runs = [[state.before, 0.7], [state, 2]].filter(([run]) => run);
      const loss = { color: "currentColor" }, empty = { color: "currentColor", dashes: "1 3", width: 1 };
      find("[data-plot=loss] g").innerHTML = runs.map(([{ losses }, width]) =>
        unetPlot.line(losses.map((each, k) => [(k + 1) / end, inside((Math.log10(each) + 2) / 3)]), { ...loss, width }))
        .join("") + unetPlot.key({ loss });
      const lines = ({ looks }, width) => Object.entries(LINES).map(([id, style]) =>
        unetPlot.line(looks.map((look) => [look.step / end, look[id]]), { ...style, width })).join("");
      find("[data-plot=held] g").innerHTML = runs.map(([run, width]) => lines(run, width)).join("")
        + unetPlot.line([[0, state.empty], [1, state.empty]], empty)
        + unetPlot.key({ Dice: LINES.dice, accuracy: LINES.accuracy, "empty mask": empty });
      for (const words of app.querySelectorAll(".live-below")) words.textContent = `steps, 0 to ${end}`;
    }

    const rest = unetLive.resting(place, () => {
      const look = state.looks[state.looks.length - 1], steps = state.losses.length, words = [];
      if (!steps) {
        words.push("The network is untrained. Press Train.");
      } else {
        words.push(`After ${steps} ${steps === 1 ? "step" : "steps"}, on held-out pictures:`);
        words.push(`accuracy ${text(look.accuracy)}, Dice ${text(look.dice)}.`);
        const right = `${Math.round(100 * look.accuracy)} % of the pixels are right all the same.`;
        if (!look.drawn) words.push(`The mask is black: nothing is drawn, and ${right}`);
        find(".live-speed").textContent = `${steps} steps took ${state.seconds.toFixed(1)} s in this browser.`;
      }
      find(".live-says").textContent = words.join(" ");
    });

    function apply() {
      const [task, loss, rate, weight = 4] = SETTINGS[find("[name=setting]").value];
      find(`input[value=${task}]`).checked = find(`input[value=${loss}]`).checked = true;
      find("#live-rate").value = rate;
      find("#live-weight").value = weight;
      begin();
    }

    find("#live-rate").dataset.words = RATES.join("|");
    find("#live-weight").dataset.words = WEIGHTS.join("|");
    app.querySelectorAll("input").forEach((input) => input.addEventListener("input", () => {
      find("[name=setting]").value = "your own setting";
      begin();
    }));
    find("[name=setting]").addEventListener("change", apply);
    find("[name=seed]").addEventListener("change", begin);
    find("[value=again]").addEventListener("click", begin);
    find("[value=step]").addEventListener("click", () => train(1));
    find("[value=train]").addEventListener("click", () => {
      if (state.losses.length >= state.goal) state.goal += STEPS;
      state.running = !state.running;
      if (state.running) train(AT_ONCE);
      draw();
    });
    begin();
    return new Promise((resolve, reject) => {
      state.ready = resolve;
      worker.onerror = (event) => reject(new Error(event.message || "the worker does not start"));
    });
  }

  unetLive.pieces.learn = {
    title: "Watch a network learn", alone: true, needs: ["learner.js", "lessons.js", "plot.js"], get html() { return html(); },
    start, lessonsOf,
  };
})();

/* How much disturbance can it take (notebook 06)? The sliders are unet_helpers.failures.DISTURBANCES. */

(() => {
  "use strict";
  const LABELS = {
    noise: ["noise (standard deviation)", "HU", 10], contrast: ["share of the contrast that is left", "", 0.05],
    blur: ["blur (standard deviation)", "mm", 0.5], resolution: ["pixel size as a multiple", "", 0.25],
    rotation: ["rotation", "degrees", 1], shift: ["shift to the front", "mm", 1],
    "missing rows": ["share of the rows that is missing", "", 0.01],
  };

  /* Once tools/make_live.py's robustness.js is there, which has the levels and the Dice of book/results/robustness.json. */
  const offers = () => ({
    sliders: Object.fromEntries(Object.entries(unetRobustness).map(([name, recorded]) => {
      const [label, unit, step] = LABELS[name];
      return [name, { label, unit, step, levels: recorded.levels, recorded }];
    })),
    slices: unetSlices.map(({ name }) => name),
    picture(number, settings) {
      const { hu, mask, spacing } = unetDisturb.disturbed(unetLive.slice(number), settings);
      return { hu, mask, spacing, gray: unetLive.grays(hu, -600, 1500) };
    },
  });

  unetLive.pieces.disturb = {
    title: "Disturb the picture",
    needs: ["metrics.js", "plot.js", "disturbances.js", "robustness.js", "costs.js"],
    get html() { return unetCosts.html(offers()); },
    start: (place, app) => unetCosts.start(place, app, offers()),
  };
})();

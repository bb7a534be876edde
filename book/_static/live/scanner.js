/* Another scanner (notebook 09): one patient in the scans that tools/make_live.py has made with the phantom's scanner, and
   the window, which needs no scan. */

(() => {
  "use strict";
  const mm = (value) => `${value} mm`;
  const SCANS = { // as in unet_helpers.phantom.Acquisition
    photons: ["dose", (value) => `${value.toLocaleString("en")} photons`], kernel: ["kernel", String],
    slice_thickness: ["slice thickness", mm], motion: ["motion", mm],
    field_of_view: ["field of view", (value) => mm(value ?? Math.round(unetScans.standard[0].spacing * unetLive.SIDE))],
  };
  const WINDOW = {
    level: { label: "window level", unit: "HU", step: 10, levels: [-1000, -800, -600, -400, -200], start: -600 },
    width: { label: "window width", unit: "HU", step: 50, levels: [800, 1150, 1500, 1850, 2200], start: 1500 },
  };

  const scanOffer = ([name, values]) => {
    const [label, say] = SCANS[name], words = values.map(say);
    return [name, { label, unit: "", step: 1, levels: values.map((_, place) => place), words, alone: true }];
  };

  const offers = () => ({
    sliders: { ...Object.fromEntries(Object.entries(unetScans.values).map(scanOffer)), ...WINDOW },
    slices: unetScans.standard.map(({ name }) => name),
    picture(number, settings) {
      const [changed] = Object.keys(SCANS).filter((name) => settings[name] > 0), standard = unetScans.standard[number];
      const scan = changed ? { ...standard, ...unetScans.others[changed][settings[changed] - 1][number] } : standard;
      const { hu, mask, spacing } = unetLive.decoded(scan);
      return { hu, mask, spacing, gray: unetLive.grays(hu, settings.level, settings.width) };
    },
  });

  unetLive.pieces.scanner = {
    title: "Scan the patient again",
    needs: ["metrics.js", "plot.js", "scans.js", "costs.js"],
    get html() { return unetCosts.html(offers()); },
    start: (place, app) => unetCosts.start(place, app, offers()),
  };
})();

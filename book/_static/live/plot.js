/* Plots of the live pieces: both axes run from 0 to 1, and a line stands where the reader is. */

self.unetPlot = (() => {
  "use strict";
  const x = (share) => 30 + 260 * share, y = (share) => 130 - 120 * share;

  /* `rows` of room for a key below the axis; `ends` is what stands at 1 and at 0. */
  const html = (label, below, rows = 0, ends = [1, 0]) => `<svg class="live-plot" viewBox="0 0 300 ${rows ? 158 + 14 * rows : 150}" role="img" aria-label="${label}">
    <path d="M30 10V130H290" fill="none" stroke="currentColor"/><g></g>
    <line class="live-here" y1="10" y2="130"/>
    <text x="26" y="15" text-anchor="end">${ends[0]}</text><text x="26" y="133" text-anchor="end">${ends[1]}</text>
    <text class="live-below" x="160" y="147" text-anchor="middle">${below}</text></svg>`;

  /* Points that are no number, as a Dice of 0/0, are left out. */
  function line(points, { color, dashes = "", width = 2 }) {
    const places = points.filter((point) => !point.some(Number.isNaN)).map(([a, b]) => `${x(a)},${y(b)}`);
    return `<polyline points="${places.join(" ")}" fill="none" stroke="${color}" stroke-width="${width}" stroke-dasharray="${dashes}"/>`;
  }

  const point = ([a, b], color, radius = 5) =>
    (Number.isNaN(b) ? "" : `<circle cx="${x(a)}" cy="${y(b)}" r="${radius}" fill="${color}"/>`);

  /* What the lines are, from the given height on downwards. */
  const key = (lines, top = 161) => Object.entries(lines).map(([name, { color, dashes = "", width = 2 }], row) => `
    <path d="M36 ${top + 14 * row}H60" stroke="${color}" stroke-width="${width}" stroke-dasharray="${dashes}"/>
    <text x="64" y="${top + 4 + 14 * row}">${name}</text>`).join("");

  function here(svg, share) {
    const line = svg.querySelector(".live-here");
    for (const end of ["x1", "x2"]) line.setAttribute(end, x(share));
    line.setAttribute("stroke", "currentColor");
  }

  return { html, line, point, key, here };
})();

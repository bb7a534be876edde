/* What the pages cannot say themselves: names of sliders and of the pictures that they change; folds on paper. */
(() => {
  const outputOf = (element) => element.closest(".cell_output, .output") ?? document.body;

  /* The widget manager draws a slider with a label beside it, and connects the two for the eye only. */
  function name(root) {
    for (const handle of root.querySelectorAll('[role="slider"]:not([aria-label])')) {
      const row = handle.closest(".widget-hslider, .widget-slider, .jupyter-widgets");
      const label = row?.querySelector(".widget-label")?.textContent.trim();
      handle.setAttribute("aria-label", label || "choose what the picture shows");
      const shown = row?.querySelector(".widget-readout");
      if (shown) {
        const say = () => handle.setAttribute("aria-valuetext", shown.textContent.trim());
        new MutationObserver(say).observe(shown, { childList: true, characterData: true, subtree: true });
        say();
      }
    }
    for (const image of root.querySelectorAll("img.widget-image:not([alt])")) {
      const described = outputOf(image).closest(".cell, figure")?.querySelector("figcaption, img[alt]");
      const text = described?.getAttribute?.("alt") || described?.textContent.trim();
      image.setAttribute("alt", text || "The picture that the slider changes.");
    }
  }

  const watch = new MutationObserver(() => name(document));
  document.addEventListener("DOMContentLoaded", () => {
    if (document.querySelector('script[type="application/vnd.jupyter.widget-view+json"]')) {
      watch.observe(document.querySelector("article") ?? document.body, { childList: true, subtree: true });
    }
    name(document);
  });

  /* What the theme leaves without a name, or without a landmark around it. */
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll(".theme-switch-button[aria-label]")) {
      button.setAttribute("aria-label", "Color mode: Light Dark System Settings");  // the titles of its icons
    }
    for (const button of document.querySelectorAll(".search-button-field[aria-label]")) {
      button.removeAttribute("aria-label");  // it says what it is, and its key
    }
    for (const fold of document.querySelectorAll(".bd-sidebar-primary summary")) {
      const page = fold.closest("li")?.querySelector("a")?.textContent.trim();
      fold.setAttribute("aria-label", page ? `Pages below ${page}` : "More pages");
    }
    const sidebar = document.querySelector(".bd-sidebar-primary");
    sidebar?.setAttribute("role", "navigation");
    sidebar?.setAttribute("aria-label", "The book");
  });

  /* Where a live piece stands in a notebook, it is started and finds room; other pages load nothing of it. */
  const live = new URL("live/live.js", document.currentScript.src).href;
  document.addEventListener("DOMContentLoaded", () => {
    const places = document.querySelectorAll(".live[data-piece]");
    if (!places.length) return;
    for (const place of places) place.classList.add("live-waits");
    document.head.append(Object.assign(document.createElement("script"), { src: live }));
  });

  /* What scrolls can be scrolled by keyboard; the theme looks once, and a phone is turned. */
  function reach() {
    for (const text of document.querySelectorAll("article :is(pre, .cell_output, .output, .pst-scrollable-table-container)")) {
      if (text.scrollWidth > text.clientWidth) text.tabIndex = 0;
    }
  }
  window.addEventListener("load", () => setTimeout(reach));
  window.addEventListener("resize", reach);

  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const fold of closed) fold.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const fold of closed) fold.open = false;
  });
})();

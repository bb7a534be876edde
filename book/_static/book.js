/* What the pages cannot do or say themselves: sliders over pictures, names of what the theme brings, folds on paper. */
(() => {
  /* A slider shows one picture of each of its stacks, and says what the label beside it says. */
  function move(slider) {
    const chosen = slider.dataset.moves.split(" ").map((id) => {
      const pictures = [...document.getElementById(id).children];
      for (const [number, picture] of pictures.entries()) picture.hidden = number !== slider.valueAsNumber;
      return pictures[slider.valueAsNumber].textContent.trim();
    });
    slider.setAttribute("aria-valuetext", chosen.find(Boolean) ?? slider.value);
  }
  document.addEventListener("DOMContentLoaded", () => {
    for (const slider of document.querySelectorAll("input[data-moves]")) {
      slider.addEventListener("input", () => move(slider));
      slider.addEventListener("focus", () => fetchPictures(slider));
      slider.addEventListener("pointerenter", () => fetchPictures(slider));
      move(slider);  // a browser that comes back to the page has kept the value
    }
  });
  function fetchPictures(slider) {
    for (const picture of slider.closest(".explorer").querySelectorAll("img[loading]")) picture.loading = "eager";
  }

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

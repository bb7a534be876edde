// Starts a deck. D changes between light and dark, which at first follows the system; N shows the notes.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const follow = () => { root.dataset.theme = system.matches ? "dark" : "light"; };
follow();
system.addEventListener("change", follow);

// tools/make_slides.py prints only once the pages are there
document.addEventListener("pdf-ready", () => { root.dataset.pages = "ready"; });

if (window.Reveal) {
  const dark = () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; };
  const notes = () => Reveal.configure({ showNotes: !Reveal.getConfig().showNotes });
  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    backgroundTransition: "none",
    pdfSeparateFragments: false,
    scrollActivationWidth: null, // a deck stays a deck on a small screen
    plugins: [RevealNotes],
  }).then(() => {
    Reveal.addKeyBinding({ keyCode: 68, key: "D", description: "Light or dark" }, dark);
    Reveal.addKeyBinding({ keyCode: 78, key: "N", description: "Notes beside the slide" }, notes);
  });
}

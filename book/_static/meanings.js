/* Words with their meaning (book/_ext/meanings.py): CSS shows it on hover and focus; Escape closes it, a touch opens it. */
(() => {
  let touched = false;
  const open = (word) => word.matches(":hover, :focus-within") && !word.classList.contains("word-closed");

  document.addEventListener("pointerdown", (event) => { touched = event.pointerType !== "mouse"; }, true);
  document.addEventListener("keydown", (event) => {
    touched = false;
    if (event.key !== "Escape") return;
    for (const word of document.querySelectorAll(".word")) if (open(word)) word.classList.add("word-closed");
  });
  /* The first touch of a word shows its meaning, a second one follows the link to the glossary. */
  document.addEventListener("click", (event) => {
    const word = event.target.closest?.(".word");
    for (const other of document.querySelectorAll(".word-touched")) {
      if (other !== word) other.classList.remove("word-touched");
    }
    if (!word || !touched || word.classList.contains("word-touched")) return;
    event.preventDefault();
    word.classList.remove("word-closed");
    word.classList.add("word-touched");
  });
  for (const left of ["mouseout", "focusout"]) {
    document.addEventListener(left, (event) => {
      const word = event.target.closest?.(".word");
      if (word && !word.contains(event.relatedTarget)) word.classList.remove("word-closed", "word-touched");
    });
  }
})();

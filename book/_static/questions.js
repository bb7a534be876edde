/* Questions with choices (book/_ext/questions.py): choose, check, see why. Answers stay in this browser. */
(() => {
  const PREFIX = "question: ";
  /* Where nothing may be kept, as in some private windows, nothing is remembered. */
  const keep = (action) => { try { return action(localStorage); } catch { return null; } };
  const make = (tag, members = {}) => Object.assign(document.createElement(tag), members);

  function ask(box, number) {
    const list = box.querySelector("ol"), [text, choices] = list.querySelector("li").children;
    const key = PREFIX + text.textContent.trim();
    const reasons = [...box.querySelectorAll("details li")];
    const form = make("form"), group = make("fieldset"), legend = make("legend");
    const check = make("button", { type: "submit", textContent: "Check", className: "question-check" });
    const says = make("div", { className: "question-says" });
    says.setAttribute("role", "status");
    legend.append(`${list.start}. `, ...text.childNodes);
    group.append(legend);
    for (const choice of [...choices.children]) {
      const label = make("label"), words = make("span");
      const letter = choice.textContent.trim()[0];
      words.append(...(choice.firstElementChild?.tagName === "P" ? choice.firstElementChild : choice).childNodes);
      label.append(make("input", { type: "radio", name: `question-${number}`, value: letter }), words);
      group.append(label);
    }

    function answer(letter) {
      const reason = reasons.find((one) => RegExp(`^(Right: ${letter}\\.|Not ${letter}:)`).test(one.textContent.trim()));
      const right = reason?.textContent.trim().startsWith("Right");
      form.dataset.answer = right ? "right" : "wrong";
      says.replaceChildren(...[...reason?.childNodes ?? []].map((node) => node.cloneNode(true)));
    }
    function clear() {
      delete form.dataset.answer;
      says.replaceChildren();
    }
    form.addEventListener("change", clear);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const letter = group.querySelector("input:checked")?.value;
      if (!letter) return says.replaceChildren(make("p", { textContent: "Choose one of the answers first." }));
      answer(letter);
      keep((store) => store.setItem(key, letter));
    });
    form.addEventListener("reset", () => {
      clear();
      keep((store) => store.removeItem(key));
    });
    const before = [...group.querySelectorAll("input")].find((one) => one.value === keep((store) => store.getItem(key)));
    if (before) {
      before.checked = true;
      answer(before.value);
    }
    form.append(group, check, says);
    list.replaceWith(form);
    return form;
  }

  document.addEventListener("DOMContentLoaded", () => {
    const forms = [...document.querySelectorAll(".question")].map(ask);
    if (!forms.length) return;
    const note = make("p", { className: "question-note", textContent: "Your choices stay in this browser. " });
    const again = make("button", { type: "button", textContent: "Clear them", className: "question-check" });
    again.addEventListener("click", () => { for (const form of forms) form.reset(); });
    note.append(again);
    const boxes = document.querySelectorAll(".question");
    boxes[boxes.length - 1].after(note);
  });
})();

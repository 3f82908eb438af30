// What is asked on top of the page: whether a button is meant, and the values of
// a form. Both are <dialog>, so the browser keeps the focus inside and Escape
// closes them.

let hiding;

// toast says what went wrong, for a while.
export function toast(text) {
  const shown = document.querySelector("#toast");
  clearTimeout(hiding);
  shown.textContent = text;
  shown.hidden = false;
  hiding = setTimeout(() => { shown.hidden = true; }, 7000);
}

// confirmed asks the question of a button and whether the answer was yes.
export function confirmed(button) {
  const dialog = document.querySelector("#confirm");
  const yes = dialog.querySelector("#confirm-yes");
  dialog.querySelector("#confirm-text").textContent = button.dataset.confirm;
  dialog.querySelector("#confirm-line").textContent = button.dataset.line;
  yes.textContent = `Yes, ${button.textContent[0].toLowerCase()}${button.textContent.slice(1)}`;
  yes.className = button.classList.contains("danger") ? "danger" : "primary";
  dialog.returnValue = "";
  dialog.showModal();
  dialog.querySelector("[value=no]").focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => {
      if (button.isConnected) button.focus();
      answer(dialog.returnValue === "yes");
    }, { once: true });
  });
}

// openForm shows the form in a template; submit(message, fields) sends it.
export function openForm(template, submit) {
  const dialog = document.querySelector("#form");
  if (!template || dialog.open) return;
  const back = document.activeElement;
  dialog.replaceChildren(template.content.cloneNode(true));
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector(".problem");
  dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const send = form.querySelector("[type=submit]");
    send.disabled = true;
    try {
      await submit(form.dataset.formMessage, Object.fromEntries(new FormData(form)));
      dialog.close();
    } catch (err) {
      problem.textContent = err.message;
      problem.hidden = false;
    }
    send.disabled = false;
  });
  dialog.addEventListener("close", () => {
    dialog.replaceChildren(); // a secret does not stay in the page
    if (back?.isConnected) back.focus();
  }, { once: true });
  dialog.showModal();
  (form.querySelector("input, select, textarea") ?? form).focus();
}

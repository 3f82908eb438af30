// Where one types: it grows with the text, suggests how to finish a line while
// it is typed, and remembers the lines of this tab.
import { toast } from "./dialogs.js";

const body = document.body;
const past = JSON.parse(sessionStorage.getItem("lines") ?? "[]");

// composers wires every composer under root; send(text, place) takes a line.
export function composers(root, send) {
  for (const form of root.querySelectorAll("[data-composer]")) new Composer(form, send);
}

// fill puts a line into a composer, ready to be sent.
export function fill(place, line) {
  const text = document.querySelector(`[data-composer="${place}"] textarea`);
  text.value = line;
  text.focus();
  text.dispatchEvent(new Event("input"));
}

class Composer {
  constructor(form, send) {
    this.form = form;
    this.place = form.dataset.composer;
    this.send = send;
    this.text = form.querySelector("textarea");
    this.list = form.querySelector(".completions");
    this.options = [];
    this.chosen = -1;
    this.back = past.length;
    this.asked = 0;
    this.text.addEventListener("input", () => { this.grow(); this.ask(); });
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.list.addEventListener("mousedown", (event) => {
      const option = event.target.closest("li");
      if (!option) return;
      event.preventDefault();
      this.take(Number(option.dataset.index));
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
  }

  // ask waits until typing pauses for a moment; an answer that comes after a
  // newer question is dropped.
  ask() {
    clearTimeout(this.pause);
    const line = this.text.value;
    if (!line.startsWith("/") || line.includes("\n") || line.length > 500) return this.close();
    this.pause = setTimeout(async () => {
      const asked = ++this.asked;
      const thread = this.place === "thread" ? document.querySelector("#thread-scroll").dataset.thread : "";
      const query = new URLSearchParams({ as: body.dataset.as, thread, line });
      const response = await fetch(`/c/${body.dataset.channel}/complete?${query}`).catch(() => null);
      const found = response?.ok ? await response.json() : [];
      if (asked === this.asked && this.text.value === line && document.activeElement === this.text) this.open(found);
    }, 90);
  }

  open(found) {
    this.options = found;
    this.chosen = -1;
    if (found.length === 0) return this.close();
    this.list.replaceChildren(...found.map((completion, i) => {
      const option = document.createElement("li");
      option.id = `${this.list.id}-${i}`;
      option.dataset.index = i;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.append(Object.assign(document.createElement("b"), { textContent: completion.label }));
      option.append(Object.assign(document.createElement("span"), { textContent: completion.help ?? "" }));
      return option;
    }));
    this.list.hidden = false;
    this.text.setAttribute("aria-expanded", "true");
  }

  close() {
    clearTimeout(this.pause);
    this.asked++;
    this.list.hidden = true;
    this.chosen = -1;
    this.text.setAttribute("aria-expanded", "false");
    this.text.removeAttribute("aria-activedescendant");
  }

  choose(step) {
    const options = [...this.list.children];
    this.chosen = (this.chosen + step + options.length + (this.chosen < 0 && step < 0 ? 1 : 0)) % options.length;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.chosen)));
    options[this.chosen].scrollIntoView({ block: "nearest" });
    this.text.setAttribute("aria-activedescendant", options[this.chosen].id);
  }

  // take puts a suggestion in place and goes on suggesting.
  take(index) {
    const insert = this.options[index].insert;
    this.text.value = insert.endsWith(" ") ? insert : `${insert} `;
    this.close();
    this.grow();
    this.ask();
  }

  key(event) {
    const open = !this.list.hidden;
    if (event.isComposing) return;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.choose(event.key === "ArrowDown" ? 1 : -1);
    } else if (open && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      this.take(Math.max(this.chosen, 0));
    } else if (open && event.key === "Enter" && this.chosen >= 0) {
      event.preventDefault();
      this.take(this.chosen);
    } else if (open && event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && (this.text.value === "" || this.text.value === past[this.back])) {
      this.recall(event, -1);
    } else if (event.key === "ArrowDown" && this.text.value !== "" && this.text.value === past[this.back]) {
      this.recall(event, 1);
    }
  }

  recall(event, step) {
    const to = this.back + step;
    if (to < 0 || to > past.length) return;
    event.preventDefault();
    this.back = to;
    this.text.value = past[to] ?? "";
    this.grow();
  }

  // submit sends what was typed; when that fails it is put back.
  async submit() {
    const line = this.text.value.trim();
    if (line === "") return;
    this.close();
    this.text.value = "";
    this.grow();
    if (past.at(-1) !== line && !/\bconfig\s+set\b/.test(line)) past.push(line);
    sessionStorage.setItem("lines", JSON.stringify(past.slice(-50)));
    this.back = past.length;
    try {
      await this.send(line, this.place);
    } catch (err) {
      if (this.text.value === "") this.text.value = line;
      this.grow();
      toast(err.message);
    }
  }
}

// The page follows the stream of changes: a changed message replaces the one
// that is shown, a new one goes to the end of its channel or thread. All markup
// comes from the server; nothing here builds any from text.
import { composers, fill } from "./compose.js";
import { confirmed, openForm, toast } from "./dialogs.js";

const body = document.body;
const me = body.dataset.as;
const channel = body.dataset.channel;
const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// post sends one action. Its key makes a repeated request the same action, so a
// request that got no answer is sent again.
async function post(path, action) {
  const request = JSON.stringify({ as: me, key: crypto.randomUUID(), ...action });
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Maitred-Token": body.dataset.token },
        body: request,
      });
    } catch (err) {
      if (attempt === 4) throw new Error("maitred does not answer. What you typed is still here.");
      await new Promise((wait) => setTimeout(wait, 500 * (attempt + 1)));
      continue;
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    throw new Error([answer.error ?? "maitred did not understand the page.", answer.hint].filter(Boolean).join(" "));
  }
}

// ---- messages

function lists(message) {
  const found = [];
  if (message.channel !== channel) return found;
  if (message.thread === 0) found.push($("#messages"));
  else if (openThread() === String(message.thread)) found.push($("#thread-messages"));
  return found;
}

function openThread() {
  return $("#thread-scroll")?.dataset.thread ?? "";
}

function show(message) {
  const holder = document.createElement("template");
  holder.innerHTML = message.html;
  const fresh = holder.content.firstElementChild;
  const shown = all(`article[data-message="${message.id}"]`);
  for (const old of shown) replace(old, fresh.cloneNode(true));
  if (shown.length > 0) return;
  for (const list of lists(message)) {
    const scroll = list.closest(".scroll");
    const follow = message.mine || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
    const added = fresh.cloneNode(true);
    added.classList.add("fresh");
    list.append(added);
    days();
    if (follow) scroll.scrollTop = scroll.scrollHeight;
    else if (scroll.id === "scroll") $("#newer").hidden = false;
    if (!message.mine) announce(added.dataset.say);
    if (message.thread !== 0) countReplies();
    seen();
  }
  if (message.form && message.channel === channel) openForm($(`template[data-form="${message.id}"]`), submit);
}

// replace swaps a message for its newer self without moving the reader: the
// focus, the opened outputs and the end of the list stay where they are.
function replace(old, fresh) {
  const scroll = old.closest(".scroll");
  const atEnd = scroll && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const opened = all("details", old).map((d) => d.open);
  if (old.dataset.say !== fresh.dataset.say) announce(fresh.dataset.say);
  old.replaceWith(fresh);
  all("details", fresh).forEach((d, i) => { if (opened[i] !== undefined) d.open = opened[i]; });
  if (focused?.dataset.line) (all("[data-line]", fresh).find((b) => b.dataset.line === focused.dataset.line) ?? scroll)?.focus();
  else if (focused?.dataset.openThread) $("[data-open-thread]", fresh)?.focus();
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
}

function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("#live").append(line);
  while ($("#live").children.length > 5) $("#live").firstChild.remove();
}

function countReplies() {
  const n = all("#thread-messages > article").length - 1;
  const rule = $("#thread-messages .rule span");
  if (rule) rule.textContent = `${n} ${n === 1 ? "reply" : "replies"}`;
}

// days puts a line between two days.
function days() {
  let day = "";
  for (const message of all("#messages > article")) {
    if (message.dataset.day !== day && message.previousElementSibling?.dataset?.rule !== message.dataset.day) {
      const rule = document.createElement("div");
      rule.className = "rule";
      rule.dataset.rule = message.dataset.day;
      rule.append(document.createElement("span"));
      rule.firstChild.textContent = message.dataset.day;
      message.before(rule);
    }
    day = message.dataset.day;
  }
}

// ---- what was read

let told = { 0: 0 };
function seen() {
  if (document.visibilityState !== "visible") return;
  mark(0, all("#messages > article").at(-1));
  const thread = openThread();
  if (thread) mark(Number(thread), all("#thread-messages > article").at(-1));
}

function mark(thread, last) {
  const id = Number(last?.dataset.message ?? 0);
  if (!id || (told[thread] ?? 0) >= id) return;
  told[thread] = id;
  post(`/c/${channel}/seen`, { thread, message: id }).catch(() => { delete told[thread]; });
}

function unread(counts) {
  for (const link of all("[data-channel-link]")) {
    const count = counts.channels[link.dataset.channelLink] ?? { messages: 0, mentions: 0 };
    link.classList.toggle("unread", count.messages > 0);
    badge(link, count.mentions || count.messages, count.mentions > 0 ? " mentions of you" : " unread", count.mentions > 0);
  }
  for (const link of all("[data-persona]")) badge(link, counts.personas[link.dataset.persona] ?? 0, " mentions", true);
}

function badge(link, count, word, hot) {
  const shown = $(".badge", link);
  shown.hidden = count === 0;
  shown.classList.toggle("hot", hot);
  $(".count", shown).textContent = count;
  $(".sr", shown).textContent = word;
}

// ---- threads

async function thread(id, focus = true) {
  const response = await fetch(`/c/${channel}/thread/${id}?as=${encodeURIComponent(me)}`).catch(() => null);
  if (!response?.ok) return toast("That thread cannot be shown right now.");
  panel().innerHTML = await response.text();
  panel().hidden = false;
  $(".shell").classList.add("with-thread");
  composers(panel(), send);
  $("#thread-scroll").scrollTop = $("#thread-scroll").scrollHeight;
  told[id] = 0;
  seen();
  if (focus) $("#thread-text").focus();
}

function closeThread() {
  const id = openThread();
  panel().hidden = true;
  panel().replaceChildren();
  $(".shell").classList.remove("with-thread");
  ($(`#messages [data-message="${id}"] [data-open-thread]`) ?? $("#composer-text")).focus();
}

const panel = () => $("#panel");
const address = (id) => `/c/${channel}?as=${encodeURIComponent(me)}${id ? `&thread=${id}` : ""}`;

addEventListener("popstate", () => {
  const id = new URLSearchParams(location.search).get("thread");
  if (id) thread(id);
  else if (openThread()) closeThread();
});

// ---- what a person does

async function send(text, place) {
  await post(`/c/${channel}/say`, { text, thread: place === "thread" ? Number(openThread()) : 0 });
}

const submit = (message, fields) => post("/submit", { message: Number(message), fields });

async function click(button) {
  if (button.getAttribute("aria-busy") === "true") return;
  if (button.dataset.confirm && !(await confirmed(button))) return;
  button.setAttribute("aria-busy", "true");
  try {
    await post("/click", { message: Number(button.closest("[data-message]").dataset.message), line: button.dataset.line });
  } catch (err) {
    toast(err.message);
  }
  setTimeout(() => button.removeAttribute("aria-busy"), 1500);
}

document.addEventListener("click", (event) => {
  const plain = !event.metaKey && !event.ctrlKey && !event.shiftKey;
  const hit = (selector) => event.target.closest(selector);
  let found;
  if ((found = hit("[data-line]"))) click(found);
  else if ((found = hit("[data-try]"))) fill("channel", found.dataset.try);
  else if ((found = hit("[data-open-form]"))) openForm($("template", found.closest("article")), submit);
  else if ((found = hit("[data-before]"))) older(found);
  else if (plain && (found = hit("[data-open-thread]"))) {
    event.preventDefault();
    history.pushState(null, "", address(found.dataset.openThread));
    thread(found.dataset.openThread);
  } else if (plain && hit("[data-close-thread]")) {
    event.preventDefault();
    history.pushState(null, "", address());
    closeThread();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && openThread() && !$("dialog[open]")) {
    history.pushState(null, "", address());
    closeThread();
  }
});

async function older(button) {
  const response = await fetch(`/c/${channel}/older?as=${encodeURIComponent(me)}&before=${button.dataset.before}`).catch(() => null);
  if (!response?.ok) return toast("Older messages cannot be shown right now.");
  const scroll = $("#scroll");
  const fromEnd = scroll.scrollHeight - scroll.scrollTop;
  button.insertAdjacentHTML("afterend", await response.text());
  button.remove();
  days();
  scroll.scrollTop = scroll.scrollHeight - fromEnd;
}

$("#newer").addEventListener("click", () => { $("#scroll").scrollTop = $("#scroll").scrollHeight; });
$("#scroll").addEventListener("scroll", (event) => {
  const scroll = event.target;
  if (scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40) $("#newer").hidden = true;
});
document.addEventListener("visibilitychange", seen);
$("#seen-all").addEventListener("click", () => {
  post("/seen", {}).then(() => location.reload()).catch((error) => toast(error.message));
});
$("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

// ---- the stream

let last = body.dataset.seq;
let cutOff;

function follow() {
  const stream = new EventSource(`/stream?as=${encodeURIComponent(me)}&after=${last}`);
  const take = (event) => {
    if (event.lastEventId) last = event.lastEventId;
    return JSON.parse(event.data);
  };
  stream.addEventListener("hello", (event) => {
    clearTimeout(cutOff);
    cutOff = undefined;
    $("#banner").hidden = true;
    const hello = take(event);
    body.dataset.token = hello.token;
    if (hello.version !== body.dataset.version) location.reload();
  });
  stream.addEventListener("message", (event) => { if (event.data) show(take(event)); });
  stream.addEventListener("unread", (event) => unread(take(event)));
  stream.addEventListener("reset", () => location.reload());
  stream.onerror = () => {
    stream.close();
    cutOff ??= setTimeout(() => { $("#banner").hidden = false; }, 700);
    setTimeout(follow, 600);
  };
}

composers(document, send);
days();
$("#scroll").scrollTop = $("#scroll").scrollHeight;
if ($("#thread-scroll")) $("#thread-scroll").scrollTop = $("#thread-scroll").scrollHeight;
follow();
seen();
if (!$("#thread-text")) $("#composer-text").focus({ preventScroll: true });
body.dataset.live = "yes";

// What every page needs beyond plain HTML. Each part stands alone, and without JavaScript each page
// still works: forms post, details open, links lead.
"use strict";

// The server's clock at the time the page was made; people's own clocks are often wrong.
const serverTime = document.querySelector('meta[name="server-time"]');
const clockOffset = serverTime ? Date.parse(serverTime.content) - Date.now() : 0;

// Says "in 2 days" or "5 minutes ago", as rollcall/wording.py does on the server.
function relativeWords(moment) {
  const seconds = (moment - (Date.now() + clockOffset)) / 1000;
  const length = Math.abs(seconds);
  if (length < 1) return "now";
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [name, size] = units.find((unit) => length >= 1.5 * unit[1]) ?? units[3];
  const count = Math.floor(length / size + 0.5);
  const phrase = `${count} ${name}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `in ${phrase}` : `${phrase} ago`;
}

function refreshRelativeTimes() {
  for (const element of document.querySelectorAll("[data-relative]")) {
    const words = relativeWords(Date.parse(element.dataset.relative));
    if (element.textContent !== words) element.textContent = words;
  }
}
setInterval(refreshRelativeTimes, 1000);

// Tells screen readers what changed, once the changes have calmed down, and never the same twice.
let announcement = "";
let announceTimer = 0;
function announceFrom(root) {
  const sources = [...root.querySelectorAll("[data-announce]")];
  if (root.matches("[data-announce]")) sources.unshift(root);
  const words = sources.map((element) => element.dataset.announce).filter(Boolean).join(". ");
  if (!words || words === announcement) return;
  announcement = words;
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => {
    document.getElementById("announcer").textContent = announcement;
  }, 700);
}

// Puts the keyboard where a person has to act next: on the errors of a form that came back.
function takeFocus(root) {
  const element = root.querySelector("[data-take-focus]");
  if (element) element.focus();
}

document.addEventListener("htmx:afterSettle", (event) => {
  announceFrom(event.detail.elt);
  takeFocus(event.detail.elt);
  refreshRelativeTimes();
});
document.addEventListener("DOMContentLoaded", () => takeFocus(document.body));

// Without an answer a note appears; with the next good answer every note goes away again.
document.addEventListener("htmx:sendError", () => {
  const lost = document.getElementById("connection-lost").content.cloneNode(true);
  document.getElementById("problem").replaceChildren(lost);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) document.getElementById("problem").replaceChildren();
});

// A request that is given up for a newer one is no error, but htmx would report it as two.
const givenUp = new WeakSet();
document.addEventListener("htmx:abort", (event) => givenUp.add(event.target), true);
htmx.logger = (element, name, detail) => {
  if (!givenUp.has(element) || !["htmx:afterRequest", "htmx:sendAbort"].includes(name)) return;
  delete detail.error;
  if (name === "htmx:sendAbort") givenUp.delete(element);
};

// A link inside an error summary leads to the field itself, ready to type.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".error-summary a[href^='#']");
  if (!link) return;
  const field = document.getElementById(link.hash.slice(1));
  const input = field?.matches("fieldset") ? field.querySelector("input, select, textarea") : field;
  if (!input) return;
  event.preventDefault();
  input.focus();
  (input.closest(".field") ?? input).scrollIntoView({ block: "center" });
});

// Menus close with Escape, by a press elsewhere, and when the keyboard moves on.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("focusin", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = event.target.closest?.("details.menu[open], details.confirm[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// A second press on the same button sends nothing twice; coming back to the page frees it again.
const submitted = new Set();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (submitted.has(form)) {
    event.preventDefault();
    return;
  }
  submitted.add(form);
  setTimeout(() => submitted.delete(form), 5000);
});
window.addEventListener("pageshow", () => submitted.clear());

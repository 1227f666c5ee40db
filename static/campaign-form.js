// A form with a preview beside it, of a campaign or a segment: an answer that is older than what stands in the form is never shown.
"use strict";

const form = document.querySelector("form[data-owner]");
const preview = document.getElementById("preview");

// Whatever is being computed is about the form as it was, so it is given up at once; the request
// for the form as it is now follows after a moment.
function outdate() {
  htmx.trigger(form, "htmx:abort");
  preview.classList.add("is-computing");
}
form.addEventListener("input", outdate);

// Leaving a text field changes nothing that typing in it has not changed already.
form.addEventListener("change", (event) => {
  if (event.target.matches("textarea, input:not([type=checkbox], [type=radio])")) {
    event.stopPropagation();
  }
}, true);

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt === form && event.detail.successful) preview.classList.remove("is-computing");
});

// Whoever has to log in again in the middle of writing finds everything as it was. It is kept for an
// hour, in this tab only, and given back to the same staff member only. The server fills the form
// in again, as it does for the preview without JavaScript: it alone knows the picked people's names.
const KEPT = "rollcall-campaign-form";
const KEPT_FOR = 60 * 60 * 1000;

function keep() {
  // A chosen file can't be kept: it has to be chosen again.
  const fields = [...new FormData(form)].filter(
    ([name, value]) => typeof value === "string" && !["csrf_token", "action"].includes(name),
  );
  sessionStorage.setItem(KEPT, JSON.stringify(
    { path: location.pathname, owner: form.dataset.owner, at: Date.now(), fields },
  ));
}
form.addEventListener("submit", keep);
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.status === 401) keep();
});

function giveBack() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  const loggedInAgain = document.referrer && new URL(document.referrer).pathname === "/login";
  if (!kept || !loggedInAgain || Date.now() - kept.at > KEPT_FOR) return;
  if (kept.path !== location.pathname || kept.owner !== form.dataset.owner) return;
  const again = document.createElement("form");
  again.method = "post";
  // Not form.action: that is the buttons by this name.
  again.action = form.getAttribute("action");
  const token = form.elements.csrf_token.value;
  for (const [name, value] of [...kept.fields, ["csrf_token", token], ["action", "preview"]]) {
    // Unlike an input, a textarea keeps the line breaks of a message.
    const field = document.createElement("textarea");
    field.hidden = true;
    field.name = name;
    field.value = value;
    again.append(field);
  }
  document.body.append(again);
  again.submit();
}
giveBack();

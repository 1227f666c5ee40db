// The campaign form: an answer that is older than what stands in the form is never shown.
"use strict";

const form = document.getElementById("campaign-form");
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

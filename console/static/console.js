// The keyboard, notes, dialogs and the busy bar. No inline handlers and no eval: the page's CSP allows neither.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- busy: a slow page, a form on its way -------------------------------------------------------------------------
const busy = (on) => document.documentElement.toggleAttribute("data-busy", on);
addEventListener("pageshow", () => { busy(false); release(); });
addEventListener("beforeunload", () => busy(true));

function release(form = document) {
  for (const button of $$("button[data-sending]", form)) {
    button.removeAttribute("data-sending");
    button.disabled = false;
  }
}
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog" || !event.target.matches("[data-deed], form[method=post]")) return;
  clearWrong(event.target);
  const button = event.submitter || $("button:not([type=button])", event.target);
  if (button) {
    button.setAttribute("data-sending", "");
    setTimeout(() => { button.disabled = true; });  // after the form's values were read
  }
});
document.addEventListener("htmx:afterRequest", (event) => {
  const leaves = event.detail.xhr?.getResponseHeader("HX-Redirect");
  if (leaves) busy(true); else release(event.target.closest("form") || event.target);
});
for (const kind of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(kind, (event) => {
    release();
    note("连不上服务器,什么都没有改变。请稍后再试。", "bad");
    event.target.dispatchEvent(new CustomEvent("console:away"));
  });
}
document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question).then((yes) => { if (yes) event.detail.issueRequest(true); else release(); });
});

// ---- uploads: how much of the file has arrived, then that it is being looked at ---------------------------------
document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = $("#upload");
  if (!bar || !event.detail.lengthComputable) return;
  bar.hidden = false;
  bar.value = (event.detail.loaded / event.detail.total) * 100;
  $("#upload-said").textContent = bar.value < 100 ? `已上传 ${Math.round(bar.value)}%` : "正在核对每一行…";
});
document.addEventListener("htmx:afterRequest", () => {
  const bar = $("#upload");
  if (bar) { bar.hidden = true; bar.value = 0; $("#upload-said").textContent = ""; }
});
document.addEventListener("click", (event) => {
  // A download is a plain form post: htmx would try to show it.
  const button = event.target.closest("[data-download]");
  if (!button) return;
  event.preventDefault();
  const form = button.form;
  const address = form.action;
  form.action = button.formAction;
  HTMLFormElement.prototype.submit.call(form);
  form.action = address;
}, true);

// ---- notes ----------------------------------------------------------------------------------------------------------
function note(words, kind = "ok") {
  const box = document.createElement("div");
  box.className = `note note-${kind}`;
  box.dataset.note = "";
  const text = document.createElement("p");
  text.textContent = words;
  const close = document.createElement("button");
  Object.assign(close, { type: "button", className: "close", textContent: "×" });
  close.dataset.dismiss = "";
  box.append(text, close);
  $("#notes").prepend(box);
  fade(box);
}
function once(box) {
  // What a page that asks again by itself is told twice is shown once.
  const said = box.textContent.trim();
  for (const other of $$("#notes .note")) if (other !== box && other.textContent.trim() === said) other.remove();
}
function fade(box) {
  once(box);
  if (box.matches(".note-bad")) return;  // a refusal stays until it is read
  setTimeout(() => box.remove(), $("form", box) ? 12000 : 6000);
}
document.addEventListener("htmx:afterSettle", () => $$("#notes .note:not([data-seen])").forEach((box) => { box.dataset.seen = ""; fade(box); }));
document.addEventListener("refused", (event) => {
  // The refusal names the fields that are wrong; the form that was sent keeps what was typed.
  const form = event.target.closest("form") || document;
  const fields = event.detail?.fields || {};
  let first = null;
  for (const [name, words] of Object.entries(fields)) {
    const field = $(`[data-field="${CSS.escape(name)}"]`, form);
    if (!field) continue;
    field.classList.add("bad");
    const wrong = $(".wrong", field);
    if (wrong) wrong.textContent = words;
    first ||= $("input:not([type=hidden]), select, textarea", field);
  }
  first?.focus();
});
function clearWrong(form) {
  for (const field of $$(".bad", form)) {
    field.classList.remove("bad");
    const wrong = $(".wrong", field);
    if (wrong) wrong.textContent = "";
  }
}

// ---- one question, asked in our own dialog -----------------------------------------------------------------------------
function ask(question) {
  const sheet = document.createElement("dialog");
  sheet.className = "sheet";
  const words = document.createElement("p");
  words.textContent = question;
  const row = document.createElement("div");
  row.className = "submit";
  const yes = Object.assign(document.createElement("button"), { className: "btn btn-primary", textContent: "确定", type: "button" });
  const no = Object.assign(document.createElement("button"), { className: "btn", textContent: "取消", type: "button" });
  row.append(yes, no);
  sheet.append(words, row);
  document.body.append(sheet);
  return new Promise((resolve) => {
    const end = (answer) => { sheet.remove(); resolve(answer); };
    yes.addEventListener("click", () => end(true));
    no.addEventListener("click", () => end(false));
    sheet.addEventListener("cancel", () => end(false));
    sheet.showModal();
    yes.focus();
  });
}

// ---- clicks -----------------------------------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const target = event.target;
  const dismiss = target.closest("[data-dismiss]");
  if (dismiss) return dismiss.closest("[data-note]").remove();
  const open = target.closest("[data-open]");
  if (open) return show($(open.dataset.open));
  const toggle = target.closest("[data-toggle]");
  if (toggle) return $(toggle.dataset.toggle).classList.toggle("shown");
  const close = target.closest("[data-close]");
  if (close) return close.closest("dialog").close();
  const all = target.closest("[data-all]");
  if (all) {
    for (const box of $$("input[name=no]")) box.checked = all.checked;
    return count();
  }
  const print = target.closest("[data-print]");
  if (print) return window.print();
  const copy = target.closest("[data-copy]");
  if (copy) return navigator.clipboard?.writeText(copy.dataset.copy).then(() => note("已复制"));
  if (!target.closest("#side") && $("#side.shown")) $("#side").classList.remove("shown");
  for (const menu of $$("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  const row = target.closest("tr[data-href]");
  if (row && !target.closest("a, button, input, label, form, select") && !String(getSelection())) go(row, event.ctrlKey || event.metaKey);
});
document.addEventListener("change", (event) => {
  if (event.target.matches("input[name=no]")) count();
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
function count() {
  const chosen = $$("input[name=no]:checked").length;
  for (const place of $$("[data-chosen]")) place.textContent = chosen;
  for (const bar of $$("[data-batch]")) bar.hidden = chosen === 0;
}
document.addEventListener("htmx:afterSwap", count);
function go(row, newTab) {
  if (newTab) window.open(row.dataset.href, "_blank", "noopener"); else { busy(true); location.href = row.dataset.href; }
}
function show(sheet) {
  if (!sheet || sheet.open) return;
  sheet.showModal();
  const lazy = $("[data-lazy]", sheet);
  if (lazy) htmx.trigger(lazy, "load-now");
  ($("[autofocus]", sheet) || $("input:not([type=hidden]), select, textarea, button", sheet))?.focus();
}

// ---- keys -------------------------------------------------------------------------------------------------------------
const rows = () => $$("tr[data-href]");
function step(by) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.classList.contains("at"));
  const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, now + by));
  all.forEach((row, index) => row.classList.toggle("at", index === next));
  all[next].scrollIntoView({ block: "nearest" });
}
let first = "";
let firstAt = 0;
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]");
  if (event.key === "Escape") {
    if (typing && !event.target.closest("dialog")) event.target.blur();
    $("#side")?.classList.remove("shown");
    for (const menu of $$("details.menu[open]")) menu.open = false;
    return;
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target.closest("form") || $("form[data-main]");
    if (form) { event.preventDefault(); form.requestSubmit(); }
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const key = event.key;
  const sheet = $("dialog[open]");
  if (sheet) return;
  if (key === "?") { event.preventDefault(); return show($("#keys")); }
  const said = first && event.timeStamp - firstAt < 1200 ? `${first} ${key}` : key;
  first = said === "g" ? "g" : "";
  firstAt = event.timeStamp;
  if (key === "j" || key === "ArrowDown" && rows().length && $("tr.at")) { event.preventDefault(); return step(1); }
  if (key === "k" || key === "ArrowUp" && rows().length && $("tr.at")) { event.preventDefault(); return step(-1); }
  const at = $("tr.at");
  if (key === "Enter" && at && !event.target.closest("a, button")) { event.preventDefault(); return go(at); }
  if (key === "x" && at) {
    const box = $("input[type=checkbox]", at);
    if (box) { box.checked = !box.checked; count(); }
    return;
  }
  const inRow = at && $(`[data-key="${CSS.escape(said)}"]`, at);
  const place = inRow || $$(`[data-key="${CSS.escape(said)}"]`).find((found) => found.offsetParent !== null || found.closest("#side"));
  if (!place) return;
  event.preventDefault();
  if (place.matches("input")) { place.focus(); place.select(); } else place.click();
});
$$("#notes .note").forEach((box) => { box.dataset.seen = ""; fade(box); });

"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const dots = data.dots, keyOf = dot => dot.command || dot.label;
const numbers = new Map(dots.map((dot, n) => [keyOf(dot), n]));
const pictures = [...document.querySelectorAll("section.scene")];
const LISTED = 200;
let shown = pictures[0], chosen = "";

const made = (parent, name, text, className) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return parent.appendChild(element);
};
const button = (parent, text, action) => { const one = made(parent, "button", text); one.type = "button"; one.onclick = action; return one; };
const boxes = picture => picture ? [...picture.querySelectorAll(".box")] : [];
const keysOf = box => box.dataset.members !== undefined ? box.dataset.members.split("\n") : [box.dataset.key];
const isVisible = element => element.getClientRects().length > 0;

/* The pictures: one at a time. */
function turnTo(picture) {
  if (!picture) return;
  shown = picture;
  for (const one of pictures) one.hidden = one !== picture;
  for (const one of document.querySelectorAll("[data-picture]")) one.setAttribute("aria-current", String(one.dataset.picture === picture.dataset.scene));
  for (const entry of document.querySelectorAll(".roots > li")) {
    const proof = entry.querySelector("details"), isShown = entry.querySelector("[aria-current=true]") !== null;
    if (proof) proof.open = isShown;
    if (isShown && isVisible(entry)) $("side").scrollTop += picture === pictures[0] ? -$("side").scrollTop : entry.getBoundingClientRect().top - $("side").getBoundingClientRect().top - 8;
  }
  showLinks();
  mark();
  $("pictures").scrollTo(0, 0);
  const culprit = picture.querySelector(".culprit, .unreadable, .dead");
  if (culprit && isVisible(culprit)) culprit.scrollIntoView({ block: "nearest", inline: "nearest" });
}
function showLinks() {
  for (const links of document.querySelectorAll(".links")) links.hidden = !$("connections").checked;
}

/* What is searched for and chosen stands out in the picture. */
function wanted() {
  const words = $("search").value.trim().toLowerCase(), process = $("process").value, state = $("state").value;
  if (!words && !process && !state) return null;
  return dot => (!process || dot.process === process) && (!state || dot.state === state) && (!words || [dot.label, dot.process, dot.state, dot.command, ...(dot.lines || [])].some(text => text && text.toLowerCase().includes(words)));
}
function mark() {
  const test = wanted();
  $("pictures").classList.toggle("filtered", test !== null);
  for (const box of boxes(shown)) {
    const keys = keysOf(box), known = keys.map(key => dots[numbers.get(key)]).filter(Boolean);
    box.classList.toggle("hit", test !== null && known.some(test));
    box.classList.toggle("chosen", chosen !== "" && keys.includes(chosen));
  }
}
function search() {
  const test = wanted();
  if (test === null) { toRoots(); return; }
  const found = [];
  dots.forEach((dot, n) => { if (test(dot)) found.push(n); });
  const has = picture => boxes(picture).some(box => keysOf(box).some(key => { const dot = dots[numbers.get(key)]; return dot && test(dot); }));
  if (!has(shown)) { const other = pictures.find(has); if (other) turnTo(other); }
  chosen = "";
  mark();
  const side = clear();
  made(side, "h2", found.length === 1 ? "1 node found" : `${found.length} nodes found`);
  listed(side, found.map(n => [n, `${dots[n].shape} ${dots[n].label}`, undefined]));
}

/* The panel. */
function clear() {
  $("roots").hidden = true;
  const side = $("chosen");
  side.hidden = false;
  side.replaceChildren();
  button(made(side, "p"), "\u2190 what they wait for (Esc)", () => { reset(); toRoots(); });
  $("side").scrollTo(0, 0);
  return side;
}
function toRoots() {
  chosen = "";
  $("chosen").hidden = true;
  $("roots").hidden = false;
  mark();
}
function reset() { for (const id of ["search", "process", "state"]) $(id).value = ""; }
function listed(parent, entries) {
  const list = made(parent, "ul", undefined, "near");
  for (const [n, text, why] of entries.slice(0, LISTED)) {
    const item = made(list, "li");
    button(item, text, () => show(n));
    if (why) made(item, "pre", why.join("\n"));
  }
  if (entries.length > LISTED) made(parent, "p", `and ${entries.length - LISTED} more`);
}
function near(side, title, lines, end) {
  if (!lines.length) return;
  const waits = lines.filter(line => line.stroke === "wait"), others = lines.filter(line => line.stroke !== "wait");
  const entry = line => [line[end], `${line.stroke}${line.label ? " [" + line.label + "]" : ""} ${dots[line[end]].label}`, line.evidence];
  if (waits.length) { made(side, "h3", title); listed(side, waits.map(entry)); }
  if (others.length) {
    const folded = made(side, "details");
    folded.open = $("connections").checked;
    made(folded, "summary", `${title}: ${others.length} by connections and owners`);
    listed(folded, others.map(entry));
  }
}
function show(n) {
  const dot = dots[n], side = clear();
  chosen = keyOf(dot);
  if (!boxes(shown).some(box => keysOf(box).includes(chosen))) {
    const other = pictures.find(picture => boxes(picture).some(box => keysOf(box).includes(chosen)));
    if (other) turnTo(other);
  }
  mark();
  made(side, "h2", dot.label);
  made(side, "p", dot.shape + (dot.deadlock ? ", part of a deadlock" : ""), "dim");
  made(side, "pre", [...(dot.lines || []), dot.process && "process: " + dot.process, dot.state && "state: " + dot.state, dot.command && "view: alpc-dump DUMP " + dot.command].filter(Boolean).join("\n"));
  if (dot.command) { const text = made(side, "pre", "", "view"); text.tabIndex = 0; view(n).then(words => { text.textContent = words; }); }
  near(side, "leads to", data.lines.filter(line => line.from === n), "to");
  near(side, "led to by", data.lines.filter(line => line.to === n), "from");
}
function choose(box) {
  if (box.dataset.members === undefined) {
    const n = numbers.get(box.dataset.key);
    if (n !== undefined) show(n); else { const side = clear(); made(side, "h2", box.getAttribute("aria-label")); made(side, "p", "The page has no room for more of it.", "dim"); }
    return;
  }
  const side = clear(), count = Number(box.dataset.count), known = keysOf(box).map(key => numbers.get(key)).filter(n => n !== undefined);
  chosen = "";
  mark();
  box.classList.add("chosen");
  made(side, "h2", box.getAttribute("aria-label"));
  listed(side, known.map(n => [n, dots[n].label, dots[n].lines]));
  if (known.length < count) made(side, "p", `and ${count - known.length} more`);
}

/* Views are packed in blocks, the most important first; those that there was no room for are not here. */
const opened = new Map();
async function unpack(block) {
  const packed = atob(data.views.blocks[block].replace(/_/g, "+").replace(/\u00df/g, "/"));
  const stream = new Blob([Uint8Array.from(packed, c => c.charCodeAt(0))]).stream().pipeThrough(new DecompressionStream("deflate"));
  return (await new Response(stream).text()).split("\0");
}
async function view(n) {
  const number = data.views.of[n];
  if (number === null || number === undefined) return "The page has no room for this view. The command above shows it.";
  let block = data.views.firsts.length - 1;
  while (data.views.firsts[block] > number) block--;
  if (!opened.has(block)) opened.set(block, unpack(block));
  try { return (await opened.get(block))[number - data.views.firsts[block]]; }
  catch { return "This browser cannot unpack views. The command above shows it."; }
}

/* Keys: arrows go to the next box that way, Enter chooses, Escape goes back, / searches, [ and ] turn the pictures. */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function beside(box, [dx, dy]) {
  const middle = one => { const at = one.getBoundingClientRect(); return [at.left + at.width / 2, at.top + at.height / 2]; };
  const [x, y] = middle(box);
  let best = null, least = Infinity;
  for (const other of boxes(shown)) {
    if (other === box || !isVisible(other)) continue;
    const [ox, oy] = middle(other), along = (ox - x) * dx + (oy - y) * dy, aside = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
    const far = along + 3 * aside;
    if (along > 4 && far < least) { best = other; least = far; }
  }
  return best;
}
function follow(event) {
  const box = event.target.closest ? event.target.closest(".box") : null, typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { reset(); toRoots(); if (typing) event.target.blur(); }
  else if (event.key === "Enter" && event.target === $("search")) { const first = $("chosen").querySelector("ul.near button"); if (first && !$("chosen").hidden) first.click(); }
  else if (typing) return;
  else if (event.key === "/") { $("search").focus(); $("search").select(); }
  else if (event.key === "[" || event.key === "]") { const at = pictures.indexOf(shown) + (event.key === "]" ? 1 : -1); turnTo(pictures[at]); }
  else if (box && (event.key === "Enter" || event.key === " ")) choose(box);
  else if (ARROWS[event.key]) {
    const next = box ? beside(box, ARROWS[event.key]) : event.target === document.body ? boxes(shown)[0] : null;
    if (!next) return;
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  } else return;
  event.preventDefault();
}
document.addEventListener("keydown", follow);
$("pictures").addEventListener("click", event => {
  const box = event.target.closest(".box"), way = event.target.closest(".way[data-key]");
  if (box) choose(box);
  else if (way) { const n = numbers.get(way.dataset.key); if (n !== undefined) show(n); }
});
for (const one of document.querySelectorAll("[data-picture]")) one.onclick = () => turnTo(pictures.find(picture => picture.dataset.scene === one.dataset.picture));
$("search").oninput = $("process").oninput = $("state").oninput = search;
$("connections").onchange = showLinks;

/* What there is to choose from, and what is left out. */
for (const [id, texts] of [["process", dots.map(dot => dot.process)], ["state", dots.map(dot => dot.state)]]) {
  for (const text of [...new Set(texts.filter(Boolean))].sort().slice(0, 500)) { made($(id), "option", text).value = text; }
}
const out = data.left_out, lost = data.views.left_out;
$("count").textContent = `${dots.length} nodes` + (out.nodes || out.lines || out.evidence ? `; no room for ${out.nodes} nodes, ${out.lines} lines and the evidence of ${out.evidence} more` : "") + (lost ? `; no room for ${lost} views` : "");
if (shown) turnTo(shown);

/* page.html#thread fffffa801afae6f0 shows that view. */
function open() {
  let asked = location.hash.slice(1);
  try { asked = decodeURIComponent(asked); } catch { return; }
  const n = asked ? numbers.get(asked) : undefined;
  if (n !== undefined) show(n);
}
window.onhashchange = open;
open();

"use strict";
/* Looks at the page and uses it; what is wrong is told in an element that the test reads. */
(async () => {
  const wrong = [];
  let held = 0;
  const hold = (is, what) => { held++; if (!is) wrong.push(what); };
  const one = id => document.getElementById(id);
  const shownBoxes = () => [...document.querySelectorAll("section.scene:not([hidden]) .box")].filter(box => box.getClientRects().length > 0);
  const key = (name, target) => (target || document.activeElement).dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const click = element => element.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const seen = element => { const at = element.getBoundingClientRect(), area = one("pictures").getBoundingClientRect(); return at.top >= area.top - 1 && at.bottom <= area.bottom + 1 && at.left >= area.left - 1 && at.right <= area.right + 1; };
  const light = colour => { const [r, g, b] = colour.match(/[\d.]+/g).map(Number); return (r * 299 + g * 587 + b * 114) / 1000; };
  try {
    hold(innerWidth === 1280, "the window is 1280 wide: " + innerWidth);
    hold(document.querySelector("h1").textContent.length > 20, "the heading is a sentence");
    hold(document.title === document.querySelector("h1").textContent, "and the title");
    hold(performance.getEntriesByType("resource").length === 0, "nothing was loaded");

    /* The first picture. */
    const all = shownBoxes(), ends = all.filter(box => /culprit|dead|unreadable/.test(box.getAttribute("class")));
    const first = document.querySelector("section.scene");
    hold(!first.hidden && all.length > 0, "the first picture is shown");
    hold(ends.length > 0, "what they wait for stands out");
    hold(ends.some(seen), "and is seen without scrolling");
    hold(all.some(box => !ends.includes(box) && seen(box)) || ends.length === all.length, "so is a waiter");
    hold(one("pictures").scrollWidth <= one("pictures").clientWidth, `the picture fits: ${one("pictures").scrollWidth} of ${one("pictures").clientWidth}`);
    hold(document.documentElement.scrollWidth <= 1280, "the page fits");

    /* Letters, as large as the browser draws them, within their boxes. */
    for (const text of document.querySelectorAll("section.scene:not([hidden]) svg text")) {
      if (!text.getClientRects().length) continue;
      const size = parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a;
      if (!(size >= 11)) hold(false, `${size} pixels: ${text.textContent}`);
      const frame = text.parentElement.querySelector(".frame"), at = text.getBoundingClientRect();
      if (frame && text.parentElement.classList.contains("box")) {
        const box = frame.getBoundingClientRect();
        if (at.left < box.left || at.right > box.right || at.top < box.top - 1 || at.bottom > box.bottom + 1) hold(false, "out of its box: " + text.textContent);
      }
    }
    held++;
    for (const text of document.querySelectorAll("body :not(script):not(style):not(svg)")) {
      if (text.childElementCount === 0 && text.textContent.trim() && text.getClientRects().length && parseFloat(getComputedStyle(text).fontSize) < 11) hold(false, "small: " + text.textContent);
    }
    held++;

    /* Lines and what is written at them run through no box. */
    const areas = all.map(box => box.querySelector(".frame").getBoundingClientRect());
    const inside = (x, y) => areas.some(area => x > area.left + 1 && x < area.right - 1 && y > area.top + 1 && y < area.bottom - 1);
    let points = 0;
    for (const way of first.querySelectorAll("svg .way")) {
      if (!way.getClientRects().length) continue;
      const path = way.querySelector(".wire"), length = path.getTotalLength(), to = path.getScreenCTM();
      for (let at = 0; at <= length; at += 2) {
        const point = path.getPointAtLength(at).matrixTransform(to);
        points++;
        if (inside(point.x, point.y)) { hold(false, "through a box: " + way.textContent); break; }
      }
      for (const text of way.querySelectorAll("text")) {
        const at = text.getBoundingClientRect();
        if (areas.some(area => at.left < area.right - 1 && at.right > area.left + 1 && at.top < area.bottom - 1 && at.bottom > area.top + 1)) hold(false, "on a box: " + text.textContent);
      }
    }
    hold(points > 20 || all.length === 1, "there are lines");

    /* The panel, until a node is chosen. */
    hold(one("side").scrollTop === 0, "it begins at its beginning");
    hold(!one("roots").hidden && one("roots").textContent.includes(" @ ") && one("chosen").hidden, "the evidence is shown");
    const box = all.find(box => box.dataset.members === undefined);
    click(box);
    hold(one("roots").hidden && !one("chosen").hidden, "a click shows the node");
    hold(one("chosen").querySelector("h2").textContent.length > 0, "by its name");
    hold(box.classList.contains("chosen"), "and it stands out");
    const view = one("chosen").querySelector("pre.view");
    for (let tries = 0; view && !view.textContent && tries < 50; tries++) await new Promise(done => setTimeout(done, 20));
    hold(!view || view.textContent.length > 40, "with its view");
    hold(!view || !/cannot unpack|no room/.test(view.textContent), "which can be unpacked");
    key("Escape");
    hold(!one("roots").hidden && one("chosen").hidden, "Escape goes back");

    /* Keys. */
    hold(all.every(box => box.tabIndex === 0 && box.getAttribute("role") === "button" && box.getAttribute("aria-label")), "boxes are reached by Tab and have names");
    const left = all.filter(box => !ends.includes(box))[0] || all[0];
    left.focus();
    hold(document.activeElement === left, "a box takes the focus");
    if (all.length > 1) {
      const from = left.getBoundingClientRect().left;
      key("ArrowRight");
      hold(document.activeElement !== left && document.activeElement.classList.contains("box"), "an arrow goes to the next box");
      hold(document.activeElement.getBoundingClientRect().left > from, "to the right");
      key("ArrowLeft");
      hold(document.activeElement.getBoundingClientRect().left <= from + 1, "and back");
    }
    key("Enter");
    hold(!one("chosen").hidden, "Enter chooses it");
    key("Escape");
    key("/", document.body);
    hold(document.activeElement === one("search"), "/ goes to the search");

    /* Search and filter. */
    const dot = JSON.parse(one("data").textContent).dots.find(dot => dot.process && dot.shape === "thread");
    if (dot) {
      one("search").value = dot.label.toUpperCase();
      one("search").dispatchEvent(new Event("input"));
      hold(one("chosen").querySelectorAll("ul.near button").length >= 1, "search finds a node by its name");
      hold(one("pictures").classList.contains("filtered"), "the others step back");
      key("Enter", one("search"));
      hold(one("chosen").querySelector("h2").textContent.length > 0 && one("chosen").querySelector("pre"), "Enter shows the first");
      key("Escape", one("search"));
      hold(one("search").value === "" && !one("pictures").classList.contains("filtered"), "Escape ends the search");
      one("process").value = dot.process;
      one("process").dispatchEvent(new Event("input"));
      hold(document.querySelectorAll("section.scene:not([hidden]) .box.hit").length > 0 || one("chosen").querySelectorAll("ul.near button").length > 0, "a process can be chosen");
      key("Escape", document.body);
    }
    one("search").value = "\u0001 nothing is called so";
    one("search").dispatchEvent(new Event("input"));
    hold(one("chosen").querySelector("h2").textContent === "0 nodes found", "what is not there is not found");
    key("Escape", document.body);

    /* Connections are folded away until they are asked for, and other pictures too. */
    const home = document.querySelector("[data-picture='0']");
    if (home) click(home);
    const folded = [...document.querySelectorAll(".links")];
    hold(folded.every(links => !links.getClientRects().length), "connections are folded away");
    one("connections").checked = true;
    one("connections").dispatchEvent(new Event("change"));
    const own = first.querySelector(".links");
    hold(!own || own.getClientRects().length > 0, "until they are asked for");
    const before = shownBoxes().length;
    one("connections").checked = false;
    one("connections").dispatchEvent(new Event("change"));
    hold(!own || shownBoxes().length < before, "and can be folded again");
    const second = document.querySelector("[data-picture='1']");
    if (second) {
      const proof = second.closest("li").querySelector("details"), other = home.closest("li").querySelector("details");
      key("]", document.body);
      hold(second.getAttribute("aria-current") === "true" && first.hidden, "] turns to the next picture");
      hold((!proof || proof.open) && (!other || !other.open), "with its evidence");
      key("[", document.body);
      hold(home.getAttribute("aria-current") === "true" && !first.hidden, "[ turns back");
    }
    const turn = [...document.querySelectorAll("[data-picture]")].at(-1);
    if (turn && turn.dataset.picture !== "0") {
      click(turn);
      hold(first.hidden && shownBoxes().length > 0, "another picture is shown");
      hold(one("pictures").scrollWidth <= one("pictures").clientWidth, `and fits: ${one("pictures").scrollWidth}`);
      if (home) click(home);
    }
    const group = all.find(box => box.dataset.members !== undefined);
    if (group) { click(group); hold(one("chosen").querySelectorAll("ul.near button").length > 0, "a group lists its members"); key("Escape", document.body); }

    const style = getComputedStyle(document.body), frame = getComputedStyle(all[0].querySelector(".frame"));
    const found = { wrong, held, boxes: all.length, back: light(style.backgroundColor), ink: light(style.color), box: light(frame.fill), line: first.querySelector(".wire") ? light(getComputedStyle(first.querySelector(".wire")).stroke) : light(style.color) };
    const told = document.createElement("pre");
    told.id = "visit";
    told.textContent = JSON.stringify(found);
    document.body.append(told);
  } catch (error) {
    const told = document.createElement("pre");
    told.id = "visit";
    told.textContent = JSON.stringify({ wrong: [...wrong, String(error.stack || error)], held });
    document.body.append(told);
  }
})();

// The page of a plate: a click on the picture asks the server what is there. Without it a form does the same.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const picture = document.getElementById("plate");
  const form = document.getElementById("at");
  const answer = document.getElementById("here");
  const marks = document.getElementById("marks");
  if (!picture || !form || !answer || !marks) return;

  const size = (name) => Number(picture.dataset[name]);
  const [scale, width, height] = [size("scale"), size("width"), size("height")];
  let latest = 0;
  let cursor = null;

  // A point of the drawing as a pixel of the scan, and back; FITS counts from 1 at the middle of the lowest left one.
  const toPixel = ({ x, y }) => ({ x: x / scale + 0.5, y: (height - y) / scale + 0.5 });
  const toPoint = ({ x, y }) => ({ x: (x - 0.5) * scale, y: height - (y - 0.5) * scale });
  const within = ({ x, y }) => ({ x: Math.min(Math.max(x, 0), width), y: Math.min(Math.max(y, 0), height) });
  const holds = ({ x, y }) => x >= 0 && y >= 0 && x <= width && y <= height;

  function element(name, content, properties = {}) {
    const made = document.createElement(name);
    Object.assign(made, properties);
    made.append(...[content].flat());
    return made;
  }

  function shape(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function drawCross(point) {
    marks.querySelector(".cross")?.remove();
    const { x, y } = point;
    marks.append(shape("path", { class: "cross", d: `M${x - 22} ${y}h14m16 0h14M${x} ${y - 22}v14m0 16v14` }));
  }

  function drawOthers(found) {
    marks.replaceChildren();
    found.elsewhere.filter((one) => one.mark !== null).forEach((one, index) => {
      const [x, y] = one.mark;
      const side = index % 2 ? { x: x - 18, "text-anchor": "end" } : { x: x + 18, "text-anchor": "start" };
      const group = shape("g", { class: "other" });
      group.append(shape("circle", { cx: x, cy: y, r: 12 }), shape("text", { ...side, y }, one.name));
      marks.append(group);
    });
    drawCross({ x: found.mark[0], y: found.mark[1] });
  }

  function describe(found) {
    const sign = found.dec < 0 ? "" : "+";
    const parts = [
      element("dl", [
        element("dt", "RA (ICRS)"),
        element("dd", found.sexagesimal[0], { className: "position" }),
        element("dt", "Dec"),
        element("dd", found.sexagesimal[1], { className: "position" }),
        element("dt", "In degrees"),
        element("dd", element("code", `${found.ra.toFixed(6)} ${sign}${found.dec.toFixed(6)}`, { className: "copy" })),
        element("dt", "By"),
        element("dd", `exposure ${found.name}, solution ${found.solution}`),
      ]),
    ];
    if (found.picture !== null) parts.push(cutout(found));
    if (found.fits === null) parts.push(element("p", element("small", "No pixels are held here to cut out.")));
    else parts.push(element("p", ways(found)));
    if (found.elsewhere.length) parts.push(compare(found.elsewhere));
    return parts;
  }

  function cutout(found) {
    const image = element("img", [], { src: found.picture, alt: `The pixels around ${found.sexagesimal.join(" ")}` });
    image.addEventListener("error", () => image.remove());
    return element("p", image, { className: "cutout" });
  }

  function ways(found) {
    const links = [element("a", "Cut out as FITS", { href: found.fits, className: "get" }), " "];
    if (found.picture !== null) links.push(element("a", "North up", { href: `${found.picture}&ORIENT=north` }));
    return links;
  }

  function compare(others) {
    const heads = ["No.", "This pixel is at", "This place is at pixel"];
    const head = element("tr", heads.map((text) => element("th", text, { scope: "col" })));
    const rows = others.map((one) => {
      const place = one.x === null ? ["off the plate"] : [`${one.x.toFixed(1)}, ${one.y.toFixed(1)} `];
      if (one.fits !== null) {
        place.push(element("a", "FITS", { href: one.fits, ariaLabel: `cut out by exposure ${one.name}` }));
      }
      return element("tr", [one.name, one.sexagesimal?.join(" ") ?? "off the sky", place].map((cell) => element("td", cell)));
    });
    const table = element("table", [element("thead", head), element("tbody", rows)]);
    return element("details", [element("summary", "By the other exposures"), table], { open: wasOpen() });
  }

  const wasOpen = () => answer.querySelector("details")?.open ?? false;

  async function ask({ x, y }) {
    const number = ++latest;
    const values = new URLSearchParams({
      exposure: picture.dataset.exposure,
      x: x.toFixed(3),
      y: y.toFixed(3),
      radius: form.elements.radius.value,
    });
    form.elements.x.value = x.toFixed(2);
    form.elements.y.value = y.toFixed(2);
    answer.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(`${picture.dataset.at}?${values}`, { headers: { Accept: "application/json" } });
      const found = await response.json();
      if (number !== latest) return;
      if (response.ok) {
        answer.replaceChildren(...describe(found));
        drawOthers(found);
        history.replaceState(null, "", `?${values}`);
      } else {
        answer.replaceChildren(element("p", found.error, { className: "note" }));
      }
    } catch {
      if (number === latest) answer.replaceChildren(element("p", "The server does not answer.", { className: "note" }));
    }
    if (number === latest) answer.removeAttribute("aria-busy");
  }

  function pointOf(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
  }

  function show(point) {
    cursor = within(point);
    drawCross(cursor);
    ask(toPixel(cursor));
  }

  picture.addEventListener("click", (event) => {
    const point = pointOf(event);
    if (holds(point)) show(point);
  });

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  picture.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = STEPS[event.key];
    if (step) {
      const length = event.shiftKey ? 1 : 10;
      const from = cursor ?? { x: width / 2, y: height / 2 };
      cursor = within({ x: from.x + step[0] * length, y: from.y + step[1] * length });
      drawCross(cursor);
    } else if (event.key === "Enter" && cursor) {
      show(cursor);
    } else {
      return;
    }
    event.preventDefault();
  });

  form.addEventListener("submit", (event) => {
    const [x, y] = [form.elements.x.value, form.elements.y.value].map((text) => Number(text.trim() || NaN));
    if (!Number.isFinite(x) || !Number.isFinite(y)) return; // the server says what is wrong
    event.preventDefault();
    cursor = within(toPoint({ x, y }));
    ask({ x, y });
  });

  form.elements.radius.addEventListener("change", () => {
    if (answer.childElementCount && cursor) ask(toPixel(cursor));
  });

  const cross = marks.querySelector(".cross");
  if (cross) cursor = toPoint({ x: Number(form.elements.x.value), y: Number(form.elements.y.value) });
  picture.classList.add("live");
  document.documentElement.classList.add("live");
})();

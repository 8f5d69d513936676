// The page of a search: its log and its table grow while it goes on. Without it the page loads itself again.
"use strict";

(() => {
  const run = document.getElementById("run");
  if (!run) return;
  const { here, after, name } = run.dataset;
  const most = Number(run.dataset.shown);
  const part = (id) => document.getElementById(id);
  const [words, now, progress, log, rows, stop] = ["words", "now", "progress", "log", "rows", "stop"].map(part);

  function element(tag, content, properties = {}) {
    const made = document.createElement(tag);
    Object.assign(made, properties);
    made.append(...[content].flat().filter((one) => one !== null));
    return made;
  }

  function link(text, href, properties = {}) {
    return element("a", text, { href, rel: "noreferrer", ...properties });
  }

  function addLine({ text }) {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    log.append(element("li", text));
    if (isAtEnd) log.scrollTop = log.scrollHeight; // whoever reads further up is left there
  }

  function addRows(found) {
    for (const row of found.slice(0, Math.max(0, most - rows.childElementCount))) {
      const picture = row.picture === null ? null : element("img", [], { src: row.picture, alt: "", loading: "lazy" });
      rows.append(
        element("tr", [
          element("td", picture),
          element("td", row.page === null ? row.target : link(row.target, row.page), { className: "text" }),
          element("td", row.date, { className: "nowrap" }),
          element("td", row.place, { className: "nowrap" }),
          element("td", row.instrument, { className: "text" }),
          element("td", row.service, { className: "text" }),
          element("td", row.links.map((one) => link(one.text, one.url))),
        ]),
      );
    }
  }

  function show(state) {
    words.textContent = state.words;
    now.textContent = state.now;
    part("count").textContent = state.rows.toLocaleString("en");
    part("more").hidden = state.rows <= most;
    if (state.services > 0) {
      progress.max = state.services;
      progress.value = state.queried;
    }
    if (state.phase === "stopping") stop.querySelector("button").disabled = true;
    if (state.over) {
      stop.hidden = true;
      progress.parentElement.hidden = true;
    }
  }

  function follow() {
    const stream = new EventSource(`${here}/events?after=${after}`);
    const on = (kind, act) => stream.addEventListener(kind, (event) => act(JSON.parse(event.data)));
    on("log", addLine);
    on("rows", addRows);
    on("state", show);
    on("end", (state) => {
      stream.close(); // else the browser would ask again
      show(state);
    });
    stream.addEventListener("error", () => {
      if (stream.readyState !== EventSource.CLOSED) {
        now.textContent = "The server does not answer; trying again";
        return;
      }
      words.textContent = "This search is not there any more.";
      progress.parentElement.hidden = true;
      stop.hidden = true;
    });
  }

  stop.addEventListener("submit", (event) => {
    event.preventDefault();
    stop.querySelector("button").disabled = true;
    fetch(stop.action, { method: "POST", redirect: "manual" }).catch(() => {
      stop.querySelector("button").disabled = false;
    });
  });

  log.scrollTop = log.scrollHeight;
  if (run.dataset.over === "no") follow();

  // -- programs on the visitor's desktop

  const MTYPE = "table.load.votable";
  const box = part("samp");
  let client = null;

  function say(...content) {
    box.hidden = false;
    box.replaceChildren(element("p", content));
  }

  async function sendTo(id, who) {
    try {
      await client.notify(id, MTYPE, { url: `${here}/result`, "table-id": here, name });
      box.querySelector(".sent").textContent = `Sent to ${who}.`;
    } catch (error) {
      lose(error);
    }
  }

  function lose(error) {
    client = null;
    if (error instanceof samp.SampFault) say(`The hub says: ${error.message}`);
    else say("The hub does not answer any more.");
  }

  function offer(programs) {
    const button = (text, id) => {
      const made = element("button", text, { type: "button" });
      made.addEventListener("click", () => sendTo(id, text));
      return made;
    };
    const buttons = programs.map(({ id, name: program }) => button(program, id));
    if (programs.length > 1) buttons.push(button("all of them", null));
    say("Send the table to ", ...buttons.flatMap((one) => [one, " "]), element("span", "", { className: "sent" }));
    buttons[0].focus();
  }

  part("send").addEventListener("click", async () => {
    try {
      if (client === null) {
        say("Asking the SAMP hub on this computer. It will ask you whether this page may send tables: look for its window.");
        client = await samp.register("vo-plates discovery", "Images found by the discovery page of a plate archive");
      }
      if (client === null) {
        say(
          "No SAMP hub answers on this computer. Start TOPCAT or Aladin, which bring one, and try again; allow this page to reach ",
          "programs of this computer when the browser asks. Or save the VOTable and open it there.",
        );
        return;
      }
      const programs = await client.listSubscribed(MTYPE);
      if (programs.length > 0) offer(programs);
      else say("The hub answers, and no program there takes tables. Start TOPCAT or Aladin and try again.");
    } catch (error) {
      lose(error);
    }
  });

  window.addEventListener("pagehide", () => {
    if (client !== null) client.unregister().catch(() => {});
    client = null;
  });

  document.documentElement.classList.add("live");
})();

// The dashboard: it draws what /v1/stream tells. Every name, path and line of
// output comes from apps and their clients, so all of it becomes text nodes and
// never markup.
"use strict";

const find = (id) => document.getElementById(id);

// make builds an element. Children are elements, or texts.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== "") element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

// Units --------------------------------------------------------------------

const none = "–";
const known = (value, write) => (value === null || value === undefined ? none : write(value));

function span(seconds) {
  if (seconds < 0.0995) return `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 10) return `${+seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

function size(bytes) {
  const mib = bytes / 1048576;
  if (bytes < 0) return none;
  if (mib < 9.95) return `${mib.toFixed(1)} MiB`;
  return mib < 9999.5 ? `${mib.toFixed(0)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

const count = (n) => n.toLocaleString("en");
const rate = (n) => (n < 9.95 ? n.toFixed(1) : count(Math.round(n)));
const ago = (now, time) => (time ? `${span(Math.max(0, (new Date(now) - new Date(time)) / 1000))} ago` : "never");

function tone(state) {
  if (["ready", "idle", "up", "done"].includes(state)) return "good";
  return ["backoff", "exited", "silent", "down", "failed", "rolled-back"].includes(state) ? "bad" : "warn";
}

// Tables -------------------------------------------------------------------

// table writes rows of cells. A column is [head, class]; a cell is an element or
// a text. On a narrow screen each cell shows its own head.
function table(columns, rows) {
  const head = make("tr", {}, ...columns.map(([title, kind]) => make("th", { class: kind, scope: "col" }, title)));
  const body = rows.map((cells) =>
    make("tr", {}, ...cells.map((cell, i) => {
      const [title, kind] = columns[i];
      return make("td", { class: `${kind} ${i === 0 ? "lead" : ""} ${cell === "" ? "empty" : ""}`.trim(), "data-head": title === "App" ? "" : title }, cell);
    })));
  return [make("thead", {}, head), make("tbody", {}, ...body)];
}

const section = (title, columns, rows) => (rows.length ? [make("h3", {}, title), make("table", {}, ...table(columns, rows))] : []);
const more = (n, what) => (n > 0 ? [make("p", { class: "dim" }, `and ${count(n)} more ${what}`)] : []);

const svgSpace = "http://www.w3.org/2000/svg";

// sparkline draws five minutes; the newest sample is at the right edge.
function sparkline(kind, samples, label) {
  const svg = document.createElementNS(svgSpace, "svg");
  svg.setAttribute("class", `line ${kind}`);
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const top = Math.max(kind === "cpu" ? 10 : 1, ...samples) * 1.05;
  const points = samples.map((y, i) => [60 - samples.length + 1 + i, y]).filter(([, y]) => y >= 0).map(([x, y]) => `${x},${(20 - (20 * y) / top).toFixed(2)}`);
  const polyline = document.createElementNS(svgSpace, "polyline");
  polyline.setAttribute("points", points.join(" "));
  svg.append(polyline);
  return svg;
}

function withLine(text, kind, samples, label) {
  const cell = make("div", {}, text);
  if (samples && samples.length > 1) cell.append(sparkline(kind, samples, label));
  return cell;
}

// The page -----------------------------------------------------------------

function drawHead(view) {
  find("parts").replaceChildren(...view.parts.map((part) => {
    const title = part.error ?? `pid ${part.pid}, up for ${span(part.uptime_seconds ?? 0)}`;
    return make("li", { class: part.state, title }, part.state === "up" ? part.name : `${part.name} ${part.state}`);
  }));
  const total = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  const listen = view.parts.flatMap((part) => part.listen ?? []).join(", ");
  find("totals").replaceChildren(
    total("Processes", view.max_pool_size === null ? count(view.process_count) : `${count(view.process_count)} of ${count(view.max_pool_size)}`),
    total("Memory", known(view.memory_bytes, size)),
    total("Connections", known(view.connections, count)),
    ...(listen ? [total("Listens on", listen)] : []));
  find("warnings").replaceChildren(...view.warnings.map((warning) => make("li", {}, warning)));
  find("live").className = "";
  find("live").textContent = `live, ${new Date(view.at).toLocaleTimeString()}`;
}

const appColumns = [["App", "word"], ["State", "word"], ["Generation", ""], ["Busy / total", ""], ["Queue", ""], ["Oldest wait", ""], ["Requests/s", ""], ["p50", ""], ["p95", ""], ["Memory", ""], ["", "long"]];

function drawApps(view) {
  const wanted = find("filter").value.toLowerCase();
  const apps = view.apps.filter((app) => app.name.toLowerCase().includes(wanted));
  const rows = apps.map((app) => [
    make("a", { href: `#${encodeURIComponent(app.name)}` }, app.name),
    make("span", { class: tone(app.state) }, app.state),
    app.generation,
    `${count(app.busy)} / ${count(app.total)}`,
    make("span", { class: app.queued > 0 ? "warn" : "" }, known(app.queued, count)),
    app.queued > 0 ? span(app.oldest_wait_seconds) : none,
    known(app.rate, rate), known(app.p50_seconds, span), known(app.p95_seconds, span), known(app.memory_bytes, size),
    app.trouble ? make("span", { class: "bad" }, app.trouble) : "",
  ]);
  find("apps").replaceChildren(...table(appColumns, rows));
  find("apps").hidden = rows.length === 0;
  find("others").replaceChildren(
    ...(rows.length ? [] : [make("p", { class: "dim" }, view.apps.length ? "No app has such a name." : "There are no apps.")]),
    ...section("Settings that are refused", [["App", "word"], ["File", "long"], ["Since", ""], ["Why", "long"]],
      view.refused.map((r) => [r.app || none, r.file, ago(view.at, r.at), r.hint ? `${r.message}; ${r.hint}` : r.message])),
    ...section("Certificates", [["Name", "long"], ["Ends", "word"], ["File", "long"]],
      view.certificates.map((c) => {
        const days = Math.floor((new Date(c.ends) - new Date(view.at)) / 86400000);
        return [c.name || none, make("span", { class: days < 3 ? "bad" : days < 14 ? "warn" : "" }, `${new Date(c.ends).toLocaleDateString()}, in ${count(days)} days`), c.file ?? ""];
      })));
}

function drawDetail(view, name) {
  const detail = find("detail");
  const app = view.app;
  if (!app) {
    detail.replaceChildren(make("p", {}, make("a", { href: "#" }, "All apps")), make("p", { class: "note" }, `There is no app ${name}.`));
    return;
  }
  const fact = (title, value) => (value ? [make("div", {}, make("dt", {}, title), make("dd", {}, value))] : []);
  const facts = make("dl", { id: "facts" },
    ...fact("Directory", app.app_root), ...fact("Type", app.app_type), ...fact("Environment", app.environment), ...fact("Generation", String(app.generation)),
    ...fact("Serves", `${(app.server_names ?? ["any host"]).slice(0, 20).join(" ")} ${app.base_uri ?? ""}`.trim()), ...fact("Paused", app.paused));
  detail.replaceChildren(
    make("p", {}, make("a", { href: "#" }, "← All apps")),
    make("h2", {}, app.name, " ", make("span", { class: tone(app.state) }, app.state)), facts,
    ...drawError(view, app), ...drawProcesses(view, app), ...drawSide(view, app), ...drawRequests(app), ...drawDeploys(view, app), ...drawExits(view, app),
    ...section("Settings that are refused", [["File", "long"], ["Since", ""], ["Why", "long"]],
      view.refused.filter((r) => r.app === app.name).map((r) => [r.file, ago(view.at, r.at), r.message])));
}

function drawError(view, app) {
  const e = app.last_error;
  if (!e) return [];
  return [
    make("h3", {}, `Last start failed ${ago(view.at, e.at)}`),
    make("p", { class: "note bad" }, e.advice ? `${e.summary}\n${e.advice}` : e.summary),
    ...(e.output?.length ? [make("pre", {}, e.output.join("\n"))] : []),
  ];
}

const stateOf = (p, app) => make("span", { class: tone(p.state) }, p.generation === app.generation ? p.state : `${p.state} (generation ${p.generation})`);

// usageOf is two cells: the memory and the processor time of a process.
function usageOf(p, app) {
  const line = app.lines[p.id] ?? { cpu_percent: [], memory_mib: [] };
  const share = line.cpu_percent.at(-1);
  return [
    withLine(p.usage ? size(p.usage.pss_bytes) : none, "memory", line.memory_mib, "memory of five minutes"),
    withLine(share === undefined ? none : `${share.toFixed(0)} %`, "cpu", line.cpu_percent, "processor time of five minutes"),
  ];
}

function drawProcesses(view, app) {
  const rows = app.processes.map((p) => [
    p.pid, stateOf(p, app), span(p.uptime_seconds), known(p.in_flight, count), known(p.processed, count), ...usageOf(p, app),
    p.last_used ? ago(view.at, p.last_used) : "never",
  ]);
  const preloaders = (app.preloaders ?? []).map((l) => [
    l.pid, make("span", { class: "dim" }, "preloader"), ago(view.at, l.started_at).replace(" ago", ""), none, `${count(l.forked)} forked`,
    l.usage ? size(l.usage.pss_bytes) : none, none, l.last_fork ? ago(view.at, l.last_fork) : "never"]);
  return [
    ...section("Processes", [["PID", ""], ["State", "word"], ["Age", ""], ["In flight", ""], ["Processed", ""], ["Memory", ""], ["CPU", ""], ["Last used", ""]], [...rows, ...preloaders]),
    ...more(app.more.processes, "processes"),
  ];
}

function drawSide(view, app) {
  const sides = app.side_processes ?? [];
  const rows = sides.flatMap((side) => (side.processes.length
    ? side.processes.map((p) => [p.pid, side.process_type, stateOf(p, app), span(p.uptime_seconds), ...usageOf(p, app)])
    : [[none, side.process_type, make("span", { class: tone(side.state) }, side.state), none, none, none]]));
  return [
    ...section("Side processes", [["PID", ""], ["Type", "word"], ["State", "word"], ["Age", ""], ["Memory", ""], ["CPU", ""]], rows),
    ...more(app.more.side_processes, "side processes"),
    ...sides.filter((side) => side.failures > 0 && side.last_error).map((side) =>
      make("p", { class: "note bad" }, `${side.process_type}: the last start failed ${ago(view.at, side.last_error.at)}: ${side.last_error.summary}`)),
  ];
}

function drawRequests(app) {
  return [
    ...section("Requests in flight", [["Age", ""], ["Phase", "word"], ["PID", ""], ["Request", "long"], ["Client", "word"]],
      app.requests_in_flight.map((r) => [span(r.age_seconds), r.phase, r.pid || none, `${r.method} ${r.host}${r.path}`, r.client])),
    ...more(app.more.requests, "requests"),
  ];
}

function drawDeploys(view, app) {
  return section("Deploys", [["Generation", ""], ["Result", "word"], ["Began", ""], ["Took", ""], ["By", "word"], ["Why", "long"]],
    app.deploys.map((d) => [
      d.generation, make("span", { class: tone(d.state) }, d.state), ago(view.at, d.began_at),
      d.ended_at ? span((new Date(d.ended_at) - new Date(d.began_at)) / 1000) : none, `${d.cause}, ${d.mode}`, d.error?.summary ?? ""]));
}

function drawExits(view, app) {
  const rows = app.exited.map((p) => {
    const why = make("div", { class: p.exit.by_us ? "" : "bad" }, p.exit.cause);
    if (p.exit.output?.length) why.append(make("pre", {}, p.exit.output.slice(-5).join("\n")));
    return [p.pid, ago(view.at, p.exit.at), span(p.uptime_seconds), p.generation, why];
  });
  return [
    ...section("Last exits", [["PID", ""], ["When", ""], ["Age", ""], ["Generation", ""], ["Cause", "long"]], rows),
    ...more(app.more.exits, "exits"),
  ];
}

// What is shown --------------------------------------------------------------

let stream = null;
let latest = null;

// chosen is the app that the address names, empty for none.
function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function draw() {
  if (!latest) return;
  const app = chosen();
  drawHead(latest);
  find("overview").hidden = app !== "";
  find("detail").hidden = app === "";
  document.title = app ? `${app} – Passenger` : "Passenger";
  if (app) drawDetail(latest, app);
  else drawApps(latest);
}

// open listens to what there is of the chosen app, or of all.
function open() {
  stream?.close();
  stream = new EventSource(`/v1/stream?app=${encodeURIComponent(chosen())}`);
  stream.onmessage = (event) => {
    latest = JSON.parse(event.data);
    // What is selected stays so, to be copied.
    if (document.getSelection().isCollapsed) draw();
  };
  stream.onerror = () => {
    find("live").className = "lost";
    find("live").textContent = "connection lost, trying again";
    if (stream.readyState === EventSource.CLOSED) setTimeout(open, 2000);
  };
}

addEventListener("hashchange", () => {
  find("detail").replaceChildren();
  open();
});
find("filter").addEventListener("input", draw);
document.addEventListener("visibilitychange", () => (document.hidden ? stream?.close() : open()));
open();

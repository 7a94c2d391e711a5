// From data to elements. Text enters the page as text, never as markup.

import { isEnglish, locale, name, t } from "/page/words.js";

const SVG = "http://www.w3.org/2000/svg";
export const SEVERITIES = ["red", "orange", "yellow", "blue"];
const ONGOING = ["open", "acknowledged", "improving", "stale"];

/** An element with attributes (`class`, `on…` listeners, `--variables`) and children; null children are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const isUncleared = (warning) => ONGOING.includes(warning.status);

const number = (value, digits = 2) => value.toLocaleString(locale(), { maximumFractionDigits: digits });
const percent = (value) => (value === null ? "–" : `${number(value * 100, 1)}%`);

function clock(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  const day = { month: "2-digit", day: "2-digit" };
  const hour = { hour: "2-digit", minute: "2-digit" };
  const shown = at.toLocaleString(locale(), today ? { ...hour, second: "2-digit" } : { ...day, ...hour });
  return h("time", { datetime: text, title: at.toLocaleString(locale()) }, shown);
}

const pill = (severity) => h("span", { class: `pill ${severity}` }, name("severity", severity));

// --- overview ----------------------------------------------------------------------------------------------------------

/** The tiles of the overview. */
export function tiles({ warnings, improvements }) {
  const severities = SEVERITIES.map((each) => [each, warnings.by_severity[each] ?? 0, name("severity", each)]);
  const tasks = ["proposed", "running", "submitted", "returned", "verified"];
  const states = tasks.map((each) => [`task-${each}`, improvements.by_status[each] ?? 0, name("task", each)]);
  const units = warnings.by_unit.slice(0, 4).map((each) => [each.name, each.uncleared]);
  const levels = Object.entries(warnings.by_level).map(([level, count]) => [name("level", level), count]);
  levels.sort((a, b) => b[1] - a[1]);
  return [
    tile(t("unclearedWarnings"), warnings.uncleared, stack(severities)),
    tile(t("openTasks"), improvements.open, stack(states)),
    tile(t("overdueTasks"), improvements.overdue, improvements.overdue ? null : h("p", { class: "muted" }, t("allInTime")), improvements.overdue > 0),
    listed(t("byUnit"), units),
    listed(t("byLevel"), levels.slice(0, 4)),
  ];
}

function tile(title, value, more, alarming = false) {
  return h("article", { class: `tile${alarming ? " alarming" : ""}` }, h("h2", {}, title), h("p", { class: "figure" }, number(value)), more);
}

function stack(parts) {
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  const shown = parts.filter(([, count]) => count > 0);
  const bar = h("div", { class: "stack", "aria-hidden": "true" }, shown.map(([kind, count]) => h("i", { class: kind, "--part": count / total })));
  const words = shown.map(([kind, count, word]) => h("li", {}, h("i", { class: kind, "aria-hidden": "true" }), `${word} ${count}`));
  return total ? h("div", {}, bar, h("ul", { class: "legend" }, words)) : h("p", { class: "muted" }, t("none"));
}

function listed(title, rows) {
  const most = Math.max(1, ...rows.map(([, count]) => count));
  const lines = rows.map(([word, count]) =>
    h("li", {}, h("span", {}, word), h("b", {}, number(count)), h("i", { class: "bar", "--part": count / most, "aria-hidden": "true" })),
  );
  return h("article", { class: "tile" }, h("h2", {}, title), lines.length ? h("ul", { class: "bars" }, lines) : h("p", { class: "muted" }, t("none")));
}

// --- warnings ----------------------------------------------------------------------------------------------------------

/** A row of the table of warnings. `buttons` are [word, listener]. */
export function warningRow(warning, indicatorName, fresh, buttons) {
  const past = isUncleared(warning);
  const subject = warning.subject_name ?? warning.subject;
  return h("tr", { class: `${past ? "" : "over"}${fresh ? " fresh" : ""}`, "data-id": warning.id },
    h("td", {}, pill(warning.severity)),
    h("td", {}, h("b", { title: warning.subject }, subject), h("small", {}, `${name("level", warning.level)} · ${indicatorName}`)),
    h("td", {}, gauge(warning, past)),
    h("td", { class: "narrow" }, name("window", warning.window), h("small", {}, warning.start)),
    h("td", { class: "narrow" }, h("span", { class: `state ${warning.status}` }, name("warning", warning.status)), h("small", {}, clock(warning.raised_at))),
    h("td", { class: "actions" }, buttons.map(([word, act]) => action(word, subject, act))),
  );
}

function gauge(warning, past) {
  const { value, line, numerator, denominator } = warning;
  return h("div", { class: `gauge ${warning.severity}${past ? "" : " met"}` },
    h("span", {}, h("b", {}, percent(value)), h("small", {}, `${t("line")} ${percent(line)} · ${number(numerator)}/${number(denominator)}`)),
    h("i", { "aria-hidden": "true", "--value": Math.min(1, value ?? 0), "--line": Math.min(1, line) }),
  );
}

const action = (word, about, act) => h("button", { type: "button", "aria-label": `${t(word)}: ${about}`, onclick: act }, t(word));

// --- tasks -------------------------------------------------------------------------------------------------------------

/** An item of the list of tasks. */
export function taskItem(task, fresh, buttons) {
  const owner = task.owner === null ? t("vacant") : (task.owner_name ?? task.owner);
  return h("li", { class: `${task.status === "closed" ? "over" : ""}${fresh ? " fresh" : ""}`, "data-id": task.id },
    h("div", { class: "line" }, task.severity ? pill(task.severity) : h("span", { class: "pill" }, name("source", task.source)), h("b", {}, task.title)),
    h("div", { class: "line small" },
      h("span", { class: `state ${task.status}` }, name("task", task.status)),
      task.overdue ? h("span", { class: "state late" }, t("overdue")) : null,
      h("span", {}, `${t("owner")} ${owner}`),
      h("span", {}, `${t("due")} ${task.due_on}`),
      h("span", { class: "push" }),
      buttons.map(([word, act]) => action(word, task.title, act)),
    ),
  );
}

// --- trends ------------------------------------------------------------------------------------------------------------

const WIDTH = 240;
const HEIGHT = 72;

/** A small curve of an indicator: `points` are [date, value], `line` where its mildest warning begins. */
export function trend(indicator, points, line) {
  const last = points.at(-1);
  const head = h("h3", {}, indicator.name, h("small", {}, name("level", indicator.level)));
  const values = [...points.map(([, value]) => value), line];
  const low = Math.max(0, Math.min(...values) - 0.03);
  const high = Math.max(...values) + 0.03;
  const x = (n) => (points.length === 1 ? WIDTH / 2 : 6 + (n * (WIDTH - 12)) / (points.length - 1));
  const y = (value) => HEIGHT - 4 - ((value - low) / (high - low)) * (HEIGHT - 8);
  const path = points.map(([, value], n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const bad = last[1] < line;
  const words = `${indicator.name}: ${t("now")} ${last[0]} ${percent(last[1])}, ${t("line")} ${percent(line)}`;
  return h("article", { class: `trend${bad ? " bad" : ""}` }, head,
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, preserveAspectRatio: "none" },
      svg("path", { class: "area", d: `${path}L${x(points.length - 1)} ${HEIGHT}L${x(0)} ${HEIGHT}Z` }),
      svg("line", { class: "limit", x1: 0, x2: WIDTH, y1: y(line), y2: y(line) }),
      svg("path", { class: "curve", d: path }),
      svg("path", { class: "dot", d: `M${x(points.length - 1).toFixed(1)} ${y(last[1]).toFixed(1)}h.01` }),
    ),
    h("p", {}, h("b", {}, percent(last[1])), h("small", {}, `${last[0].slice(5)} · ${t("line")} ${percent(line)}`)),
  );
}

// --- timeline ----------------------------------------------------------------------------------------------------------

/** A line of the timeline; its sentence is Chinese, in English it is put together from its fields. */
export function timelineItem(line, subjectName, indicatorName) {
  const said = isEnglish() ? `${name("level", line.level)} ${subjectName}${indicatorName ? ` · ${indicatorName}` : ""}${line.by ? ` · ${line.by}` : ""}` : line.text;
  return h("li", {}, clock(line.at), h("span", { class: `what ${line.what}` }, name("what", line.what)), h("span", {}, said));
}

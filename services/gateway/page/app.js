// The page: who is signed in, what they see, what they do.

import * as api from "/page/api.js";
import { SEVERITIES, h, isUncleared, taskItem, tiles, timelineItem, trend, warningRow } from "/page/draw.js";
import { isEnglish, name, speak, t } from "/page/words.js";

const SHOWN = 40;
const TIMELINE = 30;
const OVERVIEW_MS = 2000;
const TRENDS_MS = 30000;
const DAYS = 21;
// Whose curve to show: the widest level that the caller's places reach.
const LEVELS = [["*", "school"], ["unit", "department"], ["unit", "programme"], ["course", "course"], ["class", "class"], ["class", "homeroom"], ["teacher", "teacher"], ["student", "student"]];

const $ = (id) => document.getElementById(id);
const seen = { me: null, overview: null, warnings: new Map(), tasks: new Map(), timeline: [], indicators: new Map(), curves: new Map(), level: null };
const chosen = { warnings: "uncleared", tasks: "open" };
const fresh = new Set();
let open = new AbortController();

const may = (permission) => permission in (seen.me?.permissions ?? {});
const indicatorName = (code) => seen.indicators.get(code)?.name ?? code;
const subjectName = (line) => (seen.warnings.get(line.object) ?? seen.tasks.get(line.object))?.subject_name ?? line.subject;
const byTime = (field) => (a, b) => (a[field] < b[field] ? 1 : a[field] > b[field] ? -1 : 0);

// --- drawing, at most once a frame -----------------------------------------------------------------------------------

const waiting = new Set();

function draw(...parts) {
  if (waiting.size === 0) requestAnimationFrame(drawWaiting);
  for (const part of parts) waiting.add(part);
}

function drawWaiting() {
  const parts = [...waiting];
  waiting.clear();
  for (const part of parts) part();
}

function drawTiles() {
  if (!seen.overview) return;
  $("school").textContent = seen.overview.name ?? seen.overview.school;
  $("tiles").replaceChildren($("tiles-title"), ...tiles(seen.overview));
}

function drawWarnings() {
  const all = [...seen.warnings.values()].filter((each) => chosen.warnings === "all" || isUncleared(each));
  all.sort(byTime("raised_at"));
  replaceKeepingFocus($("warnings"), all.slice(0, SHOWN).map((each) => warningRow(each, indicatorName(each.indicator), fresh.has(each.id), warningButtons(each))));
  note("warnings-note", all.length, seen.warnings.size ? "quiet" : "noWarnings");
}

function drawTasks() {
  const mine = (each) => each.owner === seen.me.id || (each.status === "submitted" && each.verifier === seen.me.id);
  const keep = { all: () => true, open: (each) => each.status !== "closed", mine: (each) => each.status !== "closed" && mine(each) };
  const all = [...seen.tasks.values()].filter(keep[chosen.tasks]);
  all.sort(byTime("opened_at"));
  replaceKeepingFocus($("tasks"), all.slice(0, SHOWN).map((each) => taskItem(each, fresh.has(each.id), taskButtons(each))));
  note("tasks-note", all.length, "noTasks");
}

function drawTimeline() {
  $("timeline").replaceChildren(...seen.timeline.slice(0, TIMELINE).map((each) => timelineItem(each, subjectName(each), indicatorName(each.indicator))));
  note("timeline-note", Math.min(seen.timeline.length, 1), "nothingYet");
}

function drawTrends() {
  // One person's curve says nothing about the line of a class.
  const alone = ["student", "teacher"].includes(seen.level);
  const known = [...seen.indicators.values()].filter((each) => seen.curves.get(each.metric)?.length && (!alone || each.level === seen.level));
  const drawn = known.map((each) => trend(each, seen.curves.get(each.metric), each.warning_lines[0].enter));
  $("trends").replaceChildren(...drawn);
  $("trends-level").textContent = seen.level ? `${name("level", seen.level)} · ${t("days")}` : "";
  note("trends-note", Math.min(drawn.length, 1), "noTrends");
}

function note(id, count, emptyWord) {
  $(id).textContent = count === 0 ? t(emptyWord) : count > SHOWN ? t("shown", { n: SHOWN }) : "";
}

/** Put other rows in; whoever stands on a button stands on the same one afterwards. */
function replaceKeepingFocus(parent, rows) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("[data-id]")?.dataset.id;
  const label = focused?.getAttribute("aria-label");
  parent.replaceChildren(...rows);
  if (row) parent.querySelector(`[data-id="${row}"]`)?.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
}

function everything() {
  draw(drawTiles, drawWarnings, drawTasks, drawTimeline, drawTrends);
  drawChoices();
}

function drawChoices() {
  for (const [kind, value] of Object.entries(chosen))
    for (const button of $(`${kind}-choice`).children) button.setAttribute("aria-pressed", String(button.dataset.choice === value));
}

// --- loading -----------------------------------------------------------------------------------------------------------

async function load() {
  // The overview first: what happens after its position comes by the stream.
  const overview = await readable("report.read", () => api.get("/reporting/overview"));
  const [warnings, tasks, indicators, timeline] = await Promise.all([
    readable("warning.read", () => api.list("/monitoring/warnings", { limit: 500 }, 500)),
    readable("improvement.read", () => api.list("/planning/improvements", { limit: 500 }, 500)),
    readable("indicator.read", () => api.list("/standards/indicators", { limit: 500 })),
    readable("report.read", () => api.get("/reporting/timeline", { limit: TIMELINE })),
  ]);
  seen.overview = overview;
  seen.warnings = new Map((warnings ?? []).map((each) => [each.id, each]));
  seen.tasks = new Map((tasks ?? []).map((each) => [each.id, each]));
  seen.indicators = new Map((indicators ?? []).filter((each) => each.status === "active").map((each) => [each.code, each]));
  seen.timeline = timeline?.items ?? [];
  for (const [panel, permission] of [["warnings", "warning.read"], ["tasks", "improvement.read"], ["trends", "measurement.read"], ["timeline", "report.read"]])
    $(`${panel}-panel`).hidden = !may(permission);
  everything();
  return overview?.position ?? null;
}

const readable = (permission, read) => (may(permission) ? read() : null);

async function loadTrends() {
  if (!may("measurement.read")) return;
  const metrics = [...new Set([...seen.indicators.values()].map((each) => each.metric))];
  const from = new Date(Date.now() - DAYS * 86400000).toISOString().slice(0, 10);
  const measure = (metric, level) => api.list("/monitoring/measurements", { metric, level, window: "day", from, limit: 500 }, 3000);
  const reach = new Set(seen.me.permissions["measurement.read"].map((place) => place.split(":")[0]));
  for (const level of seen.level ? [seen.level] : LEVELS.filter(([kind]) => reach.has(kind)).map(([, each]) => each)) {
    for (const metric of metrics) seen.curves.set(metric, addedUp(await measure(metric, level)));
    if ([...seen.curves.values()].some((curve) => curve.length)) {
      seen.level = level;
      break;
    }
  }
  draw(drawTrends);
}

/** Days of several subjects as one curve: sums are added, never averages averaged. */
function addedUp(items) {
  const days = new Map();
  for (const { start, numerator, denominator } of items) {
    const day = days.get(start) ?? [0, 0];
    days.set(start, [day[0] + numerator, day[1] + denominator]);
  }
  return [...days].filter(([, [, of]]) => of > 0).sort().map(([day, [sum, of]]) => [day, sum / of]);
}

// --- the stream --------------------------------------------------------------------------------------------------------

async function changed(kind, data) {
  if (kind === "reset") {
    await load();
    return;
  }
  const { change, ...view } = data;
  const known = kind === "warning" ? seen.warnings : seen.tasks;
  const isNew = !known.has(view.id);
  known.set(view.id, { ...known.get(view.id), ...view });
  if (kind === "improvement" && isNew) complete(view.id);
  seen.timeline.unshift({ ...change, kind, object: view.id, level: view.level, subject: view.subject, indicator: view.indicator });
  seen.timeline.length = Math.min(seen.timeline.length, TIMELINE);
  flash(view.id);
  draw(kind === "warning" ? drawWarnings : drawTasks, drawTimeline);
  refreshOverview();
}

/** The stream knows people by their ids; the list has their names. */
async function complete(id) {
  const task = await api.get(`/planning/improvements/${id}`).catch(() => null);
  if (!task) return;
  seen.tasks.set(id, { ...task, ...seen.tasks.get(id), owner_name: task.owner_name, subject_name: task.subject_name });
  draw(drawTasks);
}

function flash(id) {
  fresh.add(id);
  setTimeout(() => fresh.delete(id), 1500);
}

const refreshOverview = sparing(OVERVIEW_MS, async () => {
  seen.overview = await api.get("/reporting/overview");
  draw(drawTiles);
});
const refreshTrends = sparing(TRENDS_MS, loadTrends);

/** `work`, at most once in `span`: the last call of a burst is kept, not lost. */
function sparing(span, work) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work().catch(trouble);
    }, span);
  };
}

function live(connected) {
  $("live").hidden = false;
  $("live").classList.toggle("lost", !connected);
  $("live").textContent = t(connected ? "live" : "lost");
  if (connected) trouble(null);
}

function trouble(error) {
  if (error && !api.isSignedIn()) return;
  $("trouble").hidden = !error;
  $("trouble").textContent = !error ? "" : error instanceof api.Problem ? t("failed") + error.message : t("offline");
}

// --- doing something ---------------------------------------------------------------------------------------------------

function warningButtons(warning) {
  const buttons = [];
  if (warning.status === "open" && may("warning.handle")) buttons.push(["acknowledge", () => acknowledge(warning)]);
  return buttons;
}

async function acknowledge(warning) {
  try {
    seen.warnings.set(warning.id, { ...warning, ...(await api.post(`/monitoring/warnings/${warning.id}/acknowledge`)) });
    draw(drawWarnings);
  } catch (error) {
    trouble(error);
  }
}

const TURNS = { proposed: ["start"], running: ["submit"], returned: ["submit"], submitted: ["verify", "return"] };
const NEEDS = { start: "improvement.work", submit: "improvement.work", verify: "improvement.verify", return: "improvement.verify" };

function taskButtons(task) {
  const theirs = (step) => NEEDS[step] !== "improvement.verify" || task.owner !== seen.me.id; // nobody judges what is theirs
  return (TURNS[task.status] ?? []).filter((step) => may(NEEDS[step]) && theirs(step)).map((step) => [step, () => ask(step, task)]);
}

/** Open the dialog of a step, filled with what is proposed. */
async function ask(step, task) {
  try {
    const whole = await api.get(`/planning/improvements/${task.id}`);
    $("dialog-title").textContent = t(step);
    $("dialog-ok").textContent = t(step);
    $("dialog-about").textContent = task.title;
    $("dialog-error").textContent = "";
    $("dialog-fields").replaceChildren(...FIELDS[step](whole));
    $("dialog-form").onsubmit = (submitted) => {
      submitted.preventDefault();
      const form = new FormData(submitted.target);
      const lack = LACKS[step]?.(form);
      $("dialog-error").textContent = lack ? t(lack) : "";
      if (!lack) send(step, task, form);
    };
    $("dialog").showModal();
  } catch (error) {
    trouble(error);
  }
}

async function send(step, task, form) {
  $("dialog-ok").disabled = true;
  try {
    const changed = await api.post(`/planning/improvements/${task.id}/${step}`, BODIES[step](form));
    seen.tasks.set(task.id, { ...task, ...changed });
    draw(drawTasks);
    $("dialog").close();
  } catch (error) {
    $("dialog-error").textContent = error instanceof api.Problem ? error.message : t("offline");
  } finally {
    $("dialog-ok").disabled = false;
  }
}

const field = (word, input) => h("label", {}, h("span", {}, t(word)), input);
const area = (key, required) => h("textarea", { name: key, rows: 3, required, maxlength: 4000 });

const FIELDS = {
  start: ({ proposed_plan: plan }) => [
    h("fieldset", {}, h("legend", {}, t("measures")), plan.measures.map((each) =>
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "measures", value: each, checked: true }), each))),
    field("ownMeasure", h("input", { name: "own", maxlength: 2000 })),
    field("goal", h("input", { name: "goal", value: plan.goal, required: true, maxlength: 2000 })),
    field("deadline", h("input", { name: "deadline", type: "date", value: plan.deadline, required: true })),
  ],
  submit: (task) => [field("done", area("done", true)), field("evidence", area("evidence", SEVERITIES.indexOf(task.severity) < 2))],
  verify: (task) => (task.cleared || task.warning === null ? [] : [field("reasonUncleared", area("reason", true))]),
  return: () => [field("reason", area("reason", true))],
};

const measuresOf = (form) => [...form.getAll("measures"), form.get("own").trim()].filter(Boolean);

// What is lacking before a step can be sent, as a word; the browser itself asks for required fields.
const LACKS = { start: (form) => (measuresOf(form).length ? null : "noMeasure") };

const BODIES = {
  start: (form) => ({ measures: measuresOf(form), goal: form.get("goal"), deadline: form.get("deadline") }),
  submit: (form) => ({ done: form.get("done"), evidence: form.get("evidence").split("\n").map((each) => each.trim()).filter(Boolean) }),
  verify: (form) => (form.get("reason") ? { reason: form.get("reason") } : {}),
  return: (form) => ({ reason: form.get("reason") }),
};

// --- signing in and out --------------------------------------------------------------------------------------------------

async function begin() {
  try {
    seen.me = await api.get("/me");
    $("sign-in").hidden = true;
    $("board").hidden = false;
    $("sign-out").hidden = false;
    $("who").hidden = false;
    $("who").textContent = [seen.me.name ?? seen.me.username, ...new Set(seen.me.posts.map((each) => name("role", each.post)))].join(" · ");
    const position = await load();
    open = new AbortController();
    if (position !== null) api.follow(position, open.signal, { event: changed, state: live });
    await loadTrends();
  } catch (error) {
    trouble(error);
    if (api.isSignedIn() && !(error instanceof api.Problem)) setTimeout(begin, 3000);
  }
}

function showSignIn() {
  open.abort();
  Object.assign(seen, { me: null, overview: null, warnings: new Map(), tasks: new Map(), timeline: [], indicators: new Map(), curves: new Map(), level: null });
  for (const id of ["board", "sign-out", "who", "live"]) $(id).hidden = true;
  $("school").textContent = "";
  if ($("dialog").open) $("dialog").close();
  $("sign-in").hidden = false;
  offerDemo();
  $("sign-in-form").elements.username.focus();
}

async function offerDemo() {
  const accounts = await api.demo();
  $("demo").hidden = accounts.length === 0;
  $("demo-accounts").replaceChildren(...accounts.map((each) =>
    h("button", { type: "button", onclick: () => enter(each.username, each.password) }, name("role", each.role), h("small", {}, each.username))));
}

async function enter(username, password) {
  $("sign-in-error").textContent = "";
  try {
    await api.signIn(username, password);
    $("sign-in-form").reset();
    await begin();
  } catch (error) {
    const known = error instanceof api.Problem;
    $("sign-in-error").textContent = known && error.status < 500 && error.status !== 429 ? t("wrong") : known ? error.message : t("offline");
  }
}

function listen() {
  $("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    enter(form.get("username"), form.get("password"));
  });
  $("sign-out").addEventListener("click", async () => {
    await api.signOut();
    showSignIn();
  });
  $("language").addEventListener("click", () => {
    speak(isEnglish() ? "zh" : "en");
    showLanguage();
  });
  $("dialog-cancel").addEventListener("click", () => $("dialog").close());
  for (const kind of Object.keys(chosen))
    $(`${kind}-choice`).addEventListener("click", ({ target }) => {
      if (!target.dataset.choice) return;
      chosen[kind] = target.dataset.choice;
      everything();
    });
  setInterval(() => document.hidden || !seen.me || refreshTrends(), TRENDS_MS);
  api.onEnd(showSignIn);
}

function showLanguage() {
  $("language").textContent = isEnglish() ? "中文" : "English";
  $("language").lang = isEnglish() ? "zh-CN" : "en";
  if (!$("live").hidden) live(!$("live").classList.contains("lost"));
  if (seen.me) {
    everything();
    $("who").textContent = [seen.me.name ?? seen.me.username, ...new Set(seen.me.posts.map((each) => name("role", each.post)))].join(" · ");
  } else if (!$("sign-in").hidden) offerDemo();
}

speak();
listen();
showLanguage();
if (api.isSignedIn()) begin();
else showSignIn();

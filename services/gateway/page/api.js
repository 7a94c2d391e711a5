// The server: signing in, asking, and the live stream.

const TOKEN = "zhengai.token";
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15000;

let token = sessionStorage.getItem(TOKEN);
let ended = () => {};

export const isSignedIn = () => token !== null;

/** Call `listener` when the server no longer knows us. */
export function onEnd(listener) {
  ended = listener;
}

/** A failure that the server explained. */
export class Problem extends Error {
  constructor(status, body) {
    const faults = (body.errors ?? []).map((each) => each.detail);
    super([body.detail, ...faults].filter(Boolean).join(" · ") || String(status));
    this.status = status;
  }
}

async function answer(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  throw new Problem(response.status, await response.json().catch(() => ({})));
}

export async function signIn(username, password) {
  const form = new URLSearchParams({ grant_type: "password", username, password });
  const body = await answer(await fetch("/api/v1/auth/token", { method: "POST", body: form }));
  token = body.access_token;
  sessionStorage.setItem(TOKEN, token);
}

export async function signOut() {
  const old = token;
  forget();
  await fetch("/api/v1/auth/token", { method: "DELETE", headers: { Authorization: `Bearer ${old}` } }).catch(() => {});
}

function forget() {
  token = null;
  sessionStorage.removeItem(TOKEN);
}

/** The demo accounts, or none where this is no demo of this machine. */
export async function demo() {
  const response = await fetch("/api/v1/demo").catch(() => null);
  return response?.ok ? (await response.json()).accounts : [];
}

async function ask(method, path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method === "POST") headers["Idempotency-Key"] = unique();
  const response = await fetch(`/api/v1${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 401 && token !== null) {
    forget();
    ended();
  }
  return answer(response);
}

export const get = (path, query = {}) => ask("GET", `${path}?${new URLSearchParams(query)}`.replace(/\?$/, ""));

export const post = (path, body) => ask("POST", path, body);

/** All items of a list, at most `most`. */
export async function list(path, query = {}, most = 500) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, cursor === null ? query : { ...query, cursor });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null && items.length < most);
  return items;
}

function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Read the stream for ever, from the event after `id`, until `signal` aborts. `EventSource` cannot send a bearer token, so
 * this is its protocol on fetch: ids are remembered, and a lost connection resumes after the last one seen.
 */
export async function follow(id, signal, { event, state }) {
  let retry = FIRST_RETRY_MS;
  let failures = 0;
  while (!signal.aborted && token !== null) {
    try {
      const headers = { Authorization: `Bearer ${token}`, Accept: "text/event-stream", "Last-Event-ID": id };
      const response = await fetch("/api/v1/reporting/stream", { headers, signal, cache: "no-store" });
      if (response.status === 401) {
        forget();
        ended();
        return;
      }
      if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
      for await (const block of blocks(response.body)) {
        failures = 0;
        state(true);
        if (block.retry !== undefined) retry = block.retry;
        if (block.data !== undefined) await event(block.event, JSON.parse(block.data));
        if (block.id !== undefined) id = block.id;
      }
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      state(false, error);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(retry * 2 ** Math.max(0, failures - 1), LONGEST_RETRY_MS)));
  }
}

async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      yield parse(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function parse(text) {
  const block = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    else if (name === "retry") block.retry = Number(value);
    else block[name] = value;
  }
  return block;
}

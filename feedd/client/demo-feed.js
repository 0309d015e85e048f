/*
 * One viewer's feed: loads the page, then keeps a long poll open, for ever.
 *
 * This module knows HTTP, the cursor and when to try again. It does not know the screen.
 */

const HOLD_SECONDS = 50;
const DEGRADED_HOLD_SECONDS = 10;
const GRACE_SECONDS = 20;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 20_000;
const SHORTEST_POLL_MS = 1000;
const REMEMBERED_IDS = 5000;

/** What the server answered instead of 2xx. `status` is 0 when it did not answer at all. */
export class Refused extends Error {
  constructor(status, code, message, retryAfterMs = 0) {
    super(message);
    Object.assign(this, { status, code, retryAfterMs });
  }
}

/** An Idempotency-Key; crypto.randomUUID would need https. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refusal(response, answer) {
  const { code = "unknown", message = `the server answered ${response.status}` } = answer?.error ?? {};
  return new Refused(response.status, code, message, 1000 * (Number(response.headers.get("Retry-After")) || 0));
}

/**
 * The feed of `viewer`. It calls
 * `listener.page(page, startedAt)` with the answer of init, at first and after a gap;
 * `listener.events(events)` with events that it has not told before;
 * `listener.state(word)` with connecting, live, degraded, reconnecting or refused.
 */
export class Feed {
  #viewer;
  #listener;
  #cursor = null;
  #failures = 0;
  #degraded = false;
  #running = null;
  #wake = () => {};
  #told = new Set();

  constructor(viewer, listener) {
    this.#viewer = viewer;
    this.#listener = listener;
  }

  /** Begin, or go on after `stop`. */
  start() {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#run(this.#running.signal);
  }

  /** End the poll and every retry; the cursor is kept. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#wake();
  }

  /** Do not wait for the next retry. */
  hurry() {
    this.#wake();
  }

  /** Load the page anew at the next turn, as after a gap. */
  async reload() {
    const startedAt = performance.now();
    this.#listener.page(await this.#get("/feed/init", {}), startedAt);
  }

  older(before) {
    return this.#get("/feed/init", { before });
  }

  post(text, key) {
    return this.#send("POST", "/feed/posts", { body: { text } }, { "Idempotency-Key": key });
  }

  edit(post, text) {
    return this.#send("PATCH", `/feed/posts/${post}`, { body: { text } });
  }

  delete(post) {
    return this.#send("DELETE", `/feed/posts/${post}`);
  }

  /** Both hear each other. A site's server does this; in the demo its key is `demo`. */
  befriend(friend) {
    return this.#friendship("add", friend);
  }

  unfriend(friend) {
    return this.#friendship("remove", friend);
  }

  #friendship(change, friend) {
    const body = { [change]: [{ viewer: this.#viewer, friend }], mutual: true };
    return this.#send("POST", "/api/friendships", body, { Authorization: "Bearer demo" });
  }

  async #run(signal) {
    this.#listener.state(this.#cursor ? "reconnecting" : "connecting");
    while (!signal.aborted) {
      try {
        await this.#turn(signal);
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (error.code === "bad_cursor") this.#cursor = null;
        if (error.status === 401 || error.status === 403) {
          this.#listener.state("refused");
          return;
        }
        this.#listener.state("reconnecting");
        await this.#pause(this.#delay(error));
      }
    }
  }

  async #turn(signal) {
    if (this.#cursor === null) {
      const startedAt = performance.now();
      const page = await this.#get("/feed/init", {}, signal);
      this.#listener.page(page, startedAt);
      this.#cursor = page.cursor;
      this.#listener.state("live");
    }
    const wait = this.#failures ? 0 : this.#degraded ? DEGRADED_HOLD_SECONDS : HOLD_SECONDS;
    const began = performance.now();
    const answer = await this.#get("/feed/poll", { cursor: this.#cursor, wait }, signal, wait);
    this.#take(answer);
    const atOnce = answer.events.length || answer.more || answer.gap || wait === 0;
    if (!atOnce && performance.now() - began < SHORTEST_POLL_MS) await this.#pause(SHORTEST_POLL_MS * (1 + Math.random()));
  }

  #take(answer) {
    this.#degraded = answer.state === "degraded";
    this.#listener.state(this.#degraded ? "degraded" : "live");
    this.#cursor = answer.gap ? null : answer.cursor;
    const fresh = answer.events.filter(({ id }) => !this.#told.has(id));
    for (const { id } of fresh) this.#told.add(id);
    for (const id of this.#told) {
      if (this.#told.size <= REMEMBERED_IDS) break;
      this.#told.delete(id);
    }
    if (fresh.length) this.#listener.events(fresh);
  }

  /** Half of the backoff is random, so that a thousand browsers do not come back in the same instant. */
  #delay(error) {
    const backoff = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    return Math.max(backoff * (0.5 + Math.random() / 2), error.retryAfterMs ?? 0);
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #get(path, query, signal, seconds = 0) {
    return this.#fetch(path, query, { cache: "no-store" }, signal, seconds);
  }

  #send(method, path, body, headers = {}) {
    const options = { method, headers };
    if (body) {
      options.body = JSON.stringify(body);
      options.headers = { "Content-Type": "application/json", ...headers };
    }
    return this.#fetch(path, {}, options);
  }

  /** One exchange, ended by `signal` or when the server is silent for longer than it was asked to be. */
  async #fetch(path, query, options, signal, seconds = 0) {
    const given = new AbortController();
    const abort = () => given.abort();
    const timer = setTimeout(abort, 1000 * (seconds + GRACE_SECONDS));
    signal?.addEventListener("abort", abort);
    try {
      const response = await fetch(`${path}?${new URLSearchParams({ as: this.#viewer, ...query })}`, { ...options, signal: given.signal });
      const answer = await response.json().catch(() => null);
      if (!response.ok || answer === null) throw refusal(response, answer);
      return answer;
    } catch (error) {
      throw error instanceof Refused ? error : new Refused(0, "unreachable", "The server does not answer");
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }
}

/*
 * The demo page: who I am, what my feed tells, what I do.
 *
 * It joins the feed (demo-feed.js) to the screen (demo-view.js).
 */

import { Feed, newKey } from "/demo-feed.js";
import { byId, entersSubmit, Friends, paintAvatar, Posts } from "/demo-view.js";

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const STATES = {
  connecting: "connecting",
  live: "live",
  degraded: "degraded",
  reconnecting: "reconnecting",
  refused: "not let in",
};
const STATE_TITLES = {
  live: "What friends post appears at once",
  degraded: "The broker is away; posts come from the database, a little later",
  reconnecting: "The server does not answer; trying again",
};
const NOTICE_MS = 5000;

function notice(text) {
  const line = document.createElement("p");
  line.textContent = text;
  byId("notices").append(line);
  setTimeout(() => line.remove(), NOTICE_MS);
}

/** Run what a click asked for; say why when it fails. Returns what it returned, null when it failed. */
async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notice(error.message);
    return null;
  }
}

/** One window of one user. */
class Demo {
  #me;
  #feed;
  #posts;
  #friends;
  #other;
  #key = null;
  #unseen = 0;

  constructor(me) {
    this.#me = me;
    this.#other = me === "bob" ? "alice" : "bob";
    this.#feed = new Feed(me, {
      page: (page, startedAt) => this.#page(page, startedAt),
      events: (events) => events.forEach((event) => this.#event(event)),
      state: (word) => this.#state(word),
    });
    this.#posts = new Posts(me, byId("posts"), {
      edit: (post, text) => this.#edit(post, text),
      remove: (post) => this.#remove(post),
    });
    this.#friends = new Friends((name) => attempt(() => this.#feed.unfriend(name)));
  }

  start() {
    this.#dress();
    this.#compose();
    byId("befriend").addEventListener("submit", (event) => this.#befriend(event));
    byId("older").addEventListener("click", () => this.#older());
    byId("newer").addEventListener("click", () => scrollTo({ top: 0, behavior: "smooth" }));
    addEventListener("scroll", () => this.#looked(), { passive: true });
    document.addEventListener("visibilitychange", () => this.#looked());
    addEventListener("online", () => this.#feed.hurry());
    addEventListener("pagehide", () => this.#feed.stop());
    addEventListener("pageshow", (event) => event.persisted && this.#feed.start());
    this.#feed.start();
  }

  #dress() {
    for (const id of ["app", "who", "state"]) byId(id).hidden = false;
    paintAvatar(byId("my-avatar"), this.#me);
    byId("my-name").textContent = this.#me;
    this.#title();
    byId("switch").addEventListener("click", () => {
      sessionStorage.removeItem("feedd_user");
      location.assign("/");
    });
    byId("other-name").textContent = this.#other;
    const second = byId("second");
    second.textContent = `Open a window as ${this.#other}`;
    second.href = `/?as=${this.#other}`;
    second.addEventListener("click", (event) => this.#openSecond(event));
    byId("text").focus({ preventScroll: true });
  }

  /** Make the two friends, so that the first post in either window appears in the other. */
  #openSecond(event) {
    const other = this.#other;
    if (!this.#friends.has(other)) attempt(() => this.#feed.befriend(other));
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const width = Math.min(560, screen.availWidth);
    const height = Math.min(860, screen.availHeight);
    open(`/?as=${other}`, "_blank", `noopener,width=${width},height=${height},left=${screen.availWidth - width},top=40`);
  }

  #compose() {
    const form = byId("composer");
    const text = byId("text");
    entersSubmit(form, text);
    text.addEventListener("input", () => (this.#key = null));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (text.value.trim()) this.#post(form, text.value);
    });
  }

  /** The key stays the same until the text changes: a repeat of a post whose answer was lost makes no second one. */
  async #post(form, text) {
    const button = byId("post");
    if (button.disabled) return;
    button.disabled = true;
    this.#key ??= newKey();
    const made = await attempt(() => this.#feed.post(text, this.#key));
    button.disabled = false;
    if (!made) return;
    this.#key = null;
    form.reset();
    this.#posts.show({ id: made.post, author: this.#me, body: { text }, at: Date.now(), edited: null }, true);
    this.#count();
  }

  async #edit(post, text) {
    if (!text.trim()) return null;
    const done = await attempt(() => this.#feed.edit(post, text));
    if (done) this.#posts.change(post, { text }, Date.now());
    return done;
  }

  async #remove(post) {
    if (!(await attempt(() => this.#feed.delete(post)))) return;
    this.#posts.remove(post);
    this.#count();
  }

  async #befriend(event) {
    event.preventDefault();
    const form = event.target;
    const name = form.elements.name.value.trim();
    if (name === this.#me) return notice("You hear yourself already");
    if (await attempt(() => this.#feed.befriend(name))) form.reset();
  }

  async #older() {
    const button = byId("older");
    button.disabled = true;
    const page = await attempt(() => this.#feed.older(this.#posts.oldest));
    button.disabled = false;
    if (!page) return;
    for (const post of page.posts) this.#posts.show(post);
    button.hidden = !page.more;
  }

  #page(page, startedAt) {
    this.#friends.set(page.friends);
    this.#posts.reconcile(page, startedAt);
    byId("older").hidden = !page.more;
    this.#count();
  }

  #event(event) {
    const { kind, author, post, body, at } = event;
    if (kind === "post") this.#arrived({ id: post, author, body, at, edited: null });
    if (kind === "message") this.#arrived({ id: event.id, author, body, at, edited: null });
    if (kind === "edit") this.#posts.change(post, body, at);
    if (kind === "delete") this.#posts.remove(post);
    if (kind === "friend" || kind === "unfriend") this.#friendship(kind, author, body.friend);
    this.#count();
  }

  #arrived(post) {
    if (!this.#posts.show(post, true) || post.author === this.#me) return;
    byId("spoken").textContent = `New post by ${post.author}`;
    if (document.hidden || scrollY > 200) this.#unseen++;
    this.#title();
  }

  /** A new friend's earlier posts come with a fresh page; a lost friend's posts go. */
  #friendship(kind, author, friend) {
    if (author !== this.#me) return;
    const told = kind === "friend" ? `You hear ${friend} now` : `You do not hear ${friend} any more`;
    byId("spoken").textContent = told;
    if (kind === "friend") {
      this.#friends.add(friend);
      attempt(() => this.#feed.reload());
    } else {
      this.#friends.remove(friend);
      this.#posts.removeAuthor(friend);
    }
  }

  #state(word) {
    const state = byId("state");
    state.title = STATE_TITLES[word] ?? "";
    if (state.dataset.state === word) return;
    state.dataset.state = word;
    byId("state-text").textContent = STATES[word];
  }

  /** The invitation is loud until it has been taken. */
  #count() {
    byId("empty").hidden = this.#posts.size > 0;
    byId("second").classList.toggle("primary", this.#posts.size === 0 || !this.#friends.has(this.#other));
  }

  #looked() {
    if (document.hidden || scrollY > 200 || !this.#unseen) return;
    this.#unseen = 0;
    this.#title();
  }

  #title() {
    const posts = this.#unseen === 1 ? "1 new post" : `${this.#unseen} new posts`;
    document.title = `${this.#unseen ? `(${this.#unseen}) ` : ""}${this.#me} · feedd`;
    byId("newer").hidden = this.#unseen === 0;
    byId("newer").textContent = posts;
  }
}

/** The name of this window: what its address says, else what it was before a reload. */
function rememberedName() {
  const asked = new URLSearchParams(location.search).get("as") ?? sessionStorage.getItem("feedd_user") ?? "";
  return NAME.test(asked) ? asked : null;
}

function enter(name) {
  byId("welcome").hidden = true;
  sessionStorage.setItem("feedd_user", name);
  history.replaceState(null, "", `/?as=${name}`);
  new Demo(name).start();
}

function welcome() {
  byId("welcome").hidden = false;
  byId("welcome-name").focus();
  byId("welcome-form").addEventListener("submit", (event) => {
    event.preventDefault();
    enter(byId("welcome-name").value.trim());
  });
  for (const chip of document.querySelectorAll("[data-name]")) chip.addEventListener("click", () => enter(chip.dataset.name));
}

const name = rememberedName();
if (name) enter(name);
else welcome();

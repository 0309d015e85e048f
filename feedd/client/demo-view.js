/*
 * The posts and friends on the screen.
 *
 * This module knows the page's elements. It does not know HTTP. Whatever a user wrote becomes text, never markup.
 */

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const UNITS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
const LIVE_MS = 5000;
const CONFIRM_MS = 4000;

export const byId = (id) => document.getElementById(id);

function copyOf(template) {
  return byId(template).content.firstElementChild.cloneNode(true);
}

/** The letter and the colour of a user, the same everywhere. */
export function paintAvatar(element, name) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 3600;
  element.textContent = name[0].toUpperCase();
  element.style.setProperty("--hue", String((hash * 137) % 360));
}

function timeAgo(at) {
  let amount = (at - Date.now()) / 1000;
  if (amount > -5) return "just now";
  for (const [unit, size] of UNITS) {
    if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

/** What a body says: its text, or its JSON when it is of another shape. */
function isText(body) {
  return typeof body?.text === "string";
}

function plain(body) {
  return isText(body) ? body.text : JSON.stringify(body, null, 2);
}

/** The list of posts, newest first; `actions` are `edit(id, text)` and `remove(id)`, which return promises. */
export class Posts {
  #me;
  #list;
  #actions;
  #cards = new Map();
  #shown = new WeakMap();
  #deleted = new Set();

  constructor(me, list, actions) {
    this.#me = me;
    this.#list = list;
    this.#actions = actions;
    setInterval(() => this.#tick(), 10_000);
  }

  get size() {
    return this.#cards.size;
  }

  /** The oldest post here that is in the log, or undefined. */
  get oldest() {
    const ids = [...this.#cards.keys()].filter((id) => id > 0);
    return ids.length ? Math.min(...ids) : undefined;
  }

  /** Show a post, or what has become of it. `live`: it has just come in. Returns whether it is new here. */
  show(post, live = false) {
    if (this.#deleted.has(post.id)) return false;
    const known = this.#cards.get(post.id);
    if (known) {
      this.#fill(known, post);
      return false;
    }
    const card = this.#make(post);
    this.#cards.set(post.id, card);
    this.#insert(card);
    if (live) this.#welcome(card);
    return true;
  }

  change(id, body, at) {
    const card = this.#cards.get(id);
    if (card) this.#fill(card, { ...card.post, body, edited: at });
  }

  remove(id) {
    this.#deleted.add(id);
    this.#drop(id);
  }

  removeAuthor(author) {
    for (const [id, card] of this.#cards) if (card.post.author === author) this.#drop(id);
  }

  /**
   * Make the list what a page load says, touching only what differs. What came here after the page was asked for stays;
   * what is older than the page goes, because posts in between may be missing, and can be loaded again.
   */
  reconcile(page, startedAt) {
    const ids = new Set(page.posts.map(({ id }) => id));
    for (const [id, card] of this.#cards) if (id > 0 && !ids.has(id) && card.seen < startedAt) this.#drop(id);
    for (const post of page.posts) if (!(this.#cards.get(post.id)?.seen >= startedAt)) this.show(post);
  }

  #make(post) {
    const item = copyOf("post-template");
    const find = (selector) => item.querySelector(selector);
    const card = { item, post, find, seen: 0, shown: null };
    paintAvatar(find(".avatar"), post.author);
    find(".name").textContent = post.author;
    item.classList.toggle("mine", post.author === this.#me);
    if (post.id > 0 && post.author === this.#me) this.#equip(card);
    this.#fill(card, post);
    return card;
  }

  #fill(card, post) {
    card.post = post;
    card.seen = performance.now();
    const text = plain(post.body);
    const place = card.find(".text");
    if (card.shown !== text) place.textContent = card.shown = text;
    place.classList.toggle("json", !isText(post.body));
    place.classList.toggle("large", isText(post.body) && text.length <= 60 && !text.includes("\n"));
    card.find(".note").textContent = post.id < 0 ? "live only" : post.edited ? "edited" : "";
    this.#age(card);
  }

  #age({ post, find }) {
    const time = find("time");
    const words = timeAgo(post.at);
    if (time.textContent !== words) time.textContent = words;
    if (!time.dateTime) {
      time.dateTime = new Date(post.at).toISOString();
      time.title = new Date(post.at).toLocaleString();
    }
  }

  #tick() {
    for (const card of this.#cards.values()) this.#age(card);
  }

  /** By time for what is only live, by id for what is in the log. */
  #insert(card) {
    const { id, at } = card.post;
    const isOlder = (other) => (id > 0 && other.id > 0 ? other.id < id : other.at <= at);
    let below = this.#list.firstElementChild;
    while (below && !isOlder(this.#shown.get(below).post)) below = below.nextElementSibling;
    this.#shown.set(card.item, card);
    this.#list.insertBefore(card.item, below);
  }

  #welcome(card) {
    card.item.classList.add("arrived");
    const badge = card.find(".badge");
    const took = Date.now() - card.post.at;
    if (card.post.author === this.#me || took < 0 || took > LIVE_MS) return;
    badge.textContent = `${took} ms`;
    badge.title = `On this screen ${took} ms after it was posted`;
    badge.hidden = false;
  }

  #drop(id) {
    const card = this.#cards.get(id);
    if (!card) return;
    this.#cards.delete(id);
    if (card.item.contains(document.activeElement)) (card.item.nextElementSibling ?? byId("text")).focus();
    card.item.remove();
  }

  #equip(card) {
    card.find(".post-foot").hidden = false;
    card.find(".edit").addEventListener("click", () => this.#openEditor(card));
    this.#confirmed(card.find(".delete"), () => this.#actions.remove(card.post.id));
  }

  /** The first click asks, the second one does it. */
  #confirmed(button, act) {
    const label = button.textContent;
    let timer = 0;
    const calm = () => {
      clearTimeout(timer);
      button.textContent = label;
      button.classList.remove("sure");
    };
    button.addEventListener("blur", calm);
    button.addEventListener("click", () => {
      if (button.classList.contains("sure")) {
        calm();
        act();
        return;
      }
      button.textContent = "Really delete?";
      button.classList.add("sure");
      timer = setTimeout(calm, CONFIRM_MS);
    });
  }

  #openEditor(card) {
    const form = copyOf("editor-template");
    const text = form.querySelector("textarea");
    const save = form.querySelector(".save");
    const close = () => {
      form.remove();
      card.item.classList.remove("editing");
      card.find(".edit").focus();
    };
    text.value = plain(card.post.body);
    card.item.classList.add("editing");
    card.find(".text").after(form);
    text.focus();
    entersSubmit(form, text);
    form.querySelector(".cancel").addEventListener("click", close);
    form.addEventListener("keydown", (event) => event.key === "Escape" && close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      save.disabled = true;
      const done = await this.#actions.edit(card.post.id, text.value);
      save.disabled = false;
      if (done) close();
    });
  }
}

/** Enter submits, Shift+Enter and an unfinished input method do not; the box grows with its text. */
export function entersSubmit(form, text) {
  const grow = () => {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
  };
  text.addEventListener("input", grow);
  form.addEventListener("reset", () => queueMicrotask(grow));
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  grow();
}

/** The list of friends; `unfriend(name)` is called by its buttons. */
export class Friends {
  #names = new Set();
  #unfriend;

  constructor(unfriend) {
    this.#unfriend = unfriend;
  }

  has(name) {
    return this.#names.has(name);
  }

  set(names) {
    this.#names = new Set(names);
    this.#draw();
  }

  add(name) {
    this.set([...this.#names, name]);
  }

  remove(name) {
    this.set([...this.#names].filter((other) => other !== name));
  }

  #draw() {
    const list = byId("friends");
    const wanted = [...this.#names].sort();
    const rows = new Map([...list.children].map((row) => [row.dataset.name, row]));
    list.replaceChildren(...wanted.map((name) => rows.get(name) ?? this.#row(name)));
    byId("no-friends").hidden = wanted.length > 0;
    byId("friend-count").textContent = wanted.length || "";
  }

  #row(name) {
    const row = copyOf("friend-template");
    const button = row.querySelector("button");
    row.dataset.name = name;
    paintAvatar(row.querySelector(".avatar"), name);
    row.querySelector(".name").textContent = name;
    button.setAttribute("aria-label", `Unfriend ${name}`);
    button.addEventListener("click", () => this.#unfriend(name));
    return row;
  }
}

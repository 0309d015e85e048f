/*
 * Posting to a feed from Node, on behalf of a user, through feedd itself. No packages.
 *
 *   BACKEND_KEY=demo node post-by-http.mjs alice 'héllo 😀'
 *
 * The Idempotency-Key makes the repeats harmless: whatever became of the first try, there is one post.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

const FEEDD = process.env.FEEDD ?? "http://127.0.0.1:8080";
const TRIES = 5;

async function attempt(author, text, key) {
  const response = await fetch(`${FEEDD}/api/posts`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${process.env.BACKEND_KEY}`,
      "Content-Type": "application/json",
      "Idempotency-Key": key,
    },
    body: JSON.stringify({ author, body: { text } }),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: response.status, answer: await response.json() };
}

async function post(author, text) {
  const key = randomUUID();
  for (let left = TRIES; ; left--) {
    const { status, answer } = await attempt(author, text, key).catch((error) => ({ status: 0, answer: { error } }));
    if (status === 201) return answer;
    const mayPass = status === 0 || status >= 500;
    if (!mayPass || left === 1) throw new Error(answer.error.message);
    await pause(500 * 2 ** (TRIES - left) * (0.5 + Math.random() / 2));
  }
}

const [author, text] = process.argv.slice(2);
console.log(await post(author, text));

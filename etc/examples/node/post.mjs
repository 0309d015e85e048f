/*
 * Posting to a feed from Node: rows in the log, and the bell.
 *
 *   npm ci
 *   DB_PASSWORD=... node post.mjs alice 'héllo 😀'
 *
 * keep() writes the two rows in one transaction; they may as well stand in one of the site's own. feedd finds them by itself, so the post
 * reaches every friend even when nothing else is done. ring() makes it quicker. It comes after the commit, and may fail: the log has the event.
 */

import amqplib from "amqplib";
import mysql from "mysql2/promise";

const PATIENCE_MS = 2000;
const setting = (name, other) => process.env[name] || other;

/** Keeps a post of `author` and returns its event, as feedd itself would publish it. */
async function keep(database, author, body) {
  const json = JSON.stringify(body);
  const at = Date.now();
  await database.beginTransaction();
  try {
    const [post] = await database.execute(
      "INSERT INTO posts (author, body, created_at) VALUES (?, ?, ?)",
      [author, json, at],
    );
    const [event] = await database.execute(
      "INSERT INTO events (kind, author, post, payload, created_at) VALUES ('post', ?, ?, ?, ?)",
      [author, post.insertId, json, at],
    );
    await database.commit();
    return { id: event.insertId, kind: "post", author, post: post.insertId, body, at };
  } catch (error) {
    await database.rollback().catch(() => {}); // a connection that is lost rolls back by itself
    throw error;
  }
}

/** Publishes an event to its author's exchange. A site keeps the connection, and waits for nothing. */
async function ring(url, event) {
  const broker = await amqplib.connect(url, { timeout: PATIENCE_MS });
  broker.on("error", () => {}); // told by the call that it fails
  try {
    const channel = await broker.createConfirmChannel();
    channel.on("error", () => {});
    const exchange = `${event.author}_feedExchange`;
    await channel.assertExchange(exchange, "fanout", { durable: true });
    channel.publish(exchange, "", Buffer.from(JSON.stringify(event)), {
      contentType: "application/json",
      messageId: String(event.id),
      type: event.kind,
    });
    await channel.waitForConfirms();
  } finally {
    await broker.close().catch(() => {});
  }
}

const [author, text] = process.argv.slice(2);
const database = await mysql.createConnection({
  host: setting("DB_HOST", "127.0.0.1"),
  port: Number(setting("DB_PORT", "3306")),
  user: setting("DB_USER", "site"),
  password: setting("DB_PASSWORD", ""),
  database: setting("DB_NAME", "feedd"),
  charset: "utf8mb4",
});
try {
  const event = await keep(database, author, { text });
  console.log(JSON.stringify(event));
  await ring(setting("BROKER", "amqp://guest:guest@127.0.0.1:5672/%2F"), event).catch((error) => {
    console.error(`no bell, the log has it: ${error.message || error.code}`);
  });
} finally {
  await database.end();
}

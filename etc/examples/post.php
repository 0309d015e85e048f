<?php
/*
 * Posting to a feed from PHP: rows in the log, and the bell.
 *
 *   DB_PASSWORD=... php post.php alice 'héllo 😀'
 *
 * post() is all that a site needs. It writes the two rows in one transaction; they may as well stand in one of the site's own.
 * feedd reads the new end of the log once a second, so the post reaches every friend even when nothing else is done.
 * ring() makes it milliseconds. It is called after the commit, and may fail: the log has the event.
 *
 * Needs PDO for MySQL, and php-amqplib for the bell (composer require php-amqplib/php-amqplib, in this folder).
 */

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

require 'vendor/autoload.php';

/** Keeps a post of $author and returns its event, as feedd itself would publish it. */
function post(PDO $db, string $author, string $text): array
{
    $body = json_encode(['text' => $text], JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
    $at = (int) (microtime(true) * 1000);
    $db->beginTransaction();
    try {
        $db->prepare('INSERT INTO posts (author, body, created_at) VALUES (?, ?, ?)')->execute([$author, $body, $at]);
        $post = (int) $db->lastInsertId();
        $db->prepare("INSERT INTO events (kind, author, post, payload, created_at) VALUES ('post', ?, ?, ?, ?)")
            ->execute([$author, $post, $body, $at]);
        $event = (int) $db->lastInsertId();
        $db->commit();
    } catch (Throwable $error) {
        $db->rollBack();
        throw $error;
    }
    return ['id' => $event, 'kind' => 'post', 'author' => $author, 'post' => $post, 'body' => ['text' => $text], 'at' => $at];
}

/** Publishes an event, or any other JSON, to the exchange of $author. */
function ring(AMQPStreamConnection $broker, string $author, array $payload): void
{
    $channel = $broker->channel();
    $exchange = "{$author}_feedExchange";
    $channel->exchange_declare($exchange, 'fanout', false, true, false);
    $json = json_encode($payload, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
    $channel->basic_publish(new AMQPMessage($json, ['content_type' => 'application/json']), $exchange);
    $channel->close();
}

/** Connects to the broker of an AMQP URL. */
function broker(string $url): AMQPStreamConnection
{
    $at = parse_url($url);
    $words = array_map('rawurldecode', [$at['user'], $at['pass'], substr($at['path'] ?? '/%2F', 1)]);
    return new AMQPStreamConnection($at['host'], $at['port'] ?? 5672, ...$words);
}

function setting(string $name, string $default): string
{
    return getenv($name) ?: $default;
}

[, $author, $text] = $argv;
$server = 'mysql:host=' . setting('DB_HOST', '127.0.0.1') . ';port=' . setting('DB_PORT', '3306');
$db = new PDO(
    $server . ';dbname=' . setting('DB_NAME', 'feedd') . ';charset=utf8mb4',
    setting('DB_USER', 'site'),
    setting('DB_PASSWORD', ''),
    [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION],
);
$event = post($db, $author, $text);
echo json_encode($event, JSON_UNESCAPED_UNICODE), "\n";

try {
    $broker = broker(setting('BROKER', 'amqp://guest:guest@127.0.0.1:5672/%2F'));
    ring($broker, $author, $event);

    // JSON of any other shape is shown live, as an event of kind "message". It is not in the log: who is away never sees it.
    ring($broker, $author, ['message' => 'This is the message payload']);
    $broker->close();
} catch (Exception $error) {
    error_log("no bell, the log has it: {$error->getMessage()}");
}

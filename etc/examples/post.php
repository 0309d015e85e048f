<?php
/*
 * Posting to a feed from PHP: rows in the log, and the bell.
 *
 * post() is all that a site needs. The two rows are written in one transaction, which may be the site's own; feedd reads the
 * new end of the log once a second, so the post reaches every friend even when nothing else is done.
 * ring() makes it milliseconds. It is called after the commit, and may fail: the log has the event.
 *
 * Needs PDO, and php-amqplib (composer require php-amqplib/php-amqplib) for the bell.
 */

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

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

$db = new PDO('mysql:host=127.0.0.1;dbname=feedd;charset=utf8mb4', 'site', getenv('SITE_DB_PASSWORD'), [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
]);
$event = post($db, 'alice', 'héllo 😀');

try {
    $broker = new AMQPStreamConnection('127.0.0.1', 5672, 'guest', 'guest');
    ring($broker, 'alice', $event);

    // JSON of any other shape is shown live, as an event of kind "message". It is not in the log: who is away never sees it.
    ring($broker, 'alice', ['message' => 'This is the message payload']);
    $broker->close();
} catch (Exception $error) {
    error_log("no bell, the log has it: {$error->getMessage()}");
}

<?php
/*
 * A post: one transaction, and the bell after it.
 *
 * The site's own row and feedd's two rows are committed together, or not at all. feedd finds them by itself; the bell only makes it quicker,
 * so it may fail. With `feedd watch articles` triggers write feedd's rows, and all that the site does is the first INSERT.
 */

declare(strict_types=1);

const LONGEST_TEXT = 2000;

/**
 * Keeps an article, tells the feed of it in the way that the settings say, and returns its id.
 *
 * Throws PDOException when the database is away; nothing is kept then. A broker that is away is logged, no more.
 */
function post(PDO $db, string $author, string $text): int
{
    $posting = settings('feed')['posting'];
    $event = null;
    $db->beginTransaction();
    try {
        $article = insert($db, 'INSERT INTO articles (author, text) VALUES (?, ?)', [$author, $text]);
        if ($posting !== 'table') {
            $event = tell_feed($db, $author, ['text' => $text]);
        }
        $db->commit();
    } catch (Throwable $error) {
        if ($db->inTransaction()) {
            $db->rollBack();
        }
        throw $error;
    }
    if ($posting === 'publish') {
        ring($event);
    }
    return $article;
}

/** Writes feedd's rows of a post, in the transaction that is open, and returns the event that they are. */
function tell_feed(PDO $db, string $author, array $body): array
{
    $json = json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
    $at = (int) (microtime(true) * 1000);
    $post = insert($db, 'INSERT INTO posts (author, body, created_at) VALUES (?, ?, ?)', [$author, $json, $at]);
    $event = insert(
        $db,
        "INSERT INTO events (kind, author, post, payload, created_at) VALUES ('post', ?, ?, ?, ?)",
        [$author, $post, $json, $at],
    );
    return ['id' => $event, 'kind' => 'post', 'author' => $author, 'post' => $post, 'body' => $body, 'at' => $at];
}

/** Runs an INSERT and returns the id of its row. */
function insert(PDO $db, string $statement, array $values): int
{
    $db->prepare($statement)->execute($values);
    return (int) $db->lastInsertId();
}

/** Publishes an event to its author's exchange; the log has it, whatever becomes of that. */
function ring(array $event): void
{
    try {
        publish($event);
    } catch (AMQPException $error) {
        error_log("no bell, the log has it: {$error->getMessage()}");
    }
}

/** Publishes an event to its author's exchange. Throws AMQPException. */
function publish(array $event): void
{
    $patience = ['connect_timeout' => 2, 'read_timeout' => 2, 'write_timeout' => 2];
    $broker = new AMQPConnection($patience + settings('broker'));
    $broker->connect();
    $exchange = new AMQPExchange(new AMQPChannel($broker));
    $exchange->setName("{$event['author']}_feedExchange"); // as broker.exchange says
    $exchange->setType(AMQP_EX_TYPE_FANOUT);
    $exchange->setFlags(AMQP_DURABLE);
    $exchange->declareExchange();
    $exchange->publish(json_encode($event, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE), '', AMQP_NOPARAM, [
        'content_type' => 'application/json',
        'message_id' => (string) $event['id'],
        'type' => $event['kind'],
    ]);
    $broker->disconnect();
}

/** The text of a post as it is kept. Throws Refused. */
function checked_text(string $text): string
{
    $text = trim($text);
    if (preg_match('//u', $text) !== 1) {
        throw new Refused('The text is not UTF-8.', 400);
    }
    if ($text === '' || preg_match_all('/./su', $text) > LONGEST_TEXT) {
        throw new Refused('Write between 1 and ' . LONGEST_TEXT . ' characters.', 400);
    }
    return $text;
}

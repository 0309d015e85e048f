<?php
/*
 * Tells feedd whose session it is: auth.mode = "http", auth.url = this page. feedd passes the browser's cookies on.
 *
 * It never starts a session of its own: without a cookie there is nobody, and nothing is kept for a stranger.
 */

declare(strict_types=1);

require __DIR__ . '/../src/site.php';

header('Content-Type: application/json');
header('Cache-Control: no-store');
$user = isset($_COOKIE[session_name()]) ? session()['user'] ?? null : null;
if ($user === null) {
    http_response_code(401);
}
echo json_encode(['user' => $user]);

<?php
/*
 * What every page of the site needs: settings, database, session, and safe output.
 */

declare(strict_types=1);

/** An error that is told to the visitor, with its HTTP status. */
final class Refused extends RuntimeException
{
}

/** A section of the file that SITE_CONFIG names, or of site.ini beside this folder. */
function settings(string $section): array
{
    static $all = null;
    $all ??= parse_ini_file(getenv('SITE_CONFIG') ?: __DIR__ . '/../site.ini', true, INI_SCANNER_TYPED);
    return $all[$section];
}

/** Connects to the database. Throws PDOException. */
function database(): PDO
{
    $settings = settings('database');
    return new PDO($settings['dsn'], $settings['user'], (string) $settings['password'], [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_EMULATE_PREPARES => false,
        PDO::ATTR_TIMEOUT => 3,
    ]);
}

/**
 * The visitor's session, to be read.
 *
 * PHP keeps a session locked from session_start() to the end of the page, and every other request of this visitor waits meanwhile, also
 * feedd's question who it is. So the session is closed as soon as it has been read, before anything that takes time.
 */
function session(): array
{
    start_session(['read_and_close' => true]);
    return $_SESSION;
}

/** The same to be changed: call session_write_close() when that is done. */
function start_session(array $options = []): void
{
    session_start($options + [
        'use_strict_mode' => true,
        'cookie_httponly' => true,
        'cookie_samesite' => 'Lax', // a script of www.example.org still sends it to feed.example.org
        'cookie_secure' => ($_SERVER['HTTPS'] ?? '') !== '',
    ]);
}

/** Lets a form pass that this site has made for this visitor, and no other. */
function check_form(array $session): void
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        header('Allow: POST');
        throw new Refused('This address takes a form.', 405);
    }
    if (!hash_equals($session['token'] ?? random_bytes(8), field('token'))) {
        throw new Refused('The form is too old. Load the page again.', 403);
    }
}

/** A field of the form that was sent; "" when there is none. */
function field(string $name): string
{
    $value = $_POST[$name] ?? '';
    return is_string($value) ? $value : '';
}

/** Text for HTML. */
function h(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** Sends the browser to the page, by GET. */
function back_to_page(): void
{
    header('Location: index.php', true, 303);
}

/** Calls $page; what goes wrong becomes a page that says so, and a line in the log. */
function serve(callable $page): void
{
    header('Content-Type: text/html; charset=utf-8');
    header('Cache-Control: no-store');
    header("X-Content-Type-Options: nosniff");
    try {
        $page();
    } catch (Refused $error) {
        failed($error->getCode(), $error->getMessage());
    } catch (PDOException $error) {
        error_log("database: {$error->getMessage()}");
        header('Retry-After: 5');
        failed(503, 'We cannot save or load anything at the moment. Please try again.');
    }
}

/** The page of an error; a text that could not be posted is not lost. */
function failed(int $status, string $why): void
{
    http_response_code($status);
    echo '<!DOCTYPE html><title>Sorry</title><p role="alert">', h($why), '</p><p><a href="index.php">Back</a></p>';
    if (field('text') !== '') {
        echo '<p>Your text:</p><textarea readonly>', h(field('text')), '</textarea>';
    }
}

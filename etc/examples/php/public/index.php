<?php
/* The page: a form to post, and what friends post, live. */

declare(strict_types=1);

require __DIR__ . '/../src/site.php';

/** The user, null for a stranger, and the token that this visitor's forms must bring. */
function visitor(): array
{
    $session = isset($_COOKIE[session_name()]) ? session() : [];
    if (!isset($session['token'])) {
        start_session();
        $_SESSION += ['user' => null, 'token' => bin2hex(random_bytes(16))];
        $session = $_SESSION;
        session_write_close();
    }
    return [$session['user'], $session['token']];
}

serve(function (): void {
    [$user, $token] = visitor();
    $feed = settings('feed')['url'];
    header("Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; script-src 'self' $feed");
    ?>
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>A small site</title>
<?php if ($user === null): ?>
<form method="post" action="login.php">
  <input type="hidden" name="token" value="<?= h($token) ?>">
  <label>Name <input name="name" autocomplete="username" required></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <button name="what" value="in">Log in</button>
</form>
<?php else: ?>
<form method="post" action="login.php">
  <input type="hidden" name="token" value="<?= h($token) ?>">
  <span id="me"><?= h($user) ?></span> <button name="what" value="out">Log out</button>
</form>
<form method="post" action="post.php" id="post">
  <input type="hidden" name="token" value="<?= h($token) ?>">
  <textarea name="text" maxlength="2000" required></textarea>
  <button>Post</button>
</form>
<ol id="feed" reversed data-url="<?= h($feed) ?>"></ol>
<script src="feed.js"></script>
<?php endif ?>
</html>
<?php
});

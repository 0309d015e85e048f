<?php
/*
 * Makes a member, or changes the password, which is read from standard input:
 *
 *   php member.php alice < password
 */

declare(strict_types=1);

require __DIR__ . '/src/site.php';

$name = $argv[1] ?? '';
if (!preg_match('/^[A-Za-z0-9_-]{1,64}$/D', $name)) {
    fwrite(STDERR, "A name has 1 to 64 of the characters A-Z a-z 0-9 _ -\n");
    exit(1);
}
database()
    ->prepare('REPLACE INTO members (name, password_hash) VALUES (?, ?)')
    ->execute([$name, password_hash(rtrim(fgets(STDIN), "\n"), PASSWORD_DEFAULT)]);

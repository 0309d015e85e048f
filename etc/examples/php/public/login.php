<?php
/* The forms to log in and out come here. */

declare(strict_types=1);

require __DIR__ . '/../src/site.php';

function password_hash_of(PDO $db, string $name): ?string
{
    $query = $db->prepare('SELECT password_hash FROM members WHERE name = ?');
    $query->execute([$name]);
    return $query->fetchColumn() ?: null;
}

serve(function (): void {
    check_form(session());
    $user = null;
    if (field('what') === 'in') {
        $user = field('name');
        if (!password_verify(field('password'), password_hash_of(database(), $user) ?? '')) {
            throw new Refused('There is no such member, or the password is another one.', 403);
        }
    }
    start_session();
    session_regenerate_id(true); // nobody who knew the old id is this user now
    $_SESSION = ['user' => $user, 'token' => bin2hex(random_bytes(16))];
    session_write_close();
    back_to_page();
});

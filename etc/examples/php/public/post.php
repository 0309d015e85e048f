<?php
/* The posting form comes here. */

declare(strict_types=1);

require __DIR__ . '/../src/site.php';
require __DIR__ . '/../src/posting.php';

serve(function (): void {
    $session = session();
    check_form($session);
    if (!isset($session['user'])) {
        throw new Refused('Log in first.', 403);
    }
    post(database(), $session['user'], checked_text(field('text')));
    back_to_page();
});

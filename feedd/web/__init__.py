"""HTTP: what browsers and the site's own servers see of feedd."""

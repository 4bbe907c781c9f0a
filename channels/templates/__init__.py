"""Templates: Liquid within bounds, MJML and CSS to what mail programs read, and their filters."""

"""What the page shows, each view as the JSON that the page reads."""

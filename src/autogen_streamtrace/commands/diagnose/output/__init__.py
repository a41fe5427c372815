"""What diagnose prints, writes as JSON, and draws on its page."""

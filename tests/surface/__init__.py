"""AutoGen's surface: each of its agent, team, client, tool and workbench classes, and what is known of it."""

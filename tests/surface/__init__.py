"""AutoGen's surface: every agent, team, client, tool and workbench class of the installed packages, and what is known of it."""

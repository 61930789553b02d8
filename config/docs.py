"""The sections of the API docs, in their order."""

SECTIONS = {
    "health": "Is Raceday working, and if not, which part?",
    "races": "Races as they stand now, with results and dividends.",
    "meetings": "A day's meetings and their races.",
    "entrants and money": "Horses and greyhounds, tote pools, and money and odds over time.",
    "late money": "Alerts of unusual late money with their evidence, and how often they were right.",
    "alert settings": "A user's indicators. These are the only routes with which a client writes.",
    "streams": "What changes, as it changes: server-sent events, and the same events for clients that poll.",
    "staff": "Response cache and database. These routes need a staff token or an admin session.",
}
TAGS = [{"name": name, "description": description} for name, description in SECTIONS.items()]

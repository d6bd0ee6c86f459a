"""Review of a session by a person: browsing tracklets, labelling, validation. Independent of the web app."""

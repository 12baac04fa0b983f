"""Second looks at stored verdicts: people who check them, newer checks that judge again, and how far they agree."""

"""An NZ TAB of our own on loopback: a seeded racing day with parimutuel markets on the feed's exact wire format."""

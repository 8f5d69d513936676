"""Files of plates: where they are, what they are to their plate."""

"""Records of other registries, by OAI-PMH 2.0 (``vo harvest``)."""

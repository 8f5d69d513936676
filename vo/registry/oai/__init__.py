"""The publishing registry: OAI-PMH 2.0 with the IVOA's profile (Registry Interfaces 1.1)."""

"""VOSI 1.1: capabilities, availability, tables."""

"""The registry: records made from data, OAI-PMH, RegTAP, harvesting."""

"""RegTAP 1.2: the rows of the schema ``rr`` that are made from a VOResource document."""

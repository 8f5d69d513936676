"""Pages of registry records: what a record says, where on the sky, and when."""

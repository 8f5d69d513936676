"""Images: WCS, edges on the sky, cutouts. Knows neither HTTP nor the database."""

"""Makes reports: figures as text, pictures and charts as parts of one HTML page."""

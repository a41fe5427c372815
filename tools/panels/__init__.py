"""Draws the dashboards as Grafana draws them, on the data of a made-up day."""

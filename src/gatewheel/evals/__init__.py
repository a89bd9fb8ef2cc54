"""Measures an application: metrics, and statistics that say what the measurements are worth."""

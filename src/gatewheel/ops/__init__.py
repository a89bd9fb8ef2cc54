"""Keeping an application running: keys, feedback, the export and the retention of traces."""

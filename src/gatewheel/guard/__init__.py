"""What protects people and their data: nothing here knows about rooms."""

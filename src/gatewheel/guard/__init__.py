"""What protects people, their data and their machine: nothing here knows about rooms."""

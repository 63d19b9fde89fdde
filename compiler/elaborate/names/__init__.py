"""What can be said of names from the text alone: errors for names that refer to nothing suitable, and names that are never used."""

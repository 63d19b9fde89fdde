"""Code as text: printed, and laid out in lines."""

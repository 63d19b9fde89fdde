"""Imports existing models as specs: reads them, writes them as text, and proves that text and model agree. The entry is run_import.py."""

"""Proofs about models beyond shapes, and their confirmation by running."""

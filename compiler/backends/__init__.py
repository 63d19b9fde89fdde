"""Graphs to artifacts: one folder a backend. Backends know operators; operators know no backend, and no backend knows another."""

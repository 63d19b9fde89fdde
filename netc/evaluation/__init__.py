"""Evaluations of a trained model on labeled data: metrics by scikit-learn's definitions, and a report in HTML."""

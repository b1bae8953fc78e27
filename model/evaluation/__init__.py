"""The official protocol, predictions, baselines and the report."""

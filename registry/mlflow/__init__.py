"""What the MLflow client speaks: registry, artifact proxy and as much tracking as training scripts use."""

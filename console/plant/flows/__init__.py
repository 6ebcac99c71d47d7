"""The flows that manufacturers name, each as its own systems send it."""

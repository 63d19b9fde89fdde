"""Every error, one frozen record each, one file a topic."""

"""Training methods over TRL, with arguments that are right on this machine."""

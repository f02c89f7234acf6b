"""Models: loading, identity, adapters, four bits, generation."""

"""Template tags of post-mortems."""

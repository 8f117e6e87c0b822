"""The measured figures of `make bench`: both sides of each ratio in one run, on data and servers of its own."""

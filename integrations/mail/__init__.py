"""Mail in: what arrives is read, judged and folded here; nothing in this room writes."""

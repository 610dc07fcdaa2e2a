"""The targets, by the room of fatwheel that they look into."""

"""Pages for people: so far the map at `/`. Scripts and styles are files of our own; nothing is loaded from elsewhere."""

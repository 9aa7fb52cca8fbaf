"""What the handhelds exchange with the register: they work offline, and bring and fetch their changes when there is a network."""

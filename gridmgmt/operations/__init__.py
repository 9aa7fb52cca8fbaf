"""What an operator does with an installation: run the embedded database, keep the keys, move the register."""

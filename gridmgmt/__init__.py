"""The district: what its office and its workers do. Knows no HTTP."""

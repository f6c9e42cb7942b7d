"""What `spikedoor new` writes: one example of each kind, with its test."""

"""Tables and pictures, made from records only; no torch."""

"""Any torch module as a victim, kept as it is."""

from spikedoor.victim.wrapped.module import unwrap, wrap_module

__all__ = ["unwrap", "wrap_module"]

"""How to reach each system, and how it fails. No stage logic: that is in `sonik_assets`."""

"""Probabilistic matching of records that no strong identifier decides: block, compare, weigh (Fellegi-Sunter).

Pure: frames in, scored pairs out. Who may merge, caps and people's decisions belong to the linker that calls this.
"""

"""The encoder's training (thesis, section 3.4.3; pSp, arXiv 2008.00951): photos to w+, for a generator that is there.

`config` settings · `trainer` a step · `losses` what it lowers · `result` weights, subspace and model card.
"""
